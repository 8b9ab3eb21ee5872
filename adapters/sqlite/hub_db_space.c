/* hub_db_space.c: spaces, schemas and refused authors, see hub_db.h. */
#include <string.h>

#include "adapters/sqlite/hub_db_impl.h"

static qm__arg id_arg(const qm_id *id) { return qm__blob(id->b, QM_ID_SIZE); }

/* ---- spaces ---- */

int qm_hubdb_space_add(qm_hubdb *h, const qm_hub_space *row) {
  if (!row->name[0] || !qm__hub_text_fits(row->name)) return QM_EINVAL;
  int rc = qm__hub_change(h, QM__SQL_HUB_SPACE_ADD,
                          QM__ARGS(id_arg(&row->id), qm__text(row->name), qm__int(row->shard)));
  return rc == QM_ENOTFOUND ? QM_EEXIST : rc;
}

static int space_out(void *payload, sqlite3_stmt *st) {
  qm_hub_space *out = payload;
  memset(out, 0, sizeof *out);
  QM_TRY(qm__db_fixed(st, 0, out->id.b, QM_ID_SIZE));
  QM_TRY(qm__hub_column_text(st, 1, out->name));
  out->schema = qm__db_u32(st, 2);
  out->shard = qm__db_u32(st, 3);
  return QM_OK;
}

int qm_hubdb_space_get(qm_hubdb *h, const qm_id *id, qm_hub_space *out) {
  return qm__hub_one(h, QM__SQL_HUB_SPACE_GET, QM__ARGS(id_arg(id)), space_out, out);
}

int qm_hubdb_space_get_by_name(qm_hubdb *h, const char *name, qm_hub_space *out) {
  return qm__hub_one(h, QM__SQL_HUB_SPACE_GET_BY_NAME, QM__ARGS(qm__text(name)), space_out, out);
}

typedef struct space_visit {
  qm_visit_hub_space visit;
  void *payload;
} space_visit;

static int space_row(void *payload, sqlite3_stmt *st) {
  const space_visit *v = payload;
  qm_hub_space row;
  QM_TRY(space_out(&row, st));
  return v->visit(v->payload, &row);
}

int qm_hubdb_space_list(qm_hubdb *h, qm_visit_hub_space visit, void *payload) {
  space_visit v = {visit, payload};
  return qm__hub_each(h, QM__SQL_HUB_SPACE_LIST, NULL, 0, space_row, &v);
}

/* ---- schemas ---- */

static int equals(void *payload, sqlite3_stmt *st) {
  const qm_slice *blob = payload;
  return qm_slice_cmp(qm__db_blob(st, 0), *blob) == 0 ? QM_OK : QM_EEXIST;
}

static int schema_write(qm_hubdb *h, const qm_id *space, uint32_t version, qm_slice blob) {
  qm_hub_space row;
  QM_TRY(qm_hubdb_space_get(h, space, &row));
  if (version <= row.schema) {
    int rc = qm__hub_one(h, QM__SQL_SCHEMA_GET, QM__ARGS(id_arg(space), qm__int(version)), equals,
                         &blob);
    if (rc == QM_OK && version == row.schema) return QM_OK;
    return rc == QM_OK || rc == QM_ENOTFOUND ? QM_EEXIST : rc;
  }
  QM_TRY(qm__db_run(&h->db, QM__SQL_SCHEMA_PUT,
                    QM__ARGS(id_arg(space), qm__int(version), qm__slice(blob))));
  return qm__db_run(&h->db, QM__SQL_HUB_SPACE_SCHEMA, QM__ARGS(id_arg(space), qm__int(version)));
}

int qm_hubdb_schema_put(qm_hubdb *h, const qm_id *space, uint32_t version, qm_slice blob) {
  if (version == 0) return QM_EINVAL;
  QM_TRY(qm__hub_enter(h));
  return qm__hub_leave(h, schema_write(h, space, version, blob));
}

int qm_hubdb_schema_get(qm_hubdb *h, const qm_id *space, uint32_t version, qm_buf *out,
                        uint32_t *found) {
  if (version == 0) {
    qm_hub_space row;
    QM_TRY(qm_hubdb_space_get(h, space, &row));
    version = row.schema;
  }
  QM_TRY(qm__hub_one(h, QM__SQL_SCHEMA_GET, QM__ARGS(id_arg(space), qm__int(version)),
                     qm__hub_blob_out, out));
  if (found) *found = version;
  return QM_OK;
}

/* ---- refused authors ---- */

static qm__arg author_arg(const qm_author *a) { return qm__blob(a->b, QM_AUTHOR_SIZE); }

int qm_hubdb_refused_put(qm_hubdb *h, const qm_hub_refused *row) {
  return qm__hub_run(h, QM__SQL_REFUSED_PUT,
                     QM__ARGS(id_arg(&row->space), author_arg(&row->author), qm__u64(row->counter),
                              qm__int(row->code), qm__u64(row->at_ms)));
}

static int refused_out(void *payload, sqlite3_stmt *st) {
  qm_hub_refused *out = payload;
  memset(out, 0, sizeof *out);
  QM_TRY(qm__db_fixed(st, 0, out->space.b, QM_ID_SIZE));
  QM_TRY(qm__db_fixed(st, 1, out->author.b, QM_AUTHOR_SIZE));
  out->counter = qm__db_u64(st, 2);
  out->code = sqlite3_column_int(st, 3);
  out->at_ms = qm__db_u64(st, 4);
  return QM_OK;
}

int qm_hubdb_refused_find(qm_hubdb *h, const qm_id *space, const qm_author *author,
                          qm_hub_refused *out) {
  return qm__hub_one(h, QM__SQL_REFUSED_FIND, QM__ARGS(id_arg(space), author_arg(author)),
                     refused_out, out);
}

typedef struct refused_visit {
  qm_visit_hub_refused visit;
  void *payload;
} refused_visit;

static int refused_row(void *payload, sqlite3_stmt *st) {
  const refused_visit *v = payload;
  qm_hub_refused row;
  QM_TRY(refused_out(&row, st));
  return v->visit(v->payload, &row);
}

int qm_hubdb_refused_list(qm_hubdb *h, const qm_id *space, qm_visit_hub_refused visit,
                          void *payload) {
  refused_visit v = {visit, payload};
  if (!space) return qm__hub_each(h, QM__SQL_REFUSED_LIST, NULL, 0, refused_row, &v);
  return qm__hub_each(h, QM__SQL_REFUSED_LIST_SPACE, QM__ARGS(id_arg(space)), refused_row, &v);
}

int qm_hubdb_refused_clear(qm_hubdb *h, const qm_id *space, const qm_author *author) {
  return qm__hub_change(h, QM__SQL_REFUSED_CLEAR, QM__ARGS(id_arg(space), author_arg(author)));
}
