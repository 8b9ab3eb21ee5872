/* ca: the hub as its own small certificate authority, and what is read from
 * certificates.
 *
 * One root (P-256, self-signed, 20 years) signs every certificate itself: the
 * hub's (serverAuth) and the devices' (clientAuth, one year). There is nothing
 * between root and leaf. A certificate names a device by its key alone: the subject
 * is for people, the id is the hash of the key. Who signs one is told that the
 * device holds the key: see sync/enrol.h.
 *
 * No I/O and no clock: `now_ms` is the caller's, milliseconds since 1970 UTC.
 * Certificates begin one day before it, so that a phone whose clock is somewhat
 * behind can use a fresh one. A qm_ca does not change after it is made and may be
 * used from several threads at once. */
#ifndef QM_SYNC_CA_H
#define QM_SYNC_CA_H

#include "sync/crypto.h"

#define QM_CA_FINGERPRINT_SIZE 12
/* Largest certificate (DER) that is read. Ours take about 450 bytes. */
#define QM_CERT_SIZE_MAX 4096
#define QM_CA_DAYS 7305
#define QM_DEVICE_CERT_DAYS 365
#define QM_HUB_NAMES_MAX 64
#define QM_HUB_NAME_SIZE_MAX 253
#define QM_CA_NAME_SIZE_MAX 64

typedef struct qm_ca qm_ca;

/* What a certificate says. */
typedef struct qm_cert {
  uint8_t spki[QM_SPKI_SIZE];
  qm_id device; /* first 16 bytes of SHA-256(spki) */
  uint64_t not_before_ms;
  uint64_t not_after_ms; /* the last moment in which it is valid */
  int is_ca;
  int is_server; /* says serverAuth */
  int is_client; /* says clientAuth */
} qm_cert;

/* A new CA with a new key; `name` is its common name, UTF-8, 1 to 64 bytes. The
 * caller frees *out; borrows env until then. QM_EINVAL (name), QM_ECLOCK (now_ms is
 * not a time a certificate can hold), QM_EIO (no entropy), QM_ENOMEM. */
int qm_ca_create(const qm_env *env, qm_slice name, uint64_t now_ms, qm_ca **out);
/* A CA from what it was saved as. Takes key (frees it also on failure). QM_EFORMAT,
 * QM_ECERT where cert is no self-signed CA, QM_EINVAL where key is not its key. */
int qm_ca_load(const qm_env *env, qm_slice cert_der, qm_key *key, qm_ca **out);
void qm_ca_free(qm_ca *ca); /* NULL is fine */
/* Borrowed from ca. */
qm_slice qm_ca_cert(const qm_ca *ca); /* DER */
const qm_key *qm_ca_key(const qm_ca *ca);

/* Append a certificate (DER) for the key `spki` to *out. The end is never after the
 * CA's own. QM_EFORMAT (spki), QM_ECLOCK (now_ms before the CA's beginning),
 * QM_ECERTEXPIRED (the CA has ended), QM_EIO (no entropy), QM_ENOMEM, QM_ELIMIT. */
int qm_ca_issue_device(const qm_ca *ca, qm_slice spki, uint64_t now_ms, qm_buf *out);
/* `names`: host names and IP addresses as text, put into the certificate for other
 * TLS programs; qianmo's own client looks at the CA, not at them. `days` 1 to
 * QM_CA_DAYS. QM_EINVAL where a name is neither. */
int qm_ca_issue_hub(const qm_ca *ca, qm_slice spki, const qm_slice *names, size_t name_count,
                    uint32_t days, uint64_t now_ms, qm_buf *out);

/* Reads a certificate (DER, nothing after it). QM_EFORMAT where it is malformed, its
 * key is not P-256 in its one form, or its dates are outside 1970 to 9999. */
int qm_cert_read(qm_slice der, qm_cert *out);
/* 0 where `cert` names `ca_cert` as its issuer and its key signed it; QM_ECERT where
 * not, QM_EFORMAT. Says nothing about dates and uses. */
int qm_cert_check_issuer(qm_slice cert, qm_slice ca_cert);
/* QM_OK, QM_ECLOCK (now_ms is before it begins: the clock is wrong) or
 * QM_ECERTEXPIRED. */
int qm_cert_check_time(const qm_cert *cert, uint64_t now_ms);
/* 1 once two thirds of its life are over: renew at the next sync. */
int qm_cert_renewal_due(const qm_cert *cert, uint64_t now_ms);
/* First 12 bytes of SHA-256 of the certificate's SPKI. QM_EFORMAT. */
int qm_cert_fingerprint(qm_slice der, uint8_t out[QM_CA_FINGERPRINT_SIZE]);

/* The text form for files. Both append. QM_EFORMAT, QM_ELIMIT, QM_ENOMEM. */
int qm_cert_to_pem(qm_slice der, qm_buf *out);
int qm_cert_from_pem(qm_slice pem, qm_buf *out_der);

/* "2031-05-07" and a NUL: the UTC day of ms, for messages. */
#define QM_DATE_TEXT_SIZE 11
void qm_cert_date(uint64_t ms, char to[QM_DATE_TEXT_SIZE]);

/* For sync/tls.c only. */
struct x509_st;
int qm__cert_decode(qm_slice der, struct x509_st **out); /* the caller frees with X509_free */
int qm__cert_info(struct x509_st *x, qm_cert *out);

#endif
