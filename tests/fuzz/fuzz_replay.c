/* Plays kept inputs without libFuzzer.
 *
 *   fuzz_replay                    as a test: every corpus in fixtures/fuzz, every file
 *                                  fixtures/crash/fuzz-TARGET-*
 *   fuzz_replay TARGET FILE...     these files
 *   fuzz_replay --unpack TARGET DIR    the corpus, a file for each input
 *   fuzz_replay --pack TARGET DIR      the reverse, ascending by size, then bytewise
 *
 * A corpus is one file: each input with its length (u32, big-endian) before it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

typedef struct target {
  const char *name;
  void (*run)(qm_slice in);
} target;

#define FUZZ_ROW(name) {#name, fuzz_##name},
static const target targets[] = {FUZZ_TARGETS(FUZZ_ROW)};
#define TARGETS_N (sizeof targets / sizeof *targets)

static char path[512];

static _Noreturn void give_up(const char *what) {
  fflush(stdout);
  fprintf(stderr, "fuzz_replay: %s: %s\n", path, what);
  exit(1);
}

/* The whole file, with a byte at its end that is not part of it. */
static uint8_t *read_all(size_t *n) {
  FILE *f = fopen(path, "rb");
  size_t cap = 4096;
  uint8_t *p = malloc(cap);
  *n = 0;
  if (!f || !p) give_up("cannot be read");
  for (size_t got; (got = fread(p + *n, 1, cap - *n, f)) > 0;) {
    *n += got;
    if (*n < cap) continue;
    p = realloc(p, cap *= 2);
    if (!p) give_up("no memory");
  }
  fclose(f);
  return p;
}

/* In memory of its own size: a read beyond the input is seen. */
static void play(const target *t, const uint8_t *p, size_t n) {
  uint8_t *copy = malloc(n ? n : 1);
  if (!copy) give_up("no memory");
  if (n) memcpy(copy, p, n);
  fuzz_one(t->run, qm_slice_of(copy, n));
  free(copy);
}

static uint32_t each(const uint8_t *p, size_t n, const target *t, const char *dir) {
  uint32_t count = 0;
  while (n >= 4) {
    size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len > n - 4) give_up("cut short");
    count++;
    if (t) play(t, p + 4, len);
    if (dir) {
      char name[600];
      snprintf(name, sizeof name, "%s/%05u", dir, (unsigned)count);
      FILE *f = fopen(name, "wb");
      if (!f || fwrite(p + 4, 1, len, f) != len || fclose(f) != 0) give_up("cannot write");
    }
    p += 4 + len;
    n -= 4 + len;
  }
  if (n) give_up("cut short");
  return count;
}

static uint32_t corpus(const target *t, const target *run, const char *dir) {
  size_t n;
  snprintf(path, sizeof path, "fixtures/fuzz/%s.seeds", t->name);
  uint8_t *p = read_all(&n);
  uint32_t count = each(p, n, run, dir);
  free(p);
  return count;
}

static uint32_t crashes(const target *t) {
  char prefix[64];
  uint32_t count = 0;
  DIR *d = opendir("fixtures/crash");
  snprintf(prefix, sizeof prefix, "fuzz-%s-", t->name);
  for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
    size_t n;
    if (strncmp(e->d_name, prefix, strlen(prefix)) != 0) continue;
    snprintf(path, sizeof path, "fixtures/crash/%.200s", e->d_name);
    uint8_t *p = read_all(&n);
    play(t, p, n);
    free(p);
    count++;
  }
  if (d) closedir(d);
  return count;
}

static void as_test(void) {
  printf("1..%u\n", (unsigned)TARGETS_N);
  for (size_t i = 0; i < TARGETS_N; i++) {
    uint32_t n = corpus(&targets[i], &targets[i], NULL), kept = crashes(&targets[i]);
    printf("%s %u - fuzz %s: %u inputs, %u that once failed\n", n ? "ok" : "not ok",
           (unsigned)i + 1, targets[i].name, (unsigned)n, (unsigned)kept);
    fflush(stdout);
  }
}

/* --- packing --- */

typedef struct file {
  uint8_t *p;
  size_t n;
} file;

static int by_size(const void *a, const void *b) {
  const file *x = a, *y = b;
  if (x->n != y->n) return x->n < y->n ? -1 : 1;
  return x->n ? memcmp(x->p, y->p, x->n) : 0;
}

static void pack(const target *t, const char *dir) {
  static file files[65536];
  size_t n = 0;
  DIR *d = opendir(dir);
  snprintf(path, sizeof path, "%s", dir);
  if (!d) give_up("cannot be read");
  for (struct dirent *e; (e = readdir(d)) != NULL && n < 65536;) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%.250s/%.250s", dir, e->d_name);
    files[n].p = read_all(&files[n].n);
    n++;
  }
  closedir(d);
  qsort(files, n, sizeof *files, by_size);
  snprintf(path, sizeof path, "fixtures/fuzz/%s.seeds", t->name);
  FILE *f = fopen(path, "wb");
  if (!f) give_up("cannot write");
  for (size_t i = 0; i < n; i++) {
    uint8_t head[4] = {(uint8_t)(files[i].n >> 24), (uint8_t)(files[i].n >> 16),
                       (uint8_t)(files[i].n >> 8), (uint8_t)files[i].n};
    if (i && by_size(&files[i - 1], &files[i]) == 0) continue;
    if (fwrite(head, 1, 4, f) != 4) give_up("cannot write");
    if (fwrite(files[i].p, 1, files[i].n, f) != files[i].n) give_up("cannot write");
  }
  if (fclose(f) != 0) give_up("cannot write");
  for (size_t i = 0; i < n; i++) free(files[i].p);
}

static const target *find(const char *name) {
  for (size_t i = 0; i < TARGETS_N; i++)
    if (strcmp(targets[i].name, name) == 0) return &targets[i];
  snprintf(path, sizeof path, "%s", name);
  give_up("no such target");
}

int main(int argc, char **argv) {
  if (argc == 1) {
    as_test();
  } else if (argc == 4 && strcmp(argv[1], "--unpack") == 0) {
    (void)corpus(find(argv[2]), NULL, argv[3]);
  } else if (argc == 4 && strcmp(argv[1], "--pack") == 0) {
    pack(find(argv[2]), argv[3]);
  } else {
    const target *t = find(argv[1]);
    for (int i = 2; i < argc; i++) {
      size_t n;
      snprintf(path, sizeof path, "%s", argv[i]);
      uint8_t *p = read_all(&n);
      play(t, p, n);
      free(p);
    }
    printf("%d played\n", argc - 2);
  }
  return 0;
}
