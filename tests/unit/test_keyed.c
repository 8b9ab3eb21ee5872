/* Keyed siblings (S3.4): add wins, a remove takes what it lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/keyed.h"
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

/* "value@author:counter,…" ascending by value, then dot. */
static const char *list(const qm_record *x) {
  static char out[512];
  const qm_cell *cell = qm_record_cell(x, 16, QM_KEYED);
  size_t n = 0;
  out[0] = 0;
  for (uint32_t i = 0; cell && i < qm_keyed_of(cell)->n; i++) {
    const qm_element *e = &qm_keyed_of(cell)->p[i];
    n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s@", i ? " " : "", (int)e->value.n - 1,
                          (const char *)e->value.p + 1);
    for (uint32_t d = 0; d < e->n; d++)
      n += (size_t)snprintf(out + n, sizeof out - n, "%s%c:%u", d ? "," : "",
                            'a' + (int)e->dots[d].dot.author, (unsigned)e->dots[d].dot.counter);
  }
  return out;
}

static void add_as(qm_record *x, uint32_t author, uint64_t counter, qm_vv seen, const char *value,
                   int listed, qm_dots dots) {
  bench_apply(&b, x, seen, author, 100 + counter,
              (qm_op){.counter = counter,
                      .field = 16,
                      .shape = QM_KEYED,
                      .flags = listed ? QM_OP_LISTED : 0,
                      .dots = dots,
                      .value = bench_text(&b, value)});
}

static void remove_as(qm_record *x, uint32_t author, uint64_t counter, qm_vv seen, qm_dots dots) {
  bench_apply(&b, x, seen, author, 100 + counter,
              (qm_op){.counter = counter,
                      .field = 16,
                      .shape = QM_KEYED,
                      .kind = QM_KIND_REMOVE,
                      .dots = dots});
}

static const qm_dots none = {NULL, 0};
#define shows(text) assert_string_equal(list(&r), text)

static void adds(void **state) {
  (void)state;
  add_as(&r, 0, 0, vv(0, 0, 0), "x", 0, none);
  add_as(&r, 1, 0, vv(0, 0, 0), "x", 0, none);
  add_as(&r, 1, 1, vv(0, 1, 0), "w", 0, none);
  shows("w@b:1 x@b:0,a:0");
  add_as(&r, 2, 0, vv(1, 0, 0), "x", 0, none); /* has seen a's dot */
  shows("w@b:1 x@b:0,c:0");
  add_as(&r, 2, 1, vv(1, 2, 1), "x", 1, bench_dots(&b, 1, 1u, 0u));
  shows("w@b:1 x@c:0,c:1"); /* with a list, what it lists only */
}

static void removes(void **state) {
  (void)state;
  add_as(&r, 0, 0, vv(0, 0, 0), "x", 0, none);
  add_as(&r, 0, 1, vv(1, 0, 0), "y", 0, none);
  add_as(&r, 1, 0, vv(0, 0, 0), "x", 0, none);
  remove_as(&r, 2, 0, vv(2, 0, 0), bench_dots(&b, 2, 0u, 0u, 0u, 1u)); /* whatever element */
  shows("x@b:0");
  remove_as(&r, 2, 1, vv(2, 1, 1), none);
  shows("x@b:0");
  remove_as(&r, 2, 2, vv(2, 1, 2), bench_dots(&b, 1, 1u, 0u));
  shows("");
  assert_null(qm_record_cell(&r, 16, QM_KEYED));
}

static void long_lists(void **state) {
  (void)state;
  qm_dot p[60];
  char name[3] = "";
  for (uint64_t n = 0; n < 40; n++) {
    snprintf(name, sizeof name, "%02u", (unsigned)n);
    add_as(&r, 0, n, vv(n, 0, 0), name, 0, none);
  }
  for (uint32_t i = 0; i < 60; i++) p[i] = (qm_dot){(i * 17u) % 40, 0};
  remove_as(&r, 1, 0, vv(39, 0, 0), (qm_dots){p, 60}); /* 39 is not seen */
  shows("39@a:39");
}

static void erased_add_takes_by_dot(void **state) {
  (void)state;
  add_as(&r, 0, 0, vv(0, 0, 0), "x", 0, none);
  bench_apply(&b, &r, vv(1, 0, 0), 1, 7,
              (qm_op){.counter = 0,
                      .field = 16,
                      .shape = QM_KEYED,
                      .flags = QM_OP_ERASED | QM_OP_LISTED,
                      .dots = bench_dots(&b, 1, 0u, 0u)});
  shows("");
}

static void joins(void **state) {
  (void)state;
  qm_record y = {.id = r.id};
  add_as(&r, 0, 0, vv(0, 0, 0), "x", 0, none);
  add_as(&r, 0, 1, vv(1, 0, 0), "y", 0, none);
  add_as(&y, 0, 0, vv(0, 0, 0), "x", 0, none);
  remove_as(&y, 1, 0, vv(1, 0, 0), bench_dots(&b, 1, 0u, 0u));
  add_as(&y, 1, 1, vv(1, 1, 0), "z", 0, none);
  qm_record j = bench_join(&b, &r, vv(2, 0, 0), &y, vv(1, 2, 0));
  assert_string_equal(list(&j), "y@a:1 z@b:1");
  qm_record k = bench_join(&b, &y, vv(1, 2, 0), &r, vv(2, 0, 0));
  assert_int_equal(qm_slice_cmp(bench_bytes(&b, &j), bench_bytes(&b, &k)), 0);
  add_as(&r, 0, 2, vv(2, 0, 0), "x", 0, none); /* added again meanwhile: it stays */
  j = bench_join(&b, &r, vv(3, 0, 0), &y, vv(1, 2, 0));
  assert_string_equal(list(&j), "x@a:2 y@a:1 z@b:1");
}

static void finds(void **state) {
  (void)state;
  add_as(&r, 0, 0, vv(0, 0, 0), "x", 0, none);
  const qm_keyed *k = qm_keyed_of(qm_record_cell(&r, 16, QM_KEYED));
  assert_non_null(qm_keyed_find(k, bench_text(&b, "x")));
  assert_null(qm_keyed_find(k, bench_text(&b, "w")));
  assert_null(qm_keyed_find(k, bench_text(&b, "y")));
  assert_null(qm_keyed_find(NULL, bench_text(&b, "x")));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(adds), T(removes), T(long_lists), T(erased_add_takes_by_dot), T(joins), T(finds)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
