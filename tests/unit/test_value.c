#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/value.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

/* The JSON writers once more, as they run in a program whose locale writes U+066B
 * where C writes a point (as Persian does), and reads nothing else for it. */
static int locale_snprintf(char *to, size_t size, const char *format, ...);
static double locale_strtod(const char *text, char **end);
void locale_json_str(qm_buf *out, qm_slice utf8);
void locale_json_f64(qm_buf *out, double v);
int locale_value_json(qm_buf *out, qm_slice v);
#undef snprintf
#define snprintf locale_snprintf
#define strtod locale_strtod
#define qm_json_str locale_json_str
#define qm_json_f64 locale_json_f64
#define qm_value_json locale_value_json
#include "core/value_json.c"
#undef snprintf
#undef strtod
#undef qm_json_str
#undef qm_json_f64
#undef qm_value_json

static int locale_snprintf(char *to, size_t size, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(to, size, format, args);
  va_end(args);
  char *point = strchr(to, '.');
  if (!point) return n;
  assert_true((size_t)n + 2 <= size);
  memmove(point + 2, point + 1, strlen(point));
  memcpy(point, "\xd9\xab", 2);
  return n + 1;
}

static double locale_strtod(const char *text, char **end) {
  assert_null(strchr(text, '.'));
  assert_null(end);
  return strtod(text, NULL);
}

static qm_slice text_of(const char *s) { return qm_slice_of(s, strlen(s)); }

static void values_are_taken(void **state) {
  static const struct {
    const char *in;
    size_t n;
  } rows[] = {
      {BYTES("\xc0")},
      {BYTES("\xc2")},
      {BYTES("\xc3")},
      {BYTES("\x00")},
      {BYTES("\xff")},
      {BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff")},
      {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
      {BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00")}, /* 1.0 is another value than 1 */
      {BYTES("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff")},
      {BYTES("\xcb\x00\x00\x00\x00\x00\x00\x00\x01")},
      {BYTES("\xa0")},
      {BYTES("\xa3\xe6\x88\xb7")},
      {BYTES("\xa1\x00")},
      {BYTES("\xc4\x00")},
      {BYTES("\x90")},
      {BYTES("\x93\x01\xc0\xa1x")},
      {BYTES("\x80")},
      {BYTES("\x82\xa1"
             "a\x01\xa1"
             "b\x02")},
      {BYTES("\x83\xa0\x01\xa1"
             "a\x01\xa2"
             "ab\x02")},
      {BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x07")},
      {BYTES("\x91\x91\x91\x91\x91\x91\x91\x90")},
      {BYTES("\x92\x91\x91\x90\x91\x91\x90")},
      {BYTES("\xc7\x0d\x01\x1d\xcd\x65\x00\x6b\x49\xd2\x00\x00\x00\x00\x00\x01")},
      {BYTES("\xc7\x0d\x01\xca\x5b\x17\x00\x94\xb6\x2e\x00\xff\xff\xff\xff\x02")},
      {BYTES("\xd4\x02\x07")},
      {BYTES("\xc7\x00\x03")},
      {BYTES("\x91\xc7\x00\x03")},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    assert_int_equal(qm_value_check(qm_slice_of(rows[i].in, rows[i].n)), QM_OK);
}

static void values_are_refused(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int code;
  } rows[] = {
      {BYTES(""), QM_ETRUNCATED},
      {BYTES("\xa2x"), QM_ETRUNCATED},
      {BYTES("\x92\x91\x01"), QM_ETRUNCATED},
      {BYTES("\xcb\x00"), QM_ETRUNCATED},
      {BYTES("\xc1"), QM_EFORMAT},
      {BYTES("\xcc\x07"), QM_ECANON},
      {BYTES("\xd9\x01x"), QM_ECANON},
      {BYTES("\xca\x00\x00\x00\x00"), QM_ECANON},
      {BYTES("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), QM_ECANON},
      {BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\x91\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), QM_ERANGE},
      {BYTES("\xa1\xff"), QM_EUTF8},
      {BYTES("\xa3\xed\xa0\x80"), QM_EUTF8},
      {BYTES("\x91\xa1\xff"), QM_EUTF8},
      {BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x90"), QM_EDEPTH},
      {BYTES("\x81\xa1k\x91\x91\x91\x91\x91\x91\x91\x80"), QM_EDEPTH},
      {BYTES("\x82\xa1"
             "a\x01\xa1"
             "a\x02"),
       QM_EDUPKEY},
      {BYTES("\x82\xa1"
             "b\x01\xa1"
             "a\x02"),
       QM_EDUPKEY},
      {BYTES("\x82\xa2"
             "ab\x01\xa1"
             "a\x02"),
       QM_EDUPKEY},
      {BYTES("\x82\xa1"
             "a\x82\xa1x\x01\xa1x\x02\xa1"
             "b\x02"),
       QM_EDUPKEY},
      {BYTES("\x81\x01\x01"), QM_ETYPE},
      {BYTES("\x81\xc4\x01"
             "a\x01"),
       QM_ETYPE},
      {BYTES("\x81\x90\x01"), QM_ETYPE},
      {BYTES("\xd4\x04\x00"), QM_ETYPE},
      {BYTES("\xd4\xff\x00"), QM_ETYPE},
      {BYTES("\xd4\x00\x00"), QM_ETYPE},
      {BYTES("\xd4\x03\x00"), QM_EFORMAT},
      {BYTES("\xc7\x0c\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), QM_EFORMAT},
      {BYTES("\xc7\x0d\x01\x35\xa4\xe9\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xc7\x0d\x01\xca\x5b\x16\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xc7\x0d\x01\x00\x00\x00\x00\x6b\x49\xd2\x01\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xc7\x0d\x01\x00\x00\x00\x00\x94\xb6\x2d\xff\x00\x00\x00\x00\x00"), QM_ERANGE},
      {BYTES("\xc7\x0d\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03"), QM_ERANGE},
      {BYTES("\xdd\xff\xff\xff\xff"), QM_EOVERSIZE},
      {BYTES("\xdf\xff\xff\xff\xff"), QM_EOVERSIZE},
      {BYTES("\x01\x01"), QM_ETRAILING},
      {BYTES("\x80\x80"), QM_ETRAILING},
      {BYTES("\x91\x01\xc1"), QM_ETRAILING},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    assert_int_equal(qm_value_check(qm_slice_of(rows[i].in, rows[i].n)), rows[i].code);
  assert_int_equal(qm_value_check(qm_slice_of(NULL, 0)), QM_ETRUNCATED);
}

/* The latitude of the first refused point above is 900000001: one beyond the pole. */
static void points_end_at_the_poles(void **state) {
  uint8_t v[16] = {0xc7, 13, QM_EXT_POINT, 0x35, 0xa4, 0xe9, 0x00};
  (void)state;
  assert_int_equal(qm_value_check(qm_slice_of(v, sizeof v)), QM_OK);
  v[6] = 1;
  assert_int_equal(qm_value_check(qm_slice_of(v, sizeof v)), QM_ERANGE);
}

static void size_has_a_limit(void **state) {
  static uint8_t v[QM_VALUE_MAX + 1];
  (void)state;
  v[0] = 0xc5; /* bin 16 */
  v[1] = (QM_VALUE_MAX - 3) >> 8;
  v[2] = (QM_VALUE_MAX - 3) & 0xff;
  assert_int_equal(qm_value_check(qm_slice_of(v, QM_VALUE_MAX)), QM_OK);
  v[2]++;
  assert_int_equal(qm_value_check(qm_slice_of(v, QM_VALUE_MAX + 1)), QM_EOVERSIZE);
}

/* No cut of a good value is a value. */
static void cuts_are_refused(void **state) {
  static const char in[] =
      "\x94\x82\xa1"
      "a\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa1"
      "b\xc4\x02\x01\x02\xa3\xe6\x88\xb7\xcd\x01\x00\xc7\x00\x03";
  (void)state;
  assert_int_equal(qm_value_check(qm_slice_of(in, sizeof in - 1)), QM_OK);
  for (size_t n = 0; n < sizeof in - 1; n++)
    assert_int_not_equal(qm_value_check(qm_slice_of(in, n)), QM_OK);
}

/* In rising order; every pair is compared both ways. */
static void values_have_one_order(void **state) {
  static const struct {
    const char *in;
    size_t n;
  } rows[] = {
      {BYTES("\xc0")},
      {BYTES("\xc2")},
      {BYTES("\xc3")},
      {BYTES("\xcb\xff\xef\xff\xff\xff\xff\xff\xff")}, /* the least double */
      {BYTES("\xcb\xc3\xe0\x00\x00\x00\x00\x00\x01")}, /* below -2^63 */
      {BYTES("\xcb\xc3\xe0\x00\x00\x00\x00\x00\x00")}, /* -2^63: float before int, bytewise */
      {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
      {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x01")},
      {BYTES("\xd1\xff\x00")},                         /* -256 */
      {BYTES("\xcb\xc0\x00\x00\x00\x00\x00\x00\x00")}, /* -2.0 */
      {BYTES("\xfe")},
      {BYTES("\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00")}, /* -1.5 */
      {BYTES("\xcb\xbf\xf0\x00\x00\x00\x00\x00\x00")}, /* -1.0 */
      {BYTES("\xff")},
      {BYTES("\xcb\xbf\xe0\x00\x00\x00\x00\x00\x00")}, /* -0.5 */
      {BYTES("\x00")},
      {BYTES("\xcb\x00\x00\x00\x00\x00\x00\x00\x00")}, /* 0.0 */
      {BYTES("\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00")}, /* 0.5 */
      {BYTES("\x01")},
      {BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00")}, /* 1.0 */
      {BYTES("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00")}, /* 1.5 */
      {BYTES("\x02")},
      {BYTES("\xcc\xff")},
      {BYTES("\xcb\x43\x40\x00\x00\x00\x00\x00\x00")}, /* 2^53 */
      {BYTES("\xcf\x00\x20\x00\x00\x00\x00\x00\x01")}, /* 2^53 + 1, no double */
      {BYTES("\xcb\x43\x40\x00\x00\x00\x00\x00\x01")}, /* 2^53 + 2 */
      {BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff")},
      {BYTES("\xcb\x43\xe0\x00\x00\x00\x00\x00\x00")}, /* 2^63 */
      {BYTES("\xcb\x43\xf0\x00\x00\x00\x00\x00\x00")}, /* 2^64 */
      {BYTES("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff")},
      {BYTES("\xa0")},
      {BYTES("\xa1"
             "a")},
      {BYTES("\xa2"
             "aa")},
      {BYTES("\xa1"
             "b")}, /* by content: length stands first in the encoding only */
      {BYTES("\xa3\xe6\x88\xb7")},
      {BYTES("\xc4\x00")},
      {BYTES("\xc4\x02\x01\x00")},
      {BYTES("\xc4\x01\x02")},
      {BYTES("\x80")},
      {BYTES("\x90")},
      {BYTES("\x91\x01")},
      {BYTES("\xc7\x00\x03")},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_slice a = qm_slice_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_value_check(a), QM_OK);
    for (size_t j = 0; j < COUNT(rows); j++) {
      int order = qm_value_cmp(a, qm_slice_of(rows[j].in, rows[j].n));
      assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
    }
  }
}

static void undecodable_values_still_have_an_order(void **state) {
  qm_slice a = qm_slice_of("\xc1", 1), b = qm_slice_of("\xa5x", 2), none = qm_slice_of(NULL, 0);
  (void)state;
  assert_int_equal(qm_value_cmp(a, a), 0);
  assert_true(qm_value_cmp(b, a) < 0);
  assert_true(qm_value_cmp(a, b) > 0);
  assert_true(qm_value_cmp(none, a) < 0);
  assert_int_equal(qm_value_cmp(none, none), 0);
}

static void expect_text(qm_buf *out, const char *want) {
  assert_int_equal(qm_buf_status(out), QM_OK);
  qm_buf_byte(out, 0);
  assert_string_equal((const char *)out->p, want);
  qm_buf_clear(out);
}

/* What ECMAScript's String(v) gives. */
static const struct {
  double v;
  const char *text;
} numbers[] = {
    {0.0, "0"},
    {-0.0, "0"},
    {1.0, "1"},
    {-1.25, "-1.25"},
    {100.0, "100"},
    {0.1, "0.1"},
    {0.3, "0.3"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3.0, "0.3333333333333333"},
    {2.0 / 3.0, "0.6666666666666666"},
    {0.491184, "0.491184"},
    {3.8, "3.8"},
    {1e-6, "0.000001"},
    {1.234e-6, "0.000001234"},
    {1e-7, "1e-7"},
    {9.5e-7, "9.5e-7"},
    {-1e-9, "-1e-9"},
    {1.23e-18, "1.23e-18"},
    {4294967296.0, "4294967296"},
    {1700043498238.0, "1700043498238"},
    {9007199254740992.0, "9007199254740992"},
    {9223372036854775808.0, "9223372036854776000"},
    {18446744073709551616.0, "18446744073709552000"},
    {123456789012345680000.0, "123456789012345680000"},
    {999999999999999900000.0, "999999999999999900000"},
    {1e21, "1e+21"},
    {-1.1e21, "-1.1e+21"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {2.225073858507201e-308, "2.225073858507201e-308"},
    {5e-324, "5e-324"},
    {1.5e-323, "1.5e-323"},
    {7.120236347223045e-307, "7.120236347223045e-307"}, /* a power of two: the digits above */
    {8.209073602596753e-289, "8.209073602596753e-289"},
};

static void numbers_are_written_as_ecmascript_does(void **state) {
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 256);
  for (size_t i = 0; i < COUNT(numbers); i++) {
    qm_json_f64(&out, numbers[i].v);
    expect_text(&out, numbers[i].text);
  }
  double zero = 0.0;
  qm_json_f64(&out, 1.0 / zero);
  expect_text(&out, "null");
  qm_json_f64(&out, zero / zero);
  expect_text(&out, "null");
  qm_buf_free(&out);
}

static void numbers_do_not_depend_on_the_locale(void **state) {
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 256);
  for (size_t i = 0; i < COUNT(numbers); i++) {
    locale_json_f64(&out, numbers[i].v);
    expect_text(&out, numbers[i].text);
  }
  assert_int_equal(locale_value_json(&out, qm_slice_of("\x93\x01\xff\xa1.", 5)), QM_OK);
  expect_text(&out, "[1,-1,\".\"]");
  qm_buf_free(&out);
}

/* Doubles of all sizes: what is written reads back, and no digit is too many. */
static void numbers_read_back(void **state) {
  uint64_t x = 88172645463325252u;
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 256);
  for (int i = 0; i < 20000; i++) {
    double v;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    memcpy(&v, &x, sizeof v);
    if (!(v - v == 0.0)) continue;
    qm_json_f64(&out, v);
    qm_buf_byte(&out, 0);
    double back = strtod((const char *)out.p, NULL);
    assert_memory_equal(&back, &v, sizeof v);
    qm_buf_clear(&out);
  }
  qm_buf_free(&out);
}

static void strings_are_written_as_json_stringify_does(void **state) {
  static const struct {
    const char *in;
    size_t n;
    const char *text;
  } rows[] = {
      {BYTES(""), "\"\""},
      {BYTES("a b ~"), "\"a b ~\""},
      {BYTES("\"\\/"), "\"\\\"\\\\/\""},
      {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
      {BYTES("\0\x01\x0b\x1f"), "\"\\u0000\\u0001\\u000b\\u001f\""},
      {BYTES("a\nb"), "\"a\\nb\""},
      {BYTES("\x7f"), "\"\x7f\""},
      {BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\"\xe2\x80\xa8\xe2\x80\xa9\""},
      {BYTES("\xe6\x88\xb7\xf0\x9f\x98\x80"), "\"\xe6\x88\xb7\xf0\x9f\x98\x80\""},
      {BYTES("</script>"), "\"</script>\""},
  };
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 256);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_json_str(&out, qm_slice_of(rows[i].in, rows[i].n));
    expect_text(&out, rows[i].text);
  }
  qm_buf_free(&out);
}

static void values_are_written_as_json(void **state) {
  static const struct {
    const char *in;
    size_t n;
    const char *text;
  } rows[] = {
      {BYTES("\xc0"), "null"},
      {BYTES("\xc2"), "false"},
      {BYTES("\xc3"), "true"},
      {BYTES("\x07"), "7"},
      {BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), "9223372036854775807"},
      {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
      {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808"},
      {BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), "1"},
      {BYTES("\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00"), "-1.5"},
      {BYTES("\xa3\xe6\x88\xb7"), "\"\xe6\x88\xb7\""},
      {BYTES("\xc4\x03\x00\xab\xff"), "{\"$bytes\":\"00abff\"}"},
      {BYTES("\xc4\x00"), "{\"$bytes\":\"\"}"},
      {BYTES("\x90"), "[]"},
      {BYTES("\x80"), "{}"},
      {BYTES("\x93\x01\x92\xc0\xc3\x80"), "[1,[null,true],{}]"},
      {BYTES("\x82\xa1"
             "a\x01\xa2"
             "b\n\x91\xa0"),
       "{\"a\":1,\"b\\n\":[\"\"]}"},
      {BYTES("\xc7\x0d\x01\x00\x4c\x4b\x40\xff\xb3\xb4\xbf\x00\x00\x00\x7b\x01"),
       "{\"$point\":[0.5,-0.5000001,12.3,\"wgs84\"]}"},
      {BYTES("\xc7\x0d\x01\xca\x5b\x17\x00\x6b\x49\xd2\x00\xff\xff\xff\xff\x02"),
       "{\"$point\":[-90,180,429496729.5,\"gcj02\"]}"},
      {BYTES("\xc7\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
       "{\"$point\":[1e-7,0,0,\"unknown\"]}"},
      {BYTES("\xd4\x02\x07"), "{\"$sealed\":true}"},
      {BYTES("\xc7\x00\x03"), "{\"$erased\":true}"},
      {BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x07"), "[[[[[[[[7]]]]]]]]"},
  };
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 256);
  for (size_t i = 0; i < COUNT(rows); i++) {
    assert_int_equal(qm_value_json(&out, qm_slice_of(rows[i].in, rows[i].n)), QM_OK);
    expect_text(&out, rows[i].text);
  }
  qm_buf_free(&out);
}

static void bad_values_are_not_written(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int code;
  } rows[] = {
      {BYTES(""), QM_ETRUNCATED},
      {BYTES("\x92\x01"), QM_EOVERSIZE},
      {BYTES("\x01\x01"), QM_ETRAILING},
      {BYTES("\x81\x01\x01"), QM_ETYPE},
      {BYTES("\xd4\x09\x00"), QM_ETYPE},
      {BYTES("\xd4\x01\x00"), QM_ETRUNCATED},
      {BYTES("\xc7\x0e\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), QM_ETRAILING},
      {BYTES("\xc7\x0d\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03"), QM_ERANGE},
      {BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x90"), QM_EDEPTH},
  };
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 256);
  for (size_t i = 0; i < COUNT(rows); i++) {
    assert_int_equal(qm_value_json(&out, qm_slice_of(rows[i].in, rows[i].n)), rows[i].code);
    qm_buf_clear(&out);
  }
  qm_buf_free(&out);
  qm_buf_init(&out, &env, 3);
  assert_int_equal(qm_value_json(&out, qm_slice_of("\x92\x01\x02", 3)), QM_ELIMIT);
  qm_json_str(&out, text_of("more"));
  assert_int_equal(qm_buf_status(&out), QM_ELIMIT);
  qm_buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_taken),
      cmocka_unit_test(values_are_refused),
      cmocka_unit_test(points_end_at_the_poles),
      cmocka_unit_test(size_has_a_limit),
      cmocka_unit_test(cuts_are_refused),
      cmocka_unit_test(values_have_one_order),
      cmocka_unit_test(undecodable_values_still_have_an_order),
      cmocka_unit_test(numbers_are_written_as_ecmascript_does),
      cmocka_unit_test(numbers_do_not_depend_on_the_locale),
      cmocka_unit_test(numbers_read_back),
      cmocka_unit_test(strings_are_written_as_json_stringify_does),
      cmocka_unit_test(values_are_written_as_json),
      cmocka_unit_test(bad_values_are_not_written),
  };
  return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
