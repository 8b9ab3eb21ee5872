/* buf: a growing byte buffer with a maximum it is born with.
 * The first failure sticks: later appends do nothing, and qm_buf_status gives it,
 * so that an encoder checks once at its end. Failure effects: contents before the
 * failing append stay. */
#ifndef QM_BUF_H
#define QM_BUF_H

#include "mem.h"

typedef struct qm_buf {
  const qm_env *env;
  uint8_t *p;
  size_t n, cap, max;
  int status; /* QM_OK, QM_ENOMEM, QM_ELIMIT, or QM_ERANGE (mp: a NaN) */
  int lent;   /* p is the caller's memory */
} qm_buf;

void qm_buf_init(qm_buf *b, const qm_env *env, size_t max);
/* The same, beginning in memory of the caller, which outlives the buffer: what fits there takes
 * none of env's. What does not moves, so p is never kept across an append. */
void qm_buf_init_in(qm_buf *b, const qm_env *env, size_t max, void *memory, size_t size);
void qm_buf_free(qm_buf *b);  /* zeroes the struct's pointers; may be called twice */
void qm_buf_clear(qm_buf *b); /* n = 0, status = QM_OK, keeps the memory */
int qm_buf_status(const qm_buf *b);
/* Room for n more bytes at p+n; the caller then adds to b->n itself. */
uint8_t *qm_buf_reserve(qm_buf *b, size_t n);
void qm_buf_add(qm_buf *b, const void *p, size_t n);
void qm__buf_byte_more(qm_buf *b, uint8_t v);
static inline void qm_buf_byte(qm_buf *b, uint8_t v) {
  if (b->status == QM_OK && b->n < b->cap) b->p[b->n++] = v;
  else qm__buf_byte_more(b, v);
}
void qm_buf_be16(qm_buf *b, uint16_t v);
void qm_buf_be32(qm_buf *b, uint32_t v);
void qm_buf_be64(qm_buf *b, uint64_t v);
/* LEB128, least significant group first, at most 10 bytes. */
void qm__buf_varint_more(qm_buf *b, uint64_t v);
static inline void qm_buf_varint(qm_buf *b, uint64_t v) {
  if (v < 0x80) qm_buf_byte(b, (uint8_t)v);
  else qm__buf_varint_more(b, v);
}
/* Zigzag, then varint. */
void qm_buf_svarint(qm_buf *b, int64_t v);
static inline qm_slice qm_buf_slice(const qm_buf *b) { return qm_slice_of(b->p, b->n); }

#endif
