/* home_review: the home hub settles what nobody settled within the schema's review time
 * (SPEC S20.5), so that what a cell holds stays bounded. As an author like any other: history
 * keeps all values.
 *
 * Age is counted from when a value was here (core/retain.h: marks), never by a value's own
 * time: what a phone brings after half a year is there to be reviewed as long as anything
 * else. Settled is for what is shown: a field gets the shown value in place of it and of the
 * values that are overdue; a record that one deleted and another edited stays as it is shown,
 * where all that speaks against it is overdue; so does one that was taken out beside a merge.
 * Two records under one key, and what is not overdue, stay on the list. Where nothing is
 * overdue nothing is written: a second run finds nothing. */
#ifndef QM_HOME_REVIEW_H
#define QM_HOME_REVIEW_H

#include "core/engine.h"

#define QM_REVIEW_DAYS 90u /* where the schema says nothing */

typedef struct qm_home_settled {
  uint32_t settled; /* conflicts */
  int more;         /* 1: there are records after `last`, go on from there */
  qm_id last;
} qm_home_settled;

/* Looks at up to `limit` records of the review index after *after (NULL: from the start), and
 * settles what of them is overdue, in one durable change. QM_ESTATE: a transaction is open;
 * QM_EACCESS: the space is not writable; QM_ENOMEM, QM_ECORRUPT, errors of the store: nothing was
 * written. */
int qm_home_review(qm_engine *e, qm_space *s, const qm_id *after, uint32_t limit,
                   qm_home_settled *out);

#endif
