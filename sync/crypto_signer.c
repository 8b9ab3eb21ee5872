/* crypto_signer.c: a device key whose private part lies in a key store that only signs.
 *
 * libssl must sign with it too (CertificateVerify), so it is an EVP_PKEY over an EC_KEY with a
 * method of ours: libcrypto's legacy way, deprecated in 3.0 and without a successor short of a
 * whole provider. An EC_KEY of a foreign method is never exported to a provider, so that every
 * signature comes through sign_outside. */
#define OPENSSL_SUPPRESS_DEPRECATED 1

#include <limits.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "sync/crypto_int.h"

/* Slot 0 of every class is the application's, and needs no registration. */
#define APP_SLOT 0

static int call_signer(const qm_key *k, const uint8_t *digest, uint8_t der[QM_SIG_DER_MAX],
                       size_t *n) {
  *n = QM_SIG_DER_MAX;
  int rc = k->sign(k->payload, digest, der, n);
  if (rc != QM_OK) return rc < 0 ? rc : QM_EACCESS;
  return *n > 0 && *n <= QM_SIG_DER_MAX ? QM_OK : QM_EHASH;
}

/* A signature that is not of this key would be refused by every peer, and the author with it:
 * it is looked at here. */
int qm__signer_sign(const qm_key *k, const uint8_t digest[QM_DIGEST_SIZE],
                    uint8_t out[QM_SIG_SIZE]) {
  uint8_t der[QM_SIG_DER_MAX];
  size_t n;
  QM_TRY(call_signer(k, digest, der, &n));
  if (qm__sig_from_der(der, n, out) != QM_OK) return QM_EHASH;
  return qm_verify(qm_key_spki(k), digest, out);
}

/* libcrypto's. 1: *siglen bytes stand in sig. */
static int sign_outside(int type, const unsigned char *digest, int digest_len, unsigned char *sig,
                        unsigned int *siglen, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key) {
  const qm_key *k = EC_KEY_get_ex_data(key, APP_SLOT);
  uint8_t der[QM_SIG_DER_MAX];
  size_t n;
  (void)type;
  (void)kinv;
  (void)r;
  if (k == NULL || digest_len != QM_DIGEST_SIZE) return 0;
  if (call_signer(k, digest, der, &n) != QM_OK || n > (size_t)ECDSA_size(key)) return 0;
  memcpy(sig, der, n);
  *siglen = (unsigned)n;
  return 1;
}

void qm__signer_method_free(struct ec_key_method_st *method) { EC_KEY_METHOD_free(method); }

static int make_pkey(qm_key *k, const uint8_t point[QM_POINT_SIZE]) {
  EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
  EVP_PKEY *pkey = EVP_PKEY_new();
  k->method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
  int rc = QM_ENOMEM;
  if (key != NULL && pkey != NULL && k->method != NULL) {
    EC_KEY_METHOD_set_sign(k->method, sign_outside, NULL, NULL);
    rc = EC_KEY_oct2key(key, point, QM_POINT_SIZE, NULL) == 1 ? QM_OK : QM_EFORMAT;
  }
  if (rc == QM_OK && (EC_KEY_set_method(key, k->method) != 1 ||
                      EC_KEY_set_ex_data(key, APP_SLOT, k) != 1 ||
                      EVP_PKEY_assign_EC_KEY(pkey, key) != 1)) {
    rc = QM_ENOMEM;
  }
  ERR_clear_error();
  if (rc == QM_OK) {
    k->pkey = pkey;
    return QM_OK;
  }
  EC_KEY_free(key);
  EVP_PKEY_free(pkey);
  return rc;
}

int qm_key_external(const qm_env *env, const uint8_t point[QM_POINT_SIZE], qm_signer sign,
                    void *payload, qm_key **out) {
  *out = NULL;
  if (sign == NULL) return QM_EINVAL;
  qm_key *k = qm_alloc_zero(env, sizeof *k);
  if (k == NULL) return QM_ENOMEM;
  k->env = env;
  k->sign = sign;
  k->payload = payload;
  memcpy(k->spki, qm__spki_prefix, sizeof qm__spki_prefix);
  memcpy(k->spki + sizeof qm__spki_prefix, point, QM_POINT_SIZE);
  qm_spki_device(qm_key_spki(k), &k->device);
  int rc = qm_spki_check(qm_key_spki(k)); /* one form, on the curve */
  if (rc == QM_OK) rc = make_pkey(k, point);
  if (rc != QM_OK) {
    qm_key_free(k);
    return rc;
  }
  *out = k;
  return QM_OK;
}
