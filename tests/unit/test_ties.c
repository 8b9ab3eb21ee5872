/* Conditions, covers and clashes (S25.7 to S25.16): what is refused where it is written, and what
 * two who were apart find on the review list. Everybody is invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/review.h"
#include "support_handle.h"

static world w;
static char *schema;

static void start(app *a, const char *name) {
  app_set(a, &w.dir, name);
  a->o.flags |= QM_OPEN_TEST_DATA;
  app_open(a);
}

static void read_schema(void) {
  FILE *f = fopen("fixtures/schemas/relations.json", "rb");
  assert_non_null(f);
  schema = calloc(1, 1u << 16);
  assert_non_null(schema);
  assert_true(fread(schema, 1, (1u << 16) - 1, f) > 1000);
  (void)fclose(f);
}

static int setup(void **state) {
  qm_space_info info;
  (void)state;
  memset(&w, 0, sizeof w);
  read_schema();
  test_dir_make(&w.dir);
  start(&w.a, "a.db");
  assert_int_equal(qm_space_create(w.a.db, S("grid 3"), S(schema), S("office"), &w.a.e), QM_OK);
  start(&w.b, "b.db");
  qm_space_info_get(app_space(&w.a), &info);
  assert_int_equal(qm_engine_space_put(w.b.db->engine, &info, &w.b.e), QM_OK);
  return 0;
}

/* Whoever wrote it: these devices have no members. */
static int setup_by_all(void **state) {
  static const char by[] = "\"by\": [\"office\"], ";
  qm_space_info info;
  (void)state;
  memset(&w, 0, sizeof w);
  read_schema();
  char *at = strstr(schema, by);
  assert_non_null(at);
  memset(at, ' ', sizeof by - 1);
  test_dir_make(&w.dir);
  start(&w.a, "a.db");
  assert_int_equal(qm_space_create(w.a.db, S("grid 3"), S(schema), S("office"), &w.a.e), QM_OK);
  start(&w.b, "b.db");
  qm_space_info_get(app_space(&w.a), &info);
  assert_int_equal(qm_engine_space_put(w.b.db->engine, &info, &w.b.e), QM_OK);
  return 0;
}

static int teardown(void **state) {
  char command[400];
  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s.files' '%s.files'", w.a.o.path, w.b.o.path);
  assert_int_equal(system(command), 0);
  qm_close(w.a.db);
  qm_close(w.b.db);
  test_dir_remove(&w.dir);
  free(schema);
  return 0;
}

/* ---- small steps ---- */

#define MANY 8u

/* Makes a record with these fields, or where id is not empty sets them. "f=v", NULL at the end. */
static int put(app *a, const char *collection, char id[27], const char *const *fields) {
  qm_tx *tx = app_begin(a);
  qm_text t;
  int rc = QM_OK;
  if (!id[0]) {
    assert_int_equal(qm_new(tx, S(collection), NONE, &t, NULL, &a->e), QM_OK);
    memcpy(id, t.p, 27);
    qm_text_free(&t);
  }
  for (size_t i = 0; i < MANY && fields[i] && rc == QM_OK; i++) {
    const char *eq = strchr(fields[i], '=');
    assert_non_null(eq);
    rc = qm_set(tx, S(collection), S(id), qm_slice_of(fields[i], (size_t)(eq - fields[i])),
                S(eq + 1), 0, &a->e);
  }
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

#define PUT(a, c, id, ...) put(a, c, id, (const char *const[MANY]){__VA_ARGS__})

static int append(app *a, const char *id, const char *json) {
  qm_tx *tx = app_begin(a);
  int rc = qm_append(tx, S("resident"), S(id), S("points"), S(json), QM_JSON, &a->e);
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

static void both(void) {
  app_deliver(&w.a, &w.b);
  app_deliver(&w.b, &w.a);
}

static int holds(qm_text *t, const char *part) {
  int found = strstr(t->p, part) != NULL;
  qm_text_free(t);
  return found;
}

static int listed(app *a, const char *part) {
  qm_text t;
  assert_int_equal(qm_conflicts(a->db, NONE, NONE, &t, &a->e), QM_OK);
  return holds(&t, part);
}

static int got(app *a, const char *collection, const char *id, const char *part) {
  qm_text t;
  assert_int_equal(qm_get(a->db, NONE, S(collection), S(id), QM_DELETED, &t, &a->e), QM_OK);
  return holds(&t, part);
}

static int table(app *a, const char *sql, const char *part) {
  qm_text t;
  assert_int_equal(qm_sql(a->db, S(sql), NONE, 0, 0, &t, &a->e), QM_OK);
  return holds(&t, part);
}

static int reason(const app *a, const char *word) {
  qm_explanation x = QM_EXPLANATION_INIT;
  if (qm_explain(&a->e, &x) == QM_OK && strcmp(x.reason, word) == 0) return 1;
  print_error("%s\n", a->e.message);
  return 0;
}

/* ---- conditions ---- */

static void a_condition_is_asked_where_it_is_written(void **state) {
  char id[27] = "", other[27] = "", third[27] = "";
  (void)state;
  assert_int_equal(PUT(&w.a, "report", id, "source=confidential", "reporter=Sample"), QM_ESCHEMA);
  assert_true(reason(&w.a, "when-empty"));
  id[0] = 0;
  assert_int_equal(PUT(&w.a, "report", id, "source=confidential"), QM_ESCHEMA);
  assert_true(reason(&w.a, "when-filled"));
  id[0] = 0;
  assert_int_equal(PUT(&w.a, "report", id, "source=confidential", "officer=Li"), QM_OK);
  assert_int_equal(PUT(&w.a, "report", id, "reporter=Sample"), QM_ESCHEMA);
  assert_int_equal(PUT(&w.a, "report", id, "officer="), QM_ESCHEMA);
  assert_int_equal(PUT(&w.a, "report", id, "text=the street light is out"), QM_OK);
  assert_int_equal(PUT(&w.a, "report", other, "source=phone", "reporter=Sample"), QM_OK);
  assert_int_equal(PUT(&w.a, "report", other, "source=confidential", "officer=Li"), QM_ESCHEMA);
  assert_int_equal(PUT(&w.a, "report", other, "source=confidential", "officer=Li", "reporter="),
                   QM_OK);
  assert_int_equal(PUT(&w.a, "report", third, "reporter=Sample"), QM_OK); /* no source yet */
  assert_false(listed(&w.a, "against"));
}

static void what_two_wrote_against_it_is_listed_and_not_shown(void **state) {
  char id[27] = "";
  (void)state;
  assert_int_equal(PUT(&w.a, "report", id, "officer=Li", "source=seen"), QM_OK);
  app_deliver(&w.a, &w.b);
  assert_int_equal(PUT(&w.a, "report", id, "source=confidential"), QM_OK);
  assert_int_equal(PUT(&w.b, "report", id, "reporter=Sample"), QM_OK);
  assert_true(got(&w.b, "report", id, "Sample"));
  both();
  for (int i = 0; i < 2; i++) {
    app *a = i ? &w.b : &w.a;
    assert_false(got(a, "report", id, "Sample"));
    assert_true(got(a, "report", id, "\"hidden\":[\"reporter\"]"));
    assert_true(table(a, "SELECT 'is' || coalesce(reporter, 'none') FROM report", "isnone"));
    assert_true(listed(a, "\"class\":\"contradict\""));
    assert_true(listed(a, "\"against\":[\"reporter\"]"));
    assert_false(listed(a, "Sample"));
  }
  /* The source loses a contest: it counts all the same. */
  assert_int_equal(PUT(&w.a, "report", id, "reporter="), QM_OK);
  assert_false(listed(&w.a, "against"));
  assert_false(listed(&w.a, "report"));
}

static void a_source_that_lost_counts_until_it_is_settled(void **state) {
  char id[27] = "";
  (void)state;
  assert_int_equal(PUT(&w.a, "report", id, "officer=Li", "reporter=Sample"), QM_OK);
  app_deliver(&w.a, &w.b);
  assert_int_equal(PUT(&w.a, "report", id, "source=confidential", "reporter="), QM_OK);
  w.b.now_ms += 60000;
  assert_int_equal(PUT(&w.b, "report", id, "source=phone", "reporter=Other"), QM_OK);
  both();
  assert_true(got(&w.a, "report", id, "\"source\":\"phone\""));
  assert_false(got(&w.a, "report", id, "Other"));
  assert_true(listed(&w.a, "\"against\":[\"reporter\"]"));
  qm_tx *tx = app_begin(&w.a);
  assert_int_equal(qm_settle(tx, S("report"), S(id), S("source"), S("phone"), 0, &w.a.e), QM_OK);
  app_commit(&w.a, tx);
  assert_true(got(&w.a, "report", id, "Other"));
  assert_false(listed(&w.a, "against"));
}

/* ---- covers ---- */

static void account(app *a, char id[27], const char *json) {
  id[0] = 0;
  assert_int_equal(PUT(a, "resident", id, "name=Sample"), QM_OK);
  assert_int_equal(append(a, id, json), QM_OK);
}

static int ask(app *a, const char *account_id, const char *cost, char id[27]) {
  char field[40], amount[32];
  snprintf(field, sizeof field, "resident=%s", account_id);
  snprintf(amount, sizeof amount, "cost=%s", cost);
  id[0] = 0;
  return PUT(a, "redemption", id, field, amount, "state=asked");
}

#define HUNDRED "{\"amount\":100,\"reason\":\"swept\"}"

static void a_request_asks_for_no_more_than_there_is(void **state) {
  char r[27], x[27], y[27], z[27];
  (void)state;
  account(&w.a, r, HUNDRED);
  assert_int_equal(ask(&w.a, r, "101", x), QM_ESCHEMA);
  assert_true(reason(&w.a, "cover"));
  assert_non_null(strstr(w.a.e.message, "(100)"));
  assert_int_equal(ask(&w.a, r, "60", x), QM_OK);
  assert_int_equal(ask(&w.a, r, "41", y), QM_ESCHEMA);
  assert_non_null(strstr(w.a.e.message, "(40)"));
  assert_int_equal(ask(&w.a, r, "40", y), QM_OK);
  assert_int_equal(PUT(&w.a, "redemption", y, "cost=41"), QM_ESCHEMA);
  assert_int_equal(PUT(&w.a, "redemption", x, "state=given"), QM_OK);
  assert_int_equal(PUT(&w.a, "redemption", y, "state=declined"), QM_OK);
  assert_int_equal(ask(&w.a, r, "40", z), QM_OK); /* declined asks for nothing */
  assert_int_equal(PUT(&w.a, "redemption", y, "state=asked"), QM_ESCHEMA);
  assert_false(listed(&w.a, "overdrawn"));
  /* Two in one change, each of which would do alone. */
  char s[27], id[27];
  qm_text t;
  account(&w.a, s, HUNDRED);
  qm_tx *tx = app_begin(&w.a);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(qm_new(tx, S("redemption"), NONE, &t, NULL, NULL), QM_OK);
    memcpy(id, t.p, 27);
    qm_text_free(&t);
    assert_int_equal(qm_set(tx, S("redemption"), S(id), S("resident"), S(s), 0, NULL), QM_OK);
    assert_int_equal(qm_set(tx, S("redemption"), S(id), S("cost"), S("60"), 0, NULL), QM_OK);
    assert_int_equal(qm_set(tx, S("redemption"), S(id), S("state"), S("asked"), 0, NULL), QM_OK);
  }
  assert_int_equal(qm_commit(tx, &w.a.e), QM_ESCHEMA);
  assert_true(reason(&w.a, "cover"));
}

static void only_what_the_office_wrote_counts(void **state) {
  char r[27], x[27];
  qm_space_info info;
  (void)state;
  qm_space_info_get(app_space(&w.b), &info);
  info.role = S("grid");
  assert_int_equal(qm_engine_space_put(w.b.db->engine, &info, &w.b.e), QM_OK);
  account(&w.b, r, HUNDRED); /* a phone's award is not confirmed */
  assert_int_equal(ask(&w.b, r, "1", x), QM_ESCHEMA);
  assert_non_null(strstr(w.b.e.message, "(0)"));
  account(&w.a, r, HUNDRED);
  assert_int_equal(ask(&w.a, r, "100", x), QM_OK);
}

static void two_who_ask_apart_are_told_and_the_office_confirms_in_order(void **state) {
  char r[27], x[27], y[27], z[27];
  (void)state;
  account(&w.a, r, HUNDRED);
  app_deliver(&w.a, &w.b);
  assert_int_equal(ask(&w.a, r, "70", x), QM_OK);
  w.b.now_ms += 60000;
  assert_int_equal(ask(&w.b, r, "70", y), QM_OK);
  both();
  app *a = &w.a;
  assert_true(listed(a, "\"class\":\"overdrawn\""));
  assert_true(listed(a, "\"amount\":70,\"left\":30"));
  assert_true(listed(a, y));
  assert_int_equal(PUT(a, "redemption", y, "state=given"), QM_ESCHEMA); /* out of order */
  assert_int_equal(PUT(a, "redemption", x, "state=given"), QM_OK);
  assert_int_equal(PUT(a, "redemption", y, "state=given"), QM_ESCHEMA); /* nothing left */
  assert_true(listed(a, "\"class\":\"overdrawn\""));
  assert_int_equal(ask(a, r, "30", z), QM_OK); /* what does not fit is passed over */
  assert_int_equal(PUT(a, "redemption", y, "state=declined"), QM_OK);
  assert_false(listed(a, "overdrawn"));
  both();
  assert_false(listed(&w.b, "overdrawn"));
}

static void a_reversal_takes_back_once(void **state) {
  char r[27], x[27], name[128], json[256];
  qm_text t;
  (void)state;
  account(&w.a, r, HUNDRED);
  assert_int_equal(append(&w.a, r, HUNDRED), QM_OK);
  assert_int_equal(qm_get(w.a.db, NONE, S("resident"), S(r), 0, &t, NULL), QM_OK);
  text_member(&t, "\"entry\":\"", name, sizeof name);
  qm_text_free(&t);
  snprintf(json, sizeof json, "{\"amount\":-100,\"reason\":\"twice\",\"reverses\":\"%s\"}", name);
  app_deliver(&w.a, &w.b);
  assert_int_equal(append(&w.a, r, json), QM_OK);
  assert_int_equal(append(&w.b, r, json), QM_OK); /* the same, apart */
  both();
  assert_int_equal(ask(&w.a, r, "101", x), QM_ESCHEMA);
  assert_non_null(strstr(w.a.e.message, "(100)"));
  assert_int_equal(ask(&w.a, r, "100", x), QM_OK);
}

/* ---- clashes ---- */

static int book(app *a, const char *venue, const char *first, const char *last, char id[27]) {
  char v[40], f[40], l[40];
  snprintf(v, sizeof v, "venue=%s", venue);
  snprintf(f, sizeof f, "first=%s", first);
  snprintf(l, sizeof l, "last=%s", last);
  id[0] = 0;
  return PUT(a, "booking", id, v, f, l, "state=asked");
}

static void bookings_clash_while_they_overlap(void **state) {
  static const struct {
    const char *venue, *first, *last;
    int clashes;
  } cases[] = {
      {"hall", "2026-05-03", "2026-05-03", 1}, /* the last day counts */
      {"hall", "2026-05-04", "2026-05-09", 0}, {"hall", "2026-04-01", "2026-04-30", 0},
      {"hall", "2026-04-01", "2026-05-01", 1}, {"hall", "2026-05-02", "2026-05-02", 1},
      {"hall", "2026-01-01", "2026-12-31", 1}, {"court", "2026-05-01", "2026-05-03", 0},
      {"hall", "2026-05-03", "2026-05-01", 0}, /* no time at all */
      {"hall", "2026-05-03", "", 0},           {"", "2026-05-01", "2026-05-03", 0},
  };
  char first[27], id[27];
  (void)state;
  assert_int_equal(book(&w.a, "hall", "2026-05-01", "2026-05-03", first), QM_OK);
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(book(&w.b, cases[i].venue, cases[i].first, cases[i].last, id), QM_OK);
    both();
    int found = listed(&w.a, "\"clash\":\"twice\"");
    if (found != cases[i].clashes) print_error("case %u\n", (unsigned)i);
    assert_int_equal(found, cases[i].clashes);
    assert_int_equal(listed(&w.b, "\"class\":\"clash\""), cases[i].clashes);
    assert_int_equal(listed(&w.a, "\"severity\":\"normal\""), cases[i].clashes);
    assert_int_equal(table(&w.a, "SELECT 'n' || count(*) FROM booking_twice_clash", "n2"),
                     cases[i].clashes);
    assert_int_equal(PUT(&w.b, "booking", id, "state=dropped"), QM_OK);
    both();
    assert_false(listed(&w.a, "clash"));
  }
}

static void a_clash_ends_with_either(void **state) {
  char x[27], y[27];
  (void)state;
  assert_int_equal(book(&w.a, "hall", "2026-05-01", "2026-05-03", x), QM_OK);
  assert_int_equal(book(&w.b, "hall", "2026-05-02", "2026-05-02", y), QM_OK);
  both();
  assert_true(listed(&w.a, x));
  assert_true(listed(&w.a, y));
  qm_tx *tx = app_begin(&w.b);
  assert_int_equal(qm_delete(tx, S("booking"), S(y), &w.b.e), QM_OK);
  app_commit(&w.b, tx);
  both();
  assert_false(listed(&w.a, "clash"));
  tx = app_begin(&w.b);
  assert_int_equal(qm_restore(tx, S("booking"), S(y), &w.b.e), QM_OK);
  app_commit(&w.b, tx);
  assert_true(listed(&w.b, "clash"));
  assert_int_equal(PUT(&w.b, "booking", x, "venue=court"), QM_OK);
  assert_false(listed(&w.b, "clash"));
  /* The same booking, written twice: one, once they are merged. */
  assert_int_equal(PUT(&w.b, "booking", x, "venue=hall"), QM_OK);
  tx = app_begin(&w.b);
  assert_int_equal(qm_merge(tx, S("booking"), S(x), S(y), &w.b.e), QM_OK);
  app_commit(&w.b, tx);
  assert_false(listed(&w.b, "\"class\":\"clash\""));
}

/* ---- the index: what a look at every record gives ---- */

typedef struct codes {
  qm_space *s;
  char text[8192];
  size_t n;
} codes;

static int take_code(void *payload, const qm_conflict *c) {
  codes *x = payload;
  uint8_t code[QM_CONFLICT_CODE];
  qm_conflict_code(x->s, c, code);
  for (size_t i = 0; i < sizeof code; i++) {
    assert_true(x->n + 3 < sizeof x->text);
    x->n += (size_t)snprintf(x->text + x->n, 3, "%02x", code[i]);
  }
  x->text[x->n++] = ' ';
  x->text[x->n] = 0;
  return QM_OK;
}

static unsigned found;

static int alike(app *a) {
  static codes by_index, by_look;
  memset(&by_index, 0, sizeof by_index);
  memset(&by_look, 0, sizeof by_look);
  by_index.s = by_look.s = app_space(a);
  assert_int_equal(qm_review_each(a->db->engine, by_index.s, 0, NULL, take_code, &by_index),
                   QM_OK);
  assert_int_equal(qm_review_scan(a->db->engine, by_look.s, take_code, &by_look), QM_OK);
  found += by_index.n > 0;
  return strcmp(by_index.text, by_look.text) == 0;
}

static uint32_t seed;

static uint32_t roll(uint32_t n) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % n;
}

static void some_write(app *a, char ids[3][4][27]) {
  static const char *const names[] = {"report", "redemption", "booking"};
  static const char *const fields[3][8] = {
      {"source=confidential", "source=phone", "reporter=Sample", "reporter=", "officer=Li",
       "officer=", "source=", "text=x"},
      {"cost=30", "cost=70", "cost=", "state=asked", "state=given", "state=declined", "cost=0",
       "cost=-5"},
      {"venue=hall", "venue=court", "first=2026-05-01", "first=2026-05-04", "last=2026-05-02",
       "last=2026-05-09", "state=asked", "state=dropped"}};
  uint32_t kind = roll(3), which = roll(4);
  if (roll(12) == 0) {
    qm_tx *tx = app_begin(a);
    if (roll(2)) (void)qm_delete(tx, S(names[kind]), S(ids[kind][which]), NULL);
    else (void)qm_restore(tx, S(names[kind]), S(ids[kind][which]), NULL);
    (void)qm_commit(tx, NULL);
  } else if (roll(16) == 0) {
    qm_tx *tx = app_begin(a);
    (void)qm_merge(tx, S(names[kind]), S(ids[kind][which]), S(ids[kind][roll(4)]), NULL);
    (void)qm_commit(tx, NULL);
  } else {
    (void)PUT(a, names[kind], ids[kind][which], fields[kind][roll(8)]);
  }
}

static void the_list_is_that_of_a_look_at_every_record(void **state) {
  char ids[3][4][27], r[27], field[40];
  unsigned most = 0;
  (void)state;
  account(&w.a, r, HUNDRED);
  snprintf(field, sizeof field, "resident=%s", r);
  memset(ids, 0, sizeof ids);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(PUT(&w.a, "report", ids[0][i], "text=x"), QM_OK);
    assert_int_equal(PUT(&w.a, "redemption", ids[1][i], field), QM_OK);
    assert_int_equal(PUT(&w.a, "booking", ids[2][i], "venue=hall"), QM_OK);
  }
  both();
  for (seed = 5; most < 400; most++) {
    app *a = roll(2) ? &w.a : &w.b;
    if (roll(10) == 0) both();
    else some_write(a, ids);
    if (most % 8 == 0) assert_true(alike(a));
  }
  both();
  assert_true(alike(&w.a));
  assert_true(alike(&w.b));
  assert_true(found > 10);
}

/* A schema that brings relations finds what was there before. */
static void a_newer_schema_brings_them(void **state) {
  static const char plain[] =
      "{\"schema\":\"x\",\"version\":1,\"collections\":[{\"name\":\"booking\",\"number\":1,"
      "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":\"venue\",\"number\":16,"
      "\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"}]}]}";
  static const char newer[] =
      "{\"schema\":\"x\",\"version\":2,\"collections\":[{\"name\":\"booking\",\"number\":1,"
      "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":\"venue\",\"number\":16,"
      "\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"}],\"clashes\":[{\"name\":"
      "\"one\",\"same\":[\"venue\"]}]}]}";
  app a;
  char x[27] = "", y[27] = "";
  (void)state;
  app_set(&a, &w.dir, "c.db");
  app_open(&a);
  assert_int_equal(qm_space_create(a.db, S("s"), S(plain), S("office"), &a.e), QM_OK);
  assert_int_equal(PUT(&a, "booking", x, "venue=hall"), QM_OK);
  assert_int_equal(PUT(&a, "booking", y, "venue=hall"), QM_OK);
  assert_false(listed(&a, "clash"));
  assert_int_equal(qm_space_create(a.db, S("s"), S(newer), S("office"), &a.e), QM_OK);
  assert_true(listed(&a, "\"clash\":\"one\""));
  assert_true(alike(&a));
  app_reopen(&a);
  assert_true(listed(&a, "\"clash\":\"one\""));
  qm_close(a.db);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(a_condition_is_asked_where_it_is_written),
      T(what_two_wrote_against_it_is_listed_and_not_shown),
      T(a_source_that_lost_counts_until_it_is_settled),
      T(a_request_asks_for_no_more_than_there_is),
      T(only_what_the_office_wrote_counts),
      cmocka_unit_test_setup_teardown(two_who_ask_apart_are_told_and_the_office_confirms_in_order,
                                      setup_by_all, teardown),
      T(a_reversal_takes_back_once),
      T(bookings_clash_while_they_overlap),
      T(a_clash_ends_with_either),
      cmocka_unit_test_setup_teardown(the_list_is_that_of_a_look_at_every_record, setup_by_all,
                                      teardown),
      T(a_newer_schema_brings_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
