#include "core/stamp.h"

#include <string.h>

#include "core/batch_columns.h"
#include "core/crdt/keyed.h"
#include "core/mp.h"
#include "core/space.h"

int qm__stamp_read(const qm_authors *authors, qm_slice element, qm_stamp *out, int *unknown) {
  qm_cur c;
  qm_author id;
  qm_cur_init(&c, element);
  if (qm_cur_array_n(&c, 4) != QM_OK || qm_cur_bin_n(&c, id.b, sizeof id.b) != QM_OK) return 0;
  if (qm_cur_uint(&c, &out->first) != QM_OK || qm_cur_uint(&c, &out->next) != QM_OK) return 0;
  if (qm_cur_uint(&c, &out->time) != QM_OK || qm_cur_end(&c) != QM_OK) return 0;
  if (out->first >= out->next) return 0;
  if (qm_authors_find(authors, &id, &out->author) == QM_OK) return 1;
  *unknown = 1;
  return 0;
}

void qm__stamp_write(const qm_authors *authors, const qm_stamp *stamp, qm_buf *out) {
  qm_mp_array(out, 4);
  qm_mp_bin(out, authors->ids[stamp->author].b, QM_AUTHOR_SIZE);
  qm_mp_uint(out, stamp->first);
  qm_mp_uint(out, stamp->next);
  qm_mp_uint(out, stamp->time);
}

void qm__stamps_free(qm_stamps *stamps, const qm_env *env) {
  qm_free(env, stamps->p);
  memset(stamps, 0, sizeof *stamps);
}

/* --- building --- */

typedef struct edge {
  uint32_t author;
  uint64_t at;
} edge;

/* Between two neighbouring edges of one author lies a piece; each is painted once, with the
 * least time that covers it, because the stamps come by ascending time and `skip` leads past
 * what is painted (union-find with path halving). */
typedef struct paint {
  const qm_stamp *stamps;
  edge *edges;
  qm_time *times;
  uint32_t *skip;
  uint32_t n_edges;
} paint;

static int edge_cmp(const edge *a, const edge *b) {
  if (a->author != b->author) return a->author < b->author ? -1 : 1;
  return a->at == b->at ? 0 : a->at < b->at ? -1 : 1;
}

static int edge_less(const void *ctx, uint32_t a, uint32_t b) {
  const edge *e = ctx;
  return edge_cmp(&e[a], &e[b]) < 0;
}

static int time_less(const void *ctx, uint32_t a, uint32_t b) {
  const qm_stamp *s = ctx;
  return s[a].time < s[b].time;
}

static uint32_t edge_find(const paint *p, edge e) {
  uint32_t lo = 0, hi = p->n_edges;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (edge_cmp(&p->edges[mid], &e) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static uint32_t unpainted(paint *p, uint32_t i) {
  while (p->skip[i] != i) i = p->skip[i] = p->skip[p->skip[i]];
  return i;
}

static void paint_one(paint *p, const qm_stamp *s) {
  uint32_t end = edge_find(p, (edge){s->author, s->next});
  uint32_t i = unpainted(p, edge_find(p, (edge){s->author, s->first}));
  for (; i < end; i = unpainted(p, i)) {
    p->times[i] = s->time;
    p->skip[i] = i + 1;
  }
}

/* Sorted edges without repeats. `order` has room for 2n. */
static int edges_of(paint *p, const qm_stamp *s, uint32_t n, uint32_t *order, qm_arena *arena) {
  edge *all = qm_arena_array(arena, (size_t)n * 2, sizeof *all);
  p->edges = qm_arena_array(arena, (size_t)n * 2, sizeof *p->edges);
  if (!all || !p->edges) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    all[2 * i] = (edge){s[i].author, s[i].first};
    all[2 * i + 1] = (edge){s[i].author, s[i].next};
  }
  for (uint32_t i = 0; i < 2 * n; i++) order[i] = i;
  qm__heap_sort(order, 2 * n, edge_less, all);
  for (uint32_t i = 0; i < 2 * n; i++)
    if (!p->n_edges || edge_cmp(&p->edges[p->n_edges - 1], &all[order[i]]) != 0)
      p->edges[p->n_edges++] = all[order[i]];
  return QM_OK;
}

/* Pieces of one time that touch become one. */
static int take_pieces(const paint *p, qm_stamps *to, const qm_env *env) {
  to->p = qm_alloc_array(env, p->n_edges, sizeof *to->p);
  if (!to->p) return QM_ENOMEM;
  for (uint32_t i = 0; i + 1 < p->n_edges; i++) {
    qm_stamp piece = {p->edges[i].author, p->edges[i].at, p->edges[i + 1].at, p->times[i]};
    qm_stamp *last = to->n ? &to->p[to->n - 1] : NULL;
    if (p->skip[i] == i) continue; /* covered by none */
    if (last && last->author == piece.author && last->next == piece.first &&
        last->time == piece.time)
      last->next = piece.next;
    else
      to->p[to->n++] = piece;
  }
  return QM_OK;
}

static int flatten(qm_stamps *to, const qm_env *env, const qm_stamp *s, uint32_t n,
                   qm_arena *arena) {
  paint p = {.stamps = s};
  uint32_t *order = qm_arena_array(arena, (size_t)n * 2, sizeof *order);
  if (!order) return QM_ENOMEM;
  QM_TRY(edges_of(&p, s, n, order, arena));
  p.times = qm_arena_array(arena, p.n_edges, sizeof *p.times);
  p.skip = qm_arena_array(arena, p.n_edges, sizeof *p.skip);
  if (!p.times || !p.skip) return QM_ENOMEM;
  for (uint32_t i = 0; i < p.n_edges; i++) p.skip[i] = i;
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  qm__heap_sort(order, n, time_less, s);
  for (uint32_t i = 0; i < n; i++) paint_one(&p, &s[order[i]]);
  return take_pieces(&p, to, env);
}

int qm__stamps_build(qm_stamps *to, const qm_env *env, const qm_authors *authors,
                     const qm_record *space_record) {
  const qm_cell *cell = qm_record_cell(space_record, QM_SPACE_STAMPS, QM_KEYED);
  const qm_keyed *k = cell ? qm_keyed_of(cell) : NULL;
  qm_arena arena;
  uint32_t n = 0;
  qm__stamps_free(to, env);
  if (!k || !k->n) return QM_OK;
  qm_arena_init(&arena, env, QM_RECORD_ARENA);
  qm_stamp *all = qm_arena_array(&arena, k->n, sizeof *all);
  for (uint32_t i = 0; all && i < k->n; i++)
    n += (uint32_t)qm__stamp_read(authors, k->p[i].value, &all[n], &to->unknown);
  int rc = !all ? QM_ENOMEM : n ? flatten(to, env, all, n, &arena) : QM_OK;
  qm_arena_free(&arena);
  return rc;
}

/* --- asking --- */

qm_time qm__stamps_effective(const qm_stamps *stamps, qm_dot dot, qm_time own) {
  uint32_t lo = 0, hi = stamps->n;
  while (lo < hi) { /* the first that begins behind the dot */
    uint32_t mid = lo + (hi - lo) / 2;
    const qm_stamp *t = &stamps->p[mid];
    if (t->author < dot.author || (t->author == dot.author && t->first <= dot.counter))
      lo = mid + 1;
    else
      hi = mid;
  }
  if (!lo) return own;
  const qm_stamp *t = &stamps->p[lo - 1];
  if (t->author != dot.author || dot.counter >= t->next) return own;
  return t->time < own ? t->time : own;
}
