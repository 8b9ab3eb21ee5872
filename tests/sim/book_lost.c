/* book_lost: which saves a replica may have lost. A power cut may lose the save that was
 * under way and those it was told to keep loosely; a restore loses what nobody else holds. */
#include <stdlib.h>
#include <string.h>

#include "core/space.h"
#include "tests/sim/book.h"
#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/merging.h"

static int shows_step(node *n, qm_space *sp, uint32_t record, const save *s) {
  view v;
  int rc = view_read(n, sp, &n->w->people->records[record].id, &v);
  if (rc != QM_OK) {
    if (rc == QM_EIO) n->sick = 1;
    return -1;
  }
  for (uint32_t i = 0; i < v.n_steps; i++)
    if (v.steps[i] == s->id) return 1;
  return 0;
}

int book_holds(node *n, const save *s) {
  const people *p = n->w->people;
  qm_space *sp = node_space(n, s->space);
  if (!sp || s->record == BOOK_NO_RECORD) return 0;
  int here = shows_step(n, sp, s->record, s);
  int merged = p->records[s->record].merged;
  uint32_t root = merged ? merging_root(p, s->record) : 0; /* a class is written at a member */
  for (uint32_t r = 0; r < p->n_records && merged && !here; r++)
    if (r != s->record && p->records[r].merged && merging_root(p, r) == root)
      here = shows_step(n, sp, r, s);
  /* What was written upon a branch that does not stand was taken back here, and comes again with
     a later session (S21.6): it cannot be said yet. */
  if (!here && sp->n_forks) return -2;
  return here;
}

/* A save that the person saw fail with the power: it is there whole, or not at all. */
static void resolve(node *n) {
  people *p = n->w->people;
  uint32_t id = p->pending[n->index];
  if (!id) return;
  int here = book_holds(n, p->saves[id]);
  p->pending[n->index] = 0;
  if (here < 0) p->saves[id]->status = STATUS_MAYBE;
  if (here < 0) return;
  int sure = device_may(n->w, n->index, p->saves[id]->space); /* the revoked are on their own */
  p->saves[id]->status = here ? sure ? STATUS_SAVED : STATUS_MAYBE : STATUS_NOT;
  if (here) book_recent(p, p->saves[id]);
}

static void check_recent(node *n) {
  people *p = n->w->people;
  unsigned d = n->index, kept = 0;
  int lost = 0; /* a loose one is gone: all that follow are, too */
  for (unsigned i = 0; i < p->n_recent[d]; i++) {
    save *s = p->saves[p->recent[d][i]];
    int here = book_holds(n, s);
    if (here == -1) return;
    if (here == -2) { /* of this space; others are looked at all the same */
      if (s->relaxed_at) s->status = STATUS_MAYBE;
      continue;
    }
    if (here && lost)
      violation(n->w, "device %u: save %u is there after the power cut, an earlier one is not", d,
                s->id);
    if (!here && !s->relaxed_at)
      violation(n->w, "device %u: save %u was durable and is lost", d, s->id);
    lost |= !here;
    if (!here && s->relaxed_at) s->status = STATUS_NOT;
    if (here) p->recent[d][kept++] = s->id;
    if (here) s->relaxed_at = 0;
  }
  p->n_recent[d] = kept;
}

void check_reopened(node *n) {
  qm_arena_reset(&n->w->arena);
  if (n->index == HUB) {
    check_acknowledged(n->w);
    return;
  }
  resolve(n);
  check_recent(n);
  qm_arena_reset(&n->w->arena);
}

/* --- restores --- */

/* Can it still hand on what it holds of that space? */
static int hands_on(const node *n, unsigned space) {
  if (forks_between(n->w, n, &n->w->nodes[HUB], space)) return 0;
  return n->index == HUB || (device_may(n->w, n->index, space) && n->w->writable[n->index][space]);
}

static void mark_known(node *n, uint8_t *known, int as_holder) {
  world *w = n->w;
  people *p = w->people;
  for (uint32_t r = 0; r < p->n_records; r++) {
    view v;
    qm_space *s = node_space(n, p->records[r].space);
    qm_arena_reset(&w->arena);
    if (as_holder && !hands_on(n, p->records[r].space)) continue;
    if (!s || view_read(n, s, &p->records[r].id, &v) != QM_OK) continue;
    for (uint32_t i = 0; i < v.n_steps; i++)
      if (v.steps[i] <= p->n) known[v.steps[i]] = 1;
  }
  qm_arena_reset(&w->arena);
}

static uint8_t *known_before;
static uint32_t known_n;

void people_before_restore(node *n) {
  people *p = n->w->people;
  known_n = p->n;
  known_before = book_need(calloc(known_n + 1, 1));
  mark_known(n, known_before, 0);
  if (n->index != HUB && p->pending[n->index]) {
    p->saves[p->pending[n->index]]->status = STATUS_MAYBE;
    p->pending[n->index] = 0;
  }
  if (n->index != HUB) p->n_recent[n->index] = 0;
}

/* n without what it holds now (up), or without anything (revoked). */
void people_after_restore(node *n) {
  world *w = n->w;
  people *p = w->people;
  uint8_t *held = book_need(calloc(p->n + 1, 1));
  for (unsigned i = 0; i < NODES; i++) {
    node *x = &w->nodes[i];
    if (x->revoked || x->liar || !x->up) continue;
    mark_known(x, held, 1);
  }
  for (uint32_t id = 1; id <= known_n; id++)
    if (known_before[id] && !held[id] && p->saves[id]->status == STATUS_SAVED)
      p->saves[id]->status = STATUS_MAYBE;
  free(held);
  free(known_before);
  known_before = NULL;
}
