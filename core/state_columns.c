/* Writes records as columns, in two walks over their blobs: the first finds the kinds of
 * cells and, from the dots, the changes; the second writes. */
#include "core/state_columns.h"

#include <string.h>

#include "core/batch_columns.h"
#include "core/crdt/sequence.h"
#include "core/cur.h"
#include "core/id.h"
#include "core/norm.h"
#include "core/state_groups.h"
#include "core/state_listed.h"
#include "core/timestamp.h"
#include "core/value.h"

/* An untimed dot (a creation, a mark, a text's run) joins the change of its record before it
 * where it is no further away: it is no error where that is another change, only longer. */
#define NEAR 64u

typedef struct dot {
  uint64_t counter, span, time;
  uint32_t author; /* rank */
  uint32_t change;
  uint8_t timed;
} dot;

typedef struct change {
  uint64_t first, next, time; /* next: expected of the next dot, while writing */
  uint64_t limit;             /* where the author's next change begins; of its last: first */
  uint32_t author;            /* rank */
  uint32_t place;             /* among all of the block, by (author, first) */
  uint32_t local;             /* among those of its record, by (time, place) */
  uint8_t timed;
} change;

typedef struct kind {
  uint32_t collection, field, shape;
  qm__listed *listed; /* its values that come again; NULL: none */
} kind;

typedef struct writer {
  const qm_env *env;
  qm_arena arena;
  const uint32_t *rank;
  uint32_t n_authors;
  uint8_t *named;  /* by rank: stands in the block */
  uint32_t *place; /* by rank */

  kind *kinds;
  uint32_t n_kinds, cap_kinds, kind; /* kind: of the cell at hand */
  dot *dots;
  uint32_t n_dots, cap_dots, at; /* at: the next dot, in the second walk */
  change *changes;
  uint32_t n_changes, cap_changes;
  uint32_t *firsts; /* by record: its first change; one more at the end */
  uint32_t n_records, cap_records;
  uint32_t *order, cap_order; /* scratch for sorting */
  int writing;     /* the second walk */
  int in_columns;  /* numbers are varints: in a sequence */

  uint32_t *names; /* of the record at hand: ranks */
  uint32_t n_names, cap_names;
  uint32_t collection;
  uint32_t first_dot;
  qm_buf *columns;
  uint32_t n_columns;
} writer;

static qm_buf *fixed(writer *w, unsigned c) { return &w->columns[c]; }

/* All columns of one sort stand together, kind by kind. */
static qm_buf *of_kind(writer *w, unsigned c, uint32_t k) {
  return &w->columns[QM__COLS + (size_t)c * w->n_kinds + k];
}

/* Room for one more in an array of the arena. */
static int room(writer *w, void **p, uint32_t n, uint32_t *cap, size_t size) {
  if (n < *cap) return QM_OK;
  uint32_t wider = *cap ? *cap * 2 : 64;
  void *grown = qm_arena_grow(&w->arena, *p, *cap, wider, size);
  if (!grown) return QM_ENOMEM;
  *p = grown;
  *cap = wider;
  return QM_OK;
}

/* --- kinds --- */

static int kind_cmp(const kind *a, const kind *b) {
  if (a->collection != b->collection) return a->collection < b->collection ? -1 : 1;
  if (a->field != b->field) return a->field < b->field ? -1 : 1;
  return a->shape == b->shape ? 0 : a->shape < b->shape ? -1 : 1;
}

/* Those of cells begin at QM__KINDS. */
static uint32_t kind_at(const writer *w, const kind *x) {
  uint32_t low = QM__KINDS, high = w->n_kinds;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (kind_cmp(&w->kinds[mid], x) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static int note_kind(writer *w, const kind *x) {
  uint32_t at = kind_at(w, x);
  if (at < w->n_kinds && kind_cmp(&w->kinds[at], x) == 0) return QM_OK;
  if (w->n_kinds == QM_BLOCK_KINDS_MAX) return QM_ELIMIT;
  QM_TRY(room(w, (void **)&w->kinds, w->n_kinds, &w->cap_kinds, sizeof *w->kinds));
  memmove(&w->kinds[at + 1], &w->kinds[at], (w->n_kinds - at) * sizeof *w->kinds);
  w->kinds[at] = *x;
  w->n_kinds++;
  return QM_OK;
}

/* --- dots --- */

static int note_dot(writer *w, const dot *d) {
  if (w->n_dots == QM_BLOCK_DOTS_MAX) return QM_ELIMIT;
  QM_TRY(room(w, (void **)&w->dots, w->n_dots, &w->cap_dots, sizeof *w->dots));
  w->dots[w->n_dots++] = *d;
  w->named[d->author] = 1;
  return QM_OK;
}

/* k: whose column. A mark stands at the last op of its change, what is named at the end of what
 * its change wrote, any other dot behind the one before. */
static int put_dot(writer *w, uint32_t k, const dot *d) {
  if (!w->writing) return note_dot(w, d);
  change *c = &w->changes[w->dots[w->at++].change];
  uint64_t expected = c->next - (k == QM__MARKED);
  if (k == QM__NAMED && c->limit > c->first) expected = c->limit;
  qm_buf_varint(of_kind(w, QM__KIND_CHANGE, k), c->local);
  qm_buf_varint(of_kind(w, QM__KIND_OFFSET, k), qm__zigzag(d->counter - expected));
  if (k != QM__MARKED && k != QM__NAMED) c->next = d->counter + d->span;
  return QM_OK;
}

/* In MessagePack and in the columns of sequences alike: two numbers. */
static int get_dot(const writer *w, qm_cur *in, dot *d) {
  uint64_t place = 0;
  *d = (dot){.span = 1};
  QM_TRY(w->in_columns ? qm_cur_varint(in, &place) : qm_cur_uint(in, &place));
  if (place >= w->n_names) return QM_EFORMAT;
  d->author = w->names[place];
  return w->in_columns ? qm_cur_varint(in, &d->counter) : qm_cur_uint(in, &d->counter);
}

static int get_timed(const writer *w, qm_cur *in, dot *d) {
  QM_TRY(get_dot(w, in, d));
  d->timed = 1;
  return qm_cur_uint(in, &d->time);
}

static int walk_named(writer *w, qm_cur *in) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(in, &n));
  if (w->writing) qm_buf_varint(fixed(w, QM__COL_NAMED), n);
  for (uint32_t i = 0; i < n / 2; i++) {
    dot d;
    QM_TRY(get_dot(w, in, &d));
    QM_TRY(put_dot(w, QM__NAMED, &d));
  }
  return n % 2 ? QM_EFORMAT : QM_OK;
}

/* --- values --- */

static void put_raw(writer *w, qm_slice v) {
  qm_buf_varint(of_kind(w, QM__KIND_TAG, w->kind), QM__TAG_RAW);
  qm_buf_add(of_kind(w, QM__KIND_BYTES, w->kind), v.p, v.n);
}

static void put_number(writer *w, unsigned tag, uint64_t n) {
  qm_buf_varint(of_kind(w, QM__KIND_TAG, w->kind), tag);
  qm_buf_varint(of_kind(w, QM__KIND_NUMBER, w->kind), n);
}

static void put_text(writer *w, qm_slice text) {
  if (text.n > QM__TEXT_MAX)
    put_number(w, QM__TAG_LONG, text.n);
  else
    qm_buf_varint(of_kind(w, QM__KIND_TAG, w->kind), QM__TAG_TEXT + text.n);
  qm_buf_add(of_kind(w, QM__KIND_BYTES, w->kind), text.p, text.n);
}

static void put_str(writer *w, qm_slice text) {
  uint8_t digest[QM__DIGEST_SIZE];
  if (text.n != 2 * sizeof digest || !qm__is_lower_hex(text.p, text.n)) {
    put_text(w, text);
    return;
  }
  (void)qm_unhex(digest, sizeof digest, (const char *)text.p, text.n);
  qm_buf_varint(of_kind(w, QM__KIND_TAG, w->kind), QM__TAG_HEX);
  qm_buf_add(fixed(w, QM__COL_DIGESTS), digest, sizeof digest);
}

/* time: of the value's dot, or 0. */
static void put_value(writer *w, qm_slice v, qm_time time) {
  qm_cur c;
  qm_mp_token t;
  int64_t m;
  unsigned exponent;
  uint32_t place;
  if (qm__listed_find(w->kinds[w->kind].listed, v, &place)) {
    put_number(w, QM__TAG_LISTED, place);
    return;
  }
  qm_cur_init(&c, v);
  if (qm_cur_token(&c, &t) != QM_OK) {
    put_raw(w, v);
  } else if (t.type == QM_MP_STR) {
    put_str(w, t.span);
  } else if (t.type == QM_MP_BIN && t.span.n == QM__DIGEST_SIZE) {
    qm_buf_varint(of_kind(w, QM__KIND_TAG, w->kind), QM__TAG_BIN);
    qm_buf_add(fixed(w, QM__COL_DIGESTS), t.span.p, t.span.n);
  } else if (t.type == QM_MP_UINT && time && t.u >> 32 && t.u <= INT64_MAX) {
    put_number(w, QM__TAG_TIME, qm__zigzag(t.u - qm_time_ms(time)));
  } else if (t.type == QM_MP_F64 && qm__decimal_of(t.f, &m, &exponent)) {
    put_number(w, QM__TAG_DECIMAL + exponent, qm__zigzag((uint64_t)m));
  } else {
    put_raw(w, v);
  }
}

static int walk_value(writer *w, qm_cur *in, qm_time time) {
  qm_slice v;
  QM_TRY(qm_cur_value(in, QM_VALUE_DEPTH + 1, &v));
  if (!w->writing) return qm__listed_note(&w->arena, &w->kinds[w->kind].listed, v);
  put_value(w, v, time);
  return QM_OK;
}

static void put_flags(writer *w, uint64_t flags) {
  if (w->writing) qm_buf_varint(of_kind(w, QM__KIND_FLAGS, w->kind), flags);
}

/* --- contents of cells: each says how many of its kind it holds --- */

static int walk_siblings(writer *w, qm_cur *in, uint32_t left, uint32_t *count) {
  for (*count = 0; left >= 5; ++*count) {
    dot d;
    uint64_t flags = 0, generation = 0;
    QM_TRY(get_timed(w, in, &d));
    QM_TRY(qm_cur_uint(in, &flags));
    uint32_t items = 5 + (flags & 2 ? 1u : 0u) + (flags & 4 ? 2u : 0u);
    if (flags > 7 || left < items) return QM_EFORMAT;
    left -= items;
    put_flags(w, flags);
    QM_TRY(put_dot(w, w->kind, &d));
    QM_TRY(walk_value(w, in, d.time));
    if (flags & 2) {
      QM_TRY(qm_cur_uint(in, &generation));
      if (w->writing) qm_buf_varint(fixed(w, QM__COL_NAMED), generation);
    }
    if (flags & 4) {
      QM_TRY(walk_named(w, in));
      QM_TRY(walk_named(w, in));
    }
  }
  return left ? QM_EFORMAT : QM_OK;
}

static int walk_keyed(writer *w, qm_cur *in, uint32_t left, uint32_t *count) {
  for (*count = 0; left >= 2; left -= 2, ++*count) {
    uint32_t n = 0;
    QM_TRY(walk_value(w, in, 0));
    QM_TRY(qm_cur_array(in, &n));
    if (n % 3) return QM_EFORMAT;
    put_flags(w, n / 3);
    for (uint32_t i = 0; i < n / 3; i++) {
      dot d;
      QM_TRY(get_timed(w, in, &d));
      QM_TRY(put_dot(w, w->kind, &d));
    }
  }
  return left ? QM_EFORMAT : QM_OK;
}

/* The last dot of each author stands for its next counter. */
static int walk_totals(writer *w, qm_cur *in, uint32_t left, uint32_t *count) {
  for (*count = 0; left >= 3; left -= 3, ++*count) {
    dot d;
    QM_TRY(get_dot(w, in, &d));
    d.counter--;
    QM_TRY(put_dot(w, w->kind, &d));
    QM_TRY(walk_value(w, in, 0));
  }
  return left ? QM_EFORMAT : QM_OK;
}

static int walk_entries(writer *w, qm_cur *in, uint32_t left, uint32_t *count) {
  for (*count = 0; left >= 5; left -= 5, ++*count) {
    dot d;
    uint64_t later = 0;
    QM_TRY(get_timed(w, in, &d));
    QM_TRY(qm_cur_uint(in, &later));
    put_flags(w, later);
    QM_TRY(put_dot(w, w->kind, &d));
    QM_TRY(walk_value(w, in, d.time));
  }
  return left ? QM_EFORMAT : QM_OK;
}

/* Columns of a sequence at rest (S6.5), as far as they say where chains stand and hang. */
enum { HEADS, GAPS, LENGTHS, FLAGS, HANGS, STATES, KINDS, VALUES, SEQUENCE };

typedef struct chains {
  qm_cur c[SEQUENCE];
  uint64_t end; /* of the author's chain before */
  uint64_t elements;
} chains;

/* Where its least element hangs: mostly at the end of the author's chain before. */
static int walk_hangs(writer *w, chains *x, uint64_t flags, uint64_t gap) {
  dot named;
  uint64_t distance = 0;
  if (flags & QM__CHAIN_OTHER) {
    QM_TRY(get_dot(w, &x->c[HANGS], &named));
    QM_TRY(put_dot(w, QM__NAMED, &named));
  } else if (flags & 3) {
    QM_TRY(qm_cur_varint(&x->c[HANGS], &distance));
    if (distance == UINT64_MAX) return QM_EFORMAT;
    if (w->writing)
      qm_buf_varint(of_kind(w, QM__KIND_PARENT, w->kind), distance == gap ? 0 : distance + 1);
  }
  if (!(flags & QM__CHAIN_MOVED)) return QM_OK;
  QM_TRY(get_dot(w, &x->c[HANGS], &named));
  return put_dot(w, QM__NAMED, &named);
}

/* A chain is often the last of its change, so that it ends where the author's next begins. */
static void put_end(writer *w, const change *c, uint64_t end) {
  qm_buf_varint(of_kind(w, QM__KIND_NUMBER, w->kind), qm__zigzag(c->limit - end));
}

static int walk_chain(writer *w, chains *x, uint32_t author) {
  uint8_t head = 0, flags = 0;
  uint64_t gap = 0, more = 0;
  QM_TRY(qm_cur_byte(&x->c[HEADS], &head));
  gap = head >> 2 & 3;
  more = head >> 4;
  flags = head & 3;
  if (gap == 3) {
    QM_TRY(qm_cur_varint(&x->c[GAPS], &gap));
    gap += 3;
  }
  if (more == 15) {
    QM_TRY(qm_cur_varint(&x->c[LENGTHS], &more));
    more += 15;
  }
  if (flags == 3) QM_TRY(qm_cur_byte(&x->c[FLAGS], &flags));
  put_flags(w, flags);
  QM_TRY(walk_hangs(w, x, flags, gap));
  dot d = {.counter = x->end + gap, .span = more + 1, .author = author};
  x->end = d.counter + d.span;
  x->elements += d.span;
  QM_TRY(put_dot(w, w->kind, &d));
  if (w->writing) put_end(w, &w->changes[w->dots[w->at - 1].change], x->end);
  return QM_OK;
}

/* A column as it is. */
static void put_column(writer *w, unsigned sort, qm_cur *c) {
  if (!w->writing) return;
  qm_buf_varint(of_kind(w, QM__KIND_NUMBER, w->kind), qm_cur_left(c));
  qm_buf_add(of_kind(w, sort, w->kind), c->at, qm_cur_left(c));
}

static int open_chains(qm_cur *in, chains *x) {
  uint64_t sizes[SEQUENCE];
  for (unsigned i = 0; i < SEQUENCE; i++) QM_TRY(qm_cur_varint(in, &sizes[i]));
  for (unsigned i = 0; i < SEQUENCE; i++) {
    qm_slice column;
    if (sizes[i] > qm_cur_left(in)) return QM_ETRUNCATED;
    QM_TRY(qm_cur_span(in, (size_t)sizes[i], &column));
    qm_cur_init(&x->c[i], column);
  }
  return QM_OK;
}

static qm_slice left_of(const qm_cur *c) { return qm_slice_of(c->at, qm_cur_left(c)); }

/* Its length is not written: as many code points as the columns say. */
static int put_shown(writer *w, const chains *x, qm_slice text) {
  uint64_t points = 0;
  size_t found = 0;
  if (!w->writing) return QM_OK;
  QM_TRY(qm__text_points(x->elements, left_of(&x->c[STATES]), left_of(&x->c[KINDS]), &points));
  if (!qm_utf8_check(text, &found) || found != points) return QM_EFORMAT;
  qm_buf_add(of_kind(w, QM__KIND_TEXT, w->kind), text.p, text.n);
  return QM_OK;
}

/* *count: of the chains; which are whose, their dots say. */
static int walk_sequence(writer *w, qm_cur *in, uint32_t *count) {
  chains x;
  qm_slice bin = {NULL, 0};
  qm_cur c, authors;
  uint64_t n = 0, place = 0, some = 0;
  QM_TRY(qm_cur_bin(in, &bin));
  qm_cur_init(&c, bin);
  QM_TRY(qm_cur_varint(&c, &n));
  authors = c;
  for (uint64_t i = 0; i < 2 * n; i++) QM_TRY(qm_cur_varint(&c, &place));
  QM_TRY(open_chains(&c, &x));
  x.elements = 0;
  *count = 0;
  for (uint64_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_varint(&authors, &place));
    QM_TRY(qm_cur_varint(&authors, &some));
    if (place >= w->n_names || !some) return QM_EFORMAT;
    x.end = 0;
    for (uint64_t k = 0; k < some; k++, ++*count) QM_TRY(walk_chain(w, &x, w->names[place]));
  }
  put_column(w, QM__KIND_NUMBER, &x.c[STATES]);
  put_column(w, QM__KIND_NUMBER, &x.c[KINDS]);
  put_column(w, QM__KIND_BYTES, &x.c[VALUES]);
  return put_shown(w, &x, left_of(&c));
}

static int walk_content(writer *w, qm_cur *in, uint32_t shape, uint32_t *count) {
  uint32_t items = 0;
  if (shape == QM_SEQUENCE) {
    w->in_columns = 1;
    int rc = walk_sequence(w, in, count);
    w->in_columns = 0;
    return rc;
  }
  QM_TRY(qm_cur_array(in, &items));
  switch (shape) {
    case QM_SIBLINGS: return walk_siblings(w, in, items, count);
    case QM_KEYED: return walk_keyed(w, in, items, count);
    case QM_TOTALS: return walk_totals(w, in, items, count);
    case QM_ENTRIES: return walk_entries(w, in, items, count);
    default: return QM_EFORMAT;
  }
}

/* --- a record --- */

/* Cells come in the order of kinds; each kind of the collection says how many, or 0. */
static int walk_cells(writer *w, qm_cur *in) {
  kind first = {.collection = w->collection};
  uint32_t items = 0, next = w->writing ? kind_at(w, &first) : 0;
  QM_TRY(qm_cur_array(in, &items));
  if (items % 3) return QM_EFORMAT;
  for (uint32_t i = 0; i < items / 3; i++) {
    kind x = {.collection = w->collection};
    uint32_t count = 0;
    QM_TRY(qm_cur_uint32(in, &x.field));
    QM_TRY(qm_cur_uint32(in, &x.shape));
    if (!w->writing) QM_TRY(note_kind(w, &x));
    w->kind = kind_at(w, &x);
    for (; w->writing && next < w->kind; next++)
      qm_buf_varint(of_kind(w, QM__KIND_COUNT, next), 0);
    QM_TRY(walk_content(w, in, x.shape, &count));
    if (!count || next > w->kind) return QM_EFORMAT;
    if (w->writing) qm_buf_varint(of_kind(w, QM__KIND_COUNT, next++), count);
  }
  for (; w->writing && next < w->n_kinds && w->kinds[next].collection == w->collection; next++)
    qm_buf_varint(of_kind(w, QM__KIND_COUNT, next), 0);
  return QM_OK;
}

static int walk_names(writer *w, qm_cur *in) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(in, &n));
  for (w->n_names = 0; w->n_names < n; w->n_names++) {
    uint32_t place = 0;
    QM_TRY(qm_cur_uint32(in, &place));
    if (place >= w->n_authors) return QM_EFORMAT;
    QM_TRY(room(w, (void **)&w->names, w->n_names, &w->cap_names, sizeof *w->names));
    w->names[w->n_names] = w->rank[place];
    w->place[w->rank[place]] = place;
  }
  return QM_OK;
}

static int walk_creations(writer *w, qm_cur *in) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(in, &n));
  if (n % 3) return QM_EFORMAT;
  if (w->writing) qm_buf_varint(fixed(w, QM__COL_CREATIONS), n / 3);
  w->collection = 0;
  for (uint32_t i = 0; i < n / 3; i++) {
    dot d;
    uint32_t collection = 0;
    QM_TRY(get_dot(w, in, &d));
    QM_TRY(put_dot(w, QM__CREATED, &d));
    QM_TRY(qm_cur_uint32(in, &collection));
    if (w->writing) qm_buf_varint(fixed(w, QM__COL_COLLECTIONS), collection);
    if (!i) w->collection = collection;
  }
  return QM_OK;
}

static int walk_marks(writer *w, qm_cur *in) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(in, &n));
  if (n % 3) return QM_EFORMAT;
  if (w->writing) qm_buf_varint(fixed(w, QM__COL_MARKS), n / 3);
  for (uint32_t i = 0; i < n / 3; i++) {
    dot d;
    uint64_t flags = 0;
    QM_TRY(get_dot(w, in, &d));
    QM_TRY(put_dot(w, QM__MARKED, &d));
    QM_TRY(qm_cur_uint(in, &flags));
    if (w->writing) qm_buf_varint(fixed(w, QM__COL_MARK_FLAGS), flags);
  }
  return QM_OK;
}

/* Marks come after the cells: their changes are known by then. */
static int walk_record(writer *w, qm_slice item, qm_id *id) {
  qm_cur in, c;
  qm_slice blob = {NULL, 0}, marks;
  qm_cur_init(&in, item);
  QM_TRY(qm_cur_array_n(&in, 2));
  QM_TRY(qm_cur_bin_n(&in, id->b, sizeof id->b));
  QM_TRY(qm_cur_bin(&in, &blob));
  QM_TRY(qm_cur_end(&in));
  qm_cur_init(&in, blob);
  QM_TRY(qm_cur_array_n(&in, 4));
  QM_TRY(walk_names(w, &in));
  QM_TRY(walk_creations(w, &in));
  QM_TRY(qm_cur_value(&in, 2, &marks));
  QM_TRY(walk_cells(w, &in));
  QM_TRY(qm_cur_end(&in));
  qm_cur_init(&c, marks);
  return walk_marks(w, &c);
}

/* --- changes, from the dots of one record --- */

static int dot_before(const void *ctx, uint32_t a, uint32_t b) {
  const dot *x = (const dot *)ctx + a, *y = (const dot *)ctx + b;
  if (x->author != y->author) return x->author < y->author;
  return x->counter < y->counter;
}

static int joins(const change *c, const dot *d, uint64_t end) {
  if (c->author != d->author) return 0;
  if (d->timed && c->timed) return c->time == d->time;
  return d->counter - end <= NEAR || d->counter < end;
}

static int find_changes(writer *w) {
  uint32_t n = w->n_dots - w->first_dot;
  uint64_t end = 0;
  change *c = NULL;
  dot *dots = w->dots + w->first_dot;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(room(w, (void **)&w->order, i, &w->cap_order, sizeof *w->order));
    w->order[i] = i;
  }
  if (n) qm__heap_sort(w->order, n, dot_before, dots);
  for (uint32_t i = 0; i < n; i++) {
    dot *d = &dots[w->order[i]];
    if (!c || !joins(c, d, end)) {
      QM_TRY(room(w, (void **)&w->changes, w->n_changes, &w->cap_changes, sizeof *w->changes));
      c = &w->changes[w->n_changes++];
      *c = (change){.first = d->counter, .author = d->author};
    }
    if (d->timed) c->timed = 1, c->time = d->time;
    end = d->counter + d->span;
    d->change = w->n_changes - 1;
  }
  return QM_OK;
}

static int change_before(const void *ctx, uint32_t a, uint32_t b) {
  const change *x = (const change *)ctx + a, *y = (const change *)ctx + b;
  if (x->author != y->author) return x->author < y->author;
  return x->first != y->first ? x->first < y->first : a < b;
}

static void put_time(writer *w, qm_time before, qm_time time) {
  uint64_t ms = qm__zigzag(qm_time_ms(time) - qm_time_ms(before));
  qm_buf_byte(fixed(w, QM__COL_TIME_LOW), (uint8_t)ms);
  qm_buf_byte(fixed(w, QM__COL_TIME_MID), (uint8_t)(ms >> 8));
  qm_buf_varint(fixed(w, QM__COL_TIME_HIGH), ms >> 16);
  qm_buf_varint(fixed(w, QM__COL_TICKS), qm_time_tick(time));
}

/* By author and counter; a change whose time nothing tells has that of the one before. */
static int put_changes(writer *w) {
  uint32_t *order = qm_arena_array(&w->arena, w->n_changes, sizeof *order), at = 0;
  if (!order) return QM_ENOMEM;
  for (uint32_t i = 0; i < w->n_changes; i++) order[i] = i;
  qm__heap_sort(order, w->n_changes, change_before, w->changes);
  for (uint32_t author = 0; author < w->n_authors; author++) {
    uint32_t from = at;
    uint64_t counter = 0;
    qm_time time = 0;
    change *before = NULL;
    if (!w->named[author]) continue;
    for (; at < w->n_changes && w->changes[order[at]].author == author; at++) {
      change *c = &w->changes[order[at]];
      c->place = at;
      c->limit = c->first;
      if (before) before->limit = c->first;
      before = c;
      if (!c->timed) c->time = qm_time_make(qm_time_ms(time));
      qm_buf_varint(fixed(w, QM__COL_COUNTERS), c->first - counter);
      put_time(w, time, c->time);
      counter = c->first;
      time = c->time;
      c->next = c->first;
    }
    qm_buf_varint(fixed(w, QM__COL_AUTHORS), w->place[author]);
    qm_buf_varint(fixed(w, QM__COL_CHANGES), at - from);
  }
  return QM_OK;
}

static int by_place(const void *ctx, uint32_t a, uint32_t b) {
  const change *c = ctx;
  return c[a].place < c[b].place;
}

static int by_time(const void *ctx, uint32_t a, uint32_t b) {
  const change *c = ctx;
  return c[a].time != c[b].time ? c[a].time < c[b].time : c[a].place < c[b].place;
}

/* Which changes a record's dots are of. */
static int put_refs(writer *w, uint32_t record) {
  uint32_t first = w->firsts[record], n = w->firsts[record + 1] - first, next = 0;
  change *c = w->changes + first;
  uint32_t *order = qm_arena_array(&w->arena, n, sizeof *order);
  if (!order) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  qm__heap_sort(order, n, by_place, c);
  qm_buf_varint(fixed(w, QM__COL_REFS), n);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t delta = c[order[i]].place - next;
    qm_buf_byte(fixed(w, QM__COL_REF_LOW), (uint8_t)delta);
    qm_buf_varint(fixed(w, QM__COL_REF_HIGH), delta >> 8);
    next = c[order[i]].place + 1;
  }
  qm__heap_sort(order, n, by_time, c);
  for (uint32_t i = 0; i < n; i++) c[order[i]].local = i;
  return QM_OK;
}

/* --- a block --- */

static int survey_record(writer *w, qm_slice item) {
  qm_id id;
  w->first_dot = w->n_dots;
  QM_TRY(walk_record(w, item, &id));
  QM_TRY(room(w, (void **)&w->firsts, w->n_records + 1, &w->cap_records, sizeof *w->firsts));
  w->firsts[w->n_records++] = w->n_changes;
  QM_TRY(find_changes(w));
  w->firsts[w->n_records] = w->n_changes;
  return QM_OK;
}

static int write_record(writer *w, qm_slice item, uint32_t record, uint8_t *before) {
  qm_id id;
  QM_TRY(put_refs(w, record));
  QM_TRY(walk_record(w, item, &id));
  qm_buf_byte(fixed(w, QM__COL_ID_FIRST), (uint8_t)(id.b[0] - *before));
  qm_buf_add(fixed(w, QM__COL_ID), id.b + 1, sizeof id.b - 1);
  *before = id.b[0];
  return QM_OK;
}

static int each_record(writer *w, qm_slice items) {
  qm_cur in;
  uint8_t before = 0;
  qm_cur_init(&in, items);
  for (uint32_t i = 0; qm_cur_left(&in); i++) {
    uint32_t n = 0;
    qm_slice item = {NULL, 0};
    QM_TRY(qm_cur_be32(&in, &n));
    QM_TRY(qm_cur_span(&in, n, &item));
    QM_TRY(w->writing ? write_record(w, item, i, &before) : survey_record(w, item));
  }
  return QM_OK;
}

static void put_kinds(writer *w) {
  for (uint32_t k = QM__KINDS; k < w->n_kinds; k++) {
    qm_buf_varint(fixed(w, QM__COL_KINDS), w->kinds[k].collection);
    qm_buf_varint(fixed(w, QM__COL_KINDS), w->kinds[k].field);
    qm_buf_varint(fixed(w, QM__COL_KINDS), w->kinds[k].shape);
    qm__listed_put(of_kind(w, QM__KIND_LISTED, k), w->kinds[k].listed);
  }
}

/* Of what the survey noted, what is worth a list. */
static void keep_listed(writer *w) {
  uint32_t left = QM_BLOCK_LISTED_MAX;
  for (uint32_t k = 0; k < w->n_kinds; k++) {
    const qm__listed *l = w->kinds[k].listed;
    if (!l || !qm__listed_worth(l) || l->n > left)
      w->kinds[k].listed = NULL;
    else
      left -= l->n;
  }
}

static int open_columns(writer *w) {
  w->n_columns = QM__COLS + QM__KIND_COLS * w->n_kinds;
  w->columns = qm_arena_array(&w->arena, w->n_columns, sizeof *w->columns);
  if (!w->columns) return QM_ENOMEM;
  for (uint32_t i = 0; i < w->n_columns; i++)
    qm_buf_init(&w->columns[i], w->env, QM_BLOCK_RAW_MAX);
  return QM_OK;
}

static int columns_status(const writer *w) {
  for (uint32_t i = 0; i < w->n_columns; i++) QM_TRY(qm_buf_status(&w->columns[i]));
  return QM_OK;
}

static int begin(writer *w) {
  kind none = {.listed = NULL};
  w->named = qm_arena_zero(&w->arena, w->n_authors + 1u);
  w->place = qm_arena_zero(&w->arena, ((size_t)w->n_authors + 1) * sizeof *w->place);
  if (!w->named || !w->place) return QM_ENOMEM;
  for (; w->n_kinds < QM__KINDS; w->n_kinds++) {
    QM_TRY(room(w, (void **)&w->kinds, w->n_kinds, &w->cap_kinds, sizeof *w->kinds));
    w->kinds[w->n_kinds] = none;
  }
  return QM_OK;
}

static int write_block(writer *w, qm_buf *out, qm_slice items, int level,
                       qm_columns_sizes *sizes) {
  QM_TRY(begin(w));
  QM_TRY(each_record(w, items));
  if (w->n_records > 1 && items.n > QM_BLOCK_BYTES) return QM_ELIMIT;
  keep_listed(w);
  QM_TRY(open_columns(w));
  QM_TRY(put_changes(w));
  w->writing = 1;
  QM_TRY(each_record(w, items));
  put_kinds(w);
  QM_TRY(columns_status(w));
  return qm__groups_write(out, w->columns, w->n_kinds, level, sizes);
}

int qm__columns_write(qm_buf *out, qm_slice items, const uint32_t *rank, uint32_t n_authors,
                      int level, qm_columns_sizes *sizes) {
  writer w = {.env = out->env, .rank = rank, .n_authors = n_authors};
  size_t before = out->n;
  QM_TRY(qm_buf_status(out));
  qm_arena_init(&w.arena, out->env, SIZE_MAX);
  int rc = write_block(&w, out, items, level, sizes);
  for (uint32_t i = 0; w.columns && i < w.n_columns; i++) qm_buf_free(&w.columns[i]);
  qm_arena_free(&w.arena);
  if (rc == QM_OK) return QM_OK;
  out->n = before;
  return rc == QM_ENOMEM ? rc : QM_ELIMIT;
}
