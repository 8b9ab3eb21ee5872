/* batch: whole segments of one space in the sender's arrival order, as columns with
 * dictionaries, compressed once. The only form on the wire, in the log and in files;
 * the unit of commit, acknowledgement and resume. The form does not depend on the
 * receiver. Layout: SPEC §5.
 *
 * Single-threaded; nothing is shared between calls. What a call hands out lives in
 * the arena it was given. */
#ifndef QM_BATCH_H
#define QM_BATCH_H

#include "core/segment.h"

#define QM_BATCH_RAW_MAX 1048576u /* bytes before compression */
#define QM_BATCH_MAX 1100000u     /* bytes of an encoded batch */
#define QM_BATCH_SEGMENTS_MAX 1024u
#define QM_BATCH_OPS_MAX 65536u
#define QM_BATCH_AUTHORS_MAX 65536u

typedef struct qm_batch {
  qm_segment *segments;
  uint32_t n_segments;
} qm_batch;

/* What the log's index and a session need of a segment. */
typedef struct qm_batch_head {
  uint32_t author; /* dictionary place */
  uint32_t n_changes;
  uint64_t start, next;
  uint8_t previous[QM_HEAD_SIZE]; /* head of the segment before, zero for the first */
  uint8_t head[QM_HEAD_SIZE];     /* of this one, as claimed */
} qm_batch_head;

/* A batch being read: open, map the authors, then read. */
typedef struct qm_batch_in {
  qm_arena *arena;
  qm_author *authors; /* dictionary, each once */
  uint32_t n_authors;
  uint32_t *map; /* dictionary place -> local number; filled by the caller */
  qm_batch_head *segments;
  uint32_t n_segments;
  void *body; /* the decompressed columns; NULL after qm_batch_heads */
} qm_batch_in;

/* How a batch is written. Readers know all. */
typedef enum qm_batch_form {
  QM_BATCH_OLD = 1,   /* version 1: for peers that know no other (S8.3) */
  QM_BATCH_PLAIN = 2, /* version 2, by itself */
  QM_BATCH_WORDS = 3  /* version 2, with the text of core/words.h where that is smaller */
} qm_batch_form;

/* Appends the encoded batch. level: zstd's (0 = default 3). Names a record by the
 * op's creation dot where it has one and the batch does not hold the record by id
 * already. An op with QM_BY_CREATION may have a zero record id (not resolved yet).
 * QM_ELIMIT where it is larger than QM_BATCH_RAW_MAX before compression or holds too
 * many ops or segments (the caller then sends fewer segments), QM_EMALFORMED where a
 * segment is not well-formed in itself (qm_segment_check says why), QM_EINVAL (an
 * author not in the table), QM_ENOMEM. On failure nothing is appended. */
int qm_batch_encode(qm_buf *out, const qm_batch *b, const qm_authors *authors, int level);
/* The same in another form; qm_batch_encode writes QM_BATCH_WORDS. */
int qm_batch_encode_as(qm_buf *out, const qm_batch *b, const qm_authors *authors, int level,
                       qm_batch_form form);
/* Appends the batch `blob` in another form. Errors of qm_batch_open, qm_batch_read and
 * qm_batch_encode. */
int qm_batch_recode(qm_buf *out, qm_slice blob, int level, qm_batch_form form);
/* Where the batch that is all of *blob is of another version than 1, puts it in QM_BATCH_OLD in
 * its place: whatever can be read fits. Errors as above. */
int qm_batch_make_old(qm_buf *blob);
/* Decompresses and reads dictionary and segment heads. `blob` is borrowed until the
 * call returns. in->map has n_authors entries that say UINT32_MAX until they are
 * filled. Errors of cur, QM_EFORMAT, QM_EVERSION (a batch version not known),
 * QM_EOVERSIZE, QM_EDUPKEY (an author twice), QM_ENOMEM. */
int qm_batch_open(qm_batch_in *in, qm_slice blob, qm_arena *arena);
/* Decodes all columns into *out, with authors mapped through in->map; once for each
 * open. Ops whose record is named by creation dot come with named = QM_BY_CREATION,
 * `created` set and a zero record id: the caller resolves and fills them in; ops in a
 * row on one record follow each other, so remembering the last answer is enough.
 * Structure only: call qm_segment_check for the rest. Values borrow the decompressed
 * bytes (in the arena). QM_EINVAL where the map is not filled, QM_ESTATE when called
 * twice, QM_EMALFORMED (unknown shape or kind, counters that do not add up), QM_EFORMAT
 * and the other errors of cur, QM_ETRAILING (a column not used up), QM_ENOMEM. */
int qm_batch_read(qm_batch_in *in, qm_batch *out);
/* Dictionary and segment heads only, from the part that is not compressed: for the
 * log's index. Checks nothing beyond that part. Errors of qm_batch_open. */
int qm_batch_heads(qm_slice blob, qm_arena *arena, qm_batch_in *in);

#endif
