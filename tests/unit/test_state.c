/* States (S9.1, S9.2): joined whole or not at all, equal to the log they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)
#define lists(d, r, f, text) assert_string_equal(listed(d, r, f), text)

static rig w;
static dev *A, *B, *C;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  B = &w.d[1];
  C = &w.d[2];
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (unsigned i = 0; i < w.n; i++) check_memory(&w.d[i]);
  rig_close(&w);
  return 0;
}

typedef struct parts {
  qm_slice p[64];
  uint32_t n;
} parts;

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  parts *s = payload;
  assert_int_equal(part, s->n);
  assert_true(part < 64);
  s->p[s->n++] = qm_slice_of(qm_arena_copy(&w.arena, content.p, content.n), content.n);
  return QM_OK;
}

static parts state_of(dev *d) {
  parts s = {.n = 0};
  ok(qm_state_write(d->engine, d->space, keep_part, &s));
  return s;
}

static int joins(dev *d, const parts *s, int *joined) {
  qm_error e = {0, ""};
  int rc = qm_state_join(d->engine, d->space, s->p, s->n, joined, &e);
  if (rc != QM_OK) assert_true(e.message[0] != 0 && !*joined);
  return rc;
}

/* Something of every shape on both sides, some of it conflicting, then A has all. */
static void history(void) {
  ok(put_new(A, "R"));
  ok(put_new(B, "S"));
  rig_settle(&w);
  for (unsigned i = 0; i < 2; i++) {
    dev *d = &w.d[i];
    ok(put(d, "R", F_TEL, i ? "1" : "2"));
    ok(put_raise(d, "R", F_LAST, i));
    ok(put_add(d, "R", i ? "t" : "u"));
    ok(put_inc(d, "S", i + 1));
    ok(put_step(d, "S", i ? "p" : "q"));
    ok(put_text(d, "S", 0, 0, i ? "abc" : "xyz"));
    ok(put_state(d, "S", "open"));
  }
  ok(put_erase(B, "S"));
  pull(A, B);
  ok(put(A, "R", F_HEAD, "h"));
}

static void join_is_the_log(void **state) {
  (void)state;
  int joined;
  history();
  parts s = state_of(A);
  ok(joins(C, &s, &joined));
  assert_true(joined);
  pull(B, A);
  rig_check_equal(&w);
  standing before = standing_of(C);
  ok(joins(C, &s, &joined)); /* equal VVs are never joined */
  assert_false(joined);
  stands_as(C, &before);
  /* Both know something the other does not. */
  ok(put(C, "R", F_TEL, "c"));
  ok(put_remove(A, "R", "t"));
  ok(put_erase(A, "R"));
  s = state_of(A);
  ok(joins(C, &s, &joined));
  assert_true(joined);
  assert_true(visible(C, "R"));
  s = state_of(C);
  ok(joins(A, &s, &joined));
  pull(B, A); /* what A has by state only cannot be handed on as changes */
  ok(qm_engine_check(A->engine, A->space, NULL));
  s = state_of(A);
  ok(joins(B, &s, &joined));
  rig_check_equal(&w);
  s = state_of(B);
  standing a = standing_of(A);
  ok(joins(A, &s, &joined));
  assert_false(joined);
  stands_as(A, &a);
}

/* Records gone on the other side (all they held was removed) go here as well, whatever
 * number of records there are. */
static void absent_and_covered_is_removed(void **state) {
  (void)state;
  forge f;
  forge_open(&f, &w);
  uint32_t x = forge_author(&f, 'x', 1);
  for (unsigned n = 44; n < 52; n++) {
    char name[8];
    qm_segment g[60];
    qm_dot *dots = qm_arena_array(&f.arena, n, sizeof *dots);
    unsigned k = 0;
    uint64_t first = f.chains[x].next;
    for (unsigned i = 0; i < n; i++) { /* edges: no creation, no mark */
      snprintf(name, sizeof name, "%u", i);
      forge_begin(&f, x);
      forge_change(&f, NULL, 0);
      forge_op(&f, (qm_op){.record = rec(name), .shape = QM_KEYED, .value = int_value(&w, 1)});
      g[k++] = forge_seal(&f);
      dots[i] = (qm_dot){first + i, x};
    }
    qm_ingest in = {.peer = {{'x'}}};
    ok(take(A, forge_batch(&f, g, k), &in));
    ok(take(B, forge_batch(&f, g, k), &in));
    forge_begin(&f, x);
    forge_change(&f, NULL, 0);
    for (unsigned i = 0; i < n; i++) {
      snprintf(name, sizeof name, "%u", i);
      forge_op(&f, (qm_op){.record = rec(name),
                           .shape = QM_KEYED,
                           .kind = QM_KIND_REMOVE,
                           .dots = {&dots[i], 1}});
    }
    qm_segment gone = forge_seal(&f);
    ok(take(B, forge_batch(&f, &gone, 1), &in));
    int joined;
    parts s = state_of(B);
    ok(joins(A, &s, &joined));
    assert_true(joined);
    uint64_t records;
    ok(A->store->ops->record_count(A->store, A->space->number, 0, &records));
    assert_int_equal(records, 0);
    check_memory(A);
  }
  forge_close(&f);
}

static void many_parts(void **state) {
  (void)state;
  static char text[50001];
  int joined;
  memset(text, 'x', sizeof text - 1);
  for (unsigned i = 0; i < 20; i++) {
    char name[8];
    snprintf(name, sizeof name, "r%u", i);
    ok(put_new(A, name));
    ok(put(A, name, F_TEL, text));
  }
  parts s = state_of(A);
  assert_true(s.n >= 4);
  standing before = standing_of(C);
  for (uint32_t missing = 1; missing < s.n; missing++) { /* a part less: nothing happens */
    parts less = s;
    memmove(&less.p[missing], &less.p[missing + 1], (s.n - missing - 1) * sizeof less.p[0]);
    less.n--;
    assert_int_equal(joins(C, &less, &joined), QM_ETRUNCATED);
    stands_as(C, &before);
  }
  parts turned = s;
  turned.p[1] = s.p[2];
  turned.p[2] = s.p[1];
  assert_int_equal(joins(C, &turned, &joined), QM_ECANON);
  turned = s;
  turned.p[turned.n++] = s.p[1];
  assert_int_equal(joins(C, &turned, &joined), QM_ECANON);
  turned.n = 0;
  assert_int_equal(joins(C, &turned, &joined), QM_EINVAL);
  stands_as(C, &before);
  ok(joins(C, &s, &joined));
  assert_true(joined);
  check_memory(C);
}

/* Any byte changed: refused, or another state that is as sound; and every cut. Nothing
 * stays of a refused one. */
static void changed_bytes(void **state) {
  (void)state;
  int joined, rc;
  history();
  parts s = state_of(A);
  standing before = standing_of(C);
  unsigned refused = 0, taken = 0;
  for (uint32_t part = 0; part < s.n; part++) {
    uint8_t *p = qm_arena_copy(&w.arena, s.p[part].p, s.p[part].n);
    parts other = s;
    other.p[part].p = p;
    for (size_t n = 0; n < s.p[part].n; n++) {
      other.p[part].n = n;
      assert_int_not_equal(joins(C, &other, &joined), QM_OK);
    }
    other.p[part].n = s.p[part].n;
    stands_as(C, &before);
    for (size_t i = 0; i < s.p[part].n; i++)
      for (unsigned bit = 0; bit < 8; bit++) {
        p[i] = (uint8_t)(s.p[part].p[i] ^ 1u << bit);
        rc = joins(C, &other, &joined);
        if (rc != QM_OK) {
          refused++;
          if (refused % 64 == 0) stands_as(C, &before);
        } else if (joined) {
          taken++;
          check_memory(C);
          rig_close(&w);
          rig_open(&w, 3, 1); /* a fresh C; the same history */
          history();
          s = state_of(A);
          before = standing_of(C);
          p = qm_arena_copy(&w.arena, s.p[part].p, s.p[part].n);
          other = s;
          other.p[part].p = p;
        }
        p[i] = s.p[part].p[i];
      }
  }
  stands_as(C, &before);
  assert_true(refused > 1000 && taken > 0); /* times, texts and hashes may be others */
}

static void put_author(qm_buf *b, uint8_t id, uint64_t next, uint64_t time) {
  qm_author a = {{id}};
  qm_hash head = {{id}};
  qm_mp_array(b, 5);
  qm_mp_bin(b, a.b, sizeof a.b);
  qm_mp_uint(b, next);
  qm_mp_bin(b, head.b, sizeof head.b);
  qm_mp_uint(b, time);
}

static qm_slice done(qm_buf *b) {
  ok(qm_buf_status(b));
  qm_slice s = {qm_arena_copy(&w.arena, b->p, b->n), b->n};
  qm_buf_free(b);
  return s;
}

/* Of authors x (next 3) and y; `seen`: what y's clock row says of x. */
static qm_slice manifest(uint64_t records, uint8_t second, uint64_t next, uint64_t place,
                         uint64_t seen) {
  qm_buf b;
  qm_buf_init(&b, &A->env, 1000);
  qm_mp_array(&b, 5);
  qm_mp_uint(&b, 1);
  qm_mp_bin(&b, A->space->id.b, 16);
  qm_mp_uint(&b, records);
  put_author(&b, 'x', 3, 9);
  qm_mp_array(&b, 0);
  put_author(&b, second, next, 9);
  qm_mp_array(&b, 2);
  qm_mp_uint(&b, place);
  qm_mp_uint(&b, seen);
  return done(&b);
}

/* A record with one mark of x at `counter` and a cell. */
static qm_slice record_part(uint64_t counter, uint64_t place, const uint8_t *cell, size_t n) {
  qm_buf b, r;
  qm_id id = rec("R");
  qm_buf_init(&r, &A->env, 1000);
  qm_mp_array(&r, 4);
  qm_mp_array(&r, 1);
  qm_mp_uint(&r, place);
  qm_mp_array(&r, 0);
  qm_mp_array(&r, 3);
  qm_mp_uint(&r, 0);
  qm_mp_uint(&r, counter);
  qm_mp_uint(&r, 0);
  qm_mp_array(&r, n ? 3 : 0);
  if (n) qm_mp_uint(&r, 16);
  qm_buf_add(&r, cell, n);
  qm_buf_init(&b, &A->env, 1000);
  qm_mp_array(&b, 2);
  qm_mp_bin(&b, id.b, 16);
  qm_mp_bin(&b, r.p, r.n);
  qm_buf_free(&r);
  return done(&b);
}

#define CELL(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void what_a_state_must_be(void **state) {
  (void)state;
  int joined;
  const struct {
    qm_slice manifest, part;
    int rc;
  } bad[] = {
      {manifest(1, 'x', 1, 0, 3), record_part(2, 0, NULL, 0), QM_EDUPKEY},
      {manifest(1, 'y', 1, 2, 3), record_part(2, 0, NULL, 0), QM_EFORMAT}, /* place */
      {manifest(1, 'y', 1, 0, 4), record_part(2, 0, NULL, 0), QM_EFORMAT}, /* clock beyond VV */
      {manifest(1, 'y', UINT64_MAX, 0, 3), record_part(2, 0, NULL, 0), QM_ERANGE},
      {manifest(2, 'y', 1, 0, 3), record_part(2, 0, NULL, 0), QM_ETRUNCATED},
      {manifest(1, 'y', 1, 0, 3), record_part(2, 2, NULL, 0), QM_EFORMAT},
      /* dots beyond the state's own VV, in each shape */
      {manifest(1, 'y', 1, 0, 3), record_part(3, 0, NULL, 0), QM_EFORMAT},
      {manifest(1, 'y', 1, 0, 3), record_part(2, 0, CELL(1, 0x95, 0, 3, 7, 0, 0xc0)), QM_EFORMAT},
      {manifest(1, 'y', 1, 0, 3),
       record_part(2, 0, CELL(1, 0x97, 0, 2, 7, 4, 0xc0, 0x92, 0, 3, 0x90)), QM_EFORMAT},
      {manifest(1, 'y', 1, 0, 3), record_part(2, 0, CELL(2, 0x92, 0xc0, 0x93, 0, 3, 7)),
       QM_EFORMAT},
      {manifest(1, 'y', 1, 0, 3), record_part(2, 0, CELL(3, 0x93, 0, 4, 7)), QM_EFORMAT},
      {manifest(1, 'y', 1, 0, 3), record_part(2, 0, CELL(4, 0x95, 0, 3, 7, 0, 0xc0)), QM_EFORMAT},
  };
  standing before = standing_of(A);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    parts s = {{bad[i].manifest, bad[i].part}, 2};
    if (joins(A, &s, &joined) != bad[i].rc) fail_msg("state %zu", i);
    stands_as(A, &before);
  }
  check_memory(A);
  const struct {
    const uint8_t *p;
    size_t n;
  } good[] = {{NULL, 0},
              {CELL(1, 0x95, 0, 2, 7, 0, 0xc0)},
              {CELL(2, 0x92, 0xc0, 0x93, 0, 2, 7)},
              {CELL(3, 0x93, 0, 3, 7)},
              {CELL(4, 0x95, 0, 2, 7, 0, 0xc0)}};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    parts s = {{manifest(1, 'y', 1, 0, 3), record_part(2, 0, good[i].p, good[i].n)}, 2};
    ok(joins(&w.d[i % 3], &s, &joined));
    assert_int_equal(joined, i < 3);
    check_memory(&w.d[i % 3]);
  }
}

static void forks(void **state) {
  (void)state;
  int joined;
  ok(put_new(A, "R"));
  parts s = state_of(A);
  uint8_t *p = qm_arena_copy(&w.arena, s.p[0].p, s.p[0].n);
  ok(joins(B, &s, &joined));
  /* B's copy of A's author has another head at the same counter. */
  uint32_t a;
  ok(qm_authors_find(&B->space->authors, qm_engine_author(A->engine), &a));
  size_t at = 0;
  while (memcmp(p + at, B->space->states[a].head.b, 32) != 0) at++;
  p[at + 31] ^= 1;
  s.p[0].p = p;
  ok(put_new(B, "Q"));
  standing before = standing_of(B);
  assert_int_equal(joins(B, &s, &joined), QM_EFORK);
  standing after = standing_of(B);
  assert_true(qm_digest_eq(&before.digest, &after.digest)); /* its run was closed, no more */
  check_memory(B);
}

static void not_inside_a_transaction(void **state) {
  (void)state;
  int joined;
  ok(put_new(A, "R"));
  parts s = state_of(A), none = {.n = 0};
  ok(qm_engine_begin(B->engine));
  assert_int_equal(qm_state_join(B->engine, B->space, s.p, s.n, &joined, NULL), QM_ESTATE);
  qm_engine_rollback(B->engine);
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_state_write(A->engine, A->space, keep_part, &none), QM_ESTATE);
  qm_engine_rollback(A->engine);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(join_is_the_log),         T(absent_and_covered_is_removed), T(many_parts),
      T(changed_bytes),           T(what_a_state_must_be),          T(forks),
      T(not_inside_a_transaction)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
