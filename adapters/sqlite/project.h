/* project: what people see, as plain SQL tables (one a collection, children for sets, logs
 * and lists, views of open and due and counts) and a search index, in the store's own file
 * and kept in the same transaction as state. SPEC S16.
 *
 * A projection sits on an open store and an open engine on it, and must be closed before
 * either. Same thread rules. It follows what the engine saves (core/projector.h); what was
 * saved without it is noticed by the digest that each space has beside its tables, and made
 * up for, space by space, at opening or before the next save. */
#ifndef QM_SQLITE_PROJECT_H
#define QM_SQLITE_PROJECT_H

#include "core/engine.h"

typedef struct qm_projection qm_projection;

/* `store` comes from qm_store_sqlite_open, not read-only. Makes or catches up what is not
 * as it should be, which may take seconds; where that fails (full disk, another process
 * writes) it is tried again before the next save, and opening succeeds. QM_ENOMEM;
 * QM_EINTERNAL: this SQLite has no FTS5. */
int qm_projection_open(qm_engine *engine, qm_store *store, qm_projection **out);
void qm_projection_close(qm_projection *p); /* NULL is fine */
/* Drops all tables and makes them anew from state; its own transaction. Also ends whatever
 * the search index still holds of what was deleted. */
int qm_projection_rebuild(qm_projection *p);
/* Takes into the search index what was saved since this was last done, in a transaction of its
 * own; searches find the same before and after. Happens by itself where much waits, and at
 * closing. Nothing waits: no effect. QM_EBUSY at once where another process writes, or has
 * written; QM_ESTATE inside a transaction; errors of a commit. */
int qm_projection_index(qm_projection *p);
/* Records that wait for it. */
uint64_t qm_projection_noted(qm_projection *p);
/* Ends in the search index what was deleted: FTS5 keeps deleted words in older parts of the
 * index until they are merged. To be called after a purge, inside its transaction. */
int qm_projection_scrub(qm_projection *p);
/* What the device's clock is corrected by (qm_engine_offset_get), so that views reckon with it.
 * Inside a transaction of the store. */
int qm_projection_clock(qm_projection *p, int64_t offset_ms);
/* 1 where the tables stand for what the store holds. */
int qm_projection_current(qm_projection *p);

#endif
