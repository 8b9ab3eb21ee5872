/* Splitting a record that two people created under one key (S3.20): what one device wrote
 * goes to a record of its own. */
#include <string.h>

#include "core/write_int.h"

#define COUNT_OPS_MAX 1024u

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

static int add_dots(qm_splitting *x, qm_dots *to, qm_dots more) {
  qm_dot *p = qm_arena_array(qm__write_arena(x->w), (size_t)to->n + more.n, sizeof *p);
  if (!p) return QM_ENOMEM;
  if (to->n) memcpy(p, to->p, to->n * sizeof *p);
  if (more.n) memcpy(p + to->n, more.p, more.n * sizeof *p);
  *to = (qm_dots){p, to->n + more.n};
  return to->n <= UINT16_MAX ? QM_OK : QM_ELIMIT;
}

/* What stays, in place of itself and of what goes. It names what it named (S3.19): else the
 * values of merged records that it hides would come back. Other values of the device stay where
 * they are, on the review list: one change can leave but one value in a cell of the new record,
 * since an op replaces what its own change wrote before (S3.3), and none may be lost. */
static int take_siblings(qm_splitting *x, uint32_t field, const qm_siblings *its,
                         const qm_siblings *rest, qm_slice moved, qm_slice left) {
  qm_op op = {.field = field, .shape = QM_SIBLINGS, .kind = QM_KIND_BESIDE,
              .flags = QM_OP_LISTED, .value = left};
  qm_dot *dots = qm_arena_array(qm__write_arena(x->w), (size_t)its->n + rest->n, sizeof *dots);
  uint32_t n = 0;
  if (!dots) return QM_ENOMEM;
  for (uint32_t i = 0; i < its->n; i++)
    if (qm_slice_cmp(its->p[i].value, moved) == 0) dots[n++] = its->p[i].dot;
  for (uint32_t i = 0; i < rest->n; i++) {
    const qm_sibling *s = &rest->p[i];
    if (qm_slice_cmp(s->value, left) != 0) continue;
    dots[n++] = s->dot;
    QM_TRY(add_dots(x, &op.hides, qm_sibling_hides(s)));
    QM_TRY(add_dots(x, &op.keeps, qm_sibling_keeps(s)));
  }
  op.dots = (qm_dots){dots, n};
  if (op.hides.n || op.keeps.n) op.flags |= QM_OP_NAMES;
  return take(x, op);
}

/* A sibling does not leave but by a write, so what stays is written once more. */
static int split_siblings(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  static const uint8_t nil[1] = {0xc0};
  const qm_siblings *v = qm_siblings_of(cell);
  const qm_field_def *f = def_of(x, field);
  const qm_sibling *goes, *stays = NULL;
  qm_siblings its, rest;
  QM_TRY(part_of(x, v, 1, &its));
  if (!its.n) return QM_OK;
  QM_TRY(part_of(x, v, 0, &rest));
  QM_TRY(shown_of(x, field, &its, &goes));
  if (rest.n) QM_TRY(shown_of(x, field, &rest, &stays));
  qm_slice left = stays ? stays->value : qm_slice_of(nil, 1);
  int leaves = stays || (f && qm_field_value_check(f, left, NULL) == QM_OK);
  QM_TRY(put(x, (qm_op){.field = field, .shape = QM_SIBLINGS, .value = goes->value}));
  if (leaves) QM_TRY(take_siblings(x, field, &its, &rest, goes->value, left));
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

static int move_count(qm_splitting *x, uint32_t field, int64_t delta) {
  qm_op op = {.field = field, .shape = QM_TOTALS};
  QM_TRY(qm__write_int_value(x->w, delta, &op.value));
  QM_TRY(put(x, op));
  QM_TRY(qm__write_int_value(x->w, -delta, &op.value));
  return take(x, op);
}

/* An op moves at most 63 bits; a sum beyond that, which people do not reach, takes several. */
static int split_counter(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  const qm_totals *v = qm_totals_of(cell);
  qm_wide sum = {0, 0};
  for (uint32_t i = 0; i < v->n; i++)
    if (is_its(x, v->p[i].author)) sum = qm_wide_add(sum, v->p[i].sum);
  if (qm_wide_is_zero(sum)) return QM_OK;
  for (uint32_t ops = 0; !qm_wide_is_zero(sum); ops++) {
    int64_t most = qm_wide_is_negative(sum) ? -INT64_MAX : INT64_MAX;
    int64_t delta = qm_wide_fits(sum) && qm_wide_int(sum) != INT64_MIN ? qm_wide_int(sum) : most;
    if (ops == COUNT_OPS_MAX)
      return qm_fail(&x->w->error, QM_ELIMIT, "the counter is too far out of range");
    QM_TRY(move_count(x, field, delta));
    sum = qm_wide_add(sum, qm_wide_of(-delta));
  }
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

/* Places `op` behind what the new record's field has. */
static int put_behind(qm_splitting *x, qm_op op) {
  const qm_cell *cell = qm_record_cell(&x->to->record, op.field, QM_SEQUENCE);
  const qm_cell empty = {op.field, QM_SEQUENCE, NULL};
  op.shape = QM_SEQUENCE;
  if (!cell) cell = &empty;
  QM_TRY(qm_sequence_place(cell, &x->w->s->authors, qm_sequence_len(cell), &op));
  return put(x, op);
}

/* An insert of more than one op may hold goes piece by piece. */
static int put_text(qm_splitting *x, uint32_t field, qm_slice text) {
  while (text.n) {
    qm_op op = {.field = field};
    size_t n = bytes_of(text, 8192), points = 0;
    if (!qm_utf8_check(qm_slice_of(text.p, n), &points)) return QM_EINTERNAL;
    op.span = points;
    QM_TRY(qm__write_text_value(x->w, qm_slice_of(text.p, n), &op.value));
    QM_TRY(put_behind(x, op));
    text = qm_slice_of(text.p + n, text.n - n);
  }
  return QM_OK;
}

static int put_array(qm_splitting *x, uint32_t field, const qm_slice *p, uint32_t n) {
  qm_buf b;
  qm_op op = {.field = field, .span = n};
  qm_buf_init(&b, x->w->e->env, QM_VALUE_MAX + 8);
  qm_mp_array(&b, n);
  for (uint32_t i = 0; i < n; i++) qm_mp_raw(&b, p[i]);
  int rc = qm_buf_status(&b);
  op.value = qm_buf_slice(&b);
  if (rc == QM_OK) rc = qm__write_copy(x->w, &op.value);
  if (rc == QM_OK) rc = put_behind(x, op);
  qm_buf_free(&b);
  return rc;
}

static int put_values(qm_splitting *x, uint32_t field, const qm_slice *p, uint32_t n) {
  for (uint32_t at = 0; at < n;) {
    size_t bytes = p[at].n;
    uint32_t count = 1;
    while (at + count < n && bytes + p[at + count].n <= QM_VALUE_MAX - 8)
      bytes += p[at + count++].n;
    QM_TRY(put_array(x, field, p + at, count));
    at += count;
  }
  return QM_OK;
}

/* The elements that are the device's: what each is as text and as a value, in order. */
typedef struct qm_elements {
  qm_slice *texts, *values;
  uint32_t n;
} qm_elements;

static int its_elements(qm_splitting *x, const qm_cell *cell, qm_ranges all, qm_range *its,
                        uint32_t *n_its, qm_buf *text, qm_elements *out) {
  qm_arena *arena = qm__write_arena(x->w);
  qm_slice *values;
  uint32_t total, at = 0;
  QM_TRY(qm_sequence_values(cell, arena, &values, &total));
  qm_sequence_text(cell, text);
  QM_TRY(qm_buf_status(text));
  qm_slice rest = qm_buf_slice(text);
  out->texts = qm_arena_array(arena, total, sizeof *out->texts);
  out->values = qm_arena_array(arena, total, sizeof *out->values);
  if (!out->texts || !out->values) return QM_ENOMEM;
  for (uint32_t i = 0; i < all.n; i++) {
    int takes = is_its(x, all.p[i].author);
    if (takes) its[(*n_its)++] = all.p[i];
    for (uint64_t k = 0; k < all.p[i].len && at < total; k++, at++) {
      size_t bytes = bytes_of(rest, 1);
      if (takes) {
        out->texts[out->n] = qm_slice_of(rest.p, bytes);
        out->values[out->n++] = values[at];
      }
      rest = qm_slice_of(rest.p + bytes, rest.n - bytes);
    }
  }
  return QM_OK;
}

/* Of a field that the schema knows it says what its elements are; else an element is text
 * where both readings say the same. */
static int is_text(const qm_field_def *f, const qm_elements *e, uint32_t i) {
  qm_cur c;
  qm_slice s;
  if (f) return f->type == QM_FIELD_TEXT;
  qm_cur_init(&c, e->values[i]);
  return qm_cur_str(&c, &s) == QM_OK && qm_slice_cmp(s, e->texts[i]) == 0;
}

static int put_stretch(qm_splitting *x, uint32_t field, int text, const qm_elements *e,
                       uint32_t from, uint32_t to) {
  qm_buf b;
  if (!text) return put_values(x, field, e->values + from, to - from);
  qm_buf_init(&b, x->w->e->env, QM_RECORD_MAX);
  for (uint32_t i = from; i < to; i++) qm_buf_add(&b, e->texts[i].p, e->texts[i].n);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = put_text(x, field, qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

static int put_elements(qm_splitting *x, uint32_t field, const qm_elements *e) {
  const qm_field_def *f = def_of(x, field);
  for (uint32_t from = 0, to; from < e->n; from = to) {
    int text = is_text(f, e, from);
    for (to = from + 1; to < e->n && is_text(f, e, to) == text;) to++;
    QM_TRY(put_stretch(x, field, text, e, from, to));
  }
  return QM_OK;
}

static int split_sequence(qm_splitting *x, uint32_t field, const qm_cell *cell) {
  qm_elements e = {.n = 0};
  qm_ranges all;
  qm_buf text;
  uint32_t n = 0;
  QM_TRY(qm_sequence_cut(cell, qm__write_arena(x->w), 0, qm_sequence_len(cell), &all));
  qm_range *its = qm_arena_array(qm__write_arena(x->w), all.n, sizeof *its);
  if (!its) return QM_ENOMEM;
  qm_buf_init(&text, x->w->e->env, QM_RECORD_MAX);
  int rc = its_elements(x, cell, all, its, &n, &text, &e);
  if (rc == QM_OK) rc = put_elements(x, field, &e);
  qm_buf_free(&text);
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
  if (rc == QM_OK) w->moved = 1;
  /* It wrote some of it: half a split is none. */
  if (rc != QM_OK && w->change.n_ops) w->broken = 1;
  return qm__write_fail(w, rc, "split");
}
