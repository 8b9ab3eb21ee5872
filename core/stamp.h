/* stamp: the times that the home hub has lowered (SPEC S3.9, S3.13), as an index over the
 * stamp elements of the space record. Internal to the engine's files but for
 * qm_space_effective.
 *
 * Invariant between transactions: the index is that of the space record as stored. */
#ifndef QM_STAMP_H
#define QM_STAMP_H

#include "core/engine.h"

/* Dots (author, first) … (author, next - 1) count as no later than `time`. */
typedef struct qm_stamp {
  uint32_t author;
  uint64_t first, next;
  qm_time time;
} qm_stamp;

typedef struct qm_stamps {
  qm_stamp *p; /* by author, then first; ranges do not overlap */
  uint32_t n;
  int unknown; /* an element names an author that is not known here yet */
} qm_stamps;

/* Reads one element. 0: it is no stamp, or of an author not in the table (*unknown = 1). */
int qm__stamp_read(const qm_authors *authors, qm_slice element, qm_stamp *out, int *unknown);
void qm__stamp_write(const qm_authors *authors, const qm_stamp *stamp, qm_buf *out);
/* Builds the index of a space record; the old one is freed. Where ranges overlap the least
 * time counts. QM_ENOMEM. */
int qm__stamps_build(qm_stamps *to, const qm_env *env, const qm_authors *authors,
                     const qm_record *space_record);
void qm__stamps_free(qm_stamps *stamps, const qm_env *env);
/* Effective time of a dot whose own time is `own`: O(log n). */
qm_time qm__stamps_effective(const qm_stamps *stamps, qm_dot dot, qm_time own);

#endif
