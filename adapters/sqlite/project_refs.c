/* project_refs.c: the rows of records that refer to merged ones (S3.21), or to a basis (S25.4).
 * A column of kind ref holds the id that is shown, and has an index: so whoever is shown otherwise
 * once a class has changed is found by the id that was shown before. */
#include <string.h>

#include "adapters/sqlite/project_impl.h"
#include "core/class_ref.h"
#include "core/relation.h"

typedef struct referrer {
  qm_id record;
  uint32_t field;
} referrer;

typedef struct referrers {
  qm_projection *p;
  qm_space *s;
  referrer *list;
  uint32_t n, cap;
} referrers;

static int add(referrers *x, const char *id, uint32_t field) {
  if (x->n == x->cap) {
    uint32_t cap = x->cap ? x->cap * 2 : 16;
    x->list = qm_arena_grow(&x->p->classes, x->list, x->cap, cap, sizeof *x->list);
    if (!x->list) return QM_ENOMEM;
    x->cap = cap;
  }
  x->list[x->n].field = field;
  if (qm_unbase32(x->list[x->n].record.b, QM_ID_SIZE, id, strlen(id)) != QM_OK) return QM_ECORRUPT;
  x->n++;
  return QM_OK;
}

static int find_in(referrers *x, qm__pfield *f, const char *id) {
  sqlite3_stmt *st;
  int rc, found = QM_OK;
  QM_TRY(qm__made_start(x->p->db, &f->refs, &st));
  sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(st, 2, x->s->number);
  while (found == QM_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
    found = add(x, (const char *)sqlite3_column_text(st, 0), f->number);
  if (found == QM_OK && rc != SQLITE_DONE) found = qm__db_error(x->p->db, rc);
  sqlite3_reset(st);
  sqlite3_clear_bindings(st);
  return found;
}

static int find_all(referrers *x, const qm_id *shown) {
  const qm__pspace *at = qm__layout_space(&x->p->layout, x->s->number);
  char id[32];
  qm_base32(id, shown->b, sizeof shown->b);
  for (uint32_t i = 0; at && at->lineage && i < at->lineage->n_tables; i++) {
    const qm__ptable *t = &at->lineage->tables[i];
    for (uint32_t k = 0; k < t->n_fields; k++)
      if (t->fields[k].refs.text) QM_TRY(find_in(x, &t->fields[k], id));
  }
  return QM_OK;
}

/* For an app what is shown of it has changed, although nobody wrote it. */
static int tell_feed(const referrers *x, const referrer *r) {
  qm_loaded *l;
  if (!(x->p->engine->flags & QM_ENGINE_FEED)) return QM_OK;
  QM_TRY(qm__space_record(x->s, &r->record, &l));
  return qm__feed_touch(x->s, l, r->field, x->s->ingested);
}

static int put_one(const referrers *x, const qm_id *id) {
  qm_projection *p = x->p;
  qm_record_class cls;
  const qm_record *view;
  int rc = qm_class_read(p->engine, x->s, id, QM_CLASS_COMMITTED, &p->classes, &cls);
  if (rc == QM_ENOTFOUND) return QM_OK;
  QM_TRY(rc);
  QM_TRY(qm_class_view(&cls, qm_space_authors(x->s), QM_CLASS_ALL, &p->classes, &view));
  p->all++; /* entries of a log that stand there already may show another id */
  rc = qm__project_record(p, x->s, view);
  p->all--;
  return rc;
}

static int put_all(const referrers *x) {
  for (uint32_t i = 0; i < x->n; i++) {
    QM_TRY(tell_feed(x, &x->list[i]));
    if (!i || qm_id_cmp(&x->list[i - 1].record, &x->list[i].record) != 0)
      QM_TRY(put_one(x, &x->list[i].record));
  }
  return QM_OK;
}

int qm__project_referrers(qm_projection *p, qm_space *s, const qm_id *shown, uint32_t n) {
  referrers x = {.p = p, .s = s};
  for (uint32_t i = 0; i < n; i++) QM_TRY(find_all(&x, &shown[i]));
  return put_all(&x);
}

/* ---- fields that are shown where another record says that they may be ---- */

typedef struct basing {
  referrers x;
  char id[32]; /* of the record that changed */
} basing;

/* Each of the relation's fields, of each record whose ref names it. */
static int take_based(void *payload, const qm_collection_def *c, uint32_t ref,
                      const qm_based_def *b) {
  basing *y = payload;
  const qm__pspace *at = qm__layout_space(&y->x.p->layout, y->x.s->number);
  qm__ptable *t = qm__layout_table(at->lineage, c->number);
  uint32_t first = y->x.n, n;
  for (uint32_t k = 0; t && k < t->n_fields; k++)
    if (t->fields[k].number == ref && t->fields[k].refs.text)
      QM_TRY(find_in(&y->x, &t->fields[k], y->id));
  n = y->x.n;
  for (uint32_t i = first; i < n; i++) { /* what shows is not the ref, but these */
    char id[32];
    y->x.list[i].field = b->fields[0];
    qm_base32(id, y->x.list[i].record.b, QM_ID_SIZE);
    for (uint32_t k = 1; k < b->n_fields; k++) QM_TRY(add(&y->x, id, b->fields[k]));
  }
  return QM_OK;
}

int qm__project_based(qm_projection *p, qm_space *s, uint32_t collection, const qm_id *shown) {
  basing y = {.x = {.p = p, .s = s}};
  const qm__pspace *at = qm__layout_space(&p->layout, s->number);
  if (!at || !at->lineage) return QM_OK;
  qm_base32(y.id, shown->b, sizeof shown->b);
  QM_TRY(qm_based_on(qm_space_schema(s), collection, take_based, &y));
  return put_all(&y.x);
}
