/* What a schema's relations ask of a change when it ends (S25.5, S25.7): of each record that it
 * wrote, what its class shows then. */
#include <stdio.h>
#include <string.h>

#include "core/tie.h"
#include "core/write_int.h"

typedef struct ending {
  qm_write *w;
  const qm_collection_def *c;
  const qm_record_class *of;
  const qm_record *view;
} ending;

/* The op puts something there. */
static int adds(const qm_op *op) {
  switch (op->shape) {
    case QM_SIBLINGS: return !qm__value_blank(op->value);
    case QM_KEYED: return op->kind == QM_KIND_ADD;
    case QM_SEQUENCE: return op->kind == QM_KIND_INSERT;
    default: return op->shape != QM_PRESENCE;
  }
}

/* The first field of the list that the change wrote on a member; 0: none. */
static uint32_t written(const ending *x, const uint32_t *fields, uint32_t n, int adding) {
  for (uint32_t i = 0; i < x->w->change.n_ops; i++) {
    const qm_op *op = &x->w->change.ops[i];
    if (!op->field || !qm__numbers_have(fields, n, op->field) || (adding && !adds(op))) continue;
    if (qm_class_has(x->of, &op->record)) return op->field;
  }
  return 0;
}

static int refuse(const ending *x, uint32_t field, qm_reason why, qm_slice detail) {
  const qm_field_def *f = qm_collection_field(x->c, field);
  return qm_reason_fail(&x->w->error, f ? f->name : qm_slice_of(NULL, 0), why, detail);
}

static int check_based(const ending *x, const qm_based_def *b) {
  qm_reason why;
  qm_slice detail;
  uint32_t field = written(x, b->fields, b->n_fields, 1);
  if (!field) return QM_OK;
  QM_TRY(qm_basis_holds(x->w->e, x->w->s, x->c, x->view, b, 0, qm__write_arena(x->w), &why,
                        &detail));
  return why ? refuse(x, field, why, detail) : QM_OK;
}

static int check_fields(const ending *x, const qm_when_def *r, int filled) {
  const uint32_t *fields = filled ? r->filled : r->empty;
  uint32_t n = filled ? r->n_filled : r->n_empty;
  for (uint32_t i = 0; i < n; i++) {
    int there;
    const qm_field_def *f = qm_collection_field(x->c, fields[i]);
    QM_TRY(qm_field_filled(x->w->s, f, x->view, qm__write_arena(x->w), &there));
    if (there == filled) continue;
    return refuse(x, fields[i], filled ? QM_REASON_WHEN_FILLED : QM_REASON_WHEN_EMPTY,
                  qm_collection_field(x->c, r->field)->name);
  }
  return QM_OK;
}

static int check_when(const ending *x, const qm_when_def *r) {
  if (!written(x, &r->field, 1, 0) && !written(x, r->empty, r->n_empty, 0) &&
      !written(x, r->filled, r->n_filled, 0))
    return QM_OK;
  if (!qm_when_holds(x->c, x->view, r)) return QM_OK;
  QM_TRY(check_fields(x, r, 0));
  return check_fields(x, r, 1);
}

/* Other records that this change wrote: no index has them yet. */
static int also(const qm_write *w, const qm_id **out, uint32_t *n) {
  qm_id *ids = qm_arena_array(&w->e->arena, w->n_touched, sizeof *ids);
  if (!ids) return QM_ENOMEM;
  for (uint32_t i = 0; i < w->n_touched; i++) ids[i] = w->touched[i].l->record.id;
  *out = ids;
  *n = w->n_touched;
  return QM_OK;
}

static int check_cover(const ending *x, const qm_cover_def *def) {
  const uint32_t fields[] = {def->amount, def->account, def->state};
  qm_write *w = x->w;
  const qm_id *ids;
  qm_cover cover;
  uint32_t n;
  int counts;
  char left[24];
  if (!written(x, fields, 3, 0)) return QM_OK;
  QM_TRY(also(w, &ids, &n));
  QM_TRY(qm_cover_of(w->e, w->s, x->of, def, ids, n, 1, 0, qm__write_arena(w), &cover, &counts));
  if (!counts || cover.covered) return QM_OK;
  (void)snprintf(left, sizeof left, "%lld", (long long)(cover.left > 0 ? cover.left : 0));
  return refuse(x, def->amount, QM_REASON_COVER, qm_slice_of(left, strlen(left)));
}

static int check_record(qm_write *w, const qm_id *record) {
  qm_record_class of;
  int rc = qm_class_read(w->e, w->s, record, 0, qm__write_arena(w), &of);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  ending x = {.w = w, .of = &of};
  x.c = qm_schema_collection(w->s->schema, qm_record_collection(of.members[0]));
  const qm_relations *r = x.c ? x.c->relations : NULL;
  if (!r) return QM_OK;
  QM_TRY(qm_class_view(&of, &w->s->authors, QM_CLASS_ALL, qm__write_arena(w), &x.view));
  for (uint32_t i = 0; i < r->n_based; i++) QM_TRY(check_based(&x, &r->based[i]));
  for (uint32_t i = 0; i < r->n_whens; i++) QM_TRY(check_when(&x, &r->whens[i]));
  for (uint32_t i = 0; i < r->n_covers; i++) QM_TRY(check_cover(&x, &r->covers[i]));
  return QM_OK;
}

int qm__write_relations_end(qm_write *w) {
  if (qm__write_raw(w) || w->flags & QM_WRITE_HOME || w->moved || !w->s->schema) return QM_OK;
  for (uint32_t i = 0; i < w->n_touched; i++) {
    const qm_record *r = &w->touched[i].l->record;
    const qm_collection_def *c = qm_schema_collection(w->s->schema, qm_record_collection(r));
    /* Of most records nothing is asked. */
    if (c && c->relations) QM_TRY(check_record(w, &r->id));
  }
  return QM_OK;
}
