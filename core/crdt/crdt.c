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

int qm_replaces(const qm_apply *a, int listed, qm_dots list, qm_dot d) {
  if (!listed) return 1;
  if (d.author == a->change->author && d.counter >= a->change->counter) return 1;
  for (uint32_t i = 0; i < list.n; i++)
    if (qm_dot_eq(list.p[i], d)) return 1;
  return 0;
}

int qm_names_note(qm_names *names, qm_arena *arena, uint32_t number) {
  /* Neighbouring dots are mostly of one author: skip what was just noted. */
  if (names->n && names->numbers[names->n - 1] == number) return QM_OK;
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
