/* query_due.c: what must be done by when, soonest first, from the tables that project_due.c
 * keeps: of each as many as a page may need, by its index. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/sqlite/project_layout.h"
#include "adapters/sqlite/query_impl.h"
#include "core/calendar.h"
#include "core/value.h"

#define TEXTS_MAX ((size_t)64 << 20)

typedef struct item {
  int64_t row, start, due;
  int paused, utc, ends, begins; /* years; -1: none */
  uint32_t amount;
  const char *id, *state, *unit, *limit; /* state may be NULL */
} item;

typedef struct looking {
  qm_query *q;
  const qm_query_due_options *o;
  int64_t first, last; /* rows */
  uint32_t want;       /* items of a table */
  qm_arena arena;
  item *items;
  uint32_t n, cap;
  int64_t open, overdue, paused;
} looking;

static const char *copy(looking *l, sqlite3_stmt *st, int at) {
  qm_slice s = qm__db_blob(st, at);
  char *p = qm_arena_alloc(&l->arena, s.n + 1);
  if (!p) return NULL;
  if (s.n) memcpy(p, s.p, s.n);
  p[s.n] = '\0';
  return p;
}

static int year(sqlite3_stmt *st, int at) {
  return sqlite3_column_type(st, at) == SQLITE_NULL ? -1 : sqlite3_column_int(st, at);
}

static int add_item(looking *l, sqlite3_stmt *st, const char *limit) {
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 64;
    item *p = qm_arena_grow(&l->arena, l->items, l->cap, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->items = p;
    l->cap = cap;
  }
  item *x = &l->items[l->n++];
  *x = (item){.row = sqlite3_column_int64(st, 0),
              .due = sqlite3_column_int64(st, 2),
              .paused = sqlite3_column_type(st, 2) == SQLITE_NULL,
              .start = sqlite3_column_int64(st, 3),
              .amount = (uint32_t)sqlite3_column_int64(st, 5),
              .utc = sqlite3_column_int(st, 7),
              .ends = year(st, 8),
              .begins = year(st, 9),
              .limit = limit};
  x->id = copy(l, st, 1);
  x->state = sqlite3_column_type(st, 4) == SQLITE_NULL ? NULL : copy(l, st, 4);
  x->unit = copy(l, st, 6);
  return x->id && x->unit ? QM_OK : QM_ENOMEM;
}

static int prepare(looking *l, char *text, sqlite3_stmt **st) {
  if (!text) return QM_ENOMEM;
  int rc = qm__db_error(&l->q->db, sqlite3_prepare_v2(l->q->db.h, text, -1, st, NULL));
  sqlite3_free(text);
  if (rc == QM_OK) {
    sqlite3_bind_int64(*st, 1, l->first);
    sqlite3_bind_int64(*st, 2, l->last);
    sqlite3_bind_int64(*st, 3, l->o->now_ms);
    sqlite3_bind_int64(*st, 4, l->want);
  }
  return rc;
}

static int step(looking *l, sqlite3_stmt *st, int *row) {
  int rc = sqlite3_step(st);
  *row = rc == SQLITE_ROW;
  return *row || rc == SQLITE_DONE ? QM_OK : qm__db_error(&l->q->db, rc);
}

static int count(looking *l, const char *table) {
  sqlite3_stmt *st = NULL;
  int row = 0;
  char *text = sqlite3_mprintf("SELECT count(*), coalesce(sum(due <= ?3), 0),"
                               " count(*) - count(due) FROM \"%w\""
                               " WHERE _row BETWEEN ?1 AND ?2",
                               table);
  int rc = prepare(l, text, &st);
  if (rc == QM_OK) rc = step(l, st, &row);
  if (rc == QM_OK && row) {
    l->open += sqlite3_column_int64(st, 0);
    l->overdue += sqlite3_column_int64(st, 1);
    l->paused += sqlite3_column_int64(st, 2);
  }
  sqlite3_finalize(st);
  return rc;
}

/* `which`: of what has a deadline, or is paused. */
static int take(looking *l, const char *table, const char *main, const char *limit,
                const char *which) {
  sqlite3_stmt *st = NULL;
  int row = 0;
  char *text = sqlite3_mprintf("SELECT l._row, m._id, l.due, l.start, l.state, l.amount, l.unit,"
                               " l.utc, l.ends, l.begins FROM \"%w\" AS l JOIN \"%w\" AS m"
                               " ON m._row = l._row WHERE %s AND l._row BETWEEN ?1 AND ?2"
                               " ORDER BY l.due, l._row LIMIT ?4",
                               table, main, which);
  int rc = prepare(l, text, &st);
  if (rc == QM_OK) rc = step(l, st, &row);
  while (rc == QM_OK && row) {
    rc = add_item(l, st, limit);
    if (rc == QM_OK) rc = step(l, st, &row);
  }
  sqlite3_finalize(st);
  return rc;
}

static int look_at(looking *l, sqlite3_stmt *st) {
  const char *table = copy(l, st, 0), *main = copy(l, st, 1), *limit = copy(l, st, 2);
  if (!table || !main || !limit) return QM_ENOMEM;
  QM_TRY(count(l, table));
  QM_TRY(take(l, table, main, limit, l->o->overdue ? "l.due <= ?3" : "l.due IS NOT NULL"));
  return l->o->overdue ? QM_OK : take(l, table, main, limit, "l.due IS NULL");
}

static int look(looking *l) {
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_LIMIT_TABLES, NULL, 0, &st));
  int rc = qm__db_step(&l->q->db, st, &row);
  while (rc == QM_OK && row) {
    rc = look_at(l, st);
    if (rc == QM_OK) rc = qm__db_step(&l->q->db, st, &row);
  }
  qm__db_end(&l->q->db, QM__SQL_LIMIT_TABLES, st);
  return rc;
}

/* Soonest first, what stands still last. */
static int by_due(const void *a, const void *b) {
  const item *x = a, *y = b;
  if (x->paused != y->paused) return x->paused - y->paused;
  int64_t i = x->paused ? x->start : x->due, k = y->paused ? y->start : y->due;
  if (i != k) return i < k ? -1 : 1;
  if (x->row != y->row) return x->row < y->row ? -1 : 1;
  return strcmp(x->limit, y->limit);
}

/* ---- as JSON ---- */

static void put(qm_buf *out, const char *text) { qm_buf_add(out, text, strlen(text)); }

static void put_text(qm_buf *out, const char *key, qm_slice text) {
  put(out, ",\"");
  put(out, key);
  put(out, "\":");
  qm_json_str(out, text);
}

static void put_number(qm_buf *out, const char *key, int64_t v) {
  char text[64];
  (void)snprintf(text, sizeof text, ",\"%s\":%lld", key, (long long)v);
  put(out, text);
}

static qm_slice str(const char *s) { return qm_slice_of(s, s ? strlen(s) : 0); }

static void put_when(qm_buf *out, const char *key, int64_t ms, int utc) {
  char date[11], text[48];
  int32_t day = qm_day_at(ms, utc);
  int64_t minute = (ms + utc * INT64_C(60000) - day * QM_DAY_MS) / 60000;
  qm_date_text(day, date);
  (void)snprintf(text, sizeof text, "%s %02d:%02d", date, (int)(minute / 60), (int)(minute % 60));
  put_text(out, key, str(text));
}

static int put_place(looking *l, const item *x, qm_buf *out) {
  uint64_t row = (uint64_t)x->row;
  sqlite3_stmt *st;
  int there = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_LIMIT_PLACE,
                      QM__ARGS(qm__int((int64_t)(row >> 32 & 2047)), qm__int((int64_t)(row >> 43))),
                      &st));
  int rc = qm__db_step(&l->q->db, st, &there);
  if (rc == QM_OK && !there) rc = QM_ECORRUPT;
  if (rc == QM_OK) {
    put(out, "{\"space\":");
    qm_json_str(out, qm__db_blob(st, 1));
    put_text(out, "space_name", qm__db_blob(st, 2));
    put_text(out, "collection", qm__db_blob(st, 0));
  }
  qm__db_end(&l->q->db, QM__SQL_LIMIT_PLACE, st);
  return rc;
}

static int put_title(looking *l, const item *x, qm_buf *out) {
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_SEARCH_TITLE, QM__ARGS(qm__int(x->row)), &st));
  int rc = qm__db_step(&l->q->db, st, &row);
  if (rc == QM_OK) put_text(out, "title", row ? qm__db_blob(st, 0) : str(""));
  qm__db_end(&l->q->db, QM__SQL_SEARCH_TITLE, st);
  return rc;
}

static int put_item(looking *l, const item *x, qm_buf *out) {
  QM_TRY(put_place(l, x, out));
  put_text(out, "id", str(x->id));
  QM_TRY(put_title(l, x, out));
  put_text(out, "limit", str(x->limit));
  if (x->state) put_text(out, "state", str(x->state));
  put_number(out, "amount", x->amount);
  put_text(out, "unit", str(x->unit));
  put_number(out, "start", x->start);
  if (!x->paused) put_number(out, "due", x->due);
  put_when(out, "start_text", x->start, x->utc);
  if (!x->paused) put_when(out, "due_text", x->due, x->utc);
  put_number(out, "utc_minutes", x->utc);
  put(out, !x->paused && x->due <= l->o->now_ms ? ",\"overdue\":true" : ",\"overdue\":false");
  put(out, x->paused ? ",\"paused\":true" : ",\"paused\":false");
  if (x->ends >= 0) put_number(out, "calendar_ends", x->ends);
  if (x->begins >= 0) put_number(out, "calendar_begins", x->begins);
  put(out, "}\n");
  return qm_buf_status(out);
}

static int answer(looking *l, qm_buf *out) {
  uint32_t from = l->o->offset < l->n ? l->o->offset : l->n;
  uint32_t to = l->n - from > l->o->limit ? from + l->o->limit : l->n;
  if (l->n) qsort(l->items, l->n, sizeof *l->items, by_due);
  for (uint32_t i = from; i < to; i++) QM_TRY(put_item(l, &l->items[i], out));
  put(out, "{\"open\":");
  char text[24];
  (void)snprintf(text, sizeof text, "%lld", (long long)l->open);
  put(out, text);
  put_number(out, "overdue", l->overdue);
  put_number(out, "paused", l->paused);
  put_number(out, "now", l->o->now_ms);
  put(out, to < (uint64_t)(l->o->overdue ? l->overdue : l->open) ? ",\"more\":true}\n"
                                                                 : ",\"more\":false}\n");
  return qm_buf_status(out);
}

int qm_query_due(qm_query *q, const qm_query_due_options *o, qm_buf *out, qm_error *e) {
  looking l = {.q = q, .o = o};
  if (o->space >= QM__PROJECT_SPACES || o->offset > QM_QUERY_DUE_MAX || o->limit > QM_QUERY_DUE_MAX)
    return qm_fail(e, QM_ELIMIT, "%s", qm_err_text(QM_ELIMIT));
  l.first = o->space ? qm__row_first(o->space, 0) : 0;
  l.last = o->space ? qm__row_first(o->space + 1, 0) - 1 : INT64_MAX;
  l.want = o->offset + o->limit;
  qm_arena_init(&l.arena, q->db.env, TEXTS_MAX);
  int rc = qm__db_run(&q->db, QM__SQL_BEGIN_READ, NULL, 0);
  if (rc == QM_OK) {
    rc = look(&l);
    if (rc == QM_OK) rc = answer(&l, out);
    int ended = qm__db_run(&q->db, QM__SQL_COMMIT, NULL, 0);
    if (rc == QM_OK) rc = ended;
  }
  qm_arena_free(&l.arena);
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}
