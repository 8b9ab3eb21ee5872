/* mem: arenas. Everything decoded from one batch or one transaction lives in one
 * arena and goes with it; nothing in an arena is freed singly.
 * Single-threaded. Invariant: every returned pointer is 16-byte aligned and stays
 * valid until reset or free. */
#ifndef QM_MEM_H
#define QM_MEM_H

#include "env.h"
#include "slice.h"

/* Bytewise, shorter first among equal prefixes: <0, 0, >0. */
int qm_slice_cmp(qm_slice a, qm_slice b);

typedef struct qm_arena_chunk qm_arena_chunk;
typedef struct qm_arena {
  const qm_env *env;
  qm_arena_chunk *head;
  uint8_t *at, *end;
  size_t used;     /* bytes handed out since the last reset */
  size_t size_max; /* ENOMEM beyond this many bytes */
} qm_arena;

void qm_arena_init(qm_arena *a, const qm_env *env, size_t size_max);
/* NULL when out of memory or beyond size_max. n 0 gives a valid pointer. */
void *qm_arena_alloc(qm_arena *a, size_t n);
void *qm_arena_zero(qm_arena *a, size_t n);
/* count*size checked. */
void *qm_arena_array(qm_arena *a, size_t count, size_t size);
/* Grows an array that lives in the arena: copies old_count elements. In place
 * where it was the last allocation. */
void *qm_arena_grow(qm_arena *a, void *p, size_t old_count, size_t new_count, size_t size);
void *qm_arena_copy(qm_arena *a, const void *p, size_t n);
/* Keeps the first chunk for reuse. */
void qm_arena_reset(qm_arena *a);
/* Keeps the last one, which is the largest of those of usual size: for what is filled over and
 * over with about as much. */
void qm_arena_recycle(qm_arena *a);
void qm_arena_free(qm_arena *a);

#endif
