#include "core/home_review.h"

#include <string.h>

#include "core/crdt/keyed.h"
#include "core/retain.h"
#include "core/review.h"
#include "core/space.h"
#include "core/token.h"
#include "core/write.h"

#define DAY_MS UINT64_C(86400000)

/* One that is overdue, in the arena. */
typedef struct item {
  struct item *next;
  qm_conflict_class cls;
  qm_id record; /* the class's; of marks and edges: the member's */
  uint32_t field;
  int visible;
  qm_slice value;
  qm_dots overdue;
} item;

typedef struct collecting {
  qm_space *s;
  const qm_vv *old; /* what is overdue */
  qm_arena *arena;
  item *first, **last;
} collecting;

static int keep(collecting *k, const item *x) {
  item *copy = qm_arena_copy(k->arena, x, sizeof *x);
  if (!copy) return QM_ENOMEM;
  copy->next = NULL;
  *k->last = copy;
  k->last = &copy->next;
  return QM_OK;
}

/* --- what is overdue --- */

static int of_field(collecting *k, const qm_conflict *c, item *x, int *due) {
  const qm_contest *v = c->contest;
  qm_dot *p = qm_arena_array(k->arena, v->n_others, sizeof *p);
  uint8_t *value = qm_arena_copy(k->arena, v->shown->value.p, v->shown->value.n);
  uint32_t n = 0;
  if (!p || !value) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n_others; i++)
    if (qm_vv_covers(k->old, v->others[i].sibling->dot)) p[n++] = v->others[i].sibling->dot;
  x->field = c->field->number;
  x->value = qm_slice_of(value, v->shown->value.n);
  x->overdue = (qm_dots){p, n};
  *due = n > 0;
  return QM_OK;
}

/* Of merged records that collide, the first stands for all. */
static int is_first(const qm_conflict *c) {
  for (uint32_t i = 0; c->of->members[i] != c->member; i++)
    if (qm_marks_collide(&c->of->members[i]->marks)) return 0;
  return 1;
}

/* All that speaks against what is shown has been here long enough. */
static int marks_due(const collecting *k, const qm_record_class *of) {
  int visible = qm_class_visible(of);
  for (uint32_t i = 0; i < of->n; i++) {
    const qm_marks *m = &of->members[i]->marks;
    for (uint32_t j = 0; j < m->n && qm_marks_collide(m); j++)
      if (m->p[j].deleted == visible && !qm_vv_covers(k->old, m->p[j].dot)) return 0;
  }
  return 1;
}

static int edges_due(const collecting *k, const qm_conflict *c) {
  static const uint8_t nil[1] = {0xc0};
  for (uint32_t i = 0; i < c->of->n; i++) {
    const qm_record *r = c->of->members[i];
    if (qm_id_cmp(&r->id, c->unmerged) != 0) continue;
    const qm_cell *cell = qm_record_cell(r, 0, QM_KEYED);
    const qm_element *el =
        cell ? qm_keyed_find(qm_keyed_of(cell), qm_slice_of(nil, sizeof nil)) : NULL;
    for (uint32_t d = 0; el && d < el->n; d++)
      if (!qm_vv_covers(k->old, el->dots[d].dot)) return 0;
    return el != NULL;
  }
  return 0;
}

static int take(void *payload, const qm_conflict *c) {
  collecting *k = payload;
  item x = {.cls = c->cls, .record = c->of->id, .visible = qm_class_visible(c->of)};
  int due = 0;
  if (c->contest && c->contest->n_others && !c->cover) QM_TRY(of_field(k, c, &x, &due));
  if (c->member) due = is_first(c) && marks_due(k, c->of);
  if (c->unmerged) {
    x.record = *c->unmerged;
    due = edges_due(k, c);
  }
  return due ? keep(k, &x) : QM_OK;
}

/* --- settling --- */

/* A reading of the values, and of those that are overdue; what came since stays. */
static int make_token(qm_space *s, const item *x, qm_arena *arena, qm_buf *out) {
  qm_record_class of;
  qm_token t;
  QM_TRY(qm_class_read(s->engine, s, &x->record, 0, arena, &of));
  QM_TRY(qm__token_class(s, &of, QM_READ_VALUES, x->field, arena, &t));
  if (t.n_fields != 1) return QM_ENOTFOUND;
  qm_dots shown = t.fields[0].dots;
  qm_dot *p = qm_arena_array(arena, shown.n + x->overdue.n, sizeof *p);
  if (!p) return QM_ENOMEM;
  if (shown.n) memcpy(p, shown.p, shown.n * sizeof *p);
  memcpy(p + shown.n, x->overdue.p, x->overdue.n * sizeof *p);
  t.fields[0].dots = (qm_dots){p, shown.n + x->overdue.n};
  return qm__token_write(s, &t, out);
}

static int settle_field(qm_write *w, qm_space *s, const item *x, qm_arena *arena) {
  qm_buf token;
  qm_buf_init(&token, s->engine->env, QM_RECORD_MAX);
  int rc = make_token(s, x, arena, &token);
  if (rc == QM_OK)
    rc = qm_write_set(w, &x->record, x->field, x->value, qm_buf_slice(&token), QM_WRITE_SETTLE);
  qm_buf_free(&token);
  return rc;
}

static int settle_edges(qm_write *w, qm_space *s, const item *x, qm_arena *arena) {
  qm_id *ends;
  uint32_t n;
  QM_TRY(qm__edge_ends(s->engine, s, &x->record, 0, arena, &ends, &n));
  return n ? qm_write_merge(w, &x->record, &ends[0]) : QM_OK;
}

static int settle(qm_write *w, qm_space *s, const item *x, qm_arena *arena) {
  if (x->field) return settle_field(w, s, x, arena);
  if (x->cls == QM_CONFLICT_UNMERGED) return settle_edges(w, s, x, arena);
  if (x->visible) return qm_write_restore(w, &x->record);
  qm_buf token;
  qm_record_class of;
  qm_buf_init(&token, s->engine->env, QM_RECORD_MAX);
  int rc = qm_class_read(s->engine, s, &x->record, 0, arena, &of);
  if (rc == QM_OK) rc = qm_class_token(s, &of, QM_READ_REVIEW, arena, &token);
  if (rc == QM_OK) rc = qm_write_delete(w, &x->record, qm_buf_slice(&token));
  qm_buf_free(&token);
  return rc;
}

/* After these the change can go on without that one. */
static int may_pass(int rc) {
  qm_class c = qm_err_class(rc);
  return rc != QM_ENOMEM && rc != QM_EINTERNAL && rc != QM_ESTATE && rc != QM_ECORRUPT &&
         c != QM_CLASS_STORAGE;
}

static int settle_all(qm_engine *e, qm_space *s, const collecting *k, qm_home_settled *out) {
  qm_write *w;
  QM_TRY(qm_write_begin(&w, e, s, QM_WRITE_HOME));
  for (const item *x = k->first; x; x = x->next) {
    int rc = settle(w, s, x, k->arena);
    if (rc != QM_OK && !may_pass(rc)) {
      qm_write_cancel(w);
      return rc;
    }
    out->settled += rc == QM_OK;
  }
  return qm_write_commit(w, QM_DURABLE);
}

static uint64_t review_ms(const qm_space *s) {
  return (s->schema && s->schema->review_days ? s->schema->review_days : QM_REVIEW_DAYS) * DAY_MS;
}

int qm_home_review(qm_engine *e, qm_space *s, const qm_id *after, uint32_t limit,
                   qm_home_settled *out) {
  qm_vv old;
  qm_arena arena;
  memset(out, 0, sizeof *out);
  QM_TRY(qm_engine_aged(e, s, "review", review_ms(s), &old));
  qm_arena_init(&arena, e->env, (size_t)512 << 20);
  collecting k = {.s = s, .old = &old, .arena = &arena};
  k.last = &k.first;
  int rc = old.n ? qm_review_part(e, s, after, limit, take, &k, &out->last, &out->more) : QM_OK;
  if (rc == QM_OK && k.first) rc = settle_all(e, s, &k, out);
  if (rc != QM_OK) memset(out, 0, sizeof *out);
  qm_arena_free(&arena);
  qm_vv_free(e->env, &old);
  return rc;
}
