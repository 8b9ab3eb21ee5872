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
  const struct qm__creation *x = &c->p[place(c->cap, space, dot)];
  if (!is_of(x, space, dot)) return 0;
  *record = x->record;
  return 1;
}

/* Two that fall on one place: the later one has it. */
static void put(qm__creations *c, const struct qm__creation *x) {
  struct qm__creation *at =
      &c->p[place(c->cap, x->space, (qm_dot){.counter = x->counter, .author = x->author})];
  c->n += !at->space;
  *at = *x;
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
