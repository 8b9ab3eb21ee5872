/* undo: taking back a settle that was made here (SPEC S20.6).
 *
 * A settle replaces what it was shown, and nothing brings a sibling back. So each settle of this
 * device notes what it replaced (local notes, 'u' ‖ author ‖ counter of the settle's dot), and
 * an undo writes these values again, as this device's, one change each, in one transaction: the
 * first in place of the settled value, each following one beside those before it, the one that
 * had been shown last. So the conflict is listed again with the values that it had, and for a
 * register the one that was shown is shown. What others wrote beside the settle stays as it is.
 * Where somebody wrote over it, there is nothing to take back. */
#ifndef QM_UNDO_H
#define QM_UNDO_H

#include "core/engine.h"

#define QM_UNDO_MAX 256u   /* settles of a space that can be taken back */
#define QM_UNDO_VALUES 64u /* of one settle; beyond, the latest */

typedef struct qm_settled {
  qm_dot dot; /* of the settle; what it is called */
  qm_id record;
  uint32_t field;
  uint64_t ms;          /* when; corrected clock */
  const qm_slice *values; /* that it replaced, the one that was shown last */
  uint32_t n;
} qm_settled;

typedef int (*qm_visit_settled)(void *payload, const qm_settled *x);
/* In no order; borrowed until the visitor returns, which may read and not write. */
int qm_settled_each(qm_engine *e, qm_space *s, qm_visit_settled visit, void *payload);
/* Takes it back; durable, its own transaction. QM_ENOTFOUND: no such settle; QM_ESTALE: somebody
 * has written over it; QM_EINVISIBLE; QM_EACCESS; QM_ESTATE inside a transaction. */
int qm_settled_undo(qm_engine *e, qm_space *s, qm_dot dot);
/* Drops notes from before a time, and the oldest beyond QM_UNDO_MAX. Its own transaction. */
int qm_settled_prune(qm_engine *e, qm_space *s, uint64_t before_ms);

/* --- for write: inside its transaction --- */

/* What a settle is about to replace is `before` (siblings of the record it goes to), and `shown`
 * was shown; the settle's dot is `dot`. */
int qm__settled_note(qm_space *s, const qm_id *record, uint32_t field, qm_dot dot,
                     const qm_slice *values, uint32_t n);

#endif
