#include "tests/bench/chains.h"

#include "core/batch_small.h"

#define AUTHORS 256u

typedef struct chain {
  qm_hash head;
  uint64_t next;
  qm_time time; /* of the last change */
} chain;

typedef struct chains {
  qm_authors authors;
  chain chains[AUTHORS];
  qm_arena arena; /* of what is at hand */
  uint64_t ops;
} chains;

static void add_segment(chains *x, const qm_segment *g) {
  static const qm_id space = {{'S'}};
  BENCH_CHECK(g->author < AUTHORS);
  chain *c = &x->chains[g->author];
  const qm_hash before = c->head;
  BENCH_OK(qm_segment_hash(g, &space, &before, &x->authors, &x->arena, &c->head));
  c->next = g->next;
  c->time = g->changes[g->n_changes - 1].time;
  x->ops += g->n_ops;
}

static void add_small(chains *x, qm_slice blob) {
  qm_small_in in;
  qm_segment g;
  BENCH_OK(qm_small_open(&in, blob, &x->authors));
  if (in.author == UINT32_MAX) BENCH_OK(qm_authors_add(&x->authors, &in.id, &in.author));
  BENCH_CHECK(in.author < AUTHORS);
  const chain *c = &x->chains[in.author];
  BENCH_OK(qm_small_read(&in, in.author, c->next, c->time, c->head.b, &x->arena, &g));
  add_segment(x, &g);
}

static void add_batch(chains *x, qm_slice blob) {
  qm_batch_in in;
  qm_batch out;
  BENCH_OK(qm_batch_open(&in, blob, &x->arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    BENCH_OK(qm_authors_add(&x->authors, &in.authors[i], &in.map[i]));
  BENCH_OK(qm_batch_read(&in, &out));
  for (uint32_t i = 0; i < out.n_segments; i++) add_segment(x, &out.segments[i]);
}

double bench_chains(bench_env *e, const qm_slice *batches, uint32_t n, uint64_t *ops) {
  static chains x;
  x = (chains){.ops = 0};
  qm_authors_init(&x.authors, &e->env);
  qm_arena_init(&x.arena, &e->env, (size_t)1 << 30);
  double from = bench_cpu();
  for (uint32_t i = 0; i < n; i++) {
    if (qm_is_small(batches[i])) add_small(&x, batches[i]);
    else add_batch(&x, batches[i]);
    qm_arena_reset(&x.arena);
  }
  double took = bench_cpu() - from;
  *ops = x.ops;
  qm_arena_free(&x.arena);
  qm_authors_free(&x.authors);
  return took;
}
