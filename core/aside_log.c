/* What is set aside, in the log: found, erased in place (S4.11), its content kept. */
#include <string.h>

#include "core/aside_int.h"
#include "core/ingest_log.h"
#include "core/join.h"

#define ROW_ARENA ((size_t)128 << 20)

/* --- reading the log --- */

/* The creations that the segment itself brings stand in no store yet. */
static int is_inside(const qm_segment *g, qm_dot dot) {
  return dot.author == g->author && dot.counter >= g->start;
}

static int is_new(const qm_op *op) {
  return op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW;
}

static const qm_op *find_new(const qm_op *const *news, uint32_t n, uint64_t counter) {
  uint32_t lo = 0, hi = n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (news[mid]->counter < counter)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < n && news[lo]->counter == counter ? news[lo] : NULL;
}

/* In order, so that a `new` that itself names its record so is filled in before it counts. */
static int resolve_inside(const qm_segment *g, qm_arena *arena) {
  const qm_op **news = qm_arena_array(arena, g->n_ops, sizeof *news);
  uint32_t n = 0;
  if (!news) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++) {
      qm_op *op = &g->changes[i].ops[o];
      if (op->named == QM_BY_CREATION && is_inside(g, op->created)) {
        const qm_op *made = find_new(news, n, op->created.counter);
        if (!made) return QM_ENOTFOUND;
        op->record = made->record;
      }
      if (is_new(op)) news[n++] = op;
    }
  return QM_OK;
}

/* One op, on a record that is loaded: nothing is allocated, and nobody is asked. */
static int resolve_one(const qm_space *s, const qm_segment *g) {
  qm_op *op = g->changes[0].ops;
  if (g->n_ops != 1 || op->named != QM_BY_CREATION || is_inside(g, op->created)) return 0;
  const qm_loaded *l = qm__space_created(s, op->created);
  if (l) op->record = l->record.id;
  return l != NULL;
}

int qm__log_resolve(qm_space *s, const qm_segment *g, qm_arena *arena) {
  if (resolve_one(s, g)) return QM_OK;
  qm_dot *dots = qm_arena_array(arena, g->n_ops, sizeof *dots);
  qm_op **ops = qm_arena_array(arena, g->n_ops, sizeof *ops);
  qm_id *ids = qm_arena_array(arena, g->n_ops, sizeof *ids);
  uint8_t *found = qm_arena_array(arena, g->n_ops, sizeof *found);
  uint32_t *places = qm_arena_array(arena, g->n_ops, sizeof *places);
  uint32_t n = 0, n_ops = 0, inside = 0;
  if (!dots || !ops || !ids || !found || !places) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++) {
      qm_op *op = &g->changes[i].ops[o];
      if (op->named != QM_BY_CREATION) continue;
      inside += (uint32_t)is_inside(g, op->created);
      if (is_inside(g, op->created)) continue;
      /* Ops on one record mostly follow each other: it is asked for once. */
      if (!n || !qm_dot_eq(dots[n - 1], op->created)) dots[n++] = op->created;
      places[n_ops] = n - 1;
      ops[n_ops++] = op;
    }
  if (n) QM_TRY(qm__space_find_created(s, dots, n, arena, ids, found));
  for (uint32_t i = 0; i < n_ops; i++) {
    if (!found[places[i]]) return QM_ENOTFOUND;
    ops[i]->record = ids[places[i]];
  }
  return inside ? resolve_inside(g, arena) : QM_OK;
}

int qm__log_decode(qm_space *s, qm_slice blob, qm_arena *arena, qm_batch *out) {
  qm_batch_in in;
  memset(&in, 0, sizeof in);
  int rc = qm_batch_open(&in, blob, arena);
  for (uint32_t i = 0; i < in.n_authors && rc == QM_OK; i++)
    rc = qm_authors_find(&s->authors, &in.authors[i], &in.map[i]);
  if (rc == QM_OK) rc = qm_batch_read(&in, out);
  for (uint32_t i = 0; rc == QM_OK && i < out->n_segments; i++)
    rc = qm__log_resolve(s, &out->segments[i], arena);
  return rc == QM_OK || rc == QM_ENOMEM || qm_err_class(rc) == QM_CLASS_STORAGE ? rc : QM_ECORRUPT;
}

typedef struct found_row {
  qm_arena *arena;
  qm_log_row *out;
} found_row;

static int copy_row(void *payload, const qm_log_row *row) {
  found_row *f = payload;
  uint8_t *batch = qm_arena_copy(f->arena, row->batch.p, row->batch.n);
  qm_segment_row *segments =
      qm_arena_copy(f->arena, row->segments, row->n_segments * sizeof *segments);
  if (!batch || !segments) return QM_ENOMEM;
  *f->out = (qm_log_row){.seq = row->seq,
                         .batch = {batch, row->batch.n},
                         .segments = segments,
                         .n_segments = row->n_segments};
  return QM_OK;
}

/* Everything but what one author wrote from `counter` on. */
static int only(const qm_space *s, uint32_t author, uint64_t counter, qm_vv *out) {
  for (uint32_t a = 0; a < s->authors.n; a++)
    QM_TRY(qm_vv_set(s->engine->env, out, a, a == author ? counter : UINT64_MAX));
  return QM_OK;
}

int qm__log_at(qm_space *s, uint32_t author, uint64_t counter, qm_arena *arena, qm_log_row *out) {
  qm_store *store = s->engine->store;
  qm_vv vv = {NULL, 0, 0};
  found_row f = {arena, out};
  QM_TRY(qm__log_settled(s));
  int rc = only(s, author, counter, &vv);
  if (rc == QM_OK) rc = store->ops->log_after(store, s->number, &vv, 0, copy_row, &f);
  qm_vv_free(s->engine->env, &vv);
  QM_TRY(rc);
  for (uint32_t i = 0; i < out->n_segments; i++) {
    const qm_segment_row *g = &out->segments[i];
    if (g->author == author && g->start <= counter && counter < g->next) return QM_OK;
  }
  return QM_ENOTFOUND;
}

/* --- contexts --- */

static int walk_deps(qm_space *s, const qm_change *c, qm_vv *out) {
  for (uint32_t i = 0; i < c->n_deps; i++)
    QM_TRY(qm_vv_set(s->engine->env, out, c->deps[i].author, c->deps[i].counter));
  return QM_OK;
}

static int context_row(qm_space *s, uint32_t author, uint64_t counter, qm_arena *arena,
                       uint64_t *at, qm_vv *out) {
  qm_log_row row;
  qm_batch batch;
  qm_arena_reset(arena);
  int rc = qm__log_at(s, author, *at, arena, &row);
  if (rc == QM_ENOTFOUND) return QM_ECUT;
  QM_TRY(rc);
  QM_TRY(qm__log_decode(s, row.batch, arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    const qm_segment *g = &batch.segments[i];
    if (g->author != author || g->next <= *at) continue;
    for (uint32_t k = 0; k < g->n_changes && g->changes[k].counter <= counter; k++)
      QM_TRY(walk_deps(s, &g->changes[k], out));
    *at = g->next;
  }
  return QM_OK;
}

int qm__log_context(qm_space *s, uint32_t author, uint64_t counter, qm_vv *out) {
  qm_arena arena;
  uint64_t at = 0;
  int rc = QM_OK;
  qm_arena_init(&arena, s->engine->env, ROW_ARENA);
  while (rc == QM_OK && at <= counter) rc = context_row(s, author, counter, &arena, &at, out);
  qm_arena_free(&arena);
  return rc == QM_OK ? qm_vv_set(s->engine->env, out, author, counter) : rc;
}

/* --- erasing --- */

/* Its own changes and ops, so that the original stands until all has gone well. */
static int copy_segment(const qm_segment *g, qm_arena *arena, qm_segment *out) {
  *out = *g;
  out->changes = qm_arena_copy(arena, g->changes, g->n_changes * sizeof *g->changes);
  if (!out->changes) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    qm_change *c = &out->changes[i];
    c->ops = qm_arena_copy(arena, c->ops, c->n_ops * sizeof *c->ops);
    if (!c->ops) return QM_ENOMEM;
  }
  return QM_OK;
}

static int fits_a_batch(qm_space *s, qm_segment *g) {
  qm_batch batch = {g, 1};
  qm_buf b;
  qm_buf_init(&b, s->engine->env, QM_BATCH_MAX);
  int rc = qm_batch_encode(&b, &batch, &s->authors, s->engine->zip_level);
  qm_buf_free(&b);
  return rc;
}

int qm__aside_erase(qm_space *s, const qm_segment *g, const uint8_t *flags, qm_arena *arena,
                    qm_segment *out) {
  uint8_t *chosen = qm_arena_zero(arena, g->n_ops);
  uint32_t at = 0;
  if (!chosen) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++) chosen[at++] = flags[i];
  QM_TRY(copy_segment(g, arena, out));
  QM_TRY(qm_segment_erase_all(out, chosen, &s->authors, arena));
  return fits_a_batch(s, out);
}

/* --- as it is taken --- */

static int keeps_copy(const qm_space *s, const qm_author *author) {
  qm_id device;
  if (s->engine->flags & QM_ENGINE_HUB) return 1;
  qm_author_device(author, &device);
  return qm_id_cmp(&device, &s->engine->device) == 0;
}

static int is_whole(const qm_segment *g, const qm_aside *a) {
  for (uint32_t i = 0; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    if (c->counter < a->first || c->next > a->next) continue;
    for (uint32_t o = 0; o < c->n_ops; o++)
      if (c->ops[o].flags & QM_OP_ERASED) return 0;
  }
  return 1;
}

static int keep(qm_space *s, const qm_aside *a, const qm_segment *g, const qm_vv *context) {
  int there;
  qm_buf b;
  if (!keeps_copy(s, &a->author) || !is_whole(g, a)) return QM_OK;
  QM_TRY(qm__copy_exists(s, &a->author, a->first, &a->segment, &there));
  if (there) return QM_OK;
  qm_buf_init(&b, s->engine->env, (size_t)64 << 20);
  int rc = qm__copy_write(s, a, g, context, &b);
  if (rc == QM_OK) rc = qm__copy_put(s, a, qm_buf_slice(&b));
  qm_buf_free(&b);
  for (uint32_t i = 0; i < g->n_changes && rc == QM_OK; i++)
    if (g->changes[i].counter >= a->first && g->changes[i].next <= a->next)
      rc = qm__feed_aside(s, &g->changes[i]);
  return rc;
}

/* The run of changes from i on that one entry names: it is here, or will be of one code. */
static uint32_t run_of(const qm_segment *g, const int32_t *codes, const uint8_t *flags,
                       const qm__aside_range *r, uint32_t i) {
  uint32_t n = 1;
  while (i + n < g->n_changes && flags[i + n] == flags[i] &&
         (r ? g->changes[i + n].next <= r->next : codes[i + n] == codes[i]))
    n++;
  return n;
}

static int note_run(qm_space *s, const qm_segment *g, const qm_hash *hash, uint32_t i, uint32_t n,
                    const qm__aside_range *r, int32_t code, qm_slice why, const qm_vv *context) {
  qm_aside a = {.kind = QM_ASIDE_CHANGE,
                .author = s->authors.ids[g->author],
                .first = g->changes[i].counter,
                .next = g->changes[i + n - 1].next,
                .segment = *hash,
                .code = r ? r->code : code,
                .text = why};
  QM_TRY(keep(s, &a, g, context));
  return r ? QM_OK : qm__aside_make(s, &a);
}

/* flags: 1 named by an entry, 2 by the hub's verdict now. */
static int note_runs(qm_space *s, const qm_segment *g, const qm_hash *hash, const int32_t *codes,
                     const qm_slice *why, const uint8_t *flags) {
  const qm_author *author = &s->authors.ids[g->author];
  qm_vv context = {NULL, 0, 0};
  int rc = qm_vv_copy(s->engine->env, &context, &s->states[g->author].clock);
  for (uint32_t i = 0, n; i < g->n_changes && rc == QM_OK; i += n) {
    const qm__aside_range *r =
        flags[i] == 1 ? qm__aside_covers(s, author, &g->changes[i]) : NULL;
    n = flags[i] ? run_of(g, codes, flags, r, i) : 1;
    rc = walk_deps(s, &g->changes[i], &context);
    if (rc == QM_OK)
      rc = qm_vv_set(s->engine->env, &context, g->author, g->changes[i].counter);
    if (rc == QM_OK && flags[i]) {
      qm_slice text = r ? qm_slice_of(NULL, 0) : why[i];
      rc = note_run(s, g, hash, i, n, r, r ? 0 : codes[i], text, &context);
    }
    for (uint32_t k = 1; k < n && rc == QM_OK; k++) rc = walk_deps(s, &g->changes[i + k], &context);
  }
  qm_vv_free(s->engine->env, &context);
  return rc;
}

int qm__aside_segment(qm_space *s, qm_segment *g, const qm_hash *hash, const int32_t *codes,
                      const qm_slice *why, uint8_t *flags, int *any) {
  const qm_author *author = &s->authors.ids[g->author];
  qm_segment erased;
  *any = 0;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    flags[i] = qm__aside_covers(s, author, &g->changes[i]) != NULL;
    if (!flags[i] && codes && codes[i]) flags[i] = 2;
    *any |= flags[i];
  }
  if (!*any) return QM_OK;
  QM_TRY(qm__aside_erase(s, g, flags, &s->engine->arena, &erased));
  QM_TRY(note_runs(s, g, hash, codes, why, flags));
  *g = erased;
  *any = 1;
  return QM_OK;
}

/* --- as it lies in the log --- */

typedef struct holding {
  qm_space *s;
  qm_arena *arena; /* of the row at hand */
  const qm_aside *a;
  uint32_t author;
  qm_log_row row;
  qm_batch batch;
  qm_segment *g; /* the one that the entry names */
  uint8_t *flags;
  qm_id *ids;
  uint32_t n_ids;
  int met;
  uint64_t parted; /* the row is now several, from this seq on */
} holding;

static int pick_changes(holding *h) {
  qm_arena *all = &h->s->engine->arena;
  h->flags = qm_arena_zero(h->arena, h->g->n_changes);
  h->ids = qm_arena_grow(all, h->ids, h->n_ids, (size_t)h->n_ids + h->g->n_ops, sizeof *h->ids);
  if (!h->flags || !h->ids) return QM_ENOMEM;
  for (uint32_t i = 0; i < h->g->n_changes; i++) {
    const qm_change *c = &h->g->changes[i];
    h->flags[i] = c->counter >= h->a->first && c->next <= h->a->next;
    if (h->flags[i]) QM_TRY(qm__feed_aside(h->s, c));
    for (uint32_t o = 0; h->flags[i] && o < c->n_ops; o++)
      h->ids[h->n_ids++] = c->ops[o].record;
  }
  return QM_OK;
}

/* A row that would no longer fit a batch becomes several (it was joined of such), and is looked
 * at again from the first of them on; where there is no room for them it keeps the bytes: they
 * have no effect all the same. */
static int part_row(holding *h) {
  uint64_t first = 0;
  int rc = qm__join_part(h->s, &h->row, &h->batch, h->arena, &first);
  if (rc == QM_OK) h->parted = first;
  return rc == QM_ELIMIT ? QM_OK : rc;
}

static int replace_row(holding *h) {
  qm_space *s = h->s;
  qm_store *store = s->engine->store;
  qm_segment erased;
  qm_buf b;
  int rc = qm__aside_erase(s, h->g, h->flags, h->arena, &erased);
  if (rc != QM_OK) return rc == QM_ELIMIT ? QM_OK : rc;
  *h->g = erased;
  qm_buf_init(&b, s->engine->env, QM_BATCH_MAX);
  rc = qm_batch_encode(&b, &h->batch, &s->authors, s->engine->zip_level);
  if (rc == QM_OK)
    rc = store->ops->log_replace(store, s->number, h->row.seq, qm_buf_slice(&b));
  else if (rc == QM_ELIMIT)
    rc = part_row(h);
  qm_buf_free(&b);
  return rc;
}

static int keep_held(holding *h) {
  qm_space *s = h->s;
  qm_vv context = {NULL, 0, 0};
  if (!keeps_copy(s, &h->a->author)) return QM_OK;
  int rc = qm__log_context(s, h->author, h->a->first, &context);
  if (rc == QM_ECUT) rc = qm_vv_copy(s->engine->env, &context, &s->states[h->author].clock);
  if (rc == QM_OK) rc = keep(s, h->a, h->g, &context);
  qm_vv_free(s->engine->env, &context);
  return rc;
}

/* One row of the log; another branch of a fork is not what the entry names. */
static int hold_row(holding *h) {
  qm_space *s = h->s;
  QM_TRY(qm__log_decode(s, h->row.batch, h->arena, &h->batch));
  for (uint32_t i = 0; i < h->batch.n_segments; i++) {
    qm_segment *g = &h->batch.segments[i];
    if (g->author != h->author || g->start > h->a->first || h->a->first >= g->next) continue;
    h->met = 1;
    h->g = g;
    QM_TRY(pick_changes(h));
    QM_TRY(keep_held(h));
    QM_TRY(replace_row(h));
    if (h->parted) break;
  }
  if (h->parted) h->row.seq = h->parted - 1;
  h->parted = 0;
  return QM_OK;
}

int qm__aside_hold(qm_space *s, const qm_aside *a, qm_id **ids, uint32_t *n) {
  qm_store *store = s->engine->store;
  qm_arena arena;
  holding h = {.s = s, .arena = &arena, .a = a};
  qm_vv vv = {NULL, 0, 0};
  *n = 0;
  if (qm_authors_find(&s->authors, &a->author, &h.author) != QM_OK) return QM_OK;
  if (s->states[h.author].closed <= a->first) return QM_OK;
  QM_TRY(qm__log_settled(s));
  qm_arena_init(&arena, s->engine->env, ROW_ARENA);
  int rc = only(s, h.author, a->first, &vv);
  for (int more = 1; rc == QM_OK && more;) {
    found_row f = {&arena, &h.row};
    int met = h.met;
    h.met = 0;
    qm_arena_reset(&arena);
    rc = store->ops->log_after(store, s->number, &vv, h.row.seq, copy_row, &f);
    if (rc == QM_OK) rc = hold_row(&h);
    more = h.met; /* a run closed twice stands there twice */
    h.met |= met;
  }
  qm_arena_free(&arena);
  qm_vv_free(s->engine->env, &vv);
  if (rc == QM_ENOTFOUND) rc = QM_OK;
  /* It came with a state, or was cut: its effects are here and nothing says which. */
  if (rc == QM_OK && !h.met) rc = qm__space_dirty_set(s, 1);
  *ids = h.ids;
  *n = h.n_ids;
  return rc;
}
