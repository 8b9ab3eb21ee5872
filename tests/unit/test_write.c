/* Local changes (S3.3, S3.6, S3.9, S3.10, S3.11): what a verb writes, replaces and keeps. */
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

static qm_write *begin(dev *d) {
  qm_write *x;
  w.now_ms += 1000;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  return x;
}

static uint64_t own_next(dev *d) {
  return d->space->own == QM_NO_AUTHOR ? 0 : qm_vv_get(qm_space_vv(d->space), d->space->own);
}

/* --- what is written at all --- */

static void nothing_to_write_is_no_change(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  ok(put_add(A, "R", "t"));
  ok(put_raise(A, "R", F_LAST, 5));
  acknowledge(A);
  uint64_t next = own_next(A);
  qm_time time = A->space->states[A->space->own].time;
  ok(put(A, "R", F_TEL, "1"));
  ok(put_add(A, "R", "t"));
  ok(put_remove(A, "R", "u"));
  ok(put_raise(A, "R", F_LAST, 4));
  ok(put_raise(A, "R", F_LAST, 5));
  ok(put_text(A, "R", 0, 0, ""));
  assert_int_equal(own_next(A), next);
  assert_true(A->space->states[A->space->own].time == time);
  ok(put_with(A, "R", F_TEL, "1", none, QM_WRITE_SETTLE));
  assert_int_equal(own_next(A), next + 1);
  qm_id r = rec("R");
  qm_write *x = begin(A);
  ok(qm_write_add(x, &r, F_TAGS, text_value(&w, "t"), QM_WRITE_AGAIN));
  assert_int_equal(qm_write_count(x), 1);
  ok(qm_write_commit(x, QM_DURABLE));
  assert_int_equal(own_next(A), next + 2);
}

static void refusals(void **state) {
  (void)state;
  qm_id r = rec("R"), nobody = rec("nobody"), out;
  int existing;
  ok(put_new(A, "R"));
  uint64_t next = own_next(A);
  qm_write *x = begin(A);
  const qm_slice t = text_value(&w, "t"), i = int_value(&w, 1);
  assert_int_equal(qm_write_set(x, &nobody, F_TEL, t, none, 0), QM_ENOTFOUND);
  assert_int_equal(qm_write_delete(x, &nobody, none), QM_ENOTFOUND);
  assert_int_equal(qm_write_set(x, &r, F_TEL, i, none, 0), QM_ESCHEMA);
  assert_true(qm_write_error(x)->message[0] != 0);
  assert_int_equal(qm_write_error(x)->code, QM_ESCHEMA);
  assert_int_equal(qm_write_set(x, &r, 999, t, none, 0), QM_ESCHEMA);
  assert_int_equal(qm_write_set(x, &r, F_TAGS, t, none, 0), QM_ESCHEMA);
  assert_int_equal(qm_write_add(x, &r, F_TEL, t, 0), QM_ESCHEMA);
  assert_int_equal(qm_write_inc(x, &r, F_TEL, 1), QM_ESCHEMA);
  assert_int_equal(qm_write_append(x, &r, F_TEL, t), QM_ESCHEMA);
  assert_int_equal(qm_write_raise(x, &r, F_TEL, t, none), QM_ESCHEMA);
  assert_int_equal(qm_write_splice(x, &r, F_TEL, 0, 0, t, none), QM_ESCHEMA);
  assert_int_equal(qm_write_set(x, &r, F_TEL, qm_slice_of("\xc1", 1), none, 0), QM_EFORMAT);
  assert_int_equal(qm_write_set(x, &r, F_TEL, none, none, 0), QM_ETRUNCATED);
  assert_int_equal(qm_write_new(x, 7, NULL, none, &out, &existing), QM_ESCHEMA);
  assert_int_equal(qm_write_new(x, 1, &r, none, &out, &existing), QM_EEXIST);
  assert_int_equal(qm_write_new(x, 1, NULL, qm_slice_of("  ", 2), &out, &existing), QM_ESCHEMA);
  assert_int_equal(qm_write_count(x), 0);
  /* None of it stops the change. */
  ok(qm_write_set(x, &r, F_TEL, t, none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_int_equal(own_next(A), next + 1);
  qm_space_info info;
  qm_space_info_get(A->space, &info);
  info.writable = 0;
  ok(qm_engine_space_put(A->engine, &info, NULL));
  assert_int_equal(qm_write_begin(&x, A->engine, A->space, 0), QM_EACCESS);
}

/* A verb that fails has written nothing, not even its first half. */
static void text_verb_is_whole(void **state) {
  (void)state;
  static char much[65536];
  qm_id r = rec("R");
  memset(much, 'x', sizeof much);
  ok(put_new(A, "R"));
  ok(put_text(A, "R", 0, 0, "hello"));
  qm_write *x = begin(A);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 0, 5, qm_slice_of("\xff", 1), none), QM_EUTF8);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 0, 5, qm_slice_of(much, sizeof much), none),
                   QM_ELIMIT);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 6, 0, none, none), QM_ERANGE);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 2, 4, none, none), QM_ERANGE);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 2, UINT64_MAX, none, none), QM_ERANGE);
  assert_int_equal(qm_write_count(x), 0);
  ok(qm_write_splice(x, &r, F_NOTES, UINT64_MAX, 0, qm_slice_of("!", 1), none));
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_NOTES, "hello!");
}

static void text_at_a_stale_position(void **state) {
  (void)state;
  qm_id r = rec("R");
  ok(put_new(A, "R"));
  qm_slice empty = form(A, "R", QM_READ_VALUES);
  ok(put_text(A, "R", 0, 0, "hello"));
  qm_slice token = form(A, "R", QM_READ_VALUES);
  rig_settle(&w);
  ok(put_text(B, "R", 0, 1, "J"));
  pull(A, B);
  qm_write *x = begin(A);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 1, 1, none, token), QM_ESTALE);
  assert_int_equal(qm_write_splice(x, &r, F_NOTES, 0, 0, qm_slice_of("a", 1), empty), QM_ESTALE);
  /* Other fields of the form are not held up; and now is now. */
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "1"), token, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  token = form(A, "R", QM_READ_VALUES);
  x = begin(A);
  ok(qm_write_splice(x, &r, F_NOTES, 0, 1, qm_slice_of("h", 1), token));
  ok(qm_write_splice(x, &r, F_NOTES, 5, 0, qm_slice_of("!", 1), token)); /* sees its own edit */
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_NOTES, "hello!");
}

/* --- replace, keep, settle --- */

static void stale_form_keeps_for_good(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "2"));
  pull(A, B);
  ok(put_with(A, "R", F_TEL, "3", token, 0));
  shows(A, "R", F_TEL, "3");
  lists(A, "R", F_TEL, "2/u");
  /* Saves from readings of values leave it there, whoever makes them. */
  ok(put(A, "R", F_TEL, "4"));
  lists(A, "R", F_TEL, "2/u");
  rig_settle(&w);
  ok(put(C, "R", F_TEL, "5"));
  lists(C, "R", F_TEL, "2/u");
  /* A kept sibling equal to the shown value is not listed, and is covered. */
  ok(put(C, "R", F_TEL, "2"));
  shows(C, "R", F_TEL, "2");
  lists(C, "R", F_TEL, "");
  assert_int_equal(qm_siblings_of(cell_of(C, "R", F_TEL, QM_SIBLINGS))->n, 2);
  ok(put(C, "R", F_TEL, "6"));
  lists(C, "R", F_TEL, "");
  assert_int_equal(qm_siblings_of(cell_of(C, "R", F_TEL, QM_SIBLINGS))->n, 1);
  rig_settle(&w);
  rig_check_equal(&w);
}

static void kept_until_a_reading_showed_it(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "2"));
  pull(A, B);
  ok(put_with(A, "R", F_TEL, "3", token, 0));
  lists(A, "R", F_TEL, "2/u");
  qm_slice review = form(A, "R", QM_READ_REVIEW);
  ok(put_with(A, "R", F_TEL, "3", review, QM_WRITE_SETTLE));
  lists(A, "R", F_TEL, "");
  shows(A, "R", F_TEL, "3");
}

/* What came after the list was read is not settled, and stays listed. */
static void settles_what_it_read(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put(A, "R", F_TEL, "x"));
  ok(put(B, "R", F_TEL, "y"));
  pull(A, B);
  lists(A, "R", F_TEL, "x/s");
  qm_slice review = form(A, "R", QM_READ_REVIEW);
  ok(put(C, "R", F_TEL, "z"));
  pull(A, C);
  ok(put_with(A, "R", F_TEL, "x", review, QM_WRITE_SETTLE));
  shows(A, "R", F_TEL, "x");
  lists(A, "R", F_TEL, "z/u");
  ok(put_with(A, "R", F_TEL, "x", none, QM_WRITE_SETTLE)); /* from the list as it stands */
  lists(A, "R", F_TEL, "");
  rig_settle(&w);
  rig_check_equal(&w);
  lists(C, "R", F_TEL, "");
}

/* [43] (S3.10) The form's second write of one field shows the first as listed. */
static void several_fields_of_one_form(void **state) {
  (void)state;
  qm_id r = rec("R");
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "2"));
  ok(put(B, "R", F_HEAD, "h"));
  ok(put_add(B, "R", "unseen"));
  pull(A, B);
  qm_write *x = begin(A);
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "3"), token, 0));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "4"), token, 0)); /* twice in one change */
  ok(qm_write_set(x, &r, F_HEAD, text_value(&w, "i"), none, 0)); /* as read now */
  ok(qm_write_remove(x, &r, F_TAGS, text_value(&w, "unseen"), token));
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_TEL, "4");
  lists(A, "R", F_TEL, "2/u");
  lists(A, "R", F_HEAD, "");
  shows(A, "R", F_TAGS, "unseen"); /* not among the elements that the form showed */
  rig_settle(&w);
  rig_check_equal(&w);
}

static void removes_what_it_showed(void **state) {
  (void)state;
  qm_id r = rec("R");
  ok(put_new(A, "R"));
  ok(put_add(A, "R", "t"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  qm_write *x = begin(B);
  ok(qm_write_add(x, &r, F_TAGS, text_value(&w, "t"), QM_WRITE_AGAIN));
  ok(qm_write_commit(x, QM_DURABLE));
  pull(A, B);
  x = begin(A);
  ok(qm_write_remove(x, &r, F_TAGS, text_value(&w, "t"), token));
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_TAGS, "t"); /* B's dot was not shown */
  ok(put_remove(A, "R", "t"));
  shows(A, "R", F_TAGS, "-");
  x = begin(A);
  ok(qm_write_add(x, &r, F_TAGS, text_value(&w, "u"), 0));
  ok(qm_write_remove(x, &r, F_TAGS, text_value(&w, "u"), token)); /* its own, of this change */
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_TAGS, "-");
}

/* --- max and min --- */

static unsigned siblings(dev *d, uint32_t field) {
  const qm_cell *cell = cell_of(d, "R", field, QM_SIBLINGS);
  return cell ? qm_siblings_of(cell)->n : 0;
}

static void raises(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_raise(A, "R", F_LAST, 5));
  ok(put_raise(A, "R", F_FIRST, 5));
  acknowledge(A);
  ok(put_raise(A, "R", F_LAST, 4));
  ok(put_raise(A, "R", F_LAST, 5));
  ok(put_raise(A, "R", F_FIRST, 6));
  assert_int_equal(siblings(A, F_LAST) + siblings(A, F_FIRST), 2);
  ok(put_raise(A, "R", F_LAST, 6));
  ok(put_raise(A, "R", F_FIRST, -6));
  shows(A, "R", F_LAST, "6");
  shows(A, "R", F_FIRST, "-6");
  assert_int_equal(siblings(A, F_LAST), 1);
  /* A correction goes back. */
  qm_id r = rec("R");
  qm_write *x = begin(A);
  ok(qm_write_set(x, &r, F_LAST, int_value(&w, 1), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_LAST, "1");
}

/* Beside a value that no hub holds; not again and again. */
static void raises_beside(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put_raise(B, "R", F_LAST, 100));
  pull(A, B);
  for (int i = 0; i < 3; i++) ok(put_raise(A, "R", F_LAST, 50));
  assert_int_equal(siblings(A, F_LAST), 2);
  ok(put_raise(A, "R", F_LAST, 50));
  for (int i = 0; i < 3; i++) ok(put_raise(A, "R", F_LAST, 100)); /* B's may be set aside */
  assert_int_equal(siblings(A, F_LAST), 3);
  shows(A, "R", F_LAST, "100");
  ok(put_raise(A, "R", F_LAST, 101));
  assert_int_equal(siblings(A, F_LAST), 1);
  /* What a hub holds holds back what is not beyond it, also behind a greater one. */
  acknowledge(A);
  ok(put_raise(A, "R", F_LAST, 200));
  ok(put_raise(A, "R", F_LAST, 150));
  assert_int_equal(siblings(A, F_LAST), 2);
  ok(put_new(A, "S"));
  rig_settle(&w);
  ok(put_raise(A, "S", F_LAST, 10));
  acknowledge(A);
  ok(put_raise(B, "S", F_LAST, 20));
  pull(A, B);
  const qm_cell *cell = cell_of(A, "S", F_LAST, QM_SIBLINGS);
  assert_int_equal(qm_siblings_of(cell)->n, 2);
  ok(put_raise(A, "S", F_LAST, 9));
  assert_int_equal(qm_siblings_of(cell_of(A, "S", F_LAST, QM_SIBLINGS))->n, 2);
  ok(put_raise(A, "S", F_LAST, 15));
  assert_int_equal(qm_siblings_of(cell_of(A, "S", F_LAST, QM_SIBLINGS))->n, 3);
  rig_settle(&w);
  rig_check_equal(&w);
}

/* A kept value is out of the contest and holds nothing back. */
static void raises_past_a_kept_one(void **state) {
  (void)state;
  qm_id r = rec("R");
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put_raise(C, "R", F_LAST, 9));
  pull(A, C);
  acknowledge(A);
  qm_write *x = begin(A);
  ok(qm_write_set(x, &r, F_LAST, int_value(&w, 3), token, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_LAST, "3");
  lists(A, "R", F_LAST, "9/u");
  ok(put_raise(A, "R", F_LAST, 2));
  assert_int_equal(siblings(A, F_LAST), 3);
  ok(put_raise(A, "R", F_LAST, 4));
  shows(A, "R", F_LAST, "4");
  assert_int_equal(siblings(A, F_LAST), 2);
}

/* --- states, counters, logs --- */

static void transitions(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_state(A, "R", "open"));
  assert_int_equal(put_state(A, "R", "closed"), QM_ESCHEMA);
  ok(put_state(A, "R", "assigned"));
  ok(put_state(A, "R", "closed"));
  assert_int_equal(put_state(A, "R", "open"), QM_ESCHEMA);
  assert_int_equal(put_state(A, "R", "nonsense"), QM_ESCHEMA);
  shows(A, "R", F_STATE, "closed");
}

static void counters_near_the_end(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_inc(A, "R", INT64_MAX - 1));
  ok(put_inc(A, "R", 1));
  assert_int_equal(put_inc(A, "R", 1), QM_ESCHEMA);
  ok(put_inc(A, "R", -1));
  ok(put_inc(A, "R", INT64_MIN + 2));
  shows(A, "R", F_VISITS, "0");
  ok(put_inc(A, "R", INT64_MIN));
  assert_int_equal(put_inc(A, "R", -1), QM_ESCHEMA);
  ok(put_inc(A, "R", INT64_MAX));
  shows(A, "R", F_VISITS, "-1");
  /* Merged beyond: out of range, then back. */
  rig_settle(&w);
  ok(put_inc(A, "R", INT64_MIN + 1));
  ok(put_inc(B, "R", -5));
  rig_settle(&w);
  int64_t sum;
  assert_int_equal(qm_totals_sum(qm_totals_of(cell_of(A, "R", F_VISITS, QM_TOTALS)), &sum),
                   QM_ERANGE);
  assert_int_equal(put_inc(A, "R", -1), QM_ESCHEMA);
  rig_check_equal(&w);
}

static void log_order(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  A->skew_ms = 900000;
  ok(put_step(A, "R", "reported"));
  A->skew_ms = 0;
  rig_settle(&w);
  ok(put_step(B, "R", "handled"));
  ok(put_step(B, "R", "closed"));
  qm_id r = rec("R");
  qm_write *x = begin(B);
  ok(qm_write_append(x, &r, F_STEPS, text_value(&w, "p")));
  ok(qm_write_append(x, &r, F_STEPS, text_value(&w, "q"))); /* one time stamp, two entries */
  ok(qm_write_commit(x, QM_DURABLE));
  shows(B, "R", F_STEPS, "reported|handled|closed|p|q");
  rig_settle(&w);
  shows(A, "R", F_STEPS, "reported|handled|closed|p|q");
  rig_check_equal(&w);
}

/* A writer whose clock shows just the time of the entry it read, and whose id comes
 * first, still stands after it. */
static void log_order_at_one_time(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put_step(B, "R", "first"));
  pull(A, B);
  A->skew_ms = -1000;
  ok(put_step(A, "R", "second"));
  shows(A, "R", F_STEPS, "first|second");
}

/* --- natural keys --- */

static qm_id new_key(dev *d, const char *key, int *existing) {
  qm_id id;
  qm_write *x = begin(d);
  ok(qm_write_new(x, 1, NULL, qm_slice_of(key, strlen(key)), &id, existing));
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, key), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  return id;
}

static void key_forms(void **state) {
  (void)state;
  static const char *const same[] = {"12", " 12", "12\t",
                                     "\xef\xbc\x91\xef\xbc\x92" /* full width */};
  int existing;
  qm_id first = new_key(A, same[0], &existing);
  assert_false(existing);
  for (size_t i = 1; i < sizeof same / sizeof same[0]; i++) {
    qm_id id = new_key(A, same[i], &existing);
    assert_true(existing);
    assert_int_equal(qm_id_cmp(&id, &first), 0);
  }
  static const char *const others[] = {"1 2", "012", "12a"};
  for (size_t i = 0; i < 3; i++) {
    qm_id id = new_key(A, others[i], &existing);
    assert_false(existing);
    assert_true(qm_id_cmp(&id, &first) != 0);
  }
}

/* Two phones offline make one record; what is known as renamed or deleted is not used
 * again: the least n that is absent. */
static void least_n(void **state) {
  (void)state;
  int existing;
  qm_id a = new_key(A, "7", &existing), b = new_key(B, "7", &existing);
  assert_int_equal(qm_id_cmp(&a, &b), 0);
  rig_settle(&w);
  qm_write *x = begin(A);
  ok(qm_write_delete(x, &a, none));
  ok(qm_write_commit(x, QM_DURABLE));
  qm_id second = new_key(A, "7", &existing);
  assert_false(existing);
  assert_true(qm_id_cmp(&a, &second) != 0);
  rig_settle(&w);
  x = begin(B);
  ok(qm_write_set(x, &second, F_KEY, text_value(&w, "8"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  qm_id third = new_key(B, "7", &existing), other = new_key(A, "7", &existing);
  assert_true(existing); /* A has not heard of the change */
  assert_int_equal(qm_id_cmp(&other, &second), 0);
  assert_true(qm_id_cmp(&third, &second) != 0 && qm_id_cmp(&third, &a) != 0);
}

/* The key is among the siblings, though another is shown: that record is opened. */
static void key_as_a_sibling(void **state) {
  (void)state;
  int existing;
  qm_id id = new_key(A, "7", &existing);
  rig_settle(&w);
  qm_write *x = begin(A);
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, "7a"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  x = begin(B);
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, "7"), none, QM_WRITE_SETTLE));
  ok(qm_write_commit(x, QM_DURABLE));
  x = begin(C);
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, "7c"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  rig_settle(&w);
  qm_id out;
  x = begin(A);
  ok(qm_write_new(x, 1, NULL, qm_slice_of("7", 1), &out, &existing));
  assert_true(existing);
  assert_int_equal(qm_id_cmp(&id, &out), 0);
  qm_write_cancel(x);
}

/* Twice in one change, before anything is in an index. */
static void one_key_twice_in_a_change(void **state) {
  (void)state;
  int existing;
  qm_id one, two;
  qm_write *x = begin(A);
  ok(qm_write_new(x, 1, NULL, qm_slice_of("7", 1), &one, &existing));
  assert_false(existing);
  ok(qm_write_set(x, &one, F_KEY, text_value(&w, "7"), none, 0));
  ok(qm_write_new(x, 1, NULL, qm_slice_of("7", 1), &two, &existing));
  assert_true(existing);
  assert_int_equal(qm_id_cmp(&one, &two), 0);
  ok(qm_write_commit(x, QM_DURABLE));
}

/* Without randomness no record is made, and the change cannot go on. */
static void random_ids_differ(void **state) {
  (void)state;
  qm_id a, b;
  int existing;
  qm_write *x = begin(A);
  ok(qm_write_new(x, 1, NULL, none, &a, &existing));
  ok(qm_write_new(x, 1, NULL, none, &b, &existing));
  assert_true(qm_id_cmp(&a, &b) != 0);
  A->random_fails = 1;
  assert_int_equal(qm_write_new(x, 1, NULL, none, &a, &existing), QM_EIO);
  A->random_fails = 0;
  assert_int_equal(qm_write_new(x, 1, NULL, none, &a, &existing), QM_ESTATE); /* only cancel */
  assert_int_equal(qm_write_commit(x, QM_DURABLE), QM_ESTATE);
  assert_int_equal(own_next(A), 0);
}

/* --- changes --- */

static void change_sees_itself(void **state) {
  (void)state;
  qm_id r = rec("R"), out;
  int existing;
  qm_write *x = begin(A);
  ok(qm_write_new(x, 1, &r, none, &out, &existing));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "1"), none, 0));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "1"), none, 0));
  assert_int_equal(qm_write_count(x), 2);
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "2"), none, 0));
  ok(qm_write_inc(x, &r, F_VISITS, 2));
  ok(qm_write_inc(x, &r, F_VISITS, 3));
  ok(qm_write_splice(x, &r, F_NOTES, 0, 0, qm_slice_of("ab", 2), none));
  ok(qm_write_splice(x, &r, F_NOTES, 1, 1, qm_slice_of("c", 1), none));
  ok(qm_write_commit(x, QM_DURABLE));
  shows(A, "R", F_TEL, "2");
  shows(A, "R", F_VISITS, "5");
  shows(A, "R", F_NOTES, "ac");
  pull(B, A);
  shows(B, "R", F_NOTES, "ac");
  rig_settle(&w);
  rig_check_equal(&w);
}

static void cancel_leaves_nothing(void **state) {
  (void)state;
  qm_id r = rec("R");
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  uint64_t next = own_next(A);
  qm_digest before, after;
  qm_space_digest(A->space, &before);
  qm_write *x = begin(A), *y;
  assert_int_equal(qm_write_begin(&y, A->engine, A->space, 0), QM_ESTATE);
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "2"), none, 0));
  qm_write_cancel(x);
  qm_write_cancel(NULL);
  shows(A, "R", F_TEL, "1");
  assert_int_equal(own_next(A), next);
  qm_space_digest(A->space, &after);
  assert_true(qm_digest_eq(&before, &after));
  check_memory(A);
  /* An author who has written nothing is in no table. */
  x = begin(B);
  qm_write_cancel(x);
  assert_int_equal(B->space->authors.n, 0);
}

/* The dependencies are what moved since the own change before, once. */
static void dependencies(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put(B, "R", F_TEL, "1"));
  ok(put(B, "R", F_TEL, "2"));
  pull(A, B);
  qm_batch_in in;
  qm_batch batch;
  qm_slice log[8];
  unsigned n = log_of(B, (qm_vv_list){NULL, 0}, log, 8);
  ok(qm_batch_open(&in, log[n - 1], &w.arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    ok(qm_authors_find(&B->space->authors, &in.authors[i], &in.map[i]));
  ok(qm_batch_read(&in, &batch));
  assert_int_equal(batch.n_segments, 1);
  assert_int_equal(batch.segments[0].n_changes, 2);
  assert_int_equal(batch.segments[0].changes[0].n_deps, 1);
  assert_int_equal(batch.segments[0].changes[1].n_deps, 0);
}

static void change_too_large(void **state) {
  (void)state;
  static char text[60001];
  qm_id r = rec("R");
  memset(text, 'x', sizeof text - 1);
  ok(put_new(A, "R"));
  uint64_t next = own_next(A);
  qm_write *x = begin(A);
  for (int i = 0; i < 9; i++) ok(qm_write_append(x, &r, F_STEPS, text_value(&w, text)));
  assert_int_equal(qm_write_commit(x, QM_DURABLE), QM_ELIMIT);
  assert_int_equal(own_next(A), next);
  shows(A, "R", F_STEPS, "-");
  x = begin(A);
  for (int i = 0; i < 8; i++) ok(qm_write_append(x, &r, F_STEPS, text_value(&w, text)));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_int_equal(pull(B, A), 2); /* the large change is a segment of its own */
  rig_settle(&w);
  rig_check_equal(&w);
}

/* Thousands of records in one change: no cost grows with their square. */
static void a_change_of_many_records(void **state) {
  (void)state;
  enum { N = 6000 };
  qm_id id;
  int existing;
  qm_write *x = begin(A);
  for (unsigned i = 0; i < N; i++) ok(qm_write_new(x, 1, NULL, none, &id, &existing));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_int_equal(own_next(A), N);
  pull(B, A);
  rig_settle(&w);
  rig_check_equal(&w);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(nothing_to_write_is_no_change),
                                     T(refusals),
                                     T(text_verb_is_whole),
                                     T(text_at_a_stale_position),
                                     T(stale_form_keeps_for_good),
                                     T(kept_until_a_reading_showed_it),
                                     T(settles_what_it_read),
                                     T(several_fields_of_one_form),
                                     T(removes_what_it_showed),
                                     T(raises),
                                     T(raises_beside),
                                     T(raises_past_a_kept_one),
                                     T(transitions),
                                     T(counters_near_the_end),
                                     T(log_order),
                                     T(log_order_at_one_time),
                                     T(key_forms),
                                     T(least_n),
                                     T(key_as_a_sibling),
                                     T(one_key_twice_in_a_change),
                                     T(random_ids_differ),
                                     T(change_sees_itself),
                                     T(cancel_leaves_nothing),
                                     T(dependencies),
                                     T(change_too_large),
                                     T(a_change_of_many_records)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
