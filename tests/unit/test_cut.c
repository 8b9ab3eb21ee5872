/* The log's floor (S12.6): what may be cut, what then is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support_alloc.h"
#include "tests/unit/support_engine.h"

static rig w;
#define A (&w.d[0])
#define B (&w.d[1])
#define C (&w.d[2])

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 41);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  rig_close(&w);
  return 0;
}

static void ok(int rc) {
  if (rc) fail_msg("%s", qm_err_name(rc));
}

static uint64_t floor_at(dev *d, const qm_author *author) {
  uint32_t a;
  if (qm_authors_find(qm_space_authors(d->space), author, &a) != QM_OK) return 0;
  return qm_vv_get(qm_space_floor(d->space), a);
}

static uint64_t stands_at(dev *d, const qm_author *author) {
  uint32_t a;
  ok(qm_authors_find(qm_space_authors(d->space), author, &a));
  return qm_vv_get(qm_space_vv(d->space), a);
}

static qm_vv_list heads(dev *d) {
  qm_vv_list out;
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, &w.arena, &out));
  return out;
}

static int batch_for(dev *from, qm_vv_list have) {
  uint64_t cursor = 0;
  qm_buf out;
  qm_buf_init(&out, &from->env, QM_BATCH_MAX);
  ok(qm_engine_push(from->engine, from->space));
  int rc = qm_engine_next_batch(from->engine, from->space, have, &cursor, &out);
  qm_buf_free(&out);
  return rc;
}

static void cut_all(dev *d) {
  qm_vv all = {NULL, 0, 0};
  for (uint32_t a = 0; a < 20; a++) ok(qm_vv_set(&d->env, &all, a, UINT64_MAX));
  ok(qm_engine_cut(d->engine, d->space, &all));
  qm_vv_free(&d->env, &all);
}

static void hub_says(dev *d, qm_vv_list vv, int safe) {
  ok(qm_engine_acknowledged(d->engine, d->space, vv, safe));
}

static void a_device_keeps_what_no_hub_holds(void **state) {
  (void)state;
  qm_author a = *qm_engine_author(A->engine), b = *qm_engine_author(B->engine);
  qm_vv_list none = {NULL, 0};
  ok(put_new(A, "R"));
  ok(put_new(B, "S"));
  meet(A, B);
  cut_all(A);
  assert_int_equal(floor_at(A, &a), 0);
  assert_int_equal(floor_at(A, &b), 0);
  hub_says(A, heads(A), 0);
  ok(put(A, "R", F_TEL, "1"));
  cut_all(A); /* others' changes are acknowledged; its own are not safe */
  assert_int_equal(floor_at(A, &a), 0);
  assert_int_equal(floor_at(A, &b), stands_at(A, &b));
  assert_int_equal(batch_for(A, none), QM_ECUT);
  assert_int_equal(batch_for(A, heads(B)), QM_OK);
  hub_says(A, heads(B), 1); /* a backup has the first, not the second */
  cut_all(A);
  assert_int_equal(floor_at(A, &a), stands_at(B, &a));
  assert_int_equal(batch_for(A, heads(B)), QM_OK);
  reopen(A);
  assert_int_equal(floor_at(A, &a), stands_at(B, &a));
  assert_int_equal(floor_at(A, &b), stands_at(A, &b));
  cut_all(A);
  meet(A, B);
  assert_int_equal(batch_for(A, heads(B)), QM_ENOTFOUND);
  meet(A, C); /* by state */
  rig_settle(&w);
  rig_check_equal(&w);
}

static void a_hub_cuts_what_its_caller_says(void **state) {
  (void)state;
  qm_author b = *qm_engine_author(B->engine);
  qm_vv below = {NULL, 0, 0};
  C->flags = QM_ENGINE_HUB;
  reopen(C);
  ok(put_new(B, "S"));
  meet(B, C);
  uint64_t first = stands_at(C, &b);
  qm_vv_list then = heads(B);
  ok(put(B, "S", F_TEL, "2"));
  ok(put(B, "S", F_TEL, "3"));
  meet(B, C);
  uint32_t number;
  ok(qm_authors_find(qm_space_authors(C->space), &b, &number));
  ok(qm_vv_set(&C->env, &below, number, first + 1)); /* inside the second row */
  ok(qm_engine_cut(C->engine, C->space, &below));
  assert_int_equal(floor_at(C, &b), first);
  assert_int_equal(batch_for(C, then), QM_OK);
  assert_int_equal(batch_for(C, heads(A)), QM_ECUT);
  cut_all(C);
  assert_int_equal(floor_at(C, &b), stands_at(C, &b));
  assert_int_equal(batch_for(C, then), QM_ECUT);
  assert_int_equal(batch_for(C, heads(B)), QM_ENOTFOUND);
  qm_vv_free(&C->env, &below);
}

/* What a state brings is in no log, where a hub has it: who has it cannot hand it on by log. */
static void a_join_moves_the_floor(void **state) {
  (void)state;
  qm_author a = *qm_engine_author(A->engine);
  ok(put_new(A, "R"));
  acknowledge(A); /* else the changes come along */
  assert_int_equal(join(B, A), 1);
  assert_int_equal(floor_at(B, &a), stands_at(A, &a));
  assert_int_equal(batch_for(B, heads(C)), QM_ECUT);
  reopen(B);
  assert_int_equal(batch_for(B, heads(C)), QM_ECUT);
  qm_vv_list then = heads(B);
  ok(put(A, "R", F_TEL, "1"));
  pull(B, A);
  assert_int_equal(batch_for(B, then), QM_OK);
}

static void not_inside_a_transaction(void **state) {
  (void)state;
  qm_vv none = {NULL, 0, 0};
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_engine_cut(A->engine, A->space, &none), QM_ESTATE);
  qm_engine_rollback(A->engine);
  ok(qm_engine_cut(A->engine, A->space, &none));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(a_device_keeps_what_no_hub_holds),
                                     T(a_hub_cuts_what_its_caller_says), T(a_join_moves_the_floor),
                                     T(not_inside_a_transaction)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
