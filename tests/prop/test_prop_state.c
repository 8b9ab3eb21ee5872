/* Sessions that carry states, on real engines: the hub cuts its log, devices cut theirs as far
 * as they may, new phones come, phones meet without the hub, and any of it is cut at random
 * bytes. In the end all replicas are equal, and nothing that was written is lost (SPEC S8.12,
 * §9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "core/state.h"
#include "sync/answer.h"
#include "tests/prop/support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)

typedef struct end {
  device *d;
  qm_answer answer;
  qm_session *s;
  qm_buf in;
  int closed, code;
  uint32_t differ, parts, joins;
} end;

typedef struct line {
  end a, b;
  size_t cut_at; /* bytes in all; 0: never */
  size_t moved;
} line;

static void end_open(end *x, device *d, qm_session_role role, int hub) {
  qm_session_options o = {.size = sizeof o, .device = d->id};
  if (hub || role == QM_CLIENT) o.flags = QM_SESSION_HUB;
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

static void events(end *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    x->parts += ev.kind == QM_EV_STATE_TAKE;
    x->joins += ev.kind == QM_EV_STATE_JOIN;
    x->differ += ev.kind == QM_EV_DIFFER;
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
    }
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
  events(to);
  return n + used;
}

/* 1: both closed with QM_OK. */
static int session(device *phone, device *hub, int is_hub, size_t cut_at, line *l) {
  memset(l, 0, sizeof *l);
  l->cut_at = cut_at;
  end_open(&l->a, phone, QM_CLIENT, 0);
  end_open(&l->b, hub, QM_SERVER, is_hub);
  events(&l->a);
  while (move(l, &l->a, &l->b) + move(l, &l->b, &l->a)) continue;
  int whole = l->a.closed && l->b.closed && l->a.code == QM_OK && l->b.code == QM_OK;
  if (!whole) {
    qm_session_shut(l->a.s, QM_ECLOSED);
    qm_session_shut(l->b.s, QM_ECLOSED);
    events(&l->a);
    events(&l->b);
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
  switch (world_below(w, 9)) {
    case 0: (void)put(d, name, F_TEL, value); break;
    case 1: (void)put_add(d, name, value); break;
    case 2: (void)put_inc(d, name, 1); break;
    case 3: (void)put_step(d, name, value); break;
    case 4: (void)put_text(d, name, 0, 0, value); break;
    case 5: (void)put_erase(d, name); break;
    case 6: (void)put_raise(d, name, F_LAST, world_below(w, 50)); break;
    case 7: (void)put_remove(d, name, value); break;
    default: (void)put_new(d, name);
  }
}

/* As far as the engine lets it. */
static void cut_log(device *d) {
  qm_vv all = {NULL, 0, 0};
  for (uint32_t a = 0; a < d->space->authors.n; a++)
    ok(qm_vv_set(&d->env, &all, a, world_below(d->world, 3) ? UINT64_MAX : 1));
  ok(qm_engine_cut(d->engine, d->space, &all));
  qm_vv_free(&d->env, &all);
}

static void be_hub(device *d) { d->engine->flags |= QM_ENGINE_HUB; }

static unsigned joined; /* over all worlds: that it happens at all */

/* One of them with another; the hub is device 0. */
static void some_session(world *w, size_t cut_at) {
  line l;
  unsigned a = 1 + world_below(w, w->n - 1), b = world_below(w, w->n);
  if (a == b) b = 0;
  (void)session(&w->d[a], &w->d[b], b == 0, cut_at, &l);
  joined += l.a.joins + l.b.joins;
  assert_true(b != 0 || l.b.joins == 0); /* a hub takes no state */
}

static void states_converge(void **state) {
  (void)state;
  joined = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    world w;
    line l;
    world_open(&w, 5, seed);
    be_hub(&w.d[0]);
    for (int round = 0; round < 40; round++) {
      w.n = round < 20 ? 4 : 5; /* a new phone in the middle */
      for (unsigned k = world_below(&w, 6); k != 0; k--) edit(&w.d[1 + world_below(&w, w.n - 1)]);
      w.now_ms += 1000;
      some_session(&w, world_below(&w, 3) ? 1 + world_below(&w, 6000) : 0);
      if (world_below(&w, 4) == 0) cut_log(&w.d[world_below(&w, w.n)]);
      if (world_below(&w, 10) == 0) reopen(&w.d[1 + world_below(&w, w.n - 1)]);
    }
    for (int turn = 0; turn < 3; turn++)
      for (unsigned i = 1; i < w.n; i++)
        assert_int_equal(session(&w.d[i], &w.d[0], 1, 0, &l), 1);
    world_check_equal(&w);
    world_close(&w);
  }
  assert_true(joined > 40);
}

/* [2] D: R.r=visit. E joins D's state; D is lost. E: R.m=7. E -> H: H has both. */
static void states_bring_what_no_hub_has(void **state) {
  (void)state;
  world w;
  line l;
  world_open(&w, 3, 7);
  device *hub = &w.d[0], *d = &w.d[1], *e = &w.d[2];
  be_hub(hub);
  ok(put_new(d, "R"));
  assert_int_equal(session(d, hub, 1, 0, &l), 1);
  ok(qm_vv_copy(&d->env, &d->space->safe, &d->space->acknowledged)); /* a backup has it */
  while (!qm_vv_get(qm_space_floor(d->space), d->space->own)) cut_log(d);
  ok(put(d, "R", F_TEL, "visit"));
  assert_int_equal(session(e, d, 0, 0, &l), 1);
  assert_int_equal(l.a.joins, 1);
  ok(put_raise(e, "R", F_LAST, 7));
  assert_int_equal(session(e, hub, 1, 0, &l), 1); /* d is lost */
  assert_string_equal(shown(hub, "R", F_TEL), "visit");
  assert_string_equal(shown(hub, "R", F_LAST), "7");
  world_close(&w);
}

/* S9.7: a phone that has nothing takes a state where the log is long, and only there. */
static void a_new_phone_takes_the_cheaper(void **state) {
  (void)state;
  world w;
  line l;
  char text[20001];
  world_open(&w, 3, 9);
  be_hub(&w.d[0]);
  ok(put_new(&w.d[0], "R"));
  assert_int_equal(session(&w.d[1], &w.d[0], 1, 0, &l), 1);
  assert_int_equal(l.a.joins, 0);
  memset(text, 'x', sizeof text - 1);
  text[20000] = 0;
  ok(put_text(&w.d[0], "R", 0, 0, text));
  assert_int_equal(session(&w.d[1], &w.d[0], 1, 0, &l), 1);
  assert_int_equal(l.a.joins, 0);
  assert_int_equal(session(&w.d[2], &w.d[0], 1, 0, &l), 1);
  assert_int_equal(l.a.joins, 1);
  world_check_equal(&w);
  world_close(&w);
}

/* Cut over and over: each part travels once but for the one on its way, whatever the number
 * of sessions; what is written meanwhile comes as changes. */
static void a_state_resumes(void **state) {
  (void)state;
  world w;
  line l;
  char name[8], *text;
  world_open(&w, 2, 3);
  device *hub = &w.d[0], *phone = &w.d[1];
  be_hub(hub);
  text = qm_arena_alloc(&w.arena, 60001);
  for (unsigned i = 0; i < 40; i++) {
    (void)snprintf(name, sizeof name, "r%u", i);
    for (unsigned k = 0; k < 60000; k++) text[k] = (char)('!' + world_below(&w, 90));
    text[60000] = 0;
    ok(put_new(hub, name));
    ok(put(hub, name, F_TEL, text));
  }
  ok(put_new(phone, "own"));
  ok(qm_engine_push(hub->engine, hub->space));
  cut_log(hub);
  for (int i = 0; i < 4; i++) cut_log(hub);
  uint32_t parts = 0, sessions = 0, whole = 0;
  while (!whole) {
    ok(put(hub, "r1", F_TEL, "later"));
    whole = (uint32_t)session(phone, hub, 1, 400000, &l);
    parts += l.a.parts;
    sessions++;
    assert_true(sessions < 40);
    if (sessions % 3 == 0) reopen(phone);
  }
  assert_true(sessions > 3 && parts >= 30 && parts <= 48);
  assert_string_equal(shown(phone, "r1", F_TEL), "later");
  assert_int_equal(session(phone, hub, 1, 0, &l), 1);
  assert_int_equal(l.a.parts, 0);
  world_check_equal(&w);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(states_converge),
      cmocka_unit_test(states_bring_what_no_hub_has),
      cmocka_unit_test(a_new_phone_takes_the_cheaper),
      cmocka_unit_test(a_state_resumes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
