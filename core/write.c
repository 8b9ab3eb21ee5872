#include "core/write_int.h"

#include <string.h>

#include "core/home.h"

static qm_arena *arena_of(qm_write *w) { return qm__write_arena(w); }
static int is_raw(const qm_write *w) { return qm__write_raw(w); }

/* Detail for the caller; failures of this replica leave only cancel. */
static int fail(qm_write *w, int rc, const char *what) {
  qm_class c = qm_err_class(rc);
  if (rc == QM_OK) return rc;
  if (rc == QM_ENOMEM || rc == QM_EINTERNAL || c == QM_CLASS_STORAGE || rc == QM_ECORRUPT)
    w->broken = 1;
  if (w->error.code != rc || !w->error.message[0])
    qm_fail(&w->error, rc, "%s: %s", what, qm_err_text(rc));
  return rc;
}

/* --- begin --- */

/* S2.4: an author whose time ran ahead of the clock by more than the allowed drift is
 * given up: its stamps would win every tie. */
static int time_ran_ahead(qm_engine *e, const qm_space *s) {
  if ((e->flags & QM_ENGINE_REPLAY) || s->own == QM_NO_AUTHOR) return 0;
  return qm_time_ms(s->states[s->own].time) > qm_engine_now(e) + qm__home_drift(s);
}

static int own_author(qm_write *w) {
  qm_space *s = w->s;
  if (s->own == QM_NO_AUTHOR) QM_TRY(qm__space_author(s, &w->e->author, &s->own));
  w->change.author = s->own;
  w->change.counter = w->change.next = qm_vv_get(&s->vv, s->own);
  w->change.time = qm_time_next(s->states[s->own].time, qm_engine_now(w->e));
  return QM_OK;
}

/* The entries of the own VV that moved since the own previous change. */
static int own_deps(qm_write *w) {
  qm_space *s = w->s;
  const qm_vv *clock = &s->states[s->own].clock;
  qm_dot *deps = qm_arena_array(arena_of(w), s->vv.n, sizeof *deps);
  uint32_t n = 0;
  if (!deps) return QM_ENOMEM;
  for (uint32_t a = 0; a < s->vv.n; a++)
    if (a != s->own && s->vv.next[a] > qm_vv_get(clock, a)) deps[n++] = (qm_dot){s->vv.next[a], a};
  w->change.deps = deps;
  w->change.n_deps = n;
  return QM_OK;
}

int qm_write_begin(qm_write **out, qm_engine *e, qm_space *s, unsigned flags) {
  *out = NULL;
  if (!s->writable) return QM_EACCESS;
  if (!e->open && (e->epoch_stale || time_ran_ahead(e, s))) QM_TRY(qm_engine_new_epoch(e));
  QM_TRY(qm_engine_begin(e));
  qm_write *w = qm_alloc_zero(e->env, sizeof *w);
  int rc = w ? QM_OK : QM_ENOMEM;
  if (rc == QM_OK) {
    w->e = e;
    w->s = s;
    w->flags = flags;
    rc = own_author(w);
  }
  if (rc == QM_OK) rc = own_deps(w);
  if (rc != QM_OK) {
    qm_engine_rollback(e);
    qm_free(e->env, w);
    return rc;
  }
  *out = w;
  return QM_OK;
}

void qm_write_cancel(qm_write *w) {
  if (!w) return;
  qm_engine *e = w->e;
  qm_free(e->env, w);
  qm_engine_rollback(e);
}

uint32_t qm_write_count(const qm_write *w) { return w->change.n_ops; }
const qm_error *qm_write_error(const qm_write *w) { return &w->error; }

/* --- writing one op --- */

static int touch(qm_write *w, qm_loaded *l, qm_touched **out) {
  if (l->touched) {
    *out = &w->touched[l->touched - 1];
    return QM_OK;
  }
  if (w->n_touched == w->cap_touched) {
    uint32_t cap = w->cap_touched ? w->cap_touched * 2 : 4;
    w->touched = qm_arena_grow(arena_of(w), w->touched, w->cap_touched, cap, sizeof *w->touched);
    if (!w->touched) return QM_ENOMEM;
    w->cap_touched = cap;
  }
  *out = &w->touched[w->n_touched++];
  memset(*out, 0, sizeof **out);
  l->touched = w->n_touched;
  return QM_OK;
}

/* Every name the record has that its writer had seen: the least, if any. */
static void name_record(qm_op *op, const qm_record *r) {
  op->named = QM_BY_ID;
  if (!r->n_creations || (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW)) return;
  op->named = QM_BY_CREATION;
  op->created = r->creations[0].dot;
}

static int emit(qm_write *w, qm_loaded *l, qm_op op) {
  qm_space *s = w->s;
  qm_change *c = &w->change;
  op.record = l->record.id;
  op.counter = c->next;
  if (!op.span) op.span = 1;
  name_record(&op, &l->record);
  QM_TRY(qm_op_check(&op, &w->error));
  if (c->n_ops >= QM_SEGMENT_OPS_MAX) return QM_ELIMIT;
  if (c->n_ops == w->cap_ops) {
    uint32_t cap = w->cap_ops ? w->cap_ops * 2 : 8;
    c->ops = qm_arena_grow(arena_of(w), c->ops, w->cap_ops, cap, sizeof *c->ops);
    if (!c->ops) return QM_ENOMEM;
    w->cap_ops = cap;
  }
  /* Not before there is something to write: a change of nothing then leaves no trace. */
  if (!c->n_ops) QM_TRY(qm__space_deps(s, c));
  qm_apply a = {&s->authors, &s->states[s->own].clock, c, arena_of(w)};
  s->states[s->own].clock.next[s->own] = op.counter;
  QM_TRY(qm__feed_edge(s, l, &op, 0));
  QM_TRY(qm_record_apply(&l->record, &a, &op));
  l->dirty = 1;
  if (op.shape == QM_PRESENCE && op.kind == QM_KIND_NEW) {
    qm_creation_row row = {{op.counter, s->own}, op.record};
    QM_TRY(w->e->store->ops->creation_put(w->e->store, s->number, &row, 1));
  }
  c->ops[c->n_ops++] = op;
  c->next += op.span;
  s->states[s->own].clock.next[s->own] = c->next; /* later ops of the change have seen this one */
  qm_touched *t;
  return touch(w, l, &t);
}

/* --- what every verb checks --- */

static int may_write(qm_write *w, const qm_collection_def *c) {
  if (is_raw(w) || !c || qm_collection_writable(c, w->s->role)) return QM_OK;
  return qm_fail(&w->error, QM_EACCESS, "%.*s: role %.*s may not write this collection",
                 (int)c->name.n, (const char *)c->name.p, (int)w->s->role.n,
                 (const char *)w->s->role.p);
}

static int shown_to(qm_write *w, qm_loaded *l, uint32_t field, qm_slice token, qm_token *out) {
  qm_touched *t;
  if (token.n) {
    QM_TRY(qm__token_parse(w->s, token, &l->record.id, arena_of(w), out));
    QM_TRY(touch(w, l, &t));
    t->has_token = 1;
    t->token = *out;
    return QM_OK;
  }
  return qm__token_read(w->s, &l->record, QM_READ_VALUES, field, arena_of(w), out);
}

static int written_here(const qm_loaded *l) { return qm__write_touched(l); }

/* `field`: the one that is written, 0 for the record as a whole. */
static int target(qm_write *w, const qm_id *record, uint32_t field, qm_slice token,
                  qm_target *out) {
  memset(out, 0, sizeof *out);
  memset(&w->error, 0, sizeof w->error);
  if (w->broken) return QM_ESTATE;
  QM_TRY(qm__space_record(w->s, record, &out->l));
  if (qm_record_empty(&out->l->record)) return QM_ENOTFOUND;
  if (w->s->schema)
    out->collection = qm_schema_collection(w->s->schema, qm_record_collection(&out->l->record));
  QM_TRY(may_write(w, out->collection));
  if (is_raw(w)) return QM_OK;
  if (!qm_record_visible(&out->l->record) && !written_here(out->l)) return QM_EINVISIBLE;
  return shown_to(w, out->l, field, token, &out->token);
}

static int target_field(qm_write *w, const qm_id *record, uint32_t field, unsigned shape,
                        qm_slice token, qm_target *out) {
  QM_TRY(target(w, record, field, token, out));
  if (out->collection) out->field = qm_collection_field(out->collection, field);
  if (is_raw(w)) return QM_OK;
  if (!out->field) return qm_fail(&w->error, QM_ESCHEMA, "field %u is not in the schema", field);
  if (qm_field_shape(out->field) != (qm_shape_id)shape)
    return qm_fail(&w->error, QM_ESCHEMA, "%.*s: a field of another type", (int)out->field->name.n,
                   (const char *)out->field->name.p);
  return QM_OK;
}

static int copy_value(qm_write *w, qm_slice *value) {
  uint8_t *p = qm_arena_copy(arena_of(w), value->p, value->n);
  if (!p) return QM_ENOMEM;
  value->p = p;
  return QM_OK;
}

/* --- records --- */

static int random_id(qm_write *w, qm_id *out) {
  return w->e->env->random(w->e->env->payload, out->b, sizeof out->b);
}

/* Visible, and the key is among the siblings of its key field. The record itself is
 * asked: what this change wrote is in no index yet. */
static int lists_key(qm_write *w, const qm_collection_def *c, qm_slice key, const qm_loaded *l,
                     int *out) {
  const qm_cell *cell = qm_record_cell(&l->record, c->key_field, QM_SIBLINGS);
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  int rc = QM_OK;
  qm_buf norm;
  *out = 0;
  if (!qm_record_visible(&l->record) && !written_here(l)) return QM_OK;
  qm_buf_init(&norm, w->e->env, QM_VALUE_MAX * 4);
  for (uint32_t i = 0; v && i < v->n && rc == QM_OK && !*out; i++) {
    qm_cur in;
    qm_slice text;
    qm_cur_init(&in, v->p[i].value);
    if (qm_cur_str(&in, &text) != QM_OK) continue;
    qm_buf_clear(&norm);
    rc = qm_norm_key(&norm, text, (qm_norm_form)c->key_form);
    *out = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&norm), key) == 0;
  }
  qm_buf_free(&norm);
  return rc;
}

/* HMAC-SHA-256(space secret; collection, key in normal form, n)[0..16], least n whose
 * record here is absent, or is visible and lists that key (S3.11). */
static int key_id(qm_write *w, const qm_collection_def *c, qm_slice key, qm_id *out,
                  int *existing) {
  for (uint32_t n = 0; n < 10000; n++) {
    qm_hash mac;
    qm_loaded *l;
    qm_buf b;
    qm_buf_init(&b, w->e->env, QM_VALUE_MAX * 4 + 64);
    qm_buf_be32(&b, c->number);
    qm_buf_be32(&b, (uint32_t)key.n);
    qm_buf_add(&b, key.p, key.n);
    qm_buf_be32(&b, n);
    int rc = qm_buf_status(&b);
    if (rc == QM_OK)
      rc = qm_hmac_sha256(qm_slice_of(w->s->secret, sizeof w->s->secret), qm_buf_slice(&b), &mac);
    qm_buf_free(&b);
    QM_TRY(rc);
    memcpy(out->b, mac.b, sizeof out->b);
    QM_TRY(qm__space_record(w->s, out, &l));
    if (qm_record_empty(&l->record)) return QM_OK;
    QM_TRY(lists_key(w, c, key, l, existing));
    if (*existing) return QM_OK;
  }
  return QM_ELIMIT;
}

static int new_by_key(qm_write *w, const qm_collection_def *c, qm_slice text, qm_id *out,
                      int *existing) {
  qm_buf norm;
  qm_buf_init(&norm, w->e->env, QM_VALUE_MAX * 4);
  int rc = qm_norm_key(&norm, text, (qm_norm_form)c->key_form);
  if (rc == QM_OK && !norm.n)
    rc = qm_fail(&w->error, QM_ESCHEMA, "%.*s: the key is empty", (int)c->name.n,
                 (const char *)c->name.p);
  if (rc == QM_OK) {
    rc = qm_engine_find_key(w->e, w->s, c, qm_buf_slice(&norm), out);
    *existing = rc == QM_OK;
    if (rc == QM_ENOTFOUND) rc = key_id(w, c, qm_buf_slice(&norm), out, existing);
  }
  qm_buf_free(&norm);
  return rc;
}

static int emit_new(qm_write *w, uint32_t collection, const qm_id *id) {
  qm_loaded *l;
  qm_buf b;
  QM_TRY(qm__space_record(w->s, id, &l));
  qm_buf_init(&b, w->e->env, 16);
  qm_mp_uint(&b, collection);
  qm_op op = {.shape = QM_PRESENCE, .kind = QM_KIND_NEW, .value = qm_buf_slice(&b)};
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = copy_value(w, &op.value);
  if (rc == QM_OK) rc = emit(w, l, op);
  qm_buf_free(&b);
  return rc;
}

/* A record that was here once is brought back by restore, not made anew. */
static int given_id(qm_write *w, const qm_id *id, qm_id *out) {
  qm_loaded *l;
  *out = *id;
  if (is_raw(w)) return QM_OK;
  QM_TRY(qm__space_record(w->s, id, &l));
  return qm_record_empty(&l->record) ? QM_OK : QM_EEXIST;
}

int qm_write_new(qm_write *w, uint32_t collection, const qm_id *id, qm_slice key, qm_id *out,
                 int *existing) {
  const qm_collection_def *c = w->s->schema ? qm_schema_collection(w->s->schema, collection) : NULL;
  memset(&w->error, 0, sizeof w->error);
  *existing = 0;
  if (w->broken) return QM_ESTATE;
  if (!is_raw(w) && !c)
    return fail(w, qm_fail(&w->error, QM_ESCHEMA, "collection %u is not in the schema", collection),
                "new");
  int rc = may_write(w, c);
  if (rc == QM_OK && id)
    rc = given_id(w, id, out);
  else if (rc == QM_OK && key.n && c && c->key_field)
    rc = new_by_key(w, c, key, out, existing);
  else if (rc == QM_OK)
    rc = random_id(w, out);
  if (rc == QM_OK && !*existing) rc = emit_new(w, collection, out);
  return fail(w, rc, "new");
}

int qm_write_delete(qm_write *w, const qm_id *record, qm_slice token) {
  qm_target t;
  int rc = target(w, record, 0, token, &t);
  if (rc == QM_OK) rc = emit(w, t.l, (qm_op){.shape = QM_PRESENCE, .kind = QM_KIND_DELETE});
  return fail(w, rc, "delete");
}

int qm_write_restore(qm_write *w, const qm_id *record) {
  qm_target t;
  int rc = target(w, record, 0, qm_slice_of(NULL, 0), &t);
  if (rc == QM_OK && !is_raw(w)) {
    qm_touched *touched;
    if (!qm_marks_collide(&t.l->record.marks)) return QM_OK; /* visible and nothing to settle */
    rc = touch(w, t.l, &touched);
  }
  if (rc == QM_EINVISIBLE) rc = QM_OK;
  if (rc == QM_OK) rc = emit(w, t.l, (qm_op){.shape = QM_PRESENCE, .kind = QM_KIND_RESTORE});
  if (rc == QM_OK) w->touched[t.l->touched - 1].restored = 1;
  return fail(w, rc, "restore");
}

/* --- siblings --- */

/* S3.3: says nothing where all that is there is replaced; else lists. */
static int replace_list(qm_write *w, const qm_cell *cell, qm_dots shown, qm_op *op) {
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  uint32_t n = 0, count = v ? v->n : 0;
  qm_dot *p = qm_arena_array(arena_of(w), count, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    qm_dot d = v->p[i].dot;
    int own = d.author == w->change.author && d.counter >= w->change.counter;
    if (own || qm_dots_hold(shown, d)) p[n++] = d;
  }
  if (n == count) return QM_OK;
  op->flags |= QM_OP_LISTED;
  op->dots = (qm_dots){p, n};
  return QM_OK;
}

static int check_value(qm_write *w, const qm_target *t, qm_slice value) {
  if (!t->field) return qm_value_check(value);
  QM_TRY(qm_value_check(value));
  return qm_field_value_check(t->field, value, &w->error);
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

static int contest_of(qm_write *w, const qm_target *t, uint32_t field, const qm_cell **cell,
                      qm_contest *out) {
  *cell = qm_record_cell(&t->l->record, field, QM_SIBLINGS);
  return qm_read_contest(w->s, t->field, *cell, arena_of(w), out);
}

static int write_value(qm_write *w, const qm_target *t, uint32_t field, const qm_cell *cell,
                       qm_dots shown, qm_slice value, uint8_t kind) {
  qm_op op = {.field = field, .shape = QM_SIBLINGS, .kind = kind, .value = value};
  if (!is_raw(w)) QM_TRY(replace_list(w, cell, shown, &op));
  QM_TRY(copy_value(w, &op.value));
  return emit(w, t->l, op);
}

/* A settle without a token is made from the review list as it stands. */
static int settle_token(qm_write *w, qm_target *t, uint32_t field, qm_slice token) {
  qm_touched *touched;
  if (token.n) return QM_OK;
  QM_TRY(qm__token_read(w->s, &t->l->record, QM_READ_REVIEW, field, arena_of(w), &t->token));
  QM_TRY(touch(w, t->l, &touched));
  touched->has_token = 1;
  touched->token = t->token;
  return QM_OK;
}

static int set_value(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                     qm_slice token, unsigned flags) {
  qm_target t;
  const qm_cell *cell;
  qm_contest contest;
  QM_TRY(target_field(w, record, field, QM_SIBLINGS, token, &t));
  QM_TRY(check_value(w, &t, value));
  if (is_raw(w)) return write_value(w, &t, field, NULL, (qm_dots){NULL, 0}, value, QM_KIND_WRITE);
  if (flags & QM_WRITE_SETTLE) QM_TRY(settle_token(w, &t, field, token));
  QM_TRY(contest_of(w, &t, field, &cell, &contest));
  int equal = contest.shown && qm_slice_cmp(contest.shown->value, value) == 0;
  if (equal && !(flags & QM_WRITE_SETTLE)) return QM_OK;
  QM_TRY(check_transition(w, &t, &contest, value));
  return write_value(w, &t, field, cell, qm__token_dots(&t.token, field), value, QM_KIND_WRITE);
}

int qm_write_set(qm_write *w, const qm_id *record, uint32_t field, qm_slice value, qm_slice token,
                 unsigned flags) {
  return fail(w, set_value(w, record, field, value, token, flags), "set");
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
    if (x->kept || c > 0) continue;
    if (qm_vv_covers(&w->s->acknowledged, x->dot) || (!c && x->dot.author == w->change.author))
      return 1;
  }
  return 0;
}

static int raise_value(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                       qm_slice token) {
  qm_target t;
  const qm_cell *cell;
  qm_contest contest;
  QM_TRY(target_field(w, record, field, QM_SIBLINGS, token, &t));
  if (t.field && t.field->type != QM_FIELD_MAX && t.field->type != QM_FIELD_MIN)
    return qm_fail(&w->error, QM_ESCHEMA, "%.*s: raise and lower are for max and min fields",
                   (int)t.field->name.n, (const char *)t.field->name.p);
  QM_TRY(check_value(w, &t, value));
  QM_TRY(contest_of(w, &t, field, &cell, &contest));
  int c = contest.shown ? beyond(t.field, value, contest.shown->value) : 1;
  if (c <= 0 && held_back(w, t.field, qm_siblings_of(cell), value)) return QM_OK;
  /* Beyond what is shown: replaces all that is in the contest. Not beyond, but what is
     shown is not safe with a hub yet: stands beside it and takes nothing away. */
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  qm_dot *dots = qm_arena_array(arena_of(w), v ? v->n : 0, sizeof *dots);
  uint32_t n = 0;
  if (!dots) return QM_ENOMEM;
  for (uint32_t i = 0; c > 0 && v && i < v->n; i++)
    if (!v->p[i].kept) dots[n++] = v->p[i].dot;
  qm_op op = {.field = field,
              .shape = QM_SIBLINGS,
              .kind = QM_KIND_BESIDE,
              .flags = QM_OP_LISTED,
              .value = value,
              .dots = {dots, n}};
  QM_TRY(copy_value(w, &op.value));
  return emit(w, t.l, op);
}

int qm_write_raise(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                   qm_slice token) {
  return fail(w, raise_value(w, record, field, value, token), "raise");
}

/* --- sets --- */

static int add_element(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                       unsigned flags) {
  qm_target t;
  QM_TRY(target_field(w, record, field, QM_KEYED, qm_slice_of(NULL, 0), &t));
  QM_TRY(check_value(w, &t, element));
  const qm_cell *cell = qm_record_cell(&t.l->record, field, QM_KEYED);
  int held = cell && qm_keyed_find(qm_keyed_of(cell), element);
  if (held && !is_raw(w) && !(flags & QM_WRITE_AGAIN)) return QM_OK;
  qm_op op = {.field = field, .shape = QM_KEYED, .kind = QM_KIND_ADD, .value = element};
  QM_TRY(copy_value(w, &op.value));
  return emit(w, t.l, op);
}

int qm_write_add(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                 unsigned flags) {
  return fail(w, add_element(w, record, field, element, flags), "add");
}

static int remove_element(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                          qm_slice token) {
  qm_target t;
  QM_TRY(target_field(w, record, field, QM_KEYED, token, &t));
  const qm_cell *cell = qm_record_cell(&t.l->record, field, QM_KEYED);
  const qm_element *el = cell ? qm_keyed_find(qm_keyed_of(cell), element) : NULL;
  uint32_t n = 0, count = el ? el->n : 0;
  qm_dot *p = qm_arena_array(arena_of(w), count, sizeof *p);
  if (!p) return QM_ENOMEM;
  qm_dots shown = qm__token_dots(&t.token, field);
  for (uint32_t i = 0; i < count; i++) {
    qm_dot d = el->dots[i].dot;
    int own = d.author == w->change.author && d.counter >= w->change.counter;
    if (is_raw(w) || own || qm_dots_hold(shown, d)) p[n++] = d;
  }
  if (!n && !is_raw(w)) return QM_OK;
  return emit(w, t.l,
              (qm_op){.field = field, .shape = QM_KEYED, .kind = QM_KIND_REMOVE, .dots = {p, n}});
}

int qm_write_remove(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                    qm_slice token) {
  return fail(w, remove_element(w, record, field, element, token), "remove");
}

/* --- counters and logs --- */

static int inc(qm_write *w, const qm_id *record, uint32_t field, int64_t delta) {
  qm_target t;
  qm_buf b;
  QM_TRY(target_field(w, record, field, QM_TOTALS, qm_slice_of(NULL, 0), &t));
  const qm_cell *cell = qm_record_cell(&t.l->record, field, QM_TOTALS);
  int64_t sum = 0, next;
  if (!is_raw(w) && (qm_totals_sum(cell ? qm_totals_of(cell) : NULL, &sum) != QM_OK ||
                     __builtin_add_overflow(sum, delta, &next)))
    return qm_fail(&w->error, QM_ESCHEMA, "the counter would leave the range of 64 bits");
  qm_buf_init(&b, w->e->env, 16);
  qm_mp_int(&b, delta);
  qm_op op = {.field = field, .shape = QM_TOTALS, .kind = QM_KIND_INC, .value = qm_buf_slice(&b)};
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = copy_value(w, &op.value);
  if (rc == QM_OK) rc = emit(w, t.l, op);
  qm_buf_free(&b);
  return rc;
}

int qm_write_inc(qm_write *w, const qm_id *record, uint32_t field, int64_t delta) {
  return fail(w, inc(w, record, field, delta), "inc");
}

static int append(qm_write *w, const qm_id *record, uint32_t field, qm_slice value) {
  qm_target t;
  QM_TRY(target_field(w, record, field, QM_ENTRIES, qm_slice_of(NULL, 0), &t));
  QM_TRY(check_value(w, &t, value));
  const qm_cell *cell = qm_record_cell(&t.l->record, field, QM_ENTRIES);
  qm_op op = {.field = field, .shape = QM_ENTRIES, .kind = QM_KIND_APPEND, .value = value};
  if (cell) {
    const qm_entries *v = qm_entries_of(cell);
    qm_time last = v->p[v->n - 1].order;
    if (w->change.time <= last && last < UINT64_MAX) {
      op.flags |= QM_OP_ORDER; /* stands after what its writer saw, whatever the clocks say */
      op.order = last + 1;
    }
  }
  QM_TRY(copy_value(w, &op.value));
  return emit(w, t.l, op);
}

int qm_write_append(qm_write *w, const qm_id *record, uint32_t field, qm_slice value) {
  return fail(w, append(w, record, field, value), "append");
}

/* --- for the verbs of other files --- */

int qm__write_target(qm_write *w, const qm_id *record, uint32_t field, unsigned shape,
                     qm_slice token, qm_target *out) {
  return target_field(w, record, field, shape, token, out);
}

int qm__write_check(qm_write *w, const qm_target *t, qm_slice value) {
  return check_value(w, t, value);
}

int qm__write_op(qm_write *w, const qm_target *t, qm_op op) {
  QM_TRY(copy_value(w, &op.value));
  return emit(w, t->l, op);
}

int qm__write_fail(qm_write *w, int rc, const char *what) { return fail(w, rc, what); }

/* --- commit --- */

/* S3.7: what the deciding op of a record says of its marks. An edit keeps only
 * *deleted* marks that its reading did not show, a delete only *edited* ones; all
 * else it had seen is replaced. Restore keeps none. */
static int list_marks(qm_write *w, qm_loaded *l, qm_op *op) {
  qm_touched *t;
  qm_token now;
  uint32_t n = 0;
  if (op->shape == QM_PRESENCE && op->kind != QM_KIND_DELETE) return QM_OK; /* new, restore: all */
  int deletes = op->shape == QM_PRESENCE;
  const qm_marks *m = &l->record.marks;
  if (!m->n) return QM_OK;
  QM_TRY(touch(w, l, &t));
  if (t->restored) return QM_OK;
  if (!t->has_token) QM_TRY(qm__token_read(w->s, &l->record, QM_READ_VALUES, 0, arena_of(w), &now));
  const qm_dots shown = t->has_token ? t->token.marks : now.marks;
  qm_dot *p = qm_arena_array(arena_of(w), m->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < m->n; i++) {
    int keepable = deletes ? !m->p[i].deleted : m->p[i].deleted;
    if (!keepable || qm_dots_hold(shown, m->p[i].dot)) p[n++] = m->p[i].dot;
  }
  if (n == m->n) return QM_OK;
  op->flags |= QM_OP_MARKS;
  op->marks = (qm_dots){p, n};
  return QM_OK;
}

static int decide_marks(qm_write *w) {
  qm_change *c = &w->change;
  uint64_t serial = ++w->s->change_serial;
  for (uint32_t i = c->n_ops; i-- > 0;) {
    qm_loaded *l;
    if (!qm_op_marks(&c->ops[i])) continue;
    QM_TRY(qm__space_record(w->s, &c->ops[i].record, &l));
    if (l->mark_change == serial) continue; /* a later op of this change decides */
    l->mark_change = serial;
    QM_TRY(list_marks(w, l, &c->ops[i]));
  }
  return QM_OK;
}

static int finish(qm_write *w) {
  qm_space *s = w->s;
  qm_change *c = &w->change;
  qm_buf row;
  QM_TRY(qm__write_typed(w));
  QM_TRY(decide_marks(w));
  qm_buf_init(&row, w->e->env, QM_CHANGE_MAX);
  qm_change_row(c, &s->authors, &row);
  int rc = qm_buf_status(&row);
  if (rc == QM_OK) {
    qm_open_row open = {c->counter, qm_buf_slice(&row)};
    rc = w->e->store->ops->open_append(w->e->store, s->number, &open);
  }
  qm_buf_free(&row);
  QM_TRY(rc);
  QM_TRY(qm__space_marks(s, c));
  qm__space_advance(s, c);
  return qm_vv_set(w->e->env, &s->vv, c->author, c->next);
}

int qm_write_commit(qm_write *w, qm_durability durability) {
  qm_engine *e = w->e;
  int rc = w->broken ? QM_ESTATE : QM_OK;
  if (rc == QM_OK && !w->change.n_ops) {
    qm_write_cancel(w);
    return QM_OK;
  }
  if (rc == QM_OK) rc = finish(w);
  qm_free(e->env, w);
  if (rc == QM_OK) return qm_engine_commit(e, durability, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}
