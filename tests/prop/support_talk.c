/* What a session exchanges, without one (support_world.h: talk). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)

typedef struct side {
  qm_vv_list vv;
  qm_aside_counts asides;
} side;

static side stated(device *d, qm_arena *arena) {
  side s;
  ok(qm_engine_fork_settle(d->engine, d->space));
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, arena, &s.vv));
  return s;
}

static int is_hub(const device *d) { return (d->flags & QM_ENGINE_HUB) != 0; }

static unsigned talk_batches(device *to, device *from, qm_vv_list have, qm_arena *arena) {
  qm_buf batch;
  uint64_t cursor = 0;
  unsigned taken = 0;
  qm_buf_init(&batch, &to->env, QM_BATCH_MAX);
  for (;;) {
    qm_ingest in = {.peer = from->id, .check_schema = is_hub(to), .role = qm_slice_of("grid", 4)};
    qm_error e = {0, ""};
    qm_buf_clear(&batch);
    int rc;
    if (is_hub(to))
      rc = qm_engine_next_held(from->engine, from->space, have, &cursor, &batch);
    else if (qm_space_forked_at(from->space, &to->id, 0))
      rc = qm_engine_next_apart(from->engine, from->space, &to->id, 0, have, &cursor, &batch);
    else
      rc = qm_engine_next_batch(from->engine, from->space, have, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    if (rc == QM_ECUT) {
      taken += (unsigned)join(to, from);
      break;
    }
    ok(rc);
    ok(qm_engine_begin(to->engine));
    if (qm_engine_ingest(to->engine, to->space, qm_buf_slice(&batch), &in, arena, &e) != QM_OK)
      fail_msg("%s", e.message);
    ok(qm_engine_commit(to->engine, QM_DURABLE, NULL, NULL));
    for (uint32_t i = 0; i < in.n_refusals; i++)
      if (in.refusals[i].code != QM_EFORK && in.refusals[i].code != QM_EGAP)
        fail_msg("refused: %s", in.refusals[i].message);
    taken += in.taken;
  }
  qm_buf_free(&batch);
  return taken;
}

unsigned talk(device *a, device *b) {
  qm_arena arena;
  qm_author forked;
  unsigned moved = 0;
  qm_arena_init(&arena, &a->env, (size_t)1 << 30);
  side sa = stated(a, &arena), sb = stated(b, &arena);
  moved += asides(a, b) + asides(b, a);
  int ra = qm_engine_meet(a->engine, a->space, &b->id, 0, is_hub(b), sb.vv, &forked);
  int rb = qm_engine_meet(b->engine, b->space, &a->id, 0, is_hub(a), sa.vv, &forked);
  assert_true((ra == QM_OK || ra == QM_EFORK) && (rb == QM_OK || rb == QM_EFORK));
  if (is_hub(b)) ok(qm_engine_acknowledged(a->engine, a->space, sb.vv, 0));
  if (is_hub(a)) ok(qm_engine_acknowledged(b->engine, b->space, sa.vv, 0));
  moved += talk_batches(b, a, sb.vv, &arena);
  moved += talk_batches(a, b, sa.vv, &arena);
  moved += asides(a, b) + asides(b, a);
  qm_engine_unpark(a->engine, &b->id, 0);
  qm_engine_unpark(b->engine, &a->id, 0);
  ok(qm_engine_fork_settle(a->engine, a->space));
  ok(qm_engine_fork_settle(b->engine, b->space));
  qm_arena_free(&arena);
  return moved;
}

void world_talk(world *w) {
  unsigned moved = 1, quiet = 0;
  for (unsigned rounds = 0; quiet < 3; rounds++) { /* what a session only notes, the next does */
    assert_true(rounds < 60);
    moved = 0;
    for (unsigned i = 0; i < w->n; i++)
      for (unsigned j = i + 1; j < w->n; j++) moved += talk(&w->d[i], &w->d[j]);
    quiet = moved ? 0 : quiet + 1;
  }
}
