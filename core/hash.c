/* SHA-256 goes through libcrypto's low-level calls, which OpenSSL 3 marks as
 * deprecated but keeps: the digest of a space hashes millions of short records and
 * Merkle leaves, and EVP_DigestInit costs an allocation and a provider fetch each,
 * several times the hash itself. They cannot fail and keep no shared state. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/hash.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(qm_sha), "qm_sha holds a SHA256_CTX");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(qm_sha), "qm_sha is aligned for it");

/* The context is only handed on, never read here. */
static SHA256_CTX *ctx_of(qm_sha *s) { return (SHA256_CTX *)(void *)s->opaque; }

void qm_sha_init(qm_sha *s) { (void)SHA256_Init(ctx_of(s)); }

void qm_sha_add(qm_sha *s, const void *p, size_t n) {
  if (n) (void)SHA256_Update(ctx_of(s), p, n);
}

void qm_sha_end(qm_sha *s, qm_hash *out) { (void)SHA256_Final(out->b, ctx_of(s)); }

void qm_sha256(const void *p, size_t n, qm_hash *out) {
  qm_sha s;
  qm_sha_init(&s);
  qm_sha_add(&s, p, n);
  qm_sha_end(&s, out);
}

int qm_hmac_sha256(qm_slice key, qm_slice data, qm_hash *out) {
  /* A NULL key means "the previous key" to libcrypto, not "empty". */
  static const uint8_t none[1] = {0};
  unsigned len = 0;
  if (key.n > INT_MAX) return QM_EINTERNAL;
  if (!HMAC(EVP_sha256(), key.n ? key.p : none, (int)key.n, data.n ? data.p : none, data.n, out->b,
            &len))
    return QM_EINTERNAL;
  return len == QM_HASH_SIZE ? QM_OK : QM_EINTERNAL;
}

int qm_equal_secret(const void *a, const void *b, size_t n) {
  return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

void qm_wipe(void *p, size_t n) {
  if (n) OPENSSL_cleanse(p, n);
}
