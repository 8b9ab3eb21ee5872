#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/cur.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static qm_cur cur_of(const void *p, size_t n) {
  qm_cur c;
  qm_cur_init(&c, qm_slice_of(p, n));
  assert_true(qm_cur_valid(&c));
  return c;
}

static void reads_fixed_sizes(void **state) {
  static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'a', 'b', 'c'};
  qm_cur c = cur_of(in, sizeof in);
  uint8_t u8;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  qm_slice s;
  char two[2];
  (void)state;
  assert_int_equal(qm_cur_byte(&c, &u8), QM_OK);
  assert_int_equal(qm_cur_be16(&c, &u16), QM_OK);
  assert_int_equal(qm_cur_be32(&c, &u32), QM_OK);
  assert_int_equal(qm_cur_be64(&c, &u64), QM_OK);
  assert_int_equal(u8, 1);
  assert_int_equal(u16, 0x0203);
  assert_int_equal(u32, 0x04050607);
  assert_true(u64 == UINT64_C(0x08090a0b0c0d0e0f));
  assert_int_equal(qm_cur_left(&c), 3);
  assert_int_equal(qm_cur_end(&c), QM_ETRAILING);
  c.status = QM_OK;
  assert_int_equal(qm_cur_span(&c, 1, &s), QM_OK);
  assert_ptr_equal(s.p, in + 15);
  assert_int_equal(qm_cur_copy(&c, two, 2), QM_OK);
  assert_memory_equal(two, "bc", 2);
  assert_int_equal(qm_cur_end(&c), QM_OK);
  assert_int_equal(qm_cur_span(&c, 0, &s), QM_OK);
  assert_int_equal(qm_cur_copy(&c, two, 0), QM_OK);
  assert_true(qm_cur_valid(&c));
}

static void empty_input_is_fine_until_read(void **state) {
  qm_cur c = cur_of(NULL, 0);
  uint8_t b = 9;
  (void)state;
  assert_int_equal(qm_cur_left(&c), 0);
  assert_int_equal(qm_cur_end(&c), QM_OK);
  assert_int_equal(qm_cur_byte(&c, &b), QM_ETRUNCATED);
  assert_int_equal(b, 0);
  assert_true(qm_cur_valid(&c));
}

static void first_error_sticks_and_yields_zeroes(void **state) {
  static const uint8_t in[] = {1, 2, 3};
  qm_cur c = cur_of(in, sizeof in);
  uint8_t u8 = 9;
  uint16_t u16 = 9;
  uint32_t u32 = 9;
  uint64_t u64 = 9;
  int64_t i64 = 9;
  int v = 9;
  char copy[2] = "x";
  qm_slice s = qm_slice_of(in, 1);
  qm_mp_token t = {.type = QM_MP_MAP, .u = 9};
  qm_mp_type type;
  (void)state;
  assert_int_equal(qm_cur_be32(&c, &u32), QM_ETRUNCATED);
  assert_int_equal(u32, 0);
  /* Bytes are left, yet nothing is read any more. */
  assert_int_equal(qm_cur_byte(&c, &u8), QM_ETRUNCATED);
  assert_int_equal(qm_cur_be16(&c, &u16), QM_ETRUNCATED);
  assert_int_equal(qm_cur_be64(&c, &u64), QM_ETRUNCATED);
  assert_int_equal(qm_cur_varint(&c, &u64), QM_ETRUNCATED);
  assert_int_equal(qm_cur_svarint(&c, &i64), QM_ETRUNCATED);
  assert_int_equal(qm_cur_span(&c, 0, &s), QM_ETRUNCATED);
  assert_int_equal(qm_cur_copy(&c, copy, 2), QM_ETRUNCATED);
  assert_int_equal(u8 | u16, 0);
  assert_true(u64 == 0 && i64 == 0 && s.n == 0 && !s.p && copy[0] == 0);
  assert_int_equal(qm_cur_token(&c, &t), QM_ETRUNCATED);
  assert_true(t.type == QM_MP_NIL && t.u == 0);
  assert_int_equal(qm_cur_peek(&c, &type), QM_ETRUNCATED);
  assert_int_equal(qm_cur_bool(&c, &v), QM_ETRUNCATED);
  assert_int_equal(v, 0);
  assert_int_equal(qm_cur_nil(&c), QM_ETRUNCATED);
  assert_int_equal(qm_cur_value(&c, 4, &s), QM_ETRUNCATED);
  assert_int_equal(qm_cur_end(&c), QM_ETRUNCATED);
  assert_int_equal(qm_cur_fail(&c, QM_EGAP), QM_ETRUNCATED);
  assert_true(qm_cur_valid(&c));
}

static void fail_sets_the_first_error(void **state) {
  qm_cur c = cur_of("ab", 2);
  uint8_t b;
  (void)state;
  assert_int_equal(qm_cur_fail(&c, QM_ERANGE), QM_ERANGE);
  assert_int_equal(qm_cur_fail(&c, QM_EGAP), QM_ERANGE);
  assert_int_equal(qm_cur_byte(&c, &b), QM_ERANGE);
}

static void spans_near_the_top_do_not_wrap(void **state) {
  static const size_t sizes[] = {4, 5, 1 << 20, SIZE_MAX / 2, SIZE_MAX - 2, SIZE_MAX};
  (void)state;
  for (size_t i = 0; i < COUNT(sizes); i++) {
    qm_cur c = cur_of("abc", 3);
    qm_slice s;
    assert_int_equal(qm_cur_span(&c, sizes[i], &s), QM_ETRUNCATED);
    assert_int_equal(s.n, 0);
    assert_int_equal(qm_cur_left(&c), 3);
  }
}

static void invalid_cursors_are_told(void **state) {
  static const uint8_t in[4];
  qm_cur c = cur_of(in, sizeof in);
  (void)state;
  c.at = in + 4;
  assert_true(qm_cur_valid(&c));
  c.end = in + 2;
  assert_false(qm_cur_valid(&c));
  c = cur_of(in, sizeof in);
  c.start = in + 1;
  assert_false(qm_cur_valid(&c));
  c = cur_of(in, sizeof in);
  c.status = 1;
  assert_false(qm_cur_valid(&c));
}

typedef struct varint_row {
  size_t n;
  uint8_t in[11];
  int rc;
  uint64_t want;
} varint_row;

static void varints_have_one_form(void **state) {
  static const varint_row rows[] = {
      {1, {0}, QM_OK, 0},
      {1, {0x7f}, QM_OK, 127},
      {2, {0x80, 1}, QM_OK, 128},
      {2, {0xac, 2}, QM_OK, 300},
      {10, {255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, QM_OK, UINT64_MAX},
      {10, {128, 128, 128, 128, 128, 128, 128, 128, 128, 1}, QM_OK, UINT64_C(1) << 63},
      {2, {0x80, 0}, QM_ECANON, 0},
      {2, {0xff, 0}, QM_ECANON, 0},
      {3, {0x80, 0x80, 0}, QM_ECANON, 0},
      {10, {128, 128, 128, 128, 128, 128, 128, 128, 128, 0}, QM_ECANON, 0},
      {10, {128, 128, 128, 128, 128, 128, 128, 128, 128, 2}, QM_ERANGE, 0},
      {10, {128, 128, 128, 128, 128, 128, 128, 128, 128, 0x7f}, QM_ERANGE, 0},
      {11, {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0}, QM_ERANGE, 0},
      {11, {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, QM_ERANGE, 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    uint64_t v = 5;
    assert_int_equal(qm_cur_varint(&c, &v), rows[i].rc);
    assert_true(v == rows[i].want);
    if (rows[i].rc == QM_OK) assert_int_equal(qm_cur_end(&c), QM_OK);
    for (size_t cut = 0; rows[i].rc == QM_OK && cut < rows[i].n; cut++) {
      c = cur_of(rows[i].in, cut);
      assert_int_equal(qm_cur_varint(&c, &v), QM_ETRUNCATED);
      assert_true(v == 0);
    }
  }
}

/* A zero after a byte with its top bit set is a number of its own. */
static void varints_do_not_look_back(void **state) {
  static const uint8_t in[] = {0xff, 0x00, 0x00};
  qm_cur c = cur_of(in, sizeof in);
  uint8_t b;
  uint64_t v;
  (void)state;
  assert_int_equal(qm_cur_byte(&c, &b), QM_OK);
  assert_int_equal(qm_cur_varint(&c, &v), QM_OK);
  assert_int_equal(qm_cur_varint(&c, &v), QM_OK);
  assert_int_equal(qm_cur_end(&c), QM_OK);
}

static void svarints_unzigzag(void **state) {
  static const struct {
    size_t n;
    uint8_t in[10];
    int64_t want;
  } rows[] = {{1, {0}, 0},
              {1, {1}, -1},
              {1, {2}, 1},
              {1, {3}, -2},
              {2, {0x80, 1}, 64},
              {10, {0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 1}, INT64_MAX},
              {10, {0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1}, INT64_MIN}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    int64_t v;
    assert_int_equal(qm_cur_svarint(&c, &v), QM_OK);
    assert_true(v == rows[i].want);
    assert_int_equal(qm_cur_end(&c), QM_OK);
  }
  qm_cur c = cur_of("\x81\x00", 2);
  int64_t v = 5;
  assert_int_equal(qm_cur_svarint(&c, &v), QM_ECANON);
  assert_true(v == 0);
}

/* Every accepted shape of token; each is also refused when cut at any byte. */
typedef struct token_row {
  const char *in;
  size_t n;
  qm_mp_type type;
  uint64_t u;
  int64_t i;
  size_t span_n; /* payload: the last span_n bytes */
  int ext;
} token_row;

#define T(bytes) bytes, sizeof(bytes) - 1

static const token_row good_tokens[] = {
    {T("\xc0"), QM_MP_NIL, 0, 0, 0, 0},
    {T("\xc2"), QM_MP_BOOL, 0, 0, 0, 0},
    {T("\xc3"), QM_MP_BOOL, 1, 0, 0, 0},
    {T("\x00"), QM_MP_UINT, 0, 0, 0, 0},
    {T("\x7f"), QM_MP_UINT, 127, 0, 0, 0},
    {T("\xcc\x80"), QM_MP_UINT, 128, 0, 0, 0},
    {T("\xcc\xff"), QM_MP_UINT, 255, 0, 0, 0},
    {T("\xcd\x01\x00"), QM_MP_UINT, 256, 0, 0, 0},
    {T("\xcd\xff\xff"), QM_MP_UINT, 65535, 0, 0, 0},
    {T("\xce\x00\x01\x00\x00"), QM_MP_UINT, 65536, 0, 0, 0},
    {T("\xce\xff\xff\xff\xff"), QM_MP_UINT, UINT32_MAX, 0, 0, 0},
    {T("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), QM_MP_UINT, UINT64_C(1) << 32, 0, 0, 0},
    {T("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), QM_MP_UINT, UINT64_MAX, 0, 0, 0},
    {T("\xff"), QM_MP_NINT, 0, -1, 0, 0},
    {T("\xe0"), QM_MP_NINT, 0, -32, 0, 0},
    {T("\xd0\xdf"), QM_MP_NINT, 0, -33, 0, 0},
    {T("\xd0\x80"), QM_MP_NINT, 0, -128, 0, 0},
    {T("\xd1\xff\x7f"), QM_MP_NINT, 0, -129, 0, 0},
    {T("\xd1\x80\x00"), QM_MP_NINT, 0, -32768, 0, 0},
    {T("\xd2\xff\xff\x7f\xff"), QM_MP_NINT, 0, -32769, 0, 0},
    {T("\xd2\x80\x00\x00\x00"), QM_MP_NINT, 0, INT32_MIN, 0, 0},
    {T("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), QM_MP_NINT, 0, -INT64_C(2147483649), 0, 0},
    {T("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), QM_MP_NINT, 0, INT64_MIN, 0, 0},
    {T("\xa0"), QM_MP_STR, 0, 0, 0, 0},
    {T("\xa3"
       "abc"),
     QM_MP_STR, 0, 0, 3, 0},
    {T("\xa3\xe9\x99\x8c"), QM_MP_STR, 0, 0, 3, 0},
    {T("\xd9\x20"
       "01234567890123456789012345678901"),
     QM_MP_STR, 0, 0, 32, 0},
    {T("\xc4\x00"), QM_MP_BIN, 0, 0, 0, 0},
    {T("\xc4\x03\xff\x00\x80"), QM_MP_BIN, 0, 0, 3, 0},
    {T("\x90"), QM_MP_ARRAY, 0, 0, 0, 0},
    {T("\x80"), QM_MP_MAP, 0, 0, 0, 0},
    {T("\xd4\x05x"), QM_MP_EXT, 0, 0, 1, 5},
    {T("\xd5\xffxy"), QM_MP_EXT, 0, 0, 2, -1},
    {T("\xd6\x80"
       "abcd"),
     QM_MP_EXT, 0, 0, 4, -128},
    {T("\xd7\x7f"
       "abcdefgh"),
     QM_MP_EXT, 0, 0, 8, 127},
    {T("\xd8\x01"
       "abcdefghijklmnop"),
     QM_MP_EXT, 0, 0, 16, 1},
    {T("\xc7\x00\x02"), QM_MP_EXT, 0, 0, 0, 2},
    {T("\xc7\x03\x02xyz"), QM_MP_EXT, 0, 0, 3, 2},
    {T("\xc7\x11\x02"
       "abcdefghijklmnopq"),
     QM_MP_EXT, 0, 0, 17, 2},
};

static void tokens_are_read(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT(good_tokens); k++) {
    const token_row *r = &good_tokens[k];
    const uint8_t *in = (const uint8_t *)r->in;
    qm_cur c = cur_of(in, r->n);
    qm_mp_token t;
    qm_mp_type type;
    qm_slice whole;
    assert_int_equal(qm_cur_peek(&c, &type), QM_OK);
    assert_int_equal(type, r->type);
    assert_int_equal(qm_cur_token(&c, &t), QM_OK);
    assert_int_equal(t.type, r->type);
    assert_true(t.u == r->u && t.i == r->i);
    assert_int_equal(t.ext, r->ext);
    assert_int_equal(t.span.n, r->span_n);
    if (r->span_n) assert_ptr_equal(t.span.p, in + r->n - r->span_n);
    assert_int_equal(qm_cur_end(&c), QM_OK);
    c = cur_of(in, r->n);
    assert_int_equal(qm_cur_value(&c, 1, &whole), QM_OK);
    assert_ptr_equal(whole.p, in);
    assert_int_equal(whole.n, r->n);
  }
}

static void tokens_cut_at_any_byte_are_truncated(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT(good_tokens); k++) {
    for (size_t cut = 0; cut < good_tokens[k].n; cut++) {
      qm_cur c = cur_of(good_tokens[k].in, cut);
      qm_mp_token t = {.u = 7};
      assert_int_equal(qm_cur_token(&c, &t), QM_ETRUNCATED);
      assert_true(t.u == 0 && t.i == 0 && t.span.n == 0 && t.type == QM_MP_NIL);
      assert_true(qm_cur_valid(&c));
    }
  }
}

static void floats_are_float_64(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int rc;
    double want;
  } rows[] = {
      {T("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"), QM_OK, 1.5},
      {T("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"), QM_OK, 0.0},
      {T("\xcb\xc0\x00\x00\x00\x00\x00\x00\x00"), QM_OK, -2.0},
      {T("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff"), QM_OK, 1.7976931348623157e308},
      {T("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), QM_ECANON, 0},
      {T("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), QM_ERANGE, 0},
      {T("\xcb\xff\xf0\x00\x00\x00\x00\x00\x01"), QM_ERANGE, 0},
      {T("\xcb\x3f\xf8\x00\x00\x00\x00\x00"), QM_ETRUNCATED, 0},
      {T("\xca\x3f\xc0\x00\x00"), QM_ECANON, 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    qm_mp_token t;
    assert_int_equal(qm_cur_token(&c, &t), rows[i].rc);
    assert_true(t.f == rows[i].want);
    if (rows[i].rc == QM_OK) assert_int_equal(t.type, QM_MP_F64);
  }
}

static void other_than_the_shortest_form_is_refused(void **state) {
  static const struct {
    const char *in;
    size_t n;
  } rows[] = {
      {T("\xcc\x00")},
      {T("\xcc\x7f")},
      {T("\xcd\x00\xff")},
      {T("\xce\x00\x00\xff\xff")},
      {T("\xcf\x00\x00\x00\x00\xff\xff\xff\xff")},
      {T("\xd0\x00")},
      {T("\xd0\x7f")},
      {T("\xd0\xff")},
      {T("\xd0\xe0")},
      {T("\xd1\x00\x01")},
      {T("\xd1\x7f\xff")},
      {T("\xd1\xff\x80")},
      {T("\xd2\x7f\xff\xff\xff")},
      {T("\xd2\xff\xff\x80\x00")},
      {T("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff")},
      {T("\xd3\xff\xff\xff\xff\x80\x00\x00\x00")},
      {T("\xd9\x00")},
      {T("\xd9\x01x")},
      {T("\xd9\x1f"
         "0123456789012345678901234567890")},
      {T("\xda\x00\x20"
         "01234567890123456789012345678901")},
      {T("\xdb\x00\x00\x00\x01x")},
      {T("\xc5\x00\x01x")},
      {T("\xc6\x00\x00\x00\x01x")},
      {T("\xdc\x00\x01\xc0")},
      {T("\xdd\x00\x00\x00\x01\xc0")},
      {T("\xde\x00\x01\xc0\xc0")},
      {T("\xdf\x00\x00\x00\x01\xc0\xc0")},
      {T("\xc7\x01\x05x")},
      {T("\xc7\x02\x05xy")},
      {T("\xc7\x04\x05wxyz")},
      {T("\xc7\x08\x05"
         "abcdefgh")},
      {T("\xc7\x10\x05"
         "abcdefghijklmnop")},
      {T("\xc8\x00\x03\x05xyz")},
      {T("\xc9\x00\x00\x00\x03\x05xyz")},
      {T("\xca\x00\x00\x00\x00")},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    qm_mp_token t;
    qm_slice s;
    assert_int_equal(qm_cur_token(&c, &t), QM_ECANON);
    c = cur_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_cur_value(&c, 4, &s), QM_ECANON);
  }
}

static void the_unused_byte_is_refused(void **state) {
  qm_cur c = cur_of("\xc1", 1);
  qm_mp_token t;
  qm_mp_type type;
  (void)state;
  assert_int_equal(qm_cur_peek(&c, &type), QM_EFORMAT);
  assert_int_equal(qm_cur_token(&c, &t), QM_EFORMAT);
}

/* Longer headers, from the first length that needs them. */
static void long_headers_are_read(void **state) {
  static uint8_t in[0x10000 + 16];
  static const struct {
    uint8_t lead;
    size_t size; /* of the length field */
    size_t n;
    size_t extra;
    qm_mp_type type;
  } rows[] = {
      {0xd9, 1, 0xff, 0, QM_MP_STR},    {0xda, 2, 0x100, 0, QM_MP_STR},
      {0xda, 2, 0xffff, 0, QM_MP_STR},  {0xdb, 4, 0x10000, 0, QM_MP_STR},
      {0xc4, 1, 0xff, 0, QM_MP_BIN},    {0xc5, 2, 0x100, 0, QM_MP_BIN},
      {0xc6, 4, 0x10000, 0, QM_MP_BIN}, {0xc7, 1, 0xff, 1, QM_MP_EXT},
      {0xc8, 2, 0x100, 1, QM_MP_EXT},   {0xc9, 4, 0x10000, 1, QM_MP_EXT},
      {0xdc, 2, 16, 0, QM_MP_ARRAY},    {0xdd, 4, 0x10000, 0, QM_MP_ARRAY},
      {0xde, 2, 16, 16, QM_MP_MAP},     {0xdf, 4, 0x10000, 0, QM_MP_MAP},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    memset(in, 1, sizeof in);
    in[0] = rows[i].lead;
    for (size_t k = 0; k < rows[i].size; k++)
      in[1 + k] = (uint8_t)(rows[i].n >> (8 * (rows[i].size - 1 - k)));
    size_t whole = 1 + rows[i].size + rows[i].n + rows[i].extra;
    qm_cur c = cur_of(in, whole);
    qm_mp_token t;
    if (rows[i].lead == 0xdf) { /* half the elements are missing */
      assert_int_equal(qm_cur_token(&c, &t), QM_EOVERSIZE);
      continue;
    }
    assert_int_equal(qm_cur_token(&c, &t), QM_OK);
    assert_int_equal(t.type, rows[i].type);
    assert_int_equal(t.span.n ? t.span.n : t.u, rows[i].n);
    c = cur_of(in, whole);
    qm_slice s;
    assert_int_equal(qm_cur_value(&c, 2, &s), QM_OK);
    assert_int_equal(s.n, whole);
    c = cur_of(in, whole - 1);
    int rc = qm_cur_token(&c, &t);
    int counted = rows[i].type == QM_MP_ARRAY || rows[i].type == QM_MP_MAP;
    assert_int_equal(rc, counted ? QM_EOVERSIZE : QM_ETRUNCATED);
  }
}

static void counts_are_claims(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int rc;
  } rows[] = {
      {T("\x91"), QM_EOVERSIZE},
      {T("\x91\xc0"), QM_OK},
      {T("\x9f\xc0\xc0"), QM_EOVERSIZE},
      {T("\xdc\x00\x10\xc0"), QM_EOVERSIZE},
      {T("\xdd\x03\xff\xff\xff"), QM_EOVERSIZE},
      {T("\xdd\xff\xff\xff\xff\xc0\xc0"), QM_EOVERSIZE},
      {T("\x81"), QM_EOVERSIZE},
      {T("\x81\xc0"), QM_EOVERSIZE},
      {T("\x81\xc0\xc0"), QM_OK},
      {T("\x82\xc0\xc0\xc0"), QM_EOVERSIZE},
      {T("\xde\x00\x10\xc0"), QM_EOVERSIZE},
      {T("\xdf\xff\xff\xff\xff\xc0\xc0"), QM_EOVERSIZE},
      {T("\xdb\xff\xff\xff\xffx"), QM_ETRUNCATED},
      {T("\xc6\xff\xff\xff\xffx"), QM_ETRUNCATED},
      {T("\xc9\xff\xff\xff\xff\x01x"), QM_ETRUNCATED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    qm_slice s;
    assert_int_equal(qm_cur_value(&c, 8, &s), rows[i].rc);
    if (rows[i].rc) assert_int_equal(s.n, 0);
  }
}

static void text_must_be_utf8(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int rc;
  } rows[] = {
      {T("\xa1\x80"), QM_EUTF8},
      {T("\xa2\xc0\x80"), QM_EUTF8},
      {T("\xa3\xed\xa0\x80"), QM_EUTF8},
      {T("\xa4\xf4\x90\x80\x80"), QM_EUTF8},
      {T("\xa2\xe9\x99"), QM_EUTF8},
      {T("\xa4\xf4\x8f\xbf\xbf"), QM_OK},
      {T("\xa1\x00"), QM_OK},
      {T("\xc4\x01\x80"), QM_OK},    /* bytes may be anything */
      {T("\xd4\x01\x80"), QM_OK},    /* so may an ext */
      {T("\x91\xa1\x80"), QM_EUTF8}, /* also inside a container */
      {T("\x81\xa1\x80\xc0"), QM_EUTF8},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    qm_slice s;
    assert_int_equal(qm_cur_value(&c, 8, &s), rows[i].rc);
  }
}

static void integers_stay_in_range(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int as_uint, as_uint32, as_int;
    int64_t want;
  } rows[] = {
      {T("\x05"), QM_OK, QM_OK, QM_OK, 5},
      {T("\xff"), QM_ERANGE, QM_ERANGE, QM_OK, -1},
      {T("\xce\xff\xff\xff\xff"), QM_OK, QM_OK, QM_OK, UINT32_MAX},
      {T("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), QM_OK, QM_ERANGE, QM_OK, INT64_C(1) << 32},
      {T("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), QM_OK, QM_ERANGE, QM_OK, INT64_MAX},
      {T("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), QM_OK, QM_ERANGE, QM_ERANGE, 0},
      {T("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), QM_ERANGE, QM_ERANGE, QM_OK, INT64_MIN},
      {T("\xa1\x35"), QM_ETYPE, QM_ETYPE, QM_ETYPE, 0},
      {T("\xc3"), QM_ETYPE, QM_ETYPE, QM_ETYPE, 0},
      {T("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), QM_ETYPE, QM_ETYPE, QM_ETYPE, 0},
      {T("\xcc\x05"), QM_ECANON, QM_ECANON, QM_ECANON, 0},
      {T(""), QM_ETRUNCATED, QM_ETRUNCATED, QM_ETRUNCATED, 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    uint64_t u = 9;
    uint32_t u32 = 9;
    int64_t v = 9;
    qm_cur c = cur_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_cur_uint(&c, &u), rows[i].as_uint);
    if (rows[i].as_uint) assert_true(u == 0);
    c = cur_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_cur_uint32(&c, &u32), rows[i].as_uint32);
    assert_true(u32 == (rows[i].as_uint32 ? 0 : rows[i].want));
    c = cur_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_cur_int(&c, &v), rows[i].as_int);
    assert_true(v == (rows[i].as_int ? 0 : rows[i].want));
  }
}

/* One value of each type, read by the reader of each type. */
static void readers_want_their_type(void **state) {
  static const struct {
    const char *in;
    size_t n;
    qm_mp_type type;
  } rows[] = {
      {T("\xc0"), QM_MP_NIL},      {T("\xc3"), QM_MP_BOOL},      {T("\xa1x"), QM_MP_STR},
      {T("\xc4\x01x"), QM_MP_BIN}, {T("\x91\xc0"), QM_MP_ARRAY}, {T("\x81\xc0\xc0"), QM_MP_MAP},
      {T("\xd4\x01x"), QM_MP_EXT}, {T("\x01"), QM_MP_UINT},      {T("\xff"), QM_MP_NINT}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    for (int type = QM_MP_NIL; type <= QM_MP_EXT; type++) {
      qm_cur c = cur_of(rows[i].in, rows[i].n);
      int v = 0, rc;
      uint32_t n = 0;
      qm_slice s = {0};
      switch (type) {
        case QM_MP_NIL: rc = qm_cur_nil(&c); break;
        case QM_MP_BOOL: rc = qm_cur_bool(&c, &v); break;
        case QM_MP_STR: rc = qm_cur_str(&c, &s); break;
        case QM_MP_BIN: rc = qm_cur_bin(&c, &s); break;
        case QM_MP_ARRAY: rc = qm_cur_array(&c, &n); break;
        case QM_MP_MAP: rc = qm_cur_map(&c, &n); break;
        default: continue;
      }
      int own = type == (int)rows[i].type;
      assert_int_equal(rc, own ? QM_OK : QM_ETYPE);
      assert_int_equal(c.status, rc);
      if (!own) assert_true(v == 0 && n == 0 && s.n == 0);
      if (own && type == QM_MP_BOOL) assert_int_equal(v, 1);
      if (own && (type == QM_MP_STR || type == QM_MP_BIN)) assert_int_equal(s.p[0], 'x');
      if (own && (type == QM_MP_ARRAY || type == QM_MP_MAP)) assert_int_equal(n, 1);
    }
  }
}

static void exact_sizes_are_exact(void **state) {
  uint8_t to[3] = {9, 9, 9};
  qm_cur c = cur_of("\xc4\x03xyz", 5);
  (void)state;
  assert_int_equal(qm_cur_bin_n(&c, to, 3), QM_OK);
  assert_memory_equal(to, "xyz", 3);
  c = cur_of("\xc4\x02xy", 4);
  assert_int_equal(qm_cur_bin_n(&c, to, 3), QM_ERANGE);
  assert_int_equal(to[0], 0);
  c = cur_of("\xc4\x04wxyz", 6);
  assert_int_equal(qm_cur_bin_n(&c, to, 3), QM_ERANGE);
  c = cur_of("\xa3xyz", 4);
  assert_int_equal(qm_cur_bin_n(&c, to, 3), QM_ETYPE);
  c = cur_of("\xc4\x00", 2);
  assert_int_equal(qm_cur_bin_n(&c, NULL, 0), QM_OK);
  c = cur_of("\x92\xc0\xc0", 3);
  assert_int_equal(qm_cur_array_n(&c, 2), QM_OK);
  c = cur_of("\x92\xc0\xc0", 3);
  assert_int_equal(qm_cur_array_n(&c, 3), QM_EFORMAT);
  c = cur_of("\x92\xc0\xc0", 3);
  assert_int_equal(qm_cur_array_n(&c, 1), QM_EFORMAT);
  c = cur_of("\x81\xc0\xc0", 3);
  assert_int_equal(qm_cur_array_n(&c, 1), QM_ETYPE);
}

static void peek_reads_nothing(void **state) {
  qm_cur c = cur_of("\xa1x", 2);
  qm_mp_type type;
  (void)state;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(qm_cur_peek(&c, &type), QM_OK);
    assert_int_equal(type, QM_MP_STR);
  }
  assert_int_equal(qm_cur_left(&c), 2);
  c = cur_of("", 0);
  assert_int_equal(qm_cur_peek(&c, &type), QM_ETRUNCATED);
  assert_int_equal(c.status, QM_OK);
}

/* [[[…nil…]]] of `depth` arrays, or maps {nil: {nil: …}}. */
static size_t nest(uint8_t *to, size_t depth, int map) {
  size_t n = 0;
  for (size_t i = 0; i < depth; i++) {
    to[n++] = map ? 0x81 : 0x91;
    if (map) to[n++] = 0xc0;
  }
  to[n++] = 0xc0;
  return n;
}

static void nesting_is_bounded(void **state) {
  static const struct {
    size_t depth;
    unsigned max;
    int rc;
  } rows[] = {{0, 0, QM_OK},
              {1, 0, QM_EDEPTH},
              {1, 1, QM_OK},
              {2, 1, QM_EDEPTH},
              {8, 8, QM_OK},
              {9, 8, QM_EDEPTH},
              {32, 32, QM_OK},
              {33, 32, QM_EDEPTH},
              {32, 99, QM_OK},
              {33, 99, QM_EDEPTH},
              {5000, UINT32_MAX, QM_EDEPTH}};
  static uint8_t in[10001];
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    for (int map = 0; map < 2; map++) {
      size_t n = nest(in, rows[i].depth, map);
      qm_cur c = cur_of(in, n);
      qm_slice s;
      assert_int_equal(qm_cur_value(&c, rows[i].max, &s), rows[i].rc);
      assert_int_equal(s.n, rows[i].rc ? 0 : n);
    }
  }
  /* Empty containers are containers; siblings do not add up. */
  qm_cur c = cur_of("\x90", 1);
  qm_slice s;
  assert_int_equal(qm_cur_value(&c, 0, &s), QM_EDEPTH);
  c = cur_of("\x93\x90\x80\x91\xc0", 5);
  assert_int_equal(qm_cur_value(&c, 2, &s), QM_OK);
  assert_int_equal(s.n, 5);
}

/* A value in the middle; what stands behind it stays. */
static void value_takes_one_and_leaves_the_rest(void **state) {
  static const char in[] = "\x01\x82\xa1k\x92\x01\xc3\xa1l\x81\x02\x90\x07\xc0";
  qm_cur c = cur_of(in, sizeof in - 1);
  uint64_t u;
  qm_slice s;
  (void)state;
  assert_int_equal(qm_cur_uint(&c, &u), QM_OK);
  assert_int_equal(qm_cur_value(&c, 3, &s), QM_OK);
  assert_ptr_equal(s.p, in + 1);
  assert_int_equal(s.n, 11);
  assert_int_equal(qm_cur_uint(&c, &u), QM_OK);
  assert_int_equal(u, 7);
  assert_int_equal(qm_cur_nil(&c), QM_OK);
  assert_int_equal(qm_cur_end(&c), QM_OK);
  for (size_t cut = 1; cut < 12; cut++) {
    c = cur_of(in + 1, cut - 1);
    int rc = qm_cur_value(&c, 3, &s);
    assert_true(rc == QM_ETRUNCATED || rc == QM_EOVERSIZE);
    assert_true(qm_cur_valid(&c));
  }
}

/* Every two-byte start and pseudo-random tails: no read leaves the input (the
 * sanitizers watch), the cursor stays valid, and a value taken is within it. */
static void noise_is_survived(void **state) {
  uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
  uint8_t in[24];
  (void)state;
  for (uint32_t start = 0; start < 0x10000; start++) {
    size_t n = start % sizeof in + 1;
    for (size_t i = 0; i < n; i++) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      in[i] = (uint8_t)seed;
    }
    in[0] = (uint8_t)(start >> 8);
    if (n > 1) in[1] = (uint8_t)start;
    qm_cur c = cur_of(in, n);
    qm_slice s;
    int rc = qm_cur_value(&c, 4, &s);
    assert_true(qm_cur_valid(&c));
    assert_true(rc == QM_OK ? s.p == in && s.n >= 1 && s.n <= n : s.n == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_fixed_sizes),
      cmocka_unit_test(empty_input_is_fine_until_read),
      cmocka_unit_test(first_error_sticks_and_yields_zeroes),
      cmocka_unit_test(fail_sets_the_first_error),
      cmocka_unit_test(spans_near_the_top_do_not_wrap),
      cmocka_unit_test(invalid_cursors_are_told),
      cmocka_unit_test(varints_have_one_form),
      cmocka_unit_test(varints_do_not_look_back),
      cmocka_unit_test(svarints_unzigzag),
      cmocka_unit_test(tokens_are_read),
      cmocka_unit_test(tokens_cut_at_any_byte_are_truncated),
      cmocka_unit_test(floats_are_float_64),
      cmocka_unit_test(other_than_the_shortest_form_is_refused),
      cmocka_unit_test(the_unused_byte_is_refused),
      cmocka_unit_test(long_headers_are_read),
      cmocka_unit_test(counts_are_claims),
      cmocka_unit_test(text_must_be_utf8),
      cmocka_unit_test(integers_stay_in_range),
      cmocka_unit_test(readers_want_their_type),
      cmocka_unit_test(exact_sizes_are_exact),
      cmocka_unit_test(peek_reads_nothing),
      cmocka_unit_test(nesting_is_bounded),
      cmocka_unit_test(value_takes_one_and_leaves_the_rest),
      cmocka_unit_test(noise_is_survived),
  };
  return cmocka_run_group_tests_name("cur", tests, NULL, NULL);
}
