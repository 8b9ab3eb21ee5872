/* Limits on time of a collection (S23.3): their MessagePack form and what is refused of them.
 *
 *   limit = [name, start, state, [by…], [row…] | calendar (""), extend (0), [pause…] (none),
 *            label_zh (""), label_en ("")]
 *   row   = [amount, unit | [value…] (none: any)]           nil: any value of that field */
#include <stdio.h>

#include "core/schema_internal.h"

#define LIMIT_FIXED 5u
#define LIMIT_ALL 10u
#define ROW_FIXED 2u
#define ROW_ALL 3u

/* ---- the form ---- */

static const uint32_t *read_numbers(qm_cur *c, uint32_t most, uint32_t *n, qm_arena *arena) {
  uint32_t *list = qm__schema_list(c, most, sizeof *list, n, arena);
  for (uint32_t i = 0; i < *n && c->status == QM_OK; i++) (void)qm_cur_uint32(c, &list[i]);
  return list;
}

static const qm_slice *read_values(qm_cur *c, uint32_t n_by, qm_arena *arena) {
  uint32_t n;
  qm_mp_type type;
  qm_slice *list = qm__schema_list(c, QM_LIMIT_FIELDS_MAX, sizeof *list, &n, arena);
  if (c->status == QM_OK && n != n_by) (void)qm_cur_fail(c, QM_EFORMAT);
  for (uint32_t i = 0; i < n && c->status == QM_OK; i++) {
    if (qm_cur_peek(c, &type) == QM_OK && type == QM_MP_NIL) (void)qm_cur_nil(c);
    else (void)qm_cur_value(c, QM_VALUE_DEPTH, &list[i]);
  }
  return list;
}

static void read_rows(qm_cur *c, qm_limit_def *l, qm_arena *arena) {
  qm_limit_row *rows = qm__schema_list(c, QM_LIMIT_ROWS_MAX, sizeof *rows, &l->n_rows, arena);
  for (uint32_t i = 0; i < l->n_rows && c->status == QM_OK; i++) {
    uint32_t unit, n = qm__schema_object(c, ROW_FIXED, ROW_ALL);
    (void)qm_cur_uint32(c, &rows[i].amount);
    (void)qm_cur_uint32(c, &unit);
    if (unit > UINT8_MAX) (void)qm_cur_fail(c, QM_ERANGE);
    rows[i].unit = (uint8_t)unit;
    if (n > 2) rows[i].values = read_values(c, l->n_by, arena);
  }
  l->rows = rows;
}

static void read_limit(qm_cur *c, qm_limit_def *l, qm_arena *arena) {
  uint32_t n = qm__schema_object(c, LIMIT_FIXED, LIMIT_ALL);
  (void)qm_cur_str(c, &l->name);
  (void)qm_cur_uint32(c, &l->start);
  (void)qm_cur_uint32(c, &l->state);
  l->by = read_numbers(c, QM_LIMIT_FIELDS_MAX, &l->n_by, arena);
  read_rows(c, l, arena);
  if (n > 5) (void)qm_cur_str(c, &l->calendar);
  if (n > 6) (void)qm_cur_uint32(c, &l->extend);
  if (n > 7) l->pauses = read_numbers(c, QM_SCHEMA_ITEMS_MAX, &l->n_pauses, arena);
  if (n > 8) (void)qm_cur_str(c, &l->label_zh);
  if (n > 9) (void)qm_cur_str(c, &l->label_en);
}

void qm__limits_read(qm_cur *c, qm_collection_def *d, qm_arena *arena) {
  qm_limit_def *list =
      qm__schema_list(c, QM_SCHEMA_LIMITS_MAX, sizeof *list, &d->n_limits, arena);
  for (uint32_t i = 0; i < d->n_limits && c->status == QM_OK; i++) read_limit(c, &list[i], arena);
  d->limits = list;
}

static void put_numbers(qm_buf *out, const uint32_t *list, uint32_t n) {
  qm_mp_array(out, n);
  for (uint32_t i = 0; i < n; i++) qm_mp_uint(out, list[i]);
}

static int is_particular(const qm_limit_def *l, const qm_limit_row *r) {
  for (uint32_t i = 0; r->values && i < l->n_by; i++)
    if (r->values[i].n) return 1;
  return 0;
}

static void put_row(qm_buf *out, const qm_limit_def *l, const qm_limit_row *r) {
  int particular = is_particular(l, r);
  qm_mp_array(out, particular ? ROW_ALL : ROW_FIXED);
  qm_mp_uint(out, r->amount);
  qm_mp_uint(out, r->unit);
  if (!particular) return;
  qm_mp_array(out, l->n_by);
  for (uint32_t i = 0; i < l->n_by; i++) {
    if (r->values[i].n) qm_mp_raw(out, r->values[i]);
    else qm_mp_nil(out);
  }
}

static void put_limit(qm_buf *out, const qm_limit_def *l) {
  size_t n = l->label_en.n   ? 10
             : l->label_zh.n ? 9
             : l->n_pauses   ? 8
             : l->extend     ? 7
             : l->calendar.n ? 6
                             : LIMIT_FIXED;
  qm_mp_array(out, n);
  qm_mp_str(out, l->name.p, l->name.n);
  qm_mp_uint(out, l->start);
  qm_mp_uint(out, l->state);
  put_numbers(out, l->by, l->n_by);
  qm_mp_array(out, l->n_rows);
  for (uint32_t i = 0; i < l->n_rows; i++) put_row(out, l, &l->rows[i]);
  if (n > 5) qm_mp_str(out, l->calendar.p, l->calendar.n);
  if (n > 6) qm_mp_uint(out, l->extend);
  if (n > 7) put_numbers(out, l->pauses, l->n_pauses);
  if (n > 8) qm_mp_str(out, l->label_zh.p, l->label_zh.n);
  if (n > 9) qm_mp_str(out, l->label_en.p, l->label_en.n);
}

void qm__limits_put(qm_buf *out, const qm_collection_def *d) {
  qm_mp_array(out, d->n_limits);
  for (uint32_t i = 0; i < d->n_limits; i++) put_limit(out, &d->limits[i]);
}

/* ---- what is refused ---- */

/* What stands in the tables in the clear says when it is due. */
static int is_open(const qm_field_def *f) {
  return f && f->cls != QM_CLASS_SENSITIVE && !(f->flags & QM_FIELD_SEALED);
}

static int is_single(const qm_field_def *f) {
  return f->type == QM_FIELD_REGISTER || f->type == QM_FIELD_MAX || f->type == QM_FIELD_MIN;
}

static const char *check_fields(const qm_collection_def *d, const qm_limit_def *l) {
  const qm_field_def *start = qm_collection_field(d, l->start);
  const qm_field_def *state = qm_collection_field(d, l->state);
  const qm_field_def *extend = qm_collection_field(d, l->extend);
  if (!is_open(start)) return "start is no field of this collection, or a sensitive or sealed one";
  int timed = is_single(start) && (start->value == QM_VALUE_DATE || start->value == QM_VALUE_INT);
  if (!timed && start->type != QM_FIELD_LOG && start->type != QM_FIELD_STATE)
    return "start must be a date, an int of milliseconds, a log or a state";
  if (!is_open(state) || state->type != QM_FIELD_STATE) return "state must be a state field";
  if (l->extend && (!is_open(extend) ||
                    !(extend->type == QM_FIELD_COUNTER ||
                      (is_single(extend) && extend->value == QM_VALUE_INT))))
    return "extend must be a counter or an int";
  for (uint32_t i = 0; i < l->n_pauses; i++) {
    if (l->pauses[i] >= state->n_items) return "pauses must be items of the state";
    if (i && l->pauses[i] <= l->pauses[i - 1]) return "pauses must rise and stand once";
    if (qm_field_final(state, l->pauses[i])) return "a final state ends the limit: no pause";
  }
  return NULL;
}

static const char *check_by(const qm_collection_def *d, const qm_limit_def *l) {
  for (uint32_t i = 0; i < l->n_by; i++) {
    const qm_field_def *f = qm_collection_field(d, l->by[i]);
    if (!is_open(f)) return "by names no field of this collection, or a sensitive or sealed one";
    int kind = f->value == QM_VALUE_TEXT || f->value == QM_VALUE_INT ||
               f->value == QM_VALUE_BOOL || f->value == QM_VALUE_ENUM;
    if (!kind || (!is_single(f) && f->type != QM_FIELD_STATE))
      return "by takes single fields of text, int, bool and enum";
    for (uint32_t k = 0; k < i; k++)
      if (l->by[k] == l->by[i]) return "by names a field twice";
  }
  return NULL;
}

static const char *check_row(const qm_schema *s, const qm_collection_def *d,
                             const qm_limit_def *l, const qm_limit_row *r) {
  if (!r->amount || r->amount > QM_LIMIT_AMOUNT_MAX) return "a limit is 1 to 10000 units";
  if (r->unit < QM_UNIT_HOURS || r->unit > QM_UNIT_WORKING_DAYS) return "no such unit";
  if (r->unit != QM_UNIT_HOURS && !qm_schema_calendar(s, l->calendar))
    return "this unit needs a calendar of the schema";
  for (uint32_t i = 0; r->values && i < l->n_by; i++)
    if (r->values[i].n &&
        qm_field_value_check(qm_collection_field(d, l->by[i]), r->values[i], NULL) != QM_OK)
      return "a value does not fit its field";
  return NULL;
}

static const char *check_limit(const qm_schema *s, const qm_collection_def *d, uint32_t at) {
  const qm_limit_def *l = &d->limits[at];
  if (!qm__schema_name_ok(l->name)) return "the name is not well-formed";
  if (!qm__schema_labels_ok(l->label_zh, l->label_en)) return "a label is not well-formed";
  for (uint32_t i = 0; i < at; i++)
    if (qm__same(d->limits[i].name, l->name)) return "the name is used by another limit";
  if (l->n_by > QM_LIMIT_FIELDS_MAX) return "by takes at most 4 fields";
  if (!l->n_rows || l->n_rows > QM_LIMIT_ROWS_MAX) return "needs 1 to 1024 rows";
  if (l->calendar.n && !qm_schema_calendar(s, l->calendar))
    return "the calendar is none of this schema";
  const char *why = check_fields(d, l);
  return why ? why : check_by(d, l);
}

int qm__limits_check(const qm_schema *s, const qm_collection_def *d, char place[QM__RULE_PLACE],
                     const char **why) {
  place[0] = '\0';
  *why = "more than 8 limits";
  if (d->n_limits > QM_SCHEMA_LIMITS_MAX) return QM_ESCHEMA;
  for (uint32_t i = 0; i < d->n_limits; i++) {
    (void)snprintf(place, QM__RULE_PLACE, ".limits[%u]", (unsigned)i);
    if ((*why = check_limit(s, d, i))) return QM_ESCHEMA;
    for (uint32_t k = 0; k < d->limits[i].n_rows; k++) {
      if (!(*why = check_row(s, d, &d->limits[i], &d->limits[i].rows[k]))) continue;
      (void)snprintf(place, QM__RULE_PLACE, ".limits[%u].rows[%u]", (unsigned)i, (unsigned)k);
      return QM_ESCHEMA;
    }
  }
  return QM_OK;
}

/* ---- comparing ---- */

static int numbers_differ(const uint32_t *a, uint32_t n, const uint32_t *b, uint32_t m) {
  if (n != m) return 1;
  for (uint32_t i = 0; i < n; i++)
    if (a[i] != b[i]) return 1;
  return 0;
}

static qm_slice value_at(const qm_limit_row *r, uint32_t i) {
  return r->values ? r->values[i] : qm_slice_of(NULL, 0);
}

static int rows_differ(const qm_limit_def *a, const qm_limit_def *b) {
  if (a->n_rows != b->n_rows) return 1;
  for (uint32_t i = 0; i < a->n_rows; i++) {
    const qm_limit_row *x = &a->rows[i], *y = &b->rows[i];
    if (x->amount != y->amount || x->unit != y->unit) return 1;
    for (uint32_t k = 0; k < a->n_by; k++)
      if (!qm__same(value_at(x, k), value_at(y, k))) return 1;
  }
  return 0;
}

static int limit_differs(const qm_limit_def *a, const qm_limit_def *b) {
  return !qm__same(a->name, b->name) || !qm__same(a->label_zh, b->label_zh) ||
         !qm__same(a->label_en, b->label_en) || !qm__same(a->calendar, b->calendar) ||
         a->start != b->start || a->state != b->state || a->extend != b->extend ||
         numbers_differ(a->by, a->n_by, b->by, b->n_by) ||
         numbers_differ(a->pauses, a->n_pauses, b->pauses, b->n_pauses) || rows_differ(a, b);
}

int qm__limits_differ(const qm_collection_def *a, const qm_collection_def *b) {
  if (a->n_limits != b->n_limits) return 1;
  for (uint32_t i = 0; i < a->n_limits; i++)
    if (limit_differs(&a->limits[i], &b->limits[i])) return 1;
  return 0;
}
