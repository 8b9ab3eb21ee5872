/* The traces of form saves: local saves, hub merge, bytes, loading. What is measured is
 * checked: every replica's digest and VV, and the hub's dump against the digest kept in
 * fixtures/traces/digests. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "adapters/sqlite/project.h"
#include "adapters/sqlite/store_sqlite.h"
#include "core/mp.h"
#include "core/read.h"
#include "core/space.h"
#include "core/state.h"
#include "core/state_columns.h"
#include "tests/bench/village.h"

#define TRACE "fixtures/traces/village-grid-seed1.jsonl.gz"
/* --- figures --- */

static void hub_memory(bench *b, village *w) {
  village_replica hub;
  village_open_hub(w, &hub);
  size_t live = w->env.live;
  uint64_t calls = w->env.calls;
  w->env.peak = live;
  double from = bench_cpu();
  village_merge(w, &hub, 0, w->n_uploads); /* state and digest stand at the final VV */
  bench_add(b, "grid.hub_memory", (double)w->ops / (bench_cpu() - from));
  bench_add(b, "grid.hub_memory.peak", (double)(w->env.peak - live) / 1e6);
  bench_add(b, "grid.hub_memory.allocations", (double)(w->env.calls - calls) / (double)w->ops);
  village_check(w, hub.engine, 1);
  village_close_replica(&hub);
}

static void hub_sqlite(bench *b, village *w) {
  village_replica hub;
  uint64_t syncs[2];
  double seconds[2];
  char path[600];
  struct stat st;
  w->dir = bench_dir("hub");
  w->sqlite = QM_SQLITE_RELAXED; /* as qianmod has it: an upload's commit is durable */
  village_open_hub(w, &hub);
  bench_syncs(&syncs[0], &seconds[0]);
  double from = bench_cpu(), wall = bench_wall();
  village_merge(w, &hub, 0, w->n_uploads); /* state and digest stand at the final VV */
  bench_add(b, "grid.hub_sqlite.cpu", (bench_cpu() - from) / (double)w->ops * 1e6);
  bench_add(b, "grid.hub_sqlite.wall", (bench_wall() - wall) / (double)w->ops * 1e6);
  bench_syncs(&syncs[1], &seconds[1]);
  bench_add(b, "grid.hub_sqlite.fsyncs", (double)(syncs[1] - syncs[0]));
  village_check(w, hub.engine, 1);
  village_close_replica(&hub); /* its WAL goes into the file */
  snprintf(path, sizeof path, "%s/hub.db", w->dir);
  BENCH_CHECK(stat(path, &st) == 0);
  bench_add(b, "grid.hub_sqlite.file", (double)st.st_size / 1e6);
  w->dir = NULL;
}

static int add_part(void *payload, uint32_t part, qm_slice content) {
  (void)part;
  *(uint64_t *)payload += content.n;
  return QM_OK;
}

static int add_item(void *payload, const qm_record_row *row) {
  qm_buf *items = payload, item;
  qm_buf_init(&item, items->env, QM_RECORD_MAX * 2);
  qm_mp_array(&item, 2);
  qm_mp_bin(&item, row->id.b, sizeof row->id.b);
  qm_mp_bin(&item, row->state.p, row->state.n);
  qm_buf_be32(items, (uint32_t)item.n);
  qm_buf_add(items, item.p, item.n);
  qm_buf_free(&item);
  return qm_buf_status(items);
}

/* What the records of a snapshot are made of, as state_columns.h tells it. */
static void snapshot_parts(bench *b, village *w) {
  qm_columns_sizes sizes = {0};
  qm_buf items, out;
  qm_store *store = w->hub.store;
  qm_buf_init(&items, &w->env.env, SIZE_MAX / 2);
  qm_buf_init(&out, &w->env.env, SIZE_MAX / 2);
  for (uint32_t i = 0; i < qm_engine_space_count(w->hub.engine); i++) {
    const qm_space *s = qm_engine_space_at(w->hub.engine, i);
    qm_buf_clear(&items);
    BENCH_OK(store->ops->record_scan(store, s->number, 0, NULL, SIZE_MAX, add_item, &items));
    BENCH_OK(qm__columns_write(&out, qm_buf_slice(&items), s->authors.rank, s->authors.n, 17,
                               &sizes));
  }
  bench_add(b, "grid.snapshot.values", (double)(sizes.values + sizes.digests) / 1e3);
  bench_add(b, "grid.snapshot.ids", (double)sizes.ids / 1e3);
  bench_add(b, "grid.snapshot.dots", (double)sizes.dots / 1e3);
  bench_add(b, "grid.snapshot.times", (double)sizes.times / 1e3);
  bench_add(b, "grid.snapshot.rest", (double)sizes.rest / 1e3);
  qm_buf_free(&items);
  qm_buf_free(&out);
}

static void snapshot(bench *b, village *w) {
  uint64_t bytes = 0;
  double from = bench_cpu();
  for (uint32_t i = 0; i < qm_engine_space_count(w->hub.engine); i++)
    BENCH_OK(qm_state_write(w->hub.engine, qm_engine_space_at(w->hub.engine, i), add_part, &bytes));
  bench_add(b, "grid.snapshot.made", (bench_cpu() - from) * 1e3);
  bench_add(b, "grid.snapshot", (double)bytes / 1e3);
  snapshot_parts(b, w);
}

/* --- loading: a snapshot into a replica that holds nothing, then every field of it --- */

typedef struct pieces {
  qm_arena arena;
  qm_slice *p;
  uint32_t n, cap;
} pieces;

static int keep_piece(void *payload, uint32_t part, qm_slice content) {
  pieces *q = payload;
  (void)part;
  if (q->n == q->cap) {
    q->cap = q->cap ? q->cap * 2 : 64;
    q->p = realloc(q->p, q->cap * sizeof *q->p);
    BENCH_CHECK(q->p);
  }
  uint8_t *copy = qm_arena_copy(&q->arena, content.p, content.n);
  BENCH_CHECK(copy);
  q->p[q->n++] = qm_slice_of(copy, content.n);
  return QM_OK;
}

/* What a cell shows: its bytes, and for a counter its sum. */
static uint64_t read_cell(const qm_space *s, const qm_cell *cell, qm_arena *arena, qm_buf *text) {
  uint64_t bytes = 0;
  int64_t sum = 0;
  qm_contest c;
  switch (cell->shape) {
    case QM_KEYED:
      for (uint32_t i = 0; i < qm_keyed_of(cell)->n; i++) bytes += qm_keyed_of(cell)->p[i].value.n;
      return bytes;
    case QM_TOTALS:
      BENCH_OK(qm_totals_sum(qm_totals_of(cell), &sum));
      return (uint64_t)sum;
    case QM_SEQUENCE:
      qm_buf_clear(text);
      qm_sequence_text(cell, text);
      BENCH_OK(qm_buf_status(text));
      return text->n;
    default:
      BENCH_OK(qm_read_contest(s, NULL, cell, arena, &c));
      return c.shown->value.n;
  }
}

static uint64_t read_space(const village *w, qm_engine *e, qm_space *s) {
  qm_arena arena;
  qm_buf text;
  uint64_t shown = 0;
  qm_arena_init(&arena, &w->env.env, (size_t)1 << 30);
  qm_buf_init(&text, &w->env.env, SIZE_MAX / 2);
  for (uint32_t i = 0; i < w->trace.n_records; i++) {
    const qm_record *r;
    qm_arena_reset(&arena);
    int rc = qm_engine_read(e, s, &w->trace.records[i].id, &arena, &r);
    if (rc == QM_ENOTFOUND) continue;
    BENCH_OK(rc);
    for (uint32_t k = 0; qm_record_visible(r) && k < r->n_cells; k++)
      shown += read_cell(s, &r->cells[k], &arena, &text);
  }
  qm_buf_free(&text);
  qm_arena_free(&arena);
  return shown;
}

static void load(bench *b, village *w) {
  village_replica r;
  double joined = 0, read = 0;
  village_open_hub(w, &r);
  for (uint32_t i = 0; i < qm_engine_space_count(r.engine); i++) {
    qm_space *from = qm_engine_space_at(w->hub.engine, i), *to = qm_engine_space_at(r.engine, i);
    pieces q = {.n = 0};
    qm_error e = {0, ""};
    int news;
    qm_arena_init(&q.arena, &w->env.env, (size_t)1 << 30);
    BENCH_OK(qm_state_write(w->hub.engine, from, keep_piece, &q));
    double at = bench_cpu();
    BENCH_OK(qm_state_join(r.engine, to, q.p, q.n, &news, &e));
    joined += bench_cpu() - at;
    at = bench_cpu();
    uint64_t shown = read_space(w, r.engine, to);
    read += bench_cpu() - at;
    BENCH_CHECK(news && shown == read_space(w, w->hub.engine, from));
    free(q.p);
    qm_arena_free(&q.arena);
  }
  village_check(w, r.engine, 1);
  bench_add(b, "grid.load", (joined + read) * 1e3);
  bench_add(b, "grid.load.read", read * 1e3);
  village_close_replica(&r);
}

static void figures(bench *b) {
  bench_figure(b, "grid.limit.chains", "ops/s", 0, 1, NULL);
  bench_figure(b, "grid.limit.rows", "us/op", 0, 0, NULL);
  bench_figure(b, "grid.limit.rows_bulk", "us/op", 0, 0, NULL);
  bench_figure(b, "grid.local_memory", "ops/s", 1e6, 1, "grid.limit.chains");
  bench_figure(b, "grid.local_sqlite_normal", "ops/s", 103e3, 1, "limit.sqlite_plain");
  bench_figure(b, "grid.local_sqlite_tables", "ops/s", 60e3, 1, "limit.sqlite_plain");
  bench_figure(b, "grid.local_sqlite_full", "ops/s", 0, 1, NULL);
  bench_figure(b, "grid.local_sqlite_full.fsyncs", "n", 0, 0, NULL);
  bench_figure(b, "grid.local_sqlite_full.fsync", "ms", 0, 0, "limit.fsync");
  bench_figure(b, "grid.hub_memory", "ops/s", 1.5e6, 1, "grid.limit.chains");
  bench_figure(b, "grid.hub_memory.peak", "MB", 24, 0, NULL);
  bench_figure(b, "grid.hub_memory.allocations", "1/op", 0, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.cpu", "us/op", 3, 0, "grid.limit.rows");
  bench_figure(b, "grid.hub_sqlite.wall", "us/op", 0, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.fsyncs", "n", 330, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.file", "MB", 4.5, 0, NULL);
  bench_figure(b, "grid.uploads", "n", 0, 0, NULL);
  bench_figure(b, "grid.upload_bytes", "MB", 1.05, 0, NULL);
  bench_figure(b, "grid.upload_bytes_dict", "MB", 0.9, 0, NULL);
  bench_figure(b, "grid.snapshot", "kB", 440, 0, NULL);
  bench_figure(b, "grid.snapshot.values", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.ids", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.dots", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.times", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.rest", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.made", "ms", 0, 0, NULL);
  bench_figure(b, "grid.load", "ms", 25, 0, NULL);
  bench_figure(b, "grid.load.read", "ms", 0, 0, NULL); /* of these, once all of it is here */
}

static void local_sqlite(bench *b, unsigned flags, int projected, const char *id) {
  static village w;
  uint64_t syncs[2];
  double seconds[2];
  village_open(&w, TRACE, bench_dir("local"), flags);
  qm_projection **tables = calloc(w.trace.devices, sizeof *tables); /* of the devices */
  BENCH_CHECK(tables);
  for (uint32_t d = 0; projected && d < w.trace.devices; d++)
    BENCH_OK(qm_projection_open(w.devices[d].engine, w.devices[d].store, &tables[d]));
  bench_syncs(&syncs[0], &seconds[0]);
  village_play(&w);
  bench_syncs(&syncs[1], &seconds[1]);
  village_check(&w, w.hub.engine, 1);
  bench_add(b, id, (double)w.ops / w.local);
  if (!flags) {
    double n = (double)(syncs[1] - syncs[0]);
    bench_add(b, "grid.local_sqlite_full.fsyncs", n);
    bench_add(b, "grid.local_sqlite_full.fsync", (seconds[1] - seconds[0]) / n * 1e3);
  }
  for (uint32_t d = 0; d < w.trace.devices; d++) {
    if (tables[d]) BENCH_CHECK(qm_projection_current(tables[d]));
    qm_projection_close(tables[d]);
  }
  free(tables);
  village_close(&w);
}

void bench_grid(bench *b, int runs) {
  static village w;
  figures(b);
  for (int i = 0; i < runs; i++) {
    village_open(&w, TRACE, NULL, 0);
    village_play(&w);
    village_check(&w, w.hub.engine, 1);
    bench_add(b, "grid.local_memory", (double)w.ops / w.local);
    bench_add(b, "grid.uploads", w.n_uploads);
    bench_add(b, "grid.upload_bytes", (double)village_plain_bytes(&w) / 1e6);
    bench_add(b, "grid.upload_bytes_dict", (double)w.bytes / 1e6);
    hub_memory(b, &w);
    hub_sqlite(b, &w);
    village_limits(b, &w);
    snapshot(b, &w);
    load(b, &w);
    village_close(&w);
    local_sqlite(b, QM_SQLITE_RELAXED, 0, "grid.local_sqlite_normal");
    local_sqlite(b, QM_SQLITE_RELAXED, 1, "grid.local_sqlite_tables");
    local_sqlite(b, 0, 0, "grid.local_sqlite_full");
  }
}
