/* handle_link.c: a sync whose bytes the program carries. TLS and the session as in
 * sync/uv/client.c, without a loop: every call takes what it is given, does what can be done, and
 * leaves what waits in the two queues of TLS and in `plain` and `rest`. The engine is used only
 * inside a call, with the mutex held and no transaction open. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/handle/handle_sync.h"

#define PIECE 16384u
#define OUT_HIGH 131072u /* more than this is first taken by the program */

struct qm_link {
  qm__sync run;
  qm_device side;
  qm_tls *tls;
  int due, is_open; /* is_open: TLS is, and the session runs */
  int is_shut;      /* our last word is said */
  int code;         /* why it failed, or QM_OK */
  qm_error error;
  uint8_t plain[PIECE]; /* from the hub, that the session left */
  size_t plain_at, plain_n;
  uint8_t rest[PIECE]; /* for the hub, that TLS had no room for */
  size_t rest_at, rest_n;
};

static uint64_t now_ms(void) {
  struct timespec t = qm__handle_deadline(0);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- life ---- */

static int make_tls(qm_link *l, qm_error *e) {
  qm_db *db = l->run.db;
  qm_tls_config *config = NULL;
  qm_cert cert;
  qm_slice der = qm_buf_slice(&l->run.cert);
  int rc = qm_cert_read(der, &cert);
  if (rc == QM_OK)
    rc = qm_tls_config_client(&db->env, qm_buf_slice(&l->run.ca), der, db->key, &config);
  if (rc == QM_OK) {
    l->due = qm_cert_renewal_due(&cert, db->env.now_ms(db->env.payload));
    if (db->options.check_hub) qm_tls_config_judge(config, qm__sync_judge, &l->run);
    rc = qm_tls_new(config, &l->tls);
    qm_tls_config_free(config);
  }
  return rc == QM_OK ? rc : qm_fail(e, rc, "certificate of this device: %s", qm_err_text(rc));
}

/* What another process has written is taken in first: afterwards the engine stays as it is. */
static int check_engine(qm_db *db, qm_error *e) {
  int rc = qm_engine_begin(db->engine);
  if (rc == QM_EBUSY && qm__handle_reopen(db, e) == QM_OK) rc = qm_engine_begin(db->engine);
  if (rc == QM_OK) qm_engine_rollback(db->engine);
  return rc == QM_OK ? rc : qm_fail(e, rc, "sync: %s", qm_err_text(rc));
}

static void free_link(qm_link *l) {
  const qm_env *env = &l->run.db->env;
  qm_tls_free(l->tls);
  qm_device_free(&l->side);
  qm__sync_free(&l->run);
  qm_free(env, l);
}

static int open_link(qm_db *db, qm_link **out, qm_error *e) {
  qm_link *l = qm_alloc_zero(&db->env, sizeof *l);
  if (!l) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  qm__sync_init(&l->run, db);
  int rc = qm__sync_check_clock(db, e);
  if (rc == QM_OK) rc = qm__sync_enrolment(&l->run, e);
  if (rc == QM_OK) rc = check_engine(db, e);
  if (rc == QM_OK) {
    qm_device_init(&l->side, &db->env, db->engine, db->key, qm_buf_slice(&l->run.home),
                   QM_ANSWER_CLOCK, &l->run.result);
    rc = make_tls(l, e);
  }
  if (rc != QM_OK) {
    qm__sync_free(&l->run);
    qm_tls_free(l->tls);
    qm_free(&db->env, l);
    return rc;
  }
  qm__sync_begin(&l->run);
  db->link = *out = l;
  db->syncing = 1;
  return QM_OK;
}

int32_t qm_link_open(qm_db *db, qm_link **out, qm_error *e) {
  if (!out) return qm_fail(e, QM_EINVAL, "link: an argument is missing");
  QM_TRY(qm__handle_enter_alone(db, e));
  int rc = db->syncing ? qm_fail(e, QM_EBUSY, "a sync is under way") : open_link(db, out, e);
  qm__handle_leave(db);
  return rc;
}

/* The link stays with its owner, and is over. */
void qm__link_drop(qm_db *db) {
  qm_link *l = db->link;
  if (!l) return;
  qm_device_count(&l->side);
  qm_device_free(&l->side);
  l->is_open = 0;
  if (l->code == QM_OK) l->code = qm_fail(&l->error, QM_ESUSPENDED, "%s",
                                          qm_err_text(QM_ESUSPENDED));
  db->link = NULL;
  db->syncing = 0;
}

/* ---- bytes ---- */

static void fail(qm_link *l, int code) {
  if (l->code != QM_OK || l->side.over) return;
  l->code = code;
  if (qm_tls_error(l->tls, &l->error) != code)
    (void)qm_fail(&l->error, code, "%s", qm_err_text(code));
  if (l->side.session) qm_session_shut(l->side.session, code);
}

/* With TLS of its own the program has seen to it that this is the hub of the enrolment. */
static int hub_of(const qm_link *l, qm_cert *out) {
#ifdef QM_NO_NET
  if (l->run.home.n != QM_SPKI_SIZE) return QM_ECERT;
  memset(out, 0, sizeof *out);
  memcpy(out->spki, l->run.home.p, QM_SPKI_SIZE);
  qm_spki_device(qm_buf_slice(&l->run.home), &out->device);
  out->is_server = 1;
  return QM_OK;
#else
  return qm_tls_peer(l->tls, out);
#endif
}

static void open_session(qm_link *l) {
  qm_db *db = l->run.db;
  qm_cert hub;
  if (l->is_open || qm_tls_state_of(l->tls) != QM_TLS_OPEN) return;
  int rc = hub_of(l, &hub);
  if (rc == QM_OK)
    rc = qm_device_open(&l->side, &hub, qm_key_device(db->key), l->due ? QM_SESSION_RENEW : 0,
                        now_ms());
  if (rc == QM_OK) l->is_open = 1;
  else fail(l, rc);
}

/* 1 where something moved. */
static int read_plain(qm_link *l) {
  size_t used = 0;
  if (!l->is_open) return 0;
  if (l->plain_at == l->plain_n) {
    l->plain_at = l->plain_n = 0;
    int rc = qm_tls_read(l->tls, l->plain, sizeof l->plain, &l->plain_n);
    if (rc != QM_OK) {
      fail(l, rc);
      l->plain_n = 0;
    }
  }
  if (l->plain_at == l->plain_n || l->side.over) return 0;
  int rc = qm_session_feed(l->side.session, l->plain + l->plain_at, l->plain_n - l->plain_at,
                           &used);
  l->plain_at = rc == QM_OK ? l->plain_at + used : l->plain_n;
  return used > 0;
}

static int work(qm_link *l) {
  qm_event ev;
  int moved = 0;
  if (!l->is_open) return 0;
  (void)qm_session_tick(l->side.session, now_ms());
  while (!l->side.over && qm_session_next(l->side.session, &ev)) {
    moved = 1;
    qm_device_note(&l->side, &ev);
    qm__sync_count_begin(&l->run);
    qm_device_answer(&l->side, &ev);
    qm__sync_count_end(&l->run);
  }
  if (moved) pthread_cond_broadcast(&l->run.db->changed);
  return moved;
}

static int write_plain(qm_link *l) {
  size_t used = 0;
  if (!l->is_open || qm_tls_pending(l->tls) > OUT_HIGH) return 0;
  if (l->rest_at == l->rest_n) {
    l->rest_at = l->rest_n = 0;
    (void)qm_session_take(l->side.session, l->rest, sizeof l->rest, &l->rest_n);
  }
  if (l->rest_at == l->rest_n) {
    if (l->side.over && !l->is_shut) l->is_shut = qm_tls_shutdown(l->tls) == QM_OK;
    return 0;
  }
  int rc = qm_tls_write(l->tls, l->rest + l->rest_at, l->rest_n - l->rest_at, &used);
  if (rc != QM_OK) {
    fail(l, rc);
    l->rest_at = l->rest_n;
  }
  l->rest_at += used;
  return used > 0;
}

static void pump(qm_link *l) {
  int moved = 1;
  qm_client_progress p;
  if (qm__handle_failed(l->run.db)) fail(l, QM_EIO);
  while (moved) {
    open_session(l);
    moved = read_plain(l);
    moved |= work(l);
    moved |= write_plain(l);
  }
  qm_device_progress(&l->side, &p);
  qm__sync_tell(&l->run, &p);
}

static int is_over(const qm_link *l) { return l->code != QM_OK || l->side.over; }

static int enter(qm_link *l, qm_error *e) {
  if (!l) return qm_fail(e, QM_EINVAL, "there is no link");
  qm_db *db = l->run.db;
  QM_TRY(qm__handle_enter_alone(db, e));
  if (db->link == l) return QM_OK;
  qm__handle_leave(db); /* it was suspended meanwhile */
  return qm_fail(e, QM_ESUSPENDED, "%s", qm_err_text(QM_ESUSPENDED));
}

int32_t qm_link_feed(qm_link *l, qm_slice bytes, size_t *used, qm_error *e) {
  if (!used) return qm_fail(e, QM_EINVAL, "link: an argument is missing");
  *used = 0;
  QM_TRY(enter(l, e));
  int stop = qm__sync_stopped(&l->run);
  if (stop != QM_OK) fail(l, stop);
  int rc = qm_tls_feed(l->tls, bytes.p, bytes.n, used);
  if (rc != QM_OK) fail(l, rc);
  pump(l);
  rc = l->side.over ? QM_OK : l->code;
  qm__handle_leave(l->run.db);
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", l->error.message);
}

int32_t qm_link_take(qm_link *l, uint8_t *to, size_t room, size_t *n, qm_error *e) {
  if (!n || !to) return qm_fail(e, QM_EINVAL, "link: an argument is missing");
  *n = 0;
  QM_TRY(enter(l, e));
  (void)qm_tls_take(l->tls, to, room, n);
  if (!*n) {
    pump(l);
    (void)qm_tls_take(l->tls, to, room, n);
  }
  qm__handle_leave(l->run.db);
  return QM_OK;
}

uint32_t qm_link_wait(qm_link *l) {
  if (!l) return UINT32_MAX;
  qm_db *db = l->run.db;
  uint64_t at = UINT64_MAX, now = now_ms();
  pthread_mutex_lock(&db->mutex);
  if (l->side.session && !is_over(l)) at = qm_session_deadline(l->side.session);
  pthread_mutex_unlock(&db->mutex);
  if (at == UINT64_MAX) return UINT32_MAX;
  return at <= now ? 0 : at - now < UINT32_MAX ? (uint32_t)(at - now) : UINT32_MAX - 1;
}

int32_t qm_link_over(qm_link *l) {
  if (!l) return 1;
  pthread_mutex_lock(&l->run.db->mutex);
  int over = is_over(l);
  pthread_mutex_unlock(&l->run.db->mutex);
  return over;
}

/* The session's own end counts for more than how the stream ended. */
static int outcome(qm_link *l, qm_error *e) {
  if (l->side.over && l->side.code == QM_OK) {
    l->run.result.complete = 1;
    return QM_OK;
  }
  if (l->side.over) return qm_fail(e, l->side.code, "%s", l->side.error.message);
  if (l->code != QM_OK) return qm_fail(e, l->code, "%s", l->error.message);
  return qm_fail(e, QM_ECLOSED, "the sync was cut before its end");
}

int32_t qm_link_close(qm_link *l, qm_sync_result *out, qm_error *e) {
  if (!l) return qm_fail(e, QM_EINVAL, "there is no link");
  qm_db *db = l->run.db;
  int rc = qm__handle_enter_alone(db, e);
  if (rc == QM_EBUSY) return rc;
  if (rc != QM_OK) pthread_mutex_lock(&db->mutex); /* suspended, or not to be opened again */
  int mine = db->link == l;
  int ended = outcome(l, e);
  if (mine) {
    qm_device_count(&l->side);
    qm_device_free(&l->side);
    db->link = NULL;
    db->syncing = 0;
    ended = qm__sync_end(&l->run, ended, out, e);
    pthread_cond_broadcast(&db->ended);
  }
  free_link(l);
  pthread_mutex_unlock(&db->mutex);
  return ended;
}
