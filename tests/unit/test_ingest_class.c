/* (S3.16) Edges that arrive at a hub: between records of one collection only, or who may
 * write the one could write the other. */
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
static dev *H;
static uint32_t X;

static qm_ingest judged(void) {
  return (qm_ingest){.peer = {{'x'}},
                     .check_author = 1,
                     .check_schema = 1,
                     .role = qm_slice_of("office", 6)};
}

static void gives(int code, qm_op op) {
  const struct forge_chain at = f.chains[X];
  qm_ingest in = judged();
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  forge_op(&f, op);
  qm_segment g = forge_seal(&f);
  ok(take(H, forge_batch(&f, &g, 1), &in));
  assert_int_equal(in.taken, code == QM_OK);
  assert_int_equal(in.n_refusals, code != QM_OK);
  if (in.n_refusals) assert_int_equal(in.refusals[0].code, code);
  if (in.n_refusals) f.chains[X] = at;
}

/* The rig's schema with a second collection that an office writes. */
static void add_office(dev *d) {
  qm_arena arena;
  const qm_schema *held;
  qm_buf b;
  qm_error e = {0, ""};
  static const qm_slice writers[] = {{(const uint8_t *)"office", 6}};
  qm_arena_init(&arena, &d->env, 1u << 20);
  ok(qm_schema_load(&held, qm_buf_slice(&w.schema), &arena, &e));
  qm_schema s = *held;
  qm_collection_def c[2] = {held->collections[0], held->collections[0]};
  c[1].number = 2;
  c[1].name = qm_slice_of("fund", 4);
  c[1].key_field = 0;
  c[1].writers = writers;
  c[1].n_writers = 1;
  s.version = 2;
  s.collections = c;
  s.n_collections = 2;
  if (qm_schema_check(&s, &e) != QM_OK) fail_msg("%s", e.message);
  qm_buf_init(&b, &d->env, 1u << 20);
  qm_schema_encode(&s, &b);
  qm_space_info info;
  qm_space_info_get(d->space, &info);
  info.schema = qm_buf_slice(&b);
  ok(qm_engine_space_put(d->engine, &info, &e));
  qm_buf_free(&b);
  qm_arena_free(&arena);
}

static qm_slice edge_to(qm_buf *b, const char *r) {
  qm_id id = rec(r);
  qm_buf_init(b, &H->env, 64);
  qm_mp_bin(b, id.b, sizeof id.b);
  return qm_buf_slice(b);
}

static void edges_within_a_collection(void **state) {
  qm_buf to_r, to_s;
  (void)state;
  rig_open(&w, 1, 1);
  H = &w.d[0];
  forge_open(&f, &w);
  X = forge_author(&f, 'x', 1);
  add_office(H);
  gives(QM_OK, (qm_op){.record = rec("R"), .value = int_value(&w, 1)});
  gives(QM_OK, (qm_op){.record = rec("F"), .value = int_value(&w, 2)});
  gives(QM_OK, (qm_op){.record = rec("S"), .value = int_value(&w, 1)});
  const qm_slice r = edge_to(&to_r, "R"), s = edge_to(&to_s, "S");
  gives(QM_ESCHEMA, (qm_op){.record = rec("F"), .shape = QM_KEYED, .value = r});
  gives(QM_OK, (qm_op){.record = rec("R"), .shape = QM_KEYED, .value = s});
  /* What is no edge is only data: the smaller id, no id. */
  gives(QM_OK, (qm_op){.record = rec("S"), .shape = QM_KEYED, .value = r});
  gives(QM_OK, (qm_op){.record = rec("S"), .shape = QM_KEYED, .value = int_value(&w, 1)});
  qm_buf_free(&to_r);
  qm_buf_free(&to_s);
  forge_close(&f);
  rig_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(edges_within_a_collection)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
