/* hub_db.c: see hub_db.h. Files, transactions, devices and notes; spaces, schemas and
 * refused authors are in hub_db_space.c, codes in hub_db_code.c. */
#include "adapters/sqlite/hub_db.h"

#include <string.h>

#include "adapters/sqlite/hub_db_impl.h"

_Static_assert(QM_HUBDB_CREATE == (int)QM__DB_CREATE, "flags are translated by value");
_Static_assert(QM_HUBDB_READONLY == (int)QM__DB_READONLY, "flags are translated by value");

int qm_hubdb_open(const qm_env *env, const char *path, unsigned flags, qm_hubdb **out,
                  qm_error *e) {
  qm_hubdb *h = qm_alloc_zero(env, sizeof *h);
  if (!h) return qm_fail(e, QM_ENOMEM, "out of memory");
  h->env = env;
  unsigned db_flags = flags & (QM_HUBDB_CREATE | QM_HUBDB_READONLY);
  if (flags & QM_HUBDB_CHECK) db_flags |= QM__DB_CHECK;
  int rc = qm__db_open(&h->db, env, path, &qm__sql_hub, db_flags, e);
  if (rc != QM_OK) {
    qm_free(env, h);
    return rc;
  }
  *out = h;
  return QM_OK;
}

void qm_hubdb_close(qm_hubdb *h) {
  if (!h) return;
  qm__db_close(&h->db);
  qm_free(h->env, h);
}

int qm_hubdb_check(qm_hubdb *h, qm_error *e) { return qm__db_check(&h->db, 1, e); }

int qm_hubdb_version(qm_hubdb *h, uint32_t *out) { return qm__db_version(&h->db, out); }

/* ---- transactions ---- */

int qm_hubdb_begin(qm_hubdb *h) {
  if (h->open) return QM_ESTATE;
  QM_TRY(qm__db_begin(&h->db));
  h->open = 1;
  return QM_OK;
}

int qm_hubdb_commit(qm_hubdb *h) {
  if (!h->open) return QM_ESTATE;
  int rc = h->failed ? QM_ESTATE : qm__db_commit(&h->db);
  qm_hubdb_rollback(h);
  return rc;
}

void qm_hubdb_rollback(qm_hubdb *h) {
  qm__db_rollback(&h->db);
  h->open = 0;
  h->failed = 0;
}

int qm__hub_enter(qm_hubdb *h) {
  if (h->open) return h->failed ? QM_ESTATE : QM_OK;
  return qm__db_begin(&h->db);
}

static int wrote_nothing(int rc) {
  return rc == QM_ENOTFOUND || rc == QM_EEXIST || rc == QM_EINVAL;
}

int qm__hub_leave(qm_hubdb *h, int rc) {
  if (h->open) {
    if (rc != QM_OK && !wrote_nothing(rc)) h->failed = 1;
    return rc;
  }
  if (rc == QM_OK) rc = qm__db_commit(&h->db);
  if (rc != QM_OK) qm__db_rollback(&h->db);
  return rc;
}

int qm__hub_run(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n) {
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, qm__db_run(&h->db, id, args, n));
}

int qm__hub_change(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n) {
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, qm__db_change(&h->db, id, args, n));
}

int qm__hub_each(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n, qm__hub_row row,
                 void *payload) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&h->db, id, args, n, &st));
  int more = 0;
  int rc = qm__db_step(&h->db, st, &more);
  while (rc == QM_OK && more) {
    rc = row(payload, st);
    if (rc == QM_OK) rc = qm__db_step(&h->db, st, &more);
  }
  qm__db_end(&h->db, id, st);
  return rc == QM_STORE_STOP ? QM_OK : rc;
}

int qm__hub_one(qm_hubdb *h, qm__sql_id id, const qm__arg *args, size_t n, qm__hub_row row,
                void *payload) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&h->db, id, args, n, &st));
  int more = 0;
  int rc = qm__db_step(&h->db, st, &more);
  if (rc == QM_OK) rc = more ? row(payload, st) : QM_ENOTFOUND;
  qm__db_end(&h->db, id, st);
  return rc;
}

int qm__hub_column_text(sqlite3_stmt *st, int column, char to[QM_HUB_TEXT_MAX + 1]) {
  qm_slice s = qm__db_blob(st, column);
  if (s.n > QM_HUB_TEXT_MAX) return QM_ECORRUPT;
  if (s.n) memcpy(to, s.p, s.n);
  to[s.n] = 0;
  return QM_OK;
}

int qm__hub_text_fits(const char *text) {
  return strnlen(text, QM_HUB_TEXT_MAX + 1) <= QM_HUB_TEXT_MAX;
}

/* ---- devices ---- */

int qm__hub_device_check(const qm_hub_device *row) {
  int fits = row->spki_len <= QM_HUB_SPKI_MAX && qm__hub_text_fits(row->member) &&
             qm__hub_text_fits(row->role);
  return fits ? QM_OK : QM_EINVAL;
}

int qm__hub_device_write(qm_hubdb *h, const qm_hub_device *row) {
  return qm__db_run(
      &h->db, QM__SQL_DEVICE_PUT,
      QM__ARGS(qm__blob(row->id.b, QM_ID_SIZE), qm__blob(row->alias.b, QM_ID_SIZE),
               qm__blob(row->spki, row->spki_len), qm__text(row->member), qm__text(row->role),
               qm__u64(row->not_after_ms), qm__u64(row->enrolled_ms), qm__u64(row->revoked_ms),
               qm__u64(row->last_sync_ms), qm__u64(row->behind), qm__u64(row->refused),
               qm__int(row->refused_code), qm__int(row->clock_offset_ms)));
}

static int device_read(sqlite3_stmt *st, qm_hub_device *out) {
  memset(out, 0, sizeof *out);
  QM_TRY(qm__db_fixed(st, 0, out->id.b, QM_ID_SIZE));
  QM_TRY(qm__db_fixed(st, 1, out->alias.b, QM_ID_SIZE));
  qm_slice spki = qm__db_blob(st, 2);
  if (spki.n > QM_HUB_SPKI_MAX) return QM_ECORRUPT;
  if (spki.n) memcpy(out->spki, spki.p, spki.n);
  out->spki_len = (uint32_t)spki.n;
  QM_TRY(qm__hub_column_text(st, 3, out->member));
  QM_TRY(qm__hub_column_text(st, 4, out->role));
  out->not_after_ms = qm__db_u64(st, 5);
  out->enrolled_ms = qm__db_u64(st, 6);
  out->revoked_ms = qm__db_u64(st, 7);
  out->last_sync_ms = qm__db_u64(st, 8);
  out->behind = qm__db_u64(st, 9);
  out->refused = qm__db_u64(st, 10);
  out->refused_code = sqlite3_column_int(st, 11);
  out->clock_offset_ms = sqlite3_column_int64(st, 12);
  return QM_OK;
}

static int device_out(void *payload, sqlite3_stmt *st) { return device_read(st, payload); }

int qm_hubdb_device_put(qm_hubdb *h, const qm_hub_device *row) {
  QM_TRY(qm__hub_device_check(row));
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, qm__hub_device_write(h, row));
}

int qm_hubdb_device_get(qm_hubdb *h, const qm_id *id, qm_hub_device *out) {
  return qm__hub_one(h, QM__SQL_DEVICE_GET, QM__ARGS(qm__blob(id->b, QM_ID_SIZE)), device_out, out);
}

typedef struct device_visit {
  qm_visit_hub_device visit;
  void *payload;
} device_visit;

static int device_row(void *payload, sqlite3_stmt *st) {
  const device_visit *v = payload;
  qm_hub_device row;
  QM_TRY(device_read(st, &row));
  return v->visit(v->payload, &row);
}

int qm_hubdb_device_list(qm_hubdb *h, qm_visit_hub_device visit, void *payload) {
  device_visit v = {visit, payload};
  return qm__hub_each(h, QM__SQL_DEVICE_LIST, NULL, 0, device_row, &v);
}

int qm_hubdb_device_revoke(qm_hubdb *h, const qm_id *id, uint64_t now_ms) {
  return qm__hub_change(h, QM__SQL_DEVICE_REVOKE,
                        QM__ARGS(qm__blob(id->b, QM_ID_SIZE), qm__u64(now_ms ? now_ms : 1)));
}

int qm_hubdb_device_renew(qm_hubdb *h, const qm_id *id, uint64_t not_after_ms) {
  return qm__hub_change(h, QM__SQL_DEVICE_RENEW,
                        QM__ARGS(qm__blob(id->b, QM_ID_SIZE), qm__u64(not_after_ms)));
}

int qm_hubdb_device_assign(qm_hubdb *h, const qm_id *id, const char *member, const char *role) {
  if (member && !qm__hub_text_fits(member)) return QM_EINVAL;
  if (role && !qm__hub_text_fits(role)) return QM_EINVAL;
  return qm__hub_change(h, QM__SQL_DEVICE_ASSIGN,
                        QM__ARGS(qm__blob(id->b, QM_ID_SIZE), qm__text(member), qm__text(role)));
}

int qm_hubdb_device_touch(qm_hubdb *h, const qm_id *id, const qm_hub_touch *touch) {
  return qm__hub_change(h, QM__SQL_DEVICE_TOUCH,
                        QM__ARGS(qm__blob(id->b, QM_ID_SIZE), qm__u64(touch->now_ms),
                                 qm__u64(touch->behind), qm__int(touch->refused),
                                 qm__int(touch->refused_code), qm__int(touch->clock_offset_ms)));
}

static int device_spaces_write(qm_hubdb *h, const qm_id *device, const qm_id *spaces, size_t n) {
  QM_TRY(qm__db_run(&h->db, QM__SQL_DEVICE_SPACE_DROP, QM__ARGS(qm__blob(device->b, QM_ID_SIZE))));
  for (size_t i = 0; i < n; i++)
    QM_TRY(
        qm__db_run(&h->db, QM__SQL_DEVICE_SPACE_PUT,
                   QM__ARGS(qm__blob(device->b, QM_ID_SIZE), qm__blob(spaces[i].b, QM_ID_SIZE))));
  return QM_OK;
}

int qm_hubdb_device_spaces_put(qm_hubdb *h, const qm_id *device, const qm_id *spaces, size_t n) {
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, device_spaces_write(h, device, spaces, n));
}

typedef struct id_visit {
  qm_visit_hub_id visit;
  void *payload;
} id_visit;

static int id_row(void *payload, sqlite3_stmt *st) {
  const id_visit *v = payload;
  qm_id id;
  QM_TRY(qm__db_fixed(st, 0, id.b, QM_ID_SIZE));
  return v->visit(v->payload, &id);
}

int qm_hubdb_device_spaces(qm_hubdb *h, const qm_id *device, qm_visit_hub_id visit, void *payload) {
  id_visit v = {visit, payload};
  return qm__hub_each(h, QM__SQL_DEVICE_SPACES, QM__ARGS(qm__blob(device->b, QM_ID_SIZE)), id_row,
                      &v);
}

int qm_hubdb_space_devices(qm_hubdb *h, const qm_id *space, qm_visit_hub_id visit, void *payload) {
  id_visit v = {visit, payload};
  return qm__hub_each(h, QM__SQL_SPACE_DEVICES, QM__ARGS(qm__blob(space->b, QM_ID_SIZE)), id_row,
                      &v);
}

int qm_hubdb_held_put(qm_hubdb *h, const qm_id *space, const qm_id *device, qm_slice vv) {
  return qm__hub_run(h, QM__SQL_HELD_PUT,
                     QM__ARGS(qm__blob(space->b, QM_ID_SIZE), qm__blob(device->b, QM_ID_SIZE),
                              qm__slice(vv)));
}

typedef struct held_visit {
  qm_visit_hub_held visit;
  void *payload;
} held_visit;

static int held_row(void *payload, sqlite3_stmt *st) {
  const held_visit *v = payload;
  qm_id id;
  QM_TRY(qm__db_fixed(st, 0, id.b, QM_ID_SIZE));
  return v->visit(v->payload, &id, qm__db_blob(st, 1));
}

int qm_hubdb_held_live(qm_hubdb *h, const qm_id *space, uint64_t since_ms,
                       qm_visit_hub_held visit, void *payload) {
  held_visit v = {visit, payload};
  return qm__hub_each(h, QM__SQL_HELD_LIVE,
                      QM__ARGS(qm__blob(space->b, QM_ID_SIZE), qm__u64(since_ms)), held_row, &v);
}

static int may_row(void *payload, sqlite3_stmt *st) {
  (void)payload;
  if (sqlite3_column_int64(st, 0) != 0) return QM_EREVOKED;
  return sqlite3_column_int(st, 1) ? QM_OK : QM_EACCESS;
}

int qm_hubdb_device_may(qm_hubdb *h, const qm_id *device, const qm_id *space) {
  int rc = qm__hub_one(h, QM__SQL_DEVICE_MAY,
                       QM__ARGS(qm__blob(device->b, QM_ID_SIZE), qm__blob(space->b, QM_ID_SIZE)),
                       may_row, NULL);
  return rc == QM_ENOTFOUND ? QM_EACCESS : rc;
}

/* ---- notes ---- */

/* A note of the hub itself stands under the zero id. */
static qm__arg note_space(const qm_id *space) {
  static const qm_id hub = {{0}};
  return qm__blob(space ? space->b : hub.b, QM_ID_SIZE);
}

static int note_name(const char *name) {
  return name[0] && qm__hub_text_fits(name) ? QM_OK : QM_EINVAL;
}

int qm_hubdb_note_put(qm_hubdb *h, const qm_id *space, const char *name, qm_slice value) {
  QM_TRY(note_name(name));
  if (value.n == 0)
    return qm__hub_run(h, QM__SQL_NOTE_DELETE, QM__ARGS(note_space(space), qm__text(name)));
  return qm__hub_run(h, QM__SQL_NOTE_PUT,
                     QM__ARGS(note_space(space), qm__text(name), qm__slice(value)));
}

int qm__hub_blob_out(void *payload, sqlite3_stmt *st) {
  qm_slice value = qm__db_blob(st, 0);
  qm_buf_add(payload, value.p, value.n);
  return qm_buf_status(payload);
}

int qm_hubdb_note_get(qm_hubdb *h, const qm_id *space, const char *name, qm_buf *out) {
  QM_TRY(note_name(name));
  return qm__hub_one(h, QM__SQL_NOTE_GET, QM__ARGS(note_space(space), qm__text(name)),
                     qm__hub_blob_out, out);
}
