/* (S8.6) What is parked is of the session that brought it: it ends with that session and no
 * other, is judged by its terms, and is held against its device; the bound is the device's.
 * A transaction that is rolled back takes nothing out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_engine.h"
#include "sync/answer.h"

#define ok(call) assert_int_equal(call, QM_OK)

static rig w;
static forge f;
static dev *A, *H;
static uint32_t X, Y, Z; /* authors made by hand, of devices 'x', 'y' and 'z' */

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  H = &w.d[2];
  forge_open(&f, &w);
  X = forge_author(&f, 'x', 1);
  Y = forge_author(&f, 'y', 1);
  Z = forge_author(&f, 'z', 1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  forge_close(&f);
  rig_close(&w);
  return 0;
}

static qm_ingest of(uint8_t device, uint64_t session) {
  return (qm_ingest){.peer = {{device}}, .session = session};
}

static qm_segment depending(uint32_t author, uint32_t on, const char *text) {
  qm_dot dep = {1, on};
  forge_begin(&f, author);
  forge_change(&f, &dep, 1);
  forge_op(&f, (qm_op){.record = rec("R"),
                       .field = F_TEL,
                       .shape = QM_SIBLINGS,
                       .value = text_value(&w, text)});
  return forge_seal(&f);
}

/* Gives one segment and looks at what became of it. */
static void gives(uint8_t device, uint64_t session, qm_segment g, uint32_t taken,
                  uint32_t parked) {
  qm_ingest in = of(device, session);
  ok(take(A, forge_batch(&f, &g, 1), &in));
  if (in.n_refusals) fail_msg("refused: %s", in.refusals[0].message);
  assert_int_equal(in.taken, taken);
  assert_int_equal(in.parked, parked);
}

static void ends(dev *d, uint8_t device, uint64_t session) {
  qm_id peer = {{device}};
  qm_engine_unpark(d->engine, &peer, session);
}

static unsigned parked_in(const dev *d) {
  unsigned n = 0;
  for (const qm_parked *p = d->space->parked; p; p = p->next) n++;
  return n;
}

/* A session that was cut and has not timed out, and the one that came after it. */
static void two_sessions_of_one_device(void **state) {
  (void)state;
  qm_segment first = forge_new(&f, X, "R"), second = depending(Y, X, "2");
  qm_segment third = forge_write(&f, Y, "R", F_TEL, "3");
  qm_segment fourth = forge_write(&f, Y, "R", F_TEL, "4");
  gives('y', 1, second, 0, 1);
  gives('y', 2, second, 0, 1);
  gives('y', 1, third, 0, 1);
  ends(A, 'y', 1);
  assert_int_equal(parked_in(A), 1);
  gives('y', 2, third, 0, 1); /* a gap, were `second` gone */
  ends(A, 'y', 3);            /* nobody's */
  ends(A, 'x', 2);
  gives('y', 2, fourth, 0, 1);
  assert_int_equal(parked_in(A), 3);
  gives('x', 2, first, 4, 0);
  assert_null(A->space->parked);
  assert_string_equal(shown(A, "R", F_TEL), "4");
  check_memory(A);
}

static void the_older_goes_on(void **state) {
  (void)state;
  qm_segment first = forge_new(&f, X, "R"), second = depending(Y, X, "2");
  qm_segment third = forge_write(&f, Y, "R", F_TEL, "3");
  gives('y', 1, second, 0, 1);
  gives('y', 2, second, 0, 1);
  ends(A, 'y', 2);
  gives('y', 1, third, 0, 1);
  gives('x', 1, first, 3, 0);
  assert_string_equal(shown(A, "R", F_TEL), "3");
  ends(A, 'y', 1);
}

static qm_segment big(uint32_t author) {
  static char text[60001];
  for (unsigned k = 0; k < sizeof text - 1; k++) text[k] = (char)('a' + rig_below(&w, 26));
  return depending(author, X, text);
}

static size_t held_of(const dev *d, uint64_t session, unsigned *lost) {
  size_t held = 0;
  for (const qm_parked *p = d->space->parked; p; p = p->next) {
    if (session && p->session != session) continue;
    held += p->held;
    *lost += !p->batch.n;
  }
  return held;
}

static void the_bound_is_the_device_s(void **state) {
  unsigned lost = 0;
  size_t most = 0;
  (void)state;
  (void)forge_new(&f, X, "R");
  for (unsigned i = 0; i < 140; i++) {
    gives('y', 1 + i % 3, big(forge_author(&f, 'y', 100 + i)), 0, 1);
    size_t held = held_of(A, 0, &lost);
    if (held > most) most = held;
  }
  assert_true(most > QM_PARKED_BYTES_MAX / 2 && most <= QM_PARKED_BYTES_MAX);
  assert_true(held_of(A, 1, &lost) && held_of(A, 2, &lost) && held_of(A, 3, &lost));
  /* Another device has its own. */
  gives('z', 1, big(Z), 0, 1);
  assert_true(held_of(A, 0, &lost) > most);
}

/* What one session lost is its own affair: the others' end makes no gap of it. */
static void let_go_for_one_session(void **state) {
  unsigned lost = 0;
  (void)state;
  (void)forge_new(&f, X, "R");
  for (unsigned i = 0; i < 140; i++) gives('y', 1, big(forge_author(&f, 'y', 100 + i)), 0, 1);
  qm_segment g = big(Y), next = forge_write(&f, Y, "R", F_TEL, "n");
  gives('y', 2, g, 0, 1);
  (void)held_of(A, 2, &lost);
  assert_int_equal(lost, 1);
  ends(A, 'y', 1);
  gives('y', 2, next, 0, 1);
  assert_int_equal(held_of(A, 0, &lost), 0);
  ends(A, 'y', 2);
  assert_null(A->space->parked);
  qm_ingest in = of('y', 3);
  ok(take(A, forge_batch(&f, &next, 1), &in));
  assert_int_equal(in.n_refusals, 1);
  assert_int_equal(in.refusals[0].code, QM_EGAP);
}

/* Group commit: what came with others is rolled back with them, and tried again alone. */
static void a_rollback_takes_nothing_out(void **state) {
  (void)state;
  qm_segment first = forge_new(&f, X, "R"), second = depending(Y, X, "2");
  qm_segment half[] = {depending(Z, X, "z"), depending(forge_author(&f, 'z', 2), Y, "y")};
  qm_segment third = forge_write(&f, Y, "R", F_TEL, "3");
  qm_ingest in = of('y', 1), of_z = of('z', 1);
  standing before = standing_of(A);
  ok(take(A, forge_batch(&f, half, 2), &of_z));
  ok(qm_engine_begin(A->engine));
  ok(qm_engine_ingest(A->engine, A->space, forge_batch(&f, &second, 1), &in, &w.arena, NULL));
  qm_ingest fill = of('x', 1);
  ok(qm_engine_ingest(A->engine, A->space, forge_batch(&f, &first, 1), &fill, &w.arena, NULL));
  assert_int_equal(fill.taken, 4);
  qm_engine_rollback(A->engine);
  stands_as(A, &before);
  assert_int_equal(parked_in(A), 2);
  gives('y', 1, second, 0, 1); /* alone: it is there already */
  assert_int_equal(parked_in(A), 2);
  gives('y', 1, third, 0, 1);
  gives('x', 1, first, 5, 0);
  assert_null(A->space->parked);
  check_memory(A);
}

/* Of what waits in parts, a part that was taken and rolled back is tried again. */
static void a_rollback_of_a_part(void **state) {
  (void)state;
  qm_segment first = forge_new(&f, X, "R");
  qm_segment half[] = {depending(Z, X, "z"), depending(forge_author(&f, 'z', 2), Y, "y")};
  qm_ingest of_z = of('z', 1), fill = of('x', 1);
  ok(take(A, forge_batch(&f, half, 2), &of_z));
  assert_int_equal(of_z.parked, 2);
  ok(qm_engine_begin(A->engine));
  ok(qm_engine_ingest(A->engine, A->space, forge_batch(&f, &first, 1), &fill, &w.arena, NULL));
  assert_int_equal(fill.taken, 2);
  qm_engine_rollback(A->engine);
  gives('x', 1, first, 2, 0);
  assert_string_equal(shown(A, "R", F_TEL), "z");
  assert_int_equal(parked_in(A), 1);
  check_memory(A);
}

/* As a driver asks and tells: the numbers of the sessions come with the events. */
static void by_the_sessions_events(void **state) {
  qm_answer a;
  qm_answered out;
  qm_segment second = depending(Y, X, "2"), third = forge_write(&f, Y, "R", F_TEL, "3");
  (void)state;
  qm_answer_init(&a, &A->env, A->engine, 0, NULL);
  qm_answered_init(&out, &A->env);
  qm_event ev = {.kind = QM_EV_COMMIT, .space = A->space->id, .peer = {{'y'}}, .serial = 1};
  ev.blob = forge_batch(&f, &second, 1);
  ok(qm_answer_run(&a, &ev, &out));
  ev.serial = 2;
  ok(qm_answer_run(&a, &ev, &out));
  assert_int_equal(out.reply.parked, 1);
  qm_event end = {.kind = QM_EV_CLOSED, .peer = {{'y'}}, .serial = 1};
  ok(qm_answer_note(&a, &end));
  ev.blob = forge_batch(&f, &third, 1);
  ok(qm_answer_run(&a, &ev, &out));
  assert_int_equal(out.reply.parked, 1);
  assert_int_equal(out.reply.n_refusals, 0);
  end.serial = 2;
  ok(qm_answer_note(&a, &end));
  assert_null(A->space->parked);
  qm_answered_free(&out);
  qm_answer_free(&a);
}

typedef struct told {
  unsigned n;
  qm_id peer;
} told;

static int tell(void *payload, const qm_id *peer, const qm_id *space, const qm_refusal *r,
                int by_peer) {
  told *t = payload;
  (void)space;
  (void)r;
  (void)by_peer;
  t->peer = *peer;
  t->n++;
  return QM_OK;
}

/* The driver's policy hears whose it was; the peer of the other session hears nothing. */
static void told_of_who_brought_it(void **state) {
  told t = {0, {{0}}};
  qm_answer_policy policy = {.payload = &t, .refusal = tell};
  qm_answer a;
  qm_answered out;
  (void)state;
  qm_segment new = forge_new(&f, Z, "R"), bad = depending(X, Z, "bad");
  bad.head[0] ^= 1;
  qm_answer_init(&a, &A->env, A->engine, 0, &policy);
  qm_answered_init(&out, &A->env);
  qm_event ev = {.kind = QM_EV_COMMIT, .space = A->space->id, .peer = {{'y'}}, .serial = 1};
  ev.blob = forge_batch(&f, &bad, 1);
  ok(qm_answer_run(&a, &ev, &out));
  assert_int_equal(out.reply.parked, 1);
  ev.peer.b[0] = 'x';
  ev.serial = 2;
  ev.blob = forge_batch(&f, &new, 1);
  ok(qm_answer_run(&a, &ev, &out));
  assert_int_equal(out.reply.taken, 1);
  assert_int_equal(out.reply.n_refusals, 0);
  assert_int_equal(t.n, 1);
  assert_int_equal(t.peer.b[0], 'y');
  qm_answered_free(&out);
  qm_answer_free(&a);
}

/* A relay parks something in another's name; where that device itself fills the gap, it is
 * neither blamed for it nor stopped. */
static void nobody_else_is_blamed(void **state) {
  (void)state;
  qm_segment new = forge_new(&f, Z, "R");
  struct forge_chain at = f.chains[X];
  qm_segment forged = depending(X, Z, "forged");
  f.chains[X] = at;
  qm_segment good = depending(X, Z, "good");
  qm_ingest in = of('x', 7);
  in.check_author = in.check_schema = 1;
  in.role = qm_slice_of("grid", 4);
  qm_ingest x = in, y = in, fill = in;
  ok(take(H, forge_batch(&f, &good, 1), &x));
  assert_int_equal(x.parked, 1);
  y.peer.b[0] = 'y';
  ok(take(H, forge_batch(&f, &forged, 1), &y)); /* the last one parked is tried first */
  assert_int_equal(y.parked, 1);
  fill.peer.b[0] = 'z';
  fill.session = 9;
  ok(take(H, forge_batch(&f, &new, 1), &fill));
  assert_int_equal(fill.taken, 2);
  assert_int_equal(fill.n_refusals, 1);
  assert_int_equal(fill.refusals[0].code, QM_EFORGED);
  assert_int_equal(fill.refusals[0].peer.b[0], 'y');
  assert_int_equal(fill.refusals[0].session, 7);
  assert_string_equal(shown(H, "R", F_TEL), "good");
  assert_null(H->space->parked);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(two_sessions_of_one_device), T(the_older_goes_on),      T(the_bound_is_the_device_s),
      T(let_go_for_one_session),     T(a_rollback_takes_nothing_out), T(a_rollback_of_a_part),
      T(by_the_sessions_events),     T(told_of_who_brought_it),       T(nobody_else_is_blamed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
