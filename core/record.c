#include "core/record.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/crdt/sequence.h"
#include "core/crdt/siblings.h"
#include "core/mp.h"
#include "core/mp_put.h"
#include "core/prefetch.h"

/* Blob (SPEC S6.2), one MessagePack array of four:
 *   names      [local author number, …]              ascending bytewise by author id
 *   creations  [place, counter, collection, …]       ascending by dot
 *   marks      [place, counter, flags, …]            ascending by dot; 1 deleted, 2 kept
 *   cells      [field, shape, content, …]            ascending by (field, shape) */

#define CELLS_FIRST 8u

uint32_t qm_record_collection(const qm_record *r) {
  return r->n_creations ? r->creations[0].collection : 0;
}

int qm_record_visible(const qm_record *r) { return qm_marks_visible(&r->marks); }

/* Most cells are siblings: of these without a call, so that the cells of a record, which lie
 * apart, are fetched side by side. */
static int is_empty(const qm_cell *c) {
  if (!c->content) return 1;
  return c->shape == QM_SIBLINGS ? qm_siblings_of(c)->n == 0 : qm_shape_of(c->shape)->empty(c);
}

static uint64_t cell_key(uint32_t field, unsigned shape) { return (uint64_t)field << 8 | shape; }

static uint32_t cell_place(const qm_record *r, uint64_t key) {
  uint32_t lo = 0, hi = r->n_cells;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (cell_key(r->cells[mid].field, r->cells[mid].shape) < key)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

const qm_cell *qm_record_cell(const qm_record *r, uint32_t field, unsigned shape) {
  uint32_t at = cell_place(r, cell_key(field, shape));
  if (at == r->n_cells || r->cells[at].field != field || r->cells[at].shape != shape) return NULL;
  return is_empty(&r->cells[at]) ? NULL : &r->cells[at];
}

const qm_cell *qm_record_cell_next(const qm_record *r, const qm_cell *cell) {
  const qm_cell *next = cell + 1;
  return next < r->cells + r->n_cells && next->field == cell->field && next->shape == cell->shape
             ? next
             : NULL;
}

static int open_cell(qm_record *r, uint32_t field, uint8_t shape, qm_arena *arena, qm_cell **out) {
  uint32_t at = cell_place(r, cell_key(field, shape));
  if (at == r->n_cells || r->cells[at].field != field || r->cells[at].shape != shape) {
    if (!r->cap_cells) { /* a record has several */
      r->cells = qm_arena_array(arena, CELLS_FIRST, sizeof *r->cells);
      if (!r->cells) return QM_ENOMEM;
      r->cap_cells = CELLS_FIRST;
    }
    qm_cell *p = qm_array_open(arena, r->cells, r->n_cells, &r->cap_cells, at, sizeof *p);
    if (!p) return QM_ENOMEM;
    r->cells = p;
    r->n_cells++;
    p[at] = (qm_cell){field, shape, NULL};
  }
  *out = &r->cells[at];
  return QM_OK;
}

static int add_creation(qm_record *r, const qm_authors *authors, qm_arena *arena, qm_creation c) {
  uint32_t at = r->n_creations;
  while (at && qm_dot_cmp(authors, r->creations[at - 1].dot, c.dot) > 0) at--;
  qm_creation *p =
      qm_array_open(arena, r->creations, r->n_creations, &r->cap_creations, at, sizeof *p);
  if (!p) return QM_ENOMEM;
  r->creations = p;
  r->n_creations++;
  p[at] = c;
  return QM_OK;
}

static int apply_new(qm_record *r, const qm_apply *a, const qm_op *op) {
  qm_creation c = {{op->counter, a->change->author}, 0};
  if (!(op->flags & QM_OP_ERASED)) {
    qm_cur in;
    qm_cur_init(&in, op->value);
    if (qm_cur_uint32(&in, &c.collection) != QM_OK) return QM_EINTERNAL; /* op was checked before */
  }
  return add_creation(r, a->authors, a->arena, c);
}

int qm_record_apply(qm_record *r, const qm_apply *a, const qm_op *op) {
  if (op->shape == QM_PRESENCE) return op->kind == QM_KIND_NEW ? apply_new(r, a, op) : QM_OK;
  qm_cell *cell;
  QM_TRY(open_cell(r, op->field, op->shape, a->arena, &cell));
  return qm_shape_of(op->shape)->apply(cell, a, op);
}

int qm_record_apply_later(qm_record *r, const qm_apply *a, const qm_op *op) {
  qm_cell *cell;
  if (op->shape != QM_SEQUENCE) return qm_record_apply(r, a, op);
  QM_TRY(open_cell(r, op->field, op->shape, a->arena, &cell));
  return qm_sequence_apply_later(cell, a, op);
}

int qm_record_settle(qm_record *r) {
  for (uint32_t i = 0; i < r->n_cells; i++)
    if (r->cells[i].shape == QM_SEQUENCE) QM_TRY(qm_sequence_settle(&r->cells[i]));
  return QM_OK;
}

static int join_cells(qm_record *out, const qm_record *a, const qm_vv *va, const qm_record *b,
                      const qm_vv *vb, const qm_authors *authors, qm_arena *arena) {
  uint32_t i = 0, j = 0, na = a ? a->n_cells : 0, nb = b ? b->n_cells : 0;
  while (i < na || j < nb) {
    uint64_t ka = i < na ? cell_key(a->cells[i].field, a->cells[i].shape) : UINT64_MAX;
    uint64_t kb = j < nb ? cell_key(b->cells[j].field, b->cells[j].shape) : UINT64_MAX;
    qm_side sa = {ka <= kb ? &a->cells[i] : NULL, va}, sb = {kb <= ka ? &b->cells[j] : NULL, vb};
    const qm_cell *any = sa.cell ? sa.cell : sb.cell;
    qm_cell *cell;
    QM_TRY(open_cell(out, any->field, any->shape, arena, &cell));
    QM_TRY(qm_shape_of(any->shape)->join(cell, sa, sb, authors, arena));
    i += ka <= kb;
    j += kb <= ka;
  }
  return QM_OK;
}

/* S3.8: united. Both ascend, so each is added at the end. */
static int join_creations(qm_record *out, const qm_record *a, const qm_record *b,
                          const qm_authors *authors, qm_arena *arena) {
  uint32_t i = 0, j = 0, na = a ? a->n_creations : 0, nb = b ? b->n_creations : 0;
  while (i < na || j < nb) {
    int c = i == na   ? 1
            : j == nb ? -1
                      : qm_dot_cmp(authors, a->creations[i].dot, b->creations[j].dot);
    QM_TRY(add_creation(out, authors, arena, c <= 0 ? a->creations[i] : b->creations[j]));
    i += c <= 0;
    j += c >= 0;
  }
  return QM_OK;
}

int qm_record_join(qm_record *out, const qm_record *a, const qm_vv *va, const qm_record *b,
                   const qm_vv *vb, const qm_authors *authors, qm_arena *arena) {
  static const qm_marks none;
  qm_id id = a ? a->id : b->id;
  memset(out, 0, sizeof *out);
  out->id = id;
  QM_TRY(join_creations(out, a, b, authors, arena));
  QM_TRY(qm_marks_join(&out->marks, a ? &a->marks : &none, va, b ? &b->marks : &none, vb, authors,
                       arena));
  return join_cells(out, a, va, b, vb, authors, arena);
}

int qm_record_empty(const qm_record *r) {
  if (r->n_creations || r->marks.n) return 0;
  for (uint32_t i = 0; i < r->n_cells; i++)
    if (!is_empty(&r->cells[i])) return 0;
  return 1;
}

/* The cells that hold something. */
typedef struct full_cells {
  const qm_cell **p;
  uint32_t n;
} full_cells;

static int collect_full(const qm_record *r, qm_arena *arena, full_cells *out) {
  out->n = 0;
  out->p = qm_arena_array(arena, r->n_cells, sizeof *out->p);
  if (!out->p) return QM_ENOMEM;
  for (uint32_t i = 0; i < r->n_cells; i++)
    if (!is_empty(&r->cells[i])) out->p[out->n++] = &r->cells[i];
  return QM_OK;
}

static int collect_names(const qm_record *r, const full_cells *full, qm_names *names,
                         qm_arena *arena) {
  for (uint32_t i = 0; i < r->n_creations; i++)
    QM_TRY(qm_names_note(names, arena, r->creations[i].dot.author));
  for (uint32_t i = 0; i < r->marks.n; i++)
    QM_TRY(qm_names_note(names, arena, r->marks.p[i].dot.author));
  for (uint32_t i = 0; i < full->n; i++)
    QM_TRY(qm_shape_of(full->p[i]->shape)->names(full->p[i], names, arena));
  return QM_OK;
}

static void encode_head(const qm_record *r, const qm_names *names, const qm_authors *authors,
                        qm_buf *out) {
  qm_mp_array(out, 4);
  qm_mp_array(out, names->n);
  for (uint32_t i = 0; i < names->n; i++) qm_mp_uint(out, names->numbers[i]);
  qm_mp_array(out, (size_t)r->n_creations * 3);
  for (uint32_t i = 0; i < r->n_creations; i++) {
    qm_put_dot(out, names, authors, r->creations[i].dot);
    qm_mp_uint(out, r->creations[i].collection);
  }
  qm_mp_array(out, (size_t)r->marks.n * 3);
  for (uint32_t i = 0; i < r->marks.n; i++) {
    const qm_mark *m = &r->marks.p[i];
    qm_put_dot(out, names, authors, m->dot);
    qm_mp_uint(out, (m->deleted ? 1u : 0u) | (m->kept ? 2u : 0u));
  }
}

void qm_record_prefetch(const qm_record *r, unsigned step) {
  if (step == 0) {
    qm_prefetch_bytes(r->cells, r->n_cells * sizeof *r->cells);
    qm_prefetch(r->creations);
    qm_prefetch(r->marks.p);
    return;
  }
  for (uint32_t i = 0; i < r->n_cells; i++) {
    const qm_cell *c = &r->cells[i];
    if (step == 1) /* most hold one value, beside its head */
      qm_prefetch_bytes(c->content, sizeof(qm_siblings) + sizeof(qm_sibling));
    else if (c->shape == QM_SIBLINGS && !is_empty(c))
      qm_prefetch(qm_siblings_of(c)->p->value.p);
    else if (c->shape == QM_SEQUENCE)
      qm_sequence_prefetch(c);
  }
}

int qm_record_encode(qm_record *r, const qm_authors *authors, qm_arena *arena, qm_buf *out) {
  qm_names names = {.n = 0};
  full_cells full;
  size_t start = out->n;
  QM_TRY(qm_record_settle(r));
  QM_TRY(collect_full(r, arena, &full));
  QM_TRY(collect_names(r, &full, &names, arena));
  qm_names_seal(&names, authors);
  encode_head(r, &names, authors, out);
  qm_mp_array(out, (size_t)full.n * 3);
  for (uint32_t i = 0; i < full.n; i++) {
    const qm_cell *c = full.p[i];
    uint8_t head[2 * QM__PUT_UINT];
    qm_buf_add(out, head, (size_t)(qm__put_uint(qm__put_uint(head, c->field), c->shape) - head));
    qm_shape_of(c->shape)->encode(c, &names, authors, out);
  }
  if (qm_buf_status(out) == QM_OK && out->n - start > QM_RECORD_MAX) return QM_ELIMIT;
  return qm_buf_status(out);
}

static int decode_names(qm_cur *in, const qm_authors *authors, qm_arena *arena, qm_names *names) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  names->numbers = qm_arena_array(arena, count, sizeof *names->numbers);
  names->used = qm_arena_zero(arena, count);
  if (!names->numbers || !names->used) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t number = 0;
    QM_TRY(qm_cur_uint32(in, &number));
    if (number >= authors->n) return qm_cur_fail(in, QM_ECORRUPT);
    if (i && authors->rank[names->numbers[i - 1]] >= authors->rank[number])
      return qm_cur_fail(in, QM_ECANON);
    names->numbers[i] = number;
  }
  names->n = names->cap = count;
  return QM_OK;
}

static int decode_creations(qm_record *r, qm_cur *in, const qm_names *names,
                            const qm_authors *authors, qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (count % 3) return qm_cur_fail(in, QM_EFORMAT);
  r->cap_creations = count / 3;
  r->creations = qm_arena_array(arena, r->cap_creations, sizeof *r->creations);
  if (!r->creations) return QM_ENOMEM;
  for (; r->n_creations < r->cap_creations; r->n_creations++) {
    qm_creation *c = &r->creations[r->n_creations];
    QM_TRY(qm_get_dot(in, names, &c->dot));
    QM_TRY(qm_cur_uint32(in, &c->collection));
    if (r->n_creations && qm_dot_cmp(authors, c[-1].dot, c->dot) >= 0)
      return qm_cur_fail(in, QM_ECANON);
  }
  return QM_OK;
}

static int decode_marks(qm_record *r, qm_cur *in, const qm_names *names, const qm_authors *authors,
                        qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (count % 3) return qm_cur_fail(in, QM_EFORMAT);
  r->marks.cap = count / 3;
  r->marks.p = qm_arena_array(arena, r->marks.cap, sizeof *r->marks.p);
  if (!r->marks.p) return QM_ENOMEM;
  for (; r->marks.n < r->marks.cap; r->marks.n++) {
    qm_mark *m = &r->marks.p[r->marks.n];
    uint64_t flags = 0;
    QM_TRY(qm_get_dot(in, names, &m->dot));
    QM_TRY(qm_cur_uint(in, &flags));
    if (flags > 3) return qm_cur_fail(in, QM_EFORMAT);
    m->deleted = flags & 1;
    m->kept = (flags & 2) != 0;
    if (r->marks.n && qm_dot_cmp(authors, m[-1].dot, m->dot) >= 0)
      return qm_cur_fail(in, QM_ECANON);
  }
  return QM_OK;
}

static int decode_cells(qm_record *r, qm_cur *in, const qm_names *names, const qm_authors *authors,
                        qm_arena *arena) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (count % 3) return qm_cur_fail(in, QM_EFORMAT);
  r->cap_cells = count / 3;
  r->cells = qm_arena_array(arena, r->cap_cells, sizeof *r->cells);
  if (!r->cells) return QM_ENOMEM;
  for (; r->n_cells < r->cap_cells; r->n_cells++) {
    qm_cell *c = &r->cells[r->n_cells];
    uint32_t shape_id = 0;
    *c = (qm_cell){0, 0, NULL};
    QM_TRY(qm_cur_uint32(in, &c->field));
    QM_TRY(qm_cur_uint32(in, &shape_id));
    const qm_shape *shape = qm_shape_of(shape_id);
    if (!shape) return qm_cur_fail(in, QM_EFORMAT);
    c->shape = (uint8_t)shape_id;
    if (r->n_cells && cell_key(c[-1].field, c[-1].shape) >= cell_key(c->field, c->shape))
      return qm_cur_fail(in, QM_ECANON);
    QM_TRY(shape->decode(c, in, names, authors, arena));
    if (is_empty(c)) return qm_cur_fail(in, QM_ECANON);
  }
  return QM_OK;
}

/* A name that nothing uses would go when the record is encoded again. */
static int names_used(const qm_names *names) {
  for (uint32_t i = 0; i < names->n; i++)
    if (!names->used[i]) return QM_ECANON;
  return QM_OK;
}

int qm_record_decode(qm_record *r, const qm_id *id, qm_slice blob, const qm_authors *authors,
                     qm_arena *arena) {
  qm_cur in;
  qm_names names = {.n = 0};
  memset(r, 0, sizeof *r);
  r->id = *id;
  qm_cur_init(&in, blob);
  QM_TRY(qm_cur_array_n(&in, 4));
  QM_TRY(decode_names(&in, authors, arena, &names));
  QM_TRY(decode_creations(r, &in, &names, authors, arena));
  QM_TRY(decode_marks(r, &in, &names, authors, arena));
  QM_TRY(decode_cells(r, &in, &names, authors, arena));
  QM_TRY(qm_cur_end(&in));
  return names_used(&names);
}

int qm_record_hash(const qm_id *id, qm_slice blob, const qm_authors *authors, uint8_t out[16]) {
  qm_cur in;
  qm_sha sha;
  qm_hash hash;
  uint32_t count = 0;
  qm_cur_init(&in, blob);
  QM_TRY(qm_cur_array_n(&in, 4));
  QM_TRY(qm_cur_array(&in, &count));
  const uint8_t head[4] = {(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
                           (uint8_t)count};
  qm_sha_init(&sha);
  qm_sha_add(&sha, id->b, sizeof id->b);
  qm_sha_add(&sha, head, sizeof head);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t number = 0;
    QM_TRY(qm_cur_uint32(&in, &number));
    if (number >= authors->n) return QM_ECORRUPT;
    qm_sha_add(&sha, authors->ids[number].b, QM_AUTHOR_SIZE);
  }
  qm_sha_add(&sha, in.at, qm_cur_left(&in));
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, 16);
  return QM_OK;
}
