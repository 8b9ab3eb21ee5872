#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "tests/unit/support_alloc.h"

static void slices_compare_bytewise(void **state) {
  static const struct {
    const char *a, *b;
    int order;
  } rows[] = {{"", "", 0},        {"", "a", -1},    {"a", "", 1},        {"a", "a", 0},
              {"a", "b", -1},     {"ab", "a", 1},   {"a", "ab", -1},     {"b", "ab", 1},
              {"abc", "abd", -1}, {"\xff", "a", 1}, {"\x7f", "\x80", -1}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int order = qm_slice_cmp(qm_slice_of(rows[i].a, strlen(rows[i].a)),
                             qm_slice_of(rows[i].b, strlen(rows[i].b)));
    assert_int_equal((order > 0) - (order < 0), rows[i].order);
  }
  assert_int_equal(qm_slice_cmp(qm_slice_of(NULL, 0), qm_slice_of(NULL, 0)), 0);
  assert_true(qm_slice_cmp(qm_slice_of(NULL, 0), qm_slice_of("a", 1)) < 0);
}

/* env: products that overflow and requests for nothing never reach the callback. */
static void env_checks_products(void **state) {
  test_alloc count = {0};
  qm_env env = test_alloc_env(&count);
  (void)state;
  assert_null(qm_alloc(&env, 0));
  assert_null(qm_alloc_zero(&env, 0));
  assert_null(qm_alloc_array(&env, 0, 8));
  assert_null(qm_alloc_array(&env, 8, 0));
  assert_null(qm_alloc_array(&env, SIZE_MAX / 2, 3));
  assert_null(qm_alloc_array(&env, SIZE_MAX, SIZE_MAX));
  assert_null(qm_realloc_array(&env, NULL, SIZE_MAX / 8 + 1, 8));
  assert_int_equal(count.count, 0);
  qm_free(&env, NULL);
  uint32_t *p = qm_alloc_array(&env, 3, sizeof *p);
  assert_non_null(p);
  p[2] = 7;
  p = qm_realloc_array(&env, p, 300, sizeof *p);
  assert_non_null(p);
  assert_int_equal(p[2], 7);
  /* Growing to nothing keeps the old block. */
  assert_null(qm_realloc_array(&env, p, 0, sizeof *p));
  assert_int_equal(p[2], 7);
  qm_free(&env, p);
  uint8_t *z = qm_alloc_zero(&env, 9);
  for (size_t i = 0; i < 9; i++) assert_int_equal(z[i], 0);
  qm_free(&env, z);
  assert_int_equal(count.live, 0);
}

static void env_reports_failure(void **state) {
  test_alloc count = {.fail_at = 1};
  qm_env env = test_alloc_env(&count);
  (void)state;
  assert_null(qm_alloc(&env, 8));
  assert_null(qm_alloc_zero(&env, 8));
  assert_null(qm_alloc_array(&env, 2, 8));
  assert_int_equal(count.count, 3);
}

static void env_default_has_no_world(void **state) {
  qm_env env = qm_env_default();
  uint8_t bytes[4] = {0};
  (void)state;
  assert_int_equal(env.now_ms(env.payload), 0);
  assert_int_equal(env.random(env.payload, bytes, sizeof bytes), QM_EIO);
  assert_null(env.log);
  assert_null(env.instance);
  assert_null(env.sign);
  qm_log(&env, QM_LOG_WARN, "unheard %d", 1);
  void *p = qm_alloc(&env, 100);
  assert_non_null(p);
  qm_free(&env, p);
}

typedef struct heard {
  qm_log_level level;
  char message[600];
} heard;

static void hear(void *payload, qm_log_level level, const char *message) {
  heard *h = payload;
  h->level = level;
  strncpy(h->message, message, sizeof h->message - 1);
}

static void env_log_formats_and_cuts(void **state) {
  heard h = {0};
  qm_env env = qm_env_default();
  char text[700];
  (void)state;
  env.payload = &h;
  env.log = hear;
  qm_log(&env, QM_LOG_DEBUG, "%s=%d", "counter", 12);
  assert_int_equal(h.level, QM_LOG_DEBUG);
  assert_string_equal(h.message, "counter=12");
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\0';
  qm_log(&env, QM_LOG_ERROR, "%s", text);
  assert_int_equal(h.level, QM_LOG_ERROR);
  assert_int_equal(strlen(h.message), 511);
}

static void arena_aligns_and_keeps(void **state) {
  test_alloc count = {0};
  qm_env env = test_alloc_env(&count);
  qm_arena a;
  uint8_t *p[200];
  (void)state;
  qm_arena_init(&a, &env, 1 << 20);
  assert_int_equal(count.count, 0);
  for (size_t i = 0; i < 200; i++) {
    p[i] = qm_arena_alloc(&a, i * 7);
    assert_non_null(p[i]);
    assert_int_equal((uintptr_t)p[i] % 16, 0);
    memset(p[i], (int)i, i * 7);
  }
  for (size_t i = 0; i < 200; i++)
    for (size_t k = 0; k < i * 7; k++) assert_int_equal(p[i][k], i);
  assert_true(count.live > 1);
  qm_arena_free(&a);
  assert_int_equal(count.live, 0);
  qm_arena_free(&a);
  /* Freed is as good as new. */
  assert_non_null(qm_arena_alloc(&a, 1));
  qm_arena_free(&a);
  assert_int_equal(count.live, 0);
}

static void arena_gives_distinct_empty_blocks(void **state) {
  qm_env env = qm_env_default();
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, 4096);
  void *one = qm_arena_alloc(&a, 0), *two = qm_arena_zero(&a, 0),
       *three = qm_arena_copy(&a, NULL, 0);
  void *four = qm_arena_array(&a, 0, 8);
  assert_non_null(one);
  assert_non_null(two);
  assert_non_null(three);
  assert_non_null(four);
  assert_ptr_not_equal(one, two);
  assert_ptr_not_equal(three, four);
  qm_arena_free(&a);
}

static void arena_zeroes_and_copies(void **state) {
  qm_env env = qm_env_default();
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, 1 << 16);
  memset(qm_arena_alloc(&a, 3000), 0xaa, 3000);
  qm_arena_reset(&a);
  uint8_t *z = qm_arena_zero(&a, 3000);
  for (size_t i = 0; i < 3000; i++) assert_int_equal(z[i], 0);
  assert_string_equal(qm_arena_copy(&a, "field", 6), "field");
  qm_arena_free(&a);
}

static void arena_stops_at_size_max(void **state) {
  static const struct {
    size_t max, first, second;
    int first_ok, second_ok;
  } rows[] = {
      {0, 0, 0, 0, 0},
      {16, 16, 1, 1, 0},
      {32, 16, 16, 1, 1},
      {32, 17, 1, 1, 0},
      {100, 96, 1, 1, 0},
      {100, 97, 1, 0, 1},
      {64, SIZE_MAX, 64, 0, 1},
      {SIZE_MAX, SIZE_MAX, 8, 0, 1},
      {SIZE_MAX, SIZE_MAX - 15, 8, 0, 1},
      {1 << 20, 1 << 20, 1, 1, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    test_alloc count = {0};
    qm_env env = test_alloc_env(&count);
    qm_arena a;
    qm_arena_init(&a, &env, rows[i].max);
    assert_int_equal(qm_arena_alloc(&a, rows[i].first) != NULL, rows[i].first_ok);
    assert_int_equal(qm_arena_alloc(&a, rows[i].second) != NULL, rows[i].second_ok);
    /* A refusal is decided before memory is asked for. */
    assert_true(count.size_most <= (1 << 20) + 4096);
    qm_arena_free(&a);
    assert_int_equal(count.live, 0);
  }
}

static void arena_refuses_products_that_overflow(void **state) {
  qm_env env = qm_env_default();
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, SIZE_MAX);
  assert_null(qm_arena_array(&a, SIZE_MAX / 2, 4));
  void *p = qm_arena_array(&a, 2, 8);
  assert_non_null(p);
  assert_null(qm_arena_grow(&a, p, 2, SIZE_MAX / 4, 8));
  assert_null(qm_arena_grow(&a, NULL, 0, SIZE_MAX, 8));
  qm_arena_free(&a);
}

static void arena_grows_in_place_where_last(void **state) {
  qm_env env = qm_env_default();
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, 1 << 16);
  uint32_t *p = qm_arena_grow(&a, NULL, 0, 4, sizeof *p);
  for (uint32_t i = 0; i < 4; i++) p[i] = i;
  uint32_t *q = qm_arena_grow(&a, p, 4, 40, sizeof *q);
  assert_ptr_equal(q, p);
  q[39] = 39;
  assert_ptr_equal(qm_arena_grow(&a, q, 40, 8, sizeof *q), q);
  void *other = qm_arena_alloc(&a, 1);
  uint32_t *r = qm_arena_grow(&a, q, 40, 41, sizeof *r);
  assert_ptr_not_equal(r, q);
  assert_ptr_not_equal(r, other);
  for (uint32_t i = 0; i < 4; i++) assert_int_equal(r[i], i);
  assert_int_equal(r[39], 39);
  /* Beyond the chunk: moved, contents kept. */
  uint32_t *s = qm_arena_grow(&a, r, 41, 4000, sizeof *s);
  assert_non_null(s);
  assert_int_equal(s[39], 39);
  s[3999] = 1;
  qm_arena_free(&a);
}

static void arena_grow_keeps_the_old_on_refusal(void **state) {
  qm_env env = qm_env_default();
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, 64);
  uint8_t *p = qm_arena_copy(&a, "abcd", 5);
  assert_null(qm_arena_grow(&a, p, 5, 65, 1));
  assert_string_equal(p, "abcd");
  assert_ptr_equal(qm_arena_grow(&a, p, 5, 64, 1), p);
  assert_null(qm_arena_alloc(&a, 1));
  qm_arena_free(&a);
}

static void arena_reset_reuses_the_first_chunk(void **state) {
  test_alloc count = {0};
  qm_env env = test_alloc_env(&count);
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, 1 << 20);
  qm_arena_reset(&a);
  void *first = qm_arena_alloc(&a, 100);
  for (size_t i = 0; i < 100; i++) assert_non_null(qm_arena_alloc(&a, 1000));
  assert_true(count.live > 1);
  qm_arena_reset(&a);
  assert_int_equal(count.live, 1);
  assert_int_equal(a.used, 0);
  size_t before = count.count;
  assert_ptr_equal(qm_arena_alloc(&a, 100), first);
  assert_int_equal(count.count, before);
  qm_arena_free(&a);
  assert_int_equal(count.live, 0);
}

static void arena_recycle_keeps_the_last_chunk(void **state) {
  test_alloc count = {0};
  qm_env env = test_alloc_env(&count);
  qm_arena a;
  (void)state;
  qm_arena_init(&a, &env, 1 << 22);
  qm_arena_recycle(&a);
  for (size_t round = 0; round < 8; round++) {
    for (size_t i = 0; i < 20; i++) assert_non_null(qm_arena_alloc(&a, 1000));
    qm_arena_recycle(&a);
    assert_int_equal(count.live, 1);
    assert_int_equal(a.used, 0);
  }
  size_t before = count.count;
  for (size_t i = 0; i < 20; i++) assert_non_null(qm_arena_alloc(&a, 1000));
  assert_int_equal(count.count, before);
  /* One that a single large object took is not kept. */
  assert_non_null(qm_arena_alloc(&a, 1 << 20));
  qm_arena_recycle(&a);
  before = count.count;
  assert_non_null(qm_arena_alloc(&a, 1 << 20));
  assert_true(count.count > before);
  qm_arena_free(&a);
  assert_int_equal(count.live, 0);
}

/* Fails the 1st, 2nd, … allocation: NULL, no leak, and usable afterwards. */
static void arena_survives_failing_allocations(void **state) {
  (void)state;
  for (size_t at = 1; at < 8; at++) {
    test_alloc count = {.fail_at = at};
    qm_env env = test_alloc_env(&count);
    qm_arena a;
    size_t got = 0;
    qm_arena_init(&a, &env, 1 << 20);
    while (got < 500 && qm_arena_alloc(&a, 1000)) got++;
    assert_true(got < 500);
    assert_int_equal(count.live, at - 1);
    size_t used = a.used;
    assert_null(qm_arena_zero(&a, 300000));
    assert_null(qm_arena_copy(&a, "x", 300000));
    assert_int_equal(a.used, used);
    count.fail_at = 0;
    assert_non_null(qm_arena_alloc(&a, 1000));
    qm_arena_free(&a);
    assert_int_equal(count.live, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slices_compare_bytewise),
      cmocka_unit_test(env_checks_products),
      cmocka_unit_test(env_reports_failure),
      cmocka_unit_test(env_default_has_no_world),
      cmocka_unit_test(env_log_formats_and_cuts),
      cmocka_unit_test(arena_aligns_and_keeps),
      cmocka_unit_test(arena_gives_distinct_empty_blocks),
      cmocka_unit_test(arena_zeroes_and_copies),
      cmocka_unit_test(arena_stops_at_size_max),
      cmocka_unit_test(arena_refuses_products_that_overflow),
      cmocka_unit_test(arena_grows_in_place_where_last),
      cmocka_unit_test(arena_grow_keeps_the_old_on_refusal),
      cmocka_unit_test(arena_reset_reuses_the_first_chunk),
      cmocka_unit_test(arena_recycle_keeps_the_last_chunk),
      cmocka_unit_test(arena_survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
