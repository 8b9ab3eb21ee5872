/* The commutative sum that a space's digest is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/digest.h"

static void is_big_endian(void **state) {
  (void)state;
  uint8_t in[16], out[16];
  qm_digest d;
  for (int i = 0; i < 16; i++) in[i] = (uint8_t)(i * 17 + 1);
  qm_digest_read(&d, in);
  qm_digest_bytes(&d, out);
  assert_memory_equal(in, out, 16);
  assert_true(d.hi >> 56 == in[0] && (d.lo & 0xff) == in[15]);
}

/* Sums wrap at 2^128, with the carry from one half into the other. */
static void carries(void **state) {
  (void)state;
  static const struct {
    qm_digest a, b, sum;
  } cases[] = {
      {{0, 0}, {0, 0}, {0, 0}},
      {{1, 2}, {3, 4}, {4, 6}},
      {{0, UINT64_MAX}, {0, 1}, {1, 0}},
      {{0, UINT64_MAX}, {0, UINT64_MAX}, {1, UINT64_MAX - 1}},
      {{UINT64_MAX, UINT64_MAX}, {0, 1}, {0, 0}},
      {{UINT64_MAX, 0}, {1, 0}, {0, 0}},
      {{UINT64_MAX, 1}, {UINT64_MAX, UINT64_MAX}, {UINT64_MAX, 0}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t a[16], b[16];
    qm_digest d = cases[i].a, e = cases[i].b;
    qm_digest_bytes(&cases[i].a, a);
    qm_digest_bytes(&cases[i].b, b);
    qm_digest_add(&d, b);
    qm_digest_add(&e, a);
    assert_true(qm_digest_eq(&d, &cases[i].sum) && qm_digest_eq(&e, &cases[i].sum));
    qm_digest_sub(&d, b);
    qm_digest_sub(&e, a);
    assert_true(qm_digest_eq(&d, &cases[i].a) && qm_digest_eq(&e, &cases[i].b));
  }
}

static void differs_in_either_half(void **state) {
  (void)state;
  const qm_digest a = {1, 2}, b = {1, 3}, c = {0, 2};
  assert_true(qm_digest_eq(&a, &a));
  assert_false(qm_digest_eq(&a, &b) || qm_digest_eq(&a, &c));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_big_endian), cmocka_unit_test(carries),
                                     cmocka_unit_test(differs_in_either_half)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
