/* digest: a 128-bit commutative sum (mod 2^128, big-endian) of 128-bit hashes, kept
 * incrementally: over records, clock rows, purges and set-aside entries. It finds
 * faults; forgery is found by the chain. */
#ifndef QM_DIGEST_H
#define QM_DIGEST_H

#include <stdint.h>

typedef struct qm_digest {
  uint64_t hi, lo;
} qm_digest;

void qm_digest_add(qm_digest *d, const uint8_t hash[16]);
void qm_digest_sub(qm_digest *d, const uint8_t hash[16]);
int qm_digest_eq(const qm_digest *a, const qm_digest *b);
void qm_digest_bytes(const qm_digest *d, uint8_t out[16]);
void qm_digest_read(qm_digest *d, const uint8_t in[16]);

#endif
