/* The program: build/bench [--runs N] [--json FILE] [--peers FILE] [SUITE…] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "tests/bench/bench.h"

static const struct {
  const char *name;
  bench_suite *run;
} suites[] = {
    {"limits", bench_limits},
    {"grid", bench_grid},
    {"village", bench_village},
    {"text", bench_text},
    {"together", bench_together},
    {"scale", bench_scale},
    {"township", bench_township},
    {"day", bench_day},
    {"embed", bench_embed},
};

/* A process of its own: its memory is its own, and where it fails the others go on. */
static int run_suite(bench *b, bench_suite *suite, int runs) {
  FILE *figures = tmpfile();
  int status;
  if (!figures) bench_fail("tmpfile", QM_EIO);
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) bench_fail("fork", QM_EIO);
  if (child == 0) {
    bench *own = bench_new();
    bench_count_syncs(1);
    suite(own, runs);
    int rc = bench_write(own, figures);
    bench_free(own);
    fflush(figures);
    _exit(rc != QM_OK);
  }
  int ended = waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  rewind(figures);
  if (ended) BENCH_OK(bench_read(b, figures));
  fclose(figures);
  return ended;
}

int main(int argc, char **argv) {
  const char *json = NULL, *peers = NULL, *wanted[64];
  int runs = 5, n_wanted = 0, failed = 0;
  bench *b = bench_new();
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) runs = atoi(argv[++i]);
    else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) json = argv[++i];
    else if (strcmp(argv[i], "--peers") == 0 && i + 1 < argc) peers = argv[++i];
    else if (n_wanted < 64) wanted[n_wanted++] = argv[i];
  }
  if (runs < 1 || runs > 64) bench_fail("--runs: 1 to 64", QM_EUSAGE);
  for (size_t s = 0; s < sizeof suites / sizeof *suites; s++) {
    int asked = !n_wanted;
    for (int i = 0; i < n_wanted; i++) asked |= strcmp(wanted[i], suites[s].name) == 0;
    if (!asked || run_suite(b, suites[s].run, runs)) continue;
    fprintf(stderr, "bench: %s failed: none of its figures is shown\n", suites[s].name);
    failed = 1;
  }
  if (peers) bench_peers(b, peers);
  bench_print(b);
  if (json) bench_json(b, json, runs);
  bench_free(b);
  return failed;
}
