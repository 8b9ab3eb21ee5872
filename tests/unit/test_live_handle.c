/* An app that stays connected (qm_sync_stay) while its own threads write, read, query and
 * wait for changes, and other devices write elsewhere: everybody ends with everything. `make
 * tsan` runs it with ThreadSanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support_handle.h"
#include "tests/unit/support_live.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define EACH 12u /* records that each of the three writes */

typedef struct live_world {
  test_dir dir;
  live_hub hub;
  live_device a, b;
  app app;
  pthread_t stay;
  int stay_rc, stays;
  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t moved;
  uint32_t told_live;
} live_world;

/* --- an enrolled database, without a code --- */

static void enrol(live_world *w) {
  qm_buf cert;
  char hub[32];
  app *a = &w->app;
  app_set(a, &w->dir, "app.db");
  app_open(a);
  qm_buf_init(&cert, &w->hub.own.env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_device(w->hub.ca, qm_key_spki(a->db->key), HUB_NOW_MS, &cert));
  snprintf(hub, sizeof hub, "127.0.0.1:%u", (unsigned)qm_hub_port(w->hub.hub));
  qm_meta_pair pairs[] = {{S(QM_META_CERT), qm_buf_slice(&cert)},
                          {S(QM_META_CA), qm_ca_cert(w->hub.ca)},
                          {S(QM_META_HUB), S(hub)},
                          {S(QM_META_HUB_ID),
                           qm_slice_of(qm_key_device(w->hub.own.key)->b, QM_ID_SIZE)},
                          {S(QM_META_MEMBER), S("Member of the grid")},
                          {S(QM_META_NAME), S("a phone")}};
  ok(qm__handle_meta_put(a->db, pairs, COUNT(pairs)));
  qm_buf_free(&cert);
  if (qm_sync(a->db, NULL, &a->e) != QM_OK) fail_msg("sync: %s", a->e.message);
}

static int setup(void **state) {
  live_world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  test_dir_make(&w->dir);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->moved, NULL);
  live_hub_open(&w->hub);
  live_hub_start(&w->hub);
  live_device_open(&w->a, &w->hub);
  live_device_open(&w->b, &w->hub);
  enrol(w);
  *state = w;
  return 0;
}

static void stop_staying(live_world *w) {
  if (!w->stays) return;
  qm_interrupt(w->app.db);
  pthread_join(w->stay, NULL);
  w->stays = 0;
  ok(w->stay_rc);
}

static int teardown(void **state) {
  live_world *w = *state;
  stop_staying(w);
  qm_close(w->app.db);
  live_device_close(&w->a);
  live_device_close(&w->b);
  live_hub_close(&w->hub);
  pthread_cond_destroy(&w->moved);
  pthread_mutex_destroy(&w->lock);
  test_dir_remove(&w->dir);
  free(w);
  return 0;
}

/* --- threads of the app --- */

static void told(void *payload, int32_t code) {
  live_world *w = payload;
  pthread_mutex_lock(&w->lock);
  w->told_live += code == QM_OK;
  pthread_cond_broadcast(&w->moved);
  pthread_mutex_unlock(&w->lock);
}

static void *stay(void *payload) {
  live_world *w = payload;
  w->stay_rc = qm_sync_stay(w->app.db, told, w, NULL);
  return NULL;
}

static void start_staying(live_world *w) {
  assert_int_equal(pthread_create(&w->stay, NULL, stay, w), 0);
  w->stays = 1;
  pthread_mutex_lock(&w->lock);
  while (!w->told_live) pthread_cond_wait(&w->moved, &w->lock);
  pthread_mutex_unlock(&w->lock);
}

static void write_one(qm_db *db, const char *name) {
  qm_tx *tx;
  qm_text id;
  ok(qm_begin(db, NONE, &tx, NULL));
  ok(qm_new(tx, S("household"), NONE, &id, NULL, NULL));
  ok(qm_set(tx, S("household"), S(id.p), S("head"), S(name), 0, NULL));
  ok(qm_commit(tx, NULL));
  qm_text_free(&id);
}

static void *write_many(void *payload) {
  live_world *w = payload;
  for (uint32_t i = 0; i < EACH; i++) write_one(w->app.db, "Household of the app");
  return NULL;
}

static uint64_t households(qm_db *db) {
  qm_text t;
  ok(qm_sql(db, S("SELECT count(*) FROM household"), NONE, 0, 0, &t, NULL));
  const char *row = strchr(t.p, '\n');
  assert_non_null(row);
  uint64_t n = strtoull(row + 2, NULL, 10);
  qm_text_free(&t);
  return n;
}

/* Reads whatever there is, over and over, until it has seen all of it. */
static void *read_all(void *payload) {
  live_world *w = payload;
  qm_db *db = w->app.db;
  char since[64] = "";
  while (households(db) < 3 * EACH) {
    qm_text t;
    int rc = qm_changes_wait(db, S(since), HUB_WAIT_MS, NULL);
    if (rc != QM_OK) fail_msg("no change came: %s", qm_err_name(rc));
    ok(qm_changes(db, S(since), 0, &t, NULL));
    const char *last = t.p;
    for (const char *p = t.p; (p = strstr(p, "{\"cursor\":\"")) != NULL; p++) last = p + 11;
    size_t n = strcspn(last, "\"");
    assert_in_range(n, 1, sizeof since - 1);
    memcpy(since, last, n);
    since[n] = 0;
    qm_text_free(&t);
    ok(qm_list(db, NONE, S("household"), NONE, 0, QM_DETAIL, &t, NULL));
    qm_text_free(&t);
    ok(qm_status(db, QM_FAST, &t, NULL));
    qm_text_free(&t);
  }
  return NULL;
}

static void *write_elsewhere(void *payload) {
  live_device *l = payload;
  for (uint32_t i = 0; i < EACH; i++) live_write(l, 1, "Household of another lane");
  return NULL;
}

static const uint64_t all_of_them = 3 * EACH;

static void test_everybody_at_once(void **state) {
  live_world *w = *state;
  pthread_t t[4];
  char x[33], y[33];
  live_device_stay(&w->a);
  live_device_stay(&w->b);
  start_staying(w);
  assert_int_equal(pthread_create(&t[0], NULL, read_all, w), 0);
  assert_int_equal(pthread_create(&t[1], NULL, write_many, w), 0);
  assert_int_equal(pthread_create(&t[2], NULL, write_elsewhere, &w->a), 0);
  assert_int_equal(pthread_create(&t[3], NULL, write_elsewhere, &w->b), 0);
  for (size_t i = 0; i < COUNT(t); i++) pthread_join(t[i], NULL);
  live_wait(&w->a, live_has_records, &all_of_them);
  live_wait(&w->b, live_has_records, &all_of_them);
  stop_staying(w);
  live_device_leave(&w->a);
  live_device_leave(&w->b);
  live_hub_stop(&w->hub);
  hub_device_digest(&w->hub.own, x);
  hub_device_digest(&w->a.d, y);
  assert_string_equal(x, y);
  assert_int_equal(app_status_holds(&w->app, x), 1);
}

/* Interrupted in the middle of whatever it does; a second stay while one runs is refused. */
static void test_interrupted(void **state) {
  live_world *w = *state;
  pthread_t t;
  start_staying(w);
  assert_int_equal(qm_sync(w->app.db, NULL, NULL), QM_EBUSY);
  assert_int_equal(pthread_create(&t, NULL, write_many, w), 0);
  stop_staying(w);
  pthread_join(t, NULL);
  ok(qm_sync(w->app.db, NULL, NULL));
  assert_int_equal(households(w->app.db), EACH);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_everybody_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
