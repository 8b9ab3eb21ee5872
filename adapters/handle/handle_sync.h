/* handle_sync: what a sync by the library's own transport (handle_sync.c) and one by the
 * program's (handle_link.c) share. All with the mutex held. */
#ifndef QM_HANDLE_SYNC_H
#define QM_HANDLE_SYNC_H

#include "adapters/handle/handle.h"
#include "sync/device.h"

#define QM_HANDLE_HOST_SIZE 256u

typedef struct qm__sync {
  qm_db *db;
  char host[QM_HANDLE_HOST_SIZE];
  uint16_t port;
  qm_buf ca, cert, home;
  qm_client_result result;
  uint32_t set_aside; /* own changes, in this session */
  uint64_t aside_before;
  uint32_t repaired, states; /* records in the session before; spaces as a whole */
  uint32_t dirty_before;     /* spaces, when it began */
  /* a budget, and cancelling */
  uint32_t cancels;
  struct timespec until;
  int has_budget, out_of_time, more;
  int (*said)(struct qm__sync *run); /* NULL, or tells the progress */
  /* progress */
  const qm_run_options *options; /* may be NULL */
  uint64_t feed;                 /* the store's, when the engine was taken */
  qm_sync_progress progress;
  uint64_t bytes_up, bytes_down, taken_up, taken_down; /* of the sessions before */
  /* staying */
  int stay, was_live, said_live; /* said_live: the caller was told so last */
  uint32_t interrupts;
  void (*told)(void *payload, int32_t code);
  void *payload;
} qm__sync;

void qm__sync_init(qm__sync *run, qm_db *db);
void qm__sync_free(qm__sync *run);
/* QM_ECLOCK: the clock is before 2020. */
int qm__sync_check_clock(qm_db *db, qm_error *e);
/* Certificates and address from the enrolment. QM_ENOTENROLLED. */
int qm__sync_enrolment(qm__sync *run, qm_error *e);
/* 0, or why the caller wants no more: QM_ECANCELED, QM_ETIMEOUT (out_of_time is set then).
 * Needs no lock. */
int qm__sync_stopped(qm__sync *run);
/* Around what uses the engine: counts what came. */
void qm__sync_count_begin(qm__sync *run);
void qm__sync_count_end(qm__sync *run);
/* Tells the progress where somebody listens. */
void qm__sync_tell(qm__sync *run, const qm_client_progress *p);
/* The hub's certificate goes to the options' hook: a qm_tls_judge with the run. */
int qm__sync_judge(void *payload, const qm_slice *chain, uint32_t n);
/* Before the first session; after the last, with what that gave: notes it, fills *out (may be
 * NULL), and says what a person must know. */
void qm__sync_begin(qm__sync *run);
int qm__sync_end(qm__sync *run, int rc, qm_sync_result *out, qm_error *e);

/* handle_link.c: takes the engine away from the link that is open, if any. */
void qm__link_drop(qm_db *db);

#endif
