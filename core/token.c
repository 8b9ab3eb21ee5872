#include "core/token.h"

#include <string.h>

#include "core/engine.h"
#include "core/mp.h"
#include "core/space.h"

/* --- what a reading covers --- */

/* Values: every sibling equal to the value shown, and those hidden; review: every one. */
static int siblings_shown(const qm_space *s, const qm_field_def *f, const qm_cell *cell,
                          unsigned kind, qm_arena *arena, qm_dots *out) {
  const qm_siblings *v = qm_siblings_of(cell);
  qm_contest contest;
  qm_dot *p = qm_arena_array(arena, v->n, sizeof *p);
  uint32_t n = 0;
  if (!p) return QM_ENOMEM;
  QM_TRY(qm_read_contest(s, f, cell, arena, &contest));
  for (uint32_t i = 0; i < v->n; i++)
    if (kind == QM_READ_REVIEW || v->p[i].hidden ||
        (contest.shown && qm_slice_cmp(v->p[i].value, contest.shown->value) == 0))
      p[n++] = v->p[i].dot;
  *out = (qm_dots){p, n};
  return QM_OK;
}

static int elements_shown(const qm_cell *cell, qm_arena *arena, qm_dots *out) {
  const qm_keyed *k = qm_keyed_of(cell);
  uint32_t n = 0, at = 0;
  for (uint32_t i = 0; i < k->n; i++) n += k->p[i].n;
  qm_dot *p = qm_arena_array(arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < k->n; i++)
    for (uint32_t j = 0; j < k->p[i].n; j++) p[at++] = k->p[i].dots[j].dot;
  *out = (qm_dots){p, n};
  return QM_OK;
}

/* Of a visible record the edited marks that are not kept; of an invisible one, and on
 * the review list, all marks. */
int qm__token_marks(const qm_record *r, unsigned kind, qm_arena *arena, qm_dots *out) {
  int all = kind == QM_READ_REVIEW || !qm_record_visible(r);
  qm_dot *p = qm_arena_array(arena, r->marks.n, sizeof *p);
  uint32_t n = 0;
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < r->marks.n; i++)
    if (all || (!r->marks.p[i].deleted && !r->marks.p[i].kept)) p[n++] = r->marks.p[i].dot;
  return qm_dots_sort(arena, (qm_dots){p, n}, out);
}

/* A member without visible text has no part in it. */
uint64_t qm__token_text(const qm_record *r, uint32_t field, const qm_authors *authors) {
  uint64_t all = 0;
  const qm_cell *cell = qm_record_cell(r, field, QM_SEQUENCE);
  for (; cell; cell = qm_record_cell_next(r, cell)) {
    uint64_t one = qm_sequence_len(cell) ? qm_sequence_version(cell, authors) : 0;
    if (one) all = all * UINT64_C(0x9e3779b97f4a7c15) + one;
  }
  return all;
}

int qm__token_read(const qm_space *s, const qm_record *r, unsigned kind, uint32_t field,
                   qm_arena *arena, qm_token *out) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  memset(out, 0, sizeof *out);
  out->kind = kind;
  out->record = r->id;
  out->fields = qm_arena_array(arena, r->n_cells, sizeof *out->fields);
  out->texts = qm_arena_array(arena, r->n_cells, sizeof *out->texts);
  if (!out->fields || !out->texts) return QM_ENOMEM;
  QM_TRY(qm__token_marks(r, kind, arena, &out->marks));
  for (uint32_t i = 0; i < r->n_cells; i++) {
    if (field != QM__FIELDS_ALL && field != r->cells[i].field) continue;
    const qm_cell *cell = qm_record_cell(r, r->cells[i].field, r->cells[i].shape);
    if (!cell) continue;
    if (cell->shape == QM_SEQUENCE) {
      if (field != QM__FIELDS_ALL) continue; /* a write from a reading of now is never stale */
      if (cell == &r->cells[i]) /* the first of the field */
        out->texts[out->n_texts++] =
            (qm_token_text){cell->field, qm__token_text(r, cell->field, &s->authors)};
      continue;
    }
    if (cell->shape != QM_SIBLINGS && cell->shape != QM_KEYED) continue;
    qm_token_field *f = &out->fields[out->n_fields++];
    f->field = cell->field;
    QM_TRY(cell->shape == QM_KEYED
               ? elements_shown(cell, arena, &f->dots)
               : siblings_shown(s, c ? qm_collection_field(c, cell->field) : NULL, cell, kind,
                                arena, &f->dots));
    QM_TRY(qm_dots_sort(arena, f->dots, &f->dots));
  }
  return QM_OK;
}

/* Each member shows its own marks: that one of them is deleted is no secret of the others. */
static int class_marks(const qm_record_class *c, unsigned kind, qm_arena *arena, qm_dots *out) {
  uint32_t n = 0, count = 0;
  for (uint32_t i = 0; i < c->n; i++) count += c->members[i]->marks.n;
  qm_dot *p = qm_arena_array(arena, count, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < c->n; i++) {
    qm_dots one;
    QM_TRY(qm__token_marks(c->members[i], kind, arena, &one));
    if (one.n) memcpy(p + n, one.p, one.n * sizeof *p);
    n += one.n;
  }
  return qm_dots_sort(arena, (qm_dots){p, n}, out);
}

int qm__token_class(const qm_space *s, const qm_record_class *c, unsigned kind, uint32_t field,
                    qm_arena *arena, qm_token *out) {
  const qm_record *view;
  QM_TRY(qm_class_view(c, &s->authors, field, arena, &view));
  QM_TRY(qm__token_read(s, view, kind, field, arena, out));
  if (c->n == 1) return QM_OK;
  qm_id *others = qm_arena_array(arena, c->n, sizeof *others);
  if (!others) return QM_ENOMEM;
  for (uint32_t i = 1; i < c->n; i++) others[i - 1] = c->members[i]->id;
  out->others = others;
  out->n_others = c->n - 1;
  return class_marks(c, kind, arena, &out->marks);
}

/* --- bytes --- */

static void put_dots(qm_buf *out, qm_dots dots) {
  qm_mp_array(out, (size_t)dots.n * 2);
  for (uint32_t i = 0; i < dots.n; i++) {
    qm_mp_uint(out, dots.p[i].author);
    qm_mp_uint(out, dots.p[i].counter);
  }
}

/* Local numbers mean the same authors as long as these do: a database that went back to a
 * backup may have given them to others. */
static uint64_t authors_check(const qm_space *s, const qm_token *t) {
  uint32_t n = 0;
  qm_sha h;
  qm_hash hash;
  uint64_t out = 0;
  for (uint32_t i = 0; i < t->marks.n; i++)
    if (t->marks.p[i].author >= n) n = t->marks.p[i].author + 1;
  for (uint32_t f = 0; f < t->n_fields; f++)
    for (uint32_t i = 0; i < t->fields[f].dots.n; i++)
      if (t->fields[f].dots.p[i].author >= n) n = t->fields[f].dots.p[i].author + 1;
  qm_sha_init(&h);
  for (uint32_t i = 0; i < n; i++) qm_sha_add(&h, s->authors.ids[i].b, QM_AUTHOR_SIZE);
  qm_sha_end(&h, &hash);
  for (int i = 0; i < 8; i++) out = out << 8 | hash.b[i];
  return out;
}

static int put_token(const qm_space *s, const qm_token *t, qm_buf *out) {
  qm_mp_array(out, t->n_others ? 8 : 7);
  qm_mp_uint(out, 2);
  qm_mp_uint(out, t->kind);
  qm_mp_bin(out, t->record.b, sizeof t->record.b);
  qm_mp_uint(out, authors_check(s, t));
  put_dots(out, t->marks);
  qm_mp_array(out, (size_t)t->n_fields * 2);
  for (uint32_t i = 0; i < t->n_fields; i++) {
    qm_mp_uint(out, t->fields[i].field);
    put_dots(out, t->fields[i].dots);
  }
  qm_mp_array(out, (size_t)t->n_texts * 2);
  for (uint32_t i = 0; i < t->n_texts; i++) {
    qm_mp_uint(out, t->texts[i].field);
    qm_mp_uint(out, t->texts[i].version);
  }
  if (t->n_others) qm_mp_array(out, t->n_others);
  for (uint32_t i = 0; i < t->n_others; i++) qm_mp_bin(out, t->others[i].b, QM_ID_SIZE);
  return qm_buf_status(out);
}

int qm__token_write(const qm_space *s, const qm_token *t, qm_buf *out) {
  return put_token(s, t, out);
}

/* Whoever has a token holds on to dots. A power cut may not take one of them that is this
 * device's own: another write would get it, and count as seen. */
static int put_lasting(const qm_space *s, const qm_token *t, qm_buf *out) {
  qm_store *store = s->engine->store;
  QM_TRY(store->ops->barrier(store));
  return put_token(s, t, out);
}

int qm_token_make(const qm_space *s, const qm_record *r, unsigned kind, qm_arena *arena,
                  qm_buf *out) {
  qm_token t;
  QM_TRY(qm__token_read(s, r, kind, QM__FIELDS_ALL, arena, &t));
  return put_lasting(s, &t, out);
}

int qm_class_token(const qm_space *s, const qm_record_class *c, unsigned kind, qm_arena *arena,
                   qm_buf *out) {
  qm_token t;
  QM_TRY(qm__token_class(s, c, kind, QM__FIELDS_ALL, arena, &t));
  return put_lasting(s, &t, out);
}

static int get_dots(const qm_space *s, qm_cur *c, qm_arena *arena, qm_dots *out) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(c, &count));
  if (count % 2) return QM_EFORMAT;
  qm_dot *p = qm_arena_array(arena, count / 2, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < count / 2; i++) {
    QM_TRY(qm_cur_uint32(c, &p[i].author));
    QM_TRY(qm_cur_uint(c, &p[i].counter));
    if (p[i].author >= s->authors.n) return QM_EFORMAT;
  }
  return qm_dots_sort(arena, (qm_dots){p, count / 2}, out);
}

static int parse_others(qm_cur *c, qm_arena *arena, qm_token *out) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(c, &n));
  if (!n) return QM_EFORMAT;
  qm_id *ids = qm_arena_array(arena, n, sizeof *ids);
  if (!ids) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) QM_TRY(qm_cur_bin_n(c, ids[i].b, sizeof ids[i].b));
  out->others = ids;
  out->n_others = n;
  return QM_OK;
}

static int parse(const qm_space *s, qm_cur *c, qm_arena *arena, qm_token *out) {
  uint64_t version = 0, kind = 0, authors = 0;
  uint32_t n = 0, items = 0;
  QM_TRY(qm_cur_array(c, &items));
  if (items != 7 && items != 8) return QM_EFORMAT;
  QM_TRY(qm_cur_uint(c, &version));
  QM_TRY(qm_cur_uint(c, &kind));
  QM_TRY(qm_cur_bin_n(c, out->record.b, sizeof out->record.b));
  QM_TRY(qm_cur_uint(c, &authors));
  QM_TRY(get_dots(s, c, arena, &out->marks));
  QM_TRY(qm_cur_array(c, &n));
  if (version != 2 || kind > QM_READ_REVIEW || n % 2) return QM_EFORMAT;
  out->kind = (unsigned)kind;
  out->fields = qm_arena_array(arena, n / 2, sizeof *out->fields);
  if (!out->fields) return QM_ENOMEM;
  for (; out->n_fields < n / 2; out->n_fields++) {
    QM_TRY(qm_cur_uint32(c, &out->fields[out->n_fields].field));
    QM_TRY(get_dots(s, c, arena, &out->fields[out->n_fields].dots));
  }
  QM_TRY(qm_cur_array(c, &n));
  if (n % 2) return QM_EFORMAT;
  out->texts = qm_arena_array(arena, n / 2, sizeof *out->texts);
  if (!out->texts) return QM_ENOMEM;
  for (; out->n_texts < n / 2; out->n_texts++) {
    QM_TRY(qm_cur_uint32(c, &out->texts[out->n_texts].field));
    QM_TRY(qm_cur_uint(c, &out->texts[out->n_texts].version));
  }
  if (items == 8) QM_TRY(parse_others(c, arena, out));
  QM_TRY(qm_cur_end(c));
  return authors == authors_check(s, out) ? QM_OK : QM_EFORMAT;
}

int qm__token_about(const qm_token *t, const qm_id *record) {
  if (qm_id_cmp(&t->record, record) == 0) return 1;
  for (uint32_t i = 0; i < t->n_others; i++)
    if (qm_id_cmp(&t->others[i], record) == 0) return 1;
  return 0;
}

int qm__token_parse(const qm_space *s, qm_slice in, const qm_id *record, qm_arena *arena,
                    qm_token *out) {
  qm_cur c;
  memset(out, 0, sizeof *out);
  qm_cur_init(&c, in);
  int rc = parse(s, &c, arena, out);
  if (rc == QM_ENOMEM) return rc;
  return rc == QM_OK && (!record || qm__token_about(out, record)) ? QM_OK : QM_EFORMAT;
}

int qm_token_about(const qm_space *s, qm_slice token, const qm_id *record) {
  qm_arena arena;
  qm_token t;
  qm_arena_init(&arena, s->engine->env, QM_RECORD_ARENA);
  int rc = qm__token_parse(s, token, record, &arena, &t);
  qm_arena_free(&arena);
  return rc == QM_OK;
}

qm_dots qm__token_dots(const qm_token *t, uint32_t field) {
  for (uint32_t i = 0; i < t->n_fields; i++)
    if (t->fields[i].field == field) return t->fields[i].dots;
  return (qm_dots){NULL, 0};
}

int qm__token_version(const qm_token *t, uint32_t field, uint64_t *out) {
  for (uint32_t i = 0; i < t->n_texts; i++)
    if (t->texts[i].field == field) {
      *out = t->texts[i].version;
      return QM_OK;
    }
  return QM_ENOTFOUND;
}
