/* The search for records that differ at an equal VV (S8.14). The client asks, the server
 * answers, and what stands in questions and answers is the drivers' alone. It begins where a
 * DIGEST was answered `differ`; where records were replaced, the client states its digest once
 * more. */
#include <string.h>

#include "sync/session_int.h"

int qm__ranging(const qm__space *sp) {
  return sp->range != QM_STEP_NONE && sp->range != QM_STEP_DONE;
}

/* --- client --- */

static int over(qm_session *s, qm__space *sp) {
  sp->range = QM_STEP_DONE;
  if (sp->repaired) {
    sp->notes |= QM_NOTE_REPAIRED;
    sp->check = QM_STEP_WANT;
  } else {
    sp->notes |= QM_NOTE_DIFFER;
  }
  qm__enqueue(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}

void qm__range_begin(qm_session *s, qm__space *sp) {
  sp->range = QM_STEP_WANT;
  sp->ranges = 0;
  sp->repaired = 0;
  qm__enqueue(s, sp);
}

int qm__ask_range(qm_session *s, qm__space *sp, qm_event *ev) {
  if (sp->range != QM_STEP_WANT || s->asked[QM_EV_RANGE]) return 0;
  if (qm__out_n(s) >= QM_SYNC_OUT_SOFT) return 0;
  sp->range = QM_STEP_ASKED;
  return qm__ask(s, ev, QM_EV_RANGE, sp) != NULL;
}

int qm__done_range(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->range != QM_STEP_ASKED) return QM_OK;
  if (rc == QM_ECUT) sp->news |= s->live; /* the whole state is to be replaced: another round */
  if (rc != QM_OK && rc != QM_ECUT && !qm__stops_space(rc))
    return qm__fail(s, rc, "search: %s", qm_err_text(rc));
  if (rc == QM_OK) sp->repaired += r->part;
  if (rc != QM_OK || r->blob.n == 0) return over(s, sp);
  if (sp->ranges == QM_RANGE_STEPS_MAX || s->ranges == QM_SYNC_RANGES_MAX) return over(s, sp);
  sp->ranges++;
  s->ranges++;
  sp->range = QM_STEP_SENT;
  qm_msg_range m = {sp->id, r->blob};
  return qm__wrote(s, qm_msg_range_put(&s->out, &m));
}

/* --- server --- */

int qm__done_range_answer(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->range != QM_STEP_ASKED) return QM_OK;
  sp->range = QM_STEP_SENT;
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "search: %s", qm_err_text(rc));
  qm_msg_range m = {.space = sp->id}; /* empty: the search is over */
  if (rc == QM_OK) m.content = r->blob;
  if (rc == QM_OK && r->part) {
    sp->repaired += r->part;
    sp->notes |= QM_NOTE_REPAIRED;
    qm__enqueue(s, sp);
  }
  return qm__wrote(s, qm_msg_range_put(&s->out, &m));
}

/* --- both --- */

static int hold(qm_session *s, qm__space *sp, qm_event_kind kind, qm_slice content) {
  qm_event *ev = qm__hold(s, kind, &sp->id);
  sp->range = QM_STEP_ASKED;
  if (!qm__ask(s, ev, kind, sp)) {
    s->held_is = 0;
    return QM_OK;
  }
  ev->blob = content;
  return QM_OK;
}

int qm__on_range(qm_session *s, qm_slice body) {
  qm_msg_range m;
  QM_TRY(qm_msg_range_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp) return QM_EPROTO;
  if (s->role == QM_CLIENT) {
    if (sp->range != QM_STEP_SENT) return QM_EPROTO;
    return m.content.n ? hold(s, sp, QM_EV_RANGE, m.content) : over(s, sp);
  }
  if (sp->check != QM_STEP_DONE || sp->compare != QM_COMPARE_DIFFER || sp->checked)
    return QM_EPROTO;
  if (sp->range == QM_STEP_ASKED || m.content.n == 0) return QM_EPROTO;
  if (sp->ranges == QM_RANGE_STEPS_MAX || s->ranges == QM_SYNC_RANGES_MAX) return QM_EPROTO;
  sp->ranges++;
  s->ranges++;
  return hold(s, sp, QM_EV_RANGE_ANSWER, m.content);
}
