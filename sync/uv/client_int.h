/* client_int: what client.c and client_enrol.c share: reaching a hub. */
#ifndef QM_SYNC_UV_CLIENT_INT_H
#define QM_SYNC_UV_CLIENT_INT_H

#include "sync/uv/client.h"
#include "sync/uv/conn.h"

/* One blocking call: a loop with one connection. `conn` comes first: the application's
 * functions cast. */
typedef struct qm__call {
  qm__conn conn;
  const qm_env *env;
  uv_loop_t loop;
  uv_getaddrinfo_t lookup;
  qm__scratch *scratch;
  qm_slice ticket; /* to resume with; may be empty */
  uint32_t connect_ms;
  uv_timer_t timer; /* of the lookup */
  struct addrinfo *found;
  /* set before the call: see qm_client_options.stop */
  int (*stop)(void *payload);
  void *payload;
  uv_timer_t watch; /* asks it; in no count of what keeps the loop */
  int stop_code;    /* what it said */
  uint32_t stopped_for; /* how often it was asked since */
  uint8_t has_watch, looking;
  int code;      /* why the stream ended, QM_OK while it has not */
  qm_error error; /* TLS' detail */
} qm__call;

/* Runs the loop until the connection is gone. Takes config (frees it). The outcome is the
 * application's to tell; QM_ENET, QM_ETIMEOUT where no connection came about. */
int qm__call_run(qm__call *call, const qm_env *env, const qm__conn_app *app, const char *host,
                 uint16_t port, uint32_t connect_ms, uint32_t handshake_ms, qm_tls_config *config,
                 qm_error *e);
/* Asks `stop` no more. */
void qm__call_unwatch(qm__call *call);
/* For app.cut: keeps the first reason with its detail. */
void qm__call_cut(qm__call *call, int code);

#endif
