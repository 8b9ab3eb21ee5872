/* handle_review.c: see handle_review.h, and the review list's functions of core/qianmo.h. */
#include "adapters/handle/handle_review.h"

#include <stdlib.h>
#include <string.h>

#include "core/space.h"

#define REVIEW_LIMIT 100u

/* What one space's conflicts are written with. */
typedef struct writer {
  qm__review_list *l;
  qm_space *s;
  const qm_who *who;
  const qm__review_filter *f;
  qm_arena arena; /* of one token */
} writer;

void qm__review_init(qm__review_list *l, const qm_env *env) {
  memset(l, 0, sizeof *l);
  l->env = env;
  qm_buf_init(&l->text, env, QM_HANDLE_TEXT_MAX);
}

void qm__review_free(qm__review_list *l) {
  qm_buf_free(&l->text);
  qm_free(l->env, l->lines);
  l->lines = NULL;
}

/* ---- words ---- */

static const char *const severities[] = {"", "low", "normal", "high"};

const char *qm__review_severity(qm_severity s) { return severities[s]; }

qm_conflict_class qm__review_class(qm_slice name) {
  for (int c = QM_CONFLICT_SIBLING; c <= QM_CONFLICT_OVERDRAWN; c++)
    if (qm_slice_cmp(qm_str(qm__handle_conflict((qm_conflict_class)c)), name) == 0)
      return (qm_conflict_class)c;
  return 0;
}

void qm__review_dot(const qm_space *s, qm_dot dot, char out[QM__DOT_TEXT]) {
  qm_sha sha;
  qm_hash hash;
  uint8_t b[8];
  qm_space_info info;
  qm_space_info_get(s, &info);
  for (int i = 0; i < 8; i++) b[i] = (uint8_t)(dot.counter >> (56 - 8 * i));
  qm_sha_init(&sha);
  qm_sha_add(&sha, info.id.b, QM_ID_SIZE);
  qm_sha_add(&sha, qm_space_authors(s)->ids[dot.author].b, QM_AUTHOR_SIZE);
  qm_sha_add(&sha, b, sizeof b);
  qm_sha_end(&sha, &hash);
  qm_base32(out, hash.b, 5);
}

/* ---- one conflict ---- */

/* The text that a field shows, behind what stands there. */
static int add_shown(qm_space *s, const qm_field_def *f, const qm_record *view, qm_arena *arena,
                     qm_buf *title) {
  qm_contest contest;
  qm_cur cur;
  qm_slice text;
  if (qm_field_shape(f) != QM_SIBLINGS) return QM_OK;
  QM_TRY(qm_read_contest(s, f, qm_record_cell(view, f->number, QM_SIBLINGS), arena, &contest));
  if (!contest.shown) return QM_OK;
  qm_cur_init(&cur, contest.shown->value);
  if (qm_cur_str(&cur, &text) != QM_OK) return QM_OK;
  if (title->n) qm_buf_byte(title, ' ');
  qm_buf_add(title, text.p, text.n);
  return QM_OK;
}

int qm__review_title(qm_space *s, const qm_collection_def *c, const qm_record_class *of,
                     qm_arena *arena, qm_buf *out) {
  qm_buf title;
  const qm_record *view;
  int rc = qm_class_view(of, qm_space_authors(s), QM_CLASS_ALL, arena, &view);
  qm_buf_init(&title, out->env, QM_RECORD_MAX);
  if (rc == QM_OK)
    rc = qm_relations_hide(s->engine, s, c, view, QM_CLASS_COMMITTED, arena, &view);
  for (uint32_t i = 0; rc == QM_OK && i < c->n_fields; i++)
    if (c->fields[i].number == c->key_field || c->fields[i].flags & QM_FIELD_NAMING)
      rc = add_shown(s, &c->fields[i], view, arena, &title);
  for (uint32_t i = 0; rc == QM_OK && !title.n && i < c->n_fields; i++)
    if (c->fields[i].value == QM_VALUE_TEXT && c->fields[i].cls <= QM_CLASS_WORK)
      rc = add_shown(s, &c->fields[i], view, arena, &title);
  if (rc == QM_OK) rc = qm_buf_status(&title);
  if (rc == QM_OK) qm_json_str(out, qm_buf_slice(&title));
  qm_buf_free(&title);
  return rc;
}

static void put_code(qm_buf *b, const qm_space *s, const qm_conflict *c) {
  uint8_t code[QM_CONFLICT_CODE];
  char text[16];
  qm_conflict_code(s, c, code);
  qm_base32(text, code, sizeof code);
  qm__handle_put(b, text);
}

/* The beginning of a line, up to the values. */
static int put_head(writer *w, const qm_conflict *c) {
  qm_buf *b = &w->l->text;
  qm_space_info info;
  qm_space_info_get(w->s, &info);
  qm__handle_put(b, "{\"item\":\"");
  put_code(b, w->s, c);
  qm__handle_put(b, "\",\"space\":");
  qm__handle_put_id(b, &info.id);
  qm__handle_put(b, ",\"space_name\":");
  qm_json_str(b, info.name);
  qm__handle_put(b, ",\"collection\":");
  qm_json_str(b, c->collection->name);
  qm__handle_put(b, ",\"id\":");
  qm__handle_put_id(b, &c->of->id);
  qm__handle_put(b, ",\"title\":");
  QM_TRY(qm__review_title(w->s, c->collection, c->of, &w->arena, b));
  qm__handle_put(b, ",\"severity\":\"");
  qm__handle_put(b, severities[c->severity]);
  qm__handle_put(b, "\",\"field\":");
  if (c->field)
    qm_json_str(b, c->field->name);
  else
    qm__handle_put(b, "null");
  qm__handle_put(b, ",\"class\":\"");
  qm__handle_put(b, qm__handle_conflict(c->cls));
  qm__handle_put(b, "\",\"values\":[");
  return QM_OK;
}

static void put_dot_name(qm_buf *b, const qm_space *s, qm_dot dot) {
  char name[QM__DOT_TEXT];
  qm__review_dot(s, dot, name);
  qm__handle_put(b, ",\"dot\":\"");
  qm__handle_put(b, name);
  qm_buf_byte(b, '"');
}

static void put_class(qm_buf *b, const char *cls, int is_shown) {
  qm__handle_put(b, ",\"class\":\"");
  qm__handle_put(b, cls);
  qm__handle_put(b, is_shown ? "\",\"shown\":true}" : "\",\"shown\":false}");
}

static void put_value(writer *w, const qm_field_def *f, const qm_sibling *x, const char *cls,
                      int is_shown) {
  qm_buf *b = &w->l->text;
  qm__handle_put(b, is_shown ? "{\"value\":" : ",{\"value\":");
  qm__handle_put_value(b, f, x->value);
  qm_buf_byte(b, ',');
  qm__handle_put_dot(b, w->who, w->s, x->dot, x->time);
  put_dot_name(b, w->s, x->dot);
  put_class(b, cls, is_shown);
}

static void put_contest(writer *w, const qm_conflict *c) {
  put_value(w, c->field, c->contest->shown, "shown", 1);
  for (uint32_t i = 0; i < c->contest->n_others; i++)
    put_value(w, c->field, c->contest->others[i].sibling,
              qm__handle_conflict(c->contest->others[i].cls), 0);
}

/* One deleted what another edited: the marks are the values. They carry no time of their own:
 * that of their author's last change is not theirs, so none is given. */
static void put_marks(writer *w, const qm_record *r) {
  qm_buf *b = &w->l->text;
  int n = 0, visible = qm_record_visible(r);
  for (int shown = 1; shown >= 0; shown--) /* what holds stands first */
    for (uint32_t i = 0; i < r->marks.n; i++) {
      const qm_mark *m = &r->marks.p[i];
      if ((visible != m->deleted) != shown) continue;
      qm__handle_put(b, n++ ? ",{\"value\":" : "{\"value\":");
      qm__handle_put(b, m->deleted ? "\"deleted\"" : "\"edited\"");
      qm_buf_byte(b, ',');
      qm__handle_put_who(b, w->who, w->s, m->dot.author, 0);
      put_dot_name(b, w->s, m->dot);
      put_class(b, "deleted", shown);
    }
}

/* A record, by its id. */
static void put_other(qm_buf *b, const qm_id *id, const char *cls, int first) {
  qm__handle_put(b, first ? "{\"value\":" : ",{\"value\":");
  qm__handle_put_id(b, id);
  put_class(b, cls, 0);
}

/* Who created it, and the other records that show its key. */
static void put_same_key(writer *w, const qm_conflict *c) {
  qm_buf *b = &w->l->text;
  int first = 1;
  for (uint32_t m = 0; m < c->of->n; m++)
    for (uint32_t i = 0; i < c->of->members[m]->n_creations; i++, first = 0) {
      qm__handle_put(b, first ? "{\"value\":\"new\"," : ",{\"value\":\"new\",");
      qm__handle_put_who(b, w->who, w->s, c->of->members[m]->creations[i].dot.author, 0);
      put_class(b, "same-key", 1);
    }
  for (uint32_t i = 0; i < c->same_key->n_others; i++, first = 0)
    put_other(b, &c->same_key->others[i], "same-key", first);
}

/* This record and those that it clashes with. */
static void put_clash(writer *w, const qm_conflict *c) {
  put_other(&w->l->text, &c->of->id, "clash", 1);
  for (uint32_t i = 0; i < c->n_clashing; i++)
    put_other(&w->l->text, &c->clashing[i], "clash", 0);
}

/* What a relation says of it, behind its values. */
static void put_relation(writer *w, const qm_conflict *c) {
  qm_buf *b = &w->l->text;
  for (uint32_t i = 0; i < c->n_against; i++) {
    qm__handle_put(b, i ? "," : ",\"against\":[");
    qm_json_str(b, qm_collection_field(c->collection, c->against[i])->name);
  }
  if (c->n_against) qm_buf_byte(b, ']');
  if (c->clash) {
    qm__handle_put(b, ",\"clash\":");
    qm_json_str(b, c->clash->name);
  }
  if (!c->cover) return;
  qm__handle_put(b, ",\"account\":");
  qm__handle_put_id(b, &c->cover->account);
  qm__handle_put(b, ",\"amount\":");
  qm__handle_put_i64(b, c->cover->amount);
  qm__handle_put(b, ",\"left\":");
  qm__handle_put_i64(b, c->cover->left);
}

static int put_token(writer *w, const qm_conflict *c) {
  qm_buf token, *b = &w->l->text;
  char hex[3];
  qm_buf_init(&token, w->l->env, QM_RECORD_MAX);
  int rc = qm_class_token(w->s, c->of, QM_READ_REVIEW, &w->arena, &token);
  for (size_t i = 0; rc == QM_OK && i < token.n; i++) {
    qm_hex(hex, token.p + i, 1);
    qm_buf_add(b, hex, 2);
  }
  qm_buf_free(&token);
  return rc;
}

static int keep_line(qm__review_list *l, const qm_conflict *c, size_t at) {
  if (l->n == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 64;
    qm__review_line *p = qm_realloc_array(l->env, l->lines, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->lines = p;
    l->cap = cap;
  }
  l->lines[l->n++] =
      (qm__review_line){c->severity, qm_conflict_time(c), at, l->text.n - at};
  l->counts[c->severity]++;
  return QM_OK;
}

static int put_conflict(void *payload, const qm_conflict *c) {
  writer *w = payload;
  qm_buf *b = &w->l->text;
  size_t at = b->n;
  if (w->f->cls && w->f->cls != c->cls) return QM_OK;
  if (c->severity < w->f->severity) return QM_OK;
  qm_arena_reset(&w->arena);
  QM_TRY(put_head(w, c));
  if (c->contest) put_contest(w, c);
  else if (c->member) put_marks(w, c->member);
  else if (c->same_key) put_same_key(w, c);
  else if (c->unmerged) put_other(b, c->unmerged, "unmerged", 1);
  else if (c->clash) put_clash(w, c);
  qm_buf_byte(b, ']');
  put_relation(w, c);
  qm__handle_put(b, ",\"token\":\"");
  QM_TRY(put_token(w, c));
  qm__handle_put(b, "\"}\n");
  QM_TRY(qm_buf_status(b));
  return keep_line(w->l, c, at);
}

int qm__review_add(qm__review_list *l, qm_engine *e, qm_space *s, const qm_who *who,
                   const qm__review_filter *f) {
  writer w = {.l = l, .s = s, .who = who, .f = f};
  qm_arena_init(&w.arena, l->env, QM_HANDLE_ARENA_MAX);
  int rc = qm_review_each(e, s, f->collection, f->record, put_conflict, &w);
  qm_arena_free(&w.arena);
  return rc;
}

/* ---- the page ---- */

static int before(const void *pa, const void *pb) {
  const qm__review_line *a = pa, *b = pb;
  if (a->severity != b->severity) return a->severity > b->severity ? -1 : 1;
  if (a->time != b->time) return a->time > b->time ? -1 : 1;
  return a->at < b->at ? -1 : a->at > b->at;
}

void qm__review_page(qm__review_list *l, uint64_t offset, uint64_t limit, qm_buf *out) {
  if (l->n) qsort(l->lines, l->n, sizeof *l->lines, before);
  uint64_t end = offset < l->n && limit < l->n - offset ? offset + limit : l->n;
  for (uint64_t i = offset; i < end; i++)
    qm_buf_add(out, l->text.p + l->lines[i].at, l->lines[i].n);
  qm__handle_put(out, "{\"conflicts\":");
  qm__handle_put_u64(out, l->n);
  for (int s = QM_SEVERITY_HIGH; s >= QM_SEVERITY_LOW; s--) {
    qm__handle_put(out, ",\"");
    qm__handle_put(out, severities[s]);
    qm__handle_put(out, "\":");
    qm__handle_put_u64(out, l->counts[s]);
  }
  qm__handle_put(out, end < l->n ? ",\"more\":true}\n" : ",\"more\":false}\n");
}

static int count_one(void *payload, const qm_conflict *c) {
  ((uint64_t *)payload)[c->severity]++;
  return QM_OK;
}

int qm__review_count(qm_engine *e, qm_space *s, uint64_t counts[QM_SEVERITY_HIGH + 1]) {
  return qm_review_each(e, s, 0, NULL, count_one, counts);
}

/* ---- qm_conflicts ---- */

static int conflicts(qm_db *db, qm_slice space, qm_slice collection, qm_buf *b, qm_error *e) {
  qm_space *s;
  const qm_collection_def *c = NULL;
  qm__review_filter f = {0};
  qm__review_list l;
  qm_who who;
  QM_TRY(qm__handle_space(db, space, &s, e));
  if (collection.n) QM_TRY(qm__handle_collection(s, collection, &c, e));
  if (c) f.collection = c->number;
  qm__review_init(&l, &db->env);
  int rc = qm__handle_who(db, &who);
  if (rc == QM_OK) rc = qm__review_add(&l, db->engine, s, &who, &f);
  if (rc == QM_OK) qm_buf_add(b, l.text.p, l.text.n);
  qm__handle_who_free(&who);
  qm__review_free(&l);
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

/* ---- qm_review ---- */

/* Collection and record are asked for by name: a space whose schema has no such collection has
 * none of it. *skip: 1 there. */
static int filter_of(qm_db *db, qm_space *s, const qm_review_options *o, int all,
                     qm__review_filter *f, qm_id *record, int *skip, qm_error *e) {
  const qm_collection_def *c = NULL;
  memset(f, 0, sizeof *f);
  *skip = 0;
  f->cls = o->cls.n ? qm__review_class(o->cls) : 0;
  f->severity = (qm_severity)o->severity;
  if (!o->collection.n) return QM_OK;
  int rc = qm__handle_collection(s, o->collection, &c, all ? NULL : e);
  if (rc == QM_OK && o->record.n)
    rc = qm__handle_record(db, s, c, o->record, record, all ? NULL : e);
  if (rc != QM_OK) {
    *skip = all && rc == QM_ENOTFOUND;
    return *skip ? QM_OK : rc;
  }
  f->collection = c->number;
  if (o->record.n) f->record = record;
  return QM_OK;
}

static int check_options(const qm_review_options *o, qm_error *e) {
  if (o->size != sizeof *o) return qm_fail(e, QM_EINVAL, "review: options of another version");
  if (o->severity > QM_SEVERITY_HIGH) return qm_fail(e, QM_EINVAL, "review: no such severity");
  if (o->cls.n && !qm__review_class(o->cls))
    return qm_fail(e, QM_EINVAL, "review: no such class of conflicts");
  if (o->record.n && !o->collection.n)
    return qm_fail(e, QM_EINVAL, "review: a record needs its collection");
  return QM_OK;
}

static int add_space(qm_db *db, qm_space *s, const qm_review_options *o, int all,
                     const qm_who *who, qm__review_list *l, int *asked, qm_error *e) {
  qm__review_filter f;
  qm_id record;
  int skip;
  QM_TRY(filter_of(db, s, o, all, &f, &record, &skip, e));
  if (skip) return QM_OK;
  ++*asked;
  int rc = qm__review_add(l, db->engine, s, who, &f);
  return rc == QM_OK ? rc : qm_fail(e, rc, "review: %s", qm_err_text(rc));
}

static int review_spaces(qm_db *db, qm_slice space, const qm_review_options *o,
                         const qm_who *who, qm__review_list *l, qm_error *e) {
  uint32_t n = qm_engine_space_count(db->engine);
  qm_space *s;
  int asked = 0;
  if (space.n) {
    QM_TRY(qm__handle_space(db, space, &s, e));
    return add_space(db, s, o, 0, who, l, &asked, e);
  }
  for (uint32_t i = 0; i < n; i++)
    QM_TRY(add_space(db, qm_engine_space_at(db->engine, i), o, n > 1, who, l, &asked, e));
  return asked || !n ? QM_OK
                     : qm_fail(e, QM_ENOTFOUND, "no space has such a collection or record");
}

static int review(qm_db *db, qm_slice space, const qm_review_options *o, qm_buf *b, qm_error *e) {
  qm__review_list l;
  qm_who who;
  qm__review_init(&l, &db->env);
  int rc = qm__handle_who(db, &who);
  if (rc == QM_OK) rc = review_spaces(db, space, o, &who, &l, e);
  if (rc == QM_OK) qm__review_page(&l, o->offset, o->limit ? o->limit : REVIEW_LIMIT, b);
  if (rc == QM_OK && qm_buf_status(b) != QM_OK)
    rc = qm_fail(e, qm_buf_status(b), "review: %s", qm_err_text(qm_buf_status(b)));
  qm__handle_who_free(&who);
  qm__review_free(&l);
  return rc;
}

int32_t qm_review(qm_db *db, qm_slice space, const qm_review_options *options, qm_text *out,
                  qm_error *e) {
  const qm_review_options none = QM_REVIEW_OPTIONS_INIT;
  const qm_review_options *o = options ? options : &none;
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "review: an argument is missing");
  QM_TRY(check_options(o, e));
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = review(db, space, o, &b, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
