#include "tests/bench/village.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/batch.h"
#include "core/join.h"

/* --- replicas --- */

static void open_replica(village *v, village_replica *r, const qm_id *device, int hub,
                         const char *name) {
  qm_engine_options o = {.size = sizeof o, .device = *device};
  qm_error e = {0, ""};
  char path[600];
  o.flags = QM_ENGINE_REPLAY | QM_ENGINE_BEHIND | (hub ? QM_ENGINE_HUB : 0u);
  if (v->dir) {
    snprintf(path, sizeof path, "%s/%s.db", v->dir, name);
    BENCH_OK(qm_store_sqlite_open(&v->env.env, path, QM_SQLITE_CREATE | v->sqlite, &r->store, &e));
  } else {
    BENCH_OK(qm_store_mem_open(&v->env.env, &r->store));
  }
  BENCH_OK(qm_engine_open(&r->engine, &v->env.env, r->store, &o, &e));
}

void village_close_replica(village_replica *r) {
  qm_engine_close(r->engine);
  if (r->store) r->store->ops->close(r->store);
  memset(r, 0, sizeof *r);
}

static void open_space(village *v, village_replica *r, uint32_t grid) {
  qm_space_info info = {.role = qm_slice_of("replay", 6),
                        .schema = qm_buf_slice(&v->schema),
                        .readable = 1,
                        .writable = 1};
  qm_error e = {0, ""};
  char name[24];
  info.name = qm_slice_of(name, (size_t)snprintf(name, sizeof name, "g%05u", grid));
  qm_trace_space(grid, &info.id);
  BENCH_OK(qm_engine_space_put(r->engine, &info, &e));
}

void village_open_hub(village *v, village_replica *hub) {
  qm_id id;
  memset(id.b, 0xff, sizeof id.b);
  memset(hub, 0, sizeof *hub);
  open_replica(v, hub, &id, 1, "hub");
  for (uint32_t g = 0; g < v->trace.grids; g++) open_space(v, hub, g);
}

void village_open(village *v, const char *trace, const char *dir, unsigned sqlite) {
  qm_error e = {0, ""};
  memset(v, 0, sizeof *v);
  bench_env_init(&v->env, 1);
  v->dir = dir;
  v->sqlite = sqlite;
  BENCH_OK(qm_trace_read(&v->trace, &v->env.env, trace, &e));
  qm_buf_init(&v->schema, &v->env.env, 1u << 20);
  BENCH_OK(qm_trace_schema(&v->trace, &v->schema, &e));
  qm_arena_init(&v->arena, &v->env.env, (size_t)1 << 31);
  v->devices = calloc(v->trace.devices, sizeof *v->devices);
  BENCH_CHECK(v->devices);
  village_open_hub(v, &v->hub);
  for (uint32_t d = 0; d < v->trace.devices; d++) {
    qm_id id;
    char name[16];
    snprintf(name, sizeof name, "d%u", d);
    qm_trace_device(d, &id);
    open_replica(v, &v->devices[d], &id, 0, name);
    open_space(v, &v->devices[d], v->trace.grid_of_device[d]);
  }
}

void village_close(village *v) {
  for (uint32_t d = 0; d < v->trace.devices; d++) village_close_replica(&v->devices[d]);
  village_close_replica(&v->hub);
  free(v->devices);
  free(v->uploads);
  qm_arena_free(&v->arena);
  qm_buf_free(&v->schema);
  qm_trace_free(&v->trace);
  BENCH_CHECK(v->env.live == 0);
}

double village_reopen(village *v, uint32_t device) {
  char name[16];
  qm_id id;
  BENCH_CHECK(v->dir);
  memset(id.b, 0xff, sizeof id.b);
  village_close_replica(&v->hub);
  open_replica(v, &v->hub, &id, 1, "hub");
  village_close_replica(&v->devices[device]);
  snprintf(name, sizeof name, "d%u", device);
  qm_trace_device(device, &id);
  double from = bench_cpu();
  open_replica(v, &v->devices[device], &id, 0, name);
  return bench_cpu() - from;
}

qm_space *village_space(const village *v, qm_engine *e, uint32_t device) {
  qm_id id;
  qm_trace_space(v->trace.grid_of_device[device], &id);
  return qm_engine_space(e, &id);
}

/* --- syncing, without a session between --- */

static void take(const village *v, qm_engine *e, uint32_t device, const qm_id *peer,
                 qm_slice batch) {
  qm_ingest in = {.peer = *peer, .check_author = 0};
  qm_error why = {0, ""};
  qm_arena arena;
  qm_arena_init(&arena, &v->env.env, 1u << 20);
  BENCH_OK(qm_engine_begin(e));
  BENCH_OK(qm_engine_ingest(e, village_space(v, e, device), batch, &in, &arena, &why));
  BENCH_CHECK(!in.n_refusals && !in.parked);
  BENCH_OK(qm_engine_commit(e, QM_DURABLE, NULL, NULL));
  qm_arena_free(&arena);
}

static void keep(village *v, uint32_t device, qm_slice batch) {
  if (v->n_uploads == v->cap_uploads) {
    v->cap_uploads = v->cap_uploads ? v->cap_uploads * 2 : 1024;
    v->uploads = realloc(v->uploads, v->cap_uploads * sizeof *v->uploads);
    BENCH_CHECK(v->uploads);
  }
  uint8_t *copy = qm_arena_copy(&v->arena, batch.p, batch.n);
  BENCH_CHECK(copy);
  v->uploads[v->n_uploads++] = (village_upload){device, qm_slice_of(copy, batch.n)};
  v->bytes += batch.n;
}

/* What `to` lacks of `from`. */
static void give(village *v, uint32_t device, qm_engine *from, qm_engine *to, int up) {
  qm_arena arena;
  qm_buf batch;
  qm_vv_list heads;
  uint64_t cursor = 0;
  qm_id peer;
  qm_trace_device(device, &peer);
  qm_arena_init(&arena, &v->env.env, 1u << 20);
  qm_buf_init(&batch, &v->env.env, QM_BATCH_MAX);
  BENCH_OK(qm_engine_heads(to, village_space(v, to, device), &arena, &heads));
  for (;;) {
    qm_buf_clear(&batch);
    int rc = qm_engine_next_batch(from, village_space(v, from, device), heads, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    BENCH_OK(rc);
    take(v, to, device, &peer, qm_buf_slice(&batch));
    if (up) keep(v, device, qm_buf_slice(&batch));
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
}

/* What a save left for later belongs to it. */
static void fold_device(village *v, uint32_t d) {
  double from = bench_cpu();
  BENCH_OK(qm_engine_fold(v->devices[d].engine));
  v->local += bench_cpu() - from;
  v->saved = 1;
  if (v->each) v->each(v, v->payload);
}

/* The clock costs as much as a tenth of a save in memory: it is read once for the saves between
 * two syncs. */
static int is_last_save(const village *v, uint32_t next) {
  return v->each || next == v->trace.n_lines || v->trace.lines[next].op == QM_LINE_SYNC;
}

void village_play(village *v) {
  double since = 0;
  int is_timed = 0;
  qm_durability durability = v->sqlite & QM_SQLITE_RELAXED ? QM_RELAXED : QM_DURABLE;
  for (uint32_t i = 0; i < v->trace.n_lines;) {
    const qm_line *l = &v->trace.lines[i];
    uint32_t next = qm_trace_change_end(&v->trace, i);
    qm_engine *device = v->devices[l->device].engine;
    qm_space *space = village_space(v, device, l->device);
    qm_error e = {0, ""};
    BENCH_CHECK(l->op != QM_LINE_RUSH);
    if (l->op == QM_LINE_SYNC) fold_device(v, l->device);
    v->saved = l->op != QM_LINE_SYNC;
    if (l->op == QM_LINE_SYNC && v->sessions) {
      double from = bench_cpu();
      BENCH_OK(village_talk(v, l->device).code);
      v->synced = bench_cpu() - from;
    } else if (l->op == QM_LINE_SYNC) {
      BENCH_OK(qm_engine_push(device, space));
      give(v, l->device, device, v->hub.engine, 1);
      give(v, l->device, v->hub.engine, device, 0);
      BENCH_OK(qm_engine_fold(device)); /* what it took is no matter of the saves after it */
    } else {
      if (!is_timed) since = bench_cpu();
      BENCH_OK(qm_trace_play_as(&v->trace, i, next, device, space, durability, &e));
      is_timed = !is_last_save(v, next);
      if (!is_timed) v->local += bench_cpu() - since;
      v->ops += next - i;
      v->changes++;
    }
    if (v->each) v->each(v, v->payload);
    i = next;
  }
  for (uint32_t d = 0; d < v->trace.devices; d++) fold_device(v, d);
}

void village_merge(village *v, village_replica *hub, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i++) {
    qm_id peer;
    qm_trace_device(v->uploads[i].device, &peer);
    take(v, hub->engine, v->uploads[i].device, &peer, v->uploads[i].batch);
  }
  BENCH_OK(qm_engine_fold(hub->engine));
}

void village_merge_bulk(village *v, village_replica *hub) {
  qm_arena arena;
  qm_arena_init(&arena, &v->env.env, (size_t)1 << 30);
  BENCH_OK(qm_engine_begin(hub->engine));
  for (uint32_t i = 0; i < v->n_uploads; i++) {
    const village_upload *u = &v->uploads[i];
    qm_ingest in = {.check_author = 0};
    qm_error why = {0, ""};
    qm_trace_device(u->device, &in.peer);
    BENCH_OK(qm_engine_ingest(hub->engine, village_space(v, hub->engine, u->device), u->batch, &in,
                              &arena, &why));
    BENCH_CHECK(!in.n_refusals && !in.parked);
  }
  BENCH_OK(qm_engine_commit(hub->engine, QM_DURABLE, NULL, NULL));
  BENCH_OK(qm_engine_fold(hub->engine));
  qm_arena_free(&arena);
}

uint64_t village_plain_bytes(const village *v) {
  uint64_t bytes = 0;
  qm_buf plain;
  qm_buf_init(&plain, &v->env.env, QM_BATCH_MAX);
  for (uint32_t i = 0; i < v->n_uploads; i++) {
    qm_buf_clear(&plain);
    BENCH_OK(qm_batch_recode(&plain, v->uploads[i].batch, 15, QM_BATCH_PLAIN)); /* a push's level */
    bytes += plain.n;
  }
  qm_buf_free(&plain);
  return bytes;
}

/* As a hub's upkeep does once all devices have everything. */
void village_join(qm_engine *hub) {
  for (uint32_t i = 0; i < qm_engine_space_count(hub); i++) {
    qm_joining how = {.after = 0};
    qm_joined out;
    do {
      BENCH_OK(qm_engine_join(hub, qm_engine_space_at(hub, i), &how, &out));
      how.after = out.last;
    } while (out.more);
  }
}

uint64_t village_history(village *v, qm_engine *from, qm_engine *to) {
  uint64_t bytes = 0;
  const qm_vv_list nothing = {NULL, 0};
  qm_buf batch;
  qm_id nobody = {{0}};
  qm_buf_init(&batch, &v->env.env, QM_BATCH_MAX);
  for (uint32_t d = 0; d < v->trace.devices; d++) {
    uint64_t cursor = 0;
    if (d && v->trace.grid_of_device[d] == v->trace.grid_of_device[d - 1]) continue;
    for (;; bytes += batch.n) {
      qm_buf_clear(&batch);
      int rc = qm_engine_next_batch(from, village_space(v, from, d), nothing, &cursor, &batch);
      if (rc == QM_ENOTFOUND) break;
      BENCH_OK(rc);
      take(v, to, d, &nobody, qm_buf_slice(&batch));
    }
  }
  qm_buf_free(&batch);
  return bytes;
}

/* --- checking --- */

void village_same(const village *v, qm_engine *a, qm_engine *b, uint32_t device) {
  qm_digest x, y;
  uint8_t va[16], vb[16];
  BENCH_OK(qm_engine_fold(a));
  BENCH_OK(qm_engine_fold(b));
  qm_space_digest(village_space(v, a, device), &x);
  qm_space_digest(village_space(v, b, device), &y);
  BENCH_OK(qm_engine_vv_digest(a, village_space(v, a, device), va));
  BENCH_OK(qm_engine_vv_digest(b, village_space(v, b, device), vb));
  BENCH_CHECK(qm_digest_eq(&x, &y) && memcmp(va, vb, 16) == 0);
}

static void check_dump(village *v, qm_engine *hub) {
  char digest[65], line[512];
  int found = 0;
  uint64_t records;
  qm_buf dump;
  qm_hash h;
  qm_sha sha;
  FILE *f = fopen("fixtures/traces/digests", "r");
  BENCH_CHECK(f);
  qm_buf_init(&dump, &v->env.env, SIZE_MAX / 2);
  BENCH_OK(qm_trace_dump(&v->trace, hub, &dump, &records));
  qm_sha_init(&sha);
  qm_sha_add(&sha, dump.p, dump.n);
  qm_sha_end(&sha, &h);
  qm_hex(digest, h.b, sizeof h.b);
  qm_buf_free(&dump);
  while (fgets(line, sizeof line, f)) found |= strstr(line, digest) != NULL;
  fclose(f);
  BENCH_CHECK(found);
}

void village_check(village *v, qm_engine *hub, int known) {
  for (uint32_t d = 0; d < v->trace.devices; d++) {
    village_same(v, hub, v->hub.engine, d);
    village_same(v, hub, v->devices[d].engine, d);
  }
  if (known) check_dump(v, hub);
}

/* --- a session --- */

typedef struct end {
  qm_answer answer;
  qm_session *s;
  int closed, code, live;
} end;

static void open_end(village *v, end *x, qm_engine *e, uint32_t device, qm_session_role role,
                     unsigned flags) {
  qm_session_options o = {.size = sizeof o, .flags = QM_SESSION_HUB | flags};
  qm_id phone, hub;
  memset(hub.b, 0xff, sizeof hub.b);
  qm_trace_device(device, &phone);
  o.device = role == QM_CLIENT ? phone : hub;
  o.peer = role == QM_CLIENT ? hub : phone;
  memset(x, 0, sizeof *x);
  qm_answer_init(&x->answer, &v->env.env, e, role == QM_SERVER ? QM_ANSWER_HUB : 0, NULL);
  BENCH_OK(qm_session_new(&x->s, &v->env.env, role, &o));
}

static void events(end *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    x->live |= ev.kind == QM_EV_LIVE;
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
    }
    BENCH_OK(qm_answer_event(&x->answer, x->s, &ev));
  }
}

/* All that waits at one end goes to the other. */
static uint64_t speak(end *from, end *to) {
  static uint8_t bytes[65536];
  uint64_t moved = 0;
  for (;;) {
    size_t n, used, at = 0;
    BENCH_OK(qm_session_take(from->s, bytes, sizeof bytes, &n));
    if (!n) return moved;
    moved += n;
    while (at < n) {
      int rc = qm_session_feed(to->s, bytes + at, n - at, &used);
      BENCH_CHECK(rc == QM_OK || to->closed);
      events(to);
      at += used;
      if (!used && to->closed) break;
    }
  }
}

static void open_line(village *v, uint32_t device, end *a, end *b, unsigned flags) {
  open_end(v, a, v->devices[device].engine, device, QM_CLIENT, flags);
  open_end(v, b, v->hub.engine, device, QM_SERVER, 0);
  events(a);
}

static village_session converse(end *a, end *b) {
  village_session t = {0, 0, 0, 0};
  uint64_t up, down;
  do {
    up = speak(a, b);
    down = speak(b, a);
    t.up += up;
    t.down += down;
    t.trips += up && down;
  } while (up || down);
  t.code = a->closed && b->closed && !a->code ? b->code : a->closed ? a->code : QM_ECLOSED;
  return t;
}

static void close_line(end *a, end *b) {
  qm_session_free(a->s);
  qm_session_free(b->s);
  qm_answer_free(&a->answer);
  qm_answer_free(&b->answer);
}

village_session village_talk(village *v, uint32_t device) {
  end a, b;
  open_line(v, device, &a, &b, 0);
  village_session t = converse(&a, &b);
  close_line(&a, &b);
  return t;
}

void village_live(village *v, uint32_t device, void (*change)(village *v), village_session t[2]) {
  qm_id space;
  end a, b;
  open_line(v, device, &a, &b, QM_SESSION_LIVE);
  (void)converse(&a, &b);
  BENCH_CHECK(a.live && !a.closed && !b.closed);
  qm_trace_space(v->trace.grid_of_device[device], &space);
  for (int i = 0; i < 2; i++) {
    change(v);
    BENCH_CHECK(qm_session_news(a.s, &space));
    events(&a);
    t[i] = converse(&a, &b);
    BENCH_CHECK(!a.closed && !b.closed);
    t[i].code = QM_OK;
  }
  qm_session_bye(a.s);
  (void)converse(&a, &b);
  close_line(&a, &b);
}
