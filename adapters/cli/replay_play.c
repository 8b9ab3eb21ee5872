/* Playing one change, and the dump of what a replica shows. */
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/replay.h"
#include "core/value.h"

/* --- playing --- */

static int str_of(qm_slice value, qm_slice *out) {
  qm_cur c;
  qm_cur_init(&c, value);
  return qm_cur_str(&c, out);
}

static int int_of(qm_slice value, int64_t *out) {
  qm_cur c;
  qm_cur_init(&c, value);
  return qm_cur_int(&c, out);
}

static int chop(qm_write *w, qm_engine *e, qm_space *s, const qm_id *id, uint32_t field,
                uint64_t n) {
  const qm_record *r;
  QM_TRY(qm_engine_read(e, s, id, NULL, &r)); /* inside the transaction: the arena is not used */
  const qm_cell *cell = qm_record_cell(r, field, QM_SEQUENCE);
  uint64_t len = cell ? qm_sequence_len(cell) : 0;
  if (n > len) n = len;
  return qm_write_splice(w, id, field, len - n, n, qm_slice_of(NULL, 0), qm_slice_of(NULL, 0));
}

static int play_line(const qm_trace *t, const qm_line *l, qm_write *w, qm_engine *e, qm_space *s) {
  const qm_trace_record *r = &t->records[l->record];
  const qm_slice none = {NULL, 0};
  uint32_t field = l->op >= QM_LINE_SET ? t->fields[l->field].number : 0;
  qm_slice text;
  int64_t delta;
  qm_id id;
  int existing;
  switch (l->op) {
    case QM_LINE_NEW:
      return qm_write_new(w, t->collections[r->collection].number, &r->id, none, &id, &existing);
    case QM_LINE_ERASE: return qm_write_delete(w, &r->id, none);
    case QM_LINE_SET: return qm_write_set(w, &r->id, field, l->value, none, 0);
    case QM_LINE_ADD: return qm_write_add(w, &r->id, field, l->value, 0);
    case QM_LINE_REMOVE: return qm_write_remove(w, &r->id, field, l->value, none);
    case QM_LINE_INC:
      QM_TRY(int_of(l->value, &delta));
      return qm_write_inc(w, &r->id, field, delta);
    case QM_LINE_APPEND:
      QM_TRY(str_of(l->value, &text));
      return qm_write_splice(w, &r->id, field, UINT64_MAX, 0, text, none);
    case QM_LINE_CHOP: return chop(w, e, s, &r->id, field, l->n);
    default: return QM_EINVAL;
  }
}

int qm_trace_play(const qm_trace *t, uint32_t first, uint32_t end, qm_engine *e, qm_space *s,
                  qm_error *err) {
  return qm_trace_play_as(t, first, end, e, s, QM_DURABLE, err);
}

int qm_trace_play_as(const qm_trace *t, uint32_t first, uint32_t end, qm_engine *e, qm_space *s,
                     qm_durability durability, qm_error *err) {
  qm_write *w;
  qm_engine_clock_fix(e, t->lines[first].t);
  int rc = qm_write_begin(&w, e, s, QM_WRITE_RAW);
  if (rc != QM_OK) return qm_fail(err, rc, "replay: %s", qm_err_text(rc));
  for (uint32_t i = first; i < end; i++) {
    rc = play_line(t, &t->lines[i], w, e, s);
    if (rc == QM_OK) continue;
    qm_fail(err, rc, "replay: op %u: %s", i + 1, qm_write_error(w)->message);
    qm_write_cancel(w);
    return rc;
  }
  rc = qm_write_commit(w, durability);
  return rc == QM_OK ? rc : qm_fail(err, rc, "replay: saving: %s", qm_err_text(rc));
}

/* --- dump --- */

typedef struct qm_dumper {
  const qm_trace *t;
  qm_engine *e;
  qm_buf *out;
  const uint32_t *order; /* fields, by name bytewise */
} qm_dumper;

static int slice_order(qm_slice a, qm_slice b) { return qm_slice_cmp(a, b); }

static int element_cmp(const void *a, const void *b) {
  qm_slice x = *(const qm_slice *)a, y = *(const qm_slice *)b, tx, ty;
  if (str_of(x, &tx) == QM_OK && str_of(y, &ty) == QM_OK) return slice_order(tx, ty);
  return slice_order(x, y);
}

static void put_text(qm_buf *out, const char *s) { qm_buf_add(out, s, strlen(s)); }

static void put_key(qm_buf *out, qm_slice name, int first) {
  if (!first) qm_buf_byte(out, ',');
  qm_json_str(out, name);
  qm_buf_byte(out, ':');
}

static int dump_set(qm_buf *out, const qm_cell *cell, qm_arena *arena) {
  const qm_keyed *k = qm_keyed_of(cell);
  qm_slice *p = qm_arena_array(arena, k->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < k->n; i++) p[i] = k->p[i].value;
  qsort(p, k->n, sizeof *p, element_cmp);
  qm_buf_byte(out, '[');
  for (uint32_t i = 0; i < k->n; i++) {
    if (i) qm_buf_byte(out, ',');
    QM_TRY(qm_value_json(out, p[i]));
  }
  qm_buf_byte(out, ']');
  return QM_OK;
}

static int dump_counter(qm_buf *out, const qm_cell *cell) {
  int64_t sum;
  char digits[24];
  int negative, n = (int)sizeof digits;
  if (qm_totals_sum(qm_totals_of(cell), &sum) != QM_OK) {
    put_text(out, "\"out of range\"");
    return QM_OK;
  }
  negative = sum < 0;
  uint64_t u = negative ? 0 - (uint64_t)sum : (uint64_t)sum;
  do digits[--n] = (char)('0' + u % 10);
  while (u /= 10);
  if (negative) digits[--n] = '-';
  qm_buf_add(out, digits + n, sizeof digits - (size_t)n);
  return QM_OK;
}

static int dump_text(qm_dumper *d, const qm_cell *cell) {
  qm_buf text;
  qm_buf_init(&text, d->t->env, 64u << 20);
  qm_sequence_text(cell, &text);
  int rc = qm_buf_status(&text);
  if (rc == QM_OK) qm_json_str(d->out, qm_buf_slice(&text));
  qm_buf_free(&text);
  return rc;
}

static int dump_field(qm_dumper *d, const qm_space *s, const qm_cell *cell, qm_arena *arena) {
  qm_contest c;
  switch (cell->shape) {
    case QM_KEYED: return dump_set(d->out, cell, arena);
    case QM_TOTALS: return dump_counter(d->out, cell);
    case QM_SEQUENCE: return dump_text(d, cell);
    default:
      QM_TRY(qm_read_contest(s, NULL, cell, arena, &c));
      return qm_value_json(d->out, c.shown->value);
  }
}

static const qm_cell *cell_of(const qm_record *r, const qm_trace_field *f) {
  static const uint8_t shape[] = {[QM_FIELD_REGISTER] = QM_SIBLINGS,
                                  [QM_FIELD_SET] = QM_KEYED,
                                  [QM_FIELD_COUNTER] = QM_TOTALS,
                                  [QM_FIELD_TEXT] = QM_SEQUENCE};
  const qm_cell *cell = qm_record_cell(r, f->number, shape[f->type]);
  return cell && cell->shape == QM_SEQUENCE && !qm_sequence_len(cell) ? NULL : cell;
}

static int dump_conflicts(qm_dumper *d, const qm_space *s, const qm_record *r, uint32_t collection,
                          qm_arena *arena) {
  int any = 0;
  for (uint32_t i = 0; i < d->t->n_fields; i++) {
    const qm_trace_field *f = &d->t->fields[d->order[i]];
    const qm_cell *cell =
        f->collection == collection && f->type == QM_FIELD_REGISTER ? cell_of(r, f) : NULL;
    qm_contest c;
    if (!cell) continue;
    QM_TRY(qm_read_contest(s, NULL, cell, arena, &c));
    if (!c.n_others) continue;
    if (!any) put_text(d->out, "\"conflicts\":{");
    put_key(d->out, f->name, !any);
    any = 1;
    for (uint32_t k = 0; k < c.n_others; k++) {
      qm_buf_byte(d->out, k ? ',' : '[');
      QM_TRY(qm_value_json(d->out, c.others[k].sibling->value));
    }
    qm_buf_byte(d->out, ']');
  }
  if (any) put_text(d->out, "},");
  return QM_OK;
}

static int dump_record(qm_dumper *d, const qm_space *s, const qm_record *r,
                       const qm_trace_record *tr, qm_arena *arena) {
  int first = 1;
  put_text(d->out, "{\"c\":");
  qm_json_str(d->out, d->t->collections[tr->collection].name);
  qm_buf_byte(d->out, ',');
  QM_TRY(dump_conflicts(d, s, r, tr->collection, arena));
  put_text(d->out, "\"fields\":{");
  for (uint32_t i = 0; i < d->t->n_fields; i++) {
    const qm_trace_field *f = &d->t->fields[d->order[i]];
    const qm_cell *cell = f->collection == tr->collection ? cell_of(r, f) : NULL;
    if (!cell) continue;
    put_key(d->out, f->name, first);
    first = 0;
    QM_TRY(dump_field(d, s, cell, arena));
  }
  put_text(d->out, "},\"r\":");
  qm_json_str(d->out, tr->name);
  put_text(d->out, "}\n");
  return qm_buf_status(d->out);
}

typedef struct qm_sort {
  qm_slice name;
  qm_slice second;
  uint32_t index;
} qm_sort;

static int sort_cmp(const void *a, const void *b) {
  const qm_sort *x = a, *y = b;
  int c = slice_order(x->name, y->name);
  return c ? c : slice_order(x->second, y->second);
}

static int read_anywhere(qm_dumper *d, const qm_id *id, qm_arena *arena, qm_space **s,
                         const qm_record **r) {
  for (uint32_t i = 0; i < qm_engine_space_count(d->e); i++) {
    *s = qm_engine_space_at(d->e, i);
    int rc = qm_engine_read(d->e, *s, id, arena, r);
    if (rc != QM_ENOTFOUND) return rc;
  }
  return QM_ENOTFOUND;
}

int qm_trace_dump(const qm_trace *t, qm_engine *e, qm_buf *out, uint64_t *records) {
  qm_dumper d = {t, e, out, NULL};
  qm_sort *s = qm_alloc_array(t->env, (size_t)t->n_records + t->n_fields + 1, sizeof *s);
  uint32_t *order = qm_alloc_array(t->env, t->n_fields + 1, sizeof *order);
  qm_arena arena;
  int rc = s && order ? QM_OK : QM_ENOMEM;
  *records = 0;
  qm_arena_init(&arena, t->env, (size_t)1 << 30);
  for (uint32_t i = 0; i < t->n_fields && rc == QM_OK; i++)
    s[i] = (qm_sort){t->fields[i].name, {NULL, 0}, i};
  if (rc == QM_OK) qsort(s, t->n_fields, sizeof *s, sort_cmp);
  for (uint32_t i = 0; i < t->n_fields && rc == QM_OK; i++) order[i] = s[i].index;
  d.order = order;
  for (uint32_t i = 0; i < t->n_records && rc == QM_OK; i++)
    s[i] = (qm_sort){t->collections[t->records[i].collection].name, t->records[i].name, i};
  if (rc == QM_OK) qsort(s, t->n_records, sizeof *s, sort_cmp);
  for (uint32_t i = 0; i < t->n_records && rc == QM_OK; i++) {
    const qm_trace_record *tr = &t->records[s[i].index];
    qm_space *space;
    const qm_record *r;
    qm_arena_reset(&arena);
    rc = read_anywhere(&d, &tr->id, &arena, &space, &r);
    if (rc == QM_ENOTFOUND || (rc == QM_OK && !qm_record_visible(r)))
      rc = QM_OK;
    else if (rc == QM_OK)
      rc = dump_record(&d, space, r, tr, &arena), ++*records;
  }
  qm_arena_free(&arena);
  qm_free(t->env, order);
  qm_free(t->env, s);
  return rc;
}
