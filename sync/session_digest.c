/* The tail of a space: what the hub holds durably and safely, and whether equal VVs mean
 * equal states (S8.8). */
#include <string.h>

#include "sync/session_int.h"

/* Runs once: the steps leave NONE. A space that stopped compares nothing. */
void qm__tail(qm_session *s, qm__space *sp) {
  if (sp->safe == QM_STEP_NONE && (!s->hub || s->role == QM_SERVER))
    sp->safe = s->hub ? QM_STEP_WANT : QM_STEP_DONE;
  if (s->role == QM_CLIENT && sp->check == QM_STEP_NONE)
    sp->check = sp->refusing || sp->refused ? QM_STEP_DONE : QM_STEP_WANT;
  qm__enqueue(s, sp);
}

static int over(const qm__space *sp) {
  return sp->in == QM_IN_ENDED && sp->out == QM_OUT_ENDED && sp->acked_out == sp->seq_out;
}

/* Where a client finds that they differ, it first looks for what does. */
static void set_result(qm_session *s, qm__space *sp, qm_compare result) {
  int searches = s->role == QM_CLIENT && sp->checked++ == 0;
  sp->check = QM_STEP_DONE;
  sp->compare = result;
  if (result == QM_COMPARE_DIFFER && searches)
    qm__range_begin(s, sp);
  else if (result == QM_COMPARE_DIFFER)
    sp->notes |= QM_NOTE_DIFFER;
  qm__enqueue(s, sp);
}

/* --- client --- */

int qm__done_digest(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "digest: %s", qm_err_text(rc));
  if (rc != QM_OK || sp->refusing || sp->refused) {
    sp->check = QM_STEP_DONE;
    qm__check_done(s, sp);
    return QM_OK;
  }
  qm_msg_digest m = {.space = sp->id};
  memcpy(m.vv, r->vv_digest, sizeof m.vv);
  memcpy(m.digest, r->digest, sizeof m.digest);
  sp->check = QM_STEP_SENT;
  return qm__wrote(s, qm_msg_digest_put(&s->out, &m));
}

int qm__on_digest_answer(qm_session *s, qm_slice body) {
  qm_msg_digest_answer m;
  QM_TRY(qm_msg_digest_answer_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || sp->check != QM_STEP_SENT) return QM_EPROTO;
  set_result(s, sp, m.result);
  qm__check_done(s, sp);
  return QM_OK;
}

int qm__on_safe(qm_session *s, qm_slice body) {
  qm_msg_safe m;
  if (!s->hub) return QM_EPROTO;
  QM_TRY(qm_msg_safe_get(&m, body, &s->arena));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || sp->safe != QM_STEP_NONE || !over(sp)) return QM_EPROTO;
  qm_event *ev = qm__hold(s, QM_EV_SAFE, &sp->id);
  ev->vv = m.acknowledged;
  ev->safe_vv = m.safe;
  sp->safe = QM_STEP_DONE;
  qm__check_done(s, sp);
  return QM_OK;
}

/* --- server --- */

int qm__on_digest(qm_session *s, qm_slice body) {
  qm_msg_digest m;
  QM_TRY(qm_msg_digest_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !over(sp) || sp->commits != 0) return QM_EPROTO;
  int again = sp->check == QM_STEP_DONE && sp->range == QM_STEP_SENT && sp->checked == 0;
  if (sp->check != QM_STEP_NONE && !again) return QM_EPROTO;
  if (sp->refusing || sp->refused) return QM_EPROTO;
  sp->checked = (uint8_t)again;
  memcpy(sp->check_vv, m.vv, sizeof m.vv);
  memcpy(sp->check_digest, m.digest, sizeof m.digest);
  sp->check = QM_STEP_WANT;
  qm__enqueue(s, sp);
  return QM_OK;
}

int qm__done_digest_check(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "digest: %s", qm_err_text(rc));
  qm_msg_digest_answer m = {sp->id, rc == QM_OK ? r->compare : QM_COMPARE_NONE};
  set_result(s, sp, m.result);
  return qm__wrote(s, qm_msg_digest_answer_put(&s->out, &m));
}

int qm__done_safe_read(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "safe: %s", qm_err_text(rc));
  qm_msg_safe m = {.space = sp->id};
  if (rc == QM_OK) {
    m.acknowledged = r->vv;
    m.safe = r->safe_vv;
  }
  QM_TRY(qm__wrote(s, qm_msg_safe_put(&s->out, &m)));
  sp->safe = QM_STEP_DONE;
  qm__check_done(s, sp);
  return QM_OK;
}
