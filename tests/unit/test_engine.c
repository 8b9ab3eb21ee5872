/* The engine: epochs (S2.4), spaces, digests (S6.4), what the hub holds, pushes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/repair.h"
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

static const qm_slice none = {NULL, 0};

static qm_author author_of(dev *d) { return *qm_engine_author(d->engine); }

static int is_author(dev *d, const qm_author *a) {
  return qm_author_cmp(qm_engine_author(d->engine), a) == 0;
}

static int closed(dev *d, const qm_author *a) {
  uint32_t n;
  ok(qm_authors_find(&d->space->authors, a, &n));
  return d->space->states[n].closed == qm_vv_get(&d->space->vv, n);
}

/* --- epochs --- */

static void same_instance_same_author(void **state) {
  (void)state;
  qm_author a = author_of(A);
  ok(put_new(A, "R"));
  reopen(A);
  assert_true(is_author(A, &a));
  assert_memory_equal(a.b, A->id.b, 16);
}

/* A copy or a restored backup: a new author, and what the old one had not sent yet still
 * travels, as the old one's. */
static void another_instance(void **state) {
  (void)state;
  qm_author a = author_of(A);
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  pull(B, A);
  ok(put(A, "R", F_TEL, "unsent 1"));
  ok(put(A, "R", F_HEAD, "unsent 2"));
  assert_false(closed(A, &a));
  A->instance[3] ^= 1;
  reopen(A);
  assert_false(is_author(A, &a));
  assert_true(closed(A, &a));
  qm_author next = author_of(A);
  ok(put(A, "R", F_TEL, "after"));
  pull(B, A);
  shows(B, "R", F_TEL, "after");
  shows(B, "R", F_HEAD, "unsent 2");
  lists(B, "R", F_TEL, "");
  reopen(A); /* noticed once */
  assert_true(is_author(A, &next));
  rig_settle(&w);
  rig_check_equal(&w);
}

static void no_instance(void **state) {
  (void)state;
  qm_author a = author_of(A);
  A->env.instance = NULL;
  ok(put_new(A, "R"));
  reopen(A);
  assert_false(is_author(A, &a));
  qm_author b = author_of(A);
  ok(put(A, "R", F_TEL, "1"));
  reopen(A);
  assert_false(is_author(A, &b));
  ok(put(A, "R", F_TEL, "2"));
  rig_settle(&w);
  shows(B, "R", F_TEL, "2");
  rig_check_equal(&w);
  A->env.instance = B->env.instance; /* else the check at the end opens with a new epoch */
  reopen(A);
}

static void another_device(void **state) {
  (void)state;
  qm_author a = author_of(A);
  ok(put_new(A, "R"));
  A->id.b[0] = 'Q';
  reopen(A);
  assert_false(is_author(A, &a));
  assert_int_equal(author_of(A).b[0], 'Q');
  ok(put(A, "R", F_TEL, "1"));
  rig_settle(&w);
  shows(C, "R", F_TEL, "1");
}

static void without_randomness(void **state) {
  (void)state;
  qm_author a = author_of(A);
  ok(put_new(A, "R"));
  A->random_fails = 1;
  assert_int_equal(qm_engine_new_epoch(A->engine), QM_EIO);
  assert_true(is_author(A, &a));
  assert_int_equal(qm_engine_push(A->engine, A->space), QM_EIO);
  assert_false(closed(A, &a));
  A->random_fails = 0;
  check_memory(A);
  ok(qm_engine_push(A->engine, A->space));
  assert_true(closed(A, &a));
}

/* A's store of long ago: the author, and nothing it wrote. */
static void forget(dev *d) {
  static const char *const keys[] = {"author", "instance"};
  qm_buf kept[2];
  qm_space_info info;
  qm_buf schema;
  qm_buf_init(&schema, &d->env, 1u << 20);
  qm_space_info_get(d->space, &info);
  qm_buf_add(&schema, info.schema.p, info.schema.n);
  info.schema = qm_buf_slice(&schema);
  info.name = qm_slice_of("s", 1);
  info.role = qm_slice_of("grid", 4);
  for (int i = 0; i < 2; i++) {
    qm_buf_init(&kept[i], &d->env, 100);
    ok(d->store->ops->meta_get(d->store, qm_slice_of(keys[i], strlen(keys[i])), &kept[i]));
  }
  qm_engine_close(d->engine);
  d->store->ops->close(d->store);
  ok(qm_store_mem_open(&d->env, &d->store));
  ok(d->store->ops->begin(d->store));
  for (int i = 0; i < 2; i++) {
    ok(d->store->ops->meta_put(d->store, qm_slice_of(keys[i], strlen(keys[i])),
                               qm_buf_slice(&kept[i])));
    qm_buf_free(&kept[i]);
  }
  ok(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL));
  qm_engine_options o = {.size = sizeof o, .device = d->id, .flags = d->flags};
  ok(qm_engine_open(&d->engine, &d->env, d->store, &o, NULL));
  ok(qm_engine_space_put(d->engine, &info, NULL));
  d->space = qm_engine_space_at(d->engine, 0);
  qm_buf_free(&schema);
}

static qm_vv_list heads(dev *d) {
  qm_vv_list list;
  ok(qm_engine_heads(d->engine, d->space, &w.arena, &list));
  return list;
}

/* An undetected restore: the first peer that knows more of the author ends it. */
static void a_peer_that_knows_more(void **state) {
  (void)state;
  int ahead;
  qm_author a = author_of(A), forked;
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  pull(B, A);
  forget(A);
  assert_true(is_author(A, &a));
  ok(qm_engine_compare(A->engine, A->space, heads(B), &ahead, &forked));
  assert_true(ahead);
  pull(A, B); /* and by what arrives alone */
  assert_false(is_author(A, &a));
  ok(put(A, "R", F_TEL, "2"));
  pull(B, A);
  shows(B, "R", F_TEL, "2");
  ok(qm_engine_compare(A->engine, A->space, heads(B), &ahead, &forked));
  assert_false(ahead);
}

static void by_a_state(void **state) {
  (void)state;
  qm_author a = author_of(A);
  ok(put_new(A, "R"));
  pull(B, A);
  forget(A);
  assert_true(join(A, B));
  assert_false(is_author(A, &a));
  ok(put(A, "R", F_TEL, "2"));
}

/* The new epoch cannot be made when it is noticed: it is asked for again. */
static void new_epoch_is_owed(void **state) {
  (void)state;
  qm_author a = author_of(A);
  qm_slice log[4];
  qm_write *x;
  ok(put_new(A, "R"));
  assert_int_equal(log_of(A, (qm_vv_list){NULL, 0}, log, 4), 1);
  forget(A);
  A->random_fails = 1;
  qm_ingest in = {.peer = B->id};
  ok(take(A, log[0], &in)); /* the commit stands */
  assert_int_equal(in.taken, 1);
  assert_true(is_author(A, &a));
  assert_int_equal(qm_write_begin(&x, A->engine, A->space, 0), QM_EIO);
  A->random_fails = 0;
  ok(put(A, "R", F_TEL, "1"));
  assert_false(is_author(A, &a));
}

static void compares(void **state) {
  (void)state;
  int ahead;
  qm_author forked;
  ok(put_new(A, "R"));
  pull(B, A);
  ok(put(A, "R", F_TEL, "1"));
  ok(qm_engine_push(A->engine, A->space));
  ok(qm_engine_compare(A->engine, A->space, heads(B), &ahead, &forked));
  assert_false(ahead);
  ok(qm_engine_compare(B->engine, B->space, heads(A), &ahead, &forked));
  assert_false(ahead);
  qm_vv_entry e = heads(B).p[0];
  e.next += 5;
  ok(qm_engine_compare(A->engine, A->space, (qm_vv_list){&e, 1}, &ahead, &forked));
  assert_true(ahead);
  ok(qm_engine_compare(C->engine, C->space, (qm_vv_list){&e, 1}, &ahead, &forked));
  assert_false(ahead); /* that it does not know at all is nobody's fault */
  e.next -= 5;
  e.head[0] ^= 1;
  ok(qm_engine_compare(A->engine, A->space, (qm_vv_list){&e, 1}, &ahead, &forked));
  assert_false(ahead); /* stands elsewhere: nothing can be said */
  assert_int_equal(qm_engine_compare(B->engine, B->space, (qm_vv_list){&e, 1}, &ahead, &forked),
                   QM_EFORK);
  assert_false(ahead); /* somebody else's */
  assert_int_equal(qm_author_cmp(&forked, &e.author), 0);
  pull(B, A);
  e = heads(B).p[0];
  e.head[0] ^= 1;
  assert_int_equal(qm_engine_compare(A->engine, A->space, (qm_vv_list){&e, 1}, &ahead, &forked),
                   QM_EFORK);
  assert_true(ahead);
}

static void time_ahead_of_the_clock(void **state) {
  (void)state;
  qm_author a = author_of(A);
  A->skew_ms = 500000;
  ok(put_new(A, "R"));
  A->skew_ms = 0;
  ok(put(A, "R", F_TEL, "within the drift"));
  assert_true(is_author(A, &a));
  A->skew_ms = INT64_C(10) * 365 * 86400000;
  ok(put(A, "R", F_TEL, "in ten years"));
  A->skew_ms = 0;
  ok(put(A, "R", F_TEL, "now"));
  assert_false(is_author(A, &a));
  assert_true(closed(A, &a));
  shows(A, "R", F_TEL, "now"); /* it has seen the other */
  assert_true(qm_time_ms(A->space->states[A->space->own].time) == w.now_ms);
  rig_settle(&w);
  rig_check_equal(&w);
}

static void offset(void **state) {
  (void)state;
  ok(qm_engine_offset(A->engine, -5000));
  assert_true(qm_engine_now(A->engine) == w.now_ms - 5000);
  reopen(A);
  assert_int_equal(qm_engine_offset_get(A->engine), -5000);
  assert_int_equal(qm_engine_offset(A->engine, INT64_MIN), QM_EINVAL);
  ok(qm_engine_offset(A->engine, INT64_MIN + 1));
  assert_true(qm_engine_now(A->engine) == 0);
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_engine_offset(A->engine, 7), QM_ESTATE);
  qm_engine_rollback(A->engine);
  ok(qm_engine_offset(A->engine, 0));
}

/* --- spaces --- */

static void spaces(void **state) {
  (void)state;
  qm_space_info info, got;
  qm_space_info_get(A->space, &info);
  uint32_t version = A->space->schema->version;
  info.name = qm_slice_of("renamed", 7);
  info.role = qm_slice_of("office", 6);
  info.schema = none; /* older than the one held: ignored */
  ok(qm_engine_space_put(A->engine, &info, NULL));
  assert_ptr_equal(qm_engine_space_named(A->engine, qm_slice_of("renamed", 7)), A->space);
  assert_null(qm_engine_space_named(A->engine, qm_slice_of("s", 1)));
  assert_int_equal(qm_space_schema(A->space)->version, version);
  info.schema = qm_slice_of("garbage", 7);
  qm_error e = {0, ""};
  assert_int_not_equal(qm_engine_space_put(A->engine, &info, &e), QM_OK);
  assert_true(e.message[0] != 0);
  info.id = (qm_id){{0}};
  assert_int_equal(qm_engine_space_put(A->engine, &info, NULL), QM_EINVAL);
  for (uint8_t i = 9; i > 0; i--) {
    info = (qm_space_info){.id = {{i}}, .name = qm_slice_of(&i, 1), .writable = 1};
    info.name = qm_slice_of("n", 1);
    ok(qm_engine_space_put(A->engine, &info, NULL));
  }
  assert_int_equal(qm_engine_space_count(A->engine), 10);
  assert_null(qm_engine_space_at(A->engine, 10));
  reopen(A);
  for (uint32_t i = 0; i + 1 < 10; i++) {
    qm_space_info next;
    qm_space_info_get(qm_engine_space_at(A->engine, i), &got);
    qm_space_info_get(qm_engine_space_at(A->engine, i + 1), &next);
    assert_true(qm_id_cmp(&got.id, &next.id) < 0);
  }
  qm_space_info_get(A->space, &got);
  assert_memory_equal(got.name.p, "renamed", 7);
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_engine_space_put(A->engine, &got, NULL), QM_ESTATE);
  qm_engine_rollback(A->engine);
  A->space = qm_engine_space(A->engine, &(qm_id){{'s'}});
  /* Back as the first of them, for the check at the end. */
  for (uint32_t i = 0; i < 10; i++)
    ok(qm_engine_check(A->engine, qm_engine_space_at(A->engine, i), NULL));
}

/* --- digests --- */

static int asked(dev *d, const uint8_t vv[16], const uint8_t digest[16]) {
  qm_compare c;
  ok(qm_engine_digest_check(d->engine, d->space, vv, digest, &c));
  return (int)c;
}

typedef struct stood {
  uint8_t vv[16], digest[16];
} stood;

static stood stand(dev *d) {
  stood s;
  qm_digest digest;
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_vv_digest(d->engine, d->space, s.vv));
  qm_space_digest(d->space, &digest);
  qm_digest_bytes(&digest, s.digest);
  return s;
}

static void remembers_where_it_stood(void **state) {
  (void)state;
  stood at[40];
  ok(put_new(A, "R"));
  for (int i = 0; i < 40; i++) {
    ok(put_inc(A, "R", 1));
    at[i] = stand(A);
    pull(B, A);
    if (i % 7 == 3) reopen(B);
  }
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 40; i++) {
      uint8_t wrong[16];
      memcpy(wrong, at[i].digest, 16);
      wrong[15] ^= 1;
      int known = i >= 40 - QM_NOTES;
      assert_int_equal(asked(B, at[i].vv, at[i].digest),
                       known ? QM_COMPARE_EQUAL : QM_COMPARE_NONE);
      assert_int_equal(asked(B, at[i].vv, wrong), known ? QM_COMPARE_DIFFER : QM_COMPARE_NONE);
    }
    reopen(B);
  }
  /* Now, where no batch brought it. */
  ok(put_inc(A, "R", 1));
  stood now = stand(A);
  assert_int_equal(asked(A, now.vv, now.digest), QM_COMPARE_EQUAL);
  now.digest[0] ^= 1;
  assert_int_equal(asked(A, now.vv, now.digest), QM_COMPARE_DIFFER);
}

/* Equal VVs by other ways are the same VV; a schema or an open run makes a difference
 * where it should. */
static void sync_digests(void **state) {
  (void)state;
  uint8_t a[16], b[16];
  ok(put_new(A, "R"));
  ok(put_new(B, "S"));
  pull(A, B);
  pull(B, A);
  ok(qm_engine_sync_digest(A->engine, A->space, a));
  ok(qm_engine_sync_digest(B->engine, B->space, b));
  assert_memory_equal(a, b, 16);
  ok(put(A, "R", F_TEL, "1"));
  ok(qm_engine_sync_digest(A->engine, A->space, a));
  assert_true(memcmp(a, b, 16) != 0);
  ok(qm_engine_vv_digest(A->engine, A->space, a));
  ok(qm_engine_push(A->engine, A->space));
  ok(qm_engine_vv_digest(A->engine, A->space, b));
  assert_true(memcmp(a, b, 16) != 0);
}

static int damage(dev *d, uint8_t xor_hash, int drop) {
  const qm_record *r = record_of(d, "R");
  qm_buf b;
  uint8_t hash[16];
  qm_buf_init(&b, &d->env, 100000);
  ok(qm_record_encode((qm_record *)(uintptr_t)r, &d->space->authors, &w.arena, &b));
  ok(qm_record_hash(&r->id, qm_buf_slice(&b), &d->space->authors, hash));
  qm_record_row row = {.id = r->id, .collection = 1, .state = qm_buf_slice(&b)};
  memcpy(row.hash, hash, 16);
  row.hash[0] ^= xor_hash;
  if (drop) row.state.n = 0;
  ok(d->store->ops->begin(d->store));
  ok(d->store->ops->record_save(d->store, d->space->number, &row, 1));
  ok(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL));
  qm_error e = {0, ""};
  int rc = qm_engine_check(d->engine, d->space, &e);
  if (rc != QM_OK) {
    assert_true(e.message[0] != 0);
    assert_true(qm_space_suspect(d->space));
    assert_int_equal(qm_engine_check(d->engine, d->space, NULL), rc); /* until it is mended */
  }
  row.hash[0] ^= xor_hash;
  row.state = qm_buf_slice(&b);
  ok(d->store->ops->begin(d->store));
  ok(d->store->ops->record_save(d->store, d->space->number, &row, 1));
  ok(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL));
  ok(qm_engine_check(d->engine, d->space, NULL));
  assert_false(qm_space_suspect(d->space));
  qm_buf_free(&b);
  return rc;
}

static void check_finds_faults(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  assert_int_equal(damage(A, 0, 0), QM_OK);
  assert_int_equal(damage(A, 1, 0), QM_ECORRUPT);
  assert_int_equal(damage(A, 0, 1), QM_EDIFFER);
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_engine_check(A->engine, A->space, NULL), QM_ESTATE);
  qm_engine_rollback(A->engine);
}

/* --- what the hub holds --- */

static void unsent(dev *d, uint64_t n) {
  uint64_t changes, oldest;
  ok(qm_engine_unsent(d->engine, d->space, &changes, &oldest));
  assert_int_equal(changes, n);
  assert_true((oldest != 0) == (n != 0));
  if (n) assert_true(oldest <= w.now_ms && oldest > w.now_ms - 100000);
}

static void counts_what_is_unsent(void **state) {
  (void)state;
  unsent(A, 0);
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  unsent(A, 2); /* in the open run */
  ok(qm_engine_push(A->engine, A->space));
  ok(put(A, "R", F_TEL, "2"));
  unsent(A, 3); /* and in the log */
  pull(B, A);
  ok(put(B, "R", F_TEL, "3"));
  pull(A, B);
  unsent(A, 3); /* somebody else's is not counted */
  pull(C, A);   /* C is the hub */
  ok(qm_engine_acknowledged(A->engine, A->space, heads(C), 0));
  unsent(A, 0);
  assert_true(qm_vv_includes(qm_space_acknowledged(A->space), qm_space_vv(A->space)));
  assert_false(qm_vv_includes(qm_space_safe(A->space), qm_space_vv(A->space)));
  reopen(A);
  unsent(A, 0);
  ok(put(A, "R", F_TEL, "4"));
  unsent(A, 1);
  A->instance[5] ^= 1;
  reopen(A);
  unsent(A, 1); /* of the author before it as well */
  ok(put(A, "R", F_TEL, "5"));
  unsent(A, 2);
}

/* The hub lost its disk, or was restored: its word goes back, and everybody's changes
 * come again. */
static void hub_restored(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_new(B, "S"));
  meet(A, C);
  meet(B, C);
  meet(A, C);
  ok(qm_engine_acknowledged(A->engine, A->space, heads(C), 0));
  ok(qm_engine_acknowledged(A->engine, A->space, heads(C), 1));
  unsent(A, 0);
  forget(C); /* nothing left, not even that A exists */
  ok(qm_engine_acknowledged(A->engine, A->space, heads(C), 0));
  unsent(A, 1);
  assert_true(qm_vv_includes(qm_space_safe(A->space), qm_space_vv(A->space)));
  reopen(A);
  unsent(A, 1);
  ok(put_new(C, "T"));
  pull(C, A); /* A has B's as well */
  assert_true(visible(C, "R") && visible(C, "S"));
  rig_settle(&w);
  rig_check_equal(&w);
  ok(qm_engine_acknowledged(A->engine, A->space, heads(C), 0));
  unsent(A, 0);
}

/* --- pushes --- */

static void many_segments(void **state) {
  (void)state;
  static char text[30001];
  qm_slice log[64];
  memset(text, 'x', sizeof text - 1);
  ok(put_new(A, "R"));
  for (int i = 0; i < 40; i++) {
    text[i] = 'y';
    ok(put(A, "R", F_TEL, text));
  }
  ok(put(A, "R", F_TEL, "last"));
  unsigned n = log_of(A, (qm_vv_list){NULL, 0}, log, 64);
  assert_true(n >= 5 && n < 12);
  uint64_t next = 0;
  for (unsigned i = 0; i < n; i++) {
    qm_batch_in in;
    ok(qm_batch_heads(log[i], &w.arena, &in));
    assert_int_equal(in.n_segments, 1);
    assert_int_equal(in.segments[0].start, next);
    next = in.segments[0].next;
  }
  assert_int_equal(next, 42);
  assert_int_equal(pull_some(B, A, 2), 2); /* cut off, then from where it stands */
  assert_int_equal(pull(B, A), n - 2);
  shows(B, "R", F_TEL, "last");
  assert_int_equal(pull(B, A), 0);
  ok(qm_engine_begin(A->engine));
  assert_int_equal(qm_engine_push(A->engine, A->space), QM_ESTATE);
  qm_engine_rollback(A->engine);
}

/* Many small changes: few segments. */
static void many_changes(void **state) {
  (void)state;
  qm_slice log[64];
  ok(put_new(A, "R"));
  for (int i = 0; i < 3000; i++) ok(put_inc(A, "R", 1));
  unsigned n = log_of(A, (qm_vv_list){NULL, 0}, log, 64);
  assert_true(n < 4);
  pull(B, A);
  shows(B, "R", F_VISITS, "3000");
}

static int failed_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  (void)payload;
  (void)digest;
  memset(out, 's', 64);
  return QM_EIO;
}

static int good_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  (void)payload;
  memset(out, 0, 64);
  memcpy(out, digest, 32);
  return QM_OK;
}

static void signs(void **state) {
  (void)state;
  qm_slice log[2];
  qm_batch_in in;
  qm_batch batch;
  ok(put_new(A, "R"));
  A->env.sign = failed_sign;
  assert_int_equal(qm_engine_push(A->engine, A->space), QM_EIO);
  check_memory(A);
  A->env.sign = good_sign;
  assert_int_equal(log_of(A, (qm_vv_list){NULL, 0}, log, 2), 1);
  ok(qm_batch_open(&in, log[0], &w.arena));
  ok(qm_authors_find(&A->space->authors, &in.authors[0], &in.map[0]));
  ok(qm_batch_read(&in, &batch));
  assert_true(batch.segments[0].has_signature);
  assert_memory_equal(batch.segments[0].signature, A->space->states[0].head.b, 32);
  A->env.sign = NULL;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {T(same_instance_same_author),
                                     T(another_instance),
                                     T(no_instance),
                                     T(another_device),
                                     T(without_randomness),
                                     T(a_peer_that_knows_more),
                                     T(by_a_state),
                                     T(new_epoch_is_owed),
                                     T(compares),
                                     T(time_ahead_of_the_clock),
                                     T(offset),
                                     T(spaces),
                                     T(remembers_where_it_stood),
                                     T(sync_digests),
                                     T(check_finds_faults),
                                     T(counts_what_is_unsent),
                                     T(hub_restored),
                                     T(many_segments),
                                     T(many_changes),
                                     T(signs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
