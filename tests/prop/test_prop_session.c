/* Sessions on real engines: random edits, cuts at random bytes, group commit; in the end
 * all replicas are equal, and what the hub holds is known to be there (SPEC §8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sync/answer.h"
#include "tests/prop/support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)

typedef struct end {
  device *d;
  qm_answer answer;
  qm_session *s;
  qm_buf in;
  int closed, code;
  uint32_t same, differ;
} end;

typedef struct line {
  end a, b;
  size_t cut_at; /* bytes in all; 0: never */
  size_t moved;
  int group; /* the server commits in groups, after everything else */
} line;

static void end_open(end *x, device *d, qm_session_role role, int hub) {
  qm_session_options o = {.size = sizeof o, .flags = QM_SESSION_HUB, .device = d->id};
  memset(x, 0, sizeof *x);
  x->d = d;
  qm_answer_init(&x->answer, &d->env, d->engine, hub ? QM_ANSWER_HUB : 0, NULL);
  qm_buf_init(&x->in, &d->env, 64u << 20);
  ok(qm_session_new(&x->s, &d->env, role, &o));
}

static void end_close(end *x) {
  qm_session_free(x->s);
  qm_answer_free(&x->answer);
  qm_buf_free(&x->in);
}

/* One commit as a store thread does it: ingest, commit of the group, then the answer. */
static void commit_in_group(end *x, const qm_event *ev) {
  qm_answered out;
  qm_answered_init(&out, &x->d->env);
  ok(qm_engine_begin(x->d->engine));
  ok(qm_answer_ingest(&x->answer, ev, &out));
  ok(qm_engine_commit(x->d->engine, QM_DURABLE, NULL, NULL));
  ok(qm_session_done(x->s, ev->ticket, out.rc, &out.reply));
  qm_answered_free(&out);
}

static void events(line *l, end *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    x->same += ev.kind == QM_EV_SAME;
    x->differ += ev.kind == QM_EV_DIFFER;
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
    }
    if (l->group && ev.kind == QM_EV_COMMIT)
      commit_in_group(x, &ev);
    else
      ok(qm_answer_event(&x->answer, x->s, &ev));
  }
}

static size_t move(line *l, end *from, end *to) {
  uint8_t bytes[700];
  size_t cap = 1 + world_below(from->d->world, sizeof bytes), n, used;
  if (l->cut_at && cap > l->cut_at - l->moved) cap = l->cut_at - l->moved;
  if (cap == 0) return 0;
  ok(qm_session_take(from->s, bytes, cap, &n));
  qm_buf_add(&to->in, bytes, n);
  l->moved += n;
  (void)qm_session_feed(to->s, to->in.p, to->in.n, &used);
  if (used) memmove(to->in.p, to->in.p + used, to->in.n - used);
  to->in.n -= used;
  events(l, to);
  return n + used;
}

/* 1: both closed with QM_OK. */
static int session(device *phone, device *hub, size_t cut_at, int group, line *l) {
  memset(l, 0, sizeof *l);
  l->cut_at = cut_at;
  l->group = group;
  end_open(&l->a, phone, QM_CLIENT, 0);
  end_open(&l->b, hub, QM_SERVER, 1);
  events(l, &l->a);
  while (move(l, &l->a, &l->b) + move(l, &l->b, &l->a)) continue;
  int whole = l->a.closed && l->b.closed && l->a.code == QM_OK && l->b.code == QM_OK;
  if (!whole) {
    qm_session_shut(l->a.s, QM_ECLOSED);
    qm_session_shut(l->b.s, QM_ECLOSED);
    events(l, &l->a);
    events(l, &l->b);
  }
  assert_int_equal(l->a.differ + l->b.differ, 0);
  end_close(&l->a);
  end_close(&l->b);
  return whole;
}

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
