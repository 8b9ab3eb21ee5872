/* support_schema: a schema that uses everything, built by hand, to be spoiled. */
#ifndef QM_TEST_SUPPORT_SCHEMA_H
#define QM_TEST_SUPPORT_SCHEMA_H

#include <string.h>

#include "core/schema.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

static qm_slice str(const char *s) { return qm_slice_of(s, strlen(s)); }

typedef struct fixture {
  qm_schema s;
  qm_collection_def c[2];
  qm_field_def f[9], g[1];
  qm_enum_item items[3];
  qm_transition moves[2];
  qm_slice writers[2];
} fixture;

static qm_field_def field_of(uint32_t number, const char *name, int type, int value) {
  qm_field_def f = {.number = number,
                    .name = str(name),
                    .type = (uint8_t)type,
                    .value = (uint8_t)value,
                    .cls = QM_CLASS_WORK};
  return f;
}

static qm_collection_def collection_of(uint32_t number, const char *name) {
  qm_collection_def c = {.number = number, .name = str(name)};
  c.purpose = str("a purpose");
  c.retention = str("P5Y");
  return c;
}

static void fill(fixture *x) {
  memset(x, 0, sizeof *x);
  const char *names[] = {"reported", "assigned", "closed"};
  for (int i = 0; i < 3; i++) {
    x->items[i].name = str(names[i]);
    x->items[i].rank = i - 1;
  }
  x->items[1].label_en = str("Assigned");
  x->items[2].label_zh = str("\xe5\xb7\xb2\xe5\x85\xb3\xe9\x97\xad");
  x->moves[0] = (qm_transition){0, 1};
  x->moves[1] = (qm_transition){1, 2};
  x->f[0] = field_of(16, "\xe6\x88\xb7\xe5\x8f\xb7", QM_FIELD_REGISTER, QM_VALUE_TEXT);
  x->f[0].length_max = 20;
  x->f[1] = field_of(17, "head", QM_FIELD_REGISTER, QM_VALUE_TEXT);
  x->f[1].cls = QM_CLASS_PERSONAL;
  x->f[1].flags = QM_FIELD_NAMING | QM_FIELD_REQUIRED;
  x->f[1].label_en = str("Head");
  x->f[2] = field_of(18, "stage", QM_FIELD_STATE, QM_VALUE_ENUM);
  x->f[2].items = x->items;
  x->f[2].n_items = 3;
  x->f[2].transitions = x->moves;
  x->f[2].n_transitions = 2;
  x->f[3] = field_of(19, "tags", QM_FIELD_SET, QM_VALUE_TEXT);
  x->f[4] = field_of(20, "visits", QM_FIELD_COUNTER, QM_VALUE_INT);
  x->f[5] = field_of(21, "notes", QM_FIELD_TEXT, QM_VALUE_TEXT);
  x->f[6] = field_of(22, "last", QM_FIELD_MAX, QM_VALUE_DATE);
  x->f[6].label_zh = str("\xe6\x9c\x80\xe8\xbf\x91");
  x->f[7] = field_of(23, "home", QM_FIELD_REF, QM_VALUE_REF);
  x->f[7].target = 7;
  x->f[8] = field_of(40, "steps", QM_FIELD_LOG, QM_VALUE_ANY);
  x->f[8].flags = QM_FIELD_SEALED;
  x->g[0] = field_of(QM_NUMBER_MAX, "x", QM_FIELD_LIST, QM_VALUE_ENUM);
  x->g[0].items = x->items;
  x->g[0].n_items = 1;
  x->writers[0] = str("grid");
  x->writers[1] = str("office");
  x->c[0] = collection_of(1, "household");
  x->c[0].fields = x->f;
  x->c[0].n_fields = COUNT(x->f);
  x->c[0].key_field = 16;
  x->c[0].key_form = QM_NORM_CASEFOLD;
  x->c[1] = collection_of(7, "other");
  x->c[1].fields = x->g;
  x->c[1].n_fields = 1;
  x->c[1].writers = x->writers;
  x->c[1].n_writers = 2;
  x->s = (qm_schema){.version = 3,
                     .name = str("village"),
                     .drift_ms = 600000,
                     .lease_days = 90,
                     .review_days = 30,
                     .collections = x->c,
                     .n_collections = 2};
}

#endif
