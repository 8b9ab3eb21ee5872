#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "core/id.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_schema.h"

#define FIXTURES "fixtures/schemas/"
#define ARENA_MAX (16u << 20)

/* A whole file, allocated exactly as long as it is. Free .p. */
static qm_slice read_file(const char *name) {
  char path[128];
  (void)snprintf(path, sizeof path, FIXTURES "%s", name);
  FILE *f = fopen(path, "rb");
  if (!f) print_error("cannot open %s (tests run at the root of the repository)\n", path);
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  long size = ftell(f);
  assert_true(size >= 0);
  rewind(f);
  uint8_t *p = malloc(size ? (size_t)size : 1);
  assert_non_null(p);
  assert_int_equal(fread(p, 1, (size_t)size, f), (size_t)size);
  (void)fclose(f);
  return qm_slice_of(p, (size_t)size);
}

static void free_file(qm_slice s) {
  void *p;
  memcpy(&p, &s.p, sizeof p);
  free(p);
}

static const struct {
  const char *name, *message;
} bad[] = {
    {"not-json", "schema, line 18, column"},
    {"empty", "schema, line 1, column 0: "},
    {"array", "schema: must be an object"},
    {"trailing", "schema, line 20, column 1: "},
    {"duplicate-key", "schema, line 4, column 11: duplicate object key"},
    {"not-utf8", "schema, line 2, column"},
    {"unknown-key", "schema: unknown key \"colour\""},
    {"unknown-collection-key", "collections[0]: unknown key \"score\""},
    {"unknown-field-key", "collections[0].fields[0]: unknown key \"default\""},
    {"unknown-item-key", "collections[0].fields[1].items[1]: unknown key \"colour\""},
    {"unknown-label", "collections[0].fields[0].label: unknown key \"fr\""},
    {"no-name", "schema: is missing"},
    {"no-version", "version: is missing"},
    {"no-collections", "schema: collections are missing"},
    {"no-purpose", "collections[0].purpose: is missing"},
    {"blank-purpose", "collections[0] (wish): the purpose is missing"},
    {"no-retention", "collections[0].retention: is missing"},
    {"bad-retention", "collections[0] (wish): the retention is missing or no duration"},
    {"no-class", "collections[0].fields[0].class: is missing"},
    {"bad-class", "collections[0].fields[0].class: is none of public, work, personal, sensitive"},
    {"no-value", "collections[0].fields[0].value: is missing"},
    {"bad-value",
     "collections[0].fields[0].value: is none of any, text, int, number, bool, bytes, point, "
     "enum, date, ref, space-ref, map"},
    {"no-type", "collections[0].fields[0].type: is missing"},
    {"bad-type",
     "collections[0].fields[0].type: is none of register, max, min, state, set, counter, log, "
     "text, list, ref"},
    {"no-number", "collections[0].fields[0].number: is missing"},
    {"low-number", "collections[0].fields[0] (wish.text): the number must be from 16"},
    {"reused-number",
     "collections[0].fields[1] (wish.state): number 16 after 16: numbers must rise and are "
     "never reused"},
    {"falling-number", "collections[0].fields[2] (wish.where): number 16 after 17"},
    {"text-number", "collections[0].fields[0].number: must be a whole number"},
    {"fraction", "collections[0].fields[0].number: must be a whole number"},
    {"negative-number", "collections[0].fields[0].number: must be from 0 to"},
    {"reused-name", "collections[0].fields[1] (wish.text): the name is used by fields[0]"},
    {"name-like-number", "collections[0].fields[0] (wish.?): the name is not well-formed"},
    {"name-with-space", "collections[0].fields[0] (wish.?): the name is not well-formed"},
    {"field-no-object", "collections[0].fields[0]: must be an object"},
    {"fields-no-list", "collections[0].fields: must be a list"},
    {"flag-no-bool", "collections[0].fields[0].naming: must be true or false"},
    {"sealed-set", "collections[0].fields[0] (wish.text): a field of this type cannot be sealed"},
    {"state-without-items", "collections[0].fields[1] (wish.state): items are missing"},
    {"item-without-rank", "collections[0].fields[1].items[1].rank: is missing"},
    {"item-as-name", "collections[0].fields[1].items[1]: must be an object"},
    {"item-twice", "collections[0].fields[1].items[2] (wish.state): the name is used by items[0]"},
    {"unknown-transition",
     "collections[0].fields[1].transitions: entry 0 is no pair of item names"},
    {"transition-no-pair",
     "collections[0].fields[1].transitions: entry 0 is no pair of item names"},
    {"unknown-target", "collections[0].fields[2].target: is no collection of this schema"},
    {"unknown-key-field", "collections[0].key: is no field of this collection"},
    {"personal-key", "collections[0] (wish): the key must not be personal or sealed"},
    {"key-form", "collections[0].key_form: is none of exact, casefold"},
    {"key-form-alone", "collections[0] (wish): a key form without a key"},
    {"writers-no-text", "collections[0].writers: must hold names of roles"},
    {"duplicates-no-list", "collections[0].duplicates: must be a list"},
    {"duplicates-unknown-key", "collections[0].duplicates[0]: unknown key \"score\""},
    {"duplicates-no-weight", "collections[0].duplicates[0].weight: is missing"},
    {"duplicates-no-when", "collections[0].duplicates[0].when: must be a list"},
    {"duplicates-unknown-field",
     "collections[0].duplicates[0].when[0].field: is no field of this collection"},
    {"duplicates-unknown-match",
     "collections[0].duplicates[0].when[0].match: is none of same, text, phone"},
    {"duplicates-other-limit",
     "collections[0].duplicates[0].when[0].metres: goes with another match"},
    {"duplicates-limit-zero", "collections[0].duplicates[0].when[0].percent: must be 1 or more"},
    {"duplicates-limit-text",
     "collections[0].duplicates[0].when[0].percent: must be a whole number"},
    {"duplicates-five", "collections[0].duplicates[0].when: has more than 4 entries"},
    {"duplicates-similar-alone",
     "collections[0].duplicates[0] (wish): needs a condition that is not similar"},
    {"duplicates-of-state-text",
     "collections[0].duplicates[0].when[0] (wish): this match is for text"},
    {"bad-level", "collections[0].fields[0].review: is none of low, normal, high"},
    {"unknown-level-class", "collections[0].review: unknown key \"lost\""},
    {"drift-twice", "drift_ms: is given twice"},
    {"no-lease", "schema: the lease must be from 1 to 3660 days"},
};

static void bad_files_are_refused(void **state) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts);
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, QM_SCHEMA_MAX);
  qm_buf_byte(&out, 7);
  for (size_t i = 0; i < COUNT(bad); i++) {
    char name[64];
    qm_error e = {0, ""};
    (void)snprintf(name, sizeof name, "bad/%s.json", bad[i].name);
    qm_slice json = read_file(name);
    int rc = qm_schema_json_compile(&out, json, &e);
    if (strncmp(e.message, bad[i].message, strlen(bad[i].message)) != 0)
      print_error("%s: %d %s\n", bad[i].name, rc, e.message);
    assert_int_equal(rc, QM_ESCHEMA);
    assert_int_equal(e.code, QM_ESCHEMA);
    assert_memory_equal(e.message, bad[i].message, strlen(bad[i].message));
    assert_int_equal(qm_schema_json_compile(&out, json, NULL), QM_ESCHEMA);
    assert_int_equal(out.n, 1); /* untouched */
    assert_int_equal(qm_buf_status(&out), QM_OK);
    free_file(json);
  }
  qm_buf_free(&out);
  assert_int_equal(counts.live, 0);
}

/* Each file stands as print writes it, and survives both ways. */
static void good_files_compile_and_print_back(void **state) {
  static const struct {
    const char *name;
    uint32_t collections;
    int sensitive;
  } rows[] = {{"village.json", 3, 1}, {"plain.json", 2, 0}, {"tiny.json", 1, 0}};
  qm_env env = qm_env_default();
  const qm_schema *s;
  qm_arena arena;
  qm_buf form, text;
  (void)state;
  qm_buf_init(&form, &env, QM_SCHEMA_MAX);
  qm_buf_init(&text, &env, QM_SCHEMA_JSON_MAX);
  qm_arena_init(&arena, &env, ARENA_MAX);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_error e = {0, ""};
    qm_slice json = read_file(rows[i].name);
    if (qm_schema_json_compile(&form, json, &e)) print_error("%s: %s\n", rows[i].name, e.message);
    assert_int_equal(qm_buf_status(&form), QM_OK);
    assert_int_equal(qm_schema_load(&s, qm_buf_slice(&form), &arena, &e), QM_OK);
    assert_int_equal(s->n_collections, rows[i].collections);
    assert_int_equal(qm_schema_sensitive(s), rows[i].sensitive);
    qm_schema_json_print(&text, s);
    assert_int_equal(text.n, json.n);
    assert_memory_equal(text.p, json.p, json.n);
    free_file(json);
    qm_buf_clear(&form);
    qm_buf_clear(&text);
    qm_arena_reset(&arena);
  }
  qm_arena_free(&arena);
  qm_buf_free(&form);
  qm_buf_free(&text);
}

/* Hexadecimal digits up to '#' on each line. */
static void add_hex(qm_buf *out, qm_slice text) {
  int comment = 0;
  for (size_t i = 0; i < text.n; i++) {
    uint8_t byte;
    if (text.p[i] == '#') comment = 1;
    if (text.p[i] == '\n') comment = 0;
    if (comment || text.p[i] == ' ' || text.p[i] == '\n') continue;
    assert_true(i + 1 < text.n);
    assert_int_equal(qm_unhex(&byte, 1, (const char *)text.p + i, 2), QM_OK);
    qm_buf_byte(out, byte);
    i++;
  }
}

static void the_worked_example_holds(void **state) {
  qm_env env = qm_env_default();
  qm_buf want, got;
  (void)state;
  qm_buf_init(&want, &env, QM_SCHEMA_MAX);
  qm_buf_init(&got, &env, QM_SCHEMA_MAX);
  qm_slice hex = read_file("tiny.hex"), json = read_file("tiny.json");
  add_hex(&want, hex);
  assert_int_equal(qm_schema_json_compile(&got, json, NULL), QM_OK);
  assert_int_equal(got.n, want.n);
  assert_memory_equal(got.p, want.p, want.n);
  free_file(hex);
  free_file(json);
  qm_buf_free(&want);
  qm_buf_free(&got);
}

/* What print writes of a schema that uses everything loads as the same schema. */
static void print_leaves_nothing_out(void **state) {
  qm_env env = qm_env_default();
  const qm_schema *s;
  qm_arena arena;
  qm_buf text, form, again;
  qm_error e = {0, ""};
  fixture x;
  (void)state;
  qm_buf_init(&text, &env, QM_SCHEMA_JSON_MAX);
  qm_buf_init(&form, &env, QM_SCHEMA_MAX);
  qm_buf_init(&again, &env, QM_SCHEMA_MAX);
  qm_arena_init(&arena, &env, ARENA_MAX);
  for (uint32_t drift = 600000; drift <= 600001; drift++) {
    fill(&x);
    x.s.drift_ms = drift;
    x.f[7].flags = QM_FIELD_REFER | QM_FIELD_REQUIRED;
    x.f[8].value = QM_VALUE_SPACE_REF;
    x.f[1].review = 1;
    x.f[8].review = 0;
    x.c[0].review[3] = 2;
    x.c[1].review[0] = x.c[1].review[6] = 3;
    x.items[0].name = str("a\\b'\xe6\x88\xb7");
    qm_schema_encode(&x.s, &form);
    qm_schema_json_print(&text, &x.s);
    int rc = qm_schema_json_load(&s, qm_buf_slice(&text), &arena, &e);
    if (rc) print_error("%s\n", e.message);
    assert_int_equal(rc, QM_OK);
    qm_schema_encode(s, &again);
    assert_int_equal(again.n, form.n);
    assert_memory_equal(again.p, form.p, form.n);
    qm_buf_clear(&text);
    qm_buf_clear(&form);
    qm_buf_clear(&again);
    qm_arena_reset(&arena);
  }
  qm_arena_free(&arena);
  qm_buf_free(&text);
  qm_buf_free(&form);
  qm_buf_free(&again);
}

static void defaults_and_short_forms(void **state) {
  static const char json[] =
      "\xef\xbb\xbf{\"schema\":\"s\",\"version\":1,\"collections\":[{\"name\":\"c\",\"number\":9,"
      "\"purpose\":\"p\",\"retention\":\"P1D\",\"fields\":["
      "{\"name\":\"a\",\"number\":16,\"type\":\"counter\",\"class\":\"work\"},"
      "{\"name\":\"b\",\"number\":17,\"type\":\"text\",\"class\":\"public\"},"
      "{\"name\":\"d\",\"number\":18,\"type\":\"ref\",\"class\":\"work\",\"value\":\"space-ref\"},"
      "{\"name\":\"e\",\"number\":19,\"type\":\"set\",\"value\":\"enum\",\"class\":\"work\","
      "\"sealed\":false,\"items\":[\"x\",{\"name\":\"2\"}]}]}]}";
  qm_env env = qm_env_default();
  const qm_schema *s;
  qm_arena arena;
  qm_error e = {0, ""};
  (void)state;
  qm_arena_init(&arena, &env, ARENA_MAX);
  int rc = qm_schema_json_load(&s, qm_slice_of(json, sizeof json - 1), &arena, &e);
  if (rc) print_error("%s\n", e.message);
  assert_int_equal(rc, QM_OK);
  assert_int_equal(s->drift_ms, 600000);
  assert_int_equal(s->lease_days, 90);
  assert_int_equal(s->review_days, 90);
  const qm_collection_def *c = qm_schema_collection(s, 9);
  assert_int_equal(c->key_field, 0);
  assert_int_equal(c->n_writers, 0);
  assert_int_equal(c->fields[0].value, QM_VALUE_INT);
  assert_int_equal(c->fields[1].value, QM_VALUE_TEXT);
  assert_int_equal(c->fields[2].value, QM_VALUE_SPACE_REF);
  assert_int_equal(c->fields[3].flags, 0);
  assert_int_equal(c->fields[3].n_items, 2);
  assert_memory_equal(c->fields[3].items[1].name.p, "2", 1);
  qm_buf text;
  qm_buf_init(&text, &env, QM_SCHEMA_JSON_MAX);
  qm_schema_json_print(&text, s);
  qm_buf_byte(&text, 0);
  assert_non_null(strstr((const char *)text.p, "\"items\": [\"x\", \"2\"]}"));
  qm_buf_free(&text);
  qm_arena_free(&arena);
}

static void cut_files_are_refused(void **state) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts);
  const qm_schema *s;
  qm_arena arena;
  (void)state;
  qm_slice json = read_file("tiny.json");
  qm_arena_init(&arena, &env, ARENA_MAX);
  for (size_t n = 0; n + 2 < json.n; n++) { /* the last byte is a line feed */
    assert_int_equal(qm_schema_json_load(&s, qm_slice_of(json.p, n), &arena, NULL), QM_ESCHEMA);
    assert_null(s);
    qm_arena_reset(&arena);
  }
  assert_int_equal(qm_schema_json_load(&s, qm_slice_of(NULL, 0), &arena, NULL), QM_ESCHEMA);
  qm_arena_free(&arena);
  free_file(json);
  assert_int_equal(counts.live, 0);
}

static void files_have_a_limit(void **state) {
  qm_env env = qm_env_default();
  qm_error e = {0, ""};
  qm_buf out;
  (void)state;
  char *big = malloc(QM_SCHEMA_JSON_MAX + 1);
  assert_non_null(big);
  memset(big, ' ', QM_SCHEMA_JSON_MAX + 1);
  qm_buf_init(&out, &env, QM_SCHEMA_MAX);
  assert_int_equal(qm_schema_json_compile(&out, qm_slice_of(big, QM_SCHEMA_JSON_MAX + 1), &e),
                   QM_EOVERSIZE);
  assert_string_equal(e.message, "schema: larger than 1048576 bytes");
  memset(big, '[', QM_SCHEMA_JSON_MAX);
  assert_int_equal(qm_schema_json_compile(&out, qm_slice_of(big, QM_SCHEMA_JSON_MAX), &e),
                   QM_ESCHEMA);
  qm_buf_free(&out);
  free(big);
}

static void the_form_has_a_limit(void **state) {
  static const char head[] =
      "{\"schema\":\"s\",\"version\":1,\"collections\":[{\"name\":\"c\","
      "\"number\":1,\"purpose\":\"p\",\"retention\":\"P1D\",\"fields\":[";
  qm_env env = qm_env_default();
  qm_error e = {0, ""};
  qm_buf json, out;
  (void)state;
  qm_buf_init(&json, &env, QM_SCHEMA_JSON_MAX);
  qm_buf_init(&out, &env, QM_SCHEMA_JSON_MAX);
  qm_buf_add(&json, head, sizeof head - 1);
  for (int i = 0; i < 1000; i++) {
    char field[512];
    int n = snprintf(field, sizeof field,
                     "%s{\"name\":\"f%d\",\"number\":%d,\"type\":\"counter\",\"class\":\"work\","
                     "\"label\":{\"zh\":\"%0250d\",\"en\":\"%050d\"}}",
                     i ? "," : "", i, 16 + i, i, i);
    qm_buf_add(&json, field, (size_t)n);
  }
  qm_buf_add(&json, "]}]}", 4);
  assert_int_equal(qm_buf_status(&json), QM_OK);
  assert_int_equal(qm_schema_json_compile(&out, qm_buf_slice(&json), &e), QM_ESCHEMA);
  assert_string_equal(e.message, "schema: its MessagePack form is larger than 262144 bytes");
  assert_int_equal(out.n, 0);
  qm_buf_free(&json);
  qm_buf_free(&out);
}

static void compiling_without_memory(void **state) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts);
  qm_slice json = read_file("plain.json");
  int rc = QM_ENOMEM;
  (void)state;
  for (counts.fail_at = 1; rc == QM_ENOMEM; counts.fail_at++) {
    qm_buf out;
    qm_error e = {0, ""};
    counts.count = 0;
    qm_buf_init(&out, &env, QM_SCHEMA_MAX);
    rc = qm_schema_json_compile(&out, json, &e);
    assert_int_equal(e.code, rc);
    qm_buf_free(&out);
    assert_int_equal(counts.live, 0);
    assert_true(counts.fail_at < 1000);
  }
  assert_int_equal(rc, QM_OK);
  assert_true(counts.fail_at > 2);
  free_file(json);
}

static void a_full_buffer_says_so(void **state) {
  qm_env env = qm_env_default();
  qm_slice json = read_file("tiny.json");
  qm_error e = {0, ""};
  qm_buf out;
  (void)state;
  qm_buf_init(&out, &env, 16);
  assert_int_equal(qm_schema_json_compile(&out, json, &e), QM_ELIMIT);
  assert_int_equal(e.code, QM_ELIMIT);
  qm_buf_free(&out);
  free_file(json);
}

static void faults_have_lines(void **state) {
  static const char text[] =
      "{\n \"a\": [ {\"x\": \"]}\\\"\",\n \"b\": 1}, {\n\"b\": [],\n\"c\" : [[1,2],\n[3]]} ],\n"
      "\"d\": true\n}";
  static const struct {
    const char *place;
    uint32_t line;
  } rows[] = {{"a: why", 2},         {"a[0]", 2},           {"a[0].b: why", 3},
              {"a[1] (x.y): why", 3}, {"a[1].c[1]: why", 6}, {"d: why", 7},
              {"a[1].zz: why", 3},   {"a[9]: why", 2},      {"a[99999999999].b", 2},
              {"zz: why", 0},        {"schema: why", 0},    {"schema, line 3", 0},
              {"", 0},               {"no colon", 0},       {"a[1].b[0]: why", 4}};
  qm_slice json = qm_slice_of(text, sizeof text - 1);
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    if (qm_schema_json_line(json, rows[i].place) != rows[i].line)
      print_error("%s: %u\n", rows[i].place, (unsigned)qm_schema_json_line(json, rows[i].place));
    assert_int_equal(qm_schema_json_line(json, rows[i].place), rows[i].line);
  }
  /* Cut anywhere it says something, and reads nothing beyond. */
  for (size_t n = 0; n < sizeof text; n++) {
    char *cut = test_malloc(n ? n : 1);
    memcpy(cut, text, n);
    assert_true(qm_schema_json_line(qm_slice_of(cut, n), "a[1].c[1]: why") <= 6);
    test_free(cut);
  }
  qm_error e = {QM_ESCHEMA, "a[0].b: why"};
  qm_schema_json_where(json, &e);
  assert_string_equal(e.message, "line 3: a[0].b: why");
  assert_int_equal(e.code, QM_ESCHEMA);
  qm_schema_json_where(json, NULL);
  e.code = QM_ENOMEM;
  qm_schema_json_where(json, &e);
  assert_string_equal(e.message, "line 3: a[0].b: why");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(faults_have_lines),
      cmocka_unit_test(bad_files_are_refused),
      cmocka_unit_test(good_files_compile_and_print_back),
      cmocka_unit_test(the_worked_example_holds),
      cmocka_unit_test(print_leaves_nothing_out),
      cmocka_unit_test(defaults_and_short_forms),
      cmocka_unit_test(cut_files_are_refused),
      cmocka_unit_test(files_have_a_limit),
      cmocka_unit_test(the_form_has_a_limit),
      cmocka_unit_test(compiling_without_memory),
      cmocka_unit_test(a_full_buffer_says_so),
  };
  return cmocka_run_group_tests_name("schema_json", tests, NULL, NULL);
}
