/* States (S9.1, S9.2): joined whole or not at all, equal to the log they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/state_feed.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_engine.h"
#include "tests/unit/support_state.h"

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

typedef pieces parts;

static parts state_of(dev *d) { return state_pieces(d->engine, d->space, &w.arena); }

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

/* Incompressible, so that parts are what they seem. */
static const char *noise(size_t n) {
  char *text = qm_arena_alloc(&w.arena, n + 1);
  for (size_t i = 0; i < n; i++) text[i] = (char)('!' + rig_below(&w, 90));
  text[n] = 0;
  return text;
}

static void many_parts(void **state) {
  (void)state;
  int joined;
  for (unsigned i = 0; i < 20; i++) {
    char name[8];
    snprintf(name, sizeof name, "r%u", i);
    ok(put_new(A, name));
    ok(put(A, name, F_TEL, noise(50000)));
  }
  parts s = state_of(A);
  assert_true(s.n >= 5);
  standing before = standing_of(C);
  for (uint32_t missing = 1; missing < s.n; missing++) { /* a part less: nothing happens */
    parts less = s;
    memmove(&less.p[missing], &less.p[missing + 1], (s.n - missing - 1) * sizeof less.p[0]);
    less.n--;
    int last = missing == s.n - 1;
    assert_int_equal(joins(C, &less, &joined), last ? QM_ETRUNCATED : QM_EHASH);
    ok(qm_state_drop(C->engine, C->space));
    stands_as(C, &before);
  }
  parts turned = s;
  turned.p[1] = s.p[2];
  turned.p[2] = s.p[1];
  assert_int_equal(joins(C, &turned, &joined), QM_EHASH);
  turned = s;
  turned.p[turned.n++] = s.p[1];
  assert_int_equal(joins(C, &turned, &joined), QM_ETRAILING);
  turned.n = 0;
  assert_int_equal(joins(C, &turned, &joined), QM_EINVAL);
  stands_as(C, &before);
  ok(joins(C, &s, &joined));
  assert_true(joined);
  check_memory(C);
}

/* S9.4: staged parts stay, across restarts; what is missing is asked for. */
static void a_stage_resumes(void **state) {
  (void)state;
  int joined;
  uint32_t next, n_parts;
  for (unsigned i = 0; i < 16; i++) {
    char name[8];
    snprintf(name, sizeof name, "r%u", i);
    ok(put_new(A, name));
    ok(put(A, name, F_TEL, noise(50000)));
  }
  parts s = state_of(A);
  qm_error e;
  assert_int_equal(qm_state_stage_part(C->engine, C->space, NULL, 0, s.p[1]), QM_ENOTFOUND);
  ok(qm_state_stage(C->engine, C->space, s.p[0], &next, &n_parts));
  assert_int_equal(next, 0);
  assert_int_equal(n_parts, s.n - 1);
  assert_int_equal(qm_state_stage_part(C->engine, C->space, NULL, 0, s.p[2]), QM_EHASH);
  assert_int_equal(qm_state_stage_part(C->engine, C->space, NULL, n_parts, s.p[1]), QM_ERANGE);
  ok(qm_state_stage_part(C->engine, C->space, NULL, 0, s.p[1]));
  ok(qm_state_stage_part(C->engine, C->space, NULL, 0, s.p[1]));
  reopen(C);
  ok(put_new(C, "own")); /* and goes on working */
  for (uint32_t part = 1; part < n_parts; part++) {
    assert_int_equal(qm_state_take(C->engine, C->space, NULL, 0, &joined, &e), QM_ETRUNCATED);
    ok(qm_state_stage(C->engine, C->space, s.p[0], &next, &n_parts));
    assert_int_equal(next, part);
    ok(qm_state_stage_part(C->engine, C->space, NULL, part, s.p[part + 1]));
  }
  ok(qm_state_take(C->engine, C->space, NULL, 0, &joined, &e));
  assert_true(joined);
  assert_int_equal(qm_state_take(C->engine, C->space, NULL, 0, &joined, &e), QM_ENOTFOUND);
  check_memory(C);
  assert_true(visible(C, "own") && visible(C, "r3"));
  /* Another snapshot in its place begins anew. */
  ok(put_new(A, "more"));
  parts other = state_of(A);
  ok(qm_state_stage(B->engine, B->space, s.p[0], &next, &n_parts));
  ok(qm_state_stage_part(B->engine, B->space, NULL, 0, s.p[1]));
  ok(qm_state_stage(B->engine, B->space, other.p[0], &next, &n_parts));
  assert_int_equal(next, 0);
  /* Whoever goes on with the old one is told. */
  qm_hash old;
  qm_sha256(s.p[0].p, s.p[0].n, &old);
  assert_int_equal(qm_state_stage_part(B->engine, B->space, old.b, 1, s.p[2]), QM_ENOTFOUND);
  assert_int_equal(qm_state_take(B->engine, B->space, old.b, 0, &joined, &e), QM_ENOTFOUND);
  ok(qm_state_stage(B->engine, B->space, other.p[0], &next, &n_parts));
}

static int piece_of(dev *d, const qm_state_offer *o, uint32_t part, qm_slice *out) {
  qm_hash hash;
  qm_buf b;
  qm_sha256(o->manifest.p, o->manifest.n, &hash);
  qm_buf_init(&b, &d->env, QM_STATE_PART_MAX);
  int rc = qm_state_part(d->engine, d->space, hash.b, part, &b);
  if (rc == QM_OK) *out = qm_slice_of(qm_arena_copy(&w.arena, b.p, b.n), b.n);
  qm_buf_free(&b);
  return rc;
}

static uint64_t offered_at(dev *d, const qm_state_offer *o) {
  for (uint32_t i = 0; i < o->vv.n; i++)
    if (!qm_author_cmp(&o->vv.p[i].author, qm_engine_author(d->engine))) return o->vv.p[i].next;
  return 0;
}

/* S9.3: one snapshot serves all who ask, while the log goes on from it. */
static void a_kept_snapshot(void **state) {
  (void)state;
  qm_state_offer one, two;
  qm_vv_list none = {NULL, 0}, at;
  qm_slice piece;
  ok(put_new(A, "R"));
  ok(qm_state_offered(A->engine, A->space, none, &w.arena, &one));
  assert_int_equal(offered_at(A, &one), 1);
  assert_int_equal(one.parts, 1);
  ok(piece_of(A, &one, 0, &piece));
  assert_int_equal(piece_of(A, &one, 1, &piece), QM_ENOTFOUND);
  ok(put(A, "R", F_TEL, "1"));
  reopen(A);
  ok(qm_state_offered(A->engine, A->space, none, &w.arena, &two));
  assert_true(qm_slice_cmp(one.manifest, two.manifest) == 0);
  ok(qm_engine_heads(A->engine, A->space, &w.arena, &at));
  ok(qm_state_offered(A->engine, A->space, at, &w.arena, &two));
  assert_int_equal(offered_at(A, &two), 2); /* what the peer has itself it keeps */
  /* The log is cut above it: it serves nobody any more. */
  ok(put(A, "R", F_TEL, "2"));
  ok(qm_engine_push(A->engine, A->space));
  acknowledge(A);
  ok(qm_engine_heads(A->engine, A->space, &w.arena, &at));
  ok(qm_engine_acknowledged(A->engine, A->space, at, 1));
  ok(qm_engine_cut(A->engine, A->space, qm_space_vv(A->space)));
  ok(qm_state_offered(A->engine, A->space, none, &w.arena, &two));
  assert_int_equal(offered_at(A, &two), 3);
  assert_int_equal(piece_of(A, &one, 0, &piece), QM_ENOTFOUND);
  ok(piece_of(A, &two, 0, &piece));
  ok(qm_state_forget(A->engine, A->space));
  assert_int_equal(piece_of(A, &two, 0, &piece), QM_ENOTFOUND);
}

/* [2] A state comes with what no hub has: whoever joined it brings that to one. */
static void unacknowledged_changes_travel(void **state) {
  (void)state;
  qm_author a = *qm_engine_author(A->engine);
  uint32_t number;
  ok(put_new(A, "R"));
  acknowledge(A);
  ok(put(A, "R", F_TEL, "visit")); /* closes a segment of its own at the next push */
  assert_int_equal(join(B, A), 1);
  ok(qm_authors_find(qm_space_authors(B->space), &a, &number));
  assert_int_equal(qm_vv_get(qm_space_floor(B->space), number), 1);
  ok(put_raise(B, "R", F_LAST, 7));
  pull(C, A); /* the hub, with what A had sent it */
  reopen(B);
  assert_int_equal(join(B, A), 0);
  qm_vv_list then;
  qm_buf out;
  uint64_t cursor = 0;
  ok(qm_engine_heads(B->engine, B->space, &w.arena, &then));
  qm_buf_init(&out, &B->env, QM_BATCH_MAX);
  qm_vv_entry e[2];
  uint32_t n = 0;
  for (uint32_t i = 0; i < then.n; i++)
    if (!qm_author_cmp(&then.p[i].author, &a)) e[n] = then.p[i], e[n++].next = 1;
  qm_vv_list hub = {e, n};
  ok(qm_engine_next_batch(B->engine, B->space, hub, &cursor, &out));
  qm_buf_free(&out);
  rig_settle(&w);
  rig_check_equal(&w);
}

/* Where no hub is known, the whole log comes along, and the floor stays where it was. */
static void the_log_comes_along(void **state) {
  (void)state;
  history();
  assert_int_equal(join(C, A), 1);
  const qm_vv *low = qm_space_floor(C->space);
  for (uint32_t i = 0; i < low->n; i++) assert_int_equal(low->next[i], 0);
  ok(put(A, "R", F_TEL, "later"));
  assert_int_equal(join(C, A), 1);
  for (uint32_t i = 0; i < low->n; i++) assert_int_equal(low->next[i], 0);
  assert_true(pull(B, C) > 0); /* by log */
  rig_settle(&w);
  rig_check_equal(&w);
}

/* An allocator that counts bytes; each block knows its size. */
static struct {
  size_t live, most;
} counted;

static void *counting(void *payload, void *p, size_t n) {
  (void)payload;
  size_t *block = p ? (size_t *)p - 2 : NULL;
  size_t old = block ? block[0] : 0;
  if (n == 0) {
    counted.live -= old;
    free(block);
    return NULL;
  }
  block = realloc(block, n + 16);
  if (!block) return NULL;
  block[0] = n;
  counted.live += n - old;
  if (counted.live > counted.most) counted.most = counted.live;
  return block + 2;
}

/* Another engine on the device's store, that counts what it takes. */
static void count_engine(dev *d, qm_env *env) {
  qm_engine_options o = {.size = sizeof o, .flags = d->flags, .device = d->id};
  qm_engine_close(d->engine);
  *env = d->env;
  env->realloc = counting;
  memset(&counted, 0, sizeof counted);
  ok(qm_engine_open(&d->engine, env, d->store, &o, NULL));
  d->space = qm_engine_space_at(d->engine, 0);
}

/* S9.5: however much it is, one block, packed and unpacked, and the records at hand. */
static void a_join_in_bounded_memory(void **state) {
  (void)state;
  static qm_env env;
  qm_state_offer o;
  qm_vv_list none = {NULL, 0};
  uint32_t next, n_parts;
  int joined;
  qm_error e = {0, ""};
  for (unsigned i = 0; i < 300; i++) {
    char name[12];
    snprintf(name, sizeof name, "r%u", i);
    ok(put_new(A, name));
    ok(put(A, name, F_TEL, noise(60000)));
    if (i % 3 == 0) ok(put_new(C, name)), ok(put(C, name, F_TEL, noise(20000)));
  }
  acknowledge(A); /* so that the log does not travel as well */
  ok(qm_engine_push(C->engine, C->space));
  count_engine(C, &env);
  ok(qm_state_offered(A->engine, A->space, none, &w.arena, &o));
  ok(qm_state_stage(C->engine, C->space, o.manifest, &next, &n_parts));
  assert_true(n_parts > 60);
  for (uint32_t i = 0; i < n_parts; i++) {
    qm_slice piece;
    ok(piece_of(A, &o, i, &piece));
    ok(qm_state_stage_part(C->engine, C->space, NULL, i, piece));
  }
  if (qm_state_take(C->engine, C->space, NULL, 0, &joined, &e) != QM_OK) fail_msg("%s", e.message);
  assert_true(joined);
  if (counted.most > 9u << 20) fail_msg("%zu bytes for %u parts", counted.most, n_parts);
  check_memory(C);
  counted.most = 0;
  ok(qm_state_offered(C->engine, C->space, none, &w.arena, &o)); /* and giving it on */
  if (counted.most > 31u << 20) fail_msg("%zu bytes to write a state", counted.most);
}

/* Any byte of any item changed: refused, or another state that is as sound; and every cut.
 * Nothing stays of a refused one. */
static void changed_bytes(void **state) {
  (void)state;
  int joined, rc;
  history();
  parts s = state_of(A);
  items all = state_items(&s, &w.arena);
  standing before = standing_of(C);
  unsigned refused = 0, taken = 0;
  size_t bytes = 0;
  for (uint32_t i = 1; i < s.n; i++) bytes += s.p[i].n;
  for (size_t n = 0; n < bytes; n++) {
    parts less = state_cut(&s, n, &A->space->id, &w.arena);
    assert_int_not_equal(joins(C, &less, &joined), QM_OK);
  }
  stands_as(C, &before);
  for (uint32_t item = 0; item < all.n; item++) {
    size_t size = all.p[item].n;
    for (size_t i = 0; i < size; i++)
      for (unsigned bit = 0; bit < 8; bit += 1 + (unsigned)(i % 3)) {
        items other = all;
        uint8_t *p = qm_arena_copy(&w.arena, all.p[item].p, size);
        p[i] ^= (uint8_t)(1u << bit);
        other.p[item].p = p;
        parts changed = state_packed(&other, &A->space->id, &w.arena);
        rc = joins(C, &changed, &joined);
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
          all = state_items(&s, &w.arena);
          before = standing_of(C);
        }
      }
  }
  stands_as(C, &before);
  assert_true(refused > 1000 && taken > 0); /* times, texts and hashes may be others */
}

/* The manifest itself. */
static void what_a_manifest_must_be(void **state) {
  (void)state;
  int joined;
  history();
  parts s = state_of(A);
  items all = state_items(&s, &w.arena);
  standing before = standing_of(C);
  for (size_t i = 0; i < s.p[0].n; i++)
    for (unsigned bit = 0; bit < 8; bit++) {
      parts other = s;
      uint8_t *p = qm_arena_copy(&w.arena, s.p[0].p, s.p[0].n);
      p[i] ^= (uint8_t)(1u << bit);
      other.p[0].p = p;
      assert_true(joins(C, &other, &joined) != QM_OK || !joined); /* no authors: no news */
    }
  for (unsigned what = 0; what < 6; what++) {
    items other = all;
    uint32_t *field = what < 2 ? &other.authors : what < 4 ? &other.records : &other.batches;
    *field += what % 2 ? 1 : UINT32_MAX;
    parts packed = state_packed(&other, &A->space->id, &w.arena);
    assert_int_not_equal(joins(C, &packed, &joined), QM_OK);
  }
  qm_id elsewhere = {{7}};
  parts packed = state_packed(&all, &elsewhere, &w.arena);
  assert_int_equal(joins(C, &packed, &joined), QM_EFORMAT);
  stands_as(C, &before);
  packed = state_packed(&all, &A->space->id, &w.arena);
  ok(joins(C, &packed, &joined));
  assert_true(joined);
}

static qm_slice done(qm_buf *b) {
  ok(qm_buf_status(b));
  qm_slice s = {qm_arena_copy(&w.arena, b->p, b->n), b->n};
  qm_buf_free(b);
  return s;
}

static qm_slice author(uint8_t id, uint64_t next) {
  qm_buf b;
  qm_author a = {{id}};
  qm_hash head = {{id}};
  qm_buf_init(&b, &A->env, 1000);
  qm_mp_array(&b, 4);
  qm_mp_bin(&b, a.b, sizeof a.b);
  qm_mp_uint(&b, next);
  qm_mp_bin(&b, head.b, sizeof head.b);
  qm_mp_uint(&b, 9);
  return done(&b);
}

static qm_slice clock_of(uint64_t place, uint64_t seen) {
  qm_buf b;
  qm_buf_init(&b, &A->env, 1000);
  qm_mp_array(&b, seen ? 2 : 0);
  if (seen) qm_mp_uint(&b, place);
  if (seen) qm_mp_uint(&b, seen);
  return done(&b);
}

/* Of authors x (next 3) and y; `seen`: what y's clock row says of the author at `place`. */
static items manifest(uint32_t records, uint8_t second, uint64_t next, uint64_t place,
                      uint64_t seen) {
  items out = {.authors = 2, .records = records, .n = 4};
  out.p[0] = author('x', 3);
  out.p[1] = author(second, next);
  out.p[2] = clock_of(0, 0);
  out.p[3] = clock_of(place, seen);
  return out;
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

static parts with_record(items head, qm_slice record) {
  head.p[head.n++] = record;
  return state_packed(&head, &A->space->id, &w.arena);
}

#define CELL(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void what_a_state_must_be(void **state) {
  (void)state;
  int joined;
  const struct {
    items manifest;
    qm_slice part;
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
      /* what encoding would not give: where nothing is here, a record is kept as it came */
      {manifest(1, 'y', 1, 0, 3), record_part(2, 0, CELL(1, 0x95, 0, 0xcc, 2, 7, 0, 0xc0)),
       QM_ECANON},
      {manifest(1, 'y', 1, 0, 3),
       record_part(2, 0, CELL(1, 0x9a, 0, 2, 7, 0, 0xc0, 0, 1, 7, 0, 0xc0)), QM_ECANON},
  };
  assert_int_equal(qm_vv_get(&A->space->vv, 0), 0); /* nothing is */
  standing before = standing_of(A);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    parts s = with_record(bad[i].manifest, bad[i].part);
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
    parts s = with_record(manifest(1, 'y', 1, 0, 3), record_part(2, 0, good[i].p, good[i].n));
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
  items all = state_items(&s, &w.arena);
  ok(joins(B, &s, &joined));
  /* B's copy of A's author has another head at the same counter. */
  uint32_t a;
  ok(qm_authors_find(&B->space->authors, qm_engine_author(A->engine), &a));
  uint8_t *p = qm_arena_copy(&w.arena, all.p[a].p, all.p[a].n);
  size_t at = 0;
  while (memcmp(p + at, B->space->states[a].head.b, 32) != 0) at++;
  p[at + 31] ^= 1;
  all.p[a].p = p;
  s = state_packed(&all, &A->space->id, &w.arena);
  ok(put_new(B, "Q"));
  standing before = standing_of(B);
  assert_int_equal(joins(B, &s, &joined), QM_EFORK);
  standing after = standing_of(B);
  assert_true(qm_digest_eq(&before.digest, &after.digest)); /* its run was closed, no more */
  check_memory(B);
  /* Or the changes that come with it go on from another one than is held here. */
  ok(put(A, "R", F_TEL, "1"));
  s = state_of(A);
  B->space->states[a].head.b[0] ^= 1;
  assert_int_equal(joins(B, &s, &joined), QM_EFORK);
  ok(joins(B, &s, &joined)); /* as it stands in the store */
  assert_true(joined);
  check_memory(B);
}

static int no_piece(void *payload, uint32_t part, qm_slice content) {
  (void)payload;
  fail_msg("piece %u of %zu bytes", part, content.n);
  return QM_EINTERNAL;
}

static void not_inside_a_transaction(void **state) {
  (void)state;
  int joined;
  ok(put_new(A, "R"));
  parts s = state_of(A);
  ok(qm_engine_begin(B->engine));
  assert_int_equal(qm_state_join(B->engine, B->space, s.p, s.n, &joined, NULL), QM_ESTATE);
  qm_engine_rollback(B->engine);
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_state_write(A->engine, A->space, no_piece, NULL), QM_ESTATE);
  qm_engine_rollback(A->engine);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(join_is_the_log),
      T(absent_and_covered_is_removed),
      T(many_parts),
      T(a_stage_resumes),
      T(a_kept_snapshot),
      T(unacknowledged_changes_travel),
      T(the_log_comes_along),
      T(a_join_in_bounded_memory),
      T(what_a_manifest_must_be),
      T(changed_bytes),
      T(what_a_state_must_be),
      T(forks),
      T(not_inside_a_transaction)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
