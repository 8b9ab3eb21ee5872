#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "core/cur.h"
#include "core/mp.h"
#include "tests/unit/support_alloc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void setup(qm_buf *b, qm_env *env) {
  *env = qm_env_default();
  qm_buf_init(b, env, 1 << 20);
}

static void assert_bytes(qm_buf *b, const void *want, size_t n) {
  assert_int_equal(qm_buf_status(b), QM_OK);
  assert_int_equal(b->n, n);
  assert_memory_equal(b->p, want, n);
  qm_buf_clear(b);
}

#define WANT(b, bytes) assert_bytes(b, bytes, sizeof(bytes) - 1)

static void scalars(void **state) {
  qm_env env;
  qm_buf b;
  (void)state;
  setup(&b, &env);
  qm_mp_nil(&b);
  qm_mp_bool(&b, 0);
  qm_mp_bool(&b, 1);
  qm_mp_bool(&b, -5);
  WANT(&b, "\xc0\xc2\xc3\xc3");
  qm_mp_f64(&b, 1.5);
  WANT(&b, "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00");
  qm_mp_f64(&b, -0.0);
  WANT(&b, "\xcb\x00\x00\x00\x00\x00\x00\x00\x00");
  qm_mp_f64(&b, INFINITY);
  WANT(&b, "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00");
  qm_buf_free(&b);
}

static void nan_sticks(void **state) {
  qm_env env;
  qm_buf b;
  (void)state;
  setup(&b, &env);
  qm_mp_nil(&b);
  qm_mp_f64(&b, NAN);
  qm_mp_nil(&b);
  assert_int_equal(qm_buf_status(&b), QM_ERANGE);
  assert_int_equal(b.n, 1);
  qm_buf_free(&b);
}

/* Around every border, written and read again: cur takes the shortest form only. */
static void integers_take_their_shortest_form(void **state) {
  static const struct {
    uint64_t v;
    size_t n;
  } uints[] = {{0, 1},         {127, 1},        {128, 2},
               {255, 2},       {256, 3},        {65535, 3},
               {65536, 5},     {UINT32_MAX, 5}, {UINT64_C(1) << 32, 9},
               {INT64_MAX, 9}, {UINT64_MAX, 9}};
  static const struct {
    int64_t v;
    size_t n;
  } ints[] = {{0, 1},         {127, 1},
              {128, 2},       {65536, 5},
              {INT64_MAX, 9}, {-1, 1},
              {-32, 1},       {-33, 2},
              {-128, 2},      {-129, 3},
              {-32768, 3},    {-32769, 5},
              {INT32_MIN, 5}, {-INT64_C(2147483649), 9},
              {INT64_MIN, 9}};
  qm_env env;
  qm_buf b;
  (void)state;
  setup(&b, &env);
  for (size_t i = 0; i < COUNT(uints); i++) {
    uint64_t u;
    qm_cur c;
    qm_buf_clear(&b);
    qm_mp_uint(&b, uints[i].v);
    assert_int_equal(b.n, uints[i].n);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_cur_uint(&c, &u), QM_OK);
    assert_true(u == uints[i].v);
    assert_int_equal(qm_cur_end(&c), QM_OK);
  }
  for (size_t i = 0; i < COUNT(ints); i++) {
    int64_t v;
    qm_cur c;
    qm_buf_clear(&b);
    qm_mp_int(&b, ints[i].v);
    assert_int_equal(b.n, ints[i].n);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_cur_int(&c, &v), QM_OK);
    assert_true(v == ints[i].v);
    assert_int_equal(qm_cur_end(&c), QM_OK);
  }
  qm_buf_free(&b);
}

/* Every length around the borders of the headers, through cur. */
static void lengths_take_their_shortest_header(void **state) {
  static const size_t sizes[] = {0,  1,  2,  3,  4,   5,   7,   8,     9,     15,   16,
                                 17, 31, 32, 33, 255, 256, 257, 65535, 65536, 65537};
  static uint8_t payload[65537];
  qm_env env;
  qm_buf b;
  (void)state;
  setup(&b, &env);
  memset(payload, 'q', sizeof payload);
  for (size_t i = 0; i < COUNT(sizes); i++) {
    size_t n = sizes[i];
    qm_mp_token t;
    qm_cur c;
    qm_buf_clear(&b);
    qm_mp_str(&b, payload, n);
    qm_mp_bin(&b, payload, n);
    qm_mp_ext(&b, -7, payload, n);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_cur_token(&c, &t), QM_OK);
    assert_true(t.type == QM_MP_STR && t.span.n == n);
    assert_int_equal(qm_cur_token(&c, &t), QM_OK);
    assert_true(t.type == QM_MP_BIN && t.span.n == n);
    assert_int_equal(qm_cur_token(&c, &t), QM_OK);
    assert_true(t.type == QM_MP_EXT && t.span.n == n && t.ext == -7);
    if (n) assert_memory_equal(t.span.p, payload, n);
    assert_int_equal(qm_cur_end(&c), QM_OK);
  }
  qm_buf_free(&b);
}

static void counts_take_their_shortest_header(void **state) {
  static const uint32_t counts[] = {0, 1, 15, 16, 17, 65535, 65536};
  qm_env env;
  qm_buf b;
  (void)state;
  setup(&b, &env);
  for (size_t i = 0; i < COUNT(counts); i++) {
    uint32_t n = 9;
    qm_cur c;
    qm_slice s;
    qm_buf_clear(&b);
    qm_mp_array(&b, counts[i]);
    for (size_t k = 0; k < counts[i]; k++) qm_mp_nil(&b);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_cur_array(&c, &n), QM_OK);
    assert_int_equal(n, counts[i]);
    qm_buf_clear(&b);
    qm_mp_map(&b, counts[i]);
    for (size_t k = 0; k < 2 * (size_t)counts[i]; k++) qm_mp_nil(&b);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_cur_map(&c, &n), QM_OK);
    assert_int_equal(n, counts[i]);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_cur_value(&c, 1, &s), QM_OK);
    assert_int_equal(qm_cur_end(&c), QM_OK);
  }
  qm_buf_free(&b);
}

static void raw_is_put_in_as_it_is(void **state) {
  qm_env env;
  qm_buf b;
  (void)state;
  setup(&b, &env);
  qm_mp_array(&b, 2);
  qm_mp_raw(&b, qm_slice_of("\x81\xa1k\x01", 4));
  qm_mp_raw(&b, qm_slice_of(NULL, 0));
  qm_mp_nil(&b);
  WANT(&b, "\x92\x81\xa1k\x01\xc0");
  qm_buf_free(&b);
}

/* msgpack-c would cut these to 32 bits and write a wrong header. */
static void lengths_beyond_32_bits_are_refused(void **state) {
#if SIZE_MAX > UINT32_MAX
  qm_env env;
  qm_buf b;
  size_t huge = (size_t)UINT32_MAX + 1;
  (void)state;
  for (int i = 0; i < 5; i++) {
    setup(&b, &env);
    if (i == 0) qm_mp_array(&b, huge);
    if (i == 1) qm_mp_map(&b, huge);
    if (i == 2) qm_mp_str(&b, "", huge);
    if (i == 3) qm_mp_bin(&b, "", huge);
    if (i == 4) qm_mp_ext(&b, 1, "", huge);
    assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
    assert_int_equal(b.n, 0);
    qm_buf_free(&b);
  }
#else
  (void)state;
#endif
}

static void errors_stick_in_the_buffer(void **state) {
  test_alloc count = {.fail_at = 1};
  qm_env env = test_alloc_env(&count);
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 100);
  qm_mp_str(&b, "name", 4);
  assert_int_equal(qm_buf_status(&b), QM_ENOMEM);
  count.fail_at = 0;
  qm_mp_nil(&b);
  assert_int_equal(b.n, 0);
  qm_buf_free(&b);
  qm_buf_init(&b, &env, 3);
  qm_mp_str(&b, "name", 4);
  qm_mp_nil(&b);
  qm_mp_uint(&b, 1);
  qm_mp_array(&b, 1);
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  qm_buf_free(&b);
  assert_int_equal(count.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scalars),
      cmocka_unit_test(nan_sticks),
      cmocka_unit_test(integers_take_their_shortest_form),
      cmocka_unit_test(lengths_take_their_shortest_header),
      cmocka_unit_test(counts_take_their_shortest_header),
      cmocka_unit_test(raw_is_put_in_as_it_is),
      cmocka_unit_test(lengths_beyond_32_bits_are_refused),
      cmocka_unit_test(errors_stick_in_the_buffer),
  };
  return cmocka_run_group_tests_name("mp", tests, NULL, NULL);
}
