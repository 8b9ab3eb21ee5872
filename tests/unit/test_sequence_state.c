/* A sequence at rest, byte by byte (SPEC S6.5): what is written, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/sequence.h"
#include "core/mp.h"

typedef struct part {
  const char *p;
  size_t n;
} part;

#define B(s) {s, sizeof(s) - 1}
#define ONE B("\x01\x00\x01") /* author 0, one chain */

typedef struct row {
  const char *what;
  part authors, heads, gaps, lengths, flags, hangs, states, kinds, values, text;
  int rc;            /* 1: any error */
  const char *shown; /* where it is taken */
} row;

static const row taken[] = {
    {.what = "one run", .authors = ONE, .heads = B("\x14"), .text = B("ab"), .shown = "ab"},
    {.what = "tombstones", .authors = ONE, .heads = B("\x44"), .states = B("\x00"), .shown = ""},
    {.what = "right child, own author",
     .authors = B("\x01\x00\x02"),
     .heads = B("\x04\x25"),
     .hangs = B("\x01"),
     .states = B("\x01"),
     .text = B("a"),
     .shown = "a"},
    {.what = "left child of another",
     .authors = B("\x02\x00\x01\x01\x01"),
     .heads = B("\x04\x07"),
     .flags = B("\x0a"),
     .hangs = B("\x00\x01"),
     .text = B("ba"),
     .shown = "ba"},
    {.what = "inside a chain",
     .authors = B("\x02\x00\x01\x01\x01"),
     .heads = B("\x14\x07"),
     .flags = B("\x0a"),
     .hangs = B("\x00\x02"),
     .text = B("a\xe5\x90\x8e"
               "b"),
     .shown = "a\xe5\x90\x8e"
              "b"},
    {.what = "orphan",
     .authors = ONE,
     .heads = B("\x07"),
     .flags = B("\x09"),
     .hangs = B("\x01\x09"),
     .text = B("a"),
     .shown = "a"},
    {.what = "values",
     .authors = ONE,
     .heads = B("\x14"),
     .kinds = B("\x00"),
     .values = B("\x05\xa1x"),
     .shown = "\xef\xbf\xbc\xef\xbf\xbc"},
    {.what = "text, tombstone, value",
     .authors = ONE,
     .heads = B("\x24"),
     .states = B("\x01\x01"),
     .kinds = B("\x01"),
     .values = B("\x05"),
     .text = B("a"),
     .shown = "a\xef\xbf\xbc"},
    {.what = "text and values side by side",
     .authors = ONE,
     .heads = B("\x34"),
     .states = B("\x03"),
     .kinds = B("\x01\x01"),
     .values = B("\x05"),
     .text = B("ab"),
     .shown = "a\xef\xbf\xbc"
              "b"},
    {.what = "moved",
     .authors = ONE,
     .heads = B("\x0f"),
     .gaps = B("\x00"),
     .flags = B("\x10"),
     .hangs = B("\x00\x01"),
     .text = B("a"),
     .shown = "a"},
    {.what = "backward",
     .authors = ONE,
     .heads = B("\x27"),
     .flags = B("\x04"),
     .text = B("cba"),
     .shown = "cba"},
    {.what = "left child of a chain's end",
     .authors = B("\x01\x00\x02"),
     .heads = B("\x14\x02"),
     .hangs = B("\x00"),
     .text = B("acb"),
     .shown = "acb"},
    {.what = "left child that is cut",
     .authors = B("\x01\x00\x02"),
     .heads = B("\x04\x02"),
     .hangs = B("\x00"),
     .states = B("\x01"),
     .text = B("a"),
     .shown = "a"},
    {.what = "long chain",
     .authors = ONE,
     .heads = B("\xf4"),
     .lengths = B("\x01"),
     .text = B("seventeen letters"),
     .shown = "seventeen letters"},
    {.what = "greatest tombstones",
     .authors = ONE,
     .heads = B("\xf4"),
     .lengths = B("\xee\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
     .states = B("\x00"),
     .shown = ""},
};

#define A .authors = ONE, .heads = B("\x04"), .text = B("a")
#define TWO .authors = B("\x01\x00\x02"), .text = B("ab")
#define PAIR .authors = ONE, .heads = B("\x14"), .text = B("ab")

static const row refused[] = {
    {.what = "nothing", .authors = B("\x00"), .rc = QM_ECANON},
    {.what = "more authors than bytes", .authors = B("\x7f"), .rc = QM_EOVERSIZE},
    {.what = "author not named",
     .authors = B("\x01\x02\x01"),
     .heads = B("\x04"),
     .text = B("a"),
     .rc = QM_EFORMAT},
    {.what = "author without a chain",
     .authors = B("\x02\x00\x01\x01\x00"),
     .heads = B("\x04"),
     .text = B("a"),
     .rc = QM_EFORMAT},
    {.what = "authors out of order",
     .authors = B("\x02\x01\x01\x00\x01"),
     .heads = B("\x04\x04"),
     .text = B("ba"),
     .rc = QM_EFORMAT},
    {.what = "a chain too many", .authors = B("\x01\x00\x02"), .heads = B("\x04"),
     .text = B("a"), .rc = QM_ETRUNCATED},
    {.what = "a head too many", .authors = ONE, .heads = B("\x04\x04"), .text = B("a"),
     .rc = QM_ETRAILING},
    {.what = "a gap too many", A, .gaps = B("\x00"), .rc = QM_ETRAILING},
    {.what = "a length too many", A, .lengths = B("\x00"), .rc = QM_ETRAILING},
    {.what = "flags too many", A, .flags = B("\x04"), .rc = QM_ETRAILING},
    {.what = "a parent too many", A, .hangs = B("\x00"), .rc = QM_ETRAILING},
    {.what = "no gap", .authors = ONE, .heads = B("\x0c"), .text = B("a"), .rc = QM_ETRUNCATED},
    {.what = "long integer", .authors = ONE, .heads = B("\x0c"), .gaps = B("\x80\x00"),
     .text = B("a"), .rc = QM_ECANON},
    {.what = "flags that say nothing", .authors = ONE, .heads = B("\x07"), .flags = B("\x00"),
     .text = B("a"), .rc = QM_ECANON},
    {.what = "unknown flag", .authors = ONE, .heads = B("\x07"), .flags = B("\x20"),
     .text = B("a"), .rc = QM_EFORMAT},
    {.what = "hangs 3", .authors = ONE, .heads = B("\x07"), .flags = B("\x0b"),
     .hangs = B("\x00\x00"), .text = B("a"), .rc = QM_EFORMAT},
    {.what = "another's on the root", .authors = ONE, .heads = B("\x07"), .flags = B("\x08"),
     .text = B("a"), .rc = QM_EFORMAT},
    {.what = "parent not named", .authors = ONE, .heads = B("\x07"), .flags = B("\x09"),
     .hangs = B("\x02\x00"), .text = B("a"), .rc = QM_EFORMAT},
    {.what = "own parent said in full", TWO, .heads = B("\x04\x07"), .flags = B("\x09"),
     .hangs = B("\x00\x01"), .rc = QM_ECANON},
    {.what = "own parent before 0", TWO, .heads = B("\x04\x05"), .hangs = B("\x03"),
     .rc = QM_EFORMAT},
    {.what = "key that is the dot", .authors = ONE, .heads = B("\x07"), .flags = B("\x10"),
     .hangs = B("\x00\x01"), .text = B("a"), .rc = QM_ECANON},
    {.what = "counters wrap", .authors = ONE, .heads = B("\xf4"),
     .lengths = B("\xef\xff\xff\xff\xff\xff\xff\xff\xff\x01"), .states = B("\x00"),
     .rc = QM_EFORMAT},
    {.what = "length wraps", .authors = ONE, .heads = B("\xf4"),
     .lengths = B("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), .states = B("\x00"),
     .rc = QM_EFORMAT},
    {.what = "elements wrap", .authors = B("\x02\x00\x01\x01\x01"), .heads = B("\xf0\xf0"),
     .lengths = B("\xee\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                  "\xee\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
     .states = B("\x00"), .rc = QM_EFORMAT},
    {.what = "bad text", .authors = ONE, .heads = B("\x04"), .text = B("\xff"), .rc = QM_EUTF8},
    {.what = "text cut short", .authors = ONE, .heads = B("\x14"), .text = B("a"),
     .rc = QM_EFORMAT},
    {.what = "text left over", .authors = ONE, .heads = B("\x04"), .text = B("ab"),
     .rc = QM_EFORMAT},
    {.what = "a value too few", .authors = ONE, .heads = B("\x14"), .kinds = B("\x00"),
     .values = B("\xa1x"), .rc = QM_ETRUNCATED},
    {.what = "a value too many", A, .values = B("\x05"), .rc = QM_ETRAILING},
    {.what = "a value that is not canonical", .authors = ONE, .heads = B("\x04"),
     .kinds = B("\x00"), .values = B("\xcc\x05"), .rc = QM_ECANON},
    {.what = "values without bytes", .authors = ONE, .heads = B("\xf4"),
     .lengths = B("\xff\xff\xff\xff\x7f"), .kinds = B("\x00"), .values = B("\x05"),
     .rc = QM_EFORMAT},
    {.what = "text without bytes", .authors = ONE, .heads = B("\xf4"),
     .lengths = B("\xff\xff\xff\xff\x7f"), .text = B("a"), .rc = QM_EFORMAT},
    {.what = "last state said", PAIR, .states = B("\x02"),
     .rc = QM_ECANON},
    {.what = "last state said, of two kinds",
     .authors = ONE,
     .heads = B("\x24"),
     .states = B("\x02\x01"),
     .kinds = B("\x01"),
     .values = B("\x05"),
     .text = B("a"),
     .rc = QM_ECANON},
    {.what = "state of nothing", PAIR,
     .states = B("\x01\x00"), .rc = QM_ECANON},
    {.what = "state beyond the end", PAIR,
     .states = B("\x03"), .rc = QM_ECANON},
    {.what = "states left over", PAIR,
     .states = B("\x02\x01"), .rc = QM_ETRAILING},
    {.what = "kinds of nothing", .authors = ONE, .heads = B("\x04"), .states = B("\x00"),
     .kinds = B("\x00"), .rc = QM_ETRAILING},
    {.what = "last kind said", A, .kinds = B("\x01"), .rc = QM_ECANON},
    {.what = "two chains that are one", TWO, .heads = B("\x04\x01"), .hangs = B("\x00"),
     .rc = QM_ECANON},
    {.what = "backward said one by one", TWO, .heads = B("\x04\x02"), .hangs = B("\x00"),
     .rc = QM_ECANON},
    {.what = "backward that goes on", .authors = B("\x01\x00\x02"), .heads = B("\x17\x02"),
     .flags = B("\x04"), .hangs = B("\x00"), .text = B("cba"), .rc = QM_ECANON},
    {.what = "on from a backward one", .authors = B("\x01\x00\x02"), .heads = B("\x17\x01"),
     .flags = B("\x04"), .hangs = B("\x00"), .text = B("bac"), .rc = QM_ECANON},
    {.what = "backward of one", .authors = ONE, .heads = B("\x07"), .flags = B("\x04"),
     .text = B("a"), .rc = QM_ECANON},
    {.what = "backward tombstones", .authors = ONE, .heads = B("\x27"), .flags = B("\x04"),
     .states = B("\x00"), .rc = QM_ECANON},
    {.what = "hangs on itself", .authors = ONE, .heads = B("\x07"), .flags = B("\x09"),
     .hangs = B("\x00\x01"), .text = B("a"), .rc = QM_EFORMAT},
    {.what = "hangs on its own end", .authors = ONE, .heads = B("\x17"), .flags = B("\x09"),
     .hangs = B("\x00\x02"), .text = B("ab"), .rc = QM_EFORMAT},
    {.what = "a ring", .authors = B("\x02\x00\x01\x01\x01"), .heads = B("\x07\x07"),
     .flags = B("\x09\x09"), .hangs = B("\x01\x01\x00\x01"), .text = B("ab"),
     .rc = QM_EFORMAT},
};

typedef struct desk {
  qm_env env;
  qm_authors authors;
  qm_arena arena;
  qm_names names;
  uint32_t numbers[2];
} desk;

static void open(desk *d) {
  memset(d, 0, sizeof *d);
  d->env = qm_env_default();
  qm_authors_init(&d->authors, &d->env);
  qm_arena_init(&d->arena, &d->env, (size_t)1 << 20);
  for (uint8_t i = 0; i < 2; i++) {
    const qm_author id = {{i}};
    assert_int_equal(qm_authors_add(&d->authors, &id, &d->numbers[i]), QM_OK);
  }
  d->names = (qm_names){.numbers = d->numbers, .n = 2, .cap = 2};
}

static void close(desk *d) {
  qm_arena_free(&d->arena);
  qm_authors_free(&d->authors);
}

static void bytes_of(const desk *d, const row *r, qm_buf *out) {
  const part *columns = &r->heads;
  qm_buf b;
  qm_buf_init(&b, &d->env, 1000);
  qm_buf_add(&b, r->authors.p, r->authors.n);
  if (r->authors.n > 1)
    for (int i = 0; i < 8; i++) qm_buf_varint(&b, columns[i].n);
  for (int i = 0; i < 9; i++) qm_buf_add(&b, columns[i].p, columns[i].n);
  qm_mp_bin(out, b.p, b.n);
  qm_buf_free(&b);
}

static int read(desk *d, const uint8_t *p, size_t n, qm_cell *cell) {
  qm_cur in;
  const uint8_t *copy = qm_arena_copy(&d->arena, p, n);
  memset(cell, 0, sizeof *cell);
  qm_cur_init(&in, qm_slice_of(copy, n));
  int rc = qm_shape_sequence.decode(cell, &in, &d->names, &d->authors, &d->arena);
  return rc ? rc : qm_cur_end(&in);
}

static void what_is_written_is_read(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
    desk d;
    qm_buf b, out;
    qm_cell cell;
    open(&d);
    qm_buf_init(&b, &d.env, 1000);
    qm_buf_init(&out, &d.env, 1000);
    bytes_of(&d, &taken[i], &b);
    int rc = read(&d, b.p, b.n, &cell);
    if (rc) print_error("%s: %d\n", taken[i].what, rc);
    assert_int_equal(rc, QM_OK);
    qm_sequence_text(&cell, &out);
    assert_int_equal(out.n, strlen(taken[i].shown));
    assert_memory_equal(out.p, taken[i].shown, out.n);
    qm_buf_clear(&out);
    qm_shape_sequence.encode(&cell, &d.names, &d.authors, &out);
    assert_int_equal(qm_buf_status(&out), QM_OK);
    assert_int_equal(out.n, b.n);
    assert_memory_equal(out.p, b.p, b.n);
    for (size_t n = 0; n < b.n; n++) { /* every prefix, as it is and as a whole */
      assert_int_not_equal(read(&d, b.p, n, &cell), QM_OK);
      if (n < 2) continue;
      b.p[1] = (uint8_t)(n - 2);
      assert_int_not_equal(read(&d, b.p, n, &cell), QM_OK);
      b.p[1] = (uint8_t)(b.n - 2);
    }
    qm_buf_free(&b);
    qm_buf_free(&out);
    close(&d);
  }
}

static void what_would_not_be_written_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    desk d;
    qm_buf b;
    qm_cell cell;
    open(&d);
    qm_buf_init(&b, &d.env, 1000);
    bytes_of(&d, &refused[i], &b);
    int rc = read(&d, b.p, b.n, &cell);
    if (rc != refused[i].rc) print_error("%s: %d\n", refused[i].what, rc);
    assert_int_equal(rc, refused[i].rc);
    qm_buf_free(&b);
    close(&d);
  }
}

static void what_is_no_bin_is_refused(void **state) {
  static const uint8_t others[] = {0x90, 0x80, 0xa0, 0xc0, 0x05};
  (void)state;
  for (size_t i = 0; i < sizeof others; i++) {
    desk d;
    qm_cell cell;
    open(&d);
    assert_true(read(&d, &others[i], 1, &cell) < 0);
    close(&d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(what_would_not_be_written_is_refused),
      cmocka_unit_test(what_is_no_bin_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
