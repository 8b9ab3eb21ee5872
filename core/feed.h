/* feed: what changed in a store, for an app that shows it (SPEC S12.9). One entry a record,
 * kept in the transaction that changed it: which of its fields were touched, when, and
 * whether here or by another author. An entry moves to the end of the feed when its record
 * changes again, so that the feed never outgrows the records.
 *
 * The space record's entry stands for the space as a whole: membership entries, a schema, a
 * state that was replaced may change what is shown of any record. What a stamp shows otherwise
 * are the records that the stamped changes wrote; only where the log does not say which does it
 * stand for the space. */
#ifndef QM_FEED_H
#define QM_FEED_H

#include "cur.h"
#include "op.h"
#include "store.h"

#define QM_FEED_ALL UINT32_MAX /* as a field: any of the record */
/* As a field: what is set aside of the record, or what was decided of that. */
#define QM_FEED_ASIDE (UINT32_MAX - 1)
/* Fields kept apart in one entry; with more the record as a whole has changed. */
#define QM_FEED_FIELDS_MAX 64u

typedef struct qm_feed_field {
  uint32_t field; /* 0: created, deleted, restored, merged; QM_FEED_ALL */
  uint8_t remote; /* by another author than this replica's */
  uint64_t seq;   /* of the feed, when it was touched last */
} qm_feed_field;

/* Opens an entry's content, then one field after the other: *more 0 at the end.
 * QM_ECORRUPT. */
int qm_feed_open(qm_cur *c, qm_slice content);
int qm_feed_next(qm_cur *c, uint64_t entry_seq, qm_feed_field *out, int *more);

#endif
