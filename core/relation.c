#include "core/relation.h"

#include <string.h>

#include "core/space.h"

int qm__numbers_have(const uint32_t *list, uint32_t n, uint32_t number) {
  for (uint32_t i = 0; i < n; i++)
    if (list[i] == number) return 1;
  return 0;
}

int qm__value_blank(qm_slice value) {
  return !value.n || value.p[0] == 0xc0 || (value.n == 1 && value.p[0] == 0xa0);
}

int qm_field_filled(const qm_space *s, const qm_field_def *f, const qm_record *view,
                    qm_arena *arena, int *out) {
  const qm_cell *cell = qm_record_cell(view, f->number, qm_field_shape(f));
  qm_contest contest;
  *out = 0;
  if (!cell) return QM_OK;
  switch (cell->shape) {
    case QM_SIBLINGS:
      QM_TRY(qm_read_contest(s, f, cell, arena, &contest));
      *out = contest.shown && !qm__value_blank(contest.shown->value);
      return QM_OK;
    case QM_KEYED: *out = qm_keyed_of(cell)->n > 0; return QM_OK;
    case QM_ENTRIES: *out = qm_entries_of(cell)->n > 0; return QM_OK;
    case QM_SEQUENCE:
      for (; cell && !*out; cell = qm_record_cell_next(view, cell))
        *out = qm_sequence_len(cell) > 0;
      return QM_OK;
    default: *out = 1; return QM_OK; /* a total */
  }
}

static int is_one_of(const qm_when_def *w, qm_slice value) {
  for (uint32_t i = 0; i < w->n_is; i++)
    if (qm_slice_cmp(w->is[i], value) == 0) return 1;
  return 0;
}

/* The item that a state proposes counts as well. */
static int sibling_is(const qm_field_def *f, const qm_when_def *w, qm_slice value) {
  if (qm_field_proposed(f, value)) value = qm_slice_of(value.p + 1, value.n - 1);
  return is_one_of(w, value);
}

int qm_when_holds(const qm_collection_def *c, const qm_record *view, const qm_when_def *w) {
  const qm_field_def *f = qm_collection_field(c, w->field);
  const qm_cell *cell = f ? qm_record_cell(view, f->number, qm_field_shape(f)) : NULL;
  const qm_siblings *v = cell && cell->shape == QM_SIBLINGS ? qm_siblings_of(cell) : NULL;
  const qm_keyed *k = cell && cell->shape == QM_KEYED ? qm_keyed_of(cell) : NULL;
  for (uint32_t i = 0; v && i < v->n; i++)
    if (!v->p[i].hidden && sibling_is(f, w, v->p[i].value)) return 1;
  for (uint32_t i = 0; k && i < k->n; i++)
    if (is_one_of(w, k->p[i].value)) return 1;
  return 0;
}

/* ---- what is hidden ---- */

static int has_cell_of(const qm_record *view, const uint32_t *fields, uint32_t n) {
  for (uint32_t i = 0; i < view->n_cells; i++)
    if (qm__numbers_have(fields, n, view->cells[i].field)) return 1;
  return 0;
}

static void mark(const qm_record *view, const uint32_t *fields, uint32_t n, uint8_t *gone) {
  for (uint32_t i = 0; i < view->n_cells; i++)
    gone[i] |= (uint8_t)qm__numbers_have(fields, n, view->cells[i].field);
}

/* gone[i]: cell i is hidden. */
static int find_hidden(qm_engine *e, qm_space *s, const qm_collection_def *c,
                       const qm_record *view, unsigned flags, qm_arena *arena, uint8_t *gone) {
  const qm_relations *r = c->relations;
  for (uint32_t i = 0; i < r->n_based; i++) {
    const qm_based_def *b = &r->based[i];
    qm_reason why;
    qm_slice detail;
    if (!has_cell_of(view, b->fields, b->n_fields)) continue;
    QM_TRY(qm_basis_holds(e, s, c, view, b, flags, arena, &why, &detail));
    if (why) mark(view, b->fields, b->n_fields, gone);
  }
  for (uint32_t i = 0; i < r->n_whens; i++) {
    const qm_when_def *w = &r->whens[i];
    if (has_cell_of(view, w->empty, w->n_empty) && qm_when_holds(c, view, w))
      mark(view, w->empty, w->n_empty, gone);
  }
  return QM_OK;
}

int qm_relations_hide(qm_engine *e, qm_space *s, const qm_collection_def *c,
                      const qm_record *view, unsigned flags, qm_arena *arena,
                      const qm_record **out) {
  *out = view;
  if (!c || !c->relations || (!c->relations->n_based && !c->relations->n_whens)) return QM_OK;
  uint8_t *gone = qm_arena_zero(arena, (size_t)view->n_cells + 1);
  if (!gone) return QM_ENOMEM;
  QM_TRY(find_hidden(e, s, c, view, flags, arena, gone));
  if (!memchr(gone, 1, view->n_cells)) return QM_OK;
  qm_record *copy = qm_arena_copy(arena, view, sizeof *copy);
  qm_cell *cells = qm_arena_array(arena, view->n_cells, sizeof *cells);
  if (!copy || !cells) return QM_ENOMEM;
  copy->n_cells = 0;
  for (uint32_t i = 0; i < view->n_cells; i++)
    if (!gone[i]) cells[copy->n_cells++] = view->cells[i];
  copy->cells = cells;
  copy->cap_cells = copy->n_cells;
  *out = copy;
  return QM_OK;
}

static int may_hide(const qm_collection_def *c, uint32_t field) {
  const qm_relations *r = c ? c->relations : NULL;
  for (uint32_t i = 0; r && i < r->n_based; i++)
    if (qm__numbers_have(r->based[i].fields, r->based[i].n_fields, field)) return 1;
  for (uint32_t i = 0; r && i < r->n_whens; i++)
    if (qm__numbers_have(r->whens[i].empty, r->whens[i].n_empty, field)) return 1;
  return 0;
}

/* A field that has no value now may have had one: it is asked as if it had. */
static int hides(qm_engine *e, qm_space *s, const qm_collection_def *c, const qm_record *view,
                 uint32_t field, unsigned flags, qm_arena *arena, int *out) {
  const qm_relations *r = c->relations;
  for (uint32_t i = 0; i < r->n_based && !*out; i++) {
    qm_reason why;
    qm_slice detail;
    if (!qm__numbers_have(r->based[i].fields, r->based[i].n_fields, field)) continue;
    QM_TRY(qm_basis_holds(e, s, c, view, &r->based[i], flags, arena, &why, &detail));
    *out = why != QM_REASON_NONE;
  }
  for (uint32_t i = 0; i < r->n_whens && !*out; i++)
    *out = qm__numbers_have(r->whens[i].empty, r->whens[i].n_empty, field) &&
           qm_when_holds(c, view, &r->whens[i]);
  return QM_OK;
}

int qm_field_hidden(qm_engine *e, qm_space *s, const qm_id *record, uint32_t field,
                    unsigned flags, qm_arena *arena, int *out) {
  qm_record_class of;
  const qm_record *view;
  *out = 0;
  if (!s->schema || !field) return QM_OK;
  int rc = qm_class_read(e, s, record, flags, arena, &of);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  const qm_collection_def *c =
      qm_schema_collection(s->schema, qm_record_collection(of.members[0]));
  if (!may_hide(c, field)) return QM_OK;
  QM_TRY(qm_class_view(&of, &s->authors, QM_CLASS_ALL, arena, &view));
  return hides(e, s, c, view, field, flags, arena, out);
}

/* ---- who depends on whom ---- */

static int based_on(const qm_collection_def *c, uint32_t collection, qm_visit_based visit,
                    void *payload) {
  for (uint32_t i = 0; c->relations && i < c->relations->n_based; i++) {
    const qm_based_def *b = &c->relations->based[i];
    const qm_field_def *record = qm_collection_field(c, b->record);
    const qm_field_def *of = b->of ? qm_collection_field(c, b->of) : NULL;
    int any = !collection;
    if (record && (any || record->target == collection))
      QM_TRY(visit(payload, c, b->record, b));
    if (of && (any || of->target == collection)) QM_TRY(visit(payload, c, b->of, b));
  }
  return QM_OK;
}

int qm_based_on(const qm_schema *s, uint32_t collection, qm_visit_based visit, void *payload) {
  for (uint32_t i = 0; s && i < s->n_collections; i++)
    QM_TRY(based_on(&s->collections[i], collection, visit, payload));
  return QM_OK;
}
