/* store_sqlite_impl: what the files of store_sqlite share. Included by store_sqlite*.c,
 * project.c, and tests that break the files under a store. */
#ifndef QM_STORE_SQLITE_IMPL_H
#define QM_STORE_SQLITE_IMPL_H

#include "adapters/sqlite/creation_cache.h"
#include "adapters/sqlite/sqlite_db.h"
#include "core/store.h"

typedef struct sqlite_store {
  qm_store base;
  qm__db db;
  int open;   /* a transaction is open */
  int failed; /* in which a write failed */
  int viewing; /* a read transaction is open */
  qm__creations creations;
  int created; /* the open transaction wrote some of them */
  qm_project project;
  void *project_payload;
} sqlite_store;

static inline sqlite_store *self(qm_store *s) { return (sqlite_store *)s; }

static inline int reading(const sqlite_store *s) { return s->failed ? QM_ESTATE : QM_OK; }

static inline int writing(const sqlite_store *s) {
  return s->db.poisoned ? QM_EIO : !s->open || s->failed ? QM_ESTATE : QM_OK;
}

/* Every write ends here: one that failed half-way leaves only rollback. */
static inline int wrote(sqlite_store *s, int rc) {
  if (rc != QM_OK) s->failed = 1;
  return rc;
}

static inline int visited(int rc) { return rc == QM_STORE_STOP ? QM_OK : rc; }

/* One row of a statement, to a visitor that is in payload. */
typedef int (*qm__row)(void *payload, sqlite3_stmt *st);

/* Runs a query and hands out each row. */
int qm__store_each(sqlite_store *s, qm__sql_id id, const qm__arg *args, size_t n, qm__row row,
                   void *payload);

/* The key of a row of the log: space * 2^31 + seq; beyond the greatest seq: that one. */
#define QM__LOG_SEQ_MAX UINT64_C(0x7fffffff)
static inline qm__arg qm__log_row(uint32_t space, uint64_t seq) {
  if (seq > QM__LOG_SEQ_MAX) seq = QM__LOG_SEQ_MAX;
  return qm__int((int64_t)((uint64_t)space << 31 | seq));
}
/* The least and the greatest key of a space, as two arguments. */
#define QM__LOG_OF(space) qm__log_row((space), 0), qm__log_row((space), UINT64_MAX)

/* ---- which rows of the log are on a record (store_sqlite_index.c) ---- */

/* A row was appended; n 0: it may be on any. */
int qm__log_index_add(sqlite_store *s, uint32_t space, uint64_t seq, const qm_id *records,
                      uint32_t n);
/* The least seq > after of a row that is on the record, or may be; it may be gone.
 * QM_ENOTFOUND. */
int qm__log_index_find(sqlite_store *s, uint32_t space, const qm_id *record, uint64_t after,
                       uint64_t *seq);
/* The row is gone. */
int qm__log_index_forget(sqlite_store *s, uint32_t space, uint64_t seq);
/* Rows are gone: drops what leads to none that is there. */
int qm__log_index_sweep(sqlite_store *s, uint32_t space);
/* These rows, in the order of their seqs, stand for all from `first` to the last of them. */
int qm__log_index_repack(sqlite_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                         uint32_t n);

/* ---- the functions of the other files, see core/store.h ---- */

int qm__sqlite_record_load(qm_store *s, uint32_t space, const qm_id *ids, size_t n,
                           qm_visit_record visit, void *payload);
int qm__sqlite_record_save(qm_store *s, uint32_t space, const qm_record_row *rows, size_t n);
int qm__sqlite_record_scan(qm_store *s, uint32_t space, uint32_t collection, const qm_id *after,
                           size_t limit, qm_visit_record visit, void *payload);
int qm__sqlite_record_count(qm_store *s, uint32_t space, uint32_t collection, uint64_t *out);
int qm__sqlite_creation_put(qm_store *s, uint32_t space, const qm_creation_row *rows, size_t n);
int qm__sqlite_creation_find(qm_store *s, uint32_t space, const qm_dot *dots, size_t n, qm_id *ids,
                             uint8_t *found);
int qm__sqlite_key_put(qm_store *s, uint32_t space, uint32_t index, const qm_id *record,
                       const qm_slice *keys, size_t n);
int qm__sqlite_key_find(qm_store *s, uint32_t space, uint32_t index, qm_slice key,
                        qm_visit_id visit, void *payload);

int qm__sqlite_log_append(qm_store *s, uint32_t space, const qm_log_row *row, uint64_t *seq);
int qm__sqlite_log_after(qm_store *s, uint32_t space, const qm_vv *vv, uint64_t after_seq,
                         qm_visit_log visit, void *payload);
int qm__sqlite_log_of(qm_store *s, uint32_t space, const qm_id *record, uint64_t after_seq,
                      qm_visit_log visit, void *payload);
int qm__sqlite_log_cut(qm_store *s, uint32_t space, const qm_vv *vv, qm_vv *gone);
int qm__sqlite_log_sizes(qm_store *s, uint32_t space, qm_visit_log visit, void *payload);
int qm__sqlite_log_replace(qm_store *s, uint32_t space, uint64_t seq, qm_slice batch);
int qm__sqlite_log_rewrite(qm_store *s, uint32_t space, const qm_log_row *row);
int qm__sqlite_log_repack(qm_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                          uint32_t n);

int qm__sqlite_open_append(qm_store *s, uint32_t space, const qm_open_row *row);
int qm__sqlite_open_list(qm_store *s, uint32_t space, qm_visit_open visit, void *payload);
int qm__sqlite_open_from(qm_store *s, uint32_t space, uint64_t from, qm_visit_open visit,
                         void *payload);
int qm__sqlite_open_clear(qm_store *s, uint32_t space);

int qm__sqlite_local_put(qm_store *s, uint32_t space, qm_slice key, qm_slice value);
int qm__sqlite_local_scan(qm_store *s, uint32_t space, qm_slice prefix, qm_slice after,
                          qm_visit_meta visit, void *payload);
int qm__sqlite_aside_put(qm_store *s, uint32_t space, qm_slice key, qm_slice value);
int qm__sqlite_aside_scan(qm_store *s, uint32_t space, qm_slice prefix, qm_visit_meta visit,
                          void *payload);
int qm__sqlite_feed_put(qm_store *s, const qm_feed_row *rows, size_t n);
int qm__sqlite_feed_load(qm_store *s, uint32_t space, const qm_id *ids, size_t n,
                         qm_visit_feed visit, void *payload);
int qm__sqlite_feed_after(qm_store *s, uint64_t after, size_t limit, qm_visit_feed visit,
                          void *payload);
int qm__sqlite_feed_last(qm_store *s, uint64_t *seq);
/* For space_drop: inside its transaction. */
int qm__sqlite_feed_drop(sqlite_store *s, uint32_t space);

int qm__sqlite_stage_begin(qm_store *s, uint32_t space, qm_slice manifest);
int qm__sqlite_stage_part(qm_store *s, uint32_t space, uint32_t part, qm_slice content);
int qm__sqlite_stage_parts(qm_store *s, uint32_t space, uint32_t *next_part, qm_buf *manifest);
int qm__sqlite_stage_read(qm_store *s, uint32_t space, uint32_t part, qm_buf *content);
int qm__sqlite_stage_swap(qm_store *s, uint32_t space,
                          int (*visit)(void *payload, uint32_t part, qm_slice content),
                          void *payload);
int qm__sqlite_stage_drop(qm_store *s, uint32_t space);

#endif
