/* Lists (S3.10, S3.15, S7.2): insert, remove and replace at a place, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)

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

static qm_write *begin(dev *d) {
  qm_write *x;
  w.now_ms += 1000;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  return x;
}

static int list_by(qm_write *x, uint64_t at, uint64_t cut, const qm_slice *v, uint32_t n) {
  qm_id r = rec("R");
  return qm_write_list(x, &r, F_PLAN, at, cut, v, n, none);
}

static void list_verbs(void **state) {
  (void)state;
  const qm_slice v[] = {text_value(&w, "b"), text_value(&w, "c"), text_value(&w, "d")};
  ok(put_new(A, "R"));
  qm_write *x = begin(A);
  ok(list_by(x, 0, 0, v, 3));
  ok(list_by(x, UINT64_MAX, 0, v, 1));
  assert_int_equal(qm_write_count(x), 2); /* one op a verb */
  ok(list_by(x, 1, 2, v, 1)); /* replace: delete and insert in one change */
  assert_int_equal(qm_write_count(x), 4);
  ok(list_by(x, 0, 1, NULL, 0));
  ok(list_by(x, 1, 0, NULL, 0)); /* nothing */
  assert_int_equal(qm_write_count(x), 5);
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_PLAN, "[b b]");
  ok(put_list(A, "R", 1, 0, "xyz"));
  shows(A, "R", F_PLAN, "[b x y z b]");
  rig_settle(&w);
  shows(C, "R", F_PLAN, "[b x y z b]");
}

static void list_refusals(void **state) {
  (void)state;
  static uint8_t much[70000];
  const qm_slice t = text_value(&w, "t"), i = int_value(&w, 1);
  const qm_slice mixed[] = {t, i};
  qm_id r = rec("R"), nobody = rec("nobody");
  much[0] = 0xda; /* str16 of 65533 bytes: the largest value, which no array can hold */
  much[1] = 0xff;
  much[2] = 0xfd;
  memset(much + 3, 'x', sizeof much - 3);
  ok(put_new(A, "R"));
  ok(put_list(A, "R", 0, 0, "abc"));
  qm_write *x = begin(A);
  assert_int_equal(qm_write_list(x, &nobody, F_PLAN, 0, 0, &t, 1, none), QM_ENOTFOUND);
  assert_int_equal(qm_write_list(x, &r, F_TEL, 0, 0, &t, 1, none), QM_ESCHEMA);
  assert_int_equal(qm_write_list(x, &r, F_NOTES, 0, 0, &t, 1, none), QM_ESCHEMA);
  assert_int_equal(qm_write_list(x, &r, 999, 0, 0, &t, 1, none), QM_ESCHEMA);
  assert_int_equal(qm_write_splice(x, &r, F_PLAN, 0, 0, qm_slice_of("a", 1), none), QM_ESCHEMA);
  assert_int_equal(list_by(x, 0, 3, mixed, 2), QM_ESCHEMA); /* nothing of it */
  assert_int_equal(list_by(x, 0, 0, &i, 1), QM_ESCHEMA);
  assert_int_equal(list_by(x, 0, 0, &(qm_slice){(const uint8_t *)"\xc0", 1}, 1), QM_ESCHEMA);
  assert_int_equal(list_by(x, 0, 0, &(qm_slice){(const uint8_t *)"\xc1", 1}, 1), QM_EFORMAT);
  assert_int_equal(list_by(x, 0, 0, &none, 1), QM_ETRUNCATED);
  assert_int_equal(list_by(x, 0, 0, &(qm_slice){much, QM_VALUE_MAX}, 1), QM_ELIMIT);
  assert_int_equal(list_by(x, 0, 0, &(qm_slice){much, QM_VALUE_MAX + 1}, 1), QM_EOVERSIZE);
  assert_int_equal(list_by(x, 4, 0, &t, 1), QM_ERANGE);
  assert_int_equal(list_by(x, 1, 3, &t, 1), QM_ERANGE);
  assert_int_equal(list_by(x, 1, UINT64_MAX, &t, 1), QM_ERANGE);
  assert_int_equal(qm_write_count(x), 0);
  ok(list_by(x, 3, 0, &t, 1)); /* none of it stops the change */
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_PLAN, "[a b c t]");
}

/* More than one op can hold goes into several, in order. */
static void list_of_large_values(void **state) {
  (void)state;
  static char text[5][30001];
  qm_slice v[5], *out;
  uint32_t n;
  for (int k = 0; k < 5; k++) {
    memset(text[k], 'a' + k, 30000);
    v[k] = text_value(&w, text[k]);
  }
  ok(put_new(A, "R"));
  ok(put_list(A, "R", 0, 0, "xy"));
  qm_write *x = begin(A);
  ok(list_by(x, 1, 0, v, 5));
  assert_int_equal(qm_write_count(x), 3);
  ok(qm_write_commit(x, QM_DURABLE));
  rig_settle(&w);
  ok(qm_sequence_values(cell_of(B, "R", F_PLAN, QM_SEQUENCE), &w.arena, &out, &n));
  assert_int_equal(n, 7);
  for (int k = 0; k < 5; k++) assert_int_equal(qm_slice_cmp(out[1 + k], v[k]), 0);
  rig_check_equal(&w);
}

static void list_at_a_stale_position(void **state) {
  (void)state;
  const qm_slice v = text_value(&w, "n");
  qm_id r = rec("R");
  ok(put_new(A, "R"));
  qm_slice empty = form(A, "R", QM_READ_VALUES);
  ok(put_list(A, "R", 0, 0, "abc"));
  qm_slice token = form(A, "R", QM_READ_VALUES);
  rig_settle(&w);
  ok(put_list(B, "R", 0, 1, "x"));
  pull(A, B);
  qm_write *x = begin(A);
  assert_int_equal(qm_write_list(x, &r, F_PLAN, 1, 1, NULL, 0, token), QM_ESTALE);
  assert_int_equal(qm_write_list(x, &r, F_PLAN, 0, 0, &v, 1, empty), QM_ESTALE);
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "1"), token, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  token = form(A, "R", QM_READ_VALUES);
  x = begin(A);
  ok(qm_write_list(x, &r, F_PLAN, 0, 1, &v, 1, token));
  ok(qm_write_list(x, &r, F_PLAN, 3, 0, &v, 1, token)); /* sees its own edit */
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_PLAN, "[n b c n]");
}

/* Both replaced the same element: both new ones stand, one after the other; a removal takes
 * away only what it had seen. */
static void lists_meet(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_list(A, "R", 0, 0, "abcd"));
  rig_settle(&w);
  ok(put_list(A, "R", 1, 1, "P"));
  ok(put_list(B, "R", 1, 1, "Q"));
  ok(put_list(C, "R", 0, 4, ""));
  ok(put_list(A, "R", UINT64_MAX, 0, "yz"));
  ok(put_list(B, "R", UINT64_MAX, 0, "12"));
  rig_settle(&w);
  const char *s = shown(A, "R", F_PLAN);
  assert_true(!strcmp(s, "[P Q y z 1 2]") || !strcmp(s, "[Q P 1 2 y z]") ||
              !strcmp(s, "[P Q 1 2 y z]") || !strcmp(s, "[Q P y z 1 2]"));
  for (unsigned i = 1; i < w.n; i++) shows(&w.d[i], "R", F_PLAN, s);
  rig_check_equal(&w);
}

/* A field of a newer schema, written by somebody who has it: kept, merged, handed on by
 * those who do not. */
static void lists_of_unknown_fields(void **state) {
  (void)state;
  qm_id r = rec("R");
  const qm_slice v[] = {int_value(&w, 7), text_value(&w, "x")};
  qm_slice *out;
  uint32_t n;
  ok(put_new(A, "R"));
  rig_settle(&w);
  for (unsigned i = 0; i < 2; i++) {
    qm_write *x;
    ok(qm_write_begin(&x, w.d[i].engine, w.d[i].space, QM_WRITE_RAW));
    ok(qm_write_list(x, &r, 900, 0, 0, v, 2, none));
    ok(qm_write_commit(x, QM_DURABLE));
  }
  ok(put(C, "R", F_TEL, "1"));
  rig_settle(&w);
  reopen(C);
  ok(put(C, "R", F_TEL, "2"));
  rig_settle(&w);
  rig_check_equal(&w);
  ok(qm_sequence_values(cell_of(C, "R", 900, QM_SEQUENCE), &w.arena, &out, &n));
  assert_int_equal(n, 4);
  assert_int_equal(qm_slice_cmp(out[0], v[0]) + qm_slice_cmp(out[3], v[1]), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(list_verbs),               T(list_refusals), T(list_of_large_values),
      T(list_at_a_stale_position), T(lists_meet),    T(lists_of_unknown_fields)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
