/* sqlite_open.c: opening and closing a file, see sqlite_db.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/sqlite/sqlite_db.h"
#include "adapters/sqlite/sqlite_wal.h"

/* ---- files ---- */

int qm__db_file_sync(const char *path, qm_error *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int failed = fd < 0 || fsync(fd) != 0;
  int error = errno;
  if (fd >= 0) close(fd);
  if (!failed) return QM_OK;
  return qm_fail(e, qm__db_errno(error), "cannot sync the file: %s", strerror(error));
}

int qm__db_directory_sync(const char *path, qm_error *e) {
  const char *slash = strrchr(path, '/');
  char directory[4096];
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n >= sizeof directory) return qm_fail(e, QM_EINVAL, "the path is too long");
  if (!slash) return qm__db_file_sync(".", e);
  if (n == 0) return qm__db_file_sync("/", e);
  memcpy(directory, path, n);
  directory[n] = 0;
  return qm__db_file_sync(directory, e);
}

int qm__db_file_create(const char *path, qm_error *e) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return qm_fail(e, qm__db_errno(errno), "cannot create the file: %s", strerror(errno));
  int failed = close(fd) != 0;
  if (failed) return qm_fail(e, QM_EIO, "cannot create the file: %s", strerror(errno));
  int rc = qm__db_directory_sync(path, e);
  if (rc != QM_OK) unlink(path);
  return rc;
}

/* Size of path with `suffix` behind; -1 where there is no such file. */
static int file_size(const char *path, const char *suffix, int64_t *out, qm_error *e) {
  char whole[4096 + 8];
  int n = snprintf(whole, sizeof whole, "%s%s", path, suffix);
  if (n < 0 || n >= 4096) return qm_fail(e, QM_EINVAL, "the path is too long");
  struct stat st;
  *out = -1;
  if (stat(whole, &st) == 0) {
    if (!S_ISREG(st.st_mode)) return qm_fail(e, QM_EFORMAT, "the database is not a plain file");
    *out = (int64_t)st.st_size;
    return QM_OK;
  }
  if (errno == ENOENT) return QM_OK;
  return qm_fail(e, qm__db_errno(errno), "cannot open the database: %s", strerror(errno));
}

/* The first bytes tell a foreign file from a damaged one, which SQLite does not. They are
 * read through SQLite's own descriptor: a descriptor of ours would, when closed, take away
 * the locks of every other handle that this process has on the file (POSIX locks are the
 * process's, not the descriptor's), and another process would then delete a live WAL. */
static int file_head(qm__db *db, const qm__sql_schema *schema, qm_error *e) {
  static const char magic[16] = "SQLite format 3";
  char head[sizeof magic] = {0};
  sqlite3_file *file = NULL;
  int rc = sqlite3_file_control(db->h, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (rc == SQLITE_OK && file && file->pMethods)
    rc = file->pMethods->xRead(file, head, (int)sizeof head, 0);
  if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
    return qm_fail(e, QM_EIO, "cannot read the file (SQLite error %d)", rc);
  if (rc == SQLITE_OK && memcmp(head, magic, sizeof magic) == 0) return QM_OK;
  return qm_fail(e, QM_EFORMAT, "the file is not a %s", schema->name);
}

/* ---- schema ---- */

static int exec(qm__db *db, const char *text) {
  return qm__db_error(db, sqlite3_exec(db->h, text, NULL, NULL, NULL));
}

static int exec_int(qm__db *db, const char *format, int value) {
  char text[64];
  sqlite3_snprintf(sizeof text, text, format, value);
  return exec(db, text);
}

/* Inside the transaction: another process may have been faster. */
static int upgrade_inside(qm__db *db, const qm__sql_schema *schema) {
  int64_t version = 0;
  QM_TRY(qm__db_get_int(db, QM__SQL_USER_VERSION, NULL, 0, &version));
  if (version == 0) QM_TRY(exec_int(db, qm__sql_set_application, schema->application_id));
  for (int64_t i = version; i < schema->n_steps; i++) QM_TRY(exec(db, schema->steps[i]));
  return exec_int(db, qm__sql_set_version, schema->n_steps);
}

static int upgrade(qm__db *db, const qm__sql_schema *schema) {
  QM_TRY(qm__db_run(db, QM__SQL_BEGIN, NULL, 0));
  int rc = upgrade_inside(db, schema);
  if (rc == QM_OK) rc = qm__db_commit(db);
  if (rc != QM_OK) qm__db_rollback(db);
  return rc;
}

/* QM_OK with *version; 0: an empty file, to be made. */
static int identify(qm__db *db, const qm__sql_schema *schema, int64_t *version, qm_error *e) {
  int64_t application = 0, objects = 0;
  int rc = qm__db_get_int(db, QM__SQL_APPLICATION_ID, NULL, 0, &application);
  if (rc == QM_OK) rc = qm__db_get_int(db, QM__SQL_USER_VERSION, NULL, 0, version);
  if (rc == QM_OK) rc = qm__db_get_int(db, QM__SQL_OBJECT_COUNT, NULL, 0, &objects);
  if (rc == QM_EFORMAT) rc = QM_ECORRUPT; /* file_head saw that it is SQLite's */
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  int fresh = application == 0 && *version == 0 && objects == 0;
  if (fresh && (db->flags & QM__DB_CREATE)) return QM_OK;
  if (application != schema->application_id)
    return qm_fail(e, QM_EFORMAT, "the file is not a %s", schema->name);
  if (*version > schema->n_steps)
    return qm_fail(e, QM_ENEWER, "the %s has version %d and this program knows %d; update qianmo",
                   schema->name, (int)*version, schema->n_steps);
  if (*version < 1) return qm_fail(e, QM_ECORRUPT, "the %s has no version", schema->name);
  return QM_OK;
}

static int journal_mode(void *payload, int columns, char **values, char **names) {
  (void)names;
  *(int *)payload = columns == 1 && values[0] && strcmp(values[0], "wal") == 0;
  return 0;
}

/* Where shared memory does not work, SQLite answers with another mode and no error. */
static int enter_wal(qm__db *db) {
  int wal = 0;
  QM_TRY(qm__db_error(db, sqlite3_exec(db->h, qm__sql_wal, journal_mode, &wal, NULL)));
  return wal ? QM_OK : QM_EIO;
}

/* Makes a new file's pages before its first table, then raises old or new. */
static int prepare(qm__db *db, const qm__sql_schema *schema, qm_error *e) {
  int64_t version = 0;
  QM_TRY(identify(db, schema, &version, e));
  if ((db->flags & (QM__DB_READONLY | QM__DB_OLDER)) == QM__DB_READONLY &&
      version < schema->n_steps)
    return qm_fail(e, QM_EREADONLY, "the %s is of an older version; open it for writing once",
                   schema->name);
  if (db->flags & QM__DB_READONLY) return QM_OK;
  int rc = version == 0 ? exec(db, qm__sql_create) : QM_OK;
  if (rc == QM_OK) rc = enter_wal(db);
  if (rc == QM_OK) rc = exec(db, db->flags & QM__DB_RELAXED ? qm__sql_normal : qm__sql_full);
  if (rc == QM_OK && version < schema->n_steps) rc = upgrade(db, schema);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s", qm_err_text(rc));
}

/* ---- after a crash ---- */

static int copy_in_place(sqlite3_file *file, sqlite3_int64 size, uint8_t *piece, int room) {
  int rc = SQLITE_OK;
  for (sqlite3_int64 at = 0; at < size && rc == SQLITE_OK; at += room) {
    int n = size - at < room ? (int)(size - at) : room;
    rc = file->pMethods->xRead(file, piece, n, at);
    if (rc == SQLITE_OK) rc = file->pMethods->xWrite(file, piece, n, at);
  }
  return rc == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

/* Where a sync has failed, the kernel counts the pages as clean: they are read back whole,
 * are on no disk, and no later sync writes them. What is committed behind them in the WAL
 * would go with them at the next power cut. Writing the same bytes once more makes them
 * dirty again. The write lock keeps other processes from appending meanwhile; one that is at
 * work has done this itself. */
static int rewrite_wal(qm__db *db) {
  sqlite3_file *wal = NULL;
  sqlite3_int64 size = 0;
  int rc = qm__db_run(db, QM__SQL_BEGIN, NULL, 0);
  if (rc == QM_EBUSY) return QM_OK;
  QM_TRY(rc);
  uint8_t *piece = qm_alloc(db->env, 65536);
  int code = sqlite3_file_control(db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&wal);
  if (code == SQLITE_OK && wal && wal->pMethods) {
    code = wal->pMethods->xFileSize(wal, &size);
    if (code == SQLITE_OK && piece) code = copy_in_place(wal, size, piece, 65536);
  }
  rc = piece ? qm__db_error(db, code) : QM_ENOMEM;
  qm_free(db->env, piece);
  qm__db_rollback(db);
  return rc;
}

static int recover(qm__db *db, qm_error *e) {
  if (!(db->flags & QM__DB_CHECK)) QM_TRY(qm__db_check(db, 0, e));
  int rc = rewrite_wal(db);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s", qm_err_text(rc));
}

/* ---- open, close ---- */

static int count_wal(void *payload, sqlite3 *h, const char *name, int pages) {
  (void)h;
  (void)name;
  ((qm__db *)payload)->wal_pages = pages;
  return SQLITE_OK;
}

static int connect(qm__db *db, const char *path, qm_error *e) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
              (db->flags & QM__DB_READONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  int rc = qm__db_error(db, sqlite3_open_v2(path, &db->h, flags, qm__wal_vfs()));
  if (rc == QM_OK && !(db->flags & QM__DB_READONLY) && sqlite3_db_readonly(db->h, "main") == 1)
    rc = QM_EREADONLY; /* SQLite falls back to reading where it may not write */
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s", qm_err_text(rc));
}

static int configure(qm__db *db, qm_error *e) {
  sqlite3_busy_timeout(db->h, QM__DB_BUSY_MS);
  sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
  sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
  sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
  sqlite3_wal_hook(db->h, count_wal, db); /* instead of SQLite's own checkpoints */
  int rc = exec(db, qm__sql_connect);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s", qm_err_text(rc));
}

/* *made: the file is new, and ours. */
static int open_steps(qm__db *db, const char *path, const qm__sql_schema *schema, int *made,
                      qm_error *e) {
  int64_t size, wal;
  QM_TRY(file_size(path, "", &size, e));
  QM_TRY(file_size(path, "-wal", &wal, e));
  if (size < 0 && !(db->flags & QM__DB_CREATE))
    return qm_fail(e, QM_ENOTFOUND, "there is no %s at this path", schema->name);
  if (size < 0) {
    int rc = qm__db_file_create(path, e);
    if (rc != QM_OK && rc != QM_EEXIST) return rc; /* another process may have been faster */
    *made = rc == QM_OK;
  }
  if (size == 0 && !(db->flags & QM__DB_CREATE))
    return qm_fail(e, QM_EFORMAT, "the file is empty, it is not a %s", schema->name);
  QM_TRY(connect(db, path, e));
  if (size > 0) QM_TRY(file_head(db, schema, e));
  QM_TRY(configure(db, e));
  QM_TRY(prepare(db, schema, e));
  if (db->flags & QM__DB_CHECK) QM_TRY(qm__db_check(db, 1, e));
  if (wal > 0 && !(db->flags & QM__DB_READONLY)) QM_TRY(recover(db, e));
  db->wal_good = 1;
  int rc = qm__db_version(db, &db->data_version);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s", qm_err_text(rc));
}

static void forget_file(const char *path) {
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    char whole[4096 + 8];
    int n = snprintf(whole, sizeof whole, "%s%s", path, suffixes[i]);
    if (n > 0 && n < (int)sizeof whole) (void)unlink(whole);
  }
}

int qm__db_open(qm__db *db, const qm_env *env, const char *path, const qm__sql_schema *schema,
                unsigned flags, qm_error *e) {
  memset(db, 0, sizeof *db);
  db->env = env;
  db->flags = flags & QM__DB_READONLY ? flags & ~(unsigned)QM__DB_CREATE : flags;
  int made = 0, rc = open_steps(db, path, schema, &made, e);
  if (rc == QM_OK) return rc;
  qm__db_close(db);
  if (made) forget_file(path); /* a full disk must not leave a file that is no database */
  return rc;
}

void qm__db_close(qm__db *db) {
  if (!db->h) {
    memset(db, 0, sizeof *db);
    return;
  }
  qm__db_rollback(db);
  if (!db->poisoned) qm__db_barrier(db);
  /* A WAL that may not be as we wrote it is left to the next open's recovery, which
   * reads its checksums. SQLite would copy part of it into the file, trusting a sync that says
   * yes to what a failed one has dropped; a power cut then leaves a file that nothing mends. */
  if (db->poisoned || db->damaged || !db->wal_good)
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
  for (int i = 0; i < QM__SQL_COUNT; i++) sqlite3_finalize(db->statements[i]);
  sqlite3_close_v2(db->h);
  memset(db, 0, sizeof *db);
}
