/* check_time: a phone whose clock is ahead wins no tie that it would lose with a true one. The
 * world knows when each save was truly made: what a stamp lowers a time to is not after that,
 * and what no stamp lowers is not ahead of the hub. */
#include <string.h>

#include "tests/sim/book.h"
#include "tests/sim/check.h"
#include "tests/sim/schema_sim.h"

#define DRIFT_MS 600000 /* of the schema */
#define UNSEEN_MS INT64_C(864000000)

/* The last save that gave the record this value; one of a class may be written at another. */
static const save *writer_of(const world *w, const page *r, int field, const char *value) {
  const people *p = w->people;
  const save *last = NULL;
  uint32_t n = r->merged ? p->n : r->n;
  for (uint32_t i = 0; i < n; i++) {
    const save *s = r->merged ? p->saves[i + 1] : r->saves[i];
    if (s->space != r->space || strcmp(s->value[field], value) != 0) continue;
    if (!last || s->true_ms > last->true_ms) last = s;
  }
  return last;
}

/* A clock that is ahead by less than a change takes to arrive is not seen to be: what it wrote
 * is not stamped, and what is written after that is not before it. */
static uint64_t unseen_ms(const world *w, const save *by) {
  int64_t most = 0;
  for (uint32_t i = 1; i <= by->id; i++) {
    const save *s = w->people->saves[i];
    if (s->space == by->space && s->ahead_ms > most && s->ahead_ms < UNSEEN_MS) most = s->ahead_ms;
  }
  return (uint64_t)most;
}

static void check_sibling(world *w, const page *r, int field, const qm_space *s,
                          const qm_sibling *x) {
  char text[VALUE_MAX];
  uint64_t counts = qm_space_effective(s, x->dot, x->time) >> 16, own = x->time >> 16;
  value_text(x->value, text);
  const save *by = writer_of(w, r, field, text);
  if (!by || by->liar) return;
  if (counts > w->now + DRIFT_MS)
    violation(w, "record %u: %s of device %u counts as written %llu ms from now", r->label, text,
              by->device, (unsigned long long)(counts - w->now));
  else if (counts < own && counts > by->true_ms && counts > by->true_ms + unseen_ms(w, by))
    violation(w, "record %u: %s of device %u is stamped %llu ms after it was written", r->label,
              text, by->device, (unsigned long long)(counts - by->true_ms));
  w->people->stamped += counts < own;
}

void check_times(world *w) {
  node *hub = &w->nodes[HUB];
  for (uint32_t i = 0; i < w->people->n_records; i++) {
    const page *r = &w->people->records[i];
    qm_space *s = node_space(hub, r->space);
    const qm_record *record;
    qm_arena_reset(&w->arena);
    if (!s || qm_engine_read(hub->engine, s, &r->id, &w->arena, &record) != QM_OK) continue;
    for (int f = 0; f < SIBLING_FIELDS; f++) {
      const qm_cell *cell = qm_record_cell(record, sibling_fields[f], QM_SIBLINGS);
      const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
      for (uint32_t k = 0; v && k < v->n; k++) check_sibling(w, r, f, s, &v->p[k]);
    }
  }
  qm_arena_reset(&w->arena);
}
