/* (S20.7, S20.8, S20.9) Programs of what a writer is told, and random histories after which every
 * value that another device put out of sight has been told, once, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/siblings.h"
#include "core/inbox.h"
#include "core/read.h"
#include "support_world.h"

#define NONE qm_slice_of(NULL, 0)

static const char *const reasons[] = {"", "concurrent", "unread", "settled"};

typedef struct told {
  char text[2048];
  unsigned n, unread;
} told;

static void put_value_text(char *to, size_t size, qm_slice v) {
  if (v.n == 1 && v.p[0] == 0xc2) snprintf(to, size, "no");
  else if (v.n == 1 && v.p[0] == 0xc3) snprintf(to, size, "yes");
  else snprintf(to, size, "%.*s", (int)v.n - 1, (const char *)v.p + 1); /* a short text */
}

static int take(void *payload, const qm_inbox_entry *x) {
  told *t = payload;
  char before[64], after[64];
  size_t n = strlen(t->text);
  put_value_text(before, sizeof before, x->before);
  put_value_text(after, sizeof after, x->after);
  snprintf(t->text + n, sizeof t->text - n, "%s%.4s.%u %s>%s %s%s", n ? "; " : "",
           (const char *)x->record.b, x->field, before, after, reasons[x->reason],
           x->is_read ? " read" : "");
  t->n++;
  t->unread += !x->is_read;
  return QM_OK;
}

static const char *inbox(device *d) {
  static told t;
  memset(&t, 0, sizeof t);
  assert_int_equal(qm_inbox_each(d->engine, d->space, take, &t), QM_OK);
  return t.text;
}

static void open_world(world *w, unsigned n, uint64_t seed) {
  world_open(w, n, seed);
  for (unsigned i = 0; i < n; i++) {
    w->d[i].flags |= QM_ENGINE_INBOX | (i % 2 ? 0u : QM_ENGINE_BEHIND);
    reopen(&w->d[i]);
  }
}

static void later(world *w) { w->now_ms += 60000; }

static void start(world *w) {
  open_world(w, 4, 7);
  assert_int_equal(put_new(&w->d[0], "R"), QM_OK);
  assert_int_equal(put(&w->d[0], "R", F_TEL, "old"), QM_OK);
  world_settle(w);
}

static void a_lost_tie_is_told_once(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1], *c = &w.d[2];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  later(&w);
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  assert_string_equal(inbox(a), "");
  meet(a, b);
  assert_string_equal(inbox(a), "R.17 a>b concurrent");
  assert_string_equal(inbox(b), "");
  meet(a, b);
  reopen(a);
  meet(a, b);
  assert_string_equal(inbox(a), "R.17 a>b concurrent");
  assert_int_equal(qm_inbox_read(a->engine, a->space, NULL), QM_OK);
  assert_string_equal(inbox(a), "R.17 a>b concurrent read");
  /* Somebody decides for a third: the winner learns it, the loser knew. */
  pull(c, b);
  later(&w);
  assert_int_equal(put_with(c, "R", F_TEL, "c", NONE, QM_WRITE_SETTLE), QM_OK);
  world_settle(&w);
  assert_string_equal(inbox(a), "R.17 a>c settled read");
  assert_string_equal(inbox(b), "R.17 b>c settled");
  assert_string_equal(inbox(c), "");
  /* After this, whoever writes has read it. */
  later(&w);
  assert_int_equal(put(a, "R", F_TEL, "d"), QM_OK);
  world_settle(&w);
  assert_string_equal(inbox(c), "");
  world_close(&w);
}

static void an_ordinary_edit_is_no_loss(void **state) {
  world w;
  (void)state;
  start(&w);
  assert_int_equal(put(&w.d[0], "R", F_TEL, "a"), QM_OK);
  world_settle(&w);
  later(&w);
  assert_int_equal(put(&w.d[1], "R", F_TEL, "b"), QM_OK);
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) assert_string_equal(inbox(&w.d[i]), "");
  world_close(&w);
}

/* Counterexample 14, as the one who was not read sees it. */
static void a_save_from_an_old_form_is_told(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1];
  qm_slice token = form(a, "R", QM_READ_VALUES);
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  pull(a, b);
  later(&w);
  assert_int_equal(put_with(a, "R", F_TEL, "a", token, 0), QM_OK);
  assert_string_equal(inbox(a), "");
  pull(b, a);
  assert_string_equal(inbox(b), "R.17 b>a unread");
  world_close(&w);
}

/* The tie and the decision come in one batch. */
static void what_was_settled_elsewhere_is_told(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1], *c = &w.d[2];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  pull(c, a);
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  pull(c, b);
  later(&w);
  assert_int_equal(put_with(c, "R", F_TEL, "b", NONE, QM_WRITE_SETTLE), QM_OK);
  pull(a, c);
  assert_string_equal(inbox(a), "R.17 a>b settled");
  pull(b, c);
  assert_string_equal(inbox(b), "");
  world_close(&w);
}

static void a_value_that_comes_back_is_not_told(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1], *c = &w.d[2];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  later(&w);
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  meet(a, b);
  assert_string_equal(inbox(a), "R.17 a>b concurrent");
  pull(c, a);
  assert_int_equal(put_with(c, "R", F_TEL, "a", NONE, QM_WRITE_SETTLE), QM_OK);
  world_settle(&w);
  assert_string_equal(inbox(a), "");
  assert_string_equal(inbox(b), "R.17 b>a settled");
  world_close(&w);
}

static void deletes_and_edits_that_did_not_hold(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1], *c = &w.d[2];
  assert_int_equal(put_erase(a, "R"), QM_OK);
  assert_int_equal(put(b, "R", F_HEAD, "h"), QM_OK);
  meet(a, b);
  assert_string_equal(inbox(a), "R.0 no>yes concurrent");
  assert_string_equal(inbox(b), "");
  pull(c, a);
  assert_int_equal(put_erase_with(c, "R", form(c, "R", QM_READ_REVIEW)), QM_OK);
  world_settle(&w);
  assert_string_equal(inbox(b), "R.0 yes>no settled");
  world_close(&w);
}

static void a_decision_on_merged_records_is_told(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1];
  assert_int_equal(put_new(b, "S"), QM_OK);
  assert_int_equal(put(b, "S", F_TEL, "b"), QM_OK);
  world_settle(&w);
  later(&w);
  assert_int_equal(put_merge(a, "R", "S"), QM_OK);
  assert_int_equal(put_with(a, "R", F_TEL, "x", NONE, QM_WRITE_SETTLE), QM_OK);
  world_settle(&w);
  assert_string_equal(inbox(b), "S.17 b>x settled");
  world_close(&w);
}

static void old_entries_go(void **state) {
  world w;
  (void)state;
  start(&w);
  device *a = &w.d[0], *b = &w.d[1];
  assert_int_equal(put(a, "R", F_TEL, "a"), QM_OK);
  assert_int_equal(put(a, "R", F_HEAD, "ha"), QM_OK);
  later(&w);
  assert_int_equal(put(b, "R", F_TEL, "b"), QM_OK);
  meet(a, b);
  uint64_t first = w.now_ms;
  w.now_ms += 86400000;
  assert_int_equal(put(b, "R", F_HEAD, "hb"), QM_OK);
  assert_int_equal(put(a, "R", F_HEAD, "hc"), QM_OK);
  w.now_ms += 1000;
  assert_int_equal(put(b, "R", F_HEAD, "hd"), QM_OK);
  meet(a, b);
  assert_string_equal(inbox(a), "R.17 a>b concurrent; R.24 hc>hd concurrent");
  assert_int_equal(qm_inbox_prune(a->engine, a->space, first), QM_OK);
  assert_string_equal(inbox(a), "R.17 a>b concurrent; R.24 hc>hd concurrent");
  assert_int_equal(qm_inbox_prune(a->engine, a->space, first + 1000), QM_OK);
  assert_string_equal(inbox(a), "R.24 hc>hd concurrent");
  world_close(&w);
}

/* ---- random histories ---- */

static const char *const names[] = {"R0", "R1", "R2"};
static const char *const words[] = {"x", "y", "z", "q"};

static void allow(int rc) {
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_EINVISIBLE && rc != QM_EINVAL)
    fail_msg("unexpected %s", qm_err_name(rc));
}

static void random_step(world *w) {
  unsigned i = world_below(w, w->n), j = (i + 1 + world_below(w, w->n - 1)) % w->n;
  device *d = &w->d[i];
  const char *r = names[world_below(w, 3)], *word = words[world_below(w, 4)];
  uint32_t field = world_below(w, 2) ? F_TEL : F_HEAD;
  w->now_ms += world_below(w, 3) * 1000;
  switch (world_below(w, 12)) {
    case 0:
    case 1:
    case 2: pull(&w->d[i], &w->d[j]); break;
    case 3: pull_some(&w->d[i], &w->d[j], 1); break;
    case 4:
      if (world_below(w, 4) == 0) reopen(d);
      break;
    case 5: allow(visible(d, r) || marks(d, r) ? QM_OK : put_new(d, r)); break;
    case 6: allow(put_with(d, r, field, word, NONE, QM_WRITE_SETTLE)); break;
    case 7:
      if (visible(d, r)) {
        qm_slice token = form(d, r, QM_READ_VALUES);
        pull(&w->d[i], &w->d[j]);
        allow(put_with(d, r, field, word, token, 0));
      }
      break;
    default: allow(put(d, r, field, word));
  }
}

typedef struct seeking {
  const qm_sibling *x;
  int found;
} seeking;

static int seek(void *payload, const qm_inbox_entry *e) {
  seeking *k = payload;
  if (e->dot.author == k->x->dot.author && e->dot.counter == k->x->dot.counter) {
    assert_int_equal(k->found, 0);
    assert_true(qm_slice_cmp(e->before, k->x->value) == 0);
    k->found = 1;
  }
  return QM_OK;
}

static int by_device(const device *d, uint32_t author) {
  return memcmp(qm_space_authors(d->space)->ids[author].b, d->id.b, QM_ID_SIZE) == 0;
}

/* Own siblings that another device's value stands before have been told. */
static unsigned check_field(device *d, const qm_record *r, uint32_t field) {
  const qm_cell *cell = qm_record_cell(r, field, QM_SIBLINGS);
  qm_contest contest;
  unsigned n = 0;
  assert_int_equal(qm_read_contest(d->space, NULL, cell, &d->world->arena, &contest), QM_OK);
  for (uint32_t i = 0; i < contest.n_others; i++) {
    seeking k = {contest.others[i].sibling, 0};
    if (!by_device(d, k.x->dot.author) || by_device(d, contest.shown->dot.author)) continue;
    assert_int_equal(qm_inbox_each(d->engine, d->space, seek, &k), QM_OK);
    assert_int_equal(k.found, 1);
    n++;
  }
  return n;
}

static void every_lost_value_is_told_once(void **state) {
  unsigned lost = 0, entries = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    world w;
    open_world(&w, 3, seed);
    for (unsigned i = 0; i < 140; i++) random_step(&w);
    world_settle(&w);
    for (unsigned i = 0; i < w.n; i++) {
      device *d = &w.d[i];
      told t;
      for (unsigned k = 0; k < 3; k++) {
        qm_id id = rec(names[k]);
        const qm_record *r;
        if (qm_engine_read(d->engine, d->space, &id, &w.arena, &r) != QM_OK) continue;
        lost += check_field(d, r, F_TEL) + check_field(d, r, F_HEAD);
      }
      memset(&t, 0, sizeof t);
      assert_int_equal(qm_inbox_each(d->engine, d->space, take, &t), QM_OK);
      entries += t.n;
      world_settle(&w); /* nothing more comes of syncing again */
      told again;
      memset(&again, 0, sizeof again);
      assert_int_equal(qm_inbox_each(d->engine, d->space, take, &again), QM_OK);
      assert_string_equal(again.text, t.text);
    }
    world_close(&w);
  }
  assert_in_range(lost, 50, 100000);
  assert_in_range(entries, lost, 100000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_lost_tie_is_told_once),
      cmocka_unit_test(an_ordinary_edit_is_no_loss),
      cmocka_unit_test(a_save_from_an_old_form_is_told),
      cmocka_unit_test(what_was_settled_elsewhere_is_told),
      cmocka_unit_test(a_value_that_comes_back_is_not_told),
      cmocka_unit_test(deletes_and_edits_that_did_not_hold),
      cmocka_unit_test(a_decision_on_merged_records_is_told),
      cmocka_unit_test(old_entries_go),
      cmocka_unit_test(every_lost_value_is_told_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
