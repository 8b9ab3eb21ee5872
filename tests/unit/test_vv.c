/* Author tables and version vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/vv.h"
#include "support_alloc.h"

static test_alloc alloc;
static qm_env env;
static qm_authors t;

static int setup(void **state) {
  (void)state;
  memset(&alloc, 0, sizeof alloc);
  env = test_alloc_env(&alloc);
  qm_authors_init(&t, &env);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  alloc.fail_at = 0;
  qm_authors_free(&t);
  assert_int_equal(alloc.live, 0);
  return 0;
}

static qm_author author(uint32_t n) {
  qm_author a = {{0}};
  uint32_t x = n * 2654435761u; /* scattered over the order */
  for (int i = 0; i < 4; i++) a.b[i] = (uint8_t)(x >> (24 - 8 * i));
  a.b[23] = (uint8_t)n;
  return a;
}

static void sound(void) {
  for (uint32_t i = 0; i < t.n; i++) {
    uint32_t number = 0;
    assert_int_equal(t.sorted[t.rank[i]], i);
    if (i) assert_true(qm_author_cmp(&t.ids[t.sorted[i - 1]], &t.ids[t.sorted[i]]) < 0);
    assert_int_equal(qm_authors_find(&t, &t.ids[i], &number), QM_OK);
    assert_int_equal(number, i);
  }
}

static void numbers_by_first_sight(void **state) {
  (void)state;
  uint32_t number = 77;
  qm_author a = author(0);
  assert_int_equal(qm_authors_find(&t, &a, &number), QM_ENOTFOUND);
  assert_int_equal(number, 77);
  for (uint32_t round = 0; round < 2; round++)
    for (uint32_t i = 0; i < 200; i++) {
      a = author(i);
      assert_int_equal(qm_authors_add(&t, &a, &number), QM_OK);
      assert_int_equal(number, i);
    }
  assert_int_equal(t.n, 200);
  sound();
  qm_dot x = {5, 1}, y = {4, 2}, z = {6, 1};
  int by_id = qm_author_cmp(&t.ids[1], &t.ids[2]);
  assert_true(qm_dot_cmp(&t, x, y) * by_id > 0);
  assert_true(qm_dot_cmp(&t, x, z) < 0 && qm_dot_cmp(&t, z, x) > 0);
  assert_int_equal(qm_dot_cmp(&t, x, x), 0);
}

static void forgets_the_last(void **state) {
  (void)state;
  uint32_t number;
  for (uint32_t i = 0; i < 50; i++) {
    qm_author a = author(i);
    assert_int_equal(qm_authors_add(&t, &a, &number), QM_OK);
  }
  for (uint32_t n = 50; n-- > 0;) {
    qm_author gone = author(n);
    qm_authors_truncate(&t, n + 5);
    qm_authors_truncate(&t, n);
    assert_int_equal(t.n, n);
    assert_int_equal(qm_authors_find(&t, &gone, &number), QM_ENOTFOUND);
    sound();
  }
  qm_author a = author(9);
  assert_int_equal(qm_authors_add(&t, &a, &number), QM_OK);
  assert_int_equal(number, 0);
}

static void many_at_once(void **state) {
  (void)state;
  static qm_author ids[400];
  static uint32_t numbers[400];
  uint32_t number;
  assert_int_equal(qm_authors_add_all(&t, ids, 0, numbers), QM_OK);
  for (uint32_t i = 0; i < 100; i += 3) {
    qm_author a = author(i);
    assert_int_equal(qm_authors_add(&t, &a, &number), QM_OK);
  }
  uint32_t old = t.n, fresh = old;
  for (uint32_t i = 0; i < 400; i++) ids[i] = author(i);
  assert_int_equal(qm_authors_add_all(&t, ids, 400, numbers), QM_OK);
  assert_int_equal(t.n, 400);
  sound();
  for (uint32_t i = 0; i < 400; i++) {
    assert_int_equal(qm_author_cmp(&t.ids[numbers[i]], &ids[i]), 0);
    if (numbers[i] >= old) assert_int_equal(numbers[i], fresh++); /* in the order given */
  }
  assert_int_equal(qm_authors_add_all(&t, ids, 400, numbers), QM_OK); /* nothing new */
  assert_int_equal(t.n, 400);
  qm_authors_truncate(&t, 100);
  ids[399] = ids[200];
  assert_int_equal(qm_authors_add_all(&t, ids, 400, numbers), QM_EDUPKEY);
  assert_int_equal(t.n, 100);
  ids[399] = ids[5]; /* known and twice */
  assert_int_equal(qm_authors_add_all(&t, ids, 400, numbers), QM_EDUPKEY);
  assert_int_equal(t.n, 100);
  sound();
}

static void has_a_limit(void **state) {
  (void)state;
  qm_author *ids = calloc(QM_AUTHORS_MAX + 1, sizeof *ids);
  uint32_t *numbers = calloc(QM_AUTHORS_MAX + 1, sizeof *numbers), number;
  assert_true(ids && numbers);
  for (uint32_t i = 0; i <= QM_AUTHORS_MAX; i++) ids[i] = author(i);
  assert_int_equal(qm_authors_add_all(&t, ids, QM_AUTHORS_MAX + 1, numbers), QM_ELIMIT);
  assert_int_equal(t.n, 0);
  assert_int_equal(qm_authors_add_all(&t, ids, QM_AUTHORS_MAX, numbers), QM_OK);
  assert_int_equal(qm_authors_add(&t, &ids[QM_AUTHORS_MAX], &number), QM_ELIMIT);
  assert_int_equal(qm_authors_add(&t, &ids[7], &number), QM_OK);
  assert_int_equal(t.n, QM_AUTHORS_MAX);
  free(ids);
  free(numbers);
}

static void without_memory(void **state) {
  (void)state;
  qm_author ids[40];
  uint32_t numbers[40], number;
  for (uint32_t i = 0; i < 40; i++) ids[i] = author(i);
  assert_int_equal(qm_authors_add(&t, &ids[0], &number), QM_OK);
  for (size_t k = 1; k < 100; k++) {
    alloc.fail_at = alloc.count + k;
    int rc = qm_authors_add_all(&t, ids, 40, numbers);
    alloc.fail_at = 0;
    if (rc == QM_OK) break;
    assert_int_equal(rc, QM_ENOMEM);
    assert_int_equal(t.n, 1);
    sound();
  }
  assert_int_equal(t.n, 40);
  sound();
}

static void vectors(void **state) {
  (void)state;
  qm_vv a = {NULL, 0, 0}, b = {NULL, 0, 0};
  assert_int_equal(qm_vv_get(&a, 3), 0);
  assert_true(qm_vv_equal(&a, &b));
  assert_int_equal(qm_vv_set(&env, &a, 100, 5), QM_OK);
  assert_int_equal(qm_vv_get(&a, 100), 5);
  assert_int_equal(qm_vv_get(&a, 99), 0);
  assert_true(qm_vv_covers(&a, (qm_dot){4, 100}));
  assert_false(qm_vv_covers(&a, (qm_dot){5, 100}));
  assert_false(qm_vv_covers(&a, (qm_dot){0, 101}));
  assert_true(qm_vv_includes(&a, &b) && !qm_vv_includes(&b, &a));
  assert_int_equal(qm_vv_set(&env, &b, 2, 9), QM_OK);
  assert_false(qm_vv_includes(&a, &b) || qm_vv_includes(&b, &a));
  assert_int_equal(qm_vv_merge(&env, &b, &a), QM_OK);
  assert_true(qm_vv_includes(&b, &a));
  assert_int_equal(qm_vv_get(&b, 2), 9);
  assert_int_equal(qm_vv_merge(&env, &b, &a), QM_OK);
  assert_int_equal(qm_vv_copy(&env, &a, &b), QM_OK);
  assert_true(qm_vv_equal(&a, &b));
  assert_int_equal(qm_vv_set(&env, &a, 200, 0), QM_OK); /* an entry of 0 is none */
  assert_true(qm_vv_equal(&a, &b) && qm_vv_equal(&b, &a));
  alloc.fail_at = 1;
  assert_int_equal(qm_vv_set(&env, &b, 5000, 1), QM_ENOMEM);
  assert_int_equal(qm_vv_get(&b, 100), 5);
  alloc.fail_at = 0;
  qm_vv_free(&env, &a);
  qm_vv_free(&env, &b);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(numbers_by_first_sight), T(forgets_the_last),
                                     T(many_at_once),           T(has_a_limit),
                                     T(without_memory),         T(vectors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
