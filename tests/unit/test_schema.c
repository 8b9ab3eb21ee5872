#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/schema.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_schema.h"

#define ARENA_MAX (4u << 20)
#define LONG_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

/* X(name, what spoils the schema, the message). */
/* clang-format off: a line a case */
#define SPOILED(X)                                                                                 \
  X(version, x->s.version = 0, "schema: the version must be 1 or greater")                         \
  X(no_name, x->s.name.n = 0, "schema: the name is not well-formed")                               \
  X(no_drift, x->s.drift_ms = 0, "schema: the drift must be from 1 ms to a day")                   \
  X(drift, x->s.drift_ms = 86400001, "schema: the drift must be from 1 ms to a day")               \
  X(no_lease, x->s.lease_days = 0, "schema: the lease must be from 1 to 3660 days")                \
  X(lease, x->s.lease_days = 3661, "schema: the lease must be from 1 to 3660 days")                \
  X(review, x->s.review_days = 0, "schema: the review time must be from 1 to 3660 days")           \
  X(empty, x->s.n_collections = 0, "schema: collections are missing")                              \
  X(collections, x->s.n_collections = 257, "schema: more than 256 collections")                    \
  X(number_0, x->c[0].number = 0, "collections[0] (household): the number must be from 1 to")      \
  X(number_big, x->c[1].number = QM_NUMBER_MAX + 1;                                                \
    x->f[7].target = 0, "collections[1] (other): the number must be from 1 to")                    \
  X(number_again, x->c[1].number = 1, "collections[1] (other): number 1 after 1: numbers must")    \
  X(name_again, x->c[1].name = x->c[0].name, "collections[1] (household): the name is used by c")  \
  X(name_bad, x->c[1].name = str("two words"), "collections[1] (?): the name is not well-formed")  \
  X(purpose, x->c[1].purpose.n = 0, "collections[1] (other): the purpose is missing or not")       \
  X(purpose_blank, x->c[1].purpose = str("  "), "collections[1] (other): the purpose is missing")  \
  X(purpose_utf8, x->c[1].purpose = str("\xff"), "collections[1] (other): the purpose is missin")  \
  X(purpose_ctl, x->c[1].purpose = str("a\nb"), "collections[1] (other): the purpose is missing")  \
  X(c_label, x->c[0].label_zh = str("a\x01"), "collections[0] (household): a label is not well")   \
  X(no_fields, x->c[1].n_fields = 0, "collections[1] (other): fields are missing")                 \
  X(fields, x->c[1].n_fields = 1025, "collections[1] (other): more than 1024 fields")              \
  X(key_none, x->c[0].key_field = 99, "collections[0] (household): the key is no field")           \
  X(key_type, x->c[0].key_field = 19, "collections[0] (household): the key must be a text regi")   \
  X(key_value, x->f[0].value = QM_VALUE_ANY;                                                       \
    x->f[0].length_max = 0, "collections[0] (household): the key must be a text register")         \
  X(key_person, x->c[0].key_field = 17, "collections[0] (household): the key must not be perso")   \
  X(key_sealed, x->f[0].flags = QM_FIELD_SEALED, "collections[0] (household): the key must not")   \
  X(key_form, x->c[0].key_form = 2, "collections[0] (household): unknown key form")                \
  X(form_alone, x->c[1].key_form = 1, "collections[1] (other): a key form without a key")          \
  X(writers, x->c[1].n_writers = 65, "collections[1] (other): more than 64 writers")               \
  X(writer, x->writers[1] = str(""), "collections[1] (other): writers[1] is not well-formed")      \
  X(writer_again, x->writers[1] = x->writers[0], "collections[1] (other): writers[1] repeats wr")  \
  X(f_low, x->f[0].number = 15,                                                                    \
    "collections[0].fields[0] (household.\xe6\x88\xb7\xe5\x8f\xb7)"                                \
    ": the number must be from 16 to 2147483648")                                                  \
  X(f_big, x->g[0].number++, "collections[1].fields[0] (other.x): the number must be from 16 to")  \
  X(f_again, x->f[1].number = 16, "collections[0].fields[1] (household.head): number 16 after 1")  \
  X(f_order, x->f[2].number = 16, "collections[0].fields[2] (household.stage): number 16 after ")  \
  X(f_name, x->f[1].name = str("a=b"), "collections[0].fields[1] (household.?): the name is not")  \
  X(f_twice, x->f[2].name = x->f[1].name, "collections[0].fields[2] (household.head): the name ")  \
  X(f_type_0, x->f[1].type = 0, "collections[0].fields[1] (household.head): unknown type")         \
  X(f_type, x->f[1].type = 11, "collections[0].fields[1] (household.head): unknown type")          \
  X(f_value, x->f[1].value = 12, "collections[0].fields[1] (household.head): unknown kind of va")  \
  X(f_class_0, x->f[1].cls = 0, "collections[0].fields[1] (household.head): unknown class")        \
  X(f_class, x->f[1].cls = 5, "collections[0].fields[1] (household.head): unknown class")          \
  X(f_label, x->f[1].label_en = str("\xc3"), "collections[0].fields[1] (household.head): a labe")  \
  X(f_flags, x->f[1].flags = 16, "collections[0].fields[1] (household.head): a flag is not known") \
  X(f_naming, x->f[3].flags = QM_FIELD_NAMING, "collections[0].fields[3] (household.tags): only ") \
  X(f_sealed, x->f[3].flags = QM_FIELD_SEALED, "collections[0].fields[3] (household.tags): a fi")  \
  X(f_required, x->f[4].flags = QM_FIELD_REQUIRED, "collections[0].fields[4] (household.visits)")  \
  X(f_length, x->f[4].length_max = 1, "collections[0].fields[4] (household.visits): a length be")  \
  X(t_length, x->f[5].length_max = 1, "collections[0].fields[5] (household.notes): a length bel")  \
  X(max_value, x->f[6].value = QM_VALUE_BOOL, "collections[0].fields[6] (household.last): value")  \
  X(state_value, x->f[2].value = QM_VALUE_TEXT, "collections[0].fields[2] (household.stage): a ")  \
  X(count_value, x->f[4].value = QM_VALUE_ANY, "collections[0].fields[4] (household.visits): a ")  \
  X(text_value, x->f[5].value = QM_VALUE_ANY, "collections[0].fields[5] (household.notes): a te")  \
  X(ref_value, x->f[7].value = QM_VALUE_TEXT, "collections[0].fields[7] (household.home): a ref")  \
  X(target, x->f[7].target = 2, "collections[0].fields[7] (household.home): the target is no co")  \
  X(target_far, x->f[7].value = QM_VALUE_SPACE_REF, "collections[0].fields[7] (household.home):")  \
  X(target_text, x->f[1].target = 1, "collections[0].fields[1] (household.head): a target belon")  \
  X(level, x->f[1].review = 4, "collections[0].fields[1] (household.head): unknown level of rev")  \
  X(level_set, x->f[3].review = 1, "collections[0].fields[3] (household.tags): a field of this t") \
  X(levels, x->c[1].review[6] = 4, "collections[1] (other): unknown level of review")              \
  X(no_items, x->f[2].n_items = 0, "collections[0].fields[2] (household.stage): items are missi")  \
  X(items, x->f[2].n_items = 1025, "collections[0].fields[2] (household.stage): more than 1024 ")  \
  X(items_text, x->f[1].items = x->items;                                                          \
    x->f[1].n_items = 1,                                                                           \
    "collections[0].fields[1] (household.head): items belong to enum values only")                 \
  X(item_name, x->items[1].name = str("a,b"), "collections[0].fields[2].items[1] (household.sta")  \
  X(item_again, x->items[2].name = x->items[0].name, "collections[0].fields[2].items[2] (househ")  \
  X(item_label, x->items[1].label_zh = str("\x7f"), "collections[0].fields[2].items[1] (househo")  \
  X(moves, x->f[2].n_transitions = 4097, "collections[0].fields[2] (household.stage): more than")  \
  X(move_out, x->moves[1].to = 3, "collections[0].fields[2] (household.stage): transitions[1] n")  \
  X(move_self, x->moves[1].to = 1, "collections[0].fields[2] (household.stage): transitions[1] ")  \
  X(move_again, x->moves[1] = x->moves[0], "collections[0].fields[2] (household.stage): transit")  \
  X(move_list, x->g[0].transitions = x->moves;                                                     \
    x->g[0].n_transitions = 1,                                                                     \
    "collections[1].fields[0] (other.x): transitions belong to state fields only")

/* clang-format on */

#define SPOIL(name, how, message) \
  static void spoil_##name(fixture *x) { how; }
SPOILED(SPOIL)
#define ROW(name, how, message) {#name, spoil_##name, message},
static const struct {
  const char *name;
  void (*spoil)(fixture *x);
  const char *message;
} spoiled[] = {SPOILED(ROW)};

static void spoiled_schemas_are_refused(void **state) {
  fixture x;
  (void)state;
  fill(&x);
  assert_int_equal(qm_schema_check(&x.s, NULL), QM_OK);
  for (size_t i = 0; i < COUNT(spoiled); i++) {
    qm_error e = {0, ""};
    fill(&x);
    spoiled[i].spoil(&x);
    int rc = qm_schema_check(&x.s, &e);
    if (rc != QM_ESCHEMA || strncmp(e.message, spoiled[i].message, strlen(spoiled[i].message)) != 0)
      print_error("%s: %d \"%s\"\n", spoiled[i].name, rc, e.message);
    assert_int_equal(rc, QM_ESCHEMA);
    assert_int_equal(e.code, QM_ESCHEMA);
    assert_memory_equal(e.message, spoiled[i].message, strlen(spoiled[i].message));
    assert_int_equal(qm_schema_check(&x.s, NULL), QM_ESCHEMA);
  }
}

static void names(void **state) {
  static const struct {
    const char *name;
    int good, good_item;
  } rows[] = {
      {"a", 1, 1},
      {"last_visit", 1, 1},
      {"A.b-c+1", 1, 1},
      {"\xe6\x88\xb7\xe4\xb8\xbb", 1, 1},
      {"\xf0\x9f\x8f\xa0", 1, 1},
      {LONG_64, 1, 1},
      {"_1", 1, 1},
      {"4050", 0, 1},
      {"9a", 0, 1},
      {"1e5", 0, 1},
      {"-1", 0, 1},
      {"--json", 0, 1},
      {"+x", 0, 1},
      {".5", 0, 1},
      {"", 0, 0},
      {LONG_64 "m", 0, 0},
      {"a b", 0, 0},
      {"a\tb", 0, 0},
      {"a\x7f", 0, 0},
      {"a\xc2\x85", 0, 0},     /* C1 control */
      {"a\xc2\xa0", 0, 0},     /* no-break space */
      {"a\xe3\x80\x80", 0, 0}, /* ideographic space */
      {"a\xe2\x80\x8b", 0, 0}, /* zero-width space */
      {"a\xe2\x80\x8f", 0, 0}, /* right-to-left mark */
      {"a\xe2\x80\xae", 0, 0}, /* right-to-left override */
      {"a\xe2\x80\x90", 1, 1}, /* hyphen */
      {"\xef\xbb\xbf"
       "a",
       0, 0}, /* byte order mark */
      {"a=b", 0, 0},
      {"a:b", 0, 0},
      {"a,b", 0, 0},
      {"a\"b", 0, 0},
      {"a\xff", 0, 0},
      {"a\xed\xa0\x80", 0, 0},
  };
  fixture x;
  (void)state;
  fill(&x);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_slice *places[] = {&x.s.name, &x.c[0].name, &x.f[1].name, &x.writers[0], &x.items[1].name};
    for (size_t j = 0; j < COUNT(places); j++) {
      qm_slice before = *places[j];
      int good = j == 4 ? rows[i].good_item : rows[i].good;
      *places[j] = str(rows[i].name);
      qm_error e = {0, ""};
      int rc = qm_schema_check(&x.s, &e);
      if (rc != (good ? QM_OK : QM_ESCHEMA)) print_error("%s: %s\n", rows[i].name, e.message);
      assert_int_equal(rc, good ? QM_OK : QM_ESCHEMA);
      *places[j] = before;
    }
  }
}

static void retentions(void **state) {
  static const char *const good[] = {"P5Y",   "P90D",    "P6M",   "P2W",
                                     "P1Y6M", "P1Y2M3D", "P0Y1D", "P99999D"};
  static const char *const bad[] = {"",       "P",     "5Y",       "P5",        "PY",
                                    "P0D",    "P0Y0D", "P5y",      "P-1Y",      "P1.5Y",
                                    "P1D1Y",  "P1Y1Y", "P1W1D",    "P1Y1W",     "PT1H",
                                    "P1DT1H", "P1Y ",  "P100000D", "five years"};
  fixture x;
  (void)state;
  fill(&x);
  for (size_t i = 0; i < COUNT(good); i++) {
    x.c[1].retention = str(good[i]);
    assert_int_equal(qm_schema_check(&x.s, NULL), QM_OK);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    x.c[1].retention = str(bad[i]);
    assert_int_equal(qm_schema_check(&x.s, NULL), QM_ESCHEMA);
  }
}

static void encode(const fixture *x, qm_buf *out) {
  qm_buf_clear(out);
  qm_schema_encode(&x->s, out);
  assert_int_equal(qm_buf_status(out), QM_OK);
}

static void what_is_encoded_loads_the_same(void **state) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts);
  const qm_schema *s;
  qm_arena arena;
  qm_buf form, again;
  fixture x;
  (void)state;
  fill(&x);
  qm_buf_init(&form, &env, QM_SCHEMA_MAX);
  qm_buf_init(&again, &env, QM_SCHEMA_MAX);
  qm_arena_init(&arena, &env, ARENA_MAX);
  encode(&x, &form);
  assert_int_equal(qm_schema_load(&s, qm_buf_slice(&form), &arena, NULL), QM_OK);
  qm_schema_encode(s, &again);
  assert_int_equal(form.n, again.n);
  assert_memory_equal(form.p, again.p, form.n);
  assert_int_equal(s->version, 3);
  assert_int_equal(s->drift_ms, 600000);
  assert_int_equal(s->review_days, 30);
  const qm_collection_def *c = qm_schema_collection(s, 1);
  assert_int_equal(c->key_field, 16);
  assert_int_equal(c->key_form, QM_NORM_CASEFOLD);
  const qm_field_def *f = qm_collection_field(c, 18);
  assert_int_equal(f->n_items, 3);
  assert_int_equal(f->items[0].rank, -1);
  assert_memory_equal(f->items[1].label_en.p, "Assigned", 8);
  assert_int_equal(f->transitions[1].to, 2);
  assert_int_equal(qm_collection_field(c, 23)->target, 7);
  assert_int_equal(qm_collection_field(c, 16)->length_max, 20);
  assert_int_equal(qm_collection_field(c, 17)->flags, QM_FIELD_NAMING | QM_FIELD_REQUIRED);
  assert_int_equal(qm_schema_collection(s, 7)->n_writers, 2);
  qm_arena_free(&arena);
  qm_buf_free(&form);
  qm_buf_free(&again);
  assert_int_equal(counts.live, 0);
}

static void spoiled_schemas_do_not_load(void **state) {
  qm_env env = qm_env_default();
  const qm_schema *s = NULL;
  qm_arena arena;
  qm_buf form;
  fixture x;
  (void)state;
  qm_buf_init(&form, &env, QM_SCHEMA_MAX);
  qm_arena_init(&arena, &env, ARENA_MAX);
  for (size_t i = 0; i < COUNT(spoiled); i++) {
    qm_error e = {0, ""};
    fill(&x);
    spoiled[i].spoil(&x);
    /* Counts beyond the fixture's arrays cannot be encoded. */
    if (x.s.n_collections > 2 || x.c[1].n_fields > 1 || x.c[1].n_writers > 2) continue;
    if (x.f[2].n_items > 3 || x.f[2].n_transitions > 2) continue;
    encode(&x, &form);
    int rc = qm_schema_load(&s, qm_buf_slice(&form), &arena, &e);
    assert_true(rc == QM_ESCHEMA || rc == QM_EUTF8);
    assert_int_equal(e.code, rc);
    assert_null(s);
    qm_arena_reset(&arena);
  }
  qm_arena_free(&arena);
  qm_buf_free(&form);
}

/* [1, "s", 1, 1, 1, 1, [[1, "c", "", "", "p", "P1D", [[16, "f", 1, 1]]]]] and its faults. */
static void the_form_is_strict(void **state) {
#define TOP "\x97\x01\xa1s\x01\x01\x01\x01\x91"
#define HEAD \
  "\x01\xa1" \
  "c\xa0\xa0\xa1p\xa3P1D\x91"
#define FIELD    \
  "\x94\x10\xa1" \
  "f\x01\x01"
#define STATE(items) \
  "\x9a\x10\xa1"     \
  "f\x01\x01\x07\x00\xa0\xa0\x00" items
  static const struct {
    const char *in;
    size_t n;
    int code;
  } rows[] = {
      {BYTES(TOP "\x97" HEAD FIELD), QM_OK},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x91\xa1i")), QM_OK},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x92\xa1i\xff")), QM_OK},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x94\xa1i\x00\xa0\xa1x")), QM_OK},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x92\xa1i\x00")), QM_ECANON},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x94\xa1i\x00\xa1x\xa0")), QM_ECANON},
      {BYTES(TOP "\x97" HEAD "\x95\x10\xa1"
                 "f\x01\x01\x00"),
       QM_ECANON},
      {BYTES(TOP "\x98" HEAD FIELD "\x00"), QM_ECANON},
      {BYTES(TOP "\x9a" HEAD FIELD "\x00\x00\x90"), QM_ECANON},
      {BYTES(TOP "\x97\xcc" HEAD FIELD), QM_ECANON},
      {BYTES(""), QM_ETRUNCATED},
      {BYTES("\xc0"), QM_ETYPE},
      {BYTES("\x90"), QM_EFORMAT},
      {BYTES("\x91\x01"), QM_EFORMAT},
      {BYTES("\x98\x01\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD "\x00"), QM_ETYPE},
      {BYTES("\x98\x01\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD "\x90"), QM_ECANON},
      {BYTES("\x9a\x01\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD "\x90\x90\xc0"),
       QM_OK}, /* of a newer form */
      {BYTES("\x9a\x01\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD "\x90\x90\xc1"), QM_EFORMAT},
      {BYTES("\xdc\x00\x1a\x01\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD
             "\x90\x90\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0"),
       QM_EFORMAT},
      {BYTES("\x97\x02\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD), QM_ESCHEMA},
      {BYTES("\x98\x02\xa1s\x01\x01\x01\x01\x91\x97" HEAD FIELD "\x00"), QM_ESCHEMA},
      {BYTES(TOP "\x96" HEAD FIELD), QM_EFORMAT},
      {BYTES(TOP "\x9b" HEAD FIELD "\x00\x00\x90\x00"), QM_ETYPE},
      {BYTES(TOP "\x9b" HEAD FIELD "\x00\x00\x90\x90"), QM_ECANON},
      {BYTES(TOP "\x9c" HEAD FIELD "\x00\x00\x90\x90\x97\x01\x00\x00\x00\x00\x00\x03"), QM_OK},
      {BYTES(TOP "\x9c" HEAD FIELD "\x00\x00\x90\x90\x97\x00\x00\x00\x00\x00\x00\x00"), QM_ECANON},
      {BYTES(TOP "\x9c" HEAD FIELD "\x00\x00\x90\x90\x97\x04\x00\x00\x00\x00\x00\x00"), QM_ESCHEMA},
      {BYTES(TOP "\x9c" HEAD FIELD "\x00\x00\x90\x90\x91\x01"), QM_EFORMAT},
      {BYTES(TOP "\x9c" HEAD FIELD "\x00\x00\x90\x90\x00"), QM_ETYPE},
      {BYTES(TOP "\x9f" HEAD FIELD "\x00\x00\x90\x90\x97\x00\x00\x00\x00\x00\x00\x00\x90\x90\xc0"),
       QM_ECANON},
      {BYTES(TOP "\x9f" HEAD FIELD "\x00\x00\x90\x90\x97\x00\x00\x00\x00\x00\x00\x00\x90\x90\x90"),
       QM_EFORMAT},
      {BYTES(TOP "\x9f" HEAD FIELD "\x00\x00\x90\x90\x97\x00\x00\x00\x00\x00\x00\x00\x90\x90\x96"
                 "\xc0\x90\x90\xc0\x90\x90"),
       QM_ESCHEMA}, /* relations that say nothing */
      {BYTES(TOP "\xdc\x00\x10" HEAD FIELD
             "\x00\x00\x90\x90\x97\x00\x00\x00\x00\x00\x00\x00\x90\x90"
                 "\xc0\xc0"),
       QM_OK}, /* of a newer form */
      {BYTES(TOP "\xdc\x00\x10" HEAD FIELD
             "\x00\x00\x90\x90\x97\x00\x00\x00\x00\x00\x00\x00\x90\x90"
                 "\xc0\xc1"),
       QM_EFORMAT},
      {BYTES(TOP "\xdc\x00\x20" HEAD FIELD), QM_EOVERSIZE},
      {BYTES(TOP "\x97" HEAD "\x9d\x10\xa1"
                 "f\x01\x01\x00\x00\xa0\xa0\x00\x90\x90\x00\x02"),
       QM_OK},
      {BYTES(TOP "\x97" HEAD "\x93\x10\xa1"
                 "f\x01"),
       QM_EFORMAT},
      {BYTES(TOP "\x97" HEAD "\x9e\x10\xa1"
                 "f\x01\x01\x00\x00\xa0\xa0\x00\x90\x90\x00\x01\x00"),
       QM_EFORMAT},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x90")), QM_EFORMAT},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x98\xa1i\x00\xa0\xa0\x90\x90\x90\x00")), QM_EFORMAT},
      {BYTES(TOP "\x97" HEAD FIELD "\x00"), QM_ETRAILING},
      {BYTES(TOP "\x97" HEAD "\x94\x10\xc4\x01"
                 "f\x01\x01"),
       QM_ETYPE},
      {BYTES(TOP "\x97" HEAD "\x94\xff\xa1"
                 "f\x01\x01"),
       QM_ERANGE},
      {BYTES(TOP "\x97" HEAD "\x94\x10\xa1"
                 "f\xcd\x01\x01\x01"),
       QM_ERANGE},
      {BYTES(TOP "\x97" HEAD "\x94\xcf\x00\x00\x00\x01\x00\x00\x00\x10\xa1"
                 "f\x01\x01"),
       QM_ERANGE},
      {BYTES(TOP "\x97" HEAD STATE("\x91\x92\xa1i\xce\x80\x00\x00\x00")), QM_ERANGE},
      {BYTES(TOP "\x97" HEAD "\x94\x10\xa1\xff\x01\x01"), QM_EUTF8},
      {BYTES("\x97\x01\xa1s\x01\x01\x01\x01\xdd\xff\xff\xff\xff"), QM_EOVERSIZE},
      {BYTES("\x97\x01\xa1s\x01\x01\x01\x01\x90"), QM_ESCHEMA},
  };
  qm_env env = qm_env_default();
  const qm_schema *s;
  qm_arena arena;
  (void)state;
  qm_arena_init(&arena, &env, ARENA_MAX);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_error e = {0, ""};
    int rc = qm_schema_load(&s, qm_slice_of(rows[i].in, rows[i].n), &arena, &e);
    if (rc != rows[i].code) print_error("row %u: %s\n", (unsigned)i, e.message);
    assert_int_equal(rc, rows[i].code);
    assert_int_equal(e.code, rc);
    assert_int_equal(s == NULL, rc != QM_OK);
    qm_arena_reset(&arena);
  }
  qm_arena_free(&arena);
}

/* No cut and no changed byte crashes or leaks; what still loads is a checked schema. */
static void damaged_forms_are_survived(void **state) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts);
  static const uint8_t others[] = {0x00, 0x01, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc4, 0xdd, 0xff};
  const qm_schema *s;
  qm_arena arena;
  qm_buf form;
  fixture x;
  (void)state;
  fill(&x);
  qm_buf_init(&form, &env, QM_SCHEMA_MAX);
  qm_arena_init(&arena, &env, ARENA_MAX);
  encode(&x, &form);
  for (size_t n = 0; n < form.n; n++) {
    uint8_t *cut = malloc(n ? n : 1); /* exactly as long, so that a read beyond shows */
    assert_non_null(cut);
    memcpy(cut, form.p, n);
    assert_int_not_equal(qm_schema_load(&s, qm_slice_of(cut, n), &arena, NULL), QM_OK);
    free(cut);
    for (size_t i = 0; i < COUNT(others); i++) {
      uint8_t before = form.p[n];
      form.p[n] = others[i];
      if (qm_schema_load(&s, qm_buf_slice(&form), &arena, NULL) == QM_OK)
        assert_int_equal(qm_schema_check(s, NULL), QM_OK);
      form.p[n] = before;
      qm_arena_reset(&arena);
    }
  }
  qm_arena_free(&arena);
  qm_buf_free(&form);
  assert_int_equal(counts.live, 0);
}

static void loading_without_memory(void **state) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts), plain = qm_env_default();
  const qm_schema *s;
  qm_arena arena;
  qm_buf form;
  fixture x;
  int rc = QM_ENOMEM;
  (void)state;
  fill(&x);
  qm_buf_init(&form, &plain, QM_SCHEMA_MAX);
  encode(&x, &form);
  for (counts.fail_at = 1; rc == QM_ENOMEM; counts.fail_at++) {
    counts.count = 0;
    qm_arena_init(&arena, &env, ARENA_MAX);
    rc = qm_schema_load(&s, qm_buf_slice(&form), &arena, NULL);
    qm_arena_free(&arena);
    assert_int_equal(counts.live, 0);
    assert_true(counts.fail_at < 100);
  }
  assert_int_equal(rc, QM_OK);
  assert_true(counts.fail_at > 2);
  qm_arena_init(&arena, &plain, 256);
  assert_int_equal(qm_schema_load(&s, qm_buf_slice(&form), &arena, NULL), QM_ENOMEM);
  qm_arena_free(&arena);
  qm_buf_free(&form);
}

static void forms_have_a_limit(void **state) {
  qm_env env = qm_env_default();
  const qm_schema *s;
  qm_arena arena;
  uint8_t *big = calloc(1, QM_SCHEMA_MAX + 1);
  (void)state;
  assert_non_null(big);
  qm_arena_init(&arena, &env, ARENA_MAX);
  assert_int_equal(qm_schema_load(&s, qm_slice_of(big, QM_SCHEMA_MAX + 1), &arena, NULL),
                   QM_EOVERSIZE);
  assert_int_equal(qm_schema_load(&s, qm_slice_of(big, QM_SCHEMA_MAX), &arena, NULL), QM_ETYPE);
  qm_arena_free(&arena);
  free(big);
}

static void lookups(void **state) {
  fixture x;
  (void)state;
  fill(&x);
  assert_ptr_equal(qm_schema_collection(&x.s, 1), &x.c[0]);
  assert_ptr_equal(qm_schema_collection(&x.s, 7), &x.c[1]);
  assert_null(qm_schema_collection(&x.s, 0));
  assert_null(qm_schema_collection(&x.s, 2));
  assert_null(qm_schema_collection(&x.s, UINT32_MAX));
  assert_ptr_equal(qm_schema_collection_named(&x.s, str("other")), &x.c[1]);
  assert_null(qm_schema_collection_named(&x.s, str("othe")));
  assert_null(qm_schema_collection_named(&x.s, str("")));
  for (size_t i = 0; i < COUNT(x.f); i++) {
    assert_ptr_equal(qm_collection_field(&x.c[0], x.f[i].number), &x.f[i]);
    assert_ptr_equal(qm_collection_field_named(&x.c[0], x.f[i].name), &x.f[i]);
  }
  assert_null(qm_collection_field(&x.c[0], 0));
  assert_null(qm_collection_field(&x.c[0], 24));
  assert_null(qm_collection_field(&x.c[0], 41));
  assert_null(qm_collection_field_named(&x.c[0], str("Head")));
  assert_int_equal(qm_schema_sensitive(&x.s), 0);
  x.g[0].cls = QM_CLASS_SENSITIVE;
  assert_int_equal(qm_schema_sensitive(&x.s), 1);
}

static void writers(void **state) {
  fixture x;
  (void)state;
  fill(&x);
  assert_int_equal(qm_collection_writable(&x.c[0], str("anyone")), 1);
  assert_int_equal(qm_collection_writable(&x.c[1], str("grid")), 1);
  assert_int_equal(qm_collection_writable(&x.c[1], str("office")), 1);
  assert_int_equal(qm_collection_writable(&x.c[1], str("offic")), 0);
  assert_int_equal(qm_collection_writable(&x.c[1], str("")), 0);
}

/* X(name, what the newer schema does, the message or NULL where it may). */
/* clang-format off: a line a case */
#define GROWTH(X)                                                                                  \
  X(nothing, (void)0, NULL)                                                                        \
  X(version, x->s.version = 3, "schema: version 3 does not follow version 3")                      \
  X(back, x->s.version = 2, "schema: version 2 does not follow version 3")                         \
  X(rename, x->s.name = str("town"), "schema: another schema's name")                              \
  X(settings, x->s.lease_days = 1, NULL)                                                           \
  X(less, x->s.n_collections = 1, "collections[1] (other): the collection was removed")            \
  X(moved, x->c[1].number = 8, "collections[1] (other): the collection was removed")               \
  X(renamed, x->c[0].name = str("hh"), "collections[0] (household): the collection was renamed")   \
  X(purpose, x->c[0].purpose = str("another"), NULL)                                               \
  X(roles, x->c[1].n_writers = 1, NULL)                                                            \
  X(key, x->c[0].key_field = 0, "collections[0] (household): the key changed")                     \
  X(form, x->c[0].key_form = 0, "collections[0] (household): the key form changed")                \
  X(field_gone, x->c[0].n_fields = 8, "collections[0].fields[8] (household.steps): the field was") \
  X(field_named, x->f[1].name = str("h"), "collections[0].fields[1] (household.head): the field ") \
  X(field_moved, x->f[8].number = 41, "collections[0].fields[8] (household.steps): the field wa")  \
  X(type, x->f[1].type = QM_FIELD_SET, "collections[0].fields[1] (household.head): the type cha")  \
  X(value, x->f[1].value = QM_VALUE_ANY, "collections[0].fields[1] (household.head): the kind o")  \
  X(class, x->f[1].cls = QM_CLASS_SENSITIVE, NULL)                                                 \
  X(label, x->f[1].label_zh = str("x"), NULL)                                                      \
  X(longer, x->f[0].length_max = 21, NULL)                                                         \
  X(unlimited, x->f[0].length_max = 0, NULL)                                                       \
  X(shorter, x->f[0].length_max = 19, "collections[0].fields[0] (household.\xe6\x88\xb7\xe5\x8f")  \
  X(limited, x->f[1].length_max = 9, "collections[0].fields[1] (household.head): the length was")  \
  X(target, x->f[7].target = 0, NULL)                                                              \
  X(retarget, x->f[7].target = 1, "collections[0].fields[7] (household.home): the target was na")  \
  X(unseal, x->f[8].flags = 0, "collections[0].fields[8] (household.steps): the field is no long") \
  X(seal, x->f[6].flags = QM_FIELD_SEALED, NULL)                                                   \
  X(optional, x->f[1].flags = 0, NULL)                                                             \
  X(required, x->f[6].flags = QM_FIELD_REQUIRED, "collections[0].fields[6] (household.last): th")  \
  X(item_more, x->g[0].n_items = 2, NULL)                                                          \
  X(item_less, x->f[2].n_items = 2, "collections[0].fields[2].items[2] (household.stage): an it")  \
  X(item_named, x->items[0].name = str("z"), "collections[0].fields[2].items[0] (household.sta")   \
  X(item_rank, x->items[1].rank = 7, "collections[0].fields[2].items[1] (household.stage): the ")  \
  X(item_label, x->items[1].label_en = str("z"), NULL)                                             \
  X(level, x->f[1].review = 3, NULL)                                                               \
  X(levels, x->c[0].review[3] = 1, NULL)                                                           \
  X(transitions, x->f[2].n_transitions = 0, NULL)

/* clang-format on */

#define GROW(name, how, message)        \
  static void grow_##name(fixture *x) { \
    (void)x;                            \
    how;                                \
  }
GROWTH(GROW)
#define GROW_ROW(name, how, message) {#name, grow_##name, message},
static const struct {
  const char *name;
  void (*change)(fixture *x);
  const char *message;
} growths[] = {GROWTH(GROW_ROW)};

static void schemas_only_grow(void **state) {
  fixture x, next;
  (void)state;
  fill(&x);
  for (size_t i = 0; i < COUNT(growths); i++) {
    qm_error e = {0, ""};
    fill(&next);
    next.s.version = 4;
    growths[i].change(&next);
    int rc = qm_schema_grows(&x.s, &next.s, &e);
    const char *want = growths[i].message ? growths[i].message : "";
    if (rc != (growths[i].message ? QM_ESCHEMA : QM_OK))
      print_error("%s: %s\n", growths[i].name, e.message);
    assert_int_equal(rc, growths[i].message ? QM_ESCHEMA : QM_OK);
    assert_memory_equal(e.message, want, strlen(want));
    assert_int_equal(qm_schema_grows(&x.s, &next.s, NULL), rc);
  }
}

typedef struct seen {
  uint32_t deltas, refused;
  qm_schema_delta_kind last;
} seen;

static int see(void *payload, const qm_schema_delta *d) {
  seen *x = payload;
  x->deltas++;
  x->refused += d->why != NULL;
  x->last = d->kind;
  assert_true(strlen(qm_schema_delta_word(d->kind)) > 0);
  return QM_OK;
}

static int stop_at_once(void *payload, const qm_schema_delta *d) {
  (void)d;
  ++*(int *)payload;
  return 7777;
}

/* What is listed as refused is what a newer schema may not do, and the other way round. */
static void differences_are_listed_as_they_are_judged(void **state) {
  fixture x, next;
  seen counts;
  int calls = 0;
  (void)state;
  fill(&x);
  for (size_t i = 0; i < COUNT(growths); i++) {
    fill(&next);
    next.s.version = 4;
    growths[i].change(&next);
    if (next.s.version == x.s.version) continue; /* the same: listed below */
    memset(&counts, 0, sizeof counts);
    assert_int_equal(qm_schema_diff(&x.s, &next.s, see, &counts), QM_OK);
    if ((counts.refused > 0) != (growths[i].message != NULL)) print_error("%s\n", growths[i].name);
    assert_int_equal(counts.refused > 0, growths[i].message != NULL);
  }
  fill(&next);
  memset(&counts, 0, sizeof counts);
  assert_int_equal(qm_schema_diff(&x.s, &next.s, see, &counts), QM_OK);
  assert_int_equal(counts.deltas, 0); /* the same needs no higher version */
  next.s.review_days++;
  assert_int_equal(qm_schema_diff(&x.s, &next.s, see, &counts), QM_OK);
  assert_int_equal(counts.deltas, 2); /* the version, and the setting */
  assert_int_equal(counts.refused, 1);
  assert_int_equal(qm_schema_diff(&x.s, &next.s, stop_at_once, &calls), 7777);
  assert_int_equal(calls, 1);
  x.c[0].n_fields--;
  next.s.version = 9;
  next.s.review_days--;
  memset(&counts, 0, sizeof counts);
  assert_int_equal(qm_schema_diff(&x.s, &next.s, see, &counts), QM_OK);
  assert_int_equal(counts.deltas, 1);
  assert_int_equal(counts.last, QM_DELTA_FIELD_ADDED);
  assert_string_equal(qm_schema_delta_word(QM_DELTA_COUNT), "?");
}

static void schemas_grow_by_fields_and_collections(void **state) {
  fixture x, next;
  qm_collection_def more[3];
  (void)state;
  fill(&x);
  fill(&next);
  x.s.n_collections = 1;
  x.c[0].n_fields = 7;
  x.c[0].number = QM_NUMBER_MAX;
  assert_int_equal(qm_schema_check(&x.s, NULL), QM_OK);
  x.c[0].number = 1;
  next.s.version = 4;
  assert_int_equal(qm_schema_grows(&x.s, &next.s, NULL), QM_OK);
  assert_int_equal(qm_schema_grows(&next.s, &x.s, NULL), QM_ESCHEMA);
  x.s.version = 5;
  assert_int_equal(qm_schema_grows(&next.s, &x.s, NULL), QM_ESCHEMA);
  /* Also before the others, where its number was never used. */
  more[0] = next.c[0];
  more[1] = collection_of(2, "between");
  more[1].fields = next.g;
  more[1].n_fields = 1;
  more[2] = next.c[1];
  next.s.collections = more;
  next.s.n_collections = 3;
  fill(&x);
  assert_int_equal(qm_schema_check(&next.s, NULL), QM_OK);
  assert_int_equal(qm_schema_grows(&x.s, &next.s, NULL), QM_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spoiled_schemas_are_refused),
      cmocka_unit_test(names),
      cmocka_unit_test(retentions),
      cmocka_unit_test(what_is_encoded_loads_the_same),
      cmocka_unit_test(spoiled_schemas_do_not_load),
      cmocka_unit_test(the_form_is_strict),
      cmocka_unit_test(damaged_forms_are_survived),
      cmocka_unit_test(loading_without_memory),
      cmocka_unit_test(forms_have_a_limit),
      cmocka_unit_test(lookups),
      cmocka_unit_test(writers),
      cmocka_unit_test(schemas_only_grow),
      cmocka_unit_test(differences_are_listed_as_they_are_judged),
      cmocka_unit_test(schemas_grow_by_fields_and_collections),
  };
  return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
