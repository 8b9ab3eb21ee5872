/* logged: what a row of the log says. The one place where logged batches are opened, and
 * where the history of a record is read from them. Internal to the library. */
#ifndef QM_LOGGED_H
#define QM_LOGGED_H

#include "core/engine.h"

/* Opens a logged batch, its authors as local numbers; all of it in the arena (the blob may
 * go). resolve: ops that name their record by a creation dot get its id. QM_ENOMEM and the
 * store's own errors; QM_ECORRUPT where it does not read. */
int qm__logged_batch(qm_space *s, qm_slice blob, int resolve, qm_arena *arena, qm_batch *out);
/* The distinct records of the segments' ops, for the row that holds them. The ops are
 * resolved. QM_ENOMEM. */
int qm__logged_records(const qm_batch *batch, qm_arena *arena, qm_log_row *row);

/* One op of a record's past, in the order in which the changes came here. */
typedef struct qm_past {
  const qm_change *change;
  const qm_op *op;
  const qm_record *record; /* as the log makes it, with this op; cells only */
  /* Siblings: what the field showed of what the writer had seen; a counter: its sum; text: the
   * piece that was cut. Empty: nothing, or the log does not say. Canonical MessagePack. */
  qm_slice before;
  int concurrent; /* siblings: something stood there that the writer had not seen */
} qm_past;

typedef int (*qm_visit_past)(void *payload, const qm_past *past);

/* Visits the ops on `record` that the log and the open run hold, oldest arrival first. Reads
 * the rows that are on it and, only where that is not enough to say what a writer had seen,
 * other rows of that writer. *whole: its creation is among them; otherwise older ones were
 * cut, or never were here (the hub may hold them). What the visitor is given lives until it
 * returns. */
int qm_engine_history(qm_engine *e, qm_space *s, const qm_id *record, qm_visit_past visit,
                      void *payload, int *whole);

#endif
