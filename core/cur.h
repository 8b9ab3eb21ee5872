/* cur: the one reader of bytes that come from outside. Checked reads only; the
 * first error sticks, and every later read returns it and yields zeroes.
 * Borrows the input; spans it returns borrow the input too. Allocates nothing.
 * Invariant (qm_cur_valid): start <= at <= end.
 * Counts in headers are claims: an array or map count is refused with
 * QM_EOVERSIZE where it exceeds the bytes that are left. */
#ifndef QM_CUR_H
#define QM_CUR_H

#include "mem.h"

typedef struct qm_cur {
  const uint8_t *start, *at, *end;
  int status;
} qm_cur;

void qm_cur_init(qm_cur *c, qm_slice in);
int qm_cur_valid(const qm_cur *c);
static inline size_t qm_cur_left(const qm_cur *c) { return (size_t)(c->end - c->at); }
/* Sets the sticky error if none is set; returns the sticky error. */
int qm_cur_fail(qm_cur *c, int code);
/* QM_OK only where no error is set and nothing is left (else QM_ETRAILING). */
int qm_cur_end(qm_cur *c);

int qm_cur_byte_slow(qm_cur *c, uint8_t *out); /* after an error, or at the end */
static inline int qm_cur_byte(qm_cur *c, uint8_t *out) {
  if (c->status || c->at == c->end) return qm_cur_byte_slow(c, out);
  *out = *c->at++;
  return QM_OK;
}
int qm_cur_be16(qm_cur *c, uint16_t *out);
int qm_cur_be32(qm_cur *c, uint32_t *out);
int qm_cur_be64(qm_cur *c, uint64_t *out);
/* Overlong forms are QM_ECANON, more than 64 bits QM_ERANGE. */
int qm_cur_varint_long(qm_cur *c, uint64_t *out); /* of any length */
static inline int qm_cur_varint(qm_cur *c, uint64_t *out) {
  if (c->status || c->at == c->end || *c->at >= 0x80) return qm_cur_varint_long(c, out);
  *out = *c->at++;
  return QM_OK;
}
int qm_cur_svarint(qm_cur *c, int64_t *out);
static inline int qm_cur_span(qm_cur *c, size_t n, qm_slice *out) {
  *out = qm_slice_of(NULL, 0);
  if (c->status) return c->status;
  if (n > qm_cur_left(c)) return qm_cur_fail(c, QM_ETRUNCATED);
  *out = qm_slice_of(c->at, n);
  c->at += n;
  return QM_OK;
}
/* A varint that counts things of at least `size` bytes each in what is left, at most `max` of
 * them: QM_EOVERSIZE. */
int qm_cur_count(qm_cur *c, size_t size, uint32_t max, uint32_t *out);
int qm_cur_copy(qm_cur *c, void *to, size_t n);

/* MessagePack. Readers accept the shortest form only (QM_ECANON otherwise); a
 * float is always float 64. */
typedef enum qm_mp_type {
  QM_MP_NIL, QM_MP_BOOL, QM_MP_UINT, QM_MP_NINT /* negative */, QM_MP_F64,
  QM_MP_STR, QM_MP_BIN, QM_MP_ARRAY, QM_MP_MAP, QM_MP_EXT
} qm_mp_type;

typedef struct qm_mp_token {
  qm_mp_type type;
  uint64_t u;    /* UINT value; BOOL 0/1; count of an ARRAY or MAP (pairs) */
  int64_t i;     /* NINT value */
  double f;      /* F64 value; NaN is refused (QM_ERANGE), -0.0 is QM_ECANON */
  int8_t ext;    /* EXT type */
  qm_slice span; /* STR (checked UTF-8), BIN and EXT payload */
} qm_mp_token;

/* Reads one token; for ARRAY and MAP the elements follow. */
int qm_cur_token(qm_cur *c, qm_mp_token *out);
/* The type of the next token without reading it; QM_ETRUNCATED at the end. */
int qm_cur_peek(const qm_cur *c, qm_mp_type *out);
int qm_cur_uint_long(qm_cur *c, uint64_t *out); /* of any length */
static inline int qm_cur_uint(qm_cur *c, uint64_t *out) {
  if (c->status || c->at == c->end || *c->at >= 0x80) return qm_cur_uint_long(c, out);
  *out = *c->at++;
  return QM_OK;
}
int qm_cur_uint32(qm_cur *c, uint32_t *out); /* QM_ERANGE beyond 32 bits */
int qm_cur_int(qm_cur *c, int64_t *out);     /* QM_ERANGE beyond int64 */
int qm_cur_bool(qm_cur *c, int *out);
int qm_cur_str(qm_cur *c, qm_slice *out);
int qm_cur_bin(qm_cur *c, qm_slice *out);
int qm_cur_bin_n(qm_cur *c, void *to, size_t n); /* bin of exactly n bytes, else QM_ERANGE */
int qm_cur_array(qm_cur *c, uint32_t *count);
int qm_cur_array_n(qm_cur *c, uint32_t count);   /* exactly, else QM_EFORMAT */
int qm_cur_map(qm_cur *c, uint32_t *pairs);
int qm_cur_nil(qm_cur *c);
/* Skips one whole value and gives its bytes; nesting beyond depth_max containers
 * is QM_EDEPTH. Iterative: never recurses. */
int qm_cur_value(qm_cur *c, unsigned depth_max, qm_slice *out);

#endif
