/* What a segment would cost to apply, known before any of it is applied. Merging is
 * linear in what a cell holds for some ops; a change made to hurt could hold thousands
 * of siblings and look at each of them once for each of its ops. Whoever works with
 * records as people do stays far below the bounds. */
#include <string.h>

#include "core/crdt/entries.h"
#include "core/crdt/keyed.h"
#include "core/crdt/siblings.h"
#include "core/crdt/totals.h"
#include "core/space.h"

/* Up to here it is enough to know a bound, which is a multiple of what work there is. */
#define QM_WORK_LIGHT (QM_WORK_MAX / 4)

/* A cell that the segment writes: how much it holds, and may hold by now. */
typedef struct qm_load {
  const qm_loaded *l;
  uint32_t field;
  uint8_t shape;
  uint64_t size;
  qm_time order; /* entries: the last one's */
} qm_load;

typedef struct qm_scale {
  qm_space *s;
  uint64_t serial;
  qm_load *cells; /* open addressing */
  uint32_t cap;
  uint64_t work;
} qm_scale;

static void measure(qm_load *c, const qm_cell *cell) {
  if (!cell) return;
  if (c->shape == QM_SIBLINGS) c->size = qm_siblings_of(cell)->n;
  if (c->shape == QM_TOTALS) c->size = qm_totals_of(cell)->n;
  if (c->shape == QM_KEYED) {
    const qm_keyed *k = qm_keyed_of(cell);
    for (uint32_t i = 0; i < k->n; i++) c->size += 1 + k->p[i].n;
  }
  if (c->shape == QM_ENTRIES) {
    const qm_entries *e = qm_entries_of(cell);
    c->size = e->n;
    c->order = e->p[e->n - 1].order;
  }
}

/* A new cell moves those behind it. */
static qm_load *load_of(qm_scale *x, qm_loaded *l, const qm_op *op) {
  uint64_t h = (uintptr_t)l / 16 * UINT64_C(0x9e3779b97f4a7c15) + op->field;
  h = (h ^ (h >> 29)) * UINT64_C(0xbf58476d1ce4e5b9) + op->shape;
  uint32_t at = (uint32_t)(h ^ (h >> 32)) & (x->cap - 1);
  for (;; at = (at + 1) & (x->cap - 1)) {
    qm_load *c = &x->cells[at];
    if (c->l == l && c->field == op->field && c->shape == op->shape) return c;
    if (c->l) continue;
    const qm_cell *cell = qm_record_cell(&l->record, op->field, op->shape);
    *c = (qm_load){.l = l, .field = op->field, .shape = op->shape};
    measure(c, cell);
    if (!cell) x->work += (l->record.n_cells + l->cells_more++) / 8;
    return c;
  }
}

/* Looking a dot up in a list of n. */
static uint64_t steps(uint32_t n) {
  uint64_t k = 1;
  while (n >>= 1) k++;
  return k;
}

static void weigh_cell(qm_scale *x, qm_loaded *l, const qm_change *change, const qm_op *op) {
  qm_load *c = load_of(x, l, op);
  int listed = (op->flags & QM_OP_LISTED) != 0;
  switch (op->shape) {
    case QM_SIBLINGS:
      x->work += 2 * c->size * (listed ? steps(op->dots.n) : 1);
      c->size += listed || op->kind == QM_KIND_BESIDE || !c->size;
      break;
    case QM_KEYED:
      /* An add moves the elements behind it; else all of them are looked at. */
      x->work += op->kind == QM_KIND_ADD && !listed ? c->size / 4 : c->size * 2 * steps(op->dots.n);
      c->size += op->kind == QM_KIND_ADD ? 2 : 0;
      break;
    case QM_ENTRIES: {
      qm_time order = change->time;
      if ((op->flags & QM_OP_ORDER) && op->order > order) order = op->order;
      if (order < c->order) x->work += c->size;
      if (order > c->order) c->order = order;
      c->size++;
      break;
    }
    case QM_TOTALS: x->work += steps((uint32_t)c->size); break;
    default: break;
  }
}

/* Replaced values leave: what was only added up is measured before it counts. */
static int measure_record(qm_scale *x, qm_loaded *l) {
  qm_buf out;
  qm_buf_init(&out, x->s->engine->env, SIZE_MAX / 2);
  int rc = qm_record_encode(&l->record, &x->s->authors, &x->s->engine->arena, &out);
  x->work += out.n / 4;
  l->bytes = out.n;
  qm_buf_free(&out);
  return rc;
}

static void meet(qm_scale *x, qm_loaded *l) {
  if (l->judged == x->serial) return;
  l->judged = x->serial;
  l->collection = qm_record_collection(&l->record);
  l->bytes_more = l->marks_more = l->cells_more = 0;
}

/* The segment's first `new` decides where the record is not here yet. */
static void note_new(qm_loaded *l, const qm_op *op) {
  qm_cur c;
  qm_cur_init(&c, op->value);
  if (!l->collection && qm_cur_uint32(&c, &l->collection) != QM_OK) l->collection = 0;
}

static int weigh(qm_scale *x, const qm_change *change, const qm_op *op, qm_error *why) {
  qm_loaded *l;
  QM_TRY(qm__space_outline(x->s, &op->record, &l));
  meet(x, l);
  if (op->shape != QM_PRESENCE) {
    weigh_cell(x, l, change, op);
  } else if (op->kind == QM_KIND_NEW) {
    note_new(l, op);
    x->work += l->record.n_creations;
  }
  if (qm_op_marks(op)) {
    int listed = (op->flags & QM_OP_MARKS) != 0;
    uint64_t marks = (uint64_t)l->record.marks.n + l->marks_more;
    x->work += 2 * marks * (listed ? steps(op->marks.n) : 1);
    l->marks_more += (uint32_t)listed;
  }
  if (x->work > QM_WORK_MAX)
    return qm_fail(why, QM_EMALFORMED, "a batch that asks for too much work");
  l->bytes_more += qm__op_bytes(op);
  if (l->bytes + l->bytes_more <= QM_RECORD_MAX) return QM_OK;
  QM_TRY(measure_record(x, l));
  if (l->bytes + l->bytes_more <= QM_RECORD_MAX) return QM_OK;
  return qm_fail(why, QM_ELIMIT, "a record would be larger than %u bytes", QM_RECORD_MAX);
}

/* Counts the op without a look at what the record holds: an element takes two bytes of it at
 * least, and of a list that is looked through twice three. 0: it might be too large. */
static int weigh_lightly(qm_scale *x, const qm_op *op, qm_loaded *l) {
  uint32_t list = op->dots.n > op->marks.n ? op->dots.n : op->marks.n;
  meet(x, l);
  x->work += 2 * (l->bytes + l->bytes_more + 64) * steps(list | 1);
  if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) note_new(l, op);
  l->bytes_more += qm__op_bytes(op);
  return l->bytes + l->bytes_more <= QM_RECORD_MAX;
}

/* 1 where even the most that the segment might cost is little. */
static int is_light(qm_scale *x, const qm_segment *g, int *light) {
  qm_loaded *l;
  *light = 1;
  for (uint32_t i = 0; i < g->n_changes && *light; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops && *light; o++) {
      QM_TRY(qm__space_outline(x->s, &g->changes[i].ops[o].record, &l));
      *light = weigh_lightly(x, &g->changes[i].ops[o], l) && x->work <= QM_WORK_LIGHT;
    }
  return QM_OK;
}

int qm__space_work(qm_space *s, const qm_segment *g, uint64_t *work, qm_error *why) {
  qm_scale x = {.s = s, .serial = ++s->change_serial, .cap = 16, .work = *work};
  int light;
  QM_TRY(is_light(&x, g, &light));
  if (!light) {
    x.work = *work;
    x.serial = ++s->change_serial;
    while (x.cap < 2 * g->n_ops) x.cap *= 2;
    x.cells = qm_arena_zero(&s->engine->scratch, x.cap * sizeof *x.cells);
    if (!x.cells) return QM_ENOMEM;
  }
  for (uint32_t i = 0; i < g->n_changes && !light; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++)
      QM_TRY(weigh(&x, &g->changes[i], &g->changes[i].ops[o], why));
  *work = x.work;
  return QM_OK;
}
