#include "core/state.h"

#include <string.h>

#include "core/crdt/entries.h"
#include "core/crdt/keyed.h"
#include "core/crdt/siblings.h"
#include "core/crdt/totals.h"
#include "core/mp.h"
#include "core/space.h"

#define NEXT_MAX (UINT64_MAX >> 1) /* counters that a store can hold */

/* Part 0: [1, space bin16, records, [author bin24, next, head bin32, time, [place, next, …]], …]
 * Others: [id bin16, state bin, …]; authors in a record's names are places in part 0. */

/* --- writing --- */

static void put_author(const qm_space *s, uint32_t a, qm_buf *out) {
  const qm_author_state *st = &s->states[a];
  uint32_t n = 0;
  qm_mp_array(out, 5);
  qm_mp_bin(out, s->authors.ids[a].b, QM_AUTHOR_SIZE);
  qm_mp_uint(out, qm_vv_get(&s->vv, a));
  qm_mp_bin(out, st->head.b, QM_HASH_SIZE);
  qm_mp_uint(out, st->time);
  for (uint32_t i = 0; i < st->clock.n; i++) n += i != a && st->clock.next[i];
  qm_mp_array(out, (size_t)n * 2);
  for (uint32_t i = 0; i < st->clock.n; i++) {
    if (i == a || !st->clock.next[i]) continue;
    qm_mp_uint(out, i);
    qm_mp_uint(out, st->clock.next[i]);
  }
}

typedef struct qm_writer {
  qm_space *s;
  qm_state_emit emit;
  void *payload;
  qm_buf body;
  uint32_t part, count, seen;
  qm_id last;
} qm_writer;

static int flush(qm_writer *w) {
  qm_buf part;
  if (!w->count) return QM_OK;
  qm_buf_init(&part, w->s->engine->env, SIZE_MAX / 2);
  qm_mp_array(&part, (size_t)w->count * 2);
  qm_mp_raw(&part, qm_buf_slice(&w->body));
  int rc = qm_buf_status(&part);
  if (rc == QM_OK) rc = w->emit(w->payload, w->part++, qm_buf_slice(&part));
  qm_buf_free(&part);
  qm_buf_clear(&w->body);
  w->count = 0;
  return rc;
}

static int write_record(void *payload, const qm_record_row *row) {
  qm_writer *w = payload;
  w->last = row->id;
  w->seen++;
  qm_mp_bin(&w->body, row->id.b, sizeof row->id.b);
  qm_mp_bin(&w->body, row->state.p, row->state.n);
  w->count++;
  QM_TRY(qm_buf_status(&w->body));
  return w->body.n > QM_STATE_PART ? flush(w) : QM_OK;
}

static int write_manifest(qm_writer *w) {
  qm_space *s = w->s;
  uint64_t records = 0;
  qm_buf out;
  QM_TRY(s->engine->store->ops->record_count(s->engine->store, s->number, 0, &records));
  qm_buf_init(&out, s->engine->env, SIZE_MAX / 2);
  qm_mp_array(&out, (size_t)s->authors.n + 3);
  qm_mp_uint(&out, 1);
  qm_mp_bin(&out, s->id.b, sizeof s->id.b);
  qm_mp_uint(&out, records);
  for (uint32_t a = 0; a < s->authors.n; a++) put_author(s, a, &out);
  int rc = qm_buf_status(&out);
  if (rc == QM_OK) rc = w->emit(w->payload, w->part++, qm_buf_slice(&out));
  qm_buf_free(&out);
  return rc;
}

int qm_state_write(qm_engine *e, qm_space *s, qm_state_emit emit, void *payload) {
  qm_writer w = {.s = s, .emit = emit, .payload = payload};
  QM_TRY(qm_engine_push(e, s));
  qm_buf_init(&w.body, e->env, SIZE_MAX / 2);
  int rc = write_manifest(&w);
  for (int first = 1; rc == QM_OK && (first || w.seen); first = 0) {
    qm_id after = w.last;
    w.seen = 0;
    rc = e->store->ops->record_scan(e->store, s->number, 0, first ? NULL : &after, 256,
                                    write_record, &w);
  }
  if (rc == QM_OK) rc = flush(&w);
  qm_buf_free(&w.body);
  return rc;
}

/* --- joining --- */

typedef struct qm_joining {
  qm_engine *e;
  qm_space *s;
  qm_arena *arena;
  uint32_t *map; /* place in the manifest -> local number */
  uint32_t n_map;
  uint64_t records;
  qm_vv old, theirs; /* VVs of both sides before the join */
  qm_id last;
  uint32_t seen;
} qm_joining;

static int map_authors(qm_joining *j, qm_slice manifest) {
  qm_cur c;
  uint32_t count = 0, old = j->s->authors.n;
  uint64_t version = 0;
  qm_id id;
  qm_cur_init(&c, manifest);
  qm_cur_array(&c, &count);
  qm_cur_uint(&c, &version);
  qm_cur_bin_n(&c, id.b, sizeof id.b);
  QM_TRY(qm_cur_uint(&c, &j->records));
  if (version != 1) return QM_EVERSION;
  if (count < 3 || qm_id_cmp(&id, &j->s->id) != 0) return QM_EFORMAT;
  j->n_map = count - 3;
  j->map = qm_arena_array(j->arena, j->n_map, sizeof *j->map);
  qm_author *ids = qm_arena_array(j->arena, j->n_map, sizeof *ids);
  uint64_t *next = qm_arena_array(j->arena, j->n_map, sizeof *next);
  if (!j->map || !ids || !next) return QM_ENOMEM;
  for (uint32_t i = 0; i < j->n_map; i++) {
    qm_slice rest;
    QM_TRY(qm_cur_array_n(&c, 5));
    QM_TRY(qm_cur_bin_n(&c, ids[i].b, sizeof ids[i].b));
    QM_TRY(qm_cur_uint(&c, &next[i]));
    if (next[i] > NEXT_MAX) return QM_ERANGE;
    for (int k = 0; k < 3; k++) QM_TRY(qm_cur_value(&c, 2, &rest));
  }
  QM_TRY(qm_cur_end(&c));
  QM_TRY(qm_authors_add_all(&j->s->authors, ids, j->n_map, j->map));
  QM_TRY(qm__space_authors_added(j->s, old));
  for (uint32_t i = 0; i < j->n_map; i++)
    QM_TRY(qm_vv_set(j->e->env, &j->theirs, j->map[i], next[i]));
  return QM_OK;
}

/* Takes the row of an author of whom the other side knows more. */
static int take_author(qm_joining *j, uint32_t a, uint64_t next, const qm_hash *head, qm_time time,
                       qm_cur *c) {
  qm_space *s = j->s;
  qm_author_state *st = &s->states[a];
  uint64_t mine = qm_vv_get(&s->vv, a);
  uint32_t count = 0;
  QM_TRY(qm_cur_array(c, &count));
  if (count % 2) return QM_EFORMAT;
  int newer = next > mine;
  if (next == mine && memcmp(head->b, st->head.b, QM_HASH_SIZE) != 0) return QM_EFORK;
  if (newer) st->clock.n = 0;
  for (uint32_t i = 0; i < count / 2; i++) {
    uint32_t place = 0;
    uint64_t seen = 0;
    QM_TRY(qm_cur_uint32(c, &place));
    QM_TRY(qm_cur_uint(c, &seen));
    if (place >= j->n_map || seen > qm_vv_get(&j->theirs, j->map[place])) return QM_EFORMAT;
    if (newer) QM_TRY(qm_vv_set(j->e->env, &st->clock, j->map[place], seen));
  }
  if (!newer) return QM_OK;
  if (qm_author_cmp(&s->authors.ids[a], &j->e->author) == 0)
    j->e->epoch_stale = 1; /* a peer knew more of it (S2.4) */
  st->closed = next;
  st->head = *head;
  st->time = time;
  st->dirty = 1;
  s->floor_moved = 1; /* what the state brings is in no log here */
  QM_TRY(qm_vv_set(j->e->env, &s->floor, a, next));
  QM_TRY(qm_vv_set(j->e->env, &st->clock, a, next));
  return qm_vv_set(j->e->env, &s->vv, a, next);
}

static int take_authors(qm_joining *j, qm_slice manifest) {
  qm_cur c;
  uint32_t count = 0;
  qm_slice skip;
  qm_cur_init(&c, manifest);
  QM_TRY(qm_cur_array(&c, &count));
  for (int i = 0; i < 3; i++) QM_TRY(qm_cur_value(&c, 1, &skip));
  for (uint32_t i = 0; i < j->n_map; i++) {
    uint64_t next = 0, time = 0;
    qm_hash head;
    QM_TRY(qm_cur_array_n(&c, 5));
    QM_TRY(qm_cur_bin(&c, &skip));
    QM_TRY(qm_cur_uint(&c, &next));
    QM_TRY(qm_cur_bin_n(&c, head.b, sizeof head.b));
    QM_TRY(qm_cur_uint(&c, &time));
    QM_TRY(take_author(j, j->map[i], next, &head, time, &c));
  }
  return qm_cur_end(&c);
}

/* The same blob with the names as local numbers here: their order is by id, so only
 * the list itself changes. */
static int renumber(qm_joining *j, qm_slice blob, qm_slice *out) {
  qm_cur c;
  qm_buf b;
  uint32_t count = 0;
  qm_cur_init(&c, blob);
  QM_TRY(qm_cur_array_n(&c, 4));
  QM_TRY(qm_cur_array(&c, &count));
  qm_buf_init(&b, j->e->env, QM_RECORD_MAX + (count + 1) * 5u);
  qm_mp_array(&b, 4);
  qm_mp_array(&b, count);
  int rc = QM_OK;
  for (uint32_t i = 0; i < count && rc == QM_OK; i++) {
    uint32_t place = 0;
    rc = qm_cur_uint32(&c, &place);
    if (rc == QM_OK && place >= j->n_map) rc = QM_EFORMAT;
    if (rc == QM_OK) qm_mp_uint(&b, j->map[place]);
  }
  qm_buf_add(&b, c.at, qm_cur_left(&c));
  if (rc == QM_OK) rc = qm_buf_status(&b);
  uint8_t *p = rc == QM_OK ? qm_arena_copy(j->arena, b.p, b.n) : NULL;
  *out = qm_slice_of(p, b.n);
  qm_buf_free(&b);
  return rc == QM_OK && !p ? QM_ENOMEM : rc;
}

/* Every creation dot is found by the ops that name it. */
static int put_creations(qm_joining *j, const qm_record *r) {
  for (uint32_t i = 0; i < r->n_creations; i++) {
    qm_creation_row row = {r->creations[i].dot, r->id};
    QM_TRY(j->e->store->ops->creation_put(j->e->store, j->s->number, &row, 1));
  }
  return QM_OK;
}

static int dots_covered(const qm_vv *vv, qm_dots dots) {
  for (uint32_t i = 0; i < dots.n; i++)
    if (!qm_vv_covers(vv, dots.p[i])) return 0;
  return 1;
}

static int siblings_covered(const qm_vv *vv, const qm_siblings *v) {
  for (uint32_t i = 0; i < v->n; i++)
    if (!qm_vv_covers(vv, v->p[i].dot) || !dots_covered(vv, v->p[i].hides) ||
        !dots_covered(vv, v->p[i].keeps))
      return 0;
  return 1;
}

/* Of sequences the join itself looks after (a dot that is there has no second effect). */
static int cell_covered(const qm_vv *vv, const qm_cell *cell) {
  if (cell->shape == QM_SIBLINGS) return siblings_covered(vv, qm_siblings_of(cell));
  if (cell->shape == QM_TOTALS) {
    const qm_totals *t = qm_totals_of(cell);
    for (uint32_t i = 0; i < t->n; i++)
      if (t->p[i].next > qm_vv_get(vv, t->p[i].author)) return 0;
  }
  if (cell->shape == QM_KEYED) {
    const qm_keyed *k = qm_keyed_of(cell);
    for (uint32_t i = 0; i < k->n; i++)
      for (uint32_t d = 0; d < k->p[i].n; d++)
        if (!qm_vv_covers(vv, k->p[i].dots[d].dot)) return 0;
  }
  if (cell->shape == QM_ENTRIES) {
    const qm_entries *e = qm_entries_of(cell);
    for (uint32_t i = 0; i < e->n; i++)
      if (!qm_vv_covers(vv, e->p[i].dot)) return 0;
  }
  return 1;
}

/* A dot beyond the state's own VV would come once more with its op. */
static int record_covered(const qm_vv *vv, const qm_record *r) {
  for (uint32_t i = 0; i < r->n_creations; i++)
    if (!qm_vv_covers(vv, r->creations[i].dot)) return 0;
  for (uint32_t i = 0; i < r->marks.n; i++)
    if (!qm_vv_covers(vv, r->marks.p[i].dot)) return 0;
  for (uint32_t i = 0; i < r->n_cells; i++)
    if (!cell_covered(vv, &r->cells[i])) return 0;
  return 1;
}

static int join_record(qm_joining *j, const qm_id *id, const qm_record *theirs) {
  qm_loaded *l;
  qm_record joined;
  QM_TRY(qm__space_record(j->s, id, &l));
  const qm_record *mine = qm_record_empty(&l->record) ? NULL : &l->record;
  if (!mine && !theirs) return QM_OK;
  QM_TRY(qm_record_join(&joined, mine, &j->old, theirs, &j->theirs, &j->s->authors, j->arena));
  l->record = joined;
  l->dirty = 1;
  l->mark_change = UINT64_MAX; /* joined: the sweep over what is held passes it */
  if (qm_id_is_zero(id)) j->s->stamps_stale = 1;
  return put_creations(j, &l->record);
}

static int join_part(qm_joining *j, qm_slice part, uint64_t *records) {
  qm_cur c;
  uint32_t count = 0;
  qm_cur_init(&c, part);
  QM_TRY(qm_cur_array(&c, &count));
  if (count % 2) return QM_EFORMAT;
  for (uint32_t i = 0; i < count / 2; i++) {
    qm_record theirs;
    qm_slice blob;
    qm_id id;
    QM_TRY(qm_cur_bin_n(&c, id.b, sizeof id.b));
    QM_TRY(qm_cur_bin(&c, &blob));
    if (j->seen++ && qm_id_cmp(&j->last, &id) >= 0) return QM_ECANON;
    j->last = id;
    QM_TRY(renumber(j, blob, &blob));
    QM_TRY(qm_record_decode(&theirs, &id, blob, &j->s->authors, j->arena));
    if (!record_covered(&j->theirs, &theirs)) return QM_EFORMAT;
    QM_TRY(join_record(j, &id, &theirs));
    ++*records;
  }
  return qm_cur_end(&c);
}

static int note_id(void *payload, const qm_record_row *row) {
  qm_joining *j = payload;
  j->last = row->id;
  j->seen++;
  return qm__space_preload(j->s, &row->id, 1);
}

/* Records held here that the state does not have: what it covers of them is gone. */
static int sweep(qm_joining *j) {
  qm_space *s = j->s;
  int rc = QM_OK;
  for (int first = 1; rc == QM_OK && (first || j->seen); first = 0) {
    qm_id after = j->last;
    j->seen = 0;
    rc = j->e->store->ops->record_scan(j->e->store, s->number, 0, first ? NULL : &after, 256,
                                       note_id, j);
  }
  for (uint32_t i = 0; rc == QM_OK && i < s->table_cap; i++)
    if (s->table[i] && s->table[i]->mark_change != UINT64_MAX)
      rc = join_record(j, &s->table[i]->record.id, NULL);
  return rc;
}

static int join_all(qm_joining *j, const qm_slice *parts, uint32_t n, int *joined) {
  qm_space *s = j->s;
  uint64_t records = 0;
  QM_TRY(qm_vv_copy(j->e->env, &j->old, &s->vv));
  QM_TRY(map_authors(j, parts[0]));
  s->touched = 1;
  QM_TRY(take_authors(j, parts[0]));
  if (qm_vv_equal(&j->old, &j->theirs)) return QM_OK;
  for (uint32_t i = 1; i < n; i++) QM_TRY(join_part(j, parts[i], &records));
  if (records != j->records) return QM_ETRUNCATED;
  *joined = 1;
  s->ingested = 1;
  return sweep(j);
}

int qm_state_join(qm_engine *e, qm_space *s, const qm_slice *parts, uint32_t n, int *joined,
                  qm_error *err) {
  qm_joining j = {.e = e, .s = s, .arena = &e->arena};
  *joined = 0;
  if (!n) return qm_fail(err, QM_EINVAL, "state: no parts");
  int rc = qm_engine_push(e, s);
  if (rc == QM_OK) rc = qm_engine_begin(e);
  if (rc != QM_OK) return qm_fail(err, rc, "state: %s", qm_err_text(rc));
  rc = join_all(&j, parts, n, joined);
  qm_vv_free(e->env, &j.old);
  qm_vv_free(e->env, &j.theirs);
  if (rc == QM_OK && *joined)
    rc = qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  else
    qm_engine_rollback(e);
  if (rc == QM_OK) return QM_OK;
  *joined = 0;
  return qm_fail(err, rc, "state: %s", qm_err_text(rc));
}
