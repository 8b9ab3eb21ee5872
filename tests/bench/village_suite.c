/* More of the trace of form saves: its whole history, all uploads in one transaction, sessions,
 * and the bytes of a trace that nobody has seen before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/write.h"
#include "tests/bench/village.h"

#define GRID "fixtures/traces/village-grid-seed1.jsonl.gz"
#define SEED_OF_SEGMENT 16.0
#define SIGNATURE_OF_SEGMENT 64.0

/* Another phone number, in a record that the device holds. */
static void change(village *v) {
  static unsigned n;
  qm_engine *e = v->devices[0].engine;
  const qm_slice none = {NULL, 0};
  qm_write *w;
  char value[16];
  for (uint32_t i = 0; i < v->trace.n_lines; i++) {
    const qm_line *l = &v->trace.lines[i];
    const qm_trace_field *f = &v->trace.fields[l->op == QM_LINE_SET ? l->field : 0];
    if (l->op != QM_LINE_SET || l->device != 0 || f->name.n != 5 ||
        memcmp(f->name.p, "phone", 5) != 0)
      continue;
    snprintf(value, sizeof value, "\xab" "1000000%04u", n++ % 10000);
    BENCH_OK(qm_write_begin(&w, e, village_space(v, e, 0), 0));
    BENCH_OK(qm_write_set(w, &v->trace.records[l->record].id, f->number, qm_slice_of(value, 12),
                          none, 0));
    BENCH_OK(qm_write_commit(w, QM_DURABLE));
    return;
  }
  BENCH_CHECK(!"a phone in the trace");
}

static void sessions(bench *b, village *v) {
  BENCH_OK(village_talk(v, 0).code);
  village_session t = village_talk(v, 0);
  BENCH_OK(t.code);
  village_same(v, v->devices[0].engine, v->hub.engine, 0);
  bench_add(b, "session.nothing_up", (double)t.up);
  bench_add(b, "session.nothing_down", (double)t.down);
  bench_add(b, "session.nothing_trips", t.trips);
  village_session live[2];
  village_live(v, 0, change, live);
  village_same(v, v->devices[0].engine, v->hub.engine, 0);
  /* The trace's devices sign nothing: a signature is 64 bytes more. */
  bench_add(b, "session.live", (double)live[1].up - SEED_OF_SEGMENT);
  bench_add(b, "session.live.down", (double)live[1].down);
  bench_add(b, "session.live.first", (double)live[0].up - SEED_OF_SEGMENT);
  bench_add(b, "session.live.seed", SEED_OF_SEGMENT);
  bench_add(b, "session.live.signature", SIGNATURE_OF_SEGMENT);
}

/* What is given is taken, hash by hash, by one that then holds the same. */
static void history(bench *b, village *v) {
  village_replica to;
  double from = bench_cpu();
  village_join(v->hub.engine);
  bench_add(b, "grid.history.joined", (bench_cpu() - from) * 1e3);
  village_open_hub(v, &to);
  bench_add(b, "grid.history", (double)village_history(v, v->hub.engine, to.engine) / 1e3);
  village_check(v, to.engine, 1);
  village_close_replica(&to);
}

static void bulk(bench *b, village *v) {
  village_replica hub;
  v->dir = bench_dir("bulk");
  village_open_hub(v, &hub);
  double from = bench_cpu(), wall = bench_wall(), us = 1e6 / (double)v->ops;
  village_merge_bulk(v, &hub);
  bench_add_wall(b, "grid.hub_bulk.cpu", (bench_cpu() - from) * us, (bench_wall() - wall) * us);
  village_check(v, hub.engine, 1);
  village_close_replica(&hub);
  v->dir = NULL;
}

static void drawn(bench *b) {
  static village v;
  struct timespec now;
  char options[64];
  clock_gettime(CLOCK_REALTIME, &now);
  unsigned seed = ((unsigned)now.tv_nsec ^ (unsigned)now.tv_sec * 2654435761u) % 1000000u + 2;
  snprintf(options, sizeof options, "--preset grid --seed %u", seed);
  const char *trace = bench_generate("gen-village.mjs", options, "drawn");
  if (!trace) {
    fprintf(stderr, "bench: no Node: no trace of a seed drawn now\n");
    return;
  }
  bench_figure(b, "grid.upload_bytes.drawn", "MB", 1.05, 0, NULL);
  bench_figure(b, "grid.upload_bytes_dict.drawn", "MB", 0.9, 0, NULL);
  village_open(&v, trace, NULL, 0);
  village_play(&v);
  village_check(&v, v.hub.engine, 0);
  fprintf(stderr, "bench: seed %u: %.0f ops\n", seed, (double)v.ops);
  bench_add(b, "grid.upload_bytes.drawn", (double)village_plain_bytes(&v) / 1e6);
  bench_add(b, "grid.upload_bytes_dict.drawn", (double)v.bytes / 1e6);
  village_close(&v);
}

void bench_village(bench *b, int runs) {
  static village v;
  bench_figure(b, "grid.history", "kB", 520, 0, NULL);
  bench_figure(b, "grid.history.joined", "ms", 0, 0, NULL);
  bench_figure(b, "grid.hub_bulk.cpu", "us/op", 1.5, 0, "grid.limit.rows_bulk");
  bench_figure(b, "session.nothing_up", "B", 300, 0, NULL);
  bench_figure(b, "session.nothing_down", "B", 300, 0, NULL);
  bench_figure(b, "session.nothing_trips", "n", 1, 0, NULL);
  bench_figure(b, "session.live", "B", 36, 0, NULL);
  bench_figure(b, "session.live.down", "B", 0, 0, NULL);
  /* The first change since others' were taken says what its author had seen of them. */
  bench_figure(b, "session.live.first", "B", 0, 0, NULL);
  bench_figure(b, "session.live.seed", "B", 0, 0, NULL);
  bench_figure(b, "session.live.signature", "B", 0, 0, NULL);
  for (int i = 0; i < runs; i++) {
    village_open(&v, GRID, NULL, 0);
    village_play(&v);
    village_check(&v, v.hub.engine, 1);
    history(b, &v);
    bulk(b, &v);
    sessions(b, &v);
    village_close(&v);
    drawn(b);
  }
}
