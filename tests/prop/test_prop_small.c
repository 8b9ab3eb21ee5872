/* Segments in their compact form between real engines (S5.19, S8.15): what is taken is what a
 * batch would have brought; what does not go on from what is here leaves no trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/batch_small.h"
#include "core/space.h"
#include "tests/prop/support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)

typedef struct push {
  qm_buf blob;
  qm_vv_entry end;
  int rc;
} push;

static push push_of(device *d) {
  push p;
  memset(&p, 0, sizeof p);
  qm_buf_init(&p.blob, &d->env, QM_BATCH_MAX);
  p.rc = qm_engine_small(d->engine, d->space, &p.blob, &p.end);
  if (p.rc == QM_OK) return p;
  assert_int_equal(p.blob.n, 0);
  qm_buf_free(&p.blob);
  return p;
}

static int ingest(device *to, const device *from, qm_slice blob, int keeps, qm_ingest *in) {
  qm_arena arena;
  qm_error e = {0, ""};
  memset(in, 0, sizeof *in);
  in->peer = from->id;
  qm_arena_init(&arena, &to->env, 1u << 24);
  ok(qm_engine_begin(to->engine));
  int rc = qm_engine_ingest(to->engine, to->space, blob, in, &arena, &e);
  assert_int_equal(in->n_refusals, 0);
  if (rc == QM_OK && keeps) ok(qm_engine_commit(to->engine, QM_DURABLE, NULL, NULL));
  else qm_engine_rollback(to->engine);
  qm_arena_free(&arena);
  return rc;
}

static void take(device *to, device *from, const push *p) {
  qm_ingest in;
  ok(p->rc);
  ok(ingest(to, from, qm_buf_slice(&p->blob), 1, &in));
  assert_int_equal(in.taken, 1);
  assert_int_equal(in.as_it_came, 1);
  assert_int_equal(qm_author_cmp(&in.author, &p->end.author), 0);
  assert_true(in.next == p->end.next);
}

static void digests(device *d, uint8_t out[32]) {
  qm_digest digest;
  ok(qm_engine_vv_digest(d->engine, d->space, out));
  ok(qm_engine_fold(d->engine));
  qm_space_digest(d->space, &digest);
  qm_digest_bytes(&digest, out + 16);
}

static void edit(world *w, device *d) {
  char name[8], value[8];
  (void)snprintf(name, sizeof name, "r%u", world_below(w, 5));
  (void)snprintf(value, sizeof value, "%u", world_below(w, 1000));
  switch (world_below(w, 9)) {
    case 0: (void)put(d, name, F_TEL, value); break;
    case 1: (void)put_add(d, name, value); break;
    case 2: (void)put_inc(d, name, 3); break;
    case 3: (void)put_step(d, name, value); break;
    case 4: (void)put_text(d, name, 0, 0, value); break;
    case 5: (void)put_remove(d, name, "1"); break;
    case 6: (void)put_erase(d, name); break;
    case 7: (void)put_list(d, name, 0, 0, "ab"); break;
    default: (void)put_new(d, name);
  }
  w->now_ms += world_below(w, 3) * 700;
}

/* Two phones and what they both know: by compact segments where it can be, else by batches. */
static void what_is_pushed_arrives(void **state) {
  unsigned pushed = 0, met = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    world w;
    world_open(&w, 3, seed);
    for (int step = 0; step < 120; step++) {
      device *d = &w.d[1 + world_below(&w, 2)], *other = d == &w.d[1] ? &w.d[2] : &w.d[1];
      for (unsigned i = world_below(&w, 3); i-- > 0;) edit(&w, d);
      push p = push_of(d);
      if (p.rc == QM_OK) {
        qm_ingest in;
        pushed++;
        take(&w.d[0], d, &p);
        ok(qm_engine_acknowledged_to(d->engine, d->space, &p.end.author, p.end.next));
        /* Handed on by the same bytes; who stands elsewhere takes it in a batch. */
        int lost = world_below(&w, 8) == 0;
        int rc = lost ? QM_EGAP : ingest(other, &w.d[0], qm_buf_slice(&p.blob), 1, &in);
        if (rc == QM_OK)
          ok(qm_engine_acknowledged_to(other->engine, other->space, &p.end.author, p.end.next));
        else
          assert_int_equal(rc, QM_EGAP);
      } else if (p.rc == QM_ELIMIT) {
        met++;
        meet(d, &w.d[0]);
        acknowledge(d);
      } else {
        assert_int_equal(p.rc, QM_ENOTFOUND);
      }
      qm_buf_free(&p.blob);
      if (world_below(&w, 20) == 0) (void)pull(other, d); /* without the hub */
      if (world_below(&w, 30) == 0) reopen(d);
      if (world_below(&w, 30) == 0) reopen(&w.d[0]);
    }
    world_settle(&w);
    world_check_equal(&w);
    world_close(&w);
  }
  assert_true(pushed > 200);
  assert_true(met > 12);
}

static void world_of_two(world *w, uint64_t seed) {
  world_open(w, 3, seed);
  ok(put_new(&w->d[1], "r1"));
  ok(put(&w->d[1], "r1", F_TEL, "1"));
  meet(&w->d[1], &w->d[0]);
  meet(&w->d[2], &w->d[0]);
  acknowledge(&w->d[1]);
  acknowledge(&w->d[2]);
}

static void what_a_push_is_not_for(void **state) {
  world w;
  (void)state;
  world_of_two(&w, 3);
  push p = push_of(&w.d[1]);
  assert_int_equal(p.rc, QM_ENOTFOUND); /* the hub has all */
  ok(put(&w.d[1], "r1", F_TEL, "2"));
  ok(qm_engine_push(w.d[1].engine, w.d[1].space));
  ok(put(&w.d[1], "r1", F_TEL, "3"));
  p = push_of(&w.d[1]);
  assert_int_equal(p.rc, QM_ELIMIT); /* two segments */
  meet(&w.d[1], &w.d[0]);
  acknowledge(&w.d[1]);
  ok(put(&w.d[2], "r1", F_TEL, "4"));
  (void)pull(&w.d[1], &w.d[2]);
  ok(put(&w.d[1], "r1", F_TEL, "5"));
  p = push_of(&w.d[1]);
  assert_int_equal(p.rc, QM_ELIMIT); /* another's too */
  meet(&w.d[1], &w.d[0]);
  acknowledge(&w.d[1]);
  char text[QM_SMALL_MAX + 1];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  ok(put(&w.d[1], "r1", F_TEL, text));
  p = push_of(&w.d[1]);
  assert_int_equal(p.rc, QM_ELIMIT); /* it is not small */
  world_close(&w);
}

/* Every bit of it enters the hash, or is it. */
static void what_is_bent_leaves_no_trace(void **state) {
  world w;
  uint8_t before[32], after[32];
  qm_ingest in;
  (void)state;
  world_of_two(&w, 5);
  ok(put(&w.d[1], "r1", F_TEL, "13900000000"));
  push p = push_of(&w.d[1]);
  ok(p.rc);
  digests(&w.d[0], before);
  uint32_t authors = w.d[0].space->authors.n;
  for (size_t i = 0; i < p.blob.n * 8; i++) {
    p.blob.p[i / 8] ^= (uint8_t)(1u << i % 8);
    if (qm_is_small(qm_buf_slice(&p.blob)))
      assert_int_equal(ingest(&w.d[0], &w.d[1], qm_buf_slice(&p.blob), 1, &in), QM_EGAP);
    p.blob.p[i / 8] ^= (uint8_t)(1u << i % 8);
  }
  for (size_t n = 1; n < p.blob.n; n++)
    assert_int_equal(ingest(&w.d[0], &w.d[1], qm_slice_of(p.blob.p, n), 1, &in), QM_EGAP);
  digests(&w.d[0], after);
  assert_memory_equal(before, after, sizeof before);
  assert_int_equal(w.d[0].space->authors.n, authors);
  take(&w.d[0], &w.d[1], &p);
  /* Once more: its author stands elsewhere now. */
  assert_int_equal(ingest(&w.d[0], &w.d[1], qm_buf_slice(&p.blob), 1, &in), QM_EGAP);
  /* And back to its author. */
  assert_int_equal(ingest(&w.d[1], &w.d[0], qm_buf_slice(&p.blob), 1, &in), QM_EGAP);
  qm_buf_free(&p.blob);
  world_close(&w);
}

static void out_of_turn_and_rolled_back(void **state) {
  world w;
  uint8_t before[32], after[32];
  qm_ingest in;
  (void)state;
  world_of_two(&w, 7);
  ok(put(&w.d[2], "r1", F_TEL, "7")); /* a new author to the hub */
  digests(&w.d[0], before);
  uint32_t authors = w.d[0].space->authors.n;
  push one = push_of(&w.d[2]);
  ok(one.rc);
  ok(qm_engine_acknowledged_to(w.d[2].engine, w.d[2].space, &one.end.author, one.end.next));
  ok(put(&w.d[2], "r1", F_TEL, "8"));
  push two = push_of(&w.d[2]);
  ok(two.rc);
  assert_int_equal(ingest(&w.d[0], &w.d[2], qm_buf_slice(&two.blob), 1, &in), QM_EGAP);
  ok(ingest(&w.d[0], &w.d[2], qm_buf_slice(&one.blob), 0, &in)); /* rolled back */
  digests(&w.d[0], after);
  assert_memory_equal(before, after, sizeof before);
  assert_int_equal(w.d[0].space->authors.n, authors);
  reopen(&w.d[0]);
  take(&w.d[0], &w.d[2], &one);
  take(&w.d[0], &w.d[2], &two);
  meet(&w.d[1], &w.d[0]);
  world_check_equal(&w);
  qm_buf_free(&one.blob);
  qm_buf_free(&two.blob);
  world_close(&w);
}

static int count_row(void *payload, const qm_log_row *row) {
  unsigned *n = payload;
  *n += row->n_segments != 0;
  return QM_OK;
}

static unsigned rows_of(device *d) {
  unsigned n = 0;
  ok(d->store->ops->log_sizes(d->store, d->space->number, count_row, &n));
  return n;
}

#define MANY 1300u /* more than may wait */

static uint32_t pushes(world *w, push *to, const device **from, uint32_t n) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < n; i++) {
    device *d = &w->d[1 + world_below(w, 2)];
    /* One that is not small is the last of its device. */
    if (n < MANY && world_below(w, 4) == 0) edit(w, d);
    else (void)put_text(d, d == &w->d[1] ? "r1" : "r2", 0, 0, "k");
    to[count] = push_of(d);
    if (to[count].rc == QM_ENOTFOUND) continue;
    ok(to[count].rc);
    ok(qm_engine_acknowledged_to(d->engine, d->space, &to[count].end.author, to[count].end.next));
    from[count++] = d;
  }
  return count;
}

/* In one transaction: 1 where the log was read midway, so that it holds what came before. */
static int take_all(world *w, const push *p, const device *const *from, uint32_t n, int keeps) {
  static const qm_vv_list nothing = {NULL, 0};
  device *hub = &w->d[0];
  int asked = 0;
  qm_arena arena;
  qm_error e = {0, ""};
  qm_arena_init(&arena, &hub->env, 1u << 24);
  ok(qm_engine_begin(hub->engine));
  for (uint32_t i = 0; i < n; i++) {
    qm_ingest in = {.peer = from[i]->id};
    ok(qm_engine_ingest(hub->engine, hub->space, qm_buf_slice(&p[i].blob), &in, &arena, &e));
    assert_int_equal(in.taken, 1);
    /* What does not go on from here leaves what waits as it is. */
    if (world_below(w, 8) == 0)
      assert_int_equal(qm_engine_ingest(hub->engine, hub->space, qm_buf_slice(&p[i].blob), &in,
                                        &arena, &e), QM_EGAP);
    if (world_below(w, 3 * n) != 0) continue;
    uint64_t cursor = 0;
    qm_buf batch;
    qm_buf_init(&batch, &hub->env, QM_BATCH_MAX);
    unsigned before = rows_of(hub);
    ok(qm_engine_next_batch(hub->engine, hub->space, nothing, &cursor, &batch));
    asked |= rows_of(hub) > before;
    assert_true(rows_of(hub) <= before + 1);
    qm_buf_free(&batch);
  }
  if (keeps) ok(qm_engine_commit(hub->engine, QM_DURABLE, NULL, NULL));
  else qm_engine_rollback(hub->engine);
  qm_arena_free(&arena);
  return asked;
}

/* S12.18: many in one transaction are one row of the log; what was rolled back is in none. */
static void many_at_once(void **state) {
  static push p[MANY];
  static const device *from[MANY];
  unsigned asked = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    world w;
    uint8_t before[32], after[32];
    world_of_two(&w, seed);
    ok(put_new(&w.d[2], "r2"));
    meet(&w.d[2], &w.d[0]);
    acknowledge(&w.d[2]);
    for (int round = 0; round < 5; round++) {
      uint32_t n = pushes(&w, p, from, round == 4 && seed == 1 ? MANY : 1 + world_below(&w, 30));
      unsigned rows = rows_of(&w.d[0]);
      if (round == 4 && seed == 1) assert_int_equal(n, MANY);
      digests(&w.d[0], before);
      (void)take_all(&w, p, from, n, 0);
      digests(&w.d[0], after);
      assert_memory_equal(before, after, sizeof before);
      assert_int_equal(rows_of(&w.d[0]), rows);
      int read = take_all(&w, p, from, n, 1);
      asked += (unsigned)read;
      if (n && n <= 30 && !read) assert_int_equal(rows_of(&w.d[0]), rows + 1);
      if (n > QM_BATCH_SEGMENTS_MAX) assert_in_range(rows_of(&w.d[0]), rows + 2, rows + 3);
      if (world_below(&w, 2)) reopen(&w.d[0]);
      for (uint32_t i = 0; i < n; i++) qm_buf_free(&p[i].blob);
    }
    meet(&w.d[1], &w.d[0]);
    meet(&w.d[2], &w.d[0]);
    world_settle(&w);
    world_check_equal(&w);
    world_close(&w);
  }
  assert_true(asked > 0);
}

/* What the hub has only moves on, and stays over a restart. */
static void what_is_acknowledged_stays(void **state) {
  world w;
  (void)state;
  world_of_two(&w, 9);
  ok(put(&w.d[1], "r1", F_TEL, "2"));
  push p = push_of(&w.d[1]);
  device *d = &w.d[1];
  take(&w.d[0], d, &p);
  ok(qm_engine_acknowledged_to(d->engine, d->space, &p.end.author, p.end.next));
  ok(qm_engine_acknowledged_to(d->engine, d->space, &p.end.author, 1));
  assert_true(qm_vv_includes(qm_space_acknowledged(d->space), qm_space_vv(d->space)));
  reopen(d);
  assert_true(qm_vv_includes(qm_space_acknowledged(d->space), qm_space_vv(d->space)));
  qm_author none = {{9}};
  ok(qm_engine_acknowledged_to(d->engine, d->space, &none, 5));
  ok(qm_engine_begin(d->engine));
  assert_int_equal(qm_engine_acknowledged_to(d->engine, d->space, &none, 5), QM_ESTATE);
  qm_engine_rollback(d->engine);
  qm_buf_free(&p.blob);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_pushed_arrives),
      cmocka_unit_test(what_a_push_is_not_for),
      cmocka_unit_test(what_is_bent_leaves_no_trace),
      cmocka_unit_test(out_of_turn_and_rolled_back),
      cmocka_unit_test(many_at_once),
      cmocka_unit_test(what_is_acknowledged_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
