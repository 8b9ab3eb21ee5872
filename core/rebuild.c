/* Records computed anew from the log: what was set aside after it had taken effect has none
 * any more. Clock rows, VV and chain stay as they are: setting aside does not move them. */
#include <string.h>

#include "core/aside_int.h"
#include "core/fold.h"

#define ROW_ARENA ((size_t)128 << 20)
#define AT_HAND ((size_t)1 << 20) /* records are saved and let go once they take so much */

typedef struct replay {
  qm_space *s;
  qm_vv *clocks; /* by author, as the log goes on */
  qm_vv vv;
  const qm_hash *heads; /* by author: what the log goes on from; NULL: from nothing */
  const uint64_t *first; /* with heads: where that is */
  int all;       /* every record, also those that are not here any more */
  int on;        /* on records that stand in the store; they are saved as it goes */
  uint64_t serial, seq;
  qm_arena scratch;
} replay;

/* --- one change --- */

static int record_of(replay *r, const qm_id *id, qm_loaded **out) {
  *out = qm__space_peek(r->s, id);
  if (*out && (*out)->rebuilt) return QM_OK;
  if (!r->all) {
    *out = NULL;
    return QM_OK;
  }
  QM_TRY(qm__space_record(r->s, id, out)); /* unless `on`: all that are stored were loaded */
  (*out)->rebuilt = 1;
  qm__space_dirty(r->s, *out);
  if (qm_id_is_zero(id)) r->s->stamps_stale = 1;
  return QM_OK;
}

static int replay_ops(replay *r, const qm_apply *a, qm_vv *clock) {
  const qm_change *c = a->change;
  for (uint32_t i = 0; i < c->n_ops; i++) {
    qm_loaded *l;
    QM_TRY(record_of(r, &c->ops[i].record, &l));
    if (!l) continue;
    clock->next[c->author] = c->ops[i].counter;
    QM_TRY(qm_record_apply(&l->record, a, &c->ops[i]));
    if (r->on && c->ops[i].shape == QM_KEYED && !c->ops[i].field)
      QM_TRY(qm__space_edges_touched(r->s, l));
  }
  return QM_OK;
}

static int replay_marks(replay *r, const qm_apply *a, qm_vv *clock) {
  const qm_change *c = a->change;
  uint64_t serial = ++r->s->change_serial;
  for (uint32_t i = c->n_ops; i-- > 0;) {
    qm_loaded *l = qm__space_peek(r->s, &c->ops[i].record);
    if (!l || !l->rebuilt || !qm_op_marks(&c->ops[i]) || l->mark_change == serial) continue;
    l->mark_change = serial;
    clock->next[c->author] = c->ops[i].counter;
    QM_TRY(qm_marks_apply(&l->record.marks, a, &c->ops[i]));
  }
  return QM_OK;
}

static int replay_change(replay *r, const qm_change *c, int has_effect) {
  const qm_env *env = r->s->engine->env;
  qm_vv *clock = &r->clocks[c->author];
  qm_apply a = {&r->s->authors, clock, c, &r->s->engine->arena};
  for (uint32_t i = 0; i < c->n_deps; i++)
    QM_TRY(qm_vv_set(env, clock, c->deps[i].author, c->deps[i].counter));
  QM_TRY(qm_vv_set(env, clock, c->author, c->counter));
  if (has_effect) {
    QM_TRY(replay_ops(r, &a, clock));
    QM_TRY(replay_marks(r, &a, clock));
  }
  clock->next[c->author] = c->next;
  return qm_vv_set(env, &r->vv, c->author, c->next);
}

/* --- the log --- */

static int touches(replay *r, const qm_batch *batch) {
  if (r->all) return 1;
  for (uint32_t i = 0; i < batch->n_segments; i++)
    for (uint32_t k = 0; k < batch->segments[i].n_changes; k++) {
      const qm_change *c = &batch->segments[i].changes[k];
      for (uint32_t o = 0; o < c->n_ops; o++) {
        const qm_loaded *l = qm__space_peek(r->s, &c->ops[o].record);
        if (l && l->rebuilt) return 1;
      }
    }
  return 0;
}

static int replay_segment(replay *r, const qm_segment *g) {
  const qm_space *s = r->s;
  uint64_t at = qm_vv_get(&r->vv, g->author);
  if (g->next <= at) return QM_OK;
  if (g->start > at) return QM_ECUT;
  /* A giver that stands inside it holds a twin of it (S18.8). */
  if (r->heads && at && g->start == at && r->first[g->author] == at &&
      memcmp(g->previous, r->heads[g->author].b, QM_HEAD_SIZE) != 0)
    return QM_EFORK;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    if (c->next <= at) continue; /* a twin brought it (S18.8) */
    int aside = qm__aside_covers(s, &s->authors.ids[g->author], c) != NULL;
    QM_TRY(replay_change(r, c, !aside));
  }
  return QM_OK;
}

/* What an op of a record at hand points to stays until the record is saved; the other rows
 * are read for their clock rows only. */
static int replay_row(void *payload, const qm_log_row *row) {
  replay *r = payload;
  qm_batch batch;
  r->seq = row->seq;
  qm_arena_reset(&r->scratch);
  QM_TRY(qm__log_decode(r->s, row->batch, &r->scratch, &batch));
  if (touches(r, &batch)) {
    uint8_t *copy = qm_arena_copy(&r->s->engine->arena, row->batch.p, row->batch.n);
    if (!copy) return QM_ENOMEM;
    QM_TRY(qm__log_decode(r->s, qm_slice_of(copy, row->batch.n), &r->s->engine->arena, &batch));
  }
  for (uint32_t i = 0; i < batch.n_segments; i++) QM_TRY(replay_segment(r, &batch.segments[i]));
  return QM_OK;
}

static int replay_open(void *payload, const qm_open_row *row) {
  replay *r = payload;
  qm_change c;
  uint8_t *copy = qm_arena_copy(&r->s->engine->arena, row->change.p, row->change.n);
  if (!copy) return QM_ENOMEM;
  int rc = qm_change_unrow(&c, qm_slice_of(copy, row->change.n), &r->s->authors,
                           &r->s->engine->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  return replay_change(r, &c, 1);
}

static int let_go(replay *r) {
  qm_space *s = r->s;
  if (!r->on || s->engine->arena.used + s->engine->records.used <= AT_HAND) return QM_OK;
  QM_TRY(qm__space_save(s));
  qm__space_let_go(s);
  return QM_OK;
}

static int replay_all(replay *r) {
  qm_store *store = r->s->engine->store;
  qm_vv from = {NULL, 0, 0};
  int rc = qm_vv_copy(r->s->engine->env, &from, &r->vv);
  while (rc == QM_OK) {
    rc = store->ops->log_after(store, r->s->number, &from, r->seq, replay_row, r);
    if (rc == QM_OK) rc = let_go(r);
  }
  qm_vv_free(r->s->engine->env, &from);
  if (rc != QM_ENOTFOUND) return rc;
  QM_TRY(store->ops->open_list(store, r->s->number, replay_open, r));
  return qm_vv_equal(&r->vv, &r->s->vv) ? QM_OK : QM_ECUT;
}

/* --- which records --- */

/* Their rows stay counted in the digest until they are saved. */
static int begin_record(qm_space *s, const qm_id *id) {
  qm_loaded *l;
  QM_TRY(qm__space_record(s, id, &l));
  memset(&l->record, 0, sizeof l->record);
  l->record.id = *id;
  l->rebuilt = 1;
  qm__space_dirty(s, l);
  l->own = NULL; /* what goes was set aside, and is told as that */
  if (qm_id_is_zero(id)) s->stamps_stale = 1;
  return QM_OK;
}

static void end_records(qm_space *s) {
  for (uint32_t i = 0; i < s->table_cap; i++)
    if (s->table[i]) s->table[i]->rebuilt = 0;
}

static int run(qm_space *s, int all) {
  const qm_env *env = s->engine->env;
  replay r = {.s = s, .all = all};
  r.clocks = qm_alloc_zero(env, (size_t)(s->authors.n + 1) * sizeof *r.clocks);
  if (!r.clocks) return QM_ENOMEM;
  qm_arena_init(&r.scratch, env, ROW_ARENA);
  s->touched = s->engine->whole = 1;
  int rc = replay_all(&r);
  for (uint32_t i = 0; i < s->authors.n; i++) qm_vv_free(env, &r.clocks[i]);
  qm_free(env, r.clocks);
  qm_vv_free(env, &r.vv);
  qm_arena_free(&r.scratch);
  end_records(s);
  return rc;
}

int qm__rebuild_on(qm_space *s, qm__retained *base) {
  replay r = {.s = s, .clocks = base->clocks, .vv = base->vv, .heads = base->heads, .all = 1};
  const qm_env *env = s->engine->env;
  uint64_t *first = qm_alloc_zero(env, (size_t)(base->n + 1) * sizeof *first);
  if (!first) return QM_ENOMEM;
  for (uint32_t a = 0; a < base->n; a++) first[a] = qm_vv_get(&base->vv, a);
  r.first = first;
  r.on = 1;
  qm_arena_init(&r.scratch, env, ROW_ARENA);
  s->touched = 1;
  int rc = replay_all(&r);
  base->vv = r.vv;
  qm_free(env, first);
  qm_arena_free(&r.scratch);
  end_records(s);
  return rc;
}

/* Whether the log holds all, before any record is taken apart. */
static int is_whole(const qm_space *s) {
  for (uint32_t a = 0; a < s->floor.n; a++)
    if (s->floor.next[a]) return 0;
  return 1;
}

int qm__rebuild(qm_space *s, const qm_id *ids, size_t n) {
  if (!is_whole(s)) return QM_ECUT;
  QM_TRY(qm__space_preload(s, ids, n));
  for (size_t i = 0; i < n; i++) QM_TRY(begin_record(s, &ids[i]));
  int rc = run(s, 0);
  return rc == QM_ECUT ? QM_ECORRUPT : rc; /* the floor said otherwise */
}

/* --- a whole space --- */

typedef struct sweep {
  qm_space *s;
  qm_id last;
  uint32_t seen;
} sweep;

static int sweep_record(void *payload, const qm_record_row *row) {
  sweep *w = payload;
  w->last = row->id;
  w->seen++;
  return begin_record(w->s, &row->id);
}

static int rebuild_all(qm_space *s) {
  sweep w = {.s = s};
  if (!is_whole(s)) return QM_ECUT;
  for (int first = 1; first || w.seen; first = 0) {
    qm_id after = w.last;
    w.seen = 0;
    QM_TRY(qm__fold_scan(s, first ? NULL : &after, 256, sweep_record, &w));
  }
  QM_TRY(run(s, 1));
  return qm__space_dirty_set(s, 0);
}

int qm_engine_rebuild(qm_engine *e, qm_space *s, qm_error *err) {
  int rc = qm_engine_begin(e);
  if (rc == QM_OK) {
    rc = rebuild_all(s);
    if (rc == QM_OK)
      rc = qm_engine_commit(e, QM_DURABLE, NULL, NULL);
    else
      qm_engine_rollback(e);
  }
  return rc == QM_OK ? QM_OK : qm_fail(err, rc, "rebuild: %s", qm_err_text(rc));
}

/* --- dirty --- */

int qm_space_dirty(const qm_space *s) { return s->dirty != 0; }

int qm__space_dirty_set(qm_space *s, int dirty) {
  qm_store *store = s->engine->store;
  if (s->dirty == dirty || (dirty && s->dirty > dirty)) return QM_OK;
  s->touched = s->engine->whole = 1;
  s->dirty = dirty;
  return store->ops->aside_put(store, s->number, qm_slice_of("dirty", 5),
                               qm_slice_of(dirty > 1 ? "2" : "1", dirty ? 1 : 0));
}
