/* conn: one TCP connection with TLS on a libuv loop, under an application that is bytes in,
 * bytes out. Shared by hub and client.
 *
 * libuv's callbacks (read, write done, timer, closed; connected and shut down beside them)
 * move bytes and call qm__conn_pump, the only place with logic. It may be called at any
 * time on the loop's thread, also from an application's callback (it then has no effect).
 *
 * States. conn.c's conn_set alone changes them.
 *   CONNECTING  client: the socket is not there yet
 *   HANDSHAKE   bytes go to the TLS engine only; deadline: handshake_ms
 *   OPEN        app.open was called; bytes go through it; deadline: app.deadline
 *   DRAINING    nothing more comes from above; what TLS still has (close_notify, an alert)
 *               goes out, then the socket is shut down for writing
 *   LINGER      what the peer still sends is read and dropped until it closes: closing with
 *               unread bytes would reset the connection and lose our last word
 *   CLOSING     uv_close was called on the handles; app.gone follows, once
 *
 * Backpressure, end to end: what app.feed leaves stays in `plain`, what TLS leaves stays
 * in `rest`; while either holds anything the socket is not read. One write is under way
 * at a time; without room TLS takes less and the application's bytes wait above.
 *
 * Memory: the struct lies inside its owner's and is freed in or after app.gone. */
#ifndef QM_SYNC_UV_CONN_H
#define QM_SYNC_UV_CONN_H

#include <uv.h>

#include "sync/tls.h"
#include "sync/uv/hub_limits.h"

typedef struct qm__conn qm__conn;

typedef enum qm__conn_state {
  QM_CONN_CONNECTING, QM_CONN_HANDSHAKE, QM_CONN_OPEN, QM_CONN_DRAINING, QM_CONN_LINGER,
  QM_CONN_CLOSING
} qm__conn_state;

/* Every function is called with the loop's thread inside qm__conn_pump, but gone. */
typedef struct qm__conn_app {
  int (*open)(qm__conn *c); /* not QM_OK: the connection is given up */
  /* May use less; an error gives the connection up after what take still gives. */
  int (*feed)(qm__conn *c, const uint8_t *in, size_t len, size_t *used);
  int (*work)(qm__conn *c); /* 1: something moved */
  void (*take)(qm__conn *c, uint8_t *to, size_t cap, size_t *len);
  int (*over)(qm__conn *c); /* 1: nothing more comes from above */
  void (*cut)(qm__conn *c, int code); /* the stream ended: QM_ECLOSED, QM_ENET, TLS's codes */
  uint64_t (*deadline)(qm__conn *c); /* ms of uv_now, UINT64_MAX: none */
  void (*tick)(qm__conn *c, uint64_t now_ms);
  /* Inside TLS' handshake bytes are fed: NULL, or told before and after. */
  void (*feeding)(qm__conn *c, int is_on);
  void (*gone)(qm__conn *c); /* no handle is left: the memory may go */
} qm__conn_app;

/* Shared by the connections of one loop: nothing in it outlives a callback. */
typedef struct qm__scratch {
  uint8_t in[QM_CONN_IO_SIZE], out[QM_CONN_IO_SIZE], plain[QM_CONN_PLAIN_SIZE];
} qm__scratch;

struct qm__conn {
  const qm__conn_app *app;
  const qm_env *env;
  qm__scratch *scratch;
  qm_tls *tls;
  uv_tcp_t tcp;
  uv_timer_t timer;
  uv_write_t write;
  uv_shutdown_t shutdown;
  uv_connect_t connect;
  qm__conn_state state;
  uint8_t handles, has_tcp, has_timer; /* open handles */
  uint8_t pumping, again, reading, writing, eof, dead, ended, cut_told, lingers, started;
  /* started: the socket was there */
  int cut_code; /* why reading ended */
  uint32_t handshake_ms;
  uint64_t deadline_ms; /* of states other than OPEN */
  uint8_t *rest;  /* cipher bytes that TLS had no room for */
  size_t rest_at, rest_n;
  uint8_t *plain; /* plain bytes that the application left */
  size_t plain_at, plain_n;
  uint8_t *wbuf;  /* of the write under way */
};

/* Takes tls. The conn is zeroed by the caller and then owned by the loop: from here on
 * only app.gone frees it, also where this fails (QM_ENOMEM, QM_EIO). `lingers`: a server. */
int qm__conn_init(qm__conn *c, uv_loop_t *loop, const qm_env *env, const qm__conn_app *app,
                  qm__scratch *scratch, qm_tls *tls, uint32_t handshake_ms, int lingers);
/* The socket is there (accepted or connected): TLS begins. */
void qm__conn_start(qm__conn *c);
/* Client: connects to an address; the outcome comes as cut or as TLS. */
void qm__conn_connect(qm__conn *c, const struct sockaddr *to, uint32_t connect_ms);
void qm__conn_pump(qm__conn *c);
/* Gives up at once. Idempotent. */
void qm__conn_close(qm__conn *c);

#endif
