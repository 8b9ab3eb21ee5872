/* The union reading of a class (S3.17): cells that exist while somebody reads, built from
 * those of the members and never stored. */
#include <string.h>

#include "core/class.h"
#include "core/crdt/codec.h"
#include "core/crdt/presence.h"

/* The members' cells of one field and shape; NULL where a member has none. */
typedef struct qm_parts {
  const qm_record_class *c;
  const qm_authors *authors;
  qm_arena *arena;
  uint32_t field;
  unsigned shape;
} qm_parts;

static const qm_cell *part(const qm_parts *p, uint32_t i) {
  return qm_record_cell(p->c->members[i], p->field, p->shape);
}

/* --- siblings --- */

static qm_dots named_of(const qm_sibling *x, int hides) {
  return hides ? qm_sibling_hides(x) : qm_sibling_keeps(x);
}

static int gather(qm_arena *arena, const qm_siblings *v, int hides, qm_dots *out) {
  size_t total = 0;
  for (uint32_t i = 0; i < v->n; i++) total += named_of(&v->p[i], hides).n;
  qm_dot *p = qm_arena_array(arena, total, sizeof *p);
  uint32_t n = 0;
  if (!p || total > UINT32_MAX) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n; i++) {
    qm_dots list = named_of(&v->p[i], hides);
    if (list.n) memcpy(p + n, list.p, list.n * sizeof *p);
    n += list.n;
  }
  return qm_dots_sort(arena, (qm_dots){p, n}, out);
}

/* Hidden wins: a write that showed the value beats one beside it that had not. */
static int apply_names(qm_siblings *v, qm_arena *arena) {
  qm_dots hides, keeps;
  QM_TRY(gather(arena, v, 1, &hides));
  QM_TRY(gather(arena, v, 0, &keeps));
  for (uint32_t i = 0; i < v->n; i++) {
    if (hides.n && qm_dots_hold(hides, v->p[i].dot))
      v->p[i].hidden = 1;
    else if (keeps.n && qm_dots_hold(keeps, v->p[i].dot))
      v->p[i].kept = 1;
  }
  return QM_OK;
}

static int unite_siblings(const qm_parts *p, void **out) {
  qm_siblings *v = qm_arena_zero(p->arena, sizeof *v);
  if (!v) return QM_ENOMEM;
  for (uint32_t i = 0; i < p->c->n; i++) v->cap += part(p, i) ? qm_siblings_of(part(p, i))->n : 0;
  v->p = qm_arena_array(p->arena, v->cap, sizeof *v->p);
  if (!v->p) return QM_ENOMEM;
  for (uint32_t i = 0; i < p->c->n; i++) {
    const qm_siblings *from = part(p, i) ? qm_siblings_of(part(p, i)) : NULL;
    for (uint32_t k = 0; from && k < from->n; k++) {
      v->p[v->n] = from->p[k];
      v->p[v->n++].member = i;
    }
  }
  *out = v;
  return apply_names(v, p->arena);
}

/* --- sets --- */

/* The dots of one element in two members: no dot is in both. */
static int unite_dots(const qm_parts *p, const qm_element *a, const qm_element *b,
                      qm_element *out) {
  uint32_t i = 0, j = 0;
  *out = (qm_element){.value = a->value, .cap = a->n + b->n};
  out->dots = qm_arena_array(p->arena, out->cap, sizeof *out->dots);
  if (!out->dots) return QM_ENOMEM;
  while (i < a->n || j < b->n) {
    int first =
        j == b->n || (i < a->n && qm_dot_cmp(p->authors, a->dots[i].dot, b->dots[j].dot) < 0);
    out->dots[out->n++] = first ? a->dots[i++] : b->dots[j++];
  }
  return QM_OK;
}

static int unite_two_sets(const qm_parts *p, const qm_keyed *a, const qm_keyed *b, qm_keyed *out) {
  uint32_t i = 0, j = 0;
  out->n = 0;
  out->cap = a->n + b->n;
  out->p = qm_arena_array(p->arena, out->cap, sizeof *out->p);
  if (!out->p) return QM_ENOMEM;
  while (i < a->n || j < b->n) {
    int c = i == a->n ? 1 : j == b->n ? -1 : qm_slice_cmp(a->p[i].value, b->p[j].value);
    if (c == 0)
      QM_TRY(unite_dots(p, &a->p[i], &b->p[j], &out->p[out->n++]));
    else
      out->p[out->n++] = c < 0 ? a->p[i] : b->p[j];
    i += c <= 0;
    j += c >= 0;
  }
  return QM_OK;
}

static int unite_sets(const qm_parts *p, void **out) {
  qm_keyed *k = qm_arena_zero(p->arena, sizeof *k);
  if (!k) return QM_ENOMEM;
  for (uint32_t i = 0; i < p->c->n; i++) {
    qm_keyed both;
    if (!part(p, i)) continue;
    QM_TRY(unite_two_sets(p, k, qm_keyed_of(part(p, i)), &both));
    *k = both;
  }
  *out = k;
  return QM_OK;
}

/* --- counters and logs --- */

static int unite_totals(const qm_parts *p, void **out) {
  qm_totals *t = qm_arena_zero(p->arena, sizeof *t);
  if (!t) return QM_ENOMEM;
  for (uint32_t i = 0; i < p->c->n; i++) t->cap += part(p, i) ? qm_totals_of(part(p, i))->n : 0;
  t->p = qm_arena_array(p->arena, t->cap, sizeof *t->p);
  if (!t->p) return QM_ENOMEM;
  for (uint32_t i = 0; i < p->c->n; i++) {
    const qm_totals *from = part(p, i) ? qm_totals_of(part(p, i)) : NULL;
    if (!from) continue;
    memcpy(t->p + t->n, from->p, from->n * sizeof *t->p);
    t->n += from->n;
  }
  *out = t;
  return QM_OK;
}

static int stands_before(const qm_authors *authors, const qm_entry *a, const qm_entry *b) {
  if (a->order != b->order) return a->order < b->order;
  return qm_dot_cmp(authors, a->dot, b->dot) < 0;
}

static int unite_entries(const qm_parts *p, void **out) {
  qm_entries *v = qm_arena_zero(p->arena, sizeof *v);
  if (!v) return QM_ENOMEM;
  for (uint32_t m = 0; m < p->c->n; m++) {
    const qm_entries *from = part(p, m) ? qm_entries_of(part(p, m)) : NULL, old = *v;
    uint32_t i = 0, j = 0;
    if (!from) continue;
    v->n = 0;
    v->cap = old.n + from->n;
    v->p = qm_arena_array(p->arena, v->cap, sizeof *v->p);
    if (!v->p) return QM_ENOMEM;
    while (i < old.n || j < from->n) {
      int first = j == from->n || (i < old.n && stands_before(p->authors, &old.p[i], &from->p[j]));
      v->p[v->n++] = first ? old.p[i++] : from->p[j++];
    }
  }
  *out = v;
  return QM_OK;
}

/* --- one field --- */

int qm__class_cell(const qm_record_class *c, const qm_authors *authors, uint32_t field,
                   unsigned shape, qm_arena *arena, const qm_cell **out) {
  qm_parts p = {c, authors, arena, field, shape};
  *out = NULL;
  if (c->n == 1) {
    *out = part(&p, 0);
    return QM_OK;
  }
  uint32_t held = 0;
  for (uint32_t i = 0; i < c->n; i++) held += part(&p, i) != NULL;
  if (!held) return QM_OK;
  qm_cell *cell = qm_arena_zero(arena, sizeof *cell);
  if (!cell) return QM_ENOMEM;
  cell->field = field;
  cell->shape = (uint8_t)shape;
  *out = cell;
  switch (shape) {
    case QM_SIBLINGS: return unite_siblings(&p, &cell->content);
    case QM_KEYED: return unite_sets(&p, &cell->content);
    case QM_TOTALS: return unite_totals(&p, &cell->content);
    case QM_ENTRIES: return unite_entries(&p, &cell->content);
    default: return QM_EINTERNAL;
  }
}

/* --- the record shown --- */

static int push(qm_record *r, qm_arena *arena, const qm_cell *cell) {
  qm_cell *p = qm_array_open(arena, r->cells, r->n_cells, &r->cap_cells, r->n_cells, sizeof *p);
  if (!p) return QM_ENOMEM;
  r->cells = p;
  p[r->n_cells++] = *cell;
  return QM_OK;
}

static int view_field(const qm_record_class *c, const qm_authors *authors, uint32_t field,
                      unsigned shape, qm_arena *arena, qm_record *out) {
  const qm_cell *cell;
  if (shape != QM_SEQUENCE) {
    QM_TRY(qm__class_cell(c, authors, field, shape, arena, &cell));
    return cell ? push(out, arena, cell) : QM_OK;
  }
  for (uint32_t i = 0; i < c->n; i++) {
    cell = qm_record_cell(c->members[i], field, shape);
    if (cell) QM_TRY(push(out, arena, cell));
  }
  return QM_OK;
}

/* Moves on to the least (field, shape) of any member beyond *out; 0 where there is none. */
static int next_cell(const qm_record_class *c, qm_cell *out) {
  const qm_cell after = *out;
  int found = 0;
  for (uint32_t i = 0; i < c->n; i++)
    for (uint32_t k = 0; k < c->members[i]->n_cells; k++) {
      const qm_cell *x = &c->members[i]->cells[k];
      if (x->field < after.field || (x->field == after.field && x->shape <= after.shape))
        continue;
      if (found && (x->field > out->field || (x->field == out->field && x->shape >= out->shape)))
        break; /* they ascend */
      out->field = x->field;
      out->shape = x->shape;
      found = 1;
      break;
    }
  return found;
}

static int view_marks(const qm_record_class *c, const qm_authors *authors, qm_arena *arena,
                      qm_record *out) {
  for (uint32_t i = 0; i < c->n; i++) {
    const qm_marks *m = &c->members[i]->marks;
    for (uint32_t k = 0; k < m->n; k++) {
      uint32_t at = out->marks.n;
      while (at && qm_dot_cmp(authors, out->marks.p[at - 1].dot, m->p[k].dot) > 0) at--;
      qm_mark *p =
          qm_array_open(arena, out->marks.p, out->marks.n, &out->marks.cap, at, sizeof *p);
      if (!p) return QM_ENOMEM;
      out->marks.p = p;
      p[at] = m->p[k];
      out->marks.n++;
    }
  }
  return QM_OK;
}

int qm_class_view(const qm_record_class *c, const qm_authors *authors, uint32_t field,
                  qm_arena *arena, const qm_record **out) {
  *out = c->members[0];
  if (c->n == 1) return QM_OK;
  qm_record *r = qm_arena_zero(arena, sizeof *r);
  if (!r) return QM_ENOMEM;
  r->id = c->id;
  for (uint32_t i = 0; i < c->n && !r->n_creations; i++) {
    r->creations = c->members[i]->creations;
    r->n_creations = c->members[i]->n_creations;
  }
  QM_TRY(view_marks(c, authors, arena, r));
  /* Field 0 holds edges, which are not shown. */
  qm_cell at = {.field = 0, .shape = UINT8_MAX};
  while (next_cell(c, &at))
    if (field == QM_CLASS_ALL || field == at.field)
      QM_TRY(view_field(c, authors, at.field, at.shape, arena, r));
  *out = r;
  return QM_OK;
}
