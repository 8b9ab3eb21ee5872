/* (S3.22) Random histories of people who say that two records are not one, take it back, edit
 * and delete, and sync or join states in any order, beside a model that keeps each statement
 * as a fact with what it took away. With merging in between all replicas still end equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_world.h"

#define DEVICES 4
#define RECORDS 3
#define FACTS 512

static const char *const names[] = {"R0", "R1", "R2"};

typedef struct fact {
  int a, b; /* a < b: said to be distinct */
  uint8_t taken[FACTS]; /* facts that this one took away */
} fact;

static fact facts[FACTS];
static int n_facts;
static uint8_t has[DEVICES][FACTS];

static int lives(int who, int f) {
  if (!has[who][f]) return 0;
  for (int i = 0; i < n_facts; i++)
    if (has[who][i] && facts[i].taken[f]) return 0;
  return 1;
}

static int says(int who, int a, int b) {
  for (int f = 0; f < n_facts; f++)
    if (facts[f].a == a && facts[f].b == b && lives(who, f)) return 1;
  return 0;
}

static int act(device *d, int a, int b, int undo) {
  qm_write *w;
  qm_id one = rec(names[a]), other = rec(names[b]);
  d->world->now_ms++;
  assert_int_equal(qm_write_begin(&w, d->engine, d->space, 0), QM_OK);
  int rc = (undo ? qm_write_not_distinct : qm_write_distinct)(w, &one, &other);
  if (rc == QM_OK) rc = qm_write_commit(w, QM_DURABLE);
  else qm_write_cancel(w);
  return rc;
}

static void note(int who, int a, int b, int undo) {
  int low = a < b ? a : b, high = a < b ? b : a;
  if (says(who, low, high) != undo) return; /* nothing was written */
  assert_true(n_facts < FACTS);
  fact *f = &facts[n_facts];
  memset(f, 0, sizeof *f);
  f->a = undo ? -1 : low;
  f->b = undo ? -1 : high;
  for (int i = 0; i < n_facts && undo; i++)
    f->taken[i] = (uint8_t)(facts[i].a == low && facts[i].b == high && lives(who, i));
  has[who][n_facts++] = 1;
}

static void learn(int to, int from) {
  for (int f = 0; f < n_facts; f++) has[to][f] |= has[from][f];
}

static int shown_distinct(device *d, int a, int b) {
  qm_arena arena;
  qm_record_class one, other;
  qm_id x = rec(names[a]), y = rec(names[b]), holder;
  qm_slice element;
  qm_arena_init(&arena, &d->env, 1u << 20);
  assert_int_equal(qm_class_read(d->engine, d->space, &x, 0, &arena, &one), QM_OK);
  assert_int_equal(qm_class_read(d->engine, d->space, &y, 0, &arena, &other), QM_OK);
  int said = qm_class_distinct(&one, &other, &holder, &element);
  qm_arena_free(&arena);
  return said;
}

static void check(world *w) {
  for (int d = 0; d < DEVICES; d++)
    for (int a = 0; a < RECORDS; a++)
      for (int b = a + 1; b < RECORDS; b++)
        assert_int_equal(shown_distinct(&w->d[d], a, b), says(d, a, b));
}

static void step(world *w, int merges) {
  int who = (int)world_below(w, DEVICES), other = (int)world_below(w, DEVICES);
  int a = (int)world_below(w, RECORDS), b = (int)world_below(w, RECORDS);
  device *d = &w->d[who];
  switch (world_below(w, 10)) {
    case 0:
    case 1:
    case 2: {
      int undo = world_below(w, 3) == 0, rc = act(d, a, b, undo);
      if (a == b) assert_int_equal(rc == QM_EINVAL || rc == QM_EINVISIBLE, 1);
      if (rc == QM_OK && !merges) note(who, a, b, undo);
      break;
    }
    case 3: (void)put(d, names[a], F_TEL, world_below(w, 2) ? "x" : "y"); break;
    case 4: (void)put_erase(d, names[a]); break;
    case 5: (void)put_restore(d, names[a]); break;
    case 6:
      if (merges) (void)(world_below(w, 2) ? put_merge(d, names[a], names[b])
                                           : put_unmerge(d, names[a]));
      break;
    case 7:
      if (join(d, &w->d[other])) learn(who, other);
      break;
    case 8: reopen(d); break;
    default:
      pull(d, &w->d[other]);
      learn(who, other);
      break;
  }
}

static void play(uint64_t seed, int merges) {
  world w;
  memset(has, 0, sizeof has);
  n_facts = 0;
  world_open(&w, DEVICES, seed);
  for (int r = 0; r < RECORDS; r++) assert_int_equal(put_new(&w.d[r % 2], names[r]), QM_OK);
  world_settle(&w);
  for (int i = 0; i < 80; i++) {
    step(&w, merges);
    if (!merges) check(&w);
  }
  world_settle(&w);
  for (int d = 0; d < DEVICES * DEVICES; d++) learn(d / DEVICES, d % DEVICES);
  for (int d = 0; d < DEVICES; d++) learn(d, DEVICES - 1);
  if (!merges) check(&w);
  world_check_equal(&w);
  world_close(&w);
}

static void the_model_agrees(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) play(seed, 0);
}

static void replicas_end_equal(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) play(1000 + seed, 1);
}

/* A delete beside it stays a delete, and its presence is not marked. */
static void it_marks_nothing(void **state) {
  (void)state;
  world w;
  world_open(&w, 2, 1);
  assert_int_equal(put_new(&w.d[0], "R0"), QM_OK);
  assert_int_equal(put_new(&w.d[0], "R1"), QM_OK);
  world_settle(&w);
  assert_int_equal(put_erase(&w.d[0], "R0"), QM_OK);
  assert_int_equal(act(&w.d[1], 0, 1, 0), QM_OK);
  assert_int_equal(marks(&w.d[1], "R0"), 1);
  world_settle(&w);
  for (int d = 0; d < 2; d++) {
    assert_false(visible(&w.d[d], "R0"));
    assert_false(collides(&w.d[d], "R0"));
    assert_true(shown_distinct(&w.d[d], 0, 1));
  }
  world_check_equal(&w);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_model_agrees),
                                     cmocka_unit_test(replicas_end_equal),
                                     cmocka_unit_test(it_marks_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
