/* Two replicas hold a session, one of them hostile behind a valid certificate: an input
 * changes, drops, repeats, swaps and invents its frames. `session`: the client is hostile to
 * a hub or a peer; `client`: the server is. An input of zeroes is an honest session.
 *
 * Input: how, then for each hostile frame an action with its arguments. */
#include <string.h>

#include "core/space.h"
#include "core/mp.h"
#include "sync/answer.h"
#include "tests/fuzz/support_fuzz_build.h"
#include "tests/unit/support_frames.h"

#define STEPS_MAX 3000u
#define FRAMES_MAX 400u /* that a hostile side sends in all */

enum { HOW_HUB = 1, HOW_SCHEMA = 2, HOW_AUTHOR = 4, HOW_RENEW = 8, HOW_SLOW = 16, HOW_CUT = 32 };

typedef struct side {
  fuzz_replica r;
  qm_answer answer;
  qm_session *s;
  qm_buf inbox; /* bytes that came and are not fed yet */
  qm_wire out;  /* what it says, frame by frame */
  int closed, code, hostile;
  uint32_t commits, differs;
} side;

typedef struct meeting {
  side a, b; /* client, server */
  fuzz_builder builder;
  qm_slice in;
  qm_buf kept; /* a frame held back */
  uint32_t frames;
  unsigned how;
  int touched; /* the session is not honest any more */
} meeting;

/* --- sides --- */

static int cert_ask(void *payload, qm_arena *arena, qm_slice *spki, qm_slice *proof) {
  (void)payload;
  (void)arena;
  *spki = qm_slice_of("spki", 4);
  *proof = qm_slice_of("proof", 5);
  return QM_OK;
}

static int cert_renew(void *payload, const qm_id *peer, qm_slice spki, qm_slice proof,
                      qm_arena *arena, qm_slice *der) {
  (void)payload;
  (void)peer;
  (void)arena;
  *der = qm_slice_of("der", 3);
  return spki.n == proof.n ? QM_EREVOKED : QM_OK;
}

static const qm_answer_policy policy = {.cert_ask = cert_ask, .cert_renew = cert_renew};

static void side_open(side *x, const meeting *m, qm_session_role role, const qm_id *peer) {
  qm_session_options o = {.size = sizeof o, .device = x->r.device, .peer = *peer};
  uint32_t flags = 0;
  if (m->how & HOW_HUB) o.flags |= QM_SESSION_HUB;
  if (role == QM_CLIENT && m->how & HOW_RENEW) o.flags |= QM_SESSION_RENEW;
  if (role == QM_SERVER && m->how & HOW_HUB) flags |= QM_ANSWER_HUB;
  if (m->how & HOW_SCHEMA) flags |= QM_ANSWER_CHECK_SCHEMA;
  if (m->how & HOW_AUTHOR) flags |= QM_ANSWER_CHECK_AUTHOR;
  o.now_ms = fuzz_now;
  FUZZ_OK(qm_session_new(&x->s, fuzz_env(), role, &o));
  qm_answer_init(&x->answer, fuzz_env(), x->r.engine, flags | QM_ANSWER_CLOCK, &policy);
  qm_buf_init(&x->inbox, fuzz_env(), (size_t)32 << 20);
  qm_wire_init(&x->out, fuzz_env(), QM_SYNC_BODY_MAX);
}

static void side_close(side *x) {
  if (!x->closed) qm_session_shut(x->s, QM_ECLOSED);
  qm_session_free(x->s);
  qm_answer_free(&x->answer);
  qm_buf_free(&x->inbox);
  qm_wire_free(&x->out);
}

/* Events are executed in place; of a slow driver one at a time. */
static uint32_t events(side *x, int slow) {
  qm_event ev;
  uint32_t n = 0;
  while (qm_session_next(x->s, &ev)) {
    n++;
    FUZZ_CHECK(!x->closed);
    x->commits += ev.kind == QM_EV_COMMIT;
    x->differs += ev.kind == QM_EV_DIFFER;
    if (ev.kind == QM_EV_CLOSED) {
      x->closed = 1;
      x->code = ev.code;
    }
    int rc = qm_answer_event(&x->answer, x->s, &ev);
    FUZZ_CHECK(rc != QM_EINTERNAL && rc != QM_ENOMEM && rc != QM_ECORRUPT && rc != QM_EINVAL);
    if (slow) break;
  }
  FUZZ_CHECK(qm_session_waiting(x->s) <= QM_SYNC_OUT_MAX);
  return n;
}

static size_t feed(side *x) {
  size_t used = 0;
  if (!x->inbox.n) return 0;
  (void)qm_session_feed(x->s, x->inbox.p, x->inbox.n, &used);
  FUZZ_CHECK(used <= x->inbox.n);
  memmove(x->inbox.p, x->inbox.p + used, x->inbox.n - used);
  x->inbox.n -= used;
  return used;
}

/* --- what the hostile side says --- */

static void send(side *to, qm_slice body) {
  qm_buf_be32(&to->inbox, (uint32_t)body.n);
  qm_buf_add(&to->inbox, body.p, body.n);
  FUZZ_OK(qm_buf_status(&to->inbox));
}

static void put_space_id(meeting *m, qm_buf *out) {
  static const uint8_t firsts[] = {'s', 't', 'u', 'v', 0};
  qm_id id = {{firsts[fuzz_below(&m->in, 5)]}};
  qm_mp_bin(out, id.b, sizeof id.b);
}

static void put_author(meeting *m, qm_buf *out) {
  const side *x = fuzz_below(&m->in, 2) ? &m->a : &m->b;
  uint32_t which = fuzz_below(&m->in, 6);
  qm_author none = {{0}};
  const qm_author *a = which < FUZZ_WRITERS ? &m->builder.authors.ids[which]
                       : which == 4         ? qm_engine_author(x->r.engine)
                                            : &none;
  qm_mp_bin(out, a->b, sizeof a->b);
}

/* One element of a message in another's place. */
static void put_element(meeting *m, qm_buf *out) {
  qm_buf batch;
  qm_slice piece;
  switch (fuzz_below(&m->in, 10)) {
    case 0: qm_mp_uint(out, fuzz_number(&m->in)); break;
    case 1: qm_mp_int(out, -(int64_t)(fuzz_number(&m->in) >> 1)); break;
    case 2: put_space_id(m, out); break;
    case 3: put_author(m, out); break;
    case 4:
      piece = fuzz_take(&m->in, fuzz_below(&m->in, 40));
      qm_mp_bin(out, piece.p, piece.n);
      break;
    case 5:
      piece = fuzz_take(&m->in, fuzz_below(&m->in, 8));
      qm_mp_str(out, piece.p, piece.n);
      break;
    case 6: qm_mp_array(out, fuzz_below(&m->in, 4)); break;
    case 7:
      qm_buf_init(&batch, fuzz_env(), QM_BATCH_MAX);
      if (!fuzz_build(&m->builder, &m->in, &batch)) qm_buf_clear(&batch);
      qm_mp_bin(out, batch.p, batch.n);
      qm_buf_free(&batch);
      break;
    case 8: qm_mp_nil(out); break;
    default:
      piece = fuzz_take(&m->in, fuzz_below(&m->in, 12));
      qm_buf_add(out, piece.p, piece.n);
  }
}

/* The body with elements from the chosen one on replaced; nested ones count. */
static void change_element(meeting *m, qm_slice body, qm_buf *out) {
  uint32_t at = fuzz_below(&m->in, 24), n = 1 + fuzz_below(&m->in, 2);
  qm_cur c;
  qm_mp_token t;
  const uint8_t *from;
  qm_cur_init(&c, body);
  for (uint32_t i = 0; i < at && qm_cur_left(&c); i++)
    if (qm_cur_token(&c, &t) != QM_OK) break;
  from = c.at;
  for (uint32_t i = 0; i < n && qm_cur_left(&c); i++)
    if (qm_cur_token(&c, &t) != QM_OK) break;
  qm_buf_add(out, body.p, (size_t)(from - body.p));
  while (n--) put_element(m, out);
  qm_buf_add(out, c.at, qm_cur_left(&c));
}

/* A frame of the hostile side's own: a batch for a space, or any example. */
static void invent(meeting *m, qm_buf *out) {
  uint32_t which = fuzz_below(&m->in, (uint32_t)frame_examples_n + 8);
  qm_buf frame, batch;
  qm_buf_init(&frame, fuzz_env(), QM_SYNC_BODY_MAX + 4);
  if (which < frame_examples_n) {
    FUZZ_OK(frame_examples[which].put(&frame));
    change_element(m, qm_slice_of(frame.p + 4, frame.n - 4), out);
  } else {
    qm_mp_array(out, 4);
    qm_mp_uint(out, QM_FRAME_BATCH);
    put_space_id(m, out);
    qm_mp_uint(out, fuzz_number(&m->in));
    qm_buf_init(&batch, fuzz_env(), QM_BATCH_MAX);
    if (!fuzz_build(&m->builder, &m->in, &batch)) qm_buf_clear(&batch);
    qm_mp_bin(out, batch.p, batch.n);
    qm_buf_free(&batch);
  }
  qm_buf_free(&frame);
}

/* The batch in a BATCH frame replaced by one of the hostile side's own, seq and all right. */
static int replace_batch(meeting *m, qm_slice body, qm_buf *out) {
  qm_msg_batch b;
  qm_buf batch;
  size_t before = out->n;
  if (qm_msg_batch_get(&b, body) != QM_OK) return 0;
  qm_buf_init(&batch, fuzz_env(), QM_BATCH_MAX);
  int ok = fuzz_build(&m->builder, &m->in, &batch);
  b.blob = qm_buf_slice(&batch);
  if (ok) FUZZ_OK(qm_msg_batch_put(out, &b));
  qm_buf_free(&batch);
  if (ok) memmove(out->p + before, out->p + before + 4, out->n -= 4);
  return ok;
}

static void flip(meeting *m, qm_buf *out, qm_slice body) {
  uint32_t flips = 1 + fuzz_below(&m->in, 3);
  qm_buf_add(out, body.p, body.n);
  while (flips-- && out->n)
    out->p[fuzz_below(&m->in, (uint32_t)out->n)] = (uint8_t)fuzz_byte(&m->in);
}

/* One frame of the hostile side on its way. */
static void pass(meeting *m, side *to, qm_slice body) {
  unsigned what = m->in.n ? fuzz_byte(&m->in) % 16 : 0;
  qm_buf out;
  qm_buf_init(&out, fuzz_env(), QM_SYNC_BODY_MAX * 2);
  if (what) m->touched = 1;
  switch (what) {
    case 2: send(to, body); break; /* twice, with the one below */
    case 3: /* held back until the next */
      if (m->kept.n) break;
      qm_buf_add(&m->kept, body.p, body.n);
      goto out;
    case 4: flip(m, &out, body); break;
    case 5: case 6: case 7: change_element(m, body, &out); break;
    case 8: body.n = fuzz_below(&m->in, (uint32_t)body.n) + 1; break;
    case 9: case 10:
      invent(m, &out);
      send(to, qm_buf_slice(&out));
      qm_buf_clear(&out);
      break;
    case 11: case 12: case 13:
      if (!replace_batch(m, body, &out)) qm_buf_clear(&out);
      break;
    case 14: fuzz_now += fuzz_number(&m->in) % 20000; break;
    default: break;
  }
  if (what != 1) send(to, out.n ? qm_buf_slice(&out) : body);
  if (m->kept.n && what != 3) {
    send(to, qm_buf_slice(&m->kept));
    qm_buf_clear(&m->kept);
  }
out:
  qm_buf_free(&out);
}

/* --- the stream --- */

/* What an honest side says is well-formed. */
static void check_frame(qm_slice body) {
  uint32_t number = 0;
  qm_arena arena;
  qm_buf out;
  FUZZ_OK(qm_msg_frame(body, &number));
  qm_arena_init(&arena, fuzz_env(), QM_SYNC_SCRATCH_MAX);
  qm_buf_init(&out, fuzz_env(), QM_SYNC_OUT_MAX);
  for (size_t i = 0; i < frame_examples_n; i++) {
    if (frame_examples[i].frame != number) continue;
    FUZZ_OK(frame_examples[i].again(body, &arena, &out));
    FUZZ_SAME(qm_slice_of(out.p + 4, out.n - 4), body);
    break;
  }
  qm_buf_free(&out);
  qm_arena_free(&arena);
}

static size_t move(meeting *m, side *from, side *to) {
  uint8_t bytes[4096];
  size_t n = 0, used, at = 0;
  qm_slice body;
  FUZZ_OK(qm_session_take(from->s, bytes, sizeof bytes, &n));
  while (at < n) {
    FUZZ_OK(qm_wire_feed(&from->out, bytes + at, n - at, &used));
    at += used;
    if (!qm_wire_ready(&from->out, &body)) continue;
    if (!from->hostile) check_frame(body);
    if (from->hostile && m->frames++ < FRAMES_MAX) pass(m, to, body);
    else send(to, body);
    qm_wire_next(&from->out);
  }
  return n;
}

/* Time passes where nothing else happens: a session ends, whatever the peer does. */
static int wait_for(meeting *m) {
  uint64_t a = qm_session_deadline(m->a.s), b = qm_session_deadline(m->b.s);
  uint64_t at = a < b ? a : b;
  if (at == UINT64_MAX) return 0;
  if (at > fuzz_now) fuzz_now = at;
  (void)qm_session_tick(m->a.s, fuzz_now);
  (void)qm_session_tick(m->b.s, fuzz_now);
  return 1;
}

static void hold(meeting *m) {
  int slow = (m->how & HOW_SLOW) != 0;
  uint32_t steps = 0;
  while (!(m->a.closed && m->b.closed)) {
    size_t n = events(&m->a, slow) + events(&m->b, slow);
    n += move(m, &m->a, &m->b) + move(m, &m->b, &m->a);
    n += feed(&m->a) + feed(&m->b);
    if (!n) FUZZ_CHECK(wait_for(m));
    FUZZ_CHECK(++steps < STEPS_MAX);
  }
}

static void check_spaces(side *x) {
  for (uint32_t i = 0; i < qm_engine_space_count(x->r.engine); i++)
    fuzz_check_replica(&x->r, qm_engine_space_at(x->r.engine, i));
}

/* What an honest session gives. */
static void check_honest(meeting *m) {
  static const qm_id s = {{'s'}}, t = {{'t'}};
  FUZZ_CHECK(m->a.code == QM_OK && m->b.code == QM_OK && !m->a.differs && !m->b.differs);
  FUZZ_CHECK(fuzz_equal(&m->a.r, qm_engine_space(m->a.r.engine, &s), &m->b.r,
                        qm_engine_space(m->b.r.engine, &s)));
  if (!(m->how & HOW_HUB)) return;
  FUZZ_CHECK(qm_engine_space(m->a.r.engine, &t) != NULL);
  FUZZ_CHECK(fuzz_equal(&m->a.r, qm_engine_space(m->a.r.engine, &t), &m->b.r,
                        qm_engine_space(m->b.r.engine, &t)));
}

/* The server's log no longer reaches back: what it has travels as a state. */
static void cut_logs(fuzz_replica *r) {
  r->engine->flags |= QM_ENGINE_HUB;
  for (uint32_t i = 0; i < qm_engine_space_count(r->engine); i++) {
    qm_space *s = qm_engine_space_at(r->engine, i);
    FUZZ_OK(qm_engine_push(r->engine, s));
    FUZZ_OK(qm_engine_cut(r->engine, s, qm_space_vv(s)));
  }
}

static void meet(qm_slice in, int hostile_client) {
  meeting m;
  memset(&m, 0, sizeof m);
  m.how = fuzz_byte(&in);
  m.in = in;
  qm_buf_init(&m.kept, fuzz_env(), QM_SYNC_BODY_MAX);
  fuzz_replica_open(&m.a.r, 3, 0);
  fuzz_replica_open(&m.b.r, 9, m.how & HOW_HUB ? QM_ENGINE_HUB : 0);
  fuzz_fill(&m.a.r, m.a.r.space);
  fuzz_fill(&m.b.r, m.b.r.space);
  fuzz_fill(&m.b.r, fuzz_space(&m.b.r, 't'));
  (void)fuzz_space(&m.a.r, 'u');
  if (m.how & HOW_CUT) cut_logs(&m.b.r);
  *(hostile_client ? &m.a.hostile : &m.b.hostile) = 1;
  fuzz_builder_init(&m.builder, 's', hostile_client ? 3 : 9, NULL);
  side_open(&m.a, &m, QM_CLIENT, &m.b.r.device);
  side_open(&m.b, &m, QM_SERVER, &m.a.r.device);
  hold(&m);
  side_close(&m.a);
  side_close(&m.b);
  check_spaces(&m.a);
  check_spaces(&m.b);
  if (!m.touched && !(m.how & HOW_AUTHOR)) check_honest(&m);
  fuzz_builder_free(&m.builder);
  qm_buf_free(&m.kept);
  fuzz_replica_close(&m.a.r);
  fuzz_replica_close(&m.b.r);
}

void fuzz_session(qm_slice in) { meet(in, 1); }
void fuzz_client(qm_slice in) { meet(in, 0); }
