/* crypto_int: what crypto.c and crypto_signer.c share. */
#ifndef QM_SYNC_CRYPTO_INT_H
#define QM_SYNC_CRYPTO_INT_H

#include "sync/crypto.h"

struct ec_key_method_st;

struct qm_key {
  const qm_env *env;
  struct evp_pkey_st *pkey;
  uint8_t spki[QM_SPKI_SIZE];
  qm_id device;
  qm_signer sign; /* NULL: pkey has the private part */
  void *payload;
  struct ec_key_method_st *method; /* of pkey, where it signs outside */
};

/* Everything of a P-256 SPKI before the point (RFC 5480). */
extern const uint8_t qm__spki_prefix[QM_SPKI_SIZE - QM_POINT_SIZE];

/* DER of a signature -> r ‖ s. QM_EINTERNAL: it is none. */
int qm__sig_from_der(const uint8_t *der, size_t n, uint8_t out[QM_SIG_SIZE]);
int qm__signer_sign(const qm_key *k, const uint8_t digest[QM_DIGEST_SIZE],
                    uint8_t out[QM_SIG_SIZE]);
void qm__signer_method_free(struct ec_key_method_st *method);

#endif
