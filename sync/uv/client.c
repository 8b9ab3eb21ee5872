#include "sync/uv/client.h"

#include <string.h>

#include "core/hash.h"
#include "sync/uv/client_int.h"

#define REFUSED_MAX 1024u /* remembered of one session; each has its row in the log */

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
  qm_client_result *out;
  qm_engine *engine;
  qm_session *session;
  qm_answer answer;
  qm_answer_policy policy;
  qm_id device;
  qm_cert hub; /* as TLS has shown it */
  int due; /* the certificate wants renewing */
  int over, told, stopped;
  qm_client_wake wake; /* of a call that stays */
  uv_timer_t poll;
  uint8_t has_wake, has_poll, poked, left;
  known *known;
  uint32_t n_known;
  int code;
  qm_error error;
} sync_call;

void qm_renew_proof_digest(qm_slice spki, uint8_t out[QM_DIGEST_SIZE]) {
  static const char label[] = "qianmo/1 renew proof"; /* with its NUL */
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  qm_sha_add(&sha, label, sizeof label);
  qm_sha_add(&sha, spki.p, spki.n);
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, QM_DIGEST_SIZE);
}

/* --- what the session tells --- */

/* Lists grow one by one: they are short. */
static void *append(const qm_env *env, void *list, uint32_t *n, size_t size, const void *item) {
  if (*n >= REFUSED_MAX) return list;
  uint8_t *p = qm_realloc_array(env, list, (size_t)*n + 1, size);
  if (!p) return list;
  memcpy(p + *n * size, item, size);
  ++*n;
  return p;
}

static int on_refusal(void *payload, const qm_id *peer, const qm_id *space, const qm_refusal *r,
                      int by_peer) {
  sync_call *s = payload;
  qm_client_refused item = {*space, *r, (uint8_t)by_peer};
  (void)peer;
  if (r->code == QM_EFORK) return QM_OK; /* the author is in doubt, and nobody refused for good */
  s->out->refused = append(s->out->env, s->out->refused, &s->out->n_refused, sizeof item, &item);
  return QM_OK;
}

static int on_cert_ask(void *payload, qm_arena *arena, qm_slice *spki, qm_slice *proof) {
  sync_call *s = payload;
  uint8_t digest[QM_DIGEST_SIZE];
  uint8_t *sig = qm_arena_alloc(arena, QM_SIG_SIZE);
  if (!sig) return QM_ENOMEM;
  *spki = qm_key_spki(s->options->key);
  qm_renew_proof_digest(*spki, digest);
  QM_TRY(qm_key_sign(s->options->key, digest, sig));
  *proof = qm_slice_of(sig, QM_SIG_SIZE);
  return QM_OK;
}

/* A certificate that does not fit is not taken: the old one serves on. */
static int on_cert(void *payload, int code, qm_slice der) {
  sync_call *s = payload;
  qm_cert cert;
  if (code != QM_OK) return QM_OK;
  QM_TRY(qm_cert_read(der, &cert));
  if (qm_id_cmp(&cert.device, qm_key_device(s->options->key)) != 0) return QM_ECERT;
  qm_buf_clear(&s->out->cert);
  qm_buf_add(&s->out->cert, der.p, der.n);
  return qm_buf_status(&s->out->cert);
}

/* The home hub of all that this device holds is the one it is enrolled at: known by its key
 * from then, and as the one that TLS shows, which the same CA vouches for. */
static int on_verify_aside(void *payload, const qm_id *device, const uint8_t digest[32],
                           const uint8_t signature[64]) {
  const sync_call *s = payload;
  qm_slice home = s->options->home;
  if (home.n && qm_verify_by(home, device, digest, signature) == QM_OK) return QM_OK;
  return qm_verify_by(qm_slice_of(s->hub.spki, sizeof s->hub.spki), device, digest, signature);
}

/* The hub's ticket came before its WELCOME. No memory: the next connection is a full one. */
static void keep_ticket(sync_call *s) {
  qm_buf *t = s->options->ticket;
  s->out->is_resumed = (uint8_t)qm_tls_is_resumed(s->call.conn.tls);
  if (!t) return;
  if (t->p) qm_wipe(t->p, t->n);
  qm_buf_clear(t);
  if (qm_tls_ticket(s->call.conn.tls, t) != QM_OK) qm_buf_clear(t);
}

static void add_progress(qm_client_result *out, const qm_event *ev) {
  out->spaces++;
  out->taken_up += ev->progress.taken_up;
  out->taken_down += ev->progress.taken_down;
  out->known_down += ev->progress.known_down;
  out->parked_down += ev->progress.parked_down;
}

static void take_note(sync_call *s, const qm_event *ev) {
  qm_client_result *out = s->out;
  switch (ev->kind) {
    case QM_EV_HELLO:
      keep_ticket(s);
      out->hub = ev->peer;
      out->has_offset = ev->has_offset;
      out->offset_ms = ev->offset_ms;
      out->rtt_ms = ev->rtt_ms;
      break;
    case QM_EV_GONE:
      out->gone = append(out->env, out->gone, &out->n_gone, sizeof ev->space, &ev->space);
      break;
    case QM_EV_STOPPED: {
      qm_client_stopped item = {ev->space, ev->code, ev->by_peer};
      out->stopped = append(out->env, out->stopped, &out->n_stopped, sizeof item, &item);
      break;
    }
    case QM_EV_DIFFER:
      out->differ = append(out->env, out->differ, &out->n_differ, sizeof ev->space, &ev->space);
      break;
    case QM_EV_REPAIRED: out->repaired += ev->count; break;
    case QM_EV_DONE: add_progress(out, ev); break;
    case QM_EV_CLOSED:
      s->over = 1;
      s->code = ev->code;
      if (ev->code == QM_OK) break;
      (void)qm_fail(&s->error, ev->code, "%s%.*s", ev->by_peer ? "the hub: " : "",
                    ev->message.n < 200 ? (int)ev->message.n : 200, (const char *)ev->message.p);
      break;
    default: break;
  }
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
  const qm_author *own = qm_engine_author(s->engine);
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
  for (uint32_t i = 0; i < qm_engine_space_count(s->engine); i++) {
    const qm_space *sp = qm_engine_space_at(s->engine, i);
    uint64_t next = own_next(s, sp);
    qm_space_info info;
    qm_space_info_get(sp, &info);
    known *k = known_of(s, i, &info.id);
    if (tell && (!k || k->next != next)) (void)qm_session_news(s->session, &info.id);
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
  if (!s->poked || s->left || s->over) return 0;
  s->poked = 0;
  enter(s);
  if (o->poll) rc = o->poll(o->payload);
  if (rc == QM_OK) look(s, 1);
  leave(s);
  if (rc == QM_OK) return 0;
  s->left = 1;
  (void)qm_fail(&s->error, rc, "%s", qm_err_text(rc));
  qm_session_bye(s->session);
  return 1;
}

/* --- the application of the connection --- */

static int app_open(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  const qm_client_options *o = s->options;
  QM_TRY(qm_tls_peer(c->tls, &s->hub));
  memcpy(s->out->hub_spki, s->hub.spki, sizeof s->out->hub_spki);
  qm_session_options so = {.size = sizeof so,
                           .flags = QM_SESSION_HUB,
                           .device = s->device,
                           .peer = s->hub.device,
                           .now_ms = uv_now(&s->call.loop)};
  if (s->due && !(o->flags & QM_CLIENT_NO_RENEW)) so.flags |= QM_SESSION_RENEW;
  if (o->flags & QM_CLIENT_STAY) {
    so.flags |= QM_SESSION_LIVE;
    QM_TRY(start_staying(s));
  }
  return qm_session_new(&s->session, o->env, QM_CLIENT, &so);
}

static int tell_progress(sync_call *s) {
  const qm_client_options *o = s->options;
  qm_client_progress p = {.taken_up = s->out->taken_up, .taken_down = s->out->taken_down};
  if (!o->progress || s->stopped) return 0;
  qm_session_bytes(s->session, &p.bytes_down, &p.bytes_up);
  s->stopped = o->progress(o->payload, &p) != 0;
  return s->stopped;
}

static int app_work(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  qm_event ev;
  int moved = on_poke(s);
  (void)qm_session_tick(s->session, uv_now(&s->call.loop));
  while (!s->over && qm_session_next(s->session, &ev)) {
    moved = 1;
    take_note(s, &ev);
    enter(s);
    int spaces = ev.kind == QM_EV_SPACES;
    int rc = qm_answer_event(&s->answer, s->session, &ev);
    if (spaces) look(s, 0); /* the list stands for what is there at this moment */
    leave(s);
    if (ev.kind == QM_EV_LIVE) {
      s->poked = 1; /* what was written meanwhile */
      if (s->options->live) s->options->live(s->options->payload);
    }
    if (rc != QM_OK) qm_log(s->options->env, QM_LOG_WARN, "sync: a note: %s", qm_err_name(rc));
    /* A long upload is work for the disk: what the peer says meanwhile is not late. */
    uv_update_time(&s->call.loop);
  }
  if (moved && !s->over && tell_progress(s)) qm_session_bye(s->session);
  return moved;
}

static int app_feed(qm__conn *c, const uint8_t *in, size_t len, size_t *used) {
  return qm_session_feed(((sync_call *)(void *)c)->session, in, len, used);
}

static void app_take(qm__conn *c, uint8_t *to, size_t cap, size_t *len) {
  (void)qm_session_take(((sync_call *)(void *)c)->session, to, cap, len);
}

static int app_over(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  if (!s->over) return 0;
  return qm_session_waiting(s->session) == 0 || c->dead || s->code == QM_ETIMEOUT;
}

static void app_cut(qm__conn *c, int code) {
  sync_call *s = (sync_call *)(void *)c;
  /* A session that had ended is not undone by how the stream ended. */
  if (!s->over) qm__call_cut(&s->call, code);
  if (!s->session) return;
  qm_session_shut(s->session, code);
  if (c->state == QM_CONN_OPEN) (void)app_work(c);
}

static uint64_t app_deadline(qm__conn *c) {
  return qm_session_deadline(((sync_call *)(void *)c)->session);
}

static void app_tick(qm__conn *c, uint64_t now_ms) {
  (void)qm_session_tick(((sync_call *)(void *)c)->session, now_ms);
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
  }
  qm_buf_free(&ca_own);
  qm_buf_free(&cert_own);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "certificate of this device: %s", qm_err_text(rc));
}

static void policy_init(sync_call *s) {
  uint32_t flags = s->options->flags & QM_CLIENT_NO_CLOCK ? 0 : QM_ANSWER_CLOCK;
  s->policy = (qm_answer_policy){
      .payload = s, .verify_aside = on_verify_aside, .refusal = on_refusal,
      .cert_ask = on_cert_ask, .cert = on_cert};
  qm_answer_init(&s->answer, s->options->env, s->engine, flags, &s->policy);
}

/* The session's own end counts for more than how the stream ended: it knows more. */
static int outcome(sync_call *s, int rc, qm_error *e) {
  if (!s->session) return rc;
  qm_session_bytes(s->session, &s->out->bytes_down, &s->out->bytes_up);
  if (s->left) return qm_fail(e, s->error.code, "%s", s->error.message);
  if (s->over && s->code == QM_OK) {
    s->out->complete = 1;
    return QM_OK;
  }
  if (s->stopped) return qm_fail(e, QM_ECLOSED, "the sync was stopped here");
  if (s->call.code != QM_OK && (!s->over || s->code == s->call.code)) return rc;
  if (!s->over) return rc != QM_OK ? rc : qm_fail(e, QM_ECLOSED, "the session did not end");
  const char *why = s->error.message[0] ? s->error.message : qm_err_text(s->code);
  return qm_fail(e, s->code, "%s", why);
}

int qm_client_sync(const qm_client_options *o, qm_engine *engine, qm_client_result *out,
                   qm_error *e) {
  memset(out, 0, sizeof *out);
  if (o->size != sizeof *o || !o->host || !o->key) return qm_fail(e, QM_EINVAL, "client: options");
  out->env = o->env;
  qm_buf_init(&out->cert, o->env, QM_CERT_SIZE_MAX);
  sync_call *s = qm_alloc_zero(o->env, sizeof *s);
  if (!s) return qm_fail(e, QM_ENOMEM, "client: out of memory");
  s->options = o;
  s->out = out;
  s->engine = engine;
  s->device = qm_id_is_zero(&o->device) ? *qm_key_device(o->key) : o->device;
  policy_init(s);
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
  qm_session_free(s->session);
  qm_answer_free(&s->answer);
  qm_free(o->env, s->known);
  qm_free(o->env, s);
  return rc;
}

void qm_client_result_free(qm_client_result *r) {
  if (!r->env) return;
  qm_free(r->env, r->refused);
  qm_free(r->env, r->stopped);
  qm_free(r->env, r->differ);
  qm_free(r->env, r->gone);
  qm_buf_free(&r->cert);
  memset(r, 0, sizeof *r);
}
