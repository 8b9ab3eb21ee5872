#include "sync/uv/hub.h"

#include <signal.h>
#include <string.h>

#include "core/hash.h"
#include "sync/uv/hub_int.h"
#include "sync/uv/log.h"

/* --- addresses --- */

static void address_of(const uv_tcp_t *tcp, qm__address *key, char text[64]) {
  struct sockaddr_storage ss;
  int n = (int)sizeof ss;
  memset(key, 0, sizeof *key);
  text[0] = '\0';
  memset(&ss, 0, sizeof ss);
  if (uv_tcp_getpeername(tcp, (struct sockaddr *)&ss, &n) != 0) return;
  if (ss.ss_family == AF_INET6) {
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)&ss;
    key->is_v6 = 1;
    memcpy(key->b, a->sin6_addr.s6_addr, 8);
    (void)uv_ip6_name(a, text, 64);
  } else {
    const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)&ss;
    memcpy(key->b, &a->sin_addr, 4);
    (void)uv_ip4_name(a, text, 64);
  }
}

static qm__address **bucket_of(qm_hub *hub, const qm__address *key) {
  uint32_t h = 2166136261u ^ key->is_v6;
  for (size_t i = 0; i < sizeof key->b; i++) h = (h ^ key->b[i]) * 16777619u;
  return &hub->addresses[h % QM_HUB_BUCKETS];
}

/* NULL: the address has its share, or no memory. */
static qm__address *address_take(qm_hub *hub, const qm__address *key) {
  qm__address **bucket = bucket_of(hub, key), *a = *bucket;
  while (a && (a->is_v6 != key->is_v6 || memcmp(a->b, key->b, sizeof a->b) != 0)) a = a->next;
  if (!a) {
    a = qm_alloc_zero(hub->env, sizeof *a);
    if (!a) return NULL;
    *a = *key;
    a->next = *bucket;
    *bucket = a;
  }
  if (a->count >= hub->config.per_address) return NULL;
  a->count++;
  return a;
}

static void address_drop(qm_hub *hub, qm__address *address) {
  if (!address || --address->count) return;
  qm__address **at = bucket_of(hub, address);
  while (*at != address) at = &(*at)->next;
  *at = address->next;
  qm_free(hub->env, address);
}

/* --- connections --- */

static void maybe_finish(qm_hub *hub);

void qm__hub_forget(qm__hub_conn *hc) {
  qm_hub *hub = hc->hub;
  *hc->at = hc->next;
  if (hc->next) hc->next->at = hc->at;
  address_drop(hub, hc->address);
  qm__message_free(&hc->message);
  if (hc->answer.p) qm_wipe(hc->answer.p, hc->answer.n);
  qm_buf_free(&hc->answer);
  qm_free(hub->env, hc);
  hub->n_conns--;
  maybe_finish(hub);
}

static int admit(void *payload, const qm_id *device, const qm_cert *cert) {
  qm_hub *hub = payload;
  const qm_hub_backend *b = hub->options.backend;
  qm_id peer = *device;
  QM_TRY(b->admit ? b->admit(b->payload, device, cert, &peer) : QM_OK);
  if (!hub->feeding) return QM_EINTERNAL;
  hub->feeding->device = *device;
  hub->feeding->peer = peer;
  return QM_OK;
}

int qm_hub_tls_set(qm_hub *hub, const qm_tls_server *tls) {
  qm_tls_config *config;
  qm_tls_server own = *tls;
  own.admit = admit;
  own.payload = hub;
  QM_TRY(qm_tls_config_server(hub->env, &own, &config));
  qm_tls_config_free(hub->tls);
  hub->tls = config;
  hub->options.tls.key = tls->key;
  return QM_OK;
}

/* A connection with its engine; NULL: no memory, and what came must be dropped. */
static qm__hub_conn *conn_new(qm_hub *hub) {
  qm_tls *tls;
  qm__hub_conn *hc = qm_alloc_zero(hub->env, sizeof *hc);
  if (!hc) return NULL;
  if (qm_tls_new(hub->tls, &tls) != QM_OK) {
    qm_free(hub->env, hc);
    return NULL;
  }
  hc->hub = hub;
  qm_buf_init(&hc->answer, hub->env, QM_ENROL_RESPONSE_MAX + 4u);
  qm__message_init(&hc->message, hub->env, QM_ENROL_REQUEST_MAX);
  hc->next = hub->conns;
  if (hc->next) hc->next->at = &hc->next;
  hc->at = &hub->conns;
  hub->conns = hc;
  hub->n_conns++;
  if (qm__conn_init(&hc->conn, &hub->loop, hub->env, &qm__hub_app, hub->scratch, tls,
                    hub->config.handshake_ms, 1) != QM_OK) {
    qm__conn_close(&hc->conn);
    return NULL;
  }
  return hc;
}

/* Takes what the kernel has so that it does not come again, and drops it. */
static void on_dropped(uv_handle_t *h) { qm_free(((qm_hub *)h->loop->data)->env, h); }

static void drop_one(qm_hub *hub) {
  uv_tcp_t *tcp = qm_alloc_zero(hub->env, sizeof *tcp);
  if (!tcp || uv_tcp_init(&hub->loop, tcp) != 0) {
    qm_free(hub->env, tcp);
    return;
  }
  (void)uv_accept((uv_stream_t *)&hub->listener, (uv_stream_t *)tcp);
  uv_close((uv_handle_t *)tcp, on_dropped);
}

static void on_connection(uv_stream_t *s, int status) {
  qm_hub *hub = s->data;
  qm__address key;
  if (status < 0) return;
  if (hub->draining || hub->n_conns >= hub->config.connections) {
    qm_log(hub->env, QM_LOG_WARN, "a connection beyond the limit of %u was closed",
           hub->config.connections);
    drop_one(hub);
    return;
  }
  qm__hub_conn *hc = conn_new(hub);
  if (!hc) {
    drop_one(hub);
    return;
  }
  if (uv_accept(s, (uv_stream_t *)&hc->conn.tcp) != 0) {
    qm__conn_close(&hc->conn);
    return;
  }
  address_of(&hc->conn.tcp, &key, hc->address_text);
  hc->address = address_take(hub, &key);
  if (!hc->address) {
    qm_log(hub->env, QM_LOG_WARN, "a connection beyond the limit of its address was closed");
    qm__conn_close(&hc->conn);
    return;
  }
  qm__conn_start(&hc->conn);
}

/* --- stopping --- */

static void on_handle_closed(uv_handle_t *h) { (void)h; }

static void close_handle(void *h) {
  if (!uv_is_closing((uv_handle_t *)h)) uv_close((uv_handle_t *)h, on_handle_closed);
}

/* The last of all: no connection, no job. The loop then has no handle and ends. */
static void maybe_finish(qm_hub *hub) {
  if (!hub->draining || hub->closing || hub->n_conns || hub->n_jobs) return;
  hub->closing = 1;
  qm__shard_quiet(hub->shard);
  if (hub->has_drain) close_handle(&hub->drain);
  if (hub->has_live) close_handle(&hub->live);
  if (hub->has_async) {
    close_handle(&hub->done);
    close_handle(&hub->stop);
  }
  for (uint8_t i = 0; i < hub->n_signals; i++) close_handle(&hub->signals[i]);
}

static void each(qm_hub *hub, void (*visit)(qm__hub_conn *hc)) {
  qm__hub_conn *hc = hub->conns;
  while (hc) {
    qm__hub_conn *next = hc->next; /* visit frees none: closing ends in a later callback */
    visit(hc);
    hc = next;
  }
}

static void cut(qm__hub_conn *hc) { qm__conn_close(&hc->conn); }

static void on_drained(uv_timer_t *t) {
  qm_hub *hub = t->data;
  if (hub->n_conns)
    qm_log(hub->env, QM_LOG_WARN, "%u connections did not end in time", hub->n_conns);
  each(hub, cut);
}

static void drain(qm_hub *hub) {
  if (hub->draining) return;
  hub->draining = 1;
  qm_log(hub->env, QM_LOG_INFO, "stopping: %u connections", hub->n_conns);
  if (hub->has_listener) close_handle(&hub->listener);
  if (hub->has_drain) uv_timer_start(&hub->drain, on_drained, hub->config.drain_ms, 0);
  each(hub, qm__hub_conn_drain);
  maybe_finish(hub);
}

/* --- sessions that stay --- */

static void on_live(uv_timer_t *t) { each(t->data, qm__hub_conn_check); }

void qm__hub_live(qm_hub *hub, int more) {
  hub->n_live += more ? 1u : (uint32_t)-1;
  if (!hub->has_live || hub->draining) return;
  if (hub->n_live == 0) uv_timer_stop(&hub->live);
  else if (!uv_is_active((uv_handle_t *)&hub->live))
    uv_timer_start(&hub->live, on_live, QM_HUB_LIVE_CHECK_MS, QM_HUB_LIVE_CHECK_MS);
}

static void on_stop(uv_async_t *a) { drain(a->data); }

static void on_signal(uv_signal_t *s, int number) {
  qm_hub *hub = s->data;
  if (number == SIGHUP) {
    int rc = hub->options.reload ? hub->options.reload(hub->options.payload, hub) : QM_OK;
    qm_log(hub->env, rc == QM_OK ? QM_LOG_INFO : QM_LOG_ERROR, "reload: %s", qm_err_text(rc));
  } else if (hub->draining) {
    each(hub, cut);
  } else {
    drain(hub);
  }
}

/* --- what the store thread answered --- */

static void on_done(uv_async_t *a) {
  qm_hub *hub = a->data;
  qm__job *job = qm__shard_done(hub->shard);
  while (job) {
    qm__job *next = job->next;
    if (job->owner) {
      qm__hub_conn_done(job->owner, job);
    } else {
      qm__hub_news(hub, &job->ev.space, NULL);
      qm__job_free(hub->env, job);
    }
    job = next;
  }
  int rc = qm__shard_status(hub->shard);
  if (rc != QM_OK && hub->status == QM_OK) {
    hub->status = rc;
    drain(hub);
  }
  maybe_finish(hub);
}

/* Store thread. */
static void notify(void *payload) { (void)uv_async_send(&((qm_hub *)payload)->done); }

/* --- opening --- */

static int uv_code(int rc) {
  switch (rc) {
    case UV_EADDRINUSE: return QM_EBUSY;
    case UV_EACCES: return QM_EACCESS;
    case UV_EADDRNOTAVAIL:
    case UV_EINVAL: return QM_EUSAGE;
    case UV_ENOMEM: return QM_ENOMEM;
    default: return QM_EIO;
  }
}

static int listen_fail(const qm_hub *hub, int rc, qm_error *e) {
  return qm_fail(e, uv_code(rc), "cannot listen on %s port %u: %s", hub->config.host,
                 (unsigned)hub->config.port, uv_strerror(rc));
}

static int listen_on(qm_hub *hub, qm_error *e) {
  struct sockaddr_storage ss;
  struct sockaddr *sa = (struct sockaddr *)&ss;
  int n = (int)sizeof ss;
  memset(&ss, 0, sizeof ss);
  int rc = uv_ip4_addr(hub->config.host, hub->config.port, (struct sockaddr_in *)(void *)&ss);
  if (rc) rc = uv_ip6_addr(hub->config.host, hub->config.port, (struct sockaddr_in6 *)(void *)&ss);
  if (rc) return listen_fail(hub, rc, e);
  rc = uv_tcp_init(&hub->loop, &hub->listener);
  if (rc) return listen_fail(hub, rc, e);
  hub->has_listener = 1;
  hub->listener.data = hub;
  rc = uv_tcp_bind(&hub->listener, sa, 0);
  if (!rc) rc = uv_listen((uv_stream_t *)&hub->listener, QM_HUB_BACKLOG, on_connection);
  if (!rc) rc = uv_tcp_getsockname(&hub->listener, sa, &n);
  if (rc) return listen_fail(hub, rc, e);
  /* Both families have the port in the same place. */
  const uint8_t *port = (const uint8_t *)&((const struct sockaddr_in *)(const void *)&ss)->sin_port;
  hub->port = (uint16_t)(port[0] << 8 | port[1]);
  return QM_OK;
}

static int start_signals(qm_hub *hub) {
  static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
  for (size_t i = 0; i < 3; i++) {
    if (uv_signal_init(&hub->loop, &hub->signals[i]) != 0) return QM_EIO;
    hub->signals[i].data = hub;
    hub->n_signals++;
    if (uv_signal_start(&hub->signals[i], on_signal, numbers[i]) != 0) return QM_EIO;
  }
  return QM_OK;
}

static int start_loop(qm_hub *hub) {
  if (uv_loop_init(&hub->loop) != 0) return QM_ENOMEM;
  hub->has_loop = 1;
  hub->loop.data = hub;
  if (uv_timer_init(&hub->loop, &hub->drain) != 0) return QM_EIO;
  hub->has_drain = 1;
  hub->drain.data = hub;
  if (uv_timer_init(&hub->loop, &hub->live) != 0) return QM_EIO;
  hub->has_live = 1;
  hub->live.data = hub;
  if (uv_async_init(&hub->loop, &hub->done, on_done) != 0) return QM_EIO;
  if (uv_async_init(&hub->loop, &hub->stop, on_stop) != 0) {
    close_handle(&hub->done);
    return QM_EIO;
  }
  hub->has_async = 1;
  hub->done.data = hub->stop.data = hub;
  return hub->options.signals ? start_signals(hub) : QM_OK;
}

static int start(qm_hub *hub, qm_error *e) {
  int rc = start_loop(hub);
  if (rc != QM_OK) return qm_fail(e, rc, "hub: %s", qm_err_text(rc));
  rc = qm_hub_tls_set(hub, &hub->options.tls);
  if (rc != QM_OK) return qm_fail(e, rc, "hub: certificate: %s", qm_err_text(rc));
  QM_TRY(listen_on(hub, e));
  qm__shard_options o = {.env = hub->env,
                         .engine = hub->options.engine,
                         .backend = hub->options.backend,
                         .flags = hub->options.answer_flags | QM_ANSWER_HUB,
                         .notify = notify,
                         .payload = hub};
  rc = qm__shard_start(&hub->shard, &o);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "hub: store thread: %s", qm_err_text(rc));
}

int qm_hub_open(qm_hub **out, const qm_hub_options *options, qm_error *e) {
  *out = NULL;
  if (options->size != sizeof *options) return qm_fail(e, QM_EINVAL, "hub: options");
  qm_hub *hub = qm_alloc_zero(options->env, sizeof *hub);
  if (!hub) return qm_fail(e, QM_ENOMEM, "hub: out of memory");
  hub->env = options->env;
  hub->options = *options;
  hub->config = *options->config;
  hub->scratch = qm_alloc(hub->env, sizeof *hub->scratch);
  int rc = hub->scratch ? start(hub, e) : qm_fail(e, QM_ENOMEM, "hub: out of memory");
  if (rc != QM_OK) {
    qm_hub_close(hub);
    return rc;
  }
  *out = hub;
  return QM_OK;
}

uint16_t qm_hub_port(const qm_hub *hub) { return hub->port; }

int qm_hub_run(qm_hub *hub) {
  (void)uv_run(&hub->loop, UV_RUN_DEFAULT);
  return hub->status;
}

void qm_hub_stop(qm_hub *hub) { (void)uv_async_send(&hub->stop); }

void qm_hub_close(qm_hub *hub) {
  if (!hub) return;
  if (hub->has_loop) {
    drain(hub);
    each(hub, cut);
    (void)uv_run(&hub->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&hub->loop);
  }
  qm__shard_stop(hub->shard);
  qm_tls_config_free(hub->tls);
  qm_free(hub->env, hub->scratch);
  qm_free(hub->env, hub);
}
