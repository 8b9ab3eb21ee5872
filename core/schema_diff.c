/* What differs between a schema and a newer one, and what of it a newer one may not do
 * (S7.3). One walk serves the check and the list, so that they cannot disagree. */
#include <stdio.h>

#include <string.h>

#include "core/schema_internal.h"

#define NOWHERE UINT32_MAX

typedef struct walk {
  qm_schema_delta d; /* where the walk stands */
  qm_visit_delta visit;
  void *payload;
} walk;

static const char *const refusals[QM_DELTA_COUNT] = {
#define QM_DELTA_WHY(name, word, why) [QM_DELTA_##name] = why,
    QM_SCHEMA_DELTAS(QM_DELTA_WHY)
#undef QM_DELTA_WHY
};

const char *qm_schema_delta_word(qm_schema_delta_kind kind) {
  static const char *const words[QM_DELTA_COUNT] = {
#define QM_DELTA_WORD(name, word, why) [QM_DELTA_##name] = word,
      QM_SCHEMA_DELTAS(QM_DELTA_WORD)
#undef QM_DELTA_WORD
  };
  return kind < QM_DELTA_COUNT ? words[kind] : "?";
}

static int tell(walk *w, qm_schema_delta_kind kind) {
  w->d.kind = kind;
  w->d.why = refusals[kind];
  return w->visit(w->payload, &w->d);
}

static int tell_if(walk *w, int differs, qm_schema_delta_kind kind) {
  return differs ? tell(w, kind) : QM_OK;
}

static int labels_differ(qm_slice zh, qm_slice en, qm_slice new_zh, qm_slice new_en) {
  return !qm__same(zh, new_zh) || !qm__same(en, new_en);
}

static int diff_items(walk *w, const qm_field_def *a, const qm_field_def *b) {
  int label = 0;
  for (uint32_t i = 0; i < a->n_items; i++) {
    w->d.item = i;
    if (i >= b->n_items || !qm__same(a->items[i].name, b->items[i].name)) {
      QM_TRY(tell(w, QM_DELTA_ITEM_CHANGED));
      continue;
    }
    QM_TRY(tell_if(w, a->items[i].rank != b->items[i].rank, QM_DELTA_RANK));
    QM_TRY(tell_if(w, qm__steps_differ(&a->items[i], &b->items[i]), QM_DELTA_STEPS));
    label |= labels_differ(a->items[i].label_zh, a->items[i].label_en, b->items[i].label_zh,
                           b->items[i].label_en);
  }
  for (uint32_t i = a->n_items; i < b->n_items; i++) {
    w->d.item = i;
    QM_TRY(tell(w, QM_DELTA_ITEM_ADDED));
  }
  w->d.item = NOWHERE;
  return tell_if(w, label, QM_DELTA_ITEM_LABEL);
}

static int has_transition(const qm_field_def *f, uint32_t from, uint32_t to) {
  for (uint32_t i = 0; i < f->n_transitions; i++)
    if (f->transitions[i].from == from && f->transitions[i].to == to) return 1;
  return 0;
}

static int transitions_differ(const qm_field_def *a, const qm_field_def *b) {
  if (a->n_transitions != b->n_transitions) return 1;
  for (uint32_t i = 0; i < a->n_transitions; i++)
    if (!has_transition(b, a->transitions[i].from, a->transitions[i].to)) return 1;
  return 0;
}

static int diff_limits(walk *w, const qm_field_def *a, const qm_field_def *b) {
  int cut = b->length_max && (a->length_max == 0 || b->length_max < a->length_max);
  QM_TRY(tell_if(w, cut, QM_DELTA_LENGTH_CUT));
  QM_TRY(tell_if(w, !cut && a->length_max != b->length_max, QM_DELTA_LENGTH_WIDER));
  if (b->target != a->target)
    QM_TRY(tell(w, b->target ? QM_DELTA_TARGET_NARROWER : QM_DELTA_TARGET_WIDER));
  return QM_OK;
}

static int diff_flags(walk *w, unsigned a, unsigned b) {
  unsigned gone = a & ~b, come = b & ~a, rest = QM_FIELD_NAMING | QM_FIELD_REFER;
  QM_TRY(tell_if(w, (gone & QM_FIELD_SEALED) != 0, QM_DELTA_UNSEALED));
  QM_TRY(tell_if(w, (come & QM_FIELD_REQUIRED) != 0, QM_DELTA_REQUIRED));
  QM_TRY(tell_if(w, (come & QM_FIELD_SEALED) != 0, QM_DELTA_SEALED));
  QM_TRY(tell_if(w, (gone & QM_FIELD_REQUIRED) != 0, QM_DELTA_OPTIONAL));
  return tell_if(w, ((gone | come) & rest) != 0, QM_DELTA_FLAGS);
}

static int diff_field(walk *w) {
  const qm_field_def *a = w->d.old_field, *b = w->d.new_field;
  if (!b) return tell(w, QM_DELTA_FIELD_REMOVED);
  QM_TRY(tell_if(w, !qm__same(a->name, b->name), QM_DELTA_FIELD_NAME));
  QM_TRY(tell_if(w, a->type != b->type, QM_DELTA_TYPE));
  QM_TRY(tell_if(w, a->value != b->value, QM_DELTA_VALUE));
  QM_TRY(diff_limits(w, a, b));
  QM_TRY(diff_flags(w, a->flags, b->flags));
  QM_TRY(diff_items(w, a, b));
  QM_TRY(tell_if(w, transitions_differ(a, b), QM_DELTA_TRANSITIONS));
  QM_TRY(tell_if(w, a->cls != b->cls, QM_DELTA_CLASS));
  QM_TRY(tell_if(w, a->review != b->review, QM_DELTA_REVIEW));
  QM_TRY(tell_if(w,
                 !qm__same(a->check, b->check) || !qm__same(a->check_options, b->check_options),
                 QM_DELTA_CHECK));
  return tell_if(w, labels_differ(a->label_zh, a->label_en, b->label_zh, b->label_en),
                 QM_DELTA_LABEL);
}

static int diff_fields(walk *w, const qm_collection_def *a, const qm_collection_def *b) {
  for (uint32_t i = 0; i < a->n_fields; i++) {
    w->d.field = i;
    w->d.old_field = &a->fields[i];
    w->d.new_field = qm_collection_field(b, a->fields[i].number);
    QM_TRY(diff_field(w));
  }
  w->d.old_field = NULL;
  for (uint32_t i = 0; i < b->n_fields; i++) {
    if (qm_collection_field(a, b->fields[i].number)) continue;
    w->d.field = i;
    w->d.new_field = &b->fields[i];
    QM_TRY(tell(w, QM_DELTA_FIELD_ADDED));
  }
  w->d.field = NOWHERE;
  w->d.new_field = NULL;
  return QM_OK;
}

static int writers_differ(const qm_collection_def *a, const qm_collection_def *b) {
  if (a->n_writers != b->n_writers) return 1;
  for (uint32_t i = 0; i < a->n_writers; i++) {
    uint32_t j = 0;
    while (j < b->n_writers && !qm__same(a->writers[i], b->writers[j])) j++;
    if (j == b->n_writers) return 1;
  }
  return 0;
}

static int diff_collection(walk *w) {
  const qm_collection_def *a = w->d.old_collection, *b = w->d.new_collection;
  if (!b) return tell(w, QM_DELTA_COLLECTION_REMOVED);
  QM_TRY(tell_if(w, !qm__same(a->name, b->name), QM_DELTA_COLLECTION_NAME));
  QM_TRY(tell_if(w, a->key_field != b->key_field, QM_DELTA_KEY));
  QM_TRY(tell_if(w, a->key_form != b->key_form, QM_DELTA_KEY_FORM));
  QM_TRY(tell_if(w, !qm__same(a->purpose, b->purpose), QM_DELTA_PURPOSE));
  QM_TRY(tell_if(w, !qm__same(a->retention, b->retention), QM_DELTA_RETENTION));
  QM_TRY(tell_if(w, writers_differ(a, b), QM_DELTA_WRITERS));
  QM_TRY(tell_if(w, qm__rules_differ(a, b), QM_DELTA_DUPLICATES));
  QM_TRY(tell_if(w, qm__limits_differ(a, b), QM_DELTA_LIMITS));
  QM_TRY(tell_if(w, qm__relations_differ(a, b), QM_DELTA_RELATIONS));
  QM_TRY(tell_if(w, memcmp(a->review, b->review, sizeof a->review) != 0, QM_DELTA_REVIEW));
  QM_TRY(tell_if(w, a->n_more != b->n_more || !qm__same(a->more, b->more), QM_DELTA_UNKNOWN));
  QM_TRY(tell_if(w, labels_differ(a->label_zh, a->label_en, b->label_zh, b->label_en),
                 QM_DELTA_LABEL));
  return diff_fields(w, a, b);
}

static int diff_collections(walk *w) {
  const qm_schema *a = w->d.older, *b = w->d.newer;
  for (uint32_t i = 0; i < a->n_collections; i++) {
    w->d.collection = i;
    w->d.old_collection = &a->collections[i];
    w->d.new_collection = qm_schema_collection(b, a->collections[i].number);
    QM_TRY(diff_collection(w));
  }
  w->d.old_collection = NULL;
  for (uint32_t i = 0; i < b->n_collections; i++) {
    if (qm_schema_collection(a, b->collections[i].number)) continue;
    w->d.collection = i;
    w->d.new_collection = &b->collections[i];
    QM_TRY(tell(w, QM_DELTA_COLLECTION_ADDED));
  }
  return QM_OK;
}

static int stop(void *payload, const qm_schema_delta *d) {
  (void)payload;
  (void)d;
  return QM_ESCHEMA;
}

static int walk_all(walk *w) {
  const qm_schema *a = w->d.older, *b = w->d.newer;
  QM_TRY(tell_if(w, !qm__same(a->name, b->name), QM_DELTA_SCHEMA_NAME));
  QM_TRY(tell_if(w, b->version <= a->version, QM_DELTA_VERSION));
  QM_TRY(tell_if(w,
                 a->drift_ms != b->drift_ms || a->lease_days != b->lease_days ||
                     a->review_days != b->review_days,
                 QM_DELTA_SETTINGS));
  QM_TRY(tell_if(w, qm__tables_differ(a, b), QM_DELTA_TABLES));
  QM_TRY(tell_if(w, qm__calendars_differ(a, b), QM_DELTA_CALENDARS));
  QM_TRY(tell_if(w, a->n_more != b->n_more || !qm__same(a->more, b->more), QM_DELTA_UNKNOWN));
  return diff_collections(w);
}

static walk start(const qm_schema *older, const qm_schema *newer, qm_visit_delta visit,
                  void *payload) {
  walk w = {.d = {.older = older,
                  .newer = newer,
                  .collection = NOWHERE,
                  .field = NOWHERE,
                  .item = NOWHERE},
            .visit = visit,
            .payload = payload};
  return w;
}

/* Schemas that are the same but for nothing need no higher version. */
static int same_content(const qm_schema *a, const qm_schema *b) {
  qm_schema as_new = *b;
  as_new.version = a->version + 1;
  walk w = start(a, &as_new, stop, NULL);
  return a->version == b->version && a->version != UINT32_MAX && walk_all(&w) == QM_OK;
}

int qm_schema_diff(const qm_schema *older, const qm_schema *newer, qm_visit_delta visit,
                   void *payload) {
  walk w = start(older, newer, visit, payload);
  return same_content(older, newer) ? QM_OK : walk_all(&w);
}

/* The place is that of the older schema: what is missing has no other. */
static int refuse(void *payload, const qm_schema_delta *d) {
  qm_error *e = payload;
  if (!d->why) return QM_OK;
  if (d->kind == QM_DELTA_VERSION)
    return qm_fail(e, QM_ESCHEMA, "schema: version %u does not follow version %u",
                   (unsigned)d->newer->version, (unsigned)d->older->version);
  if (d->collection == NOWHERE) return qm_fail(e, QM_ESCHEMA, "schema: %s", d->why);
  qm_slice c = d->old_collection->name;
  if (d->field == NOWHERE)
    return qm_fail(e, QM_ESCHEMA, "collections[%u] (%.*s): %s", (unsigned)d->collection,
                   qm__width(c), qm__chars(c), d->why);
  qm_slice f = d->old_field->name;
  char item[32] = "";
  if (d->item != NOWHERE) (void)snprintf(item, sizeof item, ".items[%u]", (unsigned)d->item);
  return qm_fail(e, QM_ESCHEMA, "collections[%u].fields[%u]%s (%.*s.%.*s): %s",
                 (unsigned)d->collection, (unsigned)d->field, item, qm__width(c), qm__chars(c),
                 qm__width(f), qm__chars(f), d->why);
}

int qm_schema_grows(const qm_schema *older, const qm_schema *newer, qm_error *e) {
  walk w = start(older, newer, refuse, e);
  return walk_all(&w);
}
