/* What a device or the hub lost, over TLS. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/aside.h"
#include "core/repair.h"
#include "sync/uv/hub.h"
#include "tests/unit/support_hub.h"

#define ok(call) assert_int_equal(call, QM_OK)

typedef struct fixture {
  hub_device own, a, b;
  qm_ca *ca;
  qm_buf cert;
  qm_hub_config config;
  qm_hub_backend backend;
  qm_hub *hub;
  pthread_t thread;
} fixture;

static int admit(void *payload, const qm_id *device, const qm_cert *cert, qm_id *writes_as) {
  (void)payload;
  (void)device;
  (void)cert;
  (void)writes_as;
  return QM_OK;
}

static int check(void *payload, const qm_id *device) {
  (void)payload;
  (void)device;
  return QM_OK;
}

static void *run_hub(void *payload) {
  ok(qm_hub_run(((fixture *)payload)->hub));
  return NULL;
}

static void start(fixture *f) {
  qm_error e = {0, ""};
  qm_hub_options o = hub_options_of(&f->own, f->ca, &f->cert, &f->config,
                                    &(qm_hub_shard){f->own.engine, &f->backend}, 1);
  if (qm_hub_open(&f->hub, &o, &e) != QM_OK) fail_msg("%s", e.message);
  ok(pthread_create(&f->thread, NULL, run_hub, f));
}

static void join(fixture *f) {
  qm_hub_stop(f->hub);
  pthread_join(f->thread, NULL);
  qm_hub_close(f->hub);
}

static void open_all(fixture *f) {
  memset(f, 0, sizeof *f);
  signal(SIGPIPE, SIG_IGN);
  hub_device_open(&f->own, HUB_NOW_MS);
  hub_device_open(&f->a, HUB_NOW_MS);
  hub_device_open(&f->b, HUB_NOW_MS);
  hub_device_authority(&f->own, &f->ca, &f->cert);
  hub_device_certify(&f->a, f->ca, HUB_NOW_MS);
  hub_device_certify(&f->b, f->ca, HUB_NOW_MS);
  hub_device_add_space(&f->own, 's', "grid");
  qm_hub_config_default(&f->config);
  memcpy(f->config.host, "127.0.0.1", 10);
  f->config.port = 0;
  f->backend = (qm_hub_backend){.payload = f, .admit = admit, .check = check};
}

static void close_all(fixture *f) {
  qm_ca_free(f->ca);
  qm_buf_free(&f->cert);
  hub_device_close(&f->a);
  hub_device_close(&f->b);
  hub_device_close(&f->own);
}

static void sync_ok(fixture *f, hub_device *d) {
  if (hub_device_sync(d, qm_hub_port(f->hub)) != QM_OK) fail_msg("sync: %s", d->error.message);
  assert_int_equal(d->result.complete, 1);
}

/* S8.14, S9.8: what a device or the hub lost comes back with a sync. */
static void test_what_was_lost(void **state) {
  static fixture one;
  fixture *f = &one;
  (void)state;
  open_all(f);
  start(f);
  sync_ok(f, &f->a);
  hub_device_write(&f->a, NULL, "Household of the east lane");
  hub_device_write(&f->a, NULL, "Household of the west lane");
  sync_ok(f, &f->a);
  sync_ok(f, &f->b);
  hub_device_lose(&f->a);
  assert_int_equal(hub_device_count(&f->a), 1);
  sync_ok(f, &f->a);
  assert_int_equal(f->a.result.repaired, 1);
  assert_int_equal(f->a.result.n_differ, 0);
  assert_int_equal(hub_device_count(&f->a), 2);
  join(f);
  hub_device_lose(&f->own);
  start(f);
  sync_ok(f, &f->b);
  assert_int_equal(f->b.result.repaired, 1);
  ok(qm_engine_damaged(f->b.engine, hub_device_space(&f->b)));
  hub_device_write(&f->b, NULL, "Household of the north lane");
  sync_ok(f, &f->b);
  assert_false(qm_space_dirty(hub_device_space(&f->b)));
  assert_int_equal(hub_device_count(&f->b), 3);
  join(f);
  assert_int_equal(hub_device_count(&f->own), 3);
  ok(qm_engine_check(f->own.engine, hub_device_space(&f->own), NULL));
  close_all(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_was_lost)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
