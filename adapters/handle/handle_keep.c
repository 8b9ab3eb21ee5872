/* handle_keep.c: how much history this device keeps (SPEC S12.7). */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/inbox.h"
#include "core/retain.h"
#include "core/undo.h"

#define DAY_MS UINT64_C(86400000)
#define DAYS_MAX 36500u
#define MB UINT64_C(1000000)
#define MB_MAX 1000000u

/* ---- the setting ---- */

static int read_pair(qm_db *db, const char *key, uint64_t *a, uint64_t *b) {
  qm_buf value;
  qm_cur c;
  qm_buf_init(&value, &db->env, 64);
  int rc = qm__handle_meta_get(db, key, &value);
  if (rc == QM_OK) {
    qm_cur_init(&c, qm_buf_slice(&value));
    qm_cur_array_n(&c, 2);
    qm_cur_uint(&c, a);
    qm_cur_uint(&c, b);
    if (qm_cur_end(&c) != QM_OK) rc = QM_ECORRUPT;
  }
  qm_buf_free(&value);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int write_pair(qm_db *db, const char *key, uint64_t a, uint64_t b) {
  qm_buf value;
  qm_buf_init(&value, &db->env, 64);
  qm_mp_array(&value, 2);
  qm_mp_uint(&value, a);
  qm_mp_uint(&value, b);
  qm_meta_pair pair = {qm_str(key), qm_buf_slice(&value)};
  int rc = qm_buf_status(&value);
  if (rc == QM_OK) rc = qm__handle_meta_put(db, &pair, 1);
  qm_buf_free(&value);
  return rc;
}

static int read_keep(qm_db *db, uint64_t *days, uint64_t *mb) {
  *days = db->options.history_days;
  *mb = db->options.history_mb;
  return read_pair(db, QM_META_KEEP, days, mb);
}

int32_t qm_keep(qm_db *db, uint32_t days, uint32_t mb, qm_error *e) {
  if (days > DAYS_MAX || mb > MB_MAX)
    return qm_fail(e, QM_EINVAL, "keep: at most %u days and %u MB", DAYS_MAX, MB_MAX);
  QM_TRY(qm__handle_enter_alone(db, e));
  int rc = db->options.flags & QM_OPEN_READONLY ? QM_EREADONLY
                                                : write_pair(db, QM_META_KEEP, days, mb);
  qm__handle_leave(db);
  return rc == QM_OK ? rc : qm_fail(e, rc, "keep: %s", qm_err_text(rc));
}

/* ---- after a sync ---- */

static int by_age(qm_db *db, uint64_t days) {
  qm_retention r = {.keep_ms = days * DAY_MS};
  if (!days) return QM_OK;
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine); i++)
    QM_TRY(qm_engine_retain(db->engine, qm_engine_space_at(db->engine, i), &r, NULL));
  return QM_OK;
}

/* Notes of what was lost and what was settled go with it, and are bounded in number. */
static int notes_by_age(qm_db *db, uint64_t days) {
  uint64_t now = qm_engine_now(db->engine);
  uint64_t before = days && now > days * DAY_MS ? now - days * DAY_MS : 0;
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine); i++) {
    qm_space *s = qm_engine_space_at(db->engine, i);
    QM_TRY(qm_inbox_prune(db->engine, s, before));
    QM_TRY(qm_settled_prune(db->engine, s, before));
  }
  return QM_OK;
}

static int by_size(qm_db *db, uint64_t mb) {
  qm_capped capped = {0, 0, 0};
  uint64_t cut_ms = 0, over = 0;
  if (mb) QM_TRY(qm_engine_cap(db->engine, mb * MB, &capped));
  QM_TRY(read_pair(db, QM_META_CAPPED, &cut_ms, &over));
  if (!capped.gone && capped.over == over) return QM_OK;
  if (capped.gone) cut_ms = qm_engine_now(db->engine);
  return write_pair(db, QM_META_CAPPED, cut_ms, capped.over);
}

void qm__handle_retain(qm_db *db) {
  uint64_t days = 0, mb = 0;
  if (db->tx) return;
  int rc = read_keep(db, &days, &mb);
  if (rc == QM_OK) rc = notes_by_age(db, days);
  if (rc == QM_OK) rc = by_age(db, days);
  if (rc == QM_OK) rc = by_size(db, mb);
  if (rc != QM_OK) qm_log(&db->env, QM_LOG_WARN, "old history: %s", qm_err_text(rc));
}

/* ---- status ---- */

int qm__handle_keep_status(qm_db *db, qm_buf *out) {
  uint64_t days = 0, mb = 0, bytes = 0, cut_ms = 0, over = 0;
  QM_TRY(read_keep(db, &days, &mb));
  QM_TRY(read_pair(db, QM_META_CAPPED, &cut_ms, &over));
  QM_TRY(qm_engine_log_bytes(db->engine, &bytes));
  qm__handle_put(out, ",\"history\":{\"days\":");
  qm__handle_put_u64(out, days);
  qm__handle_put(out, ",\"mb\":");
  qm__handle_put_u64(out, mb);
  qm__handle_put(out, ",\"bytes\":");
  qm__handle_put_u64(out, bytes);
  qm__handle_put(out, ",\"over\":");
  qm__handle_put_u64(out, over);
  qm__handle_put(out, ",\"cut\":");
  if (cut_ms)
    qm__handle_put_u64(out, cut_ms);
  else
    qm__handle_put(out, "null");
  qm_buf_byte(out, '}');
  return QM_OK;
}
