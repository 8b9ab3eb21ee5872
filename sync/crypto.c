/* Signatures are judged by libcrypto's low-level calls, which OpenSSL 3 marks as deprecated but
 * keeps: a key made through a provider costs a third of the verification itself. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sync/crypto.h"

#include <limits.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "core/hash.h"
#include "sync/crypto_int.h"

#define SCALAR_SIZE 32
/* A DER signature of two 33-byte integers takes 72 bytes. */
#define SIG_DER_MAX 80

const uint8_t qm__spki_prefix[QM_SPKI_SIZE - QM_POINT_SIZE] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

int qm_crypto_random(void *payload, uint8_t *to, size_t n) {
  (void)payload;
  while (n > 0) {
    size_t step = n < INT_MAX ? n : INT_MAX;
    if (RAND_bytes(to, (int)step) != 1) {
      ERR_clear_error();
      return QM_EIO;
    }
    to += step;
    n -= step;
  }
  return QM_OK;
}

void qm_spki_device(qm_slice spki, qm_id *out) {
  qm_hash h;
  qm_sha256(spki.p, spki.n, &h);
  memcpy(out->b, h.b, sizeof out->b);
}

static int has_form(qm_slice spki) {
  return spki.n == QM_SPKI_SIZE &&
         memcmp(spki.p, qm__spki_prefix, sizeof qm__spki_prefix) == 0 &&
         spki.p[sizeof qm__spki_prefix] == 0x04;
}

int qm__spki_pkey(qm_slice spki, struct evp_pkey_st **out) {
  *out = NULL;
  if (!has_form(spki)) return QM_EFORMAT;
  char group[] = "prime256v1";
  uint8_t point[QM_POINT_SIZE];
  memcpy(point, spki.p + sizeof qm__spki_prefix, sizeof point);
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
      OSSL_PARAM_construct_end()};
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (ctx == NULL) return QM_ENOMEM;
  /* libcrypto refuses a point that is not on the curve. */
  int ok = EVP_PKEY_fromdata_init(ctx) == 1 &&
           EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) == 1;
  EVP_PKEY_CTX_free(ctx);
  if (!ok) {
    ERR_clear_error();
    EVP_PKEY_free(*out);
    *out = NULL;
    return QM_EFORMAT;
  }
  return QM_OK;
}

int qm_spki_check(qm_slice spki) {
  EVP_PKEY *pkey = NULL;
  QM_TRY(qm__spki_pkey(spki, &pkey));
  EVP_PKEY_free(pkey);
  return QM_OK;
}

static int kind_check(EVP_PKEY *pkey) {
  char group[32];
  size_t group_len = 0;
  int ok = EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, &group_len) == 1 &&
           strcmp(group, "prime256v1") == 0;
  ERR_clear_error();
  return ok ? QM_OK : QM_ETYPE;
}

/* A file whose public point is not that of its private key would sign for one device
 * and name another. */
static int pair_check(EVP_PKEY *pkey) {
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
  int ok = ctx != NULL && EVP_PKEY_check(ctx) == 1;
  EVP_PKEY_CTX_free(ctx);
  ERR_clear_error();
  return ok ? QM_OK : QM_EFORMAT;
}

/* Takes pkey (frees it also on failure). */
static int key_wrap(const qm_env *env, EVP_PKEY *pkey, qm_key **out) {
  qm_key *k = qm_alloc_zero(env, sizeof *k);
  if (k == NULL) {
    EVP_PKEY_free(pkey);
    return QM_ENOMEM;
  }
  k->env = env;
  k->pkey = pkey;
  /* A key read from a file may carry its public point in another form. */
  uint8_t *at = k->spki;
  int ok = EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                          "uncompressed") == 1 &&
           i2d_PUBKEY(pkey, NULL) == QM_SPKI_SIZE && i2d_PUBKEY(pkey, &at) == QM_SPKI_SIZE &&
           memcmp(k->spki, qm__spki_prefix, sizeof qm__spki_prefix) == 0;
  ERR_clear_error();
  if (!ok) {
    qm_key_free(k);
    return QM_EFORMAT;
  }
  qm_spki_device(qm_key_spki(k), &k->device);
  *out = k;
  return QM_OK;
}

int qm_key_generate(const qm_env *env, qm_key **out) {
  *out = NULL;
  EVP_PKEY *pkey = EVP_EC_gen("P-256");
  if (pkey == NULL) {
    ERR_clear_error();
    return QM_EIO;
  }
  return key_wrap(env, pkey, out);
}

int qm_key_from_der(const qm_env *env, qm_slice der, qm_key **out) {
  *out = NULL;
  if (der.n > QM_PEM_SIZE_MAX) return QM_ELIMIT;
  const unsigned char *at = der.p;
  PKCS8_PRIV_KEY_INFO *info = NULL;
  if (der.n > 0) info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.n);
  EVP_PKEY *pkey = NULL;
  if (info != NULL && at == der.p + der.n) pkey = EVP_PKCS82PKEY(info);
  PKCS8_PRIV_KEY_INFO_free(info);
  ERR_clear_error();
  int rc = pkey == NULL ? QM_EFORMAT : kind_check(pkey);
  if (rc == QM_OK) rc = pair_check(pkey);
  if (rc == QM_OK) return key_wrap(env, pkey, out);
  EVP_PKEY_free(pkey);
  return rc;
}

int qm_key_from_pem(const qm_env *env, qm_slice pem, qm_key **out) {
  *out = NULL;
  if (pem.n > QM_PEM_SIZE_MAX) return QM_ELIMIT;
  BIO *bio = BIO_new_mem_buf(pem.n == 0 ? "" : (const void *)pem.p, (int)pem.n);
  if (bio == NULL) return QM_ENOMEM;
  char *name = NULL, *header = NULL;
  unsigned char *der = NULL;
  long der_len = 0;
  int rc = QM_EFORMAT;
  if (PEM_read_bio(bio, &name, &header, &der, &der_len) == 1 &&
      strcmp(name, PEM_STRING_PKCS8INF) == 0) {
    rc = qm_key_from_der(env, qm_slice_of(der, (size_t)der_len), out);
  }
  if (der != NULL) OPENSSL_clear_free(der, (size_t)der_len);
  OPENSSL_free(name);
  OPENSSL_free(header);
  BIO_free(bio);
  ERR_clear_error();
  return rc;
}

int qm_key_to_der(const qm_key *k, qm_buf *out) {
  if (k->sign) return QM_ESTATE;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->pkey);
  unsigned char *der = NULL;
  int n = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  ERR_clear_error();
  if (n <= 0) return QM_ENOMEM;
  qm_buf_add(out, der, (size_t)n);
  OPENSSL_clear_free(der, (size_t)n);
  return qm_buf_status(out);
}

int qm_key_to_pem(const qm_key *k, qm_buf *out) {
  if (k->sign) return QM_ESTATE;
  BIO *bio = BIO_new(BIO_s_mem());
  int rc = QM_ENOMEM;
  if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    qm_buf_add(out, text, (size_t)n);
    qm_wipe(text, (size_t)n);
    rc = qm_buf_status(out);
  }
  BIO_free(bio);
  ERR_clear_error();
  return rc;
}

void qm_key_free(qm_key *k) {
  if (k == NULL) return;
  EVP_PKEY_free(k->pkey);
  if (k->method) qm__signer_method_free(k->method);
  qm_free(k->env, k);
}

qm_slice qm_key_spki(const qm_key *k) { return qm_slice_of(k->spki, sizeof k->spki); }
const qm_id *qm_key_device(const qm_key *k) { return &k->device; }
struct evp_pkey_st *qm__key_pkey(const qm_key *k) {
  return k->pkey;
}

/* DER of a signature -> r ‖ s. */
int qm__sig_from_der(const uint8_t *der, size_t n, uint8_t out[QM_SIG_SIZE]) {
  const unsigned char *at = der;
  ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
  if (sig == NULL) return QM_EINTERNAL;
  int ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SCALAR_SIZE) == SCALAR_SIZE &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SCALAR_SIZE, SCALAR_SIZE) == SCALAR_SIZE;
  ECDSA_SIG_free(sig);
  return ok ? QM_OK : QM_EINTERNAL;
}

/* Made once, then read alone. NULL: out of memory. */
static EC_GROUP *p256;
static CRYPTO_ONCE p256_once = CRYPTO_ONCE_STATIC_INIT;

static void p256_make(void) { p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1); }

/* Only to verify with. QM_EFORMAT: libcrypto refuses a point that is not on the curve. */
static int spki_ec(qm_slice spki, EC_KEY **out) {
  *out = NULL;
  if (!has_form(spki)) return QM_EFORMAT;
  if (!CRYPTO_THREAD_run_once(&p256_once, p256_make) || !p256) return QM_ENOMEM;
  EC_KEY *k = EC_KEY_new();
  EC_POINT *point = EC_POINT_new(p256);
  int rc = k && point && EC_KEY_set_group(k, p256) ? QM_OK : QM_ENOMEM;
  if (rc == QM_OK &&
      !EC_POINT_oct2point(p256, point, spki.p + sizeof qm__spki_prefix, QM_POINT_SIZE, NULL))
    rc = QM_EFORMAT;
  if (rc == QM_OK && !EC_KEY_set_public_key(k, point)) rc = QM_ENOMEM;
  EC_POINT_free(point);
  if (rc == QM_OK) {
    *out = k;
    return QM_OK;
  }
  EC_KEY_free(k);
  ERR_clear_error();
  return rc;
}

static int sig_read(const uint8_t sig[QM_SIG_SIZE], ECDSA_SIG **out) {
  ECDSA_SIG *s = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(sig, SCALAR_SIZE, NULL);
  BIGNUM *v = BN_bin2bn(sig + SCALAR_SIZE, SCALAR_SIZE, NULL);
  *out = s;
  if (s && r && v && ECDSA_SIG_set0(s, r, v) == 1) return QM_OK;
  BN_free(r);
  BN_free(v);
  ECDSA_SIG_free(s);
  *out = NULL;
  return QM_ENOMEM;
}

int qm_key_sign(const qm_key *k, const uint8_t digest[QM_DIGEST_SIZE], uint8_t out[QM_SIG_SIZE]) {
  if (k->sign) return qm__signer_sign(k, digest, out);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
  if (ctx == NULL) return QM_ENOMEM;
  uint8_t der[SIG_DER_MAX];
  size_t n = sizeof der;
  int rc = QM_EINTERNAL;
  if (EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, &n, digest, QM_DIGEST_SIZE) == 1) {
    rc = qm__sig_from_der(der, n, out);
  }
  EVP_PKEY_CTX_free(ctx);
  ERR_clear_error();
  return rc;
}

int qm_verify(qm_slice spki, const uint8_t digest[QM_DIGEST_SIZE], const uint8_t sig[QM_SIG_SIZE]) {
  EC_KEY *key;
  ECDSA_SIG *s;
  QM_TRY(spki_ec(spki, &key));
  int rc = sig_read(sig, &s);
  if (rc == QM_OK) rc = ECDSA_do_verify(digest, QM_DIGEST_SIZE, s, key) == 1 ? QM_OK : QM_EHASH;
  ECDSA_SIG_free(s);
  EC_KEY_free(key);
  ERR_clear_error();
  return rc;
}

int qm_verify_by(qm_slice spki, const qm_id *device, const uint8_t digest[QM_DIGEST_SIZE],
                 const uint8_t sig[QM_SIG_SIZE]) {
  qm_id its;
  qm_spki_device(spki, &its);
  return qm_id_cmp(&its, device) == 0 ? qm_verify(spki, digest, sig) : QM_EFORGED;
}
