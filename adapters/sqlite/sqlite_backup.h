/* sqlite_backup: copies of the project's SQLite files while they are in use. */
#ifndef QM_SQLITE_BACKUP_H
#define QM_SQLITE_BACKUP_H

#include "core/err.h"

/* Copies the database at `from` (a store or a hub.db, also one that another process is
 * writing) to the new file `to`: one consistent state, self-contained, mode 0600, synced
 * and read whole (integrity_check) before it gets its name; until then it is called
 * `to`.part, and one left by a crash is replaced. Blocks no writer of `from`.
 *
 * QM_EEXIST: `to` is there, or the -wal of another file of its name (never overwritten);
 * QM_ENOTFOUND: `from` or the directory of `to` is not; QM_EFORMAT: `from` is not a file of
 * qianmo; QM_ECORRUPT; QM_EFULL; QM_EREADONLY; QM_EBUSY; QM_EIO; QM_EINVAL: too long a
 * path. *e (may be NULL). */
int qm_sqlite_backup(const char *from, const char *to, qm_error *e);

#endif
