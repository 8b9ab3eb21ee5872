#include "core/pack.h"

#include <float.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "a quotient must be rounded once, to binary64"
#endif

#define MANTISSA_MAX 9007199254740992.0 /* 2^53 */

static const double powers[QM__DECIMALS] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};

static int same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

int qm__decimal_of(double v, int64_t *m, unsigned *exponent) {
  for (unsigned k = 0; k < QM__DECIMALS; k++) {
    double scaled = v * powers[k];
    if (!(scaled > -MANTISSA_MAX && scaled < MANTISSA_MAX)) return 0;
    int64_t whole = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    double back;
    if (!qm__decimal(whole, k, &back) || !same(back, v)) continue;
    *m = whole;
    *exponent = k;
    return 1;
  }
  return 0;
}

int qm__decimal(int64_t m, unsigned exponent, double *v) {
  if (exponent >= QM__DECIMALS || (double)m <= -MANTISSA_MAX || (double)m >= MANTISSA_MAX) return 0;
  if (exponent && m % 10 == 0) return 0;
  *v = (double)m / powers[exponent];
  return 1;
}

int qm__is_lower_hex(const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) return 0;
  return 1;
}
