/* Compact pushes in a session that stays (S8.15): one segment at a time, without a round. A
 * client pushes what its hub lacks and waits for ACK or NEWS; a hub hands on what another
 * session brought, and waits for nothing. Whoever cannot take one opens a round, and what is in
 * a round already is dropped: its VVs say that it is lacking. */
#include <string.h>

#include "core/cur.h"
#include "sync/session_int.h"

enum { PUSH = 0, TAKEN = 1, WHATS = 2 };
/* The first byte: what in the upper two bits, the place of the space in the lower six. */
#define PLACE_MAX 63u

static int is_stopped(const qm__space *sp) { return sp->refusing || sp->refused || sp->stopped; }

/* --- writing --- */

static size_t varint_size(uint64_t v) {
  size_t n = 1;
  while (v >>= 7) n++;
  return n;
}

static int put(qm_session *s, const qm__space *sp, unsigned what, qm_slice blob) {
  uint32_t place = (uint32_t)(sp - s->spaces);
  size_t n = 1 + blob.n + (place < PLACE_MAX ? 0 : varint_size(place - PLACE_MAX));
  if (n > QM_SYNC_SHORT_MAX) return QM_ELIMIT;
  qm_wire_short(&s->out, n);
  qm_buf_byte(&s->out, (uint8_t)(what << 6 | (place < PLACE_MAX ? place : PLACE_MAX)));
  if (place >= PLACE_MAX) qm_buf_varint(&s->out, place - PLACE_MAX);
  if (blob.n) qm_buf_add(&s->out, blob.p, blob.n);
  return qm__wrote(s, qm_buf_status(&s->out));
}

static void wants_round(qm_session *s, qm__space *sp) {
  sp->news = sp->round = 1;
  qm__enqueue(s, sp);
}

/* --- a client's own --- */

int qm__small_wants(const qm_session *s, const qm__space *sp) {
  if (s->role != QM_CLIENT || s->proto < 2 || !sp->news || sp->round) return 0;
  return sp->smalls < QM_SYNC_SMALL_MAX && qm__live_rests(s, sp);
}

int qm__small_ask(qm_session *s, qm__space *sp, qm_event *ev) {
  if (s->state != QM_S_OPEN || !qm__small_wants(s, sp)) return 0;
  if (s->asked[QM_EV_SMALL] || qm__out_n(s) >= QM_SYNC_OUT_SOFT) return 0;
  if (!qm__ask(s, ev, QM_EV_SMALL, sp)) return 0;
  sp->news = 0;
  sp->small = QM_STEP_ASKED;
  return 1;
}

int qm__done_small(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->small != QM_STEP_ASKED) return QM_OK; /* the hub opened a round meanwhile */
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "push: %s", qm_err_text(rc));
  sp->small = QM_STEP_NONE;
  if (rc == QM_ENOTFOUND) {
    qm__enqueue(s, sp); /* there may be news since */
    return QM_OK;
  }
  if (rc != QM_OK) {
    wants_round(s, sp);
    return QM_OK;
  }
  QM_TRY(put(s, sp, PUSH, r->blob));
  sp->small = QM_STEP_SENT;
  sp->small_end = r->vv.p[0];
  sp->progress.bytes_up += r->blob.n;
  return QM_OK;
}

static int on_taken(qm_session *s, qm__space *sp, qm_cur *c) {
  QM_TRY(qm_cur_end(c));
  if (s->role != QM_CLIENT || sp->small != QM_STEP_SENT) return QM_EPROTO;
  sp->small = QM_STEP_NONE;
  sp->smalls++;
  sp->progress.taken_up++;
  sp->notes |= QM_NOTE_PROGRESS;
  qm__enqueue(s, sp);
  qm_event *ev = qm__hold(s, QM_EV_SAFE, &sp->id);
  ev->vv.p = &sp->small_end;
  ev->vv.n = ev->count = 1;
  return QM_OK;
}

/* --- a hub's --- */

int qm_session_relay(qm_session *s, const qm_id *space, qm_slice small) {
  qm__space *sp = s->proto >= 2 && s->live_on && s->state == QM_S_OPEN ? qm__find(s, space) : NULL;
  int can = sp && s->role == QM_SERVER && sp->done && sp->rest && !is_stopped(sp) && !sp->news;
  if (!can || small.n > QM_SMALL_MAX || qm__out_n(s) >= QM_SYNC_SHORT_SOFT)
    return qm_session_news(s, space);
  return put(s, sp, PUSH, small) == QM_OK;
}

/* --- taking one --- */

static int on_push(qm_session *s, qm__space *sp, qm_slice blob) {
  int rests = sp->done && !is_stopped(sp) && (s->role == QM_CLIENT || sp->rest);
  if (!rests) { /* it crossed NEWS of this side, and the round brings it */
    int crossed = !sp->done && sp->news_sent && !sp->news_got && !sp->vv_got;
    return crossed ? QM_OK : QM_EPROTO;
  }
  if (s->role == QM_SERVER && sp->commits) return QM_EPROTO; /* it waits for an answer */
  if (!sp->writable) {
    wants_round(s, sp); /* where it is refused */
    return QM_OK;
  }
  qm_event *ev = qm__hold(s, QM_EV_COMMIT, &sp->id);
  qm__slot *slot = qm__ask(s, ev, QM_EV_COMMIT, sp);
  if (!slot) {
    s->held_is = 0;
    return QM_OK;
  }
  ev->blob = blob;
  ev->schema = sp->schema;
  slot->small = 1;
  slot->bytes = (uint32_t)blob.n;
  sp->commits++;
  return QM_OK;
}

int qm__done_small_commit(qm_session *s, qm__slot *slot, int rc, const qm_reply *r) {
  qm__space *sp = &s->spaces[slot->space];
  uint32_t bytes = slot->bytes;
  sp->commits--;
  qm__slot_free(s, slot);
  if (rc != QM_OK && rc != QM_EGAP && !qm__stops_space(rc))
    return qm__fail(s, rc, "commit: %s", qm_err_text(rc));
  if (sp->done && sp->news) qm__enqueue(s, sp);
  if (!sp->done) { /* a round has begun since */
    qm__check_done(s, sp);
    return QM_OK;
  }
  if (rc != QM_OK || !r->taken) {
    wants_round(s, sp);
    return QM_OK;
  }
  if (sp->smalls < UINT16_MAX) sp->smalls++;
  sp->progress.bytes_down += bytes;
  sp->progress.taken_down += r->taken;
  sp->notes |= QM_NOTE_PROGRESS;
  qm__enqueue(s, sp);
  if (s->role == QM_CLIENT) return QM_OK;
  if (r->is_other) wants_round(s, sp); /* it gets the entries */
  return put(s, sp, TAKEN, qm_slice_of(NULL, 0));
}

int qm__on_short(qm_session *s, qm_slice body) {
  qm_cur c;
  qm_slice rest;
  uint8_t first = 0;
  uint64_t more = 0;
  if (s->state != QM_S_OPEN || !s->live_on) return QM_EPROTO;
  qm_cur_init(&c, body);
  QM_TRY(qm_cur_byte(&c, &first));
  if ((first & PLACE_MAX) == PLACE_MAX) QM_TRY(qm_cur_varint(&c, &more));
  if (more >= s->n_spaces || (first & PLACE_MAX) + more >= s->n_spaces) return QM_EPROTO;
  qm__space *sp = &s->spaces[(first & PLACE_MAX) + more];
  if (first >> 6 == TAKEN) return on_taken(s, sp, &c);
  if (first >> 6 != PUSH) return QM_EPROTO;
  QM_TRY(qm_cur_span(&c, qm_cur_left(&c), &rest));
  return qm_is_small(rest) ? on_push(s, sp, rest) : QM_EPROTO;
}
