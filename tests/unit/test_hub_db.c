/* The hub's own tables: devices, spaces, schemas, refused authors, codes, notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "adapters/sqlite/hub_db.h"
#include "adapters/sqlite/sqlite_backup.h"
#include "adapters/sqlite/store_sqlite.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_dir.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK(call) assert_int_equal(call, QM_OK)
#define GIVES(code, call) assert_int_equal(call, code)
#define MINUTE 60000u

static test_dir dir;
static char path[300];
static qm_env env;
static qm_hubdb *h;
static char seen[4096];

static int setup(void **state) {
  (void)state;
  env = qm_env_default();
  test_dir_make(&dir);
  snprintf(path, sizeof path, "%s/hub.db", dir.path);
  seen[0] = 0;
  return qm_hubdb_open(&env, path, QM_HUBDB_CREATE, &h, NULL);
}

static int teardown(void **state) {
  (void)state;
  qm_hubdb_close(h);
  h = NULL;
  test_dir_remove(&dir);
  return 0;
}

static void reopen(void) {
  qm_hubdb_close(h);
  h = NULL;
  OK(qm_hubdb_open(&env, path, QM_HUBDB_CHECK, &h, NULL));
}

static qm_id id_of(uint8_t n) {
  qm_id id = {{n}};
  id.b[15] = n;
  return id;
}

static qm_hash hash_of(uint8_t n) {
  qm_hash hash;
  memset(hash.b, n, sizeof hash.b);
  return hash;
}

static void see(const char *word) {
  size_t n = strlen(seen);
  snprintf(seen + n, sizeof seen - n, "%s;", word);
}

static void expect(const char *wanted) {
  assert_string_equal(seen, wanted);
  seen[0] = 0;
}

static int see_id(void *payload, const qm_id *id) {
  char word[8];
  (void)payload;
  snprintf(word, sizeof word, "%u", id->b[0]);
  see(word);
  return QM_OK;
}

static int see_member(void *payload, const qm_hub_device *row) {
  see(row->member);
  return payload ? *(int *)payload : QM_OK;
}

static int see_space(void *payload, const qm_hub_space *row) {
  char word[QM_HUB_TEXT_MAX + 16];
  (void)payload;
  snprintf(word, sizeof word, "%s/%u", row->name, row->schema);
  see(word);
  return QM_OK;
}

static int see_refused(void *payload, const qm_hub_refused *row) {
  char word[40];
  (void)payload;
  snprintf(word, sizeof word, "%u.%u@%u:%d", row->space.b[0], row->author.b[0],
           (unsigned)row->counter, row->code);
  see(word);
  return QM_OK;
}

static qm_hub_device device_of(uint8_t n, const char *member) {
  qm_hub_device d;
  memset(&d, 0, sizeof d);
  d.id = id_of(n);
  d.spki_len = 91;
  memset(d.spki, n, d.spki_len);
  snprintf(d.member, sizeof d.member, "%s", member);
  snprintf(d.role, sizeof d.role, "clerk");
  d.not_after_ms = 1000;
  return d;
}

static void same_device(const qm_hub_device *a, const qm_hub_device *b) {
  assert_memory_equal(a->id.b, b->id.b, QM_ID_SIZE);
  assert_memory_equal(a->alias.b, b->alias.b, QM_ID_SIZE);
  assert_int_equal(a->spki_len, b->spki_len);
  assert_memory_equal(a->spki, b->spki, sizeof a->spki);
  assert_string_equal(a->member, b->member);
  assert_string_equal(a->role, b->role);
  assert_int_equal(a->not_after_ms, b->not_after_ms);
  assert_int_equal(a->enrolled_ms, b->enrolled_ms);
  assert_int_equal(a->revoked_ms, b->revoked_ms);
  assert_int_equal(a->last_sync_ms, b->last_sync_ms);
  assert_int_equal(a->behind, b->behind);
  assert_int_equal(a->refused, b->refused);
  assert_int_equal(a->refused_code, b->refused_code);
  assert_int_equal(a->clock_offset_ms, b->clock_offset_ms);
}

/* ---- devices ---- */

static void devices_come_back_whole(void **state) {
  (void)state;
  qm_hub_device d = device_of(5, "village \xe6\x9d\x91"), found;
  d.alias = id_of(77);
  d.enrolled_ms = 2;
  d.revoked_ms = 3;
  d.last_sync_ms = 4;
  d.behind = UINT64_MAX;
  d.refused = 6;
  d.refused_code = QM_EGAP;
  d.clock_offset_ms = -123456789012;
  OK(qm_hubdb_device_put(h, &d));
  reopen();
  OK(qm_hubdb_device_get(h, &d.id, &found));
  same_device(&d, &found);
  qm_id other = id_of(6);
  GIVES(QM_ENOTFOUND, qm_hubdb_device_get(h, &other, &found));
  memset(d.member, 'm', QM_HUB_TEXT_MAX);
  OK(qm_hubdb_device_put(h, &d));
  d.spki_len = QM_HUB_SPKI_MAX + 1;
  GIVES(QM_EINVAL, qm_hubdb_device_put(h, &d));
}

static void devices_are_listed(void **state) {
  (void)state;
  static const char *const members[] = {"c", "a", "b"};
  for (uint8_t i = 0; i < 3; i++) {
    qm_hub_device d = device_of((uint8_t)(30 - i), members[i]);
    OK(qm_hubdb_device_put(h, &d));
  }
  OK(qm_hubdb_device_list(h, see_member, NULL));
  expect("b;a;c;");
  int code = QM_EDIFFER;
  GIVES(QM_EDIFFER, qm_hubdb_device_list(h, see_member, &code));
  expect("b;");
  code = 1; /* QM_STORE_STOP */
  OK(qm_hubdb_device_list(h, see_member, &code));
  expect("b;");
}

static void one_verb_changes_one_thing(void **state) {
  (void)state;
  qm_hub_device d = device_of(1, "m"), found;
  qm_id none = id_of(9);
  qm_hub_touch touch = {50, 7, 2, QM_ESCHEMA, -5};
  OK(qm_hubdb_device_put(h, &d));
  OK(qm_hubdb_device_touch(h, &d.id, &touch));
  touch = (qm_hub_touch){60, 0, 0, QM_EGAP, 4};
  OK(qm_hubdb_device_touch(h, &d.id, &touch));
  OK(qm_hubdb_device_renew(h, &d.id, 9999));
  OK(qm_hubdb_device_assign(h, &d.id, "n", NULL));
  OK(qm_hubdb_device_assign(h, &d.id, NULL, "head"));
  OK(qm_hubdb_device_revoke(h, &d.id, 70));
  OK(qm_hubdb_device_revoke(h, &d.id, 80)); /* the first stands */
  d.last_sync_ms = 60;
  d.refused = 2;
  d.refused_code = QM_ESCHEMA; /* the last session refused nothing */
  d.clock_offset_ms = 4;
  d.not_after_ms = 9999;
  d.revoked_ms = 70;
  memcpy(d.member, "n", 2);
  memcpy(d.role, "head", 5);
  OK(qm_hubdb_device_get(h, &d.id, &found));
  same_device(&d, &found);
  GIVES(QM_ENOTFOUND, qm_hubdb_device_touch(h, &none, &touch));
  GIVES(QM_ENOTFOUND, qm_hubdb_device_renew(h, &none, 1));
  GIVES(QM_ENOTFOUND, qm_hubdb_device_assign(h, &none, "x", "y"));
  GIVES(QM_ENOTFOUND, qm_hubdb_device_revoke(h, &none, 1));
}

static void devices_read_their_spaces(void **state) {
  (void)state;
  qm_hub_device a = device_of(1, "a"), b = device_of(2, "b");
  qm_id spaces[] = {id_of(20), id_of(10), id_of(10)}, none = id_of(99);
  OK(qm_hubdb_device_put(h, &a));
  OK(qm_hubdb_device_put(h, &b));
  OK(qm_hubdb_device_spaces_put(h, &a.id, spaces, 3));
  OK(qm_hubdb_device_spaces_put(h, &b.id, spaces, 1));
  OK(qm_hubdb_device_spaces(h, &a.id, see_id, NULL));
  expect("10;20;");
  OK(qm_hubdb_space_devices(h, &spaces[0], see_id, NULL));
  expect("1;2;");
  OK(qm_hubdb_device_may(h, &a.id, &spaces[1]));
  GIVES(QM_EACCESS, qm_hubdb_device_may(h, &b.id, &spaces[1]));
  GIVES(QM_EACCESS, qm_hubdb_device_may(h, &none, &spaces[1]));
  OK(qm_hubdb_device_revoke(h, &a.id, 1));
  GIVES(QM_EREVOKED, qm_hubdb_device_may(h, &a.id, &spaces[1]));
  OK(qm_hubdb_space_devices(h, &spaces[0], see_id, NULL));
  expect("2;");
  OK(qm_hubdb_device_spaces_put(h, &b.id, NULL, 0));
  OK(qm_hubdb_device_spaces(h, &b.id, see_id, NULL));
  OK(qm_hubdb_device_spaces(h, &none, see_id, NULL));
  expect("");
}

/* ---- spaces, schemas, refused authors, notes ---- */

static qm_hub_space space_of(uint8_t n, const char *name) {
  qm_hub_space s = {id_of(n), "", 55, n};
  snprintf(s.name, sizeof s.name, "%s", name);
  return s;
}

static void spaces_have_one_name(void **state) {
  (void)state;
  qm_hub_space a = space_of(1, "east"), b = space_of(2, "\xe4\xb8\x9c"), found;
  qm_hub_space same_name = space_of(3, "east"), same_id = space_of(1, "west"),
               bad = space_of(4, "");
  OK(qm_hubdb_space_add(h, &b));
  OK(qm_hubdb_space_add(h, &a));
  GIVES(QM_EEXIST, qm_hubdb_space_add(h, &same_name));
  GIVES(QM_EEXIST, qm_hubdb_space_add(h, &same_id));
  GIVES(QM_EINVAL, qm_hubdb_space_add(h, &bad));
  OK(qm_hubdb_space_list(h, see_space, NULL));
  expect("east/0;\xe4\xb8\x9c/0;");
  OK(qm_hubdb_space_get(h, &b.id, &found));
  assert_string_equal(found.name, b.name);
  OK(qm_hubdb_space_get_by_name(h, "east", &found));
  assert_memory_equal(found.id.b, a.id.b, QM_ID_SIZE);
  assert_int_equal(found.schema, 0);
  assert_int_equal(found.shard, 1);
  GIVES(QM_ENOTFOUND, qm_hubdb_space_get_by_name(h, "East", &found));
  GIVES(QM_ENOTFOUND, qm_hubdb_space_get(h, &same_name.id, &found));
}

static void schemas_only_rise(void **state) {
  (void)state;
  qm_hub_space a = space_of(1, "east"), b = space_of(2, "west"), found;
  qm_buf out;
  uint32_t version = 0;
  OK(qm_hubdb_space_add(h, &a));
  GIVES(QM_ENOTFOUND, qm_hubdb_schema_put(h, &b.id, 1, qm_slice_of("x", 1)));
  GIVES(QM_EINVAL, qm_hubdb_schema_put(h, &a.id, 0, qm_slice_of("x", 1)));
  qm_buf_init(&out, &env, 100);
  GIVES(QM_ENOTFOUND, qm_hubdb_schema_get(h, &a.id, 0, &out, NULL));
  GIVES(QM_ENOTFOUND, qm_hubdb_schema_get(h, &b.id, 0, &out, NULL));
  OK(qm_hubdb_schema_put(h, &a.id, 2, qm_slice_of("two", 3)));
  OK(qm_hubdb_schema_put(h, &a.id, 5, qm_slice_of("five", 4)));
  OK(qm_hubdb_schema_put(h, &a.id, 5, qm_slice_of("five", 4)));
  GIVES(QM_EEXIST, qm_hubdb_schema_put(h, &a.id, 5, qm_slice_of("other", 5)));
  GIVES(QM_EEXIST, qm_hubdb_schema_put(h, &a.id, 3, qm_slice_of("three", 5)));
  GIVES(QM_EEXIST, qm_hubdb_schema_put(h, &a.id, 2, qm_slice_of("two", 3)));
  reopen();
  OK(qm_hubdb_space_get(h, &a.id, &found));
  assert_int_equal(found.schema, 5);
  OK(qm_hubdb_schema_get(h, &a.id, 0, &out, &version));
  OK(qm_hubdb_schema_get(h, &a.id, 2, &out, NULL));
  GIVES(QM_ENOTFOUND, qm_hubdb_schema_get(h, &a.id, 3, &out, NULL));
  assert_int_equal(version, 5);
  assert_int_equal(out.n, 7);
  assert_memory_equal(out.p, "fivetwo", 7);
  qm_buf_free(&out);
}

static void a_refused_author_stays_stopped(void **state) {
  (void)state;
  qm_hub_refused r = {id_of(2), {{7}}, 40, QM_EGAP, 99}, found;
  OK(qm_hubdb_refused_put(h, &r));
  r.counter = 50;
  OK(qm_hubdb_refused_put(h, &r)); /* the first one stands */
  r.author.b[0] = 6;
  OK(qm_hubdb_refused_put(h, &r));
  r.space = id_of(1);
  OK(qm_hubdb_refused_put(h, &r));
  OK(qm_hubdb_refused_list(h, NULL, see_refused, NULL));
  expect("1.6@50:-40;2.6@50:-40;2.7@40:-40;");
  OK(qm_hubdb_refused_list(h, &r.space, see_refused, NULL));
  expect("1.6@50:-40;");
  OK(qm_hubdb_refused_find(h, &r.space, &r.author, &found));
  assert_int_equal(found.at_ms, 99);
  OK(qm_hubdb_refused_clear(h, &r.space, &r.author));
  GIVES(QM_ENOTFOUND, qm_hubdb_refused_clear(h, &r.space, &r.author));
  GIVES(QM_ENOTFOUND, qm_hubdb_refused_find(h, &r.space, &r.author, &found));
}

static void notes_are_small_values(void **state) {
  (void)state;
  qm_id a = id_of(1), b = id_of(2);
  qm_buf out;
  qm_buf_init(&out, &env, 100);
  OK(qm_hubdb_note_put(h, &a, "safe", qm_slice_of("A", 1)));
  OK(qm_hubdb_note_put(h, NULL, "safe", qm_slice_of("H", 1)));
  OK(qm_hubdb_note_put(h, &a, "safe", qm_slice_of("AA", 2)));
  GIVES(QM_EINVAL, qm_hubdb_note_put(h, &a, "", qm_slice_of("A", 1)));
  OK(qm_hubdb_note_get(h, &a, "safe", &out));
  OK(qm_hubdb_note_get(h, NULL, "safe", &out));
  assert_int_equal(out.n, 3);
  assert_memory_equal(out.p, "AAH", 3);
  GIVES(QM_ENOTFOUND, qm_hubdb_note_get(h, &b, "safe", &out));
  OK(qm_hubdb_note_put(h, &a, "safe", qm_slice_of(NULL, 0)));
  GIVES(QM_ENOTFOUND, qm_hubdb_note_get(h, &a, "safe", &out));
  qm_buf_free(&out);
}

/* ---- codes ---- */

static void add_code(uint8_t n, uint64_t expires_ms) {
  qm_hub_code c = {hash_of(n), "member", "clerk", expires_ms};
  qm_id spaces[] = {id_of(10), id_of(20)};
  OK(qm_hubdb_code_add(h, &c, spaces, 2));
}

static int use(uint8_t code, uint64_t now_ms, const char *address, uint8_t device) {
  qm_hash hash = hash_of(code);
  qm_hub_device d = device_of(device, "not me");
  return qm_hubdb_code_use(h, &hash, now_ms, address, &d);
}

static void a_code_enrols_a_device(void **state) {
  (void)state;
  qm_hash hash = hash_of(1);
  qm_hub_device d = device_of(5, "not me"), found;
  d.refused = 77;
  d.revoked_ms = 1; /* what the device says of this is not asked */
  add_code(1, 1000);
  qm_hub_code again = {hash, "x", "y", 5};
  GIVES(QM_EEXIST, qm_hubdb_code_add(h, &again, NULL, 0));
  OK(qm_hubdb_code_use(h, &hash, 500, "192.0.2.1", &d));
  assert_string_equal(d.member, "member");
  assert_string_equal(d.role, "clerk");
  assert_int_equal(d.enrolled_ms, 500);
  assert_int_equal(d.revoked_ms, 0);
  assert_int_equal(d.refused, 0);
  OK(qm_hubdb_device_get(h, &d.id, &found));
  same_device(&d, &found);
  OK(qm_hubdb_device_spaces(h, &d.id, see_id, NULL));
  expect("10;20;");
}

static void a_code_is_used_once(void **state) {
  (void)state;
  qm_hub_device found;
  qm_id id = id_of(5);
  add_code(1, 1000);
  OK(use(1, 500, "192.0.2.1", 5));
  GIVES(QM_ECODEUSED, use(1, 600, "192.0.2.2", 6));
  /* The answer was lost: the same device asks again, and meanwhile it was moved. */
  OK(qm_hubdb_device_assign(h, &id, "moved", NULL));
  OK(qm_hubdb_device_spaces_put(h, &id, NULL, 0));
  OK(use(1, 700, "192.0.2.1", 5));
  OK(qm_hubdb_device_get(h, &id, &found));
  assert_string_equal(found.member, "moved");
  assert_int_equal(found.enrolled_ms, 500);
  OK(qm_hubdb_device_spaces(h, &id, see_id, NULL));
  expect("");
  GIVES(QM_ECODEEXPIRED, use(1, 1000, "192.0.2.1", 5));
  id = id_of(6);
  GIVES(QM_ENOTFOUND, qm_hubdb_device_get(h, &id, &found));
}

static void bad_codes_are_refused(void **state) {
  (void)state;
  qm_id id = id_of(5);
  char address[QM_HUB_ADDRESS_MAX + 2];
  add_code(1, 1000);
  GIVES(QM_ECODEUSED, use(9, 500, "192.0.2.1", 5));
  GIVES(QM_ECODEEXPIRED, use(1, 1000, "192.0.2.1", 5));
  OK(use(1, 999, "192.0.2.1", 5));
  OK(qm_hubdb_device_revoke(h, &id, 1000));
  add_code(2, 2000);
  GIVES(QM_EREVOKED, use(2, 1500, "192.0.2.1", 5));
  OK(use(2, 1500, "192.0.2.1", 6)); /* the code is not used up by that */
  memset(address, 'a', sizeof address);
  address[sizeof address - 1] = 0;
  GIVES(QM_EINVAL, use(2, 1500, address, 6));
  qm_hub_code c = {hash_of(3), "", "", UINT64_MAX};
  GIVES(QM_EINVAL, qm_hubdb_code_add(h, &c, NULL, 0));
  OK(qm_hubdb_begin(h));
  GIVES(QM_ESTATE, use(2, 1500, "192.0.2.1", 6));
  qm_hubdb_rollback(h);
}

static void a_code_survives_five_tries(void **state) {
  (void)state;
  qm_hash hash = hash_of(1);
  add_code(1, 1000);
  for (int i = 0; i < QM_HUB_CODE_TRIES - 1; i++)
    GIVES(QM_ECODEEXPIRED, use(1, 2000, "192.0.2.1", 5));
  reopen(); /* a failed try is on disk */
  OK(qm_hubdb_code_fail(h, &hash, 500, "192.0.2.2"));
  GIVES(QM_ETRIES, use(1, 500, "192.0.2.3", 5));
  GIVES(QM_ETRIES, qm_hubdb_code_fail(h, &hash, 500, "192.0.2.3"));
  hash = hash_of(9);
  OK(qm_hubdb_code_fail(h, &hash, 500, "192.0.2.3")); /* unknown: the address pays */
}

static void an_address_has_ten_tries_a_minute(void **state) {
  (void)state;
  uint64_t now = 5 * MINUTE;
  add_code(1, 100 * MINUTE);
  for (uint8_t i = 0; i < QM_HUB_ADDRESS_TRIES; i++)
    GIVES(QM_ECODEUSED, use((uint8_t)(50 + i), now + i, "192.0.2.1", 5));
  GIVES(QM_ETRIES, use(1, now + 20, "192.0.2.1", 5));
  GIVES(QM_ETRIES, use(1, now + MINUTE - 1, "192.0.2.1", 5));
  OK(use(1, now + 20, "192.0.2.2", 5)); /* another address */
  OK(use(1, now + MINUTE, "192.0.2.1", 5));
  OK(use(1, now - MINUTE, "192.0.2.1", 5)); /* the hub's clock was set back */
}

static void good_codes_take_no_try(void **state) {
  (void)state;
  for (uint8_t i = 1; i <= 3 * QM_HUB_ADDRESS_TRIES; i++) {
    add_code(i, 100 * MINUTE);
    OK(use(i, 10 + i, "192.0.2.1", (uint8_t)(60 + i)));
  }
  /* The same device again takes one: who has a code cannot ask for ever. */
  for (uint8_t i = 0; i < QM_HUB_ADDRESS_TRIES; i++) OK(use(1, 100 + i, "192.0.2.1", 61));
  GIVES(QM_ETRIES, use(1, 200, "192.0.2.1", 61));
}

static void an_enrolled_device_enrols_again(void **state) {
  (void)state;
  qm_hub_device d = device_of(5, "old");
  qm_hub_touch touch = {50, 7, 2, QM_ESCHEMA, -5};
  qm_id spaces[] = {id_of(30)};
  qm_hash hash = hash_of(1);
  OK(qm_hubdb_device_put(h, &d));
  OK(qm_hubdb_device_touch(h, &d.id, &touch));
  OK(qm_hubdb_device_spaces_put(h, &d.id, spaces, 1));
  add_code(1, 1000);
  d.not_after_ms = 8888;
  OK(qm_hubdb_code_use(h, &hash, 500, "192.0.2.1", &d));
  assert_string_equal(d.member, "member");
  assert_int_equal(d.last_sync_ms, 50);
  assert_int_equal(d.refused, 2);
  assert_int_equal(d.not_after_ms, 8888);
  OK(qm_hubdb_device_spaces(h, &d.id, see_id, NULL));
  expect("10;20;");
}

/* Processes that race for one code; each opens its own handle. */
static void one_of_many_wins_the_code(void **state) {
  (void)state;
  enum { RACERS = 6 };
  pid_t child[RACERS];
  int won = 0, lost = 0;
  add_code(1, 1000);
  for (uint8_t i = 0; i < RACERS; i++) {
    child[i] = fork();
    assert_true(child[i] >= 0);
    if (child[i] != 0) continue;
    h = NULL;
    if (qm_hubdb_open(&env, path, 0, &h, NULL) != QM_OK) _exit(3);
    int rc = use(1, 500, "192.0.2.1", (uint8_t)(10 + i));
    qm_hubdb_close(h);
    _exit(rc == QM_OK ? 0 : rc == QM_ECODEUSED || rc == QM_ETRIES ? 1 : 2);
  }
  for (int i = 0; i < RACERS; i++) {
    int status;
    assert_int_equal(waitpid(child[i], &status, 0), child[i]);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    won += WEXITSTATUS(status) == 0;
    lost += WEXITSTATUS(status) == 1;
  }
  assert_int_equal(won, 1);
  assert_int_equal(lost, RACERS - 1);
  OK(qm_hubdb_device_list(h, see_member, NULL));
  expect("member;");
}

static void old_codes_are_swept(void **state) {
  (void)state;
  static const uint64_t day = 24 * 3600 * 1000;
  add_code(1, day);
  add_code(2, 20 * day);
  OK(qm_hubdb_sweep(h, 5 * day));
  GIVES(QM_ECODEEXPIRED, use(1, 5 * day, "192.0.2.1", 5));
  OK(qm_hubdb_sweep(h, 40 * day));
  GIVES(QM_ECODEUSED, use(1, 40 * day, "192.0.2.1", 5)); /* no longer known */
  GIVES(QM_ECODEEXPIRED, use(2, 40 * day, "192.0.2.1", 5));
}

/* ---- transactions, files ---- */

static void verbs_group_into_one_transaction(void **state) {
  (void)state;
  qm_hub_device d = device_of(1, "m"), found;
  qm_id none = id_of(9);
  GIVES(QM_ESTATE, qm_hubdb_commit(h));
  OK(qm_hubdb_begin(h));
  GIVES(QM_ESTATE, qm_hubdb_begin(h));
  OK(qm_hubdb_device_put(h, &d));
  OK(qm_hubdb_device_get(h, &d.id, &found));
  qm_hubdb_rollback(h);
  GIVES(QM_ENOTFOUND, qm_hubdb_device_get(h, &d.id, &found));
  OK(qm_hubdb_begin(h));
  OK(qm_hubdb_device_put(h, &d));
  GIVES(QM_ENOTFOUND, qm_hubdb_device_revoke(h, &none, 1)); /* wrote nothing: goes on */
  OK(qm_hubdb_device_revoke(h, &d.id, 1));
  OK(qm_hubdb_commit(h));
  reopen();
  OK(qm_hubdb_device_get(h, &d.id, &found));
  assert_int_equal(found.revoked_ms, 1);
}

static void the_version_tells_of_others(void **state) {
  (void)state;
  qm_hubdb *other;
  qm_hub_device d = device_of(1, "m"), found;
  uint32_t before, after;
  OK(qm_hubdb_device_put(h, &d));
  OK(qm_hubdb_open(&env, path, 0, &other, NULL));
  OK(qm_hubdb_version(h, &before));
  OK(qm_hubdb_device_renew(h, &d.id, 5));
  OK(qm_hubdb_version(h, &after));
  assert_int_equal(before, after);
  OK(qm_hubdb_device_revoke(other, &d.id, 5));
  OK(qm_hubdb_version(h, &after));
  assert_int_not_equal(before, after);
  OK(qm_hubdb_device_get(h, &d.id, &found));
  assert_int_equal(found.revoked_ms, 5);
  OK(qm_hubdb_device_renew(h, &d.id, 6)); /* and this handle goes on writing */
  qm_hubdb_close(other);
}

/* What another process does that adds a code. */
static int add_code_elsewhere(const char *file, const char *number) {
  qm_hubdb *own = NULL;
  qm_env own_env = qm_env_default();
  qm_hub_code code = {.member = "m", .role = "r", .expires_ms = 100 * MINUTE};
  code.hash = hash_of((uint8_t)number[0]);
  int rc = qm_hubdb_open(&own_env, file, 0, &own, NULL);
  if (rc == QM_OK) rc = qm_hubdb_code_add(own, &code, NULL, 0);
  qm_hubdb_close(own);
  return rc == QM_OK ? 0 : 1;
}

/* By exec: a forked copy would share what SQLite knows of this process's locks. A program of
 * another machine is started by what runs this one. */
static void another_process_adds(const char *number) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    const char *runner = getenv("RUNNER");
    char self[4096] = {0};
    if (runner && *runner && readlink("/proc/self/exe", self, sizeof self - 1) > 0)
      execl("/bin/sh", "sh", "-c", "exec $RUNNER \"$@\"", "sh", self, path, number, (char *)NULL);
    execl("/proc/self/exe", "test_hub_db", path, number, (char *)NULL);
    _exit(127);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

/* A second handle of this process must not take the first one's locks away: another
 * process would then delete the WAL under both, and the two would write past each other. */
static void two_handles_and_another_process(void **state) {
  (void)state;
  qm_hubdb *second = NULL;
  OK(qm_hubdb_open(&env, path, 0, &second, NULL));
  for (const char *n = "123"; *n; n++) {
    const char number[2] = {*n, 0};
    qm_hub_device device = {.id = id_of((uint8_t)*n), .spki_len = 1};
    qm_hash written = hash_of((uint8_t)*n);
    another_process_adds(number);
    OK(qm_hubdb_code_use(h, &written, MINUTE, "a", &device));
  }
  qm_hubdb_close(second);
  reopen();
  for (const char *n = "123"; *n; n++) {
    qm_hub_device device;
    qm_id id = id_of((uint8_t)*n);
    OK(qm_hubdb_device_get(h, &id, &device));
  }
}

static void files_are_told_apart(void **state) {
  (void)state;
  qm_hubdb *other = NULL;
  qm_store *s = NULL;
  qm_error e = {0, ""};
  const char *store = test_dir_file(&dir, "s.db"), *none = test_dir_file(&dir, "none.db");
  GIVES(QM_EFORMAT, qm_store_sqlite_open(&env, path, 0, &s, &e));
  assert_non_null(strstr(e.message, "not a qianmo store"));
  OK(qm_store_sqlite_open(&env, store, QM_SQLITE_CREATE, &s, &e));
  s->ops->close(s);
  GIVES(QM_EFORMAT, qm_hubdb_open(&env, store, QM_HUBDB_CREATE, &other, &e));
  GIVES(QM_ENOTFOUND, qm_hubdb_open(&env, none, 0, &other, &e));
  assert_null(other);
  assert_int_equal(test_file_mode(path), 0600);
  test_alloc a = {.fail_at = 1};
  qm_env poor = test_alloc_env(&a);
  GIVES(QM_ENOMEM, qm_hubdb_open(&poor, path, 0, &other, NULL));
}

static void it_is_read_and_backed_up(void **state) {
  (void)state;
  qm_hub_device d = device_of(1, "m"), found;
  qm_hubdb *other;
  const char *copy = test_dir_file(&dir, "copy.db");
  OK(qm_hubdb_device_put(h, &d));
  OK(qm_sqlite_backup(path, copy, NULL));
  OK(qm_hubdb_open(&env, copy, QM_HUBDB_READONLY, &other, NULL));
  OK(qm_hubdb_check(other, NULL));
  OK(qm_hubdb_device_get(other, &d.id, &found));
  same_device(&d, &found);
  GIVES(QM_EREADONLY, qm_hubdb_device_put(other, &d));
  GIVES(QM_EREADONLY, qm_hubdb_begin(other));
  qm_hubdb_close(other);
  qm_hubdb_close(NULL);
}

/* A file of before stores were several: all of its spaces are in the first. */
static void an_older_file_has_one_store(void **state) {
  (void)state;
  qm_hub_space a = space_of(7, "east"), found;
  sqlite3 *db;
  OK(qm_hubdb_space_add(h, &a));
  qm_hubdb_close(h);
  h = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "ALTER TABLE space_name DROP COLUMN shard;"
                                    "PRAGMA user_version = 2;", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
  const char *copy = test_dir_file(&dir, "copy.db");
  OK(qm_sqlite_backup(path, copy, NULL)); /* as it is */
  GIVES(QM_EREADONLY, qm_hubdb_open(&env, copy, QM_HUBDB_READONLY, &h, NULL));
  OK(qm_hubdb_open(&env, copy, 0, &h, NULL));
  OK(qm_hubdb_space_get(h, &a.id, &found));
  reopen();
  OK(qm_hubdb_space_get(h, &a.id, &found));
  assert_string_equal(found.name, "east");
  assert_int_equal(found.shard, 0);
  a = space_of(3, "west");
  OK(qm_hubdb_space_add(h, &a));
  OK(qm_hubdb_space_get_by_name(h, "west", &found));
  assert_int_equal(found.shard, 3);
}

typedef struct held_list {
  uint32_t n;
  qm_id device[4];
  size_t bytes[4];
} held_list;

static int take_held(void *payload, const qm_id *device, qm_slice vv) {
  held_list *l = payload;
  assert_true(l->n < 4);
  l->device[l->n] = *device;
  l->bytes[l->n++] = vv.n;
  return QM_OK;
}

static void live_devices_hold_something(void **state) {
  (void)state;
  qm_id space = {{1}}, ids[] = {{{11}}, {{12}}, {{13}}, {{14}}};
  held_list l = {0};
  for (int i = 0; i < 4; i++) {
    qm_hub_device d = {.id = ids[i], .member = "m", .role = "r", .spki_len = 1};
    qm_hub_touch touch = {.now_ms = 1000 * (uint64_t)(i + 1)};
    OK(qm_hubdb_device_put(h, &d));
    OK(qm_hubdb_device_spaces_put(h, &ids[i], &space, 1));
    if (i < 3) OK(qm_hubdb_device_touch(h, &ids[i], &touch)); /* the last never synced */
  }
  OK(qm_hubdb_held_put(h, &space, &ids[1], qm_slice_of("0123456789abcdef0123456789abcdef", 32)));
  OK(qm_hubdb_held_live(h, &space, 2000, take_held, &l));
  assert_int_equal(l.n, 2); /* the first has been away for too long */
  assert_int_equal(l.device[0].b[0], 12);
  assert_int_equal(l.bytes[0], 32);
  assert_int_equal(l.bytes[1], 0); /* nothing is known of it */
  OK(qm_hubdb_held_put(h, &space, &ids[1], qm_slice_of(NULL, 0)));
  OK(qm_hubdb_device_revoke(h, &ids[2], 9));
  l.n = 0;
  OK(qm_hubdb_held_live(h, &space, 0, take_held, &l));
  assert_int_equal(l.n, 2);
  assert_int_equal(l.device[1].b[0], 12);
  assert_int_equal(l.bytes[1], 0);
  l.n = 0;
  OK(qm_hubdb_held_live(h, &ids[0], 0, take_held, &l));
  assert_int_equal(l.n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv) {
  if (argc > 2) return add_code_elsewhere(argv[1], argv[2]);
  const struct CMUnitTest tests[] = {
      TEST(devices_come_back_whole),
      TEST(devices_are_listed),
      TEST(one_verb_changes_one_thing),
      TEST(devices_read_their_spaces),
      TEST(live_devices_hold_something),
      TEST(spaces_have_one_name),
      TEST(schemas_only_rise),
      TEST(a_refused_author_stays_stopped),
      TEST(notes_are_small_values),
      TEST(a_code_enrols_a_device),
      TEST(a_code_is_used_once),
      TEST(bad_codes_are_refused),
      TEST(a_code_survives_five_tries),
      TEST(an_address_has_ten_tries_a_minute),
      TEST(good_codes_take_no_try),
      TEST(an_enrolled_device_enrols_again),
      TEST(one_of_many_wins_the_code),
      TEST(old_codes_are_swept),
      TEST(verbs_group_into_one_transaction),
      TEST(the_version_tells_of_others),
      TEST(two_handles_and_another_process),
      TEST(files_are_told_apart),
      TEST(an_older_file_has_one_store),
      TEST(it_is_read_and_backed_up),
  };
  return cmocka_run_group_tests_name("hub db", tests, NULL, NULL);
}
