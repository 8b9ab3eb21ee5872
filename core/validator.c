#include "core/validator.h"

#include <stddef.h>
#include <string.h>

#include "core/calendar.h"
#include "core/datum.h"

#define SUFFIX_MAX 12


/* ---- what there is ---- */

static const char *const names[QM_CHECK_COUNT] = {
    NULL,
#define QM_CHECK_NAME(id, word) word,
    QM_CHECKS(QM_CHECK_NAME)
#undef QM_CHECK_NAME
};

const char *qm_check_name(unsigned kind) { return kind < QM_CHECK_COUNT ? names[kind] : NULL; }

static int is(qm_slice s, const char *text) {
  return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

qm_check_kind qm_check_kind_of(qm_slice name) {
  for (unsigned i = 1; i < QM_CHECK_COUNT; i++)
    if (is(name, names[i])) return (qm_check_kind)i;
  return QM_CHECK_UNKNOWN;
}

/* ---- options ---- */

typedef struct options {
  int64_t least, most, suffix, metres;
  int old, mobile, partial, zero, datum, china, receipt;
  unsigned levels;
  int32_t first, last; /* days */
  qm_slice table;
} options;

typedef enum option_type { FLAG, WHOLE, SUFFIX, METRES, LEVELS, DAY, NAME } option_type;

static const struct {
  uint8_t check, type;
  const char *key;
  size_t at;
} known[] = {
    {QM_CHECK_CITIZEN_ID, FLAG, "old", offsetof(options, old)},
    {QM_CHECK_CODE, NAME, "table", offsetof(options, table)},
    {QM_CHECK_AREA_CODE, LEVELS, "levels", offsetof(options, levels)},
    {QM_CHECK_AREA_CODE, SUFFIX, "suffix", offsetof(options, suffix)},
    {QM_CHECK_AREA_CODE, NAME, "table", offsetof(options, table)},
    {QM_CHECK_PHONE, FLAG, "mobile", offsetof(options, mobile)},
    {QM_CHECK_DATE, FLAG, "partial", offsetof(options, partial)},
    {QM_CHECK_DATE, DAY, "least", offsetof(options, first)},
    {QM_CHECK_DATE, DAY, "most", offsetof(options, last)},
    {QM_CHECK_RANGE, WHOLE, "least", offsetof(options, least)},
    {QM_CHECK_RANGE, WHOLE, "most", offsetof(options, most)},
    {QM_CHECK_MONEY, WHOLE, "least", offsetof(options, least)},
    {QM_CHECK_MONEY, WHOLE, "most", offsetof(options, most)},
    {QM_CHECK_MONEY, FLAG, "zero", offsetof(options, zero)},
    {QM_CHECK_POINT, FLAG, "datum", offsetof(options, datum)},
    {QM_CHECK_POINT, METRES, "metres", offsetof(options, metres)},
    {QM_CHECK_POINT, FLAG, "china", offsetof(options, china)},
    {QM_CHECK_ENTRY, WHOLE, "least", offsetof(options, least)},
    {QM_CHECK_ENTRY, WHOLE, "most", offsetof(options, most)},
    {QM_CHECK_ENTRY, FLAG, "receipt", offsetof(options, receipt)},
};

static options defaults(qm_check_kind kind) {
  options o;
  memset(&o, 0, sizeof o);
  int money = kind == QM_CHECK_MONEY || kind == QM_CHECK_ENTRY;
  o.least = money ? -QM_MONEY_MOST : INT64_MIN;
  o.most = money ? QM_MONEY_MOST : INT64_MAX;
  o.old = o.zero = 1;
  o.levels = QM_AREA_ALL;
  o.first = qm_day_of(1, 1, 1);
  o.last = qm_day_of(9999, 12, 31);
  return o;
}

static const char *read_levels(qm_cur *c, unsigned *out) {
  uint32_t n = 0;
  uint64_t v;
  *out = 0;
  if (qm_cur_array(c, &n) != QM_OK) return "levels must be a list";
  for (uint32_t i = 0; i < n; i++) {
    if (qm_cur_uint(c, &v) != QM_OK || v < 6 || v > 15 || v % 3)
      return "levels must be of 6, 9, 12 and 15";
    *out |= 1u << (v / 3 - 2);
  }
  return *out ? NULL : "levels must not be empty";
}

static const char *read_number(qm_cur *c, unsigned type, int64_t *out) {
  if (qm_cur_int(c, out) != QM_OK) return "an option of the check must be a whole number";
  if (type == SUFFIX && (*out < 1 || *out > SUFFIX_MAX)) return "suffix must be from 1 to 12";
  if (type == METRES && (*out < 1 || *out > 100000)) return "metres must be from 1 to 100000";
  return NULL;
}

static const char *read_option(qm_cur *c, unsigned type, void *to) {
  qm_slice text;
  switch (type) {
    case FLAG:
      return qm_cur_bool(c, to) == QM_OK ? NULL : "an option of the check must be true or false";
    case LEVELS: return read_levels(c, to);
    case DAY:
      if (qm_cur_str(c, &text) == QM_OK && qm_date_parse(text, to)) return NULL;
      return "an option of the check must be a date as YYYY-MM-DD";
    case NAME:
      if (qm_cur_str(c, to) == QM_OK && ((qm_slice *)to)->n) return NULL;
      return "an option of the check must be text";
    default: return read_number(c, type, to);
  }
}

static const char *read_pair(qm_cur *c, qm_check_kind kind, options *out) {
  qm_slice key;
  if (qm_cur_str(c, &key) != QM_OK) return "the options of a check must be named";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].check == kind && is(key, known[i].key))
      return read_option(c, known[i].type, (char *)out + known[i].at);
  return "the check has no such option";
}

static const char *read_options(qm_check_kind kind, qm_slice in, options *out) {
  qm_cur c;
  uint32_t pairs = 0;
  const char *why = NULL;
  *out = defaults(kind);
  if (!in.n) return NULL;
  qm_cur_init(&c, in);
  if (qm_cur_map(&c, &pairs) != QM_OK) return "the options of a check must be an object";
  for (uint32_t i = 0; i < pairs && !why; i++) why = read_pair(&c, kind, out);
  return why;
}

/* ---- may it stand there ---- */

static const char *fits_field(qm_check_kind kind, const qm_field_def *f) {
  unsigned v = f->value;
  if (f->type == QM_FIELD_TEXT || f->type == QM_FIELD_COUNTER || f->type == QM_FIELD_STATE ||
      f->type == QM_FIELD_REF)
    return "a field of this type takes no check";
  switch (kind) {
    case QM_CHECK_DATE:
      return v == QM_VALUE_DATE || v == QM_VALUE_TEXT ? NULL : "this check is for dates and text";
    case QM_CHECK_RANGE:
      return v == QM_VALUE_INT || v == QM_VALUE_NUMBER ? NULL : "this check is for numbers";
    case QM_CHECK_MONEY: return v == QM_VALUE_INT ? NULL : "this check is for int values";
    case QM_CHECK_POINT: return v == QM_VALUE_POINT ? NULL : "this check is for points";
    case QM_CHECK_ENTRY:
      return v == QM_VALUE_MAP && f->type == QM_FIELD_LOG ? NULL : "this check is for logs of maps";
    default: return v == QM_VALUE_TEXT ? NULL : "this check is for text";
  }
}

const char *qm_check_refused(const qm_schema *s, const qm_field_def *f) {
  options o;
  qm_check_kind kind = qm_check_kind_of(f->check);
  if (!f->check.n) return f->check_options.n ? "options without a check" : NULL;
  if (f->check_options.n && (qm_value_check(f->check_options) != QM_OK || f->check_options.n == 1))
    return "the options of a check are not well-formed, or empty";
  if (kind == QM_CHECK_UNKNOWN) return NULL;
  const char *why = fits_field(kind, f);
  if (!why) why = read_options(kind, f->check_options, &o);
  if (why) return why;
  if (kind == QM_CHECK_CODE && !o.table.n) return "the check needs a table";
  if (o.table.n && !qm_schema_table(s, o.table)) return "the check names no table of this schema";
  if (o.least > o.most || o.first > o.last) return "least must not be beyond most";
  if (o.partial && f->value != QM_VALUE_TEXT) return "partial dates need text values";
  return NULL;
}

/* ---- judging ---- */

/* Says why, and what would be right where that can be said. */
typedef struct verdict {
  qm_reason reason;
  char detail[QM_CODE_MAX + 1];
} verdict;

static void in_table(const qm_table_def *t, qm_slice text, verdict *v) {
  const qm_table_code *c = qm_table_find(t, text);
  v->reason = !c ? QM_REASON_CODE : c->moved.n ? QM_REASON_CODE_MOVED : QM_REASON_NONE;
  if (v->reason != QM_REASON_CODE_MOVED) return;
  const qm_table_code *now = qm_table_current(t, text);
  if (now) memcpy(v->detail, now->code.p, now->code.n);
}

static void in_areas(const qm_table_def *t, qm_slice text, verdict *v) {
  int longer;
  const qm_table_code *c = qm_table_area(t, text, &longer);
  if (c && c->moved.n) {
    v->reason = QM_REASON_CODE_MOVED;
    (void)qm_table_area_moved(t, text, v->detail);
  } else if (!c && !longer) {
    v->reason = QM_REASON_AREA_UNKNOWN;
  }
}

static void judge_text(const qm_schema *s, qm_check_kind kind, const options *o, qm_slice text,
                       verdict *v) {
  const qm_table_def *t = qm_schema_table(s, o->table);
  switch (kind) {
    case QM_CHECK_CITIZEN_ID: v->reason = qm_check_citizen_id(text, o->old); return;
    case QM_CHECK_CREDIT_CODE: v->reason = qm_check_credit_code(text); return;
    case QM_CHECK_PHONE: v->reason = qm_check_phone(text, o->mobile); return;
    case QM_CHECK_DATE: v->reason = qm_check_date(text, o->partial, o->first, o->last); return;
    case QM_CHECK_CODE:
      v->reason = QM_REASON_TABLE;
      if (t) in_table(t, text, v);
      return;
    default:
      v->reason = qm_check_area_code(text, o->levels, (unsigned)o->suffix);
      if (v->reason == QM_REASON_NONE && o->table.n) {
        if (t) in_areas(t, text, v);
        else v->reason = QM_REASON_TABLE;
      }
  }
}

static qm_reason judge_number(const options *o, const qm_mp_token *t) {
  if (t->type == QM_MP_F64) {
    if (t->f < (double)o->least) return QM_REASON_LEAST;
    return t->f > (double)o->most ? QM_REASON_MOST : QM_REASON_NONE;
  }
  if (t->type != QM_MP_UINT && t->type != QM_MP_NINT) return QM_REASON_CHECKED_NUMBER;
  int64_t v = t->type == QM_MP_UINT ? (int64_t)t->u : t->i;
  if (!o->zero && v == 0) return QM_REASON_ZERO;
  if (v < o->least) return QM_REASON_LEAST;
  return v > o->most ? QM_REASON_MOST : QM_REASON_NONE;
}

static int32_t be32(const uint8_t *p) {
  return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

/* An accuracy of zero says that none is known. */
static qm_reason judge_point(const options *o, qm_slice ext) {
  uint32_t accuracy = (uint32_t)be32(ext.p + 8); /* 0.1 m */
  if (o->datum && ext.p[12] == QM_DATUM_UNKNOWN) return QM_REASON_POINT_DATUM;
  if (o->metres && (!accuracy || accuracy > (uint64_t)o->metres * 10))
    return QM_REASON_POINT_ACCURACY;
  if (o->china && !qm_datum_shifts(be32(ext.p) / 1e7, be32(ext.p + 4) / 1e7))
    return QM_REASON_POINT_PLACE;
  return QM_REASON_NONE;
}

/* ---- entries of a ledger ---- */

static int says_something(const qm_mp_token *t) {
  if (t->type != QM_MP_STR) return 0;
  for (size_t i = 0; i < t->span.n; i++)
    if (t->span.p[i] > ' ') return 1;
  return 0;
}

/* Looks for one member of a well-formed map; its first token. 0 where there is none. */
static int member(qm_slice map, const char *key, qm_mp_token *out) {
  qm_cur c;
  uint32_t pairs = 0;
  qm_cur_init(&c, map);
  (void)qm_cur_map(&c, &pairs);
  for (uint32_t i = 0; i < pairs && c.status == QM_OK; i++) {
    qm_slice name, value;
    (void)qm_cur_str(&c, &name);
    if (qm_cur_value(&c, QM_VALUE_DEPTH, &value) != QM_OK || !is(name, key)) continue;
    qm_cur_init(&c, value);
    return qm_cur_token(&c, out) == QM_OK;
  }
  return 0;
}

static qm_reason judge_entry(const options *o, qm_slice map) {
  qm_mp_token t, of;
  if (!member(map, "amount", &t) || (t.type != QM_MP_UINT && t.type != QM_MP_NINT))
    return QM_REASON_ENTRY_AMOUNT;
  options nonzero = *o;
  nonzero.zero = 0;
  /* A reversal has the opposite of an amount that was judged (core/ledger.h). */
  if (member(map, "reverses", &of)) nonzero.least = -QM_MONEY_MOST, nonzero.most = QM_MONEY_MOST;
  qm_reason why = judge_number(&nonzero, &t);
  if (why != QM_REASON_NONE) return why;
  if (!member(map, "reason", &t) || !says_something(&t)) return QM_REASON_ENTRY_REASON;
  int there = member(map, "receipt", &t);
  if (there ? !says_something(&t) && t.type != QM_MP_MAP : o->receipt)
    return QM_REASON_ENTRY_RECEIPT;
  if (member(map, "reverses", &t) && !says_something(&t)) return QM_REASON_ENTRY_REVERSES;
  return QM_REASON_NONE;
}

/* ---- a value ---- */

static void judge(const qm_schema *s, qm_check_kind kind, const options *o, qm_slice value,
                  const qm_mp_token *t, verdict *v) {
  switch (kind) {
    case QM_CHECK_RANGE:
    case QM_CHECK_MONEY: v->reason = judge_number(o, t); return;
    case QM_CHECK_POINT:
      v->reason = t->type == QM_MP_EXT && t->span.n == 13 ? judge_point(o, t->span)
                                                          : QM_REASON_POINT;
      return;
    case QM_CHECK_ENTRY:
      v->reason = t->type == QM_MP_MAP ? judge_entry(o, value) : QM_REASON_MAP;
      return;
    default:
      v->reason = QM_REASON_CHECKED_TEXT;
      if (t->type == QM_MP_STR) judge_text(s, kind, o, t->span, v);
  }
}

int qm_check_value(const qm_schema *s, const qm_field_def *f, qm_slice value, qm_error *e) {
  qm_mp_token t;
  qm_cur c;
  options o;
  verdict v = {QM_REASON_NONE, ""};
  qm_check_kind kind = f->check.n ? qm_check_kind_of(f->check) : QM_CHECK_UNKNOWN;
  if (kind == QM_CHECK_UNKNOWN || read_options(kind, f->check_options, &o)) return QM_OK;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  if (t.type == QM_MP_NIL || (t.type == QM_MP_EXT && t.ext != QM_EXT_POINT)) return QM_OK;
  judge(s, kind, &o, value, &t, &v);
  if (v.reason == QM_REASON_NONE) return QM_OK;
  return qm_reason_fail(e, f->name, v.reason, qm_slice_of(v.detail, strlen(v.detail)));
}
