/* handle_inbox.c: what became of this device's values (qm_inbox), and settles that can be taken
 * back (qm_settles, qm_undo). */
#include <stdlib.h>
#include <string.h>

#include "adapters/handle/handle_review.h"
#include "core/inbox.h"
#include "core/undo.h"

/* One space's entries, as lines in the making. */
typedef struct writer {
  qm_db *db;
  qm_space *s;
  const qm_who *who;
  qm__review_list *l; /* severity: 1; time: when it was told */
  uint32_t flags;
  uint64_t unread;
  qm_arena arena;
} writer;

/* ---- what entries and settles are called ---- */

/* The first characters are enough, in either case. */
static int is_called(const qm_space *s, qm_dot dot, qm_slice item) {
  char code[QM__DOT_TEXT];
  qm__review_dot(s, dot, code);
  if (item.n > QM__DOT_NAME) return 0;
  for (size_t i = 0; i < item.n; i++) {
    char c = (char)item.p[i];
    if (c >= 'a' && c <= 'z') c = (char)(c - 32);
    if (c != code[i]) return 0;
  }
  return 1;
}

/* ---- lines ---- */

/* Up to "field". *f: NULL where the schema does not know it, or of the record itself. */
static int put_place(writer *w, qm_dot dot, const qm_id *record, uint32_t number,
                     const qm_field_def **f, qm_record_class *of) {
  qm_buf *b = &w->l->text;
  char code[QM__DOT_TEXT];
  qm_space_info info;
  const qm_schema *schema = qm_space_schema(w->s);
  const qm_collection_def *c = NULL;
  *f = NULL;
  qm_space_info_get(w->s, &info);
  qm__review_dot(w->s, dot, code);
  qm__handle_put(b, "{\"item\":\"");
  qm__handle_put(b, code);
  qm__handle_put(b, "\",\"space\":");
  qm__handle_put_id(b, &info.id);
  qm__handle_put(b, ",\"space_name\":");
  qm_json_str(b, info.name);
  int rc = qm_class_read(w->db->engine, w->s, record, QM_CLASS_COMMITTED, &w->arena, of);
  if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
  if (rc == QM_OK && schema) c = qm_schema_collection(schema, qm_record_collection(of->members[0]));
  qm__handle_put(b, ",\"collection\":");
  if (c) qm_json_str(b, c->name);
  else qm__handle_put(b, "null");
  qm__handle_put(b, ",\"id\":");
  qm__handle_put_id(b, record);
  qm__handle_put(b, ",\"title\":");
  if (c) QM_TRY(qm__review_title(w->s, c, of, &w->arena, b));
  else qm__handle_put(b, "\"\"");
  qm__handle_put(b, ",\"field\":");
  if (c && number) *f = qm_collection_field(c, number);
  if (*f) qm_json_str(b, (*f)->name);
  else if (number) qm__handle_put_u64(b, number);
  else qm__handle_put(b, "null");
  if (rc == QM_ENOTFOUND) memset(of, 0, sizeof *of);
  return QM_OK;
}

static int keep_line(qm__review_list *l, uint64_t ms, size_t at) {
  QM_TRY(qm_buf_status(&l->text));
  if (l->n == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 64;
    qm__review_line *p = qm_realloc_array(l->env, l->lines, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->lines = p;
    l->cap = cap;
  }
  l->lines[l->n++] = (qm__review_line){QM_SEVERITY_LOW, ms, at, l->text.n - at};
  return QM_OK;
}

static void put_presence(qm_buf *b, qm_slice v) {
  qm__handle_put(b, v.n && v.p[0] == 0xc3 ? "\"edited\"" : "\"deleted\"");
}

static void put_value(qm_buf *b, const qm_field_def *f, uint32_t number, qm_slice v, int hidden) {
  if (hidden) qm__handle_put(b, "null");
  else if (number) qm__handle_put_value(b, f, v);
  else put_presence(b, v);
}

static int is_hidden(writer *w, const qm_id *record, uint32_t field, int *out) {
  return qm_field_hidden(w->db->engine, w->s, record, field, QM_CLASS_COMMITTED, &w->arena, out);
}

/* What is shown of it now; nothing where the record is not there. */
static int put_now(writer *w, const qm_inbox_entry *x, const qm_field_def *f,
                   const qm_record_class *of) {
  qm_buf *b = &w->l->text;
  const qm_record *view;
  qm_contest contest;
  if (!of->n || (x->field && !f)) return QM_OK;
  if (!x->field) {
    qm__handle_put(b, ",\"now\":");
    qm__handle_put(b, qm_class_visible(of) ? "\"edited\"" : "\"deleted\"");
    return QM_OK;
  }
  QM_TRY(qm_class_view(of, qm_space_authors(w->s), x->field, &w->arena, &view));
  QM_TRY(qm_read_contest(w->s, f, qm_record_cell(view, x->field, QM_SIBLINGS), &w->arena,
                         &contest));
  if (!contest.shown) return QM_OK;
  qm__handle_put(b, ",\"now\":");
  qm__handle_put_value(b, f, contest.shown->value);
  return QM_OK;
}

static const char *const reasons[] = {[QM_INBOX_CONCURRENT] = "concurrent",
                                      [QM_INBOX_UNREAD] = "unread",
                                      [QM_INBOX_SETTLED] = "settled"};

static int put_entry(void *payload, const qm_inbox_entry *x) {
  writer *w = payload;
  qm_buf *b = &w->l->text;
  qm_record_class of;
  const qm_field_def *f;
  size_t at = b->n;
  int hidden;
  w->unread += !x->is_read;
  if (x->is_read && w->flags & QM_UNREAD) return QM_OK;
  qm_arena_reset(&w->arena);
  QM_TRY(is_hidden(w, &x->record, x->field, &hidden));
  QM_TRY(put_place(w, x->dot, &x->record, x->field, &f, &of));
  if (hidden) qm__handle_put(b, ",\"hidden\":true");
  qm__handle_put(b, ",\"reason\":\"");
  qm__handle_put(b, reasons[x->reason]);
  qm__handle_put(b, "\",\"before\":{\"value\":");
  put_value(b, f, x->field, x->before, hidden);
  qm_buf_byte(b, ',');
  qm__handle_put_dot(b, w->who, w->s, x->dot, x->before_time);
  qm__handle_put(b, "},\"after\":{\"value\":");
  put_value(b, f, x->field, x->after, hidden);
  qm_buf_byte(b, ',');
  qm__handle_put_dot(b, w->who, w->s, x->after_dot, x->after_time);
  qm_buf_byte(b, '}');
  if (!hidden) QM_TRY(put_now(w, x, f, &of));
  qm__handle_put(b, ",\"told\":");
  qm__handle_put_u64(b, x->told_ms);
  qm__handle_put(b, x->is_read ? ",\"read\":true}\n" : ",\"read\":false}\n");
  return keep_line(w->l, x->told_ms, at);
}

/* Is the settle what is still there? Then it can be taken back. */
static int is_open(const qm_settled *x, const qm_record_class *of, const qm_sibling **out) {
  *out = NULL;
  for (uint32_t i = 0; i < of->n; i++) {
    const qm_record *r = of->members[i];
    const qm_cell *cell = qm_record_cell(r, x->field, QM_SIBLINGS);
    const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
    for (uint32_t k = 0; v && k < v->n; k++)
      if (v->p[k].dot.author == x->dot.author && v->p[k].dot.counter == x->dot.counter)
        *out = &v->p[k];
  }
  return *out && qm_class_visible(of);
}

static int put_settled(void *payload, const qm_settled *x) {
  writer *w = payload;
  qm_buf *b = &w->l->text;
  qm_record_class of;
  const qm_field_def *f;
  const qm_sibling *now;
  int hidden;
  size_t at = b->n;
  qm_arena_reset(&w->arena);
  QM_TRY(is_hidden(w, &x->record, x->field, &hidden));
  QM_TRY(put_place(w, x->dot, &x->record, x->field, &f, &of));
  int open = is_open(x, &of, &now);
  if (hidden) qm__handle_put(b, ",\"hidden\":true");
  qm__handle_put(b, ",\"value\":");
  if (now && !hidden) qm__handle_put_value(b, f, now->value);
  else qm__handle_put(b, "null");
  qm__handle_put(b, ",\"values\":[");
  for (uint32_t i = x->n; i-- > 0;) {
    if (hidden) qm__handle_put(b, "null");
    else qm__handle_put_value(b, f, x->values[i]);
    if (i) qm_buf_byte(b, ',');
  }
  qm__handle_put(b, "],\"time\":");
  qm__handle_put_u64(b, x->ms);
  qm__handle_put(b, open ? ",\"open\":true}\n" : ",\"open\":false}\n");
  return keep_line(w->l, x->ms, at);
}

static int count_unread(void *payload, const qm_inbox_entry *x) {
  *(uint64_t *)payload += !x->is_read;
  return QM_OK;
}

int qm__inbox_unread(qm_engine *e, qm_space *s, uint64_t *n) {
  return qm_inbox_each(e, s, count_unread, n);
}

/* ---- all spaces, or one ---- */

typedef int (*each_space)(writer *w);

static int inbox_of(writer *w) { return qm_inbox_each(w->db->engine, w->s, put_entry, w); }
static int settles_of(writer *w) { return qm_settled_each(w->db->engine, w->s, put_settled, w); }

static int add_spaces(qm_db *db, qm_slice space, each_space add, writer *w, qm_error *e) {
  uint32_t n = qm_engine_space_count(db->engine);
  int rc = QM_OK;
  if (space.n) {
    QM_TRY(qm__handle_space(db, space, &w->s, e));
    rc = add(w);
  }
  for (uint32_t i = 0; i < n && rc == QM_OK && !space.n; i++) {
    w->s = qm_engine_space_at(db->engine, i);
    rc = add(w);
  }
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}

static int latest_first(const void *pa, const void *pb) {
  const qm__review_line *a = pa, *b = pb;
  if (a->time != b->time) return a->time > b->time ? -1 : 1;
  return a->at > b->at ? -1 : a->at < b->at;
}

static void put_lines(qm__review_list *l, qm_buf *out) {
  if (l->n) qsort(l->lines, l->n, sizeof *l->lines, latest_first);
  for (size_t i = 0; i < l->n; i++) qm_buf_add(out, l->text.p + l->lines[i].at, l->lines[i].n);
}

static int list(qm_db *db, qm_slice space, uint32_t flags, each_space add, qm_buf *b,
                qm_error *e) {
  qm__review_list l;
  qm_who who;
  writer w = {.db = db, .who = &who, .l = &l, .flags = flags};
  qm__review_init(&l, &db->env);
  qm_arena_init(&w.arena, &db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm__handle_who(db, &who);
  if (rc == QM_OK) rc = add_spaces(db, space, add, &w, e);
  if (rc == QM_OK) put_lines(&l, b);
  if (rc == QM_OK && add == inbox_of) {
    qm__handle_put(b, "{\"entries\":");
    qm__handle_put_u64(b, l.n);
    qm__handle_put(b, ",\"unread\":");
    qm__handle_put_u64(b, w.unread);
    qm__handle_put(b, "}\n");
  }
  qm_arena_free(&w.arena);
  qm__handle_who_free(&who);
  qm__review_free(&l);
  return rc;
}

static int32_t list_call(qm_db *db, qm_slice space, uint32_t flags, each_space add, qm_text *out,
                         qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = list(db, space, flags, add, &b, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

int32_t qm_inbox(qm_db *db, qm_slice space, uint32_t flags, qm_text *out, qm_error *e) {
  return list_call(db, space, flags, inbox_of, out, e);
}

int32_t qm_settles(qm_db *db, qm_slice space, qm_text *out, qm_error *e) {
  return list_call(db, space, 0, settles_of, out, e);
}

/* ---- one entry, by what it is called ---- */

typedef struct finding {
  qm_slice item;
  qm_space *s, *found_in;
  qm_dot dot;
  uint64_t ms;
  uint32_t n;
} finding;

static void found(finding *f, qm_dot dot, uint64_t ms) {
  f->n++;
  if (f->n > 1 && ms < f->ms) return; /* of several without a name the latest */
  f->found_in = f->s;
  f->dot = dot;
  f->ms = ms;
}

static int find_entry(void *payload, const qm_inbox_entry *x) {
  finding *f = payload;
  if (is_called(f->s, x->dot, f->item)) found(f, x->dot, x->told_ms);
  return QM_OK;
}

static int find_settled(void *payload, const qm_settled *x) {
  finding *f = payload;
  if (is_called(f->s, x->dot, f->item)) found(f, x->dot, x->ms);
  return QM_OK;
}

/* item empty: the latest one. */
static int find(qm_db *db, qm_slice item, int settled, finding *f, qm_error *e) {
  memset(f, 0, sizeof *f);
  f->item = item;
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine); i++) {
    f->s = qm_engine_space_at(db->engine, i);
    int rc = settled ? qm_settled_each(db->engine, f->s, find_settled, f)
                     : qm_inbox_each(db->engine, f->s, find_entry, f);
    if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  }
  if (!f->n) return qm_fail(e, QM_ENOTFOUND, settled ? "no such decision" : "no such entry");
  if (item.n && f->n > 1) return qm_fail(e, QM_EAMBIGUOUS, "more than one begins so");
  return QM_OK;
}

/* ---- reading, restoring, undoing ---- */

static int mark_all(qm_db *db, qm_error *e) {
  int rc = QM_OK;
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine) && rc == QM_OK; i++)
    rc = qm_inbox_read(db->engine, qm_engine_space_at(db->engine, i), NULL);
  return rc == QM_OK ? rc : qm_fail(e, rc, "inbox: %s", qm_err_text(rc));
}

static int mark(qm_db *db, qm_slice item, qm_error *e) {
  finding f;
  if (!item.n) return mark_all(db, e);
  QM_TRY(find(db, item, 0, &f, e));
  int rc = qm_inbox_read(db->engine, f.found_in, &f.dot);
  return rc == QM_OK ? rc : qm_fail(e, rc, "inbox: %s", qm_err_text(rc));
}

static int restore_in(qm_db *db, const finding *f, qm_error *e) {
  qm_arena arena;
  qm_inbox_entry x;
  qm_write *w;
  qm_arena_init(&arena, &db->env, (size_t)1 << 22);
  int rc = qm_inbox_find(db->engine, f->found_in, f->dot, &arena, &x);
  if (rc == QM_OK) rc = qm_write_begin(&w, db->engine, f->found_in, 0);
  if (rc == QM_OK) {
    rc = qm_write_lost(w, f->found_in, &x);
    qm_error why = *qm_write_error(w);
    if (rc == QM_OK) rc = qm_inbox_read(db->engine, f->found_in, &f->dot);
    if (rc == QM_OK) rc = qm_write_commit(w, QM_DURABLE);
    else qm_write_cancel(w);
    if (rc != QM_OK && why.code == rc && why.message[0]) *e = why;
    else if (rc != QM_OK) qm_fail(e, rc, "restore: %s", qm_err_text(rc));
  } else {
    qm_fail(e, rc, "restore: %s", qm_err_text(rc));
  }
  qm_arena_free(&arena);
  return rc;
}

static int restore(qm_db *db, qm_slice item, qm_error *e) {
  finding f;
  if (!item.n) return qm_fail(e, QM_EINVAL, "restore: which entry?");
  QM_TRY(find(db, item, 0, &f, e));
  QM_TRY(qm__handle_check_sensitive(db, qm_space_schema(f.found_in), e));
  return restore_in(db, &f, e);
}

static int undo(qm_db *db, qm_slice item, qm_error *e) {
  finding f;
  QM_TRY(find(db, item, 1, &f, e));
  int rc = qm_settled_undo(db->engine, f.found_in, f.dot);
  return rc == QM_OK ? rc : qm_fail(e, rc, "undo: %s", qm_err_text(rc));
}

typedef int (*change)(qm_db *db, qm_slice item, qm_error *e);

static int32_t change_call(qm_db *db, qm_slice item, change act, qm_error *e) {
  qm_error none = {0, ""}, *why = e ? e : &none;
  QM_TRY(qm__handle_enter_alone(db, why));
  int rc = act(db, item, why);
  if (rc == QM_EBUSY && qm__handle_reopen(db, why) == QM_OK) rc = act(db, item, why);
  qm__handle_committed(db);
  qm__handle_leave(db);
  return rc;
}

int32_t qm_inbox_seen(qm_db *db, qm_slice item, qm_error *e) {
  return change_call(db, item, mark, e);
}

int32_t qm_inbox_restore(qm_db *db, qm_slice item, qm_error *e) {
  return change_call(db, item, restore, e);
}

int32_t qm_undo(qm_db *db, qm_slice item, qm_error *e) { return change_call(db, item, undo, e); }
