/* session: life, bytes in and out, time, and the table of states and frames. What single
 * frames mean stands in session_*.c. */
#include "sync/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sync/session_int.h"

#define OUT_SLIDE 65536u
#define OUT_KEEP 1024u /* an output buffer larger than this is given back when empty */

/* --- the table (S8.4) --- */

typedef int (*handler)(qm_session *s, qm_slice body);
static int on_error(qm_session *s, qm_slice body);
static int on_bye(qm_session *s, qm_slice body);

/* Cells stand for START HELLO LIST OPEN BYE. '+' handled, '.' dropped (it crossed our BYE),
 * '-' a violation. Frames that are not here are violations everywhere. */
static const struct rule {
  handler handle;
  char client[6], server[6];
} rules[QM_FRAME_END_MAX] = {
    [QM_FRAME_HELLO] = {qm__on_hello, "-----", "+---."},
    [QM_FRAME_WELCOME] = {qm__on_welcome, "-+--.", "-----"},
    [QM_FRAME_SPACE_LIST] = {qm__on_space_list, "-----", "--+-."},
    [QM_FRAME_SPACE] = {qm__on_space, "---+.", "-----"},
    [QM_FRAME_AGREED] = {qm__on_agreed, "--+-.", "-----"},
    [QM_FRAME_VV] = {qm__on_vv, "---+.", "---+."},
    [QM_FRAME_BATCH] = {qm__on_batch, "---+.", "---+."},
    [QM_FRAME_ACK] = {qm__on_ack, "---+.", "---+."},
    [QM_FRAME_REFUSED] = {qm__on_refused, "---+.", "---+."},
    [QM_FRAME_ASIDE] = {qm__on_aside, "---+.", "---+."},
    [QM_FRAME_END] = {qm__on_end, "---+.", "---+."},
    [QM_FRAME_DIGEST] = {qm__on_digest, "-----", "---+."},
    [QM_FRAME_DIGEST_ANSWER] = {qm__on_digest_answer, "---+.", "-----"},
    [QM_FRAME_SAFE] = {qm__on_safe, "---+.", "-----"},
    [QM_FRAME_CREDIT] = {qm__on_credit, "---+.", "---+."},
    [QM_FRAME_ERROR] = {on_error, "+++++", "+++++"},
    [QM_FRAME_BYE] = {on_bye, "+++++", "+++++"},
    [QM_FRAME_CERT_RENEW] = {qm__on_cert_renew, "-----", "---+."},
    [QM_FRAME_CERT] = {qm__on_cert, "---+.", "-----"},
    [QM_FRAME_LIVE] = {qm__on_live, "---+.", "---+."},
    [QM_FRAME_STATE_WANT] = {qm__on_state_want, "---+.", "---+."},
    [QM_FRAME_STATE_BEGIN] = {qm__on_state_begin, "---+.", "---+."},
    [QM_FRAME_STATE_PART] = {qm__on_state_part, "---+.", "---+."},
    [QM_FRAME_STATE_END] = {qm__on_state_end, "---+.", "---+."},
    [QM_FRAME_STATE_ASK] = {qm__on_state_ask, "---+.", "---+."},
    [QM_FRAME_RANGE] = {qm__on_range, "---+.", "---+."},
};

char qm__cell(qm_session_role role, qm__state state, uint32_t frame) {
  if (frame >= QM_FRAME_END_MAX || !rules[frame].handle || state >= QM_S_CLOSED) return '-';
  return role == QM_CLIENT ? rules[frame].client[state] : rules[frame].server[state];
}

/* Largest body that may come in a state: a peer gets room as it shows what it is. */
static uint32_t body_max(const qm_session *s) {
  if (s->state == QM_S_OPEN || s->state == QM_S_BYE) return QM_SYNC_BODY_MAX;
  if (s->role == QM_SERVER && s->state == QM_S_START) return QM_SYNC_BODY_HELLO_MAX;
  return QM_SYNC_BODY_LIST_MAX;
}

void qm__set_state(qm_session *s, qm__state to) {
  assert(to > s->state);
  s->state = to;
  s->mark_stale = 1;
  qm_wire_max(&s->wire, body_max(s));
  qm_log(s->env, QM_LOG_DEBUG, "session: %s in state %d",
         s->role == QM_CLIENT ? "client" : "server", (int)to);
}

/* --- life --- */

int qm_session_new(qm_session **out, const qm_env *env, qm_session_role role,
                   const qm_session_options *options) {
  *out = NULL;
  if (options->size != sizeof *options || (role != QM_CLIENT && role != QM_SERVER))
    return QM_EINVAL;
  qm_session *s = qm_alloc_zero(env, sizeof *s);
  if (!s) return QM_ENOMEM;
  s->env = env;
  s->role = role;
  s->options = *options;
  s->peer = options->peer;
  s->hub = role == QM_SERVER && (options->flags & QM_SESSION_HUB);
  s->mark_ms = options->now_ms;
  s->credit_in = s->credit_out = QM_SYNC_WINDOW;
  qm_wire_init(&s->wire, env, body_max(s));
  qm_arena_init(&s->arena, env, QM_SYNC_SCRATCH_MAX);
  qm_buf_init(&s->out, env, QM_SYNC_OUT_MAX / 3u * 4u);
  *out = s;
  return QM_OK;
}

void qm_session_free(qm_session *s) {
  if (!s) return;
  for (uint32_t i = 0; i < s->n_spaces; i++) {
    qm_free(s->env, s->spaces[i].vv);
    qm_free(s->env, s->spaces[i].least);
    qm_free(s->env, s->spaces[i].asides);
    qm_free(s->env, s->spaces[i].peer_asides);
  }
  qm_free(s->env, s->spaces);
  qm_free(s->env, s->queue);
  qm_free(s->env, s->gone);
  qm_free(s->env, s->mine);
  qm_free(s->env, s->equal);
  qm_buf_free(&s->out);
  qm_wire_free(&s->wire);
  qm_arena_free(&s->arena);
  qm_free(s->env, s);
}

/* --- the end --- */

static void close_with(qm_session *s, int code) {
  if (s->state == QM_S_CLOSED) return;
  s->status = code;
  qm__set_state(s, QM_S_CLOSED);
  if (s->held_is && s->held.ticket) s->held_is = 0;
}

int qm__complete(const qm_session *s) { return s->agreed && s->todo == 0; }

int qm__fail(qm_session *s, int code, const char *format, ...) {
  va_list args;
  if (s->state == QM_S_CLOSED) return s->status;
  s->error.code = code;
  va_start(args, format);
  (void)vsnprintf(s->error.message, sizeof s->error.message, format, args);
  va_end(args);
  qm_log(s->env, QM_LOG_WARN, "session: %s: %s", qm_err_name(code), s->error.message);
  qm_msg_error m = {.code = code,
                    .message = qm_slice_of(s->error.message, strlen(s->error.message))};
  (void)qm_msg_error_put(&s->out, &m); /* best effort: output may be what failed */
  close_with(s, code);
  return code;
}

int qm__violation(qm_session *s, uint32_t frame, int rc, const char *what) {
  if (s->state == QM_S_CLOSED) return s->status;
  int code = rc == QM_ENOMEM || rc == QM_EVERSION || rc == QM_ELIMIT ? rc : QM_EPROTO;
  return qm__fail(s, code, "frame %s (%u): %s", qm_frame_name(frame), (unsigned)frame,
                  what ? what : qm_err_text(rc));
}

int qm__wrote(qm_session *s, int rc) {
  return rc == QM_OK ? QM_OK : qm__fail(s, rc, "output: %s", qm_err_text(rc));
}

void qm__send_bye(qm_session *s) {
  if (qm__wrote(s, qm_msg_bye_put(&s->out)) == QM_OK) qm__set_state(s, QM_S_BYE);
}

void qm__maybe_finish(qm_session *s) {
  if (s->role != QM_CLIENT || s->state != QM_S_OPEN || s->todo != 0) return;
  if (s->cert != QM_STEP_NONE && s->cert != QM_STEP_DONE) return;
  if (!s->live) qm__send_bye(s);
  else if (!s->live_on) (void)qm__live_start(s);
}

void qm_session_bye(qm_session *s) {
  if (s->state < QM_S_BYE) qm__send_bye(s);
}

void qm_session_shut(qm_session *s, int code) {
  /* S8.9: a peer that closes instead of answering BYE took nothing away. */
  int clean = code == QM_ECLOSED && s->state == QM_S_BYE && qm__complete(s);
  close_with(s, clean ? QM_OK : code);
}

int qm_session_closed(const qm_session *s, int *code) {
  *code = s->status;
  return s->state == QM_S_CLOSED;
}

static int on_error(qm_session *s, qm_slice body) {
  qm_msg_error m;
  QM_TRY(qm_msg_error_get(&m, body));
  s->error.code = m.code;
  s->by_peer = 1;
  memcpy(s->error.message, m.message.p, m.message.n); /* at most QM_SYNC_MESSAGE_MAX */
  s->error.message[m.message.n] = '\0';
  close_with(s, m.code);
  return QM_OK;
}

static int on_bye(qm_session *s, qm_slice body) {
  QM_TRY(qm_msg_bye_get(body));
  int code = qm__complete(s) ? QM_OK : QM_ECLOSED;
  s->by_peer = code != QM_OK;
  if (s->state != QM_S_BYE) (void)qm_msg_bye_put(&s->out);
  close_with(s, code);
  return QM_OK;
}

int qm__stops_space(int rc) {
  qm_class c = qm_err_class(rc);
  return c == QM_CLASS_REFUSED || c == QM_CLASS_ABSENT || rc == QM_ELIMIT ||
         (rc <= QM_ETRUNCATED && rc >= QM_EOVERSIZE);
}

/* --- bytes in --- */

/* Its lists go with the frame, and their memory too: most sessions rest. */
static void frame_done(qm_session *s) {
  qm_wire_next(&s->wire);
  qm_arena_free(&s->arena);
}

static void release(qm_session *s) {
  if (!s->held_given) return;
  s->held_given = 0;
  frame_done(s);
}

/* Backpressure (S8.7): a frame is looked at only when whatever it may bring has room. */
static int may_dispatch(const qm_session *s) {
  uint32_t owed =
      s->asked[QM_EV_COMMIT] + s->asked[QM_EV_STATE_STAGE] + s->asked[QM_EV_STATE_TAKE];
  return !s->held_is && !s->held_given && owed < QM_SYNC_COMMITS_MAX &&
         s->asked[QM_EV_ASIDE] == 0 && s->asked[QM_EV_RANGE] == 0 &&
         s->asked[QM_EV_RANGE_ANSWER] == 0 && qm__out_n(s) < QM_SYNC_OUT_HARD;
}

static void dispatch_short(qm_session *s, qm_slice body) {
  if (s->state == QM_S_BYE) return; /* it crossed */
  int rc = qm__on_short(s, body);
  if (rc != QM_OK) (void)qm__violation(s, 0, rc, "short");
}

static void dispatch(qm_session *s, qm_slice body) {
  uint32_t frame;
  if (qm_wire_is_short(&s->wire)) {
    dispatch_short(s, body);
    return;
  }
  int rc = qm_msg_frame(body, &frame);
  if (rc != QM_OK) {
    (void)qm__violation(s, 0, rc, NULL);
    return;
  }
  switch (qm__cell(s->role, s->state, frame)) {
    case '+':
      rc = rules[frame].handle(s, body);
      if (rc != QM_OK) (void)qm__violation(s, frame, rc, NULL);
      break;
    case '.': break;
    default: (void)qm__violation(s, frame, QM_EPROTO, "not in this state");
  }
}

/* What a peer's changes rest on is known only once its VV has been compared (S8.6). */
static int is_early(qm_session *s, qm_slice body) {
  uint32_t frame;
  qm_msg_batch m;
  if (qm_wire_is_short(&s->wire)) return 0;
  if (s->state != QM_S_OPEN || qm_msg_frame(body, &frame) != QM_OK || frame != QM_FRAME_BATCH)
    return 0;
  if (qm_msg_batch_get(&m, body) != QM_OK) return 0;
  const qm__space *sp = qm__find(s, &m.space);
  if (!sp || (sp->out != QM_OUT_GOT && sp->out != QM_OUT_COMPARING)) return 0;
  return sp->in == QM_IN_OPEN && !qm__asides_due(sp);
}

static void pump(qm_session *s) {
  qm_slice body;
  while (s->state != QM_S_CLOSED && may_dispatch(s) && qm_wire_ready(&s->wire, &body)) {
    if (is_early(s, body)) return;
    dispatch(s, body);
    s->mark_stale = 1;
    if (s->held_is) return; /* I5 */
    frame_done(s);
  }
}

/* A part of a frame counts as life only when it is more than a few bytes. */
static void progress_of(qm_session *s, size_t n) {
  s->bytes_in += n;
  s->quiet_bytes += n > QM_SYNC_PROGRESS_BYTES ? QM_SYNC_PROGRESS_BYTES : (uint32_t)n;
  if (s->quiet_bytes < QM_SYNC_PROGRESS_BYTES) return;
  s->quiet_bytes = 0;
  s->mark_stale = 1;
}

int qm_session_feed(qm_session *s, const uint8_t *in, size_t len, size_t *used) {
  qm_slice body;
  size_t n;
  *used = 0;
  release(s);
  for (;;) {
    pump(s);
    if (s->state == QM_S_CLOSED) break;
    if (*used == len || qm_wire_ready(&s->wire, &body)) return QM_OK;
    int rc = qm_wire_feed(&s->wire, in + *used, len - *used, &n);
    *used += n;
    progress_of(s, n);
    if (rc != QM_OK)
      (void)qm__fail(s, rc == QM_ENOMEM ? rc : QM_EPROTO, "frame length: %s", qm_err_text(rc));
  }
  *used = len;
  return s->status;
}

/* --- bytes out --- */

size_t qm__out_n(const qm_session *s) { return s->out.n - s->out_at; }

size_t qm_session_waiting(const qm_session *s) { return qm__out_n(s); }

/* Slides what waits to the front once a quarter is gone: moves stay linear in what passes,
 * and a buffer of 4/3 holds whatever may wait. */
static void compact(qm_session *s) {
  if (s->out_at < s->out.n && (s->out_at < OUT_SLIDE || s->out_at < s->out.n / 4)) return;
  size_t n = qm__out_n(s);
  if (n == 0 && s->out.cap > OUT_KEEP && qm_buf_status(&s->out) == QM_OK) qm_buf_free(&s->out);
  if (n) memmove(s->out.p, s->out.p + s->out_at, n);
  s->out.n = n;
  s->out_at = 0;
}

int qm_session_take(qm_session *s, uint8_t *to, size_t cap, size_t *len) {
  *len = 0;
  if (cap == 0) return QM_EINVAL;
  size_t n = qm__out_n(s);
  if (n > cap) n = cap;
  if (n == 0) return QM_OK;
  memcpy(to, s->out.p + s->out_at, n);
  s->out_at += n;
  s->bytes_out += n;
  s->mark_stale = 1;
  compact(s);
  *len = n;
  return QM_OK;
}

void qm_session_bytes(const qm_session *s, uint64_t *in, uint64_t *out) {
  *in = s->bytes_in;
  *out = s->bytes_out;
}

/* --- events --- */

static int next_notice(qm_session *s, qm_event *ev) {
  if (qm__hello_notice(s, ev)) return 1;
  if (s->gone_told < s->n_gone) {
    ev->kind = QM_EV_GONE;
    ev->space = s->gone[s->gone_told++];
    return 1;
  }
  if (s->owes_live) {
    s->owes_live = 0;
    ev->kind = QM_EV_LIVE;
    return 1;
  }
  return 0;
}

static int next_asked(qm_session *s, qm_event *ev) {
  if (s->role == QM_CLIENT && s->state == QM_S_START && !s->asked[QM_EV_SPACES])
    return qm__ask(s, ev, QM_EV_SPACES, NULL) != NULL;
  if (s->state == QM_S_OPEN && s->role == QM_CLIENT && s->cert == QM_STEP_WANT) {
    s->cert = QM_STEP_ASKED;
    return qm__ask(s, ev, QM_EV_CERT_ASK, NULL) != NULL;
  }
  return 0;
}

static int next_closed(qm_session *s, qm_event *ev) {
  if (s->state != QM_S_CLOSED || s->closed_told) return 0;
  s->closed_told = 1;
  ev->kind = QM_EV_CLOSED;
  ev->code = s->status;
  ev->by_peer = s->by_peer;
  ev->message = qm_slice_of(s->error.message, strlen(s->error.message));
  return 1;
}

int qm_session_next(qm_session *s, qm_event *ev) {
  memset(ev, 0, sizeof *ev);
  release(s);
  pump(s);
  ev->peer = s->held.peer = s->peer;
  ev->serial = s->held.serial = s->options.serial;
  ev->hub = s->held.hub = s->hub;
  if (next_notice(s, ev)) return 1;
  if (s->held_is) {
    *ev = s->held;
    s->held_is = 0;
    s->held_given = 1;
    return 1;
  }
  if (next_asked(s, ev)) return 1;
  if (qm__next_of_spaces(s, ev)) return 1;
  return next_closed(s, ev);
}

/* --- time --- */

static uint64_t patience_ms(const qm_session *s) {
  if (s->state < QM_S_OPEN) return QM_SYNC_HELLO_MS;
  return s->state == QM_S_OPEN ? QM_SYNC_IDLE_MS : QM_SYNC_BYE_MS;
}

uint64_t qm_session_deadline(const qm_session *s) {
  uint64_t ping = qm__live_deadline(s), end = s->mark_ms + patience_ms(s);
  if (s->state == QM_S_CLOSED) return UINT64_MAX;
  return ping < end ? ping : end;
}

int qm_session_tick(qm_session *s, uint64_t now_ms) {
  if (s->state == QM_S_CLOSED) return s->status == QM_ETIMEOUT ? QM_ETIMEOUT : QM_OK;
  /* Before the session is open the clock runs from its start, whatever the peer sends. */
  if (s->mark_stale && s->state >= QM_S_OPEN) s->mark_ms = now_ms;
  s->mark_stale = 0;
  QM_TRY(qm__live_tick(s, now_ms));
  if (now_ms < s->mark_ms + patience_ms(s)) return QM_OK;
  if (s->state == QM_S_BYE) {
    close_with(s, qm__complete(s) ? QM_OK : QM_ETIMEOUT);
    return s->status;
  }
  return qm__fail(s, QM_ETIMEOUT, "no progress for %u ms", (unsigned)patience_ms(s));
}
