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

static void run_hub(place *x) {
  char log[PATH + 32];
  qm_error e = {0, ""};
  const char *const run[] = {x->program, "run", x->hub_dir, NULL};
  (void)snprintf(log, sizeof log, "%s/hub.log", x->dir);
  if (qm_process_start(run, log, "listening on ", &x->hub, x->address, sizeof x->address, &e) !=
      QM_OK)
    broken("%s", e.message);
  running = x->hub;
  const char *colon = strrchr(x->address, ':');
  x->port = (uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 0);
}

static void start_hub(place *x) {
  static int at_exit;
  char out[4096], schema[PATH + 32];
  qm_error e = {0, ""};
  const char *base = getenv("TMPDIR");
  (void)snprintf(x->dir, sizeof x->dir, "%s/qianmo-faults-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(x->dir)) broken("no directory %s", x->dir);
  (void)snprintf(x->hub_dir, sizeof x->hub_dir, "%s/hub", x->dir);
  (void)snprintf(schema, sizeof schema, "%s/schema.json", x->dir);
  if (qm_process_sibling("../qianmod", x->program, sizeof x->program, &e) != QM_OK)
    broken("%s", e.message);
  write_schema(schema);
  const char *const init[] = {x->program, "init", x->hub_dir, "--listen", "127.0.0.1:0", NULL};
  const char *const space[] = {x->program, "space",    "add",  x->hub_dir,
                               "s",        "--schema", schema, NULL};
  run_program(init, out, sizeof out);
  run_program(space, out, sizeof out);
  if (!at_exit && atexit(end_hub) != 0) broken("no place for atexit");
  at_exit = 1;
  run_hub(x);
}

static void stop_hub(place *x) {
  qm_error e = {0, ""};
  running = 0;
  if (qm_process_stop(x->hub, NULL, &e) != QM_OK) broken("%s", e.message);
}

static void remove_all(const place *x) {
  char out[64];
  const char *const rm[] = {"/bin/rm", "-rf", x->dir, NULL};
  run_program(rm, out, sizeof out);
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

static void init_phone(phone *p) {
  node_init(&p->n, 'P');
  p->n.env.now_ms = real_clock;
  p->n.env.random = crypto_random;
  p->n.env.sign = sign;
}

/* An empty store, with the space as the enrolment gave it. */
static void open_store(phone *p, const place *x) {
  static unsigned number;
  char path[PATH + 32];
  qm_error e = {0, ""};
  p->n.device = *qm_key_device(p->key);
  (void)snprintf(path, sizeof path, "%s/phone-%u.db", x->dir, number++);
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

static void open_phone(phone *p, const place *x) {
  init_phone(p);
  must(qm_key_generate(&p->n.env, &p->key), "key");
  enrol(p, x);
  open_store(p, x);
}

static void close_phone(phone *p) {
  qm_client_enrolment_free(&p->got);
  node_close(&p->n);
  qm_key_free(p->key);
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

/* The hub's own files, once it has ended. Replay: it goes on as the author that it was. */
static void open_stopped(node *hub, const place *x, phone *p) {
  char path[PATH + 32];
  qm_error e = {0, ""};
  qm_space_info info;
  node_init(hub, 'H');
  hub->env.now_ms = real_clock;
  (void)snprintf(path, sizeof path, "%s/spaces.db", x->hub_dir);
  must(qm_store_sqlite_open(&hub->env, path, 0, &hub->store, &e), "the hub's store");
  qm_engine_options o = {.size = sizeof o,
                         .flags = QM_ENGINE_HUB | QM_ENGINE_REPLAY,
                         .device = p->got.response.hub};
  must(qm_engine_open(&hub->engine, &hub->env, hub->store, &o, &e), "the hub's engine");
  qm_space_info_get(p->n.space, &info);
  hub->space = qm_engine_space(hub->engine, &info.id);
  if (!hub->space) broken("the hub has no such space");
}

static void compare(place *x, phone *p, unsigned changes) {
  node hub;
  stop_hub(x);
  open_stopped(&hub, x, p);
  nodes_equal(&p->n, &hub);
  if (node_sum(&hub) != (int64_t)changes * (changes + 1) / 2) broken("the hub's sum is wrong");
  node_close(&hub);
}

void cut_tls(unsigned cuts, unsigned *number) {
  place x;
  phone p;
  uint64_t up, down, taken, again;
  unsigned next = 0, broke = 0;
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
  close_phone(&p);
  remove_all(&x);
}

/* --- a state --- */

enum { LARGE = 700, OWN = 8 };

/* Parts that a phone's store was given to stage, and the end of its stage: the join. */
static qm_store_ops counting;
static const qm_store_ops *counted;
static unsigned n_parts, n_joins;

static int count_part(qm_store *s, uint32_t space, uint32_t part, qm_slice content) {
  n_parts++;
  return counted->stage_part(s, space, part, content);
}

static int count_join(qm_store *s, uint32_t space) {
  n_joins++;
  return counted->stage_drop(s, space);
}

static void count_parts(phone *p) {
  counted = p->n.store->ops;
  counting = *counted;
  counting.stage_part = count_part;
  counting.stage_drop = count_join;
  p->n.store->ops = &counting;
  n_parts = n_joins = 0;
}

/* A hub whose log no longer reaches back to its beginning. */
static void make_hub(place *x, phone *first) {
  uint64_t taken;
  node hub;
  start_hub(x);
  open_phone(first, x);
  node_write_large(&first->n, LARGE);
  if (!sync_once(first, x->port, &taken)) broken("the first session fails");
  stop_hub(x);
  open_stopped(&hub, x, first);
  must(qm_engine_cut(hub.engine, hub.space, qm_space_vv(hub.space)), "cut");
  node_close(&hub);
  run_hub(x);
}

/* A phone that lost its store and has nothing but what it wrote since. */
static void open_fresh(phone *p, const place *x, const phone *was) {
  memset(p, 0, sizeof *p);
  init_phone(p);
  p->key = was->key;
  p->got = was->got;
  open_store(p, x);
  count_parts(p);
  for (unsigned i = 0; i < OWN; i++) node_write(&p->n, i);
}

typedef struct whole {
  uint64_t up, down;
  unsigned parts;
} whole;

static void check_whole(phone *p, unsigned phones) {
  uint64_t unsent, oldest;
  node_check(&p->n);
  must(qm_engine_unsent(p->n.engine, p->n.space, &unsent, &oldest), "unsent");
  if (unsent) broken("%llu changes are not acknowledged", (unsigned long long)unsent);
  if (node_sum(&p->n) != (int64_t)phones * OWN * (OWN + 1) / 2) broken("the phone's sum is wrong");
}

/* One phone, cut once. Whether the cut broke its session. */
static int cut_fresh(relay *r, const place *x, const phone *was, const whole *ref, cut where,
                     uint64_t at, unsigned phones) {
  uint64_t taken, again, up[2], down[2];
  phone p;
  open_fresh(&p, x, was);
  relay_cut(r, where, at);
  int broke = !sync_once(&p, relay_port(r), &taken);
  relay_last(r, &up[0], &down[0]);
  if ((where == CUT_UP ? up[0] : down[0]) > at) broken("the relay let more through");
  node_check(&p.n);
  unsigned first = n_parts;
  relay_cut(r, CUT_NEVER, 0);
  if (!sync_once(&p, relay_port(r), &again))
    broken("state cut at %llu: no session after it", (unsigned long long)at);
  relay_last(r, &up[1], &down[1]);
  if (n_parts != ref->parts || n_joins != 1)
    broken("state cut at %llu: %u parts, then %u of %u; taken %u times", (unsigned long long)at,
           first, n_parts - first, ref->parts, n_joins);
  /* Beside what other phones have brought since: a handshake, and the parts that were under way
     (S8.7: 8 are staged at once, and one may be cut). */
  uint64_t most = ref->down + 9 * (uint64_t)QM_STATE_PART + 16384 + 4096 * (uint64_t)phones;
  if (down[0] + down[1] > most)
    broken("state cut at %llu: %llu and %llu bytes came of %llu", (unsigned long long)at,
           (unsigned long long)down[0], (unsigned long long)down[1],
           (unsigned long long)ref->down);
  if (taken + again > 1) broken("state cut at %llu: its own came twice", (unsigned long long)at);
  check_whole(&p, phones);
  node_close(&p.n);
  return broke;
}

void cut_tls_state(unsigned cuts, unsigned *number) {
  place x;
  phone first, last;
  whole ref;
  uint64_t taken;
  unsigned broke = 0;
  memset(&x, 0, sizeof x);
  memset(&first, 0, sizeof first);
  make_hub(&x, &first);
  relay *r = relay_open(x.port);
  open_fresh(&last, &x, &first);
  relay_cut(r, CUT_NEVER, 0);
  if (!sync_once(&last, relay_port(r), &taken)) broken("the reference session fails");
  relay_last(r, &ref.up, &ref.down);
  ref.parts = n_parts;
  if (ref.parts < 4 || n_joins != 1) broken("a state of %u parts", ref.parts);
  check_whole(&last, 1);
  for (unsigned i = 0; i < cuts; i++) {
    cut where = i % 4 == 3 ? CUT_UP : CUT_DOWN;
    uint64_t end = where == CUT_UP ? ref.up : ref.down;
    if (i % 4 == 2) end = 4096; /* up to the offer of the state */
    uint64_t at = end * (2 * i + 1) / (2 * cuts);
    broke += (unsigned)cut_fresh(r, &x, &first, &ref, where, at, i + 2);
  }
  if (!sync_once(&last, relay_port(r), &taken)) broken("the last session fails");
  relay_close(r);
  check_whole(&last, cuts + 1);
  node hub;
  stop_hub(&x);
  open_stopped(&hub, &x, &last);
  nodes_equal(&last.n, &hub);
  node_close(&hub);
  printf("ok %u - state of %u parts cut through TLS at %u places of %llu and %llu bytes; "
         "%u broke\n",
         ++*number, ref.parts, cuts, (unsigned long long)ref.up, (unsigned long long)ref.down,
         broke);
  node_close(&last.n);
  close_phone(&first);
  remove_all(&x);
}
