/* What of a sequence can be trimmed: tombstones under which nothing stays. */
#include "core/crdt/codec.h"
#include "core/crdt/sequence_tree.h"

typedef struct finder {
  const qm_authors *authors;
  const qm_vv *seen;
  const qm__point *spared; /* disjoint, by rank and counter */
  size_t n_spared;
  uint32_t most;
  qm_range *out;
  uint32_t n, cap;
  qm_arena *arena;
} finder;

/* How many of the run's elements stay because of the last one that is spared. */
static uint64_t spared_head(const finder *f, const qm__run *r) {
  uint32_t rank = f->authors->rank[r->first.author];
  size_t lo = 0, hi = f->n_spared;
  while (lo < hi) { /* the first range from the run's end on */
    size_t mid = lo + (hi - lo) / 2;
    const qm__point *p = &f->spared[mid];
    if (p->rank < rank || (p->rank == rank && p->counter < qm__run_end(r)))
      lo = mid + 1;
    else
      hi = mid;
  }
  if (!lo || f->spared[lo - 1].rank != rank) return 0;
  const qm__point *p = &f->spared[lo - 1];
  uint64_t end = p->counter + p->len;
  if (end > qm__run_end(r)) end = qm__run_end(r);
  return end > r->first.counter ? end - r->first.counter : 0;
}

static int all_go(const qm__runs *l) {
  for (uint32_t i = 0; i < l->n; i++)
    if (!l->p[i]->listed) return 0;
  return 1;
}

static int list(finder *f, uint32_t author, uint64_t counter, uint64_t len) {
  qm_range *last = f->n ? &f->out[f->n - 1] : NULL;
  if (last && last->author == author && last->counter == counter + len) {
    last->counter = counter;
    last->len += len;
    return QM_OK;
  }
  if (f->n == f->most) return QM_OK;
  qm_range *p = qm_array_open(f->arena, f->out, f->n, &f->cap, f->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  f->out = p;
  p[f->n++] = (qm_range){counter, len, author};
  return QM_OK;
}

/* Its children were judged before. In a run each element is the child of the one before,
 * so that what goes is its end. */
static int judge(finder *f, qm__run *r) {
  if (r->state != QM_RUN_DEAD || !all_go(&r->rights) || !qm_vv_covers(f->seen, qm__run_last(r)))
    return QM_OK;
  uint64_t stay = spared_head(f, r);
  if (!stay && !all_go(&r->lefts)) stay = 1;
  if (stay == r->len) return QM_OK;
  r->listed = !stay;
  return list(f, r->first.author, r->first.counter + stay, r->len - stay);
}

static int climb(finder *f, const qm__runs *from, qm__run **stack) {
  for (uint32_t i = 0; i < from->n; i++) {
    size_t depth = 1;
    stack[0] = from->p[i];
    stack[0]->cursor = 0;
    while (depth) {
      qm__run *r = stack[depth - 1], *child = NULL;
      uint32_t c = r->cursor++;
      if (c < r->lefts.n)
        child = r->lefts.p[c];
      else if (c - r->lefts.n < r->rights.n)
        child = r->rights.p[c - r->lefts.n];
      if (child) {
        child->cursor = 0;
        stack[depth++] = child;
      } else {
        QM_TRY(judge(f, r));
        depth--;
      }
    }
  }
  return QM_OK;
}

/* Sorted and disjoint, so that the last one below a counter tells. */
static size_t arrange(const qm_env *env, const qm_authors *authors, qm_ranges in, qm__point *p) {
  size_t n = 0;
  for (uint32_t i = 0; i < in.n; i++) {
    uint64_t most = UINT64_MAX - in.p[i].counter;
    p[i] = (qm__point){authors->rank[in.p[i].author], in.p[i].counter,
                       in.p[i].len < most ? in.p[i].len : most, NULL};
  }
  qm__points_sort(env, p, in.n);
  for (uint32_t i = 0; i < in.n; i++) {
    qm__point *last = n ? &p[n - 1] : NULL;
    if (!last || last->rank != p[i].rank || p[i].counter - last->counter > last->len)
      p[n++] = p[i];
    else if (p[i].counter - last->counter + p[i].len > last->len)
      last->len = p[i].counter - last->counter + p[i].len;
  }
  return n;
}

static size_t count_runs(const qm_sequence *s) {
  size_t n = 0;
  for (uint32_t i = 0; i < s->n_columns; i++) n += s->columns[i].runs.n;
  return n;
}

int qm_sequence_trimmable(qm_cell *c, const qm_authors *authors, const qm_vv *seen,
                          qm_ranges spared, uint32_t most, qm_arena *arena, qm_ranges *out) {
  qm_sequence *s = c->content;
  finder f = {.authors = authors, .seen = seen, .most = most, .arena = arena};
  *out = (qm_ranges){NULL, 0};
  if (!s || !s->top) return QM_OK;
  qm__run **stack = qm_alloc_array(arena->env, count_runs(s), sizeof *stack);
  qm__point *points = qm_alloc_array(arena->env, spared.n + 1u, sizeof *points);
  int rc = stack && points ? QM_OK : QM_ENOMEM;
  if (rc == QM_OK) {
    f.spared = points;
    f.n_spared = arrange(arena->env, authors, spared, points);
    rc = climb(&f, &s->tops, stack);
    if (rc == QM_OK) rc = climb(&f, &s->strays, stack);
    for (qm__run *r = qm__sequence_head(s); r; r = qm__run_next(r)) r->listed = 0;
  }
  qm_free(arena->env, points);
  qm_free(arena->env, stack);
  if (rc == QM_OK) *out = (qm_ranges){f.out, f.n};
  return rc;
}
