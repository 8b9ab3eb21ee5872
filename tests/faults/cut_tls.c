#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cli/replay_process.h"
#include "adapters/json/schema_json.h"
#include "adapters/sqlite/store_sqlite.h"
#include "sync/uv/client.h"
#include "tests/faults/faults.h"
#include "tests/faults/relay.h"

enum { PATH = 300, EACH = 40 };

typedef struct phone {
  node n; /* first: env's payload is also the phone */
  qm_key *key;
  qm_client_enrolment got;
} phone;

typedef struct place {
  char dir[PATH], hub_dir[PATH + 8], program[1024], address[128];
  uint16_t port;
  pid_t hub;
} place;

/* A failed case ends this program: its hub ends with it. */
static pid_t running;

static void end_hub(void) {
  if (running > 0) (void)kill(running, SIGKILL);
}

static void run_program(const char *const argv[], char *out, size_t cap) {
  qm_error e = {0, ""};
  if (qm_process_run(argv, out, cap, &e) != QM_OK) broken("%s", e.message);
}

/* --- the hub --- */

static void write_schema(const char *path) {
  qm_env env = qm_env_default();
  qm_buf form, json;
  qm_arena arena;
  const qm_schema *s;
  qm_error e = {0, ""};
  node_schema(&env, &form);
  qm_buf_init(&json, &env, 1u << 20);
  qm_arena_init(&arena, &env, 1u << 20);
  if (qm_schema_load(&s, qm_buf_slice(&form), &arena, &e) != QM_OK) broken("%s", e.message);
  qm_schema_json_print(&json, s);
  must(qm_buf_status(&json), "schema");
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(json.p, 1, json.n, f) != json.n || fclose(f) != 0)
    broken("cannot write %s", path);
  qm_arena_free(&arena);
  qm_buf_free(&form);
  qm_buf_free(&json);
}

static void start_hub(place *x) {
  char out[4096], schema[PATH + 32], log[PATH + 32];
  qm_error e = {0, ""};
  const char *base = getenv("TMPDIR");
  (void)snprintf(x->dir, sizeof x->dir, "%s/qianmo-faults-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(x->dir)) broken("no directory %s", x->dir);
  (void)snprintf(x->hub_dir, sizeof x->hub_dir, "%s/hub", x->dir);
  (void)snprintf(schema, sizeof schema, "%s/schema.json", x->dir);
  (void)snprintf(log, sizeof log, "%s/hub.log", x->dir);
  if (qm_process_sibling("../qianmod", x->program, sizeof x->program, &e) != QM_OK)
    broken("%s", e.message);
  write_schema(schema);
  const char *const init[] = {x->program, "init", x->hub_dir, "--listen", "127.0.0.1:0", NULL};
  const char *const space[] = {x->program, "space",    "add",  x->hub_dir,
                               "s",        "--schema", schema, NULL};
  const char *const run[] = {x->program, "run", x->hub_dir, NULL};
  run_program(init, out, sizeof out);
  run_program(space, out, sizeof out);
  if (qm_process_start(run, log, "listening on ", &x->hub, x->address, sizeof x->address, &e) !=
      QM_OK)
    broken("%s", e.message);
  running = x->hub;
  if (atexit(end_hub) != 0) broken("no place for atexit");
  const char *colon = strrchr(x->address, ':');
  x->port = (uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 0);
}

/* --- the phone --- */

static uint64_t real_clock(void *payload) {
  struct timespec t;
  (void)payload;
  (void)clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  return qm_key_sign(((phone *)payload)->key, digest, out);
}

static int crypto_random(void *payload, uint8_t *to, size_t n) {
  (void)payload;
  return qm_crypto_random(NULL, to, n);
}

static void enrol(phone *p, const place *x) {
  char out[4096], code[128] = "";
  qm_error e = {0, ""};
  const char *const argv[] = {x->program, "--json", "enroll",  x->hub_dir, "--member", "a phone",
                              "--role",   "grid",   "--space", "s",        NULL};
  run_program(argv, out, sizeof out);
  const char *at = strstr(out, "\"code\":\"");
  if (!at || sscanf(at + 8, "%127[^\"]", code) != 1) broken("no enrolment code");
  qm_client_enrol_options o = {.size = sizeof o,
                               .env = &p->n.env,
                               .host = "127.0.0.1",
                               .port = x->port,
                               .code = code,
                               .key = p->key,
                               .name = qm_slice_of("a phone", 7)};
  if (qm_client_enrol(&o, &p->got, &e) != QM_OK) broken("enrolment: %s", e.message);
}

static void open_phone(phone *p, const place *x) {
  char path[PATH + 16];
  qm_error e = {0, ""};
  node_init(&p->n, 'P');
  p->n.env.now_ms = real_clock;
  p->n.env.random = crypto_random;
  p->n.env.sign = sign;
  must(qm_key_generate(&p->n.env, &p->key), "key");
  enrol(p, x);
  p->n.device = *qm_key_device(p->key);
  (void)snprintf(path, sizeof path, "%s/phone.db", x->dir);
  must(qm_store_sqlite_open(&p->n.env, path, QM_SQLITE_CREATE, &p->n.store, &e), "store");
  qm_engine_options o = {.size = sizeof o, .device = p->n.device};
  must(qm_engine_open(&p->n.engine, &p->n.env, p->n.store, &o, &e), "engine");
  if (p->got.response.space_count != 1) broken("a phone has one space");
  const qm_enrol_space *s = &p->got.response.spaces[0];
  qm_space_info info = {.id = s->id,
                        .name = s->name,
                        .role = s->role,
                        .schema = s->schema,
                        .readable = 1,
                        .writable = 1};
  memcpy(info.secret, s->secret, sizeof info.secret);
  must(qm_engine_space_put(p->n.engine, &info, &e), "space");
  p->n.space = qm_engine_space(p->n.engine, &s->id);
}

/* 1: complete. *taken: segments that the hub took. */
static int sync_once(phone *p, uint16_t port, uint64_t *taken) {
  qm_client_result r;
  qm_error e = {0, ""};
  qm_client_options o = {.size = sizeof o,
                         .flags = QM_CLIENT_NO_CLOCK | QM_CLIENT_NO_RENEW,
                         .env = &p->n.env,
                         .host = "127.0.0.1",
                         .port = port,
                         .ca = p->got.response.ca,
                         .cert = p->got.response.cert,
                         .key = p->key};
  memset(&r, 0, sizeof r);
  int rc = qm_client_sync(&o, p->n.engine, &r, &e);
  if (r.n_differ || r.n_refused || r.n_stopped) broken("a session: differs, refused or stopped");
  int whole = rc == QM_OK && r.complete;
  *taken = r.taken_up;
  qm_client_result_free(&r);
  return whole;
}

static void write_some(phone *p, unsigned *next) {
  for (unsigned i = 0; i < EACH; i++) {
    node_write(&p->n, (*next)++);
    if (i % 4 == 3) node_push(&p->n);
  }
}

/* What the hub holds, read from its files once it has ended. */
static void compare(place *x, phone *p, unsigned changes) {
  char path[PATH + 32];
  qm_error e = {0, ""};
  node hub;
  qm_space_info info;
  running = 0;
  if (qm_process_stop(x->hub, NULL, &e) != QM_OK) broken("%s", e.message);
  node_init(&hub, 'H');
  hub.env.now_ms = real_clock;
  (void)snprintf(path, sizeof path, "%s/spaces.db", x->hub_dir);
  must(qm_store_sqlite_open(&hub.env, path, 0, &hub.store, &e), "the hub's store");
  qm_engine_options o = {.size = sizeof o, .flags = QM_ENGINE_HUB, .device = p->got.response.hub};
  must(qm_engine_open(&hub.engine, &hub.env, hub.store, &o, &e), "the hub's engine");
  qm_space_info_get(p->n.space, &info);
  hub.space = qm_engine_space(hub.engine, &info.id);
  if (!hub.space) broken("the hub has no such space");
  nodes_equal(&p->n, &hub);
  if (node_sum(&hub) != (int64_t)changes * (changes + 1) / 2) broken("the hub's sum is wrong");
  node_close(&hub);
}

void cut_tls(unsigned cuts, unsigned *number) {
  place x;
  phone p;
  uint64_t up, down, taken, again;
  unsigned next = 0, broke = 0;
  char out[64];
  memset(&x, 0, sizeof x);
  memset(&p, 0, sizeof p);
  start_hub(&x);
  open_phone(&p, &x);
  relay *r = relay_open(x.port);
  write_some(&p, &next);
  relay_cut(r, CUT_NEVER, 0);
  if (!sync_once(&p, relay_port(r), &taken)) broken("the reference session fails");
  relay_last(r, &up, &down);
  for (unsigned i = 0; i < cuts; i++) {
    cut where = i % 4 == 3 ? CUT_DOWN : CUT_UP;
    uint64_t end = where == CUT_UP ? up : down, at = end * (2 * i + 1) / (2 * cuts);
    uint64_t unsent, oldest, got_up, got_down;
    write_some(&p, &next);
    relay_cut(r, where, at);
    broke += !sync_once(&p, relay_port(r), &taken);
    relay_last(r, &got_up, &got_down);
    if ((where == CUT_UP ? got_up : got_down) > at) broken("the relay let more through");
    relay_cut(r, CUT_NEVER, 0);
    if (!sync_once(&p, relay_port(r), &again))
      broken("cut at %llu: no session after it", (unsigned long long)at);
    must(qm_engine_unsent(p.n.engine, p.n.space, &unsent, &oldest), "unsent");
    if (unsent)
      broken("cut at %llu: %llu changes are not acknowledged", (unsigned long long)at,
             (unsigned long long)unsent);
    if (taken + again > EACH / 4)
      broken("cut at %llu: %llu and %llu segments taken", (unsigned long long)at,
             (unsigned long long)taken, (unsigned long long)again);
  }
  relay_close(r);
  compare(&x, &p, next);
  printf("ok %u - session cut through TLS at %u places of %llu and %llu bytes; %u broke\n",
         ++*number, cuts, (unsigned long long)up, (unsigned long long)down, broke);
  qm_client_enrolment_free(&p.got);
  node_close(&p.n);
  qm_key_free(p.key);
  const char *const rm[] = {"/bin/rm", "-rf", x.dir, NULL};
  run_program(rm, out, sizeof out);
}
