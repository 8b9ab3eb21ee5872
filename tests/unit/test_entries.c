/* Entries (S3.6): a log that only grows, in an order that its writers saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/entries.h"
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

static const char *list(const qm_record *x) {
  static char out[512];
  const qm_cell *cell = qm_record_cell(x, 16, QM_ENTRIES);
  size_t n = 0;
  out[0] = 0;
  for (uint32_t i = 0; cell && i < qm_entries_of(cell)->n; i++) {
    const qm_entry *e = &qm_entries_of(cell)->p[i];
    int len = e->erased ? 1 : (int)e->value.n - 1;
    n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", i ? " " : "", len,
                          e->erased ? "-" : (const char *)e->value.p + 1);
  }
  return out;
}

static void append(qm_record *x, uint32_t author, uint64_t counter, uint64_t time, uint64_t order,
                   const char *value) {
  unsigned flags = (order ? QM_OP_ORDER : 0u) | (value ? 0u : QM_OP_ERASED);
  bench_apply(&b, x, vv(0, 0, 0), author, time,
              (qm_op){.counter = counter,
                      .field = 16,
                      .shape = QM_ENTRIES,
                      .flags = (uint8_t)flags,
                      .order = order,
                      .value = value ? bench_text(&b, value) : qm_slice_of(NULL, 0)});
}

#define shows(text) assert_string_equal(list(&r), text)

static void stands_by_order(void **state) {
  (void)state;
  append(&r, 0, 0, 100, 0, "p");
  append(&r, 1, 0, 50, 101, "q"); /* its clock is behind, it has read p */
  append(&r, 2, 0, 80, 0, "o");   /* has not */
  append(&r, 2, 1, 90, 20, "n");  /* an order before its own time is none */
  shows("o n p q");
  append(&r, 0, 1, 101, 0, "r"); /* ties go by dot: author b before a */
  shows("o n p q r");
  (void)bench_bytes(&b, &r);
}

static void ends_of_the_range(void **state) {
  (void)state;
  append(&r, 0, 0, 1, UINT64_MAX, "z");
  append(&r, 1, 0, UINT64_MAX, 0, "y");
  append(&r, 1, 1, 1, 0, "a");
  shows("a y z");
  (void)bench_bytes(&b, &r);
}

static void erased_keeps_its_place(void **state) {
  (void)state;
  append(&r, 0, 0, 1, 0, "a");
  append(&r, 0, 1, 2, 0, NULL);
  append(&r, 0, 2, 3, 0, "c");
  shows("a - c");
  qm_slice blob = bench_bytes(&b, &r);
  qm_record again;
  ok(qm_record_decode(&again, &r.id, blob, &b.authors, &b.arena));
  assert_string_equal(list(&again), "a - c");
  /* A purge that either side has seen holds. */
  qm_record y = {.id = r.id};
  append(&y, 0, 0, 1, 0, NULL);
  append(&y, 0, 1, 2, 0, "b");
  append(&y, 0, 2, 3, 0, "c");
  qm_record j = bench_join(&b, &r, vv(3, 0, 0), &y, vv(3, 0, 0));
  assert_string_equal(list(&j), "- - c");
}

static void joins(void **state) {
  (void)state;
  qm_record y = {.id = r.id};
  append(&r, 0, 0, 10, 0, "a");
  append(&r, 0, 1, 30, 0, "c");
  append(&y, 0, 0, 10, 0, "a");
  append(&y, 1, 0, 20, 0, "b");
  qm_record j = bench_join(&b, &r, vv(2, 0, 0), &y, vv(1, 1, 0));
  assert_string_equal(list(&j), "a b c");
  qm_record k = bench_join(&b, &y, vv(1, 1, 0), &r, vv(2, 0, 0));
  assert_int_equal(qm_slice_cmp(bench_bytes(&b, &j), bench_bytes(&b, &k)), 0);
  qm_record z = {.id = r.id};
  j = bench_join(&b, &r, vv(2, 0, 0), &z, vv(1, 0, 0));
  assert_string_equal(list(&j), "c");
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(stands_by_order), T(ends_of_the_range),
                                     T(erased_keeps_its_place), T(joins)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
