/* The bounds of what one batch may ask for (qm__space_work): hostile ones are refused
 * before they are applied, honest ones are far below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)

static rig w;
static forge f;
static dev *A, *B, *H;
static uint32_t X, Y; /* authors made by hand, of devices 'x' and 'y' */

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  B = &w.d[1];
  H = &w.d[2];
  forge_open(&f, &w);
  X = forge_author(&f, 'x', 1);
  Y = forge_author(&f, 'y', 1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  forge_close(&f);
  rig_close(&w);
  return 0;
}

static qm_id device_id(uint8_t tag) { return (qm_id){{tag}}; }

static qm_ingest from(uint8_t device) { return (qm_ingest){.peer = device_id(device)}; }

/* As a hub: by signature, schema and role. */
static void give(dev *d, qm_segment g) {
  qm_ingest in = from(0);
  ok(take(d, forge_batch(&f, &g, 1), &in));
  if (in.n_refusals) fail_msg("refused: %s", in.refusals[0].message);
  assert_int_equal(in.taken, 1);
}

static void refused(dev *d, qm_segment g, int code) {
  qm_digest before, after;
  qm_ingest in = from('x');
  qm_space_digest(d->space, &before);
  ok(take(d, forge_batch(&f, &g, 1), &in));
  assert_int_equal(in.n_refusals, 1);
  assert_int_equal(in.refusals[0].code, code);
  qm_space_digest(d->space, &after);
  assert_true(qm_digest_eq(&before, &after));
  check_memory(d);
}

static qm_segment one_op(uint32_t author, qm_op op) {
  forge_begin(&f, author);
  forge_change(&f, NULL, 0);
  forge_op(&f, op);
  return forge_seal(&f);
}

/* A segment of n changes, each one op like this on R. */
static qm_segment many(unsigned n, qm_op op) {
  forge_begin(&f, X);
  op.record = rec("R");
  for (unsigned i = 0; i < n; i++) {
    forge_change(&f, NULL, 0);
    op.value = int_value(&w, i);
    if (op.shape == QM_ENTRIES) op.order = UINT64_MAX - i;
    forge_op(&f, op);
  }
  return forge_seal(&f);
}

/* In every shape: what a few do is taken, what thousands would do is not. */
static void each_kind_of_work(void **state) {
  (void)state;
  const qm_op ops[] = {
      {.field = F_TEL, .shape = QM_SIBLINGS, .flags = QM_OP_LISTED},
      {.field = F_LAST, .shape = QM_SIBLINGS, .kind = QM_KIND_BESIDE, .flags = QM_OP_LISTED},
      {.field = F_TAGS, .shape = QM_KEYED, .flags = QM_OP_LISTED},
      {.field = F_STEPS, .shape = QM_ENTRIES, .flags = QM_OP_ORDER},
      {.field = F_VISITS, .shape = QM_TOTALS, .flags = QM_OP_MARKS},
  };
  give(A, forge_new(&f, X, "R"));
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    give(A, many(500, ops[i]));
    const struct forge_chain at = f.chains[X];
    refused(A, many(16384, ops[i]), QM_EMALFORMED);
    f.chains[X] = at;
  }
  check_memory(A);
}

/* Thousands of siblings, each looked at for each op: refused before it is done. */
static void too_much_work(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  forge_begin(&f, X);
  for (unsigned i = 0; i < 4; i++) {
    forge_change(&f, NULL, 0);
    for (unsigned k = 0; k < 8000; k++)
      forge_op(&f, (qm_op){.record = rec("R"),
                           .field = F_TEL,
                           .shape = QM_SIBLINGS,
                           .flags = QM_OP_LISTED,
                           .value = int_value(&w, 1)});
  }
  refused(A, forge_seal(&f), QM_EMALFORMED);
}

/* The same in many segments of one batch, each of which asks for little. */
static void much_of_little_work(void **state) {
  (void)state;
  enum { SEGMENTS = 200, OPS = 80 };
  static qm_segment g[SEGMENTS];
  qm_ingest in = from('x');
  give(A, forge_new(&f, X, "R"));
  for (unsigned i = 0; i < SEGMENTS; i++)
    g[i] = many(OPS, (qm_op){.field = F_TEL, .shape = QM_SIBLINGS, .flags = QM_OP_LISTED});
  ok(take(A, forge_batch(&f, g, SEGMENTS), &in));
  assert_int_equal(in.n_refusals, 1);
  assert_int_equal(in.refusals[0].code, QM_EMALFORMED);
  assert_true(in.taken > 100 && in.taken < SEGMENTS);
  check_memory(A);
}

/* Many ops on one field as people make them: one after the other, each replacing. */
static void much_honest_work(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  forge_begin(&f, X);
  for (unsigned i = 0; i < 2; i++) {
    forge_change(&f, NULL, 0);
    for (unsigned k = 0; k < 15000; k++) {
      forge_op(&f, (qm_op){.record = rec("R"),
                           .field = F_TEL,
                           .shape = QM_SIBLINGS,
                           .value = text_value(&w, "t")});
      forge_op(&f, (qm_op){.record = rec("R"),
                           .field = F_STEPS,
                           .shape = QM_ENTRIES,
                           .value = text_value(&w, "t")});
    }
  }
  give(A, forge_seal(&f));
  assert_string_equal(listed(A, "R", F_TEL), "");
  check_memory(A);
}

/* A record that could not be stored is refused, so that it does not stop the rest. */
static void record_too_large(void **state) {
  (void)state;
  static char text[60001];
  qm_ingest in;
  unsigned taken = 0;
  give(A, forge_new(&f, X, "R"));
  for (unsigned k = 0; k < sizeof text - 1; k++) text[k] = (char)('a' + rig_below(&w, 26));
  for (unsigned i = 0; i < 200; i++) {
    const struct forge_chain at = f.chains[X];
    qm_segment g = one_op(X, (qm_op){.record = rec("R"),
                                     .field = F_STEPS,
                                     .shape = QM_ENTRIES,
                                     .value = text_value(&w, text)});
    in = from('x');
    ok(take(A, forge_batch(&f, &g, 1), &in));
    if (in.n_refusals) {
      f.chains[X] = at;
      break;
    }
    taken++;
  }
  assert_int_equal(in.refusals[0].code, QM_ELIMIT);
  assert_true(taken > 130 && taken < 140);
  check_memory(A);
  give(A, forge_write(&f, X, "R", F_TEL, "1"));
  /* Replaced values do not count. */
  qm_segment g[9];
  for (unsigned i = 0; i < 9; i++) {
    forge_begin(&f, X);
    forge_change(&f, NULL, 0);
    for (unsigned k = 0; k < 3; k++)
      forge_op(&f, (qm_op){.record = rec("R"),
                           .field = F_TEL,
                           .shape = QM_SIBLINGS,
                           .value = text_value(&w, text + 57000)});
    g[i] = forge_seal(&f);
  }
  in = from('x');
  ok(take(A, forge_batch(&f, g, 9), &in));
  if (in.n_refusals) fail_msg("%s", in.refusals[0].message);
  assert_int_equal(in.taken, 9);
  check_memory(A);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(too_much_work), T(much_of_little_work), T(each_kind_of_work),
                                     T(much_honest_work), T(record_too_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
