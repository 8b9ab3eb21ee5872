/* Limits on time (S23.3): rows, extensions, what a schema may say, in both forms, and what a
 * space shows as a record goes its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/json_value.h"
#include "adapters/json/schema_json.h"
#include "core/due.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIXTURE "fixtures/schemas/limits.json"

static qm_slice str(const char *s) { return qm_slice_of(s, strlen(s)); }

typedef struct room {
  qm_env env;
  qm_arena arena;
  qm_buf json;
  const qm_schema *s;
} room;

/* The fixture with its files in their places. */
static void open_room(room *m) {
  static char path[] = FIXTURE;
  qm_error e = {0, ""};
  qm_buf file;
  uint8_t part[4096];
  size_t n;
  m->env = qm_env_default();
  qm_arena_init(&m->arena, &m->env, 16u << 20);
  qm_buf_init(&file, &m->env, QM_SCHEMA_JSON_MAX);
  qm_buf_init(&m->json, &m->env, QM_SCHEMA_JSON_MAX);
  FILE *in = fopen(FIXTURE, "rb");
  assert_non_null(in);
  while ((n = fread(part, 1, sizeof part, in)) > 0) qm_buf_add(&file, part, n);
  (void)fclose(in);
  if (qm_schema_json_pack_beside(&m->json, qm_buf_slice(&file), path, &e) != QM_OK ||
      qm_schema_json_load(&m->s, qm_buf_slice(&m->json), &m->arena, &e) != QM_OK)
    fail_msg("%s", e.message);
  qm_buf_free(&file);
}

static void close_room(room *m) {
  qm_buf_free(&m->json);
  qm_arena_free(&m->arena);
}

static const char *text_of(int64_t ms) {
  static char out[40];
  char date[11];
  int32_t day = qm_day_at(ms, 480);
  int64_t minute = (ms + 480 * INT64_C(60000) - day * QM_DAY_MS) / 60000;
  qm_date_text(day, date);
  (void)snprintf(out, sizeof out, "%s %02d:%02d", date, (int)(minute / 60), (int)(minute % 60));
  return out;
}

static qm_slice value(room *m, const char *json) {
  qm_buf b;
  if (!json) return qm_slice_of(NULL, 0);
  qm_buf_init(&b, &m->env, 256);
  assert_int_equal(qm_json_value(&b, str(json), NULL), QM_OK);
  qm_slice s = qm_slice_of(qm_arena_copy(&m->arena, b.p, b.n), b.n);
  qm_buf_free(&b);
  return s;
}

/* 2026-02-13 is a Friday; 14 is worked, 15 to 23 are not, 28 is a worked Saturday. */
static void rows_and_extensions(void **state) {
  static const struct {
    const char *category, *severity;
    int64_t more;
    const char *due;
  } rows[] = {
      {"\"leak\"", "4", 0, "2026-02-14 09:00"},
      {"\"leak\"", "3", 0, "2026-03-12 17:30"}, /* falls to the last row: 15 working days */
      {"\"illegal-building\"", "1", 0, "2026-03-12 17:30"},
      {"\"garbage\"", "4", 0, "2026-02-14 17:30"},
      {"\"garbage\"", "4", 1, "2026-02-24 17:30"},
      {"\"garbage\"", "4", -5, "2026-02-14 17:30"},
      {"\"heap\"", NULL, 0, "2026-02-26 17:30"},
      {"\"dirty-road\"", NULL, 0, "2026-02-13 16:00"},
      {"\"dirty-road\"", NULL, 7, "2026-02-14 16:00"},
      {NULL, NULL, 0, "2026-03-12 17:30"},
      {"\"of a newer schema\"", NULL, 0, "2026-03-12 17:30"},
  };
  room m;
  int32_t day;
  (void)state;
  open_room(&m);
  assert_true(qm_date_parse(str("2026-02-13"), &day));
  int64_t start = day * QM_DAY_MS + (9 * 60 - 480) * INT64_C(60000);
  const qm_limit_def *l = &m.s->collections[0].limits[0];
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_slice values[2] = {value(&m, rows[i].category), value(&m, rows[i].severity)};
    qm_due d = {0};
    assert_int_equal(qm_limit_deadline(m.s, l, start, values, rows[i].more, &d), QM_OK);
    if (strcmp(text_of(d.deadline.ms), rows[i].due) != 0)
      fail_msg("row %u: %s, not %s", (unsigned)i, text_of(d.deadline.ms), rows[i].due);
    assert_int_equal(d.offset, 480);
  }
  qm_slice values[2] = {value(&m, "\"heap\""), value(&m, NULL)};
  qm_due d = {0};
  assert_int_equal(qm_limit_deadline(m.s, l, INT64_MAX, values, 0, &d), QM_ERANGE);
  assert_int_equal(qm_limit_deadline(m.s, l, start, values, INT64_MAX, &d), QM_OK);
  assert_int_equal(d.amount, QM_LIMIT_AMOUNT_MAX);
  assert_int_equal(qm_limit_deadline(m.s, l, start, values, INT64_MIN, &d), QM_OK);
  assert_int_equal(d.amount, 1);
  qm_limit_def particular = *l;
  particular.n_rows--; /* without the last row, which fits all */
  qm_slice other[2] = {value(&m, "\"leak\""), value(&m, "1")};
  assert_int_equal(qm_limit_deadline(m.s, &particular, start, other, 0, &d), QM_ENOTFOUND);
  close_room(&m);
}

static void both_forms_hold_limits(void **state) {
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
  if (qm_schema_load(&s, qm_buf_slice(&form), &m.arena, &e) != QM_OK) fail_msg("%s", e.message);
  const qm_limit_def *l = &s->collections[0].limits[0];
  assert_int_equal(l->n_rows, 6);
  assert_int_equal(l->rows[4].unit, QM_UNIT_WORKING_HOURS);
  assert_int_equal(l->rows[4].values[1].n, 0);
  assert_null(l->rows[5].values);
  assert_int_equal(s->calendars[0].n_off, 13);
  assert_int_equal(s->calendars[0].n_work, 11);
  assert_int_equal(s->calendars[0].last_year, 2026);
  qm_schema_json_print(&json, s);
  assert_int_equal(qm_buf_status(&json), QM_OK);
  if (qm_schema_json_load(&s, qm_buf_slice(&json), &m.arena, &e) != QM_OK)
    fail_msg("%s", e.message);
  qm_schema_encode(s, &again);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&form), qm_buf_slice(&again)), 0);
  for (size_t n = 0; n < form.n; n++) /* cut anywhere */
    assert_int_not_equal(qm_schema_load(&s, qm_slice_of(form.p, n), &m.arena, &e), QM_OK);
  qm_buf_free(&form);
  qm_buf_free(&again);
  qm_buf_free(&json);
  close_room(&m);
}

/* A program of today keeps what it cannot read, and a newer schema may change all of it. */
static void limits_come_change_and_go(void **state) {
  room m;
  qm_error e = {0, ""};
  (void)state;
  open_room(&m);
  qm_schema newer = *m.s;
  qm_collection_def c[3] = {m.s->collections[0], m.s->collections[1], m.s->collections[2]};
  newer.version++;
  newer.collections = c;
  newer.n_tables = 2;
  c[0].n_limits = 0;
  assert_int_equal(qm_schema_grows(m.s, &newer, &e), QM_OK);
  newer.version = m.s->version - 1;
  qm_schema older = newer;
  assert_int_equal(older.version, 0);
  older.version = 1;
  qm_schema next = *m.s;
  next.version = 2;
  assert_int_equal(qm_schema_grows(&older, &next, &e), QM_OK);
  close_room(&m);
}

static const char fields[] =
    "{\"name\":\"at\",\"number\":16,\"type\":\"register\",\"value\":\"int\",\"class\":\"work\"},"
    "{\"name\":\"st\",\"number\":17,\"type\":\"state\",\"class\":\"work\",\"items\":[{\"name\":"
    "\"a\",\"rank\":1},{\"name\":\"b\",\"rank\":2}],\"transitions\":[[\"a\",\"b\"]]},"
    "{\"name\":\"kind\",\"number\":18,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"},"
    "{\"name\":\"ill\",\"number\":19,\"type\":\"register\",\"value\":\"text\",\"class\":"
    "\"sensitive\"},{\"name\":\"note\",\"number\":20,\"type\":\"text\",\"class\":\"work\"}";

#define L "{\"name\":\"l\",\"start\":\"at\",\"state\":\"st\","

static void schemas_with_bad_limits(void **state) {
  static const char calendar[] = "\"calendars\":[{\"name\":\"c\"}]";
  static const struct {
    const char *limit, *top, *why;
  } rows[] = {
      {L "\"rows\":[{\"hours\":1}]}", calendar, NULL},
      {"{\"start\":\"at\",\"state\":\"st\",\"rows\":[{\"hours\":1}]}", calendar,
       "collections[0].limits[0].name: is missing"},
      {"{\"name\":\"l\",\"state\":\"st\",\"rows\":[{\"hours\":1}]}", calendar, "start: is missing"},
      {"{\"name\":\"l\",\"start\":\"no\",\"state\":\"st\",\"rows\":[{\"hours\":1}]}", calendar,
       "start: is no field"},
      {"{\"name\":\"l\",\"start\":\"kind\",\"state\":\"st\",\"rows\":[{\"hours\":1}]}", calendar,
       "start must be a date"},
      {"{\"name\":\"l\",\"start\":\"at\",\"state\":\"at\",\"rows\":[{\"hours\":1}]}", calendar,
       "state must be a state"},
      {"{\"name\":\"l\",\"start\":\"at\",\"state\":\"st\"}", calendar, "needs 1 to 1024 rows"},
      {L "\"rows\":[{}]}", calendar,
       "limits[0].rows[0]: needs hours"},
      {L "\"rows\":[{\"hours\":1,\"days\":1}]}",
       calendar, "rows[0].days: is a second limit"},
      {L "\"rows\":[{\"hours\":0}]}", calendar,
       "must be from 1 to 10000"},
      {L "\"rows\":[{\"days\":1}]}", calendar,
       "this unit needs a calendar"},
      {L "\"calendar\":\"x\",\"rows\":[{\"hours\":1}]}",
       calendar, "the calendar is none of this schema"},
      {L "\"calendar\":\"c\",\"rows\":[{\"days\":1}]}",
       calendar, NULL},
      {L "\"by\":[\"ill\"],\"rows\":[{\"hours\":1}]}",
       calendar, "or a sensitive or sealed one"},
      {L "\"by\":[\"note\"],\"rows\":[{\"hours\":1}]}",
       calendar, "by takes single fields"},
      {L "\"by\":[\"kind\",\"kind\"],\"rows\":[{"
       "\"hours\":1}]}",
       calendar, "by names a field twice"},
      {L "\"rows\":[{\"when\":{\"kind\":\"x\"},"
       "\"hours\":1}]}",
       calendar, "\"kind\" is none of the fields of by"},
      {L "\"by\":[\"kind\"],\"rows\":[{\"when\":{"
       "\"kind\":7},\"hours\":1}]}",
       calendar, "rows[0] (t): a value does not fit its field"},
      {L "\"pauses\":[\"c\"],\"rows\":[{\"hours\":1}]}",
       calendar, "pauses: names no item"},
      {L "\"pauses\":[\"b\"],\"rows\":[{\"hours\":1}]}",
       calendar, "a final state ends the limit"},
      {L "\"extend\":\"kind\",\"rows\":[{\"hours\":1}]}",
       calendar, "extend must be a counter or an int"},
      {L "\"rows\":[{\"hours\":1}],\"x\":1}",
       calendar, "unknown key \"x\""},
      {"7", calendar, "limits[0]: must be an object"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"utc\":\"8\"}]", "calendars[0].utc: must be an offset"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"utc\":\"+15:00\"}]", "the offset must be"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"week\":[0]}]", "days from 1 (Monday) to 7"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"hours\":[[\"8:30\",\"12:00\"]]}]", "pairs of times"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"hours\":[[\"08:30\",\"24:01\"]]}]", "pairs of times"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"years\":[2026,2026],\"off\":[\"2026-02-30\"]}]",
       "off: entry 0 is no date"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\",\"off\":[\"2026-02-01\"]}]", "outside the years"},
      {L "\"rows\":[{\"hours\":1}]}",
       "\"calendars\":[{\"name\":\"c\"},{\"name\":\"c\"}]", "used by another calendar"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    static char text[4096];
    qm_env env = qm_env_default();
    qm_arena arena;
    qm_error e = {0, ""};
    const qm_schema *s;
    (void)snprintf(text, sizeof text,
                   "{\"schema\":\"x\",\"version\":1,%s,\"collections\":[{\"name\":\"t\","
                   "\"number\":1,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[%s],"
                   "\"limits\":[%s]}]}",
                   rows[i].top, fields, rows[i].limit);
    qm_arena_init(&arena, &env, 1u << 20);
    int rc = qm_schema_json_load(&s, str(text), &arena, &e);
    int right = rc == (rows[i].why ? QM_ESCHEMA : QM_OK);
    if (!right || (rows[i].why && !strstr(e.message, rows[i].why)))
      fail_msg("row %u: %s", (unsigned)i, rc ? e.message : "taken");
    qm_arena_free(&arena);
  }
}

/* ---- files that a schema names ---- */

static int read_fake(void *payload, const char *name, qm_buf *to, qm_error *e) {
  (void)payload;
  const char *text = strcmp(name, "a") == 0   ? "{\"codes\":[[\"1\"]],\"label\":{\"zh\":\"甲\"},"
                                                "\"standard\":\"x\"}"
                     : strcmp(name, "b") == 0 ? "[]"
                     : strcmp(name, "c") == 0 ? "{\"code\":1}"
                     : strcmp(name, "d") == 0 ? "{\"note\":\"\"}"
                     : strcmp(name, "e") == 0 ? "{\"years\":[2026,2026],\"off\":[\"2026-01-01\"]}"
                     : strcmp(name, "f") == 0 ? "{\n,"
                                              : NULL;
  if (!text) return qm_fail(e, QM_ENOTFOUND, "%s: none", name);
  qm_buf_add(to, text, strlen(text));
  return QM_OK;
}

static void files_go_into_their_places(void **state) {
  static const struct {
    const char *in, *out, *why;
    int code;
  } rows[] = {
      {"{\"tables\": [{\"name\": \"t\", \"file\": \"a\"}]}",
       "{\"tables\": [{\"name\": \"t\", \"codes\":[[\"1\"]],\"label\":{\"zh\":\"甲\"}}]}", NULL, 0},
      {"{\"tables\":[{\"label\":{},\n\"file\" : \"a\" ,\"name\":\"t\"}]}",
       "{\"tables\":[{\"label\":{},\n\"codes\":[[\"1\"]] ,\"name\":\"t\"}]}", NULL, 0},
      {"{\"calendars\":[{},{\"file\":\"e\",\"off\":[]}],\"tables\":[{\"file\":\"a\",\"label\":1}]}",
       "{\"calendars\":[{},{\"years\":[2026,2026],\"off\":[]}],\"tables\":[{\"codes\":[[\"1\"]],"
       "\"label\":1}]}",
       NULL, 0},
      {"{\"tables\":[{\"file\":\"z\"}]}", NULL, "z: none", QM_ENOTFOUND},
      {"{\"tables\":[{\"file\":7}]}", NULL, "tables[0].file: must be text", QM_ESCHEMA},
      {"{\"tables\":[{\"file\":\"b\"}]}", NULL, "the file holds no object", QM_ESCHEMA},
      {"{\"tables\":[{\"file\":\"c\"}]}", NULL, "unknown key \"code\" in the file", QM_ESCHEMA},
      {"{\"tables\":[{\"file\":\"d\"}]}", NULL, "nothing to add", QM_ESCHEMA},
      {"{\"tables\":[{\"file\":\"f\"}]}", NULL, "line 2 of the file", QM_ESCHEMA},
      {"{\"tables\":[{\"file\":\"e\"}]}", NULL, "unknown key \"years\"", QM_ESCHEMA},
      {"{\"tables\":7,\"file\":\"a\"}", "{\"tables\":7,\"file\":\"a\"}", NULL, 0},
      {"no JSON", "no JSON", NULL, 0},
      {"", "", NULL, 0},
  };
  qm_env env = qm_env_default();
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_error e = {0, ""};
    qm_buf out;
    qm_buf_init(&out, &env, QM_SCHEMA_JSON_MAX);
    int rc = qm_schema_json_pack(&out, str(rows[i].in), NULL, read_fake, NULL, &e);
    if (rc != rows[i].code) fail_msg("row %u: %s", (unsigned)i, e.message);
    if (rc == QM_OK) assert_int_equal(qm_slice_cmp(qm_buf_slice(&out), str(rows[i].out)), 0);
    else assert_non_null(strstr(e.message, rows[i].why));
    qm_buf_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_and_extensions),       cmocka_unit_test(both_forms_hold_limits),
      cmocka_unit_test(limits_come_change_and_go), cmocka_unit_test(schemas_with_bad_limits),
      cmocka_unit_test(files_go_into_their_places),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
