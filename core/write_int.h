/* write_int: a change being made, for the files that hold its verbs (private to
 * core/write*.c). Ops take effect as they are written; marks are written at the end, by
 * the last op of each record, from what its reading showed. */
#ifndef QM_WRITE_INT_H
#define QM_WRITE_INT_H

#include "core/space.h"
#include "core/token.h"
#include "core/write.h"

/* What a record's writer was shown; qm_loaded.touched says where it stands. */
typedef struct qm_touched {
  uint8_t has_token;
  uint8_t restored; /* by this change: none of the marks it had seen is kept */
  qm_token token; /* of the last verb that had one */
} qm_touched;

/* What every verb has checked. */
typedef struct qm_target {
  qm_loaded *l;
  const qm_collection_def *collection;
  const qm_field_def *field; /* NULL in a raw write without schema */
  qm_token token;            /* what the writer was shown */
} qm_target;

/* Typing: while the change's last op is an insert or a cut of one text, the next edit of it
 * goes into that op where it can, so that a sentence is one op however it was typed. */
typedef struct qm_typing {
  qm_target t;
  uint32_t field;
  uint32_t ops;    /* the change's number of ops after the last edit; 0: nobody types */
  uint32_t insert; /* place plus 1 of the insert whose text is still growing; 0: none */
  uint8_t *text;   /* of it; in the arena */
  size_t n, cap;
  qm_range *cuts; /* of the last op, where it is a cut */
  uint32_t cap_cuts;
} qm_typing;

struct qm_write {
  qm_engine *e;
  qm_space *s;
  unsigned flags;
  qm_change change;
  uint32_t cap_ops;
  qm_touched *touched;
  uint32_t n_touched, cap_touched;
  qm_typing typing;
  int broken; /* only cancel is left */
  qm_error error;
};

static inline qm_arena *qm__write_arena(qm_write *w) { return &w->e->arena; }
static inline int qm__write_raw(const qm_write *w) { return (w->flags & QM_WRITE_RAW) != 0; }
/* Has this change written the record already (then it is visible to its writer)? */
static inline int qm__write_touched(const qm_loaded *l) { return l->touched != 0; }

/* The record and field that a verb is about, checked: there, visible, writable, of this
 * shape. */
int qm__write_target(qm_write *w, const qm_id *record, uint32_t field, unsigned shape,
                     qm_slice token, qm_target *out);
/* The value is well-formed and fits the field. */
int qm__write_check(qm_write *w, const qm_target *t, qm_slice value);
/* Writes one op; it takes effect. Its value is copied. */
int qm__write_op(qm_write *w, const qm_target *t, qm_op op);
/* Gives the insert that was being typed its value. Before the change's ops are read. */
int qm__write_typed(qm_write *w);
/* Detail of a failed verb for the caller; failures of this replica leave only cancel. */
int qm__write_fail(qm_write *w, int rc, const char *what);

#endif
