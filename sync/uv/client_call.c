/* Reaching a hub: name, addresses, socket. Tries the addresses of a name one after the
 * other until one answers. */
#include <stdio.h>
#include <string.h>

#include "sync/uv/client_int.h"

#define WATCH_MS 100u
#define POLITE_ROUNDS 10u /* of the watch, that a session has for its last words */

void qm__call_cut(qm__call *call, int code) {
  if (call->code != QM_OK) return;
  call->code = code;
  if (call->conn.tls && qm_tls_error(call->conn.tls, &call->error) == code) return;
  (void)qm_fail(&call->error, code, "%s", qm_err_text(code));
}

/* --- a caller that wants no more --- */

/* A connection in the making is given up; an open session is told (its application looks at
 * stop_code) and has a second for its end. */
static void on_watch(uv_timer_t *t) {
  qm__call *call = t->data;
  if (call->stop_code == QM_OK) call->stop_code = call->stop(call->payload);
  if (call->stop_code == QM_OK) return;
  if (call->looking) {
    (void)uv_cancel((uv_req_t *)&call->lookup);
    return;
  }
  int open = call->conn.app && call->conn.state == QM_CONN_OPEN;
  if (open && call->stopped_for == 0) qm__conn_pump(&call->conn);
  if (call->stopped_for++ < POLITE_ROUNDS && call->conn.app &&
      call->conn.state >= QM_CONN_OPEN) return;
  qm__call_cut(call, call->stop_code);
  if (call->conn.app) qm__conn_close(&call->conn);
}

static int watch(qm__call *call) {
  if (!call->stop) return QM_OK;
  if (uv_timer_init(&call->loop, &call->watch) != 0) return QM_EIO;
  call->has_watch = 1;
  call->watch.data = call;
  if (uv_timer_start(&call->watch, on_watch, WATCH_MS, WATCH_MS) != 0) return QM_EIO;
  uv_unref((uv_handle_t *)&call->watch);
  return QM_OK;
}

void qm__call_unwatch(qm__call *call) {
  if (call->has_watch) uv_close((uv_handle_t *)&call->watch, NULL);
  call->has_watch = 0;
}

/* --- the name --- */

static void on_lookup(uv_getaddrinfo_t *r, int status, struct addrinfo *found) {
  qm__call *call = r->data;
  uv_close((uv_handle_t *)&call->timer, NULL);
  call->found = found;
  if (status == 0 && found) return;
  call->code = status == UV_ECANCELED ? QM_ETIMEOUT : QM_ENET;
  (void)qm_fail(&call->error, call->code, "its name was not found: %s",
                status ? uv_strerror(status) : "no address");
}

static void on_lookup_timer(uv_timer_t *t) {
  (void)uv_cancel((uv_req_t *)&((qm__call *)t->data)->lookup);
}

static int look_up(qm__call *call, const char *host, uint16_t port) {
  struct addrinfo hints;
  char service[8];
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  snprintf(service, sizeof service, "%u", (unsigned)port);
  call->lookup.data = call->timer.data = call;
  if (uv_timer_init(&call->loop, &call->timer) != 0) return QM_EIO;
  int rc = uv_getaddrinfo(&call->loop, &call->lookup, on_lookup, host, service, &hints);
  if (rc == 0) uv_timer_start(&call->timer, on_lookup_timer, call->connect_ms, 0);
  else uv_close((uv_handle_t *)&call->timer, NULL);
  call->looking = 1;
  (void)uv_run(&call->loop, UV_RUN_DEFAULT);
  call->looking = 0;
  return rc == 0 ? call->code : QM_ENET;
}

/* --- one address --- */

static int attempt(qm__call *call, const qm__conn_app *app, const struct sockaddr *to,
                   uint32_t handshake_ms, qm_tls_config *config) {
  qm_tls *tls;
  call->code = QM_OK;
  QM_TRY(qm_tls_resume(config, call->ticket, &tls));
  memset(&call->conn, 0, sizeof call->conn);
  int rc = qm__conn_init(&call->conn, &call->loop, call->env, app, call->scratch, tls,
                         handshake_ms, 0);
  if (rc == QM_OK) qm__conn_connect(&call->conn, to, call->connect_ms);
  else qm__conn_close(&call->conn);
  (void)uv_run(&call->loop, UV_RUN_DEFAULT);
  return rc == QM_OK ? call->code : rc;
}

static int run(qm__call *call, const qm__conn_app *app, const char *host, uint16_t port,
               uint32_t handshake_ms, qm_tls_config *config) {
  call->scratch = qm_alloc(call->env, sizeof *call->scratch);
  if (!call->scratch) return QM_ENOMEM;
  int rc = watch(call);
  if (rc == QM_OK) rc = look_up(call, host, port);
  for (const struct addrinfo *at = call->found; at && !call->stop_code; at = at->ai_next) {
    rc = attempt(call, app, at->ai_addr, handshake_ms, config);
    if (call->conn.started || (rc != QM_ENET && rc != QM_ETIMEOUT)) break;
  }
  uv_freeaddrinfo(call->found);
  qm__call_unwatch(call);
  (void)uv_run(&call->loop, UV_RUN_DEFAULT);
  return call->stop_code && !call->conn.started ? call->stop_code : rc;
}

int qm__call_run(qm__call *call, const qm_env *env, const qm__conn_app *app, const char *host,
                 uint16_t port, uint32_t connect_ms, uint32_t handshake_ms, qm_tls_config *config,
                 qm_error *e) {
  call->env = env;
  call->connect_ms = connect_ms;
  int rc = uv_loop_init(&call->loop) == 0 ? QM_OK : QM_ENOMEM;
  if (rc == QM_OK) {
    rc = run(call, app, host, port, handshake_ms, config);
    (void)uv_loop_close(&call->loop);
  }
  qm_tls_config_free(config);
  qm_free(env, call->scratch);
  if (rc == QM_OK) rc = call->code;
  if (rc == QM_OK) return QM_OK;
  const char *why = call->error.code == rc && call->error.message[0] ? call->error.message
                                                                     : qm_err_text(rc);
  if (rc == QM_ENET)
    return qm_fail(e, rc, "hub %s port %u: %s", host, (unsigned)port, why);
  return qm_fail(e, rc, "%s", why);
}
