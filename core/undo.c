#include "core/undo.h"

#include <string.h>

#include "core/crdt/siblings.h"
#include "core/mp.h"
#include "core/row.h"
#include "core/space.h"
#include "core/write.h"

#define NOTE 'u'
#define KEY_SIZE (1 + QM_AUTHOR_SIZE + 8)
#define NOTE_MAX (QM_RECORD_MAX + 1024u)

/* --- notes --- */

static void put_key(const qm_space *s, qm_dot dot, uint8_t key[KEY_SIZE]) {
  key[0] = NOTE;
  memcpy(key + 1, s->authors.ids[dot.author].b, QM_AUTHOR_SIZE);
  for (int i = 0; i < 8; i++)
    key[1 + QM_AUTHOR_SIZE + i] = (uint8_t)(dot.counter >> (56 - 8 * i));
}

int qm__settled_note(qm_space *s, const qm_id *record, uint32_t field, qm_dot dot,
                     const qm_slice *values, uint32_t n) {
  uint8_t key[KEY_SIZE];
  uint32_t first = n > QM_UNDO_VALUES ? n - QM_UNDO_VALUES : 0;
  qm_buf b;
  qm_store *store = s->engine->store;
  if (!(s->engine->flags & QM_ENGINE_INBOX) || !n) return QM_OK;
  put_key(s, dot, key);
  qm_buf_init(&b, s->engine->env, NOTE_MAX);
  qm_mp_array(&b, 3 + (size_t)(n - first));
  qm_mp_bin(&b, record->b, sizeof record->b);
  qm_mp_uint(&b, field);
  qm_mp_uint(&b, qm_engine_now(s->engine));
  for (uint32_t i = first; i < n; i++) qm_mp_bin(&b, values[i].p, values[i].n);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK)
    rc = store->ops->local_put(store, s->number, qm_slice_of(key, sizeof key), qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

static int decode(const qm_space *s, qm_slice key, qm_slice value, qm_slice *values,
                  qm_settled *out) {
  qm_cur c;
  qm_author author;
  uint32_t count = 0;
  memset(out, 0, sizeof *out);
  if (key.n != KEY_SIZE) return QM_ECORRUPT;
  memcpy(author.b, key.p + 1, QM_AUTHOR_SIZE);
  if (qm_authors_find(&s->authors, &author, &out->dot.author) != QM_OK) return QM_ECORRUPT;
  for (int i = 0; i < 8; i++)
    out->dot.counter = out->dot.counter << 8 | key.p[1 + QM_AUTHOR_SIZE + i];
  qm_cur_init(&c, value);
  qm_cur_array(&c, &count);
  qm_cur_bin_n(&c, out->record.b, sizeof out->record.b);
  qm_cur_uint32(&c, &out->field);
  if (qm_cur_uint(&c, &out->ms) != QM_OK || count < 4 || count > 3 + QM_UNDO_VALUES)
    return QM_ECORRUPT;
  for (; out->n < count - 3; out->n++)
    if (qm_cur_bin(&c, &values[out->n]) != QM_OK) return QM_ECORRUPT;
  out->values = values;
  return qm_cur_end(&c) == QM_OK ? QM_OK : QM_ECORRUPT;
}

typedef struct walk {
  const qm_space *s;
  qm_visit_settled visit;
  void *payload;
} walk;

static int walk_one(void *payload, qm_slice key, qm_slice value) {
  const walk *w = payload;
  qm_slice values[QM_UNDO_VALUES];
  qm_settled x;
  QM_TRY(decode(w->s, key, value, values, &x));
  return w->visit(w->payload, &x);
}

int qm_settled_each(qm_engine *e, qm_space *s, qm_visit_settled visit, void *payload) {
  static const uint8_t prefix[1] = {NOTE};
  walk w = {s, visit, payload};
  return e->store->ops->local_scan(e->store, s->number, qm_slice_of(prefix, 1),
                                   qm_slice_of(NULL, 0), walk_one, &w);
}

static int drop(qm_space *s, qm_dot dot) {
  uint8_t key[KEY_SIZE];
  put_key(s, dot, key);
  return s->engine->store->ops->local_put(s->engine->store, s->number,
                                          qm_slice_of(key, sizeof key), qm_slice_of(NULL, 0));
}

/* --- one change: a value beside the others --- */

static int moved_deps(qm_space *s, qm_arena *arena, qm_change *c) {
  const qm_vv *clock = &s->states[s->own].clock;
  qm_dot *deps = qm_arena_array(arena, s->vv.n, sizeof *deps);
  if (!deps) return QM_ENOMEM;
  for (uint32_t a = 0; a < s->vv.n; a++)
    if (a != s->own && s->vv.next[a] > qm_vv_get(clock, a))
      deps[c->n_deps++] = (qm_dot){s->vv.next[a], a};
  c->deps = deps;
  return QM_OK;
}

/* An edit from a reading of the values keeps the marks of deletes (S3.7). */
static int list_marks(const qm_record *r, qm_arena *arena, qm_op *op) {
  const qm_marks *m = &r->marks;
  qm_dot *p = qm_arena_array(arena, m->n, sizeof *p);
  uint32_t n = 0;
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < m->n; i++)
    if (!m->p[i].deleted) p[n++] = m->p[i].dot;
  if (n == m->n) return QM_OK;
  op->flags |= QM_OP_MARKS;
  op->marks = (qm_dots){p, n};
  return QM_OK;
}

static int keep_open(qm_space *s, const qm_change *c) {
  qm_buf row;
  qm_store *store = s->engine->store;
  qm_buf_init(&row, s->engine->env, QM_CHANGE_MAX);
  qm_change_row(c, &s->authors, &row);
  int rc = qm_buf_status(&row);
  if (rc == QM_OK) {
    qm_open_row open = {c->counter, qm_buf_slice(&row)};
    rc = store->ops->open_append(store, s->number, &open);
  }
  qm_buf_free(&row);
  return rc;
}

/* replaces: the settle's dot, or NULL. */
static int put_beside(qm_space *s, const qm_settled *x, qm_slice value, const qm_dot *replaces) {
  qm_arena *arena = &s->engine->arena;
  qm_loaded *l;
  QM_TRY(qm__space_record(s, &x->record, &l));
  qm_op *op = qm_arena_zero(arena, sizeof *op);
  if (!op) return QM_ENOMEM;
  *op = (qm_op){.record = x->record,
                .field = x->field,
                .shape = QM_SIBLINGS,
                .kind = QM_KIND_BESIDE,
                .flags = QM_OP_LISTED,
                .span = 1,
                .value = value};
  if (replaces) {
    qm_dot *p = qm_arena_copy(arena, replaces, sizeof *replaces);
    if (!p) return QM_ENOMEM;
    op->dots = (qm_dots){p, 1};
  }
  QM_TRY(list_marks(&l->record, arena, op));
  qm_change c = {.author = s->own,
                 .counter = qm_vv_get(&s->vv, s->own),
                 .time = qm_time_next(s->states[s->own].time, qm_engine_now(s->engine)),
                 .ops = op,
                 .n_ops = 1};
  op->counter = c.counter;
  c.next = c.counter + 1;
  QM_TRY(moved_deps(s, arena, &c));
  QM_TRY(keep_open(s, &c));
  return qm__space_apply(s, &c);
}

/* --- undo --- */

typedef struct finding {
  qm_dot dot;
  qm_arena *arena;
  qm_settled *out;
  int found;
} finding;

static int take_found(void *payload, const qm_settled *x) {
  finding *f = payload;
  if (x->dot.author != f->dot.author || x->dot.counter != f->dot.counter) return QM_OK;
  qm_slice *values = qm_arena_array(f->arena, x->n, sizeof *values);
  if (!values) return QM_ENOMEM;
  *f->out = *x;
  for (uint32_t i = 0; i < x->n; i++) {
    uint8_t *p = qm_arena_copy(f->arena, x->values[i].p, x->values[i].n);
    if (!p) return QM_ENOMEM;
    values[i] = qm_slice_of(p, x->values[i].n);
  }
  f->out->values = values;
  f->found = 1;
  return QM_STORE_STOP;
}

/* Nobody has written over it, and this device may write here. */
static int check(qm_space *s, const qm_settled *x) {
  const qm_collection_def *c;
  qm_loaded *l;
  QM_TRY(qm__space_record(s, &x->record, &l));
  if (!qm_record_visible(&l->record)) return QM_EINVISIBLE;
  c = s->schema ? qm_schema_collection(s->schema, qm_record_collection(&l->record)) : NULL;
  if (c && !qm_collection_writable(c, s->role)) return QM_EACCESS;
  const qm_cell *cell = qm_record_cell(&l->record, x->field, QM_SIBLINGS);
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  for (uint32_t i = 0; v && i < v->n; i++)
    if (v->p[i].dot.author == x->dot.author && v->p[i].dot.counter == x->dot.counter)
      return QM_OK;
  return QM_ESTALE;
}

static int undo(qm_engine *e, qm_space *s, const qm_settled *x) {
  QM_TRY(check(s, x));
  if (s->own == QM_NO_AUTHOR) QM_TRY(qm__space_author(s, &e->author, &s->own));
  for (uint32_t i = 0; i < x->n; i++)
    QM_TRY(put_beside(s, x, x->values[i], i ? NULL : &x->dot));
  return drop(s, x->dot);
}

int qm_settled_undo(qm_engine *e, qm_space *s, qm_dot dot) {
  qm_arena arena;
  qm_settled x;
  qm_write *w;
  finding f = {.dot = dot, .arena = &arena, .out = &x};
  /* A new epoch where one is due, as any write; and whether the space may be written. */
  QM_TRY(qm_write_begin(&w, e, s, 0));
  qm_write_cancel(w);
  qm_arena_init(&arena, e->env, NOTE_MAX * 2);
  int rc = qm_settled_each(e, s, take_found, &f);
  if (rc == QM_OK && !f.found) rc = QM_ENOTFOUND;
  if (rc == QM_OK) rc = qm_engine_begin(e);
  if (rc == QM_OK) {
    rc = undo(e, s, &x);
    if (rc == QM_OK) rc = qm_engine_commit(e, QM_DURABLE, NULL, NULL);
    else qm_engine_rollback(e);
  }
  qm_arena_free(&arena);
  return rc;
}

/* --- pruning --- */

typedef struct aged {
  qm_dot dot;
  uint64_t ms;
} aged;

typedef struct ageing {
  qm_arena *arena;
  aged *p;
  uint32_t n, cap;
} ageing;

static int take_age(void *payload, const qm_settled *x) {
  ageing *g = payload;
  if (g->n == g->cap) {
    uint32_t cap = g->cap ? g->cap * 2 : 64;
    g->p = qm_arena_grow(g->arena, g->p, g->cap, cap, sizeof *g->p);
    if (!g->p) return QM_ENOMEM;
    g->cap = cap;
  }
  uint32_t at = g->n++; /* into its place: the oldest first */
  for (; at && g->p[at - 1].ms > x->ms; at--) g->p[at] = g->p[at - 1];
  g->p[at] = (aged){x->dot, x->ms};
  return QM_OK;
}

static int prune_in(qm_space *s, const ageing *g, uint64_t before_ms) {
  for (uint32_t i = 0; i < g->n; i++)
    if (g->p[i].ms < before_ms || g->n - i > QM_UNDO_MAX) QM_TRY(drop(s, g->p[i].dot));
  return QM_OK;
}

int qm_settled_prune(qm_engine *e, qm_space *s, uint64_t before_ms) {
  qm_store *store = e->store;
  qm_arena arena;
  ageing g = {.arena = &arena};
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  qm_arena_init(&arena, e->env, (size_t)64 << 20);
  int rc = qm_settled_each(e, s, take_age, &g);
  int due = g.n && (g.p[0].ms < before_ms || g.n > QM_UNDO_MAX);
  if (rc == QM_OK && due) {
    rc = store->ops->begin(store);
    if (rc == QM_OK) rc = prune_in(s, &g, before_ms);
    if (rc == QM_OK) rc = store->ops->commit(store, QM_RELAXED, NULL, NULL);
    else store->ops->rollback(store);
  }
  qm_arena_free(&arena);
  return rc;
}
