#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/zip.h"
#include "tests/unit/support_alloc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef struct world {
  test_alloc count;
  qm_env env;
  qm_buf packed, out;
} world;

static void open_world(world *w) {
  memset(w, 0, sizeof *w);
  w->env = test_alloc_env(&w->count);
  qm_buf_init(&w->packed, &w->env, 1 << 22);
  qm_buf_init(&w->out, &w->env, 1 << 22);
}

static void close_world(world *w) {
  qm_buf_free(&w->packed);
  qm_buf_free(&w->out);
  assert_int_equal(w->count.live, 0);
}

/* n bytes that compress a little. */
static void fill(qm_buf *b, size_t n) {
  uint32_t x = 12345;
  for (size_t i = 0; i < n; i++) {
    x = x * 1103515245u + 12345u;
    qm_buf_byte(b, (uint8_t)('a' + (x >> 16) % 17));
  }
}

static void round_trips(void **state) {
  static const size_t sizes[] = {0, 1, 2, 100, 4095, 4096, 131071, 131072, 131073, 700000};
  (void)state;
  for (size_t i = 0; i < COUNT(sizes); i++) {
    world w;
    open_world(&w);
    qm_buf plain;
    qm_buf_init(&plain, &w.env, 1 << 22);
    fill(&plain, sizes[i]);
    qm_buf_add(&w.packed, "head", 4);
    qm_buf_add(&w.out, "tail", 4);
    assert_int_equal(qm_zip(&w.packed, qm_buf_slice(&plain), 3), QM_OK);
    assert_memory_equal(w.packed.p, "head\x28\xb5\x2f\xfd", 8);
    qm_slice frame = qm_slice_of(w.packed.p + 4, w.packed.n - 4);
    assert_int_equal(qm_unzip(&w.out, frame, sizes[i]), QM_OK);
    assert_int_equal(w.out.n, 4 + sizes[i]);
    assert_memory_equal(w.out.p, "tail", 4);
    if (sizes[i]) assert_memory_equal(w.out.p + 4, plain.p, sizes[i]);
    qm_buf_free(&plain);
    close_world(&w);
  }
}

static void same_input_same_bytes_at_any_level(void **state) {
  static const int levels[] = {-1000000, -1, 0, 1, 3, 19, 1000000};
  (void)state;
  for (size_t i = 0; i < COUNT(levels); i++) {
    world w;
    open_world(&w);
    qm_buf plain;
    qm_buf_init(&plain, &w.env, 1 << 16);
    fill(&plain, 3000);
    assert_int_equal(qm_zip(&w.packed, qm_buf_slice(&plain), levels[i]), QM_OK);
    size_t n = w.packed.n;
    assert_int_equal(qm_zip(&w.packed, qm_buf_slice(&plain), levels[i]), QM_OK);
    assert_int_equal(w.packed.n, 2 * n);
    assert_memory_equal(w.packed.p, w.packed.p + n, n);
    assert_int_equal(qm_unzip(&w.out, qm_slice_of(w.packed.p, n), 3000), QM_OK);
    assert_memory_equal(w.out.p, plain.p, 3000);
    qm_buf_free(&plain);
    close_world(&w);
  }
}

/* Frames written by hand: magic, descriptor, sizes, then blocks. */
#define MAGIC "\x28\xb5\x2f\xfd"
#define T(bytes) bytes, sizeof(bytes) - 1

static void frames_by_hand(void **state) {
  static const struct {
    const char *what;
    const char *in;
    size_t n;
    size_t size_max;
    int rc;
  } rows[] = {
      {"raw block of three", T(MAGIC "\x20\x03\x19\x00\x00xyz"), 3, QM_OK},
      {"the same, larger than allowed", T(MAGIC "\x20\x03\x19\x00\x00xyz"), 2, QM_EOVERSIZE},
      {"empty content", T(MAGIC "\x20\x00\x01\x00\x00"), 0, QM_OK},
      {"RLE block, five of z", T(MAGIC "\x20\x05\x2b\x00\x00z"), 5, QM_OK},
      {"no input", T(""), 100, QM_EFORMAT},
      {"half a magic", T("\x28\xb5"), 100, QM_EFORMAT},
      {"only the magic", T(MAGIC), 100, QM_EFORMAT},
      {"another magic", T("\x29\xb5\x2f\xfd\x20\x03\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"an old format's magic", T("\x27\xb5\x2f\xfd\x20\x03\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"a skippable frame", T("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz"), 100, QM_EFORMAT},
      {"an empty skippable frame", T("\x50\x2a\x4d\x18\x00\x00\x00\x00"), 100, QM_EFORMAT},
      {"reserved bit", T(MAGIC "\x28\x03\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"no content size", T(MAGIC "\x00\x58\x19\x00\x00xyz"), 100, QM_EOVERSIZE},
      {"no content size, huge window", T(MAGIC "\x00\xff\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"a dictionary id", T(MAGIC "\x21\x07\x03\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"claims more than it holds", T(MAGIC "\x20\x04\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"claims less than it holds", T(MAGIC "\x20\x02\x19\x00\x00xyz"), 100, QM_EFORMAT},
      {"claims 4 GiB", T(MAGIC "\xa0\xff\xff\xff\xff\x19\x00\x00xyz"), 1 << 20, QM_EOVERSIZE},
      {"claims 2^64-1", T(MAGIC "\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x19\x00\x00xyz"), 1 << 20,
       QM_EOVERSIZE},
      {"claims 2^64-2", T(MAGIC "\xe0\xfe\xff\xff\xff\xff\xff\xff\xff\x19\x00\x00xyz"), SIZE_MAX,
       SIZE_MAX < UINT64_MAX ? QM_EOVERSIZE : QM_EFORMAT},
      {"16 MiB in one block", T(MAGIC "\xa0\x00\x00\x00\x01\x02\x00\x80z"), 1 << 24, QM_EFORMAT},
      {"reserved block type", T(MAGIC "\x20\x03\x1f\x00\x00xyz"), 100, QM_EFORMAT},
      {"no last block", T(MAGIC "\x20\x03\x18\x00\x00xyz"), 100, QM_EFORMAT},
      {"a byte behind", T(MAGIC "\x20\x03\x19\x00\x00xyz!"), 100, QM_ETRAILING},
      {"two frames", T(MAGIC "\x20\x03\x19\x00\x00xyz" MAGIC "\x20\x03\x19\x00\x00xyz"), 100,
       QM_ETRAILING},
      {"a skippable frame behind",
       T(MAGIC "\x20\x03\x19\x00\x00xyz\x50\x2a\x4d\x18\x00\x00\x00\x00"), 100, QM_ETRAILING},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    world w;
    open_world(&w);
    qm_buf_add(&w.out, "kept", 4);
    int rc = qm_unzip(&w.out, qm_slice_of(rows[i].in, rows[i].n), rows[i].size_max);
    if (rc != rows[i].rc) fail_msg("%s: %s", rows[i].what, qm_err_name(rc));
    assert_int_equal(qm_buf_status(&w.out), QM_OK);
    if (rc) assert_int_equal(w.out.n, 4);
    /* Claims alone never make it ask for much: 200 KiB is zstd's own context. */
    assert_true(w.count.size_most < 200 * 1024);
    assert_memory_equal(w.out.p, "kept", 4);
    close_world(&w);
  }
}

/* Letters, then digits: each with codes of its own. */
static void parts_have_their_own_codes(void **state) {
  (void)state;
  world w;
  size_t whole, ends[12];
  uint32_t x = 1;
  qm_buf plain;
  open_world(&w);
  qm_buf_init(&plain, &w.env, 1 << 22);
  for (unsigned i = 0; i < 12; i++) {
    for (unsigned k = 0; k < 20000; k++) {
      x = x * 1103515245u + 12345u;
      qm_buf_byte(&plain, (uint8_t)(i % 2 ? 'a' + (x >> 16) % 17 : '0' + (x >> 16) % 3));
    }
    ends[i] = plain.n;
  }
  assert_int_equal(qm_zip(&w.packed, qm_buf_slice(&plain), 1), QM_OK);
  whole = w.packed.n;
  for (size_t n = 0; n <= 12; n++) { /* the last end is that of all */
    size_t kept = n ? ends[n - 1] : 0;
    if (n) ends[n - 1] = plain.n;
    qm_buf_clear(&w.packed);
    qm_buf_clear(&w.out);
    assert_int_equal(qm_zip_parts(&w.packed, qm_buf_slice(&plain), 1, ends, n), QM_OK);
    if (n) ends[n - 1] = kept;
    if (n == 12) assert_true(w.packed.n < whole);
    assert_int_equal(qm_unzip(&w.out, qm_buf_slice(&w.packed), plain.n), QM_OK);
    assert_int_equal(w.out.n, plain.n);
    assert_memory_equal(w.out.p, plain.p, plain.n);
  }
  /* Parts without a byte, and a frame that has to fit. */
  const size_t empty[] = {0, 0, plain.n, plain.n};
  qm_buf small;
  qm_buf_clear(&w.packed);
  qm_buf_clear(&w.out);
  assert_int_equal(qm_zip_parts(&w.packed, qm_buf_slice(&plain), 5, empty, 4), QM_OK);
  assert_int_equal(qm_unzip(&w.out, qm_buf_slice(&w.packed), plain.n), QM_OK);
  assert_memory_equal(w.out.p, plain.p, plain.n);
  qm_buf_init(&small, &w.env, 100);
  assert_int_equal(qm_zip_parts(&small, qm_buf_slice(&plain), 5, ends, 12), QM_ELIMIT);
  assert_int_equal(small.n, 0);
  qm_buf_free(&small);
  qm_buf_free(&plain);
  close_world(&w);
}

static void cut_at_any_byte_is_refused(void **state) {
  world w;
  qm_buf plain;
  (void)state;
  open_world(&w);
  qm_buf_init(&plain, &w.env, 1 << 16);
  fill(&plain, 500);
  assert_int_equal(qm_zip(&w.packed, qm_buf_slice(&plain), 3), QM_OK);
  for (size_t cut = 0; cut < w.packed.n; cut++) {
    assert_int_equal(qm_unzip(&w.out, qm_slice_of(w.packed.p, cut), 500), QM_EFORMAT);
    assert_int_equal(w.out.n, 0);
  }
  qm_buf_free(&plain);
  close_world(&w);
}

/* A flipped bit may decode (there is no checksum) but never to another size. */
static void flipped_bits_are_survived(void **state) {
  world w;
  qm_buf plain;
  (void)state;
  open_world(&w);
  qm_buf_init(&plain, &w.env, 1 << 16);
  fill(&plain, 300);
  assert_int_equal(qm_zip(&w.packed, qm_buf_slice(&plain), 3), QM_OK);
  for (size_t bit = 0; bit < 8 * w.packed.n; bit++) {
    w.packed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    qm_buf_clear(&w.out);
    int rc = qm_unzip(&w.out, qm_buf_slice(&w.packed), 300);
    assert_true(rc == QM_OK ? w.out.n <= 300 : w.out.n == 0);
    w.packed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  qm_buf_free(&plain);
  close_world(&w);
}

/* A true bomb, 4 MiB of zeroes, opens only where the caller allows that much. */
static void bombs_are_refused_by_their_claim(void **state) {
  world w;
  uint8_t *zeroes;
  (void)state;
  open_world(&w);
  zeroes = qm_alloc_zero(&w.env, 1 << 22);
  assert_int_equal(qm_zip(&w.packed, qm_slice_of(zeroes, 1 << 22), 3), QM_OK);
  qm_free(&w.env, zeroes);
  assert_true(w.packed.n < 1024);
  w.count.size_most = 0;
  assert_int_equal(qm_unzip(&w.out, qm_buf_slice(&w.packed), (1 << 22) - 1), QM_EOVERSIZE);
  assert_int_equal(w.count.size_most, 0);
  assert_int_equal(qm_unzip(&w.out, qm_buf_slice(&w.packed), 1 << 22), QM_OK);
  assert_int_equal(w.out.n, 1 << 22);
  close_world(&w);
}

static void limits_of_the_buffer_hold(void **state) {
  test_alloc count = {0};
  qm_env env = test_alloc_env(&count);
  qm_buf plain, out;
  (void)state;
  qm_buf_init(&plain, &env, 1 << 16);
  fill(&plain, 1000);
  /* The frame is about 520 bytes, its bound more than 1000. */
  qm_buf_init(&out, &env, 900);
  assert_int_equal(qm_zip(&out, qm_buf_slice(&plain), 3), QM_OK);
  assert_true(out.cap <= 900);
  size_t n = out.n;
  qm_buf frame;
  qm_buf_init(&frame, &env, n);
  assert_int_equal(qm_zip(&frame, qm_buf_slice(&plain), 3), QM_OK);
  assert_int_equal(qm_zip(&frame, qm_buf_slice(&plain), 3), QM_ELIMIT);
  assert_int_equal(frame.n, n);
  assert_int_equal(qm_zip(&frame, qm_buf_slice(&plain), 3), QM_ELIMIT);
  qm_buf_free(&out);
  qm_buf_init(&out, &env, 999);
  assert_int_equal(qm_unzip(&out, qm_buf_slice(&frame), 1000), QM_ELIMIT);
  assert_int_equal(out.n, 0);
  assert_int_equal(qm_unzip(&out, qm_buf_slice(&frame), 1000), QM_ELIMIT);
  qm_buf_free(&out);
  qm_buf_free(&frame);
  qm_buf_free(&plain);
  assert_int_equal(count.live, 0);
}

/* Fails the 1st, 2nd, … allocation of packing and of unpacking. */
static void no_memory_is_reported_and_leaks_nothing(void **state) {
  int zipped = 0, unzipped = 0;
  world base;
  qm_buf plain;
  (void)state;
  open_world(&base);
  qm_buf_init(&plain, &base.env, 1 << 16);
  fill(&plain, 5000);
  assert_int_equal(qm_zip(&base.packed, qm_buf_slice(&plain), 3), QM_OK);
  for (size_t at = 1; !zipped || !unzipped; at++) {
    world w;
    assert_true(at < 40);
    open_world(&w);
    w.count.fail_at = at;
    int rc = qm_zip(&w.packed, qm_buf_slice(&plain), 3);
    assert_true(rc == QM_OK || rc == QM_ENOMEM);
    assert_int_equal(qm_buf_status(&w.packed), rc);
    zipped |= rc == QM_OK;
    w.count.count = 0;
    rc = qm_unzip(&w.out, qm_buf_slice(&base.packed), 5000);
    assert_true(rc == QM_OK || rc == QM_ENOMEM);
    assert_int_equal(qm_buf_status(&w.out), rc);
    assert_int_equal(w.out.n, rc ? 0 : 5000);
    unzipped |= rc == QM_OK;
    close_world(&w);
  }
  qm_buf_free(&plain);
  close_world(&base);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trips),
      cmocka_unit_test(same_input_same_bytes_at_any_level),
      cmocka_unit_test(frames_by_hand),
      cmocka_unit_test(parts_have_their_own_codes),
      cmocka_unit_test(cut_at_any_byte_is_refused),
      cmocka_unit_test(flipped_bits_are_survived),
      cmocka_unit_test(bombs_are_refused_by_their_claim),
      cmocka_unit_test(limits_of_the_buffer_hold),
      cmocka_unit_test(no_memory_is_reported_and_leaks_nothing),
  };
  return cmocka_run_group_tests_name("zip", tests, NULL, NULL);
}
