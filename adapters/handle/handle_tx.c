/* handle_tx.c: transactions: beginning, committing and cancelling them; and one that a suspend
 * ended, which stays its owner's to free. */
#include "adapters/handle/handle.h"
#include "sync/uv/client.h"

static int begin_once(qm_db *db, qm_slice space, qm_tx *tx, qm_error *e) {
  QM_TRY(qm__handle_space(db, space, &tx->space, e));
  QM_TRY(qm__handle_check_sensitive(db, qm_space_schema(tx->space), e));
  int rc = qm_write_begin(&tx->write, db->engine, tx->space, 0);
  return rc == QM_OK ? rc : qm_fail(e, rc, "begin: %s", qm_err_text(rc));
}

int32_t qm_begin(qm_db *db, qm_slice space, qm_tx **out, qm_error *e) {
  if (!out) return qm_fail(e, QM_EINVAL, "begin: an argument is missing");
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_tx *tx = qm_alloc_zero(&db->env, sizeof *tx);
  int rc = tx ? QM_OK : qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  if (rc == QM_OK) rc = begin_once(db, space, tx, e);
  if (rc == QM_EBUSY && qm__handle_reopen(db, e) == QM_OK) rc = begin_once(db, space, tx, e);
  if (rc == QM_OK) {
    tx->db = db;
    qm_arena_init(&tx->arena, &db->env, (size_t)64 << 20);
    db->tx = *out = tx;
  } else {
    qm_free(&db->env, tx);
  }
  qm__handle_leave(db);
  return rc;
}

static void free_tx(qm_tx *tx) {
  qm_arena_free(&tx->arena);
  qm_free(&tx->db->env, tx);
}

/* With the mutex held. */
static void end(qm_tx *tx) {
  qm_db *db = tx->db;
  db->tx = NULL;
  free_tx(tx);
  pthread_cond_broadcast(&db->ended);
}

void qm__handle_tx_end(qm_db *db) {
  qm_tx *tx = db->tx;
  if (!tx) return;
  qm_write_cancel(tx->write);
  tx->write = NULL;
  tx->next = db->ended_early;
  db->ended_early = tx;
  db->tx = NULL;
  pthread_cond_broadcast(&db->ended);
}

void qm__handle_tx_drop_ended(qm_db *db) {
  while (db->ended_early) {
    qm_tx *tx = db->ended_early;
    db->ended_early = tx->next;
    free_tx(tx);
  }
}

/* With the mutex held: 1 where it had been ended, and is gone. */
static int was_ended(qm_tx *tx) {
  qm_db *db = tx->db;
  if (tx->write) return 0;
  for (qm_tx **at = &db->ended_early; *at; at = &(*at)->next)
    if (*at == tx) {
      *at = tx->next;
      break;
    }
  free_tx(tx);
  return 1;
}

int qm__handle_tx_enter(qm_tx *tx, qm_error *e) {
  pthread_mutex_lock(&tx->db->mutex);
  if (tx->write) return QM_OK;
  pthread_mutex_unlock(&tx->db->mutex);
  return qm_fail(e, QM_ESUSPENDED, "the transaction was ended by a suspend");
}

void qm__handle_committed(qm_db *db) {
  pthread_cond_broadcast(&db->changed);
  if (db->wake) qm_client_poke(db->wake);
  qm__happened(db, QM_HAPPENED_CHANGE, QM_OK);
}

int32_t qm_commit(qm_tx *tx, qm_error *e) {
  if (!tx) return qm_fail(e, QM_EINVAL, "commit: there is no transaction");
  qm_db *db = tx->db;
  pthread_mutex_lock(&db->mutex);
  int rc = QM_ESUSPENDED;
  qm_error missing = {0, ""};
  if (!was_ended(tx)) {
    uint32_t n = qm_write_count(tx->write);
    rc = qm_write_check(tx->write);
    if (rc == QM_EINCOMPLETE || rc == QM_ESCHEMA) {
      missing = *qm_write_error(tx->write);
      qm_write_cancel(tx->write);
    } else {
      rc = qm_write_commit(tx->write, QM_DURABLE);
    }
    end(tx);
    if (n && rc == QM_OK) qm__handle_committed(db);
    /* A session that stays ends for it, so that all can be opened again. */
    if (rc != QM_OK && db->wake && qm__handle_failed(db)) qm_client_poke(db->wake);
  }
  pthread_mutex_unlock(&db->mutex);
  if (missing.code == QM_ESCHEMA) return qm_fail(e, rc, "%s", missing.message); /* qm_explain */
  if (missing.code) return qm_fail(e, rc, "nothing was saved: %s", missing.message);
  return rc == QM_OK ? rc : qm_fail(e, rc, "nothing was saved: %s", qm_err_text(rc));
}

void qm_cancel(qm_tx *tx) {
  if (!tx) return;
  qm_db *db = tx->db;
  pthread_mutex_lock(&db->mutex);
  if (!was_ended(tx)) {
    qm_write_cancel(tx->write);
    end(tx);
  }
  pthread_mutex_unlock(&db->mutex);
}

uint32_t qm_written(const qm_tx *tx) {
  if (!tx) return 0;
  pthread_mutex_lock(&tx->db->mutex);
  uint32_t n = tx->write ? qm_write_count(tx->write) : 0;
  pthread_mutex_unlock(&tx->db->mutex);
  return n;
}
