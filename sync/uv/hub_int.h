/* hub_int: what hub.c, hub_loop.c and hub_conn.c share.
 *
 * Threads. The hub's own loop accepts, and hears signals and stop. Each *worker* has a loop on
 * a thread of its own and the connections that were given to it: TLS, sessions and all that a
 * connection has is touched by that thread alone. Each shard has a store thread. A request goes
 * to the shard that has its space; what a device may read is asked of all of them (gather.h);
 * what belongs to no space goes to the first. What comes back lies in a worker's inbox (its
 * lock), and a wake follows.
 *
 * Locks: a worker's, the hub's and a shard's are held for a few lines each and never one
 * inside the other.
 *
 * The end: workers end when they drain and have neither connection nor job; the hub's loop
 * when all workers have; then the store threads, which until then may still say that there is
 * news (a worker that is `closing` does not hear it); then the memory goes. */
#ifndef QM_SYNC_UV_HUB_INT_H
#define QM_SYNC_UV_HUB_INT_H

#include <stdatomic.h>

#include "sync/uv/conn.h"
#include "sync/uv/gather.h"
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

typedef struct qm__hub_worker qm__hub_worker;

typedef struct qm__hub_conn {
  qm__conn conn;
  struct qm_hub *hub;
  qm__hub_worker *worker;
  struct qm__hub_conn *next, **at; /* list of the worker */
  qm__address *address;
  char address_text[64];
  qm_id hub_id;       /* as the certificate says that TLS shows */
  qm_id device, peer; /* as authenticated; as it writes */
  qm_session *session;
  uint64_t serial; /* of it, among the hub's */
  uint64_t spaces; /* a bit of each that was listed for it */
  int is_enrolment;
  qm__message message; /* enrolment */
  qm_buf answer;
  size_t answer_at;
  uint32_t jobs;   /* at the shards */
  uint32_t shards; /* a bit of each that was asked about a space */
  uint8_t gone;    /* the handles are closed; freed when jobs is 0 */
  uint8_t said_hello, over, byed, answered;
  uint8_t end_due, end_sent; /* due: as soon as jobs is 0 */
  uint8_t live;              /* the session stays */
  qm__gather listing, check; /* what it may read, asked for HELLO and while it stays */
  uint8_t grants[QM_TAG_SIZE]; /* as its spaces were agreed */
  /* What a shard said when the device was last found to be one; all of them, when its spaces
     were agreed. */
  uint64_t standing, granted;
  int code;
  uint64_t opened_ms, mark_ms, over_ms;
  uint32_t quiet;
  uint64_t lacks;
  qm_hub_seen seen;
} qm__hub_conn;

/* A socket on its way from the accepting loop to a worker. */
typedef struct qm__accepted {
  struct qm__accepted *next;
  int fd;
  qm__address *address;
  char address_text[64];
} qm__accepted;

/* Something new in a space, for all sessions of a worker. */
typedef struct qm__hub_news {
  struct qm__hub_news *next;
  qm_id space;
  uint64_t standing; /* of the grants by which `small` may be said */
  size_t n_small;    /* all that is new, in its compact form; 0: look into the log */
  uint8_t small[];
} qm__hub_news;

enum { QM_TOLD_DRAIN = 1, QM_TOLD_CUT = 2 };

struct qm__hub_worker {
  struct qm_hub *hub;
  uv_thread_t thread;
  uv_loop_t loop;
  uv_async_t wake;
  uv_timer_t live;
  uint8_t has_loop, has_lock, has_wake, has_live, has_thread; /* of open and close */
  uint8_t draining;
  uint32_t looking; /* LOOKs at the shards */
  qm__scratch *scratch;
  qm__hub_conn *conns;
  uint32_t n_conns, n_jobs, n_live;
  uv_mutex_t lock; /* of what follows */
  qm__accepted *accepted;
  qm__job *done, **done_end;
  qm__hub_news *news, **news_end;
  uint32_t n_news;
  uint32_t told;    /* QM_TOLD_… */
  uint8_t closing;  /* takes nothing more */
};

struct qm_hub {
  const qm_env *env;
  qm_hub_options options;
  qm_hub_config config;
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_async_t stop, ended;
  uv_signal_t signals[3];
  uv_timer_t drain;
  uint8_t has_loop, has_listener, has_async, n_signals, has_drain, has_lock, draining, closing;
  uint16_t port;
  int status;
  qm__shard *shards[QM_HUB_SHARDS_MAX];
  uint32_t n_shards; /* started */
  const qm_hub_backend *backend; /* the first shard's */
  qm__hub_worker *workers;
  uint32_t n_workers, n_started, turn;
  atomic_uint_fast64_t n_sessions; /* so far */
  uv_mutex_t lock; /* of what follows */
  qm_tls_config *tls;
  qm_id id; /* of the certificate's key */
  qm__address *addresses[QM_HUB_BUCKETS];
  uint32_t n_conns, n_ended; /* n_ended: workers */
};

/* --- hub_conn.c --- */
extern const qm__conn_app qm__hub_app;
/* As qm_tls_server.admit: asks the backend about the device whose handshake this thread is at. */
int qm__hub_admit(void *payload, const qm_id *device, const qm_cert *cert);
/* An answered job of this connection; frees the job. */
void qm__hub_conn_done(qm__hub_conn *hc, qm__job *job);
/* The hub drains: BYE as soon as nothing is owed. */
void qm__hub_conn_drain(qm__hub_conn *hc);
/* What became durable in a space. */
typedef struct qm__hub_new {
  const qm_id *space;
  qm_slice small;    /* all of it in its compact form; empty: it is in the log */
  uint64_t standing; /* by which that may be said */
} qm__hub_new;

/* Changes in the space are durable: the worker's sessions that stay learn it. `from` brought
 * them and is left out; NULL: it is not among them. */
void qm__hub_tell(qm__hub_worker *w, const qm__hub_new *what, const qm__hub_conn *from);
/* Asks the shards about the device of a session that stays. */
void qm__hub_conn_check(qm__hub_conn *hc);

/* --- hub_loop.c --- */
/* With its thread. QM_ENOMEM, QM_EIO: what was made goes with qm__hub_worker_free. */
int qm__hub_worker_start(qm__hub_worker *w, struct qm_hub *hub);
/* Waits for its thread, where it has one: it was told to end. It hears nothing after that. */
void qm__hub_worker_join(qm__hub_worker *w);
/* After join, and once the store threads have ended. */
void qm__hub_worker_free(qm__hub_worker *w);
/* From the accepting loop. give takes the socket; QM_ENOMEM. */
int qm__hub_worker_give(qm__hub_worker *w, int fd, qm__address *address, const char text[64]);
void qm__hub_worker_say(qm__hub_worker *w, uint32_t what);
/* A shard's: an answered job goes to its worker, news of the hub's own to all. Store thread. */
void qm__hub_deliver(void *payload, qm__job *job);
/* Worker thread: changes in the space are durable; `from` brought them. */
void qm__hub_publish(qm__hub_worker *w, const qm__hub_new *what, const qm__hub_conn *from);
void qm__hub_forget(qm__hub_conn *hc); /* frees it */
void qm__hub_live(qm__hub_worker *w, int more); /* a session begins to stay, or has ended */

/* --- hub.c --- */
/* QM_OK, or why one of the stores can no longer be used. Any thread. */
int qm__hub_status(struct qm_hub *hub);
/* A connection ended. Any thread. */
void qm__hub_release(struct qm_hub *hub, qm__address *address);
/* An engine of the certificate of now, and the hub's id in it. Any thread. */
int qm__hub_tls(struct qm_hub *hub, qm_tls **out, qm_id *id);

#endif
