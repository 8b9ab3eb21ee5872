/* Rules for duplicates: their form, what they must satisfy, whether two lists differ. */
#include <stdio.h>
#include <string.h>

#include "core/schema_internal.h"

#define RULE_FIXED 3u
#define RULE_ALL 6u
#define CONDITION_FIXED 2u
#define CONDITION_ALL 3u

const char *qm_match_word(unsigned match) {
  static const char *const words[] = {NULL,      "same",    "text", "phone",
                                      "address", "similar", "near", "within"};
  return match < sizeof words / sizeof *words ? words[match] : NULL;
}

const char *qm_match_limit(unsigned match) {
  return match == QM_MATCH_SIMILAR  ? "percent"
         : match == QM_MATCH_NEAR   ? "metres"
         : match == QM_MATCH_WITHIN ? "hours"
                                    : NULL;
}

static void read_conditions(qm_cur *c, qm_rule_def *r, qm_arena *arena) {
  qm_condition_def *list =
      qm__schema_list(c, QM_SCHEMA_CONDITIONS_MAX, sizeof *list, &r->n_conditions, arena);
  for (uint32_t i = 0; i < r->n_conditions && c->status == QM_OK; i++) {
    uint32_t n = qm__schema_object(c, CONDITION_FIXED, CONDITION_ALL), match = 0;
    (void)qm_cur_uint32(c, &list[i].field);
    (void)qm_cur_uint32(c, &match);
    if (match > UINT8_MAX) (void)qm_cur_fail(c, QM_ERANGE);
    list[i].match = (uint8_t)match;
    if (n > 2) (void)qm_cur_uint32(c, &list[i].limit);
  }
  r->conditions = list;
}

void qm__rules_read(qm_cur *c, qm_collection_def *d, qm_arena *arena) {
  qm_rule_def *list = qm__schema_list(c, QM_SCHEMA_RULES_MAX, sizeof *list, &d->n_rules, arena);
  for (uint32_t i = 0; i < d->n_rules && c->status == QM_OK; i++) {
    uint32_t n = qm__schema_object(c, RULE_FIXED, RULE_ALL);
    (void)qm_cur_str(c, &list[i].name);
    (void)qm_cur_uint32(c, &list[i].weight);
    read_conditions(c, &list[i], arena);
    list[i].most = QM_RULE_MOST;
    if (n > 3) (void)qm_cur_uint32(c, &list[i].most);
    if (n > 4) (void)qm_cur_str(c, &list[i].label_zh);
    if (n > 5) (void)qm_cur_str(c, &list[i].label_en);
  }
  d->rules = list;
}

static void put_rule(qm_buf *out, const qm_rule_def *r) {
  size_t n = r->label_en.n ? 6 : r->label_zh.n ? 5 : r->most != QM_RULE_MOST ? 4 : RULE_FIXED;
  qm_mp_array(out, n);
  qm_mp_str(out, r->name.p, r->name.n);
  qm_mp_uint(out, r->weight);
  qm_mp_array(out, r->n_conditions);
  for (uint32_t i = 0; i < r->n_conditions; i++) {
    const qm_condition_def *x = &r->conditions[i];
    qm_mp_array(out, x->limit ? CONDITION_ALL : CONDITION_FIXED);
    qm_mp_uint(out, x->field);
    qm_mp_uint(out, x->match);
    if (x->limit) qm_mp_uint(out, x->limit);
  }
  if (n > 3) qm_mp_uint(out, r->most);
  if (n > 4) qm_mp_str(out, r->label_zh.p, r->label_zh.n);
  if (n > 5) qm_mp_str(out, r->label_en.p, r->label_en.n);
}

void qm__rules_put(qm_buf *out, const qm_collection_def *d) {
  qm_mp_array(out, d->n_rules);
  for (uint32_t i = 0; i < d->n_rules; i++) put_rule(out, &d->rules[i]);
}

/* --- what is refused --- */

/* One value at a time can be compared: of a log and a text what stands there is no answer. */
static const char *check_place(const qm_field_def *f) {
  switch (f->type) {
    case QM_FIELD_REGISTER:
    case QM_FIELD_MAX:
    case QM_FIELD_MIN:
    case QM_FIELD_STATE:
    case QM_FIELD_SET:
    case QM_FIELD_REF: break;
    default: return "this type of field cannot be compared";
  }
  /* The index holds what it compares in the clear. */
  if (f->cls == QM_CLASS_SENSITIVE) return "a sensitive field is not compared";
  return f->flags & QM_FIELD_SEALED ? "a sealed field is not compared" : NULL;
}

static const char *check_limit(uint32_t limit, uint32_t least, uint32_t most, const char *why) {
  return limit < least || limit > most ? why : NULL;
}

static const char *check_match(const qm_condition_def *x, const qm_field_def *f) {
  unsigned v = f->value;
  switch (x->match) {
    case QM_MATCH_SAME:
      if (v == QM_VALUE_ANY || v == QM_VALUE_POINT || v == QM_VALUE_MAP)
        return "this kind of value is not compared";
      return check_limit(x->limit, 0, 0, "this match takes no limit");
    case QM_MATCH_TEXT:
    case QM_MATCH_PHONE:
    case QM_MATCH_ADDRESS:
      if (v != QM_VALUE_TEXT) return "this match is for text";
      return check_limit(x->limit, 0, 0, "this match takes no limit");
    case QM_MATCH_SIMILAR:
      if (v != QM_VALUE_TEXT) return "this match is for text";
      return check_limit(x->limit, 0, 100, "percent must be from 1 to 100");
    case QM_MATCH_NEAR:
      if (v != QM_VALUE_POINT || f->type != QM_FIELD_REGISTER) return "near is for a point";
      return check_limit(x->limit, 1, QM_NEAR_MAX, "metres must be from 1 to 100000");
    case QM_MATCH_WITHIN:
      if ((v != QM_VALUE_DATE && v != QM_VALUE_INT) || f->type == QM_FIELD_SET)
        return "within is for a date, or an int of milliseconds";
      return check_limit(x->limit, 1, QM_WITHIN_MAX, "hours must be from 1 to 87600");
    default: return "no such match";
  }
}

static int repeats(const qm_rule_def *r, uint32_t at) {
  for (uint32_t i = 0; i < at; i++) {
    unsigned a = r->conditions[i].match, b = r->conditions[at].match;
    if (a == b && (r->conditions[i].field == r->conditions[at].field || a >= QM_MATCH_NEAR))
      return 1; /* of near and within one is enough: each multiplies the keys of a record */
  }
  return 0;
}

/* `when`: UINT32_MAX above a condition. */
static int refuse(char place[QM__RULE_PLACE], uint32_t rule, uint32_t when, const char **why,
                  const char *text) {
  *why = text;
  if (when == UINT32_MAX)
    (void)snprintf(place, QM__RULE_PLACE, ".duplicates[%u]", (unsigned)rule);
  else
    (void)snprintf(place, QM__RULE_PLACE, ".duplicates[%u].when[%u]", (unsigned)rule,
                   (unsigned)when);
  return QM_ESCHEMA;
}

static int check_conditions(const qm_collection_def *d, uint32_t rule,
                            char place[QM__RULE_PLACE], const char **why) {
  const qm_rule_def *r = &d->rules[rule];
  int keyed = 0;
  for (uint32_t i = 0; i < r->n_conditions; i++) {
    const qm_condition_def *x = &r->conditions[i];
    const qm_field_def *f = qm_collection_field(d, x->field);
    const char *text = f ? check_place(f) : "is no field of this collection";
    if (!text) text = check_match(x, f);
    if (!text && repeats(r, i)) text = "repeats another condition";
    if (text) return refuse(place, rule, i, why, text);
    keyed |= x->match != QM_MATCH_SIMILAR;
  }
  if (keyed) return QM_OK;
  return refuse(place, rule, UINT32_MAX, why, "needs a condition that is not similar");
}

static const char *check_rule(const qm_collection_def *d, uint32_t at) {
  const qm_rule_def *r = &d->rules[at];
  if (!qm__schema_name_ok(r->name)) return "the name is not well-formed";
  if (!qm__schema_labels_ok(r->label_zh, r->label_en)) return "a label is not well-formed";
  if (r->weight < 1 || r->weight > 100) return "the weight must be from 1 to 100";
  if (r->most < 2 || r->most > QM_RULE_MOST_MAX) return "most must be from 2 to 512";
  if (!r->n_conditions || r->n_conditions > QM_SCHEMA_CONDITIONS_MAX)
    return "needs 1 to 4 conditions";
  for (uint32_t i = 0; i < at; i++)
    if (qm__same(d->rules[i].name, r->name)) return "the name is used by another rule";
  return NULL;
}

int qm__rules_check(const qm_collection_def *d, char place[QM__RULE_PLACE], const char **why) {
  place[0] = '\0';
  *why = "more than 16 rules for duplicates";
  if (d->n_rules > QM_SCHEMA_RULES_MAX) return QM_ESCHEMA;
  for (uint32_t i = 0; i < d->n_rules; i++) {
    const char *text = check_rule(d, i);
    if (text) return refuse(place, i, UINT32_MAX, why, text);
    QM_TRY(check_conditions(d, i, place, why));
  }
  return QM_OK;
}

static int rule_differs(const qm_rule_def *a, const qm_rule_def *b) {
  if (!qm__same(a->name, b->name) || !qm__same(a->label_zh, b->label_zh) ||
      !qm__same(a->label_en, b->label_en) || a->weight != b->weight || a->most != b->most ||
      a->n_conditions != b->n_conditions)
    return 1;
  for (uint32_t i = 0; i < a->n_conditions; i++)
    if (a->conditions[i].field != b->conditions[i].field ||
        a->conditions[i].match != b->conditions[i].match ||
        a->conditions[i].limit != b->conditions[i].limit)
      return 1;
  return 0;
}

int qm__rules_differ(const qm_collection_def *a, const qm_collection_def *b) {
  if (a->n_rules != b->n_rules) return 1;
  for (uint32_t i = 0; i < a->n_rules; i++)
    if (rule_differs(&a->rules[i], &b->rules[i])) return 1;
  return 0;
}
