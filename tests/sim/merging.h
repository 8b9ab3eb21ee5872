/* merging: people who find that two records are one, or that they are not after all. A merge or
 * unmerge is a save like another: it appends a step, by which it is known where it is. */
#ifndef SIM_MERGING_H
#define SIM_MERGING_H

#include "tests/sim/people.h"

/* Draws a merge or an unmerge into `out`; 0: none. */
int merging_draw(world *w, const node *n, sim_prng *random, unsigned space, step *out);
/* Writes it into the change that is open. */
int merging_write(node *n, qm_write *q, const save *s);
/* It is about to be made: the two belong together in the book from here on, whatever comes of
 * it; and which merges and unmerges its writer's device has heard of. */
void merging_note(node *n, qm_space *space, save *s, uint32_t with);
/* Pages that were ever merged with each other, directly or not, have one root. */
uint32_t merging_root(const people *p, uint32_t record);

#endif
