/* repack: for stores, whether the rows given to log_repack (store.h) hold the segments of those
 * whose place they take. */
#ifndef QM_REPACK_H
#define QM_REPACK_H

#include "core/store.h"

typedef struct qm__repacking {
  const qm_log_row *rows;
  uint32_t n, row, at; /* the segment that is to come next */
} qm__repacking;

/* QM_EINVAL: there is none, one is empty, or their seqs do not rise from `first` on. */
int qm__repack_begin(qm__repacking *x, const qm_log_row *rows, uint32_t n, uint64_t first);
/* 1 where the next of them is this one that is stored. */
int qm__repack_meets(qm__repacking *x, const qm_segment_row *stored);
/* QM_EINVAL: they hold one more. */
int qm__repack_end(qm__repacking *x);

#endif
