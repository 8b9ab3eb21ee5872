/* handle_due.c: what is due, explained refusals, points for display, schemas with their files. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/datum.h"
#include "core/reason.h"

#define PAGE 100u
#define PAGE_MAX 1000u

/* ---- what is due ---- */

static int resolve(qm_db *db, qm_slice space, qm_query_due_options *o, qm_error *e) {
  qm_space *s = NULL;
  QM_TRY(qm__handle_enter(db, e));
  int rc = space.n ? qm__handle_space(db, space, &s, e) : QM_OK;
  if (rc == QM_OK && s) o->space = qm__handle_number(s);
  o->now_ms = (int64_t)qm_engine_now(db->engine);
  qm__handle_leave(db);
  return rc;
}

int32_t qm_due(qm_db *db, qm_slice space, uint32_t flags, uint32_t limit, uint32_t offset,
               qm_text *out, qm_error *e) {
  qm_query_due_options o = {.overdue = (flags & QM_OVERDUE) != 0, .offset = offset};
  qm_buf b;
  if (!out || !db) return qm_fail(e, QM_EINVAL, "due: an argument is missing");
  o.limit = !limit ? PAGE : limit > PAGE_MAX ? PAGE_MAX : limit;
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  int rc = resolve(db, space, &o, e);
  if (rc == QM_OK) rc = qm__handle_query_enter(db, e);
  if (rc == QM_OK) {
    rc = qm_query_due(db->query, &o, &b, e);
    pthread_mutex_unlock(&db->query_mutex);
  }
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

/* ---- why a value was refused ---- */

int32_t qm_explain(const qm_error *e, qm_explanation *out) {
  if (!out || out->size != sizeof *out) return QM_EINVAL;
  *out = (qm_explanation){.size = sizeof *out};
  if (!e) return QM_EINVAL;
  qm_reason r = qm_reason_find(e->message, &out->field, &out->detail);
  if (r == QM_REASON_NONE) return QM_ENOTFOUND;
  /* Of the others the detail is for who mends the schema. */
  if (r != QM_REASON_CODE_MOVED && (r < QM_REASON_BASIS || r > QM_REASON_COVER))
    out->detail = qm_slice_of(NULL, 0);
  out->reason = qm_reason_word(r);
  out->en = qm_reason_en(r);
  out->zh = qm_reason_zh(r);
  return QM_OK;
}

/* ---- points ---- */

int32_t qm_point_shown(double *latitude, double *longitude, int32_t from, int32_t to) {
  int known = (from == QM_WGS84 || from == QM_GCJ02) && (to == QM_WGS84 || to == QM_GCJ02);
  if (!latitude || !longitude || !known) return QM_EINVAL;
  if (!(*latitude >= -90 && *latitude <= 90 && *longitude >= -180 && *longitude <= 180))
    return QM_EINVAL;
  if (from == QM_WGS84 && to == QM_GCJ02) qm_datum_to_gcj02(latitude, longitude);
  if (from == QM_GCJ02 && to == QM_WGS84) qm_datum_to_wgs84(latitude, longitude);
  return QM_OK;
}
