/* handle_events.c: what happened to a handle, pulled by the program or told by one thread. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "adapters/handle/handle.h"

#define BIT(kind) (1u << (kind))
#define TEXT_MAX 8192u

int qm__events_init(qm_events_state *v) {
  v->fds[0] = v->fds[1] = -1;
  if (pthread_mutex_init(&v->mutex, NULL) != 0) return QM_ENOMEM;
  if (qm__wait_init(&v->news) == QM_OK) return QM_OK;
  pthread_mutex_destroy(&v->mutex);
  return QM_ENOMEM;
}

void qm__events_free(qm_db *db) {
  qm_events_state *v = &db->events;
  if (v->has_fds) {
    close(v->fds[0]);
    close(v->fds[1]);
  }
  pthread_cond_destroy(&v->news);
  pthread_mutex_destroy(&v->mutex);
}

/* ---- what happens ---- */

/* With the mutex: the descriptor says whether there is something. A pipe that is full or empty
 * is right as it is. */
static void show(qm_events_state *v) {
  uint8_t byte = 1;
  int is_full = v->kinds || v->n_syncs;
  if (!v->has_fds || is_full == v->filled) return;
  ssize_t n;
  do n = is_full ? write(v->fds[1], &byte, 1) : read(v->fds[0], &byte, 1);
  while (n < 0 && errno == EINTR);
  v->filled = is_full;
}

static void add_sync(qm_events_state *v, int kind, int32_t code) {
  if (v->n_syncs == QM_EVENTS_SYNC_MAX) /* the oldest goes */
    memmove(&v->syncs[0], &v->syncs[1], --v->n_syncs * sizeof v->syncs[0]);
  v->syncs[v->n_syncs].kind = kind;
  v->syncs[v->n_syncs].code = code;
  v->n_syncs++;
}

void qm__happened(qm_db *db, int what, int32_t code) {
  qm_events_state *v = &db->events;
  if (!qm__events_used(db)) return;
  pthread_mutex_lock(&v->mutex);
  if (what >= QM_HAPPENED_BEGUN) add_sync(v, what, code);
  else v->kinds |= BIT(what);
  show(v);
  pthread_cond_broadcast(&v->news);
  pthread_mutex_unlock(&v->mutex);
}

void qm__happened_progress(qm_db *db, const qm_sync_progress *p) {
  if (!qm__events_used(db)) return;
  pthread_mutex_lock(&db->events.mutex);
  db->events.progress = *p;
  pthread_mutex_unlock(&db->events.mutex);
  qm__happened(db, QM_HAPPENED_PROGRESS, QM_OK);
}

void qm__events_interrupt(qm_db *db) {
  qm_events_state *v = &db->events;
  pthread_mutex_lock(&v->mutex);
  v->interrupts++;
  pthread_cond_broadcast(&v->news);
  pthread_mutex_unlock(&v->mutex);
}

/* ---- as lines ---- */

static void put_sync(qm_buf *b, int kind, int32_t code) {
  static const char *const states[] = {"begun", "live", "lost", "ended"};
  qm__handle_put(b, "{\"event\":\"sync\",\"state\":\"");
  qm__handle_put(b, states[kind - QM_HAPPENED_BEGUN]);
  qm__handle_put(b, "\",\"code\":");
  if (code == QM_OK) {
    qm__handle_put(b, "null}\n");
    return;
  }
  qm__handle_put(b, "\"");
  qm__handle_put(b, qm_err_name(code));
  qm__handle_put(b, "\"}\n");
}

static void put_progress(qm_buf *b, const qm_sync_progress *p) {
  qm__handle_put(b, "{\"event\":\"progress\",\"bytes_up\":");
  qm__handle_put_u64(b, p->bytes_up);
  qm__handle_put(b, ",\"bytes_down\":");
  qm__handle_put_u64(b, p->bytes_down);
  qm__handle_put(b, ",\"records_down\":");
  qm__handle_put_u64(b, p->records_down);
  qm__handle_put(b, ",\"unsent\":");
  qm__handle_put_u64(b, p->unsent);
  qm__handle_put(b, "}\n");
}

/* With the mutex: everything, and then there is nothing. */
static void put_all(qm_events_state *v, qm_buf *b) {
  if (v->kinds & BIT(QM_HAPPENED_SUSPEND)) qm__handle_put(b, "{\"event\":\"suspended\"}\n");
  if (v->kinds & BIT(QM_HAPPENED_RESUME)) qm__handle_put(b, "{\"event\":\"resumed\"}\n");
  for (uint32_t i = 0; i < v->n_syncs; i++) put_sync(b, v->syncs[i].kind, v->syncs[i].code);
  if (v->kinds & BIT(QM_HAPPENED_PROGRESS)) put_progress(b, &v->progress);
  if (v->kinds & BIT(QM_HAPPENED_CHANGE)) qm__handle_put(b, "{\"event\":\"changed\"}\n");
  if (qm_buf_status(b) != QM_OK) return; /* no memory: they stay */
  v->kinds = 0;
  v->n_syncs = 0;
  show(v);
}

/* With the mutex: waits until there is something. */
static int await(qm_events_state *v, uint32_t timeout_ms) {
  struct timespec until = qm__handle_deadline(timeout_ms == UINT32_MAX ? 0 : timeout_ms);
  uint32_t interrupts = v->interrupts;
  int waited = timeout_ms ? 0 : ETIMEDOUT;
  while (!v->kinds && !v->n_syncs) {
    if (v->interrupts != interrupts || v->leaving) return QM_ECLOSED;
    if (waited == ETIMEDOUT) return QM_ETIMEOUT;
    waited = timeout_ms == UINT32_MAX ? pthread_cond_wait(&v->news, &v->mutex)
                                      : qm__wait_until(&v->news, &v->mutex, &until);
  }
  return QM_OK;
}

/* ---- pulled ---- */

int32_t qm_events(qm_db *db, uint32_t timeout_ms, qm_text *out, qm_error *e) {
  qm_buf b;
  if (!db || !out) return qm_fail(e, QM_EINVAL, "events: an argument is missing");
  qm_events_state *v = &db->events;
  qm_buf_init(&b, &db->env, TEXT_MAX);
  pthread_mutex_lock(&v->mutex);
  atomic_store(&v->used, 1);
  int rc = v->listening ? QM_ESTATE : await(v, timeout_ms);
  if (rc == QM_OK) put_all(v, &b);
  pthread_mutex_unlock(&v->mutex);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "events: %s", qm_err_text(rc));
}

static int own_pipe(int fds[2]) {
  if (pipe(fds) != 0) return QM_EIO;
  int failed = 0;
  for (int i = 0; i < 2; i++)
    failed |= fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0;
  if (!failed) return QM_OK;
  close(fds[0]);
  close(fds[1]);
  return QM_EIO;
}

int32_t qm_events_fd(qm_db *db, int32_t *out, qm_error *e) {
  if (!db || !out) return qm_fail(e, QM_EINVAL, "events: an argument is missing");
  qm_events_state *v = &db->events;
  pthread_mutex_lock(&v->mutex);
  atomic_store(&v->used, 1);
  int rc = v->has_fds ? QM_OK : own_pipe(v->fds);
  if (rc == QM_OK) {
    v->has_fds = 1;
    show(v);
    *out = v->fds[0];
  }
  pthread_mutex_unlock(&v->mutex);
  return rc == QM_OK ? rc : qm_fail(e, rc, "events: no descriptor is left");
}

/* ---- told ---- */

static void tell_lines(qm_events_state *v, qm_buf *b) {
  char *p = (char *)b->p;
  for (char *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
    *end = 0;
    v->told(v->payload, p, (size_t)(end - p));
  }
}

static void *listen_thread(void *payload) {
  qm_db *db = payload;
  qm_events_state *v = &db->events;
  qm_buf b;
  qm_buf_init(&b, &db->env, TEXT_MAX);
  pthread_mutex_lock(&v->mutex);
  while (!v->leaving) {
    if (await(v, UINT32_MAX) != QM_OK) continue; /* qm_interrupt is for others */
    qm_buf_clear(&b);
    put_all(v, &b);
    qm_buf_byte(&b, 0);
    int told = qm_buf_status(&b) == QM_OK;
    pthread_mutex_unlock(&v->mutex);
    if (told) tell_lines(v, &b);
    else (void)poll(NULL, 0, 100); /* no memory: again later */
    if (!told) qm_buf_free(&b), qm_buf_init(&b, &db->env, TEXT_MAX);
    pthread_mutex_lock(&v->mutex);
  }
  pthread_mutex_unlock(&v->mutex);
  qm_buf_free(&b);
  return NULL;
}

int32_t qm_listen(qm_db *db, void (*told)(void *payload, const char *line, size_t n),
                  void *payload, void (*free_payload)(void *payload), qm_error *e) {
  if (!db || !told) return qm_fail(e, QM_EINVAL, "listen: an argument is missing");
  qm_events_state *v = &db->events;
  int rc = QM_OK;
  pthread_mutex_lock(&v->mutex);
  if (v->listening) rc = QM_ESTATE;
  if (rc == QM_OK) {
    v->told = told;
    v->payload = payload;
    v->free_payload = free_payload;
    v->leaving = 0;
    atomic_store(&v->used, 1);
    rc = pthread_create(&v->thread, NULL, listen_thread, db) == 0 ? QM_OK : QM_ENOMEM;
    v->listening = rc == QM_OK;
  }
  pthread_mutex_unlock(&v->mutex);
  return rc == QM_OK ? rc : qm_fail(e, rc, "listen: %s", qm_err_text(rc));
}

void qm_unlisten(qm_db *db) {
  if (!db) return;
  qm_events_state *v = &db->events;
  pthread_mutex_lock(&v->mutex);
  int leaves = v->listening && !v->leaving;
  if (leaves) v->leaving = 1;
  pthread_cond_broadcast(&v->news);
  pthread_mutex_unlock(&v->mutex);
  if (!leaves) return;
  pthread_join(v->thread, NULL);
  if (v->free_payload) v->free_payload(v->payload);
  pthread_mutex_lock(&v->mutex);
  v->listening = v->leaving = 0;
  pthread_mutex_unlock(&v->mutex);
}
