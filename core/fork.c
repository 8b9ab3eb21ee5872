/* One author's run, closed twice: a backup or copy was taken while changes lay in the open
 * run, and the original went on in it. The shorter segment then holds the first changes of
 * the longer one. Both are that author's word and say the same, so who holds the shorter
 * takes the longer after it: only what is new of it takes effect (SPEC S18.8). */
#include <string.h>

#include "core/aside_int.h"

#define ROW_ARENA ((size_t)128 << 20)

/* --- equal changes --- */

/* How a batch names the record is no part of a change. Where either of the two was erased
 * nothing can be said of the value; it has no effect in either. */
static void row_of(const qm_space *s, const qm_change *c, const qm_change *other, qm_op *ops,
                   qm_buf *out) {
  qm_change plain = *c;
  for (uint32_t i = 0; i < c->n_ops; i++) {
    ops[i] = c->ops[i];
    ops[i].named = QM_BY_ID;
    if (!((c->ops[i].flags | other->ops[i].flags) & QM_OP_ERASED)) continue;
    ops[i].flags |= QM_OP_ERASED;
    ops[i].value = qm_slice_of(NULL, 0);
    memset(ops[i].leaf, 0, sizeof ops[i].leaf);
  }
  plain.ops = ops;
  qm_buf_clear(out);
  qm_change_row(&plain, &s->authors, out);
}

static int same_change(qm_space *s, const qm_change *a, const qm_change *b, int *same) {
  qm_arena *arena = &s->engine->arena;
  qm_buf x, y;
  *same = a->counter == b->counter && a->next == b->next && a->n_ops == b->n_ops;
  if (!*same) return QM_OK;
  qm_op *ops = qm_arena_array(arena, a->n_ops, sizeof *ops);
  if (!ops) return QM_ENOMEM;
  qm_buf_init(&x, s->engine->env, SIZE_MAX / 2);
  qm_buf_init(&y, s->engine->env, SIZE_MAX / 2);
  row_of(s, a, b, ops, &x);
  row_of(s, b, a, ops, &y);
  int rc = qm_buf_status(&x) != QM_OK ? qm_buf_status(&x) : qm_buf_status(&y);
  *same = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&x), qm_buf_slice(&y)) == 0;
  qm_buf_free(&x);
  qm_buf_free(&y);
  return rc;
}

/* --- the chain up to a counter --- */

static int chain_row(qm_space *s, uint32_t author, uint64_t end, qm_arena *arena, uint64_t *at,
                     qm_hash *head) {
  qm_log_row row;
  qm_batch batch;
  qm_arena_reset(arena);
  QM_TRY(qm__log_at(s, author, *at, arena, &row));
  QM_TRY(qm__log_decode(s, row.batch, arena, &batch));
  uint64_t before = *at;
  for (uint32_t i = 0; i < batch.n_segments && *at < end; i++) {
    const qm_segment *g = &batch.segments[i];
    qm_hash hash;
    if (g->author != author || g->start != *at) continue;
    QM_TRY(qm_segment_hash(g, &s->id, head, &s->authors, arena, &hash));
    *head = hash;
    *at = g->next;
  }
  return *at > before ? QM_OK : QM_ENOTFOUND;
}

/* The full hash of the author's segment that ends at `end`. QM_EFORK where none does. */
static int chain_at(qm_space *s, uint32_t author, uint64_t end, qm_hash *head) {
  qm_arena arena;
  uint64_t at = 0;
  int rc = QM_OK;
  memset(head, 0, sizeof *head);
  qm_arena_init(&arena, s->engine->env, ROW_ARENA);
  while (rc == QM_OK && at < end) rc = chain_row(s, author, end, &arena, &at, head);
  qm_arena_free(&arena);
  if (rc == QM_ENOTFOUND || (rc == QM_OK && at != end)) return QM_EFORK;
  return rc;
}

/* --- what is held here of it --- */

typedef struct held {
  qm_space *s;
  qm_segment *g;
  uint32_t n;
  int differs;
} held;

static int meet_change(held *h, const qm_change *c) {
  int same = 0;
  if (h->n < h->g->n_changes) QM_TRY(same_change(h->s, c, &h->g->changes[h->n], &same));
  h->differs |= !same;
  h->n++;
  return QM_OK;
}

static int meet_open(void *payload, const qm_open_row *row) {
  held *h = payload;
  qm_change c;
  uint8_t *copy = qm_arena_copy(&h->s->engine->arena, row->change.p, row->change.n);
  if (!copy) return QM_ENOMEM;
  int rc = qm_change_unrow(&c, qm_slice_of(copy, row->change.n), &h->s->authors,
                           &h->s->engine->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  return meet_change(h, &c);
}

/* The last closed segment, if it starts where g does and ends what is held of the author. */
static int meet_closed(held *h) {
  qm_space *s = h->s;
  qm_log_row row;
  qm_batch batch;
  int rc = qm__log_at(s, h->g->author, s->states[h->g->author].closed - 1, &s->engine->arena, &row);
  if (rc == QM_ENOTFOUND) return QM_EFORK;
  QM_TRY(rc);
  QM_TRY(qm__log_decode(s, row.batch, &s->engine->arena, &batch));
  h->differs = 1;
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    const qm_segment *l = &batch.segments[i];
    if (l->author != h->g->author || l->next != s->states[l->author].closed) continue;
    h->differs = l->start != h->g->start ||
                 memcmp(l->previous, h->g->previous, QM_HEAD_SIZE) != 0;
    for (uint32_t k = 0; k < l->n_changes && !h->differs; k++)
      QM_TRY(meet_change(h, &l->changes[k]));
    break;
  }
  return QM_OK;
}

int qm__fork_continues(qm_space *s, qm_segment *g, qm_hash *previous, uint32_t *n) {
  const qm_author_state *st = &s->states[g->author];
  held h = {.s = s, .g = g};
  int is_open = g->start == st->closed, whole = st->closed == qm_vv_get(&s->vv, g->author);
  *n = 0;
  if (!is_open && !whole) return QM_EFORK;
  int rc = qm__log_resolve(s, g, &s->engine->arena);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_EFORK : rc;
  if (is_open) {
    if (g->author != s->own) return QM_EFORK;
    *previous = st->head;
    QM_TRY(s->engine->store->ops->open_list(s->engine->store, s->number, meet_open, &h));
  } else {
    QM_TRY(chain_at(s, g->author, g->start, previous));
    QM_TRY(meet_closed(&h));
  }
  if (h.differs || memcmp(previous->b, g->previous, QM_HEAD_SIZE) != 0) return QM_EFORK;
  *n = h.n;
  return QM_OK;
}
