/* Validators (S22): each by itself, and as a field of a schema names it. All numbers are
 * published examples or made up: the areas are of places, nobody has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/json_value.h"
#include "adapters/json/schema_json.h"
#include "core/validator.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK QM_REASON_NONE
#define R(x) QM_REASON_##x

static qm_slice str(const char *s) { return qm_slice_of(s, strlen(s)); }

typedef struct row {
  const char *text;
  qm_reason want;
} row;

static void expect(const char *text, qm_reason is, qm_reason want) {
  if (is == want) return;
  fail_msg("\"%s\": %s, not %s", text, is ? qm_reason_word(is) : "good",
           want ? qm_reason_word(want) : "good");
}

/* ---- GB 11643 ---- */

static void citizen_numbers(void **state) {
  static const row rows[] = {
      {"34052419800101001X", OK},           {"34052419800101001x", OK},
      {"11010519491231002X", OK},           {"440524188001010014", OK},
      {"340524198001010013", R(ID_CHECK)},  {"34052419800101001", R(ID_LENGTH)},
      {"34052419800101001XX", R(ID_LENGTH)}, {"", R(ID_LENGTH)},
      {"34052419800101X01X", R(ID_DIGITS)}, {"3405241980010100 X", R(ID_DIGITS)},
      {"34052419800101001Y", R(ID_DIGITS)}, {"04052419800101001X", R(ID_AREA)},
      {"30052419800101001X", R(ID_AREA)},   {"340524198002300018", R(ID_DATE)},
      {"340524198013010018", R(ID_DATE)},   {"340524179912310018", R(ID_DATE)},
      {"340524190002290018", R(ID_DATE)}, /* 1900 was no leap year */
      {"34052420000229001X", R(ID_CHECK)}, /* 2000 was one */
      {"X4052419800101001X", R(ID_DIGITS)},
      {"340524800101001", OK},              {"340524800230001", R(ID_DATE)},
      {"340524000101997", OK},              {"340524a00101001", R(ID_DIGITS)},
      {"340524990229999", R(ID_DATE)},      {"040524800101001", R(ID_AREA)},
      {"３40524198001010013", R(ID_LENGTH)}, /* a wide digit */
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    expect(rows[i].text, qm_check_citizen_id(str(rows[i].text), 1), rows[i].want);
  expect("old", qm_check_citizen_id(str("340524800101001"), 0), R(ID_OLD));
  expect("new", qm_check_citizen_id(str("34052419800101001X"), 0), OK);
}

/* The check finds every wrong digit and every swap of neighbours that differ (but one of X,
 * whose place is the last). */
static void citizen_numbers_with_a_slip(void **state) {
  static const char good[] = "34052419800101001X";
  char bad[19];
  unsigned wrong = 0;
  (void)state;
  for (size_t i = 0; i < 17; i++) {
    for (char d = '0'; d <= '9'; d++) {
      memcpy(bad, good, sizeof bad);
      bad[i] = d;
      wrong += d != good[i] && qm_check_citizen_id(str(bad), 1) == OK;
    }
    memcpy(bad, good, sizeof bad);
    bad[i] = good[i + 1], bad[i + 1] = good[i];
    wrong += good[i] != good[i + 1] && qm_check_citizen_id(str(bad), 1) == OK;
  }
  assert_int_equal(wrong, 0);
}

/* ---- GB 32100 ---- */

static void credit_codes(void **state) {
  static const row rows[] = {
      {"91000000000000000H", R(CREDIT_CHECK)}, {"9100000000000000", R(CREDIT_LENGTH)},
      {"91350100M000100Y43", OK}, /* the example of the standard */
      {"91350100m000100y43", OK},              {"91350100M000100Y44", R(CREDIT_CHECK)},
      {"91350100M000100I43", R(CREDIT_CHARS)}, {"91350100M000100O43", R(CREDIT_CHARS)},
      {"91350100M000100S43", R(CREDIT_CHARS)}, {"91350100M000100V43", R(CREDIT_CHARS)},
      {"91350100M000100Z43", R(CREDIT_CHARS)}, {"9135010AM000100Y43", R(CREDIT_CHARS)},
      {"91350100-000100Y43", R(CREDIT_CHARS)}, {"", R(CREDIT_LENGTH)},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    expect(rows[i].text, qm_check_credit_code(str(rows[i].text)), rows[i].want);
}

/* Made up with no region: exactly one character fits each, and 31 is prime, so that a wrong
 * one is always found. */
static void credit_codes_have_one_check(void **state) {
  static const char all[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  (void)state;
  for (unsigned i = 0; i < 31; i++) {
    char code[] = "52000000MJ0000000 ";
    unsigned good = 0;
    code[16] = all[i];
    for (unsigned k = 0; k < 31; k++) {
      code[17] = all[k];
      good += qm_check_credit_code(str(code)) == OK;
    }
    assert_int_equal(good, 1);
  }
}

/* ---- areas ---- */

static void area_codes(void **state) {
  static const struct {
    const char *text;
    unsigned levels, suffix;
    qm_reason want;
  } rows[] = {
      {"510181", QM_AREA_ALL, 0, OK},
      {"510181003", QM_AREA_ALL, 0, OK},
      {"510181003201", QM_AREA_ALL, 0, OK},
      {"510181003201001", QM_AREA_ALL, 0, OK},
      {"510181003201001007", QM_AREA_ALL, 0, R(AREA_LENGTH)},
      {"510181003201001007", QM_AREA_ALL, 3, OK},
      {"510181003201007", QM_AREA_6 | QM_AREA_12, 3, OK},
      {"510181003201007", QM_AREA_6 | QM_AREA_12, 0, R(AREA_LENGTH)},
      {"510181003", QM_AREA_6 | QM_AREA_12, 3, R(AREA_LENGTH)},
      {"51018100320100", QM_AREA_12, 2, OK},
      {"51018", QM_AREA_ALL, 0, R(AREA_LENGTH)},
      {"", QM_AREA_ALL, 0, R(AREA_LENGTH)},
      {"51018a", QM_AREA_ALL, 0, R(AREA_DIGITS)},
      {"010181", QM_AREA_ALL, 0, R(AREA_DIGITS)},
      {"５10181", QM_AREA_ALL, 0, R(AREA_LENGTH)},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    expect(rows[i].text, qm_check_area_code(str(rows[i].text), rows[i].levels, rows[i].suffix),
           rows[i].want);
}

#define CODE(text) {{(const uint8_t *)(text), sizeof(text) - 1}, {0, 0}, {0, 0}, {0, 0}}
#define MOVED(text, to)                                                    \
  {{(const uint8_t *)(text), sizeof(text) - 1},                            \
   {0, 0},                                                                 \
   {0, 0},                                                                 \
   {(const uint8_t *)(to), sizeof(to) - 1}}

static void areas_that_were_redrawn(void **state) {
  static const qm_table_code codes[] = {MOVED("510100", "510900"), CODE("510181"),
                                        CODE("510181003"), MOVED("510181004", "510181003"),
                                        MOVED("510300", "510100"), CODE("510900")};
  static const struct {
    const char *from, *to;
  } rows[] = {{"510181004", "510181003"},
              {"510181004201", "510181003201"},
              {"510181004201007", "510181003201007"},
              {"510300", "510900"}, /* twice */
              {"510100002", "510900002"},
              {"510181003", NULL},
              {"510181", NULL},
              {"990000", NULL},
              {"", NULL}};
  const qm_table_def t = {.codes = codes, .n_codes = COUNT(codes)};
  char to[QM_CODE_MAX + 1];
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    int moved = qm_table_area_moved(&t, str(rows[i].from), to);
    assert_int_equal(moved, rows[i].to != NULL);
    assert_string_equal(to, rows[i].to ? rows[i].to : rows[i].from);
  }
  int longer;
  assert_ptr_equal(qm_table_area(&t, str("510181003201"), &longer), &codes[2]);
  assert_null(qm_table_area(&t, str("510181005"), &longer));
  assert_false(longer);
  assert_null(qm_table_area(&t, str("5101"), &longer));
  assert_true(longer);
  assert_ptr_equal(qm_table_current(&t, str("510300")), &codes[5]);
  assert_null(qm_table_current(&t, str("110000")));
}

/* ---- telephone numbers ---- */

static void phones(void **state) {
  static const struct {
    const char *text;
    int any, mobile;
  } rows[] = {
      {"13900000000", 1, 1},      {"139 0000 0000", 1, 1},     {"139-0000-0000", 1, 1},
      {"+86 13900000000", 1, 1},  {"0086-139-0000-0000", 1, 1}, {"8613900000000", 1, 1},
      {"12900000000", 0, 0},      {"1390000000", 0, 0},        {"139000000000", 0, 0},
      {"028-87654321", 1, 0},     {"(028) 87654321", 1, 0},    {"0835-2345678", 1, 0},
      {"083523456789", 1, 0},     {"02887654321", 1, 0},       {"028-87654321-801", 1, 0},
      {"028-87654321转801", 1, 0}, {"028-87654321x801", 1, 0},  {"87654321", 1, 0},
      {"8765432", 1, 0},          {"876543", 0, 0},            {"+86 28 87654321", 1, 0},
      {"400-123-4567", 1, 0},     {"8001234567", 1, 0},        {"12345", 1, 0},
      {"110", 1, 0},              {"95588", 1, 0},             {"1234567890", 0, 0},
      {"+1 202 555 0143", 1, 0},  {"+", 0, 0},                 {"", 0, 0},
      {"phone", 0, 0},            {"13900000000a", 0, 0},      {"028-87654321-", 0, 0},
      {"028-87654321转", 0, 0},   {"１３９00000000", 0, 0},     {"139000000001390000000013", 0, 0},
      {"00000000000", 0, 0},      {"028-07654321", 0, 0},      {"-", 0, 0},
      {"13900000000转1", 0, 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    expect(rows[i].text, qm_check_phone(str(rows[i].text), 0), rows[i].any ? OK : R(PHONE));
    expect(rows[i].text, qm_check_phone(str(rows[i].text), 1),
           rows[i].mobile ? OK : R(PHONE_MOBILE));
  }
}

/* ---- dates ---- */

static void dates(void **state) {
  int32_t least = qm_day_of(1900, 1, 1), most = qm_day_of(2026, 12, 31);
  static const struct {
    const char *text;
    int partial;
    qm_reason want;
  } rows[] = {{"2024-02-29", 0, OK},          {"2023-02-29", 0, R(DATE)},
              {"1900-01-01", 0, OK},          {"1899-12-31", 0, R(DATE_EARLY)},
              {"2026-12-31", 0, OK},          {"2027-01-01", 0, R(DATE_LATE)},
              {"1950", 0, R(DATE)},           {"1950", 1, OK},
              {"1950-07", 1, OK},             {"1950-13", 1, R(DATE_PARTIAL)},
              {"1950-07-31", 1, OK},          {"1950-07-32", 1, R(DATE_PARTIAL)},
              {"1899", 1, R(DATE_EARLY)},     {"2027", 1, R(DATE_LATE)},
              {"50", 1, R(DATE_PARTIAL)},     {"", 1, R(DATE_PARTIAL)},
              {"1950-7-31", 1, R(DATE_PARTIAL)}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++)
    expect(rows[i].text, qm_check_date(str(rows[i].text), rows[i].partial, least, most),
           rows[i].want);
}

/* ---- as a schema names them ---- */

static const char schema_text[] =
    "{\"schema\":\"checks\",\"version\":1,\"tables\":[{\"name\":\"sex\",\"codes\":[[\"0\"],"
    "[\"1\"],[\"9\"],[\"2\"],[\"3\",\"old\",\"\",\"2\"]]},{\"name\":\"areas\",\"codes\":["
    "[\"510181\"],[\"510181003\"],[\"510181004\",\"\",\"\",\"510181003\"]]}],"
    "\"collections\":[{\"name\":\"thing\",\"number\":1,\"purpose\":\"a test\",\"retention\":"
    "\"P1Y\",\"fields\":["
    "{\"name\":\"id\",\"number\":16,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":\"citizen-id\"},"
    "{\"name\":\"sex\",\"number\":17,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":{\"name\":\"code\",\"table\":\"sex\"}},"
    "{\"name\":\"area\",\"number\":18,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":{\"name\":\"area-code\",\"levels\":[6,9],\"suffix\":3,\"table\":\"areas\"}},"
    "{\"name\":\"fee\",\"number\":19,\"type\":\"register\",\"value\":\"int\",\"class\":\"work\","
    "\"check\":{\"name\":\"money\",\"least\":0,\"zero\":false}},"
    "{\"name\":\"age\",\"number\":20,\"type\":\"max\",\"value\":\"number\",\"class\":\"work\","
    "\"check\":{\"name\":\"range\",\"least\":0,\"most\":150}},"
    "{\"name\":\"place\",\"number\":21,\"type\":\"register\",\"value\":\"point\",\"class\":"
    "\"work\",\"check\":{\"name\":\"point\",\"datum\":true,\"metres\":50,\"china\":true}},"
    "{\"name\":\"fund\",\"number\":22,\"type\":\"log\",\"value\":\"map\",\"class\":\"work\","
    "\"check\":{\"name\":\"entry\",\"receipt\":true,\"most\":5000}},"
    "{\"name\":\"phones\",\"number\":23,\"type\":\"set\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":{\"name\":\"phone\",\"mobile\":true}},"
    "{\"name\":\"born\",\"number\":24,\"type\":\"register\",\"value\":\"date\",\"class\":\"work\","
    "\"check\":{\"name\":\"date\",\"least\":\"1900-01-01\"}},"
    "{\"name\":\"uscc\",\"number\":25,\"type\":\"list\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":\"credit-code\"}"
    "]}]}";

typedef struct room {
  qm_env env;
  qm_arena arena;
  const qm_schema *s;
} room;

static void open_room(room *m) {
  qm_error e = {0, ""};
  m->env = qm_env_default();
  qm_arena_init(&m->arena, &m->env, 16u << 20);
  if (qm_schema_json_load(&m->s, str(schema_text), &m->arena, &e) != QM_OK)
    fail_msg("%s", e.message);
}

static qm_reason judged(room *m, const char *field, const char *json, qm_slice *detail) {
  qm_error e = {0, ""};
  qm_buf value;
  qm_slice name;
  const qm_field_def *f = qm_collection_field_named(&m->s->collections[0], str(field));
  assert_non_null(f);
  qm_buf_init(&value, &m->env, 1024);
  assert_int_equal(qm_json_value(&value, str(json), &e), QM_OK);
  assert_int_equal(qm_field_value_check(f, qm_buf_slice(&value), &e), QM_OK);
  int rc = qm_check_value(m->s, f, qm_buf_slice(&value), &e);
  qm_buf_free(&value);
  if (rc == QM_OK) return OK;
  assert_int_equal(rc, QM_ESCHEMA);
  static qm_error kept;
  kept = e;
  qm_reason why = qm_reason_find(kept.message, &name, detail);
  assert_int_not_equal(why, QM_REASON_NONE);
  assert_int_equal(qm_slice_cmp(name, str(field)), 0);
  return why;
}

static void fields_that_name_a_check(void **state) {
  static const struct {
    const char *field, *json;
    qm_reason want;
    const char *detail;
  } rows[] = {
      {"id", "\"34052419800101001X\"", OK, ""},
      {"id", "\"340524198001010013\"", R(ID_CHECK), ""},
      {"id", "null", OK, ""},
      {"sex", "\"1\"", OK, ""},
      {"sex", "\"7\"", R(CODE), ""},
      {"sex", "\"\"", R(CODE), ""},
      {"sex", "\"3\"", R(CODE_MOVED), "2"},
      {"area", "\"510181\"", OK, ""},
      {"area", "\"510181003001\"", OK, ""},
      {"area", "\"510182\"", R(AREA_UNKNOWN), ""},
      {"area", "\"510181009\"", R(AREA_UNKNOWN), ""},
      {"area", "\"510181004\"", R(CODE_MOVED), "510181003"},
      {"area", "\"510181004001\"", R(CODE_MOVED), "510181003001"},
      {"area", "\"51018100\"", R(AREA_LENGTH), ""},
      {"fee", "2000", OK, ""},
      {"fee", "0", R(ZERO), ""},
      {"fee", "-1", R(LEAST), ""},
      {"fee", "1000000000000001", R(MOST), ""},
      {"age", "0", OK, ""},
      {"age", "150.0", OK, ""},
      {"age", "150.5", R(MOST), ""},
      {"age", "-0.5", R(LEAST), ""},
      {"place", "{\"$point\":[30.6,104.06,10,\"wgs84\"]}", OK, ""},
      {"place", "{\"$point\":[30.6,104.06,10,\"unknown\"]}", R(POINT_DATUM), ""},
      {"place", "{\"$point\":[30.6,104.06,51,\"gcj02\"]}", R(POINT_ACCURACY), ""},
      {"place", "{\"$point\":[30.6,104.06,0,\"gcj02\"]}", R(POINT_ACCURACY), ""},
      {"place", "{\"$point\":[-30.6,104.06,5,\"gcj02\"]}", R(POINT_PLACE), ""},
      {"fund", "{\"amount\":2000,\"reason\":\"卫生费\",\"receipt\":\"R-1\"}", OK, ""},
      {"fund", "{\"amount\":-2000,\"reason\":\"r\",\"receipt\":{\"sha256\":\"00\"}}", OK, ""},
      {"fund", "{\"amount\":2000.5,\"reason\":\"r\",\"receipt\":\"R\"}", R(ENTRY_AMOUNT), ""},
      {"fund", "{\"amount\":0,\"reason\":\"r\",\"receipt\":\"R\"}", R(ZERO), ""},
      {"fund", "{\"amount\":5001,\"reason\":\"r\",\"receipt\":\"R\"}", R(MOST), ""},
      {"fund", "{\"amount\":5001,\"reason\":\"r\",\"receipt\":\"R\",\"reverses\":\"a:1\"}", OK, ""},
      {"fund", "{\"reason\":\"r\",\"receipt\":\"R\"}", R(ENTRY_AMOUNT), ""},
      {"fund", "{\"amount\":1,\"receipt\":\"R\"}", R(ENTRY_REASON), ""},
      {"fund", "{\"amount\":1,\"reason\":\"  \",\"receipt\":\"R\"}", R(ENTRY_REASON), ""},
      {"fund", "{\"amount\":1,\"reason\":\"r\"}", R(ENTRY_RECEIPT), ""},
      {"fund", "{\"amount\":1,\"reason\":\"r\",\"receipt\":7}", R(ENTRY_RECEIPT), ""},
      {"fund", "{\"amount\":-1,\"reason\":\"r\",\"receipt\":\"R\",\"reverses\":\"\"}",
       R(ENTRY_REVERSES), ""},
      {"phones", "\"13900000000\"", OK, ""},
      {"phones", "\"028-87654321\"", R(PHONE_MOBILE), ""},
      {"born", "\"1949-10-01\"", OK, ""},
      {"born", "\"1899-12-31\"", R(DATE_EARLY), ""},
      {"uscc", "\"91350100M000100Y43\"", OK, ""},
      {"uscc", "\"91350100M000100Y44\"", R(CREDIT_CHECK), ""},
  };
  room m;
  (void)state;
  open_room(&m);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_slice detail = {NULL, 0};
    expect(rows[i].json, judged(&m, rows[i].field, rows[i].json, &detail), rows[i].want);
    assert_int_equal(qm_slice_cmp(detail, str(rows[i].detail)), 0);
  }
  qm_arena_free(&m.arena);
}

/* What a hub is asked: kinds and lengths, no checks. */
static void a_hub_does_not_judge_by_checks(void **state) {
  room m;
  qm_error e = {0, ""};
  (void)state;
  open_room(&m);
  const qm_op op = {.field = 16,
                    .shape = QM_SIBLINGS,
                    .kind = QM_KIND_WRITE,
                    .value = qm_slice_of("\xa3"
                                         "bad",
                                         4)};
  assert_int_equal(qm_schema_op_check(m.s, 1, &op, &e), QM_OK);
  assert_int_equal(qm_schema_op_check_newer(m.s, 1, &op, &e), QM_OK);
  qm_arena_free(&m.arena);
}

/* A name of a newer program: no effect, kept, and handed on as it came. */
static void unknown_names_have_no_effect(void **state) {
  room m;
  qm_error e = {0, ""};
  qm_buf form, again;
  const qm_schema *s;
  (void)state;
  open_room(&m);
  qm_schema copy = *m.s;
  qm_collection_def c = m.s->collections[0];
  qm_field_def fields[2] = {c.fields[0], c.fields[1]};
  fields[0].check = str("iris-scan");
  fields[0].check_options = qm_slice_of("\x81\xa1k\x91\xc3", 5);
  fields[1].check = qm_slice_of(NULL, 0);
  fields[1].check_options = qm_slice_of(NULL, 0);
  c.fields = fields;
  c.n_fields = 2;
  copy.collections = &c;
  assert_int_equal(qm_schema_check(&copy, &e), QM_OK);
  qm_buf_init(&form, &m.env, QM_SCHEMA_MAX);
  qm_buf_init(&again, &m.env, QM_SCHEMA_MAX);
  qm_schema_encode(&copy, &form);
  assert_int_equal(qm_schema_load(&s, qm_buf_slice(&form), &m.arena, &e), QM_OK);
  const qm_field_def *f = &s->collections[0].fields[0];
  assert_int_equal(qm_slice_cmp(f->check, str("iris-scan")), 0);
  assert_int_equal(qm_check_value(s, f, qm_slice_of("\xa1x", 2), &e), QM_OK);
  qm_schema_encode(s, &again);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&form), qm_buf_slice(&again)), 0);
  qm_buf_free(&form);
  qm_buf_free(&again);
  qm_arena_free(&m.arena);
}

static void both_forms_hold_everything(void **state) {
  room m;
  qm_error e = {0, ""};
  qm_buf form, again, json;
  const qm_schema *s;
  (void)state;
  open_room(&m);
  qm_buf_init(&form, &m.env, QM_SCHEMA_MAX);
  qm_buf_init(&again, &m.env, QM_SCHEMA_MAX);
  qm_buf_init(&json, &m.env, QM_SCHEMA_JSON_MAX);
  qm_schema_encode(m.s, &form);
  assert_int_equal(qm_schema_load(&s, qm_buf_slice(&form), &m.arena, &e), QM_OK);
  assert_int_equal(s->n_tables, 2);
  assert_int_equal(s->tables[0].n_codes, 5);
  for (size_t n = 0; n < form.n; n++) /* cut anywhere */
    assert_int_not_equal(qm_schema_load(&s, qm_slice_of(form.p, n), &m.arena, &e), QM_OK);
  qm_schema_json_print(&json, m.s);
  assert_int_equal(qm_buf_status(&json), QM_OK);
  if (qm_schema_json_load(&s, qm_buf_slice(&json), &m.arena, &e) != QM_OK)
    fail_msg("%s", e.message);
  qm_schema_encode(s, &again);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&form), qm_buf_slice(&again)), 0);
  qm_buf_free(&form);
  qm_buf_free(&again);
  qm_buf_free(&json);
  qm_arena_free(&m.arena);
}

/* A schema with one field, of which `member` is a part, and what comes before collections. */
static void refused_with(const char *head, const char *member, const char *why) {
  char text[1024];
  qm_env env = qm_env_default();
  qm_arena arena;
  qm_error e = {0, ""};
  const qm_schema *s;
  (void)snprintf(text, sizeof text,
                 "{\"schema\":\"x\",\"version\":1,%s\"collections\":[{\"name\":\"t\","
                 "\"number\":1,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":"
                 "\"f\",\"number\":16,\"class\":\"work\",%s}]}]}",
                 head, member);
  qm_arena_init(&arena, &env, 1u << 20);
  int rc = qm_schema_json_load(&s, str(text), &arena, &e);
  if (rc != QM_ESCHEMA || !strstr(e.message, why))
    fail_msg("%s %s: %s, not %s", head, member, rc ? e.message : "taken", why);
  qm_arena_free(&arena);
}

static void schemas_with_bad_checks(void **state) {
  static const char text[] = "\"type\":\"register\",\"value\":\"text\",\"check\":";
  static const struct {
    const char *head, *type, *check, *why;
  } rows[] = {
      {"", text, "\"citzen-id\"", "fields[0].check: is none of citizen-id"},
      {"", text, "7", "fields[0].check: must be text"},
      {"", text, "{\"mobile\":true}", "check.name: is missing"},
      {"", text, "{\"name\":\"phone\",\"mobil\":true}", "the check has no such option"},
      {"", text, "{\"name\":\"phone\",\"mobile\":1}", "must be true or false"},
      {"", text, "{\"name\":\"code\"}", "the check needs a table"},
      {"", text, "{\"name\":\"code\",\"table\":\"none\"}", "names no table"},
      {"", text, "{\"name\":\"area-code\",\"levels\":[7]}", "levels must be of 6, 9, 12 and 15"},
      {"", text, "{\"name\":\"area-code\",\"levels\":[]}", "levels must not be empty"},
      {"", text, "{\"name\":\"area-code\",\"suffix\":13}", "suffix must be from 1 to 12"},
      {"", text, "{\"name\":\"date\",\"least\":\"1900-02-30\"}", "must be a date"},
      {"", text, "{\"name\":\"date\",\"least\":\"2000-01-01\",\"most\":\"1999-01-01\"}",
       "least must not be beyond most"},
      {"", text, "\"money\"", "this check is for int values"},
      {"", text, "\"range\"", "this check is for numbers"},
      {"", text, "\"entry\"", "this check is for logs of maps"},
      {"", text, "\"point\"", "this check is for points"},
      {"", "\"type\":\"text\",\"check\":", "\"phone\"", "takes no check"},
      {"", "\"type\":\"counter\",\"check\":", "\"range\"", "takes no check"},
      {"", "\"type\":\"register\",\"value\":\"date\",\"check\":",
       "{\"name\":\"date\",\"partial\":true}", "partial dates need text"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[]}],", text, "\"phone\"", "tables[0]: codes are"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[[\"1\"],[\"1\"]]}],", text, "\"phone\"",
       "tables[0].codes[1]: codes must rise"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[[\"1 2\"]]}],", text, "\"phone\"",
       "tables[0].codes[0]: the code is not well-formed"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[[\"1\",\"\",\"\",\"9\"]]}],", text, "\"phone\"",
       "the new code is not in the table"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[[\"1\",\"\",\"\",\"2\"],[\"2\",\"\",\"\","
       "\"1\"]]}],",
       text, "\"phone\"", "the new codes lead nowhere"},
      {"\"tables\":[{\"name\":\"a\",\"file\":\"a.json\"}],", text, "\"phone\"",
       "tables[0].file: the file must be put in its place"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[[\"1\"]]},{\"name\":\"a\",\"codes\":[[\"1\"]]}],",
       text, "\"phone\"", "tables[1]: the name is used"},
      {"\"tables\":[[]],", text, "\"phone\"", "tables[0]: must be an object"},
      {"\"tables\":[{\"name\":\"a\",\"codes\":[\"1\"]}],", text, "\"phone\"", "must be [code"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    char member[256];
    (void)snprintf(member, sizeof member, "%s%s", rows[i].type, rows[i].check);
    refused_with(rows[i].head, member, rows[i].why);
  }
}

/* ---- reasons ---- */

static void every_reason_is_found_again(void **state) {
  (void)state;
  for (int r = 1; r < QM_REASON_COUNT; r++) {
    qm_error e = {0, ""};
    qm_slice field, detail;
    assert_true(strlen(qm_reason_zh((qm_reason)r)) > 0);
    assert_int_equal(qm_reason_fail(&e, str("户号"), (qm_reason)r, str("510181")), QM_ESCHEMA);
    assert_int_equal(qm_reason_find(e.message, &field, &detail), r);
    assert_int_equal(qm_slice_cmp(field, str("户号")), 0);
    assert_int_equal(qm_slice_cmp(detail, str("510181")), 0);
    (void)qm_reason_fail(&e, str("f"), (qm_reason)r, str(""));
    assert_int_equal(qm_reason_find(e.message, &field, &detail), r);
    assert_int_equal(detail.n, 0);
    for (int k = 1; k < r; k++)
      assert_string_not_equal(qm_reason_word((qm_reason)k), qm_reason_word((qm_reason)r));
  }
  qm_slice field, detail;
  static const char *const others[] = {"", "field", "field x", "field x: ", "field x: else",
                                       "out of memory", "field x: the value must be text;"};
  for (size_t i = 0; i < COUNT(others); i++)
    assert_int_equal(qm_reason_find(others[i], &field, &detail), QM_REASON_NONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(citizen_numbers),
      cmocka_unit_test(citizen_numbers_with_a_slip),
      cmocka_unit_test(credit_codes),
      cmocka_unit_test(credit_codes_have_one_check),
      cmocka_unit_test(area_codes),
      cmocka_unit_test(areas_that_were_redrawn),
      cmocka_unit_test(phones),
      cmocka_unit_test(dates),
      cmocka_unit_test(fields_that_name_a_check),
      cmocka_unit_test(a_hub_does_not_judge_by_checks),
      cmocka_unit_test(unknown_names_have_no_effect),
      cmocka_unit_test(both_forms_hold_everything),
      cmocka_unit_test(schemas_with_bad_checks),
      cmocka_unit_test(every_reason_is_found_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
