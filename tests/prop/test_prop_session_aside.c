/* (S8.6) Set-aside entries that come at any moment: learnt in another session while this one
 * is on its way, made by the hub of what it takes, beside batches and states, in rounds of a
 * session that stays. The drivers are made up and answer late, in any order that they may:
 * whatever the order, no side holds what the other does against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/session.h"

#define ok(call) assert_int_equal(call, QM_OK)
enum { SPACES = 2, OWED = 64, SEEDS = 3000 };

typedef struct owed {
  qm_event ev;
  uint8_t *blob;
  qm_aside_count peer[4];
} owed;

typedef struct side {
  qm_env env;
  qm_session *s;
  uint64_t held[SPACES]; /* entries */
  unsigned batches[SPACES], cuts[SPACES], parts[SPACES];
  owed queue[OWED];
  unsigned n;
  int hub, server, closed, code, news, live;
  char message[200];
  qm_buf in;
} side;

static uint64_t random_state;
static uint32_t below(uint32_t n) {
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(random_state >> 33) % n;
}

static const qm_author by = {{'h'}};
static uint64_t clock_ms(void *payload) {
  (void)payload;
  return UINT64_C(1800000000000);
}
static qm_id id_of(unsigned s) { return (qm_id){{'s', (uint8_t)s}}; }

/* --- the drivers --- */

static void put_entries(qm_buf *out, uint64_t from, uint64_t to) {
  qm_mp_array(out, (uint32_t)(to - from));
  for (uint64_t seq = from; seq < to; seq++) {
    qm_aside a = {.by = by, .seq = seq, .next = 1, .code = QM_EACCESS};
    qm_aside_put(&a, out);
  }
  ok(qm_buf_status(out));
}

/* What the peer has is what it said and what it sent: the next entry is the one that is due. */
static void take_entries(side *x, unsigned s, qm_slice blob) {
  qm_cur c;
  uint32_t n = 0;
  qm_cur_init(&c, blob);
  ok(qm_cur_array(&c, &n));
  for (uint32_t i = 0; i < n; i++) {
    qm_aside a;
    ok(qm_aside_get(&a, &c));
    assert_true(a.seq <= x->held[s]);
    if (a.seq == x->held[s]) x->held[s]++;
  }
}

static void reply_asides(const side *x, unsigned s, qm_aside_count *to, qm_reply *r) {
  *to = (qm_aside_count){by, x->held[s]};
  r->asides = (qm_aside_counts){to, x->held[s] != 0};
}

static int read_entries(side *x, unsigned s, const qm_event *ev, qm_buf *b, qm_aside_count *after,
                        qm_reply *r) {
  uint64_t from = ev->asides.n ? ev->asides.p[0].count : 0;
  if (from >= x->held[s]) return QM_ENOTFOUND;
  uint64_t to = from + 1 + below(2);
  if (to > x->held[s]) to = x->held[s];
  put_entries(b, from, to);
  *after = (qm_aside_count){by, to};
  r->blob = qm_buf_slice(b);
  r->peer_asides = (qm_aside_counts){after, 1};
  return QM_OK;
}

static int next_of(side *x, unsigned s) {
  if (x->cuts[s]) {
    x->cuts[s]--;
    return QM_ECUT;
  }
  if (!x->batches[s]) return QM_ENOTFOUND;
  x->batches[s]--;
  return QM_OK;
}

static void answer(side *x, owed *o) {
  const qm_event *ev = &o->ev;
  unsigned s = ev->space.b[1] % SPACES;
  qm_aside_count mine, after;
  qm_space_line lines[SPACES];
  qm_reply r = {.blob = qm_slice_of("x", 1), .parts = 2};
  qm_arena arena;
  qm_buf b;
  int rc = QM_OK;
  qm_arena_init(&arena, &x->env, 1u << 20);
  qm_buf_init(&b, &x->env, 1u << 20);
  memset(lines, 0, sizeof lines);
  for (unsigned i = 0; i < SPACES; i++) {
    lines[i].line.id = id_of(i);
    lines[i].line.digest[0] = (uint8_t)(1 + x->server);
    lines[i].writable = 1;
  }
  r.lines = lines;
  r.n_lines = SPACES;
  switch (ev->kind) {
    case QM_EV_NEXT: rc = next_of(x, s); break;
    case QM_EV_SMALL: rc = QM_ELIMIT; break; /* entries travel in rounds */
    case QM_EV_COMMIT: /* a hub sets some of it aside */
      if (x->hub && below(2)) x->held[s] += 1 + below(2);
      r.taken = 1;
      break;
    case QM_EV_ASIDE:
      take_entries(x, s, ev->blob);
      ok(qm_aside_after(ev->blob, ev->asides, &arena, &r.peer_asides));
      break;
    case QM_EV_ASIDE_READ: rc = read_entries(x, s, ev, &b, &after, &r); break;
    case QM_EV_DIGEST: rc = below(2) ? QM_OK : QM_ENOTFOUND; break;
    default: break;
  }
  reply_asides(x, s, &mine, &r);
  ok(qm_session_done(x->s, ev->ticket, rc, &r));
  qm_arena_free(&arena);
  qm_buf_free(&b);
}

static void keep(side *x, const qm_event *ev) {
  assert_true(x->n < OWED);
  owed *o = &x->queue[x->n++];
  memset(o, 0, sizeof *o);
  o->ev = *ev;
  if (ev->blob.n) {
    o->blob = malloc(ev->blob.n);
    assert_non_null(o->blob);
    memcpy(o->blob, ev->blob.p, ev->blob.n);
    o->ev.blob.p = o->blob;
  }
  assert_true(ev->asides.n <= 4);
  if (ev->asides.n) memcpy(o->peer, ev->asides.p, ev->asides.n * sizeof o->peer[0]);
}

static void events(side *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
      snprintf(x->message, sizeof x->message, "%.*s", (int)ev.message.n,
               (const char *)ev.message.p);
    }
    x->live |= ev.kind == QM_EV_LIVE;
    if (ev.ticket) keep(x, &ev);
  }
}

/* Those of one space in the order in which they were asked, but a commit may go first: a hub's
 * are committed in groups. */
static void answer_one(side *x) {
  unsigned at = below(x->n);
  for (unsigned i = 0; i < at; i++)
    if (x->queue[i].ev.space.b[1] == x->queue[at].ev.space.b[1] &&
        x->queue[at].ev.kind != QM_EV_COMMIT) {
      at = i;
      break;
    }
  for (unsigned i = 0; i < at; i++) /* of several commits the first */
    if (x->queue[at].ev.kind == QM_EV_COMMIT && x->queue[i].ev.kind == QM_EV_COMMIT &&
        x->queue[i].ev.space.b[1] == x->queue[at].ev.space.b[1])
      at = i;
  owed o = x->queue[at];
  o.ev.asides.p = o.peer;
  memmove(x->queue + at, x->queue + at + 1, (x->n - at - 1) * sizeof o);
  x->n--;
  answer(x, &o);
  free(o.blob);
}

/* --- the stream --- */

static int pour(side *from, side *to) {
  uint8_t piece[700];
  size_t n;
  ok(qm_session_take(from->s, piece, 1 + below(sizeof piece), &n));
  qm_buf_add(&to->in, piece, n);
  return n != 0;
}

static int drain(side *x) {
  size_t used = 0;
  if (!x->in.n || x->closed) return 0;
  (void)qm_session_feed(x->s, x->in.p, x->in.n, &used);
  memmove(x->in.p, x->in.p + used, x->in.n - used);
  x->in.n -= used;
  events(x);
  return used != 0;
}

static void open_side(side *x, int server, int hub, int live) {
  memset(x, 0, sizeof *x);
  x->env = qm_env_default();
  x->env.now_ms = clock_ms;
  x->server = server;
  x->hub = hub && server;
  x->news = live ? 3 : 0;
  qm_buf_init(&x->in, &x->env, 8u << 20);
  for (unsigned s = 0; s < SPACES; s++) {
    x->held[s] = below(3);
    x->batches[s] = below(4);
    x->cuts[s] = !below(4) && !hub;
  }
  qm_session_options o = {.size = sizeof o, .device = {{(uint8_t)(1 + server)}}};
  if (hub) o.flags = QM_SESSION_HUB | (live && !server ? QM_SESSION_LIVE : 0u);
  ok(qm_session_new(&x->s, &x->env, server ? QM_SERVER : QM_CLIENT, &o));
  events(x);
}

static void close_side(side *x) {
  for (unsigned i = 0; i < x->n; i++) free(x->queue[i].blob);
  qm_session_free(x->s);
  qm_buf_free(&x->in);
}

static void grow(side *x) { x->held[below(SPACES)] += 1 + below(2); }

static void tell(side *x) {
  unsigned s = below(SPACES);
  qm_id id = id_of(s);
  x->batches[s] += below(2);
  x->news--;
  (void)qm_session_news(x->s, &id);
  events(x);
}

/* What is learnt elsewhere: on a hub what others brought, on a device what a hub had signed. */
static int step(side *x, side *to, uint64_t *entries, unsigned *learnt) {
  unsigned s = below(SPACES);
  if (x->closed) return pour(x, to);
  if (*learnt && !below(6)) {
    --*learnt;
    if (x->hub) grow(x);
    else if (x->held[s] < entries[s]) x->held[s] += 1 + below((uint32_t)(entries[s] - x->held[s]));
  }
  if (x->live && x->news && !below(4)) tell(x);
  switch (below(3)) {
    case 0:
      if (!x->n) return 0;
      answer_one(x);
      events(x);
      return 1;
    case 1: return pour(x, to);
    default: return drain(x);
  }
}

static void play(uint64_t seed) {
  side c, s;
  uint64_t entries[SPACES];
  unsigned learnt = 30, quiet = 0;
  random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
  int hub = seed % 3 != 0, live = seed % 3 == 2, said = 0;
  open_side(&c, 0, hub, live);
  open_side(&s, 1, hub, live);
  for (unsigned i = 0; i < 20000 && !(c.closed && s.closed); i++) {
    for (unsigned k = 0; k < SPACES; k++) /* without a hub in it: somebody's, elsewhere */
      entries[k] = hub ? s.held[k] : 6 + seed % 5;
    int any = below(2) ? step(&c, &s, entries, &learnt) : step(&s, &c, entries, &learnt);
    quiet = any || c.n || s.n ? 0 : quiet + 1;
    if (live && c.live && quiet > 200 && !c.news && !s.news && !said) {
      said = 1;
      qm_session_bye(c.s);
      events(&c);
    }
  }
  if (c.closed && c.code != QM_OK)
    fail_msg("seed %u: client: %s: %s", (unsigned)seed, qm_err_name(c.code), c.message);
  if (s.closed && s.code != QM_OK)
    fail_msg("seed %u: server: %s: %s", (unsigned)seed, qm_err_name(s.code), s.message);
  if (!c.closed || !s.closed) fail_msg("seed %u: the session does not end", (unsigned)seed);
  close_side(&c);
  close_side(&s);
}

static void entries_at_any_moment(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) play(seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(entries_at_any_moment)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
