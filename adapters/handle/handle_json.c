/* handle_json.c: numbers as people type them, and values given as JSON. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/json/json_value.h"
#include "core/norm.h"

#define NUMBER_TEXT_MAX 400u

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

/* Without libm, which nothing else here needs. Beyond 2^53 every double is whole. */
double qm__handle_round(double v) {
  if (!(v > -9007199254740992.0 && v < 9007199254740992.0)) return v;
  return (double)(int64_t)(v < 0 ? v - 0.5 : v + 0.5);
}

int qm__handle_json_value(qm_buf *out, qm_slice json) {
  if (json.n > 8u * QM_VALUE_MAX) return QM_EOVERSIZE;
  QM_TRY(qm_json_value(out, json, NULL));
  QM_TRY(qm_buf_status(out) == QM_ELIMIT ? QM_EOVERSIZE : qm_buf_status(out));
  return qm_value_check(qm_buf_slice(out));
}
