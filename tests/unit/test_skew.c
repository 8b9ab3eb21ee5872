/* Replicas whose schemas differ (S7.6, S7.7): what one does not know it keeps byte for byte,
 * hands on, shows sensibly and never destroys; it comes to life with the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "core/space.h"
#include "tests/unit/support_handle.h"

/* app_schema with texts put in place of others: what a newer version looks like. */
static char *edited(const char *from, const char *const pairs[][2], size_t n) {
  size_t cap = strlen(from) + 8192;
  char *a = malloc(cap), *b = malloc(cap);
  assert_non_null(a);
  assert_non_null(b);
  memcpy(a, from, strlen(from) + 1);
  for (size_t i = 0; i < n; i++) {
    char *at = strstr(a, pairs[i][0]);
    assert_non_null(at);
    *at = 0;
    snprintf(b, cap, "%s%s%s", a, pairs[i][1], at + strlen(pairs[i][0]));
    char *t = a;
    a = b;
    b = t;
  }
  free(b);
  return a;
}

#define FIELD(name, number, type, value) \
  "{\"name\":\"" name "\",\"number\":" number ",\"type\":\"" type "\"" value ",\"class\":\"work\"}"

static char *schema_2(void) {
  static const char *const pairs[][2] = {
      {"\"version\":1", "\"version\":2"},
      {"{\"name\":\"phone\",", FIELD("email", "900", "register", ",\"value\":\"text\"") ","
                               "{\"name\":\"phone\","},
      {"{\"name\":\"handled\",\"rank\":2}",
       "{\"name\":\"handled\",\"rank\":2},{\"name\":\"archived\",\"rank\":3}"}};
  /* Numbers rise: the new field stands last. */
  static const char *const order[][2] = {
      {FIELD("email", "900", "register", ",\"value\":\"text\"") ",", ""},
      {"\"number\":34,\"type\":\"list\",\"class\":\"work\",\"value\":\"text\"}",
       "\"number\":34,\"type\":\"list\",\"class\":\"work\",\"value\":\"text\"}," FIELD(
           "email", "900", "register", ",\"value\":\"text\"") "," FIELD("pets", "901", "set",
                                                                        ",\"value\":\"text\"")}};
  char *first = edited(app_schema, pairs, COUNT(pairs));
  char *second = edited(first, order, COUNT(order));
  free(first);
  return second;
}

static char *schema_3(void) {
  char *two = schema_2();
  const char *const pairs[][2] = {
      {"\"version\":2", "\"version\":3"},
      {"]}]}", "]},{\"name\":\"well\",\"number\":3,\"purpose\":\"p\",\"retention\":\"P1Y\","
               "\"fields\":[{\"name\":\"depth\",\"number\":16,\"type\":\"max\",\"value\":\"int\","
               "\"class\":\"work\"}]}]}"}};
  /* The last "]}]}" closes the collections. */
  size_t n = strlen(two);
  assert_string_equal(two + n - 4, "]}]}");
  two[n - 4] = 0;
  const char *const version[][2] = {{pairs[0][0], pairs[0][1]}};
  char *head = edited(two, version, 1);
  char *all = malloc(n + 4096);
  snprintf(all, n + 4096, "%s%s", head, pairs[1][1]);
  free(head);
  free(two);
  return all;
}

static void learn(app *a, char *json) {
  qm_space_info info;
  qm_buf form;
  qm_buf_init(&form, &a->db->env, QM_SCHEMA_MAX);
  if (qm_schema_json_compile(&form, S(json), &a->e)) print_message("%s\n", a->e.message);
  assert_int_equal(qm_buf_status(&form), QM_OK);
  assert_true(form.n > 0);
  qm_space_info_get(app_space(a), &info);
  info.schema = qm_buf_slice(&form);
  assert_int_equal(qm_engine_space_put(a->db->engine, &info, &a->e), QM_OK);
  qm_buf_free(&form);
  free(json);
}

/* A device of the space of `from`, with its schema as it stands now. */
static void join(app *from, app *to, test_dir *dir, const char *file) {
  qm_space_info info;
  app_set(to, dir, file);
  app_open(to);
  qm_space_info_get(app_space(from), &info);
  assert_int_equal(qm_engine_space_put(to->db->engine, &info, &to->e), QM_OK);
}

/* The schema of `from`, as a hub would send it. */
static void upgrade(app *from, app *to) {
  qm_space_info info;
  qm_space_info_get(app_space(from), &info);
  assert_int_equal(qm_engine_space_put(to->db->engine, &info, &to->e), QM_OK);
}

static void equal(app *a, app *b) {
  uint8_t va[16], vb[16];
  qm_digest da, db;
  assert_int_equal(qm_engine_vv_digest(a->db->engine, app_space(a), va), QM_OK);
  assert_int_equal(qm_engine_vv_digest(b->db->engine, app_space(b), vb), QM_OK);
  assert_memory_equal(va, vb, 16);
  qm_space_digest(app_space(a), &da);
  qm_space_digest(app_space(b), &db);
  assert_memory_equal(&da, &db, sizeof da);
  assert_int_equal(qm_engine_check(a->db->engine, app_space(a), &a->e), QM_OK);
  assert_int_equal(qm_engine_check(b->db->engine, app_space(b), &b->e), QM_OK);
}

static int set_in(app *a, const char *collection, const char *record, const char *field,
                  const char *value) {
  qm_tx *tx = app_begin(a);
  int rc = qm_set(tx, S(collection), S(record), S(field), S(value), 0, &a->e);
  assert_int_equal(qm_commit(tx, NULL), QM_OK);
  return rc;
}

static int shows(app *a, const char *collection, const char *record, const char *part) {
  qm_text t;
  int rc = qm_get(a->db, NONE, S(collection), S(record), 0, &t, &a->e);
  if (rc != QM_OK) print_message("%s\n", a->e.message);
  assert_int_equal(rc, QM_OK);
  int found = text_holds(&t, part);
  qm_text_free(&t);
  return found;
}

static void make(app *a, const char *collection, char id[27]) {
  qm_tx *tx = app_begin(a);
  qm_text text;
  assert_int_equal(qm_new(tx, S(collection), NONE, &text, NULL, &a->e), QM_OK);
  memcpy(id, text.p, 27);
  qm_text_free(&text);
  app_commit(a, tx);
}

/* Two new phones (versions 2 and 3) edit at once what an old one carries between them. */
static void test_three_versions(void **state) {
  world *w = *state;
  app *old = &w->a, *two = &w->b, three;
  char id[27], incident[27], well[27];
  join(old, two, &w->dir, "b.db");
  join(old, &three, &w->dir, "c.db");
  learn(two, schema_2());
  learn(&three, schema_3());
  app_make(two, "12", id);
  make(two, "incident", incident);
  assert_int_equal(set_in(two, "household", id, "email", "a@b.example"), QM_OK);
  assert_int_equal(set_in(two, "incident", incident, "stage", "archived"), QM_OK);
  make(&three, "well", well);
  assert_int_equal(set_in(&three, "well", well, "depth", "7"), QM_OK);
  /* Only the old one meets the others. */
  app_deliver(two, old);
  app_deliver(&three, old);
  app_deliver(old, &three);
  assert_int_equal(set_in(two, "household", id, "email", "two@b.example"), QM_OK);
  assert_int_equal(set_in(&three, "household", id, "email", "three@b.example"), QM_OK);
  app_deliver(two, old);
  app_deliver(&three, old);
  app_deliver(old, two);
  app_deliver(old, &three);
  equal(old, two);
  equal(old, &three);
  /* What the old one shows of it. */
  assert_true(shows(old, "household", id, "\"unknown\":1"));
  assert_true(shows(old, "incident", incident, "\"stage\":\"archived\""));
  qm_text t;
  assert_int_equal(qm_get(old->db, NONE, S("well"), S(well), 0, &t, &old->e), QM_ENOTFOUND);
  assert_int_equal(qm_list(old->db, NONE, S("household"), NONE, 0, 0, &t, &old->e), QM_OK);
  qm_text_free(&t);
  assert_int_equal(qm_history(old->db, NONE, S("household"), S(id), &t, &old->e), QM_OK);
  qm_text_free(&t);
  /* It comes to life, the conflict too, and nothing of the bytes moves. */
  upgrade(&three, old);
  equal(old, two);
  equal(old, &three);
  assert_true(shows(old, "household", id, "\"conflicts\":{\"email\":["));
  assert_true(shows(old, "well", well, "\"depth\":7"));
  assert_int_equal(set_in(old, "well", well, "depth", "9"), QM_OK);
  app_deliver(old, two);
  app_deliver(old, &three);
  equal(old, two); /* which knows no well */
  assert_true(shows(&three, "well", well, "\"depth\":9"));
  qm_close(three.db);
}

/* A form saved on the old device leaves alone what it does not know. */
static void test_form_save(void **state) {
  world *w = *state;
  app *old = &w->a, *two = &w->b;
  char id[27], incident[27];
  qm_text t;
  static char token[1 << 14];
  join(old, two, &w->dir, "b.db");
  learn(two, schema_2());
  app_make(two, "12", id);
  make(two, "incident", incident);
  assert_int_equal(set_in(two, "household", id, "email", "a@b.example"), QM_OK);
  assert_int_equal(app_one(two, qm_add, id, "pets", "dog", 0), QM_OK);
  assert_int_equal(set_in(two, "incident", incident, "stage", "archived"), QM_OK);
  app_deliver(two, old);
  app_get(old, id, 0, &t);
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  qm_tx *tx = app_begin(old);
  assert_int_equal(qm_shown(tx, S(token), &old->e), QM_OK);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("phone"), S("1"), 0, &old->e), QM_OK);
  app_commit(old, tx);
  /* Setting the unknown item that is shown writes nothing; it cannot be chosen otherwise. */
  tx = app_begin(old);
  (void)qm_set(tx, S("incident"), S(incident), S("stage"), S("archived"), 0, &old->e);
  assert_int_equal(qm_written(tx), 0);
  assert_int_equal(
      qm_set(tx, S("incident"), S(incident), S("stage"), S("lost"), 0, &old->e), QM_ESCHEMA);
  qm_cancel(tx);
  app_deliver(old, two);
  equal(old, two);
  assert_true(shows(two, "household", id, "\"email\":\"a@b.example\""));
  assert_true(shows(two, "household", id, "\"pets\":[\"dog\"]"));
  assert_true(shows(two, "household", id, "\"phone\":\"1\""));
  assert_true(shows(two, "incident", incident, "\"stage\":\"archived\""));
  /* A delete and a restore there keep it as well. */
  tx = app_begin(old);
  assert_int_equal(qm_delete(tx, S("household"), S(id), &old->e), QM_OK);
  app_commit(old, tx);
  tx = app_begin(old);
  assert_int_equal(qm_restore(tx, S("household"), S(id), &old->e), QM_OK);
  app_commit(old, tx);
  app_deliver(old, two);
  assert_true(shows(two, "household", id, "\"email\":\"a@b.example\""));
}

/* What a hub of version 1 says of one device's changes, told the device's version or not. */
static uint32_t refused(app *from, app *hub, int judge) {
  qm_arena arena;
  qm_buf batch;
  qm_vv_list vv;
  uint64_t cursor = 0;
  uint32_t n = 0;
  qm_arena_init(&arena, &from->db->env, 1u << 24);
  qm_buf_init(&batch, &from->db->env, QM_BATCH_MAX);
  assert_int_equal(qm_engine_push(from->db->engine, app_space(from)), QM_OK);
  assert_int_equal(qm_engine_heads(hub->db->engine, app_space(hub), &arena, &vv), QM_OK);
  while (qm_engine_next_batch(from->db->engine, app_space(from), vv, &cursor, &batch) == QM_OK) {
    qm_ingest in = {.peer = *qm_key_device(from->db->key), .check_schema = judge};
    in.role = S("grid");
    assert_int_equal(qm_engine_begin(hub->db->engine), QM_OK);
    assert_int_equal(qm_engine_ingest(hub->db->engine, app_space(hub), qm_buf_slice(&batch), &in,
                                      &arena, &hub->e),
                     QM_OK);
    n += in.n_refusals;
    int rc = in.taken ? qm_engine_commit(hub->db->engine, QM_DURABLE, NULL, NULL) : QM_OK;
    assert_int_equal(rc, QM_OK);
    if (!in.taken) qm_engine_rollback(hub->db->engine);
    qm_buf_clear(&batch);
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  return n;
}

static void test_old_hub(void **state) {
  world *w = *state;
  app *hub = &w->a, *two = &w->b;
  char id[27], incident[27];
  join(hub, two, &w->dir, "b.db");
  learn(two, schema_3());
  app_make(two, "12", id);
  make(two, "well", incident);
  assert_int_equal(set_in(two, "household", id, "email", "a@b.example"), QM_OK);
  assert_int_equal(refused(two, hub, QM_CHECK_SCHEMA), 0); /* fields that it does not know */
  equal(hub, two);
  make(two, "incident", incident);
  assert_int_equal(set_in(two, "incident", incident, "stage", "archived"), QM_OK);
  assert_int_equal(refused(two, hub, QM_CHECK_SCHEMA), 1);
  assert_int_equal(refused(two, hub, QM_CHECK_NEWER), 0);
  equal(hub, two);
  assert_true(shows(hub, "incident", incident, "\"stage\":\"archived\""));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {T(test_three_versions), T(test_form_save), T(test_old_hub)};
  return cmocka_run_group_tests_name("skew", tests, NULL, NULL);
}
