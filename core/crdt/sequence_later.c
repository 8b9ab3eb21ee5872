/* Ops put off and applied at once. While nobody looks at a sequence, where its elements stand
 * need not be known: an insert is noted as a run of its author, a cut as dots; both by dot, for
 * neither depends on what others of them did (an op comes behind all that it has seen, so a cut
 * hides the same elements whenever it is applied). What is noted is little beside what is
 * there, and applied one by one; or it is not, and all is built once from runs by dot. */
#include <string.h>

#include "core/crdt/codec.h"
#include "core/crdt/sequence_tree.h"

#define BUILD_FROM 4u /* noted, for each run that is there */
#define BUILD_LEAST 64u
#define FEW 16u /* cuts */

typedef struct tail { /* what is noted of an author, by counter (`later`) */
  uint32_t author;
  qm__run *first, *last;
} tail;

struct qm__later {
  const qm_authors *authors;
  qm_arena *arena;
  tail *tails;
  uint32_t n_tails, cap_tails;
  tail *hot;            /* the author who was met last, or NULL */
  qm__run *first, *last; /* as they came (`next`): no run hangs on a later one */
  qm_range *cuts;
  uint32_t n_cuts, cap_cuts;
  uint32_t n; /* runs and cuts */
};

/* --- noting --- */

static qm__later *later_of(qm_sequence *s, const qm_apply *a) {
  if (s->later) return s->later;
  qm__later *l = qm_arena_zero(a->arena, sizeof *l);
  if (!l) return NULL;
  l->authors = a->authors;
  l->arena = a->arena;
  return s->later = l;
}

/* NULL: no memory. */
static tail *tail_of(qm__later *l, uint32_t author) {
  if (l->hot && l->hot->author == author) return l->hot;
  l->hot = NULL;
  for (uint32_t i = 0; i < l->n_tails; i++)
    if (l->tails[i].author == author) return l->hot = &l->tails[i];
  tail *p = qm_array_open(l->arena, l->tails, l->n_tails, &l->cap_tails, l->n_tails, sizeof *p);
  if (!p) return NULL;
  l->tails = p;
  p[l->n_tails] = (tail){.author = author};
  return l->hot = &p[l->n_tails++];
}

/* Typing on, as long as nobody looked. */
static int goes_on(const qm__run *last, const qm__run *r) {
  return last && r->on == QM_ON_RIGHT && qm_dot_eq(r->parent, qm__run_last(last)) &&
         qm__run_end(last) == r->first.counter && last->state == r->state;
}

int qm__later_insert(qm_sequence *s, const qm_apply *a, const qm__run *new, int *done) {
  qm__later *l = later_of(s, a);
  tail *t = l ? tail_of(l, new->first.author) : NULL;
  *done = 0;
  if (!t) return QM_ENOMEM;
  const qm__column *c = t->last ? NULL : qm__sequence_column(s, a->authors, t->author);
  uint64_t end = t->last ? qm__run_end(t->last) : c ? qm__run_end(qm__column_last(c)) : 0;
  if (new->first.counter < end) return QM_OK; /* only forged ones */
  *done = 1;
  if (goes_on(t->last, new)) {
    QM_TRY(qm__run_add(t->last, new, a->arena));
    t->last->len += new->len;
    return QM_OK;
  }
  qm__run *r = qm_arena_copy(a->arena, new, sizeof *new);
  if (!r) return QM_ENOMEM;
  if (t->last) t->last->later = r;
  else t->first = r;
  t->last = r;
  if (l->last) l->last->next = r;
  else l->first = r;
  l->last = r;
  l->n++;
  return QM_OK;
}

int qm__later_cut(qm_sequence *s, const qm_apply *a, qm_range range) {
  qm__later *l = later_of(s, a);
  if (!l) return QM_ENOMEM;
  qm_range *last = l->n_cuts ? &l->cuts[l->n_cuts - 1] : NULL;
  if (last && last->author == range.author) {
    if (last->counter + last->len == range.counter) {
      last->len += range.len;
      return QM_OK;
    }
    if (range.counter + range.len == last->counter) {
      last->counter = range.counter;
      last->len += range.len;
      return QM_OK;
    }
  }
  qm_range *p = qm_array_open(l->arena, l->cuts, l->n_cuts, &l->cap_cuts, l->n_cuts, sizeof *p);
  if (!p) return QM_ENOMEM;
  l->cuts = p;
  p[l->n_cuts++] = range;
  l->n++;
  return QM_OK;
}

int qm__later_some(const qm_sequence *s) { return s->later && s->later->first; }

/* --- what is hidden --- */

typedef struct gather {
  qm_sequence *s;
  const qm__later *l;
  qm__run **runs; /* by dot */
  uint32_t n, cap;
  qm__point *cuts; /* by dot; neither overlap nor touch */
  size_t n_cuts, at;
} gather;

static void sort_cuts(gather *g) {
  const qm__later *l = g->l;
  for (uint32_t i = 0; i < l->n_cuts; i++)
    g->cuts[i] = (qm__point){l->authors->rank[l->cuts[i].author], l->cuts[i].counter,
                             l->cuts[i].len, NULL};
  qm__points_sort(l->arena->env, g->cuts, l->n_cuts);
  for (uint32_t i = 0; i < l->n_cuts; i++) {
    qm__point *last = g->n_cuts ? &g->cuts[g->n_cuts - 1] : NULL, *p = &g->cuts[i];
    if (last && last->rank == p->rank && p->counter - last->counter <= last->len) {
      uint64_t len = p->counter - last->counter + p->len;
      if (len > last->len) last->len = len;
    } else {
      g->cuts[g->n_cuts++] = *p;
    }
  }
}

/* --- one by one --- */

static int one_by_one(const gather *g) {
  const qm__later *l = g->l;
  for (qm__run *r = l->first, *next; r; r = next) {
    int done;
    next = r->next;
    r->next = r->later = NULL;
    QM_TRY(qm__sequence_extend(g->s, l->authors, l->arena, r, &done));
    if (!done) QM_TRY(qm__sequence_insert(g->s, l->authors, l->arena, r));
  }
  for (size_t i = 0; i < g->n_cuts; i++) {
    const qm__point *c = &g->cuts[i];
    const qm_range range = {c->counter, c->len, l->authors->sorted[c->rank]};
    QM_TRY(qm__sequence_cut_range(g->s, l->authors, l->arena, range));
  }
  return QM_OK;
}

/* --- all at once --- */

/* Hidden elements behind hidden ones are one run: what hangs in between parts it again. */
static int add_run(gather *g, qm__run *r) {
  qm__run *last = g->n ? g->runs[g->n - 1] : NULL;
  if (r->state == QM_RUN_DEAD && goes_on(last, r) && last->first.author == r->first.author &&
      !qm__run_moved(r)) {
    last->len += r->len;
    return QM_OK;
  }
  qm__run **p = qm_array_open(g->l->arena, g->runs, g->n, &g->cap, g->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  g->runs = p;
  p[g->n++] = r;
  return QM_OK;
}

static void hide(qm__run *r) {
  r->state = QM_RUN_DEAD;
  r->data = NULL;
  r->bytes = r->room = 0;
}

/* r in parts that are hidden, and parts that are not. */
static int cut_run(gather *g, qm__run *r, uint32_t rank) {
  const qm__point *c = g->cuts;
  while (g->at < g->n_cuts && (c[g->at].rank < rank || (c[g->at].rank == rank &&
                               c[g->at].counter + c[g->at].len <= r->first.counter)))
    g->at++;
  for (size_t at = g->at; r->state != QM_RUN_DEAD; at++) {
    int meets = at < g->n_cuts && c[at].rank == rank && c[at].counter < qm__run_end(r);
    if (!meets) break;
    qm__run *rest;
    uint64_t from = c[at].counter, to = from + c[at].len;
    if (from > r->first.counter) {
      rest = qm__run_halve(g->s, g->l->arena, r, from - r->first.counter);
      if (!rest) return QM_ENOMEM;
      QM_TRY(add_run(g, r));
      r = rest;
    }
    rest = NULL;
    if (to < qm__run_end(r)) {
      rest = qm__run_halve(g->s, g->l->arena, r, to - r->first.counter);
      if (!rest) return QM_ENOMEM;
    }
    hide(r);
    if (!rest) break;
    QM_TRY(add_run(g, r));
    r = rest;
  }
  return add_run(g, r);
}

static int gather_author(gather *g, qm__run *there, qm__run *noted, uint32_t rank) {
  for (qm__run *next; there; there = next) {
    next = there->later;
    QM_TRY(cut_run(g, there, rank));
  }
  for (qm__run *next; noted; noted = next) {
    next = noted->later;
    QM_TRY(cut_run(g, noted, rank));
  }
  return QM_OK;
}

static void sort_tails(const qm__later *l) {
  const uint32_t *rank = l->authors->rank;
  for (uint32_t i = 1; i < l->n_tails; i++) {
    tail t = l->tails[i];
    uint32_t to = i;
    for (; to && rank[l->tails[to - 1].author] > rank[t.author]; to--)
      l->tails[to] = l->tails[to - 1];
    l->tails[to] = t;
  }
}

static int gather_all(gather *g) {
  const qm_sequence *s = g->s;
  const qm__later *l = g->l;
  const uint32_t *rank = l->authors->rank;
  sort_tails(l);
  for (uint32_t i = 0, k = 0; i < s->n_columns || k < l->n_tails;) {
    uint32_t x = i < s->n_columns ? rank[s->columns[i].author] : UINT32_MAX;
    uint32_t y = k < l->n_tails ? rank[l->tails[k].author] : UINT32_MAX;
    QM_TRY(gather_author(g, x <= y ? qm__column_first(&s->columns[i]) : NULL,
                         y <= x ? l->tails[k].first : NULL, x < y ? x : y));
    i += x <= y;
    k += y <= x;
  }
  return QM_OK;
}

static int all_at_once(gather *g) {
  qm__later *l = g->s->later;
  QM_TRY(gather_all(g));
  int rc = qm__sequence_build(g->s, l->authors, l->arena, g->runs, g->n, NULL);
  g->s->later = l;
  return rc;
}

/* --- settling --- */

static uint64_t runs_there(const qm_sequence *s) { /* about */
  uint64_t leaves = 0;
  for (uint32_t i = 0; i < s->n_columns; i++) leaves += s->columns[i].n;
  return leaves * QM_LEAF / 2;
}

int qm__sequence_settle(qm_sequence *s) {
  qm__later *l = s->later;
  if (!l || !l->n) return QM_OK;
  qm__point few[FEW];
  gather g = {.s = s, .l = l, .cuts = few};
  if (l->n_cuts > FEW) g.cuts = qm_alloc_array(l->arena->env, l->n_cuts, sizeof *g.cuts);
  if (!g.cuts) return QM_ENOMEM;
  sort_cuts(&g);
  int many = l->n >= BUILD_LEAST && (uint64_t)l->n * BUILD_FROM >= runs_there(s);
  int rc = many ? all_at_once(&g) : one_by_one(&g);
  if (g.cuts != few) qm_free(l->arena->env, g.cuts);
  l->n = l->n_tails = l->n_cuts = 0;
  l->hot = NULL;
  l->first = l->last = NULL;
  return rc;
}

int qm_sequence_settle(qm_cell *c) { return c->content ? qm__sequence_settle(c->content) : QM_OK; }
