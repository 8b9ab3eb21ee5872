/* join: a log of few large rows (SPEC S12.17). What arrives a few changes at a time stands in
 * as many rows, each with its own dictionaries; once nobody asks for less than all of them,
 * rows that follow each other become one batch, in which columns and dictionaries serve them
 * all. Segments stay as they are, hash by hash; so does the order of the log. */
#ifndef QM_JOIN_H
#define QM_JOIN_H

#include "core/engine.h"

/* Ops of a joined row: its batch, decoded, takes about 8 MB. */
#define QM_JOIN_OPS 32768u
/* A row of so many bytes is not joined again; no fewer than twice as many become one. */
#define QM_JOIN_BYTES 65536u

typedef struct qm_joining {
  const qm_vv *below; /* rows that reach beyond it stay (a hub: what all live devices hold), so
                         that no batch is taken apart for a peer; NULL: none does */
  uint64_t after;     /* rows up to this seq are not looked at: `last` of the call before, or 0 */
  uint32_t ops_max;   /* 0: QM_JOIN_OPS */
  uint32_t bytes_min; /* 0: QM_JOIN_BYTES */
} qm_joining;

typedef struct qm_joined {
  uint32_t rows;          /* so many became one; 0: none did */
  uint64_t before, after; /* bytes of their batches */
  uint64_t last;          /* where the next call goes on */
  int more;               /* it may find some */
} qm_joined;

/* Joins at most one run of rows, in a transaction of its own that the next durable one covers.
 * Before it is written it is read back, and every segment's hash compared. QM_ESTATE inside a
 * transaction, QM_EIO, QM_ENOMEM, QM_ECORRUPT (a row that does not read; nothing is changed),
 * errors of the store. */
int qm_engine_join(qm_engine *e, qm_space *s, const qm_joining *how, qm_joined *out);

/* Puts the segments of `batch`, which stood in `row`, into as many rows as they need, at seqs
 * that are free before it; *first: the first of them. Inside a transaction; ops are resolved.
 * QM_ELIMIT: there is no room, and nothing was changed. QM_ENOMEM, errors of the store. */
int qm__join_part(qm_space *s, const qm_log_row *row, const qm_batch *batch, qm_arena *arena,
                  uint64_t *first);

#endif
