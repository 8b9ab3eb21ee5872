/* Columns of a snapshot's records: what is written reads as the same; what is not theirs is
 * refused, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/pack.h"
#include "core/state_columns.h"
#include "core/state_groups.h"
#include "core/state_listed.h"
#include "support_cell.h"

#define ok(call) assert_int_equal(call, QM_OK)

static bench b;

static int setup(void **state) {
  (void)state;
  bench_open(&b);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  bench_close(&b);
  return 0;
}

static void put_item(qm_buf *to, unsigned id, qm_slice blob) {
  qm_id record = {{(uint8_t)id, 9}};
  qm_buf_be32(to, (uint32_t)blob.n + 21 + (blob.n < 256 ? 0 : 1));
  qm_mp_array(to, 2);
  qm_mp_bin(to, record.b, sizeof record.b);
  qm_mp_bin(to, blob.p, blob.n);
}

static void write(qm_record *r, uint64_t counter, unsigned author, qm_op op) {
  op.counter = counter;
  bench_apply(&b, r, bench_vv(&b, 0, 0, 0), author, (UINT64_C(1700000000000) + counter) << 16, op);
}

static qm_slice f64(double v) {
  qm_buf out;
  qm_buf_init(&out, &b.env, 64);
  qm_mp_f64(&out, v);
  uint8_t *p = qm_arena_copy(&b.arena, out.p, out.n);
  qm_slice value = qm_slice_of(p, out.n);
  qm_buf_free(&out);
  return value;
}

static qm_slice bin32(void) {
  uint8_t *p = qm_arena_zero(&b.arena, 34);
  p[0] = 0xc4;
  p[1] = 32;
  return qm_slice_of(p, 34);
}

/* A record of each shape and of each form of value, by up to three authors. */
static qm_slice some(unsigned i) {
  static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  char many[600];
  qm_record r = {.id = {{1}}};
  uint64_t at = 100 * i;
  unsigned one = i % 3, two = (i + 1) % 3;
  memset(many, 'n', sizeof many - 1);
  many[sizeof many - 1] = 0;
  write(&r, at, one, (qm_op){.value = bench_int(&b, 1 + i % 2)}); /* new, of a collection */
#define SET(field_, ...) \
  write(&r, ++at, one, (qm_op){.field = field_, .shape = QM_SIBLINGS, .value = __VA_ARGS__})
  if (i % 2) SET(16, bench_text(&b, "short"));
  SET(17, bench_text(&b, many));
  SET(18, bench_int(&b, (int64_t)(1700000000000 + at + 1)));
  SET(19, bench_int(&b, -5));
  SET(20, f64(0.494877));
  SET(21, f64(1e300));
  SET(22, bench_text(&b, hex));
  SET(23, bin32());
  write(&r, at + 7, two, (qm_op){.field = 16, .shape = QM_SIBLINGS, .value = bench_text(&b, "")});
  write(&r, at + 8, two,
        (qm_op){.field = 24, .shape = QM_SIBLINGS, .value = bench_text(&b, "g"), .generation = 3,
                .flags = QM_OP_NAMES, .hides = bench_dots(&b, 1, 2u, 70u),
                .keeps = bench_dots(&b, 2, 1u, 9u, 2u, 3u)});
  for (unsigned k = 0; k < 3; k++)
    write(&r, ++at, one,
          (qm_op){.field = 25, .shape = QM_KEYED, .value = bench_int(&b, (int64_t)(k * i))});
  write(&r, ++at, one, (qm_op){.field = 26, .shape = QM_TOTALS, .value = bench_int(&b, INT64_MAX)});
  write(&r, ++at, one, (qm_op){.field = 26, .shape = QM_TOTALS, .value = bench_int(&b, INT64_MAX)});
  write(&r, ++at, one, (qm_op){.field = 27, .shape = QM_ENTRIES, .value = bench_text(&b, "step")});
  write(&r, ++at, one,
        (qm_op){.field = 27, .shape = QM_ENTRIES, .flags = QM_OP_ERASED | QM_OP_ORDER,
                .order = UINT64_C(1800000000000) << 16});
  write(&r, ++at, one,
        (qm_op){.field = 28, .shape = QM_SEQUENCE, .flags = QM_OP_ROOT, .span = 4,
                .value = bench_text(&b, "h\xc3\xa9lo")});
  write(&r, at + 40, two,
        (qm_op){.field = 28, .shape = QM_SEQUENCE, .span = 2, .value = bench_text(&b, "yz"),
                .parent = {at + 3, one}});
  write(&r, at + 50, two,
        (qm_op){.field = 28, .shape = QM_SEQUENCE, .kind = QM_KIND_CUT,
                .cuts = {&(qm_range){at, 2, one}, 1}});
  return bench_bytes(&b, &r);
}

static void all_items(qm_buf *items, unsigned n) {
  qm_buf_init(items, &b.env, 1u << 24);
  for (unsigned i = 0; i < n; i++) put_item(items, i, some(i));
  ok(qm_buf_status(items));
}

static int read_all(qm_slice in, qm_buf *items) {
  qm_columns *r;
  qm_buf item;
  int rc = qm__columns_open(&r, &b.env, in);
  if (rc) {
    assert_null(r);
    return rc;
  }
  qm_buf_init(&item, &b.env, 1u << 20);
  while ((rc = qm__columns_next(r, &item)) == QM_OK) {
    qm_buf_be32(items, (uint32_t)item.n);
    qm_buf_add(items, item.p, item.n);
    qm_buf_clear(&item);
  }
  qm__columns_close(r);
  qm_buf_free(&item);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static void written(qm_buf *out, const qm_buf *items, int level) {
  qm_columns_sizes sizes = {0};
  qm_buf_init(out, &b.env, 1u << 24);
  ok(qm__columns_write(out, qm_buf_slice(items), b.authors.rank, b.authors.n, level, &sizes));
  assert_true(sizes.ids + sizes.values + sizes.digests + sizes.dots + sizes.times + sizes.rest ==
              out->n);
}

static void comes_out_again(void **state) {
  (void)state;
  for (unsigned n = 1; n < 60; n += 9) {
    qm_buf items, out, back;
    all_items(&items, n);
    written(&out, &items, n % 2 ? 1 : 17);
    qm_buf_init(&back, &b.env, 1u << 24);
    ok(read_all(qm_buf_slice(&out), &back));
    assert_int_equal(back.n, items.n);
    assert_memory_equal(back.p, items.p, items.n);
    assert_true(n < 10 || out.n < items.n / 3);
    qm_buf_free(&items);
    qm_buf_free(&out);
    qm_buf_free(&back);
  }
}

/* Nothing less reads; nothing else of the same length reads beyond its bounds. */
static void changed_bytes(void **state) {
  (void)state;
  qm_buf items, out, back;
  unsigned refused = 0, taken = 0;
  all_items(&items, 5);
  written(&out, &items, 1);
  qm_buf_init(&back, &b.env, 1u << 24);
  uint8_t *p = malloc(out.n + 1);
  assert_non_null(p);
  for (size_t n = 0; n < out.n; n++) {
    memcpy(p, out.p, n);
    assert_int_not_equal(read_all(qm_slice_of(p, n), &back), QM_OK);
    qm_buf_clear(&back);
  }
  memcpy(p, out.p, out.n);
  p[out.n] = 0;
  assert_int_equal(read_all(qm_slice_of(p, out.n + 1), &back), QM_ETRAILING);
  for (size_t i = 0; i < out.n; i++)
    for (unsigned bit = 0; bit < 8; bit++) {
      p[i] ^= (uint8_t)(1u << bit);
      qm_buf_clear(&back);
      int rc = read_all(qm_slice_of(p, out.n), &back);
      assert_true(rc != QM_EINTERNAL && rc != QM_ENOMEM && rc != QM_ELIMIT);
      refused += rc != QM_OK;
      taken += rc == QM_OK;
      p[i] ^= (uint8_t)(1u << bit);
    }
  assert_true(refused > 1000 && taken > 100); /* counters, times and texts may be others */
  free(p);
  qm_buf_free(&items);
  qm_buf_free(&out);
  qm_buf_free(&back);
}

static void refused(const uint8_t *p, size_t n) {
  qm_buf out;
  qm_buf_init(&out, &b.env, 1u << 24);
  assert_int_equal(qm__columns_write(&out, qm_slice_of(p, n), b.authors.rank, b.authors.n, 1, NULL),
                   QM_ELIMIT);
  assert_int_equal(out.n, 0);
  qm_buf_free(&out);
}

/* What is no record, or has more in it than columns may have, travels otherwise. */
static void what_is_not_written(void **state) {
  (void)state;
  qm_buf items;
  static const uint8_t no_item[] = {0, 0, 0, 9, 0x92},
                       no_record[] = {0, 0, 0, 2, 0x91, 0x90},
                       place[] = {0,    0,    0,    27,   0x92, 0xc4, 16, 0, 0, 0, 0,
                                  0,    0,    0,    0,    0,    0,    0,  0, 0, 0, 0,
                                  0,    0xc4, 6,    0x94, 0x91, 9,    0x90, 0x90, 0x90};
  refused(no_item, sizeof no_item);
  refused(no_record, sizeof no_record);
  refused(place, sizeof place);
  qm_record r = {.id = {{1}}};
  for (uint32_t k = 0; k <= QM_BLOCK_KINDS_MAX; k++)
    write(&r, k + 1, 0,
          (qm_op){.field = 16 + k, .shape = QM_SIBLINGS, .value = bench_int(&b, 1)});
  qm_slice blob = bench_bytes(&b, &r);
  qm_buf_init(&items, &b.env, 1u << 24);
  put_item(&items, 1, blob);
  refused(items.p, items.n);
  qm_buf_free(&items);
}

/* A claim of more columns, bytes or kinds than there may be is refused before it is paid for. */
static void what_is_claimed(void **state) {
  (void)state;
  qm_buf in, head, back;
  qm_buf_init(&back, &b.env, 1u << 20);
  const uint64_t claims[][2] = {{QM_BLOCK_KINDS_MAX + 1, 0}, {0, (uint64_t)QM_BLOCK_RAW_MAX + 1},
                                {0, UINT64_MAX >> 1}, {UINT32_MAX, 0}, {UINT64_MAX, 0}};
  for (unsigned i = 0; i < 5; i++) {
    qm_buf_init(&in, &b.env, 1u << 20);
    qm_buf_init(&head, &b.env, 1u << 20);
    qm_buf_varint(&head, claims[i][0]);
    qm_buf_varint(&head, claims[i][1] << 1 | 1);
    for (unsigned k = 1; k < QM__COLS + QM__KIND_COLS * QM__KINDS; k++) qm_buf_varint(&head, 1);
    qm_buf_varint(&in, head.n);
    qm_buf_varint(&in, head.n << 1);
    qm_buf_add(&in, head.p, head.n);
    qm_buf_byte(&in, 0);
    int rc = read_all(qm_buf_slice(&in), &back);
    assert_true(rc == QM_EOVERSIZE || rc == QM_ERANGE);
    qm_buf_free(&in);
    qm_buf_free(&head);
  }
  static const uint8_t long_head[] = {0xff, 0xff, 0xff, 0xff, 0x7f, 2, 1};
  assert_int_equal(read_all(qm_slice_of(long_head, sizeof long_head), &back), QM_EOVERSIZE);
  assert_int_equal(read_all(qm_slice_of(NULL, 0), &back), QM_ETRUNCATED);
  qm_buf_free(&back);
}

/* --- values that come again --- */

static void choices(qm_buf *items, unsigned n, unsigned different) {
  char text[32];
  qm_buf_init(items, &b.env, 1u << 24);
  for (unsigned i = 0; i < n; i++) {
    qm_record r = {.id = {{1}}};
    snprintf(text, sizeof text, "choice %u", i % different);
    write(&r, 2 * i + 1, 0, (qm_op){.value = bench_int(&b, 1)});
    write(&r, 2 * i + 2, 0,
          (qm_op){.field = 16, .shape = QM_SIBLINGS, .value = bench_text(&b, text)});
    put_item(items, i, bench_bytes(&b, &r));
  }
  ok(qm_buf_status(items));
}

static void values_that_come_again(void **state) {
  (void)state;
  static const unsigned n[][2] = {{3, 1},   {4, 1},     {20, 5},
                                  {511, 128}, {512, 128}, {600, QM__LISTED_MAX + 1}};
  for (unsigned i = 0; i < sizeof n / sizeof *n; i++) {
    qm_buf items, out, back;
    choices(&items, n[i][0], n[i][1]);
    written(&out, &items, 3);
    qm_buf_init(&back, &b.env, 1u << 24);
    ok(read_all(qm_buf_slice(&out), &back));
    assert_int_equal(back.n, items.n);
    assert_memory_equal(back.p, items.p, items.n);
    qm_buf_free(&items);
    qm_buf_free(&out);
    qm_buf_free(&back);
  }
}

static qm_slice str_of(const char *text) {
  qm_buf out;
  qm_buf_init(&out, &b.env, 1000);
  qm_mp_str(&out, text, strlen(text));
  qm_slice v = qm_slice_of(qm_arena_copy(&b.arena, out.p, out.n), out.n);
  qm_buf_free(&out);
  return v;
}

static void what_is_listed(void **state) {
  (void)state;
  static const uint8_t short_int[] = {0xcc, 200}, uint32[] = {0xce, 1, 2, 3, 4};
  char text[260];
  qm__listed *l = NULL;
  uint32_t place = 9;
  assert_false(qm__listed_find(NULL, str_of("abc"), &place));
  ok(qm__listed_note(&b.arena, &l, qm_slice_of(short_int, sizeof short_int)));
  ok(qm__listed_note(&b.arena, &l, qm_slice_of(uint32, sizeof uint32)));
  ok(qm__listed_note(&b.arena, &l, str_of("a")));
  memset(text, 'x', sizeof text);
  text[240] = 0;
  ok(qm__listed_note(&b.arena, &l, str_of(text)));
  assert_null(l);
  text[239] = 0;
  for (unsigned i = 0; i < 3; i++) ok(qm__listed_note(&b.arena, &l, str_of(text)));
  assert_false(qm__listed_worth(l));
  ok(qm__listed_note(&b.arena, &l, str_of(text)));
  assert_true(qm__listed_worth(l) && l->n == 1);
  assert_true(qm__listed_find(l, str_of(text), &place) && place == 0);
  text[0] = 'y';
  assert_false(qm__listed_find(l, str_of(text), &place));
  for (unsigned i = 0; i < 4 * QM__LISTED_MAX; i++) {
    snprintf(text, sizeof text, "%03u", i % (QM__LISTED_MAX - 1));
    ok(qm__listed_note(&b.arena, &l, str_of(text)));
  }
  assert_true(l->n == QM__LISTED_MAX && qm__listed_worth(l));
  for (unsigned i = 0; i < QM__LISTED_MAX - 1; i++) {
    snprintf(text, sizeof text, "%03u", i);
    assert_true(qm__listed_find(l, str_of(text), &place) && place == i + 1);
  }
  for (unsigned i = 0; i < 1000; i++) ok(qm__listed_note(&b.arena, &l, str_of("one more")));
  assert_false(qm__listed_worth(l));
}

/* --- blocks made by hand: n records of one cell each --- */

typedef struct hand {
  qm_buf c[QM__COLS + QM__KIND_COLS * (QM__KINDS + 1)];
} hand;

static qm_buf *column(hand *h, unsigned sort, unsigned kind) {
  return &h->c[QM__COLS + sort * (QM__KINDS + 1) + kind];
}

static qm_buf *cell(hand *h, unsigned sort) { return column(h, sort, QM__KINDS); }

static void put_change(hand *h, unsigned i) {
  qm_buf_varint(&h->c[QM__COL_COUNTERS], 10);
  qm_buf_byte(&h->c[QM__COL_TIME_LOW], 2);
  qm_buf_byte(&h->c[QM__COL_TIME_MID], 0);
  qm_buf_varint(&h->c[QM__COL_TIME_HIGH], 0);
  qm_buf_varint(&h->c[QM__COL_TICKS], 0);
  qm_buf_varint(&h->c[QM__COL_REFS], 1);
  qm_buf_byte(&h->c[QM__COL_REF_LOW], (uint8_t)i);
  qm_buf_varint(&h->c[QM__COL_REF_HIGH], i >> 8);
}

/* Its creation and the cell's dot; what the cell is, is the caller's. */
static void by_hand(hand *h, unsigned n, unsigned shape) {
  static const uint8_t id[15] = {0};
  for (unsigned i = 0; i < sizeof h->c / sizeof *h->c; i++) qm_buf_init(&h->c[i], &b.env, 1u << 24);
  qm_buf_varint(&h->c[QM__COL_AUTHORS], 0);
  qm_buf_varint(&h->c[QM__COL_KINDS], 1);
  qm_buf_varint(&h->c[QM__COL_KINDS], 16);
  qm_buf_varint(&h->c[QM__COL_KINDS], shape);
  qm_buf_varint(&h->c[QM__COL_CHANGES], n);
  for (unsigned i = 0; i < n; i++) {
    put_change(h, i);
    qm_buf_byte(&h->c[QM__COL_ID_FIRST], 1);
    qm_buf_add(&h->c[QM__COL_ID], id, sizeof id);
    qm_buf_varint(&h->c[QM__COL_CREATIONS], 1);
    qm_buf_varint(&h->c[QM__COL_COLLECTIONS], 1);
    qm_buf_varint(&h->c[QM__COL_MARKS], 0);
    for (unsigned k = QM__CREATED; k <= QM__KINDS; k += QM__KINDS) {
      qm_buf_varint(column(h, QM__KIND_CHANGE, k), 0);
      qm_buf_varint(column(h, QM__KIND_OFFSET, k), 0);
    }
    qm_buf_varint(cell(h, QM__KIND_COUNT), 1);
    qm_buf_varint(cell(h, QM__KIND_FLAGS), 0);
  }
}

static int reads(hand *h, qm_buf *back) {
  qm_buf out;
  qm_buf_init(&out, &b.env, 1u << 24);
  ok(qm__groups_write(&out, h->c, QM__KINDS + 1, 1, NULL));
  int rc = read_all(qm_buf_slice(&out), back);
  qm_buf_free(&out);
  for (unsigned i = 0; i < sizeof h->c / sizeof *h->c; i++) qm_buf_free(&h->c[i]);
  return rc;
}

/* n records name the place in a list of `several` values of `size` bytes. */
static int listed(unsigned n, unsigned place, unsigned several, unsigned size) {
  char text[300];
  hand h;
  qm_buf back;
  qm_buf_init(&back, &b.env, 1u << 24);
  memset(text, 'x', sizeof text);
  by_hand(&h, n, QM_SIBLINGS);
  for (unsigned i = 0; i < n; i++) {
    qm_buf_varint(cell(&h, QM__KIND_TAG), QM__TAG_LISTED);
    qm_buf_varint(cell(&h, QM__KIND_NUMBER), place);
  }
  for (unsigned i = 0; i < several; i++)
    qm_mp_str(cell(&h, QM__KIND_LISTED), text, size < 33 ? size - 1 : size - 2);
  int rc = reads(&h, &back);
  assert_true(rc != QM_OK || back.n > (size_t)n * size);
  qm_buf_free(&back);
  return rc;
}

static void what_a_list_may_be(void **state) {
  (void)state;
  ok(listed(1, 0, 1, 2));
  ok(listed(3, 6, 7, QM__LISTED_BYTES));
  ok(listed(2, 300, QM_BLOCK_LISTED_MAX, 1));
  ok(listed(9000, 0, 1, QM__LISTED_BYTES));
  assert_int_equal(listed(1, 1, 1, 2), QM_EFORMAT);
  assert_int_equal(listed(1, 0, 0, 2), QM_EFORMAT);
  assert_int_equal(listed(1, 0, 1, QM__LISTED_BYTES + 1), QM_EOVERSIZE);
  assert_int_equal(listed(1, 0, QM_BLOCK_LISTED_MAX + 1, 1), QM_EOVERSIZE);
  assert_int_equal(listed(12000, 0, 1, QM__LISTED_BYTES), QM_EOVERSIZE); /* the items together */
  hand h;
  qm_buf back;
  qm_buf_init(&back, &b.env, 1u << 24);
  by_hand(&h, 0, QM_SIBLINGS);
  qm_buf_byte(cell(&h, QM__KIND_LISTED), 0xa2); /* cut short */
  qm_buf_byte(cell(&h, QM__KIND_LISTED), 'x');
  assert_int_not_equal(reads(&h, &back), QM_OK);
  qm_buf_free(&back);
}

/* A chain that begins at 11 and ends before 12 + `more`, in a change that begins at 10. */
static int chain(uint64_t more, const char *states, size_t n_states, const char *text) {
  hand h;
  qm_buf back;
  qm_buf_init(&back, &b.env, 1u << 24);
  by_hand(&h, 1, QM_SEQUENCE);
  qm_buf_varint(cell(&h, QM__KIND_NUMBER), qm__zigzag(UINT64_C(10) - (12 + more)));
  qm_buf_varint(cell(&h, QM__KIND_NUMBER), n_states);
  qm_buf_add(cell(&h, QM__KIND_NUMBER), states, n_states);
  for (unsigned i = 0; i < 2; i++) qm_buf_varint(cell(&h, QM__KIND_NUMBER), 0);
  qm_buf_add(cell(&h, QM__KIND_TEXT), text, strlen(text));
  int rc = reads(&h, &back);
  qm_buf_free(&back);
  return rc;
}

static void texts_of_sequences(void **state) {
  (void)state;
  ok(chain(0, "", 0, "x"));
  ok(chain(2, "", 0, "x\xc3\xa9y"));
  ok(chain(2, "\1", 1, "x"));
  ok(chain(2, "\0\1", 2, "\xe2\x82\xacy")); /* hidden, shown */
  ok(chain(0, "\0", 1, ""));
  assert_int_equal(chain(UINT64_MAX, "", 0, ""), QM_EFORMAT); /* of none */
  assert_int_equal(chain(2, "", 0, "xy"), QM_ETRUNCATED);
  assert_int_equal(chain(UINT64_MAX - 1, "", 0, "xy"), QM_ETRUNCATED);
  assert_int_equal(chain(1, "", 0, "xyz"), QM_ETRAILING);
  assert_int_equal(chain(1, "\3", 1, "xy"), QM_EFORMAT);
  assert_int_equal(chain(1, "\1\2", 2, "x"), QM_EFORMAT);
  assert_int_not_equal(chain(1, "\x81", 1, "x"), QM_OK); /* cut short */
}

/* One element at 11; its text has to be one code point, or it is no record. */
static void texts_written(void **state) {
  (void)state;
  static const uint8_t head[] = {0x94, 0x91, 0, 0x93, 0, 10, 1, 0x90, 0x93, 16, QM_SEQUENCE, 0xc4},
                       front[] = {1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 12, 8};
  static const char *const texts[] = {"x", "\xe2\x82\xac", "", "xy", "\xff", "\xe2\x82"};
  for (unsigned i = 0; i < 6; i++) {
    qm_buf items, blob, out, back;
    qm_buf_init(&items, &b.env, 1000);
    qm_buf_init(&blob, &b.env, 1000);
    qm_buf_init(&back, &b.env, 1000);
    qm_buf_add(&blob, head, sizeof head);
    qm_buf_byte(&blob, (uint8_t)(sizeof front + strlen(texts[i])));
    qm_buf_add(&blob, front, sizeof front);
    qm_buf_add(&blob, texts[i], strlen(texts[i]));
    put_item(&items, 1, qm_buf_slice(&blob));
    if (i < 2) {
      written(&out, &items, 1);
      ok(read_all(qm_buf_slice(&out), &back));
      assert_int_equal(qm_slice_cmp(qm_buf_slice(&back), qm_buf_slice(&items)), 0);
      qm_buf_free(&out);
    } else {
      refused(items.p, items.n);
    }
    qm_buf_free(&items);
    qm_buf_free(&blob);
    qm_buf_free(&back);
  }
}

static void decimals(void **state) {
  (void)state;
  static const double exact[] = {0.0, 1.0, -3.0, 0.5, 0.1, 0.494877, -17.05, 1e15, 123456.7};
  static const unsigned exponents[] = {0, 0, 0, 1, 1, 6, 2, 0, 1};
  static const double none[] = {1e300, 5e-324, 0.1 + 0.2, 1.0 / 3.0, 9007199254740992.0, 1e-9};
  int64_t m;
  unsigned exponent;
  double back;
  for (unsigned i = 0; i < sizeof exact / sizeof *exact; i++) {
    assert_true(qm__decimal_of(exact[i], &m, &exponent));
    assert_int_equal(exponent, exponents[i]);
    assert_true(qm__decimal(m, exponent, &back));
    assert_memory_equal(&back, &exact[i], sizeof back);
  }
  for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
    assert_false(qm__decimal_of(none[i], &m, &exponent));
  assert_false(qm__decimal(10, 1, &back)); /* there is a shorter form */
  assert_false(qm__decimal(1, QM__DECIMALS, &back));
  assert_false(qm__decimal(INT64_MAX, 0, &back));
  assert_false(qm__decimal(INT64_MIN, 0, &back));
  for (int64_t k = -200000; k < 200000; k += 7) { /* whatever is told reads as itself */
    double v = (double)k / 1e5;
    assert_true(qm__decimal_of(v, &m, &exponent) && qm__decimal(m, exponent, &back));
    assert_memory_equal(&back, &v, sizeof v);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(comes_out_again, setup, teardown),
      cmocka_unit_test_setup_teardown(changed_bytes, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_not_written, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_claimed, setup, teardown),
      cmocka_unit_test_setup_teardown(values_that_come_again, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_listed, setup, teardown),
      cmocka_unit_test_setup_teardown(what_a_list_may_be, setup, teardown),
      cmocka_unit_test_setup_teardown(texts_of_sequences, setup, teardown),
      cmocka_unit_test_setup_teardown(texts_written, setup, teardown),
      cmocka_unit_test(decimals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
