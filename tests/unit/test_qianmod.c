/* The hub as a program: real processes on loopback, devices in this one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/hash.h"
#include "sync/code.h"
#include "tests/unit/support_dir.h"
#include "tests/unit/support_hub.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define ARGS_MAX 16
#define MEMBER "Member Canary-Zhu"
#define VALUE "Household Canary-Lotus"

typedef struct fixture {
  test_dir top;
  char dir[300], log[300], out[16384];
  char last_code[QM_CODE_TEXT_SIZE];
  pid_t hub;
  int hub_out;
  uint16_t port;
  hub_device a, b;
} fixture;

/* --- processes --- */

static void program(char to[512]) {
  const char *build = getenv("BUILD");
  snprintf(to, 512, "%s/qianmod", build ? build : "build");
}

static void say_english(void) {
  setenv("LC_ALL", "C.UTF-8", 1);
  unsetenv("LANG");
}

/* Starts qianmod with `args`; its standard output through *out, its errors into `log`. */
static pid_t spawn(fixture *f, const char *const *args, int *out) {
  char path[512];
  const char *argv[ARGS_MAX + 2];
  int p[2], n = 0;
  program(path);
  argv[n++] = path;
  while (*args && n <= ARGS_MAX) argv[n++] = *args++;
  argv[n] = NULL;
  assert_int_equal(pipe(p), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    int log = open(f->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(p[1], STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(p[0]);
    /* execv takes no const, and changes nothing. */
    union {
      const char **in;
      char **out;
    } cast = {argv};
    execv(path, cast.out);
    _exit(127);
  }
  close(p[1]);
  *out = p[0];
  return pid;
}

static size_t read_out(int fd, char *to, size_t cap, int until_line) {
  size_t n = 0;
  for (;;) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, HUB_WAIT_MS) != 1) fail_msg("qianmod neither spoke nor ended");
    ssize_t got = read(fd, to + n, cap - 1 - n);
    if (got <= 0) break;
    n += (size_t)got;
    to[n] = '\0';
    if (until_line && memchr(to, '\n', n)) break;
    assert_true(n < cap - 1);
  }
  to[n] = '\0';
  return n;
}

static int end_of(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Runs to the end; what it prints is in f->out. */
static int run(fixture *f, ...) {
  const char *args[ARGS_MAX + 1];
  va_list list;
  int n = 0, fd;
  va_start(list, f);
  while (n < ARGS_MAX && (args[n] = va_arg(list, const char *)) != NULL) n++;
  va_end(list);
  args[n] = NULL;
  pid_t pid = spawn(f, args, &fd);
  read_out(fd, f->out, sizeof f->out, 0);
  close(fd);
  return end_of(pid);
}

static int says(const fixture *f, const char *part) { return strstr(f->out, part) != NULL; }

/* Starts serving and waits for the line that says where. */
static void serve(fixture *f, const char *option, const char *value) {
  const char *args[] = {"run", f->dir, option, value, NULL};
  f->hub = spawn(f, args, &f->hub_out);
  read_out(f->hub_out, f->out, sizeof f->out, 1);
  const char *at = strstr(f->out, "listening on 127.0.0.1:");
  if (!at) fail_msg("qianmod run: %s", f->out);
  f->port = (uint16_t)atoi(at + 23);
}

static int stop(fixture *f) {
  kill(f->hub, SIGTERM);
  close(f->hub_out);
  int code = end_of(f->hub);
  f->hub = 0;
  return code;
}

/* --- the hub's directory --- */

static const char *schema_file(fixture *f) {
  const char *path = test_dir_file(&f->top, "schema.json");
  test_file_write(path, hub_schema_json, strlen(hub_schema_json));
  return path;
}

static void make_hub(fixture *f) {
  assert_int_equal(run(f, "init", f->dir, "--listen", "127.0.0.1:0", NULL), 0);
  assert_int_equal(run(f, "space", "add", f->dir, "grid", "--schema", schema_file(f), NULL), 0);
}

/* The value of a JSON member in f->out. */
static void member(const fixture *f, const char *name, char *to, size_t cap) {
  char key[64];
  snprintf(key, sizeof key, "\"%s\":\"", name);
  const char *at = strstr(f->out, key);
  if (!at) fail_msg("no %s in %s", name, f->out);
  at += strlen(key);
  size_t n = strcspn(at, "\"");
  assert_true(n < cap);
  memcpy(to, at, n);
  to[n] = '\0';
}

static const char *code_for(fixture *f, const char *hours) {
  assert_int_equal(run(f, "--json", "enroll", f->dir, "--member", MEMBER, "--role", "grid",
                       "--hours", hours, "--space", "grid", NULL),
                   0);
  member(f, "code", f->last_code, sizeof f->last_code);
  return f->last_code;
}

static void enrol(fixture *f, hub_device *d) {
  if (hub_device_enrol(d, f->port, code_for(f, "24")) != QM_OK) fail_msg("%s", d->error.message);
}

static void sync_ok(fixture *f, hub_device *d) {
  if (hub_device_sync(d, f->port) != QM_OK) fail_msg("sync: %s", d->error.message);
  assert_int_equal(d->result.complete, 1);
}

static void hub_digest(fixture *f, char to[33]) {
  assert_int_equal(run(f, "--json", "check", f->dir, NULL), 0);
  member(f, "digest", to, 33);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  signal(SIGPIPE, SIG_IGN);
  say_english();
  test_dir_make(&f->top);
  snprintf(f->dir, sizeof f->dir, "%s", test_dir_file(&f->top, "hub"));
  snprintf(f->log, sizeof f->log, "%s", test_dir_file(&f->top, "log"));
  hub_device_open(&f->a, 0);
  hub_device_open(&f->b, 0);
  *state = f;
  return 0;
}

/* test_dir_remove removes files only. */
static void remove_dir(const char *path) {
  char command[700];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  assert_int_equal(system(command), 0);
}

static int teardown(void **state) {
  fixture *f = *state;
  if (f->hub) {
    kill(f->hub, SIGKILL);
    (void)end_of(f->hub);
  }
  hub_device_close(&f->a);
  hub_device_close(&f->b);
  remove_dir(f->top.path);
  free(f);
  return 0;
}

/* --- cases --- */

static void test_init(void **state) {
  fixture *f = *state;
  static const char *const files[] = {"ca.pem",  "ca.key", "hub.pem",   "hub.key",
                                      "hub.db",  "spaces.db", "qianmod.conf", "instance"};
  make_hub(f);
  assert_int_equal(test_file_mode(f->dir), 0700);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
    assert_int_equal(test_file_mode(path), 0600);
  }
  assert_int_equal(run(f, "init", f->dir, NULL), 2); /* never over another */
}

static void test_usage(void **state) {
  fixture *f = *state;
  static const char *const verbs[] = {"init",   "run",      "space",  "enroll",  "devices",
                                      "revoke", "reassign", "backup", "restore", "check",
                                      "recover"};
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    assert_int_equal(run(f, verbs[i], "--help", NULL), 0);
    assert_true(says(f, "usage: qianmod"));
    assert_int_equal(run(f, verbs[i], NULL), 2);
    assert_int_equal(run(f, verbs[i], f->dir, "--colour", NULL), 2);
  }
  setenv("LC_ALL", "zh_CN.UTF-8", 1);
  assert_int_equal(run(f, "--help", NULL), 0);
  assert_true(says(f, "用法"));
  say_english();
  assert_int_equal(run(f, NULL), 2);
  assert_int_equal(run(f, "dance", f->dir, NULL), 2);
  assert_int_equal(run(f, "run", f->dir, NULL), 3);
  assert_int_equal(run(f, "check", f->dir, NULL), 3);
  assert_int_equal(run(f, "devices", f->dir, NULL), 3);
}

static void test_spaces(void **state) {
  fixture *f = *state;
  const char *path = schema_file(f), *grown = test_dir_file(&f->top, "grown.json");
  char text[4096];
  make_hub(f);
  assert_int_equal(run(f, "space", "add", f->dir, "grid", "--schema", path, NULL), 2);
  assert_int_equal(run(f, "space", "add", f->dir, "other", "--schema", f->dir, NULL), 6);
  assert_int_equal(run(f, "space", "update", f->dir, "none", "--schema", path, NULL), 3);
  assert_int_equal(run(f, "space", "update", f->dir, "grid", "--schema", path, NULL), 0);
  assert_true(says(f, "already"));
  /* A field gone is no growth; a field more is. */
  assert_true((size_t)snprintf(text, sizeof text, "%s", hub_schema_json) < sizeof text);
  memcpy(strstr(text, "\"version\":1"), "\"version\":2", 11);
  memcpy(strstr(text, "\"number\":16"), "\"number\":17", 11);
  test_file_write(grown, text, strlen(text));
  assert_int_equal(run(f, "space", "update", f->dir, "grid", "--schema", grown, NULL), 5);
  memcpy(strstr(text, "\"number\":17"), "\"number\":16", 11);
  char *end = strstr(text, "]}]}");
  snprintf(end, sizeof text - (size_t)(end - text),
           ",{\"name\":\"more\",\"number\":17,\"type\":\"counter\",\"class\":\"work\","
           "\"label\":{\"zh\":\"多\",\"en\":\"More\"}}]}]}");
  test_file_write(grown, text, strlen(text));
  assert_int_equal(run(f, "space", "update", f->dir, "grid", "--schema", grown, NULL), 0);
  assert_int_equal(run(f, "--json", "space", "list", f->dir, NULL), 0);
  assert_true(says(f, "\"name\":\"grid\"") && says(f, "\"schema\":2"));
}

static void test_sensitive(void **state) {
  fixture *f = *state;
  const char *path = test_dir_file(&f->top, "sensitive.json");
  char text[4096];
  make_hub(f);
  snprintf(text, sizeof text, "%s", hub_schema_json);
  char *at = strstr(text, "\"work\"");
  memmove(at + 11, at + 6, strlen(at + 6) + 1);
  memcpy(at, "\"sensitive\"", 11);
  test_file_write(path, text, strlen(text));
  assert_int_equal(run(f, "space", "add", f->dir, "health", "--schema", path, NULL), 5);
  assert_int_equal(
      run(f, "space", "add", f->dir, "health", "--schema", path, "--test-data", NULL), 0);
}

static void test_enrol_and_sync(void **state) {
  fixture *f = *state;
  char x[33], y[33], z[33];
  make_hub(f);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  enrol(f, &f->b);
  hub_device_write(&f->a, "grid", VALUE);
  sync_ok(f, &f->a);
  sync_ok(f, &f->b);
  assert_int_equal(f->b.result.taken_down, 2); /* and the membership entries */
  hub_device_digest(&f->a, x);
  hub_device_digest(&f->b, y);
  hub_digest(f, z); /* beside the running hub */
  assert_string_equal(x, y);
  assert_string_equal(x, z);
  assert_int_equal(run(f, "--json", "devices", f->dir, NULL), 0);
  assert_true(says(f, MEMBER) && says(f, "\"spaces\":[\"grid\"]"));
  assert_int_equal(run(f, "--json", "devices", f->dir, "--stale", "1", NULL), 0);
  assert_string_equal(f->out, "");
  assert_int_equal(run(f, "run", f->dir, NULL), 4); /* served already */
  assert_int_equal(stop(f), 0);
  hub_digest(f, z);
  assert_string_equal(x, z);
}

/* A space that was added while the hub runs. */
static void test_space_beside_the_hub(void **state) {
  fixture *f = *state;
  make_hub(f);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  sync_ok(f, &f->a);
  assert_int_equal(
      run(f, "space", "add", f->dir, "street", "--schema", schema_file(f), NULL), 0);
  assert_int_equal(run(f, "--json", "devices", f->dir, NULL), 0);
  char id[64];
  member(f, "device", id, sizeof id);
  assert_int_equal(
      run(f, "reassign", f->dir, id, "--space", "street", "grid", "--role", "office", NULL), 0);
  sync_ok(f, &f->a);
  assert_int_equal(qm_engine_space_count(f->a.engine), 2);
  hub_device_write(&f->a, "street", VALUE);
  sync_ok(f, &f->a);
  assert_int_equal(f->a.result.taken_up, 1);
  assert_int_equal(run(f, "reassign", f->dir, id, "--space", "grid", NULL), 0);
  hub_device_write(&f->a, "street", VALUE);
  (void)hub_device_sync(&f->a, f->port);
  assert_int_equal(f->a.result.taken_up, 0);
  assert_int_equal(f->a.result.n_gone, 1);
  assert_int_equal(run(f, "reassign", f->dir, "ZZZZ", "--space", "grid", NULL), 3);
  assert_int_equal(stop(f), 0);
}

/* What a role may not write is set aside (S10.6): listed for the office, approved or declined. */
static void test_set_aside_and_decided(void **state) {
  fixture *f = *state;
  const char *path = test_dir_file(&f->top, "roles.json");
  char text[4096], id[64];
  uint64_t changes, oldest;
  assert_int_equal(run(f, "init", f->dir, "--listen", "127.0.0.1:0", NULL), 0);
  snprintf(text, sizeof text, "%s", hub_schema_json);
  char *at = strstr(text, "\"fields\"");
  memmove(at + 21, at, strlen(at) + 1);
  memcpy(at, "\"writers\":[\"office\"],", 21);
  test_file_write(path, text, strlen(text));
  /* In the second store. */
  assert_int_equal(run(f, "space", "add", f->dir, "other", "--schema", path, NULL), 0);
  assert_int_equal(run(f, "space", "add", f->dir, "grid", "--schema", path, NULL), 0);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  hub_device_role(&f->a, "office"); /* what an old grant may have said */
  hub_device_write(&f->a, "grid", VALUE);
  ok(hub_device_sync(&f->a, f->port));
  assert_int_equal(f->a.result.taken_up, 1);
  assert_int_equal(f->a.result.n_refused, 0);
  ok(qm_engine_unsent(f->a.engine, hub_device_space(&f->a), &changes, &oldest));
  assert_int_equal(changes, 0);
  assert_int_equal(run(f, "--json", "aside", "list", f->dir, NULL), 0);
  assert_true(says(f, "\"status\":\"waiting\"") && says(f, "EACCESS") && says(f, VALUE));
  member(f, "id", id, sizeof id);
  assert_int_equal(run(f, "aside", "approve", f->dir, "ZZZZ", NULL), 3);
  assert_int_equal(run(f, "aside", "decline", f->dir, id, NULL), 2);
  assert_int_equal(run(f, "aside", "approve", f->dir, id, NULL), 0);
  sync_ok(f, &f->a); /* the hub's next step */
  sync_ok(f, &f->a);
  assert_int_equal(run(f, "--json", "aside", "list", f->dir, NULL), 0);
  assert_true(says(f, "\"status\":\"approved\""));
  assert_int_equal(run(f, "aside", "approve", f->dir, id, NULL), 2);
  assert_int_equal(run(f, "--json", "aside", "list", f->dir, "--space", "none", NULL), 0);
  assert_false(says(f, "status"));
  hub_device_role(&f->a, "office");
  hub_device_write(&f->a, "grid", "Household to be declined");
  (void)hub_device_sync(&f->a, f->port);
  assert_int_equal(stop(f), 0);
  assert_int_equal(run(f, "--json", "aside", "list", f->dir, NULL), 0);
  const char *waiting = strstr(f->out, "\"status\":\"waiting\"");
  assert_non_null(waiting);
  while (waiting > f->out && waiting[-1] != '\n') waiting--;
  memmove(f->out, waiting, strlen(waiting) + 1);
  member(f, "id", id, sizeof id);
  assert_int_equal(run(f, "aside", "decline", f->dir, id, "--why", "not so", NULL), 0);
  assert_int_equal(run(f, "--json", "aside", "list", f->dir, NULL), 0);
  assert_true(says(f, "\"status\":\"declined\"") && says(f, "not so"));
}

/* --- codes --- */

static void test_codes(void **state) {
  fixture *f = *state;
  char code[QM_CODE_TEXT_SIZE], other[QM_CODE_TEXT_SIZE];
  make_hub(f);
  serve(f, NULL, NULL);
  memcpy(code, code_for(f, "24"), sizeof code);
  /* Mistyped; of another hub; in lower case with O for 0. */
  memcpy(other, code, sizeof other);
  other[0] = other[0] == '1' ? '2' : '1';
  assert_int_equal(hub_device_enrol(&f->a, f->port, other), QM_ECODE);
  qm_enrol_code foreign;
  ok(qm_code_parse(code, strlen(code), &foreign, NULL));
  foreign.fingerprint[0] ^= 1;
  qm_code_text(&foreign, other);
  assert_int_equal(hub_device_enrol(&f->a, f->port, other), QM_ECERT);
  foreign.fingerprint[0] ^= 1;
  foreign.secret[0] ^= 1;
  qm_code_text(&foreign, other);
  assert_int_equal(hub_device_enrol(&f->a, f->port, other), QM_ECODEUSED);
  for (char *p = code; *p; p++) {
    if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    if (*p == '0') *p = 'O';
  }
  ok(hub_device_enrol(&f->a, f->port, code));
  assert_int_equal(hub_device_enrol(&f->b, f->port, code), QM_ECODEUSED);
  assert_int_equal(stop(f), 0);
}

typedef struct racer {
  fixture *f;
  hub_device d;
  const char *code;
  int rc;
} racer;

static void *race(void *payload) {
  racer *r = payload;
  r->rc = hub_device_enrol(&r->d, r->f->port, r->code);
  return NULL;
}

static void test_two_race_for_one_code(void **state) {
  fixture *f = *state;
  racer r[2];
  pthread_t threads[2];
  make_hub(f);
  serve(f, NULL, NULL);
  for (int round = 0; round < 3; round++) {
    const char *code = code_for(f, "24");
    for (int i = 0; i < 2; i++) {
      r[i] = (racer){.f = f, .code = code};
      hub_device_open(&r[i].d, 0);
      r[i].d.env.payload = &r[i].d;
    }
    for (int i = 0; i < 2; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, race, &r[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    assert_true((r[0].rc == QM_OK) != (r[1].rc == QM_OK));
    assert_int_equal(r[0].rc == QM_OK ? r[1].rc : r[0].rc, QM_ECODEUSED);
    for (int i = 0; i < 2; i++) hub_device_close(&r[i].d);
  }
  assert_int_equal(stop(f), 0);
}

static void test_tries_of_an_address(void **state) {
  fixture *f = *state;
  qm_enrol_code code;
  char text[QM_CODE_TEXT_SIZE];
  make_hub(f);
  serve(f, NULL, NULL);
  ok(qm_code_parse(code_for(f, "24"), QM_CODE_TEXT_SIZE - 1, &code, NULL));
  int rc = QM_OK;
  code.secret[0] ^= 0xFF;
  for (int i = 0; i < 20 && rc != QM_ETRIES; i++) {
    code.secret[9] = (uint8_t)i;
    qm_code_text(&code, text);
    rc = hub_device_enrol(&f->a, f->port, text);
    assert_true(rc == QM_ECODEUSED || rc == QM_ETRIES);
  }
  assert_int_equal(rc, QM_ETRIES);
  assert_int_equal(stop(f), 0);
}

static void test_revoke(void **state) {
  fixture *f = *state;
  char id[64];
  make_hub(f);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  sync_ok(f, &f->a);
  assert_int_equal(run(f, "--json", "devices", f->dir, NULL), 0);
  member(f, "device", id, sizeof id);
  id[6] = '\0'; /* its first characters will do */
  assert_int_equal(run(f, "revoke", f->dir, "ZZZZ", NULL), 3);
  assert_int_equal(run(f, "revoke", f->dir, id, NULL), 0);
  assert_int_equal(hub_device_sync(&f->a, f->port), QM_EREVOKED);
  assert_int_equal(stop(f), 0);
}

/* --- accidents --- */

/* The hub dies after the fsync and before the ACK: the device asks again, and it is known. */
static void test_killed_between_commit_and_ack(void **state) {
  fixture *f = *state;
  uint64_t changes, oldest;
  char x[33], y[33];
  make_hub(f);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  assert_int_equal(stop(f), 0);
  hub_device_write(&f->a, "grid", VALUE);
  serve(f, "--test-crash", "commit-before-ack:1");
  assert_int_not_equal(hub_device_sync(&f->a, f->port), QM_OK);
  assert_int_equal(f->a.result.taken_up, 0);
  close(f->hub_out);
  assert_int_equal(end_of(f->hub), 1000 + SIGKILL);
  f->hub = 0;
  assert_true(test_file_contains(f->log, "killed after durable commit 1 and before its ACK"));
  ok(qm_engine_unsent(f->a.engine, hub_device_space(&f->a), &changes, &oldest));
  assert_int_equal(changes, 1);
  serve(f, NULL, NULL);
  sync_ok(f, &f->a);
  assert_int_equal(f->a.result.taken_up, 0); /* it was there */
  ok(qm_engine_unsent(f->a.engine, hub_device_space(&f->a), &changes, &oldest));
  assert_int_equal(changes, 0);
  assert_int_equal(stop(f), 0);
  hub_device_digest(&f->a, x);
  hub_digest(f, y);
  assert_string_equal(x, y);
}

/* Restored from last night's backup after a second day that was acknowledged. */
static void test_restored_backup_loses_nothing(void **state) {
  fixture *f = *state;
  char backup[300], x[33], y[33];
  uint64_t held;
  snprintf(backup, sizeof backup, "%s/backup", f->top.path);
  make_hub(f);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  enrol(f, &f->b);
  hub_device_write(&f->a, "grid", "first day");
  sync_ok(f, &f->a);
  assert_int_equal(run(f, "backup", f->dir, backup, NULL), 0);
  assert_int_equal(run(f, "backup", f->dir, backup, NULL), 2);
  sync_ok(f, &f->a); /* hears that the first day is safe */
  held = qm_vv_get(qm_space_vv(hub_device_space(&f->a)), 0);
  assert_int_equal(qm_vv_get(qm_space_safe(hub_device_space(&f->a)), 0), held);
  hub_device_write(&f->a, "grid", "second day");
  hub_device_write(&f->b, "grid", "second day too");
  sync_ok(f, &f->a);
  sync_ok(f, &f->b);
  assert_int_equal(stop(f), 0);
  remove_dir(f->dir);
  assert_int_equal(run(f, "restore", f->dir, backup, NULL), 0);
  serve(f, NULL, NULL);
  sync_ok(f, &f->a);
  sync_ok(f, &f->b);
  sync_ok(f, &f->a);
  assert_int_equal(hub_device_count(&f->a), 3);
  hub_device_digest(&f->a, x);
  hub_device_digest(&f->b, y);
  assert_string_equal(x, y);
  assert_int_equal(stop(f), 0);
  hub_digest(f, y);
  assert_string_equal(x, y);
}

static void test_damaged(void **state) {
  fixture *f = *state;
  char path[400];
  make_hub(f);
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  hub_device_write(&f->a, "grid", VALUE);
  sync_ok(f, &f->a);
  assert_int_equal(stop(f), 0);
  snprintf(path, sizeof path, "%s/spaces.db", f->dir);
  int64_t size = test_file_size(path);
  test_file_damage(path, 4096, (size_t)(size - 4096));
  assert_int_equal(run(f, "check", f->dir, NULL), 7);
}

/* --- what the log holds --- */

static void test_log_holds_no_personal_value(void **state) {
  fixture *f = *state;
  static const char *const formats[] = {"text", "json"};
  char conf[400], text[200], head[24];
  make_hub(f);
  snprintf(conf, sizeof conf, "%s/qianmod.conf", f->dir);
  for (size_t i = 0; i < 2; i++) {
    snprintf(text, sizeof text, "listen = 127.0.0.1:0\nlog-format = %s\nlog-level = debug\n",
             formats[i]);
    test_file_write(conf, text, strlen(text));
    serve(f, NULL, NULL);
    hub_device *d = i ? &f->b : &f->a;
    enrol(f, d);
    assert_int_equal(hub_device_enrol(d, f->port, f->last_code), QM_OK); /* the answer again */
    hub_device_write(d, "grid", VALUE);
    sync_ok(f, d);
    int raw = hub_connect(f->port);
    hub_send(raw, "Canary-Plain\n", 13);
    uint8_t in[64];
    (void)hub_read_all(raw, in, sizeof in);
    close(raw);
    assert_int_equal(stop(f), 0);
    memcpy(head, f->last_code, 12);
    head[12] = '\0';
    assert_false(test_file_contains(f->log, "Canary"));
    assert_false(test_file_contains(f->log, head));
    assert_false(test_file_contains(f->log, "127.0.0.1"));
    assert_true(test_file_contains(f->log, "session of"));
  }
  assert_true(test_file_contains(f->log, "\"level\":\"info\""));
}

/* SIGHUP opens the log anew; the next sessions are in the new file. */
static void test_reload(void **state) {
  fixture *f = *state;
  char conf[400], log[300], old[310], text[800];
  make_hub(f);
  snprintf(conf, sizeof conf, "%s/qianmod.conf", f->dir);
  snprintf(log, sizeof log, "%s/hub.log", f->top.path);
  snprintf(old, sizeof old, "%s.1", log);
  snprintf(text, sizeof text, "listen = 127.0.0.1:0\nlog = %s\n", log);
  test_file_write(conf, text, strlen(text));
  serve(f, NULL, NULL);
  enrol(f, &f->a);
  assert_int_equal(test_file_mode(log), 0600);
  assert_int_equal(rename(log, old), 0);
  kill(f->hub, SIGHUP);
  /* Each of these goes through the loop that the signal went to. */
  for (int i = 0; i < 50 && access(log, F_OK) != 0; i++) sync_ok(f, &f->a);
  sync_ok(f, &f->a);
  assert_int_equal(stop(f), 0);
  assert_true(test_file_contains(log, "session of"));
  assert_true(test_file_contains(log, "reload"));
}

static void test_replay_is_apart(void **state) {
  fixture *f = *state;
  make_hub(f);
  assert_int_equal(run(f, "run", f->dir, "--replay", NULL), 5);
  snprintf(f->dir, sizeof f->dir, "%s", test_dir_file(&f->top, "replay"));
  assert_int_equal(run(f, "init", f->dir, "--replay", "--listen", "127.0.0.1:0", NULL), 0);
  assert_int_equal(run(f, "run", f->dir, NULL), 5);
  serve(f, "--replay", NULL);
  assert_int_equal(stop(f), 0);
}

/* --- a directory of before there were several stores --- */

static int user_version(const fixture *f, const char *also) {
  char path[400];
  int version = 0;
  sqlite3 *db;
  sqlite3_stmt *st;
  snprintf(path, sizeof path, "%s/hub.db", f->dir);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  if (also) assert_int_equal(sqlite3_exec(db, also, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(st), SQLITE_ROW);
  version = sqlite3_column_int(st, 0);
  assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
  return version;
}

static void test_older_directory(void **state) {
  static const char older[] = "ALTER TABLE space_name DROP COLUMN shard; PRAGMA user_version = 2";
  fixture *f = *state;
  char restored[300], command[700];
  assert_int_equal(run(f, "init", f->dir, "--listen", "127.0.0.1:0", "--shards", "1", NULL), 0);
  assert_int_equal(run(f, "space", "add", f->dir, "grid", "--schema", schema_file(f), NULL), 0);
  snprintf(command, sizeof command, "sed -i '/^shards/d' '%s/qianmod.conf'", f->dir);
  assert_int_equal(system(command), 0);
  assert_int_equal(user_version(f, older), 2);
  snprintf(restored, sizeof restored, "%s", test_dir_file(&f->top, "restored"));
  assert_int_equal(run(f, "restore", restored, f->dir, NULL), 0);
  assert_int_equal(user_version(f, NULL), 2); /* what was copied stays as it is */
  assert_int_equal(run(f, "space", "list", restored, NULL), 0);
  assert_true(says(f, "grid"));
  assert_int_equal(run(f, "space", "list", f->dir, NULL), 0); /* reads, and raises it */
  assert_true(says(f, "grid"));
  assert_int_equal(user_version(f, NULL), 3);
  assert_int_equal(user_version(f, older), 2);
  assert_int_equal(run(f, "check", f->dir, NULL), 0);
  serve(f, NULL, NULL);
  assert_int_equal(stop(f), 0);
  char path[400];
  snprintf(path, sizeof path, "%s/spaces-2.db", f->dir);
  assert_int_not_equal(access(path, F_OK), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {CASE(test_init),
                                     CASE(test_usage),
                                     CASE(test_spaces),
                                     CASE(test_sensitive),
                                     CASE(test_enrol_and_sync),
                                     CASE(test_space_beside_the_hub),
                                     CASE(test_set_aside_and_decided),
                                     CASE(test_codes),
                                     CASE(test_two_race_for_one_code),
                                     CASE(test_tries_of_an_address),
                                     CASE(test_revoke),
                                     CASE(test_killed_between_commit_and_ack),
                                     CASE(test_restored_backup_loses_nothing),
                                     CASE(test_damaged),
                                     CASE(test_log_holds_no_personal_value),
                                     CASE(test_reload),
                                     CASE(test_replay_is_apart),
                                     CASE(test_older_directory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
