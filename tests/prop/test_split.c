/* (S3.11, S3.20) Keys of merged records, two records of one key, and the split of one that two
 * people created. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define gives(code, call) assert_int_equal(call, code)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)

static world w;
static device *D, *E, *P, *H;
static const qm_slice none = {NULL, 0};

static void open4(void) {
  world_open(&w, 4, 1);
  D = &w.d[0];
  E = &w.d[1];
  P = &w.d[2];
  H = &w.d[3];
}

static qm_id new_key(device *d, const char *key, const char *head, int *existing) {
  qm_write *x;
  qm_id id;
  qm_buf k, h;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  ok(qm_write_new(x, 1, NULL, qm_slice_of(key, strlen(key)), &id, existing));
  qm_buf_init(&k, &d->env, 100);
  qm_buf_init(&h, &d->env, 100);
  qm_mp_str(&k, key, strlen(key));
  qm_mp_str(&h, head, strlen(head));
  if (!*existing) ok(qm_write_set(x, &id, F_KEY, qm_buf_slice(&k), none, 0));
  if (!*existing) ok(qm_write_set(x, &id, F_HEAD, qm_buf_slice(&h), none, 0));
  qm_buf_free(&k);
  qm_buf_free(&h);
  ok(qm_write_commit(x, QM_DURABLE));
  return id;
}

static void same_key_of(device *d, const qm_id *id, qm_same_key *out) {
  qm_record_class c;
  ok(qm_class_read(d->engine, d->space, id, 0, &w.arena, &c));
  ok(qm_class_same_key(d->engine, d->space, &c, 0, &w.arena, out));
}

static void close_equal(void) {
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

static const char *head_of(device *d, const qm_id *id) {
  char name[17] = {0};
  memcpy(name, id->b, 16);
  assert_int_equal(strlen(name), 16); /* the id has no zero byte: it is its own name */
  return shown(d, name, F_HEAD);
}

/* [28] Two households created under one key: one record, listed; a split takes them apart. */
static void split_takes_two_apart(void **state) {
  int existing;
  const qm_split_field *fields;
  uint32_t n;
  qm_write *x;
  qm_same_key same;
  (void)state;
  open4();
  qm_id a = new_key(D, "12", "one", &existing), b = new_key(E, "12", "two", &existing), other;
  assert_int_equal(qm_id_cmp(&a, &b), 0);
  char name[17] = {0};
  memcpy(name, a.b, 16);
  ok(put_inc(D, name, 2));
  ok(put_inc(E, name, 5));
  ok(put_add(E, name, "t"));
  ok(put_step(E, name, "s"));
  ok(put_text(D, name, 0, 0, "ab"));
  ok(put_text(E, name, 0, 0, "xy"));
  ok(put_list(D, name, 0, 0, "12"));
  ok(put_list(E, name, 0, 0, "345"));
  world_settle(&w);
  same_key_of(P, &a, &same);
  assert_true(same.created_twice);
  ok(qm_write_begin(&x, P->engine, P->space, 0));
  gives(QM_EINVAL, qm_write_split(x, &a, &H->id, &other, &fields, &n));
  ok(qm_write_split(x, &a, &E->id, &other, &fields, &n));
  assert_int_equal(n, 7);
  for (uint32_t i = 0; i < n; i++)
    assert_int_equal(fields[i].how, fields[i].field == F_STEPS ? QM_SPLIT_COPIED : QM_SPLIT_MOVED);
  ok(qm_write_commit(x, QM_DURABLE));
  world_settle(&w);
  char second[17] = {0};
  memcpy(second, other.b, 16);
  for (unsigned i = 0; i < w.n; i++) {
    device *d = &w.d[i];
    assert_string_equal(head_of(d, &a), "one");
    assert_string_equal(head_of(d, &other), "two");
    lists(d, name, F_HEAD, "");
    shows(d, name, F_VISITS, "2");
    shows(d, second, F_VISITS, "5");
    shows(d, name, F_TAGS, "-");
    shows(d, second, F_TAGS, "t");
    shows(d, second, F_STEPS, "s");
    shows(d, name, F_NOTES, "ab");
    shows(d, second, F_NOTES, "xy");
    shows(d, name, F_PLAN, "[1 2]");
    shows(d, second, F_PLAN, "[3 4 5]");
    same_key_of(d, &a, &same); /* both show the key: which is wrong, a person knows */
    assert_false(same.created_twice);
    assert_int_equal(same.n_others, 1);
    assert_int_equal(qm_id_cmp(&same.others[0], &other), 0);
  }
  ok(put(P, second, F_KEY, "13"));
  same_key_of(P, &a, &same);
  assert_int_equal(same.n_others, 0);
  close_equal();
}

/* Look-ups see the class: of merged records each key leads to it, and a key that shows is no
 * conflict of the records it joins. */
static void keys_of_a_class(void **state) {
  int existing;
  qm_write *x;
  qm_same_key same;
  (void)state;
  open4();
  qm_id a = new_key(D, "12", "one", &existing), b = new_key(D, "13", "two", &existing);
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  ok(qm_write_merge(x, &a, &b));
  ok(qm_write_commit(x, QM_DURABLE));
  qm_id least = qm_id_cmp(&a, &b) < 0 ? a : b;
  const qm_collection_def *c = qm_schema_collection(qm_space_schema(D->space), 1);
  for (const char *const *key = (const char *const[]){"12", "13", NULL}; *key; key++) {
    qm_id found;
    ok(qm_engine_find_key(D->engine, D->space, c, qm_slice_of(*key, 2), &found));
    assert_int_equal(qm_id_cmp(&found, &least), 0);
    found = new_key(D, *key, "no", &existing);
    assert_true(existing);
    assert_int_equal(qm_id_cmp(&found, &least), 0);
  }
  char name[17] = {0};
  memcpy(name, a.b, 16);
  ok(put_with(D, name, F_KEY, "14", none, QM_WRITE_SETTLE));
  same_key_of(D, &b, &same);
  assert_int_equal(same.n_others, 0);
  qm_id found = new_key(D, "14", "no", &existing);
  assert_true(existing);
  assert_int_equal(qm_id_cmp(&found, &least), 0);
  for (const char *const *key = (const char *const[]){"12", "13", NULL}; *key; key++) {
    found = new_key(D, *key, "three", &existing); /* given up: a new household */
    assert_false(existing);
    assert_true(qm_id_cmp(&found, &a) != 0 && qm_id_cmp(&found, &b) != 0);
  }
  ok(qm_write_begin(&x, D->engine, D->space, 0));
  ok(qm_write_unmerge(x, &b));
  ok(qm_write_commit(x, QM_DURABLE));
  close_equal();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(split_takes_two_apart),
                                     cmocka_unit_test(keys_of_a_class)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
