/* space_records.c: the records that are loaded, by id and by creation dot (core/space.h). */
#include <string.h>

#include "core/aside_int.h"
#include "core/inbox_int.h"
#include "core/prefetch.h"
#include "core/review.h"
#include "core/wide.h"

/* --- by id --- */

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* Keyed, so that a peer who chooses record ids cannot choose collisions. */
static uint32_t slot_of(const qm_space *s, const qm_id *id) {
  qm_wide m =
      qm_wide_mul(load64(id->b) ^ s->engine->key[0], load64(id->b + 8) ^ s->engine->key[1]);
  return (uint32_t)(m.lo ^ m.hi) & (s->table_cap - 1);
}

static inline int same_id(const qm_id *a, const qm_id *b) {
  return load64(a->b) == load64(b->b) && load64(a->b + 8) == load64(b->b + 8);
}

static qm_loaded **find_slot(qm_space *s, const qm_id *id) {
  uint32_t at = slot_of(s, id);
  while (s->table[at] && !same_id(&s->table[at]->record.id, id))
    at = (at + 1) & (s->table_cap - 1);
  return &s->table[at];
}

static int table_grow(qm_space *s) {
  qm_loaded **old = s->table;
  uint32_t old_cap = s->table_cap, cap = old_cap ? old_cap * 2 : 64;
  qm_loaded **table = qm_arena_zero(&s->engine->records, (size_t)cap * sizeof *table);
  qm_loaded **changed = qm_arena_array(&s->engine->records, cap / 2, sizeof *changed);
  if (!table || !changed) return QM_ENOMEM;
  if (s->n_changed) memcpy(changed, s->changed, s->n_changed * sizeof *changed);
  s->changed = changed;
  s->table = table;
  s->table_cap = cap;
  for (uint32_t i = 0; i < old_cap; i++)
    if (old[i]) *find_slot(s, &old[i]->record.id) = old[i];
  return QM_OK;
}

/* --- records by creation dot --- */

static uint32_t created_first(const qm_space *s, qm_dot dot) {
  qm_wide m = qm_wide_mul(dot.counter ^ s->engine->key[0], dot.author ^ s->engine->key[1]);
  return (uint32_t)(m.lo ^ m.hi) & (s->created_cap - 1);
}

static uint32_t created_slot(const qm_space *s, qm_dot dot) {
  uint32_t at = created_first(s, dot);
  while (s->created[at].l && !qm_dot_eq(s->created[at].dot, dot))
    at = (at + 1) & (s->created_cap - 1);
  return at;
}

const qm_loaded *qm__space_created(const qm_space *s, qm_dot dot) {
  return s->created_cap ? s->created[created_slot(s, dot)].l : NULL;
}

int qm__space_find_created(qm_space *s, const qm_dot *dots, uint32_t n, qm_arena *arena, qm_id *ids,
                           uint8_t *found) {
  qm_store *store = s->engine->store;
  const qm_loaded **loaded = qm_arena_array(arena, n, sizeof *loaded);
  qm_dot *asked = qm_arena_array(arena, n, sizeof *asked);
  qm_id *told = qm_arena_array(arena, n, sizeof *told);
  uint8_t *known = qm_arena_array(arena, n, sizeof *known);
  uint32_t n_asked = 0, next = 0;
  if (!loaded || !asked || !told || !known) return QM_ENOMEM;
  for (uint32_t i = 0; s->created_cap && i < n; i++)
    qm_prefetch(&s->created[created_first(s, dots[i])]);
  for (uint32_t i = 0; i < n; i++) {
    loaded[i] = qm__space_created(s, dots[i]);
    qm_prefetch(loaded[i]);
    if (!loaded[i]) asked[n_asked++] = dots[i];
  }
  if (n_asked) QM_TRY(store->ops->creation_find(store, s->number, asked, n_asked, told, known));
  for (uint32_t i = 0; i < n; i++) {
    found[i] = loaded[i] || known[next];
    if (loaded[i]) ids[i] = loaded[i]->record.id;
    else if (known[next]) ids[i] = told[next];
    next += !loaded[i];
  }
  return QM_OK;
}

static int created_grow(qm_space *s) {
  qm__created *old = s->created;
  uint32_t old_cap = s->created_cap, cap = old_cap ? old_cap * 2 : 64;
  qm__created *p = qm_arena_zero(&s->engine->records, (size_t)cap * sizeof *p);
  if (!p) return QM_ENOMEM;
  s->created = p;
  s->created_cap = cap;
  for (uint32_t i = 0; i < old_cap; i++)
    if (old[i].l) s->created[created_slot(s, old[i].dot)] = old[i];
  return QM_OK;
}

int qm__space_created_put(qm_space *s, qm_dot dot, const qm_loaded *l) {
  if ((s->created_n + 1) * 2 > s->created_cap) QM_TRY(created_grow(s));
  qm__created *c = &s->created[created_slot(s, dot)];
  s->created_n += !c->l;
  *c = (qm__created){dot, l};
  return QM_OK;
}

static int table_open(qm_space *s, const qm_id *id, qm_loaded **out, int *fresh) {
  qm_loaded **slot = s->table_cap ? find_slot(s, id) : NULL;
  *fresh = !slot || !*slot;
  if (*fresh) {
    /* Finding never moves the table: whoever walks it may look records up. */
    if ((s->table_n + 1) * 2 > s->table_cap) QM_TRY(table_grow(s)); /* a step more is a miss */
    slot = find_slot(s, id);
    *slot = qm_arena_zero(&s->engine->records, sizeof **slot);
    if (!*slot) return QM_ENOMEM;
    (*slot)->record.id = *id;
    s->table_n++;
  }
  *out = *slot;
  return QM_OK;
}

static int take_row(void *payload, const qm_record_row *row) {
  qm_space *s = payload;
  qm_loaded *l;
  int fresh;
  QM_TRY(table_open(s, &row->id, &l, &fresh));
  uint8_t *blob = qm_arena_copy(&s->engine->records, row->state.p, row->state.n);
  if (!blob) return QM_ENOMEM;
  int rc = qm_record_decode(&l->record, &row->id, qm_slice_of(blob, row->state.n), &s->authors,
                            &s->engine->records);
  if (rc != QM_OK && rc != QM_ENOMEM && s->replacing) {
    memset(&l->record, 0, sizeof l->record);
    l->record.id = row->id;
    l->edges_unread = 1;
    rc = QM_OK;
  }
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  memcpy(l->old_hash, row->hash, 16);
  l->bytes = row->state.n;
  l->stored = 1;
  l->noted = l->edges_unread || qm__review_noted(&l->record);
  l->edges_stored = l->edges_unread || qm_record_cell(&l->record, 0, QM_KEYED) != NULL;
  for (uint32_t i = 0; i < l->record.n_creations; i++)
    QM_TRY(qm__space_created_put(s, l->record.creations[i].dot, l));
  if (s->engine->flags & QM_ENGINE_INBOX) QM_TRY(qm__inbox_loaded(s, l));
  l->here = 1; /* last: what failed on the way is loaded again */
  return QM_OK;
}

void qm__space_fetch_ahead(qm_loaded *const *list, size_t n, size_t at) {
  const size_t apart = 3; /* records between a step and the next */
  size_t far = at + (QM_RECORD_STEPS + 1) * apart;
  if (far < n) qm_prefetch_bytes(list[far], sizeof *list[far]);
  for (unsigned step = 0; step < QM_RECORD_STEPS; step++) {
    far -= apart;
    if (far < n) qm_record_prefetch(&list[far]->record, step);
  }
}

int qm__space_outline(qm_space *s, const qm_id *id, qm_loaded **out) {
  int fresh;
  if (s->recent && same_id(&s->recent->record.id, id)) {
    *out = s->recent;
    return QM_OK;
  }
  QM_TRY(table_open(s, id, out, &fresh));
  if (!(*out)->here)
    QM_TRY(s->engine->store->ops->record_load(s->engine->store, s->number, id, 1, take_row, s));
  (*out)->here = 1; /* where it has no row */
  s->recent = *out;
  return QM_OK;
}

int qm__space_record(qm_space *s, const qm_id *id, qm_loaded **out) {
  QM_TRY(qm__space_outline(s, id, out));
  if (!(*out)->put_off) return QM_OK;
  (*out)->put_off = 0;
  return qm_record_settle(&(*out)->record);
}

int qm__space_absent(qm_space *s, const qm_id *id, qm_loaded **out) {
  int fresh;
  QM_TRY(table_open(s, id, out, &fresh));
  (*out)->here = 1;
  return QM_OK;
}

qm_loaded *qm__space_peek(qm_space *s, const qm_id *id) {
  qm_loaded *l = s->table_cap ? *find_slot(s, id) : NULL;
  return l && l->here ? l : NULL;
}

/* Of a township most records lie far behind the processor's caches: what will be looked at of
 * those that are loaded is fetched for all of them side by side. */
static void fetch_slots(qm_space *s, const qm_id *ids, size_t n) {
  for (size_t i = 0; s->table_cap && i < n; i++) qm_prefetch(&s->table[slot_of(s, &ids[i])]);
  for (size_t i = 0; s->table_cap && i < n; i++) {
    const qm_loaded *l = s->table[slot_of(s, &ids[i])];
    if (l) qm_prefetch_bytes(l, sizeof *l);
  }
}

static void fetch_records(qm_loaded *const *loaded, size_t n) {
  for (unsigned step = 0; step < QM_RECORD_STEPS; step++)
    for (size_t i = 0; i < n; i++) qm_record_prefetch(&loaded[i]->record, step);
}

int qm__space_preload(qm_space *s, const qm_id *ids, size_t n) {
  if (n == 1 && s->recent && same_id(&s->recent->record.id, ids)) return QM_OK;
  qm_id *absent = qm_arena_array(&s->engine->arena, n, sizeof *absent);
  qm_loaded **loaded = qm_arena_array(&s->engine->arena, n, sizeof *loaded);
  size_t n_loaded = 0, count = 0; /* loaded: from the front; what is absent: from the back */
  if (!absent || !loaded) return QM_ENOMEM;
  if (n > 1) fetch_slots(s, ids, n);
  for (size_t i = 0; i < n; i++) {
    qm_loaded *l;
    int fresh;
    QM_TRY(table_open(s, &ids[i], &l, &fresh));
    if (fresh) absent[count] = ids[i];
    loaded[fresh ? n - ++count : n_loaded++] = l;
  }
  if (n > 1) fetch_records(loaded, n_loaded);
  if (!count) return QM_OK;
  QM_TRY(s->engine->store->ops->record_load(s->engine->store, s->number, absent, count, take_row,
                                            s));
  for (size_t i = n - count; i < n; i++) loaded[i]->here = 1; /* where it has no row */
  return QM_OK;
}
