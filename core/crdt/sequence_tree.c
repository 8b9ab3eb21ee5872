#include "core/crdt/sequence_tree.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/norm.h"

static uint64_t shown_of(const qm__run *r) { return r ? r->shown : 0; }

static void update(qm__run *r) {
  r->shown = qm__run_shown(r) + shown_of(r->before) + shown_of(r->after);
}

/* A mix of the dot: the same run gets the same priority anywhere, and nobody keeps
 * a generator. A forged choice of dots costs its own record time, no more. */
static uint32_t priority_of(qm_dot d) {
  uint64_t x = d.counter * UINT64_C(0x9e3779b97f4a7c15) + ((uint64_t)d.author << 32 | 0x5bd1e995u);
  x ^= x >> 31;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 29;
  x *= UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(x >> 32);
}

qm__run *qm__sequence_head(const qm_sequence *s) {
  qm__run *r = s->top;
  while (r && r->before) r = r->before;
  return r;
}

qm__run *qm__run_next(const qm__run *r) { return r->next; }
qm__run *qm__run_prev(const qm__run *r) { return r->prev; }

static void thread(qm__run *prev, qm__run *r, qm__run *next) {
  r->prev = prev;
  r->next = next;
  if (prev) prev->next = r;
  if (next) next->prev = r;
}

qm__run *qm__sequence_at(qm_sequence *s, uint64_t at, uint64_t *offset) {
  qm__run *r = s->top;
  uint64_t passed = 0;
  if (s->near && at >= s->near_at && at - s->near_at < qm__run_shown(s->near)) {
    *offset = at - s->near_at;
    return s->near;
  }
  for (;;) {
    uint64_t left = shown_of(r->before), own = qm__run_shown(r);
    if (at < left)
      r = r->before;
    else if (at < left + own) {
      *offset = at - left;
      s->near = r;
      s->near_at = passed + left;
      return r;
    } else {
      at -= left + own;
      passed += left + own;
      r = r->after;
    }
  }
}

static unsigned depth_of(const qm__run *r) {
  unsigned d = 0;
  for (; r->up; r = r->up) d++;
  return d;
}

int qm__run_precedes(const qm__run *a, const qm__run *b) {
  unsigned da = depth_of(a), db = depth_of(b);
  const qm__run *x = a, *y = b, *x0 = NULL, *y0 = NULL; /* x0, y0: the child we came from */
  for (; da > db; da--) x0 = x, x = x->up;
  for (; db > da; db--) y0 = y, y = y->up;
  while (x != y) x0 = x, y0 = y, x = x->up, y = y->up;
  if (!x0) return x->after == y0; /* a is above b */
  return x->before == x0;
}

void qm__run_recount(qm__run *r, uint64_t shown_before) {
  uint64_t more = qm__run_shown(r) - shown_before; /* modulo 2^64 also where it is less */
  for (; r; r = r->up) r->shown += more;
}

static void relink(qm_sequence *s, qm__run *up, const qm__run *from, qm__run *to) {
  if (!up)
    s->top = to;
  else if (up->before == from)
    up->before = to;
  else
    up->after = to;
  if (to) to->up = up;
}

/* r takes the place of its treap parent. */
static void rotate(qm_sequence *s, qm__run *r) {
  qm__run *p = r->up;
  relink(s, p->up, p, r);
  if (p->before == r) {
    p->before = r->after;
    if (p->before) p->before->up = p;
    r->after = p;
  } else {
    p->after = r->before;
    if (p->after) p->after->up = p;
    r->before = p;
  }
  p->up = r;
  update(p);
  update(r);
}

static void settle_up(qm_sequence *s, qm__run *r) {
  r->before = r->after = NULL;
  r->shown = 0;
  qm__run_recount(r, 0);
  while (r->up && r->up->priority < r->priority) rotate(s, r);
}

static void stand_after(qm_sequence *s, qm__run *where, qm__run *r) {
  thread(where, r, where->next);
  if (!where->after) {
    where->after = r;
  } else {
    where = where->after;
    while (where->before) where = where->before;
    where->before = r;
  }
  r->up = where;
  settle_up(s, r);
}

static void stand_before(qm_sequence *s, qm__run *where, qm__run *r) {
  thread(where ? where->prev : NULL, r, where);
  if (!where) {
    r->up = NULL;
    s->top = r;
  } else if (!where->before) {
    where->before = r;
    r->up = where;
  } else {
    where = where->before;
    while (where->after) where = where->after;
    where->after = r;
    r->up = where;
  }
  settle_up(s, r);
}

static void leave(qm_sequence *s, qm__run *r) {
  if (r->prev) r->prev->next = r->next;
  if (r->next) r->next->prev = r->prev;
  while (r->before || r->after) {
    qm__run *x = !r->before                                 ? r->after
                 : !r->after                                ? r->before
                 : r->before->priority > r->after->priority ? r->before
                                                            : r->after;
    rotate(s, x);
  }
  qm__run *up = r->up;
  uint64_t own = r->shown;
  relink(s, up, r, NULL);
  for (; up; up = up->up) up->shown -= own;
  r->up = NULL;
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

uint32_t qm__column_from(const qm__column *c, uint64_t counter) {
  uint32_t lo = 0, hi = c->runs.n;
  if (hi && qm__run_end(c->runs.p[hi - 1]) <= counter) return hi; /* as for all that is new */
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm__run_end(c->runs.p[mid]) <= counter)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int holds(const qm__run *r, qm_dot d) {
  return r->first.author == d.author && d.counter >= r->first.counter &&
         d.counter - r->first.counter < r->len;
}

qm__run *qm__sequence_find(qm_sequence *s, const qm_authors *authors, qm_dot d) {
  if (s->hot && holds(s->hot, d)) return s->hot;
  const qm__column *c = qm__sequence_column(s, authors, d.author);
  if (!c) return NULL;
  uint32_t at = qm__column_from(c, d.counter);
  if (at == c->runs.n || !holds(c->runs.p[at], d)) return NULL;
  return s->hot = c->runs.p[at];
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
  at = qm__column_from(c, r->first.counter);
  qm__run **p = qm_array_open(arena, c->runs.p, c->runs.n, &c->runs.cap, at, sizeof *p);
  if (!p) return QM_ENOMEM;
  c->runs.p = p;
  p[at] = r;
  c->runs.n++;
  return QM_OK;
}

static void list_drop(qm__runs *l, uint32_t at) {
  memmove(l->p + at, l->p + at + 1, (size_t)(l->n - at - 1) * sizeof *l->p);
  l->n--;
}

static void index_drop(qm_sequence *s, const qm_authors *authors, const qm__run *r) {
  qm__column *c = qm__sequence_column(s, authors, r->first.author);
  list_drop(&c->runs, qm__column_from(c, r->first.counter));
  if (c->runs.n) return;
  size_t at = (size_t)(c - s->columns);
  memmove(c, c + 1, (s->n_columns - at - 1) * sizeof *c);
  s->n_columns--;
}

static qm__run *first_of(qm__run *r) {
  while (r->lefts.n) r = r->lefts.p[0];
  return r;
}

static qm__run *last_of(qm__run *r) {
  while (r->rights.n) r = r->rights.p[r->rights.n - 1];
  return r;
}

/* By key; two with one key, which only a forged state has, by their own dots. */
static int sibling_cmp(const qm_authors *authors, const qm__run *a, const qm__run *b) {
  int c = qm_dot_cmp(authors, a->key, b->key);
  return c ? c : qm_dot_cmp(authors, a->first, b->first);
}

static uint32_t list_place(const qm__runs *l, const qm_authors *authors, const qm__run *r) {
  uint32_t lo = 0, hi = l->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (sibling_cmp(authors, l->p[mid], r) < 0)
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

/* The later part of r as a run of its own; r is cut short. */
static qm__run *halve(qm_arena *arena, qm__run *r, uint64_t offset) {
  qm__run *q = qm_arena_alloc(arena, sizeof *q);
  if (!q) return NULL;
  *q = *r;
  qm__run_clip(q, offset, r->len - offset);
  qm__run_clip(r, 0, offset);
  q->stray = 0;
  q->priority = priority_of(q->first);
  memset(&q->lefts, 0, sizeof q->lefts);
  memset(&r->rights, 0, sizeof r->rights);
  return q;
}

int qm__sequence_split(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r,
                       uint64_t offset, qm__run **second) {
  uint64_t shown = qm__run_shown(r);
  qm__run *q = halve(arena, r, offset);
  if (!q) return QM_ENOMEM;
  qm__run_recount(r, shown);
  stand_after(s, r, q);
  *second = q;
  QM_TRY(list_add(&r->rights, arena, 0, q));
  return index_add(s, authors, arena, q);
}

int qm__sequence_insert(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r) {
  qm__runs *list = &s->tops;
  qm__run *host = NULL;
  r->priority = priority_of(r->first);
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
  s->near = NULL;
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
  if (ordered && at) ordered = sibling_cmp(authors, list->p[at - 1], heir) < 0;
  if (ordered && at + 1 < list->n) ordered = sibling_cmp(authors, heir, list->p[at + 1]) < 0;
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
  d->first.counter -= k;
  d->key = d->first;
  d->len += k;
  d->parent = qm__run_last(r);
  qm__run_recount(r, shown);
  if (s->near != r) s->near = NULL;
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
  r->first.counter += k;
  r->key = r->first;
  r->len -= k;
  d->len += k;
  r->parent = qm__run_last(d);
  qm__run_recount(r, shown);
  if (s->near != r) s->near = NULL;
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
  return 1;
}

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
  if (n >= 256 && radix_sort(env, p, n)) return;
  for (i = n / 2; i-- > 0;) sift(p, i, n);
  for (size_t end = n; end-- > 1;) {
    qm__point t = p[0];
    p[0] = p[end];
    p[end] = t;
    sift(p, 0, end);
  }
}

static int push(qm_sequence *s, qm_arena *arena, qm__run *r) {
  if (!s->n_columns || s->columns[s->n_columns - 1].author != r->first.author) {
    qm__column *p =
        qm_array_open(arena, s->columns, s->n_columns, &s->cap_columns, s->n_columns, sizeof *p);
    if (!p) return QM_ENOMEM;
    s->columns = p;
    memset(&p[s->n_columns], 0, sizeof *p);
    p[s->n_columns++].author = r->first.author;
  }
  qm__runs *l = &s->columns[s->n_columns - 1].runs;
  r->lefts.n = r->rights.n = 0;
  r->cursor = 0;
  r->stray = 0;
  r->priority = priority_of(r->first);
  return list_add(l, arena, l->n, r);
}

/* Columns from sorted runs, split where a child hangs inside. */
static int build_columns(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run **runs,
                         size_t n, qm__point *cuts) {
  size_t n_cuts = 0, c = 0;
  for (size_t i = 0; i < n; i++) {
    const qm__run *r = runs[i];
    if (r->on == QM_ON_ROOT) continue;
    cuts[n_cuts].rank = authors->rank[r->parent.author];
    cuts[n_cuts].run = NULL;
    cuts[n_cuts++].counter = r->parent.counter + (r->on == QM_ON_RIGHT);
  }
  qm__points_sort(arena->env, cuts, n_cuts);
  for (size_t i = 0; i < n; i++) {
    qm__run *r = runs[i];
    qm__point here = {authors->rank[r->first.author], r->first.counter, 0, NULL};
    while (c < n_cuts && !point_less(&here, &cuts[c])) c++;
    for (; c < n_cuts && cuts[c].rank == here.rank && cuts[c].counter < qm__run_end(r); c++) {
      if (cuts[c].counter == r->first.counter) continue;
      qm__run *q = halve(arena, r, cuts[c].counter - r->first.counter);
      if (!q) return QM_ENOMEM;
      QM_TRY(push(s, arena, r));
      r = q;
    }
    QM_TRY(push(s, arena, r));
  }
  return QM_OK;
}

static int hang(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r) {
  qm__run *host = NULL;
  qm__runs *l = &s->tops;
  if (r->on != QM_ON_ROOT) {
    host = qm__sequence_find(s, authors, r->parent);
    r->stray = !host;
    l = !host ? &s->strays : r->on == QM_ON_RIGHT ? &host->rights : &host->lefts;
  }
  uint32_t at = l->n; /* in key order but for forged ones */
  while (at && sibling_cmp(authors, l->p[at - 1], r) > 0) at--;
  return list_add(l, arena, at, r);
}

static int hang_in_dot_order(qm_sequence *s, const qm_authors *authors, qm_arena *arena) {
  for (uint32_t i = 0; i < s->n_columns; i++)
    for (uint32_t k = 0; k < s->columns[i].runs.n; k++)
      QM_TRY(hang(s, authors, arena, s->columns[i].runs.p[k]));
  return QM_OK;
}

/* In key order, so that every list comes out ascending: dot order where nothing is moved. */
static int build_lists(qm_sequence *s, const qm_authors *authors, qm_arena *arena, size_t *pieces) {
  size_t n = 0, moved = 0;
  *pieces = 0;
  for (uint32_t i = 0; i < s->n_columns; i++) {
    *pieces += s->columns[i].runs.n;
    for (uint32_t k = 0; k < s->columns[i].runs.n; k++)
      moved += (size_t)qm__run_moved(s->columns[i].runs.p[k]);
  }
  if (!moved) return hang_in_dot_order(s, authors, arena);
  qm__point *p = qm_alloc_array(arena->env, *pieces, sizeof *p);
  int rc = p ? QM_OK : QM_ENOMEM;
  for (uint32_t i = 0; rc == QM_OK && i < s->n_columns; i++)
    for (uint32_t k = 0; k < s->columns[i].runs.n; k++) {
      qm__run *r = s->columns[i].runs.p[k];
      p[n++] = (qm__point){authors->rank[r->key.author], r->key.counter, 0, r};
    }
  if (rc == QM_OK) qm__points_sort(arena->env, p, n);
  for (size_t i = 0; rc == QM_OK && i < n; i++) rc = hang(s, authors, arena, p[i].run);
  qm_free(arena->env, p);
  return rc;
}

/* Appends at the end of the treap: `last` is its rightmost node, whose ancestors to
 * the right get their sums when something comes to stand beside them. */
static qm__run *append(qm_sequence *s, qm__run *last, qm__run *r) {
  thread(last, r, NULL);
  qm__run *below = NULL;
  while (last && last->priority < r->priority) {
    update(last);
    below = last;
    last = last->up;
  }
  r->before = below;
  r->after = NULL;
  if (below) below->up = r;
  r->up = last;
  if (last)
    last->after = r;
  else
    s->top = r;
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
static void drop_rings(qm_sequence *s) {
  for (uint32_t i = 0; i < s->n_columns; i++) {
    qm__runs *l = &s->columns[i].runs;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < l->n; k++)
      if (l->p[k]->cursor) l->p[kept++] = l->p[k];
    l->n = kept;
  }
  s->hot = NULL;
}

int qm__sequence_build(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run **runs,
                       size_t n, int *placed) {
  size_t pieces = 0, met = 0;
  int rc = QM_ENOMEM;
  qm__run **stack = NULL, *last = NULL;
  memset(s, 0, sizeof *s);
  if (placed) *placed = 1;
  if (!n) return QM_OK;
  qm__point *cuts = qm_alloc_array(arena->env, n, sizeof *cuts);
  if (!cuts) return QM_ENOMEM;
  rc = build_columns(s, authors, arena, runs, n, cuts);
  if (rc) goto out;
  rc = build_lists(s, authors, arena, &pieces);
  if (rc) goto out;
  rc = QM_ENOMEM;
  stack = qm_alloc_array(arena->env, pieces, sizeof *stack);
  if (!stack) goto out;
  rc = QM_OK;
  met = walk(s, &s->tops, stack, &last);
  met += walk(s, &s->strays, stack, &last);
  for (; last; last = last->up) update(last);
  if (met < pieces) drop_rings(s);
  if (placed) *placed = met == pieces;
out:
  qm_free(arena->env, stack);
  qm_free(arena->env, cuts);
  return rc;
}
