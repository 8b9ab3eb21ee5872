/* Totals (S3.5): deltas by author, summed in 128 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/totals.h"
#include "core/mp.h"
#include "support_cell.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define vv(a, c, d) bench_vv(&b, a, c, d)

static bench b;
static qm_record r;

static int setup(void **state) {
  (void)state;
  bench_open(&b);
  memset(&r, 0, sizeof r);
  r.id.b[0] = 1;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  bench_close(&b);
  return 0;
}

static void inc(qm_record *x, uint32_t author, uint64_t counter, int64_t delta) {
  bench_apply(
      &b, x, vv(0, 0, 0), author, 7,
      (qm_op){.counter = counter, .field = 16, .shape = QM_TOTALS, .value = bench_int(&b, delta)});
}

static int sum(const qm_record *x, int64_t *out) {
  const qm_cell *cell = qm_record_cell(x, 16, QM_TOTALS);
  return qm_totals_sum(cell ? qm_totals_of(cell) : NULL, out);
}

static void adds_up(void **state) {
  (void)state;
  int64_t v = 1;
  ok(sum(&r, &v));
  assert_int_equal(v, 0);
  inc(&r, 0, 0, 5);
  inc(&r, 1, 3, -7);
  inc(&r, 0, 9, 4);
  inc(&r, 2, 1, 0);
  ok(sum(&r, &v));
  assert_int_equal(v, 2);
  const qm_totals *t = qm_totals_of(qm_record_cell(&r, 16, QM_TOTALS));
  assert_int_equal(t->n, 3);
  assert_int_equal(t->p[2].author, 0); /* ascending by id */
  assert_int_equal(t->p[2].next, 10);
  (void)bench_bytes(&b, &r);
}

static void erased_adds_nothing(void **state) {
  (void)state;
  int64_t v;
  inc(&r, 0, 0, 5);
  bench_apply(&b, &r, vv(1, 0, 0), 0, 7,
              (qm_op){.counter = 1, .field = 16, .shape = QM_TOTALS, .flags = QM_OP_ERASED});
  ok(sum(&r, &v));
  assert_int_equal(v, 5);
  assert_int_equal(qm_totals_of(qm_record_cell(&r, 16, QM_TOTALS))->p[0].next, 2);
}

static void beyond_64_bits(void **state) {
  (void)state;
  static const struct {
    int64_t delta[3];
    int rc;
  } cases[] = {
      {{INT64_MAX, 0, 0}, QM_OK},
      {{INT64_MAX, 1, 0}, QM_ERANGE},
      {{INT64_MAX, 1, -1}, QM_OK},
      {{INT64_MIN, 0, 0}, QM_OK},
      {{INT64_MIN, -1, 0}, QM_ERANGE},
      {{INT64_MIN, INT64_MIN, INT64_MIN}, QM_ERANGE},
      {{INT64_MAX, INT64_MAX, INT64_MIN}, QM_OK},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (unsigned spread = 0; spread < 2; spread++) {
      qm_record x = {.id = r.id};
      int64_t v;
      for (unsigned k = 0; k < 3; k++) inc(&x, spread ? k : 0, k, cases[i].delta[k]);
      assert_int_equal(sum(&x, &v), cases[i].rc);
      (void)bench_bytes(&b, &x);
    }
}

/* A state may hold any sum: adding to it goes round, telling it says out of range. */
static void sums_of_a_state(void **state) {
  (void)state;
  qm_record x;
  int64_t v;
  qm_buf blob;
  uint8_t most[16];
  memset(most, 0xff, sizeof most);
  most[0] = 0x7f;
  qm_buf_init(&blob, &b.env, 1000);
  qm_mp_array(&blob, 4);
  qm_mp_array(&blob, 2);
  qm_mp_uint(&blob, 1);
  qm_mp_uint(&blob, 0);
  qm_mp_array(&blob, 0);
  qm_mp_array(&blob, 0);
  qm_mp_array(&blob, 3);
  qm_mp_uint(&blob, 16);
  qm_mp_uint(&blob, QM_TOTALS);
  qm_mp_array(&blob, 6);
  for (unsigned place = 0; place < 2; place++) {
    qm_mp_uint(&blob, place);
    qm_mp_uint(&blob, 4);
    qm_mp_bin(&blob, most, 16);
  }
  ok(qm_record_decode(&x, &r.id, qm_buf_slice(&blob), &b.authors, &b.arena));
  assert_int_equal(sum(&x, &v), QM_ERANGE);
  inc(&x, 0, 4, INT64_MAX);
  (void)bench_bytes(&b, &x);
  blob.p[blob.n - 16] = 0; /* fits 64 bits: has a shorter form */
  memset(blob.p + blob.n - 16, 0, 9);
  assert_false(bench_reads(&b, qm_buf_slice(&blob)));
  qm_buf_free(&blob);
}

static void joins(void **state) {
  (void)state;
  qm_record y = {.id = r.id};
  int64_t v;
  inc(&r, 0, 0, 1);
  inc(&r, 0, 1, 10);
  inc(&r, 1, 0, 100);
  inc(&y, 0, 0, 1);
  inc(&y, 2, 0, 1000);
  qm_record j = bench_join(&b, &r, vv(2, 1, 0), &y, vv(1, 0, 1));
  ok(sum(&j, &v));
  assert_int_equal(v, 1111);
  qm_record k = bench_join(&b, &y, vv(1, 0, 1), &r, vv(2, 1, 0));
  assert_int_equal(qm_slice_cmp(bench_bytes(&b, &j), bench_bytes(&b, &k)), 0);
  /* The side without an entry has seen it all: purged there. */
  qm_record z = {.id = r.id};
  j = bench_join(&b, &r, vv(2, 1, 0), &z, vv(2, 0, 0));
  ok(sum(&j, &v));
  assert_int_equal(v, 100);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(adds_up), T(erased_adds_nothing), T(beyond_64_bits),
                                     T(sums_of_a_state), T(joins)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
