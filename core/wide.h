/* wide: integers of 128 bits, which C11 does not have and compilers only for 64-bit machines.
 * Two's complement; additions go round. */
#ifndef QM_WIDE_H
#define QM_WIDE_H

#include <stdint.h>

typedef struct qm_wide {
  uint64_t hi, lo;
} qm_wide;

static inline int qm_wide_is_negative(qm_wide a) { return (int)(a.hi >> 63); }
static inline int qm_wide_is_zero(qm_wide a) { return !(a.hi | a.lo); }

static inline qm_wide qm_wide_of(int64_t v) {
  return (qm_wide){v < 0 ? UINT64_MAX : 0, (uint64_t)v};
}

/* 1 where it is an int64. */
static inline int qm_wide_fits(qm_wide a) {
  return a.hi == (a.lo >> 63 ? UINT64_MAX : 0);
}

/* Of one that fits. */
static inline int64_t qm_wide_int(qm_wide a) {
  return a.lo >> 63 ? -(int64_t)~a.lo - 1 : (int64_t)a.lo;
}

static inline qm_wide qm_wide_add(qm_wide a, qm_wide b) {
  uint64_t lo = a.lo + b.lo;
  return (qm_wide){a.hi + b.hi + (lo < a.lo), lo};
}

/* 1 where a + b went round. */
static inline int qm_wide_add_over(qm_wide a, qm_wide b, qm_wide *out) {
  *out = qm_wide_add(a, b);
  return (int)((~(a.hi ^ b.hi) & (a.hi ^ out->hi)) >> 63);
}

/* The product without sign, by halves. */
static inline qm_wide qm_wide_mul_halves(uint64_t a, uint64_t b) {
  uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
  uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32);
  uint64_t other = a0 * b1 + (mid & UINT32_MAX);
  return (qm_wide){a1 * b1 + (mid >> 32) + (other >> 32), other << 32 | (low & UINT32_MAX)};
}

static inline qm_wide qm_wide_mul(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
  __extension__ typedef unsigned __int128 word;
  word m = (word)a * b;
  return (qm_wide){(uint64_t)(m >> 64), (uint64_t)m};
#else
  return qm_wide_mul_halves(a, b);
#endif
}

#endif
