/* state_groups: the columns of a block, in their order, as groups (SPEC S9.9): each a frame of
 * zstd where that is the smaller. */
#ifndef QM_STATE_GROUPS_H
#define QM_STATE_GROUPS_H

#include "core/cur.h"
#include "core/state_columns.h"

/* Appends the sizes and the groups: QM__COLS columns, then of each sort one for each of n_kinds
 * kinds. level: zstd's. sizes: added to; may be NULL. QM_ELIMIT where the columns together are
 * more than there may be, or beyond the maximum of `out`; QM_ENOMEM. */
int qm__groups_write(qm_buf *out, const qm_buf *columns, uint32_t n_kinds, int level,
                     qm_columns_sizes *sizes);
/* Reads them, to the end of `in`: appends the columns to `raw` (maximum: QM_BLOCK_RAW_MAX) and
 * sets a cursor for each, made in the arena, and how many kinds there are (those of no cell
 * counted). QM_EOVERSIZE beyond the limits of state_columns.h, QM_EFORMAT, QM_ETRUNCATED,
 * QM_ETRAILING, errors of cur and zip, QM_ENOMEM. */
int qm__groups_read(qm_cur *in, qm_buf *raw, qm_arena *arena, qm_cur **columns, uint32_t *n_kinds);

#endif
