/* What the SQLite store does with files: modes, damage, crashes, full disks, failed
 * fsyncs, other processes, backups. What it keeps is tests/store/'s. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "adapters/sqlite/fts_token.h"
#include "adapters/sqlite/sqlite_backup.h"
#include "adapters/sqlite/sqlite_sql.h"
#include "adapters/sqlite/store_sqlite.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_dir.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK(call) assert_int_equal(call, QM_OK)
#define GIVES(code, call) assert_int_equal(call, code)

static test_dir dir;
static qm_env env;
static char own_path[300];
static const char *path;

/* These stand before libc's: SQLite syncs through them. A real sync would only make the
 * tests slow, a failed one cannot be had otherwise. */
static int syncs, sync_fails;
static int pretend_sync(void) {
  syncs++;
  if (!sync_fails) return 0;
  errno = EIO;
  return -1;
}
int fsync(int fd);
int fdatasync(int fd);
int fsync(int fd) { return (void)fd, pretend_sync(); }
int fdatasync(int fd) { return (void)fd, pretend_sync(); }

static int setup(void **state) {
  (void)state;
  env = qm_env_default();
  test_dir_make(&dir);
  snprintf(own_path, sizeof own_path, "%s/s.db", dir.path);
  path = own_path;
  syncs = sync_fails = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  sync_fails = 0;
  test_dir_remove(&dir);
  return 0;
}

static qm_store *open_ok(unsigned flags) {
  qm_store *s = NULL;
  qm_error e = {0};
  int rc = qm_store_sqlite_open(&env, path, flags, &s, &e);
  if (rc != QM_OK) print_message("%s\n", e.message);
  OK(rc);
  return s;
}

static void refused(int code, unsigned flags, const char *words) {
  qm_store *s = NULL;
  qm_error e = {0, ""};
  GIVES(code, qm_store_sqlite_open(&env, path, flags, &s, &e));
  assert_null(s);
  assert_int_equal(e.code, code);
  assert_non_null(strstr(e.message, words));
  GIVES(code, qm_store_sqlite_open(&env, path, flags, &s, NULL));
}

static int put(qm_store *s, const char *value) {
  QM_TRY(s->ops->begin(s));
  QM_TRY(s->ops->meta_put(s, qm_slice_of("word", 4), qm_slice_of(value, strlen(value))));
  return s->ops->commit(s, QM_DURABLE, NULL, NULL);
}

static int word(void *payload, qm_slice key, qm_slice value) {
  (void)key;
  snprintf(payload, 64, "%.*s", (int)value.n, (const char *)value.p);
  return QM_OK;
}

static void expect(qm_store *s, const char *value) {
  char found[64] = "";
  OK(s->ops->meta_scan(s, qm_slice_of("word", 4), word, found));
  assert_string_equal(found, value);
}

/* n records of 500 bytes: pages enough to damage. */
static int put_records(qm_store *s, uint32_t first, uint32_t n) {
  uint8_t state[500];
  memset(state, 'r', sizeof state);
  QM_TRY(s->ops->begin(s));
  for (uint32_t i = first; i < first + n; i++) {
    qm_record_row row = {.collection = 1, .state = qm_slice_of(state, sizeof state)};
    row.id.b[0] = (uint8_t)(i >> 8);
    row.id.b[1] = (uint8_t)i;
    QM_TRY(s->ops->record_save(s, 1, &row, 1));
  }
  return s->ops->commit(s, QM_DURABLE, NULL, NULL);
}

static uint64_t records(qm_store *s) {
  uint64_t n = 0;
  OK(s->ops->record_count(s, 1, 0, &n));
  return n;
}

static void make(uint32_t n) {
  qm_store *s = open_ok(QM_SQLITE_CREATE);
  OK(put(s, "made"));
  OK(put_records(s, 0, n));
  s->ops->close(s);
}

static void sql(const char *text) {
  sqlite3 *h;
  assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h, text, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(h);
}

/* ---- files ---- */

static void files_are_only_the_owners(void **state) {
  (void)state;
  mode_t old = umask(0);
  qm_store *s = open_ok(QM_SQLITE_CREATE);
  OK(put(s, "x"));
  umask(old);
  assert_int_equal(test_file_mode(path), 0600);
  assert_int_equal(test_file_mode(test_dir_file(&dir, "s.db-wal")), 0600);
  assert_int_equal(test_file_mode(test_dir_file(&dir, "s.db-shm")), 0600);
  assert_int_equal(test_dir_count(&dir), 3);
  s->ops->close(s);
  assert_int_equal(test_dir_count(&dir), 1);
}

static void a_store_stays(void **state) {
  (void)state;
  make(30);
  qm_store *s = open_ok(0);
  expect(s, "made");
  assert_int_equal(records(s), 30);
  OK(put(s, "again"));
  s->ops->close(s);
  s = open_ok(QM_SQLITE_CREATE | QM_SQLITE_CHECK);
  expect(s, "again");
  s->ops->close(s);
}

static void settings_are_as_promised(void **state) {
  (void)state;
  make(1);
  sqlite3 *h;
  sqlite3_stmt *st;
  assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
  static const struct {
    const char *pragma, *value;
  } wanted[] = {{"PRAGMA journal_mode", "wal"},
                {"PRAGMA page_size", "4096"},
                {"PRAGMA user_version", "12"},
                {"PRAGMA application_id", "1364030324"}};
  for (size_t i = 0; i < COUNT(wanted); i++) {
    assert_int_equal(sqlite3_prepare_v2(h, wanted[i].pragma, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), wanted[i].value);
    sqlite3_finalize(st);
  }
  sqlite3_close(h);
}

static void what_is_purged_leaves_no_byte(void **state) {
  (void)state;
  qm_record_row row = {.collection = 1};
  const char *canary = "CANARY-7731-not-a-person";
  row.state = qm_slice_of(canary, strlen(canary));
  qm_store *s = open_ok(QM_SQLITE_CREATE);
  OK(s->ops->begin(s));
  OK(s->ops->record_save(s, 1, &row, 1));
  OK(s->ops->commit(s, QM_DURABLE, NULL, NULL));
  s->ops->close(s);
  assert_true(test_file_contains(path, canary));
  s = open_ok(0);
  row.state.n = 0;
  OK(s->ops->begin(s));
  OK(s->ops->record_save(s, 1, &row, 1));
  OK(s->ops->commit(s, QM_DURABLE, NULL, NULL));
  s->ops->close(s);
  assert_false(test_file_contains(path, canary));
}

/* ---- files that are refused ---- */

static void only_create_makes_a_file(void **state) {
  (void)state;
  refused(QM_ENOTFOUND, 0, "there is no qianmo store");
  refused(QM_ENOTFOUND, QM_SQLITE_READONLY | QM_SQLITE_CREATE, "there is no");
  assert_int_equal(test_dir_count(&dir), 0);
  test_file_write(path, "", 0);
  refused(QM_EFORMAT, 0, "empty");
  qm_store *s = open_ok(QM_SQLITE_CREATE);
  s->ops->close(s);
}

static void no_directory_is_said(void **state) {
  (void)state;
  qm_store *s = NULL;
  qm_error e;
  GIVES(QM_ENOTFOUND,
        qm_store_sqlite_open(&env, test_dir_file(&dir, "none/s.db"), QM_SQLITE_CREATE, &s, &e));
  GIVES(QM_EFORMAT, qm_store_sqlite_open(&env, dir.path, QM_SQLITE_CREATE, &s, &e));
}

static void a_foreign_file_is_refused(void **state) {
  (void)state;
  static const char letter[] = "Dear reader, this is a letter and no database at all.";
  test_file_write(path, letter, sizeof letter);
  refused(QM_EFORMAT, QM_SQLITE_CREATE, "not a qianmo store");
  assert_true(test_file_contains(path, letter));
  test_file_write(path, "SQLite", 6);
  refused(QM_EFORMAT, 0, "not a qianmo store");
}

static void another_database_is_refused(void **state) {
  (void)state;
  sql("CREATE TABLE recipes (name)");
  refused(QM_EFORMAT, QM_SQLITE_CREATE, "not a qianmo store");
  sql("PRAGMA application_id = 1364027490"); /* a hub's */
  refused(QM_EFORMAT, 0, "not a qianmo store");
}

static void a_newer_file_is_refused(void **state) {
  (void)state;
  make(1);
  sql("PRAGMA user_version = 99");
  refused(QM_ENEWER, 0, "version 99");
  refused(QM_ENEWER, QM_SQLITE_READONLY, "update qianmo");
  sql("PRAGMA user_version = 0");
  refused(QM_ECORRUPT, 0, "no version");
  sql("PRAGMA user_version = 12");
  qm_store *s = open_ok(0);
  expect(s, "made");
  s->ops->close(s);
}

/* A file as that version made it, with a record, and a log row that is on it. */
static void make_old(int version) {
  char text[600];
  qm_store *s = open_ok(QM_SQLITE_CREATE);
  s->ops->close(s);
  assert_int_equal(unlink(path), 0);
  for (int i = 0; i < version; i++) sql(qm__sql_store.steps[i]);
  snprintf(text, sizeof text,
           "PRAGMA application_id = %d; PRAGMA user_version = %d; PRAGMA journal_mode = WAL;"
           "INSERT INTO meta VALUES (CAST('word' AS BLOB), CAST('made' AS BLOB));"
           "INSERT INTO record VALUES (9, X'07000000000000000000000000000102', 3,"
           " zeroblob(16), CAST('state' AS BLOB));"
           "INSERT INTO log VALUES (9, 5, X'0000000000000000000000000000000000000001',"
           " CAST(printf('%%.*c', 1000, 'b') AS BLOB));"
           "INSERT INTO log VALUES (9, 6, X'0000000000000000000000010000000000000002', X'');"
           "INSERT INTO log_last VALUES (9, 8);"
           "INSERT INTO segment VALUES (9, 0, 1, 5), (9, 0, 2, 6);",
           (int)qm__sql_store.application_id, version);
  sql(text);
  if (version > 1)
    sql("INSERT INTO log_record VALUES (9, X'07000000000000000000000000000102', 5), (9, X'', 6)");
}

static int size_log(void *payload, const qm_log_row *row) {
  size_t *size = payload;
  *size += row->batch.n;
  for (size_t i = 0; i < row->batch.n; i++) assert_int_equal(row->batch.p[i], 'b');
  return QM_OK;
}

static int is_state(void *payload, const qm_record_row *row) {
  ++*(int *)payload;
  assert_int_equal(row->collection, 3);
  assert_int_equal(qm_slice_cmp(row->state, qm_slice_of("state", 5)), 0);
  return QM_OK;
}

/* The record and both log rows, found in every way; seqs go on behind the greatest ever. */
static void expect_old(qm_store *s) {
  qm_id id = {{7}}, other = {{8}};
  uint64_t seq, count;
  size_t size = 0, others = 0;
  int n = 0;
  qm_vv none = {NULL, 0, 0};
  qm_segment_row segment = {0, 2, 3};
  qm_log_row row = {.batch = qm_slice_of("b", 1), .segments = &segment, .n_segments = 1};
  id.b[14] = 1;
  id.b[15] = 2;
  expect(s, "made");
  OK(s->ops->record_load(s, 9, &id, 1, is_state, &n));
  OK(s->ops->record_scan(s, 9, 3, NULL, 10, is_state, &n));
  OK(s->ops->record_count(s, 9, 3, &count));
  assert_int_equal(n, 2);
  assert_int_equal(count, 1);
  OK(s->ops->log_after(s, 9, &none, 0, size_log, &size));
  assert_int_equal(size, 1000);
  OK(s->ops->log_of(s, 9, &id, 0, size_log, &size));
  OK(s->ops->log_of(s, 9, &id, 5, size_log, &size));
  assert_int_equal(size, 2000);
  GIVES(QM_ENOTFOUND, s->ops->log_of(s, 9, &id, 6, size_log, &size));
  OK(s->ops->log_of(s, 9, &other, 0, size_log, &others));
  assert_int_equal(others, 0); /* the row of which it was not told */
  OK(s->ops->begin(s));
  OK(s->ops->log_append(s, 9, &row, &seq));
  OK(s->ops->commit(s, QM_DURABLE, NULL, NULL));
  assert_int_equal(seq, 9);
}

/* Of the rows of a file of version 1 nobody was told what they are on. */
static void an_older_file_is_raised(void **state) {
  (void)state;
  for (int version = 1; version < 9; version++) {
    make_old(version);
    refused(QM_EREADONLY, QM_SQLITE_READONLY, "older version");
    qm_store *s = open_ok(QM_SQLITE_CHECK);
    if (version == 1) {
      qm_id any = {{5}};
      size_t size = 0;
      OK(s->ops->log_of(s, 9, &any, 0, size_log, &size));
      assert_int_equal(size, 1000);
    } else {
      expect_old(s);
    }
    s->ops->close(s);
    sql("SELECT count(*) FROM _tables; SELECT count(*) FROM local");
  }
}

static int tell_open(void *payload, const qm_open_row *row) {
  char *to = payload;
  size_t n = strlen(to);
  snprintf(to + n, 200 - n, "%llu:%.*s;", (unsigned long long)row->counter, (int)row->change.n,
           (const char *)row->change.p);
  return QM_OK;
}

/* Rows of the open run find their way into the table of those by number, but for what no number
 * has room for. */
static void an_open_run_of_an_older_file_stays(void **state) {
  (void)state;
  char nine[200] = "", later[200] = "", eight[200] = "";
  qm_open_row row = {7, qm_slice_of("d", 1)};
  make_old(8);
  for (int i = 8; i < 11; i++) sql(qm__sql_store.steps[i]);
  sql("PRAGMA user_version = 11;"
      "INSERT INTO open_change VALUES (9, 300, CAST('b' AS BLOB)), (9, 2, CAST('a' AS BLOB)),"
      " (9, 9223372036854775807, CAST('c' AS BLOB)), (8, 2147483647, CAST('f' AS BLOB)),"
      " (8, 2147483646, CAST('e' AS BLOB))");
  refused(QM_EREADONLY, QM_SQLITE_READONLY, "older version");
  qm_store *s = open_ok(QM_SQLITE_CHECK);
  OK(s->ops->open_list(s, 9, tell_open, nine));
  assert_string_equal(nine, "2:a;300:b;9223372036854775807:c;");
  OK(s->ops->open_list(s, 8, tell_open, eight));
  assert_string_equal(eight, "2147483646:e;2147483647:f;");
  OK(s->ops->begin(s));
  OK(s->ops->open_append(s, 9, &row));
  OK(s->ops->commit(s, QM_DURABLE, NULL, NULL));
  OK(s->ops->open_from(s, 9, 3, tell_open, later));
  assert_string_equal(later, "7:d;300:b;9223372036854775807:c;");
  s->ops->close(s);
}

static void a_truncated_file_is_damaged(void **state) {
  (void)state;
  static const int64_t sizes[] = {100, 4096, 5000, 20480};
  make(200);
  test_file_copy(path, test_dir_file(&dir, "whole"));
  for (size_t i = 0; i < COUNT(sizes); i++) {
    test_file_copy(test_dir_file(&dir, "whole"), path);
    test_file_truncate(path, sizes[i]);
    refused(QM_ECORRUPT, 0, "damaged");
  }
}

static void a_damaged_page_is_found(void **state) {
  (void)state;
  qm_error e = {0, ""};
  make(200);
  test_file_damage(path, 12 * 4096, 64); /* the header of one of the records' pages */
  refused(QM_ECORRUPT, QM_SQLITE_CHECK, "damaged (");
  qm_store *s = open_ok(0); /* without a check its first pages are good */
  GIVES(QM_ECORRUPT, s->ops->check(s, &e));
  assert_non_null(strstr(e.message, "restore a backup"));
  s->ops->close(s);
}

static void reading_only_never_writes(void **state) {
  (void)state;
  make(5);
  test_file_copy(path, test_dir_file(&dir, "whole"));
  qm_store *s = open_ok(QM_SQLITE_READONLY | QM_SQLITE_CHECK);
  expect(s, "made");
  GIVES(QM_EREADONLY, s->ops->begin(s));
  GIVES(QM_ESTATE, s->ops->meta_put(s, qm_slice_of("a", 1), qm_slice_of("b", 1)));
  OK(s->ops->barrier(s));
  s->ops->close(s);
  s = open_ok(0);
  expect(s, "made");
  s->ops->close(s);
}

/* ---- disks ---- */

static void a_full_store_keeps_what_it_has(void **state) {
  (void)state;
  make(20);
  qm_store *s = open_ok(0);
  OK(qm_store_sqlite_limit(s, (uint32_t)(test_file_size(path) / 4096 + 3)));
  GIVES(QM_EFULL, put_records(s, 100, 500));
  GIVES(QM_ESTATE, s->ops->commit(s, QM_DURABLE, NULL, NULL));
  assert_int_equal(records(s), 20);
  GIVES(QM_EFULL, put_records(s, 100, 500));
  s->ops->rollback(s);
  OK(put(s, "small things still fit"));
  OK(qm_store_sqlite_limit(s, 1000000));
  OK(put_records(s, 100, 500));
  assert_int_equal(records(s), 520);
  s->ops->close(s);
}

/* Every call of a store that can no longer be trusted. */
static void is_dead(qm_store *s) {
  uint64_t n;
  GIVES(QM_EIO, s->ops->status(s));
  GIVES(QM_EIO, s->ops->begin(s));
  GIVES(QM_EIO, s->ops->barrier(s));
  GIVES(QM_EIO, s->ops->record_count(s, 1, 0, &n));
  GIVES(QM_EIO, s->ops->meta_put(s, qm_slice_of("a", 1), qm_slice_of("b", 1)));
  GIVES(QM_EIO, s->ops->check(s, NULL));
}

static void a_failed_write_ends_the_handle(void **state) {
  (void)state;
  struct rlimit old, small;
  make(20);
  qm_store *s = open_ok(0);
  OK(put(s, "before"));
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = (rlim_t)test_file_size(test_dir_file(&dir, "s.db-wal")) + 2000;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  int rc = put_records(s, 100, 5);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, handler);
  GIVES(QM_EIO, rc);
  is_dead(s);
  s->ops->close(s);
  s = open_ok(0);
  expect(s, "before");
  assert_int_equal(records(s), 20);
  s->ops->close(s);
}

static void a_failed_fsync_ends_the_handle(void **state) {
  (void)state;
  for (unsigned relaxed = 0; relaxed <= QM_SQLITE_RELAXED; relaxed += QM_SQLITE_RELAXED) {
    qm_store *s = open_ok(QM_SQLITE_CREATE | relaxed);
    char found[64] = "";
    OK(put(s, "before"));
    sync_fails = 1;
    GIVES(QM_EIO, put(s, "after"));
    sync_fails = 0; /* asked again the kernel would say yes, and lie */
    is_dead(s);
    s->ops->close(s);
    s = open_ok(0);
    OK(s->ops->meta_scan(s, qm_slice_of("word", 4), word, found));
    assert_true(strcmp(found, "before") == 0 || strcmp(found, "after") == 0);
    OK(put(s, "goes on"));
    s->ops->close(s);
  }
}

static void *no_large(void *payload, void *p, size_t n) {
  (void)payload;
  return n >= 65536 ? NULL : realloc(p, n);
}

/* A sync that failed may have dropped frames of the WAL that are still read back. An open that
 * ends before it has written them anew must not let SQLite copy them into the file: of that
 * only a part may get there, and a power cut would take the frames. */
static void an_open_that_fails_leaves_the_wal(void **state) {
  (void)state;
  make(20);
  qm_store *s = open_ok(0);
  OK(put(s, "after"));
  char image[300], wal[300];
  snprintf(image, sizeof image, "%s", test_dir_file(&dir, "c.db"));
  snprintf(wal, sizeof wal, "%s", test_dir_file(&dir, "c.db-wal"));
  test_file_copy(path, image);
  test_file_copy(test_dir_file(&dir, "s.db-wal"), wal);
  s->ops->close(s);
  int64_t size = test_file_size(wal);
  assert_true(size > 0);
  env.realloc = no_large;
  path = image;
  GIVES(QM_ENOMEM, qm_store_sqlite_open(&env, path, 0, &s, NULL));
  assert_int_equal(test_file_size(wal), size);
  env = qm_env_default();
  s = open_ok(0);
  expect(s, "after");
  s->ops->close(s);
}

static int put_relaxed(qm_store *s, const char *value) {
  QM_TRY(s->ops->begin(s));
  QM_TRY(s->ops->meta_put(s, qm_slice_of("word", 4), qm_slice_of(value, strlen(value))));
  return s->ops->commit(s, QM_RELAXED, NULL, NULL);
}

static void durable_means_synced(void **state) {
  (void)state;
  qm_store *s = open_ok(QM_SQLITE_CREATE);
  for (int i = 0; i < 3; i++) {
    syncs = 0;
    const char *value = i & 1 ? "odd" : "even"; /* an equal value would write no page */
    OK(i == 2 ? put_relaxed(s, value) : put(s, value));
    assert_true(syncs >= 1); /* synchronous=FULL: also where it was not asked for */
  }
  syncs = 0;
  OK(s->ops->barrier(s));
  assert_int_equal(syncs, 0);
  s->ops->close(s);
  s = open_ok(QM_SQLITE_RELAXED);
  OK(put(s, "first")); /* a new WAL file is synced with its directory */
  syncs = 0;
  OK(put_relaxed(s, "x"));
  OK(put_relaxed(s, "y"));
  assert_int_equal(syncs, 0);
  OK(s->ops->barrier(s));
  assert_int_equal(syncs, 1);
  OK(s->ops->barrier(s));
  assert_int_equal(syncs, 1);
  OK(put(s, "z"));
  assert_int_equal(syncs, 2);
  OK(put_relaxed(s, "w"));
  sync_fails = 1;
  GIVES(QM_EIO, s->ops->barrier(s));
  sync_fails = 0;
  is_dead(s);
  s->ops->close(s);
}

/* ---- crashes ---- */

/* Runs in a child that ends without any orderly close. */
static void crash(void (*work)(qm_store *s), unsigned flags) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    qm_store *s = NULL;
    if (qm_store_sqlite_open(&env, path, flags, &s, NULL) != QM_OK) _exit(9);
    work(s);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void committed_then_half(qm_store *s) {
  if (put(s, "committed") != QM_OK) _exit(8);
  if (put_records(s, 0, 40) != QM_OK) _exit(7);
  s->ops->begin(s);
  s->ops->meta_put(s, qm_slice_of("word", 4), qm_slice_of("half", 4));
  uint8_t state[3000] = {1}; /* more than the page cache, so that the WAL holds a part */
  for (uint32_t i = 0; i < 2000; i++) {
    qm_record_row row = {.collection = 2, .state = qm_slice_of(state, sizeof state)};
    memcpy(row.id.b + 4, &i, sizeof i);
    if (s->ops->record_save(s, 1, &row, 1) != QM_OK) _exit(6);
  }
}

static void a_crash_loses_what_was_not_committed(void **state) {
  (void)state;
  make(0);
  crash(committed_then_half, 0);
  assert_true(test_file_size(test_dir_file(&dir, "s.db-wal")) > 0);
  qm_store *s = open_ok(0);
  expect(s, "committed");
  assert_int_equal(records(s), 40);
  OK(s->ops->check(s, NULL));
  s->ops->close(s);
  assert_int_equal(test_dir_count(&dir), 1);
}

static void nothing(qm_store *s) { put(s, "x"); }

static void after_a_crash_the_file_is_checked(void **state) {
  (void)state;
  make(200);
  test_file_damage(path, 12 * 4096, 64);
  crash(nothing, 0); /* opens: its predecessor closed in order */
  refused(QM_ECORRUPT, 0, "damaged (");
}

/* The WAL as a power cut may leave it: cut anywhere. */
static void a_torn_log_gives_whole_commits(void **state) {
  (void)state;
  make(0);
  crash(committed_then_half, QM_SQLITE_RELAXED);
  test_file_copy(path, test_dir_file(&dir, "base"));
  test_file_copy(test_dir_file(&dir, "s.db-wal"), test_dir_file(&dir, "torn"));
  int64_t whole = test_file_size(test_dir_file(&dir, "torn"));
  if (whole > 200000) whole = 200000;
  for (int64_t size = 0; size <= whole; size += 4999) {
    char found[64] = "";
    unlink(test_dir_file(&dir, "s.db-shm"));
    test_file_copy(test_dir_file(&dir, "base"), path);
    test_file_copy(test_dir_file(&dir, "torn"), test_dir_file(&dir, "s.db-wal"));
    test_file_truncate(test_dir_file(&dir, "s.db-wal"), size);
    qm_store *s = open_ok(0);
    OK(s->ops->meta_scan(s, qm_slice_of("word", 4), word, found));
    uint64_t n = records(s);
    assert_true(n == 0 || (n == 40 && strcmp(found, "committed") == 0));
    assert_true(strcmp(found, "made") == 0 || strcmp(found, "committed") == 0);
    s->ops->close(s);
  }
}

/* ---- several handles ---- */

static void a_stale_handle_may_not_write(void **state) {
  (void)state;
  make(1);
  qm_store *a = open_ok(0), *b = open_ok(0);
  OK(put(a, "a's"));
  OK(put(a, "a's own do not count"));
  GIVES(QM_EBUSY, b->ops->begin(b));
  GIVES(QM_EBUSY, b->ops->begin(b)); /* for good: what it read no longer stands */
  b->ops->close(b);
  b = open_ok(0);
  OK(put(b, "b's"));
  GIVES(QM_EBUSY, a->ops->begin(a));
  expect(a, "b's");
  a->ops->close(a);
  b->ops->close(b);
}

/* Whatever the handle does between, commits of others are told from its own. */
static void others_commits_are_told_from_own(void **state) {
  (void)state;
  make(1);
  qm_store *a = open_ok(0), *b;
  OK(a->ops->begin(a));
  a->ops->rollback(a);
  OK(put(a, "after a rollback"));
  OK(put(a, "and again"));
  b = open_ok(0);
  expect(b, "and again");
  OK(put(b, "b's"));
  expect(a, "b's"); /* that it was seen does not make it its own */
  GIVES(QM_EBUSY, a->ops->begin(a));
  GIVES(QM_EBUSY, a->ops->begin(a));
  OK(put(b, "b's too"));
  a->ops->close(a);
  b->ops->close(b);
}

/* ---- backup ---- */

static void a_backup_is_a_store(void **state) {
  (void)state;
  qm_error e = {0, ""};
  make(100);
  const char *copy = test_dir_file(&dir, "copy.db");
  qm_store *s = open_ok(0);
  OK(put(s, "in the log only"));
  OK(s->ops->begin(s)); /* a writer at work is not waited for, nor seen */
  OK(s->ops->meta_put(s, qm_slice_of("word", 4), qm_slice_of("open", 4)));
  mode_t old = umask(0);
  GIVES(QM_OK, qm_sqlite_backup(path, copy, &e));
  umask(old);
  OK(s->ops->commit(s, QM_DURABLE, NULL, NULL));
  s->ops->close(s);
  assert_int_equal(test_file_mode(copy), 0600);
  assert_int_equal(test_dir_count(&dir), 2);
  GIVES(QM_EEXIST, qm_sqlite_backup(path, copy, &e));
  path = copy;
  s = open_ok(QM_SQLITE_CHECK);
  expect(s, "in the log only");
  assert_int_equal(records(s), 100);
  OK(put(s, "the copy lives"));
  s->ops->close(s);
}

static void a_backup_refuses(void **state) {
  (void)state;
  qm_error e;
  const char *copy = test_dir_file(&dir, "copy.db");
  GIVES(QM_ENOTFOUND, qm_sqlite_backup(path, copy, &e));
  test_file_write(path, "a letter, longer than the header of a file", 42);
  GIVES(QM_EFORMAT, qm_sqlite_backup(path, copy, &e));
  assert_non_null(strstr(e.message, "database of qianmo"));
  unlink(path);
  make(200);
  GIVES(QM_ENOTFOUND, qm_sqlite_backup(path, test_dir_file(&dir, "none/copy.db"), &e));
  test_file_damage(path, 12 * 4096, 64);
  GIVES(QM_ECORRUPT, qm_sqlite_backup(path, copy, &e));
  test_file_write(test_dir_file(&dir, "copy.db-wal"), "orphan", 6);
  GIVES(QM_EEXIST, qm_sqlite_backup(path, copy, &e));
  unlink(test_dir_file(&dir, "copy.db-wal"));
  sync_fails = 1;
  GIVES(QM_EIO, qm_sqlite_backup(path, copy, NULL));
  sync_fails = 0;
  assert_int_equal(test_file_size(copy), -1); /* and nothing half-made stays */
  assert_int_equal(test_file_size(test_dir_file(&dir, "copy.db.part")), -1);
}

/* Each is prepared once against the tables it is for. */
static void every_statement_is_right(void **state) {
  (void)state;
  static const qm__sql_schema *const schemas[] = {&qm__sql_store, &qm__sql_hub};
  sqlite3 *h[2];
  for (int k = 0; k < 2; k++) {
    assert_int_equal(sqlite3_open(":memory:", &h[k]), SQLITE_OK);
    for (int i = 0; i < schemas[k]->n_steps; i++)
      assert_int_equal(sqlite3_exec(h[k], schemas[k]->steps[i], NULL, NULL, NULL), SQLITE_OK);
  }
  assert_int_equal(qm__fts_register(h[0], NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h[0], qm__sql_search_make, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h[0], qm__sql_search_fresh, NULL, NULL, NULL), SQLITE_OK);
  for (int id = 0; id < QM__SQL_COUNT; id++) {
    sqlite3_stmt *st = NULL;
    const char *sql_text = qm__sql_text((qm__sql_id)id);
    assert_non_null(sql_text);
    int hub = id >= QM__SQL_DEVICE_PUT;
    assert_int_equal(sqlite3_prepare_v2(h[hub], sql_text, -1, &st, NULL), SQLITE_OK);
    sqlite3_finalize(st);
  }
  for (int k = 0; k < 2; k++) sqlite3_close(h[k]);
}

static void memory_may_end(void **state) {
  (void)state;
  test_alloc a = {.fail_at = 1};
  qm_env poor = test_alloc_env(&a);
  qm_store *s = NULL;
  GIVES(QM_ENOMEM, qm_store_sqlite_open(&poor, path, QM_SQLITE_CREATE, &s, NULL));
  assert_null(s);
  assert_int_equal(a.live, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(files_are_only_the_owners),
      TEST(a_store_stays),
      TEST(settings_are_as_promised),
      TEST(what_is_purged_leaves_no_byte),
      TEST(only_create_makes_a_file),
      TEST(no_directory_is_said),
      TEST(a_foreign_file_is_refused),
      TEST(another_database_is_refused),
      TEST(a_newer_file_is_refused),
      TEST(an_older_file_is_raised),
      TEST(an_open_run_of_an_older_file_stays),
      TEST(a_truncated_file_is_damaged),
      TEST(a_damaged_page_is_found),
      TEST(reading_only_never_writes),
      TEST(a_full_store_keeps_what_it_has),
      TEST(a_failed_write_ends_the_handle),
      TEST(a_failed_fsync_ends_the_handle),
      TEST(an_open_that_fails_leaves_the_wal),
      TEST(durable_means_synced),
      TEST(a_crash_loses_what_was_not_committed),
      TEST(after_a_crash_the_file_is_checked),
      TEST(a_torn_log_gives_whole_commits),
      TEST(a_stale_handle_may_not_write),
      TEST(others_commits_are_told_from_own),
      TEST(a_backup_is_a_store),
      TEST(a_backup_refuses),
      TEST(every_statement_is_right),
      TEST(memory_may_end),
  };
  return cmocka_run_group_tests_name("sqlite store", tests, NULL, NULL);
}
