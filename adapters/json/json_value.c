#include "adapters/json/json_value.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/mp.h"
#include "core/value.h"

static int put(qm_buf *out, const json_t *j, unsigned depth);

static int key_cmp(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* --- the forms of bytes and points, as core/value.h prints them --- */

static int put_bytes(qm_buf *out, const json_t *hex) {
  if (!json_is_string(hex)) return QM_EFORMAT;
  size_t n = json_string_length(hex) / 2;
  uint8_t *to = qm_alloc(out->env, n + 1);
  if (!to) return QM_ENOMEM;
  int rc = qm_unhex(to, n, json_string_value(hex), json_string_length(hex));
  if (rc == QM_OK) qm_mp_bin(out, to, n);
  qm_free(out->env, to);
  return rc;
}

/* Rounded half away from zero; without libm, which nothing else here needs. */
static double rounded(double v) {
  if (!(v > -9007199254740992.0 && v < 9007199254740992.0)) return v;
  return (double)(int64_t)(v < 0 ? v - 0.5 : v + 0.5);
}

/* {"$point":[lat,lon,accuracy,"wgs84"]} */
static int put_point(qm_buf *out, const json_t *j) {
  static const char *const datums[] = {"unknown", "wgs84", "gcj02"};
  double at[3];
  uint8_t bytes[13], datum = 3;
  if (!json_is_array(j) || json_array_size(j) != 4) return QM_EFORMAT;
  const char *word = json_string_value(json_array_get(j, 3));
  for (size_t i = 0; i < 3; i++) {
    const json_t *n = json_array_get(j, i);
    if (!json_is_number(n)) return QM_ETYPE;
    at[i] = rounded(json_number_value(n) * (i < 2 ? 1e7 : 10.0));
    if (word && strcmp(word, datums[i]) == 0) datum = (uint8_t)i;
  }
  if (datum == 3) return QM_EFORMAT;
  if (!(at[0] >= -9e8 && at[0] <= 9e8 && at[1] >= -18e8 && at[1] <= 18e8 && at[2] >= 0 &&
        at[2] <= 4294967295.0))
    return QM_ERANGE;
  for (int i = 0; i < 3; i++) {
    uint32_t u = i < 2 ? (uint32_t)(int32_t)at[i] : (uint32_t)at[i];
    for (int k = 0; k < 4; k++) bytes[4 * i + k] = (uint8_t)(u >> (24 - 8 * k));
  }
  bytes[12] = datum;
  qm_mp_ext(out, QM_EXT_POINT, bytes, sizeof bytes);
  return QM_OK;
}

/* *done = 1 where the object was one of the special forms. */
static int put_special(qm_buf *out, const json_t *j, int *done) {
  const json_t *v;
  *done = json_object_size(j) == 1;
  if (!*done) return QM_OK;
  if ((v = json_object_get(j, "$bytes"))) return put_bytes(out, v);
  if ((v = json_object_get(j, "$point"))) return put_point(out, v);
  if (json_object_get(j, "$sealed") || json_object_get(j, "$erased")) return QM_ETYPE;
  *done = 0;
  return QM_OK;
}

/* 3 and 3.0 are one number to whoever writes them, so they are one value here; beyond 2^53
 * a float stands for many integers. */
static void put_real(qm_buf *out, double v) {
  int exact = v >= -9007199254740992.0 && v <= 9007199254740992.0;
  int64_t i = exact ? (int64_t)v : 0;
  if (exact && !((double)i < v) && !((double)i > v))
    qm_mp_int(out, i);
  else
    qm_mp_f64(out, v);
}

/* Keys in bytewise order, as a canonical map has them. jansson refuses NUL in keys. */
static int put_object(qm_buf *out, const json_t *j, unsigned depth) {
  size_t n = json_object_size(j), i = 0;
  int done;
  QM_TRY(put_special(out, j, &done));
  if (done) return QM_OK;
  if (depth == QM_VALUE_DEPTH) return QM_EDEPTH;
  const char **keys = qm_alloc_array(out->env, n + 1, sizeof *keys);
  int rc = QM_OK;
  if (!keys) return QM_ENOMEM;
  for (void *it = json_object_iter((json_t *)(uintptr_t)j); it;
       it = json_object_iter_next((json_t *)(uintptr_t)j, it))
    keys[i++] = json_object_iter_key(it);
  qsort(keys, n, sizeof *keys, key_cmp);
  qm_mp_map(out, n);
  for (i = 0; i < n && rc == QM_OK; i++) {
    qm_mp_str(out, keys[i], strlen(keys[i]));
    rc = put(out, json_object_get(j, keys[i]), depth + 1);
  }
  qm_free(out->env, keys);
  return rc;
}

/* Recursion ends at QM_VALUE_DEPTH containers; bytes and points look like objects and are none. */
static int put(qm_buf *out, const json_t *j, unsigned depth) {
  switch (json_typeof(j)) {
    case JSON_NULL: qm_mp_nil(out); break;
    case JSON_TRUE: qm_mp_bool(out, 1); break;
    case JSON_FALSE: qm_mp_bool(out, 0); break;
    case JSON_INTEGER: qm_mp_int(out, json_integer_value(j)); break;
    case JSON_REAL: put_real(out, json_real_value(j)); break;
    case JSON_STRING: qm_mp_str(out, json_string_value(j), json_string_length(j)); break;
    case JSON_ARRAY:
      if (depth == QM_VALUE_DEPTH) return QM_EDEPTH;
      qm_mp_array(out, json_array_size(j));
      for (size_t i = 0; i < json_array_size(j); i++)
        QM_TRY(put(out, json_array_get(j, i), depth + 1));
      break;
    case JSON_OBJECT: return put_object(out, j, depth);
  }
  return qm_buf_status(out);
}

/* An integer of more than 64 bits; `n` bytes from p. */
static int beyond_int64(const uint8_t *p, size_t n) {
  static const char limits[2][20] = {"9223372036854775807", "9223372036854775808"};
  int negative = n && *p == '-';
  p += negative;
  n -= (size_t)negative;
  for (size_t i = 0; i < n; i++)
    if (p[i] < '0' || p[i] > '9') return 0;
  return n > 19 || (n == 19 && memcmp(p, limits[negative], 19) > 0);
}

/* jansson refuses such an integer; to us, as to ECMAScript, whose way of writing large
 * floats is ours, it is a float. So it gets a point. */
static void put_points(qm_buf *out, qm_slice text) {
  size_t i = 0, from;
  while (i < text.n) {
    from = i;
    if (text.p[i] == '"') {
      for (i++; i < text.n && text.p[i] != '"'; i++)
        if (text.p[i] == '\\' && i + 1 < text.n) i++;
      if (i < text.n) i++;
    } else {
      while (i < text.n && text.p[i] && strchr("+-.0123456789Ee", text.p[i])) i++;
      if (i == from) i++;
    }
    qm_buf_add(out, text.p + from, i - from);
    if (beyond_int64(text.p + from, i - from)) qm_buf_add(out, ".0", 2);
  }
}

static json_t *load(qm_slice text, json_error_t *error) {
  size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
  return json_loadb((const char *)text.p, text.n, flags, error);
}

static int parse(const qm_env *env, qm_slice text, json_t **out, qm_error *e) {
  json_error_t error;
  *out = load(text, &error);
  if (!*out && json_error_code(&error) == json_error_numeric_overflow) {
    qm_buf again;
    qm_buf_init(&again, env, SIZE_MAX / 2);
    put_points(&again, text);
    int whole = qm_buf_status(&again) == QM_OK;
    if (whole) *out = load(qm_buf_slice(&again), &error);
    qm_buf_free(&again);
    if (!whole) return QM_ENOMEM;
  }
  if (*out) return QM_OK;
  int rc;
  switch (json_error_code(&error)) {
    case json_error_out_of_memory: rc = QM_ENOMEM; break;
    case json_error_invalid_utf8: rc = QM_EUTF8; break;
    case json_error_numeric_overflow: rc = QM_ERANGE; break;
    case json_error_duplicate_key: rc = QM_EDUPKEY; break;
    case json_error_stack_overflow: rc = QM_EDEPTH; break;
    case json_error_end_of_input_expected: rc = QM_ETRAILING; break;
    default: rc = QM_EFORMAT;
  }
  return qm_fail(e, rc, "JSON: %s at column %d", error.text, error.column);
}

int qm_json_value(qm_buf *out, qm_slice text, qm_error *e) {
  json_t *j;
  QM_TRY(parse(out->env, text, &j, e));
  int rc = put(out, j, 0);
  json_decref(j);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "JSON: %s", qm_err_text(rc));
}

int qm_json_object(const qm_env *env, qm_slice text, qm_json_member visit, void *payload,
                   qm_error *e) {
  json_t *j;
  qm_buf value;
  QM_TRY(parse(env, text, &j, e));
  int rc = json_is_object(j) ? QM_OK : QM_EFORMAT;
  qm_buf_init(&value, env, 1u << 20);
  for (void *it = json_object_iter(j); it && rc == QM_OK; it = json_object_iter_next(j, it)) {
    const char *key = json_object_iter_key(it);
    qm_buf_clear(&value);
    rc = put(&value, json_object_iter_value(it), 0);
    if (rc == QM_OK) rc = visit(payload, qm_slice_of(key, strlen(key)), qm_buf_slice(&value));
  }
  qm_buf_free(&value);
  json_decref(j);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "JSON object: %s", qm_err_text(rc));
}

int qm_json_array(const qm_env *env, qm_slice text, qm_json_item visit, void *payload,
                  qm_error *e) {
  json_t *j;
  qm_buf value;
  QM_TRY(parse(env, text, &j, e));
  int rc = json_is_array(j) ? QM_OK : QM_EFORMAT;
  qm_buf_init(&value, env, 1u << 20);
  for (size_t i = 0; i < json_array_size(j) && rc == QM_OK; i++) {
    qm_buf_clear(&value);
    rc = put(&value, json_array_get(j, i), 0);
    if (rc == QM_OK) rc = visit(payload, qm_buf_slice(&value));
  }
  qm_buf_free(&value);
  json_decref(j);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "JSON array: %s", qm_err_text(rc));
}
