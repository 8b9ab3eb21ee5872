/* (S16.8, S16.9) Queries over the tables read them and can do nothing else; searching finds
 * what people type. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "adapters/sqlite/project.h"
#include "support_handle.h"
#include "support_old.h"

static int32_t ask(app *a, const char *sql, const char *parameters, qm_text *out) {
  return qm_sql(a->db, S(sql), S(parameters), 0, 0, out, &a->e);
}

static void says(app *a, const char *sql, const char *parameters, const char *rows) {
  qm_text t = {0};
  if (ask(a, sql, parameters, &t) != QM_OK) fail_msg("%s: %s", sql, a->e.message);
  const char *first = strchr(t.p, '\n'), *last = strstr(t.p, "{\"rows\":");
  assert_non_null(first);
  assert_non_null(last);
  assert_int_equal((size_t)(last - first - 1), strlen(rows));
  assert_memory_equal(first + 1, rows, strlen(rows));
  qm_text_free(&t);
}

static void refuses(app *a, const char *sql, int32_t code) {
  qm_text t = {0};
  int32_t rc = ask(a, sql, "", &t);
  if (rc != code) fail_msg("%s: %s (%s)", sql, qm_err_name(rc), rc ? a->e.message : t.p);
  assert_null(t.p);
}

static void fill(world *w) {
  char id[27];
  app *a = &w->a;
  app_make(a, "001", id);
  assert_int_equal(app_one(a, qm_set, id, "head", "王小明", 0), QM_OK);
  assert_int_equal(app_one(a, qm_add, id, "tags", "独居", 0), QM_OK);
  assert_int_equal(app_one(a, qm_add, id, "tags", "elderly", 0), QM_OK);
}

static void reads_what_records_show(void **state) {
  world *w = *state;
  fill(w);
  says(&w->a, "SELECT head FROM household", "", "[\"王小明\"]\n");
  says(&w->a, "SELECT count(*) FROM household WHERE head = ?1", "[\"王小明\"]", "[1]\n");
  says(&w->a, "SELECT value FROM household_tags ORDER BY value", "",
       "[\"elderly\"]\n[\"独居\"]\n");
  says(&w->a, "SELECT h.head, t.value FROM household h JOIN household_tags t USING (_row)"
              " WHERE t.value LIKE 'eld%'", "", "[\"王小明\",\"elderly\"]\n");
  says(&w->a, "SELECT name FROM _spaces", "", "[\"grid 3\"]\n");
  says(&w->a, "SELECT ?1, ?2, ?3, ?4, ?5", "[null,true,1.5,\"x\",[1]]",
       "[null,1,1.5,\"x\",\"[1]\"]\n");
  says(&w->a, "SELECT x'00ff', 1e999, '', -9223372036854775807 - 1", "",
       "[{\"$bytes\":\"00ff\"},null,\"\",-9223372036854775808]\n");
  says(&w->a, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3)"
              " SELECT count(*), sum(i) FROM n", "", "[3,6]\n");
  says(&w->a, "WITH x AS (SELECT head FROM household) SELECT count(*) FROM x", "", "[1]\n");
  says(&w->a, "SELECT value FROM json_each('[1,2]')", "", "[1]\n[2]\n");
  says(&w->a, "SELECT upper('a'), json_extract('{\"amount\":2}', '$.amount') ;; ", "",
       "[\"A\",2]\n");
}

/* Every way out that SQLite has. */
static const char *const forbidden[] = {
    "INSERT INTO household (_row, _space, _id, _conflicts) VALUES (1, 1, 'x', 0)",
    "UPDATE household SET head = 'x'",
    "DELETE FROM household",
    "DELETE FROM household RETURNING head",
    "REPLACE INTO household_tags VALUES (1, 1, 'x')",
    "CREATE TABLE t (x)",
    "CREATE TEMP TABLE t (x)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE INDEX i ON household (head)",
    "CREATE TRIGGER t AFTER INSERT ON household BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE t USING fts5(x)",
    "DROP TABLE household",
    "DROP VIEW household",
    "ALTER TABLE household RENAME TO x",
    "ATTACH 'other.db' AS o",
    "ATTACH ':memory:' AS o",
    "DETACH main",
    "PRAGMA query_only = OFF",
    "PRAGMA table_info(household)",
    "PRAGMA user_version",
    "PRAGMA writable_schema = ON",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN DELETE FROM household",
    "SELECT load_extension('x')",
    "SELECT fts5(?1)",
    "SELECT sqlite_version()",
    "SELECT randomblob(8)",
    "SELECT value FROM meta",
    "SELECT count(*) FROM meta",
    "SELECT blob FROM space",
    "SELECT * FROM space",
    "SELECT count(*) FROM space",
    "SELECT state FROM record",
    "SELECT segments FROM log",
    "SELECT bytes FROM log_piece",
    "SELECT records FROM log_new",
    "SELECT clock FROM author",
    "SELECT change FROM open_change",
    "SELECT change FROM open_run",
    "SELECT key FROM key_index",
    "SELECT * FROM _search",
    "SELECT count(*) FROM _search",
    "SELECT rowid FROM _search WHERE _search MATCH 'x'",
    "SELECT * FROM _search_content",
    "SELECT block FROM _search_data",
    "SELECT title FROM _search_new",
    "SELECT count(*) FROM _search_new",
    "SELECT title FROM _search_fresh",
    "SELECT count(*) FROM temp._search_fresh",
    "SELECT count(*) FROM _search_fresh_content",
    "SELECT c0 FROM _search_fresh_content",
    "INSERT INTO temp._search_fresh VALUES ('x', 'y')",
    "SELECT count(*) FROM sqlite_temp_schema",
    "SELECT * FROM sqlite_schema",
    "SELECT count(*) FROM sqlite_schema",
    "SELECT sql FROM sqlite_master",
    "SELECT sql FROM sqlite_temp_schema",
    "SELECT * FROM pragma_table_info('meta')",
    "SELECT count(*) FROM pragma_database_list",
    "SELECT file FROM pragma_database_list",
    "SELECT * FROM pragma_module_list",
    "SELECT head FROM household WHERE head IN (SELECT value FROM meta)",
    "SELECT (SELECT value FROM meta LIMIT 1) FROM household",
    "SELECT head FROM household UNION ALL SELECT CAST(value AS TEXT) FROM meta",
    "WITH household AS (SELECT value FROM meta) SELECT * FROM household",
    "SELECT h.head FROM household h JOIN meta m ON m.key = h.head",
    "SELECT head FROM household ORDER BY (SELECT max(value) FROM meta)",
    "SELECT max(rowid) FROM space"};

static void refuses_what_is_no_query(void **state) {
  world *w = *state;
  qm_text t = {0};
  fill(w);
  refuses(&w->a, "", QM_EINVAL);
  refuses(&w->a, " ; ;", QM_EINVAL);
  refuses(&w->a, "-- nothing", QM_EINVAL);
  refuses(&w->a, "SELECT", QM_EINVAL);
  refuses(&w->a, "SELEC 1", QM_EINVAL);
  refuses(&w->a, "SELECT nothing FROM household", QM_EINVAL);
  refuses(&w->a, "SELECT * FROM nothing", QM_EINVAL);
  refuses(&w->a, "SELECT \"text in wrong quotes\"", QM_EINVAL);
  refuses(&w->a, "SELECT 1; SELECT 2", QM_EINVAL);
  refuses(&w->a, "SELECT 1; DELETE FROM household", QM_EINVAL);
  refuses(&w->a, "SELECT ?1", QM_EINVAL);
  refuses(&w->a, "SELECT '\xff'", QM_EINVAL);
  assert_int_equal(qm_sql(w->a.db, qm_slice_of("SELECT 1\0", 9), NONE, 0, 0, &t, NULL), QM_EINVAL);
  assert_int_equal(ask(&w->a, "SELECT ?1", "[1,2]", &t), QM_EINVAL);
  assert_int_equal(ask(&w->a, "SELECT ?1", "{\"a\":1}", &t), QM_EINVAL);
  assert_int_equal(ask(&w->a, "SELECT ?1", "[1", &t), QM_EINVAL);
  assert_int_equal(ask(&w->a, "SELECT ?1", "7", &t), QM_EINVAL);
  assert_null(t.p);
}

/* Limits of time, memory and rows. */
static void a_query_is_bounded(void **state) {
  static const char *const endless =
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  static const char *const fat =
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)"
      " SELECT i FROM n ORDER BY printf('%1000d', i)";
  world *w = *state;
  qm_text t = {0};
  fill(w);
  assert_int_equal(qm_sql(w->a.db, S(endless), NONE, 0, 50, &t, &w->a.e), QM_ETIMEOUT);
  assert_int_equal(qm_sql(w->a.db, S(fat), NONE, 0, 60000, &t, &w->a.e), QM_ELIMIT);
  refuses(&w->a, "SELECT zeroblob(100000000)", QM_ELIMIT);
  assert_int_equal(qm_sql(w->a.db, S("SELECT value FROM household_tags"), NONE, 1, 0, &t, NULL),
                   QM_OK);
  assert_true(text_holds(&t, "{\"rows\":1,\"more\":true}"));
  qm_text_free(&t);
  assert_int_equal(qm_sql(w->a.db, S("SELECT value FROM household_tags"), NONE, 2, 0, &t, NULL),
                   QM_OK);
  assert_true(text_holds(&t, "{\"rows\":2,\"more\":false}"));
  qm_text_free(&t);
}

/* What an open transaction wrote is not seen, and does not stand in the way. */
static void a_query_sees_what_was_committed(void **state) {
  world *w = *state;
  qm_text id = {0};
  fill(w);
  qm_tx *tx = app_begin(&w->a);
  assert_int_equal(qm_new(tx, S("household"), S("002"), &id, NULL, NULL), QM_OK);
  says(&w->a, "SELECT count(*) FROM household", "", "[1]\n");
  app_commit(&w->a, tx);
  says(&w->a, "SELECT count(*) FROM household", "", "[2]\n");
  tx = app_begin(&w->a);
  assert_int_equal(qm_delete(tx, S("household"), S(id.p), NULL), QM_OK);
  app_commit(&w->a, tx);
  says(&w->a, "SELECT count(*) FROM household", "", "[1]\n");
  qm_text_free(&id);
}

/* ---- searching ---- */

static unsigned found(app *a, const char *text, const char *part) {
  qm_text t = {0};
  unsigned n = 0;
  if (qm_search(a->db, NONE, NONE, S(text), 0, 0, &t, &a->e) != QM_OK)
    fail_msg("%s: %s", text, a->e.message);
  for (size_t i = 0; i < t.n; i++) n += t.p[i] == '\n';
  if (part && n && !text_holds(&t, part)) fail_msg("%s: %s", text, t.p);
  qm_text_free(&t);
  return n;
}

static void refuses_everything_else(void **state) {
  world *w = *state;
  fill(w);
  assert_int_equal(found(&w->a, "王小明", NULL), 1); /* what waits stands in a table of its own */
  for (size_t i = 0; i < COUNT(forbidden); i++) {
    refuses(&w->a, forbidden[i], QM_EACCESS);
    assert_string_equal(w->a.e.message, "a query may only read the tables of records");
  }
  /* And nothing of it happened, and the connection is still good. */
  says(&w->a, "SELECT head FROM household", "", "[\"王小明\"]\n");
}

static uint64_t noted(app *a) { return qm_projection_noted(a->db->projection); }

static void finds_all(app *a) {
  assert_int_equal(found(a, "王小明", "\"title\":\"001\\n王小明\""), 1);
  assert_int_equal(found(a, "小明", NULL), 1);
  assert_int_equal(found(a, "李明", "\"title_marks\":[[6,2]],"), 1);
  assert_int_equal(found(a, "明", NULL), 2);
  assert_int_equal(found(a, "明李", NULL), 0);
  assert_int_equal(found(a, "王明", NULL), 0);
  assert_int_equal(found(a, "风路", "\"snippet\":\"Élan Café\\n东风路3号院Ｂ座1204室"), 1);
  assert_int_equal(found(a, "路3号", NULL), 1);
  assert_int_equal(found(a, "路 3", NULL), 1);
  assert_int_equal(found(a, "路4号", NULL), 0);
  assert_int_equal(found(a, "院b座", NULL), 1);
  assert_int_equal(found(a, "１２０４", NULL), 1);
  assert_int_equal(found(a, "12", NULL), 0);
  assert_int_equal(found(a, "120", NULL), 1);
  assert_int_equal(found(a, "204", NULL), 0);
  assert_int_equal(found(a, "elan cafe", NULL), 1);
  assert_int_equal(found(a, "CAFÉ", NULL), 1);
  assert_int_equal(found(a, "李明　东风", NULL), 1);
  assert_int_equal(found(a, "王小明 东风", NULL), 0);
  assert_int_equal(found(a, "eld", NULL), 1);
  assert_int_equal(found(a, "", NULL), 0);
  assert_int_equal(found(a, " 。！ ", NULL), 0);
  /* The query language of the index is not the caller's. */
  assert_int_equal(found(a, "王小明 OR 李明", NULL), 0);
  assert_int_equal(found(a, "title:王小明\" OR \"", NULL), 0);
  assert_int_equal(found(a, "NEAR(王 明)", NULL), 0);
  assert_int_equal(found(a, "\"", NULL), 0);
  assert_int_equal(found(a, "李明\"", NULL), 1);
  assert_int_equal(found(a, "*", NULL), 0);
}

static void finds_names_and_fragments(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  fill(w);
  app_make(a, "甲-002", id);
  assert_int_equal(app_one(a, qm_set, id, "head", "李明", 0), QM_OK);
  assert_int_equal(app_one(a, qm_add, id, "tags", "东风路3号院Ｂ座1204室", 0), QM_OK);
  assert_int_equal(app_one(a, qm_add, id, "tags", "Élan Café", 0), QM_OK);
  finds_all(a);
  assert_int_equal(noted(a), 2);
  assert_int_equal(qm_projection_index(a->db->projection), QM_OK);
  assert_int_equal(noted(a), 0);
  finds_all(a);
}
static void a_search_follows_what_is_written(void **state) {
  world *w = *state;
  app *a = &w->a;
  qm_text t = {0};
  char id[27];
  app_make(a, "003", id);
  assert_int_equal(app_one(a, qm_set, id, "head", "赵样例", 0), QM_OK);
  assert_int_equal(found(a, "样例", NULL), 1);
  assert_int_equal(app_one(a, qm_set, id, "head", "赵新名", 0), QM_OK);
  assert_int_equal(found(a, "样例", NULL), 0);
  assert_int_equal(found(a, "新名", NULL), 1);
  assert_int_equal(qm_rebuild(a->db, NULL), QM_OK);
  assert_int_equal(found(a, "新名", NULL), 1);
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_delete(tx, S("household"), S(id), NULL), QM_OK);
  app_commit(a, tx);
  assert_int_equal(found(a, "新名", NULL), 0);
  tx = app_begin(a);
  assert_int_equal(qm_restore(tx, S("household"), S(id), NULL), QM_OK);
  app_commit(a, tx);
  assert_int_equal(found(a, "新名", NULL), 1);
  assert_int_equal(
      qm_search(a->db, NONE, S("household"), S("新名"), 1, 0, &t, NULL), QM_OK);
  assert_true(t.n > 0);
  qm_text_free(&t);
  assert_int_equal(qm_search(a->db, NONE, NONE, S("新名"), 1, 1, &t, NULL), QM_OK);
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
  assert_int_equal(qm_search(a->db, NONE, S("no such"), S("新名"), 1, 0, &t, NULL),
                   QM_ENOTFOUND);
  assert_int_equal(qm_search(a->db, NONE, NONE, S("\xff"), 1, 0, &t, NULL), QM_EINVAL);
}

/* ---- what waits for the index (S16.15) ---- */

static void index_now(app *a) {
  assert_int_equal(qm_projection_index(a->db->projection), QM_OK);
  assert_int_equal(noted(a), 0);
}

static void first_is(app *a, const char *text, const char *id) {
  qm_text t = {0};
  char got[32];
  assert_int_equal(qm_search(a->db, NONE, NONE, S(text), 1, 0, &t, &a->e), QM_OK);
  text_member(&t, "\"id\":\"", got, sizeof got);
  assert_string_equal(got, id);
  qm_text_free(&t);
}

/* Old words of what waits are in the index still, and must not be found. */
static void what_waits_hides_what_is_indexed(void **state) {
  world *w = *state;
  app *a = &w->a;
  char one[27], two[27];
  app_make(a, "001", one);
  app_make(a, "002", two);
  assert_int_equal(app_one(a, qm_set, one, "head", "赵样例", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, two, "head", "钱样例", 0), QM_OK);
  index_now(a);
  assert_int_equal(app_one(a, qm_set, one, "head", "孙虚构", 0), QM_OK);
  assert_int_equal(noted(a), 1);
  assert_int_equal(found(a, "赵样例", NULL), 0);
  assert_int_equal(found(a, "样例", NULL), 1);
  assert_int_equal(found(a, "孙虚构", NULL), 1);
  /* Back to what the index has: nothing waits. */
  assert_int_equal(app_one(a, qm_set, one, "head", "赵样例", 0), QM_OK);
  assert_int_equal(noted(a), 0);
  assert_int_equal(found(a, "样例", NULL), 2);
  /* The whole line first, whether it waits or not; then by row. */
  assert_int_equal(app_one(a, qm_set, one, "head", "虚构样例", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, two, "head", "样例", 0), QM_OK);
  first_is(a, "样例", two);
  index_now(a);
  first_is(a, "样例", two);
  assert_int_equal(app_one(a, qm_set, one, "head", "样例", 0), QM_OK);
  first_is(a, "样例", one);
  assert_int_equal(found(a, "样例", NULL), 2);
}

static void count_of(app *a, const char *sql, int n) {
  sqlite3 *h;
  sqlite3_stmt *st;
  assert_int_equal(sqlite3_open_v2(a->o.path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(st), SQLITE_ROW);
  assert_int_equal(sqlite3_column_int(st, 0), n);
  sqlite3_finalize(st);
  sqlite3_close(h);
}

/* Its words are nowhere, though FTS5 may keep them in parts that it has not merged (S16.12). */
static void what_is_deleted_waits_for_nothing(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  for (int indexed = 0; indexed < 2; indexed++) {
    app_make(a, indexed ? "002" : "001", id);
    assert_int_equal(app_one(a, qm_set, id, "head", "李虚名", 0), QM_OK);
    if (indexed) index_now(a);
    if (indexed) assert_int_equal(app_one(a, qm_set, id, "head", "李虚姓", 0), QM_OK);
    qm_tx *tx = app_begin(a);
    assert_int_equal(qm_delete(tx, S("household"), S(id), NULL), QM_OK);
    app_commit(a, tx);
    assert_int_equal(found(a, "李虚名", NULL) + found(a, "李虚姓", NULL), 0);
    count_of(a, "SELECT (SELECT count(*) FROM _search_new) + (SELECT count(*) FROM"
                " _search_content)", 0);
  }
  assert_int_equal(qm_projection_scrub(a->db->projection), QM_OK);
}

static void a_cancelled_save_waits_for_nothing(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  app_make(a, "001", id);
  assert_int_equal(noted(a), 1);
  app_fail_save(a);
  assert_int_equal(found(a, "001", NULL), 1); /* opens the database again */
  assert_int_equal(noted(a), 1);
  assert_int_equal(app_one(a, qm_set, id, "head", "李虚名", 0), QM_OK);
  assert_int_equal(noted(a), 1);
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("李真名"), 0, NULL), QM_OK);
  qm_cancel(tx);
  assert_int_equal(found(a, "虚名", NULL), 1);
  assert_int_equal(found(a, "真名", NULL), 0);
  index_now(a);
  assert_int_equal(found(a, "虚名", NULL), 1);
}

/* Who only reads finds it too; and closing leaves nothing that waits. */
static void others_find_what_waits(void **state) {
  world *w = *state;
  app *a = &w->a, reader = *a;
  char id[27];
  app_make(a, "001", id);
  assert_int_equal(app_one(a, qm_set, id, "head", "李虚名", 0), QM_OK);
  reader.o.flags = QM_OPEN_READONLY;
  app_open(&reader);
  assert_int_equal(found(&reader, "虚名", NULL), 1);
  assert_int_equal(app_one(a, qm_set, id, "head", "王虚姓", 0), QM_OK);
  assert_int_equal(found(&reader, "虚名", NULL), 0);
  assert_int_equal(found(&reader, "虚姓", NULL), 1);
  index_now(a);
  assert_int_equal(found(&reader, "虚姓", NULL), 1);
  assert_int_equal(app_one(a, qm_set, id, "head", "王虚名", 0), QM_OK);
  qm_close(reader.db);
  count_of(a, "SELECT count(*) FROM _search_new", 1);
  app_reopen(a);
  count_of(a, "SELECT count(*) FROM _search_new", 0);
  assert_int_equal(found(a, "虚名", NULL), 1);
}

/* Where another process has the file, nothing is waited for, and searches go on. */
static void a_writer_elsewhere_hinders_no_search(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  sqlite3 *h;
  app_make(a, "李虚名", id);
  assert_int_equal(sqlite3_open_v2(a->o.path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(qm_projection_index(a->db->projection), QM_EBUSY);
  assert_int_equal(found(a, "虚名", NULL), 1);
  sqlite3_close(h);
  index_now(a);
  assert_int_equal(found(a, "虚名", NULL), 1);
}

/* A file from before there was anything that could wait. */
static void an_older_file_is_searched(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  sqlite3 *h;
  app_make(a, "李虚名", id);
  qm_close(a->db);
  a->db = NULL;
  assert_int_equal(sqlite3_open_v2(a->o.path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h, OLD_VERSION_11 "DROP TABLE _search_new;"
                                "PRAGMA user_version = 10", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(h);
  app_open(a);
  assert_int_equal(found(a, "虚名", NULL), 1);
  assert_int_equal(app_one(a, qm_set, id, "head", "王虚姓", 0), QM_OK);
  assert_int_equal(found(a, "虚姓", NULL), 1);
}

#define MANY 1100u

/* What waits is bounded: saving takes it in, and a search where much waits. */
static void much_does_not_wait(void **state) {
  world *w = *state;
  app *a = &w->a;
  char key[16];
  for (unsigned i = 0; i < MANY;) {
    qm_tx *tx = app_begin(a);
    for (unsigned n = 0; n < 100; n++, i++) {
      qm_text id = {0};
      snprintf(key, sizeof key, "key%05u", i);
      assert_int_equal(qm_new(tx, S("household"), S(key), &id, NULL, &a->e), QM_OK);
      qm_text_free(&id);
    }
    app_commit(a, tx);
    assert_true(noted(a) < 1024);
  }
  assert_int_equal(noted(a), MANY - 1024);
  assert_int_equal(found(a, "key00000", NULL) + found(a, "key01099", NULL), 2);
  for (unsigned i = 0; i < 60; i++) {
    char id[27];
    snprintf(key, sizeof key, "more%u", i);
    app_make(a, key, id);
  }
  assert_int_equal(noted(a), MANY - 1024 + 60);
  assert_int_equal(found(a, "more59", NULL), 1);
  assert_int_equal(noted(a), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
      T(reads_what_records_show),
      T(refuses_everything_else),
      T(refuses_what_is_no_query),
      T(a_query_is_bounded),
      T(a_query_sees_what_was_committed),
      T(finds_names_and_fragments),
      T(a_search_follows_what_is_written),
      T(what_waits_hides_what_is_indexed),
      T(what_is_deleted_waits_for_nothing),
      T(a_cancelled_save_waits_for_nothing),
      T(others_find_what_waits),
      T(a_writer_elsewhere_hinders_no_search),
      T(an_older_file_is_searched),
      T(much_does_not_wait),
#undef T
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
