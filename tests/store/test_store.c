/* The conformance suite of core/store.h: the same tests on every store. What a store
 * keeps over many random transactions is compared between stores in test_store_same.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/store/support_store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static test_store t;
static text out; /* too large for a stack */

#define OK(call) assert_int_equal(call, QM_OK)
#define GIVES(code, call) assert_int_equal(call, code)

static void expect(const char *wanted) {
  assert_string_equal(out.b, wanted);
  text_clear(&out);
}

static void begin(void) { OK(t.ops->begin(t.s)); }
static void commit(void) { OK(t.ops->commit(t.s, QM_DURABLE, NULL, NULL)); }

static int stop(void *payload, const qm_record_row *row) {
  text_record(payload, row);
  return QM_STORE_STOP;
}

static int refuse(void *payload, const qm_record_row *row) {
  text_record(payload, row);
  return QM_EDIFFER;
}

/* ---- transactions ---- */

static void a_write_needs_a_transaction(void **state) {
  (void)state;
  qm_space_row space = {1, id_of(1), SLICE("x")};
  qm_author_row author = author_row_of(0, 1);
  qm_record_row record = record_of(1, 1, "x");
  qm_creation_row creation = {{0, 0}, id_of(1)};
  qm_segment_row segment = {0, 0, 1};
  qm_log_row row = {.batch = SLICE("b"), .segments = &segment, .n_segments = 1};
  qm_open_row change = {0, SLICE("c")};
  qm_slice key = SLICE("k");
  qm_vv vv = {0};
  uint64_t seq;
  qm_id id = id_of(1);
  GIVES(QM_ESTATE, t.ops->meta_put(t.s, SLICE("a"), SLICE("b")));
  GIVES(QM_ESTATE, t.ops->space_put(t.s, &space));
  GIVES(QM_ESTATE, t.ops->space_drop(t.s, 1));
  GIVES(QM_ESTATE, t.ops->author_put(t.s, 1, &author));
  GIVES(QM_ESTATE, t.ops->record_save(t.s, 1, &record, 1));
  GIVES(QM_ESTATE, t.ops->creation_put(t.s, 1, &creation, 1));
  GIVES(QM_ESTATE, t.ops->key_put(t.s, 1, 0, &id, &key, 1));
  GIVES(QM_ESTATE, t.ops->log_append(t.s, 1, &row, &seq));
  GIVES(QM_ESTATE, t.ops->log_cut(t.s, 1, &vv, NULL));
  GIVES(QM_ESTATE, t.ops->log_replace(t.s, 1, 1, SLICE("b")));
  GIVES(QM_ESTATE, t.ops->log_repack(t.s, 1, 1, &row, 1));
  GIVES(QM_ESTATE, t.ops->open_append(t.s, 1, &change));
  GIVES(QM_ESTATE, t.ops->open_clear(t.s, 1));
  GIVES(QM_ESTATE, t.ops->stage_begin(t.s, 1, SLICE("m")));
  GIVES(QM_ESTATE, t.ops->stage_part(t.s, 1, 0, SLICE("p")));
  GIVES(QM_ESTATE, t.ops->stage_swap(t.s, 1, NULL, NULL));
  GIVES(QM_ESTATE, t.ops->stage_drop(t.s, 1));
  GIVES(QM_ESTATE, t.ops->commit(t.s, QM_DURABLE, NULL, NULL));
  t.ops->rollback(t.s); /* no effect */
  begin();
  GIVES(QM_ESTATE, t.ops->begin(t.s));
  OK(t.ops->meta_put(t.s, SLICE("a"), SLICE("b")));
  commit();
  GIVES(QM_ESTATE, t.ops->commit(t.s, QM_DURABLE, NULL, NULL));
}

typedef struct done_log {
  int calls, rc, begun;
} done_log;

static void done(void *payload, int rc) {
  done_log *d = payload;
  d->calls++;
  d->rc = rc;
  if (d->begun < 0) d->begun = t.ops->begin(t.s);
}

static void commit_calls_done_once(void **state) {
  (void)state;
  done_log d = {0, 1, 0};
  begin();
  OK(t.ops->meta_put(t.s, SLICE("a"), SLICE("1")));
  OK(t.ops->commit(t.s, QM_DURABLE, done, &d));
  assert_int_equal(d.calls, 1);
  assert_int_equal(d.rc, QM_OK);
  d.rc = 1;
  OK(t.ops->commit(t.s, QM_RELAXED, done, &d)); /* none open: done hears of it */
  assert_int_equal(d.calls, 2);
  assert_int_equal(d.rc, QM_ESTATE);
  begin();
  OK(t.ops->meta_put(t.s, SLICE("a"), SLICE("2")));
  d.begun = -1; /* done begins the next one */
  OK(t.ops->commit(t.s, QM_RELAXED, done, &d));
  assert_int_equal(d.calls, 3);
  assert_int_equal(d.rc, QM_OK);
  assert_int_equal(d.begun, QM_OK);
  OK(t.ops->meta_put(t.s, SLICE("b"), SLICE("3")));
  OK(t.ops->commit(t.s, QM_RELAXED, NULL, NULL));
  OK(t.ops->barrier(t.s));
  OK(t.ops->barrier(t.s)); /* with nothing new */
  OK(t.ops->meta_scan(t.s, SLICE(""), text_meta, &out));
  expect("a=2;b=3;");
}

/* One row of every kind in space 1, and nothing else. */
static void fill(const char *word) {
  qm_space_row space = {1, id_of(9), slice_of(word)};
  qm_author_row author = author_row_of(1, (uint8_t)word[0]);
  qm_record_row record = record_of(5, 2, word);
  qm_creation_row creation = {{3, 1}, id_of((uint8_t)word[0])};
  uint64_t seq;
  qm_vv none = {0};
  int first = t.ops->log_after(t.s, 1, &none, 0, text_log, &out) == QM_ENOTFOUND;
  text_clear(&out);
  qm_segment_row segment = {1, first ? 0 : 5, first ? 5 : 9};
  qm_log_row row = {.batch = slice_of(word), .segments = &segment, .n_segments = 1};
  qm_open_row change = {7, slice_of(word)};
  qm_slice key = SLICE("k1");
  qm_id id = id_of((uint8_t)word[0]);
  OK(t.ops->meta_put(t.s, SLICE("word"), slice_of(word)));
  OK(t.ops->space_put(t.s, &space));
  OK(t.ops->author_put(t.s, 1, &author));
  OK(t.ops->record_save(t.s, 1, &record, 1));
  OK(t.ops->creation_put(t.s, 1, &creation, 1));
  OK(t.ops->key_put(t.s, 1, 2, &id, &key, 1));
  OK(t.ops->log_append(t.s, 1, &row, &seq));
  OK(t.ops->open_append(t.s, 1, &change));
  OK(t.ops->aside_put(t.s, 1, SLICE("e"), slice_of(word)));
  OK(t.ops->local_put(t.s, 1, SLICE("l"), slice_of(word)));
  OK(t.ops->stage_begin(t.s, 1, slice_of(word)));
  OK(t.ops->stage_part(t.s, 1, 0, slice_of(word)));
}

static void rollback_takes_everything_back(void **state) {
  (void)state;
  static text before, inside, after;
  begin();
  fill("first");
  commit();
  text_dump(&before, &t, 1);
  begin();
  fill("second");
  text_dump(&inside, &t, 1);
  assert_string_not_equal(before.b, inside.b); /* reads see the transaction's writes */
  t.ops->rollback(t.s);
  text_dump(&after, &t, 1);
  assert_string_equal(before.b, after.b);
  begin();
  OK(t.ops->space_drop(t.s, 1));
  OK(t.ops->meta_put(t.s, SLICE("word"), SLICE("")));
  text_dump(&inside, &t, 1);
  assert_null(strstr(inside.b, "first"));
  t.ops->rollback(t.s);
  text_dump(&after, &t, 1);
  assert_string_equal(before.b, after.b);
}

static int hook_calls;

static int hook(void *payload, uint32_t space, const qm_record_row *row) {
  hook_calls++;
  if (space == 8) return QM_EINVAL;
  text_add(payload, "%u/", space);
  return text_record(payload, row);
}

static void a_failed_write_leaves_only_rollback(void **state) {
  (void)state;
  done_log d = {0, 1, 0};
  qm_record_row record = record_of(1, 1, "x");
  uint64_t count;
  begin();
  OK(t.ops->meta_put(t.s, SLICE("kept"), SLICE("1")));
  commit();
  t.ops->hook(t.s, hook, &out);
  begin();
  OK(t.ops->record_save(t.s, 1, &record, 1));
  GIVES(QM_EINVAL, t.ops->record_save(t.s, 8, &record, 1)); /* the hook's own code */
  GIVES(QM_ESTATE, t.ops->meta_put(t.s, SLICE("a"), SLICE("b")));
  GIVES(QM_ESTATE, t.ops->record_count(t.s, 1, 0, &count));
  OK(t.ops->commit(t.s, QM_DURABLE, done, &d));
  assert_int_equal(d.calls, 1);
  assert_int_equal(d.rc, QM_ESTATE);
  t.ops->hook(t.s, NULL, NULL);
  begin(); /* the commit has rolled back */
  OK(t.ops->record_count(t.s, 1, 0, &count));
  assert_int_equal(count, 0);
  t.ops->rollback(t.s);
  text_clear(&out);
  OK(t.ops->meta_scan(t.s, SLICE(""), text_meta, &out));
  expect("kept=1;");
}

static void a_refusal_leaves_the_transaction(void **state) {
  (void)state;
  qm_log_row empty = {.batch = SLICE("b"), .segments = NULL, .n_segments = 0};
  qm_space_row zero = {0, id_of(1), SLICE("")};
  uint64_t seq;
  begin();
  GIVES(QM_EINVAL, t.ops->log_append(t.s, 1, &empty, &seq));
  GIVES(QM_EINVAL, t.ops->space_put(t.s, &zero));
  GIVES(QM_ENOTFOUND, t.ops->log_replace(t.s, 1, 1, SLICE("b")));
  GIVES(QM_ENOTFOUND, t.ops->stage_part(t.s, 1, 0, SLICE("b")));
  GIVES(QM_ENOTFOUND, t.ops->stage_swap(t.s, 1, NULL, NULL));
  OK(t.ops->meta_put(t.s, SLICE("a"), SLICE("b")));
  commit();
  OK(t.ops->meta_scan(t.s, SLICE(""), text_meta, &out));
  expect("a=b;");
}

static void the_hook_sees_every_save(void **state) {
  (void)state;
  qm_record_row rows[] = {record_of(1, 1, "a"), record_of(2, 3, "b"), record_of(1, 1, "")};
  t.ops->hook(t.s, hook, &out);
  hook_calls = 0;
  begin();
  OK(t.ops->record_save(t.s, 4, rows, COUNT(rows)));
  assert_int_equal(hook_calls, 3);
  expect("4/1:1:03:a;4/2:3:06:b;4/1:1:02:;");
  t.ops->hook(t.s, NULL, NULL);
  OK(t.ops->record_save(t.s, 4, rows, COUNT(rows)));
  assert_int_equal(hook_calls, 3);
  commit();
}

/* ---- meta, spaces, authors ---- */

static int stop_meta(void *payload, qm_slice key, qm_slice value) {
  text_meta(payload, key, value);
  return QM_STORE_STOP;
}

static void meta_is_a_map(void **state) {
  (void)state;
  qm_buf b;
  begin();
  OK(t.ops->meta_put(t.s, SLICE("a"), SLICE("1")));
  OK(t.ops->meta_put(t.s, SLICE("ab"), SLICE("2")));
  OK(t.ops->meta_put(t.s, SLICE("b"), SLICE("3")));
  OK(t.ops->meta_put(t.s, SLICE("a\0x"), SLICE("4")));
  OK(t.ops->meta_put(t.s, SLICE("\xff\xff"), SLICE("5")));
  OK(t.ops->meta_put(t.s, SLICE("b"), SLICE("33")));
  OK(t.ops->meta_put(t.s, SLICE("gone"), SLICE("6")));
  OK(t.ops->meta_put(t.s, SLICE("gone"), SLICE("")));
  OK(t.ops->meta_put(t.s, SLICE("never"), SLICE("")));
  commit();
  qm_buf_init(&b, &t.env, 6);
  qm_buf_add(&b, ">", 1);
  OK(t.ops->meta_get(t.s, SLICE("b"), &b)); /* appends */
  assert_int_equal(b.n, 3);
  assert_memory_equal(b.p, ">33", 3);
  GIVES(QM_ENOTFOUND, t.ops->meta_get(t.s, SLICE("gone"), &b));
  GIVES(QM_ENOTFOUND, t.ops->meta_get(t.s, SLICE("a\0"), &b));
  begin();
  OK(t.ops->meta_put(t.s, SLICE("long"), SLICE("1234567")));
  GIVES(QM_ELIMIT, t.ops->meta_get(t.s, SLICE("long"), &b));
  t.ops->rollback(t.s);
  qm_buf_free(&b);
  OK(t.ops->meta_scan(t.s, SLICE("b"), text_meta, &out));
  expect("b=33;");
  OK(t.ops->meta_scan(t.s, SLICE("\xff"), text_meta, &out));
  expect("\xff\xff=5;");
  OK(t.ops->meta_scan(t.s, SLICE("c"), text_meta, &out));
  expect("");
  OK(t.ops->meta_scan(t.s, SLICE("a"), stop_meta, &out));
  expect("a=1;");
  OK(t.ops->meta_scan(t.s, SLICE("ab"), text_meta, &out));
  expect("ab=2;");
}

static void spaces_stand_by_number(void **state) {
  (void)state;
  qm_space_row rows[] = {{3, id_of(30), SLICE("c")},
                         {1, id_of(10), SLICE("")},
                         {256, id_of(7), SLICE("d")},
                         {3, id_of(31), SLICE("cc")}};
  begin();
  for (size_t i = 0; i < COUNT(rows); i++) OK(t.ops->space_put(t.s, &rows[i]));
  commit();
  OK(t.ops->space_list(t.s, text_space, &out));
  expect("1:10:;3:31:cc;256:7:d;");
  begin();
  OK(t.ops->space_drop(t.s, 3));
  OK(t.ops->space_drop(t.s, 77));
  commit();
  OK(t.ops->space_list(t.s, text_space, &out));
  expect("1:10:;256:7:d;");
}

static void a_dropped_space_is_empty(void **state) {
  (void)state;
  static text dump;
  begin();
  fill("word");
  OK(t.ops->meta_put(t.s, SLICE("word"), SLICE("")));
  OK(t.ops->space_drop(t.s, 1));
  commit();
  text_dump(&dump, &t, 1);
  assert_null(strstr(dump.b, "word"));
  begin(); /* and begins anew, also its log */
  fill("again");
  commit();
  qm_vv none = {0};
  OK(t.ops->log_after(t.s, 1, &none, 0, text_log, &out));
  expect("1[1:0-5]again;");
}

static void authors_keep_every_bit(void **state) {
  (void)state;
  qm_author_row low = author_row_of(2, 10), high = author_row_of(0, UINT64_MAX);
  high.time = UINT64_MAX;
  high.closed = INT64_MAX;
  high.clock = SLICE("");
  begin();
  OK(t.ops->author_put(t.s, 1, &low));
  OK(t.ops->author_put(t.s, 1, &high));
  low.next = 11;
  OK(t.ops->author_put(t.s, 1, &low));
  OK(t.ops->author_put(t.s, 2, &low));
  commit();
  OK(t.ops->author_list(t.s, 1, text_author, &out));
  expect(
      "0:00:18446744073709551615:9223372036854775807:ff:18446744073709551615:;"
      "2:02:11:5:0a:30:clock;");
  OK(t.ops->author_list(t.s, 3, text_author, &out));
  expect("");
}

/* ---- records ---- */

static void records_are_loaded_by_id(void **state) {
  (void)state;
  qm_record_row rows[] = {record_of(1, 1, "one"), record_of(2, 0, "two"), record_of(3, 2, "three")};
  qm_id ids[] = {id_of(3), id_of(9), id_of(1), id_of(3)};
  begin();
  OK(t.ops->record_save(t.s, 1, rows, COUNT(rows)));
  OK(t.ops->record_save(t.s, 2, rows, 1));
  OK(t.ops->record_save(t.s, 1, NULL, 0));
  commit();
  OK(t.ops->record_load(t.s, 1, ids, 2, text_record, &out));
  expect("3:2:0a:three;");
  OK(t.ops->record_load(t.s, 1, ids, 4, stop, &out)); /* stops, also across ids */
  expect("3:2:0a:three;");
  GIVES(QM_EDIFFER, t.ops->record_load(t.s, 1, ids, 4, refuse, &out));
  expect("3:2:0a:three;");
  OK(t.ops->record_load(t.s, 2, ids, 4, text_record, &out));
  expect("1:1:05:one;");
  OK(t.ops->record_load(t.s, 1, NULL, 0, text_record, &out));
  expect("");
}

static void records_are_scanned_in_order(void **state) {
  (void)state;
  begin();
  for (uint32_t i = 0; i < 20; i++) {
    qm_record_row row = record_of(i * 7 % 20, i * 7 % 20 % 3, "s");
    OK(t.ops->record_save(t.s, 1, &row, 1));
    OK(t.ops->record_save(t.s, 2, &row, i == 0));
  }
  commit();
  qm_id after = id_of(15);
  OK(t.ops->record_scan(t.s, 1, 0, &after, 3, text_record, &out));
  expect("16:1:12:s;17:2:14:s;18:0:13:s;");
  OK(t.ops->record_scan(t.s, 1, 0, &after, 99, stop, &out));
  expect("16:1:12:s;");
  OK(t.ops->record_scan(t.s, 1, 1, &after, 99, text_record, &out));
  expect("16:1:12:s;19:1:15:s;");
  OK(t.ops->record_scan(t.s, 1, 2, NULL, 2, text_record, &out));
  expect("2:2:05:s;5:2:08:s;");
  after = id_of(19);
  OK(t.ops->record_scan(t.s, 1, 0, &after, 99, text_record, &out));
  OK(t.ops->record_scan(t.s, 1, 0, NULL, 0, text_record, &out));
  OK(t.ops->record_scan(t.s, 1, 4, NULL, 99, text_record, &out));
  OK(t.ops->record_scan(t.s, 3, 0, NULL, 99, text_record, &out));
  expect("");
  GIVES(QM_EDIFFER, t.ops->record_scan(t.s, 1, 0, NULL, 99, refuse, &out));
  expect("0:0:01:s;");
}

static void a_record_moves_and_goes(void **state) {
  (void)state;
  uint64_t count;
  qm_record_row row = record_of(1, 0, "early"), other = record_of(2, 5, "other");
  begin();
  OK(t.ops->record_save(t.s, 1, &row, 1));
  OK(t.ops->record_save(t.s, 1, &other, 1));
  row = record_of(1, 5, "known");
  OK(t.ops->record_save(t.s, 1, &row, 1));
  commit();
  OK(t.ops->record_count(t.s, 1, 5, &count));
  assert_int_equal(count, 2);
  OK(t.ops->record_scan(t.s, 1, 5, NULL, 9, text_record, &out));
  expect("1:5:0b:known;2:5:0c:other;");
  row.state = SLICE("");
  begin();
  OK(t.ops->record_save(t.s, 1, &row, 1));
  OK(t.ops->record_save(t.s, 1, &row, 1)); /* it is gone already */
  commit();
  OK(t.ops->record_count(t.s, 1, 0, &count));
  assert_int_equal(count, 1);
  OK(t.ops->record_scan(t.s, 1, 5, NULL, 9, text_record, &out));
  expect("2:5:0c:other;");
}

static uint8_t large[3 << 20];

static int is_large(void *payload, const qm_record_row *row) {
  assert_int_equal(row->state.n, *(size_t *)payload);
  assert_memory_equal(row->state.p, large, row->state.n);
  *(size_t *)payload = 0;
  return QM_OK;
}

static int is_large_batch(void *payload, const qm_log_row *row) {
  assert_int_equal(row->batch.n, *(size_t *)payload);
  assert_memory_equal(row->batch.p, large, row->batch.n);
  *(size_t *)payload = 0;
  return QM_OK;
}

static void large_values_come_back(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 900, 1100, 4096, 70000, sizeof large};
  uint64_t seed = 1, seq;
  for (size_t i = 0; i < sizeof large; i++) large[i] = (uint8_t)draw(&seed, 256);
  for (size_t i = 0; i < COUNT(sizes); i++) {
    qm_record_row row = record_of(1, 1, "");
    qm_segment_row segment = {0, i, i + 1};
    qm_log_row log = {.batch = qm_slice_of(large, sizes[i]), .segments = &segment, .n_segments = 1};
    qm_vv none = {0};
    row.state = qm_slice_of(large, sizes[i]);
    begin();
    OK(t.ops->record_save(t.s, 1, &row, 1));
    OK(t.ops->log_append(t.s, 1, &log, &seq));
    commit();
    size_t wanted = sizes[i];
    OK(t.ops->record_load(t.s, 1, &row.id, 1, is_large, &wanted));
    assert_int_equal(wanted, 0);
    wanted = sizes[i];
    OK(t.ops->log_after(t.s, 1, &none, seq - 1, is_large_batch, &wanted));
    assert_int_equal(wanted, 0);
  }
}

static void many_spaces_stay_apart(void **state) {
  (void)state;
  char word[16];
  begin();
  for (uint32_t i = 1; i <= 300; i++) {
    snprintf(word, sizeof word, "w%u", i);
    qm_record_row row = record_of(1, 1, word);
    qm_space_row space = {i, id_of(i), slice_of(word)};
    OK(t.ops->space_put(t.s, &space));
    OK(t.ops->record_save(t.s, i, &row, 1));
  }
  OK(t.ops->space_drop(t.s, 150));
  commit();
  uint64_t count, total = 0;
  for (uint32_t i = 0; i <= 301; i++) {
    OK(t.ops->record_count(t.s, i, 0, &count));
    total += count;
  }
  assert_int_equal(total, 299);
  OK(t.ops->record_scan(t.s, 257, 1, NULL, 9, text_record, &out));
  expect("1:1:06:w257;");
}

/* ---- creation dots, keys ---- */

static void creation_dots_find_records(void **state) {
  (void)state;
  qm_creation_row rows[] = {{{0, 0}, id_of(1)}, {{UINT64_MAX, 3}, id_of(2)}, {{5, 3}, id_of(3)}};
  qm_dot dots[] = {{5, 3}, {5, 0}, {UINT64_MAX, 3}, {0, 0}, {6, 3}};
  static const uint8_t known[] = {1, 0, 1, 1, 0};
  qm_id ids[COUNT(dots)];
  uint8_t found[COUNT(dots)];
  begin();
  OK(t.ops->creation_put(t.s, 1, rows, COUNT(rows)));
  rows[0].record = id_of(4); /* put again: the last one stands */
  OK(t.ops->creation_put(t.s, 1, rows, 1));
  commit();
  OK(t.ops->creation_find(t.s, 1, dots, COUNT(dots), ids, found));
  assert_memory_equal(found, known, sizeof found);
  text_id(&out, &ids[0]);
  text_id(&out, &ids[2]);
  text_id(&out, &ids[3]);
  expect("3;2;4;");
  OK(t.ops->creation_find(t.s, 2, dots, COUNT(dots), ids, found));
  for (size_t i = 0; i < COUNT(dots); i++) assert_int_equal(found[i], 0);
}

static int stop_id(void *payload, const qm_id *id) {
  text_id(payload, id);
  return QM_STORE_STOP;
}

static void keys_are_replaced_per_record(void **state) {
  (void)state;
  qm_slice ab[] = {SLICE("a"), SLICE("ab"), SLICE("")}, b[] = {SLICE("ab"), SLICE("ab")};
  qm_id one = id_of(1), two = id_of(2);
  begin();
  OK(t.ops->key_put(t.s, 1, 0, &two, ab, 3));
  OK(t.ops->key_put(t.s, 1, 0, &one, b, 2)); /* the same twice is once */
  OK(t.ops->key_put(t.s, 1, 1, &one, ab, 1));
  OK(t.ops->key_put(t.s, 2, 0, &one, ab, 1));
  commit();
  OK(t.ops->key_find(t.s, 1, 0, SLICE("ab"), text_id, &out));
  expect("1;2;");
  OK(t.ops->key_find(t.s, 1, 0, SLICE("ab"), stop_id, &out));
  expect("1;");
  OK(t.ops->key_find(t.s, 1, 0, SLICE("a"), text_id, &out)); /* whole keys only */
  expect("2;");
  OK(t.ops->key_find(t.s, 1, 0, SLICE(""), text_id, &out));
  expect("2;");
  begin();
  OK(t.ops->key_put(t.s, 1, 0, &two, b, 1));
  OK(t.ops->key_put(t.s, 1, 0, &one, NULL, 0));
  commit();
  OK(t.ops->key_find(t.s, 1, 0, SLICE("a"), text_id, &out));
  expect("");
  OK(t.ops->key_find(t.s, 1, 0, SLICE("ab"), text_id, &out));
  expect("2;");
  OK(t.ops->key_find(t.s, 1, 1, SLICE("a"), text_id, &out)); /* another index stays */
  expect("1;");
}

/* ---- visitors that use the store ---- */

static int look_around(void *payload, const qm_record_row *row) {
  qm_id id = row->id;
  qm_slice key = SLICE("seen");
  QM_TRY(t.ops->key_put(t.s, 1, 0, &id, &key, 1));
  QM_TRY(t.ops->record_load(t.s, 1, &id, 1, text_record, payload));
  return t.ops->record_scan(t.s, 1, 0, &id, 1, text_record, payload);
}

static void a_visitor_may_use_the_store(void **state) {
  (void)state;
  qm_record_row rows[] = {record_of(1, 1, "a"), record_of(2, 1, "b")};
  begin();
  OK(t.ops->record_save(t.s, 1, rows, 2));
  OK(t.ops->record_scan(t.s, 1, 0, NULL, 9, look_around, &out));
  expect("1:1:03:a;2:1:04:b;2:1:04:b;");
  OK(t.ops->key_find(t.s, 1, 0, SLICE("seen"), text_id, &out));
  expect("1;2;");
  commit();
}

/* ---- stage ---- */

static void expect_part(uint32_t space, uint32_t part, const char *content) {
  qm_buf b;
  qm_buf_init(&b, &t.env, 1000);
  GIVES(content ? QM_OK : QM_ENOTFOUND, t.ops->stage_read(t.s, space, part, &b));
  assert_int_equal(b.n, content ? strlen(content) : 0);
  if (content) assert_memory_equal(b.p, content, b.n);
  qm_buf_free(&b);
}

static void expect_stage(uint32_t part, const char *manifest) {
  qm_buf b;
  uint32_t next = 99;
  qm_buf_init(&b, &t.env, 64);
  OK(t.ops->stage_parts(t.s, 1, &next, &b));
  assert_int_equal(next, part);
  assert_int_equal(b.n, strlen(manifest));
  if (b.n) assert_memory_equal(b.p, manifest, b.n);
  qm_buf_free(&b);
}

static void no_stage(void) {
  qm_buf b;
  uint32_t next;
  qm_buf_init(&b, &t.env, 64);
  GIVES(QM_ENOTFOUND, t.ops->stage_parts(t.s, 1, &next, &b));
  qm_buf_free(&b);
}

static void a_stage_resumes(void **state) {
  (void)state;
  no_stage();
  begin();
  OK(t.ops->stage_begin(t.s, 1, SLICE("m1")));
  OK(t.ops->stage_part(t.s, 1, 0, SLICE("p0")));
  OK(t.ops->stage_part(t.s, 1, 2, SLICE("p2")));
  commit();
  expect_stage(1, "m1");
  begin();
  OK(t.ops->stage_begin(t.s, 1, SLICE("m1"))); /* the same goes on */
  OK(t.ops->stage_part(t.s, 1, 1, SLICE("p1")));
  OK(t.ops->stage_part(t.s, 1, 1, SLICE("other")));
  commit();
  expect_stage(3, "m1");
  begin();
  OK(t.ops->stage_begin(t.s, 1, SLICE("m2"))); /* another begins anew */
  commit();
  expect_stage(0, "m2");
  begin();
  OK(t.ops->stage_part(t.s, 1, 7, SLICE("p7")));
  expect_part(1, 7, "p7"); /* whatever is missing before it */
  expect_part(1, 0, NULL);
  expect_part(2, 7, NULL);
  OK(t.ops->stage_begin(t.s, 1 | QM_STAGE_OUT, SLICE("out")));
  OK(t.ops->stage_part(t.s, 1 | QM_STAGE_OUT, 7, SLICE("o7")));
  expect_part(1, 7, "p7");
  OK(t.ops->stage_drop(t.s, 1));
  OK(t.ops->stage_drop(t.s, 2));
  expect_part(1, 7, NULL);
  expect_part(1 | QM_STAGE_OUT, 7, "o7");
  OK(t.ops->stage_drop(t.s, 1 | QM_STAGE_OUT));
  commit();
  no_stage();
  begin();
  OK(t.ops->stage_begin(t.s, 1, SLICE("")));
  commit();
  expect_stage(0, "");
}

/* Part "x" fails; any other becomes a record of that state. */
static int take_part(void *payload, uint32_t part, qm_slice content) {
  text_add(payload, "%u,", part);
  if (content.p[0] == 'x') return QM_EFORMAT;
  qm_record_row row = record_of(part + 50, 1, "");
  row.state = content;
  return t.ops->record_save(t.s, 1, &row, 1);
}

static void stage_three(const char *last) {
  begin();
  OK(t.ops->stage_begin(t.s, 1, SLICE("m")));
  OK(t.ops->stage_part(t.s, 1, 2, slice_of(last)));
  OK(t.ops->stage_part(t.s, 1, 0, SLICE("p0")));
  OK(t.ops->stage_part(t.s, 1, 1, SLICE("p1")));
  commit();
}

static void a_stage_replaces_the_space(void **state) {
  (void)state;
  static text dump;
  begin();
  fill("old");
  commit();
  stage_three("p2");
  begin();
  OK(t.ops->stage_swap(t.s, 1, take_part, &out));
  commit();
  expect("0,1,2,");
  text_dump(&dump, &t, 1);
  assert_non_null(strstr(dump.b, "records 50:1:33:p0;51:1:34:p1;52:1:35:p2;count 3\n"));
  assert_non_null(strstr(dump.b, "authors \n"));
  assert_non_null(strstr(dump.b, "creations \n"));
  assert_non_null(strstr(dump.b, "2k1 2k2 "));
  assert_non_null(strstr(dump.b, "log 1[1:0-5]old;\n")); /* log and open run stay */
  assert_non_null(strstr(dump.b, "open 7:old;\n"));
  no_stage();
}

static void a_stage_that_fails_changes_nothing(void **state) {
  (void)state;
  static text before, after;
  begin();
  fill("old");
  commit();
  stage_three("x");
  text_dump(&before, &t, 1);
  begin();
  GIVES(QM_EFORMAT, t.ops->stage_swap(t.s, 1, take_part, &out));
  expect("0,1,2,");
  GIVES(QM_ESTATE, t.ops->commit(t.s, QM_DURABLE, NULL, NULL));
  text_dump(&after, &t, 1);
  assert_string_equal(before.b, after.b);
}

static void check_finds_nothing(void **state) {
  (void)state;
  qm_error e = {0};
  begin();
  fill("word");
  commit();
  OK(t.ops->check(t.s, &e));
  OK(t.ops->check(t.s, NULL));
}

static void close_rolls_back(void **state) {
  (void)state;
  begin();
  fill("word"); /* teardown closes with the transaction open */
}

/* ---- the suite ---- */

static const struct CMUnitTest suite[] = {
    cmocka_unit_test(a_write_needs_a_transaction), cmocka_unit_test(commit_calls_done_once),
    cmocka_unit_test(rollback_takes_everything_back),
    cmocka_unit_test(a_failed_write_leaves_only_rollback),
    cmocka_unit_test(a_refusal_leaves_the_transaction),
    cmocka_unit_test(the_hook_sees_every_save), cmocka_unit_test(meta_is_a_map),
    cmocka_unit_test(spaces_stand_by_number), cmocka_unit_test(a_dropped_space_is_empty),
    cmocka_unit_test(authors_keep_every_bit), cmocka_unit_test(records_are_loaded_by_id),
    cmocka_unit_test(records_are_scanned_in_order),
    cmocka_unit_test(a_record_moves_and_goes),
    cmocka_unit_test(large_values_come_back),
    cmocka_unit_test(many_spaces_stay_apart),
    cmocka_unit_test(creation_dots_find_records),
    cmocka_unit_test(keys_are_replaced_per_record),
    cmocka_unit_test(a_visitor_may_use_the_store),
    cmocka_unit_test(a_stage_resumes),
    cmocka_unit_test(a_stage_replaces_the_space),
    cmocka_unit_test(a_stage_that_fails_changes_nothing),
    cmocka_unit_test(check_finds_nothing),
    cmocka_unit_test(close_rolls_back),
};

/* On each kind of store. */
static int run(const char *name, store_kind kind) {
  return test_store_run(name, kind, &t, &out, suite, COUNT(suite));
}

int main(void) {
  int failed = run("store: memory", STORE_MEM);
  failed += run("store: sqlite", STORE_SQLITE);
  failed += run("store: sqlite, relaxed", STORE_SQLITE_RELAXED);
  return failed;
}
