/* Figures: kept, handed from a suite's process to its parent, printed, written as JSON. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "tests/bench/bench.h"

#define FIGURES_MAX 256
#define RUNS_MAX 64
#define NAME_MAX_ 64

typedef struct figure {
  char id[NAME_MAX_], unit[16], limit[NAME_MAX_];
  char peer_name[NAME_MAX_];
  double target, peer, values[RUNS_MAX], walls[RUNS_MAX];
  int more, n, n_walls, has_peer;
} figure;

struct bench {
  figure f[FIGURES_MAX];
  int n;
};

bench *bench_new(void) {
  bench *b = calloc(1, sizeof *b);
  BENCH_CHECK(b);
  return b;
}

void bench_free(bench *b) { free(b); }

static figure *find(bench *b, const char *id) {
  for (int i = 0; i < b->n; i++)
    if (strcmp(b->f[i].id, id) == 0) return &b->f[i];
  return NULL;
}

void bench_figure(bench *b, const char *id, const char *unit, double target, int more,
                  const char *limit) {
  if (find(b, id)) return;
  BENCH_CHECK(b->n < FIGURES_MAX);
  figure *f = &b->f[b->n++];
  *f = (figure){.target = target, .more = more};
  snprintf(f->id, sizeof f->id, "%s", id);
  snprintf(f->unit, sizeof f->unit, "%s", unit);
  snprintf(f->limit, sizeof f->limit, "%s", limit ? limit : "");
}

void bench_add(bench *b, const char *id, double value) {
  figure *f = find(b, id);
  BENCH_CHECK(f && f->n < RUNS_MAX && isfinite(value));
  f->values[f->n++] = value;
}

void bench_add_wall(bench *b, const char *id, double value, double wall) {
  bench_add(b, id, value);
  figure *f = find(b, id);
  BENCH_CHECK(f->n_walls < RUNS_MAX && isfinite(wall));
  f->walls[f->n_walls++] = wall;
}

bench_span bench_start(void) { return (bench_span){bench_cpu(), bench_wall()}; }

void bench_rate(bench *b, const char *id, double n, bench_span from) {
  bench_add_wall(b, id, n / (bench_cpu() - from.cpu), n / (bench_wall() - from.wall));
}

void bench_took(bench *b, const char *id, double scale, bench_span from) {
  bench_add_wall(b, id, (bench_cpu() - from.cpu) * scale, (bench_wall() - from.wall) * scale);
}

/* --- from process to process --- */

int bench_write(const bench *b, FILE *to) {
  for (int i = 0; i < b->n; i++) {
    const figure *f = &b->f[i];
    fprintf(to, "%s %s %s %d %.17g %d %d", f->id, f->unit, *f->limit ? f->limit : "-", f->more,
            f->target, f->n, f->n_walls);
    for (int k = 0; k < f->n; k++) fprintf(to, " %.17g", f->values[k]);
    for (int k = 0; k < f->n_walls; k++) fprintf(to, " %.17g", f->walls[k]);
    fprintf(to, "\n");
  }
  return ferror(to) ? QM_EIO : QM_OK;
}

int bench_read(bench *b, FILE *from) {
  figure f;
  int n, walls;
  for (;;) {
    memset(&f, 0, sizeof f);
    int got = fscanf(from, "%63s %15s %63s %d %lg %d %d", f.id, f.unit, f.limit, &f.more, &f.target,
                     &n, &walls);
    if (got == EOF) return QM_OK;
    if (got != 7 || n < 0 || n > RUNS_MAX || walls < 0 || walls > RUNS_MAX) return QM_EIO;
    bench_figure(b, f.id, f.unit, f.target, f.more, strcmp(f.limit, "-") ? f.limit : NULL);
    figure *to = find(b, f.id);
    to->n = n;
    to->n_walls = walls;
    for (int k = 0; k < n; k++)
      if (fscanf(from, "%lg", &to->values[k]) != 1) return QM_EIO;
    for (int k = 0; k < walls; k++)
      if (fscanf(from, "%lg", &to->walls[k]) != 1) return QM_EIO;
  }
}

void bench_peers(bench *b, const char *path) {
  json_error_t e;
  json_t *file = json_load_file(path, 0, &e), *row;
  size_t i;
  if (!file) return;
  json_array_foreach(json_object_get(file, "rows"), i, row) {
    const char *id = json_string_value(json_object_get(row, "id"));
    const char *unit = json_string_value(json_object_get(row, "unit"));
    const char *peer = json_string_value(json_object_get(row, "peer"));
    double m = json_number_value(json_object_get(row, "median"));
    figure *f = id ? find(b, id) : NULL;
    if (!f || !unit || !peer || strcmp(unit, f->unit) != 0 || m <= 0) continue;
    if (f->has_peer && (f->more ? m <= f->peer : m >= f->peer)) continue;
    f->has_peer = 1;
    f->peer = m;
    snprintf(f->peer_name, sizeof f->peer_name, "%s", peer);
  }
  json_decref(file);
}

/* --- shown --- */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, ascending);
  return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* How much better a is than b. */
static double ratio(const figure *f, double a, double b) { return f->more ? a / b : b / a; }

void bench_print(bench *b) {
  printf("%-32s %10s %10s %10s %10s %-8s %10s %9s %10s %9s %10s\n", "figure", "median", "least",
         "greatest", "wall", "unit", "target", "of it", "peer", "of it", "limit");
  for (int i = 0; i < b->n; i++) {
    figure *f = &b->f[i], *l = *f->limit ? find(b, f->limit) : NULL;
    if (!f->n) continue;
    double m = median(f->values, f->n);
    printf("%-32s %10.4g %10.4g %10.4g ", f->id, m, f->values[0], f->values[f->n - 1]);
    if (f->n_walls) printf("%10.4g", median(f->walls, f->n_walls));
    else printf("%10s", "");
    printf(" %-8s", f->unit);
    if (f->target > 0)
      printf(" %10.4g %7.2fx%s", f->target, ratio(f, m, f->target),
             (f->more ? m >= f->target : m <= f->target) ? " " : "!");
    else if (f->has_peer || l) printf(" %10s %9s", "", "");
    if (f->has_peer) printf(" %10.4g %8.1fx", f->peer, ratio(f, m, f->peer));
    else if (l && l->n) printf(" %10s %9s", "", "");
    if (l && l->n) printf(" %10.4g", median(l->values, l->n));
    if (f->has_peer) printf("  %s", f->peer_name);
    printf("\n");
  }
  printf("Figures are CPU time unless their name says otherwise. !: target missed.\n");
}

/* The processor's name, as the system has it. */
static void cpu_name(char *to, size_t n) {
  char line[256], *p;
  FILE *f = fopen("/proc/cpuinfo", "r");
  snprintf(to, n, "processor");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, "model name", 10) != 0 || !(p = strchr(line, ':'))) continue;
    p[strcspn(p, "\n")] = 0;
    snprintf(to, n, "%s", p + 2);
    break;
  }
  if (f) fclose(f);
}

/* A row a line: tests/bench/readme reads it so. */
void bench_json(bench *b, const char *path, int runs) {
  struct utsname u;
  char cpu[128], date[32];
  time_t now = time(NULL);
  const char *commit = getenv("COMMIT");
  FILE *out = fopen(path, "w");
  if (!out) bench_fail(path, QM_EIO);
  uname(&u);
  cpu_name(cpu, sizeof cpu);
  strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
  fprintf(out, "{\"machine\":\"%s, %ld cores, %s %s\",\"commit\":\"%s\",\"date\":\"%s\",", cpu,
          sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.machine, commit ? commit : "", date);
  fprintf(out, "\"runs\":%d,\"rows\":[", runs);
  for (int i = 0, first = 1; i < b->n; i++) {
    figure *f = &b->f[i], *l = *f->limit ? find(b, f->limit) : NULL;
    if (!f->n) continue;
    double m = median(f->values, f->n);
    fprintf(out, "%s\n{\"id\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,",
            first ? "" : ",", f->id, f->unit, m, f->values[0], f->values[f->n - 1]);
    fprintf(out, "\"runs\":%d,\"more\":%d,\"target\":", f->n, f->more);
    fprintf(out, f->target > 0 ? "%.6g" : "null", f->target);
    if (f->has_peer) fprintf(out, ",\"peer\":%.6g,\"peer_name\":\"%s\"", f->peer, f->peer_name);
    else fprintf(out, ",\"peer\":null");
    if (l && l->n) fprintf(out, ",\"limit\":%.6g", median(l->values, l->n));
    else fprintf(out, ",\"limit\":null");
    if (f->n_walls) fprintf(out, ",\"wall\":%.6g", median(f->walls, f->n_walls));
    fprintf(out, "}");
    first = 0;
  }
  fprintf(out, "\n]}\n");
  if (fclose(out) != 0) bench_fail(path, QM_EIO);
}
