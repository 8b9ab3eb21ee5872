/* steps: carries out the lines of a script. What a line cannot do now (its device is down,
 * its record is not known there) it leaves undone. */
#ifndef SIM_STEPS_H
#define SIM_STEPS_H

#include "tests/sim/script.h"

/* Chance within the step comes from its salt; w->random is that stream. Kept by w->record
 * (a file), where there is one. */
void step_do(world *w, const step *x);
/* Looks for damage that no check has found yet: one that was cut short is made again. */
void node_check_harm(node *n);

#endif
