/* Typing by several at once (friendsforever, clownschool) and typing saved edit by edit. Each
 * author types on a replica that has seen exactly what the trace says he had; all replicas end in
 * the trace's end content.
 *
 * What is merged is the whole history, chains included, into an empty replica; the reading of
 * the text is part of it. Once in as few batches as hold it, as the peers' one update (of which
 * Yjs's is a state, without what was deleted), and once each push a batch of its own. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "adapters/json/schema_json.h"
#include "core/crdt/sequence.h"
#include "core/logged.h"
#include "core/read.h"
#include "core/write.h"
#include "tests/bench/chains.h"

#define NOTES 16u
#define AUTHORS 4u
#define PARENTS 8u
#define TOGETHER 10000u /* edits in one change at most */
#define ONE_EACH 20000u /* edits at the trace's end that are committed one by one */

static const qm_id record_id = {{'R'}}, space_id = {{'S'}};
static const qm_slice none = {NULL, 0};
static const char schema_text[] =
    "{\"schema\":\"text\",\"version\":1,\"collections\":[{\"name\":\"paper\",\"number\":1,"
    "\"purpose\":\"bench\",\"retention\":\"P1Y\",\"fields\":[{\"name\":\"notes\",\"number\":16,"
    "\"type\":\"text\",\"value\":\"text\",\"class\":\"work\"}]}]}";

typedef struct edit {
  uint64_t at, cut;
  qm_slice text;
} edit;

typedef struct txn {
  uint32_t author, parents[PARENTS], n_parents, n_edits;
  edit *edits;
  uint32_t asked; /* 1: somebody else hangs on it */
} txn;

typedef struct replica {
  qm_store *store;
  qm_engine *engine;
  qm_write *open; /* what was typed since the last commit */
  uint32_t n;     /* transactions in it */
} replica;

/* What one author pushed, up to a transaction. */
typedef struct part {
  uint32_t author, last;
  qm_slice batch;
} part;

typedef struct world {
  bench_env env;
  json_t *json; /* holds all text */
  txn *txns;
  edit *all;
  uint32_t n, edits;
  qm_slice end;
  qm_buf schema;
  replica authors[AUTHORS];
  uint32_t taken[AUTHORS][AUTHORS]; /* [a][b]: parts of b that a has */
  uint32_t made[AUTHORS];
  part *parts[AUTHORS];
  qm_arena arena;
} world;

/* No figure is to be that of reading JSON. */
static void read_edits(world *w) {
  const json_t *txns = json_object_get(w->json, "txns");
  size_t i, k, n = 0;
  json_t *t, *p;
  json_array_foreach(txns, i, t) n += json_array_size(json_object_get(t, "patches"));
  w->all = calloc(n + 1, sizeof *w->all);
  BENCH_CHECK(w->all);
  json_array_foreach(txns, i, t) {
    w->txns[i].edits = w->all + w->edits;
    json_array_foreach(json_object_get(t, "patches"), k, p) {
      const json_t *s = json_array_get(p, 2);
      edit *to = &w->all[w->edits++];
      to->at = (uint64_t)json_integer_value(json_array_get(p, 0));
      to->cut = (uint64_t)json_integer_value(json_array_get(p, 1));
      to->text = qm_slice_of(json_string_value(s), json_string_length(s));
      w->txns[i].n_edits++;
    }
  }
}

static void read_trace(world *w, const char *path) {
  size_t size = (size_t)1 << 26, i, k;
  char *text = malloc(size);
  gzFile f = gzopen(path, "rb");
  json_error_t e;
  json_t *t, *p;
  BENCH_CHECK(text && f);
  int n = gzread(f, text, (unsigned)size - 1);
  gzclose(f);
  w->json = n > 0 ? json_loadb(text, (size_t)n, 0, &e) : NULL;
  free(text);
  BENCH_CHECK(w->json);
  const json_t *txns = json_object_get(w->json, "txns"), *end;
  end = json_object_get(w->json, "endContent");
  w->end = qm_slice_of(json_string_value(end), json_string_length(end));
  w->n = (uint32_t)json_array_size(txns);
  w->txns = calloc(w->n, sizeof *w->txns);
  BENCH_CHECK(w->txns);
  json_array_foreach(txns, i, t) {
    txn *x = &w->txns[i];
    x->author = (uint32_t)json_integer_value(json_object_get(t, "agent"));
    BENCH_CHECK(x->author < AUTHORS);
    json_array_foreach(json_object_get(t, "parents"), k, p) {
      BENCH_CHECK(x->n_parents < PARENTS);
      uint32_t parent = x->parents[x->n_parents++] = (uint32_t)json_integer_value(p);
      BENCH_CHECK(parent < i);
      w->txns[parent].asked |= w->txns[parent].author != x->author;
    }
  }
  read_edits(w);
}

static qm_space *space_of(const replica *r) { return qm_engine_space(r->engine, &space_id); }

static void open_replica(world *w, replica *r, uint8_t device, uint32_t flags) {
  const qm_space_info info = {.id = space_id,
                              .name = qm_slice_of("s", 1),
                              .role = qm_slice_of("grid", 4),
                              .schema = qm_buf_slice(&w->schema),
                              .readable = 1,
                              .writable = 1};
  qm_engine_options o = {.size = sizeof o, .device = {{device}}, .flags = flags};
  memset(r, 0, sizeof *r);
  BENCH_OK(qm_store_mem_open(&w->env.env, &r->store));
  BENCH_OK(qm_engine_open(&r->engine, &w->env.env, r->store, &o, NULL));
  BENCH_OK(qm_engine_space_put(r->engine, &info, NULL));
}

static void close_replica(replica *r) {
  if (!r->engine) return;
  qm_engine_close(r->engine);
  r->store->ops->close(r->store);
  memset(r, 0, sizeof *r);
}

static void open_world(world *w, const char *path) {
  qm_error e = {0, ""};
  memset(w, 0, sizeof *w);
  bench_env_init(&w->env, 1);
  read_trace(w, path);
  qm_buf_init(&w->schema, &w->env.env, 1u << 20);
  qm_arena_init(&w->arena, &w->env.env, (size_t)1 << 30);
  BENCH_OK(qm_schema_json_compile(&w->schema, qm_slice_of(schema_text, sizeof schema_text - 1),
                                  &e));
  for (uint32_t a = 0; a < AUTHORS; a++) {
    w->parts[a] = calloc(w->n + 1, sizeof **w->parts);
    BENCH_CHECK(w->parts[a]);
  }
}

static void close_world(world *w) {
  for (uint32_t a = 0; a < AUTHORS; a++) {
    close_replica(&w->authors[a]);
    free(w->parts[a]);
  }
  qm_arena_free(&w->arena);
  qm_buf_free(&w->schema);
  free(w->txns);
  free(w->all);
  json_decref(w->json);
  BENCH_CHECK(w->env.live == 0);
}

static void check_end(world *w, const replica *r) {
  qm_arena arena;
  const qm_record *rec;
  qm_buf b;
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  qm_buf_init(&b, &w->env.env, 1u << 24);
  BENCH_OK(qm_engine_read(r->engine, space_of(r), &record_id, &arena, &rec));
  const qm_cell *cell = qm_record_cell(rec, NOTES, QM_SEQUENCE);
  BENCH_CHECK(cell);
  qm_sequence_text(cell, &b);
  BENCH_OK(qm_buf_status(&b));
  BENCH_CHECK(b.n == w->end.n && memcmp(b.p, w->end.p, b.n) == 0);
  qm_buf_free(&b);
  qm_arena_free(&arena);
}

static void take(replica *r, uint32_t author, qm_slice batch, qm_arena *arena) {
  qm_ingest in = {.peer = {{(uint8_t)(author + 1)}}};
  BENCH_OK(qm_engine_ingest(r->engine, space_of(r), batch, &in, arena, NULL));
  BENCH_CHECK(!in.n_refusals && !in.parked);
}

static void commit(replica *r) {
  if (r->open) BENCH_OK(qm_write_commit(r->open, QM_RELAXED));
  r->open = NULL;
  r->n = 0;
}

/* Parts of b's up to its transaction `last`, with what they hang on. */
static void bring(world *w, uint32_t a, uint32_t b, uint32_t last) {
  while (w->taken[a][b] < w->made[b]) {
    const part *p = &w->parts[b][w->taken[a][b]];
    if (w->taken[a][b] && p[-1].last >= last && p->last > p[-1].last) break;
    uint32_t first = w->taken[a][b] ? p[-1].last + 1 : 0;
    commit(&w->authors[a]);
    for (uint32_t i = first; i <= p->last; i++) {
      const txn *x = &w->txns[i];
      if (x->author != b) continue;
      for (uint32_t k = 0; k < x->n_parents; k++) {
        const txn *parent = &w->txns[x->parents[k]];
        if (parent->author != a && parent->author != b) bring(w, a, parent->author, x->parents[k]);
      }
    }
    qm_arena arena;
    qm_arena_init(&arena, &w->env.env, 1u << 26);
    BENCH_OK(qm_engine_begin(w->authors[a].engine));
    take(&w->authors[a], b, p->batch, &arena);
    BENCH_OK(qm_engine_commit(w->authors[a].engine, QM_DURABLE, NULL, NULL));
    qm_arena_free(&arena);
    w->taken[a][b]++;
  }
}

/* What an author has written since the last time, as one more part. */
static void push(world *w, uint32_t a, uint32_t last) {
  replica *r = &w->authors[a];
  qm_vv_list heads = {NULL, 0};
  uint64_t cursor = 0;
  qm_buf batch;
  qm_arena arena;
  qm_arena_init(&arena, &w->env.env, 1u << 20);
  qm_buf_init(&batch, &w->env.env, QM_BATCH_MAX);
  commit(r);
  BENCH_OK(qm_engine_heads(r->engine, space_of(r), &arena, &heads)); /* before the push */
  BENCH_OK(qm_engine_push(r->engine, space_of(r)));
  for (;;) {
    qm_buf_clear(&batch);
    int rc = qm_engine_next_batch(r->engine, space_of(r), heads, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    BENCH_OK(rc);
    BENCH_CHECK(w->made[a] < w->n);
    w->parts[a][w->made[a]++] = (part){
        a, last, qm_slice_of(qm_arena_copy(&w->arena, batch.p, batch.n), batch.n)};
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
}

/* A commit after so many transactions. */
static void type(replica *r, const txn *x, uint32_t most) {
  if (!r->open) BENCH_OK(qm_write_begin(&r->open, r->engine, space_of(r), 0));
  for (const edit *e = x->edits; e < x->edits + x->n_edits; e++)
    BENCH_OK(qm_write_splice(r->open, &record_id, NOTES, e->at, e->cut, e->text, none));
  if (++r->n >= most) commit(r);
}

static void create(replica *r) {
  qm_write *x;
  qm_id id;
  int existing;
  BENCH_OK(qm_write_begin(&x, r->engine, space_of(r), 0));
  BENCH_OK(qm_write_new(x, 1, &record_id, none, &id, &existing));
  BENCH_OK(qm_write_commit(x, QM_RELAXED));
}

static void play(world *w) {
  for (uint32_t i = 0; i < w->n; i++) {
    const txn *x = &w->txns[i];
    replica *r = &w->authors[x->author];
    if (!r->engine) {
      open_replica(w, r, (uint8_t)(x->author + 1), 0);
      if (i == 0) create(r);
    }
    for (uint32_t k = 0; k < x->n_parents; k++)
      if (w->txns[x->parents[k]].author != x->author)
        bring(w, x->author, w->txns[x->parents[k]].author, x->parents[k]);
    type(r, x, TOGETHER);
    if (x->asked || i + 1 == w->n) push(w, x->author, i);
  }
  for (uint32_t a = 0; a < AUTHORS; a++)
    if (w->authors[a].engine) push(w, a, w->n - 1);
}

typedef struct batches {
  qm_slice *p;
  uint32_t n;
} batches;

/* All that a replica holds, each push a batch as it came. */
static batches pushed(world *w, replica *all) {
  batches out = {calloc(w->n, sizeof *out.p), 0};
  const qm_vv_list nothing = {NULL, 0};
  uint64_t cursor = 0;
  qm_buf batch;
  BENCH_CHECK(out.p);
  qm_buf_init(&batch, &w->env.env, QM_BATCH_MAX);
  for (;; out.n++) {
    qm_buf_clear(&batch);
    int rc = qm_engine_next_batch(all->engine, space_of(all), nothing, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    BENCH_OK(rc);
    BENCH_CHECK(out.n < w->n);
    out.p[out.n] = qm_slice_of(qm_arena_copy(&w->arena, batch.p, batch.n), batch.n);
  }
  qm_buf_free(&batch);
  return out;
}

/* The same segments in as few batches as hold them: as a peer sends all in one update. */
static batches joined(world *w, replica *all, const batches *from) {
  batches out = {calloc(from->n, sizeof *out.p), 0};
  qm_segment *held = calloc(QM_BATCH_SEGMENTS_MAX, sizeof *held);
  qm_batch one, whole = {held, 0};
  qm_arena arena;
  qm_buf batch;
  BENCH_CHECK(out.p && held);
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  qm_buf_init(&batch, &w->env.env, QM_BATCH_MAX);
  for (uint32_t i = 0; i <= from->n; i++) {
    one.n_segments = 0;
    if (i < from->n) BENCH_OK(qm__logged_batch(space_of(all), from->p[i], 0, &arena, &one));
    if (i == from->n || whole.n_segments + one.n_segments > QM_BATCH_SEGMENTS_MAX) {
      qm_buf_clear(&batch);
      BENCH_OK(qm_batch_encode(&batch, &whole, qm_space_authors(space_of(all)), 0));
      out.p[out.n++] = qm_slice_of(qm_arena_copy(&w->arena, batch.p, batch.n), batch.n);
      whole.n_segments = 0;
    }
    for (uint32_t k = 0; k < one.n_segments; k++) held[whole.n_segments++] = one.segments[k];
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  free(held);
  return out;
}

/* Into an empty replica, history and hash chains included. */
static void merge(bench *b, world *w, const char *id, const batches *from) {
  replica r;
  qm_arena arena;
  open_replica(w, &r, 9, 0);
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  bench_span start = bench_start();
  BENCH_OK(qm_engine_begin(r.engine));
  for (uint32_t i = 0; i < from->n; i++) take(&r, 0, from->p[i], &arena);
  BENCH_OK(qm_engine_commit(r.engine, QM_DURABLE, NULL, NULL));
  check_end(w, &r); /* reading it is part of the figure, as it is of the peers' */
  bench_took(b, id, 1e3, start);
  qm_arena_free(&arena);
  close_replica(&r);
}

static void merges(bench *b, world *w, const char *name, int runs) {
  char id[64], each[80], limit[80];
  uint64_t ops;
  replica *a = &w->authors[0];
  batches all = pushed(w, a), few = joined(w, a, &all);
  snprintf(id, sizeof id, "text.%s", name);
  snprintf(each, sizeof each, "%s.pushes", id);
  snprintf(limit, sizeof limit, "text.limit.%s", name);
  bench_figure(b, limit, "ms", 0, 0, NULL);
  bench_figure(b, id, "ms", 0, 0, limit);
  bench_figure(b, each, "ms", 0, 0, NULL);
  for (int i = 0; i < runs; i++) {
    merge(b, w, id, &few);
    merge(b, w, each, &all);
    bench_add(b, limit, bench_chains(&w->env, few.p, few.n, &ops) * 1e3);
  }
  free(all.p);
  free(few.p);
}

static void each(bench *b) {
  static world w;
  replica r;
  open_world(&w, "fixtures/traces/automerge-paper.json.gz");
  open_replica(&w, &r, 1, QM_ENGINE_BEHIND);
  create(&r);
  for (uint32_t i = 0; i < w.n - ONE_EACH; i++) type(&r, &w.txns[i], TOGETHER);
  commit(&r);
  BENCH_OK(qm_engine_fold(r.engine)); /* what was typed before is no matter of these */
  bench_span from = bench_start();
  for (uint32_t i = w.n - ONE_EACH; i < w.n; i++) type(&r, &w.txns[i], 1);
  BENCH_OK(qm_engine_fold(r.engine));
  bench_rate(b, "text.local.each", ONE_EACH, from);
  check_end(&w, &r);
  close_replica(&r);
  close_world(&w);
}

void bench_together(bench *b, int runs) {
  static world w;
  static const char *const names[] = {"friendsforever", "clownschool"};
  bench_figure(b, "text.local.each", "edits/s", 1e6, 1, NULL);
  for (int k = 0; k < 2; k++) {
    char path[128];
    snprintf(path, sizeof path, "fixtures/traces/%s.json.gz", names[k]);
    open_world(&w, path);
    play(&w);
    for (uint32_t a = 0; a < AUTHORS; a++) {
      if (!w.authors[a].engine) continue;
      for (uint32_t o = 0; o < AUTHORS; o++)
        if (o != a) bring(&w, a, o, w.n);
      check_end(&w, &w.authors[a]);
    }
    merges(b, &w, names[k], runs);
    close_world(&w);
  }
  for (int i = 0; i < runs; i++) each(b);
}
