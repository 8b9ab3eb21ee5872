/* States on their way (S8.12). The giver offers its kept snapshot, the taker says from which
 * part it goes on, parts come with credit as batches do, and the taker says when the state
 * has taken effect; what lies above the snapshot follows as batches. */
#include <string.h>

#include "core/hash.h"
#include "sync/session_int.h"

/* --- giving --- */

/* An END before the state is whole takes it back; what is staged stays with the taker. */
static int give_up(qm_session *s, qm__space *sp) {
  QM_TRY(qm__send_end(s, sp));
  qm__check_done(s, sp);
  return QM_OK;
}

int qm__needs_state(qm_session *s, qm__space *sp) {
  /* One a session; and where this side has joined one itself, its log no longer goes on
     from what the peer said: the rest comes with the next session. */
  if (sp->offered || sp->taking != QM_TAKE_NONE) return give_up(s, sp);
  sp->out = QM_OUT_STATE;
  qm__enqueue(s, sp);
  return QM_OK;
}

/* What the peer asked for cannot be had here; what changes there are it gets. */
static int none_for_peer(qm_session *s, qm__space *sp) {
  sp->ask = 2;
  sp->out = QM_OUT_SEND;
  qm__enqueue(s, sp);
  return QM_OK;
}

int qm__done_state(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  qm_hash hash;
  int asked_for = sp->ask == 1;
  if (sp->out != QM_OUT_OFFERING) return QM_OK; /* stopped meanwhile */
  qm__drop_least(s, sp);
  if (rc == QM_ENOTFOUND) return asked_for ? none_for_peer(s, sp) : give_up(s, sp);
  sp->ask = asked_for ? 2 : 0;
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "state: %s", qm_err_text(rc));
  if (rc == QM_OK) rc = qm__keep_vv(s, sp, r->vv);
  if (rc == QM_ENOMEM) return qm__fail(s, rc, "state: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  qm_sha256(r->blob.p, r->blob.n, &hash);
  memcpy(sp->snapshot, hash.b, sizeof sp->snapshot);
  sp->parts_out = r->parts;
  sp->offered = 1;
  sp->out = QM_OUT_OFFERED;
  qm_msg_state_begin m = {sp->id, r->blob};
  return qm__wrote(s, qm_msg_state_begin_put(&s->out, &m));
}

static void go_on(qm_session *s, qm__space *sp) {
  sp->out = sp->part_out == sp->parts_out ? QM_OUT_JOINING : QM_OUT_PART;
  qm__enqueue(s, sp);
}

int qm__done_state_read(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->out != QM_OUT_READING) return QM_OK;
  if (rc == QM_ENOTFOUND) return give_up(s, sp); /* another snapshot has taken its place */
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "state: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  qm_msg_state_part m = {sp->id, sp->part_out++, r->blob};
  size_t before = s->out.n;
  QM_TRY(qm__wrote(s, qm_msg_state_part_put(&s->out, &m)));
  s->credit_out -= (uint32_t)(s->out.n - before - QM_SYNC_HEAD_SIZE);
  sp->progress.bytes_up += r->blob.n;
  go_on(s, sp);
  return QM_OK;
}

int qm__on_state_want(qm_session *s, qm_slice body) {
  qm_msg_state_want m;
  QM_TRY(qm_msg_state_want_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !sp->offered || sp->wanted) return QM_EPROTO;
  sp->wanted = 1;
  if (m.part > sp->parts_out) return QM_EPROTO;
  if (sp->out != QM_OUT_OFFERED) return QM_OK; /* it crossed our END */
  sp->part_out = m.part;
  go_on(s, sp);
  return QM_OK;
}

int qm__on_state_end(qm_session *s, qm_slice body) {
  qm_msg_state_end m;
  QM_TRY(qm_msg_state_end_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !sp->wanted || sp->joined) return QM_EPROTO;
  sp->joined = 1;
  if (sp->out == QM_OUT_ENDED) return QM_OK; /* it crossed our END */
  if (!m.taken) return give_up(s, sp);
  if (sp->out != QM_OUT_JOINING) return QM_EPROTO;
  sp->out = QM_OUT_SEND;
  qm__enqueue(s, sp);
  return QM_OK;
}

/* --- taking --- */

/* A hub takes changes only, unless it is being recovered. */
static int takes_states(const qm_session *s) {
  return s->role == QM_CLIENT || !s->hub || (s->options.flags & QM_SESSION_RECOVER);
}

int qm__state_ask(qm_session *s, qm__space *sp, const qm_reply *r) {
  if (!r->ask || !takes_states(s)) return QM_OK;
  qm_msg_state_ask m = {sp->id, r->safe_vv};
  return qm__wrote(s, qm_msg_state_ask_put(&s->out, &m));
}

/* --- being asked --- */

void qm__drop_least(qm_session *s, qm__space *sp) {
  qm_free(s->env, sp->least);
  s->vv_kept -= sp->n_least;
  sp->least = NULL;
  sp->n_least = 0;
}

int qm__on_state_ask(qm_session *s, qm_slice body) {
  qm_msg_state_ask m;
  QM_TRY(qm_msg_state_ask_get(&m, body, &s->arena));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !(sp->agreed & QM_AGREED_SYNC) || sp->vv_got || sp->ask) return QM_EPROTO;
  if (s->role == QM_CLIENT && s->hub && !s->recover) return QM_EPROTO;
  if (s->role == QM_CLIENT && sp->grant == QM_STEP_WANT) return QM_EPROTO;
  if (sp->in == QM_IN_ENDED) return QM_EPROTO;
  sp->ask = 1;
  if (m.least.n > QM_SYNC_VV_KEPT_MAX - s->vv_kept) return QM_ELIMIT;
  if (m.least.n == 0) return QM_OK;
  sp->least = qm_alloc_array(s->env, m.least.n, sizeof *sp->least);
  if (!sp->least) return QM_ENOMEM;
  memcpy(sp->least, m.least.p, m.least.n * sizeof *sp->least);
  sp->n_least = m.least.n;
  s->vv_kept += m.least.n;
  return QM_OK;
}

/* --- taking, continued --- */

static int asked(qm_session *s, qm__space *sp, qm_event_kind kind, uint32_t bytes, qm_slice blob,
                 uint32_t part) {
  qm_event *ev = qm__hold(s, kind, &sp->id);
  memcpy(ev->digest, sp->staged, sizeof ev->digest);
  qm__slot *slot = qm__ask(s, ev, kind, sp);
  if (!slot) {
    s->held_is = 0;
    return QM_OK;
  }
  ev->blob = blob;
  ev->seq = part;
  slot->bytes = bytes;
  sp->commits++;
  return QM_OK;
}

int qm__on_state_begin(qm_session *s, qm_slice body) {
  qm_msg_state_begin m;
  QM_TRY(qm_msg_state_begin_get(&m, body));
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || !(sp->agreed & QM_AGREED_SYNC) || !takes_states(s)) return QM_EPROTO;
  if (!sp->vv_got || sp->in == QM_IN_ENDED || sp->taking != QM_TAKE_NONE) return QM_EPROTO;
  if (sp->in != QM_IN_OPEN && !sp->refusing) return QM_EPROTO;
  qm_hash hash;
  qm_sha256(m.manifest.p, m.manifest.n, &hash);
  memcpy(sp->staged, hash.b, sizeof sp->staged);
  sp->taking = QM_TAKE_ASKED;
  if (!sp->writable && !sp->refusing) QM_TRY(qm__stop(s, sp, QM_EACCESS, 0));
  return sp->refusing ? QM_OK : asked(s, sp, QM_EV_STATE_STAGE, 0, m.manifest, 0);
}

/* The giver ENDs then; the next session goes on. */
static int lost(qm_session *s, qm__space *sp) {
  qm_msg_state_end m = {sp->id, 0};
  if (sp->taking == QM_TAKE_LOST || sp->refusing) return QM_OK;
  sp->taking = QM_TAKE_LOST;
  return qm__wrote(s, qm_msg_state_end_put(&s->out, &m));
}

static void joins_if_whole(qm_session *s, qm__space *sp) {
  if (sp->taking == QM_TAKE_PARTS && sp->part_in == sp->parts_in) sp->taking = QM_TAKE_WHOLE;
  qm__enqueue(s, sp);
}

int qm__done_state_stage(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  sp->commits--;
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "state: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 0);
  if (sp->refusing) {
    qm__check_done(s, sp);
    return QM_OK;
  }
  sp->taking = QM_TAKE_PARTS;
  sp->part_seen = sp->part_in = r->part;
  sp->parts_in = r->parts;
  qm_msg_state_want m = {sp->id, r->part};
  QM_TRY(qm__wrote(s, qm_msg_state_want_put(&s->out, &m)));
  joins_if_whole(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}

int qm__on_state_part(qm_session *s, qm_slice body) {
  qm_msg_state_part m;
  QM_TRY(qm_msg_state_part_get(&m, body));
  uint32_t bytes = (uint32_t)body.n;
  if (bytes > s->credit_in) return QM_EPROTO;
  qm__space *sp = qm__find(s, &m.space);
  if (!sp || sp->in == QM_IN_ENDED) return QM_EPROTO;
  if (sp->taking != QM_TAKE_PARTS && sp->taking != QM_TAKE_LOST) return QM_EPROTO;
  if (m.part != sp->part_seen || m.part >= sp->parts_in) return QM_EPROTO;
  sp->part_seen++;
  s->credit_in -= bytes;
  if (sp->refusing || sp->taking == QM_TAKE_LOST) return qm__return_credit(s, bytes);
  return asked(s, sp, QM_EV_STATE_TAKE, bytes, m.content, m.part);
}

int qm__done_state_take(qm_session *s, qm__space *sp, uint32_t bytes, int rc) {
  sp->commits--;
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "state: %s", qm_err_text(rc));
  QM_TRY(qm__return_credit(s, bytes));
  if (rc == QM_ENOTFOUND) QM_TRY(lost(s, sp));
  else if (rc != QM_OK) return qm__stop(s, sp, rc, 0);
  else sp->part_in++;
  sp->progress.bytes_down += bytes;
  sp->notes |= QM_NOTE_PROGRESS;
  if (!sp->refusing) joins_if_whole(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}

int qm__done_state_join(qm_session *s, qm__space *sp, int rc) {
  qm_msg_state_end m = {sp->id, rc == QM_OK};
  sp->commits--;
  sp->taking = QM_TAKE_DONE;
  if (rc == QM_ENOTFOUND) rc = QM_OK; /* another session was faster */
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "state: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, rc == QM_EFORK);
  if (!sp->refusing) QM_TRY(qm__wrote(s, qm_msg_state_end_put(&s->out, &m)));
  sp->notes |= QM_NOTE_PROGRESS;
  qm__enqueue(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}

/* --- asking the driver --- */

static int free_to_ask(const qm_session *s, qm_event_kind kind) { return s->asked[kind] == 0; }

int qm__ask_state(qm_session *s, qm__space *sp, qm_event *ev) {
  int room = qm__out_n(s) < QM_SYNC_OUT_SOFT;
  if (sp->taking == QM_TAKE_WHOLE && !sp->refusing && free_to_ask(s, QM_EV_STATE_JOIN)) {
    sp->taking = QM_TAKE_JOINING;
    if (!qm__ask(s, ev, QM_EV_STATE_JOIN, sp)) return 0;
    memcpy(ev->digest, sp->staged, sizeof ev->digest);
    sp->commits++;
    return 1;
  }
  if (sp->out == QM_OUT_STATE && room && free_to_ask(s, QM_EV_STATE)) {
    sp->out = QM_OUT_OFFERING;
    if (!qm__ask(s, ev, QM_EV_STATE, sp)) return 0;
    ev->vv.p = sp->vv;
    ev->vv.n = sp->n_vv;
    ev->recover = s->recover;
    ev->ask = sp->ask == 1;
    ev->safe_vv = (qm_vv_list){sp->least, sp->n_least};
    return 1;
  }
  if (sp->out == QM_OUT_PART && room && qm__may_next(s) && free_to_ask(s, QM_EV_STATE_READ)) {
    sp->out = QM_OUT_READING;
    if (!qm__ask(s, ev, QM_EV_STATE_READ, sp)) return 0;
    ev->seq = sp->part_out;
    memcpy(ev->digest, sp->snapshot, sizeof ev->digest);
    return 1;
  }
  return 0;
}
