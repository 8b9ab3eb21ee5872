/* entries: the shape under log. Grow-only; an entry stands at (order, dot), where
 * order is its time stamp or, where its writer had seen an entry at or beyond that,
 * one tick after it. */
#ifndef QM_ENTRIES_H
#define QM_ENTRIES_H

#include "core/crdt/crdt.h"

typedef struct qm_entry {
  qm_dot dot;
  qm_time order, time;
  uint8_t erased; /* the value went by a purge; the place stays */
  qm_slice value;
} qm_entry;

typedef struct qm_entries {
  qm_entry *p; /* ascending by (order, dot) */
  uint32_t n, cap;
} qm_entries;

static inline const qm_entries *qm_entries_of(const qm_cell *c) {
  return (const qm_entries *)c->content;
}

#endif
