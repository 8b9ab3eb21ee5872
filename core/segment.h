/* segment: runs of one author's changes, closed at a push, and what makes them
 * tamper-evident. A closed segment never changes; it is delivered, parked and
 * committed whole.
 *
 *   hash = SHA-256(0x03 ‖ previous ‖ header ‖ root)
 *   root = Merkle tree hash (RFC 6962 §2.1 shape) over the leaves of its ops
 *   leaf = SHA-256(0x00 ‖ salt ‖ op), inner = SHA-256(0x01 ‖ left ‖ right)
 *
 * header and op stand in *row form*: full author ids, record id, field, shape,
 * span, value, lists. Salts (16 bytes each) come from the seed by a binary tree of
 * the same shape: left ‖ right = SHA-256(0x02 ‖ parent). An op erased in place keeps
 * its leaf; the segment then carries, instead of the seed, the salt-tree nodes that
 * cover all other leaves and none of the erased ones. */
#ifndef QM_SEGMENT_H
#define QM_SEGMENT_H

#include "buf.h"
#include "hash.h"
#include "op.h"

#define QM_SALT_SIZE 16
#define QM_HEAD_SIZE 8 /* a head on the wire: the first bytes of a segment's hash */
#define QM_SEGMENT_OPS_MAX 65536u
#define QM_SEGMENT_CHANGES_MAX 16384u
/* A segment is closed before its ops in row form pass this many bytes (one change
 * may be larger than that alone, up to QM_CHANGE_MAX). */
#define QM_SEGMENT_BYTES 262144u
#define QM_CHANGE_MAX 524288u

/* A node of the salt tree: it covers leaves [first, first+count). */
typedef struct qm_salt {
  uint32_t first, count;
  uint8_t b[QM_SALT_SIZE];
} qm_salt;

typedef struct qm_segment {
  uint32_t author;
  uint64_t start, next;
  qm_change *changes;
  uint32_t n_changes, n_ops;
  uint8_t previous[QM_HEAD_SIZE]; /* head of the segment before; zero for the first */
  uint8_t head[QM_HEAD_SIZE];     /* of this one, as claimed */
  const qm_salt *salts;           /* one (the seed, covering all) unless ops were erased;
                                     ascending by first */
  uint32_t n_salts;
  uint8_t algorithm; /* 1: SHA-256 and ECDSA P-256 */
  uint8_t read;      /* its ops come out of qm_batch_read */
  uint8_t has_signature;
  uint8_t signature[64]; /* over the full hash */
} qm_segment;

/* Computes the full hash. `space` and full author ids enter; `previous` is the full
 * 32 bytes. Checks that salts are exactly the greatest nodes without an erased leaf,
 * ascending (QM_EMALFORMED, also for a row of more than 2 MiB). Scratch comes from
 * the arena's env and is freed. QM_ENOMEM, QM_EINVAL (an author not in the table). */
int qm_segment_hash(const qm_segment *s, const qm_id *space, const qm_hash *previous,
                    const qm_authors *authors, qm_arena *arena, qm_hash *out);
/* The same with the caller's buffer, whose memory serves again. */
int qm__segment_hash_in(const qm_segment *s, const qm_id *space, const qm_hash *previous,
                        const qm_authors *authors, qm_buf *row, qm_hash *out);
/* Checks what needs no replica: counters run gap-free through changes and ops, times
 * rise strictly within the segment, deps name other authors once each, every op is
 * well-formed (qm_op_check). QM_EGAP, QM_EMALFORMED… with *e. */
int qm_segment_check(const qm_segment *s, qm_error *e);
/* Erases the op that starts at `counter` in place: its leaf is computed and kept,
 * value and salt go, salts become the covering nodes. The new salts live in the
 * arena; value bytes and old salts stay where they were, out of reach of *s, until
 * their own arena or blob goes. QM_ENOTFOUND where no op starts there, QM_EMALFORMED
 * where no salt covers it, QM_ENOMEM; after an error *s is as it was. Erasing twice
 * has no effect. Call it only for ops of kinds that carry a value: a delete or a cut with
 * QM_OP_ERASED is malformed (S4.3). */
int qm_segment_erase(qm_segment *s, uint64_t counter, const qm_authors *authors, qm_arena *arena);

/* The same for many at once, in one walk: `chosen` has a byte for each op, in leaf order.
 * Of the chosen those that carry a value, kept or erased, are erased; the others stay as
 * they are. After an error *s is as it was. */
int qm_segment_erase_all(qm_segment *s, const uint8_t *chosen, const qm_authors *authors,
                         qm_arena *arena);

/* Row form of one op (SPEC §4). Errors stick in out. */
void qm_op_row(const qm_op *op, const qm_authors *authors, qm_buf *out);

/* A change of the open run, as it rests in the store: its header, ops in row form,
 * and how each op's record is named. */
void qm_change_row(const qm_change *c, const qm_authors *authors, qm_buf *out);
/* Reads it back; everything lives in the arena or borrows `in`. Authors must all be
 * in the table. Errors of cur, QM_EMALFORMED. */
int qm_change_unrow(qm_change *c, qm_slice in, const qm_authors *authors, qm_arena *arena);

#endif
