/* relay: a TCP relay in a thread of its own that cuts a connection after a given number of
 * bytes in one direction. Nothing sleeps: it waits for bytes. */
#ifndef FAULTS_RELAY_H
#define FAULTS_RELAY_H

#include <stdint.h>

#include "tests/faults/node.h"

typedef struct relay relay;

/* Passes connections on to 127.0.0.1:hub_port, one at a time. */
relay *relay_open(uint16_t hub_port);
uint16_t relay_port(const relay *r);
/* What the next connection will meet. */
void relay_cut(relay *r, cut where, uint64_t at);
/* Bytes that the last connection carried; waits for its end. */
void relay_last(relay *r, uint64_t *up, uint64_t *down);
void relay_close(relay *r);

#endif
