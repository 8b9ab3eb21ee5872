/* support_batch: made-up segments and batches that pass qm_segment_check, from one
 * seed, and their comparison across author tables. */
#ifndef QM_TEST_SUPPORT_BATCH_H
#define QM_TEST_SUPPORT_BATCH_H

#include "core/batch.h"

#define WORLD_AUTHORS 6u
#define WORLD_RECORDS 12u

typedef struct world {
  uint64_t seed;
  qm_env env;
  qm_arena arena;
  qm_authors authors;
  struct chain {
    uint64_t next;
    qm_time time;
    uint8_t head[QM_HEAD_SIZE];
  } chains[WORLD_AUTHORS];
  qm_id records[WORLD_RECORDS];
  qm_dot created[WORLD_RECORDS][2]; /* a record may have two creation dots */
  uint8_t n_created[WORLD_RECORDS];
} world;

/* `env` is copied. */
void world_init(world *w, const qm_env *env, uint64_t seed);
void world_free(world *w);
uint64_t world_random(world *w);
uint32_t world_below(world *w, uint32_t n); /* 0 … n-1 */
void world_bytes(world *w, void *to, size_t n);

/* The next segment of an author, with at most `changes` changes; its head is random
 * and its seed is known. Lives in the world's arena. */
qm_segment world_segment(world *w, uint32_t author, uint32_t changes);
/* Some segments of some authors, some with erased ops. */
qm_batch world_batch(world *w, uint32_t segments, uint32_t changes);
/* Erases some ops that carry a value. */
void world_erase(world *w, qm_segment *s);

typedef struct side { const qm_batch *b; const qm_authors *authors; } side;
/* NULL where `got` is what `sent` decodes to; else what differs. Records: the
 * decoder may give the id where the op named a creation dot, never the reverse. */
const char *batch_differs(side sent, side got);
const char *change_differs(const qm_change *a, const qm_authors *ta, const qm_change *b,
                           const qm_authors *tb, int resolved);

#endif
