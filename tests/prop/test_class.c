/* Merged records: the short programs that break the obvious ways to build them (the numbers
 * in brackets count them within the collection they were made from), and each rule of
 * S3.16 to S3.19. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define gives(code, call) assert_int_equal(call, code)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define alone(d, r, f, text) assert_string_equal(shown_alone(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)
#define class_is(d, r, text) assert_string_equal(members(d, r), text)
#define taken_out(d, r, text) assert_string_equal(unmerged(d, r), text)

static world w;
static device *D, *E, *P, *H;
static const qm_slice none = {NULL, 0};

static void open4(void) {
  world_open(&w, 4, 1);
  D = &w.d[0];
  E = &w.d[1];
  P = &w.d[2];
  H = &w.d[3];
}

/* Records A, B and C on all devices, with a telephone each. */
static void open_abc(void) {
  open4();
  ok(put_new(D, "A"));
  ok(put_new(D, "B"));
  ok(put_new(D, "C"));
  ok(put(D, "A", F_TEL, "a"));
  ok(put(D, "B", F_TEL, "b"));
  world_settle(&w);
}

static void open_ab_merged(void) {
  open_abc();
  ok(put_merge(D, "A", "B"));
  world_settle(&w);
}

/* All hold the same, also the one that came by a state. */
static void close_equal(void) {
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

/* --- S3.16, S3.17 --- */

/* [13] The union is no join: what one author wrote to both stands, and counters add up. */
static void union_of_one_author(void **state) {
  (void)state;
  open4();
  ok(put_new(D, "A"));
  ok(put_new(D, "B"));
  ok(put(D, "A", F_TEL, "a"));
  ok(put(D, "B", F_TEL, "b"));
  ok(put_inc(D, "A", 5));
  ok(put_inc(D, "B", 3));
  ok(put_merge(D, "B", "A"));
  class_is(D, "A", "A,B");
  class_is(D, "B", "A,B");
  shows(D, "A", F_TEL, "b");
  shows(D, "B", F_TEL, "b");
  lists(D, "A", F_TEL, "a/m");
  shows(D, "B", F_VISITS, "8");
  alone(D, "A", F_VISITS, "5");
  close_equal();
}

static void union_of_each_shape(void **state) {
  (void)state;
  open_abc();
  ok(put_add(D, "A", "x"));
  ok(put_add(E, "B", "x"));
  ok(put_add(E, "B", "y"));
  ok(put_step(D, "A", "one"));
  ok(put_step(E, "B", "two"));
  ok(put_step(D, "A", "three"));
  ok(put_raise(D, "A", F_LAST, 3));
  ok(put_raise(E, "B", F_LAST, 9));
  ok(put_raise(D, "A", F_FIRST, 3));
  ok(put_raise(E, "B", F_FIRST, 9));
  ok(put_state(D, "A", "closed") == QM_ESCHEMA ? QM_OK : put_state(D, "B", "open"));
  ok(put_text(D, "A", 0, 0, "ab"));
  ok(put_text(E, "B", 0, 0, "cd"));
  world_settle(&w);
  ok(put_merge(P, "A", "B"));
  shows(P, "B", F_TAGS, "x,y");
  shows(P, "B", F_STEPS, "one|two|three");
  shows(P, "B", F_LAST, "9");
  shows(P, "B", F_FIRST, "3");
  shows(P, "B", F_NOTES, "abcd");
  close_equal();
}

/* Edges through a deleted record still connect, and the class is visible while any is. */
static void deleted_members_connect(void **state) {
  (void)state;
  open_abc();
  ok(put(D, "C", F_TEL, "c"));
  ok(put_merge(D, "A", "B"));
  ok(put_merge(D, "B", "C"));
  world_settle(&w);
  ok(put_unmerge(E, "B")); /* A and C stay joined, by a bridge */
  class_is(E, "A", "A,C");
  class_is(E, "B", "B");
  ok(put_merge(E, "C", "B"));
  class_is(E, "A", "A,B,C");
  ok(put_erase(E, "A"));
  assert_false(visible(E, "B"));
  gives(QM_EINVISIBLE, put(E, "C", F_TEL, "no"));
  ok(put_restore(E, "C"));
  assert_true(visible(E, "B"));
  class_is(E, "C", "A,B,C");
  close_equal();
}

/* One change deletes all of them; an edit beside it brings the class back. */
static void delete_is_done_on_each_member(void **state) {
  (void)state;
  open_ab_merged();
  ok(put_erase(D, "B"));
  assert_false(visible(D, "A"));
  assert_int_equal(marks(D, "A"), 1);
  ok(put(E, "B", F_TEL, "late"));
  world_settle(&w);
  assert_true(visible(P, "A"));
  assert_true(collides(P, "A")); /* the write went to A */
  assert_false(collides(P, "B"));
  shows(P, "B", F_TEL, "late");
  ok(put_restore(P, "B"));
  assert_false(collides(P, "A"));
  close_equal();
}

/* --- S3.19 --- */

/* [10] Unmerge beside a write to the class: nothing is lost. */
static void unmerge_beside_a_class_write(void **state) {
  (void)state;
  open_ab_merged();
  ok(put_unmerge(D, "B"));
  ok(put(E, "B", F_TEL, "r"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    class_is(&w.d[i], "B", "B");
    shows(&w.d[i], "B", F_TEL, "b");
    shows(&w.d[i], "A", F_TEL, "r");
    lists(&w.d[i], "A", F_TEL, "a/u"); /* b was shown, a was not */
  }
  close_equal();
}

/* What a purge will leave of a record: its edges (S3.16). */
static void strip(device *d, const char *r) {
  const qm_record *held;
  qm_id id = rec(r);
  qm_buf blob;
  ok(qm_engine_read(d->engine, d->space, &id, &w.arena, &held));
  qm_record left = {.id = id};
  left.cells = qm_arena_array(&w.arena, 1, sizeof *left.cells);
  left.cells[0] = *qm_record_cell(held, 0, QM_KEYED);
  left.n_cells = left.cap_cells = 1;
  qm_buf_init(&blob, &d->env, 1u << 20);
  ok(qm_record_encode(&left, qm_space_authors(d->space), &w.arena, &blob));
  qm_record_row row = {.id = id, .state = qm_buf_slice(&blob)};
  ok(d->store->ops->begin(d->store));
  ok(d->store->ops->record_save(d->store, 1, &row, 1));
  ok(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL));
  qm_buf_free(&blob);
  reopen(d);
}

/* [11] What is left of a class when the member that was written is gone: the others show what
 * they have, and are joined by its edges. */
static void absent_members_take_no_part(void **state) {
  (void)state;
  open_ab_merged();
  ok(put_merge(D, "A", "C"));
  ok(put(D, "B", F_TEL, "r"));
  shows(D, "B", F_TEL, "r");
  strip(D, "A");
  class_is(D, "B", "B,C");
  class_is(D, "A", "B,C");
  shows(D, "C", F_TEL, "b");
  ok(put(D, "A", F_TEL, "s")); /* its id still means the class */
  alone(D, "B", F_TEL, "s");
  ok(put_unmerge(D, "B"));
  class_is(D, "C", "C");
  gives(QM_ENOTFOUND, put_merge(D, "A", "B"));
  world_close(&w);
}

/* [12] Naming a member's values is no edit of it: its delete stands. */
static void naming_is_no_edit(void **state) {
  (void)state;
  open_abc();
  ok(put_erase(E, "B"));
  ok(put_merge(D, "A", "B"));
  ok(put(D, "A", F_TEL, "new"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "A", F_TEL, "new");
    assert_int_equal(marks(&w.d[i], "B"), 1);
    assert_true(visible(&w.d[i], "B")); /* as part of the class */
  }
  ok(put_unmerge(P, "B"));
  assert_false(visible(P, "B"));
  close_equal();
}

/* [31] What a settle hid counts as shown to the next write. */
static void hidden_counts_as_shown(void **state) {
  (void)state;
  open_ab_merged();
  lists(D, "A", F_TEL, "a/m");
  ok(put_with(D, "A", F_TEL, "a", none, QM_WRITE_SETTLE));
  shows(D, "B", F_TEL, "a");
  lists(D, "B", F_TEL, "");
  ok(put(D, "B", F_TEL, "c"));
  shows(D, "A", F_TEL, "c");
  lists(D, "A", F_TEL, "");
  world_settle(&w);
  lists(P, "A", F_TEL, "");
  alone(P, "B", F_TEL, "b");
  ok(put_unmerge(P, "A"));
  shows(P, "B", F_TEL, "b");
  shows(P, "A", F_TEL, "c");
  close_equal();
}

/* [42] What came to another member while the form was open is kept for review, and the own
 * save is shown. */
static void stale_form_of_a_class(void **state) {
  (void)state;
  open_abc();
  ok(put(D, "A", F_TEL, "a2"));
  pull(E, D);
  ok(put_merge(D, "A", "B"));
  qm_slice token = form(D, "B", QM_READ_VALUES);
  shows(D, "B", F_TEL, "a2");
  ok(put(E, "B", F_TEL, "b2")); /* not known as merged there */
  pull(D, E);
  shows(D, "A", F_TEL, "b2");
  ok(put_with(D, "B", F_TEL, "mine", token, 0));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "A", F_TEL, "mine");
    lists(&w.d[i], "A", F_TEL, "b2/u");
  }
  close_equal();
}

/* A token of a class holds for its members, however the class has changed. */
static void token_of_a_class_that_changed(void **state) {
  (void)state;
  open_ab_merged();
  qm_slice of_two = form(D, "B", QM_READ_VALUES), of_c = form(D, "C", QM_READ_VALUES);
  ok(put_unmerge(D, "B"));
  ok(put_with(D, "B", F_TEL, "b3", of_two, 0));
  shows(D, "B", F_TEL, "b3");
  lists(D, "B", F_TEL, "");
  ok(put_with(D, "A", F_TEL, "a3", of_two, 0));
  lists(D, "A", F_TEL, "a/u"); /* b was shown then, not a */
  ok(put_merge(D, "A", "C"));
  ok(put_with(D, "C", F_HEAD, "h", of_two, 0)); /* C's class had been read as A */
  ok(put_with(D, "A", F_HEAD, "h2", of_c, 0));
  gives(QM_EFORMAT, put_with(D, "B", F_HEAD, "x", of_c, 0));
  close_equal();
}

/* Raise compares over the class, and what it passes does not come back. */
static void raise_over_a_class(void **state) {
  (void)state;
  open_abc();
  ok(put_raise(D, "A", F_LAST, 5));
  ok(put_raise(D, "B", F_LAST, 9));
  ok(put_merge(D, "A", "B"));
  acknowledge(D);
  uint64_t before = qm_vv_get(qm_space_vv(D->space), 0);
  ok(put_raise(D, "A", F_LAST, 7));
  assert_int_equal(qm_vv_get(qm_space_vv(D->space), 0), before); /* 9 is shown */
  shows(D, "A", F_LAST, "9");
  ok(put_raise(D, "A", F_LAST, 12));
  shows(D, "B", F_LAST, "12");
  lists(D, "B", F_LAST, "");
  ok(put(D, "A", F_TEL, "set"));
  ok(put_raise(D, "B", F_LAST, 20));
  lists(D, "A", F_LAST, "");
  ok(put_unmerge(D, "B"));
  shows(D, "B", F_LAST, "9");
  shows(D, "A", F_LAST, "20");
  close_equal();
}

/* A raise that replaces a naming write names again what that one hid. */
static void raise_names_again(void **state) {
  (void)state;
  open_abc();
  qm_buf five;
  qm_write *x;
  qm_id a = rec("A");
  ok(put_raise(D, "B", F_LAST, 9));
  ok(put_merge(D, "A", "B"));
  qm_buf_init(&five, &D->env, 16);
  qm_mp_int(&five, 5);
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  ok(qm_write_set(x, &a, F_LAST, qm_buf_slice(&five), none, 0)); /* a correction: 9 was wrong */
  ok(qm_write_commit(x, QM_DURABLE));
  qm_buf_free(&five);
  shows(D, "B", F_LAST, "5");
  ok(put_raise(D, "A", F_LAST, 6));
  shows(D, "B", F_LAST, "6"); /* not 9 */
  close_equal();
}

static int settle_number(device *d, const char *r, int64_t v) {
  qm_write *x;
  qm_buf b;
  qm_id id = rec(r);
  qm_buf_init(&b, &d->env, 16);
  qm_mp_int(&b, v);
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  ok(qm_write_set(x, &id, F_LAST, qm_buf_slice(&b), none, QM_WRITE_SETTLE));
  qm_buf_free(&b);
  return qm_write_commit(x, QM_DURABLE);
}

/* What a naming write hid stays hidden through a raise, also where it was kept before. */
static void raise_hides_what_was_kept(void **state) {
  (void)state;
  open_abc();
  ok(put_number(D, "B", F_LAST, 6));
  ok(put_number(E, "B", F_LAST, 7));
  world_settle(&w);
  ok(put_number(P, "B", F_LAST, 8));
  lists(P, "B", F_LAST, "6/u");
  ok(put_merge(P, "A", "B"));
  ok(settle_number(P, "A", 3));
  lists(P, "A", F_LAST, "");
  ok(put_raise(P, "A", F_LAST, 4));
  shows(P, "B", F_LAST, "4");
  lists(P, "B", F_LAST, "");
  close_equal();
}

/* A member's own value that another member's write hid is not replaced by a raise. */
static void raise_clears_nothing_hidden(void **state) {
  (void)state;
  open_abc();
  ok(put_raise(D, "A", F_LAST, 9));
  world_settle(&w);
  ok(put_erase(E, "A"));
  ok(put_merge(D, "A", "B"));
  meet(D, E);
  ok(settle_number(D, "A", 5)); /* at B: A is deleted */
  alone(D, "B", F_LAST, "5");
  ok(put(P, "A", F_HEAD, "here")); /* had not heard of the delete */
  meet(D, P);
  ok(put_raise(D, "A", F_LAST, 6));
  shows(D, "B", F_LAST, "6");
  ok(put_unmerge(D, "B"));
  shows(D, "A", F_LAST, "9");
  close_equal();
}

static void sets_of_a_class(void **state) {
  (void)state;
  open_ab_merged();
  ok(put_add(D, "B", "t")); /* goes to A */
  alone(D, "A", F_TAGS, "t");
  ok(put_unmerge(D, "B"));
  ok(put_add(D, "B", "t"));
  ok(put_merge(D, "B", "A"));
  ok(put_remove(D, "A", "t")); /* both of them */
  shows(D, "B", F_TAGS, "-");
  alone(D, "B", F_TAGS, "-");
  ok(put_inc(D, "B", 2));
  alone(D, "A", F_VISITS, "2");
  ok(put_step(D, "B", "s"));
  alone(D, "A", F_STEPS, "s");
  close_equal();
}

/* Positions are those of the text shown; each edit is one of the member's own text. */
static void text_of_a_class(void **state) {
  (void)state;
  open_abc();
  ok(put_text(D, "A", 0, 0, "abc"));
  ok(put_text(D, "B", 0, 0, "def"));
  ok(put_merge(D, "A", "B"));
  shows(D, "A", F_NOTES, "abcdef");
  ok(put_text(D, "B", 3, 0, "X")); /* beside its left neighbour */
  alone(D, "A", F_NOTES, "abcX");
  ok(put_text(D, "A", 5, 1, "Y"));
  alone(D, "B", F_NOTES, "dYf");
  ok(put_text(D, "A", 2, 4, "--"));
  shows(D, "A", F_NOTES, "ab--f");
  alone(D, "B", F_NOTES, "f");
  ok(put_text(D, "A", UINT64_MAX, 0, "!"));
  alone(D, "B", F_NOTES, "f!");
  gives(QM_ERANGE, put_text(D, "A", 9, 0, "x"));
  close_equal();
}

/* So are those of a list: what is put in stands behind its left neighbour. */
static void list_of_a_class(void **state) {
  (void)state;
  open_abc();
  ok(put_list(D, "A", 0, 0, "ab"));
  ok(put_list(D, "B", 0, 0, "cd"));
  ok(put_merge(D, "A", "B"));
  shows(D, "B", F_PLAN, "[a b c d]");
  ok(put_list(D, "B", 1, 2, "xy"));
  shows(D, "A", F_PLAN, "[a x y d]");
  ok(put_list(D, "B", 4, 0, "z"));
  alone(D, "B", F_PLAN, "[d z]");
  ok(put_unmerge(D, "A"));
  shows(D, "A", F_PLAN, "[a x y]");
  close_equal();
}

static void stale_text_of_a_class(void **state) {
  qm_write *x;
  qm_id a = rec("A");
  (void)state;
  open_ab_merged();
  ok(put_text(D, "A", 0, 0, "abc"));
  qm_slice token = form(D, "B", QM_READ_VALUES);
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  ok(qm_write_splice(x, &a, F_NOTES, 0, 0, qm_slice_of("z", 1), token));
  ok(qm_write_splice(x, &a, F_NOTES, 0, 0, qm_slice_of("y", 1), token)); /* its own edits */
  ok(qm_write_commit(x, QM_DURABLE));
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  gives(QM_ESTALE, qm_write_splice(x, &a, F_NOTES, 0, 0, qm_slice_of("x", 1), token));
  qm_write_cancel(x);
  close_equal();
}

/* Two write to the class side by side: as two siblings of one record. */
static void concurrent_class_writes(void **state) {
  (void)state;
  open_ab_merged();
  ok(put(D, "A", F_TEL, "x"));
  ok(put(E, "B", F_TEL, "y"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "B", F_TEL, "y");
    lists(&w.d[i], "B", F_TEL, "x/s,a/u");
  }
  ok(put_with(P, "A", F_TEL, "x", none, QM_WRITE_SETTLE));
  world_settle(&w);
  lists(H, "B", F_TEL, "");
  shows(H, "B", F_TEL, "x");
  close_equal();
}

/* The first member changes: the class write before lives in another record. */
static void the_first_member_changes(void **state) {
  (void)state;
  open_abc();
  ok(put_merge(D, "B", "C"));
  ok(put(D, "C", F_TEL, "bc")); /* at B */
  ok(put_merge(D, "A", "B"));
  shows(D, "A", F_TEL, "bc");
  lists(D, "A", F_TEL, "a/m");
  ok(put_with(D, "B", F_TEL, "abc", none, QM_WRITE_SETTLE)); /* at A */
  alone(D, "A", F_TEL, "abc");
  alone(D, "B", F_TEL, "bc");
  lists(D, "A", F_TEL, "");
  close_equal();
}

/* --- S3.18 --- */

static void wrong_use(void **state) {
  (void)state;
  open_abc();
  gives(QM_EINVAL, put_merge(D, "A", "A"));
  gives(QM_ENOTFOUND, put_merge(D, "A", "nobody"));
  gives(QM_ENOTFOUND, put_unmerge(D, "nobody"));
  ok(put_erase(D, "C"));
  gives(QM_EINVISIBLE, put_merge(D, "A", "C"));
  uint64_t before = qm_vv_get(qm_space_vv(D->space), 0);
  ok(put_unmerge(D, "A")); /* in no class: nothing */
  assert_int_equal(qm_vv_get(qm_space_vv(D->space), 0), before);
  ok(put_merge(D, "A", "B"));
  before = qm_vv_get(qm_space_vv(D->space), 0);
  ok(put_merge(D, "B", "A"));
  assert_int_equal(qm_vv_get(qm_space_vv(D->space), 0), before);
  close_equal();
}

/* Taking out the one in the middle leaves the others joined. */
static void unmerge_bridges(void **state) {
  (void)state;
  open_abc();
  ok(put_new(D, "M"));
  ok(put_merge(D, "M", "A"));
  ok(put_merge(D, "M", "B"));
  ok(put_merge(D, "M", "C"));
  class_is(D, "C", "A,B,C,M");
  ok(put_unmerge(D, "M"));
  class_is(D, "M", "M");
  class_is(D, "C", "A,B,C");
  taken_out(D, "M", "");
  ok(put_unmerge(D, "A"));
  class_is(D, "B", "B,C");
  class_is(D, "A", "A");
  close_equal();
}

/* Cycles come about by merges side by side; one unmerge takes a record out all the same. */
static void cycles(void **state) {
  (void)state;
  open_abc();
  ok(put_merge(D, "A", "B"));
  ok(put_merge(E, "B", "C"));
  ok(put_merge(P, "C", "A"));
  world_settle(&w);
  class_is(H, "A", "A,B,C");
  ok(put_unmerge(H, "B"));
  class_is(H, "B", "B");
  class_is(H, "A", "A,C");
  close_equal();
}

/* A bridge made while its end was being taken out is listed, and settled either way. */
static void bridge_beside_an_unmerge(void **state) {
  (void)state;
  open_abc();
  ok(put_merge(D, "A", "B"));
  ok(put_merge(D, "B", "C"));
  world_settle(&w);
  ok(put_unmerge(D, "B")); /* links A and C */
  ok(put_unmerge(E, "A")); /* had been joined to B only */
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    class_is(&w.d[i], "A", "A,C");
    taken_out(&w.d[i], "C", "A");
    class_is(&w.d[i], "B", "B");
  }
  ok(put_unmerge(P, "A"));
  class_is(P, "A", "A");
  taken_out(P, "A", "");
  world_settle(&w);
  ok(put_merge(H, "A", "C"));
  taken_out(H, "A", "");
  ok(put_unmerge(D, "A"));
  ok(put_merge(D, "A", "C")); /* had seen it: no conflict */
  taken_out(D, "A", "");
  close_equal();
}

static void merge_beside_an_unmerge(void **state) {
  (void)state;
  open_ab_merged();
  ok(put_unmerge(D, "A"));
  ok(put_merge(E, "A", "C"));
  world_settle(&w);
  class_is(P, "C", "A,C");
  taken_out(P, "C", "A");
  ok(put_merge(P, "C", "A")); /* it stays */
  taken_out(P, "C", "");
  class_is(P, "C", "A,C");
  close_equal();
}

/* Undo after sync restores both, exactly. */
static void unmerge_restores_both(void **state) {
  (void)state;
  open_abc();
  ok(put_add(D, "A", "x"));
  ok(put_inc(D, "B", 3));
  ok(put_text(D, "B", 0, 0, "note"));
  world_settle(&w);
  ok(put_merge(E, "A", "B"));
  ok(put(E, "A", F_HEAD, "after"));
  world_settle(&w);
  ok(put_unmerge(P, "B"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    device *d = &w.d[i];
    shows(d, "A", F_TEL, "a");
    shows(d, "B", F_TEL, "b");
    shows(d, "A", F_TAGS, "x");
    shows(d, "B", F_TAGS, "-");
    shows(d, "B", F_VISITS, "3");
    shows(d, "A", F_VISITS, "-");
    shows(d, "B", F_NOTES, "note");
    shows(d, "A", F_HEAD, "after");
    shows(d, "B", F_HEAD, "-");
  }
  close_equal();
}

/* A merge and what it needs in one transaction, and after a rollback nothing of it. */
static void inside_one_change(void **state) {
  qm_write *x;
  qm_id a = rec("A"), b = rec("B"), n = rec("N"), out;
  int existing;
  (void)state;
  open_abc();
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  ok(qm_write_merge(x, &a, &b));
  class_is(D, "B", "A,B");
  qm_write_cancel(x);
  class_is(D, "B", "B");
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  ok(qm_write_new(x, 1, &n, none, &out, &existing));
  ok(qm_write_merge(x, &n, &b));
  ok(qm_write_merge(x, &a, &n));
  ok(qm_write_unmerge(x, &b));
  ok(qm_write_commit(x, QM_DURABLE));
  class_is(D, "N", "A,N");
  reopen(D);
  class_is(D, "N", "A,N");
  close_equal();
}

/* The index is only a way to the edges: a check makes it anew. */
static void check_rebuilds_the_index(void **state) {
  qm_store *s;
  qm_id a = rec("A");
  (void)state;
  open_ab_merged();
  s = D->store;
  ok(s->ops->begin(s));
  ok(s->ops->key_put(s, 1, QM_INDEX_EDGES, &a, NULL, 0));
  ok(s->ops->commit(s, QM_DURABLE, NULL, NULL));
  reopen(D);
  class_is(D, "B", "B");
  qm_error e = {0, ""};
  ok(qm_engine_check(D->engine, D->space, &e));
  class_is(D, "B", "A,B");
  close_equal();
}

/* A state carries the edges, and a phone that came by it reads the class. */
static void by_state(void **state) {
  (void)state;
  open4();
  w.n = 3;
  ok(put_new(D, "A"));
  ok(put_new(D, "B"));
  ok(put(D, "A", F_TEL, "a"));
  ok(put(D, "B", F_TEL, "b"));
  ok(put_merge(D, "A", "B"));
  ok(put(D, "B", F_TEL, "x"));
  world_settle(&w);
  assert_true(join(H, D));
  class_is(H, "B", "A,B");
  shows(H, "B", F_TEL, "x");
  ok(put_unmerge(H, "A"));
  w.n = 4;
  world_settle(&w);
  class_is(P, "B", "B");
  close_equal();
}

/* A record in no class costs one probe more, none in a space without edges. */
static unsigned probes;
static int (*key_find)(qm_store *, uint32_t, uint32_t, qm_slice, qm_visit_id, void *);
static int counted(qm_store *s, uint32_t space, uint32_t index, qm_slice key, qm_visit_id visit,
                   void *payload) {
  probes++;
  return key_find(s, space, index, key, visit, payload);
}

static void cost_of_no_class(void **state) {
  qm_store_ops ops;
  (void)state;
  open_abc();
  const qm_store_ops *old = D->store->ops;
  ops = *old;
  key_find = old->key_find;
  ops.key_find = counted;
  D->store->ops = &ops;
  shows(D, "C", F_TEL, "-"); /* asks once whether there are edges */
  probes = 0;
  shows(D, "C", F_TEL, "-");
  shows(D, "A", F_TEL, "a");
  assert_int_equal(probes, 0);
  ok(put_merge(D, "A", "B"));
  probes = 0;
  shows(D, "C", F_TEL, "-");
  assert_int_equal(probes, 1);
  D->store->ops = old;
  close_equal();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(union_of_one_author),
                                     cmocka_unit_test(union_of_each_shape),
                                     cmocka_unit_test(deleted_members_connect),
                                     cmocka_unit_test(delete_is_done_on_each_member),
                                     cmocka_unit_test(unmerge_beside_a_class_write),
                                     cmocka_unit_test(absent_members_take_no_part),
                                     cmocka_unit_test(naming_is_no_edit),
                                     cmocka_unit_test(hidden_counts_as_shown),
                                     cmocka_unit_test(stale_form_of_a_class),
                                     cmocka_unit_test(token_of_a_class_that_changed),
                                     cmocka_unit_test(raise_over_a_class),
                                     cmocka_unit_test(raise_names_again),
                                     cmocka_unit_test(raise_hides_what_was_kept),
                                     cmocka_unit_test(raise_clears_nothing_hidden),
                                     cmocka_unit_test(sets_of_a_class),
                                     cmocka_unit_test(text_of_a_class),
                                     cmocka_unit_test(list_of_a_class),
                                     cmocka_unit_test(stale_text_of_a_class),
                                     cmocka_unit_test(concurrent_class_writes),
                                     cmocka_unit_test(the_first_member_changes),
                                     cmocka_unit_test(wrong_use),
                                     cmocka_unit_test(unmerge_bridges),
                                     cmocka_unit_test(cycles),
                                     cmocka_unit_test(bridge_beside_an_unmerge),
                                     cmocka_unit_test(merge_beside_an_unmerge),
                                     cmocka_unit_test(unmerge_restores_both),
                                     cmocka_unit_test(inside_one_change),
                                     cmocka_unit_test(check_rebuilds_the_index),
                                     cmocka_unit_test(by_state),
                                     cmocka_unit_test(cost_of_no_class)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
