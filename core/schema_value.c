/* Values and ops against a schema. Messages name the field and the reason, never
 * the value. */
#include <string.h>

#include "core/reason.h"
#include "core/schema_internal.h"

#define ID_SIZE 16u

qm_shape_id qm_field_shape(const qm_field_def *f) {
  switch (f->type) {
    case QM_FIELD_SET: return QM_KEYED;
    case QM_FIELD_COUNTER: return QM_TOTALS;
    case QM_FIELD_LOG: return QM_ENTRIES;
    case QM_FIELD_TEXT:
    case QM_FIELD_LIST: return QM_SEQUENCE;
    default: return QM_SIBLINGS;
  }
}

static int refuse(const qm_field_def *f, qm_error *e, qm_reason why) {
  return qm_reason_fail(e, f->name, why, qm_slice_of(NULL, 0));
}

static int item_named(const qm_field_def *f, qm_slice name, uint32_t *index) {
  for (uint32_t i = 0; i < f->n_items; i++) {
    if (!qm__same(f->items[i].name, name)) continue;
    if (index) *index = i;
    return QM_OK;
  }
  return QM_ENOTFOUND;
}

int qm_field_item(const qm_field_def *f, qm_slice value, uint32_t *index) {
  qm_cur c;
  qm_slice name;
  qm_cur_init(&c, value);
  if (qm_field_proposed(f, value)) (void)qm_cur_array_n(&c, 1);
  if (qm_cur_str(&c, &name) || qm_cur_end(&c)) return QM_ENOTFOUND;
  return item_named(f, name, index);
}

int qm_field_transition(const qm_field_def *f, uint32_t from, uint32_t to) {
  if (from >= f->n_items || to >= f->n_items) return 0;
  if (f->n_transitions == 0 || from == to) return 1;
  for (uint32_t i = 0; i < f->n_transitions; i++) {
    if (f->transitions[i].from == from && f->transitions[i].to == to) return 1;
  }
  return 0;
}

static int is_date(qm_slice s) {
  int32_t day;
  return qm_date_parse(s, &day);
}

int qm_field_final(const qm_field_def *f, uint32_t item) {
  int any = 0;
  int32_t greatest = INT32_MIN;
  for (uint32_t i = 0; i < f->n_items; i++) {
    int on = !f->n_transitions;
    for (uint32_t k = 0; k < f->n_transitions; k++) on |= f->transitions[k].from == i;
    if (i == item && !on) return 1;
    any |= !on;
    if (f->items[i].rank > greatest) greatest = f->items[i].rank;
  }
  return item < f->n_items && !any && f->items[item].rank == greatest;
}

/* A record id: 16 bytes, not the space record's. */
static int is_id(const qm_mp_token *t, int zero_too) {
  static const uint8_t zero[ID_SIZE];
  if (t->type != QM_MP_BIN || t->span.n != ID_SIZE) return 0;
  return zero_too || memcmp(t->span.p, zero, ID_SIZE) != 0;
}

static int is_space_ref(qm_slice value) {
  qm_cur c;
  qm_mp_token space, record;
  qm_cur_init(&c, value);
  if (qm_cur_array_n(&c, 2) || qm_cur_token(&c, &space) || qm_cur_token(&c, &record)) return 0;
  return is_id(&space, 1) && is_id(&record, 0);
}

static int check_text(const qm_field_def *f, const qm_mp_token *t, qm_error *e) {
  size_t codepoints = 0;
  if (t->type != QM_MP_STR) return refuse(f, e, QM_REASON_TEXT);
  (void)qm_utf8_check(t->span, &codepoints);
  if (f->length_max && codepoints > f->length_max) return refuse(f, e, QM_REASON_LENGTH);
  return QM_OK;
}

static int check_item(const qm_field_def *f, qm_slice value, const qm_mp_token *t, qm_error *e) {
  uint32_t i;
  if (qm_field_proposed(f, value)) {
    if (qm_field_item(f, value, &i)) return refuse(f, e, QM_REASON_ITEM);
    return f->items[i].n_confirm ? QM_OK : refuse(f, e, QM_REASON_NOT_PROPOSED);
  }
  if (t->type != QM_MP_STR) return refuse(f, e, QM_REASON_ITEM_TEXT);
  if (item_named(f, t->span, NULL)) return refuse(f, e, QM_REASON_ITEM);
  return QM_OK;
}

static int fit(int fits, const qm_field_def *f, qm_error *e, qm_reason why) {
  return fits ? QM_OK : refuse(f, e, why);
}

static int check_kind(const qm_field_def *f, qm_slice value, const qm_mp_token *t, qm_error *e) {
  int is_int = t->type == QM_MP_UINT || t->type == QM_MP_NINT;
  int is_point = t->type == QM_MP_EXT && t->ext == QM_EXT_POINT;
  switch (f->value) {
    case QM_VALUE_ANY: return QM_OK;
    case QM_VALUE_TEXT: return check_text(f, t, e);
    case QM_VALUE_INT: return fit(is_int, f, e, QM_REASON_INT);
    case QM_VALUE_NUMBER:
      return fit(is_int || t->type == QM_MP_F64, f, e, QM_REASON_NUMBER);
    case QM_VALUE_BOOL: return fit(t->type == QM_MP_BOOL, f, e, QM_REASON_BOOL);
    case QM_VALUE_BYTES: return fit(t->type == QM_MP_BIN, f, e, QM_REASON_BYTES);
    case QM_VALUE_POINT: return fit(is_point, f, e, QM_REASON_POINT);
    case QM_VALUE_ENUM: return check_item(f, value, t, e);
    case QM_VALUE_DATE:
      return fit(t->type == QM_MP_STR && is_date(t->span), f, e,
                 QM_REASON_DATE);
    case QM_VALUE_REF: return fit(is_id(t, 0), f, e, QM_REASON_REF);
    case QM_VALUE_SPACE_REF:
      return fit(is_space_ref(value), f, e, QM_REASON_SPACE_REF);
    case QM_VALUE_MAP: return fit(t->type == QM_MP_MAP, f, e, QM_REASON_MAP);
    default: return refuse(f, e, QM_REASON_KIND);
  }
}

static int check_nil(const qm_field_def *f, qm_error *e) {
  int clears = f->type == QM_FIELD_REGISTER || f->type == QM_FIELD_MAX || f->type == QM_FIELD_MIN ||
               f->type == QM_FIELD_REF;
  if (!clears) return refuse(f, e, QM_REASON_NIL);
  if (f->flags & QM_FIELD_REQUIRED) return refuse(f, e, QM_REASON_REQUIRED);
  return QM_OK;
}

int qm_field_value_check(const qm_field_def *f, qm_slice value, qm_error *e) {
  int rc = qm_value_check(value);
  if (rc) {
    return qm_fail(e, rc, "field %.*s: %s", qm__width(f->name), qm__chars(f->name),
                   qm_err_text(rc));
  }
  return qm__field_value_fits(f, value, e);
}

int qm__field_value_fits(const qm_field_def *f, qm_slice value, qm_error *e) {
  qm_mp_token t;
  qm_cur c;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  if (t.type == QM_MP_EXT && t.ext != QM_EXT_POINT) {
    return f->flags & QM_FIELD_SEALED ? QM_OK : refuse(f, e, QM_REASON_SEALED);
  }
  if (t.type == QM_MP_NIL) return check_nil(f, e);
  return check_kind(f, value, &t, e);
}

/* op_check has seen that it is text or an array of well-formed values. */
static int check_insert(const qm_field_def *f, qm_slice value, qm_error *e) {
  qm_cur c;
  qm_mp_token t;
  qm_slice element;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  if (f->type == QM_FIELD_TEXT) {
    return t.type == QM_MP_STR ? QM_OK : refuse(f, e, QM_REASON_TEXT_ONLY);
  }
  if (t.type != QM_MP_ARRAY) return refuse(f, e, QM_REASON_LIST_ONLY);
  for (uint64_t i = 0; i < t.u; i++) {
    QM_TRY(qm_cur_value(&c, QM_VALUE_DEPTH, &element));
    QM_TRY(qm_field_value_check(f, element, e));
  }
  return QM_OK;
}

/* The field as the widest newer schema could have it. */
static void widen(const qm_field_def *f, qm_field_def *out) {
  *out = *f;
  out->length_max = 0;
  out->flags &= (uint8_t)~QM_FIELD_REQUIRED;
  if (qm_field_shape(f) == QM_SIBLINGS || f->type == QM_FIELD_LOG) out->flags |= QM_FIELD_SEALED;
  if (f->value != QM_VALUE_ENUM) return;
  out->value = QM_VALUE_TEXT;
  out->length_max = QM_NAME_MAX;
}

static int check_op(const qm_schema *s, uint32_t collection, const qm_op *op, int newer,
                    qm_error *e) {
  qm_field_def wide;
  if (op->shape == QM_PRESENCE || op->field == 0) return QM_OK;
  const qm_collection_def *c = qm_schema_collection(s, collection);
  const qm_field_def *f = c ? qm_collection_field(c, op->field) : NULL;
  if (!f) return QM_OK;
  if (newer) {
    if (f->type == QM_FIELD_STATE && qm_field_proposed(f, op->value)) return QM_OK;
    widen(f, &wide);
    f = &wide;
  }
  if (op->shape != qm_field_shape(f)) return refuse(f, e, QM_REASON_OP);
  /* An op without a value (remove, cut, trim, erased) says nothing a schema judges. */
  if (op->value.n == 0) return QM_OK;
  if (op->shape == QM_TOTALS) return QM_OK;
  if (op->shape == QM_SEQUENCE) return check_insert(f, op->value, e);
  return qm_field_value_check(f, op->value, e);
}

int qm_schema_op_check(const qm_schema *s, uint32_t collection, const qm_op *op, qm_error *e) {
  return check_op(s, collection, op, 0, e);
}

int qm_schema_op_check_newer(const qm_schema *s, uint32_t collection, const qm_op *op,
                             qm_error *e) {
  return check_op(s, collection, op, 1, e);
}
