/* Verbs of text and list fields: positions are those of what the writer was shown. */
#include <string.h>

#include "core/write_int.h"

/* What takes the place of the elements cut: text, or values. */
typedef struct filling {
  qm_field_type type;
  qm_slice text;
  size_t points; /* of the text */
  const qm_slice *values;
  uint32_t n;
} filling;

/* Positions are of the reading that the token is from; what this change wrote itself has
 * been seen by its writer. */
static int check_version(qm_write *w, const qm_target *t, const qm_id *record, uint32_t field,
                         const qm_cell *cell, qm_slice token) {
  uint64_t shown = 0;
  if (!token.n) return QM_OK;
  for (uint32_t i = 0; qm__write_touched(t->l) && i < w->change.n_ops; i++)
    if (w->change.ops[i].field == field && qm_id_cmp(&w->change.ops[i].record, record) == 0)
      return QM_OK;
  if (qm__token_version(&t->token, field, &shown) != QM_OK)
    return !cell || !qm_sequence_len(cell) ? QM_OK : QM_ESTALE;
  return shown == (cell ? qm_sequence_version(cell, &w->s->authors) : 0) ? QM_OK : QM_ESTALE;
}

/* One insert at a visible position; `value` is its op's. */
static int insert(qm_write *w, const qm_target *t, uint32_t field, uint64_t at, uint64_t span,
                  qm_slice value) {
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  const qm_cell *cell = qm_record_cell(&t->l->record, field, QM_SEQUENCE);
  qm_op op = {
      .field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_INSERT, .span = span, .value = value};
  QM_TRY(qm_sequence_place(cell ? cell : &empty, &w->s->authors, at, &op));
  return qm__write_op(w, t, op);
}

static int insert_text(qm_write *w, const qm_target *t, uint32_t field, uint64_t at,
                       const filling *in) {
  qm_buf b;
  qm_buf_init(&b, w->e->env, QM_VALUE_MAX);
  qm_mp_str(&b, in->text.p, in->text.n);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = insert(w, t, field, at, in->points, qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

/* How many of the values from p on fit one op. */
static uint32_t fitting(const qm_slice *p, uint32_t n) {
  size_t bytes = 5; /* the longest array header */
  uint32_t count = 0;
  while (count < n && (!count || bytes + p[count].n <= QM_VALUE_MAX)) bytes += p[count++].n;
  return count;
}

static int insert_values(qm_write *w, const qm_target *t, uint32_t field, uint64_t at,
                         const filling *in) {
  int rc = QM_OK;
  qm_buf b;
  qm_buf_init(&b, w->e->env, QM_VALUE_MAX);
  for (uint32_t i = 0, n; i < in->n && rc == QM_OK; i += n) {
    n = fitting(in->values + i, in->n - i);
    qm_buf_clear(&b);
    qm_mp_array(&b, n);
    for (uint32_t k = 0; k < n; k++) qm_mp_raw(&b, in->values[i + k]);
    rc = qm_buf_status(&b);
    if (rc == QM_OK) rc = insert(w, t, field, at + i, n, qm_buf_slice(&b));
  }
  qm_buf_free(&b);
  return rc;
}

/* Before anything is written: a verb that fails has no effect. */
static int check_filling(qm_write *w, const qm_target *t, filling *in) {
  if (t->field && !qm__write_raw(w) && t->field->type != in->type)
    return qm_fail(&w->error, QM_ESCHEMA, "%.*s: a field of another type", (int)t->field->name.n,
                   (const char *)t->field->name.p);
  if (!qm_utf8_check(in->text, &in->points)) return QM_EUTF8;
  if (in->text.n > QM_VALUE_MAX - 8) return QM_ELIMIT;
  for (uint32_t i = 0; i < in->n; i++) {
    QM_TRY(qm__write_check(w, t, in->values[i]));
    if (in->values[i].n >= QM_VALUE_MAX) return QM_ELIMIT; /* an op's value is an array of them */
  }
  return QM_OK;
}

static int splice(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                  filling in, qm_slice token) {
  qm_target t;
  QM_TRY(qm__write_target(w, record, field, QM_SEQUENCE, token, &t));
  const qm_cell *cell = qm_record_cell(&t.l->record, field, QM_SEQUENCE);
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  int fills = in.text.n || in.n;
  QM_TRY(check_filling(w, &t, &in));
  if (!qm__write_raw(w)) QM_TRY(check_version(w, &t, record, field, cell, token));
  uint64_t len = cell ? qm_sequence_len(cell) : 0;
  if (at == UINT64_MAX) at = len;
  if (at > len || cut > len - at)
    return qm_fail(&w->error, QM_ERANGE, "position beyond the end of the %s",
                   in.type == QM_FIELD_TEXT ? "text" : "list");
  if (cut || (qm__write_raw(w) && !fills)) {
    qm_op op = {.field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_CUT};
    QM_TRY(qm_sequence_cut(cell ? cell : &empty, qm__write_arena(w), at, cut, &op.cuts));
    QM_TRY(qm__write_op(w, &t, op));
  }
  if (in.text.n) return insert_text(w, &t, field, at, &in);
  return insert_values(w, &t, field, at, &in);
}

int qm_write_splice(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                    qm_slice text, qm_slice token) {
  const filling in = {.type = QM_FIELD_TEXT, .text = text};
  return qm__write_fail(w, splice(w, record, field, at, cut, in, token), "text");
}

int qm_write_list(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                  const qm_slice *values, uint32_t n, qm_slice token) {
  const filling in = {.type = QM_FIELD_LIST, .values = values, .n = n};
  return qm__write_fail(w, splice(w, record, field, at, cut, in, token), "list");
}
