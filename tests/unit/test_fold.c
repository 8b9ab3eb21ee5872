/* State that follows behind the log (S12.14). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fold.h"
#include "tests/unit/support_engine.h"

static rig w;
#define A (&w.d[0])
#define B (&w.d[1])
#define H (&w.d[2]) /* behind its log */
#define C (&w.d[3]) /* never behind */

static void ok(int rc) {
  if (rc) fail_msg("%s", qm_err_name(rc));
}

static int setup(void **state) {
  (void)state;
  rig_open(&w, 4, 77);
  H->flags = QM_ENGINE_BEHIND;
  reopen(H);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  rig_close(&w);
  return 0;
}

static int count_row(void *payload, const qm_author_row *row) {
  *(uint64_t *)payload += row->next;
  return QM_OK;
}

/* What the author rows of the store cover. */
static uint64_t folded(dev *d) {
  uint64_t sum = 0;
  ok(d->store->ops->author_list(d->store, d->space->number, count_row, &sum));
  return sum;
}

/* The process is gone between two transactions. */
static void crash(dev *d) {
  d->engine->behind = 0;
  reopen(d);
}

static void write_some(dev *d, const char *r, int n) {
  for (int i = 0; i < n; i++) {
    ok(put(d, r, F_TEL, "139 0000 0000"));
    ok(put_add(d, r, i % 2 ? "low-rent" : "elder"));
    ok(put_inc(d, r, 1));
    ok(put_step(d, r, "visited"));
    ok(put_text(d, r, 0, 0, "wall leaks "));
  }
}

/* Both phones write, also about one record; H and C take the same. */
static void some_history(int n) {
  static unsigned serial;
  char gone[8];
  snprintf(gone, sizeof gone, "g%u", serial++);
  ok(put_new(A, gone));
  if (!visible(A, "R")) ok(put_new(A, "R"));
  if (!visible(A, "S")) ok(put_new(A, "S"));
  meet(A, B);
  for (int i = 0; i < n; i++) {
    write_some(A, "R", 2);
    write_some(B, i % 2 ? "R" : "S", 2);
    if (i == n / 2) ok(put_erase(B, gone));
    pull(H, A);
    pull(C, A);
    pull(H, B);
    pull(C, B);
    if (i % 3 == 2) meet(A, B);
  }
}

static void like_the_other(void) {
  standing h, c;
  ok(qm_engine_fold(H->engine));
  h = standing_of(H);
  c = standing_of(C);
  assert_memory_equal(h.vv, c.vv, sizeof h.vv);
  assert_true(qm_digest_eq(&h.digest, &c.digest));
  check_memory(H);
}

static void folded_once(void **state) {
  (void)state;
  uint64_t before = folded(H);
  some_history(6);
  assert_true(H->space->behind);
  assert_int_equal(folded(H), before);
  like_the_other();
  assert_false(H->space->behind);
  assert_int_equal(folded(H), folded(C));
}

static void reading_folds(void **state) {
  (void)state;
  some_history(2);
  assert_true(H->space->behind);
  /* Of one record by its id what waits is shown as it is. */
  assert_string_equal(shown(H, "R", F_VISITS), shown(C, "R", F_VISITS));
  assert_true(H->space->behind);
  uint64_t records = 0;
  ok(qm__fold_count(H->space, &records));
  assert_false(H->space->behind);
  like_the_other();
}

static void after_a_crash(void **state) {
  (void)state;
  for (int round = 0; round < 4; round++) {
    some_history(3);
    if (round % 2) ok(qm_engine_fold(H->engine));
    write_some(B, "R", 1);
    pull(H, B);
    pull(C, B);
    assert_true(H->space->behind);
    crash(H);
    assert_true(H->space->behind);
    pull(H, A); /* goes on before it was folded */
    pull(C, A);
  }
  like_the_other();
}

/* Who opens such a store otherwise folds it, or shows what was folded last. */
static void opened_by_others(void **state) {
  (void)state;
  some_history(1);
  ok(qm_engine_fold(H->engine));
  standing then = standing_of(H), now;
  some_history(3);
  H->flags = QM_ENGINE_FOLDED;
  crash(H);
  now = standing_of(H);
  assert_memory_equal(now.vv, then.vv, sizeof now.vv);
  assert_true(qm_digest_eq(&now.digest, &then.digest));
  H->flags = 0;
  crash(H);
  assert_false(H->space->behind);
  like_the_other();
}

static void rolled_back(void **state) {
  (void)state;
  qm_ingest in = {.peer = A->id};
  some_history(3);
  /* What cannot be read leaves what waits where it is. */
  const qm_loaded *const *table = (const qm_loaded *const *)H->space->table;
  assert_int_not_equal(take(H, qm_slice_of("\x01garbage", 8), &in), QM_OK);
  assert_true(H->space->behind);
  assert_ptr_equal(table, H->space->table);
  /* What took effect and is rolled back does not stay in what waits. */
  qm_slice batches[64];
  write_some(A, "R", 3);
  qm_vv_list have;
  ok(qm_engine_heads(H->engine, H->space, &w.arena, &have));
  unsigned n = log_of(A, have, batches, 64);
  assert_true(n > 0);
  ok(qm_engine_begin(H->engine));
  ok(qm_engine_ingest(H->engine, H->space, batches[0], &in, &w.arena, NULL));
  assert_true(in.taken > 0);
  qm_engine_rollback(H->engine);
  assert_true(H->space->behind);
  like_the_other();
  pull(H, A);
  pull(C, A);
  like_the_other();
}

/* Many batches in one transaction: what was read of one is given up for the next, unless records
 * borrow from it. */
static void many_at_once(void **state) {
  (void)state;
  some_history(3);
  for (int borrows = 0; borrows < 2; borrows++) {
    qm_slice batches[64];
    qm_vv_list have;
    size_t first = 0;
    char name[24];
    for (int i = 0; i < 20; i++) {
      snprintf(name, sizeof name, "n%d%d", borrows, i);
      ok(put_new(A, name));
      write_some(A, name, 2);
      write_some(A, "R", 1);
      pull(C, A);
    }
    ok(qm_engine_heads(H->engine, H->space, &w.arena, &have));
    unsigned n = log_of(A, have, batches, 64);
    assert_true(n >= 20);
    ok(qm_engine_begin(H->engine));
    if (borrows) ok(qm__fold(H->engine));
    for (unsigned i = 0; i < n; i++) {
      qm_ingest in = {.peer = A->id};
      ok(qm_engine_ingest(H->engine, H->space, batches[i], &in, &w.arena, NULL));
      assert_true(in.taken > 0);
      if (!i) first = H->engine->batch.used;
    }
    assert_true(borrows ? H->engine->batch.used > 10 * first : H->engine->batch.used < 3 * first);
    ok(qm_engine_commit(H->engine, QM_DURABLE, NULL, NULL));
    assert_int_equal(H->engine->batch.used, 0);
    like_the_other();
  }
}

/* What is written here waits too; sending it folds it. */
static void own_writes(void **state) {
  (void)state;
  some_history(2);
  ok(qm_engine_fold(H->engine));
  uint64_t before = folded(H);
  write_some(H, "R", 2);
  ok(put(H, "R", F_HEAD, "Zhang Ex"));
  ok(put_new(H, "mine"));
  ok(put_erase(H, "S"));
  assert_int_equal(H->space->behind, QM_BEHIND_WROTE);
  assert_int_equal(folded(H), before);
  assert_string_equal(shown(H, "R", F_HEAD), "Zhang Ex");
  assert_true(visible(H, "mine"));
  assert_false(visible(H, "S"));
  pull(C, H);
  assert_false(H->space->behind);
  assert_string_equal(shown(C, "R", F_HEAD), "Zhang Ex");
  like_the_other();
}

static void own_after_a_crash(void **state) {
  (void)state;
  char name[16];
  some_history(2);
  for (int round = 0; round < 6; round++) {
    write_some(H, "R", 1);
    snprintf(name, sizeof name, "n%d", round);
    ok(put_new(H, name));
    ok(put(H, name, F_HEAD, name));
    if (round % 3 == 1) ok(put_erase(H, name));
    if (round % 2) some_history(1); /* batches between the own changes */
    ok(put(H, "R", F_HEAD, name));
    assert_true(H->space->behind);
    crash(H);
    assert_true(H->space->behind);
    assert_string_equal(shown(H, "R", F_HEAD), name);
    if (round % 3 == 2) pull(C, H);
  }
  crash(H);
  crash(H);
  pull(C, H);
  like_the_other();
}

/* Given up, a write takes nothing along of what waits. */
static void own_given_up(void **state) {
  (void)state;
  qm_write *x;
  qm_id id = rec("R");
  some_history(1);
  ok(put(H, "R", F_HEAD, "kept"));
  for (int ops = 0; ops < 3; ops++) {
    ok(qm_write_begin(&x, H->engine, H->space, 0));
    for (int i = 0; i < ops; i++)
      ok(qm_write_set(x, &id, i ? F_TEL : F_HEAD, text_value(&w, "gone"), qm_slice_of(NULL, 0), 0));
    qm_write_cancel(x);
    assert_true(H->space->behind);
    assert_string_equal(shown(H, "R", F_HEAD), "kept");
  }
  pull(C, H);
  like_the_other();
}

/* A change that asks for what is stored meanwhile saves its own part with it, and the rest. */
static void folded_meanwhile(void **state) {
  (void)state;
  qm_write *x;
  qm_id id = rec("R");
  uint64_t records;
  some_history(1);
  ok(put(H, "R", F_HEAD, "one"));
  ok(qm_write_begin(&x, H->engine, H->space, 0));
  ok(qm_write_set(x, &id, F_HEAD, text_value(&w, "two"), qm_slice_of(NULL, 0), 0));
  ok(qm__fold_count(H->space, &records));
  ok(qm_write_set(x, &id, F_TEL, text_value(&w, "three"), qm_slice_of(NULL, 0), 0));
  ok(qm_write_commit(x, QM_DURABLE));
  assert_false(H->space->behind);
  check_memory(H);
  crash(H);
  assert_false(H->space->behind);
  pull(C, H);
  like_the_other();
}

/* A record that may come out too large to be saved does not wait. */
static void large_ones(void **state) {
  (void)state;
  static char large[60001];
  int waited = 0, saved = 0, rc = QM_OK;
  memset(large, 'x', sizeof large - 1);
  some_history(1);
  for (int i = 0; i < 200 && rc == QM_OK; i++) {
    rc = put_step(H, "R", large);
    if (rc == QM_OK) *(H->space->behind ? &waited : &saved) += 1;
  }
  assert_int_equal(rc, QM_ELIMIT);
  assert_true(waited && saved);
  ok(put(H, "S", F_HEAD, "goes on"));
  pull(C, H);
  like_the_other();
}

static int count_fields(void *payload, const qm_feed_row *row) {
  unsigned *local = payload;
  qm_feed_field f;
  qm_cur c;
  int more;
  ok(qm_feed_open(&c, row->fields));
  for (;;) {
    ok(qm_feed_next(&c, row->seq, &f, &more));
    if (!more) return QM_OK;
    *local += !f.remote;
  }
}

/* Fields touched here, of all records. */
static unsigned touched_here(dev *d) {
  unsigned n = 0;
  ok(qm_engine_fold(d->engine));
  ok(d->store->ops->feed_after(d->store, 0, 1000, count_fields, &n));
  return n;
}

/* The feed tells of what waits once it is folded, and of all of it after a crash. */
static void feed(void **state) {
  (void)state;
  H->flags = QM_ENGINE_FEED | QM_ENGINE_BEHIND;
  C->flags = QM_ENGINE_FEED;
  reopen(H);
  reopen(C);
  some_history(1);
  for (int round = 0; round < 2; round++) {
    dev *both[] = {H, C};
    for (int i = 0; i < 2; i++) {
      ok(put_new(both[i], round ? "b" : "a"));
      write_some(both[i], "R", 1);
      ok(put(both[i], "S", F_HEAD, round ? "y" : "x"));
      if (round == 1) ok(put_erase(both[i], "a"));
    }
    assert_true(H->space->behind);
    if (round == 1) crash(H);
    assert_int_equal(touched_here(H), touched_here(C));
  }
  some_history(1); /* what others wrote does not wait */
  assert_false(H->space->behind);
}

static void grown(void **state) {
  (void)state;
  char name[16];
  int folds = 0, waits = 0;
  static char large[30001];
  memset(large, 'x', sizeof large - 1);
  for (int i = 0; i < 300 && !folds; i++) {
    snprintf(name, sizeof name, "r%d", i);
    ok(put_new(A, name));
    for (int k = 0; k < 20; k++) {
      large[0] = (char)('a' + k);
      ok(put(A, name, F_HEAD, large));
    }
    pull(H, A);
    pull(C, A);
    waits += H->space->behind != 0;
    folds += !H->space->behind;
    assert_true(H->engine->records.used < qm__fold_room(H->engine) + ((size_t)8 << 20));
  }
  assert_true(folds && waits > folds);
  like_the_other();
}

static size_t room(uint32_t flags, uint32_t n_spaces) {
  const qm_engine e = {.flags = flags, .n_spaces = n_spaces};
  return qm__fold_room(&e);
}

static void room_of_a_hub(void **state) {
  (void)state;
  const size_t mib = (size_t)1 << 20;
  static const uint32_t many[] = {11, 12, 1000, UINT32_MAX};
  assert_int_equal(room(QM_ENGINE_BEHIND, 1), 8 * mib);
  assert_int_equal(room(QM_ENGINE_BEHIND, 30), 8 * mib);
  assert_int_equal(room(QM_ENGINE_HUB, 0), 15 * mib);
  assert_int_equal(room(QM_ENGINE_HUB, 1), 15 * mib);
  assert_int_equal(room(QM_ENGINE_HUB, 2), 20 * mib);
  assert_int_equal(room(QM_ENGINE_HUB | QM_ENGINE_BEHIND, 10), 60 * mib);
  for (size_t i = 0; i < sizeof many / sizeof *many; i++)
    assert_int_equal(room(QM_ENGINE_HUB, many[i]), 64 * mib);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(folded_once, setup, teardown),
      cmocka_unit_test_setup_teardown(reading_folds, setup, teardown),
      cmocka_unit_test_setup_teardown(after_a_crash, setup, teardown),
      cmocka_unit_test_setup_teardown(opened_by_others, setup, teardown),
      cmocka_unit_test_setup_teardown(rolled_back, setup, teardown),
      cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(own_writes, setup, teardown),
      cmocka_unit_test_setup_teardown(own_after_a_crash, setup, teardown),
      cmocka_unit_test_setup_teardown(own_given_up, setup, teardown),
      cmocka_unit_test_setup_teardown(folded_meanwhile, setup, teardown),
      cmocka_unit_test_setup_teardown(large_ones, setup, teardown),
      cmocka_unit_test_setup_teardown(feed, setup, teardown),
      cmocka_unit_test_setup_teardown(grown, setup, teardown),
      cmocka_unit_test(room_of_a_hub),
  };
  return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
