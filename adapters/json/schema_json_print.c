#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json/schema_json.h"
#include "adapters/json/schema_json_int.h"
#include "adapters/json/schema_json_words.h"

static void add_text(qm_buf *out, const char *text) { qm_buf_add(out, text, strlen(text)); }

static const char *word_of(const qm__word *words, uint8_t number) {
  while (words->text && words->number != number) words++;
  return words->text ? words->text : "?";
}

/* `lead` is what stands before the key: a comma, a new line, an indent. */
static void add_key(qm_buf *out, const char *lead, const char *key) {
  add_text(out, lead);
  qm_json_str(out, qm_slice_of(key, strlen(key)));
  add_text(out, ": ");
}

static void add_str(qm_buf *out, const char *lead, const char *key, qm_slice s) {
  add_key(out, lead, key);
  qm_json_str(out, s);
}

static void add_word(qm_buf *out, const char *lead, const char *key, const char *word) {
  add_str(out, lead, key, qm_slice_of(word, strlen(word)));
}

static void add_int(qm_buf *out, const char *lead, const char *key, int64_t v) {
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRId64, v);
  add_key(out, lead, key);
  add_text(out, text);
}

static void add_label(qm_buf *out, const char *lead, qm_slice zh, qm_slice en) {
  if (zh.n == 0 && en.n == 0) return;
  add_key(out, lead, "label");
  add_text(out, "{");
  if (zh.n) add_str(out, "", "zh", zh);
  if (en.n) add_str(out, zh.n ? ", " : "", "en", en);
  add_text(out, "}");
}

static void add_names(qm_buf *out, const char *lead, const char *key, const qm_slice *names,
                      uint32_t n) {
  if (!n) return;
  add_key(out, lead, key);
  for (uint32_t i = 0; i < n; i++) {
    add_text(out, i ? ", " : "[");
    qm_json_str(out, names[i]);
  }
  add_text(out, "]");
}

static void add_needs(qm_buf *out, const qm_schema *s, const qm_collection_def *c,
                      const qm_enum_item *item) {
  for (uint32_t i = 0; i < item->n_needs; i++) {
    const qm_need_def *d = &item->needs[i];
    const qm_field_def *f = qm_collection_field(c, d->field);
    const qm_collection_def *target = f && d->part ? qm_schema_collection(s, f->target) : NULL;
    const qm_field_def *part = target ? qm_collection_field(target, d->part) : NULL;
    if (i == 0) add_key(out, ", ", "needs");
    add_str(out, i ? ", {" : "[{", "field", f ? f->name : qm_slice_of("?", 1));
    if (d->least != 1) add_int(out, ", ", "least", d->least);
    if (d->kind == QM_NEED_PRESENT) add_key(out, ", ", "present"), add_text(out, "true");
    if (part) add_str(out, ", ", "part", part->name);
    add_names(out, ", ", "each", d->parts, d->n_parts);
    add_names(out, ", ", "by", d->by, d->n_by);
    add_text(out, i + 1 == item->n_needs ? "}]" : "}");
  }
}

static void add_items(qm_buf *out, const qm_schema *s, const qm_collection_def *c,
                      const qm_field_def *f) {
  int is_state = f->type == QM_FIELD_STATE;
  add_key(out, ",\n         ", "items");
  for (uint32_t i = 0; i < f->n_items; i++) {
    const qm_enum_item *item = &f->items[i];
    add_text(out, i ? ", " : "[");
    if (!is_state && item->rank == 0 && item->label_zh.n == 0 && item->label_en.n == 0) {
      qm_json_str(out, item->name);
      continue;
    }
    add_str(out, "{", "name", item->name);
    if (is_state || item->rank) add_int(out, ", ", "rank", item->rank);
    add_label(out, ", ", item->label_zh, item->label_en);
    add_names(out, ", ", "by", item->by, item->n_by);
    add_names(out, ", ", "confirm", item->confirm, item->n_confirm);
    add_needs(out, s, c, item);
    add_text(out, "}");
  }
  add_text(out, "]");
}

static void add_transitions(qm_buf *out, const qm_field_def *f) {
  add_key(out, ",\n         ", "transitions");
  for (uint32_t i = 0; i < f->n_transitions; i++) {
    add_text(out, i ? ", [" : "[[");
    qm_json_str(out, f->items[f->transitions[i].from].name);
    add_text(out, ", ");
    qm_json_str(out, f->items[f->transitions[i].to].name);
    add_text(out, "]");
  }
  add_text(out, "]");
}

static void add_field(qm_buf *out, const qm_schema *s, const qm_collection_def *c,
                      const qm_field_def *f) {
  add_str(out, "        {", "name", f->name);
  add_int(out, ", ", "number", f->number);
  add_word(out, ", ", "type", word_of(qm__types, f->type));
  if (f->value != qm__value_of_type(f->type) || f->value == QM_VALUE_ANY) {
    add_word(out, ", ", "value", word_of(qm__values, f->value));
  }
  add_word(out, ", ", "class", word_of(qm__classes, f->cls));
  for (const qm__word *flag = qm__flags; flag->text; flag++) {
    if (!(f->flags & flag->number)) continue;
    add_key(out, ", ", flag->text);
    add_text(out, "true");
  }
  if (f->review) add_word(out, ", ", "review", word_of(qm__levels, f->review));
  if (f->length_max) add_int(out, ", ", "length_max", f->length_max);
  const qm_collection_def *target = f->target ? qm_schema_collection(s, f->target) : NULL;
  if (target) add_str(out, ", ", "target", target->name);
  qm__schema_json_put_check(out, f);
  add_label(out, ", ", f->label_zh, f->label_en);
  if (f->n_items) add_items(out, s, c, f);
  if (f->n_transitions) add_transitions(out, f);
  add_text(out, "}");
}

static void add_rule(qm_buf *out, const qm_collection_def *c, const qm_rule_def *r) {
  add_str(out, "        {", "name", r->name);
  add_label(out, ", ", r->label_zh, r->label_en);
  add_int(out, ", ", "weight", r->weight);
  if (r->most != QM_RULE_MOST) add_int(out, ", ", "most", r->most);
  add_key(out, ",\n         ", "when");
  for (uint32_t i = 0; i < r->n_conditions; i++) {
    const qm_condition_def *x = &r->conditions[i];
    const qm_field_def *f = qm_collection_field(c, x->field);
    add_str(out, i ? ", {" : "[{", "field", f ? f->name : qm_slice_of("?", 1));
    add_word(out, ", ", "match", qm_match_word(x->match));
    if (x->limit) add_int(out, ", ", qm_match_limit(x->match), x->limit);
    add_text(out, "}");
  }
  add_text(out, "]}");
}

static void add_levels(qm_buf *out, const qm_collection_def *c) {
  int any = 0;
  for (const qm__word *w = qm__conflicts; w->text; w++) {
    uint8_t level = c->review[w->number - 1];
    if (!level) continue;
    if (!any) add_key(out, ",\n      ", "review");
    add_word(out, any ? ", " : "{", w->text, word_of(qm__levels, level));
    any = 1;
  }
  if (any) add_text(out, "}");
}

static void add_collection(qm_buf *out, const qm_schema *s, const qm_collection_def *c) {
  add_str(out, "    {\n      ", "name", c->name);
  add_int(out, ",\n      ", "number", c->number);
  add_label(out, ",\n      ", c->label_zh, c->label_en);
  add_str(out, ",\n      ", "purpose", c->purpose);
  add_str(out, ",\n      ", "retention", c->retention);
  const qm_field_def *key = c->key_field ? qm_collection_field(c, c->key_field) : NULL;
  if (key) {
    add_str(out, ",\n      ", "key", key->name);
    add_word(out, ",\n      ", "key_form", word_of(qm__key_forms, c->key_form));
  }
  add_names(out, ",\n      ", "writers", c->writers, c->n_writers);
  add_levels(out, c);
  add_key(out, ",\n      ", "fields");
  for (uint32_t i = 0; i < c->n_fields; i++) {
    add_text(out, i ? ",\n" : "[\n");
    add_field(out, s, c, &c->fields[i]);
  }
  add_text(out, "\n      ]");
  for (uint32_t i = 0; i < c->n_rules; i++) {
    if (i == 0) add_key(out, ",\n      ", "duplicates");
    add_text(out, i ? ",\n" : "[\n");
    add_rule(out, c, &c->rules[i]);
    if (i + 1 == c->n_rules) add_text(out, "\n      ]");
  }
  qm__schema_json_put_limits(out, c);
  qm__schema_json_put_relations(out, s, c);
  add_text(out, "\n    }");
}

void qm_schema_json_print(qm_buf *out, const qm_schema *s) {
  int minutes = s->drift_ms % 60000u == 0;
  add_str(out, "{\n  ", "schema", s->name);
  add_int(out, ",\n  ", "version", s->version);
  add_int(out, ",\n  ", minutes ? "drift_minutes" : "drift_ms",
          minutes ? s->drift_ms / 60000u : s->drift_ms);
  add_int(out, ",\n  ", "lease_days", s->lease_days);
  add_int(out, ",\n  ", "review_days", s->review_days);
  add_key(out, ",\n  ", "collections");
  for (uint32_t i = 0; i < s->n_collections; i++) {
    add_text(out, i ? ",\n" : "[\n");
    add_collection(out, s, &s->collections[i]);
  }
  add_text(out, "\n  ]");
  qm__schema_json_put_tables(out, s);
  qm__schema_json_put_calendars(out, s);
  add_text(out, "\n}\n");
}
