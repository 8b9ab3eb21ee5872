/* Steps of a workflow (S7.10): who may set a state, what becomes a proposal, and what must be
 * there when the change ends. */
#include <string.h>

#include "core/write_int.h"

static int is_judged(const qm_write *w, const qm_target *t) {
  return t->field && t->field->type == QM_FIELD_STATE && !qm__write_raw(w) &&
         !(w->flags & QM_WRITE_HOME);
}

int qm__write_step(qm_write *w, const qm_target *t, qm_slice *value) {
  uint32_t i;
  qm_slice role = w->s->role;
  if (!is_judged(w, t) || qm_field_item(t->field, *value, &i) != QM_OK) return QM_OK;
  const qm_enum_item *item = &t->field->items[i];
  int proposed = qm_field_proposed(t->field, *value);
  if (!proposed && !qm_item_confirms(item, role)) {
    uint8_t *p = qm_arena_alloc(qm__write_arena(w), value->n + 1);
    if (!p) return QM_ENOMEM;
    p[0] = 0x91; /* an array of one */
    memcpy(p + 1, value->p, value->n);
    *value = qm_slice_of(p, value->n + 1);
  } else if (proposed && qm_item_confirms(item, role)) { /* given back as it was read */
    *value = qm_slice_of(value->p + 1, value->n - 1);
  }
  return qm_field_step_check(t->field, *value, role, &w->error);
}

int qm__write_step_taken(qm_write *w, const qm_target *t, qm_slice value) {
  uint32_t i;
  if (!is_judged(w, t) || qm_field_item(t->field, value, &i) != QM_OK) return QM_OK;
  if (!t->field->items[i].n_needs) return QM_OK;
  if (w->n_steps == w->cap_steps) {
    uint32_t cap = w->cap_steps ? w->cap_steps * 2 : 4;
    w->steps = qm_arena_grow(qm__write_arena(w), w->steps, w->n_steps, cap, sizeof *w->steps);
    if (!w->steps) return QM_ENOMEM;
    w->cap_steps = cap;
  }
  w->steps[w->n_steps++] = (qm_step_taken){t->l->record.id, t->field, &t->field->items[i]};
  return QM_OK;
}

/* --- what is there --- */

/* The values of a field as its class shows them. */
typedef struct values {
  const qm_slice *p;
  uint32_t n;
} values;

static int of_siblings(qm_write *w, const qm_field_def *f, const qm_cell *cell, values *out) {
  qm_contest contest;
  qm_slice *one = qm_arena_array(qm__write_arena(w), 1, sizeof *one);
  if (!one) return QM_ENOMEM;
  QM_TRY(qm_read_contest(w->s, f, cell, qm__write_arena(w), &contest));
  if (!contest.shown) return QM_OK;
  *one = contest.shown->value;
  *out = (values){one, 1};
  return QM_OK;
}

static int of_elements(qm_write *w, const qm_cell *cell, values *out) {
  const qm_keyed *k = cell->shape == QM_KEYED ? qm_keyed_of(cell) : NULL;
  const qm_entries *e = cell->shape == QM_ENTRIES ? qm_entries_of(cell) : NULL;
  uint32_t n = k ? k->n : e ? e->n : 0;
  qm_slice *p = qm_arena_array(qm__write_arena(w), n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) p[i] = k ? k->p[i].value : e->p[i].value;
  *out = (values){p, n};
  return QM_OK;
}

/* Of the members' lists one after the other. */
static int of_lists(qm_write *w, const qm_record_class *cls, uint32_t field, values *out) {
  qm_arena *arena = qm__write_arena(w);
  for (uint32_t m = 0; m < cls->n; m++) {
    const qm_cell *cell = qm_record_cell(cls->members[m], field, QM_SEQUENCE);
    qm_slice *p, *all;
    uint32_t n;
    if (!cell) continue;
    QM_TRY(qm_sequence_values(cell, arena, &p, &n));
    all = qm_arena_array(arena, out->n + n, sizeof *all);
    if (!all) return QM_ENOMEM;
    if (out->n) memcpy(all, out->p, out->n * sizeof *all);
    if (n) memcpy(all + out->n, p, n * sizeof *all);
    *out = (values){all, out->n + n};
  }
  return QM_OK;
}

static int values_of(qm_write *w, const qm_record_class *cls, const qm_field_def *f,
                     values *out) {
  const qm_cell *cell = NULL;
  qm_shape_id shape = qm_field_shape(f);
  *out = (values){NULL, 0};
  if (shape == QM_SEQUENCE) return of_lists(w, cls, f->number, out);
  QM_TRY(qm__class_cell(cls, &w->s->authors, f->number, shape, qm__write_arena(w), &cell));
  if (!cell || shape == QM_TOTALS) return QM_OK;
  return shape == QM_SIBLINGS ? of_siblings(w, f, cell, out) : of_elements(w, cell, out);
}

static int is_empty(qm_slice value) {
  qm_cur c;
  qm_slice text;
  qm_cur_init(&c, value);
  if (value.n && value.p[0] == 0xc0) return 1; /* nil */
  return qm_cur_str(&c, &text) == QM_OK && !text.n;
}

static uint64_t text_length(const qm_record_class *cls, uint32_t field) {
  uint64_t n = 0;
  for (uint32_t m = 0; m < cls->n; m++) {
    const qm_cell *cell = qm_record_cell(cls->members[m], field, QM_SEQUENCE);
    if (cell) n += qm_sequence_len(cell);
  }
  return n;
}

static int count_filled(qm_write *w, const qm_record_class *cls, const qm_field_def *f,
                        uint64_t *n) {
  values v;
  const qm_cell *cell = NULL;
  *n = 0;
  if (f->type == QM_FIELD_TEXT) {
    *n = text_length(cls, f->number) != 0;
    return QM_OK;
  }
  if (f->type == QM_FIELD_COUNTER) {
    QM_TRY(qm__class_cell(cls, &w->s->authors, f->number, QM_TOTALS, qm__write_arena(w), &cell));
    *n = cell != NULL;
    return QM_OK;
  }
  QM_TRY(values_of(w, cls, f, &v));
  for (uint32_t i = 0; i < v.n; i++) *n += !is_empty(v.p[i]);
  return QM_OK;
}

/* Announced is not present: a file counts where its content is. */
static int count_present(qm_write *w, const qm_record_class *cls, const qm_field_def *f,
                         uint64_t *n) {
  values v;
  const qm_engine *e = w->e;
  *n = 0;
  QM_TRY(values_of(w, cls, f, &v));
  for (uint32_t i = 0; i < v.n && e->file_here; i++)
    *n += e->file_here(e->file_payload, v.p[i]) != 0;
  return QM_OK;
}

/* The text or item that a record holds in its field `part`; empty where it is not here. */
static int part_of(qm_write *w, qm_slice ref, uint32_t target, uint32_t part, qm_slice *out) {
  qm_cur c;
  qm_id id;
  qm_record_class cls;
  values v;
  *out = (qm_slice){NULL, 0};
  qm_cur_init(&c, ref);
  if (qm_cur_bin_n(&c, id.b, sizeof id.b) != QM_OK) return QM_OK;
  const qm_collection_def *def = qm_schema_collection(w->s->schema, target);
  const qm_field_def *f = def ? qm_collection_field(def, part) : NULL;
  int rc = f ? qm_class_read(w->e, w->s, &id, 0, qm__write_arena(w), &cls) : QM_ENOTFOUND;
  if (rc == QM_ENOTFOUND || (rc == QM_OK && !qm_class_visible(&cls))) return QM_OK;
  QM_TRY(rc);
  QM_TRY(values_of(w, &cls, f, &v));
  if (!v.n) return QM_OK;
  qm_cur_init(&c, v.p[0]);
  if (qm_cur_str(&c, out) != QM_OK) *out = (qm_slice){NULL, 0};
  return QM_OK;
}

/* *missing: the first part that no record is; empty where all are there. */
static int find_missing(qm_write *w, const qm_record_class *cls, const qm_field_def *f,
                        const qm_need_def *d, qm_slice *missing) {
  values v;
  *missing = (qm_slice){NULL, 0};
  QM_TRY(values_of(w, cls, f, &v));
  for (uint32_t k = 0; k < d->n_parts; k++) {
    int found = 0;
    for (uint32_t i = 0; i < v.n && !found; i++) {
      qm_slice part;
      QM_TRY(part_of(w, v.p[i], f->target, d->part, &part));
      found = qm_slice_cmp(part, d->parts[k]) == 0;
    }
    if (!found) {
      *missing = d->parts[k];
      return QM_OK;
    }
  }
  return QM_OK;
}

static int incomplete(qm_write *w, const qm_step_taken *x, const qm_field_def *f,
                      const char *what, uint64_t more, qm_slice part) {
  qm_slice field = x->field->name, item = x->item->name;
  if (part.n)
    return qm_fail(&w->error, QM_EINCOMPLETE, "%.*s: %.*s needs in %.*s: %.*s", (int)field.n,
                   (const char *)field.p, (int)item.n, (const char *)item.p, (int)f->name.n,
                   (const char *)f->name.p, (int)part.n, (const char *)part.p);
  return qm_fail(&w->error, QM_EINCOMPLETE, "%.*s: %.*s needs %s %.*s (%llu more)", (int)field.n,
                 (const char *)field.p, (int)item.n, (const char *)item.p, what, (int)f->name.n,
                 (const char *)f->name.p, (unsigned long long)more);
}

static int check_need(qm_write *w, const qm_step_taken *x, const qm_collection_def *c,
                      const qm_record_class *cls, const qm_need_def *d) {
  const qm_field_def *f = c ? qm_collection_field(c, d->field) : NULL;
  qm_slice missing = {NULL, 0};
  uint64_t n = 0;
  if (!f || !qm_need_holds_for(d, w->s->role)) return QM_OK;
  if (d->kind == QM_NEED_PARTS) {
    QM_TRY(find_missing(w, cls, f, d, &missing));
    return missing.n ? incomplete(w, x, f, "", 0, missing) : QM_OK;
  }
  QM_TRY(d->kind == QM_NEED_PRESENT ? count_present(w, cls, f, &n) : count_filled(w, cls, f, &n));
  if (n >= d->least) return QM_OK;
  return incomplete(w, x, f, d->kind == QM_NEED_PRESENT ? "on this device" : "a value of",
                    d->least - n, missing);
}

int qm__write_steps_end(qm_write *w) {
  for (uint32_t i = 0; i < w->n_steps; i++) {
    const qm_step_taken *x = &w->steps[i];
    qm_record_class cls;
    QM_TRY(qm_class_read(w->e, w->s, &x->record, 0, qm__write_arena(w), &cls));
    const qm_collection_def *c =
        qm_schema_collection(w->s->schema, qm_record_collection(cls.members[0]));
    for (uint32_t k = 0; k < x->item->n_needs; k++)
      QM_TRY(check_need(w, x, c, &cls, &x->item->needs[k]));
  }
  return QM_OK;
}

int qm_write_check(qm_write *w) {
  if (w->broken) return QM_ESTATE;
  memset(&w->error, 0, sizeof w->error);
  int rc = qm__write_typed(w);
  if (rc == QM_OK) rc = qm__write_steps_end(w);
  if (rc == QM_OK) rc = qm__write_relations_end(w);
  return rc == QM_EINCOMPLETE || rc == QM_ESCHEMA ? rc : qm__write_fail(w, rc, "steps");
}
