/* gather: what a device may read of a hub, asked of every shard and put together: the lines of
 * all of them ascending, with one tag over them.
 *
 * Threads: a gathering belongs to the loop of its connection; the jobs in it are answered. */
#ifndef QM_SYNC_UV_GATHER_H
#define QM_SYNC_UV_GATHER_H

#include "sync/uv/hub_limits.h"
#include "sync/uv/shard.h"

typedef struct qm__gather {
  qm__job *jobs; /* answered */
  uint32_t left; /* on their way */
  int rc;        /* of what could not be sent */
} qm__gather;

typedef struct qm__gathered {
  int rc;   /* QM_OK, or what one of the shards said */
  int drop; /* 1: the device may not go on */
  const qm_space_line *lines; /* until the gathering is freed */
  uint32_t n_lines;
  uint8_t tag[QM_TAG_SIZE]; /* QM_OK: over the lines' spaces and what is granted of each */
  uint64_t standing;        /* of all of the answers; 0: they differ */
} qm__gathered;

/* Takes an answered job that `left` had counted. 1: it was the last. */
int qm__gather_add(qm__gather *g, qm__job *job);
/* Puts the answers together. */
void qm__gather_end(qm__gather *g, qm__gathered *out);
/* Frees the jobs; another question may follow. */
void qm__gather_clear(qm__gather *g, const qm_env *env);

#endif
