/* What others decide later about changes that are here: a stamp, setting aside, a verdict. It
 * changes what is shown of the records those changes wrote, and writes none of them. */
#include <string.h>

#include "core/aside_int.h"

/* Beyond these the feed says "anything of the space". */
#define RECORDS_MAX 4096u
#define ROWS_MAX 256u
#define ROW_ARENA ((size_t)128 << 20)

static int is_on(const qm_space *s) { return (s->engine->flags & QM_ENGINE_FEED) != 0; }

/* --- setting aside --- */

int qm__feed_aside(qm_space *s, const qm_change *c) {
  if (!is_on(s)) return QM_OK;
  for (uint32_t i = 0; i < c->n_ops; i++) {
    const qm_op *op = &c->ops[i];
    qm_loaded *l;
    QM_TRY(qm__space_record(s, &op->record, &l));
    QM_TRY(qm__feed_touch(s, l, op->field, 1));
    QM_TRY(qm__feed_touch(s, l, QM_FEED_ASIDE, 1));
    QM_TRY(qm__feed_edge(s, l, op, 1));
  }
  return QM_OK;
}

/* --- stamps --- */

typedef struct late {
  qm_space *s;
  uint32_t author;
  uint64_t first, next; /* what is shown otherwise */
  uint64_t at;          /* so far the log was read */
  uint32_t rows, records;
  qm_arena arena;
} late;

static int late_change(late *x, const qm_change *c) {
  int remote = c->author != x->s->own;
  for (uint32_t i = 0; i < c->n_ops; i++) {
    qm_loaded *l;
    QM_TRY(qm__space_record(x->s, &c->ops[i].record, &l));
    if (!l->feed && ++x->records > RECORDS_MAX) return QM_ELIMIT;
    QM_TRY(qm__feed_touch(x->s, l, c->ops[i].field, remote));
  }
  return QM_OK;
}

static int late_row(void *payload, const qm_log_row *row) {
  late *x = payload;
  qm_batch batch;
  qm_arena_reset(&x->arena);
  QM_TRY(qm__log_decode(x->s, row->batch, &x->arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    const qm_segment *g = &batch.segments[i];
    if (g->author != x->author) continue;
    if (g->next > x->at) x->at = g->next;
    for (uint32_t k = 0; k < g->n_changes; k++) {
      const qm_change *c = &g->changes[k];
      if (c->next > x->first && c->counter < x->next) QM_TRY(late_change(x, c));
    }
  }
  return QM_OK;
}

/* vv: everything but what this author wrote from x->at on. */
static int late_rows(late *x, qm_vv *vv) {
  qm_store *store = x->s->engine->store;
  while (x->at < x->next) {
    if (++x->rows > ROWS_MAX) return QM_ELIMIT;
    vv->next[x->author] = x->at;
    int rc = store->ops->log_after(store, x->s->number, vv, 0, late_row, x);
    if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  }
  return QM_OK;
}

/* The records that one author wrote in [first, next), as far as they are here. QM_ECUT,
 * QM_ELIMIT: say more than that. */
static int late_range(late *x, uint32_t author, uint64_t first, uint64_t next) {
  qm_space *s = x->s;
  const qm_env *env = s->engine->env;
  qm_vv vv = {NULL, 0, 0};
  int rc = QM_OK;
  if (first >= qm_vv_get(&s->vv, author)) return QM_OK;
  if (first < qm_vv_get(&s->floor, author)) return QM_ECUT;
  x->author = author;
  x->first = x->at = first;
  x->next = next < s->states[author].closed ? next : s->states[author].closed;
  for (uint32_t a = 0; a < s->authors.n && rc == QM_OK; a++)
    rc = qm_vv_set(env, &vv, a, UINT64_MAX);
  if (rc == QM_OK) rc = late_rows(x, &vv);
  qm_vv_free(env, &vv);
  return rc;
}

static const qm_stamp *same_start(const qm_stamp *p, uint32_t n, const qm_stamp *t) {
  for (uint32_t i = 0; i < n; i++)
    if (p[i].author == t->author && p[i].first == t->first && p[i].time == t->time) return &p[i];
  return NULL;
}

/* What `a` covers and `b` does not cover so. */
static int late_pieces(late *x, const qm_stamp *a, uint32_t n_a, const qm_stamp *b, uint32_t n_b) {
  for (uint32_t i = 0; i < n_a; i++) {
    const qm_stamp *t = &a[i], *other = same_start(b, n_b, t);
    uint64_t first = other ? other->next : t->first; /* a run that went on */
    if (first < t->next) QM_TRY(late_range(x, t->author, first, t->next));
  }
  return QM_OK;
}

int qm__feed_stamps(qm_space *s, const qm_stamp *before, uint32_t n) {
  late x = {.s = s};
  qm_id zero = {{0}};
  qm_loaded *l;
  if (!is_on(s)) return QM_OK;
  qm_arena_init(&x.arena, s->engine->env, ROW_ARENA);
  int rc = late_pieces(&x, s->stamps.p, s->stamps.n, before, n);
  if (rc == QM_OK) rc = late_pieces(&x, before, n, s->stamps.p, s->stamps.n);
  qm_arena_free(&x.arena);
  if (rc != QM_ECUT && rc != QM_ELIMIT) return rc;
  QM_TRY(qm__space_record(s, &zero, &l));
  return qm__feed_touch(s, l, QM_FEED_ALL, 1);
}
