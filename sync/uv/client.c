#include "sync/uv/client.h"

#include <string.h>

#include "core/hash.h"
#include "sync/uv/client_int.h"

#define REFUSED_MAX 1024u /* remembered of one session; each has its row in the log */

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

/* The home hub of all that this device holds is the one it is enrolled at. */
static int on_verify_aside(void *payload, const qm_id *device, const uint8_t digest[32],
                           const uint8_t signature[64]) {
  const sync_call *s = payload;
  if (qm_id_cmp(device, &s->hub.device) != 0) return QM_EFORGED;
  return qm_verify(qm_slice_of(s->hub.spki, sizeof s->hub.spki), digest, signature);
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

/* --- the application of the connection --- */

static int app_open(qm__conn *c) {
  sync_call *s = (sync_call *)(void *)c;
  const qm_client_options *o = s->options;
  QM_TRY(qm_tls_peer(c->tls, &s->hub));
  qm_session_options so = {.size = sizeof so,
                           .flags = QM_SESSION_HUB,
                           .device = s->device,
                           .peer = s->hub.device,
                           .now_ms = uv_now(&s->call.loop)};
  if (s->due && !(o->flags & QM_CLIENT_NO_RENEW)) so.flags |= QM_SESSION_RENEW;
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
  int moved = 0;
  (void)qm_session_tick(s->session, uv_now(&s->call.loop));
  while (!s->over && qm_session_next(s->session, &ev)) {
    moved = 1;
    take_note(s, &ev);
    if (s->options->enter) s->options->enter(s->options->payload);
    int rc = qm_answer_event(&s->answer, s->session, &ev);
    if (s->options->leave) s->options->leave(s->options->payload);
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

static void app_gone(qm__conn *c) { (void)c; } /* the call owns it, and outlives it */

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
  if (rc == QM_OK) {
    rc = qm__call_run(&s->call, o->env, &app, o->host, o->port,
                      o->connect_ms ? o->connect_ms : QM_CLIENT_CONNECT_MS,
                      o->handshake_ms ? o->handshake_ms : QM_CLIENT_HANDSHAKE_MS, config, e);
    rc = outcome(s, rc, e);
  }
  qm_session_free(s->session);
  qm_answer_free(&s->answer);
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
