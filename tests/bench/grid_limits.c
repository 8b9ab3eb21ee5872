/* What bounds the grid trace's figures, in the same run: the chains of its uploads, and SQLite
 * alone with the rows that a hub has in the end. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/space.h"
#include "tests/bench/chains.h"
#include "tests/bench/village.h"

static void chains(bench *b, village *w) {
  qm_slice *batches = calloc(w->n_uploads, sizeof *batches);
  BENCH_CHECK(batches);
  for (uint32_t i = 0; i < w->n_uploads; i++) batches[i] = w->uploads[i].batch;
  uint64_t ops;
  double took = bench_chains(&w->env, batches, w->n_uploads, &ops);
  BENCH_CHECK(ops == w->ops);
  bench_add(b, "grid.limit.chains", (double)w->ops / took);
  free(batches);
}

typedef struct table {
  sqlite3 *db;
  sqlite3_stmt *upload, *record;
} table;

static void run(sqlite3 *db, const char *text) {
  if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) bench_fail(sqlite3_errmsg(db), 0);
}

static void step(sqlite3_stmt *s) {
  BENCH_CHECK(sqlite3_step(s) == SQLITE_DONE);
  sqlite3_reset(s);
}

static int add_record(void *payload, const qm_record_row *row) {
  table *t = payload;
  sqlite3_bind_blob(t->record, 1, row->id.b, sizeof row->id.b, SQLITE_STATIC);
  sqlite3_bind_blob(t->record, 2, row->state.p, (int)row->state.n, SQLITE_STATIC);
  step(t->record);
  return QM_OK;
}

static void open_table(table *t, const char *name) {
  char path[600];
  snprintf(path, sizeof path, "%s/plain.db", bench_dir(name));
  BENCH_CHECK(sqlite3_open(path, &t->db) == SQLITE_OK);
  run(t->db, "PRAGMA journal_mode=WAL");
  run(t->db, "PRAGMA synchronous=FULL");
  run(t->db, "CREATE TABLE upload(seq INTEGER PRIMARY KEY, batch BLOB)");
  run(t->db, "CREATE TABLE record(id BLOB PRIMARY KEY, state BLOB) WITHOUT ROWID");
  BENCH_CHECK(sqlite3_prepare_v2(t->db, "INSERT INTO upload(batch) VALUES(?)", -1, &t->upload,
                                 NULL) == SQLITE_OK);
  BENCH_CHECK(sqlite3_prepare_v2(t->db, "INSERT INTO record VALUES(?,?)", -1, &t->record, NULL) ==
              SQLITE_OK);
}

/* The uploads as they are, a transaction each or all in one; then every record's state once. */
static void rows(bench *b, village *w, const char *id, int each) {
  table t;
  open_table(&t, id);
  double from = bench_cpu();
  run(t.db, "BEGIN");
  for (uint32_t i = 0; i < w->n_uploads; i++) {
    qm_slice batch = w->uploads[i].batch;
    sqlite3_bind_blob(t.upload, 1, batch.p, (int)batch.n, SQLITE_STATIC);
    step(t.upload);
    if (each) run(t.db, "COMMIT; BEGIN");
  }
  for (uint32_t i = 0; i < qm_engine_space_count(w->hub.engine); i++) {
    const qm_space *s = qm_engine_space_at(w->hub.engine, i);
    BENCH_OK(w->hub.store->ops->record_scan(w->hub.store, s->number, 0, NULL, SIZE_MAX, add_record,
                                            &t));
  }
  run(t.db, "COMMIT");
  bench_add(b, id, (bench_cpu() - from) / (double)w->ops * 1e6);
  sqlite3_finalize(t.upload);
  sqlite3_finalize(t.record);
  BENCH_CHECK(sqlite3_close(t.db) == SQLITE_OK);
}

void village_limits(bench *b, village *w) {
  chains(b, w);
  rows(b, w, "grid.limit.rows", 1);
  rows(b, w, "grid.limit.rows_bulk", 0);
}
