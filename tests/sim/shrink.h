/* shrink: makes a failing script small while it fails in the same way (delta debugging:
 * Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "tests/sim/run.h"

/* Ends after `seconds` of CPU, at the latest ten times as long by the clock. Returns how many
 * worlds it ran. */
unsigned shrink(script *s, const char *kind, unsigned seconds);

#endif
