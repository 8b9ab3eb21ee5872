/* projector: what follows the records of a replica in the same transaction: tables for
 * reports, an index for searching (adapters/sqlite/project.h). The engine tells a
 * projector what it saves, once a record and transaction, after all ops of it took
 * effect; the projector asks core/read.h what the record shows.
 *
 * A projector never begins, commits or rolls back inside record, space or saved. What
 * these return that is not QM_OK fails the commit. `record` may load further records of the
 * space and touch them in the feed. */
#ifndef QM_PROJECTOR_H
#define QM_PROJECTOR_H

#include "record.h"

typedef struct qm_space qm_space;
typedef struct qm_engine qm_engine;

typedef struct qm_projector {
  void *payload;
  /* A record as it is saved; it may be empty or invisible. Borrowed for the call. */
  int (*record)(void *payload, qm_space *s, const qm_record *r);
  /* Stamps moved: what any record of the space shows may have changed. Called after all of
   * record; the store shows what the transaction wrote. */
  int (*space)(void *payload, qm_space *s);
  /* The last call for a space in a transaction: its digest stands. */
  int (*saved)(void *payload, qm_space *s);
  /* A transaction ended: what was said in it stands (1), or did not happen (0). */
  void (*ended)(void *payload, int committed);
  /* Spaces or schemas changed; outside a transaction. What fails here is tried again by
   * the projector at the next call. */
  void (*spaces)(void *payload);
} qm_projector;

/* Copies *p; NULL removes. Outside a transaction. */
void qm_engine_project(qm_engine *e, const qm_projector *p);

#endif
