/* What a schema must satisfy by itself, and beside the one it continues. */
#include <stdarg.h>
#include <stdio.h>

#include "core/validator.h"
#include "core/schema_internal.h"

#define LABEL_MAX 256u
#define PURPOSE_MAX 1024u
#define RETENTION_MAX 32u
#define DRIFT_MS_MAX 86400000u /* a day */
#define DAYS_MAX 3660u         /* ten years */
#define NOWHERE UINT32_MAX

/* Where the check stands; an index is NOWHERE above its level. */
typedef struct place {
  const qm_schema *s;
  uint32_t collection, field, item;
} place;

/* A name in a message only where it is one: it may be what is wrong. */
static int name_ok(qm_slice s, int of_item);
static qm_slice shown(qm_slice name) { return name_ok(name, 0) ? name : qm_slice_of("?", 1); }

static int bad(const place *at, qm_error *e, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

static int bad(const place *at, qm_error *e, const char *format, ...) {
  char why[128], item[32] = "";
  va_list args;
  va_start(args, format);
  (void)vsnprintf(why, sizeof why, format, args);
  va_end(args);
  if (at->collection == NOWHERE) return qm_fail(e, QM_ESCHEMA, "schema: %s", why);
  const qm_collection_def *c = &at->s->collections[at->collection];
  qm_slice cn = shown(c->name);
  if (at->field == NOWHERE) {
    return qm_fail(e, QM_ESCHEMA, "collections[%u] (%.*s): %s", (unsigned)at->collection,
                   qm__width(cn), qm__chars(cn), why);
  }
  qm_slice fn = shown(c->fields[at->field].name);
  if (at->item != NOWHERE) (void)snprintf(item, sizeof item, ".items[%u]", (unsigned)at->item);
  return qm_fail(e, QM_ESCHEMA, "collections[%u].fields[%u]%s (%.*s.%.*s): %s",
                 (unsigned)at->collection, (unsigned)at->field, item, qm__width(cn), qm__chars(cn),
                 qm__width(fn), qm__chars(fn), why);
}

/* One code point of checked UTF-8. */
static uint32_t next_codepoint(qm_slice s, size_t *i) {
  uint8_t lead = s.p[(*i)++];
  if (lead < 0x80) return lead;
  int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  uint32_t c = lead & (0x3Fu >> more);
  while (more-- > 0 && *i < s.n) c = c << 6 | (s.p[(*i)++] & 0x3Fu);
  return c;
}

static int is_control(uint32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

/* White space, and what does not show: two names must not look alike. */
static int is_blank(uint32_t c) {
  return c == 0x20 || c == 0xA0 || c == 0xAD || c == 0x1680 || (c >= 0x2000 && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || c == 0x3000 || c == 0xFEFF;
}

/* The command line reads COLLECTION RECORD FIELD=VALUE and --options, so a name holds
 * none of their signs, and begins as no number and no option does. Items are values:
 * they may begin so. */
static int name_ok(qm_slice s, int of_item) {
  if (s.n == 0 || s.n > QM_NAME_MAX || !qm_utf8_check(s, NULL)) return 0;
  uint8_t first = s.p[0];
  int signs = (first >= '0' && first <= '9') || first == '+' || first == '-' || first == '.';
  if (signs && !of_item) return 0;
  for (size_t i = 0; i < s.n;) {
    uint32_t c = next_codepoint(s, &i);
    if (is_control(c) || is_blank(c) || c == '=' || c == ':' || c == ',' || c == '"') return 0;
  }
  return 1;
}

/* Text for people: may hold spaces, not nothing but spaces where it must be there. */
static int prose_ok(qm_slice s, size_t most, int needed) {
  int seen = 0;
  if (s.n > most || !qm_utf8_check(s, NULL)) return 0;
  for (size_t i = 0; i < s.n;) {
    uint32_t c = next_codepoint(s, &i);
    if (is_control(c)) return 0;
    if (!is_blank(c)) seen = 1;
  }
  return seen || !needed;
}

int qm__schema_name_ok(qm_slice s) { return name_ok(s, 0); }

int qm__schema_labels_ok(qm_slice zh, qm_slice en) {
  return prose_ok(zh, LABEL_MAX, 0) && prose_ok(en, LABEL_MAX, 0);
}

static int labels_ok(qm_slice zh, qm_slice en) { return qm__schema_labels_ok(zh, en); }

/* ISO 8601 duration of whole days or longer: PnYnMnD or PnW, more than nothing. */
static int retention_ok(qm_slice s) {
  static const char units[] = "YMWD";
  size_t unit = 0, i = 1;
  int parts = 0, some = 0;
  if (s.n < 3 || s.n > RETENTION_MAX || s.p[0] != 'P') return 0;
  while (i < s.n) {
    size_t from = i;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) some |= s.p[i] != '0';
    if (i == from || i - from > 5 || i == s.n) return 0;
    while (units[unit] && (uint8_t)units[unit] != s.p[i]) unit++;
    if (!units[unit]) return 0;
    if (units[unit] == 'W' && (parts || i + 1 < s.n)) return 0;
    unit++;
    i++;
    parts++;
  }
  return some;
}

static int check_items(place *at, const qm_field_def *f, qm_error *e) {
  int takes = f->value == QM_VALUE_ENUM;
  if (f->n_items > QM_SCHEMA_ITEMS_MAX) {
    return bad(at, e, "more than %u items", QM_SCHEMA_ITEMS_MAX);
  }
  if (takes && f->n_items == 0) return bad(at, e, "items are missing");
  if (!takes && f->n_items) return bad(at, e, "items belong to enum values only");
  for (uint32_t i = 0; i < f->n_items; i++) {
    const qm_enum_item *item = &f->items[i];
    at->item = i;
    if (!name_ok(item->name, 1)) return bad(at, e, "the name is not well-formed");
    if (!labels_ok(item->label_zh, item->label_en)) return bad(at, e, "a label is not well-formed");
    for (uint32_t j = 0; j < i; j++) {
      if (qm__same(f->items[j].name, item->name)) {
        return bad(at, e, "the name is used by items[%u]", (unsigned)j);
      }
    }
  }
  at->item = NOWHERE;
  return QM_OK;
}

static int check_transitions(const place *at, const qm_field_def *f, qm_error *e) {
  if (f->n_transitions && f->type != QM_FIELD_STATE) {
    return bad(at, e, "transitions belong to state fields only");
  }
  if (f->n_transitions > QM_SCHEMA_TRANSITIONS_MAX) {
    return bad(at, e, "more than %u transitions", QM_SCHEMA_TRANSITIONS_MAX);
  }
  for (uint32_t i = 0; i < f->n_transitions; i++) {
    const qm_transition *t = &f->transitions[i];
    if (t->from >= f->n_items || t->to >= f->n_items) {
      return bad(at, e, "transitions[%u] names no item", (unsigned)i);
    }
    if (t->from == t->to) return bad(at, e, "transitions[%u] goes nowhere", (unsigned)i);
    for (uint32_t j = 0; j < i; j++) {
      if (f->transitions[j].from == t->from && f->transitions[j].to == t->to) {
        return bad(at, e, "transitions[%u] repeats transitions[%u]", (unsigned)i, (unsigned)j);
      }
    }
  }
  return QM_OK;
}

static int is_orderable(uint8_t value) {
  return value == QM_VALUE_ANY || value == QM_VALUE_TEXT || value == QM_VALUE_INT ||
         value == QM_VALUE_NUMBER || value == QM_VALUE_DATE;
}

/* Why a type cannot hold this kind of value; NULL where it can. */
static const char *kind_refused(const qm_field_def *f) {
  switch (f->type) {
    case QM_FIELD_MAX:
    case QM_FIELD_MIN: return is_orderable(f->value) ? NULL : "values of this kind have no order";
    case QM_FIELD_STATE: return f->value == QM_VALUE_ENUM ? NULL : "a state holds enum values";
    case QM_FIELD_COUNTER: return f->value == QM_VALUE_INT ? NULL : "a counter holds int values";
    case QM_FIELD_TEXT: return f->value == QM_VALUE_TEXT ? NULL : "a text holds text values";
    case QM_FIELD_REF:
      return f->value == QM_VALUE_REF || f->value == QM_VALUE_SPACE_REF ? NULL
                                                                        : "a ref holds ref values";
    default: return NULL;
  }
}

static int check_flags(const place *at, const qm_field_def *f, qm_error *e) {
  int siblings = qm_field_shape(f) == QM_SIBLINGS;
  if (f->flags & ~QM_FIELD_FLAGS) return bad(at, e, "a flag is not known here");
  if ((f->flags & QM_FIELD_NAMING) && f->type != QM_FIELD_REGISTER) {
    return bad(at, e, "only a register can be a naming field");
  }
  if ((f->flags & QM_FIELD_SEALED) && !siblings && f->type != QM_FIELD_LOG) {
    return bad(at, e, "a field of this type cannot be sealed");
  }
  if ((f->flags & QM_FIELD_REQUIRED) && !siblings) {
    return bad(at, e, "a field of this type cannot be required");
  }
  return QM_OK;
}

static int check_level(const place *at, const qm_field_def *f, qm_error *e) {
  if (f->review > QM_REVIEW_LEVELS) return bad(at, e, "unknown level of review");
  if (f->review && qm_field_shape(f) != QM_SIBLINGS) {
    return bad(at, e, "a field of this type is never in conflict: no level of review");
  }
  return QM_OK;
}

static int check_target(const place *at, const qm_field_def *f, qm_error *e) {
  if (f->target == 0) return QM_OK;
  if (f->value != QM_VALUE_REF) return bad(at, e, "a target belongs to ref values only");
  if (!qm_schema_collection(at->s, f->target)) return bad(at, e, "the target is no collection");
  return QM_OK;
}

/* A name that is not known here may be one of a newer program. */
static int check_validator(const place *at, const qm_field_def *f, qm_error *e) {
  const char *why = f->check.n && !name_ok(f->check, 0) ? "the check is not well-formed"
                                                        : qm_check_refused(at->s, f);
  return why ? bad(at, e, "%s", why) : QM_OK;
}

static int check_field(place *at, const qm_field_def *f, qm_error *e) {
  if (!name_ok(f->name, 0)) return bad(at, e, "the name is not well-formed");
  if (f->number < QM_FIELD_NUMBER_MIN || f->number > QM_NUMBER_MAX) {
    return bad(at, e, "the number must be from %u to %u", QM_FIELD_NUMBER_MIN, QM_NUMBER_MAX);
  }
  if (f->type < QM_FIELD_REGISTER || f->type > QM_FIELD_REF) return bad(at, e, "unknown type");
  if (f->value > QM_VALUE_MAP) return bad(at, e, "unknown kind of value");
  if (f->cls < QM_CLASS_PUBLIC || f->cls > QM_CLASS_SENSITIVE) return bad(at, e, "unknown class");
  const char *why = kind_refused(f);
  if (why) return bad(at, e, "%s", why);
  if (!labels_ok(f->label_zh, f->label_en)) return bad(at, e, "a label is not well-formed");
  /* What two people typed at once may be longer than either; no check can hold it. */
  if (f->length_max && (f->value != QM_VALUE_TEXT || f->type == QM_FIELD_TEXT)) {
    return bad(at, e, "a length belongs to single text values only");
  }
  QM_TRY(check_flags(at, f, e));
  QM_TRY(check_level(at, f, e));
  QM_TRY(check_validator(at, f, e));
  QM_TRY(check_items(at, f, e));
  QM_TRY(check_transitions(at, f, e));
  return check_target(at, f, e);
}

static int check_key(const place *at, const qm_collection_def *c, qm_error *e) {
  if (c->key_form > QM_NORM_CASEFOLD) return bad(at, e, "unknown key form");
  if (c->key_field == 0) {
    return c->key_form == 0 ? QM_OK : bad(at, e, "a key form without a key");
  }
  const qm_field_def *f = qm_collection_field(c, c->key_field);
  if (!f) return bad(at, e, "the key is no field");
  if (f->type != QM_FIELD_REGISTER || f->value != QM_VALUE_TEXT) {
    return bad(at, e, "the key must be a text register");
  }
  if (f->cls > QM_CLASS_WORK || (f->flags & QM_FIELD_SEALED)) {
    return bad(at, e, "the key must not be personal or sealed");
  }
  return QM_OK;
}

static int check_writers(const place *at, const qm_collection_def *c, qm_error *e) {
  if (c->n_writers > QM_SCHEMA_WRITERS_MAX) {
    return bad(at, e, "more than %u writers", QM_SCHEMA_WRITERS_MAX);
  }
  for (uint32_t i = 0; i < c->n_writers; i++) {
    if (!name_ok(c->writers[i], 0)) {
      return bad(at, e, "writers[%u] is not well-formed", (unsigned)i);
    }
    for (uint32_t j = 0; j < i; j++) {
      if (qm__same(c->writers[i], c->writers[j])) {
        return bad(at, e, "writers[%u] repeats writers[%u]", (unsigned)i, (unsigned)j);
      }
    }
  }
  return QM_OK;
}

/* Rising numbers make a reused one show where it stands, and lookups binary. */
static int check_fields(place *at, const qm_collection_def *c, qm_error *e) {
  if (c->n_fields == 0) return bad(at, e, "fields are missing");
  if (c->n_fields > QM_SCHEMA_FIELDS_MAX) {
    return bad(at, e, "more than %u fields", QM_SCHEMA_FIELDS_MAX);
  }
  for (uint32_t i = 0; i < c->n_fields; i++) {
    at->field = i;
    if (i && c->fields[i].number <= c->fields[i - 1].number) {
      return bad(at, e, "number %u after %u: numbers must rise and are never reused",
                 (unsigned)c->fields[i].number, (unsigned)c->fields[i - 1].number);
    }
    QM_TRY(check_field(at, &c->fields[i], e));
    for (uint32_t j = 0; j < i; j++) {
      if (qm__same(c->fields[j].name, c->fields[i].name)) {
        return bad(at, e, "the name is used by fields[%u]", (unsigned)j);
      }
    }
  }
  at->field = NOWHERE;
  return QM_OK;
}

/* After all fields of all collections: a need may look into another one. */
static int check_steps(place *at, const qm_collection_def *c, qm_error *e) {
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i];
    at->field = i;
    for (uint32_t k = 0; k < f->n_items; k++) {
      at->item = k;
      const char *why = qm__steps_check(at->s, c, f, &f->items[k]);
      if (why) return bad(at, e, "%s", why);
    }
    at->item = NOWHERE;
  }
  at->field = NOWHERE;
  return QM_OK;
}

static int check_rules(const place *at, const qm_collection_def *c, qm_error *e) {
  char in[QM__RULE_PLACE];
  const char *why;
  if (qm__rules_check(c, in, &why) == QM_OK && qm__limits_check(at->s, c, in, &why) == QM_OK)
    return QM_OK;
  qm_slice name = shown(c->name);
  return qm_fail(e, QM_ESCHEMA, "collections[%u]%s (%.*s): %s", (unsigned)at->collection, in,
                 qm__width(name), qm__chars(name), why);
}

/* After all fields of all collections: relations look into others. */
static int check_relations(const place *at, const qm_collection_def *c, qm_error *e) {
  char in[QM__RULE_PLACE];
  const char *why;
  if (qm__relations_check(at->s, c, in, &why) == QM_OK) return QM_OK;
  return qm_fail(e, QM_ESCHEMA, "collections[%u]%s (%.*s): %s", (unsigned)at->collection, in,
                 qm__width(c->name), qm__chars(c->name), why);
}

static int check_collection(place *at, const qm_collection_def *c, qm_error *e) {
  if (!name_ok(c->name, 0)) return bad(at, e, "the name is not well-formed");
  if (c->number == 0 || c->number > QM_NUMBER_MAX) {
    return bad(at, e, "the number must be from 1 to %u", QM_NUMBER_MAX);
  }
  if (!labels_ok(c->label_zh, c->label_en)) return bad(at, e, "a label is not well-formed");
  if (!prose_ok(c->purpose, PURPOSE_MAX, 1)) {
    return bad(at, e, "the purpose is missing or not well-formed");
  }
  if (!retention_ok(c->retention)) {
    return bad(at, e, "the retention is missing or no duration such as P5Y or P90D");
  }
  QM_TRY(check_fields(at, c, e));
  QM_TRY(check_key(at, c, e));
  for (uint32_t i = 0; i < QM_CONFLICT_CLASSES; i++) {
    if (c->review[i] > QM_REVIEW_LEVELS) return bad(at, e, "unknown level of review");
  }
  QM_TRY(check_writers(at, c, e));
  return check_rules(at, c, e);
}

static int check_top(const place *at, qm_error *e) {
  const qm_schema *s = at->s;
  if (!name_ok(s->name, 0)) return bad(at, e, "the name is not well-formed");
  if (s->version == 0) return bad(at, e, "the version must be 1 or greater");
  if (s->drift_ms == 0 || s->drift_ms > DRIFT_MS_MAX) {
    return bad(at, e, "the drift must be from 1 ms to a day");
  }
  if (s->lease_days == 0 || s->lease_days > DAYS_MAX) {
    return bad(at, e, "the lease must be from 1 to %u days", DAYS_MAX);
  }
  if (s->review_days == 0 || s->review_days > DAYS_MAX) {
    return bad(at, e, "the review time must be from 1 to %u days", DAYS_MAX);
  }
  if (s->n_collections == 0) return bad(at, e, "collections are missing");
  if (s->n_collections > QM_SCHEMA_COLLECTIONS_MAX) {
    return bad(at, e, "more than %u collections", QM_SCHEMA_COLLECTIONS_MAX);
  }
  char in[QM__RULE_PLACE];
  const char *why;
  if (qm__tables_check(s, in, &why) == QM_OK) return QM_OK;
  return qm_fail(e, QM_ESCHEMA, "%s: %s", in, why);
}

int qm_schema_check(const qm_schema *s, qm_error *e) {
  place at = {s, NOWHERE, NOWHERE, NOWHERE};
  QM_TRY(check_top(&at, e));
  /* Rising numbers first: targets are looked up by them. */
  for (uint32_t i = 1; i < s->n_collections; i++) {
    at.collection = i;
    if (s->collections[i].number <= s->collections[i - 1].number) {
      return bad(&at, e, "number %u after %u: numbers must rise and are never reused",
                 (unsigned)s->collections[i].number, (unsigned)s->collections[i - 1].number);
    }
  }
  for (uint32_t i = 0; i < s->n_collections; i++) {
    at.collection = i;
    QM_TRY(check_collection(&at, &s->collections[i], e));
    for (uint32_t j = 0; j < i; j++) {
      if (qm__same(s->collections[j].name, s->collections[i].name)) {
        return bad(&at, e, "the name is used by collections[%u]", (unsigned)j);
      }
    }
  }
  for (uint32_t i = 0; i < s->n_collections; i++) {
    at.collection = i;
    QM_TRY(check_steps(&at, &s->collections[i], e));
    QM_TRY(check_relations(&at, &s->collections[i], e));
  }
  return QM_OK;
}
