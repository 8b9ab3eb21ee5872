/* What an app needs of a handle beside data: hooks and struct sizes, going to the background,
 * events, how far a record has got, texts of errors. No network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "tests/unit/support_handle.h"

#define ok(expr) assert_int_equal(expr, QM_OK)

/* --- struct sizes --- */

/* A program of an older header: its struct ends behind history_mb, and what lies behind is not
 * the library's to write. */
static void test_older_options(void **state) {
  world *w = *state;
  struct {
    qm_options o;
    uint8_t behind[64];
  } old;
  const size_t size = offsetof(qm_options, allocate);
  qm_db *db = NULL;
  memset(&old, 0xEE, sizeof old);
  qm_options_fill(&old.o, size);
  assert_int_equal(old.o.size, size);
  assert_int_equal(old.o.history_days, 90);
  for (const uint8_t *p = (const uint8_t *)&old + size; p < old.behind; p++)
    assert_int_equal(*p, 0xEE); /* and not taken for hooks */
  old.o.path = test_dir_file(&w->dir, "old.db");
  old.o.flags = QM_OPEN_CREATE;
  ok(qm_open(&old.o, &db, &w->a.e));
  qm_close(db);
  old.o.size = offsetof(qm_options, timeout_ms);
  ok(qm_open(&old.o, &db, &w->a.e));
  qm_close(db);
  old.o.size = 8;
  assert_int_equal(qm_open(&old.o, &db, &w->a.e), QM_EINVAL);
  memset(&old, 0xEE, sizeof old);
  qm_options_fill(&old.o, sizeof old); /* of a newer header: only what is known is written */
  assert_int_equal(old.o.size, sizeof(qm_options));
  assert_int_equal(old.behind[0], 0xEE);
}

/* --- the allocator --- */

typedef struct counting {
  size_t live, calls, fail_at;
} counting;

static void *count_realloc(void *payload, void *p, size_t n) {
  counting *c = payload;
  if (n && ++c->calls == c->fail_at) return NULL;
  if (!p && n) c->live++;
  if (p && !n) c->live--;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

static int use_all(qm_db *db) {
  qm_tx *tx;
  qm_text id = {NULL, 0}, t = {NULL, 0};
  int rc = qm_space_create(db, S("grid 3"), S(app_schema), S("grid"), NULL);
  if (rc == QM_OK && (rc = qm_begin(db, NONE, &tx, NULL)) == QM_OK) {
    rc = qm_new(tx, S("household"), S("7"), &id, NULL, NULL);
    if (rc == QM_OK) rc = qm_commit(tx, NULL);
    else qm_cancel(tx);
  }
  if (rc == QM_OK) rc = qm_list(db, NONE, S("household"), NONE, 0, 0, &t, NULL);
  qm_text_free(&t);
  if (rc == QM_OK) rc = qm_sql(db, S("SELECT 1"), NONE, 0, 0, &t, NULL);
  qm_text_free(&id);
  qm_text_free(&t);
  return rc;
}

static void test_allocator(void **state) {
  world *w = *state;
  counting c = {0, 0, 0};
  qm_options o;
  qm_db *db = NULL;
  qm_options_init(&o);
  o.path = test_dir_file(&w->dir, "counted.db");
  o.flags = QM_OPEN_CREATE;
  o.payload = &c;
  o.allocate = count_realloc;
  ok(qm_open(&o, &db, &w->a.e));
  ok(use_all(db));
  qm_text kept = {NULL, 0};
  ok(qm_spaces(db, &kept, NULL));
  qm_close(db);
  assert_int_equal(c.live, 0);
  assert_true(c.calls > 100);
  assert_true(text_holds(&kept, "grid 3")); /* outlives the handle */
  qm_text_free(&kept);
  /* One that fails: everything is given back. A request every now and then, of all of them. */
  const size_t all = c.calls;
  for (size_t at = 1; at < all; at += all / 60 + 1) {
    c = (counting){0, 0, at};
    db = NULL;
    int rc = qm_open(&o, &db, NULL);
    if (rc == QM_OK) rc = use_all(db);
    if (rc != QM_OK && rc != QM_ENOMEM) fail_msg("request %zu: %s", at, qm_err_name(rc));
    qm_close(db);
    assert_int_equal(c.live, 0);
  }
}

/* --- the key --- */

typedef struct vault {
  uint8_t bytes[512];
  size_t n;
  int loads, saves, rc;
} vault;

static int32_t vault_load(void *payload, uint8_t *to, size_t *n) {
  vault *v = payload;
  v->loads++;
  if (v->rc) return v->rc;
  if (!v->n) return QM_ENOTFOUND;
  assert_true(*n >= v->n);
  memcpy(to, v->bytes, v->n);
  *n = v->n;
  return QM_OK;
}

static int32_t vault_save(void *payload, const uint8_t *key, size_t n) {
  vault *v = payload;
  v->saves++;
  if (v->rc) return v->rc;
  assert_true(n <= sizeof v->bytes);
  memcpy(v->bytes, key, n);
  v->n = n;
  return QM_OK;
}

static int holds_key(qm_db *db) {
  qm_buf b;
  qm_buf_init(&b, &db->env, 1024);
  int rc = qm__handle_meta_get(db, QM_META_KEY, &b);
  qm_buf_free(&b);
  return rc == QM_OK;
}

static qm_id device_of(qm_db *db) { return *qm_key_device(db->key); }

static void test_key_store(void **state) {
  world *w = *state;
  vault v = {.n = 0}, other = {.n = 0};
  qm_options o;
  qm_db *db = NULL;
  qm_options_init(&o);
  o.path = test_dir_file(&w->dir, "vault.db");
  o.flags = QM_OPEN_CREATE;
  o.payload = &v;
  o.key_load = vault_load;
  assert_int_equal(qm_open(&o, &db, &w->a.e), QM_EINVAL); /* one without the other */
  o.key_save = vault_save;
  ok(qm_open(&o, &db, &w->a.e));
  assert_false(holds_key(db));
  assert_int_equal(v.saves, 1);
  qm_id first = device_of(db);
  qm_close(db);
  ok(qm_open(&o, &db, &w->a.e));
  assert_int_equal(v.saves, 1);
  qm_id again = device_of(db);
  assert_memory_equal(&first, &again, sizeof first);
  qm_close(db);
  /* Another phone's store: not this database's key, and nothing is made up. */
  o.payload = &other;
  assert_int_equal(qm_open(&o, &db, &w->a.e), QM_EACCESS);
  assert_non_null(strstr(w->a.e.message, "key"));
  /* A store that is locked says so. */
  o.payload = &v;
  v.rc = QM_ESTATE;
  assert_int_equal(qm_open(&o, &db, &w->a.e), QM_ESTATE);
  v.rc = QM_OK;
  memset(v.bytes, 7, v.n);
  assert_int_equal(qm_open(&o, &db, &w->a.e), QM_ECORRUPT);
}

/* A key that lay in the database moves out of it. */
static void test_key_moves(void **state) {
  world *w = *state;
  vault v = {.n = 0};
  qm_options o = w->a.o;
  qm_id first = device_of(w->a.db);
  assert_true(holds_key(w->a.db));
  qm_close(w->a.db);
  w->a.db = NULL;
  o.payload = &v;
  o.now_ms = NULL;
  o.key_load = vault_load;
  o.key_save = vault_save;
  ok(qm_open(&o, &w->a.db, &w->a.e));
  assert_false(holds_key(w->a.db));
  qm_id again = device_of(w->a.db);
  assert_memory_equal(&first, &again, sizeof first);
  qm_close(w->a.db);
  w->a.db = NULL;
  o.key_load = NULL; /* and without the store nobody can write in its name */
  o.key_save = NULL;
  assert_int_equal(qm_open(&o, &w->a.db, &w->a.e), QM_EACCESS);
}

/* --- suspending --- */

static int locks_held(void) {
  char line[256];
  int n = 0;
  FILE *in = fopen("/proc/locks", "r");
  assert_non_null(in);
  while (fgets(line, sizeof line, in)) {
    int pid = 0;
    if (sscanf(line, "%*s %*s %*s %*s %d", &pid) == 1 && pid == (int)getpid()) n++;
  }
  fclose(in);
  return n;
}

static void test_suspend(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27], wal[4096];
  qm_text t;
  qm_tx *tx;
  app_make(a, "1", id);
  ok(qm_sql(a->db, S("SELECT * FROM household"), NONE, 0, 0, &t, &a->e)); /* a second connection */
  qm_text_free(&t);
  while (locks_held() == 0) (void)poll(NULL, 0, 1); /* the list may lack one while others change */
  ok(qm_suspend(a->db, 1000, &a->e));
  assert_int_equal(locks_held(), 0);
  snprintf(wal, sizeof wal, "%s-wal", a->o.path);
  assert_int_not_equal(access(wal, F_OK), 0);
  assert_int_equal(qm_begin(a->db, NONE, &tx, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_get(a->db, NONE, S("household"), S(id), 0, &t, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_sql(a->db, S("SELECT 1"), NONE, 0, 0, &t, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_changes_wait(a->db, NONE, 10, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_ESUSPENDED);
  ok(qm_suspend(a->db, 0, &a->e)); /* twice is fine */
  assert_int_equal(locks_held(), 0);
  ok(qm_resume(a->db, &a->e));
  assert_true(app_shows(a, id, "\"no\":\"1\""));
  ok(qm_resume(a->db, &a->e));
  ok(qm_suspend(a->db, 1000, &a->e)); /* closing while suspended: teardown */
}

static void test_suspend_ends_a_transaction(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  qm_text t, other;
  app_make(a, "1", id);
  qm_tx *tx = app_begin(a);
  ok(qm_set(tx, S("household"), S(id), S("head"), S("Not saved (invented)"), 0, &a->e));
  ok(qm_suspend(a->db, 20, &a->e));
  assert_int_equal(locks_held(), 0);
  assert_int_equal(qm_set(tx, S("household"), S(id), S("head"), S("x"), 0, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_new(tx, S("household"), NONE, &other, NULL, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_written(tx), 0);
  ok(qm_resume(a->db, &a->e));
  assert_int_equal(qm_commit(tx, &a->e), QM_ESUSPENDED);
  app_get(a, id, 0, &t);
  assert_null(strstr(t.p, "Not saved"));
  qm_text_free(&t);
  tx = app_begin(a); /* another one goes on */
  ok(qm_set(tx, S("household"), S(id), S("head"), S("Saved (invented)"), 0, &a->e));
  app_commit(a, tx);
  tx = app_begin(a);
  ok(qm_suspend(a->db, 0, &a->e));
  qm_cancel(tx);
  ok(qm_resume(a->db, &a->e));
  (void)app_begin(a); /* ended by suspend and never freed by its owner: close does */
  ok(qm_suspend(a->db, 0, &a->e));
}

typedef struct waiting {
  qm_db *db;
  char cursor[64];
  int rc;
} waiting;

/* Threads only note what came: an assertion in them would end the program. */
static void *wait_for_change(void *payload) {
  waiting *x = payload;
  x->rc = qm_changes_wait(x->db, S(x->cursor), UINT32_MAX, NULL);
  return NULL;
}

static void *query_long(void *payload) {
  waiting *x = payload;
  qm_text t;
  x->rc = qm_sql(x->db,
                 S("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
                   "SELECT count(*) FROM n"),
                 NONE, 0, 600000, &t, NULL);
  return NULL;
}

/* What waits or computes in other threads leaves. It may have begun or not: both are right. */
static void test_suspend_others_leave(void **state) {
  world *w = *state;
  pthread_t t[2];
  waiting x = {.db = w->a.db}, y = {.db = w->a.db};
  qm_text changes;
  ok(qm_changes(w->a.db, NONE, 0, &changes, &w->a.e));
  text_member(&changes, "\"cursor\":\"", x.cursor, sizeof x.cursor);
  qm_text_free(&changes);
  assert_int_equal(pthread_create(&t[0], NULL, wait_for_change, &x), 0);
  assert_int_equal(pthread_create(&t[1], NULL, query_long, &y), 0);
  while (x.rc == 0 && locks_held() < 2) poll(NULL, 0, 1);
  ok(qm_suspend(w->a.db, 20000, &w->a.e));
  assert_int_equal(locks_held(), 0);
  pthread_join(t[0], NULL);
  pthread_join(t[1], NULL);
  assert_int_equal(x.rc, QM_ESUSPENDED);
  assert_int_equal(y.rc, QM_ESUSPENDED);
}

/* --- events --- */

static int is_readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

static void test_events(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  int32_t fd = -1, same = -2;
  qm_text t;
  assert_int_equal(qm_events(a->db, 0, &t, &a->e), QM_ETIMEOUT);
  ok(qm_events_fd(a->db, &fd, &a->e));
  ok(qm_events_fd(a->db, &same, &a->e));
  assert_int_equal(fd, same);
  assert_false(is_readable(fd));
  app_make(a, "1", id);
  app_make(a, "2", id);
  assert_true(is_readable(fd));
  ok(qm_events(a->db, 0, &t, &a->e));
  assert_string_equal(t.p, "{\"event\":\"changed\"}\n"); /* one, of two commits */
  qm_text_free(&t);
  assert_false(is_readable(fd));
  qm_tx *tx = app_begin(a);
  app_commit(a, tx); /* nothing was written */
  assert_int_equal(qm_events(a->db, 0, &t, &a->e), QM_ETIMEOUT);
  ok(qm_suspend(a->db, 100, &a->e));
  ok(qm_resume(a->db, &a->e));
  assert_true(is_readable(fd));
  ok(qm_events(a->db, UINT32_MAX, &t, &a->e));
  assert_string_equal(t.p, "{\"event\":\"suspended\"}\n{\"event\":\"resumed\"}\n");
  qm_text_free(&t);
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_ENOTENROLLED);
  ok(qm_events(a->db, 0, &t, &a->e));
  assert_true(text_holds(&t, "\"state\":\"ended\",\"code\":\"ENOTENROLLED\""));
  qm_text_free(&t);
}

typedef struct heard {
  pthread_mutex_t lock;
  pthread_cond_t news;
  qm_db *db;
  char last[256];
  int n, freed;
  pthread_t thread;
} heard;

static void on_event(void *payload, const char *line, size_t n) {
  heard *h = payload;
  qm_text t;
  assert_int_equal(strlen(line), n);
  if (qm_status(h->db, QM_FAST, &t, NULL) == QM_OK) qm_text_free(&t); /* it may call qianmo */
  pthread_mutex_lock(&h->lock);
  snprintf(h->last, sizeof h->last, "%s", line);
  h->n++;
  h->thread = pthread_self();
  pthread_cond_broadcast(&h->news);
  pthread_mutex_unlock(&h->lock);
}

static void on_free(void *payload) { ((heard *)payload)->freed++; }

static void test_listen(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  qm_text t;
  heard h = {.db = a->db};
  pthread_mutex_init(&h.lock, NULL);
  pthread_cond_init(&h.news, NULL);
  ok(qm_listen(a->db, on_event, &h, on_free, &a->e));
  assert_int_equal(qm_listen(a->db, on_event, &h, on_free, &a->e), QM_ESTATE);
  assert_int_equal(qm_events(a->db, 0, &t, &a->e), QM_ESTATE);
  for (int round = 1; round <= 3; round++) {
    char key[16];
    snprintf(key, sizeof key, "%d", round);
    app_make(a, key, id);
    pthread_mutex_lock(&h.lock);
    while (h.n < round) pthread_cond_wait(&h.news, &h.lock);
    assert_string_equal(h.last, "{\"event\":\"changed\"}");
    assert_false(pthread_equal(h.thread, pthread_self()));
    pthread_mutex_unlock(&h.lock);
  }
  qm_interrupt(a->db); /* is not for listeners */
  qm_unlisten(a->db);
  assert_int_equal(h.freed, 1);
  int n = h.n;
  app_make(a, "9", id);
  assert_int_equal(h.n, n);
  ok(qm_events(a->db, 0, &t, &a->e)); /* kept, for whoever asks next */
  qm_text_free(&t);
  ok(qm_listen(a->db, on_event, &h, on_free, &a->e));
  qm_close(a->db); /* stops it */
  a->db = NULL;
  assert_int_equal(h.freed, 2);
  pthread_cond_destroy(&h.news);
  pthread_mutex_destroy(&h.lock);
}

/* --- status of a record; texts --- */

static void test_record_status(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  qm_text t;
  app_make(a, "1", id);
  ok(qm_record_status(a->db, NONE, S("household"), S("key:1"), &t, &a->e));
  assert_true(text_holds(&t, id));
  assert_true(text_holds(&t, "\"status\":\"local\""));
  qm_text_free(&t);
  assert_int_equal(qm_record_status(a->db, NONE, S("household"), S("key:2"), &t, &a->e),
                   QM_ENOTFOUND);
  assert_int_equal(qm_record_status(a->db, NONE, S("nothing"), S("key:1"), &t, &a->e),
                   QM_ENOTFOUND);
}

/* ---- storage ---- */

/* The app need not know that the database was opened again. */
static void test_storage_fails(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  qm_text t;
  qm_tx *tx;
  app_make(a, "1", id);
  app_fail_save(a);
  assert_true(app_shows(a, id, "\"no\":\"1\""));
  app_fail_save(a);
  app_make(a, "2", id);
  ok(qm_list(a->db, NONE, S("household"), NONE, 0, 0, &t, &a->e));
  assert_true(text_holds(&t, "\"no\":\"1\"") && text_holds(&t, "\"no\":\"2\""));
  qm_text_free(&t);
  app_fail_save(a);
  ok(qm_begin(a->db, NONE, &tx, &a->e));
  qm_cancel(tx);
  ok(qm_check(a->db, &t, &a->e));
  qm_text_free(&t);
}

static void test_error_texts(void **state) {
  (void)state;
#define ROW(name, number, cls, text) number,
  static const int codes[] = {QM_OK, QM_ERRORS(ROW) -9999};
#undef ROW
  for (size_t i = 0; i < COUNT(codes); i++) {
    const char *en = qm_error_text(codes[i], "en_GB.UTF-8"), *zh = qm_error_text(codes[i], "zh-CN");
    assert_true(en[0] && zh[0] && strcmp(en, zh) != 0);
    assert_ptr_equal(qm_error_text(codes[i], NULL), en);
    assert_ptr_equal(qm_error_text(codes[i], ""), en);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_older_options, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_allocator, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_key_store, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_key_moves, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_suspend, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_suspend_ends_a_transaction, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_suspend_others_leave, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_events, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_listen, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_record_status, app_setup, app_teardown),
      cmocka_unit_test_setup_teardown(test_storage_fails, app_setup, app_teardown),
      cmocka_unit_test(test_error_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
