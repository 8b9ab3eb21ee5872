/* home: what the home hub writes for its spaces, as an author like any other: stamps and
 * membership entries, elements of the space record (SPEC S3.13).
 *
 * Stamps. Changes whose time lies further ahead of the hub's corrected clock than the
 * space's drift are noted while they are taken and stamped when the transaction commits, in
 * one change. Nobody knows when they were really made; the stamp says the latest time that
 * they were certainly not made before: the effective time of their author's change before
 * them, of what it had seen, and of the device's first membership entry. So they win no tie
 * that they would lose with a true clock, at whatever time they come and whatever the clock
 * did meanwhile. They may lose one that they would have won; causality is not touched, and
 * what loses stays on the review list.
 *
 * Bounded: one element a contiguous run; a run that goes on takes its element's place; beyond
 * QM_HOME_RUNS of one author the last element is widened, and beyond QM_HOME_AUTHORS stamped
 * authors of one device its changes are refused (QM_ECLOCK).
 *
 * Single-threaded, like the engine. No effect unless the engine is a hub's and no replay's. */
#ifndef QM_HOME_H
#define QM_HOME_H

#include "core/member.h"
#include "core/space.h"

#define QM_HOME_RUNS 8u
#define QM_HOME_AUTHORS 256u

/* Allowed drift of the space in milliseconds: its schema's, else 10 minutes. */
uint64_t qm__home_drift(const qm_space *s);
/* A segment that is otherwise well: may it be stamped, should it need it? QM_ECLOCK. */
int qm__home_check(const qm_space *s, const qm_segment *g);
/* Applies a change of g, as qm__space_apply, and notes it where it is ahead. */
int qm__home_apply(qm_space *s, const qm_segment *g, const qm_change *c);
/* Writes the stamps that are owed, inside the transaction that is about to commit. */
int qm__home_flush(qm_space *s);

/* Makes these the newest entries of their devices in the space: writes what differs from what
 * stands there, in one durable change of its own; nothing differs: nothing is written. Of a
 * device that has no entry yet, one with an empty role is not written. from_ms 0: now.
 * Outside a transaction. QM_EINVAL: a text over QM_MEMBER_TEXT_MAX or not UTF-8. */
int qm_home_members(qm_engine *e, qm_space *s, const qm_member *members, size_t n);

#endif
