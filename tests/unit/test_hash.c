#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "core/id.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_hash(const qm_hash *h, const char *hex) {
  char got[2 * QM_HASH_SIZE + 1];
  qm_hex(got, h->b, sizeof h->b);
  assert_string_equal(got, hex);
}

/* FIPS 180-4 examples. */
static void sha256_vectors(void **state) {
  static const struct {
    const char *in, *hex;
  } rows[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmn"
       "o"
       "pqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
  };
  qm_hash h;
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_sha256(rows[i].in, strlen(rows[i].in), &h);
    assert_hash(&h, rows[i].hex);
  }
  qm_sha256(NULL, 0, &h);
  assert_hash(&h, rows[0].hex);
}

static void sha256_of_a_million(void **state) {
  static char a[1000];
  qm_sha s;
  qm_hash h;
  (void)state;
  memset(a, 'a', sizeof a);
  qm_sha_init(&s);
  for (int i = 0; i < 1000; i++) qm_sha_add(&s, a, sizeof a);
  qm_sha_end(&s, &h);
  assert_hash(&h, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Cut in two at every place, the hash is that of the whole; contexts do not mix. */
static void sha256_in_parts(void **state) {
  uint8_t in[200];
  qm_hash whole, parts, other;
  (void)state;
  for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)(i * 7);
  qm_sha256(in, sizeof in, &whole);
  for (size_t cut = 0; cut <= sizeof in; cut++) {
    qm_sha s, t;
    qm_sha_init(&s);
    qm_sha_init(&t);
    qm_sha_add(&s, in, cut);
    qm_sha_add(&t, in, cut / 2);
    qm_sha_add(&s, NULL, 0);
    qm_sha_add(&s, in + cut, sizeof in - cut);
    qm_sha_end(&s, &parts);
    qm_sha_end(&t, &other);
    assert_memory_equal(parts.b, whole.b, sizeof whole.b);
    assert_memory_not_equal(other.b, whole.b, sizeof whole.b);
  }
}

/* RFC 4231, all but the truncated case 5. */
static void hmac_vectors(void **state) {
  uint8_t key_0b[20], key_aa[131], key_25[25], data_dd[50], data_cd[50];
  memset(key_0b, 0x0b, sizeof key_0b);
  memset(key_aa, 0xaa, sizeof key_aa);
  for (size_t i = 0; i < sizeof key_25; i++) key_25[i] = (uint8_t)(i + 1);
  memset(data_dd, 0xdd, sizeof data_dd);
  memset(data_cd, 0xcd, sizeof data_cd);
  static const char larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
  static const char both[] =
      "This is a test using a larger than block-size key and a larger than block-size data. "
      "The key needs to be hashed before being used by the HMAC algorithm.";
  const struct {
    qm_slice key, data;
    const char *hex;
  } rows[] = {
      {{key_0b, 20},
       qm_slice_of("Hi There", 8),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {qm_slice_of("Jefe", 4), qm_slice_of("what do ya want for nothing?", 28),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {{key_aa, 20},
       {data_dd, 50},
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {{key_25, 25},
       {data_cd, 50},
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {{key_aa, 131},
       qm_slice_of(larger, sizeof larger - 1),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {{key_aa, 131},
       qm_slice_of(both, sizeof both - 1),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
      {{NULL, 0}, {NULL, 0}, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_hash h;
    assert_int_equal(qm_hmac_sha256(rows[i].key, rows[i].data, &h), QM_OK);
    assert_hash(&h, rows[i].hex);
  }
}

static void hmac_refuses_a_key_beyond_int(void **state) {
#if SIZE_MAX > UINT32_MAX
  qm_hash h;
  assert_int_equal(
      qm_hmac_sha256(qm_slice_of("k", (size_t)UINT32_MAX + 2), qm_slice_of("d", 1), &h),
      QM_EINTERNAL);
#endif
  (void)state;
}

static void secrets_compare_whole(void **state) {
  uint8_t a[32] = {0}, b[32] = {0};
  (void)state;
  assert_int_equal(qm_equal_secret(a, b, sizeof a), 1);
  for (size_t i = 0; i < sizeof a; i++) {
    b[i] = 0x80;
    assert_int_equal(qm_equal_secret(a, b, sizeof a), 0);
    assert_int_equal(qm_equal_secret(a, b, i), 1);
    b[i] = 0;
  }
  assert_int_equal(qm_equal_secret(NULL, NULL, 0), 1);
}

static void wipe_overwrites(void **state) {
  uint8_t secret[40];
  (void)state;
  memset(secret, 0x5a, sizeof secret);
  qm_wipe(secret + 4, 32);
  for (size_t i = 0; i < sizeof secret; i++)
    assert_int_equal(secret[i], i < 4 || i >= 36 ? 0x5a : 0);
  qm_wipe(NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sha256_vectors),
      cmocka_unit_test(sha256_of_a_million),
      cmocka_unit_test(sha256_in_parts),
      cmocka_unit_test(hmac_vectors),
      cmocka_unit_test(hmac_refuses_a_key_beyond_int),
      cmocka_unit_test(secrets_compare_whole),
      cmocka_unit_test(wipe_overwrites),
  };
  return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
