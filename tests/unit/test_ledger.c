/* Ledgers (S22.7): names of entries, and what a reversal must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/json_value.h"
#include "core/ledger.h"
#include "core/reason.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static qm_slice str(const char *s) { return qm_slice_of(s, strlen(s)); }

typedef struct book {
  qm_env env;
  qm_arena arena;
  qm_authors authors;
  qm_entries entries;
  qm_entry rows[4];
  char names[4][QM_ENTRY_NAME_SIZE];
} book;

static qm_slice value(book *k, const char *json) {
  qm_buf b;
  qm_buf_init(&b, &k->env, 1024);
  assert_int_equal(qm_json_value(&b, str(json), NULL), QM_OK);
  qm_slice s = qm_slice_of(qm_arena_copy(&k->arena, b.p, b.n), b.n);
  qm_buf_free(&b);
  return s;
}

static void add(book *k, uint32_t author, uint64_t counter, const char *json) {
  uint32_t at = k->entries.n++;
  k->rows[at] = (qm_entry){.dot = {counter, author}, .value = value(k, json)};
  k->entries.p = k->rows;
  qm_entry_name(&k->authors, k->rows[at].dot, k->names[at]);
}

static void open_book(book *k) {
  qm_author a = {{0}}, b = {{0}};
  uint32_t number;
  memset(k, 0, sizeof *k);
  k->env = qm_env_default();
  qm_arena_init(&k->arena, &k->env, 1u << 20);
  qm_authors_init(&k->authors, &k->env);
  a.b[0] = 0xAB;
  b.b[23] = 1;
  assert_int_equal(qm_authors_add(&k->authors, &a, &number), QM_OK);
  assert_int_equal(qm_authors_add(&k->authors, &b, &number), QM_OK);
  add(k, 0, 7, "{\"amount\":2000,\"reason\":\"r\"}");
  add(k, 1, 0, "{\"amount\":-500,\"reason\":\"r\"}");
}

static void close_book(book *k) {
  qm_authors_free(&k->authors);
  qm_arena_free(&k->arena);
}

static void names(void **state) {
  static const char *const bad[] = {
      "", "x", "ab0000000000000000000000000000000000000000000000:",
      "ab0000000000000000000000000000000000000000000000:x7",
      "ab0000000000000000000000000000000000000000000000:07",
      "AB0000000000000000000000000000000000000000000000:7",
      "ab0000000000000000000000000000000000000000000000-7",
      "ab000000000000000000000000000000000000000000000g:7",
      "cd0000000000000000000000000000000000000000000000:7",
      "ab0000000000000000000000000000000000000000000000:18446744073709551616"};
  book k;
  qm_dot dot;
  (void)state;
  open_book(&k);
  assert_string_equal(k.names[0], "ab0000000000000000000000000000000000000000000000:7");
  assert_int_equal(qm_entry_find(&k.authors, str(k.names[0]), &dot), QM_OK);
  assert_true(qm_dot_eq(dot, k.rows[0].dot));
  assert_int_equal(
      qm_entry_find(&k.authors,
                    str("ab0000000000000000000000000000000000000000000000:18446744073709551615"),
                    &dot),
      QM_OK);
  for (size_t i = 0; i < COUNT(bad); i++)
    if (qm_entry_find(&k.authors, str(bad[i]), &dot) == QM_OK) fail_msg("%s", bad[i]);
  close_book(&k);
}

static qm_reason judged(book *k, int64_t amount, const char *reverses) {
  static const qm_field_def f = {.type = QM_FIELD_LOG,
                                 .name = {(const uint8_t *)"fund", 4},
                                 .value = QM_VALUE_MAP,
                                 .check = {(const uint8_t *)"entry", 5}};
  char json[256];
  qm_error e = {0, ""};
  qm_slice field, detail;
  assert_true(qm_is_ledger(&f));
  (void)snprintf(json, sizeof json, "{\"amount\":%lld,\"reason\":\"r\"%s%s%s}", (long long)amount,
                 reverses ? ",\"reverses\":\"" : "", reverses ? reverses : "",
                 reverses ? "\"" : "");
  qm_slice v = value(k, json);
  assert_int_equal(qm_entry_amount(v), amount);
  if (qm_ledger_check(&k->authors, &k->entries, &f, v, &e) == QM_OK) return QM_REASON_NONE;
  return qm_reason_find(e.message, &field, &detail);
}

static void reversals(void **state) {
  book k;
  (void)state;
  open_book(&k);
  assert_int_equal(judged(&k, 100, NULL), QM_REASON_NONE);
  assert_int_equal(judged(&k, -2000, k.names[0]), QM_REASON_NONE);
  assert_int_equal(judged(&k, 500, k.names[1]), QM_REASON_NONE);
  assert_int_equal(judged(&k, 2000, k.names[0]), QM_REASON_ENTRY_OPPOSITE);
  assert_int_equal(judged(&k, -1999, k.names[0]), QM_REASON_ENTRY_OPPOSITE);
  assert_int_equal(judged(&k, -2000, "nothing"), QM_REASON_ENTRY_REVERSES);
  assert_int_equal(judged(&k, -2000, "ab0000000000000000000000000000000000000000000000:8"),
                   QM_REASON_ENTRY_REVERSES); /* not in this log */
  char json[256];
  (void)snprintf(json, sizeof json, "{\"amount\":-2000,\"reason\":\"r\",\"reverses\":\"%s\"}",
                 k.names[0]);
  add(&k, 1, 1, json);
  assert_int_equal(judged(&k, -2000, k.names[0]), QM_REASON_ENTRY_TWICE);
  assert_int_equal(judged(&k, 2000, k.names[2]), QM_REASON_ENTRY_REVERSES); /* of a reversal */
  assert_int_equal(judged(&k, 500, k.names[1]), QM_REASON_NONE);
  k.rows[1].erased = 1;
  assert_int_equal(judged(&k, 500, k.names[1]), QM_REASON_ENTRY_REVERSES);
  close_book(&k);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(reversals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
