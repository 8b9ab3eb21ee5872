#include "core/vv.h"

#include <string.h>

void qm_authors_init(qm_authors *t, const qm_env *env) {
  memset(t, 0, sizeof *t);
  t->env = env;
}

void qm_authors_free(qm_authors *t) {
  qm_free(t->env, t->ids);
  qm_free(t->env, t->rank);
  qm_free(t->env, t->sorted);
  qm_authors_init(t, t->env);
}

/* The place in bytewise order where `id` stands or would stand. */
static uint32_t place_of(const qm_authors *t, const qm_author *id, int *found) {
  uint32_t lo = 0, hi = t->n;
  *found = 0;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    int c = qm_author_cmp(&t->ids[t->sorted[mid]], id);
    if (c == 0) {
      *found = 1;
      return mid;
    }
    if (c < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

int qm_authors_find(const qm_authors *t, const qm_author *id, uint32_t *number) {
  int found;
  uint32_t place = place_of(t, id, &found);
  if (!found) return QM_ENOTFOUND;
  *number = t->sorted[place];
  return QM_OK;
}

static int grow(qm_authors *t, uint32_t n) {
  uint32_t cap = t->cap ? t->cap : 16;
  while (cap < n) cap *= 2;
  qm_author *ids = qm_realloc_array(t->env, t->ids, cap, sizeof *ids);
  if (!ids) return QM_ENOMEM;
  t->ids = ids;
  uint32_t *rank = qm_realloc_array(t->env, t->rank, cap, sizeof *rank);
  if (!rank) return QM_ENOMEM;
  t->rank = rank;
  uint32_t *sorted = qm_realloc_array(t->env, t->sorted, cap, sizeof *sorted);
  if (!sorted) return QM_ENOMEM;
  t->sorted = sorted;
  t->cap = cap;
  return QM_OK;
}

static void rank_from(qm_authors *t, uint32_t place) {
  for (; place < t->n; place++) t->rank[t->sorted[place]] = place;
}

int qm_authors_add(qm_authors *t, const qm_author *id, uint32_t *number) {
  int found;
  uint32_t place = place_of(t, id, &found);
  if (found) {
    *number = t->sorted[place];
    return QM_OK;
  }
  if (t->n >= QM_AUTHORS_MAX) return QM_ELIMIT;
  if (t->n == t->cap) QM_TRY(grow(t, t->n + 1));
  t->ids[t->n] = *id;
  memmove(t->sorted + place + 1, t->sorted + place, (t->n - place) * sizeof *t->sorted);
  t->sorted[place] = t->n;
  *number = t->n++;
  rank_from(t, place);
  return QM_OK;
}

/* Places of ids ascending bytewise: a heap sort, in place. */
static void sift(uint32_t *p, uint32_t root, uint32_t n, const qm_author *ids) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && qm_author_cmp(&ids[p[child + 1]], &ids[p[child]]) > 0) child++;
    if (qm_author_cmp(&ids[p[child]], &ids[p[root]]) <= 0) return;
    uint32_t x = p[root];
    p[root] = p[child];
    p[child] = x;
    root = child;
  }
}

static void sort_places(uint32_t *p, uint32_t n, const qm_author *ids) {
  for (uint32_t i = 0; i < n; i++) p[i] = i;
  for (uint32_t i = n / 2; i-- > 0;) sift(p, i, n, ids);
  for (uint32_t end = n; end-- > 1;) {
    uint32_t x = p[0];
    p[0] = p[end];
    p[end] = x;
    sift(p, 0, end, ids);
  }
}

/* The new numbers, whose ids `order` gives ascending, take their places in t->sorted:
 * merged from the back. */
static void merge_new(qm_authors *t, uint32_t old, const uint32_t *order, uint32_t n,
                      const uint32_t *numbers) {
  uint32_t left = old, to = t->n;
  for (uint32_t i = n; i-- > 0;) {
    uint32_t number = numbers[order[i]];
    if (number < old) continue;
    while (left && qm_author_cmp(&t->ids[t->sorted[left - 1]], &t->ids[number]) > 0)
      t->sorted[--to] = t->sorted[--left];
    t->sorted[--to] = number;
  }
}

int qm_authors_add_all(qm_authors *t, const qm_author *ids, uint32_t n, uint32_t *numbers) {
  uint32_t old = t->n, fresh = 0;
  if (!n) return QM_OK;
  uint32_t *order = qm_alloc_array(t->env, n, sizeof *order);
  if (!order) return QM_ENOMEM;
  sort_places(order, n, ids);
  int rc = QM_OK;
  for (uint32_t i = 1; i < n && rc == QM_OK; i++)
    if (qm_author_cmp(&ids[order[i - 1]], &ids[order[i]]) == 0) rc = QM_EDUPKEY;
  for (uint32_t i = 0; i < n; i++)
    if (qm_authors_find(t, &ids[i], &numbers[i]) != QM_OK) numbers[i] = old + fresh++;
  if (rc == QM_OK && fresh > QM_AUTHORS_MAX - old) rc = QM_ELIMIT;
  if (rc == QM_OK && old + fresh > t->cap) rc = grow(t, old + fresh);
  if (rc == QM_OK && fresh) {
    for (uint32_t i = 0; i < n; i++)
      if (numbers[i] >= old) t->ids[numbers[i]] = ids[i];
    t->n = old + fresh;
    merge_new(t, old, order, n, numbers);
    rank_from(t, 0);
  }
  qm_free(t->env, order);
  return rc;
}

void qm_authors_truncate(qm_authors *t, uint32_t n) {
  uint32_t kept = 0;
  if (n >= t->n) return;
  for (uint32_t i = 0; i < t->n; i++)
    if (t->sorted[i] < n) t->sorted[kept++] = t->sorted[i];
  t->n = n;
  rank_from(t, 0);
}

int qm_dot_cmp(const qm_authors *t, qm_dot a, qm_dot b) {
  if (a.author != b.author) return t->rank[a.author] < t->rank[b.author] ? -1 : 1;
  return a.counter < b.counter ? -1 : a.counter > b.counter;
}

void qm_vv_free(const qm_env *env, qm_vv *v) {
  qm_free(env, v->next);
  memset(v, 0, sizeof *v);
}

static int vv_reserve(const qm_env *env, qm_vv *v, uint32_t n) {
  if (n <= v->cap) return QM_OK;
  uint32_t cap = v->cap ? v->cap : 8;
  while (cap < n) cap *= 2;
  uint64_t *next = qm_realloc_array(env, v->next, cap, sizeof *next);
  if (!next) return QM_ENOMEM;
  v->next = next;
  v->cap = cap;
  return QM_OK;
}

int qm_vv_set(const qm_env *env, qm_vv *v, uint32_t author, uint64_t next) {
  QM_TRY(vv_reserve(env, v, author + 1));
  while (v->n <= author) v->next[v->n++] = 0;
  v->next[author] = next;
  return QM_OK;
}

int qm_vv_copy(const qm_env *env, qm_vv *to, const qm_vv *from) {
  QM_TRY(vv_reserve(env, to, from->n));
  if (from->n) memcpy(to->next, from->next, from->n * sizeof *to->next);
  to->n = from->n;
  return QM_OK;
}

int qm_vv_merge(const qm_env *env, qm_vv *into, const qm_vv *from) {
  QM_TRY(vv_reserve(env, into, from->n));
  while (into->n < from->n) into->next[into->n++] = 0;
  for (uint32_t i = 0; i < from->n; i++)
    if (from->next[i] > into->next[i]) into->next[i] = from->next[i];
  return QM_OK;
}

int qm_vv_includes(const qm_vv *a, const qm_vv *b) {
  for (uint32_t i = 0; i < b->n; i++)
    if (b->next[i] > qm_vv_get(a, i)) return 0;
  return 1;
}

int qm_vv_equal(const qm_vv *a, const qm_vv *b) {
  return qm_vv_includes(a, b) && qm_vv_includes(b, a);
}
