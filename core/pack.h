/* pack: how numbers are told in few bytes, for the columns of batches and snapshots. */
#ifndef QM_PACK_H
#define QM_PACK_H

#include "slice.h"

/* Differences are taken modulo 2^64 and zigzagged without a signed shift. */
static inline uint64_t qm__zigzag(uint64_t d) { return d << 1 ^ (UINT64_C(0) - (d >> 63)); }
static inline uint64_t qm__unzigzag(uint64_t z) { return z >> 1 ^ (UINT64_C(0) - (z & 1)); }

#define QM__DECIMALS 8u /* exponents 0 to 7 */

/* People write floats in decimal: 1 and sets *m, *exponent (the least) where v is exactly the
 * quotient m / 10^exponent, |m| < 2^53. */
int qm__decimal_of(double v, int64_t *m, unsigned *exponent);
/* The quotient, rounded once: the same on every machine. 0 where m or the exponent is beyond
 * the above, or m has a shorter form. */
int qm__decimal(int64_t m, unsigned exponent, double *v);

/* Does this hold n hexadecimal digits in lower case? */
int qm__is_lower_hex(const uint8_t *p, size_t n);

#endif
