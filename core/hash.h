/* hash: SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) by libcrypto. With
 * sync/{crypto,tls,ca} the only user of OpenSSL. Thread-safe: no shared state. */
#ifndef QM_HASH_H
#define QM_HASH_H

#include "mem.h"

#define QM_HASH_SIZE 32

typedef struct qm_hash {
  uint8_t b[QM_HASH_SIZE];
} qm_hash;

typedef struct qm_sha {
  uint64_t opaque[16]; /* large enough for libcrypto's SHA256_CTX (static assert) */
} qm_sha;

void qm_sha_init(qm_sha *s);
void qm_sha_add(qm_sha *s, const void *p, size_t n);
void qm_sha_end(qm_sha *s, qm_hash *out);
void qm_sha256(const void *p, size_t n, qm_hash *out);
/* The same of n bytes with room for QM_SHA_PAD more behind them, which it overwrites: for what is
 * hashed by the million. */
#define QM_SHA_PAD 72
void qm__sha256_in(uint8_t *p, size_t n, uint8_t out[QM_HASH_SIZE]);
int qm_hmac_sha256(qm_slice key, qm_slice data, qm_hash *out); /* QM_EINTERNAL */
/* Constant-time comparison: 1 equal, 0 not. */
int qm_equal_secret(const void *a, const void *b, size_t n);
/* Overwrites secrets in a way the compiler keeps. */
void qm_wipe(void *p, size_t n);

#endif
