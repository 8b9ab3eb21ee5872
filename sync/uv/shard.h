/* shard: one store thread with its engine, one of a hub's. Takes jobs from any number of loops,
 * does them in order of arrival (commits of one round first, as one group: one transaction, one
 * fsync), and hands them back answered. What arrives while a group is at its fsync is the next
 * group.
 *
 * Nothing of a group is handed back before all of it is on disk. A group that fails is
 * done again batch by batch, so that one bad batch fails alone.
 *
 * Threads: push and status on any; start and stop on one, stop when nobody pushes any more;
 * `deliver` comes on the store thread. The engine belongs to the store thread from start to
 * stop. A job belongs to whoever has it: loop, queue, store thread, loop. */
#ifndef QM_SYNC_UV_SHARD_H
#define QM_SYNC_UV_SHARD_H

#include "sync/uv/backend.h"

typedef struct qm__shard qm__shard;

typedef enum qm__job_kind {
  QM_JOB_REQUEST = 0, /* an event with a ticket */
  QM_JOB_ENROL = 1,
  QM_JOB_END = 2, /* of a session that has ended, once all else of it is answered */
  QM_JOB_CHECK = 3, /* of a session that stays: is its device still one, what may it read here */
  QM_JOB_NEWS = 4,  /* nobody's job, only handed back: the hub wrote something in ev.space; of no
                       space: the store failed while nobody waited for it */
  QM_JOB_LOOK = 5   /* of a worker: may an answer to CHECK be another than before? */
} qm__job_kind;

typedef struct qm__job {
  struct qm__job *next;
  qm__job_kind kind;
  void *owner;    /* the connection */
  void *worker;   /* whose it is; NULL: nobody's */
  qm_id device;   /* as authenticated */
  qm_event ev;    /* REQUEST: what it points to is copied into `copy` */
  uint8_t *copy;
  int rc;         /* of the whole job; QM_EREVOKED, QM_ECERT: drop the connection */
  int drop;       /* 1: the device may not go on */
  qm_answered out; /* REQUEST; CHECK: the reply's lines */
  /* In: when the device was last found to be one, 0: never. Out: now; LOOK: what it would be
     now; 0: not known. */
  uint64_t standing;
  uint64_t lacks; /* COMPARE: counters the peer lacked */
  /* ENROL */
  qm_buf request, response; /* response: encoded */
  char address[64];
  int is_enrolled;
  /* END */
  qm_id peer;
  uint64_t serial;
  int has_seen; /* of the first shard's: `seen` is to be noted */
  qm_hub_seen seen;
} qm__job;

typedef struct qm__shard_options {
  const qm_env *env; /* its realloc and log from several threads */
  uint32_t number;   /* from 1; for the log */
  qm_engine *engine;
  const qm_hub_backend *backend;
  uint32_t flags; /* of qm_answer */
  /* Takes the answered job. On the store thread, until stop has returned. */
  void (*deliver)(void *payload, qm__job *job);
  void *payload;
} qm__shard_options;

int qm__shard_start(qm__shard **out, const qm__shard_options *options);
/* Does what is queued, hands it back, ends the thread, frees the shard. NULL is fine. */
void qm__shard_stop(qm__shard *s);
void qm__shard_push(qm__shard *s, qm__job *job);
/* Groups that were committed, and the batches in them. */
void qm__shard_groups(qm__shard *s, uint64_t *groups, uint64_t *batches);
/* QM_OK, or why the store can no longer be used (QM_EIO, QM_EBUSY, QM_EINTERNAL): the hub stops. */
int qm__shard_status(qm__shard *s);

/* NULL: out of memory. */
qm__job *qm__job_new(const qm_env *env, qm__job_kind kind, void *owner);
/* Copies the event with all it points to. QM_ENOMEM. */
int qm__job_event(qm__job *job, const qm_env *env, const qm_event *ev);
void qm__job_free(const qm_env *env, qm__job *job); /* wipes enrolments */

#endif
