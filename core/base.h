/* base: where an author stood at the floor of the log (SPEC S12.6): the hash, time and clock
 * row that its chain goes on from. Without it nothing could be said of a fork once the log
 * has been cut. Internal to the library. */
#ifndef QM_BASE_H
#define QM_BASE_H

#include "core/space.h"

typedef struct qm__base {
  uint64_t at;
  qm_hash head;
  qm_time time;
} qm__base;

/* Of what the log holds from its beginning: all zero. QM_ECUT: it is not known. */
int qm__base_get(qm_space *s, uint32_t author, qm__base *out);
/* The clock row there, without the own entry, into an empty VV. */
int qm__base_clock(qm_space *s, uint32_t author, qm_vv *clock);
/* Inside a transaction. clock NULL: it is not known any more. */
int qm__base_put(qm_space *s, uint32_t author, const qm__base *base, const qm_vv *clock);
/* Before rows that lie below vv are cut, in the same transaction. */
int qm__base_move(qm_space *s, const qm_vv *vv);

#endif
