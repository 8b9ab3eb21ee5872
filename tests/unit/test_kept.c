/* Records stay loaded from one transaction to the next, and only as their rows are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fold.h"
#include "tests/unit/support_engine.h"

static rig w;
#define A (&w.d[0])
#define B (&w.d[1])
#define C (&w.d[2])

static void ok(int rc) {
  if (rc) fail_msg("%s", qm_err_name(rc));
}

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 78);
  ok(put_new(A, "R"));
  ok(put_new(A, "S"));
  meet(A, B);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  rig_close(&w);
  return 0;
}

static void all_equal(void) {
  rig_settle(&w);
  rig_check_equal(&w);
}

/* Every shape, written again and again, here and from elsewhere. */
static void stay(void **state) {
  (void)state;
  for (int i = 0; i < 6; i++) {
    dev *d = i % 2 ? A : B;
    ok(put(d, "R", F_TEL, i % 3 ? "139" : "138"));
    ok(put_add(d, "R", "elder"));
    ok(put_inc(d, "S", 2));
    ok(put_step(d, "R", "visited"));
    ok(put_text(d, "S", 0, i > 1, "wall leaks "));
    ok(put_list(d, "S", 0, 0, "ab"));
    ok(put_remove(d, "R", "elder"));
    assert_true(check_kept(d) >= 2);
    if (i % 2) meet(A, B);
    assert_true(check_kept(A) >= 2);
  }
  ok(put_erase(A, "R"));
  assert_true(check_kept(A) >= 2);
  meet(A, B);
  ok(put_restore(B, "R"));
  assert_true(check_kept(B) >= 2);
  all_equal();
}

/* Some keys of what another transaction put there first. */
static void set(qm_write *x, const char *r, const char *text) {
  qm_id id = rec(r);
  const qm_slice none = {NULL, 0};
  ok(qm_write_set(x, &id, F_TEL, text_value(&w, text), none, 0));
}

static void rolled_back(void **state) {
  (void)state;
  qm_write *x;
  ok(put(A, "R", F_TEL, "138"));
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  set(x, "R", "137");
  qm_write_cancel(x);
  (void)check_kept(A);
  assert_string_equal(shown(A, "R", F_TEL), "138");
  ok(put(A, "R", F_TEL, "138")); /* it is that already: nothing is written */
  ok(put_inc(A, "R", 1));
  ok(qm_write_begin(&x, A->engine, A->space, 0));
  set(x, "R", "138"); /* writes nothing, so nothing is forgotten */
  qm_write_cancel(x);
  assert_true(check_kept(A) >= 1);
  ok(qm_engine_begin(A->engine));
  qm_engine_rollback(A->engine);
  assert_true(check_kept(A) >= 1);
  all_equal();
}

/* A batch that cannot be read, and one that was taken, rolled back. */
static void batches_rolled_back(void **state) {
  (void)state;
  qm_ingest in = {.peer = B->id};
  qm_arena arena;
  qm_slice batch[4];
  qm_vv_list nothing = {NULL, 0};
  qm_arena_init(&arena, &A->env, 1u << 20);
  ok(put(A, "R", F_TEL, "138"));
  ok(qm_engine_begin(A->engine));
  assert_int_not_equal(
      qm_engine_ingest(A->engine, A->space, qm_slice_of("\x01\x02", 2), &in, &arena, NULL), QM_OK);
  qm_engine_rollback(A->engine);
  assert_true(check_kept(A) >= 1);
  ok(put(B, "R", F_TEL, "136"));
  ok(put(B, "S", F_TEL, "135"));
  ok(qm_engine_push(B->engine, B->space));
  unsigned n = log_of(B, nothing, batch, 4);
  ok(qm_engine_begin(A->engine));
  for (unsigned i = 0; i < n; i++)
    ok(qm_engine_ingest(A->engine, A->space, batch[i], &in, &arena, NULL));
  qm_engine_rollback(A->engine);
  (void)check_kept(A);
  assert_string_equal(shown(A, "R", F_TEL), "138");
  ok(put(A, "S", F_TEL, "134"));
  assert_true(check_kept(A) >= 1);
  qm_arena_free(&arena);
  all_equal();
}

static size_t calls, fail_at;

static void *failing(void *payload, void *p, size_t n) {
  (void)payload;
  if (!n) free(p);
  return n && ++calls < fail_at ? realloc(p, n) : NULL;
}

/* A save of two records. */
static int save(dev *d, qm_slice value) {
  const qm_id r = rec("R"), s = rec("S");
  const qm_slice none = {NULL, 0};
  qm_write *x;
  int rc = qm_write_begin(&x, d->engine, d->space, 0);
  if (rc != QM_OK) return rc;
  rc = qm_write_set(x, &r, F_TEL, value, none, 0);
  if (rc == QM_OK) rc = qm_write_splice(x, &s, F_NOTES, 0, 0, qm_slice_of("a", 1), none);
  if (rc == QM_OK) return qm_write_commit(x, QM_DURABLE);
  qm_write_cancel(x);
  return rc;
}

/* Memory ends anywhere in a save: what was loaded by then is as it was, or is loaded again. */
static void memory_ends(void **state) {
  (void)state;
  const qm_env before = A->env;
  char large[9001]; /* its row asks for memory on its own while it is loaded */
  memset(large, 'x', sizeof large - 1);
  large[sizeof large - 1] = 0;
  ok(put(A, "R", F_HEAD, large));
  for (int round = 0; round < 3; round++) {
    char text[12];
    int rc = QM_ENOMEM;
    snprintf(text, sizeof text, "%d", round);
    const qm_slice value = text_value(&w, text);
    for (size_t at = 1; rc != QM_OK; at++) {
      if (round == 0) reopen(A); /* the records are loaded on the way */
      calls = 0;
      fail_at = at;
      A->env.realloc = failing;
      rc = save(A, value);
      A->env = before;
      if (rc != QM_OK) assert_int_equal(rc, QM_ENOMEM);
      if (qm_engine_status(A->engine) != QM_OK) reopen(A);
      (void)check_kept(A);
    }
    assert_string_equal(shown(A, "R", F_TEL), text);
    meet(A, B);
  }
  all_equal();
}

/* More than may stay: all are forgotten, and the next transactions load what they need. */
static void bounded(void **state) {
  (void)state;
  char *text = malloc(60001);
  assert_non_null(text);
  memset(text, 'x', 60000);
  text[60000] = 0;
  unsigned forgot = 0;
  for (int i = 0; i < 300; i++) {
    size_t used = A->engine->records.used;
    text[0] = (char)('a' + i % 26);
    ok(put(A, i % 2 ? "R" : "S", F_TEL, text));
    assert_true(A->engine->records.used <= QM_ROOM_DEVICE);
    forgot += A->engine->records.used < used;
    if (i % 50 == 0) (void)check_kept(A);
  }
  assert_true(forgot >= 2 && forgot < 30);
  free(text);
  all_equal();
}

/* What is joined from a state, or built again from the log, stays with nobody. */
static void other_transactions(void **state) {
  (void)state;
  ok(put(A, "R", F_TEL, "138"));
  ok(put(B, "R", F_TEL, "137"));
  ok(put_new(B, "T"));
  ok(put_step(C, "R", "x") == QM_OK ? QM_EINTERNAL : QM_OK); /* it is not there yet */
  pull(C, B);
  assert_int_equal(join(A, C), 1);
  assert_int_equal(check_kept(A), 0);
  ok(put(A, "T", F_TEL, "130"));
  assert_true(check_kept(A) >= 1);
  all_equal();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(stay, setup, teardown),
      cmocka_unit_test_setup_teardown(rolled_back, setup, teardown),
      cmocka_unit_test_setup_teardown(batches_rolled_back, setup, teardown),
      cmocka_unit_test_setup_teardown(memory_ends, setup, teardown),
      cmocka_unit_test_setup_teardown(bounded, setup, teardown),
      cmocka_unit_test_setup_teardown(other_transactions, setup, teardown),
  };
  return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
