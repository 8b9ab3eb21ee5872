#include "core/space.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/class.h"
#include "core/crdt/siblings.h"
#include "core/fold.h"
#include "core/inbox_int.h"
#include "core/review.h"
#include "core/tie.h"
#include "core/wide.h"

/* Records that are saved in one call to the store. */
#define SAVE_ROWS 64u
#define SAVE_BYTES ((size_t)64 << 10)
#define SAVE_RECORD ((size_t)1 << 10) /* what a record's blob mostly has room in */

/* --- authors and clock rows --- */

static int states_reserve(qm_space *s, uint32_t n) {
  if (n > s->cap_states) {
    uint32_t cap = s->cap_states ? s->cap_states * 2 : 16;
    while (cap < n) cap *= 2;
    qm_author_state *p = qm_realloc_array(s->engine->env, s->states, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    s->states = p;
    s->cap_states = cap;
  }
  while (s->n_states < n) memset(&s->states[s->n_states++], 0, sizeof *s->states);
  return QM_OK;
}

int qm__space_authors_added(qm_space *s, uint32_t old) {
  if (s->authors.n == old) return QM_OK;
  s->touched = 1;
  if (s->stamps.unknown) s->stamps_stale = 1;
  QM_TRY(states_reserve(s, s->authors.n));
  /* The row must exist before any blob names the number. */
  for (uint32_t i = old; i < s->authors.n; i++) s->states[i].dirty = 1;
  return QM_OK;
}

int qm__space_author(qm_space *s, const qm_author *id, uint32_t *number) {
  uint32_t old = s->authors.n;
  QM_TRY(qm_authors_add(&s->authors, id, number));
  return qm__space_authors_added(s, old);
}

static void be64(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* S6.4: author, next, time, and the clock row's other entries, bytewise by author. */
int qm__space_share(qm_space *s, uint32_t author, uint8_t out[16]) {
  const qm_author_state *st = &s->states[author];
  uint8_t b[8];
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  qm_sha_add(&sha, "clock", 5);
  qm_sha_add(&sha, s->authors.ids[author].b, QM_AUTHOR_SIZE);
  be64(b, qm_vv_get(&s->vv, author));
  qm_sha_add(&sha, b, 8);
  be64(b, st->time);
  qm_sha_add(&sha, b, 8);
  for (uint32_t place = 0; place < s->authors.n; place++) {
    uint32_t other = s->authors.sorted[place];
    uint64_t next = qm_vv_get(&st->clock, other);
    if (other == author || !next) continue;
    qm_sha_add(&sha, s->authors.ids[other].b, QM_AUTHOR_SIZE);
    be64(b, next);
    qm_sha_add(&sha, b, 8);
  }
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, 16);
  return QM_OK;
}

/* --- applying --- */

int qm__space_deps(qm_space *s, const qm_change *c) {
  qm_author_state *st = &s->states[c->author];
  s->touched = 1;
  st->dirty = 1;
  for (uint32_t i = 0; i < c->n_deps; i++)
    QM_TRY(qm_vv_set(s->engine->env, &st->clock, c->deps[i].author, c->deps[i].counter));
  return qm_vv_set(s->engine->env, &st->clock, c->author, c->counter);
}

int qm__space_marks(qm_space *s, const qm_change *c) {
  uint64_t serial = ++s->change_serial;
  QM_TRY(qm__feed_change(s, c));
  qm_apply a = {&s->authors, &s->states[c->author].clock, c, &s->engine->records};
  for (uint32_t i = c->n_ops; i-- > 0;) {
    const qm_op *op = &c->ops[i];
    qm_loaded *l;
    if (!qm_op_marks(op)) continue;
    QM_TRY(qm__space_outline(s, &op->record, &l));
    if (l->mark_change == serial) continue; /* a later op of this change decided */
    l->mark_change = serial;
    s->states[c->author].clock.next[c->author] = op->counter;
    QM_TRY(qm_marks_apply(&l->record.marks, &a, op));
    qm__space_dirty(s, l);
    if (l->own) qm__inbox_marks(l);
  }
  return QM_OK;
}

int qm__space_edges_touched(qm_space *s, qm_loaded *l) {
  if (l->edges_touched) return QM_OK;
  if (s->n_edges_touched == s->cap_edges_touched) {
    uint32_t cap = s->cap_edges_touched ? s->cap_edges_touched * 2 : 8;
    qm_loaded **p = qm_arena_grow(&s->engine->records, s->edges_touched, s->cap_edges_touched, cap,
                                  sizeof *p);
    if (!p) return QM_ENOMEM;
    s->edges_touched = p;
    s->cap_edges_touched = cap;
  }
  s->edges_touched[s->n_edges_touched++] = l;
  l->edges_touched = 1;
  return QM_OK;
}

void qm__space_advance(qm_space *s, const qm_change *c) {
  qm_author_state *st = &s->states[c->author];
  st->clock.next[c->author] = c->next;
  st->time = c->time;
}

static int put_creation(qm_space *s, const qm_change *c, const qm_op *op) {
  qm_creation_row row = {{op->counter, c->author}, op->record};
  qm_loaded *l;
  QM_TRY(qm__space_outline(s, &op->record, &l));
  QM_TRY(qm__space_created_put(s, row.dot, l));
  return s->engine->store->ops->creation_put(s->engine->store, s->number, &row, 1);
}

static int keep_dots(qm_arena *arena, qm_dots *d) {
  const qm_dot *p = qm_arena_copy(arena, d->p, d->n * sizeof *p);
  if (!p) return QM_ENOMEM;
  d->p = p;
  return QM_OK;
}

int qm__space_apply_op(qm_space *s, qm_loaded *l, const qm_apply *a, qm_op *op, int later) {
  int (*apply)(qm_record *, const qm_apply *, const qm_op *) =
      later ? qm_record_apply_later : qm_record_apply;
  l->put_off |= (uint8_t)later;
  l->bytes += qm__op_bytes(op);
  /* Of such a transaction no record outlives it. */
  if (s->engine->open && s->engine->whole) return apply(&l->record, a, op);
  const uint8_t *value = qm_arena_copy(a->arena, op->value.p, op->value.n);
  if (!value) return QM_ENOMEM;
  op->value.p = value;
  if (op->hides.n) QM_TRY(keep_dots(a->arena, &op->hides));
  if (op->keeps.n) QM_TRY(keep_dots(a->arena, &op->keeps));
  return apply(&l->record, a, op);
}

static int apply(qm_space *s, const qm_change *c, int again) {
  QM_TRY(qm__space_deps(s, c));
  qm_vv *clock = &s->states[c->author].clock;
  qm_apply a = {&s->authors, clock, c, &s->engine->records};
  int local = again && c->author == s->own; /* as a write here, which lost nothing by itself */
  for (uint32_t i = 0; i < c->n_ops; i++) {
    qm_op *op = &c->ops[i];
    qm_loaded *l;
    clock->next[c->author] = op->counter;
    QM_TRY(qm__space_outline(s, &op->record, &l));
    QM_TRY(qm__feed_edge(s, l, op, c->author != s->own));
    QM_TRY(qm__space_apply_op(s, l, &a, op, op->shape == QM_SEQUENCE));
    qm__space_dirty(s, l);
    if (l->own && !local) qm__inbox_op(l, op);
    if ((op->hides.n || op->keeps.n) && !local) qm__inbox_names(s, l, op);
    if (qm_id_is_zero(&op->record)) s->stamps_stale = 1;
    if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW && !again)
      QM_TRY(put_creation(s, c, op));
    if (op->shape == QM_KEYED && !op->field) QM_TRY(qm__space_edges_touched(s, l));
  }
  QM_TRY(qm__space_marks(s, c));
  qm__space_advance(s, c);
  return qm_vv_set(s->engine->env, &s->vv, c->author, c->next);
}

int qm__space_apply(qm_space *s, const qm_change *c) { return apply(s, c, 0); }

int qm__space_again(qm_space *s, const qm_change *c) { return apply(s, c, 1); }

int qm__space_pass(qm_space *s, const qm_change *c) {
  QM_TRY(qm__space_deps(s, c));
  for (uint32_t i = 0; i < c->n_ops; i++) {
    const qm_op *op = &c->ops[i];
    /* A name for others' ops on that record, and no more than that. */
    if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) QM_TRY(put_creation(s, c, op));
  }
  qm__space_advance(s, c);
  return qm_vv_set(s->engine->env, &s->vv, c->author, c->next);
}

/* --- the space record --- */

/* An element that does not read as what its cell holds has no effect: it is only data. */
static int space_record_read(qm_space *s, const qm_record *r) {
  QM_TRY(qm__stamps_build(&s->stamps, s->engine->env, &s->authors, r));
  QM_TRY(qm__members_build(&s->members, r));
  s->stamps_stale = 0;
  return QM_OK;
}

qm_time qm_space_effective(const qm_space *s, qm_dot dot, qm_time own) {
  return qm__stamps_effective(&s->stamps, dot, own);
}

/* --- saving --- */

static int save_keys(qm_space *s, qm_loaded *l, int stored);

/* The edges index leads from the greater id of an edge to the smaller one, whose record
 * holds it. */
static int save_edges(qm_space *s, qm_loaded *l) {
  int held = qm_record_cell(&l->record, 0, QM_KEYED) != NULL;
  if (!held && !l->edges_stored) return QM_OK;
  if (held) s->edges = QM_EDGES_SOME;
  l->edges_stored = (uint8_t)held;
  return qm__edges_index(s, &l->record, &s->engine->arena);
}

/* Appends the record's blob; row->state gets its size, its place is fixed up once all
 * blobs stand (the buffer may move). */
static int save_record(qm_space *s, qm_loaded *l, qm_buf *blob, qm_record_row *row) {
  size_t at = blob->n;
  int stored = l->stored;
  row->id = l->record.id;
  row->collection = qm_record_collection(&l->record);
  if (l->stored) qm_digest_sub(&s->digest, l->old_hash);
  QM_TRY(save_edges(s, l));
  if (l->own) QM_TRY(qm__inbox_save(s, l));
  if (qm_record_empty(&l->record)) {
    row->state = qm_slice_of(NULL, 0);
    memset(row->hash, 0, 16);
    l->stored = 0;
    return qm__review_save(s, l, 0, stored);
  }
  if (l->encoded.n) {
    qm_buf_add(blob, l->encoded.p, l->encoded.n);
    l->encoded.n = 0;
    QM_TRY(qm_buf_status(blob));
  } else {
    QM_TRY(qm_record_encode(&l->record, &s->authors, &s->engine->arena, blob));
  }
  row->state = qm_slice_of(NULL, blob->n - at);
  l->bytes = blob->n - at;
  QM_TRY(qm_record_hash(&row->id, qm_slice_of(blob->p + at, blob->n - at), &s->authors, row->hash));
  qm_digest_add(&s->digest, row->hash);
  l->feed_same = l->stored && memcmp(l->old_hash, row->hash, 16) == 0;
  memcpy(l->old_hash, row->hash, sizeof l->old_hash);
  l->stored = 1;
  return save_keys(s, l, stored);
}

static int save_rows(qm_space *s, qm_buf *blob, qm_record_row *rows, uint32_t n) {
  qm_store *store = s->engine->store;
  size_t at = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (rows[i].state.n) rows[i].state.p = blob->p + at;
    at += rows[i].state.n;
  }
  qm_buf_clear(blob);
  return n ? store->ops->record_save(store, s->number, rows, n) : QM_OK;
}

/* Some at a time: what is folded may be all that the space holds. */
static int save_records(qm_space *s, qm_loaded *const *dirty, uint32_t count) {
  qm_record_row rows[SAVE_ROWS];
  uint32_t n = 0;
  qm_buf blob;
  qm_buf_init(&blob, s->engine->env, SIZE_MAX / 2);
  if (count) (void)qm_buf_reserve(&blob, (count < SAVE_ROWS ? count : SAVE_ROWS) * SAVE_RECORD);
  int rc = QM_OK;
  for (uint32_t i = 0; i < count && rc == QM_OK; i++) {
    qm__space_fetch_ahead(dirty, count, i);
    rc = save_record(s, dirty[i], &blob, &rows[n++]);
    if (rc != QM_OK || (n < SAVE_ROWS && blob.n < SAVE_BYTES)) continue;
    rc = save_rows(s, &blob, rows, n);
    n = 0;
  }
  if (rc == QM_OK) rc = save_rows(s, &blob, rows, n);
  qm_buf_free(&blob);
  return rc;
}

int qm__space_keys(const qm_space *s, const qm_record *r, qm_arena *arena, qm_slice **out,
                   uint32_t *n) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  const qm_cell *cell = c && c->key_field ? qm_record_cell(r, c->key_field, QM_SIBLINGS) : NULL;
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  uint32_t count = v ? v->n : 0;
  qm_slice *keys = qm_arena_array(arena, count, sizeof *keys);
  *out = keys;
  *n = 0;
  if (!keys) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    qm_cur in;
    qm_slice text;
    qm_buf norm;
    qm_cur_init(&in, v->p[i].value);
    if (qm_cur_str(&in, &text) != QM_OK) continue;
    qm_buf_init(&norm, s->engine->env, QM_VALUE_MAX * 4);
    int rc = qm_norm_key(&norm, text, (qm_norm_form)c->key_form);
    uint8_t *copy = rc == QM_OK ? qm_arena_copy(arena, norm.p, norm.n) : NULL;
    if (copy) keys[(*n)++] = qm_slice_of(copy, norm.n);
    qm_buf_free(&norm);
    if (rc == QM_ENOMEM || (rc == QM_OK && !copy)) return QM_ENOMEM;
  }
  return QM_OK;
}

/* The lookup index holds every value the key field lists, in normal form: a lookup
 * then asks the records themselves. */
static int save_keys(qm_space *s, qm_loaded *l, int stored) {
  const qm_record *r = &l->record;
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  qm_store *store = s->engine->store;
  qm_slice *keys;
  uint32_t n;
  QM_TRY(qm__space_keys(s, r, &s->engine->arena, &keys, &n));
  if (c && c->key_field)
    QM_TRY(store->ops->key_put(store, s->number, c->number, &r->id, keys, n));
  if (!(s->engine->flags & QM_ENGINE_REPLAY)) QM_TRY(qm__ties_save(s, r, &s->engine->arena));
  qm__sharing shared = {s, &r->id, 0};
  for (uint32_t i = 0; i < n; i++)
    QM_TRY(store->ops->key_find(store, s->number, c->number, keys[i], qm__review_share, &shared));
  return qm__review_save(s, l, shared.shared, stored);
}

static void encode_clock(const qm_space *s, uint32_t author, qm_buf *out) {
  const qm_vv *v = &s->states[author].clock;
  for (uint32_t i = 0; i < v->n; i++) {
    if (i == author || !v->next[i]) continue;
    qm_buf_varint(out, i);
    qm_buf_varint(out, v->next[i]);
  }
}

static int save_author(qm_space *s, uint32_t number, qm_buf *scratch) {
  qm_author_state *st = &s->states[number];
  qm_buf_clear(scratch);
  encode_clock(s, number, scratch);
  QM_TRY(qm_buf_status(scratch));
  if (qm_vv_get(&s->vv, number)) {
    qm_digest_sub(&s->digest, st->share);
    QM_TRY(qm__space_share(s, number, st->share));
    qm_digest_add(&s->digest, st->share);
  }
  qm_author_row row = {
      number,   s->authors.ids[number], qm_vv_get(&s->vv, number), st->closed, st->head,
      st->time, qm_buf_slice(scratch)};
  st->dirty = 0;
  return s->engine->store->ops->author_put(s->engine->store, s->number, &row);
}

static int save_digest(qm_space *s) {
  char key[32];
  uint8_t b[16];
  int n = qm__meta_key(key, "digest", s->number);
  qm_digest_bytes(&s->digest, b);
  return s->engine->store->ops->meta_put(s->engine->store, qm_slice_of(key, (size_t)n),
                                         qm_slice_of(b, 16));
}

/* Behind the stamps, which decide what is shown. */
static int project(qm_space *s, qm_loaded *const *dirty, uint32_t n, int stamps_moved) {
  const qm_projector *p = &s->engine->projector;
  if (!p->record) return QM_OK;
  for (uint32_t i = 0; i < n; i++) QM_TRY(p->record(p->payload, s, &dirty[i]->record));
  if (stamps_moved) QM_TRY(p->space(p->payload, s));
  return p->saved(p->payload, s);
}

/* Membership entries move the space record too, and are no stamps. */
static uint64_t stamps_sum(const qm_stamps *stamps) {
  uint64_t sum = stamps->n;
  for (uint32_t i = 0; i < stamps->n; i++) {
    const qm_stamp *t = &stamps->p[i];
    const uint64_t words[] = {t->author, t->first, t->next, t->time};
    for (size_t k = 0; k < 4; k++) sum = (sum ^ words[k]) * UINT64_C(0x9e3779b97f4a7c15);
  }
  return sum;
}

/* The transaction, and those after it, may go on with them as with records just loaded. */
static int saved(qm_space *s) {
  while (s->n_changed) {
    qm_loaded *l = s->changed[s->n_changed - 1];
    l->dirty = l->edges_touched = l->names_own = l->feed_same = l->feed_stamps = 0;
    l->feed = NULL;
    l->own = NULL;
    if (s->engine->flags & QM_ENGINE_INBOX) QM_TRY(qm__inbox_loaded(s, l));
    l->listed = 0;
    s->n_changed--;
  }
  s->n_edges_touched = 0;
  s->names_own = 0;
  return QM_OK;
}

int qm__space_save(qm_space *s) {
  qm_buf scratch;
  qm_loaded **dirty;
  uint32_t n_dirty;
  int rc = QM_OK;
  if (!s->touched && !s->behind) return QM_OK;
  s->touched = 1; /* a rollback reads all of it anew */
  qm_buf_init(&scratch, s->engine->env, SIZE_MAX / 2);
  for (uint32_t i = 0; i < s->n_states && rc == QM_OK; i++)
    if (s->states[i].dirty) rc = save_author(s, i, &scratch);
  qm_buf_free(&scratch);
  QM_TRY(rc);
  s->n_stored = s->n_states;
  if (s->floor_moved) QM_TRY(qm__space_vv_write(s, "floor", &s->floor));
  uint64_t stamps_before = stamps_sum(&s->stamps);
  if (s->stamps_stale) { /* before the records: what is projected shows by these */
    qm_loaded *l;
    qm_id zero = {{0}};
    uint32_t n = s->stamps.n;
    qm_stamp *before = qm_arena_copy(&s->engine->arena, s->stamps.p, n * sizeof *before);
    if (!before) return QM_ENOMEM;
    QM_TRY(qm__space_record(s, &zero, &l));
    QM_TRY(space_record_read(s, &l->record));
    if (stamps_sum(&s->stamps) != stamps_before) QM_TRY(qm__feed_stamps(s, before, n));
  }
  QM_TRY(qm__space_dirty_list(s, &dirty, &n_dirty));
  QM_TRY(save_records(s, dirty, n_dirty));
  QM_TRY(qm__inbox_classes(s));
  QM_TRY(save_digest(s));
  if (s->ingested || s->behind & QM_BEHIND_TOOK) QM_TRY(qm__space_note(s));
  s->behind = 0;
  QM_TRY(project(s, dirty, n_dirty, stamps_sum(&s->stamps) != stamps_before));
  QM_TRY(qm__feed_save(s)); /* last: a projector may tell it of more */
  return saved(s);
}

void qm__space_let_go(qm_space *s) {
  qm__space_forget(s->engine);
  qm_arena_reset(&s->engine->arena);
}

void qm__space_forget(qm_engine *e) {
  for (uint32_t i = 0; i < e->n_spaces; i++) qm__space_drop(e->spaces[i]);
  qm_arena_reset(&e->records);
  e->kept = 0;
}

static void forget_ahead(qm_space *s) {
  for (const qm_ahead *a = s->ahead; a; a = a->next) s->states[a->stamp.author].ahead = NULL;
  s->ahead = NULL;
}

void qm__space_drop(qm_space *s) {
  forget_ahead(s);
  s->table = NULL;
  s->recent = NULL;
  s->changed = NULL;
  s->created = NULL;
  s->created_cap = s->created_n = 0;
  s->n_changed = 0;
  s->table_cap = s->table_n = 0;
  s->edges_touched = NULL;
  s->n_edges_touched = s->cap_edges_touched = 0;
  s->names_own = 0;
}

void qm__space_end(qm_space *s) {
  s->touched = s->ingested = s->stamps_stale = s->floor_moved = s->replacing = 0;
  forget_ahead(s);
}

/* --- loading --- */

static int decode_clock(qm_space *s, uint32_t author, qm_slice in) {
  qm_cur c;
  qm_vv *v = &s->states[author].clock;
  qm_cur_init(&c, in);
  while (qm_cur_left(&c)) {
    uint64_t number = 0, next = 0;
    QM_TRY(qm_cur_varint(&c, &number));
    QM_TRY(qm_cur_varint(&c, &next));
    if (number >= QM_AUTHORS_MAX) return QM_ECORRUPT;
    QM_TRY(qm_vv_set(s->engine->env, v, (uint32_t)number, next));
  }
  return QM_OK;
}

static int take_author(void *payload, const qm_author_row *row) {
  qm_space *s = payload;
  uint32_t number = 0;
  if (row->number != s->authors.n) return QM_ECORRUPT;
  QM_TRY(qm_authors_add(&s->authors, &row->id, &number));
  if (number != row->number) return QM_ECORRUPT; /* an author twice */
  QM_TRY(states_reserve(s, s->authors.n));
  qm_author_state *st = &s->states[number];
  st->closed = row->closed;
  st->head = row->head;
  st->time = row->time;
  QM_TRY(qm_vv_set(s->engine->env, &s->vv, number, row->next));
  QM_TRY(decode_clock(s, number, row->clock));
  return qm_vv_set(s->engine->env, &st->clock, number, row->next);
}

static int take_space_record(void *payload, const qm_record_row *row) {
  qm_space *s = payload;
  qm_record r;
  qm_arena arena;
  qm_arena_init(&arena, s->engine->env, QM_RECORD_ARENA);
  int rc = qm_record_decode(&r, &row->id, row->state, &s->authors, &arena);
  if (rc == QM_OK) rc = space_record_read(s, &r);
  qm_arena_free(&arena);
  return rc == QM_OK || rc == QM_ENOMEM ? rc : QM_ECORRUPT;
}

static void forget_authors(qm_space *s) {
  const qm_env *env = s->engine->env;
  for (uint32_t i = 0; i < s->n_states; i++) qm_vv_free(env, &s->states[i].clock);
  s->n_states = s->n_stored = 0;
  qm_authors_truncate(&s->authors, 0);
  s->vv.n = 0;
}

static int load_digest(qm_space *s) {
  char key[32];
  qm_buf b;
  int n = qm__meta_key(key, "digest", s->number);
  qm_buf_init(&b, s->engine->env, 64);
  int rc = s->engine->store->ops->meta_get(s->engine->store, qm_slice_of(key, (size_t)n), &b);
  s->digest = (qm_digest){0, 0};
  if (rc == QM_OK && b.n != 16) rc = QM_ECORRUPT;
  if (rc == QM_OK) qm_digest_read(&s->digest, b.p);
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

int qm__space_load(qm_space *s) {
  qm_store *store = s->engine->store;
  qm_id zero = {{0}};
  qm__space_end(s);
  qm__space_drop(s);
  s->behind = 0;
  forget_authors(s);
  QM_TRY(store->ops->author_list(store, s->number, take_author, s));
  s->n_stored = s->n_states;
  for (uint32_t i = 0; i < s->n_states; i++)
    if (qm_vv_get(&s->vv, i)) QM_TRY(qm__space_share(s, i, s->states[i].share));
  s->own = QM_NO_AUTHOR;
  if (qm_authors_find(&s->authors, &s->engine->author, &s->own) != QM_OK) s->own = QM_NO_AUTHOR;
  QM_TRY(load_digest(s));
  s->edges = QM_EDGES_UNKNOWN;
  qm__stamps_free(&s->stamps, s->engine->env);
  s->members.n = 0;
  QM_TRY(qm__aside_load(s));
  QM_TRY(store->ops->record_load(store, s->number, &zero, 1, take_space_record, s));
  return s->engine->flags & QM_ENGINE_FOLDED ? QM_OK : qm__fold_replay(s);
}

int qm__space_new(qm_engine *e, const qm_space_row *row, qm_space **out) {
  qm_space *s = qm_alloc_zero(e->env, sizeof *s);
  if (!s) return QM_ENOMEM;
  s->engine = e;
  s->number = row->space;
  s->id = row->id;
  s->own = QM_NO_AUTHOR;
  qm_buf_init(&s->info, e->env, 1u << 20);
  qm_arena_init(&s->schema_arena, e->env, 16u << 20);
  qm_authors_init(&s->authors, e->env);
  qm__members_init(&s->members, e->env);
  qm_buf_add(&s->info, row->blob.p, row->blob.n);
  int rc = qm_buf_status(&s->info);
  if (rc == QM_OK) rc = qm__space_info_read(s);
  if (rc != QM_OK)
    qm__space_free(s);
  else
    *out = s;
  return rc;
}

void qm__space_free(qm_space *s) {
  if (!s) return;
  const qm_env *env = s->engine->env;
  forget_authors(s);
  qm_free(env, s->states);
  qm_authors_free(&s->authors);
  qm_vv_free(env, &s->vv);
  qm_vv_free(env, &s->acknowledged);
  qm_vv_free(env, &s->safe);
  qm_vv_free(env, &s->floor);
  qm__stamps_free(&s->stamps, env);
  qm__members_free(&s->members);
  qm__aside_free(s);
  while (s->parked) {
    qm_parked *next = s->parked->next;
    qm_free(env, s->parked);
    s->parked = next;
  }
  qm_arena_free(&s->schema_arena);
  qm_wipe(s->secret, sizeof s->secret);
  qm_buf_free(&s->info);
  qm_free(env, s);
}
