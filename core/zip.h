/* zip: zstd, the only user. Frames carry their content size; a frame that claims
 * more than the caller allows is refused before anything is allocated. */
#ifndef QM_ZIP_H
#define QM_ZIP_H

#include "buf.h"

/* Appends one zstd frame holding `in`, with content size, without checksum and
 * dictionary id. level: zstd's; from 10 on the window, and with it memory, is bounded (512 KiB,
 * about 16 MB). QM_ENOMEM, QM_ELIMIT. */
int qm_zip(qm_buf *out, qm_slice in, int level);
/* The same of content that changes its nature at `ends` (n of them, ascending, the last of them
 * in.n): a block ends there, so that each stretch has codes of its own, and finds what it repeats
 * in those before. Worth it for stretches of a few thousand bytes. */
int qm_zip_parts(qm_buf *out, qm_slice in, int level, const size_t *ends, size_t n);
/* The frame without its first four bytes, which are the same in all (its magic number); content
 * may repeat what stands in `words` (n 0: nothing), which the reader must have. */
int qm_zip_words(qm_buf *out, qm_slice in, int level, qm_slice words, const size_t *ends, size_t n);
/* Appends the content of exactly one frame that fills `in`. QM_EOVERSIZE where it
 * claims more than size_max bytes or no size, QM_EFORMAT where it does not decode
 * to what it claims, QM_ETRAILING, QM_ENOMEM. Window is capped to size_max. */
int qm_unzip(qm_buf *out, qm_slice in, size_t size_max);
/* The same of what qm_zip_words wrote. */
int qm_unzip_words(qm_buf *out, qm_slice in, size_t size_max, qm_slice words);

#endif
