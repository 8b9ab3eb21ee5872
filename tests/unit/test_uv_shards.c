/* A hub of several shards: each request goes to the shard that has its space, what a device may
 * read is put together of all, and a session's notes come after all that it asked for. */
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
#include <unistd.h>

#include <cmocka.h>

#include "core/space.h"
#include "sync/code.h"
#include "sync/uv/gather.h"
#include "sync/uv/hub.h"
#include "tests/unit/support_hub.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define SHARDS 3u
#define SPACES 6u
#define DEVICES 8u

struct fixture;

typedef struct side {
  struct fixture *f;
  hub_device own; /* the first's key is the hub's */
  qm_hub_backend backend;
  qm_store_ops faulty;
  const qm_store_ops *real;
  int fault_rc; /* commits fail with it; read on the store thread */
} side;

typedef struct fixture {
  side sides[SHARDS];
  qm_ca *ca;
  qm_buf cert;
  qm_hub_config config;
  qm_hub *hub;
  pthread_t thread;
  int rc, runs;
  hub_device devices[DEVICES];
  sem_t at_held, go_on;
  pthread_mutex_t lock; /* of what follows */
  const side *bars;     /* check is refused there */
  int waits;            /* the last shard's `held` waits for go_on */
  uint32_t held, touched, held_at_touch, enrolments;
  uint32_t misplaced; /* asked of another than its own */
} fixture;

/* --- the backends --- */

static uint32_t place(const qm_id *space) { return (uint32_t)(space->b[0] - 'a') % SHARDS; }

static uint32_t shard_of(void *payload, const qm_id *space) {
  (void)payload;
  return place(space);
}

static int check(void *payload, const qm_id *device) {
  const side *s = payload;
  (void)device;
  pthread_mutex_lock(&s->f->lock);
  int rc = s->f->bars == s ? QM_EREVOKED : QM_OK;
  pthread_mutex_unlock(&s->f->lock);
  return rc;
}

static void held(void *payload, const qm_id *device, const qm_id *space, qm_vv_list vv) {
  side *s = payload;
  fixture *f = s->f;
  (void)device;
  (void)vv;
  pthread_mutex_lock(&f->lock);
  f->misplaced += s != &f->sides[place(space)];
  int waits = f->waits && s == &f->sides[SHARDS - 1];
  if (waits) f->waits = 0;
  pthread_mutex_unlock(&f->lock);
  if (waits) {
    sem_post(&f->at_held);
    while (sem_wait(&f->go_on) != 0) continue;
  }
  pthread_mutex_lock(&f->lock);
  f->held++;
  pthread_mutex_unlock(&f->lock);
}

static int touch(void *payload, const qm_id *device, const qm_hub_seen *seen) {
  side *s = payload;
  fixture *f = s->f;
  (void)device;
  (void)seen;
  pthread_mutex_lock(&f->lock);
  f->misplaced += s != &f->sides[0];
  f->touched++;
  f->held_at_touch = f->held;
  pthread_mutex_unlock(&f->lock);
  return QM_OK;
}

static int enrol(void *payload, qm_slice request, const char *address, qm_arena *arena,
                 qm_enrol_response *out) {
  side *s = payload;
  (void)request;
  (void)address;
  (void)arena;
  (void)out;
  pthread_mutex_lock(&s->f->lock);
  s->f->misplaced += s != &s->f->sides[0];
  s->f->enrolments++;
  pthread_mutex_unlock(&s->f->lock);
  return QM_EIO;
}

/* --- a store that fails --- */

static side *side_of(fixture *f, const qm_store *s) {
  for (uint32_t i = 0; i < SHARDS; i++)
    if (f->sides[i].own.store == s) return &f->sides[i];
  return NULL;
}

static fixture *the_fixture; /* store ops have no payload */

static int fault_commit(qm_store *store, qm_durability durability, qm_store_done done,
                        void *payload) {
  side *s = side_of(the_fixture, store);
  (void)durability;
  (void)done;
  (void)payload;
  s->real->rollback(store);
  return s->fault_rc;
}

static void make_faulty(side *s, int rc) {
  s->real = s->own.store->ops;
  s->faulty = *s->real;
  s->faulty.commit = fault_commit;
  s->fault_rc = rc;
  s->own.store->ops = &s->faulty;
}

/* --- life --- */

static void add_space(hub_device *d, uint32_t number) {
  char name[8];
  snprintf(name, sizeof name, "grid-%u", (unsigned)number);
  hub_device_add_space(d, (char)('a' + number), name);
}

static void *run_hub(void *payload) {
  fixture *f = payload;
  f->rc = qm_hub_run(f->hub);
  return NULL;
}

static int open_hub(fixture *f, uint32_t n_shards, qm_hub **out, qm_error *e) {
  qm_hub_shard shards[SHARDS];
  for (uint32_t i = 0; i < SHARDS; i++)
    shards[i] = (qm_hub_shard){f->sides[i].own.engine, &f->sides[i].backend};
  qm_hub_options o = hub_options_of(&f->sides[0].own, f->ca, &f->cert, &f->config, shards,
                                    n_shards);
  return qm_hub_open(out, &o, e);
}

static void start(fixture *f) {
  qm_error e = {0, ""};
  if (open_hub(f, SHARDS, &f->hub, &e) != QM_OK) fail_msg("%s", e.message);
  assert_int_equal(pthread_create(&f->thread, NULL, run_hub, f), 0);
  f->runs = 1;
}

static void stop(fixture *f) {
  if (!f->runs) return;
  qm_hub_stop(f->hub);
  pthread_join(f->thread, NULL);
  qm_hub_close(f->hub);
  f->runs = 0;
  assert_int_equal(f->misplaced, 0);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  the_fixture = f;
  signal(SIGPIPE, SIG_IGN);
  pthread_mutex_init(&f->lock, NULL);
  sem_init(&f->at_held, 0, 0);
  sem_init(&f->go_on, 0, 0);
  for (uint32_t i = 0; i < SHARDS; i++) {
    side *s = &f->sides[i];
    s->f = f;
    hub_device_open(&s->own, HUB_NOW_MS);
    s->backend = (qm_hub_backend){.payload = s, .shard_of = shard_of, .check = check,
                                  .held = held, .touch = touch, .enrol = enrol};
  }
  for (uint32_t i = 0; i < SPACES; i++) add_space(&f->sides[i % SHARDS].own, i);
  hub_device_authority(&f->sides[0].own, &f->ca, &f->cert);
  for (uint32_t i = 0; i < DEVICES; i++) {
    hub_device_open(&f->devices[i], HUB_NOW_MS);
    hub_device_certify(&f->devices[i], f->ca, HUB_NOW_MS);
    for (uint32_t k = 0; k < SPACES; k++) add_space(&f->devices[i], k);
  }
  qm_hub_config_default(&f->config);
  ok(qm_address_parse("127.0.0.1:0", 11, f->config.host, &f->config.port));
  f->config.loops = 3;
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  stop(f);
  for (uint32_t i = 0; i < DEVICES; i++) hub_device_close(&f->devices[i]);
  for (uint32_t i = 0; i < SHARDS; i++) hub_device_close(&f->sides[i].own);
  qm_ca_free(f->ca);
  qm_buf_free(&f->cert);
  sem_destroy(&f->at_held);
  sem_destroy(&f->go_on);
  pthread_mutex_destroy(&f->lock);
  free(f);
  return 0;
}

static void write_everywhere(hub_device *d) {
  char name[8];
  for (uint32_t i = 0; i < SPACES; i++) {
    snprintf(name, sizeof name, "grid-%u", (unsigned)i);
    hub_device_write(d, name, "Household of every grid");
  }
}

/* Records of a space at whoever has it. */
static uint64_t count(hub_device *d, uint32_t number) {
  uint64_t n = 0;
  const qm_id id = {{(uint8_t)('a' + number)}};
  const qm_space *s = qm_engine_space(d->engine, &id);
  if (!s) return 0;
  ok(d->store->ops->record_count(d->store, s->number, 1, &n));
  return n;
}

static void assert_same(fixture *f, hub_device *d) {
  for (uint32_t i = 0; i < SPACES; i++) {
    const qm_id id = {{(uint8_t)('a' + i)}};
    qm_digest mine, its;
    qm_space_digest(qm_engine_space(d->engine, &id), &mine);
    qm_space_digest(qm_engine_space(f->sides[i % SHARDS].own.engine, &id), &its);
    assert_memory_equal(&mine, &its, sizeof mine);
  }
}

/* --- tests --- */

typedef struct runner {
  hub_device *d;
  uint16_t port;
  int rc;
} runner;

static void *run_device(void *payload) {
  runner *r = payload;
  for (int i = 0; i < 2 && r->rc == QM_OK; i++) {
    write_everywhere(r->d);
    r->rc = hub_device_sync(r->d, r->port);
  }
  return NULL;
}

/* Many devices with spaces in all shards, at once. */
static void test_all_converge(void **state) {
  fixture *f = *state;
  runner runners[DEVICES];
  pthread_t threads[DEVICES];
  start(f);
  uint16_t port = qm_hub_port(f->hub);
  for (uint32_t i = 0; i < DEVICES; i++) {
    runners[i] = (runner){&f->devices[i], port, QM_OK};
    assert_int_equal(pthread_create(&threads[i], NULL, run_device, &runners[i]), 0);
  }
  for (uint32_t i = 0; i < DEVICES; i++) pthread_join(threads[i], NULL);
  for (uint32_t i = 0; i < DEVICES; i++) {
    if (runners[i].rc != QM_OK) fail_msg("%s", f->devices[i].error.message);
    ok(hub_device_sync(&f->devices[i], port));
  }
  stop(f);
  ok(f->rc);
  assert_int_equal(f->touched, 3 * DEVICES);
  for (uint32_t i = 0; i < SPACES; i++)
    assert_int_equal(count(&f->sides[i % SHARDS].own, i), 2 * DEVICES);
  for (uint32_t i = 0; i < DEVICES; i++) assert_same(f, &f->devices[i]);
}

/* A device is told of all the spaces, of whichever shard. */
static void test_spaces_of_all_shards(void **state) {
  fixture *f = *state;
  hub_device d;
  hub_device_open(&d, HUB_NOW_MS);
  hub_device_certify(&d, f->ca, HUB_NOW_MS);
  start(f);
  write_everywhere(&f->devices[0]);
  ok(hub_device_sync(&f->devices[0], qm_hub_port(f->hub)));
  ok(hub_device_sync(&d, qm_hub_port(f->hub)));
  stop(f);
  assert_int_equal(qm_engine_space_count(d.engine), SPACES);
  assert_same(f, &d);
  hub_device_close(&d);
}

/* One shard that says no is enough. */
static void test_barred_by_one(void **state) {
  fixture *f = *state;
  write_everywhere(&f->devices[0]);
  for (uint32_t i = 0; i < SHARDS; i++) {
    f->bars = &f->sides[i];
    start(f);
    assert_int_not_equal(hub_device_sync(&f->devices[0], qm_hub_port(f->hub)), QM_OK);
    stop(f);
    assert_int_equal(f->devices[0].result.complete, 0);
    for (uint32_t k = 0; k < SPACES; k++)
      assert_int_equal(count(&f->sides[k % SHARDS].own, k), 0);
  }
  f->bars = NULL;
  start(f);
  ok(hub_device_sync(&f->devices[0], qm_hub_port(f->hub)));
}

/* The disk of one is full: the device hears it, and the hub serves on. */
static void test_one_is_full(void **state) {
  fixture *f = *state;
  hub_device *d = &f->devices[0];
  start(f);
  ok(hub_device_sync(d, qm_hub_port(f->hub)));
  stop(f);
  write_everywhere(d);
  make_faulty(&f->sides[1], QM_EFULL);
  start(f);
  assert_int_equal(hub_device_sync(d, qm_hub_port(f->hub)), QM_EFULL);
  stop(f);
  ok(f->rc);
  assert_int_equal(count(&f->sides[1].own, 1) + count(&f->sides[1].own, 4), 0);
  f->sides[1].own.store->ops = f->sides[1].real;
  start(f);
  ok(hub_device_sync(d, qm_hub_port(f->hub)));
  stop(f);
  for (uint32_t i = 0; i < SPACES; i++)
    assert_int_equal(count(&f->sides[i % SHARDS].own, i), 1);
}

/* Nobody knows what is on the disk of one: all of the hub ends. */
static void test_one_that_fails_ends_the_hub(void **state) {
  fixture *f = *state;
  start(f);
  ok(hub_device_sync(&f->devices[0], qm_hub_port(f->hub)));
  stop(f);
  write_everywhere(&f->devices[0]);
  make_faulty(&f->sides[2], QM_EIO);
  start(f);
  assert_int_not_equal(hub_device_sync(&f->devices[0], qm_hub_port(f->hub)), QM_OK);
  pthread_join(f->thread, NULL);
  assert_int_equal(f->rc, QM_EIO);
  qm_hub_close(f->hub);
  f->runs = 0;
  f->sides[2].own.store->ops = f->sides[2].real;
}

static void make_code(fixture *f, char text[QM_CODE_TEXT_SIZE]) {
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  qm_enrol_code code;
  ok(qm_cert_fingerprint(qm_ca_cert(f->ca), fingerprint));
  ok(qm_code_make(&f->sides[0].own.env, fingerprint, &code));
  qm_code_text(&code, text);
}

static void *run_sync(void *payload) {
  runner *r = payload;
  r->rc = hub_device_sync(r->d, r->port);
  return NULL;
}

/* A session is over while one shard is still at work for it: its notes wait for that, though
 * the first shard is free (it answers an enrolment meanwhile). */
static void test_notes_come_last(void **state) {
  fixture *f = *state;
  pthread_t thread;
  char code[QM_CODE_TEXT_SIZE];
  make_code(f, code);
  f->config.idle_ms = 300; /* the hub's patience, which ends the session */
  write_everywhere(&f->devices[0]);
  f->waits = 1;
  start(f);
  runner r = {&f->devices[0], qm_hub_port(f->hub), QM_OK};
  assert_int_equal(pthread_create(&thread, NULL, run_sync, &r), 0);
  while (sem_wait(&f->at_held) != 0) continue;
  pthread_join(thread, NULL);
  assert_int_not_equal(r.rc, QM_OK);
  assert_int_equal(hub_device_enrol(&f->devices[1], r.port, code), QM_EIO);
  pthread_mutex_lock(&f->lock);
  uint32_t touched = f->touched, enrolments = f->enrolments, before = f->held;
  pthread_mutex_unlock(&f->lock);
  sem_post(&f->go_on);
  stop(f);
  assert_int_equal(enrolments, 1);
  assert_int_equal(touched, 0);
  assert_int_equal(f->touched, 1);
  assert_true(f->held > before);
  assert_int_equal(f->held_at_touch, f->held);
}

static void test_options(void **state) {
  fixture *f = *state;
  qm_hub *hub;
  qm_error e = {0, ""};
  assert_int_equal(open_hub(f, 0, &hub, &e), QM_EINVAL);
  assert_int_equal(open_hub(f, QM_HUB_SHARDS_MAX + 1, &hub, &e), QM_EINVAL);
}

/* --- what is put together --- */

static qm__job *part(const qm_env *env, const char *ids, uint64_t standing) {
  qm__job *job = qm__job_new(env, QM_JOB_CHECK, NULL);
  assert_non_null(job);
  uint32_t n = (uint32_t)strlen(ids);
  qm_space_line *lines = qm_arena_zero(&job->out.arena, (n + 1) * sizeof *lines);
  assert_non_null(lines);
  for (uint32_t i = 0; i < n; i++) lines[i].line.id.b[0] = (uint8_t)ids[i];
  job->out.reply.lines = lines;
  job->out.reply.n_lines = n;
  job->standing = standing;
  return job;
}

static void gathered(const qm_env *env, const char *const parts[3], const char *expected,
                     uint8_t tag[QM_TAG_SIZE]) {
  qm__gather g = {.left = 3};
  qm__gathered all;
  for (int i = 0; i < 3; i++) assert_int_equal(qm__gather_add(&g, part(env, parts[i], 7)), i == 2);
  qm__gather_end(&g, &all);
  ok(all.rc);
  assert_int_equal(all.standing, 7);
  assert_int_equal(all.n_lines, strlen(expected));
  for (uint32_t i = 0; i < all.n_lines; i++)
    assert_int_equal(all.lines[i].line.id.b[0], expected[i]);
  memcpy(tag, all.tag, QM_TAG_SIZE);
  qm__gather_clear(&g, env);
}

/* Ascending, and the same tag in whatever order they answer. */
static void test_gathered(void **state) {
  qm_env env = qm_env_default();
  uint8_t x[QM_TAG_SIZE], y[QM_TAG_SIZE], z[QM_TAG_SIZE];
  (void)state;
  gathered(&env, (const char *const[]){"adf", "", "bceg"}, "abcdefg", x);
  gathered(&env, (const char *const[]){"bceg", "adf", ""}, "abcdefg", y);
  assert_memory_equal(x, y, sizeof x);
  gathered(&env, (const char *const[]){"bceg", "ad", ""}, "abcdeg", z);
  assert_memory_not_equal(x, z, sizeof x);
  gathered(&env, (const char *const[]){"", "", ""}, "", z);
}

static void test_gathered_of_different_standing(void **state) {
  qm_env env = qm_env_default();
  qm__gather g = {.left = 2};
  qm__gathered all;
  (void)state;
  (void)qm__gather_add(&g, part(&env, "a", 1));
  assert_int_equal(qm__gather_add(&g, part(&env, "b", 2)), 1);
  qm__gather_end(&g, &all);
  ok(all.rc);
  assert_int_equal(all.standing, 0);
  qm__gather_clear(&g, &env);
}

/* What could not be asked, or was answered with an error, leaves no answer; no counts most. */
static void test_gathered_with_errors(void **state) {
  qm_env env = qm_env_default();
  qm__gather g = {.left = 1, .rc = QM_ENOMEM};
  qm__gathered all;
  (void)state;
  (void)qm__gather_add(&g, part(&env, "a", 1));
  qm__gather_end(&g, &all);
  assert_int_equal(all.rc, QM_ENOMEM);
  assert_int_equal(all.n_lines, 0);
  qm__gather_clear(&g, &env);
  g = (qm__gather){.left = 2};
  qm__job *no = part(&env, "", 1), *failed = part(&env, "b", 1);
  no->rc = QM_EREVOKED;
  no->drop = 1;
  failed->rc = QM_EIO;
  (void)qm__gather_add(&g, no);
  (void)qm__gather_add(&g, failed);
  qm__gather_end(&g, &all);
  assert_int_equal(all.rc, QM_EREVOKED);
  assert_int_equal(all.drop, 1);
  qm__gather_clear(&g, &env);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {CASE(test_all_converge),
                                     CASE(test_spaces_of_all_shards),
                                     CASE(test_barred_by_one),
                                     CASE(test_one_is_full),
                                     CASE(test_one_that_fails_ends_the_hub),
                                     CASE(test_notes_come_last),
                                     CASE(test_options),
                                     cmocka_unit_test(test_gathered),
                                     cmocka_unit_test(test_gathered_of_different_standing),
                                     cmocka_unit_test(test_gathered_with_errors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
