/* Sessions that stay, on real engines (S8.13): edits on phones and their ways over the hub in
 * any order, cuts at random, and in the end every replica has everything without a further
 * session; what is not new costs nothing; what may not be said is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/space.h"
#include "sync/answer.h"
#include "core/batch_small.h"
#include "sync/session_int.h"
#include "tests/prop/support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define PHONES 3

typedef struct end {
  device *d;
  qm_answer answer;
  qm_session *s;
  qm_buf in;
  int closed, code, live;
  unsigned done;
} end;

typedef struct line {
  struct net *net;
  end a, b; /* phone, hub */
  int open;
  size_t moved;
} line;

typedef struct net {
  world w;
  line l[PHONES];
  qm_answer_policy policy;
  int calm;       /* whatever may be handed on is */
  uint32_t small; /* commits of compact segments */
  uint32_t old, new; /* of batches of version 1, of later ones */
} net;

static void end_open(end *x, device *d, qm_session_role role, const qm_answer_policy *policy) {
  qm_session_options o = {.size = sizeof o, .flags = QM_SESSION_HUB, .device = d->id};
  if (role == QM_CLIENT) o.flags |= QM_SESSION_LIVE;
  memset(x, 0, sizeof *x);
  x->d = d;
  qm_answer_init(&x->answer, &d->env, d->engine, role == QM_SERVER ? QM_ANSWER_HUB : 0, policy);
  qm_buf_init(&x->in, &d->env, 64u << 20);
  ok(qm_session_new(&x->s, &d->env, role, &o));
}

static void end_close(end *x) {
  qm_session_free(x->s);
  qm_answer_free(&x->answer);
  qm_buf_free(&x->in);
}

/* What one session brought to the hub is news to the others; a compact segment mostly goes to
 * them as it is. */
static void tell_others(line *from, const qm_id *space, qm_slice small) {
  for (int i = 0; i < PHONES; i++) {
    line *l = &from->net->l[i];
    if (!l->open || l == from) continue;
    if (small.n && (from->net->calm || world_below(&from->net->w, 8)))
      (void)qm_session_relay(l->b.s, space, small);
    else
      (void)qm_session_news(l->b.s, space);
  }
}

static void events(line *l, end *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    qm_id space = ev.space;
    int commit = ev.kind == QM_EV_COMMIT;
    uint8_t small[QM_SMALL_MAX];
    size_t n = commit && qm_is_small(ev.blob) ? ev.blob.n : 0;
    if (n) memcpy(small, ev.blob.p, n);
    l->net->small += n != 0;
    if (commit && !n) ++*(ev.blob.p[0] == 1 ? &l->net->old : &l->net->new);
    x->live += ev.kind == QM_EV_LIVE;
    x->done += ev.kind == QM_EV_DONE;
    assert_int_not_equal(ev.kind, QM_EV_DIFFER);
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
    }
    ok(qm_answer_event(&x->answer, x->s, &ev));
    if (commit && x == &l->b)
      tell_others(l, &space, qm_slice_of(small, x->answer.own.as_it_came ? n : 0));
  }
}

static size_t move(line *l, end *from, end *to) {
  uint8_t bytes[700];
  size_t cap = 1 + world_below(&l->net->w, sizeof bytes), n, used;
  events(l, from);
  ok(qm_session_take(from->s, bytes, cap, &n));
  qm_buf_add(&to->in, bytes, n);
  l->moved += n;
  (void)qm_session_feed(to->s, to->in.p, to->in.n, &used);
  if (used) memmove(to->in.p, to->in.p + used, to->in.n - used);
  to->in.n -= used;
  events(l, to);
  return n + used;
}

static void line_open(line *l) {
  end_open(&l->a, l->a.d, QM_CLIENT, NULL);
  end_open(&l->b, &l->net->w.d[0], QM_SERVER, l->net->policy.grant ? &l->net->policy : NULL);
  l->open = 1;
  events(l, &l->a);
}

static void line_cut(line *l) {
  device *d = l->a.d;
  if (!l->open) return;
  qm_session_shut(l->a.s, QM_ECLOSED);
  qm_session_shut(l->b.s, QM_ECLOSED);
  events(l, &l->a);
  events(l, &l->b);
  end_close(&l->a);
  end_close(&l->b);
  l->open = 0;
  l->a.d = d;
}

static void net_open(net *n, uint64_t seed) {
  memset(n, 0, sizeof *n);
  world_open(&n->w, PHONES + 1, seed);
  for (int i = 0; i < PHONES; i++) {
    n->l[i].net = n;
    n->l[i].a.d = &n->w.d[1 + i];
  }
}

static void net_close(net *n) {
  for (int i = 0; i < PHONES; i++) line_cut(&n->l[i]);
  world_close(&n->w);
}

/* Until nothing moves on any line. */
static void settle(net *n) {
  for (size_t moved = 1; moved;) {
    moved = 0;
    for (int i = 0; i < PHONES; i++) {
      line *l = &n->l[i];
      if (l->open) moved += move(l, &l->a, &l->b) + move(l, &l->b, &l->a);
    }
  }
}

static void edit(line *l) {
  world *w = &l->net->w;
  device *d = l->a.d;
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
  w->now_ms += 1000;
  if (l->open) (void)qm_session_news(l->a.s, &d->space->id);
}

/* One change that gives two records one value: whoever sees it sees both, and of several at
 * once the same one wins on both. */
static void edit_pair(line *l) {
  world *w = &l->net->w;
  device *d = l->a.d;
  qm_id left = rec("left"), right = rec("right");
  char value[8];
  qm_write *x;
  int existing;
  (void)snprintf(value, sizeof value, "%u", world_below(w, 100000));
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  if (strcmp(shown(d, "left", F_TEL), "-") == 0) {
    (void)qm_write_new(x, 1, &left, qm_slice_of(NULL, 0), &left, &existing);
    (void)qm_write_new(x, 1, &right, qm_slice_of(NULL, 0), &right, &existing);
  }
  qm_slice none = qm_slice_of(NULL, 0), v;
  qm_buf b;
  qm_buf_init(&b, &d->env, 64);
  qm_mp_str(&b, value, strlen(value));
  v = qm_buf_slice(&b);
  (void)qm_write_set(x, &left, F_TEL, v, none, 0);
  (void)qm_write_set(x, &right, F_TEL, v, none, 0);
  ok(qm_write_commit(x, QM_DURABLE));
  qm_buf_free(&b);
  w->now_ms += 1000;
  if (l->open) (void)qm_session_news(l->a.s, &d->space->id);
}

static void check_pairs(net *n) {
  for (unsigned i = 0; i < n->w.n; i++)
    assert_string_equal(shown(&n->w.d[i], "left", F_TEL), shown(&n->w.d[i], "right", F_TEL));
}

static void check_all(net *n) {
  for (int i = 0; i < PHONES; i++) {
    const qm_space *s = n->l[i].a.d->space;
    assert_int_equal(n->l[i].a.closed + n->l[i].b.closed, 0);
    assert_int_equal(n->l[i].a.live, 1);
    assert_int_equal(n->l[i].b.live, 1);
    assert_true(qm_vv_includes(qm_space_acknowledged(s), qm_space_vv(s)));
  }
  world_check_equal(&n->w);
}

static void live_sessions_converge(void **state) {
  uint32_t small = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    net n;
    net_open(&n, seed);
    for (int step = 0; step < 600; step++) {
      line *l = &n.l[world_below(&n.w, PHONES)];
      unsigned what = world_below(&n.w, 40);
      if (!l->open && what < 8) line_open(l);
      else if (what < 2) line_cut(l);
      else if (what < 9) edit(l);
      else if (what < 10) edit_pair(l);
      else if (l->open && what < 25) (void)move(l, &l->a, &l->b);
      else if (l->open) (void)move(l, &l->b, &l->a);
      check_pairs(&n);
      if (l->open) {
        int code;
        if (qm_session_closed(l->a.s, &code) || qm_session_closed(l->b.s, &code))
          print_message("seed %u step %d: %d %s\n", (unsigned)seed, step, code,
                        l->a.s->error.message);
        assert_int_equal(qm_session_closed(l->a.s, &code) + qm_session_closed(l->b.s, &code), 0);
      }
    }
    for (int i = 0; i < PHONES; i++)
      if (!n.l[i].open) line_open(&n.l[i]);
    settle(&n);
    check_all(&n);
    small += n.small;
    net_close(&n);
  }
  assert_true(small > 50);
}

/* One edit arrives at the others by itself; then the lines are silent. */
static void an_edit_goes_round(void **state) {
  net n;
  (void)state;
  net_open(&n, 7);
  n.calm = 1;
  for (int i = 0; i < PHONES; i++) line_open(&n.l[i]);
  settle(&n);
  check_all(&n);
  for (int k = 0; k < 5; k++) {
    size_t before[PHONES];
    unsigned done[PHONES];
    for (int i = 0; i < PHONES; i++) before[i] = n.l[i].moved;
    for (int i = 0; i < PHONES; i++) done[i] = n.l[i].a.done;
    ok(k ? put(&n.w.d[1], "r1", F_TEL, k & 1 ? "1" : "2") : put_new(&n.w.d[1], "r1"));
    (void)qm_session_news(n.l[0].a.s, &n.w.d[1].space->id);
    settle(&n);
    check_all(&n);
    /* No round: it is handed on as it is. */
    for (int i = 0; i < PHONES; i++) {
      assert_int_equal(n.l[i].a.done, done[i]);
      assert_true(n.l[i].moved - before[i] < 100);
    }
  }
  /* A quiet moment: what the pushes have made is compared, once. */
  ok(qm_session_tick(n.l[0].a.s, 0));
  for (int k = 0; k < 2; k++) {
    unsigned done = n.l[0].a.done;
    uint64_t now = qm_session_deadline(n.l[0].a.s);
    ok(qm_session_tick(n.l[0].a.s, now));
    settle(&n);
    assert_int_equal(n.l[0].a.done, done + !k);
    ok(qm_session_tick(n.l[0].a.s, now));
  }
  /* Nothing new: nothing moves, whoever is asked. */
  size_t quiet = n.l[0].moved;
  settle(&n);
  assert_int_equal(n.l[0].moved, quiet);
  qm_id none = {{9}};
  assert_int_equal(qm_session_news(n.l[0].a.s, &none), 0);
  /* Leaving is as of any session. */
  qm_session_bye(n.l[0].a.s);
  settle(&n);
  assert_int_equal(n.l[0].a.closed && n.l[0].b.closed, 1);
  assert_int_equal(n.l[0].a.code, QM_OK);
  assert_int_equal(qm_session_news(n.l[0].b.s, &n.w.d[1].space->id), 0);
  net_close(&n);
}

/* A phone that does not read holds one bit at the hub, not what it has missed. */
static void a_slow_phone_costs_the_hub_nothing(void **state) {
  net n;
  size_t most = 0;
  (void)state;
  net_open(&n, 9);
  n.calm = 1;
  for (int i = 0; i < 2; i++) line_open(&n.l[i]);
  settle(&n);
  line *slow = &n.l[1];
  for (int k = 0; k < 400; k++) {
    char name[16];
    (void)snprintf(name, sizeof name, "x%d", k);
    ok(put_new(&n.w.d[1], name));
    (void)qm_session_news(n.l[0].a.s, &n.w.d[1].space->id);
    for (size_t moved = 1; moved;)
      moved = move(&n.l[0], &n.l[0].a, &n.l[0].b) + move(&n.l[0], &n.l[0].b, &n.l[0].a);
    events(slow, &slow->b);
    size_t waiting = qm_session_waiting(slow->b.s);
    if (waiting > most) most = waiting;
  }
  assert_true(most < QM_SYNC_SHORT_SOFT + QM_SYNC_SHORT_MAX);
  settle(&n);
  assert_true(qm_vv_includes(qm_space_vv(n.w.d[2].space), qm_space_vv(n.w.d[0].space)));
  assert_true(slow->a.done < 20);
  net_close(&n);
}

static int may_read = 1;
static int some_grant(void *payload, const qm_id *peer, const qm_id *space, qm_arena *arena,
                      qm_grant *out) {
  (void)payload;
  (void)peer;
  (void)arena;
  out->space = *space;
  out->readable = out->writable = (uint8_t)may_read;
  return may_read ? QM_OK : QM_EACCESS;
}

/* A right that ends while the device is connected: nothing more goes out of the space. */
static void a_right_that_ends_holds_at_once(void **state) {
  net n;
  (void)state;
  net_open(&n, 11);
  n.policy.grant = some_grant;
  may_read = 1;
  for (int i = 0; i < 2; i++) line_open(&n.l[i]);
  settle(&n);
  may_read = 0;
  ok(put_new(&n.w.d[0], "secret"));
  (void)qm_session_news(n.l[0].b.s, &n.w.d[0].space->id);
  settle(&n);
  assert_int_equal(qm_space_vv(n.w.d[1].space)->n ? qm_vv_includes(qm_space_vv(n.w.d[1].space),
                                                                   qm_space_vv(n.w.d[0].space))
                                                  : 0,
                   0);
  /* The space is out of this session; the session is not. */
  assert_int_equal(qm_session_news(n.l[0].b.s, &n.w.d[0].space->id), 0);
  assert_int_equal(n.l[0].a.closed, 0);
  may_read = 1;
  line_cut(&n.l[0]);
  line_open(&n.l[0]);
  settle(&n);
  assert_true(qm_vv_includes(qm_space_vv(n.w.d[1].space), qm_space_vv(n.w.d[0].space)));
  net_close(&n);
}

/* ---- time ---- */

static void pings_keep_it_and_silence_ends_it(void **state) {
  net n;
  (void)state;
  net_open(&n, 13);
  line *l = &n.l[0];
  line_open(l);
  settle(&n);
  uint64_t now = 0;
  ok(qm_session_tick(l->a.s, now));
  ok(qm_session_tick(l->b.s, now));
  for (int k = 0; k < 10; k++) {
    size_t before = l->moved;
    now = qm_session_deadline(l->a.s);
    assert_true(now < qm_session_deadline(l->b.s));
    ok(qm_session_tick(l->a.s, now));
    ok(qm_session_tick(l->b.s, now));
    settle(&n);
    assert_true(l->moved > before && l->moved - before < 80);
    ok(qm_session_tick(l->a.s, now));
    ok(qm_session_tick(l->b.s, now));
  }
  /* The ping is lost: the client leaves, and so does the hub. */
  now = qm_session_deadline(l->a.s);
  ok(qm_session_tick(l->a.s, now));
  now = qm_session_deadline(l->a.s);
  assert_int_equal(qm_session_tick(l->a.s, now), QM_ETIMEOUT);
  now = qm_session_deadline(l->b.s);
  assert_int_equal(qm_session_tick(l->b.s, now), QM_ETIMEOUT);
  net_close(&n);
}

/* ---- what may not be said ---- */

static int say(end *x, const qm_id *space, uint32_t what) {
  qm_buf b;
  qm_msg_live m = {.what = what};
  size_t used;
  int code;
  if (space) m.space = *space;
  qm_buf_init(&b, &x->d->env, 256);
  ok(qm_msg_live_put(&b, &m));
  (void)qm_session_feed(x->s, b.p, b.n, &used);
  qm_buf_free(&b);
  return qm_session_closed(x->s, &code) ? code : QM_OK;
}

static void disorder_is_refused(void **state) {
  static const struct {
    int to_hub;
    uint32_t what;
    int of_space; /* 1 the space, 2 another */
    int rc;
  } rows[] = {{1, QM_LIVE_START, 0, QM_EPROTO}, /* twice */
              {0, QM_LIVE_START, 0, QM_EPROTO}, /* by a hub */
              {0, QM_LIVE_PING, 0, QM_EPROTO},  {0, QM_LIVE_PONG, 0, QM_EPROTO},
              {1, QM_LIVE_PONG, 0, QM_EPROTO},  {1, QM_LIVE_REST, 1, QM_EPROTO},
              {0, QM_LIVE_REST, 1, QM_EPROTO},  {1, QM_LIVE_NEWS, 2, QM_EPROTO},
              {0, QM_LIVE_NEWS, 2, QM_EPROTO},  {1, QM_LIVE_PING, 0, QM_OK},
              {1, QM_LIVE_NEWS, 1, QM_OK},      {0, QM_LIVE_NEWS, 1, QM_OK}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    net n;
    qm_id other = {{9}};
    net_open(&n, 17);
    line_open(&n.l[0]);
    settle(&n);
    end *x = rows[i].to_hub ? &n.l[0].b : &n.l[0].a;
    const qm_id *space = rows[i].of_space == 1 ? &n.w.d[0].space->id : &other;
    assert_int_equal(say(x, rows[i].of_space ? space : NULL, rows[i].what), rows[i].rc);
    if (rows[i].what == QM_LIVE_NEWS && rows[i].rc == QM_OK) /* once a round */
      assert_int_equal(say(x, space, QM_LIVE_NEWS), QM_EPROTO);
    net_close(&n);
  }
  /* Before it has begun, and where it was not asked for. */
  for (int live = 0; live < 2; live++) {
    net n;
    net_open(&n, 19);
    ok(put_new(&n.w.d[1], "r1"));
    line_open(&n.l[0]);
    if (!live) n.l[0].a.s->options.flags &= ~(uint32_t)QM_SESSION_LIVE;
    while (n.l[0].b.s->state < QM_S_OPEN) (void)move(&n.l[0], &n.l[0].a, &n.l[0].b);
    assert_int_equal(say(&n.l[0].b, NULL, live ? QM_LIVE_PING : QM_LIVE_START), QM_EPROTO);
    net_close(&n);
  }
}

/* S8.15: feeds a short frame. */
static int say_short(end *x, const uint8_t *body, size_t n) {
  qm_buf b;
  size_t used;
  int code;
  qm_buf_init(&b, &x->d->env, 8192);
  qm_wire_short(&b, n);
  qm_buf_add(&b, body, n);
  (void)qm_session_feed(x->s, b.p, b.n, &used);
  qm_buf_free(&b);
  return qm_session_closed(x->s, &code) ? code : QM_OK;
}

static void short_disorder_is_refused(void **state) {
  static const struct {
    int to_hub;
    size_t n;
    uint8_t body[4];
  } rows[] = {{1, 1, {0x00}},             /* PUSH of nothing */
              {1, 1, {0x40}},             /* TAKEN, to a hub */
              {0, 1, {0x40}},             /* unasked */
              {0, 2, {0x40, 0}},          /* and more */
              {1, 2, {0x01, 0x80}},       /* a space that is none of it */
              {1, 2, {0x3f, 0x00}},       /* place 63 */
              {1, 3, {0x3f, 0xff, 0xff}}, /* cut short */
              {1, 2, {0x80, 0x80}},       /* neither */
              {1, 2, {0x00, 0x01}},       /* PUSH of what is no compact form */
              {0, 2, {0xc0, 0x80}}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    net n;
    net_open(&n, 23);
    line_open(&n.l[0]);
    settle(&n);
    end *x = rows[i].to_hub ? &n.l[0].b : &n.l[0].a;
    int rc = say_short(x, rows[i].body, rows[i].n);
    if (rc == QM_OK) fail_msg("row %u", (unsigned)i);
    net_close(&n);
  }
}

/* What cannot be taken leads to a round, and nobody is refused. */
static void what_is_not_taken_comes_in_a_round(void **state) {
  static const uint8_t nonsense[][3] = {{0x00, 0x80, 1}, {0x00, 0xff, 1}};
  (void)state;
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
    for (int to_hub = 0; to_hub < 2; to_hub++) {
      net n;
      net_open(&n, 29);
      line_open(&n.l[0]);
      settle(&n);
      unsigned done = n.l[0].a.done;
      end *x = to_hub ? &n.l[0].b : &n.l[0].a;
      ok(say_short(x, nonsense[i], 3));
      events(&n.l[0], x);
      settle(&n);
      assert_int_equal(n.l[0].a.closed + n.l[0].b.closed, 0);
      assert_int_equal(n.l[0].a.done, done + 1);
      net_close(&n);
    }
}

/* A peer of version 1 gets rounds, and batches of version 1 (S8.3), of what rests in version 2;
 * the hub also from one of version 3 at the same time. */
static void an_older_peer_gets_rounds(void **state) {
  char much[4200]; /* for the compact form */
  net n;
  (void)state;
  net_open(&n, 31);
  n.calm = 1;
  for (int i = 0; i < PHONES; i++) line_open(&n.l[i]);
  settle(&n);
  for (int i = 0; i < PHONES; i++) n.l[i].a.s->proto = n.l[i].b.s->proto = 1;
  n.old = n.new = 0;
  for (int k = 0; k < 3; k++) {
    ok(k ? put(&n.w.d[1], "r1", F_TEL, k & 1 ? "1" : "2") : put_new(&n.w.d[1], "r1"));
    (void)qm_session_news(n.l[0].a.s, &n.w.d[1].space->id);
    settle(&n);
    check_all(&n);
  }
  assert_int_equal(n.small, 0);
  assert_true(n.old && !n.new);
  n.old = 0;
  for (int i = 0; i < PHONES; i++) n.l[i].a.s->proto = n.l[i].b.s->proto = i ? 1 : 3;
  memset(much, 'x', sizeof much - 1);
  much[sizeof much - 1] = 0;
  ok(put(&n.w.d[1], "r1", F_TEL, much));
  (void)qm_session_news(n.l[0].a.s, &n.w.d[1].space->id);
  settle(&n);
  check_all(&n);
  assert_true(n.old == PHONES - 1 && n.new == 1);
  net_close(&n);
}

/* Most sessions of a hub rest: of what frames needed they keep nothing worth counting. */
static void a_session_that_rests_holds_little(void **state) {
  net n;
  char text[3000];
  (void)state;
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  net_open(&n, 41);
  for (int i = 0; i < PHONES; i++) line_open(&n.l[i]);
  settle(&n);
  ok(put_new(&n.w.d[1], "r1"));
  ok(put_text(&n.w.d[1], "r1", 0, 0, text));
  (void)qm_session_news(n.l[0].a.s, &n.w.d[1].space->id);
  settle(&n);
  check_all(&n);
  for (int i = 0; i < 2 * PHONES; i++) {
    const qm_session *s = i % 2 ? n.l[i / 2].a.s : n.l[i / 2].b.s;
    assert_null(s->arena.head);
    assert_true(s->out.cap <= 1024 && s->wire.body.cap <= 1024);
  }
  net_close(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(live_sessions_converge),
      cmocka_unit_test(an_edit_goes_round),
      cmocka_unit_test(a_slow_phone_costs_the_hub_nothing),
      cmocka_unit_test(a_right_that_ends_holds_at_once),
      cmocka_unit_test(pings_keep_it_and_silence_ends_it),
      cmocka_unit_test(disorder_is_refused),
      cmocka_unit_test(short_disorder_is_refused),
      cmocka_unit_test(what_is_not_taken_comes_in_a_round),
      cmocka_unit_test(an_older_peer_gets_rounds),
      cmocka_unit_test(a_session_that_rests_holds_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
