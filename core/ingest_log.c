#include "core/ingest_log.h"

#include <string.h>

#include "core/logged.h"

/* What may wait in one space, and in all together. */
#define WAITING_MAX QM_BATCH_SEGMENTS_MAX /* a row */
#define WAITING_BYTES ((size_t)1 << 20)

int qm__log_segments(qm_space *s, qm_segment *p, uint32_t n, qm_slice blob) {
  qm_store *store = s->engine->store;
  qm_arena *arena = &s->engine->batch;
  qm_segment_row *rows = qm_arena_array(arena, n, sizeof *rows);
  uint64_t seq;
  if (!rows) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) rows[i] = (qm_segment_row){p[i].author, p[i].start, p[i].next};
  qm_batch batch = {p, n};
  qm_log_row row = {.batch = blob, .segments = rows, .n_segments = n};
  QM_TRY(qm__logged_records(&batch, arena, &row));
  return store->ops->log_append(store, s->number, &row, &seq);
}

int qm__log_recoded(qm_space *s, qm_segment *p, uint32_t n) {
  qm_batch part = {p, n};
  qm_buf b;
  qm_buf_init(&b, s->engine->env, QM_BATCH_MAX);
  int rc = qm_batch_encode(&b, &part, &s->authors, s->engine->zip_level);
  if (rc == QM_OK) rc = qm__log_segments(s, p, n, qm_buf_slice(&b));
  qm_buf_free(&b);
  if (rc != QM_ELIMIT || n == 1) return rc;
  QM_TRY(qm__log_recoded(s, p, n / 2));
  return qm__log_recoded(s, p + n / 2, n - n / 2);
}

/* --- what waits --- */

int qm__log_wait(qm_space *s, const qm_segment *g) {
  qm_arena *arena = qm__log_waiting(s);
  if (s->n_waiting == s->cap_waiting) {
    uint32_t cap = s->cap_waiting ? s->cap_waiting * 2 : 8;
    qm_segment *p = qm_arena_grow(arena, s->waiting, s->n_waiting, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    s->waiting = p;
    s->cap_waiting = cap;
  }
  s->waiting[s->n_waiting++] = *g;
  if (s->n_waiting < WAITING_MAX && arena->used < WAITING_BYTES) return QM_OK;
  return qm__log_settle(s->engine);
}

static void forget(qm_engine *e) {
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    e->spaces[i]->waiting = NULL;
    e->spaces[i]->n_waiting = e->spaces[i]->cap_waiting = 0;
  }
}

int qm__log_settle(qm_engine *e) {
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    qm_space *s = e->spaces[i];
    if (s->n_waiting) QM_TRY(qm__log_recoded(s, s->waiting, s->n_waiting));
  }
  forget(e);
  /* Records of such a transaction may borrow from it (qm__space_apply_op). */
  if (!e->whole) qm_arena_reset(&e->waiting);
  return QM_OK;
}

void qm__log_end(qm_engine *e) {
  forget(e);
  qm_arena_reset(&e->waiting);
}
