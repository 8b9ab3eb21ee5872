/* What is shown (S3.9, S3.13): contests, effective times, conflicts, natural keys. */
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

static void greatest_time_then_author(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put(A, "R", F_TEL, "first"));
  ok(put(B, "R", F_TEL, "later"));
  C->skew_ms = -1500; /* between the two */
  ok(put(C, "R", F_TEL, "between"));
  rig_settle(&w);
  shows(A, "R", F_TEL, "later");
  lists(A, "R", F_TEL, "between/s,first/s");
  rig_check_equal(&w);
}

static void ties_go_by_author(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  B->skew_ms = -1000;
  C->skew_ms = -2000;
  ok(put(A, "R", F_TEL, "a"));
  ok(put(B, "R", F_TEL, "b"));
  ok(put(C, "R", F_TEL, "c"));
  rig_settle(&w);
  for (unsigned i = 0; i < 3; i++) {
    shows(&w.d[i], "R", F_TEL, "c");
    lists(&w.d[i], "R", F_TEL, "b/s,a/s");
  }
}

/* A stamp of the hub on B's changes from `first` on, as it would arrive. */
static void stamp(forge *f, const qm_author *author, uint64_t first, uint64_t next, uint64_t ms) {
  uint32_t h = forge_author(f, 'h', 1);
  qm_buf b;
  qm_buf_init(&b, &A->env, 100);
  qm_mp_array(&b, 4);
  qm_mp_bin(&b, author->b, QM_AUTHOR_SIZE);
  qm_mp_uint(&b, first);
  qm_mp_uint(&b, next);
  qm_mp_uint(&b, qm_time_make(ms));
  forge_begin(f, h);
  forge_change(f, NULL, 0);
  forge_op(f, (qm_op){.field = QM_SPACE_STAMPS,
                      .shape = QM_KEYED,
                      .value = qm_slice_of(qm_arena_copy(&w.arena, b.p, b.n), b.n)});
  qm_buf_free(&b);
  qm_segment g = forge_seal(f);
  for (unsigned i = 0; i < w.n; i++) {
    qm_ingest in = {.peer = {{'h'}}};
    ok(take(&w.d[i], forge_batch(f, &g, 1), &in));
    assert_int_equal(in.taken, 1);
  }
}

static void stamps_hold_back_a_fast_clock(void **state) {
  (void)state;
  forge f;
  ok(put_new(A, "R"));
  rig_settle(&w);
  B->skew_ms = INT64_C(86400000);
  ok(put(B, "R", F_TEL, "tomorrow"));
  B->skew_ms = 0;
  ok(put(A, "R", F_TEL, "today"));
  rig_settle(&w);
  shows(A, "R", F_TEL, "tomorrow");
  forge_open(&f, &w);
  const qm_author *b = qm_engine_author(B->engine);
  stamp(&f, b, 1, 9, w.now_ms - 500000); /* not this op */
  stamp(&f, b, 0, 0, w.now_ms - 500000); /* none */
  shows(A, "R", F_TEL, "tomorrow");
  stamp(&f, b, 0, 1, w.now_ms + 500000);
  shows(A, "R", F_TEL, "tomorrow"); /* still later */
  stamp(&f, b, 0, 1, w.now_ms - 500000);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_TEL, "today");
    lists(&w.d[i], "R", F_TEL, "tomorrow/s"); /* listed by its own time */
    assert_int_equal(w.d[i].space->stamps.n, 1);
  }
  stamp(&f, b, 0, 9, w.now_ms + 900000); /* the least of those that cover it counts */
  shows(A, "R", F_TEL, "today");
  reopen(A);
  shows(A, "R", F_TEL, "today");
  assert_int_equal(A->space->stamps.n, 1);
  /* What does not read as a stamp, or is of an author nobody knows, has no effect. */
  stamp(&f, &(qm_author){{99}}, 0, 9, 1);
  assert_int_equal(A->space->stamps.n, 1);
  uint32_t h = forge_author(&f, 'h', 1);
  forge_begin(&f, h);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.field = QM_SPACE_STAMPS, .shape = QM_KEYED, .value = text_value(&w, "?")});
  qm_segment g = forge_seal(&f);
  qm_ingest in = {.peer = {{'h'}}};
  ok(take(A, forge_batch(&f, &g, 1), &in));
  assert_int_equal(A->space->stamps.n, 1);
  shows(A, "R", F_TEL, "today");
  pull(B, A);
  pull(C, A);
  rig_check_equal(&w);
  /* Rolled back, it is as if it had not come. */
  stamp(&f, b, 0, 1, 1);
  ok(qm_engine_begin(A->engine));
  forge_begin(&f, h);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.field = QM_SPACE_STAMPS, .shape = QM_KEYED, .value = int_value(&w, 1)});
  g = forge_seal(&f);
  ok(qm_engine_ingest(A->engine, A->space, forge_batch(&f, &g, 1), &in, &w.arena, NULL));
  qm_engine_rollback(A->engine);
  assert_int_equal(A->space->stamps.n, 2);
  forge_close(&f);
}

static void greatest_and_least(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  ok(put_raise(A, "R", F_LAST, 7));
  ok(put_raise(B, "R", F_LAST, 9));
  ok(put_raise(C, "R", F_LAST, -8));
  ok(put_raise(A, "R", F_FIRST, 7));
  ok(put_raise(B, "R", F_FIRST, 9));
  ok(put_raise(C, "R", F_FIRST, -8));
  rig_settle(&w);
  shows(A, "R", F_LAST, "9");
  shows(B, "R", F_FIRST, "-8");
  lists(B, "R", F_FIRST, "9/s,7/s");
}

static void states_by_rank(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_state(A, "R", "open"));
  ok(put_state(A, "R", "assigned"));
  rig_settle(&w);
  ok(put_state(A, "R", "escalated"));
  ok(put_state(B, "R", "closed")); /* later, of a lower rank */
  rig_settle(&w);
  shows(A, "R", F_STATE, "escalated");
  lists(A, "R", F_STATE, "closed/c"); /* neither is reached from the other */
  ok(put_new(A, "S"));
  rig_settle(&w);
  ok(put_state(A, "S", "open"));
  ok(put_state(B, "S", "assigned"));
  rig_settle(&w);
  lists(A, "S", F_STATE, "open/s");
}

static void only_kept_ones_left(void **state) {
  (void)state;
  /* Made by hand: the write that kept them is erased. */
  forge f;
  forge_open(&f, &w);
  uint32_t x = forge_author(&f, 'x', 1), y = forge_author(&f, 'y', 1);
  qm_segment g[4] = {forge_new(&f, x, "R"), forge_write(&f, x, "R", F_TEL, "early")};
  qm_dot dep = {2, x};
  f.chains[y].time = f.chains[x].time;
  g[2] = (forge_begin(&f, y), forge_change(&f, &(qm_dot){1, x}, 1),
          forge_op(&f, (qm_op){.record = rec("R"),
                               .field = F_TEL,
                               .shape = QM_SIBLINGS,
                               .value = text_value(&w, "late")}),
          forge_seal(&f));
  forge_begin(&f, y);
  forge_change(&f, &dep, 1);
  forge_op(&f, (qm_op){.record = rec("R"),
                       .field = F_TEL,
                       .shape = QM_SIBLINGS,
                       .flags = QM_OP_LISTED,
                       .value = text_value(&w, "gone")});
  g[3] = forge_seal(&f);
  ok(qm_segment_erase(&g[3], 1, &f.authors, &f.arena));
  qm_ingest in = {.peer = {{'x'}}};
  ok(take(A, forge_batch(&f, g, 4), &in));
  assert_int_equal(in.taken, 4);
  shows(A, "R", F_TEL, "late");
  lists(A, "R", F_TEL, "early/u");
  ok(put(A, "R", F_TEL, "now"));
  lists(A, "R", F_TEL, "early/u");
  forge_close(&f);
}

static void many_siblings_are_listed_in_order(void **state) {
  (void)state;
  enum { N = 300 };
  forge f;
  forge_open(&f, &w);
  uint32_t x = forge_author(&f, 'x', 1);
  qm_segment g[2] = {forge_new(&f, x, "R")};
  forge_begin(&f, x);
  for (int i = 0; i < N; i++) {
    forge_change(&f, NULL, 0);
    forge_op(&f, (qm_op){.record = rec("R"),
                         .field = F_TEL,
                         .shape = QM_SIBLINGS,
                         .flags = QM_OP_LISTED,
                         .value = int_value(&w, i)});
  }
  g[1] = forge_seal(&f);
  qm_ingest in = {.peer = {{'x'}}};
  ok(take(A, forge_batch(&f, g, 2), &in));
  qm_contest c;
  ok(qm_read_contest(A->space, NULL, cell_of(A, "R", F_TEL, QM_SIBLINGS), &w.arena, &c));
  assert_int_equal(c.n_others, N - 1);
  assert_int_equal(c.shown->dot.counter, N);
  for (uint32_t i = 0; i < c.n_others; i++) {
    assert_int_equal(c.others[i].sibling->dot.counter, N - 1 - i);
    assert_int_equal(c.others[i].cls, QM_CONFLICT_UNREAD);
  }
  ok(qm_read_contest(A->space, NULL, NULL, &w.arena, &c));
  assert_null(c.shown);
  forge_close(&f);
}

static qm_id created(dev *d, const char *key, int *existing) {
  qm_write *x;
  qm_id id;
  w.now_ms += 1000;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  ok(qm_write_new(x, 1, NULL, qm_slice_of(key, strlen(key)), &id, existing));
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, key), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  return id;
}

static int found(dev *d, const char *key, qm_id *id) {
  return qm_engine_find_key(d->engine, d->space, qm_schema_collection(d->space->schema, 1),
                            qm_slice_of(key, strlen(key)), id);
}

static void finds_by_key(void **state) {
  (void)state;
  int existing, same;
  qm_id id, hit;
  id = created(A, "12", &existing);
  ok(found(A, "12", &hit));
  assert_int_equal(qm_id_cmp(&id, &hit), 0);
  assert_int_equal(found(A, "1", &hit), QM_ENOTFOUND);
  rig_settle(&w);
  /* A listed sibling that is not shown is no hit. */
  qm_write *x;
  ok(qm_write_begin(&x, B->engine, B->space, 0));
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, "13"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  w.now_ms += 1000;
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  ok(qm_write_set(x, &id, F_KEY, text_value(&w, "14"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  rig_settle(&w);
  ok(found(A, "14", &hit));
  assert_int_equal(found(A, "13", &hit), QM_ENOTFOUND);
  /* `new` of 13 looks at the record of that key's id only: the one that lists it has the
     id of 12. */
  qm_id other = created(A, "13", &existing);
  assert_false(existing);
  assert_int_not_equal(qm_id_cmp(&other, &id), 0);
  hit = created(A, "12", &existing);
  assert_false(existing);
  qm_arena_reset(&w.arena);
  const qm_record *r;
  ok(qm_engine_read(A->engine, A->space, &other, &w.arena, &r));
  ok(qm_read_same_key(A->engine, A->space, r, &same));
  assert_false(same);
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  ok(qm_write_set(x, &hit, F_KEY, text_value(&w, "13"), none, 0));
  ok(qm_write_commit(x, QM_DURABLE));
  ok(qm_engine_read(A->engine, A->space, &other, &w.arena, &r));
  ok(qm_read_same_key(A->engine, A->space, r, &same));
  assert_true(same);
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  ok(qm_write_delete(x, &hit, none));
  ok(qm_write_commit(x, QM_DURABLE));
  ok(qm_read_same_key(A->engine, A->space, r, &same));
  assert_false(same);
}

/* Another creation with a lesser dot moves a record to another collection: the index of
 * the first does not find it there. */
static void key_of_another_collection(void **state) {
  (void)state;
  int existing;
  qm_id id = created(A, "12", &existing), hit;
  forge f;
  forge_open(&f, &w);
  uint32_t x = forge_author(&f, 1, 1);
  forge_begin(&f, x);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.record = id, .value = int_value(&w, 77)});
  qm_segment g = forge_seal(&f);
  qm_ingest in = {.peer = {{1}}};
  ok(found(A, "12", &hit));
  ok(take(A, forge_batch(&f, &g, 1), &in));
  assert_int_equal(in.taken, 1);
  assert_int_equal(found(A, "12", &hit), QM_ENOTFOUND);
  forge_close(&f);
}

static void inside_a_transaction(void **state) {
  (void)state;
  const qm_record *r;
  qm_id id = rec("R"), out;
  int existing;
  qm_write *x;
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  assert_int_equal(qm_engine_read(A->engine, A->space, &id, &w.arena, &r), QM_ENOTFOUND);
  ok(qm_write_new(x, 1, &id, none, &out, &existing));
  ok(qm_engine_read(A->engine, A->space, &id, &w.arena, &r));
  qm_write_cancel(x);
  assert_int_equal(qm_engine_read(A->engine, A->space, &id, &w.arena, &r), QM_ENOTFOUND);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(greatest_time_then_author),
                                     T(ties_go_by_author),
                                     T(stamps_hold_back_a_fast_clock),
                                     T(greatest_and_least),
                                     T(states_by_rank),
                                     T(only_kept_ones_left),
                                     T(many_siblings_are_listed_in_order),
                                     T(finds_by_key),
                                     T(key_of_another_collection),
                                     T(inside_a_transaction)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
