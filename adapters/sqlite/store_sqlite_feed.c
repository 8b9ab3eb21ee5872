/* store_sqlite_feed.c: the feed of the SQLite store, see core/store.h. */
#include "adapters/sqlite/store_sqlite_impl.h"

static qm__arg id_arg(const qm_id *id) { return qm__blob(id->b, sizeof id->b); }

int qm__sqlite_feed_last(qm_store *store, uint64_t *seq) {
  sqlite_store *s = self(store);
  int64_t last = 0;
  QM_TRY(reading(s));
  QM_TRY(qm__db_get_int(&s->db, QM__SQL_FEED_LAST, NULL, 0, &last));
  *seq = (uint64_t)last;
  return QM_OK;
}

static int put_one(sqlite_store *s, const qm_feed_row *row) {
  return qm__db_run(&s->db, QM__SQL_FEED_PUT,
                    QM__ARGS(qm__u64(row->seq), qm__int(row->space), id_arg(&row->record),
                             qm__slice(row->fields)));
}

int qm__sqlite_feed_put(qm_store *store, const qm_feed_row *rows, size_t n) {
  sqlite_store *s = self(store);
  uint64_t last;
  QM_TRY(writing(s));
  QM_TRY(qm__sqlite_feed_last(store, &last));
  for (size_t i = 0; i < n; i++) {
    if (rows[i].seq <= last || rows[i].seq > INT64_MAX) return QM_EINVAL;
    last = rows[i].seq;
  }
  for (size_t i = 0; i < n; i++) QM_TRY(wrote(s, put_one(s, &rows[i])));
  return QM_OK;
}

typedef struct feed_visit {
  qm_visit_feed visit;
  void *payload;
  int stopped;
} feed_visit;

static int feed_row(void *payload, sqlite3_stmt *st) {
  feed_visit *v = payload;
  qm_feed_row row = {.seq = qm__db_u64(st, 0), .space = qm__db_u32(st, 1)};
  QM_TRY(qm__db_fixed(st, 2, row.record.b, sizeof row.record.b));
  row.fields = qm__db_blob(st, 3);
  int rc = v->visit(v->payload, &row);
  v->stopped = rc == QM_STORE_STOP;
  return rc;
}

int qm__sqlite_feed_load(qm_store *store, uint32_t space, const qm_id *ids, size_t n,
                         qm_visit_feed visit, void *payload) {
  sqlite_store *s = self(store);
  feed_visit v = {visit, payload, 0};
  QM_TRY(reading(s));
  for (size_t i = 0; i < n && !v.stopped; i++)
    QM_TRY(qm__store_each(s, QM__SQL_FEED_LOAD, QM__ARGS(qm__int(space), id_arg(&ids[i])),
                          feed_row, &v));
  return QM_OK;
}

int qm__sqlite_feed_after(qm_store *store, uint64_t after, size_t limit, qm_visit_feed visit,
                          void *payload) {
  sqlite_store *s = self(store);
  feed_visit v = {visit, payload, 0};
  QM_TRY(reading(s));
  if (after > INT64_MAX) return QM_OK;
  uint64_t n = limit; /* which may be of 32 bits */
  qm__arg most = qm__int(n > INT64_MAX ? INT64_MAX : (int64_t)n);
  return qm__store_each(s, QM__SQL_FEED_AFTER, QM__ARGS(qm__u64(after), most), feed_row, &v);
}

int qm__sqlite_feed_drop(sqlite_store *s, uint32_t space) {
  qm_feed_row row = {.space = space};
  QM_TRY(qm__sqlite_feed_last(&s->base, &row.seq));
  QM_TRY(qm__db_run(&s->db, QM__SQL_FEED_DROP, QM__ARGS(qm__int(space))));
  row.seq++;
  return put_one(s, &row);
}
