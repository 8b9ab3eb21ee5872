/* state: a space's records with their dots and, for each author, next counter, head,
 * last time and clock row, as it travels (a snapshot). Joining a state and applying
 * the log it stands for give identical bytes. A state is whole: a VV says "absent and
 * covered = removed", so a partial state would delete.
 *
 * A snapshot is a row of parts (SPEC §9): part 0 is the manifest with the authors, the
 * others hold records in ascending id. States with equal VV are never joined. */
#ifndef QM_STATE_H
#define QM_STATE_H

#include "engine.h"

#define QM_STATE_PART 262144u /* a part is closed once it passes this many bytes */

typedef int (*qm_state_emit)(void *payload, uint32_t part, qm_slice content);

/* Writes the state of a space, part by part, each borrowed until emit returns. The
 * open run is closed first (a state is a push). QM_ESTATE inside a transaction;
 * emit's error. */
int qm_state_write(qm_engine *e, qm_space *s, qm_state_emit emit, void *payload);
/* Joins a whole state into the space, in one durable transaction. Equal VVs: no
 * effect, *joined = 0. A state that goes on behind our back (another head at one
 * counter of some author) is QM_EFORK; one that does not read is QM_EFORMAT, QM_ECANON…
 * with *err: nothing changes. */
int qm_state_join(qm_engine *e, qm_space *s, const qm_slice *parts, uint32_t n, int *joined,
                  qm_error *err);

#endif
