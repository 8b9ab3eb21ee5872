/* Handshakes: the library's TLS engine beside OpenSSL alone, both over memory, the same
 * certificates, ciphers and groups; what the server takes of the CPU counts. And what one idle
 * connection takes of a server's memory with OpenSSL alone. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/bench/day.h"

#define HANDSHAKES 150
#define IDLE 1000

typedef struct identity {
  qm_env env;
  qm_ca *ca;
  qm_key *hub, *device;
  qm_buf hub_cert, device_cert;
} identity;

static uint64_t real_now(void *payload) {
  struct timespec t;
  (void)payload;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void identity_make(identity *x) {
  memset(x, 0, sizeof *x);
  x->env = qm_env_default();
  x->env.now_ms = real_now;
  x->env.random = qm_crypto_random;
  BENCH_OK(qm_ca_create(&x->env, qm_slice_of("bench", 5), real_now(NULL), &x->ca));
  BENCH_OK(qm_key_generate(&x->env, &x->hub));
  BENCH_OK(qm_key_generate(&x->env, &x->device));
  qm_buf_init(&x->hub_cert, &x->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&x->device_cert, &x->env, QM_CERT_SIZE_MAX);
  BENCH_OK(qm_ca_issue_hub(x->ca, qm_key_spki(x->hub), NULL, 0, 365, real_now(NULL),
                           &x->hub_cert));
  BENCH_OK(qm_ca_issue_device(x->ca, qm_key_spki(x->device), real_now(NULL), &x->device_cert));
}

static void identity_free(identity *x) {
  qm_ca_free(x->ca);
  qm_key_free(x->hub);
  qm_key_free(x->device);
  qm_buf_free(&x->hub_cert);
  qm_buf_free(&x->device_cert);
}

/* --- OpenSSL alone --- */

static SSL_CTX *plain_ctx(const identity *x, int is_server, const qm_key *key, const qm_buf *cert) {
  const unsigned char *p = cert->p, *q = qm_ca_cert(x->ca).p;
  SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  X509 *leaf = d2i_X509(NULL, &p, (long)cert->n);
  X509 *root = d2i_X509(NULL, &q, (long)qm_ca_cert(x->ca).n);
  BENCH_CHECK(ctx && leaf && root);
  BENCH_CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
  BENCH_CHECK(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") == 1);
  BENCH_CHECK(SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1);
  BENCH_CHECK(SSL_CTX_use_certificate(ctx, leaf) == 1);
  BENCH_CHECK(SSL_CTX_use_PrivateKey(ctx, qm__key_pkey(key)) == 1);
  BENCH_CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root) == 1);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"bench", 5);
  SSL_CTX_set_session_cache_mode(ctx, is_server ? SSL_SESS_CACHE_OFF : SSL_SESS_CACHE_CLIENT);
  X509_free(leaf);
  X509_free(root);
  return ctx;
}

typedef struct plain {
  SSL *client, *server;
} plain;

static SSL *plain_end(SSL_CTX *ctx, int is_server) {
  SSL *s = SSL_new(ctx);
  BENCH_CHECK(s);
  SSL_set_bio(s, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (is_server) SSL_set_accept_state(s);
  else SSL_set_connect_state(s);
  return s;
}

static void carry(SSL *from, SSL *to) {
  char part[16384];
  int n;
  while ((n = BIO_read(SSL_get_wbio(from), part, sizeof part)) > 0)
    BENCH_CHECK(BIO_write(SSL_get_rbio(to), part, n) == n);
}

/* A handshake, until the client has its ticket too. Gives the server's seconds. */
static double plain_handshake(SSL_CTX *ctx[2], SSL_SESSION **ticket, int wants_reused, plain *out) {
  double server = 0;
  char byte;
  plain p = {plain_end(ctx[0], 0), NULL};
  double from = bench_cpu();
  p.server = plain_end(ctx[1], 1);
  server += bench_cpu() - from;
  if (*ticket) BENCH_CHECK(SSL_set_session(p.client, *ticket) == 1);
  for (int i = 0; i < 3; i++) {
    (void)SSL_do_handshake(p.client);
    from = bench_cpu();
    carry(p.client, p.server);
    (void)SSL_do_handshake(p.server);
    carry(p.server, p.client);
    server += bench_cpu() - from;
  }
  BENCH_CHECK(SSL_is_init_finished(p.client) && SSL_is_init_finished(p.server));
  BENCH_CHECK(SSL_session_reused(p.server) == wants_reused);
  (void)SSL_read(p.client, &byte, 1);
  SSL_SESSION_free(*ticket);
  *ticket = SSL_get1_session(p.client);
  if (out) {
    *out = p;
    return server;
  }
  SSL_set_shutdown(p.client, SSL_SENT_SHUTDOWN); /* else its ticket is spoilt */
  SSL_free(p.client);
  from = bench_cpu();
  SSL_free(p.server);
  return server + bench_cpu() - from;
}

/* --- the library's --- */

static void hand(qm_tls *from, qm_tls *to) {
  uint8_t part[16384];
  size_t n, used;
  while (qm_tls_take(from, part, sizeof part, &n) == QM_OK && n) {
    BENCH_OK(qm_tls_feed(to, part, n, &used));
    BENCH_CHECK(used == n);
  }
}

static double own_handshake(qm_tls_config *client, qm_tls_config *hub, qm_buf *ticket) {
  qm_tls *c, *s;
  uint8_t part[64];
  size_t n;
  int is_again = ticket->n != 0;
  BENCH_OK(qm_tls_resume(client, qm_buf_slice(ticket), &c));
  double from = bench_cpu(), server = 0;
  BENCH_OK(qm_tls_new(hub, &s));
  server += bench_cpu() - from;
  for (int i = 0; i < 3; i++) {
    from = bench_cpu();
    hand(c, s);
    server += bench_cpu() - from;
    hand(s, c);
  }
  BENCH_CHECK(qm_tls_state_of(c) == QM_TLS_OPEN && qm_tls_state_of(s) == QM_TLS_OPEN);
  BENCH_CHECK(qm_tls_is_resumed(s) == is_again);
  (void)qm_tls_read(c, part, sizeof part, &n);
  qm_buf_clear(ticket);
  BENCH_OK(qm_tls_ticket(c, ticket));
  qm_tls_free(c);
  from = bench_cpu();
  qm_tls_free(s);
  return server + bench_cpu() - from;
}

/* --- figures --- */

/* One after the other in turn, so that both meet the same moment of the machine. */
static void handshakes(bench *b) {
  identity x;
  qm_tls_config *own[2];
  double full[2] = {0, 0}, again[2] = {0, 0};
  identity_make(&x);
  qm_tls_server server = {
      .ca = qm_ca_cert(x.ca), .cert = qm_buf_slice(&x.hub_cert), .key = x.hub};
  BENCH_OK(qm_tls_config_server(&x.env, &server, &own[1]));
  SSL_CTX *ctx[2] = {plain_ctx(&x, 0, x.device, &x.device_cert),
                     plain_ctx(&x, 1, x.hub, &x.hub_cert)};
  SSL_SESSION *ticket = NULL;
  qm_buf kept;
  qm_buf_init(&kept, &x.env, 65536);
  for (int i = 0; i < HANDSHAKES; i++) {
    SSL_SESSION *none = NULL;
    full[0] += plain_handshake(ctx, &none, 0, NULL);
    SSL_SESSION_free(none);
    BENCH_OK(qm_tls_config_client(&x.env, qm_ca_cert(x.ca), qm_buf_slice(&x.device_cert),
                                  x.device, &own[0]));
    qm_buf_clear(&kept);
    full[1] += own_handshake(own[0], own[1], &kept);
    qm_tls_config_free(own[0]);
  }
  BENCH_OK(qm_tls_config_client(&x.env, qm_ca_cert(x.ca), qm_buf_slice(&x.device_cert), x.device,
                                &own[0]));
  qm_buf_clear(&kept);
  (void)own_handshake(own[0], own[1], &kept);
  (void)plain_handshake(ctx, &ticket, 0, NULL);
  for (int i = 0; i < HANDSHAKES; i++) {
    again[0] += plain_handshake(ctx, &ticket, 1, NULL);
    again[1] += own_handshake(own[0], own[1], &kept);
  }
  bench_add(b, "day.limit.tls_full", HANDSHAKES / full[0]);
  bench_add(b, "day.tls_full", HANDSHAKES / full[1]);
  bench_add(b, "day.tls_full.share", 100 * full[0] / full[1]);
  bench_add(b, "day.limit.tls_resumed", HANDSHAKES / again[0]);
  bench_add(b, "day.tls_resumed", HANDSHAKES / again[1]);
  bench_add(b, "day.tls_resumed.share", 100 * again[0] / again[1]);
  SSL_SESSION_free(ticket);
  qm_buf_free(&kept);
  SSL_CTX_free(ctx[0]);
  SSL_CTX_free(ctx[1]);
  qm_tls_config_free(own[0]);
  qm_tls_config_free(own[1]);
  identity_free(&x);
}

/* In a process of its own: the servers' ends of IDLE connections, the clients gone. */
static void idle_alone(bench *b) {
  int ends[2], status;
  double mb = 0;
  BENCH_CHECK(pipe(ends) == 0);
  fflush(NULL);
  pid_t pid = fork();
  BENCH_CHECK(pid >= 0);
  if (pid == 0) {
    static plain p[IDLE];
    identity x;
    SSL_SESSION *none = NULL;
    identity_make(&x);
    SSL_CTX *ctx[2] = {plain_ctx(&x, 0, x.device, &x.device_cert),
                       plain_ctx(&x, 1, x.hub, &x.hub_cert)};
    (void)plain_handshake(ctx, &none, 0, NULL);
    SSL_SESSION_free(none);
    none = NULL;
    malloc_trim(0);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < IDLE; i++) {
      (void)plain_handshake(ctx, &none, 0, &p[i]);
      SSL_free(p[i].client);
      SSL_SESSION_free(none);
      none = NULL;
    }
    mb = (double)(mallinfo2().uordblks - before) / 1e6;
    if (write(ends[1], &mb, sizeof mb) != (ssize_t)sizeof mb) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  BENCH_CHECK(read(ends[0], &mb, sizeof mb) == (ssize_t)sizeof mb);
  close(ends[0]);
  BENCH_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  bench_add(b, "day.limit.idle_tls", mb);
}

void day_handshakes(bench *b, int runs) {
  bench_figure(b, "day.limit.tls_full", "1/s", 0, 1, NULL);
  bench_figure(b, "day.tls_full", "1/s", 0, 1, "day.limit.tls_full");
  bench_figure(b, "day.tls_full.share", "%", 90, 1, NULL);
  bench_figure(b, "day.limit.tls_resumed", "1/s", 0, 1, NULL);
  bench_figure(b, "day.tls_resumed", "1/s", 0, 1, "day.limit.tls_resumed");
  bench_figure(b, "day.tls_resumed.share", "%", 90, 1, NULL);
  bench_figure(b, "day.limit.idle_tls", "MB", 0, 0, NULL);
  for (int i = 0; i < runs; i++) {
    handshakes(b);
    idle_alone(b);
  }
}
