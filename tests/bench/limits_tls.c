/* What OpenSSL alone does: mutual TLS 1.3 with P-256 through memory, as the hub's sessions are,
 * but nothing else. Only the server's side is timed. */
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tests/bench/bench.h"

#define HANDSHAKES 200
#define CONNECTIONS 200

typedef struct side {
  EVP_PKEY *key;
  X509 *cert;
  SSL_CTX *ctx;
} side;

typedef struct ends {
  SSL *client, *server;
  double cpu; /* of the server */
} ends;

static void make_side(side *s, const SSL_METHOD *method, const side *issuer) {
  s->key = EVP_EC_gen("P-256");
  s->cert = X509_new();
  BENCH_CHECK(s->key && s->cert);
  X509_set_version(s->cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(s->cert), issuer ? 2 : 1);
  X509_gmtime_adj(X509_getm_notBefore(s->cert), -60);
  X509_gmtime_adj(X509_getm_notAfter(s->cert), 86400);
  X509_set_pubkey(s->cert, s->key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(s->cert), "CN", MBSTRING_ASC,
                             (const unsigned char *)(issuer ? "client" : "server"), -1, -1, 0);
  X509_set_issuer_name(s->cert, X509_get_subject_name(issuer ? issuer->cert : s->cert));
  X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
  if (!issuer) X509_add_ext(s->cert, ca, -1);
  X509_EXTENSION_free(ca);
  BENCH_CHECK(X509_sign(s->cert, issuer ? issuer->key : s->key, EVP_sha256()) > 0);
  s->ctx = SSL_CTX_new(method);
  BENCH_CHECK(s->ctx && SSL_CTX_set_min_proto_version(s->ctx, TLS1_3_VERSION) == 1);
  BENCH_CHECK(SSL_CTX_use_certificate(s->ctx, s->cert) == 1);
  BENCH_CHECK(SSL_CTX_use_PrivateKey(s->ctx, s->key) == 1);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), issuer ? issuer->cert : s->cert);
  SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_num_tickets(s->ctx, 1);
  SSL_CTX_set_mode(s->ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
}

static void free_side(side *s) {
  SSL_CTX_free(s->ctx);
  X509_free(s->cert);
  EVP_PKEY_free(s->key);
}

static void open_ends(ends *e, const side *client, const side *server, SSL_SESSION *again) {
  BIO *a, *b;
  BENCH_CHECK(BIO_new_bio_pair(&a, 2048, &b, 2048) == 1);
  e->client = SSL_new(client->ctx);
  e->server = SSL_new(server->ctx);
  e->cpu = 0;
  BENCH_CHECK(e->client && e->server);
  SSL_set_bio(e->client, a, a);
  SSL_set_bio(e->server, b, b);
  SSL_set_connect_state(e->client);
  SSL_set_accept_state(e->server);
  if (again) SSL_set_session(e->client, again);
  for (int i = 0; i < 50 && !(SSL_is_init_finished(e->client) && SSL_is_init_finished(e->server));
       i++) {
    (void)SSL_do_handshake(e->client);
    double from = bench_cpu();
    (void)SSL_do_handshake(e->server);
    e->cpu += bench_cpu() - from;
  }
  BENCH_CHECK(SSL_is_init_finished(e->client) && SSL_is_init_finished(e->server));
  BENCH_CHECK(SSL_get_verify_result(e->server) == X509_V_OK);
  BENCH_CHECK(SSL_session_reused(e->server) == (again != NULL));
  ERR_clear_error();
}

static void close_ends(ends *e) {
  SSL_set_shutdown(e->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else not resumable */
  SSL_free(e->client);
  SSL_free(e->server);
}

static SSL_SESSION *kept;
static int keep(SSL *ssl, SSL_SESSION *s) {
  (void)ssl;
  SSL_SESSION_free(kept);
  kept = s;
  return 1;
}

static void handshakes(bench *b, const side *client, const side *server, int resumed) {
  double cpu = 0;
  char byte;
  ends e;
  SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(client->ctx, keep);
  for (int i = 0; i < HANDSHAKES; i++) {
    SSL_SESSION *from = resumed ? kept : NULL;
    if (from) SSL_SESSION_up_ref(from);
    open_ends(&e, client, server, from);
    SSL_SESSION_free(from);
    (void)SSL_read(e.client, &byte, 1); /* takes the ticket */
    cpu += e.cpu;
    close_ends(&e);
    BENCH_CHECK(kept);
  }
  bench_add(b, resumed ? "limit.tls_resumed" : "limit.tls_full", HANDSHAKES / cpu);
}

/* Of the server's ends alone; the clients' are freed. */
static void memory(bench *b, const side *client, const side *server) {
  static ends e[CONNECTIONS];
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < CONNECTIONS; i++) {
    open_ends(&e[i], client, server, NULL);
    SSL_free(e[i].client);
  }
  double each = (double)(mallinfo2().uordblks - before) / CONNECTIONS;
  bench_add(b, "limit.tls_memory", each * 1000 / 1e6);
  for (int i = 0; i < CONNECTIONS; i++) SSL_free(e[i].server);
}

void bench_limits_tls(bench *b, int runs) {
  bench_figure(b, "limit.tls_full", "1/s", 0, 1, NULL);
  bench_figure(b, "limit.tls_resumed", "1/s", 0, 1, NULL);
  bench_figure(b, "limit.tls_memory", "MB/1000", 0, 0, NULL);
  for (int i = 0; i < runs; i++) {
    side server, client;
    make_side(&server, TLS_server_method(), NULL);
    make_side(&client, TLS_client_method(), &server);
    SSL_CTX_set_session_id_context(server.ctx, (const unsigned char *)"b", 1);
    memory(b, &client, &server);
    handshakes(b, &client, &server, 0);
    handshakes(b, &client, &server, 1);
    SSL_SESSION_free(kept);
    kept = NULL;
    free_side(&client);
    free_side(&server);
  }
}
