/* The cache of creation dots: what it says is what was put; it is bounded and lives without
 * memory. That the store forgets it in time is shown by tests/store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/sqlite/creation_cache.h"

static size_t held, most;
static int fails;

/* Each block has its size in front of it. */
static void *count(void *payload, void *p, size_t n) {
  size_t *old = p ? (size_t *)p - 2 : NULL;
  (void)payload;
  if (fails && n) return NULL;
  held += n - (old ? *old : 0);
  most = held > most ? held : most;
  if (!n) {
    free(old);
    return NULL;
  }
  size_t *at = realloc(old, n + 2 * sizeof *at);
  if (!at) abort();
  *at = n;
  return at + 2;
}

static qm_env env_of(void) {
  qm_env env = qm_env_default();
  env.realloc = count;
  held = most = 0;
  fails = 0;
  return env;
}

static qm_id id_of(uint64_t n) {
  qm_id id = {{0}};
  memcpy(id.b, &n, sizeof n);
  return id;
}

static void what_was_put_is_found(void **state) {
  qm_env env = env_of();
  qm__creations c;
  qm_id id;
  unsigned found = 0;
  (void)state;
  qm__creations_init(&c, &env);
  assert_false(qm__creations_find(&c, 1, (qm_dot){0, 0}, &id));
  for (uint64_t i = 0; i < 1000; i++) {
    qm_id of = id_of(i);
    qm__creations_note(&c, 1, (qm_dot){15 * i, 0}, &of);
  }
  for (uint64_t i = 0; i < 1000; i++) {
    if (!qm__creations_find(&c, 1, (qm_dot){15 * i, 0}, &id)) continue;
    qm_id of = id_of(i);
    assert_memory_equal(&id, &of, sizeof id);
    found++;
  }
  assert_in_range(found, 800, 1000);
  assert_true(qm__creations_find(&c, 1, (qm_dot){15 * 999, 0}, &id));
  assert_false(qm__creations_find(&c, 2, (qm_dot){15 * 999, 0}, &id));
  assert_false(qm__creations_find(&c, 1, (qm_dot){15 * 999, 1}, &id));
  assert_false(qm__creations_find(&c, 1, (qm_dot){15 * 999 + 1, 0}, &id));
  qm_id other = id_of(7);
  qm__creations_note(&c, 1, (qm_dot){15 * 999, 0}, &other);
  assert_true(qm__creations_find(&c, 1, (qm_dot){15 * 999, 0}, &id));
  assert_memory_equal(&id, &other, sizeof id);
  qm__creations_forget(&c);
  assert_false(qm__creations_find(&c, 1, (qm_dot){15 * 999, 0}, &id));
  assert_int_equal(held, 0);
}

static void it_is_bounded(void **state) {
  qm_env env = env_of();
  qm__creations c;
  (void)state;
  qm__creations_init(&c, &env);
  for (uint32_t i = 0; i < 4 * QM__CREATIONS_MAX; i++) {
    qm_id of = id_of(i);
    qm__creations_note(&c, 1 + i % 7, (qm_dot){i * UINT64_C(977), i % 11}, &of);
  }
  assert_in_range(held, QM__CREATIONS_MAX * 16, QM__CREATIONS_MAX * 32);
  assert_in_range(most, QM__CREATIONS_MAX * 16, QM__CREATIONS_MAX * 48);
  qm__creations_forget(&c);
  assert_int_equal(held, 0);
}

static void without_memory_it_says_less(void **state) {
  qm_env env = env_of();
  qm__creations c;
  qm_id id, of = id_of(3);
  (void)state;
  qm__creations_init(&c, &env);
  fails = 1;
  qm__creations_note(&c, 1, (qm_dot){3, 0}, &of);
  assert_false(qm__creations_find(&c, 1, (qm_dot){3, 0}, &id));
  fails = 0;
  qm__creations_note(&c, 1, (qm_dot){3, 0}, &of);
  fails = 1;
  for (uint64_t i = 0; i < 5000; i++) qm__creations_note(&c, 2, (qm_dot){i, 0}, &of);
  assert_true(qm__creations_find(&c, 2, (qm_dot){4999, 0}, &id));
  fails = 0;
  qm__creations_forget(&c);
  assert_int_equal(held, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_put_is_found),
      cmocka_unit_test(it_is_bounded),
      cmocka_unit_test(without_memory_it_says_less),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
