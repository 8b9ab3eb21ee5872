/* The shell as an app sees it: opening, spaces, names, transactions, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/sqlite/store_sqlite.h"
#include "sync/code.h"
#include "tests/unit/support_handle.h"

/* ---- opening ---- */

static void test_options(void **state) {
  world *w = *state;
  qm_options o = QM_OPTIONS_INIT, same;
  qm_db *db = NULL;
  memset(&same, 0xAA, sizeof same);
  qm_options_init(&same);
  assert_memory_equal(&o, &same, sizeof o);
  assert_int_equal(qm_open(NULL, &db, NULL), QM_EINVAL);
  assert_int_equal(qm_open(&o, &db, NULL), QM_EINVAL); /* no path */
  o.path = test_dir_file(&w->dir, "none.db");
  assert_int_equal(qm_open(&o, NULL, NULL), QM_EINVAL);
  assert_int_equal(qm_open(&o, &db, NULL), QM_ENOTFOUND);
  o.size = 0;
  assert_int_equal(qm_open(&o, &db, NULL), QM_EINVAL);
  assert_null(db);
  o = w->a.o;
  o.size = offsetof(qm_options, timeout_ms); /* an older caller */
  assert_int_equal(qm_open(&o, &db, NULL), QM_OK);
  qm_close(db);
  qm_close(NULL);
  assert_int_equal(qm_abi(), QM_ABI);
  assert_true(strlen(qm_version()) > 0);
  assert_int_equal(qm_columns(S("\xe6\x88\xb7"
                                "1")),
                   3);
  assert_int_equal(qm_columns(S("\xe6\x88")), 2);
}

static void test_files(void **state) {
  world *w = *state;
  app *a = &w->a;
  qm_db *db = NULL;
  assert_int_equal(test_file_mode(test_dir_file(&w->dir, "a.db")), 0600);
  assert_int_equal(test_file_mode(test_dir_file(&w->dir, "a.db.instance")), 0600);
  assert_int_equal(test_file_size(test_dir_file(&w->dir, "a.db.instance")), 16);
  a->o.flags = QM_OPEN_CREATE | QM_OPEN_NEW;
  assert_int_equal(qm_open(&a->o, &db, &a->e), QM_EEXIST);
  a->o.path = test_dir_file(&w->dir, "text");
  test_file_write(a->o.path, "no database at all", 18);
  a->o.flags = QM_OPEN_CREATE;
  assert_int_equal(qm_open(&a->o, &db, &a->e), QM_EFORMAT);
  qm_close(a->db);
  a->db = NULL;
  a->o.path = test_dir_file(&w->dir, "a.db");
  test_file_truncate(a->o.path, 5000);
  assert_int_equal(qm_open(&a->o, &db, &a->e), QM_ECORRUPT);
  assert_null(db);
}

static void test_reopen(void **state) {
  world *w = *state;
  app *a = &w->a;
  qm_text t;
  char id[27], device[27], author[49];
  app_make(a, "12", id);
  assert_int_equal(app_one(a, qm_set, id, "head", "Wang", 0), QM_OK);
  assert_int_equal(qm_status(a->db, 0, &t, &a->e), QM_OK);
  text_member(&t, "\"device\":\"", device, sizeof device);
  text_member(&t, "\"author\":\"", author, sizeof author);
  qm_text_free(&t);
  app_reopen(a);
  assert_true(app_shows(a, "key:12", "\"head\":\"Wang\""));
  assert_true(app_status_holds(a, device));
  assert_true(app_status_holds(a, author)); /* the same installation goes on as the same author */
  assert_true(app_status_holds(a, "\"unsent\":2,\"oldest_unsent\":1935904151000"));
}

/* A copy carries everything along but the instance id, and becomes another author. */
static void test_copy(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  qm_text t;
  char id[27], author[49];
  app_make(a, "12", id);
  assert_int_equal(qm_status(a->db, QM_FAST, &t, &a->e), QM_OK);
  text_member(&t, "\"author\":\"", author, sizeof author);
  qm_text_free(&t);
  qm_close(a->db);
  a->db = NULL;
  test_file_copy(test_dir_file(&w->dir, "a.db"), test_dir_file(&w->dir, "b.db"));
  test_file_copy(test_dir_file(&w->dir, "a.db.instance"), test_dir_file(&w->dir, "b.db.instance"));
  app_set(b, &w->dir, "b.db");
  app_open(b);
  assert_int_equal(qm_status(b->db, QM_FAST, &t, &b->e), QM_OK);
  assert_null(strstr(t.p, author));
  qm_text_free(&t);
  assert_true(app_shows(b, id, "\"no\":\"12\""));
  app_open(a);
  assert_true(app_status_holds(a, author));
}

static int32_t fixed_instance(void *payload, uint8_t out[16]) {
  memset(out, (int)((app *)payload)->drawn, 16);
  return 0;
}

static void test_instance_hook(void **state) {
  world *w = *state;
  app *b = &w->b;
  char author[49];
  qm_text t;
  app_set(b, &w->dir, "b.db");
  b->o.instance = fixed_instance;
  b->drawn = 1;
  app_open(b);
  assert_int_equal(qm_status(b->db, QM_FAST, &t, &b->e), QM_OK);
  text_member(&t, "\"author\":\"", author, sizeof author);
  qm_text_free(&t);
  app_reopen(b);
  assert_true(app_status_holds(b, author));
  b->drawn = 2; /* the app's keystore says: another installation */
  app_reopen(b);
  assert_int_equal(qm_status(b->db, QM_FAST, &t, &b->e), QM_OK);
  assert_null(strstr(t.p, author));
  qm_text_free(&t);
}

static void test_readonly(void **state) {
  world *w = *state;
  app *a = &w->a;
  qm_tx *tx = NULL;
  char id[27];
  app_make(a, "12", id);
  a->o.flags = QM_OPEN_READONLY;
  app_reopen(a);
  assert_true(app_shows(a, id, "\"no\":\"12\""));
  assert_true(app_status_holds(a, "\"unsent\":1"));
  assert_int_equal(qm_begin(a->db, NONE, &tx, &a->e), QM_EREADONLY);
  assert_null(tx);
  assert_int_equal(qm_space_create(a->db, S("x"), S(app_schema), NONE, &a->e), QM_EREADONLY);
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_ENOTENROLLED);
  assert_true(app_shows(a, id, "\"no\":\"12\""));
}

/* Another handle writes to the same file, as another process would. */
static void test_two_handles(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], other[27];
  app_set(b, &w->dir, "a.db");
  app_open(b);
  app_make(a, "12", id);
  assert_true(app_shows(b, "key:12", "\"no\":\"12\""));
  app_make(b, "13", other); /* b's engine is behind: it reads anew and goes on */
  assert_true(app_shows(a, other, "\"no\":\"13\""));
  assert_int_equal(app_one(a, qm_set, other, "head", "Zhao", 0), QM_OK);
  assert_true(app_shows(b, "key:13", "\"head\":\"Zhao\""));
  assert_int_equal(qm_engine_check(a->db->engine, app_space(a), &a->e), QM_OK);
}

static void test_full(void **state) {
  world *w = *state;
  app *a = &w->a;
  static char text[20000];
  char id[27];
  int rc = QM_OK;
  app_make(a, "12", id);
  assert_int_equal(qm_store_sqlite_limit(a->db->store, 40), QM_OK);
  memset(text, 'x', sizeof text - 1);
  for (int i = 0; i < 100 && rc == QM_OK; i++) {
    qm_tx *tx = app_begin(a);
    text[0] = (char)('a' + i % 26);
    rc = qm_set(tx, S("household"), S(id), S("any"), S("\"big\""), QM_JSON, &a->e);
    if (rc == QM_OK) rc = qm_append(tx, S("household"), S(id), S("steps"), S(text), 0, &a->e);
    if (rc == QM_OK)
      rc = qm_commit(tx, &a->e);
    else
      qm_cancel(tx);
  }
  assert_int_equal(rc, QM_EFULL);
  assert_true(app_shows(a, id, "\"no\":\"12\"")); /* readable, and whole */
  assert_int_equal(qm_store_sqlite_limit(a->db->store, 40000), QM_OK);
  assert_int_equal(app_one(a, qm_set, id, "head", "Wang", 0), QM_OK);
  assert_int_equal(qm_engine_check(a->db->engine, app_space(a), &a->e), QM_OK);
}

/* ---- spaces ---- */

static void test_spaces(void **state) {
  app *a = &((world *)*state)->a;
  qm_text t;
  qm_tx *tx = NULL;
  static const char *const bad[] = {"", "{", "{\"schema\":\"x\"}", "\x01", "[1,2]"};
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_true(qm_space_create(a->db, S("bad"), S(bad[i]), NONE, &a->e) < 0);
  assert_int_equal(qm_space_create(a->db, NONE, S(app_schema), NONE, &a->e), QM_EINVAL);
  assert_int_equal(qm_space_create(a->db, S("\xff"), S(app_schema), NONE, &a->e), QM_EINVAL);
  assert_int_equal(qm_space_create(a->db, S("two"), S(app_schema), NONE, &a->e), QM_OK);
  assert_int_equal(qm_spaces(a->db, &t, &a->e), QM_OK);
  assert_true(
      text_holds(&t,
                 "\"name\":\"grid 3\",\"role\":\"grid\",\"readable\":true,\"writable\":true,"
                 "\"schema\":\"try\",\"version\":1,\"local\":true}"));
  qm_text_free(&t);
  assert_int_equal(qm_begin(a->db, NONE, &tx, &a->e), QM_EAMBIGUOUS);
  assert_int_equal(qm_begin(a->db, S("three"), &tx, &a->e), QM_ENOTFOUND);
  assert_int_equal(qm_begin(a->db, S("two"), &tx, &a->e), QM_OK);
  qm_text id; /* the role may not write this collection */
  assert_int_equal(qm_new(tx, S("incident"), NONE, &id, NULL, &a->e), QM_EACCESS);
  qm_cancel(tx);
  assert_int_equal(qm_schema_text(a->db, S("two"), &t, &a->e), QM_OK);
  assert_true(text_holds(&t, "\"household\""));
  /* What was printed is the same schema; a field that goes is refused. */
  assert_int_equal(qm_space_create(a->db, S("two"), qm_slice_of(t.p, t.n), NONE, &a->e), QM_OK);
  qm_text_free(&t);
  assert_int_equal(
      qm_space_create(a->db, S("two"), S("{\"schema\":\"try\",\"version\":2,\"collections\":[]}"),
                      NONE, &a->e),
      QM_ESCHEMA);
}

static void test_sensitive(void **state) {
  app *a = &((world *)*state)->a;
  static const char *const sensitive =
      "{\"schema\":\"s\",\"version\":1,\"collections\":[{\"name\":\"resident\",\"number\":1,"
      "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":\"idno\",\"number\":16,"
      "\"type\":\"register\",\"value\":\"text\",\"class\":\"sensitive\"}]}]}";
  qm_tx *tx = NULL;
  assert_int_equal(qm_space_create(a->db, S("s"), S(sensitive), NONE, &a->e), QM_ESCHEMA);
  assert_non_null(strstr(a->e.message, "resident.idno"));
  assert_true(app_status_holds(a, "\"test_data\":false"));
  a->o.flags = QM_OPEN_TEST_DATA;
  app_reopen(a);
  assert_int_equal(qm_space_create(a->db, S("s"), S(sensitive), NONE, &a->e), QM_OK);
  a->o.flags = 0;
  app_reopen(a); /* the mark stays with the file */
  assert_true(app_status_holds(a, "\"test_data\":true"));
  assert_int_equal(qm_begin(a->db, S("s"), &tx, &a->e), QM_OK);
  qm_cancel(tx);
  a->db->test_data = 0; /* a hub's space with such a field is not written to either */
  assert_int_equal(qm_begin(a->db, S("s"), &tx, &a->e), QM_ESCHEMA);
  assert_non_null(strstr(a->e.message, "resident.idno"));
}

/* ---- names of records ---- */

static void test_names(void **state) {
  world *w = *state;
  app *b = &w->b;
  char id[27], other[27], hex[33], text[64];
  qm_text t;
  qm_id raw;
  int32_t existing = 7;
  app_set(b, &w->dir, "b.db");
  b->o.random = app_random;
  app_open(b);
  assert_int_equal(qm_space_create(b->db, S("s"), S(app_schema), S("grid"), &b->e), QM_OK);
  app_make(b, "", id);
  app_make(b, "", other);
  assert_memory_equal(id, other, 20);
  assert_int_equal(qm__handle_id_parse(S(id), &raw), QM_OK);
  qm_hex(hex, raw.b, sizeof raw.b);
  assert_int_equal(app_one(b, qm_set, id, "head", "Wang", 0), QM_OK);
  assert_true(app_shows(b, hex, "\"head\":\"Wang\""));
  for (size_t i = 0; i <= 26; i++) text[i] = (char)(id[i] >= 'A' ? id[i] - 'A' + 'a' : id[i]);
  assert_true(app_shows(b, text, "\"head\":\"Wang\""));
  assert_true(app_shows(b, id, "\"head\":\"Wang\""));
  id[25] = 0; /* one symbol short: the last two bits are open, and one record has them */
  int rc = qm_get(b->db, NONE, S("household"), S(id), 0, &t, &b->e);
  if (rc == QM_OK) qm_text_free(&t);
  assert_true(rc == QM_OK || rc == QM_EAMBIGUOUS);
  id[5] = 0;
  assert_int_equal(qm_get(b->db, NONE, S("household"), S(id), 0, &t, &b->e), QM_EAMBIGUOUS);
  assert_int_equal(qm_get(b->db, NONE, S("incident"), S(id), 0, &t, &b->e), QM_ENOTFOUND);
  id[3] = 0;
  assert_int_equal(qm_get(b->db, NONE, S("household"), S(id), 0, &t, &b->e), QM_ENOTFOUND);
  static const char *const none[] = {"",
                                     "key:",
                                     "key:12",
                                     "U!!!",
                                     "ZZZZ",
                                     "0000",
                                     "00000000000000000000000000",
                                     "00000000000000000000000004",
                                     "0000000000000000000000000000000000000"};
  for (size_t i = 0; i < COUNT(none); i++)
    assert_int_equal(qm_get(b->db, NONE, S("household"), S(none[i]), 0, &t, &b->e), QM_ENOTFOUND);
  qm_tx *tx = app_begin(b);
  assert_int_equal(qm_new(tx, S("household"), S(" 12 "), &t, &existing, &b->e), QM_OK);
  assert_int_equal(existing, 0);
  app_commit(b, tx);
  qm_text_free(&t);
  assert_true(app_shows(b, "key:12", "\"no\":\" 12 \""));
  tx = app_begin(b);
  assert_int_equal(qm_new(tx, S("\xe6\x88\xb7"), S("12"), &t, &existing, &b->e), QM_OK);
  assert_int_equal(existing, 1);
  assert_int_equal(qm_written(tx), 0);
  app_commit(b, tx);
  t.p[8] = 0; /* its own first characters are enough: its id is a hash */
  assert_true(app_shows(b, t.p, "\"no\":\" 12 \""));
  qm_text_free(&t);
  assert_int_equal(qm_get(b->db, NONE, S("nothing"), S("key:12"), 0, &t, &b->e), QM_ENOTFOUND);
  assert_int_equal(qm_get(b->db, NONE, S("incident"), S("key:12"), 0, &t, &b->e), QM_ENOTFOUND);
}

static void test_delete(void **state) {
  app *a = &((world *)*state)->a;
  char id[27];
  qm_text t;
  app_make(a, "12", id);
  qm_tx *tx = app_begin(a);
  assert_int_equal(qm_delete(tx, S("household"), S(id), &a->e), QM_OK);
  app_commit(a, tx);
  assert_int_equal(qm_get(a->db, NONE, S("household"), S(id), 0, &t, &a->e), QM_EINVISIBLE);
  assert_int_equal(qm_get(a->db, NONE, S("household"), S("key:12"), 0, &t, &a->e), QM_ENOTFOUND);
  app_get(a, id, QM_DELETED, &t);
  assert_true(text_holds(&t, "\"visible\":false") && text_holds(&t, "\"no\":\"12\""));
  qm_text_free(&t);
  assert_int_equal(qm_list(a->db, NONE, S("household"), NONE, 0, 0, &t, &a->e), QM_OK);
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
  assert_int_equal(app_one(a, qm_set, id, "head", "x", 0), QM_EINVISIBLE);
  tx = app_begin(a);
  assert_int_equal(qm_restore(tx, S("household"), S(id), &a->e), QM_OK);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("Wang"), 0, &a->e), QM_OK);
  app_commit(a, tx);
  assert_true(app_shows(a, "key:12", "\"head\":\"Wang\""));
}

static void test_list(void **state) {
  app *a = &((world *)*state)->a;
  char key[16], after[27] = "", id[27];
  qm_text t;
  int seen = 0;
  for (int i = 0; i < 7; i++) {
    snprintf(key, sizeof key, "%d", i);
    app_make(a, key, id);
  }
  for (;;) {
    assert_int_equal(qm_list(a->db, NONE, S("household"), S(after), 3, 0, &t, &a->e), QM_OK);
    if (!t.n) break;
    for (char *at = t.p; (at = strchr(at, '\n')) != NULL; at++) seen++;
    char *last = t.p;
    for (char *at = t.p; (at = strstr(at, "{\"id\":\"")) != NULL; at++) last = at;
    assert_true(memcmp(after, last + 7, 26) < 0);
    memcpy(after, last + 7, 26);
    qm_text_free(&t);
  }
  qm_text_free(&t);
  assert_int_equal(seen, 7);
  assert_int_equal(qm_list(a->db, NONE, S("household"), S("12"), 3, 0, &t, &a->e), QM_EINVAL);
  assert_int_equal(qm_list(a->db, S("x"), S("household"), NONE, 3, 0, &t, &a->e), QM_ENOTFOUND);
}

/* ---- transactions and threads ---- */

static void test_transactions(void **state) {
  app *a = &((world *)*state)->a;
  char id[27];
  qm_tx *tx, *more = NULL;
  qm_text t;
  app_make(a, "12", id);
  a->o.busy_ms = 0;
  app_reopen(a);
  tx = app_begin(a);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("Wang"), 0, &a->e), QM_OK);
  assert_int_equal(qm_begin(a->db, NONE, &more, &a->e), QM_EBUSY);
  assert_int_equal(qm_space_create(a->db, S("x"), S(app_schema), NONE, &a->e), QM_EBUSY);
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_EBUSY);
  app_get(a, id, 0, &t); /* readers see what is committed */
  assert_null(strstr(t.p, "Wang"));
  qm_text_free(&t);
  qm_cancel(tx);
  app_get(a, id, 0, &t);
  assert_null(strstr(t.p, "Wang"));
  qm_text_free(&t);
  tx = app_begin(a);
  app_commit(a, tx); /* nothing written, nothing made */
  assert_true(app_status_holds(a, "\"unsent\":1,"));
  tx = app_begin(a); /* closing cancels */
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("Wang"), 0, &a->e), QM_OK);
  app_reopen(a);
  app_get(a, id, 0, &t);
  assert_null(strstr(t.p, "Wang"));
  qm_text_free(&t);
}

#define THREADS 4
#define ROUNDS 12

typedef struct worker {
  app *a;
  int number, failed;
} worker;

static void *work(void *payload) {
  worker *k = payload;
  for (int i = 0; i < ROUNDS; i++) {
    qm_tx *tx = NULL;
    qm_text id = {NULL, 0}, t = {NULL, 0};
    char key[16];
    snprintf(key, sizeof key, "%d-%d", k->number, i);
    int rc = qm_begin(k->a->db, NONE, &tx, NULL);
    if (rc == QM_OK) rc = qm_new(tx, S("household"), S(key), &id, NULL, NULL);
    if (rc == QM_OK) rc = qm_inc(tx, S("household"), S(id.p), S("visits"), i, NULL);
    if (tx && qm_commit(tx, NULL) != QM_OK) k->failed = 1;
    if (rc == QM_OK) rc = qm_get(k->a->db, NONE, S("household"), S(id.p), 0, &t, NULL);
    if (rc == QM_OK && !strstr(t.p, key)) k->failed = 1;
    qm_text_free(&t);
    if (rc == QM_OK) rc = qm_status(k->a->db, QM_FAST, &t, NULL);
    qm_text_free(&t);
    qm_text_free(&id);
    if (rc != QM_OK) k->failed = 1;
  }
  return NULL;
}

static void test_threads(void **state) {
  app *a = &((world *)*state)->a;
  pthread_t threads[THREADS];
  worker workers[THREADS];
  a->o.busy_ms = 600000;
  app_reopen(a);
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){a, i, 0};
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(workers[i].failed, 0);
  }
  char part[64];
  snprintf(part, sizeof part, "\"records\":%d,\"unsent\":%d,", THREADS * ROUNDS, THREADS * ROUNDS);
  assert_true(app_status_holds(a, part));
  assert_int_equal(qm_engine_check(a->db->engine, app_space(a), &a->e), QM_OK);
}

/* ---- network, arguments ---- */

#ifdef QM_NO_NET
#define NOBODY QM_ESTATE
#else
#define NOBODY QM_ENET
#endif

static void test_network(void **state) {
  app *a = &((world *)*state)->a;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  char id[27];
  static const char *const hosts[] = {"",      "hub",       "hub:",   ":443",
                                      "hub:0", "hub:65536", "hub:4x", "[]:1"};
  assert_int_equal(qm_sync(a->db, &r, &a->e), QM_ENOTENROLLED);
  for (size_t i = 0; i < COUNT(hosts); i++)
    assert_int_equal(qm_enroll(a->db, S(hosts[i]), S("0000"), NONE, &a->e), QM_EINVAL);
  assert_int_equal(qm_enroll(a->db, S("[::1]:1"), NONE, NONE, &a->e), QM_ECODE);
  assert_int_equal(qm_enroll(a->db, S("127.0.0.1:1"), S("0000-0000"), NONE, &a->e), QM_ECODE);
  char code[QM_CODE_TEXT_SIZE]; /* a good code, and nobody listens */
  qm_enrol_code good;
  memset(&good, 7, sizeof good);
  qm_code_text(&good, code);
  assert_int_equal(qm_enroll(a->db, S("127.0.0.1:1"), S(code), S("phone"), &a->e), NOBODY);
  assert_true(app_status_holds(a, "\"enrolled\":false"));
  r.size = 0;
  assert_int_equal(qm_sync(a->db, &r, &a->e), QM_EINVAL);
  a->now_ms = 0; /* a phone that says 1970 */
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_ECLOCK);
  assert_int_equal(qm_enroll(a->db, S("127.0.0.1:1"), S("0000-0000"), NONE, &a->e), QM_ECLOCK);
  app_make(a, "12", id); /* offline work goes on */
  assert_true(app_shows(a, id, "\"no\":\"12\""));
}

static void test_arguments(void **state) {
  app *a = &((world *)*state)->a;
  qm_text t;
  qm_tx *tx = NULL;
  assert_int_equal(qm_get(NULL, NONE, NONE, NONE, 0, &t, &a->e), QM_EINVAL);
  assert_int_equal(qm_get(a->db, NONE, NONE, NONE, 0, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_list(a->db, NONE, NONE, NONE, 0, 0, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_conflicts(a->db, NONE, NONE, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_history(a->db, NONE, NONE, NONE, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_status(NULL, 0, &t, &a->e), QM_EINVAL);
  assert_int_equal(qm_spaces(a->db, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_schema_text(a->db, S("x"), &t, &a->e), QM_ENOTFOUND);
  assert_int_equal(qm_begin(NULL, NONE, &tx, &a->e), QM_EINVAL);
  assert_int_equal(qm_begin(a->db, NONE, NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_commit(NULL, &a->e), QM_EINVAL);
  assert_int_equal(qm_set(NULL, NONE, NONE, NONE, NONE, 0, &a->e), QM_EINVAL);
  assert_int_equal(qm_inc(NULL, NONE, NONE, NONE, 1, NULL), QM_EINVAL);
  assert_int_equal(qm_shown(NULL, NONE, NULL), QM_EINVAL);
  assert_int_equal(qm_written(NULL), 0);
  qm_cancel(NULL);
  qm_text_free(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, app_setup, app_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_options),       CASE(test_files),        CASE(test_reopen),      CASE(test_copy),
      CASE(test_instance_hook), CASE(test_readonly),     CASE(test_two_handles), CASE(test_full),
      CASE(test_spaces),        CASE(test_sensitive),    CASE(test_names),       CASE(test_delete),
      CASE(test_list),          CASE(test_transactions), CASE(test_threads),     CASE(test_network),
      CASE(test_arguments)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
