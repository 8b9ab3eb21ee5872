/* store: where a replica rests, as a versioned struct of functions in the domain's
 * verbs and in batches. Implementations: store_mem (reference), adapters/sqlite.
 * One conformance suite (tests/store/) runs on all.
 *
 * Threads: one thread at a time. Ownership: rows passed in are copied; rows handed
 * to a visitor are borrowed until it returns. A visitor returns QM_OK to go on, any
 * other code to stop; that code is then the function's result (QM_STORE_STOP stops
 * and yields QM_OK). A visitor may read through any function and may write rows of
 * another kind than it is visiting; it never begins, commits or rolls back.
 *
 * Transactions: every put, append, delete and cut needs an open write transaction.
 * One is open at a time (begin inside it: QM_ESTATE); reads inside it see its writes.
 * A failed write (or stage_swap or hook) inside a transaction leaves only rollback:
 * other calls give QM_ESTATE, and commit rolls back and gives QM_ESTATE. Except: a write that gives
 * QM_EINVAL or QM_ENOTFOUND of its own wrote nothing, and the transaction goes on. After
 * QM_EIO or QM_ECORRUPT from commit or barrier, nothing of the transaction is there
 * when the store is next opened, or all of it is: every later call gives QM_EIO, and the
 * caller must close and open again before it goes on (a failed fsync cannot be
 * tried again). close rolls back what is open.
 *
 * Errors of every function: QM_ENOMEM, QM_EIO, QM_EFULL, QM_EREADONLY, QM_EBUSY,
 * QM_ECORRUPT; QM_ESTATE on a write outside a transaction; others where named. QM_EBUSY
 * from begin: another process writes, or has written since this handle was opened (what
 * the caller read before no longer stands: close, open again).
 *
 * Spaces and authors stand by local numbers; `space` is given by space_put. No function
 * checks that the space of a row was put. */
#ifndef QM_STORE_H
#define QM_STORE_H

#include "buf.h"
#include "hash.h"
#include "op.h"

#define QM_STORE_VERSION 1
#define QM_STORE_STOP 1
#define QM_STAGE_OUT 0x80000000u

typedef struct qm_store qm_store;

/* One space. `blob` is the engine's (secret, schema, name, role, digest…). */
typedef struct qm_space_row {
  uint32_t space; /* local number, >= 1 */
  qm_id id;
  qm_slice blob;
} qm_space_row;

typedef struct qm_author_row {
  uint32_t number; /* local author number in its space */
  qm_author id;
  uint64_t next;   /* counter after the last change taken */
  uint64_t closed; /* counter after the last closed segment, <= next */
  qm_hash head;    /* hash of the last closed segment; zero before the first */
  qm_time time;    /* of the last change */
  qm_slice clock;  /* clock row, the engine's encoding */
} qm_author_row;

typedef struct qm_record_row {
  qm_id id;
  uint32_t collection; /* 0: not known yet, or the space record */
  qm_slice state;      /* canonical blob; empty deletes the row (purge) */
  uint8_t hash[16];    /* its share of the digest */
} qm_record_row;

/* A creation dot and the record it names. */
typedef struct qm_creation_row {
  qm_dot dot;
  qm_id record;
} qm_creation_row;

/* One entry of a lookup index: shown natural keys, and what projections need.
 * (index, key) -> many records. */
typedef struct qm_key_row {
  uint32_t index;
  qm_slice key;
  qm_id record;
} qm_key_row;

typedef struct qm_segment_row {
  uint32_t author;
  uint64_t start, next;
} qm_segment_row;

/* A batch of the log with the segments it holds, in arrival order. */
typedef struct qm_log_row {
  uint64_t seq; /* given by the store, rising by arrival within a space, from 1 */
  qm_slice batch;
  const qm_segment_row *segments;
  uint32_t n_segments;
  /* To append: the records its ops are on, each once, for log_of. None: not told, and
   * log_of finds the row for every record. Not given to visitors. */
  uint32_t n_records;
  const qm_id *records;
} qm_log_row;

/* For stores: segments of one author that follow each other in a row rise, so the last of them
 * alone says all that is to be found by author: 1 where segment i begins, where it ends such a
 * run. */
static inline int qm__log_run_begins(const qm_log_row *row, uint32_t i) {
  return !i || row->segments[i - 1].author != row->segments[i].author;
}
static inline int qm__log_run_ends(const qm_log_row *row, uint32_t i) {
  return i + 1 == row->n_segments || row->segments[i + 1].author != row->segments[i].author;
}

/* What was touched of one record, or with a zero id of a space as a whole (feed.h). */
typedef struct qm_feed_row {
  uint64_t seq; /* over the whole store; rises */
  uint32_t space;
  qm_id record;
  qm_slice fields; /* the engine's encoding */
} qm_feed_row;

/* A change of this replica's open run, in row form, not yet in a segment. */
typedef struct qm_open_row {
  uint64_t counter;
  qm_slice change;
} qm_open_row;

typedef int (*qm_visit_space)(void *payload, const qm_space_row *row);
typedef int (*qm_visit_author)(void *payload, const qm_author_row *row);
typedef int (*qm_visit_record)(void *payload, const qm_record_row *row);
typedef int (*qm_visit_log)(void *payload, const qm_log_row *row);
typedef int (*qm_visit_open)(void *payload, const qm_open_row *row);
typedef int (*qm_visit_feed)(void *payload, const qm_feed_row *row);
typedef int (*qm_visit_meta)(void *payload, qm_slice key, qm_slice value);
typedef int (*qm_visit_id)(void *payload, const qm_id *record);

typedef enum qm_durability {
  QM_RELAXED = 0, /* atomic; may be lost by a power cut until the next barrier */
  QM_DURABLE = 1  /* on disk, after fsync, when `done` is called */
} qm_durability;

typedef void (*qm_store_done)(void *payload, int rc);

/* Called inside the transaction for every record saved (also with an empty state: it
 * goes), before the row is written: projections and search tables are kept in the same
 * transaction. A failure fails the save. space_drop and stage_swap delete rows without
 * calling it. */
typedef int (*qm_project)(void *payload, uint32_t space, const qm_record_row *row);

typedef struct qm_store_ops {
  uint32_t version; /* QM_STORE_VERSION */

  int (*begin)(qm_store *s);
  /* Ends the transaction. `done` (may be NULL) is called exactly once, before or
   * after commit returns, with the result, and commit returns QM_OK; where it is
   * NULL, commit blocks and returns the result. `done` may begin the next transaction.
   * On failure the transaction is rolled back. QM_ESTATE: none open, or a write failed. */
  int (*commit)(qm_store *s, qm_durability durability, qm_store_done done, void *payload);
  void (*rollback)(qm_store *s); /* nothing open: no effect */
  /* What is read between the two is of one moment, whatever other processes commit. Inside
   * a write transaction, and for a store that nobody else writes, no effect. */
  int (*view_begin)(qm_store *s);
  void (*view_end)(qm_store *s);
  /* Everything committed so far is durable when it returns QM_OK. */
  int (*barrier)(qm_store *s);
  void (*hook)(qm_store *s, qm_project project, void *payload); /* NULL removes */
  void (*close)(qm_store *s);

  /* Small things by name: device id, instance id, sync cursors. Empty value deletes.
   * get appends to out; QM_ENOTFOUND; QM_ELIMIT beyond out's maximum. */
  int (*meta_get)(qm_store *s, qm_slice key, qm_buf *out);
  int (*meta_put)(qm_store *s, qm_slice key, qm_slice value);
  int (*meta_scan)(qm_store *s, qm_slice prefix, qm_visit_meta visit,
                   void *payload); /* ascending */

  int (*space_list)(qm_store *s, qm_visit_space visit, void *payload); /* ascending by number */
  int (*space_put)(qm_store *s, const qm_space_row *row);              /* inserts or replaces */
  int (*space_drop)(qm_store *s, uint32_t space);                      /* the space and all in it */

  int (*author_list)(qm_store *s, uint32_t space, qm_visit_author visit,
                     void *payload); /* ascending */
  int (*author_put)(qm_store *s, uint32_t space, const qm_author_row *row);

  /* Visits those of the n ids that exist, in any order. */
  int (*record_load)(qm_store *s, uint32_t space, const qm_id *ids, size_t n, qm_visit_record visit,
                     void *payload);
  int (*record_save)(qm_store *s, uint32_t space, const qm_record_row *rows, size_t n);
  /* Cursor over a space in ascending id, ids > *after (NULL: from the start), of one
   * collection (0: all). At most limit rows. */
  int (*record_scan)(qm_store *s, uint32_t space, uint32_t collection, const qm_id *after,
                     size_t limit, qm_visit_record visit, void *payload);
  int (*record_count)(qm_store *s, uint32_t space, uint32_t collection, uint64_t *out);

  /* A dot put again names the record put last. */
  int (*creation_put)(qm_store *s, uint32_t space, const qm_creation_row *rows, size_t n);
  /* found[i] = 1 and ids[i] set where dots[i] is known. */
  int (*creation_find)(qm_store *s, uint32_t space, const qm_dot *dots, size_t n, qm_id *ids,
                       uint8_t *found);

  /* Replaces all keys that `record` has in `index` by the n given (n may be 0). */
  int (*key_put)(qm_store *s, uint32_t space, uint32_t index, const qm_id *record,
                 const qm_slice *keys, size_t n);
  int (*key_find)(qm_store *s, uint32_t space, uint32_t index, qm_slice key, qm_visit_id visit,
                  void *payload); /* ascending by id */

  /* row->seq is ignored; a seq is never given twice, also after a cut. QM_EINVAL, and
   * nothing written, where the row has no segment, a segment is empty or reaches beyond
   * 2^63-1, or an author's segments do not rise: within one author, next rises with seq
   * and inside a row. */
  int (*log_append)(qm_store *s, uint32_t space, const qm_log_row *row, uint64_t *seq);
  /* The next row after `after_seq` that holds a segment with next > vv[its author],
   * visited once. QM_ENOTFOUND where there is none; cost grows with the log's authors
   * (log n each), not with the rows passed over. */
  int (*log_after)(qm_store *s, uint32_t space, const qm_vv *vv, uint64_t after_seq,
                   qm_visit_log visit, void *payload);
  /* The next row after `after_seq` that is on `record`, or of which that was not told, visited
   * once. QM_ENOTFOUND where there is none; cost log n. */
  int (*log_of)(qm_store *s, uint32_t space, const qm_id *record, uint64_t after_seq,
                qm_visit_log visit, void *payload);
  /* Deletes the rows all of whose segments lie below vv. Raises in `gone` (may be NULL)
   * each author's entry to the greatest next among the segments deleted. */
  int (*log_cut)(qm_store *s, uint32_t space, const qm_vv *vv, qm_vv *gone);
  /* Every row in order, without its batch: batch.p is NULL and batch.n its size. Costs by
   * rows, not by bytes. */
  int (*log_sizes)(qm_store *s, uint32_t space, qm_visit_log visit, void *payload);
  /* Replaces the batch of a row (erasure in place). QM_ENOTFOUND. */
  int (*log_replace)(qm_store *s, uint32_t space, uint64_t seq, qm_slice batch);
  /* Replaces the batch of a row and its segments, in their order some of those it had, each as
   * it was or ending earlier; without any the row goes. Its records stay as told. QM_ENOTFOUND. */
  int (*log_rewrite)(qm_store *s, uint32_t space, const qm_log_row *row);
  /* Puts these n rows in the place of all that have a seq from `first` to that of the last of
   * them, which is there: joins rows, or parts one. Their seqs rise within that range, and their
   * segments are one after the other those that were there; for log_of counts what each of them
   * tells. QM_EINVAL where it is otherwise, QM_ENOTFOUND where the last is not there. */
  int (*log_repack)(qm_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                    uint32_t n);

  int (*open_append)(qm_store *s, uint32_t space,
                     const qm_open_row *row); /* counter < 2^63, else QM_EINVAL */
  int (*open_list)(qm_store *s, uint32_t space, qm_visit_open visit,
                   void *payload); /* ascending by counter */
  /* The same of the rows with counter >= from; costs by what it visits. */
  int (*open_from)(qm_store *s, uint32_t space, uint64_t from, qm_visit_open visit, void *payload);
  int (*open_clear)(qm_store *s, uint32_t space);

  /* Set-aside entries and readable copies of what was set aside, by name; the names and
   * what stands under them are the engine's. As meta, but of one space, and gone with it. */
  int (*aside_put)(qm_store *s, uint32_t space, qm_slice key, qm_slice value);
  int (*aside_scan)(qm_store *s, uint32_t space, qm_slice prefix, qm_visit_meta visit,
                    void *payload); /* ascending */
  /* What this replica notes of a space for itself: it never travels, is in no digest, and goes
   * with the space. An empty value deletes. scan: ascending, the keys that begin with `prefix`
   * and are greater than `after` (empty: from the first). */
  int (*local_put)(qm_store *s, uint32_t space, qm_slice key, qm_slice value);
  int (*local_scan)(qm_store *s, uint32_t space, qm_slice prefix, qm_slice after,
                    qm_visit_meta visit, void *payload);
  /* The feed: at most one row a record, over all spaces in one order. feed_put replaces the
   * rows of the records it names; seqs must rise and be greater than any that was ever
   * there (QM_EINVAL, and nothing written). space_drop takes the rows of the space and leaves
   * one, next in order, for the space as a whole. */
  int (*feed_put)(qm_store *s, const qm_feed_row *rows, size_t n);
  /* Visits those of the n records that have a row, in any order. */
  int (*feed_load)(qm_store *s, uint32_t space, const qm_id *ids, size_t n, qm_visit_feed visit,
                   void *payload);
  /* Rows with a seq greater than `after`, ascending, at most limit. */
  int (*feed_after)(qm_store *s, uint64_t after, size_t limit, qm_visit_feed visit,
                    void *payload);
  int (*feed_last)(qm_store *s, uint64_t *seq); /* the greatest; 0 before the first */

  /* A state that arrives in parts is staged beside the space and takes effect in
   * one transaction. stage_part is idempotent by part number (the first content
   * stays); stage_parts tells where to resume: the lowest number not here, from 0;
   * stage_swap replaces authors, records, creations and keys of the space by what
   * visiting the parts (in order) and the caller's puts yield: it deletes those four
   * of the space inside the open transaction, then visits, then drops the stage.
   * stage_part and stage_swap without a stage: QM_ENOTFOUND. stage_read appends a part:
   * QM_ENOTFOUND where it is not there. A replica keeps what it gives to others in a stage
   * too: that of the number space | QM_STAGE_OUT. */
  int (*stage_begin)(qm_store *s, uint32_t space,
                     qm_slice manifest); /* drops an older stage with another manifest */
  int (*stage_part)(qm_store *s, uint32_t space, uint32_t part, qm_slice content);
  int (*stage_parts)(qm_store *s, uint32_t space, uint32_t *next_part,
                     qm_buf *manifest); /* QM_ENOTFOUND: no stage */
  int (*stage_read)(qm_store *s, uint32_t space, uint32_t part, qm_buf *content);
  int (*stage_swap)(qm_store *s, uint32_t space,
                    int (*visit)(void *payload, uint32_t part, qm_slice content), void *payload);
  int (*stage_drop)(qm_store *s, uint32_t space);

  /* Checks the store itself (pages, indexes). QM_ECORRUPT with detail. */
  int (*check)(qm_store *s, qm_error *e);
  /* QM_OK, or QM_EIO: after a write or an fsync that failed nobody can say what is on disk,
   * and every other call gives this until the store is closed and opened again. */
  int (*status)(const qm_store *s);
} qm_store_ops;

/* The head of every implementation's struct. */
struct qm_store {
  const qm_store_ops *ops;
  const qm_env *env;
};

/* The reference implementation, in memory (core/store_mem.c). barrier does nothing. */
int qm_store_mem_open(const qm_env *env, qm_store **out);

#endif
