/* schema_sim: the fields that people fill in, one of every type; and how the schema grows. */
#ifndef SIM_SCHEMA_H
#define SIM_SCHEMA_H

#include "core/schema.h"

/* Schema 1 has one more field, 2 one more state, 3 a second collection. */
#define SCHEMAS 4

enum {
  F_KEY = 16,
  F_TEL = 17,
  F_LAST = 18,
  F_TAGS = 19,
  F_VISITS = 20,
  F_STEPS = 21,
  F_NOTES = 22,
  F_STATE = 23,
  F_HEAD = 24,
  F_FIRST = 25,
  F_REF = 26,
  F_PLACE = 27, /* any value */
  F_PLAN = 28,
  F_MORE = 29
};

#define STATES 5
extern const char *const state_names[STATES];

/* Appends the MessagePack form of schema 0 … SCHEMAS - 1. 0 or -1. */
int sim_schema(unsigned number, qm_buf *out);

#endif
