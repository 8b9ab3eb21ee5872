/* Forks over random programs (SPEC §21): phones that are copies of one another without knowing,
 * other phones, a hub that is met now and then. In the end all hold the same, a replica that
 * comes new from the hub too, and what anybody wrote is there exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "support_session.h"

#define ok(call) assert_int_equal(call, QM_OK)

enum { PHONES = 5, HUB = 5, FRESH = 6, RECORDS = 3, WRITTEN = 400 };

static world w;
static uint64_t seed;

/* What the program meant, whichever replica it ran on. */
static struct {
  int64_t sum[RECORDS];
  size_t length[RECORDS], items[RECORDS];
  unsigned n; /* unique names given */
  struct {
    unsigned record;
    char kind; /* e entry, t tag, g tag that is gone, n record */
  } p[WRITTEN];
  unsigned in_use; /* phones */
} book;

static const char *name_of(unsigned i, char out[12]) {
  (void)snprintf(out, 12, "w%03u", i);
  return out;
}

static unsigned note(unsigned record, char kind, char out[12]) {
  assert_true(book.n < WRITTEN);
  book.p[book.n].record = record;
  book.p[book.n].kind = kind;
  name_of(book.n, out);
  return book.n++;
}

/* Every second program through sessions, some of them cut. */
static void meet_at(unsigned a, unsigned b) {
  line l;
  size_t cut = world_below(&w, 4) ? 0 : 200 + world_below(&w, 3000);
  if (seed % 2) {
    talk(&w.d[a], &w.d[b]);
  } else if (b == HUB) {
    (void)session(&w.d[a], &w.d[b], cut, (int)(seed / 2 % 2), &l);
  } else {
    (void)session_of_peers(&w.d[a], &w.d[b], cut, &l);
  }
}

static int all_equal(void) {
  qm_digest a, b;
  qm_space_digest(w.d[HUB].space, &a);
  for (unsigned i = 0; i < w.n; i++) {
    qm_space_digest(w.d[i].space, &b);
    if (!qm_digest_eq(&a, &b)) return 0;
  }
  return 1;
}

/* Where all stand, for who reads of a failure: QM_VERBOSE=1. */
static void tell(void) {
  if (!getenv("QM_VERBOSE")) return;
  printf("seed %llu\n", (unsigned long long)seed);
  for (unsigned i = 0; i < w.n; i++) {
    const qm_space *s = w.d[i].space;
    const qm_author *suspects;
    printf("%u: %u suspects, %u of forks:", i, qm_space_forks(s, &suspects), s->n_forks);
    for (uint32_t k = 0; k < s->authors.n; k++) {
      uint32_t a = s->authors.sorted[k];
      if (!qm_vv_get(&s->vv, a)) continue;
      const uint8_t *id = s->authors.ids[a].b;
      printf(" %c%02x%02x=%llu/%02x%02x", id[0], id[16], id[17],
             (unsigned long long)qm_vv_get(&s->vv, a), s->states[a].head.b[0],
             s->states[a].head.b[1]);
    }
    printf("\n");
  }
}

/* The hub last. How many sessions a phone needs until it is done: one tells of the fork, one
 * shows the branch, one brings what stands; where the copies' branches meet, some more. */
static void settle(void) {
  line l;
  if (seed % 2) {
    world_talk(&w);
    return;
  }
  for (unsigned rounds = 0; !all_equal(); rounds++) {
    if (rounds == 24) tell();
    if (rounds == 24) fail_msg("seed %llu: no end", (unsigned long long)seed);
    for (unsigned i = 0; i < HUB; i++) assert_int_equal(session(&w.d[i], &w.d[HUB], 0, 0, &l), 1);
  }
  for (unsigned i = 0; i < HUB; i++) { /* nothing new: so nobody is in doubt */
    assert_int_equal(session(&w.d[i], &w.d[HUB], 0, 0, &l), 1);
    assert_int_equal(l.a.same, 1);
  }
}

static const char *const records[RECORDS] = {"P", "Q", "R"};

static void open_world(void) {
  memset(&book, 0, sizeof book);
  world_open(&w, 7, seed);
  w.d[HUB].flags = QM_ENGINE_HUB;
  reopen(&w.d[HUB]);
  w.n = 6;
  for (unsigned i = 0; i < RECORDS; i++) ok(put_new(&w.d[0], records[i]));
  book.in_use = 3; /* 0, and two others; the rest become copies */
  for (unsigned i = 1; i < 3; i++) talk(&w.d[0], &w.d[i]);
  if (world_below(&w, 2)) meet_at(0, HUB);
}

/* --- what a phone does --- */

static size_t length_of(device *d, const char *r) {
  const char *text = shown(d, r, F_NOTES);
  return strcmp(text, "-") == 0 ? 0 : strlen(text);
}

static void remove_one(device *d, unsigned record) {
  char name[12];
  const char *all = shown(d, records[record], F_TAGS);
  for (unsigned i = 0; i < book.n; i++) {
    if (book.p[i].kind != 't' || book.p[i].record != record) continue;
    if (!strstr(all, name_of(i, name)) || world_below(&w, 2)) continue;
    ok(put_remove(d, records[record], name));
    book.p[i].kind = 'g';
    return;
  }
}

static void write_one(device *d) {
  unsigned record = world_below(&w, RECORDS);
  const char *r = records[record];
  char name[12];
  switch (world_below(&w, 9)) {
    case 0: {
      int64_t delta = 1 + (int64_t)world_below(&w, 1000);
      ok(put_inc(d, r, delta));
      book.sum[record] += delta;
      break;
    }
    case 1:
      note(record, 'e', name);
      ok(put_step(d, r, name));
      break;
    case 2:
    case 3: {
      size_t length = length_of(d, r);
      ok(put_text(d, r, world_below(&w, (unsigned)length + 1), 0, "abc"));
      book.length[record] += 3;
      break;
    }
    case 4:
      note(record, 't', name);
      ok(put_add(d, r, name));
      break;
    case 5: remove_one(d, record); break;
    case 6:
      note(record, 'n', name);
      ok(put_new(d, name));
      ok(put_inc(d, name, 1));
      break;
    case 7:
      ok(put_list(d, r, 0, 0, "xy"));
      book.items[record] += 2;
      break;
    default: ok(put(d, r, F_TEL, "a number")); break;
  }
}

static void step(void) {
  unsigned a = world_below(&w, book.in_use), b = world_below(&w, book.in_use);
  w.now_ms += world_below(&w, 5000);
  switch (world_below(&w, 12)) {
    case 0:
      if (book.in_use == PHONES) break;
      copy_unnoticed(&w.d[book.in_use], &w.d[a]);
      book.in_use++;
      break;
    case 1:
    case 2:
      if (a != b) meet_at(a, b);
      break;
    case 3: reopen(&w.d[a]); break;
    case 4:
      if (!world_below(&w, 3)) meet_at(a, HUB);
      break;
    case 5: ok(qm_engine_push(w.d[a].engine, w.d[a].space)); break; /* a session that fails */
    default: write_one(&w.d[a]); break;
  }
}

/* --- what must be there --- */

static unsigned count(const char *all, const char *word) {
  unsigned n = 0;
  for (const char *at = all; (at = strstr(at, word)) != NULL; at++) n++;
  return n;
}

static void check_written(device *d) {
  char name[12], sum[24];
  for (unsigned i = 0; i < RECORDS; i++) {
    const char *shown_sum = shown(d, records[i], F_VISITS);
    (void)snprintf(sum, sizeof sum, "%lld", (long long)book.sum[i]);
    if (strcmp(shown_sum, book.sum[i] ? sum : "-"))
      fail_msg("seed %llu: counter %s, not %s", (unsigned long long)seed, shown_sum, sum);
    if (length_of(d, records[i]) != book.length[i])
      fail_msg("seed %llu: text of %zu, not %zu", (unsigned long long)seed,
               length_of(d, records[i]), book.length[i]);
    const char *plan = shown(d, records[i], F_PLAN);
    if (count(plan, "x") + count(plan, "y") != book.items[i])
      fail_msg("seed %llu: list %s", (unsigned long long)seed, plan);
  }
  for (unsigned i = 0; i < book.n; i++) {
    const char *r = records[book.p[i].record];
    char kind = book.p[i].kind;
    name_of(i, name);
    unsigned n = kind == 'e'   ? count(shown(d, r, F_STEPS), name)
                 : kind == 'n' ? strcmp(shown(d, name, F_VISITS), "1") == 0
                               : count(shown(d, r, F_TAGS), name);
    if (n != (kind != 'g'))
      fail_msg("seed %llu: %c %s is there %u times", (unsigned long long)seed, kind, name, n);
  }
}

/* Written by all at once in the end: none had seen another, so none may go. */
static void check_concurrent(device *d) {
  for (unsigned i = 0; i < book.in_use; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "last%u", i % 10);
    if (strcmp(shown(d, "R", F_HEAD), name) && !strstr(listed(d, "R", F_HEAD), name))
      fail_msg("seed %llu: %s is gone: %s, %s", (unsigned long long)seed, name,
               shown(d, "R", F_HEAD), listed(d, "R", F_HEAD));
  }
}

static void finish(void) {
  const qm_author *suspects;
  for (unsigned i = 0; i < book.in_use; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "last%u", i % 10);
    ok(put(&w.d[i], "R", F_HEAD, name));
  }
  for (unsigned k = 0; k < 4; k++) { /* phones first, hub last */
    unsigned a = world_below(&w, book.in_use), b = world_below(&w, book.in_use);
    if (a != b) meet_at(a, b);
  }
  settle();
  w.n = 7;
  talk(&w.d[FRESH], &w.d[HUB]);
  tell();
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) {
    if (qm_space_forks(w.d[i].space, &suspects) || qm_space_dirty(w.d[i].space))
      fail_msg("seed %llu: %u is not done", (unsigned long long)seed, i);
    check_written(&w.d[i]);
    check_concurrent(&w.d[i]);
  }
  world_close(&w);
}

static void everything_is_there_once(void **state) {
  (void)state;
  const char *from = getenv("QM_SEED"), *n = getenv("QM_SEEDS");
  uint64_t first = from ? strtoull(from, NULL, 10) : 1, seeds = n ? strtoull(n, NULL, 10) : 60;
  for (seed = first; seed < first + seeds; seed++) {
    open_world();
    unsigned steps = 20 + world_below(&w, 60);
    for (unsigned i = 0; i < steps; i++) step();
    finish();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_there_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
