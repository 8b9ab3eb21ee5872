#include "core/crdt/sequence_tree.h"

#include <string.h>

#include "core/crdt/codec.h"

typedef struct half {
  qm_sequence *s;
  const qm_vv *vv;
} half;

typedef struct joiner {
  const qm_authors *authors;
  qm_arena *arena;
  half a, b;
  qm__runs pieces; /* of the result, ascending by dot */
} joiner;

static int dead(const qm__run *r) { return r->state == QM_RUN_DEAD; }

/* The element was there and has been trimmed. */
static int gone(const joiner *j, const half *h, qm_dot d) {
  return qm_vv_covers(h->vv, d) && !qm__sequence_find(h->s, j->authors, d);
}

/* Of a run whose element `last` is gone there, the first of the stretch up to it that is. */
static uint64_t gone_from(const joiner *j, const half *there, const qm__run *r, uint64_t last) {
  const qm__column *c = qm__sequence_column(there->s, j->authors, r->first.author);
  const qm__run *behind = c ? qm__column_from(c, last) : NULL;
  const qm__run *before = behind ? behind->earlier : c ? qm__column_last(c) : NULL;
  uint64_t end = before ? qm__run_end(before) : 0;
  return end > r->first.counter ? end : r->first.counter;
}

static void hang_as(qm__run *r, const qm__run *other) {
  r->on = other->on;
  r->parent = other->parent;
  r->key = other->key;
}

/* r, as it hangs here, takes the place of what was trimmed there above it; where the trim did
 * not know what stood in r's place, r lost its parent. Runs that are passed are remembered
 * (`above`), so that many under one chain cost little more than one. */
static void climb(const joiner *j, const half *here, const half *there, qm__run *r) {
  qm__run *below = NULL;
  while (r->on != QM_ON_ROOT && gone(j, there, r->parent) && qm_vv_covers(there->vv, r->key)) {
    qm__run *up = qm__sequence_find(here->s, j->authors, r->parent);
    if (!up) return;
    uint64_t from = gone_from(j, there, up, r->parent.counter);
    if (from > up->first.counter) {
      r->on = QM_ON_RIGHT;
      r->key = r->parent = up->first;
      r->key.counter = from;
      r->parent.counter = from - 1;
      return;
    }
    if (up->above) up = up->above;
    if (below) below->above = up;
    below = up;
    hang_as(r, up);
  }
}

/* The element is on both sides. Where it hangs otherwise, the side that has trimmed what it
 * hangs on in the other is right. */
static void place(const joiner *j, qm__run *r, const qm__run *y) {
  qm__run other = *y;
  qm__run_clip(&other, r->first.counter - y->first.counter, r->len);
  const half *here = &j->a, *there = &j->b;
  if (r->on != QM_ON_ROOT && gone(j, there, r->parent) &&
      qm__sequence_find(here->s, j->authors, r->parent)) {
    hang_as(r, &other);
    here = &j->b;
    there = &j->a;
  }
  climb(j, here, there, r);
}

/* other: what the other side has there, or NULL. */
static int take(joiner *j, const half *here, const qm__run *from, const qm__run *other, uint64_t lo,
                uint64_t hi, int cut) {
  if (lo >= hi) return QM_OK;
  qm__run *r = qm_arena_copy(j->arena, from, sizeof *from);
  if (!r) return QM_ENOMEM;
  memset(&r->lefts, 0, sizeof r->lefts);
  memset(&r->rights, 0, sizeof r->rights);
  r->next = r->prev = NULL;
  r->place = NULL;
  r->room = 0; /* the bytes behind belong to the side it came from */
  qm__run_clip(r, lo - from->first.counter, hi - lo);
  if (other)
    place(j, r, other);
  else
    climb(j, here, here == &j->a ? &j->b : &j->a, r);
  if (cut) {
    r->state = QM_RUN_DEAD;
    r->data = NULL;
    r->bytes = 0;
  }
  qm__run **p =
      qm_array_open(j->arena, j->pieces.p, j->pieces.n, &j->pieces.cap, j->pieces.n, sizeof *p);
  if (!p) return QM_ENOMEM;
  j->pieces.p = p;
  p[j->pieces.n++] = r;
  return QM_OK;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The elements of one author. An element on both sides stays, cut where one side
 * has it cut; one on one side stays unless the other side has seen it (and trimmed
 * it). */
static int join_author(joiner *j, const qm__run *x, const qm__run *y, uint32_t author) {
  uint64_t a_next = qm_vv_get(j->a.vv, author), b_next = qm_vv_get(j->b.vv, author);
  uint64_t at = 0;
  while (x || y) {
    uint64_t x_lo = x ? later(at, x->first.counter) : UINT64_MAX;
    uint64_t y_lo = y ? later(at, y->first.counter) : UINT64_MAX, hi;
    if (x && y && x_lo == y_lo) {
      hi = earlier(qm__run_end(x), qm__run_end(y));
      QM_TRY(take(j, &j->a, x, y, x_lo, hi, dead(x) || dead(y)));
    } else if (x_lo < y_lo) {
      hi = earlier(qm__run_end(x), y_lo);
      QM_TRY(take(j, &j->a, x, NULL, later(x_lo, b_next), hi, dead(x)));
    } else {
      hi = earlier(qm__run_end(y), x_lo);
      QM_TRY(take(j, &j->b, y, NULL, later(y_lo, a_next), hi, dead(y)));
    }
    at = hi;
    if (x && qm__run_end(x) <= at) x = x->later;
    if (y && qm__run_end(y) <= at) y = y->later;
  }
  return QM_OK;
}

static void forget(qm_sequence *s) {
  for (uint32_t i = 0; i < s->n_columns; i++)
    for (qm__run *r = qm__column_first(&s->columns[i]); r; r = r->later) r->above = NULL;
}

int qm__sequence_join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors,
                      qm_arena *arena) {
  qm_sequence nothing = {0};
  qm_sequence *x = a.cell && a.cell->content ? a.cell->content : &nothing;
  qm_sequence *y = b.cell && b.cell->content ? b.cell->content : &nothing;
  joiner j = {.authors = authors, .arena = arena, .a = {x, a.vv}, .b = {y, b.vv}};
  uint32_t i = 0, k = 0;
  forget(x);
  forget(y);
  while (i < x->n_columns || k < y->n_columns) {
    const qm__column *p = i < x->n_columns ? &x->columns[i] : NULL;
    const qm__column *q = k < y->n_columns ? &y->columns[k] : NULL;
    if (p && q && p->author != q->author) {
      if (authors->rank[p->author] < authors->rank[q->author])
        q = NULL;
      else
        p = NULL;
    }
    uint32_t author = p ? p->author : q->author;
    QM_TRY(join_author(&j, p ? qm__column_first(p) : NULL, q ? qm__column_first(q) : NULL, author));
    i += p != NULL;
    k += q != NULL;
  }
  qm_sequence *s = qm_arena_zero(arena, sizeof *s);
  if (!s) return QM_ENOMEM;
  out->content = s;
  return qm__sequence_build(s, authors, arena, j.pieces.p, j.pieces.n, NULL);
}
