/* The size cap of a device's history. */
#include "core/retain.h"
#include "core/space.h"

typedef struct log_size {
  qm_space *s;
  uint64_t bytes;
  int stuck; /* nothing more may go of it */
} log_size;

static int add_row(void *payload, const qm_log_row *row) {
  uint64_t *bytes = payload;
  *bytes += row->batch.n;
  return QM_OK;
}

static int measure(qm_engine *e, log_size *l) {
  l->bytes = 0;
  return e->store->ops->log_sizes(e->store, l->s->number, add_row, &l->bytes);
}

int qm_engine_log_bytes(qm_engine *e, uint64_t *out) {
  *out = 0;
  for (uint32_t i = 0; i < qm_engine_space_count(e); i++) {
    log_size l = {qm_engine_space_at(e, i), 0, 0};
    QM_TRY(measure(e, &l));
    *out += l.bytes;
  }
  return QM_OK;
}

static uint64_t sum(const log_size *l, uint32_t n) {
  uint64_t all = 0;
  for (uint32_t i = 0; i < n; i++) all += l[i].bytes;
  return all;
}

/* The length such that all logs together take no more than `goal` when none is longer, but those
 * that are stuck. */
static uint64_t level(const log_size *l, uint32_t n, uint64_t goal) {
  uint64_t lo = 0, hi = goal;
  while (lo < hi) {
    uint64_t mid = hi - (hi - lo) / 2, all = 0;
    for (uint32_t i = 0; i < n; i++)
      all += l[i].stuck || l[i].bytes < mid ? l[i].bytes : mid;
    if (all <= goal)
      lo = mid;
    else
      hi = mid - 1;
  }
  return lo;
}

/* --- one log --- */

typedef struct oldest {
  const qm_space *s;
  uint64_t wanted, got;
  qm_vv below;
} oldest;

static int choose_row(void *payload, const qm_log_row *row) {
  oldest *o = payload;
  if (o->got >= o->wanted) return QM_STORE_STOP;
  for (uint32_t i = 0; i < row->n_segments; i++)
    if (row->segments[i].next > qm__space_cut_limit(o->s, row->segments[i].author)) return QM_OK;
  for (uint32_t i = 0; i < row->n_segments; i++) {
    const qm_segment_row *g = &row->segments[i];
    if (g->next > qm_vv_get(&o->below, g->author))
      QM_TRY(qm_vv_set(o->s->engine->env, &o->below, g->author, g->next));
  }
  o->got += row->batch.n;
  return QM_OK;
}

static int shorten(qm_engine *e, log_size *l, uint64_t wanted) {
  oldest o = {.s = l->s, .wanted = wanted};
  int rc = e->store->ops->log_sizes(e->store, l->s->number, choose_row, &o);
  if (rc == QM_OK && o.got) rc = qm_engine_cut(e, l->s, &o.below);
  qm_vv_free(e->env, &o.below);
  if (o.got < wanted) l->stuck = 1;
  return rc == QM_OK ? measure(e, l) : rc;
}

/* --- all of them --- */

static int shorten_all(qm_engine *e, log_size *l, uint32_t n, uint64_t goal) {
  for (int again = 1; again;) { /* at most once a log that comes to be stuck */
    uint64_t most = level(l, n, goal);
    again = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (l[i].stuck || l[i].bytes <= most) continue;
      QM_TRY(shorten(e, &l[i], l[i].bytes - most));
      again |= l[i].stuck;
    }
  }
  return QM_OK;
}

int qm_engine_cap(qm_engine *e, uint64_t bytes_max, qm_capped *out) {
  uint32_t n = qm_engine_space_count(e);
  int rc = QM_OK;
  *out = (qm_capped){0, 0, 0};
  if (e->poisoned) return QM_EIO;
  if (e->flags & QM_ENGINE_HUB) return QM_EINVAL;
  if (e->open) return QM_ESTATE;
  log_size *l = qm_alloc_array(e->env, n, sizeof *l);
  if (n && !l) return QM_ENOMEM;
  for (uint32_t i = 0; i < n && rc == QM_OK; i++) {
    l[i] = (log_size){qm_engine_space_at(e, i), 0, 0};
    rc = measure(e, &l[i]);
  }
  uint64_t before = rc == QM_OK ? sum(l, n) : 0;
  if (rc == QM_OK && before > bytes_max) rc = shorten_all(e, l, n, bytes_max - bytes_max / 8);
  if (rc == QM_OK) {
    out->bytes = sum(l, n);
    out->gone = before - out->bytes;
    out->over = out->bytes > bytes_max ? out->bytes - bytes_max : 0;
  }
  qm_free(e->env, l);
  return rc;
}
