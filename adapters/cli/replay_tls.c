/* replay --via tls: SQLite stores, a real hub process on loopback, real TLS. */
#define _XOPEN_SOURCE 700 /* mkdtemp, P_tmpdir */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/cli/replay_device.h"
#include "adapters/cli/replay_process.h"
#include "adapters/json/schema_json.h"
#include "adapters/sqlite/store_sqlite.h"

#define PATH_SIZE 1024
#define RUSH_ROUNDS 64

typedef struct tls {
  const qm_trace *t;
  qm_replay_result *r;
  qm_env env;
  char dir[PATH_SIZE], hub_dir[PATH_SIZE + 16], program[PATH_SIZE], address[128];
  int temporary;
  pid_t hub;
  qm_replay_device_state *devices;
  uint32_t n_open;
} tls;

/* --- directory --- */

static int make_dir(tls *x, const char *dir, qm_error *e) {
  if (dir) {
    snprintf(x->dir, sizeof x->dir, "%s", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
      return qm_fail(e, QM_EIO, "replay: %s: %s", dir, strerror(errno));
  } else {
    const char *base = getenv("TMPDIR");
    snprintf(x->dir, sizeof x->dir, "%s/qianmo-replay-XXXXXX", base && *base ? base : P_tmpdir);
    if (!mkdtemp(x->dir)) return qm_fail(e, QM_EIO, "replay: %s: %s", x->dir, strerror(errno));
    x->temporary = 1;
  }
  snprintf(x->hub_dir, sizeof x->hub_dir, "%s/hub", x->dir);
  if (access(x->hub_dir, F_OK) == 0)
    return qm_fail(e, QM_EEXIST, "replay: %s is there already; give an empty --dir", x->hub_dir);
  return QM_OK;
}

static void remove_dir(const tls *x) {
  char out[16];
  const char *const argv[] = {"/bin/rm", "-rf", x->dir, NULL};
  qm_error e;
  if (x->temporary) (void)qm_process_run(argv, out, sizeof out, &e);
}

static int write_schema(tls *x, char *path, size_t cap, qm_error *e) {
  qm_buf form, json;
  qm_arena arena;
  const qm_schema *s = NULL;
  snprintf(path, cap, "%s/schema.json", x->dir);
  qm_buf_init(&form, &x->env, 1u << 20);
  qm_buf_init(&json, &x->env, 1u << 22);
  qm_arena_init(&arena, &x->env, 1u << 24);
  int rc = qm_trace_schema(x->t, &form, e);
  if (rc == QM_OK) rc = qm_schema_load(&s, qm_buf_slice(&form), &arena, e);
  if (rc == QM_OK) qm_schema_json_print(&json, s);
  if (rc == QM_OK) rc = qm_buf_status(&json);
  FILE *f = rc == QM_OK ? fopen(path, "wb") : NULL;
  if (rc == QM_OK && (!f || fwrite(json.p, 1, json.n, f) != json.n)) rc = QM_EIO;
  if (f && fclose(f) != 0) rc = QM_EIO;
  qm_arena_free(&arena);
  qm_buf_free(&form);
  qm_buf_free(&json);
  return rc == QM_OK ? rc : qm_fail(e, rc, "replay: %s: %s", path, qm_err_text(rc));
}

/* --- hub and devices --- */

static void grid_name(uint32_t grid, char to[16]) { snprintf(to, 16, "g%05u", grid); }

static int make_hub(tls *x, qm_error *e) {
  char out[4096], schema[PATH_SIZE + 32], name[16];
  const char *const init[] = {x->program, "init",        x->hub_dir, "--replay",
                              "--listen", "127.0.0.1:0", NULL};
  QM_TRY(qm_process_run(init, out, sizeof out, e));
  QM_TRY(write_schema(x, schema, sizeof schema, e));
  for (uint32_t g = 0; g < x->t->grids; g++) {
    grid_name(g, name);
    const char *const add[] = {x->program, "space",    "add",  x->hub_dir,
                               name,       "--schema", schema, NULL};
    QM_TRY(qm_process_run(add, out, sizeof out, e));
  }
  const char *const run[] = {x->program, "run", x->hub_dir, "--replay", NULL};
  char log[PATH_SIZE + 32];
  snprintf(log, sizeof log, "%s/hub.log", x->dir);
  return qm_process_start(run, log, "listening on ", &x->hub, x->address, sizeof x->address, e);
}

/* `qianmod enroll --json` prints {"code":"XXXX-…",…}. */
static int code_in(const char *out, char *code, size_t cap) {
  const char *at = strstr(out, "\"code\":\"");
  size_t n;
  if (!at) return QM_EFORMAT;
  at += 8;
  n = strcspn(at, "\"");
  if (n >= cap) return QM_EFORMAT;
  memcpy(code, at, n);
  code[n] = 0;
  return QM_OK;
}

static int make_device(tls *x, uint32_t d, qm_error *e) {
  char out[4096], code[128], name[16], member[24], path[PATH_SIZE + 32];
  qm_id as;
  grid_name(x->t->grid_of_device[d], name);
  snprintf(member, sizeof member, "device-%u", d);
  const char *const enroll[] = {x->program, "--json", "enroll",  x->hub_dir, "--member", member,
                                "--role",   "replay", "--space", name,       NULL};
  QM_TRY(qm_process_run(enroll, out, sizeof out, e));
  if (code_in(out, code, sizeof code) != QM_OK)
    return qm_fail(e, QM_EFORMAT, "replay: qianmod enroll gave no code");
  qm_trace_device(d, &as);
  snprintf(path, sizeof path, "%s/device-%u.db", x->dir, d);
  x->n_open = d + 1;
  return qm_replay_device_open(&x->devices[d], path, x->address, code, &as, e);
}

/* --- rush: every device at once, each in a thread --- */

typedef struct rusher {
  qm_replay_device_state *d;
  qm_error e;
  int rc;
} rusher;

static void *rush_thread(void *payload) {
  rusher *r = payload;
  r->rc = qm_replay_device_sync(r->d, &r->e);
  return NULL;
}

static int rush_round(tls *x, qm_error *e) {
  uint32_t n = x->t->devices, started = 0;
  pthread_t *threads = calloc(n, sizeof *threads);
  rusher *r = calloc(n, sizeof *r);
  int rc = threads && r ? QM_OK : QM_ENOMEM;
  for (; rc == QM_OK && started < n; started++) {
    r[started].d = &x->devices[started];
    if (pthread_create(&threads[started], NULL, rush_thread, &r[started]) != 0) break;
  }
  if (rc == QM_OK && started < n) rc = qm_fail(e, QM_ENOMEM, "replay: no thread for a device");
  for (uint32_t i = 0; i < started; i++) {
    pthread_join(threads[i], NULL);
    if (rc == QM_OK && r[i].rc != QM_OK) {
      rc = r[i].rc;
      *e = r[i].e;
    }
  }
  free(threads);
  free(r);
  return rc;
}

static int same_replica(qm_engine *a, qm_space *x, qm_engine *b, qm_space *y) {
  uint8_t va[16], vb[16];
  qm_digest da, db;
  if (qm_engine_vv_digest(a, x, va) != QM_OK || qm_engine_vv_digest(b, y, vb) != QM_OK) return 0;
  qm_space_digest(x, &da);
  qm_space_digest(y, &db);
  return memcmp(va, vb, 16) == 0 && qm_digest_eq(&da, &db);
}

static int grids_equal(const tls *x) {
  int equal = 1;
  for (uint32_t a = 0; a < x->t->devices; a++)
    for (uint32_t b = a + 1; b < x->t->devices; b++)
      if (x->t->grid_of_device[a] == x->t->grid_of_device[b])
        equal &= same_replica(x->devices[a].engine, x->devices[a].space, x->devices[b].engine,
                              x->devices[b].space);
  return equal;
}

static int rush(tls *x, qm_error *e) {
  for (int round = 0; round < RUSH_ROUNDS; round++) {
    QM_TRY(rush_round(x, e));
    if (grids_equal(x)) return QM_OK;
  }
  return qm_fail(e, QM_EDIFFER, "rush: replicas are not equal after %d rounds", RUSH_ROUNDS);
}

/* --- playing and the end --- */

static int play(tls *x, uint32_t first, uint32_t end, qm_error *e) {
  const qm_line *l = &x->t->lines[first];
  if (l->op == QM_LINE_RUSH) return rush(x, e);
  qm_replay_device_state *d = &x->devices[l->device];
  if (l->op == QM_LINE_SYNC) {
    x->r->syncs++;
    return qm_replay_device_sync(d, e);
  }
  x->r->changes++;
  x->r->ops += end - first;
  return qm_trace_play(x->t, first, end, d->engine, d->space, e);
}

/* The hub's store, read once the hub has ended: what it shows, and whether every
 * device holds the same. */
static int read_hub(tls *x, qm_buf *dump, qm_error *e) {
  char path[PATH_SIZE + 64];
  qm_store *store = NULL;
  qm_engine *engine = NULL;
  qm_engine_options o = {
      .size = sizeof o, .flags = QM_ENGINE_REPLAY | QM_ENGINE_HUB, .device = x->devices[0].hub};
  snprintf(path, sizeof path, "%s/spaces.db", x->hub_dir);
  int rc = qm_store_sqlite_open(&x->env, path, 0, &store, e);
  if (rc == QM_OK) rc = qm_engine_open(&engine, &x->env, store, &o, e);
  if (rc == QM_OK) rc = qm_trace_dump(x->t, engine, dump, &x->r->records);
  x->r->converged = rc == QM_OK;
  for (uint32_t d = 0; rc == QM_OK && d < x->t->devices; d++) {
    qm_space_info info;
    qm_space_info_get(x->devices[d].space, &info);
    qm_space *s = qm_engine_space(engine, &info.id);
    x->r->converged &= s && same_replica(x->devices[d].engine, x->devices[d].space, engine, s);
  }
  qm_engine_close(engine);
  if (store) store->ops->close(store);
  return rc;
}

static int run(tls *x, qm_buf *dump, qm_error *e) {
  double cpu = 0;
  QM_TRY(qm_process_sibling("qianmod", x->program, sizeof x->program, e));
  QM_TRY(make_hub(x, e));
  for (uint32_t d = 0; d < x->t->devices; d++) QM_TRY(make_device(x, d, e));
  for (uint32_t i = 0; i < x->t->n_lines;) {
    uint32_t next = qm_trace_change_end(x->t, i);
    QM_TRY(play(x, i, next, e));
    i = next;
  }
  pid_t hub = x->hub;
  x->hub = 0;
  QM_TRY(qm_process_stop(hub, &cpu, e));
  /* Of the devices only the sessions are not counted apart; the hub is its process. */
  x->r->apply_seconds = cpu;
  for (uint32_t d = 0; d < x->t->devices; d++) {
    x->r->bytes_up += x->devices[d].bytes_up;
    x->r->bytes_down += x->devices[d].bytes_down;
  }
  return read_hub(x, dump, e);
}

int qm_replay_tls(const qm_trace *t, const qm_replay_options *o, qm_replay_result *r, qm_buf *dump,
                  qm_error *e) {
  tls x = {.t = t, .r = r};
  x.env = qm_replay_env();
  signal(SIGPIPE, SIG_IGN);
  x.devices = calloc(t->devices, sizeof *x.devices);
  int rc = x.devices ? make_dir(&x, o->dir, e) : QM_ENOMEM;
  if (rc == QM_OK) rc = run(&x, dump, e);
  if (x.hub > 0) (void)qm_process_stop(x.hub, NULL, NULL);
  for (uint32_t d = 0; d < x.n_open; d++) qm_replay_device_close(&x.devices[d]);
  free(x.devices);
  remove_dir(&x);
  return rc == QM_OK || e->code ? rc : qm_fail(e, rc, "replay: %s", qm_err_text(rc));
}
