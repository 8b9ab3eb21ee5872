/* (S16.1, S16.2, S16.6) After random histories of several replicas, with syncs cut,
 * deletes, restores, merged records, restarts, cancelled transactions and a schema that
 * grows in between, the tables show what a full read of state shows, and are what making
 * them anew gives. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/sqlite/fts_token.h"
#include "adapters/sqlite/project.h"
#include "adapters/sqlite/query.h"
#include "adapters/sqlite/store_sqlite.h"
#include "core/due.h"
#include "core/mp.h"
#include "support_world.h"

#define DEVICES 3
#define RECORDS 4
#define F_LATE 40 /* of the second version, as is collection 2 */

static const char *const names[] = {"R0", "R1", "R2", "R3"};
static const char *const words[] = {"x", "王小明", "long value", "", "户主", "z"};
static const char *const states[] = {"open", "assigned", "closed", "escalated"};

static qm_projection *projections[WORLD_MAX];
static char directory[64];

static void path_of(const device *d, char to[128]) {
  snprintf(to, 128, "%s/%d.db", directory, (int)(d - d->world->d));
}

static int open_store(device *d) {
  char path[128];
  path_of(d, path);
  return qm_store_sqlite_open(&d->env, path, QM_SQLITE_CREATE | QM_SQLITE_RELAXED, &d->store,
                              NULL);
}

static void opened(device *d) {
  assert_int_equal(qm_projection_open(d->engine, d->store, &projections[d - d->world->d]), QM_OK);
}

static void closing(device *d) {
  qm_projection_close(projections[d - d->world->d]);
  projections[d - d->world->d] = NULL;
}

static void open_world(world *w, uint64_t seed) {
  static const world_hooks hooks = {open_store, opened, closing};
  snprintf(directory, sizeof directory, "/tmp/qm-project-XXXXXX");
  assert_non_null(mkdtemp(directory));
  world_open_on(w, DEVICES, seed, &hooks);
}

static void close_world(world *w) {
  static const char *const endings[] = {"", "-wal", "-shm"};
  char path[160];
  unsigned n = w->n;
  world_close(w);
  for (unsigned i = 0; i < n; i++)
    for (unsigned k = 0; k < 3; k++) {
      snprintf(path, sizeof path, "%s/%u.db%s", directory, i, endings[k]);
      unlink(path);
    }
  rmdir(directory);
}

/* ---- the schema grows ---- */

/* Both limits start at the first step; one is extended by the visits and paused while it is
 * assigned, the other depends on the head. */
static const qm_slice one_head[] = {{(const uint8_t *)"\xa1x", 2}};
static const qm_limit_row rows[] = {{NULL, 24, QM_UNIT_HOURS},
                                    {one_head, 3, QM_UNIT_WORKING_DAYS},
                                    {NULL, 9, QM_UNIT_WORKING_HOURS}};
static const uint32_t by_head[] = {F_HEAD}, assigned[] = {1};
static const qm_limit_def limits[] = {{.name = {(const uint8_t *)"task", 4},
                                       .start = F_STEPS,
                                       .state = F_STATE,
                                       .extend = F_VISITS,
                                       .pauses = assigned,
                                       .n_pauses = 1,
                                       .rows = rows,
                                       .n_rows = 1},
                                      {.name = {(const uint8_t *)"answer", 6},
                                       .start = F_STATE,
                                       .state = F_STATE,
                                       .by = by_head,
                                       .n_by = 1,
                                       .calendar = {(const uint8_t *)"office", 6},
                                       .rows = rows + 1,
                                       .n_rows = 2}};
static const qm_calendar office[] = {{.name = {(const uint8_t *)"office", 6},
                                      .offset = 480,
                                      .week = QM_WEEK_DEFAULT}};

static void grow(world *w, unsigned i, qm_buf *to) {
  const qm_schema *old;
  qm_schema next;
  qm_collection_def all[2];
  qm_field_def fields[32], other;
  qm_error e = {0, ""};
  device *d = &w->d[i];
  assert_int_equal(qm_schema_load(&old, qm_buf_slice(&w->schema), &w->arena, &e), QM_OK);
  next = *old;
  next.version = 2;
  all[0] = old->collections[0];
  memcpy(fields, all[0].fields, all[0].n_fields * sizeof *fields);
  other = fields[1];
  other.number = F_LATE;
  other.name = qm_slice_of("住址", 6);
  fields[all[0].n_fields++] = other;
  all[0].fields = fields;
  all[1] = all[0];
  all[1].number = 2;
  all[1].name = qm_slice_of("事件", 6);
  all[1].key_field = 0;
  all[0].limits = limits;
  all[0].n_limits = 2;
  next.calendars = office;
  next.n_calendars = 1;
  next.collections = all;
  next.n_collections = 2;
  qm_buf_clear(to);
  qm_schema_encode(&next, to);
  qm_space_info info;
  qm_space_info_get(d->space, &info);
  info.schema = qm_buf_slice(to);
  if (qm_engine_space_put(d->engine, &info, &e) != QM_OK) fail_msg("%s", e.message);
}

/* ---- histories ---- */

static void allow(int rc) {
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_EINVISIBLE && rc != QM_ESCHEMA &&
      rc != QM_ESTALE && rc != QM_EINVAL)
    fail_msg("unexpected %s", qm_err_name(rc));
}

/* A transaction that is given up, also with what it put into the tables. */
static void give_up(device *d, const char *r) {
  qm_id id = rec(r);
  uint8_t value[] = {0xA1, 'q'};
  qm_write *w;
  assert_int_equal(qm_write_begin(&w, d->engine, d->space, 0), QM_OK);
  allow(qm_write_set(w, &id, F_TEL, qm_slice_of(value, 2), qm_slice_of(NULL, 0), 0));
  qm_write_cancel(w);
}

static void random_write(world *w) {
  device *d = &w->d[world_below(w, w->n)];
  const char *r = names[world_below(w, RECORDS)], *word = words[world_below(w, 6)];
  switch (world_below(w, 20)) {
    case 0:
    case 1: allow(visible(d, r) || marks(d, r) ? QM_OK : put_new(d, r)); break;
    case 2: allow(put_erase(d, r)); break;
    case 3: allow(put_restore(d, r)); break;
    case 4:
    case 5: allow(put(d, r, F_TEL, word)); break;
    case 6: allow(put(d, r, F_HEAD, word)); break;
    case 7: allow(put_raise(d, r, F_LAST, world_below(w, 50))); break;
    case 8:
    case 9: allow(put_add(d, r, word)); break;
    case 10: allow(put_remove(d, r, word)); break;
    case 11: allow(put_inc(d, r, (int64_t)world_below(w, 9) - 4)); break;
    case 12:
    case 13: allow(put_step(d, r, word)); break;
    case 14: allow(put_state(d, r, states[world_below(w, 4)])); break;
    case 15: give_up(d, r); break;
    case 17: allow(put_merge(d, r, names[world_below(w, RECORDS)])); break;
    case 18: allow(put_unmerge(d, r)); break;
    case 16: allow(put(d, r, F_LATE, word)); break;
    default: allow(put_text(d, r, 0, 0, word[0] ? word : "一"));
  }
}

static void random_step(world *w, qm_buf *schema) {
  unsigned i = world_below(w, w->n), j = (i + 1 + world_below(w, w->n - 1)) % w->n;
  switch (world_below(w, 16)) {
    case 0:
    case 1: pull(&w->d[i], &w->d[j]); break;
    case 2: pull_some(&w->d[i], &w->d[j], 1); break;
    case 3:
      if (world_below(w, 4) == 0) join(&w->d[i], &w->d[j]);
      break;
    case 4:
      if (world_below(w, 3) == 0) reopen(&w->d[i]);
      break;
    case 5:
      if (world_below(w, 6) == 0) grow(w, i, schema);
      break;
    default: random_write(w);
  }
}

/* ---- what the tables say ---- */

static sqlite3 *read_tables(const device *d) {
  char path[128];
  sqlite3 *h;
  path_of(d, path);
  assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(qm__fts_register(h, NULL), SQLITE_OK);
  return h;
}

/* The first column of the first row; "none" where there is no row. */
static void ask(sqlite3 *h, const char *sql, const char *arg, char *to, size_t size) {
  sqlite3_stmt *st;
  if (sqlite3_prepare_v2(h, sql, -1, &st, NULL) != SQLITE_OK)
    fail_msg("%s: %s", sql, sqlite3_errmsg(h));
  if (arg) sqlite3_bind_text(st, 1, arg, -1, SQLITE_STATIC);
  int rc = sqlite3_step(st);
  const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : "none";
  snprintf(to, size, "%s", text ? text : "NULL");
  sqlite3_finalize(st);
}

typedef struct reading {
  uint32_t field;
  const char *sql; /* ?1: the record's id */
} reading;

/* In the words of support_world's `shown`. */
static const reading readings[] = {
    {F_TEL, "SELECT coalesce(tel, '-') FROM household WHERE _id = ?1"},
    {F_HEAD, "SELECT coalesce(head, '-') FROM household WHERE _id = ?1"},
    {F_LAST, "SELECT coalesce(last, '-') FROM household WHERE _id = ?1"},
    {F_STATE, "SELECT coalesce(state, '-') FROM household WHERE _id = ?1"},
    {F_VISITS, "SELECT coalesce(visits, '-') FROM household WHERE _id = ?1"},
    {F_NOTES, "SELECT coalesce(notes, '-') FROM household WHERE _id = ?1"},
    {F_TAGS,
     "SELECT coalesce((SELECT group_concat(value, ',') FROM (SELECT value FROM household_tags t"
     " WHERE t._row = h._row ORDER BY _n)), '-') FROM household h WHERE _id = ?1"},
    {F_STEPS,
     "SELECT coalesce((SELECT group_concat(value, '|') FROM (SELECT value FROM household_steps t"
     " WHERE t._row = h._row ORDER BY _n)), '-') FROM household h WHERE _id = ?1"}};

static const char *or_dash(const char *text) { return text[0] ? text : "-"; }

/* It stands in its class's row, and that is the row of this record. */
static int leads(device *d, const char *r) {
  qm_record_class c;
  qm_id id = rec(r);
  if (qm_class_read(d->engine, d->space, &id, 0, &d->world->arena, &c) != QM_OK) return 0;
  return qm_class_visible(&c) && qm_id_cmp(&c.id, &id) == 0;
}

static void check_record(device *d, sqlite3 *h, const char *r) {
  char id[32], got[4096], want[16];
  qm_id key = rec(r);
  unsigned conflicts = 0;
  qm_base32(id, key.b, sizeof key.b);
  for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
    ask(h, readings[i].sql, id, got, sizeof got);
    if (leads(d, r)) assert_string_equal(or_dash(got), or_dash(shown(d, r, readings[i].field)));
    else assert_string_equal(got, "none");
  }
  for (uint32_t f = F_KEY; f <= F_LATE; f++)
    if (f != F_TAGS && f != F_VISITS && f != F_STEPS && f != F_NOTES && f != F_PLAN &&
        qm_collection_field(&qm_space_schema(d->space)->collections[0], f))
      conflicts += listed(d, r, f)[0] != '\0';
  snprintf(want, sizeof want, "%u", conflicts);
  ask(h, "SELECT _conflicts FROM household WHERE _id = ?1", id, got, sizeof got);
  assert_string_equal(got, leads(d, r) ? want : "none");
  if (qm_space_schema(d->space)->version < 2) return;
  ask(h, "SELECT coalesce(\"住址\", '-') FROM household WHERE _id = ?1", id, got, sizeof got);
  if (leads(d, r)) assert_string_equal(or_dash(got), or_dash(shown(d, r, F_LATE)));
}

/* (S23.5) A row where the limit runs, with what the record gives; else none. */
static void check_limit(device *d, sqlite3 *h, const char *r, uint32_t at) {
  static const char *const sqls[] = {
      "SELECT coalesce(due, 'p')||'/'||start||'/'||amount||'/'||coalesce(l.state, '-')||'/'||"
      "coalesce(ends, '-') FROM household_task_limit l JOIN household h USING (_row)"
      " WHERE _id = ?1",
      "SELECT coalesce(due, 'p')||'/'||start||'/'||amount||'/'||coalesce(l.state, '-')||'/'||"
      "coalesce(ends, '-') FROM household_answer_limit l JOIN household h USING (_row)"
      " WHERE _id = ?1"};
  const qm_collection_def *c = &qm_space_schema(d->space)->collections[0];
  qm_arena *arena = &d->world->arena;
  char id[32], got[256], want[256] = "none", due_ms[24] = "p";
  qm_id key = rec(r);
  qm_record_class cls;
  const qm_record *view;
  qm_due due;
  qm_base32(id, key.b, sizeof key.b);
  if (leads(d, r)) {
    assert_int_equal(qm_class_read(d->engine, d->space, &key, 0, arena, &cls), QM_OK);
    assert_int_equal(qm_class_view(&cls, qm_space_authors(d->space), QM_CLASS_ALL, arena, &view),
                     QM_OK);
    int rc = qm_due_read(d->space, c, &c->limits[at], view, arena, &due);
    if (rc == QM_OK) {
      if (!due.paused) snprintf(due_ms, sizeof due_ms, "%lld", (long long)due.deadline.ms);
      snprintf(want, sizeof want, "%s/%lld/%u/%.*s/%s", due_ms, (long long)due.start_ms,
               (unsigned)due.amount, due.state.n ? (int)due.state.n : 1,
               due.state.n ? (const char *)due.state.p : "-", due.deadline.ends ? "0" : "-");
    } else {
      assert_int_equal(rc, QM_ENOTFOUND);
    }
  }
  ask(h, sqls[at], id, got, sizeof got);
  assert_string_equal(got, want);
}

static void check_limits(device *d, sqlite3 *h) {
  char got[32];
  if (qm_space_schema(d->space)->version < 2) return;
  for (unsigned i = 0; i < RECORDS; i++)
    for (uint32_t at = 0; at < 2; at++) check_limit(d, h, names[i], at);
  ask(h, "SELECT count(*) FROM household_task_limit WHERE _row NOT IN (SELECT _row FROM household)",
      NULL, got, sizeof got);
  assert_string_equal(got, "0");
  ask(h, "SELECT count(*) FROM household_task_overdue", NULL, got, sizeof got);
}

/* Everything in all tables, by id and not by row. */
static void dump(sqlite3 *h, qm_buf *to) {
  static const char *const texts[] = {
      "SELECT group_concat(sql) FROM (SELECT sql FROM _tables ORDER BY name)",
      "SELECT group_concat(hex(digest)||hex(schema_hash)||_space||name) FROM _spaces",
      "SELECT group_concat(x) FROM (SELECT _id||_space||_conflicts||coalesce(tel,'-')||"
      "coalesce(head,'-')||coalesce(notes,'-')||coalesce(visits,'-')||coalesce(state,'-')||"
      "coalesce(c0,'-')||coalesce(c1,'-') AS x"
      " FROM household LEFT JOIN _search_content ON id=_row ORDER BY _id)",
      "SELECT group_concat(x) FROM (SELECT h._id||t._n||t.value AS x FROM household_tags t"
      " JOIN household h USING (_row) ORDER BY 1)",
      "SELECT count(*) FROM household_tags",
      "SELECT group_concat(x) FROM (SELECT h._id||t._n||t.value||t._time||t._device AS x"
      " FROM household_steps t JOIN household h USING (_row) ORDER BY 1)",
      "SELECT count(*) FROM household_steps",
      "SELECT count(*) FROM _search_content",
      "SELECT group_concat(_space||coalesce(value,'')||n||rank) FROM household_state_counts",
      "SELECT count(*) FROM household_open",
      "SELECT count(*) FROM _search WHERE _search MATCH '\"王小\"'"};
  static char got[65536];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ask(h, texts[i], NULL, got, sizeof got);
    qm_buf_add(to, got, strlen(got));
    qm_buf_byte(to, '\n');
  }
}

/* What each of these finds, one answer after the other. */
static void search(device *d, qm_buf *to) {
  static const char *const texts[] = {"x", "王", "王小", "小明", "long", "long val", "户主", "一", "z"};
  char path[128];
  qm_query *q;
  qm_buf_clear(to);
  path_of(d, path);
  assert_int_equal(qm_query_open(&q, &d->env, path, NULL), QM_OK);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const qm_query_search s = {.text = qm_slice_of(texts[i], strlen(texts[i])), .limit = 50};
    assert_int_equal(qm_query_find(q, &s, to, NULL), QM_OK);
    qm_buf_byte(to, '\n');
  }
  qm_query_close(q);
}

/* (S16.15) Whether it waits for the index or stands in it, a search finds the same. */
static void check_found(device *d) {
  qm_projection *p = projections[d - d->world->d];
  qm_buf before, after;
  qm_buf_init(&before, &d->env, 1u << 20);
  qm_buf_init(&after, &d->env, 1u << 20);
  search(d, &before);
  assert_int_equal(qm_projection_index(p), QM_OK);
  assert_int_equal(qm_projection_noted(p), 0);
  search(d, &after);
  qm_buf_byte(&before, 0);
  qm_buf_byte(&after, 0);
  assert_string_equal((const char *)before.p, (const char *)after.p);
  qm_buf_free(&before);
  qm_buf_free(&after);
}

static void check_device(device *d) {
  qm_projection *p = projections[d - d->world->d];
  qm_buf before, after;
  char got[64];
  sqlite3 *h = read_tables(d);
  for (unsigned i = 0; i < RECORDS; i++) check_record(d, h, names[i]);
  check_limits(d, h);
  assert_true(qm_projection_current(p));
  check_found(d);
  qm_buf_init(&before, &d->env, 1u << 20);
  qm_buf_init(&after, &d->env, 1u << 20);
  dump(h, &before);
  assert_int_equal(qm_projection_rebuild(p), QM_OK);
  dump(h, &after);
  qm_buf_byte(&before, 0);
  qm_buf_byte(&after, 0);
  assert_string_equal((const char *)before.p, (const char *)after.p);
  check_limits(d, h);
  qm_buf_free(&before);
  qm_buf_free(&after);
  ask(h, "PRAGMA integrity_check", NULL, got, sizeof got);
  assert_string_equal(got, "ok");
  sqlite3_close(h);
}

/* FTS5 says itself whether its index fits its content. */
static void check_search(const device *d) {
  char path[128];
  sqlite3 *h;
  path_of(d, path);
  assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  assert_int_equal(qm__fts_register(h, NULL), SQLITE_OK);
  char *why = NULL;
  if (sqlite3_exec(h, "INSERT INTO _search(_search) VALUES('integrity-check')", NULL, NULL,
                   &why) != SQLITE_OK)
    fail_msg("%s", why);
  sqlite3_close(h);
}

static void histories(uint64_t first, unsigned seeds, unsigned steps) {
  for (uint64_t seed = first; seed < first + seeds; seed++) {
    world w;
    qm_buf schema;
    open_world(&w, seed);
    qm_buf_init(&schema, &w.d[0].env, 1u << 20);
    assert_int_equal(put_new(&w.d[0], names[0]), QM_OK);
    for (unsigned i = 0; i < steps; i++) {
      random_step(&w, &schema);
      if (i % 40 == 39) check_device(&w.d[world_below(&w, w.n)]);
    }
    world_settle(&w);
    for (unsigned i = 0; i < w.n; i++) check_device(&w.d[i]);
    for (unsigned i = 0; i < w.n; i++) check_search(&w.d[i]);
    qm_buf_free(&schema);
    close_world(&w);
  }
}

static void tables_show_what_state_shows(void **state) {
  (void)state;
  histories(1, 8, 130);
}

/* An engine without a projection writes: the digest tells, and the next opening makes up. */
static void what_was_written_without_is_made_up_for(void **state) {
  world w;
  (void)state;
  open_world(&w, 7);
  assert_int_equal(put_new(&w.d[0], names[0]), QM_OK);
  closing(&w.d[0]);
  assert_int_equal(put(&w.d[0], names[0], F_TEL, "000-0007"), QM_OK);
  assert_int_equal(put_new(&w.d[0], names[1]), QM_OK);
  opened(&w.d[0]);
  check_device(&w.d[0]);
  close_world(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_show_what_state_shows),
      cmocka_unit_test(what_was_written_without_is_made_up_for)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
