#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/err.h"

typedef struct row {
  const char *name;
  int code;
} row;

#define ROW(name, number, cls, text) {#name, number},
static const row rows[] = {QM_ERRORS(ROW)};
#define ROWS (sizeof rows / sizeof rows[0])

static void numbers_and_names_are_unique_and_negative(void **state) {
  (void)state;
  for (size_t i = 0; i < ROWS; i++) {
    assert_true(rows[i].code < 0);
    assert_true(rows[i].code > QM_ERR_FLOOR);
    for (size_t j = 0; j < i; j++) {
      assert_int_not_equal(rows[i].code, rows[j].code);
      assert_string_not_equal(rows[i].name, rows[j].name);
      assert_string_not_equal(qm_err_text(rows[i].code), qm_err_text(rows[j].code));
    }
  }
}

static void every_code_has_name_text_and_class(void **state) {
  (void)state;
  for (size_t i = 0; i < ROWS; i++) {
    assert_string_equal(qm_err_name(rows[i].code), rows[i].name);
    assert_true(strlen(qm_err_text(rows[i].code)) > 4);
    assert_int_not_equal(qm_err_class(rows[i].code), QM_CLASS_OK);
  }
}

/* The numbers cross FFI and the wire: these may never change. */
static void numbers_are_fixed(void **state) {
  (void)state;
  assert_int_equal(QM_OK, 0);
  assert_int_equal(QM_EINVAL, -1);
  assert_int_equal(QM_ETRUNCATED, -20);
  assert_int_equal(QM_EGAP, -40);
  assert_int_equal(QM_ENOTFOUND, -60);
  assert_int_equal(QM_EIO, -70);
  assert_int_equal(QM_ENET, -90);
  assert_int_equal(QM_ECODE, -110);
  assert_int_equal(QM_EDIFFER, -120);
  assert_int_equal(QM_ECUT, -51);
}

static void classes_say_what_the_caller_can_do(void **state) {
  (void)state;
  assert_int_equal(qm_err_class(QM_OK), QM_CLASS_OK);
  assert_int_equal(qm_err_class(QM_EINVAL), QM_CLASS_USAGE);
  assert_int_equal(qm_err_class(QM_ENOTFOUND), QM_CLASS_ABSENT);
  assert_int_equal(qm_err_class(QM_ENET), QM_CLASS_RETRY);
  assert_int_equal(qm_err_class(QM_EREVOKED), QM_CLASS_REFUSED);
  assert_int_equal(qm_err_class(QM_EFULL), QM_CLASS_STORAGE);
  assert_int_equal(qm_err_class(QM_ECORRUPT), QM_CLASS_CORRUPT);
  assert_int_equal(qm_err_class(QM_EDIFFER), QM_CLASS_DIFFER);
}

static void unknown_codes_are_named_so(void **state) {
  static const int unknown[] = {1, 7, -7, -19, -9999, INT32_MAX, INT32_MIN, QM_ERR_FLOOR};
  (void)state;
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    assert_string_equal(qm_err_name(unknown[i]), "EUNKNOWN");
    assert_string_equal(qm_err_text(unknown[i]), "unknown error");
    assert_int_equal(qm_err_class(unknown[i]), QM_CLASS_CORRUPT);
  }
  assert_string_equal(qm_err_name(0), "OK");
}

static void fail_fills_and_returns(void **state) {
  qm_error e;
  (void)state;
  assert_int_equal(qm_fail(&e, QM_ELIMIT, "field %d of %s", 7, "household"), QM_ELIMIT);
  assert_int_equal(e.code, QM_ELIMIT);
  assert_string_equal(e.message, "field 7 of household");
  assert_int_equal(qm_fail(NULL, QM_EIO, "unheard"), QM_EIO);
  assert_int_equal(qm_fail(&e, QM_EIO, "%s", ""), QM_EIO);
  assert_string_equal(e.message, "");
}

/* A long message ends where a character ends, for one to four bytes a character. */
static void fail_cuts_between_characters(void **state) {
  static const char *const chars[] = {"a", "\xc3\xa9", "\xe9\x99\x8c", "\xf0\x9f\x8c\xbe"};
  (void)state;
  for (size_t k = 0; k < 4; k++) {
    size_t size = strlen(chars[k]);
    for (size_t lead = 0; lead < 4; lead++) {
      char text[400] = "aaaa";
      text[lead] = '\0';
      while (strlen(text) + size < sizeof text - 1) strncat(text, chars[k], size);
      qm_error e;
      qm_fail(&e, QM_EINVAL, "%s", text);
      size_t n = strlen(e.message);
      assert_true(n < sizeof e.message);
      assert_true(n + size > sizeof e.message - 1);
      assert_int_equal((n - lead) % size, 0);
      assert_memory_equal(e.message, text, n);
    }
  }
}

/* Exactly full is not cut: 251 bytes that end with a whole character. */
static void fail_keeps_what_just_fits(void **state) {
  char text[252];
  qm_error e;
  (void)state;
  memset(text, 'b', sizeof text);
  memcpy(text + 248, "\xe9\x99\x8c", 4);
  qm_fail(&e, QM_EINVAL, "%s", text);
  assert_string_equal(e.message, text);
}

static int twice(int rc, int *reached) {
  QM_TRY(rc);
  *reached = 1;
  return QM_OK;
}

static void try_returns_the_first_error(void **state) {
  int reached = 0;
  (void)state;
  assert_int_equal(twice(QM_EGAP, &reached), QM_EGAP);
  assert_int_equal(reached, 0);
  assert_int_equal(twice(QM_OK, &reached), QM_OK);
  assert_int_equal(reached, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_and_names_are_unique_and_negative),
      cmocka_unit_test(every_code_has_name_text_and_class),
      cmocka_unit_test(numbers_are_fixed),
      cmocka_unit_test(classes_say_what_the_caller_can_do),
      cmocka_unit_test(unknown_codes_are_named_so),
      cmocka_unit_test(fail_fills_and_returns),
      cmocka_unit_test(fail_cuts_between_characters),
      cmocka_unit_test(fail_keeps_what_just_fits),
      cmocka_unit_test(try_returns_the_first_error),
  };
  return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
