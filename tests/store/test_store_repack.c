/* log_repack of core/store.h, on every store: rows joined and parted again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static const qm_segment_row S[] = {{0, 0, 10}, {2, 0, 3}, {0, 10, 12}, {2, 3, 4}, {7, 0, 1},
                                   {0, 12, 15}};

static qm_log_row row_of(uint64_t seq, const char *batch, uint32_t from, uint32_t n,
                         const qm_id *records, uint32_t n_records) {
  return (qm_log_row){seq, slice_of(batch), S + from, n, n_records, records};
}

static const qm_id ids[] = {{{1}}, {{2}}, {{3}}};

/* 1: S0 on 1; 2: S1 S2 S3 on 1 and 2; 3: S4 on 3; 4: S5 on 2. */
static void fill(void) {
  const qm_log_row rows[] = {row_of(0, "one", 0, 1, ids, 1), row_of(0, "two", 1, 3, ids, 2),
                             row_of(0, "three", 4, 1, ids + 2, 1),
                             row_of(0, "four", 5, 1, ids + 1, 1)};
  uint64_t seq;
  begin();
  for (uint32_t i = 0; i < COUNT(rows); i++) OK(t.ops->log_append(t.s, 1, &rows[i], &seq));
  OK(t.ops->log_append(t.s, 2, &rows[0], &seq));
  commit();
}

static void after(uint64_t seq, const char *wanted) {
  qm_vv none = {0};
  int rc = t.ops->log_after(t.s, 1, &none, seq, text_log, &out);
  GIVES(wanted ? QM_OK : QM_ENOTFOUND, rc);
  expect(wanted ? wanted : "");
}

static void of(uint8_t record, uint64_t seq, const char *wanted) {
  qm_id id = {{record}};
  int rc = t.ops->log_of(t.s, 1, &id, seq, text_log, &out);
  GIVES(wanted ? QM_OK : QM_ENOTFOUND, rc);
  expect(wanted ? wanted : "");
}

static int join(uint64_t first, qm_log_row row) {
  return t.ops->log_repack(t.s, 1, first, &row, 1);
}

static void rows_become_one(void **state) {
  (void)state;
  static const uint64_t some[] = {10, 0, 3};
  uint64_t seq;
  fill();
  begin();
  OK(join(1, row_of(3, "joined", 0, 5, ids, 3)));
  commit();
  after(0, "3[0:0-10,2:0-3,0:10-12,2:3-4,7:0-1]joined;");
  after(1, "3[0:0-10,2:0-3,0:10-12,2:3-4,7:0-1]joined;"); /* who had got as far as that */
  after(3, "4[0:12-15]four;");
  qm_vv vv = vv_of(&t.env, some, 3);
  OK(t.ops->log_after(t.s, 1, &vv, 0, text_log, &out));
  expect("3[0:0-10,2:0-3,0:10-12,2:3-4,7:0-1]joined;");
  qm_free(&t.env, vv.next);
  for (uint8_t r = 1; r <= 3; r++) of(r, 0, "3[0:0-10,2:0-3,0:10-12,2:3-4,7:0-1]joined;");
  of(1, 3, NULL);
  of(2, 3, "4[0:12-15]four;");
  of(9, 0, NULL);
  begin();
  static const qm_segment_row later = {0, 15, 16};
  OK(t.ops->log_append(t.s, 1, &(qm_log_row){0, SLICE("b"), &later, 1, 0, NULL}, &seq));
  assert_int_equal(seq, 5);
  qm_vv all = {0}, gone = {0};
  for (uint32_t a = 0; a < 8; a++) OK(qm_vv_set(&t.env, &all, a, a ? 9 : 12));
  OK(t.ops->log_cut(t.s, 1, &all, &gone)); /* whole */
  assert_int_equal(gone.next[0], 12);
  qm_vv_free(&t.env, &all);
  qm_vv_free(&t.env, &gone);
  commit();
  after(0, "4[0:12-15]four;");
  of(1, 0, "5[0:15-16]b;");
}

static void one_becomes_rows_again(void **state) {
  (void)state;
  const qm_log_row parts[] = {row_of(2, "first", 0, 2, ids, 1),
                              row_of(4, "last", 2, 4, ids + 1, 2)};
  fill();
  begin();
  OK(join(0, row_of(4, "all", 0, 6, ids, 3)));
  commit();
  begin();
  OK(t.ops->log_repack(t.s, 1, 1, parts, 2));
  t.ops->rollback(t.s);
  after(0, "4[0:0-10,2:0-3,0:10-12,2:3-4,7:0-1,0:12-15]all;");
  of(1, 0, "4[0:0-10,2:0-3,0:10-12,2:3-4,7:0-1,0:12-15]all;");
  begin();
  OK(t.ops->log_repack(t.s, 1, 1, parts, 2));
  commit();
  after(0, "2[0:0-10,2:0-3]first;");
  after(2, "4[0:10-12,2:3-4,7:0-1,0:12-15]last;");
  of(1, 0, "2[0:0-10,2:0-3]first;");
  of(1, 2, NULL);
  of(2, 0, "4[0:10-12,2:3-4,7:0-1,0:12-15]last;");
  of(3, 3, "4[0:10-12,2:3-4,7:0-1,0:12-15]last;");
}

/* What nobody told of stays to be found for any record; what is told is told. */
static void untold(void **state) {
  (void)state;
  uint64_t seq;
  begin();
  for (uint32_t i = 0; i < 6; i++) {
    qm_log_row row = row_of(0, "x", i, 1, NULL, 0);
    OK(t.ops->log_append(t.s, 1, &row, &seq));
  }
  OK(join(1, row_of(2, "told", 0, 2, ids, 1)));
  OK(join(3, row_of(4, "untold", 2, 2, NULL, 0)));
  commit();
  of(1, 0, "2[0:0-10,2:0-3]told;");
  of(2, 0, "4[0:10-12,2:3-4]untold;");
  of(2, 4, "5[7:0-1]x;");
}

static void what_is_refused(void **state) {
  (void)state;
  static const qm_segment_row other[] = {{0, 0, 9}};
  const qm_log_row twice[] = {row_of(2, "x", 0, 1, ids, 1), row_of(2, "x", 1, 3, ids, 1)};
  const qm_log_row falls[] = {row_of(2, "x", 0, 1, ids, 1), row_of(1, "x", 1, 3, ids, 1)};
  fill();
  begin();
  GIVES(QM_EINVAL, t.ops->log_repack(t.s, 1, 1, NULL, 0));
  GIVES(QM_EINVAL, join(1, row_of(2, "x", 0, 3, ids, 1)));  /* less than is there */
  GIVES(QM_EINVAL, join(1, row_of(2, "x", 0, 5, ids, 1)));  /* more */
  GIVES(QM_EINVAL, join(2, row_of(2, "x", 0, 4, ids, 1)));  /* of rows before */
  GIVES(QM_EINVAL, join(3, row_of(2, "x", 0, 4, ids, 1)));  /* before the range */
  GIVES(QM_EINVAL, join(1, row_of(1, "x", 0, 0, ids, 1)));  /* without a segment */
  GIVES(QM_EINVAL, join(1, (qm_log_row){1, SLICE("x"), other, 1, 1, ids}));
  GIVES(QM_EINVAL, t.ops->log_repack(t.s, 1, 1, twice, 2));
  GIVES(QM_EINVAL, t.ops->log_repack(t.s, 1, 1, falls, 2));
  GIVES(QM_ENOTFOUND, join(1, row_of(5, "x", 0, 6, ids, 1)));
  GIVES(QM_ENOTFOUND, join(1, row_of(UINT64_MAX, "x", 0, 6, ids, 1)));
  GIVES(QM_ENOTFOUND, t.ops->log_repack(t.s, 3, 1, twice, 1));
  OK(join(2, row_of(3, "x", 1, 4, ids, 3))); /* the transaction goes on */
  commit();
  after(0, "1[0:0-10]one;");
  after(1, "3[2:0-3,0:10-12,2:3-4,7:0-1]x;");
  const qm_log_row gone = row_of(2, "x", 1, 3, ids, 1);
  GIVES(QM_ESTATE, t.ops->log_repack(t.s, 1, 2, &gone, 1));
}

#define ROWS 2500u

static int last_seq(void *payload, const qm_log_row *row) {
  *(uint64_t *)payload = row->seq;
  return QM_OK;
}

/* Row i was on record r where i has bit r; joined are `width` at a time up to `joined`. */
static void expect_rows(uint8_t record, uint64_t joined, uint64_t width) {
  qm_id id = {{record}};
  uint64_t seq = 0;
  for (uint64_t to = width; to <= ROWS; to += to < joined ? width : 1) {
    uint64_t is_on = 0, from = to <= joined ? to - width + 1 : to;
    for (uint64_t i = from; i <= to; i++) is_on |= i >> record & 1;
    if (!is_on) continue;
    OK(t.ops->log_of(t.s, 1, &id, seq, last_seq, &seq));
    assert_int_equal(seq, to);
  }
  GIVES(QM_ENOTFOUND, t.ops->log_of(t.s, 1, &id, seq, last_seq, &seq));
}

static void join_width(uint64_t first, uint64_t width) {
  static qm_segment_row segments[ROWS];
  qm_id on[12];
  uint32_t n = 0;
  for (uint64_t i = 0; i < width; i++)
    segments[i] = (qm_segment_row){0, first + i - 1, first + i};
  for (uint8_t r = 0; r < 12; r++) {
    uint64_t is_on = 0;
    for (uint64_t i = first; i < first + width; i++) is_on |= i >> r & 1;
    if (is_on) on[n++] = (qm_id){{r}};
  }
  qm_log_row row = {first + width - 1, SLICE("j"), segments, (uint32_t)width, n, on};
  OK(t.ops->log_repack(t.s, 1, first, &row, 1));
}

/* More than a store may keep apart from its index, and indexed at different times. */
static void many_rows(void **state) {
  (void)state;
  uint64_t seq = 0;
  for (uint64_t i = 1; i <= ROWS; i++) {
    qm_segment_row segment = {0, i - 1, i};
    qm_id on[12];
    uint32_t n = 0;
    for (uint8_t r = 0; r < 12; r++)
      if (i >> r & 1) on[n++] = (qm_id){{r}};
    begin();
    qm_log_row row = {0, SLICE("x"), &segment, 1, n, on};
    OK(t.ops->log_append(t.s, 1, &row, &seq));
    commit();
  }
  begin();
  for (uint64_t at = 1; at < 2000; at += 10) join_width(at, 10);
  commit();
  for (uint8_t r = 0; r < 12; r++) expect_rows(r, 2000, 10);
  begin();
  for (uint64_t at = 1; at < 2000; at += 500) join_width(at, 500);
  commit();
  for (uint8_t r = 0; r < 12; r++) expect_rows(r, 2000, 500);
  OK(t.ops->check(t.s, NULL));
}

static const struct CMUnitTest suite[] = {
    cmocka_unit_test(rows_become_one),
    cmocka_unit_test(one_becomes_rows_again),
    cmocka_unit_test(untold),
    cmocka_unit_test(what_is_refused),
    cmocka_unit_test(many_rows),
};

/* On each kind of store. */
static int run(const char *name, store_kind kind) {
  return test_store_run(name, kind, &t, &out, suite, COUNT(suite));
}

int main(void) {
  return run("repack: memory", STORE_MEM) + run("repack: sqlite", STORE_SQLITE);
}
