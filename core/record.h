/* record: one record's state in memory and as its canonical blob.
 *
 * Lives in an arena: decoded for a transaction, changed by apply, encoded at its
 * end. Canonical: equal content gives equal bytes whatever the local author
 * numbers, because the blob begins with the numbers of the authors it names in
 * bytewise order of their ids and uses places in that list after it. */
#ifndef QM_RECORD_H
#define QM_RECORD_H

#include "crdt/crdt.h"
#include "crdt/presence.h"
#include "hash.h"

#define QM_RECORD_MAX (8u << 20) /* bytes of one encoded record */
/* What one record may take in memory: its smallest parts (a text of which every other element
 * is cut) grow a hundred and sixty times when decoded. */
#define QM_RECORD_ARENA ((size_t)QM_RECORD_MAX * 192)

typedef struct qm_creation {
  qm_dot dot;
  uint32_t collection;
} qm_creation;

typedef struct qm_record {
  qm_id id;
  qm_creation *creations;
  uint32_t n_creations, cap_creations; /* ascending by dot; never leave */
  qm_marks marks;
  qm_cell *cells;
  uint32_t n_cells, cap_cells; /* ascending by (field, shape); none empty once sealed */
} qm_record;

/* The collection: that of the least creation dot; 0 where no `new` is known. */
uint32_t qm_record_collection(const qm_record *r);
int qm_record_visible(const qm_record *r);
/* NULL where the cell is empty. */
const qm_cell *qm_record_cell(const qm_record *r, uint32_t field, unsigned shape);
/* The next cell of the same field and shape, or NULL: the union of a class has one sequence
 * for each of its members (core/class.h). */
const qm_cell *qm_record_cell_next(const qm_record *r, const qm_cell *cell);
/* Effect of one checked op on its cell (or creations); not on the marks. */
int qm_record_apply(qm_record *r, const qm_apply *a, const qm_op *op);
/* The same where nothing is read of the record before qm_record_settle or qm_record_encode, but
 * its creations and marks: texts put off what they can (core/crdt/sequence.h). */
int qm_record_apply_later(qm_record *r, const qm_apply *a, const qm_op *op);
/* QM_ENOMEM: the record has to be loaded anew. */
int qm_record_settle(qm_record *r);
/* Join of two states of one record; either may be NULL (no such record there). */
int qm_record_join(qm_record *out, const qm_record *a, const qm_vv *va, const qm_record *b,
                   const qm_vv *vb, const qm_authors *authors, qm_arena *arena);
/* 1 where nothing is left to store (only a record never written, or all removed). */
int qm_record_empty(const qm_record *r);
/* Fetches memory that reading or encoding the record will look at (core/prefetch.h): in so many
 * steps, from 0 on, for each looks at what the one before has fetched; the first at the record. */
#define QM_RECORD_STEPS 3u
void qm_record_prefetch(const qm_record *r, unsigned step);
/* Appends the blob. QM_ENOMEM; QM_ELIMIT beyond QM_RECORD_MAX. */
int qm_record_encode(qm_record *r, const qm_authors *authors, qm_arena *arena, qm_buf *out);
/* Reads a blob of this replica; borrows it. `id` is the caller's. Every input that
 * encode would not write is an error (QM_ECANON…, QM_ECORRUPT for unknown authors). */
int qm_record_decode(qm_record *r, const qm_id *id, qm_slice blob, const qm_authors *authors,
                     qm_arena *arena);
/* The record's share of the digest: first 16 bytes of SHA-256 over the record id, the
 * full ids of the authors named, and the rest of the blob (SPEC S6.3). */
int qm_record_hash(const qm_id *id, qm_slice blob, const qm_authors *authors, uint8_t out[16]);

#endif
