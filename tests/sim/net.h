/* net: sessions between nodes over byte pipes that deliver in pieces, stall, and are cut at
 * any byte; one end of a cut connection may learn of it only by its own patience. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "tests/sim/script.h"

typedef struct net_result {
  int code;              /* the client's */
  int same;              /* nothing had to be exchanged */
  uint64_t up, down;     /* bytes */
  uint64_t steps;
} net_result;

void net_open(world *w);
void net_close(world *w);
/* Starts a session as the step says (NULL: without faults); all chance on its connection is
 * drawn from the step's salt. 0 where one of the two is down or there is no room. */
int net_start(world *w, node *client, node *server, const step *x, unsigned nth);
/* When the next step is due; UINT64_MAX: never. */
uint64_t net_due(const world *w);
/* Steps what is due now. */
void net_step(world *w);
/* The process of this node ends: its connections go. */
void net_cut_node(world *w, const node *n);
/* Refused at the door or thrown out: all connections between the two. */
void net_cut_all(world *w);
/* Something new was written at this node in the space: its sessions that stay hear of it. */
void net_news(world *w, const node *n, const qm_id *space);
/* What the hub grants has changed: it leaves the sessions that stay. */
void net_leave(world *w);
/* A session of this device stays now. */
int net_stays(const world *w, const node *n);
int net_busy(const world *w);
/* In the calm: one session from beginning to end. 0 where it does not end. */
int net_session(world *w, node *client, node *server, net_result *out);

#endif
