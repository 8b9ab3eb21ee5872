/* sqlite_db: one connection to one of the project's SQLite files: opening with its
 * settings and schema steps, prepared statements, transactions, and the one place where
 * SQLite's results become QM_E… codes. Shared by store_sqlite and hub_db.
 *
 * Durability. The file is in WAL mode. By default the connection runs with
 * synchronous=FULL: every commit has its fsync before it returns. With QM__DB_RELAXED it
 * runs with synchronous=NORMAL: a commit is atomic, but a power cut may lose the last
 * ones; qm__db_barrier then syncs the WAL file itself, which is the same fsync that FULL
 * makes at each commit. The mode never changes while the connection is open.
 *
 * Checkpoints are ours, made at the beginning of a transaction, because those that SQLite
 * makes by itself swallow the error of a failed fsync.
 *
 * Poison. After an I/O error or damage in a commit, a barrier or a checkpoint nobody can
 * say what is on disk, and asking again may wrongly succeed (the kernel drops dirty pages
 * after a failed fsync). So `poisoned` is set and every later call gives QM_EIO. The same
 * after a rollback that could not read again what it undid: the pager then counts as if
 * another process had committed.
 *
 * Crash. SQLite removes the WAL file on an orderly close of the last connection. One that
 * has content when we open is the mark of a crash (or of another process at work): then
 * quick_check runs once SQLite has recovered, unless the file is opened read-only.
 *
 * Single-threaded. Messages hold no values of rows. */
#ifndef QM_SQLITE_DB_H
#define QM_SQLITE_DB_H

#include <sqlite3.h>

#include "adapters/sqlite/sqlite_sql.h"
#include "core/env.h"
#include "core/mem.h"

enum {
  QM__DB_CREATE = 1,   /* make the file where there is none, or an empty one */
  QM__DB_READONLY = 2, /* no write, no schema step */
  QM__DB_RELAXED = 4,  /* synchronous=NORMAL */
  QM__DB_CHECK = 8,    /* full integrity check at open */
  QM__DB_OLDER = 16    /* with READONLY: also a file of an older version, whose pages are copied */
};

#define QM__DB_BUSY_MS 5000
/* WAL pages after which begin checkpoints; with QM__DB_RELAXED (a hub, which writes all day): a
 * page that many commits wrote goes to the file once, and three syncs serve more of them. */
#define QM__DB_CHECKPOINT_PAGES 1000
#define QM__DB_CHECKPOINT_RELAXED 6000

typedef struct qm__db {
  const qm_env *env;
  sqlite3 *h;
  unsigned flags;
  int poisoned;
  int damaged;   /* a check said so: close leaves the WAL, so that the next open checks again */
  int wal_good;  /* what lies in the WAL is on the disk, as far as syncs were asked for */
  int unsynced;  /* commits since the last fsync (QM__DB_RELAXED) */
  int wal_pages; /* in the WAL after the last commit */
  uint32_t data_version; /* as it was when opened */
  uint32_t pager_version; /* of the pager, after the last commit here; others' move it too */
  uint32_t begun_version; /* of the pager, in the open transaction; 0: none is open */
  sqlite3_stmt *statements[QM__SQL_COUNT];
} qm__db;

/* Opens, checks what the file is, raises its schema. On failure *db is closed and
 * zeroed. QM_ENOTFOUND (no file, no QM__DB_CREATE), QM_EFORMAT (another kind of file),
 * QM_ENEWER, QM_ECORRUPT, QM_EREADONLY, QM_EFULL, QM_EBUSY, QM_EIO. *e (may be NULL). */
int qm__db_open(qm__db *db, const qm_env *env, const char *path, const qm__sql_schema *schema,
                unsigned flags, qm_error *e);
/* Rolls back, checkpoints, closes. A zeroed db is accepted. */
void qm__db_close(qm__db *db);

/* The code for a SQLite result; logs what SQLite says. SQLITE_OK, ROW, DONE: QM_OK. */
int qm__db_error(const qm__db *db, int sqlite_rc);

/* One value bound to a statement. Blobs and texts are borrowed until the statement ends. */
typedef struct qm__arg {
  enum { QM__ARG_INT, QM__ARG_BLOB, QM__ARG_TEXT, QM__ARG_STRING } kind;
  int64_t i;
  const void *p; /* QM__ARG_TEXT: NUL-terminated, NULL binds NULL */
  size_t n;
} qm__arg;

static inline qm__arg qm__int(int64_t v) { return (qm__arg){.kind = QM__ARG_INT, .i = v}; }
/* Kept as its bit pattern: to be compared only for equality when beyond 2^63-1. */
static inline qm__arg qm__u64(uint64_t v) {
  return (qm__arg){.kind = QM__ARG_INT, .i = (int64_t)v};
}
static inline qm__arg qm__blob(const void *p, size_t n) {
  return (qm__arg){.kind = QM__ARG_BLOB, .p = p, .n = n};
}
static inline qm__arg qm__slice(qm_slice s) { return qm__blob(s.p, s.n); }
/* Text of n bytes. */
static inline qm__arg qm__string(qm_slice s) {
  return (qm__arg){.kind = QM__ARG_STRING, .p = s.n ? (const void *)s.p : "", .n = s.n};
}
static inline qm__arg qm__text(const char *s) { return (qm__arg){.kind = QM__ARG_TEXT, .p = s}; }

/* Binds args by position to the statement of `id`. Follow with qm__db_step until it gives
 * no row and then, on every path, with qm__db_end. A statement that is in use further up
 * the stack is prepared once more for this use. */
#define QM__ARGS(...) \
  (const qm__arg[]){__VA_ARGS__}, sizeof((const qm__arg[]){__VA_ARGS__}) / sizeof(qm__arg)
int qm__db_start(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n, sqlite3_stmt **out);
/* *row = 1: a row stands in st; 0: no more. */
int qm__db_step(qm__db *db, sqlite3_stmt *st, int *row);
void qm__db_end(qm__db *db, qm__sql_id id, sqlite3_stmt *st); /* st may be NULL */

/* Start, step to the end, end. */
int qm__db_run(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n);
/* As qm__db_run; QM_ENOTFOUND where no row was changed. */
int qm__db_change(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n);
/* The first column of the only row. QM_ENOTFOUND where there is none. */
int qm__db_get_int(qm__db *db, qm__sql_id id, const qm__arg *args, size_t n, int64_t *out);

/* A column as bytes, borrowed until the next step. */
qm_slice qm__db_blob(sqlite3_stmt *st, int column);
/* Copies a column of exactly n bytes; QM_ECORRUPT where it has another length. */
int qm__db_fixed(sqlite3_stmt *st, int column, void *to, size_t n);
uint32_t qm__db_u32(sqlite3_stmt *st, int column);
uint64_t qm__db_u64(sqlite3_stmt *st, int column);

/* BEGIN IMMEDIATE. QM_EREADONLY; QM_EBUSY. */
int qm__db_begin(qm__db *db);
/* On failure the transaction is rolled back. */
int qm__db_commit(qm__db *db);
void qm__db_rollback(qm__db *db); /* nothing open: no effect */
/* What was committed is on disk when it returns QM_OK. */
int qm__db_barrier(qm__db *db);
/* PRAGMA data_version: moves when another connection has committed. */
int qm__db_version(qm__db *db, uint32_t *out);
/* *same = 1: inside a transaction, nobody has committed since `data_version`. Mostly it asks
 * the pager alone, which counts the commits of all connections, for where its count stood. */
int qm__db_unchanged(qm__db *db, int *same);
/* integrity_check (full) or quick_check. QM_ECORRUPT with SQLite's first finding. */
int qm__db_check(qm__db *db, int full, qm_error *e);
/* No file grows beyond `pages` pages: what would, gives QM_EFULL. */
int qm__db_limit(qm__db *db, uint32_t pages);

/* ---- files ---- */

/* Creates a file of mode 0600 and its directory entry. QM_EEXIST; QM_EREADONLY; QM_EFULL;
 * QM_ENOTFOUND: no such directory; QM_EIO. */
int qm__db_file_create(const char *path, qm_error *e);
/* fsync of a file or directory. */
int qm__db_file_sync(const char *path, qm_error *e);
/* fsync of the directory that holds `path`. */
int qm__db_directory_sync(const char *path, qm_error *e);
/* The code for an errno. */
int qm__db_errno(int error);

#endif
