/* The differences between two schemas as JSON, a line each. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json/schema_json.h"
#include "adapters/json/schema_json_words.h"

typedef struct list {
  qm_buf *out;
  uint32_t *refused;
} list;

static void add(qm_buf *out, const char *text) { qm_buf_add(out, text, strlen(text)); }

static void add_str(qm_buf *out, const char *key, qm_slice s) {
  add(out, ",\"");
  add(out, key);
  add(out, "\":");
  qm_json_str(out, s);
}

static void add_word(qm_buf *out, const char *key, const char *word) {
  add_str(out, key, qm_slice_of(word, strlen(word)));
}

static void add_int(qm_buf *out, const char *key, int64_t v) {
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRId64, v);
  add(out, ",\"");
  add(out, key);
  add(out, "\":");
  add(out, text);
}

static const char *word_of(const qm__word *words, uint8_t number) {
  while (words->text && words->number != number) words++;
  return words->text ? words->text : "?";
}

static qm_slice name_of_field(const qm_collection_def *c, uint32_t number) {
  const qm_field_def *f = c ? qm_collection_field(c, number) : NULL;
  return f ? f->name : qm_slice_of(NULL, 0);
}

static void add_of_collection(qm_buf *out, const char *key, const qm_schema_delta *d,
                              const qm_collection_def *c) {
  switch (d->kind) {
    case QM_DELTA_COLLECTION_NAME: add_str(out, key, c->name); break;
    case QM_DELTA_KEY: add_str(out, key, name_of_field(c, c->key_field)); break;
    case QM_DELTA_KEY_FORM: add_word(out, key, word_of(qm__key_forms, c->key_form)); break;
    case QM_DELTA_PURPOSE: add_str(out, key, c->purpose); break;
    case QM_DELTA_RETENTION: add_str(out, key, c->retention); break;
    default: break;
  }
}

static void add_of_field(qm_buf *out, const char *key, const qm_schema_delta *d, const qm_schema *s,
                         const qm_field_def *f) {
  const qm_collection_def *target = f->target ? qm_schema_collection(s, f->target) : NULL;
  switch (d->kind) {
    case QM_DELTA_FIELD_NAME: add_str(out, key, f->name); break;
    case QM_DELTA_TYPE:
    case QM_DELTA_FIELD_ADDED: add_word(out, key, word_of(qm__types, f->type)); break;
    case QM_DELTA_VALUE: add_word(out, key, word_of(qm__values, f->value)); break;
    case QM_DELTA_CLASS: add_word(out, key, word_of(qm__classes, f->cls)); break;
    case QM_DELTA_LENGTH_CUT:
    case QM_DELTA_LENGTH_WIDER: add_int(out, key, f->length_max); break;
    case QM_DELTA_TARGET_NARROWER:
    case QM_DELTA_TARGET_WIDER:
      if (target) add_str(out, key, target->name);
      break;
    case QM_DELTA_ITEM_ADDED:
    case QM_DELTA_ITEM_CHANGED:
      if (d->item < f->n_items) add_str(out, key, f->items[d->item].name);
      break;
    case QM_DELTA_RANK: add_int(out, key, f->items[d->item].rank); break;
    default: break;
  }
}

static void add_side(qm_buf *out, const char *key, const qm_schema_delta *d, const qm_schema *s,
                     const qm_collection_def *c, const qm_field_def *f) {
  if (d->kind == QM_DELTA_SCHEMA_NAME) add_str(out, key, s->name);
  if (d->kind == QM_DELTA_VERSION) add_int(out, key, s->version);
  if (c && d->field == UINT32_MAX) add_of_collection(out, key, d, c);
  /* What was added has no old side. */
  int absent = d->kind == QM_DELTA_ITEM_ADDED && s == d->older;
  if (f && !absent) add_of_field(out, key, d, s, f);
}

static int add_delta(void *payload, const qm_schema_delta *d) {
  list *l = payload;
  const qm_collection_def *c = d->old_collection ? d->old_collection : d->new_collection;
  const qm_field_def *f = d->old_field ? d->old_field : d->new_field;
  add(l->out, "{\"change\":\"");
  add(l->out, qm_schema_delta_word(d->kind));
  add(l->out, d->why ? "\",\"refused\":true" : "\",\"refused\":false");
  if (d->why) add_word(l->out, "why", d->why);
  if (c) add_str(l->out, "collection", c->name);
  if (f) add_str(l->out, "field", f->name);
  if (d->item != UINT32_MAX && d->kind == QM_DELTA_RANK)
    add_str(l->out, "item", f->items[d->item].name);
  add_side(l->out, "old", d, d->older, d->old_collection, d->old_field);
  add_side(l->out, "new", d, d->newer, d->new_collection, d->new_field);
  add(l->out, "}\n");
  *l->refused += d->why != NULL;
  return qm_buf_status(l->out);
}

int qm_schema_json_diff(qm_buf *out, const qm_schema *older, const qm_schema *newer,
                        uint32_t *refused) {
  list l = {out, refused};
  *refused = 0;
  return qm_schema_diff(older, newer, add_delta, &l);
}
