/* Enrolment from the device's side: one request, one answer. */
#include <string.h>

#include "core/hash.h"
#include "sync/uv/client.h"
#include "sync/uv/client_int.h"
#include "sync/uv/message.h"

typedef struct enrol_call {
  qm__call call;
  const qm_client_enrol_options *options;
  qm_cert hub; /* as TLS has shown it */
  qm_buf request;
  size_t sent;
  qm__message answer;
  uint64_t deadline_ms;
  int over;
} enrol_call;

static enrol_call *of(qm__conn *c) { return (enrol_call *)(void *)c; }

static uint32_t patience(const qm_client_enrol_options *o) {
  return o->timeout_ms ? o->timeout_ms : QM_CLIENT_ENROL_MS;
}

static int app_open(qm__conn *c) {
  enrol_call *s = of(c);
  s->deadline_ms = uv_now(&s->call.loop) + patience(s->options);
  return qm_tls_peer(c->tls, &s->hub);
}

static int app_work(qm__conn *c) {
  enrol_call *s = of(c);
  if (s->call.stop_code != QM_OK && !s->over) {
    qm__call_cut(&s->call, s->call.stop_code);
    s->over = 1;
    return 1;
  }
  if (s->over || !qm__message_whole(&s->answer)) return 0;
  s->over = 1;
  return 1;
}

static int app_feed(qm__conn *c, const uint8_t *in, size_t len, size_t *used) {
  enrol_call *s = of(c);
  int rc = qm__message_feed(&s->answer, in, len, used);
  if (rc != QM_OK || *used < len) {
    qm__call_cut(&s->call, rc == QM_ENOMEM ? rc : QM_EPROTO);
    s->over = 1;
  }
  *used = len;
  return rc;
}

static void app_take(qm__conn *c, uint8_t *to, size_t cap, size_t *len) {
  enrol_call *s = of(c);
  size_t n = s->request.n - s->sent;
  if (n > cap) n = cap;
  if (n) memcpy(to, s->request.p + s->sent, n);
  s->sent += n;
  *len = n;
}

static int app_over(qm__conn *c) { return of(c)->over; }

static void app_cut(qm__conn *c, int code) {
  enrol_call *s = of(c);
  if (!s->over && !qm__message_whole(&s->answer)) qm__call_cut(&s->call, code);
  s->over = 1;
}

static uint64_t app_deadline(qm__conn *c) { return of(c)->deadline_ms; }

static void app_tick(qm__conn *c, uint64_t now_ms) {
  if (now_ms >= of(c)->deadline_ms) app_cut(c, QM_ETIMEOUT);
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

static int make_request(enrol_call *s, const qm_enrol_code *code) {
  const qm_client_enrol_options *o = s->options;
  uint8_t digest[QM_DIGEST_SIZE];
  qm_enrol_request r;
  memset(&r, 0, sizeof r);
  memcpy(r.secret, code->secret, sizeof r.secret);
  memcpy(r.spki, qm_key_spki(o->key).p, sizeof r.spki);
  r.name = o->name;
  qm_enrol_proof_digest(r.secret, qm_key_spki(o->key), digest);
  int rc = qm_key_sign(o->key, digest, r.proof);
  qm_buf_be32(&s->request, 0);
  if (rc == QM_OK) rc = qm_enrol_request_encode(&r, &s->request);
  qm_wipe(&r, sizeof r);
  QM_TRY(rc);
  uint32_t n = (uint32_t)s->request.n - 4;
  for (int i = 0; i < 4; i++) s->request.p[i] = (uint8_t)(n >> (24 - 8 * i));
  return QM_OK;
}

static int read_answer(enrol_call *s, const qm_enrol_code *code, qm_client_enrolment *out,
                       qm_error *e) {
  qm_slice body = qm_buf_slice(&s->answer.body);
  uint8_t *copy = qm_arena_copy(&out->arena, body.p, body.n);
  if (!copy) return qm_fail(e, QM_ENOMEM, "enrolment: out of memory");
  int rc = qm_enrol_response_decode(qm_slice_of(copy, body.n), &out->arena, &out->response);
  if (rc != QM_OK) return qm_fail(e, rc, "the hub's answer: %s", qm_err_text(rc));
  rc = out->response.code;
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  rc = qm_enrol_response_check(&out->response, code->fingerprint, qm_key_spki(s->options->key));
  if (rc == QM_OK && qm_id_cmp(&out->response.hub, &s->hub.device) != 0) rc = QM_ECERT;
  memcpy(out->hub_spki, s->hub.spki, sizeof out->hub_spki);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "the hub's answer does not fit the code");
}

static int enrol(enrol_call *s, const qm_enrol_code *code, qm_client_enrolment *out, qm_error *e) {
  const qm_client_enrol_options *o = s->options;
  qm_tls_config *config;
  int rc = make_request(s, code);
  if (rc == QM_OK) rc = qm_tls_config_enrol(o->env, code->fingerprint, &config);
  if (rc != QM_OK) return qm_fail(e, rc, "enrolment: %s", qm_err_text(rc));
  qm_tls_config_judge(config, o->judge, o->payload);
  uint32_t ms = patience(o);
  QM_TRY(qm__call_run(&s->call, o->env, &app, o->host, o->port, ms, ms, config, e));
  return read_answer(s, code, out, e);
}

int qm_client_enrol(const qm_client_enrol_options *o, qm_client_enrolment *out, qm_error *e) {
  qm_enrol_code code;
  memset(out, 0, sizeof *out);
  qm_arena_init(&out->arena, o->env, 4u * QM_ENROL_RESPONSE_MAX);
  if (o->size != sizeof *o || !o->host || !o->code || !o->key)
    return qm_fail(e, QM_EINVAL, "enrolment: options");
  QM_TRY(qm_code_parse(o->code, strlen(o->code), &code, e));
  enrol_call *s = qm_alloc_zero(o->env, sizeof *s);
  if (!s) return qm_fail(e, QM_ENOMEM, "enrolment: out of memory");
  s->options = o;
  s->call.stop = o->stop;
  s->call.payload = o->payload;
  qm_buf_init(&s->request, o->env, QM_ENROL_REQUEST_MAX + 4u);
  qm__message_init(&s->answer, o->env, QM_ENROL_RESPONSE_MAX);
  int rc = enrol(s, &code, out, e);
  if (s->request.p) qm_wipe(s->request.p, s->request.n);
  qm_buf_free(&s->request);
  qm__message_free(&s->answer);
  qm_free(o->env, s);
  qm_wipe(&code, sizeof code);
  return rc;
}

void qm_client_enrolment_free(qm_client_enrolment *r) {
  if (r->arena.env) qm_arena_free(&r->arena);
  memset(r, 0, sizeof *r);
}
