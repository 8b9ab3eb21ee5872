/* A sequence at rest: one flat array, the runs in document order.
 *
 *   head      uint: state (bits 0, 1: 0 text, 1 values, 2 tombstones)
 *                 + 4 * hangs (0 on the root, 1 right child, 2 left child)
 *                 + 16 where the run was typed backwards
 *                 + 32 where the parent is of the run's own author
 *                 + 64 where the element with that counter is moved
 *   place     uint: author of the run, by place in the record's names
 *   counter   uint: the least of the run
 *   parent    of the element with that counter:
 *               hangs 0: nothing; own author: one uint, counter less the parent's
 *               counter (>= 1); else place, counter
 *   key       where it is moved: place, counter of the dot whose place it has taken
 *   body      text: str, one code point an element; values: array, one value an
 *             element; tombstones: uint, how many
 *
 * A forward run is a longest stretch, adjacent in the document, of elements of one
 * author and state where each is the right child of the one before and has the next
 * counter. Among the forward runs of one element, not tombstones, a longest stretch
 * of at least 3, adjacent in the document, of one author and state, where each is
 * the left child of the following one and has the counter after the following one's,
 * is one backward run: its body is in document order, so its first element has the
 * greatest counter and its last hangs as the entry says. These links join pairs, so
 * the runs are a function of the content, whatever way it came about.
 *
 * An element whose parent is absent still says where it hung. Runs that overlap,
 * hang in a ring, or stand in another order than the tree gives are refused. */
#include "core/crdt/sequence_tree.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/mp.h"

enum { HEAD_STATE = 3, HEAD_HANGS = 4, HEAD_BACK = 16, HEAD_OWN = 32, HEAD_MOVED = 64 };
enum { HEAD_MAX = 127 };
#define BACK_MIN 3u

/* A forward run: in-memory runs from `from` to before `next`. */
typedef struct stretch {
  const qm__run *from, *next;
  uint64_t len;
  size_t bytes;
} stretch;

/* One entry: a stretch, or `count` >= BACK_MIN stretches of one element. */
typedef struct entry {
  const qm__run *from, *next, *root; /* root: hangs as the entry says */
  uint64_t len, count;
  size_t bytes;
} entry;

static int forward_link(const qm__run *x, const qm__run *y) {
  return y->on == QM_ON_RIGHT && y->state == x->state && y->first.author == x->first.author &&
         y->first.counter == qm__run_end(x) && qm_dot_eq(y->parent, qm__run_last(x)) &&
         !qm__run_moved(y);
}

static int backward_link(const stretch *x, const stretch *y) {
  const qm__run *p = x->from, *q = y->from;
  return x->len == 1 && y->len == 1 && p->state != QM_RUN_DEAD && p->state == q->state &&
         p->on == QM_ON_LEFT && p->first.author == q->first.author &&
         qm_dot_eq(p->parent, q->first) && p->first.counter == q->first.counter + 1 &&
         !qm__run_moved(p);
}

static stretch stretch_at(const qm__run *r) {
  stretch s = {.from = r, .len = r->len, .bytes = r->bytes};
  for (;;) {
    s.next = qm__run_next(r);
    if (!s.next || !forward_link(r, s.next)) return s;
    r = s.next;
    s.len += r->len;
    s.bytes += r->bytes;
  }
}

static entry entry_at(const qm__run *r) {
  stretch x = stretch_at(r);
  entry e = {x.from, x.next, x.from, x.len, 1, x.bytes}, back = e;
  while (back.next && x.len == 1) {
    stretch y = stretch_at(back.next);
    if (!backward_link(&x, &y)) break;
    back.root = y.from;
    back.next = y.next;
    back.bytes += y.bytes;
    back.len++;
    back.count++;
    x = y;
  }
  return back.count >= BACK_MIN ? back : e;
}

static int own_parent(const qm__run *r) {
  return r->on != QM_ON_ROOT && r->parent.author == r->first.author &&
         r->parent.counter < r->first.counter;
}

static unsigned head_of(const entry *e) {
  return e->root->state + HEAD_HANGS * (unsigned)e->root->on + (e->count > 1 ? HEAD_BACK : 0u) +
         (own_parent(e->root) ? HEAD_OWN : 0u) + (qm__run_moved(e->root) ? HEAD_MOVED : 0u);
}

static size_t items_of(const entry *e) {
  return 4u + (e->root->on == QM_ON_ROOT ? 0u : own_parent(e->root) ? 1u : 2u) +
         (qm__run_moved(e->root) ? 2u : 0u);
}

/* The header alone: the text stands in pieces. */
static void put_str_head(qm_buf *out, size_t n) {
  if (n < 32) {
    qm_buf_byte(out, (uint8_t)(0xa0u | n));
  } else if (n <= UINT8_MAX) {
    qm_buf_byte(out, 0xd9);
    qm_buf_byte(out, (uint8_t)n);
  } else if (n <= UINT16_MAX) {
    qm_buf_byte(out, 0xda);
    qm_buf_be16(out, (uint16_t)n);
  } else if (n <= UINT32_MAX) {
    qm_buf_byte(out, 0xdb);
    qm_buf_be32(out, (uint32_t)n);
  } else if (!out->status) {
    out->status = QM_ELIMIT;
  }
}

static void put_body(qm_buf *out, const entry *e) {
  if (e->from->state == QM_RUN_DEAD) {
    qm_mp_uint(out, e->len);
    return;
  }
  if (e->from->state == QM_RUN_TEXT)
    put_str_head(out, e->bytes);
  else
    qm_mp_array(out, (size_t)e->len);
  for (const qm__run *r = e->from; r != e->next; r = qm__run_next(r)) {
    if (r->state == QM_RUN_TEXT) {
      qm_buf_add(out, r->data, r->bytes);
      continue;
    }
    const qm_slice *values = (const qm_slice *)(const void *)r->data;
    for (uint64_t i = 0; i < r->len; i++) qm_mp_raw(out, values[i]);
  }
}

int qm__sequence_empty(const qm_cell *cell) { return !cell->content || !qm_sequence_of(cell)->top; }

int qm__sequence_names(const qm_cell *cell, qm_names *to, qm_arena *arena) {
  for (const qm__run *r = qm__sequence_head(qm_sequence_of(cell)); r; r = qm__run_next(r)) {
    QM_TRY(qm_names_note(to, arena, r->first.author));
    if (r->on != QM_ON_ROOT) QM_TRY(qm_names_note(to, arena, r->parent.author));
    if (qm__run_moved(r)) QM_TRY(qm_names_note(to, arena, r->key.author));
  }
  return QM_OK;
}

void qm__sequence_encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                         qm_buf *out) {
  const qm__run *head = qm__sequence_head(qm_sequence_of(cell));
  size_t count = 0;
  for (const qm__run *r = head; r;) {
    entry e = entry_at(r);
    count += items_of(&e);
    r = e.next;
  }
  qm_mp_array(out, count);
  for (const qm__run *r = head; r;) {
    entry e = entry_at(r);
    qm_mp_uint(out, head_of(&e));
    qm_put_dot(out, to, authors, e.root->first);
    if (own_parent(e.root))
      qm_mp_uint(out, e.root->first.counter - e.root->parent.counter);
    else if (e.root->on != QM_ON_ROOT)
      qm_put_dot(out, to, authors, e.root->parent);
    if (qm__run_moved(e.root)) qm_put_dot(out, to, authors, e.root->key);
    put_body(out, &e);
    r = e.next;
  }
}

typedef struct reader {
  qm_cur *in;
  const qm_names *from;
  const qm_authors *authors;
  qm_arena *arena;
  uint32_t left;     /* items of the array not read yet */
  qm__point *points; /* the runs read */
  uint32_t n, cap;
} reader;

static int add_run(reader *d, const qm__run *r) {
  qm__point *p = qm_array_open(d->arena, d->points, d->n, &d->cap, d->n, sizeof *p);
  if (!p) return qm_cur_fail(d->in, QM_ENOMEM);
  d->points = p;
  qm__run *copy = qm_arena_copy(d->arena, r, sizeof *r);
  if (!copy) return qm_cur_fail(d->in, QM_ENOMEM);
  p[d->n++] = (qm__point){d->authors->rank[r->first.author], r->first.counter, r->len, copy};
  return QM_OK;
}

static int get_parent(reader *d, qm__run *r, int own) {
  uint32_t items = r->on == QM_ON_ROOT ? 0u : own ? 1u : 2u;
  uint64_t distance = 0;
  if (d->left < items) return qm_cur_fail(d->in, QM_EFORMAT);
  d->left -= items;
  if (items == 2) return qm_get_dot(d->in, d->from, &r->parent);
  if (!items) return own ? qm_cur_fail(d->in, QM_EFORMAT) : QM_OK;
  QM_TRY(qm_cur_uint(d->in, &distance));
  if (!distance || distance > r->first.counter) return qm_cur_fail(d->in, QM_EFORMAT);
  r->parent.author = r->first.author;
  r->parent.counter = r->first.counter - distance;
  return QM_OK;
}

static int get_key(reader *d, qm__run *r, int moved) {
  r->key = r->first;
  if (!moved) return QM_OK;
  if (d->left < 2) return qm_cur_fail(d->in, QM_EFORMAT);
  d->left -= 2;
  return qm_get_dot(d->in, d->from, &r->key);
}

static int get_body(reader *d, qm__run *r) {
  qm_slice text = {NULL, 0};
  uint32_t count = 0;
  if (r->state == QM_RUN_DEAD) return qm_cur_uint(d->in, &r->len);
  if (r->state == QM_RUN_TEXT) {
    QM_TRY(qm_cur_str(d->in, &text));
    for (size_t i = 0; i < text.n; i++) r->len += (text.p[i] & 0xc0) != 0x80;
    r->data = text.p;
    r->bytes = text.n;
    return QM_OK;
  }
  QM_TRY(qm_cur_array(d->in, &count));
  qm_slice *p = qm_arena_array(d->arena, count, sizeof *p);
  if (!p) return qm_cur_fail(d->in, QM_ENOMEM);
  for (uint32_t i = 0; i < count; i++) QM_TRY(qm_get_value(d->in, &p[i]));
  r->len = count;
  r->data = (const uint8_t *)p;
  r->bytes = count * sizeof *p;
  return QM_OK;
}

/* The elements of a backward run, each a run of its own: last to first. */
static int add_backward(reader *d, qm__run whole) {
  uint64_t n = whole.len;
  if (whole.state == QM_RUN_DEAD || n < BACK_MIN) return qm_cur_fail(d->in, QM_ECANON);
  for (uint64_t i = 0; i < n; i++) {
    qm__run one = whole;
    size_t size = sizeof(qm_slice);
    if (whole.state == QM_RUN_TEXT)
      for (size = 1; size < whole.bytes && (whole.data[whole.bytes - size] & 0xc0) == 0x80;) size++;
    one.data = whole.data + (whole.bytes - size);
    one.bytes = size;
    one.len = 1;
    QM_TRY(add_run(d, &one));
    whole.bytes -= size;
    whole.parent = one.first;
    whole.on = QM_ON_LEFT;
    whole.first.counter++;
    whole.key = whole.first;
  }
  return QM_OK;
}

static int get_entry(reader *d) {
  qm__run r;
  uint64_t head = 0;
  memset(&r, 0, sizeof r);
  if (d->left < 4) return qm_cur_fail(d->in, QM_EFORMAT);
  d->left -= 4;
  QM_TRY(qm_cur_uint(d->in, &head));
  if (head > HEAD_MAX || (head & HEAD_STATE) > QM_RUN_DEAD || head / HEAD_HANGS % 4 > QM_ON_LEFT)
    return qm_cur_fail(d->in, QM_EFORMAT);
  r.state = head & HEAD_STATE;
  r.on = head / HEAD_HANGS % 4;
  QM_TRY(qm_get_dot(d->in, d->from, &r.first));
  QM_TRY(get_parent(d, &r, (head & HEAD_OWN) != 0));
  QM_TRY(get_key(d, &r, (head & HEAD_MOVED) != 0));
  QM_TRY(get_body(d, &r));
  if (!r.len || r.len > UINT64_MAX - r.first.counter) return qm_cur_fail(d->in, QM_EFORMAT);
  return head & HEAD_BACK ? add_backward(d, r) : add_run(d, &r);
}

static int assemble(reader *d, qm_sequence *s) {
  int placed = 0;
  qm__points_sort(d->arena->env, d->points, d->n);
  qm__run **runs = qm_arena_array(d->arena, d->n, sizeof *runs);
  if (!runs) return qm_cur_fail(d->in, QM_ENOMEM);
  for (uint32_t i = 0; i < d->n; i++) {
    runs[i] = d->points[i].run;
    if (i && runs[i]->first.author == runs[i - 1]->first.author &&
        runs[i]->first.counter < qm__run_end(runs[i - 1]))
      return qm_cur_fail(d->in, QM_EFORMAT);
  }
  int rc = qm__sequence_build(s, d->authors, d->arena, runs, d->n, &placed);
  if (rc) return qm_cur_fail(d->in, rc);
  return placed ? QM_OK : qm_cur_fail(d->in, QM_EFORMAT);
}

int qm__sequence_decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                        qm_arena *arena) {
  reader d = {.in = in, .from = from, .authors = authors, .arena = arena};
  qm_buf again;
  const uint8_t *start = in->at;
  QM_TRY(qm_cur_array(in, &d.left));
  if (!d.left) return qm_cur_fail(in, QM_ECANON);
  while (d.left) QM_TRY(get_entry(&d));
  qm_sequence *s = qm_arena_zero(arena, sizeof *s);
  if (!s) return qm_cur_fail(in, QM_ENOMEM);
  QM_TRY(assemble(&d, s));
  cell->content = s;
  /* Order, longest runs, shortest forms: what does not come out again was not ours. */
  size_t size = (size_t)(in->at - start);
  qm_buf_init(&again, arena->env, size);
  qm__sequence_encode(cell, from, authors, &again);
  int rc = qm_buf_status(&again);
  if (rc == QM_ELIMIT || (!rc && (again.n != size || memcmp(again.p, start, size) != 0)))
    rc = QM_ECANON;
  qm_buf_free(&again);
  return rc ? qm_cur_fail(in, rc) : QM_OK;
}
