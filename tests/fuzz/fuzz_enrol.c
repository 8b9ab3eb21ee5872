/* Enrolment: requests and responses, codes, certificates and keys. */
#include <string.h>

#include "sync/enrol.h"
#include "tests/fuzz/fuzz.h"

/* Input: 0 request, 1 response; the message. */
void fuzz_enrol(qm_slice in) {
  unsigned which = fuzz_byte(&in);
  qm_enrol_request q;
  qm_enrol_response r;
  qm_arena arena;
  qm_buf out;
  int rc;
  qm_arena_init(&arena, fuzz_env(), QM_ENROL_RESPONSE_MAX);
  qm_buf_init(&out, fuzz_env(), QM_ENROL_RESPONSE_MAX);
  if (which & 1) {
    static const uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE] = {1};
    rc = qm_enrol_response_decode(in, &arena, &r);
    if (rc == QM_OK) FUZZ_OK(qm_enrol_response_encode(&r, &out));
    if (rc == QM_OK && r.cert.n)
      (void)qm_enrol_response_check(&r, fingerprint, qm_slice_of(in.p, 0));
  } else {
    rc = qm_enrol_request_decode(in, &q);
    if (rc == QM_OK) FUZZ_OK(qm_enrol_request_encode(&q, &out));
    if (rc == QM_OK) (void)qm_enrol_proof_check(&q);
  }
  if (rc == QM_OK) FUZZ_SAME(qm_buf_slice(&out), in);
  qm_buf_free(&out);
  qm_arena_free(&arena);
}

void fuzz_code(qm_slice in) {
  qm_enrol_code code, again;
  qm_error e = {0, ""};
  char text[QM_CODE_TEXT_SIZE];
  qm_id id;
  if (qm_unbase32(id.b, sizeof id.b, (const char *)in.p, in.n) == QM_OK) {
    char back[27];
    qm_id same;
    qm_base32(back, id.b, sizeof id.b);
    FUZZ_OK(qm_unbase32(same.b, sizeof same.b, back, strlen(back)));
    FUZZ_CHECK(qm_id_cmp(&id, &same) == 0);
  }
  if (qm_code_parse((const char *)in.p, in.n, &code, &e) != QM_OK) return;
  qm_code_text(&code, text);
  FUZZ_CHECK(strlen(text) == QM_CODE_TEXT_SIZE - 1);
  FUZZ_OK(qm_code_parse(text, strlen(text), &again, &e));
  FUZZ_CHECK(memcmp(&code, &again, sizeof code) == 0);
}

static void cert(qm_slice der) {
  static const uint64_t times[] = {0, UINT64_C(1800000000000), UINT64_MAX};
  qm_cert c;
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  qm_buf pem, back;
  char date[QM_DATE_TEXT_SIZE];
  int rc = qm_cert_read(der, &c);
  (void)qm_cert_check_issuer(der, der);
  if (rc != QM_OK) return;
  FUZZ_OK(qm_spki_check(qm_slice_of(c.spki, sizeof c.spki)));
  FUZZ_OK(qm_cert_fingerprint(der, fingerprint));
  for (int i = 0; i < 3; i++) {
    (void)qm_cert_check_time(&c, times[i]);
    (void)qm_cert_renewal_due(&c, times[i]);
  }
  qm_cert_date(c.not_after_ms, date);
  qm_buf_init(&pem, fuzz_env(), QM_PEM_SIZE_MAX);
  qm_buf_init(&back, fuzz_env(), QM_PEM_SIZE_MAX);
  FUZZ_OK(qm_cert_to_pem(der, &pem));
  FUZZ_OK(qm_cert_from_pem(qm_buf_slice(&pem), &back));
  FUZZ_SAME(qm_buf_slice(&back), der);
  qm_buf_free(&pem);
  qm_buf_free(&back);
}

static void key(qm_slice in, int pem) {
  qm_key *k = NULL;
  qm_buf out;
  qm_buf_init(&out, fuzz_env(), QM_PEM_SIZE_MAX);
  int rc = pem ? qm_key_from_pem(fuzz_env(), in, &k) : qm_key_from_der(fuzz_env(), in, &k);
  if (rc == QM_OK) {
    FUZZ_OK(qm_spki_check(qm_key_spki(k)));
    FUZZ_OK(qm_key_to_der(k, &out));
  }
  qm_key_free(k);
  qm_buf_free(&out);
}

/* Input: 0 certificate, 1 certificate as text, 2 and 3 private keys; its bytes. */
void fuzz_cert(qm_slice in) {
  unsigned which = fuzz_byte(&in) & 3;
  qm_buf der;
  qm_buf_init(&der, fuzz_env(), QM_PEM_SIZE_MAX);
  if (which == 0) cert(in);
  if (which == 1 && qm_cert_from_pem(in, &der) == QM_OK) cert(qm_buf_slice(&der));
  if (which >= 2) key(in, which == 3);
  (void)qm_spki_check(in);
  qm_buf_free(&der);
}
