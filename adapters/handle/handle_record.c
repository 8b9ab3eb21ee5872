/* handle_record.c: how far what a record shows has got. Every write to a record leaves a mark in
 * it (S3.7), and edges stand in field 0: what of these is at the hub says it for the record. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/space.h"

typedef enum reach { REACH_LOCAL, REACH_ACKNOWLEDGED, REACH_SAFE } reach;

/* What others wrote came through a hub. */
static reach reach_of(const qm_db *db, const qm_space *s, qm_dot dot) {
  qm_id device;
  qm_author_device(&qm_space_authors(s)->ids[dot.author], &device);
  int own = qm_id_cmp(&device, qm_key_device(db->key)) == 0;
  if (own && qm_vv_get(qm_space_acknowledged(s), dot.author) <= dot.counter) return REACH_LOCAL;
  return qm_vv_get(qm_space_safe(s), dot.author) > dot.counter ? REACH_SAFE : REACH_ACKNOWLEDGED;
}

static reach least(reach a, reach b) { return a < b ? a : b; }

static reach reach_of_record(const qm_db *db, const qm_space *s, const qm_record *r) {
  reach all = REACH_SAFE;
  for (uint32_t i = 0; i < r->marks.n; i++) all = least(all, reach_of(db, s, r->marks.p[i].dot));
  const qm_cell *edges = qm_record_cell(r, 0, QM_KEYED);
  const qm_keyed *k = edges ? qm_keyed_of(edges) : NULL;
  for (uint32_t i = 0; k && i < k->n; i++)
    for (uint32_t d = 0; d < k->p[i].n; d++)
      all = least(all, reach_of(db, s, k->p[i].dots[d].dot));
  return all;
}

static int put_status(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, qm_buf *b,
                      qm_error *e) {
  static const char *const names[] = {"local", "acknowledged", "safe"};
  const qm_collection_def *c;
  qm_space *s;
  qm_id id;
  qm_arena arena;
  qm_record_class cls;
  reach all = REACH_SAFE;
  QM_TRY(qm__handle_space(db, space, &s, e));
  QM_TRY(qm__handle_collection(s, collection, &c, e));
  QM_TRY(qm__handle_record(db, s, c, record, &id, e));
  qm_arena_init(&arena, &db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm_class_read(db->engine, s, &id, QM_CLASS_COMMITTED, &arena, &cls);
  for (uint32_t i = 0; rc == QM_OK && i < cls.n; i++)
    all = least(all, reach_of_record(db, s, cls.members[i]));
  if (rc == QM_OK) {
    qm__handle_put(b, "{\"id\":");
    qm__handle_put_id(b, &cls.id);
    qm__handle_put(b, ",\"status\":\"");
    qm__handle_put(b, names[all]);
    qm__handle_put(b, "\"}");
    rc = qm_buf_status(b);
  }
  qm_arena_free(&arena);
  return rc == QM_OK ? rc : qm_fail(e, rc, "status: %s", qm_err_text(rc));
}

int32_t qm_record_status(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                         qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "status: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, 4096);
  do {
    qm_buf_clear(&b);
    rc = put_status(db, space, collection, record, &b, e);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
