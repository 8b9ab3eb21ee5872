/* The memory store when memory ends: every allocation fails once. What it keeps is
 * tests/store/'s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/store.h"
#include "core/store_mem_map.h"
#include "tests/unit/support_alloc.h"

#define OK(call) assert_int_equal(call, QM_OK)

static qm_slice word(const char *s) { return qm_slice_of(s, strlen(s)); }

static int keep(void *payload, uint32_t part, qm_slice content) {
  qm_store *s = payload;
  qm_record_row row = {.id = {{(uint8_t)part}}, .collection = 1, .state = content};
  return s->ops->record_save(s, 1, &row, 1);
}

static int write_all(qm_store *s, const char *value) {
  const qm_store_ops *o = s->ops;
  qm_space_row space = {1, {{1}}, word(value)};
  qm_author_row author = {.number = 0, .next = 3, .clock = word(value)};
  qm_record_row record = {.id = {{9}}, .collection = 2, .state = word(value)};
  qm_creation_row creation = {{0, 0}, {{9}}};
  qm_slice keys[] = {word(value), word("second")};
  qm_segment_row segment = {0, 0, (uint64_t)strlen(value)};
  qm_log_row row = {.batch = word(value), .segments = &segment, .n_segments = 1};
  qm_open_row change = {4, word(value)};
  uint64_t seq;
  QM_TRY(o->meta_put(s, word("name"), word(value)));
  QM_TRY(o->space_put(s, &space));
  QM_TRY(o->stage_begin(s, 1, word(value)));
  QM_TRY(o->stage_part(s, 1, 0, word(value)));
  QM_TRY(o->stage_swap(s, 1, keep, s));
  QM_TRY(o->author_put(s, 1, &author));
  QM_TRY(o->record_save(s, 1, &record, 1));
  QM_TRY(o->creation_put(s, 1, &creation, 1));
  QM_TRY(o->key_put(s, 1, 0, &record.id, keys, 2));
  QM_TRY(o->log_append(s, 1, &row, &seq));
  QM_TRY(o->log_replace(s, 1, seq, word("replaced")));
  return o->open_append(s, 1, &change);
}

static int transaction(qm_store *s, const char *value) {
  QM_TRY(s->ops->begin(s));
  int rc = write_all(s, value);
  if (rc != QM_OK) {
    s->ops->rollback(s);
    return rc;
  }
  return s->ops->commit(s, QM_DURABLE, NULL, NULL);
}

static int note(void *payload, qm_slice key, qm_slice value) {
  (void)key;
  *(char *)payload = (char)value.p[0];
  return QM_OK;
}

static char first_letter(qm_store *s) {
  char c = 0;
  OK(s->ops->meta_scan(s, qm_slice_of(NULL, 0), note, &c));
  return c;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  size_t failed = 0;
  for (size_t n = 1;; n++) {
    test_alloc a = {0};
    qm_env env = test_alloc_env(&a);
    qm_store *s = NULL;
    OK(qm_store_mem_open(&env, &s));
    OK(transaction(s, "before"));
    a.fail_at = a.count + n;
    int rc = transaction(s, "after, longer");
    a.fail_at = 0;
    if (rc == QM_OK) {
      s->ops->close(s);
      break;
    }
    failed++;
    assert_int_equal(rc, QM_ENOMEM);
    assert_int_equal(first_letter(s), 'b');
    OK(transaction(s, "later, longest")); /* and the store goes on */
    assert_int_equal(first_letter(s), 'l');
    s->ops->close(s);
    assert_int_equal(a.live, 0);
  }
  assert_true(failed > 20);
}

static void no_store_without_memory(void **state) {
  (void)state;
  test_alloc a = {.fail_at = 1};
  qm_env env = test_alloc_env(&a);
  qm_store *s = NULL;
  assert_int_equal(qm_store_mem_open(&env, &s), QM_ENOMEM);
  assert_null(s);
}

/* ---- the map under it ---- */

static qm_slice kind(const uint8_t *first) { return qm_slice_of(first, 1); }

static void check_order(qm__map *m, uint8_t first, size_t wanted) {
  size_t n = 0;
  const qm__map_node *last = NULL;
  for (const qm__map_node *at = qm__map_seek(m, kind(&first)); at; at = qm__map_next(at)) {
    assert_int_equal(qm__map_key(at).p[0], first);
    if (last) assert_true(qm_slice_cmp(qm__map_key(last), qm__map_key(at)) < 0);
    assert_ptr_equal(qm__map_find(m, qm__map_key(at)), at);
    assert_ptr_equal(qm__map_before(m, qm__map_key(at)), last);
    last = at;
    n++;
  }
  assert_int_equal(n, wanted);
}

static void the_map_keeps_order(void **state) {
  (void)state;
  test_alloc a = {0};
  qm_env env = test_alloc_env(&a);
  qm__map m;
  qm__map_init(&m, &env);
  assert_int_equal(qm__map_put(&m, word("k"), word("v")), QM_ESTATE);
  assert_int_equal(qm__map_append(&m, word("k"), word("v")), QM_ESTATE);
  assert_int_equal(qm__map_delete(&m, word("k")), QM_ESTATE);
  qm__map_begin(&m);
  for (uint32_t i = 0; i < 1000; i++) {
    uint32_t k = i * 37 % 1000;
    uint8_t key[3] = {(uint8_t)(1 + i % 2), (uint8_t)(k >> 8), (uint8_t)k};
    OK(qm__map_put(&m, qm_slice_of(key, 3), qm_slice_of(key, 3)));
    if (i == 700) check_order(&m, 2, 350); /* what comes later gets its place too */
  }
  qm__map_commit(&m);
  check_order(&m, 1, 500);
  check_order(&m, 2, 500);
  check_order(&m, 3, 0);
  qm__map_begin(&m);
  for (uint32_t i = 0; i < 1000; i += 2) {
    uint8_t key[3] = {1, (uint8_t)(i >> 8), (uint8_t)i};
    OK(qm__map_delete(&m, qm_slice_of(key, 3)));
    OK(qm__map_delete(&m, qm_slice_of(key, 3))); /* absent: no error */
    OK(qm__map_put(&m, qm_slice_of(key, i % 4 ? 2 : 3), word("again")));
  }
  qm__map_rollback(&m);
  check_order(&m, 1, 500);
  check_order(&m, 2, 500);
  uint8_t key[3] = {1, 1, 8};
  const qm__map_node *n = qm__map_find(&m, qm_slice_of(key, 3));
  assert_non_null(n);
  assert_int_equal(qm_slice_cmp(qm__map_value(n), qm_slice_of(key, 3)), 0);
  assert_null(qm__map_find(&m, qm_slice_of(key, 2)));
  qm__map_free(&m);
  assert_int_equal(a.live, 0);
}

/* What is rolled back before anybody asked for its order never had a place. */
static void new_keys_are_rolled_back(void **state) {
  (void)state;
  test_alloc a = {0};
  qm_env env = test_alloc_env(&a);
  uint8_t first = 1;
  qm__map m;
  qm__map_init(&m, &env);
  qm__map_begin(&m);
  for (uint8_t i = 0; i < 20; i++) {
    uint8_t key[2] = {1, (uint8_t)(i * 7 % 20)};
    OK(qm__map_put(&m, qm_slice_of(key, 2), word("kept")));
  }
  qm__map_commit(&m);
  for (int asked = 0; asked < 3; asked++) {
    qm__map_begin(&m);
    for (uint8_t i = 20; i < 60; i++) {
      uint8_t key[2] = {1, i}, old[2] = {1, (uint8_t)(i % 20)};
      OK(qm__map_put(&m, qm_slice_of(key, 2), word("new")));
      if (asked == 1 && i == 40) check_order(&m, 1, 41);
      if (asked == 2) OK(qm__map_delete(&m, qm_slice_of(old, 2)));
    }
    qm__map_rollback(&m);
    check_order(&m, 1, 20);
    assert_int_equal(qm__map_value(qm__map_seek(&m, kind(&first))).n, 4);
  }
  qm__map_free(&m);
  assert_int_equal(a.live, 0);
}

static void holds(qm__map *m, const char *wanted) {
  const qm__map_node *n = qm__map_find(m, word("\1k"));
  assert_int_equal(n != NULL, wanted != NULL);
  if (n) assert_int_equal(qm_slice_cmp(qm__map_value(n), word(wanted)), 0);
}

static void values_grow_and_shrink_back(void **state) {
  (void)state;
  test_alloc a = {0};
  qm_env env = test_alloc_env(&a);
  qm__map m;
  qm__map_init(&m, &env);
  qm__map_begin(&m);
  OK(qm__map_append(&m, word("\1k"), word("ab")));
  qm__map_rollback(&m);
  holds(&m, NULL);
  qm__map_begin(&m);
  OK(qm__map_append(&m, word("\1k"), word("ab")));
  OK(qm__map_append(&m, word("\1k"), word("cd")));
  qm__map_commit(&m);
  holds(&m, "abcd");
  qm__map_begin(&m);
  for (int i = 0; i < 20; i++) OK(qm__map_append(&m, word("\1k"), word("e")));
  OK(qm__map_append(&m, word("\1k"), word("")));
  holds(&m, "abcdeeeeeeeeeeeeeeeeeeee");
  OK(qm__map_put(&m, word("\1k"), word("x")));
  OK(qm__map_append(&m, word("\1k"), word("y")));
  holds(&m, "xy");
  qm__map_rollback(&m);
  holds(&m, "abcd");
  qm__map_begin(&m);
  OK(qm__map_append(&m, word("\1k"), word("f")));
  OK(qm__map_delete(&m, word("\1k")));
  qm__map_rollback(&m);
  holds(&m, "abcd");
  qm__map_free(&m);
  assert_int_equal(a.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(no_store_without_memory),
      cmocka_unit_test(the_map_keeps_order),
      cmocka_unit_test(new_keys_are_rolled_back),
      cmocka_unit_test(values_grow_and_shrink_back),
  };
  return cmocka_run_group_tests_name("memory store", tests, NULL, NULL);
}
