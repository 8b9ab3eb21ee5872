/* Allocations that fail. A session of writes, a push, arriving batches, a state and notes,
 * step by step; in every step the first, the second, … the last allocation fails, once or
 * from there on for ever. The step then says so, nothing is leaked, and the replica stands
 * as before the step or as after it: in memory, if the engine can still be used, and in
 * any case when it is opened again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "core/state.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define BATCHES 8

/* --- the allocator of the device under test --- */

static size_t count, fail_at; /* 0: none fails */
static int for_ever, has_failed;
static long live;

static void *failing(void *payload, void *p, size_t n) {
  (void)payload;
  if (n == 0) {
    live -= p != NULL;
    free(p);
    return NULL;
  }
  count++;
  if (fail_at && (for_ever ? count >= fail_at : count == fail_at)) {
    has_failed = 1;
    return NULL;
  }
  live += p == NULL;
  return realloc(p, n);
}

/* --- the session --- */

typedef struct session {
  world w;
  device *a;
  qm_slice batches[BATCHES]; /* of B, made before */
  unsigned n_batches;
  qm_slice state[BATCHES];
  uint32_t n_state;
  qm_space_info info;
  qm_vv_list hub;
  qm_arena arena; /* results; never fails */
  qm_env env;
} session;

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  session *s = payload;
  assert_true(part < BATCHES);
  s->state[part] = qm_slice_of(qm_arena_copy(&s->arena, content.p, content.n), content.n);
  s->n_state = part + 1;
  return QM_OK;
}

static void prepare_batches(session *s, device *b) {
  qm_buf out;
  uint64_t cursor = 0;
  qm_vv_list nothing = {NULL, 0};
  ok(qm_engine_push(b->engine, b->space));
  for (;;) {
    qm_buf_init(&out, &s->env, QM_BATCH_MAX);
    int rc = qm_engine_next_batch(b->engine, b->space, nothing, &cursor, &out);
    if (rc == QM_OK) {
      assert_true(s->n_batches < BATCHES);
      s->batches[s->n_batches++] = qm_slice_of(qm_arena_copy(&s->arena, out.p, out.n), out.n);
    }
    qm_buf_free(&out);
    if (rc == QM_ENOTFOUND) return;
    ok(rc);
  }
}

static void session_open(session *s) {
  memset(s, 0, sizeof *s);
  s->env = qm_env_default();
  qm_arena_init(&s->arena, &s->env, (size_t)1 << 28);
  world_open(&s->w, 3, 3);
  device *b = &s->w.d[1], *c = &s->w.d[2];
  s->a = &s->w.d[0];
  ok(put_new(c, "Q"));
  pull(b, c);
  ok(put_new(b, "R"));
  ok(put(b, "R", F_TEL, "of B"));
  ok(put_add(b, "R", "tag"));
  ok(put_text(b, "R", 0, 0, "some text"));
  ok(put_step(b, "R", "step"));
  ok(put_inc(b, "R", 3));
  prepare_batches(s, b);
  assert_true(s->n_batches == 2); /* the second depends on the first */
  ok(put(b, "Q", F_HEAD, "h"));
  ok(put_erase(b, "R"));
  ok(qm_state_write(b->engine, b->space, keep_part, s));
  ok(qm_engine_heads(b->engine, b->space, &s->arena, &s->hub));
  qm_space_info_get(s->a->space, &s->info);
  s->info.role = qm_slice_of("office", 6);
  s->info.name = qm_slice_of("s", 1);
  qm_slice schema = qm_buf_slice(&s->w.schema);
  s->info.schema = schema;
  count = fail_at = 0;
  live = 0;
  s->a->env.realloc = failing;
}

static void session_close(session *s) {
  fail_at = 0;
  world_close(&s->w);
  qm_arena_free(&s->arena);
}

static int ingest(session *s, unsigned i) {
  qm_ingest in = {.peer = s->w.d[1].id};
  QM_TRY(qm_engine_begin(s->a->engine));
  int rc = qm_engine_ingest(s->a->engine, s->a->space, s->batches[i], &in, &s->arena, NULL);
  if (rc == QM_OK) return qm_engine_commit(s->a->engine, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(s->a->engine);
  return rc;
}

/* A change of several verbs, with whatever the first that fails says. */
static int write_all(session *s) {
  const qm_slice none = {NULL, 0}, tel = qm_slice_of("\xa1x", 2);
  qm_id id, r = rec("R");
  int existing;
  qm_write *x;
  s->w.now_ms += 1000;
  QM_TRY(qm_write_begin(&x, s->a->engine, s->a->space, 0));
  int rc = qm_write_new(x, 1, NULL, qm_slice_of("17", 2), &id, &existing);
  if (rc == QM_OK)
    rc = qm_write_set(x, &id, F_KEY,
                      qm_slice_of("\xa2"
                                  "17",
                                  3),
                      none, 0);
  if (rc == QM_OK) rc = qm_write_set(x, &r, F_TEL, tel, none, 0);
  if (rc == QM_OK) rc = qm_write_add(x, &r, F_TAGS, tel, 0);
  if (rc == QM_OK) rc = qm_write_append(x, &r, F_STEPS, tel);
  if (rc == QM_OK) rc = qm_write_inc(x, &r, F_VISITS, 4);
  if (rc == QM_OK) rc = qm_write_splice(x, &r, F_NOTES, 2, 3, qm_slice_of("new", 3), none);
  if (rc == QM_OK) return qm_write_commit(x, QM_DURABLE);
  qm_write_cancel(x);
  return rc;
}

enum { PARK, TAKE, WRITE, PUSH, PUT, NOTE, JOIN, EPOCH, AGAIN, STEPS };

static int step(session *s, int which) {
  int joined;
  device *a = s->a;
  switch (which) {
    case PARK: return ingest(s, 1);
    case TAKE: return ingest(s, 0);
    case WRITE:
    case AGAIN: return write_all(s);
    case PUSH: return qm_engine_push(a->engine, a->space);
    case PUT: return qm_engine_space_put(a->engine, &s->info, NULL);
    case NOTE: return qm_engine_acknowledged(a->engine, a->space, s->hub, 0);
    case JOIN: return qm_state_join(a->engine, a->space, s->state, s->n_state, &joined, NULL);
    default: return qm_engine_new_epoch(a->engine);
  }
}

/* --- where a replica stands --- */

typedef struct standing {
  qm_digest digest;
  uint64_t changes; /* sum over the VV */
  uint32_t authors;
  uint64_t unsent;
  char role;
} standing;

static standing stand(device *d) {
  standing x;
  uint64_t oldest;
  memset(&x, 0, sizeof x);
  qm_space_digest(d->space, &x.digest);
  for (uint32_t i = 0; i < d->space->authors.n; i++) {
    uint64_t next = qm_vv_get(&d->space->vv, i);
    x.changes += next;
    x.authors += next != 0;
  }
  ok(qm_engine_unsent(d->engine, d->space, &x.unsent, &oldest));
  x.role = (char)d->space->role.p[0];
  return x;
}

static int same(const standing *x, const standing *y) {
  return qm_digest_eq(&x->digest, &y->digest) && x->changes == y->changes &&
         x->authors == y->authors && x->unsent == y->unsent && x->role == y->role;
}

static void is_one_of(device *d, const standing *before, const standing *after) {
  standing now = stand(d);
  qm_error e = {0, ""};
  if (qm_engine_check(d->engine, d->space, &e) != QM_OK) fail_msg("%s", e.message);
  assert_true(same(&now, before) || same(&now, after));
}

/* Everything that is asked of a poisoned engine is refused; nothing it says is wrong. */
static void is_poisoned(session *s) {
  device *d = s->a;
  uint8_t b[16];
  uint64_t n, cursor = 0;
  qm_vv_list list;
  const qm_record *r;
  qm_id id = rec("R");
  qm_write *x;
  qm_buf out;
  assert_int_equal(qm_engine_status(d->engine), QM_EIO);
  assert_int_equal(qm_engine_begin(d->engine), QM_EIO);
  assert_int_equal(qm_write_begin(&x, d->engine, d->space, 0), QM_EIO);
  assert_int_equal(qm_engine_heads(d->engine, d->space, &s->arena, &list), QM_EIO);
  assert_int_equal(qm_engine_sync_digest(d->engine, d->space, b), QM_EIO);
  assert_int_equal(qm_engine_vv_digest(d->engine, d->space, b), QM_EIO);
  assert_int_equal(qm_engine_unsent(d->engine, d->space, &n, &n), QM_EIO);
  assert_int_equal(qm_engine_read(d->engine, d->space, &id, &s->arena, &r), QM_EIO);
  assert_int_equal(qm_engine_push(d->engine, d->space), QM_EIO);
  assert_int_equal(qm_engine_new_epoch(d->engine), QM_EIO);
  assert_int_equal(qm_engine_check(d->engine, d->space, NULL), QM_EIO);
  assert_int_equal(qm_engine_space_put(d->engine, &s->info, NULL), QM_EIO);
  assert_int_equal(qm_engine_acknowledged(d->engine, d->space, s->hub, 0), QM_EIO);
  qm_buf_init(&out, &s->env, 1000);
  assert_int_equal(qm_engine_next_batch(d->engine, d->space, s->hub, &cursor, &out), QM_EIO);
  qm_buf_free(&out);
}

/* --- every allocation of every step --- */

static standing stands[STEPS + 1];
static size_t costs[STEPS]; /* allocations of a step */
static long live_at_end;

static void reference(void) {
  session s;
  session_open(&s);
  stands[0] = stand(s.a);
  for (int i = 0; i < STEPS; i++) {
    count = 0;
    ok(step(&s, i));
    costs[i] = count;
    stands[i + 1] = stand(s.a);
    ok(qm_engine_check(s.a->engine, s.a->space, NULL));
  }
  session_close(&s);
  live_at_end = live;
}

/* 0 where the step had fewer allocations. */
static int one(int which, size_t n, int ever, unsigned *poisoned) {
  session s;
  session_open(&s);
  for (int i = 0; i < which; i++) ok(step(&s, i));
  count = 0;
  for_ever = ever;
  has_failed = 0;
  fail_at = n;
  int rc = step(&s, which);
  fail_at = 0;
  int failed = has_failed;
  if (failed) assert_true(rc == QM_ENOMEM || rc == QM_OK);
  if (s.a->engine->poisoned) {
    ++*poisoned;
    is_poisoned(&s);
  } else {
    is_one_of(s.a, &stands[which], &stands[which + 1]);
    if (rc == QM_OK) is_one_of(s.a, &stands[which + 1], &stands[which + 1]);
  }
  int sound = !s.a->engine->poisoned;
  uint32_t n_notes = s.a->space->n_notes;
  qm_note notes[QM_NOTES];
  memcpy(notes, s.a->space->notes, sizeof notes);
  reopen(s.a);
  is_one_of(s.a, &stands[which], &stands[which + 1]);
  if (sound) assert_int_equal(s.a->space->n_notes, n_notes);
  if (sound) assert_memory_equal(s.a->space->notes, notes, n_notes * sizeof notes[0]);
  /* And it goes on. */
  if (which > TAKE) ok(put(s.a, "Q", F_TEL, "after"));
  ok(qm_engine_push(s.a->engine, s.a->space));
  session_close(&s);
  assert_int_equal(live, live_at_end);
  return failed;
}

static void every_allocation(int ever) {
  unsigned poisoned = 0;
  reference();
  for (int which = 0; which < STEPS; which++) {
    assert_true(costs[which] > 0);
    for (size_t n = 1; one(which, n, ever, &poisoned); n++) continue;
  }
  if (ever) assert_true(poisoned > 0);
}

static void once(void **state) {
  (void)state;
  every_allocation(0);
}

static void from_there_on(void **state) {
  (void)state;
  every_allocation(1);
}

/* An engine that cannot be opened is not there, and its store is as it was. */
static void opening(void **state) {
  (void)state;
  session s;
  session_open(&s);
  for (int i = 0; i <= WRITE; i++) ok(step(&s, i));
  standing before = stand(s.a);
  qm_engine_close(s.a->engine);
  qm_engine_options o = {.size = sizeof o, .device = s.a->id};
  for (size_t n = 1;; n++) {
    qm_error e = {0, ""};
    count = 0;
    has_failed = 0;
    for_ever = (int)(n & 1);
    fail_at = n;
    int rc = qm_engine_open(&s.a->engine, &s.a->env, s.a->store, &o, &e);
    fail_at = 0;
    if (rc == QM_OK) break;
    assert_int_equal(rc, QM_ENOMEM);
    assert_null(s.a->engine);
    assert_true(e.message[0] != 0);
  }
  s.a->space = qm_engine_space_at(s.a->engine, 0);
  is_one_of(s.a, &before, &before);
  session_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(once), cmocka_unit_test(from_there_on),
                                     cmocka_unit_test(opening)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
