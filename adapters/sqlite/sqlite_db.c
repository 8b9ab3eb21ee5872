/* sqlite_db.c: see sqlite_db.h. Statements, transactions and errors; opening is in
 * sqlite_open.c. */
#include "adapters/sqlite/sqlite_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/sqlite/sqlite_wal.h"

int qm__db_errno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return QM_ENOTFOUND;
    case EEXIST: return QM_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS: return QM_EREADONLY;
    case ENOSPC:
    case EDQUOT: return QM_EFULL;
    case ENOMEM: return QM_ENOMEM;
    default: return QM_EIO;
  }
}

static int code_of(sqlite3 *h, int rc) {
  switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return QM_OK;
    case SQLITE_NOMEM: return QM_ENOMEM;
    case SQLITE_FULL: return QM_EFULL;
    case SQLITE_READONLY: return QM_EREADONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return QM_EBUSY;
    case SQLITE_CORRUPT: return QM_ECORRUPT;
    case SQLITE_NOTADB: return QM_EFORMAT;
    case SQLITE_TOOBIG: return QM_ELIMIT;
    case SQLITE_CANTOPEN: /* most often the -wal or -shm file that may not be made */
    case SQLITE_PERM:
    case SQLITE_AUTH: {
      int error = h ? sqlite3_system_errno(h) : 0;
      return error == EACCES || error == EPERM || error == EROFS ? QM_EREADONLY
             : error == ENOSPC                                   ? QM_EFULL
                                                                 : QM_EIO;
    }
    case SQLITE_IOERR: return rc == SQLITE_IOERR_NOMEM ? QM_ENOMEM : QM_EIO;
    default: return QM_EINTERNAL;
  }
}

int qm__db_error(const qm__db *db, int sqlite_rc) {
  int rc = code_of(db->h, sqlite_rc);
  if (rc != QM_OK && db->env)
    qm_log(db->env, rc == QM_EBUSY ? QM_LOG_INFO : QM_LOG_ERROR, "sqlite: %s (%d)",
           db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(sqlite_rc), sqlite_rc);
  return rc;
}

static int alive(const qm__db *db) { return db->poisoned ? QM_EIO : QM_OK; }

/* For what must not fail half-way: see "Poison" in the header. */
static int poison(qm__db *db, int rc) {
  if (rc == QM_EIO || rc == QM_ECORRUPT || rc == QM_EINTERNAL) db->poisoned = 1;
  return rc;
}

/* ---- statements ---- */

static int bind(sqlite3_stmt *st, const qm__arg *args, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const qm__arg *a = &args[i];
    int at = (int)i + 1, rc;
    if (a->kind == QM__ARG_INT)
      rc = sqlite3_bind_int64(st, at, a->i);
    else if (a->kind == QM__ARG_TEXT)
      rc = sqlite3_bind_text(st, at, a->p, -1, SQLITE_STATIC);
    else if (a->kind == QM__ARG_STRING)
      rc = sqlite3_bind_text64(st, at, a->p, a->n, SQLITE_STATIC, SQLITE_UTF8);
    else if (a->n == 0) /* a NULL pointer would bind NULL */
      rc = sqlite3_bind_zeroblob(st, at, 0);
    else
      rc = sqlite3_bind_blob64(st, at, a->p, a->n, SQLITE_STATIC);
    if (rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

int qm__db_start(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n, sqlite3_stmt **out) {
  *out = NULL;
  QM_TRY(alive(db));
  sqlite3_stmt *st = db->statements[id];
  if (!st || sqlite3_stmt_busy(st)) {
    unsigned keep = st ? 0 : SQLITE_PREPARE_PERSISTENT;
    int rc = sqlite3_prepare_v3(db->h, qm__sql_text(id), -1, keep, &st, NULL);
    if (rc != SQLITE_OK) return qm__db_error(db, rc);
    if (!db->statements[id]) db->statements[id] = st;
  }
  int rc = bind(st, args, n);
  if (rc != SQLITE_OK) {
    int code = qm__db_error(db, rc);
    qm__db_end(db, id, st);
    return code;
  }
  *out = st;
  return QM_OK;
}

int qm__db_step(qm__db *db, sqlite3_stmt *st, int *row) {
  int rc = sqlite3_step(st);
  *row = rc == SQLITE_ROW;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? QM_OK : qm__db_error(db, rc);
}

void qm__db_end(qm__db *db, qm__sql_id id, sqlite3_stmt *st) {
  if (!st) return;
  if (st != db->statements[id]) {
    sqlite3_finalize(st);
    return;
  }
  sqlite3_reset(st);
  sqlite3_clear_bindings(st);
}

int qm__db_run(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(db, id, args, n, &st));
  int row, rc;
  do rc = qm__db_step(db, st, &row);
  while (rc == QM_OK && row);
  qm__db_end(db, id, st);
  return rc;
}

int qm__db_change(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n) {
  QM_TRY(qm__db_run(db, id, args, n));
  return sqlite3_changes(db->h) ? QM_OK : QM_ENOTFOUND;
}

int qm__db_get_int(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n, int64_t *out) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(db, id, args, n, &st));
  int row;
  int rc = qm__db_step(db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ENOTFOUND;
  if (rc == QM_OK) *out = sqlite3_column_int64(st, 0);
  qm__db_end(db, id, st);
  return rc;
}

qm_slice qm__db_blob(sqlite3_stmt *st, int column) {
  const void *p = sqlite3_column_blob(st, column);
  int n = sqlite3_column_bytes(st, column);
  return qm_slice_of(p, p && n > 0 ? (size_t)n : 0);
}

int qm__db_fixed(sqlite3_stmt *st, int column, void *to, size_t n) {
  qm_slice s = qm__db_blob(st, column);
  if (s.n != n) return QM_ECORRUPT;
  memcpy(to, s.p, n);
  return QM_OK;
}

uint32_t qm__db_u32(sqlite3_stmt *st, int column) {
  return (uint32_t)sqlite3_column_int64(st, column);
}

uint64_t qm__db_u64(sqlite3_stmt *st, int column) {
  return (uint64_t)sqlite3_column_int64(st, column);
}

/* ---- transactions ---- */

/* A reader may hold the WAL back: that is no failure, the next begin tries again. */
static int checkpoint(qm__db *db) {
  int most = db->flags & QM__DB_RELAXED ? QM__DB_CHECKPOINT_RELAXED : QM__DB_CHECKPOINT_PAGES;
  if (db->wal_pages < most) return QM_OK;
  int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) return QM_OK;
  if (rc == SQLITE_OK) db->wal_pages = 0;
  return poison(db, qm__db_error(db, rc));
}

/* 0, which no pager that has begun a transaction stays at, where it does not tell. */
static uint32_t pager_version(const qm__db *db) {
  unsigned v = 0;
  return sqlite3_file_control(db->h, "main", SQLITE_FCNTL_DATA_VERSION, &v) == SQLITE_OK ? v : 0;
}

int qm__db_begin(qm__db *db) {
  QM_TRY(alive(db));
  if (db->flags & QM__DB_READONLY) return QM_EREADONLY;
  if (!sqlite3_get_autocommit(db->h)) return QM_ESTATE;
  int rc = checkpoint(db);
  if (rc != QM_OK && rc != QM_EFULL) return rc; /* full: the commit will say so */
  QM_TRY(qm__db_run(db, QM__SQL_BEGIN, NULL, 0));
  db->begun_version = pager_version(db);
  return QM_OK;
}

int qm__db_commit(qm__db *db) {
  QM_TRY(alive(db));
  if (sqlite3_get_autocommit(db->h)) return QM_ESTATE;
  qm__wal_hold(db->h, 1);
  int rc = poison(db, qm__db_run(db, QM__SQL_COMMIT, NULL, 0));
  qm__wal_hold(db->h, 0);
  if (rc != QM_OK) {
    qm__db_rollback(db);
    return rc;
  }
  db->begun_version = 0;
  /* The count as it is moved by this commit alone: what others do is seen when one begins. */
  if (db->pager_version) db->pager_version = pager_version(db);
  if (db->flags & QM__DB_RELAXED) db->unsynced = 1;
  return QM_OK;
}

/* Inside a transaction nobody else commits, so a count that moved is the pager's own failure
 * (see "Poison" in the header). */
static void poison_moved(qm__db *db) {
  if (db->begun_version && pager_version(db) != db->begun_version) db->poisoned = 1;
  db->begun_version = 0;
}

static void roll_back(qm__db *db) {
  int poisoned = db->poisoned;
  db->poisoned = 0;
  int rc = qm__db_run(db, QM__SQL_ROLLBACK, NULL, 0);
  db->poisoned = poisoned || (rc != QM_OK && !sqlite3_get_autocommit(db->h));
}

/* SQLite has rolled back by itself after some errors; the handle may be poisoned. */
void qm__db_rollback(qm__db *db) {
  if (!db->h) return;
  if (!sqlite3_get_autocommit(db->h)) roll_back(db);
  poison_moved(db);
}

int qm__db_barrier(qm__db *db) {
  QM_TRY(alive(db));
  if (!db->unsynced) return QM_OK;
  sqlite3_file *wal = NULL;
  int rc = sqlite3_file_control(db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&wal);
  if (rc == SQLITE_OK && (!wal || !wal->pMethods)) rc = SQLITE_IOERR_FSYNC;
  if (rc == SQLITE_OK) rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  if (rc == SQLITE_OK) db->unsynced = 0;
  return poison(db, qm__db_error(db, rc));
}

int qm__db_version(qm__db *db, uint32_t *out) {
  int64_t v = 0;
  QM_TRY(qm__db_get_int(db, QM__SQL_DATA_VERSION, NULL, 0, &v));
  *out = (uint32_t)v;
  return QM_OK;
}

int qm__db_unchanged(qm__db *db, int *same) {
  uint32_t now = pager_version(db), version;
  *same = now && now == db->pager_version;
  if (*same) return QM_OK;
  QM_TRY(qm__db_version(db, &version));
  *same = version == db->data_version;
  if (*same) db->pager_version = now;
  return QM_OK;
}

/* A page that could not be read is reported like a damaged one: in a tree with the code
 * beside it, in a chain of overflow pages without. */
static int is_read_error(const char *line) {
  static const char mark[] = "error code=";
  const char *at = line ? strstr(line, mark) : NULL;
  if (line && strstr(line, "failed to get page")) return 1;
  return at && (strtol(at + sizeof mark - 1, NULL, 10) & 0xff) == SQLITE_IOERR;
}

/* What SQLite says in several lines comes to its point in the last. */
static int finding(const char *found, qm_error *e) {
  const char *line = found ? strrchr(found, '\n') : NULL;
  if (found && strcmp(found, "ok") == 0) return QM_OK;
  if (is_read_error(line ? line : found)) return qm_fail(e, QM_EIO, "%s", qm_err_text(QM_EIO));
  return qm_fail(e, QM_ECORRUPT, "the database is damaged (%.120s); keep it and restore a backup",
                 line    ? line + 1
                 : found ? found
                         : "no finding");
}

int qm__db_check(qm__db *db, int full, qm_error *e) {
  qm__sql_id id = full ? QM__SQL_INTEGRITY_CHECK : QM__SQL_QUICK_CHECK;
  sqlite3_stmt *st;
  int row = 0;
  int rc = qm__db_start(db, id, NULL, 0, &st);
  if (rc == QM_OK) rc = qm__db_step(db, st, &row);
  if (rc == QM_OK)
    rc = finding(row ? (const char *)sqlite3_column_text(st, 0) : NULL, e);
  else
    qm_fail(e, rc, "%s", qm_err_text(rc));
  qm__db_end(db, id, st);
  if (rc == QM_ECORRUPT) db->damaged = 1;
  return rc;
}

int qm__db_limit(qm__db *db, uint32_t pages) {
  char text[64];
  sqlite3_snprintf(sizeof text, text, qm__sql_set_page_limit, (unsigned)pages);
  return qm__db_error(db, sqlite3_exec(db->h, text, NULL, NULL, NULL));
}
