#include "tests/unit/support_handle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/sqlite/store_sqlite_impl.h"

#define F(name, number, type, more) \
  "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"" type "\",\"class\":\"work\"" more "}"
#define V(kind) ",\"value\":\"" kind "\""

const char *const app_schema =
    "{\"schema\":\"try\",\"version\":1,\"collections\":["
    "{\"name\":\"household\",\"number\":1,\"label\":{\"zh\":\"\xe6\x88\xb7\"},\"purpose\":\"p\","
    "\"retention\":\"P1Y\",\"key\":\"no\",\"fields\":["
    F("no", 16, "register", V("text")) ","
    F("head", 17, "register", V("text") ",\"naming\":true") ","
    F("phone", 18, "register", V("text") ",\"length_max\":12,\"label\":{\"en\":\"Telephone\"}") ","
    F("members", 19, "register", V("int")) "," F("land", 20, "register", V("number")) ","
    F("insured", 21, "register", V("bool")) "," F("updated", 22, "register", V("date")) ","
    F("place", 23, "register", V("point")) "," F("any", 24, "register", V("any")) ","
    F("photo", 25, "register", V("bytes")) "," F("last", 26, "max", V("date")) ","
    F("first", 27, "min", V("int")) "," F("tags", 28, "set", V("text")) ","
    F("visits", 29, "counter", "") "," F("steps", 30, "log", V("text")) ","
    F("notes", 31, "text", "") "," F("near", 32, "ref", ",\"target\":\"household\"") ","
    F("other", 33, "ref", V("space-ref")) "," F("agenda", 34, "list", V("text")) "]},"
    "{\"name\":\"incident\",\"number\":2,\"purpose\":\"p\",\"retention\":\"P1Y\","
    "\"writers\":[\"grid\"],\"fields\":["
    F("stage", 16, "state", ",\"items\":[{\"name\":\"reported\",\"rank\":1},{\"name\":\"handled\","
      "\"rank\":2}],\"transitions\":[[\"reported\",\"handled\"]]") "]}]}";

static uint64_t app_now(void *payload) { return ((app *)payload)->now_ms; }

/* All that is drawn differs only in its last bytes: ids have one prefix. */
int32_t app_random(void *payload, uint8_t *to, size_t n) {
  app *a = payload;
  memset(to, 0x5A, n);
  a->drawn++;
  for (size_t i = 0; i < 2 && i < n; i++) to[n - 1 - i] = (uint8_t)(a->drawn >> (8 * i));
  return 0;
}

void app_set(app *a, test_dir *dir, const char *name) {
  memset(a, 0, sizeof *a);
  a->dir = dir;
  a->now_ms = NOW_MS;
  qm_options_init(&a->o);
  a->o.path = test_dir_file(dir, name);
  a->o.flags = QM_OPEN_CREATE;
  a->o.payload = a;
  a->o.now_ms = app_now;
}

void app_open(app *a) {
  a->e.message[0] = 0;
  int rc = qm_open(&a->o, &a->db, &a->e);
  if (rc) print_message("%s\n", a->e.message);
  assert_int_equal(rc, QM_OK);
}

void app_start(app *a, test_dir *dir, const char *name) {
  app_set(a, dir, name);
  app_open(a);
  assert_int_equal(qm_space_create(a->db, S("grid 3"), S(app_schema), S("grid"), &a->e), QM_OK);
}

void app_reopen(app *a) {
  qm_close(a->db);
  app_open(a);
}

qm_tx *app_begin(app *a) {
  qm_tx *tx = NULL;
  a->now_ms += 1000;
  assert_int_equal(qm_begin(a->db, NONE, &tx, &a->e), QM_OK);
  return tx;
}

void app_commit(app *a, qm_tx *tx) { assert_int_equal(qm_commit(tx, &a->e), QM_OK); }

int app_one(app *a, app_verb v, const char *record, const char *field, const char *value,
            uint32_t flags) {
  qm_tx *tx = app_begin(a);
  int rc = v(tx, S("household"), S(record), S(field), S(value), flags, &a->e);
  assert_int_equal(qm_commit(tx, NULL), QM_OK);
  return rc;
}

static int fail_to_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  (void)f, (void)p, (void)n, (void)at;
  return SQLITE_IOERR_WRITE;
}

/* The log of this database alone fails, and for good: others, the hub's in this process among
 * them, write on, and it is closed before anybody writes into it again. */
void app_fail_save(app *a) {
  static sqlite3_io_methods failing;
  qm_text id;
  qm_tx *tx = app_begin(a);
  sqlite_store *store = (sqlite_store *)(void *)a->db->store;
  sqlite3_file *wal = NULL;
  assert_int_equal(qm_new(tx, S("household"), NONE, &id, NULL, &a->e), QM_OK);
  qm_text_free(&id);
  assert_int_equal(
      sqlite3_file_control(store->db.h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal), SQLITE_OK);
  assert_non_null(wal);
  if (wal->pMethods->xWrite != fail_to_write) failing = *wal->pMethods;
  failing.xWrite = fail_to_write;
  wal->pMethods = &failing;
  assert_int_equal(qm_commit(tx, &a->e), QM_EIO);
}

void app_make(app *a, const char *key, char id[27]) {
  qm_tx *tx = app_begin(a);
  qm_text text;
  assert_int_equal(qm_new(tx, S("household"), S(key), &text, NULL, &a->e), QM_OK);
  assert_int_equal(text.n, 26);
  memcpy(id, text.p, 27);
  qm_text_free(&text);
  app_commit(a, tx);
}

int text_holds(const qm_text *t, const char *part) {
  int found = strstr(t->p, part) != NULL;
  if (!found) print_message("%s\nis not in\n%s\n", part, t->p);
  return found;
}

void app_get(app *a, const char *record, uint32_t flags, qm_text *out) {
  assert_int_equal(qm_get(a->db, NONE, S("household"), S(record), flags, out, &a->e), QM_OK);
}

/* The household shows this in its JSON. */
int app_shows(app *a, const char *record, const char *part) {
  qm_text t;
  app_get(a, record, 0, &t);
  int found = text_holds(&t, part);
  qm_text_free(&t);
  return found;
}

int app_status_holds(app *a, const char *part) {
  qm_text t;
  assert_int_equal(qm_status(a->db, 0, &t, &a->e), QM_OK);
  int found = text_holds(&t, part);
  qm_text_free(&t);
  return found;
}

/* The value of a JSON string member, by its name. */
void text_member(const qm_text *t, const char *name, char *to, size_t size) {
  const char *at = strstr(t->p, name);
  assert_non_null(at);
  at += strlen(name);
  const char *end = strchr(at, '"');
  assert_true(end && (size_t)(end - at) < size);
  memcpy(to, at, (size_t)(end - at));
  to[end - at] = 0;
}

qm_space *app_space(app *a) { return qm_engine_space_at(a->db->engine, 0); }

/* b gets the space of a, as a hub would give it. */
static void app_share(app *a, app *b) {
  qm_space_info info;
  qm_space_info_get(app_space(a), &info);
  assert_int_equal(qm_engine_space_put(b->db->engine, &info, &b->e), QM_OK);
}

/* b takes what a has and b lacks. */
static void deliver(app *a, qm_space *from, app *b, qm_space *to) {
  qm_arena arena;
  qm_buf batch;
  qm_vv_list vv;
  uint64_t cursor = 0;
  qm_arena_init(&arena, &a->db->env, 1u << 24);
  qm_buf_init(&batch, &a->db->env, QM_BATCH_MAX);
  assert_int_equal(qm_engine_push(a->db->engine, from), QM_OK);
  assert_int_equal(qm_engine_heads(b->db->engine, to, &arena, &vv), QM_OK);
  while (qm_engine_next_batch(a->db->engine, from, vv, &cursor, &batch) == QM_OK) {
    qm_ingest in = {.peer = *qm_key_device(a->db->key)};
    assert_int_equal(qm_engine_begin(b->db->engine), QM_OK);
    assert_int_equal(
        qm_engine_ingest(b->db->engine, to, qm_buf_slice(&batch), &in, &arena, &b->e), QM_OK);
    assert_int_equal(in.n_refusals, 0);
    assert_int_equal(qm_engine_commit(b->db->engine, QM_DURABLE, NULL, NULL), QM_OK);
    qm_buf_clear(&batch);
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
}

void app_deliver(app *a, app *b) { deliver(a, app_space(a), b, app_space(b)); }

void app_deliver_space(app *a, app *b, const char *space) {
  deliver(a, qm_engine_space_named(a->db->engine, S(space)), b,
          qm_engine_space_named(b->db->engine, S(space)));
}

int app_setup(void **state) {
  static world w;
  memset(&w, 0, sizeof w);
  test_dir_make(&w.dir);
  app_start(&w.a, &w.dir, "a.db");
  *state = &w;
  return 0;
}

int app_teardown(void **state) {
  world *w = *state;
  qm_close(w->a.db);
  qm_close(w->b.db);
  test_dir_remove(&w->dir);
  return 0;
}

void app_second(world *w) {
  app_set(&w->b, &w->dir, "b.db");
  app_open(&w->b);
  app_share(&w->a, &w->b);
}
