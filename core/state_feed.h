/* state_feed: a snapshot as bytes (SPEC §9): its manifest, and its stream of items, which
 * is written to a stage part by part and read from one so. Used by state*.c.
 *
 * The stream is a row of items, each its length (u32) and its bytes, cut without regard to
 * items into parts of QM_STATE_PART bytes; so a part has one size whatever a record has.
 * Memory: one part, packed and unpacked, and one item. */
#ifndef QM_STATE_FEED_H
#define QM_STATE_FEED_H

#include "space.h"
#include "state.h"

#define QM_ITEM_MAX (QM_RECORD_MAX + 64u) /* the largest item: a record with its id */

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
  qm_buf raw, packed, hashes;
  qm_manifest m;
} qm_pour;
void qm__pour_init(qm_pour *p, qm_space *s, uint32_t stage);
int qm__pour_item(qm_pour *p, qm_slice item);
/* The last part; then m holds parts, bytes and hashes. */
int qm__pour_end(qm_pour *p);
void qm__pour_free(qm_pour *p);

/* Reads them. */
typedef struct qm_feed {
  qm_space *s;
  uint32_t stage, part;
  const qm_manifest *m;
  uint64_t left; /* bytes of the stream not taken yet */
  size_t at;     /* in raw */
  qm_buf packed, raw, item;
} qm_feed;
void qm__feed_init(qm_feed *f, qm_space *s, uint32_t stage, const qm_manifest *m);
/* The next item, borrowed until the next call. QM_ETRUNCATED where there is none or a part
 * is not there; QM_EOVERSIZE beyond QM_ITEM_MAX. */
int qm__feed_item(qm_feed *f, qm_slice *out);
int qm__feed_end(const qm_feed *f); /* QM_ETRAILING unless all of it was taken */
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
