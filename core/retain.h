/* retain: how long the log is kept (SPEC S12.7). A change's own time may be wrong, so age is
 * counted from when it was here: a replica notes now and then at which VV it stands (a
 * *mark*); what lies below a mark is at least as old as the mark. */
#ifndef QM_RETAIN_H
#define QM_RETAIN_H

#include "core/engine.h"

#define QM_MARKS_MAX 32u

typedef struct qm_capped {
  uint64_t bytes; /* batches of the logs of all spaces, afterwards */
  uint64_t gone;  /* what was cut */
  uint64_t over;  /* of `bytes`, what is beyond the cap and must stay */
} qm_capped;

typedef struct qm_retention {
  uint64_t keep_ms;   /* what came within this time stays; 0: no time is asked for */
  const qm_vv *below; /* nothing at or above it goes (a hub: what all live devices hold); may be
                         NULL */
} qm_retention;

/* Sets a mark where the last one is older than a sixteenth of keep_ms (at least an hour), and
 * cuts the log below what the retention allows (qm_engine_cut keeps what it must). *floor_moved
 * (may be NULL) says whether anything went. Durable transactions of its own. QM_ESTATE inside
 * one; errors of the store. */
int qm_engine_retain(qm_engine *e, qm_space *s, const qm_retention *r, int *floor_moved);
/* What has been here for at least age_ms, by marks kept under a name of their own (meta, at most 20
 * characters): a VV, empty where no mark is so old yet. Sets a mark as above. Durable
 * transactions of its own; QM_ESTATE inside one. Memory from the engine's env. */
int qm_engine_aged(qm_engine *e, qm_space *s, const char *name, uint64_t age_ms, qm_vv *out);
/* A device's size cap: where the logs of all its spaces together take more than bytes_max, the
 * oldest of what may go (S12.6) is cut until seven eighths of it are taken, in the longest logs
 * first: none is cut below the length that all could have. Durable transactions of its own, one
 * a space. QM_EINVAL on a hub; QM_ESTATE inside a transaction; errors of the store. */
int qm_engine_cap(qm_engine *e, uint64_t bytes_max, qm_capped *out);
/* What the logs of all spaces take: their batches. Errors of the store. */
int qm_engine_log_bytes(qm_engine *e, uint64_t *out);
/* The pointwise least of n lists; an author that one of them does not name stands at 0. n 0:
 * all that is here. Memory from the engine's env: free with qm_vv_free. */
int qm_engine_least(qm_engine *e, qm_space *s, const qm_vv_list *lists, uint32_t n, qm_vv *out);

#endif
