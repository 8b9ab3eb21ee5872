/* handle_read.c: records as JSON. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/class_ref.h"
#include "core/ledger.h"

#define LIST_LIMIT 100u
#define LIST_BYTES ((size_t)8 << 20)
#define MEMBER_MAX 256u

/* ---- who ---- */

int qm__handle_who(qm_db *db, qm_who *out) {
  out->device = *qm_key_device(db->key);
  qm_buf_init(&out->member, &db->env, MEMBER_MAX);
  qm_buf hub;
  memset(&out->hub, 0, sizeof out->hub);
  qm_buf_init(&hub, &db->env, sizeof out->hub.b);
  int rc = qm__handle_meta_get(db, QM_META_HUB_ID, &hub);
  if (rc == QM_OK && hub.n == sizeof out->hub.b) memcpy(out->hub.b, hub.p, hub.n);
  qm_buf_free(&hub);
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_ELIMIT) return rc;
  rc = qm__handle_meta_get(db, QM_META_MEMBER, &out->member);
  return rc == QM_ENOTFOUND || rc == QM_ELIMIT ? QM_OK : rc;
}

void qm__handle_who_free(qm_who *w) { qm_buf_free(&w->member); }

/* Whose device it was then: of this device the hub's own word at enrolment will do. */
static void put_by(qm_buf *b, const qm_who *w, const qm_space *s, const qm_id *device, int own,
                   qm_time time) {
  char text[QM_HANDLE_ID_SIZE];
  const qm_member *m = qm_space_member(s, device, time ? qm_time_ms(time) : UINT64_MAX);
  if (m && m->name.n) {
    qm_json_str(b, m->name);
  } else if (own && w->member.n) {
    qm_json_str(b, qm_buf_slice(&w->member));
  } else {
    qm__handle_id_text(device, text);
    qm_json_str(b, qm_slice_of(text, 8));
  }
}

void qm__handle_put_who(qm_buf *b, const qm_who *w, const qm_space *s, uint32_t author,
                        qm_time time) {
  qm_id device;
  qm_author_device(&qm_space_authors(s)->ids[author], &device);
  int own = qm_id_cmp(&device, &w->device) == 0;
  qm__handle_put(b, "\"by\":");
  put_by(b, w, s, &device, own, time);
  qm__handle_put(b, ",\"device\":");
  qm__handle_put_id(b, &device);
  qm__handle_put(b, own ? ",\"own\":true" : ",\"own\":false");
  if (!qm_id_is_zero(&w->hub) && qm_id_cmp(&device, &w->hub) == 0)
    qm__handle_put(b, ",\"hub\":true");
  qm__handle_put(b, ",\"time\":");
  if (time)
    qm__handle_put_u64(b, qm_time_ms(time));
  else
    qm__handle_put(b, "null");
}

void qm__handle_put_dot(qm_buf *b, const qm_who *w, const qm_space *s, qm_dot dot, qm_time own) {
  qm_time effective = qm_space_effective(s, dot, own);
  qm__handle_put_who(b, w, s, dot.author, effective);
  if (effective == own) return;
  qm__handle_put(b, ",\"clock_time\":");
  qm__handle_put_u64(b, qm_time_ms(own));
}

/* ---- loading ---- */

int qm__handle_reading(qm_db *db, qm_space *s, uint32_t flags, qm_reading *out) {
  memset(out, 0, sizeof *out);
  out->db = db;
  out->s = s;
  out->flags = flags;
  qm_arena_init(&out->arena, &db->env, QM_HANDLE_ARENA_MAX);
  qm_class_refresh(s);
  return qm__handle_who(db, &out->who);
}

void qm__handle_reading_free(qm_reading *r) {
  qm_arena_free(&r->arena);
  qm__handle_who_free(&r->who);
}

int qm__handle_decode(qm_reading *r, const qm_record_row *row, const qm_record **out) {
  uint8_t *blob = qm_arena_copy(&r->arena, row->state.p, row->state.n);
  qm_record *record = qm_arena_zero(&r->arena, sizeof *record);
  if (!blob || !record) return QM_ENOMEM;
  *out = record;
  int rc = qm_record_decode(record, &row->id, qm_slice_of(blob, row->state.n),
                            qm_space_authors(r->s), &r->arena);
  return rc == QM_OK || rc == QM_ENOMEM ? rc : QM_ECORRUPT;
}

/* As it was written, and with references as they are shown. */
static int raw_of(qm_reading *r, const qm_record_class *cls, const qm_record **view) {
  return qm_class_view(cls, qm_space_authors(r->s), QM_CLASS_ALL, &r->arena, view);
}

static int view_of(qm_reading *r, const qm_record_class *cls, const qm_record **view) {
  const qm_schema *schema = qm_space_schema(r->s);
  QM_TRY(raw_of(r, cls, view));
  const qm_collection_def *c =
      schema ? qm_schema_collection(schema, qm_record_collection(*view)) : NULL;
  return qm_class_resolve(r->db->engine, r->s, c, *view, QM_CLASS_COMMITTED, &r->arena, view);
}

int qm__handle_class_of(qm_reading *r, const qm_record *record, qm_record_class *cls,
                        const qm_record **view) {
  QM_TRY(qm_class_of(r->db->engine, r->s, record, QM_CLASS_COMMITTED, &r->arena, cls));
  return view_of(r, cls, view);
}

/* ---- fields ---- */

static void put_set(qm_buf *b, const qm_field_def *f, const qm_keyed *k) {
  qm_buf_byte(b, '[');
  for (uint32_t i = 0; i < k->n; i++) {
    if (i) qm_buf_byte(b, ',');
    qm__handle_put_value(b, f, k->p[i].value);
  }
  qm_buf_byte(b, ']');
}

static void put_counter(qm_buf *b, const qm_totals *t) {
  int64_t sum;
  if (qm_totals_sum(t, &sum) == QM_OK)
    qm__handle_put_i64(b, sum);
  else
    qm__handle_put(b, "null");
}

/* What a reversal names. */
static void put_entry_name(qm_buf *b, const qm_space *s, qm_dot dot) {
  char name[QM_ENTRY_NAME_SIZE];
  qm_entry_name(qm_space_authors(s), dot, name);
  qm__handle_put(b, ",\"entry\":\"");
  qm__handle_put(b, name);
  qm_buf_byte(b, '"');
}

static void put_log(qm_buf *b, const qm_reading *r, const qm_field_def *f, const qm_entries *v) {
  qm_buf_byte(b, '[');
  for (uint32_t i = 0; i < v->n; i++) {
    qm__handle_put(b, i ? ",{\"value\":" : "{\"value\":");
    if (v->p[i].erased)
      qm__handle_put(b, "{\"$erased\":true}");
    else
      qm__handle_put_value(b, f, v->p[i].value);
    qm_buf_byte(b, ',');
    qm__handle_put_dot(b, &r->who, r->s, v->p[i].dot, v->p[i].time);
    if (f && qm_is_ledger(f)) put_entry_name(b, r->s, v->p[i].dot);
    qm_buf_byte(b, '}');
  }
  qm_buf_byte(b, ']');
}

static int put_sequence(qm_buf *b, qm_reading *r, const qm_field_def *f, const qm_record *record,
                        const qm_cell *cell) {
  if (f->type == QM_FIELD_TEXT) {
    qm_buf text;
    qm_buf_init(&text, b->env, QM_RECORD_MAX);
    for (; cell; cell = qm_record_cell_next(record, cell)) qm_sequence_text(cell, &text);
    int rc = qm_buf_status(&text);
    if (rc == QM_OK) qm_json_str(b, qm_buf_slice(&text));
    qm_buf_free(&text);
    return rc;
  }
  int first = 1;
  qm_buf_byte(b, '[');
  for (; cell; cell = qm_record_cell_next(record, cell)) {
    qm_slice *values;
    uint32_t n;
    QM_TRY(qm_sequence_values(cell, &r->arena, &values, &n));
    for (uint32_t i = 0; i < n; i++, first = 0) {
      if (!first) qm_buf_byte(b, ',');
      if (f->value == QM_VALUE_REF)
        QM_TRY(qm_class_ref_value(r->db->engine, r->s, values[i], QM_CLASS_COMMITTED, &r->arena,
                                  &values[i]));
      qm__handle_put_value(b, f, values[i]);
    }
  }
  qm_buf_byte(b, ']');
  return QM_OK;
}

static int is_blank(const qm_record *record, const qm_cell *cell) {
  for (; cell; cell = qm_record_cell_next(record, cell))
    if (qm_sequence_len(cell)) return 0;
  return 1;
}

/* A cleared field is shown as an empty one. */
static int is_nil(qm_slice value) { return value.n == 1 && value.p[0] == 0xC0; }

static int put_field(qm_buf *b, qm_reading *r, const qm_field_def *f, const qm_record *record,
                     qm_contest *contest, int *first) {
  const qm_cell *cell = qm_record_cell(record, f->number, qm_field_shape(f));
  if (!cell) return QM_OK;
  if (cell->shape == QM_SIBLINGS) {
    QM_TRY(qm_read_contest(r->s, f, cell, &r->arena, contest));
    if (!contest->shown || is_nil(contest->shown->value)) return QM_OK;
  }
  if (cell->shape == QM_KEYED && !qm_keyed_of(cell)->n) return QM_OK;
  if (cell->shape == QM_SEQUENCE && is_blank(record, cell)) return QM_OK;
  qm__handle_put_name(b, f->name, first);
  switch (cell->shape) {
    case QM_SIBLINGS: qm__handle_put_value(b, f, contest->shown->value); break;
    case QM_KEYED: put_set(b, f, qm_keyed_of(cell)); break;
    case QM_TOTALS: put_counter(b, qm_totals_of(cell)); break;
    case QM_ENTRIES: put_log(b, r, f, qm_entries_of(cell)); break;
    default: return put_sequence(b, r, f, record, cell);
  }
  return QM_OK;
}

const char *qm__handle_conflict(qm_conflict_class c) {
  switch (c) {
    case QM_CONFLICT_UNREAD: return "unread";
    case QM_CONFLICT_CONTRADICT: return "contradict";
    case QM_CONFLICT_DELETED: return "deleted";
    case QM_CONFLICT_SAME_KEY: return "same-key";
    case QM_CONFLICT_MERGE: return "merge";
    case QM_CONFLICT_UNMERGED: return "unmerged";
    case QM_CONFLICT_CLASH: return "clash";
    case QM_CONFLICT_OVERDRAWN: return "overdrawn";
    default: return "sibling";
  }
}

static void put_others(qm_buf *b, const qm_reading *r, const qm_field_def *f, const qm_contest *c) {
  qm_buf_byte(b, '[');
  for (uint32_t i = 0; i < c->n_others; i++) {
    const qm_listed *x = &c->others[i];
    qm__handle_put(b, i ? ",{\"value\":" : "{\"value\":");
    qm__handle_put_value(b, f, x->sibling->value);
    qm_buf_byte(b, ',');
    qm__handle_put_dot(b, &r->who, r->s, x->sibling->dot, x->sibling->time);
    if (qm_field_proposed(f, x->sibling->value)) qm__handle_put(b, ",\"proposed\":true");
    qm__handle_put(b, ",\"class\":\"");
    qm__handle_put(b, qm__handle_conflict(x->cls));
    qm__handle_put(b, "\"}");
  }
  qm_buf_byte(b, ']');
}

/* ---- one record ---- */

static uint32_t unknown_fields(const qm_collection_def *c, const qm_record *record) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < record->n_cells; i++)
    n += record->cells[i].field && !qm_collection_field(c, record->cells[i].field) &&
         (!i || record->cells[i - 1].field != record->cells[i].field);
  return n;
}

/* The fields whose value waits for somebody who may confirm it (S7.10). */
static void put_proposed(qm_buf *b, const qm_collection_def *c, const qm_contest *contests) {
  int any = 0;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    if (!contests[i].shown || !qm_field_proposed(&c->fields[i], contests[i].shown->value)) continue;
    qm__handle_put(b, any ? "," : ",\"proposed\":[");
    qm_json_str(b, c->fields[i].name);
    any = 1;
  }
  if (any) qm_buf_byte(b, ']');
}

static int put_fields(qm_buf *b, qm_reading *r, const qm_collection_def *c,
                      const qm_record *record) {
  qm_contest *contests = qm_arena_zero(&r->arena, (size_t)c->n_fields * sizeof *contests);
  int first = 1;
  if (!contests) return QM_ENOMEM;
  qm__handle_put(b, ",\"fields\":{");
  for (uint32_t i = 0; i < c->n_fields; i++) {
    QM_TRY(put_field(b, r, &c->fields[i], record, &contests[i], &first));
  }
  qm__handle_put(b, "},\"conflicts\":{");
  first = 1;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    if (!contests[i].n_others) continue;
    qm__handle_put_name(b, c->fields[i].name, &first);
    put_others(b, r, &c->fields[i], &contests[i]);
  }
  qm_buf_byte(b, '}');
  put_proposed(b, c, contests);
  if (!(r->flags & QM_DETAIL)) return QM_OK;
  qm__handle_put(b, ",\"shown\":{");
  first = 1;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    if (!contests[i].shown) continue;
    qm__handle_put_name(b, c->fields[i].name, &first);
    qm_buf_byte(b, '{');
    qm__handle_put_dot(b, &r->who, r->s, contests[i].shown->dot, contests[i].shown->time);
    qm_buf_byte(b, '}');
  }
  qm_buf_byte(b, '}');
  return QM_OK;
}

int qm__handle_put_token(qm_buf *b, qm_reading *r, const qm_record_class *cls, unsigned kind) {
  qm_buf token;
  char hex[3];
  qm_buf_init(&token, b->env, QM_RECORD_MAX);
  int rc = qm_class_token(r->s, cls, kind, &r->arena, &token);
  qm_buf_byte(b, '"');
  for (size_t i = 0; rc == QM_OK && i < token.n; i++) {
    qm_hex(hex, token.p + i, 1);
    qm_buf_add(b, hex, 2);
  }
  qm_buf_byte(b, '"');
  qm_buf_free(&token);
  return rc;
}

/* The other records that it is merged with. */
static void put_merged(qm_buf *b, const qm_record_class *cls) {
  qm__handle_put(b, ",\"merged\":[");
  for (uint32_t i = 1; i < cls->n; i++) {
    if (i > 1) qm_buf_byte(b, ',');
    qm__handle_put_id(b, &cls->members[i]->id);
  }
  qm_buf_byte(b, ']');
}

/* ---- references as they were written ---- */

static void put_stored_list(qm_buf *b, const qm_field_def *f, const qm_slice *values, uint32_t n) {
  qm_buf_byte(b, '[');
  for (uint32_t i = 0; i < n; i++) {
    if (i) qm_buf_byte(b, ',');
    qm__handle_put_value(b, f, values[i]);
  }
  qm_buf_byte(b, ']');
}

/* The raw values of a list, where one of them shows otherwise; else *n = 0. */
static int stored_list(qm_reading *r, const qm_record *raw, const qm_cell *cell, qm_slice **out,
                       uint32_t *n) {
  int differs = 0;
  for (; cell; cell = qm_record_cell_next(raw, cell)) {
    qm_slice *values, shown;
    uint32_t count;
    QM_TRY(qm_sequence_values(cell, &r->arena, &values, &count));
    *out = qm_arena_grow(&r->arena, *out, *n, (size_t)*n + count, sizeof **out);
    if (!*out) return QM_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
      QM_TRY(qm_class_ref_value(r->db->engine, r->s, values[i], QM_CLASS_COMMITTED, &r->arena,
                                &shown));
      differs |= qm_slice_cmp(shown, values[i]) != 0;
      (*out)[(*n)++] = values[i];
    }
  }
  if (!differs) *n = 0;
  return QM_OK;
}

static int stored_values(qm_reading *r, const qm_field_def *f, const qm_record *raw,
                         const qm_record *shown, qm_slice **out, uint32_t *n) {
  const qm_cell *cell = qm_record_cell(raw, f->number, qm_field_shape(f));
  const qm_cell *other = qm_record_cell(shown, f->number, qm_field_shape(f));
  *out = NULL;
  *n = 0;
  if (!cell || !other) return QM_OK;
  if (cell->shape == QM_SEQUENCE) return stored_list(r, raw, cell, out, n);
  if (cell->content == other->content) return QM_OK;
  const qm_keyed *k = cell->shape == QM_KEYED ? qm_keyed_of(cell) : NULL;
  const qm_entries *v = cell->shape == QM_ENTRIES ? qm_entries_of(cell) : NULL;
  uint32_t count = k ? k->n : v ? v->n : 1;
  *out = qm_arena_array(&r->arena, count, sizeof **out);
  if (!*out) return QM_ENOMEM;
  for (uint32_t i = 0; k && i < count; i++) (*out)[(*n)++] = k->p[i].value;
  for (uint32_t i = 0; v && i < count; i++)
    if (!v->p[i].erased) (*out)[(*n)++] = v->p[i].value;
  if (cell->shape != QM_SIBLINGS) return QM_OK;
  qm_contest was, is;
  QM_TRY(qm_read_contest(r->s, f, cell, &r->arena, &was));
  QM_TRY(qm_read_contest(r->s, f, other, &r->arena, &is));
  if (was.shown && is.shown && qm_slice_cmp(was.shown->value, is.shown->value) != 0)
    (*out)[(*n)++] = was.shown->value;
  return QM_OK;
}

static int put_stored(qm_buf *b, qm_reading *r, const qm_collection_def *c, const qm_record *raw,
                      const qm_record *shown) {
  int first = 1;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i];
    qm_slice *values;
    uint32_t n;
    if (f->value != QM_VALUE_REF) continue;
    QM_TRY(stored_values(r, f, raw, shown, &values, &n));
    if (!n) continue;
    if (first) qm__handle_put(b, ",\"stored\":{");
    qm__handle_put_name(b, f->name, &first);
    if (qm_field_shape(f) == QM_SIBLINGS) qm__handle_put_value(b, f, values[0]);
    else put_stored_list(b, f, values, n);
  }
  if (!first) qm_buf_byte(b, '}');
  return QM_OK;
}

/* Fields that have something which is not shown (S25.4, S25.7). */
static void put_hidden(qm_buf *b, const qm_collection_def *c, const qm_record *raw,
                       const qm_record *shown) {
  int any = 0;
  for (uint32_t i = 0; c->relations && i < c->n_fields; i++) {
    qm_shape_id shape = qm_field_shape(&c->fields[i]);
    if (!qm_record_cell(raw, c->fields[i].number, shape) ||
        qm_record_cell(shown, c->fields[i].number, shape))
      continue;
    qm__handle_put(b, any ? "," : ",\"hidden\":[");
    qm_json_str(b, c->fields[i].name);
    any = 1;
  }
  if (any) qm_buf_byte(b, ']');
}

/* record: what the class shows. */
static int put_record(qm_buf *b, qm_reading *r, const qm_collection_def *c,
                      const qm_record_class *cls, const qm_record *record) {
  uint32_t unknown = unknown_fields(c, record);
  qm__handle_put(b, "{\"id\":");
  qm__handle_put_id(b, &record->id);
  qm__handle_put(b, ",\"collection\":");
  qm_json_str(b, c->name);
  qm__handle_put(b, qm_record_visible(record) ? ",\"visible\":true" : ",\"visible\":false");
  if (cls->n > 1) put_merged(b, cls);
  QM_TRY(put_fields(b, r, c, record));
  const qm_record *raw;
  QM_TRY(raw_of(r, cls, &raw));
  QM_TRY(put_stored(b, r, c, raw, record));
  put_hidden(b, c, raw, record);
  if (qm_class_collides(cls)) qm__handle_put(b, ",\"collision\":true");
  if (unknown) {
    qm__handle_put(b, ",\"unknown\":");
    qm__handle_put_u64(b, unknown);
  }
  qm__handle_put(b, ",\"token\":");
  unsigned kind = r->flags & QM_REVIEW ? QM_READ_REVIEW : QM_READ_VALUES;
  QM_TRY(qm__handle_put_token(b, r, cls, kind));
  qm_buf_byte(b, '}');
  return qm_buf_status(b);
}

/* ---- get ---- */

static int get(qm_db *db, qm_slice space, qm_slice collection, qm_slice name, uint32_t flags,
               qm_buf *b, qm_error *e) {
  qm_space *s;
  const qm_collection_def *c;
  const qm_record *view;
  qm_record_class cls;
  qm_reading r;
  qm_id id;
  QM_TRY(qm__handle_space(db, space, &s, e));
  QM_TRY(qm__handle_collection(s, collection, &c, e));
  QM_TRY(qm__handle_record(db, s, c, name, &id, e));
  int rc = qm__handle_reading(db, s, flags, &r);
  if (rc == QM_OK) rc = qm_class_read(db->engine, s, &id, QM_CLASS_COMMITTED, &r.arena, &cls);
  if (rc == QM_OK && qm_record_collection(cls.members[0]) != c->number) rc = QM_ENOTFOUND;
  if (rc == QM_OK && !qm_class_visible(&cls) && !(flags & QM_DELETED)) rc = QM_EINVISIBLE;
  if (rc == QM_OK) rc = view_of(&r, &cls, &view);
  if (rc == QM_OK) rc = put_record(b, &r, c, &cls, view);
  qm__handle_reading_free(&r);
  return rc == QM_OK
             ? rc
             : qm_fail(e, rc, "%.*s: %s", (int)c->name.n, (const char *)c->name.p, qm_err_text(rc));
}

int32_t qm_get(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, uint32_t flags,
               qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "get: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = get(db, space, collection, record, flags, &b, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

/* ---- list ---- */

typedef struct listing {
  qm_reading r;
  const qm_collection_def *c;
  qm_buf *out;
  uint32_t left;
} listing;

static int take_listed(void *payload, const qm_record_row *row) {
  listing *l = payload;
  const qm_record *record;
  qm_arena_reset(&l->r.arena);
  QM_TRY(qm__handle_decode(&l->r, row, &record));
  qm_record_class cls;
  const qm_record *view;
  QM_TRY(qm__handle_class_of(&l->r, record, &cls, &view));
  /* Merged records are listed once, where the first of them stands. */
  if (qm_id_cmp(&cls.id, &row->id) != 0) return QM_OK;
  if (!qm_record_visible(view) && !(l->r.flags & QM_DELETED)) return QM_OK;
  QM_TRY(put_record(l->out, &l->r, l->c, &cls, view));
  qm_buf_byte(l->out, '\n');
  l->left--;
  return l->left && l->out->n < LIST_BYTES ? QM_OK : QM_STORE_STOP;
}

static int list(qm_db *db, qm_slice space, qm_slice collection, qm_slice after, uint32_t limit,
                uint32_t flags, qm_buf *b, qm_error *e) {
  listing l = {.out = b, .left = limit ? limit : LIST_LIMIT};
  qm_space *s;
  qm_id id;
  QM_TRY(qm__handle_space(db, space, &s, e));
  QM_TRY(qm__handle_collection(s, collection, &l.c, e));
  if (after.n && qm__handle_id_parse(after, &id) != QM_OK)
    return qm_fail(e, QM_EINVAL, "list: `after` must be a whole record id");
  int rc = qm__handle_reading(db, s, flags, &l.r);
  if (rc == QM_OK)
    rc = db->store->ops->record_scan(db->store, qm__handle_number(s), l.c->number,
                                     after.n ? &id : NULL, SIZE_MAX >> 1, take_listed, &l);
  qm__handle_reading_free(&l.r);
  return rc == QM_OK ? rc
                     : qm_fail(e, rc, "%.*s: %s", (int)l.c->name.n, (const char *)l.c->name.p,
                               qm_err_text(rc));
}

int32_t qm_list(qm_db *db, qm_slice space, qm_slice collection, qm_slice after, uint32_t limit,
                uint32_t flags, qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "list: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = list(db, space, collection, after, limit, flags, &b, e);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
