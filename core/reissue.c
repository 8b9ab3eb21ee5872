#include "core/reissue.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/logged.h"

typedef struct mover {
  qm_space *s;
  qm_arena *arena;
  const qm_reissue *r;
  qm_move *moves; /* with that of the changes at hand */
  uint32_t n;
} mover;

void qm_reissue_author(const char *label, const qm_id *device, const qm_author *of, qm_slice more,
                       qm_author *out) {
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  qm_sha_add(&sha, label, strlen(label) + 1);
  qm_sha_add(&sha, of->b, QM_AUTHOR_SIZE);
  qm_sha_add(&sha, more.p, more.n);
  qm_sha_end(&sha, &hash);
  qm_author_make(out, device, hash.b);
}

/* --- dots --- */

static const qm_move *move_of(const mover *m, uint32_t author, uint64_t counter) {
  for (uint32_t i = 0; i < m->n; i++)
    if (m->moves[i].from == author && counter >= m->moves[i].first && counter < m->moves[i].next)
      return &m->moves[i];
  return NULL;
}

static qm_dot moved(const mover *m, qm_dot d) {
  const qm_move *v = move_of(m, d.author, d.counter);
  return v ? (qm_dot){v->to_first + (d.counter - v->first), v->to} : d;
}

static int move_dots(const mover *m, qm_dots *dots) {
  qm_dot *p = qm_arena_array(m->arena, dots->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < dots->n; i++) p[i] = moved(m, dots->p[i]);
  dots->p = p;
  return QM_OK;
}

/* How far a range goes from its beginning without a change of where it moves. */
static uint64_t stretch(const mover *m, const qm_range *r) {
  const qm_move *v = move_of(m, r->author, r->counter);
  uint64_t len = r->len;
  if (v) return v->next - r->counter < len ? v->next - r->counter : len;
  for (uint32_t i = 0; i < m->n; i++) {
    const qm_move *x = &m->moves[i];
    if (x->from == r->author && x->first > r->counter && x->first - r->counter < len)
      len = x->first - r->counter;
  }
  return len;
}

static int move_cuts(const mover *m, qm_ranges *cuts) {
  uint32_t n = 0, cap = cuts->n ? cuts->n : 1;
  qm_range *p = qm_arena_array(m->arena, cap, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < cuts->n; i++) {
    qm_range left = cuts->p[i];
    while (left.len) {
      uint64_t len = stretch(m, &left);
      qm_dot to = moved(m, (qm_dot){left.counter, left.author});
      if (n == cap) {
        p = qm_arena_grow(m->arena, p, cap, (size_t)cap * 2, sizeof *p);
        if (!p) return QM_ENOMEM;
        cap *= 2;
      }
      p[n++] = (qm_range){to.counter, len, to.author};
      left.counter += len;
      left.len -= len;
    }
  }
  *cuts = (qm_ranges){p, n};
  return QM_OK;
}

static int move_op(const mover *m, qm_op *op, uint64_t counter) {
  op->counter = counter;
  op->named = QM_BY_ID; /* the dot may be of a record that nobody else knows by it */
  QM_TRY(move_dots(m, &op->dots));
  QM_TRY(move_dots(m, &op->marks));
  QM_TRY(move_dots(m, &op->hides));
  QM_TRY(move_dots(m, &op->keeps));
  QM_TRY(move_cuts(m, &op->cuts));
  if (op->shape == QM_SEQUENCE && op->kind == QM_KIND_INSERT && !(op->flags & QM_OP_ROOT))
    op->parent = moved(m, op->parent);
  return QM_OK;
}

/* --- contexts --- */

/* What the change had seen, with what of that was moved. */
static int move_context(const mover *m, const qm_vv *seen, qm_vv *out) {
  const qm_env *env = m->s->engine->env;
  QM_TRY(qm_vv_merge(env, out, seen));
  for (uint32_t i = 0; i < m->n; i++) {
    const qm_move *v = &m->moves[i];
    uint64_t next = qm_vv_get(seen, v->from);
    if (next > v->next) next = v->next;
    if (next <= v->first) continue;
    next = v->to_first + (next - v->first);
    if (next > qm_vv_get(out, v->to)) QM_TRY(qm_vv_set(env, out, v->to, next));
  }
  for (uint32_t i = 0; i < m->n; i++) {
    const qm_move *v = &m->moves[i];
    if (v->fork && qm_vv_get(out, v->from) > v->first)
      QM_TRY(qm_vv_set(env, out, v->from, v->first));
  }
  return QM_OK;
}

/* In the order of author ids: numbers are this replica's own, and a hub that was put back makes
 * the same again. */
static void order_deps(const mover *m, qm_dot *deps, uint32_t n) {
  const qm_author *ids = m->s->authors.ids;
  for (uint32_t i = 1; i < n; i++) {
    qm_dot d = deps[i];
    uint32_t at = i;
    for (; at && qm_author_cmp(&ids[deps[at - 1].author], &ids[d.author]) > 0; at--)
      deps[at] = deps[at - 1];
    deps[at] = d;
  }
}

/* Those that moved since the new author's change before. */
static int new_deps(const mover *m, const qm_vv *context, qm_vv *clock, qm_change *c) {
  qm_dot *deps = qm_arena_array(m->arena, context->n, sizeof *deps);
  uint32_t n = 0;
  if (!deps) return QM_ENOMEM;
  for (uint32_t a = 0; a < context->n; a++) {
    if (a == c->author || context->next[a] <= qm_vv_get(clock, a)) continue;
    deps[n++] = (qm_dot){context->next[a], a};
    QM_TRY(qm_vv_set(m->s->engine->env, clock, a, context->next[a]));
  }
  order_deps(m, deps, n);
  c->deps = deps;
  c->n_deps = n;
  return QM_OK;
}

static int move_change(const mover *m, const qm_change *from, uint64_t counter, qm_vv *seen,
                       qm_vv *clock, qm_change *out) {
  const qm_env *env = m->s->engine->env;
  qm_vv context = {NULL, 0, 0};
  *out = *from;
  out->author = m->r->to;
  out->counter = counter;
  out->ops = qm_arena_copy(m->arena, from->ops, from->n_ops * sizeof *from->ops);
  if (!out->ops) return QM_ENOMEM;
  for (uint32_t i = 0; i < from->n_deps; i++)
    QM_TRY(qm_vv_set(env, seen, from->deps[i].author, from->deps[i].counter));
  QM_TRY(qm_vv_set(env, seen, from->author, from->counter));
  int rc = move_context(m, seen, &context);
  if (rc == QM_OK) rc = new_deps(m, &context, clock, out);
  qm_vv_free(env, &context);
  QM_TRY(rc);
  for (uint32_t i = 0; i < out->n_ops; i++) {
    QM_TRY(move_op(m, &out->ops[i], counter));
    counter += out->ops[i].span;
  }
  out->next = counter;
  return QM_OK;
}

/* --- the segment --- */

static int make_changes(const mover *m, const qm_vv *before, qm_segment *g) {
  const qm_env *env = m->s->engine->env;
  qm_vv seen = {NULL, 0, 0}, clock = {NULL, 0, 0};
  uint64_t counter = g->start;
  int rc = qm_vv_copy(env, &seen, m->r->context);
  if (rc == QM_OK) rc = qm_vv_copy(env, &clock, before);
  for (uint32_t i = 0; i < g->n_changes && rc == QM_OK; i++) {
    rc = move_change(m, &m->r->changes[i], counter, &seen, &clock, &g->changes[i]);
    counter = g->changes[i].next;
    g->n_ops += g->changes[i].n_ops;
  }
  g->next = counter;
  qm_vv_free(env, &seen);
  qm_vv_free(env, &clock);
  return rc;
}

int qm__reissue_changes(qm_space *s, const qm_reissue *r, const qm_vv *clock, qm_segment *g) {
  qm_arena *arena = &s->engine->arena;
  mover m = {.s = s, .arena = arena, .r = r, .n = r->n_moves};
  m.moves = qm_arena_copy(arena, r->moves, r->n_moves * sizeof *m.moves);
  g->n_changes = r->n_changes;
  g->n_ops = 0;
  g->changes = qm_arena_zero(arena, r->n_changes * sizeof *g->changes);
  if (!m.moves || !g->changes) return QM_ENOMEM;
  return make_changes(&m, clock, g);
}

static int store_segment(qm_space *s, qm_segment *g) {
  qm_store *store = s->engine->store;
  qm_batch batch = {g, 1};
  qm_segment_row row = {g->author, g->start, g->next};
  qm_buf b;
  uint64_t seq;
  qm_buf_init(&b, s->engine->env, QM_BATCH_MAX);
  int rc = qm_batch_encode(&b, &batch, &s->authors, s->engine->zip_level);
  if (rc == QM_OK) {
    qm_log_row log = {.batch = qm_buf_slice(&b), .segments = &row, .n_segments = 1};
    rc = qm__logged_records(&batch, &s->engine->arena, &log);
    if (rc == QM_OK) rc = store->ops->log_append(store, s->number, &log, &seq);
  }
  qm_buf_free(&b);
  return rc;
}

static int seal(qm_space *s, qm_segment *g, qm_hash *hash) {
  const qm_env *env = s->engine->env;
  qm_author_state *st = &s->states[g->author];
  memcpy(g->previous, st->head.b, QM_HEAD_SIZE);
  QM_TRY(qm_segment_hash(g, &s->id, &st->head, &s->authors, &s->engine->arena, hash));
  memcpy(g->head, hash->b, QM_HEAD_SIZE);
  if (!env->sign) return QM_OK;
  QM_TRY(env->sign(env->payload, hash->b, g->signature));
  g->has_signature = 1;
  return QM_OK;
}

static int make_moves(mover *m, uint64_t start) {
  const qm_reissue *r = m->r;
  const qm_change *first = &r->changes[0], *last = &r->changes[r->n_changes - 1];
  m->n = r->n_moves + 1;
  m->moves = qm_arena_array(m->arena, m->n, sizeof *m->moves);
  if (!m->moves) return QM_ENOMEM;
  if (r->n_moves) memcpy(m->moves, r->moves, r->n_moves * sizeof *m->moves);
  m->moves[r->n_moves] = (qm_move){first->author, r->to, first->counter, last->next, start, 0};
  return QM_OK;
}

int qm__reissue(qm_space *s, const qm_reissue *r, uint64_t *first) {
  qm_arena *arena = &s->engine->arena;
  qm_author_state *st = &s->states[r->to];
  qm_salt *salt = qm_arena_zero(arena, sizeof *salt);
  mover m = {.s = s, .arena = arena, .r = r};
  qm_hash hash;
  qm_segment g = {.author = r->to,
                  .start = qm_vv_get(&s->vv, r->to),
                  .n_changes = r->n_changes,
                  .salts = salt,
                  .n_salts = 1,
                  .algorithm = 1};
  if (st->closed != g.start || r->changes[0].time <= st->time) return QM_ESTATE;
  g.changes = qm_arena_zero(arena, r->n_changes * sizeof *g.changes);
  if (!salt || !g.changes) return QM_ENOMEM;
  QM_TRY(make_moves(&m, g.start));
  QM_TRY(make_changes(&m, &st->clock, &g));
  salt->count = g.n_ops;
  memcpy(salt->b, r->seed, QM_SALT_SIZE);
  QM_TRY(seal(s, &g, &hash));
  QM_TRY(store_segment(s, &g));
  for (uint32_t i = 0; i < g.n_changes; i++) QM_TRY(qm__space_apply(s, &g.changes[i]));
  st->closed = g.next;
  st->head = hash;
  st->dirty = 1;
  s->touched = s->ingested = s->engine->whole = 1;
  *first = g.start;
  return QM_OK;
}
