/* Records that stay loaded between transactions (core/space.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support_engine.h"

typedef struct row {
  qm_buf *blob;
  uint8_t hash[16];
  int found;
} row;

static int take_row(void *payload, const qm_record_row *r) {
  row *to = payload;
  qm_buf_add(to->blob, r->state.p, r->state.n);
  memcpy(to->hash, r->hash, 16);
  to->found = 1;
  return qm_buf_status(to->blob);
}

static void check(dev *d, qm_loaded *l) {
  qm_space *s = d->space;
  qm_arena arena;
  qm_buf stored, kept;
  row r = {&stored, {0}, 0};
  qm_env env = qm_env_default();
  qm_arena_init(&arena, &env, QM_RECORD_ARENA);
  qm_buf_init(&stored, &env, QM_RECORD_MAX);
  qm_buf_init(&kept, &env, QM_RECORD_MAX);
  assert_int_equal(
      d->store->ops->record_load(d->store, s->number, &l->record.id, 1, take_row, &r), QM_OK);
  assert_int_equal(l->stored, r.found);
  if (r.found) {
    assert_memory_equal(l->old_hash, r.hash, 16);
    assert_int_equal(qm_record_encode(&l->record, &s->authors, &arena, &kept), QM_OK);
    assert_int_equal(kept.n, stored.n);
    assert_memory_equal(kept.p, stored.p, stored.n);
  } else {
    assert_true(qm_record_empty(&l->record));
  }
  assert_null(l->feed);
  assert_false(l->touched || l->listed || l->edges_touched || l->names_own);
  qm_buf_free(&stored);
  qm_buf_free(&kept);
  qm_arena_free(&arena);
}

unsigned check_kept(dev *d) {
  const qm_space *s = d->space;
  unsigned n = 0;
  assert_false(d->engine->open);
  if (s->behind) return 0; /* what waits is compared once it is folded */
  assert_int_equal(s->n_changed, 0);
  for (uint32_t i = 0; i < s->table_cap; i++) {
    qm_loaded *l = s->table[i];
    if (!l || !l->here) continue;
    check(d, l);
    n++;
  }
  return n;
}
