/* faults: what a cut or a crash may do to a sync. Each function prints TAP cases and counts
 * them; a failure ends the program. step: every how manieth place is tried (1: all). */
#ifndef FAULTS_FAULTS_H
#define FAULTS_FAULTS_H

#include "tests/faults/node.h"

/* A session cut after each byte, in both directions, then a whole one. */
void cut_sessions(unsigned step, unsigned *number);
/* A state of which parts are missing or cut. */
void cut_states(unsigned step, unsigned *number);
/* A session that carries a state, cut in both directions. */
void cut_state_sessions(unsigned step, unsigned *number);
/* A phone and a hub on SQLite, killed at each write, sync or commit. */
void crash_stores(unsigned step, unsigned *number);
/* A session through TLS and a real hub process, cut by a relay in about `cuts` places. */
void cut_tls(unsigned cuts, unsigned *number);
/* The same of sessions that bring a new phone a state. */
void cut_tls_state(unsigned cuts, unsigned *number);

#endif
