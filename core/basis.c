/* Whether a sensitive value may be there (S25.1 to S25.3): what a basis record says. */
#include <string.h>

#include "core/calendar.h"
#include "core/relation.h"
#include "core/space.h"

#define CHILD_YEARS 14

/* A record's field, and what reading it needs. */
typedef struct reader {
  qm_engine *e;
  qm_space *s;
  unsigned flags;
  qm_arena *arena;
} reader;

/* What a field of one value shows; empty where it shows nothing. */
static int shown(const reader *x, const qm_collection_def *c, const qm_record *view,
                 uint32_t field, qm_slice *out) {
  const qm_field_def *f = c ? qm_collection_field(c, field) : NULL;
  const qm_cell *cell = f ? qm_record_cell(view, field, QM_SIBLINGS) : NULL;
  qm_contest contest;
  *out = qm_slice_of(NULL, 0);
  if (!cell) return QM_OK;
  QM_TRY(qm_read_contest(x->s, f, cell, x->arena, &contest));
  if (contest.shown && !qm__value_blank(contest.shown->value)) *out = contest.shown->value;
  return QM_OK;
}

/* Marks are written when a change ends: what it wrote is visible to its writer before. */
static int is_visible(const reader *x, const qm_record_class *of, int *out) {
  *out = qm_class_visible(of);
  for (uint32_t i = 0; i < of->n && !*out && !(x->flags & QM_CLASS_COMMITTED) && x->e->open; i++) {
    qm_loaded *l;
    QM_TRY(qm__space_record(x->s, &of->members[i]->id, &l));
    *out = l->touched != 0;
  }
  return QM_OK;
}

/* QM_ENOTFOUND: not here, or not visible. */
static int read_view(const reader *x, qm_slice ref, const qm_record **out) {
  qm_cur c;
  qm_id id;
  qm_record_class of;
  qm_cur_init(&c, ref);
  if (qm_cur_bin_n(&c, id.b, sizeof id.b) != QM_OK) return QM_ENOTFOUND;
  QM_TRY(qm_class_read(x->e, x->s, &id, x->flags, x->arena, &of));
  int visible;
  QM_TRY(is_visible(x, &of, &visible));
  if (!visible) return QM_ENOTFOUND;
  return qm_class_view(&of, &x->s->authors, QM_CLASS_ALL, x->arena, out);
}

/* ---- how old ---- */

static int digits(qm_slice s, size_t at, size_t n, int *out) {
  *out = 0;
  for (size_t i = at; i < at + n; i++) {
    if (i >= s.n || s.p[i] < '0' || s.p[i] > '9') return 0;
    *out = *out * 10 + (s.p[i] - '0');
  }
  return 1;
}

/* The last day that it leaves possible; 0 where it is no date. */
static int birth_day(qm_slice value, int *y, int *m, int *d) {
  qm_cur c;
  qm_slice text;
  int64_t year;
  int32_t day;
  *m = 12, *d = 31;
  qm_cur_init(&c, value);
  if (qm_cur_int(&c, &year) == QM_OK) {
    *y = year >= 1 && year <= 9999 ? (int)year : 0;
    return *y > 0;
  }
  qm_cur_init(&c, value);
  if (qm_cur_str(&c, &text) != QM_OK || !digits(text, 0, 4, y) || !*y) return 0;
  if (text.n == 4) return 1;
  if (text.p[4] != '-' || !digits(text, 5, 2, m) || *m < 1 || *m > 12) return 0;
  day = (*m == 12 ? qm_day_of(*y + 1, 1, 1) : qm_day_of(*y, *m + 1, 1)) - 1;
  if (text.n != 7 && !qm_date_parse(text, &day)) return 0;
  qm_day_civil(day, y, m, d);
  return 1;
}

/* *known: `birth` shows a date; *child: fewer than 14 years lie between it and the day. */
static int is_child(qm_slice birth, int32_t on, int *known) {
  int y, m, d, leap;
  *known = birth.n && birth_day(birth, &y, &m, &d);
  if (!*known) return 0;
  y += CHILD_YEARS;
  leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
  if (m == 2 && d == 29 && !leap) m = 3, d = 1;
  return on < qm_day_of(y, m, d);
}

static int birth_of(const reader *x, const qm_collection_def *c, const qm_record *view,
                    const qm_based_def *b, qm_slice *out) {
  const qm_field_def *of = b->of ? qm_collection_field(c, b->of) : NULL;
  qm_slice ref;
  *out = qm_slice_of(NULL, 0);
  if (!b->birth) return QM_OK;
  if (!b->of) return shown(x, c, view, b->birth, out);
  QM_TRY(shown(x, c, view, b->of, &ref));
  int rc = ref.n && of ? read_view(x, ref, &view) : QM_ENOTFOUND;
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  return shown(x, qm_schema_collection(x->s->schema, of->target), view, b->birth, out);
}

/* ---- one basis ---- */

static int ended(const qm_collection_def *c, const qm_basis_def *d, const qm_record *view) {
  const qm_field_def *f = d->ends ? qm_collection_field(c, d->ends) : NULL;
  const qm_cell *cell = f ? qm_record_cell(view, d->ends, QM_SIBLINGS) : NULL;
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  for (uint32_t i = 0; v && i < v->n; i++) {
    uint32_t item;
    if (v->p[i].hidden) continue;
    if (!d->n_ended && !qm__value_blank(v->p[i].value)) return 1;
    if (d->n_ended && qm_field_item(f, v->p[i].value, &item) == QM_OK &&
        qm__numbers_have(d->ended, d->n_ended, item))
      return 1;
  }
  return 0;
}

static int is_word(qm_slice value, qm_slice word) {
  qm_cur c;
  qm_slice text;
  qm_cur_init(&c, value);
  return qm_cur_str(&c, &text) == QM_OK && qm_slice_cmp(text, word) == 0;
}

static int serves(const reader *x, const qm_collection_def *c, const qm_record *view,
                  uint32_t field, qm_slice purpose, int *out) {
  qm_slice value;
  const qm_cell *set = qm_record_cell(view, field, QM_KEYED);
  const qm_keyed *k = set ? qm_keyed_of(set) : NULL;
  *out = !purpose.n;
  for (uint32_t i = 0; k && i < k->n && !*out; i++) *out = is_word(k->p[i].value, purpose);
  if (*out || set) return QM_OK;
  QM_TRY(shown(x, c, view, field, &value));
  *out = value.n && is_word(value, purpose);
  return QM_OK;
}

static const qm_basis_kind *kind_of(const qm_collection_def *c, const qm_basis_def *d,
                                    qm_slice value) {
  const qm_field_def *f = qm_collection_field(c, d->kind);
  uint32_t item;
  if (!value.n || qm_field_item(f, value, &item) != QM_OK) return NULL;
  for (uint32_t i = 0; i < d->n_kinds; i++)
    if (d->kinds[i].item == item) return &d->kinds[i];
  return NULL;
}

/* The name of a field that its kind asks for and that is empty. */
static int lacks(const reader *x, const qm_collection_def *c, const qm_basis_def *d,
                 const qm_record *view, const qm_basis_kind **kind, qm_slice *missing) {
  qm_slice value;
  int filled;
  QM_TRY(shown(x, c, view, d->kind, &value));
  *kind = kind_of(c, d, value);
  *missing = qm_slice_of(NULL, 0);
  if (!*kind) *missing = qm_collection_field(c, d->kind)->name;
  for (uint32_t i = 0; *kind && i < (*kind)->n_filled && !missing->n; i++) {
    const qm_field_def *f = qm_collection_field(c, (*kind)->filled[i]);
    QM_TRY(qm_field_filled(x->s, f, view, x->arena, &filled));
    if (!filled) *missing = f->name;
  }
  return QM_OK;
}

static int lacks_guardian(const reader *x, const qm_collection_def *c, const qm_basis_def *d,
                          const qm_basis_kind *kind, const qm_record *view, qm_slice birth,
                          int *out) {
  int known, filled;
  int32_t day = 0;
  qm_slice given, text;
  qm_cur cur;
  *out = 0;
  if (!kind->guardian || !birth.n) return QM_OK;
  QM_TRY(shown(x, c, view, d->given, &given));
  qm_cur_init(&cur, given);
  int dated = given.n && qm_cur_str(&cur, &text) == QM_OK && qm_date_parse(text, &day);
  int child = is_child(birth, day, &known);
  if (!known || (dated && !child)) return QM_OK;
  QM_TRY(qm_field_filled(x->s, qm_collection_field(c, kind->guardian), view, x->arena, &filled));
  *out = !filled || !dated;
  return QM_OK;
}

static int judge(const reader *x, const qm_collection_def *c, const qm_based_def *b,
                 const qm_record *view, qm_slice birth, qm_reason *why, qm_slice *detail) {
  const qm_basis_def *d = c->relations->basis;
  const qm_basis_kind *kind;
  int good;
  QM_TRY(lacks(x, c, d, view, &kind, detail));
  *why = QM_REASON_BASIS_INCOMPLETE;
  if (!kind || detail->n) return QM_OK;
  *why = QM_REASON_BASIS_PURPOSE;
  QM_TRY(serves(x, c, view, d->purpose, b->purpose, &good));
  *detail = b->purpose;
  if (!good) return QM_OK;
  *detail = qm_slice_of(NULL, 0);
  *why = QM_REASON_BASIS_ENDED;
  if (ended(c, d, view)) return QM_OK;
  QM_TRY(lacks_guardian(x, c, d, kind, view, birth, &good));
  *why = good ? QM_REASON_BASIS_GUARDIAN : QM_REASON_NONE;
  return QM_OK;
}

/* ---- those of a record ---- */

/* What its field `record` names. */
static int refs_of(const reader *x, const qm_collection_def *c, const qm_record *view,
                   uint32_t field, qm_slice **out, uint32_t *n) {
  const qm_cell *set = qm_record_cell(view, field, QM_KEYED);
  const qm_keyed *k = set ? qm_keyed_of(set) : NULL;
  uint32_t count = k ? k->n : 1;
  *n = 0;
  *out = qm_arena_array(x->arena, count, sizeof **out);
  if (!*out) return QM_ENOMEM;
  for (uint32_t i = 0; k && i < k->n; i++) (*out)[(*n)++] = k->p[i].value;
  if (k) return QM_OK;
  QM_TRY(shown(x, c, view, field, &(*out)[0]));
  *n = (*out)[0].n > 0;
  return QM_OK;
}

int qm_basis_holds(qm_engine *e, qm_space *s, const qm_collection_def *c, const qm_record *view,
                   const qm_based_def *b, unsigned flags, qm_arena *arena, qm_reason *why,
                   qm_slice *detail) {
  const reader x = {e, s, flags, arena};
  const qm_field_def *f = qm_collection_field(c, b->record);
  const qm_collection_def *bases = f ? qm_schema_collection(s->schema, f->target) : NULL;
  qm_slice *refs, birth;
  uint32_t n;
  *why = QM_REASON_BASIS;
  *detail = qm_slice_of(NULL, 0);
  if (!bases || !bases->relations || !bases->relations->basis) return QM_OK;
  QM_TRY(birth_of(&x, c, view, b, &birth));
  QM_TRY(refs_of(&x, c, view, b->record, &refs, &n));
  for (uint32_t i = 0; i < n && *why; i++) {
    const qm_record *basis;
    qm_reason reason;
    qm_slice part;
    int rc = read_view(&x, refs[i], &basis);
    if (rc == QM_ENOTFOUND) continue;
    QM_TRY(rc);
    if (qm_record_collection(basis) != bases->number) continue;
    QM_TRY(judge(&x, bases, b, basis, birth, &reason, &part));
    if (reason && reason < *why) continue; /* say what the best one lacks */
    *why = reason;
    *detail = part;
  }
  return QM_OK;
}
