/* Presence (S3.7): which marks a write replaces and which it keeps, and what is visible. */
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

/* The marks as "device:e" or "device:d", k where kept, ascending by dot. */
static const char *list(dev *d) {
  static char out[256];
  const qm_record *r = record_of(d, "R");
  size_t n = 0;
  out[0] = 0;
  for (uint32_t i = 0; r && i < r->marks.n; i++) {
    const qm_mark *m = &r->marks.p[i];
    n += (size_t)snprintf(out + n, sizeof out - n, "%s%c:%c%s", i ? " " : "",
                          d->space->authors.ids[m->dot.author].b[0], m->deleted ? 'd' : 'e',
                          m->kept ? "k" : "");
  }
  return out;
}

#define marked(d, text) assert_string_equal(list(d), text)

/* R on A and B; then A edits it while B deletes it; both everywhere. */
static void collision(void) {
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put(A, "R", F_TEL, "1"));
  ok(put_erase(B, "R"));
  assert_false(visible(B, "R"));
  rig_settle(&w);
  marked(A, "A:e B:d");
  assert_true(visible(A, "R") && collides(A, "R"));
}

static void one_mark_for_all_edits(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  marked(A, "A:e");
  ok(put(A, "R", F_TEL, "1"));
  ok(put_add(A, "R", "x"));
  ok(put_remove(A, "R", "x"));
  ok(put_inc(A, "R", 1));
  ok(put_text(A, "R", 0, 0, "abc"));
  ok(put_text(A, "R", 0, 3, ""));
  ok(put_step(A, "R", "s"));
  marked(A, "A:e");
  pull(B, A);
  ok(put(B, "R", F_TEL, "2"));
  marked(B, "B:e");
  ok(put_erase(B, "R"));
  marked(B, "B:d");
  assert_int_equal(put_erase(B, "R"), QM_EINVISIBLE);
  assert_int_equal(put(B, "R", F_TEL, "3"), QM_EINVISIBLE);
  assert_int_equal(put_inc(B, "R", 1), QM_EINVISIBLE);
  ok(put_restore(B, "R"));
  marked(B, "B:e");
  shows(B, "R", F_TEL, "2");
}

/* An edit keeps the delete that its reading did not show, for good. */
static void edit_keeps_an_unread_delete(void **state) {
  (void)state;
  collision();
  ok(put(A, "R", F_TEL, "2"));
  marked(A, "A:e B:dk");
  assert_true(visible(A, "R") && collides(A, "R"));
  ok(put(A, "R", F_TEL, "3"));
  marked(A, "A:e B:dk");
  rig_settle(&w);
  ok(put(C, "R", F_HEAD, "h"));
  marked(C, "B:dk C:e");
  /* Until a write whose reading showed it. */
  ok(put_with(C, "R", F_TEL, "4", form(C, "R", QM_READ_REVIEW), 0));
  marked(C, "C:e");
  assert_false(collides(C, "R"));
  rig_settle(&w);
  marked(A, "C:e");
  rig_check_equal(&w);
}

static void settle_reads_the_review_list(void **state) {
  (void)state;
  collision();
  ok(put_with(A, "R", F_TEL, "1", (qm_slice){NULL, 0}, QM_WRITE_SETTLE));
  marked(A, "A:e");
}

static void second_delete_settles(void **state) {
  (void)state;
  collision();
  ok(put_erase(C, "R"));
  marked(C, "C:d");
  assert_false(visible(C, "R") || collides(C, "R"));
  rig_settle(&w);
  rig_check_equal(&w);
}

static void restore_settles(void **state) {
  (void)state;
  collision();
  ok(put_restore(C, "R"));
  marked(C, "C:e");
  assert_true(visible(C, "R") && !collides(C, "R"));
}

static qm_write *begin(dev *d) {
  qm_write *x;
  w.now_ms += 1000;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  return x;
}

/* So does a restore with edits behind it: it is the whole change's word. */
static void restore_and_edit_settle(void **state) {
  (void)state;
  qm_id r = rec("R");
  qm_slice none = {NULL, 0};
  collision();
  qm_write *x = begin(C);
  ok(qm_write_restore(x, &r));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "2"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  marked(C, "C:e");
  assert_true(visible(C, "R") && !collides(C, "R"));
  rig_settle(&w);
  rig_check_equal(&w);
}

/* A delete keeps the edit that its form did not show: gone, and told. */
static void delete_keeps_an_unread_edit(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "1"));
  ok(put(C, "R", F_HEAD, "h"));
  pull(A, B);
  pull(A, C);
  marked(A, "B:e C:e");
  ok(put_erase_with(A, "R", token));
  marked(A, "A:d B:ek C:ek");
  assert_true(!visible(A, "R") && collides(A, "R"));
  rig_settle(&w);
  assert_int_equal(put(B, "R", F_TEL, "2"), QM_EINVISIBLE);
  ok(put_restore(B, "R"));
  marked(B, "B:e");
  shows(B, "R", F_HEAD, "h");
}

/* Edits that the form did not show are no reason to keep edits: one mark. */
static void stale_edit_keeps_deletes_only(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "1"));
  ok(put_erase(C, "R"));
  pull(A, B);
  pull(A, C);
  marked(A, "B:e C:d");
  ok(put_with(A, "R", F_HEAD, "h", token, 0));
  marked(A, "A:e C:dk");
}

/* And deletes that it did not show are none to keep deletes. */
static void stale_delete_keeps_edits_only(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "1"));
  ok(put_erase(C, "R"));
  pull(A, B);
  pull(A, C);
  ok(put_erase_with(A, "R", token));
  marked(A, "A:d B:ek");
}

/* A kept edit is replaced by an edit (only deletes are kept by one), a kept delete by a
 * delete. */
static void kept_marks_of_the_own_kind_go(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "1"));
  pull(A, B);
  ok(put_erase_with(A, "R", token));
  ok(put(C, "R", F_HEAD, "h"));
  rig_settle(&w);
  marked(C, "A:d B:ek C:e");
  assert_true(visible(C, "R"));
  ok(put(C, "R", F_HEAD, "i"));
  marked(C, "A:dk C:e");
  ok(put_erase(C, "R"));
  marked(C, "C:d");
}

/* The reading of a visible record shows the edits that are not kept. */
static void kept_edit_of_a_visible_record(void **state) {
  (void)state;
  for (unsigned restores = 0; restores < 2; restores++) {
    rig_close(&w);
    rig_open(&w, 3, 1);
    ok(put_new(A, "R"));
    rig_settle(&w);
    qm_slice token = form(A, "R", QM_READ_VALUES);
    ok(put(B, "R", F_TEL, "1"));
    pull(A, B);
    ok(put_erase_with(A, "R", token));
    ok(put(C, "R", F_HEAD, "h"));
    rig_settle(&w);
    marked(C, "A:d B:ek C:e");
    ok(restores ? put_restore(C, "R") : put_erase(C, "R"));
    marked(C, restores ? "C:e" : "B:ek C:d"); /* restore keeps none */
  }
}

/* Only the op that decides says what becomes of the marks. */
static void one_list_a_change_and_record(void **state) {
  (void)state;
  const qm_slice none = {NULL, 0};
  qm_id r = rec("R");
  qm_slice log[4];
  qm_batch_in in;
  qm_batch batch;
  collision();
  ok(qm_engine_push(A->engine, A->space));
  qm_vv_list have;
  ok(qm_engine_heads(A->engine, A->space, &w.arena, &have));
  w.now_ms += 1000;
  qm_write *x;
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "2"), none, 0));
  ok(qm_write_set(x, &r, F_HEAD, text_value(&w, "3"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_int_equal(log_of(A, have, log, 4), 1);
  ok(qm_batch_open(&in, log[0], &w.arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    ok(qm_authors_find(&A->space->authors, &in.authors[i], &in.map[i]));
  ok(qm_batch_read(&in, &batch));
  const qm_change *c = &batch.segments[0].changes[0];
  assert_int_equal(c->n_ops, 2);
  assert_false(c->ops[0].flags & QM_OP_MARKS);
  assert_true(c->ops[1].flags & QM_OP_MARKS);
  assert_int_equal(c->ops[1].marks.n, 1);
}

/* An edit that had not seen the delete brings the whole record back; whoever hears of
 * them in another order, or by state, sees the same. */
static void any_order(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  qm_slice token = form(B, "R", QM_READ_VALUES);
  ok(put(A, "R", F_TEL, "1"));
  pull(B, A);
  ok(put_erase_with(B, "R", token)); /* keeps A's edit */
  ok(put(A, "R", F_TEL, "2"));       /* has not seen the delete */
  pull(A, B);
  pull(B, A);
  marked(A, "A:e B:d");
  marked(B, "A:e B:d");
  assert_true(join(C, B));
  marked(C, "A:e B:d");
  rig_check_equal(&w);
}

static void last_op_of_a_change_decides(void **state) {
  (void)state;
  const qm_slice none = {NULL, 0};
  qm_id r = rec("R"), s = rec("S"), out;
  int existing;
  qm_write *x = begin(A);
  ok(qm_write_new(x, 1, &r, none, &out, &existing));
  ok(qm_write_new(x, 1, &s, none, &out, &existing));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "1"), none, 0));
  ok(qm_write_delete(x, &r, none));
  ok(qm_write_set(x, &s, F_TEL, text_value(&w, "1"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_false(visible(A, "R"));
  assert_true(visible(A, "S"));
  assert_int_equal(record_of(A, "R")->marks.p[0].dot.counter, 3);
  assert_int_equal(record_of(A, "S")->marks.p[0].dot.counter, 4);
  assert_int_equal(marks(A, "R"), 1);
  x = begin(A);
  ok(qm_write_restore(x, &r));
  ok(qm_write_set(x, &r, F_TEL, text_value(&w, "2"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_true(visible(A, "R"));
  assert_int_equal(marks(A, "R"), 1);
  pull(B, A);
  assert_true(visible(B, "R") && visible(B, "S"));
}

/* Restoring what is visible and without a collision is nothing. */
static void restore_of_nothing(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  uint64_t next = qm_vv_get(qm_space_vv(A->space), A->space->own);
  ok(put_restore(A, "R"));
  assert_int_equal(qm_vv_get(qm_space_vv(A->space), A->space->own), next);
  assert_int_equal(put_restore(A, "nobody"), QM_ENOTFOUND);
}

/* Edges are no edits. */
static void edges_do_not_mark(void **state) {
  (void)state;
  forge f;
  forge_open(&f, &w);
  uint32_t x = forge_author(&f, 'x', 1);
  qm_segment g[2] = {forge_new(&f, x, "R")};
  forge_begin(&f, x);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.record = rec("R"), .shape = QM_KEYED, .value = text_value(&w, "edge")});
  g[1] = forge_seal(&f);
  qm_ingest in = {.peer = {{'x'}}};
  ok(take(A, forge_batch(&f, g, 2), &in));
  assert_int_equal(in.taken, 2);
  marked(A, "x:e");
  assert_int_equal(record_of(A, "R")->marks.p[0].dot.counter, 0);
  assert_non_null(cell_of(A, "R", 0, QM_KEYED));
  forge_close(&f);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(one_mark_for_all_edits),
                                     T(edit_keeps_an_unread_delete),
                                     T(settle_reads_the_review_list),
                                     T(second_delete_settles),
                                     T(restore_settles), T(restore_and_edit_settle),
                                     T(delete_keeps_an_unread_edit),
                                     T(stale_edit_keeps_deletes_only),
                                     T(stale_delete_keeps_edits_only),
                                     T(kept_marks_of_the_own_kind_go),
                                     T(kept_edit_of_a_visible_record),
                                     T(one_list_a_change_and_record),
                                     T(any_order),
                                     T(last_op_of_a_change_decides),
                                     T(restore_of_nothing),
                                     T(edges_do_not_mark)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
