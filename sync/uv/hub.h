/* hub: the server. A loop that accepts, workers with a loop each (TLS, sessions), shards with a
 * store thread each (engine); see hub_int.h, conn.h and shard.h.
 *
 * What a connection gets: plaintext, a foreign, expired, revoked or unknown certificate: a
 * TLS alert, nothing else. qianmo/1: a session. qianmo-enroll/1: one enrolment. Beyond the
 * limits of connections: closed at once.
 *
 * Threads: open, run and close on one thread; port after open; stop from any thread and
 * from signal handlers of libuv. The engines belong to the hub from open to close. */
#ifndef QM_SYNC_UV_HUB_H
#define QM_SYNC_UV_HUB_H

#include "sync/tls.h"
#include "sync/uv/backend.h"
#include "sync/uv/config.h"

typedef struct qm_hub qm_hub;

/* The spaces of one engine, served by one store thread. No space is in two of them. */
typedef struct qm_hub_shard {
  qm_engine *engine;
  const qm_hub_backend *backend; /* borrowed until close */
} qm_hub_shard;

typedef struct qm_hub_options {
  uint32_t size;          /* sizeof(qm_hub_options) */
  uint32_t answer_flags;  /* QM_ANSWER_CHECK_…; QM_ANSWER_HUB is added */
  const qm_env *env;      /* realloc, now_ms, log: from several threads */
  const qm_hub_config *config; /* copied */
  qm_tls_server tls;      /* ca, cert, key; admit is the hub's own */
  const qm_hub_shard *shards; /* copied */
  uint32_t n_shards;          /* 1 to QM_HUB_SHARDS_MAX */
  int signals; /* 1: SIGTERM and SIGINT drain (a second one stops at once), SIGHUP reloads */
  /* On SIGHUP, on the thread of run: reopens the log and gives a new certificate to
     qm_hub_tls_set. A failure is logged; the old one stays. May be NULL. */
  int (*reload)(void *payload, qm_hub *hub);
  void *payload;
} qm_hub_options;

/* Binds and listens. QM_EINVAL (options), QM_EUSAGE (the address), QM_EBUSY (in use),
 * QM_EACCESS, QM_EIO, QM_ENOMEM, those of qm_tls_config_server. */
int qm_hub_open(qm_hub **out, const qm_hub_options *options, qm_error *e);
/* The port that is listened on (where 0 was asked for: the real one). */
uint16_t qm_hub_port(const qm_hub *hub);
/* Serves until stopped and drained. QM_OK, or why a store could not go on. */
int qm_hub_run(qm_hub *hub);
/* Stops accepting, lets commits under way finish, says BYE, ends after drain_ms at the
 * latest. Any thread. */
void qm_hub_stop(qm_hub *hub);
/* After run, or instead of it. NULL is fine. */
void qm_hub_close(qm_hub *hub);
/* New connections use this certificate, and the key is borrowed until the next. On the thread
 * of run (from reload). */
int qm_hub_tls_set(qm_hub *hub, const qm_tls_server *tls);

#endif
