#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/id.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void ids_compare_bytewise(void **state) {
  qm_id a = {{0}}, b = {{0}};
  (void)state;
  assert_int_equal(qm_id_cmp(&a, &b), 0);
  assert_int_equal(qm_id_is_zero(&a), 1);
  for (size_t i = 0; i < QM_ID_SIZE; i++) {
    memset(&b, 0, sizeof b);
    b.b[i] = 0x80;
    assert_true(qm_id_cmp(&a, &b) < 0);
    assert_true(qm_id_cmp(&b, &a) > 0);
    assert_int_equal(qm_id_is_zero(&b), 0);
  }
}

static void authors_are_device_and_epoch(void **state) {
  qm_id device, back;
  uint8_t epoch[8];
  qm_author a, b;
  (void)state;
  for (size_t i = 0; i < QM_ID_SIZE; i++) device.b[i] = (uint8_t)(i + 1);
  memset(epoch, 0xe0, sizeof epoch);
  qm_author_make(&a, &device, epoch);
  assert_memory_equal(a.b, device.b, QM_ID_SIZE);
  assert_memory_equal(a.b + QM_ID_SIZE, epoch, sizeof epoch);
  qm_author_device(&a, &back);
  assert_int_equal(qm_id_cmp(&device, &back), 0);
  for (size_t i = 0; i < QM_AUTHOR_SIZE; i++) {
    b = a;
    assert_int_equal(qm_author_cmp(&a, &b), 0);
    b.b[i]++;
    assert_true(qm_author_cmp(&a, &b) < 0);
    assert_true(qm_author_cmp(&b, &a) > 0);
  }
}

static void hex_goes_both_ways(void **state) {
  uint8_t all[256], back[256];
  char text[513];
  (void)state;
  for (size_t i = 0; i < 256; i++) all[i] = (uint8_t)i;
  qm_hex(text, all, sizeof all);
  assert_int_equal(strlen(text), 512);
  assert_int_equal(qm_unhex(back, sizeof back, text, 512), QM_OK);
  assert_memory_equal(all, back, sizeof all);
  qm_hex(text, NULL, 0);
  assert_string_equal(text, "");
  assert_int_equal(qm_unhex(back, 0, "", 0), QM_OK);
  qm_hex(text, "\xab\x0f", 2);
  assert_string_equal(text, "ab0f");
}

static void hex_refuses(void **state) {
  static const struct {
    const char *text;
    size_t len;
    int rc;
  } rows[] = {{"abcd", 4, QM_OK},
              {"ABcD", 4, QM_OK},
              {"abc", 3, QM_EFORMAT},
              {"abcdef", 6, QM_EFORMAT},
              {"ab", 2, QM_EFORMAT},
              {"", 0, QM_EFORMAT},
              {"abcg", 4, QM_EFORMAT},
              {"ab d", 4, QM_EFORMAT},
              {"0xab", 4, QM_EFORMAT},
              {"ab\0d", 4, QM_EFORMAT},
              {"ab\xc3\xa9", 4, QM_EFORMAT},
              {"ab@d", 4, QM_EFORMAT},
              {"ab`d", 4, QM_EFORMAT},
              {"ab/d", 4, QM_EFORMAT},
              {"ab:d", 4, QM_EFORMAT}};
  uint8_t to[2];
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    assert_int_equal(qm_unhex(to, 2, rows[i].text, rows[i].len), rows[i].rc);
  /* A length that, doubled, wraps. */
  assert_int_equal(qm_unhex(to, SIZE_MAX / 2 + 1, "", 0), QM_EFORMAT);
}

static void base32_is_crockfords(void **state) {
  static const struct {
    const char *in;
    size_t n;
    const char *text;
  } rows[] = {{"", 0, ""},
              {"\x00", 1, "00"},
              {"\xff", 1, "ZW"},
              {"f", 1, "CR"},
              {"fo", 2, "CSQG"},
              {"foo", 3, "CSQPY"},
              {"foob", 4, "CSQPYRG"},
              {"fooba", 5, "CSQPYRK1"},
              {"foobar", 6, "CSQPYRK1E8"},
              {"\xff\xff\xff\xff\xff", 5, "ZZZZZZZZ"}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[32];
    uint8_t back[8];
    qm_base32(text, rows[i].in, rows[i].n);
    assert_string_equal(text, rows[i].text);
    assert_int_equal(strlen(text), (8 * rows[i].n + 4) / 5);
    assert_int_equal(qm_unbase32(back, rows[i].n, text, strlen(text)), QM_OK);
    if (rows[i].n) assert_memory_equal(back, rows[i].in, rows[i].n);
  }
}

static void base32_forgives_people(void **state) {
  static const char *const same[] = {"CSQPYRK1E8", "csqpyrk1e8",    "CSQPY-RK1E8", "csqp yrki e8",
                                     "CSQPYRKLE8", "--CSQPYRKlE8 ", "CsQpYrKiE8"};
  static const char *const zero[] = {"00", "OO", "oO", "0o", "O-0"};
  uint8_t back[6];
  (void)state;
  for (size_t i = 0; i < COUNT(same); i++) {
    memset(back, 0, sizeof back);
    assert_int_equal(qm_unbase32(back, 6, same[i], strlen(same[i])), QM_OK);
    assert_memory_equal(back, "foobar", 6);
  }
  for (size_t i = 0; i < COUNT(zero); i++) {
    back[0] = 1;
    assert_int_equal(qm_unbase32(back, 1, zero[i], strlen(zero[i])), QM_OK);
    assert_int_equal(back[0], 0);
  }
}

static void base32_refuses(void **state) {
  static const struct {
    const char *text;
    size_t len, n;
  } rows[] = {
      {"CSQPYRK1E", 9, 6},    /* too short */
      {"CSQPYRK1E80", 11, 6}, /* too long by a symbol */
      {"CSQPYRK1E800", 12, 6},
      {"", 0, 1},
      {"0", 1, 1},
      {"000", 3, 1},
      {"0", 1, 0},
      {"CSQPYRK1E9", 10, 6}, /* unused bits set */
      {"ZX", 2, 1},
      {"CSQPYUK1E8", 10, 6}, /* U is no symbol */
      {"CSQPY*K1E8", 10, 6}, /* nor are the check symbols */
      {"CSQPY_K1E8", 10, 6},
      {"CSQPY\0K1E8", 10, 6},
      {"CSQPY\xc3\xa9K1E8", 11, 6},
      {"CSQPYRK1E8=", 11, 6},
      {"-- -", 4, 1},
  };
  uint8_t to[8];
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    assert_int_equal(qm_unbase32(to, rows[i].n, rows[i].text, rows[i].len), QM_EFORMAT);
  assert_int_equal(qm_unbase32(to, 0, "- ", 2), QM_OK);
}

/* Sizes 0 to 40, with bits all over: text and back, and no other size fits. */
static void base32_round_trips(void **state) {
  uint8_t in[40] = {0}, back[41];
  char text[80];
  (void)state;
  for (size_t n = 0; n <= sizeof in; n++) {
    for (size_t i = 0; i < n; i++) in[i] = (uint8_t)(i * 37 + n * 11 + 0x81);
    qm_base32(text, in, n);
    assert_int_equal(qm_unbase32(back, n, text, strlen(text)), QM_OK);
    if (n) assert_memory_equal(back, in, n);
    assert_int_equal(qm_unbase32(back, n + 1, text, strlen(text)), QM_EFORMAT);
    if (n) assert_int_equal(qm_unbase32(back, n - 1, text, strlen(text)), QM_EFORMAT);
  }
}

static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

static char check_of_text(const char *text) {
  unsigned sum = 0;
  for (; *text; text++) sum = (sum * 32 + (unsigned)(strchr(symbols, *text) - symbols)) % 37;
  return symbols[sum];
}

static void check_is_the_number_mod_37(void **state) {
  static const struct {
    const char *in;
    size_t n;
    char check;
  } rows[] = {
      {"", 0, '0'},
      {"\x00\x00\x00\x00\x00", 5, '0'},
      {"\x00\x00\x00\x00\x01", 5, '1'},
      {"\x00\x00\x00\x00\x20", 5, '*'}, /* 32 */
      {"\x00\x00\x00\x00\x24", 5, 'U'}, /* 36 */
      {"\x00\x00\x00\x00\x25", 5, '0'}, /* 37 */
      {"\x00\x00\x00\x04\xd2", 5, 'D'}, /* 1234 = 33 * 37 + 13 */
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    assert_int_equal(qm_base32_check(rows[i].in, rows[i].n), rows[i].check);
}

/* What the check is for: one wrong symbol, or two neighbours swapped. */
static void check_finds_typing_errors(void **state) {
  static const uint8_t code[10] = {0x3a, 0x91, 0x07, 0xee, 0x54, 0xc8, 0x20, 0x6d, 0xb3, 0x1f};
  char text[17], wrong[17];
  (void)state;
  qm_base32(text, code, sizeof code);
  char check = qm_base32_check(code, sizeof code);
  assert_int_equal(check, check_of_text(text));
  for (size_t i = 0; i < 16; i++) {
    for (size_t k = 0; k < 32; k++) {
      memcpy(wrong, text, sizeof wrong);
      wrong[i] = symbols[k];
      assert_int_equal(check_of_text(wrong) == check, symbols[k] == text[i]);
    }
    if (i == 0 || text[i] == text[i - 1]) continue;
    memcpy(wrong, text, sizeof wrong);
    wrong[i] = text[i - 1];
    wrong[i - 1] = text[i];
    assert_int_not_equal(check_of_text(wrong), check);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_compare_bytewise),
      cmocka_unit_test(authors_are_device_and_epoch),
      cmocka_unit_test(hex_goes_both_ways),
      cmocka_unit_test(hex_refuses),
      cmocka_unit_test(base32_is_crockfords),
      cmocka_unit_test(base32_forgives_people),
      cmocka_unit_test(base32_refuses),
      cmocka_unit_test(base32_round_trips),
      cmocka_unit_test(check_is_the_number_mod_37),
      cmocka_unit_test(check_finds_typing_errors),
  };
  return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
