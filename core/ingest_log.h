/* ingest_log: what ingest writes into the log (internal to the engine's files).
 *
 * Segments in their compact form come one by one, and a transaction may take many: they wait
 * here, in the order in which they came, and go into the log as one row a space (S12.18).
 * Whatever else writes to the log of the transaction, reads it, or ends it, settles first.
 * Invariant: between transactions nothing waits. */
#ifndef QM_INGEST_LOG_H
#define QM_INGEST_LOG_H

#include "core/space.h"

/* A row with these segments, whose batch is `blob`. */
int qm__log_segments(qm_space *s, qm_segment *p, uint32_t n, qm_slice blob);
/* The same where no batch came as they are: it is made here; several rows where they do not fit
 * one. Each alone fits (qm__aside_erase). */
int qm__log_recoded(qm_space *s, qm_segment *p, uint32_t n);

/* For a segment that is to wait, and all that it points to: valid until something settles. */
static inline qm_arena *qm__log_waiting(qm_space *s) { return &s->engine->waiting; }
/* The segment took effect and waits; settles where many do. */
int qm__log_wait(qm_space *s, const qm_segment *g);
/* Writes what waits in all spaces. On failure the transaction is to be rolled back. */
int qm__log_settle(qm_engine *e);
static inline int qm__log_settled(qm_space *s) {
  return s->n_waiting ? qm__log_settle(s->engine) : QM_OK;
}
/* The transaction has ended. */
void qm__log_end(qm_engine *e);

#endif
