/* row: private. Which parts an op of a given shape, kind and flags has (SPEC S4.3),
 * asked by row forms, chain and batch codec alike, and the row form of a segment's
 * header. */
#ifndef QM_ROW_H
#define QM_ROW_H

#include "core/segment.h"

/* Flags that stand in the row form: erasing an op does not change what was hashed. */
#define QM__ROW_FLAGS (QM_OP_FLAGS & ~QM_OP_ERASED)

/* Shape and kind of this protocol version. */
static inline int qm__op_known(unsigned shape, unsigned kind) {
  static const uint8_t kinds[QM_SHAPES] = {3, 2, 2, 1, 1, 3};
  return shape < QM_SHAPES && kind < kinds[shape];
}

/* The kind carries a value, kept or erased: new, write, beside, add, inc, append
 * and insert, but not delete, restore, remove, cut and trim. */
static inline int qm__op_carries(unsigned shape, unsigned kind) {
  if (shape == QM_PRESENCE || shape == QM_KEYED || shape == QM_SEQUENCE) return kind == 0;
  return 1;
}

static inline int qm__op_has_value(const qm_op *op) {
  return !(op->flags & QM_OP_ERASED) && qm__op_carries(op->shape, op->kind);
}

static inline int qm__op_inserts(const qm_op *op) {
  return op->shape == QM_SEQUENCE && op->kind == QM_KIND_INSERT;
}

static inline int qm__op_has_dots(const qm_op *op) {
  return (op->flags & QM_OP_LISTED) || (op->shape == QM_KEYED && op->kind == QM_KIND_REMOVE);
}

static inline int qm__op_has_cuts(const qm_op *op) {
  return op->shape == QM_SEQUENCE && op->kind != QM_KIND_INSERT;
}

static inline int qm__op_has_parent(const qm_op *op) {
  return qm__op_inserts(op) && !(op->flags & QM_OP_ROOT);
}

/* Nothing stands in a part that the op does not have, so that no form loses or
 * leaks anything. */
int qm__op_fits(const qm_op *op);

/* Row form of a segment's header (SPEC S4.6). Errors stick in out. */
void qm__segment_header(const qm_segment *s, const qm_id *space, const qm_authors *authors,
                        qm_buf *out);

#endif
