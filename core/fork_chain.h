/* fork_chain: what the log holds of one author, told by counter and head. A run closed twice
 * (SPEC S18.8) stands in it twice, so a counter inside a segment may be the end of one too.
 * Internal to the library. */
#ifndef QM_FORK_CHAIN_H
#define QM_FORK_CHAIN_H

#include "core/space.h"

/* Visits the author's segments in the log that end beyond `from`, in order of arrival. The
 * segment lives until the visitor returns; ops that name a record by creation dot have its id.
 * QM_STORE_STOP ends it. */
typedef int (*qm__visit_segment)(void *payload, const qm_segment *g, qm_arena *arena);
int qm__chain_each(qm_space *s, uint32_t author, uint64_t from, qm__visit_segment visit,
                   void *payload);

/* The full hash of what the author wrote below `at`, of which `head` are the first bytes (NULL:
 * whatever they are; of a run closed twice one of the two).
 * QM_ENOTFOUND: another; QM_ECUT: the log does not reach back so far. */
int qm__chain_hash(qm_space *s, uint32_t author, uint64_t at, const uint8_t *head, qm_hash *out);
/* *on = 0 where this replica holds something else below `at` than what has that head. Where
 * the log cannot say, and beyond what is held: 1. */
int qm__chain_on(qm_space *s, uint32_t author, uint64_t at, const uint8_t *head, int *on);

/* Where the author stood after its changes below `at`. QM_ECUT, QM_ENOTFOUND (inside a
 * change, or beyond what is held). */
int qm__chain_clock(qm_space *s, uint32_t author, uint64_t at, qm_vv *clock, qm_time *time);

/* Compares g, of which start and `previous` are on the chain, with what is held from there:
 * *same: so many of its first changes are held here as they are; *differs: its next one is
 * not what is held at that counter. */
int qm__chain_compare(qm_space *s, const qm_segment *g, uint32_t *same, int *differs);

/* The first n changes of g as a segment of its own, as its author would have closed them: in
 * the arena, without a signature and without its head. QM_ENOTFOUND where ops of it are
 * erased, so that its seed is not known. */
int qm__chain_prefix(const qm_segment *g, uint32_t n, qm_arena *arena, qm_segment *out);

/* Equal as their author wrote them: how a batch names records does not count, nor the value of
 * an op that either holds erased. */
int qm__chain_same(qm_space *s, const qm_change *a, const qm_change *b, int *same);

#endif
