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

static int wrote_field(const qm_write *w, const qm_target *t, uint32_t field) {
  for (uint32_t i = 0; i < w->change.n_ops; i++)
    if (w->change.ops[i].field == field && qm_class_has(&t->cls, &w->change.ops[i].record))
      return 1;
  return 0;
}

/* Positions are of the reading that the token is from; what this change wrote itself has
 * been seen by its writer. */
static int check_version(qm_write *w, const qm_target *t, uint32_t field) {
  const qm_record *view;
  uint64_t shown = 0;
  if (!t->has_token || wrote_field(w, t, field)) return QM_OK;
  QM_TRY(qm_class_view(&t->cls, &w->s->authors, field, qm__write_arena(w), &view));
  uint64_t now = qm__token_text(view, field, &w->s->authors);
  (void)qm__token_version(&t->token, field, &shown);
  return shown == now ? QM_OK : QM_ESTALE;
}

/* Of a class: the member whose text or list it goes into, and where there. */
typedef struct place {
  const qm_record *member;
  uint64_t at;
} place;

/* One insert at a visible position of the member; `value` is its op's. */
static int insert(qm_write *w, const qm_target *t, const place *p, uint32_t field, uint64_t at,
                  uint64_t span, qm_slice value) {
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  const qm_cell *cell = qm_record_cell(p->member, field, QM_SEQUENCE);
  qm_op op = {
      .field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_INSERT, .span = span, .value = value};
  QM_TRY(qm_sequence_place(cell ? cell : &empty, &w->s->authors, at, &op));
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit_on(w, t, p->member, op);
}

static int insert_text(qm_write *w, const qm_target *t, const place *p, uint32_t field,
                       const filling *in) {
  qm_buf b;
  qm_buf_init(&b, w->e->env, QM_VALUE_MAX);
  qm_mp_str(&b, in->text.p, in->text.n);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = insert(w, t, p, field, p->at, in->points, qm_buf_slice(&b));
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

static int insert_values(qm_write *w, const qm_target *t, const place *p, uint32_t field,
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
    if (rc == QM_OK) rc = insert(w, t, p, field, p->at + i, n, qm_buf_slice(&b));
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

static uint64_t len_of(const qm_record *r, uint32_t field) {
  const qm_cell *cell = qm_record_cell(r, field, QM_SEQUENCE);
  return cell ? qm_sequence_len(cell) : 0;
}

static int cut_from(qm_write *w, const qm_target *t, const qm_record *member, uint32_t field,
                    uint64_t at, uint64_t cut) {
  const qm_cell *cell = qm_record_cell(member, field, QM_SEQUENCE);
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  qm_op op = {.field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_CUT};
  QM_TRY(qm_sequence_cut(cell ? cell : &empty, qm__write_arena(w), at, cut, &op.cuts));
  return qm__write_emit_on(w, t, member, op);
}

/* S3.19: positions are those of the class, its members' elements one after the other. What
 * is cut is cut where it stands; what is inserted goes where its left neighbour stands, at
 * the start into the first that is not empty, and where all are empty to the member that
 * writes go to. *into: that place, once the cut is made. */
static int cut_class(qm_write *w, const qm_target *t, uint32_t field, uint64_t at, uint64_t cut,
                     place *into) {
  uint64_t start = 0;
  int found = 0;
  *into = (place){&t->l->record, 0};
  for (uint32_t i = 0; i < t->cls.n; i++) {
    const qm_record *r = t->cls.members[i];
    uint64_t len = len_of(r, field), end = start + len;
    if (len && (!found || at > start)) *into = (place){r, at - start}, found = 1;
    uint64_t from = at > start ? at : start, to = at + cut < end ? at + cut : end;
    if (from < to) QM_TRY(cut_from(w, t, r, field, from - start, to - from));
    start = end;
  }
  return QM_OK;
}

static int splice(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                  filling in, qm_slice token) {
  qm_target t;
  place into;
  uint64_t len = 0;
  QM_TRY(qm__write_target_field(w, record, field, QM_SEQUENCE, token, &t));
  int fills = in.text.n || in.n;
  QM_TRY(check_filling(w, &t, &in));
  if (!qm__write_raw(w)) QM_TRY(check_version(w, &t, field));
  for (uint32_t i = 0; i < t.cls.n; i++) len += len_of(t.cls.members[i], field);
  if (at == UINT64_MAX) at = len;
  if (at > len || cut > len - at)
    return qm_fail(&w->error, QM_ERANGE, "position beyond the end of the %s",
                   in.type == QM_FIELD_TEXT ? "text" : "list");
  /* A replayed effect of nothing is an effect. */
  if (!cut && !fills && qm__write_raw(w)) return cut_from(w, &t, &t.l->record, field, at, 0);
  QM_TRY(cut_class(w, &t, field, at, cut, &into));
  if (in.text.n) return insert_text(w, &t, &into, field, &in);
  return insert_values(w, &t, &into, field, &in);
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
