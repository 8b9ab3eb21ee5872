#include "adapters/cli/replay_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/sqlite/store_sqlite.h"

static uint64_t now_ms(void *payload) {
  struct timespec t;
  (void)payload;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

qm_env qm_replay_env(void) {
  qm_env env = qm_env_default();
  env.now_ms = now_ms;
  env.random = qm_crypto_random;
  return env;
}

int qm_replay_address(const char *text, char host[128], uint16_t *port, qm_error *e) {
  const char *colon = strrchr(text, ':');
  char *rest;
  unsigned long n = colon ? strtoul(colon + 1, &rest, 10) : 0;
  if (!colon || *rest || !n || n > 65535 || (size_t)(colon - text) >= 128)
    return qm_fail(e, QM_EUSAGE, "replay: the hub is given as HOST:PORT");
  memcpy(host, text, (size_t)(colon - text));
  host[colon - text] = 0;
  *port = (uint16_t)n;
  return QM_OK;
}

static int take_space(qm_replay_device_state *d, const qm_enrol_space *x, qm_error *e) {
  qm_space_info info = {.id = x->id,
                        .name = x->name,
                        .role = x->role,
                        .schema = x->schema,
                        .readable = 1,
                        .writable = 1};
  memcpy(info.secret, x->secret, sizeof info.secret);
  QM_TRY(qm_engine_space_put(d->engine, &info, e));
  d->space = qm_engine_space(d->engine, &x->id);
  return QM_OK;
}

static int open_store(qm_replay_device_state *d, const char *path, const qm_id *as,
                      const qm_enrol_response *r, qm_error *e) {
  qm_engine_options o = {.size = sizeof o, .flags = QM_ENGINE_REPLAY, .device = *as};
  QM_TRY(qm_store_sqlite_open(&d->env, path, QM_SQLITE_CREATE, &d->store, e));
  QM_TRY(qm_engine_open(&d->engine, &d->env, d->store, &o, e));
  if (r->space_count != 1) return qm_fail(e, QM_EINTERNAL, "replay: a device has one space");
  return take_space(d, &r->spaces[0], e);
}

static int keep(qm_buf *to, const qm_env *env, qm_slice from) {
  qm_buf_init(to, env, QM_PEM_SIZE_MAX);
  qm_buf_add(to, from.p, from.n);
  return qm_buf_status(to);
}

int qm_replay_device_open(qm_replay_device_state *d, const char *path, const char *hub_address,
                          const char *code, const qm_id *as, qm_error *e) {
  qm_client_enrolment got;
  memset(d, 0, sizeof *d);
  d->env = qm_replay_env();
  QM_TRY(qm_replay_address(hub_address, d->host, &d->port, e));
  QM_TRY(qm_key_generate(&d->env, &d->key));
  /* A hub made for replays lets a device write as the id that it gives as its name. */
  char name[2 * QM_ID_SIZE + 1];
  qm_hex(name, as->b, sizeof as->b);
  qm_client_enrol_options o = {.size = sizeof o,
                               .env = &d->env,
                               .host = d->host,
                               .port = d->port,
                               .code = code,
                               .key = d->key,
                               .name = qm_slice_of(name, 2 * QM_ID_SIZE)};
  int rc = qm_client_enrol(&o, &got, e);
  if (rc == QM_OK) rc = keep(&d->cert, &d->env, got.response.cert);
  if (rc == QM_OK) rc = keep(&d->ca, &d->env, got.response.ca);
  if (rc == QM_OK) {
    d->hub = got.response.hub;
    rc = open_store(d, path, as, &got.response, e);
  }
  qm_client_enrolment_free(&got);
  return rc;
}

static int judge(const qm_client_result *r, qm_error *e) {
  if (r->n_differ) return qm_fail(e, QM_EDIFFER, "sync: replicas differ");
  if (r->n_refused)
    return qm_fail(e, r->refused[0].refusal.code, "sync: refused: %s",
                   r->refused[0].refusal.message);
  if (r->n_stopped)
    return qm_fail(e, r->stopped[0].code, "sync: a space stopped: %s",
                   qm_err_text(r->stopped[0].code));
  return r->complete ? QM_OK : qm_fail(e, QM_ECLOSED, "sync: the session ended early");
}

int qm_replay_device_sync(qm_replay_device_state *d, qm_error *e) {
  qm_client_result r;
  qm_client_options o = {.size = sizeof o,
                         .flags = QM_CLIENT_NO_CLOCK | QM_CLIENT_NO_RENEW,
                         .env = &d->env,
                         .host = d->host,
                         .port = d->port,
                         .ca = qm_buf_slice(&d->ca),
                         .cert = qm_buf_slice(&d->cert),
                         .key = d->key};
  qm_author_device(qm_engine_author(d->engine), &o.device);
  memset(&r, 0, sizeof r);
  int rc = qm_client_sync(&o, d->engine, &r, e);
  d->bytes_up += r.bytes_up;
  d->bytes_down += r.bytes_down;
  d->taken_up += r.taken_up;
  d->taken_down += r.taken_down;
  if (rc == QM_OK) rc = judge(&r, e);
  qm_client_result_free(&r);
  return rc;
}

void qm_replay_device_close(qm_replay_device_state *d) {
  qm_engine_close(d->engine);
  if (d->store) d->store->ops->close(d->store);
  qm_key_free(d->key);
  if (d->cert.env) qm_buf_free(&d->cert);
  if (d->ca.env) qm_buf_free(&d->ca);
  memset(d, 0, sizeof *d);
}
