#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "sync/ca.h"
#include "tests/unit/support_alloc.h"

#define DAY_MS UINT64_C(86400000)
/* 2031-05-07 07:09:10.123 UTC */
#define NOW_MS UINT64_C(1935904150123)

static qm_env world(void) {
  qm_env env = qm_env_default();
  env.random = qm_crypto_random;
  return env;
}

static qm_slice text(const char *s) { return qm_slice_of(s, strlen(s)); }

static qm_ca *new_ca(const qm_env *env, uint64_t now_ms) {
  qm_ca *ca = NULL;
  assert_int_equal(qm_ca_create(env, text("Hub of Stone Bridge"), now_ms, &ca), QM_OK);
  return ca;
}

static qm_key *new_key(const qm_env *env) {
  qm_key *k = NULL;
  assert_int_equal(qm_key_generate(env, &k), QM_OK);
  return k;
}

static uint64_t whole_second(uint64_t ms) { return ms / 1000 * 1000; }

static void ca_signs_itself_for_twenty_years(void **state) {
  qm_env env = world();
  qm_ca *ca = new_ca(&env, NOW_MS);
  qm_cert info;
  (void)state;
  assert_int_equal(qm_cert_read(qm_ca_cert(ca), &info), QM_OK);
  assert_true(info.is_ca);
  assert_false(info.is_server || info.is_client);
  assert_int_equal(info.not_before_ms, whole_second(NOW_MS - DAY_MS));
  assert_int_equal(info.not_after_ms, whole_second(NOW_MS + 7305 * DAY_MS) + 999);
  assert_memory_equal(info.spki, qm_key_spki(qm_ca_key(ca)).p, QM_SPKI_SIZE);
  assert_int_equal(qm_cert_check_issuer(qm_ca_cert(ca), qm_ca_cert(ca)), QM_OK);
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  qm_hash h;
  qm_sha256(info.spki, sizeof info.spki, &h);
  assert_int_equal(qm_cert_fingerprint(qm_ca_cert(ca), fingerprint), QM_OK);
  assert_memory_equal(fingerprint, h.b, sizeof fingerprint);
  qm_ca_free(ca);
  qm_ca_free(NULL);
}

static void device_certificates_last_a_year(void **state) {
  qm_env env = world();
  qm_ca *ca = new_ca(&env, NOW_MS - 400 * DAY_MS), *other = new_ca(&env, NOW_MS);
  qm_key *k = new_key(&env);
  qm_buf der, again;
  qm_cert info;
  (void)state;
  qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
  qm_buf_init(&again, &env, QM_CERT_SIZE_MAX);
  assert_int_equal(qm_ca_issue_device(ca, qm_key_spki(k), NOW_MS, &der), QM_OK);
  assert_true(der.n < 600);
  assert_int_equal(qm_cert_read(qm_buf_slice(&der), &info), QM_OK);
  assert_memory_equal(info.device.b, qm_key_device(k)->b, QM_ID_SIZE);
  assert_memory_equal(info.spki, qm_key_spki(k).p, QM_SPKI_SIZE);
  assert_true(info.is_client);
  assert_false(info.is_server || info.is_ca);
  assert_int_equal(info.not_before_ms, whole_second(NOW_MS - DAY_MS));
  assert_int_equal(info.not_after_ms, whole_second(NOW_MS + 365 * DAY_MS) + 999);
  assert_int_equal(qm_cert_check_issuer(qm_buf_slice(&der), qm_ca_cert(ca)), QM_OK);
  /* The other CA has the same name. */
  assert_int_equal(qm_cert_check_issuer(qm_buf_slice(&der), qm_ca_cert(other)), QM_ECERT);
  assert_int_equal(qm_cert_check_issuer(qm_ca_cert(ca), qm_ca_cert(other)), QM_ECERT);
  assert_int_equal(qm_cert_check_issuer(qm_buf_slice(&der), qm_buf_slice(&der)), QM_ECERT);
  /* The same once more is another certificate: its serial number is random. */
  assert_int_equal(qm_ca_issue_device(ca, qm_key_spki(k), NOW_MS, &again), QM_OK);
  size_t shorter = again.n < der.n ? again.n : der.n;
  assert_memory_not_equal(again.p, der.p, shorter);
  qm_buf_free(&der);
  qm_buf_free(&again);
  qm_key_free(k);
  qm_ca_free(ca);
  qm_ca_free(other);
}

static void leaves_stay_within_the_ca(void **state) {
  static const struct {
    int64_t day; /* after the CA was made */
    int want;
    int64_t begin, end;
  } rows[] = {
      {-3, QM_ECLOCK, 0, 0},     {0, QM_OK, -1, 365},       {20, QM_OK, 19, 385},
      {7000, QM_OK, 6999, 7305}, {7304, QM_OK, 7303, 7305}, {7306, QM_ECERTEXPIRED, 0, 0},
  };
  qm_env env = world();
  qm_ca *ca = new_ca(&env, NOW_MS);
  qm_key *k = new_key(&env);
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_buf der;
    qm_cert info;
    uint64_t now = (uint64_t)((int64_t)NOW_MS + rows[i].day * (int64_t)DAY_MS);
    qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
    assert_int_equal(qm_ca_issue_device(ca, qm_key_spki(k), now, &der), rows[i].want);
    if (rows[i].want == QM_OK) {
      int64_t base = (int64_t)whole_second(NOW_MS);
      assert_int_equal(qm_cert_read(qm_buf_slice(&der), &info), QM_OK);
      assert_int_equal(info.not_before_ms, base + rows[i].begin * (int64_t)DAY_MS);
      assert_int_equal(info.not_after_ms, base + rows[i].end * (int64_t)DAY_MS + 999);
    } else {
      assert_int_equal(der.n, 0);
    }
    qm_buf_free(&der);
  }
  qm_key_free(k);
  qm_ca_free(ca);
}

static void hub_certificates_carry_names(void **state) {
  static const char *const good[] = {"hub.village.example", "192.0.2.7", "2001:db8::7", "hub-2"};
  static const char *const bad[] = {"", "hub village", "hub/7", "\xe6\x9d\x91", "a\nb", "*"};
  qm_env env = world();
  qm_ca *ca = new_ca(&env, NOW_MS);
  qm_key *k = new_key(&env);
  qm_buf der;
  qm_cert info;
  qm_slice names[4];
  (void)state;
  for (size_t i = 0; i < 4; i++) names[i] = text(good[i]);
  qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
  assert_int_equal(qm_ca_issue_hub(ca, qm_key_spki(k), names, 4, 3650, NOW_MS, &der), QM_OK);
  assert_int_equal(qm_cert_read(qm_buf_slice(&der), &info), QM_OK);
  assert_true(info.is_server);
  assert_false(info.is_client || info.is_ca);
  static const uint8_t ip[] = {0x87, 0x04, 192, 0, 2, 7};
  int has_ip = 0, has_name = 0;
  for (size_t i = 0; i + 19 < der.n; i++) {
    has_ip |= memcmp(der.p + i, ip, sizeof ip) == 0;
    has_name |= memcmp(der.p + i, "hub.village.example", 19) == 0;
  }
  assert_true(has_ip && has_name);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    names[1] = text(bad[i]);
    qm_buf_clear(&der);
    assert_int_equal(qm_ca_issue_hub(ca, qm_key_spki(k), names, 2, 365, NOW_MS, &der), QM_EINVAL);
    assert_int_equal(der.n, 0);
  }
  qm_slice nul = qm_slice_of("a\0b", 3);
  assert_int_equal(qm_ca_issue_hub(ca, qm_key_spki(k), &nul, 1, 365, NOW_MS, &der), QM_EINVAL);
  assert_int_equal(qm_ca_issue_hub(ca, qm_key_spki(k), NULL, 0, 0, NOW_MS, &der), QM_EINVAL);
  assert_int_equal(qm_ca_issue_hub(ca, qm_key_spki(k), NULL, 0, 7306, NOW_MS, &der), QM_EINVAL);
  assert_int_equal(qm_ca_issue_hub(ca, qm_key_spki(k), NULL, 0, 365, NOW_MS, &der), QM_OK);
  qm_buf_free(&der);
  qm_key_free(k);
  qm_ca_free(ca);
}

static void cas_are_loaded_as_they_were_saved(void **state) {
  qm_env env = world();
  qm_ca *ca = new_ca(&env, NOW_MS), *again = NULL;
  qm_key *k = new_key(&env), *copy = NULL;
  qm_buf pem, der, leaf;
  (void)state;
  qm_buf_init(&pem, &env, QM_PEM_SIZE_MAX);
  qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
  qm_buf_init(&leaf, &env, QM_CERT_SIZE_MAX);
  assert_int_equal(qm_cert_to_pem(qm_ca_cert(ca), &pem), QM_OK);
  assert_int_equal(qm_cert_from_pem(qm_buf_slice(&pem), &der), QM_OK);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&der), qm_ca_cert(ca)), 0);
  qm_buf_clear(&pem);
  assert_int_equal(qm_key_to_pem(qm_ca_key(ca), &pem), QM_OK);
  assert_int_equal(qm_key_from_pem(&env, qm_buf_slice(&pem), &copy), QM_OK);
  assert_int_equal(qm_ca_load(&env, qm_buf_slice(&der), copy, &again), QM_OK);
  assert_int_equal(qm_ca_issue_device(again, qm_key_spki(k), NOW_MS, &leaf), QM_OK);
  assert_int_equal(qm_cert_check_issuer(qm_buf_slice(&leaf), qm_ca_cert(ca)), QM_OK);
  qm_ca_free(again);
  /* Another's key; a leaf; half a certificate. load frees the key each time. */
  assert_int_equal(qm_ca_load(&env, qm_buf_slice(&der), new_key(&env), &again), QM_EINVAL);
  assert_null(again);
  assert_int_equal(qm_ca_load(&env, qm_buf_slice(&leaf), k, &again), QM_ECERT);
  der.n /= 2;
  assert_int_equal(qm_ca_load(&env, qm_buf_slice(&der), new_key(&env), &again), QM_EFORMAT);
  qm_buf_free(&pem);
  qm_buf_free(&der);
  qm_buf_free(&leaf);
  qm_ca_free(ca);
}

static void damaged_certificates_are_refused(void **state) {
  qm_env env = world();
  qm_ca *ca = new_ca(&env, NOW_MS);
  qm_key *k = new_key(&env);
  qm_buf der, pem;
  qm_cert info;
  (void)state;
  qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
  qm_buf_init(&pem, &env, QM_PEM_SIZE_MAX);
  assert_int_equal(qm_ca_issue_device(ca, qm_key_spki(k), NOW_MS, &der), QM_OK);
  for (size_t n = 0; n < der.n; n++) {
    assert_int_equal(qm_cert_read(qm_slice_of(der.p, n), &info), QM_EFORMAT);
  }
  /* No bit of it can change unnoticed. */
  for (size_t i = 0; i < der.n; i++) {
    der.p[i] ^= (uint8_t)(1u << (i % 8));
    assert_int_not_equal(qm_cert_check_issuer(qm_buf_slice(&der), qm_ca_cert(ca)), QM_OK);
    (void)qm_cert_read(qm_buf_slice(&der), &info);
    der.p[i] ^= (uint8_t)(1u << (i % 8));
  }
  assert_int_equal(qm_cert_check_issuer(qm_buf_slice(&der), qm_ca_cert(ca)), QM_OK);
  /* Unused bits at the end of the signature, some of them set: not DER. */
  static const uint8_t ecdsa[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
  size_t at = der.n - sizeof ecdsa;
  while (memcmp(der.p + at, ecdsa, sizeof ecdsa) != 0) at--;
  at += sizeof ecdsa + 2; /* behind the header of the bit string */
  assert_int_equal(der.p[at], 0);
  der.p[at] = 4;
  der.p[der.n - 1] |= 1;
  assert_int_equal(qm_cert_read(qm_buf_slice(&der), &info), QM_EFORMAT);
  der.p[at] = 0;
  qm_buf_byte(&der, 0);
  assert_int_equal(qm_cert_read(qm_buf_slice(&der), &info), QM_EFORMAT);
  assert_int_equal(qm_cert_to_pem(qm_buf_slice(&der), &pem), QM_EFORMAT);
  static uint8_t large[QM_CERT_SIZE_MAX + 1];
  assert_int_equal(qm_cert_read(qm_slice_of(large, sizeof large), &info), QM_EFORMAT);
  static const char *const texts[] = {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n"};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(qm_cert_from_pem(text(texts[i]), &pem), QM_EFORMAT);
  }
  qm_buf_free(&der);
  qm_buf_free(&pem);
  qm_key_free(k);
  qm_ca_free(ca);
}

static void bad_arguments_are_refused(void **state) {
  qm_env env = world();
  qm_ca *ca = NULL;
  (void)state;
  char name[66];
  memset(name, 'n', sizeof name);
  assert_int_equal(qm_ca_create(&env, text(""), NOW_MS, &ca), QM_EINVAL);
  assert_int_equal(qm_ca_create(&env, qm_slice_of(name, 65), NOW_MS, &ca), QM_EINVAL);
  assert_int_equal(qm_ca_create(&env, text("\xff\xfe"), NOW_MS, &ca), QM_EINVAL);
  assert_int_equal(qm_ca_create(&env, text("Hub"), 0, &ca), QM_ECLOCK);
  assert_int_equal(qm_ca_create(&env, text("Hub"), UINT64_MAX, &ca), QM_ECLOCK);
  assert_null(ca);
  qm_env deaf = qm_env_default(); /* its random says QM_EIO */
  assert_int_equal(qm_ca_create(&deaf, text("Hub"), NOW_MS, &ca), QM_EIO);
  assert_null(ca);
  assert_int_equal(qm_ca_create(&env, text("\xe7\x9f\xb3\xe6\xa1\xa5\xe6\x9d\x91"), NOW_MS, &ca),
                   QM_OK);
  qm_buf der;
  qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
  uint8_t spki[QM_SPKI_SIZE] = {0};
  assert_int_equal(qm_ca_issue_device(ca, qm_slice_of(spki, sizeof spki), NOW_MS, &der),
                   QM_EFORMAT);
  assert_int_equal(qm_ca_issue_device(ca, qm_slice_of(NULL, 0), NOW_MS, &der), QM_EFORMAT);
  qm_buf_free(&der);
  qm_ca_free(ca);
}

static void times_are_judged(void **state) {
  static const struct {
    uint64_t now;
    int want, is_due;
  } rows[] = {
      {0, QM_ECLOCK, 0},
      {999, QM_ECLOCK, 0},
      {1000, QM_OK, 0},
      {6999, QM_OK, 0},
      {7000, QM_OK, 1},
      {10000, QM_OK, 1},
      {10001, QM_ECERTEXPIRED, 1},
      {UINT64_MAX, QM_ECERTEXPIRED, 1},
  };
  qm_cert c = {.not_before_ms = 1000, .not_after_ms = 10000};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(qm_cert_check_time(&c, rows[i].now), rows[i].want);
    assert_int_equal(qm_cert_renewal_due(&c, rows[i].now), rows[i].is_due);
  }
}

static void dates_are_gregorian(void **state) {
  static const struct {
    uint64_t second;
    const char *want;
  } rows[] = {
      {0, "1970-01-01"},
      {86399, "1970-01-01"},
      {86400, "1970-01-02"},
      {951782400, "2000-02-29"},
      {951868800, "2000-03-01"},
      {1709164800, "2024-02-29"},
      {1735689599, "2024-12-31"},
      {2147483648, "2038-01-19"},
      {2524607999, "2049-12-31"},
      {4107456000, "2100-02-28"},
      {4107542400, "2100-03-01"},
      {253402300799, "9999-12-31"},
      {UINT64_MAX / 1000, "9999-12-31"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char date[QM_DATE_TEXT_SIZE];
    qm_cert_date(rows[i].second * 1000, date);
    assert_string_equal(date, rows[i].want);
  }
  /* Written into a certificate and read back: around 2050 the form changes. */
  qm_env env = world();
  static const uint64_t years[] = {1, 54, 79, 80, 81, 129, 130, 131, 1000, 7000};
  for (size_t i = 0; i < sizeof years / sizeof years[0]; i++) {
    uint64_t now = years[i] * 31556952000 + 12345678;
    qm_ca *ca = new_ca(&env, now);
    qm_cert info;
    assert_int_equal(qm_cert_read(qm_ca_cert(ca), &info), QM_OK);
    assert_int_equal(info.not_before_ms, whole_second(now - DAY_MS));
    assert_int_equal(info.not_after_ms, whole_second(now + QM_CA_DAYS * DAY_MS) + 999);
    qm_ca_free(ca);
  }
}

static void memory_runs_out(void **state) {
  test_alloc a = {0};
  qm_env env = test_alloc_env(&a);
  env.random = qm_crypto_random;
  qm_ca *ca = NULL;
  int rc = QM_ENOMEM;
  (void)state;
  for (size_t n = 1; rc == QM_ENOMEM; n++) {
    assert_true(n < 20);
    a.count = 0;
    a.fail_at = n;
    rc = qm_ca_create(&env, text("Hub"), NOW_MS, &ca);
    if (rc != QM_OK) assert_null(ca);
  }
  assert_int_equal(rc, QM_OK);
  a.fail_at = 1;
  a.count = 0;
  qm_buf der;
  qm_buf_init(&der, &env, QM_CERT_SIZE_MAX);
  assert_int_equal(qm_ca_issue_device(ca, qm_key_spki(qm_ca_key(ca)), NOW_MS, &der), QM_ENOMEM);
  a.fail_at = 0;
  qm_buf_free(&der);
  qm_buf_init(&der, &env, 100);
  assert_int_equal(qm_ca_issue_device(ca, qm_key_spki(qm_ca_key(ca)), NOW_MS, &der), QM_ELIMIT);
  qm_buf_free(&der);
  qm_ca_free(ca);
  assert_int_equal(a.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ca_signs_itself_for_twenty_years),
      cmocka_unit_test(device_certificates_last_a_year),
      cmocka_unit_test(leaves_stay_within_the_ca),
      cmocka_unit_test(hub_certificates_carry_names),
      cmocka_unit_test(cas_are_loaded_as_they_were_saved),
      cmocka_unit_test(damaged_certificates_are_refused),
      cmocka_unit_test(bad_arguments_are_refused),
      cmocka_unit_test(times_are_judged),
      cmocka_unit_test(dates_are_gregorian),
      cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests_name("ca", tests, NULL, NULL);
}
