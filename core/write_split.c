/* Splitting a record that two people created under one key (S3.20): what one device wrote
 * goes to a record of its own. */
#include <string.h>

#include "core/write_int.h"

typedef struct qm_splitting {
  qm_write *w;
  qm_target *t;
  qm_id device;
  qm_loaded *from, *to;
  qm_split_field *fields;
  uint32_t n, cap;
} qm_splitting;

static int is_its(const qm_splitting *x, uint32_t author) {
  qm_id device;
  qm_author_device(&x->w->s->authors.ids[author], &device);
  return qm_id_cmp(&device, &x->device) == 0;
}

static int note(qm_splitting *x, uint32_t field, qm_split_how how) {
  if (x->n == x->cap) {
    uint32_t cap = x->cap ? x->cap * 2 : 8;
    qm_split_field *p = qm_arena_grow(qm__write_arena(x->w), x->fields, x->cap, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    x->fields = p;
    x->cap = cap;
  }
  x->fields[x->n++] = (qm_split_field){field, how};
  return QM_OK;
}

static int put(qm_splitting *x, qm_op op) { return qm__write_emit(x->w, x->to, op); }
static int take(qm_splitting *x, qm_op op) { return qm__write_emit(x->w, x->from, op); }

static const qm_field_def *def_of(const qm_splitting *x, uint32_t field) {
  return x->t->collection ? qm_collection_field(x->t->collection, field) : NULL;
}

/* --- siblings --- */

/* A cell of the siblings that are the device's, or are not. */
static int part_of(qm_splitting *x, const qm_siblings *v, int its, qm_siblings *out) {
  *out = (qm_siblings){NULL, 0, v->n};
  out->p = qm_arena_array(qm__write_arena(x->w), v->n, sizeof *out->p);
  if (!out->p) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n; i++)
    if (is_its(x, v->p[i].dot.author) == its) out->p[out->n++] = v->p[i];
  return QM_OK;
}

static int shown_of(qm_splitting *x, uint32_t field, qm_siblings *v, const qm_sibling **out) {
  qm_contest contest;
  const qm_cell cell = {field, QM_SIBLINGS, v};
  QM_TRY(qm_read_contest(x->w->s, def_of(x, field), &cell, qm__write_arena(x->w), &contest));
  *out = contest.shown;
  return QM_OK;
}

/* The dots of the siblings equal to a value, after the n that stand in p. */
static void dots_equal(const qm_siblings *v, qm_slice value, qm_dot *p, uint32_t *n) {
  for (uint32_t i = 0; i < v->n; i++)
    if (qm_slice_cmp(v->p[i].value, value) == 0) p[(*n)++] = v->p[i].dot;
}

/* What stays is written once more in place of itself and of what goes: a sibling does not
 * leave but by a write. The others stay as they are. */
static int split_siblings(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  static const uint8_t nil[1] = {0xc0};
  const qm_siblings *v = qm_siblings_of(cell);
  const qm_field_def *f = def_of(x, field);
  const qm_sibling *goes, *stays = NULL;
  qm_siblings its, rest;
  uint32_t n = 0;
  qm_dot *dots = qm_arena_array(qm__write_arena(x->w), v->n, sizeof *dots);
  if (!dots) return QM_ENOMEM;
  QM_TRY(part_of(x, v, 1, &its));
  if (!its.n) return QM_OK;
  QM_TRY(part_of(x, v, 0, &rest));
  QM_TRY(shown_of(x, field, &its, &goes));
  if (rest.n) QM_TRY(shown_of(x, field, &rest, &stays));
  qm_slice left = stays ? stays->value : qm_slice_of(nil, 1), moved = goes->value;
  int leaves = stays || (f && qm_field_value_check(f, left, NULL) == QM_OK);
  dots_equal(&its, moved, dots, &n);
  if (stays) dots_equal(&rest, left, dots, &n);
  QM_TRY(put(x, (qm_op){.field = field, .shape = QM_SIBLINGS, .value = moved}));
  if (leaves)
    QM_TRY(take(x, (qm_op){.field = field,
                           .shape = QM_SIBLINGS,
                           .kind = QM_KIND_BESIDE,
                           .flags = QM_OP_LISTED,
                           .value = left,
                           .dots = {dots, n}}));
  return note(x, field, leaves ? QM_SPLIT_MOVED : QM_SPLIT_COPIED);
}

/* --- sets, counters, logs --- */

static int split_set(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  const qm_keyed *k = qm_keyed_of(cell);
  uint32_t total = 0, n = 0;
  for (uint32_t i = 0; i < k->n; i++) total += k->p[i].n;
  qm_dot *dots = qm_arena_array(qm__write_arena(x->w), total, sizeof *dots);
  if (!dots) return QM_ENOMEM;
  for (uint32_t i = 0; i < k->n; i++) {
    uint32_t before = n;
    for (uint32_t d = 0; d < k->p[i].n; d++)
      if (is_its(x, k->p[i].dots[d].dot.author)) dots[n++] = k->p[i].dots[d].dot;
    if (n > before)
      QM_TRY(put(x, (qm_op){.field = field, .shape = QM_KEYED, .value = k->p[i].value}));
  }
  if (!n) return QM_OK;
  QM_TRY(take(x, (qm_op){.field = field,
                         .shape = QM_KEYED,
                         .kind = QM_KIND_REMOVE,
                         .dots = {dots, n}}));
  return note(x, field, QM_SPLIT_MOVED);
}

static int split_counter(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  const qm_totals *v = qm_totals_of(cell);
  qm_totals its = {qm_arena_array(qm__write_arena(x->w), v->n, sizeof *its.p), 0, v->n};
  qm_op op = {.field = field, .shape = QM_TOTALS};
  int64_t sum;
  if (!its.p) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n; i++)
    if (is_its(x, v->p[i].author)) its.p[its.n++] = v->p[i];
  if (!its.n) return QM_OK;
  if (qm_totals_sum(&its, &sum) != QM_OK || sum == INT64_MIN) return note(x, field, QM_SPLIT_LEFT);
  if (!sum) return QM_OK;
  QM_TRY(qm__write_int_value(x->w, sum, &op.value));
  QM_TRY(put(x, op));
  QM_TRY(qm__write_int_value(x->w, -sum, &op.value));
  QM_TRY(take(x, op));
  return note(x, field, QM_SPLIT_MOVED);
}

/* A log only grows: its entries are copied, in their order. */
static int split_log(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  const qm_entries *v = qm_entries_of(cell);
  qm_time last = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    qm_op op = {.field = field, .shape = QM_ENTRIES, .value = v->p[i].value};
    if (!is_its(x, v->p[i].dot.author) || v->p[i].erased) continue;
    if (last >= x->w->change.time) {
      op.flags |= QM_OP_ORDER;
      op.order = last + 1;
    }
    last = op.flags & QM_OP_ORDER ? op.order : x->w->change.time;
    QM_TRY(put(x, op));
  }
  return last ? note(x, field, QM_SPLIT_COPIED) : QM_OK;
}

/* --- texts and lists --- */

/* Bytes of the first n code points. */
static size_t bytes_of(qm_slice text, uint64_t n) {
  size_t at = 0;
  while (at < text.n && n--)
    do at++;
    while (at < text.n && (text.p[at] & 0xC0) == 0x80);
  return at;
}

/* The stretches in `ranges` that are the device's, and their text. */
static int its_text(qm_splitting *x, const qm_cell *cell, qm_ranges all, qm_range *its, uint32_t *n,
                    qm_buf *out) {
  qm_buf text;
  qm_buf_init(&text, x->w->e->env, QM_RECORD_MAX);
  qm_sequence_text(cell, &text);
  int rc = qm_buf_status(&text);
  qm_slice rest = qm_buf_slice(&text);
  for (uint32_t i = 0; i < all.n && rc == QM_OK; i++) {
    size_t bytes = bytes_of(rest, all.p[i].len);
    if (is_its(x, all.p[i].author)) {
      its[(*n)++] = all.p[i];
      qm_buf_add(out, rest.p, bytes);
    }
    rest = qm_slice_of(rest.p + bytes, rest.n - bytes);
  }
  qm_buf_free(&text);
  return rc == QM_OK ? qm_buf_status(out) : rc;
}

static int its_values(qm_splitting *x, const qm_cell *cell, qm_ranges all, qm_range *its,
                      uint32_t *n, qm_buf *out, uint64_t *count) {
  qm_slice *values;
  uint32_t total;
  uint64_t at = 0;
  QM_TRY(qm_sequence_values(cell, qm__write_arena(x->w), &values, &total));
  for (uint32_t i = 0; i < all.n; i++) {
    int takes = is_its(x, all.p[i].author);
    if (takes) its[(*n)++] = all.p[i];
    for (uint64_t k = 0; k < all.p[i].len && at < total; k++, at++) {
      if (!takes) continue;
      qm_mp_raw(out, values[at]);
      ++*count;
    }
  }
  return qm_buf_status(out);
}

/* An insert of more than one op may hold goes piece by piece, each after the one before. */
static int put_text(qm_splitting *x, uint32_t field, qm_slice text) {
  while (text.n) {
    const qm_cell *cell = qm_record_cell(&x->to->record, field, QM_SEQUENCE);
    const qm_cell empty = {field, QM_SEQUENCE, NULL};
    qm_op op = {.field = field, .shape = QM_SEQUENCE};
    size_t n = bytes_of(text, 8192), points = 0;
    if (!qm_utf8_check(qm_slice_of(text.p, n), &points)) return QM_EINTERNAL;
    op.span = points;
    if (!cell) cell = &empty;
    QM_TRY(qm_sequence_place(cell, &x->w->s->authors, qm_sequence_len(cell), &op));
    QM_TRY(qm__write_text_value(x->w, qm_slice_of(text.p, n), &op.value));
    QM_TRY(put(x, op));
    text = qm_slice_of(text.p + n, text.n - n);
  }
  return QM_OK;
}

static int put_values(qm_splitting *x, uint32_t field, qm_slice body, uint64_t count) {
  qm_buf b;
  qm_op op = {.field = field, .shape = QM_SEQUENCE, .flags = QM_OP_ROOT, .span = count};
  qm_buf_init(&b, x->w->e->env, QM_VALUE_MAX);
  qm_mp_array(&b, (size_t)count);
  qm_mp_raw(&b, body);
  int rc = qm_buf_status(&b);
  op.value = qm_buf_slice(&b);
  if (rc == QM_OK) rc = qm__write_copy(x->w, &op.value);
  if (rc == QM_OK) rc = put(x, op);
  qm_buf_free(&b);
  return rc;
}

static int split_sequence(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  const qm_field_def *f = def_of(x, field);
  qm_ranges all;
  uint32_t n = 0;
  uint64_t count = 0;
  qm_buf body;
  if (!f) return note(x, field, QM_SPLIT_LEFT); /* text or values: only the schema knows */
  QM_TRY(qm_sequence_cut(cell, qm__write_arena(x->w), 0, qm_sequence_len(cell), &all));
  qm_range *its = qm_arena_array(qm__write_arena(x->w), all.n, sizeof *its);
  if (!its) return QM_ENOMEM;
  qm_buf_init(&body, x->w->e->env, QM_RECORD_MAX);
  int text = f->type == QM_FIELD_TEXT;
  int rc = text ? its_text(x, cell, all, its, &n, &body)
                : its_values(x, cell, all, its, &n, &body, &count);
  if (rc == QM_OK && n)
    rc = text ? put_text(x, field, qm_buf_slice(&body))
              : put_values(x, field, qm_buf_slice(&body), count);
  qm_buf_free(&body);
  if (rc != QM_OK || !n) return rc;
  QM_TRY(take(x, (qm_op){.field = field,
                         .shape = QM_SEQUENCE,
                         .kind = QM_KIND_CUT,
                         .cuts = {its, n}}));
  return note(x, field, QM_SPLIT_MOVED);
}

/* --- the record --- */

static int split_cell(qm_splitting *x, uint32_t field, unsigned shape) {
  const qm_cell *cell = qm_record_cell(&x->from->record, field, shape);
  if (!cell || !field) return QM_OK;
  switch (shape) {
    case QM_SIBLINGS: return split_siblings(x, field, cell);
    case QM_KEYED: return split_set(x, field, cell);
    case QM_TOTALS: return split_counter(x, field, cell);
    case QM_ENTRIES: return split_log(x, field, cell);
    default: return split_sequence(x, field, cell);
  }
}

static int has_part(const qm_splitting *x) {
  const qm_record *r = &x->from->record;
  for (uint32_t i = 0; i < r->n_creations; i++)
    if (is_its(x, r->creations[i].dot.author)) return 1;
  return 0;
}

static int split(qm_write *w, const qm_id *record, const qm_id *device, qm_id *out,
                 const qm_split_field **fields, uint32_t *n) {
  qm_target t;
  qm_splitting x = {.w = w, .t = &t, .device = *device};
  QM_TRY(qm__write_target(w, record, 0, qm_slice_of(NULL, 0), &t));
  if (t.cls.asked == t.cls.n) return QM_ENOTFOUND;
  QM_TRY(qm__space_record(w->s, record, &x.from));
  if (x.from->record.n_creations < 2 || !has_part(&x))
    return qm_fail(&w->error, QM_EINVAL, "the record was not also created by that device");
  QM_TRY(qm__write_random_id(w, out));
  QM_TRY(qm__write_emit_new(w, qm_record_collection(&x.from->record), out));
  QM_TRY(qm__space_record(w->s, out, &x.to));
  /* Ops change cells, but make none that is not there: places stay. */
  for (uint32_t i = 0; i < x.from->record.n_cells; i++)
    QM_TRY(split_cell(&x, x.from->record.cells[i].field, x.from->record.cells[i].shape));
  *fields = x.fields;
  *n = x.n;
  return QM_OK;
}

int qm_write_split(qm_write *w, const qm_id *record, const qm_id *device, qm_id *out,
                   const qm_split_field **fields, uint32_t *n) {
  *fields = NULL;
  *n = 0;
  int rc = split(w, record, device, out, fields, n);
  /* It wrote some of it: half a split is none. */
  if (rc != QM_OK && w->change.n_ops) w->broken = 1;
  return qm__write_fail(w, rc, "split");
}
