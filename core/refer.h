/* refer: a matter that goes up to another space, and the answer that comes back (SPEC S25.9 to
 * S25.11). Two records in two spaces, each with the other's place; what crosses is what the
 * schema marks. By a device that holds both spaces; offline as well. */
#ifndef QM_REFER_H
#define QM_REFER_H

#include "class.h"

/* Makes the record in the upper space, with the fields that the lower schema marks `refer`, and
 * notes it in the lower one: two changes, durable, the upper one first. *out: its id, the same
 * whoever refers the record there. *existing: it was there already, and stays as it is; the lower
 * record is noted if it was not. Outside a transaction. QM_EINVAL: one and the same space;
 * QM_ESCHEMA: the collection is not referred, or the upper space's schema has no such collection
 * or field; QM_EACCESS; QM_ENOTFOUND; QM_EINVISIBLE. */
int qm_refer_record(qm_engine *e, qm_space *lower, const qm_id *record, qm_space *upper,
                    qm_id *out, int *existing, qm_error *err);
/* Copies to the records of `lower` (record: to that one; NULL: to all of the collection) what the
 * logs for answers of the records that they were referred to hold and theirs lack. *n: entries.
 * A change a record, durable. Outside a transaction. */
int qm_refer_answers(qm_engine *e, qm_space *lower, const qm_collection_def *c,
                     const qm_id *record, uint32_t *n, qm_error *err);
/* Where the record came from: QM_ENOTFOUND: it was not referred. As it is stored. */
int qm_refer_origin(qm_engine *e, qm_space *upper, const qm_id *record, qm_arena *arena,
                    qm_id *space, qm_id *lower);

#endif
