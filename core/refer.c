#include "core/refer.h"

#include <string.h>

#include "core/class_ref.h"
#include "core/fold.h"
#include "core/ledger.h"
#include "core/member.h"
#include "core/space.h"
#include "core/write.h"

#define MAP_MAX 64u /* pairs of an answer that is copied */

/* ---- spaces and records that name each other ---- */

static int read_place(qm_slice value, qm_id *space, qm_id *record) {
  qm_cur c;
  qm_cur_init(&c, value);
  return qm_cur_array_n(&c, 2) == QM_OK && qm_cur_bin_n(&c, space->b, QM_ID_SIZE) == QM_OK &&
         qm_cur_bin_n(&c, record->b, QM_ID_SIZE) == QM_OK;
}

static qm_slice put_place(const qm_id *space, const qm_id *record, uint8_t out[37]) {
  const uint8_t head[3] = {0x92, 0xc4, QM_ID_SIZE};
  memcpy(out, head, 3);
  memcpy(out + 3, space->b, QM_ID_SIZE);
  memcpy(out + 19, head + 1, 2);
  memcpy(out + 21, record->b, QM_ID_SIZE);
  return qm_slice_of(out, 37);
}

static int not_referred(const qm_collection_def *c, qm_error *err) {
  return qm_fail(err, QM_ESCHEMA, "%.*s: records of this collection are not referred",
                 c ? (int)c->name.n : 1, c ? (const char *)c->name.p : "?");
}

static int may(const qm_space *s, const qm_collection_def *c, qm_error *err) {
  if (s->writable && qm_collection_writable(c, s->role)) return QM_OK;
  return qm_fail(err, QM_EACCESS, "%.*s: role %.*s may not write this collection in %.*s",
                 (int)c->name.n, (const char *)c->name.p, (int)s->role.n,
                 (const char *)s->role.p, (int)s->name.n, (const char *)s->name.p);
}

/* The collection of this name in another space, where records are referred too. */
static const qm_collection_def *counterpart(const qm_space *s, const qm_collection_def *c) {
  const qm_collection_def *other =
      s->schema ? qm_schema_collection_named(s->schema, c->name) : NULL;
  return other && other->relations && other->relations->referral ? other : NULL;
}

/* HMAC under the upper space's secret: whoever refers the record makes the same one. */
static int upper_id(const qm_space *upper, const qm_id *lower, const qm_id *record, qm_id *out) {
  uint8_t data[6 + 2 * QM_ID_SIZE] = "refer";
  qm_hash mac;
  memcpy(data + 6, lower->b, QM_ID_SIZE);
  memcpy(data + 6 + QM_ID_SIZE, record->b, QM_ID_SIZE);
  QM_TRY(qm_hmac_sha256(qm_slice_of(upper->secret, sizeof upper->secret),
                        qm_slice_of(data, sizeof data), &mac));
  memcpy(out->b, mac.b, QM_ID_SIZE);
  return QM_OK;
}

/* ---- what crosses ---- */

/* References would name what the upper space does not hold. */
static int crosses(const qm_field_def *f) {
  return (f->flags & QM_FIELD_REFER) && !(f->flags & QM_FIELD_SEALED) &&
         f->value != QM_VALUE_REF && f->value != QM_VALUE_SPACE_REF;
}

static int fields_match(const qm_collection_def *c, const qm_collection_def *up, qm_error *err) {
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i], *to;
    if (!crosses(f)) continue;
    to = qm_collection_field_named(up, f->name);
    if (to && to->type == f->type && to->value == f->value) continue;
    return qm_fail(err, QM_ESCHEMA, "field %.*s: the upper space has no such field of this type",
                   (int)f->name.n, (const char *)f->name.p);
  }
  return QM_OK;
}

typedef struct copying {
  qm_engine *e;
  qm_space *lower, *upper;
  const qm_collection_def *c, *up;
  const qm_record *view; /* what the lower record shows */
  qm_arena *arena;
  qm_write *w;
  qm_id id; /* of the upper record */
} copying;

static int copy_siblings(copying *x, const qm_field_def *f, const qm_field_def *to,
                         const qm_cell *cell) {
  qm_contest contest;
  QM_TRY(qm_read_contest(x->lower, f, cell, x->arena, &contest));
  if (!contest.shown || contest.shown->value.p[0] == 0xc0) return QM_OK;
  return qm_write_set(x->w, &x->id, to->number, contest.shown->value, qm_slice_of(NULL, 0), 0);
}

static int copy_text(copying *x, const qm_field_def *to, const qm_cell *cell) {
  qm_buf text;
  qm_buf_init(&text, x->e->env, QM_RECORD_MAX);
  for (; cell; cell = qm_record_cell_next(x->view, cell)) qm_sequence_text(cell, &text);
  int rc = qm_buf_status(&text);
  if (rc == QM_OK && text.n)
    rc = qm_write_splice(x->w, &x->id, to->number, UINT64_MAX, 0, qm_buf_slice(&text),
                         qm_slice_of(NULL, 0));
  qm_buf_free(&text);
  return rc;
}

static int copy_list(copying *x, const qm_field_def *to, const qm_cell *cell) {
  for (; cell; cell = qm_record_cell_next(x->view, cell)) {
    qm_slice *values;
    uint32_t n;
    QM_TRY(qm_sequence_values(cell, x->arena, &values, &n));
    if (n)
      QM_TRY(qm_write_list(x->w, &x->id, to->number, UINT64_MAX, 0, values, n,
                           qm_slice_of(NULL, 0)));
  }
  return QM_OK;
}

static int copy_field(copying *x, const qm_field_def *f) {
  const qm_field_def *to = qm_collection_field_named(x->up, f->name);
  const qm_cell *cell = qm_record_cell(x->view, f->number, qm_field_shape(f));
  int64_t sum;
  if (!cell || !to) return QM_OK;
  switch (cell->shape) {
    case QM_SIBLINGS: return copy_siblings(x, f, to, cell);
    case QM_KEYED:
      for (uint32_t i = 0; i < qm_keyed_of(cell)->n; i++)
        QM_TRY(qm_write_add(x->w, &x->id, to->number, qm_keyed_of(cell)->p[i].value, 0));
      return QM_OK;
    case QM_ENTRIES:
      for (uint32_t i = 0; i < qm_entries_of(cell)->n; i++)
        if (!qm_entries_of(cell)->p[i].erased)
          QM_TRY(qm_write_append(x->w, &x->id, to->number, qm_entries_of(cell)->p[i].value));
      return QM_OK;
    case QM_TOTALS:
      if (qm_totals_sum(qm_totals_of(cell), &sum) != QM_OK || !sum) return QM_OK;
      return qm_write_inc(x->w, &x->id, to->number, sum);
    default:
      return f->type == QM_FIELD_TEXT ? copy_text(x, to, cell) : copy_list(x, to, cell);
  }
}

/* ---- writing ---- */

/* Ends a change: what the writer said is the reason. */
static int end(qm_write *w, int rc, qm_error *err) {
  if (rc == QM_OK) rc = qm_write_check(w);
  if (rc == QM_OK) {
    rc = qm_write_commit(w, QM_DURABLE);
    return rc == QM_OK ? rc : qm_fail(err, rc, "refer: %s", qm_err_text(rc));
  }
  const qm_error *why = qm_write_error(w);
  rc = qm_fail(err, rc, "%s", why->code == rc && why->message[0] ? why->message : qm_err_text(rc));
  qm_write_cancel(w);
  return rc;
}

static int write_upper(copying *x, const qm_id *record, int *existing, qm_error *err) {
  const qm_slice none = {NULL, 0};
  uint8_t place[37];
  qm_id made;
  int opened;
  int rc = qm_write_begin(&x->w, x->e, x->upper, 0);
  if (rc != QM_OK) return qm_fail(err, rc, "refer: %s", qm_err_text(rc));
  rc = qm_write_new(x->w, x->up->number, &x->id, none, &made, &opened);
  if (rc == QM_EEXIST) { /* referred before: the upper record is its own by now */
    *existing = 1;
    qm_write_cancel(x->w);
    return QM_OK;
  }
  for (uint32_t i = 0; i < x->c->n_fields && rc == QM_OK; i++)
    if (crosses(&x->c->fields[i])) rc = copy_field(x, &x->c->fields[i]);
  if (rc == QM_OK)
    rc = qm_write_set(x->w, &x->id, x->up->relations->referral->from,
                      put_place(&x->lower->id, record, place), none, 0);
  return end(x->w, rc, err);
}

static int write_lower(copying *x, const qm_id *record, qm_error *err) {
  const qm_referral_def *r = x->c->relations->referral;
  uint8_t place[37];
  int rc = qm_write_begin(&x->w, x->e, x->lower, 0);
  if (rc != QM_OK) return qm_fail(err, rc, "refer: %s", qm_err_text(rc));
  qm_slice value = put_place(&x->upper->id, &x->id, place);
  rc = qm_collection_field(x->c, r->to)->type == QM_FIELD_SET
           ? qm_write_add(x->w, record, r->to, value, 0)
           : qm_write_set(x->w, record, r->to, value, qm_slice_of(NULL, 0), 0);
  return end(x->w, rc, err);
}

static int refer(copying *x, const qm_id *record, qm_id *out, int *existing, qm_error *err) {
  qm_record_class of;
  int rc = qm_class_read(x->e, x->lower, record, QM_CLASS_COMMITTED, x->arena, &of);
  if (rc == QM_OK && !qm_class_visible(&of)) rc = QM_EINVISIBLE;
  if (rc != QM_OK) return qm_fail(err, rc, "refer: %s", qm_err_text(rc));
  x->c = x->lower->schema
             ? qm_schema_collection(x->lower->schema, qm_record_collection(of.members[0]))
             : NULL;
  if (!x->c || !x->c->relations || !x->c->relations->referral) return not_referred(x->c, err);
  x->up = counterpart(x->upper, x->c);
  if (!x->up)
    return qm_fail(err, QM_ESCHEMA, "%.*s: the upper space takes no records of this collection",
                   (int)x->c->name.n, (const char *)x->c->name.p);
  QM_TRY(fields_match(x->c, x->up, err));
  QM_TRY(may(x->upper, x->up, err));
  QM_TRY(may(x->lower, x->c, err));
  rc = upper_id(x->upper, &x->lower->id, &of.id, &x->id);
  if (rc == QM_OK)
    rc = qm_class_view(&of, &x->lower->authors, QM_CLASS_ALL, x->arena, &x->view);
  if (rc == QM_OK)
    rc = qm_class_resolve(x->e, x->lower, x->c, x->view, QM_CLASS_COMMITTED, x->arena, &x->view);
  if (rc != QM_OK) return qm_fail(err, rc, "refer: %s", qm_err_text(rc));
  *out = x->id;
  QM_TRY(write_upper(x, &of.id, existing, err));
  return write_lower(x, &of.id, err);
}

int qm_refer_record(qm_engine *e, qm_space *lower, const qm_id *record, qm_space *upper,
                    qm_id *out, int *existing, qm_error *err) {
  qm_arena arena;
  *existing = 0;
  if (lower == upper) return qm_fail(err, QM_EINVAL, "refer: one and the same space");
  if (e->open) return qm_fail(err, QM_ESTATE, "refer: a transaction is open");
  qm_arena_init(&arena, e->env, QM_RECORD_ARENA * 2);
  copying x = {.e = e, .lower = lower, .upper = upper, .arena = &arena};
  int rc = refer(&x, record, out, existing, err);
  qm_arena_free(&arena);
  return rc;
}

/* ---- answers ---- */

typedef struct pair {
  qm_slice key, value; /* the key as text, the value as it is encoded */
} pair;

static int read_pairs(qm_slice value, pair *out, uint32_t most, uint32_t *n) {
  qm_cur c;
  qm_cur_init(&c, value);
  *n = 0;
  if (qm_cur_map(&c, n) != QM_OK || *n > most) return 0;
  for (uint32_t i = 0; i < *n; i++) {
    (void)qm_cur_str(&c, &out[i].key);
    if (qm_cur_value(&c, QM_VALUE_DEPTH, &out[i].value) != QM_OK) return 0;
  }
  return 1;
}

static qm_slice member(const pair *list, uint32_t n, const char *key) {
  for (uint32_t i = 0; i < n; i++)
    if (list[i].key.n == strlen(key) && memcmp(list[i].key.p, key, list[i].key.n) == 0)
      return list[i].value;
  return qm_slice_of(NULL, 0);
}

/* Into its place by key, or for the one that stands there. */
static void put_pair(pair *list, uint32_t *n, const char *key, qm_slice value) {
  const qm_slice k = qm_slice_of(key, strlen(key));
  uint32_t at = 0;
  while (at < *n && qm_slice_cmp(list[at].key, k) < 0) at++;
  if (at == *n || qm_slice_cmp(list[at].key, k) != 0) {
    memmove(&list[at + 1], &list[at], (*n - at) * sizeof *list);
    ++*n;
  }
  list[at] = (pair){k, value};
}

/* The name of the entry that an entry came from; its own where it came from nowhere. */
static qm_slice origin_of(const qm_space *s, const qm_entry *v, const pair *list, uint32_t n,
                          char name[QM_ENTRY_NAME_SIZE]) {
  qm_cur c;
  qm_slice text, of = member(list, n, "of");
  qm_cur_init(&c, of);
  if (of.n && qm_cur_str(&c, &text) == QM_OK) return text;
  qm_entry_name(&s->authors, v->dot, name);
  return qm_slice_of(name, strlen(name));
}

static int has_origin(const qm_entries *log, qm_slice name) {
  pair list[MAP_MAX];
  uint32_t n;
  for (uint32_t i = 0; log && i < log->n; i++) {
    qm_cur c;
    qm_slice text;
    if (log->p[i].erased || !read_pairs(log->p[i].value, list, MAP_MAX, &n)) continue;
    qm_cur_init(&c, member(list, n, "of"));
    if (qm_cur_left(&c) && qm_cur_str(&c, &text) == QM_OK && qm_slice_cmp(text, name) == 0)
      return 1;
  }
  return 0;
}

static int keep(qm_arena *arena, qm_buf *b, qm_slice *out) {
  QM_TRY(qm_buf_status(b));
  const void *copy = qm_arena_copy(arena, b->p, b->n);
  if (!copy) return QM_ENOMEM;
  *out = qm_slice_of(copy, b->n);
  qm_buf_clear(b);
  return QM_OK;
}

/* What was answered, with when, by whom and under which name: whoever reads it below cannot ask
 * the upper space. */
static int carried(const qm_space *s, const qm_entry *v, pair *list, uint32_t n, qm_slice name,
                   qm_arena *arena, qm_buf *b, qm_slice *out) {
  qm_id device;
  qm_slice value;
  qm_author_device(&s->authors.ids[v->dot.author], &device);
  uint64_t ms = qm_time_ms(qm_space_effective(s, v->dot, v->time));
  const qm_member *m = qm_space_member(s, &device, ms);
  if (!member(list, n, "of").n) {
    qm_mp_str(b, name.p, name.n);
    QM_TRY(keep(arena, b, &value));
    put_pair(list, &n, "of", value);
    qm_mp_uint(b, ms);
    QM_TRY(keep(arena, b, &value));
    put_pair(list, &n, "at", value);
  }
  if (m && m->name.n && !member(list, n, "by").n) {
    qm_mp_str(b, m->name.p, m->name.n);
    QM_TRY(keep(arena, b, &value));
    put_pair(list, &n, "by", value);
  }
  qm_mp_map(b, n);
  for (uint32_t i = 0; i < n; i++) {
    qm_mp_str(b, list[i].key.p, list[i].key.n);
    qm_mp_raw(b, list[i].value);
  }
  return keep(arena, b, out);
}

typedef struct carrying {
  qm_engine *e;
  qm_space *s;
  const qm_collection_def *c;
  qm_arena *arena;
  qm_slice *values; /* to be appended */
  uint32_t n, cap;
} carrying;

static int add_value(carrying *x, qm_slice value) {
  if (x->n == x->cap) {
    uint32_t cap = x->cap ? x->cap * 2 : 8;
    x->values = qm_arena_grow(x->arena, x->values, x->n, cap, sizeof *x->values);
    if (!x->values) return QM_ENOMEM;
    x->cap = cap;
  }
  x->values[x->n++] = value;
  return QM_OK;
}

/* The log of answers of a record, as its class shows it; NULL where there is none. */
static int answers_of(const carrying *x, qm_space *s, const qm_collection_def *c,
                      const qm_id *record, const qm_entries **out) {
  qm_record_class of;
  const qm_cell *cell;
  *out = NULL;
  int rc = qm_class_read(x->e, s, record, QM_CLASS_COMMITTED, x->arena, &of);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc; /* not here yet */
  if (qm_record_collection(of.members[0]) != c->number) return QM_OK;
  QM_TRY(qm__class_cell(&of, &s->authors, c->relations->referral->answer, QM_ENTRIES, x->arena,
                        &cell));
  if (cell) *out = qm_entries_of(cell);
  return QM_OK;
}

static int from_upper(carrying *x, const qm_entries *own, qm_slice place) {
  qm_id space, record;
  const qm_entries *log;
  if (!read_place(place, &space, &record)) return QM_OK;
  qm_space *s = qm_engine_space(x->e, &space);
  const qm_collection_def *up = s ? counterpart(s, x->c) : NULL;
  if (!up) return QM_OK;
  QM_TRY(answers_of(x, s, up, &record, &log));
  for (uint32_t i = 0; log && i < log->n; i++) {
    pair list[MAP_MAX + 3];
    char name[QM_ENTRY_NAME_SIZE];
    uint32_t n;
    qm_slice value, origin;
    qm_buf b;
    if (log->p[i].erased || !read_pairs(log->p[i].value, list, MAP_MAX, &n)) continue;
    origin = origin_of(s, &log->p[i], list, n, name);
    if (has_origin(own, origin)) continue;
    qm_buf_init(&b, x->e->env, QM_VALUE_MAX);
    int rc = carried(s, &log->p[i], list, n, origin, x->arena, &b, &value);
    qm_buf_free(&b);
    if (rc == QM_ELIMIT) continue; /* too large with what is added: it stays above */
    QM_TRY(rc);
    QM_TRY(add_value(x, value));
  }
  return QM_OK;
}

static int gather(carrying *x, const qm_record_class *of) {
  const qm_referral_def *r = x->c->relations->referral;
  const qm_record *view;
  const qm_entries *own;
  qm_contest contest;
  QM_TRY(answers_of(x, x->s, x->c, &of->id, &own));
  QM_TRY(qm_class_view(of, &x->s->authors, QM_CLASS_ALL, x->arena, &view));
  const qm_cell *set = qm_record_cell(view, r->to, QM_KEYED);
  const qm_cell *one = qm_record_cell(view, r->to, QM_SIBLINGS);
  for (uint32_t i = 0; set && i < qm_keyed_of(set)->n; i++)
    QM_TRY(from_upper(x, own, qm_keyed_of(set)->p[i].value));
  if (!one) return QM_OK;
  QM_TRY(qm_read_contest(x->s, qm_collection_field(x->c, r->to), one, x->arena, &contest));
  return contest.shown ? from_upper(x, own, contest.shown->value) : QM_OK;
}

static int carry(qm_engine *e, qm_space *s, const qm_collection_def *c, const qm_id *record,
                 qm_arena *arena, uint32_t *n, qm_error *err) {
  carrying x = {.e = e, .s = s, .c = c, .arena = arena};
  qm_record_class of;
  qm_write *w;
  int rc = qm_class_read(e, s, record, QM_CLASS_COMMITTED, arena, &of);
  if (rc == QM_ENOTFOUND || (rc == QM_OK && !qm_class_visible(&of))) return QM_OK;
  if (rc == QM_OK && qm_id_cmp(record, &of.id) != 0) return QM_OK; /* with the first of them */
  if (rc == QM_OK) rc = gather(&x, &of);
  if (rc == QM_OK && x.n) rc = qm_write_begin(&w, e, s, 0);
  if (rc != QM_OK) return qm_fail(err, rc, "answers: %s", qm_err_text(rc));
  if (!x.n) return QM_OK;
  for (uint32_t i = 0; i < x.n && rc == QM_OK; i++)
    rc = qm_write_append(w, &of.id, c->relations->referral->answer, x.values[i]);
  QM_TRY(end(w, rc, err));
  *n += x.n;
  return QM_OK;
}

typedef struct listing {
  const qm_env *env;
  uint32_t collection;
  qm_id *p;
  uint32_t n, cap;
} listing;

static int take_row(void *payload, const qm_record_row *row) {
  listing *l = payload;
  if (row->collection != l->collection) return QM_OK;
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 64;
    qm_id *p = qm_realloc_array(l->env, l->p, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->p = p;
    l->cap = cap;
  }
  l->p[l->n++] = row->id;
  return QM_OK;
}

int qm_refer_answers(qm_engine *e, qm_space *lower, const qm_collection_def *c,
                     const qm_id *record, uint32_t *n, qm_error *err) {
  listing l = {.env = e->env, .collection = c->number};
  qm_arena arena;
  int rc = QM_OK;
  *n = 0;
  if (!c->relations || !c->relations->referral) return not_referred(c, err);
  if (e->open) return qm_fail(err, QM_ESTATE, "answers: a transaction is open");
  QM_TRY(may(lower, c, err));
  if (!record) {
    rc = qm__fold_scan(lower, NULL, SIZE_MAX >> 1, take_row, &l);
    if (rc != QM_OK) (void)qm_fail(err, rc, "answers: %s", qm_err_text(rc));
  }
  qm_arena_init(&arena, e->env, QM_RECORD_ARENA * 2);
  for (uint32_t i = 0; i < (record ? 1 : l.n) && rc == QM_OK; i++) {
    qm_arena_reset(&arena);
    rc = carry(e, lower, c, record ? record : &l.p[i], &arena, n, err);
  }
  qm_arena_free(&arena);
  qm_free(e->env, l.p);
  return rc;
}

int qm_refer_origin(qm_engine *e, qm_space *upper, const qm_id *record, qm_arena *arena,
                    qm_id *space, qm_id *lower) {
  qm_record_class of;
  const qm_record *view;
  qm_contest contest;
  QM_TRY(qm_class_read(e, upper, record, QM_CLASS_COMMITTED, arena, &of));
  const qm_collection_def *c =
      upper->schema ? qm_schema_collection(upper->schema, qm_record_collection(of.members[0]))
                    : NULL;
  if (!c || !c->relations || !c->relations->referral) return QM_ENOTFOUND;
  uint32_t from = c->relations->referral->from;
  QM_TRY(qm_class_view(&of, &upper->authors, from, arena, &view));
  QM_TRY(qm_read_contest(upper, qm_collection_field(c, from),
                         qm_record_cell(view, from, QM_SIBLINGS), arena, &contest));
  if (!contest.shown || !read_place(contest.shown->value, space, lower)) return QM_ENOTFOUND;
  return QM_OK;
}
