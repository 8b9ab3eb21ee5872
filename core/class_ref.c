#include "core/class_ref.h"

#include <string.h>

#include "core/relation.h"
#include "core/space.h"

typedef struct qm_refs {
  qm_engine *e;
  qm_space *s;
  unsigned flags;
  qm_arena *arena;
} qm_refs;

int qm_class_ref(qm_engine *e, qm_space *s, const qm_id *id, unsigned flags, qm_arena *arena,
                 qm_id *out) {
  qm_record_class cls;
  *out = *id;
  if (s->edges == QM_EDGES_NONE && !s->n_edges_touched) return QM_OK;
  int rc = qm_class_read(e, s, id, flags, arena, &cls);
  if (rc == QM_OK) *out = cls.id;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* bin 8 of 16 bytes: the one form of an id. */
static int read_ref(qm_slice value, qm_id *out) {
  qm_cur c;
  qm_cur_init(&c, value);
  return value.n == QM_ID_SIZE + 2 && qm_cur_bin_n(&c, out->b, QM_ID_SIZE) == QM_OK;
}

int qm_class_ref_value(qm_engine *e, qm_space *s, qm_slice value, unsigned flags, qm_arena *arena,
                       qm_slice *out) {
  qm_id id, shown;
  *out = value;
  if (!read_ref(value, &id)) return QM_OK;
  QM_TRY(qm_class_ref(e, s, &id, flags, arena, &shown));
  if (qm_id_cmp(&id, &shown) == 0) return QM_OK;
  uint8_t *p = qm_arena_copy(arena, value.p, value.n);
  if (!p) return QM_ENOMEM;
  memcpy(p + value.n - QM_ID_SIZE, shown.b, QM_ID_SIZE);
  *out = qm_slice_of(p, value.n);
  return QM_OK;
}

int qm_class_ref_same(qm_engine *e, qm_space *s, qm_slice a, qm_slice b, qm_arena *arena,
                      int *same) {
  *same = qm_slice_cmp(a, b) == 0;
  if (*same) return QM_OK;
  QM_TRY(qm_class_ref_value(e, s, a, 0, arena, &a));
  QM_TRY(qm_class_ref_value(e, s, b, 0, arena, &b));
  *same = qm_slice_cmp(a, b) == 0;
  return QM_OK;
}

/* --- cells; *content is replaced by a copy where a value of it shows otherwise --- */

static int resolve_siblings(const qm_refs *x, const qm_siblings *from, void **content) {
  qm_siblings *copy = NULL;
  for (uint32_t i = 0; i < from->n; i++) {
    qm_slice v;
    QM_TRY(qm_class_ref_value(x->e, x->s, from->p[i].value, x->flags, x->arena, &v));
    if (v.p == from->p[i].value.p) continue;
    if (!copy) {
      copy = qm_arena_copy(x->arena, from, sizeof *copy);
      if (!copy) return QM_ENOMEM;
      copy->p = qm_arena_copy(x->arena, from->p, from->n * sizeof *from->p);
      if (!copy->p) return QM_ENOMEM;
    }
    copy->p[i].value = v;
  }
  if (copy) *content = copy;
  return QM_OK;
}

static int resolve_entries(const qm_refs *x, const qm_entries *from, void **content) {
  qm_entries *copy = NULL;
  for (uint32_t i = 0; i < from->n; i++) {
    qm_slice v = from->p[i].value;
    if (from->p[i].erased) continue;
    QM_TRY(qm_class_ref_value(x->e, x->s, v, x->flags, x->arena, &v));
    if (v.p == from->p[i].value.p) continue;
    if (!copy) {
      copy = qm_arena_copy(x->arena, from, sizeof *copy);
      if (!copy) return QM_ENOMEM;
      copy->p = qm_arena_copy(x->arena, from->p, from->n * sizeof *from->p);
      if (!copy->p) return QM_ENOMEM;
    }
    copy->p[i].value = v;
  }
  if (copy) *content = copy;
  return QM_OK;
}

static int same_dots(const qm_refs *x, qm_element *to, const qm_element *from) {
  qm_held *dots = qm_arena_array(x->arena, (size_t)to->n + from->n, sizeof *dots);
  if (!dots) return QM_ENOMEM;
  memcpy(dots, to->dots, to->n * sizeof *dots);
  memcpy(dots + to->n, from->dots, from->n * sizeof *dots);
  to->dots = dots;
  to->n += from->n;
  return QM_OK;
}

/* Into its place by value. Only for reading: of an element that two stand for the dots are
 * those of both, in no order. */
static int put_element(const qm_refs *x, qm_keyed *to, const qm_element *e, qm_slice value) {
  uint32_t at = 0;
  while (at < to->n && qm_slice_cmp(to->p[at].value, value) < 0) at++;
  if (at < to->n && qm_slice_cmp(to->p[at].value, value) == 0)
    return same_dots(x, &to->p[at], e);
  memmove(to->p + at + 1, to->p + at, (to->n - at) * sizeof *to->p);
  to->p[at] = *e;
  to->p[at].value = value;
  to->n++;
  return QM_OK;
}

static int resolve_set(const qm_refs *x, const qm_keyed *from, void **content) {
  int differs = 0;
  qm_slice *shown = qm_arena_array(x->arena, from->n, sizeof *shown);
  if (!shown) return QM_ENOMEM;
  for (uint32_t i = 0; i < from->n; i++) {
    QM_TRY(qm_class_ref_value(x->e, x->s, from->p[i].value, x->flags, x->arena, &shown[i]));
    differs |= shown[i].p != from->p[i].value.p;
  }
  if (!differs) return QM_OK;
  qm_keyed *copy = qm_arena_zero(x->arena, sizeof *copy);
  if (!copy) return QM_ENOMEM;
  copy->p = qm_arena_array(x->arena, from->n, sizeof *copy->p);
  copy->cap = from->n;
  if (!copy->p) return QM_ENOMEM;
  for (uint32_t i = 0; i < from->n; i++) QM_TRY(put_element(x, copy, &from->p[i], shown[i]));
  *content = copy;
  return QM_OK;
}

static int resolve_cell(const qm_refs *x, const qm_cell *cell, void **content) {
  *content = cell->content;
  if (!cell->content) return QM_OK;
  switch (cell->shape) {
    case QM_SIBLINGS: return resolve_siblings(x, qm_siblings_of(cell), content);
    case QM_KEYED: return resolve_set(x, qm_keyed_of(cell), content);
    case QM_ENTRIES: return resolve_entries(x, qm_entries_of(cell), content);
    default: return QM_OK;
  }
}

int qm_class_resolve(qm_engine *e, qm_space *s, const qm_collection_def *c,
                     const qm_record *record, unsigned flags, qm_arena *arena,
                     const qm_record **out) {
  const qm_refs x = {e, s, flags, arena};
  qm_record *copy = NULL;
  QM_TRY(qm_relations_hide(e, s, c, record, flags, arena, &record));
  *out = record;
  if (!c || (s->edges == QM_EDGES_NONE && !s->n_edges_touched)) return QM_OK;
  for (uint32_t i = 0; i < record->n_cells; i++) {
    const qm_cell *cell = &record->cells[i];
    const qm_field_def *f = qm_collection_field(c, cell->field);
    void *content;
    if (!f || f->value != QM_VALUE_REF || qm_field_shape(f) != cell->shape) continue;
    QM_TRY(resolve_cell(&x, cell, &content));
    if (content == cell->content) continue;
    if (!copy) {
      copy = qm_arena_copy(arena, record, sizeof *copy);
      if (!copy) return QM_ENOMEM;
      copy->cells = qm_arena_copy(arena, record->cells, record->n_cells * sizeof *copy->cells);
      if (!copy->cells) return QM_ENOMEM;
      *out = copy;
    }
    copy->cells[i].content = content;
  }
  return QM_OK;
}
