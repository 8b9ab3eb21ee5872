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
typedef enum qm_char_class {
  QM_CHAR_BREAK = 0, /* white space, punctuation, signs */
  QM_CHAR_WORD = 1,  /* letters and digits that make up words */
  QM_CHAR_IDEOGRAPH = 2, /* Han, and kana: scripts that put no blanks between words */
  QM_CHAR_MARK = 3   /* stands on the character before */
} qm_char_class;
/* Of a code point (after qm_fold_char). */
qm_char_class qm_char_class_of(uint32_t c);
#define QM_FOLD_MAX 18u
/* Folds one code point for searching: compatibility decomposition, case folding, marks left
 * out (so texts that are equal under NFKC, case or accents fold to the same). Gives how many
 * code points stand in `to`. */
size_t qm_fold_char(uint32_t c, uint32_t to[QM_FOLD_MAX]);
/* Reads the code point at *i of any bytes and moves *i beyond it; U+FFFD for a byte that is
 * not well-formed UTF-8. *i < s.n. */
uint32_t qm_utf8_next(qm_slice s, size_t *i);
/* Display columns of checked UTF-8 (East Asian wide = 2, combining = 0). */
size_t qm_text_columns(qm_slice s);

#endif
