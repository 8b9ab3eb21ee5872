/* sqlite_wal: writes of a WAL file put together. SQLite writes each frame of a commit in two
 * pieces, and each piece is a call into the kernel. Here the frames that a COMMIT appends are
 * held and written together, with the last of them, the one that says that the commit is whole;
 * or when 16 are held. Nobody reads a frame of a WAL file before that one is written: to others
 * the index of the WAL tells of the commit afterwards, and what SQLite itself reads, syncs or
 * truncates is preceded by what is held. What could not be written is told by the write of the
 * last frame at the latest, and the commit fails. Outside a COMMIT nothing is held: what a
 * rollback leaves must never be written, as others may have written there since. */
#ifndef QM_SQLITE_WAL_H
#define QM_SQLITE_WAL_H

#include <sqlite3.h>

/* The name of the VFS, which does the rest as the default one does; registered with SQLite
 * where that was not done. NULL: use the default. From any thread. */
const char *qm__wal_vfs(void);

/* Around the COMMIT of a connection: on 1 frames are held, on 0 what a failed one left is
 * forgotten. Another VFS, another journal mode: no effect. */
void qm__wal_hold(sqlite3 *h, int on);

#endif
