/* project_class.c: merged records stand as one row, under the class's id (S16.1). An edge is
 * in one of its two records only, so what a save changes is found from both sides: from the
 * classes as they are, and from those that `_merged` says were shown last. */
#include <string.h>

#include "adapters/sqlite/project_impl.h"
#include "core/class.h"

typedef struct ids {
  qm_id *p;
  uint32_t n, cap;
} ids;

static int has(const ids *l, const qm_id *id) {
  for (uint32_t i = 0; i < l->n; i++)
    if (qm_id_cmp(&l->p[i], id) == 0) return 1;
  return 0;
}

static int add(qm_projection *p, ids *l, const qm_id *id) {
  if (has(l, id)) return QM_OK;
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 8;
    qm_id *more = qm_arena_grow(&p->classes, l->p, l->cap, cap, sizeof *more);
    if (!more) return QM_ENOMEM;
    l->p = more;
    l->cap = cap;
  }
  l->p[l->n++] = *id;
  return QM_OK;
}

/* The members of the class that a record was last shown in; none where it stood alone. */
static int add_shown(qm_projection *p, const qm_space *s, const qm_id *id, ids *to) {
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(p->db, QM__SQL_MERGED_WITH,
                      QM__ARGS(qm__int(s->number), qm__blob(id->b, sizeof id->b)), &st));
  int rc = qm__db_step(p->db, st, &row);
  while (rc == QM_OK && row) {
    qm_id member;
    rc = qm__db_fixed(st, 0, member.b, sizeof member.b);
    if (rc == QM_OK) rc = add(p, to, &member);
    if (rc == QM_OK) rc = qm__db_step(p->db, st, &row);
  }
  qm__db_end(p->db, QM__SQL_MERGED_WITH, st);
  return rc;
}

/* The class of what stands in the store: the records of this transaction are there already.
 * QM_ENOTFOUND. */
static int class_of(qm_projection *p, qm_space *s, const qm_id *id, qm_record_class *out) {
  return qm_class_read(p->engine, s, id, QM_CLASS_COMMITTED, &p->classes, out);
}

static int note(qm_projection *p, const qm_space *s, const qm_id *member, const qm_id *cls) {
  qm__arg record = qm__blob(member->b, sizeof member->b);
  if (!cls) return qm__db_run(p->db, QM__SQL_MERGED_DROP, QM__ARGS(qm__int(s->number), record));
  return qm__db_run(p->db, QM__SQL_MERGED_PUT,
                    QM__ARGS(qm__int(s->number), record, qm__blob(cls->b, sizeof cls->b)));
}

/* One row for the class, none for the others in it. */
static int put_class(qm_projection *p, qm_space *s, const qm_record_class *cls) {
  const qm_record *view;
  QM_TRY(qm_class_view(cls, qm_space_authors(s), QM_CLASS_ALL, &p->classes, &view));
  for (uint32_t i = 0; i < cls->n; i++) {
    const qm_id *member = &cls->members[i]->id;
    if (cls->n > 1) QM_TRY(note(p, s, member, &cls->id));
    if (qm_id_cmp(member, &cls->id) != 0) QM_TRY(qm__project_drop(p, s, member));
  }
  return qm__project_record(p, s, view);
}

/* The id that a record was last shown under. */
static int shown_under(qm_projection *p, const qm_space *s, const qm_id *id, qm_id *out) {
  sqlite3_stmt *st;
  int row = 0;
  *out = *id;
  QM_TRY(qm__db_start(p->db, QM__SQL_MERGED_CLASS,
                      QM__ARGS(qm__int(s->number), qm__blob(id->b, sizeof id->b)), &st));
  int rc = qm__db_step(p->db, st, &row);
  if (rc == QM_OK && row) rc = qm__db_fixed(st, 0, out->b, sizeof out->b);
  qm__db_end(p->db, QM__SQL_MERGED_CLASS, st);
  return rc;
}

/* Adds whoever is, or was, shown with one of them, and so on: edges may have come and gone at
 * several of them at once. */
static int add_all(qm_projection *p, qm_space *s, ids *touched) {
  for (uint32_t i = 0; i < touched->n; i++) {
    qm_record_class cls;
    QM_TRY(add_shown(p, s, &touched->p[i], touched));
    int rc = class_of(p, s, &touched->p[i], &cls);
    if (rc == QM_ENOTFOUND) continue;
    QM_TRY(rc);
    for (uint32_t k = 0; k < cls.n; k++) QM_TRY(add(p, touched, &cls.members[k]->id));
  }
  return QM_OK;
}

/* All that may now be shown with others than before; `before`: the ids under which what moved
 * was shown, and is. */
static int put_touched(qm_projection *p, qm_space *s, const ids *touched, ids *before) {
  ids done = {NULL, 0, 0};
  qm_id *were = qm_arena_array(&p->classes, touched->n, sizeof *were);
  if (!were) return QM_ENOMEM;
  for (uint32_t i = 0; i < touched->n; i++) QM_TRY(shown_under(p, s, &touched->p[i], &were[i]));
  for (uint32_t i = 0; i < touched->n; i++) QM_TRY(note(p, s, &touched->p[i], NULL));
  for (uint32_t i = 0; i < touched->n; i++) {
    qm_record_class cls;
    int rc = class_of(p, s, &touched->p[i], &cls);
    if (rc == QM_OK && qm_id_cmp(&were[i], &cls.id) != 0) {
      QM_TRY(add(p, before, &were[i]));
      QM_TRY(add(p, before, &cls.id)); /* what was another value there may be the same now */
    }
    if (rc == QM_ENOTFOUND || (rc == QM_OK && !qm_class_has(&cls, &touched->p[i]))) {
      QM_TRY(qm__project_drop(p, s, &touched->p[i]));
      QM_TRY(qm__project_based(p, s, 0, &touched->p[i]));
    }
    if (rc == QM_ENOTFOUND) continue;
    if (rc != QM_OK) return rc;
    if (has(&done, &cls.id)) continue;
    QM_TRY(add(p, &done, &cls.id));
    QM_TRY(put_class(p, s, &cls));
    QM_TRY(qm__project_based(p, s, qm_record_collection(cls.members[0]), &cls.id));
  }
  return QM_OK;
}

int qm__project_saved(qm_projection *p, qm_space *s, const qm_record *r) {
  qm_record_class cls;
  ids touched = {NULL, 0, 0};
  if (qm_id_is_zero(&r->id)) return QM_OK;
  QM_TRY(qm__project_distinct(p, s, r));
  qm_arena_reset(&p->classes);
  int rc = qm_class_of(p->engine, s, r, QM_CLASS_COMMITTED, &p->classes, &cls);
  if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
  QM_TRY(add_shown(p, s, &r->id, &touched));
  if (!touched.n && (rc != QM_OK || (cls.n == 1 && qm_id_cmp(&cls.id, &r->id) == 0))) {
    QM_TRY(qm__project_record(p, s, r)); /* most are in no class */
    return qm__project_based(p, s, qm_record_collection(r), &r->id);
  }
  QM_TRY(add(p, &touched, &r->id));
  QM_TRY(add_all(p, s, &touched));
  ids before = {NULL, 0, 0};
  QM_TRY(put_touched(p, s, &touched, &before));
  return before.n ? qm__project_referrers(p, s, before.p, before.n) : QM_OK;
}

int qm__project_fill(qm_projection *p, qm_space *s, const qm_record *r) {
  qm_record_class cls;
  if (qm_id_is_zero(&r->id)) return QM_OK;
  QM_TRY(qm__project_distinct(p, s, r));
  qm_arena_reset(&p->classes);
  int rc = qm_class_of(p->engine, s, r, QM_CLASS_COMMITTED, &p->classes, &cls);
  if (rc == QM_ENOTFOUND) return qm__project_drop(p, s, &r->id);
  if (rc != QM_OK) return rc;
  if (qm_id_cmp(&cls.id, &r->id) == 0) return put_class(p, s, &cls);
  return qm__project_drop(p, s, &r->id); /* written with the first of the class */
}
