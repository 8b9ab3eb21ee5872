/* sequence_tree: runs, how they hang, and how they stand (private to sequence*.c).
 *
 * A run is a stretch of elements of one author with consecutive counters and one
 * state, each after the first the right child of the one before, next to each other
 * in the document. Invariants:
 * - left children hang only on the first element of a run, right children only on
 *   its last (a run is split where a child comes in between), so each run has two
 *   lists of child runs, descending by key;
 * - the key of an element is its own dot, or, where it has taken the place of trimmed
 *   ones, the dot of the one that hung there first;
 * - a run whose parent is absent is in `strays`; one on the root is in `tops`;
 * - `columns` hold every run once, by author (rank), ascending by counter: in leaves of a few,
 *   so that a run in the middle of thousands moves little, and chained (`later`);
 * - the runs are chained in document order from `first` on; once somebody has asked for a
 *   position they also stand in a treap, whose priorities come from dots, in places of their
 *   own: the way through it meets nothing else. What only merges never makes one. */
#ifndef QM_CRDT_SEQUENCE_TREE_H
#define QM_CRDT_SEQUENCE_TREE_H

#include "core/crdt/sequence.h"

/* What an element shows: the state of a run. A tombstone has no payload and has
 * forgotten what it was. */
enum { QM_RUN_TEXT = 0, QM_RUN_VALUES = 1, QM_RUN_DEAD = 2 };
/* Where the first element of a run hangs. */
enum { QM_ON_ROOT = 0, QM_ON_RIGHT = 1, QM_ON_LEFT = 2 };

typedef struct qm__run qm__run;
typedef struct qm__leaf qm__leaf;
typedef struct qm__place qm__place;
typedef struct qm__later qm__later;

typedef struct qm__runs {
  qm__run **p;
  uint32_t n, cap;
} qm__runs;

/* What the walks over all runs read stands first, by author and then by document. */
struct qm__run {
  qm_dot first;
  qm_dot parent; /* unless on is QM_ON_ROOT */
  qm_dot key;    /* where the first element stands among its siblings */
  uint8_t on, state;
  uint8_t listed;  /* only while a trim works, or is made */
  uint8_t stray;   /* the parent is not there */
  uint32_t cursor; /* only while a walk works */
  qm__run *later;  /* of the same author, by counter; as `earlier` */
  uint64_t len;    /* elements, >= 1 */
  const uint8_t *data; /* UTF-8, or qm_slice[len] for values; NULL for tombstones */
  size_t bytes;
  qm__run *next;          /* in the document; as `prev` */
  qm__runs lefts, rights; /* children of the first, of the last element */
  qm__run *prev, *earlier;
  qm__leaf *leaf; /* of the column, that it stands in */
  qm__run *above; /* only while a join works */
  uint8_t *tail;  /* == data + bytes where `room` more bytes there are ours */
  size_t room;
  qm__place *place; /* of a run in a sequence */
};

/* Of a run in the treap; says nothing where there is none. */
struct qm__place {
  qm__place *up, *before, *after;
  uint64_t shown; /* visible elements in the subtree */
  uint64_t own;   /* of them, the run's */
  qm__run *run;
  uint32_t priority;
};

#define QM_LEAF 32u

/* Counters beside the runs: whoever looks for one meets no other run. Most texts are short, so
 * a column's first leaf begins small. */
struct qm__leaf {
  uint32_t n, cap; /* 1 <= n <= cap <= QM_LEAF */
  uint64_t *at;    /* p[i]->first.counter */
  qm__run **p;
};

/* An author's runs: at least one. */
typedef struct qm__column {
  uint32_t author;
  uint32_t n, cap, cap_starts;
  qm__leaf **leaves;
  uint64_t *starts; /* of each leaf, about: where it began once */
} qm__column;

struct qm_sequence {
  qm__run *first;      /* of the document */
  qm__place *top;      /* of the treap; NULL: there is none */
  qm__column *columns; /* ascending by rank of author */
  uint32_t n_columns, cap_columns;
  qm__runs tops, strays;
  qm__run *spare; /* runs that are no more, chained (`next`) */
  qm__run *hot; /* the run met last: typing stays where it is. May be NULL */
  /* The run found last by position, and how many visible elements stand before it; NULL
   * once what stands before it may have changed. */
  qm__run *near;
  uint64_t near_at;
  /* What `near` shows more (modulo 2^64) than its place in the treap says yet: typing and
   * rubbing out touch one run, and no path to the root for each key. */
  uint64_t near_more;
  qm__later *later; /* ops put off (sequence_later.c), or NULL */
};

/* A counter of an author in the sort order of dots, with what stands there. */
typedef struct qm__point {
  uint32_t rank;
  uint64_t counter;
  uint64_t len; /* of a range; else unused */
  qm__run *run; /* may be NULL */
} qm__point;

static inline qm_dot qm__run_last(const qm__run *r) {
  qm_dot d = {r->first.counter + (r->len - 1), r->first.author};
  return d;
}
/* 1 where the first element has taken the place of another. */
static inline int qm__run_moved(const qm__run *r) { return !qm_dot_eq(r->key, r->first); }
/* One beyond the last counter. Never wraps: spans that would are cut short. */
static inline uint64_t qm__run_end(const qm__run *r) { return r->first.counter + r->len; }
static inline uint64_t qm__run_shown(const qm__run *r) {
  return r->state == QM_RUN_DEAD ? 0 : r->len;
}

/* By rank and counter. Many points by their bytes, in memory of env (where there is none, as
 * few); few in place, n log n. No recursion. */
void qm__points_sort(const qm_env *env, qm__point *p, size_t n);

/* As siblings stand, the greatest key first; two with one key, which only a forged state has,
 * by their own dots. */
int qm__sibling_cmp(const qm_authors *authors, const qm__run *a, const qm__run *b);
/* The later part of r, from element `offset` on, as a run of its own that hangs on r; r is
 * cut short. NULL: no memory. */
qm__run *qm__run_halve(qm_sequence *s, qm_arena *arena, qm__run *r, uint64_t offset);
/* Neighbours in document order; NULL at the ends. */
qm__run *qm__run_next(const qm__run *r);
qm__run *qm__run_prev(const qm__run *r);
static inline qm__run *qm__sequence_head(const qm_sequence *s) { return s->first; }
qm__run *qm__sequence_tail(const qm_sequence *s);
/* Makes the treap where there is none. Before qm__run_precedes, and before `shown` of the top
 * is read. */
void qm__sequence_order(qm_sequence *s);
/* The run that shows visible element `at`, and in *offset its place there. at < shown. */
qm__run *qm__sequence_at(qm_sequence *s, uint64_t at, uint64_t *offset);
/* 1 where a stands before b in the document (a != b). */
int qm__run_precedes(const qm__run *a, const qm__run *b);
/* Gives k elements of the end of `r` to the tombstones behind it, or of the start of `r` to
 * those before it, where the two are one stretch but for their state, and some of r stays.
 * 1 where done: rubbing out goes on without a new run. */
int qm__run_give_end(qm_sequence *s, qm__run *r, uint64_t k);
int qm__run_give_start(qm_sequence *s, const qm_authors *authors, qm__run *r, uint64_t k);
/* All its elements are tombstones from now on. */
void qm__run_hide(qm_sequence *s, qm__run *r);
/* To be called after r's len changed from `shown_before` visible elements, where r stays where it
 * is; every place found before but r's own is forgotten. */
void qm__run_grew(qm_sequence *s, qm__run *r, uint64_t shown_before);
/* Forgets the place met last, after what it has more is counted: before anything in the treap
 * changes. */
void qm__sequence_forget(qm_sequence *s);

/* NULL where the author wrote nothing here. */
qm__column *qm__sequence_column(const qm_sequence *s, const qm_authors *authors, uint32_t author);
static inline qm__run *qm__column_first(const qm__column *c) { return c->leaves[0]->p[0]; }
/* Empty, with room for `cap` runs; NULL: no memory. */
qm__leaf *qm__leaf_make(qm_arena *arena, uint32_t cap);
static inline qm__run *qm__leaf_last(const qm__leaf *l) { return l->p[l->n - 1]; }
static inline qm__run *qm__column_last(const qm__column *c) {
  return qm__leaf_last(c->leaves[c->n - 1]);
}
/* The first run of the column that ends beyond the counter, or NULL. */
qm__run *qm__column_from(const qm__column *c, uint64_t counter);
/* The run with the element; NULL where it is not there. */
qm__run *qm__sequence_find(qm_sequence *s, const qm_authors *authors, qm_dot d);

/* Hangs and places a run whose dots are not there yet. QM_ENOMEM. */
int qm__sequence_insert(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r);
/* Splits before element `offset` (0 < offset < len); *second gets the later part. */
int qm__sequence_split(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r,
                       uint64_t offset, qm__run **second);
/* Takes a run out; its children stay as they are, hanging on nothing: the caller
 * has none, or builds anew. */
void qm__sequence_remove(qm_sequence *s, const qm_authors *authors, qm__run *r);
/* Takes a run out whose only child that stays is `heir`: that takes its place. Other children
 * stay as they are, hanging on nothing. 0 where the lists are no longer in order (two children
 * with one key: only forged ones): the caller builds anew. */
int qm__sequence_inherit(qm_sequence *s, const qm_authors *authors, qm__run *r, qm__run *heir);
/* Joins `second` to `first` where they are one stretch of tombstones. 1 where done. */
int qm__sequence_merge(qm_sequence *s, const qm_authors *authors, qm__run *first, qm__run *second);
/* Makes everything anew from runs that do not overlap, sorted by first dot; splits
 * them where children hang. Runs that hang on each other in a ring are left out
 * (only a forged state has some): *placed (may be NULL) is 0 then. Near-linear.
 * (sequence_build.c) */
int qm__sequence_build(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run **runs,
                       size_t n, int *placed);
/* Keeps elements [offset, offset + len) of a run that hangs nowhere yet. */
void qm__run_clip(qm__run *r, uint64_t offset, uint64_t len);

/* Payload behind payload. */
int qm__run_add(qm__run *r, const qm__run *more, qm_arena *arena);
/* Typing on: the run gets longer where it stands. *done says whether it did. */
int qm__sequence_extend(qm_sequence *s, const qm_authors *authors, qm_arena *arena,
                        const qm__run *more, int *done);
/* Hides the elements of the range that are there. */
int qm__sequence_cut_range(qm_sequence *s, const qm_authors *authors, qm_arena *arena,
                           qm_range range);

/* Ops put off until somebody looks (sequence_later.c). Where *done comes out 0 the run has
 * dots that are there, perhaps: settle, and insert it. A cut has only dots that were seen. */
int qm__later_insert(qm_sequence *s, const qm_apply *a, const qm__run *new, int *done);
int qm__later_cut(qm_sequence *s, const qm_apply *a, qm_range range);
/* 1 where inserts are put off. */
int qm__later_some(const qm_sequence *s);
int qm__sequence_settle(qm_sequence *s);

/* The shape's functions, one file each group. */
int qm__sequence_join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors,
                      qm_arena *arena);
int qm__sequence_empty(const qm_cell *cell);
int qm__sequence_names(const qm_cell *cell, qm_names *to, qm_arena *arena);
void qm__sequence_encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                         qm_buf *out);
int qm__sequence_decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                        qm_arena *arena);

#endif
