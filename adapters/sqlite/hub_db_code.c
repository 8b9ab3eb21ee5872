/* hub_db_code.c: one-time codes, see hub_db.h. */
#include <string.h>

#include "adapters/sqlite/hub_db_impl.h"

#define KEEP_EXPIRED_MS (UINT64_C(30) * 24 * 3600 * 1000)

static qm__arg hash_arg(const qm_hash *hash) { return qm__blob(hash->b, QM_HASH_SIZE); }

/* ---- making ---- */

static int code_write(qm_hubdb *h, const qm_hub_code *row, const qm_id *spaces, size_t n) {
  int rc = qm__db_change(&h->db, QM__SQL_CODE_ADD,
                         QM__ARGS(hash_arg(&row->hash), qm__text(row->member), qm__text(row->role),
                                  qm__u64(row->expires_ms), qm__int(QM_HUB_CODE_TRIES)));
  if (rc == QM_ENOTFOUND) return QM_EEXIST;
  QM_TRY(rc);
  for (size_t i = 0; i < n; i++)
    QM_TRY(qm__db_run(&h->db, QM__SQL_CODE_SPACE_ADD,
                      QM__ARGS(hash_arg(&row->hash), qm__blob(spaces[i].b, QM_ID_SIZE))));
  return QM_OK;
}

int qm_hubdb_code_add(qm_hubdb *h, const qm_hub_code *row, const qm_id *spaces, size_t n) {
  if (!qm__hub_text_fits(row->member) || !qm__hub_text_fits(row->role)) return QM_EINVAL;
  if (row->expires_ms > INT64_MAX) return QM_EINVAL;
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, code_write(h, row, spaces, n));
}

/* ---- attempts of an address ---- */

typedef struct attempt {
  uint64_t window_start;
  int64_t tries;
} attempt;

static int attempt_out(void *payload, sqlite3_stmt *st) {
  attempt *a = payload;
  a->window_start = qm__db_u64(st, 0);
  a->tries = sqlite3_column_int64(st, 1);
  return QM_OK;
}

/* Windows that are over, and those of a clock that has been set back. */
static int attempt_sweep(qm_hubdb *h, uint64_t now_ms) {
  uint64_t oldest = now_ms >= QM_HUB_ADDRESS_WINDOW_MS ? now_ms - QM_HUB_ADDRESS_WINDOW_MS + 1 : 0;
  return qm__db_run(&h->db, QM__SQL_ATTEMPT_SWEEP, QM__ARGS(qm__u64(oldest), qm__u64(now_ms)));
}

static int attempt_count(qm_hubdb *h, uint64_t now_ms, const char *address) {
  QM_TRY(attempt_sweep(h, now_ms));
  attempt a = {now_ms, 0};
  int rc = qm__hub_one(h, QM__SQL_ATTEMPT_GET, QM__ARGS(qm__text(address)), attempt_out, &a);
  if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
  if (a.tries >= QM_HUB_ADDRESS_TRIES) return QM_ETRIES;
  return qm__db_run(&h->db, QM__SQL_ATTEMPT_PUT,
                    QM__ARGS(qm__text(address), qm__u64(a.window_start), qm__int(a.tries + 1)));
}

/* A code that was good was no guess: an office enrols its phones one after the other. */
static int attempt_refund(qm_hubdb *h, uint64_t now_ms, const char *address) {
  attempt a = {now_ms, 0};
  QM_TRY(qm__hub_one(h, QM__SQL_ATTEMPT_GET, QM__ARGS(qm__text(address)), attempt_out, &a));
  return qm__db_run(&h->db, QM__SQL_ATTEMPT_PUT,
                    QM__ARGS(qm__text(address), qm__u64(a.window_start), qm__int(a.tries - 1)));
}

/* ---- using ---- */

typedef struct code_state {
  char member[QM_HUB_TEXT_MAX + 1];
  char role[QM_HUB_TEXT_MAX + 1];
  uint64_t expires_ms;
  int64_t tries_left;
  uint64_t used_ms; /* 0: not used */
  qm_id used_by;
} code_state;

static int code_out(void *payload, sqlite3_stmt *st) {
  code_state *c = payload;
  memset(c, 0, sizeof *c);
  QM_TRY(qm__hub_column_text(st, 0, c->member));
  QM_TRY(qm__hub_column_text(st, 1, c->role));
  c->expires_ms = qm__db_u64(st, 2);
  c->tries_left = sqlite3_column_int64(st, 3);
  c->used_ms = qm__db_u64(st, 4);
  return c->used_ms ? qm__db_fixed(st, 5, c->used_by.b, QM_ID_SIZE) : QM_OK;
}

static int code_get(qm_hubdb *h, const qm_hash *code, code_state *out) {
  int rc = qm__hub_one(h, QM__SQL_CODE_GET, QM__ARGS(hash_arg(code)), code_out, out);
  return rc == QM_ENOTFOUND ? QM_ECODEUSED : rc;
}

/* A refusal that takes a try of the code; returns it, or what writing it down gave. */
static int refuse(qm_hubdb *h, const qm_hash *code, int refusal) {
  QM_TRY(qm__db_run(&h->db, QM__SQL_CODE_TRY, QM__ARGS(hash_arg(code))));
  return refusal;
}

/* What a device that enrols again with its key keeps. */
static void keep_notes(const qm_hub_device *known, qm_hub_device *device) {
  device->last_sync_ms = known->last_sync_ms;
  device->behind = known->behind;
  device->refused = known->refused;
  device->refused_code = known->refused_code;
  device->clock_offset_ms = known->clock_offset_ms;
}

static int enrol(qm_hubdb *h, const qm_hash *code, const code_state *c, uint64_t now_ms,
                 qm_hub_device *device) {
  memcpy(device->member, c->member, sizeof device->member);
  memcpy(device->role, c->role, sizeof device->role);
  device->enrolled_ms = now_ms;
  QM_TRY(qm__hub_device_write(h, device));
  qm__arg id = qm__blob(device->id.b, QM_ID_SIZE);
  QM_TRY(qm__db_run(&h->db, QM__SQL_DEVICE_SPACE_DROP, QM__ARGS(id)));
  QM_TRY(qm__db_run(&h->db, QM__SQL_CODE_SPACES_TO_DEVICE, QM__ARGS(hash_arg(code), id)));
  return qm__db_run(&h->db, QM__SQL_CODE_USE,
                    QM__ARGS(hash_arg(code), qm__u64(now_ms ? now_ms : 1), id));
}

/* The first answer was lost. Only the certificate is new: the office may have given the
 * device another role or other spaces since. */
static int answer_again(qm_hubdb *h, qm_hub_device *known, qm_hub_device *device) {
  known->not_after_ms = device->not_after_ms;
  QM_TRY(qm__hub_device_write(h, known));
  *device = *known;
  return QM_OK;
}

static int use(qm_hubdb *h, const qm_hash *code, uint64_t now_ms, const char *address,
               qm_hub_device *device) {
  code_state c;
  QM_TRY(attempt_count(h, now_ms, address));
  QM_TRY(code_get(h, code, &c));
  if (c.tries_left <= 0) return QM_ETRIES;
  if (c.used_ms && qm_id_cmp(&c.used_by, &device->id) != 0) return refuse(h, code, QM_ECODEUSED);
  if (now_ms >= c.expires_ms) return refuse(h, code, QM_ECODEEXPIRED);
  device->revoked_ms = device->last_sync_ms = device->behind = device->refused = 0;
  device->refused_code = 0;
  device->clock_offset_ms = 0;
  qm_hub_device known;
  int rc = qm_hubdb_device_get(h, &device->id, &known);
  if (rc == QM_OK && known.revoked_ms) return refuse(h, code, QM_EREVOKED);
  if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
  if (rc == QM_OK && c.used_ms) return answer_again(h, &known, device);
  if (rc == QM_OK) keep_notes(&known, device);
  QM_TRY(attempt_refund(h, now_ms, address));
  return enrol(h, code, &c, now_ms, device);
}

/* These refusals are answers, not failures: what was counted stays. */
static int is_refusal(int rc) {
  return rc == QM_ETRIES || rc == QM_ECODEUSED || rc == QM_ECODEEXPIRED || rc == QM_EREVOKED;
}

static int end(qm_hubdb *h, int rc) {
  if (!is_refusal(rc)) return qm__hub_leave(h, rc);
  QM_TRY(qm__hub_leave(h, QM_OK));
  return rc;
}

static int address_fits(const char *address) {
  return strnlen(address, QM_HUB_ADDRESS_MAX + 1) <= QM_HUB_ADDRESS_MAX;
}

int qm_hubdb_code_use(qm_hubdb *h, const qm_hash *code, uint64_t now_ms, const char *address,
                      qm_hub_device *device) {
  if (!address_fits(address) || device->spki_len > QM_HUB_SPKI_MAX || now_ms > INT64_MAX)
    return QM_EINVAL;
  if (h->open) return QM_ESTATE;
  QM_TRY(qm__hub_enter(h));
  return end(h, use(h, code, now_ms, address, device));
}

static int fail(qm_hubdb *h, const qm_hash *code, uint64_t now_ms, const char *address) {
  code_state c;
  QM_TRY(attempt_count(h, now_ms, address));
  int rc = code_get(h, code, &c);
  if (rc == QM_ECODEUSED) return QM_OK;
  QM_TRY(rc);
  if (c.tries_left <= 0) return QM_ETRIES;
  return refuse(h, code, QM_OK);
}

int qm_hubdb_code_fail(qm_hubdb *h, const qm_hash *code, uint64_t now_ms, const char *address) {
  if (!address_fits(address) || now_ms > INT64_MAX) return QM_EINVAL;
  if (h->open) return QM_ESTATE;
  QM_TRY(qm__hub_enter(h));
  return end(h, fail(h, code, now_ms, address));
}

static int sweep(qm_hubdb *h, uint64_t now_ms) {
  QM_TRY(attempt_sweep(h, now_ms));
  if (now_ms <= KEEP_EXPIRED_MS) return QM_OK;
  QM_TRY(qm__db_run(&h->db, QM__SQL_CODE_SWEEP, QM__ARGS(qm__u64(now_ms - KEEP_EXPIRED_MS))));
  return qm__db_run(&h->db, QM__SQL_CODE_SPACE_SWEEP, NULL, 0);
}

int qm_hubdb_sweep(qm_hubdb *h, uint64_t now_ms) {
  if (now_ms > INT64_MAX) return QM_EINVAL;
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, sweep(h, now_ms));
}
