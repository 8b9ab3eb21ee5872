/* handle_duplicates.c: likely duplicates, on the connection for queries. */
#include <string.h>

#include "adapters/handle/handle.h"

#define PAGE 20u
#define PAGE_MAX 1000u

/* What was asked for, in memory of its own: the schema may change once the mutex is free. */
typedef struct asked {
  qm_query_alike r;
  qm_arena arena;
  qm_id record;
} asked;

static int copy_schema(asked *a, const qm_space *s, const qm_collection_def *c, qm_error *e) {
  qm_buf form;
  qm_buf_init(&form, a->arena.env, QM_SCHEMA_MAX);
  qm_schema_encode(qm_space_schema(s), &form);
  int rc = qm_buf_status(&form);
  uint8_t *copy = rc == QM_OK ? qm_arena_copy(&a->arena, form.p, form.n) : NULL;
  size_t n = form.n;
  qm_buf_free(&form);
  if (!copy) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  QM_TRY(qm_schema_load(&a->r.schema, qm_slice_of(copy, n), &a->arena, e));
  if (c) a->r.collection = qm_schema_collection(a->r.schema, c->number);
  return QM_OK;
}

static int resolve(qm_db *db, asked *a, qm_slice space, qm_slice collection, qm_slice record,
                   qm_error *e) {
  qm_space *s;
  const qm_collection_def *c = NULL;
  QM_TRY(qm__handle_space(db, space, &s, e));
  if (!qm_space_schema(s)) return qm_fail(e, QM_ENOTFOUND, "the space has no schema yet");
  if (collection.n) QM_TRY(qm__handle_collection(s, collection, &c, e));
  if (record.n && !c) return qm_fail(e, QM_EINVAL, "a record needs its collection");
  if (record.n) {
    QM_TRY(qm__handle_record(db, s, c, record, &a->record, e));
    a->r.record = &a->record;
  }
  a->r.space = qm__handle_number(s);
  return copy_schema(a, s, c, e);
}

int32_t qm_duplicates(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                      uint32_t flags, uint32_t limit, uint32_t offset, qm_text *out,
                      qm_error *e) {
  asked a;
  qm_buf b;
  if (!out || !db) return qm_fail(e, QM_EINVAL, "duplicates: an argument is missing");
  memset(&a, 0, sizeof a);
  qm_arena_init(&a.arena, &db->env, QM_HANDLE_ARENA_MAX);
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  a.r.dismissed = (flags & QM_DISMISSED) != 0;
  a.r.limit = !limit ? PAGE : limit > PAGE_MAX ? PAGE_MAX : limit;
  a.r.offset = offset;
  int rc = qm__handle_enter(db, e);
  if (rc == QM_OK) {
    rc = resolve(db, &a, space, collection, record, e);
    qm__handle_leave(db);
  }
  if (rc == QM_OK) rc = qm__handle_query_enter(db, e);
  if (rc == QM_OK) {
    rc = qm_query_duplicates(db->query, &a.r, &b, e);
    pthread_mutex_unlock(&db->query_mutex);
  }
  qm_arena_free(&a.arena);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
