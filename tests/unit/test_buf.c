#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "tests/unit/support_alloc.h"

static qm_env world(void) { return qm_env_default(); }

static void appends_in_order(void **state) {
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 100);
  qm_buf_byte(&b, 0x01);
  qm_buf_be16(&b, 0x0203);
  qm_buf_be32(&b, 0x04050607);
  qm_buf_be64(&b, UINT64_C(0x08090a0b0c0d0e0f));
  qm_buf_add(&b, "xy", 2);
  qm_buf_add(&b, NULL, 0);
  static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'x', 'y'};
  assert_int_equal(qm_buf_status(&b), QM_OK);
  assert_int_equal(b.n, sizeof want);
  assert_memory_equal(b.p, want, sizeof want);
  assert_int_equal(qm_buf_slice(&b).n, sizeof want);
  assert_ptr_equal(qm_buf_slice(&b).p, b.p);
  qm_buf_free(&b);
  assert_null(b.p);
  qm_buf_free(&b);
}

static void varints_are_shortest(void **state) {
  static const struct {
    uint64_t v;
    size_t n;
    uint8_t want[10];
  } rows[] = {
      {0, 1, {0}},
      {1, 1, {1}},
      {127, 1, {0x7f}},
      {128, 2, {0x80, 1}},
      {300, 2, {0xac, 2}},
      {16383, 2, {0xff, 0x7f}},
      {16384, 3, {0x80, 0x80, 1}},
      {UINT32_MAX, 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
      {INT64_MAX, 9, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
      {UINT64_MAX, 10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
  };
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 10);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_buf_clear(&b);
    qm_buf_varint(&b, rows[i].v);
    assert_int_equal(b.n, rows[i].n);
    assert_memory_equal(b.p, rows[i].want, rows[i].n);
  }
  qm_buf_free(&b);
}

static void svarints_zigzag(void **state) {
  static const struct {
    int64_t v;
    uint8_t first;
    size_t n;
  } rows[] = {{0, 0, 1},
              {-1, 1, 1},
              {1, 2, 1},
              {-2, 3, 1},
              {63, 126, 1},
              {-64, 127, 1},
              {64, 0x80, 2},
              {INT64_MAX, 0xfe, 10},
              {INT64_MIN, 0xff, 10}};
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 10);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_buf_clear(&b);
    qm_buf_svarint(&b, rows[i].v);
    assert_int_equal(b.n, rows[i].n);
    assert_int_equal(b.p[0], rows[i].first);
  }
  qm_buf_free(&b);
}

static void limit_sticks_and_keeps_contents(void **state) {
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 5);
  qm_buf_add(&b, "abc", 3);
  qm_buf_be32(&b, 1);
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  assert_int_equal(b.n, 3);
  assert_memory_equal(b.p, "abc", 3);
  /* There would be room for these, but a hole in the middle would be worse. */
  qm_buf_byte(&b, 'd');
  qm_buf_add(&b, "d", 1);
  qm_buf_be16(&b, 1);
  qm_buf_varint(&b, 1);
  assert_null(qm_buf_reserve(&b, 1));
  assert_int_equal(b.n, 3);
  qm_buf_clear(&b);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  qm_buf_add(&b, "12345", 5);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  assert_true(b.cap <= 5);
  qm_buf_byte(&b, '6');
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  qm_buf_free(&b);
}

/* Of every short size, from memory of that size: what is beside it is neither read nor written. */
static void every_short_size_is_copied(void **state) {
  qm_env env = world();
  (void)state;
  for (size_t n = 1; n <= 40; n++) {
    uint8_t *from = malloc(n);
    qm_buf b;
    assert_non_null(from);
    for (size_t i = 0; i < n; i++) from[i] = (uint8_t)(i + 1);
    qm_buf_init(&b, &env, 100);
    uint8_t *room = qm_buf_reserve(&b, 64);
    assert_non_null(room);
    memset(room, 0xee, 64);
    qm_buf_byte(&b, 0x55);
    qm_buf_add(&b, from, n);
    assert_int_equal(b.n, n + 1);
    assert_int_equal(b.p[0], 0x55);
    assert_memory_equal(b.p + 1, from, n);
    assert_int_equal(b.p[n + 1], 0xee);
    qm_buf_free(&b);
    free(from);
  }
}

static void sizes_near_the_top_do_not_wrap(void **state) {
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 1000);
  qm_buf_add(&b, "abc", 3);
  assert_null(qm_buf_reserve(&b, SIZE_MAX));
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  qm_buf_clear(&b);
  qm_buf_add(&b, "abc", 3);
  assert_null(qm_buf_reserve(&b, SIZE_MAX - 2));
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  qm_buf_free(&b);
}

static void max_zero_takes_nothing(void **state) {
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 0);
  qm_buf_add(&b, "x", 0);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  assert_non_null(qm_buf_reserve(&b, 0));
  qm_buf_byte(&b, 1);
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  qm_buf_free(&b);
}

static void reserve_gives_room_behind_the_contents(void **state) {
  qm_env env = world();
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 4096);
  qm_buf_add(&b, "ab", 2);
  uint8_t *to = qm_buf_reserve(&b, 1000);
  assert_ptr_equal(to, b.p + 2);
  memset(to, 'z', 1000);
  assert_int_equal(b.n, 2);
  b.n += 1000;
  qm_buf_byte(&b, '!');
  assert_int_equal(b.n, 1003);
  assert_int_equal(b.p[1001], 'z');
  assert_int_equal(b.p[1002], '!');
  qm_buf_free(&b);
}

static void grows_by_doubling_to_the_maximum(void **state) {
  test_alloc count = {0};
  qm_env env = test_alloc_env(&count);
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, 100000);
  for (size_t i = 0; i < 100000; i++) qm_buf_byte(&b, (uint8_t)i);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  assert_true(count.count < 16);
  assert_int_equal(count.size_most, 100000);
  for (size_t i = 0; i < 100000; i++) assert_int_equal(b.p[i], (uint8_t)i);
  qm_buf_free(&b);
  assert_int_equal(count.live, 0);
}

static void no_memory_sticks_and_keeps_contents(void **state) {
  (void)state;
  for (size_t at = 1; at < 6; at++) {
    test_alloc count = {.fail_at = at};
    qm_env env = test_alloc_env(&count);
    qm_buf b;
    qm_buf_init(&b, &env, 100000);
    size_t i = 0;
    for (; i < 10000; i++) qm_buf_byte(&b, (uint8_t)i);
    assert_int_equal(qm_buf_status(&b), QM_ENOMEM);
    assert_true(b.n < 10000);
    for (i = 0; i < b.n; i++) assert_int_equal(b.p[i], (uint8_t)i);
    count.fail_at = 0;
    qm_buf_byte(&b, 1);
    assert_int_equal(qm_buf_status(&b), QM_ENOMEM);
    qm_buf_clear(&b);
    qm_buf_byte(&b, 1);
    assert_int_equal(qm_buf_status(&b), QM_OK);
    qm_buf_free(&b);
    assert_int_equal(count.live, 0);
  }
}

static void begins_in_memory_that_is_lent(void **state) {
  (void)state;
  for (size_t fail_at = 0; fail_at < 2; fail_at++) {
    test_alloc count = {.fail_at = fail_at};
    qm_env env = test_alloc_env(&count);
    uint8_t room[8];
    qm_buf b;
    qm_buf_init_in(&b, &env, 100, room, sizeof room);
    for (uint8_t i = 0; i < 8; i++) qm_buf_byte(&b, i);
    assert_ptr_equal(b.p, room);
    assert_int_equal(count.count, 0);
    qm_buf_byte(&b, 8); /* moves, or there is no memory and it stays */
    assert_int_equal(qm_buf_status(&b), fail_at ? QM_ENOMEM : QM_OK);
    assert_int_equal(b.n, fail_at ? 8 : 9);
    assert_int_equal(b.p == room, fail_at);
    for (uint8_t i = 0; i < b.n; i++) assert_int_equal(b.p[i], i);
    qm_buf_free(&b);
    assert_null(b.p);
    assert_int_equal(count.live, 0);
  }
  uint8_t room[8];
  qm_env env = world();
  qm_buf b;
  qm_buf_init_in(&b, &env, 4, room, sizeof room); /* its maximum holds there too */
  qm_buf_add(&b, "12345", 5);
  assert_int_equal(qm_buf_status(&b), QM_ELIMIT);
  qm_buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(appends_in_order),
      cmocka_unit_test(varints_are_shortest),
      cmocka_unit_test(svarints_zigzag),
      cmocka_unit_test(limit_sticks_and_keeps_contents),
      cmocka_unit_test(every_short_size_is_copied),
      cmocka_unit_test(sizes_near_the_top_do_not_wrap),
      cmocka_unit_test(max_zero_takes_nothing),
      cmocka_unit_test(reserve_gives_room_behind_the_contents),
      cmocka_unit_test(grows_by_doubling_to_the_maximum),
      cmocka_unit_test(no_memory_sticks_and_keeps_contents),
      cmocka_unit_test(begins_in_memory_that_is_lent),
  };
  return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
