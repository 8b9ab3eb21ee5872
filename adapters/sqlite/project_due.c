/* project_due.c: by when a record must be done, as rows (S23.5): a small table a limit, with
 * what is running only, in the order of its index. No name of a collection stands here. */
#include <stdio.h>
#include <string.h>

#include "adapters/sqlite/project_impl.h"
#include "core/due.h"

static const char *const units[] = {"", "hours", "working_hours", "days", "working_days"};

/* ---- the tables ---- */

/* Limits have no numbers: a place among the numbers that no field has, by their name. */
static uint32_t number_of(const qm_collection_def *c, uint32_t at) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  const qm_slice name = c->limits[at].name;
  for (size_t i = 0; i < name.n; i++) hash = (hash ^ name.p[i]) * 16777619u;
  uint32_t number = QM_NUMBER_MAX + 1 + hash % (UINT32_MAX - QM_NUMBER_MAX - QM_SCHEMA_LIMITS_MAX);
  for (uint32_t i = 0; i < at; i++)
    if (number_of(c, i) == number) return number + at;
  return number;
}

static void put_table(qm_buf *b, const qm__object *o) {
  qm__layout_put(b, "CREATE TABLE ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, "(_row INTEGER PRIMARY KEY, due INTEGER, start INTEGER NOT NULL, state TEXT,"
                    " amount INTEGER NOT NULL, unit TEXT NOT NULL, utc INTEGER NOT NULL,"
                    " ends INTEGER, begins INTEGER)");
  qm__layout_index(b, o, 0, "due");
}

static void put_view(qm_buf *b, const qm__object *o, const qm__object *limit,
                     const qm__object *main) {
  qm__layout_put(b, "CREATE VIEW ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " AS SELECT l.due AS _due, l.start AS _start, t.* FROM ");
  qm__layout_name(b, limit->name);
  qm__layout_put(b, " AS l JOIN ");
  qm__layout_name(b, main->name);
  qm__layout_put(b, " AS t ON t._row = l._row"
                    " WHERE l.due <= CAST(strftime('%s', 'now') AS INTEGER) * 1000"
                    " + (SELECT offset_ms FROM _clock)");
}

static const char *named(qm__layout *l, qm_buf *b, const char *before, const char *name,
                         const char *after) {
  qm__layout_put(b, before);
  qm__layout_name(b, name);
  qm__layout_put(b, after);
  return qm__layout_text(l, b);
}

static const char *wanted(qm__layout *l, qm_buf *b, const qm__ptable *t, qm_slice limit,
                          const char *suffix) {
  qm__layout_put(b, t->object->name);
  qm__layout_put(b, "_");
  qm_buf_add(b, limit.p, limit.n);
  qm__layout_put(b, suffix);
  return qm__layout_text(l, b);
}

static int make_limit(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                      qm__ptable *t, uint32_t at) {
  static const char columns[] = "(due, start, state, amount, unit, utc, ends, begins)";
  const qm_limit_def *limit = &c->limits[at];
  const qm_field_def id = {.number = number_of(c, at), .name = limit->name};
  qm__plimit *to = &t->limits[at];
  qm__object *view;
  const char *name = wanted(l, b, t, limit->name, "_limit");
  if (!name) return QM_ENOMEM;
  QM_TRY(qm__layout_object(l, "limit", g, c, &id, name, &to->object));
  to->name = to->object->field_name;
  put_table(b, to->object);
  to->object->sql = qm__layout_text(l, b);
  to->drop.text = named(l, b, "DELETE FROM ", to->object->name, " WHERE _row = ?1");
  qm__layout_put(b, " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
                    " ON CONFLICT (_row) DO UPDATE SET ");
  qm__layout_put(b, columns);
  qm__layout_put(b, " = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) WHERE ");
  qm__layout_put(b, columns);
  qm__layout_put(b, " IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  const char *rest = qm__layout_text(l, b);
  if (!rest) return QM_ENOMEM;
  to->put.text = named(l, b, "INSERT INTO ", to->object->name, rest);
  name = wanted(l, b, t, limit->name, "_overdue");
  if (!name) return QM_ENOMEM;
  QM_TRY(qm__layout_object(l, "view", g, c, &id, name, &view));
  put_view(b, view, to->object, t->object);
  view->sql = qm__layout_text(l, b);
  return to->object->sql && to->drop.text && to->put.text && view->sql ? QM_OK : QM_ENOMEM;
}

int qm__layout_limits(qm__layout *l, const qm__lineage *g, const qm_collection_def *c,
                      qm__ptable *t) {
  qm_buf b;
  t->limits = qm_arena_zero(&l->arena, (size_t)c->n_limits * sizeof *t->limits + 1);
  if (!t->limits) return QM_ENOMEM;
  t->n_limits = c->n_limits;
  qm_buf_init(&b, l->arena.env, (size_t)1 << 16);
  int rc = QM_OK;
  for (uint32_t i = 0; i < t->n_limits && rc == QM_OK; i++) rc = make_limit(l, &b, g, c, t, i);
  qm_buf_free(&b);
  return rc;
}

/* ---- the rows ---- */

static int finish(qm_projection *p, sqlite3_stmt *st, int rc) {
  int failed = rc == SQLITE_DONE ? QM_OK : qm__db_error(p->db, rc);
  sqlite3_reset(st);
  sqlite3_clear_bindings(st);
  return failed;
}

static int drop_row(qm_projection *p, qm__plimit *l, int64_t row) {
  sqlite3_stmt *st;
  QM_TRY(qm__made_start(p->db, &l->drop, &st));
  sqlite3_bind_int64(st, 1, row);
  return finish(p, st, sqlite3_step(st));
}

/* A year of the calendar; none where all days were covered, 0 where it lists no year at all. */
static void bind_year(sqlite3_stmt *st, int at, int32_t year) {
  if (year) sqlite3_bind_int(st, at, year < 0 ? 0 : year);
}

static int put_row(qm_projection *p, qm__plimit *l, int64_t row, const qm_due *d) {
  sqlite3_stmt *st;
  QM_TRY(qm__made_start(p->db, &l->put, &st));
  sqlite3_bind_int64(st, 1, row);
  if (!d->paused) sqlite3_bind_int64(st, 2, d->deadline.ms);
  sqlite3_bind_int64(st, 3, d->start_ms);
  if (d->state.n)
    sqlite3_bind_text(st, 4, (const char *)d->state.p, (int)d->state.n, SQLITE_STATIC);
  sqlite3_bind_int64(st, 5, d->amount);
  sqlite3_bind_text(st, 6, units[d->unit <= QM_UNIT_WORKING_DAYS ? d->unit : 0], -1,
                    SQLITE_STATIC);
  sqlite3_bind_int(st, 7, d->offset);
  bind_year(st, 8, d->deadline.ends);
  bind_year(st, 9, d->deadline.begins);
  return finish(p, st, sqlite3_step(st));
}

/* The limit of that name in the space's own schema, which may be older than the table's. */
static const qm_limit_def *limit_named(const qm_collection_def *c, const char *name) {
  for (uint32_t i = 0; i < c->n_limits; i++)
    if (qm_slice_cmp(c->limits[i].name, qm_slice_of(name, strlen(name))) == 0)
      return &c->limits[i];
  return NULL;
}

int qm__project_limits(qm_projection *p, const qm_space *s, const qm_collection_def *c,
                       const qm_record *r, qm__ptable *t, int64_t row) {
  for (uint32_t i = 0; i < t->n_limits; i++) {
    const qm_limit_def *l = limit_named(c, t->limits[i].name);
    qm_due due;
    int rc = l ? qm_due_read(s, c, l, r, &p->arena, &due) : QM_ENOTFOUND;
    if (rc == QM_OK) rc = put_row(p, &t->limits[i], row, &due);
    else if (rc == QM_ENOTFOUND) rc = drop_row(p, &t->limits[i], row);
    QM_TRY(rc);
  }
  return QM_OK;
}

int qm__project_limits_drop(qm_projection *p, qm__ptable *t, int64_t row) {
  for (uint32_t i = 0; i < t->n_limits; i++) QM_TRY(drop_row(p, &t->limits[i], row));
  return QM_OK;
}
