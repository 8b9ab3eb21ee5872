/* Tables of codes and calendars of a schema (S22.4, S23.1): its MessagePack form and what is
 * refused of it.
 *
 *   table    = [name, [code…] | label_zh (""), label_en ("")]        codes ascending bytewise
 *   code     = [code | label_zh (""), label_en (""), moved ("")]
 *   calendar = [name | offset (480), week (31), [from, to, …] (none), [first, last] (none),
 *               [first, last, …] off (none), [first, last, …] work (none),
 *               label_zh (""), label_en ("")] */
#include <stdio.h>
#include <string.h>

#include "core/schema_internal.h"

#define TABLE_FIXED 2u
#define TABLE_ALL 4u
#define CODE_FIXED 1u
#define CODE_ALL 4u
#define CALENDAR_FIXED 1u
#define CALENDAR_ALL 9u

/* ---- tables ---- */

static void read_codes(qm_cur *c, qm_table_def *t, qm_arena *arena) {
  qm_table_code *list = qm__schema_list(c, QM_SCHEMA_CODES_MAX, sizeof *list, &t->n_codes, arena);
  for (uint32_t i = 0; i < t->n_codes && c->status == QM_OK; i++) {
    uint32_t n = qm__schema_object(c, CODE_FIXED, CODE_ALL);
    (void)qm_cur_str(c, &list[i].code);
    if (n > 1) (void)qm_cur_str(c, &list[i].label_zh);
    if (n > 2) (void)qm_cur_str(c, &list[i].label_en);
    if (n > 3) (void)qm_cur_str(c, &list[i].moved);
  }
  t->codes = list;
}

void qm__tables_read(qm_cur *c, qm_schema *s, qm_arena *arena) {
  qm_table_def *list =
      qm__schema_list(c, QM_SCHEMA_TABLES_MAX, sizeof *list, &s->n_tables, arena);
  for (uint32_t i = 0; i < s->n_tables && c->status == QM_OK; i++) {
    uint32_t n = qm__schema_object(c, TABLE_FIXED, TABLE_ALL);
    (void)qm_cur_str(c, &list[i].name);
    read_codes(c, &list[i], arena);
    if (n > 2) (void)qm_cur_str(c, &list[i].label_zh);
    if (n > 3) (void)qm_cur_str(c, &list[i].label_en);
  }
  s->tables = list;
}

static void put_str(qm_buf *out, qm_slice s) { qm_mp_str(out, s.p, s.n); }

static void put_code(qm_buf *out, const qm_table_code *x) {
  size_t n = x->moved.n ? 4 : x->label_en.n ? 3 : x->label_zh.n ? 2 : CODE_FIXED;
  qm_mp_array(out, n);
  put_str(out, x->code);
  if (n > 1) put_str(out, x->label_zh);
  if (n > 2) put_str(out, x->label_en);
  if (n > 3) put_str(out, x->moved);
}

void qm__tables_put(qm_buf *out, const qm_schema *s) {
  qm_mp_array(out, s->n_tables);
  for (uint32_t i = 0; i < s->n_tables; i++) {
    const qm_table_def *t = &s->tables[i];
    size_t n = t->label_en.n ? 4 : t->label_zh.n ? 3 : TABLE_FIXED;
    qm_mp_array(out, n);
    put_str(out, t->name);
    qm_mp_array(out, t->n_codes);
    for (uint32_t k = 0; k < t->n_codes; k++) put_code(out, &t->codes[k]);
    if (n > 2) put_str(out, t->label_zh);
    if (n > 3) put_str(out, t->label_en);
  }
}

static const char *check_named(qm_slice name, qm_slice zh, qm_slice en) {
  if (!qm__schema_name_ok(name)) return "the name is not well-formed";
  return qm__schema_labels_ok(zh, en) ? NULL : "a label is not well-formed";
}

static int code_ok(qm_slice s) {
  if (!s.n || s.n > QM_CODE_MAX || !qm_utf8_check(s, NULL)) return 0;
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= 0x20 || s.p[i] == 0x7F) return 0;
  return 1;
}

static const char *check_code(const qm_table_def *t, uint32_t at) {
  const qm_table_code *x = &t->codes[at];
  if (!code_ok(x->code)) return "the code is not well-formed";
  if (!qm__schema_labels_ok(x->label_zh, x->label_en)) return "a label is not well-formed";
  if (at && qm_slice_cmp(t->codes[at - 1].code, x->code) >= 0)
    return "codes must rise and stand once";
  return NULL;
}

/* After all codes are known to rise. */
static const char *check_moved(const qm_table_def *t, const qm_table_code *x) {
  if (!x->moved.n) return NULL;
  if (!qm_table_find(t, x->moved)) return "the new code is not in the table";
  const qm_table_code *now = qm_table_current(t, x->code);
  return !now || now->moved.n ? "the new codes lead nowhere" : NULL;
}

static int refuse(char place[QM__RULE_PLACE], const char *list, uint32_t i, uint32_t code,
                  const char **why, const char *text) {
  *why = text;
  if (code == UINT32_MAX)
    (void)snprintf(place, QM__RULE_PLACE, "%s[%u]", list, (unsigned)i);
  else
    (void)snprintf(place, QM__RULE_PLACE, "%s[%u].codes[%u]", list, (unsigned)i, (unsigned)code);
  return QM_ESCHEMA;
}

static int check_table(const qm_schema *s, uint32_t i, char place[QM__RULE_PLACE],
                       const char **why) {
  const qm_table_def *t = &s->tables[i];
  const char *text = check_named(t->name, t->label_zh, t->label_en);
  if (!text && !t->n_codes) text = "codes are missing";
  if (!text && t->n_codes > QM_SCHEMA_CODES_MAX) text = "more than 20000 codes";
  for (uint32_t k = 0; k < i && !text; k++)
    if (qm__same(s->tables[k].name, t->name)) text = "the name is used by another table";
  if (text) return refuse(place, "tables", i, UINT32_MAX, why, text);
  for (uint32_t k = 0; k < t->n_codes; k++)
    if ((text = check_code(t, k))) return refuse(place, "tables", i, k, why, text);
  for (uint32_t k = 0; k < t->n_codes; k++)
    if ((text = check_moved(t, &t->codes[k]))) return refuse(place, "tables", i, k, why, text);
  return QM_OK;
}

/* ---- calendars ---- */

static void read_spans(qm_cur *c, qm_calendar *to, qm_arena *arena) {
  uint32_t n;
  qm_span *list = NULL;
  (void)qm_cur_array(c, &n);
  if (c->status == QM_OK && (n % 2 || n > 2 * QM_CALENDAR_HOURS_MAX))
    (void)qm_cur_fail(c, QM_EFORMAT);
  if (c->status == QM_OK && n) list = qm_arena_zero(arena, n / 2 * sizeof *list);
  if (c->status == QM_OK && n && !list) (void)qm_cur_fail(c, QM_ENOMEM);
  for (uint32_t i = 0; list && i < n / 2; i++) {
    (void)qm_cur_uint32(c, &list[i].from);
    (void)qm_cur_uint32(c, &list[i].to);
  }
  to->hours = list;
  to->n_hours = list ? n / 2 : 0;
}

static void read_i32(qm_cur *c, int32_t *out) {
  int64_t v;
  (void)qm_cur_int(c, &v);
  if (v < INT32_MIN / 2 || v > INT32_MAX / 2) {
    (void)qm_cur_fail(c, QM_ERANGE);
    v = 0;
  }
  *out = (int32_t)v;
}

static void read_days(qm_cur *c, const qm_days **out, uint32_t *count, qm_arena *arena) {
  uint32_t n;
  qm_days *list = NULL;
  (void)qm_cur_array(c, &n);
  if (c->status == QM_OK && (n % 2 || n > 2 * QM_CALENDAR_DAYS_MAX))
    (void)qm_cur_fail(c, QM_EFORMAT);
  if (c->status == QM_OK && n) list = qm_arena_zero(arena, n / 2 * sizeof *list);
  if (c->status == QM_OK && n && !list) (void)qm_cur_fail(c, QM_ENOMEM);
  for (uint32_t i = 0; list && i < n / 2; i++) {
    read_i32(c, &list[i].first);
    read_i32(c, &list[i].last);
  }
  *out = list;
  *count = list ? n / 2 : 0;
}

static void read_years(qm_cur *c, qm_calendar *to) {
  uint32_t n;
  (void)qm_cur_array(c, &n);
  if (c->status == QM_OK && n && n != 2) (void)qm_cur_fail(c, QM_EFORMAT);
  if (c->status != QM_OK || !n) return;
  read_i32(c, &to->first_year);
  read_i32(c, &to->last_year);
}

static void read_calendar(qm_cur *c, qm_calendar *to, qm_arena *arena) {
  uint32_t n = qm__schema_object(c, CALENDAR_FIXED, CALENDAR_ALL);
  to->offset = QM_OFFSET_DEFAULT;
  to->week = QM_WEEK_DEFAULT;
  (void)qm_cur_str(c, &to->name);
  if (n > 1) read_i32(c, &to->offset);
  if (n > 2) (void)qm_cur_uint32(c, &to->week);
  if (n > 3) read_spans(c, to, arena);
  if (n > 4) read_years(c, to);
  if (n > 5) read_days(c, &to->off, &to->n_off, arena);
  if (n > 6) read_days(c, &to->work, &to->n_work, arena);
  if (n > 7) (void)qm_cur_str(c, &to->label_zh);
  if (n > 8) (void)qm_cur_str(c, &to->label_en);
}

void qm__calendars_read(qm_cur *c, qm_schema *s, qm_arena *arena) {
  qm_calendar *list =
      qm__schema_list(c, QM_SCHEMA_CALENDARS_MAX, sizeof *list, &s->n_calendars, arena);
  for (uint32_t i = 0; i < s->n_calendars && c->status == QM_OK; i++)
    read_calendar(c, &list[i], arena);
  s->calendars = list;
}

static void put_days(qm_buf *out, const qm_days *list, uint32_t n) {
  qm_mp_array(out, 2 * (size_t)n);
  for (uint32_t i = 0; i < n; i++) {
    qm_mp_int(out, list[i].first);
    qm_mp_int(out, list[i].last);
  }
}

static size_t calendar_positions(const qm_calendar *x) {
  if (x->label_en.n) return 9;
  if (x->label_zh.n) return 8;
  if (x->n_work) return 7;
  if (x->n_off) return 6;
  if (x->first_year || x->last_year) return 5;
  if (x->n_hours) return 4;
  if (x->week != QM_WEEK_DEFAULT) return 3;
  return x->offset != QM_OFFSET_DEFAULT ? 2 : CALENDAR_FIXED;
}

static void put_calendar(qm_buf *out, const qm_calendar *x) {
  size_t n = calendar_positions(x);
  int years = x->first_year || x->last_year;
  qm_mp_array(out, n);
  put_str(out, x->name);
  if (n > 1) qm_mp_int(out, x->offset);
  if (n > 2) qm_mp_uint(out, x->week);
  if (n > 3) {
    qm_mp_array(out, 2 * (size_t)x->n_hours);
    for (uint32_t i = 0; i < x->n_hours; i++) {
      qm_mp_uint(out, x->hours[i].from);
      qm_mp_uint(out, x->hours[i].to);
    }
  }
  if (n > 4) qm_mp_array(out, years ? 2 : 0);
  if (n > 4 && years) {
    qm_mp_int(out, x->first_year);
    qm_mp_int(out, x->last_year);
  }
  if (n > 5) put_days(out, x->off, x->n_off);
  if (n > 6) put_days(out, x->work, x->n_work);
  if (n > 7) put_str(out, x->label_zh);
  if (n > 8) put_str(out, x->label_en);
}

void qm__calendars_put(qm_buf *out, const qm_schema *s) {
  qm_mp_array(out, s->n_calendars);
  for (uint32_t i = 0; i < s->n_calendars; i++) put_calendar(out, &s->calendars[i]);
}

static int check_calendar(const qm_schema *s, uint32_t i, char place[QM__RULE_PLACE],
                          const char **why) {
  const qm_calendar *x = &s->calendars[i];
  const char *text = check_named(x->name, x->label_zh, x->label_en);
  if (!text) text = qm_calendar_check(x);
  for (uint32_t k = 0; k < i && !text; k++)
    if (qm__same(s->calendars[k].name, x->name)) text = "the name is used by another calendar";
  return text ? refuse(place, "calendars", i, UINT32_MAX, why, text) : QM_OK;
}

int qm__tables_check(const qm_schema *s, char place[QM__RULE_PLACE], const char **why) {
  if (s->n_tables > QM_SCHEMA_TABLES_MAX)
    return refuse(place, "tables", 0, UINT32_MAX, why, "more than 64 tables");
  if (s->n_calendars > QM_SCHEMA_CALENDARS_MAX)
    return refuse(place, "calendars", 0, UINT32_MAX, why, "more than 16 calendars");
  for (uint32_t i = 0; i < s->n_tables; i++) QM_TRY(check_table(s, i, place, why));
  for (uint32_t i = 0; i < s->n_calendars; i++) QM_TRY(check_calendar(s, i, place, why));
  return QM_OK;
}

/* ---- looking up, comparing ---- */

const qm_table_def *qm_schema_table(const qm_schema *s, qm_slice name) {
  for (uint32_t i = 0; name.n && i < s->n_tables; i++)
    if (qm__same(s->tables[i].name, name)) return &s->tables[i];
  return NULL;
}

const qm_calendar *qm_schema_calendar(const qm_schema *s, qm_slice name) {
  for (uint32_t i = 0; name.n && i < s->n_calendars; i++)
    if (qm__same(s->calendars[i].name, name)) return &s->calendars[i];
  return NULL;
}

static int table_differs(const qm_table_def *a, const qm_table_def *b) {
  if (!qm__same(a->name, b->name) || !qm__same(a->label_zh, b->label_zh) ||
      !qm__same(a->label_en, b->label_en) || a->n_codes != b->n_codes)
    return 1;
  for (uint32_t i = 0; i < a->n_codes; i++) {
    const qm_table_code *x = &a->codes[i], *y = &b->codes[i];
    if (!qm__same(x->code, y->code) || !qm__same(x->label_zh, y->label_zh) ||
        !qm__same(x->label_en, y->label_en) || !qm__same(x->moved, y->moved))
      return 1;
  }
  return 0;
}

int qm__tables_differ(const qm_schema *a, const qm_schema *b) {
  if (a->n_tables != b->n_tables) return 1;
  for (uint32_t i = 0; i < a->n_tables; i++)
    if (table_differs(&a->tables[i], &b->tables[i])) return 1;
  return 0;
}

static int days_differ(const qm_days *a, uint32_t n, const qm_days *b, uint32_t m) {
  if (n != m) return 1;
  for (uint32_t i = 0; i < n; i++)
    if (a[i].first != b[i].first || a[i].last != b[i].last) return 1;
  return 0;
}

static int calendar_differs(const qm_calendar *a, const qm_calendar *b) {
  if (!qm__same(a->name, b->name) || !qm__same(a->label_zh, b->label_zh) ||
      !qm__same(a->label_en, b->label_en) || a->offset != b->offset || a->week != b->week ||
      a->first_year != b->first_year || a->last_year != b->last_year || a->n_hours != b->n_hours)
    return 1;
  for (uint32_t i = 0; i < a->n_hours; i++)
    if (a->hours[i].from != b->hours[i].from || a->hours[i].to != b->hours[i].to) return 1;
  return days_differ(a->off, a->n_off, b->off, b->n_off) ||
         days_differ(a->work, a->n_work, b->work, b->n_work);
}

int qm__calendars_differ(const qm_schema *a, const qm_schema *b) {
  if (a->n_calendars != b->n_calendars) return 1;
  for (uint32_t i = 0; i < a->n_calendars; i++)
    if (calendar_differs(&a->calendars[i], &b->calendars[i])) return 1;
  return 0;
}
