/* (S6.6, S6.7) What the home hub takes out of texts and lists, when, and who else may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/home_trim.h"
#include "core/mp.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)

static rig w;
static dev *A, *B, *H;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  B = &w.d[1];
  H = &w.d[2];
  ok(put_new(A, "R"));
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (unsigned i = 0; i < w.n; i++) check_memory(&w.d[i]);
  rig_close(&w);
  return 0;
}

/* The VV that d stands at; in the rig's arena. */
static qm_vv_list stands(dev *d) {
  qm_vv_list vv;
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, &w.arena, &vv));
  return vv;
}

static uint64_t trim(qm_vv_list a, qm_vv_list b) {
  const qm_vv_list live[] = {a, b};
  qm_trimmed out;
  ok(qm_home_trim(H->engine, H->space, live, 2, NULL, 1000, &out));
  assert_int_equal(out.more, 0);
  assert_int_equal(out.ops != 0, out.elements != 0);
  return out.elements;
}

static size_t bytes(dev *d) {
  qm_buf b;
  qm_buf_init(&b, &d->env, QM_RECORD_MAX);
  qm_record r = *record_of(d, "R");
  ok(qm_record_encode(&r, qm_space_authors(d->space), &w.arena, &b));
  size_t n = b.n;
  qm_buf_free(&b);
  return n;
}

static void waits_for_every_live_device(void **state) {
  (void)state;
  ok(put_text(A, "R", 0, 0, "abQXcd"));
  rig_settle(&w);
  ok(put_text(A, "R", 2, 1, ""));
  meet(A, H);
  qm_vv_list a = stands(A), b = stands(B);
  assert_int_equal(trim(a, b), 0); /* B has not seen it */
  assert_int_equal(trim(a, (qm_vv_list){NULL, 0}), 0);
  ok(put_text(B, "R", 3, 0, "z")); /* after the Q that B still sees */
  meet(B, H);
  assert_int_equal(trim(a, b), 0); /* as of before */
  b = stands(B);
  assert_int_equal(trim(a, b), 1); /* X, with z on it, takes its place */
  shows(H, "R", F_NOTES, "abzXcd");
  meet(A, H);
  ok(put_text(A, "R", 2, 1, ""));
  meet(A, H);
  meet(B, H);
  size_t before = bytes(H);
  assert_int_equal(trim(stands(A), stands(B)), 1);
  assert_true(bytes(H) < before);
  shows(H, "R", F_NOTES, "abXcd");
  ok(put_text(B, "R", 2, 0, "Z")); /* program 18 */
  rig_settle(&w);
  shows(A, "R", F_NOTES, "abZXcd");
  assert_int_equal(trim(stands(A), stands(B)), 0);
  rig_check_equal(&w);
}

/* Cut twice: by one that all have seen, and by one that is on its way. It goes later. */
static void cut_by_two(void **state) {
  (void)state;
  ok(put_text(A, "R", 0, 0, "abc"));
  ok(put_list(A, "R", 0, 0, "abc"));
  rig_settle(&w);
  ok(put_list(A, "R", 1, 2, ""));
  ok(put_list(B, "R", 2, 1, ""));
  meet(A, H);
  qm_vv_list a = stands(A);
  meet(B, H);
  assert_int_equal(trim(a, stands(B)), 1); /* b */
  meet(A, H);
  assert_int_equal(trim(stands(A), stands(B)), 1);
  rig_settle(&w);
  shows(B, "R", F_PLAN, "[a]");
  rig_check_equal(&w);
}

/* What more than one element hangs on keeps them in order: it stays until one is left. */
static void stays_where_it_holds_two(void **state) {
  (void)state;
  ok(put_text(A, "R", 0, 0, "ab"));
  ok(put_text(A, "R", 1, 0, "Q")); /* left child of b */
  ok(put_text(A, "R", 1, 0, "x")); /* left child of Q */
  ok(put_text(A, "R", 3, 0, "y")); /* right child of Q */
  ok(put_text(A, "R", 2, 1, ""));
  rig_settle(&w);
  assert_int_equal(trim(stands(A), stands(B)), 0);
  ok(put_text(B, "R", 1, 1, ""));
  rig_settle(&w);
  assert_int_equal(trim(stands(A), stands(B)), 2);
  ok(put_text(B, "R", 1, 0, "1"));
  ok(put_text(A, "R", 2, 0, "2"));
  rig_settle(&w);
  shows(H, "R", F_NOTES, "a1y2b");
  rig_check_equal(&w);
}

static void whole_and_in_parts(void **state) {
  (void)state;
  static const char *const names[] = {"Q", "R", "S"};
  qm_trimmed out;
  qm_id at = {{0}};
  ok(put_new(A, "Q"));
  ok(put_new(A, "S"));
  for (unsigned i = 0; i < 3; i++) ok(put_text(A, names[i], 0, 0, "gone"));
  for (unsigned i = 0; i < 3; i++) ok(put_text(A, names[i], 0, 4, ""));
  rig_settle(&w);
  qm_vv_list live[] = {stands(A), stands(B)};
  for (unsigned i = 0; i < 3; i++) {
    ok(qm_home_trim(H->engine, H->space, live, 2, &at, 1, &out));
    assert_int_equal(out.elements, 4);
    assert_int_equal(out.ops, 1);
    assert_int_equal(out.more, i < 2);
    at = rec(names[i]);
    assert_int_equal(qm_id_cmp(&out.last, &at), 0);
    assert_null(cell_of(H, names[i], F_NOTES, QM_SEQUENCE));
  }
  ok(qm_home_trim(H->engine, H->space, live, 2, &at, 1, &out));
  assert_int_equal(out.ops + (unsigned)out.more, 0);
  /* Nobody live: the hub decides by what it holds. */
  ok(put_text(A, "R", 0, 0, "gone"));
  ok(put_text(A, "R", 0, 4, ""));
  pull(H, A);
  ok(qm_home_trim(H->engine, H->space, NULL, 0, NULL, 100, &out));
  assert_int_equal(out.elements, 4);
  rig_settle(&w);
  rig_check_equal(&w);
}

/* More ranges than one call takes: the next goes on where this one stood. */
static void bounded(void **state) {
  (void)state;
  enum { N = 6000 };
  qm_trimmed out;
  uint64_t gone = 0;
  unsigned calls = 0;
  qm_id at = {{0}}, r = rec("R");
  qm_write *x = NULL;
  for (unsigned i = 0; i < N; i++) { /* the cut's counter lies between: no two make one range */
    if (i % 1000 == 0) ok(qm_write_begin(&x, A->engine, A->space, 0));
    ok(qm_write_splice(x, &r, F_NOTES, 0, 0, qm_slice_of("xy", 2), (qm_slice){NULL, 0}));
    ok(qm_write_splice(x, &r, F_NOTES, 0, 1, qm_slice_of(NULL, 0),
                       (qm_slice){NULL, 0}));
    if (i % 1000 == 999) ok(qm_write_commit(x, QM_DURABLE));
  }
  ok(put_text(A, "R", 0, N, ""));
  ok(put_text(A, "R", 0, 0, "left"));
  rig_settle(&w);
  do {
    qm_vv_list live[] = {stands(A), stands(B)};
    ok(qm_home_trim(H->engine, H->space, live, 2, &at, 100, &out));
    gone += out.elements;
    at = out.last;
    rig_settle(&w);
  } while (out.more && ++calls < 20);
  assert_int_equal(gone, 2 * N);
  shows(A, "R", F_NOTES, "left");
  rig_check_equal(&w);
}

static void refusals(void **state) {
  (void)state;
  qm_trimmed out;
  ok(put_text(A, "R", 0, 0, "gone"));
  ok(put_text(A, "R", 0, 4, ""));
  rig_settle(&w);
  ok(qm_engine_begin(H->engine));
  assert_int_equal(qm_home_trim(H->engine, H->space, NULL, 0, NULL, 9, &out), QM_ESTATE);
  qm_engine_rollback(H->engine);
  /* A replica that came by a state, or cut its log, lacks a part of it. */
  dev *n = B;
  qm_vv_list before = stands(A);
  ok(put_text(A, "R", 0, 0, "more"));
  ok(put_text(A, "R", 0, 2, ""));
  ok(qm_engine_push(A->engine, A->space));
  ok(qm_engine_acknowledged(A->engine, A->space, stands(A), 0)); /* so no change travels along */
  assert_true(join(n, A));
  acknowledge(n);
  ok(qm_engine_cut(n->engine, n->space, qm_space_vv(n->space)));
  assert_int_equal(qm_home_trim(n->engine, n->space, &before, 1, NULL, 9, &out), QM_EGAP);
  before = stands(A);
  ok(qm_home_trim(n->engine, n->space, &before, 1, NULL, 9, &out));
  assert_int_equal(out.elements, 6);
  qm_space_info info;
  qm_space_info_get(H->space, &info);
  info.writable = 0;
  ok(qm_engine_space_put(H->engine, &info, NULL));
  assert_int_equal(qm_home_trim(H->engine, H->space, NULL, 0, NULL, 9, &out), QM_EACCESS);
}

/* A checking hub takes trims of the home hub only: by default its own, which come back. */
static void trims_of_others(void **state) {
  (void)state;
  qm_slice batch[4];
  qm_vv_list nothing = {NULL, 0};
  qm_ingest in = {.peer = A->id, .check_schema = 1, .role = qm_slice_of("grid", 4)};
  qm_trimmed out;
  ok(put_text(A, "R", 0, 0, "gone"));
  ok(put_text(A, "R", 0, 4, ""));
  qm_vv_list had = stands(A);
  unsigned n = log_of(A, nothing, batch, 4);
  assert_int_equal(n, 1);
  ok(take(H, batch[0], &in));
  ok(qm_home_trim(A->engine, A->space, NULL, 0, NULL, 9, &out));
  assert_int_equal(out.elements, 4);
  (void)stands(A);
  assert_int_equal(log_of(A, had, batch, 4), 1);
  standing before = standing_of(H);
  qm_ingest judged = in, told = in, free_of = {.peer = A->id};
  ok(take(H, batch[0], &judged));
  assert_int_equal(judged.n_refusals, 1);
  assert_int_equal(judged.refusals[0].code, QM_EACCESS);
  stands_as(H, &before);
  ok(take(B, log_of(A, nothing, batch + 1, 3) ? batch[1] : batch[0], &free_of));
  assert_int_equal(free_of.n_refusals, 0);
  told.home = A->id;
  ok(take(H, batch[0], &told));
  assert_int_equal(told.n_refusals, 0);
  assert_int_equal(told.taken, 1);
  assert_null(cell_of(H, "R", F_NOTES, QM_SEQUENCE));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(waits_for_every_live_device),
                                     T(cut_by_two),
                                     T(stays_where_it_holds_two),
                                     T(whole_and_in_parts),
                                     T(bounded),
                                     T(refusals),
                                     T(trims_of_others)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
