#include "sync/recovery.h"

#include <string.h>

#include "core/cur.h"
#include "core/hash.h"
#include "core/mp.h"

static const char label[] = "qianmo/1 recovery";

static void put_space(qm_buf *out, const qm_recovery_space *s) {
  qm_mp_array(out, 5);
  qm_mp_bin(out, s->id.b, QM_ID_SIZE);
  qm_mp_str(out, s->name.p, s->name.n);
  qm_mp_bin(out, s->secret, sizeof s->secret);
  qm_mp_bin(out, s->schema.p, s->schema.n);
  qm_mp_array(out, 3 * (size_t)s->n_members);
  for (uint32_t i = 0; i < s->n_members; i++) {
    qm_mp_bin(out, s->members[i].device.b, QM_ID_SIZE);
    qm_mp_str(out, s->members[i].name.p, s->members[i].name.n);
    qm_mp_str(out, s->members[i].role.p, s->members[i].role.n);
  }
}

static void digest_of(qm_slice body, uint8_t out[QM_DIGEST_SIZE]) {
  qm_hash hash;
  qm_sha256(body.p, body.n, &hash); /* the label is its first item */
  memcpy(out, hash.b, QM_DIGEST_SIZE);
}

int qm_recovery_put(qm_buf *out, const qm_recovery *r, const qm_env *env, const qm_key *key) {
  uint8_t digest[QM_DIGEST_SIZE], signature[QM_SIG_SIZE];
  qm_buf body;
  if (r->n_spaces > QM_RECOVERY_SPACES_MAX) return QM_ELIMIT;
  qm_buf_init(&body, env, QM_RECOVERY_MAX);
  qm_mp_array(&body, 5);
  qm_mp_str(&body, label, sizeof label - 1);
  qm_mp_bin(&body, r->ca.p, r->ca.n);
  qm_mp_bin(&body, r->cert.p, r->cert.n);
  qm_mp_uint(&body, r->at_ms);
  qm_mp_array(&body, r->n_spaces);
  for (uint32_t i = 0; i < r->n_spaces; i++) put_space(&body, &r->spaces[i]);
  int rc = qm_buf_status(&body);
  if (rc == QM_OK) {
    digest_of(qm_buf_slice(&body), digest);
    rc = qm_key_sign(key, digest, signature);
  }
  if (rc == QM_OK) {
    qm_mp_array(out, 2);
    qm_mp_bin(out, body.p, body.n);
    qm_mp_bin(out, signature, sizeof signature);
    rc = qm_buf_status(out);
  }
  if (body.p) qm_wipe(body.p, body.n);
  qm_buf_free(&body);
  return rc;
}

static int get_members(qm_cur *c, qm_recovery_space *s, qm_arena *arena) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(c, &n));
  if (n % 3) return QM_EFORMAT;
  n /= 3;
  if (n > QM_RECOVERY_MEMBERS_MAX || n > qm_cur_left(c) / 19) return QM_EOVERSIZE;
  qm_recovery_member *p = qm_arena_array(arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_bin_n(c, p[i].device.b, QM_ID_SIZE));
    QM_TRY(qm_cur_str(c, &p[i].name));
    QM_TRY(qm_cur_str(c, &p[i].role));
    if (i && qm_id_cmp(&p[i - 1].device, &p[i].device) >= 0) return QM_ECANON;
  }
  s->members = p;
  s->n_members = n;
  return QM_OK;
}

static int get_space(qm_cur *c, qm_recovery_space *s, qm_arena *arena) {
  qm_cur_array_n(c, 5);
  qm_cur_bin_n(c, s->id.b, QM_ID_SIZE);
  qm_cur_str(c, &s->name);
  qm_cur_bin_n(c, s->secret, sizeof s->secret);
  QM_TRY(qm_cur_bin(c, &s->schema));
  if (!s->name.n || !s->schema.n || s->schema.n > QM_SCHEMA_MAX) return QM_EFORMAT;
  return get_members(c, s, arena);
}

static int get_body(qm_recovery *r, qm_slice body, qm_arena *arena) {
  qm_cur c;
  qm_slice text;
  uint32_t n = 0;
  qm_cur_init(&c, body);
  qm_cur_array_n(&c, 5);
  QM_TRY(qm_cur_str(&c, &text));
  if (text.n != sizeof label - 1 || memcmp(text.p, label, text.n) != 0) return QM_EVERSION;
  qm_cur_bin(&c, &r->ca);
  qm_cur_bin(&c, &r->cert);
  qm_cur_uint(&c, &r->at_ms);
  QM_TRY(qm_cur_array(&c, &n));
  if (n > QM_RECOVERY_SPACES_MAX || n > qm_cur_left(&c)) return QM_EOVERSIZE;
  qm_recovery_space *p = qm_arena_zero(arena, n * sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(get_space(&c, &p[i], arena));
    if (i && qm_id_cmp(&p[i - 1].id, &p[i].id) >= 0) return QM_ECANON;
  }
  r->spaces = p;
  r->n_spaces = n;
  return qm_cur_end(&c);
}

int qm_recovery_get(qm_recovery *r, qm_slice in, qm_arena *arena) {
  uint8_t digest[QM_DIGEST_SIZE], signature[QM_SIG_SIZE];
  qm_slice body;
  qm_cert cert;
  qm_cur c;
  memset(r, 0, sizeof *r);
  qm_cur_init(&c, in);
  qm_cur_array_n(&c, 2);
  qm_cur_bin(&c, &body);
  qm_cur_bin_n(&c, signature, sizeof signature);
  QM_TRY(qm_cur_end(&c));
  QM_TRY(get_body(r, body, arena));
  QM_TRY(qm_cert_check_issuer(r->cert, r->ca));
  QM_TRY(qm_cert_read(r->cert, &cert));
  digest_of(body, digest);
  return qm_verify(qm_slice_of(cert.spki, sizeof cert.spki), digest, signature);
}
