/* space_dirty.c: what a save is about (core/space.h). */
#include "core/batch_columns.h"
#include "core/prefetch.h"
#include "core/space.h"

#define AHEAD 8u /* records further on that are fetched */

/* A record with the head of its id: most are told apart without being looked at. */
typedef struct by_id {
  uint64_t head;
  qm_loaded *l;
} by_id;

static int id_less(const void *ctx, uint32_t a, uint32_t b) {
  const by_id *x = (const by_id *)ctx + a, *y = (const by_id *)ctx + b;
  if (x->head != y->head) return x->head < y->head;
  return qm_id_cmp(&x->l->record.id, &y->l->record.id) < 0;
}

int qm__space_dirty_list(qm_space *s, qm_loaded ***out, uint32_t *n) {
  qm_arena *arena = &s->engine->arena;
  by_id *all = qm_arena_array(arena, s->n_changed, sizeof *all);
  uint32_t *order = qm_arena_array(arena, s->n_changed, sizeof *order), count = 0;
  qm_loaded **p = qm_arena_array(arena, s->n_changed, sizeof *p);
  if (!all || !order || !p) return QM_ENOMEM;
  for (uint32_t i = 0; i < s->n_changed; i++) {
    qm_loaded *l = s->changed[i];
    const qm_loaded *far = s->changed[i + AHEAD < s->n_changed ? i + AHEAD : i];
    qm_prefetch(far);
    qm_prefetch(&far->dirty);
    if (!l->dirty) continue;
    order[count] = count;
    all[count++] = (by_id){qm_id_head(&l->record.id), l};
  }
  qm__heap_sort(order, count, id_less, all);
  for (uint32_t i = 0; i < count; i++) p[i] = all[order[i]].l;
  *out = p;
  *n = count;
  return QM_OK;
}
