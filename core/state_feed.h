/* state_feed: a snapshot as bytes (SPEC §9): its manifest, and its items, which are written
 * to a stage part by part and read from one so. Used by state*.c.
 *
 * Items stand in blocks: each its kind, its length (u32) and its bytes. Blocks in a row are
 * the stream, which is cut into parts of QM_STATE_PART bytes wherever that falls; so a part
 * has one size whatever a record has. Memory: one part, one block, packed and unpacked. */
#ifndef QM_STATE_FEED_H
#define QM_STATE_FEED_H

#include "space.h"
#include "state.h"
#include "state_columns.h"

#define QM_ITEM_MAX (QM_RECORD_MAX + 64u) /* the largest item: a record with its id */

/* Kinds of blocks. */
enum { QM__BLOCK_PLAIN = 0, QM__BLOCK_ZSTD = 1, QM__BLOCK_COLUMNS = 2 };
#define QM__BLOCK_HEAD 5u

/* What a snapshot says of itself before any of it comes. */
typedef struct qm_manifest {
  uint32_t authors, batches, parts;
  uint64_t records, names, bytes; /* bytes: of the stream */
  qm_slice hashes;         /* SHA-256 of each part as it travels */
} qm_manifest;

int qm__manifest_write(const qm_manifest *m, const qm_id *space, qm_buf *out);
/* Borrows `in`. QM_EVERSION; QM_EOVERSIZE beyond QM_STATE_PARTS_MAX or QM_AUTHORS_MAX;
 * QM_EFORMAT for another space, or parts that are not what the bytes need. */
int qm__manifest_read(qm_manifest *m, const qm_id *space, qm_slice in);
/* QM_EHASH where the part is not the one that the manifest names. */
int qm__manifest_check(const qm_manifest *m, uint32_t part, qm_slice content);

/* 1 where this manifest is the one named; NULL names any. */
int qm__manifest_is(qm_slice manifest, const uint8_t *hash);

/* Writes items into a stage; inside a store transaction. */
typedef struct qm_pour {
  qm_space *s;
  uint32_t stage;
  int records; /* the block at hand holds records */
  qm_buf block, packed, part, hashes;
  qm_columns_sizes sizes; /* of the columns written */
  qm_manifest m;
} qm_pour;
void qm__pour_init(qm_pour *p, qm_space *s, uint32_t stage);
/* `record`: 1 where it is one, whose blob names places. */
int qm__pour_item(qm_pour *p, qm_slice item, int record);
/* The last part; then m holds parts, bytes and hashes. */
int qm__pour_end(qm_pour *p);
void qm__pour_free(qm_pour *p);

/* Reads a block item by item. */
typedef struct qm_block {
  qm_buf items;        /* of a plain block; else the item at hand */
  qm_cur in;           /* in a plain block */
  qm_columns *columns; /* NULL: plain */
} qm_block;
void qm__block_init(qm_block *b, const qm_env *env);
/* `in` is borrowed until it returns. QM_EFORMAT for a kind that is none, or without an item;
 * QM_EOVERSIZE beyond QM_ITEM_MAX + 4 bytes; and what is wrong with its content. */
int qm__block_open(qm_block *b, unsigned kind, qm_slice in);
/* The next item, borrowed until the next call. QM_ENOTFOUND where there is none. */
int qm__block_next(qm_block *b, qm_slice *out);
void qm__block_free(qm_block *b);

/* Reads them. */
typedef struct qm_feed {
  qm_space *s;
  uint32_t stage, part;
  const qm_manifest *m;
  uint64_t left; /* bytes of the stream not taken yet */
  size_t at;     /* in raw: the part at hand */
  qm_buf raw, packed;
  qm_block block; /* at hand */
} qm_feed;
void qm__feed_init(qm_feed *f, qm_space *s, uint32_t stage, const qm_manifest *m);
/* The next item, borrowed until the next call. QM_ETRUNCATED where there is none or a part
 * is not there; QM_EOVERSIZE beyond QM_ITEM_MAX. */
int qm__feed_item(qm_feed *f, qm_slice *out);
int qm__feed_end(qm_feed *f); /* QM_ETRAILING unless all of it was taken */
void qm__feed_free(qm_feed *f);

/* --- records that came from elsewhere (state_join.c) --- */

/* The same blob, of which the names are places among n_map authors, with their local numbers;
 * in the engine's arena. QM_EFORMAT where a name is none of them. */
int qm__state_renumber(qm_engine *e, const uint32_t *map, uint32_t n_map, qm_slice blob,
                       qm_slice *out);
/* 1 where every dot of it lies within vv. */
int qm__state_covered(const qm_vv *vv, const qm_record *r);
/* Every creation dot is found by the ops that name it. Inside the transaction. */
int qm__state_creations(qm_space *s, const qm_record *r);

#endif
