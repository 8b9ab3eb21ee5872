/* Resuming a connection by a ticket (RFC 8446, 2.2 and 4.6.1), with the peer judged anew.
 * Tickets are libssl's own, stateless: the session with the device's certificate, encrypted
 * and authenticated by keys of the SSL_CTX. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "sync/tls_int.h"

/* Seconds: a phone that syncs every day resumes; the keys live as long as the config. */
#define LIFETIME 90000L

static const unsigned char context[] = "qianmo/1";

/* --- the hub --- */

/* Quietly: what is wrong here is said by the full handshake that then follows. */
static int judge(qm_tls *t, X509 *x) {
  qm_cert peer;
  if (x == NULL) return QM_ECERT; /* of no device */
  QM_TRY(qm__cert_info(x, &peer));
  if (peer.is_ca || !peer.is_client) return QM_ECERT;
  QM_TRY(qm_cert_check_time(&peer, t->env->now_ms(t->env->payload)));
  if (t->config->admit) QM_TRY(t->config->admit(t->config->payload, &peer.device, &peer));
  t->known = peer;
  t->has_ticket = 1;
  return QM_OK;
}

/* libssl asks for each ticket that a ClientHello offers, before it looks at anything else of
 * it; a ticket that is used must then be shown to be the client's by its key. */
static SSL_TICKET_RETURN shown(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                               size_t name_len, SSL_TICKET_STATUS status, void *payload) {
  qm_tls *t = SSL_get_app_data(ssl);
  (void)name;
  (void)name_len;
  (void)payload;
  t->has_ticket = 0;
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  int rc = judge(t, SSL_SESSION_get0_peer(session));
  ERR_clear_error();
  return rc == QM_OK ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
}

int qm__tls_ticket_server(qm_tls_config *c) {
  SSL_CTX_set_timeout(c->ctx, LIFETIME);
  int ok = SSL_CTX_set_session_id_context(c->ctx, context, sizeof context - 1) == 1 &&
           SSL_CTX_set_session_ticket_cb(c->ctx, NULL, shown, NULL) == 1;
  return ok ? QM_OK : QM_ENOMEM;
}

/* --- the client --- */

/* Kept as bytes: libssl's own object is spoilt where a connection ends without a word. */
static int given(SSL *ssl, SSL_SESSION *session) {
  qm_tls *t = SSL_get_app_data(ssl);
  int n = i2d_SSL_SESSION(session, NULL);
  if (t->ticket.p) qm_wipe(t->ticket.p, t->ticket.n);
  qm_buf_clear(&t->ticket);
  if (n <= 0 || (uint32_t)n > QM__TLS_TICKET_MAX - QM_HASH_SIZE) return 0;
  qm_buf_add(&t->ticket, t->config->binding.b, QM_HASH_SIZE);
  uint8_t *to = qm_buf_reserve(&t->ticket, (size_t)n);
  if (to != NULL && i2d_SSL_SESSION(session, &to) == n) t->ticket.n += (size_t)n;
  else qm_buf_clear(&t->ticket);
  return 0; /* no reference is kept */
}

void qm__tls_ticket_bind(qm_tls_config *c, qm_slice ca, const qm_key *key) {
  qm_sha sha;
  qm_sha_init(&sha);
  qm_sha_add(&sha, ca.p, ca.n);
  qm_sha_add(&sha, qm_key_spki(key).p, qm_key_spki(key).n);
  qm_sha_end(&sha, &c->binding);
  SSL_CTX_set_session_cache_mode(c->ctx,
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(c->ctx, given);
}

void qm__tls_ticket_offer(qm_tls *t, qm_slice ticket) {
  const unsigned char *p = ticket.p;
  if (ticket.n <= QM_HASH_SIZE || ticket.n > QM__TLS_TICKET_MAX) return;
  if (memcmp(p, t->config->binding.b, QM_HASH_SIZE) != 0) return;
  p += QM_HASH_SIZE;
  SSL_SESSION *session = d2i_SSL_SESSION(NULL, &p, (long)(ticket.n - QM_HASH_SIZE));
  X509 *x = session == NULL ? NULL : SSL_SESSION_get0_peer(session);
  int rc = x == NULL ? QM_ECERT : qm__cert_info(x, &t->known);
  if (rc == QM_OK && !t->known.is_server) rc = QM_ECERT;
  if (rc == QM_OK) rc = qm_cert_check_time(&t->known, t->env->now_ms(t->env->payload));
  t->has_ticket = rc == QM_OK && SSL_set_session(t->ssl, session) == 1;
  SSL_SESSION_free(session);
  ERR_clear_error();
}

/* --- both --- */

int qm__tls_ticket_opened(qm_tls *t) {
  if (!t->has_ticket) return QM_ECERT;
  t->is_resumed = 1;
  /* Who enrols shows no certificate, whatever else it knows. */
  if (t->config->is_server && t->alpn == QM_TLS_ALPN_ENROL) return QM_OK;
  t->peer = t->known;
  t->has_peer = 1;
  return QM_OK;
}

int qm_tls_is_resumed(const qm_tls *t) { return t->is_resumed; }

int qm_tls_ticket(const qm_tls *t, qm_buf *out) {
  if (!t->ticket.n) return QM_ENOTFOUND;
  qm_buf_add(out, t->ticket.p, t->ticket.n);
  return qm_buf_status(out);
}
