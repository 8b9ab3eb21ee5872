/* A worker of the hub: a loop on its own thread, with its connections. */
#include <string.h>
#include <unistd.h>

#include "sync/uv/hub_int.h"
#include "sync/uv/log.h"

/* --- connections --- */

static void maybe_finish(qm__hub_worker *w);

void qm__hub_forget(qm__hub_conn *hc) {
  qm__hub_worker *w = hc->worker;
  *hc->at = hc->next;
  if (hc->next) hc->next->at = hc->at;
  qm__hub_release(w->hub, hc->address);
  qm__gather_clear(&hc->listing, w->hub->env);
  qm__gather_clear(&hc->check, w->hub->env);
  qm__message_free(&hc->message);
  if (hc->answer.p) qm_wipe(hc->answer.p, hc->answer.n);
  qm_buf_free(&hc->answer);
  qm_free(w->hub->env, hc);
  w->n_conns--;
  maybe_finish(w);
}

/* A connection with its engine, in the list; NULL: no memory. */
static qm__hub_conn *conn_new(qm__hub_worker *w, qm__address *address) {
  qm_hub *hub = w->hub;
  qm_tls *tls;
  qm_id id;
  qm__hub_conn *hc = qm_alloc_zero(hub->env, sizeof *hc);
  if (!hc || qm__hub_tls(hub, &tls, &id) != QM_OK) {
    qm_free(hub->env, hc);
    qm__hub_release(hub, address);
    return NULL;
  }
  hc->hub = hub;
  hc->worker = w;
  hc->address = address;
  hc->hub_id = id;
  qm_buf_init(&hc->answer, hub->env, QM_ENROL_RESPONSE_MAX + 4u);
  qm__message_init(&hc->message, hub->env, QM_ENROL_REQUEST_MAX);
  hc->next = w->conns;
  if (hc->next) hc->next->at = &hc->next;
  hc->at = &w->conns;
  w->conns = hc;
  w->n_conns++;
  if (qm__conn_init(&hc->conn, &w->loop, hub->env, &qm__hub_app, w->scratch, tls,
                    hub->config.handshake_ms, 1) != QM_OK) {
    qm__conn_close(&hc->conn);
    return NULL;
  }
  return hc;
}

static void take_socket(qm__hub_worker *w, qm__accepted *a) {
  qm__hub_conn *hc = conn_new(w, a->address);
  if (!hc) {
    close(a->fd);
  } else if (uv_tcp_open(&hc->conn.tcp, a->fd) != 0) {
    close(a->fd);
    qm__conn_close(&hc->conn);
  } else {
    memcpy(hc->address_text, a->address_text, sizeof hc->address_text);
    qm__conn_start(&hc->conn);
  }
  qm_free(w->hub->env, a);
}

static void each(qm__hub_worker *w, void (*visit)(qm__hub_conn *hc)) {
  qm__hub_conn *hc = w->conns;
  while (hc) {
    qm__hub_conn *next = hc->next; /* visit frees none: closing ends in a later callback */
    visit(hc);
    hc = next;
  }
}

static void cut(qm__hub_conn *hc) { qm__conn_close(&hc->conn); }

/* --- the end --- */

static void on_handle_closed(uv_handle_t *h) { (void)h; }

/* The last of all: no connection, no job. The loop then has no handle and ends. */
static void maybe_finish(qm__hub_worker *w) {
  if (!w->draining || w->n_conns || w->n_jobs) return;
  uv_mutex_lock(&w->lock);
  int was = w->closing;
  w->closing = 1;
  uv_mutex_unlock(&w->lock);
  if (was) return;
  uv_close((uv_handle_t *)&w->live, on_handle_closed);
  uv_close((uv_handle_t *)&w->wake, on_handle_closed);
}

/* --- sessions that stay --- */

/* One question a second of each shard, for all of them; only where the answer is new, one for
 * each. */
static void on_live(uv_timer_t *t) {
  qm__hub_worker *w = t->data;
  if (w->looking) return;
  for (uint32_t i = 0; i < w->hub->n_shards; i++) {
    qm__job *job = qm__job_new(w->hub->env, QM_JOB_LOOK, NULL);
    if (!job) return; /* the next one will do */
    job->worker = w;
    w->looking++;
    w->n_jobs++;
    qm__shard_push(w->hub->shards[i], job);
  }
}

static void looked(qm__hub_worker *w, const qm__job *job) {
  w->looking--;
  for (qm__hub_conn *hc = w->conns; hc; hc = hc->next)
    if (!job->standing || hc->granted != job->standing) qm__hub_conn_check(hc);
}

void qm__hub_live(qm__hub_worker *w, int more) {
  w->n_live += more ? 1u : (uint32_t)-1;
  if (w->draining) return;
  if (w->n_live == 0) uv_timer_stop(&w->live);
  else if (!uv_is_active((uv_handle_t *)&w->live))
    uv_timer_start(&w->live, on_live, QM_HUB_LIVE_CHECK_MS, QM_HUB_LIVE_CHECK_MS);
}

/* --- the inbox --- */

/* Said once until it is heard. Compact segments are kept one by one, as far as there are few. */
static int is_said(const qm__hub_worker *w, const qm__hub_new *what) {
  const qm__hub_news *n = w->news;
  while (n && (n->n_small || qm_id_cmp(&n->space, what->space) != 0)) n = n->next;
  return n != NULL;
}

static void post_news(qm__hub_worker *w, const qm__hub_new *what) {
  uv_mutex_lock(&w->lock);
  size_t small = w->n_news < QM_HUB_NEWS_MAX ? what->small.n : 0;
  qm__hub_news *n;
  if (!w->closing && !is_said(w, what) &&
      (n = qm_alloc(w->hub->env, sizeof *n + small)) != NULL) {
    *n = (qm__hub_news){.space = *what->space, .standing = what->standing, .n_small = small};
    if (small) memcpy(n->small, what->small.p, small);
    *w->news_end = n;
    w->news_end = &n->next;
    w->n_news++;
    (void)uv_async_send(&w->wake);
  }
  uv_mutex_unlock(&w->lock);
}

void qm__hub_publish(qm__hub_worker *w, const qm__hub_new *what, const qm__hub_conn *from) {
  qm_hub *hub = w->hub;
  for (uint32_t i = 0; i < hub->n_workers; i++)
    if (&hub->workers[i] != w) post_news(&hub->workers[i], what);
  qm__hub_tell(w, what, from);
}

void qm__hub_deliver(void *payload, qm__job *job) {
  qm_hub *hub = payload;
  qm__hub_worker *w = job->worker;
  if (!w) { /* nobody's: the hub wrote something itself */
    const qm__hub_new what = {.space = &job->ev.space};
    for (uint32_t i = 0; i < hub->n_workers; i++) post_news(&hub->workers[i], &what);
    qm__job_free(hub->env, job);
    return;
  }
  job->next = NULL;
  uv_mutex_lock(&w->lock); /* it is not closing: it waits for its jobs */
  *w->done_end = job;
  w->done_end = &job->next;
  (void)uv_async_send(&w->wake);
  uv_mutex_unlock(&w->lock);
}

int qm__hub_worker_give(qm__hub_worker *w, int fd, qm__address *address, const char text[64]) {
  qm__accepted *a = qm_alloc_zero(w->hub->env, sizeof *a);
  if (!a) return QM_ENOMEM;
  a->fd = fd;
  a->address = address;
  memcpy(a->address_text, text, sizeof a->address_text);
  uv_mutex_lock(&w->lock); /* it is not closing: that it drains is said later */
  a->next = w->accepted;
  w->accepted = a;
  (void)uv_async_send(&w->wake);
  uv_mutex_unlock(&w->lock);
  return QM_OK;
}

void qm__hub_worker_say(qm__hub_worker *w, uint32_t what) {
  uv_mutex_lock(&w->lock);
  w->told |= what;
  if (!w->closing) (void)uv_async_send(&w->wake);
  uv_mutex_unlock(&w->lock);
}

static void do_done(qm__hub_worker *w, qm__job *job) {
  while (job) {
    qm__job *next = job->next;
    w->n_jobs--;
    if (job->kind == QM_JOB_LOOK) {
      looked(w, job);
      qm__job_free(w->hub->env, job);
    } else {
      qm__hub_conn_done(job->owner, job);
    }
    job = next;
  }
}

static void do_news(qm__hub_worker *w, qm__hub_news *n) {
  while (n) {
    qm__hub_news *next = n->next;
    qm__hub_new what = {&n->space, qm_slice_of(n->small, n->n_small), n->standing};
    qm__hub_tell(w, &what, NULL);
    qm_free(w->hub->env, n);
    n = next;
  }
}

static void on_wake(uv_async_t *async) {
  qm__hub_worker *w = async->data;
  uv_mutex_lock(&w->lock);
  qm__accepted *accepted = w->accepted;
  qm__job *done = w->done;
  qm__hub_news *news = w->news;
  uint32_t told = w->told;
  w->accepted = NULL;
  w->done = NULL;
  w->done_end = &w->done;
  w->news = NULL;
  w->news_end = &w->news;
  w->n_news = 0;
  w->told = 0;
  uv_mutex_unlock(&w->lock);
  while (accepted) {
    qm__accepted *next = accepted->next;
    take_socket(w, accepted);
    accepted = next;
  }
  int is_told = done || news;
  do_done(w, done);
  do_news(w, news);
  /* A store that must be opened again ends all of the hub. */
  if (is_told && qm__hub_status(w->hub) != QM_OK) qm_hub_stop(w->hub);
  if ((told & QM_TOLD_DRAIN) && !w->draining) {
    w->draining = 1;
    uv_timer_stop(&w->live);
    each(w, qm__hub_conn_drain);
  }
  if (told & QM_TOLD_CUT) each(w, cut);
  maybe_finish(w);
}

/* --- life --- */

static void run(void *payload) {
  qm__hub_worker *w = payload;
  (void)uv_run(&w->loop, UV_RUN_DEFAULT);
  uv_mutex_lock(&w->hub->lock); /* who sees the last of them may close what is woken */
  w->hub->n_ended++;
  (void)uv_async_send(&w->hub->ended);
  uv_mutex_unlock(&w->hub->lock);
}

int qm__hub_worker_start(qm__hub_worker *w, qm_hub *hub) {
  w->hub = hub;
  w->done_end = &w->done;
  w->news_end = &w->news;
  w->scratch = qm_alloc(hub->env, sizeof *w->scratch);
  if (!w->scratch || uv_mutex_init(&w->lock) != 0) return QM_ENOMEM;
  w->has_lock = 1;
  if (uv_loop_init(&w->loop) != 0) return QM_ENOMEM;
  w->has_loop = 1;
  if (uv_timer_init(&w->loop, &w->live) != 0) return QM_EIO;
  w->has_live = 1;
  if (uv_async_init(&w->loop, &w->wake, on_wake) != 0) return QM_EIO;
  w->has_wake = 1;
  w->live.data = w->wake.data = w;
  if (uv_thread_create(&w->thread, run, w) != 0) return QM_ENOMEM;
  w->has_thread = 1;
  return QM_OK;
}

void qm__hub_worker_join(qm__hub_worker *w) {
  if (w->has_thread) uv_thread_join(&w->thread);
  if (w->has_lock) {
    uv_mutex_lock(&w->lock);
    w->closing = 1; /* one that never ran, too */
    uv_mutex_unlock(&w->lock);
  }
}

void qm__hub_worker_free(qm__hub_worker *w) {
  if (w->has_loop && !w->has_thread) { /* it never ran */
    if (w->has_live) uv_close((uv_handle_t *)&w->live, on_handle_closed);
    if (w->has_wake) uv_close((uv_handle_t *)&w->wake, on_handle_closed);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
  }
  if (w->has_loop) (void)uv_loop_close(&w->loop);
  while (w->news) {
    qm__hub_news *next = w->news->next;
    qm_free(w->hub->env, w->news);
    w->news = next;
  }
  if (w->has_lock) uv_mutex_destroy(&w->lock);
  if (w->hub) qm_free(w->hub->env, w->scratch);
}
