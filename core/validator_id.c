/* validator_id: numbers of persons and organisations. */
#include <string.h>

#include "core/calendar.h"
#include "core/validator.h"

/* ---- GB 11643 ---- */

static int digits_ok(qm_slice s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (s.p[i] < '0' || s.p[i] > '9') return 0;
  return 1;
}

static int number(const uint8_t *p, int n) {
  int v = 0;
  while (n--) v = v * 10 + (*p++ - '0');
  return v;
}

/* The greater regions of GB/T 2260: 1 to 6 the mainland, 7 Taiwan, 8 Hong Kong, Macau and their
 * residents' permits; 9 permits of foreigners, whose next digits mean something else. */
static int region_ok(const uint8_t *p) { return p[0] != '0' && (p[0] == '9' || p[1] != '0'); }

static int date_ok(int year, int month, int day) {
  return year >= 1800 && month >= 1 && day >= 1 && day <= qm_month_days(year, month);
}

static int check_11_2(const uint8_t *p) {
  static const uint8_t weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  static const char checks[] = "10X98765432";
  unsigned sum = 0;
  for (size_t i = 0; i < 17; i++) sum += weights[i] * (unsigned)(p[i] - '0');
  char want = checks[sum % 11], is = p[17] == 'x' ? 'X' : (char)p[17];
  return is == want;
}

/* A date of 1900 on; the orders 996 to 999 were for those of a hundred years and more. */
static qm_reason old_number(qm_slice s) {
  if (!digits_ok(s, 15)) return QM_REASON_ID_DIGITS;
  if (!region_ok(s.p)) return QM_REASON_ID_AREA;
  int year = number(s.p + 6, 2), month = number(s.p + 8, 2), day = number(s.p + 10, 2);
  int hundred = number(s.p + 12, 3) >= 996;
  return date_ok((hundred ? 1800 : 1900) + year, month, day) ? QM_REASON_NONE : QM_REASON_ID_DATE;
}

qm_reason qm_check_citizen_id(qm_slice s, int old) {
  if (s.n == 15) return old ? old_number(s) : QM_REASON_ID_OLD;
  if (s.n != 18) return QM_REASON_ID_LENGTH;
  int x = s.p[17] == 'X' || s.p[17] == 'x';
  if (!digits_ok(s, x ? 17 : 18)) return QM_REASON_ID_DIGITS;
  if (!region_ok(s.p)) return QM_REASON_ID_AREA;
  if (!date_ok(number(s.p + 6, 4), number(s.p + 10, 2), number(s.p + 12, 2)))
    return QM_REASON_ID_DATE;
  return check_11_2(s.p) ? QM_REASON_NONE : QM_REASON_ID_CHECK;
}

/* ---- GB 32100 ---- */

static int credit_value(uint8_t c) {
  static const char all[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 'a' + 'A');
  const char *at = c ? strchr(all, c) : NULL;
  return at ? (int)(at - all) : -1;
}

/* Weights are the powers of 3 modulo 31. */
qm_reason qm_check_credit_code(qm_slice s) {
  unsigned sum = 0, weight = 1;
  if (s.n != 18) return QM_REASON_CREDIT_LENGTH;
  for (size_t i = 0; i < 18; i++) {
    int v = credit_value(s.p[i]);
    if (v < 0 || (i >= 2 && i < 8 && v > 9)) return QM_REASON_CREDIT_CHARS;
    if (i < 17) sum += (unsigned)v * weight;
    weight = weight * 3 % 31;
  }
  return (unsigned)credit_value(s.p[17]) == (31 - sum % 31) % 31 ? QM_REASON_NONE
                                                                 : QM_REASON_CREDIT_CHECK;
}
