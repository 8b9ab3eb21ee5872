/* What happens to a database on a phone: it is moved, opened by two processes, its clock is set
 * back or goes beyond 32 bits of seconds, a newer app brings a newer schema, and it is large when
 * the app starts. Killed writers are in test_whole.c and tests/faults, suspending in
 * test_handle_app.c, full storage in test_handle.c, killed syncs in test_phone_hub.c. */
#include <setjmp.h>
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

#define ok(expr) assert_int_equal(expr, QM_OK)

static void author_of(app *a, char to[49]) {
  qm_text t;
  ok(qm_status(a->db, QM_FAST, &t, &a->e));
  text_member(&t, "\"author\":\"", to, 49);
  qm_text_free(&t);
}

static void close_app(app *a) {
  qm_close(a->db);
  a->db = NULL;
}

/* --- moved --- */

static const char *const beside[] = {"", "-wal", "-shm", ".instance", ".files"};

/* All files of a.db; the instance file is optional. */
static void move(world *w, int with_instance) {
  for (size_t i = 0; i < COUNT(beside); i++) {
    char from[4096], to[4096];
    if (!with_instance && strcmp(beside[i], ".instance") == 0) continue;
    snprintf(from, sizeof from, "%s%s", test_dir_file(&w->dir, "a.db"), beside[i]);
    snprintf(to, sizeof to, "%s%s", test_dir_file(&w->dir, "moved.db"), beside[i]);
    if (access(from, F_OK) == 0) assert_int_equal(rename(from, to), 0);
  }
}

static void test_moved(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], author[49], path[4096];
  qm_text t;
  app_make(a, "12", id);
  snprintf(path, sizeof path, "%s", test_dir_file(&w->dir, "photo"));
  FILE *f = fopen(path, "w");
  assert_true(f && fputs("a photo", f) >= 0 && fclose(f) == 0);
  qm_tx *tx = app_begin(a);
  ok(qm_attach(tx, S("household"), S(id), S("any"), path, NULL, &a->e));
  app_commit(a, tx);
  author_of(a, author);
  close_app(a);
  move(w, 1);
  app_set(b, &w->dir, "moved.db");
  b->o.flags = 0;
  app_open(b);
  assert_true(app_status_holds(b, author)); /* the same one goes on */
  snprintf(path, sizeof path, "%s", test_dir_file(&w->dir, "moved.db.files"));
  ok(qm_attachments(b->db, NONE, NONE, NONE, &t, &b->e));
  assert_true(text_holds(&t, "\"here-only\"") && text_holds(&t, "moved.db.files"));
  qm_text_free(&t);
  ok(app_one(b, qm_set, id, "head", "Wang (invented)", 0));
  a->o.path = test_dir_file(&w->dir, "a.db");
  app_open(a); /* with QM_OPEN_CREATE: another one at the old place */
  ok(qm_spaces(a->db, &t, &a->e));
  assert_int_equal(t.n, 0);
  qm_text_free(&t);
  char command[8300];
  snprintf(command, sizeof command, "rm -r '%s'", path);
  assert_int_equal(system(command), 0);
}

/* The app was killed, so that what it saved last is in the log beside the file; then moved. */
static void test_moved_after_a_kill(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  int status;
  close_app(a);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    qm_text id;
    qm_tx *tx;
    if (qm_open(&a->o, &a->db, NULL) != QM_OK || qm_begin(a->db, NONE, &tx, NULL) != QM_OK ||
        qm_new(tx, S("household"), S("77"), &id, NULL, NULL) != QM_OK ||
        qm_commit(tx, NULL) != QM_OK)
      _exit(1);
    _exit(0); /* without closing */
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(access(test_dir_file(&w->dir, "a.db-wal"), F_OK), 0);
  move(w, 1);
  app_set(b, &w->dir, "moved.db");
  b->o.flags = 0;
  app_open(b);
  assert_true(app_shows(b, "key:77", "\"no\":\"77\""));
  ok(qm_engine_check(b->db->engine, app_space(b), &b->e));
}

/* A backup program that takes the database alone: another author, and nothing is lost. */
static void test_moved_without_instance(void **state) {
  world *w = *state;
  app *a = &w->a, *b = &w->b;
  char id[27], author[49], other[49];
  app_make(a, "12", id);
  author_of(a, author);
  close_app(a);
  move(w, 0);
  app_set(b, &w->dir, "moved.db");
  b->o.flags = 0;
  app_open(b);
  author_of(b, other);
  assert_string_not_equal(author, other);
  assert_true(app_shows(b, id, "\"no\":\"12\""));
  ok(app_one(b, qm_set, id, "head", "Wang (invented)", 0));
  ok(qm_engine_check(b->db->engine, app_space(b), &b->e));
}

/* --- two processes --- */

enum { EACH = 40 };

static int child_writes(const app *parent, int number) {
  app mine = *parent;
  mine.o.payload = &mine;
  mine.o.busy_ms = 60000;
  int opened;
  while ((opened = qm_open(&mine.o, &mine.db, &mine.e)) == QM_EBUSY) continue;
  if (opened != QM_OK) return 1;
  for (int i = 0; i < EACH; i++) {
    char key[32];
    qm_text id = {NULL, 0};
    qm_tx *tx;
    int rc;
    snprintf(key, sizeof key, "%d-%d", number, i);
    while ((rc = qm_begin(mine.db, NONE, &tx, &mine.e)) == QM_EBUSY) continue;
    if (rc != QM_OK) return 2;
    rc = qm_new(tx, S("household"), S(key), &id, NULL, &mine.e);
    if (rc == QM_OK)
      rc = qm_inc(tx, S("household"), S("key:all"), S("visits"), 1, &mine.e);
    if (rc != QM_OK) qm_cancel(tx);
    else rc = qm_commit(tx, &mine.e);
    qm_text_free(&id);
    if (rc == QM_EBUSY) i--; /* the other one was writing: again */
    else if (rc != QM_OK) return 3;
  }
  qm_close(mine.db);
  return 0;
}

/* An app and its share extension: both write, the parent reads beside them. */
static void test_two_processes(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  pid_t child[2];
  qm_text t;
  app_make(a, "all", id);
  close_app(a);
  for (int i = 0; i < 2; i++) {
    child[i] = fork();
    assert_true(child[i] >= 0);
    if (child[i] == 0) _exit(child_writes(a, i));
  }
  int opened;
  while ((opened = qm_open(&a->o, &a->db, &a->e)) == QM_EBUSY) continue;
  ok(opened);
  for (int left = 2; left;) {
    int status;
    pid_t done = waitpid(-1, &status, WNOHANG);
    if (done > 0) {
      assert_int_equal(status, 0);
      left--;
    }
    int rc = qm_list(a->db, NONE, S("household"), NONE, 1000, 0, &t, &a->e);
    if (rc != QM_EBUSY) ok(rc);
    if (rc == QM_OK) qm_text_free(&t);
  }
  assert_true(app_shows(a, id, "\"visits\":80"));
  ok(qm_check(a->db, &t, &a->e));
  qm_text_free(&t);
  ok(qm_sql(a->db, S("SELECT count(*) FROM household"), NONE, 0, 0, &t, &a->e));
  assert_true(text_holds(&t, "[81]"));
  qm_text_free(&t);
  ok(qm_engine_check(a->db->engine, app_space(a), &a->e));
}

/* --- clocks --- */

/* A little: nothing is to be seen of it. Far: what is written from then on has a new author, whose
 * times are good, and a reader of changes reads all again. The last save is shown in any case. */
static void test_clock_set_back(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27], cursor[64], author[49], other[49];
  qm_text t;
  static const uint64_t back[] = {NOW_MS - 240000, NOW_MS - UINT64_C(3) * 365 * 86400 * 1000,
                                  86400000, 1};
  app_make(a, "12", id);
  ok(app_one(a, qm_set, id, "head", "before (invented)", 0));
  author_of(a, author);
  for (size_t i = 0; i < COUNT(back); i++) {
    char name[32], shown[64];
    ok(qm_changes(a->db, NONE, 0, &t, &a->e));
    text_member(&t, "\"cursor\":\"", cursor, sizeof cursor);
    qm_text_free(&t);
    a->now_ms = back[i];
    snprintf(name, sizeof name, "after %zu (invented)", i);
    snprintf(shown, sizeof shown, "\"head\":\"%s\"", name);
    ok(app_one(a, qm_set, id, "head", name, 0));
    assert_true(app_shows(a, id, shown));
    app_reopen(a);
    assert_true(app_shows(a, id, shown));
    ok(app_one(a, qm_append, id, "steps", name, 0));
    ok(qm_changes(a->db, S(cursor), 0, &t, &a->e));
    assert_true(text_holds(&t, i ? "\"all\":true" : "\"fields\":[\"head\",\"steps\"]"));
    qm_text_free(&t);
    author_of(a, other);
    assert_int_equal(strcmp(author, other) == 0, i == 0);
  }
  ok(qm_history(a->db, NONE, S("household"), S(id), &t, &a->e));
  const char *first = strstr(t.p, "after 0"), *last = strstr(t.p, "after 3");
  assert_true(first && last && first < last);
  qm_text_free(&t);
  app_get(a, id, 0, &t);
  const char *steps = strstr(t.p, "\"steps\"");
  first = steps ? strstr(steps, "after 0") : NULL; /* in the order in which they were seen */
  last = steps ? strstr(steps, "after 3") : NULL;
  assert_true(first && last && first < last);
  qm_text_free(&t);
  ok(qm_check(a->db, &t, &a->e));
  qm_text_free(&t);
}

/* Beyond 2^31 and 2^32 seconds, and far beyond. */
static void test_time_beyond_32_bits(void **state) {
  world *w = *state;
  app *a = &w->a;
  static const uint64_t seconds[] = {INT32_MAX - UINT64_C(1), UINT64_C(1) << 31,
                                     (UINT64_C(1) << 32) + 5, UINT64_C(4102444800) * 2};
  for (size_t i = 0; i < COUNT(seconds); i++) {
    char key[16], id[27], time[64];
    qm_text t;
    snprintf(key, sizeof key, "t%zu", i);
    a->now_ms = seconds[i] * 1000; /* app_make is a second later */
    app_make(a, key, id);
    snprintf(time, sizeof time, "\"time\":%llu", (unsigned long long)(seconds[i] * 1000 + 1000));
    app_get(a, id, QM_DETAIL, &t);
    assert_true(text_holds(&t, time));
    qm_text_free(&t);
    app_reopen(a);
    ok(qm_history(a->db, NONE, S("household"), S(id), &t, &a->e));
    assert_true(text_holds(&t, time));
    qm_text_free(&t);
    assert_true(app_status_holds(a, "\"clock\":"));
  }
}

/* --- a newer app --- */

/* The schema of support_handle.c with a version, a field and a collection more. */
static char *newer_schema(void) {
  static const char collection[] =
      ",{\"name\":\"visit\",\"number\":3,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":["
      "{\"name\":\"what\",\"number\":16,\"type\":\"register\",\"class\":\"work\","
      "\"value\":\"text\"}]}]}";
  static const char field[] =
      ",{\"name\":\"village\",\"number\":50,\"type\":\"register\",\"class\":\"work\","
      "\"value\":\"text\"}";
  size_t room = strlen(app_schema) + sizeof collection + sizeof field;
  char *to = malloc(room);
  const char *version = strstr(app_schema, "\"version\":1,");
  const char *next = strstr(app_schema, "]},{\"name\":\"incident\"");
  assert_true(to && version && next);
  snprintf(to, room, "%.*s\"version\":2%.*s%s%.*s%s", (int)(version - app_schema), app_schema,
           (int)(next - version - 11), version + 11, field,
           (int)strlen(next) - 2, next, collection);
  return to;
}

static int text_holds_spaces(app *a, const char *part) {
  qm_text t;
  ok(qm_spaces(a->db, &t, &a->e));
  int holds = text_holds(&t, part);
  qm_text_free(&t);
  return holds;
}

static void test_newer_schema(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27], *newer = newer_schema();
  qm_text t;
  app_make(a, "12", id);
  ok(app_one(a, qm_set, id, "head", "Wang (invented)", 0));
  assert_int_equal(app_one(a, qm_set, id, "village", "x", 0), QM_ESCHEMA);
  app_reopen(a); /* the app was upgraded */
  ok(qm_space_create(a->db, S("grid 3"), S(newer), S("grid"), &a->e));
  assert_true(app_shows(a, id, "\"head\":\"Wang (invented)\""));
  ok(app_one(a, qm_set, id, "village", "Stone Bridge", 0));
  qm_tx *tx = app_begin(a);
  ok(qm_new(tx, S("visit"), NONE, &t, NULL, &a->e));
  ok(qm_set(tx, S("visit"), S(t.p), S("what"), S("a leak (invented)"), 0, &a->e));
  qm_text_free(&t);
  app_commit(a, tx);
  ok(qm_sql(a->db, S("SELECT head, village FROM household"), NONE, 0, 0, &t, &a->e));
  assert_true(text_holds(&t, "[\"Wang (invented)\",\"Stone Bridge\"]"));
  qm_text_free(&t);
  ok(qm_search(a->db, NONE, S("visit"), S("leak"), 0, 0, &t, &a->e));
  assert_true(t.n > 0);
  qm_text_free(&t);
  app_reopen(a);
  assert_true(app_shows(a, id, "\"village\":\"Stone Bridge\""));
  /* The older app again, as after a restored backup of the phone: the newer schema stays. */
  ok(qm_space_create(a->db, S("grid 3"), S(app_schema), S("grid"), &a->e));
  assert_true(app_shows(a, id, "\"village\":\"Stone Bridge\""));
  assert_true(text_holds_spaces(a, "\"version\":2"));
  ok(qm_engine_check(a->db->engine, app_space(a), &a->e));
  free(newer);
}

/* --- large at the start --- */

typedef struct cost {
  uint64_t read, allocated;
} cost;

static uint64_t allocated;

static void *counted(void *payload, void *p, size_t n) {
  (void)payload;
  allocated += n;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

/* What this process has read, also from the page cache. */
static uint64_t bytes_read(void) {
  char line[64];
  unsigned long long n = 0;
  FILE *in = fopen("/proc/self/io", "r");
  assert_non_null(in);
  assert_true(fgets(line, sizeof line, in) && sscanf(line, "rchar: %llu", &n) == 1);
  fclose(in);
  return n;
}

static void fill(app *a, unsigned from, unsigned to) {
  for (unsigned i = from; i < to;) {
    qm_tx *tx = app_begin(a);
    for (unsigned k = 0; k < 500 && i < to; k++, i++) {
      char key[16], head[40];
      qm_text id;
      snprintf(key, sizeof key, "%u", i);
      snprintf(head, sizeof head, "\xe6\xa0\xb7\xe4\xbe\x8b %u (invented)", i);
      ok(qm_new(tx, S("household"), S(key), &id, NULL, &a->e));
      ok(qm_set(tx, S("household"), S(id.p), S("head"), S(head), 0, &a->e));
      qm_text_free(&id);
    }
    app_commit(a, tx);
  }
}

/* The start of an app: open, the first page of a list, a record, a search, a statement. */
static cost start_cold(app *a) {
  qm_text t;
  close_app(a);
  a->o.allocate = counted;
  allocated = 0;
  uint64_t before = bytes_read();
  app_open(a);
  ok(qm_list(a->db, NONE, S("household"), NONE, 50, 0, &t, &a->e));
  qm_text_free(&t);
  ok(qm_get(a->db, NONE, S("household"), S("key:77"), 0, &t, &a->e));
  qm_text_free(&t);
  ok(qm_search(a->db, NONE, NONE, S("88"), 20, 0, &t, &a->e));
  qm_text_free(&t);
  ok(qm_sql(a->db, S("SELECT head FROM household WHERE no = '99'"), NONE, 0, 0, &t, &a->e));
  assert_true(text_holds(&t, "99 (invented)"));
  qm_text_free(&t);
  ok(qm_review(a->db, NONE, NULL, &t, &a->e));
  qm_text_free(&t);
  cost c = {bytes_read() - before, allocated};
  close_app(a);
  a->o.allocate = NULL;
  app_open(a);
  return c;
}

/* 100,000 with QM_COLD_RECORDS (make cold). It must not read what there is: its depth grows. */
static void test_cold_start(void **state) {
  app *a = &((world *)*state)->a;
  const char *given = getenv("QM_COLD_RECORDS");
  unsigned many = given ? (unsigned)strtoul(given, NULL, 10) : 6000;
  fill(a, 0, 300);
  cost few = start_cold(a);
  fill(a, 300, many);
  cost all = start_cold(a);
  print_message("# 300 records: %llu kB read, %llu kB allocated; %u: %llu kB, %llu kB\n",
                (unsigned long long)few.read / 1024, (unsigned long long)few.allocated / 1024, many,
                (unsigned long long)all.read / 1024, (unsigned long long)all.allocated / 1024);
  assert_true(all.allocated < few.allocated * 5 / 4);
  assert_true(all.read < few.read + (UINT64_C(3) << 20)); /* 100,000 of them are 80 MB */
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {
      T(test_moved),         T(test_moved_after_a_kill),  T(test_moved_without_instance),
      T(test_two_processes), T(test_clock_set_back),      T(test_time_beyond_32_bits),
      T(test_newer_schema),  T(test_cold_start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
