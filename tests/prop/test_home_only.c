/* What only the home hub writes (SPEC S10.8): a device takes it from nobody else, also where
 * it meets another device without the hub, and goes on once the hub has judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/home.h"
#include "core/home_trim.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)

static world w;
#define D (&w.d[0]) /* the liar */
#define E (&w.d[1])
#define F (&w.d[2])
#define H (&w.d[3])

static void knows_home(device *d) {
  if (d != H) qm_engine_home(d->engine, &H->id);
}

static const world_hooks hooks = {.opened = knows_home};

static void open4(uint64_t seed) {
  world_open_on(&w, 4, seed, &hooks);
  H->flags = QM_ENGINE_HUB;
  reopen(H);
  for (unsigned i = 0; i < 3; i++) knows_home(&w.d[i]); /* ids are known by now */
}

/* Takes what `from` has; the code of the first refusal. */
static int taken(device *to, device *from) {
  qm_arena arena;
  qm_vv_list have;
  qm_buf batch;
  uint64_t cursor = 0;
  int code = QM_OK;
  qm_arena_init(&arena, &to->env, (size_t)1 << 28);
  qm_buf_init(&batch, &to->env, QM_BATCH_MAX);
  (void)asides(to, from);
  ok(qm_engine_push(from->engine, from->space));
  ok(qm_engine_heads(to->engine, to->space, &arena, &have));
  while (qm_engine_next_batch(from->engine, from->space, have, &cursor, &batch) == QM_OK) {
    qm_ingest in = {.peer = from->id};
    ok(qm_engine_begin(to->engine));
    ok(qm_engine_ingest(to->engine, to->space, qm_buf_slice(&batch), &in, &arena, NULL));
    ok(qm_engine_commit(to->engine, QM_DURABLE, NULL, NULL));
    if (in.n_refusals && !code) code = in.refusals[0].code;
    qm_buf_clear(&batch);
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  return code;
}

/* As if it were the hub: says that it is the office's. */
static void lie(device *d) {
  qm_member m = {.device = d->id, .name = qm_slice_of("Somebody", 8),
                 .role = qm_slice_of("office", 6)};
  d->engine->flags |= QM_ENGINE_HUB;
  ok(qm_home_members(d->engine, d->space, &m, 1));
  d->engine->flags &= ~(uint32_t)QM_ENGINE_HUB;
  assert_non_null(qm_space_member(d->space, &d->id, UINT64_MAX));
}

static const qm_member *entry_of(device *at, const device *of) {
  return qm_space_member(at->space, &of->id, UINT64_MAX);
}

static void a_phone_refuses_it(void **state) {
  (void)state;
  open4(1);
  ok(put_new(D, "R"));
  world_settle(&w);
  ok(put(D, "R", F_TEL, "before"));
  assert_int_equal(taken(E, D), QM_OK);
  lie(D);
  ok(put(D, "R", F_TEL, "after"));
  assert_int_equal(taken(E, D), QM_EACCESS);
  assert_null(entry_of(E, D));
  assert_string_equal(shown(E, "R", F_TEL), "before");
  assert_int_equal(taken(F, D), QM_EACCESS); /* also with the rest in the same batch */
  /* The hub sets that change aside: the author goes on everywhere, the lie does not. */
  assert_int_equal(pull(H, D) > 0, 1);
  assert_null(entry_of(H, D));
  assert_int_equal(taken(E, H), QM_OK);
  assert_string_equal(shown(E, "R", F_TEL), "after");
  assert_null(entry_of(E, D));
  ok(put(D, "R", F_TEL, "later"));
  assert_int_equal(taken(E, D), QM_OK);
  assert_string_equal(shown(E, "R", F_TEL), "later");
  world_settle(&w);
  world_check_equal(&w);
  assert_null(entry_of(D, D)); /* its own effect is gone too */
  world_close(&w);
}

/* The hub's own arrive by whoever hands them on, also those of its epoch before a restore. */
static void the_hub_s_own_pass(void **state) {
  (void)state;
  qm_member m = {.name = qm_slice_of("A member", 8), .role = qm_slice_of("grid", 4)};
  open4(2);
  ok(put_new(D, "R"));
  world_settle(&w);
  m.device = D->id;
  ok(qm_home_members(H->engine, H->space, &m, 1));
  assert_int_equal(taken(D, H), QM_OK);
  assert_int_equal(taken(E, D), QM_OK);
  assert_non_null(entry_of(E, D));
  ok(qm_engine_new_epoch(H->engine));
  m.device = E->id;
  ok(qm_home_members(H->engine, H->space, &m, 1));
  assert_int_equal(taken(E, H), QM_OK);
  assert_int_equal(taken(F, E), QM_OK);
  assert_non_null(entry_of(F, D));
  assert_non_null(entry_of(F, E));
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

static void trims(void **state) {
  (void)state;
  qm_trimmed got;
  open4(3);
  ok(put_new(D, "R"));
  ok(put_text(D, "R", 0, 0, "word"));
  ok(put_text(D, "R", 1, 3, "")); /* nothing that is left hangs on it */
  world_settle(&w);
  ok(qm_home_trim(D->engine, D->space, NULL, 0, NULL, 10, &got)); /* it is no hub */
  assert_int_equal(got.ops, 1);
  assert_int_equal(taken(E, D), QM_EACCESS);
  pull(H, D);
  for (unsigned i = 0; i < 3; i++) pull(&w.d[i], H);
  ok(qm_home_trim(H->engine, H->space, NULL, 0, NULL, 10, &got));
  assert_int_equal(got.ops, 1);
  assert_int_equal(taken(E, H), QM_OK);
  assert_int_equal(taken(F, E), QM_OK);
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

/* Who is not enrolled knows no hub: a space of its own device, a copy of a file. */
static void who_knows_no_hub(void **state) {
  (void)state;
  qm_id none = {{0}};
  open4(4);
  ok(put_new(D, "R"));
  world_settle(&w);
  lie(D);
  qm_engine_home(E->engine, &none);
  assert_int_equal(taken(E, D), QM_OK);
  assert_non_null(entry_of(E, D));
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_phone_refuses_it), cmocka_unit_test(the_hub_s_own_pass),
      cmocka_unit_test(trims), cmocka_unit_test(who_knows_no_hub)};
  return cmocka_run_group_tests_name("home only", tests, NULL, NULL);
}
