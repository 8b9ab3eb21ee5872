/* hub_int: what hub.c and hub_conn.c share. */
#ifndef QM_SYNC_UV_HUB_INT_H
#define QM_SYNC_UV_HUB_INT_H

#include "sync/uv/conn.h"
#include "sync/uv/hub.h"
#include "sync/uv/message.h"
#include "sync/uv/shard.h"

#define QM_HUB_BUCKETS 256u

/* Connections of one address: an IPv4 address, or an IPv6 /64. */
typedef struct qm__address {
  struct qm__address *next;
  uint8_t b[8];
  uint8_t is_v6;
  uint32_t count;
} qm__address;

typedef struct qm__hub_conn {
  qm__conn conn;
  struct qm_hub *hub;
  struct qm__hub_conn *next, **at; /* list of the hub */
  qm__address *address;
  char address_text[64];
  qm_id device, peer; /* as authenticated; as it writes */
  qm_session *session;
  uint64_t serial; /* of it, among the hub's */
  int is_enrolment;
  qm__message message; /* enrolment */
  qm_buf answer;
  size_t answer_at;
  uint32_t jobs; /* at the shard */
  uint8_t gone;  /* the handles are closed; freed when jobs is 0 */
  uint8_t said_hello, over, end_sent, byed, answered;
  uint8_t live, checking; /* the session stays; a CHECK is at the shard */
  uint8_t grants[QM_TAG_SIZE]; /* as its spaces were agreed */
  int code;
  uint64_t opened_ms, mark_ms, over_ms;
  uint32_t quiet;
  uint64_t lacks;
  qm_hub_seen seen;
} qm__hub_conn;

struct qm_hub {
  const qm_env *env;
  qm_hub_options options;
  qm_hub_config config;
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_async_t done, stop;
  uv_signal_t signals[3];
  uv_timer_t drain, live;
  uint8_t has_loop, has_listener, has_async, n_signals, has_drain, has_live, draining, closing;
  uint16_t port;
  int status;
  qm_tls_config *tls;
  qm__shard *shard;
  qm__scratch *scratch;
  qm__hub_conn *conns, *feeding; /* feeding: whose handshake asks admit */
  qm__address *addresses[QM_HUB_BUCKETS];
  uint32_t n_conns, n_jobs, n_live;
  uint64_t n_sessions; /* so far */
};

/* --- hub_conn.c --- */
extern const qm__conn_app qm__hub_app;
/* An answered job of this connection; frees the job. */
void qm__hub_conn_done(qm__hub_conn *hc, qm__job *job);
/* The hub drains: BYE as soon as nothing is owed. */
void qm__hub_conn_drain(qm__hub_conn *hc);
/* Changes in the space are durable: the sessions that stay learn it. `from` brought them and
 * is left out; NULL: somebody else did. */
void qm__hub_news(struct qm_hub *hub, const qm_id *space, const qm__hub_conn *from);
/* Asks the shard about the device of a session that stays. */
void qm__hub_conn_check(qm__hub_conn *hc);
/* --- hub.c --- */
void qm__hub_forget(qm__hub_conn *hc); /* frees it */
void qm__hub_live(qm_hub *hub, int more); /* a session begins to stay, or has ended */

#endif
