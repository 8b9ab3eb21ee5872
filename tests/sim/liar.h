/* liar: a device with a valid identity that does not keep to the protocol; and what a peer may
 * make of it without lying. */
#ifndef SIM_LIAR_H
#define SIM_LIAR_H

#include "tests/sim/world.h"

/* Changes bytes on their way out of a liar. */
void liar_bytes(world *w, const node *from, uint8_t *p, size_t n);
/* 1 where it answers a request for the next batch by a lie: with its own changes under a hash
 * that they had before, or with one that it has made up for another author, whose chain it
 * goes on; with its own under links that are not true, or under none; or with other changes
 * than it gives to others, as good as those. */
int liar_answer_next(node *n, qm_answer *a, qm_session *s, const qm_event *ev);
/* No lie: sends the next batch but one, where it is of other authors; it may depend on the
 * next, which follows. Returns where the log goes on after both, 0 where the next went. With
 * `past`, which it returned before: sends the next and goes on there. */
int shuffles(world *w);
uint64_t shuffled_answer_next(node *n, qm_answer *a, qm_session *s, const qm_event *ev,
                              uint64_t past);
/* Writes into its own store what no schema allows. */
void liar_write(node *n);

#endif
