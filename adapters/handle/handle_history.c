/* handle_history.c: what the log says: who changed which field when. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/logged.h"

/* ---- walking the log and the open run ---- */

typedef struct walk {
  qm_db *db;
  qm_space *s;
  qm_visit_effect visit;
  void *payload;
  uint64_t seq;
} walk;

static int visit_change(walk *w, const qm_change *c, qm_arena *arena) {
  for (uint32_t i = 0; i < c->n_ops; i++) QM_TRY(w->visit(w->payload, c, &c->ops[i], arena));
  return QM_OK;
}

static int visit_batch(walk *w, qm_slice blob, qm_arena *arena) {
  qm_batch batch;
  QM_TRY(qm__logged_batch(w->s, blob, 1, arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++)
    for (uint32_t k = 0; k < batch.segments[i].n_changes; k++)
      QM_TRY(visit_change(w, &batch.segments[i].changes[k], arena));
  return QM_OK;
}

/* What a stored batch or change cannot be read for is damage here. */
static int stored(int rc) {
  qm_class c = qm_err_class(rc);
  return rc == QM_OK || rc == QM_ENOMEM || c == QM_CLASS_STORAGE ? rc : QM_ECORRUPT;
}

static int take_row(void *payload, const qm_log_row *row) {
  walk *w = payload;
  qm_arena arena;
  w->seq = row->seq;
  qm_arena_init(&arena, &w->db->env, QM_HANDLE_ARENA_MAX);
  int rc = visit_batch(w, row->batch, &arena);
  qm_arena_free(&arena);
  return stored(rc);
}

static int take_open(void *payload, const qm_open_row *row) {
  walk *w = payload;
  qm_arena arena;
  qm_change c;
  qm_arena_init(&arena, &w->db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm_change_unrow(&c, row->change, qm_space_authors(w->s), &arena);
  if (rc == QM_OK) rc = visit_change(w, &c, &arena);
  qm_arena_free(&arena);
  return stored(rc);
}

int qm__handle_effects(qm_db *db, qm_space *s, qm_visit_effect visit, void *payload) {
  walk w = {db, s, visit, payload, 0};
  const qm_vv nothing = {NULL, 0, 0};
  qm_store *store = db->store;
  int rc = QM_OK;
  while (rc == QM_OK)
    rc = store->ops->log_after(store, qm__handle_number(s), &nothing, w.seq, take_row, &w);
  if (rc != QM_ENOTFOUND) return rc;
  return store->ops->open_list(store, qm__handle_number(s), take_open, &w);
}

/* ---- one effect as JSON ---- */

static const char *name_of(const qm_op *op) {
  static const char *const names[QM_SHAPES][3] = {
      {"new", "delete", "restore"}, {"set", "raise", NULL}, {"add", "remove", NULL},
      {"inc", NULL, NULL},          {"append", NULL, NULL}, {"insert", "cut", "trim"}};
  const char *name = op->shape < QM_SHAPES && op->kind < 3 ? names[op->shape][op->kind] : NULL;
  return name ? name : "unknown";
}

static void put_field(qm_buf *b, const qm_op *op, const qm_field_def *f) {
  qm__handle_put(b, "\"field\":");
  if (op->shape == QM_PRESENCE || !op->field) {
    qm__handle_put(b, "null");
  } else if (f) {
    qm_json_str(b, f->name);
  } else { /* of a newer schema */
    qm__handle_put(b, "\"#");
    qm__handle_put_u64(b, op->field);
    qm_buf_byte(b, '"');
  }
}

/* Merging and taking out, and what is not one; *other: the greater of the two. */
static const char *name_of_edge(const qm_op *op, int *edge, qm_id *other) {
  int added = op->kind == QM_KIND_ADD;
  int distinct = added && qm_distinct_read(&op->record, op->value, other);
  *edge = distinct || (added && qm__edge_read(&op->record, op->value, other));
  if (op->kind == QM_KIND_REMOVE) return "unlink";
  return distinct ? "distinct" : *edge ? "merge" : "unmerge";
}

static void put_edge(qm_buf *b, const qm_op *op) {
  qm_id other;
  int edge;
  const char *name = name_of_edge(op, &edge, &other);
  qm__handle_put(b, ",\"op\":\"");
  qm__handle_put(b, name);
  qm_buf_byte(b, '"');
  if (!edge) return;
  qm__handle_put(b, ",\"value\":");
  qm__handle_put_id(b, &other);
}

/* An insert's value is a text, or an array of elements: each is put as the field's value. */
static void put_inserted(qm_buf *b, const qm_field_def *f, qm_slice value) {
  qm_cur c;
  uint32_t n = 0;
  qm_slice element;
  qm_cur_init(&c, value);
  if (qm_cur_array(&c, &n) != QM_OK) {
    qm__handle_put_value(b, f, value);
    return;
  }
  qm_buf_byte(b, '[');
  for (uint32_t i = 0; i < n && qm_cur_value(&c, QM_VALUE_DEPTH, &element) == QM_OK; i++) {
    if (i) qm_buf_byte(b, ',');
    qm__handle_put_value(b, f, element);
  }
  qm_buf_byte(b, ']');
}

void qm__handle_put_effect(qm_buf *b, const qm_collection_def *c, const qm_op *op, int hidden) {
  const qm_field_def *f = c ? qm_collection_field(c, op->field) : NULL;
  uint64_t cut = 0;
  put_field(b, op, f);
  if (op->shape == QM_KEYED && !op->field) {
    put_edge(b, op);
    return;
  }
  int lowers =
      op->shape == QM_SIBLINGS && op->kind == QM_KIND_BESIDE && f && f->type == QM_FIELD_MIN;
  qm__handle_put(b, ",\"op\":\"");
  qm__handle_put(b, lowers ? "lower" : name_of(op));
  qm_buf_byte(b, '"');
  if (op->shape == QM_SEQUENCE && op->kind != QM_KIND_INSERT) {
    for (uint32_t i = 0; i < op->cuts.n; i++) cut += op->cuts.p[i].len;
    qm__handle_put(b, ",\"count\":");
    qm__handle_put_u64(b, cut);
  } else if (hidden) {
    qm__handle_put(b, ",\"hidden\":true");
  } else if (op->flags & QM_OP_ERASED) {
    qm__handle_put(b, ",\"value\":{\"$erased\":true}");
  } else if (op->value.n && op->shape != QM_PRESENCE) {
    qm__handle_put(b, ",\"value\":");
    if (op->shape == QM_SEQUENCE)
      put_inserted(b, f, op->value);
    else
      qm__handle_put_value(b, f, op->value);
  }
}

/* ---- the history of one record ---- */

/* Elements added so far: a removal names dots, and people want to read which element. */
typedef struct added {
  struct added *next;
  qm_dot dot;
  qm_slice value;
} added;

/* Whether a field may be shown, asked once. */
typedef struct veil {
  struct veil *next;
  uint32_t field;
  int hidden;
} veil;

typedef struct history {
  qm_engine *engine;
  qm_space *s;
  veil *veils;
  const qm_collection_def *c;
  qm_id record;
  qm_who who;
  qm_arena arena;
  added *added;
  qm_buf *out;
} history;

static int note_added(history *h, const qm_change *c, const qm_op *op) {
  added *a = qm_arena_zero(&h->arena, sizeof *a);
  uint8_t *copy = qm_arena_copy(&h->arena, op->value.p, op->value.n);
  if (!a || !copy) return QM_ENOMEM;
  a->dot = (qm_dot){op->counter, c->author};
  a->value = qm_slice_of(copy, op->value.n);
  a->next = h->added;
  h->added = a;
  return QM_OK;
}

static void put_removed(history *h, const qm_op *op) {
  const qm_field_def *f = h->c ? qm_collection_field(h->c, op->field) : NULL;
  for (uint32_t i = 0; i < op->dots.n; i++)
    for (const added *a = h->added; a; a = a->next)
      if (qm_dot_eq(a->dot, op->dots.p[i])) {
        qm__handle_put(h->out, ",\"value\":");
        qm__handle_put_value(h->out, f, a->value);
        return; /* all dots of one removal are of one element */
      }
}

static int is_hidden(history *h, uint32_t field, int *out) {
  veil *v = h->veils;
  while (v && v->field != field) v = v->next;
  if (!v) {
    v = qm_arena_zero(&h->arena, sizeof *v);
    if (!v) return QM_ENOMEM;
    v->field = field;
    QM_TRY(qm_field_hidden(h->engine, h->s, &h->record, field, QM_CLASS_COMMITTED, &h->arena,
                           &v->hidden));
    v->next = h->veils;
    h->veils = v;
  }
  *out = v->hidden;
  return QM_OK;
}

static void put_before(history *h, const qm_past *past) {
  const qm_op *op = past->op;
  const qm_field_def *f = h->c ? qm_collection_field(h->c, op->field) : NULL;
  if (past->before.n) {
    qm__handle_put(h->out, ",\"from\":");
    qm__handle_put_value(h->out, f, past->before);
  }
  if (past->concurrent) qm__handle_put(h->out, ",\"concurrent\":true");
}

static int take_past(void *payload, const qm_past *past) {
  history *h = payload;
  const qm_op *op = past->op;
  qm_buf *b = h->out;
  qm_dot dot = {op->counter, past->change->author};
  int keyed = op->shape == QM_KEYED, hidden;
  QM_TRY(is_hidden(h, op->field, &hidden));
  if (keyed && op->kind == QM_KIND_ADD && op->value.n) QM_TRY(note_added(h, past->change, op));
  qm_buf_byte(b, '{');
  qm__handle_put_dot(b, &h->who, h->s, dot, past->change->time);
  qm_buf_byte(b, ',');
  qm__handle_put_effect(b, h->c, op, hidden);
  if (keyed && op->field && op->kind == QM_KIND_REMOVE && !hidden) put_removed(h, op);
  if (!hidden) put_before(h, past);
  int held = qm_vv_covers(qm_space_acknowledged(h->s), dot);
  qm__handle_put(b, held ? ",\"acknowledged\":true}\n" : ",\"acknowledged\":false}\n");
  return qm_buf_status(b) == QM_OK ? QM_OK : QM_ENOMEM;
}

/* 1 where the record is known here at all. */
static int is_known(qm_db *db, const history *h, int *out) {
  const qm_record *r;
  qm_reading reading = {.db = db, .s = h->s};
  qm_arena_init(&reading.arena, &db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm__read_stored(db->engine, h->s, &h->record, &reading.arena, &r);
  qm_arena_free(&reading.arena);
  *out = rc == QM_OK;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int put_history(qm_db *db, qm_slice space, qm_slice collection, qm_slice name, qm_buf *b,
                       qm_error *e) {
  history h = {.engine = db->engine, .out = b};
  int whole = 0, known = 0;
  QM_TRY(qm__handle_space(db, space, &h.s, e));
  QM_TRY(qm__handle_collection(h.s, collection, &h.c, e));
  QM_TRY(qm__handle_record(db, h.s, h.c, name, &h.record, e));
  qm_arena_init(&h.arena, &db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm__handle_who(db, &h.who);
  if (rc == QM_OK)
    rc = qm_engine_history(db->engine, h.s, &h.record, take_past, &h, &whole);
  if (rc == QM_OK && !whole) rc = is_known(db, &h, &known);
  if (rc == QM_OK && !b->n && !known) rc = QM_ENOTFOUND;
  if (rc == QM_OK && !whole) qm__handle_put(b, "{\"older\":\"hub\"}\n");
  qm__handle_who_free(&h.who);
  qm_arena_free(&h.arena);
  return rc == QM_OK ? rc : qm_fail(e, rc, "log: %s", qm_err_text(rc));
}

int32_t qm_history(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, qm_text *out,
                   qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "log: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = put_history(db, space, collection, record, &b, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
