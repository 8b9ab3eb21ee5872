#include "core/read.h"

#include <string.h>

#include "core/fold.h"
#include "core/space.h"

/* --- loading --- */

typedef struct qm_load {
  qm_space *s;
  qm_arena *arena;
  qm_record *out;
} qm_load;

static int take_row(void *payload, const qm_record_row *row) {
  qm_load *l = payload;
  uint8_t *blob = qm_arena_copy(l->arena, row->state.p, row->state.n);
  qm_record *r = qm_arena_zero(l->arena, sizeof *r);
  if (!blob || !r) return QM_ENOMEM;
  int rc = qm_record_decode(r, &row->id, qm_slice_of(blob, row->state.n), &l->s->authors, l->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  l->out = r;
  return QM_OK;
}

int qm_engine_read(qm_engine *e, qm_space *s, const qm_id *id, qm_arena *arena,
                   const qm_record **out) {
  *out = NULL;
  if (e->poisoned) return QM_EIO;
  if (e->open) {
    qm_loaded *l;
    QM_TRY(qm__space_record(s, id, &l));
    *out = &l->record;
    return qm_record_empty(&l->record) ? QM_ENOTFOUND : QM_OK;
  }
  return qm__read_stored(e, s, id, arena, out);
}

int qm__read_stored(qm_engine *e, qm_space *s, const qm_id *id, qm_arena *arena,
                    const qm_record **out) {
  qm_load l = {s, arena, NULL};
  int rc = e->open ? QM_ENOTFOUND : qm__fold_record(s, id, take_row, &l);
  if (rc == QM_ENOTFOUND)
    rc = e->store->ops->record_load(e->store, s->number, id, 1, take_row, &l);
  QM_TRY(rc);
  *out = l.out;
  return l.out ? QM_OK : QM_ENOTFOUND;
}

/* --- the contest of a siblings cell --- */

static int later(const qm_authors *authors, qm_time ta, qm_dot a, qm_time tb, qm_dot b) {
  if (ta != tb) return ta > tb;
  return qm_dot_cmp(authors, a, b) > 0;
}

/* S3.9: what wins under the field's type; ties go as for a register. */
static int beats(const qm_space *s, const qm_field_def *f, const qm_listed *a, const qm_listed *b) {
  if (f && (f->type == QM_FIELD_MAX || f->type == QM_FIELD_MIN)) {
    int c = qm_value_cmp(a->sibling->value, b->sibling->value);
    if (c) return f->type == QM_FIELD_MAX ? c > 0 : c < 0;
  }
  if (f && f->type == QM_FIELD_STATE) {
    uint32_t ia, ib;
    int known_a = qm_field_item(f, a->sibling->value, &ia) == QM_OK;
    int known_b = qm_field_item(f, b->sibling->value, &ib) == QM_OK;
    if (known_a != known_b) return known_a;
    if (known_a && f->items[ia].rank != f->items[ib].rank)
      return f->items[ia].rank > f->items[ib].rank;
  }
  return later(&s->authors, a->effective, a->sibling->dot, b->effective, b->sibling->dot);
}

/* Is `to` reachable from `from` by any number of steps? None listed: all are allowed. */
static int reachable(const qm_field_def *f, uint32_t from, uint32_t to, qm_arena *arena) {
  uint8_t *seen = f->n_transitions ? qm_arena_zero(arena, f->n_items) : NULL;
  if (!seen) return 1;
  int progress = 1;
  seen[from] = 1;
  while (progress && !seen[to]) {
    progress = 0;
    for (uint32_t i = 0; i < f->n_transitions; i++) {
      const qm_transition *t = &f->transitions[i];
      if (seen[t->from] && !seen[t->to]) seen[t->to] = 1, progress = 1;
    }
  }
  return seen[to];
}

static int contradicts(const qm_field_def *f, const qm_sibling *a, const qm_sibling *b,
                       qm_arena *arena) {
  uint32_t ia, ib;
  if (!f || f->type != QM_FIELD_STATE) return 0;
  if (qm_field_item(f, a->value, &ia) != QM_OK || qm_field_item(f, b->value, &ib) != QM_OK)
    return 0;
  return !reachable(f, ia, ib, arena) && !reachable(f, ib, ia, arena);
}

static int stands_before(const qm_space *s, const qm_listed *a, const qm_listed *b) {
  return later(&s->authors, a->sibling->time, a->sibling->dot, b->sibling->time, b->sibling->dot);
}

/* The last on top. */
static void sift(const qm_space *s, qm_listed *p, uint32_t root, uint32_t n) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && stands_before(s, &p[child], &p[child + 1])) child++;
    if (!stands_before(s, &p[root], &p[child])) return;
    qm_listed x = p[root];
    p[root] = p[child];
    p[child] = x;
    root = child;
  }
}

/* Descending by (own time, author, counter). */
static void sort_others(const qm_space *s, qm_listed *p, uint32_t n) {
  for (uint32_t i = n / 2; i-- > 0;) sift(s, p, i, n);
  for (uint32_t end = n; end-- > 1;) {
    qm_listed x = p[0];
    p[0] = p[end];
    p[end] = x;
    sift(s, p, 0, end);
  }
}

int qm_read_contest(const qm_space *s, const qm_field_def *f, const qm_cell *cell, qm_arena *arena,
                    qm_contest *out) {
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  qm_listed best = {NULL, 0, QM_CONFLICT_SIBLING};
  memset(out, 0, sizeof *out);
  if (!v || !v->n) return QM_OK;
  int all_kept = 1;
  for (uint32_t i = 0; i < v->n; i++) all_kept &= v->p[i].kept | v->p[i].hidden;
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    qm_listed l = {x, qm_space_effective(s, x->dot, x->time), QM_CONFLICT_SIBLING};
    if (x->hidden || (x->kept && !all_kept)) continue;
    if (!best.sibling || beats(s, f, &l, &best)) best = l;
  }
  if (!best.sibling) return QM_OK;
  out->shown = best.sibling;
  out->effective = best.effective;
  out->others = qm_arena_array(arena, v->n, sizeof *out->others);
  if (!out->others) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    if (x->hidden || qm_slice_cmp(x->value, best.sibling->value) == 0) continue;
    qm_listed l = {x, qm_space_effective(s, x->dot, x->time), QM_CONFLICT_SIBLING};
    if (x->kept)
      l.cls = QM_CONFLICT_UNREAD;
    else if (contradicts(f, x, best.sibling, arena))
      l.cls = QM_CONFLICT_CONTRADICT;
    else if (x->member != best.sibling->member)
      l.cls = QM_CONFLICT_MERGE;
    out->others[out->n_others++] = l;
  }
  sort_others(s, out->others, out->n_others);
  return QM_OK;
}
