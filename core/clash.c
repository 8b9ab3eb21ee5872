/* Records that clash (S25.15): the same room at the same time, a post that two claimed. */
#include <string.h>

#include "core/calendar.h"
#include "core/class_ref.h"
#include "core/space.h"
#include "core/tie.h"

/* What of a record counts for a clash. */
typedef struct standing {
  qm_slice same[QM_CLASH_FIELDS_MAX];
  int64_t from, to; /* from where it stands up to where it does not */
} standing;

typedef struct reader {
  qm_engine *e;
  qm_space *s;
  const qm_collection_def *c;
  const qm_clash_def *def;
  unsigned flags;
  qm_arena *arena;
} reader;

static int shown(const reader *x, const qm_record *view, uint32_t field, qm_slice *out) {
  const qm_field_def *f = qm_collection_field(x->c, field);
  const qm_cell *cell = qm_record_cell(view, field, QM_SIBLINGS);
  qm_contest contest;
  *out = qm_slice_of(NULL, 0);
  if (!cell) return QM_OK;
  QM_TRY(qm_read_contest(x->s, f, cell, x->arena, &contest));
  if (!contest.shown || qm__value_blank(contest.shown->value)) return QM_OK;
  *out = contest.shown->value;
  if (f->value != QM_VALUE_REF) return QM_OK;
  return qm_class_ref_value(x->e, x->s, *out, x->flags, x->arena, out);
}

static int in_state(const reader *x, const qm_record *view, int *out) {
  qm_slice value;
  uint32_t item;
  *out = 1;
  if (!x->def->state) return QM_OK;
  QM_TRY(shown(x, view, x->def->state, &value));
  *out = value.n &&
         qm_field_item(qm_collection_field(x->c, x->def->state), value, &item) == QM_OK &&
         qm__numbers_have(x->def->items, x->def->n_items, item);
  return QM_OK;
}

/* Dates: the last day counts. 1 where it is an instant. */
static int instant(qm_slice value, int last, int64_t *out) {
  qm_cur c;
  qm_slice text;
  int32_t day;
  qm_cur_init(&c, value);
  if (qm_cur_int(&c, out) == QM_OK) return 1;
  qm_cur_init(&c, value);
  if (qm_cur_str(&c, &text) != QM_OK || !qm_date_parse(text, &day)) return 0;
  *out = (int64_t)day + last;
  return 1;
}

/* *counts: it stands in the way of others. */
static int stands(const reader *x, const qm_record_class *of, standing *to, int *counts) {
  const qm_record *view;
  qm_slice from, until;
  QM_TRY(qm_class_view(of, &x->s->authors, QM_CLASS_ALL, x->arena, &view));
  QM_TRY(qm_relations_hide(x->e, x->s, x->c, view, x->flags, x->arena, &view));
  QM_TRY(in_state(x, view, counts));
  for (uint32_t i = 0; i < x->def->n_same && *counts; i++) {
    QM_TRY(shown(x, view, x->def->same[i], &to->same[i]));
    *counts = to->same[i].n > 0;
  }
  to->from = INT64_MIN, to->to = INT64_MAX;
  if (!x->def->from || !*counts) return QM_OK;
  QM_TRY(shown(x, view, x->def->from, &from));
  QM_TRY(shown(x, view, x->def->to, &until));
  *counts = from.n && until.n && instant(from, 0, &to->from) && instant(until, 1, &to->to) &&
            to->from < to->to;
  return QM_OK;
}

static int meet(const reader *x, const standing *a, const standing *b) {
  for (uint32_t i = 0; i < x->def->n_same; i++)
    if (qm_slice_cmp(a->same[i], b->same[i]) != 0) return 0;
  return a->from < b->to && b->from < a->to;
}

static void put_id(qm_id *list, uint32_t *n, const qm_id *id) {
  uint32_t at = 0;
  while (at < *n && qm_id_cmp(&list[at], id) < 0) at++;
  if (at < *n && qm_id_cmp(&list[at], id) == 0) return;
  memmove(&list[at + 1], &list[at], (size_t)(*n - at) * sizeof *list);
  list[at] = *id;
  ++*n;
}

int qm_clashes_of(qm_engine *e, qm_space *s, const qm_record_class *of, const qm_clash_def *def,
                  unsigned flags, qm_arena *arena, const qm_id **out, uint32_t *n) {
  reader x = {e, s, NULL, def, flags, arena};
  standing own, its;
  qm_id *ids, *found;
  uint32_t count;
  int counts;
  *n = 0;
  *out = NULL;
  x.c = qm_schema_collection(s->schema, qm_record_collection(of->members[0]));
  QM_TRY(stands(&x, of, &own, &counts));
  if (!counts) return QM_OK;
  QM_TRY(qm__tied(e, s, x.c, qm_collection_field(x.c, def->same[0]), own.same[0], flags, arena,
                  &ids, &count));
  found = qm_arena_array(arena, count, sizeof *found);
  if (!found) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    qm_record_class other;
    if (qm_class_has(of, &ids[i])) continue;
    int rc = qm_class_read(e, s, &ids[i], flags, arena, &other);
    if (rc == QM_ENOTFOUND) continue;
    QM_TRY(rc);
    if (!qm_class_visible(&other) || qm_record_collection(other.members[0]) != x.c->number)
      continue;
    QM_TRY(stands(&x, &other, &its, &counts));
    if (counts && meet(&x, &own, &its)) put_id(found, n, &other.id);
  }
  *out = found;
  return QM_OK;
}
