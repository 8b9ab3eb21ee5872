/* ERROR, BYE, CERT_RENEW, CERT: the end of a session, and what may come before it
 * (SPEC S8.2.15 to S8.2.18). */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/msg.h"

int qm_msg_error_put(qm_buf *out, const qm_msg_error *m) {
  qm_slice message = qm__msg_cut(m->message, QM_SYNC_MESSAGE_MAX);
  size_t at = qm__msg_begin(out, QM_FRAME_ERROR, 2);
  qm_mp_int(out, m->code);
  qm_mp_str(out, message.p, message.n);
  return qm_wire_end(out, at);
}

int qm_msg_error_get(qm_msg_error *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_ERROR, 2));
  QM_TRY(qm__msg_code(&c, 0, &m->code));
  QM_TRY(qm__msg_text(&c, QM_SYNC_MESSAGE_MAX, &m->message));
  return qm_cur_end(&c);
}

int qm_msg_bye_put(qm_buf *out) { return qm_wire_end(out, qm__msg_begin(out, QM_FRAME_BYE, 0)); }

int qm_msg_bye_get(qm_slice body) {
  qm_cur c;
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_BYE, 0));
  return qm_cur_end(&c);
}

int qm_msg_cert_renew_put(qm_buf *out, const qm_msg_cert_renew *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_CERT_RENEW, 2);
  qm_mp_bin(out, m->spki.p, m->spki.n);
  qm_mp_bin(out, m->proof.p, m->proof.n);
  return qm_wire_end(out, at);
}

int qm_msg_cert_renew_get(qm_msg_cert_renew *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_CERT_RENEW, 2));
  QM_TRY(qm__msg_bin(&c, 1, QM_SYNC_SPKI_MAX, &m->spki));
  QM_TRY(qm__msg_bin(&c, 0, QM_SYNC_PROOF_MAX, &m->proof));
  return qm_cur_end(&c);
}

int qm_msg_cert_put(qm_buf *out, const qm_msg_cert *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_CERT, 2);
  qm_mp_int(out, m->code);
  qm_mp_bin(out, m->der.p, m->der.n);
  return qm_wire_end(out, at);
}

int qm_msg_cert_get(qm_msg_cert *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_CERT, 2));
  QM_TRY(qm__msg_code(&c, 1, &m->code));
  QM_TRY(qm__msg_bin(&c, 0, QM_SYNC_CERT_MAX, &m->der));
  if ((m->code == QM_OK) != (m->der.n != 0)) return QM_ERANGE;
  return qm_cur_end(&c);
}
