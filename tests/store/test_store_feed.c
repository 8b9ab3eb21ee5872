/* The conformance suite of the feed: the same tests on every store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/store/support_store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK(call) assert_int_equal(call, QM_OK)
#define GIVES(code, call) assert_int_equal(call, code)

static test_store t;
static text out;

static void expect(const char *wanted) {
  assert_string_equal(out.b, wanted);
  text_clear(&out);
}

static void begin(void) { OK(t.ops->begin(t.s)); }
static void commit(void) { OK(t.ops->commit(t.s, QM_DURABLE, NULL, NULL)); }

static qm_feed_row row_of(uint64_t seq, uint32_t space, uint32_t record, const char *fields) {
  return (qm_feed_row){seq, space, id_of(record), slice_of(fields)};
}

static void put(uint64_t seq, uint32_t space, uint32_t record, const char *fields) {
  qm_feed_row row = row_of(seq, space, record, fields);
  OK(t.ops->feed_put(t.s, &row, 1));
}

static uint64_t last(void) {
  uint64_t seq = 77;
  OK(t.ops->feed_last(t.s, &seq));
  return seq;
}

static void after(uint64_t seq, size_t limit) {
  OK(t.ops->feed_after(t.s, seq, limit, text_feed, &out));
}

static void a_record_stands_once_at_its_last_change(void **state) {
  (void)state;
  assert_int_equal(last(), 0);
  after(0, 10);
  expect("");
  begin();
  put(1, 1, 5, "a");
  put(2, 1, 6, "b");
  put(3, 2, 5, "c");
  commit();
  after(0, 10);
  expect("1:1:5:a;2:1:6:b;3:2:5:c;");
  begin();
  put(9, 1, 5, "d");
  after(0, 10); /* a transaction sees its own */
  expect("2:1:6:b;3:2:5:c;9:1:5:d;");
  commit();
  assert_int_equal(last(), 9);
  after(2, 10);
  expect("3:2:5:c;9:1:5:d;");
  after(2, 1);
  expect("3:2:5:c;");
  after(2, 0);
  after(9, 10);
  after(UINT64_MAX, 10);
  expect("");
}

static void rows_are_loaded_by_record(void **state) {
  (void)state;
  qm_id ids[] = {id_of(6), id_of(7), id_of(5)};
  begin();
  put(1, 1, 5, "a");
  put(2, 1, 6, "");
  put(3, 2, 7, "c");
  OK(t.ops->feed_load(t.s, 1, ids, COUNT(ids), text_feed, &out));
  expect("2:1:6:;1:1:5:a;");
  OK(t.ops->feed_load(t.s, 3, ids, COUNT(ids), text_feed, &out));
  OK(t.ops->feed_load(t.s, 1, NULL, 0, text_feed, &out));
  expect("");
  commit();
}

static int stop(void *payload, const qm_feed_row *row) {
  text_feed(payload, row);
  return QM_STORE_STOP;
}

static int refuse(void *payload, const qm_feed_row *row) {
  text_feed(payload, row);
  return QM_EDIFFER;
}

static void a_visitor_stops(void **state) {
  (void)state;
  qm_id ids[] = {id_of(5), id_of(6)};
  begin();
  put(1, 1, 5, "a");
  put(2, 1, 6, "b");
  commit();
  OK(t.ops->feed_after(t.s, 0, 10, stop, &out));
  GIVES(QM_EDIFFER, t.ops->feed_after(t.s, 0, 10, refuse, &out));
  OK(t.ops->feed_load(t.s, 1, ids, 2, stop, &out));
  GIVES(QM_EDIFFER, t.ops->feed_load(t.s, 1, ids, 2, refuse, &out));
  expect("1:1:5:a;1:1:5:a;1:1:5:a;1:1:5:a;");
}

static void seqs_only_rise(void **state) {
  (void)state;
  qm_feed_row fall[] = {row_of(8, 1, 1, "x"), row_of(8, 1, 2, "y")};
  qm_feed_row far_off = row_of(UINT64_MAX, 1, 1, "x");
  begin();
  put(5, 1, 5, "a");
  GIVES(QM_EINVAL, t.ops->feed_put(t.s, fall, 2));
  GIVES(QM_EINVAL, t.ops->feed_put(t.s, &far_off, 1));
  fall[0].seq = 5;
  GIVES(QM_EINVAL, t.ops->feed_put(t.s, fall, 1));
  fall[0].seq = 0;
  GIVES(QM_EINVAL, t.ops->feed_put(t.s, fall, 1));
  put(6, 1, 5, "b"); /* a refusal leaves the transaction */
  commit();
  after(0, 10);
  expect("6:1:5:b;");
}

static void a_write_needs_a_transaction(void **state) {
  (void)state;
  qm_feed_row row = row_of(1, 1, 1, "x");
  GIVES(QM_ESTATE, t.ops->feed_put(t.s, &row, 1));
  begin();
  put(1, 1, 5, "a");
  t.ops->rollback(t.s);
  assert_int_equal(last(), 0);
  after(0, 10);
  expect("");
  begin();
  put(1, 1, 5, "b");
  commit();
  after(0, 10);
  expect("1:1:5:b;");
}

/* Seqs are never given again, or a cursor would pass over what comes. */
static void a_dropped_space_leaves_one_row(void **state) {
  (void)state;
  begin();
  put(1, 1, 5, "a");
  put(2, 2, 5, "b");
  put(3, 1, 6, "c");
  commit();
  begin();
  OK(t.ops->space_drop(t.s, 1));
  commit();
  after(0, 10);
  expect("2:2:5:b;4:1:0:;");
  begin();
  OK(t.ops->space_drop(t.s, 2));
  OK(t.ops->space_drop(t.s, 1));
  commit();
  after(0, 10);
  expect("5:2:0:;6:1:0:;");
}

static void a_view_has_no_effect_of_its_own(void **state) {
  (void)state;
  begin();
  put(1, 1, 5, "a");
  commit();
  OK(t.ops->view_begin(t.s));
  OK(t.ops->view_begin(t.s));
  after(0, 10);
  t.ops->view_end(t.s);
  t.ops->view_end(t.s);
  expect("1:1:5:a;");
  begin();
  OK(t.ops->view_begin(t.s));
  put(2, 1, 6, "b");
  t.ops->view_end(t.s);
  commit();
  assert_int_equal(last(), 2);
}

static const struct CMUnitTest suite[] = {
    cmocka_unit_test(a_record_stands_once_at_its_last_change),
    cmocka_unit_test(rows_are_loaded_by_record),
    cmocka_unit_test(a_visitor_stops),
    cmocka_unit_test(seqs_only_rise),
    cmocka_unit_test(a_write_needs_a_transaction),
    cmocka_unit_test(a_dropped_space_leaves_one_row),
    cmocka_unit_test(a_view_has_no_effect_of_its_own),
};

/* On each kind of store. */
static int run(const char *name, store_kind kind) {
  return test_store_run(name, kind, &t, &out, suite, COUNT(suite));
}

int main(void) {
  return run("feed: memory", STORE_MEM) + run("feed: sqlite", STORE_SQLITE);
}
