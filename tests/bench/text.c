/* Typing: the editing trace automerge-paper (fixtures/traces/README.md) as one text field.
 * Every way ends in the trace's own end content, or nothing is printed. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/batch_small.h"
#include "core/crdt/sequence.h"
#include "core/segment.h"
#include "core/write.h"
#include "core/zip.h"
#include "tests/bench/chains.h"

#define TRACE "fixtures/traces/automerge-paper.json.gz"
#define CHUNK 20000u /* edits a change: its row form stays below QM_CHANGE_MAX */
#define NOTES 16u
#define KEY_FIRST_MS UINT64_C(1767225600000) /* when typing begins, and how fast it goes on */
#define KEY_EVERY_MS 150u

typedef struct edit {
  uint32_t at, cut;
  qm_slice text;
} edit;

typedef struct trace {
  json_t *json;   /* holds the end content */
  uint8_t *texts; /* of the edits, in their order */
  edit *edits;
  uint32_t n;
  qm_slice end;
} trace;

typedef struct replica {
  qm_store *store;
  qm_engine *engine;
} replica;

typedef struct world {
  bench_env env;
  trace t;
  qm_buf schema;
  qm_arena arena; /* batches */
  qm_slice *batches;
  uint32_t n_batches;
} world;

static const qm_id record_id = {{'R'}}, space_id = {{'S'}};
static const qm_slice none = {NULL, 0};

/* --- the trace --- */

static void read_trace(trace *t) {
  size_t size = (size_t)1 << 26;
  char *text = malloc(size);
  gzFile f = gzopen(TRACE, "rb");
  json_error_t e;
  BENCH_CHECK(text && f);
  int n = gzread(f, text, (unsigned)size - 1);
  BENCH_CHECK(n > 0);
  gzclose(f);
  t->json = json_loadb(text, (size_t)n, 0, &e);
  free(text);
  BENCH_CHECK(t->json);
  const json_t *txns = json_object_get(t->json, "txns");
  const json_t *end = json_object_get(t->json, "endContent");
  t->end = qm_slice_of(json_string_value(end), json_string_length(end));
  for (size_t i = 0; i < json_array_size(txns); i++)
    t->n += (uint32_t)json_array_size(json_object_get(json_array_get(txns, i), "patches"));
  t->edits = calloc(t->n, sizeof *t->edits);
  BENCH_CHECK(t->edits && t->n);
  edit *to = t->edits;
  uint8_t *texts = malloc(size); /* side by side: no figure is to be that of reading JSON */
  BENCH_CHECK(texts);
  t->texts = texts;
  for (size_t i = 0; i < json_array_size(txns); i++) {
    const json_t *patches = json_object_get(json_array_get(txns, i), "patches");
    for (size_t k = 0; k < json_array_size(patches); k++, to++) {
      const json_t *p = json_array_get(patches, k), *s = json_array_get(p, 2);
      to->at = (uint32_t)json_integer_value(json_array_get(p, 0));
      to->cut = (uint32_t)json_integer_value(json_array_get(p, 1));
      to->text = qm_slice_of(texts, json_string_length(s));
      BENCH_CHECK((size_t)(texts - t->texts) + to->text.n <= size);
      memcpy(texts, json_string_value(s), to->text.n);
      texts += to->text.n;
    }
  }
}

/* --- replicas --- */

static qm_slice words(const char *s) { return qm_slice_of(s, strlen(s)); }

static void make_schema(world *w) {
  qm_field_def f = {.number = NOTES,
                    .name = words("notes"),
                    .type = QM_FIELD_TEXT,
                    .value = QM_VALUE_TEXT,
                    .cls = QM_CLASS_WORK};
  qm_collection_def c = {.number = 1,
                         .name = words("paper"),
                         .purpose = words("bench"),
                         .retention = words("P1Y"),
                         .fields = &f,
                         .n_fields = 1};
  qm_schema s = {.version = 1,
                 .name = words("text"),
                 .drift_ms = 600000,
                 .lease_days = 90,
                 .review_days = 90,
                 .collections = &c,
                 .n_collections = 1};
  qm_buf_init(&w->schema, &w->env.env, 1u << 20);
  BENCH_OK(qm_schema_check(&s, NULL));
  qm_schema_encode(&s, &w->schema);
  BENCH_OK(qm_buf_status(&w->schema));
}

static qm_space *space_of(const replica *r) { return qm_engine_space(r->engine, &space_id); }

static void open_engine(world *w, replica *r, uint8_t device) {
  qm_engine_options o = {.size = sizeof o, .device = {{device}}};
  BENCH_OK(qm_engine_open(&r->engine, &w->env.env, r->store, &o, NULL));
}

static void open_replica(world *w, replica *r, uint8_t device) {
  const qm_space_info info = {.id = space_id,
                              .name = words("s"),
                              .role = words("grid"),
                              .schema = qm_buf_slice(&w->schema),
                              .readable = 1,
                              .writable = 1};
  BENCH_OK(qm_store_mem_open(&w->env.env, &r->store));
  open_engine(w, r, device);
  BENCH_OK(qm_engine_space_put(r->engine, &info, NULL));
}

static void close_replica(replica *r) {
  qm_engine_close(r->engine);
  r->store->ops->close(r->store);
}

static const qm_cell *read_cell(world *w, const replica *r, qm_arena *arena) {
  const qm_record *rec;
  (void)w;
  BENCH_OK(qm_engine_read(r->engine, space_of(r), &record_id, arena, &rec));
  const qm_cell *cell = qm_record_cell(rec, NOTES, QM_SEQUENCE);
  BENCH_CHECK(cell);
  return cell;
}

static void check(world *w, const qm_cell *cell) {
  qm_buf b;
  qm_buf_init(&b, &w->env.env, 1u << 24);
  qm_sequence_text(cell, &b);
  BENCH_OK(qm_buf_status(&b));
  BENCH_CHECK(b.n == w->t.end.n && memcmp(b.p, w->t.end.p, b.n) == 0);
  qm_buf_free(&b);
}

static void check_replica(world *w, const replica *r) {
  qm_arena arena;
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  check(w, read_cell(w, r, &arena));
  qm_arena_free(&arena);
}

/* --- typing --- */

static void type(bench *b, world *w, replica *r) {
  double verbs = 0, commits = 0;
  qm_write *x;
  qm_id id;
  int existing;
  BENCH_OK(qm_write_begin(&x, r->engine, space_of(r), 0));
  BENCH_OK(qm_write_new(x, 1, &record_id, none, &id, &existing));
  BENCH_OK(qm_write_commit(x, QM_DURABLE));
  for (uint32_t i = 0; i < w->t.n;) {
    uint32_t end = i + CHUNK < w->t.n ? i + CHUNK : w->t.n;
    BENCH_OK(qm_write_begin(&x, r->engine, space_of(r), 0));
    /* The first edit loads the record. */
    const edit *e = &w->t.edits[i++];
    BENCH_OK(qm_write_splice(x, &record_id, NOTES, e->at, e->cut, e->text, none));
    double from = bench_cpu();
    for (; i < end; i++) {
      e = &w->t.edits[i];
      BENCH_OK(qm_write_splice(x, &record_id, NOTES, e->at, e->cut, e->text, none));
    }
    double to = bench_cpu();
    BENCH_OK(qm_write_commit(x, QM_DURABLE));
    verbs += to - from;
    commits += bench_cpu() - to;
  }
  check_replica(w, r);
  bench_add(b, "text.local", (double)w->t.n / verbs);
  bench_add(b, "text.local.commits", commits * 1e3);
}

static void batches_of(world *w, replica *r) {
  const qm_vv_list nothing = {NULL, 0};
  uint64_t cursor = 0;
  qm_buf batch;
  w->n_batches = 0;
  BENCH_OK(qm_engine_push(r->engine, space_of(r)));
  qm_buf_init(&batch, &w->env.env, QM_BATCH_MAX);
  for (;;) {
    qm_buf_clear(&batch);
    int rc = qm_engine_next_batch(r->engine, space_of(r), nothing, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    BENCH_OK(rc);
    w->batches[w->n_batches++] =
        qm_slice_of(qm_arena_copy(&w->arena, batch.p, batch.n), batch.n);
  }
  qm_buf_free(&batch);
}

static double ingest_all(world *w, replica *r) {
  double from = bench_cpu();
  qm_ingest in = {.peer = {{1}}};
  qm_arena arena;
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  BENCH_OK(qm_engine_begin(r->engine));
  for (uint32_t i = 0; i < w->n_batches; i++)
    BENCH_OK(qm_engine_ingest(r->engine, space_of(r), w->batches[i], &in, &arena, NULL));
  BENCH_OK(qm_engine_commit(r->engine, QM_DURABLE, NULL, NULL));
  double took = bench_cpu() - from;
  BENCH_CHECK(!in.n_refusals && !in.parked);
  qm_arena_free(&arena);
  return took;
}

static void merge(bench *b, world *w) {
  replica r;
  size_t bytes = 0;
  open_replica(w, &r, 2);
  uint64_t ops;
  bench_add(b, "text.merge", ingest_all(w, &r) * 1e3);
  bench_add(b, "text.limit.merge", bench_chains(&w->env, w->batches, w->n_batches, &ops) * 1e3);
  check_replica(w, &r);
  close_replica(&r);
  for (uint32_t i = 0; i < w->n_batches; i++) bytes += w->batches[i].n;
  bench_add(b, "text.history", (double)bytes);
}

/* The record's state without the log that a snapshot carries beside it. */
static void snapshot(bench *b, world *w, replica *r) {
  const qm_record *shown;
  qm_record rec;
  qm_buf all, packed;
  qm_arena arena;
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  qm_buf_init(&all, &w->env.env, SIZE_MAX / 2);
  qm_buf_init(&packed, &w->env.env, SIZE_MAX / 2);
  BENCH_OK(qm_engine_read(r->engine, space_of(r), &record_id, &arena, &shown));
  rec = *shown;
  BENCH_OK(qm_record_encode(&rec, qm_space_authors(space_of(r)), &arena, &all));
  bench_add(b, "text.state.plain", (double)all.n);
  BENCH_OK(qm_zip(&packed, qm_buf_slice(&all), 17)); /* as in a snapshot */
  bench_add(b, "text.state", (double)packed.n);
  qm_buf_free(&all);
  qm_buf_free(&packed);
  qm_arena_free(&arena);
}

static void load(bench *b, world *w, replica *r) {
  qm_arena arena;
  qm_write *x;
  qm_engine_close(r->engine);
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  double from = bench_cpu();
  open_engine(w, r, 1);
  qm_buf text;
  qm_buf_init(&text, &w->env.env, 1u << 24);
  BENCH_OK(qm_write_begin(&x, r->engine, space_of(r), 0));
  qm_sequence_text(read_cell(w, r, &arena), &text);
  BENCH_OK(qm_write_splice(x, &record_id, NOTES, 1000, 0, words("x"), none));
  bench_add(b, "text.load", (bench_cpu() - from) * 1e3);
  BENCH_CHECK(text.n == w->t.end.n && memcmp(text.p, w->t.end.p, text.n) == 0);
  qm_write_cancel(x);
  qm_buf_free(&text);
  qm_arena_free(&arena);
}

/* --- every keystroke a change and a segment of its own, in the form that a session which stays
 * sends it in --- */

typedef struct author {
  world *w;
  qm_authors authors;
  qm_vv seen;
  qm_cell cell;
  qm_arena arena;
  qm_arena one; /* of the segment at hand */
  qm_hash head;
  uint64_t next;
  qm_time time;
} author;

static void send(author *a, const qm_segment *g) {
  qm_buf out;
  qm_buf_init(&out, &a->w->env.env, QM_SMALL_MAX);
  BENCH_OK(qm_small_encode(&out, g, &a->authors));
  a->w->batches[a->w->n_batches++] =
      qm_slice_of(qm_arena_copy(&a->w->arena, out.p, out.n), out.n);
  qm_buf_free(&out);
  qm_arena_reset(&a->one);
}

static void segment(author *a, qm_op op) {
  qm_hash hash;
  op.counter = a->next;
  if (!op.span) op.span = 1;
  a->time += (qm_time)KEY_EVERY_MS << 16;
  qm_change c = {.counter = a->next, .next = a->next + op.span, .time = a->time};
  c.ops = &op;
  c.n_ops = 1;
  qm_salt seed = {.count = 1};
  memcpy(seed.b, &a->next, sizeof a->next);
  qm_segment g = {.start = c.counter,
                  .next = c.next,
                  .changes = &c,
                  .n_changes = 1,
                  .n_ops = 1,
                  .salts = &seed,
                  .n_salts = 1,
                  .algorithm = 1};
  memcpy(g.previous, a->head.b, QM_HEAD_SIZE);
  BENCH_OK(qm_segment_hash(&g, &space_id, &a->head, &a->authors, &a->one, &hash));
  memcpy(g.head, hash.b, QM_HEAD_SIZE);
  a->head = hash;
  a->next = c.next;
  send(a, &g);
  if (op.shape != QM_SEQUENCE) return;
  qm_apply apply = {&a->authors, &a->seen, &c, &a->arena};
  BENCH_OK(qm_vv_set(&a->w->env.env, &a->seen, 0, op.counter));
  BENCH_OK(qm_shape_sequence.apply(&a->cell, &apply, &op));
}

static void keystroke(author *a, const edit *e) {
  qm_op op = {.record = record_id, .field = NOTES, .shape = QM_SEQUENCE};
  op.named = QM_BY_CREATION;
  if (e->cut) {
    qm_op cut = op;
    cut.kind = QM_KIND_CUT;
    BENCH_OK(qm_sequence_cut(&a->cell, &a->arena, e->at, e->cut, &cut.cuts));
    segment(a, cut);
  }
  if (!e->text.n) return;
  uint8_t *value = qm_arena_alloc(&a->arena, e->text.n + 1);
  BENCH_CHECK(value && e->text.n < 32);
  value[0] = (uint8_t)(0xa0u | e->text.n);
  memcpy(value + 1, e->text.p, e->text.n);
  op.kind = QM_KIND_INSERT;
  op.value = qm_slice_of(value, e->text.n + 1);
  BENCH_CHECK(qm_utf8_check(e->text, &(size_t){0}));
  op.span = e->text.n; /* the trace is ASCII */
  BENCH_OK(qm_sequence_place(&a->cell, &a->authors, e->at, &op));
  segment(a, op);
}

/* It stands where the author stands, by the hash of all that was written. */
static void check_head(const author *a, const replica *r, const qm_author *id) {
  qm_vv_list at;
  qm_arena arena;
  qm_arena_init(&arena, &a->w->env.env, 1u << 20);
  BENCH_OK(qm_engine_heads(r->engine, space_of(r), &arena, &at));
  BENCH_CHECK(at.n == 1 && qm_author_cmp(&at.p[0].author, id) == 0 && at.p[0].next == a->next);
  BENCH_CHECK(memcmp(at.p[0].head, a->head.b, QM_HEAD_SIZE) == 0);
  qm_arena_free(&arena);
}

static void keystrokes(bench *b, world *w) {
  static author a;
  const qm_author id = {{7, 7}};
  uint32_t number;
  replica r;
  memset(&a, 0, sizeof a);
  a.w = w;
  a.time = KEY_FIRST_MS << 16;
  w->n_batches = 0;
  qm_authors_init(&a.authors, &w->env.env);
  qm_arena_init(&a.arena, &w->env.env, (size_t)1 << 30);
  qm_arena_init(&a.one, &w->env.env, (size_t)1 << 30);
  BENCH_OK(qm_authors_add(&a.authors, &id, &number));
  segment(&a, (qm_op){.record = record_id,
                      .shape = QM_PRESENCE,
                      .kind = QM_KIND_NEW,
                      .value = qm_slice_of("\x01", 1)});
  for (uint32_t i = 0; i < w->t.n; i++) keystroke(&a, &w->t.edits[i]);
  check(w, &a.cell);
  open_replica(w, &r, 3);
  bench_add(b, "text.keystrokes", (double)w->t.n / ingest_all(w, &r));
  uint64_t ops;
  double took = bench_chains(&w->env, w->batches, w->n_batches, &ops);
  BENCH_CHECK(ops == w->t.n + 1u); /* the record's creation */
  bench_add(b, "text.limit.keystrokes", (double)w->t.n / took);
  check_replica(w, &r);
  check_head(&a, &r, &id);
  close_replica(&r);
  qm_arena_free(&a.arena);
  qm_arena_free(&a.one);
  qm_authors_free(&a.authors);
  qm_vv_free(&w->env.env, &a.seen);
}

void bench_text(bench *b, int runs) {
  static world w;
  bench_figure(b, "text.local", "edits/s", 8e6, 1, NULL);
  bench_figure(b, "text.local.commits", "ms", 0, 0, NULL);
  bench_figure(b, "text.load", "ms", 5, 0, NULL);
  bench_figure(b, "text.merge", "ms", 8, 0, "text.limit.merge");
  bench_figure(b, "text.limit.merge", "ms", 0, 0, NULL);
  bench_figure(b, "text.keystrokes", "1/s", 1.5e6, 1, "text.limit.keystrokes");
  bench_figure(b, "text.limit.keystrokes", "1/s", 0, 1, NULL);
  bench_figure(b, "text.history", "B", 110000, 0, NULL);
  bench_figure(b, "text.state", "B", 45000, 0, NULL);
  bench_figure(b, "text.state.plain", "B", 0, 0, NULL);
  read_trace(&w.t);
  for (int i = 0; i < runs; i++) {
    replica r;
    bench_env_init(&w.env, 1);
    make_schema(&w);
    qm_arena_init(&w.arena, &w.env.env, (size_t)1 << 30);
    w.batches = calloc(2 * w.t.n + 1, sizeof *w.batches);
    BENCH_CHECK(w.batches);
    open_replica(&w, &r, 1);
    type(b, &w, &r);
    batches_of(&w, &r);
    merge(b, &w);
    snapshot(b, &w, &r);
    load(b, &w, &r);
    close_replica(&r);
    keystrokes(b, &w);
    free(w.batches);
    qm_arena_free(&w.arena);
    qm_buf_free(&w.schema);
    BENCH_CHECK(w.env.live == 0);
  }
  free(w.t.edits);
  free(w.t.texts);
  json_decref(w.t.json);
}
