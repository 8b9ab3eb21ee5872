/* Set-aside entries: they travel before the changes of a space, each way (S8.6). */
#include <string.h>

#include "sync/session_int.h"

static qm_aside_counts own(const qm__space *sp) {
  return (qm_aside_counts){sp->asides, sp->n_asides};
}

static qm_aside_counts peers(const qm__space *sp) {
  return (qm_aside_counts){sp->peer_asides, sp->n_peer_asides};
}

/* Both sides have said what they hold. */
static int known(const qm__space *sp) { return sp->vv_got && sp->in >= QM_IN_OPEN; }

static int is_stopped(const qm__space *sp) { return sp->refusing || sp->refused; }

/* After its END only a hub sends any: what it set aside of what it took, before SAFE. Anybody
 * else's peer may be done by then; what was learnt meanwhile goes with the next session. */
static int is_late(const qm_session *s, const qm__space *sp) {
  return sp->out == QM_OUT_ENDED && !(s->hub && s->role == QM_SERVER);
}

void qm__asides_end(const qm_session *s, qm__space *sp) {
  if (sp->aside == QM_STEP_WANT && is_late(s, sp)) sp->aside = QM_STEP_DONE;
}

int qm__asides_due(const qm__space *sp) {
  if (sp->n_peer_asides == 0 || is_stopped(sp)) return 0;
  return !known(sp) || sp->asides_in != 0 || !qm_aside_includes(own(sp), peers(sp));
}

int qm__asides_wanted(const qm__space *sp) {
  return !is_stopped(sp) && (sp->aside == QM_STEP_WANT || sp->aside == QM_STEP_ASKED);
}

int qm__asides_keep(qm_session *s, qm__space *sp, qm_aside_counts v, int of_peer) {
  qm_aside_count **to = of_peer ? &sp->peer_asides : &sp->asides;
  uint32_t *n = of_peer ? &sp->n_peer_asides : &sp->n_asides;
  if (v.n) {
    qm_aside_count *p = qm_realloc_array(s->env, *to, v.n, sizeof *p);
    if (!p) return QM_ENOMEM;
    memcpy(p, v.p, v.n * sizeof *p);
    *to = p;
  }
  *n = v.n;
  if (known(sp) && sp->aside != QM_STEP_ASKED)
    sp->aside = qm_aside_includes(peers(sp), own(sp)) ? QM_STEP_DONE : QM_STEP_WANT;
  qm__asides_end(s, sp);
  return QM_OK;
}

int qm__ask_aside(qm_session *s, qm__space *sp, qm_event *ev) {
  if (sp->aside != QM_STEP_WANT || is_stopped(sp)) return 0;
  if (s->asked[QM_EV_ASIDE_READ] || qm__out_n(s) >= QM_SYNC_OUT_SOFT) return 0;
  sp->aside = QM_STEP_ASKED;
  if (!qm__ask(s, ev, QM_EV_ASIDE_READ, sp)) return 0;
  ev->asides = peers(sp);
  return 1;
}

int qm__done_aside_read(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->aside != QM_STEP_ASKED) return QM_OK;
  sp->aside = QM_STEP_DONE;
  qm__enqueue(s, sp);
  if (is_stopped(sp) || is_late(s, sp) || rc == QM_ENOTFOUND) {
    qm__check_done(s, sp);
    return QM_OK;
  }
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "entries: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  qm_msg_aside m = {sp->id, r->blob};
  QM_TRY(qm__wrote(s, qm_msg_aside_put(&s->out, &m)));
  rc = qm__asides_keep(s, sp, r->asides, 0); /* they may have grown in another session */
  if (rc == QM_OK) rc = qm__asides_keep(s, sp, r->peer_asides, 1);
  if (rc != QM_OK) return qm__fail(s, rc, "entries: %s", qm_err_text(rc));
  qm__check_done(s, sp);
  return QM_OK;
}

int qm__on_aside(qm_session *s, qm_slice body) {
  qm_msg_aside m;
  QM_TRY(qm_msg_aside_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !(sp->agreed & QM_AGREED_SYNC)) return QM_EPROTO;
  if (is_stopped(sp)) return QM_OK; /* it was under way */
  if (!known(sp) || sp->done) return QM_EPROTO;
  qm_event *ev = qm__hold(s, QM_EV_ASIDE, &sp->id);
  if (!qm__ask(s, ev, QM_EV_ASIDE, sp)) {
    s->held_is = 0;
    return QM_OK;
  }
  ev->blob = m.entries;
  ev->asides = peers(sp);
  sp->asides_in++;
  return QM_OK;
}

int qm__done_aside(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  sp->asides_in--;
  qm__enqueue(s, sp);
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "entries: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  /* The peer has what came from it, whatever its VV said: a hub's grow meanwhile. */
  rc = qm__asides_keep(s, sp, r->peer_asides, 1);
  if (rc == QM_OK) rc = qm__asides_keep(s, sp, r->asides, 0);
  if (rc != QM_OK) return qm__fail(s, rc, "entries: %s", qm_err_text(rc));
  qm__check_done(s, sp);
  return QM_OK;
}
