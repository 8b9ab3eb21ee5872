#include "core/fork_chain.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/base.h"
#include "core/ingest_log.h"

#define ROW_ARENA ((size_t)128 << 20)

/* --- equal changes --- */

/* Where either of the two was erased nothing can be said of the value; it has no effect in
 * either. */
static void row_of(const qm_space *s, const qm_change *c, const qm_change *other, qm_op *ops,
                   qm_buf *out) {
  qm_change plain = *c;
  for (uint32_t i = 0; i < c->n_ops; i++) {
    ops[i] = c->ops[i];
    ops[i].named = QM_BY_ID;
    if (!((c->ops[i].flags | other->ops[i].flags) & QM_OP_ERASED)) continue;
    ops[i].flags |= QM_OP_ERASED;
    ops[i].value = qm_slice_of(NULL, 0);
    memset(ops[i].leaf, 0, sizeof ops[i].leaf);
  }
  plain.ops = ops;
  qm_buf_clear(out);
  qm_change_row(&plain, &s->authors, out);
}

int qm__chain_same(qm_space *s, const qm_change *a, const qm_change *b, int *same) {
  const qm_env *env = s->engine->env;
  qm_buf x, y;
  *same = a->counter == b->counter && a->next == b->next && a->n_ops == b->n_ops;
  if (!*same) return QM_OK;
  qm_op *ops = qm_alloc_array(env, a->n_ops, sizeof *ops);
  if (!ops) return QM_ENOMEM;
  qm_buf_init(&x, env, SIZE_MAX / 2);
  qm_buf_init(&y, env, SIZE_MAX / 2);
  row_of(s, a, b, ops, &x);
  row_of(s, b, a, ops, &y);
  int rc = qm_buf_status(&x) != QM_OK ? qm_buf_status(&x) : qm_buf_status(&y);
  *same = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&x), qm_buf_slice(&y)) == 0;
  qm_buf_free(&x);
  qm_buf_free(&y);
  qm_free(env, ops);
  return rc;
}

/* --- the author's segments --- */

typedef struct walk {
  qm_space *s;
  uint32_t author;
  uint64_t from, seq;
  qm__visit_segment visit;
  void *payload;
  qm_arena arena;
} walk;

static int walk_row(void *payload, const qm_log_row *row) {
  walk *w = payload;
  qm_batch batch;
  w->seq = row->seq;
  qm_arena_reset(&w->arena);
  QM_TRY(qm__log_decode(w->s, row->batch, &w->arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    const qm_segment *g = &batch.segments[i];
    if (g->author != w->author || g->next <= w->from) continue;
    QM_TRY(w->visit(w->payload, g, &w->arena));
  }
  return QM_OK;
}

static int only(const qm_space *s, uint32_t author, uint64_t from, qm_vv *out) {
  for (uint32_t a = 0; a < s->authors.n; a++)
    QM_TRY(qm_vv_set(s->engine->env, out, a, a == author ? from : UINT64_MAX));
  return QM_OK;
}

/* The row's visitor ends its own call of log_after with QM_STORE_STOP, so that is told by a
 * wrapper. */
typedef struct stopping {
  qm__visit_segment visit;
  void *payload;
  int stopped;
} stopping;

static int visit_or_stop(void *payload, const qm_segment *g, qm_arena *arena) {
  stopping *t = payload;
  if (t->stopped) return QM_OK;
  int rc = t->visit(t->payload, g, arena);
  t->stopped = rc == QM_STORE_STOP;
  return t->stopped ? QM_OK : rc;
}

int qm__chain_each(qm_space *s, uint32_t author, uint64_t from, qm__visit_segment visit,
                   void *payload) {
  qm_store *store = s->engine->store;
  qm_vv vv = {NULL, 0, 0};
  stopping t = {visit, payload, 0};
  QM_TRY(qm__log_settled(s));
  walk w = {.s = s, .author = author, .from = from, .visit = visit_or_stop, .payload = &t};
  qm_arena_init(&w.arena, s->engine->env, ROW_ARENA);
  int rc = only(s, author, from, &vv);
  while (rc == QM_OK && !t.stopped)
    rc = store->ops->log_after(store, s->number, &vv, w.seq, walk_row, &w);
  qm_vv_free(s->engine->env, &vv);
  qm_arena_free(&w.arena);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* --- a run that was closed earlier --- */

static uint32_t changes_below(const qm_segment *g, uint64_t at) {
  uint32_t n = 0;
  while (n < g->n_changes && g->changes[n].next <= at) n++;
  return n && g->changes[n - 1].next == at ? n : 0;
}

int qm__chain_prefix(const qm_segment *g, uint32_t n, qm_arena *arena, qm_segment *out) {
  if (!n || g->n_salts != 1 || g->salts[0].count != g->n_ops) return QM_ENOTFOUND;
  qm_salt *seed = qm_arena_copy(arena, g->salts, sizeof *seed);
  if (!seed) return QM_ENOMEM;
  *out = *g;
  out->n_changes = n;
  out->next = g->changes[n - 1].next;
  out->n_ops = 0;
  for (uint32_t i = 0; i < n; i++) out->n_ops += g->changes[i].n_ops;
  seed->count = out->n_ops;
  out->salts = seed;
  out->has_signature = 0;
  return QM_OK;
}

/* --- hashes --- */

typedef struct point {
  uint64_t at;
  qm_hash hash;
} point;

typedef struct points {
  qm_space *s;
  uint64_t at;
  const uint8_t *head;
  point *p;
  uint32_t n, cap;
  int found, unsure; /* unsure: an erased segment may have been closed there */
  qm_hash out;
} points;

static int add_point(points *x, uint64_t at, const qm_hash *hash) {
  if (at == x->at && (!x->head || memcmp(hash->b, x->head, QM_HEAD_SIZE) == 0)) {
    x->out = *hash;
    x->found = 1;
  }
  if (x->n == x->cap) {
    uint32_t cap = x->cap ? x->cap * 2 : 64;
    point *p = qm_realloc_array(x->s->engine->env, x->p, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    x->p = p;
    x->cap = cap;
  }
  x->p[x->n++] = (point){at, *hash};
  return QM_OK;
}

static const point *point_at(const points *x, uint64_t at, const uint8_t *head) {
  for (uint32_t i = x->n; i-- > 0;)
    if (x->p[i].at == at && memcmp(x->p[i].hash.b, head, QM_HEAD_SIZE) == 0) return &x->p[i];
  return NULL;
}

static int hash_of(points *x, const qm_segment *g, const qm_hash *previous, qm_arena *arena) {
  qm_hash hash;
  QM_TRY(qm_segment_hash(g, &x->s->id, previous, &x->s->authors, arena, &hash));
  return add_point(x, g->next, &hash);
}

static int meet_segment(void *payload, const qm_segment *g, qm_arena *arena) {
  points *x = payload;
  if (g->start >= x->at) return QM_STORE_STOP;
  const point *before = point_at(x, g->start, g->previous);
  if (!before) return QM_OK;
  qm_hash previous = before->hash;
  QM_TRY(hash_of(x, g, &previous, arena));
  uint32_t n = g->next > x->at ? changes_below(g, x->at) : 0;
  if (n) {
    qm_segment part;
    int rc = qm__chain_prefix(g, n, arena, &part);
    if (rc == QM_OK) rc = hash_of(x, &part, &previous, arena);
    if (rc == QM_ENOTFOUND) x->unsure = 1;
    if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
  }
  return x->found ? QM_STORE_STOP : QM_OK;
}

int qm__chain_hash(qm_space *s, uint32_t author, uint64_t at, const uint8_t *head, qm_hash *out) {
  points x = {.s = s, .at = at, .head = head};
  const qm_author_state *st = &s->states[author];
  qm__base base;
  if (at == st->closed && (!head || memcmp(st->head.b, head, QM_HEAD_SIZE) == 0)) {
    *out = st->head;
    return QM_OK;
  }
  QM_TRY(qm__base_get(s, author, &base));
  if (at < base.at) return QM_ECUT;
  int rc = add_point(&x, base.at, &base.head);
  if (rc == QM_OK && !x.found) rc = qm__chain_each(s, author, base.at, meet_segment, &x);
  if (rc == QM_OK && !x.found) rc = x.unsure ? QM_ECUT : QM_ENOTFOUND;
  *out = x.out;
  qm_free(s->engine->env, x.p);
  return rc;
}

/* Heads alone, where that says it. */
typedef struct looking {
  uint64_t at;
  const uint8_t *head;
  int met, on, inside;
} looking;

static int look(void *payload, const qm_segment *g, qm_arena *arena) {
  looking *l = payload;
  (void)arena;
  if (g->start > l->at) return QM_STORE_STOP;
  const uint8_t *head = g->next == l->at ? g->head : g->start == l->at ? g->previous : NULL;
  l->met = 1;
  if (head && memcmp(head, l->head, QM_HEAD_SIZE) == 0) l->on = 1;
  if (!head) l->inside = 1;
  return l->on ? QM_STORE_STOP : QM_OK;
}

int qm__chain_on(qm_space *s, uint32_t author, uint64_t at, const uint8_t *head, int *on) {
  const qm_author_state *st = &s->states[author];
  looking l = {.at = at, .head = head};
  qm_hash hash;
  *on = 1;
  if (!at || at > st->closed || at < qm_vv_get(&s->floor, author)) return QM_OK;
  if (at == st->closed && memcmp(st->head.b, head, QM_HEAD_SIZE) == 0) return QM_OK;
  QM_TRY(qm__chain_each(s, author, at - 1, look, &l));
  if (l.on || !l.met) return QM_OK;
  *on = 0;
  if (!l.inside) return QM_OK;
  int rc = qm__chain_hash(s, author, at, head, &hash);
  *on = rc == QM_OK || rc == QM_ECUT;
  return rc == QM_ECUT || rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* --- clock rows --- */

typedef struct clocking {
  qm_space *s;
  uint64_t at, to;
  qm_vv *clock;
  qm_time *time;
} clocking;

static int meet_clock(void *payload, const qm_segment *g, qm_arena *arena) {
  clocking *k = payload;
  (void)arena;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    if (c->counter < k->at) continue; /* a twin brought it */
    if (c->counter != k->at || c->next > k->to) return QM_STORE_STOP;
    for (uint32_t d = 0; d < c->n_deps; d++)
      QM_TRY(qm_vv_set(k->s->engine->env, k->clock, c->deps[d].author, c->deps[d].counter));
    k->at = c->next;
    *k->time = c->time;
  }
  return QM_OK;
}

int qm__chain_clock(qm_space *s, uint32_t author, uint64_t at, qm_vv *clock, qm_time *time) {
  qm__base base;
  QM_TRY(qm__base_get(s, author, &base));
  if (at < base.at) return QM_ECUT;
  clocking k = {s, base.at, at, clock, time};
  clock->n = 0;
  *time = base.time;
  QM_TRY(qm__base_clock(s, author, clock));
  if (base.at < at) QM_TRY(qm__chain_each(s, author, base.at, meet_clock, &k));
  if (k.at != at) return QM_ENOTFOUND;
  return qm_vv_set(s->engine->env, clock, author, at);
}

/* --- two continuations --- */

typedef struct comparing {
  qm_space *s;
  const qm_segment *g;
  uint64_t at;
  uint32_t n;
  int differs;
} comparing;

static int meet_other(void *payload, const qm_segment *g, qm_arena *arena) {
  comparing *x = payload;
  (void)arena;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    int same = 0;
    if (g->changes[i].counter < x->at) continue;
    if (x->n == x->g->n_changes) return QM_STORE_STOP;
    QM_TRY(qm__chain_same(x->s, &g->changes[i], &x->g->changes[x->n], &same));
    x->differs = !same;
    if (!same) return QM_STORE_STOP;
    x->at = g->changes[i].next;
    x->n++;
  }
  return QM_OK;
}

int qm__chain_compare(qm_space *s, const qm_segment *g, uint32_t *same, int *differs) {
  comparing x = {.s = s, .g = g, .at = g->start};
  *same = 0;
  *differs = 0;
  if (g->start < qm_vv_get(&s->floor, g->author)) return QM_ECUT;
  if (g->start < s->states[g->author].closed)
    QM_TRY(qm__chain_each(s, g->author, g->start, meet_other, &x));
  *same = x.n;
  *differs = x.differs;
  return QM_OK;
}
