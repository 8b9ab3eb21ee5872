/* Resuming a connection: what it saves, and that the device is judged anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sync/tls.h"
#include "tests/unit/support_alloc.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define DAY_MS UINT64_C(86400000)
#define NOW_MS UINT64_C(1935904150123)

typedef struct party {
  test_alloc alloc; /* first: the allocator's payload is the clock's too */
  uint64_t now_ms;
  qm_env env;
} party;

typedef struct fixture {
  party hub, device;
  qm_ca *ca, *foreign;
  qm_key *hub_key, *device_key, *other_key;
  qm_buf hub_cert, device_cert, other_cert, ticket;
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  qm_tls_config *server;
  int admit_rc, admits;
  int heard; /* by the device, of the last connection */
} fixture;

static uint64_t party_now(void *payload) { return ((party *)payload)->now_ms; }

static void party_open(party *p) {
  p->now_ms = NOW_MS;
  p->env = test_alloc_env(&p->alloc);
  p->env.now_ms = party_now;
  p->env.random = qm_crypto_random;
}

static int admit(void *payload, const qm_id *device, const qm_cert *cert) {
  fixture *f = payload;
  assert_memory_equal(cert->device.b, device->b, QM_ID_SIZE);
  assert_memory_equal(qm_key_device(f->device_key)->b, device->b, QM_ID_SIZE);
  f->admits++;
  return f->admit_rc;
}

static qm_tls_config *server_of(fixture *f) {
  qm_tls_config *c;
  qm_tls_server o = {.ca = qm_ca_cert(f->ca), .cert = qm_buf_slice(&f->hub_cert),
                     .key = f->hub_key, .admit = admit, .payload = f};
  ok(qm_tls_config_server(&f->hub.env, &o, &c));
  return c;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  party_open(&f->hub);
  party_open(&f->device);
  const qm_env *env = &f->hub.env;
  qm_buf *bufs[] = {&f->hub_cert, &f->device_cert, &f->other_cert, &f->ticket};
  for (size_t i = 0; i < 4; i++) qm_buf_init(bufs[i], env, 16384);
  ok(qm_ca_create(env, qm_slice_of("Hub", 3), NOW_MS, &f->ca));
  ok(qm_ca_create(env, qm_slice_of("Hub", 3), NOW_MS, &f->foreign));
  ok(qm_key_generate(env, &f->hub_key));
  ok(qm_key_generate(env, &f->device_key));
  ok(qm_key_generate(env, &f->other_key));
  ok(qm_ca_issue_hub(f->ca, qm_key_spki(f->hub_key), NULL, 0, 30, NOW_MS, &f->hub_cert));
  ok(qm_ca_issue_device(f->ca, qm_key_spki(f->device_key), NOW_MS, &f->device_cert));
  ok(qm_ca_issue_device(f->ca, qm_key_spki(f->other_key), NOW_MS, &f->other_cert));
  ok(qm_cert_fingerprint(qm_ca_cert(f->ca), f->fingerprint));
  f->server = server_of(f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  qm_buf *bufs[] = {&f->hub_cert, &f->device_cert, &f->other_cert, &f->ticket};
  for (size_t i = 0; i < 4; i++) qm_buf_free(bufs[i]);
  qm_tls_config_free(f->server);
  qm_ca_free(f->ca);
  qm_ca_free(f->foreign);
  qm_key_free(f->hub_key);
  qm_key_free(f->device_key);
  qm_key_free(f->other_key);
  int is_clean = f->hub.alloc.live == 0 && f->device.alloc.live == 0;
  free(f);
  return is_clean ? 0 : 1;
}

static int carry(qm_tls *from, qm_tls *to) {
  uint8_t part[8192];
  size_t n, used;
  ok(qm_tls_take(from, part, sizeof part, &n));
  if (n) (void)qm_tls_feed(to, part, n, &used);
  return n != 0;
}

/* A connection of the config with the ticket; the newest ticket is kept. 1: resumed, 0: not;
 * below 0: it failed, and f->heard says why. */
static int connect_with(fixture *f, qm_tls_config *client) {
  qm_tls *c, *s;
  uint8_t part[64];
  size_t n;
  qm_cert peer;
  ok(qm_tls_resume(client, qm_buf_slice(&f->ticket), &c));
  ok(qm_tls_new(f->server, &s));
  while (carry(c, s) | carry(s, c)) continue;
  (void)qm_tls_read(c, part, sizeof part, &n);
  f->heard = qm_tls_error(c, NULL);
  int resumed = f->heard == QM_OK ? qm_tls_is_resumed(s) : -1;
  assert_int_equal(qm_tls_state_of(s) == QM_TLS_OPEN, f->heard == QM_OK);
  if (resumed >= 0) {
    assert_int_equal(qm_tls_is_resumed(c), resumed);
    ok(qm_tls_peer(s, &peer));
    assert_memory_equal(peer.spki, qm_key_spki(f->device_key).p, QM_SPKI_SIZE);
    ok(qm_tls_peer(c, &peer));
    assert_memory_equal(peer.spki, qm_key_spki(f->hub_key).p, QM_SPKI_SIZE);
    ok(qm_tls_write(c, (const uint8_t *)"hello", 5, &n));
    while (carry(c, s) | carry(s, c)) continue;
    ok(qm_tls_read(s, part, sizeof part, &n));
    assert_int_equal(n, 5);
    qm_buf_clear(&f->ticket);
    ok(qm_tls_ticket(c, &f->ticket));
  }
  qm_tls_free(c);
  qm_tls_free(s);
  return resumed;
}

static int connect_as(fixture *f, const qm_ca *ca, const qm_key *key, const qm_buf *cert) {
  qm_tls_config *client;
  ok(qm_tls_config_client(&f->device.env, qm_ca_cert(ca), qm_buf_slice(cert), key, &client));
  int rc = connect_with(f, client);
  qm_tls_config_free(client);
  return rc;
}

static int connect_again(fixture *f) {
  return connect_as(f, f->ca, f->device_key, &f->device_cert);
}

/* Again and again: each connection gives a ticket for the next, and each asks `admit`. */
static void resumes(void **state) {
  fixture *f = *state;
  assert_int_equal(connect_again(f), 0);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(f->admits, i + 1);
    assert_int_equal(connect_again(f), 1);
  }
}

/* It hears that it is revoked, as without a ticket. */
static void revoked_since(void **state) {
  fixture *f = *state;
  static const int answers[] = {QM_EREVOKED, QM_ECERT, QM_ECERTEXPIRED};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    f->admit_rc = QM_OK;
    qm_buf_clear(&f->ticket);
    assert_int_equal(connect_again(f), 0);
    f->admit_rc = answers[i];
    assert_int_equal(connect_again(f), -1);
    assert_int_equal(f->heard, answers[i]);
  }
  f->admit_rc = QM_OK;
  assert_int_equal(connect_again(f), 1);
}

/* The certificate in the ticket has ended; a renewed one of the same key serves on. */
static void expired_since(void **state) {
  fixture *f = *state;
  assert_int_equal(connect_again(f), 0);
  f->hub.now_ms += 366 * DAY_MS;
  assert_int_equal(connect_again(f), -1);
  assert_int_equal(f->heard, QM_ECERTEXPIRED);
  qm_buf_clear(&f->device_cert);
  ok(qm_ca_issue_device(f->ca, qm_key_spki(f->device_key), f->hub.now_ms, &f->device_cert));
  assert_int_equal(connect_again(f), 0);
  assert_int_equal(connect_again(f), 1);
}

/* The hub's has ended by the device's clock: it wants to see a new one. */
static void hub_expired_since(void **state) {
  fixture *f = *state;
  assert_int_equal(connect_again(f), 0);
  f->device.now_ms += 31 * DAY_MS;
  assert_int_equal(connect_again(f), -1);
  assert_int_equal(f->heard, QM_ECERTEXPIRED);
}

/* Another config of the hub has other keys: a full handshake, and then its own tickets. */
static void another_config(void **state) {
  fixture *f = *state;
  assert_int_equal(connect_again(f), 0);
  qm_tls_config_free(f->server);
  f->server = server_of(f);
  assert_int_equal(connect_again(f), 0);
  assert_int_equal(connect_again(f), 1);
}

/* Of another CA or key nothing is offered: the ticket says whose it is. */
static void another_key(void **state) {
  fixture *f = *state;
  qm_tls *t;
  qm_tls_config *client;
  uint8_t part[8192];
  size_t full, n;
  assert_int_equal(connect_again(f), 0);
  ok(qm_tls_config_client(&f->device.env, qm_ca_cert(f->ca), qm_buf_slice(&f->other_cert),
                          f->other_key, &client));
  ok(qm_tls_new(client, &t));
  ok(qm_tls_take(t, part, sizeof part, &full));
  qm_tls_free(t);
  ok(qm_tls_resume(client, qm_buf_slice(&f->ticket), &t));
  ok(qm_tls_take(t, part, sizeof part, &n));
  assert_int_equal(n, full);
  qm_tls_free(t);
  qm_tls_config_free(client);
  assert_int_equal(connect_as(f, f->foreign, f->device_key, &f->device_cert), -1);
  assert_int_equal(f->heard, QM_ECERT);
}

/* Bytes that are no ticket, or were changed: as without. */
static void damaged(void **state) {
  fixture *f = *state;
  assert_int_equal(connect_again(f), 0);
  size_t n = f->ticket.n;
  for (size_t at = 0; at < n; at += 37) {
    f->ticket.p[at] ^= 0x40;
    int rc = connect_again(f); /* a changed key is no proof: that connection fails */
    assert_true(rc == 0 || rc == 1 || f->heard == QM_ETLS);
    if (rc < 0) f->ticket.p[at] ^= 0x40;
    n = f->ticket.n;
  }
  for (size_t cut = 0; cut < 64; cut++) {
    f->ticket.n = cut;
    assert_int_equal(connect_again(f), 0);
  }
}

/* Who enrols gets no ticket, and shows nobody's. */
static void enrolment_has_none(void **state) {
  fixture *f = *state;
  qm_tls_config *client;
  qm_tls *c, *s;
  uint8_t part[8];
  size_t n;
  qm_cert peer;
  assert_int_equal(connect_again(f), 0);
  ok(qm_tls_config_enrol(&f->device.env, f->fingerprint, &client));
  ok(qm_tls_resume(client, qm_buf_slice(&f->ticket), &c));
  qm_tls_config_free(client);
  ok(qm_tls_new(f->server, &s));
  while (carry(c, s) | carry(s, c)) continue;
  (void)qm_tls_read(c, part, sizeof part, &n);
  assert_int_equal(qm_tls_state_of(s), QM_TLS_OPEN);
  assert_int_equal(qm_tls_is_resumed(s), 0);
  assert_int_equal(qm_tls_peer(s, &peer), QM_ENOTFOUND);
  qm_buf_clear(&f->ticket);
  assert_int_equal(qm_tls_ticket(c, &f->ticket), QM_ENOTFOUND);
  qm_tls_free(c);
  qm_tls_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(resumes),        TEST(revoked_since), TEST(expired_since), TEST(hub_expired_since),
      TEST(another_config), TEST(another_key),   TEST(damaged),       TEST(enrolment_has_none)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
