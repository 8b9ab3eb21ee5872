/* Natural keys, as classes show them (S3.11). */
#include <string.h>

#include "core/class.h"
#include "core/fold.h"
#include "core/space.h"

typedef struct qm_found {
  qm_engine *e;
  qm_space *s;
  const qm_collection_def *c;
  unsigned flags;
  qm_slice key;
  qm_id ids[64]; /* more records than this under one key are not told apart */
  uint32_t n;
} qm_found;

static int take_id(void *payload, const qm_id *id) {
  qm_found *f = payload;
  if (f->n < sizeof f->ids / sizeof f->ids[0]) f->ids[f->n++] = *id;
  return QM_OK;
}

/* A key in normal form, appended; nothing where the value is no text. */
static int put_key(const qm_collection_def *c, qm_slice value, qm_buf *norm) {
  qm_cur cur;
  qm_slice text;
  qm_cur_init(&cur, value);
  if (qm_cur_str(&cur, &text) != QM_OK) return QM_OK;
  return qm_norm_key(norm, text, (qm_norm_form)c->key_form);
}

/* The key that the class shows, in normal form, appended; nothing where it shows none. */
static int shown_key(const qm_space *s, const qm_collection_def *c, const qm_record_class *cls,
                     qm_arena *arena, qm_buf *norm) {
  const qm_cell *cell;
  qm_contest contest;
  QM_TRY(qm__class_cell(cls, &s->authors, c->key_field, QM_SIBLINGS, arena, &cell));
  QM_TRY(qm_read_contest(s, qm_collection_field(c, c->key_field), cell, arena, &contest));
  return contest.shown ? put_key(c, contest.shown->value, norm) : QM_OK;
}

static int shows_key(const qm_found *f, const qm_record_class *cls, qm_arena *arena, int *out) {
  qm_buf norm;
  qm_buf_init(&norm, f->e->env, QM_VALUE_MAX * 4);
  int rc = shown_key(f->s, f->c, cls, arena, &norm);
  *out = rc == QM_OK && norm.n && qm_slice_cmp(qm_buf_slice(&norm), f->key) == 0;
  qm_buf_free(&norm);
  return rc;
}

/* Merged records have a key each until somebody decides: all of them lead to the class. */
static int lists_key(const qm_found *f, const qm_record_class *cls, qm_arena *arena, int *out) {
  const qm_cell *cell;
  *out = 0;
  if (cls->n == 1) return QM_OK;
  QM_TRY(qm__class_cell(cls, &f->s->authors, f->c->key_field, QM_SIBLINGS, arena, &cell));
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  for (uint32_t i = 0; v && i < v->n && !*out; i++) {
    qm_buf norm;
    if (v->p[i].hidden || v->p[i].kept) continue;
    qm_buf_init(&norm, f->e->env, QM_VALUE_MAX * 4);
    int rc = put_key(f->c, v->p[i].value, &norm);
    *out = rc == QM_OK && norm.n && qm_slice_cmp(qm_buf_slice(&norm), f->key) == 0;
    qm_buf_free(&norm);
    QM_TRY(rc);
  }
  return QM_OK;
}

/* One that the index names: does its class, as it stands, show the key (or list it)? Of two
 * creations the least decides the collection: the index may still list the record where it
 * was. */
static int judge(const qm_found *f, uint32_t i, int listed, qm_arena *arena, qm_record_class *cls,
                 int *hit) {
  *hit = 0;
  int rc = qm_class_read(f->e, f->s, &f->ids[i], f->flags, arena, cls);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  if (qm_record_collection(cls->members[0]) != f->c->number || !qm_class_visible(cls)) return QM_OK;
  return listed ? lists_key(f, cls, arena, hit) : shows_key(f, cls, arena, hit);
}

static int look_up(qm_found *f) {
  f->n = 0;
  return qm__fold_keys(f->s, f->c->number, f->key, take_id, f);
}

int qm_engine_find_key(qm_engine *e, qm_space *s, const qm_collection_def *c, qm_slice key,
                       qm_id *out) {
  qm_found f = {.e = e, .s = s, .c = c, .key = key};
  qm_arena arena;
  int hit = 0;
  QM_TRY(look_up(&f));
  qm_arena_init(&arena, e->env, QM_RECORD_ARENA);
  int rc = QM_OK;
  for (int listed = 0; listed < 2; listed++)
    for (uint32_t i = 0; i < f.n && rc == QM_OK && !hit; i++) {
      qm_record_class cls;
      rc = judge(&f, i, listed, &arena, &cls, &hit);
      if (hit) *out = cls.id;
    }
  qm_arena_free(&arena);
  return rc == QM_OK && !hit ? QM_ENOTFOUND : rc;
}

/* --- same key --- */

static int naming_differs(const qm_space *s, const qm_collection_def *c, const qm_record_class *cls,
                          qm_arena *arena, int *out) {
  int twice = 0;
  for (uint32_t i = 0; i < cls->n; i++) twice |= cls->members[i]->n_creations > 1;
  for (uint32_t i = 0; i < c->n_fields && twice && !*out; i++) {
    const qm_cell *cell;
    qm_contest contest;
    if (!(c->fields[i].flags & QM_FIELD_NAMING) || qm_field_shape(&c->fields[i]) != QM_SIBLINGS)
      continue;
    QM_TRY(qm__class_cell(cls, &s->authors, c->fields[i].number, QM_SIBLINGS, arena, &cell));
    QM_TRY(qm_read_contest(s, &c->fields[i], cell, arena, &contest));
    *out = contest.n_others > 0;
  }
  return QM_OK;
}

static int is_listed(const qm_id *ids, uint32_t n, const qm_id *id) {
  for (uint32_t i = 0; i < n; i++)
    if (qm_id_cmp(&ids[i], id) == 0) return 1;
  return 0;
}

/* The ids of other classes, each once. */
static int others_of(qm_found *f, const qm_record_class *cls, qm_arena *arena, qm_same_key *out) {
  QM_TRY(look_up(f));
  qm_id *ids = qm_arena_array(arena, f->n, sizeof *ids);
  if (!ids) return QM_ENOMEM;
  for (uint32_t i = 0; i < f->n; i++) {
    qm_record_class other;
    int hit;
    if (qm_class_has(cls, &f->ids[i])) continue;
    QM_TRY(judge(f, i, 0, arena, &other, &hit));
    if (!hit || is_listed(ids, out->n_others, &other.id)) continue;
    uint32_t at = out->n_others++;
    for (; at && qm_id_cmp(&ids[at - 1], &other.id) > 0; at--) ids[at] = ids[at - 1];
    ids[at] = other.id;
  }
  out->others = ids;
  return QM_OK;
}

int qm_class_same_key(qm_engine *e, qm_space *s, const qm_record_class *cls, unsigned flags,
                      qm_arena *arena, qm_same_key *out) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(cls->members[0])) : NULL;
  qm_buf norm;
  memset(out, 0, sizeof *out);
  if (!c || !c->key_field) return QM_OK;
  QM_TRY(naming_differs(s, c, cls, arena, &out->created_twice));
  qm_buf_init(&norm, e->env, QM_VALUE_MAX * 4);
  int rc = shown_key(s, c, cls, arena, &norm);
  if (rc == QM_OK && norm.n) {
    qm_found f = {.e = e, .s = s, .c = c, .flags = flags, .key = qm_buf_slice(&norm)};
    rc = others_of(&f, cls, arena, out);
  }
  qm_buf_free(&norm);
  return rc;
}

int qm_read_same_key(qm_engine *e, qm_space *s, const qm_record *r, int *out) {
  qm_arena arena;
  qm_record_class cls;
  qm_same_key found;
  *out = 0;
  qm_arena_init(&arena, e->env, QM_RECORD_ARENA);
  int rc = qm_class_of(e, s, r, 0, &arena, &cls);
  if (rc == QM_OK) rc = qm_class_same_key(e, s, &cls, 0, &arena, &found);
  if (rc == QM_OK) *out = found.created_twice || found.n_others;
  qm_arena_free(&arena);
  return rc;
}
