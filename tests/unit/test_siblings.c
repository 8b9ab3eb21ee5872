/* Siblings (S3.3): what a write removes, what it flags, what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/siblings.h"
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

/* What stands there: "author:counter=value" and a k where kept, ascending by dot. */
static const char *list(const qm_record *x) {
  static char out[512];
  const qm_cell *cell = qm_record_cell(x, 16, QM_SIBLINGS);
  size_t n = 0;
  out[0] = 0;
  for (uint32_t i = 0; cell && i < qm_siblings_of(cell)->n; i++) {
    const qm_sibling *s = &qm_siblings_of(cell)->p[i];
    n += (size_t)snprintf(out + n, sizeof out - n, "%s%c:%u=%.*s%s", i ? " " : "",
                          'a' + (int)s->dot.author, (unsigned)s->dot.counter, (int)s->value.n - 1,
                          (const char *)s->value.p + 1, s->kept ? "k" : "");
  }
  return out;
}

static void write_as(qm_record *x, uint32_t author, uint64_t counter, qm_vv seen, const char *value,
                     unsigned kind, int listed, qm_dots dots) {
  bench_apply(&b, x, seen, author, 100 + counter,
              (qm_op){.counter = counter,
                      .field = 16,
                      .shape = QM_SIBLINGS,
                      .kind = (uint8_t)kind,
                      .flags = listed ? QM_OP_LISTED : 0,
                      .dots = dots,
                      .value = bench_text(&b, value)});
}

static const qm_dots none = {NULL, 0};
#define shows(text) assert_string_equal(list(&r), text)

static void replaces_what_it_saw(void **state) {
  (void)state;
  write_as(&r, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&r, 1, 0, vv(0, 0, 0), "y", QM_KIND_WRITE, 0, none);
  shows("b:0=y a:0=x"); /* concurrent; ascending by id */
  write_as(&r, 2, 0, vv(1, 0, 0), "z", QM_KIND_WRITE, 0, none);
  shows("b:0=y c:0=z");
  write_as(&r, 2, 1, vv(1, 1, 1), "w", QM_KIND_WRITE, 0, none);
  shows("c:1=w");
}

static void keeps_what_it_did_not_list(void **state) {
  (void)state;
  write_as(&r, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&r, 1, 0, vv(0, 0, 0), "y", QM_KIND_WRITE, 0, none);
  write_as(&r, 2, 0, vv(0, 0, 0), "u", QM_KIND_WRITE, 0, none);
  write_as(&r, 2, 5, vv(1, 1, 0), "z", QM_KIND_WRITE, 1, bench_dots(&b, 1, 0u, 0u));
  /* x listed, y seen and not listed, u its own but written by an earlier change */
  shows("b:0=yk c:0=uk c:5=z");
  /* Kept for good; a write that lists it replaces it. */
  write_as(&r, 0, 9, vv(1, 1, 6), "v", QM_KIND_WRITE, 1, bench_dots(&b, 2, 1u, 0u, 2u, 5u));
  shows("c:0=uk a:9=v");
  write_as(&r, 0, 10, vv(10, 1, 6), "t", QM_KIND_WRITE, 0, none);
  shows("a:10=t");
}

static void earlier_ops_of_its_change_are_listed(void **state) {
  (void)state;
  write_as(&r, 1, 0, vv(0, 0, 0), "y", QM_KIND_WRITE, 0, none);
  for (uint64_t n = 4; n < 6; n++) {
    qm_vv seen = vv(n, 1, 0);
    qm_change change = {.author = 0, .counter = 4, .time = 50};
    qm_apply a = {&b.authors, &seen, &change, &b.arena};
    const qm_op op = {.counter = n,
                      .span = 1,
                      .field = 16,
                      .shape = QM_SIBLINGS,
                      .flags = QM_OP_LISTED,
                      .value = bench_text(&b, n == 4 ? "p" : "q")};
    ok(qm_record_apply(&r, &a, &op));
  }
  shows("b:0=yk a:5=q");
}

static void beside_takes_nothing_away(void **state) {
  (void)state;
  write_as(&r, 0, 0, vv(0, 0, 0), "9", QM_KIND_WRITE, 0, none);
  write_as(&r, 1, 0, vv(1, 0, 0), "5", QM_KIND_BESIDE, 1, none);
  shows("b:0=5 a:0=9");
  write_as(&r, 1, 1, vv(1, 1, 0), "10", QM_KIND_BESIDE, 1, bench_dots(&b, 1, 0u, 0u));
  shows("b:0=5 b:1=10");
  write_as(&r, 2, 0, vv(1, 2, 0), "11", QM_KIND_BESIDE, 0, none);
  shows("c:0=11");
}

static void erased_has_its_effect(void **state) {
  (void)state;
  write_as(&r, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&r, 1, 0, vv(0, 0, 0), "y", QM_KIND_WRITE, 0, none);
  bench_apply(&b, &r, vv(1, 1, 0), 2, 7,
              (qm_op){.counter = 0,
                      .field = 16,
                      .shape = QM_SIBLINGS,
                      .flags = QM_OP_ERASED | QM_OP_LISTED,
                      .dots = bench_dots(&b, 1, 0u, 0u)});
  shows("b:0=yk");
}

/* Many listed dots in any order are found as few are. */
static void long_lists(void **state) {
  (void)state;
  qm_dot p[100];
  for (uint64_t n = 0; n < 50; n++) write_as(&r, 0, n, vv(n, 0, 0), "x", QM_KIND_BESIDE, 1, none);
  for (uint32_t i = 0; i < 100; i++) p[i] = (qm_dot){(i * 37u) % 49, 0};
  write_as(&r, 1, 0, vv(50, 0, 0), "y", QM_KIND_WRITE, 1, (qm_dots){p, 100});
  shows("b:0=y a:49=xk");
}

static void joins(void **state) {
  (void)state;
  qm_record x, y = {.id = r.id};
  write_as(&r, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&r, 1, 0, vv(0, 0, 0), "y", QM_KIND_WRITE, 0, none);
  write_as(&y, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&y, 1, 0, vv(0, 0, 0), "y", QM_KIND_WRITE, 0, none);
  write_as(&y, 2, 0, vv(1, 1, 0), "z", QM_KIND_WRITE, 1, bench_dots(&b, 1, 0u, 0u));
  write_as(&r, 0, 1, vv(1, 1, 0), "w", QM_KIND_WRITE, 1, bench_dots(&b, 1, 1u, 0u));
  /* r: x kept, w; y: y kept, z. Each removed what the other kept. */
  x = bench_join(&b, &r, vv(2, 1, 0), &y, vv(1, 1, 1));
  assert_string_equal(list(&x), "c:0=z a:1=w");
  qm_record z = bench_join(&b, &y, vv(1, 1, 1), &r, vv(2, 1, 0));
  assert_int_equal(qm_slice_cmp(bench_bytes(&b, &x), bench_bytes(&b, &z)), 0);
  /* Flags are ORed where the dot is on both sides. */
  qm_record p = {.id = r.id}, q = p;
  write_as(&p, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&q, 0, 0, vv(0, 0, 0), "x", QM_KIND_WRITE, 0, none);
  write_as(&q, 1, 0, vv(1, 0, 0), "y", QM_KIND_WRITE, 1, none);
  x = bench_join(&b, &p, vv(1, 0, 0), &q, vv(1, 1, 0));
  assert_string_equal(list(&x), "b:0=y a:0=xk");
  /* Nothing on one side: what it covers is gone, the rest stays. */
  qm_record nothing = {.id = r.id};
  x = bench_join(&b, &q, vv(1, 1, 0), &nothing, vv(1, 0, 0));
  assert_string_equal(list(&x), "b:0=y");
  x = bench_join(&b, &q, vv(1, 1, 0), NULL, vv(5, 5, 5));
  assert_null(qm_record_cell(&x, 16, QM_SIBLINGS));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(replaces_what_it_saw),
                                     T(keeps_what_it_did_not_list),
                                     T(earlier_ops_of_its_change_are_listed),
                                     T(beside_takes_nothing_away),
                                     T(erased_has_its_effect),
                                     T(long_lists),
                                     T(joins)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
