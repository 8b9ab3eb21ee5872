/* The agreed spaces: grants, the order they are worked in, stopping and finishing (S8.5,
 * S8.6). */
#include <string.h>

#include "sync/session_int.h"

qm__space *qm__find(qm_session *s, const qm_id *id) {
  uint32_t low = 0, high = s->n_spaces;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (qm_id_cmp(&s->spaces[mid].id, id) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low < s->n_spaces && qm_id_cmp(&s->spaces[low].id, id) == 0 ? &s->spaces[low] : NULL;
}

static int is_writable(const qm_session *s, const qm_id *id) {
  if (s->role == QM_CLIENT) return 1; /* a client judges nobody's rights */
  for (uint32_t low = 0, high = s->n_mine; low < high;) {
    uint32_t mid = low + (high - low) / 2;
    int order = qm_id_cmp(&s->mine[mid].line.id, id);
    if (order == 0) return s->mine[mid].writable;
    if (order < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return 0;
}

static int reserve(qm_session *s, uint32_t n, uint32_t gone) {
  if (n) {
    s->spaces = qm_alloc_zero(s->env, n * sizeof *s->spaces);
    s->queue = qm_alloc_array(s->env, n, sizeof *s->queue);
    if (!s->spaces || !s->queue) return QM_ENOMEM;
  }
  if (gone) {
    s->gone = qm_alloc_array(s->env, gone, sizeof *s->gone);
    if (!s->gone) return QM_ENOMEM;
  }
  return QM_OK;
}

static uint32_t schema_of(const qm_session *s, const qm_id *id) {
  uint32_t low = 0, high = s->n_theirs;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (qm_id_cmp(&s->theirs[mid].id, id) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  int found = low < s->n_theirs && qm_id_cmp(&s->theirs[low].id, id) == 0;
  return found ? s->theirs[low].schema : 0;
}

/* One that has nothing to exchange: done, and there for what comes. */
static void add_equal(qm_session *s, const qm_id *id) {
  qm__space *sp = &s->spaces[s->n_spaces++];
  sp->id = *id;
  sp->in = QM_IN_ENDED;
  sp->out = QM_OUT_ENDED;
  sp->grant = sp->check = sp->safe = QM_STEP_DONE;
  sp->done = 1;
  sp->writable = (uint8_t)is_writable(s, id);
  sp->schema = schema_of(s, id);
}

int qm__open(qm_session *s, qm_agreed_list agreed) {
  uint32_t gone = 0, e = 0;
  for (uint32_t i = 0; i < agreed.n; i++) gone += agreed.p[i].flags == QM_AGREED_GONE;
  int rc = reserve(s, agreed.n - gone + s->n_equal, s->role == QM_CLIENT ? gone : 0);
  if (rc != QM_OK) return qm__fail(s, rc, "list of spaces");
  for (uint32_t i = 0; i < agreed.n; i++) {
    const qm_msg_agreed *a = &agreed.p[i];
    while (e < s->n_equal && qm_id_cmp(&s->equal[e], &a->id) < 0) add_equal(s, &s->equal[e++]);
    if (a->flags == QM_AGREED_GONE) {
      if (s->role == QM_CLIENT) s->gone[s->n_gone++] = a->id;
      continue;
    }
    qm__space *sp = &s->spaces[s->n_spaces++];
    sp->id = a->id;
    sp->agreed = a->flags;
    sp->grant = a->flags & QM_AGREED_GRANT ? QM_STEP_WANT : QM_STEP_DONE;
    sp->writable = (uint8_t)is_writable(s, &a->id);
    sp->schema = schema_of(s, &a->id);
  }
  while (e < s->n_equal) add_equal(s, &s->equal[e++]);
  if (s->role == QM_SERVER) { /* hubs hold thousands of sessions */
    qm_free(s->env, s->mine);
    s->mine = NULL;
    s->n_mine = 0;
  }
  s->theirs = NULL;
  s->n_theirs = 0;
  s->todo = s->n_spaces - s->n_equal;
  s->agreed = 1;
  if (s->role == QM_CLIENT && s->hub && (s->options.flags & QM_SESSION_RENEW))
    s->cert = QM_STEP_WANT;
  qm__set_state(s, QM_S_OPEN);
  return qm__start_more(s);
}

/* --- order of work --- */

void qm__enqueue(qm_session *s, qm__space *sp) {
  uint32_t at = (uint32_t)(sp - s->spaces);
  if (sp->queued) return;
  sp->queued = 1;
  s->queue[(s->queue_at + s->queue_n++) % s->n_spaces] = at;
}

static qm__space *dequeue(qm_session *s) {
  qm__space *sp = &s->spaces[s->queue[s->queue_at]];
  s->queue_at = (s->queue_at + 1) % s->n_spaces;
  s->queue_n--;
  sp->queued = 0;
  return sp;
}

/* Both sides start in ascending order, each no more than the window at once (S8.6): a space
 * that one has started and the other has not lies beyond all that the other is working on,
 * and those both have started, so the windows cannot wait for each other. */
int qm__start_more(qm_session *s) {
  while (s->open < QM_SYNC_OPEN_MAX && s->started < s->n_spaces) {
    qm__space *sp = &s->spaces[s->started++];
    if (sp->done) continue;
    s->open++;
    qm__enqueue(s, sp);
  }
  return QM_OK;
}

static int is_started(const qm_session *s, const qm__space *sp) {
  return (size_t)(sp - s->spaces) < s->started;
}

static int is_over(const qm__space *sp) {
  if (!(sp->agreed & QM_AGREED_SYNC)) return sp->grant == QM_STEP_DONE;
  return sp->in == QM_IN_ENDED && sp->out == QM_OUT_ENDED && sp->commits == 0 &&
         sp->acked_out == sp->seq_out && (sp->taking != QM_TAKE_WHOLE || sp->refusing) &&
         sp->asides_in == 0 && !qm__asides_wanted(sp);
}

void qm__check_done(qm_session *s, qm__space *sp) {
  if (sp->done || s->state != QM_S_OPEN || !is_over(sp)) return;
  if (sp->agreed & QM_AGREED_SYNC) {
    qm__tail(s, sp);
    if (sp->safe != QM_STEP_DONE) return;
    if (s->role == QM_CLIENT && sp->check != QM_STEP_DONE) return;
    if (qm__ranging(sp)) return;
    sp->notes |= QM_NOTE_DONE;
  }
  sp->done = 1;
  s->todo--;
  if (is_started(s, sp)) s->open--;
  qm__live_done(s, sp);
  qm__enqueue(s, sp);
  (void)qm__start_more(s);
  qm__maybe_finish(s);
}

/* --- what a space owes the driver --- */

static int take_note(qm__space *sp, uint8_t note) {
  if (!(sp->notes & note)) return 0;
  sp->notes = (uint8_t)(sp->notes & ~note);
  return 1;
}

static int tell(qm__space *sp, qm_event *ev) {
  ev->progress = sp->progress;
  if (take_note(sp, QM_NOTE_FORK)) {
    ev->kind = QM_EV_FORK;
    ev->author = sp->forked;
  } else if (take_note(sp, QM_NOTE_STOPPED)) {
    ev->kind = QM_EV_STOPPED;
    ev->code = sp->code;
  } else if (take_note(sp, QM_NOTE_STOPPED_BY_PEER)) {
    ev->kind = QM_EV_STOPPED;
    ev->code = sp->code_peer;
    ev->by_peer = 1;
  } else if (take_note(sp, QM_NOTE_REPAIRED)) {
    ev->kind = QM_EV_REPAIRED;
    ev->count = sp->repaired;
    sp->repaired = 0;
  } else if (take_note(sp, QM_NOTE_DIFFER)) {
    ev->kind = QM_EV_DIFFER;
  } else if (take_note(sp, QM_NOTE_PROGRESS)) {
    ev->kind = QM_EV_PROGRESS;
  } else if (take_note(sp, QM_NOTE_DONE)) {
    ev->kind = QM_EV_DONE;
    ev->compare = sp->compare;
    memset(&sp->progress, 0, sizeof sp->progress); /* a later round begins anew */
  } else {
    return 0;
  }
  ev->space = sp->id;
  return 1;
}

/* One outstanding request of each kind keeps the driver's queue short and what it may
 * bring bounded; large answers wait until the output has room (S8.7). */
static int free_to_ask(const qm_session *s, qm_event_kind kind) { return s->asked[kind] == 0; }

static int has_room(const qm_session *s) { return qm__out_n(s) < QM_SYNC_OUT_SOFT; }

/* A VV is still to be sent: not where a side has stopped before it. */
static int owes_vv(const qm__space *sp) {
  return sp->in == QM_IN_NEW && !sp->refusing && sp->out != QM_OUT_ENDED;
}

static int ask_heads(qm_session *s, qm__space *sp, qm_event *ev) {
  if (!owes_vv(sp)) return 0;
  if (!free_to_ask(s, QM_EV_PUSH) || !has_room(s)) return 0;
  sp->in = QM_IN_ASKED;
  return qm__ask(s, ev, QM_EV_PUSH, sp) != NULL;
}

static int ask_compare(qm_session *s, qm__space *sp, qm_event *ev) {
  if (sp->out != QM_OUT_GOT || !free_to_ask(s, QM_EV_COMPARE) || qm__asides_due(sp)) return 0;
  sp->out = QM_OUT_COMPARING;
  if (!qm__ask(s, ev, QM_EV_COMPARE, sp)) return 0;
  ev->vv.p = sp->vv;
  ev->vv.n = sp->n_vv;
  return 1;
}

/* Own VV first: its push closes the run that the batches then hold. */
static int ask_batch(qm_session *s, qm__space *sp, qm_event *ev) {
  if (sp->out != QM_OUT_SEND || sp->in < QM_IN_OPEN || qm__asides_wanted(sp)) return 0;
  if (sp->ask == 1 && sp->taking == QM_TAKE_NONE) { /* before any batch */
    sp->out = QM_OUT_STATE;
    return qm__ask_state(s, sp, ev);
  }
  if (!free_to_ask(s, QM_EV_NEXT) || !has_room(s) || !qm__may_next(s)) return 0;
  sp->out = QM_OUT_NEXT;
  if (!qm__ask(s, ev, QM_EV_NEXT, sp)) return 0;
  ev->vv.p = sp->vv;
  ev->vv.n = sp->n_vv;
  ev->cursor = sp->cursor;
  ev->recover = s->recover;
  ev->old = s->proto < QM_SYNC_PROTO_BATCH_2;
  return 1;
}

static int ask_tail(qm_session *s, qm__space *sp, qm_event *ev) {
  if (sp->safe == QM_STEP_WANT && free_to_ask(s, QM_EV_SAFE_READ) && has_room(s)) {
    sp->safe = QM_STEP_ASKED;
    return qm__ask(s, ev, QM_EV_SAFE_READ, sp) != NULL;
  }
  qm_event_kind kind = s->role == QM_CLIENT ? QM_EV_DIGEST : QM_EV_DIGEST_CHECK;
  if (sp->check != QM_STEP_WANT || !free_to_ask(s, kind)) return 0;
  sp->check = QM_STEP_ASKED;
  if (!qm__ask(s, ev, kind, sp)) return 0;
  memcpy(ev->vv_digest, sp->check_vv, sizeof ev->vv_digest);
  memcpy(ev->digest, sp->check_digest, sizeof ev->digest);
  return 1;
}

static int ask(qm_session *s, qm__space *sp, qm_event *ev) {
  if (sp->grant != QM_STEP_DONE) {
    if (s->role == QM_CLIENT || sp->grant != QM_STEP_WANT) return 0;
    if (!free_to_ask(s, QM_EV_SPACE_INFO) || !has_room(s)) return 0;
    sp->grant = QM_STEP_ASKED;
    return qm__ask(s, ev, QM_EV_SPACE_INFO, sp) != NULL;
  }
  if (!(sp->agreed & QM_AGREED_SYNC)) return 0;
  return ask_heads(s, sp, ev) || qm__ask_aside(s, sp, ev) || ask_compare(s, sp, ev) ||
         ask_batch(s, sp, ev) || qm__ask_state(s, sp, ev) || ask_tail(s, sp, ev) ||
         qm__ask_range(s, sp, ev);
}

/* Something that only waits for a free request, for room or for credit. */
static int wants(const qm_session *s, const qm__space *sp) {
  if (s->state != QM_S_OPEN) return 0;
  if (qm__live_wants(s, sp) || qm__small_wants(s, sp)) return 1;
  if (sp->grant != QM_STEP_DONE) return s->role == QM_SERVER && sp->grant == QM_STEP_WANT;
  if (sp->taking == QM_TAKE_WHOLE && !sp->refusing) return 1;
  return owes_vv(sp) || qm__asides_wanted(sp) || sp->out == QM_OUT_GOT || sp->out == QM_OUT_SEND ||
         sp->out == QM_OUT_STATE || sp->out == QM_OUT_PART ||
         sp->safe == QM_STEP_WANT || sp->check == QM_STEP_WANT || sp->range == QM_STEP_WANT;
}

int qm__next_of_spaces(qm_session *s, qm_event *ev) {
  for (uint32_t left = s->queue_n; left != 0 && s->queue_n != 0; left--) {
    qm__space *sp = dequeue(s);
    int found = tell(sp, ev);
    if (!found && sp->done) found = qm__small_ask(s, sp, ev);
    if (!found && sp->done) (void)qm__live_step(s, sp);
    if (!found && s->state == QM_S_OPEN && is_started(s, sp)) found = ask(s, sp, ev);
    if (sp->notes || (is_started(s, sp) && wants(s, sp))) qm__enqueue(s, sp);
    if (found) return 1;
  }
  return 0;
}

/* --- grants --- */

static void granted(qm_session *s, qm__space *sp) {
  sp->grant = QM_STEP_DONE;
  qm__enqueue(s, sp);
  qm__check_done(s, sp);
}

int qm__done_space_info(qm_session *s, qm__space *sp, int rc, const qm_reply *r) {
  if (sp->grant != QM_STEP_ASKED) return QM_OK; /* the peer stopped it meanwhile */
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "space: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  qm_space_info info = *r->info;
  info.id = sp->id;
  QM_TRY(qm__wrote(s, qm_msg_space_put(&s->out, &info)));
  granted(s, sp);
  return QM_OK;
}

int qm__on_space(qm_session *s, qm_slice body) {
  QM_TRY(qm_msg_space_get(&s->held_info, body));
  qm__space *sp = qm__find(s, &s->held_info.id);
  if (!sp || sp->grant != QM_STEP_WANT) return QM_EPROTO;
  qm_event *ev = qm__hold(s, QM_EV_SPACE_PUT, &sp->id);
  ev->info = &s->held_info;
  sp->grant = QM_STEP_ASKED;
  if (!qm__ask(s, ev, QM_EV_SPACE_PUT, sp)) s->held_is = 0;
  return QM_OK;
}

int qm__done_space_put(qm_session *s, qm__space *sp, int rc) {
  if (sp->grant != QM_STEP_ASKED) return QM_OK;
  if (rc != QM_OK && !qm__stops_space(rc)) return qm__fail(s, rc, "space: %s", qm_err_text(rc));
  if (rc != QM_OK) return qm__stop(s, sp, rc, 1);
  granted(s, sp);
  return QM_OK;
}

/* --- stopping --- */

int qm__stop(qm_session *s, qm__space *sp, int code, int both) {
  if (!sp->refusing) {
    const char *text = qm_err_text(code);
    qm_msg_refused m = {.space = sp->id, .code = code, .message = qm_slice_of(text, strlen(text))};
    sp->refusing = 1;
    sp->code = code;
    sp->notes |= QM_NOTE_STOPPED;
    if (sp->check == QM_STEP_WANT) sp->check = QM_STEP_DONE; /* entries may come after the end */
    QM_TRY(qm__wrote(s, qm_msg_refused_put(&s->out, &m)));
  }
  if (both) {
    sp->grant = QM_STEP_DONE;
    if ((sp->agreed & QM_AGREED_SYNC) && sp->out != QM_OUT_ENDED) QM_TRY(qm__send_end(s, sp));
  }
  qm__enqueue(s, sp);
  qm__check_done(s, sp);
  return QM_OK;
}
