/* run: one world from its first morning to the look at what is left, in a process of its own:
 * a world that crashes is a finding like another. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "tests/sim/script.h"

typedef struct result {
  char kind[VIOLATION_MAX]; /* of the first violation, "" where there is none */
  char message[VIOLATION_MAX];
  uint8_t on[F_COUNT];
  /* Sums from here on. */
  uint64_t trace, violations, device_days;
  uint64_t fired[F_COUNT], saves, sessions;
  uint64_t writes, syncs, torn, conflicts, collisions, stale, settled, same_keys;
  uint64_t first_states, rounds, compact, stamped, in_classes;
  uint64_t records, shared; /* of which two people or more have written */
} result;

typedef struct run_options {
  FILE *record; /* the steps go there; may be NULL */
  int verbose, silent;
  unsigned seconds_max; /* 0: none */
} run_options;

/* `drawn`: from its seed, days long; else the steps and the faults are the script's. */
void run_world(const script *s, int drawn, const run_options *o, result *out);
/* CPU seconds of this process and of the worlds it ran. */
double run_seconds(void);

#endif
