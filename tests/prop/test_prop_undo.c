/* (S20.4, S20.6) A settle clears exactly what was listed, counterexamples 29 to 31 and 20; its
 * undo lists it again with the values that it had, and everybody comes to the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/read.h"
#include "core/undo.h"
#include "support_world.h"

#define NONE qm_slice_of(NULL, 0)

static void open_world(world *w, unsigned n, uint64_t seed) {
  world_open(w, n, seed);
  for (unsigned i = 0; i < n; i++) {
    w->d[i].flags |= QM_ENGINE_INBOX | (i % 2 ? 0u : QM_ENGINE_BEHIND);
    reopen(&w->d[i]);
  }
}

typedef struct last {
  qm_settled x;
  unsigned n;
} last;

static int take(void *payload, const qm_settled *x) {
  last *l = payload;
  if (!l->n || x->ms > l->x.ms || (x->ms == l->x.ms && x->dot.counter > l->x.dot.counter))
    l->x = *x;
  l->n++;
  return QM_OK;
}

static unsigned settles(device *d, qm_dot *newest) {
  last l = {.n = 0};
  assert_int_equal(qm_settled_each(d->engine, d->space, take, &l), QM_OK);
  if (newest) *newest = l.x.dot;
  return l.n;
}

static int undo(device *d) {
  qm_dot dot = {0, 0};
  if (!settles(d, &dot)) return QM_ENOTFOUND;
  return qm_settled_undo(d->engine, d->space, dot);
}

/* {x, y} on all; the third device writes z when told. */
static void start(world *w) {
  open_world(w, 3, 5);
  assert_int_equal(put_new(&w->d[0], "R"), QM_OK);
  world_settle(w);
  assert_int_equal(put(&w->d[1], "R", F_TEL, "x"), QM_OK);
  w->now_ms += 1000;
  assert_int_equal(put(&w->d[2], "R", F_TEL, "y"), QM_OK);
  world_settle(w);
  assert_string_equal(listed(&w->d[0], "R", F_TEL), "x/s");
}

static void a_settle_clears_what_was_listed(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0];
  qm_slice list = form(a, "R", QM_READ_REVIEW);
  assert_int_equal(put_with(&w.d[1], "R", F_TEL, "z", form(&w.d[1], "R", QM_READ_VALUES), 0),
                   QM_OK);
  pull(a, &w.d[1]); /* after the list was read */
  w.now_ms += 1000;
  assert_int_equal(put_with(a, "R", F_TEL, "x", list, QM_WRITE_SETTLE), QM_OK);
  assert_string_equal(shown(a, "R", F_TEL), "x");
  assert_string_equal(listed(a, "R", F_TEL), "z/u");
  world_settle(&w);
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) assert_string_equal(listed(&w.d[i], "R", F_TEL), "z/u");
  /* The value that is shown can be chosen (30). */
  assert_int_equal(put_with(a, "R", F_TEL, "x", NONE, QM_WRITE_SETTLE), QM_OK);
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) assert_string_equal(listed(&w.d[i], "R", F_TEL), "");
  world_close(&w);
}

static void a_settle_on_merged_records_holds(void **state) {
  world w;
  (void)state;
  open_world(&w, 2, 6);
  device *a = &w.d[0];
  assert_int_equal(put_new(a, "A"), QM_OK);
  assert_int_equal(put_new(a, "B"), QM_OK);
  assert_int_equal(put(a, "A", F_TEL, "a"), QM_OK);
  assert_int_equal(put(a, "B", F_TEL, "b"), QM_OK);
  assert_int_equal(put_merge(a, "A", "B"), QM_OK);
  assert_string_equal(listed(a, "A", F_TEL), "a/m");
  assert_int_equal(put_with(a, "A", F_TEL, "a", NONE, QM_WRITE_SETTLE), QM_OK);
  assert_string_equal(listed(a, "A", F_TEL), "");
  w.now_ms += 1000;
  assert_int_equal(put(a, "B", F_TEL, "c"), QM_OK);
  assert_string_equal(shown(a, "A", F_TEL), "c");
  assert_string_equal(listed(a, "A", F_TEL), ""); /* b stays hidden (31) */
  world_close(&w);
}

static void an_undo_lists_it_again(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0];
  assert_int_equal(undo(a), QM_ENOTFOUND);
  w.now_ms += 1000;
  assert_int_equal(put_with(a, "R", F_TEL, "third", NONE, QM_WRITE_SETTLE), QM_OK);
  assert_string_equal(shown(a, "R", F_TEL), "third");
  assert_string_equal(listed(a, "R", F_TEL), "");
  w.now_ms += 1000;
  assert_int_equal(undo(a), QM_OK);
  world_settle(&w);
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_string_equal(shown(&w.d[i], "R", F_TEL), "y");
    assert_string_equal(listed(&w.d[i], "R", F_TEL), "x/s");
  }
  assert_int_equal(undo(a), QM_ENOTFOUND);
  reopen(a);
  assert_string_equal(listed(a, "R", F_TEL), "x/s");
  world_close(&w);
}

static void what_was_written_since_stays(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1];
  assert_int_equal(put(b, "R", F_TEL, "beside"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put_with(a, "R", F_TEL, "x", NONE, QM_WRITE_SETTLE), QM_OK);
  meet(a, b);
  assert_string_equal(listed(a, "R", F_TEL), "beside/s");
  w.now_ms += 1000;
  assert_int_equal(undo(a), QM_OK);
  assert_string_equal(shown(a, "R", F_TEL), "y");
  assert_string_equal(listed(a, "R", F_TEL), "x/s,beside/s");
  /* Somebody who had read the settle writes: it is over. */
  w.now_ms += 1000;
  assert_int_equal(put_with(a, "R", F_TEL, "x", NONE, QM_WRITE_SETTLE), QM_OK);
  meet(a, b);
  assert_int_equal(put(b, "R", F_TEL, "later"), QM_OK);
  meet(a, b);
  assert_int_equal(undo(a), QM_ESTALE);
  assert_string_equal(shown(a, "R", F_TEL), "later");
  assert_int_equal(put_erase(a, "R"), QM_OK);
  assert_int_equal(undo(a), QM_EINVISIBLE);
  world_close(&w);
}

static void an_undo_on_merged_records(void **state) {
  world w;
  (void)state;
  open_world(&w, 2, 6);
  device *a = &w.d[0];
  assert_int_equal(put_new(a, "A"), QM_OK);
  assert_int_equal(put_new(a, "B"), QM_OK);
  assert_int_equal(put(a, "A", F_TEL, "a"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put(a, "B", F_TEL, "b"), QM_OK);
  assert_int_equal(put_merge(a, "A", "B"), QM_OK);
  assert_int_equal(put_with(a, "A", F_TEL, "c", NONE, QM_WRITE_SETTLE), QM_OK);
  assert_int_equal(undo(a), QM_OK);
  assert_string_equal(shown(a, "A", F_TEL), "b");
  assert_string_equal(listed(a, "A", F_TEL), "a/s");
  meet(a, &w.d[1]);
  world_check_equal(&w);
  world_close(&w);
}

/* A record that one deleted and another edited (20): an undo decides nothing about that. */
static void an_undo_keeps_a_collision(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1];
  assert_int_equal(put_erase(b, "R"), QM_OK);
  assert_int_equal(put_with(a, "R", F_TEL, "x", NONE, QM_WRITE_SETTLE), QM_OK);
  meet(a, b);
  assert_true(collides(a, "R") && visible(a, "R"));
  assert_int_equal(undo(a), QM_OK);
  assert_true(collides(a, "R") && visible(a, "R"));
  meet(a, b);
  assert_true(collides(b, "R") && visible(b, "R"));
  assert_string_equal(listed(b, "R", F_TEL), listed(a, "R", F_TEL));
  world_close(&w);
}

static void notes_do_not_pile_up(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0];
  for (unsigned i = 0; i < QM_UNDO_MAX + 10; i++) {
    char text[16];
    snprintf(text, sizeof text, "v%u", i);
    w.now_ms += 1000;
    assert_int_equal(put_with(a, "R", F_TEL, text, NONE, QM_WRITE_SETTLE), QM_OK);
  }
  assert_int_equal(settles(a, NULL), QM_UNDO_MAX + 10);
  assert_int_equal(qm_settled_prune(a->engine, a->space, 0), QM_OK);
  assert_int_equal(settles(a, NULL), QM_UNDO_MAX);
  assert_int_equal(qm_settled_prune(a->engine, a->space, w.now_ms), QM_OK);
  assert_int_equal(settles(a, NULL), 1);
  world_close(&w);
}

/* After random settles and undos everybody holds the same, by log and by state. */
static void all_replicas_come_to_the_same(void **state) {
  static const char *const names[] = {"R0", "R1"}, *const words[] = {"x", "y", "z"};
  unsigned undone = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    world w;
    open_world(&w, 3, seed);
    for (unsigned k = 0; k < 2; k++) assert_int_equal(put_new(&w.d[0], names[k]), QM_OK);
    world_settle(&w);
    for (unsigned i = 0; i < 80; i++) {
      unsigned one = world_below(&w, 3), other = (one + 1 + world_below(&w, 2)) % 3;
      device *d = &w.d[one];
      const char *r = names[world_below(&w, 2)], *word = words[world_below(&w, 3)];
      w.now_ms += 500 * world_below(&w, 3);
      switch (world_below(&w, 6)) {
        case 0:
        case 1: pull(d, &w.d[other]); break;
        case 2: assert_int_equal(put_with(d, r, F_TEL, word, NONE, QM_WRITE_SETTLE), QM_OK); break;
        case 3: undone += undo(d) == QM_OK; break;
        case 4:
          if (world_below(&w, 5) == 0) join(d, &w.d[other]);
          break;
        default: assert_int_equal(put(d, r, F_TEL, word), QM_OK);
      }
    }
    world_settle(&w);
    world_check_equal(&w);
    world_close(&w);
  }
  assert_in_range(undone, 40, 100000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_settle_clears_what_was_listed),
      cmocka_unit_test(a_settle_on_merged_records_holds),
      cmocka_unit_test(an_undo_lists_it_again),
      cmocka_unit_test(what_was_written_since_stays),
      cmocka_unit_test(an_undo_on_merged_records),
      cmocka_unit_test(an_undo_keeps_a_collision),
      cmocka_unit_test(notes_do_not_pile_up),
      cmocka_unit_test(all_replicas_come_to_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
