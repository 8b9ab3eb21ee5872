/* A client of a hub renews its certificate in the session that it has anyway (S8.10). */
#include "sync/session_int.h"

/* --- client --- */

int qm__done_cert_ask(qm_session *s, int rc, const qm_reply *r) {
  if (rc != QM_OK) { /* without a key there is nothing to ask; the session goes on */
    s->cert = QM_STEP_DONE;
    qm__maybe_finish(s);
    return QM_OK;
  }
  qm_msg_cert_renew m = {r->blob, r->proof};
  s->cert = QM_STEP_SENT;
  return qm__wrote(s, qm_msg_cert_renew_put(&s->out, &m));
}

int qm__on_cert(qm_session *s, qm_slice body) {
  qm_msg_cert m;
  QM_TRY(qm_msg_cert_get(&m, body));
  if (s->cert != QM_STEP_SENT) return QM_EPROTO;
  qm_event *ev = qm__hold(s, QM_EV_CERT, NULL);
  ev->code = m.code;
  ev->blob = m.der;
  s->cert = QM_STEP_DONE;
  qm__maybe_finish(s);
  return QM_OK;
}

/* --- hub --- */

int qm__on_cert_renew(qm_session *s, qm_slice body) {
  qm_msg_cert_renew m;
  if (!s->hub || s->cert != QM_STEP_NONE) return QM_EPROTO; /* once a session */
  QM_TRY(qm_msg_cert_renew_get(&m, body));
  qm_event *ev = qm__hold(s, QM_EV_CERT_RENEW, NULL);
  ev->blob = m.spki;
  ev->proof = m.proof;
  s->cert = QM_STEP_ASKED;
  if (!qm__ask(s, ev, QM_EV_CERT_RENEW, NULL)) s->held_is = 0;
  return QM_OK;
}

int qm__done_cert_renew(qm_session *s, int rc, const qm_reply *r) {
  qm_msg_cert m = {.code = rc};
  if (rc == QM_OK) m.der = r->blob;
  s->cert = QM_STEP_DONE;
  return qm__wrote(s, qm_msg_cert_put(&s->out, &m));
}
