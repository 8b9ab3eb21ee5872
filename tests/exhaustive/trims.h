/* trims: every small tree of a sequence, every choice of what of it is deleted, every pair of
 * edits by two who may not know of each other or of the trims, every causal order, every
 * pair of states joined: against the same without trims (SPEC S3.15, S6.6, S6.7). */
#ifndef EXHAUSTIVE_TRIMS_H
#define EXHAUSTIVE_TRIMS_H

/* Plays all of it; prints a TAP line with this number. How many programs failed. */
unsigned trims_run(int full, unsigned number);

#endif
