/* Sensitive fields and their basis (S25.1 to S25.6): what is refused, what is shown where, and
 * that the tables say the same as the records whatever the history. Everybody is invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_handle.h"

#define UNLIMITED 1000000u

static world w;
static char *schema;

static void start(app *a, const char *name) {
  app_set(a, &w.dir, name);
  a->o.flags |= QM_OPEN_TEST_DATA;
  app_open(a);
}

static int setup(void **state) {
  qm_space_info info;
  (void)state;
  memset(&w, 0, sizeof w);
  FILE *f = fopen("fixtures/schemas/relations.json", "rb");
  assert_non_null(f);
  schema = calloc(1, 1u << 16);
  assert_non_null(schema);
  assert_true(fread(schema, 1, (1u << 16) - 1, f) > 1000);
  (void)fclose(f);
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

typedef struct write {
  app_verb verb;
  const char *field, *value;
} write;

static int put(app *a, const char *collection, const char *id, const write *list, size_t n) {
  qm_tx *tx = app_begin(a);
  int rc = QM_OK;
  for (size_t i = 0; i < n && rc == QM_OK; i++)
    rc = list[i].verb(tx, S(collection), S(id), S(list[i].field), S(list[i].value), 0, &a->e);
  if (rc == QM_OK) return qm_commit(tx, &a->e);
  qm_cancel(tx);
  return rc;
}

static int one(app *a, const char *collection, const char *id, app_verb v, const char *field,
               const char *value) {
  const write x = {v, field, value};
  return put(a, collection, id, &x, 1);
}

static int set(app *a, const char *collection, const char *id, const char *field,
               const char *value) {
  return one(a, collection, id, qm_set, field, value);
}

static void make(app *a, const char *collection, const char *key, char id[27]) {
  qm_tx *tx = app_begin(a);
  qm_text t;
  assert_int_equal(qm_new(tx, S(collection), S(key), &t, NULL, &a->e), QM_OK);
  memcpy(id, t.p, 27);
  qm_text_free(&t);
  app_commit(a, tx);
}

/* A consent of an adult that holds for care. */
static void consent(app *a, char id[27]) {
  const write fields[] = {{qm_set, "kind", "consent"}, {qm_set, "notice", "v3"},
                          {qm_set, "given", "2026-01-02"}, {qm_add, "purposes", "care"}};
  make(a, "consent", "", id);
  assert_int_equal(put(a, "consent", id, fields, COUNT(fields)), QM_OK);
}

static int holds(qm_text *t, const char *part) {
  int found = strstr(t->p, part) != NULL;
  qm_text_free(t);
  return found;
}

static int got(app *a, const char *id, const char *part) {
  qm_text t;
  assert_int_equal(qm_get(a->db, NONE, S("resident"), S(id), QM_DETAIL, &t, &a->e), QM_OK);
  return holds(&t, part);
}

static int table(app *a, const char *sql, const char *part) {
  qm_text t;
  int rc = qm_sql(a->db, S(sql), NONE, 0, 0, &t, &a->e);
  if (rc) print_error("%s: %s\n", sql, a->e.message);
  assert_int_equal(rc, QM_OK);
  return holds(&t, part);
}

/* A resident with every based field, whose basis holds. */
static void resident(app *a, char basis[27], char id[27]) {
  const write fields[] = {{qm_add, "basis", basis}, {qm_add, "needs", "meals"},
                          {qm_set, "illness", "asthma"}, {qm_set, "care_notes", "breathless"},
                          {qm_append, "care_log", "inhaler"}};
  consent(a, basis);
  make(a, "resident", "R-1", id);
  int rc = put(a, "resident", id, fields, COUNT(fields));
  if (rc) print_error("%s\n", a->e.message);
  assert_int_equal(rc, QM_OK);
}

static const char *const words[] = {"meals", "asthma", "breathless", "inhaler"};

/* In how many of these places does one of the words stand? */
static int shown_at(app *a, const char *id) {
  static const char *const tables[] = {
      "SELECT * FROM resident", "SELECT * FROM resident_needs", "SELECT * FROM resident_care_log"};
  int n = 0;
  for (size_t i = 0; i < COUNT(words); i++) {
    qm_text t;
    n += got(a, id, words[i]);
    assert_int_equal(qm_list(a->db, NONE, S("resident"), NONE, 0, 0, &t, &a->e), QM_OK);
    n += holds(&t, words[i]);
    assert_int_equal(qm_history(a->db, NONE, S("resident"), S(id), &t, &a->e), QM_OK);
    n += holds(&t, words[i]);
    for (size_t k = 0; k < COUNT(tables); k++) n += table(a, tables[k], words[i]);
    assert_int_equal(qm_search(a->db, NONE, NONE, S(words[i]), 0, 0, &t, &a->e), QM_OK);
    assert_false(holds(&t, id)); /* what is sensitive is never searched */
  }
  return n;
}

#define EVERYWHERE 16 /* four words in three readings, and each in one table */

/* ---- what is refused ---- */

static void without_a_basis_nothing_is_written(void **state) {
  char id[27];
  (void)state;
  make(&w.a, "resident", "R-1", id);
  assert_int_equal(one(&w.a, "resident", id, qm_add, "needs", "meals"), QM_ESCHEMA);
  assert_string_equal(w.a.e.message,
                      "field needs: the field needs a basis: consent or statutory duty");
  assert_int_equal(set(&w.a, "resident", id, "illness", "asthma"), QM_ESCHEMA);
  assert_int_equal(set(&w.a, "resident", id, "care_notes", "x"), QM_ESCHEMA);
  assert_int_equal(one(&w.a, "resident", id, qm_append, "care_log", "x"), QM_ESCHEMA);
  assert_int_equal(set(&w.a, "resident", id, "illness", ""), QM_OK); /* nothing is no value */
  assert_int_equal(set(&w.a, "resident", id, "name", "Old Sample"), QM_OK);
  assert_int_equal(shown_at(&w.a, id), 0);
  /* A basis that is not here: another phone may have it. */
  assert_int_equal(one(&w.a, "resident", id, qm_add, "basis", id), QM_OK);
  assert_int_equal(set(&w.a, "resident", id, "illness", "asthma"), QM_ESCHEMA);
}

static void in_one_change_with_its_basis(void **state) {
  char basis[27], id[27];
  qm_text t;
  (void)state;
  qm_tx *tx = app_begin(&w.a);
  assert_int_equal(qm_new(tx, S("resident"), S("R-1"), &t, NULL, &w.a.e), QM_OK);
  memcpy(id, t.p, 27);
  qm_text_free(&t);
  assert_int_equal(qm_set(tx, S("resident"), S(id), S("illness"), S("asthma"), 0, &w.a.e), QM_OK);
  assert_int_equal(qm_new(tx, S("consent"), NONE, &t, NULL, &w.a.e), QM_OK);
  memcpy(basis, t.p, 27);
  qm_text_free(&t);
  assert_int_equal(qm_set(tx, S("consent"), S(basis), S("kind"), S("consent"), 0, NULL), QM_OK);
  assert_int_equal(qm_set(tx, S("consent"), S(basis), S("notice"), S("v3"), 0, NULL), QM_OK);
  assert_int_equal(qm_add(tx, S("consent"), S(basis), S("purposes"), S("care"), 0, NULL), QM_OK);
  assert_int_equal(qm_add(tx, S("resident"), S(id), S("basis"), S(basis), 0, &w.a.e), QM_OK);
  int rc = qm_commit(tx, &w.a.e);
  if (rc) print_error("%s\n", w.a.e.message);
  assert_int_equal(rc, QM_OK);
  assert_true(got(&w.a, id, "asthma"));
  assert_true(table(&w.a, "SELECT illness FROM resident", "asthma"));
}

/* Changes to a basis that holds, or to its person, and why nothing may be written then. */
static const struct {
  const char *collection, *field, *value; /* "-": taken out of a set */
  const char *why, *detail;               /* NULL: written */
} cases[] = {
    {"consent", "notice", "", "basis-incomplete", "notice"},
    {"consent", "kind", "", "basis-incomplete", "kind"},
    {"consent", "kind", "duty", "basis-incomplete", "provision"},
    {"consent", "purposes", "-", "basis-purpose", "care"},
    {"consent", "withdrawn", "2026-03-01", "basis-ended", ""},
    {"consent", "notice", "v4", NULL, NULL},
    {"consent", "provision", "art. 13", NULL, NULL},
    {"resident", "born", "1950", NULL, NULL},
    {"resident", "born", "2012-01-02", NULL, NULL},      /* 14 on the day */
    {"resident", "born", "2012-01-03", "basis-guardian", ""}, /* a day short */
    {"resident", "born", "2012-01", "basis-guardian", ""},    /* the 31st is possible */
    {"resident", "born", "2011-12", NULL, NULL},
    {"resident", "born", "2012", "basis-guardian", ""},
    {"resident", "born", "2011", NULL, NULL},
    {"resident", "born", "2024-02-29", "basis-guardian", ""},
    {"resident", "basis", "-", "basis", ""},
};

static void what_a_basis_must_have(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    char basis[27], id[27], key[16];
    qm_explanation said = QM_EXPLANATION_INIT;
    int is_basis = !strcmp(cases[i].collection, "consent");
    consent(&w.a, basis);
    snprintf(key, sizeof key, "C-%u", (unsigned)i);
    make(&w.a, "resident", key, id);
    assert_int_equal(one(&w.a, "resident", id, qm_add, "basis", basis), QM_OK);
    assert_int_equal(set(&w.a, "resident", id, "illness", "asthma"), QM_OK);
    if (strcmp(cases[i].value, "-") == 0)
      assert_int_equal(one(&w.a, cases[i].collection, is_basis ? basis : id, qm_remove,
                           cases[i].field, is_basis ? "care" : basis),
                       QM_OK);
    else
      assert_int_equal(
          set(&w.a, cases[i].collection, is_basis ? basis : id, cases[i].field, cases[i].value),
          QM_OK);
    int rc = set(&w.a, "resident", id, "illness", "cough");
    if ((rc == QM_OK) != !cases[i].why) print_error("case %u: %s\n", (unsigned)i, w.a.e.message);
    assert_int_equal(rc, cases[i].why ? QM_ESCHEMA : QM_OK);
    assert_int_equal(got(&w.a, id, "asthma") + got(&w.a, id, "cough"), !cases[i].why);
    assert_int_equal(got(&w.a, id, "\"hidden\":[\"illness\"]"), cases[i].why != NULL);
    if (!cases[i].why) continue;
    assert_int_equal(qm_explain(&w.a.e, &said), QM_OK);
    assert_string_equal(said.reason, cases[i].why);
    assert_true(said.zh[0] != 0);
    if (qm_slice_cmp(said.detail, S(cases[i].detail)))
      print_error("case %u: %s\n", (unsigned)i, w.a.e.message);
    assert_int_equal(qm_slice_cmp(said.detail, S(cases[i].detail)), 0);
  }
}

static void a_child_has_a_guardian(void **state) {
  char basis[27], id[27];
  (void)state;
  resident(&w.a, basis, id);
  assert_int_equal(set(&w.a, "resident", id, "born", "2020"), QM_OK);
  assert_int_equal(shown_at(&w.a, id), 0);
  assert_int_equal(set(&w.a, "consent", basis, "guardian", "Aunt Sample"), QM_OK);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE);
  assert_int_equal(set(&w.a, "consent", basis, "given", ""), QM_OK); /* how old then? */
  assert_int_equal(shown_at(&w.a, id), 0);
  /* A duty asks for no guardian. */
  assert_int_equal(set(&w.a, "consent", basis, "kind", "duty"), QM_OK);
  assert_int_equal(set(&w.a, "consent", basis, "provision", "art. 9"), QM_OK);
  assert_int_equal(set(&w.a, "consent", basis, "office", "Sample Street"), QM_OK);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE);
}

/* ---- what is shown ---- */

static void a_withdrawal_hides_it_everywhere(void **state) {
  char basis[27], id[27];
  (void)state;
  resident(&w.a, basis, id);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE);
  app_deliver(&w.a, &w.b);
  assert_int_equal(shown_at(&w.b, id), EVERYWHERE);
  assert_int_equal(set(&w.b, "consent", basis, "withdrawn", "2026-05-01"), QM_OK);
  assert_int_equal(shown_at(&w.b, id), 0);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE); /* it has not heard of it */
  app_deliver(&w.b, &w.a);
  assert_int_equal(shown_at(&w.a, id), 0);
  assert_true(got(&w.a, id, "\"hidden\":[\"needs\",\"illness\",\"care_notes\",\"care_log\"]"));
  assert_int_equal(one(&w.a, "resident", id, qm_add, "needs", "visits"), QM_ESCHEMA);
  /* Another basis: it is shown again. */
  char again[27];
  consent(&w.a, again);
  assert_int_equal(one(&w.a, "resident", id, qm_add, "basis", again), QM_OK);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE);
  app_deliver(&w.a, &w.b);
  assert_int_equal(shown_at(&w.b, id), EVERYWHERE);
}

static void deleting_the_basis_or_the_ref_hides_it(void **state) {
  char basis[27], id[27];
  qm_tx *tx;
  (void)state;
  resident(&w.a, basis, id);
  tx = app_begin(&w.a);
  assert_int_equal(qm_delete(tx, S("consent"), S(basis), &w.a.e), QM_OK);
  app_commit(&w.a, tx);
  assert_int_equal(shown_at(&w.a, id), 0);
  tx = app_begin(&w.a);
  assert_int_equal(qm_restore(tx, S("consent"), S(basis), &w.a.e), QM_OK);
  app_commit(&w.a, tx);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE);
  assert_int_equal(one(&w.a, "resident", id, qm_remove, "basis", basis), QM_OK);
  assert_int_equal(shown_at(&w.a, id), 0);
}

static void merged_bases_are_one(void **state) {
  char basis[27], other[27], id[27];
  (void)state;
  resident(&w.a, basis, id);
  make(&w.a, "consent", "", other);
  assert_int_equal(set(&w.a, "consent", other, "withdrawn", "2026-05-01"), QM_OK);
  qm_tx *tx = app_begin(&w.a);
  assert_int_equal(qm_merge(tx, S("consent"), S(basis), S(other), &w.a.e), QM_OK);
  app_commit(&w.a, tx);
  assert_int_equal(shown_at(&w.a, id), 0); /* what was withdrawn is this one */
  tx = app_begin(&w.a);
  assert_int_equal(qm_unmerge(tx, S("consent"), S(other), &w.a.e), QM_OK);
  app_commit(&w.a, tx);
  assert_int_equal(shown_at(&w.a, id), EVERYWHERE);
}

static void a_withdrawal_beside_another_write_counts(void **state) {
  char basis[27], id[27];
  (void)state;
  resident(&w.a, basis, id);
  assert_int_equal(set(&w.a, "consent", basis, "withdrawn", "2026-05-01"), QM_OK);
  app_deliver(&w.a, &w.b);
  assert_int_equal(set(&w.a, "consent", basis, "withdrawn", "2026-05-02"), QM_OK);
  w.b.now_ms += 60000; /* the later of the two takes it back */
  assert_int_equal(set(&w.b, "consent", basis, "withdrawn", ""), QM_OK);
  assert_int_equal(shown_at(&w.b, id), EVERYWHERE);
  app_deliver(&w.a, &w.b);
  assert_int_equal(shown_at(&w.b, id), 0);
  qm_tx *tx = app_begin(&w.b);
  assert_int_equal(qm_settle(tx, S("consent"), S(basis), S("withdrawn"), NONE, 0, &w.b.e),
                   QM_OK);
  app_commit(&w.b, tx);
  assert_int_equal(shown_at(&w.b, id), EVERYWHERE);
}

static void conflicts_and_the_inbox_tell_nothing(void **state) {
  char basis[27], id[27];
  qm_text t;
  (void)state;
  resident(&w.a, basis, id);
  app_deliver(&w.a, &w.b);
  assert_int_equal(set(&w.a, "resident", id, "illness", "measles"), QM_OK);
  w.b.now_ms += 60000;
  assert_int_equal(set(&w.b, "resident", id, "illness", "cough"), QM_OK);
  app_deliver(&w.b, &w.a);
  assert_int_equal(qm_conflicts(w.a.db, NONE, NONE, &t, &w.a.e), QM_OK);
  assert_true(holds(&t, "measles"));
  assert_true(table(&w.a, "SELECT 'n' || _conflicts FROM resident", "n1"));
  assert_int_equal(qm_inbox(w.a.db, NONE, 0, &t, &w.a.e), QM_OK);
  assert_true(holds(&t, "measles"));
  assert_int_equal(set(&w.a, "consent", basis, "withdrawn", "2026-05-01"), QM_OK);
  assert_int_equal(qm_conflicts(w.a.db, NONE, NONE, &t, &w.a.e), QM_OK);
  assert_false(holds(&t, "illness"));
  assert_true(table(&w.a, "SELECT 'n' || _conflicts FROM resident", "n0"));
  assert_int_equal(qm_inbox(w.a.db, NONE, 0, &t, &w.a.e), QM_OK);
  assert_null(strstr(t.p, "measles"));
  assert_null(strstr(t.p, "cough"));
  assert_true(holds(&t, "\"hidden\":true"));
}

static void the_feed_tells_whose_showing_changed(void **state) {
  char basis[27], id[27], cursor[64];
  qm_text t;
  (void)state;
  resident(&w.a, basis, id);
  assert_int_equal(qm_changes(w.a.db, NONE, 0, &t, &w.a.e), QM_OK);
  text_member(&t, "\"cursor\":\"", cursor, sizeof cursor);
  qm_text_free(&t);
  assert_int_equal(set(&w.a, "consent", basis, "withdrawn", "2026-05-01"), QM_OK);
  assert_int_equal(qm_changes(w.a.db, S(cursor), 0, &t, &w.a.e), QM_OK);
  assert_true(text_holds(&t, id));
  assert_true(text_holds(&t, "illness"));
  assert_true(text_holds(&t, "care_log"));
  qm_text_free(&t);
}

/* ---- whatever the history: tables as the records, both devices alike ---- */

static uint32_t seed;

static uint32_t roll(uint32_t n) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % n;
}

#define BASES 4u
#define PEOPLE 4u
static char bases[BASES][27], people[PEOPLE][27];

static void write_basis(app *a, const char *id) {
  static const struct {
    const char *field, *value;
  } some[] = {{"withdrawn", "2026-05-01"}, {"withdrawn", ""}, {"notice", "v3"}, {"notice", ""},
              {"kind", "duty"}, {"kind", "consent"}, {"guardian", "Aunt Sample"},
              {"guardian", ""}, {"given", "2026-01-02"}, {"given", ""}, {"provision", "art. 9"},
              {"office", "Sample Street"}};
  uint32_t i = roll(COUNT(some) + 2);
  if (i < COUNT(some)) (void)set(a, "consent", id, some[i].field, some[i].value);
  else (void)one(a, "consent", id, i & 1 ? qm_add : qm_remove, "purposes", "care");
}

static void write_person(app *a, const char *id) {
  static const char *const born[] = {"", "1950", "2020", "2012-01-03"};
  switch (roll(7)) {
    case 0: (void)set(a, "resident", id, "born", born[roll(COUNT(born))]); break;
    case 1: (void)one(a, "resident", id, qm_remove, "basis", bases[roll(BASES)]); break;
    case 2:
    case 3: (void)one(a, "resident", id, qm_add, "basis", bases[roll(BASES)]); break;
    case 4: (void)set(a, "resident", id, "illness", roll(2) ? "asthma" : "cough"); break;
    case 5: (void)one(a, "resident", id, qm_append, "care_log", "inhaler"); break;
    default: (void)one(a, "resident", id, roll(2) ? qm_add : qm_remove, "needs", "meals"); break;
  }
}

static void write_whole(app *a) {
  qm_tx *tx = app_begin(a);
  const char *x = bases[roll(BASES)], *y = bases[roll(BASES)];
  switch (roll(5)) {
    case 0: (void)qm_delete(tx, S("consent"), S(x), NULL); break;
    case 1: (void)qm_restore(tx, S("consent"), S(x), NULL); break;
    case 2: (void)qm_unmerge(tx, S("consent"), S(x), NULL); break;
    case 3: (void)qm_merge(tx, S("consent"), S(x), S(y), NULL); break;
    default: (void)qm_delete(tx, S("resident"), S(people[roll(PEOPLE)]), NULL); break;
  }
  (void)qm_commit(tx, NULL);
}

static void dump(app *a, qm_text *out) {
  static const char sql[] =
      "SELECT 1, _id, illness, care_notes, born, _conflicts, NULL FROM resident UNION ALL "
      "SELECT 2, r._id, n._n, n.value, NULL, NULL, NULL FROM resident_needs n JOIN resident r "
      "ON r._row = n._row UNION ALL "
      "SELECT 3, r._id, n._n, n.value, NULL, NULL, NULL FROM resident_care_log n JOIN resident r "
      "ON r._row = n._row UNION ALL "
      "SELECT 4, _id, kind, notice, given, withdrawn, guardian FROM consent ORDER BY 1, 2, 3, 4";
  int rc = qm_sql(a->db, S(sql), NONE, UNLIMITED, 0, out, &a->e);
  if (rc) print_error("%s\n", a->e.message);
  assert_int_equal(rc, QM_OK);
}

/* What the tables of bases say themselves must allow what stands in those of people. A field of a
 * basis with two values, and merged bases, are left to the other comparison. */
static void check_allowed(app *a) {
  static const char sql[] =
      "SELECT 'ba' || 'd' FROM resident r WHERE r.illness IS NOT NULL AND NOT EXISTS ("
      "SELECT 1 FROM resident_basis b JOIN consent c ON c._id = b.value WHERE b._row = r._row AND "
      "(c._conflicts > 0 OR (coalesce(c.withdrawn, '') = '' AND "
      "EXISTS (SELECT 1 FROM consent_purposes p WHERE p._row = c._row AND p.value = 'care') AND "
      "((c.kind = 'duty' AND c.provision IS NOT NULL AND c.office IS NOT NULL) OR "
      "(c.kind = 'consent' AND c.notice <> '' AND (coalesce(r.born, '') = '' OR r.born = '1950' OR "
      "(c.given IS NOT NULL AND c.guardian <> '')))))))";
  int bad = table(a, sql, "bad");
  if (bad) {
    qm_text t;
    dump(a, &t);
    print_error("seed %u\n%s\n", seed, t.p);
    qm_text_free(&t);
  }
  assert_false(bad);
}

static void compare(const qm_text *x, const qm_text *y, const char *what) {
  if (strcmp(x->p, y->p) != 0) print_error("seed %u, %s\n%s\n%s\n", seed, what, x->p, y->p);
  assert_string_equal(x->p, y->p);
}

/* The records, read one by one, show the same as the tables. */
static void check_records(app *a) {
  for (uint32_t i = 0; i < PEOPLE; i++) {
    char sql[256];
    qm_text t;
    int rc = qm_get(a->db, NONE, S("resident"), S(people[i]), 0, &t, NULL);
    snprintf(sql, sizeof sql, "SELECT 'x' || illness || 'x' FROM resident WHERE _id = '%s'",
             people[i]);
    if (rc != QM_OK) continue; /* deleted */
    int asthma = strstr(t.p, "\"illness\":\"asthma\"") != NULL;
    int cough = strstr(t.p, "\"illness\":\"cough\"") != NULL;
    qm_text_free(&t);
    assert_int_equal(table(a, sql, "xasthmax"), asthma);
    assert_int_equal(table(a, sql, "xcoughx"), cough);
  }
}

static void play(uint32_t first, uint32_t steps) {
  qm_text x, y;
  seed = first;
  for (uint32_t i = 0; i < BASES; i++) consent(&w.a, bases[i]);
  for (uint32_t i = 0; i < PEOPLE; i++) {
    char key[16];
    snprintf(key, sizeof key, "P-%u-%u", first, i);
    make(&w.a, "resident", key, people[i]);
  }
  app_deliver(&w.a, &w.b);
  for (uint32_t i = 0; i < steps; i++) {
    app *a = roll(2) ? &w.a : &w.b, *b = a == &w.a ? &w.b : &w.a;
    uint32_t what = roll(12);
    if (what < 4) write_basis(a, bases[roll(BASES)]);
    else if (what < 9) write_person(a, people[roll(PEOPLE)]);
    else if (what < 10) write_whole(a);
    else app_deliver(b, a);
    if (i % 4) continue;
    check_allowed(a);
    check_records(a);
    dump(a, &x);
    assert_int_equal(qm_rebuild(a->db, &a->e), QM_OK);
    dump(a, &y);
    compare(&x, &y, "rebuilt");
    qm_text_free(&x);
    qm_text_free(&y);
  }
  app_deliver(&w.a, &w.b);
  app_deliver(&w.b, &w.a);
  dump(&w.a, &x);
  dump(&w.b, &y);
  compare(&x, &y, "the other device");
  qm_text_free(&x);
  qm_text_free(&y);
}

static void tables_follow_every_history(void **state) {
  (void)state;
  for (uint32_t i = 1; i <= 4; i++) play(i * 7919, 120);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(without_a_basis_nothing_is_written),
      T(in_one_change_with_its_basis),
      T(what_a_basis_must_have),
      T(a_child_has_a_guardian),
      T(a_withdrawal_hides_it_everywhere),
      T(deleting_the_basis_or_the_ref_hides_it),
      T(merged_bases_are_one),
      T(a_withdrawal_beside_another_write_counts),
      T(conflicts_and_the_inbox_tell_nothing),
      T(the_feed_tells_whose_showing_changed),
      T(tables_follow_every_history),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
