#include "tests/sim/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/token.h"
#include "tests/sim/schema_sim.h"

const uint32_t sibling_fields[SIBLING_FIELDS] = {
#define X(name) F_##name,
    SIBLINGS(X)
#undef X
};

void value_text(qm_slice v, char to[VALUE_MAX]) {
  qm_cur c;
  qm_slice s;
  to[0] = 0;
  qm_cur_init(&c, v);
  if (qm_cur_str(&c, &s) == QM_OK) {
    size_t n = s.n < VALUE_MAX - 1 ? s.n : VALUE_MAX - 1;
    memcpy(to, s.p, n);
    to[n] = 0;
  } else if (v.n) {
    to[0] = '#';
    qm_hex(to + 1, v.p, v.n < VALUE_MAX / 2 - 1 ? v.n : VALUE_MAX / 2 - 1);
  }
}

qm_slice value_pack(world *w, const char *text) {
  uint8_t raw[VALUE_MAX];
  size_t n = strlen(text);
  qm_buf b;
  qm_buf_init(&b, w->arena.env, 256);
  if (text[0] != '#')
    qm_mp_str(&b, text, n);
  else if (qm_unhex(raw, n / 2, text + 1, n - 1) == QM_OK)
    qm_buf_add(&b, raw, n / 2);
  qm_slice out = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return out;
}

static const qm_field_def *def_of(const qm_space *s, const qm_record *r, uint32_t field) {
  const qm_collection_def *c =
      qm_schema_collection(qm_space_schema(s), qm_record_collection(r));
  return c ? qm_collection_field(c, field) : NULL;
}

static int read_siblings(world *w, qm_space *s, const qm_record *r, view *v) {
  for (int i = 0; i < SIBLING_FIELDS; i++) {
    qm_contest c;
    const qm_cell *cell = qm_record_cell(r, sibling_fields[i], QM_SIBLINGS);
    int rc = qm_read_contest(s, def_of(s, r, sibling_fields[i]), cell, &w->arena, &c);
    v->n_siblings[i] = cell ? qm_siblings_of(cell)->n : 0;
    if (rc != QM_OK) return rc;
    if (c.shown) value_text(c.shown->value, v->shown[i]);
    for (uint32_t k = 0; k < c.n_others && v->n_others[i] < OTHERS_MAX; k++)
      value_text(c.others[k].sibling->value, v->others[i][v->n_others[i]++]);
  }
  return QM_OK;
}

static int read_one(world *w, qm_space *s, const qm_record *r, uint32_t field, qm_slice *out) {
  qm_contest c;
  out->n = 0;
  int rc = qm_read_contest(s, def_of(s, r, field), qm_record_cell(r, field, QM_SIBLINGS), &w->arena,
                           &c);
  if (rc == QM_OK && c.shown) *out = c.shown->value;
  return rc;
}

static int read_int(world *w, qm_space *s, const qm_record *r, uint32_t field, int *has,
                    int64_t *out) {
  qm_slice v;
  qm_cur c;
  int rc = read_one(w, s, r, field, &v);
  *has = v.n != 0;
  qm_cur_init(&c, v);
  if (rc == QM_OK && *has) rc = qm_cur_int(&c, out);
  return rc;
}

static int read_steps(world *w, const qm_record *r, view *v) {
  const qm_cell *cell = qm_record_cell(r, F_STEPS, QM_ENTRIES);
  const qm_entries *e = cell ? qm_entries_of(cell) : NULL;
  if (!e) return QM_OK;
  v->steps = qm_arena_array(&w->arena, e->n, sizeof *v->steps);
  if (!v->steps) return QM_ENOMEM;
  for (uint32_t i = 0; i < e->n; i++) {
    char text[VALUE_MAX];
    unsigned id;
    value_text(e->p[i].value, text);
    if (strlen(text) > CANARY_SIZE && sscanf(text + CANARY_SIZE, "s%u", &id) == 1)
      v->steps[v->n_steps++] = id;
    else
      v->foreign++;
  }
  return QM_OK;
}

static void read_tags(const qm_record *r, view *v) {
  const qm_cell *cell = qm_record_cell(r, F_TAGS, QM_KEYED);
  const qm_keyed *k = cell ? qm_keyed_of(cell) : NULL;
  for (uint32_t i = 0; k && i < k->n && v->n_tags < TAGS_MAX; i++)
    value_text(k->p[i].value, v->tags[v->n_tags++]);
}

static int read_list(world *w, const qm_cell *cell, qm_buf *out) {
  qm_slice *values;
  uint32_t n;
  QM_TRY(qm_sequence_values(cell, &w->arena, &values, &n));
  for (uint32_t i = 0; i < n; i++) {
    char text[VALUE_MAX];
    value_text(values[i], text);
    qm_buf_add(out, text, strlen(text));
  }
  return n == qm_sequence_len(cell) ? QM_OK : QM_EINTERNAL;
}

static int read_row(world *w, node *n, const qm_record *r, int q, char **out) {
  const qm_cell *cell = qm_record_cell(r, q == SEQ_LIST ? F_PLAN : F_NOTES, QM_SEQUENCE);
  qm_buf b;
  int rc = QM_OK;
  qm_buf_init(&b, &n->env, 1u << 24);
  for (; cell && rc == QM_OK; cell = qm_record_cell_next(r, cell)) { /* of a class several */
    if (q == SEQ_LIST)
      rc = read_list(w, cell, &b);
    else
      qm_sequence_text(cell, &b);
  }
  qm_buf_byte(&b, 0);
  if (rc == QM_OK) rc = qm_buf_status(&b);
  char *copy = rc == QM_OK ? qm_arena_copy(&w->arena, b.p, b.n) : NULL;
  if (copy) *out = copy;
  qm_buf_free(&b);
  return rc == QM_OK && !copy ? QM_ENOMEM : rc;
}

static void hash_view(view *v) {
  sim_trace t = {UINT64_C(0xcbf29ce484222325)};
  trace_u64(&t, (uint64_t)v->visible << 2 | (uint64_t)v->collides << 1 | (uint64_t)v->same_key);
  trace_bytes(&t, v->steps, v->n_steps * sizeof *v->steps);
  trace_u64(&t, (uint64_t)v->n_marks << 32 | v->n_creations);
  for (int i = 0; i < SIBLING_FIELDS; i++) {
    trace_bytes(&t, v->shown[i], strlen(v->shown[i]) + 1);
    for (unsigned k = 0; k < v->n_others[i]; k++)
      trace_bytes(&t, v->others[i][k], strlen(v->others[i][k]) + 1);
  }
  for (unsigned i = 0; i < v->n_tags; i++) trace_bytes(&t, v->tags[i], strlen(v->tags[i]) + 1);
  trace_u64(&t, (uint64_t)v->last);
  trace_u64(&t, (uint64_t)v->first);
  trace_u64(&t, (uint64_t)v->visits);
  for (int q = 0; q < SEQUENCES; q++) trace_bytes(&t, v->rows[q], strlen(v->rows[q]) + 1);
  v->hash = t.hash;
}

static int read_all(world *w, node *n, qm_space *s, const qm_record *r, view *v) {
  const qm_cell *totals = qm_record_cell(r, F_VISITS, QM_TOTALS);
  v->found = 1;
  v->visible = qm_record_visible(r);
  v->collides = qm_marks_collide(&r->marks);
  QM_TRY(read_siblings(w, s, r, v));
  if (w->calm) QM_TRY(qm_read_same_key(n->engine, s, r, &v->same_key));
  v->n_marks = r->marks.n;
  v->n_creations = r->n_creations;
  v->collection = qm_record_collection(r);
  QM_TRY(read_int(w, s, r, F_LAST, &v->has_last, &v->last));
  QM_TRY(read_int(w, s, r, F_FIRST, &v->has_first, &v->first));
  if (totals) QM_TRY(qm_totals_sum(qm_totals_of(totals), &v->visits));
  QM_TRY(read_steps(w, r, v));
  read_tags(r, v);
  for (int q = 0; q < SEQUENCES; q++) QM_TRY(read_row(w, n, r, q, &v->rows[q]));
  return QM_OK;
}

static void clear(view *out) {
  static char nothing[1];
  memset(out, 0, sizeof *out);
  for (int q = 0; q < SEQUENCES; q++) out->rows[q] = nothing;
  out->members = 1;
}

int view_read(node *n, qm_space *s, const qm_id *record, view *out) {
  const qm_record *r;
  clear(out);
  int rc = qm_engine_read(n->engine, s, record, &n->w->arena, &r);
  if (rc == QM_ENOTFOUND) return QM_OK;
  if (rc == QM_OK) rc = read_all(n->w, n, s, r, out);
  if (rc == QM_OK) hash_view(out);
  return rc;
}

int view_class(node *n, qm_space *s, const qm_id *record, view *out) {
  qm_record_class c;
  const qm_record *r;
  int rc = qm_class_read(n->engine, s, record, 0, &n->w->arena, &c);
  if (rc != QM_OK || c.n == 1) {
    if (rc == QM_OK || rc == QM_ENOTFOUND) rc = view_read(n, s, record, out);
    return rc;
  }
  clear(out);
  rc = qm_class_view(&c, qm_space_authors(s), QM_CLASS_ALL, &n->w->arena, &r);
  if (rc == QM_OK) rc = read_all(n->w, n, s, r, out);
  out->visible = qm_class_visible(&c);
  out->collides = qm_class_collides(&c);
  out->members = c.n;
  if (rc == QM_OK) hash_view(out);
  return rc;
}

int view_token(node *n, qm_space *s, const qm_id *record, unsigned kind, qm_slice *out) {
  qm_record_class c;
  qm_buf b;
  int rc = qm_class_read(n->engine, s, record, 0, &n->w->arena, &c);
  if (rc != QM_OK) return rc;
  qm_buf_init(&b, &n->env, 1u << 24);
  rc = c.n > 1 ? qm_class_token(s, &c, kind, &n->w->arena, &b)
               : qm_token_make(s, c.members[0], kind, &n->w->arena, &b);
  out->n = b.n;
  out->p = rc == QM_OK ? qm_arena_copy(&n->w->arena, b.p, b.n) : NULL;
  qm_buf_free(&b);
  return rc == QM_OK && !out->p ? QM_ENOMEM : rc;
}

int view_contested(const view *v) {
  for (int i = 0; i < SIBLING_FIELDS; i++)
    if (v->n_others[i]) return 1;
  return v->collides;
}
