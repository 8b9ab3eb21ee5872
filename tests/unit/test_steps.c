/* Steps of a workflow (S7.10): who may set a state, what waits to be confirmed, what must be
 * there first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "support_handle.h"

#define ITEM(name, rank, more) "{\"name\":\"" name "\",\"rank\":" #rank more "}"
#define FIELD(name, number, type, more) \
  "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"" type "\",\"class\":\"work\"" more "}"

static const char schema[] =
    "{\"schema\":\"work\",\"version\":1,\"collections\":["
    "{\"name\":\"matter\",\"number\":1,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["
    FIELD("stage", 16, "state", ",\"items\":["
          ITEM("reported", 1, "") ","
          ITEM("assigned", 2, ",\"by\":[\"office\"]") ","
          ITEM("handled", 3, ",\"needs\":[{\"field\":\"answer\"},{\"field\":\"steps\","
               "\"least\":2},{\"field\":\"after\",\"present\":true,\"by\":[\"grid\"]}]") ","
          ITEM("closed", 4, ",\"confirm\":[\"office\"]") ","
          ITEM("cleared", 5, ",\"needs\":[{\"field\":\"papers\",\"part\":\"kind\","
               "\"each\":[\"drawing\",\"photo\",\"certificate\"]}]") "]") ","
    FIELD("answer", 17, "register", ",\"value\":\"text\"") ","
    FIELD("steps", 18, "log", ",\"value\":\"text\"") ","
    FIELD("after", 19, "register", ",\"value\":\"map\"") ","
    FIELD("papers", 20, "set", ",\"value\":\"ref\",\"target\":\"paper\"") "]},"
    "{\"name\":\"paper\",\"number\":2,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["
    FIELD("kind", 16, "register", ",\"value\":\"text\"") "]}]}";

static world w;

static void start(app *a, const char *name, const char *role) {
  app_set(a, &w.dir, name);
  app_open(a);
  assert_int_equal(qm_space_create(a->db, S("grid 3"), S(schema), S(role), &a->e), QM_OK);
}

static int setup(void **state) {
  (void)state;
  memset(&w, 0, sizeof w);
  test_dir_make(&w.dir);
  start(&w.a, "a.db", "grid");
  qm_space_info info;
  qm_space_info_get(app_space(&w.a), &info);
  info.role = S("office");
  app_set(&w.b, &w.dir, "b.db");
  app_open(&w.b);
  assert_int_equal(qm_engine_space_put(w.b.db->engine, &info, &w.b.e), QM_OK);
  return 0;
}

static int teardown(void **state) {
  char command[400];
  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s.files'", w.a.o.path);
  assert_int_equal(system(command), 0);
  qm_close(w.a.db);
  qm_close(w.b.db);
  test_dir_remove(&w.dir);
  return 0;
}

static void make(app *a, const char *collection, char id[27]) {
  qm_tx *tx = app_begin(a);
  qm_text t;
  assert_int_equal(qm_new(tx, S(collection), NONE, &t, NULL, &a->e), QM_OK);
  memcpy(id, t.p, 26);
  id[26] = 0;
  qm_text_free(&t);
  app_commit(a, tx);
}

/* One verb and its commit; the code of whichever failed. */
static int one(app *a, app_verb v, const char *collection, const char *id, const char *field,
               const char *value) {
  qm_tx *tx = app_begin(a);
  int rc = v(tx, S(collection), S(id), S(field), S(value), 0, &a->e);
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

static int set(app *a, const char *id, const char *value) {
  return one(a, qm_set, "matter", id, "stage", value);
}

static int shows(app *a, const char *id, const char *part) {
  qm_text t;
  assert_int_equal(qm_get(a->db, NONE, S("matter"), S(id), 0, &t, &a->e), QM_OK);
  int found = text_holds(&t, part);
  qm_text_free(&t);
  return found;
}

static void a_role_may_not_set_it(void **state) {
  char id[27];
  (void)state;
  make(&w.a, "matter", id);
  assert_int_equal(set(&w.a, id, "assigned"), QM_EACCESS);
  assert_non_null(strstr(w.a.e.message, "role grid may not set assigned"));
  assert_int_equal(set(&w.a, id, "reported"), QM_OK);
  app_deliver(&w.a, &w.b);
  assert_int_equal(set(&w.b, id, "assigned"), QM_OK);
}

static void a_proposal_waits_and_is_confirmed(void **state) {
  char id[27];
  (void)state;
  make(&w.a, "matter", id);
  assert_int_equal(set(&w.a, id, "closed"), QM_OK);
  assert_true(shows(&w.a, id, "\"stage\":\"closed\""));
  assert_true(shows(&w.a, id, "\"proposed\":[\"stage\"]"));
  qm_tx *tx = app_begin(&w.a); /* once is enough */
  assert_int_equal(qm_set(tx, S("matter"), S(id), S("stage"), S("closed"), 0, &w.a.e), QM_OK);
  assert_int_equal(qm_written(tx), 0);
  qm_cancel(tx);
  app_deliver(&w.a, &w.b);
  assert_true(shows(&w.b, id, "\"proposed\":[\"stage\"]"));
  assert_int_equal(set(&w.b, id, "closed"), QM_OK);
  assert_false(shows(&w.b, id, "proposed"));
  app_deliver(&w.b, &w.a);
  assert_true(shows(&w.a, id, "\"stage\":\"closed\""));
  assert_false(shows(&w.a, id, "proposed"));
  tx = app_begin(&w.a); /* what is confirmed is not proposed again */
  assert_int_equal(qm_set(tx, S("matter"), S(id), S("stage"), S("closed"), 0, &w.a.e), QM_OK);
  assert_int_equal(qm_written(tx), 0);
  qm_cancel(tx);
}

static void a_step_needs_what_it_names(void **state) {
  char id[27];
  (void)state;
  make(&w.b, "matter", id);
  assert_int_equal(set(&w.b, id, "handled"), QM_EINCOMPLETE);
  assert_non_null(strstr(w.b.e.message, "handled needs a value of answer"));
  assert_false(shows(&w.b, id, "handled")); /* nothing was saved */
  assert_int_equal(one(&w.b, qm_set, "matter", id, "answer", "mended"), QM_OK);
  assert_int_equal(one(&w.b, qm_append, "matter", id, "steps", "went there"), QM_OK);
  assert_int_equal(set(&w.b, id, "handled"), QM_EINCOMPLETE);
  assert_non_null(strstr(w.b.e.message, "steps (1 more)"));
  /* In one change, in any order. */
  qm_tx *tx = app_begin(&w.b);
  assert_int_equal(qm_set(tx, S("matter"), S(id), S("stage"), S("handled"), 0, &w.b.e), QM_OK);
  assert_int_equal(qm_append(tx, S("matter"), S(id), S("steps"), S("mended it"), 0, &w.b.e),
                   QM_OK);
  assert_int_equal(qm_commit(tx, &w.b.e), QM_OK);
  assert_true(shows(&w.b, id, "\"stage\":\"handled\""));
}

static void a_file_that_is_announced_is_not_present(void **state) {
  char id[27], path[300];
  qm_text t = {0};
  (void)state;
  make(&w.a, "matter", id);
  assert_int_equal(one(&w.a, qm_set, "matter", id, "answer", "mended"), QM_OK);
  for (int i = 0; i < 2; i++)
    assert_int_equal(one(&w.a, qm_append, "matter", id, "steps", i ? "b" : "a"), QM_OK);
  qm_tx *tx = app_begin(&w.a);
  assert_int_equal(qm_set(tx, S("matter"), S(id), S("after"),
                          S("{\"sha256\":\"00000000000000000000000000000000000000000000000000000000"
                            "00000000\",\"size\":3,\"mime\":\"image/png\"}"),
                          QM_JSON, &w.a.e),
                   QM_OK);
  app_commit(&w.a, tx);
  assert_int_equal(set(&w.a, id, "handled"), QM_EINCOMPLETE);
  assert_non_null(strstr(w.a.e.message, "on this device after"));
  snprintf(path, sizeof path, "%s", test_dir_file(&w.dir, "photo"));
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  fputs("\x89PNG\r\n\x1a\n", f);
  fclose(f);
  tx = app_begin(&w.a);
  assert_int_equal(qm_attach(tx, S("matter"), S(id), S("after"), path, &t, &w.a.e), QM_OK);
  qm_text_free(&t);
  app_commit(&w.a, tx);
  assert_int_equal(set(&w.a, id, "handled"), QM_OK);
}

static void three_papers(void **state) {
  static const char *const kinds[] = {"drawing", "photo", "certificate"};
  char id[27], paper[27];
  (void)state;
  make(&w.a, "matter", id);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(set(&w.a, id, "cleared"), QM_EINCOMPLETE);
    assert_non_null(strstr(w.a.e.message, kinds[i]));
    make(&w.a, "paper", paper);
    assert_int_equal(one(&w.a, qm_set, "paper", paper, "kind", kinds[i]), QM_OK);
    assert_int_equal(one(&w.a, qm_add, "matter", id, "papers", paper), QM_OK);
  }
  assert_int_equal(set(&w.a, id, "cleared"), QM_OK);
}

/* What the hub asks of each op. */
static void the_hub_asks_the_same(void **state) {
  qm_error e;
  const qm_schema *s = qm_space_schema(app_space(&w.a));
  const qm_field_def *f = qm_collection_field(qm_schema_collection(s, 1), 16);
  (void)state;
#define ASK(value, role) qm_field_step_check(f, qm_slice_of(value, sizeof value - 1), S(role), &e)
  assert_int_equal(ASK("\xa8reported", "grid"), QM_OK);
  assert_int_equal(ASK("\xa8" "assigned", "grid"), QM_EACCESS);
  assert_int_equal(ASK("\xa8" "assigned", "office"), QM_OK);
  assert_int_equal(ASK("\xa6" "closed", "grid"), QM_EACCESS);
  assert_int_equal(ASK("\x91\xa6" "closed", "grid"), QM_OK);
  assert_int_equal(ASK("\xa6" "closed", "office"), QM_OK);
  assert_int_equal(ASK("\xa7unknown", "grid"), QM_OK);
  assert_int_equal(qm_field_value_check(f, qm_slice_of("\x91\xa6" "closed", 8), &e), QM_OK);
  assert_int_equal(qm_field_value_check(f, qm_slice_of("\x91\xa8reported", 10), &e), QM_ESCHEMA);
  assert_int_equal(qm_field_value_check(f, qm_slice_of("\x91\xa7unknown", 9), &e), QM_ESCHEMA);
}

static const struct {
  const char *item, *why;
} bad[] = {
    {"\"by\":[\"a\",\"a\"]", "a role is not well-formed, or repeated"},
    {"\"by\":[7]", "must hold names of roles"},
    {"\"needs\":[{\"field\":\"lost\"}]", "is no field"},
    {"\"needs\":[{}]", "is missing"},
    {"\"needs\":[{\"field\":\"a\",\"least\":0}]", "least must be 1 or more"},
    {"\"needs\":[{\"field\":\"a\",\"present\":true}]", "only files can be asked to be present"},
    {"\"needs\":[{\"field\":\"a\",\"part\":\"a\",\"each\":[\"x\"]}]", "is no field"},
    {"\"needs\":[{\"field\":\"p\",\"part\":\"a\"}]", "parts are missing"},
    {"\"needs\":[{\"field\":\"p\",\"each\":[\"x\"]}]", "is missing"},
    {"\"needs\":[{\"field\":\"p\",\"part\":\"a\",\"each\":[\"x\"],\"present\":true}]",
     "asks for files and for parts at once"},
};

static void what_a_schema_may_not_say(void **state) {
  qm_env env = qm_env_default();
  (void)state;
  for (size_t i = 0; i < COUNT(bad); i++) {
    char text[900];
    qm_buf out;
    qm_error e = {0, ""};
    snprintf(text, sizeof text,
             "{\"schema\":\"s\",\"version\":1,\"collections\":[{\"name\":\"c\",\"number\":1,"
             "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["
             FIELD("s", 16, "state", ",\"items\":[{\"name\":\"i\",\"rank\":1,%s}]") ","
             FIELD("a", 17, "register", ",\"value\":\"text\"") ","
             FIELD("p", 18, "ref", ",\"target\":\"c\"") "]}]}",
             bad[i].item);
    qm_buf_init(&out, &env, QM_SCHEMA_MAX);
    assert_int_equal(qm_schema_json_compile(&out, S(text), &e), QM_ESCHEMA);
    if (!strstr(e.message, bad[i].why)) print_error("%s: %s\n", bad[i].item, e.message);
    assert_non_null(strstr(e.message, bad[i].why));
    qm_buf_free(&out);
  }
}

/* Its JSON gives the same schema again. */
static void is_printed_as_it_was_read(void **state) {
  qm_env env = qm_env_default();
  qm_buf first, second, json;
  qm_error e = {0, ""};
  (void)state;
  qm_buf_init(&first, &env, QM_SCHEMA_MAX);
  qm_buf_init(&second, &env, QM_SCHEMA_MAX);
  qm_buf_init(&json, &env, QM_SCHEMA_MAX * 4);
  assert_int_equal(qm_schema_json_compile(&first, S(schema), &e), QM_OK);
  qm_schema_json_print(&json, qm_space_schema(app_space(&w.a)));
  assert_int_equal(qm_schema_json_compile(&second, qm_buf_slice(&json), &e), QM_OK);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&first), qm_buf_slice(&second)), 0);
  qm_buf_free(&first);
  qm_buf_free(&second);
  qm_buf_free(&json);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(a_role_may_not_set_it),
                                     T(a_proposal_waits_and_is_confirmed),
                                     T(a_step_needs_what_it_names),
                                     T(a_file_that_is_announced_is_not_present),
                                     T(three_papers),
                                     T(the_hub_asks_the_same),
                                     T(what_a_schema_may_not_say),
                                     T(is_printed_as_it_was_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
