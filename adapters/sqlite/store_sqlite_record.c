/* store_sqlite_record.c: records, creation dots and lookup keys of the SQLite store. */
#include "adapters/sqlite/store_sqlite_impl.h"

static qm__arg id_arg(const qm_id *id) { return qm__blob(id->b, sizeof id->b); }

typedef struct record_visit {
  qm_visit_record visit;
  void *payload;
} record_visit;

static int record_row(void *payload, sqlite3_stmt *st) {
  const record_visit *v = payload;
  qm_record_row row = {.collection = qm__db_u32(st, 1)};
  QM_TRY(qm__db_fixed(st, 0, row.id.b, sizeof row.id.b));
  QM_TRY(qm__db_fixed(st, 2, row.hash, sizeof row.hash));
  row.state = qm__db_blob(st, 3);
  return v->visit(v->payload, &row);
}

/* qm__store_each would hide that the visitor stopped, and the next id would be visited. */
static int record_load_one(sqlite_store *s, uint32_t space, const qm_id *id, record_visit *v) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, QM__SQL_RECORD_LOAD, QM__ARGS(qm__int(space), id_arg(id)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && row) rc = record_row(v, st);
  qm__db_end(&s->db, QM__SQL_RECORD_LOAD, st);
  return rc;
}

int qm__sqlite_record_load(qm_store *store, uint32_t space, const qm_id *ids, size_t n,
                           qm_visit_record visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  record_visit v = {visit, payload};
  for (size_t i = 0; i < n; i++) {
    int rc = record_load_one(s, space, &ids[i], &v);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

static int record_save_one(sqlite_store *s, uint32_t space, const qm_record_row *row) {
  if (s->project) QM_TRY(s->project(s->project_payload, space, row));
  if (row->state.n == 0)
    return qm__db_run(&s->db, QM__SQL_RECORD_DELETE, QM__ARGS(qm__int(space), id_arg(&row->id)));
  const qm__arg args[] = {qm__int(space), id_arg(&row->id), qm__int(row->collection),
                          qm__blob(row->hash, sizeof row->hash), qm__slice(row->state)};
  int64_t there;
  int rc = qm__db_change(&s->db, QM__SQL_RECORD_SAVE, args, sizeof args / sizeof *args);
  if (rc != QM_ENOTFOUND) return rc;
  rc = qm__db_get_int(&s->db, QM__SQL_RECORD_THERE, args, 2, &there);
  if (rc == QM_OK) return qm__db_run(&s->db, QM__SQL_RECORD_MOVE, args, sizeof args / sizeof *args);
  if (rc != QM_ENOTFOUND) return rc;
  return qm__db_run(&s->db, QM__SQL_RECORD_ADD, args, sizeof args / sizeof *args);
}

int qm__sqlite_record_save(qm_store *store, uint32_t space, const qm_record_row *rows, size_t n) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  for (size_t i = 0; i < n; i++) QM_TRY(wrote(s, record_save_one(s, space, &rows[i])));
  return QM_OK;
}

int qm__sqlite_record_scan(qm_store *store, uint32_t space, uint32_t collection, const qm_id *after,
                           size_t limit, qm_visit_record visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  record_visit v = {visit, payload};
  /* Every id is greater than the empty blob. */
  qm__arg from = after ? id_arg(after) : qm__blob(NULL, 0);
  uint64_t n = limit; /* which may be of 32 bits */
  qm__arg most = qm__int(n > INT64_MAX ? INT64_MAX : (int64_t)n);
  if (!collection)
    return qm__store_each(s, QM__SQL_RECORD_SCAN, QM__ARGS(qm__int(space), from, most), record_row,
                          &v);
  return qm__store_each(s, QM__SQL_RECORD_SCAN_COLLECTION,
                        QM__ARGS(qm__int(space), from, most, qm__int(collection)), record_row, &v);
}

int qm__sqlite_record_count(qm_store *store, uint32_t space, uint32_t collection, uint64_t *out) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  int64_t count = 0;
  if (collection)
    QM_TRY(qm__db_get_int(&s->db, QM__SQL_RECORD_COUNT_COLLECTION,
                          QM__ARGS(qm__int(space), qm__int(collection)), &count));
  else
    QM_TRY(qm__db_get_int(&s->db, QM__SQL_RECORD_COUNT, QM__ARGS(qm__int(space)), &count));
  *out = (uint64_t)count;
  return QM_OK;
}

int qm__sqlite_creation_put(qm_store *store, uint32_t space, const qm_creation_row *rows,
                            size_t n) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  for (size_t i = 0; i < n; i++) {
    QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_CREATION_PUT,
                               QM__ARGS(qm__int(space), qm__int(rows[i].dot.author),
                                        qm__u64(rows[i].dot.counter), id_arg(&rows[i].record)))));
    s->created = 1;
    qm__creations_note(&s->creations, space, rows[i].dot, &rows[i].record);
  }
  return QM_OK;
}

static int creation_find_one(sqlite_store *s, uint32_t space, qm_dot dot, qm_id *id,
                             uint8_t *found) {
  sqlite3_stmt *st;
  *found = (uint8_t)qm__creations_find(&s->creations, space, dot, id);
  if (*found) return QM_OK;
  QM_TRY(qm__db_start(&s->db, QM__SQL_CREATION_FIND,
                      QM__ARGS(qm__int(space), qm__int(dot.author), qm__u64(dot.counter)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && row) rc = qm__db_fixed(st, 0, id->b, sizeof id->b);
  qm__db_end(&s->db, QM__SQL_CREATION_FIND, st);
  *found = rc == QM_OK && row;
  if (*found) qm__creations_note(&s->creations, space, dot, id);
  return rc;
}

int qm__sqlite_creation_find(qm_store *store, uint32_t space, const qm_dot *dots, size_t n,
                             qm_id *ids, uint8_t *found) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  for (size_t i = 0; i < n; i++) QM_TRY(creation_find_one(s, space, dots[i], &ids[i], &found[i]));
  return QM_OK;
}

int qm__sqlite_key_put(qm_store *store, uint32_t space, uint32_t index, const qm_id *record,
                       const qm_slice *keys, size_t n) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_KEY_DELETE,
                             QM__ARGS(qm__int(space), qm__int(index), id_arg(record)))));
  for (size_t i = 0; i < n; i++)
    QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_KEY_PUT,
                               QM__ARGS(qm__int(space), qm__int(index), id_arg(record),
                                        qm__slice(keys[i])))));
  return QM_OK;
}

typedef struct id_visit {
  qm_visit_id visit;
  void *payload;
} id_visit;

static int id_row(void *payload, sqlite3_stmt *st) {
  const id_visit *v = payload;
  qm_id id;
  QM_TRY(qm__db_fixed(st, 0, id.b, sizeof id.b));
  return v->visit(v->payload, &id);
}

int qm__sqlite_key_find(qm_store *store, uint32_t space, uint32_t index, qm_slice key,
                        qm_visit_id visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  id_visit v = {visit, payload};
  return qm__store_each(s, QM__SQL_KEY_FIND,
                        QM__ARGS(qm__int(space), qm__int(index), qm__slice(key)), id_row, &v);
}
