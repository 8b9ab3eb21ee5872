/* The review list, settles and their undo, and the inbox, as an app sees them (SPEC S19). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/review.h"
#include "support_handle.h"

static void review(app *a, qm_review_options *o, qm_text *out) {
  if (qm_review(a->db, NONE, o, out, &a->e) != QM_OK) fail_msg("%s", a->e.message);
}

static int review_holds(app *a, const char *part) {
  qm_text t;
  review(a, NULL, &t);
  int holds = text_holds(&t, part);
  if (!holds) print_error("%s\n", t.p);
  qm_text_free(&t);
  return holds;
}

static int inbox_holds(app *a, uint32_t flags, const char *part) {
  qm_text t;
  assert_int_equal(qm_inbox(a->db, NONE, flags, &t, &a->e), QM_OK);
  int holds = text_holds(&t, part);
  if (!holds) print_error("%s\n", t.p);
  qm_text_free(&t);
  return holds;
}

static void item_of(app *a, int32_t (*list)(qm_db *, qm_slice, qm_text *, qm_error *), char *to) {
  qm_text t;
  assert_int_equal(list(a->db, NONE, &t, &a->e), QM_OK);
  text_member(&t, "\"item\":\"", to, 16);
  qm_text_free(&t);
}

static int32_t inbox_list(qm_db *db, qm_slice space, qm_text *out, qm_error *e) {
  return qm_inbox(db, space, 0, out, e);
}

/* a and b write the phone of one household side by side; a knows both. */
static void collide(world *w, char id[27]) {
  app *a = &w->a, *b = &w->b;
  app_make(a, "12", id);
  assert_int_equal(app_one(a, qm_set, id, "phone", "0", 0), QM_OK);
  app_second(w);
  app_deliver(a, b);
  assert_int_equal(app_one(a, qm_set, id, "phone", "1", 0), QM_OK);
  b->now_ms += 60000;
  assert_int_equal(app_one(b, qm_set, id, "phone", "2", 0), QM_OK);
  app_deliver(b, a);
}

static void what_is_listed(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27], item[16];
  qm_review_options o = QM_REVIEW_OPTIONS_INIT;
  qm_text t;
  collide(w, id);
  review(a, NULL, &t);
  assert_true(text_holds(&t, "\"severity\":\"normal\",\"field\":\"phone\",\"class\":\"sibling\""));
  assert_true(text_holds(&t, "\"title\":\"12"));
  assert_true(text_holds(&t, "{\"conflicts\":1,\"high\":0,\"normal\":1,\"low\":0,\"more\":false}"));
  text_member(&t, "\"item\":\"", item, sizeof item);
  assert_int_equal(strlen(item), 8);
  qm_text_free(&t);
  o.severity = 3;
  review(a, &o, &t);
  assert_true(text_holds(&t, "{\"conflicts\":0,"));
  qm_text_free(&t);
  o.severity = 2;
  o.cls = S("unread");
  review(a, &o, &t);
  assert_true(text_holds(&t, "{\"conflicts\":0,"));
  qm_text_free(&t);
  o.cls = S("sibling");
  o.collection = S("household");
  o.record = S("key:12");
  o.offset = 1;
  review(a, &o, &t);
  assert_true(strncmp(t.p, "{\"conflicts\":1,", 15) == 0);
  qm_text_free(&t);
  o.offset = 0;
  review(a, &o, &t);
  assert_true(text_holds(&t, item));
  qm_text_free(&t);
  assert_true(app_status_holds(a, "\"conflicts\":1,\"conflicts_by\":{\"high\":0,\"normal\":1,"));
  /* refusals */
  o.record = S("key:13");
  assert_int_equal(qm_review(a->db, NONE, &o, &t, &a->e), QM_ENOTFOUND);
  o.collection = NONE;
  assert_int_equal(qm_review(a->db, NONE, &o, &t, &a->e), QM_EINVAL);
  o = (qm_review_options)QM_REVIEW_OPTIONS_INIT;
  o.cls = S("lost");
  assert_int_equal(qm_review(a->db, NONE, &o, &t, &a->e), QM_EINVAL);
  o = (qm_review_options)QM_REVIEW_OPTIONS_INIT;
  o.severity = 4;
  assert_int_equal(qm_review(a->db, NONE, &o, &t, &a->e), QM_EINVAL);
  o = (qm_review_options)QM_REVIEW_OPTIONS_INIT;
  o.collection = S("nothing");
  assert_int_equal(qm_review(a->db, NONE, &o, &t, &a->e), QM_ENOTFOUND);
  o.size = 1;
  assert_int_equal(qm_review(a->db, NONE, &o, &t, &a->e), QM_EINVAL);
  assert_int_equal(qm_review(a->db, S("elsewhere"), NULL, &t, &a->e), QM_ENOTFOUND);
}

static void a_settle_is_taken_back(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27], item[16];
  collide(w, id);
  assert_int_equal(qm_undo(a->db, NONE, &a->e), QM_ENOTFOUND);
  assert_int_equal(app_one(a, qm_settle, id, "phone", "3", 0), QM_OK);
  assert_true(review_holds(a, "{\"conflicts\":0,"));
  qm_text t;
  assert_int_equal(qm_settles(a->db, NONE, &t, &a->e), QM_OK);
  assert_true(text_holds(&t, "\"field\":\"phone\",\"value\":\"3\",\"values\":[\"2\",\"1\"]"));
  assert_true(text_holds(&t, "\"open\":true"));
  qm_text_free(&t);
  item_of(a, qm_settles, item);
  assert_int_equal(qm_undo(a->db, S("ZZZZ"), &a->e), QM_ENOTFOUND);
  item[5] = '\0';
  assert_int_equal(qm_undo(a->db, S(item), &a->e), QM_OK);
  assert_true(app_shows(a, id, "\"phone\":\"2\""));
  assert_true(review_holds(a, "{\"conflicts\":1,"));
  assert_int_equal(qm_undo(a->db, S(item), &a->e), QM_ENOTFOUND);
  /* Somebody wrote over it. */
  assert_int_equal(app_one(a, qm_settle, id, "phone", "3", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, id, "phone", "4", 0), QM_OK);
  assert_int_equal(qm_undo(a->db, NONE, &a->e), QM_ESTALE);
  assert_true(app_shows(a, id, "\"phone\":\"4\""));
}

static void the_inbox_tells_and_restores(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], item[16];
  collide(w, id);
  assert_true(inbox_holds(a, 0, "\"reason\":\"concurrent\",\"before\":{\"value\":\"1\""));
  assert_true(inbox_holds(a, 0, "\"after\":{\"value\":\"2\""));
  assert_true(inbox_holds(a, QM_UNREAD, "{\"entries\":1,\"unread\":1}"));
  assert_true(app_status_holds(a, "\"inbox\":1,"));
  app_reopen(a);
  item_of(a, inbox_list, item);
  assert_int_equal(qm_inbox_seen(a->db, S("ZZZZ"), &a->e), QM_ENOTFOUND);
  assert_int_equal(qm_inbox_seen(a->db, S(item), &a->e), QM_OK);
  assert_true(inbox_holds(a, QM_UNREAD, "{\"entries\":0,\"unread\":0}"));
  assert_true(inbox_holds(a, 0, "{\"entries\":1,\"unread\":0}"));
  /* b's next value comes after the entry was read: a restore does not hide it. */
  b->now_ms += 60000;
  assert_int_equal(app_one(b, qm_set, id, "phone", "5", 0), QM_OK);
  app_deliver(b, a);
  assert_int_equal(qm_inbox_restore(a->db, NONE, &a->e), QM_EINVAL);
  assert_int_equal(qm_inbox_restore(a->db, S(item), &a->e), QM_OK);
  assert_true(app_shows(a, id, "\"phone\":\"1\""));
  assert_true(inbox_holds(a, 0, "\"now\":\"1\""));
  app_deliver(a, b);
  assert_true(inbox_holds(b, 0, "{\"entries\":1,\"unread\":1}"));
}

/* What b wrote after the entry was told is kept, and listed. */
static void a_restore_hides_nothing_new(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], item[16];
  collide(w, id);
  item_of(a, inbox_list, item);
  assert_int_equal(qm_inbox_seen(a->db, NONE, &a->e), QM_OK);
  /* A third value, by a write that had seen neither. */
  qm_tx *tx = app_begin(b);
  qm_text t;
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("h"), 0, &b->e), QM_OK);
  app_commit(b, tx);
  app_deliver(b, a);
  assert_int_equal(qm_inbox_restore(a->db, S(item), &a->e), QM_OK);
  assert_true(app_shows(a, id, "\"phone\":\"1\"") && app_shows(a, id, "\"head\":\"h\""));
  assert_int_equal(qm_undo(a->db, NONE, &a->e), QM_OK); /* a restore is a settle */
  review(a, NULL, &t);
  assert_true(text_holds(&t, "{\"conflicts\":1,"));
  qm_text_free(&t);
}

/* As a database of version 6 has it: no notes at all. */
static void an_older_file_lists_its_conflicts(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  collide(w, id);
  assert_int_equal(a->db->store->ops->begin(a->db->store), QM_OK);
  assert_int_equal(a->db->store->ops->local_put(a->db->store,
                                                qm__handle_number(app_space(a)),
                                                S("v"), NONE),
                   QM_OK);
  assert_int_equal(a->db->store->ops->commit(a->db->store, QM_DURABLE, NULL, NULL), QM_OK);
  a->o.flags = QM_OPEN_READONLY;
  app_reopen(a);
  assert_true(review_holds(a, "{\"conflicts\":1,")); /* by a look at every record */
  a->o.flags = 0;
  app_reopen(a);
  assert_true(review_holds(a, "{\"conflicts\":1,"));
  assert_int_equal(qm_rebuild(a->db, &a->e), QM_OK);
  assert_true(review_holds(a, "{\"conflicts\":1,"));
}

/* S20.2: what the schema says, else what the field is; a class lifts and never lowers. */
static void severities(void **state) {
  qm_field_def f = {.number = 20, .type = QM_FIELD_REGISTER, .cls = QM_CLASS_WORK};
  qm_collection_def c = {.number = 1, .key_field = 16};
  (void)state;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_SIBLING), QM_SEVERITY_NORMAL);
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_CONTRADICT), QM_SEVERITY_HIGH);
  assert_int_equal(qm_conflict_severity(&c, NULL, QM_CONFLICT_DELETED), QM_SEVERITY_HIGH);
  assert_int_equal(qm_conflict_severity(&c, NULL, QM_CONFLICT_SAME_KEY), QM_SEVERITY_HIGH);
  assert_int_equal(qm_conflict_severity(&c, NULL, QM_CONFLICT_UNMERGED), QM_SEVERITY_NORMAL);
  f.type = QM_FIELD_MAX;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_UNREAD), QM_SEVERITY_LOW);
  f.review = 2;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_UNREAD), QM_SEVERITY_NORMAL);
  c.review[QM_CONFLICT_UNREAD - 1] = 3;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_UNREAD), QM_SEVERITY_HIGH);
  f.review = 0;
  f.type = QM_FIELD_REGISTER;
  f.cls = QM_CLASS_SENSITIVE;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_MERGE), QM_SEVERITY_HIGH);
  f.review = 1;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_MERGE), QM_SEVERITY_LOW);
  f = (qm_field_def){.number = 16, .type = QM_FIELD_REGISTER, .cls = QM_CLASS_WORK};
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_SIBLING), QM_SEVERITY_HIGH);
  f.number = 17;
  f.flags = QM_FIELD_NAMING;
  assert_int_equal(qm_conflict_severity(&c, &f, QM_CONFLICT_SIBLING), QM_SEVERITY_HIGH);
  c.review[QM_CONFLICT_DELETED - 1] = 1;
  assert_int_equal(qm_conflict_severity(&c, NULL, QM_CONFLICT_DELETED), QM_SEVERITY_LOW);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {
      TEST(what_is_listed),          TEST(a_settle_is_taken_back),
      TEST(the_inbox_tells_and_restores), TEST(a_restore_hides_nothing_new),
      TEST(an_older_file_lists_its_conflicts), cmocka_unit_test(severities),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
