#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/liar.h"

typedef struct pipe {
  uint8_t *p;
  size_t n, cap;
} pipe_bytes;

typedef struct end {
  node *n;
  qm_session *s; /* NULL: this end is gone */
  pipe_bytes in; /* on its way to this end */
  int closed, code, same;
  /* A batch went before its turn: after the next one of that space the cursor passes it. */
  qm_id ahead;
  uint64_t ahead_from, ahead_to;
} end;

typedef struct link {
  int used, cut;
  end c, s;
  int beside; /* another one between the two was there meanwhile */
  int stalls, deaf; /* deaf: 1 the client, 2 the server */
  int stays, live;  /* it is to stay connected; all has been exchanged once */
  uint64_t leave_at;
  sim_prng random;
  uint64_t next_ms, cut_at, moved, steps;
  net_result *result;
  held_list held; /* by the two when it began */
  unsigned forked, told; /* spaces in which they were a fork then, and heard of it */
} link;

struct links {
  link all[LINKS_MAX];
};

void net_open(world *w) {
  w->links = calloc(1, sizeof *w->links);
  if (!w->links) abort();
}

static int peers(const link *l) { return l->s.n->index != HUB; }
static qm_answer *answer_of(const link *l, end *x) {
  return peers(l) ? &x->n->peer_answer : &x->n->answer;
}

/* --- ends --- */

static int open_end(link *l, end *x, qm_session_role role, const node *peer) {
  world *w = x->n->w;
  qm_session_options o = {.size = sizeof o,
                          .flags = (peers(l) ? 0u : QM_SESSION_HUB) |
                                   (l->stays && role == QM_CLIENT ? QM_SESSION_LIVE : 0u),
                          .device = x->n->id,
                          .peer = peer->id,
                          .serial = w->sessions + 1,
                          .now_ms = w->now};
  x->in.n = 0;
  x->closed = x->code = x->same = 0;
  x->ahead_to = 0;
  return qm_session_new(&x->s, &x->n->env, role, &o);
}

static void drop_end(end *x) {
  qm_session_free(x->s);
  x->s = NULL;
  x->in.n = 0;
}

static void drop_link(link *l) {
  drop_end(&l->c);
  drop_end(&l->s);
  l->used = 0;
}

void net_close(world *w) {
  for (int i = 0; i < LINKS_MAX; i++) {
    link *l = &w->links->all[i];
    if (l->used) drop_link(l);
    free(l->held.p);
    free(l->c.in.p);
    free(l->s.in.p);
  }
  free(w->links);
  w->links = NULL;
}

/* Of two sessions at once one may find that the other has taken what both staged, and end
 * before the rest is over (S8.12). */
static void mark_beside(world *w, link *l) {
  l->beside = 0;
  for (int i = 0; i < LINKS_MAX; i++) {
    link *x = &w->links->all[i];
    if (x == l || !x->used) continue;
    if (x->c.n == l->c.n ? x->s.n == l->s.n : x->c.n == l->s.n && x->s.n == l->c.n)
      x->beside = l->beside = 1;
  }
}

static link *start(world *w, node *client, node *server, uint64_t stay_ms) {
  link *l = NULL;
  for (int i = 0; i < LINKS_MAX && !l; i++)
    if (!w->links->all[i].used) l = &w->links->all[i];
  if (!l || !client->up || !server->up || client->revoked || server->revoked) return NULL;
  l->used = 1;
  l->cut = 0;
  l->c.n = client;
  l->s.n = server;
  mark_beside(w, l);
  l->moved = l->steps = 0;
  l->cut_at = UINT64_MAX;
  l->stalls = l->deaf = l->live = 0;
  l->stays = stay_ms != 0;
  l->leave_at = w->now + stay_ms;
  l->random.state = w->seed * UINT64_C(0x9e3779b97f4a7c15) + w->sessions;
  l->result = NULL;
  l->next_ms = w->now;
  if (open_end(l, &l->c, QM_CLIENT, server) != QM_OK ||
      open_end(l, &l->s, QM_SERVER, client) != QM_OK)
    abort();
  w->sessions++;
  check_held(w, client, server, &l->held);
  l->forked = forks_open(client, server);
  l->told = 0;
  return l;
}

int net_start(world *w, node *client, node *server, const step *x, unsigned nth) {
  link *l = start(w, client, server, nth ? 0 : (uint64_t)x->arg[A_STAY]);
  if (!l) return 0;
  w->fired[F_LIVE] += l->stays != 0;
  l->random.state = x->salt + (nth + 1) * UINT64_C(0x9e3779b97f4a7c15);
  if (x->arg[A_CUT] && !nth) l->cut_at = (uint64_t)x->arg[A_CUT];
  l->deaf = (int)x->arg[A_DEAF];
  l->stalls = x->arg[A_STALLS] != 0;
  trace_u64(&w->trace, (uint64_t)client->index << 8 | server->index);
  return 1;
}

/* --- sessions that stay --- */

/* The stream is gone; an end that does not hear of it waits on. */
static void cut(world *w, link *l) {
  l->cut = 1;
  l->c.in.n = l->s.in.n = 0;
  end *deaf = l->deaf == 1 ? &l->c : l->deaf == 2 ? &l->s : NULL;
  w->fired[F_CUT]++;
  w->fired[F_HALF_OPEN] += deaf != NULL;
  if (&l->c != deaf && l->c.s) qm_session_shut(l->c.s, QM_ENET);
  if (&l->s != deaf && l->s.s) qm_session_shut(l->s.s, QM_ENET);
}

/* A compact segment goes on as it is, where the device may still read (S8.15). */
static int tell_end(link *l, end *x, const qm_id *space, qm_slice small) {
  node *n = x->n;
  const qm_answer_policy *policy = answer_of(l, x)->policy;
  qm_grant g = {.readable = 0};
  qm_arena arena;
  if (!small.n || x != &l->s || peers(l)) return qm_session_news(x->s, space);
  qm_arena_init(&arena, &n->env, 1u << 16);
  int rc = policy->grant ? policy->grant(policy->payload, &l->c.n->id, space, &arena, &g) : QM_OK;
  qm_arena_free(&arena);
  if (rc != QM_OK || !g.readable) return qm_session_news(x->s, space);
  return qm_session_relay(x->s, space, small);
}

static void tell_others(world *w, const link *from, const node *n, const qm_id *space,
                        qm_slice small) {
  for (int i = 0; i < LINKS_MAX; i++) {
    link *l = &w->links->all[i];
    if (!l->used || l == from || !l->stays || (l->c.n != n && l->s.n != n)) continue;
    end *x = l->c.n == n ? &l->c : &l->s;
    if (x->s && !x->closed && tell_end(l, x, space, small)) l->next_ms = w->now;
  }
}

void net_news(world *w, const node *n, const qm_id *space) {
  tell_others(w, NULL, n, space, qm_slice_of(NULL, 0));
}

void net_leave(world *w) {
  for (int i = 0; i < LINKS_MAX; i++) {
    link *l = &w->links->all[i];
    if (!l->used || !l->stays || !l->s.s || l->s.closed) continue;
    qm_session_bye(l->s.s);
    l->next_ms = w->now;
  }
}

int net_stays(const world *w, const node *n) {
  for (int i = 0; i < LINKS_MAX; i++)
    if (w->links->all[i].used && w->links->all[i].stays && w->links->all[i].c.n == n) return 1;
  return 0;
}

/* It has stayed long enough: the person closes the app, or walks out of the door. */
static void leave_in_time(world *w, link *l) {
  if (!l->stays || w->now < l->leave_at || l->cut || !l->c.s || l->c.closed) return;
  l->leave_at = UINT64_MAX;
  if (prng_chance(&w->random, 1, 2))
    qm_session_bye(l->c.s);
  else
    cut(w, l);
}

/* When nothing moves: the next thing that can happen is a deadline. */
static uint64_t idle_until(const world *w, const link *l) {
  uint64_t due = w->now + 1000;
  if (!l->live) return due;
  due = l->leave_at;
  if (l->c.s && qm_session_deadline(l->c.s) < due) due = qm_session_deadline(l->c.s);
  if (l->s.s && qm_session_deadline(l->s.s) < due) due = qm_session_deadline(l->s.s);
  return due > w->now ? due : w->now + 1;
}

/* --- events --- */

static void after_event(end *x, const qm_answer *a, const qm_event *ev) {
  int rc = ev->ticket ? a->own.rc : QM_OK;
  if (ev->kind == QM_EV_COMMIT)
    note(x->n->w, "node %u: batch of space %u: %u taken, %u known, %u parked, %u refused: %s",
         x->n->index, space_of_id(x->n->w, &ev->space), a->own.reply.taken, a->own.reply.known,
         a->own.reply.parked, a->own.reply.n_refusals, rc == QM_OK ? "ok" : qm_err_name(rc));
  if (ev->kind == QM_EV_COMMIT || ev->kind == QM_EV_STATE_JOIN) forks_note(x->n);
  if (rc == QM_EIO || rc == QM_ECORRUPT || rc == QM_EINTERNAL) x->n->sick = 1;
  if (rc == QM_ECORRUPT || rc == QM_EINTERNAL)
    check_storage_error(x->n, "session", rc);
}

/* 1 where it was answered here: in another order than that of the log. */
static int answer_next(end *x, qm_answer *a, const qm_event *ev) {
  node *n = x->n;
  int follows = x->ahead_to && x->ahead_from == ev->cursor && !qm_id_cmp(&x->ahead, &ev->space);
  if (!follows && (x->ahead_to || !shuffles(n->w))) return 0;
  uint64_t past = shuffled_answer_next(n, a, x->s, ev, follows ? x->ahead_to : 0);
  x->ahead = ev->space;
  x->ahead_from = ev->cursor;
  x->ahead_to = past;
  if (a->own.rc == QM_EIO) n->sick = 1;
  return 1;
}

static int run_events(link *l, end *x) {
  qm_event ev;
  node *n = x->n;
  qm_answer *a = answer_of(l, x);
  int any = 0;
  while (x->s && !disk_dead(n->disk) && !n->sick && qm_session_next(x->s, &ev)) {
    any = 1;
    trace_u64(&n->w->trace, (uint64_t)ev.kind);
    if (ev.kind == QM_EV_NEXT && liar_answer_next(n, a, x->s, &ev)) continue;
    if (ev.kind == QM_EV_NEXT && answer_next(x, a, &ev)) continue;
    uint8_t small[QM_SMALL_MAX];
    size_t n_small = ev.kind == QM_EV_COMMIT && qm_is_small(ev.blob) ? ev.blob.n : 0;
    if (n_small) memcpy(small, ev.blob.p, n_small);
    n->w->compact += n_small != 0;
    int rc = qm_answer_event(a, x->s, &ev);
    if (!ev.ticket && (rc == QM_EIO || rc == QM_EINTERNAL || rc == QM_ECORRUPT)) n->sick = 1;
    after_event(x, a, &ev);
    check_event(n->w, n, x == &l->c ? l->s.n : l->c.n, &ev);
    if (ev.kind == QM_EV_SAME) x->same = 1;
    if (ev.kind == QM_EV_LIVE) l->live = 1;
    if (ev.kind == QM_EV_DONE && l->live) n->w->rounds++;
    if (ev.kind == QM_EV_COMMIT && a->own.rc == QM_OK && a->own.reply.taken)
      tell_others(n->w, l, n, &ev.space, qm_slice_of(small, a->own.as_it_came ? n_small : 0));
    if (ev.kind == QM_EV_STATE_JOIN && a->own.rc == QM_OK) {
      n->w->first_states += n->late && n->fresh;
      tell_others(n->w, l, n, &ev.space, qm_slice_of(NULL, 0));
    }
    if (ev.kind == QM_EV_FORK) l->told |= 1u << space_of_id(n->w, &ev.space);
    if (ev.kind != QM_EV_CLOSED) continue;
    x->closed = 1;
    x->code = ev.code;
  }
  return any;
}

/* --- bytes --- */

static void pipe_add(pipe_bytes *p, const uint8_t *from, size_t n) {
  if (p->n + n > p->cap) {
    p->cap = (p->n + n) * 2;
    p->p = realloc(p->p, p->cap);
    if (!p->p) abort();
  }
  memcpy(p->p + p->n, from, n);
  p->n += n;
}

/* What `from` puts out goes on the wire; 1 where something did. */
static int pour(world *w, link *l, end *from, end *to) {
  uint8_t piece[16384];
  size_t n = 0;
  int any = 0;
  while (from->s && l->moved < l->cut_at) {
    size_t cap = prng_chance(&w->random, 1, 3) ? 1 + prng_below(&w->random, 600) : sizeof piece;
    if (cap > l->cut_at - l->moved) cap = (size_t)(l->cut_at - l->moved);
    if (qm_session_take(from->s, piece, cap, &n) != QM_OK || !n) break;
    check_wire(w, from->n, to->n, piece, n);
    liar_bytes(w, from->n, piece, n);
    trace_bytes(&w->trace, piece, n);
    l->moved += n;
    any = 1;
    if (to->s && !to->closed) pipe_add(&to->in, piece, n);
  }
  return any;
}

static int drain(world *w, end *x) {
  size_t used = 0, n = x->in.n;
  if (!n || !x->s || x->closed) return 0;
  if (prng_chance(&w->random, 1, 3)) n = 1 + prng_below(&w->random, (uint32_t)n);
  (void)qm_session_feed(x->s, x->in.p, n, &used);
  memmove(x->in.p, x->in.p + used, x->in.n - used);
  x->in.n -= used;
  return used != 0;
}

static void finish_end(link *l, end *x) {
  if (!x->s || !x->closed) return;
  if (!l->cut && qm_session_waiting(x->s)) return;
  drop_end(x);
  end *other = x == &l->c ? &l->s : &l->c;
  if (other->s && !l->cut && !other->in.n && !other->closed)
    qm_session_shut(other->s, QM_ECLOSED);
}

static void finish_link(world *w, link *l) {
  finish_end(l, &l->c);
  finish_end(l, &l->s);
  if (l->c.s || l->s.s) return;
  if (l->result) {
    l->result->code = l->c.closed ? l->c.code : QM_ENET;
    l->result->same = l->c.same;
    l->result->steps = l->steps;
  }
  l->used = 0;
  if (l->c.closed && l->c.code == QM_OK && l->forked & ~l->told)
    violation(w, "nodes %u and %u: an author told each something else, and they do not hear of it",
              l->c.n->index, l->s.n->index);
  if (l->c.closed)
    check_session(w, l->c.n, l->s.n, l->c.code, l->beside ? NULL : &l->held, l->stays);
}

static void count_bytes(link *l) {
  if (!l->result || !l->c.s) return;
  qm_session_bytes(l->c.s, &l->result->down, &l->result->up);
}

static void advance(world *w, link *l) {
  node *a = l->c.n, *b = l->s.n;
  int any = 0;
  l->steps++;
  leave_in_time(w, l);
  if (l->c.s) (void)qm_session_tick(l->c.s, w->now);
  if (l->s.s) (void)qm_session_tick(l->s.s, w->now);
  any |= run_events(l, &l->c);
  if (l->used && !disk_dead(a->disk) && !disk_dead(b->disk)) any |= run_events(l, &l->s);
  if (!disk_dead(a->disk) && !disk_dead(b->disk)) {
    any |= pour(w, l, &l->c, &l->s);
    any |= pour(w, l, &l->s, &l->c);
    count_bytes(l);
    any |= drain(w, &l->s);
    any |= drain(w, &l->c);
    if (l->moved >= l->cut_at && !l->cut) cut(w, l);
    finish_link(w, l);
  }
  if (!any && l->live && l->c.s && l->s.s) check_rest(w, a, b);
  l->next_ms = any ? w->now + 1 + prng_below(&w->random, 40) : idle_until(w, l);
  if (l->stalls && prng_chance(&w->random, 1, 100)) {
    w->fired[F_DELAY]++;
    l->next_ms += 1000u << prng_below(&w->random, 8);
  }
  node_after(a);
  node_after(b);
}

/* The connection draws from its own stream, whatever else happens. A step may end it, but
 * starts none: the stream is its own throughout. */
static void step_link(world *w, link *l) {
  sim_prng outer = w->random;
  w->random = l->random;
  advance(w, l);
  l->random = w->random;
  w->random = outer;
}

uint64_t net_due(const world *w) {
  uint64_t due = UINT64_MAX;
  for (int i = 0; i < LINKS_MAX; i++) {
    const link *l = &w->links->all[i];
    if (l->used && l->next_ms < due) due = l->next_ms;
  }
  return due;
}

void net_step(world *w) {
  for (int i = 0; i < LINKS_MAX; i++) {
    link *l = &w->links->all[i];
    if (l->used && l->next_ms <= w->now) step_link(w, l);
  }
}

int net_busy(const world *w) { return net_due(w) != UINT64_MAX; }

/* A process that ends closes its descriptors: the other side hears of it. */
void net_cut_node(world *w, const node *n) {
  for (int i = 0; i < LINKS_MAX; i++) {
    link *l = &w->links->all[i];
    if (!l->used || (l->c.n != n && l->s.n != n)) continue;
    end *mine = l->c.n == n ? &l->c : &l->s, *other = l->c.n == n ? &l->s : &l->c;
    drop_end(mine);
    mine->closed = 1;
    mine->code = QM_ENET;
    l->cut = 1;
    if (other->s) qm_session_shut(other->s, QM_ENET);
    l->next_ms = w->now;
    if (!other->s) {
      if (l->result) l->result->code = QM_ENET;
      l->used = 0;
    }
  }
}

void net_cut_all(world *w) {
  for (int i = 0; i < LINKS_MAX; i++) {
    link *l = &w->links->all[i];
    if (!l->used) continue;
    l->cut = 1;
    if (l->c.s) qm_session_shut(l->c.s, QM_ENET);
    if (l->s.s) qm_session_shut(l->s.s, QM_ENET);
  }
  for (int i = 0; i < 1000 && net_busy(w); i++) {
    w->now = net_due(w) > w->now ? net_due(w) : w->now;
    net_step(w);
  }
}

int net_session(world *w, node *client, node *server, net_result *out) {
  memset(out, 0, sizeof *out);
  link *l = start(w, client, server, 0);
  if (!l) return 0;
  l->result = out;
  for (int i = 0; i < 20000 && l->used; i++) {
    if (l->next_ms > w->now) w->now = l->next_ms;
    step_link(w, l);
  }
  return !l->used;
}
