/* state_groups: the columns of a block, in their order, as groups (SPEC S9.9): each a frame of
 * zstd where that is the smaller. */
#ifndef QM_STATE_GROUPS_H
#define QM_STATE_GROUPS_H

#include "core/state_columns.h"

/* Appends the sizes and the groups: QM__COLS columns, then of each sort one for each of n_kinds
 * kinds. level: zstd's. sizes: added to; may be NULL. QM_ELIMIT where the columns together are
 * more than there may be, or beyond the maximum of `out`; QM_ENOMEM. */
int qm__groups_write(qm_buf *out, const qm_buf *columns, uint32_t n_kinds, int level,
                     qm_columns_sizes *sizes);

#endif
