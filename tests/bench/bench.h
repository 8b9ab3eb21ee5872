/* bench: collects figures and prints them. A figure is added once a run, only after the run
 * was checked for its result; printed are median, least and greatest, beside a target and
 * what the same run measured as a limit. */
#ifndef QM_BENCH_H
#define QM_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "core/env.h"

typedef struct bench bench;

/* One suite: adds its figures to b, `runs` times each. */
typedef void bench_suite(bench *b, int runs);
bench_suite bench_limits, bench_grid, bench_text, bench_day;

/* Says what a figure is; once, before its values. `target` 0: none. `more` 1: more is
 * better. `limit`: id of the figure that bounds it, or NULL. */
void bench_figure(bench *b, const char *id, const char *unit, double target, int more,
                  const char *limit);
void bench_add(bench *b, const char *id, double value);
/* Seconds of CPU of this process, and of the wall. */
double bench_cpu(void);
double bench_wall(void);
/* Prints what failed and ends the program: no figures of a run that went wrong. */
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

#endif
