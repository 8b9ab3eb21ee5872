/* id: the fixed-size identifiers and their text forms. */
#ifndef QM_ID_H
#define QM_ID_H

#include "mem.h"

#define QM_ID_SIZE 16
#define QM_AUTHOR_SIZE 24

typedef struct qm_id { uint8_t b[QM_ID_SIZE]; } qm_id;             /* record, space or device */
typedef struct qm_author { uint8_t b[QM_AUTHOR_SIZE]; } qm_author; /* device id ‖ 8-byte epoch */

int qm_id_cmp(const qm_id *a, const qm_id *b);
/* The first eight bytes as a number, which orders as they do: most ids differ there. */
static inline uint64_t qm_id_head(const qm_id *id) {
  uint64_t v = 0;
  for (int i = 0; i < 8; i++) v = v << 8 | id->b[i];
  return v;
}
int qm_id_is_zero(const qm_id *a);
int qm_author_cmp(const qm_author *a, const qm_author *b);
void qm_author_make(qm_author *out, const qm_id *device, const uint8_t epoch[8]);
void qm_author_device(const qm_author *a, qm_id *out);

/* Lower-case hex; `to` holds 2n+1 bytes and is NUL-terminated. */
void qm_hex(char *to, const void *p, size_t n);
/* Exactly n bytes from 2n digits of either case, else QM_EFORMAT. */
int qm_unhex(void *to, size_t n, const char *text, size_t len);

/* Crockford base32 (O read as 0, I and L as 1, case ignored, hyphens and spaces
 * skipped). Writes ceil(8n/5) characters and a NUL. */
void qm_base32(char *to, const void *p, size_t n);
/* Decodes the whole text to exactly n bytes; unused low bits must be 0.
 * QM_EFORMAT on another character or a wrong length. */
int qm_unbase32(void *to, size_t n, const char *text, size_t len);
/* Check character (Crockford): the number that qm_base32's symbols spell, mod 37,
 * in the alphabet followed by *~$=U. */
char qm_base32_check(const void *p, size_t n);

#endif
