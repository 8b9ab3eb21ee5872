/* The log of core/store.h, on every store: log_after against a naive model. */
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
static void commit(void) { OK(t.ops->commit(t.s, QM_RELAXED, NULL, NULL)); }

static int append(uint32_t space, const qm_segment_row *segments, uint32_t n, const char *batch,
                  uint64_t *seq) {
  qm_log_row row = {
      .seq = 12345, .batch = slice_of(batch), .segments = segments, .n_segments = n};
  return t.ops->log_append(t.s, space, &row, seq);
}

static void after(const uint64_t *next, uint32_t n, uint64_t seq, const char *wanted) {
  qm_vv vv = vv_of(&t.env, next, n);
  int rc = t.ops->log_after(t.s, 1, &vv, seq, text_log, &out);
  qm_free(&t.env, vv.next);
  GIVES(wanted ? QM_OK : QM_ENOTFOUND, rc);
  expect(wanted ? wanted : "");
}

static void fill(void) {
  static const qm_segment_row first[] = {{0, 0, 10}},
                              second[] = {{2, 0, 3}, {0, 10, 12}, {2, 3, 4}},
                              third[] = {{1000, 0, 1}};
  uint64_t seq;
  begin();
  OK(append(1, first, 1, "one", &seq));
  assert_int_equal(seq, 1);
  OK(append(1, second, 3, "two", &seq));
  assert_int_equal(seq, 2);
  OK(append(2, first, 1, "elsewhere", &seq));
  assert_int_equal(seq, 1);
  OK(append(1, third, 1, "three", &seq));
  assert_int_equal(seq, 3);
  commit();
}

static void what_is_set_aside_is_of_a_space(void **state) {
  (void)state;
  GIVES(QM_ESTATE, t.ops->aside_put(t.s, 1, SLICE("e1"), SLICE("a")));
  begin();
  OK(t.ops->aside_put(t.s, 1, SLICE("e2"), SLICE("b")));
  OK(t.ops->aside_put(t.s, 1, SLICE("e1"), SLICE("a")));
  OK(t.ops->aside_put(t.s, 2, SLICE("e1"), SLICE("x")));
  OK(t.ops->aside_put(t.s, 1, SLICE("c"), SLICE("copy")));
  OK(t.ops->aside_put(t.s, 1, SLICE("e2"), SLICE("bb")));
  OK(t.ops->aside_put(t.s, 1, SLICE("gone"), SLICE("z")));
  OK(t.ops->aside_put(t.s, 1, SLICE("gone"), SLICE("")));
  OK(t.ops->aside_put(t.s, 1, SLICE("never"), SLICE("")));
  commit();
  OK(t.ops->aside_scan(t.s, 1, SLICE(""), text_meta, &out));
  expect("c=copy;e1=a;e2=bb;");
  OK(t.ops->aside_scan(t.s, 1, SLICE("e"), text_meta, &out));
  expect("e1=a;e2=bb;");
  OK(t.ops->aside_scan(t.s, 2, SLICE(""), text_meta, &out));
  expect("e1=x;");
  OK(t.ops->aside_scan(t.s, 3, SLICE(""), text_meta, &out));
  expect("");
}

static void notes_for_oneself_are_of_a_space(void **state) {
  (void)state;
  GIVES(QM_ESTATE, t.ops->local_put(t.s, 1, SLICE("r1"), SLICE("a")));
  begin();
  OK(t.ops->local_put(t.s, 1, SLICE("r3"), SLICE("c")));
  OK(t.ops->local_put(t.s, 1, SLICE("r1"), SLICE("a")));
  OK(t.ops->local_put(t.s, 1, SLICE("r2"), SLICE("b")));
  OK(t.ops->local_put(t.s, 1, SLICE("i"), SLICE("x")));
  OK(t.ops->local_put(t.s, 1, SLICE("s"), SLICE("y")));
  OK(t.ops->local_put(t.s, 2, SLICE("r1"), SLICE("other")));
  OK(t.ops->local_put(t.s, 1, SLICE("r3"), SLICE("cc")));
  OK(t.ops->local_put(t.s, 1, SLICE("s"), SLICE("")));
  OK(t.ops->local_put(t.s, 1, SLICE("never"), SLICE("")));
  OK(t.ops->local_scan(t.s, 1, SLICE("r"), SLICE(""), text_meta, &out));
  expect("r1=a;r2=b;r3=cc;");
  commit();
  OK(t.ops->local_scan(t.s, 1, SLICE("r"), SLICE("r1"), text_meta, &out));
  expect("r2=b;r3=cc;");
  OK(t.ops->local_scan(t.s, 1, SLICE("r"), SLICE("i"), text_meta, &out)); /* before all of them */
  OK(t.ops->local_scan(t.s, 1, SLICE("r"), SLICE("r3"), text_meta, &out));
  OK(t.ops->local_scan(t.s, 1, SLICE("r"), SLICE("z"), text_meta, &out));
  expect("r1=a;r2=b;r3=cc;");
  begin();
  OK(t.ops->space_drop(t.s, 1));
  commit();
  OK(t.ops->local_scan(t.s, 1, SLICE(""), SLICE(""), text_meta, &out));
  OK(t.ops->local_scan(t.s, 2, SLICE(""), SLICE(""), text_meta, &out));
  expect("r1=other;");
}

static void rows_come_by_seq_and_vv(void **state) {
  (void)state;
  fill();
  static const uint64_t some[] = {10}, all[] = {12, 0, 4}, half[] = {12, 0, 3},
                        most[] = {UINT64_MAX, 0, UINT64_MAX};
  after(NULL, 0, 0, "1[0:0-10]one;");
  after(NULL, 0, 1, "2[2:0-3,0:10-12,2:3-4]two;");
  after(NULL, 0, 3, NULL);
  after(NULL, 0, UINT64_MAX, NULL);
  after(some, 1, 0, "2[2:0-3,0:10-12,2:3-4]two;");
  after(half, 3, 0, "2[2:0-3,0:10-12,2:3-4]two;"); /* one segment of three is new */
  after(all, 3, 0, "3[1000:0-1]three;");
  after(most, 3, 0, "3[1000:0-1]three;");
  after(all, 3, 3, NULL);
  qm_vv none = {0};
  GIVES(QM_ENOTFOUND, t.ops->log_after(t.s, 3, &none, 0, text_log, &out));
}

/* --- log_of --- */

static int append_on(uint32_t space, const qm_segment_row *segment, const char *batch,
                     const qm_id *records, uint32_t n, uint64_t *seq) {
  qm_log_row row = {.batch = slice_of(batch),
                    .segments = segment,
                    .n_segments = 1,
                    .records = records,
                    .n_records = n};
  return t.ops->log_append(t.s, space, &row, seq);
}

static void of(uint32_t space, uint8_t record, uint64_t after_seq, const char *wanted) {
  qm_id id = {{record}};
  int rc = t.ops->log_of(t.s, space, &id, after_seq, text_log, &out);
  GIVES(wanted ? QM_OK : QM_ENOTFOUND, rc);
  expect(wanted ? wanted : "");
}

static void rows_of_a_record(void **state) {
  (void)state;
  static const qm_id both[] = {{{1}}, {{2}}}, none = {{0}};
  static const qm_segment_row s[] = {{0, 0, 5}, {0, 5, 7}, {0, 7, 8}, {0, 8, 9}};
  uint64_t seq;
  begin();
  OK(append_on(1, &s[0], "both", both, 2, &seq));
  OK(append_on(1, &s[1], "two", both + 1, 1, &seq));
  OK(append_on(1, &s[2], "untold", NULL, 0, &seq));
  OK(append_on(1, &s[3], "space", &none, 1, &seq));
  OK(append_on(2, &s[0], "elsewhere", both, 1, &seq));
  of(1, 2, 0, "1[0:0-5]both;"); /* also inside the transaction */
  commit();
  of(1, 1, 0, "1[0:0-5]both;");
  of(1, 1, 1, "3[0:7-8]untold;");
  of(1, 1, 3, NULL);
  of(1, 2, 1, "2[0:5-7]two;");
  of(1, 0, 0, "3[0:7-8]untold;"); /* the space record is one like others */
  of(1, 0, 3, "4[0:8-9]space;");
  of(1, 9, 0, "3[0:7-8]untold;"); /* it may be on any */
  of(1, 9, UINT64_MAX, NULL);
  of(2, 1, 0, "1[0:0-5]elsewhere;");
  of(2, 2, 0, NULL);
  of(3, 1, 0, NULL);
  /* What is cut is found no more; a failed transaction changes nothing. */
  static const uint64_t most[] = {8};
  qm_vv vv = vv_of(&t.env, most, 1);
  begin();
  OK(t.ops->log_cut(t.s, 1, &vv, NULL));
  t.ops->rollback(t.s);
  of(1, 1, 0, "1[0:0-5]both;");
  begin();
  OK(t.ops->log_cut(t.s, 1, &vv, NULL));
  commit();
  qm_free(&t.env, vv.next);
  of(1, 1, 0, NULL);
  of(1, 0, 0, "4[0:8-9]space;");
  of(2, 1, 0, "1[0:0-5]elsewhere;");
  begin();
  OK(t.ops->space_drop(t.s, 2));
  commit();
  of(2, 1, 0, NULL);
}

static int same_batch(void *payload, const qm_log_row *row) {
  const qm_slice *wanted = payload;
  assert_int_equal(qm_slice_cmp(row->batch, *wanted), 0);
  return QM_OK;
}

static int last_seq(void *payload, const qm_log_row *row) {
  *(uint64_t *)payload = row->seq;
  return QM_OK;
}

/* Record r is on the rows whose seq has bit r; each row is found, in order. */
static void expect_rows(uint8_t record, uint64_t from, uint64_t to) {
  qm_id id = {{record}};
  uint64_t seq = 0, wanted = from;
  for (;;) {
    while (wanted <= to && !(wanted >> record & 1)) wanted++;
    int rc = t.ops->log_of(t.s, 1, &id, seq, last_seq, &seq);
    if (wanted > to) {
      assert_int_equal(rc, QM_ENOTFOUND);
      return;
    }
    OK(rc);
    assert_int_equal(seq, wanted++);
  }
}

/* More than a store may keep apart from its index. */
static void many_rows_of_a_record(void **state) {
  (void)state;
  enum { ROWS = 2500 };
  uint64_t seq = 0;
  for (uint64_t i = 0; i < ROWS; i++) {
    qm_segment_row segment = {0, i, i + 1};
    qm_id ids[12];
    uint32_t n = 0;
    for (uint8_t r = 0; r < 12; r++)
      if ((i + 1) >> r & 1) ids[n++] = (qm_id){{r}};
    begin();
    OK(append_on(1, &segment, "x", ids, n, &seq));
    if (i % 700 == 600) expect_rows(0, 1, i + 1);
    commit();
  }
  assert_int_equal(seq, ROWS);
  for (uint8_t r = 0; r < 13; r++) expect_rows(r, 1, ROWS);
  const uint64_t most[] = {1500};
  qm_vv vv = vv_of(&t.env, most, 1);
  begin();
  OK(t.ops->log_cut(t.s, 1, &vv, NULL));
  commit();
  qm_free(&t.env, vv.next);
  for (uint8_t r = 0; r < 13; r++) expect_rows(r, 1501, ROWS);
  qm_vv all = {0};
  OK(qm_vv_set(&t.env, &all, 0, ROWS));
  begin();
  OK(t.ops->log_cut(t.s, 1, &all, NULL));
  commit();
  qm_vv_free(&t.env, &all);
  expect_rows(3, 1, 0);
  qm_segment_row segment = {0, ROWS, ROWS + 1};
  qm_id id = {{3}};
  begin();
  OK(append_on(1, &segment, "x", &id, 1, &seq));
  commit();
  assert_int_equal(seq, ROWS + 1);
}

/* Batches of any length come back as they were. */
static void batches_of_all_lengths(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 493, 494, 495, 988, 989, 5000, 300000};
  static uint8_t bytes[300000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31 >> 3);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    qm_segment_row segment = {0, i, i + 1};
    qm_log_row row = {
        .batch = qm_slice_of(bytes, sizes[i]), .segments = &segment, .n_segments = 1};
    uint64_t seq;
    begin();
    OK(t.ops->log_append(t.s, 1, &row, &seq));
    commit();
    for (size_t k = 0; k <= i; k++) {
      qm_slice wanted = qm_slice_of(bytes, sizes[k]);
      qm_vv none = {0};
      OK(t.ops->log_after(t.s, 1, &none, k, same_batch, &wanted));
    }
    begin();
    OK(t.ops->log_replace(t.s, 1, seq, qm_slice_of(bytes + 1, sizes[i] / 2)));
    qm_slice shorter = qm_slice_of(bytes + 1, sizes[i] / 2);
    qm_vv none = {0};
    OK(t.ops->log_after(t.s, 1, &none, i, same_batch, &shorter));
    t.ops->rollback(t.s);
  }
}

static int refuse(void *payload, const qm_log_row *row) {
  (void)payload;
  (void)row;
  return QM_EDIFFER;
}

static int stop(void *payload, const qm_log_row *row) {
  text_log(payload, row);
  return QM_STORE_STOP;
}

static void the_visitor_decides(void **state) {
  (void)state;
  qm_vv none = {0};
  fill();
  OK(t.ops->log_after(t.s, 1, &none, 0, stop, &out));
  expect("1[0:0-10]one;");
  GIVES(QM_EDIFFER, t.ops->log_after(t.s, 1, &none, 0, refuse, NULL));
}

static void segments_must_rise(void **state) {
  (void)state;
  static const struct {
    qm_segment_row s[2];
    uint32_t n;
  } bad[] = {
      {{{0, 0, 0}, {0, 0, 0}}, 0},                       /* none */
      {{{5, 3, 3}, {0, 0, 0}}, 1},                       /* empty */
      {{{5, 4, 3}, {0, 0, 0}}, 1},                       /* backwards */
      {{{5, 0, (uint64_t)INT64_MAX + 1}, {0, 0, 0}}, 1}, /* too far */
      {{{0, 0, 12}, {0, 0, 0}}, 1},                      /* as far as the log */
      {{{0, 0, 5}, {0, 0, 0}}, 1},                       /* behind it */
      {{{5, 0, 3}, {5, 1, 3}}, 2},                       /* not rising in the row */
  };
  static const qm_segment_row good[] = {{0, 11, 13}, {5, 0, INT64_MAX}};
  uint64_t seq = 77;
  fill();
  begin();
  for (size_t i = 0; i < COUNT(bad); i++)
    GIVES(QM_EINVAL, append(1, bad[i].s, bad[i].n, "bad", &seq));
  assert_int_equal(seq, 77);
  OK(append(1, good, 2, "good", &seq)); /* the transaction goes on */
  assert_int_equal(seq, 4);
  commit();
  static const uint64_t all[] = {12, 0, 4};
  after(all, 3, 3, "4[0:11-13,5:0-9223372036854775807]good;");
}

static void a_cut_takes_whole_rows(void **state) {
  (void)state;
  static const uint64_t below[] = {12, 0, 3}, all[] = {12, 0, 4}, wide[] = {99};
  uint64_t seq;
  fill();
  qm_vv vv = vv_of(&t.env, below, 3);
  qm_vv gone = {0};
  begin();
  OK(t.ops->log_cut(t.s, 1, &vv, &gone)); /* row 2 holds 2:3-4, not below */
  commit();
  assert_int_equal(gone.n, 1);
  assert_int_equal(gone.next[0], 10);
  qm_free(&t.env, vv.next);
  after(NULL, 0, 0, "2[2:0-3,0:10-12,2:3-4]two;");
  vv = vv_of(&t.env, all, 3);
  begin();
  OK(t.ops->log_cut(t.s, 1, &vv, &gone));
  commit();
  assert_int_equal(gone.n, 3);
  assert_int_equal(gone.next[0], 12);
  assert_int_equal(gone.next[1], 0);
  assert_int_equal(gone.next[2], 4);
  qm_vv_free(&t.env, &gone);
  after(NULL, 0, 0, "3[1000:0-1]three;");
  qm_vv everything = {0};
  everything.next = qm_alloc_array(&t.env, 1001, sizeof(uint64_t));
  assert_non_null(everything.next);
  everything.n = everything.cap = 1001;
  for (uint32_t i = 0; i <= 1000; i++) everything.next[i] = 100;
  begin();
  OK(t.ops->log_cut(t.s, 1, &everything, NULL));
  OK(t.ops->log_cut(t.s, 1, &everything, NULL));
  static const qm_segment_row again[] = {{0, 12, 13}};
  OK(append(1, again, 1, "later", &seq));
  assert_int_equal(seq, 4); /* no seq is given twice */
  commit();
  qm_free(&t.env, everything.next);
  qm_free(&t.env, vv.next);
  after(NULL, 0, 0, "4[0:12-13]later;");
  after(wide, 1, 0, NULL);
}

static int sum_sizes(void *payload, const qm_log_row *row) {
  char *to = payload;
  assert_null(row->batch.p);
  to += strlen(to);
  snprintf(to, 40, "%u:%u:%u ", (unsigned)row->seq, (unsigned)row->batch.n, row->n_segments);
  return strlen(payload) > 15 ? QM_STORE_STOP : QM_OK;
}

static int fail_sizes(void *payload, const qm_log_row *row) {
  (void)row;
  (*(int *)payload)++;
  return QM_ELIMIT;
}

static void sizes_without_batches(void **state) {
  (void)state;
  char seen[100] = "";
  int calls = 0;
  OK(t.ops->log_sizes(t.s, 1, sum_sizes, seen)); /* nothing is there */
  fill();
  OK(t.ops->log_sizes(t.s, 1, sum_sizes, seen));
  assert_string_equal(seen, "1:3:1 2:3:3 3:5:1 ");
  GIVES(QM_ELIMIT, t.ops->log_sizes(t.s, 1, fail_sizes, &calls));
  assert_int_equal(calls, 1);
  OK(t.ops->log_sizes(t.s, 9, fail_sizes, &calls));
  assert_int_equal(calls, 1);
  begin();
  OK(t.ops->log_replace(t.s, 1, 2, SLICE("erased, and longer than it was")));
  commit();
  snprintf(seen, sizeof seen, "stops ");
  OK(t.ops->log_sizes(t.s, 1, sum_sizes, seen));
  assert_string_equal(seen, "stops 1:3:1 2:30:3 ");
}

static void a_batch_is_replaced_in_place(void **state) {
  (void)state;
  static const uint64_t some[] = {10};
  fill();
  begin();
  OK(t.ops->log_replace(t.s, 1, 2, SLICE("erased, and longer than it was")));
  OK(t.ops->log_replace(t.s, 1, 1, SLICE("")));
  GIVES(QM_ENOTFOUND, t.ops->log_replace(t.s, 1, 4, SLICE("x")));
  GIVES(QM_ENOTFOUND, t.ops->log_replace(t.s, 1, UINT64_MAX, SLICE("x")));
  GIVES(QM_ENOTFOUND, t.ops->log_replace(t.s, 3, 1, SLICE("x")));
  commit();
  after(NULL, 0, 0, "1[0:0-10];");
  after(some, 1, 0, "2[2:0-3,0:10-12,2:3-4]erased, and longer than it was;");
}

/* What a fork took back leaves its row: whole segments, the end of one, or all of it. */
static void a_row_is_rewritten_in_its_place(void **state) {
  (void)state;
  static const qm_segment_row less[] = {{2, 0, 3}, {2, 3, 4}}, shorter[] = {{2, 0, 2}},
                              later[] = {{0, 10, 11}, {2, 2, 9}};
  uint64_t seq = 0;
  fill();
  begin();
  OK(t.ops->log_rewrite(t.s, 1, &(qm_log_row){2, SLICE("less"), less, 2, 0, NULL}));
  GIVES(QM_ENOTFOUND, t.ops->log_rewrite(t.s, 1, &(qm_log_row){9, SLICE("x"), less, 2, 0, NULL}));
  GIVES(QM_ENOTFOUND, t.ops->log_rewrite(t.s, 3, &(qm_log_row){2, SLICE("x"), less, 2, 0, NULL}));
  commit();
  after(NULL, 0, 1, "2[2:0-3,2:3-4]less;");
  begin();
  OK(t.ops->log_rewrite(t.s, 1, &(qm_log_row){2, SLICE("short"), shorter, 1, 0, NULL}));
  commit();
  after(NULL, 0, 1, "2[2:0-2]short;");
  begin();
  OK(t.ops->log_rewrite(t.s, 1, &(qm_log_row){.seq = 3}));
  GIVES(QM_ENOTFOUND, t.ops->log_rewrite(t.s, 1, &(qm_log_row){.seq = 3}));
  OK(append(1, later, 2, "later", &seq)); /* counters that went may come again */
  assert_int_equal(seq, 4);
  commit();
  after(NULL, 0, 2, "4[0:10-11,2:2-9]later;");
}

/* ---- open run ---- */

static void the_open_run_stands_in_order(void **state) {
  (void)state;
  qm_open_row rows[] = {
      {300, SLICE("c")}, {2, SLICE("a")}, {INT64_MAX, SLICE("")}, {2, SLICE("b")}};
  qm_open_row beyond = {(uint64_t)INT64_MAX + 1, SLICE("x")};
  begin();
  for (size_t i = 0; i < COUNT(rows); i++) OK(t.ops->open_append(t.s, 1, &rows[i]));
  GIVES(QM_EINVAL, t.ops->open_append(t.s, 1, &beyond));
  OK(t.ops->open_append(t.s, 2, &rows[0]));
  commit();
  OK(t.ops->open_list(t.s, 1, text_open, &out));
  expect("2:b;300:c;9223372036854775807:;");
  OK(t.ops->open_from(t.s, 1, 3, text_open, &out));
  expect("300:c;9223372036854775807:;");
  OK(t.ops->open_from(t.s, 1, 300, text_open, &out));
  expect("300:c;9223372036854775807:;");
  OK(t.ops->open_from(t.s, 1, UINT64_MAX, text_open, &out));
  expect("");
  begin();
  OK(t.ops->open_clear(t.s, 1));
  commit();
  OK(t.ops->open_list(t.s, 1, text_open, &out));
  expect("");
  OK(t.ops->open_list(t.s, 2, text_open, &out));
  expect("300:c;");
}

static int first_open(void *payload, const qm_open_row *row) {
  text_open(payload, row);
  return QM_STORE_STOP;
}

/* Whatever a counter is kept in. */
static void the_open_run_takes_counters_of_all_sizes(void **state) {
  (void)state;
  qm_open_row rows[] = {{0x80000000u, SLICE("d")},          {0x7ffffffeu, SLICE("b")},
                        {UINT64_C(1) << 40, SLICE("e")},    {0x7fffffffu, SLICE("c")},
                        {0, SLICE("a")},                    {0x7fffffffu, SLICE("C")}};
  begin();
  for (size_t i = 0; i < COUNT(rows); i++) OK(t.ops->open_append(t.s, 1, &rows[i]));
  OK(t.ops->open_append(t.s, 2, &rows[4]));
  commit();
  OK(t.ops->open_list(t.s, 1, text_open, &out));
  expect("0:a;2147483646:b;2147483647:C;2147483648:d;1099511627776:e;");
  OK(t.ops->open_from(t.s, 1, 0x7fffffff, text_open, &out));
  expect("2147483647:C;2147483648:d;1099511627776:e;");
  OK(t.ops->open_from(t.s, 1, 0x7ffffffe, text_open, &out));
  expect("2147483646:b;2147483647:C;2147483648:d;1099511627776:e;");
  OK(t.ops->open_list(t.s, 1, first_open, &out));
  expect("0:a;");
  begin();
  OK(t.ops->space_drop(t.s, 1));
  commit();
  OK(t.ops->open_list(t.s, 1, text_open, &out));
  expect("");
  OK(t.ops->open_list(t.s, 2, text_open, &out));
  expect("0:a;");
}

/* ---- against a model ---- */

#define AUTHORS 6
#define ROWS 60
#define SEGMENTS 4

typedef struct model {
  struct {
    qm_segment_row s[SEGMENTS];
    uint32_t n;
    int cut;
  } row[ROWS + 1]; /* by seq */
  uint32_t n;
  uint64_t next[AUTHORS];
} model;

static int model_covered(const model *m, uint32_t seq, const qm_vv *vv) {
  for (uint32_t i = 0; i < m->row[seq].n; i++)
    if (m->row[seq].s[i].next > qm_vv_get(vv, m->row[seq].s[i].author)) return 0;
  return 1;
}

static uint32_t model_after(const model *m, const qm_vv *vv, uint64_t seq) {
  for (uint32_t i = (uint32_t)seq + 1; i <= m->n; i++)
    if (!m->row[i].cut && !model_covered(m, i, vv)) return i;
  return 0;
}

static void model_append(model *m, uint64_t *seed) {
  uint32_t seq = ++m->n;
  m->row[seq].n = 1 + draw(seed, SEGMENTS);
  for (uint32_t i = 0; i < m->row[seq].n; i++) {
    uint32_t a = draw(seed, AUTHORS);
    uint64_t start = m->next[a];
    m->next[a] += 1 + draw(seed, 5);
    m->row[seq].s[i] = (qm_segment_row){a * 100, start, m->next[a]};
  }
  uint64_t given;
  OK(append(1, m->row[seq].s, m->row[seq].n, "b", &given));
  assert_int_equal(given, seq);
}

/* Around what the log holds: nothing, all, or something between, for each author. */
static void draw_vv(const model *m, uint64_t *seed, uint64_t *next) {
  memset(next, 0, sizeof(uint64_t) * AUTHORS * 100);
  for (uint32_t a = 0; a < AUTHORS; a++) {
    uint32_t how = draw(seed, 4);
    next[a * 100] = how == 0 ? 0 : how == 1 ? m->next[a] : draw(seed, (uint32_t)m->next[a] + 2);
  }
}

static int note_seq(void *payload, const qm_log_row *row) {
  *(uint64_t *)payload = row->seq;
  return QM_OK;
}

static void compare(const model *m, const qm_vv *vv) {
  for (uint64_t seq = 0; seq <= m->n; seq++) {
    uint32_t wanted = model_after(m, vv, seq);
    uint64_t found = 0;
    GIVES(wanted ? QM_OK : QM_ENOTFOUND, t.ops->log_after(t.s, 1, vv, seq, note_seq, &found));
    assert_int_equal(found, wanted);
  }
}

static void log_after_equals_the_model(void **state) {
  (void)state;
  static uint64_t next[AUTHORS * 100];
  for (uint64_t run = 1; run <= 12; run++) {
    static model m;
    uint64_t seed = run;
    memset(&m, 0, sizeof m);
    begin();
    OK(t.ops->space_drop(t.s, 1));
    while (m.n < ROWS) {
      model_append(&m, &seed);
      if (draw(&seed, 20)) continue;
      draw_vv(&m, &seed, next);
      qm_vv vv = {next, AUTHORS * 100, AUTHORS * 100};
      OK(t.ops->log_cut(t.s, 1, &vv, NULL));
      for (uint32_t i = 1; i <= m.n; i++) m.row[i].cut |= model_covered(&m, i, &vv);
    }
    commit();
    for (int i = 0; i < 12; i++) {
      draw_vv(&m, &seed, next);
      /* Short vectors stand at 0 beyond their end. */
      qm_vv vv = {next, draw(&seed, 2) ? AUTHORS * 100 : 250, AUTHORS * 100};
      compare(&m, &vv);
    }
  }
}

static const struct CMUnitTest suite[] = {
    cmocka_unit_test(what_is_set_aside_is_of_a_space),
    cmocka_unit_test(notes_for_oneself_are_of_a_space),
    cmocka_unit_test(rows_come_by_seq_and_vv),
    cmocka_unit_test(rows_of_a_record),
    cmocka_unit_test(many_rows_of_a_record),
    cmocka_unit_test(batches_of_all_lengths),
    cmocka_unit_test(the_visitor_decides),
    cmocka_unit_test(segments_must_rise),
    cmocka_unit_test(a_cut_takes_whole_rows),
    cmocka_unit_test(sizes_without_batches),
    cmocka_unit_test(a_batch_is_replaced_in_place),
    cmocka_unit_test(a_row_is_rewritten_in_its_place),
    cmocka_unit_test(the_open_run_stands_in_order),
    cmocka_unit_test(the_open_run_takes_counters_of_all_sizes),
    cmocka_unit_test(log_after_equals_the_model),
};

/* On each kind of store. */
static int run(const char *name, store_kind kind) {
  return test_store_run(name, kind, &t, &out, suite, COUNT(suite));
}

int main(void) {
  return run("log: memory", STORE_MEM) + run("log: sqlite", STORE_SQLITE);
}
