/* code: the one-time enrolment code, as a person reads it out or a camera reads it.
 *
 *   text = base32(secret ‖ fingerprint) ‖ check, in groups of four joined by '-'
 *
 * secret: 10 random bytes; the hub keeps SHA-256 of them only. fingerprint: the first
 * 12 bytes of SHA-256 of the CA's SPKI, by which the device knows the hub. base32 and
 * check character are Crockford's (core/id.h), the check over the 22 bytes: 36 + 1
 * symbols, 46 characters. Read in either case, O as 0, I and L as 1, hyphens and
 * spaces anywhere. No I/O; thread-safe. */
#ifndef QM_SYNC_CODE_H
#define QM_SYNC_CODE_H

#include "core/env.h"
#include "core/hash.h"
#include "core/mem.h"

#define QM_CODE_SECRET_SIZE 10
#define QM_CODE_FINGERPRINT_SIZE 12
#define QM_CODE_SYMBOLS 37
#define QM_CODE_TEXT_SIZE 47 /* with the NUL */

typedef struct qm_enrol_code {
  uint8_t secret[QM_CODE_SECRET_SIZE];
  uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE];
} qm_enrol_code;

/* A new code with a secret from env->random. QM_EIO. */
int qm_code_make(const qm_env *env, const uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE],
                 qm_enrol_code *out);
/* The text form, NUL-terminated. It is a secret: shown once, never logged. */
void qm_code_text(const qm_enrol_code *code, char to[QM_CODE_TEXT_SIZE]);
/* Reads the text form. QM_ECODE where it is mistyped, with the place in *e (may be
 * NULL); the message holds no part of the code. */
int qm_code_parse(const char *text, size_t len, qm_enrol_code *out, qm_error *e);
/* What the hub keeps and looks a code up by: SHA-256 of the secret. */
void qm_code_id(const uint8_t secret[QM_CODE_SECRET_SIZE], qm_hash *out);

#endif
