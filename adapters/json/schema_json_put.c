/* Tables of codes, calendars, checks and limits as JSON: what schema_json_more.c reads. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json/schema_json_int.h"

static void put(qm_buf *out, const char *text) { qm_buf_add(out, text, strlen(text)); }

static void put_format(qm_buf *out, const char *format, int64_t v) {
  char text[64];
  (void)snprintf(text, sizeof text, format, v);
  put(out, text);
}

/* `lead`, "key": */
static void put_key(qm_buf *out, const char *lead, const char *key) {
  put(out, lead);
  put(out, "\"");
  put(out, key);
  put(out, "\": ");
}

static void put_str(qm_buf *out, const char *lead, const char *key, qm_slice s) {
  put_key(out, lead, key);
  qm_json_str(out, s);
}

static void put_label(qm_buf *out, qm_slice zh, qm_slice en) {
  if (!zh.n && !en.n) return;
  put_key(out, ", ", "label");
  put(out, "{");
  if (zh.n) put_str(out, "", "zh", zh);
  if (en.n) put_str(out, zh.n ? ", " : "", "en", en);
  put(out, "}");
}

/* ---- tables ---- */

static void put_code(qm_buf *out, const qm_table_code *x) {
  size_t n = x->moved.n ? 4 : x->label_en.n ? 3 : x->label_zh.n ? 2 : 1;
  const qm_slice parts[] = {x->code, x->label_zh, x->label_en, x->moved};
  for (size_t i = 0; i < n; i++) {
    put(out, i ? ", " : "[");
    qm_json_str(out, parts[i]);
  }
  put(out, "]");
}

void qm__schema_json_put_tables(qm_buf *out, const qm_schema *s) {
  for (uint32_t i = 0; i < s->n_tables; i++) {
    const qm_table_def *t = &s->tables[i];
    put(out, i ? ",\n    {" : ",\n  \"tables\": [\n    {");
    put_str(out, "", "name", t->name);
    put_label(out, t->label_zh, t->label_en);
    put_key(out, ",\n     ", "codes");
    for (uint32_t k = 0; k < t->n_codes; k++) {
      put(out, k ? ",\n      " : "[\n      ");
      put_code(out, &t->codes[k]);
    }
    put(out, "]}");
  }
  if (s->n_tables) put(out, "\n  ]");
}

/* ---- calendars ---- */

static void put_clock(qm_buf *out, const char *lead, uint32_t minute) {
  char text[32];
  (void)snprintf(text, sizeof text, "%s\"%02u:%02u\"", lead, (unsigned)(minute / 60 % 100),
                 (unsigned)(minute % 60));
  put(out, text);
}

static void put_offset(qm_buf *out, const qm_calendar *c) {
  char text[32];
  unsigned minute = (unsigned)(c->offset < 0 ? -c->offset : c->offset);
  if (c->offset == QM_OFFSET_DEFAULT) return;
  (void)snprintf(text, sizeof text, "\"%c%02u:%02u\"", c->offset < 0 ? '-' : '+',
                 minute / 60 % 100, minute % 60);
  put_key(out, ", ", "utc");
  put(out, text);
}

static void put_week(qm_buf *out, const qm_calendar *c) {
  int first = 1;
  if (c->week == QM_WEEK_DEFAULT) return;
  put_key(out, ", ", "week");
  for (int day = 1; day <= 7; day++) {
    if (!(c->week & 1u << (day - 1))) continue;
    put_format(out, first ? "[%" PRId64 : ", %" PRId64, day);
    first = 0;
  }
  put(out, "]");
}

static void put_date(qm_buf *out, const char *lead, int32_t day) {
  char text[11];
  qm_date_text(day, text);
  put(out, lead);
  put(out, "\"");
  put(out, text);
  put(out, "\"");
}

static void put_days(qm_buf *out, const char *key, const qm_days *list, uint32_t n) {
  if (!n) return;
  put_key(out, ",\n     ", key);
  for (uint32_t i = 0; i < n; i++) {
    int one = list[i].first == list[i].last;
    put(out, i ? ", " : "[");
    put_date(out, one ? "" : "[", list[i].first);
    if (one) continue;
    put_date(out, ", ", list[i].last);
    put(out, "]");
  }
  put(out, "]");
}

static void put_calendar(qm_buf *out, const qm_calendar *c) {
  put_str(out, "", "name", c->name);
  put_label(out, c->label_zh, c->label_en);
  put_offset(out, c);
  put_week(out, c);
  for (uint32_t i = 0; i < c->n_hours; i++) {
    if (!i) put_key(out, ", ", "hours");
    put_clock(out, i ? ", [" : "[[", c->hours[i].from);
    put_clock(out, ", ", c->hours[i].to);
    put(out, i + 1 == c->n_hours ? "]]" : "]");
  }
  if (c->first_year || c->last_year) {
    put_key(out, ", ", "years");
    put_format(out, "[%" PRId64, c->first_year);
    put_format(out, ", %" PRId64 "]", c->last_year);
  }
  put_days(out, "off", c->off, c->n_off);
  put_days(out, "work", c->work, c->n_work);
}

void qm__schema_json_put_calendars(qm_buf *out, const qm_schema *s) {
  for (uint32_t i = 0; i < s->n_calendars; i++) {
    put(out, i ? ",\n    {" : ",\n  \"calendars\": [\n    {");
    put_calendar(out, &s->calendars[i]);
    put(out, "}");
  }
  if (s->n_calendars) put(out, "\n  ]");
}

/* ---- checks ---- */

/* The members of an object's text without its brackets. */
static void put_members(qm_buf *out, qm_slice map) {
  qm_buf json;
  qm_buf_init(&json, out->env, QM_SCHEMA_JSON_MAX);
  int rc = qm_value_json(&json, map);
  if (rc != QM_OK && out->status == QM_OK) out->status = rc;
  if (rc == QM_OK && json.n > 2) {
    put(out, ", ");
    qm_buf_add(out, json.p + 1, json.n - 2);
  }
  qm_buf_free(&json);
}

void qm__schema_json_put_check(qm_buf *out, const qm_field_def *f) {
  if (!f->check.n) return;
  put_key(out, ", ", "check");
  if (!f->check_options.n) {
    qm_json_str(out, f->check);
    return;
  }
  put_str(out, "{", "name", f->check);
  put_members(out, f->check_options);
  put(out, "}");
}

/* ---- limits ---- */

static qm_slice field_name(const qm_collection_def *c, uint32_t number) {
  const qm_field_def *f = qm_collection_field(c, number);
  return f ? f->name : qm_slice_of("?", 1);
}

static void put_row(qm_buf *out, const qm_collection_def *c, const qm_limit_def *l,
                    const qm_limit_row *r) {
  static const char *const words[] = {"?", "hours", "working_hours", "days", "working_days"};
  int first = 1;
  put(out, "{");
  for (uint32_t i = 0; r->values && i < l->n_by; i++) {
    if (!r->values[i].n) continue;
    put(out, first ? "\"when\": {" : ", ");
    qm_json_str(out, field_name(c, l->by[i]));
    put(out, ": ");
    int rc = qm_value_json(out, r->values[i]);
    if (rc != QM_OK && out->status == QM_OK) out->status = rc;
    first = 0;
  }
  if (!first) put(out, "}");
  put_key(out, first ? "" : ", ", words[r->unit <= QM_UNIT_WORKING_DAYS ? r->unit : 0]);
  put_format(out, "%" PRId64 "}", r->amount);
}

static void put_limit(qm_buf *out, const qm_collection_def *c, const qm_limit_def *l) {
  const qm_field_def *state = qm_collection_field(c, l->state);
  put_str(out, "        {", "name", l->name);
  put_label(out, l->label_zh, l->label_en);
  put_str(out, ", ", "start", field_name(c, l->start));
  put_str(out, ", ", "state", field_name(c, l->state));
  for (uint32_t i = 0; i < l->n_by; i++) {
    if (!i) put_key(out, ", ", "by");
    put(out, i ? ", " : "[");
    qm_json_str(out, field_name(c, l->by[i]));
  }
  if (l->n_by) put(out, "]");
  if (l->calendar.n) put_str(out, ", ", "calendar", l->calendar);
  if (l->extend) put_str(out, ", ", "extend", field_name(c, l->extend));
  for (uint32_t i = 0; state && i < l->n_pauses; i++) {
    if (!i) put_key(out, ", ", "pauses");
    put(out, i ? ", " : "[");
    qm_json_str(out, state->items[l->pauses[i]].name);
    if (i + 1 == l->n_pauses) put(out, "]");
  }
  put_key(out, ",\n         ", "rows");
  for (uint32_t i = 0; i < l->n_rows; i++) {
    put(out, i ? ",\n          " : "[");
    put_row(out, c, l, &l->rows[i]);
  }
  put(out, "]}");
}

void qm__schema_json_put_limits(qm_buf *out, const qm_collection_def *c) {
  for (uint32_t i = 0; i < c->n_limits; i++) {
    if (!i) put_key(out, ",\n      ", "limits");
    put(out, i ? ",\n" : "[\n");
    put_limit(out, c, &c->limits[i]);
    if (i + 1 == c->n_limits) put(out, "\n      ]");
  }
}
