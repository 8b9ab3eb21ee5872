/* References to merged records (SPEC S3.21): reading, writing, tables and the feed show the id
 * of the class, and what was written again when the class is taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support_handle.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define F(name, number, type, more) \
  "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"" type "\",\"class\":\"work\"" more "}"
#define REF ",\"value\":\"ref\",\"target\":\"household\""

static const char schema[] =
    "{\"schema\":\"refs\",\"version\":1,\"collections\":["
    "{\"name\":\"household\",\"number\":1,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["
    F("head", 16, "register", ",\"value\":\"text\"") "]},"
    "{\"name\":\"resident\",\"number\":2,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["
    F("household", 16, "ref", ",\"target\":\"household\"") "," F("kin", 17, "set", REF) ","
    F("moves", 18, "log", REF) "," F("route", 19, "list", REF) "]}]}";

static int setup(void **state) {
  static world w;
  memset(&w, 0, sizeof w);
  test_dir_make(&w.dir);
  app_set(&w.a, &w.dir, "a.db");
  app_open(&w.a);
  ok(qm_space_create(w.a.db, S("grid"), S(schema), S(""), &w.a.e));
  *state = &w;
  return 0;
}

/* --- writing and reading --- */

static void make(app *a, const char *collection, char id[27]) {
  qm_tx *tx = app_begin(a);
  qm_text text;
  ok(qm_new(tx, S(collection), NONE, &text, NULL, &a->e));
  memcpy(id, text.p, 27);
  qm_text_free(&text);
  if (strcmp(collection, "household") == 0)
    ok(qm_set(tx, S(collection), S(id), S("head"), S("Somebody"), 0, &a->e));
  app_commit(a, tx);
}

typedef int32_t (*verb)(qm_tx *, qm_slice, qm_slice, qm_slice, qm_slice, uint32_t, qm_error *);

/* How many effects it had. */
static uint32_t put(app *a, verb v, const char *resident, const char *field, const char *value) {
  qm_tx *tx = app_begin(a);
  int rc = v(tx, S("resident"), S(resident), S(field), S(value), 0, &a->e);
  if (rc != QM_OK) fail_msg("%s", a->e.message);
  uint32_t n = qm_written(tx);
  app_commit(a, tx);
  return n;
}

static void join(app *a, const char *one, const char *two) {
  qm_tx *tx = app_begin(a);
  (void)qm_merge(tx, S("household"), S(one), S(two), &a->e);
  app_commit(a, tx);
}

static void part(app *a, const char *one) {
  qm_tx *tx = app_begin(a);
  (void)qm_unmerge(tx, S("household"), S(one), &a->e);
  app_commit(a, tx);
}

/* A resident without its token. Static storage, two of them. */
static const char *shown(app *a, const char *id) {
  static char text[2][8192];
  static int k;
  qm_text t;
  k = !k;
  ok(qm_get(a->db, NONE, S("resident"), S(id), 0, &t, &a->e));
  char *end = strstr(t.p, ",\"token\"");
  assert_non_null(end);
  *end = 0;
  assert_true(strlen(t.p) < sizeof text[k]);
  memcpy(text[k], t.p, strlen(t.p) + 1);
  qm_text_free(&t);
  return text[k];
}

static void sql(app *a, const char *statement, char *to, size_t size) {
  qm_text t;
  if (qm_sql(a->db, S(statement), NONE, 0, 0, &t, &a->e) != QM_OK) fail_msg("%s", a->e.message);
  assert_true(t.n < size);
  memcpy(to, t.p, t.n + 1);
  qm_text_free(&t);
}

static int holds(const char *text, const char *part_of_it) {
  int found = strstr(text, part_of_it) != NULL;
  if (!found) print_message("%s\nis not in\n%s\n", part_of_it, text);
  return found;
}

/* The pattern with each % a place for an id, in this order. */
static const char *with(const char *pattern, const char *x, const char *y) {
  static char text[256];
  snprintf(text, sizeof text, pattern, x, y);
  return text;
}

static void test_both_ids(void **state) {
  world *w = *state;
  app *a = &w->a;
  char one[27], two[27], r[27], rows[4096];
  make(a, "household", one);
  make(a, "household", two);
  if (strcmp(one, two) > 0) { /* one is the smaller: the class is shown under it */
    memcpy(rows, one, 27), memcpy(one, two, 27), memcpy(two, rows, 27);
  }
  make(a, "resident", r);
  put(a, qm_set, r, "household", two);
  put(a, qm_add, r, "kin", one);
  put(a, qm_add, r, "kin", two);
  put(a, qm_append, r, "moves", two);
  put(a, qm_append, r, "route", two);
  char before[8192];
  memcpy(before, shown(a, r), sizeof before);
  assert_null(strstr(before, "stored"));
  join(a, one, two);
  const char *now = shown(a, r);
  assert_true(holds(now, with("\"household\":\"%s\",\"kin\":[\"%s\"]", one, one)));
  assert_true(holds(now, with("\"route\":[\"%s\"]", one, "")));
  assert_true(holds(now, with("\"moves\":[{\"value\":\"%s\"", one, "")));
  assert_true(holds(now, with("\"stored\":{\"household\":\"%s\",\"kin\":[", two, "")));
  static const char query[] =
      "SELECT h._id, k.value, m.value, l.value FROM resident r"
      " JOIN household h ON h._id = r.household JOIN resident_kin k ON k._row = r._row"
      " JOIN resident_moves m ON m._row = r._row JOIN resident_route l ON l._row = r._row";
  sql(a, query, rows, sizeof rows);
  char want[256];
  snprintf(want, sizeof want, "[\"%s\",\"%s\",\"%s\",\"%s\"]\n", one, one, one, one);
  assert_true(holds(rows, want));
  assert_true(holds(rows, "{\"rows\":1"));
  /* Either id says the same: nothing to write. Removing takes both away. */
  assert_int_equal(put(a, qm_set, r, "household", one), 0);
  assert_int_equal(put(a, qm_add, r, "kin", one), 0);
  part(a, two);
  assert_string_equal(shown(a, r), before);
  join(a, one, two);
  assert_int_equal(put(a, qm_remove, r, "kin", two), 2);
  part(a, one);
  assert_null(strstr(shown(a, r), "\"kin\""));
  sql(a, "SELECT r.household FROM resident r", rows, sizeof rows);
  assert_true(holds(rows, two));
}

/* Of two people who chose the two ids of one household none was overruled. */
static void test_no_conflict(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char one[27], two[27], r[27], rows[256];
  app_second(w);
  make(a, "household", one);
  make(a, "household", two);
  make(a, "resident", r);
  app_deliver(a, b);
  put(a, qm_set, r, "household", one);
  put(b, qm_set, r, "household", two);
  app_deliver(b, a);
  assert_null(strstr(shown(a, r), "\"conflicts\":{}"));
  sql(a, "SELECT _conflicts FROM resident", rows, sizeof rows);
  assert_true(holds(rows, "[1]"));
  join(a, one, two);
  assert_true(holds(shown(a, r), "\"conflicts\":{}"));
  sql(a, "SELECT _conflicts FROM resident", rows, sizeof rows);
  assert_true(holds(rows, "[0]"));
  part(a, one);
  assert_null(strstr(shown(a, r), "\"conflicts\":{}"));
}

/* --- any merges, by two people, at any time --- */

#define HOUSES 7
#define PEOPLE 6

typedef struct town {
  world *w;
  char houses[HOUSES][27], people[PEOPLE][27];
  char cursor[2][64];
  char seen[2][PEOPLE][8192];
  uint32_t seed;
} town;

static uint32_t dice(town *t, uint32_t n) {
  t->seed = t->seed * 1664525u + 1013904223u;
  return (t->seed >> 10) % n;
}

static void step(town *t, app *a, app *other) {
  const char *h = t->houses[dice(t, HOUSES)], *g = t->houses[dice(t, HOUSES)];
  const char *r = t->people[dice(t, PEOPLE)];
  qm_tx *tx;
  switch (dice(t, 14)) {
    case 0: case 1: join(a, h, g); break;
    case 2: case 3: part(a, h); break;
    case 4: case 12: case 13: put(a, qm_set, r, "household", h); break;
    case 5: put(a, qm_add, r, "kin", h); break;
    case 6: put(a, qm_remove, r, "kin", h); break;
    case 7: put(a, qm_append, r, "moves", h); break;
    case 8: put(a, qm_append, r, "route", h); break;
    case 9:
      tx = app_begin(a);
      if (dice(t, 2)) (void)qm_delete(tx, S("household"), S(h), NULL);
      else (void)qm_restore(tx, S("household"), S(h), NULL);
      app_commit(a, tx);
      break;
    default: app_deliver(other, a);
  }
}

/* The id under which a household is shown. */
static void class_of(app *a, const char *house, char to[27]) {
  qm_text t;
  ok(qm_get(a->db, NONE, S("household"), S(house), QM_DELETED, &t, &a->e));
  memcpy(to, t.p + strlen("{\"id\":\""), 26);
  to[26] = 0;
  qm_text_free(&t);
}

/* The id behind a name in a part of a record; "" for none. */
static void member(const char *json, const char *from, const char *name, char to[27]) {
  const char *at = strstr(json, from);
  to[0] = 0;
  if (at) at = strstr(at, name);
  if (!at) return;
  memcpy(to, at + strlen(name), 26);
  to[26] = 0;
}

/* What is read is the class of what was written; what the tables say is what is read. */
static void check_reading(town *t, app *a) {
  for (int i = 0; i < PEOPLE; i++) {
    char is[27], was[27], want[27], query[256], row[256];
    const char *json = shown(a, t->people[i]);
    member(json, "\"fields\":{\"household\"", "\"household\":\"", is);
    member(json, "\"stored\":{\"household\"", "\"household\":\"", was);
    if (is[0]) {
      class_of(a, was[0] ? was : is, want);
      assert_string_equal(is, want);
    }
    snprintf(query, sizeof query, "SELECT household FROM resident WHERE _id = '%s'", t->people[i]);
    sql(a, query, row, sizeof row);
    assert_true(is[0] ? holds(row, is) : holds(row, "[null]"));
  }
}

static const char *const tables[] = {
    "SELECT r._id, r.household, h._id, r._conflicts FROM resident r"
    " LEFT JOIN household h ON r.household = h._id ORDER BY 1",
    "SELECT r._id, k._n, k.value FROM resident r JOIN resident_kin k USING (_row) ORDER BY 1, 2",
    "SELECT r._id, k._n, k.value FROM resident r JOIN resident_moves k USING (_row) ORDER BY 1, 2",
    "SELECT r._id, k._n, k.value FROM resident r JOIN resident_route k USING (_row) ORDER BY 1, 2"};

/* As if all tables were made anew. */
static void check_tables(app *a) {
  static char before[COUNT(tables)][1 << 16], after[1 << 16];
  for (size_t i = 0; i < COUNT(tables); i++) sql(a, tables[i], before[i], sizeof before[i]);
  ok(qm_rebuild(a->db, &a->e));
  for (size_t i = 0; i < COUNT(tables); i++) {
    sql(a, tables[i], after, sizeof after);
    assert_string_equal(before[i], after);
  }
}

/* An app that follows the feed shows what there is. */
static void check_feed(town *t, app *a, int who) {
  qm_text lines;
  ok(qm_changes(a->db, S(t->cursor[who]), 0, &lines, &a->e));
  for (int i = 0; i < PEOPLE; i++)
    if (strstr(lines.p, "\"all\":true") || strstr(lines.p, t->people[i]))
      memcpy(t->seen[who][i], shown(a, t->people[i]), sizeof t->seen[who][i]);
  for (const char *at = lines.p; (at = strstr(at, "{\"cursor\":\""));) {
    at += 11;
    size_t n = strcspn(at, "\"");
    memcpy(t->cursor[who], at, n);
    t->cursor[who][n] = 0;
  }
  qm_text_free(&lines);
  for (int i = 0; i < PEOPLE; i++) assert_string_equal(t->seen[who][i], shown(a, t->people[i]));
}

static void test_any_merges(void **state) {
  static town t;
  world *w = *state;
  app *apps[2] = {&w->a, &w->b};
  memset(&t, 0, sizeof t);
  t.w = w;
  t.seed = 20260301;
  app_second(w);
  for (int i = 0; i < HOUSES; i++) make(&w->a, "household", t.houses[i]);
  for (int i = 0; i < PEOPLE; i++) make(&w->a, "resident", t.people[i]);
  app_deliver(&w->a, &w->b);
  for (int i = 0; i < 400; i++) {
    int who = (int)dice(&t, 2);
    step(&t, apps[who], apps[!who]);
    if (dice(&t, 3) == 0) check_reading(&t, apps[who]);
    if (dice(&t, 4) == 0) check_feed(&t, apps[who], who);
    if (dice(&t, 12) == 0) check_tables(apps[who]);
  }
  for (int i = 0; i < 3; i++) {
    app_deliver(&w->a, &w->b);
    app_deliver(&w->b, &w->a);
  }
  for (int who = 0; who < 2; who++) {
    check_reading(&t, apps[who]);
    check_feed(&t, apps[who], who);
    check_tables(apps[who]);
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, app_teardown)
  const struct CMUnitTest tests[] = {T(test_both_ids), T(test_no_conflict), T(test_any_merges)};
  return cmocka_run_group_tests_name("refs", tests, NULL, NULL);
}
