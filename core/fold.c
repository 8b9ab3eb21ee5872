#include "core/fold.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/ingest_log.h"

/* --- waiting --- */

int qm__fold_is_followed(const qm_engine *e) {
  return (e->flags & (QM_ENGINE_FEED | QM_ENGINE_INBOX)) || e->projector.record;
}

size_t qm__fold_room(const qm_engine *e) {
  const uint32_t further = e->n_spaces ? e->n_spaces - 1 : 0;
  if (!(e->flags & QM_ENGINE_HUB)) return QM_ROOM_DEVICE;
  if (further > (QM_ROOM_MAX - QM_ROOM_HUB) / QM_ROOM_SPACE) return QM_ROOM_MAX;
  return QM_ROOM_HUB + further * QM_ROOM_SPACE;
}

int qm__fold_may_wait(const qm_engine *e) {
  if (!(e->flags & QM_ENGINE_BEHIND) || e->whole || e->records.used > qm__fold_room(e)) return 0;
  if (e->took ? qm__fold_is_followed(e) : !e->wrote) return 0;
  if (e->wrote && e->records.used - e->kept > QM_BEHIND_OWN_MAX) return 0;
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    const qm_space *s = e->spaces[i];
    if (s->ahead || s->stamps_stale || s->floor_moved) return 0;
  }
  return 1;
}

/* Log and creation rows name authors by number, so each number has its row, as of one of
 * whom nothing was folded yet. */
int qm__fold_wait(qm_space *s) {
  qm_store *store = s->engine->store;
  if (!s->touched) return QM_OK;
  for (; s->n_stored < s->authors.n; s->n_stored++) {
    qm_author_row row = {.number = s->n_stored, .id = s->authors.ids[s->n_stored]};
    QM_TRY(store->ops->author_put(store, s->number, &row));
  }
  s->behind |= s->ingested ? QM_BEHIND_TOOK : QM_BEHIND_WROTE;
  s->engine->behind = 1;
  return QM_OK;
}

static int fold_open(qm_engine *e) {
  QM_TRY(qm__log_settle(e));
  for (uint32_t i = 0; i < e->n_spaces; i++)
    if (e->spaces[i]->behind) QM_TRY(qm__space_save(e->spaces[i]));
  e->behind = 0;
  return QM_OK;
}

int qm__fold(qm_engine *e) {
  e->whole = 1;
  if (!e->behind) return QM_OK;
  if (e->poisoned) return QM_EIO;
  if (e->open) return fold_open(e);
  QM_TRY(qm_engine_begin(e));
  e->keeps = 1;
  return qm_engine_commit(e, QM_RELAXED, NULL, NULL);
}

int qm_engine_fold(qm_engine *e) { return e->open ? QM_ESTATE : qm__fold(e); }

/* --- applying again --- */

typedef struct again {
  qm_space *s;
  uint64_t seq;
  uint32_t open; /* changes of the open run */
} again;

static int again_segment(qm_space *s, qm_segment *g) {
  qm_author_state *st = &s->states[g->author];
  qm_hash hash;
  if (g->next <= st->closed) return QM_OK;
  if (g->start != st->closed) return QM_ECORRUPT;
  QM_TRY(qm_segment_hash(g, &s->id, &st->head, &s->authors, &s->engine->arena, &hash));
  if (memcmp(hash.b, g->head, QM_HEAD_SIZE) != 0) return QM_ECORRUPT;
  for (uint32_t i = 0; i < g->n_changes; i++)
    if (g->changes[i].next > qm_vv_get(&s->vv, g->author))
      QM_TRY(qm__space_again(s, &g->changes[i]));
  st->closed = g->next;
  st->head = hash;
  st->dirty = 1;
  return QM_OK;
}

static int again_row(void *payload, const qm_log_row *row) {
  again *r = payload;
  qm_batch batch;
  qm_arena *arena = &r->s->engine->arena;
  r->seq = row->seq;
  uint8_t *copy = qm_arena_copy(arena, row->batch.p, row->batch.n);
  if (!copy) return QM_ENOMEM;
  QM_TRY(qm__log_decode(r->s, qm_slice_of(copy, row->batch.n), arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++)
    QM_TRY(again_segment(r->s, &batch.segments[i]));
  return QM_OK;
}

static int again_open(void *payload, const qm_open_row *row) {
  again *r = payload;
  qm_change c;
  qm_arena *arena = &r->s->engine->arena;
  uint8_t *copy = qm_arena_copy(arena, row->change.p, row->change.n);
  if (!copy) return QM_ENOMEM;
  int rc = qm_change_unrow(&c, qm_slice_of(copy, row->change.n), &r->s->authors, arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  if (c.counter != qm_vv_get(&r->s->vv, c.author)) return QM_ECORRUPT;
  r->open++;
  return qm__space_again(r->s, &c);
}

/* The own open run, behind the log: nothing in the log that waits can have seen it. */
static int replay_open(again *r) {
  qm_space *s = r->s;
  qm_store *store = s->engine->store;
  if (s->own == QM_NO_AUTHOR) return QM_OK;
  return store->ops->open_from(store, s->number, qm_vv_get(&s->vv, s->own), again_open, r);
}

int qm__fold_replay(qm_space *s) {
  qm_engine *e = s->engine;
  again r = {.s = s};
  qm_vv closed = {NULL, 0, 0};
  int rc = QM_OK;
  for (uint32_t a = 0; rc == QM_OK && a < s->n_states; a++)
    if (s->states[a].closed) rc = qm_vv_set(e->env, &closed, a, s->states[a].closed);
  while (rc == QM_OK)
    rc = e->store->ops->log_after(e->store, s->number, &closed, r.seq, again_row, &r);
  qm_vv_free(e->env, &closed);
  if (rc != QM_ENOTFOUND) return rc;
  QM_TRY(replay_open(&r));
  s->touched = 0;
  if (r.seq) s->behind |= QM_BEHIND_TOOK;
  if (r.open) s->behind |= QM_BEHIND_WROTE;
  e->behind |= s->behind != 0;
  return QM_OK;
}

/* --- what is stored --- */

int qm__fold_record(qm_space *s, const qm_id *id, qm_visit_record visit, void *payload) {
  qm_loaded *l = s->behind ? qm__space_peek(s, id) : NULL;
  qm_arena arena;
  qm_buf blob;
  if (!l || !l->dirty) return QM_ENOTFOUND;
  if (qm_record_empty(&l->record)) return QM_OK;
  qm_record_row row = {.id = *id, .collection = qm_record_collection(&l->record)};
  qm_arena_init(&arena, s->engine->env, QM_RECORD_ARENA);
  qm_buf_init(&blob, s->engine->env, QM_RECORD_MAX);
  int rc = qm_record_encode(&l->record, &s->authors, &arena, &blob);
  row.state = qm_buf_slice(&blob);
  if (rc == QM_OK) rc = visit(payload, &row);
  qm_buf_free(&blob);
  qm_arena_free(&arena);
  return rc;
}

int qm__fold_scan(qm_space *s, const qm_id *after, size_t limit, qm_visit_record visit,
                  void *payload) {
  qm_store *store = s->engine->store;
  QM_TRY(qm__fold(s->engine));
  return store->ops->record_scan(store, s->number, 0, after, limit, visit, payload);
}

int qm__fold_load(qm_space *s, const qm_id *ids, size_t n, qm_visit_record visit,
                  void *payload) {
  qm_store *store = s->engine->store;
  QM_TRY(qm__fold(s->engine));
  return store->ops->record_load(store, s->number, ids, n, visit, payload);
}

int qm__fold_count(qm_space *s, uint64_t *out) {
  qm_store *store = s->engine->store;
  QM_TRY(qm__fold(s->engine));
  return store->ops->record_count(store, s->number, 0, out);
}

int qm__fold_keys_stored(qm_space *s, uint32_t index, qm_slice key, qm_visit_id visit,
                         void *payload) {
  qm_store *store = s->engine->store;
  return store->ops->key_find(store, s->number, index, key, visit, payload);
}

int qm__fold_keys(qm_space *s, uint32_t index, qm_slice key, qm_visit_id visit, void *payload) {
  QM_TRY(qm__fold(s->engine));
  return qm__fold_keys_stored(s, index, key, visit, payload);
}
