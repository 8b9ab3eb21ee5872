#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/norm.h"
#include "tests/unit/support_alloc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define T(bytes) bytes, sizeof(bytes) - 1

static void utf8_is_checked(void **state) {
  static const struct {
    const char *in;
    size_t n;
    int ok;
    size_t codepoints;
  } rows[] = {
      {T(""), 1, 0},
      {T("a"), 1, 1},
      {T("\x00"), 1, 1},
      {T("\x7f"), 1, 1},
      {T("abcdefgh"), 1, 8},
      {T("abcdefghi"), 1, 9},
      {T("abcdefg\xe9\x99\x8c"), 1, 8},
      {T("abcdefghijklmnop\xe9\x99\x8cq"), 1, 18},
      {T("\xc2\x80"), 1, 1},
      {T("\xdf\xbf"), 1, 1},
      {T("\xe0\xa0\x80"), 1, 1},
      {T("\xed\x9f\xbf"), 1, 1},
      {T("\xee\x80\x80"), 1, 1},
      {T("\xef\xbf\xbf"), 1, 1},
      {T("\xf0\x90\x80\x80"), 1, 1},
      {T("\xf4\x8f\xbf\xbf"), 1, 1},
      {T("\x80"), 0, 0}, /* a rest without a start */
      {T("\xbf"), 0, 0},
      {T("a\x80"), 0, 0},
      {T("\xc0\x80"), 0, 0}, /* overlong */
      {T("\xc1\xbf"), 0, 0},
      {T("\xe0\x9f\xbf"), 0, 0},
      {T("\xf0\x8f\xbf\xbf"), 0, 0},
      {T("\xed\xa0\x80"), 0, 0}, /* surrogates */
      {T("\xed\xbf\xbf"), 0, 0},
      {T("\xf4\x90\x80\x80"), 0, 0}, /* beyond U+10FFFF */
      {T("\xf5\x80\x80\x80"), 0, 0},
      {T("\xfe"), 0, 0},
      {T("\xff"), 0, 0},
      {T("\xc2"), 0, 0}, /* cut */
      {T("\xe9\x99"), 0, 0},
      {T("\xf0\x9f\x8c"), 0, 0},
      {T("\xc2"
         "a"),
       0, 0}, /* a start without its rest */
      {T("\xe9\x99"
         "a"),
       0, 0},
      {T("\xe9"
         "a\x8c"),
       0, 0},
      {T("\xf0\x9f\x8c"
         "a"),
       0, 0},
      {T("\xf0\x9f"
         "a\xbe"),
       0, 0},
      {T("abcdefgh\xff"), 0, 0}, /* behind the fast path */
      {T("abcdefghabcdefg\xff"), 0, 0},
      {T("\xff"
         "abcdefgh"),
       0, 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    size_t codepoints = 99;
    assert_int_equal(qm_utf8_check(qm_slice_of(rows[i].in, rows[i].n), &codepoints), rows[i].ok);
    assert_int_equal(codepoints, rows[i].codepoints);
    assert_int_equal(qm_utf8_check(qm_slice_of(rows[i].in, rows[i].n), NULL), rows[i].ok);
  }
  assert_int_equal(qm_utf8_check(qm_slice_of(NULL, 0), NULL), 1);
}

/* Every code point, encoded plainly: all but the surrogates are taken, and no
 * encoding is accepted when its last byte is missing. */
static void utf8_takes_every_code_point(void **state) {
  size_t taken = 0, expected = 0x110000 - 0x800;
  (void)state;
  for (uint32_t c = 0; c < 0x110000; c++) {
    uint8_t b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1;) b[i] = (uint8_t)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    b[0] = (uint8_t)(lead[n] | c >> (6 * (n - 1)));
    taken += (size_t)qm_utf8_check(qm_slice_of(b, n), NULL);
    if (n > 1 && qm_utf8_check(qm_slice_of(b, n - 1), NULL)) fail();
  }
  assert_int_equal(taken, expected);
}

static void offsets_count_code_points(void **state) {
  static const char text[] = "a\xc3\xa9\xe9\x99\x8c\xf0\x9f\x8c\xbez";
  static const size_t want[] = {0, 1, 3, 6, 10, 11, 11};
  (void)state;
  for (size_t i = 0; i < COUNT(want); i++)
    assert_int_equal(qm_utf8_offset(qm_slice_of(text, sizeof text - 1), i), want[i]);
  assert_int_equal(qm_utf8_offset(qm_slice_of(text, sizeof text - 1), SIZE_MAX), 11);
  assert_int_equal(qm_utf8_offset(qm_slice_of(NULL, 0), 0), 0);
  assert_int_equal(qm_utf8_offset(qm_slice_of(NULL, 0), 3), 0);
}

static void keys_have_one_form(void **state) {
  static const struct {
    const char *in, *exact, *folded;
  } rows[] = {
      {"", "", ""},
      {"A-17", "A-17", "a-17"},
      {"  A-17 \t\n", "A-17", "a-17"},
      {"A  17", "A  17", "a  17"}, /* inside it stays */
      {" \t ", "", ""},
      {"\xef\xbc\xa1\xef\xbc\x91\xef\xbc\x97", "A17", "a17"}, /* full width */
      {"\xe3\x80\x80"
       "A17\xe3\x80\x80",
       "A17", "a17"}, /* ideographic space */
      {"\xc2\xa0"
       "A17\xe2\x80\xa8",
       "A17", "a17"},                        /* no-break space, line separator */
      {"e\xcc\x81", "\xc3\xa9", "\xc3\xa9"}, /* composed */
      {"\xc3\x89", "\xc3\x89", "\xc3\xa9"},
      {"Stra\xc3\x9f"
       "e",
       "Stra\xc3\x9f"
       "e",
       "strasse"},
      {"\xef\xac\x81", "fi", "fi"}, /* ligature */
      {"\xe2\x84\xa2", "TM", "tm"}, /* a sign that folds after it splits */
      {"\xe6\x88\xb7\xe5\x8f\xb7"
       "7",
       "\xe6\x88\xb7\xe5\x8f\xb7"
       "7",
       "\xe6\x88\xb7\xe5\x8f\xb7"
       "7"},
      {"\xef\xa4\x80", "\xe8\xb1\x88", "\xe8\xb1\x88"}, /* compatibility ideograph */
      {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c", "\xed\x95\x9c"}, /* Hangul jamo */
      {"a\xcc\xa3\xcc\x87", "\xe1\xba\xa1\xcc\x87", "\xe1\xba\xa1\xcc\x87"},
      {"a\xcc\x87\xcc\xa3", "\xe1\xba\xa1\xcc\x87", "\xe1\xba\xa1\xcc\x87"}, /* marks in order */
  };
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 1000);
  for (size_t i = 0; i < COUNT(rows); i++) {
    for (int form = QM_NORM_EXACT; form <= QM_NORM_CASEFOLD; form++) {
      const char *want = form == QM_NORM_EXACT ? rows[i].exact : rows[i].folded;
      qm_buf_clear(&out);
      qm_buf_add(&out, "<", 1);
      assert_int_equal(
          qm_norm_key(&out, qm_slice_of(rows[i].in, strlen(rows[i].in)), (qm_norm_form)form),
          QM_OK);
      qm_buf_byte(&out, '\0');
      assert_int_equal(out.p[0], '<');
      assert_string_equal((const char *)out.p + 1, want);
    }
  }
  qm_buf_free(&out);
}

/* The normal form of a normal form is itself, for every code point alone and between
 * two others. */
static void keys_are_stable(void **state) {
  qm_env env = qm_env_default();
  qm_buf one, two;
  (void)state;
  qm_buf_init(&one, &env, 1000);
  qm_buf_init(&two, &env, 1000);
  for (uint32_t c = 1; c < 0x30000; c++) {
    if (c >= 0xd800 && c < 0xe000) continue;
    uint8_t b[6] = {'X'};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1;) b[1 + i] = (uint8_t)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    b[1] = (uint8_t)(lead[n] | c >> (6 * (n - 1)));
    b[1 + n] = 'Y';
    qm_slice text = c % 2 ? qm_slice_of(b + 1, n) : qm_slice_of(b, n + 2);
    qm_norm_form form = c % 4 < 2 ? QM_NORM_EXACT : QM_NORM_CASEFOLD;
    qm_buf_clear(&one);
    qm_buf_clear(&two);
    assert_int_equal(qm_norm_key(&one, text, form), QM_OK);
    assert_int_equal(qm_norm_key(&two, qm_buf_slice(&one), form), QM_OK);
    if (qm_slice_cmp(qm_buf_slice(&one), qm_buf_slice(&two)) != 0) fail_msg("U+%04X", (unsigned)c);
  }
  qm_buf_free(&one);
  qm_buf_free(&two);
}

static void bad_text_makes_no_key(void **state) {
  static const char *const bad[] = {"\x80", "abc\xff", "\xed\xa0\x80", "\xe9\x99", "\xc0\x80"};
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 100);
  qm_buf_byte(&out, '<');
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(qm_norm_key(&out, qm_slice_of(bad[i], strlen(bad[i])), QM_NORM_EXACT),
                     QM_EUTF8);
    assert_int_equal(out.n, 1);
    assert_int_equal(qm_buf_status(&out), QM_OK);
  }
  qm_buf_free(&out);
}

static void zero_bytes_are_text(void **state) {
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 100);
  assert_int_equal(qm_norm_key(&out, qm_slice_of("a\0B", 3), QM_NORM_CASEFOLD), QM_OK);
  assert_int_equal(out.n, 3);
  assert_memory_equal(out.p, "a\0b", 3);
  qm_buf_free(&out);
}

static void key_limits_hold(void **state) {
  qm_env env = qm_env_default();
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 6);
  assert_int_equal(qm_norm_key(&out, qm_slice_of("\xe6\x88\xb7\xe5\x8f\xb7", 6), QM_NORM_EXACT),
                   QM_OK);
  qm_buf_clear(&out);
  assert_int_equal(qm_norm_key(&out,
                               qm_slice_of("\xe6\x88\xb7\xe5\x8f\xb7"
                                           "7",
                                           7),
                               QM_NORM_EXACT),
                   QM_ELIMIT);
  assert_int_equal(out.n, 0);
  assert_int_equal(qm_norm_key(&out, qm_slice_of("7", 1), QM_NORM_EXACT), QM_ELIMIT);
  /* One code point that becomes eighteen. */
  qm_buf_clear(&out);
  assert_int_equal(qm_norm_key(&out, qm_slice_of("\xef\xb7\xba", 3), QM_NORM_EXACT), QM_ELIMIT);
  assert_int_equal(out.n, 0);
  qm_buf_free(&out);
}

static void key_without_memory(void **state) {
  (void)state;
  int done = 0;
  for (size_t at = 1; !done; at++) {
    test_alloc count = {.fail_at = at};
    qm_env env = test_alloc_env(&count);
    qm_buf out;
    assert_true(at < 5);
    qm_buf_init(&out, &env, 100);
    int rc = qm_norm_key(&out, qm_slice_of("Key 7", 5), QM_NORM_CASEFOLD);
    done = rc == QM_OK;
    assert_true(done || rc == QM_ENOMEM);
    assert_int_equal(qm_buf_status(&out), rc);
    assert_int_equal(out.n, done ? 5 : 0);
    qm_buf_free(&out);
    assert_int_equal(count.live, 0);
  }
}

static void columns_are_counted(void **state) {
  static const struct {
    const char *in;
    size_t columns;
  } rows[] = {{"", 0},
              {"abc", 3},
              {"\xe9\x98\xa1\xe9\x99\x8c", 4},
              {"e\xcc\x81", 1},
              {"\xef\xbc\xa1", 2},
              {"\xc3\xa9", 1},
              {"a\xe6\x88\xb7"
               "b",
               4},
              {"\x07", 0}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    assert_int_equal(qm_text_columns(qm_slice_of(rows[i].in, strlen(rows[i].in))), rows[i].columns);
  assert_int_equal(qm_text_columns(qm_slice_of(NULL, 0)), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(utf8_is_checked),           cmocka_unit_test(utf8_takes_every_code_point),
      cmocka_unit_test(offsets_count_code_points), cmocka_unit_test(keys_have_one_form),
      cmocka_unit_test(keys_are_stable),           cmocka_unit_test(bad_text_makes_no_key),
      cmocka_unit_test(zero_bytes_are_text),       cmocka_unit_test(key_limits_hold),
      cmocka_unit_test(key_without_memory),        cmocka_unit_test(columns_are_counted),
  };
  return cmocka_run_group_tests_name("norm", tests, NULL, NULL);
}
