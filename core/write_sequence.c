/* Verbs of text and list fields: positions are those of what the writer was shown. */
#include <string.h>

#include "core/mp_put.h"
#include "core/write_int.h"

#define CUTS_MAX 1024u /* ranges of a cut that is being typed */

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

/* One insert at a visible position of the member; `value` is its op's. */
static int insert(qm_write *w, const qm_target *t, const qm_record *member, uint32_t field,
                  uint64_t at, uint64_t span, qm_slice value) {
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  const qm_cell *cell = qm_record_cell(member, field, QM_SEQUENCE);
  qm_op op = {
      .field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_INSERT, .span = span, .value = value};
  QM_TRY(qm_sequence_place(cell ? cell : &empty, &w->s->authors, at, &op));
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit_on(w, t, member, op);
}

/* --- typing --- */

/* In the change's memory; n is below QM_VALUE_MAX. */
static int typed_value(qm_write *w, const uint8_t *text, size_t n, qm_slice *out) {
  uint8_t *p = qm_arena_alloc(qm__write_arena(w), QM__PUT_STR + n);
  if (!p) return QM_ENOMEM;
  *out = qm_slice_of(p, (size_t)(qm__put_str(p, text, n) - p));
  return QM_OK;
}

int qm__write_typed(qm_write *w) {
  qm_typing *y = &w->typing;
  if (!y->insert) return QM_OK;
  QM_TRY(typed_value(w, y->text, y->n, &w->change.ops[y->insert - 1].value));
  y->insert = 0;
  return QM_OK;
}

static int keep_text(qm_write *w, qm_slice text) {
  qm_typing *y = &w->typing;
  if (y->cap - y->n < text.n) {
    size_t cap = (y->n + text.n) * 2 + 32;
    y->text = qm_arena_grow(qm__write_arena(w), y->text, y->cap, cap, 1);
    if (!y->text) return QM_ENOMEM;
    y->cap = cap;
  }
  memcpy(y->text + y->n, text.p, text.n);
  y->n += text.n;
  return QM_OK;
}

/* Is the change's last op an edit of this text, made without a token? */
static int is_typing(const qm_write *w, const qm_id *record, uint32_t field) {
  const qm_typing *y = &w->typing;
  return y->ops && y->ops == w->change.n_ops && y->field == field && !w->broken &&
         memcmp(y->t.l->record.id.b, record->b, sizeof record->b) == 0;
}

/* Lets a part of the last op take effect that it did not have before. */
static int apply_more(qm_write *w, const qm_op *op, uint64_t counters) {
  qm_author_state *st = &w->s->states[w->s->own];
  qm_apply a = {&w->s->authors, &st->clock, &w->change, &w->e->records};
  QM_TRY(qm_record_apply(&w->typing.t.l->record, &a, op)); /* a text keeps what it is given */
  w->typing.t.l->bytes += 32 + op->value.n + 16u * op->cuts.n;
  if (w->typing.t.l->bytes > QM_RECORD_MAX / 2) w->e->whole = 1;
  w->change.next += counters;
  st->clock.next[w->s->own] = w->change.next;
  return QM_OK;
}

/* *done: the last op is an insert that ends where this one hangs. */
static int type_on(qm_write *w, const filling *in, qm_op *op, int *done) {
  qm_typing *y = &w->typing;
  uint8_t value[2] = {0xa1, 0};
  *done = y->insert && y->insert == w->change.n_ops && !(op->flags & (QM_OP_LEFT | QM_OP_ROOT)) &&
          op->parent.author == w->change.author && op->parent.counter + 1 == w->change.next &&
          y->n + in->text.n <= QM_VALUE_MAX - 8;
  if (!*done) return QM_OK;
  QM_TRY(keep_text(w, in->text));
  op->counter = w->change.next;
  op->span = in->points;
  if (in->text.n == 1) { /* a key on its own needs no memory but the text's */
    value[1] = in->text.p[0];
    op->value = qm_slice_of(value, 2);
  } else {
    QM_TRY(typed_value(w, in->text.p, in->text.n, &op->value));
  }
  w->change.ops[y->insert - 1].span += in->points;
  return apply_more(w, op, in->points);
}

static int insert_text(qm_write *w, const qm_target *t, uint32_t field, uint64_t at,
                       const filling *in) {
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  const qm_cell *cell = qm_record_cell(&t->l->record, field, QM_SEQUENCE);
  qm_op op = {.field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_INSERT};
  int done = 0;
  QM_TRY(qm_sequence_place(cell ? cell : &empty, &w->s->authors, at, &op));
  if (!qm__write_raw(w)) QM_TRY(type_on(w, in, &op, &done));
  if (done) return QM_OK;
  op.span = in->points;
  QM_TRY(typed_value(w, in->text.p, in->text.n, &op.value));
  QM_TRY(qm__write_emit(w, t->l, op));
  if (qm__write_raw(w)) return QM_OK;
  QM_TRY(qm__write_typed(w));
  w->typing.n = 0;
  w->typing.insert = w->change.n_ops;
  return keep_text(w, in->text);
}

/* Appends to the ranges of the op being typed. */
static int keep_cuts(qm_write *w, qm_ranges more) {
  qm_typing *y = &w->typing;
  qm_op *op = &w->change.ops[w->change.n_ops - 1];
  for (uint32_t i = 0; i < more.n; i++) {
    qm_range *last = &y->cuts[op->cuts.n - 1];
    const qm_range *r = &more.p[i];
    if (last->author == r->author && last->counter + last->len == r->counter) {
      last->len += r->len;
    } else if (last->author == r->author && r->counter + r->len == last->counter) {
      last->counter = r->counter;
      last->len += r->len;
    } else {
      if (op->cuts.n == y->cap_cuts) {
        uint32_t cap = y->cap_cuts * 2 + 4;
        y->cuts = qm_arena_grow(qm__write_arena(w), y->cuts, y->cap_cuts, cap, sizeof *y->cuts);
        if (!y->cuts) return QM_ENOMEM;
        y->cap_cuts = cap;
      }
      y->cuts[op->cuts.n++] = *r;
    }
    op->cuts.p = y->cuts;
  }
  return QM_OK;
}

static int cut_out(qm_write *w, const qm_target *t, uint32_t field, uint64_t at, uint64_t cut,
                   int typing) {
  const qm_cell empty = {field, QM_SEQUENCE, NULL};
  const qm_cell *cell = qm_record_cell(&t->l->record, field, QM_SEQUENCE);
  qm_op op = {.field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_CUT};
  QM_TRY(qm_sequence_cut(cell ? cell : &empty, qm__write_arena(w), at, cut, &op.cuts));
  qm_typing *y = &w->typing;
  const qm_op *last = typing ? &w->change.ops[w->change.n_ops - 1] : NULL;
  if (last && last->kind == QM_KIND_CUT && last->cuts.n + op.cuts.n <= CUTS_MAX) {
    op.counter = last->counter;
    op.span = 1;
    QM_TRY(keep_cuts(w, op.cuts));
    return apply_more(w, &op, 0);
  }
  QM_TRY(qm__write_op(w, t, op));
  y->cuts = qm_arena_copy(qm__write_arena(w), op.cuts.p, op.cuts.n * sizeof *y->cuts);
  y->cap_cuts = op.cuts.n;
  return y->cuts ? QM_OK : QM_ENOMEM;
}

/* How many of the values from p on fit one op. */
static uint32_t fitting(const qm_slice *p, uint32_t n) {
  size_t bytes = 5; /* the longest array header */
  uint32_t count = 0;
  while (count < n && (!count || bytes + p[count].n <= QM_VALUE_MAX)) bytes += p[count++].n;
  return count;
}

static int insert_values(qm_write *w, const qm_target *t, const qm_record *member,
                         uint32_t field, uint64_t at, const filling *in) {
  int rc = QM_OK;
  qm_buf b;
  qm_buf_init(&b, w->e->env, QM_VALUE_MAX);
  for (uint32_t i = 0, n; i < in->n && rc == QM_OK; i += n) {
    n = fitting(in->values + i, in->n - i);
    qm_buf_clear(&b);
    qm_mp_array(&b, n);
    for (uint32_t k = 0; k < n; k++) qm_mp_raw(&b, in->values[i + k]);
    rc = qm_buf_status(&b);
    if (rc == QM_OK) rc = insert(w, t, member, field, at + i, n, qm_buf_slice(&b));
  }
  qm_buf_free(&b);
  return rc;
}

/* Before anything is written: a verb that fails has no effect. */
static int check_filling(qm_write *w, const qm_target *t, filling *in) {
  if (t->field && !qm__write_raw(w) && t->field->type != in->type)
    return qm_fail(&w->error, QM_ESCHEMA, "%.*s: a field of another type", (int)t->field->name.n,
                   (const char *)t->field->name.p);
  in->points = in->text.n;
  int key = in->text.n == 1 && in->text.p[0] < 0x80; /* as mostly, while somebody types */
  if (!key && !qm_utf8_check(in->text, &in->points)) return QM_EUTF8;
  if (in->text.n > QM_VALUE_MAX - 8) return QM_ELIMIT;
  for (uint32_t i = 0; i < in->n; i++) {
    QM_TRY(qm__write_check(w, t, in->values[i]));
    QM_TRY(qm__write_judge(w, t, in->values[i]));
    if (in->values[i].n >= QM_VALUE_MAX) return QM_ELIMIT; /* an op's value is an array of them */
  }
  return QM_OK;
}

/* The record and field, and that nothing of the verb can be refused any more. */
static int prepare(qm_write *w, const qm_id *record, uint32_t field, filling *in, qm_slice token,
                   qm_target *t) {
  QM_TRY(qm__write_target_field(w, record, field, QM_SEQUENCE, token, t));
  QM_TRY(check_filling(w, t, in));
  return qm__write_raw(w) ? QM_OK : check_version(w, t, field);
}

static uint64_t len_of(const qm_record *r, uint32_t field) {
  const qm_cell *cell = qm_record_cell(r, field, QM_SEQUENCE);
  return cell ? qm_sequence_len(cell) : 0;
}

/* --- merged records --- */

static int cut_from(qm_write *w, const qm_target *t, const qm_record *member, uint32_t field,
                    uint64_t at, uint64_t cut) {
  const qm_cell *cell = qm_record_cell(member, field, QM_SEQUENCE);
  qm_op op = {.field = field, .shape = QM_SEQUENCE, .kind = QM_KIND_CUT};
  QM_TRY(qm_sequence_cut(cell, qm__write_arena(w), at, cut, &op.cuts));
  return qm__write_emit_on(w, t, member, op);
}

/* S3.19: positions are those of the class, its members' elements one after the other. What
 * is cut is cut where it stands; what is inserted goes where its left neighbour stands, at
 * the start into the first that is not empty, and where all are empty to the member that
 * writes go to. */
static int splice_class(qm_write *w, const qm_target *t, uint32_t field, uint64_t at, uint64_t cut,
                        const filling *in) {
  const qm_record *into = &t->l->record;
  uint64_t start = 0, place = 0;
  int found = 0;
  qm_slice value;
  for (uint32_t i = 0; i < t->cls.n; i++) {
    const qm_record *r = t->cls.members[i];
    uint64_t len = len_of(r, field), end = start + len;
    if (len && (!found || at > start)) into = r, place = at - start, found = 1;
    uint64_t from = at > start ? at : start, to = at + cut < end ? at + cut : end;
    if (from < to) QM_TRY(cut_from(w, t, r, field, from - start, to - from));
    start = end;
  }
  if (in->n) return insert_values(w, t, into, field, place, in);
  if (!in->text.n) return QM_OK;
  QM_TRY(qm__write_text_value(w, in->text, &value));
  return insert(w, t, into, field, place, in->points, value);
}

/* --- the verbs --- */

/* The cell that holds the text, to be edited: nothing but edits of it comes in between. */
static qm_cell *typed_cell(qm_record *r, uint32_t field) {
  const qm_cell *cell = qm_record_cell(r, field, QM_SEQUENCE);
  return cell ? r->cells + (cell - r->cells) : NULL;
}

/* The record's memory outlives the change, where state waits behind the log. */
static void note_bytes(qm_write *w, uint64_t more) {
  qm_loaded *l = w->typing.t.l;
  l->bytes += more;
  if (l->bytes > QM_RECORD_MAX / 2) w->e->whole = 1;
}

/* One more key of what is being typed or rubbed out, with what was checked for the edit before:
 * 1 where done. */
static int one_key(qm_write *w, uint64_t at, uint64_t cut, qm_slice text) {
  qm_typing *y = &w->typing;
  qm_op *op = &w->change.ops[w->change.n_ops - 1];
  qm_author_state *st = &w->s->states[w->s->own];
  qm_range range;
  if (!y->cell) return 0;
  if (cut == 1 && !text.n && op->kind == QM_KIND_CUT && op->cuts.n < CUTS_MAX) {
    if (!qm_sequence_rub(y->cell, &w->s->authors, at, &range)) return 0;
    note_bytes(w, 16);
    int rc = keep_cuts(w, (qm_ranges){&range, 1});
    return rc ? rc : 1;
  }
  if (cut || text.n != 1 || text.p[0] >= 0x80 || y->insert != w->change.n_ops || y->n == y->cap ||
      y->n >= QM_VALUE_MAX - 8)
    return 0;
  const qm_dot next = {w->change.next, w->change.author};
  int rc = qm_sequence_type(y->cell, &w->e->records, next, at, text.p[0]);
  if (rc != 1) return rc;
  note_bytes(w, 1);
  y->text[y->n++] = text.p[0];
  op->span++;
  w->change.next++;
  st->clock.next[w->s->own] = w->change.next;
  return 1;
}

static int splice_record(qm_write *w, const qm_target *t, uint32_t field, uint64_t at,
                         uint64_t cut, const filling *in, int typing) {
  int fills = in->text.n || in->n;
  if (cut || (qm__write_raw(w) && !fills)) QM_TRY(cut_out(w, t, field, at, cut, typing));
  if (!fills && !cut) return QM_OK;
  if (in->n) QM_TRY(insert_values(w, t, &t->l->record, field, at, in));
  if (in->text.n) QM_TRY(insert_text(w, t, field, at, in));
  if (in->type == QM_FIELD_TEXT && !qm__write_raw(w)) {
    if (!typing) w->typing.t = *t;
    w->typing.field = field;
    w->typing.ops = w->change.n_ops;
    w->typing.cell = typed_cell(&w->typing.t.l->record, field);
  }
  return QM_OK;
}

static int splice(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                  filling in, qm_slice token) {
  qm_target fresh, *t = &fresh;
  uint64_t len = 0;
  /* What was checked for the edit before holds for this one. */
  int typing = !token.n && in.type == QM_FIELD_TEXT && is_typing(w, record, field);
  if (typing) {
    t = &w->typing.t;
    QM_TRY(check_filling(w, t, &in));
  } else {
    QM_TRY(prepare(w, record, field, &in, token, t));
  }
  for (uint32_t i = 0; i < t->cls.n; i++) len += len_of(t->cls.members[i], field);
  if (at == UINT64_MAX) at = len;
  if (at > len || cut > len - at)
    return qm_fail(&w->error, QM_ERANGE, "position beyond the end of the %s",
                   in.type == QM_FIELD_TEXT ? "text" : "list");
  return t->cls.n > 1 ? splice_class(w, t, field, at, cut, &in)
                      : splice_record(w, t, field, at, cut, &in, typing);
}

int qm_write_splice(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                    qm_slice text, qm_slice token) {
  if (!token.n && is_typing(w, record, field)) {
    int rc = one_key(w, at, cut, text);
    if (rc == 1) return QM_OK;
    if (rc) return qm__write_fail(w, rc, "text");
  }
  const filling in = {.type = QM_FIELD_TEXT, .text = text};
  return qm__write_fail(w, splice(w, record, field, at, cut, in, token), "text");
}

int qm_write_list(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                  const qm_slice *values, uint32_t n, qm_slice token) {
  const filling in = {.type = QM_FIELD_LIST, .values = values, .n = n};
  return qm__write_fail(w, splice(w, record, field, at, cut, in, token), "list");
}
