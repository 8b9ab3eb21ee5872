/* sqlite_wal.c: see sqlite_wal.h. */
#include "adapters/sqlite/sqlite_wal.h"

#include <stdint.h>
#include <string.h>

/* https://sqlite.org/fileformat2.html#the_write_ahead_log; bytes 4 to 7 of a frame's header are
 * 0 unless it ends a commit. Pages of another size are not held. */
#define WAL_HEADER 32
#define FRAME_HEADER 24
#define PAGE 4096
#define FRAME (FRAME_HEADER + PAGE)
#define ROOM (16 * FRAME)

typedef struct wal_file {
  sqlite3_file base;
  sqlite3_file *real; /* behind this struct */
  uint8_t *held;      /* of ROOM bytes, from the first frame on; NULL: none was made */
  int n;              /* bytes held */
  sqlite3_int64 at;   /* where they go */
  sqlite3_int64 end;  /* behind what was last written or held; -1: not known */
  int commits;        /* the header held last ends a commit */
  int holding;        /* a COMMIT runs */
} wal_file;

static wal_file *wal_of(sqlite3_file *f) { return (wal_file *)(void *)f; }

/* What is held is forgotten where it cannot be written: the commit has failed. */
static int flush(wal_file *f) {
  int n = f->n;
  f->n = 0;
  if (!n) return SQLITE_OK;
  int rc = f->real->pMethods->xWrite(f->real, f->held, n, f->at);
  if (rc != SQLITE_OK) f->end = -1;
  return rc;
}

static void hold(wal_file *f, const void *p, int n, sqlite3_int64 at) {
  if (!f->n) f->at = at;
  memcpy(f->held + f->n, p, (size_t)n);
  f->n += n;
  f->end = at + n;
}

/* A header behind all that was written is followed by its page; one further in front is one that
 * SQLite writes anew. */
static int is_header(const wal_file *f, int n, sqlite3_int64 at) {
  return f->holding && n == FRAME_HEADER && at == f->end && (at - WAL_HEADER) % FRAME == 0;
}

static int is_page(const wal_file *f, int n, sqlite3_int64 at) {
  return n == PAGE && f->n % FRAME == FRAME_HEADER && at == f->end;
}

static int x_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
  wal_file *f = wal_of(file);
  if (is_header(f, n, at) && (f->held || (f->held = sqlite3_malloc(ROOM)) != NULL)) {
    hold(f, p, n, at);
    f->commits = memcmp((const uint8_t *)p + 4, "\0\0\0\0", 4) != 0;
    return SQLITE_OK;
  }
  if (is_page(f, n, at)) {
    hold(f, p, n, at);
    return f->commits || f->n == ROOM ? flush(f) : SQLITE_OK;
  }
  int rc = flush(f);
  if (rc == SQLITE_OK) rc = f->real->pMethods->xWrite(f->real, p, n, at);
  f->end = rc == SQLITE_OK ? at + n : -1;
  return rc;
}

static int x_close(sqlite3_file *file) {
  wal_file *f = wal_of(file);
  int rc = flush(f), closed = f->real->pMethods->xClose(f->real);
  sqlite3_free(f->held);
  f->held = NULL;
  return rc == SQLITE_OK ? closed : rc;
}

static int x_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at) {
  wal_file *f = wal_of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xRead(f->real, to, n, at) : rc;
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size) {
  wal_file *f = wal_of(file);
  int rc = flush(f);
  f->end = -1;
  return rc == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : rc;
}

static int x_sync(sqlite3_file *file, int flags) {
  wal_file *f = wal_of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : rc;
}

static int x_size(sqlite3_file *file, sqlite3_int64 *size) {
  wal_file *f = wal_of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xFileSize(f->real, size) : rc;
}

static int x_lock(sqlite3_file *file, int level) {
  sqlite3_file *real = wal_of(file)->real;
  return real->pMethods->xLock(real, level);
}

static int x_unlock(sqlite3_file *file, int level) {
  sqlite3_file *real = wal_of(file)->real;
  return real->pMethods->xUnlock(real, level);
}

static int x_reserved(sqlite3_file *file, int *out) {
  sqlite3_file *real = wal_of(file)->real;
  return real->pMethods->xCheckReservedLock(real, out);
}

static int x_control(sqlite3_file *file, int what, void *with) {
  sqlite3_file *real = wal_of(file)->real;
  return real->pMethods->xFileControl(real, what, with);
}

static int x_sector(sqlite3_file *file) {
  sqlite3_file *real = wal_of(file)->real;
  return real->pMethods->xSectorSize(real);
}

static int x_characteristics(sqlite3_file *file) {
  sqlite3_file *real = wal_of(file)->real;
  return real->pMethods->xDeviceCharacteristics(real);
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_characteristics,
};

void qm__wal_hold(sqlite3 *h, int on) {
  sqlite3_file *file = NULL;
  int rc = sqlite3_file_control(h, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&file);
  if (rc != SQLITE_OK || !file || file->pMethods != &methods) return;
  wal_file *f = wal_of(file);
  f->holding = on;
  if (on || !f->n) return;
  f->n = 0;
  f->end = -1;
}

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)v;
  if (!(flags & SQLITE_OPEN_WAL)) return real_vfs->xOpen(real_vfs, name, file, flags, out);
  wal_file *f = wal_of(file);
  memset(f, 0, sizeof *f);
  f->end = -1;
  f->real = (sqlite3_file *)(void *)(f + 1);
  int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out);
  if (f->real->pMethods) f->base.pMethods = &methods;
  return rc;
}

const char *qm__wal_vfs(void) {
  const char *name = NULL;
  if (sqlite3_initialize() != SQLITE_OK) return NULL;
  sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP3);
  sqlite3_mutex_enter(mutex);
  sqlite3_vfs *base = sqlite3_vfs_find(NULL);
  if (base && base != real_vfs) { /* also where the app has another default since */
    if (real_vfs) sqlite3_vfs_unregister(&vfs);
    real_vfs = base;
    vfs = *base;
    vfs.pNext = NULL;
    vfs.zName = "qianmo-wal";
    vfs.szOsFile = (int)sizeof(wal_file) + base->szOsFile;
    vfs.xOpen = x_open;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) real_vfs = NULL;
  }
  if (real_vfs) name = vfs.zName;
  sqlite3_mutex_leave(mutex);
  return name;
}
