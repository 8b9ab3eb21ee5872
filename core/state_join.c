/* Joining a staged state: its stream and the records here are walked together in ascending
 * id; what is at hand is joined, saved and let go, inside one transaction. A dirty replica is
 * replaced instead (S9.8): each record becomes the state's, and on that are replayed the
 * changes that the log here holds beyond the state. */
#include <string.h>

#include "core/aside_int.h"
#include "core/base.h"
#include "core/crdt/entries.h"
#include "core/crdt/keyed.h"
#include "core/crdt/siblings.h"
#include "core/crdt/totals.h"
#include "core/fold.h"
#include "core/fork.h"
#include "core/mp_put.h"
#include "core/state_feed.h"

#define NEXT_MAX (UINT64_MAX >> 1) /* counters that a store can hold */
#define AT_HAND ((size_t)1 << 20)  /* records are let go once they take so much */
#define PAGE 64u                   /* ids of records here, looked up at once */

/* The changes of one author that came with the state, in a row. */
typedef struct qm_run {
  uint64_t start, next;
  uint8_t head[QM_HEAD_SIZE];
  uint8_t mine[QM_HEAD_SIZE]; /* the author's here, before the state */
  uint8_t other;              /* what is here of it may be another branch */
} qm_run;

typedef struct qm_joining {
  qm_engine *e;
  qm_space *s;
  qm_feed feed;
  qm_manifest m;
  qm_buf manifest;
  qm_arena keep;  /* of what lives as long as the join; the engine's is of what is at hand */
  uint32_t *map;  /* place in the snapshot -> local number */
  uint64_t *next; /* by place */
  qm_hash *heads; /* by place */
  qm_run *runs;   /* by place */
  uint32_t n_map;
  qm_vv old, theirs; /* VVs of both sides before the join */
  int of_home;       /* it is the home hub's */
  int alone;         /* nothing was here: what the state says is what comes of it */
  int replace;       /* not joined: the records here are not to be trusted */
  qm__retained base; /* where replace: the state's clock rows and heads, by local number */
  qm_id page[PAGE];  /* ids here, not walked yet */
  uint32_t page_n, page_at;
  int page_last; /* nothing behind the page */
  qm_id walked;  /* the last id walked */
  int any_walked;
} qm_joining;

/* What was changed is saved and forgotten; the transaction goes on. */
static int let_go(qm_joining *j) {
  qm_space *s = j->s;
  QM_TRY(qm__space_save(s));
  qm__space_let_go(s);
  return QM_OK;
}

/* --- authors --- */

static int read_author(qm_joining *j, uint32_t i, qm_author *id, qm_hash *head, uint64_t *time) {
  qm_slice item;
  qm_cur c;
  QM_TRY(qm__feed_item(&j->feed, &item));
  qm_cur_init(&c, item);
  qm_cur_array_n(&c, 4);
  qm_cur_bin_n(&c, id->b, sizeof id->b);
  qm_cur_uint(&c, &j->next[i]);
  qm_cur_bin_n(&c, head->b, sizeof head->b);
  qm_cur_uint(&c, time);
  QM_TRY(qm_cur_end(&c));
  return j->next[i] > NEXT_MAX ? QM_ERANGE : QM_OK;
}

/* QM_EFORK: here is another branch of this author, or may be (another head at one counter: the
 * state goes on behind our back), and the state cannot be joined. Where it is another device's,
 * the home hub's own state takes the place of what is here: what the hub holds stands, and what
 * else there is that device will show it (S21.2). One of the hub's that was kept for a while and
 * says less of the author than is here, and nothing else, moves nothing of it. */
static int take_branch(qm_joining *j, uint32_t place) {
  const qm_space *s = j->s;
  uint32_t a = j->map[place];
  uint64_t next = j->next[place];
  const qm_author *author = &s->authors.ids[a];
  const qm_hash *head = &j->heads[place];
  uint64_t mine = qm_vv_get(&j->old, a);
  int differs = next == mine && memcmp(head->b, s->states[a].head.b, QM_HASH_SIZE) != 0;
  int on = 0;
  qm_id device;
  if (!next || !mine || (!differs && !qm__fork_is_suspect(s, author))) return QM_OK;
  qm_author_device(author, &device);
  if (j->of_home && next < mine) QM_TRY(qm__chain_on(j->s, a, next, head->b, &on));
  if (on) return QM_OK;
  if (!j->of_home || next < mine || qm_id_cmp(&device, &j->e->device) == 0) return QM_EFORK;
  j->replace = j->runs[place].other = 1;
  return qm__fork_clear(j->s, author);
}

static int take_author(qm_joining *j, uint32_t place, qm_time time) {
  qm_space *s = j->s;
  uint32_t a = j->map[place];
  uint64_t next = j->next[place];
  const qm_hash *head = &j->heads[place];
  qm_author_state *st = &s->states[a];
  uint64_t mine = qm_vv_get(&j->old, a);
  QM_TRY(take_branch(j, place));
  if (j->replace && next == mine) {
    st->time = time;
    st->head = *head;
  }
  if (next <= mine) return QM_OK;
  memcpy(j->runs[place].mine, st->head.b, QM_HEAD_SIZE);
  if (qm_author_cmp(&s->authors.ids[a], &j->e->author) == 0)
    j->e->epoch_stale = 1; /* a peer knew more of it (S2.4) */
  st->closed = next;
  st->head = *head;
  st->time = time;
  st->dirty = 1;
  st->clock.n = 0;
  QM_TRY(qm_vv_set(j->e->env, &st->clock, a, next));
  return qm_vv_set(j->e->env, &s->vv, a, next);
}

/* *news = 0 where the state holds nothing that is not here; then nothing more is read. */
static int take_authors(qm_joining *j, int *news) {
  uint32_t n = j->m.authors, old = j->s->authors.n;
  qm_author *ids = qm_arena_array(&j->keep, n, sizeof *ids);
  uint64_t *times = qm_arena_array(&j->keep, n, sizeof *times);
  j->map = qm_arena_array(&j->keep, n, sizeof *j->map);
  j->next = qm_arena_array(&j->keep, n, sizeof *j->next);
  j->heads = qm_arena_array(&j->keep, n, sizeof *j->heads);
  j->runs = qm_arena_zero(&j->keep, n * sizeof *j->runs);
  if (!ids || !j->heads || !times || !j->map || !j->next || !j->runs) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) QM_TRY(read_author(j, i, &ids[i], &j->heads[i], &times[i]));
  QM_TRY(qm_authors_add_all(&j->s->authors, ids, n, j->map));
  QM_TRY(qm__space_authors_added(j->s, old));
  j->n_map = n;
  for (uint32_t i = 0; i < n; i++)
    QM_TRY(qm_vv_set(j->e->env, &j->theirs, j->map[i], j->next[i]));
  for (uint32_t i = 0; i < n; i++)
    QM_TRY(take_author(j, i, times[i]));
  *news = !qm_vv_includes(&j->old, &j->theirs);
  return QM_OK;
}

static int take_clock(qm_joining *j, uint32_t place) {
  uint32_t a = j->map[place], count = 0;
  qm_vv *clock = &j->s->states[a].clock;
  int newer = j->next[place] > qm_vv_get(&j->old, a);
  qm_slice item;
  qm_cur c;
  QM_TRY(qm__feed_item(&j->feed, &item));
  qm_cur_init(&c, item);
  QM_TRY(qm_cur_array(&c, &count));
  if (count % 2) return QM_EFORMAT;
  if (j->replace) {
    clock = &j->base.clocks[a];
    newer = 1;
    QM_TRY(qm_vv_set(j->e->env, clock, a, j->next[place]));
  }
  for (uint32_t i = 0; i < count / 2; i++) {
    uint32_t other = 0;
    uint64_t seen = 0;
    QM_TRY(qm_cur_uint32(&c, &other));
    QM_TRY(qm_cur_uint(&c, &seen));
    if (other >= j->n_map || seen > j->next[other] || other == place) return QM_EFORMAT;
    if (newer) QM_TRY(qm_vv_set(j->e->env, clock, j->map[other], seen));
  }
  return qm_cur_end(&c);
}

/* --- records --- */

/* The same blob with the names as local numbers here: their order is by id, so only
 * the list itself changes. */
int qm__state_renumber(qm_engine *e, const uint32_t *map, uint32_t n_map, qm_slice blob,
                       qm_slice *out) {
  qm_cur c;
  uint32_t count = 0;
  qm_cur_init(&c, blob);
  QM_TRY(qm_cur_array_n(&c, 4));
  QM_TRY(qm_cur_array(&c, &count));
  uint8_t *p = qm_arena_alloc(&e->arena, (size_t)(count + 2) * QM__PUT_UINT + blob.n);
  if (!p) return QM_ENOMEM;
  uint8_t *at = qm__put_array(qm__put_array(p, 4), count);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t place = 0;
    QM_TRY(qm_cur_uint32(&c, &place));
    if (place >= n_map) return QM_EFORMAT;
    at = qm__put_uint(at, map[place]);
  }
  size_t left = qm_cur_left(&c);
  if (left) memcpy(at, c.at, left);
  *out = qm_slice_of(p, (size_t)(at - p) + left);
  return QM_OK;
}

/* Every creation dot is found by the ops that name it. */
int qm__state_creations(qm_space *s, const qm_record *r) {
  qm_store *store = s->engine->store;
  for (uint32_t i = 0; i < r->n_creations; i++) {
    qm_creation_row row = {r->creations[i].dot, r->id};
    QM_TRY(store->ops->creation_put(store, s->number, &row, 1));
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
    if (!qm_vv_covers(vv, v->p[i].dot) || !dots_covered(vv, qm_sibling_hides(&v->p[i])) ||
        !dots_covered(vv, qm_sibling_keeps(&v->p[i])))
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
int qm__state_covered(const qm_vv *vv, const qm_record *r) {
  for (uint32_t i = 0; i < r->n_creations; i++)
    if (!qm_vv_covers(vv, r->creations[i].dot)) return 0;
  for (uint32_t i = 0; i < r->marks.n; i++)
    if (!qm_vv_covers(vv, r->marks.p[i].dot)) return 0;
  for (uint32_t i = 0; i < r->n_cells; i++)
    if (!cell_covered(vv, &r->cells[i])) return 0;
  return 1;
}

static int merge_record(qm_joining *j, qm_loaded *l, const qm_record *theirs) {
  qm_record joined;
  const qm_record *mine = qm_record_empty(&l->record) ? NULL : &l->record;
  QM_TRY(qm_record_join(&joined, mine, &j->old, theirs, &j->theirs, &j->s->authors, &j->e->arena));
  l->record = joined;
  return QM_OK;
}

/* `encoded`: what the record encodes to, or nothing. */
static int joined_record(qm_joining *j, qm_loaded *l, qm_slice encoded) {
  qm__space_dirty(j->s, l);
  l->encoded = encoded;
  if (qm_id_is_zero(&l->record.id)) j->s->stamps_stale = 1;
  QM_TRY(qm__state_creations(j->s, &l->record));
  return j->e->arena.used + j->e->records.used > AT_HAND ? let_go(j) : QM_OK;
}

/* Decoding lets through what encoding gives and nothing else, so its blob is what is saved. */
static int take_alone(qm_joining *j, const qm_id *id, qm_slice blob) {
  qm_loaded *l;
  QM_TRY(qm__space_absent(j->s, id, &l));
  QM_TRY(qm_record_decode(&l->record, id, blob, &j->s->authors, &j->e->records));
  if (!qm__state_covered(&j->theirs, &l->record)) return QM_EFORMAT;
  return joined_record(j, l, blob);
}

static int join_record(qm_joining *j, const qm_id *id, const qm_record *theirs) {
  qm_loaded *l;
  QM_TRY(qm__space_record(j->s, id, &l));
  if (!l->stored && !theirs) return QM_OK;
  if (j->replace)
    qm__repair_put(l, theirs);
  else
    QM_TRY(merge_record(j, l, theirs));
  return joined_record(j, l, qm_slice_of(NULL, 0));
}

static int note_id(void *payload, const qm_record_row *row) {
  qm_joining *j = payload;
  j->page[j->page_n++] = row->id;
  return QM_OK;
}

static int turn_page(qm_joining *j) {
  j->page_n = j->page_at = 0;
  QM_TRY(qm__fold_scan(j->s, j->any_walked ? &j->walked : NULL, PAGE, note_id, j));
  j->page_last = j->page_n < PAGE;
  return QM_OK;
}

/* Walks the records here that lie below `to` (NULL: all): the state does not have them, so
 * what it covers of them is gone. `to` itself is left out. */
static int walk_to(qm_joining *j, const qm_id *to) {
  for (;;) {
    if (j->page_at == j->page_n && !j->page_last) QM_TRY(turn_page(j));
    if (j->page_at == j->page_n) return QM_OK;
    qm_id id = j->page[j->page_at];
    int order = to ? qm_id_cmp(&id, to) : -1;
    if (order > 0) return QM_OK;
    j->page_at++;
    j->walked = id;
    j->any_walked = 1;
    if (order < 0) QM_TRY(join_record(j, &id, NULL));
  }
}

static int take_record(qm_joining *j, qm_id *last, int first) {
  qm_record theirs;
  qm_slice item, blob;
  qm_cur c;
  qm_id id;
  QM_TRY(qm__feed_item(&j->feed, &item));
  qm_cur_init(&c, item);
  qm_cur_array_n(&c, 2);
  qm_cur_bin_n(&c, id.b, sizeof id.b);
  qm_cur_bin(&c, &blob);
  QM_TRY(qm_cur_end(&c));
  if (!first && qm_id_cmp(last, &id) >= 0) return QM_ECANON;
  *last = id;
  if (!j->alone) QM_TRY(walk_to(j, &id));
  QM_TRY(qm__state_renumber(j->e, j->map, j->n_map, blob, &blob));
  if (j->alone) return take_alone(j, &id, blob);
  QM_TRY(qm_record_decode(&theirs, &id, blob, &j->s->authors, &j->e->arena));
  if (!qm__state_covered(&j->theirs, &theirs)) return QM_EFORMAT;
  return join_record(j, &id, &theirs);
}

/* What is known here already stays as it is: an op named its record by it. */
static int take_name(qm_joining *j) {
  qm_store *store = j->e->store;
  qm_slice item;
  qm_cur c;
  uint32_t place = 0;
  qm_creation_row row;
  qm_id known;
  uint8_t found = 0;
  QM_TRY(qm__feed_item(&j->feed, &item));
  qm_cur_init(&c, item);
  qm_cur_array_n(&c, 3);
  qm_cur_uint32(&c, &place);
  qm_cur_uint(&c, &row.dot.counter);
  qm_cur_bin_n(&c, row.record.b, QM_ID_SIZE);
  QM_TRY(qm_cur_end(&c));
  if (place >= j->n_map || row.dot.counter >= j->next[place]) return QM_EFORMAT;
  row.dot.author = j->map[place];
  QM_TRY(store->ops->creation_find(store, j->s->number, &row.dot, 1, &known, &found));
  return found ? QM_OK : store->ops->creation_put(store, j->s->number, &row, 1);
}

static int take_records(qm_joining *j) {
  qm_id last = {{0}};
  for (uint64_t i = 0; i < j->m.records; i++) QM_TRY(take_record(j, &last, i == 0));
  if (!j->alone) QM_TRY(walk_to(j, NULL));
  return let_go(j);
}

/* --- the changes that came with it --- */

/* Keeps what this replica did not hold. An author's segments come in a row, each the
 * continuation of the one before; that they are the author's own is judged where they are
 * taken as changes. */
static int pick(qm_joining *j, const uint32_t *places, qm_batch *batch) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < batch->n_segments; i++) {
    qm_segment *g = &batch->segments[i];
    uint32_t place = places[i];
    qm_run *run = &j->runs[place];
    QM_TRY(qm_segment_check(g, NULL));
    if (g->next > j->next[place]) return QM_EFORMAT;
    if (run->next && (g->start != run->next || memcmp(g->previous, run->head, QM_HEAD_SIZE)))
      return QM_EFORMAT;
    run->next = g->next;
    memcpy(run->head, g->head, QM_HEAD_SIZE);
    uint64_t mine = qm_vv_get(&j->old, g->author);
    if (g->next <= mine || run->other) continue;
    if (g->start < mine) return QM_EFORK;
    if (g->start == mine && memcmp(g->previous, run->mine, QM_HEAD_SIZE) != 0) return QM_EFORK;
    if (!run->start) run->start = g->start + 1; /* 0: none kept */
    batch->segments[n++] = *g;
  }
  batch->n_segments = n;
  return QM_OK;
}

static int append(qm_joining *j, const qm_batch *batch) {
  qm_engine *e = j->e;
  qm_segment_row *rows = qm_arena_array(&e->arena, batch->n_segments, sizeof *rows);
  qm_buf blob;
  uint64_t seq;
  if (!rows) return QM_ENOMEM;
  for (uint32_t i = 0; i < batch->n_segments; i++) {
    const qm_segment *g = &batch->segments[i];
    rows[i] = (qm_segment_row){g->author, g->start, g->next};
  }
  qm_buf_init(&blob, e->env, QM_BATCH_MAX);
  int rc = qm_batch_encode(&blob, batch, &j->s->authors, e->zip_level);
  /* Its ops are not resolved: the row stands for every record. */
  qm_log_row row = {
      .batch = qm_buf_slice(&blob), .segments = rows, .n_segments = batch->n_segments};
  if (rc == QM_OK) rc = e->store->ops->log_append(e->store, j->s->number, &row, &seq);
  qm_buf_free(&blob);
  return rc;
}

static int take_batch(qm_joining *j) {
  qm_slice item;
  qm_batch_in in;
  qm_batch batch;
  memset(&in, 0, sizeof in);
  QM_TRY(qm__feed_item(&j->feed, &item));
  qm_arena_reset(&j->e->arena);
  QM_TRY(qm_batch_open(&in, item, &j->e->arena));
  uint32_t *places = qm_arena_array(&j->e->arena, in.n_segments, sizeof *places);
  uint32_t *place_of = qm_arena_array(&j->e->arena, j->s->authors.n, sizeof *place_of);
  if (!places || !place_of) return QM_ENOMEM;
  for (uint32_t a = 0; a < j->s->authors.n; a++) place_of[a] = UINT32_MAX;
  for (uint32_t i = 0; i < j->n_map; i++) place_of[j->map[i]] = i;
  for (uint32_t i = 0; i < in.n_authors; i++)
    if (qm_authors_find(&j->s->authors, &in.authors[i], &in.map[i]) != QM_OK) return QM_EFORMAT;
  QM_TRY(qm_batch_read(&in, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    places[i] = place_of[batch.segments[i].author];
    if (places[i] == UINT32_MAX) return QM_EFORMAT;
  }
  QM_TRY(pick(j, places, &batch));
  return batch.n_segments ? append(j, &batch) : QM_OK;
}

/* What stands at the new floor is told by the state where nothing came with it. */
static int move_base(qm_space *s, uint32_t a, uint64_t from, uint64_t next) {
  const qm_author_state *st = &s->states[a];
  qm__base base = {from, st->head, st->time};
  return qm__base_put(s, a, &base, from == next ? &st->clock : NULL);
}

/* S12.6: what the state moved is in the log from its run on, or not at all. */
static int move_floor(qm_joining *j) {
  qm_space *s = j->s;
  for (uint32_t i = 0; i < j->n_map; i++) {
    uint32_t a = j->map[i];
    uint64_t mine = qm_vv_get(&j->old, a), next = j->next[i], from = next;
    const qm_run *run = &j->runs[i];
    int ends = run->next == next && !memcmp(run->head, j->heads[i].b, QM_HEAD_SIZE);
    if (run->next && !ends) return QM_EFORMAT;
    if (next < mine || (next == mine && !run->other)) continue;
    if (run->start) from = run->start - 1;
    if (from == mine && !run->other) continue; /* the log here goes on without a gap */
    QM_TRY(move_base(s, a, from, next));
    QM_TRY(qm_vv_set(j->e->env, &s->floor, a, from));
    s->floor_moved = 1;
  }
  return QM_OK;
}

/* --- all of it --- */

static int open_stage(qm_joining *j) {
  qm_store *store = j->e->store;
  uint32_t next = 0;
  QM_TRY(store->ops->stage_parts(store, j->s->number, &next, &j->manifest));
  QM_TRY(qm__manifest_read(&j->m, &j->s->id, qm_buf_slice(&j->manifest)));
  return next < j->m.parts ? QM_ETRUNCATED : QM_OK;
}

/* S9.8: what the state lacks of what is here must lie in the log. */
static int begin_replacing(qm_joining *j) {
  qm_space *s = j->s;
  for (uint32_t a = 0; a < s->authors.n; a++) {
    uint64_t at = qm_vv_get(&j->theirs, a);
    if (at < qm_vv_get(&j->old, a) && at < qm_vv_get(&s->floor, a)) return QM_ECUT;
  }
  s->replacing = 1;
  j->base.clocks = qm_arena_zero(&j->keep, s->authors.n * sizeof *j->base.clocks);
  j->base.heads = qm_arena_zero(&j->keep, s->authors.n * sizeof *j->base.heads);
  if (!j->base.clocks || !j->base.heads) return QM_ENOMEM;
  j->base.n = s->authors.n;
  for (uint32_t i = 0; i < j->n_map; i++) j->base.heads[j->map[i]] = j->heads[i];
  return qm__repair_sum(s, &s->digest); /* what was lost of it is no part of it any more */
}

static int end_replacing(qm_joining *j) {
  qm_space *s = j->s;
  QM_TRY(qm_vv_copy(j->e->env, &j->base.vv, &j->theirs));
  QM_TRY(qm__rebuild_on(s, &j->base));
  for (uint32_t a = 0; a < j->base.n; a++) {
    qm_vv clock = s->states[a].clock;
    s->states[a].clock = j->base.clocks[a];
    j->base.clocks[a] = clock;
    s->states[a].dirty = 1;
  }
  QM_TRY(qm__repair_clean(s));
  return qm__state_forget(s);
}

static int is_nothing(const qm_vv *vv) {
  for (uint32_t i = 0; i < vv->n; i++)
    if (vv->next[i]) return 0;
  return 1;
}

static int join_all(qm_joining *j, int *joined) {
  qm_space *s = j->s;
  int news = 0;
  QM_TRY(open_stage(j));
  QM_TRY(qm_vv_copy(j->e->env, &j->old, &s->vv));
  s->touched = s->engine->whole = 1;
  s->floor_moved = 1; /* a rollback reads the floor again */
  j->replace = s->dirty;
  QM_TRY(take_authors(j, &news));
  if (!news && !j->replace) return QM_OK;
  if (j->replace) QM_TRY(begin_replacing(j));
  j->alone = !j->replace && is_nothing(&j->old);
  for (uint32_t i = 0; i < j->n_map; i++) QM_TRY(take_clock(j, i));
  QM_TRY(take_records(j));
  for (uint64_t i = 0; i < j->m.names; i++) QM_TRY(take_name(j));
  for (uint32_t i = 0; i < j->m.batches; i++) QM_TRY(take_batch(j));
  QM_TRY(qm__feed_end(&j->feed));
  QM_TRY(move_floor(j));
  if (j->replace) QM_TRY(end_replacing(j));
  *joined = 1;
  s->ingested = 1;
  return j->e->store->ops->stage_drop(j->e->store, s->number);
}

/* Failures of this replica, after which the same state may be tried again. */
static int is_ours(int rc) {
  return rc == QM_ENOMEM || rc == QM_EINTERNAL || rc == QM_EBUSY || rc == QM_ETRUNCATED ||
         rc == QM_ENOTFOUND ||
         qm_err_class(rc) == QM_CLASS_STORAGE;
}

static int join_staged(qm_engine *e, qm_space *s, const uint8_t *manifest_hash, int of_home,
                       int *joined) {
  qm_joining j = {.e = e, .s = s, .of_home = of_home};
  qm_arena_init(&j.keep, e->env, (size_t)64 << 20);
  qm_buf_init(&j.manifest, e->env, QM_STATE_MANIFEST_MAX);
  qm__feed_init(&j.feed, s, s->number, &j.m);
  int rc = open_stage(&j);
  if ((rc == QM_OK || rc == QM_ETRUNCATED) &&
      !qm__manifest_is(qm_buf_slice(&j.manifest), manifest_hash))
    rc = QM_ENOTFOUND;
  qm_buf_clear(&j.manifest);
  j.feed.left = j.m.bytes;
  if (rc == QM_OK) rc = qm_engine_begin(e);
  if (rc == QM_OK) {
    rc = join_all(&j, joined);
    if (rc == QM_OK && *joined)
      rc = qm_engine_commit(e, QM_DURABLE, NULL, NULL);
    else
      qm_engine_rollback(e);
  }
  qm__feed_free(&j.feed);
  qm_buf_free(&j.manifest);
  qm_vv_free(e->env, &j.old);
  qm_vv_free(e->env, &j.theirs);
  qm_vv_free(e->env, &j.base.vv);
  for (uint32_t a = 0; a < j.base.n; a++) qm_vv_free(e->env, &j.base.clocks[a]);
  qm_arena_free(&j.keep);
  return rc;
}

int qm_state_take(qm_engine *e, qm_space *s, const uint8_t *manifest_hash, int of_home,
                  int *joined, qm_error *err) {
  *joined = 0;
  int rc = qm_engine_push(e, s);
  if (rc == QM_OK && e->open) rc = QM_ESTATE;
  if (rc == QM_OK) rc = qm__fold(e); /* the arena is reset on the way */
  if (rc != QM_OK) return qm_fail(err, rc, "state: %s", qm_err_text(rc));
  rc = join_staged(e, s, manifest_hash, of_home, joined);
  if (rc != QM_OK) *joined = 0;
  /* What cannot be joined is not kept: it would be offered to itself for ever. */
  if (rc == QM_OK ? !*joined : !is_ours(rc)) (void)qm_state_drop(e, s);
  return rc == QM_OK ? rc : qm_fail(err, rc, "state: %s", qm_err_text(rc));
}
