#include "core/logged.h"

#include <string.h>

#include "core/batch_columns.h"
#include "core/crdt/siblings.h"
#include "core/crdt/sequence.h"
#include "core/crdt/totals.h"
#include "core/ingest_log.h"
#include "core/mp.h"
#include "core/read.h"
#include "core/row.h"
#include "core/space.h"

#define LOGGED_ARENA ((size_t)512 << 20)

/* --- one batch --- */

static int resolve_segment(qm_space *s, qm_segment *g, qm_arena *arena) {
  qm_store *store = s->engine->store;
  qm_dot *dots = qm_arena_array(arena, g->n_ops, sizeof *dots);
  qm_op **ops = qm_arena_array(arena, g->n_ops, sizeof *ops);
  qm_id *ids = qm_arena_array(arena, g->n_ops, sizeof *ids);
  uint8_t *found = qm_arena_zero(arena, g->n_ops);
  size_t n = 0;
  if (!dots || !ops || !ids || !found) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t k = 0; k < g->changes[i].n_ops; k++) {
      qm_op *op = &g->changes[i].ops[k];
      if (op->named != QM_BY_CREATION) continue;
      dots[n] = op->created;
      ops[n++] = op;
    }
  if (!n) return QM_OK;
  QM_TRY(store->ops->creation_find(store, s->number, dots, n, ids, found));
  for (size_t i = 0; i < n; i++) {
    if (!found[i]) return QM_ECORRUPT;
    ops[i]->record = ids[i];
  }
  return QM_OK;
}

static int read_batch(qm_space *s, qm_slice blob, int resolve, qm_arena *arena, qm_batch *out) {
  qm_batch_in in;
  memset(&in, 0, sizeof in);
  QM_TRY(qm_batch_open(&in, blob, arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    QM_TRY(qm_authors_find(&s->authors, &in.authors[i], &in.map[i]));
  QM_TRY(qm_batch_read(&in, out));
  for (uint32_t i = 0; resolve && i < out->n_segments; i++)
    QM_TRY(resolve_segment(s, &out->segments[i], arena));
  return QM_OK;
}

/* What a stored batch or change cannot be read for is damage here. */
static int stored(int rc) {
  qm_class c = qm_err_class(rc);
  return rc == QM_OK || rc == QM_ENOMEM || c == QM_CLASS_STORAGE ? rc : QM_ECORRUPT;
}

int qm__logged_batch(qm_space *s, qm_slice blob, int resolve, qm_arena *arena, qm_batch *out) {
  return stored(read_batch(s, blob, resolve, arena, out));
}

/* A record id, and its head. */
typedef struct touched {
  uint64_t head;
  const qm_id *id;
} touched;

static int is_less(const touched *a, const touched *b) {
  return a->head != b->head ? a->head < b->head : qm_id_cmp(a->id, b->id) < 0;
}

/* Merges runs of 1, 2, 4, … from one array into the other; returns the one that it ends in. */
static touched *sorted(touched *p, touched *other, size_t n) {
  for (size_t run = 1; run < n; run *= 2) {
    for (size_t from = 0; from < n; from += 2 * run) {
      size_t mid = n - from < run ? n : from + run, end = n - from < 2 * run ? n : from + 2 * run;
      size_t i = from, j = mid;
      for (size_t k = from; k < end; k++)
        other[k] = i < mid && (j == end || !is_less(&p[j], &p[i])) ? p[i++] : p[j++];
    }
    touched *t = p;
    p = other;
    other = t;
  }
  return p;
}

int qm__logged_records(const qm_batch *batch, qm_arena *arena, qm_log_row *row) {
  size_t ops = 0;
  uint32_t n = 0;
  for (uint32_t i = 0; i < batch->n_segments; i++) ops += batch->segments[i].n_ops;
  touched *p = qm_arena_array(arena, ops, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < batch->n_segments; i++)
    for (uint32_t k = 0; k < batch->segments[i].n_changes; k++) {
      const qm_change *c = &batch->segments[i].changes[k];
      for (uint32_t o = 0; o < c->n_ops; o++) {
        const qm_id *id = &c->ops[o].record;
        if (n && qm_id_cmp(p[n - 1].id, id) == 0) continue; /* ops in a row on one record */
        p[n++] = (touched){qm_id_head(id), id};
      }
    }
  touched *other = qm_arena_array(arena, n, sizeof *other);
  qm_id *out = qm_arena_array(arena, n, sizeof *out);
  if (!other || !out) return QM_ENOMEM;
  p = sorted(p, other, n);
  row->records = out;
  for (uint32_t i = 0; i < n; i++)
    if (!row->n_records || qm_id_cmp(&out[row->n_records - 1], p[i].id) != 0)
      out[row->n_records++] = *p[i].id;
  return QM_OK;
}

/* --- history: a record's cells, made anew from the log --- */

/* A sibling that a write took away. Who wrote without having seen that write, still saw it. */
typedef struct gone {
  struct gone *next;
  uint32_t field;
  qm_sibling sibling;
  qm_dot by;
} gone;

typedef struct replay {
  qm_engine *e;
  qm_space *s;
  const qm_id *id;
  qm_visit_past visit;
  void *payload;
  qm_record record;
  qm_arena arena;  /* of the record */
  qm_arena batch;  /* of the row at hand */
  qm_vv *clocks;   /* by author: what it had surely seen */
  uint64_t *known; /* by author: below this counter clocks say all that it had seen */
  uint64_t seq;
  qm_slice blob;
  int created;
  gone *gone; /* the last first */
} replay;

static int take_deps(replay *r, const qm_change *c) {
  qm_vv *clock = &r->clocks[c->author];
  for (uint32_t i = 0; i < c->n_deps; i++)
    if (c->deps[i].counter > qm_vv_get(clock, c->deps[i].author))
      QM_TRY(qm_vv_set(r->e->env, clock, c->deps[i].author, c->deps[i].counter));
  if (r->known[c->author] >= c->counter && r->known[c->author] < c->next)
    r->known[c->author] = c->next;
  return QM_OK;
}

typedef struct walk {
  replay *r;
  uint32_t author;
  uint64_t until, seq;
  int done;
} walk;

static int walk_row(void *payload, const qm_log_row *row) {
  walk *w = payload;
  qm_arena arena;
  qm_batch batch;
  w->seq = row->seq;
  qm_arena_init(&arena, w->r->e->env, LOGGED_ARENA);
  int rc = qm__logged_batch(w->r->s, row->batch, 0, &arena, &batch);
  for (uint32_t i = 0; rc == QM_OK && i < batch.n_segments && !w->done; i++) {
    const qm_segment *g = &batch.segments[i];
    if (g->author != w->author) continue;
    for (uint32_t k = 0; rc == QM_OK && k < g->n_changes && !w->done; k++) {
      if (g->changes[k].counter >= w->until)
        w->done = 1;
      else
        rc = take_deps(w->r, &g->changes[k]);
    }
  }
  qm_arena_free(&arena);
  return rc;
}

/* Reads what else the author wrote before `until`, so that its context is known there. */
static int catch_up(replay *r, uint32_t author, uint64_t until) {
  qm_store *store = r->e->store;
  walk w = {.r = r, .author = author, .until = until};
  qm_vv vv = {NULL, 0, 0};
  int rc = QM_OK;
  if (r->known[author] >= until) return QM_OK;
  for (uint32_t a = 0; a < r->s->authors.n && rc == QM_OK; a++)
    rc = qm_vv_set(r->e->env, &vv, a, a == author ? r->known[a] : UINT64_MAX);
  while (rc == QM_OK && !w.done)
    rc = store->ops->log_after(store, r->s->number, &vv, w.seq, walk_row, &w);
  qm_vv_free(r->e->env, &vv);
  r->known[author] = until;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static const qm_siblings *siblings_at(const replay *r, const qm_op *op) {
  const qm_cell *cell = op->shape == QM_SIBLINGS
                            ? qm_record_cell(&r->record, op->field, QM_SIBLINGS)
                            : NULL;
  return cell ? qm_siblings_of(cell) : NULL;
}

static int unseen(const replay *r, const qm_change *c, const qm_op *op) {
  const qm_siblings *v = siblings_at(r, op);
  for (uint32_t i = 0; v && i < v->n; i++)
    if (v->p[i].dot.author != c->author && !qm_vv_covers(&r->clocks[c->author], v->p[i].dot))
      return 1;
  return 0;
}

static const qm_field_def *field_of(const replay *r, const qm_op *op) {
  const qm_schema *schema = r->s->schema;
  const qm_collection_def *c =
      schema ? qm_schema_collection(schema, qm_record_collection(&r->record)) : NULL;
  return c ? qm_collection_field(c, op->field) : NULL;
}

/* --- what stood there before --- */

static int keep_buf(replay *r, const qm_buf *b, qm_slice *out) {
  QM_TRY(qm_buf_status(b));
  uint8_t *p = qm_arena_copy(&r->batch, b->p, b->n);
  *out = qm_slice_of(p, b->n);
  return p ? QM_OK : QM_ENOMEM;
}

static int has_seen(const replay *r, uint32_t author, qm_dot d) {
  return d.author == author || qm_vv_covers(&r->clocks[author], d);
}

/* Of what is gone: seen by the author, and so is no write that took it away. */
static int saw_gone(const replay *r, uint32_t author, const gone *g) {
  if (!has_seen(r, author, g->sibling.dot)) return 0;
  int earlier = 1; /* of several entries of one sibling the first stands for it */
  for (const gone *x = r->gone; x; x = x->next) {
    if (x == g) earlier = 0;
    if (!qm_dot_eq(x->sibling.dot, g->sibling.dot)) continue;
    if (earlier || has_seen(r, author, x->by)) return 0;
  }
  return 1;
}

static int add_gone(replay *r, uint32_t author, uint32_t field, qm_siblings *seen) {
  uint32_t n = 0;
  for (const gone *g = r->gone; g; g = g->next) n += g->field == field;
  qm_sibling *p = qm_arena_array(&r->batch, (size_t)seen->n + n, sizeof *p);
  if (!p) return QM_ENOMEM;
  memcpy(p, seen->p, seen->n * sizeof *p);
  seen->p = p;
  for (const gone *g = r->gone; g; g = g->next)
    if (g->field == field && saw_gone(r, author, g)) seen->p[seen->n++] = g->sibling;
  return QM_OK;
}

static int note_gone(replay *r, uint32_t field, const qm_sibling *x, qm_dot by) {
  gone *g = qm_arena_zero(&r->arena, sizeof *g);
  if (!g) return QM_ENOMEM;
  *g = (gone){r->gone, field, *x, by};
  r->gone = g;
  return QM_OK;
}

static int stands(const qm_siblings *v, qm_dot d) {
  for (uint32_t i = 0; v && i < v->n; i++)
    if (qm_dot_eq(v->p[i].dot, d)) return 1;
  return 0;
}

static int shown_before(replay *r, const qm_change *c, const qm_op *op, qm_past *out) {
  const qm_siblings *v = siblings_at(r, op);
  qm_contest contest;
  if (!v) return QM_OK;
  qm_siblings seen = *v;
  seen.n = 0;
  seen.p = qm_arena_array(&r->batch, v->n, sizeof *seen.p);
  if (!seen.p) return QM_ENOMEM;
  for (uint32_t i = 0; i < v->n; i++)
    if (has_seen(r, c->author, v->p[i].dot))
      seen.p[seen.n++] = v->p[i];
    else
      out->concurrent = 1;
  if (out->concurrent) QM_TRY(add_gone(r, c->author, op->field, &seen));
  qm_cell cell = {op->field, QM_SIBLINGS, &seen};
  QM_TRY(qm_read_contest(r->s, field_of(r, op), &cell, &r->batch, &contest));
  if (contest.shown) out->before = contest.shown->value;
  return QM_OK;
}

static int sum_before(replay *r, const qm_op *op, qm_past *out) {
  const qm_cell *cell = qm_record_cell(&r->record, op->field, QM_TOTALS);
  int64_t sum = 0;
  qm_buf b;
  if (qm_totals_sum(cell ? qm_totals_of(cell) : NULL, &sum) != QM_OK) return QM_OK;
  qm_buf_init(&b, r->e->env, 16);
  qm_mp_int(&b, sum);
  int rc = keep_buf(r, &b, &out->before);
  qm_buf_free(&b);
  return rc;
}

static int text_at(replay *r, const qm_op *op, qm_buf *out) {
  const qm_cell *cell = qm_record_cell(&r->record, op->field, QM_SEQUENCE);
  if (cell) qm_sequence_text(cell, out);
  return qm_buf_status(out);
}

static int is_tail(uint8_t byte) { return (byte & 0xc0) == 0x80; }

/* What `longer` has between the beginning and the end that it shares with `shorter`, in whole
 * characters. */
static qm_slice cut_out(const qm_buf *longer, const qm_buf *shorter) {
  size_t head = 0, tail = 0;
  while (head < shorter->n && longer->p[head] == shorter->p[head]) head++;
  while (head && (is_tail(longer->p[head]) || (head < shorter->n && is_tail(shorter->p[head]))))
    head--;
  while (tail < shorter->n - head &&
         longer->p[longer->n - 1 - tail] == shorter->p[shorter->n - 1 - tail])
    tail++;
  size_t to = longer->n - tail;
  while (to < longer->n && is_tail(longer->p[to])) to++;
  return qm_slice_of(longer->p + head, to - head);
}

static int apply_op(replay *r, const qm_change *c, const qm_op *op) {
  qm_vv *clock = &r->clocks[c->author];
  QM_TRY(qm_vv_set(r->e->env, clock, c->author, op->counter));
  qm_apply a = {&r->s->authors, clock, c, &r->arena};
  return qm_record_apply(&r->record, &a, op);
}

static int apply_cut(replay *r, const qm_change *c, const qm_op *op, qm_past *out) {
  qm_buf before, after, value;
  qm_buf_init(&before, r->e->env, QM_RECORD_MAX);
  qm_buf_init(&after, r->e->env, QM_RECORD_MAX);
  qm_buf_init(&value, r->e->env, QM_RECORD_MAX + 16);
  const qm_field_def *f = field_of(r, op);
  int text = !f || f->type == QM_FIELD_TEXT;
  int rc = text ? text_at(r, op, &before) : QM_OK;
  if (rc == QM_OK) rc = apply_op(r, c, op);
  if (rc == QM_OK && text) rc = text_at(r, op, &after);
  if (rc == QM_OK && before.n > after.n) {
    qm_slice piece = cut_out(&before, &after);
    qm_mp_str(&value, piece.p, piece.n);
    rc = keep_buf(r, &value, &out->before);
  }
  qm_buf_free(&before);
  qm_buf_free(&after);
  qm_buf_free(&value);
  return rc;
}

/* A write, and what it takes away: also of what is gone already, where it stands beside the
 * write that took it. */
static int apply_write(replay *r, const qm_change *c, const qm_op *op, int concurrent) {
  const qm_siblings *v = siblings_at(r, op);
  uint32_t n = v ? v->n : 0;
  qm_dot by = {op->counter, c->author};
  qm_sibling *old = qm_arena_array(&r->batch, n, sizeof *old);
  if (!old) return QM_ENOMEM;
  if (n) memcpy(old, v->p, n * sizeof *old);
  for (const gone *g = concurrent ? r->gone : NULL; g; g = g->next)
    if (g->field == op->field && saw_gone(r, c->author, g))
      QM_TRY(note_gone(r, op->field, &g->sibling, by));
  QM_TRY(apply_op(r, c, op));
  for (uint32_t i = 0; i < n; i++)
    if (!stands(siblings_at(r, op), old[i].dot))
      QM_TRY(note_gone(r, op->field, &old[i], by));
  return QM_OK;
}

/* --- the walk --- */

static int one_op(replay *r, const qm_change *c, const qm_op *op) {
  qm_past past = {.change = c, .op = op, .record = &r->record};
  int rc = QM_OK;
  if (op->shape == QM_SIBLINGS && unseen(r, c, op)) rc = catch_up(r, c->author, c->counter);
  if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) r->created = 1;
  if (rc == QM_OK && op->shape == QM_SIBLINGS) rc = shown_before(r, c, op, &past);
  if (rc == QM_OK && op->shape == QM_TOTALS) rc = sum_before(r, op, &past);
  int cuts = op->shape == QM_SEQUENCE && op->kind == QM_KIND_CUT;
  if (rc == QM_OK && op->shape == QM_SIBLINGS)
    rc = apply_write(r, c, op, past.concurrent);
  else if (rc == QM_OK)
    rc = cuts ? apply_cut(r, c, op, &past) : apply_op(r, c, op);
  return rc == QM_OK ? r->visit(r->payload, &past) : rc;
}

/* What has been applied borrows its values from the batch: they are copied first. */
static int one_change(replay *r, qm_change *c) {
  QM_TRY(take_deps(r, c));
  for (uint32_t i = 0; i < c->n_ops; i++) {
    qm_op *op = &c->ops[i];
    if (qm_id_cmp(&op->record, r->id) != 0) continue;
    uint8_t *p = qm_arena_copy(&r->arena, op->value.p, op->value.n);
    if (!p) return QM_ENOMEM;
    op->value.p = p;
    QM_TRY(one_op(r, c, op));
  }
  return QM_OK;
}

static int take_blob(void *payload, const qm_log_row *row) {
  replay *r = payload;
  uint8_t *p = qm_arena_copy(&r->batch, row->batch.p, row->batch.n);
  r->seq = row->seq;
  r->blob = qm_slice_of(p, row->batch.n);
  return p ? QM_OK : QM_ENOMEM;
}

static int next_row(replay *r) {
  qm_store *store = r->e->store;
  qm_batch batch;
  QM_TRY(qm__log_settled(r->s));
  qm_arena_reset(&r->batch);
  QM_TRY(store->ops->log_of(store, r->s->number, r->id, r->seq, take_blob, r));
  QM_TRY(qm__logged_batch(r->s, r->blob, 1, &r->batch, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++)
    for (uint32_t k = 0; k < batch.segments[i].n_changes; k++)
      QM_TRY(one_change(r, &batch.segments[i].changes[k]));
  return QM_OK;
}

static int take_open(void *payload, const qm_open_row *row) {
  replay *r = payload;
  qm_change c;
  qm_arena_reset(&r->batch);
  QM_TRY(stored(qm_change_unrow(&c, row->change, &r->s->authors, &r->batch)));
  return one_change(r, &c);
}

int qm_engine_history(qm_engine *e, qm_space *s, const qm_id *record, qm_visit_past visit,
                      void *payload, int *whole) {
  uint32_t n = s->authors.n;
  replay r = {.e = e, .s = s, .id = record, .visit = visit, .payload = payload};
  if (e->poisoned) return QM_EIO;
  r.record.id = *record;
  qm_arena_init(&r.arena, e->env, LOGGED_ARENA);
  qm_arena_init(&r.batch, e->env, LOGGED_ARENA);
  r.clocks = qm_alloc_zero(e->env, (size_t)(n ? n : 1) * sizeof *r.clocks);
  r.known = qm_alloc_zero(e->env, (size_t)(n ? n : 1) * sizeof *r.known);
  int rc = r.clocks && r.known ? QM_OK : QM_ENOMEM;
  while (rc == QM_OK) rc = next_row(&r);
  if (rc == QM_ENOTFOUND) rc = e->store->ops->open_list(e->store, s->number, take_open, &r);
  for (uint32_t i = 0; r.clocks && i < n; i++) qm_vv_free(e->env, &r.clocks[i]);
  qm_free(e->env, r.clocks);
  qm_free(e->env, r.known);
  qm_arena_free(&r.batch);
  qm_arena_free(&r.arena);
  *whole = r.created;
  return rc;
}
