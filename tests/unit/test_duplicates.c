/* (S3.22, S16.13, S16.14) Likely duplicates as an app asks for them: what is listed and why,
 * what was said to be distinct, and that the index finds what a look at all pairs finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/alike.h"
#include "support_handle.h"
#include "tests/unit/support_old.h"

#define F(name, number, kind) \
  "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"register\",\"value\":\"" kind \
  "\",\"class\":\"personal\"}"
#define HEAD(version)                                                                        \
  "{\"schema\":\"try\",\"version\":" #version ",\"collections\":[{\"name\":\"household\","   \
  "\"number\":1,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[" F("head", 16, "text")  \
  "," F("phone", 17, "text") "," F("address", 18, "text") "," F("place", 19, "point") ","    \
  F("seen", 20, "date") ",{\"name\":\"tags\",\"number\":21,\"type\":\"set\",\"value\":"      \
  "\"text\",\"class\":\"work\"}]"
#define TAIL                                                                                  \
  "},{\"name\":\"other\",\"number\":2,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["   \
  F("head", 16, "text") "]}]}"
#define RULES(most)                                                                           \
  ",\"duplicates\":[{\"name\":\"phone\",\"weight\":70,\"most\":" #most ",\"when\":["          \
  "{\"field\":\"phone\",\"match\":\"phone\"}]},"                                              \
  "{\"name\":\"home\",\"weight\":80,\"most\":512,\"when\":[{\"field\":\"address\",\"match\":" \
  "\"address\"},{\"field\":\"head\",\"match\":\"similar\"}]},"                                \
  "{\"name\":\"here\",\"weight\":60,\"most\":512,\"when\":[{\"field\":\"place\",\"match\":"   \
  "\"near\",\"metres\":50},{\"field\":\"seen\",\"match\":\"within\",\"hours\":48}]},"         \
  "{\"name\":\"tag\",\"weight\":20,\"most\":512,\"when\":[{\"field\":\"tags\",\"match\":"     \
  "\"text\"}]}]"

static const char with_rules[] = HEAD(1) RULES(4) TAIL;

static int setup(void **state) {
  static world w;
  memset(&w, 0, sizeof w);
  test_dir_make(&w.dir);
  app_set(&w.a, &w.dir, "a.db");
  app_open(&w.a);
  assert_int_equal(qm_space_create(w.a.db, S("grid 3"), S(with_rules), NONE, &w.a.e), QM_OK);
  *state = &w;
  return 0;
}

/* A household with some fields, "head=…" and so on; its id. */
static void make(app *a, char id[27], const char *const *fields) {
  app_make(a, "", id);
  for (; *fields; fields += 2)
    assert_int_equal(app_one(a, qm_put, id, fields[0], fields[1], 0), QM_OK);
}
#define MAKE(a, id, ...) make(a, id, (const char *const[]){__VA_ARGS__, NULL})

static int ask(app *a, const char *record, uint32_t flags, qm_text *out) {
  *out = (qm_text){0};
  return qm_duplicates(a->db, NONE, S("household"), S(record), flags, 1000, 0, out, &a->e);
}

static void list(app *a, const char *record, uint32_t flags, qm_text *out) {
  if (ask(a, record, flags, out) != QM_OK) fail_msg("%s", a->e.message);
}

static void holds(app *a, uint32_t flags, const char *part, int wanted) {
  qm_text t;
  list(a, "", flags, &t);
  if ((strstr(t.p, part) != NULL) != wanted)
    fail_msg("%s is %sin\n%s", part, wanted ? "not " : "", t.p);
  qm_text_free(&t);
}

static void pair_is(app *a, const char *x, const char *y, int there) {
  char part[96];
  int swap = strcmp(x, y) > 0;
  snprintf(part, sizeof part, "\"a\":\"%s\",\"b\":\"%s\"", swap ? y : x, swap ? x : y);
  holds(a, 0, part, there);
}

typedef int32_t (*two)(qm_tx *, qm_slice, qm_slice, qm_slice, qm_error *);

static int of_two(app *a, two act, const char *x, const char *y, uint32_t *written) {
  qm_tx *tx = app_begin(a);
  int rc = act(tx, S("household"), S(x), S(y), &a->e);
  if (written) *written = qm_written(tx);
  app_commit(a, tx);
  return rc;
}

static int of_one(app *a, int32_t (*act)(qm_tx *, qm_slice, qm_slice, qm_error *), const char *x) {
  qm_tx *tx = app_begin(a);
  int rc = act(tx, S("household"), S(x), &a->e);
  app_commit(a, tx);
  return rc;
}

static void meet(world *w) {
  app_deliver(&w->a, &w->b);
  app_deliver(&w->b, &w->a);
}

/* ---- what is listed ---- */

static void pairs_are_listed_with_reasons(void **state) {
  world *w = *state;
  char x[27], y[27], z[27];
  qm_text t;
  MAKE(&w->a, x, "head", "王小明", "phone", "139 0000 0001", "address", "东风路十二号");
  MAKE(&w->a, y, "head", "王晓明", "phone", "+86-13900000001", "address", "东风路12号");
  MAKE(&w->a, z, "head", "李四", "address", "东风路12号");
  list(&w->a, "", 0, &t);
  assert_true(text_holds(
      &t, "\"score\":86,\"reasons\":[{\"rule\":\"phone\",\"score\":70,\"fields\":[{\"field\":"
          "\"phone\",\"match\":\"phone\"}]},{\"rule\":\"home\",\"score\":52,\"fields\":[{\"field\":"
          "\"address\",\"match\":\"address\"},{\"field\":\"head\",\"match\":\"similar\","
          "\"percent\":66}]}]}\n{\"pairs\":1,\"more\":false,\"complete\":true}\n"));
  qm_text_free(&t);
  pair_is(&w->a, x, z, 0);
  pair_is(&w->a, x, y, 1);
  /* of one record, by a prefix too */
  list(&w->a, x, 0, &t);
  assert_true(text_holds(&t, y));
  assert_true(text_holds(&t, "{\"pairs\":1,"));
  qm_text_free(&t);
  list(&w->a, z, 0, &t);
  assert_string_equal(t.p, "{\"pairs\":0,\"more\":false,\"complete\":true}\n");
  qm_text_free(&t);
  /* what is shown counts, not what was */
  assert_int_equal(app_one(&w->a, qm_set, y, "phone", "139 0000 0002", 0), QM_OK);
  holds(&w->a, 0, "\"score\":52", 1);
  assert_int_equal(app_one(&w->a, qm_set, y, "address", "", 0), QM_OK);
  pair_is(&w->a, x, y, 0);
  assert_int_equal(app_one(&w->a, qm_set, y, "phone", "13900000001", 0), QM_OK);
  assert_int_equal(of_one(&w->a, qm_delete, x), QM_OK);
  pair_is(&w->a, x, y, 0);
  assert_int_equal(of_one(&w->a, qm_restore, x), QM_OK);
  pair_is(&w->a, x, y, 1);
}

/* A value shown, and one listed beside it, both count. */
static void conflicting_values_count(void **state) {
  world *w = *state;
  char x[27], y[27];
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000009");
  app_second(w);
  meet(w);
  assert_int_equal(app_one(&w->a, qm_set, x, "phone", "13900000009", 0), QM_OK);
  w->b.now_ms = w->a.now_ms + 5000;
  assert_int_equal(app_one(&w->b, qm_set, x, "phone", "13900000008", 0), QM_OK);
  pair_is(&w->b, x, y, 0);
  meet(w);
  pair_is(&w->a, x, y, 1);
  pair_is(&w->b, x, y, 1);
  assert_int_equal(app_one(&w->a, qm_settle, x, "phone", "13900000008", 0), QM_OK);
  pair_is(&w->a, x, y, 0);
}

/* A value that `most` records share counts; one more, and it says nothing. */
static void common_values_say_nothing(void **state) {
  world *w = *state;
  char id[6][27], x[27], y[27];
  qm_text t;
  for (int i = 0; i < 4; i++) MAKE(&w->a, id[i], "phone", "028-00001111");
  holds(&w->a, 0, "{\"pairs\":6,", 1);
  holds(&w->a, 0, "\"records\"", 0);
  MAKE(&w->a, id[4], "phone", "028-00001111");
  list(&w->a, "", 0, &t);
  assert_true(text_holds(&t, "{\"collection\":\"household\",\"rule\":\"phone\",\"records\":5,"));
  assert_true(text_holds(&t, "{\"pairs\":0,"));
  qm_text_free(&t);
  list(&w->a, id[4], 0, &t);
  assert_true(text_holds(&t, "{\"pairs\":0,"));
  qm_text_free(&t);
  /* nor does it where the two are alike otherwise */
  MAKE(&w->a, x, "head", "王小明", "phone", "028-00001111", "address", "一号");
  MAKE(&w->a, y, "head", "王小明", "phone", "028-00001111", "address", "1号");
  holds(&w->a, 0, "\"score\":80,\"reasons\":[{\"rule\":\"home\",\"score\":80", 1);
  assert_int_equal(of_one(&w->a, qm_delete, x), QM_OK);
  assert_int_equal(of_one(&w->a, qm_delete, y), QM_OK);
  assert_int_equal(of_one(&w->a, qm_delete, id[0]), QM_OK);
  holds(&w->a, 0, "{\"pairs\":6,", 1);
}

static void pages(void **state) {
  world *w = *state;
  char x[27];
  qm_text t, all;
  size_t n = 0;
  for (int i = 0; i < 4; i++) MAKE(&w->a, x, "phone", "028-00001111");
  list(&w->a, "", 0, &all);
  for (uint32_t from = 0; from < 8; from++) {
    assert_int_equal(qm_duplicates(w->a.db, NONE, NONE, NONE, 0, 1, from, &t, &w->a.e), QM_OK);
    assert_true(text_holds(&t, from < 5 ? "\"more\":true" : "\"more\":false"));
    if (from < 6) {
      size_t line = (size_t)(strchr(t.p, '\n') - t.p) + 1;
      assert_memory_equal(t.p, all.p + n, line);
      n += line;
    } else {
      assert_string_equal(t.p, "{\"pairs\":6,\"more\":false,\"complete\":true}\n");
    }
    qm_text_free(&t);
  }
  qm_text_free(&all);
}

/* ---- merged, and distinct ---- */

static void merged_records_are_one(void **state) {
  world *w = *state;
  char x[27], y[27], z[27];
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001/13900000002");
  MAKE(&w->a, z, "phone", "13900000002");
  pair_is(&w->a, x, y, 1);
  pair_is(&w->a, y, z, 1);
  pair_is(&w->a, x, z, 0);
  assert_int_equal(of_two(&w->a, qm_merge, x, y, NULL), QM_OK);
  pair_is(&w->a, x, y, 0);
  /* the class still has the number of each, under its smaller id */
  pair_is(&w->a, strcmp(x, y) < 0 ? x : y, z, 1);
  holds(&w->a, 0, "{\"pairs\":1,", 1);
  /* asked for by either id */
  qm_text t;
  list(&w->a, strcmp(x, y) < 0 ? y : x, 0, &t);
  assert_true(text_holds(&t, "{\"pairs\":1,"));
  qm_text_free(&t);
  assert_int_equal(of_one(&w->a, qm_unmerge, x), QM_OK);
  pair_is(&w->a, x, y, 1);
  pair_is(&w->a, y, z, 1);
  pair_is(&w->a, x, z, 0);
}

static void distinct_is_remembered(void **state) {
  world *w = *state;
  char x[27], y[27];
  uint32_t written;
  qm_text t;
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  app_second(w);
  meet(w);
  pair_is(&w->b, x, y, 1);
  assert_int_equal(of_two(&w->a, qm_distinct, y, x, &written), QM_OK);
  assert_int_equal(written, 1);
  assert_int_equal(of_two(&w->a, qm_distinct, x, y, &written), QM_OK);
  assert_int_equal(written, 0); /* whoever comes first */
  pair_is(&w->a, x, y, 0);
  list(&w->a, "", QM_DISMISSED, &t);
  assert_true(text_holds(&t, "],\"dismissed\":true}\n{\"pairs\":1,"));
  qm_text_free(&t);
  pair_is(&w->b, x, y, 1);
  meet(w);
  pair_is(&w->b, x, y, 0);
  /* it is no edit of either */
  assert_true(app_shows(&w->b, x, "\"visible\":true"));
  assert_int_equal(of_two(&w->b, qm_not_distinct, x, y, &written), QM_OK);
  assert_int_equal(written, 1);
  assert_int_equal(of_two(&w->b, qm_not_distinct, y, x, &written), QM_OK);
  assert_int_equal(written, 0);
  pair_is(&w->b, x, y, 1);
  meet(w);
  pair_is(&w->a, x, y, 1);
}

/* Said again beside the taking back: it stands, as it was said by somebody who knew no better
 * reason to take it back. Said by two: one taking back is enough, which had seen both. */
static void distinct_beside_its_undoing(void **state) {
  world *w = *state;
  char x[27], y[27];
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  app_second(w);
  meet(w);
  assert_int_equal(of_two(&w->a, qm_distinct, x, y, NULL), QM_OK);
  assert_int_equal(of_two(&w->b, qm_distinct, x, y, NULL), QM_OK);
  assert_int_equal(of_two(&w->a, qm_not_distinct, x, y, NULL), QM_OK);
  pair_is(&w->a, x, y, 1);
  meet(w);
  pair_is(&w->a, x, y, 0);
  pair_is(&w->b, x, y, 0);
  assert_int_equal(of_two(&w->a, qm_not_distinct, x, y, NULL), QM_OK);
  meet(w);
  pair_is(&w->a, x, y, 1);
  pair_is(&w->b, x, y, 1);
}

/* Of a class it is enough that it was said of one member; taken apart, of that one alone. */
static void distinct_outlives_merging(void **state) {
  world *w = *state;
  char x[27], y[27], z[27];
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  MAKE(&w->a, z, "phone", "13900000001");
  assert_int_equal(of_two(&w->a, qm_distinct, x, z, NULL), QM_OK);
  holds(&w->a, 0, "{\"pairs\":2,", 1);
  assert_int_equal(of_two(&w->a, qm_merge, x, y, NULL), QM_OK);
  holds(&w->a, 0, "{\"pairs\":0,", 1);
  assert_int_equal(of_one(&w->a, qm_unmerge, y), QM_OK);
  pair_is(&w->a, y, z, 1);
  pair_is(&w->a, x, z, 0);
  /* merged all the same, and taken apart again: it is still said */
  assert_int_equal(of_two(&w->a, qm_merge, x, z, NULL), QM_OK);
  assert_int_equal(of_one(&w->a, qm_unmerge, z), QM_OK);
  pair_is(&w->a, x, z, 0);
  /* taken back of the class, wherever it stands */
  assert_int_equal(of_two(&w->a, qm_merge, x, y, NULL), QM_OK);
  assert_int_equal(of_two(&w->a, qm_not_distinct, y, z, NULL), QM_OK);
  holds(&w->a, 0, "{\"pairs\":1,", 1);
}

/* Beside a delete it is no edit that would bring the record back; and it is there when the
 * record is restored. */
static void distinct_beside_a_delete(void **state) {
  world *w = *state;
  char x[27], y[27];
  qm_text t;
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  app_second(w);
  meet(w);
  assert_int_equal(of_one(&w->a, qm_delete, x), QM_OK);
  assert_int_equal(of_one(&w->a, qm_delete, y), QM_OK);
  assert_int_equal(of_two(&w->b, qm_distinct, x, y, NULL), QM_OK);
  meet(w);
  for (int i = 0; i < 2; i++) {
    app *a = i ? &w->b : &w->a;
    assert_int_equal(qm_get(a->db, NONE, S("household"), S(x), 0, &t, &a->e), QM_EINVISIBLE);
    assert_int_equal(qm_get(a->db, NONE, S("household"), S(y), 0, &t, &a->e), QM_EINVISIBLE);
  }
  assert_int_equal(of_one(&w->a, qm_restore, x), QM_OK);
  assert_int_equal(of_one(&w->a, qm_restore, y), QM_OK);
  holds(&w->a, 0, "{\"pairs\":0,", 1);
  meet(w);
  holds(&w->b, 0, "{\"pairs\":0,", 1);
}

/* The log says it, and so does the feed, of both. */
static void distinct_is_told(void **state) {
  world *w = *state;
  char x[27], y[27], cursor[64];
  qm_text t;
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  assert_int_equal(qm_changes(w->a.db, NONE, 0, &t, &w->a.e), QM_OK);
  text_member(&t, "{\"cursor\":\"", cursor, sizeof cursor);
  qm_text_free(&t);
  assert_int_equal(of_two(&w->a, qm_distinct, x, y, NULL), QM_OK);
  assert_int_equal(qm_changes(w->a.db, S(cursor), 0, &t, &w->a.e), QM_OK);
  assert_true(text_holds(&t, x));
  assert_true(text_holds(&t, y));
  qm_text_free(&t);
  const char *holder = strcmp(x, y) < 0 ? x : y, *other = holder == x ? y : x;
  char part[96];
  snprintf(part, sizeof part, "\"op\":\"distinct\",\"value\":\"%s\"", other);
  assert_int_equal(qm_history(w->a.db, NONE, S("household"), S(holder), &t, &w->a.e), QM_OK);
  assert_true(text_holds(&t, part));
  qm_text_free(&t);
}

static void wrong_arguments(void **state) {
  world *w = *state;
  app *a = &w->a;
  char x[27], y[27];
  qm_text t = {0}, other;
  qm_error *e = &a->e;
  MAKE(a, x, "phone", "13900000001");
  MAKE(a, y, "phone", "13900000001");
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_new(tx, S("other"), NONE, &other, NULL, e), QM_OK);
  app_commit(a, tx);
  assert_int_equal(of_two(a, qm_distinct, x, x, NULL), QM_EINVAL);
  assert_int_equal(of_two(a, qm_distinct, x, other.p, NULL), QM_ENOTFOUND);
  assert_int_equal(of_two(a, qm_distinct, x, "nobody", NULL), QM_ENOTFOUND);
  assert_int_equal(of_two(a, qm_not_distinct, x, x, NULL), QM_EINVAL);
  assert_int_equal(of_two(a, qm_merge, x, y, NULL), QM_OK);
  assert_int_equal(of_two(a, qm_distinct, x, y, NULL), QM_EINVAL);
  assert_int_equal(of_one(a, qm_unmerge, x), QM_OK);
  assert_int_equal(of_one(a, qm_delete, x), QM_OK);
  assert_int_equal(of_two(a, qm_distinct, x, y, NULL), QM_EINVISIBLE);
  assert_int_equal(qm_distinct(NULL, NONE, NONE, NONE, e), QM_EINVAL);
  assert_int_equal(qm_duplicates(NULL, NONE, NONE, NONE, 0, 0, 0, &t, e), QM_EINVAL);
  assert_int_equal(qm_duplicates(a->db, NONE, NONE, NONE, 0, 0, 0, NULL, e), QM_EINVAL);
  assert_int_equal(qm_duplicates(a->db, NONE, NONE, S(x), 0, 0, 0, &t, e), QM_EINVAL);
  assert_int_equal(qm_duplicates(a->db, NONE, S("nope"), NONE, 0, 0, 0, &t, e), QM_ENOTFOUND);
  assert_int_equal(qm_duplicates(a->db, S("nope"), NONE, NONE, 0, 0, 0, &t, e), QM_ENOTFOUND);
  assert_null(t.p);
  assert_int_equal(qm_duplicates(a->db, NONE, S("other"), S(other.p), 0, 0, 0, &t, e), QM_OK);
  assert_true(text_holds(&t, "{\"pairs\":0,")); /* no rules: nothing to say */
  qm_text_free(&t);
  qm_text_free(&other);
  /* what it keeps is no table of records */
  static const char *const hidden[] = {"_alike", "_alike_key", "_distinct"};
  for (size_t i = 0; i < COUNT(hidden); i++) {
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT * FROM %s", hidden[i]);
    assert_int_equal(qm_sql(a->db, S(sql), NONE, 0, 0, &t, e), QM_EACCESS);
  }
}

/* ---- schemas and files of other times ---- */

static void other_rules_make_another_index(void **state) {
  world *w = *state;
  char x[27], y[27];
  static const char none[] = HEAD(2) TAIL, again[] = HEAD(3) RULES(2) TAIL;
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  pair_is(&w->a, x, y, 1);
  assert_int_equal(qm_space_create(w->a.db, S("grid 3"), S(none), NONE, &w->a.e), QM_OK);
  holds(&w->a, 0, "{\"pairs\":0,", 1);
  assert_int_equal(app_one(&w->a, qm_set, y, "phone", "13900000002", 0), QM_OK);
  assert_int_equal(qm_space_create(w->a.db, S("grid 3"), S(again), NONE, &w->a.e), QM_OK);
  holds(&w->a, 0, "{\"pairs\":0,", 1);
  assert_int_equal(app_one(&w->a, qm_set, y, "phone", "13900000001", 0), QM_OK);
  pair_is(&w->a, x, y, 1);
  assert_int_equal(qm_rebuild(w->a.db, &w->a.e), QM_OK);
  pair_is(&w->a, x, y, 1);
}

/* A file made before there was an index gets it when it is opened for writing. */
static void an_older_file_gets_its_index(void **state) {
  world *w = *state;
  char x[27], y[27], z[27];
  sqlite3 *h;
  MAKE(&w->a, x, "phone", "13900000001");
  MAKE(&w->a, y, "phone", "13900000001");
  MAKE(&w->a, z, "phone", "13900000001");
  assert_int_equal(of_two(&w->a, qm_distinct, x, z, NULL), QM_OK);
  qm_close(w->a.db);
  w->a.db = NULL;
  assert_int_equal(sqlite3_open(w->a.o.path, &h), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h,
                                OLD_VERSION_8 "DROP TABLE _alike; DROP TABLE _alike_key;"
                                "DROP TABLE _distinct; DROP TABLE local;"
                                "UPDATE _spaces SET schema_hash = zeroblob(16);"
                                "PRAGMA user_version = 6",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  sqlite3_close(h);
  app_open(&w->a);
  pair_is(&w->a, x, y, 1);
  pair_is(&w->a, y, z, 1);
  pair_is(&w->a, x, z, 0);
  w->a.o.flags = QM_OPEN_READONLY;
  app_reopen(&w->a);
  holds(&w->a, 0, "{\"pairs\":2,", 1);
}

/* ---- the index, and a look at all pairs ---- */

typedef struct shown {
  qm_record_class cls;
  qm_alike features;
} shown;

enum { RECORDS = 12 };

static char ids[RECORDS][27];

/* Every class that is visible, read from state. */
static uint32_t read_all(app *a, qm_arena *arena, shown out[RECORDS]) {
  qm_space *s = app_space(a);
  const qm_collection_def *c = qm_schema_collection(qm_space_schema(s), 1);
  uint32_t n = 0;
  for (int i = 0; i < RECORDS; i++) {
    qm_id id;
    const qm_record *view;
    shown *x = &out[n];
    if (!ids[i][0]) continue;
    assert_int_equal(qm__handle_id_parse(S(ids[i]), &id), QM_OK);
    int rc = qm_class_read(a->db->engine, s, &id, 0, arena, &x->cls);
    if (rc == QM_ENOTFOUND) continue;
    assert_int_equal(rc, QM_OK);
    if (qm_id_cmp(&x->cls.id, &id) != 0 || !qm_class_visible(&x->cls)) continue;
    assert_int_equal(
        qm_class_view(&x->cls, qm_space_authors(s), QM_CLASS_ALL, arena, &view), QM_OK);
    assert_int_equal(qm_alike_read(s, c, view, arena, &x->features), QM_OK);
    n++;
  }
  return n;
}

/* All pairs, compared: each must be listed with its score, and nothing else. */
static void check_all_pairs(app *a) {
  qm_arena arena;
  shown all[RECORDS];
  qm_text t;
  uint32_t pairs = 0;
  char line[128], x[27], y[27];
  const qm_collection_def *c = qm_schema_collection(qm_space_schema(app_space(a)), 1);
  qm_arena_init(&arena, &a->db->env, 64u << 20);
  list(a, "", 0, &t);
  uint32_t n = read_all(a, &arena, all);
  for (uint32_t i = 0; i < n; i++) {
    for (uint32_t k = i + 1; k < n; k++) {
      qm_alike_match match;
      qm_id holder;
      qm_slice element;
      qm_alike_compare(c, &all[i].features, &all[k].features, UINT32_MAX, &match);
      if (!match.n || qm_class_distinct(&all[i].cls, &all[k].cls, &holder, &element)) continue;
      int swap = qm_id_cmp(&all[i].cls.id, &all[k].cls.id) > 0;
      qm__handle_id_text(&all[swap ? k : i].cls.id, x);
      qm__handle_id_text(&all[swap ? i : k].cls.id, y);
      snprintf(line, sizeof line, "\"a\":\"%s\",\"b\":\"%s\",\"score\":%u,", x, y, match.score);
      if (!text_holds(&t, line)) fail();
      pairs++;
    }
  }
  snprintf(line, sizeof line, "\n{\"pairs\":%u,", pairs);
  if (strncmp(t.p, line + 1, strlen(line + 1)) != 0 && !text_holds(&t, line)) fail();
  qm_text_free(&t);
  qm_arena_free(&arena);
}

static uint64_t seed;

static uint32_t below(uint32_t n) { /* splitmix64 */
  uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)((z ^ (z >> 31)) % n);
}

static const char *const fields[] = {"head", "phone", "address", "place", "seen", "tags"};
static const char *const values[][6] = {
    {"王小明", "王晓明", "李四", "王明", "李小明", ""},
    {"13900000001", "139 0000 0001", "13900000002", "13900000003/13900000001", "无", ""},
    {"东风路12号", "东风路十二号", "东风路1号", "和平路12号", "东风路12", ""},
    {"31.2,121.4", "31.2003,121.4", "31.2,121.4005", "31.20044,121.4", "-31.2,121.4", ""},
    {"2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-02-28", ""},
    {"red", "Red", "blue", "蓝", "b-lue", "x"}};

static void step(world *w) {
  app *a = below(2) ? &w->a : &w->b;
  const char *x = ids[below(RECORDS)], *y = ids[below(RECORDS)];
  uint32_t f = below(6), what = below(20);
  if (what < 12)
    (void)app_one(a, f == 5 ? below(3) ? qm_add : qm_remove : qm_set, x, fields[f],
                  values[f][below(6)], 0);
  else if (what == 12) (void)of_one(a, qm_delete, x);
  else if (what == 13) (void)of_one(a, qm_restore, x);
  else if (what == 14) (void)of_two(a, qm_merge, x, y, NULL);
  else if (what == 15) (void)of_one(a, qm_unmerge, x);
  else if (what == 16) (void)of_two(a, qm_distinct, x, y, NULL);
  else if (what == 17) (void)of_two(a, qm_not_distinct, x, y, NULL);
  else app_deliver(a, a == &w->a ? &w->b : &w->a);
}

static void digest_of(app *a, uint8_t out[16]) {
  qm_digest d;
  qm_space_digest(app_space(a), &d);
  qm_digest_bytes(&d, out);
}

/* After random histories of two phones; then both hold and list the same. */
static void the_index_finds_what_all_pairs_do(void **state) {
  world *w = *state;
  static const char big[] = HEAD(2) RULES(512) TAIL;
  uint8_t one[16], other[16];
  assert_int_equal(qm_space_create(w->a.db, S("grid 3"), S(big), NONE, &w->a.e), QM_OK);
  app_second(w);
  for (int i = 0; i < RECORDS; i++) {
    app_make(i % 2 ? &w->a : &w->b, "", ids[i]);
    if (i % 3 == 0) meet(w);
  }
  meet(w);
  for (seed = 77; seed; seed++) {
    static int done;
    for (int i = 0; i < 12; i++) step(w);
    check_all_pairs(&w->a);
    check_all_pairs(&w->b);
    if (++done == 60) break;
  }
  meet(w);
  digest_of(&w->a, one);
  digest_of(&w->b, other);
  assert_memory_equal(one, other, 16);
  qm_text s, t;
  list(&w->a, "", QM_DISMISSED, &s);
  list(&w->b, "", QM_DISMISSED, &t);
  assert_string_equal(s.p, t.p);
  qm_text_free(&s);
  qm_text_free(&t);
  assert_int_equal(qm_rebuild(w->a.db, &w->a.e), QM_OK);
  check_all_pairs(&w->a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, app_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(pairs_are_listed_with_reasons), T(conflicting_values_count),
      T(common_values_say_nothing),     T(pages),
      T(merged_records_are_one),        T(distinct_is_remembered),
      T(distinct_beside_its_undoing),   T(distinct_outlives_merging),
      T(distinct_beside_a_delete),      T(distinct_is_told),
      T(wrong_arguments),               T(other_rules_make_another_index),
      T(an_older_file_gets_its_index),  T(the_index_finds_what_all_pairs_do)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
