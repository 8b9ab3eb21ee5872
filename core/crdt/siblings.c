#include "core/crdt/siblings.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/mp.h"
#include "core/mp_put.h"

/* State of one sibling: [place, counter, time, flags, value] and, as flags say,
 * generation, hides, keeps. All siblings stand flat in one array. */
enum { FLAG_KEPT = 1, FLAG_GENERATION = 2, FLAG_NAMES = 4 };

static uint32_t lower_bound(const qm_siblings *s, const qm_authors *authors, qm_dot d) {
  uint32_t lo = 0, hi = s->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm_dot_cmp(authors, s->p[mid].dot, d) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* A cell with room for the one value that most have. */
typedef struct single {
  qm_siblings all;
  qm_sibling first;
} single;

static qm_siblings *content(qm_cell *cell, qm_arena *arena) {
  if (cell->content) return cell->content;
  single *x = qm_arena_alloc(arena, sizeof *x);
  if (!x) return NULL;
  x->all = (qm_siblings){&x->first, 0, 1};
  cell->content = &x->all;
  return cell->content;
}

/* S3.3: what the op's context covers is replaced, or flagged kept (or, for a beside
 * write, left as it is). What it does not cover is concurrent and stays. */
static int supersede(qm_siblings *s, const qm_apply *a, const qm_op *op) {
  uint32_t n = 0;
  qm_dots list;
  int listed = (op->flags & QM_OP_LISTED) != 0;
  QM_TRY(qm_dots_sort(a->arena, op->dots, &list));
  for (uint32_t i = 0; i < s->n; i++) {
    qm_sibling *x = &s->p[i];
    if (qm_seen(a, x->dot)) {
      if (qm_replaces(a, listed, list, x->dot)) continue;
      if (op->kind != QM_KIND_BESIDE) x->kept = 1;
    }
    if (n != i) s->p[n] = *x;
    n++;
  }
  s->n = n;
  return QM_OK;
}

static int apply(qm_cell *cell, const qm_apply *a, const qm_op *op) {
  qm_siblings *s = content(cell, a->arena);
  if (!s) return QM_ENOMEM;
  QM_TRY(supersede(s, a, op));
  if (op->flags & QM_OP_ERASED) return QM_OK; /* replaces all the same; no sibling stays */
  qm_dot dot = {op->counter, a->change->author};
  qm_named *named = NULL;
  if (op->flags & QM_OP_NAMES && (op->hides.n || op->keeps.n)) {
    named = qm_arena_alloc(a->arena, sizeof *named);
    if (!named) return QM_ENOMEM;
    *named = (qm_named){op->hides, op->keeps};
  }
  uint32_t at = lower_bound(s, a->authors, dot);
  qm_sibling *p = qm_array_open(a->arena, s->p, s->n, &s->cap, at, sizeof *p);
  if (!p) return QM_ENOMEM;
  s->p = p;
  s->n++;
  p[at] = (qm_sibling){.dot = dot,
                       .time = a->change->time,
                       .generation = op->generation,
                       .value = op->value,
                       .named = named};
  return QM_OK;
}

static int push(qm_siblings *s, qm_arena *arena, const qm_sibling *x) {
  qm_sibling *p = qm_array_open(arena, s->p, s->n, &s->cap, s->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  s->p = p;
  p[s->n++] = *x;
  return QM_OK;
}

static const qm_siblings nothing;

/* S3.8: in both: stays, kept flags ORed; in one: stays unless the other has seen it. */
static int join(qm_cell *out, qm_side a, qm_side b, const qm_authors *authors, qm_arena *arena) {
  const qm_siblings *x = a.cell && a.cell->content ? a.cell->content : &nothing;
  const qm_siblings *y = b.cell && b.cell->content ? b.cell->content : &nothing;
  out->content = NULL;
  qm_siblings *s = content(out, arena);
  if (!s) return QM_ENOMEM;
  uint32_t i = 0, j = 0;
  while (i < x->n || j < y->n) {
    int c = i == x->n ? 1 : j == y->n ? -1 : qm_dot_cmp(authors, x->p[i].dot, y->p[j].dot);
    if (c == 0) {
      qm_sibling both = x->p[i++];
      both.kept = both.kept | y->p[j++].kept;
      QM_TRY(push(s, arena, &both));
    } else if (c < 0) {
      const qm_sibling *one = &x->p[i++];
      if (!qm_vv_covers(b.vv, one->dot)) QM_TRY(push(s, arena, one));
    } else {
      const qm_sibling *one = &y->p[j++];
      if (!qm_vv_covers(a.vv, one->dot)) QM_TRY(push(s, arena, one));
    }
  }
  return QM_OK;
}

static int empty(const qm_cell *cell) { return !cell->content || qm_siblings_of(cell)->n == 0; }

static int names(const qm_cell *cell, qm_names *to, qm_arena *arena) {
  const qm_siblings *s = qm_siblings_of(cell);
  for (uint32_t i = 0; i < s->n; i++) {
    const qm_sibling *x = &s->p[i];
    QM_TRY(qm_names_note(to, arena, x->dot.author));
    if (!x->named) continue;
    QM_TRY(qm_note_dots(to, arena, x->named->hides));
    QM_TRY(qm_note_dots(to, arena, x->named->keeps));
  }
  return QM_OK;
}

static unsigned flags_of(const qm_sibling *x) {
  return (x->kept ? FLAG_KEPT : 0u) | (x->generation ? FLAG_GENERATION : 0u) |
         (x->named ? FLAG_NAMES : 0u);
}

static uint8_t *put_head(uint8_t *at, const qm_sibling *x, unsigned flags, const qm_names *to,
                         const qm_authors *authors) {
  at = qm__put_uint(at, qm_names_place(to, authors, x->dot.author));
  at = qm__put_uint(qm__put_uint(at, x->dot.counter), x->time);
  return qm__put_uint(at, flags);
}

/* One value and no more to say of it, as most fields have: its room is looked for once. */
static void encode_one(const qm_sibling *x, unsigned flags, const qm_names *to,
                       const qm_authors *authors, qm_buf *out) {
  uint8_t head[5 * QM__PUT_UINT];
  size_t n = (size_t)(put_head(qm__put_array(head, 5), x, flags, to, authors) - head);
  uint8_t *room = qm_buf_reserve(out, n + x->value.n);
  if (!room) return;
  (void)qm__put_few(qm__put_few(room, head, n), x->value.p, x->value.n);
  out->n += n + x->value.n;
}

static void encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                   qm_buf *out) {
  const qm_siblings *s = qm_siblings_of(cell);
  size_t count = 0;
  if (s->n == 1 && !s->p->generation && !s->p->named) {
    encode_one(s->p, flags_of(s->p), to, authors, out);
    return;
  }
  for (uint32_t i = 0; i < s->n; i++) {
    unsigned f = flags_of(&s->p[i]);
    count += 5u + (f & FLAG_GENERATION ? 1u : 0u) + (f & FLAG_NAMES ? 2u : 0u);
  }
  qm_mp_array(out, count);
  for (uint32_t i = 0; i < s->n; i++) {
    const qm_sibling *x = &s->p[i];
    unsigned f = flags_of(x);
    uint8_t head[4 * QM__PUT_UINT];
    qm_buf_add(out, head, (size_t)(put_head(head, x, f, to, authors) - head));
    qm_mp_raw(out, x->value);
    if (f & FLAG_GENERATION) qm_mp_uint(out, x->generation);
    if (f & FLAG_NAMES) {
      qm_put_dots(out, to, authors, x->named->hides);
      qm_put_dots(out, to, authors, x->named->keeps);
    }
  }
}

static int decode_one(qm_sibling *x, uint32_t *left, qm_cur *in, const qm_names *from,
                      qm_arena *arena) {
  uint64_t f = 0;
  memset(x, 0, sizeof *x);
  QM_TRY(qm_get_dot(in, from, &x->dot));
  QM_TRY(qm_cur_uint(in, &x->time));
  QM_TRY(qm_cur_uint(in, &f));
  QM_TRY(qm_get_value(in, &x->value));
  if (!f) {
    *left -= 5;
    return QM_OK;
  }
  uint32_t extra = (f & FLAG_GENERATION ? 1u : 0u) + (f & FLAG_NAMES ? 2u : 0u);
  if (f > 7 || *left < 5 + extra) return qm_cur_fail(in, QM_EFORMAT);
  *left -= 5 + extra;
  x->kept = (f & FLAG_KEPT) != 0;
  if (f & FLAG_GENERATION) QM_TRY(qm_cur_uint(in, &x->generation));
  if (f & FLAG_NAMES) {
    qm_named *named = qm_arena_alloc(arena, sizeof *named);
    if (!named) return qm_cur_fail(in, QM_ENOMEM);
    QM_TRY(qm_get_dots(in, from, arena, &named->hides));
    QM_TRY(qm_get_dots(in, from, arena, &named->keeps));
    if (named->hides.n || named->keeps.n) x->named = named; /* else the flag says too much */
  }
  return flags_of(x) == f ? QM_OK : qm_cur_fail(in, QM_ECANON);
}

static int decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                  qm_arena *arena) {
  uint32_t left = 0;
  QM_TRY(qm_cur_array(in, &left));
  qm_siblings *s = content(cell, arena);
  if (!s) return qm_cur_fail(in, QM_ENOMEM);
  if (left / 5 > 1) { /* no more than these; each is at least five bytes of the input */
    s->cap = left / 5;
    s->p = qm_arena_array(arena, s->cap, sizeof *s->p);
    if (!s->p) return qm_cur_fail(in, QM_ENOMEM);
  }
  for (; left >= 5; s->n++) {
    qm_sibling *x = &s->p[s->n];
    QM_TRY(decode_one(x, &left, in, from, arena));
    if (s->n && qm_dot_cmp(authors, x[-1].dot, x->dot) >= 0) return qm_cur_fail(in, QM_ECANON);
  }
  return left || !s->n ? qm_cur_fail(in, QM_ECANON) : QM_OK;
}

const qm_shape qm_shape_siblings = {"siblings", apply, join, empty, names, encode, decode};
