#include "sync/enrol.h"

#include <string.h>

#include "core/cur.h"
#include "core/hash.h"
#include "core/mp.h"
#include "core/schema.h"

#define MESSAGE_REQUEST 1
#define MESSAGE_RESPONSE 2
#define REQUEST_FIELDS 5
#define RESPONSE_FIELDS 8
#define SPACE_FIELDS 6

_Static_assert(QM_CODE_FINGERPRINT_SIZE == QM_CA_FINGERPRINT_SIZE, "a code names a CA");
_Static_assert(QM_DIGEST_SIZE == QM_HASH_SIZE, "signatures are over SHA-256");

void qm_enrol_proof_digest(const uint8_t secret[QM_CODE_SECRET_SIZE], qm_slice spki,
                           uint8_t out[QM_DIGEST_SIZE]) {
  static const char context[] = "qianmo-enroll/1 proof"; /* its NUL is part of it */
  qm_hash id, digest;
  qm_code_id(secret, &id);
  qm_sha s;
  qm_sha_init(&s);
  qm_sha_add(&s, context, sizeof context);
  qm_sha_add(&s, id.b, sizeof id.b);
  qm_sha_add(&s, spki.p, spki.n);
  qm_sha_end(&s, &digest);
  memcpy(out, digest.b, QM_DIGEST_SIZE);
}

int qm_enrol_proof_check(const qm_enrol_request *r) {
  qm_slice spki = qm_slice_of(r->spki, sizeof r->spki);
  uint8_t digest[QM_DIGEST_SIZE];
  qm_enrol_proof_digest(r->secret, spki, digest);
  return qm_verify(spki, digest, r->proof);
}

/* Names go to terminals and logs: control characters (C0, DEL, C1) stay out. */
static int name_check(qm_slice name, size_t max) {
  if (name.n > max) return QM_EFORMAT;
  for (size_t i = 0; i < name.n; i++) {
    uint8_t c = name.p[i];
    if (c < 0x20 || c == 0x7f) return QM_EFORMAT;
    if (c == 0xc2 && i + 1 < name.n && name.p[i + 1] < 0xa0) return QM_EFORMAT;
  }
  return QM_OK;
}

static int space_check(const qm_enrol_space *s) {
  QM_TRY(name_check(s->name, QM_ENROL_NAME_MAX));
  QM_TRY(name_check(s->role, QM_ENROL_ROLE_MAX));
  if (qm_id_is_zero(&s->id) || s->name.n == 0 || s->role.n == 0) return QM_EFORMAT;
  if (s->schema.n > QM_SCHEMA_MAX) return QM_EOVERSIZE;
  return (s->schema_version == 0) == (s->schema.n == 0) ? QM_OK : QM_EFORMAT;
}

static int refusal_check(const qm_enrol_response *r) {
  int is_error = r->code < 0 && r->code > QM_ERR_FLOOR;
  int is_empty = r->cert.n == 0 && r->ca.n == 0 && qm_id_is_zero(&r->hub) && r->space_count == 0 &&
                 r->member.n == 0;
  return is_error && is_empty ? QM_OK : QM_EFORMAT;
}

/* The rules of the form that both directions share; QM_EFORMAT, QM_EDUPKEY,
 * QM_EOVERSIZE. */
static int response_form(const qm_enrol_response *r) {
  if (r->code != QM_OK) return refusal_check(r);
  QM_TRY(name_check(r->member, QM_ENROL_NAME_MAX));
  if (r->cert.n == 0 || r->ca.n == 0 || qm_id_is_zero(&r->hub)) return QM_EFORMAT;
  if (r->cert.n > QM_CERT_SIZE_MAX || r->ca.n > QM_CERT_SIZE_MAX) return QM_EOVERSIZE;
  if (r->space_count > QM_ENROL_SPACES_MAX) return QM_EOVERSIZE;
  for (uint32_t i = 0; i < r->space_count; i++) {
    QM_TRY(space_check(&r->spaces[i]));
    for (uint32_t k = 0; k < i; k++) {
      if (qm_id_cmp(&r->spaces[i].id, &r->spaces[k].id) == 0) return QM_EDUPKEY;
    }
  }
  return QM_OK;
}

/* The buffer may hold something before; the limit is on the message alone. */
static int encoded(qm_buf *out, size_t before, size_t max) {
  if (qm_buf_status(out) == QM_OK && out->n - before > max) return QM_ELIMIT;
  return qm_buf_status(out);
}

int qm_enrol_request_encode(const qm_enrol_request *r, qm_buf *out) {
  size_t before = out->n;
  if (name_check(r->name, QM_ENROL_NAME_MAX) != QM_OK) return QM_EINVAL;
  qm_mp_array(out, REQUEST_FIELDS);
  qm_mp_uint(out, MESSAGE_REQUEST);
  qm_mp_bin(out, r->secret, sizeof r->secret);
  qm_mp_bin(out, r->spki, sizeof r->spki);
  qm_mp_bin(out, r->proof, sizeof r->proof);
  qm_mp_str(out, r->name.p, r->name.n);
  return encoded(out, before, QM_ENROL_REQUEST_MAX);
}

static void space_encode(const qm_enrol_space *s, qm_buf *out) {
  qm_mp_array(out, SPACE_FIELDS);
  qm_mp_bin(out, s->id.b, sizeof s->id.b);
  qm_mp_str(out, s->name.p, s->name.n);
  qm_mp_bin(out, s->secret, sizeof s->secret);
  qm_mp_uint(out, s->schema_version);
  qm_mp_bin(out, s->schema.p, s->schema.n);
  qm_mp_str(out, s->role.p, s->role.n);
}

int qm_enrol_response_encode(const qm_enrol_response *r, qm_buf *out) {
  size_t before = out->n;
  if (response_form(r) != QM_OK) return QM_EINVAL;
  qm_mp_array(out, RESPONSE_FIELDS);
  qm_mp_uint(out, MESSAGE_RESPONSE);
  qm_mp_int(out, r->code);
  qm_mp_bin(out, r->cert.p, r->cert.n);
  qm_mp_bin(out, r->ca.p, r->ca.n);
  qm_mp_bin(out, r->hub.b, sizeof r->hub.b);
  qm_mp_array(out, r->space_count);
  for (uint32_t i = 0; i < r->space_count; i++) space_encode(&r->spaces[i], out);
  qm_mp_str(out, r->member.p, r->member.n);
  qm_mp_uint(out, r->now_ms);
  return encoded(out, before, QM_ENROL_RESPONSE_MAX);
}

static int begin(qm_cur *c, uint32_t fields, uint64_t message) {
  uint64_t kind = 0;
  QM_TRY(qm_cur_array_n(c, fields));
  QM_TRY(qm_cur_uint(c, &kind));
  return kind == message ? QM_OK : QM_EFORMAT;
}

int qm_enrol_request_decode(qm_slice in, qm_enrol_request *out) {
  if (in.n > QM_ENROL_REQUEST_MAX) return QM_EOVERSIZE;
  qm_cur c;
  qm_cur_init(&c, in);
  memset(out, 0, sizeof *out);
  QM_TRY(begin(&c, REQUEST_FIELDS, MESSAGE_REQUEST));
  QM_TRY(qm_cur_bin_n(&c, out->secret, sizeof out->secret));
  QM_TRY(qm_cur_bin_n(&c, out->spki, sizeof out->spki));
  QM_TRY(qm_cur_bin_n(&c, out->proof, sizeof out->proof));
  QM_TRY(qm_cur_str(&c, &out->name));
  QM_TRY(qm_cur_end(&c));
  return name_check(out->name, QM_ENROL_NAME_MAX);
}

static int space_decode(qm_cur *c, qm_enrol_space *s) {
  QM_TRY(qm_cur_array_n(c, SPACE_FIELDS));
  QM_TRY(qm_cur_bin_n(c, s->id.b, sizeof s->id.b));
  QM_TRY(qm_cur_str(c, &s->name));
  QM_TRY(qm_cur_bin_n(c, s->secret, sizeof s->secret));
  QM_TRY(qm_cur_uint32(c, &s->schema_version));
  QM_TRY(qm_cur_bin(c, &s->schema));
  return qm_cur_str(c, &s->role);
}

/* The count is a claim of the peer: it is bounded before it is reserved. */
static int spaces_decode(qm_cur *c, qm_arena *arena, qm_enrol_response *out) {
  QM_TRY(qm_cur_array(c, &out->space_count));
  if (out->space_count > QM_ENROL_SPACES_MAX) return QM_EOVERSIZE;
  qm_enrol_space *spaces = qm_arena_array(arena, out->space_count, sizeof *spaces);
  if (spaces == NULL) return QM_ENOMEM;
  out->spaces = spaces;
  for (uint32_t i = 0; i < out->space_count; i++) QM_TRY(space_decode(c, &spaces[i]));
  return QM_OK;
}

int qm_enrol_response_decode(qm_slice in, qm_arena *arena, qm_enrol_response *out) {
  if (in.n > QM_ENROL_RESPONSE_MAX) return QM_EOVERSIZE;
  qm_cur c;
  int64_t code = 0;
  qm_cur_init(&c, in);
  memset(out, 0, sizeof *out);
  QM_TRY(begin(&c, RESPONSE_FIELDS, MESSAGE_RESPONSE));
  QM_TRY(qm_cur_int(&c, &code));
  if (code > 0 || code <= QM_ERR_FLOOR) return QM_EFORMAT;
  out->code = (int)code;
  QM_TRY(qm_cur_bin(&c, &out->cert));
  QM_TRY(qm_cur_bin(&c, &out->ca));
  QM_TRY(qm_cur_bin_n(&c, out->hub.b, sizeof out->hub.b));
  QM_TRY(spaces_decode(&c, arena, out));
  QM_TRY(qm_cur_str(&c, &out->member));
  QM_TRY(qm_cur_uint(&c, &out->now_ms));
  QM_TRY(qm_cur_end(&c));
  return response_form(out);
}

int qm_enrol_response_check(const qm_enrol_response *r,
                            const uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE], qm_slice spki) {
  uint8_t shown[QM_CA_FINGERPRINT_SIZE];
  qm_cert cert, ca;
  if (r->code != QM_OK) return r->code;
  QM_TRY(qm_cert_read(r->ca, &ca));
  QM_TRY(qm_cert_fingerprint(r->ca, shown));
  if (!ca.is_ca || memcmp(shown, fingerprint, sizeof shown) != 0) return QM_ECERT;
  QM_TRY(qm_cert_read(r->cert, &cert));
  QM_TRY(qm_cert_check_issuer(r->cert, r->ca));
  int is_mine = spki.n == sizeof cert.spki && memcmp(cert.spki, spki.p, spki.n) == 0;
  return is_mine && cert.is_client && !cert.is_ca ? QM_OK : QM_ECERT;
}
