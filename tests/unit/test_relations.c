/* Relations of a schema (S7.11): what their two forms hold, and what is refused of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "core/qianmo.h"

static qm_env env;
static qm_arena arena;
static char *whole; /* fixtures/schemas/relations.json */

static int setup(void **state) {
  (void)state;
  env = qm_env_default();
  qm_arena_init(&arena, &env, 16u << 20);
  FILE *f = fopen("fixtures/schemas/relations.json", "rb");
  assert_non_null(f);
  whole = calloc(1, 1u << 16);
  assert_non_null(whole);
  assert_true(fread(whole, 1, (1u << 16) - 1, f) > 1000);
  (void)fclose(f);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  free(whole);
  qm_arena_free(&arena);
  return 0;
}

static const qm_schema *load(const char *json, qm_error *e) {
  const qm_schema *s;
  return qm_schema_json_load(&s, qm_str(json), &arena, e) == QM_OK ? s : NULL;
}

/* A copy with the first `from` replaced by `to`. */
static char *with(const char *text, const char *from, const char *to) {
  const char *at = strstr(text, from);
  size_t size = strlen(text) + strlen(to) + 1;
  char *out = malloc(size);
  if (!at) print_error("not in the schema: %s\n", from);
  assert_non_null(at);
  assert_non_null(out);
  (void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  return out;
}

static void both_forms_hold_them(void **state) {
  const qm_schema *s = load(whole, NULL), *again;
  qm_buf packed, printed;
  (void)state;
  assert_non_null(s);
  const qm_relations *r = s->collections[0].relations;
  assert_int_equal(r->basis->n_kinds, 2);
  assert_int_equal(r->basis->kinds[0].guardian, 21);
  assert_int_equal(r->basis->kinds[1].n_filled, 2);
  r = s->collections[1].relations;
  assert_int_equal(r->n_based, 1);
  assert_int_equal(r->based->n_fields, 4);
  assert_int_equal(r->based->birth, 18);
  r = s->collections[2].relations;
  assert_int_equal(r->n_whens, 1);
  assert_int_equal(r->referral->answer, 24);
  assert_int_equal(s->collections[3].relations->covers->balance, 24);
  assert_int_equal(s->collections[4].relations->clashes->n_items, 2);
  qm_buf_init(&packed, &env, QM_SCHEMA_MAX);
  qm_buf_init(&printed, &env, QM_SCHEMA_JSON_MAX);
  qm_schema_encode(s, &packed);
  assert_int_equal(qm_schema_load(&again, qm_buf_slice(&packed), &arena, NULL), QM_OK);
  qm_schema_json_print(&printed, again);
  qm_buf_byte(&printed, 0);
  again = load((const char *)printed.p, NULL);
  assert_non_null(again);
  qm_buf twice;
  qm_buf_init(&twice, &env, QM_SCHEMA_MAX);
  qm_schema_encode(again, &twice);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&packed), qm_buf_slice(&twice)), 0);
  qm_buf_free(&twice);
  qm_buf_free(&printed);
  qm_buf_free(&packed);
}

/* A replacement in the schema, and what is said against it. */
static const struct {
  const char *from, *to, *why;
} bad[] = {
    {"\"basis\": {\"kind\": \"kind\"", "\"basis\": {\"kind\": \"notice\"", "names no item"},
    {"\"basis\": {\"kind\"", "\"basis\": {\"colour\": 1, \"kind\"", "unknown key"},
    {"\"given\": \"given\", ", "", "a guardian needs the day"},
    {"\"purpose\": \"purposes\", ", "", "bases there name no purpose"},
    {"\"given\": \"given\"", "\"given\": \"notice\"", "given must be a date"},
    {"\"ends\": \"withdrawn\"", "\"ends\": \"purposes\"", "ends must be one value"},
    {"\"ends\": \"withdrawn\"", "\"ends\": \"kind\", \"ended\": [\"duty\"]",
     "ended goes with a state"},
    {"{\"is\": \"duty\"", "{\"is\": \"consent\"", "a kind stands twice"},
    {"\"filled\": [\"notice\"]", "\"filled\": [\"nothing\"]", "names no field"},
    {"\"number\": 20, \"type\": \"register\", \"value\": \"text\"",
     "\"number\": 20, \"sealed\": true, \"type\": \"register\", \"value\": \"text\"",
     "filled names no field, or a sealed one"},
    {"\"record\": \"basis\"", "\"record\": \"number\"", "record must be a ref"},
    {"\"target\": \"consent\"", "\"target\": \"resident\"", "into a collection of bases"},
    {"\"birth\": \"born\"", "\"birth\": \"needs\"", "cannot need it"},
    {"\"birth\": \"born\"", "\"birth\": \"points\"", "birth must be"},
    {"\"purpose\": \"care\", \"birth\": \"born\"", "\"of\": \"basis\"", "of must be a ref"},
    {"\"fields\": [\"needs\", \"illness\"", "\"fields\": [\"number\", \"illness\"",
     "only personal and sensitive"},
    {"\"based\": [\n", "\"based\": [\n {\"fields\": [\"needs\"], \"record\": \"basis\"},",
     "needs two bases"},
    {"\"is\": [\"confidential\"]", "\"is\": []", "is must list values"},
    {"\"is\": [\"confidential\"]", "\"is\": [\"secret\"]", "does not fit its field"},
    {"\"empty\": [\"reporter\"], \"filled\": [\"officer\"]", "\"empty\": []", "says nothing"},
    {"\"empty\": [\"reporter\"]", "\"empty\": [\"answers\"]", "never be emptied"},
    {"\"empty\": [\"reporter\"]", "\"empty\": [\"source\"]", "never be emptied"},
    {"\"filled\": [\"officer\"]", "\"filled\": [\"reporter\"]", "both empty and filled"},
    {"\"filled\": [\"officer\"]", "\"filled\": [\"source\"]", "ask for itself"},
    {"\"from\": \"from\"", "\"from\": \"text\"", "from must be a space-ref"},
    {"\"to\": \"to\", \"answer\"", "\"to\": \"from\", \"answer\"", "to must be a space-ref"},
    {"\"answer\": \"answers\"", "\"answer\": \"text\"", "answer must be a log"},
    {"\"amount\": \"cost\"", "\"amount\": \"state\"", "amount must be an int"},
    {"\"account\": \"resident\"", "\"account\": \"cost\"", "names no field"},
    {"\"balance\": \"points\"", "\"balance\": \"care_log\"", "balance must be"},
    {"\"holds\": [\"asked\"]", "\"holds\": [\"given\"]", "both holds and is settled"},
    {"\"holds\": [\"asked\"]", "\"holds\": [\"gone\"]", "names no item"},
    {"\"holds\": [\"asked\"], \"settled\": [\"given\"]", "\"holds\": []", "are missing"},
    {"\"same\": [\"venue\"]", "\"same\": []", "same takes 1 to 4"},
    {"\"same\": [\"venue\"]", "\"same\": [\"venue\", \"venue\"]", "names a field twice"},
    {"\"to\": \"last\", ", "", "go together"},
    {"\"to\": \"last\"", "\"to\": \"venue\"", "two dates or two ints"},
    {"\"while\": [\"asked\", \"granted\"], ", "", "with items"},
    {"\"review\": \"normal\"", "\"review\": \"grave\"", "must be low, normal or high"},
    {"\"clashes\": [", "\"clashes\": [{\"name\": \"twice\", \"same\": [\"venue\"]},",
     "share a name"},
};

static void what_says_nothing_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    qm_error e = {0, ""};
    char *text = with(whole, bad[i].from, bad[i].to);
    const qm_schema *s = load(text, &e);
    if (s || !strstr(e.message, bad[i].why)) print_error("%s: %s\n", bad[i].to, e.message);
    assert_null(s);
    assert_int_equal(e.code, QM_ESCHEMA);
    assert_non_null(strstr(e.message, bad[i].why));
    assert_non_null(strstr(e.message, "collections["));
    free(text);
  }
}

/* Bytes that say the same otherwise, and damaged ones. */
static void the_packed_form_is_one(void **state) {
  const qm_schema *s = load(whole, NULL), *out;
  qm_buf b;
  (void)state;
  assert_non_null(s);
  qm_buf_init(&b, &env, QM_SCHEMA_MAX);
  qm_schema_encode(s, &b);
  uint8_t *copy = malloc(b.n);
  assert_non_null(copy);
  for (size_t i = 0; i < b.n; i++) { /* each byte spoilt: refused, or another schema */
    memcpy(copy, b.p, b.n);
    copy[i] ^= 0x11;
    qm_buf again;
    qm_buf_init(&again, &env, QM_SCHEMA_MAX);
    if (qm_schema_load(&out, qm_slice_of(copy, b.n), &arena, NULL) == QM_OK) {
      qm_schema_encode(out, &again);
      assert_int_equal(qm_slice_cmp(qm_buf_slice(&again), qm_slice_of(copy, b.n)), 0);
    }
    qm_buf_free(&again);
    qm_arena_reset(&arena);
  }
  for (size_t n = 0; n < b.n; n++)
    assert_int_not_equal(qm_schema_load(&out, qm_slice_of(b.p, n), &arena, NULL), QM_OK);
  free(copy);
  qm_buf_free(&b);
}

static int count(void *payload, const qm_schema_delta *d) {
  unsigned *n = payload;
  n[0]++;
  n[1] += d->kind == QM_DELTA_RELATIONS && !d->why;
  return QM_OK;
}

static void a_newer_schema_may_change_them(void **state) {
  unsigned n[2] = {0, 0};
  (void)state;
  char *version = with(whole, "\"version\": 1", "\"version\": 2");
  char *text = with(version, "\"review\": \"normal\"", "\"review\": \"low\"");
  const qm_schema *a = load(whole, NULL), *b = load(text, NULL);
  assert_non_null(a);
  assert_non_null(b);
  assert_int_equal(qm_schema_grows(a, b, NULL), QM_OK);
  assert_int_equal(qm_schema_diff(a, b, count, n), QM_OK);
  assert_int_equal(n[1], 1);
  free(text);
  free(version);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(both_forms_hold_them, setup, teardown),
      cmocka_unit_test_setup_teardown(what_says_nothing_is_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(the_packed_form_is_one, setup, teardown),
      cmocka_unit_test_setup_teardown(a_newer_schema_may_change_them, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
