/* project_row.c: one record into its rows. Only what differs is written. */
#include <string.h>

#include "adapters/sqlite/project_impl.h"
#include "core/class_ref.h"
#include "core/crdt/presence.h"
#include "core/ledger.h"

/* A value as SQLite holds it. */
typedef struct cell {
  enum { CELL_NULL, CELL_INT, CELL_REAL, CELL_TEXT, CELL_BLOB } kind;
  int64_t i;
  double d;
  qm_slice s;
} cell;

static const cell nothing = {CELL_NULL, 0, 0, {NULL, 0}};

static cell of_int(int64_t v) { return (cell){.kind = CELL_INT, .i = v}; }
static cell of_text(qm_slice s) { return (cell){.kind = CELL_TEXT, .s = s}; }

static int bind_cell(sqlite3_stmt *st, int at, const cell *c) {
  switch (c->kind) {
    case CELL_INT: return sqlite3_bind_int64(st, at, c->i);
    case CELL_REAL: return sqlite3_bind_double(st, at, c->d);
    case CELL_TEXT: /* a NULL pointer would bind NULL */
      return sqlite3_bind_text64(st, at, c->s.n ? (const char *)c->s.p : "", c->s.n, SQLITE_STATIC,
                                 SQLITE_UTF8);
    case CELL_BLOB:
      if (!c->s.n) return sqlite3_bind_zeroblob(st, at, 0);
      return sqlite3_bind_blob64(st, at, c->s.p, c->s.n, SQLITE_STATIC);
    default: return sqlite3_bind_null(st, at);
  }
}

static int column_is(sqlite3_stmt *st, int at, const cell *c) {
  int type = sqlite3_column_type(st, at);
  switch (c->kind) {
    case CELL_NULL: return type == SQLITE_NULL;
    case CELL_INT: return type == SQLITE_INTEGER && sqlite3_column_int64(st, at) == c->i;
    case CELL_TEXT:
      return type == SQLITE_TEXT && qm_slice_cmp(qm__db_blob(st, at), c->s) == 0;
    default: return 0; /* written again rather than compared */
  }
}

/* ---- values ---- */

/* JSON, or what else needs room, in the record's arena. */
static int from_scratch(qm_projection *p, cell *out) {
  QM_TRY(qm_buf_status(&p->scratch));
  uint8_t *copy = qm_arena_copy(&p->arena, p->scratch.p, p->scratch.n);
  if (!copy) return QM_ENOMEM;
  *out = of_text(qm_slice_of(copy, p->scratch.n));
  return QM_OK;
}

static int json_cell(qm_projection *p, qm_slice value, cell *out) {
  qm_buf_clear(&p->scratch);
  QM_TRY(qm_value_json(&p->scratch, value));
  return from_scratch(p, out);
}

static int ids_cell(qm_projection *p, const qm_id *ids, size_t n, cell *out) {
  char text[32];
  qm_buf_clear(&p->scratch);
  for (size_t i = 0; i < n; i++) {
    qm_base32(text, ids[i].b, sizeof ids[i].b);
    if (i) qm_buf_byte(&p->scratch, '/');
    qm_buf_add(&p->scratch, text, strlen(text));
  }
  return from_scratch(p, out);
}

static int is_space_ref(qm_slice value, qm_id ids[2]) {
  qm_cur c;
  qm_cur_init(&c, value);
  if (qm_cur_array_n(&c, 2) != QM_OK) return 0;
  if (qm_cur_bin_n(&c, ids[0].b, QM_ID_SIZE) != QM_OK) return 0;
  return qm_cur_bin_n(&c, ids[1].b, QM_ID_SIZE) == QM_OK && qm_cur_end(&c) == QM_OK;
}

static int bin_cell(qm_projection *p, unsigned kind, qm_slice s, cell *out) {
  qm_id id;
  *out = (cell){.kind = CELL_BLOB, .s = s};
  if (kind != QM_VALUE_REF || s.n != QM_ID_SIZE) return QM_OK;
  memcpy(id.b, s.p, QM_ID_SIZE);
  return ids_cell(p, &id, 1, out);
}

/* S16.5. kind: of the field, tells ids from bytes. */
static int value_cell(qm_projection *p, unsigned kind, qm_slice value, cell *out) {
  qm_cur c;
  qm_id ids[2];
  qm_mp_token t;
  *out = nothing;
  if (!value.n) return QM_OK;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  switch (t.type) {
    case QM_MP_NIL: return QM_OK;
    case QM_MP_BOOL: *out = of_int(t.u != 0); return QM_OK;
    case QM_MP_NINT: *out = of_int(t.i); return QM_OK;
    case QM_MP_UINT:
      if (t.u > INT64_MAX) return json_cell(p, value, out);
      *out = of_int((int64_t)t.u);
      return QM_OK;
    case QM_MP_F64: *out = (cell){.kind = CELL_REAL, .d = t.f}; return QM_OK;
    case QM_MP_STR: *out = of_text(t.span); return QM_OK;
    case QM_MP_BIN: return bin_cell(p, kind, t.span, out);
    case QM_MP_EXT: /* sealed, erased: nothing to show */
      return t.ext == QM_EXT_POINT ? json_cell(p, value, out) : QM_OK;
    default:
      if (kind == QM_VALUE_SPACE_REF && is_space_ref(value, ids)) return ids_cell(p, ids, 2, out);
      return json_cell(p, value, out);
  }
}

static int32_t be32(const uint8_t *p) {
  return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

/* Latitude and longitude of a point in degrees. */
static void point_cells(qm_slice value, cell out[2]) {
  qm_cur c;
  qm_mp_token t;
  out[0] = out[1] = nothing;
  qm_cur_init(&c, value);
  if (qm_cur_token(&c, &t) != QM_OK || t.type != QM_MP_EXT || t.ext != QM_EXT_POINT ||
      t.span.n < 8)
    return;
  out[0] = (cell){.kind = CELL_REAL, .d = be32(t.span.p) / 1e7};
  out[1] = (cell){.kind = CELL_REAL, .d = be32(t.span.p + 4) / 1e7};
}

/* ---- what is searched ---- */

static void add_search(qm_projection *p, unsigned search, const cell *c) {
  if (search == QM__SEARCH_NOT || c->kind != CELL_TEXT || !c->s.n) return;
  qm_buf *to = search == QM__SEARCH_TITLE ? &p->title : &p->body;
  if (to->n) qm_buf_byte(to, '\n');
  qm_buf_add(to, c->s.p, c->s.n);
}

static int is_str(qm_slice value) {
  qm_cur c;
  qm_mp_type type;
  qm_cur_init(&c, value);
  return value.n && qm_cur_peek(&c, &type) == QM_OK && type == QM_MP_STR;
}

/* ---- the main row ---- */

typedef struct projecting {
  qm_projection *p;
  qm_space *s;
  const qm_record *r;
  const qm_collection_def *c;
  const qm__ptable *t;
  cell *cells; /* of the main row */
  uint32_t conflicts;
} projecting;

static int siblings_cell(projecting *x, const qm_field_def *f, const qm_cell *from,
                         const qm__pfield *to) {
  qm_contest contest;
  cell c = nothing;
  QM_TRY(qm_read_contest(x->s, f, from, &x->p->arena, &contest));
  x->conflicts += contest.n_others > 0;
  if (!contest.shown) return QM_OK;
  qm_slice value = contest.shown->value;
  int proposed = qm_field_proposed(f, value);
  if (proposed) value = qm_slice_of(value.p + 1, value.n - 1); /* its item */
  QM_TRY(value_cell(x->p, f->value, value, &c));
  if (is_str(contest.shown->value)) add_search(x->p, to->search, &c);
  if (to->column == QM__NO_COLUMN) return QM_OK;
  x->cells[to->column] = c;
  if (f->value == QM_VALUE_POINT) point_cells(contest.shown->value, &x->cells[to->column + 1]);
  if (to->proposes) x->cells[to->column + 1] = of_int(proposed);
  return QM_OK;
}

static int text_cell(projecting *x, const qm_cell *from, const qm__pfield *to) {
  cell c;
  qm_buf_clear(&x->p->scratch);
  for (; from; from = qm_record_cell_next(x->r, from)) qm_sequence_text(from, &x->p->scratch);
  QM_TRY(from_scratch(x->p, &c));
  add_search(x->p, to->search, &c);
  if (c.s.n && to->column != QM__NO_COLUMN) x->cells[to->column] = c;
  return QM_OK;
}

static int main_cells(projecting *x) {
  for (uint32_t i = 0, k = 0; i < x->t->n_fields; i++) {
    const qm__pfield *to = &x->t->fields[i];
    while (k < x->c->n_fields && x->c->fields[k].number < to->number) k++;
    const qm_field_def *f = k < x->c->n_fields ? &x->c->fields[k] : NULL;
    if (!f || f->number != to->number) continue; /* of a newer schema than this space's */
    const qm_cell *from = qm_record_cell(x->r, f->number, qm_field_shape(f));
    int64_t sum;
    if (!from) continue;
    if (from->shape == QM_SIBLINGS) QM_TRY(siblings_cell(x, f, from, to));
    else if (f->type == QM_FIELD_TEXT) QM_TRY(text_cell(x, from, to));
    else if (f->type == QM_FIELD_COUNTER && to->column != QM__NO_COLUMN &&
             qm_totals_sum(qm_totals_of(from), &sum) == QM_OK)
      x->cells[to->column] = of_int(sum);
  }
  return QM_OK;
}

static int end(qm_projection *p, sqlite3_stmt *st, int rc) {
  int failed = rc == SQLITE_DONE || rc == SQLITE_ROW || rc == SQLITE_OK ? QM_OK
                                                                         : qm__db_error(p->db, rc);
  if (st) {
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
  }
  return failed;
}

/* The row of a record, 0 where it has none. */
static int find_row(qm_projection *p, qm__ptable *t, uint32_t space, const char *id,
                    int64_t *out) {
  sqlite3_stmt *st;
  *out = 0;
  QM_TRY(qm__made_start(p->db, &t->find, &st));
  sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(st, 2, space);
  int rc = sqlite3_step(st);
  if (rc == SQLITE_ROW) *out = sqlite3_column_int64(st, 0);
  return end(p, st, rc);
}

static int bind_row(projecting *x, const qm__ptable *t, sqlite3_stmt *st) {
  int rc = sqlite3_bind_int64(st, 4, x->conflicts);
  for (uint32_t i = 0; i < t->n_columns && rc == SQLITE_OK; i++)
    rc = bind_cell(st, (int)i + 5, &x->cells[i]);
  return rc;
}

static int put_fresh(projecting *x, qm__ptable *t, uint32_t space, const char *id, int64_t *row) {
  sqlite3_stmt *st;
  QM_TRY(qm__made_start(x->p->db, &t->insert, &st));
  sqlite3_bind_int64(st, 1, qm__row_first(space, t->object->ordinal));
  sqlite3_bind_int64(st, 2, space);
  sqlite3_bind_text(st, 3, id, -1, SQLITE_STATIC);
  int rc = bind_row(x, t, st);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  if (rc == SQLITE_DONE) *row = sqlite3_last_insert_rowid(x->p->db->h);
  return end(x->p, st, rc);
}

/* *changed: it wrote. */
static int put_changed(projecting *x, qm__ptable *t, qm__made *how, int64_t row, int *changed) {
  sqlite3_stmt *st;
  QM_TRY(qm__made_start(x->p->db, how, &st));
  sqlite3_bind_int64(st, 1, row);
  int rc = bind_row(x, t, st);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  *changed = rc == SQLITE_DONE && sqlite3_changes(x->p->db->h) > 0;
  return end(x->p, st, rc);
}

static int put_main(projecting *x, qm__ptable *t, uint32_t space, const char *id, int64_t *row) {
  int changed = 0;
  if (*row == 0) return put_fresh(x, t, space, id, row);
  if (t->touch.text) QM_TRY(put_changed(x, t, &t->touch, *row, &changed));
  return changed ? QM_OK : put_changed(x, t, &t->update, *row, &changed);
}

/* ---- rows of sets and lists ---- */

static int put_value(qm_projection *p, qm__pfield *f, int64_t row, uint32_t n, const cell *c) {
  sqlite3_stmt *st;
  QM_TRY(qm__made_start(p->db, &f->put, &st));
  sqlite3_bind_int64(st, 1, row);
  sqlite3_bind_int64(st, 2, n);
  int rc = bind_cell(st, 3, c);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  return end(p, st, rc);
}

static int cut_rows(qm_projection *p, qm__pfield *f, int64_t row, uint32_t from) {
  sqlite3_stmt *st;
  QM_TRY(qm__made_start(p->db, &f->cut, &st));
  sqlite3_bind_int64(st, 1, row);
  sqlite3_bind_int64(st, 2, from);
  return end(p, st, sqlite3_step(st));
}

/* same[i]: row i holds cells[i]; *there: how many rows there are. */
static int compare_rows(qm_projection *p, qm__pfield *f, int64_t row, const cell *cells,
                        uint8_t *same, uint32_t n, uint32_t *there) {
  sqlite3_stmt *st;
  int rc;
  *there = 0;
  QM_TRY(qm__made_start(p->db, &f->read, &st));
  sqlite3_bind_int64(st, 1, row);
  while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
    if (*there < n) same[*there] = (uint8_t)column_is(st, 0, &cells[*there]);
    ++*there;
  }
  return end(p, st, rc);
}

static int put_rows(qm_projection *p, qm__pfield *f, int64_t row, const cell *cells, uint32_t n) {
  uint32_t there = 0;
  uint8_t *same = qm_arena_zero(&p->arena, (size_t)n + 1);
  if (!same) return QM_ENOMEM;
  QM_TRY(compare_rows(p, f, row, cells, same, n, &there));
  for (uint32_t i = 0; i < n; i++)
    if (!same[i]) QM_TRY(put_value(p, f, row, i, &cells[i]));
  return there > n ? cut_rows(p, f, row, n) : QM_OK;
}

/* Of each member of a class, one list after the other. */
static int list_values(projecting *x, const qm_cell *from, qm_slice **out, uint32_t *n) {
  for (; from; from = qm_record_cell_next(x->r, from)) {
    qm_slice *values;
    uint32_t count;
    QM_TRY(qm_sequence_values(from, &x->p->arena, &values, &count));
    *out = qm_arena_grow(&x->p->arena, *out, *n, (size_t)*n + count, sizeof **out);
    if (!*out) return QM_ENOMEM;
    if (count) memcpy(*out + *n, values, count * sizeof *values);
    *n += count;
  }
  return QM_OK;
}

static int values_of(projecting *x, const qm_cell *from, qm_slice **out, uint32_t *n) {
  if (!from) return QM_OK;
  if (from->shape == QM_SEQUENCE) return list_values(x, from, out, n);
  const qm_keyed *k = qm_keyed_of(from);
  *n = k->n;
  *out = qm_arena_array(&x->p->arena, k->n, sizeof **out);
  if (!*out) return QM_ENOMEM;
  for (uint32_t i = 0; i < k->n; i++) (*out)[i] = k->p[i].value;
  return QM_OK;
}

static int put_values(projecting *x, const qm_field_def *f, const qm_cell *from, qm__pfield *to,
                      int64_t row) {
  qm_slice *values = NULL;
  uint32_t n = 0;
  QM_TRY(values_of(x, from, &values, &n));
  cell *cells = qm_arena_array(&x->p->arena, n, sizeof *cells);
  if (!cells) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    if (f->value == QM_VALUE_REF && f->type == QM_FIELD_LIST)
      QM_TRY(qm_class_ref_value(x->p->engine, x->s, values[i], QM_CLASS_COMMITTED, &x->p->arena,
                                &values[i]));
    QM_TRY(value_cell(x->p, f->value, values[i], &cells[i]));
    if (is_str(values[i])) add_search(x->p, to->search, &cells[i]);
  }
  return put_rows(x->p, to, row, cells, n);
}

/* ---- rows of logs ---- */

/* *n: rows there are; *last: the dot of the last one. */
static int last_entry(qm_projection *p, qm__pfield *f, int64_t row, uint32_t *n, qm_dot *last) {
  sqlite3_stmt *st;
  *n = 0;
  QM_TRY(qm__made_start(p->db, &f->last, &st));
  sqlite3_bind_int64(st, 1, row);
  int rc = sqlite3_step(st);
  if (rc == SQLITE_ROW) {
    *n = qm__db_u32(st, 0) + 1;
    last->author = qm__db_u32(st, 1);
    last->counter = qm__db_u64(st, 2);
  }
  return end(p, st, rc);
}

/* The number of an entry: itself, or the "amount" of a map. */
static int amount_cell(qm_projection *p, qm_slice value, const cell *whole, cell *out) {
  qm_cur c;
  qm_mp_type type;
  uint32_t pairs = 0;
  *out = whole->kind == CELL_INT || whole->kind == CELL_REAL ? *whole : nothing;
  qm_cur_init(&c, value);
  if (!value.n || qm_cur_peek(&c, &type) != QM_OK || type != QM_MP_MAP) return QM_OK;
  QM_TRY(qm_cur_map(&c, &pairs));
  for (uint32_t i = 0; i < pairs; i++) {
    qm_slice key, member;
    QM_TRY(qm_cur_str(&c, &key));
    QM_TRY(qm_cur_value(&c, QM_VALUE_DEPTH + 1, &member));
    if (key.n != 6 || memcmp(key.p, "amount", 6) != 0) continue;
    QM_TRY(value_cell(p, QM_VALUE_ANY, member, out));
    if (out->kind != CELL_INT && out->kind != CELL_REAL) *out = nothing;
  }
  return QM_OK;
}

/* What the entry is called, and the one that it reverses. */
static int bind_ledger(sqlite3_stmt *st, const qm_space *s, qm_dot dot, qm_slice value) {
  char name[QM_ENTRY_NAME_SIZE];
  qm_slice reverses = qm_entry_reverses(value);
  qm_entry_name(qm_space_authors(s), dot, name);
  int rc = sqlite3_bind_text(st, 9, name, -1, SQLITE_TRANSIENT);
  if (rc == SQLITE_OK && reverses.n)
    rc = sqlite3_bind_text64(st, 10, (const char *)reverses.p, reverses.n, SQLITE_TRANSIENT,
                             SQLITE_UTF8);
  return rc;
}

static int put_entry(projecting *x, const qm_field_def *f, qm__pfield *to, int64_t row, uint32_t n,
                     const qm_entry *v) {
  sqlite3_stmt *st;
  cell c, amount;
  qm_id device;
  char text[32];
  qm_slice value = v->erased ? qm_slice_of(NULL, 0) : v->value;
  QM_TRY(value_cell(x->p, f->value, value, &c));
  QM_TRY(amount_cell(x->p, value, &c, &amount));
  qm_author_device(&qm_space_authors(x->s)->ids[v->dot.author], &device);
  qm_base32(text, device.b, sizeof device.b);
  QM_TRY(qm__made_start(x->p->db, &to->put, &st));
  sqlite3_bind_int64(st, 1, row);
  sqlite3_bind_int64(st, 2, n);
  int rc = bind_cell(st, 3, &c);
  sqlite3_bind_int64(st, 4, (int64_t)qm_time_ms(qm_space_effective(x->s, v->dot, v->time)));
  sqlite3_bind_text(st, 5, text, -1, SQLITE_STATIC);
  sqlite3_bind_int64(st, 6, v->dot.author);
  sqlite3_bind_int64(st, 7, (int64_t)v->dot.counter);
  if (rc == SQLITE_OK) rc = bind_cell(st, 8, &amount);
  if (rc == SQLITE_OK && to->ledger) rc = bind_ledger(st, x->s, v->dot, value);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  return end(x->p, st, rc);
}

/* A log only grows: where the last row is still the entry of its place, all before it are,
 * and only the rest is written. Where an entry was erased, or times may have moved, all are
 * written again. */
static int put_log(projecting *x, const qm_field_def *f, const qm_cell *from, qm__pfield *to,
                   int64_t row) {
  const qm_entries *v = from ? qm_entries_of(from) : NULL;
  uint32_t n = v ? v->n : 0, there, at = 0;
  qm_dot last = {0};
  cell c;
  int erased = 0;
  QM_TRY(last_entry(x->p, to, row, &there, &last));
  for (uint32_t i = 0; i < n; i++) {
    erased |= v->p[i].erased;
    if (to->search == QM__SEARCH_NOT || v->p[i].erased || !is_str(v->p[i].value)) continue;
    QM_TRY(value_cell(x->p, f->value, v->p[i].value, &c));
    add_search(x->p, to->search, &c);
  }
  if (!x->p->all && there && there <= n && !erased &&
      v->p[there - 1].dot.author == last.author && v->p[there - 1].dot.counter == last.counter)
    at = there;
  for (; at < n; at++) QM_TRY(put_entry(x, f, to, row, at, &v->p[at]));
  return there > n ? cut_rows(x->p, to, row, n) : QM_OK;
}

static int put_children(projecting *x, qm__ptable *t, int64_t row) {
  for (uint32_t i = 0; i < t->n_fields; i++) {
    qm__pfield *to = &t->fields[i];
    if (!to->child) continue;
    const qm_field_def *f = x->c ? qm_collection_field(x->c, to->number) : NULL;
    if (!f) continue;
    const qm_cell *from = qm_record_cell(x->r, f->number, qm_field_shape(f));
    if (f->type == QM_FIELD_LOG) QM_TRY(put_log(x, f, from, to, row));
    else QM_TRY(put_values(x, f, from, to, row));
  }
  return QM_OK;
}

/* ---- a record ---- */

static int drop_row(qm_projection *p, qm__ptable *t, int64_t row) {
  sqlite3_stmt *st;
  for (uint32_t i = 0; i < t->n_fields; i++)
    if (t->fields[i].child) QM_TRY(cut_rows(p, &t->fields[i], row, 0));
  QM_TRY(qm__project_limits_drop(p, t, row));
  QM_TRY(qm__project_search_drop(p, row));
  QM_TRY(qm__project_alike_drop(p, row));
  QM_TRY(qm__made_start(p->db, &t->drop, &st));
  sqlite3_bind_int64(st, 1, row);
  return end(p, st, sqlite3_step(st));
}

/* A record shows up in one collection, but with a `new` that comes late and is older, in
 * another than before. */
static int drop_elsewhere(qm_projection *p, const qm__pspace *at, uint32_t collection,
                          const char *id) {
  for (uint32_t i = 0; i < at->lineage->n_tables; i++) {
    qm__ptable *t = &at->lineage->tables[i];
    int64_t row;
    if (t->collection == collection) continue;
    QM_TRY(find_row(p, t, at->number, id, &row));
    if (row) QM_TRY(drop_row(p, t, row));
  }
  return QM_OK;
}

static int put_record(projecting *x, qm__ptable *t, const qm__pspace *at, const char *id) {
  int64_t row;
  x->cells = qm_arena_array(&x->p->arena, t->n_columns, sizeof *x->cells);
  if (!x->cells) return QM_ENOMEM;
  for (uint32_t i = 0; i < t->n_columns; i++) x->cells[i] = nothing;
  qm_buf_clear(&x->p->title);
  qm_buf_clear(&x->p->body);
  QM_TRY(main_cells(x));
  QM_TRY(find_row(x->p, t, at->number, id, &row));
  QM_TRY(put_main(x, t, at->number, id, &row));
  QM_TRY(put_children(x, t, row));
  QM_TRY(qm__project_limits(x->p, x->s, x->c, x->r, t, row));
  QM_TRY(qm__project_search(x->p, row));
  return qm__project_alike(x->p, x->s, x->c, x->r, row);
}

int qm__project_drop(qm_projection *p, const qm_space *s, const qm_id *id) {
  const qm__pspace *at = qm__layout_space(&p->layout, s->number);
  char text[32];
  if (!at || !at->lineage) return QM_OK;
  qm_base32(text, id->b, sizeof id->b);
  return drop_elsewhere(p, at, 0, text);
}

int qm__project_record(qm_projection *p, qm_space *s, const qm_record *r) {
  const qm__pspace *at = qm__layout_space(&p->layout, s->number);
  uint32_t collection = qm_record_collection(r);
  char id[32];
  if (!at || !at->lineage || qm_id_is_zero(&r->id)) return QM_OK;
  qm__ptable *t = collection ? qm__layout_table(at->lineage, collection) : NULL;
  qm_base32(id, r->id.b, sizeof r->id.b);
  qm_arena_reset(&p->arena);
  projecting x = {.p = p, .s = s, .r = r, .t = t};
  x.c = qm_schema_collection(qm_space_schema(s), collection);
  QM_TRY(qm_class_resolve(p->engine, s, x.c, r, QM_CLASS_COMMITTED, &p->arena, &x.r));
  if (t && x.c && qm_record_visible(r)) {
    QM_TRY(put_record(&x, t, at, id));
    return r->n_creations > 1 ? drop_elsewhere(p, at, collection, id) : QM_OK;
  }
  return drop_elsewhere(p, at, 0, id);
}
