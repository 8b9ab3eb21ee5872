/* client: a device's way to its hub over TCP and TLS, with a libuv loop of its own.
 *
 * Both calls block until they are done; each makes and frees its own loop. Any thread,
 * but the engine belongs to the caller's thread until the call returns (with enter and
 * leave: between the two), and env's callbacks come on it. Nothing is kept between calls.
 *
 * SIGPIPE must be ignored by the program. */
#ifndef QM_SYNC_UV_CLIENT_H
#define QM_SYNC_UV_CLIENT_H

#include "sync/answer.h"
#include "sync/enrol.h"

#define QM_CLIENT_CONNECT_MS 15000u
#define QM_CLIENT_HANDSHAKE_MS 15000u
#define QM_CLIENT_ENROL_MS 15000u

#define QM_CLIENT_TICKET_MAX 8192u

#define QM_CLIENT_HAS_ENTER 1 /* qm_client_options.enter and leave */

enum {
  QM_CLIENT_NO_CLOCK = 1, /* leave the engine's clock offset alone (replay) */
  QM_CLIENT_NO_RENEW = 2, /* never ask for a new certificate */
  QM_CLIENT_STAY = 4      /* stay connected until poll says otherwise, or the hub does */
};

/* How often poll is called without being asked for. */
#define QM_CLIENT_POLL_MS 500u

/* Wakes a call that stays: poll is called soon, and what the engine has new goes up. Any
 * thread, from qm_client_options.waker until it is called with NULL. */
typedef struct qm_client_wake qm_client_wake;
void qm_client_poke(qm_client_wake *w);

/* Totals of a running session. */
typedef struct qm_client_progress {
  uint64_t bytes_up, bytes_down; /* of the session, before TLS */
  uint64_t taken_up, taken_down; /* segments */
} qm_client_progress;

typedef struct qm_client_options {
  uint32_t size; /* sizeof(qm_client_options) */
  uint32_t flags;
  const qm_env *env;
  const char *host; /* name or address */
  uint16_t port;
  qm_slice ca, cert;  /* DER or PEM */
  const qm_key *key;  /* of cert */
  qm_id device;       /* the engine's device id; zero: that of the key */
  uint32_t connect_ms, handshake_ms; /* 0: as above */
  /* Called when something moved; other than 0 leaves politely. May be NULL. */
  int (*progress)(void *payload, const qm_client_progress *p);
  /* Called around every use of the engine, so that others may use it while the network is
     waited for; enter waits for its turn. Both, or neither (NULL). */
  void (*enter)(void *payload);
  void (*leave)(void *payload);
  void *payload;
  /* With QM_CLIENT_STAY, each may be NULL. waker: between enter and leave, with what pokes
     this call, and NULL before that goes. poll: between enter and leave; other than QM_OK
     leaves politely, and is the result. live: everything is exchanged, and the session stays. */
  void (*waker)(void *payload, qm_client_wake *w);
  int (*poll)(void *payload);
  void (*live)(void *payload);
  /* Public key of the home hub, as the enrolment has shown it: set-aside entries are verified
     by it, whoever hands them on, or by that of the hub which TLS shows. May be empty. */
  qm_slice home;
  /* What resumes the connection of an earlier call to this hub: used, and replaced by a newer
     one; empty after a connection that failed with it. Key material, of the caller, who wipes
     it; at most QM_CLIENT_TICKET_MAX bytes. May be NULL. */
  qm_buf *ticket;
} qm_client_options;

/* What was refused: by the hub (by_hub), or by this device of what the hub sent. */
typedef struct qm_client_refused {
  qm_id space;
  qm_refusal refusal;
  uint8_t by_hub;
} qm_client_refused;

/* A space in which this session took or gave nothing more. */
typedef struct qm_client_stopped {
  qm_id space;
  int32_t code;
  uint8_t by_hub;
} qm_client_stopped;

typedef struct qm_client_result {
  const qm_env *env;
  uint64_t bytes_up, bytes_down; /* of the session, before TLS */
  uint64_t taken_up, taken_down; /* segments taken by the hub; by this device */
  uint64_t known_down, parked_down;
  uint32_t spaces; /* that were exchanged to their end */
  uint8_t complete; /* both sides had given all they had */
  uint8_t has_offset;
  uint8_t is_resumed; /* no signature was made or checked for the connection */
  int64_t offset_ms; /* hub's clock less this one's */
  uint64_t rtt_ms;
  qm_id hub;
  uint8_t hub_spki[QM_SPKI_SIZE]; /* its public key, as TLS has shown it; zeroes: no session */
  qm_client_refused *refused;
  uint32_t n_refused;
  qm_client_stopped *stopped;
  uint32_t n_stopped;
  qm_id *differ; /* equal version vectors, other content */
  uint32_t n_differ;
  uint32_t repaired; /* records replaced, on either side */
  qm_id *gone; /* spaces that the hub no longer gives to this device */
  uint32_t n_gone;
  qm_buf cert; /* a renewed certificate (DER), or empty */
} qm_client_result;

/* One full session of all spaces of the engine, both ways. *out is filled also on
 * failure, with what was reached, and freed with qm_client_result_free. What was
 * committed stays. The engine is outside a transaction, before and after.
 *
 * QM_OK also where changes were refused or spaces differ: see *out. QM_ENET: hub not
 * reachable; QM_ETIMEOUT, QM_ECLOSED, QM_ETLS: try again; QM_ECERT, QM_ECERTEXPIRED,
 * QM_EREVOKED, QM_ECLOCK, QM_EVERSION as sync/tls.h has them; the session's errors;
 * those of the store. *e (may be NULL) says which. */
int qm_client_sync(const qm_client_options *options, qm_engine *engine, qm_client_result *out,
                   qm_error *e);
void qm_client_result_free(qm_client_result *r);

typedef struct qm_client_enrol_options {
  uint32_t size;
  uint32_t timeout_ms; /* 0: QM_CLIENT_ENROL_MS */
  const qm_env *env;   /* now_ms judges the hub's certificate */
  const char *host;
  uint16_t port;
  const char *code; /* as typed */
  const qm_key *key;
  qm_slice name; /* what the device calls itself; may be empty */
} qm_client_enrol_options;

typedef struct qm_client_enrolment {
  qm_arena arena; /* of everything below */
  qm_enrol_response response;
  uint8_t hub_spki[QM_SPKI_SIZE]; /* public key of response.hub */
} qm_client_enrolment;

/* Uses the code up and gets a certificate. The response is checked: the CA is the one of
 * the code, the certificate is for this key. *out is freed with qm_client_enrolment_free,
 * also on failure; it holds secrets.
 * QM_ECODE (mistyped), QM_ECODEUSED, QM_ECODEEXPIRED, QM_ETRIES, QM_EREVOKED; QM_ECERT:
 * the hub is not the one of the code, or names another as itself; and the network errors
 * above. */
int qm_client_enrol(const qm_client_enrol_options *options, qm_client_enrolment *out, qm_error *e);
void qm_client_enrolment_free(qm_client_enrolment *r);

/* What a device signs to have its certificate renewed (S8.10): SHA-256("qianmo/1 renew
 * proof" ‖ 0x00 ‖ SPKI). */
void qm_renew_proof_digest(qm_slice spki, uint8_t out[QM_DIGEST_SIZE]);

#endif
