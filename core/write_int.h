/* write_int: what the files of write share (private to core/write*.c).
 *
 * One change being made. Ops take effect as they are written; marks are written at the
 * end, by the last op of each record, from what its reading showed. A verb names a record
 * and means its class (core/class.h): `target` finds both. */
#ifndef QM_WRITE_INT_H
#define QM_WRITE_INT_H

#include "core/space.h"
#include "core/token.h"
#include "core/write.h"

/* What a record's writer was shown; qm_loaded.touched says where it stands. */
typedef struct qm_touched {
  qm_loaded *l;
  uint8_t has_token;
  uint8_t restored; /* by this change: none of the marks it had seen is kept */
  qm_token token;   /* of the last verb that had one */
} qm_touched;

/* What every verb has checked. */
typedef struct qm_target {
  qm_loaded *l; /* the member that the write goes to */
  qm_record_class cls; /* a raw write: of that record alone */
  const qm_collection_def *collection;
  const qm_field_def *field; /* NULL in a raw write without schema */
  int has_token;
  qm_token token; /* what the writer was shown */
} qm_target;

/* Typing: while the change's last op is an insert or a cut of one text, the next edit of it
 * goes into that op where it can, so that a sentence is one op however it was typed. (Of a
 * record alone, not of merged ones.) */
typedef struct qm_typing {
  qm_target t;
  qm_cell *cell;   /* of the text; while `ops` holds */
  uint32_t field;
  uint32_t ops;    /* the change's number of ops after the last edit; 0: nobody types */
  uint32_t insert; /* place plus 1 of the insert whose text is still growing; 0: none */
  uint8_t *text;   /* of it; in the arena */
  size_t n, cap;
  qm_range *cuts; /* of the last op, where it is a cut */
  uint32_t cap_cuts;
} qm_typing;

/* A state that this change set, to something that needs other things to be there. */
typedef struct qm_step_taken {
  qm_id record;
  const qm_field_def *field;
  const qm_enum_item *item;
} qm_step_taken;

struct qm_write {
  qm_engine *e;
  qm_space *s;
  unsigned flags;
  qm_change change;
  uint32_t cap_ops;
  qm_touched *touched;
  uint32_t n_touched, cap_touched;
  qm_typing typing;
  qm_step_taken *steps;
  uint32_t n_steps, cap_steps;
  int moved;  /* by a split: values that stood there already */
  int broken; /* only cancel is left */
  qm_error error;
};

static inline qm_arena *qm__write_arena(qm_write *w) { return &w->e->arena; }
static inline int qm__write_raw(const qm_write *w) { return (w->flags & QM_WRITE_RAW) != 0; }
/* A dot of the change itself. */
static inline int qm__write_own(const qm_write *w, qm_dot d) {
  return d.author == w->change.author && d.counter >= w->change.counter;
}

/* Detail for the caller; failures of this replica leave only cancel. Every verb returns
 * through it. */
int qm__write_fail(qm_write *w, int rc, const char *what);
/* Checks what every verb checks, and finds the class and what the writer was shown. `field`:
 * the one that is written, 0 for the record as a whole. */
int qm__write_target(qm_write *w, const qm_id *record, uint32_t field, qm_slice token,
                     qm_target *out);
int qm__write_target_field(qm_write *w, const qm_id *record, uint32_t field, unsigned shape,
                           qm_slice token, qm_target *out);
/* Writes one op on the record and lets it take effect. */
int qm__write_emit(qm_write *w, qm_loaded *l, qm_op op);
/* The same on a member of the target's class, by a writer who was shown the class. */
int qm__write_emit_on(qm_write *w, const qm_target *t, const qm_record *member, qm_op op);
/* Says of a record what its writer was shown, for its marks. */
int qm__write_show(qm_write *w, qm_loaded *l, const qm_token *token);
/* Has this change written the record already (then it is visible to its writer)? */
static inline int qm__write_touched(const qm_loaded *l) { return l->touched != 0; }
static inline int qm__write_is_ref(const qm_target *t) {
  return t->field && t->field->value == QM_VALUE_REF;
}
/* Writes one op on the target's own record; it takes effect. Its value is copied. */
int qm__write_op(qm_write *w, const qm_target *t, qm_op op);
/* Gives the insert that was being typed its value. Before the change's ops are read. */
int qm__write_typed(qm_write *w);
int qm__write_copy(qm_write *w, qm_slice *value);
/* The value is well-formed and fits the field. */
int qm__write_check(qm_write *w, const qm_target *t, qm_slice value);
/* Its field's check has nothing against it (S22.2). Not of values that stand there already. */
int qm__write_judge(qm_write *w, const qm_target *t, qm_slice value);
/* --- write_steps.c: S7.10 --- */

/* A state that is set: may its writer? *value becomes a proposal where he may no more. */
int qm__write_step(qm_write *w, const qm_target *t, qm_slice *value);
/* It was written: what the item needs is looked at when the change ends. */
int qm__write_step_taken(qm_write *w, const qm_target *t, qm_slice value);
/* At the end: QM_EINCOMPLETE, with what is missing. */
int qm__write_steps_end(qm_write *w);
/* --- write_relations.c: §25 --- */

/* At the end: QM_ESCHEMA, with field and reason. */
int qm__write_relations_end(qm_write *w);
int qm__write_may(qm_write *w, const qm_collection_def *c);
int qm__write_random_id(qm_write *w, qm_id *out);
/* The `new` of a record whose id is decided. */
int qm__write_emit_new(qm_write *w, uint32_t collection, const qm_id *id);
/* A value of its own kind, copied: text, integer. */
int qm__write_text_value(qm_write *w, qm_slice text, qm_slice *out);
int qm__write_int_value(qm_write *w, int64_t v, qm_slice *out);

#endif
