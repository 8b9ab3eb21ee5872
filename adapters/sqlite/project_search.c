/* project_search.c: what the search index is to hold of a record. FTS5 writes a part of its index
 * for every transaction that changes one row of it, and merges these parts later: for a saved
 * form that is most of what is written. So a save leaves the text in `_search_new`, which a
 * search looks at beside the index (query_find.c), and many texts go into the index at once.
 * What is no longer shown leaves both at once. */
#include "adapters/sqlite/project_impl.h"

/* What a search may have to make an index of before it answers. */
#define NOTED_ROWS 1024u
#define NOTED_BYTES ((uint64_t)1 << 20)
#define NOTED_TOOK 128u /* rows, where others' batches are taken */

typedef struct standing {
  int noted, indexed; /* there is a row */
  int noted_same, indexed_same; /* with the text at hand */
  uint64_t noted_bytes;
} standing;

static int is_text(const qm_projection *p, qm_slice title, qm_slice body) {
  return qm_slice_cmp(title, qm_buf_slice(&p->title)) == 0 &&
         qm_slice_cmp(body, qm_buf_slice(&p->body)) == 0;
}

static int stands(qm_projection *p, int64_t row, standing *out) {
  sqlite3_stmt *st;
  int found = 0;
  *out = (standing){0};
  QM_TRY(qm__db_start(p->db, QM__SQL_SEARCH_GET, QM__ARGS(qm__int(row)), &st));
  int rc = qm__db_step(p->db, st, &found);
  while (rc == QM_OK && found) {
    qm_slice title = qm__db_blob(st, 1), body = qm__db_blob(st, 2);
    int same = is_text(p, title, body);
    if (sqlite3_column_int(st, 0)) {
      out->indexed = 1;
      out->indexed_same = same;
    } else {
      out->noted = 1;
      out->noted_same = same;
      out->noted_bytes = title.n + body.n;
    }
    rc = qm__db_step(p->db, st, &found);
  }
  qm__db_end(p->db, QM__SQL_SEARCH_GET, st);
  return rc;
}

/* A rollback takes rows of _search_new back, so the counts are asked for again after one. */
static int count(qm_projection *p) {
  sqlite3_stmt *st;
  int found = 0;
  if (p->noted_known) return QM_OK;
  QM_TRY(qm__db_start(p->db, QM__SQL_SEARCH_NEW_SIZE, NULL, 0, &st));
  int rc = qm__db_step(p->db, st, &found);
  if (rc == QM_OK && found) {
    p->noted_rows = qm__db_u64(st, 0);
    p->noted_bytes = qm__db_u64(st, 1);
    p->noted_known = 1;
  }
  qm__db_end(p->db, QM__SQL_SEARCH_NEW_SIZE, st);
  return rc;
}

static int forget(qm_projection *p, int64_t row, const standing *x) {
  if (!x->noted) return QM_OK;
  QM_TRY(qm__db_run(p->db, QM__SQL_SEARCH_NEW_DROP, QM__ARGS(qm__int(row))));
  p->noted_rows--;
  p->noted_bytes -= x->noted_bytes;
  return QM_OK;
}

static int note(qm_projection *p, int64_t row, const standing *x) {
  QM_TRY(qm__db_run(p->db, QM__SQL_SEARCH_NEW_PUT,
                    QM__ARGS(qm__int(row), qm__string(qm_buf_slice(&p->title)),
                             qm__string(qm_buf_slice(&p->body)))));
  if (!x->noted) p->noted_rows++;
  p->noted_bytes += p->title.n + p->body.n - x->noted_bytes;
  return p->noted_rows >= NOTED_ROWS || p->noted_bytes >= NOTED_BYTES ? qm__project_index(p)
                                                                      : QM_OK;
}

int qm__project_search(qm_projection *p, int64_t row) {
  standing x;
  QM_TRY(qm_buf_status(&p->title));
  QM_TRY(qm_buf_status(&p->body));
  if (!p->title.n && !p->body.n) return qm__project_search_drop(p, row);
  QM_TRY(count(p));
  QM_TRY(stands(p, row, &x));
  if (x.noted_same) return QM_OK;
  return x.indexed_same ? forget(p, row, &x) : note(p, row, &x);
}

int qm__project_search_drop(qm_projection *p, int64_t row) {
  standing x;
  QM_TRY(count(p));
  QM_TRY(stands(p, row, &x));
  QM_TRY(forget(p, row, &x));
  return x.indexed ? qm__db_run(p->db, QM__SQL_SEARCH_DROP, QM__ARGS(qm__int(row))) : QM_OK;
}

int qm__project_search_clear(qm_projection *p, int64_t first, int64_t last) {
  p->noted_known = 0;
  QM_TRY(qm__db_run(p->db, QM__SQL_SEARCH_NEW_CLEAR, QM__ARGS(qm__int(first), qm__int(last))));
  return qm__db_run(p->db, QM__SQL_SEARCH_DROP_RANGE, QM__ARGS(qm__int(first), qm__int(last)));
}

int qm__project_index(qm_projection *p) {
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(count(p));
  if (!p->noted_rows) return QM_OK;
  QM_TRY(qm__db_start(p->db, QM__SQL_SEARCH_NEW_LIST, NULL, 0, &st));
  int rc = qm__db_step(p->db, st, &row);
  while (rc == QM_OK && row) {
    rc = qm__db_run(p->db, QM__SQL_SEARCH_PUT,
                    QM__ARGS(qm__int(sqlite3_column_int64(st, 0)), qm__string(qm__db_blob(st, 1)),
                             qm__string(qm__db_blob(st, 2))));
    if (rc == QM_OK) rc = qm__db_step(p->db, st, &row);
  }
  qm__db_end(p->db, QM__SQL_SEARCH_NEW_LIST, st);
  if (rc == QM_OK) rc = qm__db_run(p->db, QM__SQL_SEARCH_NEW_END, NULL, 0);
  if (rc == QM_OK) p->noted_rows = p->noted_bytes = 0;
  return rc;
}

int qm__project_took(qm_projection *p) {
  QM_TRY(count(p));
  return p->noted_rows >= NOTED_TOOK ? qm__project_index(p) : QM_OK;
}

int qm_projection_index(qm_projection *p) {
  const qm_store_ops *ops = p->store->ops;
  QM_TRY(count(p));
  if (!p->noted_rows || p->stale) return QM_OK;
  sqlite3_busy_timeout(p->db->h, 0);
  int rc = ops->begin(p->store);
  sqlite3_busy_timeout(p->db->h, QM__DB_BUSY_MS);
  if (rc != QM_OK) return rc;
  rc = qm__project_index(p);
  if (rc == QM_OK) rc = ops->commit(p->store, QM_RELAXED, NULL, NULL);
  else ops->rollback(p->store);
  if (rc != QM_OK) p->noted_known = 0;
  return rc;
}

uint64_t qm_projection_noted(qm_projection *p) { return count(p) == QM_OK ? p->noted_rows : 0; }
