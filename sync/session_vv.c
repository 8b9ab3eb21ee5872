/* VVs: what each side holds at the start, and whether they can go together (S8.6). */
#include <string.h>

#include "sync/session_int.h"

void qm__drop_vv(qm_session *s, qm__space *sp) {
  qm_free(s->env, sp->vv);
  s->vv_kept -= sp->n_vv;
  sp->vv = NULL;
  sp->n_vv = 0;
}

int qm__keep_vv(qm_session *s, qm__space *sp, qm_vv_list vv) {
  qm__drop_vv(s, sp);
  if (vv.n > QM_SYNC_VV_KEPT_MAX - s->vv_kept) return QM_ELIMIT;
  if (vv.n == 0) return QM_OK;
  sp->vv = qm_alloc_array(s->env, vv.n, sizeof *sp->vv);
  if (!sp->vv) return QM_ENOMEM;
  memcpy(sp->vv, vv.p, vv.n * sizeof *sp->vv);
  sp->n_vv = vv.n;
  s->vv_kept += vv.n;
  return QM_OK;
}

int qm__on_vv(qm_session *s, qm_slice body) {
  qm_msg_vv m;
  QM_TRY(qm_msg_vv_get(&m, body, &s->arena));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !(sp->agreed & QM_AGREED_SYNC)) return QM_EPROTO;
  if (sp->vv_got || sp->in == QM_IN_ENDED) return QM_EPROTO;
  if (s->role == QM_CLIENT && sp->grant == QM_STEP_WANT) return QM_EPROTO; /* SPACE comes first */
  sp->vv_got = 1;
  QM_TRY(qm__asides_keep(s, sp, m.asides, 1));
  if (sp->out != QM_OUT_WAIT) return QM_OK; /* stopped: nothing will be sent */
  QM_TRY(qm__keep_vv(s, sp, m.vv));
  sp->out = QM_OUT_GOT;
  qm__enqueue(s, sp);
  return QM_OK;
}

int qm__done_push(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  /* Stopped meanwhile. After END nothing follows, and a peer that refuses before it has a VV
     of ours sends nothing (S8.6). */
  if (sp->in != QM_IN_ASKED || sp->refusing || sp->out == QM_OUT_ENDED) return QM_OK;
  if (rc != QM_OK && !qm__stops_space(rc))
    return qm__fail(s, rc, "version vector: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  QM_TRY(qm__state_ask(s, sp, r));
  qm_msg_vv m = {sp->id, r->vv, r->asides};
  QM_TRY(qm__wrote(s, qm_msg_vv_put(&s->out, &m)));
  sp->in = QM_IN_OPEN;
  rc = qm__asides_keep(s, sp, r->asides, 0);
  if (rc != QM_OK) return qm__fail(s, rc, "entries: %s", qm_err_text(rc));
  qm__enqueue(s, sp);
  return QM_OK;
}

int qm__done_compare(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->out != QM_OUT_COMPARING) return QM_OK;
  if (rc != QM_OK && !qm__stops_space(rc))
    return qm__fail(s, rc, "comparison: %s", qm_err_text(rc));
  if (rc == QM_EFORK) {
    if (r) sp->forked = r->author;
    sp->notes |= QM_NOTE_FORK;
    rc = QM_OK; /* its author stops, all else goes on */
  }
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  sp->out = QM_OUT_SEND;
  qm__enqueue(s, sp);
  return QM_OK;
}
