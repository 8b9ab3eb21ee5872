/* replay_scenario.c: a scenario's hub in this process: its store in memory, the same session
 * code on both ends, over byte pipes. Judges as a hub does; what a hub decides by its own files
 * (enrolment, certificates) is as if it had happened. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/cli/scenario.h"
#include "adapters/handle/handle.h"
#include "adapters/json/schema_json.h"
#include "core/home.h"
#include "sync/answer.h"

#define PIPE_MAX (1u << 22)

typedef struct memory_space {
  qm_id id;
  uint8_t secret[QM_SPACE_SECRET_SIZE];
  char name[256];
  qm_buf schema;
} memory_space;

typedef struct memory_device {
  const qm_scenario_device *d;
  qm_id id;
} memory_device;

typedef struct memory_world {
  qm_world base;
  qm_env env;
  qm_key *key;
  qm_store *store;
  qm_engine *engine;
  qm_answer answer;
  qm_answer_policy policy;
  memory_space *spaces;
  memory_device *devices;
  uint32_t n_spaces, n_devices, told; /* told: of devices, in membership entries */
} memory_world;

static memory_world *of(qm_world *w) { return (memory_world *)(void *)w; }

static int failed(qm_error *e, int rc) {
  return rc == QM_OK || (e && e->code == rc) ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}

static uint64_t env_now(void *payload) {
  struct timespec t;
  (void)payload;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int env_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  return qm_key_sign(((memory_world *)payload)->key, digest, out);
}

static int env_random(void *payload, uint8_t *to, size_t n) {
  (void)payload;
  return qm_crypto_random(NULL, to, n);
}

/* ---- who may do what: as the scenario says ---- */

static const memory_device *peer_of(const memory_world *x, const qm_id *peer) {
  for (uint32_t i = 0; i < x->n_devices; i++)
    if (qm_id_cmp(&x->devices[i].id, peer) == 0) return &x->devices[i];
  return NULL;
}

static int has_space(const qm_scenario_device *d, const char *name) {
  for (uint32_t i = 0; i < d->n_spaces; i++)
    if (strcmp(d->spaces[i], name) == 0) return 1;
  return 0;
}

static int grant(void *payload, const qm_id *peer, const qm_id *space, qm_arena *arena,
                 qm_grant *out) {
  const memory_world *x = payload;
  const memory_device *d = peer_of(x, peer);
  (void)arena;
  for (uint32_t i = 0; d && i < x->n_spaces; i++) {
    if (qm_id_cmp(&x->spaces[i].id, space) != 0 || !has_space(d->d, x->spaces[i].name)) continue;
    *out = (qm_grant){.space = *space, .role = qm_str(d->d->role), .readable = 1, .writable = 1};
    return QM_OK;
  }
  return QM_EACCESS;
}

static int by_space(const void *a, const void *b) {
  return qm_id_cmp(&((const qm_grant *)a)->space, &((const qm_grant *)b)->space);
}

static int grants(void *payload, const qm_id *peer, qm_arena *arena, const qm_grant **out,
                  uint32_t *n) {
  const memory_world *x = payload;
  qm_grant *g = qm_arena_zero(arena, x->n_spaces * sizeof *g + 1);
  *n = 0;
  if (!g) return QM_ENOMEM;
  for (uint32_t i = 0; i < x->n_spaces; i++)
    if (grant(payload, peer, &x->spaces[i].id, arena, &g[*n]) == QM_OK) ++*n;
  qsort(g, *n, sizeof *g, by_space);
  *out = g;
  return QM_OK;
}

/* ---- spaces and devices ---- */

static int compile(memory_world *x, const char *path, qm_buf *out, qm_error *e) {
  char own[QM_SCENARIO_PATH];
  const char *kind = qm_schema_json_kind(path);
  size_t n = kind ? (size_t)(kind - 1 - path) : strlen(path), got;
  char part[8192];
  qm_buf file, packed;
  qm_line name = QM_LINE_INIT;
  if (strlen(path) >= sizeof own) return qm_fail(e, QM_EINVAL, "the path is too long");
  memcpy(own, path, strlen(path) + 1);
  qm_line_bytes(&name, path, n);
  FILE *in = fopen(qm_line_text(&name), "rb");
  qm_line_free(&name);
  if (!in) return qm_fail(e, QM_ENOTFOUND, "%s: no such file", path);
  qm_buf_init(&file, &x->env, QM_SCHEMA_JSON_MAX);
  qm_buf_init(&packed, &x->env, QM_SCHEMA_JSON_MAX);
  while ((got = fread(part, 1, sizeof part, in)) > 0) qm_buf_add(&file, part, got);
  (void)fclose(in);
  int rc = qm_schema_json_pack_beside(&packed, qm_buf_slice(&file), own, e);
  if (rc == QM_OK) rc = qm_schema_json_compile(out, qm_buf_slice(&packed), e);
  qm_buf_free(&file);
  qm_buf_free(&packed);
  return failed(e, rc);
}

static int put_space(qm_engine *engine, const memory_space *m, const char *role, qm_error *e) {
  qm_space_info info = {.id = m->id,
                        .name = qm_str(m->name),
                        .role = qm_str(role),
                        .schema = qm_buf_slice(&m->schema),
                        .readable = 1,
                        .writable = 1};
  memcpy(info.secret, m->secret, sizeof info.secret);
  return qm_engine_space_put(engine, &info, e);
}

static int world_space(qm_world *w, const char *name, const char *schema, qm_error *e) {
  memory_world *x = of(w);
  memory_space *more = realloc(x->spaces, (x->n_spaces + 1) * sizeof *more);
  if (!more) return failed(e, QM_ENOMEM);
  x->spaces = more;
  memory_space *m = memset(&x->spaces[x->n_spaces], 0, sizeof *m);
  if (strlen(name) >= sizeof m->name) return qm_fail(e, QM_EUSAGE, "a name of a space is too long");
  memcpy(m->name, name, strlen(name) + 1);
  qm_buf_init(&m->schema, &x->env, QM_SCHEMA_MAX);
  x->n_spaces++;
  int rc = qm_crypto_random(NULL, m->id.b, sizeof m->id.b);
  if (rc == QM_OK) rc = qm_crypto_random(NULL, m->secret, sizeof m->secret);
  if (rc == QM_OK) rc = compile(x, schema, &m->schema, e);
  if (rc == QM_OK) rc = put_space(x->engine, m, "", e);
  return failed(e, rc);
}

static int world_device(qm_world *w, qm_scenario_device *d, qm_error *e) {
  (void)w, (void)d, (void)e;
  return QM_OK;
}

static int world_start(qm_world *w, qm_error *e) {
  (void)w, (void)e;
  return QM_OK;
}

static int world_join(qm_world *w, qm_scenario_device *d, qm_error *e) {
  memory_world *x = of(w);
  memory_device *more = realloc(x->devices, (x->n_devices + 1) * sizeof *more);
  if (!more) return failed(e, QM_ENOMEM);
  x->devices = more;
  x->devices[x->n_devices] = (memory_device){.d = d};
  QM_TRY(qm__handle_enter_alone(d->db, e));
  int rc = QM_OK;
  qm_author_device(qm_engine_author(d->db->engine), &x->devices[x->n_devices++].id);
  for (uint32_t i = 0; i < x->n_spaces && rc == QM_OK; i++)
    if (has_space(d, x->spaces[i].name)) rc = put_space(d->db->engine, &x->spaces[i], d->role, e);
  qm__handle_leave(d->db);
  return failed(e, rc);
}

/* Whose the devices are, once for all that joined. */
static int tell_members(memory_world *x, qm_error *e) {
  qm_member *all = x->told < x->n_devices ? calloc(x->n_devices, sizeof *all) : NULL;
  int rc = all || x->told == x->n_devices ? QM_OK : QM_ENOMEM;
  for (uint32_t i = 0; all && i < x->n_spaces && rc == QM_OK; i++) {
    size_t n = 0;
    for (uint32_t k = 0; k < x->n_devices; k++)
      if (has_space(x->devices[k].d, x->spaces[i].name))
        all[n++] = (qm_member){.device = x->devices[k].id,
                               .name = qm_str(x->devices[k].d->member),
                               .role = qm_str(x->devices[k].d->role)};
    rc = qm_home_members(x->engine, qm_engine_space(x->engine, &x->spaces[i].id), all, n);
  }
  if (rc == QM_OK) x->told = x->n_devices;
  free(all);
  return failed(e, rc);
}

/* ---- a session over two pipes ---- */

typedef struct end {
  qm_answer *answer;
  qm_session *s;
  qm_buf in;
  int closed, code;
  int32_t refused;
} end;

static int open_end(end *x, const qm_env *env, qm_answer *answer, qm_session_role role,
                    const qm_id *device, const qm_id *peer) {
  qm_session_options o = {
      .size = sizeof o, .flags = QM_SESSION_HUB, .device = *device, .peer = *peer};
  x->answer = answer;
  qm_buf_init(&x->in, env, PIPE_MAX);
  return qm_session_new(&x->s, env, role, &o);
}

static void close_end(end *x) {
  qm_session_free(x->s);
  qm_buf_free(&x->in);
}

static int run_events(end *x, int *moved) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    *moved = 1;
    QM_TRY(qm_answer_event(x->answer, x->s, &ev));
    if (ev.kind == QM_EV_DIFFER) return QM_EDIFFER;
    if (ev.kind == QM_EV_REFUSED) x->refused = ev.code;
    if (ev.kind != QM_EV_CLOSED) continue;
    x->closed = 1;
    x->code = ev.code;
  }
  return QM_OK;
}

static int pour(end *from, end *to, int *moved) {
  uint8_t piece[4096];
  size_t n = 0, used = 0;
  for (;;) {
    QM_TRY(qm_session_take(from->s, piece, sizeof piece, &n));
    if (!n) break;
    *moved = 1;
    qm_buf_add(&to->in, piece, n);
    QM_TRY(qm_buf_status(&to->in));
  }
  if (!to->in.n || to->closed) return QM_OK;
  int rc = qm_session_feed(to->s, to->in.p, to->in.n, &used);
  if (used) *moved = 1;
  memmove(to->in.p, to->in.p + used, to->in.n - used);
  to->in.n -= used;
  return rc == QM_ECLOSED ? QM_OK : rc;
}

static int pump(end *a, end *b) {
  int moved = 1;
  while (moved) {
    moved = 0;
    QM_TRY(run_events(a, &moved));
    QM_TRY(run_events(b, &moved));
    QM_TRY(pour(a, b, &moved));
    QM_TRY(pour(b, a, &moved));
  }
  return a->closed ? a->code : QM_EINTERNAL;
}

static int world_sync(qm_world *w, qm_scenario_device *d, qm_error *e) {
  memory_world *x = of(w);
  qm_answer mine;
  end client = {.answer = &mine}, server = {.answer = &x->answer};
  qm_id own, hub;
  QM_TRY(tell_members(x, e));
  QM_TRY(qm__handle_enter_alone(d->db, e));
  qm_author_device(qm_engine_author(d->db->engine), &own);
  qm_author_device(qm_engine_author(x->engine), &hub);
  qm_answer_init(&mine, &d->db->env, d->db->engine, QM_ANSWER_CLOCK, NULL);
  int rc = open_end(&client, &d->db->env, &mine, QM_CLIENT, &own, &hub);
  if (rc == QM_OK) rc = open_end(&server, &x->env, &x->answer, QM_SERVER, &hub, &own);
  if (rc == QM_OK) rc = pump(&client, &server);
  close_end(&client);
  if (server.in.env) close_end(&server);
  qm_answer_free(&mine);
  qm__handle_leave(d->db);
  if (rc == QM_OK && client.refused)
    rc = qm_fail(e, QM_EREFUSED, "%s", qm_err_text(client.refused));
  return failed(e, rc);
}

/* ---- life ---- */

static void world_close(qm_world *w) {
  memory_world *x = of(w);
  if (x->engine) qm_answer_free(&x->answer);
  qm_engine_close(x->engine);
  if (x->store) x->store->ops->close(x->store);
  for (uint32_t i = 0; i < x->n_spaces; i++) qm_buf_free(&x->spaces[i].schema);
  free(x->spaces);
  free(x->devices);
  qm_key_free(x->key);
  free(x);
}

static const qm_world_ops ops = {world_space, world_device, world_start,
                                 world_join,  world_sync,   world_close};

static int open_world(memory_world *x, qm_error *e) {
  x->env = qm_env_default();
  x->env.payload = x;
  x->env.now_ms = env_now;
  x->env.random = env_random;
  QM_TRY(qm_key_generate(&x->env, &x->key));
  x->env.sign = env_sign;
  qm_engine_options o = {
      .size = sizeof o, .flags = QM_ENGINE_HUB, .device = *qm_key_device(x->key)};
  QM_TRY(qm_store_mem_open(&x->env, &x->store));
  QM_TRY(qm_engine_open(&x->engine, &x->env, x->store, &o, e));
  x->policy = (qm_answer_policy){.payload = x, .grants = grants, .grant = grant};
  qm_answer_init(&x->answer, &x->env, x->engine, QM_ANSWER_HUB | QM_ANSWER_CHECK_SCHEMA,
                 &x->policy);
  return QM_OK;
}

int qm_world_memory(qm_world **out, qm_error *e) {
  memory_world *x = calloc(1, sizeof *x);
  if (!x) return failed(e, QM_ENOMEM);
  x->base.ops = &ops;
  int rc = open_world(x, e);
  if (rc != QM_OK) {
    world_close(&x->base);
    return failed(e, rc);
  }
  *out = &x->base;
  return QM_OK;
}
