#include "sync/ca.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "core/hash.h"

#define DAY_MS UINT64_C(86400000)
/* The last second a certificate can hold: 9999-12-31T23:59:59Z. */
#define TIME_MAX_MS UINT64_C(253402300799000)
#define SERIAL_SIZE 16

struct qm_ca {
  const qm_env *env;
  qm_key *key;
  X509 *cert;
  qm_buf der;
  qm_cert info;
};

/* Dates. Done here and not by mktime and friends, which look at the machine's zone
 * and at the width of its time_t: a phone with 32 bits must read 2051 too. */

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back. A year here
 * begins in March, so that the leap day is its last. */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
  if (month <= 2) year--;
  int64_t era = year / 400;
  unsigned year_of_era = (unsigned)(year - era * 400);
  unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_of(uint64_t days, unsigned *year, unsigned *month, unsigned *day) {
  uint64_t d = days + 719468;
  unsigned era = (unsigned)(d / 146097);
  unsigned of_era = (unsigned)(d % 146097);
  unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned shifted = (5 * of_year + 2) / 153;
  *day = of_year - (153 * shifted + 2) / 5 + 1;
  *month = shifted < 10 ? shifted + 3 : shifted - 9;
  *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

void qm_cert_date(uint64_t ms, char to[QM_DATE_TEXT_SIZE]) {
  unsigned year, month, day;
  date_of((ms < TIME_MAX_MS ? ms : TIME_MAX_MS) / DAY_MS, &year, &month, &day);
  snprintf(to, QM_DATE_TEXT_SIZE, "%04u-%02u-%02u", year % 10000, month % 100, day % 100);
}

static int time_set(ASN1_TIME *to, uint64_t ms) {
  unsigned year, month, day;
  date_of(ms / DAY_MS, &year, &month, &day);
  unsigned second = (unsigned)(ms % DAY_MS / 1000);
  char text[16];
  snprintf(text, sizeof text, "%04u%02u%02u%02u%02u%02uZ", year % 10000, month % 100, day % 100,
           second / 3600, second / 60 % 60, second % 60);
  return ASN1_TIME_set_string_X509(to, text) == 1 ? QM_OK : QM_ENOMEM;
}

static int time_get(const ASN1_TIME *from, uint64_t *ms) {
  struct tm t;
  if (ASN1_TIME_to_tm(from, &t) != 1) return QM_EFORMAT;
  int64_t days = days_of((int64_t)t.tm_year + 1900, (unsigned)t.tm_mon + 1, (unsigned)t.tm_mday);
  int64_t second = days * 86400 + t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
  if (second < 0 || (uint64_t)second > TIME_MAX_MS / 1000) return QM_EFORMAT;
  *ms = (uint64_t)second * 1000;
  return QM_OK;
}

int qm_cert_check_time(const qm_cert *cert, uint64_t now_ms) {
  if (now_ms < cert->not_before_ms) return QM_ECLOCK;
  return now_ms > cert->not_after_ms ? QM_ECERTEXPIRED : QM_OK;
}

int qm_cert_renewal_due(const qm_cert *cert, uint64_t now_ms) {
  if (cert->not_after_ms < cert->not_before_ms) return 1;
  return now_ms >= cert->not_before_ms + (cert->not_after_ms - cert->not_before_ms) / 3 * 2;
}

/* Reading. */

/* DER has one form; OpenSSL reads some others too (unused bits that are set), and would
 * write such a certificate in other bytes than those that were checked. */
static int is_canonical(X509 *x, qm_slice der) {
  unsigned char *again = NULL;
  int n = i2d_X509(x, &again);
  int same = n >= 0 && (size_t)n == der.n && memcmp(again, der.p, der.n) == 0;
  OPENSSL_free(again);
  return same;
}

int qm__cert_decode(qm_slice der, struct x509_st **out) {
  *out = NULL;
  if (der.n == 0 || der.n > QM_CERT_SIZE_MAX) return QM_EFORMAT;
  const unsigned char *at = der.p;
  X509 *x = d2i_X509(NULL, &at, (long)der.n);
  int good = x != NULL && at == der.p + der.n && is_canonical(x, der);
  ERR_clear_error();
  if (!good) {
    X509_free(x);
    return QM_EFORMAT;
  }
  *out = x;
  return QM_OK;
}

static int spki_get(X509 *x, uint8_t out[QM_SPKI_SIZE]) {
  const X509_PUBKEY *pub = X509_get_X509_PUBKEY(x);
  if (pub == NULL || i2d_X509_PUBKEY(pub, NULL) != QM_SPKI_SIZE) return QM_EFORMAT;
  unsigned char *at = out;
  if (i2d_X509_PUBKEY(pub, &at) != QM_SPKI_SIZE) return QM_EFORMAT;
  return qm_spki_check(qm_slice_of(out, QM_SPKI_SIZE));
}

int qm__cert_info(struct x509_st *x, qm_cert *out) {
  memset(out, 0, sizeof *out);
  QM_TRY(spki_get(x, out->spki));
  qm_spki_device(qm_slice_of(out->spki, sizeof out->spki), &out->device);
  QM_TRY(time_get(X509_get0_notBefore(x), &out->not_before_ms));
  QM_TRY(time_get(X509_get0_notAfter(x), &out->not_after_ms));
  out->not_after_ms += 999; /* its last second belongs to it */
  uint32_t flags = X509_get_extension_flags(x);
  if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0) return QM_EFORMAT;
  out->is_ca = (flags & EXFLAG_CA) != 0;
  /* A certificate that states no use would be good for both: here for neither. */
  uint32_t uses = (flags & EXFLAG_XKUSAGE) != 0 ? X509_get_extended_key_usage(x) : 0;
  out->is_server = (uses & XKU_SSL_SERVER) != 0;
  out->is_client = (uses & XKU_SSL_CLIENT) != 0;
  return QM_OK;
}

int qm_cert_read(qm_slice der, qm_cert *out) {
  X509 *x = NULL;
  QM_TRY(qm__cert_decode(der, &x));
  int rc = qm__cert_info(x, out);
  X509_free(x);
  ERR_clear_error();
  return rc;
}

static int signed_by(X509 *cert, X509 *ca) {
  EVP_PKEY *key = X509_get0_pubkey(ca);
  int ok = key != NULL && X509_check_issued(ca, cert) == X509_V_OK && X509_verify(cert, key) == 1;
  ERR_clear_error();
  return ok ? QM_OK : QM_ECERT;
}

int qm_cert_check_issuer(qm_slice cert, qm_slice ca_cert) {
  X509 *x = NULL, *ca = NULL;
  int rc = qm__cert_decode(cert, &x);
  if (rc == QM_OK) rc = qm__cert_decode(ca_cert, &ca);
  if (rc == QM_OK) rc = signed_by(x, ca);
  X509_free(x);
  X509_free(ca);
  return rc;
}

int qm_cert_fingerprint(qm_slice der, uint8_t out[QM_CA_FINGERPRINT_SIZE]) {
  qm_cert info;
  QM_TRY(qm_cert_read(der, &info));
  qm_hash h;
  qm_sha256(info.spki, sizeof info.spki, &h);
  memcpy(out, h.b, QM_CA_FINGERPRINT_SIZE);
  return QM_OK;
}

int qm_cert_to_pem(qm_slice der, qm_buf *out) {
  X509 *x = NULL;
  QM_TRY(qm__cert_decode(der, &x));
  BIO *bio = BIO_new(BIO_s_mem());
  int rc = QM_ENOMEM;
  if (bio != NULL && PEM_write_bio_X509(bio, x) == 1) {
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    qm_buf_add(out, text, (size_t)n);
    rc = qm_buf_status(out);
  }
  BIO_free(bio);
  X509_free(x);
  ERR_clear_error();
  return rc;
}

int qm_cert_from_pem(qm_slice pem, qm_buf *out_der) {
  if (pem.n > QM_PEM_SIZE_MAX) return QM_ELIMIT;
  BIO *bio = BIO_new_mem_buf(pem.n == 0 ? "" : (const void *)pem.p, (int)pem.n);
  if (bio == NULL) return QM_ENOMEM;
  X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  unsigned char *der = NULL;
  int n = x == NULL ? -1 : i2d_X509(x, &der);
  X509_free(x);
  ERR_clear_error();
  if (n <= 0 || n > QM_CERT_SIZE_MAX) {
    OPENSSL_free(der);
    return QM_EFORMAT;
  }
  qm_buf_add(out_der, der, (size_t)n);
  OPENSSL_free(der);
  return qm_buf_status(out_der);
}

/* Writing. */

static int serial_set(const qm_env *env, X509 *x) {
  uint8_t serial[SERIAL_SIZE];
  if (env->random == NULL) return QM_EIO;
  QM_TRY(env->random(env->payload, serial, sizeof serial));
  /* RFC 5280 §4.1.2.2: positive; the second bit keeps the length the same. */
  serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
  BIGNUM *n = BN_bin2bn(serial, sizeof serial, NULL);
  int ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
  BN_free(n);
  return ok ? QM_OK : QM_ENOMEM;
}

static int extension_add(X509V3_CTX *ctx, X509 *x, int nid, const char *text) {
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, text);
  int ok = e != NULL && X509_add_ext(x, e, -1) == 1;
  X509_EXTENSION_free(e);
  return ok ? QM_OK : QM_ENOMEM;
}

typedef struct extension {
  int nid;
  const char *text;
} extension;

static int extensions_add(X509 *x, X509 *issuer, const extension *list, size_t count) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
  for (size_t i = 0; i < count; i++) QM_TRY(extension_add(&ctx, x, list[i].nid, list[i].text));
  return QM_OK;
}

/* A certificate without extensions, not signed yet. The caller frees *out. */
static int cert_begin(const qm_env *env, qm_slice spki, qm_slice name, uint64_t not_before_ms,
                      uint64_t not_after_ms, X509 **out) {
  EVP_PKEY *pkey = NULL;
  QM_TRY(qm__spki_pkey(spki, &pkey));
  X509 *x = X509_new();
  int rc = x == NULL ? QM_ENOMEM : QM_OK;
  if (rc == QM_OK && (X509_set_version(x, X509_VERSION_3) != 1 || X509_set_pubkey(x, pkey) != 1)) {
    rc = QM_ENOMEM;
  }
  EVP_PKEY_free(pkey);
  if (rc == QM_OK) rc = serial_set(env, x);
  if (rc == QM_OK) rc = time_set(X509_getm_notBefore(x), not_before_ms);
  if (rc == QM_OK) rc = time_set(X509_getm_notAfter(x), not_after_ms);
  if (rc == QM_OK && X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName,
                                                MBSTRING_UTF8, name.p, (int)name.n, -1, 0) != 1) {
    rc = QM_EINVAL; /* not UTF-8 */
  }
  ERR_clear_error();
  if (rc != QM_OK) {
    X509_free(x);
    return rc;
  }
  *out = x;
  return QM_OK;
}

static int cert_sign(X509 *x, const qm_key *key) {
  int ok = X509_sign(x, qm__key_pkey(key), EVP_sha256()) > 0;
  ERR_clear_error();
  return ok ? QM_OK : QM_ENOMEM;
}

static int cert_append(X509 *x, qm_buf *out) {
  unsigned char *der = NULL;
  int n = i2d_X509(x, &der);
  if (n <= 0) return QM_ENOMEM;
  qm_buf_add(out, der, (size_t)n);
  OPENSSL_free(der);
  return qm_buf_status(out);
}

/* Takes key and cert. */
static int ca_wrap(const qm_env *env, X509 *cert, qm_key *key, qm_ca **out) {
  qm_ca *ca = qm_alloc_zero(env, sizeof *ca);
  if (ca == NULL) {
    X509_free(cert);
    qm_key_free(key);
    return QM_ENOMEM;
  }
  ca->env = env;
  ca->cert = cert;
  ca->key = key;
  qm_buf_init(&ca->der, env, QM_CERT_SIZE_MAX);
  int rc = cert_append(cert, &ca->der);
  if (rc == QM_OK) rc = qm__cert_info(cert, &ca->info);
  if (rc == QM_OK && !ca->info.is_ca) rc = QM_ECERT;
  if (rc == QM_OK) rc = signed_by(cert, cert);
  if (rc == QM_OK && memcmp(ca->info.spki, qm_key_spki(key).p, QM_SPKI_SIZE) != 0) rc = QM_EINVAL;
  if (rc != QM_OK) {
    qm_ca_free(ca);
    return rc;
  }
  *out = ca;
  return QM_OK;
}

int qm_ca_create(const qm_env *env, qm_slice name, uint64_t now_ms, qm_ca **out) {
  static const extension list[] = {
      {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
      {NID_key_usage, "critical,keyCertSign,cRLSign"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
  };
  *out = NULL;
  if (name.n == 0 || name.n > QM_CA_NAME_SIZE_MAX) return QM_EINVAL;
  if (now_ms < DAY_MS || now_ms > TIME_MAX_MS - QM_CA_DAYS * DAY_MS) return QM_ECLOCK;
  qm_key *key = NULL;
  QM_TRY(qm_key_generate(env, &key));
  X509 *x = NULL;
  int rc =
      cert_begin(env, qm_key_spki(key), name, now_ms - DAY_MS, now_ms + QM_CA_DAYS * DAY_MS, &x);
  if (rc == QM_OK && X509_set_issuer_name(x, X509_get_subject_name(x)) != 1) rc = QM_ENOMEM;
  if (rc == QM_OK) rc = extensions_add(x, x, list, sizeof list / sizeof list[0]);
  if (rc == QM_OK) rc = cert_sign(x, key);
  if (rc == QM_OK) return ca_wrap(env, x, key, out);
  X509_free(x);
  qm_key_free(key);
  ERR_clear_error();
  return rc;
}

int qm_ca_load(const qm_env *env, qm_slice cert_der, qm_key *key, qm_ca **out) {
  *out = NULL;
  X509 *x = NULL;
  int rc = qm__cert_decode(cert_der, &x);
  if (rc != QM_OK) {
    qm_key_free(key);
    return rc;
  }
  return ca_wrap(env, x, key, out);
}

void qm_ca_free(qm_ca *ca) {
  if (ca == NULL) return;
  X509_free(ca->cert);
  qm_key_free(ca->key);
  qm_buf_free(&ca->der);
  qm_free(ca->env, ca);
}

qm_slice qm_ca_cert(const qm_ca *ca) { return qm_buf_slice(&ca->der); }
const qm_key *qm_ca_key(const qm_ca *ca) { return ca->key; }

/* The host part of a URL, so to say: letters, digits, dots, hyphens. */
static int is_host_name(qm_slice name) {
  for (size_t i = 0; i < name.n; i++) {
    uint8_t c = name.p[i];
    int alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alnum && c != '.' && c != '-') return 0;
  }
  return 1;
}

static int general_name_make(qm_slice name, GENERAL_NAME **out) {
  char text[QM_HUB_NAME_SIZE_MAX + 1];
  if (name.n == 0 || name.n > QM_HUB_NAME_SIZE_MAX || memchr(name.p, 0, name.n) != NULL) {
    return QM_EINVAL;
  }
  memcpy(text, name.p, name.n);
  text[name.n] = '\0';
  int type = GEN_IPADD;
  ASN1_OCTET_STRING *value = a2i_IPADDRESS(text);
  if (value == NULL) {
    if (!is_host_name(name)) return QM_EINVAL;
    type = GEN_DNS;
    value = ASN1_IA5STRING_new();
    if (value == NULL) return QM_ENOMEM;
    if (ASN1_STRING_set(value, text, (int)name.n) != 1) {
      ASN1_STRING_free(value);
      return QM_ENOMEM;
    }
  }
  *out = GENERAL_NAME_new();
  if (*out == NULL) {
    ASN1_STRING_free(value);
    return QM_ENOMEM;
  }
  GENERAL_NAME_set0_value(*out, type, value);
  return QM_OK;
}

static int names_add(X509 *x, const qm_slice *names, size_t count) {
  if (count == 0) return QM_OK;
  if (count > QM_HUB_NAMES_MAX) return QM_EINVAL;
  GENERAL_NAMES *list = GENERAL_NAMES_new();
  int rc = list == NULL ? QM_ENOMEM : QM_OK;
  for (size_t i = 0; rc == QM_OK && i < count; i++) {
    GENERAL_NAME *one = NULL;
    rc = general_name_make(names[i], &one);
    if (rc == QM_OK && sk_GENERAL_NAME_push(list, one) <= 0) {
      GENERAL_NAME_free(one);
      rc = QM_ENOMEM;
    }
  }
  if (rc == QM_OK && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) != 1) {
    rc = QM_ENOMEM;
  }
  GENERAL_NAMES_free(list);
  return rc;
}

typedef struct leaf {
  const char *use;
  uint32_t days;
  const qm_slice *names;
  size_t name_count;
} leaf;

static int leaf_finish(const qm_ca *ca, X509 *x, const leaf *what, qm_buf *out) {
  const extension list[] = {
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, what->use},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
  };
  if (X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) != 1) return QM_ENOMEM;
  QM_TRY(extensions_add(x, ca->cert, list, sizeof list / sizeof list[0]));
  QM_TRY(names_add(x, what->names, what->name_count));
  QM_TRY(cert_sign(x, ca->key));
  return cert_append(x, out);
}

static int leaf_issue(const qm_ca *ca, qm_slice spki, const leaf *what, uint64_t now_ms,
                      qm_buf *out) {
  QM_TRY(qm_cert_check_time(&ca->info, now_ms));
  uint64_t begin = now_ms - DAY_MS, end = now_ms + what->days * DAY_MS;
  if (now_ms < ca->info.not_before_ms + DAY_MS) begin = ca->info.not_before_ms;
  if (end > ca->info.not_after_ms) end = ca->info.not_after_ms;
  qm_id device;
  qm_spki_device(spki, &device);
  char name[2 * QM_ID_SIZE + 1];
  qm_hex(name, device.b, sizeof device.b);
  X509 *x = NULL;
  QM_TRY(cert_begin(ca->env, spki, qm_slice_of(name, 2 * QM_ID_SIZE), begin, end, &x));
  int rc = leaf_finish(ca, x, what, out);
  X509_free(x);
  ERR_clear_error();
  return rc;
}

int qm_ca_issue_device(const qm_ca *ca, qm_slice spki, uint64_t now_ms, qm_buf *out) {
  leaf what = {"clientAuth", QM_DEVICE_CERT_DAYS, NULL, 0};
  return leaf_issue(ca, spki, &what, now_ms, out);
}

int qm_ca_issue_hub(const qm_ca *ca, qm_slice spki, const qm_slice *names, size_t name_count,
                    uint32_t days, uint64_t now_ms, qm_buf *out) {
  if (days == 0 || days > QM_CA_DAYS) return QM_EINVAL;
  leaf what = {"serverAuth", days, names, name_count};
  return leaf_issue(ca, spki, &what, now_ms, out);
}
