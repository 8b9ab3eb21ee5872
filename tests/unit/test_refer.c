/* Referral (S25.9 to S25.11) and reversal: a grid's matter goes to the village and on to the
 * street, and the answer comes back. Everybody is invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_handle.h"

static test_dir dir;
static app grid, village, street; /* grid: with grid and village; village: with the upper two */
static char *schema;

static void start(app *a, const char *name) {
  app_set(a, &dir, name);
  a->o.flags |= QM_OPEN_TEST_DATA;
  app_open(a);
}

static void make_space(app *a, const char *name, const char *text, const char *role) {
  assert_int_equal(qm_space_create(a->db, S(name), S(text), S(role), &a->e), QM_OK);
}

static void share(app *a, app *b, const char *name, const char *role) {
  qm_space_info info;
  qm_space_info_get(qm_engine_space_named(a->db->engine, S(name)), &info);
  info.role = S(role);
  assert_int_equal(qm_engine_space_put(b->db->engine, &info, &b->e), QM_OK);
}

static int setup(void **state) {
  (void)state;
  FILE *f = fopen("fixtures/schemas/relations.json", "rb");
  assert_non_null(f);
  schema = calloc(1, 1u << 16);
  assert_non_null(schema);
  assert_true(fread(schema, 1, (1u << 16) - 1, f) > 1000);
  (void)fclose(f);
  test_dir_make(&dir);
  start(&grid, "grid.db");
  start(&village, "village.db");
  start(&street, "street.db");
  make_space(&grid, "grid", schema, "grid");
  make_space(&grid, "village", schema, "grid");
  make_space(&street, "street", schema, "office");
  share(&grid, &village, "village", "office");
  share(&street, &village, "street", "office");
  return 0;
}

static int teardown(void **state) {
  char command[600];
  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s.files' '%s.files' '%s.files'", grid.o.path,
           village.o.path, street.o.path);
  assert_int_equal(system(command), 0);
  qm_close(grid.db);
  qm_close(village.db);
  qm_close(street.db);
  test_dir_remove(&dir);
  free(schema);
  return 0;
}

/* ---- small steps ---- */

static int holds(qm_text *t, const char *part) {
  int found = strstr(t->p, part) != NULL;
  qm_text_free(t);
  return found;
}

static int put(app *a, const char *space, const char *collection, char id[27],
               const char *const *fields, size_t n) {
  qm_tx *tx;
  qm_text t;
  int rc = QM_OK;
  a->now_ms += 1000;
  assert_int_equal(qm_begin(a->db, S(space), &tx, &a->e), QM_OK);
  if (!id[0]) {
    assert_int_equal(qm_new(tx, S(collection), NONE, &t, NULL, &a->e), QM_OK);
    memcpy(id, t.p, 27);
    qm_text_free(&t);
  }
  for (size_t i = 0; i < n && rc == QM_OK; i++) {
    const char *eq = strchr(fields[i], '=');
    rc = qm_set(tx, S(collection), S(id), qm_slice_of(fields[i], (size_t)(eq - fields[i])),
                S(eq + 1), 0, &a->e);
  }
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

static void report(char id[27]) {
  static const char *const fields[] = {"source=phone", "reporter=Wang Sample",
                                       "text=the drain is blocked", "severity=3",
                                       "state=reported"};
  id[0] = 0;
  assert_int_equal(put(&grid, "grid", "report", id, fields, COUNT(fields)), QM_OK);
}

static int refer(app *a, const char *from, const char *id, const char *to, char upper[27],
                 const char *expected) {
  qm_text t;
  int rc = qm_refer(a->db, S(from), S("report"), S(id), S(to), &t, &a->e);
  if (rc != QM_OK) return rc;
  text_member(&t, "\"id\":\"", upper, 27);
  assert_true(holds(&t, expected));
  return rc;
}

static int answer(app *a, const char *space, const char *id, const char *json) {
  qm_tx *tx;
  a->now_ms += 1000;
  assert_int_equal(qm_begin(a->db, S(space), &tx, &a->e), QM_OK);
  int rc = qm_append(tx, S("report"), S(id), S("answers"), S(json), QM_JSON, &a->e);
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

static int carried(app *a, const char *space, const char *id, const char *expected) {
  qm_text t;
  assert_int_equal(qm_answers(a->db, S(space), S("report"), S(id), &t, &a->e), QM_OK);
  return holds(&t, expected);
}

static int shows(app *a, const char *space, const char *id, const char *part) {
  qm_text t;
  assert_int_equal(qm_get(a->db, S(space), S("report"), S(id), 0, &t, &a->e), QM_OK);
  return holds(&t, part);
}

/* ---- going up ---- */

static void only_what_the_schema_lets_cross_crosses(void **state) {
  char id[27], up[27], again[27];
  (void)state;
  report(id);
  assert_int_equal(refer(&grid, "grid", id, "village", up, "\"existing\":false"), QM_OK);
  assert_true(shows(&grid, "grid", id, up));    /* either names the other */
  assert_true(shows(&grid, "village", up, id));
  assert_int_equal(refer(&grid, "grid", id, "village", again, "\"existing\":true"), QM_OK);
  assert_string_equal(up, again);
  app_deliver_space(&grid, &village, "village");
  assert_true(shows(&village, "village", up, "the drain is blocked"));
  assert_true(shows(&village, "village", up, "\"severity\":3"));
  assert_false(shows(&village, "village", up, "Wang Sample"));
  assert_false(shows(&village, "village", up, "source"));
  assert_false(shows(&village, "village", up, "\"state\"")); /* it has its own */
  assert_null(qm_engine_space_named(village.db->engine, S("grid")));
  qm_text t;
  assert_int_equal(qm_list(village.db, S("village"), S("resident"), NONE, 0, 0, &t, NULL), QM_OK);
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
}

static void what_is_hidden_stays_below(void **state) {
  static const char *const confidential[] = {"source=confidential", "officer=Li Sample",
                                             "text=somebody was told"};
  char id[27] = "", up[27];
  (void)state;
  assert_int_equal(put(&grid, "grid", "report", id, confidential, 3), QM_OK);
  assert_int_equal(refer(&grid, "grid", id, "village", up, "false"), QM_OK);
  assert_true(shows(&grid, "village", up, "somebody was told"));
  assert_false(shows(&grid, "village", up, "Sample"));
  assert_false(shows(&grid, "village", up, "confidential"));
}

/* A phone and the office refer one report, apart: it is one record there. */
static void two_who_refer_it_make_one(void **state) {
  char id[27], up[27], other[27];
  app second;
  (void)state;
  start(&second, "second.db");
  share(&grid, &second, "grid", "grid");
  share(&grid, &second, "village", "grid");
  report(id);
  app_deliver_space(&grid, &second, "grid");
  assert_int_equal(refer(&grid, "grid", id, "village", up, "false"), QM_OK);
  assert_int_equal(refer(&second, "grid", id, "village", other, "false"), QM_OK);
  assert_string_equal(up, other);
  app_deliver_space(&grid, &second, "village");
  qm_text t;
  assert_int_equal(qm_list(second.db, S("village"), S("report"), NONE, 0, 0, &t, NULL), QM_OK);
  assert_non_null(strchr(t.p, '\n'));
  assert_null(strchr(strchr(t.p, '\n') + 1, '\n'));
  assert_non_null(strstr(t.p, "\"conflicts\":{}"));
  qm_text_free(&t);
  char command[300];
  snprintf(command, sizeof command, "rm -rf '%s.files'", second.o.path);
  assert_int_equal(system(command), 0);
  qm_close(second.db);
}

static void what_cannot_be_referred(void **state) {
  static const char *const booking[] = {"venue=hall"};
  static const char closed[] =
      "{\"schema\":\"closed\",\"version\":1,\"collections\":[{\"name\":\"report\",\"number\":1,"
      "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":\"text\",\"number\":16,"
      "\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"}]}]}";
  char id[27], up[27], room[27] = "";
  qm_text t;
  (void)state;
  report(id);
  assert_int_equal(refer(&grid, "grid", id, "grid", up, ""), QM_EINVAL);
  assert_int_equal(refer(&grid, "grid", id, "street", up, ""), QM_ENOTFOUND); /* not here */
  assert_int_equal(refer(&grid, "grid", "NOSUCHRECORD", "village", up, ""), QM_ENOTFOUND);
  assert_int_equal(qm_refer(grid.db, S("grid"), S("report"), S(id), NONE, &t, NULL), QM_EINVAL);
  assert_int_equal(qm_refer(grid.db, S("grid"), S("report"), S(id), S("village"), NULL, NULL),
                   QM_EINVAL);
  assert_int_equal(put(&grid, "grid", "booking", room, booking, 1), QM_OK);
  assert_int_equal(
      qm_refer(grid.db, S("grid"), S("booking"), S(room), S("village"), &t, &grid.e), QM_ESCHEMA);
  make_space(&grid, "closed", closed, "grid");
  assert_int_equal(refer(&grid, "grid", id, "closed", up, ""), QM_ESCHEMA);
  qm_tx *tx;
  assert_int_equal(qm_begin(grid.db, S("grid"), &tx, NULL), QM_OK);
  assert_int_equal(qm_delete(tx, S("report"), S(id), NULL), QM_OK);
  assert_int_equal(qm_commit(tx, NULL), QM_OK);
  assert_int_equal(refer(&grid, "grid", id, "village", up, ""), QM_EINVISIBLE);
}

/* ---- coming back ---- */

static void an_answer_comes_back_once(void **state) {
  char id[27], up[27];
  (void)state;
  report(id);
  assert_true(carried(&grid, "grid", id, "{\"answers\":0}"));
  assert_int_equal(refer(&grid, "grid", id, "village", up, "false"), QM_OK);
  app_deliver_space(&grid, &village, "village");
  assert_int_equal(answer(&village, "village", up, "{\"text\":\"on Monday\"}"), QM_OK);
  assert_int_equal(answer(&village, "village", up, "{\"text\":\"it is done\"}"), QM_OK);
  assert_true(carried(&grid, "grid", "", "{\"answers\":0}")); /* not here yet */
  app_deliver_space(&village, &grid, "village");
  assert_true(carried(&grid, "grid", "", "{\"answers\":2}"));
  assert_true(carried(&grid, "grid", id, "{\"answers\":0}"));
  assert_true(shows(&grid, "grid", id, "on Monday"));
  assert_true(shows(&grid, "grid", id, "\"of\":\""));
  assert_true(shows(&grid, "grid", id, "it is done"));
  assert_true(shows(&grid, "grid", id, "Wang Sample")); /* and all else is as it was */
  assert_false(shows(&grid, "village", up, "\"of\""));
}

static void by_two_levels(void **state) {
  char id[27], up[27], top[27];
  (void)state;
  report(id);
  assert_int_equal(refer(&grid, "grid", id, "village", up, "false"), QM_OK);
  app_deliver_space(&grid, &village, "village");
  assert_int_equal(refer(&village, "village", up, "street", top, "false"), QM_OK);
  app_deliver_space(&village, &street, "street");
  assert_true(shows(&street, "street", top, "the drain is blocked"));
  assert_false(shows(&street, "street", top, "Sample"));
  assert_int_equal(answer(&street, "street", top, "{\"text\":\"a new pipe\"}"), QM_OK);
  app_deliver_space(&street, &village, "street");
  assert_true(carried(&village, "village", up, "{\"answers\":1}"));
  app_deliver_space(&village, &grid, "village");
  assert_true(carried(&grid, "grid", id, "{\"answers\":1}"));
  assert_true(shows(&grid, "grid", id, "a new pipe"));
}

/* ---- reversal ---- */

static int reverse(app *a, const char *id, const char *field, const char *entry,
                   const char *reason) {
  qm_tx *tx;
  a->now_ms += 1000;
  assert_int_equal(qm_begin(a->db, S("grid"), &tx, &a->e), QM_OK);
  int rc = qm_reverse(tx, S("resident"), S(id), S(field), S(entry), S(reason), &a->e);
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

static void an_entry_is_taken_back_once(void **state) {
  static const char *const name[] = {"name=Sample"};
  char id[27] = "", entry[128], second[128];
  qm_text t;
  qm_tx *tx;
  (void)state;
  assert_int_equal(put(&grid, "grid", "resident", id, name, 1), QM_OK);
  assert_int_equal(qm_begin(grid.db, S("grid"), &tx, NULL), QM_OK);
  assert_int_equal(qm_append(tx, S("resident"), S(id), S("points"),
                             S("{\"amount\":100,\"reason\":\"swept\"}"), QM_JSON, NULL),
                   QM_OK);
  assert_int_equal(qm_commit(tx, NULL), QM_OK);
  assert_int_equal(qm_get(grid.db, S("grid"), S("resident"), S(id), 0, &t, NULL), QM_OK);
  text_member(&t, "\"entry\":\"", entry, sizeof entry);
  qm_text_free(&t);
  assert_int_equal(reverse(&grid, id, "points", "nothing", "x"), QM_ENOTFOUND);
  assert_int_equal(reverse(&grid, id, "name", entry, "x"), QM_ESCHEMA);
  assert_int_equal(reverse(&grid, id, "care_log", entry, "x"), QM_ESCHEMA); /* no ledger */
  assert_int_equal(reverse(&grid, id, "points", entry, ""), QM_ESCHEMA);    /* no reason */
  assert_int_equal(reverse(&grid, id, "points", entry, "entered twice"), QM_OK);
  assert_int_equal(reverse(&grid, id, "points", entry, "again"), QM_ESCHEMA);
  assert_int_equal(qm_sql(grid.db, S("SELECT _entry, 'b' || balance FROM resident_points_balance "
                                     "b JOIN resident_points p USING (_row) WHERE _reverses "
                                     "IS NOT NULL"),
                          NONE, 0, 0, &t, &grid.e),
                   QM_OK);
  assert_non_null(strstr(t.p, "\"b0\""));
  const char *at = strstr(t.p, "\n[\"");
  assert_non_null(at);
  snprintf(second, sizeof second, "%.*s", (int)strcspn(at + 3, "\""), at + 3);
  qm_text_free(&t);
  assert_int_equal(reverse(&grid, id, "points", second, "x"), QM_ESCHEMA); /* a reversal itself */
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(only_what_the_schema_lets_cross_crosses),
      T(what_is_hidden_stays_below),
      T(two_who_refer_it_make_one),
      T(what_cannot_be_referred),
      T(an_answer_comes_back_once),
      T(by_two_levels),
      T(an_entry_is_taken_back_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
