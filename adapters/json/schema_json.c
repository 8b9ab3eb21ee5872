#include "adapters/json/schema_json.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json/schema_json_int.h"
#include "adapters/json/schema_json_words.h"

#define NOWHERE UINT32_MAX
#define DRIFT_MINUTES_DEFAULT 10u
#define DAYS_DEFAULT 90u
#define ARENA_MAX (16u * 1024u * 1024u)

/* A file being read, and where the reader stands in it. */
typedef struct reader {
  json_t *root;
  qm_arena *arena;
  qm_error *e;
  uint32_t collection, field, item;
} reader;

static int bad(const reader *r, const char *key, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* "collections[2].fields[3].class: …"; key may be NULL. */
static int bad(const reader *r, const char *key, const char *format, ...) {
  char why[128], place[96] = "";
  size_t n = 0;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(why, sizeof why, format, args);
  va_end(args);
  const struct {
    const char *list;
    uint32_t index;
  } levels[] = {{"collections", r->collection}, {".fields", r->field}, {".items", r->item}};
  for (size_t i = 0; i < 3 && levels[i].index != NOWHERE; i++) {
    int more =
        snprintf(place + n, sizeof place - n, "%s[%u]", levels[i].list, (unsigned)levels[i].index);
    if (more > 0) n += (size_t)more;
  }
  if (!key && n == 0) return qm_fail(r->e, QM_ESCHEMA, "schema: %s", why);
  return qm_fail(r->e, QM_ESCHEMA, "%s%s%s: %s", place, key && n ? "." : "", key ? key : "", why);
}

static int no_memory(const reader *r) {
  return qm_fail(r->e, QM_ENOMEM, "schema: %s", qm_err_text(QM_ENOMEM));
}

/* A key as a message may show it: what somebody typed may hold anything. */
static void show_key(char to[48], const char *key) {
  size_t i = 0;
  for (; key[i] && i < 40; i++) to[i] = (uint8_t)key[i] < 0x20 || key[i] == 0x7F ? '?' : key[i];
  while (i && key[i] && ((uint8_t)key[i] & 0xC0) == 0x80) i--;
  to[i] = '\0';
}

/* Refuses what is no object, and keys that are not in `known`. */
static int check_object(const reader *r, const char *at, json_t *o, const char *const *known) {
  const char *key;
  json_t *member;
  if (!json_is_object(o)) return bad(r, at, "must be an object");
  json_object_foreach(o, key, member) {
    size_t i = 0;
    while (known[i] && strcmp(known[i], key) != 0) i++;
    if (!known[i]) {
      char name[48];
      show_key(name, key);
      return bad(r, at, "unknown key \"%s\"", name);
    }
  }
  return QM_OK;
}

static int copy_str(const reader *r, const json_t *v, qm_slice *out) {
  size_t n = json_string_length(v);
  const void *p = qm_arena_copy(r->arena, json_string_value(v), n);
  if (!p) return no_memory(r);
  *out = qm_slice_of(p, n);
  return QM_OK;
}

/* Leaves *out alone where the key is absent and not needed. */
static int get_str(const reader *r, const json_t *o, const char *key, int needed, qm_slice *out) {
  const json_t *v = json_object_get(o, key);
  if (!v) return needed ? bad(r, key, "is missing") : QM_OK;
  if (!json_is_string(v)) return bad(r, key, "must be text");
  return copy_str(r, v, out);
}

static int get_int(const reader *r, const json_t *o, const char *key, int needed, int64_t least,
                   int64_t most, int64_t *out) {
  const json_t *v = json_object_get(o, key);
  if (!v) return needed ? bad(r, key, "is missing") : QM_OK;
  if (!json_is_integer(v)) return bad(r, key, "must be a whole number");
  json_int_t n = json_integer_value(v);
  if (n < least || n > most) {
    return bad(r, key, "must be from %lld to %lld", (long long)least, (long long)most);
  }
  *out = n;
  return QM_OK;
}

static int get_uint(const reader *r, const json_t *o, const char *key, int needed, uint32_t most,
                    uint32_t *out) {
  int64_t v = *out;
  QM_TRY(get_int(r, o, key, needed, 0, most, &v));
  *out = (uint32_t)v;
  return QM_OK;
}

static int unknown_word(const reader *r, const char *key, const qm__word *words) {
  char list[112] = "";
  size_t n = 0;
  for (; words->text && n < sizeof list; words++) {
    int more = snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", words->text);
    if (more > 0) n += (size_t)more;
  }
  return bad(r, key, "is none of %s", list);
}

static int get_word(const reader *r, const json_t *o, const char *key, int needed,
                    const qm__word *words, uint8_t *out) {
  const json_t *v = json_object_get(o, key);
  if (!v) return needed ? bad(r, key, "is missing") : QM_OK;
  if (!json_is_string(v)) return bad(r, key, "must be text");
  for (const qm__word *w = words; w->text; w++) {
    if (strcmp(w->text, json_string_value(v)) != 0) continue;
    *out = w->number;
    return QM_OK;
  }
  return unknown_word(r, key, words);
}

static int get_label(const reader *r, const json_t *o, qm_slice *zh, qm_slice *en) {
  static const char *const known[] = {"zh", "en", NULL};
  json_t *label = json_object_get(o, "label");
  if (!label) return QM_OK;
  QM_TRY(check_object(r, "label", label, known));
  QM_TRY(get_str(r, label, "zh", 0, zh));
  return get_str(r, label, "en", 0, en);
}

/* A list, absent or bounded, and zeroed memory for it: *out NULL where it is empty. */
static int get_list(const reader *r, const json_t *o, const char *key, size_t most, size_t size,
                    json_t **list, void **out, uint32_t *n) {
  *list = json_object_get(o, key);
  *out = NULL;
  *n = 0;
  if (!*list) return QM_OK;
  if (!json_is_array(*list)) return bad(r, key, "must be a list");
  size_t count = json_array_size(*list);
  if (count > most) return bad(r, key, "has more than %u entries", (unsigned)most);
  if (count == 0) return QM_OK;
  *out = qm_arena_zero(r->arena, count * size);
  if (!*out) return no_memory(r);
  *n = (uint32_t)count;
  return QM_OK;
}

static int get_names(const reader *r, const json_t *o, const char *key, uint32_t most,
                     const qm_slice **out, uint32_t *n) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(r, o, key, most, sizeof(qm_slice), &list, &memory, n));
  qm_slice *names = memory;
  *out = names;
  for (uint32_t i = 0; i < *n; i++) {
    const json_t *name = json_array_get(list, i);
    if (!json_is_string(name))
      return bad(r, key, "must hold names of %s", strcmp(key, "each") == 0 ? "parts" : "roles");
    QM_TRY(copy_str(r, name, &names[i]));
  }
  return QM_OK;
}

/* An item is its name alone, or an object; the items of a state need their rank. */
static int read_item(const reader *r, json_t *o, int is_state, qm_enum_item *item) {
  static const char *const known[] = {"name", "rank", "label", "by", "confirm", "needs", NULL};
  int64_t rank = 0;
  if (json_is_string(o) && !is_state) return copy_str(r, o, &item->name);
  QM_TRY(check_object(r, NULL, o, known));
  QM_TRY(get_str(r, o, "name", 1, &item->name));
  QM_TRY(get_int(r, o, "rank", is_state, INT32_MIN, INT32_MAX, &rank));
  item->rank = (int32_t)rank;
  QM_TRY(get_names(r, o, "by", QM_SCHEMA_WRITERS_MAX, &item->by, &item->n_by));
  QM_TRY(get_names(r, o, "confirm", QM_SCHEMA_WRITERS_MAX, &item->confirm, &item->n_confirm));
  return get_label(r, o, &item->label_zh, &item->label_en);
}

static int read_items(reader *r, const json_t *o, qm_field_def *f) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(r, o, "items", QM_SCHEMA_ITEMS_MAX, sizeof(qm_enum_item), &list, &memory,
                  &f->n_items));
  qm_enum_item *items = memory;
  f->items = items;
  for (uint32_t i = 0; i < f->n_items; i++) {
    r->item = i;
    QM_TRY(read_item(r, json_array_get(list, i), f->type == QM_FIELD_STATE, &items[i]));
  }
  r->item = NOWHERE;
  return QM_OK;
}

static int find_item(const qm_field_def *f, const json_t *name, uint32_t *index) {
  if (!json_is_string(name)) return 0;
  qm_slice s = qm_slice_of(json_string_value(name), json_string_length(name));
  for (uint32_t i = 0; i < f->n_items; i++) {
    if (qm_slice_cmp(f->items[i].name, s) != 0) continue;
    *index = i;
    return 1;
  }
  return 0;
}

static int read_transitions(const reader *r, const json_t *o, qm_field_def *f) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(r, o, "transitions", QM_SCHEMA_TRANSITIONS_MAX, sizeof(qm_transition), &list,
                  &memory, &f->n_transitions));
  qm_transition *transitions = memory;
  f->transitions = transitions;
  for (uint32_t i = 0; i < f->n_transitions; i++) {
    const json_t *pair = json_array_get(list, i);
    if (!json_is_array(pair) || json_array_size(pair) != 2 ||
        !find_item(f, json_array_get(pair, 0), &transitions[i].from) ||
        !find_item(f, json_array_get(pair, 1), &transitions[i].to)) {
      return bad(r, "transitions", "entry %u is no pair of item names", (unsigned)i);
    }
  }
  return QM_OK;
}

static int read_flags(const reader *r, const json_t *o, qm_field_def *f) {
  for (const qm__word *flag = qm__flags; flag->text; flag++) {
    const json_t *v = json_object_get(o, flag->text);
    if (!v) continue;
    if (!json_is_boolean(v)) return bad(r, flag->text, "must be true or false");
    if (json_is_true(v)) f->flags = (uint8_t)(f->flags | flag->number);
  }
  return QM_OK;
}

/* A target is written by name; its number stands elsewhere in the file. */
static int read_target(const reader *r, const json_t *o, qm_field_def *f) {
  const json_t *target = json_object_get(o, "target");
  const json_t *collection;
  size_t i;
  if (!target) return QM_OK;
  if (!json_is_string(target)) return bad(r, "target", "must be text");
  json_array_foreach(json_object_get(r->root, "collections"), i, collection) {
    const json_t *name = json_object_get(collection, "name");
    const json_t *number = json_object_get(collection, "number");
    if (!json_is_string(name) || !json_equal(name, target) || !json_is_integer(number)) continue;
    json_int_t n = json_integer_value(number);
    if (n >= 1 && n <= (json_int_t)QM_NUMBER_MAX) f->target = (uint32_t)n;
  }
  return f->target ? QM_OK : bad(r, "target", "is no collection of this schema");
}

static int read_field(reader *r, json_t *o, qm_field_def *f) {
  static const char *const known[] = {"name",  "number",      "type",   "value",      "class",
                                      "label", "naming",      "refer",  "sealed",     "required",
                                      "items", "transitions", "target", "length_max",
                                      "review", "check",       NULL};
  char at[64];
  QM_TRY(check_object(r, NULL, o, known));
  QM_TRY(get_str(r, o, "name", 1, &f->name));
  QM_TRY(get_uint(r, o, "number", 1, QM_NUMBER_MAX, &f->number));
  QM_TRY(get_word(r, o, "type", 1, qm__types, &f->type));
  f->value = qm__value_of_type(f->type);
  QM_TRY(get_word(r, o, "value", f->value == 0, qm__values, &f->value));
  QM_TRY(get_word(r, o, "class", 1, qm__classes, &f->cls));
  QM_TRY(get_label(r, o, &f->label_zh, &f->label_en));
  QM_TRY(get_uint(r, o, "length_max", 0, UINT32_MAX, &f->length_max));
  QM_TRY(read_flags(r, o, f));
  QM_TRY(get_word(r, o, "review", 0, qm__levels, &f->review));
  QM_TRY(read_items(r, o, f));
  QM_TRY(read_transitions(r, o, f));
  (void)snprintf(at, sizeof at, "collections[%u].fields[%u]", (unsigned)r->collection,
                 (unsigned)r->field);
  QM_TRY(qm__schema_json_check(o, at, f, r->arena, r->e));
  return read_target(r, o, f);
}

static int read_key(const reader *r, const json_t *o, qm_collection_def *c) {
  qm_slice key = {NULL, 0};
  QM_TRY(get_str(r, o, "key", 0, &key));
  QM_TRY(get_word(r, o, "key_form", 0, qm__key_forms, &c->key_form));
  if (!key.p) return QM_OK;
  const qm_field_def *f = qm_collection_field_named(c, key);
  if (!f) return bad(r, "key", "is no field of this collection");
  c->key_field = f->number;
  return QM_OK;
}

/* ---- what the items of states need ---- */

/* The field is named; its number stands elsewhere in the file, for `part` in another
 * collection. */
static int find_field(const reader *r, const json_t *o, const char *key, const json_t *fields,
                      uint32_t *number) {
  const json_t *name = json_object_get(o, key), *field;
  size_t i;
  if (!json_is_string(name)) return bad(r, key, name ? "must be text" : "is missing");
  json_array_foreach(fields, i, field) {
    const json_t *n = json_object_get(field, "number");
    if (!json_equal(json_object_get(field, "name"), name) || !json_is_integer(n)) continue;
    json_int_t v = json_integer_value(n);
    if (v >= 1 && v <= (json_int_t)QM_NUMBER_MAX) *number = (uint32_t)v;
    return *number ? QM_OK : bad(r, key, "is no field");
  }
  return bad(r, key, "is no field");
}

static const json_t *fields_of(const reader *r, uint32_t collection) {
  const json_t *c;
  size_t i;
  json_array_foreach(json_object_get(r->root, "collections"), i, c) {
    const json_t *n = json_object_get(c, "number");
    if (json_is_integer(n) && json_integer_value(n) == (json_int_t)collection)
      return json_object_get(c, "fields");
  }
  return NULL;
}

static int read_need(const reader *r, json_t *o, const json_t *fields, const qm_collection_def *c,
                     qm_need_def *d) {
  static const char *const known[] = {"field", "least", "present", "by", "part", "each", NULL};
  QM_TRY(check_object(r, "needs", o, known));
  const json_t *present = json_object_get(o, "present");
  if (present && !json_is_boolean(present)) return bad(r, "present", "must be true or false");
  d->least = 1;
  QM_TRY(find_field(r, o, "field", fields, &d->field));
  QM_TRY(get_uint(r, o, "least", 0, UINT32_MAX, &d->least));
  QM_TRY(get_names(r, o, "by", QM_SCHEMA_WRITERS_MAX, &d->by, &d->n_by));
  QM_TRY(get_names(r, o, "each", QM_SCHEMA_PARTS_MAX, &d->parts, &d->n_parts));
  d->kind = json_is_true(present) ? QM_NEED_PRESENT : QM_NEED_FILLED;
  if (!d->n_parts && !json_object_get(o, "part")) return QM_OK;
  if (json_is_true(present)) return bad(r, "needs", "asks for files and for parts at once");
  const qm_field_def *f = qm_collection_field(c, d->field);
  d->kind = QM_NEED_PARTS;
  return find_field(r, o, "part", fields_of(r, f ? f->target : 0), &d->part);
}

static int read_needs(reader *r, const json_t *items, const json_t *fields,
                      const qm_collection_def *c, const qm_field_def *f) {
  for (uint32_t i = 0; i < f->n_items; i++) {
    const json_t *o = json_array_get(items, i);
    json_t *list;
    void *memory;
    qm_enum_item *item = (qm_enum_item *)(uintptr_t)&f->items[i]; /* made by this reader */
    r->item = i;
    if (!json_is_object(o)) continue;
    QM_TRY(get_list(r, o, "needs", QM_SCHEMA_NEEDS_MAX, sizeof(qm_need_def), &list, &memory,
                    &item->n_needs));
    qm_need_def *needs = memory;
    item->needs = needs;
    for (uint32_t k = 0; k < item->n_needs; k++)
      QM_TRY(read_need(r, json_array_get(list, k), fields, c, &needs[k]));
  }
  r->item = NOWHERE;
  return QM_OK;
}

/* Once all fields of the collection are read. */
static int read_all_needs(reader *r, const json_t *o, const qm_collection_def *c) {
  const json_t *fields = json_object_get(o, "fields");
  for (uint32_t i = 0; i < c->n_fields; i++) {
    r->field = i;
    QM_TRY(read_needs(r, json_object_get(json_array_get(fields, i), "items"), fields, c,
                      &c->fields[i]));
  }
  r->field = NOWHERE;
  return QM_OK;
}

/* ---- rules for duplicates ---- */

/* "duplicates[1].when[0].metres"; when: NOWHERE above it; key may be NULL. */
static const char *rule_place(char to[64], uint32_t rule, uint32_t when, const char *key) {
  char at[24] = "";
  if (when != NOWHERE) (void)snprintf(at, sizeof at, ".when[%u]", (unsigned)when);
  (void)snprintf(to, 64, "duplicates[%u]%s%s%s", (unsigned)rule, at, key ? "." : "",
                 key ? key : "");
  return to;
}

/* A whole number under a key of a rule or condition; what is absent is left alone. */
static int rule_number(const reader *r, const json_t *o, const char *key, const char *place,
                       uint32_t *out) {
  const json_t *v = json_object_get(o, key);
  if (!v) return QM_OK;
  if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX)
    return bad(r, place, "must be a whole number");
  *out = (uint32_t)json_integer_value(v);
  return QM_OK;
}

static int rule_str(const reader *r, const json_t *o, const char *key, const char *place,
                    qm_slice *out) {
  const json_t *v = json_object_get(o, key);
  if (!json_is_string(v)) return bad(r, place, v ? "must be text" : "is missing");
  return copy_str(r, v, out);
}

static int read_condition(const reader *r, json_t *o, const qm_collection_def *c, uint32_t rule,
                          uint32_t at, qm_condition_def *to) {
  static const char *const known[] = {"field", "match", "percent", "metres", "hours", NULL};
  char place[64];
  qm_slice field, match;
  QM_TRY(check_object(r, rule_place(place, rule, at, NULL), o, known));
  QM_TRY(rule_str(r, o, "field", rule_place(place, rule, at, "field"), &field));
  QM_TRY(rule_str(r, o, "match", rule_place(place, rule, at, "match"), &match));
  const qm_field_def *f = qm_collection_field_named(c, field);
  if (!f) return bad(r, rule_place(place, rule, at, "field"), "is no field of this collection");
  to->field = f->number;
  for (uint8_t m = 1; qm_match_word(m); m++) {
    const char *word = qm_match_word(m);
    if (qm_slice_cmp(qm_slice_of(word, strlen(word)), match) == 0) to->match = m;
  }
  if (!to->match)
    return bad(r, rule_place(place, rule, at, "match"),
               "is none of same, text, phone, address, similar, near, within");
  const char *limit = qm_match_limit(to->match);
  for (size_t i = 2; known[i]; i++) {
    (void)rule_place(place, rule, at, known[i]);
    if (!json_object_get(o, known[i])) continue;
    if (!limit || strcmp(limit, known[i]) != 0) return bad(r, place, "goes with another match");
    QM_TRY(rule_number(r, o, known[i], place, &to->limit));
    if (!to->limit) return bad(r, place, "must be 1 or more");
  }
  return QM_OK;
}

static int read_rule(const reader *r, json_t *o, const qm_collection_def *c, uint32_t at,
                     qm_rule_def *to) {
  static const char *const known[] = {"name", "label", "weight", "most", "when", NULL};
  char place[64];
  QM_TRY(check_object(r, rule_place(place, at, NOWHERE, NULL), o, known));
  QM_TRY(rule_str(r, o, "name", rule_place(place, at, NOWHERE, "name"), &to->name));
  QM_TRY(get_label(r, o, &to->label_zh, &to->label_en));
  (void)rule_place(place, at, NOWHERE, "weight");
  if (!json_object_get(o, "weight")) return bad(r, place, "is missing");
  QM_TRY(rule_number(r, o, "weight", place, &to->weight));
  to->most = QM_RULE_MOST;
  QM_TRY(rule_number(r, o, "most", rule_place(place, at, NOWHERE, "most"), &to->most));
  const json_t *when = json_object_get(o, "when");
  (void)rule_place(place, at, NOWHERE, "when");
  if (!json_is_array(when)) return bad(r, place, "must be a list");
  if (json_array_size(when) > QM_SCHEMA_CONDITIONS_MAX)
    return bad(r, place, "has more than %u entries", QM_SCHEMA_CONDITIONS_MAX);
  to->n_conditions = (uint32_t)json_array_size(when);
  qm_condition_def *list = qm_arena_zero(r->arena, (to->n_conditions + 1) * sizeof *list);
  if (!list) return no_memory(r);
  to->conditions = list;
  for (uint32_t i = 0; i < to->n_conditions; i++)
    QM_TRY(read_condition(r, json_array_get(when, i), c, at, i, &list[i]));
  return QM_OK;
}

static int read_rules(const reader *r, const json_t *o, qm_collection_def *c) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(r, o, "duplicates", QM_SCHEMA_RULES_MAX, sizeof(qm_rule_def), &list, &memory,
                  &c->n_rules));
  qm_rule_def *rules = memory;
  c->rules = rules;
  for (uint32_t i = 0; i < c->n_rules; i++)
    QM_TRY(read_rule(r, json_array_get(list, i), c, i, &rules[i]));
  return QM_OK;
}

/* {"deleted": "high", …}: by class of conflict. */
static int read_levels(const reader *r, const json_t *o, qm_collection_def *c) {
  static const char *const known[] = {"sibling",  "unread", "contradict", "deleted",
                                      "same-key", "merge",  "unmerged",   NULL};
  json_t *levels = json_object_get(o, "review");
  if (!levels) return QM_OK;
  QM_TRY(check_object(r, "review", levels, known));
  for (const qm__word *w = qm__conflicts; w->text; w++)
    QM_TRY(get_word(r, levels, w->text, 0, qm__levels, &c->review[w->number - 1]));
  return QM_OK;
}

static int read_collection(reader *r, json_t *o, qm_collection_def *c) {
  static const char *const known[] = {"name",   "number",     "label",    "purpose",
                                      "key",    "retention",  "key_form", "writers",
                                      "fields", "duplicates", "review",   "limits",
                                      "basis",  "based",      "when",     "referral",
                                      "covers", "clashes",    NULL};
  char at[32];
  json_t *list;
  void *memory;
  QM_TRY(check_object(r, NULL, o, known));
  QM_TRY(get_str(r, o, "name", 1, &c->name));
  QM_TRY(get_uint(r, o, "number", 1, QM_NUMBER_MAX, &c->number));
  QM_TRY(get_label(r, o, &c->label_zh, &c->label_en));
  QM_TRY(get_str(r, o, "purpose", 1, &c->purpose));
  QM_TRY(get_str(r, o, "retention", 1, &c->retention));
  QM_TRY(get_list(r, o, "fields", QM_SCHEMA_FIELDS_MAX, sizeof(qm_field_def), &list, &memory,
                  &c->n_fields));
  qm_field_def *fields = memory;
  c->fields = fields;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    r->field = i;
    QM_TRY(read_field(r, json_array_get(list, i), &fields[i]));
  }
  r->field = NOWHERE;
  QM_TRY(read_key(r, o, c));
  QM_TRY(read_all_needs(r, o, c));
  QM_TRY(read_levels(r, o, c));
  QM_TRY(get_names(r, o, "writers", QM_SCHEMA_WRITERS_MAX, &c->writers, &c->n_writers));
  QM_TRY(read_rules(r, o, c));
  (void)snprintf(at, sizeof at, "collections[%u]", (unsigned)r->collection);
  return qm__schema_json_limits(o, at, c, r->arena, r->e);
}

static int read_drift(const reader *r, qm_schema *s) {
  uint32_t minutes = DRIFT_MINUTES_DEFAULT;
  QM_TRY(get_uint(r, r->root, "drift_minutes", 0, UINT32_MAX / 60000u, &minutes));
  s->drift_ms = minutes * 60000u;
  if (!json_object_get(r->root, "drift_ms")) return QM_OK;
  if (json_object_get(r->root, "drift_minutes")) return bad(r, "drift_ms", "is given twice");
  return get_uint(r, r->root, "drift_ms", 0, UINT32_MAX, &s->drift_ms);
}

static int read_schema(reader *r, qm_schema *s) {
  static const char *const known[] = {"schema",     "version",     "drift_minutes", "drift_ms",
                                      "lease_days", "review_days", "collections",   "tables",
                                      "calendars",  NULL};
  json_t *list;
  void *memory;
  QM_TRY(check_object(r, NULL, r->root, known));
  QM_TRY(get_str(r, r->root, "schema", 1, &s->name));
  QM_TRY(get_uint(r, r->root, "version", 1, UINT32_MAX, &s->version));
  QM_TRY(read_drift(r, s));
  s->lease_days = s->review_days = DAYS_DEFAULT;
  QM_TRY(get_uint(r, r->root, "lease_days", 0, UINT32_MAX, &s->lease_days));
  QM_TRY(get_uint(r, r->root, "review_days", 0, UINT32_MAX, &s->review_days));
  QM_TRY(get_list(r, r->root, "collections", QM_SCHEMA_COLLECTIONS_MAX, sizeof(qm_collection_def),
                  &list, &memory, &s->n_collections));
  qm_collection_def *collections = memory;
  s->collections = collections;
  for (uint32_t i = 0; i < s->n_collections; i++) {
    r->collection = i;
    QM_TRY(read_collection(r, json_array_get(list, i), &collections[i]));
  }
  r->collection = NOWHERE;
  for (uint32_t i = 0; i < s->n_collections; i++)
    QM_TRY(qm__schema_json_relations(json_array_get(list, i), i, s, &collections[i], r->arena,
                                     r->e));
  QM_TRY(qm__schema_json_tables(r->root, s, r->arena, r->e));
  QM_TRY(qm__schema_json_calendars(r->root, s, r->arena, r->e));
  return qm_schema_check(s, r->e);
}

static int parse(qm_slice json, json_t **root, qm_error *e) {
  static const uint8_t mark[3] = {0xEF, 0xBB, 0xBF}; /* some editors put it in front */
  json_error_t why;
  if (json.n > QM_SCHEMA_JSON_MAX) {
    return qm_fail(e, QM_EOVERSIZE, "schema: larger than %u bytes", QM_SCHEMA_JSON_MAX);
  }
  if (json.n >= 3 && memcmp(json.p, mark, 3) == 0) json = qm_slice_of(json.p + 3, json.n - 3);
  *root = json_loadb(json.n ? (const char *)json.p : "", json.n, JSON_REJECT_DUPLICATES, &why);
  if (*root) return QM_OK;
  int code = json_error_code(&why) == json_error_out_of_memory ? QM_ENOMEM : QM_ESCHEMA;
  return qm_fail(e, code, "schema, line %d, column %d: %s", why.line, why.column, why.text);
}

int qm_schema_json_load(const qm_schema **out, qm_slice json, qm_arena *arena, qm_error *e) {
  reader r = {NULL, arena, e, NOWHERE, NOWHERE, NOWHERE};
  *out = NULL;
  QM_TRY(parse(json, &r.root, e));
  qm_schema *s = qm_arena_zero(arena, sizeof *s);
  int rc = s ? read_schema(&r, s) : no_memory(&r);
  json_decref(r.root);
  if (rc == QM_OK) *out = s;
  return rc;
}

int qm_schema_json_compile(qm_buf *out, qm_slice json, qm_error *e) {
  const qm_schema *s;
  qm_arena arena;
  qm_buf form;
  qm_arena_init(&arena, out->env, ARENA_MAX);
  qm_buf_init(&form, out->env, QM_SCHEMA_MAX);
  int rc = qm_schema_json_load(&s, json, &arena, e);
  if (rc == QM_OK) {
    qm_schema_encode(s, &form);
    rc = qm_buf_status(&form);
    if (rc == QM_ELIMIT) {
      rc = qm_fail(e, QM_ESCHEMA, "schema: its MessagePack form is larger than %u bytes",
                   QM_SCHEMA_MAX);
    } else if (rc) {
      (void)qm_fail(e, rc, "schema: %s", qm_err_text(rc));
    }
  }
  if (rc == QM_OK) {
    qm_buf_add(out, form.p, form.n);
    rc = qm_buf_status(out);
    if (rc) (void)qm_fail(e, rc, "schema: %s", qm_err_text(rc));
  }
  qm_buf_free(&form);
  qm_arena_free(&arena);
  return rc;
}
