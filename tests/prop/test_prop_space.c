/* (S3.1, S3.4, S3.8, S6.1, S6.3, S6.4) Random histories over many seeds: any causal
 * delivery order, duplicates, interruptions, states in between. What must hold: equal VV
 * means equal digest, the digest is the sum of what is stored, and a replica that joined a
 * state holds the same bytes as one that took the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "support_world.h"

#define DEVICES 4
#define RECORDS 5

static const char *const words[] = {"x", "y", "long value", "", "户主", "z"};
static const char *const texts[] = {"一", "leak in the wall", "𠮷", "ab"};
static const char *const values[] = {"a", "", "bc", "def"};
static const char *const states[] = {"open", "assigned", "closed", "escalated"};

static const char *pick(world *w, const char *const *list, unsigned n) {
  return list[world_below(w, n)];
}

static const char *record_name(world *w) {
  static const char *const names[] = {"R0", "R1", "R2", "R3", "R4"};
  return pick(w, names, RECORDS);
}

/* A write that the rules refuse (a deleted record, a transition) is part of the game. */
static void allow(int rc) {
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_EINVISIBLE && rc != QM_ESCHEMA &&
      rc != QM_ESTALE)
    fail_msg("unexpected %s", qm_err_name(rc));
}

static void random_text(world *w, device *d, const char *r) {
  const char *now = shown(d, r, F_NOTES);
  size_t len = 0;
  if (strcmp(now, "-") != 0) assert_true(qm_utf8_check(qm_slice_of(now, strlen(now)), &len));
  uint64_t at = world_below(w, (unsigned)len + 1);
  uint64_t cut = world_below(w, 3) ? 0 : world_below(w, (unsigned)(len - at) + 1);
  allow(put_text(d, r, at, cut, world_below(w, 4) ? pick(w, texts, 4) : ""));
}

/* Insert, remove or replace at random places. */
static void random_list(world *w, device *d, const char *r) {
  const char *now = shown(d, r, F_PLAN);
  size_t len = *now == '[' ? strlen(now) / 2 : 0; /* "[a b]"; "[]" counts one too many */
  if (now[0] == '[' && now[1] == ']') len = 0;
  uint64_t at = world_below(w, (unsigned)len + 1);
  uint64_t cut = world_below(w, 2) ? 0 : world_below(w, (unsigned)(len - at) + 1);
  allow(put_list(d, r, at, cut, pick(w, values, 4)));
}

static void random_write(world *w) {
  device *d = &w->d[world_below(w, w->n)];
  const char *r = record_name(w);
  const qm_slice token = world_below(w, 4) ? (qm_slice){NULL, 0} : qm_slice_of(NULL, 0);
  switch (world_below(w, 19)) {
    case 0:
    case 1: allow(visible(d, r) || marks(d, r) ? QM_OK : put_new(d, r)); break;
    case 2: allow(put_erase(d, r)); break;
    case 3: allow(put_restore(d, r)); break;
    case 4:
    case 5: allow(put(d, r, F_TEL, pick(w, words, 6))); break;
    case 6: allow(put_with(d, r, F_TEL, pick(w, words, 6), token, QM_WRITE_SETTLE)); break;
    case 7: allow(put_raise(d, r, F_LAST, world_below(w, 50))); break;
    case 8:
    case 9: allow(put_add(d, r, pick(w, words, 6))); break;
    case 10: allow(put_remove(d, r, pick(w, words, 6))); break;
    case 11: allow(put_inc(d, r, (int64_t)world_below(w, 9) - 4)); break;
    case 12: allow(put_step(d, r, pick(w, words, 6))); break;
    case 13: allow(put_state(d, r, pick(w, states, 4))); break;
    case 14:
    case 15:
    case 16: random_list(w, d, r); break;
    default: random_text(w, d, r);
  }
}

/* A save from a form read earlier: what came in between must be kept. */
static void stale_save(world *w) {
  device *a = &w->d[world_below(w, w->n)], *b = &w->d[world_below(w, w->n)];
  const char *r = record_name(w);
  if (!visible(a, r)) return;
  qm_slice token = form(a, r, world_below(w, 2) ? QM_READ_VALUES : QM_READ_REVIEW);
  allow(put(b, r, F_TEL, "meanwhile"));
  pull(a, b);
  if (world_below(w, 4))
    allow(put_with(a, r, F_TEL, pick(w, words, 6), token, 0));
  else
    allow(put_erase_with(a, r, token));
}

static void random_step(world *w) {
  unsigned i = world_below(w, w->n), j = (i + 1 + world_below(w, w->n - 1)) % w->n;
  switch (world_below(w, 12)) {
    case 0: pull(&w->d[i], &w->d[j]); break;
    case 1: pull_some(&w->d[i], &w->d[j], 1); break; /* cut after one batch */
    case 2: stale_save(w); break;
    case 3:
      if (world_below(w, 4) == 0) reopen(&w->d[i]);
      break;
    case 4:
      w->d[i].skew_ms = (int64_t)world_below(w, 4000000) - 2000000;
      acknowledge(&w->d[i]);
      break;
    default: random_write(w);
  }
}

static void histories(unsigned steps, unsigned seeds, uint64_t first) {
  for (uint64_t seed = first; seed < first + seeds; seed++) {
    world w;
    world_open(&w, DEVICES, seed);
    for (unsigned i = 0; i < RECORDS; i++)
      if (world_below(&w, 2))
        assert_int_equal(put_new(&w.d[0], (const char *[]){"R0", "R1", "R2", "R3", "R4"}[i]),
                         QM_OK);
    for (unsigned i = 0; i < steps; i++) random_step(&w);
    world_settle(&w);
    world_check_equal(&w);
    for (unsigned i = 0; i < DEVICES; i++)
      assert_int_equal(pull(&w.d[i], &w.d[(i + 1) % DEVICES]), 0);
    world_close(&w);
  }
}

static void any_order_gives_equal_digests(void **state) {
  (void)state;
  histories(60, 150, 1);
}

static void long_histories(void **state) {
  (void)state;
  histories(600, 8, 1000);
}

/* (S3.8, S9.1, S9.2) The last device lives by states only, and also writes; it must end
 * as the others. */
static void states_in_between(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 120; seed++) {
    world w;
    world_open(&w, DEVICES, seed);
    device *n = &w.d[DEVICES - 1];
    w.n = DEVICES - 1;
    for (unsigned i = 0; i < 50; i++) {
      random_step(&w);
      if (world_below(&w, 8) == 0) join(n, &w.d[world_below(&w, w.n)]);
      if (world_below(&w, 8) == 0) allow(put(n, record_name(&w), F_HEAD, "by state"));
      if (world_below(&w, 8) == 0) allow(put_erase(n, record_name(&w)));
    }
    for (unsigned i = 0; i < w.n; i++) pull(&w.d[i], n);
    world_settle(&w);
    for (unsigned i = 0; i < w.n; i++) pull(&w.d[i], n);
    join(n, &w.d[0]);
    w.n = DEVICES;
    world_check_equal(&w);
    world_close(&w);
  }
}

/* The same batches again, in any order, change nothing. */
static void duplicates_change_nothing(void **state) {
  (void)state;
  world w;
  world_open(&w, 3, 77);
  for (unsigned i = 0; i < 80; i++) random_write(&w);
  world_settle(&w);
  device *a = &w.d[0], *b = &w.d[1];
  qm_digest before, after;
  qm_space_digest(b->space, &before);
  qm_arena arena;
  qm_buf batch;
  qm_vv_list nothing = {NULL, 0};
  uint64_t cursor = 0;
  unsigned batches = 0;
  qm_arena_init(&arena, &a->env, 1u << 26);
  qm_buf_init(&batch, &a->env, QM_BATCH_MAX);
  while (qm_engine_next_batch(a->engine, a->space, nothing, &cursor, &batch) == QM_OK) {
    qm_ingest in = {.peer = a->id};
    assert_int_equal(qm_engine_begin(b->engine), QM_OK);
    assert_int_equal(qm_engine_ingest(b->engine, b->space, qm_buf_slice(&batch), &in, &arena, NULL),
                     QM_OK);
    assert_int_equal(qm_engine_commit(b->engine, QM_DURABLE, NULL, NULL), QM_OK);
    assert_int_equal(in.taken + in.n_refusals + in.parked, 0);
    assert_true(in.known > 0);
    qm_buf_clear(&batch);
    batches++;
  }
  assert_true(batches > 0);
  qm_space_digest(b->space, &after);
  assert_true(qm_digest_eq(&before, &after));
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  world_close(&w);
}

/* (S3.12) One author's batches before those they depend on: they wait, and take effect once
 * those are there. */
static void parked_until_complete(void **state) {
  (void)state;
  world w;
  qm_slice batches[16];
  unsigned n = 0;
  world_open(&w, 3, 5);
  device *a = &w.d[0], *b = &w.d[1], *c = &w.d[2];
  assert_int_equal(put_new(a, "R0"), QM_OK);
  for (unsigned i = 0; i < 4; i++) { /* a chain: each change depends on the other's last */
    meet(a, b);
    assert_int_equal(put(a, "R0", F_TEL, i % 2 ? "p" : "q"), QM_OK);
    meet(a, b);
    assert_int_equal(put(b, "R0", F_HEAD, i % 2 ? "r" : "s"), QM_OK);
  }
  meet(a, b);
  qm_arena arena;
  qm_buf batch;
  qm_vv_list nothing = {NULL, 0};
  uint64_t cursor = 0;
  qm_arena_init(&arena, &a->env, 1u << 26);
  qm_buf_init(&batch, &a->env, QM_BATCH_MAX);
  while (n < 16 && qm_engine_next_batch(a->engine, a->space, nothing, &cursor, &batch) == QM_OK) {
    batches[n++] = qm_slice_of(qm_arena_copy(&arena, batch.p, batch.n), batch.n);
    qm_buf_clear(&batch);
  }
  assert_true(n > 4);
  uint32_t parked = 0;
  for (unsigned late = 0; late < 2; late++)
    for (unsigned i = 0; i < n; i++) {
      qm_ingest in = {.peer = a->id};
      qm_batch_in head;
      qm_id writer;
      assert_int_equal(qm_batch_heads(batches[i], &arena, &head), QM_OK);
      qm_author_device(&head.authors[head.segments[0].author], &writer);
      if ((qm_id_cmp(&writer, &a->id) == 0) != (late == 1)) continue;
      assert_int_equal(qm_engine_begin(c->engine), QM_OK);
      assert_int_equal(qm_engine_ingest(c->engine, c->space, batches[i], &in, &arena, NULL), QM_OK);
      assert_int_equal(qm_engine_commit(c->engine, QM_DURABLE, NULL, NULL), QM_OK);
      assert_int_equal(in.n_refusals, 0);
      parked += in.parked;
    }
  assert_true(parked > 0);
  world_check_equal(&w);
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  world_close(&w);
}

/* A transaction rolled back leaves nothing, in memory or in the store. */
static void rollback_leaves_nothing(void **state) {
  (void)state;
  world w;
  qm_write *x;
  qm_digest before, after;
  world_open(&w, 2, 3);
  device *a = &w.d[0];
  assert_int_equal(put_new(a, "R0"), QM_OK);
  qm_space_digest(a->space, &before);
  uint64_t next = qm_vv_get(qm_space_vv(a->space), 0);
  qm_id id = rec("R0");
  assert_int_equal(qm_write_begin(&x, a->engine, a->space, 0), QM_OK);
  assert_int_equal(qm_write_inc(x, &id, F_VISITS, 3), QM_OK);
  qm_write_cancel(x);
  qm_space_digest(a->space, &after);
  assert_true(qm_digest_eq(&before, &after));
  assert_int_equal(qm_vv_get(qm_space_vv(a->space), 0), next);
  assert_string_equal(shown(a, "R0", F_VISITS), "-");
  assert_int_equal(put_inc(a, "R0", 2), QM_OK);
  assert_string_equal(shown(a, "R0", F_VISITS), "2");
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_order_gives_equal_digests),
                                     cmocka_unit_test(long_histories),
                                     cmocka_unit_test(states_in_between),
                                     cmocka_unit_test(duplicates_change_nothing),
                                     cmocka_unit_test(parked_until_complete),
                                     cmocka_unit_test(rollback_leaves_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
