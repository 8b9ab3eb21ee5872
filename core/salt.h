/* salt: private. The tree of salts under a segment's ops (SPEC S4.9). It has the
 * shape of the Merkle tree over them: a node over n > 1 leaves splits at the
 * greatest power of two below n. Every salt below a node follows from the node's
 * own, and none of those beside or above it does. */
#ifndef QM_SALT_H
#define QM_SALT_H

#include "core/segment.h"

/* Leaves under the left child of a node over `count` leaves; count > 1. */
uint32_t qm__salt_half(uint32_t count);
/* children = left ‖ right. */
void qm__salt_split(const uint8_t parent[QM_SALT_SIZE], uint8_t children[2 * QM_SALT_SIZE]);

/* Walks the ops of a segment in leaf order. */
typedef struct qm__leaves {
  const qm_segment *s;
  uint32_t change, op;
} qm__leaves;

/* NULL after the last. */
const qm_op *qm__leaves_next(qm__leaves *l);

/* Tells, for nodes asked in leaf order, whether an erased leaf lies under them. */
typedef struct qm__erased {
  qm__leaves leaves;
  uint32_t walked; /* leaves looked at */
  uint32_t at;     /* index of the last one looked at */
  uint8_t found;   /* that one is erased */
  uint8_t done;    /* no leaf is left */
} qm__erased;

qm__erased qm__erased_of(const qm_segment *s);
int qm__erased_under(qm__erased *e, uint32_t first, uint32_t count);

/* The covering of a segment: the greatest nodes without an erased leaf, ascending.
 * Sets first and count of at most `cap` nodes (to may be NULL with cap 0) and
 * returns how many there are. */
uint32_t qm__salt_cover(const qm_segment *s, qm_salt *to, uint32_t cap);

#endif
