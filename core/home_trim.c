#include "core/home_trim.h"

#include <string.h>

#include "core/crdt/codec.h"
#include "core/fold.h"
#include "core/write_int.h"

/* A range that a cut above the VV names: its deletion may be news to somebody. */
typedef struct fresh {
  qm_id record;
  uint32_t field;
  qm_range range;
} fresh;

typedef struct found {
  qm_id record;
  uint32_t field;
  qm_ranges ranges;
} found;

typedef struct trimmer {
  qm_engine *e;
  qm_space *s;
  qm_vv seen;     /* what every live device has passed */
  qm_vv reached;  /* from there the log was read up to here */
  qm_arena arena; /* what is kept until the end */
  qm_arena scratch;
  fresh *fresh;
  uint32_t n_fresh, cap_fresh;
  found *found;
  uint32_t n_found, cap_found, ranges;
  uint64_t seq;
  uint32_t left; /* records still to be looked at */
  int full;
  qm_trimmed *out;
} trimmer;

/* --- the VV that all live devices have passed --- */

static int least(trimmer *t, const qm_vv_list *live, uint32_t n_live) {
  const qm_env *env = t->e->env;
  QM_TRY(qm_vv_copy(env, &t->seen, &t->s->vv));
  for (uint32_t i = 0; i < n_live; i++) {
    qm_vv one = {NULL, 0, 0};
    int rc = QM_OK;
    for (uint32_t k = 0; k < live[i].n && rc == QM_OK; k++) {
      uint32_t a;
      if (qm_authors_find(&t->s->authors, &live[i].p[k].author, &a) == QM_OK)
        rc = qm_vv_set(env, &one, a, live[i].p[k].next);
    }
    for (uint32_t a = 0; a < t->seen.n; a++)
      if (t->seen.next[a] > qm_vv_get(&one, a)) t->seen.next[a] = qm_vv_get(&one, a);
    qm_vv_free(env, &one);
    QM_TRY(rc);
  }
  return qm_vv_copy(env, &t->reached, &t->seen);
}

/* --- what lies above it in the log --- */

static int note_cut(trimmer *t, const qm_op *op) {
  for (uint32_t i = 0; i < op->cuts.n; i++) {
    fresh *p = qm_array_open(&t->arena, t->fresh, t->n_fresh, &t->cap_fresh, t->n_fresh, sizeof *p);
    if (!p) return QM_ENOMEM;
    t->fresh = p;
    p[t->n_fresh++] = (fresh){op->record, op->field, op->cuts.p[i]};
  }
  return QM_OK;
}

static int note_op(trimmer *t, const qm_change *c, qm_op *op) {
  if (op->shape != QM_SEQUENCE || op->kind != QM_KIND_CUT) return QM_OK;
  if (qm_vv_covers(&t->seen, (qm_dot){op->counter, c->author})) return QM_OK;
  if (op->named == QM_BY_CREATION) {
    uint8_t here = 0;
    qm_store *store = t->e->store;
    QM_TRY(store->ops->creation_find(store, t->s->number, &op->created, 1, &op->record, &here));
    if (!here) return QM_ECORRUPT;
  }
  return note_cut(t, op);
}

static int note_changes(trimmer *t, qm_change *changes, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t o = 0; o < changes[i].n_ops; o++)
      QM_TRY(note_op(t, &changes[i], &changes[i].ops[o]));
  return QM_OK;
}

static int read_batch(trimmer *t, qm_slice blob) {
  qm_batch_in in;
  qm_batch batch;
  memset(&in, 0, sizeof in);
  QM_TRY(qm_batch_open(&in, blob, &t->scratch));
  for (uint32_t i = 0; i < in.n_authors; i++)
    QM_TRY(qm_authors_find(&t->s->authors, &in.authors[i], &in.map[i]));
  QM_TRY(qm_batch_read(&in, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    const qm_segment *g = &batch.segments[i];
    uint64_t reached = qm_vv_get(&t->reached, g->author);
    if (g->next <= reached) continue;
    if (g->start > reached) return QM_EGAP;
    QM_TRY(qm_vv_set(t->e->env, &t->reached, g->author, g->next));
    QM_TRY(note_changes(t, g->changes, g->n_changes));
  }
  return QM_OK;
}

/* What a stored batch or change cannot be read for is damage here. */
static int stored(int rc) {
  qm_class c = qm_err_class(rc);
  return rc == QM_OK || rc == QM_ENOMEM || rc == QM_EGAP || c == QM_CLASS_STORAGE ? rc
                                                                                  : QM_ECORRUPT;
}

static int take_row(void *payload, const qm_log_row *row) {
  trimmer *t = payload;
  t->seq = row->seq;
  qm_arena_reset(&t->scratch);
  return stored(read_batch(t, row->batch));
}

static int take_open(void *payload, const qm_open_row *row) {
  trimmer *t = payload;
  qm_change c;
  qm_arena_reset(&t->scratch);
  int rc = qm_change_unrow(&c, row->change, &t->s->authors, &t->scratch);
  if (rc == QM_OK && c.counter > qm_vv_get(&t->reached, c.author)) rc = QM_EGAP;
  if (rc == QM_OK && c.next > qm_vv_get(&t->reached, c.author)) {
    rc = note_changes(t, &c, 1);
    if (rc == QM_OK) rc = qm_vv_set(t->e->env, &t->reached, c.author, c.next);
  }
  return stored(rc);
}

static int read_log(trimmer *t) {
  qm_store *store = t->e->store;
  int rc = QM_OK;
  while (rc == QM_OK)
    rc = store->ops->log_after(store, t->s->number, &t->seen, t->seq, take_row, t);
  if (rc != QM_ENOTFOUND) return rc;
  QM_TRY(store->ops->open_list(store, t->s->number, take_open, t));
  return qm_vv_includes(&t->reached, &t->s->vv) ? QM_OK : QM_EGAP;
}

static int fresh_cmp(const fresh *a, const fresh *b) {
  int c = qm_id_cmp(&a->record, &b->record);
  return c ? c : (a->field > b->field) - (a->field < b->field);
}

static void sift(fresh *p, uint32_t root, uint32_t n) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && fresh_cmp(&p[child], &p[child + 1]) < 0) child++;
    if (fresh_cmp(&p[root], &p[child]) >= 0) return;
    fresh x = p[root];
    p[root] = p[child];
    p[child] = x;
    root = child;
  }
}

static void sort_fresh(fresh *p, uint32_t n) {
  for (uint32_t i = n / 2; i-- > 0;) sift(p, i, n);
  for (uint32_t end = n; end-- > 1;) {
    fresh x = p[0];
    p[0] = p[end];
    p[end] = x;
    sift(p, 0, end);
  }
}

/* --- the records --- */

static int spared_of(trimmer *t, const qm_id *record, uint32_t field, qm_ranges *out) {
  const fresh key = {.record = *record, .field = field};
  uint32_t lo = 0, hi = t->n_fresh, n = 0;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (fresh_cmp(&t->fresh[mid], &key) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  while (lo + n < t->n_fresh && fresh_cmp(&t->fresh[lo + n], &key) == 0) n++;
  qm_range *p = qm_arena_array(&t->scratch, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) p[i] = t->fresh[lo + i].range;
  *out = (qm_ranges){p, n};
  return QM_OK;
}

static int find_in(trimmer *t, const qm_id *record, qm_cell *cell) {
  qm_ranges spared, go;
  QM_TRY(spared_of(t, record, cell->field, &spared));
  uint32_t most = QM_TRIM_RANGES_MAX - t->ranges;
  QM_TRY(qm_sequence_trimmable(cell, &t->s->authors, &t->seen, spared, most, &t->arena, &go));
  if (!go.n) return QM_OK;
  found *p = qm_array_open(&t->arena, t->found, t->n_found, &t->cap_found, t->n_found, sizeof *p);
  if (!p) return QM_ENOMEM;
  t->found = p;
  p[t->n_found++] = (found){*record, cell->field, go};
  t->ranges += go.n;
  t->full = t->ranges == QM_TRIM_RANGES_MAX;
  if (t->full) t->out->more = 1;
  return QM_OK;
}

static int take_record(void *payload, const qm_record_row *row) {
  trimmer *t = payload;
  qm_record r;
  if (!t->left || t->full) {
    t->out->more = 1;
    return QM_STORE_STOP;
  }
  qm_arena_reset(&t->scratch);
  QM_TRY(stored(qm_record_decode(&r, &row->id, row->state, &t->s->authors, &t->scratch)));
  for (uint32_t i = 0; i < r.n_cells && !t->full; i++)
    if (r.cells[i].shape == QM_SEQUENCE) QM_TRY(find_in(t, &row->id, &r.cells[i]));
  if (!t->full) t->out->last = row->id; /* else it is looked at again */
  t->left--;
  return QM_OK;
}

/* --- the change --- */

static int write_one(qm_write *w, const found *f, qm_trimmed *out) {
  const qm_slice none = {NULL, 0};
  qm_target target;
  QM_TRY(qm__write_target_field(w, &f->record, f->field, QM_SEQUENCE, none, &target));
  qm_op op = {
      .field = f->field, .shape = QM_SEQUENCE, .kind = QM_KIND_TRIM, .cuts = f->ranges};
  QM_TRY(qm__write_op(w, &target, op));
  for (uint32_t i = 0; i < f->ranges.n; i++) out->elements += f->ranges.p[i].len;
  out->ops++;
  return QM_OK;
}

static int write_all(trimmer *t) {
  qm_write *w;
  int rc = QM_OK;
  if (!t->n_found) return QM_OK;
  QM_TRY(qm_write_begin(&w, t->e, t->s, QM_WRITE_RAW));
  for (uint32_t i = 0; i < t->n_found && rc == QM_OK; i++) rc = write_one(w, &t->found[i], t->out);
  if (rc == QM_OK) return qm_write_commit(w, QM_DURABLE);
  qm_write_cancel(w);
  return rc;
}

static int run(trimmer *t, const qm_vv_list *live, uint32_t n_live, const qm_id *after) {
  QM_TRY(least(t, live, n_live));
  QM_TRY(read_log(t));
  sort_fresh(t->fresh, t->n_fresh);
  size_t rows = (size_t)t->left + 1; /* one more, to know whether there is one */
  QM_TRY(qm__fold_scan(t->s, after, rows, take_record, t));
  return write_all(t);
}

int qm_home_trim(qm_engine *e, qm_space *s, const qm_vv_list *live, uint32_t n_live,
                 const qm_id *after, uint32_t limit, qm_trimmed *out) {
  trimmer t = {.e = e, .s = s, .left = limit, .out = out};
  memset(out, 0, sizeof *out);
  if (after) out->last = *after;
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  if (!s->writable) return QM_EACCESS;
  qm_arena_init(&t.arena, e->env, QM_RECORD_ARENA);
  qm_arena_init(&t.scratch, e->env, QM_RECORD_ARENA);
  int rc = run(&t, live, n_live, after);
  qm_arena_free(&t.scratch);
  qm_arena_free(&t.arena);
  qm_vv_free(e->env, &t.seen);
  qm_vv_free(e->env, &t.reached);
  if (rc != QM_OK) out->elements = out->ops = 0;
  return rc;
}
