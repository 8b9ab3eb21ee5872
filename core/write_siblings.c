/* Verbs on siblings: set, settle, raise and lower, on a record or on its class. */
#include "core/class_ref.h"
#include "core/undo.h"
#include "core/write_int.h"

/* S3.3: says nothing where all that is there is replaced; else lists. */
static int replace_list(qm_write *w, const qm_cell *cell, qm_dots shown, qm_op *op) {
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  uint32_t n = 0, count = v ? v->n : 0;
  qm_dot *p = qm_arena_array(qm__write_arena(w), count, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    qm_dot d = v->p[i].dot;
    if (qm__write_own(w, d) || qm_dots_hold(shown, d)) p[n++] = d;
  }
  if (n == count) return QM_OK;
  op->flags |= QM_OP_LISTED;
  op->dots = (qm_dots){p, n};
  return QM_OK;
}

static int check_transition(qm_write *w, const qm_target *t, const qm_contest *shown,
                            qm_slice value) {
  uint32_t from, to;
  const qm_field_def *f = t->field;
  if (!f || f->type != QM_FIELD_STATE || !shown->shown) return QM_OK;
  if (qm_field_item(f, shown->shown->value, &from) != QM_OK ||
      qm_field_item(f, value, &to) != QM_OK)
    return QM_OK;
  if (from == to || qm_field_transition(f, from, to)) return QM_OK;
  return qm_fail(&w->error, QM_ESCHEMA, "%.*s: %.*s cannot follow %.*s", (int)f->name.n,
                 (const char *)f->name.p, (int)f->items[to].name.n,
                 (const char *)f->items[to].name.p, (int)f->items[from].name.n,
                 (const char *)f->items[from].name.p);
}

/* What the class holds of the field, and what it shows. */
static int contest_of(qm_write *w, const qm_target *t, uint32_t field, const qm_cell **cell,
                      qm_contest *out) {
  QM_TRY(qm__class_cell(&t->cls, &w->s->authors, field, QM_SIBLINGS, qm__write_arena(w), cell));
  return qm_read_contest(w->s, t->field, *cell, qm__write_arena(w), out);
}

/* Settling for what somebody wrote is no new value: it may have come before its check did. */
static int judge(qm_write *w, const qm_target *t, const qm_cell *cell, qm_slice value) {
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  for (uint32_t i = 0; v && i < v->n; i++)
    if (qm_slice_cmp(v->p[i].value, value) == 0) return QM_OK;
  return qm__write_judge(w, t, value);
}

static const qm_cell *own_cell(const qm_target *t, uint32_t field) {
  return qm_record_cell(&t->l->record, field, QM_SIBLINGS);
}

/* Is this sibling, of the class's cell, the target's own? */
static int is_own(const qm_target *t, const qm_sibling *x) {
  return qm_id_cmp(&t->cls.members[x->member]->id, &t->l->record.id) == 0;
}

static int name(qm_write *w, qm_op *op, qm_dots hides, qm_dots keeps) {
  if (!hides.n && !keeps.n) return QM_OK;
  if (hides.n > UINT16_MAX || keeps.n > UINT16_MAX)
    return qm_fail(&w->error, QM_ELIMIT, "the merged records hold too many values of this field");
  op->flags |= QM_OP_NAMES;
  op->hides = hides;
  op->keeps = keeps;
  return QM_OK;
}

/* S3.19: the siblings of the other members are named: those shown are hidden as long as the
 * write lives, the others kept. */
static int name_others(qm_write *w, const qm_target *t, const qm_cell *cell, qm_dots shown,
                       qm_op *op) {
  const qm_siblings *v = t->cls.n > 1 && cell ? qm_siblings_of(cell) : NULL;
  uint32_t count = v ? v->n : 0;
  qm_dot *hides = qm_arena_array(qm__write_arena(w), count, sizeof *hides);
  qm_dot *keeps = qm_arena_array(qm__write_arena(w), count, sizeof *keeps);
  uint32_t n_hides = 0, n_keeps = 0;
  if (!hides || !keeps) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    qm_dot d = v->p[i].dot;
    if (is_own(t, &v->p[i])) continue;
    if (qm__write_own(w, d) || qm_dots_hold(shown, d))
      hides[n_hides++] = d;
    else
      keeps[n_keeps++] = d;
  }
  return name(w, op, (qm_dots){hides, n_hides}, (qm_dots){keeps, n_keeps});
}

/* cell: of the class. */
static int write_value(qm_write *w, const qm_target *t, uint32_t field, const qm_cell *cell,
                       qm_slice value) {
  qm_op op = {.field = field, .shape = QM_SIBLINGS, .kind = QM_KIND_WRITE, .value = value};
  qm_dots shown = qm__token_dots(&t->token, field);
  if (!qm__write_raw(w)) {
    QM_TRY(replace_list(w, own_cell(t, field), shown, &op));
    QM_TRY(name_others(w, t, cell, shown, &op));
  }
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit(w, t->l, op);
}

/* A settle without a token is made from the review list as it stands. */
static int settle_token(qm_write *w, qm_target *t, uint32_t field, qm_slice token) {
  if (token.n) return QM_OK;
  QM_TRY(qm__token_class(w->s, &t->cls, QM_READ_REVIEW, field, qm__write_arena(w), &t->token));
  return qm__write_show(w, t->l, &t->token);
}

/* Values of the target's own record that the settle is going to replace: those it was shown, the
 * one that the class shows last. Others' come back by themselves when the settle goes. */
static int replaced_values(qm_write *w, const qm_target *t, uint32_t field,
                           const qm_contest *contest, qm_slice **out, uint32_t *n) {
  const qm_cell *cell = own_cell(t, field);
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  qm_dots shown = qm__token_dots(&t->token, field);
  uint32_t count = v ? v->n : 0;
  *n = 0;
  *out = qm_arena_array(qm__write_arena(w), count + 1, sizeof **out);
  if (!*out) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    int seen = 0;
    if (!qm_dots_hold(shown, v->p[i].dot)) continue;
    if (contest->shown && qm_slice_cmp(v->p[i].value, contest->shown->value) == 0) continue;
    for (uint32_t k = 0; k < *n; k++) seen |= qm_slice_cmp((*out)[k], v->p[i].value) == 0;
    if (!seen) (*out)[(*n)++] = v->p[i].value;
  }
  if (contest->shown) (*out)[(*n)++] = contest->shown->value;
  return QM_OK;
}

/* A settle that can be taken back (S20.6). */
static int settle_value(qm_write *w, const qm_target *t, uint32_t field, const qm_cell *cell,
                        const qm_contest *contest, qm_slice value) {
  qm_slice *values;
  uint32_t n;
  QM_TRY(replaced_values(w, t, field, contest, &values, &n));
  QM_TRY(write_value(w, t, field, cell, value));
  const qm_op *op = &w->change.ops[w->change.n_ops - 1];
  qm_dot dot = {op->counter, w->change.author};
  return qm__settled_note(w->s, &t->l->record.id, field, dot, values, n);
}

static int set_value(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                     qm_slice token, unsigned flags) {
  qm_target t;
  const qm_cell *cell;
  qm_contest contest;
  QM_TRY(qm__write_target_field(w, record, field, QM_SIBLINGS, token, &t));
  QM_TRY(qm__write_check(w, &t, value));
  if (qm__write_raw(w)) return write_value(w, &t, field, NULL, value);
  if (flags & QM_WRITE_SETTLE) QM_TRY(settle_token(w, &t, field, token));
  QM_TRY(contest_of(w, &t, field, &cell, &contest));
  int equal = contest.shown && qm_slice_cmp(contest.shown->value, value) == 0;
  if (contest.shown && qm__write_is_ref(&t)) /* the same thing under another of its ids */
    QM_TRY(qm_class_ref_same(w->e, w->s, contest.shown->value, value, qm__write_arena(w), &equal));
  if (equal && !(flags & QM_WRITE_SETTLE)) return QM_OK;
  QM_TRY(judge(w, &t, cell, value));
  QM_TRY(check_transition(w, &t, &contest, value));
  if (flags & QM_WRITE_SETTLE) return settle_value(w, &t, field, cell, &contest, value);
  return write_value(w, &t, field, cell, value);
}

int qm_write_set(qm_write *w, const qm_id *record, uint32_t field, qm_slice value, qm_slice token,
                 unsigned flags) {
  return qm__write_fail(w, set_value(w, record, field, value, token, flags), "set");
}

/* How far `value` is beyond what another says, by the field's type. */
static int beyond(const qm_field_def *f, qm_slice value, qm_slice other) {
  int c = qm_value_cmp(value, other);
  return f && f->type == QM_FIELD_MIN ? -c : c;
}

/* S3.3: a value that may yet be set aside must not hold back a raise that is not beyond
 * it. One that a hub holds does, and so does the same value from this author: what comes
 * of the one comes of the other. */
static int held_back(const qm_write *w, const qm_field_def *f, const qm_siblings *v,
                     qm_slice value) {
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    int c = beyond(f, value, x->value);
    if (x->kept || x->hidden || c > 0) continue;
    if (qm_vv_covers(&w->s->acknowledged, x->dot) || (!c && x->dot.author == w->change.author))
      return 1;
  }
  return 0;
}

/* Beyond what is shown: replaces all that is in the contest. What is named by a write that
 * this one may replace is named again, or it would come back. */
static int replace_contest(qm_write *w, const qm_target *t, const qm_siblings *v, qm_op *op) {
  uint32_t count = v ? v->n : 0, n = 0, n_hides = 0, n_keeps = 0;
  qm_dot *dots = qm_arena_array(qm__write_arena(w), count, sizeof *dots);
  qm_dot *hides = qm_arena_array(qm__write_arena(w), count, sizeof *hides);
  qm_dot *keeps = qm_arena_array(qm__write_arena(w), count, sizeof *keeps);
  if (!dots || !hides || !keeps) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    const qm_sibling *x = &v->p[i];
    if (t->cls.n > 1 && !is_own(t, x)) {
      if (x->kept && !x->hidden)
        keeps[n_keeps++] = x->dot;
      else
        hides[n_hides++] = x->dot;
    } else if (!x->kept && !x->hidden) {
      dots[n++] = x->dot;
    }
  }
  op->dots = (qm_dots){dots, n};
  return name(w, op, (qm_dots){hides, n_hides}, (qm_dots){keeps, n_keeps});
}

static int raise_value(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                       qm_slice token) {
  qm_target t;
  const qm_cell *cell;
  qm_contest contest;
  QM_TRY(qm__write_target_field(w, record, field, QM_SIBLINGS, token, &t));
  if (t.field && t.field->type != QM_FIELD_MAX && t.field->type != QM_FIELD_MIN)
    return qm_fail(&w->error, QM_ESCHEMA, "%.*s: raise and lower are for max and min fields",
                   (int)t.field->name.n, (const char *)t.field->name.p);
  QM_TRY(qm__write_check(w, &t, value));
  QM_TRY(contest_of(w, &t, field, &cell, &contest));
  QM_TRY(judge(w, &t, cell, value));
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  int c = contest.shown ? beyond(t.field, value, contest.shown->value) : 1;
  if (c <= 0 && held_back(w, t.field, v, value)) return QM_OK;
  qm_op op = {.field = field,
              .shape = QM_SIBLINGS,
              .kind = QM_KIND_BESIDE,
              .flags = QM_OP_LISTED,
              .value = value};
  /* Not beyond, but what is shown is not safe with a hub yet: stands beside it and takes
     nothing away. */
  if (c > 0) QM_TRY(replace_contest(w, &t, v, &op));
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit(w, t.l, op);
}

int qm_write_raise(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                   qm_slice token) {
  return qm__write_fail(w, raise_value(w, record, field, value, token), "raise");
}
