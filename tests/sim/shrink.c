#include "tests/sim/shrink.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTEMPT_SECONDS 30

typedef struct hunt {
  script *best;
  script attempt;
  const char *kind;
  double end_cpu;
  time_t end;
  unsigned runs;
} hunt;

static int over(const hunt *h) { return run_seconds() >= h->end_cpu || time(NULL) >= h->end; }

/* The attempt fails in the same way: it is the best from here on. */
static int take(hunt *h) {
  static const run_options silent = {.silent = 1, .seconds_max = ATTEMPT_SECONDS};
  result r;
  if (over(h)) return 0;
  h->runs++;
  run_world(&h->attempt, 0, &silent, &r);
  if (strcmp(r.kind, h->kind) != 0) return 0;
  script_copy(h->best, &h->attempt);
  return 1;
}

/* --- leaving out --- */

typedef int (*leaves_out)(const step *x, uint64_t what);

static int of_day(const step *x, uint64_t day) { return x->at / DAY_MS == day; }
static int from_day(const step *x, uint64_t day) { return x->at / DAY_MS >= day; }
static int of_device(const step *x, uint64_t device) { return x->device == device; }
static int of_kind(const step *x, uint64_t kind) { return x->kind == kind; }

static int without(hunt *h, leaves_out out, uint64_t what) {
  script_copy(&h->attempt, h->best);
  uint32_t n = 0;
  for (uint32_t i = 0; i < h->best->n; i++)
    if (!out(&h->best->p[i], what)) h->attempt.p[n++] = h->best->p[i];
  if (n == h->best->n) return 0;
  h->attempt.n = n;
  return take(h);
}

/* Steps from `at` on, `count` of them. */
static int without_run(hunt *h, uint32_t at, uint32_t count) {
  script_copy(&h->attempt, h->best);
  script *a = &h->attempt;
  if (count > a->n - at) count = a->n - at;
  memmove(a->p + at, a->p + at + count, (a->n - at - count) * sizeof *a->p);
  a->n -= count;
  return take(h);
}

static int drop_steps(hunt *h) {
  int any = 0;
  for (uint32_t chunk = (h->best->n + 1) / 2; chunk && !over(h); chunk /= 2)
    for (uint32_t at = h->best->n; at > 0 && !over(h);) {
      uint32_t from = at > chunk ? at - chunk : 0;
      any |= without_run(h, from, at - from);
      at = from < h->best->n ? from : h->best->n;
    }
  return any;
}

/* What concerns the records of numbers from … next - 1. */
static int without_records(hunt *h, int64_t from, int64_t next) {
  script_copy(&h->attempt, h->best);
  uint32_t n = 0;
  for (uint32_t i = 0; i < h->best->n; i++) {
    int64_t record = h->best->p[i].arg[A_RECORD];
    if (record < from || record >= next || !record) h->attempt.p[n++] = h->best->p[i];
  }
  if (n == h->best->n) return 0;
  h->attempt.n = n;
  return take(h);
}

static int drop_records(hunt *h) {
  int64_t last = 0;
  int any = 0;
  for (uint32_t i = 0; i < h->best->n; i++)
    if (h->best->p[i].arg[A_RECORD] > last) last = h->best->p[i].arg[A_RECORD];
  for (int64_t chunk = (last + 1) / 2; chunk && !over(h); chunk /= 2)
    for (int64_t from = 1; from <= last && !over(h); from += chunk)
      any |= without_records(h, from, from + chunk);
  return any;
}

static int drop_days(hunt *h) {
  int any = 0;
  for (uint64_t d = 1; d < h->best->days; d++) { /* the end first: the least that still fails */
    if (!without(h, from_day, d)) continue;
    any = 1;
    break;
  }
  for (uint64_t d = h->best->days; d-- > 0;) any |= without(h, of_day, d);
  return any;
}

static int drop_faults(hunt *h) {
  int any = 0;
  for (int f = 0; f < F_COUNT; f++) {
    if (!h->best->on[f]) continue;
    script_copy(&h->attempt, h->best);
    h->attempt.on[f] = 0;
    any |= take(h);
  }
  return any;
}

/* --- making less of a step --- */

static int less_of(hunt *h, uint32_t i, int arg, int64_t value) {
  if (i >= h->best->n || h->best->p[i].arg[arg] == value) return 0;
  script_copy(&h->attempt, h->best);
  h->attempt.p[i].arg[arg] = value;
  return take(h);
}

static int simplify_steps(hunt *h) {
  static const int optional[] = {A_CUT, A_DEAF, A_STALLS, A_TWICE, A_PARTS, A_KEY};
  int any = 0;
  for (uint32_t i = 0; i < h->best->n && !over(h); i++) {
    for (size_t k = 0; k < sizeof optional / sizeof optional[0]; k++)
      any |= less_of(h, i, optional[k], 0);
    for (int part = 0; part < PART_COUNT; part++)
      any |= less_of(h, i, A_PARTS, h->best->p[i].arg[A_PARTS] & ~(INT64_C(1) << part));
  }
  return any;
}

/* Days on which nothing happens go. */
static int close_gaps(hunt *h) {
  int any = 0;
  for (uint64_t d = h->best->days; d-- > 0 && h->best->days > 1 && !over(h);) {
    int used = 0;
    for (uint32_t i = 0; i < h->best->n; i++) used |= h->best->p[i].at / DAY_MS == d;
    if (used) continue;
    script_copy(&h->attempt, h->best);
    h->attempt.days--;
    for (uint32_t i = 0; i < h->attempt.n; i++)
      if (h->attempt.p[i].at / DAY_MS > d) h->attempt.p[i].at -= DAY_MS;
    any |= take(h);
  }
  return any;
}

unsigned shrink(script *s, const char *kind, unsigned seconds) {
  hunt h = {.best = s,
            .kind = kind,
            .end_cpu = run_seconds() + seconds,
            .end = time(NULL) + 10 * (time_t)seconds};
  int any = 1;
  for (int round = 0; any && !over(&h); round++) {
    any = drop_records(&h);
    any |= drop_days(&h);
    for (unsigned d = 0; d < NODES; d++) any |= without(&h, of_device, d);
    any |= drop_steps(&h);
    any |= drop_faults(&h);
    for (unsigned k = 0; k < S_COUNT; k++) any |= without(&h, of_kind, k);
    any |= close_gaps(&h);
    if (s->n <= 200) any |= simplify_steps(&h);
  }
  script_free(&h.attempt);
  return h.runs;
}
