/* What the home hub writes: stamps and membership entries (S3.9, S3.13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/home.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)

#define DAY INT64_C(86400000)
#define YEAR (365 * DAY)

static rig w;
static dev *H, *A, *B;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 4, 1);
  H = &w.d[0];
  A = &w.d[1];
  B = &w.d[2];
  H->flags = QM_ENGINE_HUB;
  reopen(H);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (unsigned i = 0; i < w.n; i++) check_memory(&w.d[i]);
  rig_close(&w);
  return 0;
}

static uint32_t stamps(dev *d) {
  const qm_record *r;
  qm_id zero = {{0}};
  if (qm_engine_read(d->engine, d->space, &zero, &w.arena, &r) != QM_OK) return 0;
  const qm_cell *c = qm_record_cell(r, QM_SPACE_STAMPS, QM_KEYED);
  return c ? qm_keyed_of(c)->n : 0;
}

static qm_time effective(dev *d, dev *author, uint64_t counter) {
  uint32_t a;
  ok(qm_authors_find(&d->space->authors, qm_engine_author(author->engine), &a));
  return qm_space_effective(d->space, (qm_dot){counter, a}, UINT64_MAX);
}

/* --- stamps --- */

static void a_fast_clock_wins_no_tie(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  w.now_ms += 1000;
  A->skew_ms = 2 * YEAR;
  ok(put(A, "R", F_TEL, "two years on"));
  w.now_ms += 1000;
  ok(put(B, "R", F_TEL, "later"));
  w.now_ms += DAY;
  pull(H, A);
  assert_int_equal(stamps(H), 1);
  pull(H, B);
  assert_int_equal(stamps(H), 1);
  rig_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_TEL, "later");
    lists(&w.d[i], "R", F_TEL, "two years on/s");
  }
  rig_check_equal(&w);
  /* What has seen the other wins, whatever the clocks say. */
  ok(put(A, "R", F_TEL, "last"));
  rig_settle(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_TEL, "last");
  rig_check_equal(&w);
}

static void within_the_drift(void **state) {
  (void)state;
  A->skew_ms = 600000;
  ok(put_new(A, "R"));
  pull(H, A);
  assert_int_equal(stamps(H), 0);
  A->skew_ms += 1;
  ok(put(A, "R", F_TEL, "1")); /* the verb moves the clocks by a second, and the hub's too */
  pull(H, A);
  assert_int_equal(stamps(H), 1);
}

static void a_slow_clock_has_no_stamp(void **state) {
  (void)state;
  A->skew_ms = -2 * YEAR;
  ok(put_new(A, "R"));
  pull(H, A);
  assert_int_equal(stamps(H), 0);
}

static void only_a_hub_stamps(void **state) {
  (void)state;
  A->skew_ms = YEAR;
  ok(put_new(A, "R"));
  meet(A, B);
  assert_int_equal(stamps(B), 0);
  H->flags = QM_ENGINE_HUB | QM_ENGINE_REPLAY;
  reopen(H);
  pull(H, A);
  assert_int_equal(stamps(H), 0);
  H->flags = QM_ENGINE_HUB;
  reopen(H);
}

/* One element for a run however many batches bring it. */
static void a_run_is_one_element(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  uint64_t before = w.now_ms;
  pull(H, A);
  A->skew_ms = YEAR;
  qm_author a = *qm_engine_author(A->engine);
  for (int i = 0; i < 20; i++) {
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    ok(put(A, "R", F_TEL, text));
    if (i % 3 == 0) pull(H, A);
    assert_int_equal(qm_author_cmp(&a, qm_engine_author(A->engine)), 0);
  }
  pull(H, A);
  assert_int_equal(stamps(H), 1);
  assert_int_equal(H->space->stamps.n, 1);
  assert_int_equal(H->space->stamps.p[0].first, 1);
  assert_int_equal(H->space->stamps.p[0].next, 21);
  assert_int_equal(qm_time_ms(H->space->stamps.p[0].time), before);
  assert_true(effective(H, A, 0) == UINT64_MAX); /* not what was written before */
}

/* Runs with good times between them: so many elements and no more. */
static void many_runs_are_widened(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  rig_settle(&w);
  for (int i = 0; i < 20; i++) {
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    A->skew_ms = 660000;
    ok(put(A, "R", F_TEL, text));
    pull(H, A);
    assert_true(stamps(H) <= QM_HOME_RUNS);
    w.now_ms += 1200000;
    A->skew_ms = 0;
    ok(put(A, "R", F_HEAD, text));
    pull(H, A);
  }
  assert_int_equal(stamps(H), QM_HOME_RUNS);
  for (uint32_t i = 1; i < H->space->stamps.n; i++)
    assert_true(H->space->stamps.p[i - 1].next <= H->space->stamps.p[i].first);
  rig_settle(&w);
  rig_check_equal(&w);
}

static void a_failed_commit_owes_nothing(void **state) {
  (void)state;
  qm_slice log[4];
  qm_ingest in = {.peer = A->id};
  A->skew_ms = YEAR;
  ok(put_new(A, "R"));
  assert_int_equal(log_of(A, (qm_vv_list){NULL, 0}, log, 4), 1);
  ok(qm_engine_begin(H->engine));
  ok(qm_engine_ingest(H->engine, H->space, log[0], &in, &w.arena, NULL));
  assert_non_null(H->space->ahead);
  qm_engine_rollback(H->engine);
  assert_null(H->space->ahead);
  check_memory(H);
  ok(take(H, log[0], &in));
  assert_int_equal(stamps(H), 1);
}

static void too_many_authors_of_one_device(void **state) {
  (void)state;
  forge f;
  forge_open(&f, &w);
  for (uint32_t i = 0; i <= QM_HOME_AUTHORS; i++) {
    char name[16];
    uint32_t a = forge_author(&f, 'z', i + 1);
    snprintf(name, sizeof name, "r%u", (unsigned)i);
    f.chains[a].time = qm_time_make(w.now_ms + YEAR);
    qm_segment g = forge_new(&f, a, name);
    qm_ingest in = {.peer = {{'z'}}};
    ok(take(H, forge_batch(&f, &g, 1), &in));
    assert_int_equal(in.taken, i < QM_HOME_AUTHORS);
    if (i == QM_HOME_AUTHORS) assert_int_equal(in.refusals[0].code, QM_ECLOCK);
  }
  assert_int_equal(stamps(H), QM_HOME_AUTHORS);
  uint32_t other = forge_author(&f, 'y', 1);
  f.chains[other].time = qm_time_make(w.now_ms + YEAR);
  qm_segment g = forge_new(&f, other, "other");
  qm_ingest in = {.peer = {{'y'}}};
  ok(take(H, forge_batch(&f, &g, 1), &in));
  assert_int_equal(in.taken, 1);
  forge_close(&f);
}

/* The latest time that it was certainly not made before. */
static void what_a_stamp_says(void **state) {
  (void)state;
  qm_member m = {.device = A->id, .name = qm_slice_of("Zhao", 4), .role = qm_slice_of("grid", 4)};
  uint64_t enrolled = w.now_ms;
  ok(qm_home_members(H->engine, H->space, &m, 1));
  w.now_ms += DAY;
  A->skew_ms = YEAR;
  ok(put_new(A, "R"));
  w.now_ms += DAY;
  pull(H, A);
  assert_int_equal(qm_time_ms(effective(H, A, 0)), enrolled);
  ok(put_new(B, "S"));
  uint64_t seen = w.now_ms;
  w.now_ms += DAY;
  meet(A, B);
  qm_author old = *qm_engine_author(A->engine);
  A->skew_ms = 2 * YEAR; /* forward, so the author stays */
  ok(put(A, "S", F_TEL, "1"));
  assert_int_equal(qm_author_cmp(&old, qm_engine_author(A->engine)), 0);
  pull(H, B);
  pull(H, A);
  assert_int_equal(qm_time_ms(effective(H, A, 1)), seen);
}

/* --- membership entries --- */

static void member(dev *d, dev *of, uint64_t at, const char *name, const char *role) {
  const qm_member *m = qm_space_member(d->space, &of->id, at);
  if (!name) {
    assert_null(m);
    return;
  }
  assert_non_null(m);
  assert_int_equal(m->name.n, strlen(name));
  assert_memory_equal(m->name.p, name, m->name.n);
  assert_int_equal(m->role.n, strlen(role));
  if (m->role.n) assert_memory_equal(m->role.p, role, m->role.n);
}

static int assign(dev *of, const char *name, const char *role) {
  qm_member m = {.device = of->id,
                 .name = qm_slice_of(name, strlen(name)),
                 .role = qm_slice_of(role, strlen(role))};
  return qm_home_members(H->engine, H->space, &m, 1);
}

static void entries_travel(void **state) {
  (void)state;
  uint64_t t0 = w.now_ms;
  member(H, A, t0, NULL, NULL);
  ok(assign(A, "Zhao", "grid"));
  ok(assign(B, "Qian", "office"));
  qm_digest before, after;
  qm_space_digest(H->space, &before);
  ok(assign(A, "Zhao", "grid")); /* nothing differs */
  qm_space_digest(H->space, &after);
  assert_true(qm_digest_eq(&before, &after));
  rig_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    member(&w.d[i], A, t0, "Zhao", "grid");
    member(&w.d[i], B, UINT64_MAX, "Qian", "office");
    member(&w.d[i], H, UINT64_MAX, NULL, NULL);
  }
  w.now_ms += DAY;
  ok(assign(A, "Sun", "grid")); /* handed on: what was written before stays Zhao's */
  w.now_ms += DAY;
  ok(assign(A, "Sun", "")); /* revoked */
  rig_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    member(&w.d[i], A, 0, "Zhao", "grid");
    member(&w.d[i], A, t0 + DAY - 1, "Zhao", "grid");
    member(&w.d[i], A, t0 + DAY, "Sun", "grid");
    member(&w.d[i], A, UINT64_MAX, "Sun", "");
  }
  rig_check_equal(&w);
  const qm_member *all;
  assert_int_equal(qm_space_members(A->space, &all), 4);
}

static void entries_refused(void **state) {
  (void)state;
  char longest[130];
  memset(longest, 'x', sizeof longest);
  longest[129] = 0;
  assert_int_equal(assign(A, longest, "grid"), QM_EINVAL);
  assert_int_equal(assign(A, "Zhao", longest), QM_EINVAL);
  assert_int_equal(assign(A, "\xff", "grid"), QM_EINVAL);
  longest[128] = 0;
  ok(assign(A, longest, longest));
  ok(assign(B, "never was here", ""));
  member(H, B, UINT64_MAX, NULL, NULL);
  ok(qm_engine_begin(H->engine));
  assert_int_equal(assign(A, "Zhao", "grid"), QM_ESTATE);
  qm_engine_rollback(H->engine);
  qm_member m = {.device = A->id, .name = qm_slice_of("Zhao", 4), .role = qm_slice_of("grid", 4)};
  ok(qm_home_members(A->engine, A->space, &m, 1)); /* no hub */
  member(A, A, UINT64_MAX, NULL, NULL);
}

/* A hub whose clock went back still says who it is now. */
static void the_newest_counts(void **state) {
  (void)state;
  ok(assign(A, "Zhao", "grid"));
  H->skew_ms = -DAY;
  ok(assign(A, "Sun", "grid"));
  member(H, A, UINT64_MAX, "Sun", "grid");
  H->skew_ms = 0;
}

static void entries_that_are_none(void **state) {
  (void)state;
  forge f;
  forge_open(&f, &w);
  uint32_t h = forge_author(&f, 'h', 1);
  ok(assign(A, "Zhao", "grid"));
  pull(B, H);
  forge_begin(&f, h);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.field = QM_SPACE_MEMBERS, .shape = QM_KEYED, .value = text_value(&w, "?")});
  forge_op(&f, (qm_op){.field = QM_SPACE_MEMBERS, .shape = QM_KEYED, .value = int_value(&w, 7)});
  qm_segment g = forge_seal(&f);
  qm_ingest in = {.peer = {{'h'}}};
  ok(take(B, forge_batch(&f, &g, 1), &in));
  assert_int_equal(B->space->members.n, 1);
  member(B, A, UINT64_MAX, "Zhao", "grid");
  forge_close(&f);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(a_fast_clock_wins_no_tie), CASE(within_the_drift),
      CASE(a_slow_clock_has_no_stamp), CASE(only_a_hub_stamps),
      CASE(a_run_is_one_element),     CASE(many_runs_are_widened),
      CASE(a_failed_commit_owes_nothing), CASE(too_many_authors_of_one_device),
      CASE(what_a_stamp_says),        CASE(entries_travel),
      CASE(entries_refused),          CASE(the_newest_counts),
      CASE(entries_that_are_none)};
  return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
