/* hub_db_impl: what the files of hub_db share. Included by hub_db*.c only. */
#ifndef QM_HUB_DB_IMPL_H
#define QM_HUB_DB_IMPL_H

#include "adapters/sqlite/hub_db.h"
#include "adapters/sqlite/sqlite_db.h"
#include "core/store.h"

struct qm_hubdb {
  const qm_env *env;
  qm__db db;
  int open;   /* between qm_hubdb_begin and commit */
  int failed; /* in which a write failed */
};

/* A write stands between these: they begin and end its own transaction, where the caller
 * has opened none. leave takes what the write returned and gives what the function
 * returns. */
int qm__hub_enter(qm_hubdb *h);
int qm__hub_leave(qm_hubdb *h, int rc);
/* One statement as a whole write. */
int qm__hub_run(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n);
int qm__hub_change(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n);

typedef int (*qm__hub_row)(void *payload, sqlite3_stmt *st);
/* Every row of a query; its only row (QM_ENOTFOUND). */
int qm__hub_each(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n, qm__hub_row row,
                 void *payload);
int qm__hub_one(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n, qm__hub_row row,
                void *payload);

int qm__hub_column_text(sqlite3_stmt *st, int column, char to[QM_HUB_TEXT_MAX + 1]);
int qm__hub_text_fits(const char *text);
/* Appends column 0 to the qm_buf in payload. */
int qm__hub_blob_out(void *payload, sqlite3_stmt *st);

/* Inside a transaction. */
int qm__hub_device_check(const qm_hub_device *row);
int qm__hub_device_write(qm_hubdb *h, const qm_hub_device *row);

#endif
