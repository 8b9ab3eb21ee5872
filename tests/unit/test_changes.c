/* The feed of changes as an app sees it: what it names, cursors, waiting; and that an app
 * which follows it shows at any time what a fresh reading shows. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/feed.h"
#include "tests/unit/support_handle.h"
#include "tests/unit/support_old.h"

#define CURSOR_SIZE 64

/* The lines after the cursor, which moves on; "" for none. Static storage. */
static const char *changes(app *a, char cursor[CURSOR_SIZE]) {
  static char lines[1 << 16];
  qm_text t;
  assert_int_equal(qm_changes(a->db, S(cursor), 0, &t, &a->e), QM_OK);
  assert_true(t.n < sizeof lines);
  memcpy(lines, t.p, t.n + 1);
  qm_text_free(&t);
  for (const char *at = lines; (at = strstr(at, "{\"cursor\":\""));) {
    at += 11;
    size_t n = (size_t)(strchr(at, '"') - at);
    assert_true(n < CURSOR_SIZE);
    memcpy(cursor, at, n);
    cursor[n] = 0;
  }
  return lines;
}

static unsigned count(const char *lines) {
  unsigned n = 0;
  for (; *lines; lines++) n += *lines == '\n';
  return n;
}

static int holds(const char *lines, const char *part) {
  int found = strstr(lines, part) != NULL;
  if (!found) print_message("%s\nis not in\n%s\n", part, lines);
  return found;
}

/* ---- what it names ---- */

static void test_lines(void **state) {
  world *w = *state;
  app *a = &w->a;
  char cursor[CURSOR_SIZE] = "", id[27], other[27];
  const char *got = changes(a, cursor);
  assert_true(count(got) == 1 && holds(got, "\",\"all\":true}"));
  assert_string_equal(changes(a, cursor), "");
  app_make(a, "12", id);
  got = changes(a, cursor);
  assert_int_equal(count(got), 1);
  assert_true(holds(got, id));
  assert_true(holds(got, "\"collection\":\"household\""));
  assert_true(holds(got, "\"fields\":[\"no\"],\"presence\":true,\"local\":true,\"remote\":false"));
  assert_string_equal(changes(a, cursor), "");
  /* Many writes of one record are one line; what was seen before the cursor is left out. */
  assert_int_equal(app_one(a, qm_set, id, "head", "A", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, id, "head", "B", 0), QM_OK);
  assert_int_equal(app_one(a, qm_add, id, "tags", "x", 0), QM_OK);
  app_make(a, "13", other);
  assert_int_equal(app_one(a, qm_set, id, "head", "B", 0), QM_OK); /* nothing written */
  got = changes(a, cursor);
  assert_int_equal(count(got), 2);
  assert_true(strstr(got, id) < strstr(got, other));
  assert_true(holds(got, "\"fields\":[\"head\",\"tags\"],\"presence\":false"));
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_delete(tx, S("household"), S(id), &a->e), QM_OK);
  qm_cancel(tx);
  assert_string_equal(changes(a, cursor), "");
  tx = app_begin(a);
  assert_int_equal(qm_delete(tx, S("household"), S(id), &a->e), QM_OK);
  assert_string_equal(changes(a, cursor), ""); /* not before it is committed */
  app_commit(a, tx);
  assert_true(holds(changes(a, cursor), "\"fields\":[],\"presence\":true"));
}

static void test_remote(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char at_a[CURSOR_SIZE] = "", at_b[CURSOR_SIZE] = "", id[27];
  app_second(w);
  app_make(a, "12", id);
  changes(a, at_a);
  changes(b, at_b);
  app_deliver(a, b);
  assert_true(holds(changes(b, at_b), "\"presence\":true,\"local\":false,\"remote\":true"));
  assert_string_equal(changes(a, at_a), ""); /* a push changes nothing */
  assert_int_equal(app_one(b, qm_set, id, "head", "B", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, id, "phone", "1", 0), QM_OK);
  app_deliver(b, a);
  const char *got = changes(a, at_a);
  assert_int_equal(count(got), 1);
  assert_true(holds(got, "\"local\":true,\"remote\":true"));
  assert_true(holds(got, "head") && holds(got, "phone"));
  app_deliver(b, a); /* known already */
  assert_string_equal(changes(a, at_a), "");
  /* An edit that had not seen a delete brings the record back: that is more than an edit. */
  app_deliver(a, b);
  changes(b, at_b);
  qm_tx *tx = app_begin(b);
  assert_int_equal(qm_delete(tx, S("household"), S(id), &b->e), QM_OK);
  app_commit(b, tx);
  changes(b, at_b);
  assert_int_equal(app_one(a, qm_set, id, "phone", "2", 0), QM_OK);
  app_deliver(a, b);
  assert_true(holds(changes(b, at_b), "\"fields\":[\"phone\"],\"presence\":true"));
  /* A newer schema may show what was not shown. */
  qm_slice newer = S("{\"schema\":\"try\",\"version\":2,\"collections\":[{\"name\":\"x\","
                     "\"number\":9,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":"
                     "\"y\",\"number\":16,\"type\":\"text\",\"class\":\"work\"}]}]}");
  assert_int_equal(qm_space_create(a->db, S("grid 9"), newer, S(""), &a->e), QM_OK);
  got = changes(a, at_a);
  assert_true(holds(got, "\"space\":") && holds(got, "\"all\":true}\n"));
}

/* ---- cursors ---- */

static void test_cursors(void **state) {
  world *w = *state;
  app *a = &w->a;
  char cursor[CURSOR_SIZE] = "", ahead[CURSOR_SIZE], id[27];
  static const char *const bad[] = {"x", "0123456789abcdef", "0123456789abcdef-", "-1",
                                    "0123456789abcdeg-1", "0123456789abcdef-1x",
                                    "0123456789abcdef-99999999999999999999"};
  qm_text t;
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_int_equal(qm_changes(a->db, S(bad[i]), 0, &t, &a->e), QM_EINVAL);
  assert_int_equal(qm_changes(a->db, NONE, 0, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_changes_wait(a->db, S("x"), 0, &a->e), QM_EINVAL);
  assert_int_equal(qm_changes_wait(NULL, NONE, 0, &a->e), QM_EINVAL);
  changes(a, cursor);
  /* Of another database, and beyond what there is: anything may have changed. */
  memcpy(ahead, cursor, sizeof ahead);
  memcpy(strchr(ahead, '-'), "-99", 4);
  assert_true(holds(changes(a, ahead), "\",\"all\":true}"));
  assert_string_equal(ahead, cursor);
  memcpy(ahead, "00000000", 8);
  assert_true(holds(changes(a, ahead), "\",\"all\":true}"));
  assert_string_equal(ahead, cursor);
  /* It lasts beyond a restart, and page by page gives what one page gives. */
  for (unsigned i = 0; i < 5; i++) {
    char key[4];
    snprintf(key, sizeof key, "%u", 20 + i);
    app_make(a, key, id);
  }
  app_reopen(a);
  for (unsigned i = 0; i < 5; i++) {
    assert_int_equal(qm_changes(a->db, S(cursor), 1, &t, &a->e), QM_OK);
    assert_int_equal(count(t.p), 1);
    text_member(&t, "{\"cursor\":\"", cursor, sizeof cursor);
    qm_text_free(&t);
  }
  assert_string_equal(changes(a, cursor), "");
}

/* A backup that is restored writes the same seqs again: its cursors are another's. */
static void test_restored(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char cursor[CURSOR_SIZE] = "", id[27];
  qm_close(a->db);
  test_file_copy(test_dir_file(&w->dir, "a.db"), test_dir_file(&w->dir, "b.db"));
  app_open(a);
  app_make(a, "12", id);
  changes(a, cursor);
  app_set(b, &w->dir, "b.db");
  app_open(b);
  app_make(b, "77", id);
  assert_true(holds(changes(b, cursor), "\",\"all\":true}"));
}

static void test_older_file(void **state) {
  world *w = *state;
  app *a = &w->a;
  sqlite3 *h;
  char cursor[CURSOR_SIZE] = "", id[27];
  app_make(a, "12", id);
  qm_close(a->db);
  a->db = NULL;
  assert_int_equal(sqlite3_open(test_dir_file(&w->dir, "a.db"), &h), SQLITE_OK);
  static const char older[] = OLD_VERSION_8
                              "DROP TABLE feed; DROP TABLE aside; DROP TABLE _merged;"
                              "DROP TABLE _alike; DROP TABLE _alike_key; DROP TABLE _distinct;"
                              "DROP TABLE local;"
                              "PRAGMA user_version = 3";
  assert_int_equal(sqlite3_exec(h, older, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(h);
  app_open(a);
  assert_true(app_shows(a, "key:12", "\"no\":\"12\""));
  assert_true(holds(changes(a, cursor), "\",\"all\":true}"));
  assert_int_equal(app_one(a, qm_set, id, "head", "A", 0), QM_OK);
  assert_true(holds(changes(a, cursor), "\"fields\":[\"head\"]"));
}

/* ---- waiting ---- */

typedef struct waiter {
  app *a;
  const char *cursor;
  uint32_t timeout_ms;
  _Atomic int rc;
} waiter;

static void *wait_for_it(void *payload) {
  waiter *x = payload;
  x->rc = qm_changes_wait(x->a->db, S(x->cursor), x->timeout_ms, NULL);
  return NULL;
}

static void test_waiting(void **state) {
  world *w = *state;
  app *a = &w->a;
  char cursor[CURSOR_SIZE] = "", id[27];
  pthread_t thread;
  assert_int_equal(qm_changes_wait(a->db, NONE, 0, &a->e), QM_OK); /* anything may have changed */
  changes(a, cursor);
  assert_int_equal(qm_changes_wait(a->db, S(cursor), 0, &a->e), QM_ETIMEOUT);
  assert_int_equal(qm_changes_wait(a->db, S(cursor), 5, &a->e), QM_ETIMEOUT);
  waiter x = {a, cursor, UINT32_MAX, 1};
  assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &x), 0);
  app_make(a, "12", id);
  pthread_join(thread, NULL);
  assert_int_equal(x.rc, QM_OK);
  /* Another handle is another process to this one. */
  changes(a, cursor);
  assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &x), 0);
  app b;
  app_set(&b, &w->dir, "a.db");
  app_open(&b);
  app_make(&b, "13", id);
  qm_close(b.db);
  pthread_join(thread, NULL);
  assert_int_equal(x.rc, QM_OK);
  assert_true(holds(changes(a, cursor), id));
  /* One that waits for good, and is told to stop, whichever of the two threads is first. */
  x.rc = 1;
  assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &x), 0);
  qm_interrupt(NULL);
  while (x.rc == 1) {
    qm_interrupt(a->db);
    sched_yield();
  }
  pthread_join(thread, NULL);
  assert_int_equal(x.rc, QM_ECLOSED);
}

/* ---- an entry's content ---- */

static void test_content(void **state) {
  static const struct {
    const char *bytes;
    size_t n;
    int rc;
  } rows[] = {{"\x02\x00\x03\x01", 4, QM_OK},
              {"\x02", 1, QM_ECORRUPT},
              {"\x02\x09", 2, QM_ECORRUPT},                         /* before the first seq */
              {"\x80\x80\x80\x80\x40\x00", 6, QM_ECORRUPT},         /* a field beyond */
              {"\x02\x00\xff", 3, QM_ECORRUPT}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_feed_field f;
    qm_cur c;
    int more = 1, rc = qm_feed_open(&c, qm_slice_of(rows[i].bytes, rows[i].n));
    unsigned n = 0;
    while (rc == QM_OK && more) {
      rc = qm_feed_next(&c, 8, &f, &more);
      n += rc == QM_OK && more;
    }
    assert_int_equal(rc, rows[i].rc);
    if (rc == QM_OK) assert_int_equal(n, 2);
  }
}

/* ---- an app that follows the feed shows what there is ---- */

#define RECORDS 6

typedef struct mirror {
  app *a;
  char cursor[CURSOR_SIZE];
  char shown[RECORDS][4096];
} mirror;

/* A record without its token. "" where there is none. */
static void show(app *a, const char *id, char to[4096]) {
  qm_text t;
  to[0] = 0;
  if (qm_get(a->db, NONE, S("household"), S(id), QM_DELETED | QM_DETAIL, &t, NULL) != QM_OK) return;
  char *end = strstr(t.p, "\"token\"");
  assert_non_null(end);
  *end = 0;
  assert_true(strlen(t.p) < 4096);
  memcpy(to, t.p, strlen(t.p) + 1);
  qm_text_free(&t);
}

static void follow(mirror *m, char ids[RECORDS][27]) {
  const char *got = changes(m->a, m->cursor);
  for (int i = 0; i < RECORDS; i++)
    if (strstr(got, "\"all\":true") || (ids[i][0] && strstr(got, ids[i])))
      show(m->a, ids[i], m->shown[i]);
}

static void compare(mirror *m, char ids[RECORDS][27]) {
  char now[4096];
  for (int i = 0; i < RECORDS; i++) {
    if (!ids[i][0]) continue;
    show(m->a, ids[i], now);
    assert_string_equal(m->shown[i], now);
  }
}

static void random_write(app *a, const char *id, uint32_t r) {
  char value[16];
  snprintf(value, sizeof value, "%u", r % 100);
  qm_tx *tx = app_begin(a);
  switch (r / 100 % 7) {
    case 0: (void)qm_delete(tx, S("household"), S(id), NULL); break;
    case 1: (void)qm_restore(tx, S("household"), S(id), NULL); break;
    case 2: (void)qm_add(tx, S("household"), S(id), S("tags"), S(value), 0, NULL); break;
    case 3: (void)qm_inc(tx, S("household"), S(id), S("visits"), 1, NULL); break;
    case 4: (void)qm_append(tx, S("household"), S(id), S("notes"), S(value), 0, NULL); break;
    case 5: (void)qm_append(tx, S("household"), S(id), S("steps"), S(value), 0, NULL); break;
    default: (void)qm_set(tx, S("household"), S(id), S("head"), S(value), 0, NULL); break;
  }
  app_commit(a, tx);
}

static void test_follow(void **state) {
  world *w = *state;
  app *apps[2] = {&w->a, &w->b};
  mirror m[2];
  char ids[RECORDS][27];
  uint32_t seed = 20260101;
  app_second(w);
  memset(m, 0, sizeof m);
  memset(ids, 0, sizeof ids);
  m[0].a = &w->a;
  m[1].a = &w->b;
  for (int step = 0; step < 300; step++) {
    seed = seed * 1664525u + 1013904223u;
    uint32_t r = seed >> 8;
    app *a = apps[r % 2];
    int i = (int)(r / 2 % RECORDS);
    if (!ids[i][0]) {
      char key[8];
      snprintf(key, sizeof key, "%d", i);
      app_make(a, key, ids[i]);
    } else if (r / 16 % 5 == 0) {
      app_deliver(a, apps[(r % 2) ^ 1]);
    } else {
      random_write(a, ids[i], r / 64);
    }
    if (r / 32 % 3 == 0) { /* now and then: what happened between the two is caught up with */
      follow(&m[r % 2], ids);
      compare(&m[r % 2], ids);
    }
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {T(test_lines),    T(test_remote),     T(test_cursors),
                                     T(test_restored), T(test_older_file), T(test_waiting),
                                     T(test_content),  T(test_follow)};
  return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
