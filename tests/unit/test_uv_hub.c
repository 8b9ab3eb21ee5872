/* A hub and its clients in one process, on loopback. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/space.h"
#include "sync/uv/hub.h"
#include "sync/uv/shard.h"
#include "tests/unit/support_hub.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define DAY_MS UINT64_C(86400000)

typedef struct fixture {
  hub_device own; /* the hub's store, engine and key */
  qm_ca *ca, *foreign;
  qm_buf cert;
  qm_hub_config config;
  qm_hub_backend backend;
  qm_hub *hub;
  pthread_t thread;
  int runs, run_rc;
  hub_device a, b;
  pthread_mutex_t lock; /* of what follows */
  qm_id barred;         /* admit refuses it with… */
  int barred_rc, check_rc;
  uint32_t touched;
  qm_hub_seen seen;
  uint64_t groups;
} fixture;

/* --- a backend without a database --- */

static int admit(void *payload, const qm_id *device, const qm_cert *cert, qm_id *writes_as) {
  fixture *f = payload;
  (void)cert;
  (void)writes_as;
  pthread_mutex_lock(&f->lock);
  int rc = qm_id_cmp(&f->barred, device) == 0 ? f->barred_rc : QM_OK;
  pthread_mutex_unlock(&f->lock);
  return rc;
}

static int check(void *payload, const qm_id *device) {
  fixture *f = payload;
  (void)device;
  pthread_mutex_lock(&f->lock);
  int rc = f->check_rc;
  pthread_mutex_unlock(&f->lock);
  return rc;
}

static int touch(void *payload, const qm_id *device, const qm_hub_seen *seen) {
  fixture *f = payload;
  (void)device;
  pthread_mutex_lock(&f->lock);
  f->touched++;
  f->seen = *seen;
  pthread_mutex_unlock(&f->lock);
  return QM_OK;
}

static void committed(void *payload, uint64_t number, const qm_id *space, uint32_t taken) {
  fixture *f = payload;
  (void)space;
  assert_true(taken > 0);
  pthread_mutex_lock(&f->lock);
  f->groups = number;
  pthread_mutex_unlock(&f->lock);
}

/* --- life --- */

static void *run_hub(void *payload) {
  fixture *f = payload;
  f->run_rc = qm_hub_run(f->hub);
  return NULL;
}

static void start(fixture *f) {
  qm_error e = {0, ""};
  qm_hub_options o = hub_options_of(&f->own, f->ca, &f->cert, &f->config,
                                    &(qm_hub_shard){f->own.engine, &f->backend}, 1);
  if (qm_hub_open(&f->hub, &o, &e) != QM_OK) fail_msg("%s", e.message);
  assert_int_equal(pthread_create(&f->thread, NULL, run_hub, f), 0);
  f->runs = 1;
}

static void join(fixture *f) {
  if (!f->runs) return;
  qm_hub_stop(f->hub);
  pthread_join(f->thread, NULL);
  qm_hub_close(f->hub);
  f->hub = NULL;
  f->runs = 0;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  signal(SIGPIPE, SIG_IGN);
  pthread_mutex_init(&f->lock, NULL);
  hub_device_open(&f->own, HUB_NOW_MS);
  hub_device_open(&f->a, HUB_NOW_MS);
  hub_device_open(&f->b, HUB_NOW_MS);
  qm_slice name = qm_slice_of("Hub of Stone Bridge", 19);
  hub_device_authority(&f->own, &f->ca, &f->cert);
  ok(qm_ca_create(&f->own.env, name, HUB_NOW_MS, &f->foreign));
  hub_device_certify(&f->a, f->ca, HUB_NOW_MS);
  hub_device_certify(&f->b, f->ca, HUB_NOW_MS);
  hub_device_add_space(&f->own, 's', "grid");
  qm_hub_config_default(&f->config);
  memcpy(f->config.host, "127.0.0.1", 10);
  f->config.port = 0;
  f->backend = (qm_hub_backend){
      .payload = f, .admit = admit, .check = check, .touch = touch, .committed = committed};
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  join(f);
  qm_ca_free(f->ca);
  qm_ca_free(f->foreign);
  qm_buf_free(&f->cert);
  hub_device_close(&f->a);
  hub_device_close(&f->b);
  hub_device_close(&f->own);
  pthread_mutex_destroy(&f->lock);
  free(f);
  return 0;
}

static uint16_t port_of(const fixture *f) { return qm_hub_port(f->hub); }

static void sync_ok(fixture *f, hub_device *d) {
  if (hub_device_sync(d, port_of(f)) != QM_OK) fail_msg("sync: %s", d->error.message);
  assert_int_equal(d->result.complete, 1);
}

/* --- cases --- */

static void test_two_devices_converge(void **state) {
  fixture *f = *state;
  char x[33], y[33], z[33];
  start(f);
  sync_ok(f, &f->a);
  sync_ok(f, &f->b);
  hub_device_write(&f->a, NULL, "Household of the east lane");
  hub_device_write(&f->b, NULL, "Household of the west lane");
  sync_ok(f, &f->a);
  assert_int_equal(f->a.result.taken_up, 1);
  sync_ok(f, &f->b);
  assert_int_equal(f->b.result.taken_up, 1);
  assert_int_equal(f->b.result.taken_down, 1);
  sync_ok(f, &f->a);
  assert_int_equal(hub_device_count(&f->a), 2);
  hub_device_digest(&f->a, x);
  hub_device_digest(&f->b, y);
  join(f);
  hub_device_digest(&f->own, z);
  assert_string_equal(x, y);
  assert_string_equal(x, z);
  assert_int_equal(f->touched, 5);
  assert_int_equal(f->seen.complete, 1);
  assert_int_equal(f->seen.behind, 0);
  assert_int_equal(f->groups, 2);
}

static void test_nothing_new_is_small(void **state) {
  fixture *f = *state;
  start(f);
  sync_ok(f, &f->a);
  hub_device_write(&f->a, NULL, "Household of the east lane");
  sync_ok(f, &f->a);
  sync_ok(f, &f->a);
  assert_true(f->a.result.bytes_up + f->a.result.bytes_down < 400);
  assert_int_equal(f->a.result.has_offset, 1);
  assert_memory_equal(f->a.result.hub.b, qm_key_device(f->own.key)->b, QM_ID_SIZE);
}

static void test_acknowledged_after_commit(void **state) {
  fixture *f = *state;
  uint64_t changes, oldest;
  start(f);
  sync_ok(f, &f->a);
  hub_device_write(&f->a, NULL, "Household of the east lane");
  ok(qm_engine_unsent(f->a.engine, hub_device_space(&f->a), &changes, &oldest));
  assert_int_equal(changes, 1);
  sync_ok(f, &f->a);
  ok(qm_engine_unsent(f->a.engine, hub_device_space(&f->a), &changes, &oldest));
  assert_int_equal(changes, 0);
}

typedef struct worker {
  fixture *f;
  hub_device d;
  int rc;
} worker;

static void *write_and_sync(void *payload) {
  worker *w = payload;
  for (int i = 0; i < 6 && w->rc == QM_OK; i++) {
    hub_device_write(&w->d, NULL, "Household of many hands");
    w->rc = hub_device_sync(&w->d, port_of(w->f));
  }
  return NULL;
}

#define WORKERS 6

static void test_many_at_once(void **state) {
  fixture *f = *state;
  worker w[WORKERS];
  pthread_t threads[WORKERS];
  char x[33], y[33];
  start(f);
  for (int i = 0; i < WORKERS; i++) {
    memset(&w[i], 0, sizeof w[i]);
    w[i].f = f;
    hub_device_open(&w[i].d, HUB_NOW_MS);
    hub_device_certify(&w[i].d, f->ca, HUB_NOW_MS);
    sync_ok(f, &w[i].d);
  }
  for (int i = 0; i < WORKERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, write_and_sync, &w[i]), 0);
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < WORKERS; i++) {
    ok(w[i].rc);
    sync_ok(f, &w[i].d);
    assert_int_equal(hub_device_count(&w[i].d), 6 * WORKERS);
  }
  join(f);
  hub_device_digest(&f->own, x);
  for (int i = 0; i < WORKERS; i++) {
    hub_device_digest(&w[i].d, y);
    assert_string_equal(x, y);
    hub_device_close(&w[i].d);
  }
  assert_in_range(f->groups, 1, 6 * WORKERS);
}

/* --- who gets in --- */

static void test_certificates(void **state) {
  fixture *f = *state;
  start(f);
  hub_device_certify(&f->a, f->foreign, HUB_NOW_MS);
  qm_buf_clear(&f->a.ca);
  qm_buf_add(&f->a.ca, qm_ca_cert(f->ca).p, qm_ca_cert(f->ca).n);
  assert_int_equal(hub_device_sync(&f->a, port_of(f)), QM_ECERT);
  assert_true(f->a.error.message[0] != '\0');
  /* A device of the foreign hub's does not talk to this one. */
  hub_device_certify(&f->a, f->foreign, HUB_NOW_MS);
  assert_int_equal(hub_device_sync(&f->a, port_of(f)), QM_ECERT);
  /* Of nobody's. */
  qm_buf_clear(&f->a.cert);
  assert_int_not_equal(hub_device_sync(&f->a, port_of(f)), QM_OK);
}

/* A CA that can have signed two years ago. */
static void age(fixture *f) {
  qm_ca_free(f->ca);
  ok(qm_ca_create(&f->own.env, qm_slice_of("old", 3), HUB_NOW_MS - 800 * DAY_MS, &f->ca));
  qm_buf_clear(&f->cert);
  ok(qm_ca_issue_hub(f->ca, qm_key_spki(f->own.key), NULL, 0, 730, HUB_NOW_MS, &f->cert));
}

static void test_expired(void **state) {
  fixture *f = *state;
  age(f);
  hub_device_certify(&f->a, f->ca, HUB_NOW_MS - 400 * DAY_MS);
  start(f);
  assert_int_equal(hub_device_sync(&f->a, port_of(f)), QM_ECERTEXPIRED);
}

static int renew(void *payload, const qm_id *peer, qm_slice spki, qm_slice proof, qm_arena *arena,
                 qm_slice *der) {
  fixture *f = payload;
  uint8_t digest[QM_DIGEST_SIZE];
  qm_buf out;
  assert_memory_equal(peer->b, qm_key_device(f->a.key)->b, QM_ID_SIZE);
  assert_int_equal(proof.n, QM_SIG_SIZE);
  qm_renew_proof_digest(spki, digest);
  ok(qm_verify(spki, digest, proof.p));
  qm_buf_init(&out, &f->own.env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_device(f->ca, spki, HUB_NOW_MS, &out));
  *der = qm_slice_of(qm_arena_copy(arena, out.p, out.n), out.n);
  qm_buf_free(&out);
  return der->p ? QM_OK : QM_ENOMEM;
}

static void test_renewal(void **state) {
  fixture *f = *state;
  qm_answer_policy policy = {.payload = f, .cert_renew = renew};
  qm_cert cert;
  age(f);
  f->backend.policy = &policy;
  hub_device_certify(&f->a, f->ca, HUB_NOW_MS - 300 * DAY_MS);
  start(f);
  sync_ok(f, &f->a);
  assert_true(f->a.result.cert.n != 0);
  ok(qm_cert_read(qm_buf_slice(&f->a.result.cert), &cert));
  assert_true(cert.not_after_ms > HUB_NOW_MS + 364 * DAY_MS);
  qm_buf_clear(&f->a.cert);
  qm_buf_add(&f->a.cert, f->a.result.cert.p, f->a.result.cert.n);
  sync_ok(f, &f->a);
  assert_int_equal(f->a.result.cert.n, 0);
}

static void test_revoked_and_unknown(void **state) {
  fixture *f = *state;
  start(f);
  sync_ok(f, &f->a);
  static const int codes[] = {QM_EREVOKED, QM_ECERT};
  for (size_t i = 0; i < 2; i++) {
    pthread_mutex_lock(&f->lock);
    f->barred = *qm_key_device(f->a.key);
    f->barred_rc = codes[i];
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(hub_device_sync(&f->a, port_of(f)), codes[i]);
    assert_int_equal(f->a.result.bytes_down, 0);
  }
  sync_ok(f, &f->b);
}

static void test_revoked_in_session(void **state) {
  fixture *f = *state;
  start(f);
  sync_ok(f, &f->a);
  hub_device_write(&f->a, NULL, "Household of the east lane");
  pthread_mutex_lock(&f->lock);
  f->check_rc = QM_EREVOKED;
  pthread_mutex_unlock(&f->lock);
  assert_int_not_equal(hub_device_sync(&f->a, port_of(f)), QM_OK);
  assert_int_equal(f->a.result.complete, 0);
  assert_int_equal(f->a.result.taken_up, 0);
}

static void test_clock_of_1970(void **state) {
  fixture *f = *state;
  start(f);
  f->a.now_ms = 1000;
  assert_int_equal(hub_device_sync(&f->a, port_of(f)), QM_ECLOCK);
}

static void test_not_reachable(void **state) {
  fixture *f = *state;
  start(f);
  uint16_t port = port_of(f);
  join(f);
  assert_int_equal(hub_device_sync(&f->a, port), QM_ENET);
  assert_true(f->a.error.message[0] != '\0');
}

/* --- who does not speak TLS, or does not speak --- */

/* Nothing but one TLS alert record came. */
static void only_alert(const uint8_t *p, size_t n) {
  assert_int_equal(n, 7);
  assert_int_equal(p[0], 21);
  assert_int_equal(p[3] << 8 | p[4], 2);
}

static void test_not_tls(void **state) {
  fixture *f = *state;
  /* The third begins like a record of a handshake, with a length of 32. */
  static const struct {
    const char *p;
    size_t n;
  } words[] = {{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27},
               {"hello, hub\n", 11},
               {"\x16\x03\x01\x00\x20this is no handshake, not at all.", 37}};
  start(f);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    uint8_t in[256];
    int fd = hub_connect(port_of(f));
    hub_send(fd, words[i].p, words[i].n);
    only_alert(in, hub_read_all(fd, in, sizeof in));
    close(fd);
  }
  sync_ok(f, &f->a);
}

static void test_silent_before_tls(void **state) {
  fixture *f = *state;
  uint8_t in[256];
  f->config.handshake_ms = 60;
  start(f);
  int half = hub_connect(port_of(f)), silent = hub_connect(port_of(f));
  hub_send(half, "\x16\x03\x01\x01", 4);
  assert_int_equal(hub_read_all(silent, in, sizeof in), 0);
  assert_int_equal(hub_read_all(half, in, sizeof in), 0);
  close(half);
  close(silent);
}

static void test_silent_after_tls(void **state) {
  fixture *f = *state;
  hub_raw r;
  f->config.hello_ms = 60;
  start(f);
  hub_raw_open(&r, &f->a, port_of(f));
  assert_int_equal(hub_raw_read_all(&r), 0);
  hub_raw_close(&r);
}

static qm_session *client_session(const hub_device *d) {
  qm_session *s;
  qm_session_options o = {.size = sizeof o,
                          .flags = QM_SESSION_HUB | QM_SESSION_RENEW,
                          .device = *qm_key_device(d->key)};
  ok(qm_session_new(&s, &d->env, QM_CLIENT, &o));
  return s;
}

/* A session that says HELLO, and that it stays, and then nothing more. */
static void say_hello(hub_raw *r, hub_device *d) {
  uint8_t out[1024];
  size_t n;
  qm_event ev;
  qm_reply none = {.n_lines = 0};
  qm_session *s = client_session(d);
  assert_int_equal(qm_session_next(s, &ev), 1);
  ok(qm_session_done(s, ev.ticket, QM_OK, &none));
  ok(qm_session_take(s, out, sizeof out, &n));
  hub_raw_send(r, out, n);
  qm_session_free(s);
}

static void test_silent_after_hello(void **state) {
  fixture *f = *state;
  hub_raw r;
  f->config.idle_ms = 80;
  start(f);
  hub_raw_open(&r, &f->a, port_of(f));
  say_hello(&r, &f->a);
  assert_true(hub_raw_read_all(&r) > 0); /* WELCOME */
  hub_raw_close(&r);
}

/* The end of a session drops what that session had parked: the hub numbers them from 1. */
static void test_end_of_one_session(void **state) {
  fixture *f = *state;
  hub_raw r;
  qm_arena arena;
  qm_vv_list heads;
  hub_device_add_space(&f->a, 's', "grid");
  hub_device_add_space(&f->b, 's', "grid");
  hub_device_write(&f->b, NULL, "first");
  hub_device_hand_on(&f->b, &f->a, (qm_vv_list){NULL, 0}, 0);
  hub_device_write(&f->a, NULL, "second");
  qm_arena_init(&arena, &f->b.env, (size_t)1 << 20);
  ok(qm_engine_heads(f->b.engine, hub_device_space(&f->b), &arena, &heads));
  hub_device_hand_on(&f->a, &f->own, heads, 1);
  hub_device_hand_on(&f->a, &f->own, heads, 2);
  qm_arena_free(&arena);
  f->config.idle_ms = 80;
  start(f);
  hub_raw_open(&r, &f->a, port_of(f));
  say_hello(&r, &f->a);
  assert_true(hub_raw_read_all(&r) > 0);
  hub_raw_close(&r);
  join(f);
  const qm_parked *left = hub_device_space(&f->own)->parked;
  assert_non_null(left);
  assert_int_equal(left->session, 2);
  assert_null(left->next);
}

static void test_garbage_inside_tls(void **state) {
  fixture *f = *state;
  static const uint8_t huge[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x93};
  hub_raw r;
  start(f);
  hub_raw_open(&r, &f->a, port_of(f));
  hub_raw_send(&r, huge, sizeof huge);
  assert_true(hub_raw_read_all(&r) > 0); /* ERROR */
  hub_raw_close(&r);
  sync_ok(f, &f->a);
}

static void test_limit_of_an_address(void **state) {
  fixture *f = *state;
  uint8_t in[16];
  f->config.per_address = 2;
  start(f);
  int one = hub_connect(port_of(f)), two = hub_connect(port_of(f)), three = hub_connect(port_of(f));
  assert_int_equal(hub_read_all(three, in, sizeof in), 0);
  close(three);
  close(one);
  close(two);
}

static void test_limit_of_all(void **state) {
  fixture *f = *state;
  uint8_t in[16];
  f->config.connections = 1;
  start(f);
  int one = hub_connect(port_of(f)), two = hub_connect(port_of(f));
  assert_int_equal(hub_read_all(two, in, sizeof in), 0);
  close(two);
  close(one);
}

/* --- the end of a hub --- */

static void test_drains(void **state) {
  fixture *f = *state;
  hub_raw r;
  uint8_t in[16];
  start(f);
  int raw = hub_connect(port_of(f));
  hub_raw_open(&r, &f->a, port_of(f));
  say_hello(&r, &f->a);
  qm_hub_stop(f->hub);
  assert_true(hub_raw_read_all(&r) > 0); /* WELCOME, BYE */
  hub_raw_close(&r);
  assert_int_equal(hub_read_all(raw, in, sizeof in), 0);
  close(raw);
  pthread_join(f->thread, NULL);
  ok(f->run_rc);
  qm_hub_close(f->hub);
  f->runs = 0;
}

static void *sync_until_it_fails(void *payload) {
  worker *w = payload;
  while (w->rc == QM_OK) {
    hub_device_write(&w->d, NULL, "Household of the last minute");
    w->rc = hub_device_sync(&w->d, port_of(w->f));
  }
  return NULL;
}

/* Stopped in the middle of uploads; what was acknowledged is there, the rest comes later. */
static void test_stopped_in_uploads(void **state) {
  fixture *f = *state;
  worker w;
  pthread_t thread;
  uint64_t changes, oldest;
  char x[33], y[33];
  memset(&w, 0, sizeof w);
  w.f = f;
  hub_device_open(&w.d, HUB_NOW_MS);
  hub_device_certify(&w.d, f->ca, HUB_NOW_MS);
  start(f);
  sync_ok(f, &w.d);
  assert_int_equal(pthread_create(&thread, NULL, sync_until_it_fails, &w), 0);
  sync_ok(f, &f->a);
  qm_hub_stop(f->hub);
  pthread_join(f->thread, NULL);
  ok(f->run_rc);
  pthread_join(thread, NULL);
  assert_int_not_equal(w.rc, QM_OK);
  qm_hub_close(f->hub);
  f->runs = 0;
  start(f);
  sync_ok(f, &w.d);
  ok(qm_engine_unsent(w.d.engine, hub_device_space(&w.d), &changes, &oldest));
  assert_int_equal(changes, 0);
  join(f);
  hub_device_digest(&w.d, x);
  hub_device_digest(&f->own, y);
  assert_string_equal(x, y);
  hub_device_close(&w.d);
}

/* --- the store thread --- */

typedef struct gate {
  sem_t open, done;
  qm__job *jobs[8]; /* answered; of the test once done was posted for them */
  uint32_t n;
} gate;

static int wait_open(void *payload, qm_engine *engine) {
  gate *g = payload;
  (void)engine;
  while (sem_wait(&g->open) != 0) continue;
  return QM_OK;
}

static void take_done(void *payload, qm__job *job) {
  gate *g = payload;
  assert_true(g->n < 8);
  g->jobs[g->n++] = job;
  sem_post(&g->done);
}

static qm__job *commit_job(fixture *f, qm_slice blob) {
  qm_event ev = {.kind = QM_EV_COMMIT, .ticket = 1, .space = {{'s'}},
                 .peer = *qm_key_device(f->a.key), .seq = 1, .blob = blob};
  qm__job *job = qm__job_new(&f->own.env, QM_JOB_REQUEST, NULL);
  assert_non_null(job);
  ok(qm__job_event(job, &f->own.env, &ev));
  return job;
}

/* A batch of a's, made without a hub. */
static void make_batch(fixture *f, qm_buf *out) {
  uint64_t cursor = 0;
  qm_vv_list none = {NULL, 0};
  hub_device_write(&f->a, NULL, "Household of the group");
  ok(qm_engine_push(f->a.engine, hub_device_space(&f->a)));
  ok(qm_engine_next_batch(f->a.engine, hub_device_space(&f->a), none, &cursor, out));
}

/* In one group: one batch that can be read, and one that cannot. */
static void test_group_with_a_bad_batch(void **state) {
  fixture *f = *state;
  gate g;
  qm__shard *s;
  qm_buf batch;
  qm_hub_backend backend = {.payload = &g, .refresh = wait_open};
  memset(&g, 0, sizeof g);
  sem_init(&g.open, 0, 0);
  sem_init(&g.done, 0, 0);
  start(f);
  sync_ok(f, &f->a);
  join(f);
  qm_buf_init(&batch, &f->own.env, QM_BATCH_MAX);
  make_batch(f, &batch);
  qm__shard_options o = {.env = &f->own.env, .engine = f->own.engine, .backend = &backend,
                         .flags = QM_ANSWER_HUB, .deliver = take_done, .payload = &g};
  ok(qm__shard_start(&s, &o));
  qm__shard_push(s, commit_job(f, qm_slice_of("\x01garbage", 8)));
  qm__shard_push(s, commit_job(f, qm_buf_slice(&batch)));
  qm__shard_push(s, commit_job(f, qm_slice_of("", 0)));
  for (int i = 0; i < 8; i++) sem_post(&g.open);
  uint32_t taken = 0, bad = 0;
  for (uint32_t i = 0; i < 3; i++) {
    while (sem_wait(&g.done) != 0) continue;
    qm__job *job = g.jobs[i];
    if (job->out.rc == QM_OK) taken += job->out.reply.taken;
    else bad++;
    qm__job_free(&f->own.env, job);
  }
  assert_int_equal(taken, 1);
  assert_int_equal(bad, 2);
  ok(qm__shard_status(s));
  qm__shard_stop(s);
  assert_int_equal(hub_device_count(&f->own), 1);
  qm_buf_free(&batch);
  sem_destroy(&g.open);
  sem_destroy(&g.done);
}

/* --- a store that fails --- */

static qm_store_ops faulty;
static const qm_store_ops *real;
static int fault_rc;    /* set and read while no session runs, or on the store thread */
static int fault_times; /* commits that fail; -1: all from then on */

static int fault_commit(qm_store *s, qm_durability durability, qm_store_done done, void *payload) {
  if (fault_times == 0) return real->commit(s, durability, done, payload);
  if (fault_times > 0) fault_times--;
  real->rollback(s);
  return fault_rc;
}

static void make_faulty(fixture *f, int rc, int times) {
  real = f->own.store->ops;
  faulty = *real;
  faulty.commit = fault_commit;
  fault_rc = rc;
  fault_times = times;
  f->own.store->ops = &faulty;
}

/* A full disk: the device hears it, keeps its change, and the hub serves on. */
static void test_full_disk(void **state) {
  fixture *f = *state;
  uint64_t changes, oldest;
  start(f);
  sync_ok(f, &f->a);
  join(f);
  hub_device_write(&f->a, NULL, "Household of the full disk");
  make_faulty(f, QM_EFULL, 1);
  start(f);
  assert_int_equal(hub_device_sync(&f->a, port_of(f)), QM_EFULL);
  ok(qm_engine_unsent(f->a.engine, hub_device_space(&f->a), &changes, &oldest));
  assert_int_equal(changes, 1);
  sync_ok(f, &f->a);
  assert_int_equal(f->a.result.taken_up, 1);
  join(f);
  f->own.store->ops = real;
  assert_int_equal(hub_device_count(&f->own), 1);
}

/* After a failed fsync nobody knows what is on disk: the hub ends. */
static void test_failed_fsync_ends_the_hub(void **state) {
  fixture *f = *state;
  start(f);
  sync_ok(f, &f->a);
  join(f);
  hub_device_write(&f->a, NULL, "Household of the failed fsync");
  make_faulty(f, QM_EIO, -1);
  start(f);
  assert_int_not_equal(hub_device_sync(&f->a, port_of(f)), QM_OK);
  assert_int_equal(f->a.result.taken_up, 0);
  pthread_join(f->thread, NULL);
  assert_int_equal(f->run_rc, QM_EIO);
  qm_hub_close(f->hub);
  f->runs = 0;
  f->own.store->ops = real;
}

/* --- addresses --- */

static void test_address_in_use(void **state) {
  fixture *f = *state;
  qm_hub *second;
  qm_error e = {0, ""};
  start(f);
  qm_hub_config config = f->config;
  config.port = port_of(f);
  qm_hub_options o = hub_options_of(&f->own, f->ca, &f->cert, &config,
                                    &(qm_hub_shard){f->own.engine, &f->backend}, 1);
  assert_int_equal(qm_hub_open(&second, &o, &e), QM_EBUSY);
  memcpy(config.host, "not an address", 15);
  assert_int_equal(qm_hub_open(&second, &o, &e), QM_EUSAGE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {CASE(test_two_devices_converge),
                                     CASE(test_nothing_new_is_small),
                                     CASE(test_acknowledged_after_commit),
                                     CASE(test_many_at_once),
                                     CASE(test_certificates),
                                     CASE(test_expired),
                                     CASE(test_renewal),
                                     CASE(test_revoked_and_unknown),
                                     CASE(test_revoked_in_session),
                                     CASE(test_clock_of_1970),
                                     CASE(test_not_reachable),
                                     CASE(test_not_tls),
                                     CASE(test_silent_before_tls),
                                     CASE(test_silent_after_tls),
                                     CASE(test_silent_after_hello),
                                     CASE(test_end_of_one_session),
                                     CASE(test_garbage_inside_tls),
                                     CASE(test_limit_of_an_address),
                                     CASE(test_limit_of_all),
                                     CASE(test_drains),
                                     CASE(test_stopped_in_uploads),
                                     CASE(test_group_with_a_bad_batch),
                                     CASE(test_full_disk),
                                     CASE(test_failed_fsync_ends_the_hub),
                                     CASE(test_address_in_use)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
