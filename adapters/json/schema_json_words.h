/* schema_json_words: the words of JSON schemas, read and written by schema_json*.c. */
#ifndef QM_SCHEMA_JSON_WORDS_H
#define QM_SCHEMA_JSON_WORDS_H

#include "core/schema.h"

typedef struct qm__word { const char *text; uint8_t number; } qm__word;

static const qm__word qm__types[] = {
    {"register", QM_FIELD_REGISTER}, {"max", QM_FIELD_MAX},   {"min", QM_FIELD_MIN},
    {"state", QM_FIELD_STATE},       {"set", QM_FIELD_SET},   {"counter", QM_FIELD_COUNTER},
    {"log", QM_FIELD_LOG},           {"text", QM_FIELD_TEXT}, {"list", QM_FIELD_LIST},
    {"ref", QM_FIELD_REF},           {NULL, 0}};

static const qm__word qm__values[] = {
    {"any", QM_VALUE_ANY},     {"text", QM_VALUE_TEXT}, {"int", QM_VALUE_INT},
    {"number", QM_VALUE_NUMBER}, {"bool", QM_VALUE_BOOL}, {"bytes", QM_VALUE_BYTES},
    {"point", QM_VALUE_POINT}, {"enum", QM_VALUE_ENUM}, {"date", QM_VALUE_DATE},
    {"ref", QM_VALUE_REF},     {"space-ref", QM_VALUE_SPACE_REF}, {"map", QM_VALUE_MAP},
    {NULL, 0}};

static const qm__word qm__classes[] = {{"public", QM_CLASS_PUBLIC},
                                       {"work", QM_CLASS_WORK},
                                       {"personal", QM_CLASS_PERSONAL},
                                       {"sensitive", QM_CLASS_SENSITIVE},
                                       {NULL, 0}};

static const qm__word qm__key_forms[] = {
    {"exact", QM_NORM_EXACT}, {"casefold", QM_NORM_CASEFOLD}, {NULL, 0}};

/* How much a conflict matters (core/review.h), and what conflicts there are (core/read.h). */
static const qm__word qm__levels[] = {{"low", 1}, {"normal", 2}, {"high", 3}, {NULL, 0}};
static const qm__word qm__conflicts[] = {
    {"sibling", 1},  {"unread", 2}, {"contradict", 3}, {"deleted", 4},
    {"same-key", 5}, {"merge", 6},  {"unmerged", 7},   {NULL, 0}};

static const qm__word qm__flags[] = {{"naming", QM_FIELD_NAMING},
                                     {"refer", QM_FIELD_REFER},
                                     {"sealed", QM_FIELD_SEALED},
                                     {"required", QM_FIELD_REQUIRED},
                                     {NULL, 0}};

/* The kind of value of a type that can hold only one, or mostly one; 0 where the file
 * must say it. */
static inline uint8_t qm__value_of_type(uint8_t type) {
  switch (type) {
    case QM_FIELD_STATE: return QM_VALUE_ENUM;
    case QM_FIELD_COUNTER: return QM_VALUE_INT;
    case QM_FIELD_TEXT: return QM_VALUE_TEXT;
    case QM_FIELD_REF: return QM_VALUE_REF;
    default: return 0;
  }
}

#endif
