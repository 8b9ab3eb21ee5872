/* bench: collects figures and prints them. A figure is added once a run, only after the run
 * was checked for its result; printed are median, least and greatest, beside a target, the
 * best of the peers that were played in the same run, and what the same run measured as a
 * limit. A suite runs in a process of its own: what goes wrong in one takes its figures only. */
#ifndef QM_BENCH_H
#define QM_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/env.h"

typedef struct bench bench;

/* One suite: adds its figures to b, `runs` times each. */
typedef void bench_suite(bench *b, int runs);
bench_suite bench_limits, bench_grid, bench_text, bench_scale, bench_township, bench_together;
bench_suite bench_day, bench_village, bench_embed;
/* A part of bench_limits. What OpenSSL does alone stands beside bench_day. */
bench_suite bench_limits_plain;

/* Says what a figure is; once, before its values. `target` 0: none. `more` 1: more is
 * better. `limit`: id of the figure that bounds it, or NULL. */
void bench_figure(bench *b, const char *id, const char *unit, double target, int more,
                  const char *limit);
void bench_add(bench *b, const char *id, double value);
/* The same of a span that was also measured by the wall; both in the figure's unit. */
void bench_add_wall(bench *b, const char *id, double value, double wall);
/* Seconds of CPU of this process, and of the wall. */
double bench_cpu(void);
double bench_wall(void);

/* What passed since bench_start: as `n` a second, or as seconds times `scale`. */
typedef struct bench_span {
  double cpu, wall;
} bench_span;
bench_span bench_start(void);
void bench_rate(bench *b, const char *id, double n, bench_span from);
void bench_took(bench *b, const char *id, double scale, bench_span from);

/* Prints what failed and ends the suite: no figures of a run that went wrong. */
_Noreturn void bench_fail(const char *what, int rc);
#define BENCH_OK(expr)                           \
  do {                                           \
    int bench_rc = (expr);                       \
    if (bench_rc != 0) bench_fail(#expr, bench_rc); \
  } while (0)
#define BENCH_CHECK(expr)                   \
  do {                                      \
    if (!(expr)) bench_fail(#expr, 0); \
  } while (0)

/* An env that counts what core allocates. Clock 0, randomness from a seed. */
typedef struct bench_env {
  qm_env env;
  uint64_t seed, calls;
  size_t live, peak;
} bench_env;
void bench_env_init(bench_env *e, uint64_t seed);

/* A fresh directory for stores below build/, emptied first. */
const char *bench_dir(const char *name);
/* fsyncs that SQLite made since the start, and the seconds they took. */
void bench_syncs(uint64_t *count, double *seconds);
/* Greatest resident memory of this process so far, in bytes. */
uint64_t bench_peak(void);
/* From here on SQLite counts its fsyncs (bench_syncs) and, with `made`, makes them. Once, before
 * any store. */
void bench_count_syncs(int made);
/* Makes a trace by a generator of fixtures/traces (Node) in build/bench. NULL: no Node. */
const char *bench_generate(const char *generator, const char *options, const char *name);

/* --- report.c: what becomes of the figures --- */
bench *bench_new(void);
void bench_free(bench *b);
/* Of a suite's process, and by whom started it. 0, or QM_EIO. */
int bench_write(const bench *b, FILE *to);
int bench_read(bench *b, FILE *from);
/* build/bench-peers.json: the best peer of each figure. A file that is not there: no peers. */
void bench_peers(bench *b, const char *path);
void bench_print(bench *b);
void bench_json(bench *b, const char *path, int runs);

/* --- plot.c: build/bench-growth.svg --- */
#define BENCH_POINTS_MAX 64
typedef struct bench_line {
  const char *name;
  double x[BENCH_POINTS_MAX], y[BENCH_POINTS_MAX];
  int n;
} bench_line;
typedef struct bench_plot {
  const char *title, *x, *y;
  const bench_line *lines;
  int n;
} bench_plot;
/* The plots side by side, axes from 0. */
void bench_svg(const char *path, const bench_plot *plots, int n);

#endif
