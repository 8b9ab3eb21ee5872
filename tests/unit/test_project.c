/* (S16.3, S16.4, S16.5, S16.7, S16.10) Names, columns, values and views that schemas give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support_handle.h"

#define COLLECTION(name, number, fields)                                               \
  "{\"name\":\"" name "\",\"number\":" #number ",\"purpose\":\"p\",\"retention\":\"P1Y\"," \
  "\"fields\":[" fields "]}"
#define SCHEMA(name, version, collections) \
  "{\"schema\":\"" name "\",\"version\":" #version ",\"collections\":[" collections "]}"
#define FIELD(name, number, more) \
  "{\"name\":\"" name "\",\"number\":" #number ",\"class\":\"work\"," more "}"
#define TEXT "\"type\":\"register\",\"value\":\"text\""
#define LOG_OF(kind) "\"type\":\"log\",\"value\":\"" kind "\""

static void space(app *a, const char *name, const char *schema) {
  int32_t rc = qm_space_create(a->db, S(name), S(schema), NONE, &a->e);
  if (rc != QM_OK) fail_msg("%s", a->e.message);
}

static void says(app *a, const char *sql, const char *rows) {
  qm_text t = {0};
  if (qm_sql(a->db, S(sql), NONE, 0, 0, &t, &a->e) != QM_OK) fail_msg("%s: %s", sql, a->e.message);
  const char *first = strchr(t.p, '\n') + 1, *last = strstr(t.p, "{\"rows\":");
  if (strlen(rows) != (size_t)(last - first) || memcmp(first, rows, strlen(rows)) != 0)
    fail_msg("%s gives %.*s and not %s", sql, (int)(last - first), first, rows);
  qm_text_free(&t);
}

static void make(app *a, const char *in, const char *collection, const char *const (*values)[2],
                 size_t n) {
  qm_tx *tx;
  qm_text id = {0};
  assert_int_equal(qm_begin(a->db, S(in), &tx, &a->e), QM_OK);
  assert_int_equal(qm_new(tx, S(collection), NONE, &id, NULL, &a->e), QM_OK);
  for (size_t i = 0; i < n; i++)
    if (qm_put(tx, S(collection), qm_slice_of(id.p, id.n), S(values[i][0]), S(values[i][1]), 0,
               &a->e) != QM_OK)
      fail_msg("%s: %s", values[i][0], a->e.message);
  assert_int_equal(qm_commit(tx, &a->e), QM_OK);
  qm_text_free(&id);
}

/* Each of these is somebody else's name, or nobody's. */
static void names_are_never_those_of_others(void **state) {
  app *a = &((world *)*state)->a;
  static const char *const one[][2] = {{"_id", "1"}, {"Name", "2"}, {"name", "3"}, {"it's", "4"}};
  space(a, "x", SCHEMA("odd", 1, COLLECTION("record", 1, FIELD("_id", 16, TEXT) ","
                                            FIELD("Name", 17, TEXT) "," FIELD("name", 18, TEXT) ","
                                            FIELD("it's", 19, TEXT)) ","
                       COLLECTION("_tables", 2, FIELD("a", 16, TEXT)) ","
                       COLLECTION("sqlite_x", 3, FIELD("a", 16, TEXT)) ","
                       COLLECTION("Log", 4, FIELD("a", 16, LOG_OF("text"))) ","
                       COLLECTION("log_2_a", 5, FIELD("a", 16, TEXT)) ","
                       COLLECTION("select", 6, FIELD("from", 16, TEXT)) ","
                       COLLECTION("事件", 7, FIELD("处理", 16, LOG_OF("text")))));
  says(a, "SELECT name, collection_name, field_name FROM _tables WHERE lineage = 'odd'"
          " ORDER BY ordinal",
       "[\"record_2\",\"record\",null]\n[\"t_tables\",\"_tables\",null]\n"
       "[\"tsqlite_x\",\"sqlite_x\",null]\n[\"Log_2\",\"Log\",null]\n[\"Log_2_a\",\"Log\",\"a\"]\n"
       "[\"log_2_a_2\",\"log_2_a\",null]\n[\"select\",\"select\",null]\n[\"事件\",\"事件\",null]\n"
       "[\"事件_处理\",\"事件\",\"处理\"]\n");
  make(a, "x", "record", one, COUNT(one));
  says(a, "SELECT t_id, Name, name_18, \"it's\" FROM record_2", "[\"1\",\"2\",\"3\",\"4\"]\n");
  says(a, "SELECT count(*) FROM \"select\"", "[0]\n");
}

/* Spaces of one schema share tables; a schema of the same name that is another does not. */
static void spaces_share_the_tables_of_a_schema(void **state) {
  app *a = &((world *)*state)->a;
  static const char *const one[][2] = {{"a", "one"}}, *const two[][2] = {{"a", "two"}};
  static const char *const five[][2] = {{"a", "5"}}, *const late[][2] = {{"b", "late"}};
  space(a, "x", SCHEMA("s", 1, COLLECTION("c", 1, FIELD("a", 16, TEXT))));
  space(a, "y", SCHEMA("s", 1, COLLECTION("c", 1, FIELD("a", 16, TEXT))));
  space(a, "z", SCHEMA("s", 1, COLLECTION("c", 1, FIELD("a", 16, "\"type\":\"counter\""))));
  make(a, "x", "c", one, 1);
  make(a, "y", "c", two, 1);
  make(a, "z", "c", five, 1);
  says(a, "SELECT s.name, a FROM c JOIN _spaces s USING (_space) ORDER BY 1",
       "[\"x\",\"one\"]\n[\"y\",\"two\"]\n");
  says(a, "SELECT a FROM c_2", "[5]\n");
  /* One of them learns of a new field: the others keep what they have. */
  space(a, "y", SCHEMA("s", 2, COLLECTION("c", 1, FIELD("a", 16, TEXT) "," FIELD("b", 17, TEXT))));
  make(a, "y", "c", late, 1);
  says(a, "SELECT s.name, a, b FROM c JOIN _spaces s USING (_space) ORDER BY 1, 2",
       "[\"x\",\"one\",null]\n[\"y\",null,\"late\"]\n[\"y\",\"two\",null]\n");
  says(a, "SELECT a FROM c_2", "[5]\n");
  app_reopen(a);
  says(a, "SELECT count(*) FROM c", "[3]\n");
}

static void views_come_from_the_schema(void **state) {
  app *a = &((world *)*state)->a;
  static const char *const now[][2] = {{"stage", "new"}, {"until", "2001-01-01"}, {"money", "5"},
                                       {"money", "-2"}};
  static const char *const later[][2] = {{"stage", "done"}, {"until", "2001-01-01"}};
  space(a, "x", SCHEMA("s", 1, COLLECTION("task", 1,
      FIELD("stage", 16, "\"type\":\"state\",\"items\":[{\"name\":\"new\",\"rank\":1,"
            "\"label\":{\"zh\":\"新\"}},{\"name\":\"done\",\"rank\":2}],"
            "\"transitions\":[[\"new\",\"done\"]]") ","
      FIELD("until", 17, "\"type\":\"register\",\"value\":\"date\"") ","
      FIELD("money", 18, LOG_OF("int")) "," FIELD("paid", 19, LOG_OF("map")))));
  make(a, "x", "task", now, 4);
  make(a, "x", "task", later, 2);
  says(a, "SELECT stage FROM task_open", "[\"new\"]\n");
  says(a, "SELECT stage, _days > 9000 FROM task_until_due", "[\"new\",1]\n");
  says(a, "SELECT value, label_zh, rank, n FROM task_stage_counts ORDER BY rank",
       "[\"new\",\"新\",1,1]\n[\"done\",\"\",2,1]\n");
  says(a, "SELECT entries, balance FROM task_money_balance ORDER BY 1", "[0,0]\n[2,3]\n");
  says(a, "SELECT sum(balance) FROM task_paid_balance", "[0]\n");
  qm_tx *tx;
  qm_text id = {0};
  assert_int_equal(qm_begin(a->db, S("x"), &tx, &a->e), QM_OK);
  assert_int_equal(qm_new(tx, S("task"), NONE, &id, NULL, &a->e), QM_OK);
  for (int i = 0; i < 2; i++)
    assert_int_equal(qm_append(tx, S("task"), S(id.p), S("paid"),
                               S(i ? "{\"amount\":-0.5}" : "{\"amount\":2,\"for\":\"x\"}"), QM_JSON,
                               &a->e),
                     QM_OK);
  assert_int_equal(qm_commit(tx, &a->e), QM_OK);
  qm_text_free(&id);
  says(a, "SELECT entries, balance FROM task_paid_balance WHERE entries", "[2,1.5]\n");
}

/* As at the end of a sync. */
static void measured(app *a, int64_t offset_ms) {
  qm_store *s = a->db->store;
  assert_int_equal(s->ops->begin(s), QM_OK);
  assert_int_equal(qm_projection_clock(a->db->projection, offset_ms), QM_OK);
  assert_int_equal(s->ops->commit(s, QM_DURABLE, NULL, NULL), QM_OK);
}

/* What is due is reckoned from the clock as the hub corrected it (S23.5). */
static void views_know_the_right_time(void **state) {
  static const char fields[] =
      "{\"name\":\"at\",\"number\":16,\"type\":\"register\",\"value\":\"int\",\"class\":\"work\"},"
      "{\"name\":\"day\",\"number\":17,\"type\":\"register\",\"value\":\"date\","
      "\"class\":\"work\"},"
      "{\"name\":\"state\",\"number\":18,\"type\":\"state\",\"class\":\"work\",\"items\":["
      "{\"name\":\"open\",\"rank\":1},{\"name\":\"done\",\"rank\":2}],"
      "\"transitions\":[[\"open\",\"done\"]]}";
  static const char limits[] =
      "\"limits\":[{\"name\":\"soon\",\"start\":\"at\",\"state\":\"state\","
      "\"rows\":[{\"hours\":2}]}]";
  app *a = &((world *)*state)->a;
  char schema[1200], at[32], day[32];
  const char *const one[][2] = {{"at", at}, {"day", day}, {"state", "open"}};
  time_t now = time(NULL), tomorrow = now + 26 * 3600 + 8 * 3600;
  snprintf(schema, sizeof schema,
           "{\"schema\":\"clock\",\"version\":1,\"collections\":[{\"name\":\"job\",\"number\":1,"
           "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[%s],%s}]}", fields, limits);
  snprintf(at, sizeof at, "%lld", (long long)now * 1000);
  strftime(day, sizeof day, "%Y-%m-%d", gmtime(&tomorrow));
  space(a, "x", schema);
  make(a, "x", "job", one, COUNT(one));
  says(a, "SELECT count(*) FROM job_soon_overdue", "[0]\n");
  says(a, "SELECT count(*) FROM job_day_due", "[0]\n");
  measured(a, 3 * 3600000);
  says(a, "SELECT count(*) FROM job_soon_overdue", "[1]\n");
  measured(a, 48 * 3600000);
  says(a, "SELECT count(*) FROM job_day_due", "[1]\n");
  says(a, "SELECT offset_ms FROM _clock", "[172800000]\n");
  app_reopen(a);
  says(a, "SELECT count(*) FROM job_day_due", "[1]\n");
  measured(a, -48 * 3600000);
  says(a, "SELECT count(*) FROM job_soon_overdue", "[0]\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
      T(names_are_never_those_of_others),
      T(spaces_share_the_tables_of_a_schema),
      T(views_come_from_the_schema),
      T(views_know_the_right_time),
#undef T
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
