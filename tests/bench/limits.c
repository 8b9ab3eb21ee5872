/* What the machine gives at most, measured in the same run as everything else. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "core/hash.h"
#include "tests/bench/bench.h"

#define BLOCK ((size_t)16 << 20)
#define ROWS 100000

static void memory(bench *b) {
  char *x = malloc(BLOCK), *y = malloc(BLOCK);
  BENCH_CHECK(x && y);
  memset(x, 1, BLOCK);
  memset(y, 2, BLOCK);
  double from = bench_cpu();
  for (int i = 0; i < 8; i++) memcpy(i % 2 ? x : y, i % 2 ? y : x, BLOCK);
  bench_add(b, "limit.memcpy", 8.0 * (double)BLOCK / 1e9 / (bench_cpu() - from));
  BENCH_CHECK(x[BLOCK - 1] == y[BLOCK - 1]);
  free(x);
  free(y);
}

/* Records as text, as the trace has them: what a batch's columns are made of. */
static void packing(bench *b) {
  static char in[(size_t)8 << 20];
  gzFile f = gzopen("fixtures/traces/village-grid-seed1.jsonl.gz", "rb");
  BENCH_CHECK(f);
  int n = gzread(f, in, sizeof in);
  gzclose(f);
  BENCH_CHECK(n == (int)sizeof in);
  size_t cap = ZSTD_compressBound(sizeof in);
  char *packed = malloc(cap), *back = malloc(sizeof in);
  BENCH_CHECK(packed && back);
  bench_span from = bench_start();
  size_t m = ZSTD_compress(packed, cap, in, sizeof in, 3);
  bench_rate(b, "limit.zstd_pack", (double)n / 1e6, from);
  BENCH_CHECK(!ZSTD_isError(m));
  from = bench_start();
  size_t k = ZSTD_decompress(back, sizeof in, packed, m);
  bench_rate(b, "limit.zstd_unpack", (double)n / 1e6, from);
  BENCH_CHECK(k == sizeof in && memcmp(in, back, k) == 0);
  free(packed);
  free(back);
}

static void digests(bench *b) {
  uint8_t in[128] = {1};
  qm_hash out;
  double from = bench_cpu();
  for (int i = 0; i < ROWS; i++) {
    qm_sha sha;
    qm_sha_init(&sha);
    qm_sha_add(&sha, in, sizeof in);
    qm_sha_end(&sha, &out);
    in[0] = out.b[0];
  }
  bench_add(b, "limit.sha256_128", ROWS / (bench_cpu() - from));
}

static void sql(sqlite3 *db, const char *text) {
  if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) bench_fail(sqlite3_errmsg(db), 0);
}

/* A table of blobs by a 16-byte key, each row an upsert of its own transaction. */
static void upserts(bench *b) {
  char path[600], blob[300];
  sqlite3 *db;
  sqlite3_stmt *put;
  snprintf(path, sizeof path, "%s/plain.db", bench_dir("limits"));
  memset(blob, 'x', sizeof blob);
  BENCH_CHECK(sqlite3_open(path, &db) == SQLITE_OK);
  sql(db, "PRAGMA journal_mode=WAL");
  sql(db, "PRAGMA synchronous=NORMAL");
  sql(db, "CREATE TABLE t(id BLOB PRIMARY KEY, state BLOB) WITHOUT ROWID");
  BENCH_CHECK(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO t VALUES(?,?)", -1, &put, NULL) ==
              SQLITE_OK);
  double from = bench_cpu();
  for (int i = 0; i < ROWS / 5; i++) {
    uint32_t key[4] = {(uint32_t)i * 2654435761u, (uint32_t)i, 0, 0};
    sqlite3_bind_blob(put, 1, key, sizeof key, SQLITE_STATIC);
    sqlite3_bind_blob(put, 2, blob, sizeof blob, SQLITE_STATIC);
    BENCH_CHECK(sqlite3_step(put) == SQLITE_DONE);
    sqlite3_reset(put);
  }
  bench_add(b, "limit.sqlite_commit", ROWS / 5 / (bench_cpu() - from));
  sqlite3_finalize(put);
  sqlite3_close(db);
}

static void syncs(bench *b) {
  char path[600], page[4096] = {0};
  snprintf(path, sizeof path, "%s/sync", bench_dir("limits"));
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  BENCH_CHECK(fd >= 0);
  double from = bench_wall();
  for (int i = 0; i < 50; i++) {
    BENCH_CHECK(write(fd, page, sizeof page) == (ssize_t)sizeof page);
    BENCH_CHECK(fsync(fd) == 0);
  }
  bench_add(b, "limit.fsync", (bench_wall() - from) / 50 * 1e3);
  close(fd);
}

void bench_limits(bench *b, int runs) {
  bench_figure(b, "limit.memcpy", "GB/s", 0, 1, NULL);
  bench_figure(b, "limit.sha256_128", "1/s", 0, 1, NULL);
  bench_figure(b, "limit.sqlite_commit", "1/s", 0, 1, NULL);
  bench_figure(b, "limit.fsync", "ms", 0, 0, NULL);
  bench_figure(b, "limit.zstd_pack", "MB/s", 0, 1, NULL);
  bench_figure(b, "limit.zstd_unpack", "MB/s", 0, 1, NULL);
  bench_limits_plain(b, runs);
  for (int i = 0; i < runs; i++) {
    memory(b);
    packing(b);
    digests(b);
    upserts(b);
    syncs(b);
  }
}
