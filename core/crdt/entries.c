#include "core/crdt/entries.h"

#include "core/crdt/codec.h"
#include "core/mp.h"
#include "core/value.h"

/* State: [place, counter, time, later, value, …] in (order, dot) order, where
 * order = time + later and an erased entry's value is the erased ext. */

static qm_entries *content(qm_cell *cell, qm_arena *arena) {
  if (!cell->content) cell->content = qm_arena_zero(arena, sizeof(qm_entries));
  return cell->content;
}

static int entry_cmp(const qm_authors *authors, const qm_entry *a, const qm_entry *b) {
  if (a->order != b->order) return a->order < b->order ? -1 : 1;
  return qm_dot_cmp(authors, a->dot, b->dot);
}

static int insert(qm_entries *s, qm_arena *arena, const qm_authors *authors, const qm_entry *x) {
  uint32_t lo = 0, hi = s->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (entry_cmp(authors, &s->p[mid], x) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  qm_entry *p = qm_array_open(arena, s->p, s->n, &s->cap, lo, sizeof *p);
  if (!p) return QM_ENOMEM;
  s->p = p;
  p[lo] = *x;
  s->n++;
  return QM_OK;
}

/* S3.6: an order before the entry's own time is read as its time, so that no op can
 * claim a place before its author wrote. */
static int apply(qm_cell *cell, const qm_apply *a, const qm_op *op) {
  qm_entries *s = content(cell, a->arena);
  if (!s) return QM_ENOMEM;
  qm_entry x = {.dot = {op->counter, a->change->author},
                .time = a->change->time,
                .order = a->change->time,
                .erased = (op->flags & QM_OP_ERASED) != 0,
                .value = op->value};
  if ((op->flags & QM_OP_ORDER) && op->order > x.order) x.order = op->order;
  return insert(s, a->arena, a->authors, &x);
}

static const qm_entries nothing;

static int join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors, qm_arena *arena) {
  const qm_entries *x = a.cell && a.cell->content ? a.cell->content : &nothing;
  const qm_entries *y = b.cell && b.cell->content ? b.cell->content : &nothing;
  out->content = NULL;
  qm_entries *s = content(out, arena);
  if (!s) return QM_ENOMEM;
  uint32_t i = 0, j = 0;
  while (i < x->n || j < y->n) {
    int c = i == x->n ? 1 : j == y->n ? -1 : entry_cmp(authors, &x->p[i], &y->p[j]);
    qm_entry one = c <= 0 ? x->p[i] : y->p[j];
    int stays = c == 0 || !qm_vv_covers(c < 0 ? b.vv : a.vv, one.dot);
    if (c == 0 && y->p[j].erased) one = y->p[j]; /* a purge seen by either side holds */
    i += c <= 0;
    j += c >= 0;
    if (stays) QM_TRY(insert(s, arena, authors, &one));
  }
  return QM_OK;
}

static int empty(const qm_cell *cell) { return !cell->content || qm_entries_of(cell)->n == 0; }

static int names(const qm_cell *cell, qm_names *to, qm_arena *arena) {
  const qm_entries *s = qm_entries_of(cell);
  for (uint32_t i = 0; i < s->n; i++) QM_TRY(qm_names_note(to, arena, s->p[i].dot.author));
  return QM_OK;
}

static void encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                   qm_buf *out) {
  const qm_entries *s = qm_entries_of(cell);
  qm_mp_array(out, (size_t)s->n * 5);
  for (uint32_t i = 0; i < s->n; i++) {
    const qm_entry *x = &s->p[i];
    qm_put_dot(out, to, authors, x->dot);
    qm_mp_uint(out, x->time);
    qm_mp_uint(out, x->order - x->time);
    if (x->erased)
      qm_mp_ext(out, QM_EXT_ERASED, NULL, 0);
    else
      qm_mp_raw(out, x->value);
  }
}

static int is_erased(qm_slice v) {
  return v.n == 3 && v.p[0] == 0xc7 && v.p[1] == 0 && v.p[2] == QM_EXT_ERASED;
}

static int decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                  qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (!count || count % 5) return qm_cur_fail(in, QM_ECANON);
  qm_entries *s = content(cell, arena);
  if (!s) return qm_cur_fail(in, QM_ENOMEM);
  s->cap = count / 5;
  s->p = qm_arena_array(arena, s->cap, sizeof *s->p);
  if (!s->p) return qm_cur_fail(in, QM_ENOMEM);
  for (; s->n < s->cap; s->n++) {
    qm_entry x = {.erased = 0};
    uint64_t later = 0;
    QM_TRY(qm_get_dot(in, from, &x.dot));
    QM_TRY(qm_cur_uint(in, &x.time));
    QM_TRY(qm_cur_uint(in, &later));
    QM_TRY(qm_get_value(in, &x.value));
    if (later > UINT64_MAX - x.time) return qm_cur_fail(in, QM_ERANGE);
    x.order = x.time + later;
    if (is_erased(x.value)) {
      x.erased = 1;
      x.value = qm_slice_of(NULL, 0);
    }
    if (s->n && entry_cmp(authors, &s->p[s->n - 1], &x) >= 0) return qm_cur_fail(in, QM_ECANON);
    s->p[s->n] = x;
  }
  return QM_OK;
}

const qm_shape qm_shape_entries = {"entries", apply, join, empty, names, encode, decode};
