#include "core/join.h"

#include <string.h>

#include "core/fold.h"
#include "core/logged.h"
#include "core/space.h"

/* zstd's: a joined row is written once, and rests and travels for long. */
#define JOIN_LEVEL 19
#define JOIN_ARENA ((size_t)128 << 20)
#define GATHER_ARENA ((size_t)48 << 20) /* no row more beyond this; one takes a fourth of it */
#define PARTS_MAX 64u

/* --- which rows --- */

typedef struct run {
  const qm_space *s;
  const qm_joining *how;
  uint32_t bytes_min;
  uint64_t first, last, bytes;
  uint32_t n;
  int ended; /* by a row that stays as it is */
} run;

static int may_join(const run *r, const qm_log_row *row) {
  if (row->batch.n >= r->bytes_min) return 0;
  for (uint32_t i = 0; r->how->below && i < row->n_segments; i++)
    if (row->segments[i].next > qm_vv_get(r->how->below, row->segments[i].author)) return 0;
  return 1;
}

static int is_enough(const run *r) { return r->n > 1 && r->bytes >= 2 * (uint64_t)r->bytes_min; }

static int find_run(void *payload, const qm_log_row *row) {
  run *r = payload;
  if (row->seq <= r->how->after) return QM_OK;
  if (!may_join(r, row)) {
    if (is_enough(r)) return QM_STORE_STOP;
    r->n = 0;
    r->bytes = 0;
    return QM_OK;
  }
  if (!r->n++) r->first = row->seq;
  r->last = row->seq;
  r->bytes += row->batch.n;
  return r->bytes > QM_BATCH_RAW_MAX ? QM_STORE_STOP : QM_OK;
}

/* --- reading them --- */

typedef struct gathering {
  qm_space *s;
  qm_arena *arena;
  uint32_t ops_max;
  qm_segment *segments;
  uint32_t n, cap, ops;
  uint64_t last, before; /* seq of the last row that was taken; bytes of all */
  uint32_t rows, *ends;  /* of each row, how many segments there are up to its end */
  uint64_t *seqs, *bytes;
  int full;
} gathering;

static int add_segments(gathering *g, const qm_batch *b) {
  if (g->n + b->n_segments > g->cap) {
    uint32_t cap = 2 * (g->n + b->n_segments);
    g->segments = qm_arena_grow(g->arena, g->segments, g->n, cap, sizeof *g->segments);
    if (!g->segments) return QM_ENOMEM;
    g->cap = cap;
  }
  memcpy(g->segments + g->n, b->segments, b->n_segments * sizeof *b->segments);
  g->n += b->n_segments;
  return QM_OK;
}

static int gather_row(void *payload, const qm_log_row *row) {
  gathering *g = payload;
  qm_batch b;
  uint32_t ops = 0;
  QM_TRY(qm__logged_batch(g->s, row->batch, 1, g->arena, &b));
  for (uint32_t i = 0; i < b.n_segments; i++) ops += b.segments[i].n_ops;
  g->full = g->rows && (ops > g->ops_max - g->ops || g->arena->used > GATHER_ARENA ||
                        g->n + b.n_segments > QM_BATCH_SEGMENTS_MAX);
  if (g->full) return QM_OK;
  QM_TRY(add_segments(g, &b));
  g->ends[g->rows] = g->n;
  g->seqs[g->rows] = row->seq;
  g->bytes[g->rows++] = row->batch.n;
  g->ops += ops < g->ops_max ? ops : g->ops_max - g->ops;
  g->last = row->seq;
  return QM_OK;
}

static int gather(gathering *g, const run *r) {
  static const qm_vv none = {NULL, 0, 0};
  qm_store *store = g->s->engine->store;
  g->ends = qm_arena_array(g->arena, r->n, sizeof *g->ends);
  g->seqs = qm_arena_array(g->arena, r->n, sizeof *g->seqs);
  g->bytes = qm_arena_array(g->arena, r->n, sizeof *g->bytes);
  if (!g->ends || !g->seqs || !g->bytes) return QM_ENOMEM;
  g->last = r->first - 1;
  while (!g->full && g->rows < r->n)
    QM_TRY(store->ops->log_after(store, g->s->number, &none, g->last, gather_row, g));
  return QM_OK;
}

/* --- writing one in their place --- */

/* As many of the rows as fit one batch. */
static int encode(gathering *g, qm_buf *out) {
  int level = g->s->engine->zip_level ? g->s->engine->zip_level : JOIN_LEVEL;
  for (;;) {
    qm_batch b = {g->segments, g->ends[g->rows - 1]};
    int rc = qm_batch_encode(out, &b, &g->s->authors, level);
    if (rc != QM_ELIMIT || g->rows == 1) return rc;
    g->rows -= g->rows / 8 ? g->rows / 8 : 1;
  }
}

static int same_hash(qm_space *s, const qm_segment *a, const qm_segment *b, qm_arena *arena) {
  static const qm_hash previous; /* the same for both, whatever it is */
  qm_hash x, y;
  if (a->author != b->author || a->start != b->start || a->next != b->next ||
      a->has_signature != b->has_signature || memcmp(a->previous, b->previous, QM_HEAD_SIZE) ||
      memcmp(a->head, b->head, QM_HEAD_SIZE) ||
      (a->has_signature && memcmp(a->signature, b->signature, sizeof a->signature)))
    return QM_EINTERNAL;
  QM_TRY(qm_segment_hash(a, &s->id, &previous, &s->authors, arena, &x));
  QM_TRY(qm_segment_hash(b, &s->id, &previous, &s->authors, arena, &y));
  return memcmp(x.b, y.b, sizeof x.b) == 0 ? QM_OK : QM_EINTERNAL;
}

static int read_back(const gathering *g, qm_slice blob) {
  qm_arena arena;
  qm_batch b;
  qm_arena_init(&arena, g->s->engine->env, JOIN_ARENA);
  int rc = qm__logged_batch(g->s, blob, 1, &arena, &b);
  if (rc == QM_OK && b.n_segments != g->ends[g->rows - 1]) rc = QM_EINTERNAL;
  for (uint32_t i = 0; rc == QM_OK && i < b.n_segments; i++)
    rc = same_hash(g->s, &g->segments[i], &b.segments[i], &arena);
  qm_arena_free(&arena);
  return rc;
}

static int row_of(const qm_batch *b, uint64_t seq, qm_slice blob, qm_arena *arena,
                  qm_log_row *out) {
  qm_segment_row *rows = qm_arena_array(arena, b->n_segments, sizeof *rows);
  if (!rows) return QM_ENOMEM;
  for (uint32_t i = 0; i < b->n_segments; i++)
    rows[i] = (qm_segment_row){b->segments[i].author, b->segments[i].start, b->segments[i].next};
  *out = (qm_log_row){.seq = seq, .batch = blob, .segments = rows, .n_segments = b->n_segments};
  return qm__logged_records(b, arena, out);
}

static int put(const gathering *g, qm_slice blob) {
  qm_store *store = g->s->engine->store;
  qm_batch b = {g->segments, g->ends[g->rows - 1]};
  qm_log_row row;
  QM_TRY(row_of(&b, g->seqs[g->rows - 1], blob, g->arena, &row));
  QM_TRY(store->ops->begin(store));
  int rc = store->ops->log_repack(store, g->s->number, g->seqs[0], &row, 1);
  if (rc == QM_OK) return store->ops->commit(store, QM_RELAXED, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

static int join_run(gathering *g, const run *r, qm_joined *out) {
  qm_buf blob;
  QM_TRY(gather(g, r));
  qm_buf_init(&blob, g->s->engine->env, QM_BATCH_MAX);
  int rc = g->rows > 1 ? encode(g, &blob) : QM_OK;
  out->last = g->seqs[g->rows - 1];
  for (uint32_t i = 0; i < g->rows; i++) g->before += g->bytes[i];
  if (rc == QM_OK && g->rows > 1 && blob.n < g->before) {
    rc = read_back(g, qm_buf_slice(&blob));
    if (rc == QM_OK) rc = put(g, qm_buf_slice(&blob));
    out->rows = g->rows;
    out->before = g->before;
    out->after = blob.n;
  }
  qm_buf_free(&blob);
  return rc;
}

int qm_engine_join(qm_engine *e, qm_space *s, const qm_joining *how, qm_joined *out) {
  qm_arena arena;
  run r = {.s = s, .how = how, .bytes_min = how->bytes_min ? how->bytes_min : QM_JOIN_BYTES};
  gathering g = {.s = s, .arena = &arena, .ops_max = how->ops_max ? how->ops_max : QM_JOIN_OPS};
  *out = (qm_joined){.last = how->after};
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  QM_TRY(qm__fold(e)); /* what waits is in the log alone */
  QM_TRY(e->store->ops->log_sizes(e->store, s->number, find_run, &r));
  if (!is_enough(&r)) return QM_OK;
  qm_arena_init(&arena, e->env, JOIN_ARENA);
  int rc = join_run(&g, &r, out);
  qm_arena_free(&arena);
  out->more = rc == QM_OK;
  if (rc != QM_OK) out->rows = 0;
  return rc;
}

/* --- one becomes several --- */

typedef struct gap {
  uint64_t seq, before;
} gap;

static int find_before(void *payload, const qm_log_row *row) {
  gap *g = payload;
  if (row->seq >= g->seq) return QM_STORE_STOP;
  g->before = row->seq;
  return QM_OK;
}

/* So that each has about as many ops; the rest of the segments is its own part. */
static uint32_t part_end(const qm_batch *b, uint32_t from, uint32_t parts_left) {
  uint64_t ops = 0, mine = 0;
  uint32_t to = from;
  for (uint32_t i = from; i < b->n_segments; i++) ops += b->segments[i].n_ops;
  while (to < b->n_segments && b->n_segments - to >= parts_left &&
         (to == from || (mine + b->segments[to].n_ops) * parts_left <= ops))
    mine += b->segments[to++].n_ops;
  return parts_left == 1 ? b->n_segments : to;
}

static int parts_of(qm_space *s, const qm_batch *b, uint64_t low, uint64_t seq, uint32_t n,
                    qm_arena *arena, qm_log_row *rows, qm_buf *blobs) {
  uint64_t span = seq - low + 1;
  for (uint32_t i = 0, from = 0, to; i < n; i++, from = to) {
    to = part_end(b, from, n - i);
    qm_batch part = {b->segments + from, to - from};
    qm_buf_clear(&blobs[i]);
    QM_TRY(qm_batch_encode(&blobs[i], &part, &s->authors, s->engine->zip_level));
    QM_TRY(row_of(&part, low - 1 + (i + 1) * span / n, qm_buf_slice(&blobs[i]), arena, &rows[i]));
  }
  return QM_OK;
}

int qm__join_part(qm_space *s, const qm_log_row *row, const qm_batch *batch, qm_arena *arena,
                  uint64_t *first) {
  qm_store *store = s->engine->store;
  gap g = {row->seq, 0};
  qm_log_row rows[PARTS_MAX];
  qm_buf blobs[PARTS_MAX];
  int rc = QM_ELIMIT;
  uint32_t n = 2;
  QM_TRY(store->ops->log_sizes(store, s->number, find_before, &g));
  for (uint32_t i = 0; i < PARTS_MAX; i++) qm_buf_init(&blobs[i], s->engine->env, QM_BATCH_MAX);
  for (; rc == QM_ELIMIT && n <= PARTS_MAX; n *= 2) {
    if (n > batch->n_segments || n > row->seq - g.before) break;
    rc = parts_of(s, batch, g.before + 1, row->seq, n, arena, rows, blobs);
    if (rc == QM_OK) rc = store->ops->log_repack(store, s->number, rows[0].seq, rows, n);
    if (rc == QM_OK) *first = rows[0].seq;
  }
  for (uint32_t i = 0; i < PARTS_MAX; i++) qm_buf_free(&blobs[i]);
  return rc;
}
