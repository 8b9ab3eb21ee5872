/* Sessions of two replicas: what they cost, carry, survive and refuse (SPEC S8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support_alloc.h"
#include "tests/unit/support_replica.h"

typedef struct world {
  fake a, b;
} world;

/* Both hold `spaces` spaces that the hub gave, with nothing in them. */
static void world_init(world *w, uint32_t spaces) {
  fake_init(&w->a, 1);
  fake_init(&w->b, 9);
  for (uint32_t i = 0; i < spaces; i++) {
    fake_add(&w->a, i);
    fake_add(&w->b, i);
  }
}

static void world_free(world *w) {
  assert_int_equal(w->a.doubled + w->b.doubled, 0);
  fake_free(&w->a);
  fake_free(&w->b);
}

/* S8.5: one round trip, less than 300 bytes each way, for 1 or 1,000 spaces. */
static void nothing_new_costs_one_round_trip(void **state) {
  static const uint32_t counts[] = {0, 1, 2, 4, 5, 9, 1000};
  (void)state;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    world w;
    pair p;
    uint64_t in, out;
    world_init(&w, counts[i]);
    for (uint32_t k = 0; k < counts[i]; k++) fake_find(&w.b, k)->safe = 1;
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 1);
    side_events(&p, &p.a);
    assert_true(side_move(&p, &p.a, &p.b) > 0); /* HELLO */
    size_t used;
    assert_int_equal(qm_session_feed(p.b.s, p.b.inbox.p, p.b.inbox.n, &used), QM_OK);
    side_events(&p, &p.b);
    assert_true(side_move(&p, &p.b, &p.a) > 0); /* WELCOME, BYE */
    assert_int_equal(qm_session_feed(p.a.s, p.a.inbox.p, p.a.inbox.n, &used), QM_OK);
    side_events(&p, &p.a);
    assert_int_equal(p.a.is_closed, 1); /* without waiting for more */
    assert_int_equal(p.a.closed.code, QM_OK);
    qm_buf_clear(&p.b.inbox);
    assert_true(side_move(&p, &p.a, &p.b) > 0); /* BYE */
    assert_int_equal(qm_session_feed(p.b.s, p.b.inbox.p, p.b.inbox.n, &used), QM_OK);
    side_events(&p, &p.b);
    assert_int_equal(p.b.closed.code, QM_OK);
    qm_session_bytes(p.a.s, &in, &out);
    assert_in_range(in, 1, 299);
    assert_in_range(out, 1, 299);
    assert_int_equal(p.a.told[QM_EV_SAME], counts[i] != 0);
    assert_int_equal(p.a.same.n_lines, counts[i]);
    assert_int_equal(p.a.same.safe, counts[i] != 0);
    pair_close(&p);
    world_free(&w);
  }
}

static void hub_grants_and_both_converge(void **state) {
  static const uint32_t counts[] = {1, 4, 5, 40};
  (void)state;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    world w;
    pair p;
    world_init(&w, 0);
    for (uint32_t k = 0; k < counts[i]; k++) {
      fake_add(&w.b, k);
      fake_write(&w.b, k, k % 7);
    }
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 2);
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_int_equal(p.a.told[QM_EV_DONE], counts[i]);
    assert_int_equal(p.a.told[QM_EV_SAFE], counts[i]);
    assert_int_equal(p.a.done.compare, QM_COMPARE_EQUAL);
    for (uint32_t k = 0; k < counts[i]; k++) assert_true(fake_same(&w.a, &w.b, k));
    pair_close(&p);
    fake_write(&w.a, 0, 10);
    fake_write(&w.b, counts[i] - 1, 5);
    pair_sync(&w.a, &w.b, QM_SESSION_HUB, 3);
    for (uint32_t k = 0; k < counts[i]; k++) assert_true(fake_same(&w.a, &w.b, k));
    world_free(&w);
  }
}

static void two_phones_need_no_hub(void **state) {
  world w;
  pair p;
  (void)state;
  world_init(&w, 3);
  fake_add(&w.a, 7); /* only one of them holds these */
  fake_add(&w.b, 8);
  fake_find(&w.a, 1)->role = 'x'; /* roles differ between phones */
  fake_write(&w.a, 0, 4);
  fake_write(&w.b, 0, 4);
  fake_write(&w.b, 2, 1);
  pair_open(&p, &w.a, &w.b, 0, 0, 5);
  assert_int_equal(pair_run(&p), 1);
  assert_int_equal(p.a.closed.code, QM_OK);
  assert_int_equal(p.b.closed.code, QM_OK);
  assert_int_equal(p.a.told[QM_EV_SAFE] + p.a.told[QM_EV_GONE] + p.a.told[QM_EV_SAME], 0);
  for (uint32_t k = 0; k < 3; k++) assert_true(fake_same(&w.a, &w.b, k));
  assert_null(fake_find(&w.a, 8));
  assert_null(fake_find(&w.b, 7));
  pair_close(&p);
  world_free(&w);
}

/* Random cuts of the stream, answers late and out of order. */
static void order_of_answers_changes_nothing(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 120; seed++) {
    world w;
    pair p;
    world_init(&w, 6);
    for (uint32_t k = 0; k < 6; k++) {
      fake_write(&w.a, k, (seed * 7 + k * 5) % 30);
      fake_write(&w.b, k, (seed * 3 + k * 11) % 30);
    }
    w.a.batch_max = 1 + seed % 4;
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, seed);
    p.late = 1;
    p.chunk_max = 1 + (seed * 37) % 500;
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_int_equal(p.b.closed.code, QM_OK);
    assert_true(p.b.commits_most <= QM_SYNC_COMMITS_MAX);
    for (uint32_t k = 0; k < 6; k++) assert_true(fake_same(&w.a, &w.b, k));
    pair_close(&p);
    world_free(&w);
  }
}

static size_t cut_once(size_t at, int late) {
  world w;
  pair p;
  world_init(&w, 2);
  fake_add(&w.b, 2);
  fake_write(&w.b, 2, 2);
  fake_write(&w.a, 0, 5);
  fake_write(&w.b, 0, 4);
  fake_write(&w.b, 1, 1);
  pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, (uint32_t)at + 1);
  p.cut_at = at;
  p.late = late;
  p.chunk_max = late ? 90 : 0;
  int whole = pair_run(&p);
  size_t moved = p.moved;
  qm_session_shut(p.a.s, QM_ECLOSED);
  qm_session_shut(p.b.s, QM_ECLOSED);
  side_events(&p, &p.a);
  side_events(&p, &p.b);
  assert_int_equal(p.a.is_closed + p.b.is_closed, 2);
  if (whole && at == 0) assert_int_equal(p.a.closed.code, QM_OK);
  pair_close(&p);
  pair_sync(&w.a, &w.b, QM_SESSION_HUB, 77);
  for (uint32_t k = 0; k < 3; k++) assert_true(fake_same(&w.a, &w.b, k));
  world_free(&w); /* nothing came twice */
  return moved;
}

/* S8.9: cut anywhere, at any byte; the next session continues. */
static void a_cut_at_any_byte_loses_nothing(void **state) {
  (void)state;
  for (int late = 0; late < 2; late++) {
    size_t all = cut_once(0, late);
    assert_true(all > 500);
    for (size_t at = 1; at < all; at++) (void)cut_once(at, late);
  }
}

static void a_full_disk_ends_the_session_and_loses_nothing(void **state) {
  static const int codes[] = {QM_EFULL, QM_EIO, QM_EREADONLY, QM_EBUSY, QM_ECORRUPT, QM_ENOMEM};
  (void)state;
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    for (uint32_t at = 1; at < 4; at++) {
      world w;
      pair p;
      world_init(&w, 2);
      fake_write(&w.a, 0, 20);
      fake_write(&w.a, 1, 4);
      w.b.commit_rc = codes[i];
      w.b.commit_at = at;
      pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 3);
      assert_int_equal(pair_run(&p), 1);
      assert_int_equal(p.b.closed.code, codes[i]);
      assert_int_equal(p.b.closed.by_peer, 0);
      assert_int_equal(p.a.closed.code, codes[i]);
      assert_int_equal(p.a.closed.by_peer, 1);
      assert_true(p.a.closed.message.n > 0);
      assert_int_equal(p.a.told[QM_EV_DONE], 0);
      pair_close(&p);
      w.b.commit_rc = 0;
      pair_sync(&w.a, &w.b, QM_SESSION_HUB, 4);
      assert_true(fake_same(&w.a, &w.b, 0));
      assert_true(fake_same(&w.a, &w.b, 1));
      world_free(&w);
    }
}

/* S8.6: ACK is written only in the answer to a commit, in order of seq. */
static void nothing_is_acknowledged_before_it_is_durable(void **state) {
  world w;
  pair p;
  (void)state;
  world_init(&w, 1);
  w.a.batch_max = 1;
  fake_write(&w.a, 0, 30);
  pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
  p.late = p.b.hold_commits = 1;
  p.chunk_max = 500;
  assert_int_equal(pair_run(&p), 0);
  /* Feed stops at the bound; nothing is acknowledged though all of it was executed. */
  assert_int_equal(p.b.n_pending, QM_SYNC_COMMITS_MAX);
  assert_int_equal(p.a.told[QM_EV_PROGRESS], 0);
  assert_int_equal(qm_session_waiting(p.b.s), 0);
  /* Answered backwards: ACKs stand in order. */
  qm_ticket last = p.b.pending[0].ticket;
  for (uint32_t i = 1; i < p.b.n_pending; i++)
    if (p.b.pending[i].ticket > last) last = p.b.pending[i].ticket;
  qm_reply r = {.taken = 1};
  assert_int_equal(qm_session_done(p.b.s, last, QM_OK, &r), QM_OK);
  assert_int_equal(qm_session_done(p.b.s, last, QM_OK, &r), QM_ENOTFOUND);
  assert_int_equal(qm_session_waiting(p.b.s), 0);
  for (uint32_t i = 0; i < p.b.n_pending; i++)
    if (p.b.pending[i].ticket != last)
      assert_int_equal(qm_session_done(p.b.s, p.b.pending[i].ticket, QM_OK, &r), QM_OK);
  uint8_t bytes[4096];
  size_t n;
  assert_int_equal(qm_session_take(p.b.s, bytes, sizeof bytes, &n), QM_OK);
  const uint8_t *at = bytes;
  for (uint32_t seq = 1; seq <= QM_SYNC_COMMITS_MAX; seq++) {
    qm_msg_ack ack;
    assert_int_equal(qm_msg_ack_get(&ack, qm_slice_of(at + 4, at[3])), QM_OK);
    assert_int_equal(ack.seq, seq);
    at += 4 + at[3];
  }
  assert_int_equal(at - bytes, n);
  for (uint32_t i = 0; i < p.b.n_pending; i++) free(p.b.pending[i].out);
  p.b.n_pending = 0;
  pair_close(&p);
  world_free(&w);
}

static void a_refused_author_stops_alone(void **state) {
  world w;
  pair p;
  qm_author bad = {{0}};
  (void)state;
  world_init(&w, 2);
  bad.b[0] = 1; /* device of a */
  fake_write(&w.a, 0, 5);
  fake_write(&w.b, 0, 3);
  fake_write(&w.b, 1, 3);
  w.b.refuses = &bad;
  pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 3);
  assert_int_equal(pair_run(&p), 1);
  assert_int_equal(p.a.closed.code, QM_OK);
  assert_int_equal(p.b.closed.code, QM_OK);
  assert_int_equal(p.a.told[QM_EV_REFUSED], 2); /* one a batch */
  assert_int_equal(p.a.refused.code, QM_ESCHEMA);
  assert_memory_equal(p.a.refused.author.b, bad.b, sizeof bad.b);
  assert_int_equal(p.a.told[QM_EV_STOPPED], 0);
  assert_int_equal(fake_total(&w.a, 0), 8);
  assert_int_equal(fake_total(&w.b, 0), 3);
  assert_true(fake_same(&w.a, &w.b, 1));
  pair_close(&p);
  world_free(&w);
}

typedef struct stop_case {
  const char *what;
  int commit_rc_b, next_rc_a, push_rc_a, push_rc_b, put_rc_a, info_rc_b, unwritable;
  int code;
  int by_peer_at_a;
} stop_case;

/* What concerns one space stops it; the other space and the session go on. */
static void one_space_stops_alone(void **state) {
  static const stop_case cases[] = {
      {.what = "batch cannot be read",
       .commit_rc_b = QM_EFORMAT,
       .code = QM_EFORMAT,
       .by_peer_at_a = 1},
      {.what = "fork found by commit",
       .commit_rc_b = QM_EFORK,
       .code = QM_EFORK,
       .by_peer_at_a = 1},
      {.what = "log says no", .next_rc_a = QM_EACCESS, .code = QM_EACCESS},
      {.what = "no VV at the client", .push_rc_a = QM_ELIMIT, .code = QM_ELIMIT},
      {.what = "no VV at the server",
       .push_rc_b = QM_ENOTFOUND,
       .code = QM_ENOTFOUND,
       .by_peer_at_a = 1},
      {.what = "schema not taken", .put_rc_a = QM_ESCHEMA, .code = QM_ESCHEMA},
      {.what = "grant gone", .info_rc_b = QM_EACCESS, .code = QM_EACCESS, .by_peer_at_a = 1},
      {.what = "read only", .unwritable = 1, .code = QM_EACCESS, .by_peer_at_a = 1},
  };
  (void)state;
  for (size_t i = 0; i < 2 * (sizeof cases / sizeof cases[0]); i++) {
    const stop_case *c = &cases[i / 2];
    world w;
    pair p;
    world_init(&w, 2);
    w.a.first_only = w.b.first_only = 1;
    fake_write(&w.a, 0, 7);
    fake_write(&w.a, 1, 7);
    fake_write(&w.b, 0, 4);
    if (c->put_rc_a || c->info_rc_b) fake_find(&w.b, 0)->role = 'n';
    fake_find(&w.b, 0)->unwritable = (uint8_t)c->unwritable;
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 3);
    p.late = i % 2 != 0;
    p.chunk_max = p.late ? 40 : 0;
    w.b.commit_rc = c->commit_rc_b;
    w.b.commit_at = 2;
    w.a.next_rc = c->next_rc_a;
    w.a.push_rc = c->push_rc_a;
    w.b.push_rc = c->push_rc_b;
    w.a.put_rc = c->put_rc_a;
    w.b.info_rc = c->info_rc_b;
    if (!pair_run(&p)) fail_msg("%s: stuck", c->what);
    if (p.a.closed.code || p.b.closed.code)
      fail_msg("%s: %s, %s", c->what, qm_err_name(p.a.closed.code), qm_err_name(p.b.closed.code));
    assert_true(p.a.told[QM_EV_STOPPED] >= 1);
    assert_true(p.b.told[QM_EV_STOPPED] >= 1);
    assert_int_equal(p.a.stopped.code, c->code);
    assert_int_equal(p.a.stopped.by_peer, c->by_peer_at_a);
    assert_int_equal(p.a.told[QM_EV_DONE], 2);
    assert_true(fake_same(&w.a, &w.b, 1));
    if (c->unwritable) assert_int_equal(fake_total(&w.a, 0), 11); /* it still reads */
    pair_close(&p);
    w.b.commit_rc = w.a.next_rc = w.a.push_rc = w.b.push_rc = w.a.put_rc = w.b.info_rc = 0;
    fake_write(&w.a, 1, 3);
    fake_find(&w.b, 0)->unwritable = 0;
    pair_sync(&w.a, &w.b, QM_SESSION_HUB, 4);
    assert_true(fake_same(&w.a, &w.b, 1));
    assert_true(fake_same(&w.a, &w.b, 0));
    w.a.doubled = w.b.doubled = 0;
    world_free(&w);
  }
}

/* (S8.6) The same author and counter, another head: both are told, and all else goes on. */
static void a_fork_stops_its_author_alone(void **state) {
  (void)state;
  for (int late = 0; late < 2; late++) {
    world w;
    pair p;
    world_init(&w, 2);
    w.a.first_only = w.b.first_only = 1;
    fake_write(&w.a, 0, 7);
    fake_write(&w.a, 1, 7);
    w.b.device = w.a.device;
    fake_write(&w.b, 0, 7);
    w.b.device.b[0] = 9;
    fake_find(&w.b, 0)->branch[0] = 1;
    fake_write(&w.b, 0, 4);
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 3);
    p.late = late;
    p.chunk_max = late ? 40 : 0;
    assert_true(pair_run(&p));
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_int_equal(p.b.closed.code, QM_OK);
    assert_int_equal(p.a.told[QM_EV_STOPPED] + p.b.told[QM_EV_STOPPED], 0);
    assert_int_equal(p.a.told[QM_EV_FORK], 1);
    assert_int_equal(p.b.told[QM_EV_FORK], 1);
    assert_int_equal(p.a.told[QM_EV_DONE], 2);
    assert_int_equal(fake_total(&w.a, 0), 11);
    assert_true(fake_same(&w.a, &w.b, 1));
    pair_close(&p);
    world_free(&w);
  }
}

/* S8.7: never more under way than the window, never more asked than the bound. */
static void flow_control_holds(void **state) {
  (void)state;
  for (int late = 0; late < 2; late++) {
    world w;
    pair p;
    world_init(&w, 3);
    w.a.pad = w.b.pad = 700000;
    w.a.batch_max = w.b.batch_max = 1;
    fake_write(&w.a, 0, 12);
    fake_write(&w.b, 1, 9);
    fake_write(&w.b, 0, 4);
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
    p.late = late;
    p.chunk_max = late ? 65536 : 0;
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_true(p.waiting_most <= QM_SYNC_OUT_SOFT + QM_SYNC_BODY_MAX);
    assert_true(p.a.commits_most <= QM_SYNC_COMMITS_MAX);
    for (uint32_t k = 0; k < 3; k++) assert_true(fake_same(&w.a, &w.b, k));
    pair_close(&p);
    world_free(&w);
  }
}

/* A receiver that commits nothing gets no more than the window, and nothing is wrong. */
static void a_sender_waits_for_credit(void **state) {
  world w;
  pair p;
  (void)state;
  world_init(&w, 1);
  w.a.pad = 300000;
  w.a.batch_max = 1;
  fake_write(&w.a, 0, 12);
  pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
  p.late = p.b.hold_commits = 1;
  assert_int_equal(pair_run(&p), 0);
  assert_int_equal(p.a.is_closed + p.b.is_closed, 0);
  assert_in_range(p.b.n_pending, 2, QM_SYNC_COMMITS_MAX - 1);
  assert_true(p.moved <= QM_SYNC_WINDOW + 1000);
  p.b.hold_commits = 0;
  assert_int_equal(pair_run(&p), 1);
  assert_int_equal(p.a.closed.code, QM_OK);
  assert_true(fake_same(&w.a, &w.b, 0));
  pair_close(&p);
  world_free(&w);
}

static void a_thousand_spaces_fit_the_window(void **state) {
  world w;
  pair p;
  (void)state;
  world_init(&w, 1000);
  for (uint32_t k = 0; k < 1000; k++) {
    if (k % 3) fake_write(&w.a, k, 1 + k % 2);
    if (k % 2) fake_write(&w.b, k, 1);
  }
  pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
  p.late = 1;
  p.chunk_max = 20000;
  assert_int_equal(pair_run(&p), 1);
  assert_int_equal(p.a.closed.code, QM_OK);
  assert_int_equal(p.b.closed.code, QM_OK);
  for (uint32_t k = 0; k < 1000; k++) assert_true(fake_same(&w.a, &w.b, k));
  /* Those with nothing new on both sides exchanged nothing and count as held by the hub. */
  assert_int_equal(p.a.told[QM_EV_DONE], 833);
  assert_int_equal(p.a.told[QM_EV_SAME], 1);
  assert_int_equal(p.a.same.n_lines, 167);
  pair_close(&p);
  world_free(&w);
}

/* S8.8 */
static void digests_find_what_differs(void **state) {
  static const struct {
    uint8_t corrupt;
    uint32_t differ, repaired;
    qm_compare compare;
  } rows[] = {{0, 0, 0, QM_COMPARE_EQUAL}, {1, 1, 1, QM_COMPARE_EQUAL}};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    world w;
    pair p;
    world_init(&w, 1);
    fake_write(&w.a, 0, 2);
    fake_find(&w.a, 0)->corrupt = rows[i].corrupt;
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_int_equal(p.a.told[QM_EV_DIFFER], 0); /* mended */
    assert_int_equal(p.a.told[QM_EV_REPAIRED], rows[i].repaired);
    assert_int_equal(p.b.told[QM_EV_DIFFER], rows[i].differ);
    assert_int_equal(p.a.done.compare, rows[i].compare);
    assert_int_equal(p.a.safe.vv.n, 1);
    assert_int_equal(p.a.safe_next, 1); /* half of 2 */
    pair_close(&p);
    world_free(&w);
  }
}

/* S8.5 */
static void grants_travel_and_end(void **state) {
  (void)state;
  for (uint32_t more = 0; more < 2; more++) { /* by HELLO's lines, and by SPACE_LIST */
    world w;
    pair p;
    world_init(&w, 3 + 4 * more);
    fake_find(&w.b, 0)->role = 'q';
    fake_find(&w.b, 1)->schema = 2;
    fake_find(&w.b, 2)->hidden = 1;
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_int_equal(fake_find(&w.a, 0)->role, 'q');
    assert_int_equal(fake_find(&w.a, 1)->schema, 2);
    assert_int_equal(p.a.told[QM_EV_GONE], 1);
    assert_int_equal(p.a.told[QM_EV_DONE], 1); /* the schema is in the sync digest */
    assert_int_equal(p.a.same.n_lines, 1 + 4 * more);
    pair_close(&p);
    world_free(&w);
  }
}

/* S8.10 */
static void certificates_renew(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    world w;
    pair p;
    world_init(&w, 1);
    if (i & 1) fake_write(&w.a, 0, 1);
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB | QM_SESSION_RENEW, QM_SESSION_HUB, 6);
    p.b.cert_fails = (uint8_t)(i >> 1);
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_OK);
    assert_int_equal(p.b.closed.code, QM_OK);
    assert_int_equal(p.a.told[QM_EV_CERT], 1);
    assert_int_equal(p.a.cert.code, i >> 1 ? QM_EREVOKED : QM_OK);
    pair_close(&p);
    world_free(&w);
  }
}

/* S8.3 */
static void clocks_are_measured(void **state) {
  world w;
  pair p;
  qm_session *s;
  (void)state;
  world_init(&w, 1);
  fake server_clock = {.clock_ms = w.a.clock_ms + 600000};
  pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
  qm_env env = p.env;
  env.payload = &server_clock;
  qm_session_options o = {.size = sizeof o, .flags = QM_SESSION_HUB};
  assert_int_equal(qm_session_new(&s, &env, QM_SERVER, &o), QM_OK);
  qm_session_free(p.b.s);
  p.b.s = s;
  side_events(&p, &p.a);
  w.a.clock_ms += 400; /* the round trip */
  assert_int_equal(pair_run(&p), 1);
  assert_int_equal(p.a.hello.has_offset, 1);
  assert_int_equal(p.a.hello.rtt_ms, 400);
  assert_true(p.a.hello.offset_ms == 600000 - 200);
  assert_true(p.b.hello.offset_ms == -600000);
  pair_close(&p);
  world_free(&w);
}

/* S8.9 */
static void time_runs_out(void **state) {
  qm_session_options o = {.size = sizeof o, .now_ms = 1000};
  qm_env env = qm_env_default();
  qm_session *s;
  qm_event ev;
  size_t used;
  int code;
  (void)state;
  assert_int_equal(qm_session_new(&s, &env, QM_SERVER, &o), QM_OK);
  assert_int_equal(qm_session_deadline(s), 1000 + QM_SYNC_HELLO_MS);
  /* A byte now and then buys nothing before HELLO is whole. */
  for (uint8_t i = 0; i < 4; i++) {
    static const uint8_t head[] = {0, 0, 0, 90};
    assert_int_equal(qm_session_feed(s, head + i, 1, &used), QM_OK);
    assert_int_equal(qm_session_tick(s, 1000 + 2000u * (i + 1u)), QM_OK);
  }
  assert_int_equal(qm_session_tick(s, 1000 + QM_SYNC_HELLO_MS), QM_ETIMEOUT);
  assert_int_equal(qm_session_deadline(s), UINT64_MAX);
  assert_true(qm_session_waiting(s) > 0); /* ERROR */
  assert_int_equal(qm_session_next(s, &ev), 1);
  assert_int_equal(ev.kind, QM_EV_CLOSED);
  assert_int_equal(ev.code, QM_ETIMEOUT);
  assert_int_equal(qm_session_next(s, &ev), 0);
  assert_int_equal(qm_session_closed(s, &code), 1);
  qm_session_free(s);

  world w;
  pair p;
  world_init(&w, 1);
  fake_write(&w.a, 0, 1);
  pair_open(&p, &w.a, &w.b, 0, 0, 1);
  for (int i = 0; i < 6; i++) { /* until both are open */
    side_events(&p, &p.a);
    (void)side_move(&p, &p.a, &p.b);
    (void)qm_session_feed(p.b.s, p.b.inbox.p, p.b.inbox.n, &used);
    qm_buf_clear(&p.b.inbox);
    side_events(&p, &p.b);
    if (i == 0) (void)side_move(&p, &p.b, &p.a);
    (void)qm_session_feed(p.a.s, p.a.inbox.p, p.a.inbox.n, &used);
    qm_buf_clear(&p.a.inbox);
  }
  assert_int_equal(qm_session_tick(p.a.s, 9000), QM_OK);
  assert_int_equal(qm_session_deadline(p.a.s), 9000 + QM_SYNC_IDLE_MS);
  assert_int_equal(qm_session_tick(p.a.s, 9000 + QM_SYNC_IDLE_MS - 1), QM_OK);
  assert_int_equal(qm_session_tick(p.a.s, 9000 + QM_SYNC_IDLE_MS), QM_ETIMEOUT);
  /* Leaving politely waits for the other's BYE, but not for ever. */
  qm_session_bye(p.b.s);
  assert_int_equal(qm_session_tick(p.b.s, 100000), QM_OK);
  assert_int_equal(qm_session_deadline(p.b.s), 100000 + QM_SYNC_BYE_MS);
  assert_int_equal(qm_session_tick(p.b.s, 100000 + QM_SYNC_BYE_MS), QM_ETIMEOUT);
  pair_close(&p);
  world_free(&w);
}

static void answers_are_checked(void **state) {
  qm_session_options o = {.size = sizeof o, .serial = 9};
  qm_env env = qm_env_default();
  qm_session *s;
  qm_event ev;
  qm_space_line lines[2];
  uint8_t byte;
  size_t n;
  (void)state;
  memset(lines, 0, sizeof lines);
  qm_session_options bad = {.size = 1};
  assert_int_equal(qm_session_new(&s, &env, QM_CLIENT, &bad), QM_EINVAL);
  assert_int_equal(qm_session_new(&s, &env, QM_CLIENT, &o), QM_OK);
  assert_int_equal(qm_session_next(s, &ev), 1);
  assert_int_equal(ev.kind, QM_EV_SPACES);
  assert_int_equal(ev.serial, 9);
  assert_int_equal(qm_session_next(s, &(qm_event){0}), 0);
  qm_reply r = {.lines = lines, .n_lines = 2};
  assert_int_equal(qm_session_done(s, 0, QM_OK, &r), QM_ENOTFOUND);
  assert_int_equal(qm_session_done(s, ev.ticket + 1, QM_OK, &r), QM_ENOTFOUND);
  assert_int_equal(qm_session_done(s, ev.ticket, QM_OK, NULL), QM_EINVAL);
  assert_int_equal(qm_session_done(s, ev.ticket, QM_OK, &r), QM_EINVAL); /* one id twice */
  assert_int_equal(qm_session_take(s, &byte, 0, &n), QM_EINVAL);
  lines[1].line.id.b[0] = 1;
  assert_int_equal(qm_session_done(s, ev.ticket, QM_OK, &r), QM_OK);
  assert_int_equal(qm_session_done(s, ev.ticket, QM_OK, &r), QM_ENOTFOUND);
  assert_true(qm_session_waiting(s) > 0);
  qm_session_free(s);
  qm_session_free(NULL);
  /* A client whose store cannot list its spaces says nothing to anybody but ERROR. */
  assert_int_equal(qm_session_new(&s, &env, QM_CLIENT, &o), QM_OK);
  assert_int_equal(qm_session_next(s, &ev), 1);
  assert_int_equal(qm_session_done(s, ev.ticket, QM_EIO, NULL), QM_OK);
  assert_int_equal(qm_session_next(s, &ev), 1);
  assert_int_equal(ev.code, QM_EIO);
  assert_int_equal(ev.serial, 9);
  qm_session_free(s);
}

static void a_polite_end_in_the_middle(void **state) {
  (void)state;
  for (int who = 0; who < 2; who++) {
    world w;
    pair p;
    world_init(&w, 1);
    w.a.pad = 60000;
    fake_write(&w.a, 0, 40);
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
    p.cut_at = 200000;
    assert_int_equal(pair_run(&p), 0);
    p.cut_at = 0;
    qm_session_bye(who ? p.b.s : p.a.s);
    assert_int_equal(pair_run(&p), 1);
    assert_int_equal(p.a.closed.code, QM_ECLOSED);
    assert_int_equal(p.b.closed.code, QM_ECLOSED);
    pair_close(&p);
    pair_sync(&w.a, &w.b, QM_SESSION_HUB, 4);
    assert_true(fake_same(&w.a, &w.b, 0));
    w.b.doubled = 0;
    world_free(&w);
  }
}

/* Whatever allocation fails, the session ends with QM_ENOMEM or goes through; nothing
 * leaks, nothing is lost. */
static void memory_may_run_out_anywhere(void **state) {
  size_t at = 1, ended = 0;
  (void)state;
  for (int through = 0; !through; at++) {
    world w;
    pair p;
    test_alloc alloc = {.fail_at = 0};
    qm_env counted = test_alloc_env(&alloc), plain;
    world_init(&w, 5);
    fake_add(&w.b, 7);
    fake_write(&w.a, 0, 4);
    fake_write(&w.b, 1, 4);
    pair_open(&p, &w.a, &w.b, QM_SESSION_HUB, QM_SESSION_HUB, 6);
    plain = p.env;
    qm_session_free(p.a.s);
    p.a.s = NULL;
    qm_session_options o = {.size = sizeof o, .flags = QM_SESSION_HUB};
    alloc.fail_at = at;
    int rc = qm_session_new(&p.a.s, &counted, QM_CLIENT, &o);
    if (rc == QM_OK) {
      (void)pair_run(&p);
      if (p.a.is_closed && p.a.closed.code == QM_OK)
        through = 1;
      else
        ended++;
    } else {
      assert_int_equal(rc, QM_ENOMEM);
    }
    if (rc == QM_OK && !through && p.a.is_closed)
      assert_true(p.a.closed.code == QM_ENOMEM || p.a.closed.by_peer);
    p.env = plain;
    pair_close(&p);
    assert_int_equal(alloc.live, 0);
    pair_sync(&w.a, &w.b, QM_SESSION_HUB, 4);
    for (uint32_t k = 0; k < 5; k++) assert_true(fake_same(&w.a, &w.b, k));
    world_free(&w);
  }
  assert_true(ended > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_new_costs_one_round_trip),
      cmocka_unit_test(hub_grants_and_both_converge),
      cmocka_unit_test(two_phones_need_no_hub),
      cmocka_unit_test(order_of_answers_changes_nothing),
      cmocka_unit_test(a_cut_at_any_byte_loses_nothing),
      cmocka_unit_test(a_full_disk_ends_the_session_and_loses_nothing),
      cmocka_unit_test(nothing_is_acknowledged_before_it_is_durable),
      cmocka_unit_test(a_refused_author_stops_alone),
      cmocka_unit_test(one_space_stops_alone),
      cmocka_unit_test(a_fork_stops_its_author_alone),
      cmocka_unit_test(flow_control_holds),
      cmocka_unit_test(a_sender_waits_for_credit),
      cmocka_unit_test(a_thousand_spaces_fit_the_window),
      cmocka_unit_test(digests_find_what_differs),
      cmocka_unit_test(grants_travel_and_end),
      cmocka_unit_test(certificates_renew),
      cmocka_unit_test(clocks_are_measured),
      cmocka_unit_test(time_runs_out),
      cmocka_unit_test(answers_are_checked),
      cmocka_unit_test(a_polite_end_in_the_middle),
      cmocka_unit_test(memory_may_run_out_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
