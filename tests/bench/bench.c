/* The program: build/bench [--runs N] [--json FILE] [SUITE…] */
#include "tests/bench/bench.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <malloc.h>

#include "core/err.h"
#include "core/mem.h"

#define FIGURES_MAX 128
#define RUNS_MAX 64

typedef struct figure {
  const char *id, *unit, *limit;
  double target, values[RUNS_MAX];
  int more, n;
} figure;

struct bench {
  figure f[FIGURES_MAX];
  int n;
};

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

/* --- figures --- */

static figure *find(bench *b, const char *id) {
  for (int i = 0; i < b->n; i++)
    if (strcmp(b->f[i].id, id) == 0) return &b->f[i];
  return NULL;
}

void bench_figure(bench *b, const char *id, const char *unit, double target, int more,
                  const char *limit) {
  if (find(b, id)) return;
  BENCH_CHECK(b->n < FIGURES_MAX);
  b->f[b->n++] = (figure){.id = id, .unit = unit, .target = target, .more = more, .limit = limit};
}

void bench_add(bench *b, const char *id, double value) {
  figure *f = find(b, id);
  BENCH_CHECK(f && f->n < RUNS_MAX);
  f->values[f->n++] = value;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const figure *f) {
  return f->n % 2 ? f->values[f->n / 2] : (f->values[f->n / 2 - 1] + f->values[f->n / 2]) / 2;
}

static void print(bench *b) {
  printf("%-34s %14s %14s %14s  %-8s %14s  %s\n", "figure", "median", "least", "greatest", "unit",
         "target", "of target");
  for (int i = 0; i < b->n; i++) {
    figure *f = &b->f[i];
    if (!f->n) continue;
    qsort(f->values, (size_t)f->n, sizeof f->values[0], ascending);
    double m = median(f);
    printf("%-34s %14.4g %14.4g %14.4g  %-8s", f->id, m, f->values[0], f->values[f->n - 1],
           f->unit);
    if (f->target > 0)
      printf(" %14.4g  %.2fx%s", f->target, f->more ? m / f->target : f->target / m,
             (f->more ? m >= f->target : m <= f->target) ? "" : "  missed");
    printf("\n");
  }
}

static void print_json(bench *b, const char *path, const char *commit) {
  struct utsname u;
  FILE *out = fopen(path, "w");
  if (!out) bench_fail(path, QM_EIO);
  uname(&u);
  fprintf(out, "{\"machine\":\"%s %s, %ld cores\",\"commit\":\"%s\",\"rows\":[", u.sysname,
          u.machine, sysconf(_SC_NPROCESSORS_ONLN), commit);
  for (int i = 0, first = 1; i < b->n; i++) {
    figure *f = &b->f[i], *l = f->limit ? find(b, f->limit) : NULL;
    if (!f->n) continue;
    fprintf(out, "%s\n{\"id\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,",
            first ? "" : ",", f->id, f->unit, median(f), f->values[0], f->values[f->n - 1]);
    fprintf(out, "\"runs\":%d,\"target\":%.6g", f->n, f->target);
    if (l && l->n) fprintf(out, ",\"limit\":%.6g", median(l));
    fprintf(out, "}");
    first = 0;
  }
  fprintf(out, "\n]}\n");
  if (fclose(out) != 0) bench_fail(path, QM_EIO);
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

static int count_sync(sqlite3_file *f, int flags) {
  double from = bench_wall();
  int rc = real_methods[f->pMethods - methods]->xSync(f, flags);
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

static void count_syncs(void) {
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

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    bench_suite *run;
  } suites[] = {{"limits", bench_limits}, {"grid", bench_grid}, {"text", bench_text},
                {"day", bench_day}};
  static bench b;
  const char *json = NULL, *commit = getenv("COMMIT");
  int runs = 5, named = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) runs = atoi(argv[++i]);
    else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) json = argv[++i];
    else named++;
  }
  if (runs < 1 || runs > RUNS_MAX) bench_fail("--runs: 1 to 64", QM_EUSAGE);
  count_syncs();
  for (size_t s = 0; s < sizeof suites / sizeof *suites; s++) {
    int wanted = !named;
    for (int i = 1; i < argc; i++) wanted |= strcmp(argv[i], suites[s].name) == 0;
    if (wanted) suites[s].run(&b, runs);
  }
  print(&b);
  if (json) print_json(&b, json, commit ? commit : "");
  return 0;
}
