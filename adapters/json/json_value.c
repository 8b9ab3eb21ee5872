#include "adapters/json/json_value.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/value.h"

static int put(qm_buf *out, const json_t *j, unsigned depth);

static int key_cmp(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keys in bytewise order, as a canonical map has them. jansson refuses NUL in keys. */
static int put_object(qm_buf *out, const json_t *j, unsigned depth) {
  size_t n = json_object_size(j), i = 0;
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

static int put(qm_buf *out, const json_t *j, unsigned depth) {
  if (depth > QM_VALUE_DEPTH) return QM_EDEPTH;
  switch (json_typeof(j)) {
    case JSON_NULL: qm_mp_nil(out); break;
    case JSON_TRUE: qm_mp_bool(out, 1); break;
    case JSON_FALSE: qm_mp_bool(out, 0); break;
    case JSON_INTEGER: qm_mp_int(out, json_integer_value(j)); break;
    case JSON_REAL: qm_mp_f64(out, json_real_value(j)); break;
    case JSON_STRING: qm_mp_str(out, json_string_value(j), json_string_length(j)); break;
    case JSON_ARRAY:
      qm_mp_array(out, json_array_size(j));
      for (size_t i = 0; i < json_array_size(j); i++)
        QM_TRY(put(out, json_array_get(j, i), depth + 1));
      break;
    case JSON_OBJECT: return put_object(out, j, depth);
  }
  return qm_buf_status(out);
}

static int parse(qm_slice text, json_t **out, qm_error *e) {
  json_error_t error;
  size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
  *out = json_loadb((const char *)text.p, text.n, flags, &error);
  if (*out) return QM_OK;
  int code = json_error_code(&error);
  int rc = code == json_error_out_of_memory      ? QM_ENOMEM
           : code == json_error_invalid_utf8     ? QM_EUTF8
           : code == json_error_numeric_overflow ? QM_ERANGE
                                                 : QM_EFORMAT;
  return qm_fail(e, rc, "JSON: %s at column %d", error.text, error.column);
}

int qm_json_value(qm_buf *out, qm_slice text, qm_error *e) {
  json_t *j;
  QM_TRY(parse(text, &j, e));
  int rc = put(out, j, 0);
  json_decref(j);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "JSON: %s", qm_err_text(rc));
}

int qm_json_object(const qm_env *env, qm_slice text, qm_json_member visit, void *payload,
                   qm_error *e) {
  json_t *j;
  qm_buf value;
  QM_TRY(parse(text, &j, e));
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
