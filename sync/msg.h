/* msg: the messages of qianmo/1 (SPEC S8.2): every frame's struct, and its two directions,
 * which stand in one file each: msg_hello.c, msg_space.c, msg_vv.c, msg_stream.c,
 * msg_live.c, msg_state.c, msg_range.c, msg_end.c.
 *
 * A body is a MessagePack array [frame number, …] in canonical form with exactly the
 * elements listed here. put appends a whole frame to `out` (QM_ENOMEM, QM_ELIMIT; out is
 * then as before or sticks). get reads a body: slices borrow it, lists live in the arena.
 * Errors of get: cur's; QM_ERANGE (a number outside its range), QM_EOVERSIZE (a list or
 * text beyond sync/limits.h), QM_ECANON (a list out of order), QM_EDUPKEY (an id twice),
 * QM_ENOMEM. A get that fails leaves nothing to be used. No state, any thread. */
#ifndef QM_SYNC_MSG_H
#define QM_SYNC_MSG_H

#include "core/aside.h"
#include "core/cur.h"
#include "core/engine.h"
#include "core/repair.h"
#include "core/state.h"
#include "sync/wire.h"

/* X(name, number): fixed for ever. what is not spoken is reserved and refused. */
/* clang-format off */
#define QM_FRAMES_SPOKEN(X) \
  X(HELLO, 1) X(WELCOME, 2) X(SPACE_LIST, 3) X(SPACE, 4) X(AGREED, 5) X(VV, 6) X(BATCH, 7) \
  X(ACK, 8) X(REFUSED, 9) X(END, 10) X(DIGEST, 11) X(DIGEST_ANSWER, 12) X(SAFE, 13) \
  X(CREDIT, 14) X(ERROR, 15) X(BYE, 16) X(CERT_RENEW, 17) X(CERT, 18) X(STATE_WANT, 19) \
  X(ASIDE, 21) X(STATE_BEGIN, 24) X(STATE_PART, 25) X(STATE_END, 26) X(RANGE, 27) X(LIVE, 30) \
  X(STATE_ASK, 32)
#define QM_FRAMES_RESERVED(X) \
  X(PURGE, 20) X(RECEIPT, 22) X(LEASE, 23) \
  X(BLOB_WANT, 28) X(BLOB_PART, 29) X(PRESENCE, 31)
/* clang-format on */

#define QM_FRAME_ENUM(name, number) QM_FRAME_##name = number,
typedef enum qm_frame {
  QM_FRAMES_SPOKEN(QM_FRAME_ENUM) QM_FRAMES_RESERVED(QM_FRAME_ENUM)
} qm_frame;
#undef QM_FRAME_ENUM
#define QM_FRAME_END_MAX 33u /* numbers lie below */

#define QM_TAG_SIZE 8
#define QM_SYNC_DIGEST_SIZE 16

/* "VV", or "?" for a number without a name. Static string. */
const char *qm_frame_name(uint32_t number);
/* Reads the number that opens a body. QM_EFORMAT for an empty array. */
int qm_msg_frame(qm_slice body, uint32_t *number);

/* One space as its holder lists it. */
typedef struct qm_msg_line {
  qm_id id;
  uint8_t digest[QM_SYNC_DIGEST_SIZE]; /* sync digest */
  uint8_t tag[QM_TAG_SIZE];            /* of the grant */
  uint32_t schema;                     /* version */
} qm_msg_line;

enum { QM_HELLO_STAY = 1, QM_HELLO_LIVE = 2, QM_HELLO_FLAGS = 3 };

typedef struct qm_msg_hello {
  uint32_t proto_min, proto_max;
  qm_id device;
  uint64_t clock_ms;
  uint32_t flags;  /* QM_HELLO_STAY: the client has more to ask (a certificate);
                      QM_HELLO_LIVE: it stays connected */
  uint32_t spaces; /* how many the client has for this peer */
  uint8_t digest[QM_SYNC_DIGEST_SIZE]; /* over all of them */
  uint8_t grants[QM_TAG_SIZE];
  const qm_msg_line
      *lines; /* all of them, or none where there are more than QM_SYNC_HELLO_LINES_MAX */
  uint32_t n_lines;
} qm_msg_hello;
int qm_msg_hello_put(qm_buf *out, const qm_msg_hello *m);
/* QM_EVERSION where the range has no version in common with ours: looked at before
 * anything that a later version may have changed. */
int qm_msg_hello_get(qm_msg_hello *m, qm_slice body, qm_arena *arena);

/* What happens with one space in this session. */
enum {
  QM_AGREED_GRANT = 1, /* a SPACE frame comes before the server's VV */
  QM_AGREED_SYNC = 2,  /* both send their VV */
  QM_AGREED_GONE = 4,  /* the client listed it, the server does not give it to the client */
  QM_AGREED_FLAGS = 7
};
typedef struct qm_msg_agreed {
  qm_id id;
  uint32_t flags;
} qm_msg_agreed;
typedef struct qm_agreed_list {
  const qm_msg_agreed *p;
  uint32_t n;
} qm_agreed_list; /* ascending */

enum {
  QM_WELCOME_HUB = 1,
  QM_WELCOME_SAFE = 2,
  QM_WELCOME_RECOVER = 4, /* the hub lost its disk and takes states */
  QM_WELCOME_FLAGS = 7
};
enum { QM_RESULT_SAME = 0, QM_RESULT_DIFFER = 1, QM_RESULT_LIST = 2, QM_RESULTS = 3 };

typedef struct qm_msg_welcome {
  uint32_t proto;
  qm_id device;
  uint64_t clock_ms, echo_ms; /* server's clock; the client's as HELLO said it */
  uint32_t flags;
  uint32_t result;
  qm_agreed_list agreed; /* with QM_RESULT_DIFFER, else empty */
} qm_msg_welcome;
int qm_msg_welcome_put(qm_buf *out, const qm_msg_welcome *m);
int qm_msg_welcome_get(qm_msg_welcome *m, qm_slice body, qm_arena *arena);

typedef struct qm_msg_lines {
  const qm_msg_line *p;
  uint32_t n;
} qm_msg_lines;
int qm_msg_space_list_put(qm_buf *out, const qm_msg_lines *m);
int qm_msg_space_list_get(qm_msg_lines *m, qm_slice body, qm_arena *arena);

int qm_msg_agreed_put(qm_buf *out, const qm_agreed_list *m);
int qm_msg_agreed_get(qm_agreed_list *m, qm_slice body, qm_arena *arena);

/* SPACE carries a qm_space_info. */
int qm_msg_space_put(qm_buf *out, const qm_space_info *m);
int qm_msg_space_get(qm_space_info *m, qm_slice body);

typedef struct qm_msg_vv {
  qm_id space;
  qm_vv_list vv;
  qm_aside_counts asides; /* set-aside entries held */
} qm_msg_vv;
int qm_msg_vv_put(qm_buf *out, const qm_msg_vv *m);
int qm_msg_vv_get(qm_msg_vv *m, qm_slice body, qm_arena *arena);

/* What the hub has durably, and what of it lies in a verified backup too. Heads do not
 * travel (zero after get); safe never exceeds acknowledged (put raises acknowledged). */
typedef struct qm_msg_safe {
  qm_id space;
  qm_vv_list acknowledged, safe;
} qm_msg_safe;
int qm_msg_safe_put(qm_buf *out, const qm_msg_safe *m);
int qm_msg_safe_get(qm_msg_safe *m, qm_slice body, qm_arena *arena);

typedef struct qm_msg_digest {
  qm_id space;
  uint8_t vv[QM_SYNC_DIGEST_SIZE], digest[QM_SYNC_DIGEST_SIZE];
} qm_msg_digest;
int qm_msg_digest_put(qm_buf *out, const qm_msg_digest *m);
int qm_msg_digest_get(qm_msg_digest *m, qm_slice body);

typedef struct qm_msg_digest_answer {
  qm_id space;
  qm_compare result;
} qm_msg_digest_answer;
int qm_msg_digest_answer_put(qm_buf *out, const qm_msg_digest_answer *m);
int qm_msg_digest_answer_get(qm_msg_digest_answer *m, qm_slice body);

typedef struct qm_msg_batch {
  qm_id space;
  uint32_t seq;
  qm_slice blob;
} qm_msg_batch;
int qm_msg_batch_put(qm_buf *out, const qm_msg_batch *m);
int qm_msg_batch_get(qm_msg_batch *m, qm_slice body);

typedef struct qm_msg_ack {
  qm_id space;
  uint32_t seq, taken, known, parked;
} qm_msg_ack;
int qm_msg_ack_put(qm_buf *out, const qm_msg_ack *m);
int qm_msg_ack_get(qm_msg_ack *m, qm_slice body);

/* author zero: of the space as a whole; then counter is 0. */
typedef struct qm_msg_refused {
  qm_id space;
  qm_author author;
  uint64_t counter;
  int32_t code;
  qm_slice message;
} qm_msg_refused;
int qm_msg_refused_put(qm_buf *out, const qm_msg_refused *m);
int qm_msg_refused_get(qm_msg_refused *m, qm_slice body);

/* Set-aside entries that the peer lacks: an array of them (SPEC S18.2). */
typedef struct qm_msg_aside {
  qm_id space;
  qm_slice entries;
} qm_msg_aside;
int qm_msg_aside_put(qm_buf *out, const qm_msg_aside *m);
int qm_msg_aside_get(qm_msg_aside *m, qm_slice body);

typedef struct qm_msg_end {
  qm_id space;
} qm_msg_end;
int qm_msg_end_put(qm_buf *out, const qm_msg_end *m);
int qm_msg_end_get(qm_msg_end *m, qm_slice body);

/* The taker's: it goes on from this part; as many as there are: it has them all. */
typedef struct qm_msg_state_want {
  qm_id space;
  uint32_t part;
} qm_msg_state_want;
int qm_msg_state_want_put(qm_buf *out, const qm_msg_state_want *m);
int qm_msg_state_want_get(qm_msg_state_want *m, qm_slice body);

typedef struct qm_msg_state_begin {
  qm_id space;
  qm_slice manifest; /* SPEC S9.3; not looked into */
} qm_msg_state_begin;
int qm_msg_state_begin_put(qm_buf *out, const qm_msg_state_begin *m);
int qm_msg_state_begin_get(qm_msg_state_begin *m, qm_slice body);

typedef struct qm_msg_state_part {
  qm_id space;
  uint32_t part;
  qm_slice content;
} qm_msg_state_part;
int qm_msg_state_part_put(qm_buf *out, const qm_msg_state_part *m);
int qm_msg_state_part_get(qm_msg_state_part *m, qm_slice body);

/* The taker's: the state has taken effect and is durable; or it is no longer staged here. */
typedef struct qm_msg_state_end {
  qm_id space;
  int taken;
} qm_msg_state_end;
int qm_msg_state_end_put(qm_buf *out, const qm_msg_state_end *m);
int qm_msg_state_end_get(qm_msg_state_end *m, qm_slice body);

/* The sender wants the peer's state in place of its own (S9.8), where that stands at `least`
 * or beyond. Heads do not travel. */
typedef struct qm_msg_state_ask {
  qm_id space;
  qm_vv_list least;
} qm_msg_state_ask;
int qm_msg_state_ask_put(qm_buf *out, const qm_msg_state_ask *m);
int qm_msg_state_ask_get(qm_msg_state_ask *m, qm_slice body, qm_arena *arena);

/* A question (client) or an answer (server) of the search for records that differ (S19.3);
 * not looked into. An empty one from the client ends the search. */
typedef struct qm_msg_range {
  qm_id space;
  qm_slice content;
} qm_msg_range;
int qm_msg_range_put(qm_buf *out, const qm_msg_range *m);
int qm_msg_range_get(qm_msg_range *m, qm_slice body);

typedef struct qm_msg_credit {
  uint32_t bytes;
} qm_msg_credit;
int qm_msg_credit_put(qm_buf *out, const qm_msg_credit *m);
int qm_msg_credit_get(qm_msg_credit *m, qm_slice body);

typedef struct qm_msg_error {
  int32_t code;
  qm_slice message;
} qm_msg_error;
int qm_msg_error_put(qm_buf *out, const qm_msg_error *m);
int qm_msg_error_get(qm_msg_error *m, qm_slice body);

/* START, PING and PONG are of the session (space zero), NEWS and REST of a space. */
enum {
  QM_LIVE_START = 0,
  QM_LIVE_NEWS = 1,
  QM_LIVE_REST = 2,
  QM_LIVE_PING = 3,
  QM_LIVE_PONG = 4,
  QM_LIVE_WHATS = 5
};
typedef struct qm_msg_live {
  qm_id space;
  uint32_t what;
} qm_msg_live;
int qm_msg_live_put(qm_buf *out, const qm_msg_live *m);
int qm_msg_live_get(qm_msg_live *m, qm_slice body);

int qm_msg_bye_put(qm_buf *out);
int qm_msg_bye_get(qm_slice body);

typedef struct qm_msg_cert_renew {
  qm_slice spki, proof;
} qm_msg_cert_renew;
int qm_msg_cert_renew_put(qm_buf *out, const qm_msg_cert_renew *m);
int qm_msg_cert_renew_get(qm_msg_cert_renew *m, qm_slice body);

/* code 0 with a certificate, else why there is none. */
typedef struct qm_msg_cert {
  int32_t code;
  qm_slice der;
} qm_msg_cert;
int qm_msg_cert_put(qm_buf *out, const qm_msg_cert *m);
int qm_msg_cert_get(qm_msg_cert *m, qm_slice body);

/* --- shared by msg_*.c --- */
size_t qm__msg_begin(qm_buf *out, uint32_t frame, size_t elements);
/* Opens a body that must hold `elements` after the frame number. */
int qm__msg_open(qm_cur *c, qm_slice body, uint32_t frame, uint32_t elements);
/* A list's count, at most `max`; `least` is the smallest element's size in bytes. */
int qm__msg_count(qm_cur *c, uint32_t max, size_t least, uint32_t *out);
int qm__msg_code(qm_cur *c, int zero_too, int32_t *out);
int qm__msg_text(qm_cur *c, size_t max, qm_slice *out);
int qm__msg_bin(qm_cur *c, size_t min, size_t max, qm_slice *out);
/* `text` cut to whole code points within max bytes. */
qm_slice qm__msg_cut(qm_slice text, size_t max);

#endif
