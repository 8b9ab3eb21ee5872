/* A sequence at rest: a bin of columns (SPEC S6.5), the elements in the order of their dots.
 *
 *   authors   varint count, for each varint place in the record's names, varint chains
 *   heads     for each chain a byte: bits 0 and 1 where its least element hangs (0 on the root,
 *             1 right child, 2 left child, 3: flags say), bits 2 and 3 its least counter less
 *             the end of the author's chain before (3: gaps say), bits 4 to 7 its elements
 *             less 1 (15: lengths say)
 *   gaps      varint, less 3
 *   lengths   varint, less 16
 *   flags     a byte: where it hangs, + FLAG_…
 *   hangs     for each chain: where its least element hangs, and its key where that is moved
 *   states    lengths of stretches, in turn shown and hidden, over the elements in that order
 *   kinds     lengths of stretches, in turn text and values, over the shown ones
 *   values    the shown elements that are values, in document order
 *   text      the shown elements that are text, in document order
 *
 * A chain is a longest stretch of one author's consecutive counters in which each element but
 * the first is the right child of the one before and has its own dot as key. Among the chains
 * of one element that is shown, a longest stretch of at least two in which each is the left
 * child of the one before, in the same way, is one chain, typed backwards. These links join
 * pairs, so the chains are a function of the content. What others insert in between does not
 * part a chain, and what is cut costs a length or two. The text is in document order because
 * it compresses best so; whoever decodes it walks the document anyway. */
#include <string.h>

#include "core/crdt/codec.h"
#include "core/crdt/sequence_tree.h"
#include "core/mp.h"
#include "core/norm.h"
#include "core/prefetch.h"

enum { HANGS_MASK = 3, FLAG_BACK = 4, FLAG_OTHER = 8, FLAG_MOVED = 16, FLAGS_MAX = 31 };
enum { GAP_MORE = 3, LENGTH_MORE = 15, GAP_BIT = 2, LENGTH_BIT = 4 };
#define ROOM 256u/* bytes of a column: more are asked for */
enum { HEADS, GAPS, LENGTHS, FLAGS, HANGS, STATES, KINDS, VALUES, COLUMNS };

/* From `from` to before `next`, by counter. */
typedef struct chain {
  const qm__run *from, *next;
  uint64_t len;
  unsigned back;
} chain;

static int dead(const qm__run *r) { return r->state == QM_RUN_DEAD; }

/* y hangs on the last element of x, whose counter is the one before. */
static int links(const qm__run *x, const qm__run *y, unsigned on) {
  return y->on == on && y->first.counter == qm__run_end(x) &&
         qm_dot_eq(y->parent, qm__run_last(x)) && !qm__run_moved(y);
}

/* In memory a run ends where others hang on it. */
static chain forwards(const qm__run *r) {
  chain c = {r, r->later, r->len, 0};
  for (; c.next && links(r, c.next, QM_ON_RIGHT); r = c.next, c.next = r->later)
    c.len += c.next->len;
  return c;
}

static chain chain_at(const qm__run *r) {
  chain c = forwards(r);
  while (r->len == 1 && c.len == 1 + c.back && !dead(r) && c.next && c.next->len == 1 &&
         !dead(c.next) && links(r, c.next, QM_ON_LEFT)) {
    chain y = forwards(c.next);
    if (y.len > 1) break;
    r = c.next;
    c.next = y.next;
    c.len++;
    c.back++;
  }
  return c;
}

static int own_parent(const qm__run *r) {
  return r->parent.author == r->first.author && r->parent.counter < r->first.counter;
}

/* --- writing --- */

typedef struct writer {
  qm_buf c[COLUMNS];
  qm_buf front;
  const qm_names *to;
  const qm_authors *authors;
  uint64_t shown, hidden; /* of the stretch at hand; one of them is 0 */
  uint64_t text, values;
  int some, some_kinds; /* a stretch was begun */
  int some_values;
  size_t text_bytes;
} writer;

static void put(qm_buf *b, uint64_t v) {
  if (v < 0x80 && b->n < b->cap && b->status == QM_OK)
    b->p[b->n++] = (uint8_t)v;
  else
    qm_buf_varint(b, v);
}

static void put_dot(writer *w, qm_buf *b, qm_dot d) {
  put(b, qm_names_place(w->to, w->authors, d.author));
  put(b, d.counter);
}

/* One more piece of a stretch, or the first of the next: `first` and `second` in turn. The
 * last length goes without saying. */
static void stretch(qm_buf *b, int *some, uint64_t *first, uint64_t *second, uint64_t n, int is) {
  uint64_t *at = is ? second : first, *other = is ? first : second;
  if (*other || (is && !*some)) put(b, *other);
  *some = 1;
  *other = 0;
  *at += n;
}

static void put_states(writer *w, const chain *c) {
  for (const qm__run *r = c->from; r != c->next; r = r->later) {
    stretch(&w->c[STATES], &w->some, &w->shown, &w->hidden, r->len, dead(r));
    if (dead(r)) continue;
    int is_values = r->state == QM_RUN_VALUES;
    stretch(&w->c[KINDS], &w->some_kinds, &w->text, &w->values, r->len, is_values);
    w->some_values |= is_values;
    if (!is_values) w->text_bytes += r->bytes;
  }
}

static void put_head(writer *w, uint64_t gap, uint64_t more, unsigned flags) {
  unsigned head = flags > HANGS_MASK ? HANGS_MASK : flags;
  head |= (unsigned)(gap < GAP_MORE ? gap : GAP_MORE) << GAP_BIT;
  head |= (unsigned)(more < LENGTH_MORE ? more : LENGTH_MORE) << LENGTH_BIT;
  qm_buf_byte(&w->c[HEADS], (uint8_t)head);
  if (gap >= GAP_MORE) put(&w->c[GAPS], gap - GAP_MORE);
  if (more >= LENGTH_MORE) put(&w->c[LENGTHS], more - LENGTH_MORE);
  if (flags > HANGS_MASK) qm_buf_byte(&w->c[FLAGS], (uint8_t)flags);
}

static void put_chain(writer *w, const chain *c, uint64_t end) {
  const qm__run *r = c->from;
  unsigned flags = r->on;
  if (c->back) flags |= FLAG_BACK;
  if (r->on != QM_ON_ROOT && !own_parent(r)) flags |= FLAG_OTHER;
  if (qm__run_moved(r)) flags |= FLAG_MOVED;
  put_head(w, r->first.counter - end, c->len - 1, flags);
  if (flags & FLAG_OTHER)
    put_dot(w, &w->c[HANGS], r->parent);
  else if (r->on != QM_ON_ROOT)
    put(&w->c[HANGS], r->first.counter - r->parent.counter - 1);
  if (flags & FLAG_MOVED) put_dot(w, &w->c[HANGS], r->key);
  put_states(w, c);
}

static void put_columns(writer *w, const qm_sequence *s) {
  put(&w->front, s->n_columns);
  for (uint32_t i = 0; i < s->n_columns; i++) {
    uint64_t chains = 0, end = 0;
    for (const qm__run *r = qm__column_first(&s->columns[i]); r; chains++) {
      chain c = chain_at(r);
      put_chain(w, &c, end);
      end = r->first.counter + c.len;
      r = c.next;
    }
    put(&w->front, qm_names_place(w->to, w->authors, s->columns[i].author));
    put(&w->front, chains);
  }
}

static void put_values(writer *w, const qm_sequence *s) {
  for (const qm__run *r = qm__sequence_head(s); r; r = qm__run_next(r)) {
    const qm_slice *values = (const qm_slice *)(const void *)r->data;
    for (uint64_t i = 0; r->state == QM_RUN_VALUES && i < r->len; i++)
      qm_mp_raw(&w->c[VALUES], values[i]);
  }
}

static size_t text_of(const qm__run *r) { return r->state == QM_RUN_TEXT ? r->bytes : 0; }

static void keep_text(uint8_t *to, const qm__run *r) {
  if (r->state == QM_RUN_TEXT) memcpy(to, r->data, r->bytes);
}

/* From both ends at once: no step of one waits for memory that the other's last one needs. */
static void put_text(const qm_sequence *s, uint8_t *to, size_t n) {
  const qm__run *a = qm__sequence_head(s), *b = qm__sequence_tail(s);
  uint8_t *end = to + n;
  if (!a) return;
  while (a != b) {
    keep_text(to, a);
    to += text_of(a);
    a = a->next;
    if (a == b) break;
    end -= text_of(b);
    keep_text(end, b);
    b = b->prev;
  }
  keep_text(to, a);
}

static void put_bin_head(qm_buf *out, size_t n) {
  if (n <= UINT8_MAX) {
    qm_buf_byte(out, 0xc4);
    qm_buf_byte(out, (uint8_t)n);
  } else if (n <= UINT16_MAX) {
    qm_buf_byte(out, 0xc5);
    qm_buf_be16(out, (uint16_t)n);
  } else if (n <= UINT32_MAX) {
    qm_buf_byte(out, 0xc6);
    qm_buf_be32(out, (uint32_t)n);
  } else if (!out->status) {
    out->status = QM_ELIMIT;
  }
}

static void put_all(writer *w, const qm_sequence *s, qm_buf *out) {
  size_t size = 0;
  for (unsigned i = 0; i < COLUMNS; i++) put(&w->front, w->c[i].n);
  for (unsigned i = 0; i < COLUMNS; i++) {
    size += w->c[i].n;
    if (!out->status) out->status = qm_buf_status(&w->c[i]);
  }
  if (!out->status) out->status = qm_buf_status(&w->front);
  size += w->front.n + w->text_bytes;
  put_bin_head(out, size);
  if (!qm_buf_reserve(out, size)) return;
  qm_buf_add(out, w->front.p, w->front.n);
  for (unsigned i = 0; i < COLUMNS; i++) qm_buf_add(out, w->c[i].p, w->c[i].n);
  put_text(s, out->p + out->n, w->text_bytes);
  out->n += w->text_bytes;
}

void qm__sequence_encode(const qm_cell *cell, const qm_names *to, const qm_authors *authors,
                         qm_buf *out) {
  const qm_sequence *s = qm_sequence_of(cell);
  uint8_t room[COLUMNS + 1][ROOM]; /* of most texts all */
  writer w = {.to = to, .authors = authors};
  qm_buf_init_in(&w.front, out->env, SIZE_MAX / 2, room[COLUMNS], ROOM);
  for (unsigned i = 0; i < COLUMNS; i++)
    qm_buf_init_in(&w.c[i], out->env, SIZE_MAX / 2, room[i], ROOM);
  put_columns(&w, s);
  if (w.some_values) put_values(&w, s);
  put_all(&w, s, out);
  qm_buf_free(&w.front);
  for (unsigned i = 0; i < COLUMNS; i++) qm_buf_free(&w.c[i]);
}

void qm_sequence_prefetch(const qm_cell *c) {
  const qm_sequence *s = qm_sequence_of(c);
  if (!s) return;
  qm_prefetch_bytes(s->first, sizeof *s->first);
  qm_prefetch_bytes(s->columns, QM_PREFETCH_MAX); /* what they lead to was allocated with them */
}

int qm__sequence_empty(const qm_cell *cell) {
  const qm_sequence *s = qm_sequence_of(cell);
  return !s || (!s->first && !qm__later_some(s));
}

int qm__sequence_names(const qm_cell *cell, qm_names *to, qm_arena *arena) {
  const qm_sequence *s = qm_sequence_of(cell);
  for (uint32_t i = 0; i < s->n_columns; i++) {
    uint32_t own = s->columns[i].author, last = own;
    QM_TRY(qm_names_note(to, arena, own));
    /* Leaf by leaf: no run has to be there before the next can be looked for. */
    for (uint32_t k = 0; k < s->columns[i].n; k++) {
      const qm__leaf *l = s->columns[i].leaves[k];
      for (uint32_t m = 0; m < l->n; m++) {
        const qm__run *r = l->p[m];
        uint32_t parent = r->on == QM_ON_ROOT ? own : r->parent.author;
        if (parent != own && parent != last) QM_TRY(qm_names_note(to, arena, last = parent));
        if (r->key.author != own) QM_TRY(qm_names_note(to, arena, r->key.author));
      }
    }
  }
  return QM_OK;
}

/* --- reading --- */

/* Lengths of stretches, in turn of one sort and another. */
typedef struct turns {
  qm_cur *in;
  uint64_t left;
  uint8_t odd, some, last, used; /* used: the last one, which goes without saying, is not empty */
} turns;

typedef struct reader {
  qm_cur *in;
  const qm_names *from;
  const qm_authors *authors;
  qm_arena *arena;
  qm_cur c[COLUMNS], text;
  turns states, kinds;
  uint64_t n_text, n_values, elements;
  qm__run **runs; /* by dot */
  uint32_t n, cap;
  uint8_t was_dead, was_back; /* of the element before; of the chain before */
  uint64_t was_len;
} reader;

/* *n: how many of the next *n elements are of one sort, *odd. */
static int take(turns *t, uint64_t *n, int *odd) {
  while (!t->left) {
    uint64_t v = UINT64_MAX;
    t->last = !qm_cur_left(t->in);
    if (!t->last) QM_TRY(qm_cur_varint(t->in, &v));
    if (!v && t->some) return qm_cur_fail(t->in, QM_ECANON);
    if (t->some) t->odd ^= 1;
    t->some = 1;
    t->left = v;
  }
  if (*n > t->left) *n = t->left;
  t->left -= *n;
  t->used |= t->last;
  *odd = t->odd;
  return QM_OK;
}

/* Once all elements were taken: nothing more was said than had to be. */
static int turns_end(const turns *t) {
  if (!t->some) return qm_cur_left(t->in) ? QM_ECANON : QM_OK;
  return t->used ? QM_OK : QM_ECANON;
}

static int emit(reader *d, const qm__run *r) {
  qm__run **p = qm_array_open(d->arena, d->runs, d->n, &d->cap, d->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  d->runs = p;
  p[d->n] = qm_arena_copy(d->arena, r, sizeof *r);
  return p[d->n++] ? QM_OK : QM_ENOMEM;
}

static void step(qm__run *r, unsigned on) {
  r->parent = qm__run_last(r);
  r->on = (uint8_t)on;
  r->first.counter += r->len;
  r->key = r->first;
}

/* The chain's elements by their states; each typed backwards is a run of its own. */
static int chain_runs(reader *d, qm__run r, uint64_t len, int back) {
  while (len) {
    int hidden, values = 0;
    uint64_t n = back ? 1 : len;
    QM_TRY(take(&d->states, &n, &hidden));
    uint64_t part = n;
    if (!hidden) QM_TRY(take(&d->kinds, &part, &values));
    d->states.left += n - part; /* what is of the other kind comes next */
    n = part;
    if (back && hidden) return QM_ECANON;
    r.state = hidden ? QM_RUN_DEAD : values ? QM_RUN_VALUES : QM_RUN_TEXT;
    r.len = n;
    r.bytes = hidden ? 0 : values ? (size_t)n * sizeof(qm_slice) : (size_t)n;
    if (!hidden) *(values ? &d->n_values : &d->n_text) += n;
    /* What is shown has bytes to show: so no claim makes much of little. */
    if (d->n_values > qm_cur_left(&d->c[VALUES]) || d->n_text > qm_cur_left(&d->text))
      return QM_EFORMAT;
    QM_TRY(emit(d, &r));
    d->was_dead = (uint8_t)hidden;
    step(&r, back ? QM_ON_LEFT : QM_ON_RIGHT);
    len -= n;
  }
  return QM_OK;
}

/* Adds what stands in a column of its own. */
static int get_more(qm_cur *in, uint64_t *v) {
  uint64_t more = 0;
  QM_TRY(qm_cur_varint(in, &more));
  if (more > UINT64_MAX - *v) return QM_EFORMAT;
  *v += more;
  return QM_OK;
}

static int get_head(reader *d, uint64_t *gap, uint64_t *more, unsigned *flags) {
  uint8_t head = 0, byte = 0;
  QM_TRY(qm_cur_byte(&d->c[HEADS], &head));
  *flags = head & HANGS_MASK;
  *gap = head >> GAP_BIT & GAP_MORE;
  *more = head >> LENGTH_BIT;
  if (*flags == HANGS_MASK) {
    QM_TRY(qm_cur_byte(&d->c[FLAGS], &byte));
    *flags = byte;
    if (byte <= HANGS_MASK) return QM_ECANON;
    if (byte > FLAGS_MAX || (byte & HANGS_MASK) > QM_ON_LEFT) return QM_EFORMAT;
  }
  if (*gap == GAP_MORE) QM_TRY(get_more(&d->c[GAPS], gap));
  if (*more == LENGTH_MORE) QM_TRY(get_more(&d->c[LENGTHS], more));
  return QM_OK;
}

static int get_hang(reader *d, qm__run *r, unsigned flags) {
  uint64_t distance = 0;
  if (r->on == QM_ON_ROOT) return flags & FLAG_OTHER ? QM_EFORMAT : QM_OK;
  if (flags & FLAG_OTHER) {
    QM_TRY(qm_get_varint_dot(&d->c[HANGS], d->from, &r->parent));
    return own_parent(r) ? QM_ECANON : QM_OK;
  }
  QM_TRY(qm_cur_varint(&d->c[HANGS], &distance));
  if (distance >= r->first.counter) return QM_EFORMAT;
  r->parent.author = r->first.author;
  r->parent.counter = r->first.counter - 1 - distance;
  return QM_OK;
}

/* It could have been a part of the chain before. */
static int links_on(const reader *d, const qm__run *r, uint64_t len, int back, int was_dead) {
  const qm__run *x = d->n ? d->runs[d->n - 1] : NULL;
  if (!x || x->first.author != r->first.author) return 0;
  if (links(x, r, QM_ON_RIGHT)) return 1;
  return links(x, r, QM_ON_LEFT) && !was_dead && (d->was_len == 1 || d->was_back) &&
         (len == 1 || back);
}

static int get_chain(reader *d, uint32_t author, uint64_t *end) {
  qm__run r;
  uint64_t gap, len;
  unsigned flags;
  memset(&r, 0, sizeof r);
  QM_TRY(get_head(d, &gap, &len, &flags));
  if (gap > UINT64_MAX - *end || len >= UINT64_MAX - *end - gap) return QM_EFORMAT;
  r.first.author = author;
  r.first.counter = *end + gap;
  *end = r.first.counter + ++len;
  if (len > UINT64_MAX - d->elements) return QM_EFORMAT;
  d->elements += len;
  r.on = flags & HANGS_MASK;
  QM_TRY(get_hang(d, &r, flags));
  r.key = r.first;
  if (flags & FLAG_MOVED) QM_TRY(qm_get_varint_dot(&d->c[HANGS], d->from, &r.key));
  int moved = qm__run_moved(&r), back = (flags & FLAG_BACK) != 0, was_dead = d->was_dead;
  if (moved != ((flags & FLAG_MOVED) != 0) || (back && len == 1)) return QM_ECANON;
  uint32_t at = d->n;
  int may_link = links_on(d, &r, len, back, was_dead);
  QM_TRY(chain_runs(d, r, len, back));
  /* A left child links only where it is shown. */
  if (may_link && (r.on == QM_ON_RIGHT || !dead(d->runs[at]))) return QM_ECANON;
  d->was_len = len;
  d->was_back = (uint8_t)back;
  return QM_OK;
}

static int get_columns(reader *d, qm_slice front) {
  qm_cur in;
  uint64_t authors = 0, place = 0, chains = 0, before = 0;
  qm_cur_init(&in, front);
  QM_TRY(qm_cur_varint(&in, &authors));
  for (uint64_t i = 0; i < authors; i++) {
    uint64_t end = 0;
    QM_TRY(qm_cur_varint(&in, &place));
    QM_TRY(qm_cur_varint(&in, &chains));
    if (place >= d->from->n || (i && place <= before) || !chains) return QM_EFORMAT;
    before = place;
    for (uint64_t k = 0; k < chains; k++)
      QM_TRY(get_chain(d, qm_name_at(d->from, place), &end));
  }
  for (unsigned i = 0; i < VALUES; i++) QM_TRY(qm_cur_end(&d->c[i]));
  QM_TRY(turns_end(&d->states));
  return turns_end(&d->kinds);
}

/* Where the columns lie; front: what says of authors. */
static int open_columns(reader *d, qm_slice all, qm_slice *front) {
  qm_cur in;
  qm_slice part;
  uint64_t n = 0, skip = 0, size[COLUMNS];
  qm_cur_init(&in, all);
  QM_TRY(qm_cur_varint(&in, &n));
  if (!n) return QM_ECANON;
  if (n > qm_cur_left(&in) / 2) return QM_EOVERSIZE;
  for (uint64_t i = 0; i < 2 * n; i++) QM_TRY(qm_cur_varint(&in, &skip));
  *front = qm_slice_of(all.p, (size_t)(in.at - all.p));
  for (unsigned i = 0; i < COLUMNS; i++) QM_TRY(qm_cur_varint(&in, &size[i]));
  for (unsigned i = 0; i < COLUMNS; i++) {
    if (size[i] > qm_cur_left(&in)) return QM_ETRUNCATED;
    QM_TRY(qm_cur_span(&in, (size_t)size[i], &part));
    qm_cur_init(&d->c[i], part);
  }
  qm_cur_init(&d->text, qm_slice_of(in.at, qm_cur_left(&in)));
  d->states.in = &d->c[STATES];
  d->kinds.in = &d->c[KINDS];
  return QM_OK;
}

static int values_of(reader *d, qm__run *r) {
  qm_slice *p = qm_arena_array(d->arena, (size_t)r->len, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint64_t i = 0; i < r->len; i++) QM_TRY(qm_get_value(&d->c[VALUES], &p[i]));
  r->data = (const uint8_t *)p;
  return QM_OK;
}

/* Deals out, in document order, what the elements show. */
static int get_payload(reader *d, const qm_sequence *s) {
  size_t points = 0, left = qm_cur_left(&d->text);
  const uint8_t *at = d->text.at;
  if (!qm_utf8_check(qm_slice_of(at, left), &points)) return QM_EUTF8;
  if (points != d->n_text) return QM_EFORMAT;
  int ascii = points == left;
  for (qm__run *r = qm__sequence_head(s); r; r = qm__run_next(r)) {
    if (r->state == QM_RUN_VALUES) QM_TRY(values_of(d, r));
    if (r->state != QM_RUN_TEXT) continue;
    if (!ascii) r->bytes = qm_utf8_offset(qm_slice_of(at, left), (size_t)r->len);
    r->data = at;
    at += r->bytes;
    left -= r->bytes;
  }
  return qm_cur_end(&d->c[VALUES]);
}

static int get_all(reader *d, qm_slice all, qm_sequence *s) {
  qm_slice front;
  int placed = 0;
  QM_TRY(open_columns(d, all, &front));
  QM_TRY(get_columns(d, front));
  QM_TRY(qm__sequence_build(s, d->authors, d->arena, d->runs, d->n, &placed));
  return placed ? get_payload(d, s) : QM_EFORMAT;
}

int qm__sequence_decode(qm_cell *cell, qm_cur *in, const qm_names *from, const qm_authors *authors,
                        qm_arena *arena) {
  reader d = {.in = in, .from = from, .authors = authors, .arena = arena};
  qm_slice all;
  QM_TRY(qm_cur_bin(in, &all));
  qm_sequence *s = qm_arena_zero(arena, sizeof *s);
  int rc = s ? get_all(&d, all, s) : QM_ENOMEM;
  if (rc) return qm_cur_fail(in, rc);
  cell->content = s;
  return QM_OK;
}
