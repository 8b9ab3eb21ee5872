/* Integers of 128 bits: the same on machines that have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/wide.h"

static const int64_t some[] = {0, 1, -1, 2, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN,
                               INT64_MAX - 1, INT64_MIN + 1, INT64_C(1) << 32, -4294967297};
#define N (sizeof some / sizeof *some)

static void goes_there_and_back(void **state) {
  (void)state;
  for (size_t i = 0; i < N; i++) {
    qm_wide w = qm_wide_of(some[i]);
    assert_true(qm_wide_fits(w));
    assert_true(qm_wide_int(w) == some[i]);
    assert_int_equal(qm_wide_is_negative(w), some[i] < 0);
    assert_int_equal(qm_wide_is_zero(w), some[i] == 0);
  }
}

/* Beyond 64 bits and back, in any order. */
static void adds(void **state) {
  (void)state;
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      qm_wide a = qm_wide_of(some[i]), b = qm_wide_of(some[j]), sum, back;
      assert_int_equal(qm_wide_add_over(a, b, &sum), 0);
      int64_t narrow;
      int over = __builtin_add_overflow(some[i], some[j], &narrow);
      assert_int_equal(qm_wide_fits(sum), !over);
      if (!over) assert_true(qm_wide_int(sum) == narrow);
      qm_wide less = {~b.hi, ~b.lo}; /* -b - 1 */
      back = qm_wide_add(qm_wide_add(sum, less), qm_wide_of(1));
      assert_true(back.hi == a.hi && back.lo == a.lo);
    }
}

static void tells_that_it_went_round(void **state) {
  (void)state;
  qm_wide most = {INT64_MAX, UINT64_MAX}, least = {UINT64_C(1) << 63, 0}, out;
  assert_int_equal(qm_wide_add_over(most, qm_wide_of(1), &out), 1);
  assert_true(out.hi == least.hi && out.lo == least.lo);
  assert_int_equal(qm_wide_add_over(least, qm_wide_of(-1), &out), 1);
  assert_true(out.hi == most.hi && out.lo == most.lo);
  assert_int_equal(qm_wide_add_over(most, qm_wide_of(0), &out), 0);
  assert_int_equal(qm_wide_add_over(most, least, &out), 0);
  assert_true(qm_wide_fits(out) && qm_wide_int(out) == -1);
  assert_int_equal(qm_wide_fits(most), 0);
  assert_int_equal(qm_wide_fits(least), 0);
  assert_int_equal(qm_wide_fits((qm_wide){0, UINT64_C(1) << 63}), 0);
  assert_int_equal(qm_wide_fits((qm_wide){UINT64_MAX, INT64_MAX}), 0);
}

static void multiplies(void **state) {
  (void)state;
  qm_wide w = qm_wide_mul_halves(UINT64_MAX, UINT64_MAX);
  assert_true(w.hi == UINT64_MAX - 1 && w.lo == 1);
  w = qm_wide_mul_halves(UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9));
  assert_true(w.hi == UINT64_C(0x7641f3080ff92329) && w.lo == UINT64_C(0xd67411c46c86742d));
  uint64_t x = 1, y = UINT64_MAX;
  for (unsigned i = 0; i < 10000; i++) {
    x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
    y = (y ^ x) * UINT64_C(0x94d049bb133111eb);
    qm_wide a = qm_wide_mul(x, y), b = qm_wide_mul_halves(x, y);
    assert_true(a.hi == b.hi && a.lo == b.lo);
    assert_true(b.lo == x * y);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(goes_there_and_back), cmocka_unit_test(adds),
      cmocka_unit_test(tells_that_it_went_round), cmocka_unit_test(multiplies)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
