/* The JSON writers of value.h. Nothing here depends on the locale of the program
 * around it: the decimal separator that printf writes is skipped, and none is given
 * to strtod. */
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/value.h"

#define LOW_BITS UINT64_C(0x0101010101010101)
#define HIGH_BITS (LOW_BITS * 0x80)
#define DIGITS_MAX 17 /* this many always read back as the same double */

static void add_text(qm_buf *out, const char *text) { qm_buf_add(out, text, strlen(text)); }

/* Two-character escape of a byte below 0x20, or 0. */
static char short_escape(uint8_t byte) {
  switch (byte) {
    case '\b': return 'b';
    case '\t': return 't';
    case '\n': return 'n';
    case '\f': return 'f';
    case '\r': return 'r';
    default: return 0;
  }
}

static void add_escape(qm_buf *out, uint8_t byte) {
  static const char hex[] = "0123456789abcdef";
  char text[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
  char letter = byte == '"' || byte == '\\' ? (char)byte : short_escape(byte);
  if (letter) text[1] = letter;
  qm_buf_add(out, text, letter ? 2 : 6);
}

/* Of eight bytes at least one is 0: the bit of a carry that came from no other. */
static int has_zero(uint64_t v) { return ((v - LOW_BITS) & ~v & HIGH_BITS) != 0; }

/* Of eight bytes none is to be escaped. */
static int is_plain(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return !has_zero(v & (LOW_BITS * 0xe0)) && !has_zero(v ^ (LOW_BITS * '"')) &&
         !has_zero(v ^ (LOW_BITS * '\\'));
}

void qm_json_str(qm_buf *out, qm_slice utf8) {
  size_t from = 0;
  qm_buf_byte(out, '"');
  for (size_t i = 0; i < utf8.n; i++) {
    while (utf8.n - i > 8 && is_plain(utf8.p + i)) i += 8;
    uint8_t byte = utf8.p[i];
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    if (i > from) qm_buf_add(out, utf8.p + from, i - from);
    add_escape(out, byte);
    from = i + 1;
  }
  if (utf8.n > from) qm_buf_add(out, utf8.p + from, utf8.n - from);
  qm_buf_byte(out, '"');
}

/* A positive double as decimal digits: 0.d1d2d3… * 10^point. */
typedef struct decimal {
  char digits[DIGITS_MAX + 1];
  int count, point;
} decimal;

/* The decimal of `count` digits that is nearest to v. */
static void nearest(decimal *d, double v, int count) {
  char text[40];
  const char *at = text;
  snprintf(text, sizeof text, "%.*e", count - 1, v);
  d->count = 0;
  for (; *at && *at != 'e'; at++) {
    if (*at >= '0' && *at <= '9' && d->count < DIGITS_MAX) d->digits[d->count++] = *at;
  }
  d->digits[d->count] = '\0';
  d->point = (*at ? (int)strtol(at + 1, NULL, 10) : 0) + 1;
}

static int reads_back(const decimal *d, double v) {
  char text[40];
  snprintf(text, sizeof text, "%se%d", d->digits, d->point - d->count);
  double back = strtod(text, NULL);
  return back >= v && back <= v;
}

/* The next greater decimal of as many digits. */
static void step_up(decimal *d) {
  int i = d->count - 1;
  while (i >= 0 && d->digits[i] == '9') d->digits[i--] = '0';
  if (i >= 0) {
    d->digits[i]++;
    return;
  }
  d->digits[0] = '1';
  d->point++;
}

/* Below a power of two doubles lie twice as dense as above it: there the nearest
 * decimal may fail to read back where its upper neighbour does. */
static int is_power_of_two(double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

static int try_count(decimal *d, double v, int count) {
  nearest(d, v, count);
  if (reads_back(d, v)) return 1;
  if (!is_power_of_two(v)) return 0;
  step_up(d);
  return reads_back(d, v);
}

/* The fewest digits that read back as v, of those the nearest. A normal double that
 * some decimal of at most DBL_DIG digits denotes prints as that decimal. */
static void shortest(decimal *d, double v) {
  int count = v >= DBL_MIN ? DBL_DIG : 1;
  while (count < DIGITS_MAX && !try_count(d, v, count)) count++;
  if (count == DIGITS_MAX) nearest(d, v, count);
  while (d->count > 1 && d->digits[d->count - 1] == '0') d->count--;
}

static void add_zeros(qm_buf *out, int count) {
  for (; count > 0; count--) qm_buf_byte(out, '0');
}

static void add_exponent(qm_buf *out, const decimal *d) {
  char text[16];
  int exponent = d->point - 1, size = exponent < 0 ? -exponent : exponent;
  qm_buf_add(out, d->digits, 1);
  if (d->count > 1) {
    qm_buf_byte(out, '.');
    qm_buf_add(out, d->digits + 1, (size_t)d->count - 1);
  }
  snprintf(text, sizeof text, "e%c%d", exponent < 0 ? '-' : '+', size);
  add_text(out, text);
}

void qm_json_f64(qm_buf *out, double v) {
  if (!(v - v == 0.0)) { /* JSON has neither NaN nor infinities */
    add_text(out, "null");
    return;
  }
  if (v == 0.0) {
    qm_buf_byte(out, '0');
    return;
  }
  decimal d;
  if (v < 0) qm_buf_byte(out, '-');
  shortest(&d, v < 0 ? -v : v);
  if (d.point > 21 || d.point <= -6) {
    add_exponent(out, &d);
  } else if (d.point <= 0) {
    add_text(out, "0.");
    add_zeros(out, -d.point);
    qm_buf_add(out, d.digits, (size_t)d.count);
  } else if (d.point >= d.count) {
    qm_buf_add(out, d.digits, (size_t)d.count);
    add_zeros(out, d.point - d.count);
  } else {
    qm_buf_add(out, d.digits, (size_t)d.point);
    qm_buf_byte(out, '.');
    qm_buf_add(out, d.digits + d.point, (size_t)(d.count - d.point));
  }
}

static void add_integer(qm_buf *out, const qm_mp_token *t) {
  char text[24];
  if (t->type == QM_MP_UINT)
    snprintf(text, sizeof text, "%" PRIu64, t->u);
  else
    snprintf(text, sizeof text, "%" PRId64, t->i);
  add_text(out, text);
}

static void add_bytes(qm_buf *out, qm_slice bytes) {
  add_text(out, "{\"$bytes\":\"");
  for (size_t i = 0; i < bytes.n; i++) {
    char hex[3];
    qm_hex(hex, bytes.p + i, 1);
    qm_buf_add(out, hex, 2);
  }
  add_text(out, "\"}");
}

static int add_point(qm_buf *out, qm_slice payload) {
  static const char *const datums[] = {"unknown", "wgs84", "gcj02"};
  uint32_t at[3];
  uint8_t datum;
  qm_cur c;
  qm_cur_init(&c, payload);
  for (int i = 0; i < 3; i++) (void)qm_cur_be32(&c, &at[i]);
  (void)qm_cur_byte(&c, &datum);
  QM_TRY(qm_cur_end(&c));
  if (datum >= sizeof datums / sizeof datums[0]) return QM_ERANGE;
  add_text(out, "{\"$point\":[");
  for (int i = 0; i < 2; i++) {
    double tenth_micro = at[i] < 0x80000000u ? (double)at[i] : (double)at[i] - 4294967296.0;
    qm_json_f64(out, tenth_micro / 1e7);
    qm_buf_byte(out, ',');
  }
  qm_json_f64(out, at[2] / 10.0);
  add_text(out, ",\"");
  add_text(out, datums[datum]);
  add_text(out, "\"]}");
  return QM_OK;
}

static int add_ext(qm_buf *out, const qm_mp_token *t) {
  if (t->ext == QM_EXT_POINT) return add_point(out, t->span);
  if (t->ext != QM_EXT_SEALED && t->ext != QM_EXT_ERASED) return QM_ETYPE;
  add_text(out, t->ext == QM_EXT_SEALED ? "{\"$sealed\":true}" : "{\"$erased\":true}");
  return QM_OK;
}

static int add_value(qm_buf *out, qm_cur *c, unsigned depth);

/* `count` elements of an array, or pairs of a map. */
static int add_container(qm_buf *out, qm_cur *c, unsigned depth, uint64_t count, int is_map) {
  if (depth == QM_VALUE_DEPTH) return QM_EDEPTH;
  qm_buf_byte(out, is_map ? '{' : '[');
  for (uint64_t i = 0; i < count; i++) {
    if (i) qm_buf_byte(out, ',');
    if (is_map) {
      qm_slice key;
      QM_TRY(qm_cur_str(c, &key));
      qm_json_str(out, key);
      qm_buf_byte(out, ':');
    }
    QM_TRY(add_value(out, c, depth + 1));
  }
  qm_buf_byte(out, is_map ? '}' : ']');
  return QM_OK;
}

/* Recursion ends at QM_VALUE_DEPTH. */
static int add_value(qm_buf *out, qm_cur *c, unsigned depth) {
  qm_mp_token t;
  QM_TRY(qm_cur_token(c, &t));
  switch (t.type) {
    case QM_MP_NIL: add_text(out, "null"); return QM_OK;
    case QM_MP_BOOL: add_text(out, t.u ? "true" : "false"); return QM_OK;
    case QM_MP_UINT:
    case QM_MP_NINT: add_integer(out, &t); return QM_OK;
    case QM_MP_F64: qm_json_f64(out, t.f); return QM_OK;
    case QM_MP_STR: qm_json_str(out, t.span); return QM_OK;
    case QM_MP_BIN: add_bytes(out, t.span); return QM_OK;
    case QM_MP_ARRAY:
    case QM_MP_MAP: return add_container(out, c, depth, t.u, t.type == QM_MP_MAP);
    case QM_MP_EXT: return add_ext(out, &t);
    default: return QM_EINTERNAL;
  }
}

int qm_value_json(qm_buf *out, qm_slice v) {
  qm_cur c;
  qm_cur_init(&c, v);
  QM_TRY(add_value(out, &c, 0));
  QM_TRY(qm_cur_end(&c));
  return qm_buf_status(out);
}
