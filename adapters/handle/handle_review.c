/* handle_review.c: the review list: what people who wrote side by side should look at. */
#include <string.h>

#include "adapters/handle/handle.h"

typedef struct review {
  qm_reading r;
  const qm_collection_def *c; /* of the class at hand */
  qm_record_class cls;
  qm_buf *out;                /* NULL: counts */
  uint64_t count;
} review;

/* The beginning of a line, up to "class". */
static void put_head(review *v, const qm_field_def *f, qm_conflict_class cls) {
  qm_buf *b = v->out;
  qm__handle_put(b, "{\"collection\":");
  qm_json_str(b, v->c->name);
  qm__handle_put(b, ",\"id\":");
  qm__handle_put_id(b, &v->cls.id);
  qm__handle_put(b, ",\"field\":");
  if (f)
    qm_json_str(b, f->name);
  else
    qm__handle_put(b, "null");
  qm__handle_put(b, ",\"class\":\"");
  qm__handle_put(b, qm__handle_conflict(cls));
  qm__handle_put(b, "\",\"values\":[");
}

static int put_tail(review *v) {
  qm__handle_put(v->out, "],\"token\":");
  QM_TRY(qm__handle_put_token(v->out, &v->r, &v->cls, QM_READ_REVIEW));
  qm__handle_put(v->out, "}\n");
  return qm_buf_status(v->out);
}

static void put_value(review *v, const qm_field_def *f, const qm_sibling *x, const char *cls,
                      int is_shown) {
  qm_buf *b = v->out;
  if (!is_shown) qm_buf_byte(b, ',');
  qm__handle_put(b, "{\"value\":");
  qm__handle_put_value(b, f, x->value);
  qm_buf_byte(b, ',');
  qm__handle_put_dot(b, &v->r.who, v->r.s, x->dot, x->time);
  qm__handle_put(b, ",\"class\":\"");
  qm__handle_put(b, cls);
  qm__handle_put(b, is_shown ? "\",\"shown\":true}" : "\",\"shown\":false}");
}

/* A field's conflict is of the gravest class among its values. */
static qm_conflict_class gravest(const qm_contest *c) {
  static const uint8_t grave[] = {[QM_CONFLICT_SIBLING] = 1,
                                  [QM_CONFLICT_MERGE] = 2,
                                  [QM_CONFLICT_UNREAD] = 3,
                                  [QM_CONFLICT_CONTRADICT] = 4,
                                  [QM_CONFLICT_UNMERGED] = 0};
  qm_conflict_class cls = QM_CONFLICT_SIBLING;
  for (uint32_t i = 0; i < c->n_others; i++)
    if (grave[c->others[i].cls] > grave[cls]) cls = c->others[i].cls;
  return cls;
}

static int field_conflict(review *v, const qm_record *view, const qm_field_def *f) {
  qm_contest contest;
  const qm_cell *cell = qm_record_cell(view, f->number, QM_SIBLINGS);
  if (!cell || qm_field_shape(f) != QM_SIBLINGS) return QM_OK;
  QM_TRY(qm_read_contest(v->r.s, f, cell, &v->r.arena, &contest));
  if (!contest.n_others) return QM_OK;
  v->count++;
  if (!v->out) return QM_OK;
  put_head(v, f, gravest(&contest));
  put_value(v, f, contest.shown, "shown", 1);
  for (uint32_t i = 0; i < contest.n_others; i++)
    put_value(v, f, contest.others[i].sibling, qm__handle_conflict(contest.others[i].cls), 0);
  return put_tail(v);
}

/* One deleted what another edited: the marks are the values. They carry no time of their own:
 * that of their author's last change is not theirs, so none is given. */
static int put_collision(review *v, const qm_record *record) {
  qm_buf *b = v->out;
  put_head(v, NULL, QM_CONFLICT_DELETED);
  for (uint32_t i = 0; i < record->marks.n; i++) {
    const qm_mark *m = &record->marks.p[i];
    qm__handle_put(b, i ? ",{\"value\":" : "{\"value\":");
    qm__handle_put(b, m->deleted ? "\"deleted\"" : "\"edited\"");
    qm_buf_byte(b, ',');
    qm__handle_put_who(b, &v->r.who, v->r.s, m->dot.author, 0);
    qm__handle_put(b, ",\"class\":\"deleted\"");
    int is_shown = qm_record_visible(record) != m->deleted;
    qm__handle_put(b, is_shown ? ",\"shown\":true}" : ",\"shown\":false}");
  }
  return put_tail(v);
}

static int collisions(review *v) {
  for (uint32_t i = 0; i < v->cls.n; i++) {
    if (!qm_marks_collide(&v->cls.members[i]->marks)) continue;
    v->count++;
    if (v->out) QM_TRY(put_collision(v, v->cls.members[i]));
  }
  return QM_OK;
}

/* A record, by its id. */
static void put_other(qm_buf *b, const qm_id *id, const char *cls, int first) {
  qm__handle_put(b, first ? "{\"value\":" : ",{\"value\":");
  qm__handle_put_id(b, id);
  qm__handle_put(b, ",\"class\":\"");
  qm__handle_put(b, cls);
  qm__handle_put(b, "\",\"shown\":false}");
}

/* Who created it, and the other records that show its key. */
static int put_same_key(review *v, const qm_same_key *same) {
  qm_buf *b = v->out;
  int first = 1;
  put_head(v, NULL, QM_CONFLICT_SAME_KEY);
  for (uint32_t m = 0; m < v->cls.n; m++)
    for (uint32_t i = 0; i < v->cls.members[m]->n_creations; i++, first = 0) {
      qm__handle_put(b, first ? "{\"value\":\"new\"," : ",{\"value\":\"new\",");
      qm__handle_put_who(b, &v->r.who, v->r.s, v->cls.members[m]->creations[i].dot.author, 0);
      qm__handle_put(b, ",\"class\":\"same-key\",\"shown\":true}");
    }
  for (uint32_t i = 0; i < same->n_others; i++, first = 0)
    put_other(b, &same->others[i], "same-key", first);
  return put_tail(v);
}

static int same_key(review *v) {
  qm_same_key same;
  QM_TRY(qm_class_same_key(v->r.db->engine, v->r.s, &v->cls, QM_CLASS_COMMITTED, &v->r.arena,
                           &same));
  if (!same.created_twice && !same.n_others) return QM_OK;
  v->count++;
  return v->out ? put_same_key(v, &same) : QM_OK;
}

/* Taken out by one person while another merged it. */
static int taken_out(review *v) {
  const qm_id *ids;
  uint32_t n;
  QM_TRY(qm_class_unmerged(&v->cls, &v->r.arena, &ids, &n));
  for (uint32_t i = 0; i < n; i++) {
    v->count++;
    if (!v->out) continue;
    put_head(v, NULL, QM_CONFLICT_UNMERGED);
    put_other(v->out, &ids[i], "unmerged", 1);
    QM_TRY(put_tail(v));
  }
  return QM_OK;
}

static int class_conflicts(review *v, const qm_record *view) {
  QM_TRY(collisions(v));
  if (!qm_record_visible(view)) return QM_OK;
  QM_TRY(taken_out(v));
  QM_TRY(same_key(v));
  for (uint32_t i = 0; i < v->c->n_fields; i++) QM_TRY(field_conflict(v, view, &v->c->fields[i]));
  return QM_OK;
}

static int take_record(void *payload, const qm_record_row *row) {
  review *v = payload;
  const qm_record *record, *view;
  if (!row->collection) return QM_OK;
  v->c = qm_schema_collection(qm_space_schema(v->r.s), row->collection);
  if (!v->c) return QM_OK;
  qm_arena_reset(&v->r.arena);
  QM_TRY(qm__handle_decode(&v->r, row, &record));
  QM_TRY(qm__handle_class_of(&v->r, record, &v->cls, &view));
  return qm_id_cmp(&v->cls.id, &row->id) == 0 ? class_conflicts(v, view) : QM_OK;
}

int qm__handle_review(qm_db *db, qm_space *s, const qm_collection_def *c, qm_buf *out,
                      uint64_t *count) {
  review v = {.out = out};
  *count = 0;
  if (!qm_space_schema(s)) return QM_OK;
  int rc = qm__handle_reading(db, s, 0, &v.r);
  if (rc == QM_OK)
    rc = db->store->ops->record_scan(db->store, qm__handle_number(s), c ? c->number : 0, NULL,
                                     SIZE_MAX >> 1, take_record, &v);
  qm__handle_reading_free(&v.r);
  *count = v.count;
  return rc;
}

static int conflicts(qm_db *db, qm_slice space, qm_slice collection, qm_buf *b, qm_error *e) {
  qm_space *s;
  const qm_collection_def *c = NULL;
  uint64_t count;
  QM_TRY(qm__handle_space(db, space, &s, e));
  if (collection.n) QM_TRY(qm__handle_collection(s, collection, &c, e));
  int rc = qm__handle_review(db, s, c, b, &count);
  return rc == QM_OK ? rc : qm_fail(e, rc, "conflicts: %s", qm_err_text(rc));
}

int32_t qm_conflicts(qm_db *db, qm_slice space, qm_slice collection, qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "conflicts: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = conflicts(db, space, collection, &b, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
