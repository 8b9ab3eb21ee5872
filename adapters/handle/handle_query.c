/* handle_query.c: tables and searching, on a connection of their own. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/review.h"

#define SEARCH_LIMIT 20u
#define SEARCH_LIMIT_MAX 1000u
/* Records that wait for the search index: where so many do, taking them in is worth more than
 * making an index of them for each search. */
#define NOTED_MAX 128u
#define PARAMETERS_MAX ((size_t)1 << 20)

int qm__handle_query_enter(qm_db *db, qm_error *e) {
  if (!db) return qm_fail(e, QM_EINVAL, "there is no database handle");
  pthread_mutex_lock(&db->query_mutex);
  int suspended = atomic_load(&db->suspended);
  if (db->query && !suspended) return QM_OK;
  int rc = suspended ? qm_fail(e, QM_ESUSPENDED, "%s", qm_err_text(QM_ESUSPENDED))
                     : qm_query_open(&db->query, &db->env, db->options.path, e);
  if (rc == QM_OK) qm_query_stop_when(db->query, &db->suspended);
  if (rc != QM_OK) pthread_mutex_unlock(&db->query_mutex);
  return rc;
}

static int result(int rc, qm_buf *b, qm_text *out, qm_error *e) {
  if (rc == QM_OK) return qm__handle_result(b, out, e);
  qm_buf_free(b);
  return rc;
}

static int parameters_of(qm_db *db, qm_slice json, qm_buf *to, qm_error *e) {
  qm_cur c;
  uint32_t n;
  qm_buf_init(to, &db->env, PARAMETERS_MAX);
  if (!json.n) return QM_OK;
  int rc = qm__handle_json_value(to, json);
  qm_cur_init(&c, qm_buf_slice(to));
  if (rc == QM_OK) rc = qm_cur_array(&c, &n);
  if (rc == QM_OK || rc == QM_ENOMEM) return rc;
  return qm_fail(e, QM_EINVAL, "the parameters must be a JSON array");
}

int32_t qm_sql(qm_db *db, qm_slice statement, qm_slice parameters, uint64_t rows, uint64_t ms,
               qm_text *out, qm_error *e) {
  qm_query_limits limits = QM_QUERY_LIMITS;
  qm_buf b, values;
  if (!out || !db) return qm_fail(e, QM_EINVAL, "sql: an argument is missing");
  if (rows) limits.rows = rows;
  if (ms) limits.ms = ms > 86400000 ? 86400000 : ms;
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  int rc = parameters_of(db, parameters, &values, e);
  if (rc == QM_OK) rc = qm__handle_query_enter(db, e);
  if (rc == QM_OK) {
    rc = qm_query_sql(db->query, statement, qm_buf_slice(&values), limits, &b, e);
    pthread_mutex_unlock(&db->query_mutex);
  }
  qm_buf_free(&values);
  return result(rc, &b, out, e);
}

/* Where it cannot be done now, the search looks at what waits (S16.15). */
static void index_noted(qm_db *db) {
  if (db->tx || db->syncing || !db->projection) return;
  if (qm_projection_noted(db->projection) >= NOTED_MAX) (void)qm_projection_index(db->projection);
}

/* Space and collection by any of their names; a collection of all spaces by its own. The name
 * is copied: the schema may change once the mutex is free. */
static int resolve(qm_db *db, qm_slice space, qm_slice collection, uint32_t *number, qm_buf *name,
                   qm_error *e) {
  qm_space *s = NULL;
  const qm_collection_def *c;
  QM_TRY(qm__handle_enter(db, e));
  index_noted(db);
  int rc = QM_OK;
  if (space.n || qm_engine_space_count(db->engine) == 1) rc = qm__handle_space(db, space, &s, e);
  if (rc == QM_OK && s) *number = qm__handle_number(s);
  if (rc == QM_OK && s && collection.n) {
    rc = qm__handle_collection(s, collection, &c, e);
    if (rc == QM_OK) collection = c->name;
  }
  if (rc == QM_OK) {
    qm_buf_add(name, collection.p, collection.n);
    rc = qm_buf_status(name);
  }
  qm__handle_leave(db);
  return rc;
}

int32_t qm_search(qm_db *db, qm_slice space, qm_slice collection, qm_slice text, uint32_t limit,
                  uint32_t offset, qm_text *out, qm_error *e) {
  qm_query_search s = {.text = text, .limit = limit ? limit : SEARCH_LIMIT, .offset = offset};
  qm_buf b, name;
  if (!out || !db) return qm_fail(e, QM_EINVAL, "search: an argument is missing");
  if (s.limit > SEARCH_LIMIT_MAX) s.limit = SEARCH_LIMIT_MAX;
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  qm_buf_init(&name, &db->env, 4096);
  int rc = resolve(db, space, collection, &s.space, &name, e);
  s.collection = qm_buf_slice(&name);
  if (rc == QM_OK) rc = qm__handle_query_enter(db, e);
  if (rc == QM_OK) {
    rc = qm_query_find(db->query, &s, &b, e);
    pthread_mutex_unlock(&db->query_mutex);
  }
  qm_buf_free(&name);
  return result(rc, &b, out, e);
}

static int rebuild(qm_db *db) {
  if (!db->projection) return QM_EREADONLY;
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine); i++)
    QM_TRY(qm_review_rebuild(db->engine, qm_engine_space_at(db->engine, i)));
  return qm_projection_rebuild(db->projection);
}

int32_t qm_rebuild(qm_db *db, qm_error *e) {
  QM_TRY(qm__handle_enter_alone(db, e));
  int rc = rebuild(db);
  if (rc == QM_EBUSY && qm__handle_reopen(db, e) == QM_OK) rc = rebuild(db);
  qm__handle_leave(db);
  return rc == QM_OK ? rc : qm_fail(e, rc, "rebuild: %s", qm_err_text(rc));
}
