/* The grid trace in plain SQLite, without a CRDT: each op an upsert of a cell, each form save a
 * transaction. What is lost by it (what was written at the same time) is what a CRDT is for. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/cli/replay.h"
#include "tests/bench/bench.h"

#define TRACE "fixtures/traces/village-grid-seed1.jsonl.gz"

static void run(sqlite3 *db, const char *text) {
  if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) bench_fail(sqlite3_errmsg(db), 0);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text) {
  sqlite3_stmt *s;
  BENCH_CHECK(sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK);
  return s;
}

static void step(sqlite3_stmt *s) {
  BENCH_CHECK(sqlite3_step(s) == SQLITE_DONE);
  sqlite3_reset(s);
}

static uint64_t play(const qm_trace *t, sqlite3 *db) {
  sqlite3_stmt *put = prepare(
      db, "INSERT INTO cell VALUES(?,?,?) ON CONFLICT DO UPDATE SET value=excluded.value");
  sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE"), *commit = prepare(db, "COMMIT");
  uint64_t ops = 0;
  for (uint32_t i = 0; i < t->n_lines;) {
    uint32_t end = qm_trace_change_end(t, i);
    if (t->lines[i].op == QM_LINE_SYNC) {
      i = end;
      continue;
    }
    step(begin);
    for (; i < end; i++, ops++) {
      const qm_line *l = &t->lines[i];
      const qm_trace_record *r = &t->records[l->record];
      int named = l->op != QM_LINE_NEW && l->op != QM_LINE_ERASE;
      sqlite3_bind_blob(put, 1, r->id.b, sizeof r->id.b, SQLITE_STATIC);
      sqlite3_bind_int(put, 2, named ? (int)t->fields[l->field].number : 0);
      sqlite3_bind_blob(put, 3, l->value.p, (int)l->value.n, SQLITE_STATIC);
      step(put);
    }
    step(commit);
  }
  sqlite3_finalize(put);
  sqlite3_finalize(begin);
  sqlite3_finalize(commit);
  return ops;
}

static void check(const qm_trace *t, sqlite3 *db) {
  sqlite3_stmt *s = prepare(db, "SELECT count(DISTINCT record) FROM cell");
  BENCH_CHECK(sqlite3_step(s) == SQLITE_ROW);
  BENCH_CHECK((uint32_t)sqlite3_column_int(s, 0) == t->n_records);
  sqlite3_finalize(s);
}

void bench_limits_plain(bench *b, int runs) {
  static bench_env env;
  qm_error e = {0, ""};
  qm_trace t;
  bench_figure(b, "limit.sqlite_plain", "ops/s", 0, 1, NULL);
  bench_figure(b, "limit.sqlite_plain.file", "MB", 0, 0, NULL);
  bench_env_init(&env, 1);
  BENCH_OK(qm_trace_read(&t, &env.env, TRACE, &e));
  for (int i = 0; i < runs; i++) {
    char path[256];
    struct stat st;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/plain.db", bench_dir("plain"));
    BENCH_CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE cell(record BLOB, field INT, value BLOB, PRIMARY KEY(record, field))"
            " WITHOUT ROWID");
    bench_span from = bench_start();
    uint64_t ops = play(&t, db);
    bench_rate(b, "limit.sqlite_plain", (double)ops, from);
    check(&t, db);
    sqlite3_close(db);
    BENCH_CHECK(stat(path, &st) == 0);
    bench_add(b, "limit.sqlite_plain.file", (double)st.st_size / 1e6);
  }
  qm_trace_free(&t);
}
