/* sqlite_backup.c: see sqlite_backup.h. */
#include "adapters/sqlite/sqlite_backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/sqlite/sqlite_db.h"

#define PATH_SIZE 4096

/* What SQLite may have left beside a copy that failed. */
static void remove_all(const char *path) {
  static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
  char whole[PATH_SIZE + 16];
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    snprintf(whole, sizeof whole, "%s%s", path, suffixes[i]);
    unlink(whole);
  }
}

/* Also a WAL without its database counts: SQLite would play it into the new file. */
static int absent(const char *path, qm_error *e) {
  static const char *const suffixes[] = {"", "-wal", "-journal"};
  char whole[PATH_SIZE + 16];
  struct stat st;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    snprintf(whole, sizeof whole, "%s%s", path, suffixes[i]);
    if (lstat(whole, &st) == 0)
      return qm_fail(e, QM_EEXIST, "the file to write exists already (or its %s does)",
                     i ? suffixes[i] : "-wal");
    if (errno != ENOENT)
      return qm_fail(e, qm__db_errno(errno), "cannot write the backup: %s", strerror(errno));
  }
  return QM_OK;
}

/* Opens read-only, as whichever kind of file it is. */
static int open_source(qm__db *db, const qm_env *env, const char *path, unsigned flags,
                       qm_error *e) {
  flags |= QM__DB_OLDER;
  int rc = qm__db_open(db, env, path, &qm__sql_store, flags | QM__DB_READONLY, e);
  if (rc != QM_EFORMAT) return rc;
  rc = qm__db_open(db, env, path, &qm__sql_hub, flags | QM__DB_READONLY, e);
  return rc == QM_EFORMAT ? qm_fail(e, rc, "the file is not a database of qianmo") : rc;
}

/* One step copies all pages in one read transaction: in WAL mode that stops no writer,
 * and the copy is one state. */
static int copy_pages(qm__db *from, sqlite3 *to, qm_error *e) {
  sqlite3_backup *b = sqlite3_backup_init(to, "main", from->h, "main");
  int step = b ? sqlite3_backup_step(b, -1) : sqlite3_errcode(to);
  int end = b ? sqlite3_backup_finish(b) : SQLITE_OK;
  int rc = qm__db_error(from, step == SQLITE_DONE ? end : step);
  if (rc == QM_OK && step != SQLITE_DONE) rc = QM_EIO;
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "cannot copy the database: %s", qm_err_text(rc));
}

static int copy(qm__db *from, const char *part, qm_error *e) {
  sqlite3 *to = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int rc = qm__db_error(from, sqlite3_open_v2(part, &to, flags, NULL));
  if (rc != QM_OK)
    qm_fail(e, rc, "cannot write the backup: %s", qm_err_text(rc));
  else
    rc = copy_pages(from, to, e);
  sqlite3_close_v2(to);
  return rc;
}

static int verify(const qm_env *env, const char *part, qm_error *e) {
  qm__db db;
  QM_TRY(open_source(&db, env, part, QM__DB_CHECK, e));
  qm__db_close(&db);
  return QM_OK;
}

/* Read-only connections leave an empty WAL and its shared memory behind. */
static void remove_beside(const char *path) {
  char whole[PATH_SIZE + 16];
  snprintf(whole, sizeof whole, "%s-wal", path);
  unlink(whole);
  snprintf(whole, sizeof whole, "%s-shm", path);
  unlink(whole);
}

static int finish(const char *part, const char *to, qm_error *e) {
  QM_TRY(qm__db_file_sync(part, e));
  QM_TRY(absent(to, e));
  if (rename(part, to) != 0)
    return qm_fail(e, qm__db_errno(errno), "cannot name the backup: %s", strerror(errno));
  return qm__db_directory_sync(to, e);
}

int qm_sqlite_backup(const char *from, const char *to, qm_error *e) {
  char part[PATH_SIZE];
  int n = snprintf(part, sizeof part, "%s.part", to);
  if (n < 0 || (size_t)n >= sizeof part) return qm_fail(e, QM_EINVAL, "the path is too long");
  QM_TRY(absent(to, e));
  qm_env env = qm_env_default();
  qm__db db;
  QM_TRY(open_source(&db, &env, from, 0, e));
  remove_all(part);
  int rc = qm__db_file_create(part, e);
  if (rc == QM_OK) {
    rc = copy(&db, part, e);
    if (rc == QM_OK) rc = verify(&env, part, e);
    remove_beside(part);
    if (rc == QM_OK) rc = finish(part, to, e);
    if (rc != QM_OK) remove_all(part);
  }
  qm__db_close(&db);
  return rc;
}
