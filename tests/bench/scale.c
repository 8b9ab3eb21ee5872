/* Growth: what must cost the same however much is there. A township of twenty grids beside one
 * grid; a space of 100,000 records beside one of 1,000; a year of edits. What grows is drawn in
 * build/bench-growth.svg. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/read.h"
#include "core/write.h"
#include "tests/bench/village.h"

#define GRID "fixtures/traces/village-grid-seed1.jsonl.gz"
#define FEW 1000u
#define MANY 100000u
#define CHUNKS 50u /* points of a line */
#define DAYS 365u
#define DAY_DEVICES 4u
#define DAY_RECORDS 300u
#define DAY_EDITS 20u /* a device and day */

/* --- a township --- */

/* A trace that was played once: what its saves took an op, and its uploads to be merged again. */
typedef struct played {
  village v;
  int known;
  double local, bytes; /* an op; seconds of CPU */
} played;

static void play(played *p, const char *trace, int known) {
  village_open(&p->v, trace, NULL, 0);
  village_play(&p->v);
  village_check(&p->v, p->v.hub.engine, known);
  p->known = known;
  p->local = p->v.local / (double)p->v.ops;
  p->bytes = (double)p->v.bytes / (double)p->v.ops;
}

/* All uploads into a hub that holds nothing; seconds of CPU and allocations, an op. */
static double merge(played *p, double *allocations) {
  village_replica hub;
  village_open_hub(&p->v, &hub);
  uint64_t calls = p->v.env.calls;
  double from = bench_cpu(), ops = (double)p->v.ops;
  village_merge(&p->v, &hub, 0, p->v.n_uploads);
  double took = (bench_cpu() - from) / ops;
  *allocations = (double)(p->v.env.calls - calls) / ops;
  village_check(&p->v, hub.engine, p->known);
  village_close_replica(&hub);
  return took;
}

/* The saves once, however many runs are asked for: they take long, and are a mean of twenty
 * grids. */
void bench_township(bench *b, int runs) {
  static played one, all;
  const char *trace = bench_generate("gen-village.mjs", "--preset township --seed 1", "township");
  if (!trace) {
    fprintf(stderr, "bench: no Node: the township is not generated and not measured\n");
    return;
  }
  bench_figure(b, "scale.township.local", "us/op", 0, 0, NULL);
  bench_figure(b, "scale.township.merge", "us/op", 0, 0, NULL);
  bench_figure(b, "scale.township.local_by_grid", "x", 1.3, 0, NULL);
  bench_figure(b, "scale.township.merge_by_grid", "x", 1.3, 0, NULL);
  bench_figure(b, "scale.township.bytes_by_grid", "x", 1.3, 0, NULL);
  bench_figure(b, "scale.township.allocations_by_grid", "x", 1.3, 0, NULL);
  play(&one, GRID, 1);
  play(&all, trace, 0);
  bench_add(b, "scale.township.local", all.local * 1e6);
  bench_add(b, "scale.township.local_by_grid", all.local / one.local);
  bench_add(b, "scale.township.bytes_by_grid", all.bytes / one.bytes);
  for (int i = 0; i < runs; i++) {
    double calls[2], grid = merge(&one, &calls[0]), township = merge(&all, &calls[1]);
    bench_add(b, "scale.township.merge", township * 1e6);
    bench_add(b, "scale.township.merge_by_grid", township / grid);
    bench_add(b, "scale.township.allocations_by_grid", calls[1] / calls[0]);
  }
  village_close(&one.v);
  village_close(&all.v);
}

/* --- traces made here: everything in them is a number --- */

static FILE *open_trace(const char *path, unsigned devices) {
  FILE *f = fopen(path, "w");
  BENCH_CHECK(f);
  fprintf(f, "{\"op\":\"meta\",\"trace\":\"growth\",\"version\":1,\"grid_of_device\":[0");
  for (unsigned d = 1; d < devices; d++) fprintf(f, ",0");
  fprintf(f, "]}\n");
  return f;
}

static void set(FILE *f, unsigned d, uint64_t t, unsigned r, const char *field, unsigned value) {
  fprintf(f, "{\"d\":%u,\"t\":%llu,\"op\":\"set\",\"c\":\"household\",\"r\":\"r%06u\",", d,
          (unsigned long long)t, r);
  fprintf(f, "\"f\":\"%s\",\"v\":\"%s %u\"}\n", field, field, value);
}

static void create(FILE *f, unsigned d, uint64_t t, unsigned r) {
  static const char *const fields[] = {"head", "phone", "place", "topic", "status"};
  fprintf(f, "{\"d\":%u,\"t\":%llu,\"op\":\"new\",\"c\":\"household\",\"r\":\"r%06u\"}\n", d,
          (unsigned long long)t, r);
  for (unsigned i = 0; i < 5; i++) set(f, d, t, r, fields[i], r * 7919u % (i == 4 ? 4u : 99991u));
}

static void write_records(const char *path, unsigned n) {
  FILE *f = open_trace(path, 1);
  for (unsigned r = 0; r < n; r++) {
    create(f, 0, 1760000000000u + (uint64_t)r * 1000, r);
    if ((r + 1) % (n / CHUNKS) == 0) fprintf(f, "{\"d\":0,\"op\":\"sync\"}\n");
  }
  fprintf(f, "{\"d\":0,\"op\":\"sync\"}\n");
  BENCH_CHECK(fclose(f) == 0);
}

static void write_year(const char *path) {
  FILE *f = open_trace(path, DAY_DEVICES);
  uint64_t day = 1760000000000u;
  unsigned x = 1;
  for (unsigned r = 0; r < DAY_RECORDS; r++) create(f, 0, day + r * 1000, r);
  for (unsigned pass = 0; pass < 2; pass++)
    for (unsigned d = 0; d < DAY_DEVICES; d++) fprintf(f, "{\"d\":%u,\"op\":\"sync\"}\n", d);
  for (unsigned n = 0; n < DAYS; n++) {
    day += 86400000;
    for (unsigned d = 0; d < DAY_DEVICES; d++)
      for (unsigned i = 0; i < DAY_EDITS; i++) {
        x = x * 1103515245u + 12345u;
        set(f, d, day + i * 60000 + d, (x >> 8) % DAY_RECORDS, "status", x >> 16);
      }
    for (unsigned d = 0; d < DAY_DEVICES; d++) fprintf(f, "{\"d\":%u,\"op\":\"sync\"}\n", d);
  }
  BENCH_CHECK(fclose(f) == 0);
}

/* --- a space of many records --- */

typedef struct growth {
  bench_line save, merge, file;
  double ops, local; /* at the last point */
} growth;

static void at_sync(village *v, void *payload) {
  growth *g = payload;
  struct stat st;
  char path[600];
  double ops = (double)v->ops - g->ops;
  if (ops <= 0 || ops < (double)v->trace.n_lines / CHUNKS * 0.9) return;
  BENCH_CHECK(g->save.n < BENCH_POINTS_MAX);
  snprintf(path, sizeof path, "%s/d0.db", v->dir);
  BENCH_CHECK(stat(path, &st) == 0);
  g->save.x[g->save.n] = (double)v->ops / 1e3;
  g->save.y[g->save.n++] = (v->local - g->local) / ops * 1e6;
  g->file.x[g->file.n] = (double)v->ops / 1e3;
  g->file.y[g->file.n++] = (double)st.st_size / 1e6;
  g->ops = (double)v->ops;
  g->local = v->local;
}

static void change_one(village *v, unsigned n) {
  qm_engine *e = v->devices[0].engine;
  const qm_slice none = {NULL, 0};
  const qm_trace_record *r = &v->trace.records[v->trace.n_records / 2];
  uint8_t value[4] = {0xa3, 'n', 'e', (uint8_t)('a' + n % 20)};
  qm_write *w;
  BENCH_OK(qm_write_begin(&w, e, village_space(v, e, 0), 0));
  BENCH_OK(qm_write_set(w, &r->id, v->trace.fields[1].number, qm_slice_of(value, 4), none, 0));
  BENCH_OK(qm_write_commit(w, QM_DURABLE));
}

typedef struct spent {
  double open, read, nothing, one; /* ms of CPU */
} spent;

static double talk(village *v) {
  double from = bench_cpu();
  BENCH_OK(village_talk(v, 0).code);
  double took = (bench_cpu() - from) * 1e3;
  village_same(v, v->devices[0].engine, v->hub.engine, 0);
  return took;
}

static double read_some(village *v) {
  qm_arena arena;
  qm_engine *e = v->devices[0].engine;
  double from = bench_cpu();
  for (uint32_t i = 0; i < 100; i++) {
    const qm_record *r;
    const qm_trace_record *want = &v->trace.records[(i * 7919u) % v->trace.n_records];
    qm_arena_init(&arena, &v->env.env, 1u << 24);
    BENCH_OK(qm_engine_read(e, village_space(v, e, 0), &want->id, &arena, &r));
    BENCH_CHECK(memcmp(&r->id, &want->id, sizeof r->id) == 0);
    qm_arena_free(&arena);
  }
  return (bench_cpu() - from) * 1e3;
}

static void measure(bench *b, unsigned n, int runs, growth *g, spent *least) {
  static village v;
  char path[256], dir[128];
  memset(g, 0, sizeof *g);
  snprintf(dir, sizeof dir, "%s", bench_dir(n == FEW ? "few" : "many"));
  snprintf(path, sizeof path, "%s/trace", dir);
  write_records(path, n);
  village_open(&v, path, dir, QM_SQLITE_RELAXED);
  v.each = at_sync;
  v.payload = g;
  village_play(&v);
  village_check(&v, v.hub.engine, 0);
  talk(&v);
  for (int i = 0; i < runs; i++) {
    spent s = {.open = village_reopen(&v, 0) * 1e3};
    s.read = read_some(&v);
    talk(&v); /* the first after an opening reads what the engine keeps */
    s.nothing = talk(&v);
    change_one(&v, (unsigned)i);
    s.one = talk(&v);
    if (n == MANY) {
      bench_add(b, "scale.records.open", s.open);
      bench_add(b, "scale.records.read_100", s.read);
      bench_add(b, "scale.records.sync_nothing", s.nothing);
      bench_add(b, "scale.records.sync_one", s.one);
      bench_add(b, "scale.records.open_by_1000", s.open / least->open);
      bench_add(b, "scale.records.read_by_1000", s.read / least->read);
      bench_add(b, "scale.records.nothing_by_1000", s.nothing / least->nothing);
      bench_add(b, "scale.records.one_by_1000", s.one / least->one);
    } else { /* the sum: a mean to compare with */
      least->open += s.open / runs;
      least->read += s.read / runs;
      least->nothing += s.nothing / runs;
      least->one += s.one / runs;
    }
  }
  village_close(&v);
}

static void records(bench *b, int runs, growth *many) {
  growth few;
  spent least = {0, 0, 0, 0};
  bench_figure(b, "scale.records.open", "ms", 0, 0, NULL);
  bench_figure(b, "scale.records.read_100", "ms", 0, 0, NULL);
  bench_figure(b, "scale.records.sync_nothing", "ms", 0, 0, NULL);
  bench_figure(b, "scale.records.sync_one", "ms", 0, 0, NULL);
  bench_figure(b, "scale.records.open_by_1000", "x", 2, 0, NULL);
  bench_figure(b, "scale.records.read_by_1000", "x", 2, 0, NULL);
  bench_figure(b, "scale.records.nothing_by_1000", "x", 1.3, 0, NULL);
  bench_figure(b, "scale.records.one_by_1000", "x", 1.3, 0, NULL);
  measure(b, FEW, runs, &few, &least);
  measure(b, MANY, runs, many, &least);
}

/* --- a year --- */

typedef struct year {
  bench_line sync;
  unsigned syncs, n;
  double sum, early, late;
} year;

/* Days go by sessions: each device has one a day, after those of the beginning. */
static void at_session(village *v, void *payload) {
  year *y = payload;
  if (v->synced <= 0) return;
  unsigned day = y->syncs++ / DAY_DEVICES;
  if (day >= 2) {
    y->sum += v->synced * 1e3;
    y->n++;
    if (day >= 12 && day < 62) y->early += v->synced;
    if (day + 50 >= DAYS + 2) y->late += v->synced;
  }
  v->synced = 0;
  if (y->n < 8 * DAY_DEVICES) return;
  y->sync.x[y->sync.n] = day;
  y->sync.y[y->sync.n++] = y->sum / y->n;
  y->sum = 0;
  y->n = 0;
}

static void a_year(bench *b, int runs, year *last) {
  static village v;
  char path[128];
  bench_figure(b, "scale.year.sync", "ms", 0, 0, NULL);
  bench_figure(b, "scale.year.last_by_first", "x", 1.3, 0, NULL);
  snprintf(path, sizeof path, "%s/trace", bench_dir("year"));
  write_year(path);
  for (int i = 0; i < runs; i++) {
    memset(last, 0, sizeof *last);
    village_open(&v, path, NULL, 0);
    v.sessions = 1;
    v.each = at_session;
    v.payload = last;
    village_play(&v);
    for (uint32_t d = 0; d < DAY_DEVICES; d++) BENCH_OK(village_talk(&v, d).code);
    village_check(&v, v.hub.engine, 0);
    village_close(&v);
    bench_add(b, "scale.year.sync", last->late / (50 * DAY_DEVICES) * 1e3);
    bench_add(b, "scale.year.last_by_first", last->late / last->early);
  }
}

void bench_scale(bench *b, int runs) {
  static growth many;
  static year last;
  records(b, runs, &many);
  a_year(b, runs, &last);
  many.save.name = "a save, SQLite";
  many.file.name = "device's database";
  last.sync.name = "one session, 20 edits a device";
  const bench_plot plots[] = {
      {"CPU of an op, as the space grows", "thousand ops", "us", &many.save, 1},
      {"Database", "thousand ops", "MB", &many.file, 1},
      {"CPU of a session, day by day", "day", "ms", &last.sync, 1},
  };
  bench_svg("build/bench-growth.svg", plots, 3);
}
