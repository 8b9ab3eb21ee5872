#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/enrol.h"
#include "tests/unit/support_alloc.h"

#define NOW_MS UINT64_C(1935904150123)
#define ARENA_MAX (1u << 20)

static qm_slice text(const char *s) { return qm_slice_of(s, strlen(s)); }

/* A hub, a code, a device and what they would say to each other. */
typedef struct world {
  test_alloc alloc;
  qm_env env;
  qm_ca *ca;
  qm_key *key;
  qm_enrol_code code;
  qm_enrol_request request;
  qm_enrol_response response;
  qm_enrol_space spaces[2];
  qm_buf cert, out;
  qm_arena arena;
} world;

static void world_request(world *w) {
  uint8_t digest[QM_DIGEST_SIZE];
  memcpy(w->request.secret, w->code.secret, sizeof w->code.secret);
  memcpy(w->request.spki, qm_key_spki(w->key).p, QM_SPKI_SIZE);
  qm_enrol_proof_digest(w->code.secret, qm_key_spki(w->key), digest);
  assert_int_equal(qm_key_sign(w->key, digest, w->request.proof), QM_OK);
  w->request.name = text("Phone of Li Example");
}

static void world_response(world *w) {
  for (uint8_t i = 0; i < 2; i++) {
    qm_enrol_space *s = &w->spaces[i];
    s->id.b[0] = (uint8_t)(0x10 + i);
    memset(s->secret, 0x40 + i, sizeof s->secret);
    s->name = text(i == 0 ? "stone-bridge-3" : "\xe7\x9f\xb3\xe6\xa1\xa5\xe6\x9d\x91");
    s->schema_version = i;
    s->schema = i == 0 ? qm_slice_of(NULL, 0) : qm_slice_of("\x91\x01", 2);
    s->role = text("grid");
  }
  w->response.cert = qm_buf_slice(&w->cert);
  w->response.ca = qm_ca_cert(w->ca);
  w->response.hub = *qm_key_device(qm_ca_key(w->ca));
  w->response.spaces = w->spaces;
  w->response.space_count = 2;
  w->response.member = text("Li Example");
  w->response.now_ms = NOW_MS;
}

static void world_open(world *w) {
  memset(w, 0, sizeof *w);
  w->env = test_alloc_env(&w->alloc);
  w->env.random = qm_crypto_random;
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  assert_int_equal(qm_ca_create(&w->env, text("Hub"), NOW_MS, &w->ca), QM_OK);
  assert_int_equal(qm_cert_fingerprint(qm_ca_cert(w->ca), fingerprint), QM_OK);
  assert_int_equal(qm_code_make(&w->env, fingerprint, &w->code), QM_OK);
  assert_int_equal(qm_key_generate(&w->env, &w->key), QM_OK);
  qm_buf_init(&w->cert, &w->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&w->out, &w->env, QM_ENROL_RESPONSE_MAX);
  qm_arena_init(&w->arena, &w->env, ARENA_MAX);
  assert_int_equal(qm_ca_issue_device(w->ca, qm_key_spki(w->key), NOW_MS, &w->cert), QM_OK);
  world_request(w);
  world_response(w);
}

static void world_close(world *w) {
  qm_ca_free(w->ca);
  qm_key_free(w->key);
  qm_buf_free(&w->cert);
  qm_buf_free(&w->out);
  qm_arena_free(&w->arena);
  assert_int_equal(w->alloc.live, 0);
}

static int is_same(qm_slice a, qm_slice b) { return qm_slice_cmp(a, b) == 0; }

static void requests_travel(void **state) {
  world w;
  qm_enrol_request r;
  (void)state;
  world_open(&w);
  assert_int_equal(qm_enrol_request_encode(&w.request, &w.out), QM_OK);
  assert_memory_equal(w.out.p, "\x95\x01\xc4\x0a", 4);
  assert_int_equal(qm_enrol_request_decode(qm_buf_slice(&w.out), &r), QM_OK);
  assert_memory_equal(r.secret, w.code.secret, sizeof r.secret);
  assert_memory_equal(r.spki, w.request.spki, sizeof r.spki);
  assert_memory_equal(r.proof, w.request.proof, sizeof r.proof);
  assert_true(is_same(r.name, w.request.name));
  assert_int_equal(qm_enrol_proof_check(&r), QM_OK);
  for (size_t n = 0; n < w.out.n; n++) {
    assert_int_not_equal(qm_enrol_request_decode(qm_slice_of(w.out.p, n), &r), QM_OK);
  }
  qm_buf_byte(&w.out, 0xc0);
  assert_int_equal(qm_enrol_request_decode(qm_buf_slice(&w.out), &r), QM_ETRAILING);
  world_close(&w);
}

static void proofs_are_for_one_key_and_one_code(void **state) {
  world w;
  qm_key *other = NULL;
  (void)state;
  world_open(&w);
  assert_int_equal(qm_key_generate(&w.env, &other), QM_OK);
  assert_int_equal(qm_enrol_proof_check(&w.request), QM_OK);
  w.request.secret[3] ^= 1;
  assert_int_equal(qm_enrol_proof_check(&w.request), QM_EHASH);
  w.request.secret[3] ^= 1;
  w.request.proof[40] ^= 1;
  assert_int_equal(qm_enrol_proof_check(&w.request), QM_EHASH);
  w.request.proof[40] ^= 1;
  memcpy(w.request.spki, qm_key_spki(other).p, QM_SPKI_SIZE);
  assert_int_equal(qm_enrol_proof_check(&w.request), QM_EHASH);
  memset(w.request.spki, 0, QM_SPKI_SIZE);
  assert_int_equal(qm_enrol_proof_check(&w.request), QM_EFORMAT);
  qm_key_free(other);
  world_close(&w);
}

static void bad_requests_are_refused(void **state) {
  /* At which offset which byte stands instead, and the answer. The message begins
   * 95 01 c4 0a (secret) c4 5b (spki) c4 40 (proof) b3 (name). */
  static const struct {
    size_t at;
    uint8_t byte;
    int want;
  } rows[] = {
      {0, 0x94, QM_EFORMAT}, {0, 0x96, QM_EFORMAT},   {0, 0x85, QM_ETYPE},
      {1, 0x02, QM_EFORMAT}, {1, 0xa0, QM_ETYPE},     {2, 0xd9, QM_ECANON},
      {2, 0xaa, QM_EUTF8},   {3, 0x09, QM_ERANGE},    {14, 0xc0, QM_ETYPE},
      {15, 0x5a, QM_ERANGE}, {173, 0xc2, QM_ETYPE},   {174, 0x00, QM_EFORMAT},
      {174, 0xff, QM_EUTF8}, {175, 0x1b, QM_EFORMAT}, {180, 0x7f, QM_EFORMAT},
  };
  world w;
  qm_enrol_request r;
  (void)state;
  world_open(&w);
  memset(w.request.secret, 0xff, sizeof w.request.secret);
  assert_int_equal(qm_enrol_request_encode(&w.request, &w.out), QM_OK);
  assert_int_equal(w.out.p[173], 0xb3);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint8_t was = w.out.p[rows[i].at];
    w.out.p[rows[i].at] = rows[i].byte;
    int rc = qm_enrol_request_decode(qm_buf_slice(&w.out), &r);
    if (rc != rows[i].want) fail_msg("row %zu: %s", i, qm_err_name(rc));
    w.out.p[rows[i].at] = was;
  }
  static uint8_t large[QM_ENROL_REQUEST_MAX + 1];
  assert_int_equal(qm_enrol_request_decode(qm_slice_of(large, sizeof large), &r), QM_EOVERSIZE);
  assert_int_equal(qm_enrol_request_decode(qm_slice_of(NULL, 0), &r), QM_ETRUNCATED);
  char name[QM_ENROL_NAME_MAX + 1];
  memset(name, 'n', sizeof name);
  w.request.name = qm_slice_of(name, sizeof name);
  assert_int_equal(qm_enrol_request_encode(&w.request, &w.out), QM_EINVAL);
  w.request.name = text("a\nb");
  assert_int_equal(qm_enrol_request_encode(&w.request, &w.out), QM_EINVAL);
  w.request.name = text("a\xc2\x9bz"); /* a C1 control: some terminals obey it */
  assert_int_equal(qm_enrol_request_encode(&w.request, &w.out), QM_EINVAL);
  w.request.name = qm_slice_of(name, sizeof name - 1);
  qm_buf_clear(&w.out);
  assert_int_equal(qm_enrol_request_encode(&w.request, &w.out), QM_OK);
  world_close(&w);
}

static void responses_travel(void **state) {
  world w;
  qm_enrol_response r;
  (void)state;
  world_open(&w);
  assert_int_equal(qm_enrol_response_encode(&w.response, &w.out), QM_OK);
  assert_int_equal(qm_enrol_response_decode(qm_buf_slice(&w.out), &w.arena, &r), QM_OK);
  assert_int_equal(r.code, QM_OK);
  assert_true(is_same(r.cert, w.response.cert) && is_same(r.ca, w.response.ca));
  assert_true(is_same(r.member, w.response.member));
  assert_memory_equal(r.hub.b, w.response.hub.b, QM_ID_SIZE);
  assert_int_equal(r.now_ms, NOW_MS);
  assert_int_equal(r.space_count, 2);
  for (size_t i = 0; i < 2; i++) {
    const qm_enrol_space *a = &r.spaces[i], *b = &w.spaces[i];
    assert_memory_equal(a->id.b, b->id.b, QM_ID_SIZE);
    assert_memory_equal(a->secret, b->secret, sizeof a->secret);
    assert_int_equal(a->schema_version, b->schema_version);
    assert_true(is_same(a->name, b->name) && is_same(a->role, b->role));
    assert_true(is_same(a->schema, b->schema));
  }
  for (size_t n = 0; n < w.out.n; n++) {
    qm_slice cut = qm_slice_of(w.out.p, n);
    assert_int_not_equal(qm_enrol_response_decode(cut, &w.arena, &r), QM_OK);
  }
  qm_buf_byte(&w.out, 0xc0);
  assert_int_equal(qm_enrol_response_decode(qm_buf_slice(&w.out), &w.arena, &r), QM_ETRAILING);
  world_close(&w);
}

static void refusals_travel(void **state) {
  static const int codes[] = {QM_ECODEUSED, QM_ECODEEXPIRED, QM_ETRIES, QM_EREVOKED};
  world w;
  qm_enrol_response r;
  (void)state;
  world_open(&w);
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    qm_enrol_response no = {.code = codes[i], .now_ms = NOW_MS};
    qm_buf_clear(&w.out);
    assert_int_equal(qm_enrol_response_encode(&no, &w.out), QM_OK);
    assert_true(w.out.n < 64);
    assert_int_equal(qm_enrol_response_decode(qm_buf_slice(&w.out), &w.arena, &r), QM_OK);
    assert_int_equal(r.code, codes[i]);
    assert_int_equal(r.now_ms, NOW_MS);
    assert_int_equal(qm_enrol_response_check(&r, w.code.fingerprint, qm_key_spki(w.key)), codes[i]);
  }
  world_close(&w);
}

/* Each spoils one thing of a good response. */
static void spoil(world *w, int which) {
  static char name[QM_ENROL_NAME_MAX + 1];
  static const uint8_t large[QM_CERT_SIZE_MAX + 1];
  memset(name, 'n', sizeof name);
  switch (which) {
    case 0: w->response.code = 1; break;
    case 1: w->response.code = QM_ECODEUSED; break; /* a refusal that gives all the same */
    case 2: w->response.cert.n = 0; break;
    case 3: w->response.ca.n = 0; break;
    case 4: memset(&w->response.hub, 0, sizeof w->response.hub); break;
    case 5: w->spaces[1].id = w->spaces[0].id; break;
    case 6: memset(&w->spaces[1].id, 0, sizeof w->spaces[1].id); break;
    case 7: w->spaces[0].name = qm_slice_of(name, sizeof name); break;
    case 8: w->spaces[0].name.n = 0; break;
    case 9: w->spaces[0].role = text("gr\tid"); break;
    case 10: w->spaces[0].schema_version = 1; break; /* of no schema */
    case 11: w->spaces[1].schema_version = 0; break; /* of a schema */
    case 12: w->response.member = text("\x1b[2J"); break;
    case 13: w->response.cert = qm_slice_of(large, sizeof large); break;
    case 14: w->response.space_count = QM_ENROL_SPACES_MAX + 1; break;
    default: fail();
  }
}

static void bad_responses_are_not_written(void **state) {
  (void)state;
  for (int i = 0; i < 15; i++) {
    world w;
    world_open(&w);
    spoil(&w, i);
    int rc = qm_enrol_response_encode(&w.response, &w.out);
    if (rc != QM_EINVAL || w.out.n != 0) fail_msg("row %d: %s", i, qm_err_name(rc));
    world_close(&w);
  }
}

/* Written by hand: what only a hostile hub would send. */
static void bad_responses_are_refused(void **state) {
#define ID   \
  "\xc4\x10" \
  "0123456789abcdef"
#define ID2  \
  "\xc4\x10" \
  "0123456789abcdeg"
#define ZERO "\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SECRET \
  "\xc4\x20"   \
  "0123456789abcdef0123456789abcdef"
#define SPACE(id) "\x96" id "\xa1s" SECRET "\x00\xc4\x00\xa1r"
#define BIN1 "\xc4\x01\x30"
#define NONE "\xc4\x00"
#define ROW(s, want) \
  { s, sizeof(s) - 1, want }
  static const struct {
    const char *p;
    size_t n;
    int want;
  } rows[] = {
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x91" SPACE(ID) "\xa1m\x05", QM_OK),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x92" SPACE(ID) SPACE(ID2) "\xa1m\x05", QM_OK),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x92" SPACE(ID) SPACE(ID) "\xa1m\x05", QM_EDUPKEY),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x91" SPACE(ZERO) "\xa1m\x05", QM_EFORMAT),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\xdd\x00\x0f\xff\xff" SPACE(ID), QM_EOVERSIZE),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\xdc\xff\xff" SPACE(ID), QM_EOVERSIZE),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x80\xa1m\x05", QM_ETYPE),
      ROW("\x98\x02\x00" BIN1 BIN1 ZERO "\x90\xa1m\x05", QM_EFORMAT),
      ROW("\x98\x02\x00" NONE BIN1 ID "\x90\xa1m\x05", QM_EFORMAT),
      ROW("\x98\x02\x00" BIN1 NONE ID "\x90\xa1m\x05", QM_EFORMAT),
      ROW("\x98\x02\x01" BIN1 BIN1 ID "\x90\xa1m\x05", QM_EFORMAT),
      ROW("\x98\x02\xd1\x80\x00" NONE NONE ZERO "\x90\xa0\x05", QM_EFORMAT),
      ROW("\x98\x02\xd3\x80\0\0\0\0\0\0\0" NONE NONE ZERO "\x90\xa0\x05", QM_EFORMAT),
      ROW("\x98\x02\xff" NONE NONE ZERO "\x90\xa0\x05", QM_OK),
      ROW("\x98\x02\xff" BIN1 NONE ZERO "\x90\xa0\x05", QM_EFORMAT),
      ROW("\x98\x02\xff" NONE NONE ID "\x90\xa0\x05", QM_EFORMAT),
      ROW("\x98\x02\xff" NONE NONE ZERO "\x90\xa1m\x05", QM_EFORMAT),
      ROW("\x98\x02\xff" NONE NONE ZERO "\x90\xa0\xff", QM_ERANGE),
      ROW("\x98\x01\x00" BIN1 BIN1 ID "\x90\xa1m\x05", QM_EFORMAT),
      ROW("\x97\x02\x00" BIN1 BIN1 ID "\x90\xa1m", QM_EFORMAT),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x90\xa1\x07\x05", QM_EFORMAT),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x90\xa1\xff\x05", QM_EUTF8),
      ROW("\x98\x02\x00" BIN1 BIN1 ID "\x90\xd9\x01m\x05", QM_ECANON),
  };
  world w;
  (void)state;
  world_open(&w);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_enrol_response r;
    qm_arena_reset(&w.arena);
    int rc = qm_enrol_response_decode(qm_slice_of(rows[i].p, rows[i].n), &w.arena, &r);
    if (rc != rows[i].want) fail_msg("row %zu: %s", i, qm_err_name(rc));
  }
  qm_arena_free(&w.arena);
  qm_arena_init(&w.arena, &w.env, 16);
  qm_enrol_response r;
  qm_slice good = qm_slice_of(rows[0].p, rows[0].n);
  assert_int_equal(qm_enrol_response_decode(good, &w.arena, &r), QM_ENOMEM);
  world_close(&w);
}

static void devices_check_what_they_get(void **state) {
  world w;
  qm_ca *foreign = NULL;
  qm_key *other = NULL;
  qm_buf b;
  (void)state;
  world_open(&w);
  qm_buf_init(&b, &w.env, QM_CERT_SIZE_MAX);
  assert_int_equal(qm_ca_create(&w.env, text("Hub"), NOW_MS, &foreign), QM_OK);
  assert_int_equal(qm_key_generate(&w.env, &other), QM_OK);
  qm_slice spki = qm_key_spki(w.key);
  const uint8_t *fingerprint = w.code.fingerprint;
  assert_int_equal(qm_enrol_response_check(&w.response, fingerprint, spki), QM_OK);
  assert_int_equal(qm_enrol_response_check(&w.response, fingerprint, qm_key_spki(other)), QM_ECERT);
  qm_enrol_response r = w.response;
  r.ca = qm_ca_cert(foreign);
  assert_int_equal(qm_enrol_response_check(&r, fingerprint, spki), QM_ECERT);
  r = w.response;
  assert_int_equal(qm_ca_issue_device(foreign, spki, NOW_MS, &b), QM_OK);
  r.cert = qm_buf_slice(&b);
  assert_int_equal(qm_enrol_response_check(&r, fingerprint, spki), QM_ECERT);
  qm_buf_clear(&b);
  assert_int_equal(qm_ca_issue_hub(w.ca, spki, NULL, 0, 365, NOW_MS, &b), QM_OK);
  r.cert = qm_buf_slice(&b);
  assert_int_equal(qm_enrol_response_check(&r, fingerprint, spki), QM_ECERT);
  r.cert = r.ca;
  assert_int_equal(qm_enrol_response_check(&r, fingerprint, spki), QM_ECERT);
  r.cert = text("nonsense");
  assert_int_equal(qm_enrol_response_check(&r, fingerprint, spki), QM_EFORMAT);
  qm_buf_free(&b);
  qm_key_free(other);
  qm_ca_free(foreign);
  world_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_travel),
      cmocka_unit_test(proofs_are_for_one_key_and_one_code),
      cmocka_unit_test(bad_requests_are_refused),
      cmocka_unit_test(responses_travel),
      cmocka_unit_test(refusals_travel),
      cmocka_unit_test(bad_responses_are_not_written),
      cmocka_unit_test(bad_responses_are_refused),
      cmocka_unit_test(devices_check_what_they_get),
  };
  return cmocka_run_group_tests_name("enrol", tests, NULL, NULL);
}
