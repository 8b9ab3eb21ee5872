/* What the suites share: clocks, memory, files. */
#include "tests/bench/bench.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <malloc.h>

#include "core/err.h"
#include "core/mem.h"

_Noreturn void bench_fail(const char *what, int rc) {
  fflush(stdout);
  fprintf(stderr, "bench: %s: %s\n", what, rc ? qm_err_name(rc) : "not as it should be");
  exit(1);
}

double bench_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_wall(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t bench_peak(void) {
  char line[256];
  unsigned long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  if (!f) return 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "VmHWM: %lu kB", &kb) == 1) break;
  fclose(f);
  return (uint64_t)kb * 1024;
}

/* --- env --- */

static void *counted(void *payload, void *p, size_t n) {
  bench_env *e = payload;
  size_t old = p ? malloc_usable_size(p) : 0;
  void *q = NULL;
  if (n) {
    e->calls++;
    q = realloc(p, n);
    if (!q) return NULL;
    e->live += malloc_usable_size(q);
  } else {
    free(p);
  }
  e->live -= old;
  if (e->live > e->peak) e->peak = e->live;
  return q;
}

static uint64_t zero_clock(void *payload) {
  (void)payload;
  return 0;
}

static int seeded(void *payload, uint8_t *to, size_t n) {
  bench_env *e = payload;
  for (size_t i = 0; i < n; i++) { /* splitmix64 */
    uint64_t z = e->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    to[i] = (uint8_t)(z ^ (z >> 31));
  }
  return QM_OK;
}

void bench_env_init(bench_env *e, uint64_t seed) {
  memset(e, 0, sizeof *e);
  e->seed = seed;
  e->env = (qm_env){.payload = e, .realloc = counted, .now_ms = zero_clock, .random = seeded};
}

/* --- files: the default VFS with its syncs counted --- */

#define METHODS_MAX 4 /* SQLite has a table for each way of locking */

static sqlite3_vfs counting;
static sqlite3_io_methods methods[METHODS_MAX];
static const sqlite3_io_methods *real_methods[METHODS_MAX];
static uint64_t syncs;
static double sync_seconds;
static int syncs_made = 1;

static int count_sync(sqlite3_file *f, int flags) {
  double from = bench_wall();
  int rc = syncs_made ? real_methods[f->pMethods - methods]->xSync(f, flags) : SQLITE_OK;
  sync_seconds += bench_wall() - from;
  syncs++;
  return rc;
}

static int count_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  sqlite3_vfs *real = v->pAppData;
  int rc = real->xOpen(real, name, f, flags, out), i = 0;
  if (rc != SQLITE_OK || !f->pMethods) return rc;
  while (i < METHODS_MAX && real_methods[i] && real_methods[i] != f->pMethods) i++;
  if (i == METHODS_MAX) return rc;
  if (!real_methods[i]) {
    real_methods[i] = f->pMethods;
    methods[i] = *f->pMethods;
    methods[i].xSync = count_sync;
  }
  f->pMethods = &methods[i];
  return rc;
}

void bench_count_syncs(int made) {
  syncs_made = made;
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  counting = *real;
  counting.zName = "counting";
  counting.pAppData = real;
  counting.xOpen = count_open;
  if (sqlite3_vfs_register(&counting, 1) != SQLITE_OK) bench_fail("sqlite3_vfs_register", QM_EIO);
}

void bench_syncs(uint64_t *count, double *seconds) {
  *count = syncs;
  *seconds = sync_seconds;
}

const char *bench_dir(const char *name) {
  static char path[128];
  char command[300];
  snprintf(path, sizeof path, "build/bench/%.40s", name);
  snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s", path, path);
  if (system(command) != 0) bench_fail(command, QM_EIO);
  return path;
}

const char *bench_generate(const char *generator, const char *options, const char *name) {
  static char path[128];
  char command[512];
  snprintf(path, sizeof path, "build/bench/%.60s", name);
  snprintf(command, sizeof command,
           "node fixtures/traces/%.40s %.200s --out build/bench/%.60s >/dev/null 2>&1", generator,
           options, name);
  return system("mkdir -p build/bench && node --version >/dev/null 2>&1") == 0 &&
                 system(command) == 0
             ? path
             : NULL;
}
