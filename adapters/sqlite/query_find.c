/* query_find.c: searching, see query.h. */
#include <string.h>

#include "adapters/sqlite/fts_token.h"
#include "adapters/sqlite/project_layout.h"
#include "adapters/sqlite/query_impl.h"
#include "core/norm.h"
#include "core/value.h"

#define QUERY_MAX 4096u /* bytes of what is typed */

static void put(qm_buf *b, const char *text) { qm_buf_add(b, text, strlen(text)); }

static void put_number(qm_buf *b, uint64_t v) {
  char text[24];
  sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)v);
  put(b, text);
}

/* FTS5 marks what it found by \1 and \2: here they become places. */
static void put_marked(qm_buf *b, const char *marks, const char *name, qm_slice s, qm_buf *plain) {
  uint64_t at = 0, from = 0;
  int first = 1;
  put(b, marks);
  qm_buf_clear(plain);
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == 1) {
      from = at;
    } else if (s.p[i] == 2) {
      put(b, first ? "[" : ",[");
      put_number(b, from);
      qm_buf_byte(b, ',');
      put_number(b, at - from);
      qm_buf_byte(b, ']');
      first = 0;
    } else {
      at += (s.p[i] & 0xC0) != 0x80;
      qm_buf_byte(plain, s.p[i]);
    }
  }
  put(b, name);
  qm_json_str(b, qm_buf_slice(plain));
}

/* The id of the record at a row, from its own table. QM_ENOTFOUND. */
static int record_id(qm_query *q, const char *table, int64_t row, char id[32]) {
  sqlite3_stmt *st = NULL;
  char *sql = sqlite3_mprintf("SELECT _id FROM \"%w\" WHERE _row = %lld", table, (long long)row);
  if (!sql) return QM_ENOMEM;
  int rc = sqlite3_prepare_v2(q->db.h, sql, -1, &st, NULL);
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  qm_slice s = rc == SQLITE_ROW ? qm__db_blob(st, 0) : qm_slice_of(NULL, 0);
  int code = rc == SQLITE_ROW ? QM_OK : rc == SQLITE_DONE ? QM_ENOTFOUND : qm__db_error(&q->db, rc);
  if (code == QM_OK && s.n < 32) {
    memcpy(id, s.p, s.n);
    id[s.n] = '\0';
  }
  sqlite3_finalize(st);
  return code;
}

/* Space id, table and collection of a row. */
static int put_place(qm_query *q, qm_buf *out, int64_t row) {
  sqlite3_stmt *st;
  char id[32] = "", table[256] = "";
  int found = 0;
  uint32_t space = (uint32_t)((uint64_t)row >> 43);
  uint32_t ordinal = (uint32_t)((uint64_t)row >> 32) & (QM__PROJECT_TABLES - 1);
  QM_TRY(qm__db_start(&q->db, QM__SQL_SEARCH_PLACE, QM__ARGS(qm__int(ordinal), qm__int(space)),
                      &st));
  int rc = qm__db_step(&q->db, st, &found);
  if (rc == QM_OK && !found) rc = QM_ENOTFOUND;
  if (rc == QM_OK) {
    qm_slice name = qm__db_blob(st, 0);
    if (name.n < sizeof table) memcpy(table, name.p, name.n);
    put(out, "{\"space\":");
    qm_json_str(out, qm__db_blob(st, 2));
    put(out, ",\"collection\":");
    qm_json_str(out, qm__db_blob(st, 1));
  }
  qm__db_end(&q->db, QM__SQL_SEARCH_PLACE, st);
  if (rc == QM_OK) rc = record_id(q, table, row, id);
  if (rc != QM_OK) return rc;
  put(out, ",\"id\":\"");
  put(out, id);
  put(out, "\"");
  return QM_OK;
}

static int put_hit(qm_query *q, int64_t row, sqlite3_stmt *st, qm_buf *out, qm_buf *plain) {
  QM_TRY(put_place(q, out, row));
  put_marked(out, ",\"title_marks\":[", "],\"title\":", qm__db_blob(st, 0), plain);
  put_marked(out, ",\"marks\":[", "],\"snippet\":", qm__db_blob(st, 1), plain);
  put(out, "}\n");
  return QM_OK;
}

/* ---- what waits for the index (S16.15) ---- */

static int fill_fresh(qm_query *q) {
  static const char open[] = "PRAGMA query_only = OFF;", shut[] = "PRAGMA query_only = ON;";
  int rc = qm__db_error(&q->db, sqlite3_exec(q->db.h, open, NULL, NULL, NULL));
  if (rc == QM_OK)
    rc = qm__db_error(&q->db, sqlite3_exec(q->db.h, qm__sql_search_fresh, NULL, NULL, NULL));
  int ended = qm__db_error(&q->db, sqlite3_exec(q->db.h, shut, NULL, NULL, NULL));
  return rc == QM_OK ? ended : rc;
}

/* Inside a transaction: where anything waits, an index of it stands in this connection's
 * memory, made anew where others have committed since. */
static int make_fresh(qm_query *q, int *any) {
  uint32_t version;
  int64_t rows = 0;
  QM_TRY(qm__db_get_int(&q->db, QM__SQL_SEARCH_NEW_SIZE, NULL, 0, &rows));
  *any = rows > 0;
  if (!*any) return QM_OK;
  QM_TRY(qm__db_version(&q->db, &version));
  if (q->fresh && q->fresh_version == version) return QM_OK;
  q->fresh = 0;
  QM_TRY(fill_fresh(q));
  q->fresh = 1;
  q->fresh_version = version;
  return QM_OK;
}

/* ---- who comes first ---- */

/* Whole lines first (S16.11), then what is in titles, then the rest; within each by place in
 * the index. Nothing but the page asked for is weighed, so that a name with thousands of
 * hits costs no more than one with few. */
static void put_tier(qm_buf *b, int tier, const qm_buf *all, const qm_buf *exact) {
  static const struct {
    const char *before, *between, *after;
  } forms[] = {{"(", ") AND (", ")"},                  /* exact, all */
               {"({title} : (", ")) NOT (", ")"},      /* all, exact */
               {"(", ") NOT ((", ") OR {title} : ("}}; /* all, exact, all */
  const qm_buf *first = tier ? all : exact, *second = tier ? exact : all;
  qm_buf_clear(b);
  put(b, forms[tier].before);
  qm_buf_add(b, first->p, first->n);
  put(b, forms[tier].between);
  qm_buf_add(b, second->p, second->n);
  put(b, forms[tier].after);
  if (tier < 2) return;
  qm_buf_add(b, all->p, all->n);
  put(b, "))");
}

typedef struct finding {
  qm_query *q;
  const qm_query_search *s;
  qm_buf all, exact, match, plain;
  uint32_t skip, left;
  struct hit {
    int64_t row;
    int fresh;
  } *hits;
  uint32_t n;
  int fresh; /* the index is not all */
} finding;

static int find_tier(finding *x, int tier) {
  const qm_query_search *s = x->s;
  sqlite3_stmt *st;
  int row = 0;
  int64_t first = s->space ? qm__row_first(s->space, 0) : 0;
  int64_t last = s->space ? qm__row_first(s->space + 1, 0) - 1 : INT64_MAX;
  put_tier(&x->match, tier, &x->all, &x->exact);
  QM_TRY(qm_buf_status(&x->match));
  qm__sql_id id = x->fresh ? QM__SQL_SEARCH_FIND_BOTH : QM__SQL_SEARCH_FIND;
  QM_TRY(qm__db_start(&x->q->db, id,
                      QM__ARGS(qm__string(qm_buf_slice(&x->match)), qm__int(first), qm__int(last),
                               qm__string(s->collection)),
                      &st));
  int rc = qm__db_step(&x->q->db, st, &row);
  while (rc == QM_OK && row && x->left) {
    if (x->skip) {
      x->skip--;
    } else {
      x->hits[x->n++] =
          (struct hit){sqlite3_column_int64(st, 0), sqlite3_column_int(st, 1)};
      x->left--;
    }
    if (x->left) rc = qm__db_step(&x->q->db, st, &row);
  }
  qm__db_end(&x->q->db, id, st);
  return rc;
}

static int show_row(finding *x, const struct hit *hit, qm_buf *out) {
  sqlite3_stmt *st;
  qm__sql_id id = hit->fresh ? QM__SQL_SEARCH_SHOW_FRESH : QM__SQL_SEARCH_SHOW;
  int row = 0;
  QM_TRY(qm__db_start(&x->q->db, id,
                      QM__ARGS(qm__string(qm_buf_slice(&x->all)), qm__int(hit->row)), &st));
  int rc = qm__db_step(&x->q->db, st, &row);
  if (rc == QM_OK && row) rc = put_hit(x->q, hit->row, st, out, &x->plain);
  qm__db_end(&x->q->db, id, st);
  return rc;
}

/* In one transaction, so that what was found is there when it is shown. */
static int find(finding *x, qm_buf *out) {
  QM_TRY(qm__db_run(&x->q->db, QM__SQL_BEGIN_READ, NULL, 0));
  int rc = make_fresh(x->q, &x->fresh);
  for (int tier = 0; tier < 3 && x->left && rc == QM_OK; tier++) rc = find_tier(x, tier);
  for (uint32_t i = 0; i < x->n && rc == QM_OK; i++) rc = show_row(x, &x->hits[i], out);
  int ended = qm__db_run(&x->q->db, QM__SQL_COMMIT, NULL, 0);
  if (ended != QM_OK) qm__db_rollback(&x->q->db);
  if (rc != QM_OK || ended != QM_OK) x->q->fresh = 0;
  if (rc == QM_OK) rc = ended;
  return rc == QM_OK ? qm_buf_status(out) : rc;
}

static int find_text(qm_query *q, const qm_query_search *s, qm_buf *out) {
  finding x = {.q = q, .s = s, .skip = s->offset, .left = s->limit};
  qm_buf *buffers[] = {&x.all, &x.exact, &x.match, &x.plain};
  for (size_t i = 0; i < 4; i++)
    qm_buf_init(buffers[i], q->db.env, i < 3 ? QUERY_MAX * 64 : 1u << 24);
  x.hits = qm_alloc_array(q->db.env, (size_t)s->limit + 1, sizeof *x.hits);
  int rc = x.hits ? QM_OK : QM_ENOMEM;
  if (rc == QM_OK) q->pairs = qm__fts_query(&x.all, &x.exact, s->text);
  if (rc == QM_OK) rc = qm_buf_status(&x.all);
  if (rc == QM_OK) rc = qm_buf_status(&x.exact);
  if (rc == QM_OK && x.all.n) rc = find(&x, out);
  for (size_t i = 0; i < 4; i++) qm_buf_free(buffers[i]);
  qm_free(q->db.env, x.hits);
  return rc;
}

int qm_query_find(qm_query *q, const qm_query_search *s, qm_buf *out, qm_error *e) {
  if (s->text.n > QUERY_MAX) return qm_fail(e, QM_EINVAL, "the text is too long");
  if (!qm_utf8_check(s->text, NULL) || (s->text.n && memchr(s->text.p, 0, s->text.n)))
    return qm_fail(e, QM_EINVAL, "the text is not UTF-8");
  if (s->space >= QM__PROJECT_SPACES) return qm_fail(e, QM_ELIMIT, "%s", qm_err_text(QM_ELIMIT));
  int rc = find_text(q, s, out);
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}
