/* Clocks that are wrong in every way, a hub that stamps (S2.2-S2.4, S3.6, S3.9, S3.13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/home.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)

#define DAY INT64_C(86400000)
#define YEAR (365 * DAY)
#define WRITES 64
#define DEVICES 4

static rig w;

/* What was written, and what its writer had seen. */
typedef struct act {
  qm_author author;
  uint64_t counter, true_ms, seen; /* seen: a bit an act */
  char text[8];
} act;

static act acts[WRITES];
static unsigned n_acts;
static int64_t mood[DEVICES]; /* of a device's clock, see tick */
static uint64_t held[DEVICES];

/* 0 true; 1 two years fast; 2 two years slow; 3 jumps; 4 stands still. */
static void tick(unsigned i) {
  dev *d = &w.d[i];
  switch (mood[i]) {
    case 1: d->skew_ms = 2 * YEAR; break;
    case 2: d->skew_ms = -2 * YEAR; break;
    case 3: d->skew_ms = (int64_t)rig_below(&w, 3) * YEAR - YEAR; break;
    case 4: d->skew_ms = INT64_C(1700000000000) - (int64_t)w.now_ms - 1000; break;
    default: d->skew_ms = 0;
  }
}

static uint64_t next_of(dev *d, const qm_author *author) {
  uint32_t a;
  return qm_authors_find(&d->space->authors, author, &a) == QM_OK ? qm_vv_get(&d->space->vv, a) : 0;
}

static void see(unsigned i) {
  held[i] = 0;
  for (unsigned k = 0; k < n_acts; k++)
    if (next_of(&w.d[i], &acts[k].author) > acts[k].counter) held[i] |= UINT64_C(1) << k;
}

static void write_one(unsigned i, uint32_t field) {
  dev *d = &w.d[i];
  act *a = &acts[n_acts];
  if (n_acts == WRITES) return;
  see(i);
  a->seen = held[i];
  snprintf(a->text, sizeof a->text, "%c%u", field == F_STEPS ? 's' : 't', n_acts);
  tick(i);
  if (field == F_STEPS)
    ok(put_step(d, "R", a->text));
  else
    ok(put(d, "R", field, a->text));
  a->author = *qm_engine_author(d->engine);
  a->counter = next_of(d, &a->author) - 1;
  a->true_ms = w.now_ms;
  n_acts++;
}

static void play(unsigned seed) {
  rig_open(&w, DEVICES, seed);
  n_acts = 0;
  w.d[0].flags = QM_ENGINE_HUB;
  reopen(&w.d[0]);
  ok(put_new(&w.d[1], "R"));
  rig_settle(&w);
  for (unsigned i = 1; i < DEVICES; i++) mood[i] = rig_below(&w, 5);
  mood[0] = 0;
  for (unsigned step = 0; step < 40; step++) {
    unsigned i = 1 + rig_below(&w, DEVICES - 1), j = rig_below(&w, DEVICES);
    w.now_ms += rig_below(&w, 3) ? 60000 : (uint64_t)DAY;
    if (rig_below(&w, 12) == 0) mood[i] = rig_below(&w, 5);
    tick(i);
    if (rig_below(&w, 3)) write_one(i, rig_below(&w, 2) ? F_TEL : F_STEPS);
    else if (i != j) meet(&w.d[i], &w.d[j]);
  }
  rig_settle(&w);
}

/* An effective time beyond the drift is later than the truth nowhere. */
static void check_times(void) {
  for (unsigned i = 0; i < w.n; i++)
    for (unsigned k = 0; k < n_acts; k++) {
      uint32_t a;
      ok(qm_authors_find(&w.d[i].space->authors, &acts[k].author, &a));
      qm_time t = qm_space_effective(w.d[i].space, (qm_dot){acts[k].counter, a}, UINT64_MAX);
      assert_true(t == UINT64_MAX || qm_time_ms(t) <= acts[k].true_ms);
    }
}

static unsigned act_of(const char *text) {
  for (unsigned k = 0; k < n_acts; k++)
    if (strcmp(acts[k].text, text) == 0) return k;
  fail_msg("nobody wrote %s", text);
  return 0;
}

/* Nothing shown was seen by who wrote to the field afterwards. */
static void check_causality(void) {
  const char *tel = shown(&w.d[0], "R", F_TEL);
  if (strcmp(tel, "-") == 0) return;
  unsigned k = act_of(tel);
  for (unsigned x = 0; x < n_acts; x++)
    if (acts[x].text[0] == 't') assert_false(acts[x].seen >> k & 1);
}

static void check_log(void) {
  char text[1024], *rest = text;
  uint64_t before = 0;
  const char *all = shown(&w.d[0], "R", F_STEPS);
  assert_true(strlen(all) < sizeof text);
  memcpy(text, all, strlen(all) + 1);
  if (!strcmp(text, "-") || !*text) return;
  for (char *one = strtok_r(text, "|", &rest); one; one = strtok_r(NULL, "|", &rest)) {
    unsigned k = act_of(one);
    uint64_t steps = 0;
    for (unsigned x = 0; x < n_acts; x++)
      if (acts[x].text[0] == 's') steps |= UINT64_C(1) << x;
    assert_int_equal(acts[k].seen & steps & ~before, 0);
    before |= UINT64_C(1) << k;
  }
}

static void any_clocks(void **state) {
  unsigned stamped = 0;
  (void)state;
  for (unsigned seed = 1; seed <= 150; seed++) {
    play(seed);
    rig_check_equal(&w);
    check_times();
    check_causality();
    check_log();
    for (unsigned i = 1; i < w.n; i++) {
      assert_string_equal(shown(&w.d[i], "R", F_TEL), shown(&w.d[0], "R", F_TEL));
      assert_string_equal(listed(&w.d[i], "R", F_TEL), listed(&w.d[0], "R", F_TEL));
      assert_string_equal(shown(&w.d[i], "R", F_STEPS), shown(&w.d[0], "R", F_STEPS));
    }
    stamped += w.d[0].space->stamps.n;
    rig_close(&w);
  }
  assert_true(stamped > 100);
}

/* A phone whose clock was once at 2035 (counterexample 24): its old author keeps its times,
 * the next one begins at the truth. */
static void once_far_ahead(void **state) {
  (void)state;
  rig_open(&w, 3, 7);
  dev *H = &w.d[0], *A = &w.d[1], *B = &w.d[2];
  H->flags = QM_ENGINE_HUB;
  reopen(H);
  ok(put_new(A, "R"));
  rig_settle(&w);
  A->skew_ms = 12 * YEAR;
  ok(put(A, "R", F_TEL, "2035"));
  qm_author old = *qm_engine_author(A->engine);
  A->skew_ms = 0;
  ok(put(A, "R", F_HEAD, "back"));
  assert_int_not_equal(qm_author_cmp(&old, qm_engine_author(A->engine)), 0);
  ok(put(B, "R", F_TEL, "b"));
  ok(put(B, "R", F_HEAD, "after"));
  meet(A, B); /* phone to phone, no stamp yet: only the old author wins its tie */
  assert_string_equal(shown(B, "R", F_TEL), "2035");
  assert_string_equal(shown(B, "R", F_HEAD), "after");
  rig_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_string_equal(shown(&w.d[i], "R", F_TEL), "b");
    assert_string_equal(listed(&w.d[i], "R", F_TEL), "2035/s");
    assert_string_equal(shown(&w.d[i], "R", F_HEAD), "after");
  }
  rig_check_equal(&w);
  rig_close(&w);
}

/* A stamp that raises has no effect; the least of several counts, in whatever order. */
static void stamps_only_lower(void **state) {
  qm_env env = qm_env_default();
  qm_authors authors;
  uint32_t x, y;
  (void)state;
  qm_authors_init(&authors, &env);
  ok(qm_authors_add(&authors, &(qm_author){{1}}, &x));
  ok(qm_authors_add(&authors, &(qm_author){{2}}, &y));
  rig_open(&w, 1, 11);
  for (unsigned round = 0; round < 300; round++) {
    qm_stamp s[12];
    qm_element elements[12];
    qm_keyed k = {elements, 0, 12};
    qm_cell cell = {QM_SPACE_STAMPS, QM_KEYED, &k};
    qm_record r = {.cells = &cell, .n_cells = 1};
    qm_stamps index = {0};
    unsigned n = rig_below(&w, 13);
    for (unsigned i = 0; i < n; i++) {
      qm_buf b;
      uint64_t first = rig_below(&w, 20);
      s[i] = (qm_stamp){rig_below(&w, 2) ? x : y, first, first + rig_below(&w, 12),
                        rig_below(&w, 10)};
      qm_buf_init(&b, &env, 100);
      qm__stamp_write(&authors, &s[i], &b);
      elements[k.n++].value = qm_slice_of(qm_arena_copy(&w.arena, b.p, b.n), b.n);
      qm_buf_free(&b);
    }
    ok(qm__stamps_build(&index, &env, &authors, &r));
    for (uint64_t c = 0; c < 34; c++)
      for (uint32_t a = 0; a < 2; a++) {
        qm_time own = rig_below(&w, 12), least = own;
        for (unsigned i = 0; i < n; i++)
          if (s[i].author == a && c >= s[i].first && c < s[i].next && s[i].time < least)
            least = s[i].time;
        assert_int_equal(qm__stamps_effective(&index, (qm_dot){c, a}, own), least);
      }
    for (uint32_t i = 1; i < index.n; i++)
      assert_true(index.p[i - 1].author < index.p[i].author ||
                  index.p[i - 1].next <= index.p[i].first);
    qm__stamps_free(&index, &env);
  }
  rig_close(&w);
  qm_authors_free(&authors);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_clocks), cmocka_unit_test(once_far_ahead),
                                     cmocka_unit_test(stamps_only_lower)};
  return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
