/* A SQLite VFS that passes everything on and counts what changes files; at a chosen count
 * it does half of it and kills the process. */
#include "tests/faults/crash.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

typedef struct shim_file {
  sqlite3_file base;
  sqlite3_file *real; /* behind this struct */
} shim_file;

static struct {
  sqlite3_vfs vfs;
  sqlite3_vfs *real;
  sqlite3_io_methods methods;
  crash_count *count;
} shim;

static sqlite3_file *real(sqlite3_file *f) { return ((shim_file *)f)->real; }

/* 1: it is time to die. */
static int now(void) { return shim.count && ++shim.count->writes == shim.count->kill_at; }

static void die(void) {
  (void)kill(getpid(), SIGKILL);
  for (;;) (void)pause();
}

static int x_close(sqlite3_file *f) { return real(f)->pMethods->xClose(real(f)); }
static int x_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
static int x_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
  if (now()) {
    (void)real(f)->pMethods->xWrite(real(f), from, n / 2, at);
    die();
  }
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
static int x_truncate(sqlite3_file *f, sqlite3_int64 n) {
  if (now()) die();
  return real(f)->pMethods->xTruncate(real(f), n);
}
static int x_sync(sqlite3_file *f, int flags) {
  if (now()) die();
  return real(f)->pMethods->xSync(real(f), flags);
}
static int x_size(sqlite3_file *f, sqlite3_int64 *n) {
  return real(f)->pMethods->xFileSize(real(f), n);
}
static int x_lock(sqlite3_file *f, int l) { return real(f)->pMethods->xLock(real(f), l); }
static int x_unlock(sqlite3_file *f, int l) { return real(f)->pMethods->xUnlock(real(f), l); }
static int x_reserved(sqlite3_file *f, int *out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
static int x_control(sqlite3_file *f, int op, void *arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
static int x_sector(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }
static int x_traits(sqlite3_file *f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
static int x_shm_lock(sqlite3_file *f, int at, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}
static void x_shm_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }
static int x_shm_unmap(sqlite3_file *f, int del) {
  return real(f)->pMethods->xShmUnmap(real(f), del);
}

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  shim_file *s = (shim_file *)f;
  (void)v;
  memset(s, 0, sizeof *s);
  s->real = (sqlite3_file *)(void *)(s + 1);
  int rc = shim.real->xOpen(shim.real, name, s->real, flags, out);
  if (s->real->pMethods) s->base.pMethods = &shim.methods;
  return rc;
}

static int x_delete(sqlite3_vfs *v, const char *name, int sync) {
  (void)v;
  if (now()) die();
  return shim.real->xDelete(shim.real, name, sync);
}

void crash_vfs(crash_count *count) {
  shim.count = count;
  if (shim.real) return;
  shim.real = sqlite3_vfs_find(NULL);
  if (!shim.real) broken("SQLite has no VFS");
  /* The functions of files in general work on the real VFS's own data, which is copied. */
  shim.vfs = *shim.real;
  shim.vfs.pNext = NULL;
  shim.vfs.zName = "crash";
  shim.vfs.szOsFile = (int)sizeof(shim_file) + shim.real->szOsFile;
  shim.vfs.xOpen = x_open;
  shim.vfs.xDelete = x_delete;
  shim.methods = (sqlite3_io_methods){.iVersion = 2,
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
                                      .xDeviceCharacteristics = x_traits,
                                      .xShmMap = x_shm_map,
                                      .xShmLock = x_shm_lock,
                                      .xShmBarrier = x_shm_barrier,
                                      .xShmUnmap = x_shm_unmap};
  if (sqlite3_vfs_register(&shim.vfs, 1) != SQLITE_OK) broken("no VFS can be registered");
}
