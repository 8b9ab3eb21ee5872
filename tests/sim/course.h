/* course: what happens in a world, day by day: drawn from its seed, or as a script says. */
#ifndef SIM_COURSE_H
#define SIM_COURSE_H

#include "tests/sim/script.h"

/* One day, each step drawn and done in its time. */
void course_day(world *w);
/* All of a script. */
void course_play(world *w, const script *s);

#endif
