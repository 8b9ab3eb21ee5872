/* One connection of the hub: a session or an enrolment above qm__conn. */
#include <string.h>

#include "sync/uv/hub_int.h"
#include "sync/uv/log.h"

static qm__hub_conn *of(qm__conn *c) { return (qm__hub_conn *)(void *)c; }

static uint64_t now_of(const qm__hub_conn *hc) { return uv_now(&hc->worker->loop); }

/* --- opening --- */

/* Whose handshake this thread is at: the TLS engine asks about a device, and not for whom. */
static _Thread_local qm__hub_conn *feeding;

int qm__hub_admit(void *payload, const qm_id *device, const qm_cert *cert) {
  const struct qm_hub *hub = payload;
  const qm_hub_backend *b = hub->backend;
  qm_id peer = *device;
  QM_TRY(b->admit ? b->admit(b->payload, device, cert, &peer) : QM_OK);
  if (!feeding) return QM_EINTERNAL;
  feeding->device = *device;
  feeding->peer = peer;
  return QM_OK;
}

static int open_session(qm__hub_conn *hc) {
  qm_session_options o = {.size = sizeof o,
                          .flags = QM_SESSION_HUB,
                          .device = hc->hub_id,
                          .peer = hc->peer,
                          .serial = hc->serial = 1 + atomic_fetch_add(&hc->hub->n_sessions, 1),
                          .now_ms = now_of(hc)};
  const qm_hub_backend *b = hc->hub->backend;
  if (b->recovers && b->recovers(b->payload, &hc->device)) o.flags |= QM_SESSION_RECOVER;
  return qm_session_new(&hc->session, hc->hub->env, QM_SERVER, &o);
}

static int app_open(qm__conn *c) {
  qm__hub_conn *hc = of(c);
  hc->opened_ms = hc->mark_ms = now_of(hc);
  if (qm_tls_alpn(c->tls) == QM_TLS_ALPN_ENROL) {
    hc->is_enrolment = 1;
    qm__message_init(&hc->message, hc->hub->env, QM_ENROL_REQUEST_MAX);
    return QM_OK;
  }
  if (qm_tls_alpn(c->tls) != QM_TLS_ALPN_SYNC) return QM_EPROTO;
  return open_session(hc);
}

/* --- jobs --- */

static void push(qm__hub_conn *hc, qm__job *job, uint32_t shard) {
  job->device = hc->device;
  job->peer = hc->peer;
  job->serial = hc->serial;
  job->worker = hc->worker;
  job->standing = hc->standing;
  hc->jobs++;
  hc->worker->n_jobs++;
  qm__shard_push(hc->hub->shards[shard], job);
}

/* NULL: no memory. ev: may be NULL. */
static qm__job *job_of(qm__hub_conn *hc, qm__job_kind kind, const qm_event *ev) {
  const qm_env *env = hc->hub->env;
  qm__job *job = qm__job_new(env, kind, hc);
  if (!job || !ev || qm__job_event(job, env, ev) == QM_OK) return job;
  qm__job_free(env, job);
  return NULL;
}

/* Of a shard that could not be asked there is no answer, and so none of all. */
static void push_to_all(qm__hub_conn *hc, qm__gather *g, qm__job_kind kind, const qm_event *ev) {
  g->rc = QM_OK;
  for (uint32_t i = 0; i < hc->hub->n_shards; i++) {
    qm__job *job = job_of(hc, kind, ev);
    if (!job) {
      g->rc = QM_ENOMEM;
      return;
    }
    g->left++;
    push(hc, job, i);
  }
}

/* Where the space is; what belongs to none is the first's. */
static uint32_t shard_of(const qm__hub_conn *hc, const qm_event *ev) {
  const struct qm_hub *hub = hc->hub;
  const qm_hub_backend *b = hub->backend;
  if (hub->n_shards == 1 || !b->shard_of || ev->kind == QM_EV_CERT_ASK ||
      ev->kind == QM_EV_CERT_RENEW)
    return 0;
  uint32_t n = b->shard_of(b->payload, &ev->space);
  return n < hub->n_shards ? n : 0;
}

static void push_request(qm__hub_conn *hc, const qm_event *ev) {
  int is_asked = 0;
  if (ev->kind == QM_EV_SPACES) {
    push_to_all(hc, &hc->listing, QM_JOB_REQUEST, ev);
    is_asked = hc->listing.left != 0;
  } else {
    qm__job *job = job_of(hc, QM_JOB_REQUEST, ev);
    uint32_t shard = shard_of(hc, ev);
    is_asked = job != NULL;
    hc->shards |= 1u << shard;
    if (job) push(hc, job, shard);
  }
  if (!is_asked) (void)qm_session_done(hc->session, ev->ticket, QM_ENOMEM, NULL);
}

/* The last jobs of a session: what is parked from it, wherever it was; its notes. */
static void push_ends(qm__hub_conn *hc) {
  hc->end_due = 0;
  hc->seen.complete = hc->code == QM_OK;
  hc->seen.behind = hc->seen.complete ? 0 : hc->lacks;
  for (uint32_t i = 0; i < hc->hub->n_shards; i++) {
    if (i && !(hc->shards & 1u << i)) continue;
    qm__job *job = job_of(hc, QM_JOB_END, NULL);
    if (!job) continue;
    job->has_seen = i == 0;
    job->seen = hc->seen;
    push(hc, job, i);
  }
}

/* After all else that it asked for: shards do not wait for each other. */
static void end(qm__hub_conn *hc) {
  if (hc->end_sent || !hc->session) return;
  hc->end_sent = 1;
  hc->end_due = hc->jobs != 0;
  if (!hc->end_due) push_ends(hc);
}

static void push_enrol(qm__hub_conn *hc) {
  qm__job *job = job_of(hc, QM_JOB_ENROL, NULL);
  hc->end_sent = 1;
  if (job) {
    qm_buf_add(&job->request, hc->message.body.p, hc->message.body.n);
    memcpy(job->address, hc->address_text, sizeof job->address);
  }
  if (job && qm_buf_status(&job->request) == QM_OK) {
    push(hc, job, 0);
    return;
  }
  qm__job_free(hc->hub->env, job);
  hc->over = 1;
}

/* --- events --- */

static void on_closed_event(qm__hub_conn *hc, const qm_event *ev) {
  if (hc->live) qm__hub_live(hc->worker, 0);
  hc->live = 0;
  hc->over = 1;
  hc->over_ms = now_of(hc);
  hc->code = ev->code;
  qm_log(hc->hub->env, ev->code == QM_OK ? QM_LOG_INFO : QM_LOG_WARN, "session of %s: %s%s%s",
         qm_short(&hc->device).text, ev->code == QM_OK ? "done" : qm_err_name(ev->code),
         ev->by_peer ? ", said the device" : "",
         hc->worker->draining ? ", the hub is stopping" : "");
  end(hc);
}

static void on_notice(qm__hub_conn *hc, const qm_event *ev) {
  const qm_env *env = hc->hub->env;
  switch (ev->kind) {
    case QM_EV_HELLO:
      hc->said_hello = 1;
      hc->seen.clock_offset_ms = ev->has_offset ? ev->offset_ms : 0;
      break;
    case QM_EV_REFUSED:
      qm_log(env, QM_LOG_WARN, "device %s refused a change in space %s: %s",
             qm_short(&hc->device).text, qm_short(&ev->space).text, qm_err_name(ev->code));
      break;
    case QM_EV_STOPPED:
    case QM_EV_FORK:
      qm_log(env, QM_LOG_WARN, "device %s: space %s stopped: %s", qm_short(&hc->device).text,
             qm_short(&ev->space).text,
             qm_err_name(ev->kind == QM_EV_FORK ? QM_EFORK : ev->code));
      break;
    case QM_EV_DIFFER:
      qm_log(env, QM_LOG_ERROR, "device %s: space %s differs at equal version vectors",
             qm_short(&hc->device).text, qm_short(&ev->space).text);
      break;
    case QM_EV_REPAIRED:
      qm_log(env, QM_LOG_WARN, "space %s: %lu records replaced by those of device %s",
             qm_short(&ev->space).text, (unsigned long)ev->count, qm_short(&hc->device).text);
      break;
    case QM_EV_LIVE:
      hc->live = 1;
      qm__hub_live(hc->worker, 1);
      qm_log(env, QM_LOG_INFO, "device %s stays connected", qm_short(&hc->device).text);
      break;
    case QM_EV_CLOSED: on_closed_event(hc, ev); break;
    default: break;
  }
}

static int app_work(qm__conn *c) {
  qm__hub_conn *hc = of(c);
  qm_event ev;
  int moved = 0;
  if (hc->is_enrolment) {
    if (hc->end_sent || !qm__message_whole(&hc->message)) return 0;
    push_enrol(hc);
    return 1;
  }
  (void)qm_session_tick(hc->session, now_of(hc));
  if (hc->worker->draining && !hc->byed && hc->jobs == 0) {
    hc->byed = 1;
    qm_session_bye(hc->session);
  }
  while (!hc->over && qm_session_next(hc->session, &ev)) {
    moved = 1;
    hc->mark_ms = now_of(hc);
    if (ev.ticket) push_request(hc, &ev);
    else on_notice(hc, &ev);
  }
  return moved;
}

/* --- bytes --- */

static int app_feed(qm__conn *c, const uint8_t *in, size_t len, size_t *used) {
  qm__hub_conn *hc = of(c);
  if (hc->is_enrolment) {
    int rc = qm__message_feed(&hc->message, in, len, used);
    if (rc != QM_OK || *used < len) hc->over = 1; /* nothing may follow the request */
    *used = len;
    return rc;
  }
  *used = 0;
  if (hc->worker->draining && !hc->byed) return QM_OK; /* what is owed first */
  hc->quiet += len > QM_SYNC_PROGRESS_BYTES ? QM_SYNC_PROGRESS_BYTES : (uint32_t)len;
  if (hc->quiet >= QM_SYNC_PROGRESS_BYTES) {
    hc->quiet = 0;
    hc->mark_ms = now_of(hc);
  }
  return qm_session_feed(hc->session, in, len, used);
}

static void app_take(qm__conn *c, uint8_t *to, size_t cap, size_t *len) {
  qm__hub_conn *hc = of(c);
  *len = 0;
  if (hc->is_enrolment) {
    size_t n = hc->answer.n - hc->answer_at;
    if (n > cap) n = cap;
    if (n) memcpy(to, hc->answer.p + hc->answer_at, n);
    hc->answer_at += n;
    *len = n;
    return;
  }
  (void)qm_session_take(hc->session, to, cap, len);
  if (*len) hc->mark_ms = now_of(hc);
}

static int app_over(qm__conn *c) {
  qm__hub_conn *hc = of(c);
  if (hc->is_enrolment) return hc->over || (hc->answered && hc->answer_at == hc->answer.n);
  if (!hc->over) return 0;
  return qm_session_waiting(hc->session) == 0 || hc->conn.dead ||
         now_of(hc) >= hc->over_ms + QM_HUB_LINGER_MS;
}

static void app_cut(qm__conn *c, int code) {
  qm__hub_conn *hc = of(c);
  if (c->state == QM_CONN_OPEN && hc->session) {
    qm_session_shut(hc->session, code);
    (void)app_work(c);
    return;
  }
  hc->over = 1;
  if (c->state == QM_CONN_HANDSHAKE)
    qm_log(hc->hub->env, QM_LOG_WARN, "handshake: %s", qm_err_name(code));
}

/* --- time --- */

static uint64_t app_deadline(qm__conn *c) {
  qm__hub_conn *hc = of(c);
  const qm_hub_config *config = &hc->hub->config;
  if (hc->is_enrolment) return hc->opened_ms + config->enrol_ms;
  if (hc->over) return hc->over_ms + QM_HUB_LINGER_MS;
  uint64_t own = hc->said_hello ? hc->mark_ms + config->idle_ms : hc->opened_ms + config->hello_ms;
  uint64_t its = qm_session_deadline(hc->session);
  return its < own ? its : own;
}

static void app_tick(qm__conn *c, uint64_t now_ms) {
  qm__hub_conn *hc = of(c);
  if (now_ms < app_deadline(c)) return;
  if (hc->is_enrolment || hc->over) {
    hc->over = 1;
    c->ended = 1;
    return;
  }
  (void)qm_session_tick(hc->session, now_ms);
  /* A hub set to less patience than the session's own. */
  if (now_ms >= app_deadline(c)) qm_session_shut(hc->session, QM_ETIMEOUT);
}

/* --- the end --- */

static void app_feeding(qm__conn *c, int is_on) {
  feeding = is_on ? of(c) : NULL;
}

static void forget_if_last(qm__hub_conn *hc) {
  if (hc->gone && hc->jobs == 0) qm__hub_forget(hc);
}

static void app_gone(qm__conn *c) {
  qm__hub_conn *hc = of(c);
  if (hc->session) {
    qm_event ev;
    qm_session_shut(hc->session, QM_ECLOSED);
    while (!hc->over && qm_session_next(hc->session, &ev))
      if (!ev.ticket) on_notice(hc, &ev);
    end(hc);
    qm_session_free(hc->session);
    hc->session = NULL;
  }
  hc->gone = 1;
  forget_if_last(hc);
}

const qm__conn_app qm__hub_app = {.open = app_open,
                                  .feed = app_feed,
                                  .work = app_work,
                                  .take = app_take,
                                  .over = app_over,
                                  .cut = app_cut,
                                  .deadline = app_deadline,
                                  .tick = app_tick,
                                  .feeding = app_feeding,
                                  .gone = app_gone};

/* --- sessions that stay --- */

/* Of 64, which one: so that most of those who do not have the space are passed over quickly. */
static uint64_t space_bit(const qm_id *space) { return UINT64_C(1) << (space->b[0] & 63); }

static int tell(qm__hub_conn *hc, const qm__hub_new *what) {
  /* A round asks for the grant; without one it must be known. */
  int may = what->small.n && what->standing && hc->granted == what->standing;
  return may ? qm_session_relay(hc->session, what->space, what->small)
             : qm_session_news(hc->session, what->space);
}

void qm__hub_tell(qm__hub_worker *w, const qm__hub_new *what, const qm__hub_conn *from) {
  for (qm__hub_conn *hc = w->conns; hc; hc = hc->next) {
    if (!(hc->spaces & space_bit(what->space))) continue;
    if (hc == from || hc->gone || hc->over || !hc->session) continue;
    if (tell(hc, what)) qm__conn_pump(&hc->conn);
  }
}

void qm__hub_conn_check(qm__hub_conn *hc) {
  if (!hc->live || hc->check.left || hc->over || hc->gone) return;
  push_to_all(hc, &hc->check, QM_JOB_CHECK, NULL);
}

/* --- answers --- */

static void shut(qm__hub_conn *hc, int rc) {
  qm_log(hc->hub->env, QM_LOG_WARN, "device %s: %s", qm_short(&hc->device).text, qm_err_name(rc));
  qm_session_shut(hc->session, rc);
}

/* What the device may read or write has changed: its next HELLO takes that up. */
static void answer_check(qm__hub_conn *hc) {
  qm__gathered all;
  qm__gather_end(&hc->check, &all);
  if (hc->session && !hc->over && all.drop) {
    shut(hc, all.rc);
  } else if (hc->session && !hc->over && all.rc == QM_OK) {
    hc->granted = all.standing;
    if (memcmp(all.tag, hc->grants, sizeof hc->grants) != 0) {
      qm_log(hc->hub->env, QM_LOG_INFO, "device %s: its spaces have changed",
             qm_short(&hc->device).text);
      qm_session_bye(hc->session);
    }
  }
  qm__gather_clear(&hc->check, hc->hub->env);
}

static void done(qm__hub_conn *hc, qm_ticket ticket, int code, const qm_reply *reply) {
  int rc = qm_session_done(hc->session, ticket, code, reply);
  /* More authors than a VV may list: this space cannot be synced, the others can. */
  if (rc == QM_EINVAL) (void)qm_session_done(hc->session, ticket, QM_ELIMIT, NULL);
}

static void answer_listing(qm__hub_conn *hc, qm_ticket ticket) {
  qm__gathered all;
  hc->mark_ms = now_of(hc);
  qm__gather_end(&hc->listing, &all);
  if (hc->session && all.drop) {
    shut(hc, all.rc);
  } else if (hc->session) {
    const qm_reply reply = {.lines = all.lines, .n_lines = all.n_lines};
    if (all.rc == QM_OK) {
      memcpy(hc->grants, all.tag, sizeof hc->grants);
      hc->granted = all.standing;
    }
    for (uint32_t i = 0; i < all.n_lines; i++) hc->spaces |= space_bit(&all.lines[i].line.id);
    done(hc, ticket, all.rc, &reply);
  }
  qm__gather_clear(&hc->listing, hc->hub->env);
}

static void answer_request(qm__hub_conn *hc, qm__job *job) {
  hc->mark_ms = now_of(hc);
  if (job->drop) {
    shut(hc, job->rc);
    return;
  }
  hc->lacks += job->lacks;
  if (job->ev.kind == QM_EV_COMMIT && job->out.rc == QM_OK && job->out.reply.n_refusals) {
    uint32_t n = job->out.reply.n_refusals;
    hc->seen.refused += n;
    hc->seen.refused_code = job->out.reply.refusals[n - 1].code;
  }
  done(hc, job->ev.ticket, job->out.rc, &job->out.reply);
}

static void answer_enrol(qm__hub_conn *hc, qm__job *job) {
  qm_buf empty = hc->answer;
  hc->answered = 1;
  if (job->rc != QM_OK) return;
  hc->answer = job->response;
  job->response = empty;
  qm_buf_init(&job->response, hc->hub->env, 4);
}

/* Takes the job. */
static void answer(qm__hub_conn *hc, qm__job *job) {
  int is_listing = job->kind == QM_JOB_REQUEST && job->ev.kind == QM_EV_SPACES;
  qm_ticket ticket = job->ev.ticket;
  if (is_listing) {
    if (qm__gather_add(&hc->listing, job)) answer_listing(hc, ticket);
    return;
  }
  if (job->kind == QM_JOB_CHECK) {
    if (qm__gather_add(&hc->check, job)) answer_check(hc);
    return;
  }
  if (job->kind == QM_JOB_REQUEST && hc->session) answer_request(hc, job);
  if (job->kind == QM_JOB_ENROL && !hc->gone) answer_enrol(hc, job);
  qm__job_free(hc->hub->env, job);
}

void qm__hub_conn_done(qm__hub_conn *hc, qm__job *job) {
  int is_news = job->kind == QM_JOB_REQUEST && !job->drop && job->out.rc == QM_OK &&
                ((job->ev.kind == QM_EV_COMMIT && job->out.reply.taken) ||
                 job->ev.kind == QM_EV_STATE_JOIN);
  qm_id space = job->ev.space;
  qm__hub_worker *w = hc->worker;
  uint8_t small[QM_SMALL_MAX];
  qm__hub_new what = {.space = &space, .standing = job->standing};
  if (is_news && job->out.as_it_came && job->ev.blob.n <= sizeof small) {
    memcpy(small, job->ev.blob.p, job->ev.blob.n);
    what.small = qm_slice_of(small, job->ev.blob.n);
  }
  hc->jobs--;
  if (!job->drop) hc->standing = job->standing;
  answer(hc, job);
  if (hc->end_due && !hc->jobs) push_ends(hc);
  const qm__hub_conn *from = hc->gone ? NULL : hc;
  if (!hc->gone) qm__conn_pump(&hc->conn);
  else forget_if_last(hc);
  if (is_news) qm__hub_publish(w, &what, from);
}

void qm__hub_conn_drain(qm__hub_conn *hc) {
  if (hc->conn.state < QM_CONN_OPEN) qm__conn_close(&hc->conn);
  else qm__conn_pump(&hc->conn);
}
