/* A sequence made whole from runs in the order of their dots: what a state holds, what a join
 * gives. Where each run hangs is found by merging two sorted lists, and no list is searched,
 * so the cost is that of sorting the places at which runs hang. */
#include <string.h>

#include "core/crdt/codec.h"
#include "core/crdt/sequence_tree.h"

#define FEW 24u       /* points */
#define LEAF_FILL 24u /* of QM_LEAF: room for what comes in between */

/* --- sorting --- */

static int point_less(const qm__point *a, const qm__point *b) {
  return a->rank != b->rank ? a->rank < b->rank : a->counter < b->counter;
}

static void sift(qm__point *p, size_t root, size_t n) {
  for (;;) {
    size_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && point_less(&p[child], &p[child + 1])) child++;
    if (!point_less(&p[root], &p[child])) return;
    qm__point t = p[root];
    p[root] = p[child];
    p[child] = t;
    root = child;
  }
}

static unsigned byte_of(const qm__point *p, unsigned digit) {
  uint64_t v = digit < 8 ? p->counter >> (8 * digit) : p->rank >> (8 * (digit - 8));
  return (unsigned)(v & 0xff);
}

/* Stable, by one byte. */
static void by_byte(qm__point *to, const qm__point *from, size_t n, unsigned digit) {
  size_t at[256] = {0}, sum = 0;
  for (size_t i = 0; i < n; i++) at[byte_of(&from[i], digit)]++;
  for (unsigned b = 0; b < 256; b++) {
    size_t here = at[b];
    at[b] = sum;
    sum += here;
  }
  for (size_t i = 0; i < n; i++) to[at[byte_of(&from[i], digit)]++] = from[i];
}

/* Least byte first; bytes that are the same in all points are left out. 0: no memory. */
static int radix_sort(const qm_env *env, qm__point *p, size_t n) {
  qm__point differ = {0, 0, 0, NULL}, *from = p, *to = qm_alloc_array(env, n, sizeof *to);
  qm__point *spare = to;
  if (!to) return 0;
  for (size_t i = 1; i < n; i++) {
    differ.counter |= p[i].counter ^ p[0].counter;
    differ.rank |= p[i].rank ^ p[0].rank;
  }
  for (unsigned digit = 0; digit < 12; digit++) {
    if (!byte_of(&differ, digit)) continue;
    by_byte(to, from, n, digit);
    qm__point *x = from;
    from = to;
    to = x;
  }
  if (from != p) memcpy(p, from, n * sizeof *p);
  qm_free(env, spare);
  return 1;
}

void qm__points_sort(const qm_env *env, qm__point *p, size_t n) {
  size_t i = 1;
  while (i < n && !point_less(&p[i], &p[i - 1])) i++;
  if (i >= n) return; /* as mostly: in order already */
  if (n <= FEW) {
    for (; i < n; i++) {
      qm__point x = p[i];
      size_t to = i;
      for (; to && point_less(&x, &p[to - 1]); to--) p[to] = p[to - 1];
      p[to] = x;
    }
    return;
  }
  if (n >= 256 && radix_sort(env, p, n)) return;
  for (i = n / 2; i-- > 0;) sift(p, i, n);
  for (size_t end = n; end-- > 1;) {
    qm__point t = p[0];
    p[0] = p[end];
    p[end] = t;
    sift(p, 0, end);
  }
}

/* --- pieces --- */

typedef struct builder {
  qm_sequence *s;
  const qm_authors *authors;
  qm_arena *arena;
  qm__point *hangs; /* where runs hang: the boundary that must stand there, by dot */
  size_t n_hangs;
  qm__run **pieces; /* by dot */
  size_t n;
} builder;

/* r goes on where the run before it ends. */
static int goes_on(const qm__run *before, const qm__run *r) {
  return before && r->on == QM_ON_RIGHT && r->parent.author == before->first.author &&
         r->parent.counter + 1 == qm__run_end(before) && r->first.author == before->first.author;
}

/* A boundary: behind the parent of a right child, before that of a left child. */
static void note_hangs(builder *b, qm__run *const *runs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    qm__run *r = runs[i];
    r->above = NULL;
    if (r->on == QM_ON_ROOT || goes_on(i ? runs[i - 1] : NULL, r)) continue;
    b->hangs[b->n_hangs++] = (qm__point){b->authors->rank[r->parent.author],
                                         r->parent.counter + (r->on == QM_ON_RIGHT), 0, r};
  }
  qm__points_sort(b->arena->env, b->hangs, b->n_hangs);
}

static void add_piece(builder *b, qm__run *r) {
  r->lefts.n = r->rights.n = 0;
  r->cursor = 0;
  r->stray = 0;
  r->up = r->before = r->after = NULL;
  r->priority = qm__run_priority(r->first);
  b->pieces[b->n++] = r;
}

/* Gives those that hang at the boundary their host: on its left those that hang there on the
 * right, and the other way round. */
static void host(const builder *b, size_t at, uint32_t rank, uint64_t counter, unsigned on,
                 qm__run *r) {
  for (; at < b->n_hangs && b->hangs[at].rank == rank && b->hangs[at].counter == counter; at++)
    if (b->hangs[at].run->on == on) b->hangs[at].run->above = r;
}

/* Runs cut where others hang on them. A parent that is not there stays without a host. */
static int cut_up(builder *b, qm__run *const *runs, size_t n) {
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    qm__run *r = runs[i];
    uint32_t rank = b->authors->rank[r->first.author];
    const qm__point from = {rank, r->first.counter, 0, NULL};
    qm__run *before = i ? b->pieces[b->n - 1] : NULL; /* the end of runs[i - 1] */
    if (goes_on(before, r)) r->above = before;
    while (at < b->n_hangs && point_less(&b->hangs[at], &from)) at++;
    for (;;) {
      host(b, at, rank, r->first.counter, QM_ON_LEFT, r);
      while (at < b->n_hangs && b->hangs[at].rank == rank &&
             b->hangs[at].counter == r->first.counter)
        at++;
      int inside = at < b->n_hangs && b->hangs[at].rank == rank &&
                   b->hangs[at].counter < qm__run_end(r);
      qm__run *rest = NULL;
      if (inside) {
        rest = qm__run_halve(b->s, b->arena, r, b->hangs[at].counter - r->first.counter);
        if (!rest) return QM_ENOMEM;
      }
      add_piece(b, r);
      host(b, at, rank, qm__run_end(r), QM_ON_RIGHT, r);
      if (!rest) break;
      rest->above = r;
      r = rest;
    }
  }
  return QM_OK;
}

/* --- columns --- */

static int add_column(builder *b, qm__run *const *p, size_t n) {
  qm_sequence *s = b->s;
  uint32_t leaves = (uint32_t)((n + LEAF_FILL - 1) / LEAF_FILL);
  qm__column *c =
      qm_array_open(b->arena, s->columns, s->n_columns, &s->cap_columns, s->n_columns, sizeof *c);
  if (!c) return QM_ENOMEM;
  s->columns = c;
  c += s->n_columns;
  *c = (qm__column){.author = p[0]->first.author, .cap = leaves, .cap_starts = leaves};
  c->leaves = qm_arena_array(b->arena, leaves, sizeof *c->leaves);
  c->starts = qm_arena_array(b->arena, leaves, sizeof *c->starts);
  if (!c->leaves || !c->starts) return QM_ENOMEM;
  for (size_t at = 0; at < n; at += LEAF_FILL) {
    uint32_t count = n - at < LEAF_FILL ? (uint32_t)(n - at) : LEAF_FILL;
    qm__leaf *l = qm__leaf_make(b->arena, n < LEAF_FILL ? count : QM_LEAF);
    if (!l) return QM_ENOMEM;
    l->n = count;
    c->starts[c->n] = p[at]->first.counter;
    c->leaves[c->n++] = l;
    for (uint32_t i = 0; i < l->n; i++) {
      qm__run *r = l->p[i] = p[at + i];
      l->at[i] = r->first.counter;
      r->leaf = l;
      r->earlier = at + i ? p[at + i - 1] : NULL;
      r->later = at + i + 1 < n ? p[at + i + 1] : NULL;
    }
  }
  s->n_columns++;
  return QM_OK;
}

static int add_columns(builder *b) {
  for (size_t from = 0, to; from < b->n; from = to) {
    for (to = from + 1; to < b->n; to++)
      if (b->pieces[to]->first.author != b->pieces[from]->first.author) break;
    QM_TRY(add_column(b, b->pieces + from, to - from));
  }
  return QM_OK;
}

/* --- lists of children --- */

static qm__runs *list_of(qm_sequence *s, const qm__run *r) {
  if (r->on == QM_ON_ROOT) return &s->tops;
  if (!r->above) return &s->strays;
  return r->on == QM_ON_RIGHT ? &r->above->rights : &r->above->lefts;
}

static void give_room(qm__runs *l, qm__run ***room) {
  l->p = *room;
  *room += l->n;
  l->cap = l->n;
  l->n = 0;
}

static void hang(const builder *b, qm__run *r) {
  qm__runs *l = list_of(b->s, r);
  uint32_t at = l->n++; /* in their order but for forged ones */
  for (; at && qm__sibling_cmp(b->authors, l->p[at - 1], r) > 0; at--) l->p[at] = l->p[at - 1];
  l->p[at] = r;
}

/* From the greatest key on, as the lists stand: from the last dot where nothing is moved. */
static int hang_all(builder *b) {
  size_t moved = 0;
  for (size_t i = 0; i < b->n; i++) moved += (size_t)qm__run_moved(b->pieces[i]);
  if (!moved) {
    for (size_t i = b->n; i--;) hang(b, b->pieces[i]);
    return QM_OK;
  }
  qm__point *p = qm_alloc_array(b->arena->env, b->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (size_t i = 0; i < b->n; i++) {
    qm__run *r = b->pieces[i];
    p[i] = (qm__point){b->authors->rank[r->key.author], r->key.counter, 0, r};
  }
  qm__points_sort(b->arena->env, p, b->n);
  for (size_t i = b->n; i--;) hang(b, p[i].run);
  qm_free(b->arena->env, p);
  return QM_OK;
}

/* All lists in one stretch of memory. */
static int build_lists(builder *b) {
  qm__run **room = qm_arena_array(b->arena, b->n, sizeof *room);
  if (!room) return QM_ENOMEM;
  for (size_t i = 0; i < b->n; i++) {
    qm__run *r = b->pieces[i];
    r->stray = r->on != QM_ON_ROOT && !r->above;
    list_of(b->s, r)->n++;
  }
  give_room(&b->s->tops, &room);
  give_room(&b->s->strays, &room);
  for (size_t i = 0; i < b->n; i++) {
    give_room(&b->pieces[i]->lefts, &room);
    give_room(&b->pieces[i]->rights, &room);
  }
  return hang_all(b);
}

/* --- the document --- */

static qm__run *append(qm_sequence *s, qm__run *last, qm__run *r) {
  r->prev = last;
  r->next = NULL;
  if (last)
    last->next = r;
  else
    s->first = r;
  return r;
}

static size_t walk(qm_sequence *s, const qm__runs *from, qm__run **stack, qm__run **last) {
  size_t placed = 0;
  for (uint32_t i = 0; i < from->n; i++) {
    size_t depth = 1;
    stack[0] = from->p[i];
    while (depth) {
      qm__run *r = stack[depth - 1];
      uint32_t c = r->cursor++;
      if (c < r->lefts.n)
        stack[depth++] = r->lefts.p[c];
      else if (c == r->lefts.n)
        *last = append(s, *last, r), placed++;
      else if (c - r->lefts.n - 1 < r->rights.n)
        stack[depth++] = r->rights.p[c - r->lefts.n - 1];
      else
        depth--;
    }
  }
  return placed;
}

/* What no walk met hangs in a ring; nothing else hangs on it from outside. */
static void drop_rings(builder *b) {
  size_t kept = 0;
  for (size_t i = 0; i < b->n; i++)
    if (b->pieces[i]->cursor) b->pieces[kept++] = b->pieces[i];
  b->n = kept;
}

static int raise(builder *b, size_t *placed) {
  qm__run *last = NULL;
  QM_TRY(build_lists(b));
  qm__run **stack = qm_alloc_array(b->arena->env, b->n, sizeof *stack);
  if (!stack) return QM_ENOMEM;
  *placed = walk(b->s, &b->s->tops, stack, &last);
  *placed += walk(b->s, &b->s->strays, stack, &last);
  qm_free(b->arena->env, stack);
  if (*placed < b->n) drop_rings(b);
  return add_columns(b);
}

int qm__sequence_build(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run **runs,
                       size_t n, int *placed) {
  builder b = {.s = s, .authors = authors, .arena = arena};
  size_t met = 0, all = 0;
  memset(s, 0, sizeof *s);
  if (placed) *placed = 1;
  if (!n) return QM_OK;
  b.hangs = qm_alloc_array(arena->env, n, sizeof *b.hangs);
  b.pieces = qm_alloc_array(arena->env, 2 * n, sizeof *b.pieces); /* each hangs at one place */
  int rc = b.hangs && b.pieces ? QM_OK : QM_ENOMEM;
  if (rc == QM_OK) {
    note_hangs(&b, runs, n);
    rc = cut_up(&b, runs, n);
  }
  all = b.n;
  if (rc == QM_OK) rc = raise(&b, &met);
  if (placed) *placed = met == all;
  qm_free(arena->env, b.pieces);
  qm_free(arena->env, b.hangs);
  return rc;
}
