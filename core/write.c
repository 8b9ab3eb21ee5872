#include "core/write_int.h"

#include <string.h>

#include "core/validator.h"
#include "core/class_ref.h"
#include "core/home.h"
#include "core/ledger.h"

/* Bytes that the row of a change mostly has room in. */
#define ROW_FIRST 96u
#define ROW_OP 80u

/* Detail for the caller; failures of this replica leave only cancel. */
int qm__write_fail(qm_write *w, int rc, const char *what) {
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
  qm_dot *deps = qm_arena_array(qm__write_arena(w), s->vv.n, sizeof *deps);
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
  e->wrote = 1;
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
  for (uint32_t i = 0; i < w->n_touched; i++) w->touched[i].l->touched = 0;
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
    w->touched =
        qm_arena_grow(qm__write_arena(w), w->touched, w->cap_touched, cap, sizeof *w->touched);
    if (!w->touched) return QM_ENOMEM;
    w->cap_touched = cap;
  }
  *out = &w->touched[w->n_touched++];
  memset(*out, 0, sizeof **out);
  (*out)->l = l;
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

/* What may wait must be certain to be saved: a record that may come out too large is encoded
 * before its change is committed. */
static void note_size(qm_write *w, qm_loaded *l, const qm_op *op) {
  l->bytes += 64 + op->value.n + 16 * ((uint64_t)op->hides.n + op->keeps.n + op->cuts.n);
  if (l->bytes > QM_RECORD_MAX / 2) w->e->whole = 1;
}

int qm__write_emit(qm_write *w, qm_loaded *l, qm_op op) {
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
    c->ops = qm_arena_grow(qm__write_arena(w), c->ops, w->cap_ops, cap, sizeof *c->ops);
    if (!c->ops) return QM_ENOMEM;
    w->cap_ops = cap;
  }
  /* Not before there is something to write: a change of nothing then leaves no trace. */
  if (!c->n_ops) QM_TRY(qm__space_deps(s, c));
  qm_apply a = {&s->authors, &s->states[s->own].clock, c, &w->e->records};
  s->states[s->own].clock.next[s->own] = op.counter;
  QM_TRY(qm__feed_edge(s, l, &op, 0));
  QM_TRY(qm__space_apply_op(s, l, &a, &op, 0));
  qm__space_dirty(s, l);
  note_size(w, l, &op);
  if (op.shape == QM_KEYED && !op.field) QM_TRY(qm__space_edges_touched(s, l));
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

int qm__write_show(qm_write *w, qm_loaded *l, const qm_token *token) {
  qm_touched *t;
  QM_TRY(touch(w, l, &t));
  t->has_token = 1;
  t->token = *token;
  return QM_OK;
}

int qm__write_emit_on(qm_write *w, const qm_target *t, const qm_record *member, qm_op op) {
  qm_loaded *l;
  QM_TRY(qm__space_record(w->s, &member->id, &l));
  if (t->has_token) QM_TRY(qm__write_show(w, l, &t->token));
  return qm__write_emit(w, l, op);
}

/* --- what every verb checks --- */

int qm__write_may(qm_write *w, const qm_collection_def *c) {
  if (qm__write_raw(w) || w->flags & QM_WRITE_HOME || !c) return QM_OK;
  if (qm_collection_writable(c, w->s->role)) return QM_OK;
  return qm_fail(&w->error, QM_EACCESS, "%.*s: role %.*s may not write this collection",
                 (int)c->name.n, (const char *)c->name.p, (int)w->s->role.n,
                 (const char *)w->s->role.p);
}

/* A token holds for every record that its reading had, and for what these belong to now. */
static int token_fits(const qm_token *token, const qm_id *record, const qm_record_class *cls) {
  if (qm__token_about(token, record)) return 1;
  for (uint32_t i = 0; i < cls->n; i++)
    if (qm__token_about(token, &cls->members[i]->id)) return 1;
  return 0;
}

static int shown_to(qm_write *w, const qm_id *record, uint32_t field, qm_slice token,
                    qm_target *t) {
  if (!token.n)
    return qm__token_class(w->s, &t->cls, QM_READ_VALUES, field, qm__write_arena(w), &t->token);
  QM_TRY(qm__token_parse(w->s, token, NULL, qm__write_arena(w), &t->token));
  if (!token_fits(&t->token, record, &t->cls)) return QM_EFORMAT;
  t->has_token = 1;
  return qm__write_show(w, t->l, &t->token);
}

/* The first member that its writer sees; where there is none the first, and QM_EINVISIBLE. */
static int choose_member(qm_write *w, qm_target *t) {
  for (uint32_t i = 0; i < t->cls.n; i++) {
    QM_TRY(qm__space_record(w->s, &t->cls.members[i]->id, &t->l));
    if (qm_record_visible(&t->l->record) || qm__write_touched(t->l)) return QM_OK;
  }
  QM_TRY(qm__space_record(w->s, &t->cls.id, &t->l));
  return QM_EINVISIBLE;
}

/* A raw write means the record itself. */
static int raw_target(qm_write *w, const qm_id *record, qm_target *out) {
  QM_TRY(qm__space_record(w->s, record, &out->l));
  if (qm_record_empty(&out->l->record)) return QM_ENOTFOUND;
  out->cls.members = qm_arena_array(qm__write_arena(w), 1, sizeof *out->cls.members);
  if (!out->cls.members) return QM_ENOMEM;
  out->cls.members[0] = &out->l->record;
  out->cls.id = *record;
  out->cls.n = 1;
  return QM_OK;
}

int qm__write_target(qm_write *w, const qm_id *record, uint32_t field, qm_slice token,
                     qm_target *out) {
  memset(out, 0, sizeof *out);
  memset(&w->error, 0, sizeof w->error);
  if (w->broken) return QM_ESTATE;
  QM_TRY(qm__write_raw(w)
             ? raw_target(w, record, out)
             : qm_class_read(w->e, w->s, record, 0, qm__write_arena(w), &out->cls));
  if (w->s->schema)
    out->collection =
        qm_schema_collection(w->s->schema, qm_record_collection(out->cls.members[0]));
  QM_TRY(qm__write_may(w, out->collection));
  if (qm__write_raw(w)) return QM_OK;
  QM_TRY(choose_member(w, out));
  return shown_to(w, record, field, token, out);
}

int qm__write_target_field(qm_write *w, const qm_id *record, uint32_t field, unsigned shape,
                        qm_slice token, qm_target *out) {
  QM_TRY(qm__write_target(w, record, field, token, out));
  if (out->collection) out->field = qm_collection_field(out->collection, field);
  if (qm__write_raw(w)) return QM_OK;
  if (!out->field) return qm_fail(&w->error, QM_ESCHEMA, "field %u is not in the schema", field);
  if (qm_field_shape(out->field) != (qm_shape_id)shape)
    return qm_fail(&w->error, QM_ESCHEMA, "%.*s: a field of another type", (int)out->field->name.n,
                   (const char *)out->field->name.p);
  return QM_OK;
}

int qm__write_copy(qm_write *w, qm_slice *value) {
  uint8_t *p = qm_arena_copy(qm__write_arena(w), value->p, value->n);
  if (!p) return QM_ENOMEM;
  value->p = p;
  return QM_OK;
}

int qm__write_op(qm_write *w, const qm_target *t, qm_op op) {
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit(w, t->l, op);
}

/* Takes the buffer. */
static int keep_value(qm_write *w, qm_buf *b, qm_slice *out) {
  int rc = qm_buf_status(b);
  *out = qm_buf_slice(b);
  if (rc == QM_OK) rc = qm__write_copy(w, out);
  qm_buf_free(b);
  return rc;
}

int qm__write_text_value(qm_write *w, qm_slice text, qm_slice *out) {
  qm_buf b;
  qm_buf_init(&b, w->e->env, QM_VALUE_MAX);
  qm_mp_str(&b, text.p, text.n);
  return keep_value(w, &b, out);
}

int qm__write_int_value(qm_write *w, int64_t v, qm_slice *out) {
  qm_buf b;
  qm_buf_init(&b, w->e->env, 16);
  qm_mp_int(&b, v);
  return keep_value(w, &b, out);
}

int qm__write_check(qm_write *w, const qm_target *t, qm_slice value) {
  if (!t->field || w->flags & QM_WRITE_HOME) return qm_value_check(value);
  QM_TRY(qm_value_check(value));
  return qm__field_value_fits(t->field, value, &w->error);
}

int qm__write_judge(qm_write *w, const qm_target *t, qm_slice value) {
  if (!t->field || qm__write_raw(w) || w->flags & QM_WRITE_HOME) return QM_OK;
  return qm_check_value(w->s->schema, t->field, value, &w->error);
}

/* --- records --- */

int qm__write_random_id(qm_write *w, qm_id *out) {
  return w->e->env->random(w->e->env->payload, out->b, sizeof out->b);
}

static int is_key(qm_write *w, const qm_collection_def *c, qm_slice key, qm_slice value,
                  int *out) {
  qm_cur in;
  qm_slice text;
  qm_buf norm;
  qm_cur_init(&in, value);
  if (qm_cur_str(&in, &text) != QM_OK) return QM_OK;
  qm_buf_init(&norm, w->e->env, QM_VALUE_MAX * 4);
  int rc = qm_norm_key(&norm, text, (qm_norm_form)c->key_form);
  *out = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&norm), key) == 0;
  qm_buf_free(&norm);
  return rc;
}

/* Visible, and the key is among the siblings of the key field in its class. The records
 * themselves are asked: what this change wrote is in no index yet. */
static int lists_key(qm_write *w, const qm_collection_def *c, qm_slice key,
                     const qm_record_class *cls, int *out) {
  int seen = 0;
  *out = 0;
  for (uint32_t i = 0; i < cls->n && !seen; i++) {
    qm_loaded *l;
    QM_TRY(qm__space_record(w->s, &cls->members[i]->id, &l));
    seen = qm_record_visible(&l->record) || qm__write_touched(l);
  }
  const qm_cell *cell;
  QM_TRY(qm__class_cell(cls, &w->s->authors, c->key_field, QM_SIBLINGS, qm__write_arena(w), &cell));
  const qm_siblings *v = cell && seen ? qm_siblings_of(cell) : NULL;
  for (uint32_t k = 0; v && k < v->n && !*out; k++)
    if (!v->p[k].hidden) QM_TRY(is_key(w, c, key, v->p[k].value, out));
  return QM_OK;
}

/* HMAC-SHA-256(space secret; collection, key in normal form, n)[0..16], least n whose
 * record here is absent, or is visible and lists that key (S3.11). */
static int key_id(qm_write *w, const qm_collection_def *c, qm_slice key, qm_id *out,
                  int *existing) {
  for (uint32_t n = 0; n < 10000; n++) {
    qm_hash mac;
    qm_loaded *l;
    qm_record_class cls;
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
    QM_TRY(qm_class_of(w->e, w->s, &l->record, 0, qm__write_arena(w), &cls));
    QM_TRY(lists_key(w, c, key, &cls, existing));
    if (!*existing) continue;
    *out = cls.id;
    return QM_OK;
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

int qm__write_emit_new(qm_write *w, uint32_t collection, const qm_id *id) {
  qm_loaded *l;
  qm_op op = {.shape = QM_PRESENCE, .kind = QM_KIND_NEW};
  QM_TRY(qm__space_record(w->s, id, &l));
  QM_TRY(qm__write_int_value(w, collection, &op.value));
  return qm__write_emit(w, l, op);
}

/* A record that was here once is brought back by restore, not made anew. */
static int given_id(qm_write *w, const qm_id *id, qm_id *out) {
  qm_loaded *l;
  *out = *id;
  if (qm__write_raw(w)) return QM_OK;
  QM_TRY(qm__space_record(w->s, id, &l));
  return qm_record_empty(&l->record) ? QM_OK : QM_EEXIST;
}

int qm_write_new(qm_write *w, uint32_t collection, const qm_id *id, qm_slice key, qm_id *out,
                 int *existing) {
  const qm_collection_def *c = w->s->schema ? qm_schema_collection(w->s->schema, collection) : NULL;
  memset(&w->error, 0, sizeof w->error);
  *existing = 0;
  if (w->broken) return QM_ESTATE;
  if (!qm__write_raw(w) && !c)
    return qm__write_fail(
        w, qm_fail(&w->error, QM_ESCHEMA, "collection %u is not in the schema", collection), "new");
  int rc = qm__write_may(w, c);
  if (rc == QM_OK && id)
    rc = given_id(w, id, out);
  else if (rc == QM_OK && key.n && c && c->key_field)
    rc = new_by_key(w, c, key, out, existing);
  else if (rc == QM_OK)
    rc = qm__write_random_id(w, out);
  if (rc == QM_OK && !*existing) rc = qm__write_emit_new(w, collection, out);
  return qm__write_fail(w, rc, "new");
}

/* Every member that is there goes; one that is deleted already stays as it is. */
static int delete_class(qm_write *w, const qm_id *record, qm_slice token) {
  qm_target t;
  const qm_op op = {.shape = QM_PRESENCE, .kind = QM_KIND_DELETE};
  QM_TRY(qm__write_target(w, record, 0, token, &t));
  if (t.cls.n == 1) return qm__write_emit(w, t.l, op);
  for (uint32_t i = 0; i < t.cls.n; i++) {
    const qm_record *r = t.cls.members[i];
    if (r == &t.l->record || qm_record_visible(r) || qm_marks_collide(&r->marks))
      QM_TRY(qm__write_emit_on(w, &t, r, op));
  }
  return QM_OK;
}

int qm_write_delete(qm_write *w, const qm_id *record, qm_slice token) {
  return qm__write_fail(w, delete_class(w, record, token), "delete");
}

static int restore_member(qm_write *w, const qm_target *t, const qm_record *member) {
  qm_loaded *l;
  const qm_op op = {.shape = QM_PRESENCE, .kind = QM_KIND_RESTORE};
  QM_TRY(qm__space_record(w->s, &member->id, &l));
  QM_TRY(qm__write_emit_on(w, t, member, op));
  w->touched[l->touched - 1].restored = 1;
  return QM_OK;
}

static int restore_class(qm_write *w, const qm_id *record) {
  qm_target t;
  int rc = qm__write_target(w, record, 0, qm_slice_of(NULL, 0), &t);
  if (rc == QM_EINVISIBLE || (rc == QM_OK && qm__write_raw(w)))
    return restore_member(w, &t, &t.l->record);
  QM_TRY(rc);
  /* Visible: settles that somebody had deleted it. */
  for (uint32_t i = 0; i < t.cls.n; i++)
    if (qm_marks_collide(&t.cls.members[i]->marks))
      QM_TRY(restore_member(w, &t, t.cls.members[i]));
  return QM_OK;
}

int qm_write_restore(qm_write *w, const qm_id *record) {
  return qm__write_fail(w, restore_class(w, record), "restore");
}

/* --- sets --- */

static int class_cell(qm_write *w, const qm_target *t, uint32_t field, unsigned shape,
                      const qm_cell **out) {
  return qm__class_cell(&t->cls, &w->s->authors, field, shape, qm__write_arena(w), out);
}

/* The elements that show the same as this one: ids of one class. */
static int same_elements(qm_write *w, const qm_cell *cell, qm_slice element, qm_slice **out,
                         uint32_t *n) {
  const qm_keyed *k = qm_keyed_of(cell);
  *n = 0;
  *out = qm_arena_array(qm__write_arena(w), k->n, sizeof **out);
  if (!*out) return QM_ENOMEM;
  for (uint32_t i = 0; i < k->n; i++) {
    int same;
    QM_TRY(qm_class_ref_same(w->e, w->s, k->p[i].value, element, qm__write_arena(w), &same));
    if (same) (*out)[(*n)++] = k->p[i].value;
  }
  return QM_OK;
}

static int add_element(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                       unsigned flags) {
  qm_target t;
  QM_TRY(qm__write_target_field(w, record, field, QM_KEYED, qm_slice_of(NULL, 0), &t));
  QM_TRY(qm__write_check(w, &t, element));
  const qm_cell *cell;
  QM_TRY(class_cell(w, &t, field, QM_KEYED, &cell));
  int held = cell && qm_keyed_find(qm_keyed_of(cell), element);
  if (cell && !held && qm__write_is_ref(&t)) {
    qm_slice *same;
    uint32_t n;
    QM_TRY(same_elements(w, cell, element, &same, &n));
    held = n != 0;
  }
  if (held && !qm__write_raw(w) && !(flags & QM_WRITE_AGAIN)) return QM_OK;
  if (!held) QM_TRY(qm__write_judge(w, &t, element));
  qm_op op = {.field = field, .shape = QM_KEYED, .kind = QM_KIND_ADD, .value = element};
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit(w, t.l, op);
}

int qm_write_add(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                 unsigned flags) {
  return qm__write_fail(w, add_element(w, record, field, element, flags), "add");
}

/* The dots of the element on one member, as far as the writer was shown them. */
static int remove_from(qm_write *w, const qm_target *t, const qm_record *member, uint32_t field,
                       qm_slice element) {
  const qm_cell *cell = qm_record_cell(member, field, QM_KEYED);
  const qm_element *el = cell ? qm_keyed_find(qm_keyed_of(cell), element) : NULL;
  uint32_t n = 0, count = el ? el->n : 0;
  qm_dot *p = qm_arena_array(qm__write_arena(w), count, sizeof *p);
  if (!p) return QM_ENOMEM;
  qm_dots shown = qm__token_dots(&t->token, field);
  for (uint32_t i = 0; i < count; i++) {
    qm_dot d = el->dots[i].dot;
    if (qm__write_raw(w) || qm__write_own(w, d) || qm_dots_hold(shown, d)) p[n++] = d;
  }
  if (!n && !qm__write_raw(w)) return QM_OK;
  const qm_op op = {
      .field = field, .shape = QM_KEYED, .kind = QM_KIND_REMOVE, .dots = {p, n}};
  return qm__write_emit_on(w, t, member, op);
}

static int remove_element(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                          qm_slice token) {
  qm_target t;
  QM_TRY(qm__write_target_field(w, record, field, QM_KEYED, token, &t));
  qm_slice *elements = &element;
  uint32_t n = 1;
  const qm_cell *cell = NULL;
  if (qm__write_is_ref(&t) && !qm__write_raw(w)) QM_TRY(class_cell(w, &t, field, QM_KEYED, &cell));
  if (cell) QM_TRY(same_elements(w, cell, element, &elements, &n));
  for (uint32_t k = 0; k < n; k++)
    for (uint32_t i = 0; i < t.cls.n; i++)
      QM_TRY(remove_from(w, &t, t.cls.members[i], field, elements[k]));
  return QM_OK;
}

int qm_write_remove(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                    qm_slice token) {
  return qm__write_fail(w, remove_element(w, record, field, element, token), "remove");
}

/* --- counters and logs --- */

static int inc(qm_write *w, const qm_id *record, uint32_t field, int64_t delta) {
  qm_target t;
  const qm_cell *cell;
  QM_TRY(qm__write_target_field(w, record, field, QM_TOTALS, qm_slice_of(NULL, 0), &t));
  QM_TRY(class_cell(w, &t, field, QM_TOTALS, &cell));
  int64_t sum = 0, next;
  if (!qm__write_raw(w) && (qm_totals_sum(cell ? qm_totals_of(cell) : NULL, &sum) != QM_OK ||
                               __builtin_add_overflow(sum, delta, &next)))
    return qm_fail(&w->error, QM_ESCHEMA, "the counter would leave the range of 64 bits");
  qm_op op = {.field = field, .shape = QM_TOTALS, .kind = QM_KIND_INC};
  QM_TRY(qm__write_int_value(w, delta, &op.value));
  return qm__write_emit(w, t.l, op);
}

int qm_write_inc(qm_write *w, const qm_id *record, uint32_t field, int64_t delta) {
  return qm__write_fail(w, inc(w, record, field, delta), "inc");
}

static int append(qm_write *w, const qm_id *record, uint32_t field, qm_slice value) {
  qm_target t;
  QM_TRY(qm__write_target_field(w, record, field, QM_ENTRIES, qm_slice_of(NULL, 0), &t));
  QM_TRY(qm__write_check(w, &t, value));
  QM_TRY(qm__write_judge(w, &t, value));
  const qm_cell *cell;
  QM_TRY(class_cell(w, &t, field, QM_ENTRIES, &cell));
  if (t.field && qm_is_ledger(t.field) && !qm__write_raw(w))
    QM_TRY(qm_ledger_check(&w->s->authors, cell ? qm_entries_of(cell) : NULL, t.field, value,
                           &w->error));
  qm_op op = {.field = field, .shape = QM_ENTRIES, .kind = QM_KIND_APPEND, .value = value};
  if (cell) {
    const qm_entries *v = qm_entries_of(cell);
    qm_time last = v->p[v->n - 1].order;
    if (w->change.time <= last && last < UINT64_MAX) {
      op.flags |= QM_OP_ORDER; /* stands after what its writer saw, whatever the clocks say */
      op.order = last + 1;
    }
  }
  QM_TRY(qm__write_copy(w, &op.value));
  return qm__write_emit(w, t.l, op);
}

int qm_write_append(qm_write *w, const qm_id *record, uint32_t field, qm_slice value) {
  return qm__write_fail(w, append(w, record, field, value), "append");
}

/* --- commit --- */

/* S3.7: what the deciding op of a record says of its marks. An edit keeps only
 * *deleted* marks that its reading did not show, a delete only *edited* ones; all
 * else it had seen is replaced. Restore keeps none. */
static int list_marks(qm_write *w, qm_loaded *l, qm_op *op) {
  qm_touched *t;
  qm_dots shown;
  uint32_t n = 0;
  if (op->shape == QM_PRESENCE && op->kind != QM_KIND_DELETE) return QM_OK; /* new, restore: all */
  int deletes = op->shape == QM_PRESENCE;
  const qm_marks *m = &l->record.marks;
  if (!m->n) return QM_OK;
  QM_TRY(touch(w, l, &t));
  if (t->restored) return QM_OK;
  if (t->has_token)
    shown = t->token.marks;
  else
    QM_TRY(qm__token_marks(&l->record, QM_READ_VALUES, qm__write_arena(w), &shown));
  qm_dot *p = qm_arena_array(qm__write_arena(w), m->n, sizeof *p);
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
  QM_TRY(qm__write_steps_end(w));
  QM_TRY(qm__write_relations_end(w));
  QM_TRY(decide_marks(w));
  qm_buf_init(&row, w->e->env, QM_CHANGE_MAX);
  (void)qm_buf_reserve(&row, ROW_FIRST + ROW_OP * (size_t)c->n_ops);
  qm_change_row(c, &s->authors, &row);
  int rc = qm_buf_status(&row);
  if (rc == QM_OK) {
    qm_open_row open = {c->counter, qm_buf_slice(&row)};
    rc = w->e->store->ops->open_append(w->e->store, s->number, &open);
    w->e->own_writes++;
  }
  qm_buf_free(&row);
  QM_TRY(rc);
  QM_TRY(qm__space_marks(s, c));
  qm__space_advance(s, c);
  s->states[c->author].dirty = 1; /* though what waited was saved meanwhile */
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
  for (uint32_t i = 0; rc == QM_OK && i < w->n_touched; i++) w->touched[i].l->touched = 0;
  qm_free(e->env, w);
  if (rc == QM_OK) return qm_engine_commit(e, durability, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}
