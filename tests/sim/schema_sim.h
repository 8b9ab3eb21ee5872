/* schema_sim: the fields that people fill in, one of every type. */
#ifndef SIM_SCHEMA_H
#define SIM_SCHEMA_H

#include "core/schema.h"

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
  F_REF = 26
};

#define STATES 4
extern const char *const state_names[STATES];

/* Appends the MessagePack form. 0 or -1. */
int sim_schema(qm_buf *out);

#endif
