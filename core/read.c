#include "core/read.h"

#include <string.h>

#include "core/space.h"

/* --- loading --- */

typedef struct qm_load {
  qm_space *s;
  qm_arena *arena;
  qm_record *out;
} qm_load;

static int take_row(void *payload, const qm_record_row *row) {
  qm_load *l = payload;
  uint8_t *blob = qm_arena_copy(l->arena, row->state.p, row->state.n);
  qm_record *r = qm_arena_zero(l->arena, sizeof *r);
  if (!blob || !r) return QM_ENOMEM;
  int rc = qm_record_decode(r, &row->id, qm_slice_of(blob, row->state.n), &l->s->authors, l->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  l->out = r;
  return QM_OK;
}

int qm_engine_read(qm_engine *e, qm_space *s, const qm_id *id, qm_arena *arena,
                   const qm_record **out) {
  *out = NULL;
  if (e->poisoned) return QM_EINTERNAL;
  if (e->open) {
    qm_loaded *l;
    QM_TRY(qm__space_record(s, id, &l));
    *out = &l->record;
    return qm_record_empty(&l->record) ? QM_ENOTFOUND : QM_OK;
  }
  qm_load l = {s, arena, NULL};
  QM_TRY(e->store->ops->record_load(e->store, s->number, id, 1, take_row, &l));
  *out = l.out;
  return l.out ? QM_OK : QM_ENOTFOUND;
}

/* --- the contest of a siblings cell --- */

static int later(const qm_authors *authors, qm_time ta, qm_dot a, qm_time tb, qm_dot b) {
  if (ta != tb) return ta > tb;
  return qm_dot_cmp(authors, a, b) > 0;
}

/* S3.9: what wins under the field's type; ties go as for a register. */
static int beats(const qm_space *s, const qm_field_def *f, const qm_listed *a, const qm_listed *b) {
  if (f && (f->type == QM_FIELD_MAX || f->type == QM_FIELD_MIN)) {
    int c = qm_value_cmp(a->sibling->value, b->sibling->value);
    if (c) return f->type == QM_FIELD_MAX ? c > 0 : c < 0;
  }
  if (f && f->type == QM_FIELD_STATE) {
    uint32_t ia, ib;
    int known_a = qm_field_item(f, a->sibling->value, &ia) == QM_OK;
    int known_b = qm_field_item(f, b->sibling->value, &ib) == QM_OK;
    if (known_a != known_b) return known_a;
    if (known_a && f->items[ia].rank != f->items[ib].rank)
      return f->items[ia].rank > f->items[ib].rank;
  }
  return later(&s->authors, a->effective, a->sibling->dot, b->effective, b->sibling->dot);
}

/* Is `to` reachable from `from` by any number of steps? None listed: all are allowed. */
static int reachable(const qm_field_def *f, uint32_t from, uint32_t to, qm_arena *arena) {
  uint8_t *seen = f->n_transitions ? qm_arena_zero(arena, f->n_items) : NULL;
  if (!seen) return 1;
  int progress = 1;
  seen[from] = 1;
  while (progress && !seen[to]) {
    progress = 0;
    for (uint32_t i = 0; i < f->n_transitions; i++) {
      const qm_transition *t = &f->transitions[i];
      if (seen[t->from] && !seen[t->to]) seen[t->to] = 1, progress = 1;
    }
  }
  return seen[to];
}

static int contradicts(const qm_field_def *f, const qm_sibling *a, const qm_sibling *b,
                       qm_arena *arena) {
  uint32_t ia, ib;
  if (!f || f->type != QM_FIELD_STATE) return 0;
  if (qm_field_item(f, a->value, &ia) != QM_OK || qm_field_item(f, b->value, &ib) != QM_OK)
    return 0;
  return !reachable(f, ia, ib, arena) && !reachable(f, ib, ia, arena);
}

static int stands_before(const qm_space *s, const qm_listed *a, const qm_listed *b) {
  return later(&s->authors, a->sibling->time, a->sibling->dot, b->sibling->time, b->sibling->dot);
}

/* The last on top. */
static void sift(const qm_space *s, qm_listed *p, uint32_t root, uint32_t n) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && stands_before(s, &p[child], &p[child + 1])) child++;
    if (!stands_before(s, &p[root], &p[child])) return;
    qm_listed x = p[root];
    p[root] = p[child];
    p[child] = x;
    root = child;
  }
}

/* Descending by (own time, author, counter). */
static void sort_others(const qm_space *s, qm_listed *p, uint32_t n) {
  for (uint32_t i = n / 2; i-- > 0;) sift(s, p, i, n);
  for (uint32_t end = n; end-- > 1;) {
    qm_listed x = p[0];
    p[0] = p[end];
    p[end] = x;
    sift(s, p, 0, end);
  }
}

int qm_read_contest(const qm_space *s, const qm_field_def *f, const qm_cell *cell, qm_arena *arena,
                    qm_contest *out) {
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  qm_listed best = {NULL, 0, QM_CONFLICT_SIBLING};
  memset(out, 0, sizeof *out);
  if (!v || !v->n) return QM_OK;
  int all_kept = 1;
  for (uint32_t i = 0; i < v->n; i++) all_kept &= v->p[i].kept;
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    qm_listed l = {x, qm_space_effective(s, x->dot, x->time), QM_CONFLICT_SIBLING};
    if (x->kept && !all_kept) continue;
    if (!best.sibling || beats(s, f, &l, &best)) best = l;
  }
  out->shown = best.sibling;
  out->effective = best.effective;
  out->others = qm_arena_array(arena, v->n, sizeof *out->others);
  if (!out->others) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    if (x == best.sibling || qm_slice_cmp(x->value, best.sibling->value) == 0) continue;
    qm_listed l = {x, qm_space_effective(s, x->dot, x->time), QM_CONFLICT_SIBLING};
    if (x->kept)
      l.cls = QM_CONFLICT_UNREAD;
    else if (contradicts(f, x, best.sibling, arena))
      l.cls = QM_CONFLICT_CONTRADICT;
    out->others[out->n_others++] = l;
  }
  sort_others(s, out->others, out->n_others);
  return QM_OK;
}

/* --- natural keys --- */

typedef struct qm_found {
  qm_space *s;
  const qm_collection_def *c;
  qm_slice key;
  qm_id ids[64]; /* more visible records than this under one key are not told apart */
  uint32_t n;
} qm_found;

static int take_id(void *payload, const qm_id *id) {
  qm_found *f = payload;
  if (f->n < sizeof f->ids / sizeof f->ids[0]) f->ids[f->n++] = *id;
  return QM_OK;
}

/* 1 where the shown key of r, in normal form, is `key`. */
static int shows_key(const qm_space *s, const qm_collection_def *c, const qm_record *r,
                     qm_slice key, qm_arena *arena, int *out) {
  qm_contest contest;
  qm_cur cur;
  qm_slice text;
  qm_buf norm;
  *out = 0;
  QM_TRY(qm_read_contest(s, qm_collection_field(c, c->key_field),
                         qm_record_cell(r, c->key_field, QM_SIBLINGS), arena, &contest));
  if (!contest.shown) return QM_OK;
  qm_cur_init(&cur, contest.shown->value);
  if (qm_cur_str(&cur, &text) != QM_OK) return QM_OK;
  qm_buf_init(&norm, s->engine->env, QM_VALUE_MAX * 4);
  int rc = qm_norm_key(&norm, text, (qm_norm_form)c->key_form);
  if (rc == QM_OK) *out = qm_slice_cmp(qm_buf_slice(&norm), key) == 0;
  qm_buf_free(&norm);
  return rc;
}

static int find_visible(qm_engine *e, qm_found *f, const qm_id *not_this, qm_id *out) {
  qm_arena arena;
  int rc = QM_OK, hit = 0;
  qm_arena_init(&arena, e->env, QM_RECORD_ARENA);
  for (uint32_t i = 0; i < f->n && rc == QM_OK && !hit; i++) {
    const qm_record *r;
    if (not_this && qm_id_cmp(not_this, &f->ids[i]) == 0) continue;
    rc = qm_engine_read(e, f->s, &f->ids[i], &arena, &r);
    if (rc == QM_ENOTFOUND) rc = QM_OK, r = NULL;
    /* Of two creations the least decides: the index may still list it where it was. */
    if (rc == QM_OK && r && qm_record_visible(r) && qm_record_collection(r) == f->c->number)
      rc = shows_key(f->s, f->c, r, f->key, &arena, &hit);
    if (hit) *out = f->ids[i];
  }
  qm_arena_free(&arena);
  return rc == QM_OK && !hit ? QM_ENOTFOUND : rc;
}

int qm_engine_find_key(qm_engine *e, qm_space *s, const qm_collection_def *c, qm_slice key,
                       qm_id *out) {
  qm_found f = {.s = s, .c = c, .key = key};
  QM_TRY(e->store->ops->key_find(e->store, s->number, c->number, key, take_id, &f));
  return find_visible(e, &f, NULL, out);
}

static int naming_differs(const qm_space *s, const qm_collection_def *c, const qm_record *r,
                          qm_arena *arena, int *out) {
  for (uint32_t i = 0; i < c->n_fields && !*out; i++) {
    qm_contest contest;
    if (!(c->fields[i].flags & QM_FIELD_NAMING) || qm_field_shape(&c->fields[i]) != QM_SIBLINGS)
      continue;
    QM_TRY(qm_read_contest(s, &c->fields[i], qm_record_cell(r, c->fields[i].number, QM_SIBLINGS),
                           arena, &contest));
    *out = contest.n_others > 0;
  }
  return QM_OK;
}

int qm_read_same_key(qm_engine *e, qm_space *s, const qm_record *r, int *out) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  qm_arena arena;
  *out = 0;
  if (!c || !c->key_field) return QM_OK;
  qm_arena_init(&arena, e->env, QM_RECORD_ARENA);
  int rc = r->n_creations > 1 ? naming_differs(s, c, r, &arena, out) : QM_OK;
  if (rc == QM_OK && !*out) {
    qm_contest contest;
    qm_cur cur;
    qm_slice text;
    qm_id other;
    qm_buf norm;
    rc = qm_read_contest(s, qm_collection_field(c, c->key_field),
                         qm_record_cell(r, c->key_field, QM_SIBLINGS), &arena, &contest);
    qm_buf_init(&norm, e->env, QM_VALUE_MAX * 4);
    if (rc == QM_OK && contest.shown) {
      qm_found f = {.s = s, .c = c};
      qm_cur_init(&cur, contest.shown->value);
      if (qm_cur_str(&cur, &text) == QM_OK)
        rc = qm_norm_key(&norm, text, (qm_norm_form)c->key_form);
      f.key = qm_buf_slice(&norm);
      if (rc == QM_OK && norm.n)
        rc = e->store->ops->key_find(e->store, s->number, c->number, f.key, take_id, &f);
      if (rc == QM_OK) rc = find_visible(e, &f, &r->id, &other);
      *out = rc == QM_OK && norm.n;
      if (rc == QM_ENOTFOUND) rc = QM_OK;
    }
    qm_buf_free(&norm);
  }
  qm_arena_free(&arena);
  return rc;
}
