#include "adapters/sqlite/creation_cache.h"

#include <string.h>

#define FIRST 256u

struct qm__creation {
  qm_id record;
  uint64_t counter;
  uint32_t author, space; /* space 0: none */
};

void qm__creations_init(qm__creations *c, const qm_env *env) {
  *c = (qm__creations){.env = env};
}

void qm__creations_forget(qm__creations *c) {
  qm_free(c->env, c->p);
  c->p = NULL;
  c->cap = c->n = 0;
}

/* Counters of one author lie some apart, by the ops of a record. */
static uint32_t place(uint32_t cap, uint32_t space, qm_dot dot) {
  uint64_t h = (uint64_t)space << 32 | dot.author;
  h = (h * UINT64_C(0xbf58476d1ce4e5b9) ^ dot.counter) * UINT64_C(0x9e3779b97f4a7c15);
  return (uint32_t)(h >> 32) & (cap - 1);
}

static int is_of(const struct qm__creation *x, uint32_t space, qm_dot dot) {
  return x->space == space && x->author == dot.author && x->counter == dot.counter;
}

int qm__creations_find(const qm__creations *c, uint32_t space, qm_dot dot, qm_id *record) {
  if (!c->p) return 0;
  uint32_t at = place(c->cap, space, dot);
  const struct qm__creation *x = &c->p[at];
  if (!is_of(x, space, dot)) x = &c->p[at ^ 1];
  if (!is_of(x, space, dot)) return 0;
  *record = x->record;
  return 1;
}

/* A dot may stand in either place of a pair; where both are taken, the earlier one goes. */
static void put(qm__creations *c, const struct qm__creation *x) {
  qm_dot dot = {.counter = x->counter, .author = x->author};
  uint32_t at = place(c->cap, x->space, dot);
  struct qm__creation *first = &c->p[at], *second = &c->p[at ^ 1];
  if (is_of(second, x->space, dot)) { /* never in both */
    *second = *x;
    return;
  }
  if (first->space && !is_of(first, x->space, dot)) {
    c->n += !second->space;
    *second = *first;
  } else {
    c->n += !first->space;
  }
  *first = *x;
}

static void grow(qm__creations *c) {
  qm__creations wider = {.env = c->env, .cap = c->cap ? 2 * c->cap : FIRST};
  wider.p = qm_alloc_zero(c->env, wider.cap * sizeof *wider.p);
  if (!wider.p) return;
  for (uint32_t i = 0; i < c->cap; i++)
    if (c->p[i].space) put(&wider, &c->p[i]);
  qm_free(c->env, c->p);
  *c = wider;
}

void qm__creations_note(qm__creations *c, uint32_t space, qm_dot dot, const qm_id *record) {
  if (c->cap < QM__CREATIONS_MAX && c->n >= c->cap / 2) grow(c);
  if (!c->p) return;
  put(c, &(struct qm__creation){*record, dot.counter, dot.author, space});
}
