#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/sequence.h"
#include "core/mp.h"
#include "tests/unit/support_alloc.h"

/* One replica's cell and what three authors have written; everyone sees everything
 * unless a test says otherwise. Local numbers 0, 1, 2 stand for ids 'A', 'B', 'C'. */
typedef struct desk {
  qm_env env;
  qm_arena arena;
  qm_authors authors;
  qm_vv vv;
  qm_cell cell;
  int puts_off; /* ops, until the cell settles */
} desk;

static void open_on(desk *d, qm_env env) {
  memset(d, 0, sizeof *d);
  d->env = env;
  qm_arena_init(&d->arena, &d->env, SIZE_MAX);
}

static int seat_authors(desk *d) {
  qm_authors_init(&d->authors, &d->env);
  for (uint32_t i = 0; i < 3; i++) {
    qm_author id;
    uint32_t number;
    memset(&id, 'A' + (int)i, sizeof id);
    QM_TRY(qm_authors_add(&d->authors, &id, &number));
    QM_TRY(qm_vv_set(&d->env, &d->vv, i, 1));
  }
  return QM_OK;
}

static void open(desk *d) {
  open_on(d, qm_env_default());
  assert_int_equal(seat_authors(d), QM_OK);
}

static void close(desk *d) {
  qm_vv_free(&d->env, &d->vv);
  qm_authors_free(&d->authors);
  qm_arena_free(&d->arena);
}

static int write_op(desk *d, uint32_t author, qm_op op) {
  qm_change change = {.author = author};
  qm_apply a = {&d->authors, &d->vv, &change, &d->arena};
  op.shape = QM_SEQUENCE;
  if (!op.counter) op.counter = d->vv.next[author];
  if (!op.span) op.span = 1;
  change.counter = op.counter;
  if (d->puts_off)
    QM_TRY(qm_sequence_apply_later(&d->cell, &a, &op));
  else
    QM_TRY(qm_shape_sequence.apply(&d->cell, &a, &op));
  return qm_vv_set(&d->env, &d->vv, author, op.counter + op.span);
}

static qm_slice str(desk *d, const char *text) {
  qm_buf b;
  qm_slice none = {NULL, 0};
  qm_buf_init(&b, &d->env, 1u << 20);
  qm_mp_str(&b, text, strlen(text));
  void *p = qm_buf_status(&b) ? NULL : qm_arena_copy(&d->arena, b.p, b.n);
  qm_slice s = p ? qm_slice_of(p, b.n) : none;
  qm_buf_free(&b);
  return s;
}

static uint64_t points(const char *text) {
  uint64_t n = 0;
  for (; *text; text++) n += (*text & 0xc0) != 0x80;
  return n;
}

static int type(desk *d, uint32_t author, uint64_t at, const char *text) {
  qm_op op = {.kind = QM_KIND_INSERT, .span = points(text)};
  op.value = str(d, text);
  if (!op.value.n) return QM_ENOMEM;
  QM_TRY(qm_sequence_place(&d->cell, &d->authors, at, &op));
  return write_op(d, author, op);
}

static int rub(desk *d, uint32_t author, uint64_t at, uint64_t n) {
  qm_op op = {.kind = QM_KIND_CUT};
  QM_TRY(qm_sequence_cut(&d->cell, &d->arena, at, n, &op.cuts));
  return write_op(d, author, op);
}

static int on_ranges(desk *d, qm_kind kind, uint32_t author, const qm_range *p, uint32_t n) {
  qm_op op = {.kind = (uint8_t)kind, .cuts = {p, n}};
  return write_op(d, author, op);
}

static int hang(desk *d, uint32_t author, qm_dot parent, uint8_t flags, const char *text) {
  qm_op op = {.kind = QM_KIND_INSERT, .span = points(text), .parent = parent, .flags = flags};
  op.value = str(d, text);
  return write_op(d, author, op);
}

static void reads(const desk *d, const char *want) {
  qm_buf b;
  qm_buf_init(&b, &d->env, 1u << 20);
  qm_sequence_text(&d->cell, &b);
  qm_buf_byte(&b, 0);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  assert_string_equal((const char *)b.p, want);
  qm_buf_free(&b);
}

static void state_of(desk *d, qm_names *names, qm_buf *b) {
  memset(names, 0, sizeof *names);
  qm_buf_init(b, &d->env, 1u << 20);
  assert_int_equal(qm_shape_sequence.names(&d->cell, names, &d->arena), QM_OK);
  qm_names_seal(names, &d->authors);
  qm_shape_sequence.encode(&d->cell, names, &d->authors, b);
  assert_int_equal(qm_buf_status(b), QM_OK);
}

static void an_empty_cell_reads_empty(void **state) {
  desk d;
  qm_op op = {.flags = QM_OP_LEFT};
  qm_ranges cuts;
  qm_slice *values;
  uint32_t n = 9;
  (void)state;
  open(&d);
  assert_int_equal(qm_sequence_len(&d.cell), 0);
  reads(&d, "");
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 0, &op), QM_OK);
  assert_int_equal(op.flags, QM_OP_ROOT);
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 1, &op), QM_ERANGE);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 0, 0, &cuts), QM_OK);
  assert_int_equal(cuts.n, 0);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 0, 1, &cuts), QM_ERANGE);
  assert_int_equal(qm_sequence_values(&d.cell, &d.arena, &values, &n), QM_OK);
  assert_int_equal(n, 0);
  assert_true(qm_shape_sequence.empty(&d.cell));
  close(&d);
}

static void text_is_edited_at_positions(void **state) {
  static const struct {
    uint64_t at, cut;
    const char *text, *want;
  } rows[] = {
      {0, 0, "road", "road"},
      {4, 0, "s", "roads"},
      {0, 0, "no ", "no roads"},
      {3, 0, "\xe5\xb0\x8f\xe8\xb7\xaf ", "no \xe5\xb0\x8f\xe8\xb7\xaf roads"},
      {4, 0, "\xf0\x9f\x8c\xbe", "no \xe5\xb0\x8f\xf0\x9f\x8c\xbe\xe8\xb7\xaf roads"},
      {3, 1, "", "no \xf0\x9f\x8c\xbe\xe8\xb7\xaf roads"},
      {3, 2, "two", "no two roads"},
      {0, 3, "", "two roads"},
      {8, 1, "", "two road"},
      {3, 0, "\xc3\xa9\xc3\xa9\xc3\xa9", "two\xc3\xa9\xc3\xa9\xc3\xa9 road"},
      {4, 1, "", "two\xc3\xa9\xc3\xa9 road"},
      {0, 10, "", ""},
      {0, 0, "again", "again"},
  };
  desk d;
  (void)state;
  open(&d);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint32_t author = (uint32_t)i % 3;
    if (rows[i].cut) assert_int_equal(rub(&d, author, rows[i].at, rows[i].cut), QM_OK);
    if (*rows[i].text) assert_int_equal(type(&d, author, rows[i].at, rows[i].text), QM_OK);
    reads(&d, rows[i].want);
    assert_int_equal(qm_sequence_len(&d.cell), points(rows[i].want));
  }
  qm_op op = {0};
  qm_ranges cuts;
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 6, &op), QM_ERANGE);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 5, 1, &cuts), QM_ERANGE);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 1, UINT64_MAX, &cuts), QM_ERANGE);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, UINT64_MAX, 1, &cuts), QM_ERANGE);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 5, 0, &cuts), QM_OK);
  close(&d);
}

static void places_follow_the_rule(void **state) {
  desk d;
  qm_op op = {0};
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "ab"), QM_OK); /* (A,1) (A,2) */
  static const struct {
    uint64_t at, counter;
    int flags;
  } rows[] = {{0, 1, QM_OP_LEFT}, {1, 2, QM_OP_LEFT}, {2, 2, 0}};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(qm_sequence_place(&d.cell, &d.authors, rows[i].at, &op), QM_OK);
    assert_int_equal(op.flags, rows[i].flags);
    assert_true(op.parent.counter == rows[i].counter && op.parent.author == 0);
  }
  assert_int_equal(type(&d, 1, 1, "X"), QM_OK); /* aXb, X left child of b */
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 2, &op), QM_OK);
  assert_int_equal(op.flags, 0); /* b is not under X: right child of X */
  assert_true(op.parent.counter == 1 && op.parent.author == 1);
  close(&d);
}

/* A rubs the "." out and goes on; B, who has not seen that, goes on behind the ".". The trim that
 * comes later moves nothing. */
static void what_replaces_a_cut_stands_before_what_followed_it(void **state) {
  desk d;
  const qm_range stop = {0, 4, 1};
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "90s."), QM_OK);
  assert_int_equal(rub(&d, 0, 3, 1), QM_OK);
  assert_int_equal(type(&d, 0, 3, ", huh?"), QM_OK);
  assert_int_equal(hang(&d, 1, (qm_dot){4, 0}, 0, " The"), QM_OK);
  reads(&d, "90s, huh? The");
  assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 2, &stop, 1), QM_OK);
  reads(&d, "90s, huh? The");
  close(&d);
}

/* "abQXcd", Q cut and trimmed; Z typed after b by one who saw the cut. */
static void an_insert_beside_a_trimmed_tombstone_stands(void **state) {
  (void)state;
  for (int trim_first = 0; trim_first < 2; trim_first++) {
    desk d;
    open(&d);
    assert_int_equal(type(&d, 0, 0, "abXcd"), QM_OK);
    assert_int_equal(type(&d, 1, 2, "Q"), QM_OK);
    reads(&d, "abQXcd");
    qm_range q = {1, 1, 1};
    assert_int_equal(rub(&d, 2, 2, 1), QM_OK);
    if (trim_first) assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 2, &q, 1), QM_OK);
    assert_int_equal(type(&d, 1, 2, "Z"), QM_OK);
    if (!trim_first) assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 2, &q, 1), QM_OK);
    reads(&d, "abZXcd");
    close(&d);
  }
}

static void orphans_stand_at_the_end_in_the_order_of_siblings(void **state) {
  desk d;
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "text"), QM_OK);
  assert_int_equal(qm_vv_set(&d.env, &d.vv, 2, 50), QM_OK); /* C's dots are of other texts */
  assert_int_equal(hang(&d, 1, (qm_dot){7, 2}, 0, "one"), QM_OK);
  assert_int_equal(hang(&d, 0, (qm_dot){9, 2}, QM_OP_LEFT, "two"), QM_OK);
  reads(&d, "textonetwo");
  assert_int_equal(type(&d, 0, 4, "!"), QM_OK);
  reads(&d, "text!onetwo");
  assert_int_equal(type(&d, 2, 5, "-"), QM_OK);
  reads(&d, "text!-onetwo");
  assert_int_equal(type(&d, 2, 12, "."), QM_OK);
  reads(&d, "text!-onetwo.");
  /* All before them rubbed out: the root is the left neighbour, and stands before. */
  assert_int_equal(rub(&d, 1, 0, 6), QM_OK);
  assert_int_equal(type(&d, 2, 0, "new "), QM_OK);
  reads(&d, "new onetwo.");
  close(&d);
}

/* Hung on what its author cannot have seen (refused before it gets here). */
static void a_parent_from_the_future_counts_as_the_root(void **state) {
  desk d;
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "ab"), QM_OK);
  assert_int_equal(hang(&d, 1, (qm_dot){2, 1}, 0, "xyz"), QM_OK);
  reads(&d, "xyzab");
  assert_int_equal(type(&d, 1, 5, "."), QM_OK);
  reads(&d, "xyzab.");
  close(&d);
}

/* The elements that a state holds: lengths of less than 17 stand in the heads (SPEC S6.5). */
static uint64_t elements_in(qm_slice state) {
  qm_cur in;
  qm_slice all;
  uint64_t authors = 0, chains = 0, n = 0, x;
  qm_cur_init(&in, state);
  assert_int_equal(qm_cur_bin(&in, &all), QM_OK);
  qm_cur_init(&in, all);
  assert_int_equal(qm_cur_varint(&in, &authors), QM_OK);
  for (uint64_t i = 0; i < authors; i++) {
    assert_int_equal(qm_cur_varint(&in, &x), QM_OK);
    assert_int_equal(qm_cur_varint(&in, &x), QM_OK);
    chains += x;
  }
  for (int i = 0; i < 8; i++) assert_int_equal(qm_cur_varint(&in, &x), QM_OK);
  for (uint64_t i = 0; i < chains; i++) {
    uint8_t head = 0;
    assert_int_equal(qm_cur_byte(&in, &head), QM_OK);
    n += 1 + (head >> 4);
  }
  return n;
}

static void trims_free_chains_and_leave_the_rest(void **state) {
  static const struct {
    const char *what;
    qm_range cut, trim;
    uint64_t left; /* elements of "abcdef" (A,1..6) that a full trim still finds */
  } rows[] = {
      {"nothing is a tombstone", {1, 0, 0}, {1, 6, 0}, 6},
      {"all of it", {1, 6, 0}, {1, 6, 0}, 0},
      {"the tail", {4, 3, 0}, {4, 3, 0}, 3},
      {"part of a cut tail", {3, 4, 0}, {5, 2, 0}, 4},
      {"the middle", {3, 2, 0}, {3, 2, 0}, 4},
      {"the head", {1, 6, 0}, {1, 3, 0}, 3},
      {"all but the last", {5, 2, 0}, {5, 1, 0}, 5},
      {"listed far beyond", {5, 2, 0}, {1, UINT64_MAX, 0}, 4},
      {"wraps", {5, 2, 0}, {6, UINT64_MAX, 0}, 5},
      {"never was", {5, 2, 0}, {90, 5, 0}, 6},
      {"another author", {5, 2, 0}, {5, 2, 1}, 6},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    desk d;
    qm_names names;
    qm_buf b;
    open(&d);
    assert_int_equal(type(&d, 0, 0, "abcdef"), QM_OK);
    assert_int_equal(on_ranges(&d, QM_KIND_CUT, 1, &rows[i].cut, 1), QM_OK);
    uint64_t version = qm_sequence_version(&d.cell, &d.authors);
    assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 2, &rows[i].trim, 1), QM_OK);
    assert_true(version == qm_sequence_version(&d.cell, &d.authors)); /* nothing visible changed */
    assert_int_equal(qm_shape_sequence.empty(&d.cell), rows[i].left == 0);
    state_of(&d, &names, &b);
    uint64_t found = elements_in(qm_buf_slice(&b));
    if (found != rows[i].left) print_error("%s\n", rows[i].what);
    assert_int_equal(found, rows[i].left);
    qm_buf_free(&b);
    close(&d);
  }
}

static void trims_climb_to_freed_parents(void **state) {
  desk d;
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "a"), QM_OK);
  assert_int_equal(hang(&d, 1, (qm_dot){1, 0}, 0, "b"), QM_OK);
  assert_int_equal(hang(&d, 2, (qm_dot){1, 1}, QM_OP_LEFT, "cd"), QM_OK);
  reads(&d, "acdb");
  qm_range all[] = {{1, 1, 0}, {1, 1, 1}, {1, 2, 2}};
  assert_int_equal(on_ranges(&d, QM_KIND_CUT, 0, all, 3), QM_OK);
  assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 0, all, 2), QM_OK);
  assert_false(qm_shape_sequence.empty(&d.cell)); /* c and d are there */
  assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 0, all, 3), QM_OK);
  assert_true(qm_shape_sequence.empty(&d.cell));
  close(&d);
}

static void hostile_spans_and_ranges_cost_what_they_meet(void **state) {
  static const uint64_t high = UINT64_MAX - 4;
  desk d;
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "abc"), QM_OK);
  qm_range wide[] = {
      {0, UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX, 0}, {2, UINT64_MAX, 1}, {9, 0, 0}};
  qm_op erased = {
      .kind = QM_KIND_INSERT, .flags = QM_OP_ERASED | QM_OP_ROOT, .span = UINT64_C(1) << 62};
  assert_int_equal(write_op(&d, 1, erased), QM_OK);
  reads(&d, "abc");
  qm_op again = {
      .kind = QM_KIND_INSERT, .flags = QM_OP_ROOT, .span = 1, .counter = 77, .value = str(&d, "x")};
  assert_int_equal(write_op(&d, 1, again), QM_OK); /* its dot is taken: the first stands */
  reads(&d, "abc");
  qm_op last = {.kind = QM_KIND_INSERT,
                .flags = QM_OP_ERASED | QM_OP_ROOT,
                .counter = high,
                .span = UINT64_MAX};
  qm_change change = {.author = 2, .counter = high};
  qm_apply a = {&d.authors, &d.vv, &change, &d.arena};
  assert_int_equal(qm_shape_sequence.apply(&d.cell, &a, &last), QM_OK);
  assert_int_equal(on_ranges(&d, QM_KIND_CUT, 0, wide, 4), QM_OK);
  reads(&d, "");
  assert_int_equal(on_ranges(&d, QM_KIND_TRIM, 0, wide, 4), QM_OK);
  assert_int_equal(type(&d, 0, 0, "on"), QM_OK);
  reads(&d, "on");
  /* A value that does not fit its span, or is no text: tombstones. */
  qm_op odd = {.kind = QM_KIND_INSERT, .flags = QM_OP_ROOT, .span = 3, .value = str(&d, "xy")};
  assert_int_equal(write_op(&d, 0, odd), QM_OK);
  odd.value = qm_slice_of("\xc0", 1);
  assert_int_equal(write_op(&d, 0, odd), QM_OK);
  odd.value = qm_slice_of("\x93\x01\xc1\x01", 4);
  assert_int_equal(write_op(&d, 0, odd), QM_OK);
  reads(&d, "on");
  close(&d);
}

/* A cut hides what its author can have seen, whatever comes later. */
static void a_cut_stops_at_its_context(void **state) {
  desk d;
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "abcdef"), QM_OK);
  qm_vv before = {0};
  assert_int_equal(qm_vv_copy(&d.env, &before, &d.vv), QM_OK);
  before.next[0] = 3; /* saw a and b */
  qm_range ranges[] = {{2, 9, 0}, {4, 9, 0}};
  qm_change change = {.author = 1, .counter = 1};
  qm_apply a = {&d.authors, &before, &change, &d.arena};
  qm_op op = {
      .shape = QM_SEQUENCE, .kind = QM_KIND_CUT, .counter = 1, .span = 1, .cuts = {ranges, 2}};
  assert_int_equal(qm_shape_sequence.apply(&d.cell, &a, &op), QM_OK);
  reads(&d, "acdef");
  qm_vv_free(&d.env, &before);
  close(&d);
}

static void lists_hold_values(void **state) {
  desk d;
  qm_slice *v;
  uint32_t n;
  (void)state;
  open(&d);
  qm_op op = {.kind = QM_KIND_INSERT, .span = 3, .value = qm_slice_of("\x93\x01\xa2hi\xc0", 6)};
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 0, &op), QM_OK);
  assert_int_equal(write_op(&d, 0, op), QM_OK);
  op.value = qm_slice_of("\x91\x07", 2);
  op.span = 1;
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 3, &op), QM_OK);
  assert_int_equal(write_op(&d, 0, op), QM_OK); /* goes on the run */
  assert_int_equal(qm_sequence_place(&d.cell, &d.authors, 1, &op), QM_OK);
  assert_int_equal(write_op(&d, 1, op), QM_OK);
  assert_int_equal(qm_sequence_values(&d.cell, &d.arena, &v, &n), QM_OK);
  assert_int_equal(n, 5);
  assert_memory_equal(v[1].p, "\x07", 1);
  assert_int_equal(v[2].n, 3);
  assert_memory_equal(v[2].p, "\xa2hi", 3);
  assert_int_equal(rub(&d, 1, 2, 1), QM_OK);
  assert_int_equal(type(&d, 1, 1, "m\xc3\xa9"), QM_OK); /* every element counts for every reader */
  reads(&d, "\xef\xbf\xbcm\xc3\xa9\xef\xbf\xbc\xef\xbf\xbc\xef\xbf\xbc");
  assert_int_equal(qm_sequence_values(&d.cell, &d.arena, &v, &n), QM_OK);
  assert_int_equal(n, 6);
  assert_int_equal(qm_sequence_len(&d.cell), 6);
  assert_int_equal(v[1].n, 2);
  assert_memory_equal(v[1].p, "\xa1m", 2);
  assert_int_equal(v[2].n, 3);
  assert_memory_equal(v[2].p, "\xa2\xc3\xa9", 3);
  close(&d);
}

static void cuts_are_merged_ranges_in_order(void **state) {
  desk d;
  qm_ranges r;
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "abcdef"), QM_OK);
  assert_int_equal(type(&d, 1, 3, "XY"), QM_OK);
  assert_int_equal(rub(&d, 1, 1, 1), QM_OK); /* acXYdef */
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 1, 4, &r), QM_OK);
  static const qm_range want[] = {{3, 1, 0}, {1, 2, 1}, {4, 1, 0}};
  assert_int_equal(r.n, 3);
  for (int i = 0; i < 3; i++)
    assert_true(r.p[i].counter == want[i].counter && r.p[i].len == want[i].len &&
                r.p[i].author == want[i].author);
  assert_int_equal(qm_sequence_cut(&d.cell, &d.arena, 4, 3, &r), QM_OK);
  assert_int_equal(r.n, 1);
  assert_true(r.p[0].counter == 4 && r.p[0].len == 3);
  close(&d);
}

static void the_version_is_of_what_is_visible(void **state) {
  desk d;
  uint64_t v[4];
  (void)state;
  open(&d);
  assert_int_equal(type(&d, 0, 0, "ab"), QM_OK);
  v[0] = qm_sequence_version(&d.cell, &d.authors);
  assert_int_equal(type(&d, 0, 2, "c"), QM_OK);
  v[1] = qm_sequence_version(&d.cell, &d.authors);
  assert_int_equal(rub(&d, 0, 0, 1), QM_OK);
  v[2] = qm_sequence_version(&d.cell, &d.authors);
  assert_int_equal(type(&d, 1, 0, "a"), QM_OK);
  v[3] = qm_sequence_version(&d.cell, &d.authors);
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < i; k++) assert_false(v[i] == v[k]);
  assert_int_equal(rub(&d, 1, 0, 1), QM_OK);
  assert_true(qm_sequence_version(&d.cell, &d.authors) == v[2]);
  close(&d);
}

static void typing_is_one_run_at_rest(void **state) {
  desk d;
  qm_names names;
  qm_buf b;
  (void)state;
  open(&d);
  for (uint64_t i = 0; i < 3000; i++) assert_int_equal(type(&d, 0, i, "f"), QM_OK);
  for (uint64_t i = 0; i < 3000; i++) assert_int_equal(type(&d, 1, 3000, "\xe5\x90\x8e"), QM_OK);
  for (uint64_t i = 0; i < 1000; i++) assert_int_equal(rub(&d, 2, 2999 - i, 1), QM_OK);
  state_of(&d, &names, &b);
  /* beside the text: header, authors, sizes, and of two chains and three stretches what they are */
  assert_in_range(b.n, 2000 + 9000, 2000 + 9000 + 50);
  qm_buf_free(&b);
  close(&d);
}

static int a_day_of_work(desk *d) {
  static const qm_range all[] = {{1, 90, 0}, {1, 90, 1}, {1, 90, 2}};
  qm_names names = {0};
  qm_buf b;
  qm_cur in;
  qm_cell joined = {0}, read = {0};
  QM_TRY(seat_authors(d));
  for (uint32_t i = 0; i < 12; i++) {
    QM_TRY(type(d, i % 3, i % 5 * (i % 2), "words"));
    QM_TRY(rub(d, (i + 1) % 3, i, 3));
  }
  QM_TRY(on_ranges(d, QM_KIND_TRIM, 0, all, 3));
  d->puts_off = 1; /* few of many, then many */
  for (uint32_t i = 0; i < 40; i++) {
    qm_dot behind = {qm_vv_get(&d->vv, (i + 2) % 3) - 1, (i + 2) % 3};
    QM_TRY(hang(d, i % 3, behind, i % 4 ? 0 : QM_OP_ROOT, "put"));
    const qm_range off = {qm_vv_get(&d->vv, i % 3) - 5, 2, i % 3};
    QM_TRY(on_ranges(d, QM_KIND_CUT, (i + 1) % 3, &off, 1));
    if (i == 1) QM_TRY(qm_sequence_settle(&d->cell));
  }
  QM_TRY(qm_sequence_settle(&d->cell));
  qm_side x = {&d->cell, &d->vv}, y = {NULL, &d->vv};
  y.cell = &d->cell;
  QM_TRY(qm_shape_sequence.join(&joined, x, y, &d->authors, &d->arena));
  QM_TRY(qm_shape_sequence.names(&joined, &names, &d->arena));
  qm_names_seal(&names, &d->authors);
  qm_buf_init(&b, &d->env, 10000);
  qm_shape_sequence.encode(&joined, &names, &d->authors, &b);
  int rc = qm_buf_status(&b);
  if (!rc) {
    qm_cur_init(&in, qm_buf_slice(&b));
    rc = qm_shape_sequence.decode(&read, &in, &names, &d->authors, &d->arena);
  }
  qm_buf_free(&b);
  return rc;
}

static void every_lack_of_memory_is_an_error(void **state) {
  (void)state;
  for (size_t fail_at = 1;; fail_at++) {
    test_alloc alloc = {.fail_at = fail_at};
    desk d;
    open_on(&d, test_alloc_env(&alloc));
    int rc = a_day_of_work(&d);
    close(&d);
    assert_int_equal(alloc.live, 0);
    if (rc == QM_OK) break;
    assert_int_equal(rc, QM_ENOMEM);
  }
  for (size_t size = 0;; size += 40) { /* and every fullness of the arena */
    desk d;
    open_on(&d, qm_env_default());
    d.arena.size_max = size;
    int rc = a_day_of_work(&d);
    close(&d);
    if (rc == QM_OK) break;
    assert_int_equal(rc, QM_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_cell_reads_empty),
      cmocka_unit_test(text_is_edited_at_positions),
      cmocka_unit_test(places_follow_the_rule),
      cmocka_unit_test(what_replaces_a_cut_stands_before_what_followed_it),
      cmocka_unit_test(an_insert_beside_a_trimmed_tombstone_stands),
      cmocka_unit_test(orphans_stand_at_the_end_in_the_order_of_siblings),
      cmocka_unit_test(a_parent_from_the_future_counts_as_the_root),
      cmocka_unit_test(trims_free_chains_and_leave_the_rest),
      cmocka_unit_test(trims_climb_to_freed_parents),
      cmocka_unit_test(hostile_spans_and_ranges_cost_what_they_meet),
      cmocka_unit_test(a_cut_stops_at_its_context),
      cmocka_unit_test(lists_hold_values),
      cmocka_unit_test(cuts_are_merged_ranges_in_order),
      cmocka_unit_test(the_version_is_of_what_is_visible),
      cmocka_unit_test(typing_is_one_run_at_rest),
      cmocka_unit_test(every_lack_of_memory_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
