#include "tests/bench/chains.h"

#include <stdlib.h>

#define AUTHORS 256u

typedef struct chains {
  qm_authors authors;
  qm_hash heads[AUTHORS];
  qm_arena arena; /* of the batch at hand */
  uint64_t ops;
} chains;

static void add_batch(chains *x, qm_slice batch) {
  static const qm_id space = {{'S'}};
  qm_batch_in in;
  qm_batch out;
  BENCH_OK(qm_batch_open(&in, batch, &x->arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    BENCH_OK(qm_authors_add(&x->authors, &in.authors[i], &in.map[i]));
  BENCH_CHECK(x->authors.n <= AUTHORS);
  BENCH_OK(qm_batch_read(&in, &out));
  for (uint32_t i = 0; i < out.n_segments; i++) {
    const qm_segment *g = &out.segments[i];
    qm_hash *head = &x->heads[g->author], next;
    BENCH_OK(qm_segment_hash(g, &space, head, &x->authors, &x->arena, &next));
    *head = next;
    x->ops += g->n_ops;
  }
  qm_arena_reset(&x->arena);
}

double bench_chains(bench_env *e, const qm_slice *batches, uint32_t n, uint64_t *ops) {
  static chains x;
  x = (chains){.ops = 0};
  qm_authors_init(&x.authors, &e->env);
  qm_arena_init(&x.arena, &e->env, (size_t)1 << 30);
  double from = bench_cpu();
  for (uint32_t i = 0; i < n; i++) add_batch(&x, batches[i]);
  double took = bench_cpu() - from;
  *ops = x.ops;
  qm_arena_free(&x.arena);
  qm_authors_free(&x.authors);
  return took;
}
