/* crdt: one table of functions a shape. A cell is (record, field, shape); its
 * content is a causal CRDT over the space's version vector (Almeida, Shoker,
 * Baquero, "Delta state replicated data types", 2018, §7).
 *
 * All functions are total over well-formed input: a hostile but well-formed op has
 * a defined effect, never an error; the errors are QM_ENOMEM and, from decode,
 * those of cur. Everything is allocated in the record's arena. Single-threaded.
 *
 * Invariant for every shape: apply in any causal order, or join of states, gives
 * the same content, and encode gives the same bytes. */
#ifndef QM_CRDT_H
#define QM_CRDT_H

#include "core/buf.h"
#include "core/cur.h"
#include "core/op.h"

/* The authors a record's state names, ascending by rank; encoded forms use the
 * place in this list, so a state's bytes depend on no local number. */
typedef struct qm_names {
  uint32_t *numbers; /* local numbers, ascending by rank once sealed */
  uint32_t n, cap;
  uint8_t *used; /* while they are read: by place, 1 where a dot names it; else NULL */
} qm_names;

/* The place of a local number in sealed names. It is there (asserted). */
uint32_t qm_names_place(const qm_names *names, const qm_authors *authors, uint32_t number);

typedef struct qm_apply {
  const qm_authors *authors;
  const qm_vv *seen;       /* the author's VV at this op: its clock row, own entry = the
                             op's first counter. Never the receiver's VV. */
  const qm_change *change; /* author, start counter, time */
  qm_arena *arena;
} qm_apply;

/* An op has seen a dot: its author's context covers it. */
static inline int qm_seen(const qm_apply *a, qm_dot d) { return qm_vv_covers(a->seen, d); }
/* Lists of dots are as long as a stranger made them: a long one is looked up in, once
 * sorted (by local number, then counter). Short ones, and those that stand in that order,
 * come back as they are. QM_ENOMEM. */
int qm_dots_sort(qm_arena *arena, qm_dots list, qm_dots *out);
/* `sorted` comes from qm_dots_sort. */
int qm_dots_hold(qm_dots sorted, qm_dot d);
/* A covered dot that the op replaces: not listed-only, or in its list (sorted by
 * qm_dots_sort), or written earlier in the same change. Call only for dots that are
 * seen. */
static inline int qm_replaces(const qm_apply *a, int listed, qm_dots list, qm_dot d) {
  if (!listed || (d.author == a->change->author && d.counter >= a->change->counter)) return 1;
  return list.n && qm_dots_hold(list, d);
}

typedef struct qm_cell {
  uint32_t field;
  uint8_t shape;
  void *content; /* the shape's struct, in the record's arena; NULL means empty */
} qm_cell;

/* What join needs of one side. */
typedef struct qm_side {
  const qm_cell *cell; /* may be NULL: that side has no such cell */
  const qm_vv *vv;     /* the VV of that side's state */
} qm_side;

typedef struct qm_shape {
  const char *name;
  /* Effect of a checked op on a cell. */
  int (*apply)(qm_cell *cell, const qm_apply *a, const qm_op *op);
  /* out = join of the two sides; both sides' dots use one author table. The result
   * may share content with either. */
  int (*join)(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors, qm_arena *arena);
  /* 1 where nothing would be encoded: the cell is dropped from the record. */
  int (*empty)(const qm_cell *cell);
  /* Calls qm_names_note for every author named. */
  int (*names)(const qm_cell *cell, qm_names *names, qm_arena *arena);
  /* Canonical: equal content gives equal bytes. Exactly one MessagePack value. */
  void (*encode)(const qm_cell *cell, const qm_names *names, const qm_authors *authors,
                 qm_buf *out);
  /* Reads what encode wrote, and nothing else: every other input is an error
   * (QM_ECANON where it decodes but would not encode to the same bytes). Values are
   * borrowed from the input. */
  int (*decode)(qm_cell *cell, qm_cur *in, const qm_names *names, const qm_authors *authors,
                qm_arena *arena);
} qm_shape;

int qm_names_note(qm_names *names, qm_arena *arena, uint32_t number);
/* Sorts by rank and removes repeats. */
void qm_names_seal(qm_names *names, const qm_authors *authors);

extern const qm_shape qm_shape_siblings, qm_shape_keyed, qm_shape_totals, qm_shape_entries,
    qm_shape_sequence;
/* NULL for presence (which is no cell) and unknown numbers. */
const qm_shape *qm_shape_of(unsigned shape_id);

#endif
