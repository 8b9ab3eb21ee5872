#include "core/due.h"

#include <string.h>

#include "core/space.h"
#include "core/timestamp.h"

/* ---- without a record ---- */

const qm_limit_row *qm_limit_row_of(const qm_limit_def *l, const qm_slice *values) {
  for (uint32_t i = 0; i < l->n_rows; i++) {
    const qm_limit_row *row = &l->rows[i];
    uint32_t k = 0;
    while (row->values && k < l->n_by &&
           (!row->values[k].n || qm_slice_cmp(row->values[k], values[k]) == 0))
      k++;
    if (!row->values || k == l->n_by) return row;
  }
  return NULL;
}

static uint32_t extended(uint32_t amount, int64_t more) {
  if (more > QM_LIMIT_AMOUNT_MAX - (int64_t)amount) return QM_LIMIT_AMOUNT_MAX;
  return more < 1 - (int64_t)amount ? 1 : (uint32_t)(amount + more);
}

int qm_limit_deadline(const qm_schema *s, const qm_limit_def *l, int64_t start_ms,
                      const qm_slice *values, int64_t more, qm_due *out) {
  const qm_limit_row *row = qm_limit_row_of(l, values);
  const qm_calendar *c = qm_schema_calendar(s, l->calendar);
  if (!row) return QM_ENOTFOUND;
  out->start_ms = start_ms;
  out->offset = c ? c->offset : QM_OFFSET_DEFAULT;
  out->amount = extended(row->amount, more);
  out->unit = row->unit;
  return qm_calendar_deadline(c, start_ms, out->amount, (qm_unit)row->unit, &out->deadline);
}

/* ---- of a record ---- */

typedef struct reading {
  const qm_space *s;
  const qm_collection_def *c;
  const qm_limit_def *l;
  const qm_record *r;
  qm_arena *arena;
} reading;

static int contest_of(const reading *x, const qm_field_def *f, qm_contest *out) {
  return qm_read_contest(x->s, f, qm_record_cell(x->r, f->number, QM_SIBLINGS), x->arena, out);
}

/* What a siblings field shows; empty where it shows nothing, or nil. */
static int shown_value(const reading *x, const qm_field_def *f, qm_slice *out) {
  qm_contest contest;
  qm_mp_type type;
  qm_cur c;
  *out = qm_slice_of(NULL, 0);
  QM_TRY(contest_of(x, f, &contest));
  if (!contest.shown || !contest.shown->value.n) return QM_OK;
  qm_cur_init(&c, contest.shown->value);
  if (qm_cur_peek(&c, &type) == QM_OK && type != QM_MP_NIL) *out = contest.shown->value;
  return QM_OK;
}

/* 1 where the state is in no final item. */
static int is_running(const reading *x, const qm_field_def *f, qm_due *out, int *running) {
  qm_slice value;
  qm_cur c;
  uint32_t item;
  *running = 1;
  QM_TRY(shown_value(x, f, &value));
  qm_cur_init(&c, value);
  if (!value.n || qm_cur_str(&c, &out->state) != QM_OK) return QM_OK;
  if (qm_field_item(f, value, &item) != QM_OK) return QM_OK; /* of a newer schema */
  *running = !qm_field_final(f, item);
  for (uint32_t i = 0; i < x->l->n_pauses; i++) out->paused |= x->l->pauses[i] == item;
  return QM_OK;
}

static int64_t time_of(const reading *x, qm_dot dot, qm_time own) {
  return (int64_t)qm_time_ms(qm_space_effective(x->s, dot, own));
}

/* A date begins at midnight of the calendar. */
static int start_of_value(const reading *x, const qm_field_def *f, int64_t *out) {
  const qm_calendar *calendar = qm_schema_calendar(qm_space_schema(x->s), x->l->calendar);
  int32_t day, offset = calendar ? calendar->offset : QM_OFFSET_DEFAULT;
  qm_slice value, text;
  qm_cur c;
  QM_TRY(shown_value(x, f, &value));
  if (!value.n) return QM_ENOTFOUND;
  qm_cur_init(&c, value);
  if (f->value == QM_VALUE_INT) return qm_cur_int(&c, out) == QM_OK ? QM_OK : QM_ENOTFOUND;
  if (qm_cur_str(&c, &text) != QM_OK || !qm_date_parse(text, &day)) return QM_ENOTFOUND;
  *out = day * QM_DAY_MS - offset * INT64_C(60000);
  return QM_OK;
}

static int start_of(const reading *x, int64_t *out) {
  const qm_field_def *f = qm_collection_field(x->c, x->l->start);
  qm_contest contest;
  if (!f) return QM_ENOTFOUND;
  if (f->type == QM_FIELD_LOG) {
    const qm_cell *cell = qm_record_cell(x->r, f->number, QM_ENTRIES);
    const qm_entries *v = cell ? qm_entries_of(cell) : NULL;
    if (!v || !v->n) return QM_ENOTFOUND;
    *out = time_of(x, v->p[0].dot, v->p[0].time);
    return QM_OK;
  }
  if (f->type != QM_FIELD_STATE) return start_of_value(x, f, out);
  QM_TRY(contest_of(x, f, &contest));
  if (!contest.shown) return QM_ENOTFOUND;
  *out = (int64_t)qm_time_ms(contest.effective);
  return QM_OK;
}

static int extension_of(const reading *x, int64_t *out) {
  const qm_field_def *f = x->l->extend ? qm_collection_field(x->c, x->l->extend) : NULL;
  qm_slice value;
  qm_cur c;
  *out = 0;
  if (!f) return QM_OK;
  if (f->type == QM_FIELD_COUNTER) {
    const qm_cell *cell = qm_record_cell(x->r, f->number, QM_TOTALS);
    if (cell && qm_totals_sum(qm_totals_of(cell), out) != QM_OK) *out = 0;
    return QM_OK;
  }
  QM_TRY(shown_value(x, f, &value));
  qm_cur_init(&c, value);
  if (!value.n || qm_cur_int(&c, out) != QM_OK) *out = 0;
  return QM_OK;
}

static int values_of(const reading *x, qm_slice values[QM_LIMIT_FIELDS_MAX]) {
  for (uint32_t i = 0; i < x->l->n_by; i++) {
    const qm_field_def *f = qm_collection_field(x->c, x->l->by[i]);
    values[i] = qm_slice_of(NULL, 0);
    if (f) QM_TRY(shown_value(x, f, &values[i]));
  }
  return QM_OK;
}

int qm_due_read(const qm_space *s, const qm_collection_def *c, const qm_limit_def *l,
                const qm_record *r, qm_arena *arena, qm_due *out) {
  const reading x = {s, c, l, r, arena};
  const qm_field_def *state = qm_collection_field(c, l->state);
  qm_slice values[QM_LIMIT_FIELDS_MAX];
  int64_t start = 0, more = 0;
  int running = 0;
  memset(out, 0, sizeof *out);
  if (!state || !qm_space_schema(s)) return QM_ENOTFOUND;
  QM_TRY(is_running(&x, state, out, &running));
  if (!running) return QM_ENOTFOUND;
  QM_TRY(start_of(&x, &start));
  QM_TRY(extension_of(&x, &more));
  QM_TRY(values_of(&x, values));
  int rc = qm_limit_deadline(qm_space_schema(s), l, start, values, more, out);
  return rc == QM_ERANGE || rc == QM_EINVAL ? QM_ENOTFOUND : rc;
}
