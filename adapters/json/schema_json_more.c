/* Tables of codes, calendars, checks and limits of a JSON schema. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/json/json_value.h"
#include "adapters/json/schema_json_int.h"
#include "core/validator.h"

/* Where the reader stands. */
typedef struct place {
  qm_arena *arena;
  qm_error *e;
  char at[96];
} place;

static int bad(const place *p, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static int bad(const place *p, const char *format, ...) {
  char why[128];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return qm_fail(p->e, QM_ESCHEMA, "%s: %s", p->at, why);
}

static int no_memory(const place *p) {
  return qm_fail(p->e, QM_ENOMEM, "schema: %s", qm_err_text(QM_ENOMEM));
}

static place under(const place *p, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* The place one level below. */
static place under(const place *p, const char *format, ...) {
  place to = *p;
  size_t n = strlen(to.at);
  va_list args;
  va_start(args, format);
  (void)vsnprintf(to.at + n, sizeof to.at - n, format, args);
  va_end(args);
  return to;
}

static int check_keys(const place *p, json_t *o, const char *const *known) {
  const char *key;
  json_t *member;
  if (!json_is_object(o)) return bad(p, "must be an object");
  json_object_foreach(o, key, member) {
    size_t i = 0;
    while (known[i] && strcmp(known[i], key) != 0) i++;
    if (!known[i]) return bad(p, "unknown key \"%.40s\"", key);
  }
  return QM_OK;
}

static int copy_text(const place *p, const json_t *v, qm_slice *out) {
  if (!json_is_string(v)) return bad(p, "must be text");
  const void *copy = qm_arena_copy(p->arena, json_string_value(v), json_string_length(v));
  if (!copy) return no_memory(p);
  *out = qm_slice_of(copy, json_string_length(v));
  return QM_OK;
}

/* Absent: left alone, or missing. */
static int get_text(const place *p, const json_t *o, const char *key, int needed, qm_slice *out) {
  const json_t *v = json_object_get(o, key);
  place at = under(p, ".%s", key);
  if (v) return copy_text(&at, v, out);
  return needed ? bad(&at, "is missing") : QM_OK;
}

static int get_label(const place *p, const json_t *o, qm_slice *zh, qm_slice *en) {
  static const char *const known[] = {"zh", "en", NULL};
  json_t *label = json_object_get(o, "label");
  place at = under(p, ".label");
  if (!label) return QM_OK;
  QM_TRY(check_keys(&at, label, known));
  QM_TRY(get_text(&at, label, "zh", 0, zh));
  return get_text(&at, label, "en", 0, en);
}

/* A list, absent or bounded, and zeroed memory for it. */
static int get_list(const place *p, const json_t *o, const char *key, size_t most, size_t size,
                    json_t **list, void **out, uint32_t *n) {
  place at = under(p, "%s%s", p->at[0] ? "." : "", key);
  *list = json_object_get(o, key);
  *out = NULL;
  *n = 0;
  if (!*list) return QM_OK;
  if (!json_is_array(*list)) return bad(&at, "must be a list");
  size_t count = json_array_size(*list);
  if (count > most) return bad(&at, "has more than %u entries", (unsigned)most);
  if (!count) return QM_OK;
  *out = qm_arena_zero(p->arena, count * size);
  if (!*out) return no_memory(p);
  *n = (uint32_t)count;
  return QM_OK;
}

static int no_file(const place *p, const json_t *o) {
  place at = under(p, ".file");
  if (!json_object_get(o, "file")) return QM_OK;
  return bad(&at, "the file must be put in its place first (qianmo schema pack)");
}

/* ---- tables ---- */

/* ["0", "zh", "en", "moved"] */
static int read_code(const place *p, const json_t *o, qm_table_code *to) {
  qm_slice *const parts[] = {&to->code, &to->label_zh, &to->label_en, &to->moved};
  size_t n = json_array_size(o);
  if (!json_is_array(o) || n < 1 || n > 4) return bad(p, "must be [code, zh, en, new code]");
  for (size_t i = 0; i < n; i++) QM_TRY(copy_text(p, json_array_get(o, i), parts[i]));
  return QM_OK;
}

static int by_code(const void *a, const void *b) {
  return qm_slice_cmp(((const qm_table_code *)a)->code, ((const qm_table_code *)b)->code);
}

static int read_table(const place *p, json_t *o, qm_table_def *to) {
  static const char *const known[] = {"name", "label", "codes", "file", NULL};
  json_t *list;
  void *memory;
  QM_TRY(check_keys(p, o, known));
  QM_TRY(no_file(p, o));
  QM_TRY(get_text(p, o, "name", 1, &to->name));
  QM_TRY(get_label(p, o, &to->label_zh, &to->label_en));
  QM_TRY(get_list(p, o, "codes", QM_SCHEMA_CODES_MAX, sizeof(qm_table_code), &list, &memory,
                  &to->n_codes));
  qm_table_code *codes = memory;
  for (uint32_t i = 0; i < to->n_codes; i++) {
    place at = under(p, ".codes[%u]", (unsigned)i);
    QM_TRY(read_code(&at, json_array_get(list, i), &codes[i]));
  }
  if (codes) qsort(codes, to->n_codes, sizeof *codes, by_code);
  to->codes = codes;
  return QM_OK;
}

int qm__schema_json_tables(const json_t *root, qm_schema *s, qm_arena *arena, qm_error *e) {
  place p = {arena, e, ""};
  json_t *list;
  void *memory;
  QM_TRY(get_list(&p, root, "tables", QM_SCHEMA_TABLES_MAX, sizeof(qm_table_def), &list, &memory,
                  &s->n_tables));
  qm_table_def *tables = memory;
  s->tables = tables;
  for (uint32_t i = 0; i < s->n_tables; i++) {
    place at = under(&p, "tables[%u]", (unsigned)i);
    QM_TRY(read_table(&at, json_array_get(list, i), &tables[i]));
  }
  return QM_OK;
}

/* ---- calendars ---- */

/* HH:MM; 24:00 is the end of a day. */
static int clock_of(const json_t *v, uint32_t *minute) {
  const char *t = json_is_string(v) ? json_string_value(v) : "";
  if (strlen(t) != 5 || t[2] != ':') return 0;
  for (int i = 0; i < 5; i++)
    if (i != 2 && (t[i] < '0' || t[i] > '9')) return 0;
  uint32_t h = (uint32_t)(t[0] - '0') * 10 + (uint32_t)(t[1] - '0');
  uint32_t m = (uint32_t)(t[3] - '0') * 10 + (uint32_t)(t[4] - '0');
  *minute = h * 60 + m;
  return m < 60 && *minute <= 1440;
}

static int read_offset(const place *p, const json_t *o, qm_calendar *to) {
  const json_t *v = json_object_get(o, "utc");
  const char *t = json_is_string(v) ? json_string_value(v) : "";
  place at = under(p, ".utc");
  uint32_t minute;
  if (!v) return QM_OK;
  json_t *rest = strlen(t) == 6 ? json_string(t + 1) : NULL;
  int good = rest && (t[0] == '+' || t[0] == '-') && clock_of(rest, &minute);
  json_decref(rest);
  if (!good) return bad(&at, "must be an offset such as +08:00");
  to->offset = t[0] == '-' ? -(int32_t)minute : (int32_t)minute;
  return QM_OK;
}

static int read_week(const place *p, const json_t *o, qm_calendar *to) {
  const json_t *list = json_object_get(o, "week"), *v;
  place at = under(p, ".week");
  size_t i;
  if (!list) return QM_OK;
  if (!json_is_array(list)) return bad(&at, "must be a list");
  to->week = 0;
  json_array_foreach(list, i, v) {
    json_int_t day = json_is_integer(v) ? json_integer_value(v) : 0;
    if (day < 1 || day > 7) return bad(&at, "must hold days from 1 (Monday) to 7");
    to->week |= 1u << (day - 1);
  }
  return QM_OK;
}

static int read_hours(const place *p, const json_t *o, qm_calendar *to) {
  json_t *list;
  void *memory;
  place at = under(p, ".hours");
  QM_TRY(get_list(p, o, "hours", QM_CALENDAR_HOURS_MAX, sizeof(qm_span), &list, &memory,
                  &to->n_hours));
  qm_span *hours = memory;
  to->hours = hours;
  for (uint32_t i = 0; i < to->n_hours; i++) {
    const json_t *pair = json_array_get(list, i);
    if (!json_is_array(pair) || json_array_size(pair) != 2 ||
        !clock_of(json_array_get(pair, 0), &hours[i].from) ||
        !clock_of(json_array_get(pair, 1), &hours[i].to))
      return bad(&at, "must hold pairs of times such as [\"08:30\", \"12:00\"]");
  }
  return QM_OK;
}

static int read_years(const place *p, const json_t *o, qm_calendar *to) {
  const json_t *pair = json_object_get(o, "years");
  const json_t *first = json_array_get(pair, 0), *last = json_array_get(pair, 1);
  place at = under(p, ".years");
  if (!pair) return QM_OK;
  if (json_array_size(pair) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
      json_integer_value(first) < 1 || json_integer_value(first) > 9999 ||
      json_integer_value(last) < 1 || json_integer_value(last) > 9999)
    return bad(&at, "must be the first and the last year");
  to->first_year = (int32_t)json_integer_value(first);
  to->last_year = (int32_t)json_integer_value(last);
  return QM_OK;
}

static int date_of(const json_t *v, int32_t *day) {
  return json_is_string(v) &&
         qm_date_parse(qm_slice_of(json_string_value(v), json_string_length(v)), day);
}

/* A day, or [first, last]. */
static int range_of(const json_t *v, qm_days *to) {
  if (!json_is_array(v)) {
    int good = date_of(v, &to->first);
    to->last = to->first;
    return good;
  }
  return json_array_size(v) == 2 && date_of(json_array_get(v, 0), &to->first) &&
         date_of(json_array_get(v, 1), &to->last);
}

static int by_day(const void *a, const void *b) {
  int32_t x = ((const qm_days *)a)->first, y = ((const qm_days *)b)->first;
  return (x > y) - (x < y);
}

static int read_days(const place *p, const json_t *o, const char *key, const qm_days **out,
                     uint32_t *n) {
  json_t *list;
  void *memory;
  place at = under(p, ".%s", key);
  QM_TRY(get_list(p, o, key, QM_CALENDAR_DAYS_MAX, sizeof(qm_days), &list, &memory, n));
  qm_days *days = memory;
  for (uint32_t i = 0; i < *n; i++)
    if (!range_of(json_array_get(list, i), &days[i]))
      return bad(&at, "entry %u is no date, and no [first, last]", (unsigned)i);
  if (days) qsort(days, *n, sizeof *days, by_day);
  *out = days;
  return QM_OK;
}

static int read_calendar(const place *p, json_t *o, qm_calendar *to) {
  static const char *const known[] = {"name", "label", "utc",  "week", "hours",
                                      "years", "off",  "work", "file", NULL};
  QM_TRY(check_keys(p, o, known));
  QM_TRY(no_file(p, o));
  to->offset = QM_OFFSET_DEFAULT;
  to->week = QM_WEEK_DEFAULT;
  QM_TRY(get_text(p, o, "name", 1, &to->name));
  QM_TRY(get_label(p, o, &to->label_zh, &to->label_en));
  QM_TRY(read_offset(p, o, to));
  QM_TRY(read_week(p, o, to));
  QM_TRY(read_hours(p, o, to));
  QM_TRY(read_years(p, o, to));
  QM_TRY(read_days(p, o, "off", &to->off, &to->n_off));
  return read_days(p, o, "work", &to->work, &to->n_work);
}

int qm__schema_json_calendars(const json_t *root, qm_schema *s, qm_arena *arena, qm_error *e) {
  place p = {arena, e, ""};
  json_t *list;
  void *memory;
  QM_TRY(get_list(&p, root, "calendars", QM_SCHEMA_CALENDARS_MAX, sizeof(qm_calendar), &list,
                  &memory, &s->n_calendars));
  qm_calendar *calendars = memory;
  s->calendars = calendars;
  for (uint32_t i = 0; i < s->n_calendars; i++) {
    place at = under(&p, "calendars[%u]", (unsigned)i);
    QM_TRY(read_calendar(&at, json_array_get(list, i), &calendars[i]));
  }
  return QM_OK;
}

/* ---- values ---- */

static int value_of(const place *p, const json_t *v, qm_slice *out) {
  qm_buf b;
  char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
  if (!text) return no_memory(p);
  qm_buf_init(&b, p->arena->env, QM_SCHEMA_MAX);
  int rc = qm_json_value(&b, qm_slice_of(text, strlen(text)), NULL);
  if (rc == QM_OK) rc = qm_buf_status(&b);
  const void *copy = rc == QM_OK ? qm_arena_copy(p->arena, b.p, b.n) : NULL;
  *out = qm_slice_of(copy, copy ? b.n : 0);
  free(text);
  qm_buf_free(&b);
  if (rc == QM_OK && !copy) return no_memory(p);
  return rc == QM_OK ? QM_OK : bad(p, "is no value (%s)", qm_err_text(rc));
}

/* ---- checks ---- */

static int unknown_check(const place *p) {
  char list[112] = "";
  size_t n = 0;
  for (unsigned i = 1; qm_check_name(i) && n < sizeof list; i++) {
    int more = snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", qm_check_name(i));
    if (more > 0) n += (size_t)more;
  }
  return bad(p, "is none of %s", list);
}

/* The object without its name. */
static int read_options(const place *p, json_t *o, qm_slice *out) {
  json_t *rest = json_copy(o);
  if (!rest) return no_memory(p);
  (void)json_object_del(rest, "name");
  int rc = json_object_size(rest) ? value_of(p, rest, out) : QM_OK;
  json_decref(rest);
  return rc;
}

int qm__schema_json_check(const json_t *field, const char *at, qm_field_def *f, qm_arena *arena,
                          qm_error *e) {
  place root = {arena, e, ""}, p = under(&root, "%s.check", at);
  json_t *check = json_object_get(field, "check");
  if (!check) return QM_OK;
  if (json_is_object(check)) {
    QM_TRY(get_text(&p, check, "name", 1, &f->check));
    QM_TRY(read_options(&p, check, &f->check_options));
  } else {
    QM_TRY(copy_text(&p, check, &f->check));
  }
  return qm_check_kind_of(f->check) == QM_CHECK_UNKNOWN ? unknown_check(&p) : QM_OK;
}

/* ---- limits ---- */

static const struct {
  const char *key;
  uint8_t unit;
} units[] = {{"hours", QM_UNIT_HOURS},
             {"working_hours", QM_UNIT_WORKING_HOURS},
             {"days", QM_UNIT_DAYS},
             {"working_days", QM_UNIT_WORKING_DAYS}};

/* A field by its name, given under a key of `o`. */
static int field_at(const place *p, const json_t *name, const qm_collection_def *c,
                    const qm_field_def **out) {
  qm_slice text;
  QM_TRY(copy_text(p, name, &text));
  *out = qm_collection_field_named(c, text);
  return *out ? QM_OK : bad(p, "is no field of this collection");
}

static int get_field(const place *p, const json_t *o, const char *key, int needed,
                     const qm_collection_def *c, uint32_t *number) {
  const json_t *v = json_object_get(o, key);
  const qm_field_def *f;
  place at = under(p, ".%s", key);
  if (!v) return needed ? bad(&at, "is missing") : QM_OK;
  QM_TRY(field_at(&at, v, c, &f));
  *number = f->number;
  return QM_OK;
}

static int read_amount(const place *p, const json_t *o, qm_limit_row *to) {
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    const json_t *v = json_object_get(o, units[i].key);
    place at = under(p, ".%s", units[i].key);
    if (!v) continue;
    if (to->unit) return bad(&at, "is a second limit");
    if (!json_is_integer(v) || json_integer_value(v) < 1 ||
        json_integer_value(v) > QM_LIMIT_AMOUNT_MAX)
      return bad(&at, "must be from 1 to %u", QM_LIMIT_AMOUNT_MAX);
    to->amount = (uint32_t)json_integer_value(v);
    to->unit = units[i].unit;
  }
  return to->unit ? QM_OK : bad(p, "needs hours, working_hours, days or working_days");
}

static int read_when(const place *p, const json_t *o, const qm_collection_def *c,
                     const qm_limit_def *l, qm_limit_row *to) {
  json_t *when = json_object_get(o, "when"), *v;
  const char *key;
  place at = under(p, ".when");
  if (!when) return QM_OK;
  if (!json_is_object(when)) return bad(&at, "must be an object");
  if (!json_object_size(when)) return QM_OK;
  qm_slice *values = qm_arena_zero(p->arena, (l->n_by + 1) * sizeof *values);
  if (!values) return no_memory(p);
  to->values = values;
  json_object_foreach(when, key, v) {
    const qm_field_def *f = qm_collection_field_named(c, qm_slice_of(key, strlen(key)));
    uint32_t i = 0;
    while (f && i < l->n_by && l->by[i] != f->number) i++;
    if (!f || i == l->n_by) return bad(&at, "\"%.40s\" is none of the fields of by", key);
    QM_TRY(value_of(&at, v, &values[i]));
  }
  return QM_OK;
}

static int read_rows(const place *p, const json_t *o, const qm_collection_def *c,
                     qm_limit_def *to) {
  static const char *const known[] = {"when", "hours", "working_hours", "days", "working_days",
                                      NULL};
  json_t *list;
  void *memory;
  QM_TRY(get_list(p, o, "rows", QM_LIMIT_ROWS_MAX, sizeof(qm_limit_row), &list, &memory,
                  &to->n_rows));
  qm_limit_row *rows = memory;
  to->rows = rows;
  for (uint32_t i = 0; i < to->n_rows; i++) {
    place at = under(p, ".rows[%u]", (unsigned)i);
    json_t *row = json_array_get(list, i);
    QM_TRY(check_keys(&at, row, known));
    QM_TRY(read_amount(&at, row, &rows[i]));
    QM_TRY(read_when(&at, row, c, to, &rows[i]));
  }
  return QM_OK;
}

static int read_by(const place *p, const json_t *o, const qm_collection_def *c, qm_limit_def *to) {
  json_t *list;
  void *memory;
  place at = under(p, ".by");
  QM_TRY(get_list(p, o, "by", QM_LIMIT_FIELDS_MAX, sizeof(uint32_t), &list, &memory, &to->n_by));
  uint32_t *by = memory;
  to->by = by;
  for (uint32_t i = 0; i < to->n_by; i++) {
    const qm_field_def *f;
    QM_TRY(field_at(&at, json_array_get(list, i), c, &f));
    by[i] = f->number;
  }
  return QM_OK;
}

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static int read_pauses(const place *p, const json_t *o, const qm_collection_def *c,
                       qm_limit_def *to) {
  json_t *list;
  void *memory;
  place at = under(p, ".pauses");
  const qm_field_def *state = qm_collection_field(c, to->state);
  QM_TRY(get_list(p, o, "pauses", QM_SCHEMA_ITEMS_MAX, sizeof(uint32_t), &list, &memory,
                  &to->n_pauses));
  uint32_t *pauses = memory;
  to->pauses = pauses;
  for (uint32_t i = 0; i < to->n_pauses; i++) {
    qm_slice name;
    QM_TRY(copy_text(&at, json_array_get(list, i), &name));
    uint32_t k = 0;
    while (state && k < state->n_items && qm_slice_cmp(state->items[k].name, name) != 0) k++;
    if (!state || k == state->n_items) return bad(&at, "names no item of the state");
    pauses[i] = k;
  }
  if (pauses) qsort(pauses, to->n_pauses, sizeof *pauses, by_number);
  return QM_OK;
}

static int read_limit(const place *p, json_t *o, const qm_collection_def *c, qm_limit_def *to) {
  static const char *const known[] = {"name",   "label",  "start", "state", "by", "calendar",
                                      "extend", "pauses", "rows",  NULL};
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_text(p, o, "name", 1, &to->name));
  QM_TRY(get_label(p, o, &to->label_zh, &to->label_en));
  QM_TRY(get_field(p, o, "start", 1, c, &to->start));
  QM_TRY(get_field(p, o, "state", 1, c, &to->state));
  QM_TRY(get_field(p, o, "extend", 0, c, &to->extend));
  QM_TRY(get_text(p, o, "calendar", 0, &to->calendar));
  QM_TRY(read_by(p, o, c, to));
  QM_TRY(read_pauses(p, o, c, to));
  return read_rows(p, o, c, to);
}

int qm__schema_json_limits(const json_t *collection, const char *at, qm_collection_def *c,
                           qm_arena *arena, qm_error *e) {
  place root = {arena, e, ""}, p = under(&root, "%s", at);
  json_t *list;
  void *memory;
  QM_TRY(get_list(&p, collection, "limits", QM_SCHEMA_LIMITS_MAX, sizeof(qm_limit_def), &list,
                  &memory, &c->n_limits));
  qm_limit_def *limits = memory;
  c->limits = limits;
  for (uint32_t i = 0; i < c->n_limits; i++) {
    place below = under(&p, ".limits[%u]", (unsigned)i);
    QM_TRY(read_limit(&below, json_array_get(list, i), c, &limits[i]));
  }
  return QM_OK;
}
