/* store_sqlite: the store interface (core/store.h) over one SQLite file; the default of
 * devices and hubs. Not thread-safe: one thread at a time for a handle.
 *
 * Durability: by default every commit is on disk when it ends, QM_RELAXED ones too
 * (synchronous=FULL). With QM_SQLITE_RELAXED, QM_RELAXED commits are atomic but reach
 * the disk at the next barrier, QM_DURABLE commit or close; one fsync then covers all.
 * commit calls `done` before it returns.
 *
 * Several processes may have the file open; one writes at a time. As an engine keeps
 * what it read, begin gives QM_EBUSY for good once another handle has committed since
 * this one was opened: close and open again.
 *
 * Files: PATH, PATH-wal, PATH-shm, all of mode 0600. */
#ifndef QM_STORE_SQLITE_H
#define QM_STORE_SQLITE_H

#include "core/store.h"

enum {
  QM_SQLITE_CREATE = 1,   /* makes the file where there is none, or an empty one */
  QM_SQLITE_READONLY = 2, /* begin gives QM_EREADONLY; the file is never changed */
  QM_SQLITE_RELAXED = 4,  /* synchronous=NORMAL, see above */
  QM_SQLITE_CHECK = 8     /* full integrity check; after a crash a quick one runs anyway */
};

/* `env` is borrowed until close; `path` (UTF-8, NUL-terminated) is copied. *out is set
 * only on QM_OK. QM_ENOTFOUND: no file and no QM_SQLITE_CREATE; QM_EFORMAT: not a store of
 * qianmo; QM_ENEWER: written by a newer version; QM_ECORRUPT; QM_EREADONLY: the file or
 * its directory; QM_EBUSY; QM_EFULL; QM_EIO; QM_ENOMEM. *e (may be NULL) says which. */
int qm_store_sqlite_open(const qm_env *env, const char *path, unsigned flags, qm_store **out,
                         qm_error *e);

/* For a program that is SQLite's only user in its process, before its first use: what SQLite
 * takes of memory is not counted, which costs a lock each time. No effect later. */
void qm_sqlite_alone(void);

/* A quota: the file does not grow beyond `pages` pages of 4096 bytes; a commit that
 * would need more gives QM_EFULL. Until close. */
int qm_store_sqlite_limit(qm_store *s, uint32_t pages);

#endif
