/* handle_refer.c: records that go up to another space, and the answers that come back. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/refer.h"

typedef struct place {
  qm_space *s;
  const qm_collection_def *c;
  qm_id id;
} place;

static int find(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, place *out,
                qm_error *e) {
  QM_TRY(qm__handle_space(db, space, &out->s, e));
  QM_TRY(qm__handle_collection(out->s, collection, &out->c, e));
  if (!record.n) return QM_OK;
  return qm__handle_record(db, out->s, out->c, record, &out->id, e);
}

static int refer(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, qm_slice upper,
                 qm_buf *b, qm_error *e) {
  place at;
  qm_space *to;
  qm_id id;
  int existing;
  QM_TRY(find(db, space, collection, record, &at, e));
  QM_TRY(qm__handle_space(db, upper, &to, e));
  QM_TRY(qm__handle_check_sensitive(db, qm_space_schema(at.s), e));
  QM_TRY(qm__handle_check_sensitive(db, qm_space_schema(to), e));
  qm_class_refresh(at.s);
  QM_TRY(qm_refer_record(db->engine, at.s, &at.id, to, &id, &existing, e));
  qm__handle_put(b, "{\"id\":");
  qm__handle_put_id(b, &id);
  qm__handle_put(b, existing ? ",\"existing\":true}" : ",\"existing\":false}");
  return qm_buf_status(b);
}

int32_t qm_refer(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, qm_slice upper,
                 qm_text *out, qm_error *e) {
  qm_buf b;
  if (!out) return qm_fail(e, QM_EINVAL, "refer: an argument is missing");
  if (!record.n || !upper.n) return qm_fail(e, QM_EINVAL, "refer: which record, to which space?");
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_buf_init(&b, &db->env, 4096);
  int rc = refer(db, space, collection, record, upper, &b, e);
  if (rc == QM_OK) qm__handle_committed(db);
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

int32_t qm_answers(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, qm_text *out,
                   qm_error *e) {
  place at;
  qm_buf b;
  uint32_t n = 0;
  if (!out) return qm_fail(e, QM_EINVAL, "answers: an argument is missing");
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_buf_init(&b, &db->env, 256);
  int rc = find(db, space, collection, record, &at, e);
  if (rc == QM_OK) rc = qm__handle_check_sensitive(db, qm_space_schema(at.s), e);
  if (rc == QM_OK)
    rc = qm_refer_answers(db->engine, at.s, at.c, record.n ? &at.id : NULL, &n, e);
  if (rc == QM_OK && n) qm__handle_committed(db);
  if (rc == QM_OK) {
    qm__handle_put(&b, "{\"answers\":");
    qm__handle_put_u64(&b, n);
    qm__handle_put(&b, "}");
  }
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
