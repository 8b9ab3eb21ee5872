#include "tests/unit/support_hub.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "core/mp.h"

#define ok(expr) assert_int_equal(expr, QM_OK)

const char hub_schema_json[] =
    "{\"schema\":\"test\",\"version\":1,\"drift_minutes\":10,\"lease_days\":90,"
    "\"review_days\":90,\"collections\":[{\"name\":\"household\",\"number\":1,"
    "\"purpose\":\"a test\",\"retention\":\"P1Y\",\"label\":{\"zh\":\"户\",\"en\":\"Household\"},"
    "\"fields\":[{\"name\":\"head\",\"number\":16,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"work\",\"label\":{\"zh\":\"户主\",\"en\":\"Head\"}}]}]}";

void hub_schema(qm_buf *out) {
  qm_error e = {0, ""};
  if (qm_schema_json_compile(out, qm_slice_of(hub_schema_json, sizeof hub_schema_json - 1), &e))
    fail_msg("%s", e.message);
}

/* --- devices --- */

static uint64_t device_now(void *payload) {
  const hub_device *d = payload;
  struct timespec t;
  if (d->now_ms) return d->now_ms;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int device_instance(void *payload, uint8_t out[16]) {
  const hub_device *d = payload;
  memcpy(out, d->instance, 16);
  return QM_OK;
}

static int device_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  const hub_device *d = payload;
  return qm_key_sign(d->key, digest, out);
}

void hub_device_open(hub_device *d, uint64_t now_ms) {
  memset(d, 0, sizeof *d);
  d->env = qm_env_default();
  d->env.payload = d;
  d->env.now_ms = device_now;
  d->env.random = qm_crypto_random;
  d->env.instance = device_instance;
  d->env.sign = device_sign;
  d->now_ms = now_ms;
  ok(qm_crypto_random(NULL, d->instance, sizeof d->instance));
  ok(qm_key_generate(&d->env, &d->key));
  qm_buf_init(&d->cert, &d->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&d->ca, &d->env, QM_CERT_SIZE_MAX);
  ok(qm_store_mem_open(&d->env, &d->store));
  qm_engine_options o = {.size = sizeof o, .device = *qm_key_device(d->key)};
  ok(qm_engine_open(&d->engine, &d->env, d->store, &o, &d->error));
}

void hub_device_close(hub_device *d) {
  qm_client_result_free(&d->result);
  qm_engine_close(d->engine);
  d->store->ops->close(d->store);
  qm_buf_free(&d->cert);
  qm_buf_free(&d->ca);
  qm_key_free(d->key);
}

void hub_device_certify(hub_device *d, const qm_ca *ca, uint64_t at_ms) {
  qm_buf_clear(&d->cert);
  qm_buf_clear(&d->ca);
  ok(qm_ca_issue_device(ca, qm_key_spki(d->key), at_ms, &d->cert));
  qm_buf_add(&d->ca, qm_ca_cert(ca).p, qm_ca_cert(ca).n);
}

void hub_device_authority(hub_device *d, qm_ca **ca, qm_buf *cert) {
  ok(qm_ca_create(&d->env, qm_slice_of("Hub of Stone Bridge", 19), HUB_NOW_MS, ca));
  qm_buf_init(cert, &d->env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_hub(*ca, qm_key_spki(d->key), NULL, 0, 730, HUB_NOW_MS, cert));
}

qm_hub_options hub_options_of(const hub_device *d, const qm_ca *ca, const qm_buf *cert,
                              const qm_hub_config *config, const qm_hub_shard *shards,
                              uint32_t n_shards) {
  return (qm_hub_options){
      .size = sizeof(qm_hub_options),
      .env = &d->env,
      .config = config,
      .tls = {.ca = qm_ca_cert(ca), .cert = qm_buf_slice(cert), .key = d->key},
      .shards = shards,
      .n_shards = n_shards};
}

int hub_device_sync(hub_device *d, uint16_t port) {
  qm_client_options o = {.size = sizeof o,
                         .env = &d->env,
                         .host = "127.0.0.1",
                         .port = port,
                         .ca = qm_buf_slice(&d->ca),
                         .cert = qm_buf_slice(&d->cert),
                         .key = d->key};
  qm_client_result_free(&d->result);
  memset(&d->error, 0, sizeof d->error);
  return qm_client_sync(&o, d->engine, &d->result, &d->error);
}

static void take_spaces(hub_device *d, const qm_enrol_response *r) {
  for (uint32_t i = 0; i < r->space_count; i++) {
    const qm_enrol_space *s = &r->spaces[i];
    qm_space_info info = {.id = s->id, .name = s->name, .role = s->role, .schema = s->schema,
                          .readable = 1, .writable = 1};
    memcpy(info.secret, s->secret, sizeof info.secret);
    ok(qm_engine_space_put(d->engine, &info, &d->error));
  }
}

int hub_device_enrol(hub_device *d, uint16_t port, const char *code) {
  qm_client_enrolment got;
  qm_client_enrol_options o = {.size = sizeof o,
                               .env = &d->env,
                               .host = "127.0.0.1",
                               .port = port,
                               .code = code,
                               .key = d->key,
                               .name = qm_slice_of("a phone", 7)};
  int rc = qm_client_enrol(&o, &got, &d->error);
  if (rc == QM_OK) {
    qm_buf_clear(&d->cert);
    qm_buf_clear(&d->ca);
    qm_buf_add(&d->cert, got.response.cert.p, got.response.cert.n);
    qm_buf_add(&d->ca, got.response.ca.p, got.response.ca.n);
    qm_id hub; /* its key comes with the handshake */
    qm_spki_device(qm_slice_of(got.hub_spki, sizeof got.hub_spki), &hub);
    assert_int_equal(qm_id_cmp(&hub, &got.response.hub), 0);
    take_spaces(d, &got.response);
  }
  qm_client_enrolment_free(&got);
  return rc;
}

qm_space *hub_device_space(hub_device *d) {
  qm_space *sp = qm_engine_space_at(d->engine, 0);
  assert_non_null(sp);
  return sp;
}

static int lose(void *payload, const qm_record_row *row) {
  hub_device *d = payload;
  qm_record_row gone = {.id = row->id, .collection = row->collection};
  if (qm_id_is_zero(&row->id)) return QM_OK;
  QM_TRY(d->store->ops->record_save(d->store, 1, &gone, 1));
  return QM_STORE_STOP;
}

void hub_device_lose(hub_device *d) {
  assert_int_equal(d->store->ops->begin(d->store), QM_OK);
  assert_int_equal(d->store->ops->record_scan(d->store, 1, 0, NULL, 10, lose, d), QM_OK);
  assert_int_equal(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL), QM_OK);
  assert_int_equal(qm_engine_check(d->engine, hub_device_space(d), NULL), QM_EDIFFER);
}

void hub_device_hand_on(hub_device *from, hub_device *to, qm_vv_list vv, uint64_t session) {
  qm_arena arena;
  qm_buf b;
  uint64_t cursor = 0;
  qm_arena_init(&arena, &from->env, (size_t)16 << 20);
  qm_buf_init(&b, &from->env, QM_BATCH_MAX);
  ok(qm_engine_push(from->engine, hub_device_space(from)));
  ok(qm_engine_next_batch(from->engine, hub_device_space(from), vv, &cursor, &b));
  qm_ingest in = {.peer = *qm_key_device(from->key), .session = session};
  ok(qm_engine_begin(to->engine));
  ok(qm_engine_ingest(to->engine, hub_device_space(to), qm_buf_slice(&b), &in, &arena, NULL));
  ok(qm_engine_commit(to->engine, QM_DURABLE, NULL, NULL));
  assert_int_equal(in.taken + in.parked, 1);
  qm_arena_free(&arena);
  qm_buf_free(&b);
}

void hub_device_add_space(hub_device *d, char letter, const char *name) {
  qm_buf schema;
  qm_buf_init(&schema, &d->env, QM_SCHEMA_MAX);
  hub_schema(&schema);
  const qm_space_info info = {.id = {{(uint8_t)letter}},
                              .name = qm_slice_of(name, strlen(name)),
                              .role = qm_slice_of("grid", 4),
                              .secret = {1},
                              .schema = qm_buf_slice(&schema),
                              .readable = 1,
                              .writable = 1};
  ok(qm_engine_space_put(d->engine, &info, NULL));
  qm_buf_free(&schema);
}

void hub_device_write(hub_device *d, const char *space, const char *name) {
  qm_write *w;
  qm_id id;
  qm_buf value;
  int existing;
  qm_space *sp = space ? qm_engine_space_named(d->engine, qm_slice_of(space, strlen(space)))
                       : hub_device_space(d);
  assert_non_null(sp);
  qm_buf_init(&value, &d->env, 4096);
  qm_mp_str(&value, name, strlen(name));
  ok(qm_write_begin(&w, d->engine, sp, 0));
  ok(qm_write_new(w, 1, NULL, qm_slice_of(NULL, 0), &id, &existing));
  ok(qm_write_set(w, &id, 16, qm_buf_slice(&value), qm_slice_of(NULL, 0), 0));
  ok(qm_write_commit(w, QM_DURABLE));
  qm_buf_free(&value);
}

void hub_device_role(hub_device *d, const char *role) {
  qm_space_info info;
  qm_buf copy[2];
  qm_space_info_get(hub_device_space(d), &info);
  for (int i = 0; i < 2; i++) { /* what it borrows goes with the change */
    qm_slice *s = i ? &info.schema : &info.name;
    qm_buf_init(&copy[i], &d->env, QM_SCHEMA_MAX);
    qm_buf_add(&copy[i], s->p, s->n);
    *s = qm_buf_slice(&copy[i]);
  }
  info.role = qm_slice_of(role, strlen(role));
  ok(qm_engine_space_put(d->engine, &info, &d->error));
  for (int i = 0; i < 2; i++) qm_buf_free(&copy[i]);
}

uint64_t hub_device_count(hub_device *d) {
  uint64_t n = 0;
  (void)hub_device_space(d);
  ok(d->store->ops->record_count(d->store, 1, 1, &n));
  return n;
}

void hub_device_digest(hub_device *d, char to[33]) {
  qm_digest digest;
  uint8_t bytes[16];
  qm_space_digest(hub_device_space(d), &digest);
  qm_digest_bytes(&digest, bytes);
  qm_hex(to, bytes, sizeof bytes);
}

/* --- raw peers --- */

int hub_connect(uint16_t port) {
  struct sockaddr_in a;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
  return fd;
}

void hub_send(int fd, const void *p, size_t n) {
  assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (int)n);
}

/* 0 at the end, also where the peer reset the connection. */
static size_t read_some(int fd, uint8_t *to, size_t cap) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  if (poll(&p, 1, HUB_WAIT_MS) != 1) fail_msg("the peer neither spoke nor closed");
  ssize_t n = recv(fd, to, cap, 0);
  return n > 0 ? (size_t)n : 0;
}

size_t hub_read_all(int fd, uint8_t *to, size_t cap) {
  size_t total = 0, n;
  while (total < cap && (n = read_some(fd, to + total, cap - total)) != 0) total += n;
  return total;
}

static void flush(hub_raw *r) {
  uint8_t out[16384];
  size_t n;
  while (qm_tls_take(r->tls, out, sizeof out, &n) == QM_OK && n)
    (void)!send(r->fd, out, n, MSG_NOSIGNAL);
}

/* Reads once; 0: the end. */
static size_t turn(hub_raw *r) {
  uint8_t in[16384];
  size_t used, n = read_some(r->fd, in, sizeof in);
  for (size_t at = 0; at < n; at += used)
    if (qm_tls_feed(r->tls, in + at, n - at, &used) != QM_OK) break;
  flush(r);
  return n;
}

void hub_raw_open(hub_raw *r, hub_device *d, uint16_t port) {
  qm_tls_config *config;
  ok(qm_tls_config_client(&d->env, qm_buf_slice(&d->ca), qm_buf_slice(&d->cert), d->key, &config));
  ok(qm_tls_new(config, &r->tls));
  qm_tls_config_free(config);
  r->fd = hub_connect(port);
  flush(r);
  while (qm_tls_state_of(r->tls) == QM_TLS_HANDSHAKE) assert_true(turn(r) != 0);
}

void hub_raw_send(hub_raw *r, const uint8_t *p, size_t n) {
  size_t used;
  ok(qm_tls_write(r->tls, p, n, &used));
  assert_int_equal(used, n);
  flush(r);
}

size_t hub_raw_read_all(hub_raw *r) {
  uint8_t plain[16384];
  size_t total = 0, n;
  do {
    while (qm_tls_read(r->tls, plain, sizeof plain, &n) == QM_OK && n) total += n;
  } while (turn(r) != 0);
  while (qm_tls_read(r->tls, plain, sizeof plain, &n) == QM_OK && n) total += n;
  return total;
}

void hub_raw_close(hub_raw *r) {
  close(r->fd);
  qm_tls_free(r->tls);
}
