#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/timestamp.h"

#define MS(n) ((uint64_t)(n) << 16)

static void parts_fit_together(void **state) {
  (void)state;
  qm_time t = qm_time_make(UINT64_C(1735689600000)) + 7;
  assert_true(qm_time_ms(t) == UINT64_C(1735689600000));
  assert_int_equal(qm_time_tick(t), 7);
  assert_true(qm_time_ms(UINT64_MAX) == QM_TIME_MS_MAX);
  assert_int_equal(qm_time_tick(UINT64_MAX), 0xffff);
  assert_true(qm_time_make(0) == 0);
}

static void clock_beyond_the_range_is_clipped(void **state) {
  (void)state;
  assert_true(qm_time_make(QM_TIME_MS_MAX) == QM_TIME_MS_MAX << 16);
  assert_true(qm_time_make(QM_TIME_MS_MAX + 1) == QM_TIME_MS_MAX << 16);
  assert_true(qm_time_make(UINT64_MAX) == QM_TIME_MS_MAX << 16);
}

static void next_is_the_greater_of_clock_and_last(void **state) {
  static const struct {
    qm_time last;
    uint64_t now_ms;
    qm_time want;
  } rows[] = {
      {0, 0, 1},                  /* first write, no clock */
      {0, 5, MS(5)},              /* the clock leads */
      {MS(5), 5, MS(5) + 1},      /* same millisecond */
      {MS(5) + 1, 5, MS(5) + 2},  /* and again */
      {MS(9), 5, MS(9) + 1},      /* the clock went back */
      {MS(5) + 0xffff, 5, MS(6)}, /* the counter overflows into the next ms */
      {MS(5) + 0xffff, 6, MS(6)}, /* where the clock arrives just there */
      {MS(6), 6, MS(6) + 1},
      {UINT64_MAX - 1, 0, UINT64_MAX},
      {UINT64_MAX, 0, UINT64_MAX}, /* the end of the range */
      {UINT64_MAX, UINT64_MAX, UINT64_MAX},
      {0, UINT64_MAX, MS(QM_TIME_MS_MAX)},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_true(qm_time_next(rows[i].last, rows[i].now_ms) == rows[i].want);
}

/* 200,000 writes while the clock stands still, then jumps about: strictly rising. */
static void next_always_rises(void **state) {
  qm_time last = 0;
  uint64_t now = 1000;
  (void)state;
  for (uint32_t i = 0; i < 200000; i++) {
    if (i % 70000 == 0) now = i % 140000 == 0 ? 3000 : 10;
    qm_time next = qm_time_next(last, now);
    assert_true(next > last);
    assert_true(next >= qm_time_make(now));
    last = next;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_fit_together),
      cmocka_unit_test(clock_beyond_the_range_is_clipped),
      cmocka_unit_test(next_is_the_greater_of_clock_and_last),
      cmocka_unit_test(next_always_rises),
  };
  return cmocka_run_group_tests_name("timestamp", tests, NULL, NULL);
}
