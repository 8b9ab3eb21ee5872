/* sequence: the shape under text and list: Fugue (Weidner, Kleppmann, "The Art of
 * the Fugue", arXiv 2305.00583), run-length encoded in memory and at rest.
 *
 * Elements form a tree. Each hangs (parent, side) on another or on the root; the
 * order shown is the in-order walk: left children, element, right children; children
 * on one side of one element stand in descending order of their *keys*, as a rule
 * their own dots: what an author writes in the place of what is cut stands right
 * behind its left neighbour, before all that hangs on the tombstones. An insert of n
 * code points takes n counters; its first element hangs as the op says, each
 * following one is the right child of the one before. A cut hides elements
 * (tombstones); a trim takes out tombstones with at most one child, which takes the
 * place of its parent: hangs where that hung, with its key. So of the elements that
 * stay none has another ancestor, side or order than before, and what is inserted
 * hangs and stands as if nothing were trimmed. An element whose parent is not there
 * (trimmed by one who did not know the child, or never was: a hostile op) stands at
 * the end, in the same order of keys, with its own subtree.
 *
 * Positions are in code points (list: values) of what is visible. */
#ifndef QM_SEQUENCE_H
#define QM_SEQUENCE_H

#include "core/crdt/crdt.h"

typedef struct qm_sequence qm_sequence;

static inline const qm_sequence *qm_sequence_of(const qm_cell *c) {
  return (const qm_sequence *)c->content;
}

/* As the shape's apply, but the op may be put off until qm_sequence_settle: that has to come
 * before anything else is asked of the cell but whether it is empty. What the op shows is
 * borrowed as ever; a->authors and a->arena are kept until then. */
int qm_sequence_apply_later(qm_cell *c, const qm_apply *a, const qm_op *op);
/* Applies what was put off. QM_ENOMEM: the cell is good for nothing any more. */
int qm_sequence_settle(qm_cell *c);
/* Fetches memory that its encoding looks at, of a short text nearly all (core/prefetch.h). Looks at
 * no more than the content itself. */
void qm_sequence_prefetch(const qm_cell *c);
/* Visible elements. c may be an empty cell (content NULL). */
uint64_t qm_sequence_len(const qm_cell *c);
/* The visible elements as text, appended in UTF-8; errors stick in out. And as values, in
 * order. Every element counts in both, so that positions hold: what is no text stands as
 * U+FFFC in a text, a code point in a list as a text of its own. */
void qm_sequence_text(const qm_cell *c, qm_buf *out);
int qm_sequence_values(const qm_cell *c, qm_arena *arena, qm_slice **out, uint32_t *n);
/* Where an insert at visible position `at` (0..len) hangs: on a *visible* element:
 * left child of its right neighbour where that lies in the right subtree of the
 * left neighbour, else right child of the left neighbour; at the start the root is
 * the left neighbour. Sets op->parent and QM_OP_ROOT / QM_OP_LEFT in op->flags.
 * QM_ERANGE where at > len. */
int qm_sequence_place(const qm_cell *c, const qm_authors *authors, uint64_t at, qm_op *op);
/* The dots of the visible elements [at, at+n), merged into ranges, in visible order. QM_ERANGE. */
int qm_sequence_cut(const qm_cell *c, qm_arena *arena, uint64_t at, uint64_t n, qm_ranges *out);
/* Two short cuts for one key at a visible position, where that goes on with what was typed or
 * rubbed out last: 1 where done, 0 where the ways above are to be gone (nothing has changed).
 * Type: as placing and applying an insert of one ASCII character by `next`, the dot after the
 * author's last one; it hangs on the element before it as its right child. QM_ENOMEM. Rub: as
 * cutting one element and applying that; `out` is its dot. */
int qm_sequence_type(qm_cell *c, qm_arena *arena, qm_dot next, uint64_t at, uint8_t key);
int qm_sequence_rub(qm_cell *c, const qm_authors *authors, uint64_t at, qm_range *out);
/* A 64-bit identity of what is visible (which elements in which order): a token
 * holds it, and an edit at positions is refused where it has changed. It is the
 * first 8 bytes of SHA-256 over the visible ranges with full author ids. */
uint64_t qm_sequence_version(const qm_cell *c, const qm_authors *authors);
/* The tombstones with at most one child that stays, each of them covered by `seen` and not
 * in `spared`: at most `most` ranges, children before parents, so that any first part of the
 * list is as good. What is in the cell does not change. QM_ENOMEM. */
int qm_sequence_trimmable(qm_cell *c, const qm_authors *authors, const qm_vv *seen,
                          qm_ranges spared, uint32_t most, qm_arena *arena, qm_ranges *out);

#endif
