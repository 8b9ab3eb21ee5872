/* crypto: device keys and signatures: ECDSA on P-256 over SHA-256, the curve that
 * the key stores of phones hold.
 *
 * A public key travels as its SubjectPublicKeyInfo (SPKI) in DER, in exactly one
 * form: named curve, uncompressed point, QM_SPKI_SIZE bytes. Any other form of the
 * same key is refused, so that one key has one device id. A signature is r ‖ s,
 * 32 bytes each, big-endian.
 *
 * No I/O. A qm_key never changes after it is made and may be used from several
 * threads at once; make and free it on one. Key material comes from libcrypto's
 * generator, never from env->random: a simulated env would make guessable keys. */
#ifndef QM_SYNC_CRYPTO_H
#define QM_SYNC_CRYPTO_H

#include "core/buf.h"
#include "core/env.h"
#include "core/id.h"
#include "core/mem.h"

#define QM_SPKI_SIZE 91
#define QM_POINT_SIZE 65 /* an uncompressed point: 0x04 ‖ x ‖ y */
#define QM_SIG_SIZE 64
#define QM_SIG_DER_MAX 80 /* room for a signature in DER (72 bytes at most) */
#define QM_DIGEST_SIZE 32
/* Largest private key or certificate text that is read. */
#define QM_PEM_SIZE_MAX 16384

typedef struct qm_key qm_key;

/* For qm_env.random: n bytes from libcrypto's generator. `payload` is not looked
 * at. Any thread. QM_EIO where the system has no entropy. */
int qm_crypto_random(void *payload, uint8_t *to, size_t n);

/* A new key pair. The caller frees *out; borrows env until then. QM_ENOMEM, QM_EIO
 * (no entropy). */
int qm_key_generate(const qm_env *env, qm_key **out);
/* From PKCS#8, DER or PEM, not encrypted. QM_EFORMAT where it is not such a key or
 * bytes follow it, QM_ETYPE where it is one on another curve, QM_ELIMIT, QM_ENOMEM. */
int qm_key_from_der(const qm_env *env, qm_slice der, qm_key **out);
int qm_key_from_pem(const qm_env *env, qm_slice pem, qm_key **out);
/* Signs outside: the private key lies in a key store that does not give it out. `digest` is
 * SHA-256 of what is signed; the signature comes in DER (SEQUENCE of r and s: what Android's
 * Keystore and the Secure Enclave give), *n is the room (QM_SIG_DER_MAX), then its size. 0, or
 * why there is none. May be called from any thread that uses the key. */
typedef int (*qm_signer)(void *payload, const uint8_t digest[QM_DIGEST_SIZE], uint8_t *der,
                         size_t *n);
/* A key whose private part is `sign`'s. It must outlive what was made with it, TLS configs
 * included, and so must payload. QM_EFORMAT (no point of the curve), QM_ENOMEM. */
int qm_key_external(const qm_env *env, const uint8_t point[QM_POINT_SIZE], qm_signer sign,
                    void *payload, qm_key **out);
/* Appends the private key to *out: the caller wipes that buffer (qm_wipe). QM_ESTATE: it lies
 * outside; QM_ENOMEM, QM_ELIMIT. */
int qm_key_to_der(const qm_key *k, qm_buf *out);
int qm_key_to_pem(const qm_key *k, qm_buf *out);
/* k may be NULL. Clears the private part. */
void qm_key_free(qm_key *k);

/* The public key and the device id: borrowed from k. */
qm_slice qm_key_spki(const qm_key *k);
const qm_id *qm_key_device(const qm_key *k);

/* Signs a SHA-256 digest. QM_ENOMEM, QM_EINTERNAL; of a key that lies outside also what its
 * signer says, QM_EHASH where its signature is not of this key. */
int qm_key_sign(const qm_key *k, const uint8_t digest[QM_DIGEST_SIZE], uint8_t out[QM_SIG_SIZE]);

/* 0 where `sig` over `digest` was made with the key of `spki`; else QM_EHASH. QM_EFORMAT
 * where spki is not a P-256 key in its one form, QM_ENOMEM. Any thread. */
int qm_verify(qm_slice spki, const uint8_t digest[QM_DIGEST_SIZE], const uint8_t sig[QM_SIG_SIZE]);
/* The same, and that `spki` is the key of `device`: QM_EFORGED where it is not. */
int qm_verify_by(qm_slice spki, const qm_id *device, const uint8_t digest[QM_DIGEST_SIZE],
                 const uint8_t sig[QM_SIG_SIZE]);
/* The form and, unlike a comparison of bytes, that the point is on the curve. */
int qm_spki_check(qm_slice spki);
/* First 16 bytes of SHA-256(spki). Does not check spki. */
void qm_spki_device(qm_slice spki, qm_id *out);

/* For sync/{ca,tls}.c only: libcrypto's object, borrowed from k. */
struct evp_pkey_st;
struct evp_pkey_st *qm__key_pkey(const qm_key *k);
/* A public key object that the caller frees with EVP_PKEY_free. */
int qm__spki_pkey(qm_slice spki, struct evp_pkey_st **out);

#endif
