#include "core/crdt/crdt.h"

#include <assert.h>
#include <string.h>

const qm_shape *qm_shape_of(unsigned shape_id) {
  switch (shape_id) {
    case QM_SIBLINGS: return &qm_shape_siblings;
    case QM_KEYED: return &qm_shape_keyed;
    case QM_TOTALS: return &qm_shape_totals;
    case QM_ENTRIES: return &qm_shape_entries;
    case QM_SEQUENCE: return &qm_shape_sequence;
    default: return NULL;
  }
}

/* Up to here looking at all of a list is as fast as sorting it. */
#define DOTS_SHORT 8u

static int dot_less(qm_dot a, qm_dot b) {
  return a.author != b.author ? a.author < b.author : a.counter < b.counter;
}

static void sift_dots(qm_dot *p, uint32_t root, uint32_t n) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && dot_less(p[child], p[child + 1])) child++;
    if (!dot_less(p[root], p[child])) return;
    qm_dot d = p[root];
    p[root] = p[child];
    p[child] = d;
    root = child;
  }
}

int qm_dots_sort(qm_arena *arena, qm_dots list, qm_dots *out) {
  uint32_t i = 1, n = list.n;
  *out = list;
  if (n <= DOTS_SHORT) return QM_OK;
  while (i < n && !dot_less(list.p[i], list.p[i - 1])) i++;
  if (i == n) return QM_OK;
  qm_dot *p = qm_arena_copy(arena, list.p, n * sizeof *p);
  if (!p) return QM_ENOMEM;
  for (i = n / 2; i-- > 0;) sift_dots(p, i, n);
  for (uint32_t end = n; end-- > 1;) {
    qm_dot d = p[0];
    p[0] = p[end];
    p[end] = d;
    sift_dots(p, 0, end);
  }
  out->p = p;
  return QM_OK;
}

int qm_dots_hold(qm_dots sorted, qm_dot d) {
  uint32_t lo = 0, hi = sorted.n;
  if (hi <= DOTS_SHORT) {
    while (lo < hi && !qm_dot_eq(sorted.p[lo], d)) lo++;
    return lo < hi;
  }
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (dot_less(sorted.p[mid], d))
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < sorted.n && qm_dot_eq(sorted.p[lo], d);
}

/* Up to here looking at all names is as fast as searching them. */
#define NAMES_SHORT 4u

int qm_names_note(qm_names *names, qm_arena *arena, uint32_t number) {
  /* Most records name a few authors, again and again: skip what was noted of late. */
  uint32_t least = names->n > NAMES_SHORT ? names->n - NAMES_SHORT : 0;
  for (uint32_t i = names->n; i-- > least;)
    if (names->numbers[i] == number) return QM_OK;
  if (names->n == names->cap) {
    uint32_t cap = names->cap ? names->cap * 2 : 16;
    uint32_t *p = qm_arena_grow(arena, names->numbers, names->cap, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    names->numbers = p;
    names->cap = cap;
  }
  names->numbers[names->n++] = number;
  return QM_OK;
}

/* Sift-down for a heap ordered by rank: in place, n log n, no recursion. */
static void sift(uint32_t *p, uint32_t root, uint32_t n, const uint32_t *rank) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && rank[p[child + 1]] > rank[p[child]]) child++;
    if (rank[p[child]] <= rank[p[root]]) return;
    uint32_t t = p[root];
    p[root] = p[child];
    p[child] = t;
    root = child;
  }
}

void qm_names_seal(qm_names *names, const qm_authors *authors) {
  uint32_t *p = names->numbers, n = names->n;
  if (n < 2) return;
  for (uint32_t i = n / 2; i-- > 0;) sift(p, i, n, authors->rank);
  for (uint32_t end = n; end-- > 1;) {
    uint32_t t = p[0];
    p[0] = p[end];
    p[end] = t;
    sift(p, 0, end, authors->rank);
  }
  uint32_t kept = 1;
  for (uint32_t i = 1; i < n; i++)
    if (p[i] != p[kept - 1]) p[kept++] = p[i];
  names->n = kept;
}

uint32_t qm_names_place(const qm_names *names, const qm_authors *authors, uint32_t number) {
  for (uint32_t i = 0; i < names->n && i < NAMES_SHORT; i++)
    if (names->numbers[i] == number) return i;
  uint32_t lo = 0, hi = names->n, rank = authors->rank[number];
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (authors->rank[names->numbers[mid]] < rank)
      lo = mid + 1;
    else
      hi = mid;
  }
  assert(lo < names->n && names->numbers[lo] == number);
  return lo;
}
