/* What of a sequence can be trimmed: tombstones with at most one child that stays. */
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
  int full;
  qm_arena *arena;
} finder;

/* The last spared stretch of the author that starts below `end`. 0 where there is none. */
static int spared_below(const finder *f, uint32_t author, uint64_t end, qm__point *out) {
  uint32_t rank = f->authors->rank[author];
  size_t lo = 0, hi = f->n_spared;
  while (lo < hi) { /* the first range from there on */
    size_t mid = lo + (hi - lo) / 2;
    const qm__point *p = &f->spared[mid];
    if (p->rank < rank || (p->rank == rank && p->counter < end))
      lo = mid + 1;
    else
      hi = mid;
  }
  if (!lo || f->spared[lo - 1].rank != rank) return 0;
  *out = f->spared[lo - 1];
  return 1;
}

/* The children that are not gone with all below them. */
static uint32_t staying(const qm__runs *l) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < l->n; i++) n += !l->p[i]->listed;
  return n;
}

static int list(finder *f, uint32_t author, uint64_t counter, uint64_t len) {
  qm_range *last = f->n ? &f->out[f->n - 1] : NULL;
  if (f->full) return QM_OK;
  if (last && last->author == author && last->counter == counter + len) {
    last->counter = counter;
    last->len += len;
    return QM_OK;
  }
  f->full = f->n == f->most;
  if (f->full) return QM_OK;
  qm_range *p = qm_array_open(f->arena, f->out, f->n, &f->cap, f->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  f->out = p;
  p[f->n++] = (qm_range){counter, len, author};
  return QM_OK;
}

/* Lists what may go of [lo, hi), from its end; *went, how much. */
static int list_stretch(finder *f, uint32_t author, uint64_t lo, uint64_t hi, uint64_t *went) {
  qm__point p = {0, 0, 0, NULL};
  *went = 0;
  while (hi > lo) {
    uint64_t from = lo;
    int some = spared_below(f, author, hi, &p);
    if (some && p.counter + p.len > lo) from = p.counter + p.len < hi ? p.counter + p.len : hi;
    if (from < hi) QM_TRY(list(f, author, from, hi - from));
    *went += hi - from;
    if (!some || from == lo) return QM_OK;
    hi = p.counter > lo ? p.counter : lo;
  }
  return QM_OK;
}

/* Its children were judged before. In a run each element is the only child of the one before,
 * but that other children may hang on the last, and on the left of the first. */
static int judge(finder *f, qm__run *r) {
  uint64_t end = qm__run_end(r), seen = qm_vv_get(f->seen, r->first.author), went = 0, first = 0;
  uint32_t lefts = staying(&r->lefts), rights = staying(&r->rights);
  uint64_t from = r->first.counter + 1, to = end;
  r->listed = 0; /* else: nothing stays in its place */
  if (r->state != QM_RUN_DEAD) return QM_OK;
  if (rights > 1) to--;
  if (to > seen) to = seen;
  if (r->len > 1) QM_TRY(list_stretch(f, r->first.author, from, to, &went));
  uint32_t on_first = lefts + (went == r->len - 1 ? rights : 1u);
  if (on_first <= 1 && seen > r->first.counter)
    QM_TRY(list_stretch(f, r->first.author, from - 1, from, &first));
  r->listed = first == 1 && !on_first;
  return QM_OK;
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
  for (uint32_t i = 0; i < s->n_columns; i++)
    for (uint32_t k = 0; k < s->columns[i].n; k++) n += s->columns[i].leaves[k]->n;
  return n;
}

int qm_sequence_trimmable(qm_cell *c, const qm_authors *authors, const qm_vv *seen,
                          qm_ranges spared, uint32_t most, qm_arena *arena, qm_ranges *out) {
  qm_sequence *s = c->content;
  finder f = {.authors = authors, .seen = seen, .most = most, .arena = arena};
  *out = (qm_ranges){NULL, 0};
  if (!s || !s->first) return QM_OK;
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
