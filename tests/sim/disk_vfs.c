/* disk_vfs: SQLite's VFS over disk.c, and the system calls that the product makes beside
 * SQLite, wrapped by the linker. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/sim/disk_int.h"

typedef struct handle {
  sqlite3_file base;
  sim_disk *disk;
  disk_file *file;
  int delete_on_close;
} handle;

static handle *self(sqlite3_file *f) { return (handle *)f; }

static int vfs_close(sqlite3_file *f) {
  handle *h = self(f);
  if (h->delete_on_close && !h->disk->dead) (void)disk__delete(h->disk, h->file);
  return SQLITE_OK;
}

static int vfs_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
  handle *h = self(f);
  sim_disk *d = h->disk;
  d->counts.reads++;
  if (d->dead) return SQLITE_IOERR_READ;
  if (prng_chance(&d->random, d->faults.read_eio, 10000)) {
    d->counts.read_eio++;
    return SQLITE_IOERR_READ;
  }
  size_t size = h->file->seen.n, want = (size_t)n, from = (size_t)at;
  size_t have = from >= size ? 0 : size - from < want ? size - from : want;
  if (have) memcpy(to, h->file->seen.p + from, have);
  if (have == want) return SQLITE_OK;
  memset((uint8_t *)to + have, 0, want - have);
  return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  return disk__write(self(f)->disk, self(f)->file, p, (size_t)n, (uint64_t)at);
}

static int vfs_truncate(sqlite3_file *f, sqlite3_int64 size) {
  return disk__truncate(self(f)->disk, self(f)->file, (uint64_t)size);
}

static int vfs_sync(sqlite3_file *f, int flags) {
  (void)flags;
  return disk__sync(self(f)->disk, self(f)->file);
}

static int vfs_size(sqlite3_file *f, sqlite3_int64 *out) {
  *out = (sqlite3_int64)self(f)->file->seen.n;
  return self(f)->disk->dead ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* One connection a disk: locks are never contended. */
static int vfs_lock(sqlite3_file *f, int level) {
  (void)f;
  (void)level;
  return SQLITE_OK;
}

static int vfs_reserved(sqlite3_file *f, int *out) {
  (void)f;
  *out = 0;
  return SQLITE_OK;
}

static int vfs_control(sqlite3_file *f, int op, void *arg) {
  (void)f;
  (void)op;
  (void)arg;
  return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *f) {
  (void)f;
  return 4096;
}

static int vfs_features(sqlite3_file *f) {
  (void)f;
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
  handle *h = self(f);
  *out = NULL;
  if (page >= DISK_SHM_MAX) return SQLITE_IOERR_SHMSIZE;
  if (!h->file->shm[page] && extend) {
    h->file->shm[page] = calloc(1, (size_t)size);
    if (!h->file->shm[page]) return SQLITE_NOMEM;
  }
  *out = h->file->shm[page];
  return SQLITE_OK;
}

static int shm_lock(sqlite3_file *f, int offset, int n, int flags) {
  (void)f;
  (void)offset;
  (void)n;
  (void)flags;
  return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *f) { (void)f; }

void disk__shm_free(disk_file *f) {
  for (int i = 0; i < DISK_SHM_MAX; i++) {
    free(f->shm[i]);
    f->shm[i] = NULL;
  }
}

/* The last connection: the next one builds its index anew from the file. */
static int shm_unmap(sqlite3_file *f, int drop) {
  (void)drop;
  disk__shm_free(self(f)->file);
  return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_lock,
    .xCheckReservedLock = vfs_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_features,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out) {
  const char *name = NULL;
  sim_disk *d = disk__of_path(path, &name);
  handle *h = self(f);
  (void)v;
  memset(h, 0, sizeof *h);
  if (!d || d->dead) return SQLITE_CANTOPEN;
  disk_file *file = disk__find(d, name);
  if (!file || !file->exists) {
    if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    file = disk__make(d, name);
  }
  h->disk = d;
  h->file = file;
  h->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  h->base.pMethods = &methods;
  if (out) *out = flags;
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync) {
  const char *name = NULL;
  sim_disk *d = disk__of_path(path, &name);
  (void)v;
  disk_file *f = d ? disk__find(d, name) : NULL;
  if (!f || !f->exists) return SQLITE_IOERR_DELETE_NOENT;
  int rc = disk__delete(d, f);
  if (rc == SQLITE_OK && sync) f->durable_exists = 0;
  return rc;
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out) {
  const char *name = NULL;
  sim_disk *d = disk__of_path(path, &name);
  disk_file *f = d ? disk__find(d, name) : NULL;
  (void)v;
  (void)flags;
  *out = f && f->exists;
  return d && d->dead ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int vfs_full(sqlite3_vfs *v, const char *path, int n, char *out) {
  (void)v;
  sqlite3_snprintf(n, out, "%s", path);
  return SQLITE_OK;
}

static int vfs_random_bytes(sqlite3_vfs *v, int n, char *out) {
  (void)v;
  disk__random((uint8_t *)out, (size_t)n);
  return n;
}

static int vfs_sleep(sqlite3_vfs *v, int us) {
  (void)v;
  return us;
}

static int vfs_time(sqlite3_vfs *v, sqlite3_int64 *out) {
  (void)v;
  *out = 0;
  return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *out) {
  (void)v;
  (void)n;
  (void)out;
  return 0;
}

int disk_install(void) {
  static sqlite3_vfs vfs = {.iVersion = 2,
                            .szOsFile = sizeof(handle),
                            .mxPathname = 64,
                            .zName = "sim",
                            .xOpen = vfs_open,
                            .xDelete = vfs_delete,
                            .xAccess = vfs_access,
                            .xFullPathname = vfs_full,
                            .xRandomness = vfs_random_bytes,
                            .xSleep = vfs_sleep,
                            .xGetLastError = vfs_last_error,
                            .xCurrentTimeInt64 = vfs_time};
  return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK ? 0 : -1;
}

/* --- what the product calls beside SQLite --- */

#define FAKE_FD 1000000

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fsync(int fd);
int __real_unlink(const char *path);
int __real_stat(const char *path, struct stat *st);
int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_fsync(int fd);
int __wrap_unlink(const char *path);
int __wrap_stat(const char *path, struct stat *st);

static int fails(int error) {
  errno = error;
  return -1;
}

int __wrap_open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  int mode = flags & O_CREAT ? va_arg(args, int) : 0;
  va_end(args);
  if (strncmp(path, "/sim/", 5) != 0) return __real_open(path, flags, mode);
  const char *name = NULL;
  sim_disk *d = disk__of_path(path, &name);
  if (!d) return FAKE_FD; /* the directory */
  if (d->dead) return fails(EIO);
  if (!*name) return FAKE_FD;
  disk_file *f = disk__find(d, name);
  if (f && f->exists && (flags & O_EXCL)) return fails(EEXIST);
  if ((!f || !f->exists) && !(flags & O_CREAT)) return fails(ENOENT);
  (void)disk__make(d, name);
  return FAKE_FD;
}

int __wrap_close(int fd) { return fd == FAKE_FD ? 0 : __real_close(fd); }
int __wrap_fsync(int fd) { return fd == FAKE_FD ? 0 : __real_fsync(fd); }

int __wrap_unlink(const char *path) {
  if (strncmp(path, "/sim/", 5) != 0) return __real_unlink(path);
  return vfs_delete(NULL, path, 1) == SQLITE_OK ? 0 : fails(EIO);
}

int __wrap_stat(const char *path, struct stat *st) {
  if (strncmp(path, "/sim/", 5) != 0) return __real_stat(path, st);
  const char *name = NULL;
  sim_disk *d = disk__of_path(path, &name);
  if (!d || d->dead) return fails(EIO);
  disk_file *f = disk__find(d, name);
  if (!f || !f->exists) return fails(ENOENT);
  memset(st, 0, sizeof *st);
  st->st_mode = S_IFREG | 0600;
  st->st_size = (off_t)f->seen.n;
  return 0;
}
