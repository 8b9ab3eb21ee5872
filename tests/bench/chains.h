/* chains: what uploads cost anyone who checks the hash chain in them, and no more. */
#ifndef QM_BENCH_CHAINS_H
#define QM_BENCH_CHAINS_H

#include "core/batch.h"
#include "tests/bench/bench.h"

/* Seconds of CPU: the batches (or compact segments) are decoded, and each segment's tree is
 * hashed with its author's head before it. Nothing is judged, applied or stored; records that a
 * batch names by their creation stay unresolved, so the heads are those of other ids. *ops: how
 * many they hold. */
double bench_chains(bench_env *e, const qm_slice *batches, uint32_t n, uint64_t *ops);

#endif
