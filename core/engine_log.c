/* The log side of the engine: closing the open run into segments, and what a session
 * asks about VVs and batches. */
#include <string.h>

#include "core/aside_int.h"
#include "core/ingest_log.h"
#include "core/logged.h"
#include "core/space.h"

/* --- push: the open run becomes segments --- */

/* zstd's: a segment is written once, and travels and rests for long. */
#define PUSH_LEVEL 15

typedef struct qm_run {
  qm_space *s;
  qm_arena *arena;
  qm_change *changes;
  size_t *sizes; /* bytes in row form */
  uint32_t n, cap;
} qm_run;

static int take_open(void *payload, const qm_open_row *row) {
  qm_run *r = payload;
  if (r->n == r->cap) {
    uint32_t cap = r->cap ? r->cap * 2 : 32;
    r->changes = qm_arena_grow(r->arena, r->changes, r->cap, cap, sizeof *r->changes);
    r->sizes = qm_arena_grow(r->arena, r->sizes, r->cap, cap, sizeof *r->sizes);
    if (!r->changes || !r->sizes) return QM_ENOMEM;
    r->cap = cap;
  }
  uint8_t *copy = qm_arena_copy(r->arena, row->change.p, row->change.n);
  if (!copy) return QM_ENOMEM;
  int rc = qm_change_unrow(&r->changes[r->n], qm_slice_of(copy, row->change.n), &r->s->authors,
                           r->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  r->sizes[r->n++] = row->change.n;
  return QM_OK;
}

/* How many changes from `first` fit one segment. */
static uint32_t segment_len(const qm_run *r, uint32_t first) {
  size_t bytes = 0;
  uint32_t ops = 0, n = 0;
  while (first + n < r->n && n < QM_SEGMENT_CHANGES_MAX) {
    bytes += r->sizes[first + n];
    ops += r->changes[first + n].n_ops;
    if (n && (bytes > QM_SEGMENT_BYTES || ops > QM_SEGMENT_OPS_MAX)) break;
    n++;
  }
  return n;
}

static int sign(const qm_engine *e, qm_segment *g, const qm_hash *hash) {
  g->has_signature = 0;
  if (!e->env->sign) return QM_OK;
  QM_TRY(e->env->sign(e->env->payload, hash->b, g->signature));
  g->has_signature = 1;
  return QM_OK;
}

/* S4.13: what the next push takes its seeds from lies ready in the store, and is replaced
 * in the push's own transaction. So two copies of a database that both close the run they
 * share make the same segments of it, and not a fork; and what is kept tells nothing of a
 * seed that has been used. */
int qm__space_seed_prepare(qm_space *s) {
  char key[32];
  uint8_t seed[QM_HASH_SIZE];
  qm_store *store = s->engine->store;
  int n = qm__meta_key(key, "seed", s->number);
  QM_TRY(s->engine->env->random(s->engine->env->payload, seed, sizeof seed));
  int rc = store->ops->meta_put(store, qm_slice_of(key, (size_t)n), qm_slice_of(seed, sizeof seed));
  qm_wipe(seed, sizeof seed);
  return rc;
}

static int seed_of(const qm_run *r, uint64_t start, uint8_t out[QM_SALT_SIZE]) {
  qm_engine *e = r->s->engine;
  char key[32];
  uint8_t at[8];
  qm_buf b;
  qm_hash mac;
  int n = qm__meta_key(key, "seed", r->s->number);
  for (int i = 0; i < 8; i++) at[i] = (uint8_t)(start >> (56 - 8 * i));
  qm_buf_init(&b, e->env, QM_HASH_SIZE);
  int rc = e->store->ops->meta_get(e->store, qm_slice_of(key, (size_t)n), &b);
  if (rc == QM_OK && b.n != QM_HASH_SIZE) rc = QM_ECORRUPT;
  if (rc == QM_OK) rc = qm_hmac_sha256(qm_buf_slice(&b), qm_slice_of(at, sizeof at), &mac);
  if (rc == QM_OK) memcpy(out, mac.b, QM_SALT_SIZE);
  if (b.p) qm_wipe(b.p, b.n);
  qm_buf_free(&b);
  return rc;
}

static int close_segment(qm_run *r, uint32_t first, uint32_t n) {
  qm_space *s = r->s;
  qm_engine *e = s->engine;
  qm_author_state *st = &s->states[r->changes[first].author];
  qm_salt *seed = qm_arena_zero(r->arena, sizeof *seed);
  qm_segment g = {.author = r->changes[first].author,
                  .start = r->changes[first].counter,
                  .next = r->changes[first + n - 1].next,
                  .changes = r->changes + first,
                  .n_changes = n,
                  .salts = seed,
                  .n_salts = 1,
                  .algorithm = 1};
  qm_batch batch = {&g, 1};
  qm_segment_row row = {g.author, g.start, g.next};
  qm_hash hash;
  qm_buf out;
  uint64_t seq;
  if (!seed) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) g.n_ops += g.changes[i].n_ops;
  seed->count = g.n_ops;
  QM_TRY(seed_of(r, g.start, seed->b));
  memcpy(g.previous, st->head.b, QM_HEAD_SIZE);
  QM_TRY(qm_segment_hash(&g, &s->id, &st->head, &s->authors, r->arena, &hash));
  memcpy(g.head, hash.b, QM_HEAD_SIZE);
  QM_TRY(sign(e, &g, &hash));
  qm_buf_init(&out, e->env, QM_BATCH_MAX);
  int rc = qm_batch_encode(&out, &batch, &s->authors, e->zip_level ? e->zip_level : PUSH_LEVEL);
  if (rc == QM_OK) {
    qm_log_row log = {.batch = qm_buf_slice(&out), .segments = &row, .n_segments = 1};
    rc = qm__logged_records(&batch, r->arena, &log);
    if (rc == QM_OK) rc = e->store->ops->log_append(e->store, s->number, &log, &seq);
  }
  qm_buf_free(&out);
  st->closed = g.next;
  st->head = hash;
  st->dirty = 1;
  return rc;
}

int qm_engine_push(qm_engine *e, qm_space *s) {
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  if (s->own == QM_NO_AUTHOR || s->states[s->own].closed == qm_vv_get(&s->vv, s->own)) return QM_OK;
  QM_TRY(qm_engine_begin(e));
  e->keeps = 1;
  qm_run r = {.s = s, .arena = &e->arena};
  s->touched = 1;
  int rc = e->store->ops->open_list(e->store, s->number, take_open, &r);
  if (rc == QM_OK && (!r.n || r.changes[0].counter != s->states[s->own].closed)) rc = QM_ECORRUPT;
  for (uint32_t first = 0, n; rc == QM_OK && first < r.n; first += n) {
    n = segment_len(&r, first);
    rc = close_segment(&r, first, n);
  }
  if (rc == QM_OK) rc = e->store->ops->open_clear(e->store, s->number);
  if (rc == QM_OK) rc = qm__space_seed_prepare(s);
  if (rc == QM_OK) return qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}

/* --- VVs --- */

int qm_engine_heads(qm_engine *e, qm_space *s, qm_arena *arena, qm_vv_list *out) {
  if (e->poisoned) return QM_EIO;
  qm_vv_entry *p = qm_arena_array(arena, s->authors.n, sizeof *p);
  uint32_t n = 0;
  if (!p) return QM_ENOMEM;
  for (uint32_t place = 0; place < s->authors.n; place++) {
    uint32_t a = s->authors.sorted[place];
    if (!s->states[a].closed) continue;
    p[n].author = s->authors.ids[a];
    p[n].next = s->states[a].closed;
    memcpy(p[n++].head, s->states[a].head.b, QM_HEAD_SIZE);
  }
  *out = (qm_vv_list){p, n};
  return QM_OK;
}

static void sha_u64(qm_sha *sha, uint64_t v) {
  uint8_t b[8];
  for (int i = 0; i < 8; i++) b[i] = (uint8_t)(v >> (56 - 8 * i));
  qm_sha_add(sha, b, 8);
}

/* S8.2.1: entries ascending by author: id, next, head (zero inside an open run). */
static void sha_vv(const qm_space *s, qm_sha *sha) {
  static const uint8_t no_head[QM_HEAD_SIZE];
  for (uint32_t place = 0; place < s->authors.n; place++) {
    uint32_t a = s->authors.sorted[place];
    uint64_t next = qm_vv_get(&s->vv, a);
    if (!next) continue;
    qm_sha_add(sha, s->authors.ids[a].b, QM_AUTHOR_SIZE);
    sha_u64(sha, next);
    qm_sha_add(sha, s->states[a].closed == next ? s->states[a].head.b : no_head, QM_HEAD_SIZE);
  }
}

static int vv_hash(const qm_space *s, int with_schema, uint8_t out[16]) {
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  sha_vv(s, &sha);
  qm__aside_sha(s, &sha);
  if (with_schema) {
    sha_u64(&sha, s->schema ? s->schema->version : 0);
    /* S8.2: what is to be mended must meet a peer, though nothing else is new. */
    if (s->dirty || s->suspect) {
      qm_sha_add(&sha, "mend", 4);
      qm_sha_add(&sha, s->engine->device.b, QM_ID_SIZE);
    }
  }
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, 16);
  return QM_OK;
}

int qm_engine_sync_digest(qm_engine *e, qm_space *s, uint8_t out[16]) {
  if (e->poisoned) return QM_EIO;
  return vv_hash(s, 1, out);
}

int qm_engine_vv_digest(qm_engine *e, qm_space *s, uint8_t out[16]) {
  if (e->poisoned) return QM_EIO;
  return vv_hash(s, 0, out);
}

int qm_engine_compare(qm_engine *e, qm_space *s, qm_vv_list peer, int *own_ahead,
                      qm_author *forked) {
  int rc = QM_OK;
  *own_ahead = 0;
  if (e->poisoned) return QM_EIO;
  for (uint32_t i = 0; i < peer.n; i++) {
    const qm_vv_entry *p = &peer.p[i];
    uint32_t a;
    int own = qm_author_cmp(&p->author, &e->author) == 0;
    if (qm_authors_find(&s->authors, &p->author, &a) != QM_OK) {
      if (own) *own_ahead = 1; /* a store that has lost even the fact that it wrote */
      continue;
    }
    if (own && p->next > s->states[a].closed) *own_ahead = 1;
    if (p->next != s->states[a].closed || !memcmp(p->head, s->states[a].head.b, QM_HEAD_SIZE))
      continue;
    if (own) *own_ahead = 1;
    *forked = p->author;
    rc = QM_EFORK;
  }
  return rc;
}

/* --- batches for a peer --- */

static int peer_vv(qm_space *s, qm_vv_list peer, qm_vv *out) {
  for (uint32_t i = 0; i < peer.n; i++) {
    uint32_t a;
    if (qm_authors_find(&s->authors, &peer.p[i].author, &a) != QM_OK) continue;
    QM_TRY(qm_vv_set(s->engine->env, out, a, peer.p[i].next));
  }
  return QM_OK;
}

typedef struct qm_pick {
  qm_space *s;
  const qm_vv *vv;
  uint64_t *cursor;
  qm_buf *out;
} qm_pick;

/* Keeps the segments the peer lacks, in their order. */
static int recode(qm_pick *k, const qm_log_row *row) {
  qm_batch batch;
  qm_arena arena;
  uint32_t n = 0;
  qm_arena_init(&arena, k->s->engine->env, (size_t)64 << 20);
  int rc = qm__logged_batch(k->s, row->batch, 0, &arena, &batch);
  if (rc == QM_OK) {
    for (uint32_t i = 0; i < batch.n_segments; i++)
      if (batch.segments[i].next > qm_vv_get(k->vv, batch.segments[i].author))
        batch.segments[n++] = batch.segments[i];
    batch.n_segments = n;
    rc = qm_batch_encode(k->out, &batch, &k->s->authors, k->s->engine->zip_level);
  }
  qm_arena_free(&arena);
  return rc == QM_OK || rc == QM_ENOMEM ? rc : QM_ECORRUPT;
}

static int pick_row(void *payload, const qm_log_row *row) {
  qm_pick *k = payload;
  uint32_t lacking = 0;
  *k->cursor = row->seq;
  for (uint32_t i = 0; i < row->n_segments; i++)
    lacking += row->segments[i].next > qm_vv_get(k->vv, row->segments[i].author);
  if (lacking < row->n_segments) return recode(k, row);
  qm_buf_add(k->out, row->batch.p, row->batch.n);
  return qm_buf_status(k->out);
}

int qm__space_log_next(qm_space *s, const qm_vv *vv, uint64_t *cursor, qm_buf *out) {
  qm_store *store = s->engine->store;
  qm_pick k = {s, vv, cursor, out};
  QM_TRY(qm__log_settled(s));
  return store->ops->log_after(store, s->number, vv, *cursor, pick_row, &k);
}

/* Below the floor the log has holes: what it still holds there cannot be taken without
 * what is gone. */
static int below_floor(const qm_space *s, const qm_vv *vv) {
  for (uint32_t a = 0; a < s->floor.n; a++) {
    uint64_t have = qm_vv_get(vv, a);
    if (have < s->floor.next[a] && have < s->states[a].closed) return 1;
  }
  return 0;
}

/* Of these the hub may hold another branch at the same counters: it is shown all there is. */
static int offer_suspects(qm_space *s, qm_vv *vv) {
  for (uint32_t i = 0; i < s->n_suspects; i++) {
    uint32_t a;
    if (qm_authors_find(&s->authors, &s->suspects[i], &a) != QM_OK) continue;
    QM_TRY(qm_vv_set(s->engine->env, vv, a, qm_vv_get(&s->floor, a)));
  }
  return QM_OK;
}

int qm_engine_next_held(qm_engine *e, qm_space *s, qm_vv_list peer, uint64_t *cursor,
                        qm_buf *out) {
  qm_vv vv = {NULL, 0, 0};
  if (e->poisoned) return QM_EIO;
  int rc = peer_vv(s, peer, &vv);
  for (uint32_t a = 0; rc == QM_OK && a < s->floor.n; a++)
    if (qm_vv_get(&vv, a) < s->floor.next[a]) rc = qm_vv_set(e->env, &vv, a, UINT64_MAX);
  if (rc == QM_OK) rc = offer_suspects(s, &vv);
  if (rc == QM_OK) rc = qm__space_log_next(s, &vv, cursor, out);
  qm_vv_free(e->env, &vv);
  return rc;
}

int qm_engine_next_batch(qm_engine *e, qm_space *s, qm_vv_list peer, uint64_t *cursor,
                         qm_buf *out) {
  qm_vv vv = {NULL, 0, 0};
  if (e->poisoned) return QM_EIO;
  int rc = peer_vv(s, peer, &vv);
  if (rc == QM_OK && below_floor(s, &vv)) rc = QM_ECUT;
  if (rc == QM_OK) rc = qm__space_log_next(s, &vv, cursor, out);
  qm_vv_free(e->env, &vv);
  return rc;
}

/* --- what the hub does not hold yet --- */

typedef struct qm_count {
  qm_space *s;
  uint64_t changes;
  qm_time oldest;
  uint64_t seq;
} qm_count;

static void count_change(qm_count *k, const qm_change *c) {
  if (c->next <= qm_vv_get(&k->s->acknowledged, c->author)) return;
  k->changes++;
  if (!k->oldest || c->time < k->oldest) k->oldest = c->time;
}

static int count_open(void *payload, const qm_open_row *row) {
  qm_count *k = payload;
  qm_change c;
  qm_arena arena;
  qm_arena_init(&arena, k->s->engine->env, (size_t)64 << 20);
  int rc = qm_change_unrow(&c, row->change, &k->s->authors, &arena);
  if (rc == QM_OK) count_change(k, &c);
  qm_arena_free(&arena);
  return rc;
}

static int count_row(void *payload, const qm_log_row *row) {
  qm_count *k = payload;
  qm_batch batch;
  qm_arena arena;
  k->seq = row->seq;
  qm_arena_init(&arena, k->s->engine->env, (size_t)64 << 20);
  int rc = qm__logged_batch(k->s, row->batch, 0, &arena, &batch);
  for (uint32_t i = 0; rc == QM_OK && i < batch.n_segments; i++) {
    qm_id device;
    qm_author_device(&k->s->authors.ids[batch.segments[i].author], &device);
    if (qm_id_cmp(&device, &k->s->engine->device) != 0) continue;
    for (uint32_t j = 0; j < batch.segments[i].n_changes; j++)
      count_change(k, &batch.segments[i].changes[j]);
  }
  qm_arena_free(&arena);
  return rc;
}

/* The VV that covers everything but this device's own unacknowledged changes. */
static int others_vv(qm_space *s, qm_vv *out) {
  for (uint32_t a = 0; a < s->authors.n; a++) {
    qm_id device;
    qm_author_device(&s->authors.ids[a], &device);
    int own = qm_id_cmp(&device, &s->engine->device) == 0;
    QM_TRY(qm_vv_set(s->engine->env, out, a, own ? qm_vv_get(&s->acknowledged, a) : UINT64_MAX));
  }
  return QM_OK;
}

int qm_engine_unsent(qm_engine *e, qm_space *s, uint64_t *changes, uint64_t *oldest_ms) {
  qm_count k = {s, 0, 0, 0};
  qm_vv vv = {NULL, 0, 0};
  *changes = *oldest_ms = 0;
  if (e->poisoned) return QM_EIO;
  int rc = e->store->ops->open_list(e->store, s->number, count_open, &k);
  if (rc == QM_OK) rc = others_vv(s, &vv);
  while (rc == QM_OK) rc = e->store->ops->log_after(e->store, s->number, &vv, k.seq, count_row, &k);
  qm_vv_free(e->env, &vv);
  *changes = k.changes;
  *oldest_ms = qm_time_ms(k.oldest);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}
