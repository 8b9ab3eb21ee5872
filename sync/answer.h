/* answer: executes a session's events against an engine. Device shell, hub, replay and
 * simulator all drive their sessions with it; what differs is the policy.
 *
 * In place (one thread): qm_answer_event(a, s, ev) for every event.
 * With a store thread and group commit: copy what the event points to, then there
 *   - COMMIT: qm_engine_begin once; qm_answer_ingest for each of the group;
 *     qm_engine_commit(QM_DURABLE); then on the session's thread qm_session_done(s, ticket,
 *     rc of the commit if it failed, else out.rc, &out.reply) for each;
 *   - any other request: qm_answer_run outside a transaction, then qm_session_done.
 * So nothing is told to a peer that is not on disk.
 *
 * Threads: a qm_answer belongs to the engine's thread; a qm_answered to whoever holds it,
 * and may pass between threads. Ownership: borrows engine and policy; what a reply points
 * to lives in its qm_answered until the next run or free, some of it in the engine (info)
 * until the engine changes state. */
#ifndef QM_SYNC_ANSWER_H
#define QM_SYNC_ANSWER_H

#include "core/engine.h"
#include "sync/session.h"

enum {
  QM_ANSWER_HUB = 1,          /* this replica is the hub of its spaces */
  QM_ANSWER_CHECK_AUTHOR = 2, /* qm_ingest.check_author */
  QM_ANSWER_CHECK_SCHEMA = 4, /* qm_ingest.check_schema, with the peer's role */
  QM_ANSWER_CLOCK = 8         /* take the clock offset measured against a hub */
};

/* What a peer may do in a space. */
typedef struct qm_grant {
  qm_id space;
  qm_slice role;
  uint8_t readable, writable;
} qm_grant;

/* Every callback may be NULL and comes on the engine's thread, with `payload`. */
typedef struct qm_answer_policy {
  void *payload;
  /* The grants of a peer, ascending by space, in the arena; those not readable are left
     out of the session. NULL: every space held, with this replica's own role. */
  int (*grants)(void *payload, const qm_id *peer, qm_arena *arena, const qm_grant **out,
                uint32_t *n);
  /* One of them; QM_EACCESS where there is none. NULL: as above. */
  int (*grant)(void *payload, const qm_id *peer, const qm_id *space, qm_arena *arena,
               qm_grant *out);
  int (*verify)(void *payload, const qm_id *device, const uint8_t digest[32],
                const uint8_t signature[64]);
  /* Is `device` the home hub, and the signature of a set-aside entry its own? 0, or why not.
     Whoever hands it on: by the key that is known of the home hub (qm_verify_by). NULL: entries
     are taken from the hub itself alone. */
  int (*verify_aside)(void *payload, const qm_id *device, const uint8_t digest[32],
                      const uint8_t signature[64]);
  int (*is_refused)(void *payload, const qm_id *space, const qm_author *author);
  /* A refusal by this replica (inside the transaction of its batch; peer: who brought the
     segment, maybe in another session, which had it parked) or, with by_peer, by the peer
     (outside). A failure rolls back. */
  int (*refusal)(void *payload, const qm_id *peer, const qm_id *space, const qm_refusal *refusal,
                 int by_peer);
  /* On a hub: QM_OK where its operator admits this device's state in this space (it lost its
     disk), else QM_EACCESS; with done, it has been joined: the word is used up. NULL:
     QM_EACCESS. */
  int (*recover)(void *payload, const qm_id *peer, const qm_id *space, int done);
  /* Certificates: slices in the arena. NULL: QM_ENOTFOUND. */
  int (*cert_ask)(void *payload, qm_arena *arena, qm_slice *spki, qm_slice *proof);
  int (*cert_renew)(void *payload, const qm_id *peer, qm_slice spki, qm_slice proof,
                    qm_arena *arena, qm_slice *der);
  int (*cert)(void *payload, int code, qm_slice der);
} qm_answer_policy;

/* One answer with the memory it stands in. */
typedef struct qm_answered {
  int rc;
  qm_reply reply;
  qm_arena arena;
  qm_buf blob;
  qm_space_info info;
  qm_error error; /* detail where rc is not QM_OK */
  /* SMALL, and COMMIT of a compact segment: whose it is, where it ends; 1: taken as it came, so
     that others may be given the same bytes */
  qm_vv_entry end;
  int as_it_came;
} qm_answered;

typedef struct qm_answer {
  qm_engine *engine;
  uint32_t flags;
  const qm_answer_policy *policy; /* may be NULL: all callbacks NULL */
  qm_answered own;                /* of qm_answer_event */
} qm_answer;

void qm_answered_init(qm_answered *out, const qm_env *env);
void qm_answered_free(qm_answered *out);

void qm_answer_init(qm_answer *a, const qm_env *env, qm_engine *engine, uint32_t flags,
                    const qm_answer_policy *policy);
void qm_answer_free(qm_answer *a);

/* Executes a request or takes note of a notice, and answers the session. Returns QM_OK, or
 * the error of a notice that could not be noted (the session goes on). */
int qm_answer_event(qm_answer *a, qm_session *s, const qm_event *ev);

/* Executes any request, COMMIT in a durable transaction of its own. Outside a transaction.
 * Returns out->rc. */
int qm_answer_run(qm_answer *a, const qm_event *ev, qm_answered *out);
/* COMMIT inside the caller's transaction. QM_OK: the group may go on and commit (out->rc
 * may say that this batch could not be read: nothing of it was taken). Else the caller must
 * roll the group back and answer every one of it with the code. */
int qm_answer_ingest(qm_answer *a, const qm_event *ev, qm_answered *out);
/* Notices: clock offset, acknowledged, safe, refusals, certificate; CLOSED drops what is
 * parked from this session. Others have no effect. Outside a transaction. */
int qm_answer_note(qm_answer *a, const qm_event *ev);
/* The lines of one engine for a peer, as QM_EV_SPACES wants them; a hub with several
 * engines merges them. In the arena, ascending. */
int qm_answer_lines(qm_answer *a, const qm_id *peer, qm_arena *arena, const qm_space_line **out,
                    uint32_t *n);

#endif
