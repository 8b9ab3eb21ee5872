#include "core/inbox.h"

#include <string.h>

#include "core/class.h"
#include "core/fold.h"
#include "core/inbox_int.h"
#include "core/mp.h"

#define NOTE 'i'
#define KEY_SIZE (1 + QM_AUTHOR_SIZE + 8)
#define ENTRY_MAX (2 * QM_VALUE_MAX + 256u)

static int is_own(const qm_space *s, uint32_t author) {
  return memcmp(s->authors.ids[author].b, s->engine->device.b, QM_ID_SIZE) == 0;
}

/* --- notes --- */

static void put_key(const qm_space *s, qm_dot dot, uint8_t key[KEY_SIZE]) {
  key[0] = NOTE;
  memcpy(key + 1, s->authors.ids[dot.author].b, QM_AUTHOR_SIZE);
  for (int i = 0; i < 8; i++)
    key[1 + QM_AUTHOR_SIZE + i] = (uint8_t)(dot.counter >> (56 - 8 * i));
}

static void encode(const qm_inbox_entry *x, qm_buf *b) {
  qm_mp_array(b, 11);
  qm_mp_bin(b, x->record.b, sizeof x->record.b);
  qm_mp_uint(b, x->field);
  qm_mp_uint(b, x->told_ms);
  qm_mp_uint(b, (uint64_t)x->reason);
  qm_mp_bool(b, x->is_read);
  qm_mp_bin(b, x->before.p, x->before.n);
  qm_mp_uint(b, x->before_time);
  qm_mp_bin(b, x->after.p, x->after.n);
  qm_mp_uint(b, x->after_time);
  qm_mp_uint(b, x->after_dot.author);
  qm_mp_uint(b, x->after_dot.counter);
}

static int decode(const qm_space *s, qm_slice key, qm_slice value, qm_inbox_entry *x) {
  qm_cur c;
  qm_author author;
  uint64_t reason = 0;
  memset(x, 0, sizeof *x);
  if (key.n != KEY_SIZE) return QM_ECORRUPT;
  memcpy(author.b, key.p + 1, QM_AUTHOR_SIZE);
  if (qm_authors_find(&s->authors, &author, &x->dot.author) != QM_OK) return QM_ECORRUPT;
  for (int i = 0; i < 8; i++) x->dot.counter = x->dot.counter << 8 | key.p[1 + QM_AUTHOR_SIZE + i];
  qm_cur_init(&c, value);
  qm_cur_array_n(&c, 11);
  qm_cur_bin_n(&c, x->record.b, sizeof x->record.b);
  qm_cur_uint32(&c, &x->field);
  qm_cur_uint(&c, &x->told_ms);
  qm_cur_uint(&c, &reason);
  qm_cur_bool(&c, &x->is_read);
  qm_cur_bin(&c, &x->before);
  qm_cur_uint(&c, &x->before_time);
  qm_cur_bin(&c, &x->after);
  qm_cur_uint(&c, &x->after_time);
  qm_cur_uint32(&c, &x->after_dot.author);
  qm_cur_uint(&c, &x->after_dot.counter);
  x->reason = (qm_inbox_reason)reason;
  if (qm_cur_end(&c) != QM_OK || x->after_dot.author >= s->authors.n) return QM_ECORRUPT;
  return QM_OK;
}

static int write_entry(qm_space *s, const qm_inbox_entry *x) {
  uint8_t key[KEY_SIZE];
  qm_buf b;
  qm_store *store = s->engine->store;
  put_key(s, x->dot, key);
  qm_buf_init(&b, s->engine->env, ENTRY_MAX);
  encode(x, &b);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK)
    rc = store->ops->local_put(store, s->number, qm_slice_of(key, sizeof key), qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

static int drop_entry(qm_space *s, qm_dot dot) {
  uint8_t key[KEY_SIZE];
  put_key(s, dot, key);
  return s->engine->store->ops->local_put(s->engine->store, s->number,
                                          qm_slice_of(key, sizeof key), qm_slice_of(NULL, 0));
}

typedef struct finding {
  const qm_space *s;
  qm_arena *arena;
  qm_inbox_entry *out;
  int found;
} finding;

static int take_found(void *payload, qm_slice key, qm_slice value) {
  finding *f = payload;
  uint8_t *p = qm_arena_copy(f->arena, value.p, value.n);
  if (!p) return QM_ENOMEM;
  QM_TRY(decode(f->s, key, qm_slice_of(p, value.n), f->out));
  f->found = 1;
  return QM_STORE_STOP;
}

int qm_inbox_find(qm_engine *e, qm_space *s, qm_dot dot, qm_arena *arena, qm_inbox_entry *out) {
  uint8_t key[KEY_SIZE];
  finding f = {s, arena, out, 0};
  if (dot.author >= s->authors.n) return QM_ENOTFOUND;
  put_key(s, dot, key);
  QM_TRY(e->store->ops->local_scan(e->store, s->number, qm_slice_of(key, sizeof key),
                                   qm_slice_of(NULL, 0), take_found, &f));
  return f.found ? QM_OK : QM_ENOTFOUND;
}

/* --- while records are loaded and changed --- */

static int contested(const qm_siblings *v) {
  for (uint32_t i = 1; i < v->n; i++)
    if (qm_slice_cmp(v->p[i].value, v->p[0].value) != 0) return 1;
  return 0;
}

static uint32_t count_own(const qm_space *s, const qm_record *r) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < r->n_cells; i++) {
    if (r->cells[i].shape != QM_SIBLINGS) continue;
    const qm_siblings *v = qm_siblings_of(&r->cells[i]);
    for (uint32_t k = 0; k < v->n; k++) n += (uint32_t)is_own(s, v->p[k].dot.author);
  }
  return n;
}

static void note_values(const qm_space *s, const qm_record *r, qm_own *own) {
  for (uint32_t i = 0; i < r->n_cells; i++) {
    if (r->cells[i].shape != QM_SIBLINGS) continue;
    const qm_siblings *v = qm_siblings_of(&r->cells[i]);
    for (uint32_t k = 0; k < v->n; k++) {
      const qm_sibling *x = &v->p[k];
      if (!is_own(s, x->dot.author)) continue;
      own->values[own->n++] =
          (qm_own_value){x->dot, x->time, r->cells[i].field, x->value, contested(v)};
    }
  }
}

int qm__inbox_loaded(qm_space *s, qm_loaded *l) {
  const qm_record *r = &l->record;
  qm_dot none = {0, QM_NO_AUTHOR};
  qm_own own = {.deleted = none, .edited = none, .collided = qm_marks_collide(&r->marks)};
  uint32_t n = count_own(s, r);
  for (uint32_t i = 0; i < r->marks.n; i++) {
    const qm_mark *m = &r->marks.p[i];
    if (is_own(s, m->dot.author)) *(m->deleted ? &own.deleted : &own.edited) = m->dot;
  }
  if (!n && own.deleted.author == QM_NO_AUTHOR && own.edited.author == QM_NO_AUTHOR) return QM_OK;
  own.values = qm_arena_array(&s->engine->records, n, sizeof *own.values);
  l->own = qm_arena_zero(&s->engine->records, sizeof *l->own);
  if (!own.values || !l->own) return QM_ENOMEM;
  note_values(s, r, &own);
  *l->own = own;
  return QM_OK;
}

void qm__inbox_op(qm_loaded *l, const qm_op *op) {
  if (op->shape != QM_SIBLINGS) return;
  const qm_cell *cell = qm_record_cell(&l->record, op->field, QM_SIBLINGS);
  if (!cell || !contested(qm_siblings_of(cell))) return;
  for (uint32_t i = 0; i < l->own->n; i++)
    if (l->own->values[i].field == op->field) l->own->values[i].contested = 1;
}

void qm__inbox_marks(qm_loaded *l) { l->own->collided |= qm_marks_collide(&l->record.marks); }

void qm__inbox_names(qm_space *s, qm_loaded *l, const qm_op *op) {
  if (!(s->engine->flags & QM_ENGINE_INBOX)) return;
  for (uint32_t i = 0; i < op->hides.n; i++)
    if (is_own(s, op->hides.p[i].author)) l->names_own = 1, s->names_own = 1;
  for (uint32_t i = 0; i < op->keeps.n; i++)
    if (is_own(s, op->keeps.p[i].author)) l->names_own = 1, s->names_own = 1;
}

/* --- what was lost --- */

/* One that was told before stays told: only what became of it is noted anew. */
static int tell(qm_space *s, qm_inbox_entry *x) {
  qm_inbox_entry old;
  int rc = qm_inbox_find(s->engine, s, x->dot, &s->engine->arena, &old);
  if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
  x->told_ms = rc == QM_OK ? old.told_ms : qm_engine_now(s->engine);
  x->is_read = rc == QM_OK && old.is_read;
  return write_entry(s, x);
}

/* It is shown again: what nobody has read yet need not be read. */
static int take_back(qm_space *s, qm_dot dot) {
  qm_inbox_entry old;
  int rc = qm_inbox_find(s->engine, s, dot, &s->engine->arena, &old);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  return old.is_read ? QM_OK : drop_entry(s, dot);
}

/* The value itself, else the same one written again by this device (a branch that was reissued
 * has new dots). */
static const qm_sibling *find_value(const qm_space *s, const qm_siblings *v,
                                    const qm_own_value *own) {
  const qm_sibling *same = NULL;
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    if (x->dot.author == own->dot.author && x->dot.counter == own->dot.counter) return x;
    if (is_own(s, x->dot.author) && qm_slice_cmp(x->value, own->value) == 0) same = x;
  }
  return same;
}

static int was_told(qm_space *s, qm_dot dot, int *out) {
  qm_inbox_entry old;
  int rc = qm_inbox_find(s->engine, s, dot, &s->engine->arena, &old);
  *out = rc == QM_OK;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int judge_value(qm_space *s, const qm_record *r, const qm_own_value *v) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  const qm_cell *cell = qm_record_cell(r, v->field, QM_SIBLINGS);
  const qm_field_def *f = c ? qm_collection_field(c, v->field) : NULL;
  qm_contest contest;
  int told = 0;
  /* Of raises the greatest is meant to be shown: the others are not lost. */
  if (f && (f->type == QM_FIELD_MAX || f->type == QM_FIELD_MIN)) return QM_OK;
  QM_TRY(qm_read_contest(s, f, cell, &s->engine->arena, &contest));
  if (!contest.shown) return QM_OK;
  if (qm_slice_cmp(contest.shown->value, v->value) == 0) return take_back(s, v->dot);
  if (is_own(s, contest.shown->dot.author)) return QM_OK;
  const qm_sibling *still = find_value(s, qm_siblings_of(cell), v);
  if (still && qm_dot_cmp(&s->authors, still->dot, v->dot) != 0) return QM_OK;
  if (!still) QM_TRY(was_told(s, v->dot, &told));
  if (!still && !v->contested && !told) return QM_OK; /* somebody who had read it wrote anew */
  qm_inbox_entry x = {.dot = v->dot,
                      .record = r->id,
                      .field = v->field,
                      .reason = !still         ? QM_INBOX_SETTLED
                                : still->kept ? QM_INBOX_UNREAD
                                              : QM_INBOX_CONCURRENT,
                      .before = v->value,
                      .before_time = v->time,
                      .after = contest.shown->value,
                      .after_time = contest.shown->time,
                      .after_dot = contest.shown->dot};
  return tell(s, &x);
}

/* The other's mark that decides: the last of its kind. */
static const qm_mark *other_mark(const qm_space *s, const qm_marks *m, int deleted) {
  const qm_mark *out = NULL;
  for (uint32_t i = 0; i < m->n; i++)
    if (m->p[i].deleted == deleted && !is_own(s, m->p[i].dot.author)) out = &m->p[i];
  return out;
}

static int has_mark(const qm_marks *m, qm_dot dot) {
  for (uint32_t i = 0; i < m->n; i++)
    if (m->p[i].dot.author == dot.author && m->p[i].dot.counter == dot.counter) return 1;
  return 0;
}

/* A delete that did not hold because somebody edited meanwhile; an edit of a record for whose
 * deletion somebody decided. */
static int judge_marks(qm_space *s, const qm_loaded *l) {
  static const uint8_t no[1] = {0xc2}, yes[1] = {0xc3};
  const qm_marks *m = &l->record.marks;
  int visible = qm_record_visible(&l->record);
  qm_dot dot = visible ? l->own->deleted : l->own->edited;
  const qm_mark *other = other_mark(s, m, !visible);
  if (dot.author == QM_NO_AUTHOR || !other || !l->own->collided) return QM_OK;
  qm_inbox_entry x = {.dot = dot,
                      .record = l->record.id,
                      .reason = has_mark(m, dot) ? QM_INBOX_CONCURRENT : QM_INBOX_SETTLED,
                      .before = qm_slice_of(visible ? no : yes, 1),
                      .after = qm_slice_of(visible ? yes : no, 1),
                      .after_dot = other->dot};
  return tell(s, &x);
}

int qm__inbox_save(qm_space *s, const qm_loaded *l) {
  for (uint32_t i = 0; i < l->own->n; i++)
    QM_TRY(judge_value(s, &l->record, &l->own->values[i]));
  return judge_marks(s, l);
}

/* --- merged records: a value may be named by a write to another member --- */

static int judge_named(qm_space *s, const qm_record_class *of, const qm_field_def *f,
                       const qm_cell *cell) {
  const qm_siblings *v = qm_siblings_of(cell);
  qm_contest contest;
  QM_TRY(qm_read_contest(s, f, cell, &s->engine->arena, &contest));
  if (!contest.shown || is_own(s, contest.shown->dot.author)) return QM_OK;
  for (uint32_t i = 0; i < v->n; i++) {
    const qm_sibling *x = &v->p[i];
    if (!is_own(s, x->dot.author) || (!x->hidden && !x->kept)) continue;
    if (qm_slice_cmp(x->value, contest.shown->value) == 0) continue;
    qm_inbox_entry entry = {.dot = x->dot,
                            .record = of->members[x->member]->id,
                            .field = cell->field,
                            .reason = x->hidden ? QM_INBOX_SETTLED : QM_INBOX_UNREAD,
                            .before = x->value,
                            .before_time = x->time,
                            .after = contest.shown->value,
                            .after_time = contest.shown->time,
                            .after_dot = contest.shown->dot};
    QM_TRY(tell(s, &entry));
  }
  return QM_OK;
}

static int judge_class(qm_space *s, const qm_loaded *l) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(&l->record)) : NULL;
  qm_record_class of;
  const qm_record *view;
  if (!c) return QM_OK;
  int rc = qm_class_read(s->engine, s, &l->record.id, QM_CLASS_COMMITTED, &s->engine->arena, &of);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  QM_TRY(qm_class_view(&of, &s->authors, QM_CLASS_ALL, &s->engine->arena, &view));
  for (uint32_t i = 0; i < view->n_cells && of.n > 1; i++) {
    const qm_field_def *f = qm_collection_field(c, view->cells[i].field);
    if (view->cells[i].shape == QM_SIBLINGS)
      QM_TRY(judge_named(s, &of, f, &view->cells[i]));
  }
  return QM_OK;
}

int qm__inbox_classes(qm_space *s) {
  if (!s->names_own) return QM_OK;
  for (uint32_t i = 0, n = s->n_changed; i < n; i++)
    if (s->changed[i]->names_own) QM_TRY(judge_class(s, s->changed[i]));
  return QM_OK;
}

/* --- reading --- */

typedef struct walk {
  const qm_space *s;
  qm_visit_inbox visit;
  void *payload;
} walk;

static int walk_one(void *payload, qm_slice key, qm_slice value) {
  const walk *w = payload;
  qm_inbox_entry x;
  QM_TRY(decode(w->s, key, value, &x));
  return w->visit(w->payload, &x);
}

int qm_inbox_each(qm_engine *e, qm_space *s, qm_visit_inbox visit, void *payload) {
  static const uint8_t prefix[1] = {NOTE};
  walk w = {s, visit, payload};
  if (!e->open) QM_TRY(qm__fold(e)); /* what was written since may show a value again */
  return e->store->ops->local_scan(e->store, s->number, qm_slice_of(prefix, 1),
                                   qm_slice_of(NULL, 0), walk_one, &w);
}

/* What is done to entries, once they were read: a visitor may not write what it visits. */
typedef struct picked {
  qm_dot dot;
  uint64_t told_ms;
} picked;

typedef struct pick {
  qm_arena *arena;
  picked *p;
  uint32_t n, cap;
  const qm_dot *only;
  int unread;
} pick;

static int pick_one(void *payload, const qm_inbox_entry *x) {
  pick *k = payload;
  if (k->unread && x->is_read) return QM_OK;
  if (k->only && (k->only->author != x->dot.author || k->only->counter != x->dot.counter))
    return QM_OK;
  if (k->n == k->cap) {
    uint32_t cap = k->cap ? k->cap * 2 : 64;
    k->p = qm_arena_grow(k->arena, k->p, k->cap, cap, sizeof *k->p);
    if (!k->p) return QM_ENOMEM;
    k->cap = cap;
  }
  k->p[k->n++] = (picked){x->dot, x->told_ms};
  return QM_OK;
}

static int mark_all(qm_space *s, const pick *k, qm_arena *arena) {
  for (uint32_t i = 0; i < k->n; i++) {
    qm_inbox_entry x;
    QM_TRY(qm_inbox_find(s->engine, s, k->p[i].dot, arena, &x));
    x.is_read = 1;
    QM_TRY(write_entry(s, &x));
  }
  return QM_OK;
}

static void sort_oldest(picked *p, uint32_t n) {
  for (uint32_t gap = n / 2; gap; gap /= 2)
    for (uint32_t i = gap; i < n; i++) {
      picked x = p[i];
      uint32_t at = i;
      for (; at >= gap && p[at - gap].told_ms > x.told_ms; at -= gap) p[at] = p[at - gap];
      p[at] = x;
    }
}

static int prune_all(qm_space *s, pick *k, uint64_t before_ms) {
  sort_oldest(k->p, k->n);
  for (uint32_t i = 0; i < k->n; i++)
    if (k->p[i].told_ms < before_ms || k->n - i > QM_INBOX_MAX)
      QM_TRY(drop_entry(s, k->p[i].dot));
  return QM_OK;
}

static int in_transaction(qm_engine *e, qm_space *s, pick *k, uint64_t before_ms) {
  qm_store *store = e->store;
  int alone = !e->open;
  if (alone) QM_TRY(store->ops->begin(store));
  int rc = k->unread ? mark_all(s, k, k->arena) : prune_all(s, k, before_ms);
  if (!alone) return rc;
  if (rc == QM_OK) return store->ops->commit(store, QM_RELAXED, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

static int change(qm_engine *e, qm_space *s, pick *k, uint64_t before_ms) {
  qm_arena arena;
  qm_arena_init(&arena, e->env, (size_t)512 << 20);
  k->arena = &arena;
  int rc = qm_inbox_each(e, s, pick_one, k);
  int due = k->unread || k->n > QM_INBOX_MAX;
  for (uint32_t i = 0; i < k->n; i++) due |= k->p[i].told_ms < before_ms;
  if (rc == QM_OK && k->n && due) rc = in_transaction(e, s, k, before_ms);
  qm_arena_free(&arena);
  return rc;
}

int qm_inbox_read(qm_engine *e, qm_space *s, const qm_dot *dot) {
  pick k = {.only = dot, .unread = 1};
  return e->poisoned ? QM_EIO : change(e, s, &k, 0);
}

int qm_inbox_prune(qm_engine *e, qm_space *s, uint64_t before_ms) {
  pick k = {.p = NULL};
  if (e->poisoned) return QM_EIO;
  return e->open ? QM_ESTATE : change(e, s, &k, before_ms);
}
