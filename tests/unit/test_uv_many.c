/* A hub with several workers: many connections at once, groups across connections, sessions
 * that stay, and resumption with the device judged anew. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/space.h"
#include "sync/uv/hub.h"
#include "sync/uv/shard.h"
#include "tests/unit/support_dir.h"
#include "tests/unit/support_hub.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define MANY 24u

typedef struct fixture {
  hub_device own;
  qm_ca *ca;
  qm_buf cert;
  qm_hub_config config;
  qm_hub_backend backend;
  qm_hub *hub;
  pthread_t thread;
  int rc, runs;
  hub_device devices[MANY];
  pthread_mutex_t lock; /* of what follows */
  qm_id barred;
  int barred_rc;
  uint64_t standing;
  uint32_t checks, admits;
} fixture;

static int judged(fixture *f, const qm_id *device, uint32_t *count) {
  pthread_mutex_lock(&f->lock);
  ++*count;
  int rc = qm_id_cmp(&f->barred, device) == 0 ? f->barred_rc : QM_OK;
  pthread_mutex_unlock(&f->lock);
  return rc;
}

static int admit(void *payload, const qm_id *device, const qm_cert *cert, qm_id *writes_as) {
  fixture *f = payload;
  (void)cert;
  (void)writes_as;
  return judged(f, device, &f->admits);
}

static int check(void *payload, const qm_id *device) {
  fixture *f = payload;
  return judged(f, device, &f->checks);
}

static uint64_t standing(void *payload) {
  fixture *f = payload;
  pthread_mutex_lock(&f->lock);
  uint64_t n = f->standing;
  pthread_mutex_unlock(&f->lock);
  return n;
}

static void bar(fixture *f, const hub_device *d, int rc) {
  pthread_mutex_lock(&f->lock);
  f->barred = *qm_key_device(d->key);
  f->barred_rc = rc;
  f->standing++;
  pthread_mutex_unlock(&f->lock);
}

static void *run_hub(void *payload) {
  fixture *f = payload;
  f->rc = qm_hub_run(f->hub);
  return NULL;
}

static void start(fixture *f, uint32_t loops) {
  qm_error e = {0, ""};
  qm_hub_options o = hub_options_of(&f->own, f->ca, &f->cert, &f->config,
                                    &(qm_hub_shard){f->own.engine, &f->backend}, 1);
  f->config.loops = loops;
  if (qm_hub_open(&f->hub, &o, &e) != QM_OK) fail_msg("%s", e.message);
  assert_int_equal(pthread_create(&f->thread, NULL, run_hub, f), 0);
  f->runs = 1;
}

static void stop(fixture *f) {
  if (!f->runs) return;
  qm_hub_stop(f->hub);
  pthread_join(f->thread, NULL);
  ok(f->rc);
  qm_hub_close(f->hub);
  f->runs = 0;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  signal(SIGPIPE, SIG_IGN);
  pthread_mutex_init(&f->lock, NULL);
  hub_device_open(&f->own, HUB_NOW_MS);
  hub_device_authority(&f->own, &f->ca, &f->cert);
  hub_device_add_space(&f->own, 's', "grid");
  for (uint32_t i = 0; i < MANY; i++) {
    hub_device_open(&f->devices[i], HUB_NOW_MS);
    hub_device_certify(&f->devices[i], f->ca, HUB_NOW_MS);
    hub_device_add_space(&f->devices[i], 's', "grid");
  }
  qm_hub_config_default(&f->config);
  ok(qm_address_parse("127.0.0.1:0", 11, f->config.host, &f->config.port));
  f->standing = 1;
  f->backend = (qm_hub_backend){.payload = f, .admit = admit, .standing = standing, .check = check};
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  stop(f);
  for (uint32_t i = 0; i < MANY; i++) hub_device_close(&f->devices[i]);
  hub_device_close(&f->own);
  qm_ca_free(f->ca);
  qm_buf_free(&f->cert);
  pthread_mutex_destroy(&f->lock);
  free(f);
  return 0;
}

/* --- many at once --- */

typedef struct runner {
  hub_device *d;
  uint16_t port;
  int rc;
} runner;

static void *run_device(void *payload) {
  runner *r = payload;
  for (int i = 0; i < 3 && r->rc == QM_OK; i++) {
    hub_device_write(r->d, NULL, "Household of the rush");
    r->rc = hub_device_sync(r->d, r->port);
  }
  return NULL;
}

static void rush(fixture *f) {
  runner runners[MANY];
  pthread_t threads[MANY];
  for (uint32_t i = 0; i < MANY; i++) {
    runners[i] = (runner){&f->devices[i], qm_hub_port(f->hub), QM_OK};
    assert_int_equal(pthread_create(&threads[i], NULL, run_device, &runners[i]), 0);
  }
  for (uint32_t i = 0; i < MANY; i++) pthread_join(threads[i], NULL);
  for (uint32_t i = 0; i < MANY; i++) {
    if (runners[i].rc != QM_OK) fail_msg("%s", f->devices[i].error.message);
    ok(hub_device_sync(&f->devices[i], qm_hub_port(f->hub)));
  }
}

static void test_workers(void **state) {
  fixture *f = *state;
  char x[33], y[33];
  start(f, 4);
  rush(f);
  stop(f);
  assert_int_equal(hub_device_count(&f->own), 3 * MANY);
  hub_device_digest(&f->own, y);
  for (uint32_t i = 0; i < MANY; i++) {
    hub_device_digest(&f->devices[i], x);
    assert_string_equal(x, y);
  }
}

/* Where nothing about devices changed, a session asks about its own once. */
static void test_checked_once(void **state) {
  fixture *f = *state;
  start(f, 2);
  hub_device_write(&f->devices[0], NULL, "Household of the morning");
  ok(hub_device_sync(&f->devices[0], qm_hub_port(f->hub)));
  stop(f);
  assert_int_equal(f->admits, 1);
  assert_true(f->checks >= 1 && f->checks <= 2);
}

static void test_opened_and_closed(void **state) {
  fixture *f = *state;
  for (uint32_t loops = 1; loops <= 8; loops *= 2) {
    start(f, loops);
    stop(f);
    f->config.loops = loops;
    qm_error e = {0, ""};
    qm_hub *hub;
    qm_hub_options o = hub_options_of(&f->own, f->ca, &f->cert, &f->config,
                                    &(qm_hub_shard){f->own.engine, &f->backend}, 1);
    ok(qm_hub_open(&hub, &o, &e));
    qm_hub_close(hub); /* without a run */
  }
}

/* --- resuming --- */

static int sync_with(fixture *f, hub_device *d, qm_buf *ticket) {
  qm_client_options o = {.size = sizeof o,
                         .env = &d->env,
                         .host = "127.0.0.1",
                         .port = qm_hub_port(f->hub),
                         .ca = qm_buf_slice(&d->ca),
                         .cert = qm_buf_slice(&d->cert),
                         .key = d->key,
                         .ticket = ticket};
  qm_client_result_free(&d->result);
  memset(&d->error, 0, sizeof d->error);
  return qm_client_sync(&o, d->engine, &d->result, &d->error);
}

static void test_resumed(void **state) {
  fixture *f = *state;
  hub_device *d = &f->devices[0];
  qm_buf ticket;
  qm_buf_init(&ticket, &d->env, QM_CLIENT_TICKET_MAX);
  start(f, 3);
  for (uint32_t i = 0; i < 6; i++) { /* whichever worker it comes to */
    hub_device_write(d, NULL, "Household of every day");
    ok(sync_with(f, d, &ticket));
    assert_int_equal(d->result.is_resumed, i > 0);
    assert_int_equal(d->result.taken_up, 1);
    assert_int_equal(f->admits, i + 1);
    assert_true(ticket.n > 0);
  }
  /* Revoked: refused although it could resume, and told so. */
  bar(f, d, QM_EREVOKED);
  assert_int_equal(sync_with(f, d, &ticket), QM_EREVOKED);
  assert_int_equal(ticket.n, 0);
  bar(f, d, QM_OK);
  ok(sync_with(f, d, &ticket));
  assert_int_equal(d->result.is_resumed, 0);
  stop(f);
  start(f, 1); /* another process: it has other keys */
  ok(sync_with(f, d, &ticket));
  assert_int_equal(d->result.is_resumed, 0);
  qm_buf_free(&ticket);
}

/* --- groups --- */

typedef struct gate {
  sem_t began, open, done; /* began: a round, which waits for open */
  uint32_t taken, answered;
  int durable; /* syncs when the first was answered */
} gate;

static sqlite3_vfs counting;
static sqlite3_io_methods methods[4];
static const sqlite3_io_methods *real_methods[4];
static int syncs; /* store thread, and the test while there is none */

static int count_sync(sqlite3_file *file, int flags) {
  syncs++;
  return real_methods[file->pMethods - methods]->xSync(file, flags);
}

static int count_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out) {
  sqlite3_vfs *real = v->pAppData;
  int rc = real->xOpen(real, name, file, flags, out), i = 0;
  if (rc != SQLITE_OK || !file->pMethods) return rc;
  while (i < 4 && real_methods[i] && real_methods[i] != file->pMethods) i++;
  assert_true(i < 4);
  real_methods[i] = file->pMethods;
  methods[i] = *file->pMethods;
  methods[i].xSync = count_sync;
  file->pMethods = &methods[i];
  return rc;
}

static int wait_open(void *payload, qm_engine *engine) {
  gate *g = payload;
  (void)engine;
  sem_post(&g->began);
  while (sem_wait(&g->open) != 0) continue;
  return QM_OK;
}

static void take_done(void *payload, qm__job *job) {
  gate *g = payload;
  if (job->kind == QM_JOB_REQUEST) {
    if (!g->answered++) g->durable = syncs;
    assert_int_equal(job->out.rc, QM_OK);
    g->taken += job->out.reply.taken;
  }
  qm_env env = qm_env_default();
  qm__job_free(&env, job);
  sem_post(&g->done);
}

/* What a device wrote, as the commit of a connection of its own. */
static qm__job *commit_of(hub_device *d, const qm_env *env) {
  uint64_t cursor = 0;
  qm_vv_list none = {NULL, 0};
  qm_buf batch;
  qm_buf_init(&batch, env, QM_BATCH_MAX);
  hub_device_write(d, NULL, "Household of the group");
  ok(qm_engine_push(d->engine, hub_device_space(d)));
  ok(qm_engine_next_batch(d->engine, hub_device_space(d), none, &cursor, &batch));
  qm_event ev = {.kind = QM_EV_COMMIT, .ticket = 1, .space = {{'s'}},
                 .peer = *qm_key_device(d->key), .seq = 1, .blob = qm_buf_slice(&batch)};
  qm__job *job = qm__job_new(env, QM_JOB_REQUEST, NULL);
  assert_non_null(job);
  ok(qm__job_event(job, env, &ev));
  qm_buf_free(&batch);
  return job;
}

/* The first round is held open; what comes meanwhile from 23 connections is one group, with
 * one fsync, and nobody is answered before the fsync of its group. */
static void test_one_sync_for_all(void **state) {
  fixture *f = *state;
  gate g;
  qm__shard *s;
  test_dir dir;
  qm_error e = {0, ""};
  qm_hub_backend backend = {.payload = &g, .refresh = wait_open};
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  hub_device hub;
  memset(&g, 0, sizeof g);
  sem_init(&g.began, 0, 0);
  sem_init(&g.open, 0, 0);
  sem_init(&g.done, 0, 0);
  counting = *real;
  counting.zName = "counting";
  counting.pAppData = real;
  counting.xOpen = count_open;
  assert_int_equal(sqlite3_vfs_register(&counting, 1), SQLITE_OK);
  test_dir_make(&dir);
  hub_device_open(&hub, HUB_NOW_MS);
  qm_engine_close(hub.engine);
  hub.store->ops->close(hub.store);
  ok(qm_store_sqlite_open(&hub.env, test_dir_file(&dir, "spaces.db"), QM_SQLITE_CREATE, &hub.store,
                          &e));
  qm_engine_options eo = {.size = sizeof eo,
                          .flags = QM_ENGINE_HUB | QM_ENGINE_BEHIND,
                          .device = *qm_key_device(hub.key)};
  ok(qm_engine_open(&hub.engine, &hub.env, hub.store, &eo, &e));
  hub_device_add_space(&hub, 's', "grid");
  qm_env env = qm_env_default();
  qm__shard_options o = {.env = &env, .engine = hub.engine, .backend = &backend,
                         .flags = QM_ANSWER_HUB, .deliver = take_done, .payload = &g};
  int before = syncs;
  ok(qm__shard_start(&s, &o));
  qm__shard_push(s, commit_of(&f->devices[0], &env));
  while (sem_wait(&g.began) != 0) continue;
  for (uint32_t i = 1; i < MANY; i++) qm__shard_push(s, commit_of(&f->devices[i], &env));
  for (uint32_t i = 0; i < MANY; i++) sem_post(&g.open);
  for (uint32_t i = 0; i < MANY; i++)
    while (sem_wait(&g.done) != 0) continue;
  uint64_t groups, batches;
  qm__shard_groups(s, &groups, &batches);
  qm__shard_stop(s);
  assert_int_equal(g.taken, MANY);
  assert_int_equal(batches, MANY);
  assert_int_equal(groups, 2);
  assert_int_equal(g.durable - before, 1);
  assert_int_equal(syncs - before, 2);
  assert_int_equal(sqlite3_vfs_unregister(&counting), SQLITE_OK);
  hub_device_close(&hub);
  test_dir_remove(&dir);
  sem_destroy(&g.began);
  sem_destroy(&g.open);
  sem_destroy(&g.done);
}

/* --- ends --- */

typedef struct notes {
  gate g; /* first: the callbacks above */
  int begun, kept, dropped, inside, alone, fail_at; /* fail_at: of the touches inside, 0: none */
} notes;

static int note_begin(void *payload) {
  ((notes *)payload)->begun++;
  return QM_OK;
}

static int note_end(void *payload, int keep) {
  notes *n = payload;
  if (keep) n->kept++;
  else n->dropped++;
  return QM_OK;
}

static int note_touch(void *payload, const qm_id *device, const qm_hub_seen *seen) {
  notes *n = payload;
  (void)device;
  (void)seen;
  if (n->begun == n->kept + n->dropped) {
    n->alone++;
    return QM_OK;
  }
  return ++n->inside == n->fail_at ? QM_EFULL : QM_OK;
}

/* Many sessions end: one transaction for their notes; where one of them fails, each alone. */
static void test_ends_together(void **state) {
  fixture *f = *state;
  qm_env env = qm_env_default();
  for (int fail_at = 0; fail_at <= 3; fail_at += 3) {
    qm__shard *s;
    notes n;
    memset(&n, 0, sizeof n);
    n.fail_at = fail_at;
    sem_init(&n.g.began, 0, 0);
    sem_init(&n.g.open, 0, 0);
    sem_init(&n.g.done, 0, 0);
    qm_hub_backend backend = {.payload = &n, .refresh = wait_open, .touch = note_touch,
                              .touch_begin = note_begin, .touch_end = note_end};
    qm__shard_options o = {.env = &env, .engine = f->own.engine, .backend = &backend,
                           .flags = QM_ANSWER_HUB, .deliver = take_done, .payload = &n};
    ok(qm__shard_start(&s, &o));
    qm__shard_push(s, qm__job_new(&env, QM_JOB_LOOK, NULL));
    while (sem_wait(&n.g.began) != 0) continue; /* what comes now is the next round */
    for (uint32_t i = 0; i < MANY; i++) {
      qm__job *job = qm__job_new(&env, QM_JOB_END, NULL);
      assert_non_null(job);
      job->has_seen = 1;
      qm__shard_push(s, job);
    }
    for (uint32_t i = 0; i < MANY + 1; i++) sem_post(&n.g.open);
    for (uint32_t i = 0; i < MANY + 1; i++)
      while (sem_wait(&n.g.done) != 0) continue;
    qm__shard_stop(s);
    assert_int_equal(n.begun, 1);
    assert_int_equal(n.kept, fail_at == 0);
    assert_int_equal(n.dropped, fail_at != 0);
    assert_int_equal(n.inside, fail_at ? fail_at : (int)MANY);
    assert_int_equal(n.alone, fail_at ? (int)MANY : 0);
    sem_destroy(&n.g.began);
    sem_destroy(&n.g.open);
    sem_destroy(&n.g.done);
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {CASE(test_workers), CASE(test_checked_once),
                                     CASE(test_opened_and_closed), CASE(test_resumed),
                                     CASE(test_one_sync_for_all), CASE(test_ends_together)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
