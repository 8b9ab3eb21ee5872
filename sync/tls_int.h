/* tls_int: what tls.c and tls_ticket.c share. */
#ifndef QM_SYNC_TLS_INT_H
#define QM_SYNC_TLS_INT_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "core/hash.h"
#include "sync/tls.h"

#define QM__TLS_HEAD_SIZE 9
/* A ticket as it is kept: the binding, and the session with the hub's certificate. */
#define QM__TLS_TICKET_MAX 8192u

struct qm_tls_config {
  const qm_env *env;
  atomic_size_t refs;
  SSL_CTX *ctx;
  BIO_METHOD *method;
  STACK_OF(X509) * trusted; /* the CA alone; empty for enrolment on the client */
  int is_server;
  qm_tls_alpn_id alpn; /* client: what it asks for */
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  qm_tls_admit admit;
  qm_tls_judge judge;
  void *payload;
  qm_hash binding; /* client: of CA and own key, which a ticket is for */
};

/* Bytes in order: added at the end, taken from `at`. */
typedef struct qm__tls_queue {
  qm_buf buf;
  size_t at;
} qm__tls_queue;

struct qm_tls {
  const qm_env *env;
  qm_tls_config *config;
  SSL *ssl; /* NULL once failed */
  qm__tls_queue in, out;
  qm_tls_state state;
  qm_tls_alpn_id alpn;
  qm_error error;   /* code is the status */
  qm_error verdict; /* of the certificate check, taken over when libssl gives up */
  int alert_in;     /* the peer's alert, -1 none */
  size_t handshake_bytes;
  uint8_t head[QM__TLS_HEAD_SIZE]; /* the first bytes of the peer */
  int is_shut;             /* we said close_notify */
  int has_peer;
  qm_cert peer;
  int is_resumed, has_ticket; /* has_ticket: `known` is whose ticket was shown (or offered) */
  qm_cert known;
  qm_buf ticket; /* client: the newest, as it is kept */
  qm_buf ca;
};

/* --- tls_ticket.c --- */
/* A hub's context gives tickets and judges those that it is shown; a client's keeps them.
 * QM_ENOMEM. */
int qm__tls_ticket_server(qm_tls_config *c);
/* What a client's tickets are bound to. QM_ENOMEM. */
void qm__tls_ticket_bind(qm_tls_config *c, qm_slice ca, const qm_key *key);
/* Client, before the first byte: offers the ticket where it fits. */
void qm__tls_ticket_offer(qm_tls *t, qm_slice ticket);
/* The handshake was resumed: whose it is. QM_ECERT: that is not known. */
int qm__tls_ticket_opened(qm_tls *t);

#endif
