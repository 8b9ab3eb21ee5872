#include "support_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ok(call) assert_int_equal(call, QM_OK)

static void end_open(end *x, device *d, qm_session_role role, int hub, int with_hub) {
  qm_session_options o = {
      .size = sizeof o, .flags = with_hub ? QM_SESSION_HUB : 0, .device = d->id};
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

static int run(device *a, device *b, size_t cut_at, int group, int with_hub, line *l) {
  memset(l, 0, sizeof *l);
  l->cut_at = cut_at;
  l->group = group;
  end_open(&l->a, a, QM_CLIENT, 0, with_hub);
  end_open(&l->b, b, QM_SERVER, with_hub, with_hub);
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

int session(device *phone, device *hub, size_t cut_at, int group, line *l) {
  return run(phone, hub, cut_at, group, 1, l);
}

int session_of_peers(device *a, device *b, size_t cut_at, line *l) {
  return run(a, b, cut_at, 0, 0, l);
}
