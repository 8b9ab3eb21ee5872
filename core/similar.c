#include "core/similar.h"

#include <string.h>

#include "core/norm.h"

#define NAME_MIN 2u
#define NAME_MAX 4u

static void put_char(qm_buf *out, uint32_t c) {
  if (c < 0x80) {
    qm_buf_byte(out, (uint8_t)c);
    return;
  }
  if (c < 0x800) {
    qm_buf_byte(out, (uint8_t)(0xC0 | c >> 6));
  } else {
    if (c < 0x10000) {
      qm_buf_byte(out, (uint8_t)(0xE0 | c >> 12));
    } else {
      qm_buf_byte(out, (uint8_t)(0xF0 | c >> 18));
      qm_buf_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
    }
    qm_buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
  }
  qm_buf_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
}

/* Folded code points of a text; 0 where there are too many, or none. */
static size_t fold(qm_slice text, uint32_t to[QM_SIMILAR_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < text.n;) {
    uint32_t folded[QM_FOLD_MAX];
    size_t k = qm_fold_char(qm_utf8_next(text, &i), folded);
    for (size_t j = 0; j < k; j++) {
      if (n == QM_SIMILAR_MAX) return 0;
      to[n++] = folded[j];
    }
  }
  return n;
}

static int stays(uint32_t c) {
  qm_char_class cls = qm_char_class_of(c);
  return cls == QM_CHAR_WORD || cls == QM_CHAR_IDEOGRAPH;
}

void qm_similar_text(qm_buf *out, qm_slice text) {
  uint32_t c[QM_SIMILAR_MAX];
  size_t n = fold(text, c);
  for (size_t i = 0; i < n; i++)
    if (stays(c[i])) put_char(out, c[i]);
}

/* --- phones --- */

typedef struct number {
  char d[QM_PHONE_MAX * 2];
  size_t n;
  int plus, extension;
} number;

static int is_digit(uint32_t c) { return c >= '0' && c <= '9'; }

static void drop(number *x, size_t count) {
  x->n -= count;
  memmove(x->d, x->d + count, x->n);
}

static int begins(const number *x, const char *with) {
  size_t n = strlen(with);
  return x->n >= n && memcmp(x->d, with, n) == 0;
}

static int is_mobile(const char *d, size_t n) { return n == 11 && d[0] == '1' && d[1] != '0'; }

/* Only a mobile needs no 0 in front within the country. */
static void strip(number *x) {
  int abroad = x->plus;
  if (!abroad && begins(x, "00") && x->n > 10 && x->d[2] != '0') {
    drop(x, 2);
    abroad = 1;
  }
  if (abroad && begins(x, "86")) {
    drop(x, 2);
    if (x->n && x->d[0] != '0' && !is_mobile(x->d, x->n)) {
      memmove(x->d + 1, x->d, x->n++);
      x->d[0] = '0';
    }
  }
  if (begins(x, "86") && is_mobile(x->d + 2, x->n - 2)) drop(x, 2);
  if (begins(x, "0") && is_mobile(x->d + 1, x->n - 1)) drop(x, 1);
}

static void end_number(number *x, char out[QM_PHONES_MAX][QM_PHONE_MAX], uint32_t *count) {
  size_t same = 1;
  strip(x);
  while (same < x->n && x->d[same] == x->d[0]) same++;
  if (*count < QM_PHONES_MAX && x->n >= 5 && x->n < QM_PHONE_MAX && same < x->n) {
    memcpy(out[*count], x->d, x->n);
    out[(*count)++][x->n] = '\0';
  }
  memset(x, 0, sizeof *x);
}

/* Two mobiles with a blank between them are two numbers, though one is often grouped. */
static int is_whole(const number *x) {
  number whole = *x;
  strip(&whole);
  return is_mobile(whole.d, whole.n);
}

uint32_t qm_similar_phones(qm_slice text, char out[QM_PHONES_MAX][QM_PHONE_MAX]) {
  uint32_t c[QM_SIMILAR_MAX], count = 0;
  size_t n = fold(text, c);
  number x = {{0}, 0, 0, 0};
  for (size_t i = 0; i < n; i++) {
    if (is_digit(c[i])) {
      if (!x.extension && x.n < sizeof x.d - 1) x.d[x.n++] = (char)c[i];
    } else if (c[i] == '+') {
      end_number(&x, out, &count);
      x.plus = 1;
    } else if (c[i] == 0x8F6C || c[i] == 0x8F49 || c[i] == 0x5206 || c[i] == 'x' || c[i] == 'e' ||
               c[i] == '#') { /* 转 轉 分(机) x ext # */
      x.extension = x.n > 0;
    } else if (c[i] == ' ' || c[i] == '-' || c[i] == 0x2010 || c[i] == 0x2014 || c[i] == '.') {
      if (is_whole(&x)) end_number(&x, out, &count);
    } else if (c[i] == '(' || c[i] == ')') {
      if (x.n > 5) end_number(&x, out, &count); /* (028)12345678 is one number */
    } else if (!x.extension || !stays(c[i])) {
      end_number(&x, out, &count);
    }
  }
  end_number(&x, out, &count);
  return count;
}

/* --- addresses --- */

static int in(const uint32_t *list, uint32_t c) {
  for (; *list; list++)
    if (*list == c) return 1;
  return 0;
}

/* 零〇一二三四五六七八九, 两 */
static int numeral(uint32_t c) {
  static const uint32_t digits[] = {0x96F6, 0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94,
                                    0x516D, 0x4E03, 0x516B, 0x4E5D};
  if (c == 0x3007 || c == 0x25CB) return 0; /* 〇, and the circle typed for it */
  if (c == 0x4E24) return 2;
  for (int i = 0; i < 10; i++)
    if (digits[i] == c) return i;
  return -1;
}

static int tens(uint32_t c) { return c == 0x5341 ? 10 : c == 0x767E ? 100 : 0; } /* 十 百 */

/* House, building, stair, floor, room: 号號栋棟幢座楼樓层層室户院, and 单元 單元. */
static size_t inner_counter(const uint32_t *c, size_t n) {
  static const uint32_t counters[] = {0x53F7, 0x865F, 0x680B, 0x68DF, 0x5E62, 0x5EA7, 0x697C,
                                      0x6A13, 0x5C42, 0x5C64, 0x5BA4, 0x6237, 0x9662, 0};
  if (n > 1 && (c[0] == 0x5355 || c[0] == 0x55AE) && c[1] == 0x5143) return 2;
  return n && (in(counters, c[0]) || c[0] == '#');
}

/* What a number is counted in, beside those: 组組巷弄队隊段门門区區期村社路街道排. */
static int counted(const uint32_t *c, size_t n) {
  static const uint32_t counters[] = {0x7EC4, 0x7D44, 0x5DF7, 0x5F04, 0x961F, 0x968A, 0x6BB5,
                                      0x95E8, 0x9580, 0x533A, 0x5340, 0x671F, 0x6751, 0x793E,
                                      0x8DEF, 0x8857, 0x9053, 0x6392, 0};
  return inner_counter(c, n) > 0 || (n && in(counters, c[0]));
}

static size_t numeral_run(const uint32_t *c, size_t n) {
  size_t i = 0;
  while (i < n && i < 8 && (numeral(c[i]) >= 0 || tens(c[i]))) i++;
  return i;
}

/* 二十三 is 23, 十 10, 一百零二 102; 二〇三 is 203, digit by digit. */
static size_t put_numeral(const uint32_t *c, size_t n, uint32_t *to) {
  uint32_t sum = 0, digit = 0, seen = 0;
  size_t k = 0;
  char text[12];
  for (size_t i = 0; i < n; i++) seen |= tens(c[i]) != 0;
  for (size_t i = 0; i < n; i++) {
    int d = numeral(c[i]);
    if (!seen) {
      to[k++] = (uint32_t)('0' + d);
    } else if (d >= 0) {
      digit = (uint32_t)d;
    } else {
      sum += (digit ? digit : 1) * (uint32_t)tens(c[i]);
      digit = 0;
    }
  }
  if (!seen) return k;
  size_t at = sizeof text;
  for (sum += digit; at && (sum || at == sizeof text); sum /= 10)
    text[--at] = (char)('0' + sum % 10);
  while (at < sizeof text) to[k++] = (uint32_t)text[at++];
  return k;
}

/* Han numerals that count something become digits. `to` has room for twice as many: 十 alone
 * becomes two. */
static size_t digits_for_numerals(const uint32_t *c, size_t n, uint32_t *to) {
  size_t k = 0;
  for (size_t i = 0; i < n;) {
    size_t from = i + (c[i] == 0x7B2C); /* 第 */
    size_t run = numeral_run(c + from, n - from);
    if (run && counted(c + from + run, n - from - run)) {
      k += put_numeral(c + from, run, to + k);
      i = from + run;
    } else if (from > i && from < n && is_digit(c[from])) {
      i++;
    } else {
      to[k++] = c[i++];
    }
  }
  return k;
}

void qm_similar_address(qm_buf *out, qm_slice text) {
  uint32_t c[QM_SIMILAR_MAX], d[QM_SIMILAR_MAX * 2];
  size_t n = digits_for_numerals(c, fold(text, c), d);
  int after_digit = 0, gap = 0; /* a number came last; a counter or a sign stands behind it */
  for (size_t i = 0; i < n;) {
    size_t counter = after_digit ? inner_counter(d + i, n - i) : 0;
    if (counter || !stays(d[i])) {
      gap |= after_digit;
      i += counter ? counter : 1;
      continue;
    }
    if (gap && is_digit(d[i])) qm_buf_byte(out, '-');
    gap = 0;
    after_digit = is_digit(d[i]);
    put_char(out, d[i++]);
  }
}

/* --- how much alike --- */

static size_t code_points(qm_slice s, uint32_t to[QM_SIMILAR_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < s.n && n < QM_SIMILAR_MAX;) to[n++] = qm_utf8_next(s, &i);
  return n;
}

static int is_han_name(const uint32_t *c, size_t n) {
  if (n < NAME_MIN || n > NAME_MAX) return 0;
  for (size_t i = 0; i < n; i++)
    if (qm_char_class_of(c[i]) != QM_CHAR_IDEOGRAPH) return 0;
  return 1;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Optimal string alignment distance of names. */
static unsigned distance(const uint32_t *a, size_t n, const uint32_t *b, size_t m) {
  unsigned d[NAME_MAX + 1][NAME_MAX + 1];
  for (size_t i = 0; i <= n; i++) d[i][0] = (unsigned)i;
  for (size_t j = 0; j <= m; j++) d[0][j] = (unsigned)j;
  for (size_t i = 1; i <= n; i++) {
    for (size_t j = 1; j <= m; j++) {
      d[i][j] = least(d[i - 1][j], d[i][j - 1]) + 1;
      d[i][j] = least(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[n][m];
}

/* Of each pair of one text that the other has too, each counted once. */
static unsigned dice(const uint32_t *a, size_t n, const uint32_t *b, size_t m) {
  uint8_t taken[QM_SIMILAR_MAX] = {0};
  size_t common = 0;
  for (size_t i = 0; i + 1 < n; i++) {
    for (size_t j = 0; j + 1 < m; j++) {
      if (taken[j] || a[i] != b[j] || a[i + 1] != b[j + 1]) continue;
      taken[j] = 1;
      common++;
      break;
    }
  }
  return (unsigned)(200 * common / (n - 1 + m - 1));
}

unsigned qm_similar(qm_slice a, qm_slice b) {
  uint32_t x[QM_SIMILAR_MAX], y[QM_SIMILAR_MAX];
  if (!a.n || !b.n) return 0;
  if (qm_slice_cmp(a, b) == 0) return 100;
  size_t n = code_points(a, x), m = code_points(b, y), longer = n > m ? n : m;
  if (is_han_name(x, n) && is_han_name(y, m))
    return (unsigned)(100 * (longer - distance(x, n, y, m)) / longer);
  if (n < 2 || m < 2) return 0;
  unsigned percent = dice(x, n, y, m);
  return percent < 100 ? percent : 99; /* the same pairs in another order */
}
