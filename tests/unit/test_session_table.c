/* The table of states and frames (SPEC S8.4), cell by cell; what is in order within an open
 * session and what is not (S8.6); and frames that somebody changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "sync/session_int.h"
#include "tests/unit/support_frames.h"

#define LINES 5u /* one more than HELLO carries, so that every state is passed */

typedef struct bench {
  qm_env env;
  qm_session *s;
  qm_buf in;
  uint32_t batch;        /* seq of the next BATCH */
  uint32_t batches_left; /* of our own, in space 5a */
  uint32_t told[64];
  int commit_rc;
  int states; /* the next batch asked for needs a state first */
  int differs; /* so says every check of a digest */
} bench;

static uint64_t clock_ms(void *payload) {
  (void)payload;
  return UINT64_C(1800000000000);
}

static void bench_open(bench *b, qm_session_role role, uint32_t flags) {
  memset(b, 0, sizeof *b);
  b->env = qm_env_default();
  b->env.now_ms = clock_ms;
  b->batch = 1;
  qm_buf_init(&b->in, &b->env, 8u << 20);
  qm_session_options o = {.size = sizeof o, .flags = flags};
  assert_int_equal(qm_session_new(&b->s, &b->env, role, &o), QM_OK);
}

static void bench_close(bench *b) {
  qm_session_free(b->s);
  qm_buf_free(&b->in);
}

/* Everything succeeds; nothing is in any log but what the case asks for. */
static void answer(bench *b, const qm_event *ev) {
  qm_space_line lines[LINES];
  qm_reply r = {.lines = lines, .n_lines = LINES, .blob = qm_slice_of("x", 1)};
  qm_space_info info = {.schema = qm_slice_of("s", 1)};
  int rc = QM_OK;
  memset(lines, 0, sizeof lines);
  for (uint8_t i = 0; i < LINES; i++) {
    lines[i].line.id = example_id((uint8_t)(0x5a + i));
    lines[i].line.digest[0] = b->s->role == QM_CLIENT ? 1 : 2;
    lines[i].writable = i != 4;
  }
  r.info = &info;
  if (ev->kind == QM_EV_COMMIT) rc = b->commit_rc;
  r.parts = 2;
  if (b->differs) r.compare = QM_COMPARE_DIFFER;
  if (ev->kind == QM_EV_NEXT && b->states && ev->space.b[0] == 0x5a) {
    rc = QM_ECUT;
    b->states = 0;
  } else if (ev->kind == QM_EV_NEXT) {
    if (b->batches_left == 0 || ev->space.b[0] != 0x5a)
      rc = QM_ENOTFOUND;
    else
      b->batches_left--;
  }
  assert_int_equal(qm_session_done(b->s, ev->ticket, rc, &r), QM_OK);
}

static void events(bench *b) {
  qm_event ev;
  while (qm_session_next(b->s, &ev)) {
    b->told[ev.kind]++;
    if (ev.kind == QM_EV_NEXT) assert_int_equal(ev.old, b->s->proto < QM_SYNC_PROTO_BATCH_2);
    if (ev.ticket) answer(b, &ev);
  }
}

static int feed(bench *b) {
  size_t used, at = 0;
  int rc = QM_OK;
  for (int i = 0; i < 64 && at < b->in.n && rc == QM_OK; i++) {
    rc = qm_session_feed(b->s, b->in.p + at, b->in.n - at, &used);
    at += used;
    events(b);
  }
  qm_buf_clear(&b->in);
  return rc;
}

static void drain(bench *b) {
  uint8_t bytes[4096];
  size_t n;
  do assert_int_equal(qm_session_take(b->s, bytes, sizeof bytes, &n), QM_OK);
  while (n);
}

/* Brings a fresh session into a state. */
static void bring(bench *b, qm__state to) {
  qm_msg_hello hello = {.proto_min = 1, .proto_max = 1, .spaces = LINES};
  qm_msg_welcome welcome = {
      .proto = 1, .echo_ms = UINT64_C(1800000000000), .result = QM_RESULT_LIST};
  qm_msg_line lines[LINES];
  qm_msg_agreed agreed[LINES];
  qm_msg_lines list = {lines, LINES};
  qm_agreed_list agreed_list = {agreed, LINES};
  qm_event ev;
  memset(lines, 0, sizeof lines);
  for (uint8_t i = 0; i < LINES; i++) {
    lines[i].id = agreed[i].id = example_id((uint8_t)(0x5a + i));
    agreed[i].flags = QM_AGREED_SYNC;
  }
  if (b->s->options.flags & QM_SESSION_HUB) welcome.flags = QM_WELCOME_HUB;
  if (b->s->role == QM_CLIENT) {
    if (to >= QM_S_HELLO) events(b);
    if (to >= QM_S_LIST) assert_int_equal(qm_msg_welcome_put(&b->in, &welcome), QM_OK);
    if (to >= QM_S_LIST) assert_int_equal(feed(b), QM_OK);
    if (to >= QM_S_OPEN) assert_int_equal(qm_msg_agreed_put(&b->in, &agreed_list), QM_OK);
  } else {
    if (to >= QM_S_HELLO) {
      size_t used;
      assert_int_equal(qm_msg_hello_put(&b->in, &hello), QM_OK);
      assert_int_equal(qm_session_feed(b->s, b->in.p, b->in.n, &used), QM_OK);
      qm_buf_clear(&b->in);
      assert_int_equal(qm_session_next(b->s, &ev), 1); /* the peer */
      assert_int_equal(qm_session_next(b->s, &ev), 1);
      assert_int_equal(ev.kind, QM_EV_SPACES);
      if (to >= QM_S_LIST) answer(b, &ev);
    }
    if (to >= QM_S_OPEN) assert_int_equal(qm_msg_space_list_put(&b->in, &list), QM_OK);
  }
  if (b->in.n) assert_int_equal(feed(b), QM_OK);
  if (to == QM_S_BYE) qm_session_bye(b->s);
  if (to == QM_S_CLOSED) qm_session_shut(b->s, QM_ENET);
  if (to != QM_S_START) events(b);
  drain(b);
  assert_int_equal(b->s->state, to);
}

/* The table as SPEC §8.4 has it, once more: START HELLO LIST OPEN BYE CLOSED, client then
 * server. Frames that are not here are violations in every state. */
static const struct cells {
  uint32_t frame;
  const char *client, *server;
} table[] = {
    {QM_FRAME_HELLO, "-----x", "+---.x"},      {QM_FRAME_WELCOME, "-+--.x", "-----x"},
    {QM_FRAME_SPACE_LIST, "-----x", "--+-.x"}, {QM_FRAME_SPACE, "---+.x", "-----x"},
    {QM_FRAME_AGREED, "--+-.x", "-----x"},     {QM_FRAME_VV, "---+.x", "---+.x"},
    {QM_FRAME_BATCH, "---+.x", "---+.x"},      {QM_FRAME_ACK, "---+.x", "---+.x"},
    {QM_FRAME_REFUSED, "---+.x", "---+.x"},    {QM_FRAME_END, "---+.x", "---+.x"},
    {QM_FRAME_DIGEST, "-----x", "---+.x"},     {QM_FRAME_DIGEST_ANSWER, "---+.x", "-----x"},
    {QM_FRAME_SAFE, "---+.x", "-----x"},       {QM_FRAME_CREDIT, "---+.x", "---+.x"},
    {QM_FRAME_ERROR, "+++++x", "+++++x"},      {QM_FRAME_BYE, "+++++x", "+++++x"},
    {QM_FRAME_CERT_RENEW, "-----x", "---+.x"}, {QM_FRAME_CERT, "---+.x", "-----x"},
    {QM_FRAME_ASIDE, "---+.x", "---+.x"},
    {QM_FRAME_LIVE, "---+.x", "---+.x"},
    {QM_FRAME_STATE_WANT, "---+.x", "---+.x"}, {QM_FRAME_STATE_BEGIN, "---+.x", "---+.x"},
    {QM_FRAME_STATE_PART, "---+.x", "---+.x"}, {QM_FRAME_STATE_END, "---+.x", "---+.x"},
    {QM_FRAME_RANGE, "---+.x", "---+.x"},      {QM_FRAME_STATE_ASK, "---+.x", "---+.x"},
};

static char wanted(qm_session_role role, qm__state state, uint32_t frame) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (table[i].frame == frame)
      return role == QM_CLIENT ? table[i].client[state] : table[i].server[state];
  return state == QM_S_CLOSED ? 'x' : '-';
}

static void put_frame(bench *b, uint32_t frame) {
  for (size_t i = 0; i < frame_examples_n; i++)
    if (frame_examples[i].frame == frame) {
      assert_int_equal(frame_examples[i].put(&b->in), QM_OK);
      return;
    }
  assert_int_equal(qm_wire_end(&b->in, qm__msg_begin(&b->in, frame, 0)), QM_OK);
}

static void check_cell(qm_session_role role, qm__state state, uint32_t frame) {
  bench b;
  char want = wanted(role, state, frame);
  bench_open(&b, role, QM_SESSION_HUB);
  bring(&b, state);
  put_frame(&b, frame);
  int rc = feed(&b), code;
  int foreign = strstr(b.s->error.message, "not in this state") != NULL;
  int closed = qm_session_closed(b.s, &code);
  switch (want) {
    case '-':
      if (rc != QM_EPROTO || !closed || !foreign)
        fail_msg("role %d state %d frame %u", role, state, frame);
      assert_true(qm_session_waiting(b.s) > 0); /* ERROR */
      put_frame(&b, QM_FRAME_BYE);
      assert_int_equal(feed(&b), QM_EPROTO); /* sticks */
      assert_int_equal(b.told[QM_EV_CLOSED], 1);
      break;
    case '.':
      if (rc != QM_OK || closed) fail_msg("role %d state %d frame %u", role, state, frame);
      assert_int_equal(qm_session_waiting(b.s), 0);
      break;
    case 'x': assert_int_equal(rc, QM_ENET); break;
    default: /* handled: whatever it found, it was not the state */
      if (foreign) fail_msg("role %d state %d frame %u", role, state, frame);
  }
  bench_close(&b);
}

static void every_cell_of_the_table(void **state) {
  (void)state;
  for (int role = 0; role < 2; role++)
    for (int at = 0; at <= QM_S_CLOSED; at++)
      for (uint32_t frame = 0; frame < QM_FRAME_END_MAX + 2; frame++)
        check_cell((qm_session_role)role, (qm__state)at, frame);
}

/* --- order within an open session --- */

static void put_script(bench *b, char c) {
  qm_id a = example_id(0x5a), d = example_id(0x5e), foreign = example_id(0x77);
  qm_author author = {{1}};
  switch (c) {
    case 'v':
    case 'V':
    case 'Z': {
      qm_msg_vv m = {.space = c == 'v' ? a : c == 'V' ? d : foreign};
      assert_int_equal(qm_msg_vv_put(&b->in, &m), QM_OK);
      break;
    }
    case 'b':
    case 'B':
    case 'x':
    case 'n': {
      qm_msg_batch m = {c == 'x' ? foreign : c == 'n' ? d : a, 1, qm_slice_of("x", 1)};
      if (c == 'b') m.seq = b->batch++;
      if (c == 'B') m.seq = b->batch + 1;
      assert_int_equal(qm_msg_batch_put(&b->in, &m), QM_OK);
      break;
    }
    case 'a':
    case 'A': {
      qm_msg_ack m = {.space = a, .seq = c == 'a' ? 1 : 2, .taken = 1};
      assert_int_equal(qm_msg_ack_put(&b->in, &m), QM_OK);
      break;
    }
    case 'r':
    case 'R':
    case 'Q': {
      qm_msg_refused m = {.space = c == 'Q' ? foreign : a, .code = QM_EACCESS};
      if (c == 'R') m.author = author;
      assert_int_equal(qm_msg_refused_put(&b->in, &m), QM_OK);
      break;
    }
    case 'e':
    case 'u': {
      qm_msg_end m = {c == 'e' ? a : foreign};
      assert_int_equal(qm_msg_end_put(&b->in, &m), QM_OK);
      break;
    }
    case 'd': {
      qm_msg_digest m = {.space = a};
      assert_int_equal(qm_msg_digest_put(&b->in, &m), QM_OK);
      break;
    }
    case 'D': {
      qm_msg_digest_answer m = {a, QM_COMPARE_EQUAL};
      assert_int_equal(qm_msg_digest_answer_put(&b->in, &m), QM_OK);
      break;
    }
    case 'm': {
      qm_msg_digest_answer m = {a, QM_COMPARE_DIFFER};
      assert_int_equal(qm_msg_digest_answer_put(&b->in, &m), QM_OK);
      break;
    }
    case 't':
    case 'T':
    case 'i': {
      qm_msg_range m = {c == 'i' ? foreign : a, qm_slice_of("t", c != 'T')};
      assert_int_equal(qm_msg_range_put(&b->in, &m), QM_OK);
      break;
    }
    case 'h':
    case 'H': {
      qm_msg_state_ask m = {.space = c == 'h' ? a : foreign};
      assert_int_equal(qm_msg_state_ask_put(&b->in, &m), QM_OK);
      break;
    }
    case 's': {
      qm_msg_safe m = {.space = a};
      assert_int_equal(qm_msg_safe_put(&b->in, &m), QM_OK);
      break;
    }
    case 'o':
    case 'O':
    case 'y': {
      qm_msg_state_begin m = {c == 'o' ? a : c == 'O' ? d : foreign, qm_slice_of("m", 1)};
      assert_int_equal(qm_msg_state_begin_put(&b->in, &m), QM_OK);
      break;
    }
    case '1':
    case '2': {
      qm_msg_state_part m = {a, (uint32_t)(c - '1'), qm_slice_of("p", 1)};
      assert_int_equal(qm_msg_state_part_put(&b->in, &m), QM_OK);
      break;
    }
    case 'w':
    case 'W': {
      qm_msg_state_want m = {a, c == 'w' ? 0 : 3};
      assert_int_equal(qm_msg_state_want_put(&b->in, &m), QM_OK);
      break;
    }
    case 'j':
    case 'J':
    case 'l': {
      qm_msg_state_end m = {c == 'J' ? foreign : a, c != 'l'};
      assert_int_equal(qm_msg_state_end_put(&b->in, &m), QM_OK);
      break;
    }
    case 'c': put_frame(b, QM_FRAME_CREDIT); break;
    case 'p': put_frame(b, QM_FRAME_SPACE); break;
    case 'k': put_frame(b, QM_FRAME_CERT); break;
    case 'K': put_frame(b, QM_FRAME_CERT_RENEW); break;
    case 'f': put_frame(b, QM_FRAME_PURGE); break;
    case 'g': qm_buf_add(&b->in, "\0\0\0\1\xc1", 5); break;
    default: qm_buf_add(&b->in, "\0\0\0\0", 4);
  }
}

/* v VV, b BATCH (B: seq skips one), e END, a ACK 1 (A: 2), r REFUSED of the space (R: of an
 * author, Q: of a space that is not agreed), d DIGEST, D its answer, s SAFE, c CREDIT, x BATCH
 * of a foreign space, n of one the peer may not write (V its VV), Z VV and u END of a foreign
 * space, o STATE_BEGIN of a state of two parts (O: of a space the peer may not write, y: of a
 * foreign one), 1 and 2 its parts, w STATE_WANT of part 0 (W: of part 3 of two), j STATE_END
 * (J: foreign, l: not taken), h STATE_ASK (H: foreign), m DIGEST_ANSWER `differ`, t RANGE
 * (T: an empty one, i: foreign), p SPACE, k CERT, K CERT_RENEW, f a reserved frame, g no
 * MessagePack, 0 an empty frame. The last letter is in order (ok 1) or a violation. */
static const struct script {
  qm_session_role role;
  const char *letters;
  int ok;
  uint32_t batches; /* of our own */
  uint8_t plain;    /* 1: without a hub; 2: our log does not reach back, so that a state of two
                       parts is offered; 4: digests differ */
} scripts[] = {
    {QM_SERVER, "v", 1, 0, 0},     {QM_SERVER, "vb", 1, 0, 0},   {QM_SERVER, "vbb", 1, 0, 0},
    {QM_SERVER, "vB", 0, 0, 0},    {QM_SERVER, "vbB", 0, 0, 0},  {QM_SERVER, "b", 0, 0, 0},
    {QM_SERVER, "vv", 0, 0, 0},    {QM_SERVER, "ve", 1, 0, 0},   {QM_SERVER, "vbe", 1, 0, 0},
    {QM_SERVER, "e", 0, 0, 0},     {QM_SERVER, "vee", 0, 0, 0},  {QM_SERVER, "veb", 0, 0, 0},
    {QM_SERVER, "vev", 0, 0, 0},   {QM_SERVER, "ved", 1, 0, 0},  {QM_SERVER, "vd", 0, 0, 0},
    {QM_SERVER, "vedd", 0, 0, 0},  {QM_SERVER, "d", 0, 0, 0},    {QM_SERVER, "a", 0, 0, 0},
    {QM_SERVER, "va", 0, 0, 0},    {QM_SERVER, "va", 1, 1, 0},   {QM_SERVER, "vA", 0, 1, 0},
    {QM_SERVER, "vaa", 0, 1, 0},   {QM_SERVER, "vaA", 1, 2, 0},  {QM_SERVER, "vA", 0, 2, 0},
    {QM_SERVER, "ved", 0, 1, 0},   {QM_SERVER, "vead", 1, 1, 0}, {QM_SERVER, "c", 0, 0, 0},
    {QM_SERVER, "Z", 0, 0, 0},     {QM_SERVER, "u", 0, 0, 0},    {QM_SERVER, "Q", 0, 0, 0},
    {QM_SERVER, "r", 1, 0, 0},     {QM_SERVER, "re", 1, 0, 0},   {QM_SERVER, "rr", 0, 0, 0},
    {QM_SERVER, "vre", 1, 1, 0},   {QM_SERVER, "vra", 0, 1, 0},  {QM_SERVER, "vred", 0, 0, 0},
    {QM_SERVER, "R", 1, 0, 0},     {QM_SERVER, "vRRe", 1, 0, 0}, {QM_SERVER, "x", 1, 0, 0},
    {QM_SERVER, "xvbxe", 1, 0, 0}, {QM_SERVER, "Vn", 1, 0, 0},   {QM_SERVER, "n", 0, 0, 0},
    {QM_SERVER, "K", 1, 0, 0},     {QM_SERVER, "KK", 0, 0, 0},   {QM_SERVER, "K", 0, 0, 1},
    {QM_SERVER, "f", 0, 0, 0},     {QM_SERVER, "g", 0, 0, 0},    {QM_SERVER, "0", 0, 0, 0},
    {QM_CLIENT, "v", 1, 0, 0},     {QM_CLIENT, "vbe", 1, 0, 0},  {QM_CLIENT, "b", 0, 0, 0},
    {QM_CLIENT, "vbeD", 1, 0, 1},  {QM_CLIENT, "veD", 1, 0, 1},  {QM_CLIENT, "veDD", 0, 0, 1},
    {QM_CLIENT, "D", 0, 0, 1},     {QM_CLIENT, "ves", 1, 0, 0},  {QM_CLIENT, "vess", 0, 0, 0},
    {QM_CLIENT, "s", 0, 0, 0},     {QM_CLIENT, "vs", 0, 0, 0},   {QM_CLIENT, "ves", 0, 0, 1},
    {QM_CLIENT, "ves", 0, 1, 0},   {QM_CLIENT, "veas", 1, 1, 0}, {QM_CLIENT, "veasD", 1, 1, 0},
    {QM_CLIENT, "veDs", 1, 0, 0},  {QM_CLIENT, "p", 0, 0, 0},    {QM_CLIENT, "k", 0, 0, 0},
    {QM_CLIENT, "vresD", 0, 0, 0}, {QM_CLIENT, "vres", 1, 0, 0},
    /* taking a state */
    {QM_CLIENT, "vo12e", 1, 0, 0}, {QM_CLIENT, "vo12be", 1, 0, 0},
    {QM_CLIENT, "o", 0, 0, 0},     {QM_CLIENT, "veo", 0, 0, 0},
    {QM_CLIENT, "voo", 0, 0, 0},   {QM_CLIENT, "vo12o", 0, 0, 0},
    {QM_CLIENT, "y", 0, 0, 0},     {QM_CLIENT, "v1", 0, 0, 0},
    {QM_CLIENT, "vo2", 0, 0, 0},   {QM_CLIENT, "vo11", 0, 0, 0},
    {QM_CLIENT, "vo122", 0, 0, 0}, {QM_CLIENT, "vo1b", 0, 0, 0},
    {QM_CLIENT, "vo1e", 1, 0, 0},  {QM_CLIENT, "voe", 1, 0, 0},
    {QM_CLIENT, "voe1", 0, 0, 0},  {QM_CLIENT, "vbo12be", 1, 0, 0},
    {QM_SERVER, "vo", 0, 0, 0},    {QM_SERVER, "vo12e", 1, 0, 1},
    {QM_SERVER, "VO", 1, 0, 1},    {QM_CLIENT, "vo1re", 1, 0, 0},
    /* giving one */
    {QM_SERVER, "vwje", 1, 0, 2},  {QM_SERVER, "vwjed", 1, 0, 2},
    {QM_SERVER, "w", 0, 0, 2},     {QM_SERVER, "vw", 0, 0, 0},
    {QM_SERVER, "vww", 0, 0, 2},   {QM_SERVER, "vW", 0, 0, 2},
    {QM_SERVER, "vj", 0, 0, 2},    {QM_SERVER, "vwjj", 0, 0, 2},
    {QM_SERVER, "vwle", 1, 0, 2},  {QM_SERVER, "vwll", 0, 0, 2},
    {QM_SERVER, "vl", 0, 0, 2},    {QM_SERVER, "vJ", 0, 0, 2},    {QM_SERVER, "vrwe", 1, 0, 2},
    {QM_SERVER, "vwrje", 1, 0, 2}, {QM_SERVER, "ved", 0, 0, 2},
    {QM_CLIENT, "vwje", 1, 0, 3},
    /* being asked for one */
    {QM_SERVER, "hvwje", 1, 0, 0}, {QM_SERVER, "hvwje", 1, 0, 2},
    {QM_SERVER, "hvw", 1, 3, 0},   {QM_SERVER, "hva", 0, 3, 0},
    {QM_SERVER, "hh", 0, 0, 0},    {QM_SERVER, "vh", 0, 0, 0},
    {QM_SERVER, "H", 0, 0, 0},     {QM_SERVER, "hw", 0, 0, 0},
    {QM_CLIENT, "h", 0, 0, 0},     {QM_CLIENT, "hvwje", 1, 0, 1},
    /* a search: asked */
    {QM_SERVER, "vedt", 1, 0, 4},  {QM_SERVER, "vedttt", 1, 0, 4},
    {QM_SERVER, "vedtd", 1, 0, 4}, {QM_SERVER, "vedtdd", 0, 0, 4},
    {QM_SERVER, "vedd", 0, 0, 4},  {QM_SERVER, "vedtdt", 0, 0, 4},
    {QM_SERVER, "vedt", 0, 0, 0},  {QM_SERVER, "vet", 0, 0, 4},
    {QM_SERVER, "t", 0, 0, 4},     {QM_SERVER, "vedT", 0, 0, 4},
    {QM_SERVER, "vedi", 0, 0, 4},  {QM_SERVER, "vret", 0, 0, 4},
    /* and asking */
    {QM_CLIENT, "vemt", 1, 0, 1},  {QM_CLIENT, "vemttT", 1, 0, 1},
    {QM_CLIENT, "vet", 0, 0, 1},   {QM_CLIENT, "veDt", 0, 0, 1},
    {QM_CLIENT, "vemTt", 0, 0, 1}, {QM_CLIENT, "vemi", 0, 0, 1},
    {QM_CLIENT, "t", 0, 0, 1},     {QM_CLIENT, "vesmT", 1, 0, 0},
};

static void order_within_an_open_session(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
    const struct script *x = &scripts[i];
    bench b;
    int rc = QM_OK;
    bench_open(&b, x->role, x->plain & 1 ? 0 : QM_SESSION_HUB);
    bring(&b, QM_S_OPEN);
    b.batches_left = x->batches;
    b.states = x->plain & 2;
    b.differs = x->plain & 4;
    size_t n = strlen(x->letters);
    for (size_t k = 0; k < n; k++) {
      if (rc != QM_OK)
        fail_msg("%s (%zu) failed before its end: %s", x->letters, i, b.s->error.message);
      put_script(&b, x->letters[k]);
      rc = feed(&b);
    }
    if ((rc == QM_OK) != x->ok)
      fail_msg("%s (%zu): %s %s", x->letters, i, qm_err_name(rc), b.s->error.message);
    if (!x->ok) assert_int_equal(rc, QM_EPROTO);
    bench_close(&b);
  }
}

/* The peer stops a space while its VV is still being read here: END is out, so no VV
 * follows, whenever the answer comes. */
static void nothing_follows_end(void **state) {
  bench b;
  qm_event ev;
  qm_reply r = {0};
  size_t used;
  (void)state;
  bench_open(&b, QM_SERVER, 0);
  bring(&b, QM_S_LIST);
  qm_msg_line lines[LINES];
  qm_msg_lines list = {lines, LINES};
  memset(lines, 0, sizeof lines);
  for (uint8_t i = 0; i < LINES; i++) lines[i].id = example_id((uint8_t)(0x5a + i));
  assert_int_equal(qm_msg_space_list_put(&b.in, &list), QM_OK);
  assert_int_equal(qm_session_feed(b.s, b.in.p, b.in.n, &used), QM_OK);
  qm_buf_clear(&b.in);
  assert_int_equal(qm_session_next(b.s, &ev), 1);
  assert_int_equal(ev.kind, QM_EV_PUSH);
  assert_int_equal(ev.space.b[0], 0x5a);
  drain(&b);
  put_script(&b, 'r');
  assert_int_equal(qm_session_feed(b.s, b.in.p, b.in.n, &used), QM_OK);
  assert_true(qm_session_waiting(b.s) > 0); /* END */
  drain(&b);
  assert_int_equal(qm_session_done(b.s, ev.ticket, QM_OK, &r), QM_OK);
  assert_int_equal(qm_session_waiting(b.s), 0);
  bench_close(&b);
}

/* S8.14: so many questions, and no more. */
static void searches_have_an_end(void **state) {
  bench b;
  int rc = QM_OK;
  uint32_t n = 0;
  (void)state;
  bench_open(&b, QM_SERVER, QM_SESSION_HUB);
  b.differs = 1;
  bring(&b, QM_S_OPEN);
  for (const char *p = "ved"; *p; p++) {
    put_script(&b, *p);
    assert_int_equal(feed(&b), QM_OK);
  }
  for (; rc == QM_OK; n++) {
    put_script(&b, 't');
    rc = feed(&b);
    drain(&b);
  }
  assert_int_equal(rc, QM_EPROTO);
  assert_int_equal(n, QM_RANGE_STEPS_MAX + 1);
  assert_int_equal(b.told[QM_EV_RANGE_ANSWER], QM_RANGE_STEPS_MAX);
  bench_close(&b);
}

static void foreign_batches_have_an_end(void **state) {
  bench b;
  int rc = QM_OK;
  uint32_t n = 0;
  (void)state;
  bench_open(&b, QM_SERVER, QM_SESSION_HUB);
  bring(&b, QM_S_OPEN);
  for (; rc == QM_OK; n++) {
    put_script(&b, 'x');
    rc = feed(&b);
  }
  assert_int_equal(rc, QM_EPROTO);
  assert_int_equal(n, QM_SYNC_FOREIGN_MAX + 1);
  bench_close(&b);
}

/* S8.7: more than was granted is a violation; what is answered is granted again. */
static void credit_is_kept(void **state) {
  static uint8_t blob[QM_BATCH_MAX];
  (void)state;
  for (int answered = 0; answered < 2; answered++) {
    bench b;
    qm_event ev;
    size_t used, at;
    int rc = QM_OK;
    uint32_t seq = 0;
    bench_open(&b, QM_SERVER, QM_SESSION_HUB);
    bring(&b, QM_S_OPEN);
    put_script(&b, 'v');
    assert_int_equal(feed(&b), QM_OK);
    while (rc == QM_OK && seq < 6) {
      qm_msg_batch m = {example_id(0x5a), ++seq, qm_slice_of(blob, sizeof blob)};
      assert_int_equal(qm_msg_batch_put(&b.in, &m), QM_OK);
      for (at = 0; at < b.in.n && rc == QM_OK; at += used) {
        rc = qm_session_feed(b.s, b.in.p + at, b.in.n - at, &used);
        while (qm_session_next(b.s, &ev))
          if (answered && ev.ticket) answer(&b, &ev);
      }
      qm_buf_clear(&b.in);
    }
    assert_int_equal(rc, answered ? QM_OK : QM_EPROTO);
    assert_int_equal(seq, answered ? 6 : 2); /* two of the largest do not fit the window */
    assert_true(b.s->credit_in <= QM_SYNC_WINDOW);
    bench_close(&b);
  }
}

static void kept_vvs_are_bounded(void **state) {
  bench b;
  qm_vv_entry *e;
  int rc = QM_OK;
  uint8_t i = 0;
  (void)state;
  bench_open(&b, QM_SERVER, QM_SESSION_HUB);
  bring(&b, QM_S_OPEN);
  e = qm_alloc_array(&b.env, QM_SYNC_VV_MAX, sizeof *e);
  assert_non_null(e);
  memset(e, 1, QM_SYNC_VV_MAX * sizeof *e);
  for (uint32_t k = 0; k < QM_SYNC_VV_MAX; k++) {
    e[k].author.b[0] = (uint8_t)(k >> 8);
    e[k].author.b[1] = (uint8_t)k;
  }
  for (; i < LINES && rc == QM_OK; i++) { /* events are not pulled, so all are kept */
    qm_msg_vv m = {example_id((uint8_t)(0x5a + i)), {e, QM_SYNC_VV_MAX}, {NULL, 0}};
    size_t used;
    qm_buf_clear(&b.in);
    assert_int_equal(qm_msg_vv_put(&b.in, &m), QM_OK);
    rc = qm_session_feed(b.s, b.in.p, b.in.n, &used);
  }
  assert_int_equal(rc, QM_ELIMIT);
  assert_int_equal(i, QM_SYNC_VV_KEPT_MAX / QM_SYNC_VV_MAX + 1);
  qm_free(&b.env, e);
  bench_close(&b);
}

/* A frame larger than its state allows is refused by its header. */
static void sizes_follow_the_state(void **state) {
  static const struct {
    qm_session_role role;
    qm__state state;
    uint32_t max;
  } rows[] = {{QM_SERVER, QM_S_START, QM_SYNC_BODY_HELLO_MAX},
              {QM_SERVER, QM_S_LIST, QM_SYNC_BODY_LIST_MAX},
              {QM_SERVER, QM_S_OPEN, QM_SYNC_BODY_MAX},
              {QM_CLIENT, QM_S_HELLO, QM_SYNC_BODY_LIST_MAX},
              {QM_CLIENT, QM_S_OPEN, QM_SYNC_BODY_MAX}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (uint32_t more = 0; more < 2; more++) {
      bench b;
      bench_open(&b, rows[i].role, QM_SESSION_HUB);
      bring(&b, rows[i].state);
      qm_buf_be32(&b.in, rows[i].max + more);
      assert_int_equal(feed(&b), more ? QM_EPROTO : QM_OK);
      bench_close(&b);
    }
}

static void who_is_not_whom_the_certificate_names(void **state) {
  qm_session_options o = {.size = sizeof o, .peer = example_id(0x33)};
  qm_msg_hello hello = {.proto_min = 1, .proto_max = 1, .device = example_id(0x34)};
  bench b;
  (void)state;
  bench_open(&b, QM_SERVER, 0);
  qm_session_free(b.s);
  assert_int_equal(qm_session_new(&b.s, &b.env, QM_SERVER, &o), QM_OK);
  assert_int_equal(qm_msg_hello_put(&b.in, &hello), QM_OK);
  assert_int_equal(feed(&b), QM_ECERT);
  assert_int_equal(b.told[QM_EV_SPACES], 0);
  bench_close(&b);
  /* Who calls itself a hub must be one by its certificate. */
  bench_open(&b, QM_CLIENT, 0);
  bring(&b, QM_S_HELLO);
  qm_msg_welcome w = {.proto = 1, .echo_ms = UINT64_C(1800000000000), .flags = QM_WELCOME_HUB};
  assert_int_equal(qm_msg_welcome_put(&b.in, &w), QM_OK);
  assert_int_equal(feed(&b), QM_ECERT);
  bench_close(&b);
  /* An echo that is not the clock we stated. */
  bench_open(&b, QM_CLIENT, 0);
  bring(&b, QM_S_HELLO);
  w.flags = 0;
  w.echo_ms++;
  assert_int_equal(qm_msg_welcome_put(&b.in, &w), QM_OK);
  assert_int_equal(feed(&b), QM_EPROTO);
  bench_close(&b);
}

static void no_version_in_common(void **state) {
  qm_msg_hello hello = {.proto_min = 4, .proto_max = 5};
  uint8_t bytes[300];
  qm_msg_error error;
  size_t n;
  bench b;
  (void)state;
  bench_open(&b, QM_SERVER, 0);
  assert_int_equal(qm_msg_hello_put(&b.in, &hello), QM_OK);
  assert_int_equal(feed(&b), QM_EVERSION);
  assert_int_equal(qm_session_take(b.s, bytes, sizeof bytes, &n), QM_OK);
  assert_int_equal(qm_msg_error_get(&error, qm_slice_of(bytes + 4, n - 4)), QM_OK);
  assert_int_equal(error.code, QM_EVERSION);
  bench_close(&b);
  bench_open(&b, QM_CLIENT, 0); /* the other side hears it */
  bring(&b, QM_S_HELLO);
  qm_buf_add(&b.in, bytes, n);
  assert_int_equal(feed(&b), QM_EVERSION);
  assert_int_equal(b.s->by_peer, 1);
  bench_close(&b);
}

static void lists_that_nobody_could_have_agreed(void **state) {
  static const struct {
    uint8_t id, flags, hub;
    int rc;
  } rows[] = {{0x5a, QM_AGREED_SYNC, 0, QM_OK},
              {0x5a, QM_AGREED_GRANT, 0, QM_EPROTO},
              {0x5a, QM_AGREED_GONE, 0, QM_EPROTO},
              {0x5a, QM_AGREED_GRANT, 1, QM_OK},
              {0x5a, QM_AGREED_GONE, 1, QM_OK},
              {0x77, QM_AGREED_SYNC, 0, QM_EPROTO},
              {0x77, QM_AGREED_SYNC, 1, QM_EPROTO},
              {0x77, QM_AGREED_GONE, 1, QM_EPROTO},
              {0x77, QM_AGREED_GRANT, 1, QM_EPROTO},
              {0x77, QM_AGREED_GRANT | QM_AGREED_SYNC, 1, QM_OK},
              {0x77, QM_AGREED_GRANT | QM_AGREED_SYNC, 0, QM_EPROTO}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_msg_agreed one = {example_id(rows[i].id), rows[i].flags};
    qm_agreed_list list = {&one, 1};
    bench b;
    bench_open(&b, QM_CLIENT, rows[i].hub ? QM_SESSION_HUB : 0);
    bring(&b, QM_S_LIST);
    assert_int_equal(qm_msg_agreed_put(&b.in, &list), QM_OK);
    int rc = feed(&b);
    if (rc != rows[i].rc) fail_msg("row %zu: %s", i, qm_err_name(rc));
    assert_int_equal(b.told[QM_EV_GONE], rc == QM_OK && rows[i].flags == QM_AGREED_GONE);
    bench_close(&b);
  }
}

/* --- frames that somebody changed, in every state --- */

static uint32_t random_next(uint32_t *rng) {
  *rng ^= *rng << 13;
  *rng ^= *rng >> 17;
  return *rng ^= *rng << 5;
}

static void changed_frames_never_harm(void **state) {
  uint32_t rng = 20260501, violated = 0;
  (void)state;
  for (uint32_t round = 0; round < 3000; round++) {
    bench b;
    qm_session_role role = (qm_session_role)(round & 1);
    bench_open(&b, role, random_next(&rng) & 1 ? QM_SESSION_HUB : 0);
    bring(&b, (qm__state)(round % 4 == 3          ? QM_S_LIST
                          : random_next(&rng) % 4 ? QM_S_OPEN
                                                  : QM_S_START));
    b.batches_left = random_next(&rng) % 3;
    int rc = QM_OK;
    for (int k = 0; k < 12 && rc == QM_OK; k++) {
      static const char letters[] = "vbveraRdDsxVnKkcp";
      if (random_next(&rng) % 3)
        put_script(&b, letters[random_next(&rng) % (sizeof letters - 1)]);
      else
        assert_int_equal(frame_examples[random_next(&rng) % frame_examples_n].put(&b.in), QM_OK);
      if (random_next(&rng) % 4 == 0)
        b.in.p[random_next(&rng) % b.in.n] = (uint8_t)random_next(&rng);
      rc = feed(&b);
    }
    violated += rc != QM_OK;
    if (rc != QM_OK) {
      put_script(&b, 'v');
      assert_int_equal(feed(&b), rc);
      assert_int_equal(b.told[QM_EV_CLOSED], 1);
    }
    bench_close(&b);
  }
  assert_true(violated > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_cell_of_the_table),
      cmocka_unit_test(order_within_an_open_session),
      cmocka_unit_test(nothing_follows_end),
      cmocka_unit_test(searches_have_an_end),
      cmocka_unit_test(foreign_batches_have_an_end),
      cmocka_unit_test(credit_is_kept),
      cmocka_unit_test(kept_vvs_are_bounded),
      cmocka_unit_test(sizes_follow_the_state),
      cmocka_unit_test(who_is_not_whom_the_certificate_names),
      cmocka_unit_test(no_version_in_common),
      cmocka_unit_test(lists_that_nobody_could_have_agreed),
      cmocka_unit_test(changed_frames_never_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
