/* A record's blob: what is written, that nothing else is read, and what joins keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
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

static void mark(qm_record *r, qm_vv seen, uint32_t author, qm_op op) {
  qm_change change = {.author = author, .counter = op.counter, .time = 7};
  qm_apply a = {&b.authors, &seen, &change, &b.arena};
  seen.next[author] = op.counter;
  ok(qm_marks_apply(&r->marks, &a, &op));
}

/* Something of every shape, by all three authors. */
static qm_record full(void) {
  qm_record r = {.id = {{1}}};
  const qm_vv none = bench_vv(&b, 0, 0, 0);
  for (uint32_t a = 0; a < 3; a++) {
    qm_op op = {.counter = 0, .value = bench_int(&b, 1 + a)};
#define NEXT(...)                                       \
  op = (qm_op){.counter = op.counter + 1, __VA_ARGS__}; \
  bench_apply(&b, &r, bench_vv(&b, 0, 0, 0), a, 1000 * (a + 1) + op.counter, op)
    bench_apply(&b, &r, bench_vv(&b, 0, 0, 0), a, 5, op);
    mark(&r, none, a, op);
    NEXT(.field = 16, .shape = QM_SIBLINGS, .value = bench_text(&b, "tel"));
    NEXT(.field = 17, .shape = QM_SIBLINGS, .value = bench_int(&b, 300 * a), .generation = a,
         .flags = QM_OP_NAMES, .hides = bench_dots(&b, 1, 2u, 70u),
         .keeps = bench_dots(&b, 1, 1u, 9u));
    NEXT(.field = 18, .shape = QM_KEYED, .value = bench_text(&b, a ? "x" : "y"));
    NEXT(.field = 18, .shape = QM_KEYED, .value = bench_text(&b, "z"));
    NEXT(.field = 19, .shape = QM_TOTALS, .value = bench_int(&b, INT64_MAX));
    NEXT(.field = 19, .shape = QM_TOTALS, .value = bench_int(&b, INT64_MAX));
    NEXT(.field = 20, .shape = QM_ENTRIES, .value = bench_text(&b, "step"));
    NEXT(.field = 20, .shape = QM_ENTRIES, .flags = QM_OP_ERASED | QM_OP_ORDER, .order = 99999);
    NEXT(.field = 21, .shape = QM_SEQUENCE, .flags = QM_OP_ROOT, .span = 5,
         .value = bench_text(&b, "hello"));
  }
  bench_apply(&b, &r, bench_vv(&b, 50, 0, 0), 1, 8000,
              (qm_op){.counter = 40,
                      .field = 21,
                      .shape = QM_SEQUENCE,
                      .kind = QM_KIND_CUT,
                      .cuts = {&(qm_range){10, 2, 0}, 1}});
  mark(&r, bench_vv(&b, 50, 50, 0), 1,
       (qm_op){.counter = 41, .kind = QM_KIND_DELETE, .flags = QM_OP_MARKS});
  return r;
}

static void comes_out_again(void **state) {
  (void)state;
  qm_record r = full();
  qm_slice blob = bench_bytes(&b, &r);
  for (size_t n = 0; n < blob.n; n++) assert_false(bench_reads(&b, qm_slice_of(blob.p, n)));
  uint8_t *more = qm_arena_alloc(&b.arena, blob.n + 1);
  memcpy(more, blob.p, blob.n);
  more[blob.n] = 0;
  assert_false(bench_reads(&b, qm_slice_of(more, blob.n + 1)));
  assert_true(qm_record_visible(&r));
  assert_int_equal(qm_record_collection(&r), 2); /* of the least dot: author 1's */
}

/* Whatever changed bytes read as, comes out as those bytes (asserted in bench_reads). */
static void changed_bytes(void **state) {
  (void)state;
  qm_record r = full();
  qm_slice blob = bench_bytes(&b, &r);
  uint8_t *p = qm_arena_copy(&b.arena, blob.p, blob.n);
  unsigned reads = 0;
  for (size_t i = 0; i < blob.n; i++)
    for (unsigned v = 0; v < 256; v++) {
      p[i] = (uint8_t)v;
      reads += (unsigned)bench_reads(&b, qm_slice_of(p, blob.n));
      p[i] = blob.p[i];
    }
  assert_true(reads > blob.n); /* counters, times and texts may be others */
  uint64_t seed = 1;
  for (unsigned round = 0; round < 30000; round++) {
    for (unsigned k = 0; k < 3; k++) {
      seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
      p[(seed >> 33) % blob.n] = (uint8_t)(seed >> 25);
    }
    size_t n = round % 7 ? blob.n : (seed >> 40) % blob.n;
    (void)bench_reads(&b, qm_slice_of(p, n));
    if (round % 3 == 0) memcpy(p, blob.p, blob.n);
  }
}

static qm_slice packed(const uint8_t *p, size_t n) {
  return qm_slice_of(qm_arena_copy(&b.arena, p, n), n);
}

#define BLOB(...) packed((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void by_hand(void **state) {
  (void)state;
  /* names, creations, marks, cells; authors ascend as 1, 2, 0 */
  const qm_slice good[] = {
      BLOB(0x94, 0x90, 0x90, 0x90, 0x90),
      BLOB(0x94, 0x91, 0, 0x93, 0, 5, 1, 0x90, 0x90),
      BLOB(0x94, 0x92, 1, 0, 0x96, 0, 5, 1, 1, 0, 1, 0x90, 0x90),
      BLOB(0x94, 0x91, 2, 0x90, 0x96, 0, 1, 3, 0, 2, 0, 0x90),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x95, 0, 1, 7, 0, 0xc0),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 3, 0x93, 0, 1, 7),
  };
  const qm_slice bad[] = {
      BLOB(0x93, 0x90, 0x90, 0x90),
      BLOB(0x94, 0x91, 0, 0x90, 0x90, 0x90),                       /* a name unused */
      BLOB(0x94, 0x92, 1, 0, 0x93, 0, 5, 1, 0x90, 0x90),           /* one of two unused */
      BLOB(0x94, 0x92, 0, 1, 0x96, 0, 5, 1, 1, 0, 1, 0x90, 0x90),  /* not by id */
      BLOB(0x94, 0x92, 1, 1, 0x96, 0, 5, 1, 1, 0, 1, 0x90, 0x90),  /* twice */
      BLOB(0x94, 0x91, 3, 0x93, 0, 5, 1, 0x90, 0x90),              /* not in the table */
      BLOB(0x94, 0x91, 0, 0x93, 1, 5, 1, 0x90, 0x90),              /* place */
      BLOB(0x94, 0x91, 0, 0x92, 0, 5, 0x90, 0x90),                 /* two of three */
      BLOB(0x94, 0x91, 0, 0x96, 0, 5, 1, 0, 5, 1, 0x90, 0x90),     /* a dot twice */
      BLOB(0x94, 0x91, 0, 0x96, 0, 6, 1, 0, 5, 1, 0x90, 0x90),     /* falling */
      BLOB(0x94, 0x91, 2, 0x90, 0x93, 0, 1, 4, 0x90),              /* a mark's flag */
      BLOB(0x94, 0x91, 2, 0x90, 0x96, 0, 2, 0, 0, 1, 0, 0x90),     /* marks falling */
      BLOB(0x94, 0x90, 0x90, 0x90, 0x93, 16, 1, 0x90),             /* an empty cell */
      BLOB(0x94, 0x90, 0x90, 0x90, 0x93, 16, 0, 0x90),             /* presence is none */
      BLOB(0x94, 0x90, 0x90, 0x90, 0x93, 16, 6, 0x90),             /* no shape */
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 3, 0x93, 0, 0, 7), /* a total of nothing */
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x96, 17, 3, 0x93, 0, 1, 7, 16, 3, 0x93, 0, 1, 7),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x96, 16, 3, 0x93, 0, 1, 7, 16, 3, 0x93, 0, 1, 7),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x95, 0, 1, 7, 2, 0xc0), /* generation of 0 */
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x96, 0, 1, 7, 2, 0xc0, 0),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x97, 0, 1, 7, 4, 0xc0, 0x90, 0x90),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x95, 0, 1, 7, 8, 0xc0),
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x95, 0, 0xcc, 1, 7, 0, 0xc0), /* long form */
      BLOB(0x94, 0x91, 2, 0x90, 0x90, 0x93, 16, 1, 0x94, 0, 1, 7, 0),
      BLOB(0x94, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x90, 0x90, 0x90),
      BLOB(0x94, 0x90, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x90, 0x90),
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    if (!bench_reads(&b, good[i])) fail_msg("good %zu", i);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    if (bench_reads(&b, bad[i])) fail_msg("bad %zu", i);
}

/* The hash depends on the full ids, not on the numbers that they have here. */
static void hash_of_full_ids(void **state) {
  (void)state;
  qm_id id = {{1}}, other = {{2}};
  uint8_t x[16], y[16];
  bench c;
  qm_slice here = BLOB(0x94, 0x92, 1, 0, 0x96, 0, 5, 1, 1, 0, 1, 0x90, 0x90);
  ok(qm_record_hash(&id, here, &b.authors, x));
  bench_open(&c);
  qm_authors_truncate(&c.authors, 0);
  for (uint32_t i = 3; i-- > 0;) {
    uint32_t n;
    ok(qm_authors_add(&c.authors, &b.authors.ids[i], &n));
  }
  qm_slice there = BLOB(0x94, 0x92, 1, 2, 0x96, 0, 5, 1, 1, 0, 1, 0x90, 0x90);
  ok(qm_record_hash(&id, there, &c.authors, y));
  assert_memory_equal(x, y, 16);
  ok(qm_record_hash(&other, there, &c.authors, y));
  assert_true(memcmp(x, y, 16) != 0);
  ok(qm_record_hash(&id, here, &c.authors, y));
  assert_true(memcmp(x, y, 16) != 0);
  assert_int_equal(qm_record_hash(&id, BLOB(0x94, 0x91, 9, 0x90, 0x90, 0x90), &b.authors, x),
                   QM_ECORRUPT);
  bench_close(&c);
}

static void join_keeps_creations(void **state) {
  (void)state;
  qm_record x = {.id = {{1}}}, y = x;
  for (uint64_t n = 0; n < 4; n++) {
    qm_op op = {.counter = n * 2, .value = bench_int(&b, (int64_t)n + 1)};
    bench_apply(&b, &x, bench_vv(&b, 0, 0, 0), 0, n, op);
    if (n % 2) bench_apply(&b, &y, bench_vv(&b, 0, 0, 0), 0, n, op);
    bench_apply(&b, &y, bench_vv(&b, 0, 0, 0), 1, n, op);
  }
  /* Covered by the other side and absent there: they stay all the same. */
  qm_record j = bench_join(&b, &x, bench_vv(&b, 9, 9, 9), &y, bench_vv(&b, 9, 9, 9));
  assert_int_equal(j.n_creations, 8);
  (void)bench_bytes(&b, &j);
  qm_record k = bench_join(&b, &y, bench_vv(&b, 9, 9, 9), &x, bench_vv(&b, 9, 9, 9));
  qm_slice s = bench_bytes(&b, &j), t = bench_bytes(&b, &k);
  assert_int_equal(qm_slice_cmp(s, t), 0);
  j = bench_join(&b, NULL, bench_vv(&b, 0, 0, 0), &y, bench_vv(&b, 9, 9, 9));
  assert_int_equal(j.n_creations, 6);
}

static void marks_join(void **state) {
  (void)state;
  qm_record x = {.id = {{1}}}, y = x;
  const qm_op edit = {.counter = 3, .field = 16, .shape = QM_SIBLINGS};
  mark(&x, bench_vv(&b, 0, 0, 0), 0, edit);
  mark(&y, bench_vv(&b, 0, 0, 0), 0, edit);
  mark(&y, bench_vv(&b, 4, 0, 0), 1,
       (qm_op){.counter = 0, .kind = QM_KIND_DELETE, .flags = QM_OP_MARKS});
  assert_false(qm_record_visible(&y)); /* the edit is kept */
  assert_true(qm_marks_collide(&y.marks));
  qm_record j = bench_join(&b, &x, bench_vv(&b, 4, 0, 0), &y, bench_vv(&b, 4, 1, 0));
  assert_int_equal(j.marks.n, 2);
  assert_false(qm_record_visible(&j)); /* the flag is ORed */
  /* Gone on one side that had seen it: gone. */
  qm_record z = {.id = {{1}}};
  j = bench_join(&b, &x, bench_vv(&b, 4, 0, 0), &z, bench_vv(&b, 4, 0, 0));
  assert_int_equal(j.marks.n, 0);
  j = bench_join(&b, &x, bench_vv(&b, 4, 0, 0), &z, bench_vv(&b, 3, 0, 0));
  assert_int_equal(j.marks.n, 1);
}

static void long_lists_of_dots(void **state) {
  (void)state;
  qm_dot p[300];
  qm_dots sorted;
  for (uint32_t n = 0; n <= 300; n += n < 12 ? 1 : 36) {
    for (uint32_t i = 0; i < n; i++) p[i] = (qm_dot){(i * 7919u) % 101, (i * 31u) % 3};
    const qm_dots list = {p, n};
    ok(qm_dots_sort(&b.arena, list, &sorted));
    assert_int_equal(sorted.n, n);
    for (uint32_t a = 0; a < 4; a++)
      for (uint64_t c = 0; c < 103; c++) {
        int there = 0;
        for (uint32_t i = 0; i < n; i++) there |= qm_dot_eq(p[i], (qm_dot){c, a});
        assert_int_equal(qm_dots_hold(sorted, (qm_dot){c, a}), there);
      }
  }
}

static void too_large(void **state) {
  (void)state;
  static char text[60001];
  qm_record r = {.id = {{1}}};
  qm_buf out;
  memset(text, 'x', sizeof text - 1);
  for (uint64_t n = 0; n < 140; n++)
    bench_apply(
        &b, &r, bench_vv(&b, 0, 0, 0), 0, n,
        (qm_op){.counter = n, .field = 20, .shape = QM_ENTRIES, .value = bench_text(&b, text)});
  qm_buf_init(&out, &b.env, SIZE_MAX / 2);
  assert_int_equal(qm_record_encode(&r, &b.authors, &b.arena, &out), QM_ELIMIT);
  qm_buf_free(&out);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(comes_out_again),
                                     T(changed_bytes),
                                     T(by_hand),
                                     T(hash_of_full_ids),
                                     T(join_keeps_creations),
                                     T(marks_join),
                                     T(long_lists_of_dots),
                                     T(too_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
