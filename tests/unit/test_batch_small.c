/* The compact form (S5.19 on): what it says is what the columns say of the same segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/batch_small.h"
#include "core/mp.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_batch.h"

#define SEEDS 400u

static qm_env plain;

/* What a receiver knows of the author before a segment. */
typedef struct before {
  uint64_t start;
  qm_time last;
  uint8_t previous[QM_HEAD_SIZE];
} before;

static before before_of(const world *w, uint32_t author) {
  before b = {w->chains[author].next, w->chains[author].time, {0}};
  memcpy(b.previous, w->chains[author].head, QM_HEAD_SIZE);
  return b;
}

/* Authors of the receiver: the same ids under other numbers. */
static void other_table(const world *w, qm_authors *t) {
  qm_author stranger;
  uint32_t n;
  qm_authors_init(t, &plain);
  memset(stranger.b, 0x77, sizeof stranger.b);
  assert_int_equal(qm_authors_add(t, &stranger, &n), QM_OK);
  for (uint32_t i = w->authors.n; i-- > 0;)
    assert_int_equal(qm_authors_add(t, &w->authors.ids[i], &n), QM_OK);
}

static int decode(qm_slice blob, const qm_authors *authors, const before *b, qm_arena *arena,
                  qm_segment *out) {
  qm_small_in in;
  QM_TRY(qm_small_open(&in, blob, authors));
  if (in.author == UINT32_MAX) return QM_ENOTFOUND;
  return qm_small_read(&in, in.author, b->start, b->last, b->previous, arena, out);
}

static void hash_of(const qm_segment *g, const qm_authors *authors, qm_arena *arena,
                    qm_hash *out) {
  static const qm_id space = {{0x5a}};
  static const qm_hash previous;
  assert_int_equal(qm_segment_hash(g, &space, &previous, authors, arena, out), QM_OK);
}

/* Through the columns, for their own view of the same segment. */
static void by_columns(qm_segment *g, const qm_authors *authors, const qm_authors *others,
                       qm_arena *arena, qm_batch *out) {
  qm_buf blob;
  qm_batch_in in;
  qm_batch one = {g, 1};
  qm_buf_init(&blob, &plain, QM_BATCH_MAX);
  assert_int_equal(qm_batch_encode(&blob, &one, authors, 1), QM_OK);
  assert_int_equal(qm_batch_open(&in, qm_buf_slice(&blob), arena), QM_OK);
  for (uint32_t i = 0; i < in.n_authors; i++)
    assert_int_equal(qm_authors_find(others, &in.authors[i], &in.map[i]), QM_OK);
  assert_int_equal(qm_batch_read(&in, out), QM_OK);
  qm_buf_free(&blob);
}

static void both_forms_say_the_same(void **state) {
  uint32_t small = 0;
  (void)state;
  for (uint32_t seed = 0; seed < SEEDS; seed++) {
    world w;
    world_init(&w, &plain, seed);
    for (uint32_t k = 0; k < 4; k++) {
      uint32_t author = world_below(&w, WORLD_AUTHORS);
      before b = before_of(&w, author);
      qm_segment g = world_segment(&w, author, 1 + k), got;
      qm_batch batch = {&g, 1}, mine = {&got, 1}, theirs;
      qm_authors others;
      qm_arena arena;
      qm_buf blob;
      qm_hash one, two;
      qm_buf_init(&blob, &plain, QM_BATCH_MAX);
      qm_arena_init(&arena, &plain, SIZE_MAX);
      other_table(&w, &others);
      int rc = qm_small_encode(&blob, &g, &w.authors);
      if (rc == QM_OK) {
        small++;
        assert_true(qm_is_small(qm_buf_slice(&blob)));
        assert_true(blob.n <= QM_SMALL_MAX);
        assert_int_equal(decode(qm_buf_slice(&blob), &others, &b, &arena, &got), QM_OK);
        const char *why = batch_differs((side){&batch, &w.authors}, (side){&mine, &others});
        if (why) fail_msg("seed %u: %s differs", seed, why);
        /* Resolved alike, they have one hash. */
        for (uint32_t i = 0; i < g.n_changes; i++)
          for (uint32_t o = 0; o < g.changes[i].n_ops; o++)
            got.changes[i].ops[o].record = g.changes[i].ops[o].record;
        by_columns(&g, &w.authors, &others, &arena, &theirs);
        why = batch_differs((side){&mine, &others}, (side){&theirs, &others});
        if (why) fail_msg("seed %u: %s differs from the columns", seed, why);
        hash_of(&g, &w.authors, &arena, &one);
        hash_of(&got, &others, &arena, &two);
        assert_memory_equal(one.b, two.b, sizeof one.b);
      } else {
        assert_int_equal(rc, QM_ELIMIT);
        assert_int_equal(blob.n, 0);
      }
      qm_buf_free(&blob);
      qm_arena_free(&arena);
      qm_authors_free(&others);
    }
    world_free(&w);
  }
  assert_true(small > SEEDS);
}

static void truncation_and_tails_are_refused(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 40; seed++) {
    world w;
    qm_buf blob;
    world_init(&w, &plain, seed + 5000);
    before b = before_of(&w, 1);
    qm_segment g = world_segment(&w, 1, 2), got;
    qm_buf_init(&blob, &plain, QM_BATCH_MAX);
    if (qm_small_encode(&blob, &g, &w.authors) == QM_OK) {
      for (size_t n = 0; n <= blob.n + 1; n++) {
        qm_arena arena;
        uint8_t *exact = qm_alloc(&plain, n + 1); /* ASan sees a read beyond n */
        memset(exact, 0, n + 1);
        memcpy(exact, blob.p, n < blob.n ? n : blob.n);
        qm_arena_init(&arena, &plain, SIZE_MAX);
        int rc = decode(qm_slice_of(exact, n), &w.authors, &b, &arena, &got);
        if (n == blob.n) assert_int_equal(rc, QM_OK);
        else assert_int_not_equal(rc, QM_OK);
        if (n > blob.n) assert_int_equal(rc, QM_ETRAILING);
        qm_arena_free(&arena);
        qm_free(&plain, exact);
      }
    }
    qm_buf_free(&blob);
    world_free(&w);
  }
}

/* Whatever the bytes, reading ends, and what it accepts can be said again. */
static void mutations_are_refused_or_whole(void **state) {
  uint32_t accepted = 0;
  (void)state;
  for (uint32_t seed = 0; seed < 200; seed++) {
    world w;
    qm_buf blob, again;
    world_init(&w, &plain, seed + 9000);
    before b = before_of(&w, 2);
    qm_segment g = world_segment(&w, 2, 2), got, twice;
    qm_buf_init(&blob, &plain, QM_BATCH_MAX);
    qm_buf_init(&again, &plain, QM_BATCH_MAX);
    int is_small = qm_small_encode(&blob, &g, &w.authors) == QM_OK;
    for (uint32_t k = 0; is_small && k < 60; k++) {
      qm_arena arena;
      uint8_t *bad = qm_alloc(&plain, blob.n);
      memcpy(bad, blob.p, blob.n);
      for (uint32_t m = world_below(&w, 3); m < 3; m++)
        bad[world_below(&w, (uint32_t)blob.n)] ^= (uint8_t)(1u << world_below(&w, 8));
      qm_arena_init(&arena, &plain, 1u << 22);
      qm_buf_clear(&again);
      if (decode(qm_slice_of(bad, blob.n), &w.authors, &b, &arena, &got) == QM_OK) {
        (void)qm_segment_check(&got, NULL);
        if (qm_small_encode(&again, &got, &w.authors) == QM_OK) {
          qm_batch x = {&got, 1}, y = {&twice, 1};
          accepted++;
          assert_int_equal(decode(qm_buf_slice(&again), &w.authors, &b, &arena, &twice), QM_OK);
          const char *why = batch_differs((side){&x, &w.authors}, (side){&y, &w.authors});
          if (why) fail_msg("seed %u, mutation %u: %s differs", seed, k, why);
        }
      }
      qm_arena_free(&arena);
      qm_free(&plain, bad);
    }
    qm_buf_free(&blob);
    qm_buf_free(&again);
    world_free(&w);
  }
  assert_true(accepted > 500);
}

/* --- one write, by hand --- */

typedef struct bench {
  world w;
  qm_op op;
  qm_change c;
  qm_salt seed;
  qm_segment g;
  qm_buf value;
} bench;

static void bench_init(bench *b) {
  memset(b, 0, sizeof *b);
  world_init(&b->w, &plain, 4);
  qm_buf_init(&b->value, &plain, 1u << 20);
  qm_mp_str(&b->value, "10000004567", 11);
  b->op = (qm_op){.counter = 700, .span = 1, .field = 18, .shape = QM_SIBLINGS,
                  .value = qm_buf_slice(&b->value), .named = QM_BY_CREATION,
                  .created = {300, 1}};
  b->c = (qm_change){.counter = 700, .next = 701, .time = UINT64_C(1760000000000) << 16,
                     .ops = &b->op, .n_ops = 1};
  b->seed.count = 1;
  b->g = (qm_segment){.start = 700, .next = 701, .changes = &b->c, .n_changes = 1, .n_ops = 1,
                      .salts = &b->seed, .n_salts = 1, .algorithm = 1};
}

static void bench_free(bench *b) {
  qm_buf_free(&b->value);
  world_free(&b->w);
}

static int bench_encode(bench *b, qm_buf *out) {
  qm_buf_init(out, &plain, QM_BATCH_MAX);
  return qm_small_encode(out, &b->g, &b->w.authors);
}

/* S5.19 to S5.24, byte by byte. */
static void a_field_is_few_bytes(void **state) {
  bench b;
  qm_buf out;
  (void)state;
  bench_init(&b);
  assert_int_equal(bench_encode(&b, &out), QM_OK);
  /* version, tag, time, form, tag and counter of the creation, field, value, seed, head */
  assert_int_equal(out.n, 1 + 2 + 4 + 1 + 2 + 2 + 1 + 12 + 16 + 8);
  assert_int_equal(out.p[0], 0x80);
  assert_int_equal(out.p[7], 1 | 3 << 5);
  assert_int_equal(out.p[12], 18);
  qm_buf_free(&out);
  b.op.created.author = 0; /* its own record: by distance */
  assert_int_equal(bench_encode(&b, &out), QM_OK);
  assert_int_equal(out.n, 1 + 2 + 4 + 1 + 2 + 1 + 12 + 16 + 8);
  assert_int_equal(out.p[7], 1 | 2 << 5);
  qm_buf_free(&out);
  bench_free(&b);
}

static void bend_erased(bench *b) { b->op.flags = QM_OP_ERASED; }
static void bend_algorithm(bench *b) { b->g.algorithm = 2; }
static void bend_salts(bench *b) { b->g.n_salts = 0; }
static void bend_changes(bench *b) { b->g.n_changes = 0; }
static void bend_many(bench *b) { b->g.n_changes = QM_SMALL_CHANGES_MAX + 1; }
static void bend_ops(bench *b) { b->g.n_ops = b->seed.count = QM_SMALL_OPS_MAX + 1; }
static void bend_long(bench *b) {
  static const char text[QM_SMALL_MAX];
  qm_buf_clear(&b->value);
  qm_mp_bin(&b->value, text, sizeof text);
  b->op.value = qm_buf_slice(&b->value);
}
static void bend_twins(bench *b) { /* two authors of one tag: bytes swapped */
  qm_author twin = b->w.authors.ids[1];
  uint32_t n;
  uint8_t byte[2] = {twin.b[0], twin.b[1]};
  twin.b[0] = twin.b[2], twin.b[1] = twin.b[3], twin.b[2] = byte[0], twin.b[3] = byte[1];
  assert_int_equal(qm_authors_add(&b->w.authors, &twin, &n), QM_OK);
}
static void bend_author(bench *b) { b->g.author = 99; }
static void bend_creator(bench *b) { b->op.created.author = 99; }

static void what_is_not_small_is_not_said(void **state) {
  static const struct {
    void (*bend)(bench *b);
    int rc;
  } all[] = {{bend_erased, QM_ELIMIT}, {bend_algorithm, QM_ELIMIT}, {bend_salts, QM_ELIMIT},
             {bend_changes, QM_ELIMIT}, {bend_many, QM_ELIMIT}, {bend_ops, QM_ELIMIT},
             {bend_long, QM_ELIMIT}, {bend_twins, QM_ELIMIT}, {bend_author, QM_EINVAL},
             {bend_creator, QM_EINVAL}};
  (void)state;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    bench b;
    qm_buf out;
    bench_init(&b);
    all[i].bend(&b);
    assert_int_equal(bench_encode(&b, &out), all[i].rc);
    assert_int_equal(out.n, 0);
    qm_buf_free(&out);
    bench_free(&b);
  }
}

/* Bytes of the plain write above, bent at one place. */
static void readers_refuse(void **state) {
  static const struct {
    const char *what;
    size_t at;
    uint8_t is;
    int rc;
  } all[] = {
      {"no version of this form", 0, 0x7f, QM_EVERSION},
      {"an unknown flag", 0, 0x90, QM_EFORMAT},
      {"an unknown tag", 1, 0xee, QM_ENOTFOUND},
      {"a time that bears a tick of 0", 0, 0x84, QM_OK}, /* the form is then a tick: shifted */
      {"the record of the op before the first", 7, 1, QM_EFORMAT},
      {"an unknown shape", 7, 6 | 3 << 5, QM_EMALFORMED},
      {"an unknown kind", 7, 1 | 3 << 3 | 3 << 5, QM_EMALFORMED},
      {"an unknown tag of a record", 8, 0xee, QM_ENOTFOUND},
      {"a value cut short", 13, 0xbf, QM_ETRUNCATED},
  };
  (void)state;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    bench b;
    qm_buf out;
    qm_arena arena;
    qm_segment got;
    before at = {700, UINT64_C(1759999999999) << 16, {0}};
    bench_init(&b);
    assert_int_equal(bench_encode(&b, &out), QM_OK);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    assert_int_equal(decode(qm_buf_slice(&out), &b.w.authors, &at, &arena, &got), QM_OK);
    out.p[all[i].at] = all[i].is;
    int rc = decode(qm_buf_slice(&out), &b.w.authors, &at, &arena, &got);
    if (all[i].rc == QM_OK) assert_int_not_equal(rc, QM_OK);
    else if (rc != all[i].rc) fail_msg("%s: %d", all[i].what, rc);
    qm_arena_free(&arena);
    qm_buf_free(&out);
    bench_free(&b);
  }
}

/* The 32 bits that are said stand for the least time that is later than the one before. */
static void times_go_on(void **state) {
  static const uint64_t steps[] = {1, 1000, 86400000, UINT64_C(0xffffffff), UINT64_C(1) << 32};
  (void)state;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    bench b;
    qm_buf out;
    qm_arena arena;
    qm_segment got;
    bench_init(&b);
    before at = {700, b.c.time, {0}};
    b.c.time += steps[i] << 16;
    assert_int_equal(bench_encode(&b, &out), QM_OK);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    assert_int_equal(decode(qm_buf_slice(&out), &b.w.authors, &at, &arena, &got), QM_OK);
    assert_true(got.changes[0].time == b.c.time);
    qm_arena_free(&arena);
    qm_buf_free(&out);
    bench_free(&b);
  }
}

static void out_of_memory(void **state) {
  bench b;
  qm_buf out;
  size_t failed = 0;
  before at700 = {700, 0, {0}};
  (void)state;
  bench_init(&b);
  assert_int_equal(bench_encode(&b, &out), QM_OK);
  for (size_t at = 1;; at++) {
    test_alloc counter = {0, 0, 0, at};
    qm_env env = test_alloc_env(&counter);
    qm_arena arena;
    qm_segment got;
    qm_arena_init(&arena, &env, SIZE_MAX);
    int rc = decode(qm_buf_slice(&out), &b.w.authors, &at700, &arena, &got);
    qm_arena_free(&arena);
    assert_int_equal(counter.live, 0);
    if (rc == QM_OK) break;
    assert_int_equal(rc, QM_ENOMEM);
    failed++;
  }
  assert_true(failed > 0);
  qm_buf_free(&out);
  bench_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_forms_say_the_same),
      cmocka_unit_test(truncation_and_tails_are_refused),
      cmocka_unit_test(mutations_are_refused_or_whole),
      cmocka_unit_test(a_field_is_few_bytes),
      cmocka_unit_test(what_is_not_small_is_not_said),
      cmocka_unit_test(readers_refuse),
      cmocka_unit_test(times_go_on),
      cmocka_unit_test(out_of_memory),
  };
  plain = qm_env_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
