/* support_cell: cells without a replica: three authors, ops applied in a context that the
 * test gives, joins, and bytes. */
#ifndef SUPPORT_CELL_H
#define SUPPORT_CELL_H

#include "core/record.h"

typedef struct bench {
  qm_env env;
  qm_arena arena;
  qm_authors authors; /* 0, 1, 2; their ids ascend as 1, 2, 0 */
} bench;

void bench_open(bench *b);
void bench_close(bench *b);
/* "a", "b", "c": the entries of the three authors. */
qm_vv bench_vv(bench *b, uint64_t a, uint64_t c, uint64_t d);
/* Applies to the record as its author had seen `seen` (the own entry is set). */
void bench_apply(bench *b, qm_record *r, qm_vv seen, uint32_t author, uint64_t time, qm_op op);
qm_slice bench_text(bench *b, const char *text);
qm_slice bench_int(bench *b, int64_t v);
qm_dots bench_dots(bench *b, uint32_t n, ...); /* author, counter (both unsigned), … */
qm_record bench_join(bench *b, const qm_record *x, qm_vv vx, const qm_record *y, qm_vv vy);
/* The blob, and the same again from what it decodes to. */
qm_slice bench_bytes(bench *b, qm_record *r);
/* Is the blob read? Then it must come out again byte for byte. */
int bench_reads(bench *b, qm_slice blob);

#endif
