/* session_int: what session*.c share. Nobody else includes it, but the tests of the table.
 *
 * States (SPEC S8.4). set_state alone changes them.
 *   START   client: the driver owes its list of spaces; server: HELLO is awaited
 *   HELLO   client: HELLO is out, WELCOME is awaited; server: HELLO is here, the driver owes
 *           its list
 *   LIST    client: SPACE_LIST is out, AGREED is awaited; server: SPACE_LIST is awaited
 *   OPEN    `spaces` is agreed and never changes again; VVs, batches, digests, certificates
 *   BYE     BYE is out; what still arrives of the stream is dropped until the peer's BYE
 *   CLOSED  `status` says why; nothing changes again
 *
 * One space has two directions that do not know of each other:
 *   in   NEW -(ask heads)-> ASKED -(VV sent)-> OPEN -(peer's END)-> ENDED
 *        `refusing`: REFUSED with author zero is sent: batches are dropped until END
 *   out  WAIT -(peer's VV)-> GOT -(ask)-> COMPARING -> SEND <-> NEXT -(END sent)-> ENDED
 *        NEXT -(the log does not reach back)-> STATE -(ask)-> OFFERING -(STATE_BEGIN sent)->
 *        OFFERED -(STATE_WANT)-> PART <-> READING -(all sent)-> JOINING -(STATE_END)-> SEND
 *        `refused`: the peer's REFUSED with author zero is here: END follows at once
 *        `ask`: the peer's STATE_ASK is here: SEND -> NEXT -> STATE, once
 * When both have ENDED, no commit is owed and nothing is unacknowledged, the tail runs:
 * on a hub SAFE, on a client DIGEST and its answer; where they differ the search, and DIGEST
 * once more. Then the space is done.
 *
 * Invariants:
 *   I1 acked_out <= seq_out; acked_in <= seq_in; commits = slots of this space of COMMIT and
 *      of STATE_STAGE, _TAKE and _JOIN; part_in <= part_seen <= parts_in
 *   I2 credit_out <= QM_SYNC_WINDOW; a BATCH is put out only with credit for the largest
 *   I3 credit_in + owed_in + bytes of COMMIT and STATE_TAKE slots and of the held frame =
 *      QM_SYNC_WINDOW
 *   I4 todo = spaces not done; open = spaces started and not done <= QM_SYNC_OPEN_MAX
 *   I5 held is set only while the frame it was made from stands in the reader */
#ifndef QM_SYNC_SESSION_INT_H
#define QM_SYNC_SESSION_INT_H

#include "sync/session.h"

typedef enum qm__state {
  QM_S_START = 0,
  QM_S_HELLO = 1,
  QM_S_LIST = 2,
  QM_S_OPEN = 3,
  QM_S_BYE = 4,
  QM_S_CLOSED = 5
} qm__state;

typedef enum qm__in { QM_IN_NEW, QM_IN_ASKED, QM_IN_OPEN, QM_IN_ENDED } qm__in;
typedef enum qm__out {
  QM_OUT_WAIT,
  QM_OUT_GOT,
  QM_OUT_COMPARING,
  QM_OUT_SEND,
  QM_OUT_NEXT,
  QM_OUT_STATE,
  QM_OUT_OFFERING,
  QM_OUT_OFFERED,
  QM_OUT_PART,
  QM_OUT_READING,
  QM_OUT_JOINING,
  QM_OUT_ENDED
} qm__out;
/* Taking a state: NONE -(STATE_BEGIN)-> ASKED -(STATE_WANT sent)-> PARTS -(all staged)-> WHOLE
 * -(ask)-> JOINING -> DONE (STATE_END sent). LOST: another session took or replaced what was
 * staged; said so by STATE_END, parts under way are dropped. */
typedef enum qm__take {
  QM_TAKE_NONE,
  QM_TAKE_ASKED,
  QM_TAKE_PARTS,
  QM_TAKE_WHOLE,
  QM_TAKE_JOINING,
  QM_TAKE_LOST,
  QM_TAKE_DONE
} qm__take;
/* A step of the tail, a grant, the certificate: not begun; may be asked of the driver;
 * asked; said to the peer and awaited; over. */
typedef enum qm__step {
  QM_STEP_NONE,
  QM_STEP_WANT,
  QM_STEP_ASKED,
  QM_STEP_SENT,
  QM_STEP_DONE
} qm__step;

enum { /* notices that a space owes the driver */
       QM_NOTE_PROGRESS = 1,
       QM_NOTE_DIFFER = 2,
       QM_NOTE_STOPPED = 4,
       QM_NOTE_FORK = 8,
       QM_NOTE_DONE = 16,
       QM_NOTE_STOPPED_BY_PEER = 32,
       QM_NOTE_REPAIRED = 64
};

typedef struct qm__space {
  qm_id id;
  uint32_t agreed; /* QM_AGREED_… */
  uint8_t in, out, grant, check, safe;
  uint8_t vv_got, refusing, refused, writable, done, queued, notes;
  /* staying: to be said; said and heard in this round; hub: the client rests; stopped in an
     earlier round */
  uint8_t news, news_sent, news_got, rest, stopped;
  /* client: a compact push (qm__step: ASKED, SENT), and where it ends. Both: the next news is a
     round; compact pushes since the last one */
  uint8_t small, round;
  uint16_t smalls;
  qm_vv_entry small_end;
  uint32_t seq_out, acked_out, seq_in, acked_in, commits;
  uint32_t schema; /* server: version that the client listed; 0: not known */
  uint8_t taking;                  /* qm__take */
  uint8_t offered, wanted, joined; /* a state: STATE_BEGIN sent, STATE_WANT, STATE_END here */
  uint32_t part_out, parts_out;    /* the next to be sent, of how many */
  uint32_t part_seen, part_in, parts_in; /* the next to come, how many are staged, of how many */
  uint8_t snapshot[QM_SYNC_DIGEST_SIZE], staged[QM_SYNC_DIGEST_SIZE]; /* given, taken (S9.3) */
  qm_vv_entry *vv; /* the peer's, until END is sent */
  uint32_t n_vv;
  qm_aside_count *asides, *peer_asides; /* entries held here, and by the peer by now */
  uint32_t n_asides, n_peer_asides;
  uint8_t aside; /* sending them: a qm__step */
  uint32_t asides_in; /* QM_EV_ASIDE outstanding */
  uint64_t cursor;
  int32_t code, code_peer; /* why it stopped */
  qm_author forked;
  uint8_t ask;  /* the peer's STATE_ASK is here: 1; answered, one way or the other: 2 */
  qm_vv_entry *least; /* with it */
  uint32_t n_least;
  uint8_t range, ranges, checked; /* the search: qm__step; questions so far; DIGESTs so far */
  uint32_t repaired;
  uint8_t check_vv[QM_SYNC_DIGEST_SIZE], check_digest[QM_SYNC_DIGEST_SIZE];
  qm_compare compare;
  qm_progress progress;
} qm__space;

typedef struct qm__slot {
  qm_ticket ticket; /* 0: free */
  uint8_t kind, answered, small;
  uint32_t space, seq, bytes;
  uint32_t taken, known, parked;
} qm__slot;

struct qm_session {
  const qm_env *env;
  qm_session_role role;
  qm_session_options options;
  qm__state state;
  uint8_t hub; /* SPACE, SAFE and CERT travel in this session */
  uint32_t proto;  /* version that both speak */
  uint8_t recover; /* client: the hub takes states */
  uint8_t agreed;
  int status; /* of CLOSED */
  uint8_t by_peer, closed_told;
  qm_error error;

  qm_wire wire;
  qm_arena arena; /* lists of the frame in the reader */
  qm_event held;
  uint8_t held_is, held_given;
  qm_space_info held_info;

  qm_buf out;
  size_t out_at;
  uint64_t bytes_in, bytes_out;

  qm_ticket ticket_last;
  qm__slot slots[QM_SYNC_TICKETS_MAX];
  uint32_t asked[QM_EV_REQUESTS]; /* outstanding by kind */

  qm_space_line *mine; /* the driver's list, until OPEN at a server */
  uint32_t n_mine;
  qm_msg_hello hello; /* server: the client's, lines in hello_lines */
  qm_msg_line hello_lines[QM_SYNC_HELLO_LINES_MAX];
  uint64_t hello_clock_ms; /* client: as it said it */
  uint8_t owes_hello, owes_same, same_safe, has_offset;
  int64_t offset_ms;
  uint64_t rtt_ms;
  qm_id peer;

  qm_id *gone;
  uint32_t n_gone, gone_told;
  qm__space *spaces; /* ascending by id */
  uint32_t n_spaces, started, open, todo;
  uint32_t *queue; /* ring of n_spaces: spaces that may have something to do */
  uint32_t queue_at, queue_n;
  uint32_t vv_kept, foreign, ranges;
  uint32_t credit_out, credit_in, owed_in;
  uint8_t cert;

  /* staying (session_live.c): wanted by both; begun; a ping is out since live_ping_ms */
  uint8_t live, live_on, owes_live, live_pinged, news_early;
  uint64_t live_ping_ms;
  const qm_msg_line *theirs; /* while the list of spaces is made: the client's lines */
  uint32_t n_theirs;
  qm_id *equal; /* until OPEN, where it stays: spaces of both sides with nothing to exchange */
  uint32_t n_equal;

  uint64_t mark_ms;   /* the deadline counts from here */
  uint8_t mark_stale; /* something happened since the last tick */
  uint32_t quiet_bytes;
};

/* --- session.c --- */
void qm__set_state(qm_session *s, qm__state to);
/* Ends the session: ERROR for the peer, code for this side. Returns code. */
int qm__fail(qm_session *s, int code, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* A frame that does not belong here, or does not decode (rc). Returns the closing code. */
int qm__violation(qm_session *s, uint32_t frame, int rc, const char *what);
/* After a put: a failure to write ends the session. */
int qm__wrote(qm_session *s, int rc);
int qm__complete(const qm_session *s);
void qm__send_bye(qm_session *s);
/* A client that has nothing left says BYE. */
void qm__maybe_finish(qm_session *s);
size_t qm__out_n(const qm_session *s);
/* Whether rc of an answer stops one space (else it ends the session). */
int qm__stops_space(int rc);
/* What the table does with a frame: '+' handle, '.' drop, '-' violation. */
char qm__cell(qm_session_role role, qm__state state, uint32_t frame);

/* --- session_ticket.c --- */
qm__slot *qm__ask(qm_session *s, qm_event *ev, qm_event_kind kind, qm__space *sp);
void qm__slot_free(qm_session *s, qm__slot *slot);
/* The event of the frame in the reader: a request (with a ticket) or a notice. */
qm_event *qm__hold(qm_session *s, qm_event_kind kind, const qm_id *space);

/* --- session_hello.c --- */
int qm__on_hello(qm_session *s, qm_slice body);
int qm__on_welcome(qm_session *s, qm_slice body);
int qm__on_space_list(qm_session *s, qm_slice body);
int qm__on_agreed(qm_session *s, qm_slice body);
int qm__done_spaces(qm_session *s, int rc, const qm_reply *r);
int qm__hello_notice(qm_session *s, qm_event *ev);

/* --- session_spaces.c --- */
/* Makes `spaces` from the agreed list; the session is open then. */
int qm__open(qm_session *s, qm_agreed_list agreed);
qm__space *qm__find(qm_session *s, const qm_id *id);
void qm__enqueue(qm_session *s, qm__space *sp);
int qm__start_more(qm_session *s);
void qm__check_done(qm_session *s, qm__space *sp);
int qm__next_of_spaces(qm_session *s, qm_event *ev);
int qm__on_space(qm_session *s, qm_slice body);
int qm__done_space_info(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_space_put(qm_session *s, qm__space *sp, int rc);
/* Takes nothing more in this space, and tells. both: sends nothing more either. */
int qm__stop(qm_session *s, qm__space *sp, int code, int both);

/* --- session_vv.c --- */
int qm__on_vv(qm_session *s, qm_slice body);
int qm__done_push(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_compare(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
void qm__drop_vv(qm_session *s, qm__space *sp);
/* Keeps the list as the peer's, in place of the one before. QM_ELIMIT, QM_ENOMEM. */
int qm__keep_vv(qm_session *s, qm__space *sp, qm_vv_list vv);

/* --- session_aside.c --- */
int qm__on_aside(qm_session *s, qm_slice body);
int qm__done_aside(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_aside_read(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__ask_aside(qm_session *s, qm__space *sp, qm_event *ev);
/* What is held on a side, by its VV or since. */
int qm__asides_keep(qm_session *s, qm__space *sp, qm_aside_counts v, int of_peer);
/* END was sent: what is not under way by now does not follow it. */
void qm__asides_end(const qm_session *s, qm__space *sp);
/* The peer has entries that are not here yet; they come before all else. */
int qm__asides_due(const qm__space *sp);
/* Entries are on their way out or may be. */
int qm__asides_wanted(const qm__space *sp);

/* --- session_stream.c --- */
int qm__on_batch(qm_session *s, qm_slice body);
int qm__on_ack(qm_session *s, qm_slice body);
int qm__on_refused(qm_session *s, qm_slice body);
int qm__on_end(qm_session *s, qm_slice body);
int qm__on_credit(qm_session *s, qm_slice body);
int qm__done_next(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_commit(qm_session *s, qm__slot *slot, int rc, const qm_reply *r);
int qm__may_next(const qm_session *s);
int qm__send_end(qm_session *s, qm__space *sp);
int qm__return_credit(qm_session *s, uint32_t bytes);

/* --- session_state.c --- */
int qm__on_state_want(qm_session *s, qm_slice body);
int qm__on_state_begin(qm_session *s, qm_slice body);
int qm__on_state_part(qm_session *s, qm_slice body);
int qm__on_state_end(qm_session *s, qm_slice body);
/* The log does not reach back to where the peer stands. */
int qm__needs_state(qm_session *s, qm__space *sp);
int qm__done_state(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_state_read(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_state_stage(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_state_take(qm_session *s, qm__space *sp, uint32_t bytes, int rc);
int qm__done_state_join(qm_session *s, qm__space *sp, int rc);
int qm__ask_state(qm_session *s, qm__space *sp, qm_event *ev);
int qm__on_state_ask(qm_session *s, qm_slice body);
/* This side's own, before its VV, where the driver said so. */
int qm__state_ask(qm_session *s, qm__space *sp, const qm_reply *r);
void qm__drop_least(qm_session *s, qm__space *sp);

/* --- session_range.c --- */
/* Client: the digests differ. */
void qm__range_begin(qm_session *s, qm__space *sp);
int qm__on_range(qm_session *s, qm_slice body);
int qm__done_range(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_range_answer(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__ask_range(qm_session *s, qm__space *sp, qm_event *ev);
/* 1: a search is on its way. */
int qm__ranging(const qm__space *sp);

/* --- session_digest.c --- */
/* Both directions are over: begins the tail. */
void qm__tail(qm_session *s, qm__space *sp);
int qm__on_digest(qm_session *s, qm_slice body);
int qm__on_digest_answer(qm_session *s, qm_slice body);
int qm__on_safe(qm_session *s, qm_slice body);
int qm__done_digest(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_digest_check(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
int qm__done_safe_read(qm_session *s, qm__space *sp, int rc, const qm_reply *r);

/* --- session_live.c --- */
int qm__on_live(qm_session *s, qm_slice body);
/* A client has exchanged everything. */
int qm__live_start(qm_session *s);
/* A space is done. */
void qm__live_done(qm_session *s, qm__space *sp);
/* A round is to be opened, as soon as there is room. */
int qm__live_wants(const qm_session *s, const qm__space *sp);
/* Opens it where there is. */
int qm__live_step(qm_session *s, qm__space *sp);
uint64_t qm__live_deadline(const qm_session *s);
int qm__live_tick(qm_session *s, uint64_t now_ms);

/* This side may open a round, or push. */
int qm__live_rests(const qm_session *s, const qm__space *sp);

/* --- session_small.c --- */
/* A client: what is new may be asked for in its compact form; asks. */
int qm__small_ask(qm_session *s, qm__space *sp, qm_event *ev);
int qm__small_wants(const qm_session *s, const qm__space *sp);
int qm__done_small(qm_session *s, qm__space *sp, int rc, const qm_reply *r);
/* A commit of one was answered. */
int qm__done_small_commit(qm_session *s, qm__slot *slot, int rc, const qm_reply *r);
/* A short frame. */
int qm__on_short(qm_session *s, qm_slice body);

/* --- session_cert.c --- */
int qm__on_cert_renew(qm_session *s, qm_slice body);
int qm__on_cert(qm_session *s, qm_slice body);
int qm__done_cert_ask(qm_session *s, int rc, const qm_reply *r);
int qm__done_cert_renew(qm_session *s, int rc, const qm_reply *r);

#endif
