/* tls: TLS 1.3 as bytes in, bytes out.
 *
 * An engine (qm_tls) stands between a transport and a session:
 *
 *     from the peer -> qm_tls_feed -> qm_tls_read  -> plain bytes
 *     to the peer   <- qm_tls_take <- qm_tls_write <- plain bytes
 *
 * It knows no socket and no clock of its own: the time at which certificates are
 * judged is env->now_ms, so a simulated device has simulated dates. A pump does,
 * until nothing moves: feed what came; read until 0 bytes; write; take until 0 bytes.
 *
 * Who proves what, by ALPN, on one port:
 *   qianmo/1         both sides show a certificate of the same CA. The server asks
 *                    `admit` about the device inside the handshake, so an unknown or
 *                    revoked device gets an alert and nothing else.
 *   qianmo-enroll/1  only the server shows one. The client knows nothing but the
 *                    fingerprint of the CA, out of its one-time code; the server adds
 *                    the CA's certificate to its own.
 * A client without either, and bytes that are not TLS, get an alert. The CA is the
 * hub's own and signs serverAuth for hubs only: the client checks the CA and that use,
 * and no host name, since a hub moves between addresses and villages have no DNS.
 *
 * Chosen: TLS 1.3 only; no renegotiation, compression, early data. One signature algorithm
 * (ECDSA P-256, SHA-256), groups X25519 and P-256, always with a fresh exchange of keys.
 *
 * Resuming. A hub gives each device one ticket a connection (qianmo/1 only). It holds the
 * device's certificate, encrypted by a key of the config: a new config, another hub, another
 * process take none. A later connection that shows it costs neither side a signature. The
 * hub judges the certificate in it anew: its dates, and `admit`. Where that says no, the
 * ticket counts for nothing, and in the full handshake that follows the device hears why.
 * A client keeps tickets as bytes (qm_tls_ticket), bound to the CA and to its own key; they
 * are key material.
 *
 * TLS 1.3 lets a client finish before the server has judged its certificate: its
 * engine may be QM_TLS_OPEN and take qm_tls_write, and the alert comes with the first
 * bytes it is fed, as an error of qm_tls_read. So a driver whose write fails at the
 * transport still feeds what has come before it reports the failure. On the hub, OPEN
 * means judged.
 *
 * Failure: the first error sticks; feed, read and write return it, qm_tls_error has
 * the detail. qm_tls_take goes on working: it gives what is left, the alert last.
 * The transport is then closed by the driver.
 *
 * Bounds: QM_TLS_IN_MAX bytes wait undecrypted (feed then takes less), about
 * QM_TLS_OUT_MAX encrypted (write then takes less), QM_TLS_HANDSHAKE_MAX come in
 * before the handshake is over. Nothing is buffered while idle.
 *
 * Threads: a config never changes and may serve engines on several threads (its env
 * must then allocate from several threads). An engine belongs to one thread at a
 * time. */
#ifndef QM_SYNC_TLS_H
#define QM_SYNC_TLS_H

#include "sync/ca.h"

#define QM_TLS_IN_MAX 32768u
#define QM_TLS_OUT_MAX 262144u
#define QM_TLS_HANDSHAKE_MAX 32768u

typedef struct qm_tls_config qm_tls_config;
typedef struct qm_tls qm_tls;

typedef enum qm_tls_state {
  QM_TLS_HANDSHAKE = 0, /* no plain bytes yet: write takes 0, read gives 0 */
  QM_TLS_OPEN = 1,
  QM_TLS_CLOSED = 2, /* the peer said close_notify: nothing more to read */
  QM_TLS_FAILED = 3
} qm_tls_state;

typedef enum qm_tls_alpn_id {
  QM_TLS_ALPN_NONE = 0, /* not settled yet */
  QM_TLS_ALPN_SYNC = 1,
  QM_TLS_ALPN_ENROL = 2
} qm_tls_alpn_id;

/* Asked on the hub, inside qm_tls_feed, about a device whose certificate is of this CA
 * and in date. 0 admits it. QM_EREVOKED: it hears "revoked"; QM_ECERT (unknown
 * device), QM_ECERTEXPIRED: it hears that; an error of class RETRY, or storage: it
 * hears "internal error" and tries again; any other: as QM_ECERT. It must not call
 * the engine. `cert` borrows until it returns. */
typedef int (*qm_tls_admit)(void *payload, const qm_id *device, const qm_cert *cert);

typedef struct qm_tls_server {
  qm_slice ca;        /* certificate, DER */
  qm_slice cert;      /* the hub's, DER */
  const qm_key *key;  /* of cert */
  qm_tls_admit admit; /* NULL admits every device of the CA */
  void *payload;
} qm_tls_server;

/* All three copy what they are given; the caller drops *out with
 * qm_tls_config_free; env is borrowed until the last engine is gone. QM_EFORMAT,
 * QM_EINVAL where key and certificate do not belong together, QM_ECERT where ca is no
 * CA, QM_ENOMEM. Whether cert is of that CA, in date and for this use, the peer
 * judges; a hub that wants to know at its start asks qm_cert_read and
 * qm_cert_check_issuer. */
int qm_tls_config_server(const qm_env *env, const qm_tls_server *options, qm_tls_config **out);
/* A device. An empty cert with a NULL key is allowed: the hub then refuses. */
int qm_tls_config_client(const qm_env *env, qm_slice ca, qm_slice cert, const qm_key *key,
                         qm_tls_config **out);
/* A device to be enrolled. */
int qm_tls_config_enrol(const qm_env *env, const uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE],
                        qm_tls_config **out);
/* A client's second opinion on the hub, once the CA, the use and the dates are found good: the
 * chain in DER, leaf first, borrowed until it returns. 0, or QM_ECERT, QM_ECERTEXPIRED,
 * QM_EREVOKED, QM_ECLOCK: the connection ends with it; any other: QM_ECERT. It is asked inside
 * qm_tls_feed and must not call the engine. */
typedef int (*qm_tls_judge)(void *payload, const qm_slice *chain, uint32_t n);
/* Before the first engine is made of it; NULL: nobody else is asked. With one no connection is
 * resumed: a resumed one shows no certificate. */
void qm_tls_config_judge(qm_tls_config *c, qm_tls_judge judge, void *payload);
/* Engines keep what they need of it: a hub swaps its config (new certificate) and
 * frees the old one at once. NULL is fine. */
void qm_tls_config_free(qm_tls_config *c);

/* A client has its first bytes ready to take at once. QM_ENOMEM, QM_ETLS. */
int qm_tls_new(qm_tls_config *c, qm_tls **out);
/* The same on a client with a ticket of an earlier connection. One that is empty, cannot be
 * read, is for another CA or key, or of a hub whose certificate is over: as without. */
int qm_tls_resume(qm_tls_config *c, qm_slice ticket, qm_tls **out);
void qm_tls_free(qm_tls *t); /* NULL is fine */

/* Bytes from the peer. *used may be less than len: read first, then feed the rest.
 * After a failure or close_notify, what comes is dropped (*used = len). */
int qm_tls_feed(qm_tls *t, const uint8_t *in, size_t len, size_t *used);
/* Bytes for the peer; *len 0: nothing to send. Never fails. */
int qm_tls_take(qm_tls *t, uint8_t *to, size_t cap, size_t *len);
/* How many bytes take would give in all. */
size_t qm_tls_pending(const qm_tls *t);
/* Plain bytes from the peer; *len 0: none now. QM_ECLOSED after close_notify, when all
 * was read. What came before an error is given first. */
int qm_tls_read(qm_tls *t, uint8_t *to, size_t cap, size_t *len);
/* Plain bytes to the peer. *used less than len: take first, then write the rest.
 * QM_ESTATE after qm_tls_shutdown. */
int qm_tls_write(qm_tls *t, const uint8_t *p, size_t len, size_t *used);
/* Says close_notify: no more writes; reading goes on. During the handshake, after
 * a failure and the second time it does nothing. */
int qm_tls_shutdown(qm_tls *t);

qm_tls_state qm_tls_state_of(const qm_tls *t);
qm_tls_alpn_id qm_tls_alpn(const qm_tls *t);
/* The peer's verified certificate. On the hub: the device, once OPEN. On a client:
 * the hub (cert.device is the hub's id). QM_ENOTFOUND: none (enrolment, on the hub). */
int qm_tls_peer(const qm_tls *t, qm_cert *out);
/* 1 where the connection was resumed. */
int qm_tls_is_resumed(const qm_tls *t);
/* Client: appends the newest ticket of the hub; it comes with the first plain bytes that are
 * read. Key material: the caller wipes it. QM_ENOTFOUND: none; QM_ENOMEM, QM_ELIMIT. */
int qm_tls_ticket(const qm_tls *t, qm_buf *out);
/* The CA's certificate (DER) as the hub showed it at enrolment, where it matched the
 * fingerprint; else empty. Borrowed from t. */
qm_slice qm_tls_ca(const qm_tls *t);
/* QM_OK, or the error that sticks; fills *e (may be NULL).
 *   QM_ECERT        a certificate was not accepted: foreign CA, unknown device, none,
 *                   wrong use; here or, by its alert, at the peer
 *   QM_ECERTEXPIRED it has ended; QM_EREVOKED the device was revoked; here or there
 *   QM_ECLOCK       the peer's certificate has not begun: the clock here is wrong
 *   QM_EVERSION     the two have no ALPN in common
 *   QM_ETLS         any other: not TLS, an older TLS, damaged bytes, a bound exceeded
 *   QM_ENOMEM, QM_EIO, and what admit returned */
int qm_tls_error(const qm_tls *t, qm_error *e);

#endif
