/* batch_small: one small segment of a session that stays, in its compact form (SPEC §5,
 * S5.19 on): no columns, no zstd, and nothing that a replica which holds the author up to the
 * segment before knows already. It says neither space nor start nor `previous`: they enter the
 * segment's hash, of which it bears the head, so that a replica which stands elsewhere finds
 * that it cannot take it. It never lies in a log or a file.
 *
 * Single-threaded; nothing is shared between calls. */
#ifndef QM_BATCH_SMALL_H
#define QM_BATCH_SMALL_H

#include "core/batch.h"

/* Batch versions from here on are this form. */
#define QM_SMALL_VERSION 0x80u
#define QM_SMALL_MAX 4000u /* bytes */
#define QM_SMALL_CHANGES_MAX 64u
#define QM_SMALL_OPS_MAX 256u
/* Authors named by tag, each looked for among all. */
#define QM_SMALL_TAGS_MAX 64u

/* One that is being read: open, then, with what is here of its author, read. */
typedef struct qm_small_in {
  const qm_authors *authors;
  qm_slice rest;
  uint8_t flags;
  uint32_t tags;    /* so far */
  uint32_t author;  /* local number; UINT32_MAX: one that the table lacks, */
  qm_author id;     /* this one */
} qm_small_in;

/* 1 where the blob is of this form. */
int qm_is_small(qm_slice blob);

/* Appends the segment. QM_ELIMIT where it is none of this form (an op was erased, beyond a
 * bound), QM_EINVAL (an author not in the table), QM_ENOMEM. On failure nothing is appended. */
int qm_small_encode(qm_buf *out, const qm_segment *g, const qm_authors *authors);
/* Reads whose it is; `blob` is borrowed until read has returned. QM_ENOTFOUND where a tag means
 * none here, or several; errors of cur, QM_EVERSION, QM_EFORMAT, QM_EOVERSIZE. */
int qm_small_open(qm_small_in *in, qm_slice blob, const qm_authors *authors);
/* The segment as it goes on from `start`, where the author's last change has the time `last`
 * and its last segment the head `previous`. Records named by a creation dot come as out of
 * qm_batch_read. Structure only: qm_segment_check for the rest, and the hash says whether it
 * does go on from there. Everything lives in the arena. QM_ENOTFOUND: it names an author that
 * is not here; QM_EMALFORMED, QM_EFORMAT, QM_ETRAILING and the other errors of cur, QM_EOVERSIZE,
 * QM_ENOMEM. */
int qm_small_read(qm_small_in *in, uint32_t author, uint64_t start, qm_time last,
                  const uint8_t previous[QM_HEAD_SIZE], qm_arena *arena, qm_segment *out);

#endif
