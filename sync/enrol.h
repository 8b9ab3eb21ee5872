/* enrol: the two messages of enrolment, ALPN qianmo-enroll/1.
 *
 *   request  [1, secret bin 10, spki bin 91, proof bin 64, device name str]
 *   response [2, code int, certificate bin, CA certificate bin, hub id bin 16,
 *             [[space id bin 16, name str, secret bin 32, schema version uint,
 *               schema bin, role str] …], member str, now_ms uint]
 *
 * The device sends the request once the hub has shown the CA of its code, so the
 * secret goes to nobody else. The proof is the device's signature over
 * SHA-256("qianmo-enroll/1 proof" ‖ 0x00 ‖ SHA-256(secret) ‖ SPKI): it holds the key, and
 * nobody can enrol a key of another, nor use the proof with another code.
 * A response with a code other than 0 is a refusal: a negative QM_E… number, all bins,
 * strs and the list empty, the hub id zero; only now_ms says something.
 *
 * Decoding is strict: shortest forms, exact sizes, no bytes after the end, no control
 * characters in names, no space twice. It borrows the input. No I/O; thread-safe. */
#ifndef QM_SYNC_ENROL_H
#define QM_SYNC_ENROL_H

#include "sync/ca.h"
#include "sync/code.h"

#define QM_ENROL_REQUEST_MAX 512u      /* bytes encoded */
#define QM_ENROL_RESPONSE_MAX 4194304u /* bytes encoded */
#define QM_ENROL_NAME_MAX 256u         /* bytes: device, member and space names */
#define QM_ENROL_ROLE_MAX 256u         /* bytes */
#define QM_ENROL_SPACES_MAX 4096u      /* as many as one session syncs */
#define QM_SPACE_SECRET_SIZE 32

typedef struct qm_enrol_request {
  uint8_t secret[QM_CODE_SECRET_SIZE];
  uint8_t spki[QM_SPKI_SIZE];
  uint8_t proof[QM_SIG_SIZE];
  qm_slice name; /* what the device calls itself; may be empty */
} qm_enrol_request;

typedef struct qm_enrol_space {
  qm_id id;
  qm_slice name;
  uint8_t secret[QM_SPACE_SECRET_SIZE];
  uint32_t schema_version; /* 0 where schema is empty: it comes with the first session */
  qm_slice schema;         /* MessagePack form */
  qm_slice role;
} qm_enrol_space;

typedef struct qm_enrol_response {
  int code;          /* QM_OK, or why the hub refuses */
  qm_slice cert, ca; /* DER */
  qm_id hub;
  const qm_enrol_space *spaces;
  uint32_t space_count;
  qm_slice member;
  uint64_t now_ms; /* the hub's clock */
} qm_enrol_response;

/* What the proof signs; sign it with qm_key_sign, or with env->sign where the key
 * lives in a key store. */
void qm_enrol_proof_digest(const uint8_t secret[QM_CODE_SECRET_SIZE], qm_slice spki,
                           uint8_t out[QM_DIGEST_SIZE]);
/* QM_EHASH where the request does not prove its key, QM_EFORMAT where that is no key. */
int qm_enrol_proof_check(const qm_enrol_request *r);

/* Append to *out. QM_EINVAL where a value is outside the form above, QM_ELIMIT where the
 * whole is too large, QM_ENOMEM. The buffers hold secrets: the caller wipes them. */
int qm_enrol_request_encode(const qm_enrol_request *r, qm_buf *out);
int qm_enrol_response_encode(const qm_enrol_response *r, qm_buf *out);
/* `in` is one whole message. Slices of *out borrow `in`; the spaces live in `arena`. The
 * cursor's errors, or QM_EFORMAT (another message, a value outside the form),
 * QM_EDUPKEY (a space twice), QM_EOVERSIZE, QM_ENOMEM. */
int qm_enrol_request_decode(qm_slice in, qm_enrol_request *out);
int qm_enrol_response_decode(qm_slice in, qm_arena *arena, qm_enrol_response *out);

/* On the device: does the response fit what was asked? The CA is the one of the code,
 * it signed the certificate, and that is for this key and clientAuth. QM_ECERT, else
 * the errors of reading. */
int qm_enrol_response_check(const qm_enrol_response *r,
                            const uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE], qm_slice spki);

#endif
