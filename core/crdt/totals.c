#include "core/crdt/totals.h"

#include "core/crdt/codec.h"
#include "core/mp.h"

/* State: [place, next, sum, …]; a sum beyond int64 stands as bin of 16 bytes,
 * big-endian two's complement. */

static qm_totals *content(qm_cell *cell, qm_arena *arena) {
  if (!cell->content) cell->content = qm_arena_zero(arena, sizeof(qm_totals));
  return cell->content;
}

/* An erased op moves the counter and adds nothing. */
static int delta_of(const qm_op *op, int64_t *out) {
  *out = 0;
  if (op->flags & QM_OP_ERASED) return QM_OK;
  qm_cur c;
  qm_cur_init(&c, op->value);
  return qm_cur_int(&c, out);
}

static uint32_t place_of(const qm_totals *t, const uint32_t *rank, uint32_t author) {
  uint32_t lo = 0, hi = t->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (rank[t->p[mid].author] < rank[author])
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int apply(qm_cell *cell, const qm_apply *a, const qm_op *op) {
  int64_t delta;
  qm_totals *t = content(cell, a->arena);
  if (!t) return QM_ENOMEM;
  if (delta_of(op, &delta) != QM_OK) return QM_EINTERNAL; /* op was checked before */
  uint32_t author = a->change->author, at = place_of(t, a->authors->rank, author);
  if (at == t->n || t->p[at].author != author) {
    qm_total *p = qm_array_open(a->arena, t->p, t->n, &t->cap, at, sizeof *p);
    if (!p) return QM_ENOMEM;
    t->p = p;
    p[at] = (qm_total){author, 0, {0, 0}};
    t->n++;
  }
  t->p[at].next = op->counter + 1;
  /* Goes round instead of overflowing: the sum of a state may be anything. */
  t->p[at].sum = qm_wide_add(t->p[at].sum, qm_wide_of(delta));
  return QM_OK;
}

static int push(qm_totals *t, qm_arena *arena, const qm_total *x) {
  qm_total *p = qm_array_open(arena, t->p, t->n, &t->cap, t->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  t->p = p;
  p[t->n++] = *x;
  return QM_OK;
}

static const qm_totals nothing;

/* Per author the side that has seen more of it holds all that the other does. A side
 * without an entry has none of that author's ops here, or all of them were purged:
 * then its VV covers the entry and it goes. */
static int join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors, qm_arena *arena) {
  const qm_totals *x = a.cell && a.cell->content ? a.cell->content : &nothing;
  const qm_totals *y = b.cell && b.cell->content ? b.cell->content : &nothing;
  const uint32_t *rank = authors->rank;
  out->content = NULL;
  qm_totals *t = content(out, arena);
  if (!t) return QM_ENOMEM;
  uint32_t i = 0, j = 0;
  while (i < x->n || j < y->n) {
    int c = i == x->n                                     ? 1
            : j == y->n                                   ? -1
            : x->p[i].author == y->p[j].author            ? 0
            : rank[x->p[i].author] < rank[y->p[j].author] ? -1
                                                          : 1;
    const qm_total *one = c < 0                          ? &x->p[i]
                          : c > 0                        ? &y->p[j]
                          : x->p[i].next >= y->p[j].next ? &x->p[i]
                                                         : &y->p[j];
    const qm_vv *other = c < 0 ? b.vv : a.vv;
    int stays = c == 0 || one->next > qm_vv_get(other, one->author);
    i += c <= 0;
    j += c >= 0;
    if (stays) QM_TRY(push(t, arena, one));
  }
  return QM_OK;
}

int qm_totals_sum(const qm_totals *t, int64_t *out) {
  qm_wide sum = {0, 0};
  *out = 0;
  for (uint32_t i = 0; t && i < t->n; i++)
    if (qm_wide_add_over(sum, t->p[i].sum, &sum)) return QM_ERANGE;
  *out = qm_wide_int(sum);
  return qm_wide_fits(sum) ? QM_OK : QM_ERANGE;
}

static int empty(const qm_cell *cell) { return !cell->content || qm_totals_of(cell)->n == 0; }

static int names(const qm_cell *cell, qm_names *to, qm_arena *arena) {
  const qm_totals *t = qm_totals_of(cell);
  for (uint32_t i = 0; i < t->n; i++) QM_TRY(qm_names_note(to, arena, t->p[i].author));
  return QM_OK;
}

static void put_sum(qm_buf *out, qm_wide v) {
  if (qm_wide_fits(v)) {
    qm_mp_int(out, qm_wide_int(v));
    return;
  }
  uint8_t b[16];
  for (int i = 0; i < 8; i++) {
    b[i] = (uint8_t)(v.hi >> (56 - 8 * i));
    b[8 + i] = (uint8_t)(v.lo >> (56 - 8 * i));
  }
  qm_mp_bin(out, b, sizeof b);
}

static int get_sum(qm_cur *in, qm_wide *out) {
  qm_mp_type type = QM_MP_NIL;
  *out = qm_wide_of(0);
  QM_TRY(qm_cur_peek(in, &type));
  if (type != QM_MP_BIN) {
    int64_t v = 0;
    QM_TRY(qm_cur_int(in, &v));
    *out = qm_wide_of(v);
    return QM_OK;
  }
  uint8_t b[16];
  QM_TRY(qm_cur_bin_n(in, b, sizeof b));
  for (int i = 0; i < 8; i++) {
    out->hi = out->hi << 8 | b[i];
    out->lo = out->lo << 8 | b[8 + i];
  }
  return qm_wide_fits(*out) ? qm_cur_fail(in, QM_ECANON) : QM_OK;
}

static void encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                   qm_buf *out) {
  const qm_totals *t = qm_totals_of(cell);
  qm_mp_array(out, (size_t)t->n * 3);
  for (uint32_t i = 0; i < t->n; i++) {
    qm_put_dot(out, to, authors, (qm_dot){t->p[i].next, t->p[i].author});
    put_sum(out, t->p[i].sum);
  }
}

static int decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                  qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (!count || count % 3) return qm_cur_fail(in, QM_ECANON);
  qm_totals *t = content(cell, arena);
  if (!t) return qm_cur_fail(in, QM_ENOMEM);
  t->cap = count / 3;
  t->p = qm_arena_array(arena, t->cap, sizeof *t->p);
  if (!t->p) return qm_cur_fail(in, QM_ENOMEM);
  for (uint32_t i = 0; i < t->cap; i++) {
    qm_dot d = {0, 0};
    qm_total x = {0, 0, {0, 0}};
    QM_TRY(qm_get_dot(in, from, &d));
    QM_TRY(get_sum(in, &x.sum));
    x.author = d.author;
    x.next = d.counter;
    if (!x.next || (i && authors->rank[t->p[i - 1].author] >= authors->rank[x.author]))
      return qm_cur_fail(in, QM_ECANON);
    t->p[t->n++] = x;
  }
  return QM_OK;
}

const qm_shape qm_shape_totals = {"totals", apply, join, empty, names, encode, decode};
