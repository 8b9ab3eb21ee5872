/* (S3.20) A split moves whatever one device wrote: much of it, of every type, of fields that
 * this schema does not know, of a record that is merged; and nothing of the others'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/sequence.h"
#include "core/mp.h"
#include "core/space.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)

enum { F_LATER = 90 }; /* of a schema that has not come */

static world w;
static device *D, *E, *P;
static const qm_slice none = {NULL, 0};
static char one[17], two[17]; /* the record, and the new one */

/* D and E create R side by side. */
static void open3(void) {
  world_open(&w, 3, 1);
  D = &w.d[0];
  E = &w.d[1];
  P = &w.d[2];
  ok(put_new(D, "R"));
  ok(put_new(E, "R"));
  memcpy(one, "R", 2);
}

static int splits(device *d, uint32_t *n) {
  qm_write *x;
  const qm_split_field *fields;
  qm_id id = rec(one), other;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  int rc = qm_write_split(x, &id, &E->id, &other, &fields, n);
  if (rc != QM_OK) {
    qm_write_cancel(x);
    return rc;
  }
  memcpy(two, other.b, 16); /* no zero byte in it: it is its own name */
  assert_int_equal(strlen(two), 16);
  return qm_write_commit(x, QM_DURABLE);
}

static void close_equal(void) {
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

/* More than one op holds: lists go in pieces, in their order. */
static void a_long_list(void **state) {
  (void)state;
  uint32_t n;
  open3();
  char *values = malloc(6000);
  assert_non_null(values);
  for (int i = 0; i < 5999; i++) values[i] = (char)('a' + i % 26);
  values[5999] = 0;
  qm_write *x;
  qm_id id = rec("R");
  qm_buf b;
  qm_buf_init(&b, &E->env, 1u << 20);
  ok(qm_write_begin(&x, E->engine, E->space, 0));
  for (int i = 0; i < 40; i++) { /* 40 values of 5,999 bytes */
    qm_buf_clear(&b);
    values[0] = (char)('A' + i % 26);
    qm_mp_str(&b, values, 5999);
    qm_slice v = qm_buf_slice(&b);
    ok(qm_write_list(x, &id, F_PLAN, (uint64_t)i, 0, &v, 1, none));
  }
  ok(qm_write_commit(x, QM_DURABLE));
  qm_buf_free(&b);
  ok(put_list(D, "R", 0, 0, "12"));
  char *before = strdup(shown(E, "R", F_PLAN));
  world_settle(&w);
  ok(splits(P, &n));
  world_settle(&w);
  shows(D, two, F_PLAN, before);
  shows(D, one, F_PLAN, "[1 2]");
  free(before);
  free(values);
  close_equal();
}

static void a_counter_out_of_range(void **state) {
  (void)state;
  uint32_t n;
  open3();
  ok(put_inc(E, "R", INT64_MIN));
  ok(put_inc(D, "R", 3));
  world_settle(&w);
  ok(splits(P, &n));
  world_settle(&w);
  shows(D, one, F_VISITS, "3");
  shows(E, two, F_VISITS, "-9223372036854775808");
  close_equal();
}

/* By another device of the same schema before it, as raw ops: text, values and text again. */
static void put_later(device *d, const char *text) {
  qm_write *x;
  qm_id id = rec("R");
  const qm_schema *schema = d->space->schema;
  d->space->schema = NULL;
  ok(qm_write_begin(&x, d->engine, d->space, QM_WRITE_RAW));
  ok(qm_write_splice(x, &id, F_LATER, 0, 0, qm_slice_of(text, strlen(text)), none));
  ok(qm_write_commit(x, QM_DURABLE));
  d->space->schema = schema;
}

static const char *later_of(device *d, const char *r) {
  const qm_record *record;
  qm_id id = rec(r);
  qm_buf b;
  ok(qm_engine_read(d->engine, d->space, &id, &w.arena, &record));
  const qm_cell *cell = qm_record_cell(record, F_LATER, QM_SEQUENCE);
  if (!cell) return "-";
  qm_buf_init(&b, &d->env, 1000);
  qm_sequence_text(cell, &b);
  char *text = qm_arena_copy(&w.arena, b.p, b.n + 1);
  assert_non_null(text);
  text[b.n] = 0;
  qm_buf_free(&b);
  return text;
}

static void a_field_of_a_newer_schema(void **state) {
  (void)state;
  uint32_t n;
  open3();
  put_later(D, "theirs ");
  put_later(E, "his");
  world_settle(&w);
  ok(splits(P, &n));
  world_settle(&w);
  assert_string_equal(later_of(D, one), "theirs ");
  assert_string_equal(later_of(D, two), "his");
  close_equal();
}

/* A device that went on under a new epoch, from a copy, has two values of its own. The one that
 * shows moves; the other stays listed, since one change leaves one value in a cell. */
static void two_of_its_values(void **state) {
  (void)state;
  uint32_t n;
  open3();
  ok(put(D, "R", F_TEL, "d"));
  ok(qm_engine_push(E->engine, E->space));
  world_settle(&w);
  copy_store(P, E); /* the same key, another instance: another author of E's device */
  ok(put(E, "R", F_TEL, "e1"));
  ok(put(P, "R", F_TEL, "e2"));
  world_settle(&w);
  const char *moves = shown(D, one, F_TEL);
  ok(splits(D, &n));
  world_settle(&w);
  shows(D, two, F_TEL, moves);
  lists(D, two, F_TEL, "");
  shows(D, one, F_TEL, "null");
  lists(D, one, F_TEL, strcmp(moves, "e1") ? "e1/s" : "e2/s");
  close_equal();
}

/* Both wrote side by side after a merge: what stays goes on hiding the value of the other record,
 * which its writer had seen. */
static void names_go_on(void **state) {
  (void)state;
  uint32_t n;
  open3();
  ok(put_new(D, "S"));
  ok(put(D, "S", F_TEL, "s"));
  world_settle(&w);
  ok(put_merge(D, "R", "S"));
  world_settle(&w);
  ok(put(D, "R", F_TEL, "d"));
  ok(put(E, "R", F_TEL, "e"));
  world_settle(&w);
  ok(splits(P, &n));
  world_settle(&w);
  shows(P, "R", F_TEL, "d");
  lists(P, "R", F_TEL, ""); /* "s" is hidden by "d" still */
  shows(P, two, F_TEL, "e");
  close_equal();
}

static void refused(void **state) {
  (void)state;
  uint32_t n;
  open3();
  world_settle(&w);
  ok(splits(P, &n));
  assert_int_equal(n, 0); /* it wrote nothing but the `new` */
  qm_write *x;
  qm_id id = rec(two), other;
  const qm_split_field *fields;
  ok(qm_write_begin(&x, P->engine, P->space, 0));
  assert_int_equal(qm_write_split(x, &id, &E->id, &other, &fields, &n), QM_EINVAL);
  qm_write_cancel(x);
  close_equal();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_long_list),      cmocka_unit_test(a_counter_out_of_range),
      cmocka_unit_test(a_field_of_a_newer_schema), cmocka_unit_test(two_of_its_values),
      cmocka_unit_test(names_go_on),
      cmocka_unit_test(refused)};
  return cmocka_run_group_tests_name("split all", tests, NULL, NULL);
}
