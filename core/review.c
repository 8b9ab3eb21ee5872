#include "core/review.h"

#include <string.h>

#include "core/fold.h"
#include "core/tie.h"

#define NOTE 'r'
#define WHOLE 'v' /* the index is whole; its value: how it is made */
#define VERSION 1u

/* --- the index --- */

static int put_note(qm_space *s, const qm_id *id, int on) {
  static const uint8_t yes[1] = {1};
  uint8_t key[1 + QM_ID_SIZE] = {NOTE};
  memcpy(key + 1, id->b, QM_ID_SIZE);
  return s->engine->store->ops->local_put(s->engine->store, s->number,
                                          qm_slice_of(key, sizeof key),
                                          qm_slice_of(yes, on ? 1 : 0));
}

/* How the index was made; and by which schema, where it depends on one. */
static size_t made_by(const qm_space *s, uint8_t out[5]) {
  uint32_t v = qm__ties_version(s->schema);
  out[0] = VERSION;
  for (int i = 0; i < 4; i++) out[1 + i] = (uint8_t)(v >> (24 - 8 * i));
  return v ? 5 : 1;
}

static int put_whole(qm_space *s) {
  static const uint8_t key[1] = {WHOLE};
  uint8_t version[5];
  size_t n = made_by(s, version);
  return s->engine->store->ops->local_put(s->engine->store, s->number, qm_slice_of(key, 1),
                                          qm_slice_of(version, n));
}

static int values_differ(const qm_siblings *v) {
  for (uint32_t i = 1; i < v->n; i++)
    if (qm_slice_cmp(v->p[i].value, v->p[0].value) != 0) return 1;
  return 0;
}

/* Whatever the schema: what a newer one makes known is in the index already. A record with
 * edges stands for its class, whose values lie on several records. */
int qm__review_noted(const qm_record *r) {
  if (qm_id_is_zero(&r->id)) return 0;
  if (r->n_creations > 1 || qm_marks_collide(&r->marks)) return 1;
  for (uint32_t i = 0; i < r->n_cells; i++) {
    const qm_cell *cell = &r->cells[i];
    if (cell->shape == QM_KEYED && !cell->field) return 1;
    if (cell->shape == QM_SIBLINGS && values_differ(qm_siblings_of(cell))) return 1;
  }
  return 0;
}

int qm__review_share(void *sharing, const qm_id *id) {
  qm__sharing *h = sharing;
  if (qm_id_cmp(id, h->id) == 0) return QM_OK;
  h->shared = 1;
  return put_note(h->s, id, 1);
}

static int put_noted(qm_space *s, const qm_record *r, int on, int stored) {
  if (!on) QM_TRY(qm__ties_noted(s, r, &s->engine->arena, &on));
  return on || stored ? put_note(s, &r->id, on) : QM_OK;
}

/* A record may be noted for what others say where its collection has a key or relations. */
static int noted_by_others(const qm_space *s, const qm_record *r) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  return !c || c->key_field || c->relations;
}

int qm__review_save(qm_space *s, qm_loaded *l, int shared, int stored) {
  if (s->engine->flags & QM_ENGINE_REPLAY) return QM_OK;
  int was = stored && (l->noted || noted_by_others(s, &l->record));
  l->noted = (uint8_t)qm__review_noted(&l->record);
  return put_noted(s, &l->record, shared || l->noted, was);
}

int qm__review_begin(qm_space *s) {
  s->review_whole = 1;
  return put_whole(s);
}

typedef struct filling {
  qm_space *s;
  qm_arena arena;
} filling;

static int fill_row(void *payload, const qm_record_row *row) {
  filling *f = payload;
  qm_record r;
  qm_slice *keys;
  uint32_t n;
  qm_arena_reset(&f->arena);
  int rc = qm_record_decode(&r, &row->id, row->state, &f->s->authors, &f->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  QM_TRY(qm__space_keys(f->s, &r, &f->arena, &keys, &n));
  QM_TRY(qm__ties_save(f->s, &r, &f->arena));
  qm__sharing shared = {f->s, &r.id, 0};
  for (uint32_t i = 0; i < n; i++)
    QM_TRY(qm__fold_keys(f->s, qm_record_collection(&r), keys[i], qm__review_share, &shared));
  return put_noted(f->s, &r, shared.shared || qm__review_noted(&r), 0); /* by others: stays */
}

static int fill(qm_space *s) {
  filling f = {.s = s};
  qm_arena_init(&f.arena, s->engine->env, QM_RECORD_ARENA);
  int rc = qm__fold_scan(s, NULL, SIZE_MAX >> 1, fill_row, &f);
  qm_arena_free(&f.arena);
  return rc == QM_OK ? put_whole(s) : rc;
}

typedef struct ids {
  const qm_env *env;
  qm_id *p;
  uint32_t n, cap, most; /* most 0: any number */
} ids;

static int ids_add(ids *l, const qm_id *id) {
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 64;
    qm_id *p = qm_realloc_array(l->env, l->p, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->p = p;
    l->cap = cap;
  }
  l->p[l->n++] = *id;
  return l->n == l->most ? QM_STORE_STOP : QM_OK;
}

static int take_note(void *payload, qm_slice key, qm_slice value) {
  qm_id id;
  (void)value;
  if (key.n != 1 + QM_ID_SIZE) return QM_ECORRUPT;
  memcpy(id.b, key.p + 1, QM_ID_SIZE);
  return ids_add(payload, &id);
}

/* after: NULL for all. */
static int noted(qm_space *s, const qm_id *after, ids *out) {
  uint8_t key[1 + QM_ID_SIZE] = {NOTE};
  qm_store *store = s->engine->store;
  if (after) memcpy(key + 1, after->b, QM_ID_SIZE);
  return store->ops->local_scan(store, s->number, qm_slice_of(key, 1),
                                qm_slice_of(key, after ? sizeof key : 0), take_note, out);
}

/* Inside a transaction of the store. */
static int make(qm_space *s) {
  ids old = {.env = s->engine->env};
  int rc = noted(s, NULL, &old);
  for (uint32_t i = 0; i < old.n && rc == QM_OK; i++) rc = put_note(s, &old.p[i], 0);
  qm_free(s->engine->env, old.p);
  return rc == QM_OK ? fill(s) : rc;
}

static int make_alone(qm_space *s) {
  qm_store *store = s->engine->store;
  QM_TRY(qm__fold(s->engine));
  QM_TRY(store->ops->begin(store));
  int rc = make(s);
  if (rc == QM_OK) rc = store->ops->commit(store, QM_RELAXED, NULL, NULL);
  else store->ops->rollback(store);
  if (rc == QM_OK) s->review_whole = 1;
  return rc;
}

int qm_review_rebuild(qm_engine *e, qm_space *s) {
  if (e->poisoned) return QM_EIO;
  return e->open ? QM_ESTATE : make_alone(s);
}

static int take_whole(void *payload, qm_slice key, qm_slice value) {
  qm_space *s = payload;
  uint8_t version[5];
  size_t n = made_by(s, version);
  s->review_whole = key.n == 1 && qm_slice_cmp(value, qm_slice_of(version, n)) == 0;
  return QM_OK;
}

int qm__review_open(qm_space *s) {
  static const uint8_t key[1] = {WHOLE};
  qm_store *store = s->engine->store;
  s->review_whole = 0;
  if (s->engine->flags & QM_ENGINE_REPLAY) return QM_OK;
  QM_TRY(store->ops->local_scan(store, s->number, qm_slice_of(key, 1), qm_slice_of(NULL, 0),
                                take_whole, s));
  if (s->review_whole) return QM_OK;
  int rc = make_alone(s);
  /* Then every record is looked at, until the file is opened where it can be written. */
  return rc == QM_EREADONLY || rc == QM_EFULL || rc == QM_EBUSY ? QM_OK : rc;
}

/* --- severity --- */

static qm_severity field_rank(const qm_collection_def *c, const qm_field_def *f) {
  if (f->review) return (qm_severity)f->review;
  if (f->number == c->key_field || f->flags & QM_FIELD_NAMING || f->cls == QM_CLASS_SENSITIVE)
    return QM_SEVERITY_HIGH;
  return f->type == QM_FIELD_MAX || f->type == QM_FIELD_MIN ? QM_SEVERITY_LOW
                                                            : QM_SEVERITY_NORMAL;
}

static qm_severity class_rank(const qm_collection_def *c, qm_conflict_class cls) {
  if (cls <= (int)QM_CONFLICT_CLASSES && c->review[cls - 1])
    return (qm_severity)c->review[cls - 1];
  switch (cls) {
    case QM_CONFLICT_CLASH:
    case QM_CONFLICT_OVERDRAWN:
    case QM_CONFLICT_CONTRADICT:
    case QM_CONFLICT_DELETED:
    case QM_CONFLICT_SAME_KEY: return QM_SEVERITY_HIGH;
    case QM_CONFLICT_UNMERGED: return QM_SEVERITY_NORMAL;
    default: return QM_SEVERITY_LOW;
  }
}

qm_severity qm_conflict_severity(const qm_collection_def *c, const qm_field_def *f,
                                 qm_conflict_class cls) {
  qm_severity rank = class_rank(c, cls);
  return f && field_rank(c, f) > rank ? field_rank(c, f) : rank;
}

/* --- the conflicts of one class --- */

typedef struct review {
  qm_engine *e;
  qm_space *s;
  uint32_t collection;
  qm_arena arena; /* of the class at hand */
  ids classes;    /* of several members, looked at already; ascending */
  const qm_id *after; /* NULL: from the start */
  uint32_t limit;     /* records; 0: all */
  qm_id last;
  int more;
  qm_visit_conflict visit;
  void *payload;
  qm_conflict c;
  struct drawn *drawn; /* accounts looked at already: all their requests were, together */
  uint32_t n_drawn, cap_drawn;
} review;

/* What is asked for on an account beyond what it has. */
typedef struct drawn {
  const qm_cover_def *def;
  qm_id account;
  qm_overdrawn *list;
  uint32_t n;
} drawn;

static int tell(review *v, const qm_field_def *f, qm_conflict_class cls) {
  v->c.field = f;
  v->c.cls = cls;
  v->c.severity = qm_conflict_severity(v->c.collection, f, cls);
  return v->visit(v->payload, &v->c);
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

/* The fields that are not as this one wants them, each once. `whole`: nothing is hidden in it. */
static int find_against(review *v, const qm_record *whole, const qm_field_def *f) {
  const qm_collection_def *c = v->c.collection;
  uint32_t most = 0, *list;
  for (uint32_t i = 0; c->relations && i < c->relations->n_whens; i++)
    most += c->relations->whens[i].n_empty + c->relations->whens[i].n_filled;
  v->c.n_against = 0;
  if (!most) return QM_OK;
  v->c.against = list = qm_arena_array(&v->arena, most, sizeof *list);
  if (!list) return QM_ENOMEM;
  for (uint32_t i = 0; i < c->relations->n_whens; i++) {
    const qm_when_def *w = &c->relations->whens[i];
    if (w->field != f->number || !qm_when_holds(c, whole, w)) continue;
    for (uint32_t k = 0; k < w->n_empty + w->n_filled; k++) {
      int filled, wanted = k >= w->n_empty;
      uint32_t field = wanted ? w->filled[k - w->n_empty] : w->empty[k];
      QM_TRY(qm_field_filled(v->s, qm_collection_field(c, field), whole, &v->arena, &filled));
      if (filled != wanted && !qm__numbers_have(list, v->c.n_against, field))
        list[v->c.n_against++] = field;
    }
  }
  return QM_OK;
}

static int of_field(review *v, const qm_record *view, const qm_record *whole,
                    const qm_field_def *f) {
  qm_contest contest = {NULL, 0, NULL, 0};
  const qm_cell *cell = qm_record_cell(view, f->number, QM_SIBLINGS);
  QM_TRY(find_against(v, whole, f));
  if (cell && qm_field_shape(f) == QM_SIBLINGS)
    QM_TRY(qm_read_contest(v->s, f, cell, &v->arena, &contest));
  if (!contest.n_others && !v->c.n_against) return QM_OK;
  v->c.contest = contest.shown ? &contest : NULL;
  int rc = tell(v, f, v->c.n_against ? QM_CONFLICT_CONTRADICT : gravest(&contest));
  v->c.contest = NULL;
  v->c.n_against = 0;
  return rc;
}

static int of_clash(review *v, const qm_clash_def *clash) {
  QM_TRY(qm_clashes_of(v->e, v->s, v->c.of, clash, QM_CLASS_COMMITTED, &v->arena, &v->c.clashing,
                       &v->c.n_clashing));
  if (!v->c.n_clashing) return QM_OK;
  v->c.clash = clash;
  v->c.field = NULL;
  v->c.cls = QM_CONFLICT_CLASH;
  v->c.severity = clash->review ? (qm_severity)clash->review : QM_SEVERITY_HIGH;
  int rc = v->visit(v->payload, &v->c);
  v->c.clash = NULL;
  return rc;
}

static void forget_drawn(review *v) {
  for (uint32_t i = 0; i < v->n_drawn; i++) qm_free(v->e->env, v->drawn[i].list);
  qm_free(v->e->env, v->drawn);
}

/* The account's: looked at once. */
static int find_drawn(review *v, const qm_cover_def *def, const qm_id *account,
                      const drawn **out) {
  qm_overdrawn *list = NULL;
  drawn x = {.def = def, .account = *account};
  int counts;
  for (uint32_t i = v->n_drawn; i-- > 0;)
    if (v->drawn[i].def == def && qm_id_cmp(&v->drawn[i].account, account) == 0) {
      *out = &v->drawn[i];
      return QM_OK;
    }
  QM_TRY(qm_overdrawn_of(v->e, v->s, v->c.of, def, QM_CLASS_COMMITTED, &v->arena, &x.account,
                         &list, &x.n, &counts));
  if (v->n_drawn == v->cap_drawn) {
    uint32_t cap = v->cap_drawn ? v->cap_drawn * 2 : 16;
    drawn *p = qm_realloc_array(v->e->env, v->drawn, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    v->drawn = p;
    v->cap_drawn = cap;
  }
  if (x.n) {
    x.list = qm_alloc_array(v->e->env, x.n, sizeof *x.list);
    if (!x.list) return QM_ENOMEM;
    memcpy(x.list, list, x.n * sizeof *list);
  }
  v->drawn[v->n_drawn++] = x;
  *out = &v->drawn[v->n_drawn - 1];
  return QM_OK;
}

static const qm_overdrawn *overdrawn_at(const drawn *d, const qm_id *id) {
  for (uint32_t i = 0; i < d->n; i++)
    if (qm_id_cmp(&d->list[i].id, id) == 0) return &d->list[i];
  return NULL;
}

static int of_cover(review *v, const qm_record *view, const qm_cover_def *def) {
  const qm_field_def *f = qm_collection_field(v->c.collection, def->amount);
  qm_cover cover = {.def = def};
  qm_contest contest;
  const drawn *on;
  int counts;
  QM_TRY(qm_cover_account(v->e, v->s, v->c.of, def, QM_CLASS_COMMITTED, &v->arena,
                          &cover.account, &cover.amount, &counts));
  if (!counts) return QM_OK;
  QM_TRY(find_drawn(v, def, &cover.account, &on));
  const qm_overdrawn *x = overdrawn_at(on, &v->c.of->id);
  if (!x) return QM_OK;
  cover.left = x->left;
  QM_TRY(qm_read_contest(v->s, f, qm_record_cell(view, f->number, QM_SIBLINGS), &v->arena,
                         &contest));
  contest.n_others = 0; /* they are a conflict of their own */
  v->c.cover = &cover;
  v->c.contest = contest.shown ? &contest : NULL;
  int rc = tell(v, f, QM_CONFLICT_OVERDRAWN);
  v->c.cover = NULL;
  v->c.contest = NULL;
  return rc;
}

static int of_ties(review *v, const qm_record *view) {
  const qm_relations *r = v->c.collection->relations;
  for (uint32_t i = 0; r && i < r->n_clashes; i++) QM_TRY(of_clash(v, &r->clashes[i]));
  for (uint32_t i = 0; r && i < r->n_covers; i++) QM_TRY(of_cover(v, view, &r->covers[i]));
  return QM_OK;
}

static int of_marks(review *v) {
  for (uint32_t i = 0; i < v->c.of->n; i++) {
    if (!qm_marks_collide(&v->c.of->members[i]->marks)) continue;
    v->c.member = v->c.of->members[i];
    QM_TRY(tell(v, NULL, QM_CONFLICT_DELETED));
  }
  v->c.member = NULL;
  return QM_OK;
}

static int of_edges(review *v) {
  const qm_id *out;
  uint32_t n;
  QM_TRY(qm_class_unmerged(v->c.of, &v->arena, &out, &n));
  for (uint32_t i = 0; i < n; i++) {
    v->c.unmerged = &out[i];
    QM_TRY(tell(v, NULL, QM_CONFLICT_UNMERGED));
  }
  v->c.unmerged = NULL;
  return QM_OK;
}

static int of_key(review *v) {
  qm_same_key same;
  QM_TRY(qm_class_same_key(v->e, v->s, v->c.of, QM_CLASS_COMMITTED, &v->arena, &same));
  if (!same.created_twice && !same.n_others) return QM_OK;
  v->c.same_key = &same;
  int rc = tell(v, NULL, QM_CONFLICT_SAME_KEY);
  v->c.same_key = NULL;
  return rc;
}

static int of_class(review *v, const qm_record_class *of) {
  const qm_schema *schema = qm_space_schema(v->s);
  const qm_record *view, *whole;
  uint32_t number = qm_record_collection(of->members[0]);
  memset(&v->c, 0, sizeof v->c);
  v->c.collection = schema ? qm_schema_collection(schema, number) : NULL;
  v->c.of = of;
  if (!v->c.collection || (v->collection && v->collection != number)) return QM_OK;
  QM_TRY(of_marks(v));
  if (!qm_class_visible(of)) return QM_OK;
  QM_TRY(of_edges(v));
  QM_TRY(of_key(v));
  QM_TRY(qm_class_view(of, &v->s->authors, QM_CLASS_ALL, &v->arena, &whole));
  QM_TRY(qm_relations_hide(v->e, v->s, v->c.collection, whole, QM_CLASS_COMMITTED, &v->arena,
                           &view));
  for (uint32_t i = 0; i < v->c.collection->n_fields; i++)
    QM_TRY(of_field(v, view, whole, &v->c.collection->fields[i]));
  return of_ties(v, view);
}

/* --- all of a space --- */

/* 1 where the class was looked at before; else it counts from here on. */
static int seen(review *v, const qm_id *id, int *out) {
  ids *l = &v->classes;
  uint32_t lo = 0, hi = l->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm_id_cmp(&l->p[mid], id) < 0) lo = mid + 1;
    else hi = mid;
  }
  *out = lo < l->n && qm_id_cmp(&l->p[lo], id) == 0;
  if (*out) return QM_OK;
  QM_TRY(ids_add(l, id));
  memmove(&l->p[lo + 1], &l->p[lo], (size_t)(l->n - 1 - lo) * sizeof *l->p);
  l->p[lo] = *id;
  return QM_OK;
}

static int of_record(review *v, const qm_id *id) {
  qm_record_class of;
  int again = 0;
  qm_arena_reset(&v->arena);
  int rc = qm_class_read(v->e, v->s, id, QM_CLASS_COMMITTED, &v->arena, &of);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  if (of.n > 1) QM_TRY(seen(v, &of.id, &again));
  return again ? QM_OK : of_class(v, &of);
}

static int scan_id(void *payload, const qm_record_row *row) {
  return row->collection ? ids_add(payload, &row->id) : QM_OK;
}

static int all_ids(qm_space *s, const qm_id *after, ids *out) {
  return qm__fold_scan(s, after, SIZE_MAX >> 1, scan_id, out);
}

/* Of one record, or of those after v->after, v->limit of them. */
static int run(review *v, int scan, const qm_id *record) {
  ids list = {.env = v->e->env, .most = v->limit};
  if (v->e->poisoned) return QM_EIO;
  QM_TRY(qm__fold(v->e)); /* the notes are written with the records */
  qm_class_refresh(v->s);
  v->classes.env = v->e->env;
  qm_arena_init(&v->arena, v->e->env, QM_RECORD_ARENA * 2);
  int rc = record ? ids_add(&list, record)
           : scan ? all_ids(v->s, v->after, &list)
                  : noted(v->s, v->after, &list);
  if (rc == QM_STORE_STOP) rc = QM_OK;
  v->more = v->limit && list.n == v->limit;
  if (list.n) v->last = list.p[list.n - 1];
  for (uint32_t i = 0; i < list.n && rc == QM_OK; i++) rc = of_record(v, &list.p[i]);
  qm_free(v->e->env, list.p);
  qm_free(v->e->env, v->classes.p);
  forget_drawn(v);
  qm_arena_free(&v->arena);
  return rc == QM_STORE_STOP ? QM_OK : rc;
}

int qm_review_each(qm_engine *e, qm_space *s, uint32_t collection, const qm_id *record,
              qm_visit_conflict visit, void *payload) {
  review v = {.e = e, .s = s, .collection = collection, .visit = visit, .payload = payload};
  return run(&v, !s->review_whole, record);
}

int qm_review_part(qm_engine *e, qm_space *s, const qm_id *after, uint32_t limit,
                   qm_visit_conflict visit, void *payload, qm_id *last, int *more) {
  review v = {
      .e = e, .s = s, .after = after, .limit = limit, .visit = visit, .payload = payload};
  int rc = run(&v, !s->review_whole, NULL);
  *last = v.last;
  *more = rc == QM_OK && v.more;
  return rc;
}

int qm_review_scan(qm_engine *e, qm_space *s, qm_visit_conflict visit, void *payload) {
  review v = {.e = e, .s = s, .visit = visit, .payload = payload};
  return run(&v, 1, NULL);
}

/* --- what a conflict is called --- */

qm_time qm_conflict_time(const qm_conflict *c) {
  qm_time most = c->contest ? c->contest->effective : 0;
  for (uint32_t i = 0; c->contest && i < c->contest->n_others; i++)
    if (c->contest->others[i].effective > most) most = c->contest->others[i].effective;
  return most;
}

static void add_u64(qm_sha *sha, uint64_t v) {
  uint8_t b[8];
  for (int i = 0; i < 8; i++) b[i] = (uint8_t)(v >> (56 - 8 * i));
  qm_sha_add(sha, b, sizeof b);
}

static void add_dot(qm_sha *sha, const qm_space *s, qm_dot d) {
  qm_sha_add(sha, s->authors.ids[d.author].b, QM_AUTHOR_SIZE);
  add_u64(sha, d.counter);
}

static void add_values(qm_sha *sha, const qm_space *s, const qm_conflict *c) {
  if (c->contest) {
    add_dot(sha, s, c->contest->shown->dot);
    for (uint32_t i = 0; i < c->contest->n_others; i++)
      add_dot(sha, s, c->contest->others[i].sibling->dot);
  }
  for (uint32_t i = 0; c->member && i < c->member->marks.n; i++)
    add_dot(sha, s, c->member->marks.p[i].dot);
  for (uint32_t i = 0; c->same_key && i < c->same_key->n_others; i++)
    qm_sha_add(sha, c->same_key->others[i].b, QM_ID_SIZE);
  if (c->unmerged) qm_sha_add(sha, c->unmerged->b, QM_ID_SIZE);
  for (uint32_t i = 0; i < c->n_against; i++) add_u64(sha, c->against[i]);
  for (uint32_t i = 0; c->clash && i < c->n_clashing; i++)
    qm_sha_add(sha, c->clashing[i].b, QM_ID_SIZE);
  if (c->clash) qm_sha_add(sha, c->clash->name.p, c->clash->name.n);
  if (c->cover) qm_sha_add(sha, c->cover->account.b, QM_ID_SIZE);
}

void qm_conflict_code(const qm_space *s, const qm_conflict *c, uint8_t out[QM_CONFLICT_CODE]) {
  const qm_id *id = c->member ? &c->member->id : &c->of->id;
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  qm_sha_add(&sha, s->id.b, QM_ID_SIZE);
  qm_sha_add(&sha, id->b, QM_ID_SIZE);
  add_u64(&sha, c->field ? c->field->number : 0);
  add_u64(&sha, c->field && !c->cover ? 0 : (uint64_t)c->cls);
  add_values(&sha, s, c);
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, QM_CONFLICT_CODE);
}
