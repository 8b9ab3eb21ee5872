#include "sync/uv/hub.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

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

/* With the lock held. NULL: the address has its share, or no memory. */
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

void qm__hub_release(qm_hub *hub, qm__address *address) {
  uv_mutex_lock(&hub->lock);
  address_drop(hub, address);
  hub->n_conns--;
  uv_mutex_unlock(&hub->lock);
}

int qm_hub_tls_set(qm_hub *hub, const qm_tls_server *tls) {
  qm_tls_config *config, *old;
  qm_tls_server own = *tls;
  own.admit = qm__hub_admit;
  own.payload = hub;
  QM_TRY(qm_tls_config_server(hub->env, &own, &config));
  uv_mutex_lock(&hub->lock);
  old = hub->tls;
  hub->tls = config;
  hub->id = *qm_key_device(tls->key);
  uv_mutex_unlock(&hub->lock);
  qm_tls_config_free(old);
  return QM_OK;
}

int qm__hub_tls(qm_hub *hub, qm_tls **out, qm_id *id) {
  uv_mutex_lock(&hub->lock);
  int rc = qm_tls_new(hub->tls, out);
  *id = hub->id;
  uv_mutex_unlock(&hub->lock);
  return rc;
}

/* Counts it in. NULL: beyond a limit, said so. */
static qm__address *count_in(qm_hub *hub, const qm__address *key) {
  qm__address *address = NULL;
  uv_mutex_lock(&hub->lock);
  int is_full = hub->n_conns >= hub->config.connections;
  if (!is_full) address = address_take(hub, key);
  if (address) hub->n_conns++;
  uv_mutex_unlock(&hub->lock);
  if (is_full)
    qm_log(hub->env, QM_LOG_WARN, "a connection beyond the limit of %u was closed",
           hub->config.connections);
  else if (!address)
    qm_log(hub->env, QM_LOG_WARN, "a connection beyond the limit of its address was closed");
  return address;
}

/* Workers in turn. The worker gets a descriptor of its own for the socket: a handle cannot
 * change its loop. */
static void hand_over(qm_hub *hub, const uv_tcp_t *tcp) {
  char text[64];
  qm__address key, *address;
  uv_os_fd_t fd;
  address_of(tcp, &key, text);
  address = count_in(hub, &key);
  if (!address) return;
  int own = uv_fileno((const uv_handle_t *)tcp, &fd) == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
  qm__hub_worker *w = &hub->workers[hub->turn++ % hub->n_workers];
  if (own >= 0 && qm__hub_worker_give(w, own, address, text) == QM_OK) return;
  if (own >= 0) close(own);
  qm_log(hub->env, QM_LOG_WARN, "a connection was closed: no memory or descriptors");
  qm__hub_release(hub, address);
}

static void on_dropped(uv_handle_t *h) { qm_free(((qm_hub *)h->loop->data)->env, h); }

/* Takes what the kernel has, so that it does not come again, also where it is then dropped. */
static void on_connection(uv_stream_t *s, int status) {
  qm_hub *hub = s->data;
  if (status < 0) return;
  uv_tcp_t *tcp = qm_alloc_zero(hub->env, sizeof *tcp);
  if (!tcp || uv_tcp_init(&hub->loop, tcp) != 0) {
    qm_free(hub->env, tcp);
    return;
  }
  if (uv_accept(s, (uv_stream_t *)tcp) == 0 && !hub->draining) hand_over(hub, tcp);
  uv_close((uv_handle_t *)tcp, on_dropped);
}

/* --- stopping --- */

static void on_handle_closed(uv_handle_t *h) { (void)h; }

static void close_handle(void *h) {
  if (!uv_is_closing((uv_handle_t *)h)) uv_close((uv_handle_t *)h, on_handle_closed);
}

static void say(qm_hub *hub, uint32_t what) {
  for (uint32_t i = 0; i < hub->n_started; i++) qm__hub_worker_say(&hub->workers[i], what);
}

static uint32_t count(qm_hub *hub) {
  uv_mutex_lock(&hub->lock);
  uint32_t n = hub->n_conns;
  uv_mutex_unlock(&hub->lock);
  return n;
}

/* No worker runs any more. The loop then has no handle and ends. */
static void maybe_finish(qm_hub *hub) {
  if (!hub->draining || hub->closing) return;
  if (hub->has_lock) uv_mutex_lock(&hub->lock);
  int all = hub->n_ended == hub->n_started;
  if (hub->has_lock) uv_mutex_unlock(&hub->lock);
  if (!all) return;
  hub->closing = 1;
  if (hub->has_drain) close_handle(&hub->drain);
  if (hub->has_async) {
    close_handle(&hub->ended);
    close_handle(&hub->stop);
  }
  for (uint8_t i = 0; i < hub->n_signals; i++) close_handle(&hub->signals[i]);
}

static void on_ended(uv_async_t *a) { maybe_finish(a->data); }

static void on_drained(uv_timer_t *t) {
  qm_hub *hub = t->data;
  if (count(hub)) qm_log(hub->env, QM_LOG_WARN, "%u connections did not end in time", count(hub));
  say(hub, QM_TOLD_CUT);
}

static void drain(qm_hub *hub) {
  if (hub->draining) return;
  hub->draining = 1;
  qm_log(hub->env, QM_LOG_INFO, "stopping: %u connections", hub->has_lock ? count(hub) : 0u);
  if (hub->has_listener) close_handle(&hub->listener);
  if (hub->has_drain) uv_timer_start(&hub->drain, on_drained, hub->config.drain_ms, 0);
  say(hub, QM_TOLD_DRAIN);
  maybe_finish(hub);
}

int qm__hub_status(qm_hub *hub) {
  int rc = QM_OK;
  for (uint32_t i = 0; i < hub->n_shards && rc == QM_OK; i++)
    rc = qm__shard_status(hub->shards[i]);
  return rc;
}

/* Asked for, or a store can no longer be used. */
static void on_stop(uv_async_t *a) {
  qm_hub *hub = a->data;
  if (hub->status == QM_OK) hub->status = qm__hub_status(hub);
  drain(hub);
}

static void on_signal(uv_signal_t *s, int number) {
  qm_hub *hub = s->data;
  if (number == SIGHUP) {
    int rc = hub->options.reload ? hub->options.reload(hub->options.payload, hub) : QM_OK;
    qm_log(hub->env, rc == QM_OK ? QM_LOG_INFO : QM_LOG_ERROR, "reload: %s", qm_err_text(rc));
  } else if (hub->draining) {
    say(hub, QM_TOLD_CUT);
  } else {
    drain(hub);
  }
}

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
  if (uv_async_init(&hub->loop, &hub->ended, on_ended) != 0) return QM_EIO;
  if (uv_async_init(&hub->loop, &hub->stop, on_stop) != 0) {
    close_handle(&hub->ended);
    return QM_EIO;
  }
  hub->has_async = 1;
  hub->ended.data = hub->stop.data = hub;
  return hub->options.signals ? start_signals(hub) : QM_OK;
}

static uint32_t cores(void) {
  uv_cpu_info_t *info;
  int n = 0;
  if (uv_cpu_info(&info, &n) == 0) uv_free_cpu_info(info, n);
  return n < 1 ? 1u : n > (int)QM_HUB_LOOPS_MAX ? QM_HUB_LOOPS_MAX : (uint32_t)n;
}

static int start_workers(qm_hub *hub) {
  uint32_t n = hub->config.loops ? hub->config.loops : cores();
  hub->workers = qm_alloc_zero(hub->env, n * sizeof *hub->workers);
  if (!hub->workers) return QM_ENOMEM;
  hub->n_workers = n;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm__hub_worker_start(&hub->workers[i], hub));
    hub->n_started++;
  }
  return QM_OK;
}

static int start_shards(qm_hub *hub) {
  for (uint32_t i = 0; i < hub->options.n_shards; i++) {
    const qm_hub_shard *s = &hub->options.shards[i];
    qm__shard_options o = {.env = hub->env,
                           .number = i + 1,
                           .engine = s->engine,
                           .backend = s->backend,
                           .flags = hub->options.answer_flags | QM_ANSWER_HUB,
                           .deliver = qm__hub_deliver,
                           .payload = hub};
    QM_TRY(qm__shard_start(&hub->shards[i], &o));
    hub->n_shards++;
  }
  return QM_OK;
}

/* The listener last: what it hands over needs all else. */
static int start(qm_hub *hub, qm_error *e) {
  int rc = uv_mutex_init(&hub->lock) == 0 ? QM_OK : QM_ENOMEM;
  hub->has_lock = rc == QM_OK;
  if (rc == QM_OK) rc = start_loop(hub);
  if (rc != QM_OK) return qm_fail(e, rc, "hub: %s", qm_err_text(rc));
  rc = qm_hub_tls_set(hub, &hub->options.tls);
  if (rc != QM_OK) return qm_fail(e, rc, "hub: certificate: %s", qm_err_text(rc));
  rc = start_workers(hub);
  if (rc == QM_OK) rc = start_shards(hub);
  if (rc != QM_OK) return qm_fail(e, rc, "hub: threads: %s", qm_err_text(rc));
  return listen_on(hub, e);
}

int qm_hub_open(qm_hub **out, const qm_hub_options *options, qm_error *e) {
  *out = NULL;
  if (options->size != sizeof *options || !options->n_shards ||
      options->n_shards > QM_HUB_SHARDS_MAX)
    return qm_fail(e, QM_EINVAL, "hub: options");
  qm_hub *hub = qm_alloc_zero(options->env, sizeof *hub);
  if (!hub) return qm_fail(e, QM_ENOMEM, "hub: out of memory");
  hub->env = options->env;
  hub->options = *options;
  hub->config = *options->config;
  hub->backend = options->shards->backend;
  int rc = start(hub, e);
  hub->options.shards = NULL; /* the caller's; each shard has its own */
  if (rc != QM_OK) {
    qm_hub_close(hub);
    return rc;
  }
  *out = hub;
  return QM_OK;
}

uint16_t qm_hub_port(const qm_hub *hub) { return hub->port; }

int qm_hub_run(qm_hub *hub) {
  uint64_t groups = 0, batches = 0;
  (void)uv_run(&hub->loop, UV_RUN_DEFAULT);
  for (uint32_t i = 0; i < hub->n_shards; i++) {
    uint64_t its_groups, its_batches;
    qm__shard_groups(hub->shards[i], &its_groups, &its_batches);
    groups += its_groups;
    batches += its_batches;
  }
  qm_log(hub->env, QM_LOG_INFO, "batches: %llu, in %llu commits", (unsigned long long)batches,
         (unsigned long long)groups);
  return hub->status;
}

void qm_hub_stop(qm_hub *hub) { (void)uv_async_send(&hub->stop); }

void qm_hub_close(qm_hub *hub) {
  if (!hub) return;
  if (hub->has_loop) {
    drain(hub);
    say(hub, QM_TOLD_CUT);
    (void)uv_run(&hub->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&hub->loop);
  }
  for (uint32_t i = 0; i < hub->n_workers; i++) qm__hub_worker_join(&hub->workers[i]);
  for (uint32_t i = 0; i < hub->n_shards; i++) qm__shard_stop(hub->shards[i]);
  for (uint32_t i = 0; i < hub->n_workers; i++) qm__hub_worker_free(&hub->workers[i]);
  qm_free(hub->env, hub->workers);
  qm_tls_config_free(hub->tls);
  if (hub->has_lock) uv_mutex_destroy(&hub->lock);
  qm_free(hub->env, hub);
}
