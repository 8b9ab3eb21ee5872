#include "tests/unit/support_live.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "core/aside.h"
#include "core/home.h"
#include "core/mp.h"

#define ok(expr) assert_int_equal(expr, QM_OK)

static const char schema_json[] =
    "{\"schema\":\"live\",\"version\":1,\"drift_minutes\":10,\"lease_days\":90,"
    "\"review_days\":90,\"collections\":[{\"name\":\"household\",\"number\":1,"
    "\"purpose\":\"a test\",\"retention\":\"P1Y\",\"label\":{\"zh\":\"户\",\"en\":\"Household\"},"
    "\"fields\":[{\"name\":\"head\",\"number\":16,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"work\",\"label\":{\"zh\":\"户主\",\"en\":\"Head\"}}]},"
    "{\"name\":\"notice\",\"number\":2,\"writers\":[\"office\"],"
    "\"purpose\":\"a test\",\"retention\":\"P1Y\",\"label\":{\"zh\":\"通知\",\"en\":\"Notice\"},"
    "\"fields\":[{\"name\":\"head\",\"number\":16,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"work\",\"label\":{\"zh\":\"题\",\"en\":\"Title\"}}]}]}";

/* --- the hub --- */

typedef struct undecided {
  qm_author author;
  uint64_t first;
  int found;
} undecided;

static int find_undecided(void *payload, const qm_aside_copy *copy) {
  undecided *u = payload;
  if (copy->status != QM_ASIDE_CHANGE || u->found) return QM_OK;
  *u = (undecided){copy->author, copy->first, 1};
  return QM_OK;
}

static int approve_all(qm_engine *engine, qm_space *s) {
  for (;;) {
    undecided u = {.found = 0};
    QM_TRY(qm_engine_aside_copies(engine, s, find_undecided, &u));
    if (!u.found) return QM_OK;
    QM_TRY(qm_engine_aside_approve(engine, s, &u.author, u.first, NULL));
  }
}

static int refresh(void *payload, qm_engine *engine) {
  live_hub *h = payload;
  qm_space *s = qm_engine_space_at(engine, 0);
  if (!s) return QM_OK;
  pthread_mutex_lock(&h->lock);
  int approve = h->approve, members = h->members;
  h->members = 0;
  pthread_mutex_unlock(&h->lock);
  for (int i = 0; i < members; i++) {
    qm_member m = {.device = {{(uint8_t)(i + 1), 'm'}},
                   .name = qm_slice_of("Member of the grid", 18),
                   .role = qm_slice_of("grid", 4)};
    ok(qm_home_members(engine, s, &m, 1));
  }
  if (approve) ok(approve_all(engine, s));
  return QM_OK;
}

static void add_space(live_hub *h) {
  qm_buf schema;
  qm_error e = {0, ""};
  qm_buf_init(&schema, &h->own.env, QM_SCHEMA_MAX);
  if (qm_schema_json_compile(&schema, qm_slice_of(schema_json, sizeof schema_json - 1), &e))
    fail_msg("%s", e.message);
  qm_space_info info = {.id = {{'s'}},
                        .name = qm_slice_of("grid", 4),
                        .role = qm_slice_of("grid", 4),
                        .secret = {1},
                        .schema = qm_buf_slice(&schema),
                        .readable = 1,
                        .writable = 1};
  ok(qm_engine_space_put(h->own.engine, &info, NULL));
  qm_buf_free(&schema);
}

/* Nobody's rights change: what one pushes in its compact form may be handed on. */
static uint64_t unchanged(void *payload) {
  (void)payload;
  return 1;
}

static uint32_t shard_of(void *payload, const qm_id *space) {
  (void)payload;
  (void)space;
  return 1;
}

void live_hub_open(live_hub *h) {
  memset(h, 0, sizeof *h);
  signal(SIGPIPE, SIG_IGN);
  pthread_mutex_init(&h->lock, NULL);
  hub_device_open(&h->own, HUB_NOW_MS);
  hub_device_open(&h->empty, HUB_NOW_MS);
  qm_engine_close(h->own.engine);
  qm_engine_options o = {
      .size = sizeof o, .flags = QM_ENGINE_HUB, .device = *qm_key_device(h->own.key)};
  ok(qm_engine_open(&h->own.engine, &h->own.env, h->own.store, &o, NULL));
  hub_device_authority(&h->own, &h->ca, &h->cert);
  add_space(h);
  qm_hub_config_default(&h->config);
  memcpy(h->config.host, "127.0.0.1", 10);
  h->config.port = 0;
  h->backend = (qm_hub_backend){
      .payload = h, .shard_of = shard_of, .refresh = refresh, .standing = unchanged,
      .policy = &h->policy};
}

static void *run_hub(void *payload) {
  live_hub *h = payload;
  h->rc = qm_hub_run(h->hub);
  return NULL;
}

void live_hub_start(live_hub *h) {
  qm_error e = {0, ""};
  const qm_hub_shard shards[] = {{h->empty.engine, &h->backend}, {h->own.engine, &h->backend}};
  qm_hub_options o = hub_options_of(&h->own, h->ca, &h->cert, &h->config,
                                    shards, 2);
  o.answer_flags = QM_ANSWER_CHECK_SCHEMA;
  if (qm_hub_open(&h->hub, &o, &e) != QM_OK) fail_msg("%s", e.message);
  assert_int_equal(pthread_create(&h->thread, NULL, run_hub, h), 0);
}

void live_hub_stop(live_hub *h) {
  if (!h->hub) return;
  qm_hub_stop(h->hub);
  pthread_join(h->thread, NULL);
  ok(h->rc);
  qm_hub_close(h->hub);
  h->hub = NULL;
}

void live_hub_close(live_hub *h) {
  live_hub_stop(h);
  qm_ca_free(h->ca);
  qm_buf_free(&h->cert);
  hub_device_close(&h->own);
  hub_device_close(&h->empty);
  pthread_mutex_destroy(&h->lock);
}

/* --- devices --- */

void live_take(live_device *l) { pthread_mutex_lock(&l->lock); }

void live_let_go(live_device *l) {
  if (l->wake) qm_client_poke(l->wake);
  pthread_cond_broadcast(&l->moved);
  pthread_mutex_unlock(&l->lock);
}

static void enter(void *payload) { live_take(payload); }

static void leave(void *payload) {
  live_device *l = payload;
  pthread_cond_broadcast(&l->moved);
  pthread_mutex_unlock(&l->lock);
}

static void on_waker(void *payload, qm_client_wake *w) { ((live_device *)payload)->wake = w; }

static int on_poll(void *payload) { return ((live_device *)payload)->stop ? QM_ECLOSED : QM_OK; }

static void on_live(void *payload) {
  live_device *l = payload;
  live_take(l);
  l->is_live = 1;
  leave(l);
}

static void *stay(void *payload) {
  live_device *l = payload;
  hub_device *d = &l->d;
  qm_client_options o = {.size = sizeof o,
                         .flags = QM_CLIENT_STAY,
                         .env = &d->env,
                         .host = "127.0.0.1",
                         .port = l->port,
                         .ca = qm_buf_slice(&d->ca),
                         .cert = qm_buf_slice(&d->cert),
                         .key = d->key,
                         .enter = enter,
                         .leave = leave,
                         .payload = l,
                         .waker = on_waker,
                         .poll = on_poll,
                         .live = on_live};
  qm_client_result_free(&d->result);
  memset(&d->error, 0, sizeof d->error);
  int rc = qm_client_sync(&o, d->engine, &d->result, &d->error);
  live_take(l);
  l->rc = rc;
  l->is_live = 0;
  leave(l);
  return NULL;
}

void live_device_open(live_device *l, live_hub *h) {
  memset(l, 0, sizeof *l);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->moved, NULL);
  hub_device_open(&l->d, HUB_NOW_MS);
  hub_device_certify(&l->d, h->ca, HUB_NOW_MS);
  l->port = qm_hub_port(h->hub);
  if (hub_device_sync(&l->d, l->port) != QM_OK) fail_msg("sync: %s", l->d.error.message);
}

static int is_live(live_device *l, const void *arg) {
  (void)arg;
  return l->is_live;
}

void live_device_stay(live_device *l) {
  l->stop = l->is_live = 0;
  assert_int_equal(pthread_create(&l->thread, NULL, stay, l), 0);
  l->runs = 1;
  live_wait(l, is_live, NULL);
}

void live_device_leave(live_device *l) {
  if (!l->runs) return;
  live_take(l);
  l->stop = 1;
  live_let_go(l);
  pthread_join(l->thread, NULL);
  l->runs = 0;
  assert_int_equal(l->rc, QM_ECLOSED); /* what poll said */
}

void live_device_close(live_device *l) {
  live_device_leave(l);
  hub_device_close(&l->d);
  pthread_cond_destroy(&l->moved);
  pthread_mutex_destroy(&l->lock);
}

void live_wait(live_device *l, int (*pred)(live_device *l, const void *arg), const void *arg) {
  struct timespec until;
  int yes, waited = 0;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += HUB_WAIT_MS / 1000;
  live_take(l);
  while (!(yes = pred(l, arg)) && waited == 0)
    waited = pthread_cond_timedwait(&l->moved, &l->lock, &until);
  pthread_mutex_unlock(&l->lock);
  if (!yes) fail_msg("the device did not learn what it should (%s)", l->d.error.message);
}

void live_write(live_device *l, uint32_t collection, const char *name) {
  qm_write *w;
  qm_id id;
  qm_buf value;
  int existing;
  qm_buf_init(&value, &l->d.env, 4096);
  qm_mp_str(&value, name, strlen(name));
  live_take(l);
  ok(qm_write_begin(&w, l->d.engine, hub_device_space(&l->d), 0));
  ok(qm_write_new(w, collection, NULL, qm_slice_of(NULL, 0), &id, &existing));
  ok(qm_write_set(w, &id, 16, qm_buf_slice(&value), qm_slice_of(NULL, 0), 0));
  ok(qm_write_commit(w, QM_DURABLE));
  live_let_go(l);
  qm_buf_free(&value);
}

int live_has_records(live_device *l, const void *arg) {
  uint64_t n = 0, one = 0;
  for (uint32_t c = 1; c <= 2; c++) {
    ok(l->d.store->ops->record_count(l->d.store, 1, c, &one));
    n += one;
  }
  return n == *(const uint64_t *)arg;
}
