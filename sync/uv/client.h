/* client: a device's way to its hub over TCP and TLS, with a libuv loop of its own.
 *
 * Both calls block until they are done; each makes and frees its own loop. Any thread,
 * but the engine belongs to the caller's thread until the call returns (with enter and
 * leave: between the two), and env's callbacks come on it. Nothing is kept between calls.
 *
 * SIGPIPE must be ignored by the program. */
#ifndef QM_SYNC_UV_CLIENT_H
#define QM_SYNC_UV_CLIENT_H

#include "sync/device.h"
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
  /* Asked ten times a second until the end, with QM_CLIENT_STAY until the session is open: any
     time but inside another callback, on this thread. Other than QM_OK ends the call: a
     connection that is being made at once (a name that is being looked up is waited for), a
     session politely, and then the result is that code. May be NULL. */
  int (*stop)(void *payload);
  qm_tls_judge judge; /* the hub's certificate, see sync/tls.h; gets payload. May be NULL */
  /* What resumes the connection of an earlier call to this hub: used, and replaced by a newer
     one; empty after a connection that failed with it. Key material, of the caller, who wipes
     it; at most QM_CLIENT_TICKET_MAX bytes. May be NULL. */
  qm_buf *ticket;
} qm_client_options;

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

typedef struct qm_client_enrol_options {
  uint32_t size;
  uint32_t timeout_ms; /* 0: QM_CLIENT_ENROL_MS */
  const qm_env *env;   /* now_ms judges the hub's certificate */
  const char *host;
  uint16_t port;
  const char *code; /* as typed */
  const qm_key *key;
  qm_slice name; /* what the device calls itself; may be empty */
  int (*stop)(void *payload); /* both as above, or NULL */
  qm_tls_judge judge;
  void *payload;
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

#endif
