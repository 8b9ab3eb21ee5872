/* What arrives from a peer: every way to be refused, each without a trace and without
 * holding up the rest; waiting, and by whose terms; what the log keeps of a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "core/mp.h"
#include "support_engine.h"
#define ok(call) assert_int_equal(call, QM_OK)

static rig w;
static forge f;
static dev *A, *B, *H;
static uint32_t X, Y; /* authors made by hand, of devices 'x' and 'y' */

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  B = &w.d[1];
  H = &w.d[2];
  forge_open(&f, &w);
  X = forge_author(&f, 'x', 1);
  Y = forge_author(&f, 'y', 1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  forge_close(&f);
  rig_close(&w);
  return 0;
}

static qm_id device_id(uint8_t tag) { return (qm_id){{tag}}; }

static qm_ingest from(uint8_t device) { return (qm_ingest){.peer = device_id(device)}; }

static qm_op tel_of(const char *r, const char *text) {
  return (qm_op){
      .record = rec(r), .field = F_TEL, .shape = QM_SIBLINGS, .value = text_value(&w, text)};
}

/* As a hub: by signature, schema and role. */
static qm_ingest judged(uint8_t device) {
  return (qm_ingest){.peer = device_id(device),
                     .check_author = 1,
                     .check_schema = 1,
                     .role = qm_slice_of("grid", 4)};
}

static void give(dev *d, qm_segment g) {
  qm_ingest in = from(0);
  ok(take(d, forge_batch(&f, &g, 1), &in));
  if (in.n_refusals) fail_msg("refused: %s", in.refusals[0].message);
  assert_int_equal(in.taken, 1);
}

/* Refused alone, and in a batch in which Y's segment goes on. */
static void refused(dev *d, qm_segment g, qm_ingest in, int code) {
  standing before = standing_of(d);
  qm_author id = f.authors.ids[g.author];
  qm_ingest again = in;
  ok(take(d, forge_batch(&f, &g, 1), &in));
  assert_int_equal(in.taken + in.known + in.parked, 0);
  assert_int_equal(in.n_refusals, 1);
  assert_int_equal(in.refusals[0].code, code);
  assert_int_equal(in.refusals[0].counter, g.start);
  assert_int_equal(qm_author_cmp(&in.refusals[0].author, &id), 0);
  assert_true(in.refusals[0].message[0] != 0);
  stands_as(d, &before);
  uint32_t n = forge_author(&f, 'z', (uint32_t)rig_random(&w));
  qm_segment pair[] = {g, forge_new(&f, n, "Z")};
  again.check_author = again.check_schema = 0;
  if (in.check_author || in.check_schema) return; /* Z's device is not the peer */
  ok(take(d, forge_batch(&f, pair, 2), &again));
  assert_int_equal(again.n_refusals, 1);
  assert_int_equal(again.taken, 1);
  check_memory(d);
}

static void takes_and_knows(void **state) {
  (void)state;
  qm_segment g[] = {forge_new(&f, X, "R"), forge_write(&f, X, "R", F_TEL, "1")};
  qm_slice batch = forge_batch(&f, g, 2);
  qm_ingest in = from('x'), twice = from('x');
  ok(take(A, batch, &in));
  assert_int_equal(in.taken, 2);
  assert_int_equal(in.ops, 2);
  assert_string_equal(shown(A, "R", F_TEL), "1");
  standing before = standing_of(A);
  ok(take(A, batch, &twice));
  assert_int_equal(twice.taken, 0);
  assert_int_equal(twice.known, 2);
  stands_as(A, &before);
  qm_ingest closed = from('x');
  assert_int_equal(qm_engine_ingest(A->engine, A->space, batch, &closed, &w.arena, NULL),
                   QM_ESTATE);
}

/* The caller goes on with its transaction, so nothing may have stayed of such a batch. */
static void unreadable(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "Q"));
  qm_segment g[] = {forge_new(&f, Y, "R"), forge_write(&f, Y, "R", F_TEL, "some text")};
  qm_slice batch = forge_batch(&f, g, 2);
  uint8_t *bytes = qm_arena_copy(&w.arena, batch.p, batch.n);
  standing before = standing_of(A);
  ok(qm_engine_begin(A->engine));
  for (size_t n = 0; n < batch.n; n++) {
    qm_ingest in = from('y');
    assert_int_not_equal(
        qm_engine_ingest(A->engine, A->space, qm_slice_of(bytes, n), &in, &w.arena, NULL), QM_OK);
    assert_int_equal(in.taken + in.parked + in.n_refusals, 0);
    assert_int_equal(A->space->authors.n, before.authors);
  }
  size_t huge = QM_BATCH_MAX + 1;
  uint8_t *much = calloc(1, huge);
  assert_non_null(much);
  much[0] = 1;
  qm_ingest in = from('y');
  assert_int_equal(
      qm_engine_ingest(A->engine, A->space, qm_slice_of(much, huge), &in, &w.arena, NULL),
      QM_EOVERSIZE);
  free(much);
  bytes[0] = 3;
  assert_int_equal(
      qm_engine_ingest(A->engine, A->space, qm_slice_of(bytes, batch.n), &in, &w.arena, NULL),
      QM_EVERSION);
  ok(qm_engine_commit(A->engine, QM_DURABLE, NULL, NULL));
  stands_as(A, &before);
}

/* One byte changed anywhere: an error, a refusal, or (in a signature's flag, a level of
 * zstd) the same change; never anything half. */
static void garbage(void **state) {
  (void)state;
  qm_segment g[] = {forge_new(&f, X, "R"), forge_write(&f, X, "R", F_TEL, "some text")};
  qm_slice batch = forge_batch(&f, g, 2);
  uint8_t *bytes = qm_arena_copy(&w.arena, batch.p, batch.n);
  standing before = standing_of(A);
  for (size_t i = 0; i < batch.n; i++)
    for (unsigned bit = 0; bit < 8; bit++) {
      qm_ingest in = from('x');
      bytes[i] = (uint8_t)(batch.p[i] ^ 1u << bit);
      ok(qm_engine_begin(A->engine));
      int rc =
          qm_engine_ingest(A->engine, A->space, qm_slice_of(bytes, batch.n), &in, &w.arena, NULL);
      if (rc != QM_OK || !in.taken) {
        assert_int_equal(A->space->authors.n, before.authors);
        assert_true(rc != QM_OK || in.n_refusals || in.parked);
      }
      qm_engine_rollback(A->engine);
      qm_id peer = device_id('x');
      qm_engine_unpark(A->engine, &peer, 0);
      bytes[i] = batch.p[i];
    }
  stands_as(A, &before);
}

static void gaps(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  (void)forge_write(&f, X, "R", F_TEL, "missing");
  qm_segment late = forge_write(&f, X, "R", F_TEL, "late");
  refused(A, late, from('x'), QM_EGAP);
  /* What follows a refused segment is not looked at. */
  qm_segment g[] = {late, forge_write(&f, X, "R", F_TEL, "later"), forge_new(&f, Y, "Q")};
  qm_ingest in = from('x');
  ok(take(A, forge_batch(&f, g, 3), &in));
  assert_int_equal(in.n_refusals, 1);
  assert_int_equal(in.taken, 1);
  assert_string_equal(shown(A, "R", F_TEL), "-");
}

static void forks(void **state) {
  (void)state;
  struct forge_chain start = f.chains[X], second;
  give(A, forge_new(&f, X, "R"));
  second = f.chains[X];
  give(A, forge_write(&f, X, "R", F_TEL, "one"));
  /* The same dot with other content. */
  f.chains[X] = second;
  refused(A, forge_write(&f, X, "R", F_TEL, "two"), from('x'), QM_EFORK);
  /* Another `previous`: a continuation of the other branch. */
  refused(A, forge_write(&f, X, "R", F_TEL, "three"), from('x'), QM_EFORK);
  /* A segment that the receiver stands inside of. */
  f.chains[X] = second;
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  for (int i = 0; i < 2; i++) forge_op(&f, tel_of("R", "both"));
  refused(A, forge_seal(&f), from('x'), QM_EFORK);
  f.chains[X] = start;
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  for (int i = 0; i < 9; i++) forge_op(&f, (qm_op){.record = rec("R"), .value = int_value(&w, 1)});
  refused(A, forge_seal(&f), from('x'), QM_EFORK);
  assert_string_equal(shown(A, "R", F_TEL), "one");
}

static int verified;
static int verify(void *payload, const qm_id *device, const uint8_t digest[32],
                  const uint8_t signature[64]) {
  (void)payload;
  (void)digest;
  verified++;
  if (device->b[0] != 'y') return QM_ENOTFOUND;
  return signature[0] == 's' ? QM_OK : QM_EHASH;
}

static void authors_need_a_signature(void **state) {
  (void)state;
  qm_segment g = forge_new(&f, Y, "R");
  refused(H, g, judged('x'), QM_EFORGED);
  qm_ingest in = judged('x');
  in.verify = verify, verified = 0;
  refused(H, g, in, QM_EFORGED);
  assert_int_equal(verified, 0); /* there is none */
  g.has_signature = 1, g.signature[0] = 'w';
  refused(H, g, in, QM_EFORGED);
  in.verify = NULL;
  refused(H, g, in, QM_EFORGED);
  in.verify = verify;
  refused(H, (f.chains[X].next = 0, g = forge_new(&f, X, "R"), g.has_signature = 1, g),
          (qm_ingest){.peer = device_id('y'), .check_author = 1, .verify = verify}, QM_EFORGED);
  f.chains[Y] = (struct forge_chain){.time = f.chains[Y].time};
  g = forge_new(&f, Y, "R");
  g.has_signature = 1, g.signature[0] = 's';
  ok(take(H, forge_batch(&f, &g, 1), &in));
  /* Also where its own device brings it, or all who get it from here would be stopped. */
  struct forge_chain at = f.chains[Y];
  in = judged('y');
  in.verify = verify;
  refused(H, (g = forge_write(&f, Y, "R", F_TEL, "1"), g.has_signature = 1, g), in, QM_EFORGED);
  f.chains[Y] = at;
  refused(H, g = forge_write(&f, Y, "R", F_TEL, "1"), in, QM_EFORGED);
  g.has_signature = 1, g.signature[0] = 's';
  ok(take(H, forge_batch(&f, &g, 1), &in));
  assert_int_equal(in.taken, 1);
}

static void hashes(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  struct forge_chain at = f.chains[X];
  qm_segment g = forge_write(&f, X, "R", F_TEL, "1"), h = g;
  h.head[7] ^= 1;
  refused(A, h, from('x'), QM_EHASH);
  h = g;
  h.previous[0] ^= 1;
  refused(A, h, from('x'), QM_EFORK);
  /* The eight bytes of `previous` that travel match, the hash behind them does not. */
  f.chains[X] = at;
  qm_hash other = at.head;
  other.b[31] ^= 1;
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  forge_op(&f, tel_of("R", "2"));
  refused(A, forge_hash(&f, f.seg, &other), from('x'), QM_EHASH);
  /* Made for another space. */
  f.chains[X] = at;
  f.space.b[3] ^= 1;
  g = forge_write(&f, X, "R", F_TEL, "1");
  f.space.b[3] ^= 1;
  refused(A, g, from('x'), QM_EHASH);
}

static void times_rise(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  struct forge_chain at = f.chains[X];
  for (unsigned back = 1; back < 3; back++) {
    f.chains[X] = at;
    f.chains[X].time = at.time - back * 65536;
    refused(A, forge_write(&f, X, "R", F_TEL, "1"), from('x'), QM_EMALFORMED);
  }
}

static qm_segment depending(uint32_t author, qm_dot dep, const char *text) {
  forge_begin(&f, author);
  forge_change(&f, &dep, 1);
  forge_op(&f, tel_of("R", text));
  return forge_seal(&f);
}

static void dependencies_move(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  give(A, forge_write(&f, X, "R", F_TEL, "1"));
  give(A, depending(Y, (qm_dot){2, X}, "2"));
  struct forge_chain at = f.chains[Y];
  for (uint64_t to = 1; to <= 2; to++) {
    f.chains[Y] = at;
    refused(A, depending(Y, (qm_dot){to, X}, "3"), from('y'), QM_EMALFORMED);
  }
  assert_string_equal(shown(A, "R", F_TEL), "2");
}

static void waits_for_dependencies(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  qm_segment first = forge_write(&f, X, "R", F_TEL, "1");
  qm_segment second = depending(Y, (qm_dot){2, X}, "2"), third = forge_new(&f, Y, "Q");
  standing before = standing_of(A);
  qm_ingest in = from('y');
  ok(take(A, forge_batch(&f, &second, 1), &in));
  assert_int_equal(in.parked, 1);
  assert_int_equal(in.taken + in.n_refusals, 0);
  stands_as(A, &before);
  in = from('y'); /* what follows it waits as well */
  ok(take(A, forge_batch(&f, &third, 1), &in));
  assert_int_equal(in.parked, 1);
  stands_as(A, &before);
  in = from('x');
  ok(take(A, forge_batch(&f, &first, 1), &in));
  assert_int_equal(in.taken, 3);
  assert_int_equal(in.parked, 0);
  assert_null(A->space->parked);
  assert_string_equal(shown(A, "R", F_TEL), "2");
  assert_true(visible(A, "Q"));
  check_memory(A);
  pull(B, A); /* and is handed on in an order that the next can take */
  assert_string_equal(shown(B, "R", F_TEL), "2");
}

/* Both in one batch, the dependency last. */
static void waits_within_a_batch(void **state) {
  (void)state;
  qm_segment n = forge_new(&f, X, "R");
  qm_segment g[] = {depending(Y, (qm_dot){1, X}, "2"), n};
  qm_ingest in = from('x');
  ok(take(A, forge_batch(&f, g, 2), &in));
  assert_int_equal(in.taken, 2);
  assert_null(A->space->parked);
  assert_string_equal(shown(A, "R", F_TEL), "2");
  pull(B, A);
  assert_string_equal(shown(B, "R", F_TEL), "2");
}

static void parked_ends_with_its_session(void **state) {
  (void)state;
  qm_id y = device_id('y'), x = device_id('x');
  qm_segment first = forge_new(&f, X, "R"), second = depending(Y, (qm_dot){1, X}, "2");
  qm_ingest in = from('y');
  ok(take(A, forge_batch(&f, &second, 1), &in));
  qm_engine_unpark(A->engine, &x, 0);
  assert_non_null(A->space->parked);
  qm_engine_unpark(A->engine, &y, 0);
  assert_null(A->space->parked);
  give(A, first);
  assert_string_equal(shown(A, "R", F_TEL), "-");
  give(A, second);
  assert_string_equal(shown(A, "R", F_TEL), "2");
}

/* A parked segment is judged by the session that brought it, not by the one that fills
 * the gap: neither can lend the other its name or its role. */
static void parked_by_its_own_terms(void **state) {
  (void)state;
  qm_segment first = forge_new(&f, X, "R"), second = depending(Y, (qm_dot){1, X}, "2");
  qm_ingest in = judged('y');
  ok(take(H, forge_batch(&f, &second, 1), &in));
  assert_int_equal(in.parked, 1);
  in = judged('x');
  ok(take(H, forge_batch(&f, &first, 1), &in));
  assert_int_equal(in.n_refusals, 0);
  assert_int_equal(in.taken, 2);
  assert_int_equal(qm_id_cmp(&in.peer, &(qm_id){{'x'}}), 0);
  /* X's name on a segment that Y's session brought */
  uint32_t x2 = forge_author(&f, 'x', 2);
  qm_segment next = forge_write(&f, X, "R", F_TEL, "3");
  qm_segment forged = depending(x2, (qm_dot){2, X}, "forged");
  in = judged('y');
  ok(take(H, forge_batch(&f, &forged, 1), &in));
  assert_int_equal(in.parked, 1);
  in = judged('x');
  ok(take(H, forge_batch(&f, &next, 1), &in));
  assert_int_equal(in.taken, 1);
  assert_int_equal(in.n_refusals, 1);
  assert_int_equal(in.refusals[0].code, QM_EFORGED);
  check_memory(H);
}

static qm_segment big(uint32_t author, qm_dot dep, unsigned i) {
  static char text[60001];
  for (unsigned k = 0; k < sizeof text - 1; k++) text[k] = (char)('a' + rig_below(&w, 26));
  (void)i;
  return depending(author, dep, text);
}

static void parked_is_bounded(void **state) {
  (void)state;
  qm_segment first = forge_new(&f, X, "R");
  size_t most = 0;
  for (unsigned i = 0; i < 140; i++) {
    qm_segment g = big(forge_author(&f, 'y', 100 + i), (qm_dot){1, X}, i);
    qm_ingest in = from('y');
    ok(take(A, forge_batch(&f, &g, 1), &in));
    assert_int_equal(in.parked, 1);
    size_t held = 0;
    for (qm_parked *p = A->space->parked; p; p = p->next) held += p->batch.n;
    if (held > most) most = held;
  }
  assert_true(most > QM_PARKED_BYTES_MAX / 2 && most <= QM_PARKED_BYTES_MAX);
  qm_ingest in = from('x');
  ok(take(A, forge_batch(&f, &first, 1), &in));
  assert_true(in.taken > 10 && in.taken < 140);
  /* What was let go is no gap in what follows it. */
  uint32_t lost = forge_author(&f, 'y', 100 + 139);
  qm_segment after = forge_write(&f, lost, "R", F_HEAD, "h");
  in = from('y');
  ok(take(A, forge_batch(&f, &after, 1), &in));
  assert_int_equal(in.n_refusals, 0);
  qm_id y = device_id('y');
  qm_engine_unpark(A->engine, &y, 0);
  refused(A, after, from('y'), QM_EGAP);
}

/* Small on the wire, large when read: counted as what reading it costs. */
static void parked_counts_ops(void **state) {
  (void)state;
  (void)forge_new(&f, X, "R");
  unsigned held = 0;
  for (unsigned i = 0; i < 10; i++) {
    uint32_t a = forge_author(&f, 'y', 100 + i);
    qm_dot dep = {1, X};
    forge_begin(&f, a);
    forge_change(&f, &dep, 1);
    for (unsigned k = 0; k < 30000; k++)
      forge_op(&f, (qm_op){.record = rec("R"),
                           .field = F_VISITS,
                           .shape = QM_TOTALS,
                           .value = int_value(&w, 1)});
    qm_segment g = forge_seal(&f);
    qm_ingest in = from('y');
    ok(take(A, forge_batch(&f, &g, 1), &in));
  }
  for (qm_parked *p = A->space->parked; p; p = p->next) held += p->batch.n != 0;
  assert_true(held >= 1 && held <= 3);
}

typedef struct naming {
  const char *what;
  qm_op op;
} naming;

/* [34] An op names only what its writer's context covers: no two can name each other's. */
static void names_what_was_not_seen(void **state) {
  static qm_dot dots[] = {{0, 0}, {0, 0}};
  static qm_range range = {1, 2, 0};
  (void)state;
  give(A, forge_new(&f, X, "R"));
  give(A, forge_write(&f, X, "R", F_TEL, "seen"));
  give(A, forge_write(&f, X, "R", F_TEL, "not seen"));
  give(A, depending(Y, (qm_dot){2, X}, "here"));
  dots[1] = (qm_dot){2, X};
  dots[0] = (qm_dot){1, X};
  range.author = X;
  const qm_dots list = {dots, 2};
  const qm_slice v = text_value(&w, "v");
  const naming cases[] = {
      {"dots",
       {.field = F_TEL, .shape = QM_SIBLINGS, .flags = QM_OP_LISTED, .value = v, .dots = list}},
      {"marks",
       {.field = F_TEL, .shape = QM_SIBLINGS, .flags = QM_OP_MARKS, .value = v, .marks = list}},
      {"hides",
       {.field = F_TEL, .shape = QM_SIBLINGS, .flags = QM_OP_NAMES, .value = v, .hides = list}},
      {"keeps",
       {.field = F_TEL, .shape = QM_SIBLINGS, .flags = QM_OP_NAMES, .value = v, .keeps = list}},
      {"removed", {.field = F_TAGS, .shape = QM_KEYED, .kind = QM_KIND_REMOVE, .dots = list}},
      {"added",
       {.field = F_TAGS, .shape = QM_KEYED, .flags = QM_OP_LISTED, .value = v, .dots = list}},
      {"cuts", {.field = F_NOTES, .shape = QM_SEQUENCE, .kind = QM_KIND_CUT, .cuts = {&range, 1}}},
      {"trims",
       {.field = F_NOTES, .shape = QM_SEQUENCE, .kind = QM_KIND_TRIM, .cuts = {&range, 1}}},
      {"parent", {.field = F_NOTES, .shape = QM_SEQUENCE, .value = v, .parent = {2, X}}},
      {"created",
       {.field = F_TEL,
        .shape = QM_SIBLINGS,
        .value = v,
        .named = QM_BY_CREATION,
        .created = {2, X}}},
      {"no creation",
       {.field = F_TEL,
        .shape = QM_SIBLINGS,
        .value = v,
        .named = QM_BY_CREATION,
        .created = {1, X}}},
      {"own future",
       {.field = F_TEL,
        .shape = QM_SIBLINGS,
        .flags = QM_OP_LISTED,
        .value = v,
        .dots = {&(qm_dot){1, Y}, 1}}},
  };
  const struct forge_chain at = f.chains[Y];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    qm_op op = cases[i].op;
    f.chains[Y] = at;
    forge_begin(&f, Y);
    forge_change(&f, NULL, 0);
    op.record = rec("R");
    forge_op(&f, op);
    refused(A, forge_seal(&f), from('y'), QM_EMALFORMED);
  }
}

/* Known here, but not to its author. */
static void named_by_a_creation_not_seen(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  forge_begin(&f, Y);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.record = rec("R"),
                       .field = F_TEL,
                       .shape = QM_SIBLINGS,
                       .value = text_value(&w, "t"),
                       .named = QM_BY_CREATION,
                       .created = {0, X}});
  refused(A, forge_seal(&f), from('y'), QM_EMALFORMED);
}

/* What an op names of its own change's earlier ops, it has seen. */
static void names_its_own_change(void **state) {
  (void)state;
  give(A, forge_new(&f, X, "R"));
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  qm_op op = {.record = rec("R"), .field = F_TEL, .shape = QM_SIBLINGS};
  op.value = text_value(&w, "1");
  forge_op(&f, op);
  op.value = text_value(&w, "2");
  op.flags = QM_OP_LISTED;
  op.dots = (qm_dots){&(qm_dot){1, X}, 1};
  forge_op(&f, op);
  give(A, forge_seal(&f));
  assert_string_equal(shown(A, "R", F_TEL), "2");
  assert_string_equal(listed(A, "R", F_TEL), "");
  /* Named by the creation dot of an earlier segment of the same batch. */
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  forge_op(&f, (qm_op){.record = rec("R"),
                       .field = F_TEL,
                       .shape = QM_SIBLINGS,
                       .value = text_value(&w, "3"),
                       .named = QM_BY_CREATION,
                       .created = {0, X}});
  give(A, forge_seal(&f));
  assert_string_equal(shown(A, "R", F_TEL), "3");
}

static void hub_takes(uint8_t device, qm_segment g) {
  qm_ingest in = judged(device);
  ok(take(H, forge_batch(&f, &g, 1), &in));
  if (in.n_refusals) fail_msg("refused: %s", in.refusals[0].message);
  assert_int_equal(in.taken, 1);
}

static qm_segment one_op(uint32_t author, qm_op op) {
  forge_begin(&f, author);
  forge_change(&f, NULL, 0);
  forge_op(&f, op);
  return forge_seal(&f);
}

static void schema_and_roles(void **state) {
  (void)state;
  hub_takes('x', forge_new(&f, X, "R"));
  const struct forge_chain at = f.chains[X];
  const qm_op bad[] = {
      {.record = rec("R"), .field = F_TEL, .shape = QM_SIBLINGS, .value = int_value(&w, 1)},
      {.record = rec("R"), .field = F_TEL, .shape = QM_KEYED, .value = text_value(&w, "t")},
      {.record = rec("R"), .field = F_STATE, .shape = QM_SIBLINGS, .value = text_value(&w, "no")},
      {.record = rec("R"), .field = F_TAGS, .shape = QM_KEYED, .value = int_value(&w, 1)},
      {.record = rec("R"), .field = F_STEPS, .shape = QM_ENTRIES, .value = int_value(&w, 1)},
      {.record = rec("nobody's"),
       .field = F_TEL,
       .shape = QM_SIBLINGS,
       .value = text_value(&w, "t")},
      {.record = rec("nobody's"), .field = 0, .shape = QM_PRESENCE, .kind = QM_KIND_RESTORE},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    f.chains[X] = at;
    refused(H, one_op(X, bad[i]), judged('x'), QM_ESCHEMA);
  }
  f.chains[X] = at;
  refused(
      H, one_op(X, (qm_op){.field = QM_SPACE_STAMPS, .shape = QM_KEYED, .value = int_value(&w, 1)}),
      judged('x'), QM_EACCESS);
  f.chains[X] = at;
  /* What the schema does not know passes. */
  hub_takes('x', one_op(X, (qm_op){.record = rec("R"),
                                   .field = 999,
                                   .shape = QM_SIBLINGS,
                                   .value = int_value(&w, 1)}));
  hub_takes('x', one_op(X, (qm_op){.record = rec("S"), .value = int_value(&w, 77)}));
  hub_takes('x', one_op(X, (qm_op){.record = rec("S"),
                                   .field = F_TEL,
                                   .shape = QM_SIBLINGS,
                                   .value = int_value(&w, 1)}));
  /* Written before it is created in the same segment: judged by that creation. */
  forge_begin(&f, X);
  forge_change(&f, NULL, 0);
  forge_op(
      &f,
      (qm_op){.record = rec("T"), .field = F_TEL, .shape = QM_SIBLINGS, .value = int_value(&w, 1)});
  forge_op(&f, (qm_op){.record = rec("T"), .value = int_value(&w, 1)});
  refused(H, forge_seal(&f), judged('x'), QM_ESCHEMA);
}

/* The rig's schema with a second collection that only the office writes. */
static void add_office(dev *d) {
  qm_arena arena;
  const qm_schema *held;
  qm_buf b;
  qm_error e = {0, ""};
  static const qm_slice writers[] = {{(const uint8_t *)"office", 6}};
  qm_arena_init(&arena, &d->env, 1u << 20);
  ok(qm_schema_load(&held, qm_buf_slice(&w.schema), &arena, &e));
  qm_schema s = *held;
  qm_collection_def c[2] = {held->collections[0], held->collections[0]};
  c[1].number = 2;
  c[1].name = qm_slice_of("fund", 4);
  c[1].key_field = 0;
  c[1].writers = writers;
  c[1].n_writers = 1;
  s.version = 2;
  s.collections = c;
  s.n_collections = 2;
  if (qm_schema_check(&s, &e) != QM_OK) fail_msg("%s", e.message);
  qm_buf_init(&b, &d->env, 1u << 20);
  qm_schema_encode(&s, &b);
  qm_space_info info;
  qm_space_info_get(d->space, &info);
  info.schema = qm_buf_slice(&b);
  ok(qm_engine_space_put(d->engine, &info, &e));
  qm_buf_free(&b);
  qm_arena_free(&arena);
}

static void roles_by_collection(void **state) {
  (void)state;
  add_office(H);
  struct forge_chain at = f.chains[X];
  refused(H, one_op(X, (qm_op){.record = rec("F"), .value = int_value(&w, 2)}), judged('x'),
          QM_EACCESS);
  f.chains[X] = at;
  qm_ingest office = judged('x');
  office.role = qm_slice_of("office", 6);
  qm_segment g = one_op(X, (qm_op){.record = rec("F"), .value = int_value(&w, 2)});
  ok(take(H, forge_batch(&f, &g, 1), &office));
  assert_int_equal(office.taken, 1);
  qm_dot dep = {1, X};
  forge_begin(&f, Y);
  forge_change(&f, &dep, 1);
  forge_op(&f, tel_of("F", "t"));
  refused(H, forge_seal(&f), judged('y'), QM_EACCESS);
  /* Nor by a second `new` that says another collection, nor into the office's. */
  f.chains[Y].next = 0;
  f.chains[Y].head = (qm_hash){{0}};
  forge_begin(&f, Y);
  forge_change(&f, &dep, 1);
  forge_op(&f, (qm_op){.record = rec("F"), .value = int_value(&w, 1)});
  refused(H, forge_seal(&f), judged('y'), QM_EACCESS);
  hub_takes('y', (f.chains[Y].next = 0, f.chains[Y].head = (qm_hash){{0}}, forge_new(&f, Y, "R")));
  refused(H, one_op(Y, (qm_op){.record = rec("R"), .value = int_value(&w, 2)}), judged('y'),
          QM_EACCESS);
}

/* A segment parked by a session of lesser rights stays one. */
static void parked_by_its_own_role(void **state) {
  (void)state;
  add_office(H);
  qm_ingest office = judged('x'), grid = judged('y');
  office.role = qm_slice_of("office", 6);
  qm_segment fund = one_op(X, (qm_op){.record = rec("F"), .value = int_value(&w, 2)});
  qm_dot dep = {1, X};
  forge_begin(&f, Y);
  forge_change(&f, &dep, 1);
  forge_op(&f, tel_of("F", "t"));
  qm_segment g = forge_seal(&f);
  ok(take(H, forge_batch(&f, &g, 1), &grid));
  assert_int_equal(grid.parked, 1);
  ok(take(H, forge_batch(&f, &fund, 1), &office));
  assert_int_equal(office.taken, 1);
  assert_int_equal(office.n_refusals, 1);
  assert_int_equal(office.refusals[0].code, QM_EACCESS);
  assert_int_equal(office.role.n, 6);
  assert_string_equal(shown(H, "F", F_TEL), "-");
}

static int was_refused(void *payload, const qm_author *author) {
  return qm_author_cmp(payload, author) == 0;
}

static void refused_before(void **state) {
  (void)state;
  qm_segment g[] = {forge_new(&f, X, "R"), forge_new(&f, Y, "Q")};
  standing before = standing_of(A);
  qm_ingest in = from('x');
  in.refused = was_refused;
  in.payload = &f.authors.ids[X];
  ok(take(A, forge_batch(&f, g, 1), &in));
  assert_int_equal(in.taken + in.n_refusals + in.parked, 0);
  stands_as(A, &before);
  ok(take(A, forge_batch(&f, g, 2), &in));
  assert_int_equal(in.taken, 1);
  assert_false(visible(A, "R"));
  assert_true(visible(A, "Q"));
  check_memory(A);
}

static void strangers_do_not_fill_the_table(void **state) {
  (void)state;
  qm_segment *g = calloc(900, sizeof *g);
  assert_non_null(g);
  for (uint32_t i = 0; i < 900; i++) {
    g[i] = forge_new(&f, forge_author(&f, 'x', 1000 + i), "R");
    g[i].head[0] ^= 1;
  }
  standing before = standing_of(A);
  qm_ingest in = from('x');
  ok(take(A, forge_batch(&f, g, 900), &in));
  assert_int_equal(in.n_refusals, 900);
  stands_as(A, &before);
  /* Those that a taken segment's neighbours name go as well, where it came first. */
  qm_segment good = forge_new(&f, X, "R"), save = g[0];
  g[0] = good;
  in = from('x');
  ok(take(A, forge_batch(&f, g, 900), &in));
  assert_int_equal(in.taken, 1);
  assert_int_equal(A->space->authors.n, before.authors + 1);
  check_memory(A);
  g[0] = save;
  free(g);
}

/* What is taken of a batch rests, and goes on, as a batch of its own. */
static void partly_taken(void **state) {
  (void)state;
  uint32_t z = forge_author(&f, 'z', 1);
  qm_segment bad = forge_new(&f, Y, "Q");
  bad.head[2] ^= 1;
  qm_segment x1 = forge_new(&f, X, "R"), x2 = forge_write(&f, X, "R", F_TEL, "x");
  qm_segment g[] = {x1, bad, x2, forge_new(&f, z, "S")};
  qm_ingest in = from('x');
  ok(take(A, forge_batch(&f, g, 4), &in));
  assert_int_equal(in.taken, 3);
  assert_int_equal(in.n_refusals, 1);
  check_memory(A);
  qm_slice log[4];
  assert_int_equal(log_of(A, (qm_vv_list){NULL, 0}, log, 4), 1);
  qm_batch_in head;
  ok(qm_batch_heads(log[0], &w.arena, &head));
  assert_int_equal(head.n_segments, 3);
  assert_int_equal(pull(B, A), 3);
  assert_string_equal(shown(B, "R", F_TEL), "x");
  check_memory(B);
  /* A peer that has one of them gets the others. */
  qm_vv_entry have = {.author = f.authors.ids[X], .next = 2};
  memcpy(have.head, x2.head, QM_HEAD_SIZE);
  assert_int_equal(log_of(A, (qm_vv_list){&have, 1}, log, 4), 1);
  ok(qm_batch_heads(log[0], &w.arena, &head));
  assert_int_equal(head.n_segments, 1);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(takes_and_knows),
      T(unreadable),
      T(garbage),
      T(gaps),
      T(forks),
      T(authors_need_a_signature),
      T(hashes),
      T(times_rise),
      T(dependencies_move),
      T(waits_for_dependencies),
      T(waits_within_a_batch),
      T(parked_ends_with_its_session),
      T(parked_by_its_own_terms),
      T(parked_is_bounded),
      T(parked_counts_ops),
      T(names_what_was_not_seen),
      T(named_by_a_creation_not_seen),
      T(names_its_own_change),
      T(schema_and_roles),
      T(roles_by_collection),
      T(parked_by_its_own_role),
      T(refused_before),
      T(strangers_do_not_fill_the_table),
      T(partly_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
