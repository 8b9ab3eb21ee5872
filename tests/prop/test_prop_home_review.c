/* (S20.5) What nobody settles in the review time the home hub settles: only that, once, and all
 * replicas come to hold the same; counterexample 38; random histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/siblings.h"
#include "core/home_review.h"
#include "core/inbox.h"
#include "core/review.h"
#include "support_world.h"

#define NONE qm_slice_of(NULL, 0)
#define DAY UINT64_C(86400000)
#define HUB 0

static void open_world(world *w, unsigned n, uint64_t seed) {
  world_open(w, n, seed);
  for (unsigned i = 0; i < n; i++) {
    w->d[i].flags |= i == HUB ? QM_ENGINE_HUB | QM_ENGINE_BEHIND : QM_ENGINE_INBOX;
    reopen(&w->d[i]);
  }
}

/* A day's upkeep. */
static unsigned upkeep(world *w) {
  device *h = &w->d[HUB];
  qm_home_settled out = {.more = 1};
  qm_id after;
  unsigned n = 0;
  for (int i = 0; out.more; i++) {
    assert_in_range(i, 0, 100);
    after = out.last;
    assert_int_equal(qm_home_review(h->engine, h->space, i ? &after : NULL, 2, &out), QM_OK);
    n += out.settled;
  }
  return n;
}

static unsigned days(world *w, unsigned n) {
  unsigned settled = 0;
  for (unsigned i = 0; i < n; i++) {
    w->now_ms += DAY;
    settled += upkeep(w);
  }
  return settled;
}

static int count(void *payload, const qm_conflict *c) {
  (void)c;
  ++*(unsigned *)payload;
  return QM_OK;
}

static unsigned conflicts(device *d) {
  unsigned n = 0;
  assert_int_equal(qm_review_each(d->engine, d->space, 0, NULL, count, &n), QM_OK);
  return n;
}

static unsigned siblings(device *d, const char *r, uint32_t field) {
  qm_id id = rec(r);
  const qm_record *record;
  assert_int_equal(qm_engine_read(d->engine, d->space, &id, &d->world->arena, &record), QM_OK);
  const qm_cell *cell = qm_record_cell(record, field, QM_SIBLINGS);
  return cell ? qm_siblings_of(cell)->n : 0;
}

static void start(world *w) {
  open_world(w, 4, 11);
  assert_int_equal(put_new(&w->d[1], "R"), QM_OK);
  assert_int_equal(put(&w->d[1], "R", F_TEL, "old"), QM_OK);
  world_settle(w);
  upkeep(w);
}

static void what_is_overdue_is_settled_once(void **state) {
  world w;
  (void)state;
  start(&w);
  device *h = &w.d[HUB], *a = &w.d[1], *b = &w.d[2];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  world_settle(&w);
  assert_int_equal(days(&w, 89), 0);
  world_settle(&w);
  assert_string_equal(listed(h, "R", F_TEL), "a/s");
  assert_int_equal(days(&w, 8), 1);
  assert_int_equal(days(&w, 8), 0);
  world_settle(&w);
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_string_equal(shown(&w.d[i], "R", F_TEL), "b");
    assert_int_equal(conflicts(&w.d[i]), 0);
  }
  world_close(&w);
}

/* What a phone brings late is as old as its coming. */
static void age_counts_from_the_hub(void **state) {
  world w;
  (void)state;
  start(&w);
  device *h = &w.d[HUB], *a = &w.d[1], *b = &w.d[2], *c = &w.d[3];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put(c, "R", F_TEL, "c"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  meet(h, b);
  meet(h, c);
  assert_int_equal(days(&w, 60), 0);
  meet(h, a); /* written two months ago */
  assert_int_equal(days(&w, 40), 1);
  assert_string_equal(shown(h, "R", F_TEL), "b");
  assert_string_equal(listed(h, "R", F_TEL), "a/u"); /* c was settled, a stays */
  assert_int_equal(days(&w, 60), 1);
  assert_string_equal(listed(h, "R", F_TEL), "");
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

static void the_loser_is_told(void **state) {
  world w;
  unsigned n = 0;
  (void)state;
  start(&w);
  device *h = &w.d[HUB], *a = &w.d[1], *b = &w.d[2];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  meet(h, a);
  meet(h, b);
  assert_int_equal(days(&w, 100), 1);
  pull(a, h);
  qm_arena arena;
  qm_inbox_entry x;
  uint32_t author;
  qm_arena_init(&arena, &a->env, 1 << 20);
  assert_int_equal(qm_authors_find(qm_space_authors(a->space), qm_engine_author(a->engine),
                                   &author),
                   QM_OK);
  for (uint64_t c = 0; c < 8; c++)
    if (qm_inbox_find(a->engine, a->space, (qm_dot){c, author}, &arena, &x) == QM_OK) {
      assert_int_equal(x.reason, QM_INBOX_SETTLED);
      n++;
    }
  assert_int_equal(n, 1);
  qm_arena_free(&arena);
  world_close(&w);
}

static void deletes_and_edits_too(void **state) {
  world w;
  (void)state;
  start(&w);
  device *h = &w.d[HUB], *a = &w.d[1], *b = &w.d[2];
  assert_int_equal(put_erase(a, "R"), QM_OK);
  assert_int_equal(put(b, "R", F_HEAD, "h"), QM_OK);
  world_settle(&w);
  assert_true(visible(h, "R") && collides(h, "R"));
  assert_int_equal(days(&w, 100), 1);
  world_settle(&w);
  world_check_equal(&w);
  assert_true(visible(a, "R") && !collides(a, "R"));
  assert_int_equal(days(&w, 100), 0);
  world_close(&w);
}

/* Counterexample 38. */
static void unread_saves_of_sixty_days(void **state) {
  world w;
  (void)state;
  start(&w);
  device *h = &w.d[HUB], *a = &w.d[1], *b = &w.d[2];
  qm_slice form_a = form(a, "R", QM_READ_VALUES), form_b = form(b, "R", QM_READ_VALUES);
  for (unsigned day = 0; day < 60; day++) {
    char text[16];
    meet(h, a), meet(h, b), meet(h, a);
    snprintf(text, sizeof text, "a%u", day);
    assert_int_equal(put_with(a, "R", F_TEL, text, form_a, 0), QM_OK);
    w.now_ms += 1000;
    snprintf(text, sizeof text, "b%u", day);
    assert_int_equal(put_with(b, "R", F_TEL, text, form_b, 0), QM_OK);
    assert_int_equal(days(&w, 1), 0);
  }
  world_settle(&w);
  unsigned before = siblings(h, "R", F_TEL);
  assert_int_equal(before, 120);
  unsigned settled = days(&w, 110);
  assert_true(settled >= 1);
  world_settle(&w);
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_true(siblings(&w.d[i], "R", F_TEL) <= 2);
    assert_int_equal(conflicts(&w.d[i]), 0);
    assert_string_equal(shown(&w.d[i], "R", F_TEL), "b59");
  }
  world_close(&w);
}

/* ---- random histories ---- */

static const char *const names[] = {"R0", "R1", "R2", "R3"};
static const char *const words[] = {"x", "y", "z"};
static const char *const states[] = {"open", "assigned", "closed"};

static void allow(int rc) {
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_EINVISIBLE && rc != QM_EINVAL &&
      rc != QM_ESCHEMA)
    fail_msg("unexpected %s", qm_err_name(rc));
}

static void random_write(world *w) {
  device *d = &w->d[1 + world_below(w, w->n - 1)];
  const char *r = names[world_below(w, 4)], *word = words[world_below(w, 3)];
  switch (world_below(w, 10)) {
    case 0: allow(visible(d, r) || marks(d, r) ? QM_OK : put_new(d, r)); break;
    case 1: allow(put_erase(d, r)); break;
    case 2: allow(put_restore(d, r)); break;
    case 3: allow(put_state(d, r, states[world_below(w, 3)])); break;
    case 4: allow(put_raise(d, r, F_LAST, world_below(w, 50))); break;
    case 5: allow(put_merge(d, r, names[world_below(w, 4)])); break;
    case 6: allow(put_unmerge(d, r)); break;
    case 7: allow(put(d, r, F_HEAD, word)); break;
    default: allow(put(d, r, F_TEL, word));
  }
}

static const char *all_shown(device *d) {
  static char text[2][1024];
  static int turn;
  char *to = text[turn ^= 1];
  size_t n = 0;
  for (unsigned i = 0; i < 4; i++)
    n += (size_t)snprintf(to + n, 1024 - n, "%d %s %s %s %s;", visible(d, names[i]),
                          shown(d, names[i], F_TEL), shown(d, names[i], F_HEAD),
                          shown(d, names[i], F_STATE), shown(d, names[i], F_LAST));
  return to;
}

static int not_same_key(void *payload, const qm_conflict *c) {
  *(unsigned *)payload += c->cls != QM_CONFLICT_SAME_KEY;
  return QM_OK;
}

static void all_replicas_come_to_the_same(void **state) {
  unsigned total = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    world w;
    open_world(&w, 4, seed);
    for (unsigned i = 0; i < 120; i++) {
      w.now_ms += 1000 * world_below(&w, 30);
      unsigned one = world_below(&w, w.n), other = (one + 1 + world_below(&w, w.n - 1)) % w.n;
      if (world_below(&w, 3) == 0) pull(&w.d[one], &w.d[other]);
      else random_write(&w);
      if (world_below(&w, 10) == 0) days(&w, world_below(&w, 20));
    }
    world_settle(&w);
    char before[1024];
    snprintf(before, sizeof before, "%s", all_shown(&w.d[HUB]));
    total += days(&w, 100);
    assert_int_equal(days(&w, 20), 0);
    world_settle(&w);
    world_check_equal(&w);
    for (unsigned i = 0; i < w.n; i++) {
      unsigned left = 0;
      assert_string_equal(all_shown(&w.d[i]), before); /* settled for what was shown */
      assert_int_equal(qm_review_each(w.d[i].engine, w.d[i].space, 0, NULL, not_same_key, &left),
                       QM_OK);
      assert_int_equal(left, 0);
    }
    world_close(&w);
  }
  assert_in_range(total, 60, 100000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_overdue_is_settled_once),
      cmocka_unit_test(age_counts_from_the_hub),
      cmocka_unit_test(the_loser_is_told),
      cmocka_unit_test(deletes_and_edits_too),
      cmocka_unit_test(unread_saves_of_sixty_days),
      cmocka_unit_test(all_replicas_come_to_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
