/* Frames on a byte stream (SPEC S8.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/wire.h"
#include "tests/unit/support_alloc.h"

/* Feeds in pieces of `piece` bytes and expects `bodies` one after the other. */
static void reads(const uint8_t *in, size_t len, size_t piece, const char *const *bodies,
                  size_t n) {
  qm_env env = qm_env_default();
  qm_wire w;
  qm_slice body;
  size_t at = 0, got = 0, used;
  qm_wire_init(&w, &env, QM_SYNC_BODY_MAX);
  while (at < len || qm_wire_ready(&w, &body)) {
    size_t k = piece < len - at ? piece : len - at;
    assert_int_equal(qm_wire_feed(&w, in + at, k, &used), QM_OK);
    assert_true(used <= k);
    at += used;
    if (!qm_wire_ready(&w, &body)) continue;
    /* One frame at a time: it takes no more until this one is dropped. */
    assert_int_equal(qm_wire_feed(&w, in + at, len - at, &used), QM_OK);
    assert_int_equal(used, 0);
    assert_true(got < n);
    assert_int_equal(body.n, strlen(bodies[got]));
    assert_memory_equal(body.p, bodies[got], body.n);
    got++;
    qm_wire_next(&w);
  }
  assert_int_equal(got, n);
  assert_int_equal(qm_wire_partial(&w), 0);
  qm_wire_free(&w);
}

static void frames_come_out_whole_however_they_came_in(void **state) {
  static const uint8_t in[] = {0,   0,   0,   1,   'a', 0, 0, 0, 5,   'b',
                               'c', 'd', 'e', 'f', 0,   0, 0, 2, 'g', 'h'};
  static const char *const bodies[] = {"a", "bcdef", "gh"};
  (void)state;
  for (size_t piece = 1; piece <= sizeof in; piece++) reads(in, sizeof in, piece, bodies, 3);
}

static void parts_are_told_from_nothing(void **state) {
  static const uint8_t in[] = {0, 0, 0, 3, 'a', 'b', 'c'};
  qm_env env = qm_env_default();
  qm_wire w;
  qm_slice body;
  size_t used;
  (void)state;
  for (size_t n = 0; n <= sizeof in; n++) {
    qm_wire_init(&w, &env, 100);
    assert_int_equal(qm_wire_feed(&w, in, n, &used), QM_OK);
    assert_int_equal(used, n);
    assert_int_equal(qm_wire_partial(&w), n > 0);
    assert_int_equal(qm_wire_ready(&w, &body), n == sizeof in);
    qm_wire_free(&w);
  }
}

static void lengths_have_bounds(void **state) {
  static const struct {
    uint8_t in[4];
    uint32_t max;
    int rc;
  } rows[] = {
      {{0, 0, 0, 0}, 100, QM_EFORMAT},
      {{0, 0, 0, 1}, 100, QM_OK},
      {{0, 0, 0, 100}, 100, QM_OK},
      {{0, 0, 0, 101}, 100, QM_EOVERSIZE},
      {{0, 0, 1, 0}, 100, QM_EOVERSIZE},
      {{0, 18, 0, 0}, QM_SYNC_BODY_MAX, QM_OK},
      {{0, 18, 0, 1}, QM_SYNC_BODY_MAX, QM_EOVERSIZE},
      {{0xff, 0xff, 0xff, 0xff}, QM_SYNC_BODY_MAX, QM_EOVERSIZE},
  };
  qm_env env = qm_env_default();
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_wire w;
    size_t used;
    qm_wire_init(&w, &env, rows[i].max);
    assert_int_equal(qm_wire_feed(&w, rows[i].in, 4, &used), rows[i].rc);
    assert_int_equal(qm_wire_feed(&w, rows[i].in, 1, &used), rows[i].rc); /* sticks */
    if (rows[i].rc) assert_int_equal(used, 0);
    qm_wire_free(&w);
  }
}

/* S8.1: memory follows the bytes that are there, not the length that is claimed. */
static void a_claim_allocates_nothing(void **state) {
  static const uint8_t in[] = {0, 17, 255, 255, 1, 2, 3};
  test_alloc alloc = {0};
  qm_env env = test_alloc_env(&alloc);
  qm_wire w;
  size_t used;
  (void)state;
  qm_wire_init(&w, &env, QM_SYNC_BODY_MAX);
  assert_int_equal(qm_wire_feed(&w, in, 4, &used), QM_OK);
  assert_int_equal(alloc.count, 0);
  assert_int_equal(qm_wire_feed(&w, in + 4, 3, &used), QM_OK);
  assert_true(alloc.size_most <= 64);
  static const uint8_t zeros[1000];
  for (int i = 0; i < 50; i++) assert_int_equal(qm_wire_feed(&w, zeros, 1000, &used), QM_OK);
  assert_true(alloc.size_most <= 2 * 50003);
  qm_wire_free(&w);
  assert_int_equal(alloc.live, 0);
}

static void out_of_memory_sticks(void **state) {
  static const uint8_t in[] = {0, 0, 0, 2, 'a', 'b'};
  test_alloc alloc = {.fail_at = 1};
  qm_env env = test_alloc_env(&alloc);
  qm_wire w;
  qm_slice body;
  size_t used;
  (void)state;
  qm_wire_init(&w, &env, 100);
  assert_int_equal(qm_wire_feed(&w, in, sizeof in, &used), QM_ENOMEM);
  alloc.fail_at = 0;
  assert_int_equal(qm_wire_feed(&w, in, sizeof in, &used), QM_ENOMEM);
  assert_int_equal(qm_wire_ready(&w, &body), 0);
  qm_wire_free(&w);
}

static void the_maximum_moves_with_the_next_header(void **state) {
  static const uint8_t in[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 3};
  qm_env env = qm_env_default();
  qm_wire w;
  size_t used;
  (void)state;
  qm_wire_init(&w, &env, 3);
  assert_int_equal(qm_wire_feed(&w, in, 5, &used), QM_OK);
  qm_wire_max(&w, 2);
  assert_int_equal(qm_wire_feed(&w, in + 5, 2, &used), QM_OK);
  qm_wire_next(&w);
  assert_int_equal(qm_wire_feed(&w, in + 7, 4, &used), QM_EOVERSIZE);
  qm_wire_free(&w);
}

static void writing_fills_in_the_length(void **state) {
  static const uint8_t want[] = {'x', 0, 0, 0, 3, 'a', 'b', 'c'};
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 2 * QM_SYNC_BODY_MAX);
  qm_buf_byte(&out, 'x');
  size_t at = qm_wire_begin(&out);
  qm_buf_add(&out, "abc", 3);
  assert_int_equal(qm_wire_end(&out, at), QM_OK);
  assert_int_equal(out.n, sizeof want);
  assert_memory_equal(out.p, want, sizeof want);
  at = qm_wire_begin(&out);
  uint8_t *p = qm_buf_reserve(&out, QM_SYNC_BODY_MAX + 1);
  assert_non_null(p);
  memset(p, 0, QM_SYNC_BODY_MAX + 1);
  out.n += QM_SYNC_BODY_MAX + 1;
  assert_int_equal(qm_wire_end(&out, at), QM_ELIMIT);
  assert_int_equal(out.n, sizeof want); /* taken back */
  qm_buf_free(&out);
  qm_buf_init(&out, &env, 5);
  at = qm_wire_begin(&out);
  qm_buf_add(&out, "abc", 3);
  assert_int_equal(qm_wire_end(&out, at), QM_ELIMIT);
  qm_buf_free(&out);
}

/* S8.15: between the others, once they may come. */
static void short_frames_stand_between(void **state) {
  static const size_t sizes[] = {1, 2, 239, 240, 255, 256, 4095};
  qm_env env = qm_env_default();
  (void)state;
  for (size_t piece = 1; piece < 5000; piece = piece * 3 + 1) {
    qm_wire w;
    qm_buf in;
    qm_slice body;
    size_t used, got = 0;
    qm_buf_init(&in, &env, 1u << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      qm_wire_short(&in, sizes[i]);
      assert_int_equal(in.p[in.n - 1], (uint8_t)sizes[i]);
      for (size_t k = 0; k < sizes[i]; k++) qm_buf_byte(&in, (uint8_t)k);
      size_t at = qm_wire_begin(&in);
      qm_buf_add(&in, "long", 4);
      assert_int_equal(qm_wire_end(&in, at), QM_OK);
    }
    qm_wire_init(&w, &env, QM_SYNC_BODY_MAX);
    qm_wire_take_short(&w);
    for (size_t at = 0; at < in.n; at += used) {
      size_t n = piece < in.n - at ? piece : in.n - at;
      assert_int_equal(qm_wire_feed(&w, in.p + at, n, &used), QM_OK);
      if (!qm_wire_ready(&w, &body)) continue;
      assert_int_equal(qm_wire_is_short(&w), got % 2 == 0);
      assert_int_equal(body.n, got % 2 ? 4 : sizes[got / 2]);
      assert_int_equal(body.p[body.n - 1], got % 2 ? 'g' : (uint8_t)(sizes[got / 2] - 1));
      got++;
      qm_wire_next(&w);
    }
    assert_int_equal(got, 2 * sizeof sizes / sizeof *sizes);
    qm_wire_free(&w);
    qm_buf_free(&in);
  }
}

static void short_frames_have_one_form_and_a_time(void **state) {
  static const uint8_t longer[] = {0xf0, 0x10, 0}, early[] = {1, 'a', 0, 0};
  qm_env env = qm_env_default();
  qm_wire w;
  size_t used;
  (void)state;
  qm_wire_init(&w, &env, QM_SYNC_BODY_MAX);
  qm_wire_take_short(&w);
  assert_int_equal(qm_wire_feed(&w, longer, sizeof longer, &used), QM_EFORMAT);
  qm_wire_free(&w);
  qm_wire_init(&w, &env, QM_SYNC_BODY_MAX);
  assert_int_equal(qm_wire_feed(&w, early, sizeof early, &used), QM_EOVERSIZE);
  qm_wire_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_come_out_whole_however_they_came_in),
      cmocka_unit_test(parts_are_told_from_nothing),
      cmocka_unit_test(lengths_have_bounds),
      cmocka_unit_test(a_claim_allocates_nothing),
      cmocka_unit_test(out_of_memory_sticks),
      cmocka_unit_test(the_maximum_moves_with_the_next_header),
      cmocka_unit_test(writing_fills_in_the_length),
      cmocka_unit_test(short_frames_stand_between),
      cmocka_unit_test(short_frames_have_one_form_and_a_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
