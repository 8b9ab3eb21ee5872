#include "core/crdt/sequence_tree.h"

#include <string.h>

#include "core/crdt/codec.h"

typedef struct joiner {
  qm_arena *arena;
  qm__runs pieces; /* of the result, ascending by dot */
} joiner;

static int dead(const qm__run *r) { return r->state == QM_RUN_DEAD; }

static int take(joiner *j, const qm__run *from, uint64_t lo, uint64_t hi, int cut) {
  if (lo >= hi) return QM_OK;
  qm__run *r = qm_arena_copy(j->arena, from, sizeof *from);
  if (!r) return QM_ENOMEM;
  memset(&r->lefts, 0, sizeof r->lefts);
  memset(&r->rights, 0, sizeof r->rights);
  r->up = r->before = r->after = r->next = r->prev = NULL;
  r->room = 0; /* the bytes behind belong to the side it came from */
  qm__run_clip(r, lo - from->first.counter, hi - lo);
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
 * it). a_next and b_next: the author's entries in the sides' VVs. */
static int join_author(joiner *j, const qm__runs *a, const qm__runs *b, uint64_t a_next,
                       uint64_t b_next) {
  uint32_t i = 0, k = 0;
  uint64_t at = 0;
  while (i < a->n || k < b->n) {
    const qm__run *x = i < a->n ? a->p[i] : NULL, *y = k < b->n ? b->p[k] : NULL;
    uint64_t x_lo = x ? later(at, x->first.counter) : UINT64_MAX;
    uint64_t y_lo = y ? later(at, y->first.counter) : UINT64_MAX, hi;
    if (x && y && x_lo == y_lo) {
      hi = earlier(qm__run_end(x), qm__run_end(y));
      QM_TRY(take(j, x, x_lo, hi, dead(x) || dead(y)));
    } else if (x_lo < y_lo) {
      hi = earlier(qm__run_end(x), y_lo);
      QM_TRY(take(j, x, later(x_lo, b_next), hi, dead(x)));
    } else {
      hi = earlier(qm__run_end(y), x_lo);
      QM_TRY(take(j, y, later(y_lo, a_next), hi, dead(y)));
    }
    at = hi;
    if (x && qm__run_end(x) <= at) i++;
    if (y && qm__run_end(y) <= at) k++;
  }
  return QM_OK;
}

int qm__sequence_join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors,
                      qm_arena *arena) {
  static const qm_sequence nothing;
  static const qm__runs none;
  const qm_sequence *x = a.cell && a.cell->content ? a.cell->content : &nothing;
  const qm_sequence *y = b.cell && b.cell->content ? b.cell->content : &nothing;
  joiner j = {.arena = arena};
  uint32_t i = 0, k = 0;
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
    QM_TRY(join_author(&j, p ? &p->runs : &none, q ? &q->runs : &none, qm_vv_get(a.vv, author),
                       qm_vv_get(b.vv, author)));
    i += p != NULL;
    k += q != NULL;
  }
  qm_sequence *s = qm_arena_zero(arena, sizeof *s);
  if (!s) return QM_ENOMEM;
  out->content = s;
  return qm__sequence_build(s, authors, arena, j.pieces.p, j.pieces.n, NULL);
}
