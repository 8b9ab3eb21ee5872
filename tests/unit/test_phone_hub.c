/* The app is killed during a sync, at many points of it, from opening to the end: whatever it had
 * acknowledged or saved stays, and the next sync goes on. A point is the n-th time that the library
 * asks for memory, which it does all the way; the app is a process of its own, this program again.
 * (Crashes at every write to the disk, and cuts at every byte, are in tests/faults.) */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support_handle.h"
#include "tests/unit/support_live.h"

#define ok(expr) assert_int_equal(expr, QM_OK)

enum { POINTS = 40, EACH = 3 };

static const char *self; /* this program */

/* --- the app, as a process --- */

static unsigned long asked, last;

static void *until_killed(void *payload, void *p, size_t n) {
  (void)payload;
  if (n && ++asked == last) raise(SIGKILL);
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

static uint64_t now(void *payload) {
  (void)payload;
  return NOW_MS;
}

/* Opens and syncs; killed at the given call, or it says how many there were. */
static int run_app(const char *path, const char *at) {
  qm_options o = QM_OPTIONS_INIT;
  qm_db *db;
  qm_error e = {0, ""};
  last = strtoul(at, NULL, 10);
  o.path = path;
  o.now_ms = now;
  o.allocate = until_killed;
  int rc = qm_open(&o, &db, &e);
  if (rc == QM_OK) rc = qm_sync(db, NULL, &e);
  if (rc != QM_OK) {
    fprintf(stderr, "%s\n", e.message);
    return 1;
  }
  printf("%lu\n", asked);
  qm_close(db);
  return 0;
}

/* 0: it was killed there; else the number that it says. */
static unsigned long start(const char *path, unsigned long at) {
  char text[24], said[32] = "";
  int fds[2], status;
  snprintf(text, sizeof text, "%lu", at);
  assert_int_equal(pipe(fds), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(fds[1], 1);
    const char *runner = getenv("RUNNER"); /* the emulator that programs run in */
    if (runner && *runner)
      execl("/bin/sh", "sh", "-c", "exec $RUNNER \"$@\"", "sh", self, path, text, (char *)NULL);
    execl(self, self, path, text, (char *)NULL);
    _exit(127);
  }
  close(fds[1]);
  ssize_t n = read(fds[0], said, sizeof said - 1);
  close(fds[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return 0;
  }
  assert_int_equal(status, 0);
  assert_true(n > 0);
  return strtoul(said, NULL, 10);
}

/* --- the world --- */

typedef struct hub_world {
  test_dir dir;
  live_hub hub;
  live_device other;
  app a;
  char path[512];
} hub_world;

static void certify(hub_world *w) {
  qm_buf cert;
  char hub[32];
  qm_buf_init(&cert, &w->hub.own.env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_device(w->hub.ca, qm_key_spki(w->a.db->key), HUB_NOW_MS, &cert));
  snprintf(hub, sizeof hub, "127.0.0.1:%u", (unsigned)qm_hub_port(w->hub.hub));
  qm_meta_pair pairs[] = {{S(QM_META_CERT), qm_buf_slice(&cert)},
                          {S(QM_META_CA), qm_ca_cert(w->hub.ca)},
                          {S(QM_META_HUB), S(hub)},
                          {S(QM_META_HUB_ID),
                           qm_slice_of(qm_key_device(w->hub.own.key)->b, QM_ID_SIZE)}};
  ok(qm__handle_meta_put(w->a.db, pairs, COUNT(pairs)));
  qm_buf_free(&cert);
}

static int setup(void **state) {
  hub_world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  test_dir_make(&w->dir);
  live_hub_open(&w->hub);
  live_hub_start(&w->hub);
  live_device_open(&w->other, &w->hub);
  app_set(&w->a, &w->dir, "app.db");
  snprintf(w->path, sizeof w->path, "%s", w->a.o.path);
  w->a.o.path = w->path;
  app_open(&w->a);
  certify(w);
  ok(qm_sync(w->a.db, NULL, &w->a.e));
  *state = w;
  return 0;
}

static int teardown(void **state) {
  hub_world *w = *state;
  qm_close(w->a.db);
  live_device_close(&w->other);
  live_hub_close(&w->hub);
  test_dir_remove(&w->dir);
  free(w);
  return 0;
}

/* Here and on another phone; the app is closed then. */
static void write_some(hub_world *w, uint64_t *records) {
  for (int i = 0; i < EACH; i++) {
    qm_tx *tx = app_begin(&w->a);
    qm_text id;
    ok(qm_new(tx, S("household"), NONE, &id, NULL, &w->a.e));
    ok(qm_set(tx, S("household"), S(id.p), S("head"), S("East (invented)"), 0, &w->a.e));
    qm_text_free(&id);
    app_commit(&w->a, tx);
    live_write(&w->other, 1, "West (invented)");
  }
  live_take(&w->other);
  ok(hub_device_sync(&w->other.d, qm_hub_port(w->hub.hub)));
  live_let_go(&w->other);
  *records += 2 * EACH;
  qm_close(w->a.db);
  w->a.db = NULL;
}

static uint64_t count(app *a) {
  qm_text t;
  ok(qm_sql(a->db, S("SELECT count(*) FROM household"), NONE, 0, 0, &t, &a->e));
  const char *row = strstr(t.p, "\n[");
  assert_non_null(row);
  uint64_t n = strtoull(row + 2, NULL, 10);
  qm_text_free(&t);
  return n;
}

static void test_killed_during_a_sync(void **state) {
  hub_world *w = *state;
  app *a = &w->a;
  uint64_t records = 0, kills = 0;
  qm_text t;
  write_some(w, &records);
  unsigned long all = start(w->path, 0);
  assert_true(all > 100);
  for (unsigned long i = 0; i < POINTS; i++) {
    app_open(a);
    uint64_t before = count(a);
    write_some(w, &records);
    kills += start(w->path, 1 + all * i / POINTS) == 0;
    app_open(a);
    ok(qm_check(a->db, &t, &a->e));
    qm_text_free(&t);
    assert_true(count(a) >= before + EACH); /* what was written here is here */
    assert_true(count(a) <= records);
    qm_close(a->db);
    a->db = NULL;
  }
  assert_true(kills > POINTS / 2);
  app_open(a);
  ok(qm_sync(a->db, NULL, &a->e));
  assert_int_equal(count(a), records);
  assert_true(app_status_holds(a, "\"unsent\":0,"));
  live_take(&w->other);
  ok(hub_device_sync(&w->other.d, qm_hub_port(w->hub.hub)));
  assert_true(live_has_records(&w->other, &records));
  live_let_go(&w->other);
  print_message("# killed at %d of %lu points\n", (int)kills, all);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_killed_during_a_sync, setup, teardown),
  };
  if (argc == 3) return run_app(argv[1], argv[2]);
  self = argv[0];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
