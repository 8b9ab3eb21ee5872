/* norm: Unicode normal forms by utf8proc, the only user. */
#ifndef QM_NORM_H
#define QM_NORM_H

#include "buf.h"

typedef enum qm_norm_form {
  QM_NORM_EXACT = 0,    /* NFKC, trimmed of white space at both ends */
  QM_NORM_CASEFOLD = 1  /* the same, case-folded */
} qm_norm_form;

/* 1 where s is well-formed UTF-8 (no surrogates, no overlong forms, at most
 * U+10FFFF), else 0. Sets *codepoints (may be NULL). Does not allocate. */
int qm_utf8_check(qm_slice s, size_t *codepoints);
/* Byte offset of code point `index` in checked UTF-8 (n of s where beyond). */
size_t qm_utf8_offset(qm_slice s, size_t index);
/* Appends the normal form of a natural key. QM_EUTF8, QM_ENOMEM, QM_ELIMIT. */
int qm_norm_key(qm_buf *out, qm_slice text, qm_norm_form form);
/* Display columns of checked UTF-8 (East Asian wide = 2, combining = 0). */
size_t qm_text_columns(qm_slice s);

#endif
