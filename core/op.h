/* op: ops and changes as they stand in memory, decoded, with local author numbers.
 * Everything they point to lives in the arena (or blob) they were decoded into. */
#ifndef QM_OP_H
#define QM_OP_H

#include "timestamp.h"
#include "vv.h"

/* Shapes are closed per protocol version (SPEC S3.1). Numbers are fixed. */
typedef enum qm_shape_id {
  QM_PRESENCE = 0, /* marks; its ops stand on field 0 */
  QM_SIBLINGS = 1, /* register, max, min, state, ref */
  QM_KEYED = 2,    /* set, edges */
  QM_TOTALS = 3,   /* counter */
  QM_ENTRIES = 4,  /* log */
  QM_SEQUENCE = 5, /* text, list */
  QM_SHAPES = 6
} qm_shape_id;

typedef enum qm_kind {
  QM_KIND_NEW = 0,
  QM_KIND_DELETE = 1,
  QM_KIND_RESTORE = 2, /* presence */
  QM_KIND_WRITE = 0,   /* siblings: what is covered and not replaced is kept */
  QM_KIND_BESIDE = 1,  /* siblings: what is covered and not replaced stays as it is */
  QM_KIND_ADD = 0,
  QM_KIND_REMOVE = 1, /* keyed */
  QM_KIND_INC = 0,    /* totals */
  QM_KIND_APPEND = 0, /* entries */
  QM_KIND_INSERT = 0,
  QM_KIND_CUT = 1,
  QM_KIND_TRIM = 2 /* sequence */
} qm_kind;

enum {
  QM_OP_LISTED = 1, /* `dots` says what is replaced; else: everything covered */
  QM_OP_MARKS = 2,  /* `marks` says which presence marks are replaced; else: all covered */
  QM_OP_NAMES = 4,  /* `hides` and `keeps` name siblings of other records of the class */
  QM_OP_ERASED = 8, /* value and salt are gone, `leaf` stands for them */
  QM_OP_ORDER = 16, /* entries: `order` is given, else it is the change's time */
  QM_OP_LEFT = 32,  /* insert: left child of `parent`, else right child */
  QM_OP_ROOT = 64,  /* insert: the parent is the root */
  QM_OP_FLAGS = 127
};

enum { QM_BY_ID = 0, QM_BY_CREATION = 1 };

typedef struct qm_dots {
  const qm_dot *p;
  uint32_t n;
} qm_dots;
typedef struct qm_ranges {
  const qm_range *p;
  uint32_t n;
} qm_ranges;

typedef struct qm_op {
  uint64_t counter; /* first counter of the span */
  uint64_t span;    /* counters taken, >= 1 (insert: code points) */
  qm_id record;
  uint32_t field; /* 0 for presence and edges */
  uint8_t shape, kind, flags;
  uint64_t generation;  /* of field purges known to the author; 0 mostly */
  qm_slice value;       /* canonical MessagePack; insert: str (text) or array of values (list);
                          new: collection number; empty for delete, restore, remove, cut, trim */
  qm_dots dots;         /* write, add: replaced (QM_OP_LISTED); remove: the dots removed */
  qm_dots marks;        /* QM_OP_MARKS */
  qm_dots hides, keeps; /* QM_OP_NAMES */
  qm_ranges cuts;       /* cut, trim: elements */
  qm_dot parent;        /* insert, unless QM_OP_ROOT */
  qm_time order;        /* entries, with QM_OP_ORDER */
  uint8_t leaf[32];     /* with QM_OP_ERASED */
  /* How a batch names the record: by the least creation dot its author had seen,
     where there is one. Not part of what is hashed; always QM_BY_ID for `new`. */
  uint8_t named;
  qm_dot created; /* with QM_BY_CREATION */
} qm_op;

/* What one commit wrote in one space. */
typedef struct qm_change {
  uint32_t author;  /* local number */
  uint64_t counter; /* start; ops take counters from here without a gap */
  uint64_t next;    /* start of the author's next change */
  qm_time time;
  const qm_dot *deps; /* entries of the author's VV that moved since its previous change:
                          author -> next counter, never the author itself */
  uint32_t n_deps;
  qm_op *ops;
  uint32_t n_ops; /* >= 1 */
} qm_change;

/* An op that marks its record's presence (SPEC S3.7): all but edges, trims and
 * those on the space record. */
int qm_op_marks(const qm_op *op);
/* Checks everything that needs no replica: shape and kind known, flags allowed for
 * the kind, span matches the value, value well-formed, lists where they belong.
 * QM_EMALFORMED or the value's error; *e (may be NULL) says which op. */
int qm_op_check(const qm_op *op, qm_error *e);
/* The same of an op out of qm_batch_read, whose value is canonical and whose span is the number
 * of its elements: a text is not looked through once more. */
int qm__op_check_read(const qm_op *op, qm_error *e);

#endif
