#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sync/code.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

static int counted_random(void *payload, uint8_t *to, size_t n) {
  (void)payload;
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(i + 1);
  return QM_OK;
}

static int parse(const char *text, qm_enrol_code *out, qm_error *e) {
  return qm_code_parse(text, strlen(text), out, e);
}

static const char spoken[] = "000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-M";

/* secret 00 01 … 09, fingerprint 0a … 15. */
static void is_counted(const qm_enrol_code *code) {
  for (size_t i = 0; i < QM_CODE_SECRET_SIZE; i++) assert_int_equal(code->secret[i], i);
  for (size_t i = 0; i < QM_CODE_FINGERPRINT_SIZE; i++) {
    assert_int_equal(code->fingerprint[i], i + 10);
  }
}

static void known_codes(void **state) {
  static const struct {
    uint8_t first, step; /* of the 22 bytes */
    const char *want;
  } rows[] = {
      {0x00, 0, "0000-0000-0000-0000-0000-0000-0000-0000-0000-0"},
      {0xff, 0, "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZG-P"},
      {0x00, 1, spoken},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint8_t bytes[QM_CODE_SECRET_SIZE + QM_CODE_FINGERPRINT_SIZE];
    qm_enrol_code code, again;
    char text[QM_CODE_TEXT_SIZE];
    for (size_t k = 0; k < sizeof bytes; k++)
      bytes[k] = (uint8_t)(rows[i].first + k * rows[i].step);
    memcpy(code.secret, bytes, sizeof code.secret);
    memcpy(code.fingerprint, bytes + sizeof code.secret, sizeof code.fingerprint);
    qm_code_text(&code, text);
    assert_string_equal(text, rows[i].want);
    assert_int_equal(parse(text, &again, NULL), QM_OK);
    assert_memory_equal(&again, &code, sizeof code);
  }
}

static void people_type_as_they_like(void **state) {
  static const char *const texts[] = {
      "000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-M",
      "000g-40r4-0m30-e209-185g-r38e-1w81-24gk-2gag-m",
      "OoOG-4oR4-oM3O-E2O9-i85G-R38E-LW8l-24GK-2GAG-m",
      "000G40R40M30E209185GR38E1W8124GK2GAGM",
      " 000G 40R4 0M30 E209 185G R38E 1W81 24GK 2GAG M \r\n",
      "000G-40R4-0M30-\n\tE209-185G-R38E-1W81-24GK-2GAGM",
  };
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    qm_enrol_code code;
    assert_int_equal(parse(texts[i], &code, NULL), QM_OK);
    is_counted(&code);
  }
}

static void mistyped_codes_name_the_place(void **state) {
  static const struct {
    const char *text, *want;
  } rows[] = {
      {"", "too short"},
      {"----", "too short"},
      {"000G-40R4", "8 of 37"},
      {"000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-", "36 of 37"},
      {"000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-M0", "too long"},
      {"000G-40R4-0M3U-E209-185G-R38E-1W81-24GK-2GAG-M", "character 4 of group 3"},
      {"000G-40R4-0M3*-E209-185G-R38E-1W81-24GK-2GAG-M", "character 4 of group 3"},
      {"000G-4\xef\xbc\x90R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-M", "character 2 of group 2"},
      {"000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-#", "character 1 of group 10"},
      {"000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAG-*", "check character"},
      {"000G-40R4-0M30-E290-185G-R38E-1W81-24GK-2GAG-M", "check character"},
      /* The last symbol before the check holds bits that no byte has. */
      {"000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAH-N", "check character"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_enrol_code code;
    qm_error e = {0};
    assert_int_equal(parse(rows[i].text, &code, &e), QM_ECODE);
    assert_int_equal(e.code, QM_ECODE);
    if (strstr(e.message, rows[i].want) == NULL) fail_msg("%s: %s", rows[i].text, e.message);
    assert_int_equal(parse(rows[i].text, &code, NULL), QM_ECODE);
  }
  qm_enrol_code code;
  assert_int_equal(qm_code_parse("000G\0", 5, &code, NULL), QM_ECODE);
  assert_int_equal(qm_code_parse(NULL, 0, &code, NULL), QM_ECODE);
}

/* Every single wrong symbol and every swap of two neighbours is noticed. */
static void check_character_catches_slips(void **state) {
  char text[QM_CODE_TEXT_SIZE];
  qm_enrol_code code;
  (void)state;
  memcpy(text, spoken, sizeof text);
  for (size_t i = 0; i + 1 < sizeof text; i++) {
    char was = text[i];
    if (was == '-') continue;
    for (size_t k = 0; alphabet[k] != '\0'; k++) {
      if (alphabet[k] == was) continue;
      text[i] = alphabet[k];
      assert_int_equal(parse(text, &code, NULL), QM_ECODE);
    }
    text[i] = was;
  }
  for (size_t i = 0; i + 2 < sizeof text; i++) {
    char a = text[i], b = text[i + 1];
    if (a == b || a == '-' || b == '-') continue;
    text[i] = b;
    text[i + 1] = a;
    assert_int_equal(parse(text, &code, NULL), QM_ECODE);
    text[i] = a;
    text[i + 1] = b;
  }
  assert_int_equal(parse(text, &code, NULL), QM_OK);
}

/* A check character may be one of the five that others are not. */
static void every_check_character_is_read(void **state) {
  int seen[37] = {0}, count = 0;
  (void)state;
  for (unsigned i = 0; i < 4000; i++) {
    qm_enrol_code code = {{(uint8_t)i, (uint8_t)(i >> 8)}, {1, 2, 3}}, again;
    char text[QM_CODE_TEXT_SIZE];
    qm_code_text(&code, text);
    assert_int_equal(strlen(text), QM_CODE_TEXT_SIZE - 1);
    const char *at = strchr(alphabet, text[QM_CODE_TEXT_SIZE - 2]);
    assert_non_null(at);
    count += seen[at - alphabet]++ == 0;
    if (text[QM_CODE_TEXT_SIZE - 2] == 'U') text[QM_CODE_TEXT_SIZE - 2] = 'u';
    assert_int_equal(parse(text, &again, NULL), QM_OK);
    assert_memory_equal(&again, &code, sizeof code);
  }
  assert_int_equal(count, 37);
}

static void secrets_come_from_env(void **state) {
  static const uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE] = {9, 8, 7};
  qm_env env = qm_env_default();
  qm_enrol_code code;
  (void)state;
  assert_int_equal(qm_code_make(&env, fingerprint, &code), QM_EIO);
  env.random = NULL;
  assert_int_equal(qm_code_make(&env, fingerprint, &code), QM_EIO);
  env.random = counted_random;
  assert_int_equal(qm_code_make(&env, fingerprint, &code), QM_OK);
  assert_memory_equal(code.fingerprint, fingerprint, sizeof fingerprint);
  for (size_t i = 0; i < sizeof code.secret; i++) assert_int_equal(code.secret[i], i + 1);
  qm_hash id, want;
  qm_code_id(code.secret, &id);
  qm_sha256("\1\2\3\4\5\6\7\10\11\12", 10, &want);
  assert_memory_equal(id.b, want.b, sizeof id.b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_codes),
      cmocka_unit_test(people_type_as_they_like),
      cmocka_unit_test(mistyped_codes_name_the_place),
      cmocka_unit_test(check_character_catches_slips),
      cmocka_unit_test(every_check_character_is_read),
      cmocka_unit_test(secrets_come_from_env),
  };
  return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}
