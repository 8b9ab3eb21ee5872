#include "core/crdt/sequence_tree.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/norm.h"

static uint64_t shown_of(const qm__place *p) { return p ? p->shown : 0; }

static void sum(qm__place *p) { p->shown = p->own + shown_of(p->before) + shown_of(p->after); }

/* A mix of the dot: the same run gets the same priority anywhere, and nobody keeps a
 * generator. A forged choice of dots costs its own record time, no more. */
static uint32_t priority_of(qm_dot d) {
  uint64_t x = d.counter * UINT64_C(0x9e3779b97f4a7c15) + ((uint64_t)d.author << 32 | 0x5bd1e995u);
  x ^= x >> 31;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 29;
  x *= UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(x >> 32);
}

/* 0: no memory. */
static int give_place(qm__run *r, qm_arena *arena) {
  if (!r->place) r->place = qm_arena_alloc(arena, sizeof *r->place);
  return r->place != NULL;
}

qm__run *qm__run_next(const qm__run *r) { return r->next; }
qm__run *qm__run_prev(const qm__run *r) { return r->prev; }

static void thread(qm_sequence *s, qm__run *prev, qm__run *r, qm__run *next) {
  r->prev = prev;
  r->next = next;
  if (next) next->prev = r;
  if (prev)
    prev->next = r;
  else
    s->first = r;
}

/* Each goes to the right end: `last`, whose ancestors get their sums when something comes to
 * stand beside them. */
void qm__sequence_order(qm_sequence *s) {
  qm__place *last = NULL;
  if (s->top) return;
  for (qm__run *r = s->first; r; r = r->next) {
    qm__place *p = r->place, *below = NULL, *up = last;
    *p = (qm__place){.own = qm__run_shown(r), .run = r, .priority = priority_of(r->first)};
    for (; up && up->priority < p->priority; below = up, up = up->up) sum(up);
    p->before = below;
    if (below) below->up = p;
    p->up = up;
    if (up)
      up->after = p;
    else
      s->top = p;
    last = p;
  }
  for (; last; last = last->up) sum(last);
}

/* So many more, modulo 2^64 also where it is less. */
static void count(qm__place *p, uint64_t more) {
  p->own += more;
  for (; p; p = p->up) p->shown += more;
}

/* After r's state or len changed from `shown_before` visible elements. */
static void recount(qm_sequence *s, qm__run *r, uint64_t shown_before) {
  if (s->top) count(r->place, qm__run_shown(r) - shown_before);
}

/* Before anything in the treap changes; the place met last stands. */
static void count_near(qm_sequence *s) {
  if (s->near_more) count(s->near->place, s->near_more);
  s->near_more = 0;
}

void qm__sequence_forget(qm_sequence *s) {
  count_near(s);
  s->near = NULL;
}

/* Runs on either side of the place met last that are asked first: who edits goes on about where
 * he is. */
#define BESIDE 4

/* 1: the element stands in what is now the place met last. */
static int beside(qm_sequence *s, uint64_t at) {
  qm__run *r = s->near;
  uint64_t from = s->near_at;
  for (int i = 0; i < BESIDE && r && at < from; i++)
    if ((r = r->prev) != NULL) from -= qm__run_shown(r);
  for (int i = 0; i < BESIDE && r && at >= from && at - from >= qm__run_shown(r); i++) {
    from += qm__run_shown(r);
    r = r->next;
  }
  if (!r || at < from || at - from >= qm__run_shown(r)) return 0;
  if (r == s->near) return 1;
  count_near(s);
  s->near = r;
  s->near_at = from;
  return 1;
}

/* r has come to stand where it does, or is about to go: the place met last is its own where it
 * stands beside that, but for what shows nothing; else nobody knows which way that moved. So
 * many elements of r are counted in what stands before those behind it. */
static void near_to(qm_sequence *s, qm__run *r, uint64_t counted) {
  uint64_t at = s->near_at;
  qm__run *x = r->prev;
  if (!s->near || s->near == r) return;
  for (int i = 0; i < BESIDE && x && x != s->near && x->state == QM_RUN_DEAD; i++) x = x->prev;
  if (x == s->near) {
    at += qm__run_shown(x);
  } else {
    x = r->next;
    for (int i = 0; i < BESIDE && x && x != s->near && x->state == QM_RUN_DEAD; i++) x = x->next;
    at -= counted;
  }
  if (x != s->near) {
    s->near = NULL;
    return;
  }
  s->near = r;
  s->near_at = at;
}

void qm__run_hide(qm_sequence *s, qm__run *r) {
  uint64_t shown = qm__run_shown(r);
  count_near(s);
  near_to(s, r, shown);
  r->state = QM_RUN_DEAD;
  r->data = NULL;
  r->bytes = r->room = 0;
  recount(s, r, shown);
}

qm__run *qm__sequence_at(qm_sequence *s, uint64_t at, uint64_t *offset) {
  uint64_t passed = 0;
  if (s->near && beside(s, at)) {
    *offset = at - s->near_at;
    return s->near;
  }
  qm__sequence_forget(s);
  qm__sequence_order(s);
  for (const qm__place *p = s->top;;) {
    uint64_t left = shown_of(p->before);
    if (at < left)
      p = p->before;
    else if (at < left + p->own) {
      *offset = at - left;
      s->near = p->run;
      s->near_at = passed + left;
      return p->run;
    } else {
      at -= left + p->own;
      passed += left + p->own;
      p = p->after;
    }
  }
}

static unsigned depth_of(const qm__place *p) {
  unsigned d = 0;
  for (; p->up; p = p->up) d++;
  return d;
}

int qm__run_precedes(const qm__run *a, const qm__run *b) {
  const qm__place *x = a->place, *y = b->place, *x0 = NULL, *y0 = NULL; /* the child we came from */
  unsigned dx = depth_of(x), dy = depth_of(y);
  for (; dx > dy; dx--) x0 = x, x = x->up;
  for (; dy > dx; dy--) y0 = y, y = y->up;
  while (x != y) x0 = x, y0 = y, x = x->up, y = y->up;
  if (!x0) return x->after == y0; /* a is above b */
  return x->before == x0;
}

void qm__run_grew(qm_sequence *s, qm__run *r, uint64_t shown_before) {
  if (s->near == r) {
    s->near_more += qm__run_shown(r) - shown_before;
    return;
  }
  qm__sequence_forget(s);
  recount(s, r, shown_before);
}

static void relink(qm_sequence *s, qm__place *up, const qm__place *from, qm__place *to) {
  if (!up)
    s->top = to;
  else if (up->before == from)
    up->before = to;
  else
    up->after = to;
  if (to) to->up = up;
}

/* p takes the place of its parent in the treap. */
static void rotate(qm_sequence *s, qm__place *p) {
  qm__place *q = p->up;
  relink(s, q->up, q, p);
  if (q->before == p) {
    q->before = p->after;
    if (q->before) q->before->up = q;
    p->after = q;
  } else {
    q->after = p->before;
    if (q->after) q->after->up = q;
    p->before = q;
  }
  q->up = p;
  sum(q);
  sum(p);
}

/* r comes to stand below `up`, which has nothing on that side. */
static void settle_up(qm_sequence *s, qm__place *up, qm__run *r) {
  qm__place *p = r->place;
  *p = (qm__place){.up = up, .run = r, .priority = priority_of(r->first)};
  count(p, qm__run_shown(r));
  while (p->up && p->up->priority < p->priority) rotate(s, p);
}

static void stand_after(qm_sequence *s, qm__run *where, qm__run *r) {
  thread(s, where, r, where->next);
  if (!s->top) return;
  qm__place *p = where->place;
  if (!p->after) {
    p->after = r->place;
  } else {
    p = p->after;
    while (p->before) p = p->before;
    p->before = r->place;
  }
  settle_up(s, p, r);
}

static void stand_before(qm_sequence *s, qm__run *where, qm__run *r) {
  thread(s, where ? where->prev : NULL, r, where);
  if (!s->top) return;
  qm__place *p = where->place;
  if (!p->before) {
    p->before = r->place;
  } else {
    p = p->before;
    while (p->after) p = p->after;
    p->after = r->place;
  }
  settle_up(s, p, r);
}

static void leave(qm_sequence *s, qm__run *r) {
  if (r->next) r->next->prev = r->prev;
  if (r->prev)
    r->prev->next = r->next;
  else
    s->first = r->next;
  if (!s->top) return;
  qm__place *p = r->place;
  while (p->before || p->after) {
    qm__place *x = !p->before                                 ? p->after
                   : !p->after                                ? p->before
                   : p->before->priority > p->after->priority ? p->before
                                                              : p->after;
    rotate(s, x);
  }
  relink(s, p->up, p, NULL);
  for (qm__place *up = p->up; up; up = up->up) up->shown -= p->own;
}

static uint32_t column_place(const qm_sequence *s, const qm_authors *authors, uint32_t author) {
  uint32_t lo = 0, hi = s->n_columns, rank = authors->rank[author];
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (authors->rank[s->columns[mid].author] < rank)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

qm__column *qm__sequence_column(const qm_sequence *s, const qm_authors *authors, uint32_t author) {
  uint32_t at = column_place(s, authors, author);
  return at < s->n_columns && s->columns[at].author == author ? &s->columns[at] : NULL;
}

/* Index of the last leaf that begins at or before the counter; 0 where there is none. The first
 * run of a leaf may have come to begin elsewhere: then it is the leaf beside. */
static uint32_t leaf_from(const qm__column *c, uint64_t counter) {
  uint32_t lo = 0, n = c->n;
  while (n > 1) {
    uint32_t half = n / 2;
    lo += c->starts[lo + half] <= counter ? half : 0;
    n -= half;
  }
  while (lo && c->leaves[lo]->at[0] > counter) lo--;
  while (lo + 1 < c->n && c->leaves[lo + 1]->at[0] <= counter) lo++;
  return lo;
}

/* Place of the last run that begins at or before the counter; 0 where there is none. */
static uint32_t place_in(const qm__leaf *l, uint64_t counter) {
  uint32_t lo = 0, n = l->n;
  while (n > 1) {
    uint32_t half = n / 2;
    lo += l->at[lo + half] <= counter ? half : 0;
    n -= half;
  }
  return lo;
}

qm__run *qm__column_from(const qm__column *c, uint64_t counter) {
  if (!c->n || qm__run_end(qm__column_last(c)) <= counter) return NULL; /* as for all that is new */
  const qm__leaf *l = c->leaves[leaf_from(c, counter)];
  qm__run *r = l->p[place_in(l, counter)];
  return qm__run_end(r) > counter ? r : r->later;
}

/* r begins elsewhere, between the same neighbours. */
static void begin_at(qm__run *r, uint64_t counter) {
  r->leaf->at[place_in(r->leaf, r->first.counter)] = counter;
  r->first.counter = counter;
  r->key = r->first;
}

static int holds(const qm__run *r, qm_dot d) {
  return r && r->first.author == d.author && d.counter >= r->first.counter &&
         d.counter - r->first.counter < r->len;
}

qm__run *qm__sequence_find(qm_sequence *s, const qm_authors *authors, qm_dot d) {
  if (holds(s->hot, d)) return s->hot;
  if (holds(s->near, d)) return s->near; /* what was found by its place is edited */
  const qm__column *c = qm__sequence_column(s, authors, d.author);
  if (!c) return NULL;
  qm__run *r = qm__column_from(c, d.counter);
  if (!r || !holds(r, d)) return NULL;
  return s->hot = r;
}

#define LEAF_FIRST 2u /* of an author's first runs */

static int leaf_room(qm__leaf *l, qm_arena *arena, uint32_t cap) {
  uint64_t *at = qm_arena_array(arena, cap, sizeof *at + sizeof *l->p);
  if (!at) return QM_ENOMEM;
  qm__run **p = (qm__run **)(void *)(at + cap);
  if (l->n) {
    memcpy(at, l->at, l->n * sizeof *at);
    memcpy(p, l->p, l->n * sizeof *p);
  }
  l->at = at;
  l->p = p;
  l->cap = cap;
  return QM_OK;
}

qm__leaf *qm__leaf_make(qm_arena *arena, uint32_t cap) {
  qm__leaf *l = qm_arena_alloc(arena, sizeof *l);
  if (!l) return NULL;
  l->n = 0;
  return leaf_room(l, arena, cap) == QM_OK ? l : NULL;
}

/* Room for one more leaf at `at`, empty, to begin at the counter. `starts` stays ascending. */
static qm__leaf *leaf_open(qm__column *c, qm_arena *arena, uint32_t at, uint64_t counter) {
  qm__leaf *l = qm__leaf_make(arena, c->n ? QM_LEAF : LEAF_FIRST);
  uint64_t *starts =
      l ? qm_array_open(arena, c->starts, c->n, &c->cap_starts, at, sizeof *starts) : NULL;
  if (!starts) return NULL;
  c->starts = starts;
  qm__leaf **p = qm_array_open(arena, c->leaves, c->n, &c->cap, at, sizeof *p);
  if (!p) return NULL;
  c->leaves = p;
  c->n++;
  starts[at] = counter;
  for (uint32_t i = at + 1; i < c->n && starts[i] <= starts[i - 1]; i++) starts[i] = p[i]->at[0];
  for (uint32_t i = at; i && starts[i - 1] >= starts[i]; i--) starts[i - 1] = p[i - 1]->at[0];
  return p[at] = l;
}

/* The leaf for a run that goes there at *place and begins at the counter, with room. What is
 * typed is added at the end of the last one, so that is left full; any other is halved. */
static qm__leaf *leaf_with_room(qm__column *c, qm_arena *arena, qm__leaf *l, uint64_t counter,
                                uint32_t *place) {
  if (l->n < l->cap) return l;
  if (l->cap < QM_LEAF) {
    uint32_t cap = l->cap < QM_LEAF / 2 ? 2 * l->cap : QM_LEAF;
    return leaf_room(l, arena, cap) == QM_OK ? l : NULL;
  }
  uint32_t half = *place == QM_LEAF ? QM_LEAF : QM_LEAF / 2;
  uint64_t start = half < QM_LEAF ? l->at[half] : counter;
  qm__leaf *q = leaf_open(c, arena, leaf_from(c, l->at[0]) + 1, start);
  if (!q) return NULL;
  if (half == QM_LEAF) {
    *place = 0;
    return q;
  }
  q->n = QM_LEAF - half;
  l->n = half;
  memcpy(q->p, l->p + l->n, q->n * sizeof *q->p);
  memcpy(q->at, l->at + l->n, q->n * sizeof *q->at);
  for (uint32_t i = 0; i < q->n; i++) q->p[i]->leaf = q;
  if (*place <= l->n) return l;
  *place -= l->n;
  return q;
}

/* r goes behind `earlier`, to the start where that is NULL. */
static int column_add(qm__column *c, qm_arena *arena, qm__run *earlier, qm__run *r) {
  qm__leaf *l = earlier ? earlier->leaf
                : c->n  ? c->leaves[0]
                        : leaf_open(c, arena, 0, r->first.counter);
  if (!l) return QM_ENOMEM;
  uint32_t place = earlier ? place_in(l, earlier->first.counter) + 1 : 0;
  r->earlier = earlier;
  r->later = earlier ? earlier->later : l->n ? l->p[0] : NULL;
  l = leaf_with_room(c, arena, l, r->first.counter, &place);
  if (!l) return QM_ENOMEM;
  memmove(l->p + place + 1, l->p + place, (l->n - place) * sizeof *l->p);
  memmove(l->at + place + 1, l->at + place, (l->n - place) * sizeof *l->at);
  l->p[place] = r;
  l->at[place] = r->first.counter;
  l->n++;
  r->leaf = l;
  if (r->earlier) r->earlier->later = r;
  if (r->later) r->later->earlier = r;
  return QM_OK;
}

/* The last run of the column that ends at or before the counter, or NULL. */
static qm__run *column_before(const qm__column *c, uint64_t counter) {
  qm__run *behind = qm__column_from(c, counter);
  return behind ? behind->earlier : c->n ? qm__column_last(c) : NULL;
}

static int index_add(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r) {
  uint32_t at = column_place(s, authors, r->first.author);
  if (at == s->n_columns || s->columns[at].author != r->first.author) {
    qm__column *p = qm_array_open(arena, s->columns, s->n_columns, &s->cap_columns, at, sizeof *p);
    if (!p) return QM_ENOMEM;
    s->columns = p;
    s->n_columns++;
    memset(&p[at], 0, sizeof p[at]);
    p[at].author = r->first.author;
  }
  qm__column *c = &s->columns[at];
  return column_add(c, arena, column_before(c, r->first.counter), r);
}

static void list_drop(qm__runs *l, uint32_t at) {
  memmove(l->p + at, l->p + at + 1, (size_t)(l->n - at - 1) * sizeof *l->p);
  l->n--;
}

static void index_drop(qm_sequence *s, const qm_authors *authors, const qm__run *r) {
  qm__leaf *l = r->leaf;
  uint32_t place = place_in(l, r->first.counter);
  if (r->earlier) r->earlier->later = r->later;
  if (r->later) r->later->earlier = r->earlier;
  if (l->n > 1) {
    l->n--;
    memmove(l->p + place, l->p + place + 1, (l->n - place) * sizeof *l->p);
    memmove(l->at + place, l->at + place + 1, (l->n - place) * sizeof *l->at);
    return;
  }
  qm__column *c = qm__sequence_column(s, authors, r->first.author);
  uint32_t at = leaf_from(c, r->first.counter);
  memmove(c->leaves + at, c->leaves + at + 1, (c->n - at - 1) * sizeof *c->leaves);
  memmove(c->starts + at, c->starts + at + 1, (c->n - at - 1) * sizeof *c->starts);
  if (--c->n) return;
  at = (uint32_t)(c - s->columns);
  memmove(c, c + 1, (s->n_columns - at - 1) * sizeof *c);
  s->n_columns--;
}

static qm__run *last_of(qm__run *r) {
  while (r->rights.n) r = r->rights.p[r->rights.n - 1];
  return r;
}

qm__run *qm__sequence_tail(const qm_sequence *s) {
  const qm__runs *l = s->strays.n ? &s->strays : &s->tops;
  return l->n ? last_of(l->p[l->n - 1]) : NULL;
}

static qm__run *first_of(qm__run *r) {
  while (r->lefts.n) r = r->lefts.p[0];
  return r;
}

int qm__sibling_cmp(const qm_authors *authors, const qm__run *a, const qm__run *b) {
  int c = qm_dot_cmp(authors, b->key, a->key);
  return c ? c : qm_dot_cmp(authors, b->first, a->first);
}

static uint32_t list_place(const qm__runs *l, const qm_authors *authors, const qm__run *r) {
  uint32_t lo = 0, hi = l->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm__sibling_cmp(authors, l->p[mid], r) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int list_add(qm__runs *l, qm_arena *arena, uint32_t at, qm__run *r) {
  qm__run **p = qm_array_open(arena, l->p, l->n, &l->cap, at, sizeof *p);
  if (!p) return QM_ENOMEM;
  l->p = p;
  p[at] = r;
  l->n++;
  return QM_OK;
}

static size_t bytes_before(const qm__run *r, uint64_t offset) {
  if (r->state == QM_RUN_DEAD) return 0;
  if (r->state == QM_RUN_VALUES) return (size_t)offset * sizeof(qm_slice);
  if (r->bytes == r->len) return (size_t)offset; /* ASCII */
  return qm_utf8_offset(qm_slice_of(r->data, r->bytes), (size_t)offset);
}

void qm__run_clip(qm__run *r, uint64_t offset, uint64_t len) {
  if (offset + len < r->len) {
    r->bytes = bytes_before(r, offset + len);
    r->len = offset + len;
    r->room = 0;
  }
  if (!offset) return;
  size_t skip = bytes_before(r, offset);
  if (r->data) r->data += skip;
  r->bytes -= skip;
  r->parent.author = r->first.author;
  r->parent.counter = r->first.counter + offset - 1;
  r->on = QM_ON_RIGHT;
  r->first.counter += offset;
  r->key = r->first;
  r->len -= offset;
}

qm__run *qm__run_halve(qm_sequence *s, qm_arena *arena, qm__run *r, uint64_t offset) {
  qm__run *q = s->spare ? s->spare : qm_arena_alloc(arena, sizeof *q);
  if (!q) return NULL;
  qm__place *place = q == s->spare ? q->place : NULL;
  if (q == s->spare) s->spare = q->next;
  *q = *r;
  q->place = place;
  qm__run_clip(q, offset, r->len - offset);
  qm__run_clip(r, 0, offset);
  q->stray = 0;
  memset(&q->lefts, 0, sizeof q->lefts);
  memset(&r->rights, 0, sizeof r->rights);
  return q;
}

int qm__sequence_split(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r,
                       uint64_t offset, qm__run **second) {
  uint64_t shown = qm__run_shown(r);
  count_near(s); /* what stands before it does not change */
  qm__run *q = qm__run_halve(s, arena, r, offset);
  if (!q || !give_place(q, arena)) return QM_ENOMEM;
  recount(s, r, shown);
  stand_after(s, r, q);
  *second = q;
  QM_TRY(list_add(&r->rights, arena, 0, q));
  return column_add(qm__sequence_column(s, authors, q->first.author), arena, r, q);
}

int qm__sequence_insert(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r) {
  qm__runs *list = &s->tops;
  qm__run *host = NULL;
  if (!give_place(r, arena)) return QM_ENOMEM;
  if (r->on != QM_ON_ROOT) {
    host = qm__sequence_find(s, authors, r->parent);
    if (!host) list = &s->strays;
    r->stray = !host;
  }
  if (host) {
    uint64_t offset = r->parent.counter - host->first.counter;
    qm__run *second = NULL;
    if (r->on == QM_ON_RIGHT && offset + 1 < host->len) {
      QM_TRY(qm__sequence_split(s, authors, arena, host, offset + 1, &second));
    } else if (r->on == QM_ON_LEFT && offset) {
      QM_TRY(qm__sequence_split(s, authors, arena, host, offset, &second));
      host = second;
    }
    list = r->on == QM_ON_RIGHT ? &host->rights : &host->lefts;
  }
  uint32_t at = list_place(list, authors, r);
  count_near(s);
  QM_TRY(list_add(list, arena, at, r));
  if (at)
    stand_after(s, last_of(list->p[at - 1]), r);
  else if (list == &s->strays && s->tops.n)
    stand_after(s, last_of(s->tops.p[s->tops.n - 1]), r);
  else if (!host)
    stand_before(s, qm__sequence_head(s), r);
  else if (r->on == QM_ON_RIGHT)
    stand_after(s, host, r);
  else
    stand_before(s, list->n > 1 ? first_of(list->p[1]) : host, r);
  near_to(s, r, 0);
  s->hot = r;
  return index_add(s, authors, arena, r);
}

/* The list that r stands in, and where: at its end where it is not there. */
static qm__runs *list_of(qm_sequence *s, const qm_authors *authors, const qm__run *r,
                         uint32_t *at) {
  qm__runs *list = &s->tops;
  qm__run *host = NULL;
  if (r->on != QM_ON_ROOT && !r->stray) host = qm__sequence_find(s, authors, r->parent);
  if (host)
    list = r->on == QM_ON_RIGHT ? &host->rights : &host->lefts;
  else if (r->on != QM_ON_ROOT)
    list = &s->strays;
  *at = list_place(list, authors, r);
  if (*at < list->n && list->p[*at] != r) *at = list->n;
  return list;
}

int qm__sequence_inherit(qm_sequence *s, const qm_authors *authors, qm__run *r, qm__run *heir) {
  uint32_t at;
  qm__runs *list = list_of(s, authors, r, &at);
  int ordered = at < list->n;
  heir->on = r->on;
  heir->stray = r->stray;
  heir->parent = r->parent;
  heir->key = r->key;
  if (ordered) list->p[at] = heir;
  if (ordered && at) ordered = qm__sibling_cmp(authors, list->p[at - 1], heir) < 0;
  if (ordered && at + 1 < list->n) ordered = qm__sibling_cmp(authors, heir, list->p[at + 1]) < 0;
  index_drop(s, authors, r);
  leave(s, r);
  if (s->hot == r) s->hot = NULL;
  return ordered;
}

void qm__sequence_remove(qm_sequence *s, const qm_authors *authors, qm__run *r) {
  uint32_t at;
  qm__runs *list = list_of(s, authors, r, &at);
  if (at < list->n) list_drop(list, at);
  index_drop(s, authors, r);
  leave(s, r);
  if (s->hot == r) s->hot = NULL;
}

int qm__run_give_end(qm_sequence *s, qm__run *r, uint64_t k) {
  qm__run *d = r->rights.n == 1 ? r->rights.p[0] : NULL;
  uint64_t shown = qm__run_shown(r);
  if (!d || k >= r->len || d->state != QM_RUN_DEAD || d->lefts.n || qm__run_moved(d) ||
      d->first.author != r->first.author || d->first.counter != qm__run_end(r))
    return 0;
  r->bytes = bytes_before(r, r->len - k);
  r->room = 0;
  r->len -= k;
  begin_at(d, d->first.counter - k);
  d->len += k;
  d->parent = qm__run_last(r);
  qm__run_grew(s, r, shown);
  return 1;
}

int qm__run_give_start(qm_sequence *s, const qm_authors *authors, qm__run *r, uint64_t k) {
  uint64_t shown = qm__run_shown(r);
  if (k >= r->len || r->on != QM_ON_RIGHT || r->stray || r->lefts.n || qm__run_moved(r) ||
      !r->first.counter ||
      r->parent.author != r->first.author || r->parent.counter + 1 != r->first.counter)
    return 0;
  qm__run *d = qm__sequence_find(s, authors, r->parent);
  if (!d || d->state != QM_RUN_DEAD || d->rights.n != 1) return 0;
  size_t skip = bytes_before(r, k);
  r->data += skip;
  r->bytes -= skip;
  begin_at(r, r->first.counter + k);
  r->len -= k;
  d->len += k;
  r->parent = qm__run_last(d);
  qm__run_grew(s, r, shown);
  return 1;
}

int qm__sequence_merge(qm_sequence *s, const qm_authors *authors, qm__run *first, qm__run *second) {
  if (first->state != QM_RUN_DEAD || second->state != QM_RUN_DEAD || second->on != QM_ON_RIGHT ||
      first->rights.n != 1 || first->rights.p[0] != second || second->lefts.n ||
      qm__run_moved(second) ||
      first->first.author != second->first.author || qm__run_end(first) != second->first.counter)
    return 0;
  index_drop(s, authors, second);
  leave(s, second);
  first->len += second->len;
  first->rights = second->rights;
  if (s->hot == second) s->hot = first;
  if (s->near == second) s->near = first; /* neither shows anything */
  second->next = s->spare;
  s->spare = second;
  return 1;
}
