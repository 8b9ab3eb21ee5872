/* Sessions on real engines: random edits, cuts at random bytes, group commit; in the end
 * all replicas are equal, and what the hub holds is known to be there (SPEC §8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/prop/support_session.h"

#define ok(call) assert_int_equal(call, QM_OK)

static void edit(device *d) {
  world *w = d->world;
  char name[8], value[8];
  (void)snprintf(name, sizeof name, "r%u", world_below(w, 6));
  (void)snprintf(value, sizeof value, "%u", world_below(w, 100));
  switch (world_below(w, 6)) {
    case 0: (void)put(d, name, F_TEL, value); break;
    case 1: (void)put_add(d, name, value); break;
    case 2: (void)put_inc(d, name, 1); break;
    case 3: (void)put_step(d, name, value); break;
    case 4: (void)put_text(d, name, 0, 0, value); break;
    default: (void)put_new(d, name);
  }
}

static void cut_sessions_converge(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    world w;
    line l;
    world_open(&w, 4, seed);
    for (int round = 0; round < 25; round++) {
      device *phone = &w.d[1 + world_below(&w, 3)];
      for (unsigned k = world_below(&w, 5); k != 0; k--) edit(phone);
      w.now_ms += 1000;
      (void)session(phone, &w.d[0], 1 + world_below(&w, 4000), (int)seed & 1, &l);
    }
    for (int turn = 0; turn < 2; turn++)
      for (unsigned i = 1; i < w.n; i++)
        assert_int_equal(session(&w.d[i], &w.d[0], 0, (int)seed & 1, &l), 1);
    world_check_equal(&w);
    for (unsigned i = 1; i < w.n; i++) {
      const qm_space *s = w.d[i].space;
      assert_true(qm_vv_includes(qm_space_acknowledged(s), qm_space_vv(s)));
      /* Nothing new any more: one round trip, and known to be held. */
      assert_int_equal(session(&w.d[i], &w.d[0], 0, 0, &l), 1);
      assert_int_equal(l.a.same, 1);
      assert_true(l.moved < 400);
    }
    world_close(&w);
  }
}

/* A cut after the commit and before anything was told: the next session, which has nothing
 * new, says what the hub holds. */
static void silence_acknowledges(void **state) {
  world w;
  line l;
  int once = 0;
  (void)state;
  world_open(&w, 2, 5);
  ok(put_new(&w.d[1], "r1"));
  for (size_t cut = 300; !once; cut++) {
    uint64_t changes, oldest;
    assert_true(cut < 2000);
    (void)session(&w.d[1], &w.d[0], cut, 0, &l);
    ok(qm_engine_unsent(w.d[1].engine, w.d[1].space, &changes, &oldest));
    if (!qm_vv_includes(qm_space_vv(w.d[0].space), qm_space_vv(w.d[1].space))) continue;
    if (qm_space_vv(w.d[0].space)->n == 0) continue;
    assert_int_equal(changes, 1); /* the phone cannot know yet */
    assert_int_equal(session(&w.d[1], &w.d[0], 0, 0, &l), 1);
    assert_int_equal(l.a.same, 1);
    ok(qm_engine_unsent(w.d[1].engine, w.d[1].space, &changes, &oldest));
    assert_int_equal(changes, 0);
    once = 1;
  }
  world_close(&w);
}

static void a_space_is_granted(void **state) {
  world w;
  line l;
  qm_id id = {{'t'}};
  qm_space_info info = {.id = id,
                        .name = qm_slice_of("street", 6),
                        .role = qm_slice_of("hub", 3),
                        .secret = {7},
                        .readable = 1,
                        .writable = 1};
  (void)state;
  world_open(&w, 2, 5);
  info.schema = qm_buf_slice(&w.schema);
  ok(qm_engine_space_put(w.d[0].engine, &info, NULL));
  assert_null(qm_engine_space(w.d[1].engine, &id));
  assert_int_equal(session(&w.d[1], &w.d[0], 0, 0, &l), 1);
  qm_space *s = qm_engine_space(w.d[1].engine, &id);
  assert_non_null(s);
  qm_space_info_get(s, &info);
  assert_int_equal(info.secret[0], 7);
  assert_int_equal(info.name.n, 6);
  /* The tag is equal from now on: it travels once. */
  assert_int_equal(session(&w.d[1], &w.d[0], 0, 0, &l), 1);
  assert_true(l.moved < 400);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cut_sessions_converge),
      cmocka_unit_test(silence_acknowledges),
      cmocka_unit_test(a_space_is_granted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
