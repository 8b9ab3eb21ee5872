/* Values: order, JSON for people, and the way back. Input of `value`: two pieces with their
 * length before them, a third without. */
#include <string.h>

#include "adapters/json/json_value.h"
#include "core/schema.h"
#include "core/value.h"
#include "tests/fuzz/fuzz.h"

/* What JSON cannot say apart: floats that are integers, sealed and erased values, and maps
 * that look like the forms for bytes and points. */
static void look(qm_slice v, int *sealed, int *plain) {
  qm_cur c;
  qm_mp_token t;
  *sealed = 0;
  *plain = 1;
  qm_cur_init(&c, v);
  while (qm_cur_left(&c)) {
    FUZZ_OK(qm_cur_token(&c, &t));
    if (t.type == QM_MP_F64) *plain = 0;
    if (t.type == QM_MP_EXT && t.ext != QM_EXT_POINT) *sealed = 1;
    if (t.type == QM_MP_STR && t.span.n && t.span.p[0] == '$') *sealed = 1;
  }
}

/* What is printed reads as a value, the same where JSON can say it. */
static void through_json(qm_slice v) {
  int sealed, plain;
  qm_buf json, back, again, last;
  qm_error e = {0, ""};
  qm_buf_init(&json, fuzz_env(), SIZE_MAX / 2);
  qm_buf_init(&back, fuzz_env(), SIZE_MAX / 2);
  qm_buf_init(&again, fuzz_env(), SIZE_MAX / 2);
  qm_buf_init(&last, fuzz_env(), SIZE_MAX / 2);
  FUZZ_OK(qm_value_json(&json, v));
  FUZZ_OK(qm_buf_status(&json));
  look(v, &sealed, &plain);
  int rc = qm_json_value(&back, qm_buf_slice(&json), &e);
  if (rc != QM_OK && strstr(e.message, "NUL byte in object key")) sealed = 1; /* never typed */
  if (rc != QM_OK && !sealed) fuzz_fail(__FILE__, __LINE__, "a value as JSON", e.message);
  if (!sealed && plain) FUZZ_SAME(qm_buf_slice(&back), v);
  if (rc == QM_OK && !sealed && qm_value_check(qm_buf_slice(&back)) == QM_OK) {
    FUZZ_OK(qm_value_json(&again, qm_buf_slice(&back)));
    FUZZ_OK(qm_json_value(&last, qm_buf_slice(&again), &e));
    FUZZ_SAME(qm_buf_slice(&last), qm_buf_slice(&back));
  }
  qm_buf_free(&json);
  qm_buf_free(&back);
  qm_buf_free(&again);
  qm_buf_free(&last);
}

static int sign(int v) { return (v > 0) - (v < 0); }

void fuzz_value(qm_slice in) {
  qm_slice v[3];
  int good = 1;
  v[0] = fuzz_piece(&in);
  v[1] = fuzz_piece(&in);
  v[2] = in;
  for (int i = 0; i < 3; i++)
    if (qm_value_check(v[i]) != QM_OK) good = 0;
    else through_json(v[i]);
  if (!good) return;
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++) {
      int c = sign(qm_value_cmp(v[i], v[k]));
      FUZZ_CHECK(c == -sign(qm_value_cmp(v[k], v[i])));
      FUZZ_CHECK((c == 0) == (qm_slice_cmp(v[i], v[k]) == 0));
    }
  for (int i = 0; i < 3; i++) {
    int a = i, b = (i + 1) % 3, c = (i + 2) % 3;
    if (qm_value_cmp(v[a], v[b]) < 0 && qm_value_cmp(v[b], v[c]) < 0)
      FUZZ_CHECK(qm_value_cmp(v[a], v[c]) < 0);
  }
}

static int member(void *payload, qm_slice key, qm_slice value) {
  (void)key;
  ++*(uint32_t *)payload;
  qm_cur c;
  qm_slice all;
  qm_cur_init(&c, value);
  FUZZ_OK(qm_cur_value(&c, QM_VALUE_DEPTH + 1, &all));
  return qm_cur_end(&c);
}

void fuzz_json_value(qm_slice in) {
  qm_buf out, key;
  uint32_t members = 0;
  qm_error e = {0, ""};
  qm_buf_init(&out, fuzz_env(), SIZE_MAX / 2);
  qm_buf_init(&key, fuzz_env(), SIZE_MAX / 2);
  if (qm_json_value(&out, in, &e) == QM_OK) {
    if (out.n <= QM_VALUE_MAX) {
      FUZZ_OK(qm_value_check(qm_buf_slice(&out)));
      through_json(qm_buf_slice(&out));
    }
  } else {
    FUZZ_CHECK(e.message[0]);
  }
  (void)qm_json_object(fuzz_env(), in, member, &members, &e);
  if (qm_utf8_check(in, NULL)) {
    FUZZ_OK(qm_norm_key(&key, in, in.n & 1 ? QM_NORM_EXACT : QM_NORM_CASEFOLD));
    FUZZ_CHECK(qm_utf8_check(qm_buf_slice(&key), NULL));
    (void)qm_text_columns(in);
  }
  qm_buf_free(&key);
  qm_buf_free(&out);
}
