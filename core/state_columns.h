/* state_columns: records of a snapshot as columns (SPEC S9.9). What stands in all of them at
 * one place (an id's first byte, a field's texts, the counters of its dots) stands together,
 * where it compresses; what follows from something else (an author's number within a record,
 * the time of a dot whose change is told) is not written. Reading gives the same bytes back,
 * and whether they are a record's is judged there, by the codec of records.
 *
 * Writer: state_columns.c; reader: state_columns_read.c. Neither looks at the schema. */
#ifndef QM_STATE_COLUMNS_H
#define QM_STATE_COLUMNS_H

#include "buf.h"
#include "pack.h"

/* Items of records that are written as one block: no more bytes than this, or one record. */
#define QM_BLOCK_BYTES 3145728u
/* All columns of a block before compression. What would need more is not written so. */
#define QM_BLOCK_RAW_MAX QM_BLOCK_BYTES
#define QM_BLOCK_KINDS_MAX 2048u
#define QM_BLOCK_DOTS_MAX 262144u
#define QM_BLOCK_LISTED_MAX 65536u

/* What the bytes of a snapshot's records are, for those who measure it. */
typedef struct qm_columns_sizes {
  uint64_t ids, values, digests, dots, times, rest; /* as compressed */
} qm_columns_sizes;

/* Appends the columns of `items`: records of a stream (S9.1), each behind its length.
 * rank: of the n_authors places that their blobs name, by author id. level: zstd's. sizes:
 * added to; may be NULL. QM_ELIMIT where they do not fit the limits above or are no records:
 * then they travel as they are. QM_ENOMEM. On failure nothing is appended. */
int qm__columns_write(qm_buf *out, qm_slice items, const uint32_t *rank, uint32_t n_authors,
                      int level, qm_columns_sizes *sizes);
/* Reads a block, an item at a time: what is held is the columns, unpacked, and one record.
 * Opening: QM_EOVERSIZE beyond the limits above, QM_EFORMAT, QM_ETRUNCATED, QM_ETRAILING,
 * errors of cur and zip, QM_ENOMEM; nothing is held then. `in` is borrowed until it returns. */
typedef struct qm_columns qm_columns;
int qm__columns_open(qm_columns **out, const qm_env *env, qm_slice in);
/* Appends the next item, without its length. QM_ENOTFOUND: there is none, and nothing of the
 * columns is left (else QM_ETRAILING). Beyond `max` of the buffer: QM_EOVERSIZE. */
int qm__columns_next(qm_columns *r, qm_buf *item);
void qm__columns_close(qm_columns *r); /* may be NULL */

/* --- what writer and reader agree on --- */

/* *points: of how many code points the text of a sequence is (S6.5) that has so many elements and
 * these columns. QM_EFORMAT: stretches beyond the elements; errors of cur. */
int qm__text_points(uint64_t elements, qm_slice states, qm_slice kinds, uint64_t *points);

/* Columns that a block has once. */
enum {
  QM__COL_AUTHORS,     /* places, in ascending order of ids */
  QM__COL_KINDS,       /* collection, field, shape of each kind of cell */
  QM__COL_ID_FIRST,    /* of each id the first byte, less that of the one before */
  QM__COL_ID,          /* the 15 others */
  QM__COL_CREATIONS,   /* how many, of each record */
  QM__COL_COLLECTIONS, /* of each creation */
  QM__COL_MARKS,       /* how many */
  QM__COL_MARK_FLAGS,
  QM__COL_CHANGES,     /* of each author, how many changes */
  QM__COL_COUNTERS,    /* of each change the first counter, less that of the one before */
  QM__COL_TIME_LOW,    /* milliseconds, less those of the one before, zigzagged: a byte */
  QM__COL_TIME_MID,    /* the next byte */
  QM__COL_TIME_HIGH,   /* the rest */
  QM__COL_TICKS,
  QM__COL_REFS,        /* of each record, how many changes */
  QM__COL_REF_LOW,     /* which, less the one before: a byte */
  QM__COL_REF_HIGH,    /* the rest */
  QM__COL_NAMED,       /* generations, lengths of hides and keeps */
  QM__COL_DIGESTS,
  QM__COLS
};

/* Columns that each kind has. */
enum {
  QM__KIND_COUNT,  /* of each record of the collection: 0 no such cell, else how many in it */
  QM__KIND_FLAGS,
  QM__KIND_CHANGE, /* of each dot: which change of its record */
  QM__KIND_OFFSET, /* counter, less the one expected in that change */
  QM__KIND_PARENT, /* of a chain: 0 the end of its author's chain before, else the distance + 1 */
  QM__KIND_TAG,    /* of each value */
  QM__KIND_NUMBER, /* of a chain: how far it ends before its author's next change begins */
  QM__KIND_BYTES,
  QM__KIND_LISTED, /* values that come again, once each: others name them by their places */
  QM__KIND_TEXT,   /* of sequences, without lengths: all kinds are much alike, and share a frame */
  QM__KIND_COLS
};

/* Kinds of dots that are in no cell come first. */
enum { QM__CREATED, QM__MARKED, QM__NAMED, QM__KINDS };

/* Flags of a sequence's chain (S6.5) that say of dots. */
enum { QM__CHAIN_OTHER = 8, QM__CHAIN_MOVED = 16 };

/* Tags of values. */
enum {
  QM__TAG_RAW = 0,     /* MessagePack as it is */
  QM__TAG_LONG = 1,    /* text; its length is a number */
  QM__TAG_TIME = 2,    /* int: the dot's milliseconds and a number, zigzagged */
  QM__TAG_BIN = 3,     /* 32 bytes among the digests */
  QM__TAG_HEX = 4,     /* the same as 64 hexadecimal digits */
  QM__TAG_DECIMAL = 5, /* float: a number, zigzagged, divided by 10^(tag - 5) */
  QM__TAG_LISTED = 13, /* one of the kind's list: its place is a number */
  QM__TAG_TEXT = 16    /* text of tag - 16 bytes */
};
#define QM__TEXT_MAX 239u
#define QM__LISTED_BYTES 241u /* a listed value, at most */

#endif
