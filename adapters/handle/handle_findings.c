/* handle_findings.c: what stands in records and waits for somebody: steps to be confirmed, values
 * that a check speaks against. Both are found by reading the records of the collections that can
 * have them. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/handle/handle_review.h"
#include "core/reason.h"
#include "core/validator.h"

#define PAGE 100u
#define PAGE_MAX 1000u

typedef struct finding finding;
/* Looks at a field of what a class shows. */
typedef int (*look)(finding *f, const qm_field_def *field, const qm_record *view);

struct finding {
  look look;
  int (*concerns)(const qm_field_def *f); /* can the field have any */
  qm_reading r;
  const qm_collection_def *c;
  const qm_record_class *cls; /* of the record at hand */
  uint64_t n, from, to;       /* found so far; those wanted */
  qm_buf *out;
};

/* `{"space":…,…,"field":NAME,"value":VALUE`, without its end; *wanted = 0: not of this page. */
static int begin_line(finding *f, const qm_field_def *field, qm_slice value, int *wanted) {
  qm_space_info info;
  *wanted = f->n >= f->from && f->n < f->to;
  f->n++;
  if (!*wanted) return QM_OK;
  qm_space_info_get(f->r.s, &info);
  qm__handle_put(f->out, "{\"space\":");
  qm__handle_put_id(f->out, &info.id);
  qm__handle_put(f->out, ",\"space_name\":");
  qm_json_str(f->out, info.name);
  qm__handle_put(f->out, ",\"collection\":");
  qm_json_str(f->out, f->c->name);
  qm__handle_put(f->out, ",\"id\":");
  qm__handle_put_id(f->out, &f->cls->id);
  qm__handle_put(f->out, ",\"title\":");
  QM_TRY(qm__review_title(f->r.s, f->c, f->cls, &f->r.arena, f->out));
  qm__handle_put(f->out, ",\"field\":");
  qm_json_str(f->out, field->name);
  qm__handle_put(f->out, ",\"value\":");
  qm__handle_put_value(f->out, field, value);
  return qm_buf_status(f->out);
}

/* ---- steps that wait to be confirmed ---- */

static int has_steps(const qm_field_def *f) {
  for (uint32_t i = 0; f->type == QM_FIELD_STATE && i < f->n_items; i++)
    if (f->items[i].n_confirm) return 1;
  return 0;
}

static int shown(finding *f, const qm_field_def *field, const qm_record *view,
                 const qm_sibling **out) {
  const qm_cell *cell = qm_record_cell(view, field->number, QM_SIBLINGS);
  qm_contest contest = {.shown = NULL};
  *out = NULL;
  if (!cell) return QM_OK;
  QM_TRY(qm_read_contest(f->r.s, field, cell, &f->r.arena, &contest));
  *out = contest.shown;
  return QM_OK;
}

static int look_for_proposal(finding *f, const qm_field_def *field, const qm_record *view) {
  const qm_sibling *s;
  int wanted;
  QM_TRY(shown(f, field, view, &s));
  if (!s || !qm_field_proposed(field, s->value)) return QM_OK;
  QM_TRY(begin_line(f, field, s->value, &wanted));
  if (!wanted) return QM_OK;
  qm_buf_byte(f->out, ',');
  qm__handle_put_dot(f->out, &f->r.who, f->r.s, s->dot, s->time);
  qm__handle_put(f->out, "}\n");
  return qm_buf_status(f->out);
}

/* ---- values that a check speaks against ---- */

static int has_check(const qm_field_def *f) { return f->check.n != 0; }

static int judge(finding *f, const qm_field_def *field, qm_slice value) {
  qm_error e = {0, ""};
  qm_slice name, detail;
  int wanted, rc = qm_check_value(qm_space_schema(f->r.s), field, value, &e);
  if (rc != QM_ESCHEMA) return rc;
  qm_reason why = qm_reason_find(e.message, &name, &detail);
  QM_TRY(begin_line(f, field, value, &wanted));
  if (!wanted) return QM_OK;
  qm__handle_put(f->out, ",\"reason\":");
  qm_json_str(f->out, qm_slice_of(qm_reason_word(why), strlen(qm_reason_word(why))));
  qm__handle_put(f->out, ",\"detail\":");
  qm_json_str(f->out, detail);
  qm__handle_put(f->out, ",\"en\":");
  qm_json_str(f->out, qm_slice_of(qm_reason_en(why), strlen(qm_reason_en(why))));
  qm__handle_put(f->out, ",\"zh\":");
  qm_json_str(f->out, qm_slice_of(qm_reason_zh(why), strlen(qm_reason_zh(why))));
  qm__handle_put(f->out, "}\n");
  return qm_buf_status(f->out);
}

static int look_for_unfit(finding *f, const qm_field_def *field, const qm_record *view) {
  const qm_cell *cell = qm_record_cell(view, field->number, qm_field_shape(field));
  const qm_sibling *s;
  if (!cell) return QM_OK;
  if (cell->shape == QM_SIBLINGS) {
    QM_TRY(shown(f, field, view, &s));
    return s ? judge(f, field, s->value) : QM_OK;
  }
  if (cell->shape == QM_KEYED)
    for (uint32_t i = 0; i < qm_keyed_of(cell)->n; i++)
      QM_TRY(judge(f, field, qm_keyed_of(cell)->p[i].value));
  if (cell->shape == QM_ENTRIES)
    for (uint32_t i = 0; i < qm_entries_of(cell)->n; i++)
      if (!qm_entries_of(cell)->p[i].erased)
        QM_TRY(judge(f, field, qm_entries_of(cell)->p[i].value));
  for (; cell && cell->shape == QM_SEQUENCE; cell = qm_record_cell_next(view, cell)) {
    qm_slice *values;
    uint32_t n;
    QM_TRY(qm_sequence_values(cell, &f->r.arena, &values, &n));
    for (uint32_t i = 0; i < n; i++) QM_TRY(judge(f, field, values[i]));
  }
  return QM_OK;
}

/* ---- all records ---- */

static int take(void *payload, const qm_record_row *row) {
  finding *f = payload;
  const qm_record *record, *view;
  qm_record_class cls;
  qm_arena_reset(&f->r.arena);
  QM_TRY(qm__handle_decode(&f->r, row, &record));
  QM_TRY(qm__handle_class_of(&f->r, record, &cls, &view));
  if (qm_id_cmp(&cls.id, &row->id) != 0 || !qm_record_visible(view)) return QM_OK;
  f->cls = &cls;
  int rc = QM_OK;
  for (uint32_t i = 0; i < f->c->n_fields && rc == QM_OK; i++)
    if (f->concerns(&f->c->fields[i])) rc = f->look(f, &f->c->fields[i], view);
  f->cls = NULL;
  return rc;
}

static int look_at_space(finding *f, qm_db *db, qm_space *s) {
  const qm_schema *schema = qm_space_schema(s);
  qm_space_info info;
  int rc = QM_OK;
  qm_space_info_get(s, &info);
  if (!schema || !info.readable) return QM_OK;
  QM_TRY(qm__handle_reading(db, s, 0, &f->r));
  for (uint32_t i = 0; i < schema->n_collections && rc == QM_OK; i++) {
    int concerned = 0;
    f->c = &schema->collections[i];
    for (uint32_t k = 0; k < f->c->n_fields; k++) concerned |= f->concerns(&f->c->fields[k]);
    if (concerned)
      rc = db->store->ops->record_scan(db->store, qm__handle_number(s), f->c->number, NULL,
                                       SIZE_MAX >> 1, take, f);
  }
  qm__handle_reading_free(&f->r);
  return rc;
}

static int look_at_all(finding *f, qm_db *db, qm_slice space, qm_error *e) {
  qm_space *one = NULL;
  f->n = 0;
  QM_TRY(space.n ? qm__handle_space(db, space, &one, e) : QM_OK);
  if (one) return look_at_space(f, db, one);
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine); i++)
    QM_TRY(look_at_space(f, db, qm_engine_space_at(db->engine, i)));
  return QM_OK;
}

static int find(finding *f, const char *name, qm_db *db, qm_slice space, uint32_t limit,
                uint32_t offset, qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "%s: an argument is missing", name);
  f->from = offset;
  f->to = (uint64_t)offset + (!limit ? PAGE : limit > PAGE_MAX ? PAGE_MAX : limit);
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  f->out = &b;
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = look_at_all(f, db, space, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  qm__handle_put(&b, "{\"");
  qm__handle_put(&b, name);
  qm__handle_put(&b, "\":");
  qm__handle_put_u64(&b, f->n);
  qm__handle_put(&b, f->n > f->to ? ",\"more\":true}\n" : ",\"more\":false}\n");
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return e && e->code == rc ? rc : qm_fail(e, rc, "%s: %s", name, qm_err_text(rc));
}

int32_t qm_proposals(qm_db *db, qm_slice space, uint32_t limit, uint32_t offset, qm_text *out,
                     qm_error *e) {
  finding f = {.look = look_for_proposal, .concerns = has_steps};
  return find(&f, "proposals", db, space, limit, offset, out, e);
}

int32_t qm_unfit(qm_db *db, qm_slice space, uint32_t limit, uint32_t offset, qm_text *out,
                 qm_error *e) {
  finding f = {.look = look_for_unfit, .concerns = has_check};
  return find(&f, "unfit", db, space, limit, offset, out, e);
}
