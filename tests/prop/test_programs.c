/* Short programs that break the obvious way to build a sync engine, each with what
 * must come out. A, B, D, E, N, P are devices, H is the hub; the numbers in brackets
 * count them within the collection these tests were made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/segment.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)

static world w;
static device *A, *B, *C, *H;

static void open4(void) {
  world_open(&w, 4, 1);
  A = &w.d[0];
  B = &w.d[1];
  C = &w.d[2];
  H = &w.d[3];
}

static void close_equal(void) {
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

/* [1] (S3.2, S9.1) A state carries each author's clock row: without it the next change of an author
 * that names no dependency would be read in the wrong context. */
static void state_carries_clock_rows(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "old"));
  meet(A, B);
  ok(put(B, "R", F_HEAD, "m"));
  pull(H, A);
  pull(H, B);
  assert_true(join(C, H));
  ok(put(B, "R", F_TEL, "new"));
  pull(H, B);
  pull(C, B);
  shows(C, "R", F_TEL, "new");
  lists(C, "R", F_TEL, "");
  lists(H, "R", F_TEL, "");
  close_equal();
}

/* [2] (S9.2) A replica that came by a state hands on, with its own change, what that state
 * stood on. */
static void state_joined_then_written(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "visit"));
  meet(A, B);
  assert_true(join(C, B)); /* C knows A's change by state only */
  ok(put(C, "R", F_HEAD, "7"));
  pull(H, A);
  pull(H, C);
  shows(H, "R", F_TEL, "visit");
  shows(H, "R", F_HEAD, "7");
  close_equal();
}

/* [7] (S3.11) K12 is created, its key corrected to 13; another phone that has heard of it
 * creates the true 12: a new record. */
static qm_id new_key(device *d, const char *key, int *existing) {
  qm_write *x;
  qm_id id;
  qm_buf b;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  ok(qm_write_new(x, 1, NULL, qm_slice_of(key, strlen(key)), &id, existing));
  qm_buf_init(&b, &d->env, 100);
  qm_mp_str(&b, key, strlen(key));
  ok(qm_write_set(x, &id, F_KEY, qm_buf_slice(&b), qm_slice_of(NULL, 0), 0));
  qm_buf_free(&b);
  ok(qm_write_commit(x, QM_DURABLE));
  return id;
}

static void set_key(device *d, const qm_id *id, const char *key) {
  qm_write *x;
  qm_buf b;
  qm_buf_init(&b, &d->env, 100);
  qm_mp_str(&b, key, strlen(key));
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  ok(qm_write_set(x, id, F_KEY, qm_buf_slice(&b), qm_slice_of(NULL, 0), 0));
  ok(qm_write_commit(x, QM_DURABLE));
  qm_buf_free(&b);
}

static void corrected_key_is_not_reused(void **state) {
  int existing;
  (void)state;
  open4();
  qm_id first = new_key(A, "12", &existing);
  assert_false(existing);
  set_key(A, &first, "13");
  meet(A, B);
  qm_id second = new_key(B, "12", &existing);
  assert_false(existing);
  assert_true(qm_id_cmp(&first, &second) != 0);
  qm_id again = new_key(B, " 13 ", &existing); /* the normal form trims */
  assert_true(existing);
  assert_int_equal(qm_id_cmp(&first, &again), 0);
  close_equal();
}

static void same_key_offline_is_one_record(void **state) {
  int existing;
  (void)state;
  open4();
  qm_id a = new_key(A, "77", &existing), b = new_key(B, "77", &existing);
  assert_false(existing);
  assert_int_equal(qm_id_cmp(&a, &b), 0);
  close_equal();
}

/* [8] (S3.11, S3.14) A deleted record's id is not used again: the old family's fields stay away. */
static void deleted_key_is_not_reused(void **state) {
  int existing;
  qm_write *x;
  (void)state;
  open4();
  qm_id first = new_key(A, "5", &existing);
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  ok(qm_write_delete(x, &first, qm_slice_of(NULL, 0)));
  ok(qm_write_commit(x, QM_DURABLE));
  meet(A, B);
  qm_id second = new_key(B, "5", &existing);
  assert_false(existing);
  assert_true(qm_id_cmp(&first, &second) != 0);
  close_equal();
}

/* [14] (S3.3, S3.10) What a background sync brought while the form was open is kept for review. */
static void stale_form_keeps_what_it_did_not_show(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  meet(A, B);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "2"));
  pull(A, B);
  ok(put_with(A, "R", F_TEL, "3", token, 0));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_TEL, "3");
    lists(&w.d[i], "R", F_TEL, "2/u");
  }
  close_equal();
}

/* [15] (S2.2, S3.9) A's clock is 15 minutes behind; its own save is shown all the same. */
static void own_save_is_shown_whatever_the_clock(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  meet(A, B);
  A->skew_ms = -900000;
  ok(put(B, "R", F_TEL, "y"));
  w.now_ms += 600000;
  ok(put(C, "Q", F_TEL, "no such record") == QM_ENOTFOUND ? QM_OK : -1);
  pull(C, B);
  pull(C, A);
  H->skew_ms = 0;
  pull(H, A);
  ok(put(H, "R", F_TEL, "x")); /* concurrent with y, later clock */
  pull(A, B);
  pull(A, H);
  shows(A, "R", F_TEL, "x");
  lists(A, "R", F_TEL, "y/s");
  ok(put(A, "R", F_TEL, "z"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_TEL, "z");
    lists(&w.d[i], "R", F_TEL, "y/u");
  }
  close_equal();
}

/* [16] (S2.4) One backup restored on two phones: two authors, nothing is lost. */
static void restored_twice_is_two_authors(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  meet(A, B);
  qm_author before = *qm_engine_author(A->engine);
  A->instance[5] ^= 1; /* the store now lies elsewhere */
  reopen(A);
  assert_true(qm_author_cmp(&before, qm_engine_author(A->engine)) != 0);
  qm_author once = *qm_engine_author(A->engine);
  reopen(A);
  assert_int_equal(qm_author_cmp(&once, qm_engine_author(A->engine)), 0);
  ok(put(A, "R", F_TEL, "after"));
  close_equal();
}

/* [16] (S4.13) Both copies hold form saves that were never sent. Each closes that run as the
 * old author, into the same segments: the old author does not fork, and both go on. */
static void two_copies_close_one_run_alike(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "never sent"));
  copy_store(B, A);
  A->instance[5] ^= 1;
  reopen(A);
  assert_true(qm_author_cmp(qm_engine_author(A->engine), qm_engine_author(B->engine)) != 0);
  ok(put(A, "R", F_HEAD, "one"));
  ok(put(B, "R", F_HEAD, "two"));
  world_settle(&w);
  shows(H, "R", F_TEL, "never sent");
  assert_string_not_equal(listed(H, "R", F_HEAD), "");
  close_equal();
}

/* [18] (S3.15) An insert hangs on a visible element. */
static void insert_hangs_on_a_visible_element(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_text(A, "R", UINT64_MAX, 0, "abQXcd"));
  meet(A, B);
  ok(put_text(A, "R", 2, 1, ""));
  meet(A, B);
  ok(put_text(B, "R", 2, 0, "Z"));
  shows(B, "R", F_NOTES, "abZXcd");
  const qm_record *r;
  qm_id id = rec("R");
  ok(qm_engine_read(B->engine, B->space, &id, &w.arena, &r));
  qm_op op = {.shape = QM_SEQUENCE};
  ok(qm_sequence_place(qm_record_cell(r, F_NOTES, QM_SEQUENCE), qm_space_authors(B->space), 2,
                       &op));
  meet(A, B);
  shows(A, "R", F_NOTES, "abZXcd");
  close_equal();
}

/* [18] The same of a list: what is put behind b stands there on every replica. */
static void insert_hangs_on_a_visible_value(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_list(A, "R", UINT64_MAX, 0, "abQXcd"));
  meet(A, B);
  ok(put_list(A, "R", 2, 1, ""));
  meet(A, B);
  ok(put_list(B, "R", 2, 0, "Z"));
  shows(B, "R", F_PLAN, "[a b Z X c d]");
  meet(A, B);
  shows(A, "R", F_PLAN, "[a b Z X c d]");
  close_equal();
}

/* [19] (S3.7) A record deleted long ago, which everybody knows, comes back with all it had:
 * nothing leaves state by anybody's own judgement. */
static void restored_with_all_it_had(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "old"));
  ok(put_text(A, "R", 0, 0, "a note"));
  ok(put_add(A, "R", "tag"));
  ok(put_inc(A, "R", 3));
  ok(put_erase(A, "R"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) acknowledge(&w.d[i]);
  w.now_ms += UINT64_C(400) * 86400000;
  ok(qm_engine_cut(H->engine, H->space, qm_space_vv(H->space)));
  ok(put_restore(B, "R"));
  ok(put(B, "R", F_HEAD, "m"));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_true(visible(&w.d[i], "R"));
    shows(&w.d[i], "R", F_TEL, "old");
    shows(&w.d[i], "R", F_NOTES, "a note");
    shows(&w.d[i], "R", F_TAGS, "tag");
    shows(&w.d[i], "R", F_VISITS, "3");
    shows(&w.d[i], "R", F_HEAD, "m");
  }
  close_equal();
}

/* [20] (S3.7) Edited by one, deleted by another: back as a whole, and told. */
static void edit_and_delete_collide(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  meet(A, B);
  ok(put(A, "R", F_HEAD, "Zhang San"));
  ok(put_erase(B, "R"));
  assert_false(visible(B, "R"));
  assert_int_equal(put(B, "R", F_TEL, "2"), QM_EINVISIBLE);
  world_settle(&w);
  assert_true(join(C, A) == 0); /* equal VVs are never joined */
  for (unsigned i = 0; i < w.n; i++) {
    assert_true(visible(&w.d[i], "R"));
    assert_true(collides(&w.d[i], "R"));
    shows(&w.d[i], "R", F_TEL, "1");
  }
  ok(put_restore(A, "R"));
  world_settle(&w);
  assert_false(collides(B, "R"));
  close_equal();
}

static void a_phone_by_state_can_tell_a_collision(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  meet(A, B);
  ok(put(A, "R", F_HEAD, "x"));
  ok(put_erase(B, "R"));
  meet(A, B);
  assert_true(join(C, A));
  assert_true(collides(C, "R") && visible(C, "R"));
  close_equal();
}

/* [21] (S3.9) A raise below what is shown writes nothing. */
static void raise_is_the_true_maximum(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_raise(A, "R", F_LAST, 503));
  acknowledge(A);
  uint64_t before = qm_vv_get(qm_space_vv(A->space), 0);
  ok(put_raise(A, "R", F_LAST, 401));
  assert_int_equal(qm_vv_get(qm_space_vv(A->space), 0), before);
  shows(A, "R", F_LAST, "503");
  close_equal();
}

/* (S3.3) A raise that is not beyond a value no hub has yet stands beside it. */
static void raise_beside_an_unacknowledged_one(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_raise(A, "R", F_LAST, 100));
  meet(A, B);
  ok(put_raise(B, "R", F_LAST, 50));
  meet(A, B);
  shows(A, "R", F_LAST, "100");
  lists(A, "R", F_LAST, "50/s");
  close_equal();
}

/* [22] (S3.6) No entry stands before one its writer had seen. */
static void log_order_follows_what_was_seen(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_step(A, "R", "reported"));
  meet(A, B);
  B->skew_ms = -900000;
  ok(put_step(B, "R", "handled"));
  world_settle(&w);
  shows(C, "R", F_STEPS, "reported|handled");
  close_equal();
}

/* [23] (S3.5, S4.11) Deltas: an op erased in place takes its share out of the sum, and
 * only that. */
static void counter_with_an_op_erased_in_place(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_inc(A, "R", 7));
  ok(put_inc(A, "R", 1));
  qm_arena arena;
  qm_buf blob, erased;
  qm_batch_in in;
  qm_batch batch;
  qm_vv_list nothing = {NULL, 0};
  uint64_t cursor = 0;
  qm_arena_init(&arena, &A->env, 1u << 24);
  qm_buf_init(&blob, &A->env, QM_BATCH_MAX);
  qm_buf_init(&erased, &A->env, QM_BATCH_MAX);
  ok(qm_engine_push(A->engine, A->space));
  ok(qm_engine_next_batch(A->engine, A->space, nothing, &cursor, &blob));
  ok(qm_batch_open(&in, qm_buf_slice(&blob), &arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    ok(qm_authors_find(qm_space_authors(A->space), &in.authors[i], &in.map[i]));
  ok(qm_batch_read(&in, &batch));
  for (uint32_t i = 0; i < batch.segments[0].n_changes; i++) {
    qm_op *op = &batch.segments[0].changes[i].ops[0];
    if (op->named == QM_BY_CREATION) op->record = rec("R");
  }
  ok(qm_segment_erase(&batch.segments[0], batch.segments[0].changes[1].ops[0].counter,
                      qm_space_authors(A->space), &arena));
  ok(qm_batch_encode(&erased, &batch, qm_space_authors(A->space), 0));
  qm_ingest ingest = {.peer = A->id};
  ok(qm_engine_begin(B->engine));
  ok(qm_engine_ingest(B->engine, B->space, qm_buf_slice(&erased), &ingest, &arena, NULL));
  ok(qm_engine_commit(B->engine, QM_DURABLE, NULL, NULL));
  assert_int_equal(ingest.n_refusals, 0);
  assert_int_equal(ingest.taken, 1);
  shows(B, "R", F_VISITS, "1");
  assert_true(visible(B, "R"));
  qm_buf_free(&blob);
  qm_buf_free(&erased);
  qm_arena_free(&arena);
  world_close(&w);
}

/* [25] (S3.2, S3.8) The author's VV decides, not the receiver's. */
static void author_vv_decides_after_a_state(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "0"));
  meet(A, B);
  ok(put(B, "R", F_TEL, "offline")); /* B goes away without having seen what follows */
  ok(put(A, "R", F_TEL, "1"));
  pull(H, A);
  ok(put(H, "R", F_TEL, "2"));
  assert_true(join(C, H));
  pull(C, B);
  lists(C, "R", F_TEL, strcmp(shown(C, "R", F_TEL), "2") == 0 ? "offline/s" : "2/s");
  pull(H, B);
  shows(H, "R", F_TEL, shown(C, "R", F_TEL));
  close_equal();
}

/* [26] A hub restored from last night's backup: the devices still have the day. */
static void hub_restored_from_a_backup(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "day one"));
  pull(H, A);
  acknowledge(A);
  pull(C, H); /* the backup */
  ok(put(A, "R", F_TEL, "day two"));
  pull(H, A);
  acknowledge(A);
  device *restored = C;
  pull(restored, A);
  shows(restored, "R", F_TEL, "day two");
  close_equal();
}

/* [28] (S3.14) Two phones create one key with different heads: one record, told. */
static void same_key_different_heads(void **state) {
  int existing, same_key;
  const qm_record *r;
  (void)state;
  open4();
  qm_id a = new_key(A, "31", &existing), b = new_key(B, "31", &existing);
  assert_int_equal(qm_id_cmp(&a, &b), 0);
  device *both[] = {A, B};
  for (int i = 0; i < 2; i++) {
    qm_write *x;
    qm_buf v;
    qm_buf_init(&v, &A->env, 100);
    qm_mp_str(&v, i ? "Li Si" : "Zhang San", i ? 5 : 9);
    ok(qm_write_begin(&x, both[i]->engine, both[i]->space, 0));
    ok(qm_write_set(x, &a, F_HEAD, qm_buf_slice(&v), qm_slice_of(NULL, 0), 0));
    ok(qm_write_commit(x, QM_DURABLE));
    qm_buf_free(&v);
  }
  meet(A, B);
  ok(qm_engine_read(A->engine, A->space, &a, &w.arena, &r));
  assert_int_equal(r->n_creations, 2);
  ok(qm_read_same_key(A->engine, A->space, r, &same_key));
  assert_true(same_key);
  close_equal();
}

/* [29] (S3.10) Settled from a list: what came after the list was read stays. */
static void settle_covers_what_was_listed(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  world_settle(&w);
  ok(put(A, "R", F_TEL, "x"));
  ok(put(B, "R", F_TEL, "y"));
  meet(A, B);
  qm_slice list = form(A, "R", QM_READ_REVIEW);
  ok(put(H, "R", F_TEL, "z"));
  pull(A, H);
  ok(put_with(A, "R", F_TEL, "x", list, QM_WRITE_SETTLE));
  shows(A, "R", F_TEL, "x");
  lists(A, "R", F_TEL, "z/u");
  close_equal();
}

/* [30] Settling on the value that is shown writes. */
static void settle_on_the_shown_value(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  world_settle(&w);
  ok(put(A, "R", F_TEL, "x"));
  ok(put(B, "R", F_TEL, "y"));
  meet(A, B);
  const char *now = shown(A, "R", F_TEL);
  ok(put(A, "R", F_TEL, now));
  assert_true(listed(A, "R", F_TEL)[0] != 0);
  ok(put_with(A, "R", F_TEL, now, qm_slice_of(NULL, 0), QM_WRITE_SETTLE));
  lists(A, "R", F_TEL, "");
  world_settle(&w);
  lists(B, "R", F_TEL, "");
  close_equal();
}

/* [32] Raises 3, then 12 (arrives while the form is open), then 10 from the form. */
static void raise_compares_with_what_is_here(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_raise(A, "R", F_LAST, 3));
  meet(A, B);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put_raise(B, "R", F_LAST, 12));
  pull(A, B);
  ok(put_raise_with(A, "R", F_LAST, 10, token));
  world_settle(&w);
  shows(A, "R", F_LAST, "12");
  shows(C, "R", F_LAST, "12");
  close_equal();
}

/* [37] (S3.7) Thirty saves from stale forms, no delete anywhere: one mark. */
static void stale_saves_leave_one_mark(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "0"));
  meet(A, B);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  for (int i = 0; i < 30; i++) {
    char text[16];
    snprintf(text, sizeof text, "%d", i + 1);
    ok(put_with(A, "R", F_TEL, text, token, 0));
  }
  meet(A, B);
  assert_int_equal(marks(A, "R"), 1);
  assert_int_equal(marks(B, "R"), 1);
  close_equal();
}

static int add_bytes(void *payload, const qm_record_row *row) {
  *(size_t *)payload += row->state.n;
  return QM_OK;
}

static size_t bytes_of(device *d) {
  size_t n = 0;
  ok(d->store->ops->record_scan(d->store, 1, 0, NULL, 1000, add_bytes, &n));
  return n;
}

/* [38] (S3.3) Two phones, one save each a day from a form that showed none of the others, nobody
 * settles: a flag a sibling, not a list of all that each save had not shown. A settle takes them
 * all. */
static void unread_saves_cost_a_flag_each(void **state) {
  size_t half = 0;
  char text[16];
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "0"));
  meet(A, B);
  size_t start = bytes_of(A);
  qm_slice a = form(A, "R", QM_READ_VALUES), b = form(B, "R", QM_READ_VALUES);
  for (int day = 1; day <= 60; day++) {
    meet(A, B); /* in the background; the forms stay open */
    snprintf(text, sizeof text, "a%d", day);
    ok(put_with(A, "R", F_TEL, text, a, 0));
    snprintf(text, sizeof text, "b%d", day);
    ok(put_with(B, "R", F_TEL, text, b, 0));
    if (day == 30) half = bytes_of(A) - start;
  }
  meet(A, B);
  assert_true(bytes_of(A) - start < half * 5 / 2);
  assert_true(strlen(listed(A, "R", F_TEL)) > 200);
  ok(put_with(A, "R", F_TEL, "settled", form(A, "R", QM_READ_REVIEW), QM_WRITE_SETTLE));
  meet(A, B);
  lists(B, "R", F_TEL, "");
  assert_true(bytes_of(B) < start + 20);
  close_equal();
}

/* A delete made without having seen an edit keeps it: hidden, but told. */
static void delete_keeps_an_unread_edit(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  meet(A, B);
  qm_slice token = form(A, "R", QM_READ_VALUES);
  ok(put(B, "R", F_TEL, "late"));
  pull(A, B);
  ok(put_erase_with(A, "R", token));
  assert_false(visible(A, "R"));
  assert_true(collides(A, "R"));
  close_equal();
}

static void state_is_ruled_by_rank(void **state) {
  (void)state;
  open4();
  ok(put_new(A, "R"));
  ok(put_state(A, "R", "open"));
  ok(put_state(A, "R", "assigned"));
  assert_int_equal(put_state(A, "R", "open"), QM_ESCHEMA);
  meet(A, B);
  ok(put_state(A, "R", "escalated"));
  ok(put_state(B, "R", "closed"));
  world_settle(&w);
  shows(C, "R", F_STATE, "escalated");
  lists(C, "R", F_STATE, "closed/c");
  close_equal();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(state_carries_clock_rows),
                                     cmocka_unit_test(state_joined_then_written),
                                     cmocka_unit_test(corrected_key_is_not_reused),
                                     cmocka_unit_test(same_key_offline_is_one_record),
                                     cmocka_unit_test(deleted_key_is_not_reused),
                                     cmocka_unit_test(stale_form_keeps_what_it_did_not_show),
                                     cmocka_unit_test(own_save_is_shown_whatever_the_clock),
                                     cmocka_unit_test(restored_twice_is_two_authors),
                                     cmocka_unit_test(two_copies_close_one_run_alike),
                                     cmocka_unit_test(insert_hangs_on_a_visible_element),
                                     cmocka_unit_test(insert_hangs_on_a_visible_value),
                                     cmocka_unit_test(restored_with_all_it_had),
                                     cmocka_unit_test(edit_and_delete_collide),
                                     cmocka_unit_test(a_phone_by_state_can_tell_a_collision),
                                     cmocka_unit_test(raise_is_the_true_maximum),
                                     cmocka_unit_test(raise_beside_an_unacknowledged_one),
                                     cmocka_unit_test(log_order_follows_what_was_seen),
                                     cmocka_unit_test(counter_with_an_op_erased_in_place),
                                     cmocka_unit_test(author_vv_decides_after_a_state),
                                     cmocka_unit_test(hub_restored_from_a_backup),
                                     cmocka_unit_test(same_key_different_heads),
                                     cmocka_unit_test(settle_covers_what_was_listed),
                                     cmocka_unit_test(settle_on_the_shown_value),
                                     cmocka_unit_test(raise_compares_with_what_is_here),
                                     cmocka_unit_test(stale_saves_leave_one_mark),
                                     cmocka_unit_test(unread_saves_cost_a_flag_each),
                                     cmocka_unit_test(delete_keeps_an_unread_edit),
                                     cmocka_unit_test(state_is_ruled_by_rank)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
