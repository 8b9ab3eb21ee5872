/* query.c: see query.h. The connection, its authorizer and limits, and SELECTs; searching
 * is in query_find.c. */
#include "adapters/sqlite/query.h"

#include <string.h>
#include <time.h>

#include "adapters/sqlite/fts_token.h"
#include "adapters/sqlite/query_impl.h"
#include "core/id.h"
#include "core/norm.h"
#include "core/value.h"

#define STEPS 4000               /* of SQLite's machine between two looks at the clock */
#define MEMORY_MAX (256 << 20)   /* more than at the beginning, of all SQLite */
#define SQL_MAX 65536            /* bytes of a statement */
#define VALUE_BYTES_MAX (16 << 20)
#define NAME_BYTES_MAX 256

/* ---- what a statement may do ---- */

/* Functions that compute something from what they are given, and nothing else. */
static const char *const functions[] = {
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "ceil", "ceiling",
    "changes", "char", "coalesce", "concat", "concat_ws", "cos", "cosh", "count", "cume_dist",
    "current_date", "current_time", "current_timestamp", "date", "datetime", "degrees",
    "dense_rank", "exp", "first_value", "floor", "format", "glob", "group_concat", "hex", "ifnull",
    "iif", "instr", "json", "json_array", "json_array_length", "json_each", "json_extract",
    "json_group_array", "json_group_object", "json_object", "json_quote", "json_tree", "json_type",
    "json_valid", "julianday", "lag", "last_value", "lead", "length", "like", "likelihood",
    "likely", "ln", "log", "log10", "log2", "lower", "ltrim", "max", "min", "mod", "nth_value",
    "ntile", "nullif", "octet_length", "percent_rank", "pi", "pow", "power", "printf", "quote",
    "radians", "random", "rank", "replace", "round", "row_number", "rtrim", "sign", "sin", "sinh",
    "sqrt", "strftime", "string_agg", "substr", "substring", "sum", "tan", "tanh", "time",
    "timediff", "total", "trim", "trunc", "typeof", "unhex", "unicode", "unixepoch", "unlikely",
    "upper", "zeroblob", "->", "->>", NULL};

/* Tables that are not in the file and only compute. */
static const char *const modules[] = {"json_each", "json_tree", NULL};

static int listed(const char *const *list, const char *name) {
  for (; *list; list++)
    if (sqlite3_stricmp(*list, name) == 0) return 1;
  return 0;
}

/* The tables and views of projections, and nothing else that is there. */
static int in_names(const char *names, const char *name) {
  for (; names && *names; names += strlen(names) + 1)
    if (sqlite3_stricmp(names, name) == 0) return 1;
  return 0;
}

static int may_read(const qm_query *q, const char *table, const char *column) {
  if (!table || in_names(q->readable, table) || listed(modules, table)) return 1;
  /* Where no column is asked for, as in count(*), SQLite also names subqueries here. */
  if (column && *column) return 0;
  return !in_names(q->others, table) && sqlite3_strnicmp(table, "pragma_", 7) != 0 &&
         sqlite3_strnicmp(table, "sqlite_", 7) != 0;
}

static int authorize(void *payload, int action, const char *a, const char *b, const char *db,
                     const char *inner) {
  qm_query *q = payload;
  (void)db;
  (void)inner;
  int fine = 0;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: fine = 1; break;
    case SQLITE_READ: fine = may_read(q, a, b); break;
    case SQLITE_FUNCTION: fine = b && listed(functions, b); break;
    default: break;
  }
  if (!fine) q->denied = 1;
  return fine ? SQLITE_OK : SQLITE_DENY;
}

/* ---- time and memory ---- */

static uint64_t monotonic_ms(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void qm_query_stop_when(qm_query *q, const atomic_int *flag) { q->stop = flag; }

static int watch(void *payload) {
  qm_query *q = payload;
  if (monotonic_ms() > q->until_ms) q->stopped = QM_ETIMEOUT;
  if (sqlite3_memory_used() > q->memory_max) q->stopped = QM_ELIMIT;
  if (q->stop && atomic_load(q->stop)) q->stopped = QM_ESUSPENDED;
  return q->stopped != QM_OK;
}

/* ---- opening ---- */

static int prepare_connection(qm_query *q) {
  sqlite3 *h = q->db.h;
  static const char settings[] =
      "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;"
      "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;"
      /* Their first use declares them, which the authorizer would not allow. */
      "SELECT 1 FROM json_each('[]'), json_tree('[]');";
  sqlite3_busy_timeout(h, QM__DB_BUSY_MS);
  sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
  sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, (int *)NULL);
  sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
  sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
  sqlite3_limit(h, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(h, SQLITE_LIMIT_SQL_LENGTH, SQL_MAX);
  sqlite3_limit(h, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
  sqlite3_limit(h, SQLITE_LIMIT_EXPR_DEPTH, 200);
  sqlite3_limit(h, SQLITE_LIMIT_COMPOUND_SELECT, 50);
  sqlite3_limit(h, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
  sqlite3_limit(h, SQLITE_LIMIT_WORKER_THREADS, 0);
  int rc = qm__db_error(&q->db, sqlite3_exec(h, settings, NULL, NULL, NULL));
  if (rc == QM_OK && qm__fts_register(h, &q->pairs) != SQLITE_OK) rc = QM_EINTERNAL;
  return rc;
}

static int check_current(qm_query *q, qm_error *e) {
  int64_t there = 0, behind = 0;
  int rc = qm__db_get_int(&q->db, QM__SQL_SEARCH_THERE, NULL, 0, &there);
  if (rc == QM_OK && there) rc = qm__db_get_int(&q->db, QM__SQL_SPACES_BEHIND, NULL, 0, &behind);
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  if (there && !behind) return QM_OK;
  return qm_fail(e, QM_ESTATE,
                 "the tables are behind the records: open the database for writing once");
}

int qm_query_open(qm_query **out, const qm_env *env, const char *path, qm_error *e) {
  qm_query *q = qm_alloc_zero(env, sizeof *q);
  if (!q) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  q->db.env = env;
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int rc = qm__db_error(&q->db, sqlite3_open_v2(path, &q->db.h, flags, NULL));
  if (rc == QM_OK) rc = prepare_connection(q);
  rc = rc == QM_OK ? check_current(q, e) : qm_fail(e, rc, "%s", qm_err_text(rc));
  if (rc == QM_OK) *out = q;
  else qm_query_close(q);
  return rc;
}

void qm_query_close(qm_query *q) {
  if (!q) return;
  const qm_env *env = q->db.env;
  for (int i = 0; i < QM__SQL_COUNT; i++) sqlite3_finalize(q->db.statements[i]);
  sqlite3_close_v2(q->db.h);
  qm_free(env, q->readable);
  qm_free(env, q->others);
  qm_free(env, q);
}

/* Names one after the other, each with its NUL, and one more at the end. */
static int load_names(qm_query *q, qm__sql_id id, char **names) {
  qm_buf b;
  sqlite3_stmt *st;
  int row = 0;
  qm_buf_init(&b, q->db.env, 1u << 20);
  QM_TRY(qm__db_start(&q->db, id, NULL, 0, &st));
  int rc = qm__db_step(&q->db, st, &row);
  while (rc == QM_OK && row) {
    qm_slice name = qm__db_blob(st, 0);
    qm_buf_add(&b, name.p, name.n);
    qm_buf_byte(&b, 0);
    rc = qm__db_step(&q->db, st, &row);
  }
  qm__db_end(&q->db, id, st);
  qm_buf_byte(&b, 0);
  if (rc == QM_OK) rc = qm_buf_status(&b);
  if (rc != QM_OK) {
    qm_buf_free(&b);
    return rc;
  }
  qm_free(q->db.env, *names);
  *names = (char *)b.p;
  return QM_OK;
}

int qm__query_refresh(qm_query *q, qm_error *e) {
  int rc = load_names(q, QM__SQL_TABLES_NAMES, &q->readable);
  if (rc == QM_OK) rc = load_names(q, QM__SQL_OTHER_NAMES, &q->others);
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}

/* ---- parameters ---- */

static int bind_json(qm_query *q, sqlite3_stmt *st, int at, qm_slice value) {
  qm_buf b;
  qm_buf_init(&b, q->db.env, QM_VALUE_MAX * 8);
  int rc = qm_value_json(&b, value);
  if (rc == QM_OK) rc = qm_buf_status(&b);
  if (rc == QM_OK)
    rc = qm__db_error(&q->db, sqlite3_bind_text64(st, at, b.n ? (const char *)b.p : "", b.n,
                                                  SQLITE_TRANSIENT, SQLITE_UTF8));
  qm_buf_free(&b);
  return rc;
}

static int bind_value(qm_query *q, sqlite3_stmt *st, int at, qm_slice value) {
  qm_cur c;
  qm_mp_token t;
  int rc;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  switch (t.type) {
    case QM_MP_NIL: rc = sqlite3_bind_null(st, at); break;
    case QM_MP_BOOL: rc = sqlite3_bind_int64(st, at, t.u != 0); break;
    case QM_MP_NINT: rc = sqlite3_bind_int64(st, at, t.i); break;
    case QM_MP_F64: rc = sqlite3_bind_double(st, at, t.f); break;
    case QM_MP_UINT:
      if (t.u > INT64_MAX) return QM_ERANGE;
      rc = sqlite3_bind_int64(st, at, (int64_t)t.u);
      break;
    case QM_MP_STR:
      rc = sqlite3_bind_text64(st, at, t.span.n ? (const char *)t.span.p : "", t.span.n,
                               SQLITE_STATIC, SQLITE_UTF8);
      break;
    case QM_MP_BIN: rc = sqlite3_bind_blob64(st, at, t.span.p, t.span.n, SQLITE_STATIC); break;
    default: return bind_json(q, st, at, value);
  }
  return qm__db_error(&q->db, rc);
}

static int bind_all(qm_query *q, sqlite3_stmt *st, qm_slice parameters, qm_error *e) {
  qm_cur c;
  uint32_t n = 0;
  int rc = QM_OK, wanted = sqlite3_bind_parameter_count(st);
  qm_cur_init(&c, parameters);
  if (parameters.n) rc = qm_cur_array(&c, &n);
  if (rc == QM_OK && n != (uint32_t)wanted)
    return qm_fail(e, QM_EINVAL, "the statement has %d parameters, %u were given", wanted,
                   (unsigned)n);
  for (uint32_t i = 0; i < n && rc == QM_OK; i++) {
    qm_slice value;
    rc = qm_cur_value(&c, QM_VALUE_DEPTH + 1, &value);
    if (rc == QM_OK) rc = bind_value(q, st, (int)i + 1, value);
  }
  return rc == QM_OK ? rc : qm_fail(e, rc == QM_ENOMEM ? rc : QM_EINVAL, "the parameters");
}

/* ---- rows ---- */

static void put_text(qm_buf *b, const char *text) { qm_buf_add(b, text, strlen(text)); }

static void put_blob(qm_buf *b, qm_slice s) {
  char hex[3];
  put_text(b, "{\"$bytes\":\"");
  for (size_t i = 0; i < s.n; i++) {
    qm_hex(hex, s.p + i, 1);
    qm_buf_add(b, hex, 2);
  }
  put_text(b, "\"}");
}

static void put_value(qm_buf *b, sqlite3_stmt *st, int at) {
  char number[32];
  switch (sqlite3_column_type(st, at)) {
    case SQLITE_INTEGER:
      sqlite3_snprintf(sizeof number, number, "%lld", (long long)sqlite3_column_int64(st, at));
      put_text(b, number);
      break;
    case SQLITE_FLOAT: {
      double d = sqlite3_column_double(st, at);
      if (d - d == 0) qm_json_f64(b, d);
      else put_text(b, "null"); /* infinite */
      break;
    }
    case SQLITE_TEXT: {
      qm_slice s = qm__db_blob(st, at);
      if (qm_utf8_check(s, NULL)) qm_json_str(b, s);
      else put_blob(b, s);
      break;
    }
    case SQLITE_BLOB: put_blob(b, qm__db_blob(st, at)); break;
    default: put_text(b, "null");
  }
}

static void put_columns(qm_buf *b, sqlite3_stmt *st) {
  put_text(b, "{\"columns\":[");
  for (int i = 0; i < sqlite3_column_count(st); i++) {
    const char *name = sqlite3_column_name(st, i);
    if (i) qm_buf_byte(b, ',');
    qm_json_str(b, qm_slice_of(name, name ? strlen(name) : 0));
  }
  put_text(b, "]}\n");
}

static void put_row(qm_buf *b, sqlite3_stmt *st) {
  for (int i = 0; i < sqlite3_column_count(st); i++) {
    qm_buf_byte(b, i ? ',' : '[');
    put_value(b, st, i);
  }
  put_text(b, "]\n");
}

/* What SQLite said, as an error of ours. Its words name what the caller wrote. */
static int said(qm_query *q, int rc, qm_error *e) {
  if (q->denied)
    return qm_fail(e, QM_EACCESS, "a query may only read the tables of records");
  if (q->stopped == QM_ETIMEOUT) return qm_fail(e, QM_ETIMEOUT, "the query took too long");
  if (q->stopped == QM_ESUSPENDED) return qm_fail(e, QM_ESUSPENDED, "the query was stopped");
  if (q->stopped) return qm_fail(e, QM_ELIMIT, "the query takes too much memory");
  if ((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_MISMATCH)
    return qm_fail(e, QM_EINVAL, "%.*s", NAME_BYTES_MAX, sqlite3_errmsg(q->db.h));
  if ((rc & 0xff) == SQLITE_TOOBIG) return qm_fail(e, QM_ELIMIT, "%s", qm_err_text(QM_ELIMIT));
  int code = qm__db_error(&q->db, rc);
  return qm_fail(e, code, "%s", qm_err_text(code));
}

static int run(qm_query *q, sqlite3_stmt *st, qm_query_limits limits, qm_buf *out, qm_error *e) {
  char text[64];
  uint64_t n = 0;
  int rc, more = 0;
  put_columns(out, st);
  while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
    more = n >= limits.rows || out->n >= limits.bytes;
    if (more) break;
    put_row(out, st);
    n++;
  }
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return said(q, rc, e);
  sqlite3_snprintf(sizeof text, text, "{\"rows\":%llu,\"more\":%s}\n", (unsigned long long)n,
                   more ? "true" : "false");
  put_text(out, text);
  rc = qm_buf_status(out);
  return rc == QM_OK ? rc : qm_fail(e, rc, "the result: %s", qm_err_text(rc));
}

static int is_blank(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == ';')) p++;
  return p == end;
}

static int compile(qm_query *q, qm_slice sql, sqlite3_stmt **st, qm_error *e) {
  const char *text = (const char *)sql.p, *rest = NULL;
  *st = NULL;
  if (sql.n > SQL_MAX) return qm_fail(e, QM_EINVAL, "the statement is too long");
  if (!qm_utf8_check(sql, NULL) || (sql.n && memchr(text, 0, sql.n)))
    return qm_fail(e, QM_EINVAL, "the statement is no good text");
  int rc = sqlite3_prepare_v2(q->db.h, sql.n ? text : "", (int)sql.n, st, &rest);
  if (rc != SQLITE_OK) return said(q, rc, e);
  if (!*st) return qm_fail(e, QM_EINVAL, "there is no statement");
  if (!is_blank(rest, text + sql.n)) return qm_fail(e, QM_EINVAL, "one statement at a time");
  if (!sqlite3_stmt_readonly(*st) || !sqlite3_column_count(*st))
    return qm_fail(e, QM_EACCESS, "a query may only read the tables of records");
  return QM_OK;
}

int qm_query_sql(qm_query *q, qm_slice sql, qm_slice parameters, qm_query_limits limits,
                 qm_buf *out, qm_error *e) {
  sqlite3_stmt *st = NULL;
  QM_TRY(qm__query_refresh(q, e));
  q->denied = 0;
  q->stopped = QM_OK;
  q->until_ms = monotonic_ms() + limits.ms;
  q->memory_max = sqlite3_memory_used() + MEMORY_MAX;
  sqlite3_set_authorizer(q->db.h, authorize, q);
  sqlite3_progress_handler(q->db.h, STEPS, watch, q);
  int rc = compile(q, sql, &st, e);
  if (rc == QM_OK) rc = bind_all(q, st, parameters, e);
  if (rc == QM_OK) rc = run(q, st, limits, out, e);
  sqlite3_finalize(st);
  sqlite3_progress_handler(q->db.h, 0, NULL, NULL);
  sqlite3_set_authorizer(q->db.h, NULL, NULL);
  return rc;
}
