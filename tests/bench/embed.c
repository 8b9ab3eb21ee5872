/* embed: what an app that embeds the library carries and pays: size of the shared object of each
 * architecture that was built, memory and time until the first page of a list on 100,000
 * records, and what a saved form costs the disk, the radio and the battery. Everything goes
 * through core/qianmo.h, but the bytes that a form puts on the wire, which the engine is asked
 * for. Times of a process of its own, of the wall: a phone's user waits for that. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "adapters/handle/handle.h"
#include "core/qianmo.h"
#include "tests/bench/bench.h"

#define RECORDS 100000u
#define PER_COMMIT 500u
#define PAGE 50u
#define FORMS 200u
#define FIELDS 3u
#define IDLE_MS 500

static const char schema[] =
    "{\"schema\":\"embed\",\"version\":1,\"collections\":[{\"name\":\"household\",\"number\":1,"
    "\"purpose\":\"measuring\",\"retention\":\"P1Y\",\"key\":\"no\",\"fields\":["
    "{\"name\":\"no\",\"number\":16,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"},"
    "{\"name\":\"head\",\"number\":17,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"},"
    "{\"name\":\"address\",\"number\":18,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"work\"},"
    "{\"name\":\"phone\",\"number\":19,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"work\"}]}]}";
static const char *const fields[FIELDS] = {"head", "address", "phone"};

/* --- size --- */

static void size_of(bench *b, const char *target, const char *arch) {
  char path[128], id[96];
  struct stat st;
  snprintf(path, sizeof path, "build/%s/stripped/libqianmo.so", target);
  if (stat(path, &st) != 0) return; /* make self-contained, make cross TARGET=… */
  snprintf(id, sizeof id, "embed.so.%s", arch);
  bench_figure(b, id, "MB", 0, 0, NULL);
  bench_add(b, id, (double)st.st_size / 1e6);
}

static void sizes(bench *b) {
  struct utsname here;
  BENCH_CHECK(uname(&here) == 0);
  size_of(b, "native", here.machine);
  if (strcmp(here.machine, "aarch64") != 0) size_of(b, "aarch64", "aarch64");
  size_of(b, "armhf", "armhf");
}

/* --- a database --- */

static qm_db *open_db(const char *path, uint32_t flags) {
  qm_options o = QM_OPTIONS_INIT;
  qm_db *db = NULL;
  qm_error e = {0, ""};
  o.path = path;
  o.flags = flags;
  if (qm_open(&o, &db, &e) != QM_OK) {
    fprintf(stderr, "bench: %s: %s\n", path, e.message);
    bench_fail("qm_open", e.code);
  }
  return db;
}

static void put_household(qm_tx *tx, unsigned i) {
  char key[24], value[96];
  qm_text id = {NULL, 0};
  snprintf(key, sizeof key, "%07u", i);
  BENCH_OK(qm_new(tx, qm_str("household"), qm_str(key), &id, NULL, NULL));
  for (unsigned f = 0; f < FIELDS; f++) {
    snprintf(value, sizeof value, "样例%s%u号%u户", fields[f], i % 97, i);
    BENCH_OK(qm_set(tx, qm_str("household"), qm_slice_of(id.p, id.n), qm_str(fields[f]),
                    qm_str(value), 0, NULL));
  }
  qm_text_free(&id);
}

/* In a process of its own: the memory that it leaves behind would serve those below. */
static void fill(const char *path) {
  int status;
  pid_t child = fork();
  BENCH_CHECK(child >= 0);
  if (child > 0) {
    BENCH_CHECK(waitpid(child, &status, 0) == child && status == 0);
    return;
  }
  qm_db *db = open_db(path, QM_OPEN_CREATE | QM_OPEN_NEW);
  qm_tx *tx;
  BENCH_OK(qm_space_create(db, qm_str("grid"), qm_str(schema), qm_str(""), NULL));
  for (unsigned i = 0; i < RECORDS;) {
    BENCH_OK(qm_begin(db, qm_str("grid"), &tx, NULL));
    for (unsigned n = 0; n < PER_COMMIT && i < RECORDS; n++) put_household(tx, i++);
    BENCH_OK(qm_commit(tx, NULL));
  }
  qm_close(db);
  _exit(0);
}

/* --- memory and time of a start --- */

/* Memory of this process that no file backs, in MB. */
static double own_memory(void) {
  char line[256];
  unsigned long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  BENCH_CHECK(f);
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "RssAnon: %lu kB", &kb) == 1) break;
  fclose(f);
  return (double)kb * 1024 / 1e6;
}

/* The kernel is asked to forget the file's pages. */
static void forget(const char *path) {
  int fd = open(path, O_RDONLY);
  BENCH_CHECK(fd >= 0 && fsync(fd) == 0);
  BENCH_CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
  close(fd);
}

typedef struct started {
  double open_ms, query_ms, open_mb, query_mb;
} started;

static started start(const char *path) {
  started s;
  qm_text page = {NULL, 0};
  double memory = own_memory(), from = bench_wall();
  qm_db *db = open_db(path, 0);
  s.open_ms = (bench_wall() - from) * 1e3;
  s.open_mb = own_memory() - memory;
  BENCH_OK(qm_list(db, qm_str("grid"), qm_str("household"), qm_str(""), PAGE, 0, &page, NULL));
  s.query_ms = (bench_wall() - from) * 1e3;
  s.query_mb = own_memory() - memory;
  unsigned lines = 0;
  for (size_t i = 0; i < page.n; i++) lines += page.p[i] == '\n';
  BENCH_CHECK(lines == PAGE);
  qm_text_free(&page);
  qm_close(db);
  return s;
}

/* In a process of its own. */
static started start_apart(const char *path) {
  started s;
  int p[2], status;
  BENCH_CHECK(pipe(p) == 0);
  fflush(stdout);
  pid_t child = fork();
  BENCH_CHECK(child >= 0);
  if (child == 0) {
    s = start(path);
    _exit(write(p[1], &s, sizeof s) != (ssize_t)sizeof s);
  }
  close(p[1]);
  BENCH_CHECK(read(p[0], &s, sizeof s) == (ssize_t)sizeof s);
  close(p[0]);
  BENCH_CHECK(waitpid(child, &status, 0) == child && status == 0);
  return s;
}

static void starts(bench *b, const char *path) {
  bench_figure(b, "embed.cold.open", "ms", 0, 0, NULL);
  bench_figure(b, "embed.cold.first_query", "ms", 0, 0, NULL);
  bench_figure(b, "embed.warm.open", "ms", 0, 0, NULL);
  bench_figure(b, "embed.warm.first_query", "ms", 0, 0, NULL);
  bench_figure(b, "embed.memory.open", "MB", 0, 0, NULL);
  bench_figure(b, "embed.memory.first_query", "MB", 0, 0, NULL);
  forget(path);
  started s = start_apart(path);
  bench_add(b, "embed.cold.open", s.open_ms);
  bench_add(b, "embed.cold.first_query", s.query_ms);
  s = start_apart(path);
  bench_add(b, "embed.warm.open", s.open_ms);
  bench_add(b, "embed.warm.first_query", s.query_ms);
  bench_add(b, "embed.memory.open", s.open_mb);
  bench_add(b, "embed.memory.first_query", s.query_mb);
}

/* --- a saved form --- */

/* How often a thread of this process went to sleep, and so was to be woken. */
static double wakes(void) {
  struct rusage u;
  BENCH_CHECK(getrusage(RUSAGE_SELF, &u) == 0);
  return (double)u.ru_nvcsw;
}

/* Bytes that this process has written to files. What the kernel counts as written to the disk are
 * whole folios of its cache, some of them far larger than what was written. */
static double written(void) {
  char line[256];
  unsigned long long n = 0;
  FILE *f = fopen("/proc/self/io", "r");
  BENCH_CHECK(f);
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "wchar: %llu", &n) == 1) break;
  fclose(f);
  return (double)n;
}

/* Three fields of a household, and its commit. What is typed repeats little. */
static void save_form(qm_db *db, unsigned i, int run) {
  char key[24], value[96];
  qm_tx *tx;
  snprintf(key, sizeof key, "key:%07u", (i * 61u) % RECORDS);
  BENCH_OK(qm_begin(db, qm_str("grid"), &tx, NULL));
  for (unsigned f = 0; f < FIELDS; f++) {
    unsigned typed = (i * 3 + f + 1000 * (unsigned)run) * 2654435761u;
    snprintf(value, sizeof value, "样例%s%u号", fields[f], typed);
    BENCH_OK(qm_set(tx, qm_str("household"), qm_str(key), qm_str(fields[f]), qm_str(value), 0,
                    NULL));
  }
  BENCH_OK(qm_commit(tx, NULL));
}

/* What a hub that has the rest would be sent, before TLS. */
static double bytes_since(qm_db *db, qm_vv_list vv) {
  qm_buf batch;
  uint64_t cursor = 0;
  double n = 0;
  int rc;
  qm_space *s = qm_engine_space_at(db->engine, 0);
  qm_buf_init(&batch, &db->env, QM_BATCH_MAX);
  while ((rc = qm_engine_next_batch(db->engine, s, vv, &cursor, &batch)) == QM_OK) {
    n += (double)batch.n;
    qm_buf_clear(&batch);
  }
  BENCH_CHECK(rc == QM_ENOTFOUND);
  qm_buf_free(&batch);
  return n;
}

static void forms(bench *b, const char *path, int run) {
  uint64_t syncs, after;
  double seconds;
  qm_arena arena;
  qm_vv_list heads;
  bench_figure(b, "embed.form.wakes", "n/form", 0, 0, NULL);
  bench_figure(b, "embed.form.fsyncs", "n/form", 0, 0, NULL);
  bench_figure(b, "embed.form.disk", "B/form", 0, 0, NULL);
  bench_figure(b, "embed.form.wire", "B/form", 0, 0, NULL);
  bench_figure(b, "embed.idle.wakes", "/s", 0, 0, NULL);
  qm_db *db = open_db(path, 0);
  qm_space *s = qm_engine_space_at(db->engine, 0);
  save_form(db, 0, run);
  BENCH_OK(qm_engine_push(db->engine, s));
  qm_arena_init(&arena, &db->env, 1u << 20);
  BENCH_OK(qm_engine_heads(db->engine, s, &arena, &heads));
  bench_syncs(&syncs, &seconds);
  double woken = wakes(), disk = written();
  for (unsigned i = 1; i <= FORMS; i++) save_form(db, i, run);
  bench_syncs(&after, &seconds);
  bench_add(b, "embed.form.wakes", (wakes() - woken) / FORMS);
  bench_add(b, "embed.form.disk", (written() - disk) / FORMS);
  bench_add(b, "embed.form.fsyncs", (double)(after - syncs) / FORMS);
  BENCH_OK(qm_engine_push(db->engine, s));
  bench_add(b, "embed.form.wire", bytes_since(db, heads) / FORMS);
  qm_arena_free(&arena);
  /* Nothing is asked of it: only this thread's own sleep ends. */
  const struct timespec idle = {0, IDLE_MS * 1000000L};
  woken = wakes();
  nanosleep(&idle, NULL);
  bench_add(b, "embed.idle.wakes", (wakes() - woken - 1) * 1000 / IDLE_MS);
  qm_close(db);
}

void bench_embed(bench *b, int runs) {
  char path[160];
  snprintf(path, sizeof path, "%s/app.db", bench_dir("embed"));
  sizes(b);
  fill(path);
  for (int i = 0; i < runs; i++) starts(b, path);
  for (int i = 0; i < runs; i++) forms(b, path, i);
}
