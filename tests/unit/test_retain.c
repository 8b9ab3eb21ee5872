/* How long the log is kept: marks, and what every live device holds (S12.6, S12.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/retain.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define DAY UINT64_C(86400000)

static rig w;
static dev *H, *A;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 2, 1);
  H = &w.d[0];
  A = &w.d[1];
  H->flags = QM_ENGINE_HUB;
  reopen(H);
  ok(put_new(A, "R"));
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (unsigned i = 0; i < w.n; i++) check_memory(&w.d[i]);
  rig_close(&w);
  return 0;
}

static uint64_t floor_at(dev *d) {
  uint32_t a;
  ok(qm_authors_find(&d->space->authors, qm_engine_author(A->engine), &a));
  return qm_vv_get(qm_space_floor(d->space), a);
}

static int retain(dev *d, uint64_t days, const qm_vv *below) {
  int moved;
  qm_retention r = {.keep_ms = days * DAY, .below = below};
  ok(qm_engine_retain(d->engine, d->space, &r, &moved));
  return moved;
}

/* One edit a day: what is older than the retention goes, and not much of what is younger. */
static void by_age(void **state) {
  (void)state;
  for (int day = 0; day < 60; day++) {
    char text[16];
    snprintf(text, sizeof text, "%d", day);
    ok(put(A, "R", F_TEL, text));
    pull(H, A);
    retain(H, 20, NULL);
    if (day % 7 == 0) reopen(H);
    w.now_ms += DAY - 1000;
    uint64_t written = (uint64_t)day + 2;
    assert_true(floor_at(H) <= (written > 20 ? written - 20 : 0) + 1);
    if (day > 30) assert_true(floor_at(H) + 26 > written);
  }
}

static void nothing_that_a_device_lacks(void **state) {
  (void)state;
  qm_vv none = {NULL, 0, 0};
  pull(H, A);
  retain(H, 1, &none);
  w.now_ms += 10 * DAY;
  assert_false(retain(H, 1, &none));
  assert_int_equal(floor_at(H), 0);
  assert_true(retain(H, 1, NULL));
  assert_int_equal(floor_at(H), 1);
  assert_false(retain(H, 1, NULL));
}

/* A device keeps what no hub holds, and its own until that is safe, however old. */
static void nothing_that_is_not_safe(void **state) {
  (void)state;
  pull(H, A);
  retain(A, 1, NULL);
  w.now_ms += 10 * DAY;
  assert_false(retain(A, 1, NULL));
  acknowledge(A);
  assert_false(retain(A, 1, NULL));
  qm_vv_list vv;
  ok(qm_engine_heads(A->engine, A->space, &w.arena, &vv));
  ok(qm_engine_acknowledged(A->engine, A->space, vv, 1));
  assert_true(retain(A, 1, NULL));
  assert_int_equal(floor_at(A), 1);
}

static void a_clock_that_goes_back(void **state) {
  (void)state;
  pull(H, A);
  w.now_ms += 100 * DAY;
  retain(H, 20, NULL);
  w.now_ms -= 90 * DAY;
  retain(H, 20, NULL); /* the mark of the future is dropped */
  w.now_ms += 15 * DAY;
  assert_false(retain(H, 20, NULL));
  w.now_ms += 6 * DAY;
  assert_true(retain(H, 20, NULL));
}

static void least_of_all(void **state) {
  (void)state;
  ok(put(A, "R", F_TEL, "1"));
  pull(H, A);
  qm_vv_entry e[2] = {{.author = *qm_engine_author(A->engine), .next = 2},
                      {.author = *qm_engine_author(A->engine), .next = 1}};
  qm_vv_list lists[] = {{&e[0], 1}, {&e[1], 1}, {NULL, 0}};
  qm_vv out;
  for (uint32_t n = 0; n <= 3; n++) {
    uint32_t a;
    static const uint64_t wanted[] = {2, 2, 1, 0};
    ok(qm_engine_least(H->engine, H->space, lists, n, &out));
    ok(qm_authors_find(&H->space->authors, qm_engine_author(A->engine), &a));
    assert_int_equal(qm_vv_get(&out, a), wanted[n]);
    qm_vv_free(&H->env, &out);
  }
  ok(qm_engine_begin(H->engine));
  qm_retention r = {.keep_ms = 1};
  assert_int_equal(qm_engine_retain(H->engine, H->space, &r, NULL), QM_ESTATE);
  qm_engine_rollback(H->engine);
}

/* --- by size --- */

static void told(dev *d, int safe) {
  qm_vv_list vv;
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, &w.arena, &vv));
  ok(qm_engine_acknowledged(d->engine, d->space, vv, safe));
}

/* Changes that compress to about as many bytes as they have. */
static void fill(dev *d, unsigned changes) {
  static const char hex[] = "0123456789abcdefghijklmnopqrstuvwxyz-_.:,;!?()[]{}<>+*/=&%$#@~^|";
  for (unsigned i = 0; i < changes; i++) {
    char text[801];
    for (unsigned k = 0; k < 800; k++) text[k] = hex[rig_below(&w, sizeof hex - 1)];
    text[800] = 0;
    ok(put(d, "R", F_TEL, text));
    ok(qm_engine_push(d->engine, d->space)); /* a row each */
  }
}

static qm_capped cap(dev *d, uint64_t bytes) {
  qm_capped c;
  uint64_t now;
  ok(qm_engine_cap(d->engine, bytes, &c));
  ok(qm_engine_log_bytes(d->engine, &now));
  assert_int_equal(now, c.bytes);
  assert_int_equal(c.over, c.bytes > bytes ? c.bytes - bytes : 0);
  return c;
}

static void beyond_a_size(void **state) {
  (void)state;
  fill(A, 60);
  qm_capped c = cap(A, 20000);
  assert_int_equal(c.gone, 0); /* no hub has it */
  assert_true(c.over > 15000);
  told(A, 0);
  assert_int_equal(cap(A, 20000).gone, 0); /* no backup has it */
  told(A, 1);
  assert_int_equal(cap(A, 1u << 20).gone, 0); /* it fits */
  c = cap(A, 20000);
  assert_true(c.bytes <= 17500 && c.bytes > 15000);
  uint64_t floor = floor_at(A);
  assert_true(floor > 20 && floor < 50); /* the oldest went */
  assert_int_equal(cap(A, 20000).gone, 0); /* and there is room for some more */
  fill(A, 30);
  c = cap(A, 20000); /* what came since must stay, and the rest of what is older goes */
  assert_true(c.gone > 0 && c.over > 0);
  assert_int_equal(floor_at(A), 61);
  told(A, 0);
  assert_int_equal(cap(A, 20000).gone, 0);
  told(A, 1);
  assert_true(cap(A, 20000).bytes <= 17500);
  assert_true(floor_at(A) > 61);
}

/* Others' changes go once a hub has them; its own stand between them and stay. */
static void what_lies_between(void **state) {
  (void)state;
  pull(H, A);
  told(A, 1);
  for (unsigned i = 0; i < 10; i++) {
    fill(H, 3);
    pull(A, H);
    fill(A, 1);
  }
  told(A, 0);
  uint64_t before = floor_at(A);
  qm_capped c = cap(A, 0);
  assert_true(c.gone > 10000 && c.bytes > 5000);
  assert_true(floor_at(A) <= before + 1); /* (the record's creation was safe) */
  pull(H, A); /* nothing is missing for the hub */
  rig_check_equal(&w);
}

static void refused(void **state) {
  (void)state;
  qm_capped c;
  assert_int_equal(qm_engine_cap(H->engine, 1, &c), QM_EINVAL); /* a hub keeps by days */
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_engine_cap(A->engine, 1, &c), QM_ESTATE);
  qm_engine_rollback(A->engine);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {CASE(by_age), CASE(nothing_that_a_device_lacks),
                                     CASE(nothing_that_is_not_safe), CASE(a_clock_that_goes_back),
                                     CASE(least_of_all),
                                     CASE(beyond_a_size), CASE(what_lies_between),
                                     CASE(refused)};
  return cmocka_run_group_tests_name("retain", tests, NULL, NULL);
}
