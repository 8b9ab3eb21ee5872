#include "sync/uv/client.h"

#include <string.h>

#include "sync/uv/client_int.h"

/* What this engine had written in a space when the session last knew. */
typedef struct known {
  qm_id space;
  uint64_t next;
} known;

struct qm_client_wake {
  uv_async_t async;
};

typedef struct sync_call {
  qm__call call;
  const qm_client_options *options;
  qm_device side;
  qm_id device;
  int due; /* the certificate wants renewing */
  int told, stopped;
  int left; /* why this side said BYE; or QM_OK: it did not */
  qm_client_wake wake; /* of a call that stays */
  uv_timer_t poll;
  uint8_t has_wake, has_poll, poked;
  known *known;
  uint32_t n_known;
} sync_call;

/* The hub's ticket came before its WELCOME. No memory: the next connection is a full one. */
static void keep_ticket(sync_call *s) {
  qm_buf *t = s->options->ticket;
  s->side.result->is_resumed = (uint8_t)qm_tls_is_resumed(s->call.conn.tls);
  if (!t) return;
  if (t->p) qm_wipe(t->p, t->n);
  qm_buf_clear(t);
  if (qm_tls_ticket(s->call.conn.tls, t) != QM_OK) qm_buf_clear(t);
}

/* --- staying --- */

static void enter(const sync_call *s) {
  if (s->options->enter) s->options->enter(s->options->payload);
}

static void leave(const sync_call *s) {
  if (s->options->leave) s->options->leave(s->options->payload);
}

static uint64_t own_next(const sync_call *s, const qm_space *sp) {
  uint32_t number;
  const qm_author *own = qm_engine_author(s->side.engine);
  if (qm_authors_find(qm_space_authors(sp), own, &number) != QM_OK) return 0;
  return qm_vv_get(qm_space_vv(sp), number);
}

/* Spaces stand in one order, and rarely is there a new one. */
static known *known_of(sync_call *s, uint32_t at, const qm_id *space) {
  if (at < s->n_known && qm_id_cmp(&s->known[at].space, space) == 0) return &s->known[at];
  for (uint32_t i = 0; i < s->n_known; i++)
    if (qm_id_cmp(&s->known[i].space, space) == 0) return &s->known[i];
  known *p = qm_realloc_array(s->options->env, s->known, (size_t)s->n_known + 1, sizeof *p);
  if (!p) return NULL;
  s->known = p;
  p[s->n_known] = (known){*space, UINT64_MAX};
  return &p[s->n_known++];
}

/* Looks at what was written here since: said to the session where `tell`. Between enter and
 * leave. */
static void look(sync_call *s, int tell) {
  for (uint32_t i = 0; i < qm_engine_space_count(s->side.engine); i++) {
    const qm_space *sp = qm_engine_space_at(s->side.engine, i);
    uint64_t next = own_next(s, sp);
    qm_space_info info;
    qm_space_info_get(sp, &info);
    known *k = known_of(s, i, &info.id);
    if (tell && (!k || k->next != next)) (void)qm_session_news(s->side.session, &info.id);
    if (k) k->next = next;
  }
}

static void on_wake(uv_async_t *a) {
  sync_call *s = a->data;
  s->poked = 1;
  qm__conn_pump(&s->call.conn);
}

static void on_poll(uv_timer_t *t) {
  sync_call *s = t->data;
  s->poked = 1;
  qm__conn_pump(&s->call.conn);
}

void qm_client_poke(qm_client_wake *w) { (void)uv_async_send(&w->async); }

static int start_staying(sync_call *s) {
  if (uv_async_init(&s->call.loop, &s->wake.async, on_wake) != 0) return QM_EIO;
  s->has_wake = 1;
  s->wake.async.data = s->poll.data = s;
  if (uv_timer_init(&s->call.loop, &s->poll) != 0) return QM_EIO;
  s->has_poll = 1;
  if (uv_timer_start(&s->poll, on_poll, QM_CLIENT_POLL_MS, QM_CLIENT_POLL_MS) != 0) return QM_EIO;
  if (!s->options->waker) return QM_OK;
  enter(s);
  s->options->waker(s->options->payload, &s->wake);
  leave(s);
  return QM_OK;
}

/* The loop ends only without them. */
static void stop_staying(sync_call *s) {
  if (s->has_wake && s->options->waker) {
    enter(s);
    s->options->waker(s->options->payload, NULL);
    leave(s);
  }
  if (s->has_wake) uv_close((uv_handle_t *)&s->wake.async, NULL);
  if (s->has_poll) uv_close((uv_handle_t *)&s->poll, NULL);
  s->has_wake = s->has_poll = 0;
}

/* 1 where the session was told something. */
static int on_poke(sync_call *s) {
  const qm_client_options *o = s->options;
  int rc = QM_OK;
  if (!s->poked || s->left || s->side.over) return 0;
  s->poked = 0;
  enter(s);
  if (o->poll) rc = o->poll(o->payload);
  if (rc == QM_OK) look(s, 1);
  leave(s);
  if (rc == QM_OK) return 0;
  s->left = rc;
  qm_session_bye(s->side.session);
  return 1;
}

/* 1 where the session was told to end, because the caller wants no more of it. */
static int on_stop(sync_call *s) {
  int rc = s->call.stop_code;
  if (rc == QM_OK || s->left || s->side.over) return 0;
  s->left = rc;
  qm_session_bye(s->side.session);
  return 1;
}

/* --- the application of the connection --- */

static int app_open(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  const qm_client_options *o = s->options;
  qm_cert hub;
  uint32_t flags = 0;
  QM_TRY(qm_tls_peer(c->tls, &hub));
  if (s->due && !(o->flags & QM_CLIENT_NO_RENEW)) flags |= QM_SESSION_RENEW;
  if (o->flags & QM_CLIENT_STAY) {
    flags |= QM_SESSION_LIVE;
    QM_TRY(start_staying(s));
    qm__call_unwatch(&s->call);
  }
  return qm_device_open(&s->side, &hub, &s->device, flags, uv_now(&s->call.loop));
}

static int tell_progress(sync_call *s) {
  const qm_client_options *o = s->options;
  qm_client_progress p;
  if (!o->progress || s->stopped) return 0;
  qm_device_progress(&s->side, &p);
  s->stopped = o->progress(o->payload, &p) != 0;
  return s->stopped;
}

static int app_work(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  qm_event ev;
  int moved = on_poke(s) | on_stop(s);
  (void)qm_session_tick(s->side.session, uv_now(&s->call.loop));
  while (!s->side.over && qm_session_next(s->side.session, &ev)) {
    moved = 1;
    if (ev.kind == QM_EV_HELLO) keep_ticket(s);
    qm_device_note(&s->side, &ev);
    enter(s);
    int spaces = ev.kind == QM_EV_SPACES;
    qm_device_answer(&s->side, &ev);
    if (spaces) look(s, 0); /* the list stands for what is there at this moment */
    leave(s);
    if (ev.kind == QM_EV_LIVE) {
      s->poked = 1; /* what was written meanwhile */
      if (s->options->live) s->options->live(s->options->payload);
    }
    /* A long upload is work for the disk: what the peer says meanwhile is not late. */
    uv_update_time(&s->call.loop);
  }
  if (moved && !s->side.over && tell_progress(s)) qm_session_bye(s->side.session);
  return moved;
}

static int app_feed(qm__conn *c, const uint8_t *in, size_t len, size_t *used) {
  return qm_session_feed(((sync_call *)(void *)c)->side.session, in, len, used);
}

static void app_take(qm__conn *c, uint8_t *to, size_t cap, size_t *len) {
  (void)qm_session_take(((sync_call *)(void *)c)->side.session, to, cap, len);
}

static int app_over(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  if (!s->side.over) return 0;
  return qm_session_waiting(s->side.session) == 0 || c->dead || s->side.code == QM_ETIMEOUT;
}

static void app_cut(qm__conn *c, int code) {
  sync_call *s = (sync_call *)(void *)c;
  /* A session that had ended is not undone by how the stream ended. */
  if (!s->side.over) qm__call_cut(&s->call, code);
  if (!s->side.session) return;
  qm_session_shut(s->side.session, code);
  if (c->state == QM_CONN_OPEN) (void)app_work(c);
}

static uint64_t app_deadline(qm__conn *c) {
  return qm_session_deadline(((sync_call *)(void *)c)->side.session);
}

static void app_tick(qm__conn *c, uint64_t now_ms) {
  (void)qm_session_tick(((sync_call *)(void *)c)->side.session, now_ms);
}

/* The call owns it, and outlives it. */
static void app_gone(qm__conn *c) { stop_staying((sync_call *)(void *)c); }

static const qm__conn_app app = {.open = app_open,
                                 .feed = app_feed,
                                 .work = app_work,
                                 .take = app_take,
                                 .over = app_over,
                                 .cut = app_cut,
                                 .deadline = app_deadline,
                                 .tick = app_tick,
                                 .gone = app_gone};

/* --- the call --- */

/* DER or PEM, as DER: borrowed from `in` or held by `own`. */
static int to_der(qm_slice in, qm_buf *own, qm_slice *out) {
  static const char begin[] = "-----BEGIN";
  *out = in;
  if (in.n < sizeof begin || memcmp(in.p, begin, sizeof begin - 1) != 0) return QM_OK;
  QM_TRY(qm_cert_from_pem(in, own));
  *out = qm_buf_slice(own);
  return QM_OK;
}

static int make_config(sync_call *s, qm_tls_config **config, qm_error *e) {
  const qm_client_options *o = s->options;
  qm_buf ca_own, cert_own;
  qm_slice ca, cert;
  qm_cert info;
  qm_buf_init(&ca_own, o->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&cert_own, o->env, QM_CERT_SIZE_MAX);
  int rc = to_der(o->ca, &ca_own, &ca);
  if (rc == QM_OK) rc = to_der(o->cert, &cert_own, &cert);
  if (rc == QM_OK) rc = qm_cert_read(cert, &info);
  if (rc == QM_OK) {
    s->due = qm_cert_renewal_due(&info, o->env->now_ms(o->env->payload));
    rc = qm_tls_config_client(o->env, ca, cert, o->key, config);
    if (rc == QM_OK) qm_tls_config_judge(*config, o->judge, o->payload);
  }
  qm_buf_free(&ca_own);
  qm_buf_free(&cert_own);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "certificate of this device: %s", qm_err_text(rc));
}

/* The session's own end counts for more than how the stream ended: it knows more. Where this side
 * left before all was exchanged, what the hub says to that is no reason of its own. */
static int outcome(sync_call *s, int rc, qm_error *e) {
  if (!s->side.session) return rc;
  qm_device_count(&s->side);
  if (s->left) return qm_fail(e, s->left, "%s", qm_err_text(s->left));
  if (s->side.over && s->side.code == QM_OK) {
    s->side.result->complete = 1;
    return QM_OK;
  }
  if (s->stopped) return qm_fail(e, QM_ECLOSED, "the sync was stopped here");
  if (s->call.code != QM_OK && (!s->side.over || s->side.code == s->call.code)) return rc;
  if (!s->side.over) return rc != QM_OK ? rc : qm_fail(e, QM_ECLOSED, "the session did not end");
  const char *why = s->side.error.message[0] ? s->side.error.message : qm_err_text(s->side.code);
  return qm_fail(e, s->side.code, "%s", why);
}

int qm_client_sync(const qm_client_options *o, qm_engine *engine, qm_client_result *out,
                   qm_error *e) {
  memset(out, 0, sizeof *out);
  if (o->size != sizeof *o || !o->host || !o->key) return qm_fail(e, QM_EINVAL, "client: options");
  sync_call *s = qm_alloc_zero(o->env, sizeof *s);
  if (!s) return qm_fail(e, QM_ENOMEM, "client: out of memory");
  uint32_t flags = o->flags & QM_CLIENT_NO_CLOCK ? 0 : QM_ANSWER_CLOCK;
  qm_device_init(&s->side, o->env, engine, o->key, o->home, flags, out);
  s->options = o;
  s->device = qm_id_is_zero(&o->device) ? *qm_key_device(o->key) : o->device;
  s->call.stop = o->stop;
  s->call.payload = o->payload;
  qm_tls_config *config;
  int rc = make_config(s, &config, e);
  if (o->ticket) s->call.ticket = qm_buf_slice(o->ticket);
  if (rc == QM_OK) {
    rc = qm__call_run(&s->call, o->env, &app, o->host, o->port,
                      o->connect_ms ? o->connect_ms : QM_CLIENT_CONNECT_MS,
                      o->handshake_ms ? o->handshake_ms : QM_CLIENT_HANDSHAKE_MS, config, e);
    if (o->ticket && qm_id_is_zero(&out->hub)) qm_buf_clear(o->ticket); /* no WELCOME came */
    rc = outcome(s, rc, e);
  }
  qm_device_free(&s->side);
  qm_free(o->env, s->known);
  qm_free(o->env, s);
  return rc;
}
