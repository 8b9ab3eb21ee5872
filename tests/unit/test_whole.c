/* All or nothing as readers see it: a change of several records is never seen by half, by
 * another thread, by another handle (as another process has it), or after the process that
 * writes was killed. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support_handle.h"

#define CHANGES 120

/* Both households get the same name in one change. */
static int write_pair(app *a, const char *name) {
  qm_tx *tx;
  QM_TRY(qm_begin(a->db, NONE, &tx, &a->e));
  for (int i = 0; i < 2; i++) {
    int rc = qm_set(tx, S("household"), S(i ? "key:2" : "key:1"), S("head"), S(name), 0, &a->e);
    if (rc != QM_OK) {
      qm_cancel(tx);
      return rc;
    }
  }
  return qm_commit(tx, &a->e);
}

/* The two names as one list shows them. */
static void read_pair(app *a, char names[2][16]) {
  qm_text t;
  int rc = qm_list(a->db, NONE, S("household"), NONE, 0, 0, &t, &a->e);
  if (rc != QM_OK) fail_msg("%s", a->e.message);
  const char *at = t.p;
  for (int i = 0; i < 2; i++) {
    at = strstr(at, "\"head\":\"");
    assert_non_null(at);
    at += 8;
    size_t n = strcspn(at, "\"");
    assert_true(n < 16);
    memcpy(names[i], at, n);
    names[i][n] = 0;
  }
  qm_text_free(&t);
}

static void start(app *a) {
  char id[27];
  app_make(a, "1", id);
  app_make(a, "2", id);
  assert_int_equal(write_pair(a, "first"), QM_OK);
}

typedef struct writer {
  app *a;
  atomic_int done;
} writer;

static void *write_all(void *payload) {
  writer *w = payload;
  for (int i = 0; i < CHANGES; i++) {
    char name[16];
    snprintf(name, sizeof name, "n%d", i);
    assert_int_equal(write_pair(w->a, name), QM_OK);
  }
  w->done = 1;
  return NULL;
}

static void readers_see_whole_changes(void **state) {
  world *w = *state;
  pthread_t thread;
  app other;
  writer x = {.a = &w->a};
  unsigned reads = 0;
  start(&w->a);
  app_set(&other, &w->dir, "a.db");
  other.o.flags = QM_OPEN_READONLY;
  app_open(&other);
  assert_int_equal(pthread_create(&thread, NULL, write_all, &x), 0);
  do {
    char names[2][16];
    read_pair(&w->a, names);
    assert_string_equal(names[0], names[1]);
    read_pair(&other, names);
    assert_string_equal(names[0], names[1]);
    reads++;
  } while (!x.done);
  pthread_join(thread, NULL);
  assert_true(reads > 1);
  qm_close(other.db);
}

/* The child writes and says so; it is killed after some, in the midst of the next. */
static void a_killed_writer_leaves_whole_changes(void **state) {
  world *w = *state;
  start(&w->a);
  qm_close(w->a.db);
  w->a.db = NULL;
  for (int round = 0; round < 6; round++) {
    int fds[2], status;
    char byte, names[2][16];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      app mine;
      app_set(&mine, &w->dir, "a.db");
      if (qm_open(&mine.o, &mine.db, &mine.e) != QM_OK) _exit(1);
      for (unsigned i = 0;; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d-%u", round, i);
        if (write_pair(&mine, name) != QM_OK || write(fds[1], "x", 1) != 1) _exit(1);
      }
    }
    close(fds[1]);
    for (int i = 0; i < 2 + 3 * round; i++) assert_int_equal(read(fds[0], &byte, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(fds[0]);
    app_open(&w->a);
    read_pair(&w->a, names);
    assert_string_equal(names[0], names[1]);
    assert_int_equal(names[0][0], '0' + round); /* what was said to be saved is there */
    qm_close(w->a.db);
    w->a.db = NULL;
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {T(readers_see_whole_changes),
                                     T(a_killed_writer_leaves_whole_changes)};
  return cmocka_run_group_tests_name("whole", tests, NULL, NULL);
}
