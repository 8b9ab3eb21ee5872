/* (S6.7, S12.7) A year of edits with retention and trims on: what is stored stays in proportion
 * to what is live and what is retained. `make year` plays all of it and prints a table; by
 * itself this plays 90 days. The days are counted, nothing waits. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/home_trim.h"
#include "core/retain.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define DAY UINT64_C(86400000)
#define DEVICES 4
#define RECORDS 10u
#define KEEP_DAYS 30u
#define EDITS 6u  /* a device and day */
#define NOTE 60u  /* characters of a record's note */

static rig w;

typedef struct sizes {
  uint64_t state, log, rows;
  uint64_t live; /* characters and values that are shown */
} sizes;

static int add_state(void *payload, const qm_record_row *row) {
  ((sizes *)payload)->state += row->state.n;
  return QM_OK;
}

typedef struct log_sum {
  sizes *s;
  uint64_t seq;
} log_sum;

static int add_log(void *payload, const qm_log_row *row) {
  log_sum *l = payload;
  l->s->log += row->batch.n;
  l->s->rows++;
  l->seq = row->seq;
  return QM_OK;
}

static sizes sizes_of(dev *d) {
  sizes s = {0, 0, 0, 0};
  log_sum l = {&s, 0};
  const qm_vv none = {NULL, 0, 0};
  int rc = QM_OK;
  ok(d->store->ops->record_scan(d->store, d->space->number, 0, NULL, SIZE_MAX >> 1, add_state, &s));
  while (rc == QM_OK)
    rc = d->store->ops->log_after(d->store, d->space->number, &none, l.seq, add_log, &l);
  assert_int_equal(rc, QM_ENOTFOUND);
  return s;
}

static void name_of(unsigned i, char to[8]) { snprintf(to, 8, "r%u", i); }

static void edit(dev *d, unsigned day) {
  char r[8], text[32];
  name_of(rig_below(&w, RECORDS), r);
  snprintf(text, sizeof text, "%u-%u", day, rig_below(&w, 1000));
  switch (rig_below(&w, 6)) {
    case 0: ok(put(d, r, F_TEL, text)); break;
    case 1: ok(put(d, r, F_HEAD, text)); break;
    case 2: ok(put_inc(d, r, 1)); break;
    case 3: ok(put_raise(d, r, F_LAST, (int64_t)day)); break;
    default: {
      /* A note of about constant length: a piece of it is written anew, and what two who did
       * not know of each other wrote for one piece is made one again. */
      const char *notes = shown(d, r, F_NOTES);
      uint64_t len = strcmp(notes, "-") == 0 ? 0 : strlen(notes), n = strlen(text);
      uint64_t cut = len + n > NOTE ? len + n - NOTE : 0;
      uint64_t at = cut ? rig_below(&w, (unsigned)(len - cut + 1)) : len;
      ok(put_text(d, r, at, cut, text));
    }
  }
}

/* Once a month the office works off the review list. */
static void settle(dev *d) {
  static const uint32_t fields[] = {F_TEL, F_HEAD};
  for (unsigned i = 0; i < RECORDS; i++)
    for (unsigned f = 0; f < 2; f++) {
      char r[8];
      name_of(i, r);
      if (!*listed(d, r, fields[f])) continue;
      qm_slice token = form(d, r, QM_READ_REVIEW);
      ok(put_with(d, r, fields[f], shown(d, r, fields[f]), token, QM_WRITE_SETTLE));
    }
}

static uint64_t live(dev *d) {
  static const uint32_t fields[] = {F_TEL, F_HEAD, F_VISITS, F_LAST, F_NOTES};
  uint64_t n = 0;
  for (unsigned i = 0; i < RECORDS; i++)
    for (unsigned f = 0; f < sizeof fields / sizeof *fields; f++) {
      char r[8];
      name_of(i, r);
      n += strlen(shown(d, r, fields[f]));
    }
  return n;
}

static void safe(dev *d) {
  qm_arena arena;
  qm_vv_list vv;
  qm_arena_init(&arena, &d->env, 1u << 24);
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, &arena, &vv));
  ok(qm_engine_acknowledged(d->engine, d->space, vv, 0));
  ok(qm_engine_acknowledged(d->engine, d->space, vv, 1));
  qm_arena_free(&arena);
}

static qm_arena held_arena[DEVICES];
static qm_vv_list held[DEVICES]; /* at the end of each device's last session */

static void session(unsigned i) {
  meet(&w.d[i], &w.d[0]);
  safe(&w.d[i]);
  qm_arena_reset(&held_arena[i]);
  ok(qm_engine_heads(w.d[i].engine, w.d[i].space, &held_arena[i], &held[i]));
}

static uint64_t upkeep(void) {
  dev *H = &w.d[0];
  qm_trimmed out = {.more = 1};
  uint64_t elements = 0;
  qm_id after;
  qm_vv below;
  for (int first = 1; out.more; first = 0) {
    ok(qm_home_trim(H->engine, H->space, held + 1, DEVICES - 1, first ? NULL : &after, 16, &out));
    after = out.last;
    elements += out.elements;
  }
  ok(qm_engine_least(H->engine, H->space, held + 1, DEVICES - 1, &below));
  qm_retention r = {.keep_ms = KEEP_DAYS * DAY, .below = &below};
  ok(qm_engine_retain(H->engine, H->space, &r, NULL));
  qm_vv_free(&H->env, &below);
  r.below = NULL;
  for (unsigned i = 1; i < DEVICES; i++)
    ok(qm_engine_retain(w.d[i].engine, w.d[i].space, &r, NULL));
  return elements;
}

static void open_year(void) {
  rig_open(&w, DEVICES, 365);
  w.d[0].flags = QM_ENGINE_HUB;
  reopen(&w.d[0]);
  for (unsigned i = 0; i < DEVICES; i++)
    qm_arena_init(&held_arena[i], &w.d[0].env, (size_t)16 << 20);
  for (unsigned i = 0; i < RECORDS; i++) {
    char r[8];
    name_of(i, r);
    ok(put_new(&w.d[1], r));
  }
  for (unsigned i = 1; i < DEVICES; i++) session(i);
}

static void work(unsigned day) {
  for (unsigned i = 1; i < DEVICES; i++) {
    for (unsigned n = 0; n < EDITS; n++) edit(&w.d[i], day);
    if (i == 1 && day % 30 == 0) settle(&w.d[i]);
    if (i < 3 || day % 7 == 0) session(i); /* the third comes to the office once a week */
  }
}

static void print_day(unsigned day, const sizes *h, const sizes *p, uint64_t trimmed) {
  if (day % 30 && day != 1 && day != 365) return;
  printf("%5u %8u %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8.1f %10" PRIu64 " %6" PRIu64
         " %10" PRIu64 " %10" PRIu64 "\n",
         day, day * (DEVICES - 1) * EDITS, h->live, h->state, p->state,
         (double)h->state / (double)h->live, h->log, h->rows, p->log, trimmed);
}

/* From day 60 on retention and trims are at work, and the notes are full: nothing grows. */
static void stays_small(unsigned day, const sizes *h, const sizes *p) {
  static uint64_t log, state;
  if (day <= 60) {
    if (h->log > log) log = h->log;
    if (h->state > state) state = h->state;
    return;
  }
  assert_true(h->log < log * 3 / 2);
  assert_true(p->log < log * 3 / 2);
  assert_true(h->state < state * 3 / 2);
  assert_true(p->state < state * 3 / 2);
  assert_true(h->state < h->live * 8);
}

static void a_year(void **state) {
  const char *asked = getenv("QM_YEAR_DAYS");
  unsigned days = asked ? (unsigned)strtoul(asked, NULL, 10) : 90;
  uint64_t trimmed = 0;
  (void)state;
  open_year();
  if (asked)
    printf("%5s %8s %8s %8s %8s %8s %10s %6s %10s %10s\n", "day", "edits", "live", "hub", "phone",
           "hub/live", "hub log", "rows", "phone log", "trimmed");
  for (unsigned day = 1; day <= days; day++) {
    work(day);
    w.now_ms += DAY - 30000;
    trimmed += upkeep();
    qm_arena_reset(&w.arena);
    sizes h = sizes_of(&w.d[0]), p = sizes_of(&w.d[1]);
    h.live = live(&w.d[0]);
    if (asked) print_day(day, &h, &p, trimmed);
    stays_small(day, &h, &p);
    /* Some six characters an edit of a note, and each is written over in the end. */
    if (day > 60) assert_true(trimmed > (uint64_t)day * (DEVICES - 1) * EDITS);
  }
  for (unsigned i = 1; i < DEVICES; i++) session(i);
  for (unsigned i = 1; i < DEVICES; i++) session(i);
  rig_check_equal(&w);
  for (unsigned i = 0; i < DEVICES; i++) qm_arena_free(&held_arena[i]);
  rig_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_year)};
  return cmocka_run_group_tests_name("year", tests, NULL, NULL);
}
