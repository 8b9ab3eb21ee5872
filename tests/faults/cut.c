#include <stdio.h>
#include <string.h>

#include "core/space.h"
#include "core/state.h"
#include "tests/faults/faults.h"

enum { CHANGES = 60, OTHERS = 50, EACH = 4 /* changes a segment */ };

/* A phone and a hub that holds what another phone wrote; the two phones had met once, so
 * that there is something to have seen. Always the same bytes. */
static void make_pair(node *phone, node *hub) {
  node other;
  node_init(phone, 'P');
  node_init(hub, 'H');
  node_init(&other, 'Q');
  node_memory(phone);
  node_memory(hub);
  node_memory(&other);
  node_engine(phone);
  node_engine(hub);
  node_engine(&other);
  for (unsigned i = 0; i < OTHERS; i++) {
    node_write(&other, i);
    if (i % EACH == EACH - 1) node_push(&other);
    if (i == 9) (void)node_session(phone, &other, CUT_NEVER, 0);
    if (i == 29) (void)node_session(&other, hub, CUT_NEVER, 0);
  }
  (void)node_session(&other, hub, CUT_NEVER, 0);
  node_close(&other);
  for (unsigned i = 0; i < CHANGES; i++) {
    node_write(phone, i);
    if (i % EACH == EACH - 1) node_push(phone);
  }
}

static int64_t sum_to(int64_t n) { return n * (n + 1) / 2; }

typedef struct reference {
  outcome o;
  uint8_t digest[32];
} reference;

static void whole_session(reference *r) {
  node phone, hub;
  make_pair(&phone, &hub);
  r->o = node_session(&phone, &hub, CUT_NEVER, 0);
  if (!r->o.whole) broken("the reference session does not end well");
  nodes_equal(&phone, &hub);
  node_digest(&hub, r->digest);
  if (node_sum(&hub) != sum_to(CHANGES) + sum_to(OTHERS)) broken("the reference sum is wrong");
  node_close(&phone);
  node_close(&hub);
}

/* One cut, then a session that must end with everything, sending no batch that arrived. */
static unsigned cut_once(const reference *r, cut where, size_t at) {
  node phone, hub;
  uint8_t digest[32];
  make_pair(&phone, &hub);
  outcome a = node_session(&phone, &hub, where, at);
  const char *way = where == CUT_UP ? "up" : "down";
  node_check(&phone);
  node_check(&hub);
  /* What arrived whole was committed, so that nothing but the piece cut off comes again. */
  if (a.up.commits != a.up.batches || a.down.commits != a.down.batches)
    broken("cut %s at %zu: %u and %u batches came, %u and %u were committed", way, at, a.up.batches,
           a.down.batches, a.up.commits, a.down.commits);
  if (!node_acknowledged_holds(&phone, &hub))
    broken("cut %s at %zu: acknowledged is what the hub does not hold", way, at);
  uint64_t unsent, oldest;
  must(qm_engine_unsent(phone.engine, phone.space, &unsent, &oldest), "unsent");
  outcome b = node_session(&phone, &hub, CUT_NEVER, 0);
  if (!b.whole) broken("cut %s at %zu: the next session does not end well", way, at);
  nodes_equal(&phone, &hub);
  node_digest(&hub, digest);
  if (memcmp(digest, r->digest, 32) != 0) broken("cut %s at %zu: another end", way, at);
  if (node_sum(&phone) != sum_to(CHANGES) + sum_to(OTHERS))
    broken("cut %s at %zu: the sum is %lld", way, at, (long long)node_sum(&phone));
  if (b.up.known + b.down.known || a.up.known + a.down.known)
    broken("cut %s at %zu: segments came twice", way, at);
  if (a.up.taken + b.up.taken != r->o.up.taken || a.down.taken + b.down.taken != r->o.down.taken)
    broken("cut %s at %zu: %u + %u and %u + %u segments, not %u and %u", way, at, a.up.taken,
           b.up.taken, a.down.taken, b.down.taken, r->o.up.taken, r->o.down.taken);
  must(qm_engine_unsent(phone.engine, phone.space, &unsent, &oldest), "unsent");
  if (unsent) broken("cut %s at %zu: the phone does not know that all is held", way, at);
  node_close(&phone);
  node_close(&hub);
  return a.up.batches + a.down.batches;
}

void cut_sessions(unsigned step, unsigned *number) {
  reference r;
  whole_session(&r);
  for (int d = 0; d < 2; d++) {
    size_t end = d ? r.o.down.bytes : r.o.up.bytes, cuts = 0;
    for (size_t at = (*number + (size_t)d) % step; at < end; at += step, cuts++)
      (void)cut_once(&r, d ? CUT_DOWN : CUT_UP, at);
    printf("ok %u - session cut %s: %zu cuts in %zu bytes, %u batches\n", ++*number,
           d ? "down" : "up", cuts, end, d ? r.o.down.batches : r.o.up.batches);
    (void)fflush(stdout);
  }
}

/* --- sessions that carry a state --- */

/* The hub's log no longer reaches back to where the phone stands. */
static void cut_log(node *hub) {
  hub->engine->flags |= QM_ENGINE_HUB;
  must(qm_engine_push(hub->engine, hub->space), "push");
  must(qm_engine_cut(hub->engine, hub->space, qm_space_vv(hub->space)), "cut");
}

static void make_below(node *phone, node *hub, unsigned large) {
  if (!large) {
    make_pair(phone, hub);
    cut_log(hub);
    return;
  }
  node_init(phone, 'P');
  node_init(hub, 'H');
  node_memory(phone);
  node_memory(hub);
  node_engine(phone);
  node_engine(hub);
  node_write_large(hub, large);
  for (unsigned i = 0; i < 8; i++) node_write(phone, i);
  cut_log(hub);
}

/* One cut; then a session that ends with everything. Of the state comes again at most the
 * part that was on its way. */
static void cut_state_once(const reference *r, unsigned large, cut where, size_t at) {
  node phone, hub;
  uint8_t digest[32];
  const char *way = where == CUT_UP ? "up" : "down";
  make_below(&phone, &hub, large);
  int64_t sum = sum_to(large ? 8 : CHANGES) + (large ? 0 : sum_to(OTHERS));
  outcome a = node_session(&phone, &hub, where, at);
  node_check(&phone);
  node_check(&hub);
  outcome b = node_session(&phone, &hub, CUT_NEVER, 0);
  if (!b.whole) broken("state cut %s at %zu: the next session does not end well", way, at);
  nodes_equal(&phone, &hub);
  node_digest(&hub, digest);
  if (memcmp(digest, r->digest, 32) != 0) broken("state cut %s at %zu: another end", way, at);
  if (node_sum(&phone) != sum) broken("state cut %s at %zu: the sum is wrong", way, at);
  if (a.down.parts + b.down.parts > r->o.down.parts || a.up.joins + b.up.joins)
    broken("state cut %s at %zu: %u and %u parts were taken of %u", way, at, a.down.parts,
           b.down.parts, r->o.down.parts);
  if (a.up.known + b.up.known) broken("state cut %s at %zu: segments came twice", way, at);
  if (a.up.taken + b.up.taken != r->o.up.taken)
    broken("state cut %s at %zu: %u + %u segments came up, not %u", way, at, a.up.taken, b.up.taken,
           r->o.up.taken);
  node_close(&phone);
  node_close(&hub);
}

static void cut_below(unsigned step, unsigned large, unsigned *number) {
  reference r;
  node phone, hub;
  make_below(&phone, &hub, large);
  r.o = node_session(&phone, &hub, CUT_NEVER, 0);
  if (!r.o.whole || r.o.down.joins != 1) broken("the reference session carries no state");
  if (large && r.o.down.parts < 3) broken("a state of %u parts", r.o.down.parts);
  nodes_equal(&phone, &hub);
  node_digest(&hub, r.digest);
  node_close(&phone);
  node_close(&hub);
  for (int d = 0; d < 2; d++) {
    size_t end = d ? r.o.down.bytes : r.o.up.bytes, cuts = 0;
    size_t each = large && end / 24 > step ? end / 24 : step;
    for (size_t at = (*number + (size_t)d) % each; at < end; at += each, cuts++)
      cut_state_once(&r, large, d ? CUT_DOWN : CUT_UP, at);
    printf("ok %u - session with a state of %u parts cut %s: %zu cuts in %zu bytes\n", ++*number,
           r.o.down.parts, d ? "down" : "up", cuts, end);
    (void)fflush(stdout);
  }
}

void cut_state_sessions(unsigned step, unsigned *number) {
  cut_below(step, 0, number);
  cut_below(step, 700, number);
}

/* --- states --- */

enum { PARTS_MAX = 64 };

typedef struct parts {
  qm_slice p[PARTS_MAX];
  uint32_t n;
  qm_arena arena;
} parts;

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  parts *s = payload;
  if (part != s->n || part >= PARTS_MAX) return QM_ELIMIT;
  s->p[s->n++] = qm_slice_of(qm_arena_copy(&s->arena, content.p, content.n), content.n);
  return QM_OK;
}

/* Must fail and change nothing. */
static void refuse_state(node *n, const qm_slice *p, uint32_t count, const char *what, size_t at) {
  uint8_t before[32], after[32];
  qm_error e = {0, ""};
  int joined = 0;
  node_digest(n, before);
  int rc = qm_state_join(n->engine, n->space, p, count, &joined, &e);
  node_digest(n, after);
  if (rc == QM_OK || joined) broken("%s at %zu: part of a state took effect", what, at);
  if (memcmp(before, after, 32) != 0)
    broken("%s at %zu: a refused state changed something", what, at);
}

static void take_state(node *n, const parts *s, node *from) {
  int joined = 0;
  qm_error e = {0, ""};
  node_check(n);
  must(qm_state_join(n->engine, n->space, s->p, s->n, &joined, &e), "join");
  if (!joined) broken("the whole state is not taken");
  nodes_equal(n, from);
}

static void write_state(node *from, parts *s) {
  s->n = 0;
  qm_arena_init(&s->arena, &from->env, 64u << 20);
  must(qm_state_write(from->engine, from->space, keep_part, s), "state");
}

static void cut_small(unsigned step, unsigned *number) {
  node from, to, hub;
  parts s;
  size_t cuts = 0, bytes = 0;
  make_pair(&from, &hub);
  (void)node_session(&from, &hub, CUT_NEVER, 0);
  write_state(&hub, &s);
  node_init(&to, 'N');
  node_memory(&to);
  node_engine(&to);
  for (uint32_t i = 0; i < s.n; i++) {
    for (size_t at = 0; at < s.p[i].n; at += step, cuts++) {
      qm_slice whole = s.p[i];
      s.p[i].n = at;
      refuse_state(&to, s.p, s.n, "a part cut", at);
      if (at) refuse_state(&to, s.p, i + 1, "the last part cut", at);
      s.p[i] = whole;
    }
    bytes += s.p[i].n;
  }
  take_state(&to, &s, &hub);
  printf("ok %u - state cut: %zu cuts in %zu bytes\n", ++*number, cuts, bytes);
  qm_arena_free(&s.arena);
  node_close(&to);
  node_close(&from);
  node_close(&hub);
}

/* Several parts: any of them missing, told twice or out of order. */
static void cut_large(unsigned *number) {
  node from, to;
  parts s;
  unsigned tried = 0;
  node_init(&from, 'P');
  node_init(&to, 'N');
  node_memory(&from);
  node_memory(&to);
  node_engine(&from);
  node_engine(&to);
  node_write_large(&from, 700);
  node_write(&to, 1); /* a replica that has something to lose */
  (void)node_session(&to, &from, CUT_NEVER, 0);
  node_write(&from, 2);
  write_state(&from, &s);
  if (s.n < 4) broken("the state has only %u parts", s.n);
  for (uint32_t have = 0; have < s.n; have++, tried++)
    refuse_state(&to, s.p, have, "the first parts only", have);
  for (uint32_t out = 0; out < s.n; out++, tried++) {
    qm_slice p[PARTS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.n; i++)
      if (i != out) p[n++] = s.p[i];
    refuse_state(&to, p, n, "a part missing", out);
    if (out + 1 == s.n) continue;
    memcpy(p, s.p, sizeof p);
    p[out] = s.p[out + 1], p[out + 1] = s.p[out];
    refuse_state(&to, p, s.n, "two parts exchanged", out);
    memcpy(p, s.p, sizeof p);
    p[out + 1] = s.p[out];
    refuse_state(&to, p, s.n, "a part twice", out);
  }
  take_state(&to, &s, &from);
  printf("ok %u - state of %u parts, %u of them missing, exchanged or twice\n", ++*number, s.n,
         tried);
  qm_arena_free(&s.arena);
  node_close(&to);
  node_close(&from);
}

void cut_states(unsigned step, unsigned *number) {
  cut_small(step, number);
  cut_large(number);
}
