/* The hub of a sync day: qianmod beside this program, in a process of its own. Devices are
 * put into hub.db directly: enrolment is not what is measured. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cli/replay_process.h"
#include "adapters/sqlite/hub_db.h"
#include "tests/bench/day.h"

static uint64_t real_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t env_now(void *payload) {
  (void)payload;
  return real_now();
}

static void run(const char *const argv[]) {
  char out[8192];
  qm_error e = {0, ""};
  if (qm_process_run(argv, out, sizeof out, &e) != QM_OK) bench_fail(e.message, e.code);
}

static void read_file(const day_hub *h, const char *name, qm_buf *out) {
  char path[600], part[4096];
  size_t n;
  snprintf(path, sizeof path, "%s/%s", h->dir, name);
  FILE *f = fopen(path, "rb");
  if (!f) bench_fail(path, QM_EIO);
  while ((n = fread(part, 1, sizeof part, f)) > 0) qm_buf_add(out, part, n);
  fclose(f);
  BENCH_OK(qm_buf_status(out));
}

static void load_ca(day_hub *h) {
  qm_buf pem, der;
  qm_key *key;
  qm_buf_init(&pem, &h->env, 65536);
  qm_buf_init(&der, &h->env, 65536);
  read_file(h, "ca.key", &pem);
  BENCH_OK(qm_key_from_pem(&h->env, qm_buf_slice(&pem), &key));
  qm_buf_clear(&pem);
  read_file(h, "ca.pem", &pem);
  BENCH_OK(qm_cert_from_pem(qm_buf_slice(&pem), &der));
  BENCH_OK(qm_ca_load(&h->env, qm_buf_slice(&der), key, &h->ca));
  qm_buf_free(&pem);
  h->ca_cert = der;
}

void day_hub_make(day_hub *h, const char *name, uint32_t grids, uint32_t stores,
                  const char *settings) {
  char schema[300], space[16], path[600], number[16];
  qm_error e = {0, ""};
  memset(h, 0, sizeof *h);
  h->env = qm_env_default();
  h->env.random = qm_crypto_random;
  h->env.now_ms = env_now;
  snprintf(h->dir, sizeof h->dir, "%s/hub", bench_dir(name));
  snprintf(h->log, sizeof h->log, "%s.log", h->dir);
  snprintf(schema, sizeof schema, "%s.json", h->dir);
  if (qm_process_sibling("qianmod", h->program, sizeof h->program, &e) != QM_OK)
    bench_fail(e.message, e.code);
  FILE *f = fopen(schema, "w");
  BENCH_CHECK(f && fputs(day_schema, f) >= 0);
  BENCH_CHECK(fclose(f) == 0);
  snprintf(number, sizeof number, "%u", (unsigned)stores);
  h->stores = stores;
  const char *const init[] = {h->program,    "init",   h->dir, "--listen",
                              "127.0.0.1:0", "--shards", number, NULL};
  run(init);
  for (uint32_t g = 0; g < grids; g++) {
    snprintf(space, sizeof space, "g%05u", g);
    const char *const add[] = {h->program, "space",    "add",  h->dir,
                               space,      "--schema", schema, NULL};
    run(add);
  }
  snprintf(path, sizeof path, "%s/qianmod.conf", h->dir);
  f = fopen(path, "a");
  BENCH_CHECK(f && fputs(settings, f) >= 0);
  BENCH_CHECK(fclose(f) == 0);
  load_ca(h);
}

void day_hub_admit(day_hub *h, const qm_key *key, uint32_t grid, qm_buf *cert) {
  static qm_hubdb *db; /* of the hub at hand: opened once, since devices come in rows */
  static char of[256];
  char path[600], space[16];
  qm_error e = {0, ""};
  qm_hub_space row;
  qm_hub_device d;
  qm_cert info;
  if (strcmp(of, h->dir) != 0 || grid == UINT32_MAX) {
    qm_hubdb_close(db);
    db = NULL;
    of[0] = '\0';
  }
  if (grid == UINT32_MAX) return;
  if (!db) {
    snprintf(path, sizeof path, "%s/hub.db", h->dir);
    BENCH_OK(qm_hubdb_open(&h->env, path, 0, &db, &e));
    snprintf(of, sizeof of, "%s", h->dir);
  }
  BENCH_OK(qm_ca_issue_device(h->ca, qm_key_spki(key), real_now(), cert));
  BENCH_OK(qm_cert_read(qm_buf_slice(cert), &info));
  memset(&d, 0, sizeof d);
  d.id = info.device;
  memcpy(d.spki, info.spki, sizeof info.spki);
  d.spki_len = sizeof info.spki;
  snprintf(d.member, sizeof d.member, "member");
  snprintf(d.role, sizeof d.role, "grid");
  d.not_after_ms = info.not_after_ms;
  d.enrolled_ms = real_now();
  snprintf(space, sizeof space, "g%05u", grid);
  BENCH_OK(qm_hubdb_begin(db));
  BENCH_OK(qm_hubdb_space_get_by_name(db, space, &row));
  BENCH_OK(qm_hubdb_device_put(db, &d));
  BENCH_OK(qm_hubdb_device_spaces_put(db, &d.id, &row.id, 1));
  BENCH_OK(qm_hubdb_commit(db));
}

/* Where a run goes wrong, its hub goes with it. */
static pid_t running;

static void end_running(void) {
  if (running > 0) kill(running, SIGKILL);
}

void day_hub_start(day_hub *h) {
  static int is_told;
  const char *const argv[] = {h->program, "run", h->dir, NULL};
  qm_error e = {0, ""};
  qm_buf none = {0};
  day_hub_admit(h, NULL, UINT32_MAX, &none);
  if (qm_process_start(argv, h->log, "listening on ", &h->pid, h->address, sizeof h->address,
                       &e) != QM_OK)
    bench_fail(e.message, e.code);
  running = h->pid;
  if (!is_told++) BENCH_CHECK(atexit(end_running) == 0);
  const char *colon = strrchr(h->address, ':');
  BENCH_CHECK(colon);
  h->port = (uint16_t)atoi(colon + 1);
}

double day_hub_cpu(const day_hub *h) {
  clockid_t id;
  struct timespec t;
  BENCH_CHECK(clock_getcpuclockid(h->pid, &id) == 0 && clock_gettime(id, &t) == 0);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_ms(unsigned ms) {
  struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  nanosleep(&t, NULL);
}

void day_hub_settle(const day_hub *h, unsigned ms) {
  double before;
  do {
    before = day_hub_cpu(h);
    pause_ms(ms);
  } while (day_hub_cpu(h) - before > 0.0005);
}

void day_hub_stop(day_hub *h) {
  qm_error e = {0, ""};
  running = 0;
  if (qm_process_stop(h->pid, NULL, &e) != QM_OK) bench_fail(e.message, e.code);
  h->pid = 0;
}

void day_hub_free(day_hub *h) {
  qm_ca_free(h->ca);
  qm_buf_free(&h->ca_cert);
  memset(h, 0, sizeof *h);
}
