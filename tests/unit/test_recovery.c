/* The file with which a hub begins again (S10.9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/recovery.h"

#define NOW UINT64_C(1800000000000)
#define ok(call) assert_int_equal(call, QM_OK)

static qm_env env;
static qm_ca *ca, *other;
static qm_key *key;
static qm_buf cert;
static qm_arena arena;

static int setup(void **state) {
  (void)state;
  env = qm_env_default();
  env.random = qm_crypto_random;
  ok(qm_ca_create(&env, qm_slice_of("hub", 3), NOW, &ca));
  ok(qm_ca_create(&env, qm_slice_of("other", 5), NOW, &other));
  ok(qm_key_generate(&env, &key));
  qm_buf_init(&cert, &env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_device(ca, qm_key_spki(key), NOW, &cert));
  qm_arena_init(&arena, &env, 1u << 24);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  qm_ca_free(ca);
  qm_ca_free(other);
  qm_key_free(key);
  qm_buf_free(&cert);
  qm_arena_free(&arena);
  return 0;
}

static const qm_recovery_member members[] = {
    {{{1}}, {(const uint8_t *)"Wei", 3}, {(const uint8_t *)"grid", 4}},
    {{{2}}, {(const uint8_t *)"Sun", 3}, {(const uint8_t *)"office", 6}}};

static void put(qm_buf *out, int with) {
  qm_recovery_space s[2] = {
      {{{5}}, qm_slice_of("north", 5), qm_slice_of("schema", 6), {7, 8}, members, 2},
      {{{6}}, qm_slice_of("south", 5), qm_slice_of("schema", 6), {9}, members, 0}};
  qm_recovery r = {qm_ca_cert(with == 1 ? other : ca), qm_buf_slice(&cert), NOW, s, 2};
  if (with == 2) s[1].id = s[0].id;
  if (with == 3) s[0].name.n = 0;
  qm_buf_init(out, &env, 1u << 20);
  ok(qm_recovery_put(out, &r, &env, with == 4 ? qm_ca_key(ca) : key));
}

static void reads_what_was_written(void **state) {
  qm_recovery r;
  qm_buf b;
  (void)state;
  put(&b, 0);
  ok(qm_recovery_get(&r, qm_buf_slice(&b), &arena));
  assert_int_equal(r.at_ms, NOW);
  assert_int_equal(r.n_spaces, 2);
  assert_int_equal(qm_slice_cmp(r.ca, qm_ca_cert(ca)), 0);
  assert_int_equal(r.spaces[0].secret[1], 8);
  assert_int_equal(r.spaces[0].n_members, 2);
  assert_int_equal(qm_slice_cmp(r.spaces[0].members[1].role, members[1].role), 0);
  assert_int_equal(qm_slice_cmp(r.spaces[1].name, qm_slice_of("south", 5)), 0);
  qm_buf_free(&b);
}

static void refuses_what_is_not_signed(void **state) {
  static const int codes[] = {QM_OK, QM_ECERT, QM_ECANON, QM_EFORMAT, QM_EHASH};
  qm_recovery r;
  qm_buf b;
  (void)state;
  for (int with = 1; with < 5; with++) {
    put(&b, with);
    assert_int_equal(qm_recovery_get(&r, qm_buf_slice(&b), &arena), codes[with]);
    qm_buf_free(&b);
  }
  put(&b, 0);
  for (size_t n = 0; n < b.n; n++)
    assert_int_not_equal(qm_recovery_get(&r, qm_slice_of(b.p, n), &arena), QM_OK);
  for (size_t i = 0; i < b.n; i++) {
    b.p[i] ^= 0x10;
    assert_int_not_equal(qm_recovery_get(&r, qm_buf_slice(&b), &arena), QM_OK);
    b.p[i] ^= 0x10;
    qm_arena_reset(&arena);
  }
  qm_buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(reads_what_was_written, setup, teardown),
      cmocka_unit_test_setup_teardown(refuses_what_is_not_signed, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
