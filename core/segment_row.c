/* Row forms (SPEC §4): what is hashed, and how changes of the open run rest. */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "core/mp_put.h"
#include "core/row.h"
#include "core/value.h"

/* Items 0 to 7 of an op's row are always there; the others by bit number here. */
#define ROW_FIXED 8u
enum { AT_VALUE, AT_DOTS, AT_MARKS, AT_HIDES, AT_KEEPS, AT_CUTS, AT_PARENT, AT_ORDER, AT_END };

static const uint8_t nil_byte[1] = {0xc0};

int qm__op_fits(const qm_op *op) {
  if (!qm__op_known(op->shape, op->kind) || (op->flags & ~QM_OP_FLAGS)) return 0;
  if ((op->value.n != 0) != qm__op_has_value(op)) return 0;
  if ((op->flags & (QM_OP_LEFT | QM_OP_ROOT)) && !qm__op_inserts(op)) return 0;
  if (op->span == 0 || (op->span != 1 && !qm__op_inserts(op))) return 0;
  if (op->dots.n && !qm__op_has_dots(op)) return 0;
  if (op->marks.n && !(op->flags & QM_OP_MARKS)) return 0;
  if ((op->hides.n || op->keeps.n) && !(op->flags & QM_OP_NAMES)) return 0;
  return op->cuts.n == 0 || qm__op_has_cuts(op);
}

static int known(qm_buf *out, const qm_authors *authors, uint32_t number) {
  if (number < authors->n) return 1;
  if (out->status == QM_OK) out->status = QM_EINVAL;
  return 0;
}

/* Forms of a few items are put together here, and added in one go. */
#define HEAD_MAX 5 /* bytes of an array's head */
#define AUTHOR_BYTES (2 + QM_AUTHOR_SIZE)

static uint8_t *author_at(uint8_t *to, const qm_authors *authors, uint32_t number) {
  return qm__put_bin(to, authors->ids[number].b, QM_AUTHOR_SIZE);
}

static uint8_t *dot_at(uint8_t *to, const qm_authors *authors, qm_dot d) {
  return qm__put_uint(author_at(to, authors, d.author), d.counter);
}

static uint8_t *range_at(uint8_t *to, const qm_authors *authors, const qm_range *r) {
  return qm__put_uint(qm__put_uint(author_at(to, authors, r->author), r->counter), r->len);
}

static void add(qm_buf *out, const uint8_t *p, const uint8_t *end) {
  qm_buf_add(out, p, (size_t)(end - p));
}

static void put_array(qm_buf *out, uint64_t count) {
  uint8_t head[HEAD_MAX];
  add(out, head, qm__put_array(head, count));
}

static void put_dot(qm_buf *out, const qm_authors *authors, qm_dot d) {
  uint8_t b[AUTHOR_BYTES + QM__PUT_UINT];
  if (known(out, authors, d.author)) add(out, b, dot_at(b, authors, d));
}

static void put_dots(qm_buf *out, const qm_authors *authors, qm_dots d) {
  put_array(out, (uint64_t)d.n * 2);
  for (uint32_t i = 0; i < d.n; i++) put_dot(out, authors, d.p[i]);
}

static void put_cuts(qm_buf *out, const qm_authors *authors, qm_ranges r) {
  uint8_t b[AUTHOR_BYTES + 2 * QM__PUT_UINT];
  put_array(out, (uint64_t)r.n * 3);
  for (uint32_t i = 0; i < r.n; i++) {
    if (!known(out, authors, r.p[i].author)) return;
    add(out, b, range_at(b, authors, &r.p[i]));
  }
}

/* Bits of the items that are not nil. A nil value is a nil item: the kind says that
 * there is a value (S4.3). */
static unsigned parts_of(const qm_op *op) {
  unsigned parts = 0;
  int is_nil = op->value.n == 1 && op->value.p[0] == nil_byte[0];
  if (op->value.n && !is_nil) parts |= 1u << AT_VALUE;
  if (qm__op_has_dots(op)) parts |= 1u << AT_DOTS;
  if (op->flags & QM_OP_MARKS) parts |= 1u << AT_MARKS;
  if (op->flags & QM_OP_NAMES) parts |= 1u << AT_HIDES | 1u << AT_KEEPS;
  if (qm__op_has_cuts(op)) parts |= 1u << AT_CUTS;
  if (qm__op_has_parent(op)) parts |= 1u << AT_PARENT;
  if (op->flags & QM_OP_ORDER) parts |= 1u << AT_ORDER;
  return parts;
}

static void put_part(const qm_op *op, const qm_authors *authors, unsigned at, qm_buf *out) {
  switch (at) {
    case AT_DOTS: put_dots(out, authors, op->dots); break;
    case AT_MARKS: put_dots(out, authors, op->marks); break;
    case AT_HIDES: put_dots(out, authors, op->hides); break;
    case AT_KEEPS: put_dots(out, authors, op->keeps); break;
    case AT_CUTS: put_cuts(out, authors, op->cuts); break;
    case AT_PARENT:
      put_array(out, 2);
      put_dot(out, authors, op->parent);
      break;
    default: qm_mp_uint(out, op->order); break;
  }
}

/* Items 0 to 7: at most this many bytes. */
#define FIXED_MAX (1 + 4 * QM__PUT_UINT + 2 + QM_ID_SIZE + 3 * 2)

static uint8_t *put_fixed(const qm_op *op, unsigned items, uint8_t *to) {
  to = qm__put_uint(qm__put_array(to, items), op->counter);
  to = qm__put_uint(qm__put_bin(to, op->record.b, QM_ID_SIZE), op->field);
  to = qm__put_uint(qm__put_uint(to, op->shape), op->kind);
  to = qm__put_uint(to, op->span);
  to = qm__put_uint(to, op->flags & QM__ROW_FLAGS);
  return qm__put_uint(to, op->generation);
}

/* What edits a text, mostly: a parent, or one range, and nothing else after the value. */
#define EDIT_MAX (AT_END + 1 + AUTHOR_BYTES + 2 * QM__PUT_UINT)

static int is_edit(const qm_op *op, const qm_authors *authors, unsigned parts) {
  if (!(parts & ~(1u << AT_VALUE | 1u << AT_PARENT))) return op->parent.author < authors->n;
  return parts == 1u << AT_CUTS && op->cuts.n == 1 && op->cuts.p->author < authors->n;
}

static uint8_t *put_edit(const qm_op *op, const qm_authors *authors, unsigned parts, unsigned at,
                         uint8_t *to) {
  for (; parts >> at > 1; at++) *to++ = nil_byte[0];
  if (parts == 1u << AT_CUTS) return range_at(qm__put_array(to, 3), authors, op->cuts.p);
  return parts >> AT_PARENT ? dot_at(qm__put_array(to, 2), authors, op->parent) : to;
}

void qm_op_row(const qm_op *op, const qm_authors *authors, qm_buf *out) { /* S4.2, S4.3 */
  unsigned parts = parts_of(op), n = 0, has_value = parts >> AT_VALUE & 1;
  size_t most = FIXED_MAX + op->value.n, left = out->max - out->n;
  int edit = most + EDIT_MAX <= left && is_edit(op, authors, parts);
  while (parts >> n) n++;
  uint8_t *to = qm_buf_reserve(out, edit ? most + EDIT_MAX : most);
  if (!to) return;
  to = put_fixed(op, ROW_FIXED + n, to);
  if (has_value) to = qm__put_raw(to, op->value);
  if (edit) to = put_edit(op, authors, parts, has_value, to);
  out->n = (size_t)(to - out->p);
  if (edit) return;
  for (unsigned at = has_value; at < n; at++) {
    if (parts >> at & 1)
      put_part(op, authors, at, out);
    else
      qm_buf_byte(out, nil_byte[0]);
  }
}

static void put_deps(qm_buf *out, const qm_authors *authors, const qm_change *c) {
  for (uint32_t i = 0; i < c->n_deps; i++) put_dot(out, authors, c->deps[i]);
}

void qm__segment_header(const qm_segment *s, const qm_id *space, const qm_authors *authors,
                        qm_buf *out) { /* S4.6 */
  uint8_t b[HEAD_MAX + 2 + QM_ID_SIZE + AUTHOR_BYTES + HEAD_MAX + 6 * QM__PUT_UINT];
  if (!known(out, authors, s->author)) return;
  uint8_t *to = qm__put_uint(qm__put_array(b, 5 + (uint64_t)s->n_changes), s->algorithm);
  to = author_at(qm__put_bin(to, space->b, QM_ID_SIZE), authors, s->author);
  to = qm__put_uint(qm__put_uint(to, s->start), s->next);
  if (!s->n_changes) add(out, b, to);
  for (uint32_t i = 0; i < s->n_changes; i++, to = b) {
    const qm_change *c = &s->changes[i];
    to = qm__put_uint(qm__put_array(to, 3 + (uint64_t)c->n_deps * 2), c->counter);
    add(out, b, qm__put_uint(qm__put_uint(to, c->time), c->n_ops));
    put_deps(out, authors, c);
  }
}

/* [row], [row, [author, counter]] by creation dot, [row, that or nil, leaf] erased. */
static void put_open_op(qm_buf *out, const qm_authors *authors, const qm_op *op) {
  int erased = op->flags & QM_OP_ERASED, created = op->named == QM_BY_CREATION;
  put_array(out, erased ? 3 : created ? 2 : 1);
  qm_op_row(op, authors, out);
  if (created) {
    put_array(out, 2);
    put_dot(out, authors, op->created);
  } else if (erased) {
    qm_buf_byte(out, nil_byte[0]);
  }
  if (erased) qm_mp_bin(out, op->leaf, QM_HASH_SIZE);
}

void qm_change_row(const qm_change *c, const qm_authors *authors, qm_buf *out) { /* S4.12 */
  uint8_t b[2 * HEAD_MAX + AUTHOR_BYTES + 3 * QM__PUT_UINT];
  if (!known(out, authors, c->author)) return;
  uint8_t *to = qm__put_array(b, 1 + (uint64_t)c->n_ops);
  to = author_at(qm__put_array(to, 4 + (uint64_t)c->n_deps * 2), authors, c->author);
  to = qm__put_uint(qm__put_uint(to, c->counter), c->next);
  add(out, b, qm__put_uint(to, c->time));
  put_deps(out, authors, c);
  for (uint32_t i = 0; i < c->n_ops; i++) put_open_op(out, authors, &c->ops[i]);
}

typedef struct reader {
  qm_cur cur;
  const qm_authors *authors;
  qm_arena *arena;
} reader;

static int get_author(reader *r, uint32_t *number) {
  qm_author id;
  *number = 0;
  QM_TRY(qm_cur_bin_n(&r->cur, id.b, QM_AUTHOR_SIZE));
  if (qm_authors_find(r->authors, &id, number)) return qm_cur_fail(&r->cur, QM_EMALFORMED);
  return QM_OK;
}

static int get_dot(reader *r, qm_dot *d) {
  QM_TRY(get_author(r, &d->author));
  return qm_cur_uint(&r->cur, &d->counter);
}

/* `items` items hold items/2 dots. */
static int get_dot_items(reader *r, uint32_t items, qm_dots *out) {
  if (items % 2) return qm_cur_fail(&r->cur, QM_EFORMAT);
  qm_dot *p = qm_arena_array(r->arena, items / 2, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < items / 2; i++) QM_TRY(get_dot(r, &p[i]));
  out->p = p;
  out->n = items / 2;
  return QM_OK;
}

static int get_dots(reader *r, qm_dots *out) {
  uint32_t items;
  QM_TRY(qm_cur_array(&r->cur, &items));
  return get_dot_items(r, items, out);
}

static int get_cuts(reader *r, qm_ranges *out) {
  uint32_t items;
  QM_TRY(qm_cur_array(&r->cur, &items));
  if (items % 3) return qm_cur_fail(&r->cur, QM_EFORMAT);
  qm_range *p = qm_arena_array(r->arena, items / 3, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < items / 3; i++) {
    QM_TRY(get_author(r, &p[i].author));
    QM_TRY(qm_cur_uint(&r->cur, &p[i].counter));
    QM_TRY(qm_cur_uint(&r->cur, &p[i].len));
  }
  out->p = p;
  out->n = items / 3;
  return QM_OK;
}

static int get_part(reader *r, qm_op *op, unsigned at) {
  switch (at) {
    case AT_VALUE: return qm_cur_value(&r->cur, QM_VALUE_DEPTH + 1, &op->value);
    case AT_DOTS: return get_dots(r, &op->dots);
    case AT_MARKS: return get_dots(r, &op->marks);
    case AT_HIDES: return get_dots(r, &op->hides);
    case AT_KEEPS: return get_dots(r, &op->keeps);
    case AT_CUTS: return get_cuts(r, &op->cuts);
    case AT_PARENT:
      QM_TRY(qm_cur_array_n(&r->cur, 2));
      return get_dot(r, &op->parent);
    default: return qm_cur_uint(&r->cur, &op->order);
  }
}

static int get_small(reader *r, uint32_t max, uint8_t *out) {
  uint32_t v;
  *out = 0;
  QM_TRY(qm_cur_uint32(&r->cur, &v));
  if (v > max) return qm_cur_fail(&r->cur, QM_EMALFORMED);
  *out = (uint8_t)v;
  return QM_OK;
}

static int get_fixed(reader *r, qm_op *op) {
  QM_TRY(qm_cur_uint(&r->cur, &op->counter));
  QM_TRY(qm_cur_bin_n(&r->cur, op->record.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&r->cur, &op->field));
  QM_TRY(get_small(r, QM_SHAPES - 1, &op->shape));
  QM_TRY(get_small(r, 3, &op->kind));
  QM_TRY(qm_cur_uint(&r->cur, &op->span));
  QM_TRY(get_small(r, QM_OP_FLAGS, &op->flags));
  QM_TRY(qm_cur_uint(&r->cur, &op->generation));
  if (!qm__op_known(op->shape, op->kind) || (op->flags & QM_OP_ERASED)) {
    return qm_cur_fail(&r->cur, QM_EMALFORMED);
  }
  return QM_OK;
}

static int get_row(reader *r, qm_op *op) {
  uint32_t items;
  unsigned parts = 0;
  QM_TRY(qm_cur_array(&r->cur, &items));
  if (items < ROW_FIXED || items > ROW_FIXED + AT_END) return qm_cur_fail(&r->cur, QM_EFORMAT);
  QM_TRY(get_fixed(r, op));
  for (unsigned at = 0; at < items - ROW_FIXED; at++) {
    qm_mp_type type;
    QM_TRY(qm_cur_peek(&r->cur, &type));
    if (type == QM_MP_NIL) {
      QM_TRY(qm_cur_nil(&r->cur));
      continue;
    }
    QM_TRY(get_part(r, op, at));
    parts |= 1u << at;
  }
  /* A row never ends in nil, and has the parts of its kind and flags. */
  if (items > ROW_FIXED && !(parts >> (items - ROW_FIXED - 1))) {
    return qm_cur_fail(&r->cur, QM_ECANON);
  }
  if (parts_of(op) != parts) return qm_cur_fail(&r->cur, QM_EMALFORMED);
  return QM_OK;
}

static int get_open_op(reader *r, qm_op *op) {
  uint32_t items;
  qm_mp_type type;
  QM_TRY(qm_cur_array(&r->cur, &items));
  if (items < 1 || items > 3) return qm_cur_fail(&r->cur, QM_EFORMAT);
  QM_TRY(get_row(r, op));
  if (items > 1) {
    QM_TRY(qm_cur_peek(&r->cur, &type));
    if (type != QM_MP_NIL) {
      QM_TRY(qm_cur_array_n(&r->cur, 2));
      QM_TRY(get_dot(r, &op->created));
      op->named = QM_BY_CREATION;
    } else {
      QM_TRY(qm_cur_nil(&r->cur));
      if (items == 2) return qm_cur_fail(&r->cur, QM_ECANON);
    }
  }
  if (items == 3) {
    QM_TRY(qm_cur_bin_n(&r->cur, op->leaf, QM_HASH_SIZE));
    op->flags |= QM_OP_ERASED;
  } else if (qm__op_has_value(op) && op->value.n == 0) {
    op->value = qm_slice_of(nil_byte, 1);
  }
  return qm__op_fits(op) ? QM_OK : qm_cur_fail(&r->cur, QM_EMALFORMED);
}

static int get_change_header(reader *r, qm_change *c) {
  uint32_t items;
  qm_dots deps = {NULL, 0};
  QM_TRY(qm_cur_array(&r->cur, &items));
  if (items < 4) return qm_cur_fail(&r->cur, QM_EFORMAT);
  QM_TRY(get_author(r, &c->author));
  QM_TRY(qm_cur_uint(&r->cur, &c->counter));
  QM_TRY(qm_cur_uint(&r->cur, &c->next));
  QM_TRY(qm_cur_uint(&r->cur, &c->time));
  QM_TRY(get_dot_items(r, items - 4, &deps));
  c->deps = deps.p;
  c->n_deps = deps.n;
  return QM_OK;
}

int qm_change_unrow(qm_change *c, qm_slice in, const qm_authors *authors, qm_arena *arena) {
  reader r = {.authors = authors, .arena = arena};
  uint32_t items;
  memset(c, 0, sizeof *c);
  qm_cur_init(&r.cur, in);
  QM_TRY(qm_cur_array(&r.cur, &items));
  if (items < 2) return QM_EFORMAT;
  if (items - 1 > QM_SEGMENT_OPS_MAX) return QM_EOVERSIZE;
  QM_TRY(get_change_header(&r, c));
  /* An op's row is longer than this; the count is a claim until then. */
  if ((items - 1) > qm_cur_left(&r.cur) / (ROW_FIXED + QM_ID_SIZE)) return QM_EOVERSIZE;
  c->ops = qm_arena_zero(arena, (size_t)(items - 1) * sizeof *c->ops);
  if (!c->ops) return QM_ENOMEM;
  for (uint32_t i = 0; i < items - 1; i++) QM_TRY(get_open_op(&r, &c->ops[i]));
  c->n_ops = items - 1;
  return qm_cur_end(&r.cur);
}
