/* inbox_int: the hooks of core/inbox.c in the engine's way of loading, changing and saving a
 * record. Included by space.c. */
#ifndef QM_INBOX_INT_H
#define QM_INBOX_INT_H

#include "core/inbox.h"
#include "core/space.h"

/* What this device had written of a record when it was loaded. */
typedef struct qm_own_value {
  qm_dot dot;
  qm_time time;
  uint32_t field;
  qm_slice value; /* as in the loaded blob */
  int contested;  /* another value stood beside it, then or since */
} qm_own_value;

struct qm_own {
  qm_own_value *values;
  uint32_t n;
  qm_dot deleted, edited; /* own marks; author QM_NO_AUTHOR: none */
  int collided;           /* marks of both kinds, then or since */
};
typedef struct qm_own qm_own;

/* A row was read. Leaves l->own NULL where nothing of it is this device's. */
int qm__inbox_loaded(qm_space *s, qm_loaded *l);
/* An op took effect on a record with l->own. */
void qm__inbox_op(qm_loaded *l, const qm_op *op);
/* Its marks were written. */
void qm__inbox_marks(qm_loaded *l);
/* It is saved: notes what was lost. */
int qm__inbox_save(qm_space *s, const qm_loaded *l);
/* A write names values of this device on other records of its class: to be asked for once the
 * records stand. */
void qm__inbox_names(qm_space *s, qm_loaded *l, const qm_op *op);
/* Behind the records of the transaction. */
int qm__inbox_classes(qm_space *s);

#endif
