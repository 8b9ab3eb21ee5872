/* The traces of form saves: local saves, hub merge, bytes, loading. What is measured is
 * checked: every replica's digest and VV, and the hub's dump against the digest kept in
 * fixtures/traces/digests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/cli/replay.h"
#include "adapters/sqlite/project.h"
#include "adapters/sqlite/store_sqlite.h"
#include "core/mp.h"
#include "core/read.h"
#include "core/space.h"
#include "core/state.h"
#include "core/state_columns.h"
#include "tests/bench/bench.h"

#define TRACE "fixtures/traces/village-grid-seed1.jsonl.gz"
#define DEVICES_MAX 64

typedef struct replica {
  qm_store *store;
  qm_engine *engine;
} replica;

/* One device's sync: the batches it brought. */
typedef struct upload {
  uint32_t device;
  qm_slice batches[8];
  uint32_t n;
} upload;

typedef struct world {
  qm_trace trace;
  bench_env env;
  qm_buf schema;
  replica devices[DEVICES_MAX], hub;
  qm_arena arena; /* uploads */
  upload *uploads;
  uint32_t n_uploads;
  const char *dir; /* NULL: in memory */
  unsigned sqlite;
  qm_projection *tables[DEVICES_MAX]; /* of the devices, where they keep any */
  uint64_t ops, changes, bytes;
  double local, scratch;
} world;

/* --- replicas --- */

static void open_replica(world *w, replica *r, const qm_id *device, int hub, const char *name) {
  qm_engine_options o = {.size = sizeof o, .device = *device};
  qm_error e = {0, ""};
  char path[600];
  o.flags = QM_ENGINE_REPLAY | QM_ENGINE_BEHIND | (hub ? QM_ENGINE_HUB : 0u);
  if (w->dir) {
    snprintf(path, sizeof path, "%s/%s.db", w->dir, name);
    BENCH_OK(qm_store_sqlite_open(&w->env.env, path, QM_SQLITE_CREATE | w->sqlite, &r->store, &e));
  } else {
    BENCH_OK(qm_store_mem_open(&w->env.env, &r->store));
  }
  BENCH_OK(qm_engine_open(&r->engine, &w->env.env, r->store, &o, &e));
}

static void close_replica(replica *r) {
  qm_engine_close(r->engine);
  if (r->store) r->store->ops->close(r->store);
  memset(r, 0, sizeof *r);
}

static void open_space(world *w, replica *r, uint32_t grid) {
  qm_space_info info = {.name = qm_slice_of("grid", 4),
                        .role = qm_slice_of("replay", 6),
                        .schema = qm_buf_slice(&w->schema),
                        .readable = 1,
                        .writable = 1};
  qm_error e = {0, ""};
  char name[24];
  info.name = qm_slice_of(name, (size_t)snprintf(name, sizeof name, "g%05u", grid));
  qm_trace_space(grid, &info.id);
  BENCH_OK(qm_engine_space_put(r->engine, &info, &e));
}

static void open_hub(world *w, replica *r) {
  qm_id id;
  memset(id.b, 0xff, sizeof id.b);
  open_replica(w, r, &id, 1, "hub");
  for (uint32_t g = 0; g < w->trace.grids; g++) open_space(w, r, g);
}

static void open_world(world *w, const char *dir, unsigned sqlite) {
  qm_error e = {0, ""};
  memset(w, 0, sizeof *w);
  bench_env_init(&w->env, 1);
  w->dir = dir;
  w->sqlite = sqlite;
  BENCH_OK(qm_trace_read(&w->trace, &w->env.env, TRACE, &e));
  BENCH_CHECK(w->trace.devices <= DEVICES_MAX);
  qm_buf_init(&w->schema, &w->env.env, 1u << 20);
  BENCH_OK(qm_trace_schema(&w->trace, &w->schema, &e));
  qm_arena_init(&w->arena, &w->env.env, (size_t)1 << 30);
  w->uploads = qm_alloc_array(&w->env.env, 65536, sizeof *w->uploads);
  BENCH_CHECK(w->uploads);
  open_hub(w, &w->hub);
  for (uint32_t d = 0; d < w->trace.devices; d++) {
    qm_id id;
    char name[16];
    snprintf(name, sizeof name, "d%u", d);
    qm_trace_device(d, &id);
    open_replica(w, &w->devices[d], &id, 0, name);
    open_space(w, &w->devices[d], w->trace.grid_of_device[d]);
  }
}

static void close_world(world *w) {
  for (uint32_t d = 0; d < w->trace.devices; d++) {
    if (w->tables[d]) BENCH_CHECK(qm_projection_current(w->tables[d]));
    qm_projection_close(w->tables[d]);
    close_replica(&w->devices[d]);
  }
  close_replica(&w->hub);
  qm_free(&w->env.env, w->uploads);
  qm_arena_free(&w->arena);
  qm_buf_free(&w->schema);
  qm_trace_free(&w->trace);
  BENCH_CHECK(w->env.live == 0);
}

static qm_space *space_of(const world *w, qm_engine *e, uint32_t device) {
  qm_id id;
  qm_trace_space(w->trace.grid_of_device[device], &id);
  return qm_engine_space(e, &id);
}

/* --- syncing, without a session between --- */

static void take(const world *w, qm_engine *e, uint32_t device, const qm_id *peer, qm_slice batch) {
  qm_ingest in = {.peer = *peer, .check_author = 0};
  qm_error why = {0, ""};
  qm_arena arena;
  qm_arena_init(&arena, &w->env.env, 1u << 20);
  BENCH_OK(qm_engine_begin(e));
  BENCH_OK(qm_engine_ingest(e, space_of(w, e, device), batch, &in, &arena, &why));
  BENCH_CHECK(!in.n_refusals && !in.parked);
  BENCH_OK(qm_engine_commit(e, QM_DURABLE, NULL, NULL));
  qm_arena_free(&arena);
}

/* What `to` lacks of `from`; kept in `keep` where given. */
static void give(world *w, uint32_t device, qm_engine *from, qm_engine *to, upload *keep) {
  qm_arena arena;
  qm_buf batch;
  qm_vv_list heads;
  uint64_t cursor = 0;
  qm_id peer;
  qm_trace_device(device, &peer);
  qm_arena_init(&arena, &w->env.env, 1u << 20);
  qm_buf_init(&batch, &w->env.env, QM_BATCH_MAX);
  BENCH_OK(qm_engine_heads(to, space_of(w, to, device), &arena, &heads));
  for (;;) {
    qm_buf_clear(&batch);
    int rc = qm_engine_next_batch(from, space_of(w, from, device), heads, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    BENCH_OK(rc);
    take(w, to, device, &peer, qm_buf_slice(&batch));
    if (!keep) continue;
    BENCH_CHECK(keep->n < 8);
    uint8_t *copy = qm_arena_copy(&w->arena, batch.p, batch.n);
    BENCH_CHECK(copy);
    keep->batches[keep->n++] = qm_slice_of(copy, batch.n);
    w->bytes += batch.n;
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
}

static void sync_device(world *w, uint32_t d) {
  qm_engine *e = w->devices[d].engine;
  upload *u = &w->uploads[w->n_uploads];
  BENCH_CHECK(w->n_uploads < 65535);
  *u = (upload){.device = d};
  BENCH_OK(qm_engine_push(e, space_of(w, e, d)));
  give(w, d, e, w->hub.engine, u);
  give(w, d, w->hub.engine, e, NULL);
  BENCH_OK(qm_engine_fold(e)); /* what it took is no matter of the saves after it */
  w->n_uploads += u->n > 0;
}

/* What a save left for later belongs to it. */
static void fold_device(world *w, uint32_t device) {
  double from = bench_cpu();
  BENCH_OK(qm_engine_fold(w->devices[device].engine));
  w->local += bench_cpu() - from;
}

static void play(world *w) {
  qm_durability durability = w->sqlite & QM_SQLITE_RELAXED ? QM_RELAXED : QM_DURABLE;
  for (uint32_t i = 0; i < w->trace.n_lines;) {
    const qm_line *l = &w->trace.lines[i];
    uint32_t next = qm_trace_change_end(&w->trace, i);
    qm_error e = {0, ""};
    if (l->op == QM_LINE_SYNC) {
      fold_device(w, l->device);
      sync_device(w, l->device);
    } else {
      qm_engine *engine = w->devices[l->device].engine;
      BENCH_CHECK(l->op != QM_LINE_RUSH);
      double from = bench_cpu();
      BENCH_OK(qm_trace_play_as(&w->trace, i, next, engine, space_of(w, engine, l->device),
                                durability, &e));
      w->local += bench_cpu() - from;
      w->ops += next - i;
      w->changes++;
    }
    i = next;
  }
  for (uint32_t d = 0; d < w->trace.devices; d++) fold_device(w, d);
}

/* --- checking --- */

static void dump_digest(world *w, qm_engine *e, char out[65]) {
  qm_buf dump;
  uint64_t records;
  qm_hash h;
  qm_sha sha;
  qm_buf_init(&dump, &w->env.env, SIZE_MAX / 2);
  BENCH_OK(qm_trace_dump(&w->trace, e, &dump, &records));
  qm_sha_init(&sha);
  qm_sha_add(&sha, dump.p, dump.n);
  qm_sha_end(&sha, &h);
  qm_hex(out, h.b, sizeof h.b);
  qm_buf_free(&dump);
}

/* The line of fixtures/traces/digests that names the trace. */
static void check_dump(world *w, qm_engine *e) {
  char digest[65], line[512];
  int found = 0;
  FILE *f = fopen("fixtures/traces/digests", "r");
  BENCH_CHECK(f);
  dump_digest(w, e, digest);
  while (fgets(line, sizeof line, f)) found |= strstr(line, digest) != NULL;
  fclose(f);
  BENCH_CHECK(found);
}

static void check_equal(const world *w, qm_engine *a, qm_engine *b, uint32_t device) {
  qm_digest x, y;
  uint8_t va[16], vb[16];
  BENCH_OK(qm_engine_fold(a));
  BENCH_OK(qm_engine_fold(b));
  qm_space_digest(space_of(w, a, device), &x);
  qm_space_digest(space_of(w, b, device), &y);
  BENCH_OK(qm_engine_vv_digest(a, space_of(w, a, device), va));
  BENCH_OK(qm_engine_vv_digest(b, space_of(w, b, device), vb));
  BENCH_CHECK(qm_digest_eq(&x, &y) && memcmp(va, vb, 16) == 0);
}

/* --- figures --- */

static void merge_all(world *w, replica *hub) {
  for (uint32_t i = 0; i < w->n_uploads; i++) {
    const upload *u = &w->uploads[i];
    qm_id peer;
    qm_trace_device(u->device, &peer);
    for (uint32_t k = 0; k < u->n; k++) take(w, hub->engine, u->device, &peer, u->batches[k]);
  }
  BENCH_OK(qm_engine_fold(hub->engine)); /* state and digest stand at the final VV */
}

static void hub_memory(bench *b, world *w) {
  replica hub = {NULL, NULL};
  open_hub(w, &hub);
  size_t live = w->env.live;
  uint64_t calls = w->env.calls;
  w->env.peak = live;
  double from = bench_cpu();
  merge_all(w, &hub);
  bench_add(b, "grid.hub_memory", (double)w->ops / (bench_cpu() - from));
  bench_add(b, "grid.hub_memory.peak", (double)(w->env.peak - live) / 1e6);
  bench_add(b, "grid.hub_memory.allocations", (double)(w->env.calls - calls) / (double)w->ops);
  for (uint32_t d = 0; d < w->trace.devices; d++)
    check_equal(w, hub.engine, w->hub.engine, d);
  check_dump(w, hub.engine);
  close_replica(&hub);
}

static void hub_sqlite(bench *b, world *w) {
  replica hub = {NULL, NULL};
  uint64_t syncs[2];
  double seconds[2];
  char path[600];
  struct stat st;
  w->dir = bench_dir("hub");
  w->sqlite = QM_SQLITE_RELAXED; /* as qianmod has it: an upload's commit is durable */
  open_hub(w, &hub);
  bench_syncs(&syncs[0], &seconds[0]);
  double from = bench_cpu(), wall = bench_wall();
  merge_all(w, &hub);
  bench_add(b, "grid.hub_sqlite.cpu", (bench_cpu() - from) / (double)w->ops * 1e6);
  bench_add(b, "grid.hub_sqlite.wall", (bench_wall() - wall) / (double)w->ops * 1e6);
  bench_syncs(&syncs[1], &seconds[1]);
  bench_add(b, "grid.hub_sqlite.fsyncs", (double)(syncs[1] - syncs[0]));
  for (uint32_t d = 0; d < w->trace.devices; d++)
    check_equal(w, hub.engine, w->hub.engine, d);
  check_dump(w, hub.engine);
  close_replica(&hub); /* its WAL goes into the file */
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
static void snapshot_parts(bench *b, world *w) {
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

static void snapshot(bench *b, world *w) {
  uint64_t bytes = 0;
  double from = bench_cpu();
  for (uint32_t i = 0; i < qm_engine_space_count(w->hub.engine); i++)
    BENCH_OK(qm_state_write(w->hub.engine, qm_engine_space_at(w->hub.engine, i), add_part, &bytes));
  bench_add(b, "grid.snapshot.made", (bench_cpu() - from) * 1e3);
  bench_add(b, "grid.snapshot", (double)bytes / 1e3);
  snapshot_parts(b, w);
}

static void load(bench *b, world *w) {
  uint64_t records;
  qm_buf dump;
  qm_buf_init(&dump, &w->env.env, SIZE_MAX / 2);
  double from = bench_cpu();
  BENCH_OK(qm_trace_dump(&w->trace, w->hub.engine, &dump, &records));
  bench_add(b, "grid.load", (bench_cpu() - from) * 1e3);
  qm_buf_free(&dump);
}

static void figures(bench *b) {
  bench_figure(b, "grid.local_memory", "ops/s", 1e6, 1, NULL);
  bench_figure(b, "grid.local_sqlite_normal", "ops/s", 103e3, 1, NULL);
  bench_figure(b, "grid.local_sqlite_tables", "ops/s", 60e3, 1, NULL);
  bench_figure(b, "grid.local_sqlite_full", "ops/s", 0, 1, NULL);
  bench_figure(b, "grid.local_sqlite_full.fsyncs", "n", 0, 0, NULL);
  bench_figure(b, "grid.local_sqlite_full.fsync", "ms", 0, 0, "limit.fsync");
  bench_figure(b, "grid.hub_memory", "ops/s", 1.5e6, 1, NULL);
  bench_figure(b, "grid.hub_memory.peak", "MB", 24, 0, NULL);
  bench_figure(b, "grid.hub_memory.allocations", "1/op", 0, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.cpu", "us/op", 3, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.wall", "us/op", 0, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.fsyncs", "n", 330, 0, NULL);
  bench_figure(b, "grid.hub_sqlite.file", "MB", 4.5, 0, NULL);
  bench_figure(b, "grid.uploads", "n", 0, 0, NULL);
  bench_figure(b, "grid.upload_bytes", "MB", 1.05, 0, NULL);
  bench_figure(b, "grid.snapshot", "kB", 440, 0, NULL);
  bench_figure(b, "grid.snapshot.values", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.ids", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.dots", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.times", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.rest", "kB", 0, 0, NULL);
  bench_figure(b, "grid.snapshot.made", "ms", 0, 0, NULL);
  bench_figure(b, "grid.load", "ms", 25, 0, NULL);
}

static void local_sqlite(bench *b, unsigned flags, int projected, const char *id) {
  static world w;
  uint64_t syncs[2];
  double seconds[2];
  open_world(&w, bench_dir("local"), flags);
  for (uint32_t d = 0; projected && d < w.trace.devices; d++)
    BENCH_OK(qm_projection_open(w.devices[d].engine, w.devices[d].store, &w.tables[d]));
  bench_syncs(&syncs[0], &seconds[0]);
  play(&w);
  bench_syncs(&syncs[1], &seconds[1]);
  check_dump(&w, w.hub.engine);
  bench_add(b, id, (double)w.ops / w.local);
  if (!flags) {
    double n = (double)(syncs[1] - syncs[0]);
    bench_add(b, "grid.local_sqlite_full.fsyncs", n);
    bench_add(b, "grid.local_sqlite_full.fsync", (seconds[1] - seconds[0]) / n * 1e3);
  }
  close_world(&w);
}

void bench_grid(bench *b, int runs) {
  static world w;
  figures(b);
  for (int i = 0; i < runs; i++) {
    open_world(&w, NULL, 0);
    play(&w);
    check_dump(&w, w.hub.engine);
    bench_add(b, "grid.local_memory", (double)w.ops / w.local);
    bench_add(b, "grid.uploads", w.n_uploads);
    bench_add(b, "grid.upload_bytes", (double)w.bytes / 1e6);
    hub_memory(b, &w);
    hub_sqlite(b, &w);
    snapshot(b, &w);
    load(b, &w);
    close_world(&w);
    local_sqlite(b, QM_SQLITE_RELAXED, 0, "grid.local_sqlite_normal");
    local_sqlite(b, QM_SQLITE_RELAXED, 1, "grid.local_sqlite_tables");
    local_sqlite(b, 0, 0, "grid.local_sqlite_full");
  }
}
