#include "core/crdt/sequence.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/crdt/sequence_tree.h"
#include "core/hash.h"

#define ROOM_MIN 32u
#define FEW 16u /* ranges of a cut, mostly */

static qm_sequence *content(qm_cell *cell, qm_arena *arena) {
  if (!cell->content) cell->content = qm_arena_zero(arena, sizeof(qm_sequence));
  return cell->content;
}

/* ---- insert ---- */

static size_t code_points(qm_slice s) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
  return n;
}

/* What the op inserts. A value that does not fit the span (op_check refuses those)
 * leaves tombstones, so that apply stays total. */
static int payload(qm__run *r, const qm_op *op, qm_arena *arena) {
  qm_cur in;
  qm_mp_token t;
  r->state = QM_RUN_DEAD;
  if (op->flags & QM_OP_ERASED) return QM_OK;
  qm_cur_init(&in, op->value);
  if (qm_cur_token(&in, &t)) return QM_OK;
  if (t.type == QM_MP_STR && code_points(t.span) == r->len) {
    r->state = QM_RUN_TEXT;
    r->data = t.span.p;
    r->bytes = t.span.n;
  } else if (t.type == QM_MP_ARRAY && t.u == r->len) {
    qm_slice *p = qm_arena_array(arena, (size_t)t.u, sizeof *p);
    if (!p) return QM_ENOMEM;
    for (uint64_t i = 0; i < t.u; i++)
      if (qm_get_value(&in, &p[i])) return QM_OK;
    r->state = QM_RUN_VALUES;
    r->data = (const uint8_t *)p;
    r->bytes = (size_t)t.u * sizeof *p;
  }
  return QM_OK;
}

int qm__run_add(qm__run *r, const qm__run *more, qm_arena *arena) {
  if (!more->bytes) return QM_OK;
  if (r->room < more->bytes) {
    size_t size = (r->bytes + more->bytes) * 2;
    if (size < ROOM_MIN) size = ROOM_MIN;
    uint8_t *p = qm_arena_alloc(arena, size);
    if (!p) return QM_ENOMEM;
    if (r->bytes) memcpy(p, r->data, r->bytes);
    r->data = p;
    r->tail = p + r->bytes;
    r->room = size - r->bytes;
  }
  memcpy(r->tail, more->data, more->bytes);
  r->tail += more->bytes;
  r->room -= more->bytes;
  r->bytes += more->bytes;
  return QM_OK;
}

int qm__sequence_extend(qm_sequence *s, const qm_authors *authors, qm_arena *arena,
                        const qm__run *more, int *done) {
  *done = 0;
  if (more->on != QM_ON_RIGHT || more->parent.author != more->first.author) return QM_OK;
  qm__run *r = qm__sequence_find(s, authors, more->parent);
  if (!r || !qm_dot_eq(qm__run_last(r), more->parent) || qm__run_end(r) != more->first.counter ||
      r->state != more->state || r->rights.n)
    return QM_OK;
  uint64_t shown = qm__run_shown(r);
  QM_TRY(qm__run_add(r, more, arena));
  r->len += more->len;
  qm__run_grew(s, r, shown);
  *done = 1;
  return QM_OK;
}

/* Without what it shows. 0: it has no element. */
static int new_run(qm__run *r, const qm_apply *a, const qm_op *op) {
  *r = (qm__run){.first = {op->counter, a->change->author}, .len = op->span};
  r->key = r->first;
  if (r->len > UINT64_MAX - op->counter) r->len = UINT64_MAX - op->counter;
  r->on = op->flags & QM_OP_LEFT ? QM_ON_LEFT : QM_ON_RIGHT;
  if ((op->flags & QM_OP_ROOT) || !qm_seen(a, op->parent)) r->on = QM_ON_ROOT;
  if (r->on != QM_ON_ROOT) r->parent = op->parent;
  return r->len != 0;
}

static int insert(qm_sequence *s, const qm_apply *a, const qm_op *op) {
  qm__run new;
  int done;
  if (!new_run(&new, a, op)) return QM_OK;
  const qm__column *c = qm__sequence_column(s, a->authors, new.first.author);
  const qm__run *there = c ? qm__column_from(c, op->counter) : NULL;
  if (there && there->first.counter < qm__run_end(&new))
    return QM_OK; /* a dot that is there: the first stands */
  QM_TRY(payload(&new, op, a->arena));
  QM_TRY(qm__sequence_extend(s, a->authors, a->arena, &new, &done));
  if (done) return QM_OK;
  qm__run *r = qm_arena_copy(a->arena, &new, sizeof new);
  return r ? qm__sequence_insert(s, a->authors, a->arena, r) : QM_ENOMEM;
}

/* ---- cut ---- */

/* Joins r to its neighbours by dot where they are one stretch: rubbing out a sentence leaves
 * one run. Gives the run behind it. */
static qm__run *close_up(qm_sequence *s, const qm_authors *authors, qm__run *r) {
  if (r->earlier && qm__sequence_merge(s, authors, r->earlier, r)) r = r->earlier;
  while (r->later && qm__sequence_merge(s, authors, r, r->later)) continue;
  return r->later;
}

/* The same dots in ranges that neither overlap nor touch: a hostile list cannot make
 * us meet the same runs once for each of its ranges. */
static int disjoint(const qm_apply *a, qm_ranges in, qm_ranges *out) {
  qm_range *to = NULL;
  uint32_t n = 0;
  *out = in;
  if (in.n < 2) return QM_OK;
  to = qm_arena_array(a->arena, in.n, sizeof *to);
  qm__point few[FEW], *p = in.n <= FEW ? few : qm_alloc_array(a->arena->env, in.n, sizeof *p);
  if (!to || !p) {
    if (p != few) qm_free(a->arena->env, p);
    return QM_ENOMEM;
  }
  for (uint32_t i = 0; i < in.n; i++) {
    uint64_t most = UINT64_MAX - in.p[i].counter;
    p[i] = (qm__point){a->authors->rank[in.p[i].author], in.p[i].counter,
                       in.p[i].len < most ? in.p[i].len : most, NULL};
  }
  qm__points_sort(a->arena->env, p, in.n);
  for (uint32_t i = 0; i < in.n; i++) {
    uint32_t author = a->authors->sorted[p[i].rank];
    qm_range *last = n ? &to[n - 1] : NULL;
    if (last && last->author == author && p[i].counter - last->counter <= last->len) {
      uint64_t len = p[i].counter - last->counter + p[i].len;
      if (len > last->len) last->len = len;
    } else {
      to[n++] = (qm_range){p[i].counter, p[i].len, author};
    }
  }
  if (p != few) qm_free(a->arena->env, p);
  out->p = to;
  out->n = n;
  return QM_OK;
}

static uint64_t range_end(const qm_apply *a, const qm_range *range) {
  uint64_t end =
      range->len > UINT64_MAX - range->counter ? UINT64_MAX : range->counter + range->len;
  uint64_t seen = qm_vv_get(a->seen, range->author); /* what the author cannot know stays */
  return end < seen ? end : seen;
}

/* Gives the part of r that stands inside [counter, end), which is not nothing, as a run. */
static int edges(qm_sequence *s, const qm_authors *authors, qm_arena *arena, qm__run *r,
                 uint64_t counter, uint64_t end, qm__run **out) {
  qm__run *rest;
  if (r->first.counter < counter) {
    QM_TRY(qm__sequence_split(s, authors, arena, r, counter - r->first.counter, &rest));
    r = rest;
  }
  if (qm__run_end(r) > end)
    QM_TRY(qm__sequence_split(s, authors, arena, r, end - r->first.counter, &rest));
  *out = r;
  return QM_OK;
}

int qm__sequence_cut_range(qm_sequence *s, const qm_authors *authors, qm_arena *arena,
                           qm_range range) {
  uint64_t end = range.counter + range.len;
  qm__run *r = qm__sequence_find(s, authors, (qm_dot){range.counter, range.author});
  if (!r) { /* of the first elements some are trimmed */
    const qm__column *c = qm__sequence_column(s, authors, range.author);
    r = c ? qm__column_from(c, range.counter) : NULL;
  }
  while (r && r->first.counter < end) {
    if (r->state == QM_RUN_DEAD) {
      r = r->later;
      continue;
    }
    uint64_t r_end = qm__run_end(r);
    if (range.counter > r->first.counter && end >= r_end &&
        qm__run_give_end(s, r, r_end - range.counter)) {
      r = r->later;
      continue;
    }
    if (range.counter <= r->first.counter && end < r_end &&
        qm__run_give_start(s, authors, r, end - r->first.counter))
      return QM_OK;
    QM_TRY(edges(s, authors, arena, r, range.counter, end, &r));
    qm__run_hide(s, r);
    r = close_up(s, authors, r);
  }
  return QM_OK;
}

static int cut(qm_sequence *s, const qm_apply *a, const qm_range *range, int is_later) {
  uint64_t end = range_end(a, range);
  if (end <= range->counter) return QM_OK;
  const qm_range seen = {range->counter, end - range->counter, range->author};
  return is_later ? qm__later_cut(s, a, seen)
                  : qm__sequence_cut_range(s, a->authors, a->arena, seen);
}

/* ---- trim ---- */

typedef struct trim {
  qm_sequence *s;
  const qm_apply *a;
  qm__runs listed; /* tombstones that the op lists, whole runs */
  qm__runs todo;
  int torn; /* a child that the trim's author had not seen lost its parent */
} trim;

static int note(qm__runs *l, qm_arena *arena, qm__run *r) {
  qm__run **p = qm_array_open(arena, l->p, l->n, &l->cap, l->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  l->p = p;
  p[l->n++] = r;
  return QM_OK;
}

static int list_range(trim *t, const qm_range *range) {
  const qm__column *c = qm__sequence_column(t->s, t->a->authors, range->author);
  uint64_t end = range_end(t->a, range);
  if (!c || end <= range->counter) return QM_OK;
  for (qm__run *r = qm__column_from(c, range->counter); r && r->first.counter < end;
       r = r->later) {
    if (r->state != QM_RUN_DEAD || r->listed) continue;
    QM_TRY(edges(t->s, t->a->authors, t->a->arena, r, range->counter, end, &r));
    r->listed = 1;
    QM_TRY(note(&t->listed, t->a->arena, r));
    QM_TRY(note(&t->todo, t->a->arena, r));
  }
  return QM_OK;
}

/* How many children the trim's author knew, up to two, and one of them: what has taken a
 * trimmed one's place is known where that was. A child that it did not know cannot keep its
 * parent there: on the replicas that hear of the trim first the parent is gone already. */
static uint32_t known(const trim *t, const qm__runs *l, qm__run **one) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < l->n && n < 2; i++) {
    if (!qm_seen(t->a, l->p[i]->key)) continue;
    *one = l->p[i];
    n++;
  }
  return n;
}

static int take_out(trim *t, qm__run *r, qm__run *heir) {
  qm__run *host = NULL;
  r->listed = 0;
  if (r->lefts.n + r->rights.n > (heir ? 1u : 0u)) t->torn = 1;
  if (heir) {
    if (!qm__sequence_inherit(t->s, t->a->authors, r, heir)) t->torn = 1;
    return QM_OK;
  }
  if (r->on != QM_ON_ROOT && !r->stray) host = qm__sequence_find(t->s, t->a->authors, r->parent);
  qm__sequence_remove(t->s, t->a->authors, r);
  return host && host->listed ? note(&t->todo, t->a->arena, host) : QM_OK;
}

/* An element goes where at most one child stays, which takes its place. In a run that is all
 * but the last where more than one hangs on that, and but the first where something hangs on
 * its left and something stays on its right. */
static int trim_run(trim *t, qm__run *r) {
  qm__run *heir = NULL, *rest = NULL;
  uint32_t rights = known(t, &r->rights, &heir), lefts = known(t, &r->lefts, &heir);
  if (rights > 1 && r->len > 1) { /* the last stays */
    QM_TRY(qm__sequence_split(t->s, t->a->authors, t->a->arena, r, r->len - 1, &rest));
    QM_TRY(note(&t->listed, t->a->arena, rest));
    if (!lefts) heir = rest;
    rights = 1;
  }
  if (lefts + rights > 1) { /* the first stays */
    if (r->len == 1) return QM_OK;
    QM_TRY(qm__sequence_split(t->s, t->a->authors, t->a->arena, r, 1, &rest));
    r = rest;
    heir = NULL;
    (void)known(t, &r->rights, &heir);
  }
  return take_out(t, r, heir);
}

static int rebuild(qm_sequence *s, const qm_apply *a) {
  qm__runs all = {0};
  for (uint32_t i = 0; i < s->n_columns; i++)
    for (qm__run *r = qm__column_first(&s->columns[i]); r; r = r->later)
      QM_TRY(note(&all, a->arena, r));
  return qm__sequence_build(s, a->authors, a->arena, all.p, all.n, NULL);
}

static int apply_trim(qm_sequence *s, const qm_apply *a, qm_ranges ranges) {
  trim t = {.s = s, .a = a};
  qm__sequence_forget(s);
  for (uint32_t i = 0; i < ranges.n; i++) QM_TRY(list_range(&t, &ranges.p[i]));
  while (t.todo.n) {
    qm__run *r = t.todo.p[--t.todo.n];
    if (r->listed) QM_TRY(trim_run(&t, r));
  }
  for (uint32_t i = 0; i < t.listed.n; i++) t.listed.p[i]->listed = 0;
  return t.torn ? rebuild(s, a) : QM_OK;
}

static int apply(qm_cell *cell, const qm_apply *a, const qm_op *op) {
  qm_sequence *s = content(cell, a->arena);
  if (!s) return QM_ENOMEM;
  QM_TRY(qm__sequence_settle(s));
  if (op->kind == QM_KIND_INSERT) return insert(s, a, op);
  qm_ranges ranges;
  QM_TRY(disjoint(a, op->cuts, &ranges));
  if (op->kind == QM_KIND_TRIM) return apply_trim(s, a, ranges);
  for (uint32_t i = 0; i < ranges.n; i++) QM_TRY(cut(s, a, &ranges.p[i], 0));
  return QM_OK;
}

static int insert_later(qm_sequence *s, const qm_apply *a, const qm_op *op) {
  qm__run new;
  int done;
  if (!new_run(&new, a, op)) return QM_OK;
  QM_TRY(payload(&new, op, a->arena));
  QM_TRY(qm__later_insert(s, a, &new, &done));
  if (done) return QM_OK;
  QM_TRY(qm__sequence_settle(s));
  return insert(s, a, op);
}

int qm_sequence_apply_later(qm_cell *cell, const qm_apply *a, const qm_op *op) {
  qm_sequence *s = content(cell, a->arena);
  if (!s) return QM_ENOMEM;
  if (op->kind == QM_KIND_TRIM) return apply(cell, a, op);
  if (op->kind == QM_KIND_INSERT) return insert_later(s, a, op);
  for (uint32_t i = 0; i < op->cuts.n; i++) QM_TRY(cut(s, a, &op->cuts.p[i], 1));
  return QM_OK;
}

/* ---- typing ---- */

int qm_sequence_type(qm_cell *c, qm_arena *arena, qm_dot next, uint64_t at, uint8_t key) {
  qm_sequence *s = c->content;
  qm__run *r = s ? s->near : NULL;
  const qm__run more = {.data = &key, .bytes = 1};
  if (!r || at < s->near_at || at - s->near_at != r->len || r->state != QM_RUN_TEXT ||
      r->rights.n || r->first.author != next.author || qm__run_end(r) != next.counter)
    return 0;
  if (r->room) {
    *r->tail++ = key;
    r->room--;
    r->bytes++;
  } else {
    QM_TRY(qm__run_add(r, &more, arena));
  }
  r->len++;
  s->near_more++;
  return 1;
}

int qm_sequence_rub(qm_cell *c, const qm_authors *authors, uint64_t at, qm_range *out) {
  qm_sequence *s = c->content;
  qm__run *r = s ? s->near : NULL;
  if (!r || at < s->near_at || at - s->near_at >= qm__run_shown(r)) return 0;
  *out = (qm_range){r->first.counter + (at - s->near_at), 1, r->first.author};
  if (at - s->near_at + 1 == r->len && qm__run_give_end(s, r, 1)) return 1;
  return at == s->near_at && qm__run_give_start(s, authors, r, 1);
}

/* ---- reading ---- */

uint64_t qm_sequence_len(const qm_cell *c) {
  /* Reading makes the treap and moves the place met last, which nobody sees. */
  qm_sequence *s = c->content;
  if (!s || !s->first) return 0;
  qm__sequence_order(s);
  return s->top->shown + s->near_more;
}

static const qm__run *head_of(const qm_cell *c) {
  const qm_sequence *s = qm_sequence_of(c);
  return s ? qm__sequence_head(s) : NULL;
}

void qm_sequence_text(const qm_cell *c, qm_buf *out) {
  static const char object[] = "\xef\xbf\xbc";
  for (const qm__run *r = head_of(c); r; r = qm__run_next(r)) {
    if (r->state == QM_RUN_TEXT) qm_buf_add(out, r->data, r->bytes);
    for (uint64_t i = 0; r->state == QM_RUN_VALUES && i < r->len; i++)
      qm_buf_add(out, object, sizeof object - 1);
  }
}

/* Each code point as a value; a header of one byte holds up to 31. */
static int text_values(const qm__run *r, qm_arena *arena, qm_slice *to) {
  uint8_t *p = qm_arena_alloc(arena, r->bytes + (size_t)r->len);
  if (!p) return QM_ENOMEM;
  for (size_t i = 0; i < r->bytes; to++) {
    size_t n = 1;
    while (i + n < r->bytes && (r->data[i + n] & 0xc0) == 0x80) n++;
    *p = (uint8_t)(0xa0u | n);
    memcpy(p + 1, r->data + i, n);
    *to = qm_slice_of(p, n + 1);
    p += n + 1;
    i += n;
  }
  return QM_OK;
}

int qm_sequence_values(const qm_cell *c, qm_arena *arena, qm_slice **out, uint32_t *n) {
  uint64_t len = qm_sequence_len(c);
  qm_slice *p = len <= UINT32_MAX ? qm_arena_array(arena, (size_t)len, sizeof *p) : NULL;
  *n = 0;
  *out = p;
  if (!p) return QM_ENOMEM;
  for (const qm__run *r = head_of(c); r; r = qm__run_next(r)) {
    if (r->state == QM_RUN_DEAD) continue;
    if (r->state == QM_RUN_VALUES)
      memcpy(p + *n, r->data, r->bytes);
    else
      QM_TRY(text_values(r, arena, p + *n));
    *n += (uint32_t)r->len;
  }
  return QM_OK;
}

/* Whether r, after l in the document with nothing visible in between, lies in the
 * right subtree of l's last element. Two walks in step, up from r and along the far
 * edge of l's subtree: the shorter decides. */
static int in_right_subtree(qm_sequence *s, const qm_authors *authors, const qm__run *l,
                            const qm__run *r) {
  const qm__run *up = r, *edge = l;
  if (!l->rights.n) return 0;
  if (qm__run_next(l) == r) return 1;
  for (;;) {
    if (up->on == QM_ON_ROOT || up->stray) return 0;
    up = qm__sequence_find(s, authors, up->parent);
    if (up == l) return 1;
    if (qm__run_precedes(up, l)) return 0;
    if (!edge->rights.n) return edge == r || qm__run_precedes(r, edge);
    edge = edge->rights.p[edge->rights.n - 1];
  }
}

/* Strays stand behind everything that hangs on the root. */
static int under_root(const qm_sequence *s, const qm__run *r) {
  if (!s->strays.n) return 1;
  const qm__run *x = s->strays.p[0];
  while (x->lefts.n) x = x->lefts.p[0];
  return r != x && qm__run_precedes(r, x);
}

int qm_sequence_place(const qm_cell *c, const qm_authors *authors, uint64_t at, qm_op *op) {
  qm_sequence *s = c->content;
  uint64_t len = qm_sequence_len(c), l_at = 0, r_at = 0;
  const qm__run *l = NULL, *r = NULL;
  if (at > len) return QM_ERANGE;
  if (at) l = qm__sequence_at(s, at - 1, &l_at);
  if (l && l_at + 1 < l->len)
    r = l, r_at = l_at + 1;
  else if (l && at < len && !l->rights.n)
    r = NULL; /* nothing in the right subtree of l: never a left child */
  else if (at < len)
    r = qm__sequence_at(s, at, &r_at);
  int left = r && (l == r || (l ? in_right_subtree(s, authors, l, r) : under_root(s, r)));
  op->flags = (uint8_t)(op->flags & ~(QM_OP_ROOT | QM_OP_LEFT));
  memset(&op->parent, 0, sizeof op->parent);
  if (left) {
    op->flags |= QM_OP_LEFT;
    op->parent.author = r->first.author;
    op->parent.counter = r->first.counter + r_at;
  } else if (l) {
    op->parent.author = l->first.author;
    op->parent.counter = l->first.counter + l_at;
  } else {
    op->flags |= QM_OP_ROOT;
  }
  return QM_OK;
}

static const qm__run *next_shown(const qm__run *r) {
  do r = qm__run_next(r);
  while (r && r->state == QM_RUN_DEAD);
  return r;
}

int qm_sequence_cut(const qm_cell *c, qm_arena *arena, uint64_t at, uint64_t n, qm_ranges *out) {
  uint64_t len = qm_sequence_len(c), offset = 0;
  qm_range *p = NULL;
  uint32_t cap = 0;
  out->p = NULL;
  out->n = 0;
  if (at > len || n > len - at) return QM_ERANGE;
  if (!n) return QM_OK;
  const qm__run *r = qm__sequence_at(c->content, at, &offset);
  for (;;) {
    uint64_t take = r->len - offset < n ? r->len - offset : n, counter = r->first.counter + offset;
    if (out->n && p[out->n - 1].author == r->first.author &&
        p[out->n - 1].counter + p[out->n - 1].len == counter) {
      p[out->n - 1].len += take;
    } else {
      p = qm_array_open(arena, p, out->n, &cap, out->n, sizeof *p);
      if (!p) return QM_ENOMEM;
      p[out->n++] = (qm_range){counter, take, r->first.author};
    }
    out->p = p;
    n -= take;
    if (!n) return QM_OK;
    offset = 0;
    r = next_shown(r);
  }
}

static void hash_range(qm_sha *sha, const qm_authors *authors, const qm_range *x) {
  uint8_t b[16];
  for (unsigned i = 0; i < 8; i++) {
    b[i] = (uint8_t)(x->counter >> (56 - 8 * i));
    b[8 + i] = (uint8_t)(x->len >> (56 - 8 * i));
  }
  qm_sha_add(sha, &authors->ids[x->author], sizeof authors->ids[x->author]);
  qm_sha_add(sha, b, sizeof b);
}

uint64_t qm_sequence_version(const qm_cell *c, const qm_authors *authors) {
  qm_sha sha;
  qm_hash h;
  qm_range x = {0, 0, 0};
  uint64_t version = 0;
  qm_sha_init(&sha);
  for (const qm__run *r = head_of(c); r; r = qm__run_next(r)) {
    if (r->state == QM_RUN_DEAD) continue;
    if (x.len && x.author == r->first.author && x.counter + x.len == r->first.counter) {
      x.len += r->len;
      continue;
    }
    if (x.len) hash_range(&sha, authors, &x);
    x = (qm_range){r->first.counter, r->len, r->first.author};
  }
  if (x.len) hash_range(&sha, authors, &x);
  qm_sha_end(&sha, &h);
  for (unsigned i = 0; i < 8; i++) version = version << 8 | h.b[i];
  return version;
}

const qm_shape qm_shape_sequence = {"sequence",         apply,
                                    qm__sequence_join,  qm__sequence_empty,
                                    qm__sequence_names, qm__sequence_encode,
                                    qm__sequence_decode};
