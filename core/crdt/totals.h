/* totals: the shape under counter. An op carries its delta; the state holds, per
 * author, the counter after its last op here and the sum of its deltas in 128 bits
 * (two's complement: at most 2^64 deltas of 64 bits, so it cannot overflow). */
#ifndef QM_TOTALS_H
#define QM_TOTALS_H

#include "core/crdt/crdt.h"
#include "core/wide.h"

typedef struct qm_total {
  uint32_t author;
  uint64_t next;
  qm_wide sum;
} qm_total;

typedef struct qm_totals {
  qm_total *p; /* ascending by author rank */
  uint32_t n, cap;
} qm_totals;

static inline const qm_totals *qm_totals_of(const qm_cell *c) {
  return (const qm_totals *)c->content;
}
/* The shown sum. QM_ERANGE beyond int64 (shown as out of range). */
int qm_totals_sum(const qm_totals *t, int64_t *out);

#endif
