/* handle_check.c: whether what is stored is what was written, and what was put right. */
#include "adapters/handle/handle.h"
#include "core/repair.h"

#define TRIES_MAX 8u /* while other processes write */

void qm__handle_put_mending(qm_buf *b, const qm_space *s) {
  qm__handle_put(b, ",\"mending\":");
  qm__handle_put(b, qm_space_dirty(s) ? "\"state\"" : qm_space_suspect(s) ? "\"records\"" : "null");
}

int qm__handle_put_repaired(qm_db *db, qm_buf *b, qm_space *s) {
  qm_repaired r;
  QM_TRY(qm_engine_repaired(db->engine, s, &r));
  qm__handle_put(b, ",\"repaired\":");
  if (!r.at_ms) {
    qm__handle_put(b, "null");
    return QM_OK;
  }
  qm__handle_put(b, "{\"records\":");
  qm__handle_put_u64(b, r.records);
  qm__handle_put(b, ",\"states\":");
  qm__handle_put_u64(b, r.states);
  qm__handle_put(b, ",\"time\":");
  qm__handle_put_u64(b, r.at_ms);
  qm_buf_byte(b, '}');
  return QM_OK;
}

/* *worst: the first space at fault. */
static int check_space(qm_db *db, qm_space *s, qm_buf *b, int *worst) {
  qm_error e = {0, ""};
  qm_space_info info;
  int rc = qm_engine_check(db->engine, s, &e);
  int found = rc == QM_EDIFFER || rc == QM_ECORRUPT;
  if (rc != QM_OK && !found) return rc;
  if (found && *worst == QM_OK) *worst = rc;
  qm_space_info_get(s, &info);
  qm__handle_put(b, "{\"id\":");
  qm__handle_put_id(b, &info.id);
  qm__handle_put(b, ",\"name\":");
  qm_json_str(b, info.name);
  qm__handle_put(b, found ? ",\"ok\":false" : ",\"ok\":true");
  qm__handle_put_mending(b, s);
  QM_TRY(qm__handle_put_repaired(db, b, s));
  qm__handle_put(b, "}\n");
  return qm_buf_status(b);
}

static int check_all(qm_db *db, qm_buf *b, int *worst) {
  int rc = QM_OK;
  *worst = QM_OK;
  qm_buf_clear(b);
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine) && rc == QM_OK; i++)
    rc = check_space(db, qm_engine_space_at(db->engine, i), b, worst);
  return rc;
}

/* Whether another process has written since this engine read what it compares with; one that only
 * reads cannot tell, and looks twice. */
static int is_behind(qm_db *db, unsigned tried) {
  if (db->options.flags & QM_OPEN_READONLY) return !tried;
  int rc = qm_engine_begin(db->engine);
  if (rc == QM_OK) qm_engine_rollback(db->engine);
  return rc == QM_EBUSY;
}

/* What does not agree is only believed where nobody wrote meanwhile. */
static int check_surely(qm_db *db, qm_buf *b, int *worst, qm_error *e) {
  for (unsigned tried = 0;; tried++) {
    int rc = check_all(db, b, worst);
    if (rc == QM_OK && *worst == QM_OK) return rc;
    if (rc != QM_OK && rc != QM_EBUSY) return rc;
    if (rc == QM_OK && (db->syncing || !is_behind(db, tried))) return rc;
    if (tried == TRIES_MAX) return QM_EBUSY;
    QM_TRY(qm__handle_reopen(db, e));
  }
}

int32_t qm_check(qm_db *db, qm_text *out, qm_error *e) {
  qm_buf b;
  int worst = QM_OK;
  if (!out) return qm_fail(e, QM_EINVAL, "check: an argument is missing");
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  int rc = check_surely(db, &b, &worst, e);
  qm__handle_leave(db);
  if (rc == QM_OK) rc = qm__handle_result(&b, out, e);
  else qm_buf_free(&b);
  if (rc != QM_OK) return qm_fail(e, rc, "check: %s", qm_err_text(rc));
  return worst == QM_OK ? QM_OK : qm_fail(e, worst, "records are not as they were written; "
                                                    "the next sync replaces them");
}
