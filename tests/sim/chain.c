#include "tests/sim/chain.h"

#include <stdlib.h>
#include <string.h>

#include "core/aside_int.h"
#include "core/fork.h"
#include "core/logged.h"
#include "core/space.h"

#define ROW_ARENA ((size_t)64 << 20)

/* --- of one author --- */

static int step_on(qm_space *s, uint32_t author, uint64_t end, qm_arena *arena, uint64_t *at,
                   qm_hash *head) {
  qm_log_row row;
  qm_batch batch;
  uint64_t before = *at;
  qm_arena_reset(arena);
  QM_TRY(qm__log_at(s, author, *at, arena, &row));
  QM_TRY(qm__log_decode(s, row.batch, arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments && *at < end; i++) {
    const qm_segment *g = &batch.segments[i];
    qm_hash hash;
    if (g->author != author || g->start != *at) continue;
    QM_TRY(qm_segment_hash(g, &s->id, head, &s->authors, arena, &hash));
    *head = hash;
    *at = g->next;
  }
  return *at > before ? QM_OK : QM_ENOTFOUND;
}

int chain_previous(qm_space *s, uint32_t author, uint64_t start, qm_hash *out) {
  qm_arena arena;
  uint64_t at = 0;
  int rc = QM_OK;
  memset(out, 0, sizeof *out);
  qm_arena_init(&arena, s->engine->env, ROW_ARENA);
  while (rc == QM_OK && at < start) rc = step_on(s, author, start, &arena, &at, out);
  qm_arena_free(&arena);
  return rc == QM_OK && at != start ? QM_ENOTFOUND : rc;
}

/* --- two words of one author --- */

void forks_add(world *w, const qm_id *space, const qm_author *author, uint64_t next,
               const uint8_t head[QM_HEAD_SIZE]) {
  for (unsigned i = 0; i < w->n_forks; i++)
    if (memcmp(w->forks[i].head, head, QM_HEAD_SIZE) == 0) return;
  w->forks = realloc(w->forks, (w->n_forks + 1) * sizeof *w->forks);
  if (!w->forks) abort();
  equivocation *f = &w->forks[w->n_forks++];
  *f = (equivocation){.space = *space, .author = *author, .next = next};
  memcpy(f->head, head, QM_HEAD_SIZE);
}

static const qm_author_state *state_of(const node *n, const equivocation *f) {
  const qm_space *s = n->up ? qm_engine_space(n->engine, &f->space) : NULL;
  uint32_t a;
  if (!s || qm_authors_find(&s->authors, &f->author, &a) != QM_OK || a >= s->n_states) return NULL;
  return &s->states[a];
}

void forks_note(node *n) {
  world *w = n->w;
  for (unsigned i = 0; i < w->n_forks && !n->liar; i++) {
    equivocation *f = &w->forks[i];
    const qm_author_state *st = state_of(n, f);
    const qm_space *s = n->up ? qm_engine_space(n->engine, &f->space) : NULL;
    int reissued = s && qm__fork_named(s, &f->author, f->head); /* it is in other words there */
    if (reissued || (st && st->closed == f->next && !memcmp(st->head.b, f->head, QM_HEAD_SIZE)))
      f->holders |= (uint16_t)(1u << n->index);
  }
}

void forks_forget(node *n) {
  for (unsigned i = 0; i < n->w->n_forks; i++)
    n->w->forks[i].holders &= (uint16_t)~(1u << n->index);
}

static int is_in(const world *w, const equivocation *f, unsigned space) {
  return qm_id_cmp(&f->space, &w->spaces[space]) == 0;
}

int forks_between(const world *w, const node *a, const node *b, unsigned space) {
  for (unsigned i = 0; i < w->n_forks && space < SPACES; i++) {
    const equivocation *f = &w->forks[i];
    if (is_in(w, f, space) && ((f->holders >> a->index ^ f->holders >> b->index) & 1)) return 1;
  }
  return 0;
}

unsigned forks_open(const node *a, const node *b) {
  const world *w = a->w;
  unsigned out = 0;
  for (unsigned i = 0; i < w->n_forks && !a->liar && !b->liar; i++) {
    const equivocation *f = &w->forks[i];
    const qm_author_state *x = state_of(a, f), *y = state_of(b, f);
    unsigned s = space_of_id(w, &f->space);
    if (!x || !y || x->closed != f->next || y->closed != f->next) continue;
    if (!memcmp(x->head.b, y->head.b, QM_HEAD_SIZE)) continue;
    if (device_may(w, a->index, s) && device_may(w, b->index, s)) out |= 1u << s;
  }
  return out;
}

int forks_in(const world *w, unsigned space) {
  for (unsigned i = 0; i < w->n_forks && space < SPACES; i++)
    if (is_in(w, &w->forks[i], space) && w->forks[i].holders) return 1;
  return 0;
}

int forks_any(const world *w, const node *n) {
  for (unsigned s = 0; s < SPACES; s++)
    if (device_may(w, n->index, s) && forks_in(w, s)) return 1;
  return 0;
}

/* --- a whole log --- */

/* Where one of an author's segments ends, and its hash. Of a run closed twice (S18.8) both
 * ends are there. */
typedef struct point {
  uint32_t author;
  uint64_t next;
  qm_hash hash;
} point;

typedef struct audit {
  node *n;
  qm_space *s;
  unsigned space;
  uint64_t seq;
  point *p;
  uint32_t count, cap;
} audit;

static const qm_hash *point_of(const audit *x, uint32_t author, uint64_t next) {
  static const qm_hash none;
  if (!next) return &none;
  for (uint32_t i = x->count; i-- > 0;)
    if (x->p[i].author == author && x->p[i].next == next) return &x->p[i].hash;
  return NULL;
}

static void add_point(audit *x, const qm_segment *g, const qm_hash *hash) {
  if (x->count == x->cap) {
    x->cap = x->cap ? x->cap * 2 : 256;
    x->p = realloc(x->p, x->cap * sizeof *x->p);
    if (!x->p) abort();
  }
  x->p[x->count++] = (point){g->author, g->next, *hash};
}

static void look_at(audit *x, const qm_segment *g, qm_arena *arena) {
  world *w = x->n->w;
  qm_id device;
  qm_hash hash;
  qm_author_device(&x->s->authors.ids[g->author], &device);
  const node *by = node_of_id(w, &device);
  const qm_hash *previous = point_of(x, g->author, g->start);
  unsigned number = by ? by->index : 99;
  if (!previous) {
    violation(w, "node %u: in the log of space %u a segment of device %u stands on none",
              x->n->index, x->space, number);
    return;
  }
  if (memcmp(previous->b, g->previous, QM_HEAD_SIZE) != 0)
    violation(w, "node %u: in the log of space %u a segment of device %u names another before it",
              x->n->index, x->space, number);
  if (qm_segment_hash(g, &x->s->id, previous, &x->s->authors, arena, &hash) != QM_OK) return;
  if (memcmp(hash.b, g->head, QM_HEAD_SIZE) != 0)
    violation(w, "node %u: in the log of space %u a segment of device %u has another hash",
              x->n->index, x->space, number);
  if (!g->has_signature || !world_signed(&device, hash.b, g->signature))
    violation(w, "node %u: in the log of space %u a segment of device %u is not signed by it",
              x->n->index, x->space, number);
  add_point(x, g, &hash);
}

static int look_at_row(void *payload, const qm_log_row *row) {
  audit *x = payload;
  qm_arena arena;
  qm_batch batch;
  x->seq = row->seq;
  qm_arena_init(&arena, &x->n->env, ROW_ARENA);
  int rc = qm__logged_batch(x->s, row->batch, 1, &arena, &batch);
  for (uint32_t i = 0; rc == QM_OK && i < batch.n_segments; i++)
    if (!qm_vv_get(&x->s->floor, batch.segments[i].author)) /* else its beginning was cut */
      look_at(x, &batch.segments[i], &arena);
  qm_arena_free(&arena);
  return rc;
}

static void check_heads(const audit *x) {
  for (uint32_t a = 0; a < x->s->n_states; a++) {
    const qm_author_state *st = &x->s->states[a];
    if (qm_vv_get(&x->s->floor, a)) continue;
    const qm_hash *hash = point_of(x, a, st->closed);
    if (!hash || memcmp(hash->b, st->head.b, sizeof hash->b) != 0)
      violation(x->n->w, "node %u: space %u: an author's head is not that of its log", x->n->index,
                x->space);
  }
}

void check_chains(node *n) {
  for (unsigned s = 0; s < SPACES; s++) {
    audit x = {.n = n, .s = node_space(n, s), .space = s};
    const qm_vv all = {NULL, 0, 0};
    int rc = QM_OK;
    while (x.s && rc == QM_OK)
      rc = n->store->ops->log_after(n->store, x.s->number, &all, x.seq, look_at_row, &x);
    if (x.s && rc != QM_ENOTFOUND)
      violation(n->w, "node %u: the log of space %u cannot be read: %s", n->index, s,
                qm_err_name(rc));
    if (x.s) check_heads(&x);
    free(x.p);
  }
}
