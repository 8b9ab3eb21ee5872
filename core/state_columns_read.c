/* Reads the columns of a block (state_columns.h) and makes the items again. Nothing is
 * believed: every count is bounded by a column that it takes from, or by the room of an
 * item. Whether the blobs are those of records is not judged here. */
#include "core/state_columns.h"

#include <string.h>

#include "core/batch_columns.h"
#include "core/crdt/sequence.h"
#include "core/cur.h"
#include "core/id.h"
#include "core/mp.h"
#include "core/mp_put.h"
#include "core/norm.h"
#include "core/state_groups.h"
#include "core/timestamp.h"
#include "core/value.h"

typedef struct change {
  uint64_t first, time;
  uint32_t author; /* index into authors, which ascend by id */
} change;

typedef struct kind {
  uint32_t collection, field, shape;
} kind;

/* A change of the record at hand. */
typedef struct ref {
  uint32_t place, author; /* author: index into the record's names */
  uint64_t next, time;    /* next: the counter expected of its next dot */
} ref;

typedef struct dot {
  uint64_t counter, time;
  uint32_t author; /* index into the record's names */
} dot;

/* Of the columns of S6.5 those that are made again. */
enum { SEQ_AUTHORS, SEQ_HEADS, SEQ_GAPS, SEQ_LENGTHS, SEQ_FLAGS, SEQ_HANGS, SEQ_COLUMNS };

struct qm_columns {
  const qm_env *env;
  uint8_t before; /* first byte of the id before */
  qm_arena arena;
  qm_buf raw;
  qm_cur *columns;
  uint32_t n_columns;
  uint32_t *authors, n_authors;
  change *changes;
  uint32_t n_changes;
  kind *kinds; /* of cells, from QM__KINDS on */
  uint32_t n_kinds, kind;
  qm_slice *listed;      /* values that come again, of one kind after the other */
  uint32_t *listed_from; /* of each kind its first; one more at the end */
  size_t total;          /* bytes of the items so far, with their lengths */
  ref *refs; /* by place */
  uint32_t *local; /* local number -> index into refs */
  uint32_t n_refs, cap_refs;
  uint32_t collection;
  qm_buf creations, marks, cells, content, blob;
  qm_buf sequence[SEQ_COLUMNS]; /* of the sequence at hand */
  uint32_t n_sequence;          /* its authors */
};

typedef struct qm_columns reader;

static qm_cur *fixed(reader *r, unsigned c) { return &r->columns[c]; }

static qm_cur *of_kind(reader *r, unsigned c, uint32_t k) {
  return &r->columns[QM__COLS + (size_t)c * r->n_kinds + k];
}

static int number_of(qm_cur *c, uint32_t *out) {
  uint64_t v = 0;
  QM_TRY(qm_cur_varint(c, &v));
  if (v > UINT32_MAX) return QM_ERANGE;
  *out = (uint32_t)v;
  return QM_OK;
}

/* --- dots --- */

/* Where the author's next change begins; of its last one where itself does. */
static uint64_t limit_of(const reader *r, uint32_t place) {
  const change *c = &r->changes[place];
  return place + 1 < r->n_changes && c[1].author == c->author ? c[1].first : c->first;
}

/* Where the next dot is expected. What is named is mostly what its change ended with. */
static uint64_t expected(const reader *r, const ref *c, uint32_t k) {
  if (k != QM__NAMED) return c->next - (k == QM__MARKED);
  uint64_t limit = limit_of(r, c->place);
  return limit > r->changes[c->place].first ? limit : c->next;
}

static int get_dot(reader *r, uint32_t k, dot *out) {
  uint64_t which = 0, offset = 0;
  QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_CHANGE, k), &which));
  QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_OFFSET, k), &offset));
  if (which >= r->n_refs) return QM_EFORMAT;
  ref *c = &r->refs[r->local[which]];
  *out = (dot){expected(r, c, k) + qm__unzigzag(offset), c->time, c->author};
  if (k != QM__MARKED && k != QM__NAMED) c->next = out->counter + 1;
  return QM_OK;
}

/* Of a run, with how many more elements it has: the change goes on behind the last. */
static int get_run(reader *r, dot *out, uint64_t *more) {
  uint64_t which = 0, distance = 0;
  qm_cur peek = *of_kind(r, QM__KIND_CHANGE, r->kind);
  QM_TRY(qm_cur_varint(&peek, &which));
  QM_TRY(get_dot(r, r->kind, out));
  QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_NUMBER, r->kind), &distance));
  ref *c = &r->refs[r->local[which]];
  c->next = limit_of(r, c->place) - qm__unzigzag(distance);
  *more = c->next - out->counter - 1;
  return *more == UINT64_MAX ? QM_EFORMAT : QM_OK;
}

/* What is put most often is put in one append. */
static void put_dot(qm_buf *to, const dot *d) {
  uint8_t head[2 * QM__PUT_UINT];
  qm_buf_add(to, head, (size_t)(qm__put_uint(qm__put_uint(head, d->author), d->counter) - head));
}

static void put_stamped(qm_buf *to, const dot *d, uint64_t more) {
  uint8_t head[4 * QM__PUT_UINT];
  uint8_t *at = qm__put_uint(qm__put_uint(head, d->author), d->counter);
  at = qm__put_uint(qm__put_uint(at, d->time), more);
  qm_buf_add(to, head, (size_t)(at - head));
}

static void put_str(qm_buf *to, qm_slice text) {
  uint8_t *at = text.n < 32 ? qm_buf_reserve(to, text.n + 1) : NULL;
  if (!at) {
    qm_mp_str(to, text.p, text.n); /* long, or it says what is wrong */
    return;
  }
  *at = (uint8_t)(0xa0 | text.n);
  if (text.n) memcpy(at + 1, text.p, text.n);
  to->n += text.n + 1;
}

static int put_named(reader *r, qm_buf *to) {
  uint32_t n = 0;
  QM_TRY(number_of(fixed(r, QM__COL_NAMED), &n));
  if (n % 2) return QM_EFORMAT;
  qm_mp_array(to, n);
  for (uint32_t i = 0; i < n / 2; i++) {
    dot d;
    QM_TRY(get_dot(r, QM__NAMED, &d));
    put_dot(to, &d);
  }
  return QM_OK;
}

/* --- values --- */

static int put_text(reader *r, qm_buf *to, uint64_t n) {
  qm_slice text;
  if (n > SIZE_MAX) return QM_ETRUNCATED;
  QM_TRY(qm_cur_span(of_kind(r, QM__KIND_BYTES, r->kind), (size_t)n, &text));
  put_str(to, text);
  return QM_OK;
}

static int put_digest(reader *r, qm_buf *to, unsigned tag) {
  qm_slice digest;
  char hex[2 * QM__DIGEST_SIZE + 1];
  QM_TRY(qm_cur_span(fixed(r, QM__COL_DIGESTS), QM__DIGEST_SIZE, &digest));
  if (tag == QM__TAG_BIN) {
    qm_mp_bin(to, digest.p, digest.n);
    return QM_OK;
  }
  qm_hex(hex, digest.p, digest.n);
  qm_mp_str(to, hex, 2 * QM__DIGEST_SIZE);
  return QM_OK;
}

static int put_number(qm_buf *to, unsigned tag, uint64_t n, qm_time time) {
  double v;
  if (tag == QM__TAG_TIME) {
    uint64_t u = qm_time_ms(time) + qm__unzigzag(n);
    if (u > INT64_MAX) return QM_ERANGE;
    qm_mp_uint(to, u);
    return QM_OK;
  }
  n = qm__unzigzag(n);
  int64_t m = n >> 63 ? -(int64_t)(~n) - 1 : (int64_t)n;
  if (!qm__decimal(m, tag - QM__TAG_DECIMAL, &v)) return QM_ECANON;
  qm_mp_f64(to, v);
  return QM_OK;
}

static int put_listed(const reader *r, qm_buf *to, uint64_t place) {
  uint32_t from = r->listed_from[r->kind];
  if (place >= r->listed_from[r->kind + 1] - from) return QM_EFORMAT;
  qm_mp_raw(to, r->listed[from + place]);
  return QM_OK;
}

static int put_value(reader *r, qm_buf *to, qm_time time) {
  uint32_t tag = 0;
  uint64_t n = 0;
  qm_slice raw;
  QM_TRY(number_of(of_kind(r, QM__KIND_TAG, r->kind), &tag));
  if (tag >= QM__TAG_TEXT) return put_text(r, to, tag - QM__TAG_TEXT);
  if (tag == QM__TAG_BIN || tag == QM__TAG_HEX) return put_digest(r, to, tag);
  if (tag == QM__TAG_RAW) {
    QM_TRY(qm_cur_value(of_kind(r, QM__KIND_BYTES, r->kind), QM_VALUE_DEPTH + 1, &raw));
    qm_mp_raw(to, raw);
    return QM_OK;
  }
  QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_NUMBER, r->kind), &n));
  if (tag == QM__TAG_LISTED) return put_listed(r, to, n);
  if (tag == QM__TAG_LONG) return put_text(r, to, n);
  return tag < QM__TAG_DECIMAL + QM__DECIMALS ? put_number(to, tag, n, time) : QM_EFORMAT;
}

static int get_flags(reader *r, uint64_t *out) {
  return qm_cur_varint(of_kind(r, QM__KIND_FLAGS, r->kind), out);
}

/* --- contents of cells: appended to `to`, *items is the length of their array --- */

/* What one sibling takes of its array. */
static uint32_t items_of(uint64_t flags) {
  return 5 + (flags & 2 ? 1u : 0u) + (flags & 4 ? 2u : 0u);
}

static int put_sibling(reader *r, qm_buf *to, uint32_t *items) {
  dot d;
  uint64_t flags = 0, generation = 0;
  QM_TRY(get_flags(r, &flags));
  QM_TRY(get_dot(r, r->kind, &d));
  if (flags > 7) return QM_EFORMAT;
  put_stamped(to, &d, flags);
  QM_TRY(put_value(r, to, d.time));
  if (flags & 2) {
    QM_TRY(qm_cur_varint(fixed(r, QM__COL_NAMED), &generation));
    qm_mp_uint(to, generation);
  }
  if (flags & 4) {
    QM_TRY(put_named(r, to));
    QM_TRY(put_named(r, to));
  }
  *items += items_of(flags);
  return QM_OK;
}

static int put_element(reader *r, qm_buf *to, uint32_t *items) {
  uint64_t n = 0;
  QM_TRY(put_value(r, to, 0));
  QM_TRY(get_flags(r, &n));
  if (n > QM_BLOCK_DOTS_MAX) return QM_EOVERSIZE;
  qm_mp_array(to, (size_t)n * 3);
  for (uint64_t i = 0; i < n; i++) {
    dot d;
    QM_TRY(get_dot(r, r->kind, &d));
    put_dot(to, &d);
    qm_mp_uint(to, d.time);
  }
  *items += 2;
  return QM_OK;
}

static int put_total(reader *r, qm_buf *to, uint32_t *items) {
  dot d;
  QM_TRY(get_dot(r, r->kind, &d));
  d.counter++;
  put_dot(to, &d);
  *items += 3;
  return put_value(r, to, 0);
}

static int put_entry(reader *r, qm_buf *to, uint32_t *items) {
  dot d;
  uint64_t later = 0;
  QM_TRY(get_flags(r, &later));
  QM_TRY(get_dot(r, r->kind, &d));
  put_stamped(to, &d, later);
  *items += 5;
  return put_value(r, to, d.time);
}

/* --- sequences: their own columns (S6.5) are made again --- */

static int get_hangs(reader *r, uint64_t flags, uint64_t *distance, dot named[2]) {
  if (flags & QM__CHAIN_OTHER)
    QM_TRY(get_dot(r, QM__NAMED, &named[0]));
  else if (flags & 3)
    QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_PARENT, r->kind), distance));
  return flags & QM__CHAIN_MOVED ? get_dot(r, QM__NAMED, &named[1]) : QM_OK;
}

static void put_varints(qm_buf *to, const dot *d) {
  qm_buf_varint(to, d->author);
  qm_buf_varint(to, d->counter);
}

static void put_head(reader *r, uint64_t gap, uint64_t more, uint64_t flags) {
  uint64_t head = flags > 3 ? 3 : flags;
  head |= (gap < 3 ? gap : 3) << 2 | (more < 15 ? more : 15) << 4;
  qm_buf_byte(&r->sequence[SEQ_HEADS], (uint8_t)head);
  if (gap >= 3) qm_buf_varint(&r->sequence[SEQ_GAPS], gap - 3);
  if (more >= 15) qm_buf_varint(&r->sequence[SEQ_LENGTHS], more - 15);
  if (flags > 3) qm_buf_byte(&r->sequence[SEQ_FLAGS], (uint8_t)flags);
}

/* *end: of the chain before, whose author it has. */
static int put_chain(reader *r, dot *end, uint64_t *chains, uint64_t *elements) {
  uint64_t flags = 0, more = 0, distance = 0;
  dot at, named[2];
  QM_TRY(get_flags(r, &flags));
  if (flags > 31) return QM_EFORMAT;
  QM_TRY(get_hangs(r, flags, &distance, named));
  QM_TRY(get_run(r, &at, &more));
  if (at.author != end->author) {
    if (*chains) qm_buf_varint(&r->sequence[SEQ_AUTHORS], *chains);
    qm_buf_varint(&r->sequence[SEQ_AUTHORS], at.author);
    *end = (dot){0, 0, at.author};
    *chains = 0;
    r->n_sequence++;
  }
  uint64_t gap = at.counter - end->counter;
  qm_buf *hangs = &r->sequence[SEQ_HANGS];
  put_head(r, gap, more, flags);
  if (flags & QM__CHAIN_OTHER) put_varints(hangs, &named[0]);
  else if (flags & 3) qm_buf_varint(hangs, distance ? distance - 1 : gap);
  if (flags & QM__CHAIN_MOVED) put_varints(hangs, &named[1]);
  end->counter = at.counter + more + 1;
  ++*chains;
  *elements += more + 1;
  return qm_buf_status(&r->sequence[SEQ_HEADS]);
}

/* A column that was written as it is. */
static int get_column(reader *r, unsigned sort, qm_slice *out) {
  uint64_t n = 0;
  QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_NUMBER, r->kind), &n));
  if (n > SIZE_MAX) return QM_ETRUNCATED;
  return qm_cur_span(of_kind(r, sort, r->kind), (size_t)n, out);
}

/* Of n elements in stretches, of which the last is left out, those of every other one. */
static int of_turns(uint64_t n, qm_slice stretches, uint64_t *out) {
  qm_cur c;
  *out = 0;
  qm_cur_init(&c, stretches);
  for (int counts = 1; n; counts = !counts) {
    uint64_t some = n;
    if (qm_cur_left(&c)) QM_TRY(qm_cur_varint(&c, &some));
    if (some > n) return QM_EFORMAT;
    if (counts) *out += some;
    n -= some;
  }
  return QM_OK;
}

int qm__text_points(uint64_t elements, qm_slice states, qm_slice kinds, uint64_t *points) {
  uint64_t shown = 0;
  QM_TRY(of_turns(elements, states, &shown));
  return of_turns(shown, kinds, points);
}

static int get_text(reader *r, uint64_t elements, qm_slice states, qm_slice kinds, qm_slice *out) {
  qm_cur *c = of_kind(r, QM__KIND_TEXT, r->kind);
  qm_slice left = qm_slice_of(c->at, qm_cur_left(c));
  uint64_t points = 0;
  QM_TRY(qm__text_points(elements, states, kinds, &points));
  if (points > left.n) return QM_ETRUNCATED;
  return qm_cur_span(c, qm_utf8_offset(left, (size_t)points), out);
}

static int put_sequence(reader *r, uint64_t count, qm_buf *to) {
  dot end = {0, 0, UINT32_MAX};
  uint64_t chains = 0, elements = 0;
  qm_slice rest[4];
  qm_buf *front = &r->blob, *s = r->sequence;
  for (unsigned i = 0; i < SEQ_COLUMNS; i++) qm_buf_clear(&s[i]);
  qm_buf_clear(front);
  r->n_sequence = 0;
  for (uint64_t i = 0; i < count; i++) QM_TRY(put_chain(r, &end, &chains, &elements));
  qm_buf_varint(&s[SEQ_AUTHORS], chains);
  QM_TRY(get_column(r, QM__KIND_NUMBER, &rest[0]));
  QM_TRY(get_column(r, QM__KIND_NUMBER, &rest[1]));
  QM_TRY(get_column(r, QM__KIND_BYTES, &rest[2]));
  QM_TRY(get_text(r, elements, rest[0], rest[1], &rest[3]));
  qm_buf_varint(front, r->n_sequence);
  qm_buf_add(front, s[SEQ_AUTHORS].p, s[SEQ_AUTHORS].n);
  for (unsigned i = SEQ_HEADS; i < SEQ_COLUMNS; i++) qm_buf_varint(front, s[i].n);
  for (unsigned i = 0; i < 3; i++) qm_buf_varint(front, rest[i].n);
  for (unsigned i = SEQ_HEADS; i < SEQ_COLUMNS; i++) qm_buf_add(front, s[i].p, s[i].n);
  for (unsigned i = 0; i < 4; i++) qm_buf_add(front, rest[i].p, rest[i].n);
  for (unsigned i = 0; i < SEQ_COLUMNS; i++) QM_TRY(qm_buf_status(&s[i]));
  QM_TRY(qm_buf_status(front));
  qm_mp_bin(to, front->p, front->n);
  return qm_buf_status(to);
}

static int put_one(reader *r, uint32_t shape, qm_buf *to, uint32_t *items) {
  switch (shape) {
    case QM_SIBLINGS: return put_sibling(r, to, items);
    case QM_KEYED: return put_element(r, to, items);
    case QM_TOTALS: return put_total(r, to, items);
    case QM_ENTRIES: return put_entry(r, to, items);
    default: return QM_EFORMAT;
  }
}

/* --- a record --- */

static int put_several(reader *r, uint32_t shape, uint64_t count) {
  uint32_t items = 0;
  qm_buf_clear(&r->content);
  for (uint64_t i = 0; i < count; i++) {
    QM_TRY(put_one(r, shape, &r->content, &items));
    QM_TRY(qm_buf_status(&r->content));
  }
  qm_mp_array(&r->cells, items);
  qm_buf_add(&r->cells, r->content.p, r->content.n);
  return qm_buf_status(&r->cells);
}

/* The one value that most have says by its flags, before it is taken, how long its array is. */
static int put_cell(reader *r, uint32_t k, uint64_t count) {
  const uint32_t shape = r->kinds[k].shape;
  uint8_t head[2 * QM__PUT_UINT];
  uint64_t flags = 0;
  uint32_t items = 0;
  r->kind = k;
  uint8_t *at = qm__put_uint(qm__put_uint(head, r->kinds[k].field), shape);
  qm_buf_add(&r->cells, head, (size_t)(at - head));
  if (shape == QM_SEQUENCE) return put_sequence(r, count, &r->cells);
  if (shape != QM_SIBLINGS || count > 1) return put_several(r, shape, count);
  qm_cur peek = *of_kind(r, QM__KIND_FLAGS, k);
  QM_TRY(qm_cur_varint(&peek, &flags));
  qm_mp_array(&r->cells, items_of(flags));
  QM_TRY(put_sibling(r, &r->cells, &items));
  return qm_buf_status(&r->cells);
}

/* The first kind of the record's collection, or of a greater one. */
static uint32_t first_kind(const reader *r) {
  uint32_t low = QM__KINDS, high = r->n_kinds;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (r->kinds[mid].collection < r->collection)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static int get_cells(reader *r, uint32_t *n) {
  *n = 0;
  qm_buf_clear(&r->cells);
  for (uint32_t k = first_kind(r); k < r->n_kinds && r->kinds[k].collection == r->collection; k++) {
    uint64_t count = 0;
    QM_TRY(qm_cur_varint(of_kind(r, QM__KIND_COUNT, k), &count));
    if (!count) continue;
    QM_TRY(put_cell(r, k, count));
    *n += 1;
  }
  return QM_OK;
}

static int get_creations(reader *r, uint32_t *n) {
  QM_TRY(number_of(fixed(r, QM__COL_CREATIONS), n));
  qm_buf_clear(&r->creations);
  r->collection = 0;
  for (uint32_t i = 0; i < *n; i++) {
    dot d;
    uint32_t collection = 0;
    QM_TRY(get_dot(r, QM__CREATED, &d));
    QM_TRY(number_of(fixed(r, QM__COL_COLLECTIONS), &collection));
    put_dot(&r->creations, &d);
    qm_mp_uint(&r->creations, collection);
    QM_TRY(qm_buf_status(&r->creations));
    if (!i) r->collection = collection;
  }
  return QM_OK;
}

static int get_marks(reader *r, uint32_t *n) {
  QM_TRY(number_of(fixed(r, QM__COL_MARKS), n));
  qm_buf_clear(&r->marks);
  for (uint32_t i = 0; i < *n; i++) {
    dot d;
    uint64_t flags = 0;
    QM_TRY(get_dot(r, QM__MARKED, &d));
    QM_TRY(qm_cur_varint(fixed(r, QM__COL_MARK_FLAGS), &flags));
    put_dot(&r->marks, &d);
    qm_mp_uint(&r->marks, flags);
    QM_TRY(qm_buf_status(&r->marks));
  }
  return QM_OK;
}

static int ref_before(const void *ctx, uint32_t a, uint32_t b) {
  const ref *x = (const ref *)ctx + a, *y = (const ref *)ctx + b;
  return x->time != y->time ? x->time < y->time : x->place < y->place;
}

#define REFS_FEW 32u /* up to here inserting is as fast */

static int grow_refs(reader *r, uint32_t n) {
  if (n <= r->cap_refs) return QM_OK;
  uint32_t cap = n > r->cap_refs * 2 ? n : r->cap_refs * 2;
  r->refs = qm_arena_array(&r->arena, cap, sizeof *r->refs);
  r->local = qm_arena_array(&r->arena, cap, sizeof *r->local);
  if (!r->refs || !r->local) return QM_ENOMEM;
  r->cap_refs = cap;
  return QM_OK;
}

/* The record's changes. They ascend by author, so its names are those of them, each once. */
static int get_refs(reader *r) {
  uint32_t n = 0, next = 0, names = 0;
  QM_TRY(number_of(fixed(r, QM__COL_REFS), &n));
  if (n > qm_cur_left(fixed(r, QM__COL_REF_LOW))) return QM_ETRUNCATED;
  QM_TRY(grow_refs(r, n));
  r->n_refs = n;
  for (uint32_t i = 0; i < n; i++) {
    uint8_t low = 0;
    uint64_t high = 0;
    QM_TRY(qm_cur_byte(fixed(r, QM__COL_REF_LOW), &low));
    QM_TRY(qm_cur_varint(fixed(r, QM__COL_REF_HIGH), &high));
    if (high > r->n_changes || next + (high << 8 | low) >= r->n_changes) return QM_EFORMAT;
    uint32_t place = next + (uint32_t)(high << 8 | low);
    const change *c = &r->changes[place];
    names += !i || c->author != r->changes[r->refs[i - 1].place].author;
    r->refs[i] = (ref){place, names - 1, c->first, c->time};
    r->local[i] = i;
    next = place + 1;
  }
  if (n > REFS_FEW) {
    qm__heap_sort(r->local, n, ref_before, r->refs);
    return QM_OK;
  }
  for (uint32_t i = 1; i < n; i++) { /* those of each author ascend already */
    uint32_t x = r->local[i], at = i;
    for (; at && ref_before(r->refs, x, r->local[at - 1]); at--) r->local[at] = r->local[at - 1];
    r->local[at] = x;
  }
  return QM_OK;
}

static void put_names(reader *r) {
  uint32_t n = r->n_refs ? r->refs[r->n_refs - 1].author + 1 : 0;
  qm_mp_array(&r->blob, n);
  for (uint32_t i = 0; i < r->n_refs; i++)
    if (!i || r->refs[i].author != r->refs[i - 1].author)
      qm_mp_uint(&r->blob, r->authors[r->changes[r->refs[i].place].author]);
}

static void put_array(qm_buf *to, size_t items, const qm_buf *content) {
  qm_mp_array(to, items);
  qm_buf_add(to, content->p, content->n);
}

static int get_id(reader *r, qm_id *id) {
  uint8_t first = 0;
  QM_TRY(qm_cur_byte(fixed(r, QM__COL_ID_FIRST), &first));
  id->b[0] = r->before = (uint8_t)(r->before + first);
  return qm_cur_copy(fixed(r, QM__COL_ID), id->b + 1, sizeof id->b - 1);
}

/* n <= QM_BLOCK_BYTES. */
static void put_bin_head(qm_buf *to, size_t n) {
  uint8_t head[5];
  unsigned size = n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : 4;
  head[0] = (uint8_t)(size == 1 ? 0xc4 : size == 2 ? 0xc5 : 0xc6);
  qm_buf_add(to, head, (size_t)(qm__put_be(head + 1, n, size) - head));
}

static int read_record(reader *r, qm_buf *item) {
  uint32_t creations = 0, marks = 0, cells = 0;
  qm_id id;
  QM_TRY(get_id(r, &id));
  QM_TRY(get_refs(r));
  QM_TRY(get_creations(r, &creations));
  QM_TRY(get_cells(r, &cells));
  QM_TRY(get_marks(r, &marks));
  qm_buf_clear(&r->blob); /* all of it but the cells, which are most */
  qm_mp_array(&r->blob, 4);
  put_names(r);
  put_array(&r->blob, (size_t)creations * 3, &r->creations);
  put_array(&r->blob, (size_t)marks * 3, &r->marks);
  qm_mp_array(&r->blob, (size_t)cells * 3);
  QM_TRY(qm_buf_status(&r->blob));
  if (r->cells.n > QM_BLOCK_BYTES - r->blob.n) return QM_EOVERSIZE;
  qm_mp_array(item, 2);
  qm_mp_bin(item, id.b, sizeof id.b);
  put_bin_head(item, r->blob.n + r->cells.n);
  qm_buf_add(item, r->blob.p, r->blob.n);
  qm_buf_add(item, r->cells.p, r->cells.n);
  return qm_buf_status(item);
}

/* --- a block --- */

static int read_kinds(reader *r) {
  qm_cur *c = fixed(r, QM__COL_KINDS);
  r->kinds = qm_arena_zero(&r->arena, r->n_kinds * sizeof *r->kinds);
  if (!r->kinds) return QM_ENOMEM;
  for (uint32_t k = QM__KINDS; k < r->n_kinds; k++) {
    kind *x = &r->kinds[k];
    QM_TRY(number_of(c, &x->collection));
    QM_TRY(number_of(c, &x->field));
    QM_TRY(number_of(c, &x->shape));
    if (k > QM__KINDS && x->collection < x[-1].collection) return QM_ECANON;
  }
  return QM_OK;
}

static int read_time(reader *r, qm_time *time) {
  uint8_t low = 0, mid = 0;
  uint64_t high = 0, tick = 0;
  QM_TRY(qm_cur_byte(fixed(r, QM__COL_TIME_LOW), &low));
  QM_TRY(qm_cur_byte(fixed(r, QM__COL_TIME_MID), &mid));
  QM_TRY(qm_cur_varint(fixed(r, QM__COL_TIME_HIGH), &high));
  QM_TRY(qm_cur_varint(fixed(r, QM__COL_TICKS), &tick));
  if (high >> 48 || tick > UINT16_MAX) return QM_ERANGE;
  uint64_t ms = qm_time_ms(*time) + qm__unzigzag(high << 16 | (uint64_t)mid << 8 | low);
  if (ms >> 48) return QM_ERANGE;
  *time = qm_time_make(ms) | tick;
  return QM_OK;
}

static int read_author(reader *r, uint32_t author) {
  uint64_t n = 0, counter = 0;
  qm_time time = 0;
  QM_TRY(number_of(fixed(r, QM__COL_AUTHORS), &r->authors[author]));
  QM_TRY(qm_cur_varint(fixed(r, QM__COL_CHANGES), &n));
  for (uint64_t i = 0; i < n; i++) {
    uint64_t delta = 0;
    QM_TRY(qm_cur_varint(fixed(r, QM__COL_COUNTERS), &delta));
    QM_TRY(read_time(r, &time));
    counter += delta;
    r->changes[r->n_changes++] = (change){counter, time, author};
  }
  return QM_OK;
}

/* There are as many changes as bytes of their times. */
static int read_changes(reader *r) {
  size_t authors = qm_cur_left(fixed(r, QM__COL_AUTHORS));
  size_t n = qm_cur_left(fixed(r, QM__COL_TIME_LOW));
  if (n > QM_BLOCK_DOTS_MAX) return QM_EOVERSIZE;
  r->authors = qm_arena_array(&r->arena, authors, sizeof *r->authors);
  r->changes = qm_arena_array(&r->arena, n, sizeof *r->changes);
  if (!r->authors || !r->changes) return QM_ENOMEM;
  while (qm_cur_left(fixed(r, QM__COL_AUTHORS))) {
    QM_TRY(read_author(r, r->n_authors));
    r->n_authors++;
  }
  return QM_OK;
}

/* They are small: what names one by a byte gives no more than so many bytes for it. */
static int read_listed(reader *r, uint32_t *n) {
  *n = 0;
  for (uint32_t k = 0; k < r->n_kinds; k++) {
    qm_cur c = *of_kind(r, QM__KIND_LISTED, k);
    if (r->listed) r->listed_from[k] = *n;
    for (; qm_cur_left(&c); ++*n) {
      qm_slice v;
      QM_TRY(qm_cur_value(&c, QM_VALUE_DEPTH + 1, &v));
      if (v.n > QM__LISTED_BYTES || *n == QM_BLOCK_LISTED_MAX) return QM_EOVERSIZE;
      if (r->listed) r->listed[*n] = v;
    }
    if (r->listed) *of_kind(r, QM__KIND_LISTED, k) = c;
  }
  if (r->listed) r->listed_from[r->n_kinds] = *n;
  return QM_OK;
}

/* Counted first. */
static int read_lists(reader *r) {
  uint32_t n = 0;
  QM_TRY(read_listed(r, &n));
  r->listed_from = qm_arena_array(&r->arena, r->n_kinds + 1u, sizeof *r->listed_from);
  r->listed = qm_arena_array(&r->arena, n + 1u, sizeof *r->listed);
  if (!r->listed || !r->listed_from) return QM_ENOMEM;
  return read_listed(r, &n);
}

/* --- opening --- */

static int open_block(reader *r, qm_slice in) {
  qm_cur c;
  qm_cur_init(&c, in);
  QM_TRY(qm__groups_read(&c, &r->raw, &r->arena, &r->columns, &r->n_kinds));
  r->n_columns = QM__COLS + QM__KIND_COLS * r->n_kinds;
  QM_TRY(read_kinds(r));
  QM_TRY(read_lists(r));
  return read_changes(r);
}

int qm__columns_open(qm_columns **out, const qm_env *env, qm_slice in) {
  reader *r = qm_alloc_zero(env, sizeof *r);
  *out = NULL;
  if (!r) return QM_ENOMEM;
  r->env = env;
  qm_arena_init(&r->arena, env, SIZE_MAX);
  qm_buf_init(&r->raw, env, QM_BLOCK_RAW_MAX);
  qm_buf *scratch[] = {&r->creations, &r->marks, &r->cells, &r->content, &r->blob};
  for (unsigned i = 0; i < 5; i++) qm_buf_init(scratch[i], env, QM_BLOCK_BYTES);
  for (unsigned i = 0; i < SEQ_COLUMNS; i++) qm_buf_init(&r->sequence[i], env, QM_BLOCK_BYTES);
  int rc = open_block(r, in);
  if (rc == QM_OK) {
    *out = r;
    return QM_OK;
  }
  qm__columns_close(r);
  return rc == QM_ELIMIT ? QM_EOVERSIZE : rc;
}

/* Several records are no more than a block may be: what is listed is told in few bytes. */
static int next_record(reader *r, qm_buf *item) {
  size_t before = item->n;
  int rc = read_record(r, item);
  if (rc != QM_OK) return rc == QM_ELIMIT ? QM_EOVERSIZE : rc;
  size_t n = item->n - before + 4, first = r->total;
  r->total += n;
  return first && r->total > QM_BLOCK_BYTES ? QM_EOVERSIZE : QM_OK;
}

int qm__columns_next(qm_columns *r, qm_buf *item) {
  if (qm_cur_left(fixed(r, QM__COL_ID_FIRST))) return next_record(r, item);
  for (uint32_t i = 0; i < r->n_columns; i++) QM_TRY(qm_cur_end(&r->columns[i]));
  return QM_ENOTFOUND;
}

void qm__columns_close(qm_columns *r) {
  if (!r) return;
  qm_buf *all[] = {&r->creations, &r->marks, &r->cells, &r->content, &r->blob, &r->raw};
  for (unsigned i = 0; i < 6; i++) qm_buf_free(all[i]);
  for (unsigned i = 0; i < SEQ_COLUMNS; i++) qm_buf_free(&r->sequence[i]);
  qm_arena_free(&r->arena);
  qm_free(r->env, r);
}
