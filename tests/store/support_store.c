#include "tests/store/support_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/sqlite/store_sqlite.h"

void test_store_open(test_store *t, store_kind kind) {
  memset(t, 0, sizeof *t);
  t->env = qm_env_default();
  if (kind == STORE_MEM) {
    assert_int_equal(qm_store_mem_open(&t->env, &t->s), QM_OK);
  } else {
    const char *base = getenv("TMPDIR");
    snprintf(t->directory, sizeof t->directory, "%s/qm-store-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(t->directory));
    snprintf(t->path, sizeof t->path, "%s/s.db", t->directory);
    unsigned flags = QM_SQLITE_CREATE | (kind == STORE_SQLITE_RELAXED ? QM_SQLITE_RELAXED : 0);
    assert_int_equal(qm_store_sqlite_open(&t->env, t->path, flags, &t->s, NULL), QM_OK);
  }
  t->ops = t->s->ops;
  assert_int_equal(t->ops->version, QM_STORE_VERSION);
}

void test_store_close(test_store *t) {
  t->ops->close(t->s);
  if (!t->path[0]) return;
  unlink(t->path);
  assert_int_equal(rmdir(t->directory), 0); /* an orderly close leaves no file beside */
}

qm_slice slice_of(const char *s) { return qm_slice_of(s, strlen(s)); }

qm_id id_of(uint32_t n) {
  qm_id id = {{0}};
  for (int i = 0; i < 4; i++) id.b[i] = (uint8_t)(n >> (24 - 8 * i));
  id.b[15] = (uint8_t)(n * 7 + 1);
  return id;
}

qm_author author_of(uint32_t n) {
  qm_author a;
  memset(a.b, (int)(n & 0xff), sizeof a.b);
  return a;
}

qm_record_row record_of(uint32_t n, uint32_t collection, const char *state) {
  qm_record_row row = {.id = id_of(n), .collection = collection, .state = slice_of(state)};
  memset(row.hash, (int)(n + collection + row.state.n), sizeof row.hash);
  return row;
}

qm_author_row author_row_of(uint32_t number, uint64_t next) {
  qm_author_row row = {.number = number, .id = author_of(number), .next = next, .closed = next / 2};
  memset(row.head.b, (int)(next & 0xff), sizeof row.head.b);
  row.time = next * 3;
  row.clock = SLICE("clock");
  return row;
}

qm_vv vv_of(const qm_env *env, const uint64_t *next, uint32_t n) {
  qm_vv v = {0};
  v.next = qm_alloc_array(env, n ? n : 1, sizeof *v.next);
  assert_non_null(v.next);
  for (uint32_t i = 0; i < n; i++) v.next[i] = next[i];
  v.n = v.cap = n;
  return v;
}

void text_clear(text *t) {
  t->n = 0;
  t->b[0] = 0;
}

void text_add(text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(t->b + t->n, sizeof t->b - t->n, format, args);
  va_end(args);
  assert_true(n >= 0 && (size_t)n < sizeof t->b - t->n);
  t->n += (size_t)n;
}

static void text_slice(text *t, qm_slice s) {
  if (s.n) text_add(t, "%.*s", (int)s.n, (const char *)s.p);
}

static void text_hex(text *t, const void *p, size_t n) {
  const uint8_t *b = p;
  size_t end = n;
  while (end > 1 && b[end - 1] == b[n - 1]) end--; /* a tail of one byte is said once */
  for (size_t i = 0; i < end; i++) text_add(t, "%02x", b[i]);
}

int text_meta(void *payload, qm_slice key, qm_slice value) {
  text_slice(payload, key);
  text_add(payload, "=");
  text_slice(payload, value);
  text_add(payload, ";");
  return QM_OK;
}

static uint32_t id_number(const qm_id *id) {
  return (uint32_t)id->b[0] << 24 | (uint32_t)id->b[1] << 16 | (uint32_t)id->b[2] << 8 | id->b[3];
}

int text_id(void *payload, const qm_id *id) {
  qm_id same = id_of(id_number(id));
  assert_memory_equal(id->b, same.b, QM_ID_SIZE);
  text_add(payload, "%u;", id_number(id));
  return QM_OK;
}

int text_space(void *payload, const qm_space_row *row) {
  text_add(payload, "%u:%u:", row->space, id_number(&row->id));
  text_slice(payload, row->blob);
  text_add(payload, ";");
  return QM_OK;
}

int text_author(void *payload, const qm_author_row *row) {
  text_add(payload, "%u:", row->number);
  text_hex(payload, row->id.b, sizeof row->id.b);
  text_add(payload, ":%llu:%llu:", (unsigned long long)row->next, (unsigned long long)row->closed);
  text_hex(payload, row->head.b, sizeof row->head.b);
  text_add(payload, ":%llu:", (unsigned long long)row->time);
  text_slice(payload, row->clock);
  text_add(payload, ";");
  return QM_OK;
}

int text_record(void *payload, const qm_record_row *row) {
  text_add(payload, "%u:%u:", id_number(&row->id), row->collection);
  text_hex(payload, row->hash, sizeof row->hash);
  text_add(payload, ":");
  text_slice(payload, row->state);
  text_add(payload, ";");
  return QM_OK;
}

int text_log(void *payload, const qm_log_row *row) {
  text_add(payload, "%llu[", (unsigned long long)row->seq);
  for (uint32_t i = 0; i < row->n_segments; i++)
    text_add(payload, "%s%u:%llu-%llu", i ? "," : "", row->segments[i].author,
             (unsigned long long)row->segments[i].start, (unsigned long long)row->segments[i].next);
  text_add(payload, "]");
  text_slice(payload, row->batch);
  text_add(payload, ";");
  return QM_OK;
}

int text_open(void *payload, const qm_open_row *row) {
  text_add(payload, "%llu:", (unsigned long long)row->counter);
  text_slice(payload, row->change);
  text_add(payload, ";");
  return QM_OK;
}

int text_feed(void *payload, const qm_feed_row *row) {
  text_add(payload, "%llu:%u:%u:", (unsigned long long)row->seq, row->space,
           id_number(&row->record));
  text_slice(payload, row->fields);
  text_add(payload, ";");
  return QM_OK;
}

typedef struct last_log {
  text *t;
  uint64_t seq;
} last_log;

static int dump_log(void *payload, const qm_log_row *row) {
  last_log *l = payload;
  l->seq = row->seq;
  return text_log(l->t, row);
}

static void dump_space(text *t, test_store *s, uint32_t space) {
  const qm_store_ops *o = s->ops;
  uint64_t count;
  text_add(t, "\nspace %u\nauthors ", space);
  assert_int_equal(o->author_list(s->s, space, text_author, t), QM_OK);
  text_add(t, "\nrecords ");
  assert_int_equal(o->record_scan(s->s, space, 0, NULL, SIZE_MAX, text_record, t), QM_OK);
  assert_int_equal(o->record_count(s->s, space, 0, &count), QM_OK);
  text_add(t, "count %llu\ncollections ", (unsigned long long)count);
  for (uint32_t c = 1; c < 4; c++) {
    assert_int_equal(o->record_scan(s->s, space, c, NULL, SIZE_MAX, text_record, t), QM_OK);
    assert_int_equal(o->record_count(s->s, space, c, &count), QM_OK);
    text_add(t, "count %llu,", (unsigned long long)count);
  }
  text_add(t, "\ncreations ");
  for (uint32_t a = 0; a < 4; a++) {
    for (uint32_t c = 0; c < 40; c++) {
      qm_dot dot = {c, a};
      qm_id id;
      uint8_t found;
      assert_int_equal(o->creation_find(s->s, space, &dot, 1, &id, &found), QM_OK);
      if (found) text_add(t, "%u.%u=", a, c);
      if (found) text_id(t, &id);
    }
  }
  text_add(t, "\nkeys ");
  for (uint32_t i = 0; i < 3; i++) {
    for (int k = 0; k < 10; k++) {
      char key[3] = {'k', (char)('0' + k), 0};
      text_add(t, "%u%s ", i, key);
      assert_int_equal(o->key_find(s->s, space, i, slice_of(key), text_id, t), QM_OK);
    }
  }
  text_add(t, "\nlog ");
  qm_vv none = {0};
  last_log l = {t, 0};
  while (o->log_after(s->s, space, &none, l.seq, dump_log, &l) == QM_OK) continue;
  text_add(t, "\nopen ");
  assert_int_equal(o->open_list(s->s, space, text_open, t), QM_OK);
  text_add(t, "\naside ");
  assert_int_equal(o->aside_scan(s->s, space, SLICE(""), text_meta, t), QM_OK);
  text_add(t, "\nlocal ");
  assert_int_equal(o->local_scan(s->s, space, SLICE(""), SLICE(""), text_meta, t), QM_OK);
  qm_buf manifest;
  uint32_t next = 0;
  qm_buf_init(&manifest, &s->env, 1 << 20);
  int rc = o->stage_parts(s->s, space, &next, &manifest);
  text_add(t, "\nstage %d %u ", rc, rc == QM_OK ? next : 0);
  text_slice(t, qm_buf_slice(&manifest));
  qm_buf_free(&manifest);
}

void text_dump(text *t, test_store *s, uint32_t spaces) {
  text_clear(t);
  text_add(t, "meta ");
  assert_int_equal(s->ops->meta_scan(s->s, SLICE(""), text_meta, t), QM_OK);
  text_add(t, "\nspaces ");
  assert_int_equal(s->ops->space_list(s->s, text_space, t), QM_OK);
  for (uint32_t i = 1; i <= spaces; i++) dump_space(t, s, i);
  text_add(t, "\nfeed ");
  assert_int_equal(s->ops->feed_after(s->s, 0, 1000, text_feed, t), QM_OK);
}

uint32_t draw(uint64_t *seed, uint32_t below) {
  uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)((x ^ x >> 31) >> 11) % below;
}

/* --- suites --- */

#define SUITE_MAX 32

static struct {
  store_kind kind;
  test_store *t;
  text *out;
} at_hand; /* cmocka's setups take no argument of ours */

static int set_up(void **state) {
  (void)state;
  if (at_hand.out) text_clear(at_hand.out);
  test_store_open(at_hand.t, at_hand.kind);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  test_store_close(at_hand.t);
  return 0;
}

int test_store_run(const char *name, store_kind kind, test_store *t, text *out,
                   const struct CMUnitTest *suite, size_t n) {
  struct CMUnitTest tests[SUITE_MAX];
  if (n > SUITE_MAX) return 1;
  for (size_t i = 0; i < n; i++) {
    tests[i] = suite[i];
    tests[i].setup_func = set_up;
    tests[i].teardown_func = tear_down;
  }
  at_hand.kind = kind;
  at_hand.t = t;
  at_hand.out = out;
  return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
