/* A sequence made whole from runs in the order of their dots: what a state holds, what a join
 * gives. Where each run hangs is found by merging two sorted lists, and no list is searched,
 * so the cost is that of sorting the places at which runs hang. */
#include <string.h>

#include "core/crdt/codec.h"
#include "core/crdt/sequence_tree.h"

#define FEW 24u       /* points */
#define FEW_RUNS 32u  /* given: built without memory of their own */
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

#define NOWHERE UINT32_MAX /* on what is not there; in no document */
#define ROOT (UINT32_MAX - 1)

/* The tree is found out in numbers of pieces: these stand side by side, and the runs, which are
 * large, are met one after the other and seldom. A list is 2 * piece for what hangs on its left,
 * and one more for what hangs on its right. */
typedef struct builder {
  qm_sequence *s;
  const qm_authors *authors;
  qm_arena *arena;
  qm__point *hangs; /* where runs hang: the boundary that must stand there, by dot; `len`:
                       2 * which of the runs given, and one more on the right */
  size_t n_hangs;
  qm__run **pieces; /* by dot */
  uint32_t *hosts;  /* of the runs given: the list that they hang in, NOWHERE, or ROOT */
  uint32_t *of;     /* of pieces: the same */
  uint32_t *starts; /* of lists in `kids` */
  uint32_t *kids;   /* pieces */
  uint32_t *order;  /* pieces in the document */
  uint32_t *places; /* of pieces there, or NOWHERE */
  uint32_t n, n_placed, n_moved, n_lost;
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
    uint32_t right = r->on == QM_ON_RIGHT;
    b->hosts[i] = r->on == QM_ON_ROOT ? ROOT : NOWHERE;
    b->n_moved += (uint32_t)qm__run_moved(r);
    if (r->on == QM_ON_ROOT || goes_on(i ? runs[i - 1] : NULL, r)) continue;
    b->hangs[b->n_hangs++] = (qm__point){b->authors->rank[r->parent.author],
                                         r->parent.counter + right, 2 * i + right, NULL};
  }
  qm__points_sort(b->arena->env, b->hangs, b->n_hangs);
}

/* Gives those that hang at the boundary their host: on its left those that hang there on the
 * right, and the other way round. */
static void host(const builder *b, size_t at, uint32_t rank, uint64_t counter, unsigned right) {
  for (; at < b->n_hangs && b->hangs[at].rank == rank && b->hangs[at].counter == counter; at++)
    if ((b->hangs[at].len & 1) == right) b->hosts[b->hangs[at].len / 2] = 2 * b->n + right;
}

/* Runs cut where others hang on them. Where the first piece of a run hangs is known once all
 * are. */
static int cut_up(builder *b, qm__run *const *runs, size_t n, uint32_t *firsts) {
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    qm__run *r = runs[i];
    uint32_t rank = b->authors->rank[r->first.author];
    const qm__point from = {rank, r->first.counter, 0, NULL};
    if (goes_on(i ? b->pieces[b->n - 1] : NULL, r)) b->hosts[i] = 2 * (b->n - 1) + 1;
    firsts[i] = b->n;
    while (at < b->n_hangs && point_less(&b->hangs[at], &from)) at++;
    for (;;) {
      host(b, at, rank, r->first.counter, 0);
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
      host(b, at, rank, qm__run_end(r), 1);
      b->pieces[b->n++] = r;
      if (!rest) break;
      b->of[b->n] = 2 * (b->n - 1) + 1;
      r = rest;
    }
  }
  for (size_t i = 0; i < n; i++) b->of[firsts[i]] = b->hosts[i];
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

/* The last two lists are what hangs on the root, and on nothing. */
static uint32_t list_of(const builder *b, uint32_t piece) {
  uint32_t list = b->of[piece];
  return list == ROOT ? 2 * b->n : list == NOWHERE ? 2 * b->n + 1 : list;
}

/* In its list, from the end on. `ends` are moved down to where the lists begin. */
static void hang(const builder *b, uint32_t *ends, const uint32_t *lists, uint32_t piece) {
  uint32_t at = --ends[lists[piece]], end = b->starts[lists[piece] + 1];
  for (; at + 1 < end; at++) { /* in their order but for forged ones */
    if (qm__sibling_cmp(b->authors, b->pieces[piece], b->pieces[b->kids[at + 1]]) <= 0) break;
    b->kids[at] = b->kids[at + 1];
  }
  b->kids[at] = piece;
}

/* From the least key on: from the first dot where nothing is moved. */
static int hang_all(builder *b, uint32_t *ends, const uint32_t *lists) {
  if (!b->n_moved) {
    for (uint32_t i = 0; i < b->n; i++) hang(b, ends, lists, i);
    return QM_OK;
  }
  qm__point *p = qm_alloc_array(b->arena->env, b->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < b->n; i++) {
    const qm__run *r = b->pieces[i];
    p[i] = (qm__point){b->authors->rank[r->key.author], r->key.counter, i, NULL};
  }
  qm__points_sort(b->arena->env, p, b->n);
  for (uint32_t i = 0; i < b->n; i++) hang(b, ends, lists, (uint32_t)p[i].len);
  qm_free(b->arena->env, p);
  return QM_OK;
}

/* `lists` and `ends` are scratch, of the size of `of` and `starts`. */
static int build_lists(builder *b, uint32_t *lists, uint32_t *ends) {
  uint32_t n_lists = 2 * b->n + 2;
  memset(b->starts, 0, (n_lists + 1) * sizeof *b->starts);
  for (uint32_t i = 0; i < b->n; i++) b->starts[(lists[i] = list_of(b, i)) + 1]++;
  for (uint32_t i = 0; i < n_lists; i++) ends[i] = b->starts[i + 1] += b->starts[i];
  return hang_all(b, ends, lists);
}

/* --- the document --- */

#define SHOW 0x80000000u /* the piece itself comes: its lefts did */

static uint32_t push_list(const builder *b, uint32_t list, uint32_t *stack, uint32_t depth) {
  for (uint32_t i = b->starts[list + 1]; i-- > b->starts[list];) stack[depth++] = b->kids[i];
  return depth;
}

/* Each piece is pushed twice at most. What is not met hangs in a ring; nothing else hangs on
 * it from outside. */
static void walk(builder *b, uint32_t list, uint32_t *stack) {
  uint32_t depth = push_list(b, list, stack, 0);
  while (depth) {
    uint32_t x = stack[--depth];
    if (x & SHOW) {
      x &= ~SHOW;
      b->places[x] = b->n_placed;
      b->order[b->n_placed++] = x;
      continue;
    }
    depth = push_list(b, 2 * x + 1, stack, depth);
    stack[depth++] = x | SHOW;
    depth = push_list(b, 2 * x, stack, depth);
  }
}

static void give_list(const builder *b, uint32_t list, qm__run **room, qm__runs *out) {
  out->p = room + b->starts[list];
  out->n = out->cap = b->starts[list + 1] - b->starts[list];
}

/* What a run is told of the others. */
static int link_all(const builder *b) {
  qm_sequence *s = b->s;
  qm__run **room = qm_arena_array(b->arena, b->n, sizeof *room); /* all lists in one stretch */
  /* Not touched before somebody asks for a position. Neighbours stand side by side. */
  qm__place *standing = qm_arena_array(b->arena, b->n_placed, sizeof *standing);
  if (!room || !standing) return QM_ENOMEM;
  for (uint32_t i = 0; i < b->n; i++) room[i] = b->pieces[b->kids[i]];
  give_list(b, 2 * b->n, room, &s->tops);
  give_list(b, 2 * b->n + 1, room, &s->strays);
  if (b->n_placed) s->first = b->pieces[b->order[0]];
  for (uint32_t i = 0; i < b->n; i++) {
    qm__run *r = b->pieces[i];
    uint32_t at = b->places[i];
    give_list(b, 2 * i, room, &r->lefts);
    give_list(b, 2 * i + 1, room, &r->rights);
    r->above = NULL;
    r->place = at == NOWHERE ? NULL : standing + at;
    r->stray = b->of[i] == NOWHERE;
    r->prev = at != NOWHERE && at ? b->pieces[b->order[at - 1]] : NULL;
    r->next = at != NOWHERE && at + 1 < b->n_placed ? b->pieces[b->order[at + 1]] : NULL;
  }
  return QM_OK;
}

static void drop_rings(builder *b) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < b->n; i++)
    if (b->places[i] != NOWHERE) b->pieces[kept++] = b->pieces[i];
  b->n = kept;
}

/* scratch: four numbers for each piece, or more. */
static int set_up(builder *b, uint32_t *scratch) {
  QM_TRY(build_lists(b, b->order, scratch));
  memset(b->places, 0xff, b->n * sizeof *b->places);
  walk(b, 2 * b->n, scratch);
  walk(b, 2 * b->n + 1, scratch);
  QM_TRY(link_all(b));
  b->n_lost = b->n - b->n_placed;
  if (b->n_lost) drop_rings(b);
  return add_columns(b);
}

/* What a build works with and leaves behind: texts are mostly a few runs, and those build
 * without asking for memory but what they keep. */
typedef struct workshop {
  qm__point hangs[FEW_RUNS];
  qm__run *pieces[2 * FEW_RUNS];
  uint32_t numbers[4 * FEW_RUNS], raised[9 * 2 * FEW_RUNS + 3];
} workshop;

static int raise(builder *b, workshop *few) {
  const qm_env *env = b->arena->env;
  size_t n = b->n;
  uint32_t *numbers =
      n <= 2 * FEW_RUNS ? few->raised : qm_alloc_array(env, 9 * n + 3, sizeof *numbers);
  if (!numbers) return QM_ENOMEM;
  b->kids = numbers + 4 * n;
  b->order = b->kids + n;
  b->places = b->order + n;
  b->starts = b->places + n;
  int rc = set_up(b, numbers);
  if (numbers != few->raised) qm_free(env, numbers);
  return rc;
}

/* `numbers`: four for each run; b->hangs and b->pieces are given: one, and two. */
static int build_in(builder *b, qm__run **runs, size_t n, uint32_t *numbers, workshop *few) {
  b->of = numbers;
  b->hosts = b->of + 2 * n;
  note_hangs(b, runs, n);
  QM_TRY(cut_up(b, runs, n, b->hosts + n));
  return raise(b, few);
}

static int build_many(builder *b, qm__run **runs, size_t n, workshop *few) {
  const qm_env *env = b->arena->env;
  uint32_t *numbers = qm_alloc_array(env, 4 * n, sizeof *numbers);
  b->hangs = qm_alloc_array(env, n, sizeof *b->hangs);
  b->pieces = qm_alloc_array(env, 2 * n, sizeof *b->pieces); /* each hangs at one place */
  int rc = QM_ENOMEM;
  if (b->hangs && b->pieces && numbers) rc = build_in(b, runs, n, numbers, few);
  qm_free(env, numbers);
  qm_free(env, b->pieces);
  qm_free(env, b->hangs);
  return rc;
}

int qm__sequence_build(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run **runs,
                       size_t n, int *placed) {
  workshop few;
  builder b = {
      .s = s, .authors = authors, .arena = arena, .hangs = few.hangs, .pieces = few.pieces};
  memset(s, 0, sizeof *s);
  if (placed) *placed = 1;
  if (!n) return QM_OK;
  if (n >= SHOW / 4) return QM_ENOMEM;
  int rc = n <= FEW_RUNS ? build_in(&b, runs, n, few.numbers, &few)
                         : build_many(&b, runs, n, &few);
  if (rc == QM_OK && placed) *placed = !b.n_lost;
  return rc;
}
