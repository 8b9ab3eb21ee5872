/* handle_json.c: JSON text to values. A reader of its own because what comes in must be
 * canonical MessagePack in the end: keys sorted, integers where the number is one, points
 * and bytes in the forms that core/value.h prints. Depth is bounded, so it may recurse. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/norm.h"

#define NUMBER_TEXT_MAX 400u

typedef struct json_in {
  const uint8_t *at, *end;
  qm_arena *arena;
} json_in;

/* ---- numbers ---- */

/* As JSON writes them: strtod alone would take "inf", "0x1" and " 1" too. */
static int number_form(qm_slice t, int *whole) {
  size_t i = 0, from;
  *whole = 1;
  if (i < t.n && t.p[i] == '-') i++;
  from = i;
  while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9') i++;
  if (i == from || (t.p[from] == '0' && i > from + 1)) return QM_EFORMAT;
  if (i < t.n && t.p[i] == '.') {
    *whole = 0;
    from = ++i;
    while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9') i++;
    if (i == from) return QM_EFORMAT;
  }
  if (i < t.n && (t.p[i] == 'e' || t.p[i] == 'E')) {
    *whole = 0;
    i++;
    if (i < t.n && (t.p[i] == '+' || t.p[i] == '-')) i++;
    from = i;
    while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9') i++;
    if (i == from) return QM_EFORMAT;
  }
  return i == t.n ? QM_OK : QM_EFORMAT;
}

/* The app may have set a locale with a decimal comma: this thread reads in "C" for a moment. */
int qm__handle_double(qm_slice text, double *out) {
  char copy[NUMBER_TEXT_MAX];
  int whole;
  QM_TRY(number_form(text, &whole));
  if (text.n >= sizeof copy) return QM_ERANGE;
  memcpy(copy, text.p, text.n);
  copy[text.n] = 0;
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c == (locale_t)0) return QM_ENOMEM;
  locale_t old = uselocale(c);
  *out = strtod(copy, NULL);
  uselocale(old);
  freelocale(c);
  return isfinite(*out) ? QM_OK : QM_ERANGE;
}

/* QM_ERANGE beyond int64. Digits only, after a sign. */
static int read_integer(qm_slice t, int64_t *out) {
  int negative = t.p[0] == '-';
  uint64_t v = 0, most = (uint64_t)INT64_MAX + (unsigned)negative;
  for (size_t i = (size_t)negative; i < t.n; i++) {
    unsigned digit = t.p[i] - (unsigned)'0';
    if (v > (most - digit) / 10) return QM_ERANGE;
    v = v * 10 + digit;
  }
  *out = !negative ? (int64_t)v : v ? -(int64_t)(v - 1) - 1 : 0;
  return QM_OK;
}

int qm__handle_delta(qm_slice text, int64_t *out) {
  int whole;
  if (text.n > 1 && text.p[0] == '+') text = qm_slice_of(text.p + 1, text.n - 1);
  QM_TRY(number_form(text, &whole));
  return whole ? read_integer(text, out) : QM_EFORMAT;
}

/* 3 and 3.0 are one number to whoever types them, so they are one value here. */
int qm__handle_number_value(qm_buf *out, qm_slice text) {
  double v;
  int64_t i;
  int whole;
  QM_TRY(number_form(text, &whole));
  if (whole && read_integer(text, &i) == QM_OK) {
    qm_mp_int(out, i);
    return QM_OK;
  }
  QM_TRY(qm__handle_double(text, &v));
  if (v >= -9007199254740992.0 && v <= 9007199254740992.0) {
    i = (int64_t)v;
    if (!((double)i < v) && !((double)i > v)) {
      qm_mp_int(out, i);
      return QM_OK;
    }
  }
  qm_mp_f64(out, v);
  return QM_OK;
}

static int read_number(json_in *in, qm_buf *out) {
  const uint8_t *from = in->at;
  while (in->at < in->end && *in->at != ',' && *in->at != ']' && *in->at != '}' && *in->at != ' ' &&
         *in->at != '\t' && *in->at != '\n' && *in->at != '\r')
    in->at++;
  return qm__handle_number_value(out, qm_slice_of(from, (size_t)(in->at - from)));
}

/* Without libm, which nothing else here needs. Beyond 2^53 every double is whole. */
double qm__handle_round(double v) {
  if (!(v > -9007199254740992.0 && v < 9007199254740992.0)) return v;
  return (double)(int64_t)(v < 0 ? v - 0.5 : v + 0.5);
}

/* ---- strings ---- */

static void skip_blanks(json_in *in) {
  while (in->at < in->end &&
         (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
    in->at++;
}

static int read_hex4(json_in *in, uint32_t *out) {
  uint8_t b[2];
  if (in->end - in->at < 4 || qm_unhex(b, 2, (const char *)in->at, 4) != QM_OK) return QM_EFORMAT;
  in->at += 4;
  *out = (uint32_t)b[0] << 8 | b[1];
  return QM_OK;
}

static size_t put_utf8(uint8_t *to, uint32_t c) {
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n; i-- > 1; c >>= 6) to[i] = (uint8_t)(0x80 | (c & 63));
  to[0] = (uint8_t)(lead[n] | c);
  return n;
}

static int read_escape(json_in *in, uint8_t *to, size_t *n) {
  static const char from[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) return QM_EFORMAT;
  uint8_t letter = *in->at++;
  const char *found = letter ? strchr(from, letter) : NULL;
  if (found) {
    to[0] = (uint8_t)plain[found - from];
    *n = 1;
    return QM_OK;
  }
  uint32_t c, low;
  if (letter != 'u') return QM_EFORMAT;
  QM_TRY(read_hex4(in, &c));
  if (c >= 0xDC00 && c < 0xE000) return QM_EUTF8;
  if (c >= 0xD800 && c < 0xDC00) {
    if (in->end - in->at < 2 || in->at[0] != '\\' || in->at[1] != 'u') return QM_EUTF8;
    in->at += 2;
    QM_TRY(read_hex4(in, &low));
    if (low < 0xDC00 || low >= 0xE000) return QM_EUTF8;
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }
  *n = put_utf8(to, c);
  return QM_OK;
}

/* The text of a string; at stands behind the opening quote. An escape is never shorter than
 * what it stands for, so the rest of the input bounds the result. */
static int read_string(json_in *in, qm_slice *out) {
  size_t n = 0, len;
  const uint8_t *close = in->at;
  while (close < in->end && *close != '"') close += *close == '\\' && close + 1 < in->end ? 2 : 1;
  if (close >= in->end) return QM_EFORMAT;
  uint8_t *to = qm_arena_alloc(in->arena, (size_t)(close - in->at));
  if (!to) return QM_ENOMEM;
  while (in->at < close) {
    uint8_t c = *in->at++;
    if (c < 0x20) return QM_EFORMAT;
    if (c != '\\') {
      to[n++] = c;
      continue;
    }
    QM_TRY(read_escape(in, to + n, &len));
    n += len;
  }
  in->at = close + 1;
  *out = qm_slice_of(to, n);
  return qm_utf8_check(*out, NULL) ? QM_OK : QM_EUTF8;
}

/* ---- containers ---- */

typedef struct member {
  qm_slice key, value;
} member;

static int read_value(json_in *in, qm_buf *out, unsigned depth);

/* A value as bytes in the arena. */
static int read_element(json_in *in, const qm_env *env, unsigned depth, qm_slice *out) {
  qm_buf b;
  qm_buf_init(&b, env, QM_VALUE_MAX);
  int rc = read_value(in, &b, depth);
  if (rc == QM_OK) rc = qm_buf_status(&b) == QM_ELIMIT ? QM_EOVERSIZE : qm_buf_status(&b);
  uint8_t *copy = rc == QM_OK ? qm_arena_copy(in->arena, b.p, b.n) : NULL;
  if (rc == QM_OK && !copy) rc = QM_ENOMEM;
  *out = qm_slice_of(copy, b.n);
  qm_buf_free(&b);
  return rc;
}

static int by_name(const void *a, const void *b) {
  return qm_slice_cmp(((const member *)a)->key, ((const member *)b)->key);
}

static int is_key(const member *m, const char *key) {
  return qm_slice_cmp(m->key, qm_str(key)) == 0;
}

static int put_bytes(qm_buf *out, qm_arena *arena, qm_slice value) {
  qm_cur c;
  qm_slice hex;
  qm_cur_init(&c, value);
  if (qm_cur_str(&c, &hex) != QM_OK) return QM_EFORMAT;
  uint8_t *to = qm_arena_alloc(arena, hex.n / 2 + 1);
  if (!to) return QM_ENOMEM;
  QM_TRY(qm_unhex(to, hex.n / 2, (const char *)hex.p, hex.n));
  qm_mp_bin(out, to, hex.n / 2);
  return QM_OK;
}

static int read_coordinate(qm_cur *c, double scale, double *out) {
  qm_mp_token t;
  QM_TRY(qm_cur_token(c, &t));
  if (t.type == QM_MP_UINT)
    *out = (double)t.u;
  else if (t.type == QM_MP_NINT)
    *out = (double)t.i;
  else if (t.type == QM_MP_F64)
    *out = t.f;
  else
    return QM_ETYPE;
  *out = qm__handle_round(*out * scale);
  return QM_OK;
}

/* {"$point":[lat,lon,accuracy,"wgs84"]}, as printed. */
static int put_point(qm_buf *out, qm_slice value) {
  static const char *const datums[] = {"unknown", "wgs84", "gcj02"};
  double at[3];
  uint8_t datum = 3;
  qm_slice word;
  qm_cur c;
  qm_buf b;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_array_n(&c, 4));
  for (int i = 0; i < 3; i++) QM_TRY(read_coordinate(&c, i < 2 ? 1e7 : 10.0, &at[i]));
  QM_TRY(qm_cur_str(&c, &word));
  for (uint8_t i = 0; i < 3; i++)
    if (qm_slice_cmp(word, qm_str(datums[i])) == 0) datum = i;
  if (datum == 3) return QM_EFORMAT;
  if (!(at[0] >= -9e8 && at[0] <= 9e8 && at[1] >= -18e8 && at[1] <= 18e8 && at[2] >= 0 &&
        at[2] <= 4294967295.0))
    return QM_ERANGE;
  qm_buf_init(&b, out->env, 16);
  for (int i = 0; i < 2; i++) qm_buf_be32(&b, (uint32_t)(int32_t)at[i]);
  qm_buf_be32(&b, (uint32_t)at[2]);
  qm_buf_byte(&b, datum);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) qm_mp_ext(out, QM_EXT_POINT, b.p, b.n);
  qm_buf_free(&b);
  return rc;
}

static int put_object(json_in *in, qm_buf *out, member *m, size_t n) {
  if (n == 1 && is_key(m, "$bytes")) return put_bytes(out, in->arena, m->value);
  if (n == 1 && is_key(m, "$point")) return put_point(out, m->value);
  if (n == 1 && (is_key(m, "$sealed") || is_key(m, "$erased"))) return QM_ETYPE;
  if (n) qsort(m, n, sizeof *m, by_name);
  qm_mp_map(out, n);
  for (size_t i = 0; i < n; i++) {
    if (i && by_name(&m[i - 1], &m[i]) == 0) return QM_EDUPKEY;
    qm_mp_str(out, m[i].key.p, m[i].key.n);
    qm_mp_raw(out, m[i].value);
  }
  return QM_OK;
}

/* at stands behind the opening bracket or brace. */
static int read_container(json_in *in, qm_buf *out, unsigned depth, int is_object) {
  const uint8_t close = is_object ? '}' : ']';
  member *m = NULL;
  size_t n = 0, cap = 0;
  if (depth >= QM_VALUE_DEPTH) return QM_EDEPTH;
  skip_blanks(in);
  for (int more = in->at == in->end || *in->at != close; more; n++) {
    if (n == cap) {
      m = qm_arena_grow(in->arena, m, cap, cap ? cap * 2 : 8, sizeof *m);
      if (!m) return QM_ENOMEM;
      cap = cap ? cap * 2 : 8;
    }
    skip_blanks(in);
    m[n].key = qm_slice_of(NULL, 0);
    if (is_object) {
      if (in->at == in->end || *in->at++ != '"') return QM_EFORMAT;
      QM_TRY(read_string(in, &m[n].key));
      skip_blanks(in);
      if (in->at == in->end || *in->at++ != ':') return QM_EFORMAT;
    }
    QM_TRY(read_element(in, out->env, depth + 1, &m[n].value));
    skip_blanks(in);
    if (in->at == in->end) return QM_EFORMAT;
    more = *in->at == ',';
    if (more) in->at++;
  }
  if (in->at == in->end || *in->at++ != close) return QM_EFORMAT;
  if (is_object) return put_object(in, out, m, n);
  qm_mp_array(out, n);
  for (size_t i = 0; i < n; i++) qm_mp_raw(out, m[i].value);
  return QM_OK;
}

static int read_word(json_in *in, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(in->end - in->at) < n || memcmp(in->at, word, n) != 0) return QM_EFORMAT;
  in->at += n;
  return QM_OK;
}

static int read_value(json_in *in, qm_buf *out, unsigned depth) {
  qm_slice text;
  skip_blanks(in);
  if (in->at == in->end) return QM_EFORMAT;
  switch (*in->at) {
    case '{':
    case '[': in->at++; return read_container(in, out, depth, in->at[-1] == '{');
    case '"':
      in->at++;
      QM_TRY(read_string(in, &text));
      qm_mp_str(out, text.p, text.n);
      return QM_OK;
    case 'n': qm_mp_nil(out); return read_word(in, "null");
    case 't': qm_mp_bool(out, 1); return read_word(in, "true");
    case 'f': qm_mp_bool(out, 0); return read_word(in, "false");
    default: return read_number(in, out);
  }
}

int qm__handle_json_value(qm_buf *out, qm_slice json, qm_arena *arena) {
  json_in in = {json.p, json.n ? json.p + json.n : json.p, arena};
  if (json.n > 8u * QM_VALUE_MAX) return QM_EOVERSIZE;
  QM_TRY(read_value(&in, out, 0));
  skip_blanks(&in);
  if (in.at != in.end) return QM_ETRAILING;
  QM_TRY(qm_buf_status(out) == QM_ELIMIT ? QM_EOVERSIZE : qm_buf_status(out));
  return qm_value_check(qm_buf_slice(out));
}
