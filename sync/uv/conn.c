#include "sync/uv/conn.h"

#include <string.h>

#define ROUNDS_MAX 256 /* of one pump: other connections want their turn */

static void conn_set(qm__conn *c, qm__conn_state to) { c->state = to; }

static uint64_t now_of(const qm__conn *c) { return uv_now(c->tcp.loop); }

/* --- life --- */

static void finish(qm__conn *c) {
  qm_tls_free(c->tls);
  c->tls = NULL;
  qm_free(c->env, c->rest);
  qm_free(c->env, c->plain);
  qm_free(c->env, c->wbuf);
  c->rest = c->plain = c->wbuf = NULL;
  c->app->gone(c);
}

static void on_closed(uv_handle_t *h) {
  qm__conn *c = h->data;
  if (--c->handles == 0) finish(c);
}

void qm__conn_close(qm__conn *c) {
  if (c->state == QM_CONN_CLOSING) return;
  conn_set(c, QM_CONN_CLOSING);
  if (c->has_tcp) uv_close((uv_handle_t *)&c->tcp, on_closed);
  if (c->has_timer) uv_close((uv_handle_t *)&c->timer, on_closed);
  if (!c->handles) finish(c);
}

int qm__conn_init(qm__conn *c, uv_loop_t *loop, const qm_env *env, const qm__conn_app *app,
                  qm__scratch *scratch, qm_tls *tls, uint32_t handshake_ms, int lingers) {
  c->env = env;
  c->app = app;
  c->scratch = scratch;
  c->tls = tls;
  c->handshake_ms = handshake_ms;
  c->lingers = (uint8_t)lingers;
  c->tcp.data = c->timer.data = c->write.data = c->shutdown.data = c->connect.data = c;
  conn_set(c, QM_CONN_CONNECTING);
  /* Neither can fail without a socket of its own: both only fill in the struct. */
  c->has_timer = uv_timer_init(loop, &c->timer) == 0;
  c->has_tcp = uv_tcp_init(loop, &c->tcp) == 0;
  c->handles = (uint8_t)(c->has_timer + c->has_tcp);
  return c->handles == 2 ? QM_OK : QM_EIO;
}

/* --- callbacks: move bytes, then pump --- */

static void on_timer(uv_timer_t *t) {
  qm__conn *c = t->data;
  uint64_t now = now_of(c);
  if (c->state == QM_CONN_OPEN) {
    c->app->tick(c, now);
  } else if (now >= c->deadline_ms) {
    c->cut_code = c->cut_code ? c->cut_code : QM_ETIMEOUT;
    c->eof = c->dead = 1;
  }
  qm__conn_pump(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
  qm__conn *c = h->data;
  (void)suggested;
  *buf = uv_buf_init((char *)c->scratch->in, sizeof c->scratch->in);
}

static int keep(qm__conn *c, uint8_t **to, size_t cap, const uint8_t *p, size_t n) {
  if (!*to) *to = qm_alloc(c->env, cap);
  if (!*to) return QM_ENOMEM;
  memcpy(*to, p, n);
  return QM_OK;
}

/* TLS takes what it has room for; its error is found by the pump. */
static size_t to_tls(qm__conn *c, const uint8_t *p, size_t n) {
  size_t used = 0;
  if (c->state > QM_CONN_OPEN) return n;
  if (c->app->feeding) c->app->feeding(c, 1);
  int rc = qm_tls_feed(c->tls, p, n, &used);
  if (c->app->feeding) c->app->feeding(c, 0);
  return rc == QM_OK ? used : n;
}

static void on_read(uv_stream_t *s, ssize_t got, const uv_buf_t *buf) {
  qm__conn *c = s->data;
  if (got == 0) return;
  if (got < 0) {
    c->eof = 1;
    if (!c->cut_code) c->cut_code = got == UV_EOF ? QM_ECLOSED : QM_ENET;
  } else {
    const uint8_t *p = (const uint8_t *)buf->base;
    size_t n = (size_t)got, used = to_tls(c, p, n);
    if (used < n && keep(c, &c->rest, QM_CONN_IO_SIZE, p + used, n - used) == QM_OK) {
      c->rest_at = 0;
      c->rest_n = n - used;
    } else if (used < n) {
      c->eof = 1;
      c->cut_code = QM_ENOMEM;
    }
  }
  qm__conn_pump(c);
}

static void on_written(uv_write_t *w, int status) {
  qm__conn *c = w->data;
  c->writing = 0;
  qm_free(c->env, c->wbuf);
  c->wbuf = NULL;
  if (status < 0) c->dead = 1;
  qm__conn_pump(c);
}

static void on_shutdown(uv_shutdown_t *r, int status) {
  qm__conn *c = r->data;
  if (status < 0) c->eof = 1;
  qm__conn_pump(c);
}

static void on_connected(uv_connect_t *r, int status) {
  qm__conn *c = r->data;
  if (status == UV_ECANCELED) return;
  if (status < 0) {
    c->eof = c->dead = 1;
    c->cut_code = QM_ENET;
    qm__conn_pump(c);
  } else {
    qm__conn_start(c);
  }
}

/* --- the steps of a pump: each returns 1 where something moved --- */

static int step_rest(qm__conn *c) {
  if (!c->rest_n) return 0;
  size_t used = to_tls(c, c->rest + c->rest_at, c->rest_n);
  c->rest_at += used;
  c->rest_n -= used;
  if (c->rest_n) return used != 0;
  qm_free(c->env, c->rest);
  c->rest = NULL;
  return 1;
}

static int step_open(qm__conn *c) {
  if (c->state != QM_CONN_HANDSHAKE) return 0;
  qm_tls_state s = qm_tls_state_of(c->tls);
  if (s != QM_TLS_OPEN && s != QM_TLS_CLOSED) return 0;
  conn_set(c, QM_CONN_OPEN);
  if (c->app->open(c) != QM_OK) c->ended = 1;
  return 1;
}

/* Plain bytes up: what was left first. */
static int step_up(qm__conn *c) {
  size_t n = c->plain_n, used = 0;
  uint8_t *p = c->plain ? c->plain + c->plain_at : NULL;
  if (c->state != QM_CONN_OPEN || c->ended) return 0;
  if (!n) {
    p = c->scratch->plain;
    if (qm_tls_read(c->tls, p, sizeof c->scratch->plain, &n) != QM_OK || !n) return 0;
  }
  int fresh = !c->plain_n;
  if (c->app->feed(c, p, n, &used) != QM_OK) used = n;
  if (fresh && used < n && keep(c, &c->plain, QM_CONN_PLAIN_SIZE, p + used, n - used) == QM_OK) {
    c->plain_at = 0;
    c->plain_n = n - used;
  } else if (fresh && used < n) {
    c->ended = 1;
  } else if (!fresh) {
    c->plain_at += used;
    c->plain_n -= used;
  }
  if (c->plain && !c->plain_n) {
    qm_free(c->env, c->plain);
    c->plain = NULL;
  }
  return fresh || used != 0;
}

/* Plain bytes down: only as many as TLS has room for, so none wait here. */
static int step_down(qm__conn *c) {
  size_t n = 0, used = 0;
  if (c->state != QM_CONN_OPEN || c->ended) return 0;
  if (qm_tls_pending(c->tls) > QM_TLS_OUT_MAX / 2) return 0;
  c->app->take(c, c->scratch->plain, sizeof c->scratch->plain, &n);
  if (!n) return 0;
  if (qm_tls_write(c->tls, c->scratch->plain, n, &used) != QM_OK || used < n) c->ended = 1;
  return 1;
}

static int step_out(qm__conn *c) {
  size_t n = 0;
  if (c->writing || c->state == QM_CONN_CONNECTING || c->state > QM_CONN_DRAINING) return 0;
  (void)qm_tls_take(c->tls, c->scratch->out, sizeof c->scratch->out, &n);
  if (!n) return 0;
  if (c->dead) return 1; /* dropped: what came in before is still read */
  uv_buf_t b = uv_buf_init((char *)c->scratch->out, (unsigned)n);
  int done = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
  if (done < 0 && done != UV_EAGAIN) {
    c->dead = 1;
    return 1;
  }
  size_t sent = done > 0 ? (size_t)done : 0;
  if (sent == n) return 1;
  if (keep(c, &c->wbuf, n - sent, c->scratch->out + sent, n - sent) != QM_OK) {
    c->dead = 1;
    return 1;
  }
  b = uv_buf_init((char *)c->wbuf, (unsigned)(n - sent));
  c->writing = 1;
  if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0) {
    c->writing = 0;
    c->dead = 1;
  }
  return 1;
}

/* --- the decisions of a pump --- */

static void tell_cut(qm__conn *c, int code) {
  if (c->cut_told) return;
  c->cut_told = 1;
  c->app->cut(c, code);
}

/* Everything that came has gone up. */
static int is_dry(const qm__conn *c) { return !c->rest_n && !c->plain_n; }

static int step_end(qm__conn *c) {
  if (c->state > QM_CONN_OPEN) return 0;
  int failed = qm_tls_error(c->tls, NULL);
  qm_tls_state s = qm_tls_state_of(c->tls);
  if (failed != QM_OK && !c->plain_n) {
    tell_cut(c, failed);
  } else if (s == QM_TLS_CLOSED && is_dry(c)) {
    tell_cut(c, QM_ECLOSED);
  } else if (c->eof && is_dry(c)) {
    tell_cut(c, c->cut_code);
  }
  int over = c->ended || (c->state == QM_CONN_OPEN ? c->app->over(c) : c->cut_told);
  if (!over) return 0;
  if (c->state == QM_CONN_CONNECTING) {
    qm__conn_close(c);
    return 0;
  }
  (void)qm_tls_shutdown(c->tls);
  conn_set(c, QM_CONN_DRAINING);
  c->deadline_ms = now_of(c) + QM_HUB_LINGER_MS;
  return 1;
}

static int step_close(qm__conn *c) {
  if (c->state == QM_CONN_DRAINING && !c->writing && !qm_tls_pending(c->tls)) {
    if (!c->lingers || c->eof || c->dead) {
      qm__conn_close(c);
      return 0;
    }
    conn_set(c, QM_CONN_LINGER);
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) qm__conn_close(c);
    return 1;
  }
  if (c->state == QM_CONN_DRAINING && c->dead && c->eof) qm__conn_close(c);
  if (c->state == QM_CONN_LINGER && c->eof) qm__conn_close(c);
  return 0;
}

static void arm(qm__conn *c) {
  if (c->state == QM_CONN_CLOSING) return;
  int wants = c->state != QM_CONN_CONNECTING && !c->eof && is_dry(c);
  if (wants && !c->reading) {
    c->reading = 1;
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
      c->eof = 1;
      c->cut_code = QM_ENET;
      c->again = 1;
    }
  } else if (!wants && c->reading) {
    c->reading = 0;
    uv_read_stop((uv_stream_t *)&c->tcp);
  }
  uint64_t at = c->state == QM_CONN_OPEN ? c->app->deadline(c) : c->deadline_ms;
  if (at == UINT64_MAX) {
    uv_timer_stop(&c->timer);
    return;
  }
  uint64_t now = now_of(c);
  uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

static int round_of(qm__conn *c) {
  int moved = step_rest(c);
  moved |= step_open(c);
  moved |= step_up(c);
  if (c->state == QM_CONN_OPEN && !c->ended) moved |= c->app->work(c);
  moved |= step_down(c);
  moved |= step_out(c);
  if (!moved) moved |= step_end(c);
  if (!moved) moved |= step_close(c);
  return moved;
}

void qm__conn_pump(qm__conn *c) {
  if (c->pumping) {
    c->again = 1;
    return;
  }
  if (c->state == QM_CONN_CLOSING) return;
  c->pumping = 1;
  do {
    c->again = 0;
    int rounds = 0;
    while (c->state != QM_CONN_CLOSING && round_of(c) && ++rounds < ROUNDS_MAX) continue;
    arm(c);
    /* Out of turn, not out of work: the timer brings it back at once. */
    if (rounds == ROUNDS_MAX && c->state != QM_CONN_CLOSING)
      uv_timer_start(&c->timer, on_timer, 0, 0);
  } while (c->again && c->state != QM_CONN_CLOSING);
  c->pumping = 0;
}

/* --- beginning --- */

void qm__conn_start(qm__conn *c) {
  (void)uv_tcp_nodelay(&c->tcp, 1);
  (void)uv_tcp_keepalive(&c->tcp, 1, 60);
  c->started = 1;
  conn_set(c, QM_CONN_HANDSHAKE);
  c->deadline_ms = now_of(c) + c->handshake_ms;
  qm__conn_pump(c);
}

void qm__conn_connect(qm__conn *c, const struct sockaddr *to, uint32_t connect_ms) {
  c->deadline_ms = now_of(c) + connect_ms;
  if (uv_tcp_connect(&c->connect, &c->tcp, to, on_connected) != 0) {
    c->eof = c->dead = 1;
    c->cut_code = QM_ENET;
  }
  qm__conn_pump(c);
}
