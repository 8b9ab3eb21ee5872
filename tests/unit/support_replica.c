#include "tests/unit/support_replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

#define ENTRY_SIZE 32u

/* --- the model --- */

void fake_init(fake *f, uint8_t number) {
  memset(f, 0, sizeof *f);
  f->device.b[0] = number;
  f->batch_max = 3;
  f->clock_ms = UINT64_C(1800000000000);
}

void fake_free(fake *f) {
  for (uint32_t i = 0; i < f->n_spaces; i++) free(f->spaces[i].log);
  free(f->spaces);
  f->spaces = NULL;
  f->n_spaces = 0;
}

qm_id fake_space_id(uint32_t number) {
  qm_id id = {{0x5a, (uint8_t)(number >> 8), (uint8_t)number}};
  return id;
}

static fake_space *find_id(fake *f, const qm_id *id) {
  for (uint32_t i = 0; i < f->n_spaces; i++)
    if (qm_id_cmp(&f->spaces[i].id, id) == 0) return &f->spaces[i];
  return NULL;
}

fake_space *fake_find(fake *f, uint32_t number) {
  qm_id id = fake_space_id(number);
  return find_id(f, &id);
}

static fake_space *add_id(fake *f, const qm_id *id) {
  uint32_t at = 0;
  f->spaces = realloc(f->spaces, (f->n_spaces + 1) * sizeof *f->spaces);
  assert_non_null(f->spaces);
  while (at < f->n_spaces && qm_id_cmp(&f->spaces[at].id, id) < 0) at++;
  memmove(&f->spaces[at + 1], &f->spaces[at], (f->n_spaces++ - at) * sizeof *f->spaces);
  memset(&f->spaces[at], 0, sizeof *f->spaces);
  f->spaces[at].id = *id;
  f->spaces[at].schema = 1;
  f->spaces[at].role = 'g';
  return &f->spaces[at];
}

fake_space *fake_add(fake *f, uint32_t number) {
  qm_id id = fake_space_id(number);
  return add_id(f, &id);
}

static uint32_t author_at(fake_space *sp, const qm_author *author) {
  for (uint32_t i = 0; i < sp->n_authors; i++)
    if (qm_author_cmp(&sp->authors[i], author) == 0) return i;
  assert_true(sp->n_authors < FAKE_AUTHORS);
  sp->authors[sp->n_authors] = *author;
  return sp->n_authors++;
}

static void append(fake_space *sp, uint32_t author) {
  if (sp->n_log == sp->cap_log) {
    sp->cap_log = sp->cap_log ? 2 * sp->cap_log : 8;
    sp->log = realloc(sp->log, sp->cap_log * sizeof *sp->log);
    assert_non_null(sp->log);
  }
  sp->log[sp->n_log].author = author;
  sp->log[sp->n_log++].counter = sp->next[author]++;
}

void fake_write(fake *f, uint32_t number, uint32_t segments) {
  fake_space *sp = fake_find(f, number);
  qm_author author = {{0}};
  memcpy(author.b, f->device.b, QM_ID_SIZE);
  uint32_t at = author_at(sp, &author);
  while (segments--) append(sp, at);
}

/* Ascending by author; heads say counter and branch. */
static uint32_t list(const fake_space *sp, qm_vv_entry out[FAKE_AUTHORS]) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < sp->n_authors; i++) {
    if (sp->next[i] == 0) continue;
    uint32_t at = n++;
    for (; at > 0 && qm_author_cmp(&out[at - 1].author, &sp->authors[i]) > 0; at--)
      out[at] = out[at - 1];
    memset(&out[at], 0, sizeof out[at]);
    out[at].author = sp->authors[i];
    out[at].next = sp->next[i];
    out[at].head[0] = (uint8_t)sp->next[i];
    out[at].head[1] = sp->branch[i];
  }
  return n;
}

static void digest_of(const fake_space *sp, uint32_t more, uint8_t out[16]) {
  qm_vv_entry vv[FAKE_AUTHORS];
  qm_hash hash;
  qm_sha h;
  uint32_t n = list(sp, vv);
  qm_sha_init(&h);
  for (uint32_t i = 0; i < n; i++) {
    uint8_t next[8];
    for (int k = 0; k < 8; k++) next[k] = (uint8_t)(vv[i].next >> (8 * k));
    qm_sha_add(&h, vv[i].author.b, QM_AUTHOR_SIZE);
    qm_sha_add(&h, next, sizeof next);
    qm_sha_add(&h, vv[i].head, QM_HEAD_SIZE);
  }
  qm_sha_add(&h, &more, sizeof more);
  qm_sha_end(&h, &hash);
  memcpy(out, hash.b, 16);
}

int fake_same(const fake *a, const fake *b, uint32_t number) {
  uint8_t x[16], y[16];
  qm_id id = fake_space_id(number);
  const fake_space *p = NULL, *q = NULL;
  for (uint32_t i = 0; i < a->n_spaces; i++)
    if (qm_id_cmp(&a->spaces[i].id, &id) == 0) p = &a->spaces[i];
  for (uint32_t i = 0; i < b->n_spaces; i++)
    if (qm_id_cmp(&b->spaces[i].id, &id) == 0) q = &b->spaces[i];
  if (!p || !q) return 0;
  digest_of(p, 0, x);
  digest_of(q, 0, y);
  return memcmp(x, y, 16) == 0 && p->n_log == q->n_log;
}

uint64_t fake_total(const fake *f, uint32_t number) {
  qm_id id = fake_space_id(number);
  for (uint32_t i = 0; i < f->n_spaces; i++)
    if (qm_id_cmp(&f->spaces[i].id, &id) == 0) return f->spaces[i].n_log;
  return 0;
}

/* --- answers --- */

typedef struct answer {
  int rc;
  qm_reply r;
  qm_space_line *lines;
  qm_vv_entry vv[FAKE_AUTHORS], safe[FAKE_AUTHORS];
  qm_space_info info;
  qm_refusal refusal;
  uint8_t *blob;
  char text[1];
} answer;

static void info_of(const fake_space *sp, answer *out) {
  static const uint8_t schemas[4][1] = {{0}, {1}, {2}, {3}};
  memset(&out->info, 0, sizeof out->info);
  out->text[0] = sp->role;
  out->info.id = sp->id;
  out->info.name = qm_slice_of("grid", 4);
  out->info.role = qm_slice_of(out->text, 1);
  out->info.schema = qm_slice_of(schemas[sp->schema & 3], 1);
  out->info.readable = out->info.writable = 1;
  out->r.info = &out->info;
}

static void answer_spaces(fake *f, answer *out) {
  out->lines = calloc(f->n_spaces + 1, sizeof *out->lines);
  assert_non_null(out->lines);
  for (uint32_t i = 0; i < f->n_spaces; i++) {
    fake_space *sp = &f->spaces[i];
    if (sp->hidden) continue;
    qm_space_line *line = &out->lines[out->r.n_lines++];
    line->line.id = sp->id;
    line->line.schema = sp->schema;
    line->writable = !sp->unwritable;
    line->safe = sp->safe;
    digest_of(sp, sp->schema, line->line.digest);
    info_of(sp, out);
    qm_grant_tag(&out->info, sp->schema, line->line.tag);
  }
  out->r.lines = out->lines;
}

static int fault(const fake *f, const fake_space *sp, int rc) {
  return f->first_only && sp != f->spaces ? QM_OK : rc;
}

static int answer_put(fake *f, const qm_event *ev) {
  fake_space *sp = find_id(f, &ev->space);
  if (fault(f, sp, f->put_rc)) return f->put_rc;
  if (!sp) sp = add_id(f, &ev->space);
  assert_int_equal(ev->info->schema.n, 1);
  sp->schema = ev->info->schema.p[0];
  sp->role = (char)ev->info->role.p[0];
  return QM_OK;
}

static int answer_compare(const fake_space *sp, const qm_event *ev, answer *out) {
  for (uint32_t i = 0; i < sp->n_authors; i++)
    for (uint32_t k = 0; k < ev->vv.n; k++) {
      const qm_vv_entry *e = &ev->vv.p[k];
      if (qm_author_cmp(&e->author, &sp->authors[i]) != 0) continue;
      if (e->next == sp->next[i] && e->head[1] != sp->branch[i]) {
        out->r.author = e->author;
        return QM_EFORK;
      }
    }
  return QM_OK;
}

static uint64_t peer_next(const qm_event *ev, const qm_author *author) {
  for (uint32_t k = 0; k < ev->vv.n; k++)
    if (qm_author_cmp(&ev->vv.p[k].author, author) == 0) return ev->vv.p[k].next;
  return 0;
}

static int answer_next(const fake *f, const fake_space *sp, const qm_event *ev, answer *out) {
  size_t n = 0;
  uint64_t at = ev->cursor;
  if (fault(f, sp, f->next_rc)) return f->next_rc;
  out->blob = calloc(1, 1 + (size_t)f->batch_max * ENTRY_SIZE + f->pad);
  assert_non_null(out->blob);
  for (; at < sp->n_log && n < f->batch_max; at++) {
    const fake_entry *e = &sp->log[at];
    const qm_author *author = &sp->authors[e->author];
    if (e->counter < peer_next(ev, author)) continue;
    uint8_t *p = out->blob + 1 + n++ * ENTRY_SIZE;
    memcpy(p, author->b, QM_AUTHOR_SIZE);
    for (int k = 0; k < 8; k++) p[24 + k] = (uint8_t)(e->counter >> (56 - 8 * k));
  }
  if (n == 0) return QM_ENOTFOUND;
  out->blob[0] = (uint8_t)n;
  out->r.blob = qm_slice_of(out->blob, 1 + n * ENTRY_SIZE + f->pad);
  out->r.cursor = at;
  return QM_OK;
}

static void refuse(answer *out, const qm_author *author, uint64_t counter, int code) {
  if (out->r.n_refusals) return;
  out->refusal.author = *author;
  out->refusal.counter = counter;
  out->refusal.code = code;
  memcpy(out->refusal.message, "not allowed", 12);
  out->r.refusals = &out->refusal;
  out->r.n_refusals = 1;
}

static int answer_commit(fake *f, fake_space *sp, const qm_event *ev, answer *out) {
  if (fault(f, sp, f->commit_rc) && ++f->commits >= f->commit_at) return f->commit_rc;
  for (uint32_t i = 0; i < ev->blob.p[0]; i++) {
    qm_author author;
    uint64_t counter = 0;
    const uint8_t *p = ev->blob.p + 1 + i * ENTRY_SIZE;
    memcpy(author.b, p, QM_AUTHOR_SIZE);
    for (int k = 0; k < 8; k++) counter = counter << 8 | p[24 + k];
    uint32_t at = author_at(sp, &author);
    if (f->refuses && qm_author_cmp(f->refuses, &author) == 0) {
      refuse(out, &author, counter, QM_ESCHEMA);
    } else if (counter < sp->next[at]) {
      out->r.known++;
      f->doubled++;
    } else if (counter > sp->next[at]) {
      refuse(out, &author, counter, QM_EGAP);
    } else {
      append(sp, at);
      out->r.taken++;
    }
  }
  return QM_OK;
}

static void answer_digest(const fake_space *sp, uint8_t vv[16], uint8_t digest[16]) {
  digest_of(sp, 0, vv);
  digest_of(sp, 100u + sp->corrupt, digest);
}

static int answer_check(const fake_space *sp, const qm_event *ev, answer *out) {
  uint8_t vv[16], digest[16];
  answer_digest(sp, vv, digest);
  if (memcmp(vv, ev->vv_digest, 16) != 0)
    out->r.compare = QM_COMPARE_NONE;
  else
    out->r.compare = memcmp(digest, ev->digest, 16) ? QM_COMPARE_DIFFER : QM_COMPARE_EQUAL;
  return QM_OK;
}

static void answer_safe(const fake_space *sp, answer *out) {
  out->r.vv.n = out->r.safe_vv.n = list(sp, out->vv);
  list(sp, out->safe);
  for (uint32_t i = 0; i < out->r.vv.n; i++) out->safe[i].next /= 2;
  out->r.vv.p = out->vv;
  out->r.safe_vv.p = out->safe;
}

static int answer_in_space(fake *f, const qm_event *ev, answer *out) {
  fake_space *sp = find_id(f, &ev->space);
  if (!sp) return QM_ENOTFOUND;
  switch (ev->kind) {
    case QM_EV_SPACE_INFO: info_of(sp, out); return fault(f, sp, f->info_rc);
    case QM_EV_PUSH:
      out->r.vv.n = list(sp, out->vv);
      out->r.vv.p = out->vv;
      return fault(f, sp, f->push_rc);
    case QM_EV_COMPARE: return answer_compare(sp, ev, out);
    case QM_EV_NEXT: return answer_next(f, sp, ev, out);
    case QM_EV_COMMIT: return answer_commit(f, sp, ev, out);
    case QM_EV_DIGEST: answer_digest(sp, out->r.vv_digest, out->r.digest); return QM_OK;
    case QM_EV_DIGEST_CHECK: return answer_check(sp, ev, out);
    case QM_EV_SAFE_READ: answer_safe(sp, out); return QM_OK;
    /* Two questions; where the server's state is wrong, the second puts it right. */
    case QM_EV_RANGE:
      if (ev->blob.n == 2) sp->corrupt = 0;
      out->r.part = ev->blob.n == 2;
      out->r.blob = qm_slice_of("??", ev->blob.n == 2 ? 0 : ev->blob.n + 1);
      return QM_OK;
    case QM_EV_RANGE_ANSWER: out->r.blob = qm_slice_of("!!", ev->blob.n); return QM_OK;
    default: fail_msg("event %d", (int)ev->kind); return QM_EINTERNAL;
  }
}

static int answer_one(side *x, const qm_event *ev, answer *out) {
  switch (ev->kind) {
    case QM_EV_SPACES: answer_spaces(x->f, out); return QM_OK;
    case QM_EV_SPACE_PUT: return answer_put(x->f, ev);
    case QM_EV_CERT_ASK:
      out->r.blob = qm_slice_of("key", 3);
      out->r.proof = qm_slice_of("proof", 5);
      return QM_OK;
    case QM_EV_CERT_RENEW:
      assert_int_equal(ev->blob.n, 3);
      assert_int_equal(ev->proof.n, 5);
      out->r.blob = qm_slice_of("certificate", 11);
      return x->cert_fails ? QM_EREVOKED : QM_OK;
    default: return answer_in_space(x->f, ev, out);
  }
}

/* --- sides and pipes --- */

uint32_t pair_random(pair *p, uint32_t below) {
  p->rng ^= p->rng << 13;
  p->rng ^= p->rng >> 17;
  p->rng ^= p->rng << 5;
  return p->rng % below;
}

static uint64_t clock_of(void *payload) { return ((const fake *)payload)->clock_ms; }

static void note(side *x, const qm_event *ev) {
  x->told[ev->kind]++;
  switch (ev->kind) {
    case QM_EV_HELLO: x->hello = *ev; break;
    case QM_EV_REFUSED: x->refused = *ev; break;
    case QM_EV_STOPPED: x->stopped = *ev; break;
    case QM_EV_DONE: x->done = *ev; break;
    case QM_EV_CERT: x->cert = *ev; break;
    case QM_EV_SAME: x->same = *ev; break;
    case QM_EV_SAFE:
      x->safe = *ev;
      if (ev->safe_vv.n) x->safe_next = ev->safe_vv.p[0].next;
      break;
    case QM_EV_CLOSED:
      assert_int_equal(x->is_closed, 0);
      x->closed = *ev;
      x->is_closed = 1;
      break;
    default: break;
  }
}

static void finish(side *x, qm_ticket ticket, answer *out) {
  assert_int_equal(qm_session_done(x->s, ticket, out->rc, &out->r), QM_OK);
  free(out->lines);
  free(out->blob);
  free(out);
}

static void answer_later(side *x, uint32_t at) {
  struct asked asked = x->pending[at];
  x->pending[at] = x->pending[--x->n_pending];
  finish(x, asked.ticket, asked.out);
}

static uint32_t commits_of(const side *x) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < x->n_pending; i++) n += x->pending[i].kind == QM_EV_COMMIT;
  return n;
}

void side_events(pair *p, side *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    assert_int_equal(x->is_closed, 0);
    if (ev.ticket == 0) {
      note(x, &ev);
      continue;
    }
    answer *out = calloc(1, sizeof *out);
    assert_non_null(out);
    out->rc = answer_one(x, &ev, out);
    if (!p->late) {
      finish(x, ev.ticket, out);
      continue;
    }
    assert_true(x->n_pending < QM_SYNC_TICKETS_MAX);
    struct asked asked = {ev.kind, ev.ticket, out};
    x->pending[x->n_pending++] = asked;
    uint32_t commits = commits_of(x);
    if (commits > x->commits_most) x->commits_most = commits;
  }
}

static size_t feed(pair *p, side *x) {
  size_t used = 0;
  if (x->inbox_at < x->inbox.n)
    (void)qm_session_feed(x->s, x->inbox.p + x->inbox_at, x->inbox.n - x->inbox_at, &used);
  x->inbox_at += used;
  if (x->inbox_at == x->inbox.n) {
    qm_buf_clear(&x->inbox);
    x->inbox_at = 0;
  }
  if (qm_session_waiting(x->s) > p->waiting_most) p->waiting_most = qm_session_waiting(x->s);
  return used;
}

size_t side_move(pair *p, side *from, side *to) {
  uint8_t bytes[65536];
  size_t cap = sizeof bytes, n;
  if (p->chunk_max) cap = 1 + pair_random(p, p->chunk_max);
  if (p->cut_at && cap > p->cut_at - p->moved) cap = p->cut_at - p->moved;
  if (cap == 0) return 0;
  if (to->inbox.n - to->inbox_at > 4u << 20) return 0; /* the pipe is full */
  assert_int_equal(qm_session_take(from->s, bytes, cap, &n), QM_OK);
  if (n) qm_buf_add(&to->inbox, bytes, n);
  assert_int_equal(qm_buf_status(&to->inbox), QM_OK);
  p->moved += n;
  return n;
}

static void side_open(pair *p, side *x, fake *f, qm_session_role role, uint32_t flags) {
  qm_session_options o = {.size = sizeof o, .flags = flags, .device = f->device};
  memset(x, 0, sizeof *x);
  x->f = f;
  qm_buf_init(&x->inbox, &p->env, 64u << 20);
  assert_int_equal(qm_session_new(&x->s, &p->env, role, &o), QM_OK);
}

void pair_open(pair *p, fake *a, fake *b, uint32_t flags_a, uint32_t flags_b, uint32_t seed) {
  memset(p, 0, sizeof *p);
  p->env = qm_env_default();
  p->env.now_ms = clock_of;
  p->env.payload = a;
  p->rng = seed * 2654435761u + 1;
  side_open(p, &p->a, a, QM_CLIENT, flags_a);
  side_open(p, &p->b, b, QM_SERVER, flags_b);
}

/* Answers one at random; the number that may still be answered. */
static uint32_t answer_some(pair *p, side *x) {
  uint32_t held = x->hold_commits ? commits_of(x) : 0;
  if (x->n_pending == held) return 0;
  uint32_t at = pair_random(p, x->n_pending);
  while (held && x->pending[at].kind == QM_EV_COMMIT) at = (at + 1) % x->n_pending;
  if (!p->chunk_max || pair_random(p, 3) == 0) answer_later(x, at);
  return 1;
}

static size_t step(pair *p, side *x, side *y) {
  size_t n = feed(p, x);
  side_events(p, x);
  n += answer_some(p, x);
  side_events(p, x);
  return n + side_move(p, x, y);
}

int pair_run(pair *p) {
  uint32_t still = 0;
  while (still < 3) {
    size_t n = step(p, &p->a, &p->b);
    n += step(p, &p->b, &p->a);
    if (p->a.is_closed && p->b.is_closed) return 1;
    still = n ? 0 : still + 1;
  }
  return 0;
}

void pair_close(pair *p) {
  side *sides[] = {&p->a, &p->b};
  for (size_t i = 0; i < 2; i++) {
    while (sides[i]->n_pending) answer_later(sides[i], 0);
    qm_session_free(sides[i]->s);
    qm_buf_free(&sides[i]->inbox);
  }
}

void pair_sync(fake *a, fake *b, uint32_t flags, uint32_t seed) {
  pair p;
  pair_open(&p, a, b, flags, flags & QM_SESSION_HUB, seed);
  assert_int_equal(pair_run(&p), 1);
  assert_int_equal(p.a.closed.code, QM_OK);
  assert_int_equal(p.b.closed.code, QM_OK);
  pair_close(&p);
}
