/* presence: the marks of a record, *edited* or *deleted*. A change writes one mark
 * for each record it touches; the mark stands at the first counter of the change's
 * last marking op there, takes no counter of its own, and replaces what that op
 * says. A record is visible while any mark that is not kept is *edited*. */
#ifndef QM_PRESENCE_H
#define QM_PRESENCE_H

#include "core/crdt/crdt.h"

typedef struct qm_mark {
  qm_dot dot;
  uint8_t deleted; /* else edited */
  uint8_t kept;
} qm_mark;

typedef struct qm_marks {
  qm_mark *p; /* ascending by dot */
  uint32_t n, cap;
} qm_marks;

/* Writes the mark of a change by its deciding op there. QM_ENOMEM. */
int qm_marks_apply(qm_marks *m, const qm_apply *a, const qm_op *op);
int qm_marks_join(qm_marks *out, const qm_marks *a, const qm_vv *va, const qm_marks *b,
                  const qm_vv *vb, const qm_authors *authors, qm_arena *arena);
int qm_marks_visible(const qm_marks *m);
/* An edit and a delete that had not seen each other: both kinds are there. */
int qm_marks_collide(const qm_marks *m);

#endif
