/* How an op names its record (SPEC S5.10), where its batch comes from another hand: our own
 * writer of batches names by id what the batch has an id of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)

static rig w;
static forge f;
static dev *A, *B;
static uint32_t X, Y;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 2, 1);
  A = &w.d[0];
  B = &w.d[1];
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

/* Taken, or why not; then nothing has changed. */
static int outcome(dev *d, qm_segment g) {
  standing before = standing_of(d);
  qm_ingest in = {.peer = {{0}}};
  ok(take(d, forge_batch(&f, &g, 1), &in));
  if (!in.n_refusals) return in.taken == 1 ? QM_OK : QM_EINTERNAL;
  stands_as(d, &before);
  return in.refusals[0].code;
}

/* S5.10: an op may name its record by the dot of a `new` before it in its own segment, in the
 * same change or an earlier one; not by one that is no `new`, or stands behind it. */
static void named_by_a_creation_of_its_segment(void **state) {
  (void)state;
  static const struct {
    uint64_t created; /* counters: 0 new, 1 write, 2 write in a second change, 3 new of Q */
    int op, code;
  } cases[] = {{0, 1, QM_OK}, {0, 2, QM_OK}, {1, 2, QM_EMALFORMED}, {3, 2, QM_EMALFORMED}};
  const struct forge_chain at[] = {f.chains[X], f.chains[Y]};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t author = cases[i].code == QM_OK ? X : Y;
    qm_op op = {.record = rec("R"), .field = F_TEL, .shape = QM_SIBLINGS};
    f.chains[author] = at[author == Y];
    forge_begin(&f, author);
    forge_change(&f, NULL, 0);
    forge_op(&f, (qm_op){.record = rec("R"), .value = int_value(&w, 1)});
    op.value = text_value(&w, "1");
    forge_op(&f, op);
    forge_change(&f, NULL, 0);
    op.value = text_value(&w, "2");
    forge_op(&f, op);
    forge_op(&f, (qm_op){.record = rec("Q"), .value = int_value(&w, 1)});
    qm_segment g = forge_seal(&f);
    qm_op *named = cases[i].op == 1 ? &g.changes[0].ops[1] : &g.changes[1].ops[0];
    named->named = QM_BY_CREATION;
    named->created = (qm_dot){cases[i].created, author};
    named->record = rec("?"); /* or the writer of batches would name it by id */
    if (cases[i].code != QM_OK) {
      assert_int_equal(outcome(A, g), cases[i].code);
      continue;
    }
    dev *d = i ? B : A;
    ok(outcome(d, g));
    assert_string_equal(shown(d, "R", F_TEL), "2");
    check_memory(d); /* read from the log again, too */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(named_by_a_creation_of_its_segment, setup, teardown)};
  return cmocka_run_group_tests_name("ingest names", tests, NULL, NULL);
}
