/* JSON texts to values, and values through JSON and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/json_value.h"
#include "core/id.h"
#include "core/value.h"
#include "tests/unit/support_alloc.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct {
  const char *json, *hex; /* NULL hex: refused with rc */
  int rc;
} texts[] = {
    {"null", "c0", 0},
    {" [true, false] ", "92c3c2", 0},
    {"3.0", "03", 0},
    {"-0.0", "00", 0},
    {"1.5", "cb3ff8000000000000", 0},
    {"9223372036854775807", "cf7fffffffffffffff", 0},
    {"-9223372036854775808", "d38000000000000000", 0},
    /* Integers beyond int64 are floats, wherever they stand; digits in texts are not. */
    {"9223372036854775808", "cb43e0000000000000", 0},
    {"-9223372036854775809", "cbc3e0000000000000", 0},
    {"18446744073709551616", "cb43f0000000000000", 0},
    {"[36893488147419100000,-1]", "92cb43ffffffffffffffff", 0},
    {"{\"b\":10000000000000000000,\"a\":\"\\\"99999999999999999999\"}",
     "82a161b5223939393939393939393939393939393939393939a162cb43e158e460913d00", 0},
    {"1000000000000000000000000e1", "cb45208b2a2c280291", 0},
    {"1e999", NULL, QM_ERANGE},
    {"[1e999,99999999999999999999]", NULL, QM_ERANGE},
    {"099999999999999999999", NULL, QM_EFORMAT},
    {"99999999999999999999x", NULL, QM_ETRAILING},
    {"[99999999999999999999,\"", NULL, QM_EFORMAT},
    {"[99999999999999999999,\"\\", NULL, QM_EFORMAT},
    {"{\"$bytes\":\"00ff\"}", "c40200ff", 0},
    {"{\"$bytes\":\"0\"}", NULL, QM_EFORMAT},
    {"{\"$sealed\":true}", NULL, QM_ETYPE},
    {"{\"a\":1,\"a\":2}", NULL, QM_EDUPKEY},
    {"[[[[[[[[[1]]]]]]]]]", NULL, QM_EDEPTH},
    {"[[[[[[[[{\"a\":1}]]]]]]]]", NULL, QM_EDEPTH},
    /* Bytes are no container, deep as they may stand. */
    {"[[[[[[[[{\"$bytes\":\"00ff\"}]]]]]]]]", "9191919191919191c40200ff", 0},
    {"", NULL, QM_EFORMAT},
};

static void reads(void **state) {
  qm_env env = qm_env_default();
  (void)state;
  for (size_t i = 0; i < COUNT(texts); i++) {
    qm_buf out;
    qm_error e = {0, ""};
    char hex[256] = "";
    qm_buf_init(&out, &env, QM_VALUE_MAX);
    int rc = qm_json_value(&out, qm_slice_of(texts[i].json, strlen(texts[i].json)), &e);
    if (rc != texts[i].rc) fail_msg("%s: %s (%s)", texts[i].json, qm_err_name(rc), e.message);
    assert_true(rc == QM_OK || e.message[0]);
    if (rc == QM_OK) qm_hex(hex, out.p, out.n);
    if (rc == QM_OK && strcmp(hex, texts[i].hex) != 0) fail_msg("%s: %s", texts[i].json, hex);
    qm_buf_free(&out);
  }
}

/* Every float that is printed is read as the same number. */
static void large_floats_come_back(void **state) {
  static const double values[] = {9223372036854775808.0, -9223372036854775808.0, 1e19, -3e20,
                                  999999999999999900000.0, 1e21, -1.7976931348623157e308};
  qm_env env = qm_env_default();
  (void)state;
  for (size_t i = 0; i < COUNT(values); i++) {
    qm_buf value, json, back;
    qm_error e = {0, ""};
    qm_buf_init(&value, &env, 64);
    qm_buf_init(&json, &env, 64);
    qm_buf_init(&back, &env, 64);
    qm_mp_f64(&value, values[i]);
    assert_int_equal(qm_value_json(&json, qm_buf_slice(&value)), QM_OK);
    if (qm_json_value(&back, qm_buf_slice(&json), &e) != QM_OK) fail_msg("%s", e.message);
    assert_int_equal(qm_slice_cmp(qm_buf_slice(&value), qm_buf_slice(&back)), 0);
    qm_buf_free(&value);
    qm_buf_free(&json);
    qm_buf_free(&back);
  }
}

static void out_of_memory(void **state) {
  static const char text[] = "{\"a\":[1,2,99999999999999999999]}";
  (void)state;
  for (size_t at = 1;; at++) {
    test_alloc counter = {0, 0, 0, at};
    qm_env env = test_alloc_env(&counter);
    qm_buf out;
    qm_buf_init(&out, &env, QM_VALUE_MAX);
    int rc = qm_json_value(&out, qm_slice_of(text, sizeof text - 1), NULL);
    qm_buf_free(&out);
    assert_int_equal(counter.live, 0);
    if (rc == QM_OK) break;
    assert_int_equal(rc, QM_ENOMEM);
    assert_true(at < 100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads),
      cmocka_unit_test(large_floats_come_back),
      cmocka_unit_test(out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
