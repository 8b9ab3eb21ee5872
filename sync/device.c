#include "sync/device.h"

#include <string.h>

#include "core/hash.h"

#define REFUSED_MAX 1024u /* remembered of one session; each has its row in the log */

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
  qm_device *d = payload;
  qm_client_refused item = {*space, *r, (uint8_t)by_peer};
  (void)peer;
  if (r->code == QM_EFORK) return QM_OK; /* the author is in doubt, and nobody refused for good */
  qm_client_result *all = d->result;
  all->refused = append(d->env, all->refused, &all->n_refused, sizeof item, &item);
  return QM_OK;
}

static int on_cert_ask(void *payload, qm_arena *arena, qm_slice *spki, qm_slice *proof) {
  qm_device *d = payload;
  uint8_t digest[QM_DIGEST_SIZE];
  uint8_t *sig = qm_arena_alloc(arena, QM_SIG_SIZE);
  if (!sig) return QM_ENOMEM;
  *spki = qm_key_spki(d->key);
  qm_renew_proof_digest(*spki, digest);
  QM_TRY(qm_key_sign(d->key, digest, sig));
  *proof = qm_slice_of(sig, QM_SIG_SIZE);
  return QM_OK;
}

/* A certificate that does not fit is not taken: the old one serves on. */
static int on_cert(void *payload, int code, qm_slice der) {
  qm_device *d = payload;
  qm_cert cert;
  if (code != QM_OK) return QM_OK;
  QM_TRY(qm_cert_read(der, &cert));
  if (qm_id_cmp(&cert.device, qm_key_device(d->key)) != 0) return QM_ECERT;
  qm_buf_clear(&d->result->cert);
  qm_buf_add(&d->result->cert, der.p, der.n);
  return qm_buf_status(&d->result->cert);
}

/* The home hub of all that this device holds is the one it is enrolled at: known by its key
 * from then, and as the one that TLS shows, which the same CA vouches for. */
static int on_verify_aside(void *payload, const qm_id *device, const uint8_t digest[32],
                           const uint8_t signature[64]) {
  const qm_device *d = payload;
  qm_slice home = d->home;
  if (home.n && qm_verify_by(home, device, digest, signature) == QM_OK) return QM_OK;
  return qm_verify_by(qm_slice_of(d->hub.spki, sizeof d->hub.spki), device, digest, signature);
}

/* What a space tells are totals of it, which begin anew with its next round. */
static void follow(qm_device *d, const qm_event *ev, int done) {
  qm_device_space *p = NULL;
  for (uint32_t i = 0; i < d->n_spaces && !p; i++)
    if (qm_id_cmp(&d->spaces[i].space, &ev->space) == 0) p = &d->spaces[i];
  if (!p) {
    qm_device_space item = {ev->space, 0, 0};
    uint32_t n = d->n_spaces;
    d->spaces = append(d->env, d->spaces, &d->n_spaces, sizeof item, &item);
    if (d->n_spaces == n) return; /* no memory: the end of the space counts it */
    p = &d->spaces[n];
  }
  d->up += ev->progress.taken_up - p->up;
  d->down += ev->progress.taken_down - p->down;
  p->up = done ? 0 : ev->progress.taken_up;
  p->down = done ? 0 : ev->progress.taken_down;
}

static void add_progress(qm_client_result *out, const qm_event *ev) {
  out->spaces++;
  out->taken_up += ev->progress.taken_up;
  out->taken_down += ev->progress.taken_down;
  out->known_down += ev->progress.known_down;
  out->parked_down += ev->progress.parked_down;
}

void qm_device_note(qm_device *d, const qm_event *ev) {
  qm_client_result *out = d->result;
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
    case QM_EV_REPAIRED: out->repaired += ev->count; break;
    case QM_EV_PROGRESS: follow(d, ev, 0); break;
    case QM_EV_DONE:
      follow(d, ev, 1);
      add_progress(out, ev);
      break;
    case QM_EV_CLOSED:
      d->over = 1;
      d->code = ev->code;
      if (ev->code == QM_OK) break;
      (void)qm_fail(&d->error, ev->code, "%s%.*s", ev->by_peer ? "the hub: " : "",
                    ev->message.n < 200 ? (int)ev->message.n : 200, (const char *)ev->message.p);
      break;
    default: break;
  }
}

/* --- life --- */

void qm_device_init(qm_device *d, const qm_env *env, qm_engine *engine, const qm_key *key,
                    qm_slice home, uint32_t flags, qm_client_result *result) {
  memset(d, 0, sizeof *d);
  memset(result, 0, sizeof *result);
  result->env = env;
  qm_buf_init(&result->cert, env, QM_CERT_SIZE_MAX);
  d->env = env;
  d->engine = engine;
  d->key = key;
  d->home = home;
  d->result = result;
  d->policy = (qm_answer_policy){
      .payload = d, .verify_aside = on_verify_aside, .refusal = on_refusal,
      .cert_ask = on_cert_ask, .cert = on_cert};
  qm_answer_init(&d->answer, env, engine, flags, &d->policy);
}

int qm_device_open(qm_device *d, const qm_cert *hub, const qm_id *device, uint32_t flags,
                   uint64_t now_ms) {
  d->hub = *hub;
  memcpy(d->result->hub_spki, hub->spki, sizeof d->result->hub_spki);
  qm_session_options so = {.size = sizeof so,
                           .flags = QM_SESSION_HUB | flags,
                           .device = *device,
                           .peer = hub->device,
                           .now_ms = now_ms};
  return qm_session_new(&d->session, d->env, QM_CLIENT, &so);
}

void qm_device_answer(qm_device *d, const qm_event *ev) {
  int rc = qm_answer_event(&d->answer, d->session, ev);
  if (rc != QM_OK) qm_log(d->env, QM_LOG_WARN, "sync: a note: %s", qm_err_name(rc));
}

void qm_device_count(qm_device *d) {
  if (d->session)
    qm_session_bytes(d->session, &d->result->bytes_down, &d->result->bytes_up);
}

void qm_device_progress(const qm_device *d, qm_client_progress *out) {
  memset(out, 0, sizeof *out);
  out->taken_up = d->up;
  out->taken_down = d->down;
  if (d->session) qm_session_bytes(d->session, &out->bytes_down, &out->bytes_up);
}

void qm_device_free(qm_device *d) {
  qm_free(d->env, d->spaces);
  d->spaces = NULL;
  d->n_spaces = 0;
  qm_session_free(d->session);
  qm_answer_free(&d->answer);
  d->session = NULL;
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
