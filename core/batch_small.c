#include "core/batch_small.h"

#include <string.h>

#include "core/cur.h"
#include "core/pack.h"
#include "core/row.h"
#include "core/value.h"

#define NONE UINT32_MAX

/* S5.19: the first byte, above the version. */
enum { SIGNED = 1, FULL = 2, TICK = 4, MANY = 8, FLAGS = 15 };
/* S5.20: an author. */
enum { OWN = 0, BY_TAG = 1, BY_ID = 2 };
/* S5.22: how an op names its record. */
enum { SAME = 0, REF_ID = 1, REF_OWN = 2, REF_OTHER = 3 };
#define FLAGGED 0x80u
enum {
  GENERATION = 32,
  OP_FLAGS = QM_OP_LISTED | QM_OP_MARKS | QM_OP_NAMES | QM_OP_ORDER,
  FORM_FLAGS = OP_FLAGS | GENERATION
};
/* S5.24: a parent; from OTHER on with the code of its author. */
enum { ROOT = 0, ROOT_LEFT = 1, OTHER = 2 };

int qm_is_small(qm_slice blob) { return blob.n && blob.p[0] >= QM_SMALL_VERSION; }

/* Of an author's id, so that those of one device, or of one epoch, differ. */
static unsigned tag_of(const qm_author *a) {
  unsigned tag = 0;
  for (unsigned i = 0; i < QM_AUTHOR_SIZE; i += 2) tag ^= (unsigned)a->b[i] << 8 | a->b[i + 1];
  return tag;
}

/* The only one of the table with that tag; NONE: none, or several. */
static uint32_t find_tag(const qm_authors *t, unsigned tag) {
  uint32_t found = NONE;
  for (uint32_t i = 0; i < t->n; i++) {
    if (tag_of(&t->ids[i]) != tag) continue;
    if (found != NONE) return NONE;
    found = i;
  }
  return found;
}

/* ---- writing ---- */

typedef struct writer {
  qm_buf *out;
  const qm_authors *authors;
  const qm_segment *g;
  uint32_t tags;
} writer;

/* How this author is named, and its tag. */
static unsigned code_of(const writer *w, uint32_t author, unsigned *tag) {
  if (author == w->g->author) return OWN;
  *tag = tag_of(&w->authors->ids[author]);
  return find_tag(w->authors, *tag) == author ? BY_TAG : BY_ID;
}

static void put_name(writer *w, uint32_t author, unsigned code, unsigned tag) {
  w->tags += code == BY_TAG;
  if (code == BY_TAG) qm_buf_be16(w->out, (uint16_t)tag);
  if (code == BY_ID) qm_buf_add(w->out, w->authors->ids[author].b, QM_AUTHOR_SIZE);
}

static int known(const writer *w, uint32_t author) { return author < w->authors->n; }

/* S5.20. `code` stands before, as a byte or in what else is said. */
static void put_counter(writer *w, const qm_op *op, qm_dot dot, unsigned code) {
  qm_buf_varint(w->out, code == OWN ? op->counter - dot.counter : dot.counter);
}

/* An author whose code stands before in a byte, of which it is `times` `code`, and the rest is
 * said already. */
static int put_author(writer *w, uint32_t author, unsigned rest, unsigned times, unsigned *code) {
  unsigned tag = 0;
  if (!known(w, author)) return QM_EINVAL;
  *code = code_of(w, author, &tag);
  qm_buf_byte(w->out, (uint8_t)(rest + times * *code));
  put_name(w, author, *code, tag);
  return QM_OK;
}

static int put_dot(writer *w, const qm_op *op, qm_dot dot) {
  unsigned code;
  QM_TRY(put_author(w, dot.author, 0, 1, &code));
  put_counter(w, op, dot, code);
  return QM_OK;
}

static int put_dots(writer *w, const qm_op *op, qm_dots dots) {
  qm_buf_varint(w->out, dots.n);
  for (uint32_t i = 0; i < dots.n; i++) QM_TRY(put_dot(w, op, dots.p[i]));
  return QM_OK;
}

static int put_lists(writer *w, const qm_op *op) { /* S5.23 */
  if (qm__op_has_dots(op)) QM_TRY(put_dots(w, op, op->dots));
  if (op->flags & QM_OP_MARKS) QM_TRY(put_dots(w, op, op->marks));
  if (op->flags & QM_OP_NAMES) {
    QM_TRY(put_dots(w, op, op->hides));
    QM_TRY(put_dots(w, op, op->keeps));
  }
  if (!qm__op_has_cuts(op)) return QM_OK;
  qm_buf_varint(w->out, op->cuts.n);
  for (uint32_t i = 0; i < op->cuts.n; i++) {
    const qm_range *r = &op->cuts.p[i];
    QM_TRY(put_dot(w, op, (qm_dot){r->counter, r->author}));
    qm_buf_varint(w->out, r->len);
  }
  return QM_OK;
}

static int put_parent(writer *w, const qm_op *op) { /* S5.24 */
  unsigned code, left = op->flags & QM_OP_LEFT ? 1 : 0;
  if (!qm__op_has_parent(op)) {
    qm_buf_byte(w->out, left ? ROOT_LEFT : ROOT);
    return QM_OK;
  }
  QM_TRY(put_author(w, op->parent.author, OTHER + left, 2, &code));
  put_counter(w, op, op->parent, code);
  return QM_OK;
}

static int same_record(const qm_op *a, const qm_op *b) {
  if (a->named != b->named) return 0;
  if (a->named == QM_BY_CREATION) return qm_dot_eq(a->created, b->created);
  return qm_id_cmp(&a->record, &b->record) == 0;
}

static unsigned ref_of(const writer *w, const qm_op *before, const qm_op *op) {
  if (before && same_record(before, op)) return SAME;
  if (op->named != QM_BY_CREATION) return REF_ID;
  return op->created.author == w->g->author ? REF_OWN : REF_OTHER;
}

static int put_record(writer *w, const qm_op *op, unsigned ref) {
  unsigned tag = 0, code;
  if (ref == SAME) return QM_OK;
  if (ref == REF_ID) {
    qm_buf_add(w->out, op->record.b, QM_ID_SIZE);
    return QM_OK;
  }
  if (!known(w, op->created.author)) return QM_EINVAL;
  code = code_of(w, op->created.author, &tag);
  if (ref == REF_OTHER && code == BY_ID) return QM_ELIMIT; /* rare: two of one tag */
  put_name(w, op->created.author, code, tag);
  put_counter(w, op, op->created, code);
  return QM_OK;
}

static int put_op(writer *w, const qm_change *c, const qm_op *before, const qm_op *op) {
  unsigned ref = ref_of(w, before, op), flags = op->flags & OP_FLAGS;
  if (op->flags & QM_OP_ERASED) return QM_ELIMIT;
  if (op->generation) flags |= GENERATION;
  unsigned form = (unsigned)op->shape | (unsigned)op->kind << 3 | ref << 5;
  qm_buf_byte(w->out, (uint8_t)(form | (flags ? FLAGGED : 0)));
  if (flags) qm_buf_byte(w->out, (uint8_t)flags);
  QM_TRY(put_record(w, op, ref));
  qm_buf_varint(w->out, op->field);
  if (qm__op_has_value(op)) qm_buf_add(w->out, op->value.p, op->value.n);
  if (op->generation) qm_buf_varint(w->out, op->generation);
  if (op->flags & QM_OP_ORDER) qm_buf_varint(w->out, qm__zigzag(op->order - c->time));
  QM_TRY(put_lists(w, op));
  return qm__op_inserts(op) ? put_parent(w, op) : QM_OK;
}

static int put_deps(writer *w, const qm_change *c) { /* S5.21 */
  qm_buf_varint(w->out, c->n_deps);
  for (uint32_t i = 0; i < c->n_deps; i++) {
    unsigned code;
    QM_TRY(put_author(w, c->deps[i].author, 0, 1, &code));
    qm_buf_varint(w->out, c->deps[i].counter);
  }
  return QM_OK;
}

static void put_time(writer *w, const qm_change *before, const qm_change *c) {
  uint64_t ms = qm_time_ms(c->time), tick = qm_time_tick(c->time);
  if (!before) {
    if (!w->g->start) qm_buf_be16(w->out, (uint16_t)(ms >> 32));
    qm_buf_be32(w->out, (uint32_t)ms);
    if (tick) qm_buf_varint(w->out, tick);
    return;
  }
  uint64_t delta = ms - qm_time_ms(before->time);
  uint64_t plain = delta ? 0 : (uint64_t)qm_time_tick(before->time) + 1;
  qm_buf_varint(w->out, delta << 1 | (tick != plain));
  if (tick != plain) qm_buf_varint(w->out, tick);
}

static int put_changes(writer *w, int many) {
  const qm_op *before = NULL;
  const qm_segment *g = w->g;
  if (many) qm_buf_varint(w->out, g->n_changes);
  for (uint32_t i = 0; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    if (many) qm_buf_varint(w->out, (uint64_t)c->n_ops << 1 | (c->n_deps != 0));
    put_time(w, i ? c - 1 : NULL, c);
    if (c->n_deps) QM_TRY(put_deps(w, c));
    for (uint32_t o = 0; o < c->n_ops; o++) {
      QM_TRY(put_op(w, c, before, &c->ops[o]));
      before = &c->ops[o];
    }
  }
  return QM_OK;
}

static int put_segment(writer *w) {
  const qm_segment *g = w->g;
  unsigned tag = 0, flags = 0;
  int many = g->n_changes != 1 || g->changes[0].n_ops != 1 || g->changes[0].n_deps;
  tag = tag_of(&w->authors->ids[g->author]);
  int full = g->start == 0 || find_tag(w->authors, tag) != g->author;
  if (g->has_signature) flags |= SIGNED;
  if (full) flags |= FULL;
  if (qm_time_tick(g->changes[0].time)) flags |= TICK;
  if (many) flags |= MANY;
  qm_buf_byte(w->out, (uint8_t)(QM_SMALL_VERSION | flags));
  put_name(w, g->author, full ? BY_ID : BY_TAG, tag);
  QM_TRY(put_changes(w, many));
  qm_buf_add(w->out, g->salts[0].b, QM_SALT_SIZE);
  qm_buf_add(w->out, g->head, QM_HEAD_SIZE);
  if (g->has_signature) qm_buf_add(w->out, g->signature, sizeof g->signature);
  return qm_buf_status(w->out);
}

int qm_small_encode(qm_buf *out, const qm_segment *g, const qm_authors *authors) {
  writer w = {.out = out, .authors = authors, .g = g};
  size_t at = out->n;
  QM_TRY(qm_buf_status(out));
  if (g->author >= authors->n) return QM_EINVAL;
  if (g->algorithm != 1 || g->n_salts != 1 || g->salts[0].count != g->n_ops) return QM_ELIMIT;
  if (!g->n_changes || g->n_changes > QM_SMALL_CHANGES_MAX || g->n_ops > QM_SMALL_OPS_MAX)
    return QM_ELIMIT;
  int rc = put_segment(&w);
  if (rc == QM_OK && (out->n - at > QM_SMALL_MAX || w.tags > QM_SMALL_TAGS_MAX)) rc = QM_ELIMIT;
  if (rc == QM_OK) return QM_OK;
  out->n = at;
  if (rc == out->status) out->status = QM_OK;
  return rc;
}

/* ---- reading ---- */

typedef struct reader {
  qm_small_in *in;
  qm_cur c;
  qm_arena *arena;
  qm_segment *g;
  uint32_t ops_left;
  const qm_op *before;
} reader;

static int get_name(qm_small_in *in, qm_cur *c, unsigned code, uint32_t *author) {
  uint16_t tag;
  qm_author id;
  if (code == BY_TAG) {
    QM_TRY(qm_cur_be16(c, &tag));
    if (++in->tags > QM_SMALL_TAGS_MAX) return qm_cur_fail(c, QM_EOVERSIZE);
    *author = find_tag(in->authors, tag);
    return *author == NONE ? QM_ENOTFOUND : QM_OK;
  }
  if (code != BY_ID) return qm_cur_fail(c, QM_EFORMAT);
  QM_TRY(qm_cur_copy(c, id.b, QM_AUTHOR_SIZE));
  return qm_authors_find(in->authors, &id, author);
}

/* Another's name; the segment's own has one form. */
static int get_author(reader *r, unsigned code, uint32_t *author) {
  *author = r->g->author;
  if (code == OWN) return QM_OK;
  QM_TRY(get_name(r->in, &r->c, code, author));
  return *author == r->g->author ? qm_cur_fail(&r->c, QM_ECANON) : QM_OK;
}

static int get_counter(reader *r, unsigned code, uint64_t at, uint64_t *out) {
  QM_TRY(qm_cur_varint(&r->c, out));
  if (code == OWN) *out = at - *out;
  return QM_OK;
}

static int get_dot(reader *r, uint64_t at, qm_dot *out) {
  uint8_t code;
  QM_TRY(qm_cur_byte(&r->c, &code));
  QM_TRY(get_author(r, code, &out->author));
  return get_counter(r, code, at, &out->counter);
}

/* Room for a list whose items take at least `least` bytes each. */
static int get_list(reader *r, size_t least, size_t size, void **p, uint32_t *n) {
  QM_TRY(qm_cur_count(&r->c, least, QM_SMALL_MAX, n));
  *p = qm_arena_array(r->arena, *n, size);
  return *p ? QM_OK : QM_ENOMEM;
}

static int get_dots(reader *r, uint64_t at, qm_dots *out) {
  uint32_t n;
  void *room;
  QM_TRY(get_list(r, 2, sizeof(qm_dot), &room, &n));
  qm_dot *p = room;
  for (uint32_t i = 0; i < n; i++) QM_TRY(get_dot(r, at, &p[i]));
  *out = (qm_dots){p, n};
  return QM_OK;
}

static int get_cuts(reader *r, uint64_t at, qm_ranges *out) {
  uint32_t n;
  void *room;
  QM_TRY(get_list(r, 3, sizeof(qm_range), &room, &n));
  qm_range *p = room;
  for (uint32_t i = 0; i < n; i++) {
    qm_dot dot;
    QM_TRY(get_dot(r, at, &dot));
    p[i] = (qm_range){.counter = dot.counter, .author = dot.author};
    QM_TRY(qm_cur_varint(&r->c, &p[i].len));
  }
  *out = (qm_ranges){p, n};
  return QM_OK;
}

static int get_lists(reader *r, qm_op *op) {
  if (qm__op_has_dots(op)) QM_TRY(get_dots(r, op->counter, &op->dots));
  if (op->flags & QM_OP_MARKS) QM_TRY(get_dots(r, op->counter, &op->marks));
  if (op->flags & QM_OP_NAMES) {
    QM_TRY(get_dots(r, op->counter, &op->hides));
    QM_TRY(get_dots(r, op->counter, &op->keeps));
  }
  return qm__op_has_cuts(op) ? get_cuts(r, op->counter, &op->cuts) : QM_OK;
}

static int get_parent(reader *r, qm_op *op) {
  uint8_t code;
  QM_TRY(qm_cur_byte(&r->c, &code));
  if (code & 1) op->flags |= QM_OP_LEFT;
  if (code < OTHER) {
    op->flags |= QM_OP_ROOT;
    return QM_OK;
  }
  unsigned name = (unsigned)(code - OTHER) >> 1;
  QM_TRY(get_author(r, name, &op->parent.author));
  return get_counter(r, name, op->counter, &op->parent.counter);
}

static int get_record(reader *r, unsigned ref, qm_op *op) {
  if (ref == SAME) {
    if (!r->before) return qm_cur_fail(&r->c, QM_EFORMAT);
    op->record = r->before->record;
    op->named = r->before->named;
    op->created = r->before->created;
    return QM_OK;
  }
  if (ref == REF_ID) return qm_cur_copy(&r->c, op->record.b, QM_ID_SIZE);
  unsigned code = ref == REF_OWN ? OWN : BY_TAG;
  op->named = QM_BY_CREATION;
  QM_TRY(get_author(r, code, &op->created.author));
  return get_counter(r, code, op->counter, &op->created.counter);
}

/* Counters that the value takes: of an insert code points of a text, or items. */
static int get_value(reader *r, qm_op *op) {
  qm_cur v;
  qm_mp_token t;
  op->span = 1;
  if (!qm__op_has_value(op)) return QM_OK;
  QM_TRY(qm_cur_value(&r->c, QM_VALUE_DEPTH + 1, &op->value));
  if (!qm__op_inserts(op)) return QM_OK;
  qm_cur_init(&v, op->value);
  QM_TRY(qm_cur_token(&v, &t));
  op->span = t.u;
  if (t.type == QM_MP_STR) {
    op->span = 0;
    for (size_t i = 0; i < t.span.n; i++) op->span += (t.span.p[i] & 0xc0) != 0x80;
  } else if (t.type != QM_MP_ARRAY) {
    return QM_ETYPE;
  }
  return op->span ? QM_OK : QM_EMALFORMED;
}

static int get_form(reader *r, qm_op *op, uint8_t *flags) {
  uint8_t form;
  QM_TRY(qm_cur_byte(&r->c, &form));
  *flags = 0;
  if (form & FLAGGED) {
    QM_TRY(qm_cur_byte(&r->c, flags));
    if (!*flags || (*flags & ~FORM_FLAGS)) return qm_cur_fail(&r->c, QM_EFORMAT);
  }
  op->shape = form & 7;
  op->kind = form >> 3 & 3;
  op->flags = *flags & OP_FLAGS;
  if (!qm__op_known(op->shape, op->kind)) return qm_cur_fail(&r->c, QM_EMALFORMED);
  return get_record(r, form >> 5 & 3, op);
}

static int get_op(reader *r, const qm_change *ch, uint64_t *at, qm_op *op) {
  uint8_t flags;
  uint64_t field, order;
  op->counter = *at;
  QM_TRY(get_form(r, op, &flags));
  QM_TRY(qm_cur_varint(&r->c, &field));
  if (field > UINT32_MAX) return qm_cur_fail(&r->c, QM_ERANGE);
  op->field = (uint32_t)field;
  QM_TRY(get_value(r, op));
  if (flags & GENERATION) {
    QM_TRY(qm_cur_varint(&r->c, &op->generation));
    if (!op->generation) return qm_cur_fail(&r->c, QM_ECANON);
  }
  if (op->flags & QM_OP_ORDER) {
    QM_TRY(qm_cur_varint(&r->c, &order));
    op->order = ch->time + qm__unzigzag(order);
  }
  QM_TRY(get_lists(r, op));
  if (qm__op_inserts(op)) QM_TRY(get_parent(r, op));
  if (op->span > UINT64_MAX - *at) return QM_ERANGE;
  *at += op->span;
  r->before = op;
  return QM_OK;
}

/* The first: the least time after `last` whose milliseconds end in those 32 bits; of an author
 * who begins all 48. */
static int get_first_time(reader *r, qm_time last, qm_time *out) {
  uint32_t low;
  uint16_t high = 0;
  uint64_t tick = 0, ms = qm_time_ms(last);
  if (!r->g->start) {
    QM_TRY(qm_cur_be16(&r->c, &high));
    ms = (uint64_t)high << 32;
    last = 0;
  }
  QM_TRY(qm_cur_be32(&r->c, &low));
  if (r->in->flags & TICK) {
    QM_TRY(qm_cur_varint(&r->c, &tick));
    if (!tick) return qm_cur_fail(&r->c, QM_ECANON);
  }
  ms += (uint32_t)(low - (uint32_t)ms);
  if (tick > UINT16_MAX) return qm_cur_fail(&r->c, QM_ERANGE);
  if (r->g->start && (ms << 16 | tick) <= last) ms += UINT64_C(1) << 32;
  if (ms > QM_TIME_MS_MAX) return qm_cur_fail(&r->c, QM_ERANGE);
  *out = ms << 16 | tick;
  return QM_OK;
}

static int get_time(reader *r, qm_time before, qm_time *out) {
  uint64_t v, tick, ms = qm_time_ms(before);
  QM_TRY(qm_cur_varint(&r->c, &v));
  tick = v >> 1 ? 0 : (uint64_t)qm_time_tick(before) + 1;
  if (v >> 1 > QM_TIME_MS_MAX - ms) return qm_cur_fail(&r->c, QM_ERANGE);
  if (v & 1) {
    uint64_t plain = tick;
    QM_TRY(qm_cur_varint(&r->c, &tick));
    if (tick == plain) return qm_cur_fail(&r->c, QM_ECANON);
  }
  if (tick > UINT16_MAX) return qm_cur_fail(&r->c, QM_ERANGE);
  *out = (ms + (v >> 1)) << 16 | tick;
  return *out > before ? QM_OK : qm_cur_fail(&r->c, QM_EMALFORMED);
}

static int get_deps(reader *r, qm_change *ch) {
  uint32_t n;
  void *room;
  QM_TRY(get_list(r, 2, sizeof(qm_dot), &room, &n));
  if (!n) return qm_cur_fail(&r->c, QM_ECANON);
  qm_dot *p = room;
  for (uint32_t i = 0; i < n; i++) {
    uint8_t code;
    QM_TRY(qm_cur_byte(&r->c, &code));
    QM_TRY(get_author(r, code, &p[i].author));
    QM_TRY(qm_cur_varint(&r->c, &p[i].counter));
  }
  ch->deps = p;
  ch->n_deps = n;
  return QM_OK;
}

static int get_change(reader *r, uint64_t *at, qm_time *time, int first, qm_change *ch) {
  uint64_t v = 2;
  if (r->in->flags & MANY) QM_TRY(qm_cur_varint(&r->c, &v));
  if (v >> 1 == 0) return qm_cur_fail(&r->c, QM_EMALFORMED);
  if (v >> 1 > r->ops_left || v >> 1 > qm_cur_left(&r->c))
    return qm_cur_fail(&r->c, QM_EOVERSIZE);
  ch->author = r->g->author;
  ch->counter = *at;
  ch->n_ops = (uint32_t)(v >> 1);
  r->ops_left -= ch->n_ops;
  QM_TRY(first ? get_first_time(r, *time, time) : get_time(r, *time, time));
  ch->time = *time;
  if (v & 1) QM_TRY(get_deps(r, ch));
  ch->ops = qm_arena_zero(r->arena, ch->n_ops * sizeof *ch->ops);
  if (!ch->ops) return QM_ENOMEM;
  for (uint32_t i = 0; i < ch->n_ops; i++) QM_TRY(get_op(r, ch, at, &ch->ops[i]));
  ch->next = *at;
  return QM_OK;
}

static int get_changes(reader *r, qm_time last) {
  qm_segment *g = r->g;
  uint64_t at = g->start;
  int many = r->in->flags & MANY;
  g->n_changes = 1;
  if (many) QM_TRY(qm_cur_count(&r->c, 2, QM_SMALL_CHANGES_MAX, &g->n_changes));
  if (!g->n_changes) return qm_cur_fail(&r->c, QM_EMALFORMED);
  g->changes = qm_arena_zero(r->arena, g->n_changes * sizeof *g->changes);
  if (!g->changes) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    QM_TRY(get_change(r, &at, &last, i == 0, &g->changes[i]));
    g->n_ops += g->changes[i].n_ops;
  }
  if (many && g->n_changes == 1 && g->n_ops == 1 && !g->changes[0].n_deps)
    return qm_cur_fail(&r->c, QM_ECANON);
  g->next = at;
  return QM_OK;
}

int qm_small_open(qm_small_in *in, qm_slice blob, const qm_authors *authors) {
  qm_cur c;
  uint8_t first;
  memset(in, 0, sizeof *in);
  in->authors = authors;
  in->author = NONE;
  if (blob.n > QM_SMALL_MAX) return QM_EOVERSIZE;
  qm_cur_init(&c, blob);
  QM_TRY(qm_cur_byte(&c, &first));
  if (first < QM_SMALL_VERSION) return QM_EVERSION;
  in->flags = (uint8_t)(first - QM_SMALL_VERSION);
  if (in->flags & ~FLAGS) return QM_EFORMAT;
  if (in->flags & FULL) {
    QM_TRY(qm_cur_copy(&c, in->id.b, QM_AUTHOR_SIZE));
    if (qm_authors_find(authors, &in->id, &in->author) != QM_OK) in->author = NONE;
  } else {
    QM_TRY(get_name(in, &c, BY_TAG, &in->author));
    in->id = authors->ids[in->author];
  }
  return qm_cur_span(&c, qm_cur_left(&c), &in->rest);
}

int qm_small_read(qm_small_in *in, uint32_t author, uint64_t start, qm_time last,
                  const uint8_t previous[QM_HEAD_SIZE], qm_arena *arena, qm_segment *out) {
  reader r = {.in = in, .arena = arena, .g = out, .ops_left = QM_SMALL_OPS_MAX};
  memset(out, 0, sizeof *out);
  /* What it points to outlives the blob. */
  const uint8_t *copy = qm_arena_copy(arena, in->rest.p, in->rest.n);
  qm_salt *seed = qm_arena_zero(arena, sizeof *seed);
  if (!copy || !seed) return QM_ENOMEM;
  qm_cur_init(&r.c, qm_slice_of(copy, in->rest.n));
  out->author = author;
  out->start = start;
  memcpy(out->previous, previous, QM_HEAD_SIZE);
  out->algorithm = 1;
  out->read = 1;
  QM_TRY(get_changes(&r, last));
  seed->count = out->n_ops;
  out->salts = seed;
  out->n_salts = 1;
  QM_TRY(qm_cur_copy(&r.c, seed->b, QM_SALT_SIZE));
  QM_TRY(qm_cur_copy(&r.c, out->head, QM_HEAD_SIZE));
  out->has_signature = in->flags & SIGNED ? 1 : 0;
  if (out->has_signature) QM_TRY(qm_cur_copy(&r.c, out->signature, sizeof out->signature));
  return qm_cur_end(&r.c);
}
