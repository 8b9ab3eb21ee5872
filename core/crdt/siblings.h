/* siblings: the shape under register, max, min, state and ref. A write removes the
 * siblings it replaces, flags the others it had seen as kept, and stands beside
 * those it had not seen. */
#ifndef QM_SIBLINGS_H
#define QM_SIBLINGS_H

#include "core/crdt/crdt.h"

/* Siblings of other records of the class that a write named. */
typedef struct qm_named {
  qm_dots hides, keeps; /* not both empty */
} qm_named;

/* A record is mostly these: 64 bytes where pointers have eight. */
typedef struct qm_sibling {
  qm_dot dot;
  qm_time time;
  uint64_t generation;
  qm_slice value;
  const qm_named *named; /* NULL: none, as nearly always */
  /* In the union of a class only, never in a state (core/class.h): */
  uint32_t member; /* of the class: its place */
  uint8_t hidden;  /* named by a write that replaced it: neither shown nor listed */
  uint8_t kept;
} qm_sibling;

typedef struct qm_siblings {
  qm_sibling *p; /* ascending by dot */
  uint32_t n, cap;
} qm_siblings;

static inline qm_dots qm_sibling_hides(const qm_sibling *x) {
  return x->named ? x->named->hides : (qm_dots){NULL, 0};
}
static inline qm_dots qm_sibling_keeps(const qm_sibling *x) {
  return x->named ? x->named->keeps : (qm_dots){NULL, 0};
}
static inline const qm_siblings *qm_siblings_of(const qm_cell *c) {
  return (const qm_siblings *)c->content;
}

#endif
