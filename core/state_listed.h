/* state_listed: values of a kind of cell that come again and again (a choice, a tag): a column
 * lists them once and names them by their places (SPEC S9.9). */
#ifndef QM_STATE_LISTED_H
#define QM_STATE_LISTED_H

#include "core/buf.h"
#include "core/mem.h"

/* So many at most: a place is one byte. */
#define QM__LISTED_MAX 128u

typedef struct qm__listed {
  uint32_t n, values;               /* n: different ones, beyond the most: none is listed */
  uint8_t slots[2 * QM__LISTED_MAX]; /* by hash: place + 1, or 0 */
  qm_slice p[QM__LISTED_MAX];
} qm__listed;

/* Counts a value, canonical MessagePack that outlives the list. *l: NULL at first; made in the
 * arena once a value could be listed: texts and bytes of 2 to 239. QM_ENOMEM. */
int qm__listed_note(qm_arena *arena, qm__listed **l, qm_slice v);
/* Are they so few of so many that the list is the shorter form? */
int qm__listed_worth(const qm__listed *l);
/* 1: *place is that of the value. l may be NULL. */
int qm__listed_find(const qm__listed *l, qm_slice v, uint32_t *place);
/* Appends all of them. l may be NULL. */
void qm__listed_put(qm_buf *out, const qm__listed *l);

#endif
