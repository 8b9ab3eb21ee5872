/* keyed: the shape under set and edges. Elements by canonical value; each lives
 * while one of its dots does (add-wins, observed-remove). An add replaces the dots
 * of its own element that it had seen; a remove takes the dots it lists. */
#ifndef QM_KEYED_H
#define QM_KEYED_H

#include "core/crdt/crdt.h"

typedef struct qm_held {
  qm_dot dot;
  qm_time time;
} qm_held;

typedef struct qm_element {
  qm_slice value;
  qm_held *dots; /* ascending, n >= 1 */
  uint32_t n, cap;
} qm_element;

typedef struct qm_keyed {
  qm_element *p; /* ascending bytewise by value */
  uint32_t n, cap;
} qm_keyed;

static inline const qm_keyed *qm_keyed_of(const qm_cell *c) { return (const qm_keyed *)c->content; }
/* NULL where the element is not held. */
const qm_element *qm_keyed_find(const qm_keyed *k, qm_slice value);

#endif
