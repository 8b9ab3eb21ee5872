/* Reads a batch (SPEC §5) in one pass over its ops. Every count is held against the
 * bytes that are left before anything is allocated for it. */
#include <string.h>

#include "core/batch_columns.h"
#include "core/cur.h"
#include "core/salt.h"
#include "core/value.h"
#include "core/words.h"
#include "core/zip.h"

/* Bytes of the shortest segment head: flags, author, start, length, changes, head. */
#define HEAD_BYTES_MIN 12u
#define NONE UINT32_MAX

typedef struct form {
  uint32_t field;
  uint32_t group; /* value column, NONE where it has no value */
  uint8_t shape, kind, differs;
  uint8_t flags; /* the form's: QM__FORM_FLAGS */
} form;

typedef struct entry {
  uint8_t named;
  qm_id record;
  qm_dot created;
} entry;

/* Fixed-size things of the front that the columns refer to in order. */
typedef struct strip {
  const uint8_t *at;
  uint32_t left;
} strip;

/* What a segment head holds beyond qm_batch_head. */
typedef struct head_rest {
  uint8_t algorithm, is_signed;
  uint8_t signature[64];
} head_rest;

typedef struct decoder {
  const qm_batch_in *in;
  qm_arena *arena;
  head_rest *rests;
  unsigned version;
  qm_slice words;
  strip raws, digests, salts, leaves, times;
  size_t front_size;
  qm_slice back;
  qm_cur columns[QM__COLUMNS];
  qm_cur *groups;
  uint32_t n_groups;
  form *forms;
  uint32_t n_forms;
  entry *entries;
  uint32_t n_entries;
  qm__base *bases; /* by dictionary place */
  uint8_t used;

  uint32_t ops_left; /* of QM_BATCH_OPS_MAX */
  uint32_t own;      /* place of the segment's author */
  uint64_t inserted; /* last counter of the last insert of this segment */
  qm_time time;      /* of the change before */
  uint32_t record;   /* entry of the op before */
  uint32_t erased;   /* ops of this segment that are */
  uint64_t undependent; /* changes before the next that has dependencies */
  uint8_t depends;      /* 1: there is such a one */
} decoder;

/* Most numbers of a column are one byte. */
static inline int get(qm_cur *c, uint64_t *out) {
  if (c->status == QM_OK && c->at < c->end && *c->at < 0x80) {
    *out = *c->at++;
    return QM_OK;
  }
  return qm_cur_varint(c, out);
}

static int get_strip(qm_cur *c, size_t size, strip *out) {
  qm_slice s;
  QM_TRY(qm_cur_count(c, size, UINT32_MAX, &out->left));
  QM_TRY(qm_cur_span(c, out->left * size, &s));
  out->at = s.p;
  return QM_OK;
}

/* NULL where the strip is used up. */
static const uint8_t *strip_next(strip *s, size_t size) {
  if (s->left == 0) return NULL;
  const uint8_t *p = s->at;
  s->at += size;
  s->left--;
  return p;
}

/* ---- front ---- */

static int author_less(const void *ctx, uint32_t a, uint32_t b) {
  const qm_author *ids = ctx;
  return qm_author_cmp(&ids[a], &ids[b]) < 0;
}

static int check_once(const qm_batch_in *in) {
  uint32_t *order = qm_arena_array(in->arena, in->n_authors, sizeof *order);
  if (!order) return QM_ENOMEM;
  for (uint32_t i = 0; i < in->n_authors; i++) order[i] = i;
  qm__heap_sort(order, in->n_authors, author_less, in->authors);
  for (uint32_t i = 1; i < in->n_authors; i++) {
    if (qm_author_cmp(&in->authors[order[i - 1]], &in->authors[order[i]]) == 0) return QM_EDUPKEY;
  }
  return QM_OK;
}

static int read_authors(qm_batch_in *in, qm_cur *c) {
  QM_TRY(qm_cur_count(c, QM_AUTHOR_SIZE, QM_BATCH_AUTHORS_MAX, &in->n_authors));
  in->authors = qm_arena_array(in->arena, in->n_authors, sizeof *in->authors);
  in->map = qm_arena_array(in->arena, in->n_authors, sizeof *in->map);
  if (!in->authors || !in->map) return QM_ENOMEM;
  for (uint32_t i = 0; i < in->n_authors; i++) {
    QM_TRY(qm_cur_copy(c, in->authors[i].b, QM_AUTHOR_SIZE));
    in->map[i] = NONE;
  }
  return check_once(in);
}

/* `last` says for each author which head of this batch was its last, NONE before. */
static int read_head(qm_batch_in *in, qm_cur *c, uint32_t place, uint32_t *last, head_rest *rest) {
  qm_batch_head *h = &in->segments[place];
  uint8_t flags;
  uint64_t author, length, changes;
  QM_TRY(qm_cur_byte(c, &flags));
  if (flags & 0x0f & ~QM__HEAD_FLAGS) return qm_cur_fail(c, QM_EFORMAT);
  QM_TRY(get(c, &author));
  if (author >= in->n_authors) return qm_cur_fail(c, QM_EFORMAT);
  h->author = (uint32_t)author;
  int follows = flags & QM__HEAD_FOLLOWS;
  if (follows) {
    if (last[author] == NONE) return qm_cur_fail(c, QM_EFORMAT);
    h->start = in->segments[last[author]].next;
    memcpy(h->previous, in->segments[last[author]].head, QM_HEAD_SIZE);
  } else {
    QM_TRY(get(c, &h->start));
  }
  QM_TRY(get(c, &length));
  QM_TRY(get(c, &changes));
  if (length == 0 || changes == 0) return qm_cur_fail(c, QM_EFORMAT);
  if (length > UINT64_MAX - h->start) return qm_cur_fail(c, QM_ERANGE);
  if (changes > QM_SEGMENT_CHANGES_MAX) return qm_cur_fail(c, QM_EOVERSIZE);
  h->next = h->start + length;
  h->n_changes = (uint32_t)changes;
  if (!follows && h->start) QM_TRY(qm_cur_copy(c, h->previous, QM_HEAD_SIZE));
  QM_TRY(qm_cur_copy(c, h->head, QM_HEAD_SIZE));
  rest->algorithm = flags >> 4;
  if (rest->algorithm == 0) return qm_cur_fail(c, QM_EFORMAT);
  rest->is_signed = flags & QM__HEAD_SIGNED ? 1 : 0;
  if (rest->is_signed) QM_TRY(qm_cur_copy(c, rest->signature, sizeof rest->signature));
  last[author] = place;
  return QM_OK;
}

static int read_heads(qm_batch_in *in, qm_cur *c, head_rest **rests) {
  QM_TRY(qm_cur_count(c, HEAD_BYTES_MIN, QM_BATCH_SEGMENTS_MAX, &in->n_segments));
  if (in->n_segments == 0) return qm_cur_fail(c, QM_EFORMAT);
  in->segments = qm_arena_zero(in->arena, in->n_segments * sizeof *in->segments);
  *rests = qm_arena_zero(in->arena, in->n_segments * sizeof **rests);
  uint32_t *last = qm_arena_array(in->arena, in->n_authors, sizeof *last);
  if (!in->segments || !*rests || !last) return QM_ENOMEM;
  for (uint32_t i = 0; i < in->n_authors; i++) last[i] = NONE;
  for (uint32_t i = 0; i < in->n_segments; i++) QM_TRY(read_head(in, c, i, last, &(*rests)[i]));
  return QM_OK;
}

static int read_flags(decoder *d, qm_cur *c, uint8_t *flags) { /* S5.1 */
  uint8_t version, number;
  QM_TRY(qm_cur_byte(c, &version));
  if (version != QM__BATCH_OLD && version != QM__BATCH_VERSION) return QM_EVERSION;
  d->version = version;
  QM_TRY(qm_cur_byte(c, flags));
  if (*flags & ~(version == QM__BATCH_OLD ? QM__BATCH_ZSTD : QM__BATCH_ZSTD | QM__BATCH_WORDS))
    return QM_EFORMAT;
  if (!(*flags & QM__BATCH_WORDS)) return QM_OK;
  if (!(*flags & QM__BATCH_ZSTD)) return QM_EFORMAT;
  QM_TRY(qm_cur_byte(c, &number));
  d->words = qm__words(number);
  return d->words.n ? QM_OK : QM_EVERSION;
}

/* The lower parts of the times, one for each change (S5.8). */
static int read_times(const qm_batch_in *in, decoder *d, qm_cur *c) {
  qm_slice s;
  uint32_t n = 0;
  if (d->version == QM__BATCH_OLD) return QM_OK;
  for (uint32_t i = 0; i < in->n_segments; i++) n += in->segments[i].n_changes;
  if (n > qm_cur_left(c) / QM__TIME_LOW) return qm_cur_fail(c, QM_ETRUNCATED);
  QM_TRY(qm_cur_span(c, (size_t)n * QM__TIME_LOW, &s));
  d->times = (strip){s.p, n};
  d->front_size += (size_t)n * QM__OLD_MORE;
  return QM_OK;
}

/* Reads the front (S5.3) into in and *d; *body is what follows it. */
static int read_front(qm_batch_in *in, decoder *d, qm_slice blob, uint8_t *flags, qm_slice *body) {
  qm_cur c;
  qm_slice front;
  uint64_t size;
  if (blob.n > QM_BATCH_MAX) return QM_EOVERSIZE;
  qm_cur_init(&c, blob);
  QM_TRY(read_flags(d, &c, flags));
  QM_TRY(get(&c, &size));
  if (size > QM_BATCH_RAW_MAX) return QM_EOVERSIZE;
  QM_TRY(qm_cur_span(&c, (size_t)size, &front));
  QM_TRY(qm_cur_span(&c, qm_cur_left(&c), body));
  d->front_size = front.n;
  /* What the columns refer to must outlive the blob. */
  const uint8_t *copy = qm_arena_copy(in->arena, front.p, front.n);
  if (!copy) return QM_ENOMEM;
  qm_cur_init(&c, qm_slice_of(copy, front.n));
  QM_TRY(read_authors(in, &c));
  QM_TRY(read_heads(in, &c, &d->rests));
  QM_TRY(get_strip(&c, QM_ID_SIZE, &d->raws));
  QM_TRY(get_strip(&c, QM__DIGEST_SIZE, &d->digests));
  QM_TRY(get_strip(&c, QM_SALT_SIZE, &d->salts));
  QM_TRY(get_strip(&c, QM_HASH_SIZE, &d->leaves));
  QM_TRY(read_times(in, d, &c));
  return qm_cur_end(&c);
}

/* ---- back ---- */

static int read_back(qm_batch_in *in, decoder *d, qm_slice body, size_t size_max, int zipped) {
  qm_buf raw;
  int rc = QM_OK;
  if (!zipped) {
    if (body.n > size_max) return QM_EOVERSIZE;
    d->back.p = qm_arena_copy(in->arena, body.p, body.n);
    d->back.n = body.n;
    return d->back.p ? QM_OK : QM_ENOMEM;
  }
  qm_buf_init(&raw, in->arena->env, size_max);
  if (d->version == QM__BATCH_OLD) rc = qm_unzip(&raw, body, size_max);
  else rc = qm_unzip_words(&raw, body, size_max, d->words);
  if (rc == QM_OK) {
    d->back.p = qm_arena_copy(in->arena, raw.p, raw.n);
    d->back.n = raw.n;
    if (!d->back.p) rc = QM_ENOMEM;
  }
  qm_buf_free(&raw);
  return rc;
}

static int read_form(qm_cur *c, uint64_t *before, uint64_t *cell, uint32_t *n_groups, form *f) {
  uint8_t head, flags = 0;
  uint64_t delta, field = *before >> 12;
  QM_TRY(qm_cur_byte(c, &head));
  if (head & 0x80) return qm_cur_fail(c, QM_EFORMAT);
  if (head & QM__FORM_FLAGGED) {
    QM_TRY(qm_cur_byte(c, &flags));
    if (flags == 0 || (flags & ~QM__FORM_FLAGS)) return qm_cur_fail(c, QM_EFORMAT);
  }
  QM_TRY(get(c, &delta));
  if (delta > UINT32_MAX - field) return qm_cur_fail(c, QM_ERANGE);
  f->field = (uint32_t)(field + delta);
  f->shape = head & 7;
  f->kind = head >> 3 & 3;
  f->differs = head >> 5 & 1;
  f->flags = flags;
  if (!qm__op_known(f->shape, f->kind)) return qm_cur_fail(c, QM_EMALFORMED);
  uint64_t key = qm__form_key(f->field, head, flags);
  if (key < *before) return qm_cur_fail(c, QM_ECANON);
  *before = key;
  f->group = NONE;
  if ((flags & QM_OP_ERASED) || !qm__op_carries(f->shape, f->kind)) return QM_OK;
  if (*n_groups == 0 || qm__form_cell(key) != *cell) {
    *cell = qm__form_cell(key);
    ++*n_groups;
  }
  f->group = *n_groups - 1;
  return QM_OK;
}

static int read_forms(decoder *d) { /* S5.7 */
  qm_cur *c = &d->columns[QM__FORMS];
  uint64_t before = 0, cell = 0;
  size_t most = qm_cur_left(c) / 2; /* head and field */
  if (most > QM_BATCH_OPS_MAX) most = QM_BATCH_OPS_MAX;
  d->forms = qm_arena_array(d->arena, most, sizeof *d->forms);
  if (!d->forms) return QM_ENOMEM;
  while (qm_cur_left(c)) {
    if (d->n_forms == most) return most == QM_BATCH_OPS_MAX ? QM_EOVERSIZE : QM_ETRUNCATED;
    QM_TRY(read_form(c, &before, &cell, &d->n_groups, &d->forms[d->n_forms]));
    d->n_forms++;
  }
  return QM_OK;
}

static int read_column(qm_cur *back, qm_cur *out) {
  uint64_t size;
  qm_slice s;
  QM_TRY(get(back, &size));
  if (size > qm_cur_left(back)) return qm_cur_fail(back, QM_ETRUNCATED);
  QM_TRY(qm_cur_span(back, (size_t)size, &s));
  qm_cur_init(out, s);
  return QM_OK;
}

/* S5.17: where the next change with dependencies is. */
static int next_dependent(decoder *d) {
  qm_cur *c = &d->columns[QM__DEPS];
  d->depends = qm_cur_left(c) != 0;
  return d->depends ? get(c, &d->undependent) : QM_OK;
}

static int split_back(decoder *d) { /* S5.6 */
  qm_cur back;
  qm_cur_init(&back, d->back);
  for (unsigned i = 0; i < QM__COLUMNS; i++)
    if (qm__column_here(i, d->version)) QM_TRY(read_column(&back, &d->columns[i]));
    else qm_cur_init(&d->columns[i], (qm_slice){NULL, 0});
  QM_TRY(read_forms(d));
  d->groups = qm_arena_array(d->arena, d->n_groups, sizeof *d->groups);
  /* Every entry is brought by one reference of at least a byte. */
  size_t most = qm_cur_left(&d->columns[QM__RECORDS]);
  d->entries = qm_arena_array(d->arena, most > QM_BATCH_OPS_MAX ? QM_BATCH_OPS_MAX : most,
                              sizeof *d->entries);
  d->bases = qm_arena_zero(d->arena, d->in->n_authors * sizeof *d->bases);
  if (!d->groups || !d->entries || !d->bases) return QM_ENOMEM;
  for (uint32_t i = 0; i < d->n_groups; i++) QM_TRY(read_column(&back, &d->groups[i]));
  d->ops_left = QM_BATCH_OPS_MAX;
  QM_TRY(qm_cur_end(&back));
  return d->version == QM__BATCH_OLD ? QM_OK : next_dependent(d);
}

static int open_front(qm_batch_in *in, qm_slice blob, qm_arena *arena, decoder *d, uint8_t *flags,
                      qm_slice *body) {
  memset(in, 0, sizeof *in);
  in->arena = arena;
  return read_front(in, d, blob, flags, body);
}

int qm_batch_heads(qm_slice blob, qm_arena *arena, qm_batch_in *in) {
  decoder d = {.in = in};
  qm_slice body;
  uint8_t flags;
  return open_front(in, blob, arena, &d, &flags, &body);
}

int qm_batch_open(qm_batch_in *in, qm_slice blob, qm_arena *arena) {
  qm_slice body;
  uint8_t flags;
  decoder *d = qm_arena_zero(arena, sizeof *d);
  if (!d) return QM_ENOMEM;
  d->in = in;
  d->arena = arena;
  QM_TRY(open_front(in, blob, arena, d, &flags, &body));
  if (d->front_size > QM_BATCH_RAW_MAX) return QM_EOVERSIZE;
  QM_TRY(read_back(in, d, body, QM_BATCH_RAW_MAX - d->front_size, flags & QM__BATCH_ZSTD));
  QM_TRY(split_back(d));
  in->body = d;
  return QM_OK;
}

/* ---- ops ---- */

/* Place of an author (S5.9). */
static int get_author(decoder *d, uint64_t code, qm_cur *c, uint32_t *place) {
  *place = d->own;
  if (code == 0) return QM_OK;
  if (code > d->in->n_authors) return qm_cur_fail(c, QM_EFORMAT);
  *place = (uint32_t)(code - 1);
  return QM_OK;
}

/* S5.12. */
static int get_counter(decoder *d, qm_cur *c, uint32_t place, uint64_t op_counter, uint64_t *out) {
  uint64_t v;
  QM_TRY(get(c, &v));
  if (place == d->own) {
    *out = op_counter - v;
    return QM_OK;
  }
  d->bases[place].dot += qm__unzigzag(v);
  *out = d->bases[place].dot;
  return QM_OK;
}

static int get_dot(decoder *d, qm_cur *c, uint64_t op_counter, qm_dot *out) {
  uint64_t code;
  uint32_t place;
  QM_TRY(get(c, &code));
  QM_TRY(get_author(d, code, c, &place));
  out->author = d->in->map[place];
  return get_counter(d, c, place, op_counter, &out->counter);
}

static int get_dots(decoder *d, uint64_t op_counter, qm_dots *out) {
  qm_cur *c = &d->columns[QM__LISTS];
  uint32_t n;
  QM_TRY(qm_cur_count(c, 2, UINT32_MAX, &n));
  qm_dot *p = qm_arena_array(d->arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) QM_TRY(get_dot(d, c, op_counter, &p[i]));
  out->p = p;
  out->n = n;
  return QM_OK;
}

static int get_cuts(decoder *d, uint64_t op_counter, qm_ranges *out) {
  qm_cur *c = &d->columns[QM__LISTS];
  uint32_t n;
  QM_TRY(qm_cur_count(c, 3, UINT32_MAX, &n));
  qm_range *p = qm_arena_array(d->arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    qm_dot at;
    QM_TRY(get_dot(d, c, op_counter, &at));
    p[i].author = at.author;
    p[i].counter = at.counter;
    QM_TRY(get(c, &p[i].len));
  }
  out->p = p;
  out->n = n;
  return QM_OK;
}

static int get_lists(decoder *d, qm_op *op) { /* S5.14 */
  if (qm__op_has_dots(op)) QM_TRY(get_dots(d, op->counter, &op->dots));
  if (op->flags & QM_OP_MARKS) QM_TRY(get_dots(d, op->counter, &op->marks));
  if (op->flags & QM_OP_NAMES) {
    QM_TRY(get_dots(d, op->counter, &op->hides));
    QM_TRY(get_dots(d, op->counter, &op->keeps));
  }
  if (qm__op_has_cuts(op)) QM_TRY(get_cuts(d, op->counter, &op->cuts));
  return QM_OK;
}

static int get_parent(decoder *d, qm_op *op) { /* S5.13 */
  qm_cur *c = &d->columns[QM__PARENTS];
  uint64_t code;
  uint32_t place;
  QM_TRY(get(c, &code));
  if (code == QM__PARENT_LAST) {
    op->parent.author = d->in->map[d->own];
    op->parent.counter = d->inserted;
    return QM_OK;
  }
  if (code < QM__PARENT_OTHER) {
    op->flags |= QM_OP_ROOT;
    if (code == QM__PARENT_ROOT_LEFT) op->flags |= QM_OP_LEFT;
    return QM_OK;
  }
  code -= QM__PARENT_OTHER;
  if (code & 1) op->flags |= QM_OP_LEFT;
  QM_TRY(get_author(d, code >> 1, c, &place));
  op->parent.author = d->in->map[place];
  return get_counter(d, c, place, op->counter, &op->parent.counter);
}

static int get_new_entry(decoder *d, int by_creation) { /* S5.10 */
  entry *x = &d->entries[d->n_entries];
  memset(x, 0, sizeof *x);
  if (!by_creation) {
    const uint8_t *id = strip_next(&d->raws, QM_ID_SIZE);
    if (!id) return QM_ETRUNCATED;
    memcpy(x->record.b, id, QM_ID_SIZE);
  } else {
    qm_cur *c = &d->columns[QM__CREATIONS];
    uint64_t code, delta;
    uint32_t place;
    QM_TRY(get(c, &code));
    QM_TRY(get_author(d, code, c, &place));
    QM_TRY(get(c, &delta));
    d->bases[place].created += qm__unzigzag(delta);
    x->named = QM_BY_CREATION;
    x->created.author = d->in->map[place];
    x->created.counter = d->bases[place].created;
  }
  d->record = d->n_entries++;
  return QM_OK;
}

static int get_record(decoder *d) { /* S5.11 */
  qm_cur *c = &d->columns[QM__RECORDS];
  uint64_t ref;
  QM_TRY(get(c, &ref));
  if (ref <= QM__REF_CREATION) return get_new_entry(d, ref == QM__REF_CREATION);
  if (ref - 1 > d->n_entries) return qm_cur_fail(c, QM_EFORMAT);
  d->record = d->n_entries - (uint32_t)(ref - 1);
  return QM_OK;
}

/* Elements of an insert: code points of a text, items of an array. */
static int count_elements(qm_slice value, uint64_t *out) {
  qm_cur c;
  qm_mp_token t;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  *out = t.u;
  if (t.type == QM_MP_ARRAY) return QM_OK;
  if (t.type != QM_MP_STR) return QM_ETYPE;
  *out = 0;
  for (size_t i = 0; i < t.span.n; i++) *out += (t.span.p[i] & 0xc0) != 0x80;
  return QM_OK;
}

/* A time or a decimal, as MessagePack again. */
static int get_short(decoder *d, qm_cur *c, unsigned type, qm_time time, qm_slice *out) {
  uint64_t u, n = 0;
  double v;
  QM_TRY(get(c, &n));
  n = qm__unzigzag(n);
  uint8_t *p = qm_arena_alloc(d->arena, 9);
  if (!p) return QM_ENOMEM;
  if (type == QM__VALUE_TIME) {
    u = qm_time_ms(time) + n;
    if (u >> 32 == 0 || u > INT64_MAX) return qm_cur_fail(c, QM_ECANON);
  } else {
    int64_t m = n >> 63 ? -(int64_t)~n - 1 : (int64_t)n;
    if (!qm__decimal(m, type - QM__VALUE_DECIMAL, &v)) return qm_cur_fail(c, QM_ECANON);
    memcpy(&u, &v, sizeof u);
  }
  p[0] = type == QM__VALUE_TIME ? 0xcf : 0xcb;
  for (unsigned i = 0; i < 8; i++) p[1 + i] = (uint8_t)(u >> (56 - 8 * i));
  *out = qm_slice_of(p, 9);
  return QM_OK;
}

/* Makes the value that a digest stands for: bin of its bytes or text of its digits. */
static int get_coded(decoder *d, qm_cur *c, qm_time time, qm_slice *out) {
  uint8_t type;
  char digits[2 * QM__DIGEST_SIZE + 1];
  c->at++;
  QM_TRY(qm_cur_byte(c, &type));
  if (type >= QM__VALUE_DECIMAL + QM__DECIMALS) return qm_cur_fail(c, QM_EFORMAT);
  if (type > QM__DIGEST_HEX) return get_short(d, c, type, time, out);
  const uint8_t *digest = strip_next(&d->digests, QM__DIGEST_SIZE);
  if (!digest) return QM_ETRUNCATED;
  size_t n = type == QM__DIGEST_HEX ? 2 * QM__DIGEST_SIZE : QM__DIGEST_SIZE;
  uint8_t *p = qm_arena_alloc(d->arena, 2 + n);
  if (!p) return QM_ENOMEM;
  p[0] = type == QM__DIGEST_HEX ? 0xd9 : 0xc4; /* str 8, bin 8 */
  p[1] = (uint8_t)n;
  if (type == QM__DIGEST_HEX) {
    qm_hex(digits, digest, QM__DIGEST_SIZE);
    memcpy(p + 2, digits, n);
  } else {
    memcpy(p + 2, digest, n);
  }
  *out = qm_slice_of(p, 2 + n);
  return QM_OK;
}

static int get_value(decoder *d, const form *f, qm_time time, qm_op *op) { /* S5.15 */
  op->span = 1;
  if (f->group == NONE) return QM_OK;
  qm_cur *c = &d->groups[f->group];
  if (qm_cur_left(c) && *c->at == QM__VALUE_DIGEST && !qm__op_inserts(op)) {
    return get_coded(d, c, time, &op->value);
  }
  QM_TRY(qm_cur_value(c, QM_VALUE_DEPTH + 1, &op->value));
  return qm__op_inserts(op) ? count_elements(op->value, &op->span) : QM_OK;
}

static int get_extras(decoder *d, const form *f, const qm_change *ch, qm_op *op) { /* S5.16 */
  qm_cur *c = &d->columns[QM__EXTRAS];
  uint64_t v;
  if (f->flags & QM__FORM_GENERATION) {
    QM_TRY(get(c, &op->generation));
    if (op->generation == 0) return qm_cur_fail(c, QM_ECANON);
  }
  if (op->flags & QM_OP_ORDER) {
    QM_TRY(get(c, &v));
    op->order = ch->time + qm__unzigzag(v);
  }
  if (op->flags & QM_OP_ERASED) {
    if (qm__op_inserts(op)) QM_TRY(get(c, &op->span));
    const uint8_t *leaf = strip_next(&d->leaves, QM_HASH_SIZE);
    if (!leaf) return QM_ETRUNCATED;
    memcpy(op->leaf, leaf, QM_HASH_SIZE);
    d->erased++;
  }
  return QM_OK;
}

static int get_op(decoder *d, const qm_change *ch, int first, uint64_t *at, qm_op *op) {
  qm_cur *c = &d->columns[QM__OPS];
  uint64_t place;
  QM_TRY(get(c, &place));
  if (d->version != QM__BATCH_OLD) place >>= 1;
  if (place >= d->n_forms) return qm_cur_fail(c, QM_EFORMAT);
  const form *f = &d->forms[place];
  op->counter = *at;
  op->field = f->field;
  op->shape = f->shape;
  op->kind = f->kind;
  op->flags = f->flags & QM__FORM_OP_FLAGS;
  if (first && f->differs) return qm_cur_fail(c, QM_ECANON);
  if (first || f->differs) QM_TRY(get_record(d));
  const entry *x = &d->entries[d->record];
  op->record = x->record;
  op->named = x->named;
  op->created = x->created;
  QM_TRY(get_value(d, f, ch->time, op));
  QM_TRY(get_extras(d, f, ch, op));
  if (op->span == 0) return QM_EMALFORMED;
  if (op->span > UINT64_MAX - *at) return QM_ERANGE;
  QM_TRY(get_lists(d, op));
  *at += op->span;
  if (!qm__op_inserts(op)) return QM_OK;
  QM_TRY(get_parent(d, op));
  d->inserted = *at - 1;
  return QM_OK;
}

/* ---- changes and segments ---- */

static int get_time(decoder *d, int first, qm_time *out) { /* S5.8 */
  qm_cur *c = &d->columns[QM__TIMES];
  uint64_t v, tick = 0, ms = qm_time_ms(d->time);
  QM_TRY(get(c, &v));
  uint64_t delta = v >> 1;
  if (d->version != QM__BATCH_OLD) {
    const uint8_t *low = strip_next(&d->times, QM__TIME_LOW);
    if (!low) return QM_ETRUNCATED;
    if (delta > UINT64_MAX >> 8 * QM__TIME_LOW) return qm_cur_fail(c, QM_ERANGE);
    delta = delta << 8 * QM__TIME_LOW | (uint64_t)low[0] << 8 | low[1];
  }
  if (first) {
    delta = qm__unzigzag(delta);
  } else if (delta == 0) {
    tick = (uint64_t)qm_time_tick(d->time) + 1;
  }
  /* The sum may wrap only for the backward step that `first` allows. */
  if (!first && delta > QM_TIME_MS_MAX) return qm_cur_fail(c, QM_ERANGE);
  ms += delta;
  if (v & 1) QM_TRY(get(c, &tick));
  if (ms > QM_TIME_MS_MAX || tick > UINT16_MAX) return qm_cur_fail(c, QM_ERANGE);
  *out = ms << 16 | tick;
  if (!first && *out <= d->time) return qm_cur_fail(c, QM_EMALFORMED);
  d->time = *out;
  return QM_OK;
}

static int get_deps(decoder *d, qm_change *ch) { /* S5.17 */
  qm_cur *c = &d->columns[QM__DEPS];
  uint32_t n, place;
  QM_TRY(qm_cur_count(c, 2, UINT32_MAX, &n));
  if (n == 0) return qm_cur_fail(c, QM_ECANON);
  qm_dot *p = qm_arena_array(d->arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t code, delta;
    QM_TRY(get(c, &code));
    QM_TRY(get_author(d, code, c, &place));
    QM_TRY(get(c, &delta));
    d->bases[place].dep += qm__unzigzag(delta);
    p[i].author = d->in->map[place];
    p[i].counter = d->bases[place].dep;
  }
  ch->deps = p;
  ch->n_deps = n;
  return d->version == QM__BATCH_OLD ? QM_OK : next_dependent(d);
}

/* How many ops a change has; *depends: 1 where it has dependencies. */
static int get_shape(decoder *d, uint64_t *n, int *depends) {
  uint64_t v = 0;
  if (d->version == QM__BATCH_OLD) {
    QM_TRY(get(&d->columns[QM__CHANGES], &v));
    *n = v >> 1;
    *depends = v & 1;
    return QM_OK;
  }
  qm_cur ahead = d->columns[QM__OPS]; /* up to the op that says that it is the last (S5.15) */
  for (*n = 0; !(v & 1); ++*n) QM_TRY(get(&ahead, &v));
  *depends = d->depends && d->undependent == 0;
  d->undependent -= d->depends && !*depends;
  return QM_OK;
}

static int get_change(decoder *d, int first, uint64_t *at, qm_change *ch) {
  qm_cur *c = &d->columns[QM__CHANGES];
  uint64_t n;
  int depends;
  QM_TRY(get_shape(d, &n, &depends));
  if (n == 0) return qm_cur_fail(c, QM_EMALFORMED);
  if (n > d->ops_left || n > qm_cur_left(&d->columns[QM__OPS])) return qm_cur_fail(c, QM_EOVERSIZE);
  d->ops_left -= (uint32_t)n;
  ch->author = d->in->map[d->own];
  ch->counter = *at;
  QM_TRY(get_time(d, first, &ch->time));
  if (depends) QM_TRY(get_deps(d, ch));
  ch->n_ops = (uint32_t)n;
  ch->ops = qm_arena_zero(d->arena, (size_t)n * sizeof *ch->ops);
  if (!ch->ops) return QM_ENOMEM;
  for (uint32_t i = 0; i < ch->n_ops; i++) QM_TRY(get_op(d, ch, i == 0, at, &ch->ops[i]));
  ch->next = *at;
  return QM_OK;
}

/* The nodes that the erased ops of the segment leave (S5.5). */
static int get_salts(decoder *d, qm_segment *s) {
  uint32_t n = d->erased ? qm__salt_cover(s, NULL, 0) : 1;
  if (n > d->salts.left) return QM_ETRUNCATED;
  qm_salt *p = qm_arena_array(d->arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  if (d->erased)
    (void)qm__salt_cover(s, p, n);
  else
    *p = (qm_salt){.first = 0, .count = s->n_ops}; /* the seed */
  for (uint32_t i = 0; i < n; i++) {
    memcpy(p[i].b, strip_next(&d->salts, QM_SALT_SIZE), QM_SALT_SIZE);
  }
  s->salts = p;
  s->n_salts = n;
  return QM_OK;
}

static int get_segment(decoder *d, const qm_batch_head *h, const head_rest *rest, qm_segment *s) {
  uint64_t at = h->start;
  unsigned counts = d->version == QM__BATCH_OLD ? QM__CHANGES : QM__OPS;
  if (h->n_changes > qm_cur_left(&d->columns[counts])) return QM_EOVERSIZE;
  d->own = h->author;
  d->inserted = h->start - 1;
  d->erased = 0;
  s->author = d->in->map[h->author];
  s->start = h->start;
  s->next = h->next;
  memcpy(s->previous, h->previous, QM_HEAD_SIZE);
  memcpy(s->head, h->head, QM_HEAD_SIZE);
  s->algorithm = rest->algorithm;
  s->read = 1;
  s->has_signature = rest->is_signed;
  memcpy(s->signature, rest->signature, sizeof s->signature);
  s->n_changes = h->n_changes;
  s->changes = qm_arena_zero(d->arena, s->n_changes * sizeof *s->changes);
  if (!s->changes) return QM_ENOMEM;
  for (uint32_t i = 0; i < s->n_changes; i++) {
    QM_TRY(get_change(d, i == 0, &at, &s->changes[i]));
    s->n_ops += s->changes[i].n_ops;
  }
  if (at != s->next) return QM_EMALFORMED;
  d->bases[d->own].dep = s->next;
  return get_salts(d, s);
}

static int all_used(decoder *d) {
  if (d->depends) return QM_ETRAILING;
  for (unsigned i = 0; i < QM__COLUMNS; i++) QM_TRY(qm_cur_end(&d->columns[i]));
  for (uint32_t i = 0; i < d->n_groups; i++) QM_TRY(qm_cur_end(&d->groups[i]));
  return d->raws.left || d->digests.left || d->salts.left || d->leaves.left ? QM_ETRAILING : QM_OK;
}

int qm_batch_read(qm_batch_in *in, qm_batch *out) {
  decoder *d = in->body;
  memset(out, 0, sizeof *out);
  if (!d || d->used) return QM_ESTATE;
  d->used = 1;
  for (uint32_t i = 0; i < in->n_authors; i++)
    if (in->map[i] >= QM_AUTHORS_MAX) return QM_EINVAL;
  qm_segment *s = qm_arena_zero(in->arena, in->n_segments * sizeof *s);
  if (!s) return QM_ENOMEM;
  for (uint32_t i = 0; i < in->n_segments; i++)
    QM_TRY(get_segment(d, &in->segments[i], &d->rests[i], &s[i]));
  QM_TRY(all_used(d));
  out->segments = s;
  out->n_segments = in->n_segments;
  return QM_OK;
}
