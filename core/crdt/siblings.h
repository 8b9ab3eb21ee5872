/* siblings: the shape under register, max, min, state and ref. A write removes the
 * siblings it replaces, flags the others it had seen as kept, and stands beside
 * those it had not seen. */
#ifndef QM_SIBLINGS_H
#define QM_SIBLINGS_H

#include "core/crdt/crdt.h"

typedef struct qm_sibling {
  qm_dot dot;
  qm_time time;
  uint64_t generation;
  qm_slice value;
  qm_dots hides, keeps; /* named siblings of other records of the class */
  uint8_t kept;
  /* In the union of a class only, never in a state (core/class.h): */
  uint8_t hidden;  /* named by a write that replaced it: neither shown nor listed */
  uint32_t member; /* of the class: its place */
} qm_sibling;

typedef struct qm_siblings {
  qm_sibling *p; /* ascending by dot */
  uint32_t n, cap;
} qm_siblings;

static inline const qm_siblings *qm_siblings_of(const qm_cell *c) {
  return (const qm_siblings *)c->content;
}

#endif
