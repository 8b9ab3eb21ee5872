/* replay --via memory: stores in memory and the same session code on both ends, over
 * byte pipes that cut every read at a random length. */
#include <string.h>

#include "adapters/cli/replay.h"
#include "sync/answer.h"

#define PIPE_MAX (1u << 22)
#define RUSH_ROUNDS 64

typedef struct replica {
  qm_store *store;
  qm_engine *engine;
  qm_answer answer;
  qm_answer_policy policy;
} replica;

typedef struct memory {
  const qm_trace *t;
  qm_replay_result *r;
  qm_env env;
  uint64_t random;
  replica *devices; /* one a trace device */
  replica hub;
} memory;

static uint64_t next_random(memory *m) { /* splitmix64 */
  uint64_t z = m->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static int env_random(void *payload, uint8_t *to, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)next_random(payload);
  return QM_OK;
}

static uint64_t env_now(void *payload) {
  (void)payload;
  return 0;
}

/* --- who may read what: a device the space of its grid --- */

static int grid_of(const memory *m, const qm_id *peer, uint32_t *grid) {
  uint32_t d = (uint32_t)peer->b[14] << 8 | peer->b[15];
  qm_id id;
  if (d >= m->t->devices) return QM_EACCESS;
  qm_trace_device(d, &id);
  *grid = m->t->grid_of_device[d];
  return qm_id_cmp(&id, peer) == 0 ? QM_OK : QM_EACCESS;
}

static int grant(void *payload, const qm_id *peer, const qm_id *space, qm_arena *arena,
                 qm_grant *out) {
  uint32_t grid;
  (void)arena;
  QM_TRY(grid_of(payload, peer, &grid));
  *out = (qm_grant){.role = qm_slice_of("replay", 6), .readable = 1, .writable = 1};
  qm_trace_space(grid, &out->space);
  return qm_id_cmp(&out->space, space) == 0 ? QM_OK : QM_EACCESS;
}

static int grants(void *payload, const qm_id *peer, qm_arena *arena, const qm_grant **out,
                  uint32_t *n) {
  uint32_t grid;
  qm_grant *g = qm_arena_zero(arena, sizeof *g);
  qm_id id;
  if (!g) return QM_ENOMEM;
  QM_TRY(grid_of(payload, peer, &grid));
  qm_trace_space(grid, &id);
  QM_TRY(grant(payload, peer, &id, arena, g));
  *out = g;
  *n = 1;
  return QM_OK;
}

/* --- replicas --- */

static int open_space(memory *m, replica *r, uint32_t grid, qm_slice schema, qm_error *e) {
  qm_space_info info = {.name = qm_slice_of("", 0),
                        .role = qm_slice_of("replay", 6),
                        .schema = schema,
                        .readable = 1,
                        .writable = 1};
  char name[16];
  size_t n = 0;
  (void)m;
  name[n++] = 'g';
  for (uint32_t div = 10000; div; div /= 10) name[n++] = (char)('0' + grid / div % 10);
  info.name = qm_slice_of(name, n);
  qm_trace_space(grid, &info.id);
  return qm_engine_space_put(r->engine, &info, e);
}

static int open_replica(memory *m, replica *r, const qm_id *device, int hub, qm_error *e) {
  qm_engine_options o = {.size = sizeof o, .device = *device};
  o.flags = QM_ENGINE_REPLAY | (hub ? QM_ENGINE_HUB : 0u);
  QM_TRY(qm_store_mem_open(&m->env, &r->store));
  QM_TRY(qm_engine_open(&r->engine, &m->env, r->store, &o, e));
  r->policy.payload = m;
  if (hub) {
    r->policy.grant = grant;
    r->policy.grants = grants;
  }
  qm_answer_init(&r->answer, &m->env, r->engine, hub ? QM_ANSWER_HUB | QM_ANSWER_CHECK_AUTHOR : 0u,
                 &r->policy);
  return QM_OK;
}

static void close_replica(replica *r) {
  if (r->engine) qm_answer_free(&r->answer);
  qm_engine_close(r->engine);
  if (r->store) r->store->ops->close(r->store);
}

static void hub_id(qm_id *out) { memset(out->b, 0xff, sizeof out->b); }

static int open_all(memory *m, qm_error *e) {
  qm_buf schema;
  qm_id id;
  qm_buf_init(&schema, &m->env, 1u << 20);
  int rc = qm_trace_schema(m->t, &schema, e);
  hub_id(&id);
  if (rc == QM_OK) rc = open_replica(m, &m->hub, &id, 1, e);
  for (uint32_t g = 0; g < m->t->grids && rc == QM_OK; g++)
    rc = open_space(m, &m->hub, g, qm_buf_slice(&schema), e);
  for (uint32_t d = 0; d < m->t->devices && rc == QM_OK; d++) {
    qm_trace_device(d, &id);
    rc = open_replica(m, &m->devices[d], &id, 0, e);
    if (rc == QM_OK)
      rc = open_space(m, &m->devices[d], m->t->grid_of_device[d], qm_buf_slice(&schema), e);
  }
  qm_buf_free(&schema);
  return rc;
}

/* --- one link: two sessions and two pipes --- */

typedef struct end {
  replica *r;
  qm_session *s;
  qm_buf in; /* bytes on their way to this end */
  int closed, code;
} end;

typedef struct link {
  memory *m;
  end client, server;
} link;

static int open_end(link *l, end *x, replica *r, qm_session_role role, const qm_id *device,
                    const qm_id *peer) {
  qm_session_options o = {
      .size = sizeof o, .flags = QM_SESSION_HUB, .device = *device, .peer = *peer};
  x->r = r;
  qm_buf_init(&x->in, &l->m->env, PIPE_MAX);
  return qm_session_new(&x->s, &l->m->env, role, &o);
}

static int open_link(link *l, memory *m, uint32_t device) {
  qm_id phone, hub;
  memset(l, 0, sizeof *l);
  l->m = m;
  qm_trace_device(device, &phone);
  hub_id(&hub);
  QM_TRY(open_end(l, &l->client, &m->devices[device], QM_CLIENT, &phone, &hub));
  return open_end(l, &l->server, &m->hub, QM_SERVER, &hub, &phone);
}

static void close_link(link *l) {
  uint64_t in = 0, out = 0;
  if (l->client.s) qm_session_bytes(l->client.s, &in, &out);
  l->m->r->bytes_up += out;
  l->m->r->bytes_down += in;
  qm_session_free(l->client.s);
  qm_session_free(l->server.s);
  qm_buf_free(&l->client.in);
  qm_buf_free(&l->server.in);
}

static int run_events(link *l, end *x, qm_error *e) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    double before = ev.kind == QM_EV_COMMIT ? qm_replay_cpu() : 0;
    int rc = qm_answer_event(&x->r->answer, x->s, &ev);
    if (ev.kind == QM_EV_COMMIT) l->m->r->apply_seconds += qm_replay_cpu() - before;
    if (rc != QM_OK) return qm_fail(e, rc, "sync: %s", qm_err_text(rc));
    if (ev.kind == QM_EV_REFUSED)
      return qm_fail(e, ev.code, "sync: refused: %.*s", (int)ev.message.n,
                     (const char *)ev.message.p);
    if (ev.kind == QM_EV_DIFFER) return qm_fail(e, QM_EDIFFER, "sync: replicas differ");
    if (ev.kind != QM_EV_CLOSED) continue;
    x->closed = 1;
    x->code = ev.code;
  }
  return QM_OK;
}

/* Moves what waits at `from` into the pipe, in pieces of random length. */
static int pour(link *l, end *from, end *to, int *moved) {
  uint8_t piece[4096];
  size_t n = 0;
  for (;;) {
    size_t cap = 1 + next_random(l->m) % sizeof piece;
    QM_TRY(qm_session_take(from->s, piece, cap, &n));
    if (!n) return QM_OK;
    *moved = 1;
    qm_buf_add(&to->in, piece, n);
    QM_TRY(qm_buf_status(&to->in));
  }
}

/* Feeds a random part of what has come. */
static int drain(link *l, end *x, int *moved) {
  size_t used = 0, n = x->in.n ? 1 + next_random(l->m) % x->in.n : 0;
  if (!n || x->closed) return QM_OK;
  int rc = qm_session_feed(x->s, x->in.p, n, &used);
  if (used) *moved = 1;
  memmove(x->in.p, x->in.p + used, x->in.n - used);
  x->in.n -= used;
  return rc == QM_ECLOSED ? QM_OK : rc;
}

/* One turn of both ends. *moved = 0: nothing can go on. */
static int turn(link *l, int *moved, qm_error *e) {
  QM_TRY(run_events(l, &l->client, e));
  QM_TRY(run_events(l, &l->server, e));
  QM_TRY(pour(l, &l->client, &l->server, moved));
  QM_TRY(pour(l, &l->server, &l->client, moved));
  QM_TRY(drain(l, &l->server, moved));
  QM_TRY(drain(l, &l->client, moved));
  QM_TRY(run_events(l, &l->client, e));
  return run_events(l, &l->server, e);
}

static int finished(const link *l, qm_error *e) {
  if (!l->client.closed) return qm_fail(e, QM_EINTERNAL, "sync: the session stands still");
  return l->client.code == QM_OK
             ? QM_OK
             : qm_fail(e, l->client.code, "sync: %s", qm_err_text(l->client.code));
}

static int sync_one(memory *m, uint32_t device, qm_error *e) {
  link l;
  int moved = 1;
  int rc = open_link(&l, m, device);
  while (rc == QM_OK && moved) {
    moved = 0;
    rc = turn(&l, &moved, e);
  }
  if (rc == QM_OK) rc = finished(&l, e);
  close_link(&l);
  return rc;
}

/* --- all at once --- */

static int grid_equal(const memory *m, uint32_t device) {
  qm_id id;
  qm_digest a, b;
  uint8_t va[16], vb[16];
  qm_trace_space(m->t->grid_of_device[device], &id);
  qm_engine *mine = m->devices[device].engine, *hub = m->hub.engine;
  qm_space *x = qm_engine_space(mine, &id), *y = qm_engine_space(hub, &id);
  qm_space_digest(x, &a);
  qm_space_digest(y, &b);
  if (qm_engine_vv_digest(mine, x, va) != QM_OK || qm_engine_vv_digest(hub, y, vb) != QM_OK)
    return 0;
  return qm_digest_eq(&a, &b) && memcmp(va, vb, 16) == 0;
}

static int all_equal(const memory *m) {
  int equal = 1;
  for (uint32_t d = 0; d < m->t->devices; d++) equal &= grid_equal(m, d);
  return equal;
}

/* Every device's session at the same moment, turn and turn about. */
static int rush_round(memory *m, qm_error *e) {
  uint32_t n = m->t->devices;
  link *links = qm_alloc_array(&m->env, n, sizeof *links);
  int rc = links ? QM_OK : QM_ENOMEM, moved = 1;
  if (links) memset(links, 0, n * sizeof *links);
  for (uint32_t d = 0; d < n && rc == QM_OK; d++) rc = open_link(&links[d], m, d);
  while (rc == QM_OK && moved) {
    moved = 0;
    for (uint32_t d = 0; d < n && rc == QM_OK; d++) rc = turn(&links[d], &moved, e);
  }
  for (uint32_t d = 0; d < n && rc == QM_OK; d++) rc = finished(&links[d], e);
  for (uint32_t d = 0; links && d < n; d++)
    if (links[d].m) close_link(&links[d]);
  qm_free(&m->env, links);
  return rc;
}

static int rush(memory *m, qm_error *e) {
  for (int round = 0; round < RUSH_ROUNDS; round++) {
    QM_TRY(rush_round(m, e));
    if (all_equal(m)) return QM_OK;
  }
  return qm_fail(e, QM_EDIFFER, "rush: replicas are not equal after %d rounds", RUSH_ROUNDS);
}

/* --- the trace --- */

static int play(memory *m, uint32_t first, uint32_t end_line, qm_error *e) {
  const qm_line *l = &m->t->lines[first];
  if (l->op == QM_LINE_RUSH) return rush(m, e);
  if (l->op == QM_LINE_SYNC) {
    m->r->syncs++;
    return sync_one(m, l->device, e);
  }
  qm_id id;
  qm_trace_space(m->t->grid_of_device[l->device], &id);
  qm_engine *engine = m->devices[l->device].engine;
  m->r->changes++;
  m->r->ops += end_line - first;
  return qm_trace_play(m->t, first, end_line, engine, qm_engine_space(engine, &id), e);
}

int qm_replay_memory(const qm_trace *t, const qm_replay_options *o, qm_replay_result *r,
                     qm_buf *dump, qm_error *e) {
  memory m = {.t = t, .r = r, .random = o->seed};
  m.env = *t->env;
  m.env.payload = &m;
  m.env.random = env_random;
  m.env.now_ms = env_now;
  m.devices = qm_alloc_zero(&m.env, t->devices * sizeof *m.devices);
  int rc = m.devices ? open_all(&m, e) : QM_ENOMEM;
  for (uint32_t i = 0; rc == QM_OK && i < t->n_lines;) {
    uint32_t next = qm_trace_change_end(t, i);
    rc = play(&m, i, next, e);
    i = next;
  }
  if (rc == QM_OK) r->converged = all_equal(&m);
  if (rc == QM_OK) rc = qm_trace_dump(t, m.hub.engine, dump, &r->records);
  for (uint32_t d = 0; m.devices && d < t->devices; d++) close_replica(&m.devices[d]);
  qm_free(&m.env, m.devices);
  close_replica(&m.hub);
  return rc == QM_OK ? rc : e->code ? rc : qm_fail(e, rc, "replay: %s", qm_err_text(rc));
}
