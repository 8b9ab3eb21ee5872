/* A year of edits with retention and trims on: what is stored stays in proportion to what is
 * live and what is retained. `make year` plays all of it and prints a table; by itself this
 * plays 90 days. The days are counted, nothing waits. */
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

static rig w;

typedef struct sizes {
  uint64_t state, log, rows;
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
  sizes s = {0, 0, 0};
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
      /* A note of about constant length: a piece of it is written anew. */
      const char *notes = shown(d, r, F_NOTES);
      uint64_t len = strcmp(notes, "-") == 0 ? 0 : strlen(notes), n = strlen(text);
      uint64_t at = len > 60 ? rig_below(&w, (unsigned)(len - n)) : len;
      ok(put_text(d, r, at, len > 60 ? n : 0, text));
    }
  }
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

static void a_year(void **state) {
  const char *asked = getenv("QM_YEAR_DAYS");
  unsigned days = asked ? (unsigned)strtoul(asked, NULL, 10) : 90;
  uint64_t edits = 0, trimmed = 0, most_log = 0, most_state = 0;
  (void)state;
  open_year();
  if (asked)
    printf("%5s %8s %10s %10s %10s %10s %10s\n", "day", "edits", "state", "hub log", "rows",
           "phone log", "trimmed");
  for (unsigned day = 1; day <= days; day++) {
    for (unsigned i = 1; i < DEVICES; i++) {
      for (unsigned n = 0; n < 6; n++, edits++) edit(&w.d[i], day);
      if (i < 3 || day % 7 == 0) session(i); /* the third comes to the office once a week */
    }
    w.now_ms += DAY - 30000;
    trimmed += upkeep();
    qm_arena_reset(&w.arena);
    sizes h = sizes_of(&w.d[0]), p = sizes_of(&w.d[1]);
    if (asked && (day % 30 == 0 || day == days))
      printf("%5u %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
             "\n",
             day, edits, h.state, h.log, h.rows, p.log, trimmed);
    if (day <= 60) { /* by then retention and trims are at work, and the notes are full */
      if (h.log > most_log) most_log = h.log;
      if (h.state > most_state) most_state = h.state;
      continue;
    }
    assert_true(h.log < most_log * 3 / 2);
    assert_true(p.log < most_log * 3 / 2);
    if (!asked) assert_true(h.state < most_state * 2);
    uint64_t written = edits; /* characters that went through the notes, at least */
    if (day > 80) assert_true(trimmed > written / 4);
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
