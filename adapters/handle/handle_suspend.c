/* handle_suspend.c: an app goes to the background, and comes back.
 *
 * Closing everything is the one way that surely leaves nothing: no statement that was not reset,
 * no lock of the WAL index, no page of the log that is not in the file. What runs is asked to
 * end first; new calls are refused from the first moment on. */
#include <errno.h>
#include <time.h>

#include "adapters/handle/handle.h"
#include "adapters/handle/handle_sync.h"
#include "sync/uv/client.h"

static uint32_t left(const struct timespec *until) {
  struct timespec now = qm__handle_deadline(0);
  int64_t ms = (int64_t)(until->tv_sec - now.tv_sec) * 1000 +
               (until->tv_nsec - now.tv_nsec) / 1000000;
  return ms > 0 ? (uint32_t)ms : 0;
}

/* With the mutex: whoever waits or syncs leaves. */
static void send_away(qm_db *db) {
  db->interrupts++;
  pthread_cond_broadcast(&db->changed);
  pthread_cond_broadcast(&db->ended);
  if (db->wake) qm_client_poke(db->wake);
}

/* With the mutex. A transaction has half of the time to end by itself: a sync that waits for
 * it must end in the rest. */
static int wait_for_all(qm_db *db, const struct timespec *until, uint32_t deadline_ms) {
  struct timespec half = qm__handle_deadline(deadline_ms / 2);
  int waited = 0;
  while (db->tx && waited != ETIMEDOUT)
    waited = qm__wait_until(&db->ended, &db->mutex, &half);
  qm__handle_tx_end(db);
  qm__link_drop(db);
  waited = 0;
  while (db->syncing && waited != ETIMEDOUT)
    waited = qm__wait_until(&db->ended, &db->mutex, until);
  return db->syncing ? QM_ETIMEOUT : QM_OK;
}

static int close_query(qm_db *db, uint32_t ms) {
  QM_TRY(qm__wait_lock(&db->query_mutex, ms));
  qm_query_close(db->query);
  db->query = NULL;
  pthread_mutex_unlock(&db->query_mutex);
  return QM_OK;
}

int32_t qm_suspend(qm_db *db, uint32_t deadline_ms, qm_error *e) {
  if (!db) return qm_fail(e, QM_EINVAL, "there is no database handle");
  struct timespec until = qm__handle_deadline(deadline_ms);
  int was = atomic_exchange(&db->suspended, 1); /* before the mutex: a long query ends by it */
  atomic_fetch_add(&db->cancels, 1);            /* and an enrolment */
  int rc = qm__wait_lock(&db->mutex, deadline_ms);
  if (rc == QM_OK) {
    send_away(db);
    rc = wait_for_all(db, &until, left(&until));
    if (rc == QM_OK) rc = close_query(db, left(&until));
    if (rc == QM_OK) qm__handle_close_all(db);
    pthread_mutex_unlock(&db->mutex);
  }
  if (rc != QM_OK) return qm_fail(e, rc, "something still runs; call qm_suspend again");
  if (!was) qm__happened(db, QM_HAPPENED_SUSPEND, QM_OK);
  return QM_OK;
}

int32_t qm_resume(qm_db *db, qm_error *e) {
  if (!db) return qm_fail(e, QM_EINVAL, "there is no database handle");
  pthread_mutex_lock(&db->mutex);
  int was = atomic_exchange(&db->suspended, 0);
  int rc = was && !db->engine ? qm__handle_open_all(db, e) : QM_OK;
  pthread_mutex_unlock(&db->mutex);
  if (was) qm__happened(db, QM_HAPPENED_RESUME, QM_OK);
  return rc;
}
