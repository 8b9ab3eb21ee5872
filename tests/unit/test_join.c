/* Rows of the log joined (S12.17): the same segments, served, read and erased as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/aside.h"
#include "core/join.h"
#include "core/logged.h"
#include "core/mp.h"
#include "tests/unit/support_engine.h"

static rig w;
#define A (&w.d[0])
#define B (&w.d[1])
#define H (&w.d[2])
#define N (&w.d[3])

static void ok(int rc) {
  if (rc) fail_msg("%s", qm_err_name(rc));
}

static int setup(void **state) {
  (void)state;
  rig_open(&w, 4, 9);
  H->flags = QM_ENGINE_HUB;
  reopen(H);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  rig_close(&w);
  return 0;
}

typedef struct tally {
  uint32_t rows, segments;
  uint64_t bytes;
} tally;

static int count_row(void *payload, const qm_log_row *row) {
  tally *t = payload;
  t->rows++;
  t->segments += row->n_segments;
  t->bytes += row->batch.n;
  return QM_OK;
}

static tally log_tally(dev *d) {
  tally t = {0, 0, 0};
  ok(d->store->ops->log_sizes(d->store, d->space->number, count_row, &t));
  return t;
}

/* A and B by turns, each turn a row at H. */
static void turns(unsigned n) {
  char text[40];
  for (unsigned i = 0; i < n; i++) {
    dev *d = i % 2 ? B : A;
    snprintf(text, sizeof text, "第%u次走访，已登记", i);
    ok(put(d, "R", F_TEL, text));
    ok(put_inc(d, i % 3 ? "R" : "S", 1));
    meet(d, H);
  }
}

static void begin_with(unsigned n) {
  ok(put_new(A, "R"));
  ok(put_new(A, "S"));
  meet(A, H);
  meet(B, H);
  turns(n);
}

static qm_joined join_some(dev *d, const qm_vv *below) {
  qm_joined out, all = {0};
  qm_joining how = {.below = below, .bytes_min = 600};
  do {
    ok(qm_engine_join(d->engine, d->space, &how, &out));
    assert_true(out.last > how.after || !out.more);
    how.after = out.last;
    all.rows += out.rows;
    all.before += out.before;
    all.after += out.after;
  } while (out.more);
  check_memory(d);
  return all;
}

static int hash_past(void *payload, const qm_past *p) {
  qm_sha *sha = payload;
  uint64_t is[] = {p->change->author, p->change->time, p->op->counter, p->op->field,
                   (uint64_t)p->concurrent};
  qm_sha_add(sha, (const uint8_t *)is, sizeof is);
  qm_sha_add(sha, p->op->value.p, p->op->value.n);
  qm_sha_add(sha, p->before.p, p->before.n);
  return QM_OK;
}

static qm_hash history(dev *d, const char *r) {
  qm_id id = rec(r);
  qm_sha sha;
  qm_hash out;
  int whole = 0;
  qm_sha_init(&sha);
  ok(qm_engine_history(d->engine, d->space, &id, hash_past, &sha, &whole));
  assert_true(whole);
  qm_sha_end(&sha, &out);
  return out;
}

static void same_history(dev *d, const char *r, const qm_hash *before) {
  qm_hash now = history(d, r);
  assert_memory_equal(now.b, before->b, sizeof now.b);
}

static void rows_become_few(void **state) {
  (void)state;
  begin_with(60);
  tally before = log_tally(H);
  qm_hash r = history(H, "R"), s = history(H, "S");
  qm_joined out = join_some(H, NULL);
  tally after = log_tally(H);
  assert_true(out.rows > 50);
  assert_int_equal(after.segments, before.segments);
  assert_true(after.rows < 10);
  assert_true(after.bytes * 2 < before.bytes);
  assert_int_equal(before.bytes - after.bytes, out.before - out.after);
  same_history(H, "R", &r);
  same_history(H, "S", &s);
  reopen(H);
  same_history(H, "R", &r);
  meet(N, H); /* who has nothing, and checks every hash */
  same_history(N, "R", &r);
  turns(10);
  join_some(H, NULL);
  rig_settle(&w);
  rig_check_equal(&w);
}

/* A peer that has a part of a joined row gets the rest of it. */
static void a_part_is_served(void **state) {
  (void)state;
  begin_with(20);
  meet(N, H);
  turns(41);
  qm_hash r = history(H, "R");
  tally before = log_tally(H);
  join_some(H, NULL);
  assert_true(log_tally(H).rows < before.rows / 2);
  pull(N, H);
  same_history(N, "R", &r);
  rig_settle(&w);
  rig_check_equal(&w);
}

/* An interrupted sender goes on where it was, though the rows are others now. */
static void a_cursor_of_before(void **state) {
  (void)state;
  const qm_vv_list none = {NULL, 0};
  uint64_t cursor = 0;
  qm_buf b;
  begin_with(30);
  qm_buf_init(&b, &H->env, QM_BATCH_MAX);
  for (int i = 0; i < 40; i++) {
    if (i == 7) join_some(H, NULL);
    qm_buf_clear(&b);
    int rc = qm_engine_next_batch(H->engine, H->space, none, &cursor, &b);
    if (rc == QM_ENOTFOUND) break;
    ok(rc);
    qm_ingest in = {.peer = H->id};
    ok(take(N, qm_buf_slice(&b), &in));
    assert_int_equal(in.n_refusals, 0);
  }
  qm_buf_free(&b);
  rig_settle(&w);
  rig_check_equal(&w);
}

static void what_somebody_may_lack_stays(void **state) {
  (void)state;
  qm_vv below = {NULL, 0, 0};
  begin_with(40);
  tally before = log_tally(H);
  for (uint32_t a = 0; a < qm_space_authors(H->space)->n; a++)
    ok(qm_vv_set(&H->env, &below, a, 30));
  qm_joined out = join_some(H, &below);
  tally after = log_tally(H);
  assert_true(out.rows > 20 && out.rows < before.rows);
  assert_true(before.rows - after.rows < out.rows);
  for (uint32_t a = 0; a < qm_space_authors(H->space)->n; a++) ok(qm_vv_set(&H->env, &below, a, 0));
  assert_int_equal(join_some(H, &below).rows, 0);
  qm_vv_free(&H->env, &below);
  assert_int_equal(log_tally(H).rows, after.rows);
}

/* Too few bytes to be worth it, and a row that is large enough. */
static void what_is_not_worth_it(void **state) {
  (void)state;
  qm_joined out;
  begin_with(12);
  tally before = log_tally(H);
  ok(qm_engine_join(H->engine, H->space, &(qm_joining){.after = 0}, &out));
  assert_int_equal(out.rows, 0);
  assert_int_equal(out.more, 0);
  ok(qm_engine_join(H->engine, H->space, &(qm_joining){.bytes_min = 1}, &out));
  assert_int_equal(out.rows, 0);
  ok(qm_engine_join(H->engine, H->space, &(qm_joining){.bytes_min = 600, .after = 99}, &out));
  assert_int_equal(out.rows, 0);
  assert_memory_equal(&before, &(tally[]){log_tally(H)}[0], sizeof before);
  /* Bounded by ops: several, none larger. */
  ok(qm_engine_join(H->engine, H->space, &(qm_joining){.bytes_min = 600, .ops_max = 8}, &out));
  assert_true(out.rows > 1 && out.rows <= 4);
  ok(qm_engine_begin(H->engine));
  assert_int_equal(qm_engine_join(H->engine, H->space, &(qm_joining){.after = 0}, &out), QM_ESTATE);
  qm_engine_rollback(H->engine);
}

static int spoil(void *payload, const qm_log_row *row) {
  qm_buf *b = payload;
  qm_buf_add(b, row->batch.p, row->batch.n);
  b->n--; /* it ends too early */
  return QM_OK;
}

/* A row that does not read stops it; nothing is changed. */
static void damage_is_left_alone(void **state) {
  (void)state;
  qm_vv none = {NULL, 0, 0};
  qm_joined out;
  qm_buf b;
  begin_with(40);
  qm_buf_init(&b, &H->env, QM_BATCH_MAX);
  ok(H->store->ops->log_after(H->store, H->space->number, &none, 3, spoil, &b));
  ok(H->store->ops->begin(H->store));
  ok(H->store->ops->log_replace(H->store, H->space->number, 4, qm_buf_slice(&b)));
  ok(H->store->ops->commit(H->store, QM_DURABLE, NULL, NULL));
  qm_buf_free(&b);
  tally before = log_tally(H);
  qm_joining how = {.bytes_min = 600};
  assert_int_equal(qm_engine_join(H->engine, H->space, &how, &out), QM_ECORRUPT);
  assert_int_equal(out.rows, 0);
  assert_memory_equal(&before, &(tally[]){log_tally(H)}[0], sizeof before);
}

/* --- what is set aside in a joined row --- */

static void name_aside(dev *d, const qm_segment *g, uint64_t n) {
  qm_aside a = {.seq = n, .first = g->start, .next = g->next, .code = QM_EACCESS};
  qm_error e = {0, ""};
  qm_buf b;
  memset(a.by.b, 0x77, sizeof a.by.b);
  a.author = qm_space_authors(d->space)->ids[g->author];
  memcpy(a.segment.b, g->head, QM_HEAD_SIZE);
  qm_buf_init(&b, &d->env, 4096);
  qm_mp_array(&b, 1);
  qm_aside_put(&a, &b);
  ok(qm_engine_aside_take(d->engine, d->space, qm_buf_slice(&b), NULL, NULL, NULL, &e));
  qm_buf_free(&b);
}

typedef struct bytes_of {
  qm_space *s;
  qm_arena *arena;
  uint32_t erased, segments;
  qm_segment first[64];
} bytes_of;

static int look(void *payload, const qm_log_row *row) {
  bytes_of *x = payload;
  qm_batch b;
  uint8_t *copy = qm_arena_copy(x->arena, row->batch.p, row->batch.n);
  ok(qm__logged_batch(x->s, qm_slice_of(copy, row->batch.n), 1, x->arena, &b));
  for (uint32_t i = 0; i < b.n_segments; i++) {
    if (x->segments < 64) x->first[x->segments] = b.segments[i];
    x->segments++;
    for (uint32_t k = 0; k < b.segments[i].n_changes; k++)
      x->erased += b.segments[i].changes[k].ops[0].flags & QM_OP_ERASED ? 1 : 0;
  }
  return QM_OK;
}

typedef struct seqs {
  uint64_t p[64];
  uint32_t n;
} seqs;

static int note_seq(void *payload, const qm_log_row *row) {
  seqs *x = payload;
  assert_true(x->n < 64);
  x->p[x->n++] = row->seq;
  return QM_OK;
}

static void look_at_log(dev *d, bytes_of *x, qm_arena *arena) {
  static const qm_vv none = {NULL, 0, 0};
  seqs rows = {.n = 0};
  memset(x, 0, sizeof *x);
  x->s = d->space;
  x->arena = arena;
  qm_arena_init(arena, &d->env, (size_t)512 << 20);
  ok(d->store->ops->log_sizes(d->store, d->space->number, note_seq, &rows));
  for (uint32_t i = 0; i < rows.n; i++)
    ok(d->store->ops->log_after(d->store, d->space->number, &none, rows.p[i] - 1, look, x));
}

/* So many small ops that, erased, they fill more than one batch. */
static void a_row_that_grows_is_parted(void **state) {
  (void)state;
  enum { OPS = 32000 };
  static bytes_of x;
  qm_arena arena;
  qm_joined out;
  ok(put_new(A, "R"));
  for (unsigned i = 0; i < OPS; i++) ok(put_inc(A, "R", 1));
  meet(A, H);
  tally before = log_tally(H);
  assert_true(before.segments > 4);
  qm_joining how = {.bytes_min = (uint32_t)(before.bytes / 3)};
  ok(qm_engine_join(H->engine, H->space, &how, &out));
  assert_int_equal(out.rows, before.rows);
  assert_int_equal(log_tally(H).rows, 1);
  look_at_log(H, &x, &arena);
  assert_int_equal(x.segments, before.segments);
  for (uint32_t i = 1; i < before.segments; i++) name_aside(H, &x.first[i], i - 1);
  uint32_t left = x.first[0].n_changes;
  qm_arena_free(&arena);
  tally after = log_tally(H);
  assert_true(after.rows > 1);
  assert_int_equal(after.segments, before.segments);
  look_at_log(H, &x, &arena);
  assert_int_equal(x.segments, before.segments);
  assert_int_equal(x.erased, OPS + 1 - left);
  qm_arena_free(&arena);
  check_memory(H);
  ok(qm_engine_check(H->engine, H->space, NULL));
  assert_int_equal(atoi(shown(H, "R", F_VISITS)), (int)left - 1);
}

/* --- without memory --- */

static size_t asked, fail_from;

static void *failing_realloc(void *payload, void *p, size_t n) {
  static qm_env plain;
  if (!plain.realloc) plain = qm_env_default();
  (void)payload;
  return n && ++asked >= fail_from ? NULL : plain.realloc(plain.payload, p, n);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  begin_with(24);
  qm_hash r = history(H, "R");
  for (size_t at = 1;; at++) {
    void *(*usual)(void *, void *, size_t) = H->env.realloc;
    qm_joined out;
    tally before = log_tally(H);
    asked = 0;
    fail_from = at;
    H->env.realloc = failing_realloc;
    int rc = qm_engine_join(H->engine, H->space, &(qm_joining){.bytes_min = 600}, &out);
    H->env.realloc = usual;
    if (rc == QM_OK) {
      assert_true(out.rows > 1);
      break;
    }
    assert_int_equal(rc, QM_ENOMEM);
    assert_memory_equal(&before, &(tally[]){log_tally(H)}[0], sizeof before);
    same_history(H, "R", &r);
  }
  same_history(H, "R", &r);
  meet(N, H);
  rig_settle(&w);
  rig_check_equal(&w);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(rows_become_few),
                                     T(a_part_is_served),
                                     T(a_cursor_of_before),
                                     T(what_somebody_may_lack_stays),
                                     T(what_is_not_worth_it),
                                     T(damage_is_left_alone),
                                     T(a_row_that_grows_is_parted),
                                     T(every_allocation_may_fail)};
  return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
