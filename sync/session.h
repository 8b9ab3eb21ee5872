/* session: one conversation of two replicas over a byte stream, without I/O (SPEC S8).
 *
 * Bytes in (feed), bytes out (take), events out (next), answers in (done), time in (tick).
 * The session calls no store: it asks by *request* events, each with a ticket, and the
 * driver answers with qm_session_done, at once or later; answers to different spaces may
 * come in any order. ACK is written nowhere but in the answer to a commit that is durable.
 *
 * A driver's loop, whenever bytes, an answer or a deadline arrived:
 *   tick(now); feed(in) from where the last one stopped; next() until 0, each event
 *   executed (sync/answer.h) and, if a request, answered; take() until nothing; arm a
 *   timer for deadline(); after QM_EV_CLOSED send what take still gives, then close.
 *
 * Feed may use less than it was given: an event waits, the driver owes answers, or output
 * waits. Feed the rest after the next event, answer or take.
 *
 * Threads: one at a time. Memory: bounded by sync/limits.h. Ownership: what an event
 * points to is borrowed until the next call on the session (done included, with which it
 * may still be used as an argument); what an answer points to is copied.
 *
 * After a violation by the peer, a failure that ends the session or a timeout, an ERROR
 * frame waits in take (best effort), QM_EV_CLOSED is the last event, and every later feed
 * returns the code. Answers that come later are accepted and have no effect. */
#ifndef QM_SYNC_SESSION_H
#define QM_SYNC_SESSION_H

#include "sync/msg.h"

typedef struct qm_session qm_session;
typedef uint64_t qm_ticket; /* 0: none */

typedef enum qm_session_role { QM_CLIENT = 0, QM_SERVER = 1 } qm_session_role;

enum {
  QM_SESSION_HUB = 1,  /* server: it is the hub; client: the peer is known (by its
                          certificate) to be the hub. Only then SPACE, SAFE and CERT travel */
  QM_SESSION_RENEW = 2,   /* client: its certificate wants renewing */
  QM_SESSION_RECOVER = 4, /* server, a hub: it takes states */
  QM_SESSION_LIVE = 8     /* client: stays connected where the peer is a hub (S8.13) */
};

typedef struct qm_session_options {
  uint32_t size; /* sizeof(qm_session_options) */
  uint32_t flags;
  qm_id device;    /* own */
  qm_id peer;      /* as authenticated by TLS; zero: not known, nothing is compared */
  uint64_t serial; /* tells apart the sessions that one engine has with one peer at a time;
                      each event carries it */
  uint64_t now_ms; /* on the caller's clock, which never goes back */
} qm_session_options;

/* The one list of events. A comment names the fields that are set beside kind, ticket,
 * space, peer and hub (1: one of the two is the hub), and after the arrow what the reply
 * holds. */
typedef enum qm_event_kind {
  QM_EV_NONE = 0,
  /* Requests. */
  QM_EV_SPACES = 1,       /* -> lines: the spaces that the peer may read, after a push of each */
  QM_EV_SPACE_INFO = 2,   /* hub -> info: what the peer is granted */
  QM_EV_SPACE_PUT = 3,    /* info: add or update the space */
  QM_EV_PUSH = 4,         /* -> vv, asides: close the open run, give the heads; ask: it wants a
                             state in place of its own, that stands at safe_vv or beyond */
  QM_EV_COMPARE = 5,      /* vv of the peer; QM_EFORK -> author */
  QM_EV_NEXT = 6,         /* vv of the peer, cursor, recover, old -> blob, cursor; QM_ENOTFOUND:
                             no more; QM_ECUT: a state instead */
  QM_EV_COMMIT = 7,       /* seq (0: blob is a segment in its compact form), blob -> taken, known,
                             parked, refusals, asides (a hub's may have grown); QM_OK: durable */
  QM_EV_DIGEST = 8,       /* -> vv_digest, digest; QM_ENOTFOUND: not known now */
  QM_EV_DIGEST_CHECK = 9, /* vv_digest, digest -> compare */
  QM_EV_SAFE_READ = 10,   /* hub -> vv: acknowledged, safe */
  QM_EV_CERT_ASK = 11,    /* -> blob: own SPKI, proof */
  QM_EV_CERT_RENEW = 12,  /* hub: blob: SPKI, proof -> blob: certificate in DER */
  QM_EV_STATE = 13,       /* vv of the peer, recover, ask, safe_vv: it replaces its own by one
                             that stands there or beyond -> blob: manifest, parts, vv: the peer's
                             once it has joined; QM_ENOTFOUND: no state is given */
  QM_EV_STATE_READ = 14,  /* seq: part, digest: names the snapshot (S9.3) -> blob; QM_ENOTFOUND:
                             that snapshot is no longer kept */
  QM_EV_STATE_STAGE = 15, /* blob: manifest -> part: the first that is missing, parts */
  QM_EV_STATE_TAKE = 16,  /* seq: part, blob: content, digest: as above; QM_OK: staged, durable;
                             QM_ENOTFOUND: another session took or replaced what was staged */
  QM_EV_STATE_JOIN = 17,  /* digest; QM_OK: the staged state has taken effect, durable;
                             QM_ENOTFOUND */
  QM_EV_ASIDE = 18,       /* blob: entries, asides of the peer -> asides: what is held then,
                             peer_asides: what the peer has at least; QM_OK: durable */
  QM_EV_ASIDE_READ = 19,  /* asides of the peer -> blob: entries it lacks, peer_asides: what it
                             has then, asides: what is held; QM_ENOTFOUND: none */
  QM_EV_RANGE = 20,       /* client: blob: the peer's last answer, or empty -> blob: what to ask
                             next, empty: the search is over; part: records replaced. QM_ECUT: a
                             state is wanted instead, in another round or session */
  QM_EV_RANGE_ANSWER = 21, /* blob: the peer's question -> blob; part: records replaced */
  QM_EV_SMALL = 22,       /* client: what the hub lacks, in its compact form -> blob, vv: one entry,
                             where it ends; QM_ENOTFOUND: nothing; QM_ELIMIT: VVs are to be
                             exchanged */
  QM_EV_REQUESTS = 23,
  /* Notices; ticket is 0. */
  QM_EV_HELLO = 32,    /* has_offset, offset_ms, rtt_ms */
  QM_EV_SAME = 33,     /* lines, safe: the hub holds exactly what these digests stand for */
  QM_EV_GONE = 34,     /* the hub no longer gives this space; keep what is there */
  QM_EV_SAFE = 35,     /* vv: acknowledged by the hub; safe; count 1: of one author, the rest
                          stands */
  QM_EV_CERT = 36,     /* code 0: blob: the new certificate; else why there is none */
  QM_EV_REFUSED = 37,  /* by the peer: author, counter, code, message */
  QM_EV_STOPPED = 38,  /* code, by_peer, message: nothing more is taken in this space by this side
                          (by_peer: by the peer) */
  QM_EV_FORK = 39,     /* author: two continuations of it; it stops here, all else goes on */
  QM_EV_PROGRESS = 40, /* progress: totals of this space */
  QM_EV_DIFFER = 41,   /* equal VV, different digest */
  QM_EV_DONE = 42,     /* the space is finished; progress; compare: NONE or EQUAL or DIFFER */
  QM_EV_CLOSED = 43,   /* code, by_peer, message; the last event */
  QM_EV_REPAIRED = 44, /* count: records that were replaced, on either side */
  QM_EV_LIVE = 48      /* everything is exchanged, and the session stays */
} qm_event_kind;

/* Of one space in this session. Segments, not changes. */
typedef struct qm_progress {
  uint64_t bytes_up, bytes_down; /* batches put out; received and committed */
  uint64_t taken_up, taken_down; /* taken by the peer; by this side */
  uint64_t known_down, parked_down;
} qm_progress;

/* A space in the answer to QM_EV_SPACES. */
typedef struct qm_space_line {
  qm_msg_line line;
  uint8_t writable; /* the peer may write here */
  uint8_t safe;     /* hub: all it holds lies in a verified backup */
} qm_space_line;

typedef struct qm_event {
  qm_event_kind kind;
  qm_ticket ticket;
  qm_id space;
  qm_id peer;
  uint64_t serial; /* of the session, as its options have it */
  qm_author author;
  qm_vv_list vv, safe_vv;
  qm_aside_counts asides;
  qm_slice blob, proof, message;
  const qm_space_info *info;
  const qm_space_line *lines;
  uint32_t n_lines;
  uint32_t seq, schema; /* schema: COMMIT: the peer's version, as it said; 0: not known */
  uint64_t cursor, counter;
  uint8_t vv_digest[QM_SYNC_DIGEST_SIZE], digest[QM_SYNC_DIGEST_SIZE];
  int32_t code;
  qm_compare compare;
  uint8_t hub, by_peer, safe, has_offset;
  uint8_t recover;   /* the peer is a hub that takes states */
  uint8_t old;       /* the peer reads batches of version 1 only */
  uint8_t ask;       /* the peer wants a state in place of its own */
  uint32_t count;
  int64_t offset_ms; /* client: server's clock + rtt/2 - own clock; server: client's - own */
  uint64_t rtt_ms;
  qm_progress progress;
} qm_event;

typedef struct qm_reply {
  const qm_space_line *lines; /* ascending by id */
  uint32_t n_lines;
  const qm_space_info *info;
  qm_vv_list vv, safe_vv;
  qm_aside_counts asides, peer_asides;
  qm_slice blob, proof;
  uint64_t cursor;
  uint32_t taken, known, parked;
  uint32_t part, parts;
  uint8_t ask;
  uint8_t is_other; /* COMMIT: of a compact segment something was set aside */
  const qm_refusal *refusals;
  uint32_t n_refusals;
  qm_author author;
  uint8_t vv_digest[QM_SYNC_DIGEST_SIZE], digest[QM_SYNC_DIGEST_SIZE];
  qm_compare compare;
} qm_reply;

/* Borrows env until free; env->now_ms is the clock that HELLO and WELCOME state. QM_EINVAL,
 * QM_ENOMEM. A client asks for its spaces first; a server waits for HELLO. */
int qm_session_new(qm_session **out, const qm_env *env, qm_session_role role,
                   const qm_session_options *options);
/* s may be NULL. Outstanding tickets die with it. */
void qm_session_free(qm_session *s);

/* Takes bytes from the peer; *used says how many. QM_OK also where it used none. Once
 * closed: the code it closed with (bytes after a clean end are dropped). */
int qm_session_feed(qm_session *s, const uint8_t *in, size_t len, size_t *used);
/* Gives bytes for the peer, also after the end. *len 0: nothing waits. QM_EINVAL. */
int qm_session_take(qm_session *s, uint8_t *to, size_t cap, size_t *len);
/* Bytes that wait in take. */
size_t qm_session_waiting(const qm_session *s);
/* 1: *ev is the next event; 0: none now. */
int qm_session_next(qm_session *s, qm_event *ev);
/* Answers a request. rc QM_OK with a reply where the list above names one (else it may be
 * NULL), or why not:
 * - of class REFUSED or ABSENT, QM_ELIMIT, or a decode error: this space stops, the rest
 *   goes on;
 * - any other (storage, memory, internal): the session ends with it.
 * QM_ENOTFOUND: no such ticket; QM_EINVAL: the reply cannot be what it says (lines out of
 * order, a batch beyond its limit): the ticket stays open. Else QM_OK. */
int qm_session_done(qm_session *s, qm_ticket ticket, int rc, const qm_reply *reply);

/* Says that this side has changes in the space that the peer may lack: in a session that
 * stays they are exchanged as soon as the space rests. May be said at any time and as often
 * as one likes; costs one bit. 1: it will be; 0: this session does not stay, or the space is
 * none of it or was stopped. */
int qm_session_news(qm_session *s, const qm_id *space);
/* A hub's, in place of it: what is new is this one segment in its compact form, as another
 * session brought it. It is said at once where the space rests, else as news. */
int qm_session_relay(qm_session *s, const qm_id *space, qm_slice small);

/* Milliseconds on the caller's clock at which tick must be called; UINT64_MAX: never. */
uint64_t qm_session_deadline(const qm_session *s);
/* Says the time. QM_ETIMEOUT where the session ended by it, now or before; else QM_OK. */
int qm_session_tick(qm_session *s, uint64_t now_ms);

/* Leaves politely: BYE waits in take, nothing further is taken in. What is committed
 * stays; the rest comes with the next session. */
void qm_session_bye(qm_session *s);
/* The stream is gone (code: QM_ECLOSED at its end, QM_ENET, QM_ETLS…). */
void qm_session_shut(qm_session *s, int code);
/* 1 once closed, with the code (QM_OK: both sides sent all they had). */
int qm_session_closed(const qm_session *s, int *code);
/* Bytes fed and taken so far, frames included. */
void qm_session_bytes(const qm_session *s, uint64_t *in, uint64_t *out);

/* Tag of a grant: first 8 bytes of SHA-256 over name, role (each with its length), rights
 * and schema version (S8.2.1). Both sides of an enrolment compute it alike. */
void qm_grant_tag(const qm_space_info *info, uint32_t schema_version, uint8_t out[QM_TAG_SIZE]);

#endif
