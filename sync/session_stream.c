/* The stream of changes: batches out with credit, batches in through the driver's commits,
 * ACK only for what is durable (S8.6, S8.7). */
#include <string.h>

#include "sync/session_int.h"

/* --- sending --- */

/* I2: the batch's size is not known before it is asked for. */
int qm__may_next(const qm_session *s) { return s->credit_out >= QM_SYNC_BODY_MAX; }

int qm__send_end(qm_session *s, qm__space *sp) {
  qm_msg_end m = {sp->id};
  sp->out = QM_OUT_ENDED;
  qm__asides_end(s, sp);
  qm__drop_vv(s, sp);
  return qm__wrote(s, qm_msg_end_put(&s->out, &m));
}

int qm__done_next(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->out != QM_OUT_NEXT) return QM_OK; /* stopped meanwhile */
  if (rc == QM_ENOTFOUND) {
    QM_TRY(qm__send_end(s, sp));
    qm__check_done(s, sp);
    return QM_OK;
  }
  if (rc == QM_ECUT) return qm__needs_state(s, sp);
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "log: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  qm_msg_batch m = {sp->id, ++sp->seq_out, r->blob};
  size_t before = s->out.n;
  QM_TRY(qm__wrote(s, qm_msg_batch_put(&s->out, &m)));
  s->credit_out -= (uint32_t)(s->out.n - before - QM_SYNC_HEAD_SIZE);
  sp->cursor = r->cursor;
  sp->out = QM_OUT_SEND;
  sp->progress.bytes_up += r->blob.n;
  qm__enqueue(s, sp);
  return QM_OK;
}

int qm__on_ack(qm_session *s, qm_slice body) {
  qm_msg_ack m;
  QM_TRY(qm_msg_ack_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || m.seq != sp->acked_out + 1 || m.seq > sp->seq_out) return QM_EPROTO;
  sp->acked_out = m.seq;
  sp->progress.taken_up += m.taken;
  sp->notes |= QM_NOTE_PROGRESS;
  qm__enqueue(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}

int qm__on_credit(qm_session *s, qm_slice body) {
  qm_msg_credit m;
  QM_TRY(qm_msg_credit_get(&m, body));
  if (m.bytes > QM_SYNC_WINDOW - s->credit_out) return QM_EPROTO;
  s->credit_out += m.bytes;
  return QM_OK;
}

/* Of one author: told to the driver. Of the space: what is under way is lost to it, END
 * follows at once. */
int qm__on_refused(qm_session *s, qm_slice body) {
  static const qm_author zero;
  qm_msg_refused m;
  QM_TRY(qm_msg_refused_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp) return QM_EPROTO;
  if (qm_author_cmp(&m.author, &zero) != 0) {
    qm_event *ev = qm__hold(s, QM_EV_REFUSED, &sp->id);
    ev->author = m.author;
    ev->counter = m.counter;
    ev->code = m.code;
    ev->message = m.message;
    return QM_OK;
  }
  if (sp->refused) return QM_EPROTO;
  sp->refused = 1;
  sp->code_peer = m.code;
  sp->acked_out = sp->seq_out;
  sp->grant = QM_STEP_DONE;
  sp->notes |= QM_NOTE_STOPPED_BY_PEER;
  if ((sp->agreed & QM_AGREED_SYNC) && sp->out != QM_OUT_ENDED) QM_TRY(qm__send_end(s, sp));
  qm__enqueue(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}

/* --- receiving --- */

int qm__return_credit(qm_session *s, uint32_t bytes) {
  s->owed_in += bytes;
  if (s->owed_in < QM_SYNC_CREDIT_STEP) return QM_OK;
  qm_msg_credit m = {s->owed_in};
  s->credit_in += s->owed_in;
  s->owed_in = 0;
  return qm__wrote(s, qm_msg_credit_put(&s->out, &m));
}

/* S8.6: a space that is not in the list is refused alone. */
static int refuse_foreign(qm_session *s, const qm_id *space, uint32_t bytes) {
  const char *text = qm_err_text(QM_EACCESS);
  if (++s->foreign > QM_SYNC_FOREIGN_MAX) return QM_EPROTO;
  qm_msg_refused m = {
      .space = *space, .code = QM_EACCESS, .message = qm_slice_of(text, strlen(text))};
  QM_TRY(qm__wrote(s, qm_msg_refused_put(&s->out, &m)));
  return qm__return_credit(s, bytes);
}

int qm__on_batch(qm_session *s, qm_slice body) {
  qm_msg_batch m;
  QM_TRY(qm_msg_batch_get(&m, body));
  uint32_t bytes = (uint32_t)body.n;
  if (bytes > s->credit_in) return QM_EPROTO;
  s->credit_in -= bytes;
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !(sp->agreed & QM_AGREED_SYNC)) return refuse_foreign(s, &m.space, bytes);
  if (!sp->vv_got || sp->in == QM_IN_ENDED) return QM_EPROTO;
  if (sp->in != QM_IN_OPEN && !sp->refusing) return QM_EPROTO;
  if (qm__asides_due(sp)) return QM_EPROTO;
  if (m.seq != sp->seq_in + 1) return QM_EPROTO;
  /* A state is not interrupted. */
  if (sp->taking != QM_TAKE_NONE && sp->taking != QM_TAKE_DONE && !sp->refusing) return QM_EPROTO;
  sp->seq_in = m.seq;
  if (!sp->writable && !sp->refusing) QM_TRY(qm__stop(s, sp, QM_EACCESS, 0));
  if (sp->refusing) return qm__return_credit(s, bytes);
  qm_event *ev = qm__hold(s, QM_EV_COMMIT, &sp->id);
  qm__slot *slot = qm__ask(s, ev, QM_EV_COMMIT, sp);
  if (!slot) {
    s->held_is = 0;
    return QM_OK;
  }
  ev->seq = slot->seq = m.seq;
  ev->blob = m.blob;
  ev->schema = sp->schema;
  slot->bytes = bytes;
  sp->commits++;
  return QM_OK;
}

int qm__on_end(qm_session *s, qm_slice body) {
  qm_msg_end m;
  QM_TRY(qm_msg_end_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !(sp->agreed & QM_AGREED_SYNC) || sp->in == QM_IN_ENDED) return QM_EPROTO;
  int stopped = sp->refusing || sp->refused;
  if (!stopped && (sp->in != QM_IN_OPEN || !sp->vv_got || qm__asides_due(sp))) return QM_EPROTO;
  /* A giver waits until its state has taken effect. */
  if (!stopped && (sp->taking == QM_TAKE_WHOLE || sp->taking == QM_TAKE_JOINING)) return QM_EPROTO;
  sp->in = QM_IN_ENDED;
  qm__check_done(s, sp);
  return QM_OK;
}

static qm__slot *answered(qm_session *s, uint32_t space, uint32_t seq, int any) {
  for (size_t i = 0; i < QM_SYNC_TICKETS_MAX; i++) {
    qm__slot *slot = &s->slots[i];
    if (slot->ticket && slot->answered && slot->space == space && (any || slot->seq == seq))
      return slot;
  }
  return NULL;
}

static int settle(qm_session *s, qm__space *sp, qm__slot *slot) {
  uint32_t bytes = slot->bytes;
  sp->commits--;
  qm__slot_free(s, slot);
  return qm__return_credit(s, bytes);
}

/* S8.6: ACKs of a space stand in order of seq, whatever the order of the answers; a space
 * that is refused as a whole gets no more. */
static int flush(qm_session *s, qm__space *sp) {
  uint32_t at = (uint32_t)(sp - s->spaces);
  for (;;) {
    qm__slot *slot = answered(s, at, sp->acked_in + 1, sp->refusing);
    if (!slot) break;
    if (!sp->refusing) {
      qm_msg_ack m = {sp->id, slot->seq, slot->taken, slot->known, slot->parked};
      QM_TRY(qm__wrote(s, qm_msg_ack_put(&s->out, &m)));
      sp->acked_in = slot->seq;
    }
    QM_TRY(settle(s, sp, slot));
  }
  qm__check_done(s, sp);
  return QM_OK;
}

static int put_refusals(qm_session *s, const qm__space *sp, const qm_reply *r) {
  uint32_t n = r->n_refusals < QM_SYNC_REFUSALS_MAX ? r->n_refusals : QM_SYNC_REFUSALS_MAX;
  for (uint32_t i = 0; i < n; i++) {
    const qm_refusal *x = &r->refusals[i];
    const char *end = memchr(x->message, '\0', sizeof x->message);
    size_t len = end ? (size_t)(end - x->message) : sizeof x->message;
    qm_msg_refused m = {.space = sp->id,
                        .author = x->author,
                        .counter = x->counter,
                        .code = x->code,
                        .message = qm_slice_of(x->message, len)};
    QM_TRY(qm__wrote(s, qm_msg_refused_put(&s->out, &m)));
  }
  return QM_OK;
}

int qm__done_commit(qm_session *s, qm__slot *slot, int rc, const qm_reply *r) {
  qm__space *sp = &s->spaces[slot->space];
  if (slot->small) return qm__done_small_commit(s, slot, rc, r);
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "commit: %s", qm_err_text(rc));
  slot->answered = 1;
  if (rc != QM_OK) {
    QM_TRY(qm__stop(s, sp, rc, rc == QM_EFORK));
    return flush(s, sp);
  }
  slot->taken = r->taken;
  slot->known = r->known;
  slot->parked = r->parked;
  sp->progress.bytes_down += slot->bytes;
  sp->progress.taken_down += r->taken;
  sp->progress.known_down += r->known;
  sp->progress.parked_down += r->parked;
  sp->notes |= QM_NOTE_PROGRESS;
  qm__enqueue(s, sp);
  int judges = s->hub && s->role == QM_SERVER;
  if (judges && r->asides.n && qm__asides_keep(s, sp, r->asides, 0) != QM_OK)
    return qm__fail(s, QM_ENOMEM, "entries");
  if (!sp->refusing) QM_TRY(put_refusals(s, sp, r));
  return flush(s, sp);
}
