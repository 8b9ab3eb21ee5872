#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/batch.h"
#include "core/cur.h"
#include "core/mp.h"
#include "core/words.h"
#include "core/zip.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_batch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SEEDS 250u

static qm_env plain;

/* Authors of the receiver: the same ids under other numbers. */
static void other_table(const world *w, const qm_env *env, qm_authors *t) {
  qm_author stranger;
  uint32_t n;
  qm_authors_init(t, env);
  memset(stranger.b, 0x77, sizeof stranger.b);
  (void)qm_authors_add(t, &stranger, &n);
  for (uint32_t i = w->authors.n; i-- > 0;) (void)qm_authors_add(t, &w->authors.ids[i], &n);
}

/* Opens, maps by `authors` and reads. */
static int decode(qm_slice blob, const qm_authors *authors, qm_arena *arena, qm_batch *out) {
  qm_batch_in in;
  QM_TRY(qm_batch_open(&in, blob, arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    if (qm_authors_find(authors, &in.authors[i], &in.map[i])) return QM_ENOTFOUND;
  return qm_batch_read(&in, out);
}

/* As decode, for bytes whose authors may be anything. */
static int decode_any(qm_slice blob, qm_arena *arena, qm_authors *authors, qm_batch *out) {
  qm_batch_in in;
  QM_TRY(qm_batch_open(&in, blob, arena));
  for (uint32_t i = 0; i < in.n_authors; i++)
    QM_TRY(qm_authors_add(authors, &in.authors[i], &in.map[i]));
  return qm_batch_read(&in, out);
}

static qm_buf encoded_as(const qm_batch *b, const qm_authors *authors, int level,
                         qm_batch_form form) {
  qm_buf out;
  qm_buf_init(&out, &plain, QM_BATCH_MAX);
  assert_int_equal(qm_batch_encode_as(&out, b, authors, level, form), QM_OK);
  return out;
}

static qm_buf encoded(const qm_batch *b, const qm_authors *authors, int level) {
  return encoded_as(b, authors, level, QM_BATCH_WORDS);
}

/* S5.1: the same batch with its back stored, so that mutations reach the columns. */
static qm_buf stored(const qm_buf *zipped) {
  qm_cur c;
  uint64_t size;
  qm_slice front, back;
  qm_buf out;
  size_t flags = zipped->p[1] & 2 ? 3 : 2; /* and the number of the words */
  qm_buf_init(&out, &plain, 2 * QM_BATCH_MAX);
  qm_cur_init(&c, qm_slice_of(zipped->p + flags, zipped->n - flags));
  assert_int_equal(qm_cur_varint(&c, &size), QM_OK);
  assert_int_equal(qm_cur_span(&c, (size_t)size, &front), QM_OK);
  assert_int_equal(qm_cur_span(&c, qm_cur_left(&c), &back), QM_OK);
  qm_buf_byte(&out, zipped->p[0]);
  qm_buf_byte(&out, 0);
  qm_buf_varint(&out, size);
  qm_buf_add(&out, front.p, front.n);
  if (zipped->p[0] == 1 && zipped->p[1] & 1)
    assert_int_equal(qm_unzip(&out, back, QM_BATCH_RAW_MAX), QM_OK);
  else if (zipped->p[1] & 1)
    assert_int_equal(qm_unzip_words(&out, back, QM_BATCH_RAW_MAX, qm__words(flags == 3)), QM_OK);
  else
    qm_buf_add(&out, back.p, back.n);
  return out;
}

static void round_trip(const world *w, const qm_batch *b, int level, qm_batch_form form) {
  qm_arena arena;
  qm_authors theirs;
  qm_batch got, again, twice;
  qm_arena_init(&arena, &plain, SIZE_MAX);
  other_table(w, &plain, &theirs);
  qm_buf first = encoded_as(b, &w->authors, level, form);
  assert_int_equal(decode(qm_buf_slice(&first), &theirs, &arena, &got), QM_OK);
  side sent = {b, &w->authors}, received = {&got, &theirs};
  const char *why = batch_differs(sent, received);
  if (why) fail_msg("%s differs", why);
  for (uint32_t i = 0; i < got.n_segments; i++) {
    qm_error e;
    if (qm_segment_check(&got.segments[i], &e)) fail_msg("%s", e.message);
  }
  /* The same bytes give the same structs. */
  assert_int_equal(decode(qm_buf_slice(&first), &theirs, &arena, &twice), QM_OK);
  side other = {&twice, &theirs};
  assert_null(batch_differs(received, other));
  assert_null(batch_differs(other, received));
  /* What was decoded may be sent on, records not resolved. */
  qm_buf second = encoded(&got, &theirs, level);
  assert_int_equal(decode(qm_buf_slice(&second), &w->authors, &arena, &again), QM_OK);
  side back = {&again, &w->authors};
  assert_null(batch_differs(received, back));
  assert_null(batch_differs(back, received));
  qm_buf_free(&first);
  qm_buf_free(&second);
  qm_authors_free(&theirs);
  qm_arena_free(&arena);
}

/* S5.3, S5.4, S5.5, S5.6, S5.7, S5.9, S5.11, S5.12, S5.13, S5.14, S5.16, S5.17: each
 * is written and read for every kind of op. */
static void random_batches_come_back(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < SEEDS; seed++) {
    world w;
    world_init(&w, &plain, seed);
    qm_batch b = world_batch(&w, 1 + seed % 7, 1 + seed % 11);
    round_trip(&w, &b, (int)(seed % 5), QM_BATCH_OLD + seed % 3);
    world_free(&w);
  }
}

static void large_batches_come_back(void **state) {
  world w;
  (void)state;
  world_init(&w, &plain, 4711);
  qm_batch b = world_batch(&w, 40, 60);
  for (unsigned form = QM_BATCH_OLD; form <= QM_BATCH_WORDS; form++) round_trip(&w, &b, 0, form);
  world_free(&w);
}

/* S5.2: no prefix of a batch is a batch. */
static void truncation_is_refused(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 12; seed++) {
    world w;
    world_init(&w, &plain, seed + 900);
    qm_batch b = world_batch(&w, 3, 3);
    qm_buf zipped = encoded_as(&b, &w.authors, 0, QM_BATCH_OLD + seed % 3), raw = stored(&zipped);
    const qm_buf *both[] = {&zipped, &raw};
    for (unsigned k = 0; k < 2; k++) {
      for (size_t n = 0; n < both[k]->n; n++) {
        qm_arena arena;
        qm_batch got;
        uint8_t *exact = qm_alloc(&plain, n + 1); /* ASan sees a read beyond n */
        memcpy(exact, both[k]->p, n);
        qm_arena_init(&arena, &plain, SIZE_MAX);
        assert_int_not_equal(decode(qm_slice_of(exact, n), &w.authors, &arena, &got), QM_OK);
        qm_arena_free(&arena);
        qm_free(&plain, exact);
      }
    }
    qm_buf_free(&zipped);
    qm_buf_free(&raw);
    world_free(&w);
  }
}

/* Whatever the bytes, decoding ends, and what it accepts can be sent on as it is. */
static void mutations_are_refused_or_whole(void **state) {
  uint32_t accepted = 0;
  (void)state;
  for (uint32_t seed = 0; seed < 30; seed++) {
    world w;
    world_init(&w, &plain, seed + 70000);
    qm_batch b = world_batch(&w, 3, 4);
    qm_buf zipped = encoded_as(&b, &w.authors, 0, seed % 3 ? QM_BATCH_WORDS : QM_BATCH_OLD);
    qm_buf raw = stored(&zipped);
    for (uint32_t k = 0; k < 150; k++) {
      qm_arena arena;
      qm_authors authors;
      qm_batch got, again;
      uint8_t *bad = qm_alloc(&plain, raw.n);
      memcpy(bad, raw.p, raw.n);
      for (uint32_t m = world_below(&w, 3); m < 3; m++)
        bad[world_below(&w, (uint32_t)raw.n)] ^= (uint8_t)(1u << world_below(&w, 8));
      qm_arena_init(&arena, &plain, 1u << 26);
      qm_authors_init(&authors, &plain);
      if (decode_any(qm_slice_of(bad, raw.n), &arena, &authors, &got) == QM_OK) {
        side one = {&got, &authors}, two = {&again, &authors};
        qm_buf sent = encoded(&got, &authors, 1);
        accepted++;
        assert_int_equal(decode(qm_buf_slice(&sent), &authors, &arena, &again), QM_OK);
        const char *why = batch_differs(one, two);
        if (why) fail_msg("seed %u, mutation %u: %s differs", seed, k, why);
        for (uint32_t s = 0; s < got.n_segments; s++)
          (void)qm_segment_check(&got.segments[s], NULL);
        qm_buf_free(&sent);
      }
      qm_authors_free(&authors);
      qm_arena_free(&arena);
      qm_free(&plain, bad);
    }
    qm_buf_free(&zipped);
    qm_buf_free(&raw);
    world_free(&w);
  }
  assert_true(accepted > 100);
}

/* ---- worked examples ---- */

static qm_buf fixture(const char *kind, const char *name) {
  char path[128];
  int c, high = -1, comment = 0;
  qm_buf out;
  qm_buf_init(&out, &plain, QM_BATCH_MAX);
  (void)snprintf(path, sizeof path, "fixtures/wire/%s/%s.hex", kind, name);
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s cannot be read (run from the root of the repository)", path);
  while ((c = fgetc(f)) != EOF) {
    if (c == '#') comment = 1;
    if (c == '\n') comment = 0;
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (comment || digit < 0) continue;
    if (high >= 0) qm_buf_byte(&out, (uint8_t)(high << 4 | digit));
    high = high < 0 ? digit : -1;
  }
  (void)fclose(f);
  assert_int_equal(high, -1);
  return out;
}

/* The hash of each segment of an example and the full hash of the one before. */
static const struct example {
  const char *name, *before;
  const char *hashes[2];
} examples[] = { /* and each in version 2 */
    {"one-change", "", {"2d52fab0edd557217d71bdbe108bb14bec4c2561ccc66f6122dcf5974f98e8c4"}},
    {"erased", "", {"2d52fab0edd557217d71bdbe108bb14bec4c2561ccc66f6122dcf5974f98e8c4"}},
    {"by-creation-dot", "an earlier segment",
     {"c01803db678c386315a208a31eba7ba56f6e6c4785c0fb89ad95fcb6581562c9"}},
    {"text", "",
     {"ce48635ffb2ff0141c4e7ee915363e271d2fe5caa57d673117a91d1f858f7bfa",
      "38513a018cbbaee8a9bfe67853461695068a8eb9b9a3ef8cbfe4c8c1280ab0ed"}},
};

static void check_chain(const struct example *x, qm_batch *b, const qm_authors *authors,
                        qm_arena *arena) {
  qm_id space, record;
  qm_hash previous = {{0}}, hash;
  memset(space.b, 0x5a, sizeof space.b);
  memset(record.b, 0x11, sizeof record.b);
  if (x->before[0]) qm_sha256(x->before, strlen(x->before), &previous);
  for (uint32_t i = 0; i < b->n_segments; i++) {
    qm_segment *s = &b->segments[i];
    qm_hash expected;
    for (uint32_t k = 0; k < s->n_changes; k++)
      for (uint32_t o = 0; o < s->changes[k].n_ops; o++)
        if (s->changes[k].ops[o].named == QM_BY_CREATION) s->changes[k].ops[o].record = record;
    assert_int_equal(qm_segment_check(s, NULL), QM_OK);
    assert_int_equal(qm_segment_hash(s, &space, &previous, authors, arena, &hash), QM_OK);
    assert_int_equal(qm_unhex(expected.b, sizeof expected.b, x->hashes[i], 64), QM_OK);
    assert_memory_equal(hash.b, expected.b, sizeof hash.b);
    assert_memory_equal(s->previous, previous.b, QM_HEAD_SIZE);
    assert_memory_equal(s->head, hash.b, QM_HEAD_SIZE);
    previous = hash;
  }
}

/* The examples were made by a separate program from the text of SPEC §4 and §5; the
 * encoder writes the same bytes. */
static void good_example(const struct example *x, const char *version, qm_batch_form form) {
  char name[64];
  qm_arena arena;
  qm_authors authors;
  qm_batch got;
  (void)snprintf(name, sizeof name, "%s%s", x->name, version);
  qm_buf file = fixture("good", name), recoded;
  qm_arena_init(&arena, &plain, SIZE_MAX);
  qm_authors_init(&authors, &plain);
  assert_int_equal(decode_any(qm_buf_slice(&file), &arena, &authors, &got), QM_OK);
  qm_buf sent = encoded_as(&got, &authors, 0, form);
  assert_int_equal(sent.n, file.n);
  assert_memory_equal(sent.p, file.p, file.n);
  check_chain(x, &got, &authors, &arena);
  /* S8.3: what goes to an older peer is the example in version 1. */
  qm_buf old = fixture("good", x->name);
  qm_buf_init(&recoded, &plain, QM_BATCH_MAX);
  qm_buf_add(&recoded, file.p, file.n);
  assert_int_equal(qm_batch_make_old(&recoded), QM_OK);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&recoded), qm_buf_slice(&old)), 0);
  qm_buf_free(&recoded);
  qm_buf_free(&old);
  qm_buf_free(&sent);
  qm_buf_free(&file);
  qm_authors_free(&authors);
  qm_arena_free(&arena);
}

static void good_examples(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(examples); i++) {
    good_example(&examples[i], "", QM_BATCH_OLD);
    good_example(&examples[i], "-2", QM_BATCH_PLAIN);
    good_example(&examples[i], "-2", QM_BATCH_WORDS); /* too small for words */
  }
}

/* S5.1, S5.2, S5.7, S5.11: each refusal has its own code. */
static void bad_examples(void **state) {
  static const struct { const char *name; int rc; } table[] = {
      {"empty", QM_ETRUNCATED}, {"version", QM_EVERSION}, {"container-flag", QM_EFORMAT},
      {"front-beyond-end", QM_ETRUNCATED}, {"front-oversize", QM_EOVERSIZE},
      {"front-trailing", QM_ETRAILING}, {"author-twice", QM_EDUPKEY},
      {"author-unknown", QM_EFORMAT}, {"authors-count", QM_EOVERSIZE},
      {"follows-nothing", QM_EFORMAT}, {"head-flag", QM_EFORMAT}, {"algorithm-0", QM_EFORMAT},
      {"no-counters", QM_EFORMAT}, {"no-segments", QM_EFORMAT}, {"beyond-counters", QM_ERANGE},
      {"counters-do-not-add-up", QM_EMALFORMED}, {"changes-count", QM_EOVERSIZE},
      {"overlong", QM_ECANON}, {"form-shape", QM_EMALFORMED}, {"form-kind", QM_EMALFORMED},
      {"form-bit", QM_EFORMAT}, {"form-flags-0", QM_EFORMAT}, {"form-order", QM_ECANON},
      {"form-field", QM_ERANGE}, {"form-cut", QM_ETRUNCATED}, {"op-form", QM_EFORMAT},
      {"op-first-differs", QM_ECANON}, {"ops-count", QM_EOVERSIZE},
      {"ops-trailing", QM_ETRAILING}, {"no-ops", QM_EMALFORMED}, {"record-unknown", QM_EFORMAT},
      {"record-no-id", QM_ETRUNCATED}, {"record-id-unused", QM_ETRAILING},
      {"salt-missing", QM_ETRUNCATED}, {"salt-unused", QM_ETRAILING},
      {"leaf-unused", QM_ETRAILING}, {"digest-unused", QM_ETRAILING}, {"time-beyond", QM_ERANGE},
      {"tick-beyond", QM_ERANGE}, {"deps-empty", QM_ECANON}, {"value-cut", QM_ETRUNCATED},
      {"value-utf8", QM_EUTF8}, {"value-trailing", QM_ETRAILING}, {"value-overlong", QM_ECANON},
      {"value-nested", QM_EDEPTH}, {"digest-type", QM_EFORMAT},
      {"decimal-longer", QM_ECANON}, {"digest-missing", QM_ETRUNCATED},
      {"insert-empty", QM_EMALFORMED}, {"insert-type", QM_ETYPE}, {"back-trailing", QM_ETRAILING},
      {"back-cut", QM_ETRUNCATED}, {"zstd-garbage", QM_EFORMAT}, {"zstd-oversize", QM_EOVERSIZE},
      {"words-unknown", QM_EVERSION}, {"words-stored", QM_EFORMAT},
      {"container-flag-2", QM_EFORMAT}, {"times-missing", QM_ETRUNCATED},
      {"ops-no-last", QM_ETRUNCATED}, {"ops-early-last", QM_EMALFORMED},
      {"deps-unused", QM_ETRAILING}, {"deps-cut", QM_ETRUNCATED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    qm_arena arena;
    qm_authors authors;
    qm_batch got;
    qm_buf file = fixture("bad", table[i].name);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    qm_authors_init(&authors, &plain);
    int rc = decode_any(qm_buf_slice(&file), &arena, &authors, &got);
    if (rc != table[i].rc)
      fail_msg("%s: %s instead of %s", table[i].name, qm_err_name(rc), qm_err_name(table[i].rc));
    qm_buf_free(&file);
    qm_authors_free(&authors);
    qm_arena_free(&arena);
  }
}

/* What each field of the first example is, so that a fixture and a codec wrong in the
 * same way are found. S5.18. */
static void example_says_what_it_says(void **state) {
  qm_arena arena;
  qm_authors authors;
  qm_batch got;
  (void)state;
  qm_buf file = fixture("good", "by-creation-dot");
  qm_arena_init(&arena, &plain, SIZE_MAX);
  qm_authors_init(&authors, &plain);
  assert_int_equal(decode_any(qm_buf_slice(&file), &arena, &authors, &got), QM_OK);
  const qm_segment *s = &got.segments[0];
  const qm_change *c = &s->changes[0];
  assert_int_equal(got.n_segments, 1);
  assert_true(s->start == 7 && s->next == 10 && s->has_signature && s->signature[63] == 0xee);
  assert_true(c->time == (UINT64_C(1700000000004) << 16 | 7));
  assert_true(c->n_deps == 1 && c->deps[0].author == 1 && c->deps[0].counter == 6);
  const qm_op *write = &c->ops[0], *remove = &c->ops[1], *append = &c->ops[2];
  assert_true(write->named == QM_BY_CREATION && write->created.author == 1);
  assert_true(write->created.counter == 0 && qm_id_is_zero(&write->record));
  assert_int_equal(write->flags, QM_OP_LISTED | QM_OP_MARKS);
  assert_true(write->dots.n == 1 && write->dots.p[0].counter == 1 && write->dots.p[0].author == 1);
  assert_true(write->marks.n == 1 && write->marks.p[0].counter == 0);
  assert_memory_equal(write->value.p, "\xa3\xe9\x99\x8c", 4);
  assert_true(remove->generation == 2 && remove->dots.n == 2 && remove->value.n == 0);
  assert_true(remove->dots.p[0].counter == 5 && remove->dots.p[1].counter == 2);
  assert_true(remove->dots.p[1].author == 0 && remove->field == 3);
  assert_true(append->named == QM_BY_ID && append->record.b[15] == 0x22);
  assert_true(append->order == c->time + 327674 && append->value.n == 66);
  assert_memory_equal(append->value.p + 32, "00ff", 4);
  qm_buf_free(&file);
  qm_authors_free(&authors);
  qm_arena_free(&arena);
}

/* ---- single rules ---- */

typedef struct bench {
  world w;
  qm_segment s;
  qm_change c;
  qm_salt seed;
  qm_op ops[4];
} bench;

static const uint8_t one[] = {1};

/* One change of writes, to be bent by each test. */
static void bench_init(bench *b, uint32_t n_ops) {
  memset(b, 0, sizeof *b);
  world_init(&b->w, &plain, 1);
  for (uint32_t i = 0; i < n_ops; i++) {
    qm_op op = {.counter = 10 + i, .span = 1, .field = 1, .shape = QM_SIBLINGS};
    op.record = b->w.records[0];
    op.value = qm_slice_of(one, sizeof one);
    b->ops[i] = op;
  }
  b->c.counter = b->s.start = 10;
  b->c.next = b->s.next = 10 + n_ops;
  b->c.time = UINT64_C(1700000000000) << 16;
  b->c.ops = b->ops;
  b->c.n_ops = b->s.n_ops = b->seed.count = n_ops;
  b->s.changes = &b->c;
  b->s.n_changes = b->s.algorithm = 1;
  b->s.salts = &b->seed;
  b->s.n_salts = 1;
}

static int bench_encode(bench *b, qm_batch *got, qm_arena *arena) {
  qm_batch batch = {&b->s, 1};
  qm_buf out;
  qm_buf_init(&out, &plain, QM_BATCH_MAX);
  int rc = qm_batch_encode(&out, &batch, &b->w.authors, 0);
  if (rc) assert_int_equal(out.n, 0);
  if (rc == QM_OK && got) rc = decode(qm_buf_slice(&out), &b->w.authors, arena, got);
  qm_buf_free(&out);
  return rc;
}

/* S5.10: an entry by id serves every op on the record; one by creation dot only ops
 * that name the same dot. */
static void records_by_id_are_reused(void **state) {
  static const struct { uint8_t named[3]; uint64_t dot[3]; uint8_t got[3]; } table[] = {
      {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}, {{0, 1, 1}, {0, 5, 6}, {0, 0, 0}},
      {{1, 0, 1}, {5, 0, 5}, {1, 0, 0}}, {{1, 1, 1}, {5, 6, 5}, {1, 1, 1}},
      {{1, 1, 0}, {5, 5, 0}, {1, 1, 0}},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    bench b;
    qm_arena arena;
    qm_batch got;
    bench_init(&b, 3);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    for (unsigned k = 0; k < 3; k++) {
      b.ops[k].named = table[i].named[k];
      b.ops[k].created.author = 2;
      b.ops[k].created.counter = table[i].dot[k];
    }
    assert_int_equal(bench_encode(&b, &got, &arena), QM_OK);
    for (unsigned k = 0; k < 3; k++) {
      const qm_op *op = &got.segments[0].changes[0].ops[k];
      assert_int_equal(op->named, table[i].got[k]);
      if (op->named == QM_BY_ID) assert_memory_equal(op->record.b, b.ops[k].record.b, QM_ID_SIZE);
      if (op->named == QM_BY_CREATION) assert_true(op->created.counter == table[i].dot[k]);
      if (op->named == QM_BY_CREATION) assert_true(qm_id_is_zero(&op->record));
    }
    qm_arena_free(&arena);
    world_free(&b.w);
  }
}

/* The space record (zero id) and a record that is not resolved (zero id, creation
 * dot) are not one record. */
static void unresolved_is_not_the_space_record(void **state) {
  bench b;
  qm_arena arena;
  qm_batch got;
  (void)state;
  bench_init(&b, 2);
  qm_arena_init(&arena, &plain, SIZE_MAX);
  memset(b.ops[0].record.b, 0, QM_ID_SIZE);
  memset(b.ops[1].record.b, 0, QM_ID_SIZE);
  b.ops[1].named = QM_BY_CREATION;
  b.ops[1].created.counter = 3;
  assert_int_equal(bench_encode(&b, &got, &arena), QM_OK);
  assert_int_equal(got.segments[0].changes[0].ops[0].named, QM_BY_ID);
  assert_int_equal(got.segments[0].changes[0].ops[1].named, QM_BY_CREATION);
  qm_arena_free(&arena);
  world_free(&b.w);
}

static void bend_value(bench *b) { b->ops[1].value.n = 0; }
static void bend_erased(bench *b) { b->ops[1].flags = QM_OP_ERASED; }
static void bend_shape(bench *b) { b->ops[1].shape = QM_SHAPES; }
static void bend_kind(bench *b) { b->ops[1].kind = 2; }
static void bend_flags(bench *b) { b->ops[1].flags = 128; }
static void bend_left(bench *b) { b->ops[1].flags = QM_OP_LEFT; }
static void bend_span(bench *b) { b->ops[1].span = 2; }
static void bend_span_0(bench *b) { b->ops[1].span = 0; }
static void bend_dots(bench *b) {
  static const qm_dot d = {1, 1};
  b->ops[1].dots.p = &d;
  b->ops[1].dots.n = 1;
}
static void bend_cuts(bench *b) {
  static const qm_range r = {1, 1, 1};
  b->ops[1].cuts.p = &r;
  b->ops[1].cuts.n = 1;
}
static void bend_counter(bench *b) { b->ops[1].counter = 12; }
static void bend_next(bench *b) { b->c.next = 13; }
static void bend_segment_next(bench *b) { b->s.next = 13; }
static void bend_n_ops(bench *b) { b->s.n_ops = 3; }
static void bend_change_author(bench *b) { b->c.author = 1; }
static void bend_no_ops(bench *b) { b->c.n_ops = 0; }
static void bend_no_changes(bench *b) { b->s.n_changes = 0; }
static void bend_author(bench *b) { b->s.author = b->c.author = 99; }
static void bend_algorithm(bench *b) { b->s.algorithm = 0; }
static void bend_previous(bench *b) {
  b->s.start = b->c.counter = 0;
  b->ops[0].counter = 0;
  b->ops[1].counter = 1;
  b->s.next = b->c.next = 2;
  b->s.previous[3] = 1;
}
static void bend_no_salts(bench *b) { b->s.n_salts = 0; }
static void bend_salt_count(bench *b) { b->seed.count = 1; }
static void bend_nothing(bench *b) { (void)b; }

/* S4.3, S5.4, S5.5 */
static void encoder_refuses_what_it_cannot_say(void **state) {
  static const struct { void (*bend)(bench *); int rc; } table[] = {
      {bend_nothing, QM_OK},           {bend_value, QM_EMALFORMED},
      {bend_erased, QM_EMALFORMED},    {bend_shape, QM_EMALFORMED},
      {bend_kind, QM_EMALFORMED},      {bend_flags, QM_EMALFORMED},
      {bend_left, QM_EMALFORMED},      {bend_span, QM_EMALFORMED},
      {bend_span_0, QM_EMALFORMED},    {bend_dots, QM_EMALFORMED},
      {bend_cuts, QM_EMALFORMED},      {bend_counter, QM_EMALFORMED},
      {bend_next, QM_EMALFORMED},      {bend_segment_next, QM_EMALFORMED},
      {bend_n_ops, QM_EMALFORMED},     {bend_change_author, QM_EMALFORMED},
      {bend_no_ops, QM_EMALFORMED},    {bend_no_changes, QM_EMALFORMED},
      {bend_author, QM_EINVAL},        {bend_algorithm, QM_EMALFORMED},
      {bend_previous, QM_EMALFORMED},  {bend_no_salts, QM_EMALFORMED},
      {bend_salt_count, QM_EMALFORMED}};
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    bench b;
    bench_init(&b, 2);
    table[i].bend(&b);
    int rc = bench_encode(&b, NULL, NULL);
    if (rc != table[i].rc) fail_msg("case %zu: %s", i, qm_err_name(rc));
    world_free(&b.w);
  }
}

/* S5.8 */
static void times_of_all_kinds_come_back(void **state) {
  static const struct { uint64_t first, second; int rc; } table[] = {
      {UINT64_C(1700000000000) << 16, (UINT64_C(1700000000000) << 16) + 1, QM_OK},
      {(UINT64_C(1700000000000) << 16) + 9, (UINT64_C(1700000000000) << 16) + 300, QM_OK},
      {5, UINT64_MAX, QM_OK},
      {0, 65536, QM_OK},
      {65535, 65536, QM_OK},
      {7, 7, QM_EMALFORMED},
      {9, 8, QM_EMALFORMED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    bench b;
    qm_change changes[2];
    qm_arena arena;
    qm_batch got;
    bench_init(&b, 2);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    changes[0] = changes[1] = b.c;
    changes[0].n_ops = changes[1].n_ops = 1;
    changes[0].next = changes[1].counter = 11;
    changes[1].ops = &b.ops[1];
    changes[0].time = table[i].first;
    changes[1].time = table[i].second;
    b.s.changes = changes;
    b.s.n_changes = 2;
    assert_int_equal(bench_encode(&b, &got, &arena), table[i].rc);
    if (table[i].rc == QM_OK) {
      assert_true(got.segments[0].changes[0].time == table[i].first);
      assert_true(got.segments[0].changes[1].time == table[i].second);
    }
    qm_arena_free(&arena);
    world_free(&b.w);
  }
}

static void reading_needs_a_map_and_an_open(void **state) {
  world w;
  qm_arena arena;
  qm_batch_in in;
  qm_batch got;
  (void)state;
  world_init(&w, &plain, 13);
  qm_arena_init(&arena, &plain, SIZE_MAX);
  qm_batch b = world_batch(&w, 2, 2);
  qm_buf blob = encoded(&b, &w.authors, 0);
  assert_int_equal(qm_batch_open(&in, qm_buf_slice(&blob), &arena), QM_OK);
  assert_int_equal(qm_batch_read(&in, &got), QM_EINVAL);
  assert_int_equal(qm_batch_open(&in, qm_buf_slice(&blob), &arena), QM_OK);
  for (uint32_t i = 0; i < in.n_authors; i++) in.map[i] = i;
  assert_int_equal(qm_batch_read(&in, &got), QM_OK);
  assert_int_equal(qm_batch_read(&in, &got), QM_ESTATE);
  qm_buf_free(&blob);
  qm_arena_free(&arena);
  world_free(&w);
}

/* S5.2: a few bytes that unpack to a megabyte of ops get no memory for them. */
static void a_bomb_is_refused_early(void **state) {
  test_alloc counter = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counter);
  static const uint8_t zeroes[900000];
  qm_buf back, blob;
  qm_arena arena;
  qm_authors authors;
  qm_batch got;
  (void)state;
  qm_buf good = fixture("good", "one-change");
  qm_buf_init(&back, &plain, QM_BATCH_RAW_MAX);
  qm_buf_init(&blob, &plain, QM_BATCH_MAX);
  qm_buf_add(&back, "\x02\x00\x00", 3); /* one form */
  qm_buf_add(&back, "\x03\xc0\xee\x6d", 4); /* one change of 900000 ops */
  qm_buf_add(&back, "\x01\x00\x00", 3);
  qm_buf_varint(&back, sizeof zeroes);
  qm_buf_add(&back, zeroes, sizeof zeroes);
  qm_buf_add(&back, "\x01\x00\x00\x00\x00\x00\x00", 7);
  qm_buf_add(&blob, good.p, 3 + good.p[2]); /* version, flags, front */
  blob.p[1] = 1;
  assert_int_equal(qm_zip(&blob, qm_buf_slice(&back), 3), QM_OK);
  assert_true(blob.n < 400);
  qm_arena_init(&arena, &env, SIZE_MAX);
  qm_authors_init(&authors, &plain);
  assert_int_equal(decode_any(qm_buf_slice(&blob), &arena, &authors, &got), QM_EOVERSIZE);
  assert_true(counter.size_most <= 2 * QM_BATCH_RAW_MAX);
  qm_arena_free(&arena);
  qm_authors_free(&authors);
  qm_buf_free(&good);
  qm_buf_free(&back);
  qm_buf_free(&blob);
  assert_int_equal(counter.live, 0);
}

/* Large batches, with records and forms that no table expects: every op another. */
static void limits(void **state) {
  world w;
  qm_arena arena;
  qm_batch got;
  (void)state;
  world_init(&w, &plain, 3);
  qm_arena_init(&arena, &plain, SIZE_MAX);
  uint32_t n = QM_BATCH_OPS_MAX + 1;
  qm_op *ops = qm_arena_zero(&w.arena, n * sizeof *ops);
  for (uint32_t i = 0; i < n; i++) {
    ops[i].counter = i;
    ops[i].span = 1;
    ops[i].shape = QM_SIBLINGS;
    ops[i].field = (i * 2654435761u) | 1;
    ops[i].record.b[0] = 1;
    ops[i].value = qm_slice_of(one, 1);
  }
  qm_change c = {.next = n, .time = 1, .ops = ops, .n_ops = n};
  qm_salt seed = {0, n, {0}};
  qm_segment s = {.next = n, .changes = &c, .n_changes = 1, .n_ops = n, .salts = &seed,
                  .n_salts = 1, .algorithm = 1};
  qm_batch b = {&s, 1};
  qm_buf out;
  qm_buf_init(&out, &plain, QM_BATCH_MAX);
  assert_int_equal(qm_batch_encode(&out, &b, &w.authors, 1), QM_ELIMIT);
  c.n_ops = s.n_ops = seed.count = n - 1;
  c.next = s.next = n - 1;
  assert_int_equal(qm_batch_encode(&out, &b, &w.authors, 1), QM_OK);
  assert_int_equal(decode(qm_buf_slice(&out), &w.authors, &arena, &got), QM_OK);
  side sent = {&b, &w.authors}, received = {&got, &w.authors};
  assert_null(batch_differs(sent, received));
  /* 16 bytes a record: more than a batch holds before compression. */
  for (uint32_t i = 0; i < n; i++) memcpy(ops[i].record.b + 1, &i, sizeof i);
  size_t before = out.n;
  assert_int_equal(qm_batch_encode(&out, &b, &w.authors, 1), QM_ELIMIT);
  assert_int_equal(out.n, before);
  b.n_segments = QM_BATCH_SEGMENTS_MAX + 1;
  assert_int_equal(qm_batch_encode(&out, &b, &w.authors, 1), QM_ELIMIT);
  b.n_segments = 0;
  assert_int_equal(qm_batch_encode(&out, &b, &w.authors, 1), QM_EINVAL);
  qm_buf_free(&out);
  qm_arena_free(&arena);
  world_free(&w);
}

/* S5.15 */
static void digests_leave_the_columns(void **state) {
  static const char *const texts[] = {
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
      "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
  (void)state;
  for (size_t i = 0; i < 2 * COUNT(texts); i++) {
    bench b;
    qm_arena arena;
    qm_batch got;
    qm_buf v;
    const char *text = texts[i / 2];
    qm_buf_init(&v, &plain, 100);
    if (i % 2) qm_mp_str(&v, text, strlen(text));
    else qm_mp_bin(&v, text, strlen(text) / 2);
    bench_init(&b, 1);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    b.ops[0].value = qm_buf_slice(&v);
    assert_int_equal(bench_encode(&b, &got, &arena), QM_OK);
    assert_int_equal(qm_slice_cmp(got.segments[0].changes[0].ops[0].value, qm_buf_slice(&v)), 0);
    qm_buf_free(&v);
    qm_arena_free(&arena);
    world_free(&b.w);
  }
}

/* Every allocation fails once: an error, nothing leaked, nothing appended. */
static void out_of_memory(void **state) {
  world w;
  (void)state;
  world_init(&w, &plain, 5);
  qm_batch b = world_batch(&w, 30, 12);
  qm_buf blob = encoded(&b, &w.authors, 0);
  for (int reading = 0; reading < 2; reading++) {
    size_t failed = 0;
    for (size_t at = 1;; at++) {
      test_alloc counter = {0, 0, 0, at};
      qm_env env = test_alloc_env(&counter);
      int rc;
      if (reading) {
        qm_arena arena;
        qm_batch got;
        qm_arena_init(&arena, &env, SIZE_MAX);
        rc = decode(qm_buf_slice(&blob), &w.authors, &arena, &got);
        qm_arena_free(&arena);
      } else {
        qm_buf out;
        qm_buf_init(&out, &env, QM_BATCH_MAX);
        rc = qm_batch_encode(&out, &b, &w.authors, 0);
        if (rc) assert_int_equal(out.n, 0);
        qm_buf_free(&out);
      }
      assert_int_equal(counter.live, 0);
      if (rc == QM_OK) break;
      assert_int_equal(rc, QM_ENOMEM);
      failed++;
    }
    assert_true(failed > 3);
  }
  qm_buf_free(&blob);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_batches_come_back),
      cmocka_unit_test(large_batches_come_back),
      cmocka_unit_test(truncation_is_refused),
      cmocka_unit_test(mutations_are_refused_or_whole),
      cmocka_unit_test(good_examples),
      cmocka_unit_test(bad_examples),
      cmocka_unit_test(example_says_what_it_says),
      cmocka_unit_test(records_by_id_are_reused),
      cmocka_unit_test(unresolved_is_not_the_space_record),
      cmocka_unit_test(encoder_refuses_what_it_cannot_say),
      cmocka_unit_test(times_of_all_kinds_come_back),
      cmocka_unit_test(reading_needs_a_map_and_an_open),
      cmocka_unit_test(a_bomb_is_refused_early),
      cmocka_unit_test(limits),
      cmocka_unit_test(digests_leave_the_columns),
      cmocka_unit_test(out_of_memory),
  };
  plain = qm_env_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
