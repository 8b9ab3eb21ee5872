#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "sync/crypto.h"
#include "tests/unit/support_alloc.h"

#define KEY_DER_MAX 512

static qm_env world(void) {
  qm_env env = qm_env_default();
  env.random = qm_crypto_random;
  return env;
}

static qm_key *new_key(const qm_env *env) {
  qm_key *k = NULL;
  assert_int_equal(qm_key_generate(env, &k), QM_OK);
  return k;
}

static void digest_of(const char *text, uint8_t out[QM_DIGEST_SIZE]) {
  qm_hash h;
  qm_sha256(text, strlen(text), &h);
  memcpy(out, h.b, QM_DIGEST_SIZE);
}

/* RFC 6979 A.2.5: P-256, SHA-256, message "sample". */
static const char rfc_spki[] =
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char rfc_sig[] =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
/* The order of the group: r and s lie below it. */
static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static void verifies_the_published_signature(void **state) {
  uint8_t spki[QM_SPKI_SIZE], sig[QM_SIG_SIZE], digest[QM_DIGEST_SIZE];
  (void)state;
  assert_int_equal(qm_unhex(spki, sizeof spki, rfc_spki, strlen(rfc_spki)), QM_OK);
  assert_int_equal(qm_unhex(sig, sizeof sig, rfc_sig, strlen(rfc_sig)), QM_OK);
  digest_of("sample", digest);
  assert_int_equal(qm_verify(qm_slice_of(spki, sizeof spki), digest, sig), QM_OK);
  digest_of("test", digest);
  assert_int_equal(qm_verify(qm_slice_of(spki, sizeof spki), digest, sig), QM_EHASH);
}

static void signs_and_verifies(void **state) {
  qm_env env = world();
  uint8_t digest[QM_DIGEST_SIZE], sig[QM_SIG_SIZE];
  qm_key *k = new_key(&env), *other = new_key(&env);
  (void)state;
  digest_of("a segment", digest);
  /* Often enough that r or s has leading zero bytes in some (1 in 128). */
  for (int i = 0; i < 600; i++) {
    digest[0] = (uint8_t)i;
    digest[1] = (uint8_t)(i >> 8);
    assert_int_equal(qm_key_sign(k, digest, sig), QM_OK);
    assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_OK);
  }
  assert_int_equal(qm_verify(qm_key_spki(other), digest, sig), QM_EHASH);
  for (size_t i = 0; i < QM_SIG_SIZE; i += 7) {
    sig[i] ^= 0x10;
    assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_EHASH);
    sig[i] ^= 0x10;
  }
  digest[31] ^= 1;
  assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_EHASH);
  qm_key_free(k);
  qm_key_free(other);
  qm_key_free(NULL);
}

static void refuses_numbers_outside_the_group(void **state) {
  qm_env env = world();
  uint8_t digest[QM_DIGEST_SIZE], sig[QM_SIG_SIZE];
  qm_key *k = new_key(&env);
  (void)state;
  digest_of("x", digest);
  memset(sig, 0, sizeof sig);
  assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_EHASH);
  memset(sig, 0xff, sizeof sig);
  assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_EHASH);
  for (size_t half = 0; half < 2; half++) {
    assert_int_equal(qm_key_sign(k, digest, sig), QM_OK);
    assert_int_equal(qm_unhex(sig + 32 * half, 32, order, strlen(order)), QM_OK);
    assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_EHASH);
    memset(sig + 32 * half, 0, 32);
    assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_EHASH);
  }
  qm_key_free(k);
}

static void device_is_the_hash_of_the_key(void **state) {
  qm_env env = world();
  qm_key *k = new_key(&env);
  qm_slice spki = qm_key_spki(k);
  qm_hash h;
  qm_id id;
  (void)state;
  assert_int_equal(spki.n, QM_SPKI_SIZE);
  qm_sha256(spki.p, spki.n, &h);
  assert_memory_equal(qm_key_device(k)->b, h.b, QM_ID_SIZE);
  qm_spki_device(spki, &id);
  assert_memory_equal(id.b, h.b, QM_ID_SIZE);
  qm_key_free(k);
}

static void keys_travel_through_der_and_pem(void **state) {
  qm_env env = world();
  qm_key *k = new_key(&env);
  (void)state;
  for (int is_pem = 0; is_pem < 2; is_pem++) {
    qm_buf b;
    qm_key *again = NULL;
    uint8_t digest[QM_DIGEST_SIZE], sig[QM_SIG_SIZE];
    qm_buf_init(&b, &env, QM_PEM_SIZE_MAX);
    assert_int_equal(is_pem ? qm_key_to_pem(k, &b) : qm_key_to_der(k, &b), QM_OK);
    qm_slice s = qm_buf_slice(&b);
    assert_int_equal(is_pem ? qm_key_from_pem(&env, s, &again) : qm_key_from_der(&env, s, &again),
                     QM_OK);
    assert_memory_equal(qm_key_spki(again).p, qm_key_spki(k).p, QM_SPKI_SIZE);
    digest_of("again", digest);
    assert_int_equal(qm_key_sign(again, digest, sig), QM_OK);
    assert_int_equal(qm_verify(qm_key_spki(k), digest, sig), QM_OK);
    qm_key_free(again);
    qm_buf_free(&b);
  }
  qm_key_free(k);
}

static void damaged_keys_are_refused(void **state) {
  qm_env env = world();
  qm_key *k = new_key(&env), *other = new_key(&env), *got = NULL;
  qm_buf b;
  (void)state;
  qm_buf_init(&b, &env, KEY_DER_MAX);
  assert_int_equal(qm_key_to_der(k, &b), QM_OK);
  for (size_t n = 0; n < b.n; n++) {
    assert_int_equal(qm_key_from_der(&env, qm_slice_of(b.p, n), &got), QM_EFORMAT);
    assert_null(got);
  }
  size_t whole = b.n;
  qm_buf_byte(&b, 0);
  assert_int_equal(qm_key_from_der(&env, qm_buf_slice(&b), &got), QM_EFORMAT);
  /* The public point, which stands last, is another key's. */
  b.n = whole;
  memcpy(b.p + whole - 65, qm_key_spki(other).p + QM_SPKI_SIZE - 65, 65);
  assert_int_equal(qm_key_from_der(&env, qm_buf_slice(&b), &got), QM_EFORMAT);
  assert_null(got);
  qm_buf_free(&b);
  qm_key_free(k);
  qm_key_free(other);
}

/* PKCS#8 of a P-384 key made for this test, and of the Ed25519 key of RFC 8032 §7.1. */
static const char p384_der[] =
    "3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430"
    "75676e12d2374e068bb87979fcf81d2c4e1034d0d70107e44bed5572bb53adca7d1923"
    "2d8714d4ecd6d15d2c10ff0b98a16403620004cc3f97ab7b766a79a7833f94d87cb61b"
    "e04756d18eb887e689945046fe12f76854bef4f04aac63a43acadb48c71928c320d28e"
    "3781d58537c76a873cb82b8da24b8f2b4527b5ea9d039e315e15adda97796b46581565"
    "99478b671948d805f502";
static const char ed25519_der[] =
    "302e020100300506032b657004220420"
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

static void other_kinds_of_key_are_refused(void **state) {
  static const struct {
    const char *pem;
    int want;
  } rows[] = {
      {"", QM_EFORMAT},
      {"hello", QM_EFORMAT},
      {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", QM_EFORMAT},
      {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", QM_EFORMAT},
      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", QM_EFORMAT},
      {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw", QM_EFORMAT},
  };
  qm_env env = world();
  qm_key *got = NULL;
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_slice pem = qm_slice_of(rows[i].pem, strlen(rows[i].pem));
    assert_int_equal(qm_key_from_pem(&env, pem, &got), rows[i].want);
    assert_null(got);
  }
  static const char *const others[] = {p384_der, ed25519_der};
  for (size_t i = 0; i < 2; i++) {
    uint8_t der[KEY_DER_MAX];
    size_t n = strlen(others[i]) / 2;
    assert_int_equal(qm_unhex(der, n, others[i], 2 * n), QM_OK);
    int rc = qm_key_from_der(&env, qm_slice_of(der, n), &got);
    assert_int_equal(rc, QM_ETYPE);
    assert_null(got);
  }
  static uint8_t large[QM_PEM_SIZE_MAX + 1];
  assert_int_equal(qm_key_from_der(&env, qm_slice_of(large, sizeof large), &got), QM_ELIMIT);
  assert_int_equal(qm_key_from_pem(&env, qm_slice_of(large, sizeof large), &got), QM_ELIMIT);
}

static void spki_has_one_form(void **state) {
  uint8_t spki[QM_SPKI_SIZE + 1] = {0};
  (void)state;
  assert_int_equal(qm_unhex(spki, QM_SPKI_SIZE, rfc_spki, strlen(rfc_spki)), QM_OK);
  assert_int_equal(qm_spki_check(qm_slice_of(spki, QM_SPKI_SIZE)), QM_OK);
  for (size_t n = 0; n < QM_SPKI_SIZE; n++) {
    assert_int_equal(qm_spki_check(qm_slice_of(spki, n)), QM_EFORMAT);
  }
  assert_int_equal(qm_spki_check(qm_slice_of(spki, QM_SPKI_SIZE + 1)), QM_EFORMAT);
  /* One bit anywhere: another algorithm, another form, or a point off the curve. */
  for (size_t i = 0; i < QM_SPKI_SIZE; i++) {
    spki[i] ^= 0x01;
    assert_int_equal(qm_spki_check(qm_slice_of(spki, QM_SPKI_SIZE)), QM_EFORMAT);
    spki[i] ^= 0x01;
  }
  /* The compressed form of the same key, with its lengths put right. */
  uint8_t small[QM_SPKI_SIZE - 32];
  memcpy(small, spki, sizeof small);
  small[1] = 0x39;
  small[24] = 0x22;
  small[26] = 0x03;
  assert_int_equal(qm_spki_check(qm_slice_of(small, sizeof small)), QM_EFORMAT);
}

static void random_fills_all(void **state) {
  uint8_t a[64] = {0}, b[64] = {0};
  (void)state;
  assert_int_equal(qm_crypto_random(NULL, a, sizeof a), QM_OK);
  assert_int_equal(qm_crypto_random(NULL, b, sizeof b), QM_OK);
  assert_memory_not_equal(a, b, sizeof a);
  assert_memory_not_equal(a + 48, b + 48, 16);
  assert_int_equal(qm_crypto_random(NULL, NULL, 0), QM_OK);
}

static void memory_runs_out(void **state) {
  test_alloc a = {.fail_at = 1};
  qm_env env = test_alloc_env(&a);
  qm_key *k = NULL;
  qm_buf b;
  (void)state;
  assert_int_equal(qm_key_generate(&env, &k), QM_ENOMEM);
  assert_null(k);
  a.fail_at = 0;
  assert_int_equal(qm_key_generate(&env, &k), QM_OK);
  qm_buf_init(&b, &env, 16);
  assert_int_equal(qm_key_to_der(k, &b), QM_ELIMIT);
  qm_buf_free(&b);
  a.fail_at = 1;
  qm_buf_init(&b, &env, KEY_DER_MAX);
  assert_int_equal(qm_key_to_pem(k, &b), QM_ENOMEM);
  qm_buf_free(&b);
  qm_key_free(k);
  assert_int_equal(a.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verifies_the_published_signature),
      cmocka_unit_test(signs_and_verifies),
      cmocka_unit_test(refuses_numbers_outside_the_group),
      cmocka_unit_test(device_is_the_hash_of_the_key),
      cmocka_unit_test(keys_travel_through_der_and_pem),
      cmocka_unit_test(damaged_keys_are_refused),
      cmocka_unit_test(other_kinds_of_key_are_refused),
      cmocka_unit_test(spki_has_one_form),
      cmocka_unit_test(random_fills_all),
      cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
