#include "tests/sim/merging.h"

#include <stdlib.h>

#include "tests/sim/book.h"

uint32_t merging_root(const people *p, uint32_t record) {
  while (p->records[record].joined) record = p->records[record].joined - 1;
  return record;
}

static void join_pages(people *p, uint32_t a, uint32_t b) {
  p->records[a].merged = p->records[b].merged = 1;
  a = merging_root(p, a);
  b = merging_root(p, b);
  if (a < b) p->records[b].joined = a + 1;
  if (b < a) p->records[a].joined = b + 1;
}

static int is_merging(const save *s) { return s->kind == SAVE_MERGE || s->kind == SAVE_UNMERGE; }

static void note_mates(node *n, qm_space *space, save *s) {
  const people *p = n->w->people;
  qm_record_class c;
  if (qm_class_read(n->engine, space, &p->records[s->record].id, 0, &n->w->arena, &c) != QM_OK)
    return;
  s->mates = book_need(calloc(c.n, sizeof *s->mates));
  for (uint32_t r = 0; r < p->n_records; r++)
    if (p->records[r].space == s->space && r != s->record && qm_class_has(&c, &p->records[r].id))
      s->mates[s->n_mates++] = r;
}

void merging_note(node *n, qm_space *space, save *s, uint32_t with) {
  world *w = n->w;
  people *p = w->people;
  qm_record_class c;
  s->with = with;
  if (s->kind == SAVE_MERGE) {
    const qm_id *a = &p->records[s->record].id, *b = &p->records[with].id;
    int rc = qm_class_read(n->engine, space, a, 0, &w->arena, &c);
    s->links = rc == QM_OK && !qm_class_has(&c, b);
    join_pages(p, s->record, with);
  }
  if (s->kind == SAVE_UNMERGE) note_mates(n, space, s);
  s->heard = book_need(calloc(s->id / 64 + 1, sizeof *s->heard));
  for (uint32_t i = 1; i < s->id; i++)
    if (is_merging(p->saves[i]) && p->saves[i]->space == s->space && book_holds(n, p->saves[i]) > 0)
      s->heard[i / 64] |= UINT64_C(1) << (i % 64);
}

int merging_write(node *n, qm_write *q, const save *s) {
  const people *p = n->w->people;
  if (s->kind == SAVE_UNMERGE) return qm_write_unmerge(q, &p->records[s->record].id);
  return qm_write_merge(q, &p->records[s->record].id, &p->records[s->with].id);
}

/* One that is there as far as this device knows, of this collection (0: any). */
static uint32_t draw_page(world *w, const node *n, sim_prng *random, unsigned space, int merged,
                          uint32_t collection) {
  const people *p = w->people;
  for (int i = 0; i < 60 && p->n_records; i++) {
    uint32_t at = prng_below(random, p->n_records);
    const page *r = &p->records[at];
    if (r->space != space || r->gone || !(r->known >> n->index & 1)) continue;
    if (collection && r->collection != collection) continue;
    if (!merged || r->merged) return at;
  }
  return BOOK_NO_RECORD;
}

int merging_draw(world *w, const node *n, sim_prng *random, unsigned space, step *out) {
  const people *p = w->people;
  if (!w->on[F_MERGE] || !prng_chance(random, 1, 36)) return 0;
  int apart = prng_chance(random, 2, 5);
  uint32_t a = draw_page(w, n, random, space, apart || prng_chance(random, 1, 2), 0);
  if (a == BOOK_NO_RECORD && !apart) a = draw_page(w, n, random, space, 0, 0);
  if (a == BOOK_NO_RECORD) return 0;
  out->arg[A_RECORD] = p->records[a].label;
  out->kind = S_UNMERGE;
  if (apart) return 1;
  uint32_t b = draw_page(w, n, random, space, prng_chance(random, 1, 2), p->records[a].collection);
  if (b == BOOK_NO_RECORD || b == a) return 0;
  out->kind = S_MERGE;
  out->arg[A_WITH] = p->records[b].label;
  return 1;
}
