/* store_sqlite.c: transactions, meta, spaces, authors and the table of functions of the
 * SQLite store. Records are in store_sqlite_record.c, the log in store_sqlite_log.c. */
#include "adapters/sqlite/store_sqlite.h"

#include <string.h>

#include "adapters/sqlite/store_sqlite_impl.h"

_Static_assert(QM_SQLITE_CREATE == (int)QM__DB_CREATE, "flags pass through");
_Static_assert(QM_SQLITE_READONLY == (int)QM__DB_READONLY, "flags pass through");
_Static_assert(QM_SQLITE_RELAXED == (int)QM__DB_RELAXED, "flags pass through");
_Static_assert(QM_SQLITE_CHECK == (int)QM__DB_CHECK, "flags pass through");

int qm__store_each(sqlite_store *s, qm__sql_id id, const qm__arg *args, size_t n, qm__row row,
                   void *payload) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, id, args, n, &st));
  int more = 0;
  int rc = qm__db_step(&s->db, st, &more);
  while (rc == QM_OK && more) {
    rc = row(payload, st);
    if (rc == QM_OK) rc = qm__db_step(&s->db, st, &more);
  }
  qm__db_end(&s->db, id, st);
  return visited(rc);
}

/* ---- transactions ---- */

/* What the caller read when it opened must still stand: see store_sqlite.h. Asked inside
 * the transaction, where no other can commit. */
static int unchanged(sqlite_store *s) {
  int same;
  QM_TRY(qm__db_unchanged(&s->db, &same));
  if (same) return QM_OK;
  qm_log(s->base.env, QM_LOG_WARN, "store: another process has written; open it again");
  return QM_EBUSY;
}

static int sqlite_begin(qm_store *store) {
  sqlite_store *s = self(store);
  if (s->open || s->viewing) return QM_ESTATE;
  QM_TRY(qm__db_begin(&s->db));
  int rc = unchanged(s);
  if (rc != QM_OK)
    qm__db_rollback(&s->db);
  else
    s->open = 1;
  return rc;
}

static void ended(sqlite_store *s, int committed) {
  qm__db_rollback(&s->db);
  if (s->created && !committed) qm__creations_forget(&s->creations);
  s->open = s->failed = s->created = 0;
}

static void sqlite_rollback(qm_store *store) { ended(self(store), 0); }

static int sqlite_commit(qm_store *store, qm_durability durability, qm_store_done done,
                         void *payload) {
  sqlite_store *s = self(store);
  int rc = writing(s);
  if (rc == QM_OK) rc = qm__db_commit(&s->db);
  if (rc == QM_OK && durability == QM_DURABLE) rc = qm__db_barrier(&s->db);
  ended(s, rc == QM_OK);
  if (!done) return rc;
  done(payload, rc);
  return QM_OK;
}

static int sqlite_view_begin(qm_store *store) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  if (s->open || s->viewing) return QM_OK;
  QM_TRY(qm__db_run(&s->db, QM__SQL_VIEW, NULL, 0));
  s->viewing = 1;
  return QM_OK;
}

static void sqlite_view_end(qm_store *store) {
  sqlite_store *s = self(store);
  if (!s->viewing) return;
  s->viewing = 0;
  qm__db_rollback(&s->db);
}

static int sqlite_barrier(qm_store *s) { return qm__db_barrier(&self(s)->db); }

static void sqlite_hook(qm_store *s, qm_project project, void *payload) {
  self(s)->project = project;
  self(s)->project_payload = payload;
}

static void sqlite_close(qm_store *s) {
  if (!s) return;
  qm__creations_forget(&self(s)->creations);
  qm__db_close(&self(s)->db);
  qm_free(s->env, s);
}

/* ---- meta ---- */

static int sqlite_meta_get(qm_store *store, qm_slice key, qm_buf *out) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, QM__SQL_META_GET, QM__ARGS(qm__slice(key)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ENOTFOUND;
  if (rc == QM_OK) {
    qm_slice value = qm__db_blob(st, 0);
    qm_buf_add(out, value.p, value.n);
    rc = qm_buf_status(out);
  }
  qm__db_end(&s->db, QM__SQL_META_GET, st);
  return rc;
}

static int sqlite_meta_put(qm_store *store, qm_slice key, qm_slice value) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  if (value.n == 0)
    return wrote(s, qm__db_run(&s->db, QM__SQL_META_DELETE, QM__ARGS(qm__slice(key))));
  return wrote(s, qm__db_run(&s->db, QM__SQL_META_PUT, QM__ARGS(qm__slice(key), qm__slice(value))));
}

typedef struct meta_visit {
  qm_slice prefix;
  qm_visit_meta visit;
  void *payload;
} meta_visit;

static int meta_row(void *payload, sqlite3_stmt *st) {
  const meta_visit *v = payload;
  qm_slice key = qm__db_blob(st, 0);
  qm_slice head = qm_slice_of(key.p, key.n < v->prefix.n ? key.n : v->prefix.n);
  if (qm_slice_cmp(head, v->prefix) != 0) return QM_STORE_STOP;
  return v->visit(v->payload, key, qm__db_blob(st, 1));
}

static int sqlite_meta_scan(qm_store *store, qm_slice prefix, qm_visit_meta visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  meta_visit v = {prefix, visit, payload};
  return qm__store_each(s, QM__SQL_META_SCAN, QM__ARGS(qm__slice(prefix)), meta_row, &v);
}

/* ---- set aside ---- */

int qm__sqlite_aside_put(qm_store *store, uint32_t space, qm_slice key, qm_slice value) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  if (value.n == 0)
    return wrote(
        s, qm__db_run(&s->db, QM__SQL_ASIDE_DELETE, QM__ARGS(qm__int(space), qm__slice(key))));
  return wrote(s, qm__db_run(&s->db, QM__SQL_ASIDE_PUT,
                             QM__ARGS(qm__int(space), qm__slice(key), qm__slice(value))));
}

int qm__sqlite_aside_scan(qm_store *store, uint32_t space, qm_slice prefix, qm_visit_meta visit,
                          void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  meta_visit v = {prefix, visit, payload};
  return qm__store_each(s, QM__SQL_ASIDE_SCAN, QM__ARGS(qm__int(space), qm__slice(prefix)),
                        meta_row, &v);
}

/* ---- what a replica notes for itself ---- */

int qm__sqlite_local_put(qm_store *store, uint32_t space, qm_slice key, qm_slice value) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  if (value.n == 0)
    return wrote(
        s, qm__db_run(&s->db, QM__SQL_LOCAL_DELETE, QM__ARGS(qm__int(space), qm__slice(key))));
  return wrote(s, qm__db_run(&s->db, QM__SQL_LOCAL_PUT,
                             QM__ARGS(qm__int(space), qm__slice(key), qm__slice(value))));
}

int qm__sqlite_local_scan(qm_store *store, uint32_t space, qm_slice prefix, qm_slice after,
                          qm_visit_meta visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  meta_visit v = {prefix, visit, payload};
  return qm__store_each(s, QM__SQL_LOCAL_SCAN,
                        QM__ARGS(qm__int(space), qm__slice(prefix), qm__slice(after)), meta_row,
                        &v);
}

/* ---- spaces ---- */

typedef struct space_visit {
  qm_visit_space visit;
  void *payload;
} space_visit;

static int space_row(void *payload, sqlite3_stmt *st) {
  const space_visit *v = payload;
  qm_space_row row = {.space = qm__db_u32(st, 0)};
  QM_TRY(qm__db_fixed(st, 1, row.id.b, sizeof row.id.b));
  row.blob = qm__db_blob(st, 2);
  return v->visit(v->payload, &row);
}

static int sqlite_space_list(qm_store *store, qm_visit_space visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  space_visit v = {visit, payload};
  return qm__store_each(s, QM__SQL_SPACE_LIST, NULL, 0, space_row, &v);
}

static int sqlite_space_put(qm_store *store, const qm_space_row *row) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  if (row->space == 0) return QM_EINVAL;
  return wrote(s, qm__db_run(&s->db, QM__SQL_SPACE_PUT,
                             QM__ARGS(qm__int(row->space), qm__blob(row->id.b, sizeof row->id.b),
                                      qm__slice(row->blob))));
}

static int sqlite_space_drop(qm_store *store, uint32_t space) {
  static const qm__sql_id all[] = {
      QM__SQL_SPACE_DELETE, QM__SQL_AUTHOR_DROP,   QM__SQL_RECORD_DROP, QM__SQL_CREATION_DROP,
      QM__SQL_KEY_DROP,     QM__SQL_LOG_LAST_DROP, QM__SQL_SEGMENT_DROP,
      QM__SQL_LOG_OF_DROP,  QM__SQL_STAGE_DROP,    QM__SQL_PART_DROP,   QM__SQL_ASIDE_DROP,
      QM__SQL_LOCAL_DROP};
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  qm__creations_forget(&s->creations);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    QM_TRY(wrote(s, qm__db_run(&s->db, all[i], QM__ARGS(qm__int(space)))));
  QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_LOG_DROP, QM__ARGS(QM__LOG_OF(space)))));
  QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_LOG_PIECE_DROP, QM__ARGS(QM__LOG_OF(space)))));
  QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_LOG_NEW_DROP, QM__ARGS(QM__LOG_OF(space)))));
  QM_TRY(qm__sqlite_open_clear(store, space));
  return wrote(s, qm__sqlite_feed_drop(s, space));
}

/* ---- authors ---- */

typedef struct author_visit {
  qm_visit_author visit;
  void *payload;
} author_visit;

static int author_row(void *payload, sqlite3_stmt *st) {
  const author_visit *v = payload;
  qm_author_row row = {.number = qm__db_u32(st, 0)};
  QM_TRY(qm__db_fixed(st, 1, row.id.b, sizeof row.id.b));
  row.next = qm__db_u64(st, 2);
  row.closed = qm__db_u64(st, 3);
  QM_TRY(qm__db_fixed(st, 4, row.head.b, sizeof row.head.b));
  row.time = qm__db_u64(st, 5);
  row.clock = qm__db_blob(st, 6);
  return v->visit(v->payload, &row);
}

static int sqlite_author_list(qm_store *store, uint32_t space, qm_visit_author visit,
                              void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  author_visit v = {visit, payload};
  return qm__store_each(s, QM__SQL_AUTHOR_LIST, QM__ARGS(qm__int(space)), author_row, &v);
}

static int sqlite_author_put(qm_store *store, uint32_t space, const qm_author_row *row) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  return wrote(s,
               qm__db_run(&s->db, QM__SQL_AUTHOR_PUT,
                          QM__ARGS(qm__int(space), qm__int(row->number),
                                   qm__blob(row->id.b, sizeof row->id.b), qm__u64(row->next),
                                   qm__u64(row->closed), qm__blob(row->head.b, sizeof row->head.b),
                                   qm__u64(row->time), qm__slice(row->clock))));
}

static int sqlite_check(qm_store *s, qm_error *e) { return qm__db_check(&self(s)->db, 1, e); }

static int sqlite_status(const qm_store *s) {
  return ((const sqlite_store *)s)->db.poisoned ? QM_EIO : QM_OK;
}

static const qm_store_ops sqlite_ops = {
    .version = QM_STORE_VERSION,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .view_begin = sqlite_view_begin,
    .view_end = sqlite_view_end,
    .barrier = sqlite_barrier,
    .hook = sqlite_hook,
    .close = sqlite_close,
    .meta_get = sqlite_meta_get,
    .meta_put = sqlite_meta_put,
    .meta_scan = sqlite_meta_scan,
    .space_list = sqlite_space_list,
    .space_put = sqlite_space_put,
    .space_drop = sqlite_space_drop,
    .author_list = sqlite_author_list,
    .author_put = sqlite_author_put,
    .record_load = qm__sqlite_record_load,
    .record_save = qm__sqlite_record_save,
    .record_scan = qm__sqlite_record_scan,
    .record_count = qm__sqlite_record_count,
    .creation_put = qm__sqlite_creation_put,
    .creation_find = qm__sqlite_creation_find,
    .key_put = qm__sqlite_key_put,
    .key_find = qm__sqlite_key_find,
    .log_append = qm__sqlite_log_append,
    .log_after = qm__sqlite_log_after,
    .log_of = qm__sqlite_log_of,
    .log_cut = qm__sqlite_log_cut,
    .log_sizes = qm__sqlite_log_sizes,
    .log_replace = qm__sqlite_log_replace,
    .log_rewrite = qm__sqlite_log_rewrite,
    .log_repack = qm__sqlite_log_repack,
    .open_append = qm__sqlite_open_append,
    .open_list = qm__sqlite_open_list,
    .open_from = qm__sqlite_open_from,
    .open_clear = qm__sqlite_open_clear,
    .aside_put = qm__sqlite_aside_put,
    .aside_scan = qm__sqlite_aside_scan,
    .local_put = qm__sqlite_local_put,
    .local_scan = qm__sqlite_local_scan,
    .feed_put = qm__sqlite_feed_put,
    .feed_load = qm__sqlite_feed_load,
    .feed_after = qm__sqlite_feed_after,
    .feed_last = qm__sqlite_feed_last,
    .stage_begin = qm__sqlite_stage_begin,
    .stage_part = qm__sqlite_stage_part,
    .stage_parts = qm__sqlite_stage_parts,
    .stage_read = qm__sqlite_stage_read,
    .stage_swap = qm__sqlite_stage_swap,
    .stage_drop = qm__sqlite_stage_drop,
    .check = sqlite_check,
    .status = sqlite_status,
};

int qm_store_sqlite_open(const qm_env *env, const char *path, unsigned flags, qm_store **out,
                         qm_error *e) {
  sqlite_store *s = qm_alloc_zero(env, sizeof *s);
  if (!s) return qm_fail(e, QM_ENOMEM, "out of memory");
  s->base.ops = &sqlite_ops;
  s->base.env = env;
  qm__creations_init(&s->creations, env);
  int rc = qm__db_open(&s->db, env, path, &qm__sql_store, flags, e);
  if (rc != QM_OK) {
    qm_free(env, s);
    return rc;
  }
  *out = &s->base;
  return QM_OK;
}

void qm_sqlite_alone(void) { (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

int qm_store_sqlite_limit(qm_store *s, uint32_t pages) { return qm__db_limit(&self(s)->db, pages); }
