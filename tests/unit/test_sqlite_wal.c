/* Frames of a commit are written together (sqlite_wal.h): none is left behind, and none comes
 * late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/sqlite/sqlite_wal.h"
#include "adapters/sqlite/store_sqlite.h"
#include "tests/unit/support_dir.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK(call) assert_int_equal(call, QM_OK)
#define GIVES(code, call) assert_int_equal(call, code)

static test_dir dir;
static qm_env env;
static char path[300];

static int setup(void **state) {
  (void)state;
  env = qm_env_default();
  test_dir_make(&dir);
  snprintf(path, sizeof path, "%s/s.db", dir.path);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  test_dir_remove(&dir);
  return 0;
}

static qm_store *open_at(const char *at, unsigned flags) {
  qm_store *s = NULL;
  OK(qm_store_sqlite_open(&env, at, flags, &s, NULL));
  return s;
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

static uint64_t records(qm_store *s) {
  uint64_t n = 0;
  OK(s->ops->record_count(s, 1, 0, &n));
  return n;
}

/* Begins, and saves records [0, n) of one size, `times` over: what is beyond SQLite's cache goes
 * into the WAL before the commit, and again. */
static void begin_large(qm_store *s, uint32_t n, unsigned times, uint8_t fill) {
  static uint8_t state[3000];
  memset(state, fill, sizeof state);
  OK(s->ops->begin(s));
  for (unsigned k = 0; k < times; k++)
    for (uint32_t i = 0; i < n; i++) {
      qm_record_row row = {.collection = 1, .state = qm_slice_of(state, sizeof state - k)};
      memcpy(row.id.b, &i, sizeof i);
      OK(s->ops->record_save(s, 1, &row, 1));
    }
}

static void put_large(qm_store *s, uint32_t n, unsigned times, uint8_t fill, const char *value) {
  begin_large(s, n, times, fill);
  OK(s->ops->meta_put(s, qm_slice_of("word", 4), qm_slice_of(value, strlen(value))));
  OK(s->ops->commit(s, QM_RELAXED, NULL, NULL));
}

/* Frames are written many at a time (sqlite_wal.h); but none is left behind by a commit, in
 * whatever way SQLite writes it. */
static void every_commit_is_in_the_files(void **state) {
  (void)state;
  static const uint32_t sizes[] = {0, 1, 15, 16, 17, 40, 1500, 2, 1500, 3};
  char mine[16], copy[300], copied_wal[310], wal[310];
  snprintf(copy, sizeof copy, "%s", test_dir_file(&dir, "copy.db"));
  snprintf(copied_wal, sizeof copied_wal, "%s-wal", copy);
  snprintf(wal, sizeof wal, "%s-wal", path);
  for (unsigned flags = 0; flags < 2; flags++) {
    qm_store *s = open_at(path, QM_SQLITE_CREATE | (flags ? QM_SQLITE_RELAXED : 0));
    for (unsigned i = 0; i < COUNT(sizes) * 2; i++) {
      snprintf(mine, sizeof mine, "number %u", i);
      put_large(s, sizes[i % COUNT(sizes)], 1 + i % 3, (uint8_t)i, mine);
      test_file_copy(path, copy);
      test_file_copy(wal, copied_wal);
      qm_store *other = open_at(copy, QM_SQLITE_CHECK);
      expect(other, mine);
      other->ops->close(other);
      other = open_at(path, QM_SQLITE_READONLY); /* reads while the first is open */
      expect(other, mine);
      other->ops->close(other);
    }
    s->ops->close(s);
    unlink(path);
  }
}

/* What a transaction wrote into the WAL before it was rolled back is never written later, over
 * what another has committed there since. */
static void a_rollback_leaves_nothing_to_write(void **state) {
  (void)state;
  char mine[16];
  for (uint32_t extra = 0; extra < 20; extra++) {
    qm_store *a = open_at(path, QM_SQLITE_CREATE | QM_SQLITE_RELAXED);
    put_large(a, 3, 1, 'a', "a's");
    begin_large(a, 1000 + extra, 1, 0);
    a->ops->rollback(a);
    qm_store *b = open_at(path, QM_SQLITE_RELAXED);
    snprintf(mine, sizeof mine, "b's %u", (unsigned)extra);
    put_large(b, 40, 1, 'b', mine);
    GIVES(QM_EBUSY, a->ops->begin(a));
    expect(a, mine);
    a->ops->close(a);
    expect(b, mine);
    assert_int_equal(records(b), 40);
    b->ops->close(b);
    b = open_at(path, QM_SQLITE_CHECK);
    expect(b, mine);
    b->ops->close(b);
    unlink(path);
  }
}

/* An app may register a default VFS of its own at any time: what is opened later goes through
 * it. */
static void the_default_may_change(void **state) {
  (void)state;
  static sqlite3_vfs other;
  qm_store *s = open_at(path, QM_SQLITE_CREATE | QM_SQLITE_RELAXED);
  put_large(s, 40, 1, 'a', "one");
  sqlite3_vfs *old = sqlite3_vfs_find(NULL);
  other = *old;
  other.zName = "other";
  assert_int_equal(sqlite3_vfs_register(&other, 1), SQLITE_OK);
  assert_string_equal(qm__wal_vfs(), "qianmo-wal");
  put_large(s, 40, 1, 'b', "two");
  s->ops->close(s);
  s = open_at(path, QM_SQLITE_CHECK);
  expect(s, "two");
  s->ops->close(s);
  assert_int_equal(sqlite3_vfs_register(old, 1), SQLITE_OK);
  assert_int_equal(sqlite3_vfs_unregister(&other), SQLITE_OK);
  s = open_at(path, QM_SQLITE_CHECK);
  expect(s, "two");
  s->ops->close(s);
}

/* --- a disk that gives up in the middle --- */

static int writes_fail, reads_fail; /* 1: from the next write on, 1: and reads after it */
static int gave_up;
static sqlite3_vfs *sound, failing;
static sqlite3_io_methods methods[2]; /* of a database, and of other files */
static int (*sound_write)(sqlite3_file *, const void *, int, sqlite3_int64);
static int (*sound_read)(sqlite3_file *, void *, int, sqlite3_int64);

static int write_or_fail(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  if (!writes_fail) return sound_write(f, p, n, at);
  gave_up = 1;
  return SQLITE_FULL;
}

static int read_or_fail(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
  return reads_fail && gave_up ? SQLITE_IOERR_READ : sound_read(f, p, n, at);
}

static int open_failing(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
  sqlite3_io_methods *mine = &methods[(flags & SQLITE_OPEN_MAIN_DB) == 0];
  (void)vfs;
  int rc = sound->xOpen(sound, name, f, flags, out);
  if (rc != SQLITE_OK || !f->pMethods) return rc;
  sound_write = f->pMethods->xWrite;
  sound_read = f->pMethods->xRead;
  *mine = *f->pMethods;
  mine->xWrite = write_or_fail;
  mine->xRead = read_or_fail;
  f->pMethods = mine;
  return SQLITE_OK;
}

/* A commit finds the disk full. Mostly that is undone and the store goes on; where a page that
 * is needed for it cannot be read either, the store says that its storage failed, and not that
 * somebody else has written. */
static void what_cannot_be_undone_is_a_failure_of_the_disk(void **state) {
  (void)state;
  sound = sqlite3_vfs_find(NULL);
  failing = *sound;
  failing.zName = "failing";
  failing.xOpen = open_failing;
  assert_int_equal(sqlite3_vfs_register(&failing, 1), SQLITE_OK);
  qm_store *s = open_at(path, QM_SQLITE_CREATE | QM_SQLITE_RELAXED);
  put_large(s, 2, 1, 'a', "one");
  for (reads_fail = 0; reads_fail < 2; reads_fail++) {
    begin_large(s, 40, 1, 'b');
    writes_fail = 1;
    GIVES(QM_EFULL, s->ops->commit(s, QM_RELAXED, NULL, NULL));
    s->ops->rollback(s);
    writes_fail = gave_up = 0;
    GIVES(reads_fail ? QM_EIO : QM_OK, s->ops->begin(s));
    if (!reads_fail) s->ops->rollback(s);
  }
  s->ops->close(s);
  assert_int_equal(sqlite3_vfs_register(sound, 1), SQLITE_OK);
  assert_int_equal(sqlite3_vfs_unregister(&failing), SQLITE_OK);
  s = open_at(path, QM_SQLITE_CHECK);
  expect(s, "one");
  assert_int_equal(records(s), 2);
  s->ops->close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_commit_is_in_the_files),
      TEST(a_rollback_leaves_nothing_to_write),
      TEST(the_default_may_change),
      TEST(what_cannot_be_undone_is_a_failure_of_the_disk),
  };
  return cmocka_run_group_tests_name("sqlite wal", tests, NULL, NULL);
}
