/* A session that stays (S8.13). Once every space is done the client says START, and from
 * then on each side may open another *round* of a space that rests by NEWS: the space goes
 * once more through S8.6, from the VVs to the digest, with all that stands there. So what is
 * new waits as one bit a space, however slow the peer is, and is read from the log when its
 * turn comes.
 *
 * A space rests on a client when it is done, which it then says by REST; on a hub from that
 * on. Both may open a round at once: their NEWS cross, and it is one round. A space that was
 * stopped rests until the next session. */
#include <string.h>

#include "sync/session_int.h"

static int put(qm_session *s, const qm_id *space, uint32_t what) {
  qm_msg_live m = {.what = what};
  if (space) m.space = *space;
  return qm__wrote(s, qm_msg_live_put(&s->out, &m));
}

static int is_stopped(const qm__space *sp) { return sp->refusing || sp->refused || sp->stopped; }

static int rests(const qm_session *s, const qm__space *sp) {
  return s->live_on && sp->done && !is_stopped(sp) && (s->role == QM_CLIENT || sp->rest);
}

/* What was pushed in its compact form is answered first. */
int qm__live_rests(const qm_session *s, const qm__space *sp) {
  return rests(s, sp) && sp->small == QM_STEP_NONE && sp->commits == 0;
}

/* What the driver has not been told yet of the round before is kept. */
static void open_round(qm_session *s, qm__space *sp, int own) {
  sp->agreed |= QM_AGREED_SYNC;
  sp->in = QM_IN_NEW;
  sp->out = QM_OUT_WAIT;
  sp->check = sp->safe = QM_STEP_NONE;
  sp->vv_got = sp->done = sp->rest = 0;
  sp->news_sent = (uint8_t)own;
  sp->news_got = (uint8_t)!own;
  sp->seq_out = sp->acked_out = sp->seq_in = sp->acked_in = 0;
  sp->taking = QM_TAKE_NONE;
  sp->offered = sp->wanted = sp->joined = 0;
  sp->part_out = sp->parts_out = sp->part_seen = sp->part_in = sp->parts_in = 0;
  sp->cursor = 0;
  qm__drop_least(s, sp);
  sp->ask = 0;
  sp->range = QM_STEP_NONE;
  sp->ranges = sp->checked = 0;
  sp->compare = QM_COMPARE_NONE;
  sp->small = QM_STEP_NONE; /* S8.15: the round brings it */
  sp->round = 0;
  sp->smalls = 0;
  s->todo++;
  s->open++;
  qm__enqueue(s, sp);
}

int qm__live_wants(const qm_session *s, const qm__space *sp) {
  return s->state == QM_S_OPEN && sp->news && qm__live_rests(s, sp) && !qm__small_wants(s, sp);
}

int qm__live_step(qm_session *s, qm__space *sp) {
  if (!qm__live_wants(s, sp) || s->open >= QM_SYNC_OPEN_MAX) return QM_OK;
  if (qm__out_n(s) >= QM_SYNC_OUT_SOFT) return QM_OK;
  sp->news = 0;
  QM_TRY(put(s, &sp->id, QM_LIVE_NEWS));
  open_round(s, sp, 1);
  return QM_OK;
}

int qm_session_news(qm_session *s, const qm_id *space) {
  /* Both lists may be of before it: then each space counts as having news. */
  if (s->live && s->state < QM_S_OPEN) s->news_early = 1;
  qm__space *sp = s->live && s->state == QM_S_OPEN ? qm__find(s, space) : NULL;
  if (!sp || is_stopped(sp)) return 0;
  sp->news = 1;
  qm__enqueue(s, sp);
  return 1;
}

int qm__live_start(qm_session *s) {
  s->live_on = s->owes_live = 1;
  if (s->proto >= 2) qm_wire_take_short(&s->wire);
  for (uint32_t i = 0; i < s->n_spaces; i++)
    if (s->spaces[i].news) qm__enqueue(s, &s->spaces[i]);
  return put(s, NULL, QM_LIVE_START);
}

void qm__live_done(qm_session *s, qm__space *sp) {
  if (is_stopped(sp)) sp->stopped = 1;
  if (s->live_on && s->role == QM_CLIENT) (void)put(s, &sp->id, QM_LIVE_REST);
}

/* --- what arrives --- */

static int on_start(qm_session *s) {
  if (s->role == QM_CLIENT || s->live_on || s->todo != 0) return QM_EPROTO;
  s->live_on = s->owes_live = 1;
  if (s->proto >= 2) qm_wire_take_short(&s->wire);
  for (uint32_t i = 0; i < s->n_spaces; i++) {
    s->spaces[i].rest = 1;
    s->spaces[i].news |= s->news_early;
    if (s->spaces[i].news) qm__enqueue(s, &s->spaces[i]);
  }
  return QM_OK;
}

static int on_news(qm_session *s, qm__space *sp) {
  if (rests(s, sp)) {
    open_round(s, sp, 0);
    return QM_OK;
  }
  if (sp->done || !sp->news_sent || sp->news_got || sp->vv_got) return QM_EPROTO;
  sp->news_got = 1; /* it crossed ours */
  return QM_OK;
}

static int on_rest(qm_session *s, qm__space *sp) {
  if (s->role == QM_CLIENT || !sp->done || sp->rest) return QM_EPROTO;
  sp->rest = 1;
  if (sp->news) qm__enqueue(s, sp);
  return QM_OK;
}

static int on_ping(qm_session *s) {
  return s->role == QM_SERVER ? put(s, NULL, QM_LIVE_PONG) : QM_EPROTO;
}

static int on_pong(qm_session *s) {
  if (s->role == QM_SERVER || !s->live_pinged) return QM_EPROTO;
  s->live_pinged = 0;
  return QM_OK;
}

int qm__on_live(qm_session *s, qm_slice body) {
  qm_msg_live m;
  QM_TRY(qm_msg_live_get(&m, body));
  if (!s->live) return QM_EPROTO;
  if (m.what == QM_LIVE_START) return on_start(s);
  if (!s->live_on) return QM_EPROTO;
  if (m.what == QM_LIVE_PING) return on_ping(s);
  if (m.what == QM_LIVE_PONG) return on_pong(s);
  qm__space *sp = qm__find(s, &m.space);
  if (!sp) return QM_EPROTO;
  return m.what == QM_LIVE_NEWS ? on_news(s, sp) : on_rest(s, sp);
}

/* --- time: a client asks whether the hub is still there, and hears it in time or leaves --- */

static int is_asking(const qm_session *s) {
  return s->live_on && s->role == QM_CLIENT && s->state == QM_S_OPEN;
}

uint64_t qm__live_deadline(const qm_session *s) {
  if (!is_asking(s)) return UINT64_MAX;
  if (s->live_pinged) return s->live_ping_ms + QM_SYNC_LIVE_PONG_MS;
  return s->mark_ms + QM_SYNC_LIVE_PING_MS;
}

int qm__live_tick(qm_session *s, uint64_t now_ms) {
  if (!is_asking(s) || now_ms < qm__live_deadline(s)) return QM_OK;
  if (s->live_pinged)
    return qm__fail(s, QM_ETIMEOUT, "no answer for %u ms", (unsigned)QM_SYNC_LIVE_PONG_MS);
  /* S8.15: a quiet moment to compare what compact pushes have made. */
  for (uint32_t i = 0; i < s->n_spaces; i++) {
    qm__space *sp = &s->spaces[i];
    if (!sp->smalls || !qm__live_rests(s, sp)) continue;
    sp->news = sp->round = 1;
    qm__enqueue(s, sp);
  }
  s->live_pinged = 1;
  s->live_ping_ms = s->mark_ms = now_ms;
  return put(s, NULL, QM_LIVE_PING);
}
