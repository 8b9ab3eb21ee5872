/* validator_text: area codes, telephone numbers, dates. */
#include <string.h>

#include "core/calendar.h"
#include "core/validator.h"

/* ---- areas ---- */

/* Levels are of GB/T 2260 (6), GB/T 10114 (9, 12) and GA/T 2000.33 (15). */
qm_reason qm_check_area_code(qm_slice s, unsigned levels, unsigned suffix) {
  size_t greatest = 0;
  int fits = 0;
  for (unsigned i = 0; i < 4; i++) {
    if (!(levels & 1u << i)) continue;
    greatest = 6 + 3 * (size_t)i;
    fits |= s.n == greatest;
  }
  if (!fits && (!suffix || s.n != greatest + suffix)) return QM_REASON_AREA_LENGTH;
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < '0' || s.p[i] > '9') return QM_REASON_AREA_DIGITS;
  return s.p[0] == '0' ? QM_REASON_AREA_DIGITS : QM_REASON_NONE;
}

/* ---- telephone numbers ---- */

typedef struct phone {
  char digits[32]; /* before an extension */
  size_t n, extension;
  int abroad; /* began with + or 00 */
} phone;

static int is_separator(uint8_t c) { return c == ' ' || c == '-' || c == '(' || c == ')'; }

/* What begins an extension at i: the bytes it takes, 0 where nothing does. A hyphen does behind
 * a number that is whole. */
static size_t extension_at(qm_slice s, size_t i, const phone *p) {
  if (s.n - i >= 3 && memcmp(s.p + i, "\xE8\xBD\xAC", 3) == 0) return 3; /* 转 */
  if (s.p[i] == 'x' || s.p[i] == 'X') return 1;
  return s.p[i] == '-' && p->n >= 11 && p->digits[0] == '0' && p->digits[1] != '0';
}

static int read_phone(qm_slice s, phone *p) {
  memset(p, 0, sizeof *p);
  size_t i = 0;
  if (s.n && s.p[0] == '+') p->abroad = 1, i = 1;
  for (; i < s.n; i++) {
    size_t mark = extension_at(s, i, p);
    if (mark) {
      for (i += mark; i < s.n; i++, p->extension++)
        if (s.p[i] < '0' || s.p[i] > '9') return 0;
      return p->n && p->extension >= 1 && p->extension <= 6;
    }
    if (is_separator(s.p[i])) continue;
    if (s.p[i] < '0' || s.p[i] > '9' || p->n == 20) return 0;
    p->digits[p->n++] = (char)s.p[i];
  }
  return p->n > 0;
}

static void drop(phone *p, size_t n) {
  memmove(p->digits, p->digits + n, p->n - n + 1);
  p->n -= n;
}

/* Leaves a Chinese number without its country; 0 where it is of another country. */
static int is_domestic(phone *p) {
  if (!p->abroad && strncmp(p->digits, "00", 2) == 0) p->abroad = 1, drop(p, 2);
  if (p->abroad && strncmp(p->digits, "86", 2) == 0) {
    drop(p, 2);
    return 1;
  }
  if (!p->abroad && p->n == 13 && strncmp(p->digits, "861", 3) == 0) drop(p, 2);
  return !p->abroad;
}

static int is_mobile(const phone *p) {
  return p->n == 11 && p->digits[0] == '1' && p->digits[1] >= '3' && !p->extension;
}

/* 010 and 02x have three digits, 0[3-9]xx four; the number has seven or eight. */
static int is_landline(const phone *p) {
  if (p->digits[0] != '0') return (p->n == 7 || p->n == 8) && p->digits[0] >= '2';
  size_t area = p->digits[1] == '1' || p->digits[1] == '2' ? 3 : 4;
  return p->n >= area + 7 && p->n <= area + 8 && p->digits[1] != '0' && p->digits[area] >= '2';
}

/* With its country a landline has no 0 before the area code. */
static int is_number(phone *p) {
  if (is_mobile(p) || is_landline(p)) return 1;
  int short_one = p->digits[0] == '1' || p->digits[0] == '9';
  if (short_one && !p->abroad && (p->n == 3 || p->n == 5 || p->n == 6)) return !p->extension;
  if (p->n == 10 && (!strncmp(p->digits, "400", 3) || !strncmp(p->digits, "800", 3))) return 1;
  if (!p->abroad || p->n < 9 || p->n > 11) return 0;
  memmove(p->digits + 1, p->digits, p->n + 1);
  p->digits[0] = '0';
  p->n++;
  return is_landline(p);
}

qm_reason qm_check_phone(qm_slice text, int mobile) {
  phone p;
  int good = read_phone(text, &p);
  if (good && is_domestic(&p)) good = mobile ? is_mobile(&p) : is_number(&p);
  else if (good) good = !mobile && p.n >= 7 && p.n <= 15 && p.digits[0] != '0'; /* E.164 */
  if (good) return QM_REASON_NONE;
  return mobile ? QM_REASON_PHONE_MOBILE : QM_REASON_PHONE;
}

/* ---- dates ---- */

/* Fills a part up to its first day. */
static int whole_date(qm_slice s, int partial, int32_t *day) {
  char text[11] = "0000-01-01";
  if (s.n != 10 && !(partial && (s.n == 4 || s.n == 7))) return 0;
  memcpy(text, s.p, s.n);
  return qm_date_parse(qm_slice_of(text, 10), day);
}

qm_reason qm_check_date(qm_slice text, int partial, int32_t least, int32_t most) {
  int32_t day;
  if (!whole_date(text, partial, &day))
    return partial ? QM_REASON_DATE_PARTIAL : QM_REASON_DATE;
  if (day < least) return QM_REASON_DATE_EARLY;
  return day > most ? QM_REASON_DATE_LATE : QM_REASON_NONE;
}
