#include "core/crdt/keyed.h"

#include "core/crdt/codec.h"
#include "core/mp.h"

/* State: [value, [place, counter, time, …], value, […], …]. */

static qm_keyed *content(qm_cell *cell, qm_arena *arena) {
  if (!cell->content) cell->content = qm_arena_zero(arena, sizeof(qm_keyed));
  return cell->content;
}

static uint32_t lower_bound(const qm_keyed *k, qm_slice value) {
  uint32_t lo = 0, hi = k->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm_slice_cmp(k->p[mid].value, value) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

const qm_element *qm_keyed_find(const qm_keyed *k, qm_slice value) {
  if (!k) return NULL;
  uint32_t at = lower_bound(k, value);
  return at < k->n && qm_slice_cmp(k->p[at].value, value) == 0 ? &k->p[at] : NULL;
}

static int hold(qm_element *e, qm_arena *arena, const qm_authors *authors, qm_held h) {
  uint32_t at = e->n;
  while (at && qm_dot_cmp(authors, e->dots[at - 1].dot, h.dot) > 0) at--;
  qm_held *p = qm_array_open(arena, e->dots, e->n, &e->cap, at, sizeof *p);
  if (!p) return QM_ENOMEM;
  e->dots = p;
  p[at] = h;
  e->n++;
  return QM_OK;
}

static void drop_empty(qm_keyed *k) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < k->n; i++)
    if (k->p[i].n) k->p[n++] = k->p[i];
  k->n = n;
}

/* S3.4: an add replaces the dots of its own element that it had seen (those it lists,
 * where it lists); dots it had seen and does not list stay: adding keeps nothing away. */
static int add(qm_keyed *k, const qm_apply *a, const qm_op *op) {
  uint32_t at = lower_bound(k, op->value);
  if (at == k->n || qm_slice_cmp(k->p[at].value, op->value) != 0) {
    qm_element *p = qm_array_open(a->arena, k->p, k->n, &k->cap, at, sizeof *p);
    if (!p) return QM_ENOMEM;
    k->p = p;
    p[at] = (qm_element){.value = op->value};
    k->n++;
  }
  qm_element *e = &k->p[at];
  uint32_t n = 0;
  qm_dots list;
  int listed = (op->flags & QM_OP_LISTED) != 0;
  QM_TRY(qm_dots_sort(a->arena, op->dots, &list));
  for (uint32_t i = 0; i < e->n; i++)
    if (!qm_seen(a, e->dots[i].dot) || !qm_replaces(a, listed, list, e->dots[i].dot))
      e->dots[n++] = e->dots[i];
  e->n = n;
  qm_held h = {{op->counter, a->change->author}, a->change->time};
  return hold(e, a->arena, a->authors, h);
}

/* A remove names dots, not the value, so that it can be told without it. An erased
 * add has no value: whatever it would replace is found by dot in every element. */
static int take(qm_keyed *k, const qm_apply *a, qm_dots dots) {
  int emptied = 0;
  if (!dots.n) return QM_OK;
  QM_TRY(qm_dots_sort(a->arena, dots, &dots));
  for (uint32_t i = 0; i < k->n; i++) {
    qm_element *e = &k->p[i];
    uint32_t n = 0;
    for (uint32_t j = 0; j < e->n; j++) {
      if (qm_dots_hold(dots, e->dots[j].dot) && qm_seen(a, e->dots[j].dot)) continue;
      if (n != j) e->dots[n] = e->dots[j];
      n++;
    }
    e->n = n;
    emptied |= !n;
  }
  if (emptied) drop_empty(k);
  return QM_OK;
}

static int apply(qm_cell *cell, const qm_apply *a, const qm_op *op) {
  qm_keyed *k = content(cell, a->arena);
  if (!k) return QM_ENOMEM;
  if (op->kind == QM_KIND_ADD && !(op->flags & QM_OP_ERASED)) return add(k, a, op);
  return take(k, a, op->dots);
}

static int push(qm_keyed *k, qm_arena *arena, qm_slice value, qm_element **out) {
  qm_element *p = qm_array_open(arena, k->p, k->n, &k->cap, k->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  k->p = p;
  p[k->n] = (qm_element){.value = value};
  *out = &p[k->n++];
  return QM_OK;
}

/* The dots of one element in either side, by the causal rule. */
static int join_element(qm_element *out, const qm_element *x, const qm_vv *vx, const qm_element *y,
                        const qm_vv *vy, const qm_authors *authors, qm_arena *arena) {
  uint32_t i = 0, j = 0, nx = x ? x->n : 0, ny = y ? y->n : 0;
  while (i < nx || j < ny) {
    int c = i == nx ? 1 : j == ny ? -1 : qm_dot_cmp(authors, x->dots[i].dot, y->dots[j].dot);
    qm_held h = c <= 0 ? x->dots[i] : y->dots[j];
    int stays = c == 0 || !qm_vv_covers(c < 0 ? vy : vx, h.dot);
    i += c <= 0;
    j += c >= 0;
    if (stays) QM_TRY(hold(out, arena, authors, h));
  }
  return QM_OK;
}

static const qm_keyed nothing;

static int join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors, qm_arena *arena) {
  const qm_keyed *x = a.cell && a.cell->content ? a.cell->content : &nothing;
  const qm_keyed *y = b.cell && b.cell->content ? b.cell->content : &nothing;
  out->content = NULL;
  qm_keyed *k = content(out, arena);
  if (!k) return QM_ENOMEM;
  uint32_t i = 0, j = 0;
  while (i < x->n || j < y->n) {
    int c = i == x->n ? 1 : j == y->n ? -1 : qm_slice_cmp(x->p[i].value, y->p[j].value);
    const qm_element *l = c <= 0 ? &x->p[i++] : NULL;
    const qm_element *r = c >= 0 ? &y->p[j++] : NULL;
    qm_element *e;
    QM_TRY(push(k, arena, l ? l->value : r->value, &e));
    QM_TRY(join_element(e, l, a.vv, r, b.vv, authors, arena));
  }
  drop_empty(k);
  return QM_OK;
}

static int empty(const qm_cell *cell) { return !cell->content || qm_keyed_of(cell)->n == 0; }

static int names(const qm_cell *cell, qm_names *to, qm_arena *arena) {
  const qm_keyed *k = qm_keyed_of(cell);
  for (uint32_t i = 0; i < k->n; i++)
    for (uint32_t j = 0; j < k->p[i].n; j++)
      QM_TRY(qm_names_note(to, arena, k->p[i].dots[j].dot.author));
  return QM_OK;
}

static void encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                   qm_buf *out) {
  const qm_keyed *k = qm_keyed_of(cell);
  qm_mp_array(out, (size_t)k->n * 2);
  for (uint32_t i = 0; i < k->n; i++) {
    const qm_element *e = &k->p[i];
    qm_mp_raw(out, e->value);
    qm_mp_array(out, (size_t)e->n * 3);
    for (uint32_t j = 0; j < e->n; j++) {
      qm_put_dot(out, to, authors, e->dots[j].dot);
      qm_mp_uint(out, e->dots[j].time);
    }
  }
}

static int decode_dots(qm_element *e, qm_cur *in, const qm_names *from, const qm_authors *authors,
                       qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (!count || count % 3) return qm_cur_fail(in, QM_EFORMAT);
  e->cap = count / 3;
  e->dots = qm_arena_array(arena, e->cap, sizeof *e->dots);
  if (!e->dots) return qm_cur_fail(in, QM_ENOMEM);
  for (; e->n < e->cap; e->n++) {
    qm_held *h = &e->dots[e->n];
    QM_TRY(qm_get_dot(in, from, &h->dot));
    QM_TRY(qm_cur_uint(in, &h->time));
    if (e->n && qm_dot_cmp(authors, h[-1].dot, h->dot) >= 0) return qm_cur_fail(in, QM_ECANON);
  }
  return QM_OK;
}

static int decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                  qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (!count || count % 2) return qm_cur_fail(in, QM_ECANON);
  qm_keyed *k = content(cell, arena);
  if (!k) return qm_cur_fail(in, QM_ENOMEM);
  k->cap = count / 2;
  k->p = qm_arena_array(arena, k->cap, sizeof *k->p);
  if (!k->p) return qm_cur_fail(in, QM_ENOMEM);
  for (; k->n < k->cap; k->n++) {
    qm_element *e = &k->p[k->n];
    *e = (qm_element){.n = 0};
    QM_TRY(qm_get_value(in, &e->value));
    if (k->n && qm_slice_cmp(e[-1].value, e->value) >= 0) return qm_cur_fail(in, QM_ECANON);
    QM_TRY(decode_dots(e, in, from, authors, arena));
  }
  return QM_OK;
}

const qm_shape qm_shape_keyed = {"keyed", apply, join, empty, names, encode, decode};
