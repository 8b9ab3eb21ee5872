/* SHA-256 goes through libcrypto's low-level calls, which OpenSSL 3 marks as
 * deprecated but keeps: the digest of a space hashes millions of short records and
 * Merkle leaves, and EVP_DigestInit costs an allocation and a provider fetch each,
 * several times the hash itself. They cannot fail and keep no shared state. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/hash.h"

#include <limits.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(qm_sha), "qm_sha holds a SHA256_CTX");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(qm_sha), "qm_sha is aligned for it");

static SHA256_CTX *ctx_of(qm_sha *s) { return (SHA256_CTX *)(void *)s->opaque; }

void qm_sha_init(qm_sha *s) { (void)SHA256_Init(ctx_of(s)); }

void qm_sha_add(qm_sha *s, const void *p, size_t n) {
  if (n) (void)SHA256_Update(ctx_of(s), p, n);
}

void qm_sha_end(qm_sha *s, qm_hash *out) { (void)SHA256_Final(out->b, ctx_of(s)); }

static inline void put_be32(uint8_t *to, uint32_t v) {
  to[0] = (uint8_t)(v >> 24);
  to[1] = (uint8_t)(v >> 16);
  to[2] = (uint8_t)(v >> 8);
  to[3] = (uint8_t)v;
}

/* Most of what is hashed is shorter than two blocks. The padding (FIPS 180-4, 5.1.1) is made
 * here, so that whole blocks alone are handed on: nothing is buffered, and nothing is wiped
 * that does not last. */
static size_t pad(uint8_t *tail, size_t rest, uint64_t bytes) {
  size_t size = rest < SHA256_CBLOCK - 8 ? SHA256_CBLOCK : 2 * SHA256_CBLOCK;
  uint64_t bits = bytes * 8;
  memset(tail + rest, 0, QM_SHA_PAD); /* never less than what is left: no count to look at */
  tail[rest] = 0x80;
  put_be32(tail + size - 8, (uint32_t)(bits >> 32));
  put_be32(tail + size - 4, (uint32_t)bits);
  return size;
}

static void put_state(const SHA256_CTX *c, uint8_t *out) {
  for (size_t i = 0; i < 8; i++) put_be32(out + 4 * i, c->h[i]);
}

void qm_sha256(const void *p, size_t n, qm_hash *out) {
  SHA256_CTX c;
  uint8_t tail[SHA256_CBLOCK + QM_SHA_PAD];
  size_t rest = n % SHA256_CBLOCK;
  (void)SHA256_Init(&c);
  if (n != rest) (void)SHA256_Update(&c, p, n - rest);
  if (rest) memcpy(tail, (const uint8_t *)p + (n - rest), rest);
  (void)SHA256_Update(&c, tail, pad(tail, rest, n));
  put_state(&c, out->b);
}

void qm__sha256_in(uint8_t *p, size_t n, uint8_t out[QM_HASH_SIZE]) {
  SHA256_CTX c;
  size_t rest = n % SHA256_CBLOCK;
  (void)SHA256_Init(&c);
  (void)SHA256_Update(&c, p, n - rest + pad(p + (n - rest), rest, n));
  put_state(&c, out);
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
