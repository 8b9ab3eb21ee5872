/* Reading tokens (S3.10): what a reading covers, and that only a token is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/token.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)

static rig w;
static dev *A, *B, *C;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  B = &w.d[1];
  C = &w.d[2];
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (unsigned i = 0; i < w.n; i++) check_memory(&w.d[i]);
  rig_close(&w);
  return 0;
}

static const qm_slice none = {NULL, 0};

static qm_token parsed(dev *d, const char *r, qm_slice token) {
  qm_token t;
  qm_id id = rec(r);
  ok(qm__token_parse(d->space, token, &id, &w.arena, &t));
  return t;
}

/* x by A, y by B, both "same" for the head. */
static void two_siblings(void) {
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put(A, "R", F_TEL, "x"));
  ok(put(A, "R", F_HEAD, "same"));
  ok(put(B, "R", F_TEL, "y"));
  ok(put(B, "R", F_HEAD, "same"));
  ok(put_add(B, "R", "t"));
  ok(put_text(B, "R", 0, 0, "text"));
  rig_settle(&w);
}

static void covers_what_was_shown(void **state) {
  (void)state;
  two_siblings();
  qm_token values = parsed(A, "R", form(A, "R", QM_READ_VALUES));
  qm_token review = parsed(A, "R", form(A, "R", QM_READ_REVIEW));
  uint64_t version;
  assert_int_equal(values.kind, QM_READ_VALUES);
  assert_int_equal(review.kind, QM_READ_REVIEW);
  assert_int_equal(qm__token_dots(&values, F_TEL).n, 1);
  assert_int_equal(qm__token_dots(&review, F_TEL).n, 2);
  assert_int_equal(qm__token_dots(&values, F_HEAD).n, 2); /* equal to the one shown */
  assert_int_equal(qm__token_dots(&values, F_TAGS).n, 1);
  assert_int_equal(qm__token_dots(&values, F_STATE).n, 0);
  ok(qm__token_version(&values, F_NOTES, &version));
  assert_int_equal(qm__token_version(&values, F_TEL, &version), QM_ENOTFOUND);
  assert_int_equal(values.marks.n, 2);
  /* One field alone covers the same of it. */
  qm_token one;
  ok(qm__token_read(A->space, record_of(A, "R"), QM_READ_VALUES, F_TEL, &w.arena, &one));
  assert_int_equal(one.n_fields, 1);
  assert_int_equal(one.n_texts, 0);
  assert_int_equal(one.marks.n, 2);
  assert_true(qm_dot_eq(qm__token_dots(&one, F_TEL).p[0], qm__token_dots(&values, F_TEL).p[0]));
}

static int with(dev *d, qm_slice token) { return put_with(d, "R", F_TEL, "z", token, 0); }

static void of_this_record_only(void **state) {
  (void)state;
  two_siblings();
  ok(put_new(A, "S"));
  qm_slice token = form(A, "S", QM_READ_VALUES);
  assert_int_equal(with(A, token), QM_EFORMAT);
  assert_int_equal(put_erase_with(A, "R", token), QM_EFORMAT);
  assert_int_equal(put_raise_with(A, "R", F_LAST, 3, token), QM_EFORMAT);
  shows(A, "R", F_TEL, "y");
  ok(with(A, form(A, "R", QM_READ_VALUES)));
  shows(A, "R", F_TEL, "z");
}

/* Cut, longer, or one byte changed: refused or, where it still reads, a token that can
 * name nothing but dots; the write then keeps more. Never a crash. */
static void garbage(void **state) {
  (void)state;
  two_siblings();
  qm_slice token = form(A, "R", QM_READ_REVIEW);
  uint8_t *p = qm_arena_alloc(&w.arena, token.n + 1);
  qm_id id = rec("R");
  qm_token t;
  memcpy(p, token.p, token.n);
  p[token.n] = 0;
  assert_int_equal(with(A, qm_slice_of(p, token.n + 1)), QM_EFORMAT);
  for (size_t n = 1; n < token.n; n++) assert_int_equal(with(A, qm_slice_of(p, n)), QM_EFORMAT);
  for (size_t i = 0; i < token.n; i++)
    for (unsigned v = 0; v < 256; v++) {
      p[i] = (uint8_t)v;
      int rc = qm__token_parse(A->space, qm_slice_of(p, token.n), &id, &w.arena, &t);
      if (rc != QM_OK) assert_int_equal(rc, QM_EFORMAT);
      p[i] = token.p[i];
    }
  assert_int_equal(with(A, qm_slice_of("\xdd\xff\xff\xff\xff", 5)), QM_EFORMAT);
  assert_int_equal(with(A, qm_slice_of("hello", 5)), QM_EFORMAT);
  ok(put_with(A, "R", F_TEL, "z", token, 0));
  lists(A, "R", F_TEL, "");
}

/* Dots that were never there replace nothing. */
static void invented_dots(void **state) {
  (void)state;
  two_siblings();
  qm_buf b;
  qm_buf_init(&b, &A->env, 1000);
  qm_dot mark = {4000, 0}, dots[20];
  qm_token_field field = {F_TEL, {dots, 20}};
  qm_token t = {.record = rec("R"), .marks = {&mark, 1}, .fields = &field, .n_fields = 1};
  for (unsigned i = 0; i < 20; i++) dots[i] = (qm_dot){5000 - i, 1};
  ok(qm__token_write(A->space, &t, &b));
  ok(with(A, qm_buf_slice(&b)));
  shows(A, "R", F_TEL, "z");
  lists(A, "R", F_TEL, "y/u,x/u");
  qm_buf_free(&b);
  rig_settle(&w); /* what was written names nothing that others refuse */
  rig_check_equal(&w);
}

/* The same local numbers, but of other authors, as after a backup came back. */
static void of_another_numbering(void **state) {
  (void)state;
  two_siblings();
  qm_slice token = form(A, "R", QM_READ_VALUES);
  uint32_t named = parsed(A, "R", token).marks.p[0].author;
  A->space->authors.ids[named].b[0] ^= 1;
  int rc = with(A, token);
  A->space->authors.ids[named].b[0] ^= 1;
  assert_int_equal(rc, QM_EFORMAT);
  ok(with(A, token));
}

static unsigned barriers;
static int barrier_fails;
static int counted_barrier(qm_store *s) {
  (void)s;
  barriers++;
  return barrier_fails ? QM_EIO : QM_OK;
}

/* What a token names may not be lost once it is there. */
static void is_there_after_what_it_names(void **state) {
  (void)state;
  two_siblings();
  qm_store *store = A->engine->store;
  const qm_store_ops *before = store->ops;
  qm_store_ops ops = *before;
  qm_buf b;
  qm_buf_init(&b, &A->env, 1000);
  ops.barrier = counted_barrier;
  store->ops = &ops;
  barriers = 0;
  barrier_fails = 1;
  int rc = qm_token_make(A->space, record_of(A, "R"), QM_READ_VALUES, &w.arena, &b);
  store->ops = before;
  assert_int_equal(rc, QM_EIO);
  assert_int_equal(barriers, 1);
  assert_int_equal(b.n, 0);
  qm_buf_free(&b);
}

static void of_an_invisible_record(void **state) {
  (void)state;
  two_siblings();
  ok(put_erase(A, "R"));
  ok(put(B, "R", F_TEL, "w"));
  ok(put_erase(B, "R"));
  rig_settle(&w);
  qm_token t = parsed(A, "R", form(A, "R", QM_READ_VALUES));
  assert_int_equal(t.marks.n, record_of(A, "R")->marks.n);
  assert_int_equal(put_with(A, "R", F_TEL, "q", none, 0), QM_EINVISIBLE);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(covers_what_was_shown), T(of_this_record_only), T(garbage),
                                     T(invented_dots), T(of_another_numbering),
                                     T(is_there_after_what_it_names), T(of_an_invisible_record)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
