/* due: by when a record must be done, by the limits of its collection's schema (SPEC S23). What
 * comes out depends on the record and the schema alone: whether it is overdue is for who knows
 * the time. Single-threaded, as the engine. */
#ifndef QM_DUE_H
#define QM_DUE_H

#include "core/read.h"

typedef struct qm_due {
  int64_t start_ms;
  qm_deadline deadline; /* undefined while paused */
  int32_t offset;       /* minutes east of UTC of the limit's calendar; UTC+8 without one */
  uint32_t amount;      /* with what it was extended by */
  uint8_t unit;         /* qm_unit */
  uint8_t paused;
  qm_slice state; /* item shown; empty: none */
} qm_due;

/* The first row whose values are these, one a field of `by` (empty: nothing is shown, or cleared);
 * NULL: none. Values are canonical MessagePack. */
const qm_limit_row *qm_limit_row_of(const qm_limit_def *l, const qm_slice *values);
/* When a limit that starts at start_ms ends: fills offset, amount, unit and deadline of *out.
 * more: units it was extended by. QM_ENOTFOUND: no row fits; errors of qm_calendar_deadline. */
int qm_limit_deadline(const qm_schema *s, const qm_limit_def *l, int64_t start_ms,
                      const qm_slice *values, int64_t more, qm_due *out);
/* Of a record, or of a class as qm_class_resolve gives it. QM_ENOTFOUND: the limit does not run:
 * it is done, has no start yet, or no row fits. */
int qm_due_read(const qm_space *s, const qm_collection_def *c, const qm_limit_def *l,
                const qm_record *r, qm_arena *arena, qm_due *out);

#endif
