/* history: who wrote which change having seen which: the causal histories of a small
 * program, as bit sets. Change 0 is the base, which everybody has seen; changes 1 to n
 * are the program. A history is one of a class: programs that differ only in which
 * replica is called what, or in the order of writing of changes that had not seen each
 * other, are the same. */
#ifndef EXHAUSTIVE_HISTORY_H
#define EXHAUSTIVE_HISTORY_H

#include <stddef.h>

enum { REPLICAS = 3, CHANGES_MAX = 6 }; /* the base and up to five */

typedef unsigned mask; /* bit i: change i */

typedef struct history {
  unsigned n; /* changes, the base not counted */
  unsigned char replica[CHANGES_MAX];
  mask seen[CHANGES_MAX]; /* without the change itself; closed: with a change all it had seen */
} history;

/* All histories of n changes (n <= 5), one of each class. The caller frees *out. */
size_t histories(unsigned n, history **out);
/* Everything: the base and all changes. */
mask history_all(const history *h);
/* The change of the same replica before i: 0 (the base) where there is none. */
unsigned history_before(const history *h, unsigned i);

/* All causal orders of delivery: order[0] is the base. */
typedef void (*visit_order)(void *payload, const history *h, const unsigned *order);
unsigned long history_orders(const history *h, visit_order visit, void *payload);

#endif
