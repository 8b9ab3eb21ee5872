#include "sync/tls.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "sync/tls_int.h"

#define RECORD_MAX 16384u
/* Room above QM_TLS_OUT_MAX for the record under way, answers to key updates and the
 * alert: a write that qm_tls_write began never meets the end of the buffer. */
#define OUT_SPARE 65536u
/* Certificates of a peer: ours is one, at enrolment two, of some 450 bytes each. */
#define CERT_LIST_MAX 16384
/* A first message that claims more is refused before libssl reserves room for it. */
#define HELLO_MAX 16384u

#define NAME_SYNC "qianmo/1"
#define NAME_ENROL "qianmo-enroll/1"

static const uint8_t wire_sync[] = "\x08" NAME_SYNC;
static const uint8_t wire_enrol[] = "\x0f" NAME_ENROL;

/* Fatal alert unexpected_message, in the clear: all that a peer gets which speaks no
 * TLS (libssl itself would just fall silent). */
static const uint8_t alert_plain[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a};

/* queue */

static void queue_init(qm__tls_queue *q, const qm_env *env, size_t max) {
  qm_buf_init(&q->buf, env, max);
  q->at = 0;
}

static size_t queue_size(const qm__tls_queue *q) { return q->buf.n - q->at; }
static size_t queue_room(const qm__tls_queue *q) { return q->buf.max - queue_size(q); }

static int queue_add(qm__tls_queue *q, const void *p, size_t n) {
  if (q->at > 0 && n > q->buf.cap - q->buf.n) {
    memmove(q->buf.p, q->buf.p + q->at, queue_size(q));
    q->buf.n -= q->at;
    q->at = 0;
  }
  qm_buf_add(&q->buf, p, n);
  return qm_buf_status(&q->buf);
}

static void queue_free(qm__tls_queue *q) {
  qm_buf_free(&q->buf);
  qm_buf_clear(&q->buf);
  q->at = 0;
}

/* A queue that runs empty gives back its memory: most connections are idle. */
static size_t queue_take(qm__tls_queue *q, void *to, size_t cap) {
  size_t n = queue_size(q) < cap ? queue_size(q) : cap;
  if (n == 0) return 0;
  memcpy(to, q->buf.p + q->at, n);
  q->at += n;
  if (q->at == q->buf.n) queue_free(q);
  return n;
}

/* bio: libssl's view of the two queues. */

static int bio_write(BIO *b, const char *p, size_t n, size_t *written) {
  qm_tls *t = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  *written = 0;
  size_t room = queue_room(&t->out);
  if (n > room) n = room;
  if (n == 0) {
    BIO_set_retry_write(b);
    return 0;
  }
  if (queue_add(&t->out, p, n) != QM_OK) return 0;
  *written = n;
  return 1;
}

static int bio_read(BIO *b, char *to, size_t cap, size_t *got) {
  qm_tls *t = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  *got = queue_take(&t->in, to, cap);
  if (*got > 0) return 1;
  BIO_set_retry_read(b);
  return 0;
}

static long bio_ctrl(BIO *b, int command, long number, void *p) {
  (void)b;
  (void)number;
  (void)p;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *b) {
  BIO_set_init(b, 1);
  return 1;
}

static BIO_METHOD *method_make(void) {
  /* A fixed type: BIO_get_new_index is one process-wide counter of 127, and a hub
   * that reloads its certificate makes a config each time. */
  BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 0x7f, "qianmo");
  if (m == NULL) return NULL;
  BIO_meth_set_write_ex(m, bio_write);
  BIO_meth_set_read_ex(m, bio_read);
  BIO_meth_set_ctrl(m, bio_ctrl);
  BIO_meth_set_create(m, bio_create);
  return m;
}

/* failure */

static int fail(qm_tls *t, int code, const char *text) {
  if (t->error.code == QM_OK) qm_fail(&t->error, code, "%s", text);
  t->state = QM_TLS_FAILED;
  /* The alert, if any, is in `out` by now. */
  SSL_free(t->ssl);
  t->ssl = NULL;
  queue_free(&t->in);
  ERR_clear_error();
  return t->error.code;
}

/* What the peer's alert means here. */
static int alert_code(int alert) {
  switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED: return QM_ECERTEXPIRED;
    case SSL_AD_CERTIFICATE_REVOKED: return QM_EREVOKED;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return QM_ECERT;
    case SSL_AD_NO_APPLICATION_PROTOCOL: return QM_EVERSION;
    default: return QM_ETLS;
  }
}

static int alert_fail(qm_tls *t) {
  qm_error e;
  int code = alert_code(t->alert_in);
  qm_fail(&e, code, "the peer ended the connection with the TLS alert \"%s\": %s",
          SSL_alert_desc_string_long(t->alert_in), qm_err_text(code));
  return fail(t, code, e.message);
}

/* After an SSL call gave up: the most telling reason there is. */
static int ssl_fail(qm_tls *t) {
  unsigned long why = ERR_peek_error();
  int reason = ERR_GET_LIB(why) == ERR_LIB_SSL ? ERR_GET_REASON(why) : 0;
  if (t->verdict.code != QM_OK) return fail(t, t->verdict.code, t->verdict.message);
  if (t->alert_in >= 0) return alert_fail(t);
  if (qm_buf_status(&t->out.buf) != QM_OK || ERR_GET_REASON(why) == ERR_R_MALLOC_FAILURE) {
    return fail(t, QM_ENOMEM, qm_err_text(QM_ENOMEM));
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return fail(t, QM_ECERT, "the peer showed no certificate; enrol the device");
  }
  if (reason == SSL_R_NO_APPLICATION_PROTOCOL || reason == SSL_R_CALLBACK_FAILED) {
    return fail(t, QM_EVERSION,
                "the peer asked for no protocol that is spoken here; update qianmo");
  }
  qm_error e;
  const char *text = why == 0 ? NULL : ERR_reason_error_string(why);
  qm_fail(&e, QM_ETLS, "TLS failed: %s", text == NULL ? "unexpected end" : text);
  return fail(t, QM_ETLS, e.message);
}

/* certificate check */

/* The error under which libssl picks the alert: one for each answer, whatever the
 * exact fault of the chain was. */
static int store_error(int code, int is_foreign) {
  switch (code) {
    case QM_OK: return X509_V_OK;
    case QM_ECERTEXPIRED: return X509_V_ERR_CERT_HAS_EXPIRED;
    case QM_EREVOKED: return X509_V_ERR_CERT_REVOKED;
    case QM_ECLOCK: return X509_V_ERR_CERT_NOT_YET_VALID;
    default: break;
  }
  if (is_foreign) return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
  qm_class kind = qm_err_class(code);
  int is_ours = kind == QM_CLASS_RETRY || kind == QM_CLASS_STORAGE || kind == QM_CLASS_CORRUPT;
  return is_ours ? X509_V_ERR_OUT_OF_MEM : X509_V_ERR_CERT_REJECTED;
}

/* Among the certificates the hub sent, the CA's, by the fingerprint of the code. */
static int ca_find(qm_tls *t, X509_STORE_CTX *store, STACK_OF(X509) * trusted) {
  STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
  for (int i = 0; i < sk_X509_num(sent); i++) {
    X509 *x = sk_X509_value(sent, i);
    qm_cert info;
    qm_hash h;
    if (qm__cert_info(x, &info) != QM_OK || !info.is_ca) continue;
    qm_sha256(info.spki, sizeof info.spki, &h);
    if (memcmp(h.b, t->config->fingerprint, QM_CA_FINGERPRINT_SIZE) != 0) continue;
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    if (n <= 0) return QM_ENOMEM;
    qm_buf_clear(&t->ca);
    qm_buf_add(&t->ca, der, (size_t)n);
    OPENSSL_free(der);
    QM_TRY(qm_buf_status(&t->ca));
    return sk_X509_push(trusted, x) > 0 ? QM_OK : QM_ENOMEM;
  }
  return qm_fail(&t->verdict, QM_ECERT,
                 "the hub's CA is not the one this code was made for; check the hub's address and "
                 "the code");
}

/* The chain up to `trusted`, its uses and form; not its dates, which are judged by
 * env's clock and with their own errors. */
static int chain_check(qm_tls *t, X509_STORE_CTX *store, STACK_OF(X509) * trusted) {
  X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_depth(param, 0); /* nothing between root and leaf */
  X509_STORE_CTX_set0_trusted_stack(store, trusted);
  if (X509_verify_cert(store) == 1) return QM_OK;
  int error = X509_STORE_CTX_get_error(store);
  if (error == X509_V_ERR_OUT_OF_MEM) return qm_fail(&t->verdict, QM_ENOMEM, "out of memory");
  return qm_fail(&t->verdict, QM_ECERT, "the peer's certificate is not of this CA: %s",
                 X509_verify_cert_error_string(error));
}

static int dates_check(qm_tls *t, const qm_cert *cert, const char *whose) {
  uint64_t now_ms = t->env->now_ms(t->env->payload);
  char now[QM_DATE_TEXT_SIZE], limit[QM_DATE_TEXT_SIZE];
  qm_cert_date(now_ms, now);
  int rc = qm_cert_check_time(cert, now_ms);
  if (rc == QM_ECLOCK) {
    qm_cert_date(cert->not_before_ms, limit);
    qm_fail(&t->verdict, rc,
            "the clock here says %s, but %s certificate begins on %s; check the date of this "
            "device",
            now, whose, limit);
  } else if (rc == QM_ECERTEXPIRED) {
    qm_cert_date(cert->not_after_ms, limit);
    qm_fail(&t->verdict, rc,
            "%s certificate ended on %s (the clock here says %s); check the date, or renew the "
            "certificate",
            whose, limit, now);
  }
  return rc;
}

static int peer_check(qm_tls *t, X509_STORE_CTX *store, STACK_OF(X509) * trusted) {
  int is_server = t->config->is_server;
  QM_TRY(chain_check(t, store, trusted));
  qm_cert peer, ca;
  int rc = qm__cert_info(X509_STORE_CTX_get0_cert(store), &peer);
  if (rc == QM_OK) rc = qm__cert_info(sk_X509_value(trusted, 0), &ca);
  if (rc != QM_OK) return qm_fail(&t->verdict, QM_ECERT, "the peer's certificate is malformed");
  if (peer.is_ca || (is_server ? !peer.is_client : !peer.is_server)) {
    return qm_fail(&t->verdict, QM_ECERT, "the peer's certificate is for another use");
  }
  QM_TRY(dates_check(t, &ca, "the CA's"));
  QM_TRY(dates_check(t, &peer, is_server ? "the device's" : "the hub's"));
  t->peer = peer;
  return QM_OK;
}

static int peer_admit(qm_tls *t) {
  if (!t->config->is_server || t->config->admit == NULL) return QM_OK;
  int rc = t->config->admit(t->config->payload, &t->peer.device, &t->peer);
  if (rc != QM_OK) qm_fail(&t->verdict, rc, "the device was not admitted: %s", qm_err_text(rc));
  return rc;
}

/* The leaf and its CA: there is nothing between. */
static int peer_judge(qm_tls *t, X509_STORE_CTX *store, STACK_OF(X509) * trusted) {
  unsigned char *der[2] = {NULL, NULL};
  if (t->config->is_server || t->config->judge == NULL) return QM_OK;
  int leaf = i2d_X509(X509_STORE_CTX_get0_cert(store), &der[0]);
  int ca = i2d_X509(sk_X509_value(trusted, 0), &der[1]);
  int rc = QM_ENOMEM;
  if (leaf > 0 && ca > 0) {
    qm_slice chain[2] = {qm_slice_of(der[0], (size_t)leaf), qm_slice_of(der[1], (size_t)ca)};
    rc = t->config->judge(t->config->payload, chain, 2);
    int is_known = rc == QM_OK || rc == QM_ECERTEXPIRED || rc == QM_EREVOKED || rc == QM_ECLOCK;
    if (!is_known) rc = QM_ECERT;
    if (rc != QM_OK)
      qm_fail(&t->verdict, rc, "this device does not accept the hub's certificate: %s",
              qm_err_text(rc));
  }
  OPENSSL_free(der[0]);
  OPENSSL_free(der[1]);
  return rc;
}

/* libssl asks this instead of its own check. Runs inside SSL_do_handshake. */
static int verify_peer(X509_STORE_CTX *store, void *payload) {
  (void)payload;
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  qm_tls *t = SSL_get_app_data(ssl);
  STACK_OF(X509) *trusted = sk_X509_new_null();
  int rc = trusted == NULL ? QM_ENOMEM : QM_OK;
  int is_foreign = 0;
  if (rc == QM_OK && sk_X509_num(t->config->trusted) == 0) {
    rc = ca_find(t, store, trusted);
  } else if (rc == QM_OK && sk_X509_push(trusted, sk_X509_value(t->config->trusted, 0)) <= 0) {
    rc = QM_ENOMEM;
  }
  if (rc == QM_OK) rc = peer_check(t, store, trusted);
  if (rc == QM_ECERT) is_foreign = 1;
  if (rc == QM_OK) rc = peer_judge(t, store, trusted);
  if (rc == QM_OK) rc = peer_admit(t);
  t->has_peer = rc == QM_OK;
  if (rc != QM_OK && t->verdict.code == QM_OK) qm_fail(&t->verdict, rc, "%s", qm_err_text(rc));
  if (rc != QM_OK) qm_buf_clear(&t->ca);
  X509_STORE_CTX_set0_trusted_stack(store, NULL);
  sk_X509_free(trusted);
  ERR_clear_error();
  X509_STORE_CTX_set_error(store, store_error(rc, is_foreign));
  return rc == QM_OK;
}

/* callbacks of the handshake */

static void info_seen(const SSL *ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
  /* In TLS 1.3 every alert but these two ends the connection, whatever level it says. */
  int alert = value & 0xff;
  if (alert == SSL_AD_CLOSE_NOTIFY || alert == SSL_AD_USER_CANCELLED) return;
  qm_tls *t = SSL_get_app_data(ssl);
  t->alert_in = alert;
}

/* A client that names no protocol never reaches alpn_select: refuse it here. */
static int hello_seen(SSL *ssl, int *alert, void *payload) {
  (void)payload;
  const unsigned char *p;
  size_t n;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p, &n) ==
      1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

/* `name` is length and text, as in the list. */
static int alpn_has(const unsigned char *list, size_t n, const uint8_t *name) {
  for (size_t at = 0; at < n; at += (size_t)list[at] + 1) {
    if (list[at] > n - at - 1) return 0;
    if (list[at] == name[0] && memcmp(list + at, name, (size_t)name[0] + 1) == 0) return 1;
  }
  return 0;
}

/* Every connection starts out as mutual (see config_make); only here, and only for
 * enrolment, the client's certificate is waived. */
static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *list, unsigned int n, void *payload) {
  qm_tls_config *c = payload;
  qm_tls *t = SSL_get_app_data(ssl);
  const uint8_t *name = NULL;
  if (alpn_has(list, n, wire_sync)) {
    name = wire_sync;
    t->alpn = QM_TLS_ALPN_SYNC;
  } else if (alpn_has(list, n, wire_enrol)) {
    name = wire_enrol;
    t->alpn = QM_TLS_ALPN_ENROL;
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    if (SSL_set_num_tickets(ssl, 0) != 1) return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (SSL_add1_chain_cert(ssl, sk_X509_value(c->trusted, 0)) != 1) {
      return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
  } else {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = name + 1;
  *out_len = name[0];
  return SSL_TLSEXT_ERR_OK;
}

/* configs */

static int ctx_limit(SSL_CTX *ctx) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
  int ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx,
                                    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                                    "TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256") == 1 &&
           SSL_CTX_set1_client_sigalgs_list(ctx, "ECDSA+SHA256") == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(ctx, 0) == 1;
  return ok ? QM_OK : QM_ETLS;
}

static int ctx_identity(SSL_CTX *ctx, qm_slice cert, const qm_key *key) {
  qm_cert info;
  QM_TRY(qm_cert_read(cert, &info));
  if (key == NULL || memcmp(info.spki, qm_key_spki(key).p, QM_SPKI_SIZE) != 0) return QM_EINVAL;
  X509 *x = NULL;
  QM_TRY(qm__cert_decode(cert, &x));
  int ok =
      SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, qm__key_pkey(key)) == 1;
  X509_free(x);
  ERR_clear_error();
  return ok ? QM_OK : QM_ENOMEM;
}

static int config_trust(qm_tls_config *c, qm_slice ca) {
  qm_cert info;
  QM_TRY(qm_cert_read(ca, &info));
  if (!info.is_ca) return QM_ECERT;
  X509 *x = NULL;
  QM_TRY(qm__cert_decode(ca, &x));
  if (sk_X509_push(c->trusted, x) > 0) return QM_OK;
  X509_free(x);
  return QM_ENOMEM;
}

static int config_make(const qm_env *env, int is_server, qm_tls_config **out) {
  *out = NULL;
  qm_tls_config *c = qm_alloc_zero(env, sizeof *c);
  if (c == NULL) return QM_ENOMEM;
  c->env = env;
  atomic_init(&c->refs, 1);
  c->is_server = is_server;
  c->method = method_make();
  c->trusted = sk_X509_new_null();
  c->ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  int rc = QM_ENOMEM;
  if (c->method != NULL && c->trusted != NULL && c->ctx != NULL) rc = ctx_limit(c->ctx);
  ERR_clear_error();
  if (rc != QM_OK) {
    qm_tls_config_free(c);
    return rc;
  }
  SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(c->ctx, verify_peer, NULL);
  SSL_CTX_set_info_callback(c->ctx, info_seen);
  *out = c;
  return QM_OK;
}

static int config_done(int rc, qm_tls_config *c, qm_tls_config **out) {
  ERR_clear_error();
  if (rc == QM_OK) {
    *out = c;
  } else {
    qm_tls_config_free(c);
  }
  return rc;
}

int qm_tls_config_server(const qm_env *env, const qm_tls_server *options, qm_tls_config **out) {
  *out = NULL;
  qm_tls_config *c = NULL;
  QM_TRY(config_make(env, 1, &c));
  c->admit = options->admit;
  c->payload = options->payload;
  SSL_CTX_set_client_hello_cb(c->ctx, hello_seen, NULL);
  SSL_CTX_set_alpn_select_cb(c->ctx, alpn_select, c);
  int rc = config_trust(c, options->ca);
  if (rc == QM_OK) rc = ctx_identity(c->ctx, options->cert, options->key);
  if (rc == QM_OK) rc = qm__tls_ticket_server(c);
  return config_done(rc, c, out);
}

static int alpn_offer(qm_tls_config *c, qm_tls_alpn_id id) {
  const uint8_t *name = id == QM_TLS_ALPN_SYNC ? wire_sync : wire_enrol;
  c->alpn = id;
  /* 0 is success here, unlike everywhere else. */
  return SSL_CTX_set_alpn_protos(c->ctx, name, (unsigned)name[0] + 1) == 0 ? QM_OK : QM_ENOMEM;
}

int qm_tls_config_client(const qm_env *env, qm_slice ca, qm_slice cert, const qm_key *key,
                         qm_tls_config **out) {
  *out = NULL;
  qm_tls_config *c = NULL;
  QM_TRY(config_make(env, 0, &c));
  int rc = alpn_offer(c, QM_TLS_ALPN_SYNC);
  if (rc == QM_OK) rc = config_trust(c, ca);
  if (rc == QM_OK && (cert.n > 0 || key != NULL)) rc = ctx_identity(c->ctx, cert, key);
  if (rc == QM_OK && key != NULL) qm__tls_ticket_bind(c, ca, key);
  return config_done(rc, c, out);
}

int qm_tls_config_enrol(const qm_env *env, const uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE],
                        qm_tls_config **out) {
  *out = NULL;
  qm_tls_config *c = NULL;
  QM_TRY(config_make(env, 0, &c));
  memcpy(c->fingerprint, fingerprint, sizeof c->fingerprint);
  return config_done(alpn_offer(c, QM_TLS_ALPN_ENROL), c, out);
}

void qm_tls_config_judge(qm_tls_config *c, qm_tls_judge judge, void *payload) {
  c->judge = judge;
  c->payload = payload;
}

void qm_tls_config_free(qm_tls_config *c) {
  if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1) return;
  SSL_CTX_free(c->ctx);
  sk_X509_pop_free(c->trusted, X509_free);
  BIO_meth_free(c->method);
  qm_free(c->env, c);
}

/* engines */

/* Over: the handshake has ended, now look at what it ended with. */
static int opened(qm_tls *t) {
  const unsigned char *name = NULL;
  unsigned int n = 0;
  SSL_get0_alpn_selected(t->ssl, &name, &n);
  if (!t->config->is_server) {
    const uint8_t *asked = t->config->alpn == QM_TLS_ALPN_SYNC ? wire_sync : wire_enrol;
    if (n != asked[0] || memcmp(name, asked + 1, n) != 0) {
      return fail(t, QM_EVERSION, "the peer is no qianmo hub, or speaks another version");
    }
    t->alpn = t->config->alpn;
  }
  if (SSL_session_reused(t->ssl) && qm__tls_ticket_opened(t) != QM_OK) {
    return fail(t, QM_ECERT, "the peer of an earlier connection is not known");
  }
  /* The checks above the line make this impossible; it stays closed if they err. */
  int needs_peer = !t->config->is_server || t->alpn != QM_TLS_ALPN_ENROL;
  if ((needs_peer && !t->has_peer) || t->alpn == QM_TLS_ALPN_NONE) {
    return fail(t, QM_ECERT, "the peer was not verified");
  }
  t->state = QM_TLS_OPEN;
  return QM_OK;
}

static int handshake(qm_tls *t) {
  ERR_clear_error();
  int r = SSL_do_handshake(t->ssl);
  if (r == 1) return opened(t);
  int why = SSL_get_error(t->ssl, r);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return QM_OK;
  if (why == SSL_ERROR_ZERO_RETURN) return fail(t, QM_ECLOSED, qm_err_text(QM_ECLOSED));
  return ssl_fail(t);
}

static int engine_start(qm_tls *t, qm_slice ticket) {
  t->ssl = SSL_new(t->config->ctx);
  BIO *bio = BIO_new(t->config->method);
  if (t->ssl == NULL || bio == NULL) {
    BIO_free(bio);
    return QM_ENOMEM;
  }
  BIO_set_data(bio, t);
  SSL_set_bio(t->ssl, bio, bio); /* takes it */
  if (SSL_set_app_data(t->ssl, t) != 1) return QM_ENOMEM;
  if (t->config->is_server) {
    SSL_set_accept_state(t->ssl);
    return QM_OK;
  }
  SSL_set_connect_state(t->ssl);
  if (t->config->judge == NULL) qm__tls_ticket_offer(t, ticket); /* it sees every certificate */
  return handshake(t);
}

int qm_tls_new(qm_tls_config *c, qm_tls **out) {
  return qm_tls_resume(c, qm_slice_of(NULL, 0), out);
}

int qm_tls_resume(qm_tls_config *c, qm_slice ticket, qm_tls **out) {
  *out = NULL;
  qm_tls *t = qm_alloc_zero(c->env, sizeof *t);
  if (t == NULL) return QM_ENOMEM;
  atomic_fetch_add(&c->refs, 1);
  t->env = c->env;
  t->config = c;
  t->alert_in = -1;
  queue_init(&t->in, t->env, QM_TLS_IN_MAX);
  queue_init(&t->out, t->env, QM_TLS_OUT_MAX + OUT_SPARE);
  qm_buf_init(&t->ca, t->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&t->ticket, t->env, QM__TLS_TICKET_MAX);
  int rc = engine_start(t, ticket);
  ERR_clear_error();
  if (rc != QM_OK) {
    qm_tls_free(t);
    return rc;
  }
  *out = t;
  return QM_OK;
}

void qm_tls_free(qm_tls *t) {
  if (t == NULL) return;
  SSL_free(t->ssl);
  queue_free(&t->in);
  queue_free(&t->out);
  qm_buf_free(&t->ca);
  if (t->ticket.p) qm_wipe(t->ticket.p, t->ticket.n);
  qm_buf_free(&t->ticket);
  qm_tls_config_free(t->config);
  qm_free(t->env, t);
}

/* Does what came first look like the beginning of TLS? `n` bytes of head are there. */
static int head_check(const qm_tls *t, size_t n) {
  const uint8_t *h = t->head;
  int is_server = t->config->is_server;
  if (n > 0 && h[0] != 0x16 && (is_server || h[0] != 0x15)) return QM_ETLS;
  if (n > 1 && h[1] != 0x03) return QM_ETLS;
  if (!is_server) return QM_OK;
  /* The four bytes of the ClientHello's header lie in the first record. */
  if (n > 4 && (h[3] << 8 | h[4]) < 4) return QM_ETLS;
  if (n > 5 && h[5] != 0x01) return QM_ETLS;
  if (n > 8 && ((uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]) > HELLO_MAX) return QM_ETLS;
  return QM_OK;
}

static int handshake_input(qm_tls *t, const uint8_t *in, size_t n) {
  size_t have = t->handshake_bytes;
  t->handshake_bytes += n;
  if (have < QM__TLS_HEAD_SIZE) {
    size_t more = n < QM__TLS_HEAD_SIZE - have ? n : QM__TLS_HEAD_SIZE - have;
    memcpy(t->head + have, in, more);
    if (head_check(t, have + more) != QM_OK) {
      (void)queue_add(&t->out, alert_plain, sizeof alert_plain);
      return fail(t, QM_ETLS, "what the peer sent is not TLS 1.3");
    }
  }
  if (queue_add(&t->in, in, n) != QM_OK) return fail(t, QM_ENOMEM, qm_err_text(QM_ENOMEM));
  QM_TRY(handshake(t));
  if (t->state == QM_TLS_HANDSHAKE && t->handshake_bytes > QM_TLS_HANDSHAKE_MAX) {
    return fail(t, QM_ETLS, "the peer's handshake exceeds the limit");
  }
  return QM_OK;
}

int qm_tls_feed(qm_tls *t, const uint8_t *in, size_t len, size_t *used) {
  *used = 0;
  while (*used < len) {
    if (t->state == QM_TLS_FAILED || t->state == QM_TLS_CLOSED) {
      *used = len;
      return t->error.code;
    }
    size_t n = len - *used;
    if (n > queue_room(&t->in)) n = queue_room(&t->in);
    if (n == 0) break;
    const uint8_t *from = in + *used;
    *used += n;
    if (t->state == QM_TLS_HANDSHAKE) {
      QM_TRY(handshake_input(t, from, n));
    } else if (queue_add(&t->in, from, n) != QM_OK) {
      return fail(t, QM_ENOMEM, qm_err_text(QM_ENOMEM));
    }
  }
  return t->error.code;
}

int qm_tls_take(qm_tls *t, uint8_t *to, size_t cap, size_t *len) {
  *len = queue_take(&t->out, to, cap);
  return QM_OK;
}

size_t qm_tls_pending(const qm_tls *t) { return queue_size(&t->out); }

/* Reads once; 1 where it got bytes. */
static int read_some(qm_tls *t, uint8_t *to, size_t cap, size_t *len) {
  size_t n = 0;
  ERR_clear_error();
  int r = SSL_read_ex(t->ssl, to, cap, &n);
  if (r == 1) {
    *len += n;
    return 1;
  }
  int why = SSL_get_error(t->ssl, r);
  if (why == SSL_ERROR_ZERO_RETURN) {
    t->state = QM_TLS_CLOSED;
    queue_free(&t->in);
  } else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
    (void)ssl_fail(t);
  }
  return 0;
}

/* libssl is not asked in vain: it takes its time to say that nothing is there. */
static int has_input(const qm_tls *t) {
  return queue_size(&t->in) > 0 || SSL_has_pending(t->ssl);
}

int qm_tls_read(qm_tls *t, uint8_t *to, size_t cap, size_t *len) {
  *len = 0;
  while (t->state == QM_TLS_OPEN && *len < cap && has_input(t)) {
    if (!read_some(t, to + *len, cap - *len, len)) break;
  }
  if (*len > 0) return QM_OK;
  return t->state == QM_TLS_CLOSED ? QM_ECLOSED : t->error.code;
}

int qm_tls_write(qm_tls *t, const uint8_t *p, size_t len, size_t *used) {
  *used = 0;
  if (t->state == QM_TLS_FAILED) return t->error.code;
  if (t->is_shut) return QM_ESTATE;
  if (t->state == QM_TLS_HANDSHAKE) return QM_OK;
  while (*used < len && queue_size(&t->out) < QM_TLS_OUT_MAX) {
    size_t n = len - *used < RECORD_MAX ? len - *used : RECORD_MAX;
    size_t written = 0;
    ERR_clear_error();
    int r = SSL_write_ex(t->ssl, p + *used, n, &written);
    if (r != 1) {
      int why = SSL_get_error(t->ssl, r);
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
      return ssl_fail(t);
    }
    *used += written;
  }
  return QM_OK;
}

int qm_tls_shutdown(qm_tls *t) {
  if (t->is_shut || t->ssl == NULL || t->state == QM_TLS_HANDSHAKE) return t->error.code;
  t->is_shut = 1;
  ERR_clear_error();
  if (SSL_shutdown(t->ssl) < 0 && qm_buf_status(&t->out.buf) != QM_OK) return ssl_fail(t);
  ERR_clear_error();
  return QM_OK;
}

qm_tls_state qm_tls_state_of(const qm_tls *t) { return t->state; }
qm_tls_alpn_id qm_tls_alpn(const qm_tls *t) { return t->alpn; }

int qm_tls_peer(const qm_tls *t, qm_cert *out) {
  int is_known = t->has_peer && (t->state == QM_TLS_OPEN || t->state == QM_TLS_CLOSED);
  if (!is_known) return QM_ENOTFOUND;
  *out = t->peer;
  return QM_OK;
}

qm_slice qm_tls_ca(const qm_tls *t) { return qm_buf_slice(&t->ca); }

int qm_tls_error(const qm_tls *t, qm_error *e) {
  if (e != NULL) *e = t->error;
  return t->error.code;
}
