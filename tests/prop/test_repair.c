/* Replicas whose records are not what they should be: dirty ones, whose log does not reach back,
 * take a state in place of their own (S9.8, S18.6); records that were lost or went bad are
 * found and replaced on the side that is wrong (§19). In the end each is as one that nothing
 * ever happened to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/repair.h"
#include "core/space.h"
#include "core/state.h"
#include "support_world.h"
#include "sync/answer.h"

#define ok(call) assert_int_equal(call, QM_OK)

/* --- sessions --- */

typedef struct end {
  device *d;
  qm_answer answer;
  qm_session *s;
  qm_buf in;
  int closed, code;
  uint32_t differ, parts, joins, repaired, questions;
} end;

typedef struct line {
  end a, b;
  size_t cut_at, moved; /* bytes in all; 0: never */
} line;

static int any_key(void *payload, const qm_id *by, const uint8_t digest[32],
                   const uint8_t signature[64]) {
  (void)payload;
  (void)by;
  (void)digest;
  (void)signature;
  return QM_OK;
}

static const qm_answer_policy policy = {.verify_aside = any_key};

static void end_open(end *x, device *d, qm_session_role role, int is_hub) {
  int serves = role == QM_SERVER && is_hub;
  qm_session_options o = {.size = sizeof o, .device = d->id};
  if (is_hub) o.flags = QM_SESSION_HUB;
  memset(x, 0, sizeof *x);
  x->d = d;
  qm_answer_init(&x->answer, &d->env, d->engine,
                 serves ? QM_ANSWER_HUB | QM_ANSWER_CHECK_SCHEMA : 0, &policy);
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
    x->questions += ev.kind == QM_EV_RANGE_ANSWER;
    if (ev.kind == QM_EV_REPAIRED) x->repaired += ev.count;
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
    }
    (void)qm_answer_event(&x->answer, x->s, &ev);
  }
}

static size_t move(line *l, end *from, end *to) {
  uint8_t bytes[900];
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
static int session(device *client, device *server, size_t cut_at, line *l) {
  memset(l, 0, sizeof *l);
  l->cut_at = cut_at;
  int is_hub = (server->flags & QM_ENGINE_HUB) != 0;
  end_open(&l->a, client, QM_CLIENT, is_hub);
  end_open(&l->b, server, QM_SERVER, is_hub);
  events(&l->a);
  while (move(l, &l->a, &l->b) + move(l, &l->b, &l->a)) continue;
  int whole = l->a.closed && l->b.closed && l->a.code == QM_OK && l->b.code == QM_OK;
  if (!whole) {
    qm_session_shut(l->a.s, QM_ECLOSED);
    qm_session_shut(l->b.s, QM_ECLOSED);
    events(&l->a);
    events(&l->b);
  }
  end_close(&l->a);
  end_close(&l->b);
  return whole;
}

static world w;
static line l;
#define D (&w.d[0])
#define E (&w.d[1])
#define F (&w.d[2])
#define H (&w.d[3])

static int sign_any(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  (void)payload;
  (void)digest;
  memset(out, 5, 64);
  return QM_OK;
}

static void open_n(unsigned n, uint64_t seed) {
  world_open(&w, n, seed);
  H->flags = QM_ENGINE_HUB | (seed % 2 ? QM_ENGINE_BEHIND : 0);
  H->env.sign = sign_any;
  reopen(H);
}

/* As far as the engine lets it; everything is safe. */
static void cut_log(device *d) {
  qm_vv all = {NULL, 0, 0};
  ok(qm_vv_copy(&d->env, &d->space->safe, &d->space->acknowledged));
  for (uint32_t a = 0; a < d->space->authors.n; a++) ok(qm_vv_set(&d->env, &all, a, UINT64_MAX));
  ok(qm_engine_cut(d->engine, d->space, &all));
  qm_vv_free(&d->env, &all);
}

static int is_cut(const device *d) {
  const qm_vv *floor = qm_space_floor(d->space);
  for (uint32_t a = 0; a < floor->n; a++)
    if (floor->next[a]) return 1;
  return 0;
}

static void sync_all(void) {
  for (int turn = 0; turn < 3; turn++)
    for (unsigned i = 0; i < w.n; i++)
      if (i != 3) assert_int_equal(session(&w.d[i], H, 0, &l), 1);
}

static void check_all(void) {
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_false(qm_space_dirty(w.d[i].space));
    assert_false(qm_space_suspect(w.d[i].space));
  }
}

static uint64_t records_repaired(device *d) {
  qm_repaired r;
  ok(qm_engine_repaired(d->engine, d->space, &r));
  assert_true((r.at_ms != 0) == (r.records || r.states));
  return r.records;
}

static uint64_t states_repaired(device *d) {
  qm_repaired r;
  ok(qm_engine_repaired(d->engine, d->space, &r));
  return r.states;
}

/* --- dirty replicas --- */

/* [3] E has what D wrote and the hub does not accept, and no log that reaches back. */
static void make_dirty(void) {
  ok(put_new(D, "R"));
  ok(put_new(D, "Q"));
  ok(put(D, "R", F_TEL, "x0"));
  sync_all();
  cut_log(E);
  assert_true(is_cut(E));
  ok(put_bad(D, "R", F_TEL, 7));
  ok(put_new(D, "P"));
  assert_int_equal(session(E, D, 0, &l), 1);
  ok(put(E, "Q", F_TEL, "good"));
  assert_int_equal(session(D, H, 0, &l), 1);
  ok(put(E, "R", F_HEAD, "unsent"));
}

static void ends_as_who_never_saw_it(void **state) {
  (void)state;
  open_n(5, 3);
  w.n = 4;
  make_dirty();
  assert_int_equal(session(E, H, 0, &l), 1); /* the entry comes, and what E wrote goes */
  assert_true(qm_space_dirty(E->space));
  ok(put_step(E, "R", "meanwhile"));
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.joins, 1);
  assert_false(qm_space_dirty(E->space));
  assert_int_equal(states_repaired(E), 1);
  assert_string_equal(shown(E, "R", F_TEL), "x0");
  assert_string_equal(listed(E, "R", F_TEL), "");
  assert_string_equal(shown(E, "R", F_HEAD), "unsent");
  assert_string_equal(shown(E, "R", F_STEPS), "meanwhile");
  assert_string_equal(shown(E, "Q", F_TEL), "good");
  w.n = 5;
  sync_all();
  check_all();
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.joins, 0);
  world_close(&w);
}

/* What is dirty compares nothing and gives nothing, also not to whoever asks for it; a peer that
 * does not stand where the log goes on gives changes only. */
static void waits_for_a_state_that_covers_it(void **state) {
  (void)state;
  open_n(5, 5);
  w.n = 4;
  make_dirty();
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_true(qm_space_dirty(E->space));
  ok(put(E, "Q", F_HEAD, "later"));
  w.n = 5;
  ok(put_new(&w.d[4], "N"));
  assert_int_equal(session(&w.d[4], E, 0, &l), 1); /* clean, and behind */
  assert_int_equal(l.a.joins + l.b.joins, 0);
  assert_true(visible(E, "N"));
  assert_true(qm_space_dirty(E->space));
  assert_int_equal(session(E, &w.d[4], 0, &l), 1);
  assert_true(qm_space_dirty(E->space));
  assert_int_equal(session(D, H, 0, &l), 1); /* D may be dirty no more: its log is whole */
  assert_false(qm_space_dirty(D->space));
  assert_int_equal(session(D, E, 0, &l), 1); /* the other way round: the server is dirty */
  assert_int_equal(l.b.joins, 1);
  assert_false(qm_space_dirty(E->space));
  sync_all();
  check_all();
  world_close(&w);
}

static void edit(device *d) {
  char name[16], value[16];
  (void)snprintf(name, sizeof name, "r%u", world_below(&w, 6));
  (void)snprintf(value, sizeof value, "%u", world_below(&w, 100));
  w.now_ms += world_below(&w, 5000);
  switch (world_below(&w, 15)) {
    case 0: (void)put(d, name, F_TEL, value); break;
    case 1: (void)put_add(d, name, value); break;
    case 2: (void)put_inc(d, name, 1); break;
    case 3: (void)put_step(d, name, value); break;
    case 4: (void)put_text(d, name, 0, world_below(&w, 2), value); break;
    case 5: (void)put_erase(d, name); break;
    case 6: (void)put_raise(d, name, F_LAST, world_below(&w, 50)); break;
    case 7: (void)put_remove(d, name, value); break;
    case 8: (void)put_list(d, name, 0, world_below(&w, 2), "ab"); break;
    case 9: (void)put_state(d, name, "assigned"); break;
    case 10: (void)put_bad(d, name, F_TEL, 7); break;
    case 11: (void)put_bad(d, name, F_HEAD, 8); break;
    case 12: (void)put_restore(d, name); break;
    case 13: (void)put_merge(d, name, "r1"); break;
    default: (void)put_new(d, name);
  }
}

static void dirty_ones_end_as_the_others(void **state) {
  (void)state;
  unsigned replaced = 0, dirty = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    open_n(5, seed);
    for (int round = 0; round < 60; round++) {
      w.n = round < 30 ? 4 : 5;
      unsigned a = world_below(&w, w.n), b = world_below(&w, w.n);
      for (unsigned k = world_below(&w, 5); k != 0; k--)
        if (a != 3) edit(&w.d[a]);
      if (a == b || a == 3) continue;
      (void)session(&w.d[a], &w.d[b], world_below(&w, 3) ? 0 : 1 + world_below(&w, 8000), &l);
      dirty += (unsigned)qm_space_dirty(w.d[a].space);
      if (world_below(&w, 3) == 0) cut_log(&w.d[a]);
      if (world_below(&w, 10) == 0) reopen(&w.d[a]);
    }
    w.n = 5;
    sync_all();
    check_all();
    for (unsigned i = 0; i < w.n; i++) replaced += (unsigned)states_repaired(&w.d[i]);
    world_close(&w);
  }
  assert_true(replaced > 20 && dirty > 20);
}

/* A creation that was set aside names its record all the same, also for whoever came by a state
 * and never saw it: others go on naming the record by that dot. */
static void names_travel_with_states(void **state) {
  (void)state;
  qm_write *x;
  int existing;
  qm_id id = rec("R");
  open_n(5, 7);
  w.n = 4;
  ok(put_new(D, "Q"));
  sync_all();
  ok(qm_write_begin(&x, D->engine, D->space, QM_WRITE_RAW));
  ok(qm_write_new(x, 1, &id, qm_slice_of(NULL, 0), &id, &existing));
  ok(qm_write_inc(x, &id, F_TEL, 1)); /* a counter where a text stands */
  ok(qm_write_commit(x, QM_DURABLE));
  meet(D, E);
  ok(put(E, "R", F_HEAD, "Li Si"));
  assert_int_equal(session(D, H, 0, &l), 1);
  assert_int_equal(qm_space_asides(H->space).n, 1);
  acknowledge(H);
  cut_log(H);
  w.n = 5;
  assert_int_equal(session(&w.d[4], H, 0, &l), 1);
  assert_int_equal(l.a.joins, 1);
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(session(&w.d[4], H, 0, &l), 1);
  assert_int_equal(l.a.joins, 0);
  ok(put(E, "Q", F_HEAD, "Wang Wu"));
  sync_all();
  assert_string_equal(shown(&w.d[4], "Q", F_HEAD), "Wang Wu");
  check_all();
  world_close(&w);
}

/* --- a replacement that fails, at every allocation --- */

static size_t count, fail_at;

static void *failing(void *payload, void *p, size_t n) {
  (void)payload;
  if (n && fail_at && ++count == fail_at) return NULL;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

static qm_slice pieces[8];
static uint32_t n_pieces;

static int keep_piece(void *payload, uint32_t part, qm_slice content) {
  (void)payload;
  assert_true(part < 8);
  pieces[part] = qm_slice_of(qm_arena_copy(&w.arena, content.p, content.n), content.n);
  n_pieces = part + 1;
  return QM_OK;
}

static void all_or_nothing(void **state) {
  (void)state;
  qm_digest before, now;
  unsigned failures = 0;
  open_n(4, 11);
  make_dirty();
  assert_int_equal(session(E, H, 0, &l), 1);
  ok(put_text(E, "R", 0, 0, "a text that is not sent"));
  ok(qm_state_write(H->engine, H->space, keep_piece, NULL));
  ok(qm_engine_push(E->engine, E->space));
  E->env.realloc = failing;
  qm_space_digest(E->space, &before);
  for (fail_at = 1;; fail_at++) {
    int joined = 0, rc;
    count = 0;
    rc = qm_state_join(E->engine, E->space, pieces, n_pieces, &joined, NULL);
    if (count < fail_at) break;
    failures++;
    size_t at = fail_at;
    fail_at = 0;
    if (rc == QM_OK) fail_msg("allocation %zu failed, and nobody said so", at);
    reopen(E);
    qm_space_digest(E->space, &now);
    assert_true(qm_space_dirty(E->space) && qm_digest_eq(&before, &now));
    ok(qm_engine_check(E->engine, E->space, NULL));
    fail_at = at;
  }
  fail_at = 0;
  assert_true(failures > 50);
  assert_false(qm_space_dirty(E->space));
  sync_all();
  check_all();
  world_close(&w);
}

/* Cut over and over: the parts that came stay. */
static void a_replacement_resumes(void **state) {
  (void)state;
  char name[16], *text;
  open_n(4, 13);
  text = qm_arena_alloc(&w.arena, 60001);
  for (unsigned i = 0; i < 30; i++) {
    (void)snprintf(name, sizeof name, "r%u", i);
    for (unsigned k = 0; k < 60000; k++) text[k] = (char)('!' + world_below(&w, 90));
    text[60000] = 0;
    ok(put_new(D, name));
    ok(put(D, name, F_TEL, text));
  }
  make_dirty();
  uint32_t parts = 0, sessions = 0;
  do {
    (void)session(E, H, 500000, &l);
    parts += l.a.parts;
    ok(put_step(E, "R", "on the way"));
    if (++sessions % 2) reopen(E);
  } while (qm_space_dirty(E->space) || sessions < 3);
  assert_true(sessions > 4 && parts >= 20 && parts <= 26); /* of 64 KiB, each once or twice */
  sync_all();
  check_all();
  world_close(&w);
}

/* --- damage --- */

typedef struct harm {
  device *d;
  int lose;
  qm_store *store;
} harm;

static int harm_row(void *payload, const qm_record_row *row) {
  harm *h = payload;
  qm_record_row bad = *row;
  uint8_t *copy = qm_arena_copy(&w.arena, row->state.p, row->state.n);
  copy[h->lose == 2 ? 0 : row->state.n - 1] ^= 1;
  if (h->lose == 3) {
    bad.hash[5] ^= 4;
    return h->store->ops->record_save(h->store, h->d->space->number, &bad, 1);
  }
  bad.state = h->lose == 1 ? qm_slice_of(NULL, 0) : qm_slice_of(copy, row->state.n);
  return h->store->ops->record_save(h->store, h->d->space->number, &bad, 1);
}

/* 1: the row goes; 0, 2: its bytes change under its hash, so that they read, or do not; 3: the
 * hash does. Nothing else knows. */
static void harm_record(device *d, const char *name, int lose) {
  harm h = {d, lose, d->store};
  qm_id id = rec(name);
  ok(qm_engine_fold(d->engine));
  ok(d->store->ops->begin(d->store));
  ok(d->store->ops->record_load(d->store, d->space->number, &id, 1, harm_row, &h));
  ok(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL));
  reopen(d);
}

static void some_records(unsigned n) {
  char name[16];
  for (unsigned i = 0; i < n; i++) {
    (void)snprintf(name, sizeof name, "r%u", i);
    ok(put_new(D, name));
    ok(put(D, name, F_TEL, name));
    ok(put_inc(D, name, 1));
  }
  sync_all();
  check_all();
}

/* [4] B lost record Q, VVs are equal: it comes back, and goes nowhere. */
static void a_lost_record_comes_back(void **state) {
  (void)state;
  open_n(4, 17);
  some_records(10);
  harm_record(E, "r3", 1);
  assert_string_equal(shown(E, "r3", F_TEL), "-");
  assert_int_equal(qm_engine_check(E->engine, E->space, NULL), QM_EDIFFER);
  assert_true(qm_space_suspect(E->space));
  assert_int_equal(qm_engine_check(E->engine, E->space, NULL), QM_EDIFFER);
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.repaired, 1);
  assert_int_equal(l.a.differ, 0);
  assert_string_equal(shown(E, "r3", F_TEL), "r3");
  assert_string_equal(shown(H, "r3", F_TEL), "r3");
  assert_int_equal(records_repaired(E), 1);
  assert_int_equal(records_repaired(H), 0);
  check_all();
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.b.questions, 0);
  world_close(&w);
}

static void bad_bytes_are_replaced(void **state) {
  (void)state;
  open_n(4, 19);
  some_records(10);
  harm_record(E, "r3", 0);
  assert_int_equal(qm_engine_check(E->engine, E->space, NULL), QM_ECORRUPT);
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.repaired, 1);
  check_all();
  /* Among two devices it is its own hash that says who is wrong. */
  harm_record(E, "r4", 0);
  assert_int_equal(qm_engine_check(E->engine, E->space, NULL), QM_ECORRUPT);
  assert_int_equal(session(E, F, 0, &l), 1);
  assert_int_equal(l.a.repaired, 1);
  sync_all();
  check_all();
  harm_record(E, "r5", 1);
  assert_int_equal(qm_engine_check(E->engine, E->space, NULL), QM_EDIFFER);
  assert_int_equal(session(F, E, 0, &l), 1); /* the server is wrong: it is given */
  assert_int_equal(l.b.repaired, 1);
  sync_all();
  check_all();
  world_close(&w);
}

/* The hub takes back what its own hashes say that it had, and nothing else. */
static void a_hub_is_mended_by_a_device(void **state) {
  (void)state;
  open_n(4, 23);
  some_records(12);
  harm_record(H, "r3", 0);
  harm_record(H, "r5", 1);
  harm_record(H, "r6", 1);
  harm_record(H, "r8", 3);
  assert_int_not_equal(qm_engine_check(H->engine, H->space, NULL), QM_OK);
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.b.repaired, 4);
  assert_int_equal(l.a.repaired, 4);
  assert_int_equal(records_repaired(H), 4);
  assert_int_equal(records_repaired(E), 0);
  check_all();
  sync_all();
  check_all();
  world_close(&w);
}

/* Nobody told the hub that it lost rows: its absence is no reason to drop them elsewhere. */
static void what_a_hub_lost_is_not_dropped(void **state) {
  (void)state;
  open_n(4, 29);
  some_records(12);
  harm_record(H, "r3", 1);
  harm_record(E, "r4", 0);
  assert_int_equal(qm_engine_check(E->engine, E->space, NULL), QM_ECORRUPT);
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_string_equal(shown(E, "r3", F_TEL), "r3");
  assert_string_equal(shown(H, "r3", F_TEL), "r3");
  sync_all();
  check_all();
  world_close(&w);
}

/* Both are good by their own hashes: the home hub says, and of two devices neither. */
static void the_home_hub_says(void **state) {
  (void)state;
  open_n(4, 31);
  some_records(6);
  /* E computed something else: saved as the engine saves. */
  qm_loaded *r;
  qm_id id = rec("r2");
  ok(qm_engine_begin(E->engine));
  ok(qm__space_record(E->space, &id, &r));
  r->record.n_cells--;
  qm__space_dirty(E->space, r);
  E->space->touched = E->space->ingested = 1;
  ok(qm_engine_commit(E->engine, QM_DURABLE, NULL, NULL));
  ok(qm_engine_check(E->engine, E->space, NULL));
  ok(put_new(F, "Z"));
  assert_int_equal(session(F, E, 0, &l), 1);
  assert_int_equal(l.a.repaired + l.b.repaired, 0);
  assert_int_equal(l.a.differ, 1);
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.repaired, 1);
  assert_int_equal(l.a.differ, 0);
  sync_all();
  check_all();
  /* One that the hub never had is no record. */
  id = rec("bogus");
  ok(qm_engine_begin(E->engine));
  qm_loaded *bogus, *good;
  qm_id from = rec("r1");
  ok(qm__space_record(E->space, &from, &good));
  ok(qm__space_record(E->space, &id, &bogus));
  bogus->record = good->record;
  bogus->record.id = id;
  qm__space_dirty(E->space, bogus);
  E->space->touched = E->space->ingested = 1;
  ok(qm_engine_commit(E->engine, QM_DURABLE, NULL, NULL));
  ok(put_new(E, "Y"));
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.repaired, 1);
  assert_false(visible(E, "bogus"));
  assert_false(visible(H, "bogus"));
  sync_all();
  check_all();
  world_close(&w);
}

/* More than is found record by record: the state is replaced. */
static void too_much_for_a_search(void **state) {
  (void)state;
  char name[16];
  open_n(4, 37);
  some_records(700);
  for (unsigned i = 0; i < 700; i += 2) {
    (void)snprintf(name, sizeof name, "r%u", i);
    harm_record(E, name, (int)(i & 2));
  }
  assert_int_not_equal(qm_engine_check(E->engine, E->space, NULL), QM_OK);
  ok(put_step(E, "r1", "unsent"));
  assert_int_equal(session(E, H, 0, &l), 1);
  if (qm_space_dirty(E->space)) {
    assert_int_equal(session(E, H, 0, &l), 1);
    assert_int_equal(l.a.joins, 1);
  }
  assert_int_equal(states_repaired(E), 1);
  sync_all();
  check_all();
  world_close(&w);
}

/* A device that cannot take a change for a record that does not read goes on with a state. */
static void what_cannot_be_read_is_replaced(void **state) {
  (void)state;
  open_n(4, 41);
  some_records(8);
  harm_record(E, "r3", 2);
  ok(put(D, "r3", F_TEL, "new"));
  assert_int_equal(session(D, H, 0, &l), 1);
  (void)session(E, H, 0, &l);
  assert_true(qm_space_dirty(E->space));
  assert_int_equal(session(E, H, 0, &l), 1);
  assert_int_equal(l.a.joins, 1);
  assert_string_equal(shown(E, "r3", F_TEL), "new");
  sync_all();
  check_all();
  world_close(&w);
}

static void damage_is_mended(void **state) {
  (void)state;
  uint64_t mended = 0;
  for (uint64_t seed = 1; seed <= 150; seed++) {
    char name[16];
    open_n(5, seed);
    for (int i = 0; i < 40; i++) edit(&w.d[world_below(&w, 3)]);
    sync_all();
    uint8_t harmed[4][6] = {{0}}; /* twice in one place nobody can tell what it was */
    for (unsigned k = 1 + world_below(&w, 6); k; k--) {
      unsigned d = world_below(&w, 4), r = world_below(&w, 6);
      (void)snprintf(name, sizeof name, "r%u", r);
      if (!harmed[d][r]++) harm_record(&w.d[d], name, (int)world_below(&w, 4));
    }
    /* Whoever lost something that nobody else has lost gets it back. */
    for (unsigned i = 0; i < 4; i++) (void)qm_engine_check(w.d[i].engine, w.d[i].space, NULL);
    for (int turn = 0; turn < 4; turn++)
      for (unsigned i = 0; i < w.n; i++)
        if (i != 3)
          (void)session(&w.d[i], H, world_below(&w, 3) ? 0 : 1 + world_below(&w, 4000), &l);
    sync_all();
    check_all();
    for (unsigned i = 0; i < w.n; i++) mended += records_repaired(&w.d[i]);
    world_close(&w);
  }
  assert_true(mended > 100);
}

/* --- questions and answers that are none --- */

static void ask(device *d, qm_slice in, qm_buf *out, int rc) {
  uint32_t n = 7;
  qm_buf_clear(out);
  assert_int_equal(qm_repair_answer(d->engine, d->space, in, 1, out, &n, NULL), rc);
  assert_int_equal(n, 0);
}

static void refuses_what_is_no_question(void **state) {
  (void)state;
  qm_buf q, a;
  uint32_t n;
  open_n(4, 43);
  some_records(5);
  qm_buf_init(&q, &E->env, QM_RANGE_BYTES);
  qm_buf_init(&a, &E->env, QM_RANGE_BYTES);
  ok(qm_repair_next(E->engine, E->space, (qm_slice){NULL, 0}, 1, &q, &n, NULL));
  ask(H, qm_buf_slice(&q), &a, QM_OK);
  /* Every byte of question and answer matters, or is refused; nothing is replaced. */
  for (size_t i = 0; i < q.n; i++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      q.p[i] ^= (uint8_t)(1u << bit);
      qm_buf out;
      qm_buf_init(&out, &E->env, QM_RANGE_BYTES);
      (void)qm_repair_answer(H->engine, H->space, qm_buf_slice(&q), 1, &out, &n, NULL);
      assert_int_equal(n, 0);
      qm_buf_free(&out);
      q.p[i] ^= (uint8_t)(1u << bit);
    }
    qm_buf_clear(&a);
    assert_int_not_equal(
        qm_repair_answer(H->engine, H->space, qm_slice_of(q.p, i), 1, &a, &n, NULL), QM_OK);
  }
  qm_buf_clear(&a);
  ok(qm_repair_answer(H->engine, H->space, qm_buf_slice(&q), 1, &a, &n, NULL));
  qm_buf next;
  qm_buf_init(&next, &E->env, QM_RANGE_BYTES);
  ok(qm_repair_next(E->engine, E->space, qm_buf_slice(&a), 1, &next, &n, NULL));
  assert_int_equal(next.n, 0); /* equal */
  for (size_t i = 1; i < a.n; i++) {
    qm_buf_clear(&next);
    assert_int_not_equal(
        qm_repair_next(E->engine, E->space, qm_slice_of(a.p, i), 1, &next, &n, NULL), QM_OK);
    assert_int_equal(n, 0);
  }
  ok(put(E, "r1", F_TEL, "elsewhere")); /* no longer at that VV */
  qm_buf_clear(&next);
  ok(qm_repair_next(E->engine, E->space, qm_buf_slice(&a), 1, &next, &n, NULL));
  assert_int_equal(next.n, 0);
  ask(E, qm_buf_slice(&q), &a, QM_ENOTFOUND);
  qm_buf_free(&q);
  qm_buf_free(&a);
  qm_buf_free(&next);
  ok(qm_engine_begin(E->engine));
  assert_int_equal(qm_repair_next(E->engine, E->space, (qm_slice){NULL, 0}, 1, &next, &n, NULL),
                   QM_ESTATE);
  qm_engine_rollback(E->engine);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_as_who_never_saw_it),
      cmocka_unit_test(waits_for_a_state_that_covers_it),
      cmocka_unit_test(dirty_ones_end_as_the_others),
      cmocka_unit_test(names_travel_with_states),
      cmocka_unit_test(all_or_nothing),
      cmocka_unit_test(a_replacement_resumes),
      cmocka_unit_test(a_lost_record_comes_back),
      cmocka_unit_test(bad_bytes_are_replaced),
      cmocka_unit_test(a_hub_is_mended_by_a_device),
      cmocka_unit_test(what_a_hub_lost_is_not_dropped),
      cmocka_unit_test(the_home_hub_says),
      cmocka_unit_test(too_much_for_a_search),
      cmocka_unit_test(what_cannot_be_read_is_replaced),
      cmocka_unit_test(damage_is_mended),
      cmocka_unit_test(refuses_what_is_no_question),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
