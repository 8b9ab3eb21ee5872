/* (S18.3) Set-aside entries that another device hands on: believed by the home hub's key, and
 * not where there is none; nothing that fails has an effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "support_engine.h"
#include "sync/answer.h"
#include "sync/crypto.h"

#define ok(call) assert_int_equal(call, QM_OK)

static rig w;
static forge f;
static dev *A;
static uint32_t X;
static qm_env env;
static qm_key *hub, *other;
static qm_segment seg;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 2, 1);
  A = &w.d[0];
  forge_open(&f, &w);
  X = forge_author(&f, 'x', 1);
  env = qm_env_default();
  env.random = qm_crypto_random;
  ok(qm_key_generate(&env, &hub));
  ok(qm_key_generate(&env, &other));
  seg = forge_new(&f, X, "R");
  qm_ingest in = {.peer = {{'x'}}};
  ok(take(A, forge_batch(&f, &seg, 1), &in));
  assert_int_equal(in.taken, 1);
  assert_true(visible(A, "R"));
  return 0;
}

static int teardown(void **state) {
  (void)state;
  qm_key_free(hub);
  qm_key_free(other);
  forge_close(&f);
  rig_close(&w);
  return 0;
}

static qm_aside entry_of(const qm_key *by) {
  qm_aside a = {.first = seg.start, .next = seg.next, .code = QM_EACCESS};
  memcpy(a.by.b, qm_key_device(by)->b, QM_ID_SIZE);
  a.author = f.authors.ids[X];
  memcpy(a.segment.b, seg.head, QM_HEAD_SIZE);
  return a;
}

static void sign(qm_aside *a, const qm_key *with) {
  uint8_t digest[32];
  ok(qm_aside_digest(a, &A->space->id, &env, digest));
  ok(qm_key_sign(with, digest, a->signature));
  a->has_signature = 1;
}

/* The home hub's key, as the enrolment gave it. */
static int by_home(void *payload, const qm_id *device, const uint8_t digest[32],
                   const uint8_t signature[64]) {
  return qm_verify_by(qm_key_spki(payload), device, digest, signature);
}

/* Handed on by a phone; with `home` this device knows the home hub's key. */
static int given(const qm_aside *a, int home, int by_hub) {
  qm_answer_policy policy = {.payload = hub, .verify_aside = home ? by_home : NULL};
  qm_answer answer;
  qm_answered out;
  qm_buf b;
  qm_buf_init(&b, &env, 4096);
  qm_mp_array(&b, 1);
  qm_aside_put(a, &b);
  ok(qm_buf_status(&b));
  qm_answer_init(&answer, &A->env, A->engine, 0, &policy);
  qm_answered_init(&out, &A->env);
  qm_event ev = {.kind = QM_EV_ASIDE,
                 .space = A->space->id,
                 .peer = {{'p'}},
                 .hub = (uint8_t)by_hub,
                 .blob = qm_buf_slice(&b)};
  int rc = qm_answer_run(&answer, &ev, &out);
  qm_answered_free(&out);
  qm_answer_free(&answer);
  qm_buf_free(&b);
  return rc;
}

static void refused(const qm_aside *a, int home) {
  standing before = standing_of(A);
  assert_int_equal(given(a, home, 0), QM_EFORGED);
  stands_as(A, &before);
  assert_true(visible(A, "R"));
  assert_int_equal(qm_space_asides(A->space).n, 0);
}

static void by_the_home_hub_s_key(void **state) {
  (void)state;
  qm_aside a = entry_of(hub);
  sign(&a, hub);
  ok(given(&a, 1, 0));
  assert_false(visible(A, "R"));
}

static void forged(void **state) {
  (void)state;
  qm_aside a = entry_of(hub);
  refused(&a, 1); /* no signature */
  sign(&a, other);
  refused(&a, 1); /* in the hub's name */
  a = entry_of(other);
  sign(&a, other);
  refused(&a, 1); /* in its own */
  sign(&a, hub);
  refused(&a, 1); /* the hub signs in no other's name */
  a = entry_of(hub);
  a.code = QM_ESCHEMA;
  sign(&a, hub);
  a.code = QM_EACCESS;
  refused(&a, 1); /* changed on the way */
}

/* A forged entry must not pass a driver that has no key; the hub itself needs none. */
static void without_a_key(void **state) {
  (void)state;
  qm_aside a = entry_of(other);
  refused(&a, 0);
  a = entry_of(hub);
  sign(&a, hub);
  refused(&a, 0);
  ok(given(&a, 0, 1));
  assert_false(visible(A, "R"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {T(by_the_home_hub_s_key), T(forged), T(without_a_key)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
