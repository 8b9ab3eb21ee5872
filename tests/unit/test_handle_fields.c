/* The shell as an app sees it: values and verbs, tokens, conflicts, history, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support_handle.h"

/* ---- values ---- */

static void test_values(void **state) {
  app *a = &((world *)*state)->a;
  static const struct {
    const char *field, *value;
    uint32_t flags;
    int rc;
    const char *shown; /* of the field; NULL: the field is not shown */
  } t[] = {
      {"head", "Li \"Er\"", 0, 0, "\"Li \\\"Er\\\"\""},
      {"head", "\"Li\\u4e8c\\n\"", QM_JSON, 0, "\"Li\xe4\xba\x8c\\n\""},
      {"head", "\"\\ud840\\udc00\"", QM_JSON, 0, "\"\xf0\xa0\x80\x80\""},
      {"head", "\"\\ud840\"", QM_JSON, QM_ESCHEMA, NULL},
      {"head", "\xc3", 0, QM_EINVAL, NULL},
      {"head", "", 0, 0, "\"\""},
      {"head", "null", QM_JSON, 0, NULL},
      {"head", "7", QM_JSON, QM_ESCHEMA, NULL},
      {"Telephone", "000-0000-1", 0, 0, NULL},
      {"phone", "000-0000-0000-0000", 0, QM_ESCHEMA, NULL},
      {"members", "4", 0, 0, "4"},
      {"members", "-9223372036854775808", 0, 0, "-9223372036854775808"},
      {"members", "9223372036854775808", 0, QM_ESCHEMA, NULL},
      {"members", "4.0", 0, 0, "4"},
      {"members", "4.5", 0, QM_ESCHEMA, NULL},
      {"members", "four", 0, QM_ESCHEMA, NULL},
      {"members", "", 0, 0, NULL},
      {"land", "3.25", 0, 0, "3.25"},
      {"land", "1e400", 0, QM_ESCHEMA, NULL},
      {"land", "0x10", 0, QM_ESCHEMA, NULL},
      {"land", "inf", 0, QM_ESCHEMA, NULL},
      {"land", "-0.0", 0, 0, "0"},
      {"insured", "true", 0, 0, "true"},
      {"insured", "yes", 0, QM_ESCHEMA, NULL},
      {"updated", "2031-02-28", 0, 0, "\"2031-02-28\""},
      {"updated", "2031-02-29", 0, QM_ESCHEMA, NULL},
      {"place", "30.5,114.25,8.5,gcj02", 0, 0, "{\"$point\":[30.5,114.25,8.5,\"gcj02\"]}"},
      {"place", "-30.1234567,114", 0, 0, "{\"$point\":[-30.1234567,114,0,\"unknown\"]}"},
      {"place", "{\"$point\":[1.5,2,3,\"wgs84\"]}", QM_JSON, 0, "{\"$point\":[1.5,2,3,\"wgs84\"]}"},
      {"place", "91,0", 0, QM_ESCHEMA, NULL},
      {"place", "30", 0, QM_ESCHEMA, NULL},
      {"place", "30,114,8,mars", 0, QM_ESCHEMA, NULL},
      {"place", "30,114,8,wgs84,9", 0, QM_ESCHEMA, NULL},
      {"photo", "00ff", 0, 0, "{\"$bytes\":\"00ff\"}"},
      {"photo", "00f", 0, QM_ESCHEMA, NULL},
      {"photo", "{\"$bytes\":\"0a\"}", QM_JSON, 0, "{\"$bytes\":\"0a\"}"},
      {"any", "{\"b\":[1,2.5,null,{}],\"a\":\"x\"}", 0, 0, "{\"a\":\"x\",\"b\":[1,2.5,null,{}]}"},
      {"any", " [ ] ", 0, 0, "[]"},
      {"any", "[1,]", 0, QM_ESCHEMA, NULL},
      {"any", "{\"a\":1,\"a\":2}", 0, QM_ESCHEMA, NULL},
      {"any", "{\"a\" 1}", 0, QM_ESCHEMA, NULL},
      {"any", "{a:1}", 0, QM_ESCHEMA, NULL},
      {"any", "[1 2]", 0, QM_ESCHEMA, NULL},
      {"any", "[01]", 0, QM_ESCHEMA, NULL},
      {"any", "[1", 0, QM_ESCHEMA, NULL},
      {"any", "\"\t\"", 0, QM_ESCHEMA, NULL},
      {"any", "\"\\x\"", 0, QM_ESCHEMA, NULL},
      {"any", "\"\\u00", 0, QM_ESCHEMA, NULL},
      {"any", "tru", 0, QM_ESCHEMA, NULL},
      {"any", "1 2", 0, QM_ESCHEMA, NULL},
      {"any", "[[[[[[[[1]]]]]]]]", 0, 0, "[[[[[[[[1]]]]]]]]"},
      {"any", "[[[[[[[[[1]]]]]]]]]", 0, QM_ESCHEMA, NULL},
      {"any", "{\"$sealed\":true}", 0, QM_ESCHEMA, NULL},
      {"near", "key:12", 0, 0, NULL},
      {"near", "key:99", 0, QM_ENOTFOUND, NULL},
      {"near", "00000000000000000000000004", 0, 0, "\"00000000000000000000000004\""},
      {"near", "\"00000000000000000000000008\"", QM_JSON, 0, "\"00000000000000000000000008\""},
      {"other", "00000000000000000000000004/00000000000000000000000008", 0, 0,
       "\"00000000000000000000000004/00000000000000000000000008\""},
      {"other", "00000000000000000000000004", 0, QM_ESCHEMA, NULL},
      {"tags", "x", 0, QM_ESCHEMA, NULL}, /* of another type: qm_add */
      {"agenda", "x", 0, QM_ESCHEMA, NULL},
      {"nothing", "x", 0, QM_ESCHEMA, NULL},
  };
  char id[27], part[256];
  app_make(a, "12", id);
  for (size_t i = 0; i < COUNT(t); i++) {
    int rc = app_one(a, qm_set, id, t[i].field, t[i].value, t[i].flags);
    if (rc != t[i].rc) print_message("%s=%s: %s\n", t[i].field, t[i].value, a->e.message);
    assert_int_equal(rc, t[i].rc);
    if (rc == QM_ESCHEMA) assert_true(strlen(a->e.message) > 0);
    if (!t[i].shown) continue;
    snprintf(part, sizeof part, "\"%s\":%s", t[i].field, t[i].shown);
    assert_true(app_shows(a, id, part));
  }
  assert_true(app_shows(a, id, "\"phone\":\"000-0000-1\""));
}

static void test_types(void **state) {
  app *a = &((world *)*state)->a;
  static const struct {
    app_verb v;
    const char *field, *value;
    int rc;
    const char *shown;
  } t[] = {
      {qm_raise, "last", "2031-05-03", 0, "\"last\":\"2031-05-03\""},
      {qm_raise, "last", "2031-04-01", 0, "\"last\":\"2031-05-03\""}, /* program 21 */
      {qm_set, "last", "2031-04-01", 0, "\"last\":\"2031-04-01\""},
      {qm_lower, "last", "2031-01-01", QM_ESCHEMA, "\"last\":\"2031-04-01\""},
      {qm_lower, "first", "5", 0, "\"first\":5"},
      {qm_lower, "first", "7", 0, "\"first\":5"},
      {qm_put, "first", "4", 0, "\"first\":4"},
      {qm_raise, "first", "9", QM_ESCHEMA, "\"first\":4"},
      {qm_add, "tags", "b", 0, "\"tags\":[\"b\"]"},
      {qm_add, "tags", "a", 0, "\"tags\":[\"a\",\"b\"]"},
      {qm_remove, "tags", "b", 0, "\"tags\":[\"a\"]"},
      {qm_remove, "tags", "never", 0, "\"tags\":[\"a\"]"},
      {qm_put, "tags", "c", 0, "\"tags\":[\"a\",\"c\"]"},
      {qm_add, "head", "x", QM_ESCHEMA, "\"tags\":[\"a\",\"c\"]"},
      {qm_put, "visits", "+2", 0, "\"visits\":2"},
      {qm_put, "visits", "-5", 0, "\"visits\":-3"},
      {qm_put, "visits", "many", QM_ESCHEMA, "\"visits\":-3"},
      {qm_append, "steps", "rang", 0, "\"steps\":[{\"value\":\"rang\",\"by\":\""},
      {qm_append, "head", "x", QM_ESCHEMA, "\"no\":\"12\""},
      {qm_append, "notes", "one", 0, "\"notes\":\"one\""},
      {qm_append, "notes", " two", 0, "\"notes\":\"one two\""},
      {qm_set, "notes", "one and two\xe4\xba\x8c", 0, "\"notes\":\"one and two\xe4\xba\x8c\""},
      {qm_set, "notes", "one and two\xe4\xba\x8d", 0, "\"notes\":\"one and two\xe4\xba\x8d\""},
      {qm_set, "notes", "\xff", QM_EINVAL, "\"notes\":\"one and"},
      {qm_set, "notes", "", 0, "\"visits\":-3"},
      {qm_settle, "notes", "x", QM_ESCHEMA, "\"visits\":-3"},
      {qm_settle, "head", "Wang", 0, "\"head\":\"Wang\""},
  };
  char id[27];
  app_make(a, "12", id);
  for (size_t i = 0; i < COUNT(t); i++) {
    int rc = app_one(a, t[i].v, id, t[i].field, t[i].value, 0);
    if (rc != t[i].rc) print_message("%s=%s: %s\n", t[i].field, t[i].value, a->e.message);
    assert_int_equal(rc, t[i].rc);
    assert_true(app_shows(a, id, t[i].shown));
  }
}

/* Only the middle that changed is written, so that another's edit beside it merges. */
static void test_text_merge(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27];
  app_make(a, "12", id);
  assert_int_equal(app_one(a, qm_append, id, "notes", "ab cd", 0), QM_OK);
  app_second(w);
  app_deliver(a, b);
  assert_int_equal(app_one(a, qm_set, id, "notes", "aXb cd", 0), QM_OK);
  assert_int_equal(app_one(b, qm_set, id, "notes", "ab cYd", 0), QM_OK);
  app_deliver(a, b);
  app_deliver(b, a);
  assert_true(app_shows(a, id, "\"notes\":\"aXb cYd\""));
  assert_true(app_shows(b, id, "\"notes\":\"aXb cYd\""));
}

static void test_splice(void **state) {
  app *a = &((world *)*state)->a;
  char id[27], token[1000];
  qm_text t;
  app_make(a, "12", id);
  assert_int_equal(app_one(a, qm_append, id, "notes",
                           "\xe6\x88\xb7"
                           "bc",
                           0),
                   QM_OK);
  app_get(a, id, 0, &t);
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_splice(tx, S("household"), S(id), S("notes"), 1, 1, S("B"), &a->e), QM_OK);
  assert_int_equal(qm_splice(tx, S("household"), S(id), S("notes"), 9, 0, S("B"), &a->e),
                   QM_EINVAL);
  assert_int_equal(qm_splice(tx, S("household"), S(id), S("head"), 0, 0, S("B"), &a->e),
                   QM_ESCHEMA);
  app_commit(a, tx);
  assert_true(app_shows(a, id,
                        "\"notes\":\"\xe6\x88\xb7"
                        "Bc\""));
  tx = app_begin(a); /* from the reading before */
  assert_int_equal(qm_shown(tx, S(token), &a->e), QM_OK);
  assert_int_equal(qm_splice(tx, S("household"), S(id), S("notes"), 0, 1, NONE, &a->e), QM_ESTALE);
  assert_int_equal(qm_written(tx), 0);
  app_commit(a, tx);
}

static void test_list(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  const qm_slice c = S("household"), f = S("agenda");
  char id[27], token[1000];
  qm_text t;
  app_make(a, "12", id);
  const qm_slice r = S(id);
  assert_int_equal(app_one(a, qm_append, id, "agenda", "b", 0), QM_OK);
  assert_int_equal(app_one(a, qm_put, id, "agenda", "\"d\"", QM_JSON), QM_OK);
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_insert(tx, c, r, f, 0, S("a"), 0, &a->e), QM_OK);
  assert_int_equal(qm_insert(tx, c, r, f, 2, S("\"c\""), QM_JSON, &a->e), QM_OK);
  assert_int_equal(qm_insert(tx, c, r, f, UINT64_MAX, S("e"), 0, &a->e), QM_OK);
  assert_int_equal(qm_insert(tx, c, r, f, 6, S("x"), 0, &a->e), QM_EINVAL);
  assert_int_equal(qm_insert(tx, c, r, f, 0, S("7"), QM_JSON, &a->e), QM_ESCHEMA);
  assert_int_equal(qm_insert(tx, c, r, S("notes"), 0, S("x"), 0, &a->e), QM_ESCHEMA);
  assert_int_equal(qm_insert(tx, c, r, S("tags"), 0, S("x"), 0, &a->e), QM_ESCHEMA);
  assert_int_equal(qm_insert(NULL, c, r, f, 0, S("x"), 0, &a->e), QM_EINVAL);
  assert_int_equal(qm_replace(tx, c, r, f, 5, S("x"), 0, &a->e), QM_EINVAL);
  assert_int_equal(qm_remove_at(tx, c, r, f, 4, 2, &a->e), QM_EINVAL);
  assert_int_equal(qm_remove_at(tx, c, r, S("notes"), 0, 0, &a->e), QM_ESCHEMA);
  assert_int_equal(qm_splice(tx, c, r, f, 0, 0, S("x"), &a->e), QM_ESCHEMA);
  assert_int_equal(qm_written(tx), 3);
  app_commit(a, tx);
  assert_true(app_shows(a, id, "\"agenda\":[\"a\",\"b\",\"c\",\"d\",\"e\"]"));
  app_get(a, id, 0, &t);
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  tx = app_begin(a);
  assert_int_equal(qm_replace(tx, c, r, f, 1, S("B"), 0, &a->e), QM_OK);
  assert_int_equal(qm_remove_at(tx, c, r, f, 2, 2, &a->e), QM_OK);
  assert_int_equal(qm_written(tx), 3);
  app_commit(a, tx);
  assert_true(app_shows(a, id, "\"agenda\":[\"a\",\"B\",\"e\"]"));
  tx = app_begin(a); /* from the reading before */
  assert_int_equal(qm_shown(tx, S(token), &a->e), QM_OK);
  assert_int_equal(qm_remove_at(tx, c, r, f, 0, 1, &a->e), QM_ESTALE);
  assert_int_equal(qm_insert(tx, c, r, f, 0, S("x"), 0, &a->e), QM_ESTALE);
  assert_int_equal(qm_set(tx, c, r, f, S("[]"), QM_JSON, &a->e), QM_ESTALE);
  assert_int_equal(qm_append(tx, c, r, f, S("f"), 0, &a->e), QM_OK); /* the end is the end */
  app_commit(a, tx);
  app_second(w);
  app_deliver(a, b);
  assert_int_equal(app_one(a, qm_set, id, "agenda", "[\"a\",\"X\",\"B\",\"e\",\"f\"]", QM_JSON), 0);
  assert_int_equal(app_one(b, qm_set, id, "agenda", " [\"a\",\"B\",\"e\",\"Y\"] ", QM_JSON), 0);
  app_deliver(a, b);
  app_deliver(b, a);
  assert_true(app_shows(a, id, "\"agenda\":[\"a\",\"X\",\"B\",\"e\",\"Y\"]"));
  assert_true(app_shows(b, id, "\"agenda\":[\"a\",\"X\",\"B\",\"e\",\"Y\"]"));
  static const char *const bad[] = {"7", "{}", "[1]", "[null]", "[", "[\"a\",]", "\"a\""};
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_int_equal(app_one(a, qm_set, id, "agenda", bad[i], QM_JSON), QM_ESCHEMA);
  assert_int_equal(app_one(a, qm_set, id, "agenda", "x", 0), QM_ESCHEMA);
  assert_int_equal(qm_history(a->db, NONE, c, r, &t, &a->e), QM_OK);
  assert_true(text_holds(&t, "\"field\":\"agenda\",\"op\":\"insert\",\"value\":[\"B\"]"));
  assert_true(text_holds(&t, "\"field\":\"agenda\",\"op\":\"cut\",\"count\":2"));
  qm_text_free(&t);
  assert_int_equal(app_one(a, qm_set, id, "agenda", "null", QM_JSON), QM_OK);
  app_get(a, id, 0, &t);
  assert_null(strstr(t.p, "agenda"));
  qm_text_free(&t);
}

static void test_state(void **state) {
  app *a = &((world *)*state)->a;
  qm_text id, t;
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_new(tx, S("incident"), S("7"), &id, NULL, &a->e), QM_ESCHEMA); /* no key */
  assert_int_equal(qm_new(tx, S("incident"), NONE, &id, NULL, &a->e), QM_OK);
  qm_slice i = qm_slice_of(id.p, id.n);
  assert_int_equal(qm_set(tx, S("incident"), i, S("stage"), S("handled"), 0, &a->e), QM_OK);
  assert_int_equal(qm_set(tx, S("incident"), i, S("stage"), S("reported"), 0, &a->e), QM_ESCHEMA);
  assert_non_null(strstr(a->e.message, "stage"));
  assert_int_equal(qm_set(tx, S("incident"), i, S("stage"), S("lost"), 0, &a->e), QM_ESCHEMA);
  assert_int_equal(qm_set(tx, S("household"), i, S("head"), S("x"), 0, &a->e), QM_ENOTFOUND);
  app_commit(a, tx);
  assert_int_equal(qm_get(a->db, NONE, S("incident"), i, QM_DETAIL, &t, &a->e), QM_OK);
  assert_true(text_holds(&t, "\"stage\":\"handled\"") &&
              text_holds(&t, "\"shown\":{\"stage\":{\"by\":"));
  qm_text_free(&t);
  qm_text_free(&id);
}

/* ---- tokens and conflicts ---- */

/* Program 14: what came while a form was open is kept for review, and settled from there. */
static void test_unread(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], token[2000];
  qm_text t;
  app_make(a, "12", id);
  assert_int_equal(app_one(a, qm_set, id, "phone", "1", 0), QM_OK);
  app_second(w);
  app_deliver(a, b);
  app_get(a, id, 0, &t); /* the form opens */
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  assert_int_equal(app_one(b, qm_set, id, "phone", "2", 0), QM_OK);
  app_deliver(b, a); /* in the background */
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_shown(tx, S(token), &a->e), QM_OK);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("phone"), S("3"), 0, &a->e), QM_OK);
  app_commit(a, tx);
  assert_true(app_shows(a, id, "\"phone\":\"3\""));
  assert_true(app_shows(a, id, "\"conflicts\":{\"phone\":[{\"value\":\"2\",\"by\":\""));
  assert_true(app_shows(a, id, "\"own\":false"));
  assert_true(app_status_holds(a, "\"conflicts\":1,\"conflicts_by\":"));
  assert_int_equal(qm_conflicts(a->db, NONE, NONE, &t, &a->e), QM_OK);
  assert_true(
      text_holds(&t, "\"field\":\"phone\",\"class\":\"unread\",\"values\":[{\"value\":\"3\""));
  assert_true(text_holds(&t, "\"class\":\"shown\",\"shown\":true},{\"value\":\"2\""));
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  assert_int_equal(app_one(a, qm_set, id, "phone", "3", 0), QM_OK); /* equal: settles nothing */
  assert_true(app_status_holds(a, "\"conflicts\":1,\"conflicts_by\":"));
  tx = app_begin(a); /* program 30 */
  assert_int_equal(qm_shown(tx, S(token), &a->e), QM_OK);
  assert_int_equal(qm_settle(tx, S("household"), S(id), S("phone"), S("3"), 0, &a->e), QM_OK);
  assert_int_equal(qm_written(tx), 1);
  app_commit(a, tx);
  assert_int_equal(qm_conflicts(a->db, NONE, S("household"), &t, &a->e), QM_OK);
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
  app_deliver(a, b);
  assert_true(app_shows(b, id, "\"phone\":\"3\"") && app_shows(b, id, "\"conflicts\":{}"));
}

static void test_bad_tokens(void **state) {
  app *a = &((world *)*state)->a;
  char id[27], other[27], token[2000];
  qm_text t;
  app_make(a, "12", id);
  app_make(a, "13", other);
  app_get(a, id, 0, &t);
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  static const char *const bad[] = {"", "zz", "9", "00", "c0", "96"};
  qm_tx *tx = app_begin(a);
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_int_equal(qm_shown(tx, S(bad[i]), &a->e), QM_EINVAL);
  token[strlen(token) - 2] = 0; /* its head is good: the verb sees the rest */
  assert_int_equal(qm_shown(tx, S(token), &a->e), QM_OK);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("x"), 0, &a->e), QM_EINVAL);
  assert_int_equal(qm_set(tx, S("household"), S(other), S("head"), S("x"), 0, &a->e), QM_OK);
  app_commit(a, tx);
  assert_true(app_shows(a, other, "\"head\":\"x\""));
}

/* Program 20: an edit that has not seen a delete, and the other way round. */
static void test_collision(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27];
  qm_text t;
  app_make(a, "12", id);
  app_second(w);
  app_deliver(a, b);
  assert_int_equal(app_one(a, qm_set, id, "head", "Wang", 0), QM_OK);
  qm_tx *tx = app_begin(b);
  assert_int_equal(qm_delete(tx, S("household"), S(id), &b->e), QM_OK);
  app_commit(b, tx);
  app_deliver(a, b);
  assert_true(app_shows(b, id, "\"collision\":true"));
  assert_int_equal(qm_conflicts(b->db, NONE, NONE, &t, &b->e), QM_OK);
  assert_true(text_holds(&t, "\"field\":null,\"class\":\"deleted\""));
  assert_true(text_holds(&t, "\"value\":\"edited\"") && text_holds(&t, "\"value\":\"deleted\""));
  qm_text_free(&t);
  tx = app_begin(b);
  assert_int_equal(qm_restore(tx, S("household"), S(id), &b->e), QM_OK);
  app_commit(b, tx);
  assert_int_equal(qm_conflicts(b->db, NONE, NONE, &t, &b->e), QM_OK);
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
}

/* Program 28: two phones create one household offline, with different heads. */
static void test_same_key(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], other[27];
  qm_text t;
  app_second(w);
  app_make(a, "12", id);
  app_make(b, "12", other);
  assert_string_equal(id, other);
  assert_int_equal(app_one(a, qm_set, id, "head", "Wang", 0), QM_OK);
  assert_int_equal(app_one(b, qm_set, id, "head", "Zhao", 0), QM_OK);
  app_deliver(a, b);
  assert_int_equal(qm_conflicts(b->db, NONE, NONE, &t, &b->e), QM_OK);
  assert_true(text_holds(&t, "\"field\":null,\"class\":\"same-key\""));
  assert_true(text_holds(&t, "\"value\":\"Wang\"") && text_holds(&t, "\"value\":\"Zhao\""));
  qm_text_free(&t);
}

static int32_t both(qm_tx *tx, qm_slice c, qm_slice a, qm_slice b, qm_slice v, uint32_t flags,
                    qm_error *e) {
  (void)v;
  (void)flags;
  return b.n ? qm_merge(tx, c, a, b, e) : qm_unmerge(tx, c, a, e);
}

static int conflict_holds(app *a, const char *part) {
  qm_text t;
  assert_int_equal(qm_conflicts(a->db, NONE, NONE, &t, &a->e), QM_OK);
  int holds = text_holds(&t, part);
  qm_text_free(&t);
  return holds;
}

/* Two records of one household: read, listed and written as one, and apart again. */
static void test_merge(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char one[27], two[27], token[4096];
  qm_text t;
  app_make(a, "12", one);
  app_make(a, "13", two);
  assert_int_equal(app_one(a, qm_set, one, "head", "Wang", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, two, "head", "Zhao", 0), QM_OK);
  assert_int_equal(app_one(a, qm_append, one, "notes", "abc", 0), QM_OK);
  assert_int_equal(app_one(a, qm_append, two, "notes", "def", 0), QM_OK);
  assert_int_equal(app_one(a, both, one, "", "", 0), QM_OK);
  assert_int_equal(app_one(a, both, one, one, "", 0), QM_EINVAL);
  assert_int_equal(app_one(a, both, one, "key:99", "", 0), QM_ENOTFOUND);
  assert_int_equal(app_one(a, both, one, two, "", 0), QM_OK);
  char *least = strcmp(one, two) < 0 ? one : two, *other = least == one ? two : one;
  char part[80];
  snprintf(part, sizeof part, "{\"id\":\"%s\"", least);
  assert_true(app_shows(a, one, part) && app_shows(a, two, part));
  snprintf(part, sizeof part, "\"merged\":[\"%s\"]", other);
  assert_true(app_shows(a, two, part));
  assert_true(app_shows(a, "key:12", part) && app_shows(a, "key:13", part));
  assert_true(app_shows(a, two, "\"head\":\"Zhao\""));
  assert_true(app_shows(a, two, least == one ? "\"notes\":\"abcdef\"" : "\"notes\":\"defabc\""));
  assert_true(conflict_holds(a, "\"value\":\"Wang\""));
  assert_true(conflict_holds(a, "\"field\":\"head\",\"class\":\"merge\""));
  assert_int_equal(qm_list(a->db, NONE, S("household"), NONE, 0, 0, &t, &a->e), QM_OK);
  assert_ptr_equal(strchr(t.p, '\n'), t.p + t.n - 1); /* one line */
  qm_text_free(&t);
  /* A form of both; meanwhile somebody takes them apart. */
  app_get(a, two, 0, &t);
  text_member(&t, "\"token\":\"", token, sizeof token);
  qm_text_free(&t);
  app_second(w);
  app_deliver(a, b);
  assert_int_equal(app_one(b, both, two, "", "", 0), QM_OK);
  app_deliver(b, a);
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_shown(tx, S(token), &a->e), QM_OK);
  assert_int_equal(qm_set(tx, S("household"), S(two), S("head"), S("Sun"), 0, &a->e), QM_OK);
  assert_int_equal(qm_set(tx, S("household"), S(two), S("notes"), S("x"), 0, &a->e), QM_ESTALE);
  app_commit(a, tx);
  assert_true(app_shows(a, two, "\"head\":\"Sun\""));
  assert_true(app_shows(a, one, "\"head\":\"Wang\""));
  assert_false(app_shows(a, one, "\"merged\""));
  assert_false(conflict_holds(a, "merge"));
}

/* One merges what another takes out: listed until somebody decides. */
static void test_unmerged(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char one[27], two[27], three[27];
  qm_text t;
  app_make(a, "12", one);
  app_make(a, "13", two);
  app_make(a, "14", three);
  assert_int_equal(app_one(a, both, one, two, "", 0), QM_OK);
  app_second(w);
  app_deliver(a, b);
  assert_int_equal(app_one(a, both, one, "", "", 0), QM_OK);
  assert_int_equal(app_one(b, both, one, three, "", 0), QM_OK);
  app_deliver(a, b);
  assert_true(conflict_holds(b, "\"field\":null,\"class\":\"unmerged\""));
  const char *least = strcmp(one, two) < 0 ? one : two; /* an edge stands with the smaller id */
  assert_int_equal(qm_history(b->db, NONE, S("household"), S(least), &t, &b->e), QM_OK);
  assert_true(text_holds(&t, "\"field\":null,\"op\":\"merge\",\"value\":\""));
  assert_true(text_holds(&t, "\"op\":\"unlink\""));
  qm_text_free(&t);
  assert_int_equal(qm_history(b->db, NONE, S("household"), S(one), &t, &b->e), QM_OK);
  assert_true(text_holds(&t, "\"op\":\"unmerge\""));
  qm_text_free(&t);
  assert_int_equal(app_one(b, both, one, three, "", 0), QM_OK);
  assert_false(conflict_holds(b, "unmerged"));
}

/* Two households under one number: the other's goes to a record of its own. */
static void test_split(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], other[27], part[64];
  qm_text t;
  app_second(w);
  app_make(a, "12", id);
  app_make(b, "12", other);
  assert_int_equal(app_one(a, qm_set, id, "head", "Wang", 0), QM_OK);
  assert_int_equal(app_one(b, qm_set, id, "head", "Zhao", 0), QM_OK);
  app_deliver(a, b);
  qm_tx *tx = app_begin(b);
  assert_int_equal(qm_split(tx, S("household"), S(id), S("ZZZZ"), &t, &b->e), QM_EINVAL);
  assert_int_equal(qm_split(tx, S("household"), S(id), NONE, NULL, &b->e), QM_EINVAL);
  assert_int_equal(qm_split(tx, S("household"), S(id), NONE, &t, &b->e), QM_OK);
  app_commit(b, tx);
  assert_true(text_holds(&t, "\"head\":\"moved\""));
  text_member(&t, "\"id\":\"", other, sizeof other);
  qm_text_free(&t);
  assert_true(app_shows(b, id, "Wang") != app_shows(b, other, "Wang"));
  assert_true(app_shows(b, id, "Zhao") != app_shows(b, other, "Zhao"));
  snprintf(part, sizeof part, "{\"value\":\"%s\",\"class\":\"same-key\"", other);
  assert_true(conflict_holds(b, part)); /* one number twice, until somebody corrects it */
  assert_int_equal(app_one(b, qm_set, other, "no", "13", 0), QM_OK);
  assert_false(conflict_holds(b, "same-key"));
}

/* ---- history, refusals ---- */

static void test_history(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27];
  qm_text t;
  app_make(a, "12", id);
  assert_int_equal(app_one(a, qm_add, id, "tags", "dog", 0), QM_OK);
  app_second(w);
  app_deliver(a, b); /* what b reads comes from a segment, what it writes is still open */
  assert_int_equal(app_one(b, qm_remove, id, "tags", "dog", 0), QM_OK);
  assert_int_equal(app_one(b, qm_append, id, "notes", "abc", 0), QM_OK);
  assert_int_equal(app_one(b, qm_set, id, "notes", "c", 0), QM_OK);
  assert_int_equal(app_one(b, qm_put, id, "first", "3", 0), QM_OK);
  assert_int_equal(qm_history(b->db, NONE, S("household"), S(id), &t, &b->e), QM_OK);
  static const char *const lines[] = {
      "\"own\":false,\"time\":1935904151000,\"field\":null,\"op\":\"new\",\"acknowledged\":false}",
      "\"field\":\"no\",\"op\":\"set\",\"value\":\"12\"",
      "\"field\":\"tags\",\"op\":\"add\",\"value\":\"dog\"",
      "\"field\":\"tags\",\"op\":\"remove\",\"value\":\"dog\"",
      "\"field\":\"notes\",\"op\":\"insert\",\"value\":\"abc\"",
      "\"field\":\"notes\",\"op\":\"cut\",\"count\":2",
      "\"field\":\"first\",\"op\":\"lower\",\"value\":3"};
  const char *at = t.p;
  for (size_t i = 0; i < COUNT(lines); i++) {
    assert_true(text_holds(&t, lines[i]));
    assert_true(strstr(at, lines[i]) != NULL); /* in order */
    at = strstr(at, lines[i]);
  }
  qm_text_free(&t);
  assert_int_equal(
      qm_history(b->db, NONE, S("household"), S("00000000000000000000000004"), &t, &b->e),
      QM_ENOTFOUND);
}

static void test_refused(void **state) {
  app *a = &((world *)*state)->a;
  char id[27];
  qm_text t;
  qm_refused_row row = {
      .counter = 2, .code = QM_EACCESS, .at_ms = NOW_MS, .message = S("no right")};
  app_make(a, "12", id); /* counters 0 and 1 */
  assert_int_equal(qm_export_refused(a->db, &t, &a->e), QM_OK);
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
  assert_int_equal(app_one(a, qm_set, id, "head", "Wang", 0), QM_OK);
  qm_space_info info;
  qm_space_info_get(app_space(a), &info);
  row.space = info.id;
  row.author = *qm_engine_author(a->db->engine);
  assert_int_equal(qm__handle_refused_put(a->db, &row), QM_OK);
  assert_true(app_status_holds(a, "\"refused\":1,\"set_aside\":0,\"conflicts\":0,"));
  assert_int_equal(qm_export_refused(a->db, &t, &a->e), QM_OK);
  assert_true(text_holds(&t, "\"space\":\"grid 3\",\"collection\":\"household\",\"id\":\""));
  assert_true(text_holds(&t, "\"field\":\"head\",\"op\":\"set\",\"value\":\"Wang\",\"time\":"));
  assert_true(text_holds(&t, "\"code\":\"EACCESS\",\"message\":\"no right\","
                             "\"status\":\"refused\"}"));
  assert_null(strstr(t.p, "\"no\"")); /* what came before is not refused */
  qm_text_free(&t);
  qm_vv_entry held = {.author = row.author, .next = 3};
  assert_int_equal(qm_engine_acknowledged(a->db->engine, app_space(a), (qm_vv_list){&held, 1}, 0),
                   QM_OK);
  assert_true(app_status_holds(a, "\"unsent\":0,\"oldest_unsent\":null,\"refused\":0"));
  assert_true(app_status_holds(a, "\"written\":3,\"acknowledged\":3,\"safe\":0"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, app_setup, app_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_values),   CASE(test_types),   CASE(test_text_merge), CASE(test_splice),
      CASE(test_list),
      CASE(test_state),    CASE(test_unread),  CASE(test_bad_tokens), CASE(test_collision),
      CASE(test_same_key), CASE(test_merge), CASE(test_unmerged), CASE(test_split),
      CASE(test_history), CASE(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
