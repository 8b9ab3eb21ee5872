#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sync/tls.h"
#include "tests/unit/support_alloc.h"

#define DAY_MS UINT64_C(86400000)
/* 2031-05-07 07:09:10.123 UTC */
#define NOW_MS UINT64_C(1935904150123)
#define NO_CUT SIZE_MAX

/* One party's world: its clock is its own. */
typedef struct party {
  test_alloc alloc; /* first: the allocator's payload is the clock's too */
  uint64_t now_ms;
  qm_env env;
} party;

static uint64_t party_now(void *payload) {
  party *p = payload;
  return p->now_ms;
}

static void party_open(party *p, uint64_t now_ms) {
  p->now_ms = now_ms;
  p->env = test_alloc_env(&p->alloc);
  p->env.now_ms = party_now;
  p->env.random = qm_crypto_random;
}

/* Of the device: its own, one by the foreign CA, one for a hub's use. Of the hub: its
 * own, one for a device's use, one by the foreign CA. The last stays empty: none. */
enum {
  CERT_DEVICE,
  CERT_FOREIGN,
  CERT_WRONG_USE,
  CERT_HUB,
  CERT_POSING,
  CERT_FOREIGN_HUB,
  CERT_NONE,
  CERT_COUNT
};

/* A hub, its CA, a device of it; a foreign CA with the same name. */
typedef struct fixture {
  party maker, hub, device;
  qm_ca *ca, *foreign;
  qm_key *hub_key, *device_key;
  qm_buf certs[CERT_COUNT];
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  int admit_rc, admit_count;
  qm_id admitted;
} fixture;

static qm_slice text(const char *s) { return qm_slice_of(s, strlen(s)); }

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  party_open(&f->maker, NOW_MS);
  party_open(&f->hub, NOW_MS);
  party_open(&f->device, NOW_MS);
  const qm_env *env = &f->maker.env;
  for (size_t i = 0; i < CERT_COUNT; i++) qm_buf_init(&f->certs[i], env, QM_CERT_SIZE_MAX);
  assert_int_equal(qm_ca_create(env, text("Hub of Stone Bridge"), NOW_MS, &f->ca), QM_OK);
  assert_int_equal(qm_ca_create(env, text("Hub of Stone Bridge"), NOW_MS, &f->foreign), QM_OK);
  assert_int_equal(qm_key_generate(env, &f->hub_key), QM_OK);
  assert_int_equal(qm_key_generate(env, &f->device_key), QM_OK);
  qm_slice hub = qm_key_spki(f->hub_key), device = qm_key_spki(f->device_key);
  assert_int_equal(qm_ca_issue_hub(f->ca, hub, NULL, 0, 730, NOW_MS, &f->certs[CERT_HUB]), QM_OK);
  assert_int_equal(qm_ca_issue_device(f->ca, device, NOW_MS, &f->certs[CERT_DEVICE]), QM_OK);
  assert_int_equal(qm_ca_issue_device(f->foreign, device, NOW_MS, &f->certs[CERT_FOREIGN]), QM_OK);
  assert_int_equal(qm_ca_issue_device(f->ca, hub, NOW_MS, &f->certs[CERT_POSING]), QM_OK);
  qm_buf *foreign_hub = &f->certs[CERT_FOREIGN_HUB];
  assert_int_equal(qm_ca_issue_hub(f->foreign, hub, NULL, 0, 730, NOW_MS, foreign_hub), QM_OK);
  assert_int_equal(qm_ca_issue_hub(f->ca, device, NULL, 0, 365, NOW_MS, &f->certs[CERT_WRONG_USE]),
                   QM_OK);
  assert_int_equal(qm_cert_fingerprint(qm_ca_cert(f->ca), f->fingerprint), QM_OK);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  for (size_t i = 0; i < CERT_COUNT; i++) qm_buf_free(&f->certs[i]);
  qm_ca_free(f->ca);
  qm_ca_free(f->foreign);
  qm_key_free(f->hub_key);
  qm_key_free(f->device_key);
  int is_clean = f->maker.alloc.live == 0 && f->hub.alloc.live == 0 && f->device.alloc.live == 0;
  free(f);
  return is_clean ? 0 : 1;
}

static int admit(void *payload, const qm_id *device, const qm_cert *cert) {
  fixture *f = payload;
  f->admit_count++;
  f->admitted = *device;
  assert_memory_equal(cert->device.b, device->b, QM_ID_SIZE);
  assert_true(cert->is_client);
  return f->admit_rc;
}

static qm_tls *hub_of(fixture *f, int cert) {
  qm_tls_server options = {.ca = qm_ca_cert(f->ca),
                           .cert = qm_buf_slice(&f->certs[cert]),
                           .key = f->hub_key,
                           .admit = admit,
                           .payload = f};
  qm_tls_config *c = NULL;
  qm_tls *t = NULL;
  assert_int_equal(qm_tls_config_server(&f->hub.env, &options, &c), QM_OK);
  assert_int_equal(qm_tls_new(c, &t), QM_OK);
  qm_tls_config_free(c); /* the engine keeps it */
  return t;
}

static qm_tls *device_of(fixture *f, int cert) {
  qm_tls_config *c = NULL;
  qm_tls *t = NULL;
  qm_slice der = qm_buf_slice(&f->certs[cert]);
  const qm_key *key = der.n > 0 ? f->device_key : NULL;
  assert_int_equal(qm_tls_config_client(&f->device.env, qm_ca_cert(f->ca), der, key, &c), QM_OK);
  assert_int_equal(qm_tls_new(c, &t), QM_OK);
  qm_tls_config_free(c);
  return t;
}

static qm_tls *enroller_of(fixture *f, const uint8_t *fingerprint) {
  qm_tls_config *c = NULL;
  qm_tls *t = NULL;
  assert_int_equal(qm_tls_config_enrol(&f->device.env, fingerprint, &c), QM_OK);
  assert_int_equal(qm_tls_new(c, &t), QM_OK);
  qm_tls_config_free(c);
  return t;
}

/* Two engines and the bytes between them, cut at random. */
typedef struct wire {
  uint8_t p[4096];
  size_t at, n;
  size_t total, cut; /* bytes carried; nothing is carried beyond cut */
} wire;

typedef struct pair {
  qm_tls *client, *server;
  wire up, down;
  uint64_t seed;
  size_t chunk_max;
} pair;

static uint64_t draw(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void pair_open(pair *p, qm_tls *client, qm_tls *server, uint64_t seed, size_t chunk_max) {
  memset(p, 0, sizeof *p);
  p->client = client;
  p->server = server;
  p->seed = seed * 2654435761u + 1;
  p->chunk_max = chunk_max;
  p->up.cut = p->down.cut = NO_CUT;
}

static void pair_close(pair *p) {
  qm_tls_free(p->client);
  qm_tls_free(p->server);
}

/* Carries one piece; 1 where something moved. */
static int carry(pair *p, wire *w, qm_tls *from, qm_tls *to) {
  if (w->at == w->n) {
    size_t cap = 1 + (size_t)(draw(&p->seed) % p->chunk_max);
    if (cap > sizeof w->p) cap = sizeof w->p;
    if (cap > w->cut - w->total) cap = w->cut - w->total;
    w->at = 0;
    assert_int_equal(qm_tls_take(from, w->p, cap, &w->n), QM_OK);
    w->total += w->n;
  }
  if (w->at == w->n) return 0;
  size_t used = 0;
  (void)qm_tls_feed(to, w->p + w->at, w->n - w->at, &used);
  assert_true(used <= w->n - w->at);
  w->at += used;
  return used > 0;
}

static int carry_both(pair *p) {
  int moved = carry(p, &p->up, p->client, p->server);
  return carry(p, &p->down, p->server, p->client) || moved;
}

static void settle(pair *p) {
  while (carry_both(p)) continue;
}

static int read_code(qm_tls *t) {
  uint8_t b[8];
  size_t n = 0;
  int rc = qm_tls_read(t, b, sizeof b, &n);
  assert_int_equal(n, 0);
  return rc;
}

static void exchange(pair *p, qm_tls *from, qm_tls *to, const char *words) {
  size_t n = strlen(words), used = 0, len = 0;
  uint8_t b[128] = {0};
  assert_int_equal(qm_tls_write(from, (const uint8_t *)words, n, &used), QM_OK);
  assert_int_equal(used, n);
  settle(p);
  assert_int_equal(qm_tls_read(to, b, sizeof b, &len), QM_OK);
  assert_int_equal(len, n);
  assert_memory_equal(b, words, n);
}

static void is_closed_in_turn(pair *p) {
  size_t used = 0;
  assert_int_equal(qm_tls_shutdown(p->client), QM_OK);
  assert_int_equal(qm_tls_write(p->client, (const uint8_t *)"x", 1, &used), QM_ESTATE);
  settle(p);
  assert_int_equal(read_code(p->server), QM_ECLOSED);
  assert_int_equal(qm_tls_state_of(p->server), QM_TLS_CLOSED);
  assert_int_equal(qm_tls_state_of(p->client), QM_TLS_OPEN);
  /* The other half still speaks; its last words come before its end. */
  uint8_t words[] = "still arrives", b[sizeof words + 1];
  assert_int_equal(qm_tls_write(p->server, words, sizeof words, &used), QM_OK);
  assert_int_equal(qm_tls_shutdown(p->server), QM_OK);
  assert_int_equal(qm_tls_shutdown(p->server), QM_OK);
  settle(p);
  assert_int_equal(qm_tls_read(p->client, b, sizeof b, &used), QM_OK);
  assert_int_equal(used, sizeof words);
  assert_int_equal(read_code(p->client), QM_ECLOSED);
  assert_int_equal(qm_tls_error(p->client, NULL), QM_OK);
}

static void are_open(const pair *p, qm_tls_alpn_id alpn) {
  assert_int_equal(qm_tls_state_of(p->client), QM_TLS_OPEN);
  assert_int_equal(qm_tls_state_of(p->server), QM_TLS_OPEN);
  assert_int_equal(qm_tls_alpn(p->client), alpn);
  assert_int_equal(qm_tls_alpn(p->server), alpn);
}

static void both_prove_who_they_are(void **state) {
  fixture *f = *state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    pair p;
    qm_cert peer;
    pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), seed,
              seed < 3 ? seed : seed * 60);
    assert_int_equal(qm_tls_state_of(p.client), QM_TLS_HANDSHAKE);
    assert_int_equal(qm_tls_peer(p.server, &peer), QM_ENOTFOUND);
    settle(&p);
    are_open(&p, QM_TLS_ALPN_SYNC);
    assert_int_equal(f->admit_count, seed);
    assert_memory_equal(f->admitted.b, qm_key_device(f->device_key)->b, QM_ID_SIZE);
    assert_int_equal(qm_tls_peer(p.server, &peer), QM_OK);
    assert_memory_equal(peer.spki, qm_key_spki(f->device_key).p, QM_SPKI_SIZE);
    assert_int_equal(peer.not_after_ms / 1000, (NOW_MS + 365 * DAY_MS) / 1000);
    assert_int_equal(qm_tls_peer(p.client, &peer), QM_OK);
    assert_memory_equal(peer.device.b, qm_key_device(f->hub_key)->b, QM_ID_SIZE);
    assert_int_equal(qm_tls_ca(p.client).n, 0);
    exchange(&p, p.client, p.server, "from the village");
    exchange(&p, p.server, p.client, "from the office");
    /* A sync with nothing new shall cost little, the hub's ticket for the next included. */
    assert_true(p.up.total < 1400 && p.down.total < 2400);
    is_closed_in_turn(&p);
    pair_close(&p);
  }
}

static void enrolment_shows_only_the_hub(void **state) {
  fixture *f = *state;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    pair p;
    qm_cert peer;
    pair_open(&p, enroller_of(f, f->fingerprint), hub_of(f, CERT_HUB), seed, seed * seed * 20);
    settle(&p);
    are_open(&p, QM_TLS_ALPN_ENROL);
    assert_int_equal(qm_tls_peer(p.server, &peer), QM_ENOTFOUND);
    assert_int_equal(qm_tls_peer(p.client, &peer), QM_OK);
    assert_memory_equal(peer.device.b, qm_key_device(f->hub_key)->b, QM_ID_SIZE);
    assert_int_equal(qm_slice_cmp(qm_tls_ca(p.client), qm_ca_cert(f->ca)), 0);
    assert_int_equal(f->admit_count, 0);
    exchange(&p, p.client, p.server, "a code");
    exchange(&p, p.server, p.client, "a certificate");
    is_closed_in_turn(&p);
    pair_close(&p);
  }
}

#define IN_1970 (-22406)

typedef struct refusal {
  const char *name;
  int device_day, hub_day; /* their clocks, from NOW_MS */
  int cert, hub_cert, admit_rc;
  int device_want, hub_want;
} refusal;

static const refusal refusals[] = {
    {"its end is over", 366, 366, CERT_DEVICE, CERT_HUB, 0, QM_ECERTEXPIRED, QM_ECERTEXPIRED},
    {"only the hub knows", 0, 366, CERT_DEVICE, CERT_HUB, 0, QM_ECERTEXPIRED, QM_ECERTEXPIRED},
    {"foreign CA", 0, 0, CERT_FOREIGN, CERT_HUB, 0, QM_ECERT, QM_ECERT},
    {"no certificate", 0, 0, CERT_NONE, CERT_HUB, 0, QM_ECERT, QM_ECERT},
    {"a hub's certificate", 0, 0, CERT_WRONG_USE, CERT_HUB, 0, QM_ECERT, QM_ECERT},
    {"revoked", 0, 0, CERT_DEVICE, CERT_HUB, QM_EREVOKED, QM_EREVOKED, QM_EREVOKED},
    {"unknown device", 0, 0, CERT_DEVICE, CERT_HUB, QM_ECERT, QM_ECERT, QM_ECERT},
    {"no right", 0, 0, CERT_DEVICE, CERT_HUB, QM_EACCESS, QM_ECERT, QM_EACCESS},
    {"hub cannot say now", 0, 0, CERT_DEVICE, CERT_HUB, QM_EBUSY, QM_ETLS, QM_EBUSY},
    {"device clock 1970", IN_1970, 0, CERT_DEVICE, CERT_HUB, 0, QM_ECLOCK, QM_ECERT},
    {"device clock last week", -7, 0, CERT_DEVICE, CERT_HUB, 0, QM_ECLOCK, QM_ECERT},
    {"device clock 2040", 3300, 0, CERT_DEVICE, CERT_HUB, 0, QM_ECERTEXPIRED, QM_ECERTEXPIRED},
    {"hub clock 1970", 0, IN_1970, CERT_DEVICE, CERT_HUB, 0, QM_ECERT, QM_ECLOCK},
    {"a device poses as hub", 0, 0, CERT_DEVICE, CERT_POSING, 0, QM_ECERT, QM_ECERT},
    {"a foreign hub", 0, 0, CERT_DEVICE, CERT_FOREIGN_HUB, 0, QM_ECERT, QM_ECERT},
};

/* NOW_MS and so many days. */
static uint64_t on_day(int day) { return (uint64_t)((int64_t)NOW_MS + day * (int64_t)DAY_MS); }

static void is_refused(fixture *f, const refusal *r, size_t chunk_max) {
  f->device.now_ms = on_day(r->device_day);
  f->hub.now_ms = on_day(r->hub_day);
  f->admit_rc = r->admit_rc;
  pair p;
  qm_error e = {0};
  qm_cert peer;
  uint8_t words[] = "household 7";
  size_t used = 0, len = 0;
  pair_open(&p, device_of(f, r->cert), hub_of(f, r->hub_cert), 7, chunk_max);
  settle(&p);
  /* The alert lies at the device, which reads it now. */
  int got = read_code(p.client);
  if (got != r->device_want || qm_tls_error(p.server, &e) != r->hub_want) {
    fail_msg("%s: device %s, hub %s (%s)", r->name, qm_err_name(got), qm_err_name(e.code),
             e.message);
  }
  assert_true(strlen(e.message) > 10);
  assert_int_equal(qm_tls_error(p.client, &e), r->device_want);
  assert_true(strlen(e.message) > 10);
  assert_int_equal(qm_tls_state_of(p.client), QM_TLS_FAILED);
  assert_int_equal(qm_tls_state_of(p.server), QM_TLS_FAILED);
  assert_int_equal(qm_tls_peer(p.server, &peer), QM_ENOTFOUND);
  /* It sticks, nothing is accepted, and all that was to be sent has been sent. */
  assert_int_equal(qm_tls_write(p.server, words, sizeof words, &used), r->hub_want);
  assert_int_equal(used, 0);
  assert_int_equal(qm_tls_read(p.server, words, sizeof words, &len), r->hub_want);
  assert_int_equal(qm_tls_feed(p.server, words, sizeof words, &used), r->hub_want);
  assert_int_equal(used, sizeof words);
  assert_int_equal(qm_tls_shutdown(p.server), r->hub_want);
  assert_int_equal(qm_tls_pending(p.server), 0);
  pair_close(&p);
  f->admit_rc = 0;
  f->device.now_ms = f->hub.now_ms = NOW_MS;
}

static void refused_with_one_alert(void **state) {
  fixture *f = *state;
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    is_refused(f, &refusals[i], 4096);
    is_refused(f, &refusals[i], 50);
  }
}

/* The device finishes first in TLS 1.3: it may write before the hub has judged. */
static void alert_comes_with_the_first_read(void **state) {
  fixture *f = *state;
  pair p;
  uint8_t words[] = "first frame";
  size_t used = 0;
  f->admit_rc = QM_EREVOKED;
  pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), 1, 4096);
  while (qm_tls_state_of(p.client) == QM_TLS_HANDSHAKE) assert_true(carry_both(&p));
  assert_int_equal(qm_tls_state_of(p.client), QM_TLS_OPEN);
  assert_int_equal(f->admit_count, 0);
  assert_int_equal(read_code(p.client), QM_OK);
  assert_int_equal(qm_tls_write(p.client, words, sizeof words, &used), QM_OK);
  assert_int_equal(used, sizeof words);
  settle(&p);
  assert_int_equal(f->admit_count, 1);
  assert_int_equal(read_code(p.client), QM_EREVOKED);
  assert_int_equal(read_code(p.server), QM_EREVOKED);
  assert_int_equal(qm_tls_write(p.client, words, sizeof words, &used), QM_EREVOKED);
  pair_close(&p);
}

static void enrolment_needs_the_ca_of_the_code(void **state) {
  static const struct {
    const char *name;
    int is_wrong, hub_cert, day, want;
  } rows[] = {
      {"another CA's code", 1, CERT_HUB, 0, QM_ECERT},
      {"a device poses as hub", 0, CERT_POSING, 0, QM_ECERT},
      {"a foreign hub", 0, CERT_FOREIGN_HUB, 0, QM_ECERT},
      {"clock 1970", 0, CERT_HUB, IN_1970, QM_ECLOCK},
      {"clock 2090", 0, CERT_HUB, 22000, QM_ECERTEXPIRED},
      {"all well", 0, CERT_HUB, 0, QM_OK},
  };
  fixture *f = *state;
  uint8_t other[QM_CA_FINGERPRINT_SIZE];
  assert_int_equal(qm_cert_fingerprint(qm_ca_cert(f->foreign), other), QM_OK);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    pair p;
    f->device.now_ms = on_day(rows[i].day);
    pair_open(&p, enroller_of(f, rows[i].is_wrong ? other : f->fingerprint),
              hub_of(f, rows[i].hub_cert), i + 1, 500);
    settle(&p);
    int rc = qm_tls_error(p.client, NULL);
    if (rc != rows[i].want) fail_msg("%s: %s", rows[i].name, qm_err_name(rc));
    assert_int_equal(qm_tls_ca(p.client).n > 0, rc == QM_OK);
    assert_int_equal(qm_tls_error(p.server, NULL) == QM_OK, rc == QM_OK);
    pair_close(&p);
  }
  f->device.now_ms = NOW_MS;
}

/* Nothing but one alert, in the clear: type 21, two bytes. Gives its description. */
static int only_an_alert(qm_tls *t) {
  uint8_t b[64];
  size_t n = 0;
  assert_int_equal(qm_tls_take(t, b, sizeof b, &n), QM_OK);
  assert_int_equal(n, 7);
  assert_int_equal(b[0], 0x15);
  assert_int_equal(b[1], 0x03);
  assert_int_equal(b[3] << 8 | b[4], 2);
  assert_int_equal(b[5], 2);
  assert_int_equal(qm_tls_take(t, b + 7, sizeof b - 7, &n), QM_OK);
  assert_int_equal(n, 0);
  return b[6];
}

static int feed_all(qm_tls *t, const uint8_t *p, size_t n, size_t step) {
  int rc = QM_OK;
  for (size_t at = 0; at < n && rc == QM_OK; at += step) {
    size_t len = n - at < step ? n - at : step, used = 0;
    rc = qm_tls_feed(t, p + at, len, &used);
    assert_int_equal(used, len);
  }
  return rc;
}

static size_t hello_of(qm_tls *client, uint8_t to[2048]) {
  size_t n = 0;
  assert_int_equal(qm_tls_take(client, to, 2048, &n), QM_OK);
  assert_true(n > 100);
  return n;
}

#define ALERT_UNEXPECTED 10
#define ALERT_VERSION 70
#define ALERT_NO_ALPN 120

static void plaintext_gets_an_alert(void **state) {
#define ROW(s) \
  { s, sizeof(s) - 1 }
  static const struct {
    const char *p;
    size_t n;
  } rows[] = {
      ROW("GET / HTTP/1.1\r\nHost: hub.example\r\n\r\n"),
      ROW("\x00\x00\x00\x20"),
      ROW("qianmo, in the clear"),
      ROW("\x80\x2e\x01\x00\x02"),                 /* SSL 2.0 */
      ROW("\x15\x03\x03\x00\x02\x02\x28"),         /* begins with an alert */
      ROW("\x17\x03\x03\x00\x05hello"),            /* begins with data */
      ROW("\x16\x02\x00\x00\x10"),                 /* no version of TLS */
      ROW("\x16\x03\x01\x00\x03\x01\x00\x00"),     /* less than a header */
      ROW("\x16\x03\x01\x01\x00\x02\x00\x00\xfc"), /* not a ClientHello */
      ROW("\x16\x03\x01\x40\x00\x01\x01\x00\x00"), /* claims 64 KiB */
  };
  fixture *f = *state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    for (size_t step = 1; step <= 64; step += 63) {
      qm_tls *t = hub_of(f, CERT_HUB);
      assert_int_equal(feed_all(t, (const uint8_t *)rows[i].p, rows[i].n, step), QM_ETLS);
      assert_int_equal(only_an_alert(t), ALERT_UNEXPECTED);
      qm_tls_free(t);
    }
  }
  static const char *const answers[] = {"SSH-2.0-Example\r\n", "HTTP/1.1 400 Bad Request\r\n",
                                        "220 mail.example\r\n"};
  for (size_t i = 0; i < 3; i++) {
    qm_tls *t = device_of(f, CERT_DEVICE);
    uint8_t hello[2048];
    (void)hello_of(t, hello);
    assert_int_equal(feed_all(t, (const uint8_t *)answers[i], strlen(answers[i]), 4), QM_ETLS);
    assert_int_equal(only_an_alert(t), ALERT_UNEXPECTED);
    qm_tls_free(t);
  }
}

/* What a program limited to TLS 1.2 sends, ALPN qianmo/1 included. */
static const char hello_12[] =
    "16030100920100008e0303501ee695a3f9808dd547f561b0be69f05f494cc11a2a88b4e18a373906f5ecc5000004"
    "c02b00ff01000061000b000403000102000a000c000a001d0017001e00190018002300000010000b000908716961"
    "6e6d6f2f310016000000170000000d002a0028040305030603080708080809080a080b0804080508060401050106"
    "01030303010302040205020602";

static void older_tls_is_refused(void **state) {
  fixture *f = *state;
  uint8_t hello[256];
  size_t n = strlen(hello_12) / 2;
  assert_int_equal(qm_unhex(hello, n, hello_12, 2 * n), QM_OK);
  qm_tls *t = hub_of(f, CERT_HUB);
  assert_int_equal(feed_all(t, hello, n, 40), QM_ETLS);
  assert_int_equal(only_an_alert(t), ALERT_VERSION);
  qm_tls_free(t);
}

static uint8_t *find(uint8_t *p, size_t n, const char *what, size_t what_len) {
  for (size_t i = 0; i + what_len <= n; i++) {
    if (memcmp(p + i, what, what_len) == 0) return p + i;
  }
  fail();
  return NULL;
}

static void other_protocols_are_refused(void **state) {
  fixture *f = *state;
  /* The client's own first message, with another protocol and with none. */
  for (int is_absent = 0; is_absent < 2; is_absent++) {
    qm_tls *client = device_of(f, CERT_DEVICE);
    qm_tls *server = hub_of(f, CERT_HUB);
    uint8_t hello[2048], answer[64];
    size_t n = hello_of(client, hello), len = 0, used = 0;
    uint8_t *at = find(hello, n, "\x00\x10\x00\x0b\x00\x09\x08qianmo/1", 15);
    if (is_absent) {
      at[0] = 0xfa; /* an extension that nobody knows */
      at[1] = 0xfa;
    } else {
      at[14] = '9';
    }
    assert_int_equal(feed_all(server, hello, n, 99), QM_EVERSION);
    assert_int_equal(qm_tls_take(server, answer, sizeof answer, &len), QM_OK);
    assert_int_equal(len, 7);
    assert_int_equal(answer[6], ALERT_NO_ALPN);
    assert_int_equal(qm_tls_feed(client, answer, len, &used), QM_EVERSION);
    qm_tls_free(client);
    qm_tls_free(server);
  }
}

static uint8_t pattern(size_t i) { return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16)); }

typedef struct stream {
  qm_tls *from, *to;
  size_t written, got, total;
} stream;

static void stream_write(stream *s) {
  uint8_t b[40000];
  size_t n = s->total - s->written, used = 0;
  if (n > sizeof b) n = sizeof b;
  for (size_t i = 0; i < n; i++) b[i] = pattern(s->written + i);
  assert_int_equal(qm_tls_write(s->from, b, n, &used), QM_OK);
  assert_true(used <= n);
  s->written += used;
  assert_true(qm_tls_pending(s->from) < QM_TLS_OUT_MAX + 17000);
}

static void stream_read(stream *s, size_t cap) {
  uint8_t b[20000];
  size_t n = 0;
  assert_int_equal(qm_tls_read(s->to, b, cap < sizeof b ? cap : sizeof b, &n), QM_OK);
  for (size_t i = 0; i < n; i++) {
    if (b[i] != pattern(s->got + i)) fail_msg("byte %zu differs", s->got + i);
  }
  s->got += n;
}

static pair opened_pair(fixture *f, uint64_t seed, size_t chunk_max) {
  pair p;
  pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), seed, chunk_max);
  settle(&p);
  assert_int_equal(qm_tls_state_of(p.server), QM_TLS_OPEN);
  return p;
}

static void large_transfers_both_ways(void **state) {
  fixture *f = *state;
  pair p = opened_pair(f, 5, 4096);
  stream up = {p.client, p.server, 0, 0, 3000017}, down = {p.server, p.client, 0, 0, 2000003};
  while (up.got < up.total || down.got < down.total) {
    if (draw(&p.seed) % 4 == 0) stream_write(&up);
    if (draw(&p.seed) % 5 == 0) stream_write(&down);
    (void)carry_both(&p);
    if (draw(&p.seed) % 3 == 0) stream_read(&up, 1 + (size_t)(draw(&p.seed) % 20000));
    if (draw(&p.seed) % 3 == 0) stream_read(&down, 1 + (size_t)(draw(&p.seed) % 20000));
  }
  assert_int_equal(up.got, up.total);
  assert_int_equal(down.got, down.total);
  settle(&p);
  /* Idle again: the engine and its config, and the device's ticket; no buffer. */
  assert_int_equal(f->hub.alloc.live, 2);
  assert_int_equal(f->device.alloc.live, 3);
  is_closed_in_turn(&p);
  /* No buffer ever grew beyond its bound. */
  assert_true(f->device.alloc.size_most <= QM_TLS_OUT_MAX + 65536);
  assert_true(f->hub.alloc.size_most <= QM_TLS_OUT_MAX + 65536);
  pair_close(&p);
}

static void a_peer_that_does_not_read_stops_the_writer(void **state) {
  fixture *f = *state;
  pair p = opened_pair(f, 6, 4096);
  stream up = {p.client, p.server, 0, 0, 2000000};
  for (size_t i = 0; i < 40; i++) stream_write(&up); /* 1.6 MB, if it were let */
  assert_true(qm_tls_pending(p.client) >= QM_TLS_OUT_MAX);
  assert_true(up.written >= QM_TLS_OUT_MAX - 17000 && up.written <= QM_TLS_OUT_MAX + 17000);
  /* The server is fed and never read: it takes QM_TLS_IN_MAX bytes, then none. */
  settle(&p);
  assert_true(qm_tls_pending(p.client) > QM_TLS_OUT_MAX - QM_TLS_IN_MAX - 5000);
  size_t used = 1;
  assert_int_equal(qm_tls_feed(p.server, (const uint8_t *)"x", 1, &used), QM_OK);
  assert_int_equal(used, 0);
  /* It reads after all: everything is there. */
  up.total = up.written;
  while (up.got < up.total) {
    stream_read(&up, 20000);
    settle(&p);
  }
  exchange(&p, p.client, p.server, "and on it goes");
  pair_close(&p);
}

/* The connection ends after any number of bytes in either direction. */
static void cut_at_every_byte_of_the_handshake(void **state) {
  fixture *f = *state;
  pair p;
  pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), 9, 4096);
  while (qm_tls_state_of(p.client) == QM_TLS_HANDSHAKE) assert_true(carry_both(&p));
  size_t down = p.down.total; /* the ticket comes later */
  settle(&p);
  size_t up = p.up.total;
  pair_close(&p);
  assert_true(up > 500 && down > 500);
  for (size_t cut = 0; cut < up + down; cut++) {
    pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), 1, 4096);
    *(cut < up ? &p.up.cut : &p.down.cut) = cut < up ? cut : cut - up;
    settle(&p);
    assert_int_equal(qm_tls_error(p.client, NULL), QM_OK);
    assert_int_equal(qm_tls_error(p.server, NULL), QM_OK);
    /* The flights' lengths differ by a byte or two, as signatures do. */
    if (cut < up - 4) assert_int_equal(qm_tls_state_of(p.server), QM_TLS_HANDSHAKE);
    if (cut >= up && cut < up + down - 4)
      assert_int_equal(qm_tls_state_of(p.client), QM_TLS_HANDSHAKE);
    pair_close(&p);
  }
}

/* A byte changes on the way: an error or silence, never a crash. */
static void damaged_at_every_tenth_byte(void **state) {
  fixture *f = *state;
  for (size_t at = 0; at < 2200; at += 10) {
    pair p;
    pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), 1, 4096);
    int is_up = at < 1100;
    wire *w = is_up ? &p.up : &p.down;
    uint8_t b[1];
    size_t n = 0, used = 0;
    w->cut = at % 1100;
    settle(&p);
    w->cut = NO_CUT;
    assert_int_equal(qm_tls_take(is_up ? p.client : p.server, b, 1, &n), QM_OK);
    b[0] ^= (uint8_t)(1 + at % 255);
    (void)qm_tls_feed(is_up ? p.server : p.client, b, n, &used);
    settle(&p);
    (void)read_code(p.client);
    (void)read_code(p.server);
    pair_close(&p);
  }
}

static void damaged_data_is_refused(void **state) {
  fixture *f = *state;
  pair p = opened_pair(f, 4, 4096);
  uint8_t b[64];
  size_t n = 0, used = 0;
  assert_int_equal(qm_tls_write(p.client, (const uint8_t *)"ten boxes", 9, &used), QM_OK);
  assert_int_equal(qm_tls_take(p.client, b, sizeof b, &n), QM_OK);
  b[7] ^= 1;
  assert_int_equal(qm_tls_feed(p.server, b, n, &used), QM_OK);
  assert_int_equal(read_code(p.server), QM_ETLS);
  settle(&p);
  assert_int_equal(read_code(p.client), QM_ETLS);
  pair_close(&p);
}

/* A first message of 16 KiB, a byte a record: six times as much on the wire. */
static void endless_handshakes_are_stopped(void **state) {
  static const uint8_t first[] = {0x16, 0x03, 0x01, 0x00, 0x04, 0x01, 0x00, 0x40, 0x00};
  static const uint8_t next[] = {0x16, 0x03, 0x01, 0x00, 0x01, 0x00};
  qm_tls *server = hub_of(*state, CERT_HUB);
  size_t sent = sizeof first;
  int rc = feed_all(server, first, sizeof first, sizeof first);
  for (; rc == QM_OK && sent < 2 * QM_TLS_HANDSHAKE_MAX; sent += sizeof next) {
    rc = feed_all(server, next, sizeof next, sizeof next);
  }
  assert_int_equal(rc, QM_ETLS);
  assert_in_range(sent, QM_TLS_HANDSHAKE_MAX, QM_TLS_HANDSHAKE_MAX + sizeof next);
  qm_tls_free(server);
}

static void configs_are_checked(void **state) {
  fixture *f = *state;
  const qm_env *env = &f->hub.env;
  qm_slice ca = qm_ca_cert(f->ca), cert = qm_buf_slice(&f->certs[CERT_HUB]);
  struct {
    qm_slice ca, cert;
    const qm_key *key;
    int want;
  } rows[] = {
      {ca, cert, f->hub_key, QM_OK},
      {ca, cert, f->device_key, QM_EINVAL},
      {ca, cert, NULL, QM_EINVAL},
      {ca, text("nonsense"), f->hub_key, QM_EFORMAT},
      {ca, qm_slice_of(cert.p, cert.n - 1), f->hub_key, QM_EFORMAT},
      {text("nonsense"), cert, f->hub_key, QM_EFORMAT},
      {cert, cert, f->hub_key, QM_ECERT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_tls_config *c = NULL;
    qm_tls_server options = {.ca = rows[i].ca, .cert = rows[i].cert, .key = rows[i].key};
    assert_int_equal(qm_tls_config_server(env, &options, &c), rows[i].want);
    assert_int_equal(c != NULL, rows[i].want == QM_OK);
    qm_tls_config_free(c);
    assert_int_equal(qm_tls_config_client(env, rows[i].ca, rows[i].cert, rows[i].key, &c),
                     rows[i].want);
    assert_int_equal(c != NULL, rows[i].want == QM_OK);
    qm_tls_config_free(c);
  }
  qm_tls_config_free(NULL);
  qm_tls_free(NULL);
}

/* The nth allocation of one side and all after it fail, for every n. */
static void memory_runs_out(void **state) {
  fixture *f = *state;
  for (int side = 0; side < 2; side++) {
    test_alloc *a = side == 0 ? &f->device.alloc : &f->hub.alloc;
    int is_over = 0;
    for (size_t n = 1; !is_over; n++) {
      pair p;
      stream up;
      assert_true(n < 100);
      pair_open(&p, device_of(f, CERT_DEVICE), hub_of(f, CERT_HUB), 2, 4096);
      up = (stream){p.client, p.server, 0, 0, 50000};
      a->count = 0;
      a->fail_at = n;
      settle(&p);
      int rc = qm_tls_error(side == 0 ? p.client : p.server, NULL);
      while (rc == QM_OK && up.got < up.total) {
        uint8_t b[5000] = {0};
        size_t len = 0;
        int w = qm_tls_write(p.client, b, sizeof b, &len);
        settle(&p);
        int r = qm_tls_read(p.server, b, sizeof b, &len);
        up.got += len;
        rc = side == 0 ? w : r;
      }
      is_over = rc == QM_OK;
      if (!is_over) assert_int_equal(rc, QM_ENOMEM);
      a->fail_at = 0;
      pair_close(&p);
      assert_int_equal(a->live, 0);
    }
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(both_prove_who_they_are),
      TEST(enrolment_shows_only_the_hub),
      TEST(refused_with_one_alert),
      TEST(alert_comes_with_the_first_read),
      TEST(enrolment_needs_the_ca_of_the_code),
      TEST(plaintext_gets_an_alert),
      TEST(older_tls_is_refused),
      TEST(other_protocols_are_refused),
      TEST(large_transfers_both_ways),
      TEST(a_peer_that_does_not_read_stops_the_writer),
      TEST(cut_at_every_byte_of_the_handshake),
      TEST(damaged_at_every_tenth_byte),
      TEST(damaged_data_is_refused),
      TEST(endless_handshakes_are_stopped),
      TEST(configs_are_checked),
      TEST(memory_runs_out),
  };
  return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
