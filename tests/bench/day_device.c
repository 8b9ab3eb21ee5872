/* A device of the sync day: the session and TLS engine of the library over a socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/day.h"

#define WAIT_MS 60000

static uint64_t device_now(void *payload) {
  struct timespec t;
  (void)payload;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t ticks(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int device_instance(void *payload, uint8_t out[16]) {
  const day_device *d = payload;
  memcpy(out, d->instance, 16);
  return QM_OK;
}

static int device_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  const day_device *d = payload;
  return qm_key_sign(d->key, digest, out);
}

/* Set-aside entries: none is expected here. */
static int no_aside(void *payload, const qm_id *device, const uint8_t digest[32],
                    const uint8_t signature[64]) {
  (void)payload, (void)device, (void)digest, (void)signature;
  return QM_EHASH;
}

void day_device_make(day_device *d, uint32_t number, day_hub *h, uint32_t grid) {
  memset(d, 0, sizeof *d);
  d->number = number;
  d->fd = -1;
  d->env = qm_env_default();
  d->env.now_ms = device_now;
  d->env.random = qm_crypto_random;
  d->env.instance = device_instance;
  d->env.sign = device_sign;
  d->env.payload = d;
  BENCH_OK(qm_crypto_random(NULL, d->instance, sizeof d->instance));
  BENCH_OK(qm_key_generate(&d->env, &d->key));
  qm_buf_init(&d->cert, &d->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&d->ca, &d->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&d->ticket, &d->env, 65536);
  day_hub_admit(h, d->key, grid, &d->cert);
  qm_buf_add(&d->ca, h->ca_cert.p, h->ca_cert.n);
}

void day_device_open(day_device *d) {
  qm_error e = {0, ""};
  qm_engine_options o = {.size = sizeof o, .device = *qm_key_device(d->key)};
  BENCH_OK(qm_store_mem_open(&d->env, &d->store));
  BENCH_OK(qm_engine_open(&d->engine, &d->env, d->store, &o, &e));
  d->policy = (qm_answer_policy){.payload = d, .verify_aside = no_aside};
  qm_answer_init(&d->answer, &d->env, d->engine, QM_ANSWER_CLOCK, &d->policy);
  BENCH_OK(qm_tls_config_client(&d->env, qm_buf_slice(&d->ca), qm_buf_slice(&d->cert), d->key,
                                &d->config));
}

void day_device_close(day_device *d) {
  day_device_drop(d);
  if (d->engine) {
    qm_answer_free(&d->answer);
    qm_engine_close(d->engine);
    d->store->ops->close(d->store);
  }
  qm_tls_config_free(d->config);
  qm_buf_free(&d->cert);
  qm_buf_free(&d->ca);
  qm_buf_free(&d->ticket);
  qm_key_free(d->key);
  memset(d, 0, sizeof *d);
}

qm_space *day_device_space(const day_device *d) {
  qm_space *s = qm_engine_space_count(d->engine) ? qm_engine_space_at(d->engine, 0) : NULL;
  BENCH_CHECK(s);
  return s;
}

/* --- bytes --- */

static void send_all(day_device *d) {
  uint8_t out[65536];
  size_t n;
  while (qm_tls_take(d->tls, out, sizeof out, &n) == QM_OK && n)
    for (size_t at = 0; at < n;) {
      ssize_t sent = send(d->fd, out + at, n - at, MSG_NOSIGNAL);
      if (sent <= 0) bench_fail("send", QM_ENET);
      at += (size_t)sent;
    }
}

/* Reads what is there; with `wait`, until something is. 0: nothing. */
static int receive(day_device *d, int wait) {
  uint8_t in[65536];
  size_t used;
  struct pollfd p = {.fd = d->fd, .events = POLLIN};
  if (poll(&p, 1, wait ? WAIT_MS : 0) != 1) {
    if (wait) bench_fail("the hub is silent", QM_ETIMEOUT);
    return 0;
  }
  ssize_t n = recv(d->fd, in, qm_tls_state_of(d->tls) == QM_TLS_OPEN ? QM_TLS_IN_MAX : 16384, 0);
  if (n <= 0) {
    if (d->session) qm_session_shut(d->session, QM_ECLOSED);
    d->over = 1;
    return 0;
  }
  if (d->waits) d->flights++;
  d->waits = 0;
  for (size_t at = 0; at < (size_t)n; at += used) {
    if (qm_tls_feed(d->tls, in + at, (size_t)n - at, &used) != QM_OK) {
      qm_error e;
      (void)qm_tls_error(d->tls, &e);
      bench_fail(e.message, e.code);
    }
    BENCH_CHECK(used); /* less than a record of room is never left: see day_device_turn */
  }
  return 1;
}

void day_device_connect(day_device *d, uint16_t port) {
  struct sockaddr_in a;
  int on = 1;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  d->fd = socket(AF_INET, SOCK_STREAM, 0);
  BENCH_CHECK(d->fd >= 0);
  if (connect(d->fd, (struct sockaddr *)&a, sizeof a) != 0) bench_fail(strerror(errno), QM_ENET);
  (void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  d->rest_n = 0;
  d->over = d->live = d->equal = d->waits = d->leaving = 0;
  if (!d->resumes) qm_buf_clear(&d->ticket);
  BENCH_OK(qm_tls_resume(d->config, qm_buf_slice(&d->ticket), &d->tls));
  send_all(d);
  while (qm_tls_state_of(d->tls) == QM_TLS_HANDSHAKE) {
    BENCH_CHECK(receive(d, 1));
    send_all(d);
  }
}

/* --- the session --- */

void day_device_begin(day_device *d, int live) {
  qm_cert hub;
  BENCH_OK(qm_tls_peer(d->tls, &hub));
  qm_session_options o = {.size = sizeof o,
                          .flags = QM_SESSION_HUB | (live ? QM_SESSION_LIVE : 0u),
                          .device = *qm_key_device(d->key),
                          .peer = hub.device,
                          .now_ms = ticks()};
  BENCH_OK(qm_session_new(&d->session, &d->env, QM_CLIENT, &o));
}

static void take_event(day_device *d, const qm_event *ev) {
  switch (ev->kind) {
    case QM_EV_REFUSED:
    case QM_EV_STOPPED:
    case QM_EV_FORK:
    case QM_EV_DIFFER: bench_fail("the session refused, stopped or differs", ev->code);
    case QM_EV_HELLO:
      qm_buf_clear(&d->ticket);
      BENCH_OK(qm_tls_ticket(d->tls, &d->ticket));
      break;
    case QM_EV_COMMIT: d->equal = 0; break;
    case QM_EV_DONE: d->equal = ev->compare == QM_COMPARE_EQUAL; break;
    case QM_EV_LIVE: d->live = 1; break;
    case QM_EV_CLOSED:
      d->over = 1;
      if (ev->code != QM_OK && !(d->leaving && ev->code == QM_ECLOSED))
        bench_fail("the session closed", ev->code);
      break;
    default: break;
  }
}

static int events(day_device *d) {
  qm_event ev;
  int moved = 0;
  while (qm_session_next(d->session, &ev)) {
    moved = 1;
    take_event(d, &ev);
    BENCH_OK(qm_answer_event(&d->answer, d->session, &ev));
  }
  return moved;
}

static int feed(day_device *d) {
  size_t n, used = 0;
  if (!d->rest_n) {
    if (qm_tls_read(d->tls, d->rest, sizeof d->rest, &n) != QM_OK || !n) return 0;
    d->rest_n = n;
  }
  if (qm_session_feed(d->session, d->rest, d->rest_n, &used) != QM_OK) used = d->rest_n;
  memmove(d->rest, d->rest + used, d->rest_n - used);
  d->rest_n -= used;
  return used != 0;
}

static int say(day_device *d) {
  uint8_t out[16384];
  size_t n, used;
  (void)qm_session_take(d->session, out, sizeof out, &n);
  if (!n) return 0;
  d->waits = 1;
  BENCH_OK(qm_tls_write(d->tls, out, n, &used));
  BENCH_CHECK(used == n);
  send_all(d);
  return 1;
}

static void work(day_device *d) {
  int moved;
  (void)qm_session_tick(d->session, ticks());
  do {
    moved = feed(d);
    moved |= events(d);
    moved |= say(d);
  } while (moved);
}

void day_device_turn(day_device *d) {
  work(d);
  while (!d->over && receive(d, 0)) work(d);
}

static void finish(day_device *d) {
  work(d);
  while (!d->over) {
    (void)receive(d, 1);
    work(d);
  }
  qm_session_bytes(d->session, &d->down, &d->up);
}

void day_device_sync(day_device *d, uint16_t port) {
  day_device_connect(d, port);
  day_device_begin(d, 0);
  d->flights = 0;
  finish(d);
  day_device_drop(d);
}

void day_device_leave(day_device *d) {
  d->leaving = 1; /* a round that has just begun is not waited for */
  qm_session_bye(d->session);
  finish(d);
  day_device_drop(d);
}

void day_device_drop(day_device *d) {
  qm_session_free(d->session);
  qm_tls_free(d->tls);
  if (d->fd >= 0) close(d->fd);
  d->session = NULL;
  d->tls = NULL;
  d->fd = -1;
}
