#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/row.h"
#include "core/salt.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_batch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static qm_env plain;
static const qm_id space = {{0x5a}};
static const qm_hash no_previous;

static qm_hash hash_of(world *w, const qm_segment *s) {
  qm_hash h;
  int rc = qm_segment_hash(s, &space, &no_previous, &w->authors, &w->arena, &h);
  if (rc) fail_msg("hash: %s", qm_err_name(rc));
  return h;
}

/* ---- row forms ---- */

static void row_is(const world *w, const qm_op *op, const char *expected) {
  qm_buf b;
  char hex[512];
  qm_buf_init(&b, &plain, 1000);
  qm_op_row(op, &w->authors, &b);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  assert_true(2 * b.n < sizeof hex);
  qm_hex(hex, b.p, b.n);
  assert_string_equal(hex, expected);
  qm_buf_free(&b);
}

/* Author 0 is a0a1…, author 1 is c0c1…, the record 1111…: as in fixtures/wire. */
static void fixed_world(world *w, qm_op *op, uint8_t shape, uint8_t kind, uint32_t field) {
  qm_op fresh = {.span = 1, .shape = shape, .kind = kind, .field = field};
  world_init(w, &plain, 1);
  for (uint32_t i = 0; i < QM_AUTHOR_SIZE; i++) {
    w->authors.ids[0].b[i] = (uint8_t)(0xa0 + i);
    w->authors.ids[1].b[i] = (uint8_t)(0xc0 + i);
  }
  memset(fresh.record.b, 0x11, QM_ID_SIZE);
  *op = fresh;
}

#define R "c41011111111111111111111111111111111"
#define A "c418a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7"
#define B "c418c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"

/* S4.1, S4.2, S4.3 */
static void rows(void **state) {
  static const uint8_t one[] = {1}, nil[] = {0xc0}, text[] = {0xa1, 'Z'};
  static const qm_dot dots[] = {{5, 0}, {2, 1}};
  static const qm_range cuts[] = {{0, 2, 0}};
  world w;
  qm_op op;
  (void)state;
  fixed_world(&w, &op, QM_PRESENCE, QM_KIND_NEW, 0);
  op.value = qm_slice_of(one, 1);
  row_is(&w, &op, "9900" R "000000010000" "01");
  world_free(&w);
  /* A nil value is no item at the end, and says so only before another. */
  fixed_world(&w, &op, QM_SIBLINGS, QM_KIND_WRITE, 1);
  op.value = qm_slice_of(nil, 1);
  row_is(&w, &op, "9800" R "010100010000");
  op.flags = QM_OP_LISTED;
  row_is(&w, &op, "9a00" R "010100010100" "c0" "90");
  op.flags = QM_OP_NAMES;
  op.hides.p = dots;
  op.hides.n = 1;
  row_is(&w, &op, "9d00" R "010100010400" "c0c0c0" "92" A "05" "90");
  world_free(&w);
  fixed_world(&w, &op, QM_KEYED, QM_KIND_REMOVE, 3);
  op.counter = 8;
  op.generation = 2;
  op.dots.p = dots;
  op.dots.n = 2;
  row_is(&w, &op, "9a08" R "030201010002" "c0" "94" A "05" B "02");
  world_free(&w);
  fixed_world(&w, &op, QM_SEQUENCE, QM_KIND_CUT, 4);
  op.counter = 4;
  op.cuts.p = cuts;
  op.cuts.n = 1;
  row_is(&w, &op, "9e04" R "040501010000" "c0c0c0c0c0" "93" A "0002");
  world_free(&w);
  fixed_world(&w, &op, QM_SEQUENCE, QM_KIND_INSERT, 4);
  op.counter = 3;
  op.flags = QM_OP_LEFT;
  op.parent.counter = 2;
  op.value = qm_slice_of(text, 2);
  row_is(&w, &op, "9f03" R "040500012000" "a15a" "c0c0c0c0c0" "92" A "02");
  /* ERASED is the one flag that is not hashed. */
  op.flags |= QM_OP_ROOT | QM_OP_ERASED;
  row_is(&w, &op, "9903" R "040500016000" "a15a");
  world_free(&w);
}

static void row_of_a_stranger_is_refused(void **state) {
  world w;
  qm_op op;
  qm_buf b;
  static const qm_dot stranger = {1, 77};
  (void)state;
  fixed_world(&w, &op, QM_KEYED, QM_KIND_REMOVE, 1);
  op.dots.p = &stranger;
  op.dots.n = 1;
  qm_buf_init(&b, &plain, 1000);
  qm_op_row(&op, &w.authors, &b);
  assert_int_equal(qm_buf_status(&b), QM_EINVAL);
  qm_buf_free(&b);
  world_free(&w);
}

/* ---- chain ---- */

/* S4.8, S4.9 */
static void salt_tree_has_the_merkle_shape(void **state) {
  static const uint32_t table[][2] = {{2, 1}, {3, 2}, {4, 2}, {5, 4}, {6, 4},  {7, 4},
                                      {8, 4}, {9, 8}, {16, 8}, {17, 16}, {65535, 32768},
                                      {65536, 32768}};
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++)
    assert_int_equal(qm__salt_half(table[i][0]), table[i][1]);
}

/* S4.6, S4.7: everything that the hash covers changes it. */
static void hash_covers_everything(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 40; seed++) {
    world w;
    qm_hash previous = no_previous, other_hash;
    qm_id other = space;
    world_init(&w, &plain, seed);
    qm_segment s = world_segment(&w, 2, 4);
    qm_hash h = hash_of(&w, &s);
    previous.b[31] = 1;
    assert_int_equal(qm_segment_hash(&s, &space, &previous, &w.authors, &w.arena, &other_hash), 0);
    assert_memory_not_equal(h.b, other_hash.b, 32);
    other.b[15] ^= 1;
    int rc = qm_segment_hash(&s, &other, &no_previous, &w.authors, &w.arena, &other_hash);
    assert_int_equal(rc, QM_OK);
    assert_memory_not_equal(h.b, other_hash.b, 32);
    qm_change *c = &s.changes[s.n_changes - 1];
    qm_op *op = &c->ops[c->n_ops - 1];
    uint64_t *const numbers[] = {&s.start, &s.next, &c->counter, &c->time, &op->counter,
                                 &op->span, &op->generation};
    for (size_t i = 0; i < COUNT(numbers); i++) {
      *numbers[i] ^= 1;
      qm_hash changed = hash_of(&w, &s);
      assert_memory_not_equal(h.b, changed.b, 32);
      *numbers[i] ^= 1;
    }
    op->record.b[3] ^= 1;
    qm_hash changed = hash_of(&w, &s);
    assert_memory_not_equal(h.b, changed.b, 32);
    op->record.b[3] ^= 1;
    /* How a batch names the record, and heads, are no part of it. */
    op->named ^= 1;
    op->created.counter++;
    s.head[0] ^= 1;
    changed = hash_of(&w, &s);
    assert_memory_equal(h.b, changed.b, 32);
    world_free(&w);
  }
}

/* All leaf salts of a segment, from the nodes it still has; 0 where none covers. */
static uint8_t *derive(world *w, const qm_segment *s, uint8_t *have) {
  uint8_t *all = qm_arena_zero(&w->arena, (size_t)s->n_ops * QM_SALT_SIZE);
  qm_salt stack[40];
  memset(have, 0, s->n_ops);
  for (uint32_t i = 0; i < s->n_salts; i++) {
    uint32_t n = 0;
    stack[n++] = s->salts[i];
    while (n) {
      qm_salt at = stack[--n];
      uint8_t below[2 * QM_SALT_SIZE];
      if (at.count == 1) {
        memcpy(all + (size_t)at.first * QM_SALT_SIZE, at.b, QM_SALT_SIZE);
        have[at.first] = 1;
        continue;
      }
      uint32_t half = qm__salt_half(at.count);
      qm_salt left = {at.first, half, {0}}, right = {at.first + half, at.count - half, {0}};
      qm__salt_split(at.b, below);
      memcpy(left.b, below, QM_SALT_SIZE);
      memcpy(right.b, below + QM_SALT_SIZE, QM_SALT_SIZE);
      stack[n++] = right;
      stack[n++] = left;
    }
  }
  return all;
}

static qm_op *op_at(const qm_segment *s, uint32_t leaf) {
  for (uint32_t i = 0; i < s->n_changes; i++) {
    if (leaf < s->changes[i].n_ops) return &s->changes[i].ops[leaf];
    leaf -= s->changes[i].n_ops;
  }
  return NULL;
}

/* S4.10, S4.11: after erasing any ops in any order the hash is the same, no salt of
 * an erased leaf follows from what is left, every other does, and the codec's
 * covering is the one that is there. */
static void erasing_keeps_the_hash_and_hides_the_salt(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 60; seed++) {
    world w;
    uint8_t have[2000], erased[2000] = {0};
    world_init(&w, &plain, seed);
    qm_segment s = world_segment(&w, 1, 1 + seed);
    qm_hash h = hash_of(&w, &s);
    uint8_t *salts = derive(&w, &s, have);
    qm_salt cover[1000];
    uint32_t tries = 1 + world_below(&w, 2 * s.n_ops);
    if (tries > 40) tries = 40;
    for (uint32_t k = 0; k < tries; k++) {
      uint32_t leaf = world_below(&w, s.n_ops);
      const qm_op *op = op_at(&s, leaf);
      assert_int_equal(qm_segment_erase(&s, op->counter, &w.authors, &w.arena), QM_OK);
      erased[leaf] = 1;
      assert_int_equal(op->value.n, 0);
      assert_true(op->flags & QM_OP_ERASED);
      qm_hash now = hash_of(&w, &s);
      assert_memory_equal(now.b, h.b, sizeof h.b);
    }
    uint8_t *left = derive(&w, &s, have);
    for (uint32_t i = 0; i < s.n_ops; i++) {
      assert_int_equal(have[i], !erased[i]);
      const uint8_t *a = salts + (size_t)i * QM_SALT_SIZE, *b = left + (size_t)i * QM_SALT_SIZE;
      if (have[i]) assert_memory_equal(a, b, QM_SALT_SIZE);
      else assert_memory_not_equal(a, b, QM_SALT_SIZE);
    }
    assert_int_equal(qm__salt_cover(&s, cover, COUNT(cover)), s.n_salts);
    for (uint32_t i = 0; i < s.n_salts; i++) {
      assert_int_equal(cover[i].first, s.salts[i].first);
      assert_int_equal(cover[i].count, s.salts[i].count);
    }
    world_free(&w);
  }
}

/* S4.11: many at once leave what one after the other leaves. */
static void erasing_many_is_erasing_each(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 40; seed++) {
    world w;
    uint8_t chosen[2000] = {0};
    world_init(&w, &plain, seed);
    qm_segment s = world_segment(&w, 1, 1 + seed);
    uint32_t one = world_below(&w, s.n_ops);
    assert_int_equal(qm_segment_erase(&s, op_at(&s, one)->counter, &w.authors, &w.arena), QM_OK);
    qm_hash h = hash_of(&w, &s);
    for (uint32_t i = 0; i < s.n_ops; i++) chosen[i] = (uint8_t)(world_below(&w, 3) == 0);
    assert_int_equal(qm_segment_erase_all(&s, chosen, &w.authors, &w.arena), QM_OK);
    qm_salt *salts = qm_arena_copy(&w.arena, s.salts, s.n_salts * sizeof *salts);
    uint32_t n = s.n_salts;
    qm_hash now = hash_of(&w, &s);
    assert_memory_equal(now.b, h.b, sizeof h.b);
    for (uint32_t i = 0; i < s.n_ops; i++) {
      const qm_op *op = op_at(&s, i);
      if (chosen[i] && qm__op_carries(op->shape, op->kind)) assert_true(op->flags & QM_OP_ERASED);
      if (chosen[i]) assert_int_equal(op->value.n, 0);
      if (op->flags & QM_OP_ERASED) /* no salt above it is left: nothing to do for the other */
        assert_int_equal(qm_segment_erase(&s, op->counter, &w.authors, &w.arena), QM_OK);
    }
    assert_int_equal(s.n_salts, n);
    assert_int_equal(qm__salt_cover(&s, salts, n), n);
    for (uint32_t i = 0; i < n; i++)
      assert_true(salts[i].first == s.salts[i].first && salts[i].count == s.salts[i].count);
    memset(chosen, 1, sizeof chosen);
    assert_int_equal(qm_segment_erase_all(&s, chosen, &w.authors, &w.arena), QM_OK);
    now = hash_of(&w, &s);
    assert_memory_equal(now.b, h.b, sizeof h.b);
    world_free(&w);
  }
}

static void erasing_all_or_nothing(void **state) {
  world w;
  (void)state;
  world_init(&w, &plain, 3);
  qm_segment s = world_segment(&w, 1, 9);
  qm_hash h = hash_of(&w, &s);
  assert_int_equal(qm_segment_erase(&s, s.next, &w.authors, &w.arena), QM_ENOTFOUND);
  for (uint32_t i = s.n_ops; i-- > 0;) {
    assert_int_equal(qm_segment_erase(&s, op_at(&s, i)->counter, &w.authors, &w.arena), QM_OK);
  }
  assert_int_equal(s.n_salts, 0);
  qm_hash now = hash_of(&w, &s);
  assert_memory_equal(now.b, h.b, sizeof h.b);
  /* Twice has no effect, though no salt is there any more. */
  assert_int_equal(qm_segment_erase(&s, op_at(&s, 0)->counter, &w.authors, &w.arena), QM_OK);
  world_free(&w);
}

/* Another value under a kept leaf, or under another salt, is seen. */
static void forged_parts_change_the_hash(void **state) {
  world w;
  (void)state;
  world_init(&w, &plain, 8);
  qm_segment s = world_segment(&w, 1, 9);
  qm_hash h = hash_of(&w, &s), now;
  assert_int_equal(qm_segment_erase(&s, op_at(&s, 1)->counter, &w.authors, &w.arena), QM_OK);
  op_at(&s, 1)->leaf[0] ^= 1;
  now = hash_of(&w, &s);
  assert_memory_not_equal(now.b, h.b, sizeof h.b);
  op_at(&s, 1)->leaf[0] ^= 1;
  qm_salt *salts = qm_arena_copy(&w.arena, s.salts, s.n_salts * sizeof *salts);
  salts[0].b[15] ^= 1;
  s.salts = salts;
  now = hash_of(&w, &s);
  assert_memory_not_equal(now.b, h.b, sizeof h.b);
  world_free(&w);
}

/* S4.10 over 8 leaves of which leaf 2 is erased: {0,2} {3,1} {4,4} and nothing else. */
static void malformed_coverings_are_refused(void **state) {
  static const struct { uint32_t n, nodes[5][2]; int rc; } table[] = {
      {3, {{0, 2}, {3, 1}, {4, 4}}, QM_OK},
      {0, {{0, 0}}, QM_EMALFORMED},
      {1, {{0, 8}}, QM_EMALFORMED},                           /* covers the erased leaf */
      {2, {{0, 4}, {4, 4}}, QM_EMALFORMED},                   /* so does this */
      {4, {{0, 2}, {2, 1}, {3, 1}, {4, 4}}, QM_EMALFORMED},   /* so does this */
      {2, {{0, 2}, {4, 4}}, QM_EMALFORMED},                   /* leaf 3 has none */
      {2, {{0, 2}, {3, 1}}, QM_EMALFORMED},                   /* the end has none */
      {4, {{0, 2}, {3, 1}, {4, 2}, {6, 2}}, QM_EMALFORMED},   /* not the greatest */
      {4, {{0, 1}, {1, 1}, {3, 1}, {4, 4}}, QM_EMALFORMED},   /* not the greatest */
      {3, {{3, 1}, {0, 2}, {4, 4}}, QM_EMALFORMED},           /* not ascending */
      {4, {{0, 2}, {3, 1}, {4, 4}, {4, 4}}, QM_EMALFORMED},   /* one twice */
      {4, {{0, 2}, {3, 1}, {4, 4}, {8, 1}}, QM_EMALFORMED},   /* beyond the end */
      {3, {{0, 2}, {3, 2}, {5, 3}}, QM_EMALFORMED},           /* no nodes of the tree */
      {3, {{0, 3}, {3, 1}, {4, 4}}, QM_EMALFORMED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    world w;
    qm_hash h;
    qm_op ops[8];
    qm_change c = {.next = 8, .time = 1, .ops = ops, .n_ops = 8};
    qm_salt seed = {0, 8, {7}}, nodes[5];
    qm_segment s = {.next = 8, .changes = &c, .n_changes = 1, .n_ops = 8, .salts = &seed,
                    .n_salts = 1, .algorithm = 1};
    fixed_world(&w, &ops[0], QM_PRESENCE, QM_KIND_RESTORE, 0);
    for (uint32_t k = 1; k < 8; k++) {
      ops[k] = ops[0];
      ops[k].counter = k;
    }
    qm_hash whole = hash_of(&w, &s);
    assert_int_equal(qm_segment_erase(&s, 2, &w.authors, &w.arena), QM_OK);
    assert_int_equal(s.n_salts, 3);
    for (uint32_t k = 0; k < table[i].n; k++) {
      memset(&nodes[k], 0, sizeof nodes[k]);
      if (k < s.n_salts) nodes[k] = s.salts[k];
      nodes[k].first = table[i].nodes[k][0];
      nodes[k].count = table[i].nodes[k][1];
    }
    s.salts = nodes;
    s.n_salts = table[i].n;
    int rc = qm_segment_hash(&s, &space, &no_previous, &w.authors, &w.arena, &h);
    if (rc != table[i].rc) fail_msg("case %zu: %s", i, qm_err_name(rc));
    if (rc == QM_OK) assert_memory_equal(h.b, whole.b, sizeof h.b);
    world_free(&w);
  }
}

static void erase_needs_a_covering_salt(void **state) {
  world w;
  (void)state;
  world_init(&w, &plain, 3);
  qm_segment s = world_segment(&w, 1, 9);
  qm_salt broken = s.salts[0];
  s.salts = &broken;
  broken.first = 1;
  broken.count = s.n_ops - 1;
  assert_int_equal(qm_segment_erase(&s, s.start, &w.authors, &w.arena), QM_EMALFORMED);
  broken.first = 0;
  broken.count = UINT32_MAX;
  assert_int_equal(qm_segment_erase(&s, s.start, &w.authors, &w.arena), QM_EMALFORMED);
  s.n_salts = 0;
  assert_int_equal(qm_segment_erase(&s, s.start, &w.authors, &w.arena), QM_EMALFORMED);
  assert_false(op_at(&s, 0)->flags & QM_OP_ERASED);
  world_free(&w);
}

/* ---- check ---- */

static void spoil_nothing(qm_segment *s) { (void)s; }
static void spoil_algorithm(qm_segment *s) { s->algorithm = 2; }
static void spoil_n_ops(qm_segment *s) { s->n_ops++; }
static void spoil_no_changes(qm_segment *s) { s->n_changes = s->n_ops = 0; }
static void spoil_previous(qm_segment *s) {
  s->start = 0;
  s->previous[7] = 1;
}
static void spoil_start(qm_segment *s) { s->start++; }
static void spoil_next(qm_segment *s) { s->next++; }
static void spoil_change_author(qm_segment *s) { s->changes[1].author ^= 1; }
static void spoil_change_counter(qm_segment *s) { s->changes[1].counter++; }
static void spoil_change_next(qm_segment *s) { s->changes[0].next++; }
static void spoil_op_counter(qm_segment *s) { s->changes[1].ops[0].counter++; }
static void spoil_time(qm_segment *s) { s->changes[1].time = s->changes[0].time; }
static void spoil_shape(qm_segment *s) { s->changes[1].ops[0].shape = QM_SHAPES; }
static void spoil_value(qm_segment *s) {
  qm_op *op = &s->changes[1].ops[0];
  op->value = qm_slice_of("\xc1", 1);
  op->shape = QM_SIBLINGS;
  op->kind = QM_KIND_WRITE;
  op->field = 1;
}
static void set_deps(qm_segment *s, const qm_dot *deps, uint32_t n) {
  s->changes[1].deps = deps;
  s->changes[1].n_deps = n;
}
static void spoil_own_dep(qm_segment *s) {
  static qm_dot deps[1] = {{1, 3}};
  set_deps(s, deps, 1);
}
static void spoil_dep_twice(qm_segment *s) {
  static const qm_dot deps[3] = {{1, 0}, {1, 1}, {2, 0}};
  set_deps(s, deps, 3);
}
static void spoil_dep_zero(qm_segment *s) {
  static const qm_dot deps[1] = {{0, 1}};
  set_deps(s, deps, 1);
}
static void spoil_dep_author(qm_segment *s) {
  static const qm_dot deps[1] = {{1, QM_AUTHORS_MAX}};
  set_deps(s, deps, 1);
}
static void good_deps(qm_segment *s) {
  static const qm_dot deps[3] = {{1, 0}, {1, 9}, {2, 8}};
  set_deps(s, deps, 3);
  s->changes[0].deps = deps;
  s->changes[0].n_deps = 3;
}

/* S4.4, S4.5 */
static void check_refuses(void **state) {
  static const struct { void (*spoil)(qm_segment *); int rc; } table[] = {
      {spoil_nothing, QM_OK},               {good_deps, QM_OK},
      {spoil_algorithm, QM_EMALFORMED},     {spoil_n_ops, QM_EMALFORMED},
      {spoil_no_changes, QM_EMALFORMED},    {spoil_previous, QM_EMALFORMED},
      {spoil_start, QM_EGAP},               {spoil_next, QM_EGAP},
      {spoil_change_author, QM_EMALFORMED}, {spoil_change_counter, QM_EGAP},
      {spoil_change_next, QM_EGAP},         {spoil_op_counter, QM_EGAP},
      {spoil_time, QM_EMALFORMED},          {spoil_shape, QM_EMALFORMED},
      {spoil_value, QM_EFORMAT},            {spoil_own_dep, QM_EMALFORMED},
      {spoil_dep_twice, QM_EMALFORMED},     {spoil_dep_zero, QM_EMALFORMED},
      {spoil_dep_author, QM_EMALFORMED}};
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    world w;
    qm_error e = {0, ""};
    qm_segment s;
    world_init(&w, &plain, 21);
    do s = world_segment(&w, 3, 6);
    while (s.n_changes < 2);
    table[i].spoil(&s);
    int rc = qm_segment_check(&s, &e);
    if (rc != table[i].rc) fail_msg("case %zu: %s (%s)", i, qm_err_name(rc), e.message);
    assert_int_equal(qm_segment_check(&s, NULL), rc);
    assert_true(rc == QM_OK || e.message[0]);
    world_free(&w);
  }
}

/* ---- changes of the open run ---- */

static qm_buf change_row(const world *w, const qm_change *c) {
  qm_buf b;
  qm_buf_init(&b, &plain, 4 * QM_CHANGE_MAX);
  qm_change_row(c, &w->authors, &b);
  assert_int_equal(qm_buf_status(&b), QM_OK);
  return b;
}

/* S4.12 */
static void changes_come_back(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 150; seed++) {
    world w;
    world_init(&w, &plain, seed);
    qm_segment s = world_segment(&w, 4, 3);
    if (seed % 3 == 0) world_erase(&w, &s);
    for (uint32_t i = 0; i < s.n_changes; i++) {
      qm_change got;
      qm_buf b = change_row(&w, &s.changes[i]);
      assert_int_equal(qm_change_unrow(&got, qm_buf_slice(&b), &w.authors, &w.arena), QM_OK);
      const char *why = change_differs(&s.changes[i], &w.authors, &got, &w.authors, 1);
      if (why) fail_msg("seed %u: %s differs", seed, why);
      qm_buf again = change_row(&w, &got);
      assert_int_equal(qm_slice_cmp(qm_buf_slice(&b), qm_buf_slice(&again)), 0);
      qm_buf_free(&again);
      qm_buf_free(&b);
    }
    world_free(&w);
  }
}

static void damaged_changes_are_refused(void **state) {
  uint32_t accepted = 0;
  (void)state;
  for (uint32_t seed = 0; seed < 20; seed++) {
    world w;
    qm_change got;
    world_init(&w, &plain, seed + 500);
    qm_segment s = world_segment(&w, 4, 1);
    qm_buf b = change_row(&w, &s.changes[0]);
    for (size_t n = 0; n < b.n; n++) {
      uint8_t *exact = qm_alloc(&plain, n + 1);
      memcpy(exact, b.p, n);
      assert_int_not_equal(qm_change_unrow(&got, qm_slice_of(exact, n), &w.authors, &w.arena), 0);
      qm_free(&plain, exact);
    }
    for (uint32_t k = 0; k < 300; k++) {
      size_t at = world_below(&w, (uint32_t)b.n);
      uint8_t flip = (uint8_t)(1u << world_below(&w, 8));
      b.p[at] ^= flip;
      if (qm_change_unrow(&got, qm_buf_slice(&b), &w.authors, &w.arena) == QM_OK) {
        /* What is read is written the same: rows have one form. */
        qm_buf again = change_row(&w, &got);
        assert_int_equal(qm_slice_cmp(qm_buf_slice(&b), qm_buf_slice(&again)), 0);
        qm_buf_free(&again);
        accepted++;
      }
      b.p[at] ^= flip;
    }
    qm_buf_byte(&b, 0xc0);
    assert_int_equal(qm_change_unrow(&got, qm_buf_slice(&b), &w.authors, &w.arena), QM_ETRAILING);
    qm_buf_free(&b);
    world_free(&w);
  }
  assert_true(accepted > 100);
}

/* One write of nil: [[author, 0, 1, 9], [[0, record, 1, 1, 0, 1, 0, 0]]], and how it
 * can be wrong. */
static void change_rows_have_one_form(void **state) {
#define H "94" A "000109"
#define W "0000" /* flags, generation */
  static const struct { const char *hex; int rc; } table[] = {
      {"92" H "91" "98" "00" R "01010001" W, QM_OK},
      {"91" H, QM_EFORMAT},
      {"90", QM_EFORMAT},
      {"c0", QM_ETYPE},
      {"dd7fffffff" H, QM_EOVERSIZE},
      {"92" "93" A "0001" "91" "98" "00" R "01010001" W, QM_EFORMAT},
      {"92" "95" A "000109" A "91" "98" "00" R "01010001" W, QM_EFORMAT},
      {"92" "94" B "000109" "91" "97" "00" R "01010001" "00", QM_EFORMAT},
      {"92" H "90" "98" "00" R "01010001" W, QM_EFORMAT},
      {"92" H "94" "98" "00" R "01010001" W "c0c0c0", QM_EFORMAT},
      {"92" H "92" "98" "00" R "01010001" W "c0", QM_ECANON},
      {"92" H "91" "99" "00" R "01010001" W "c0", QM_ECANON},
      {"92" H "91" "9a" "00" R "01010001" W "c090", QM_EMALFORMED},   /* dots, not listed */
      {"92" H "91" "98" "00" R "01010001" "0100", QM_EMALFORMED},     /* listed, no dots */
      {"92" H "91" "98" "00" R "01010001" "0800", QM_EMALFORMED},     /* erased in a row */
      {"92" H "91" "98" "00" R "01010001" "cc8000", QM_EMALFORMED},   /* flag 128 */
      {"92" H "91" "98" "00" R "01060001" W, QM_EMALFORMED},          /* shape 6 */
      {"92" H "91" "98" "00" R "01010201" W, QM_EMALFORMED},          /* kind 2 */
      {"92" H "91" "98" "00" R "01010002" W, QM_EMALFORMED},          /* span 2 */
      {"92" H "91" "99" "00" R "00000101" W "01", QM_EMALFORMED},     /* delete, a value */
      {"92" H "91" "9a" "00" R "01020101" W "c091" A, QM_EFORMAT},    /* half a dot */
      {"92" H "91" "9e" "00" R "01050101" W "c0c0c0c0c092" A "00", QM_EFORMAT},
      {"92" H "91" "98" "00" "c40f111111111111111111111111111111" "01010001" W, QM_ERANGE},
      {"92" H "91" "98" "00" R "01010001" W "c0", QM_ETRAILING},
  };
#undef H
#undef W
  (void)state;
  for (size_t i = 0; i < COUNT(table); i++) {
    world w;
    qm_op op;
    qm_change got;
    uint8_t bytes[256];
    size_t n = strlen(table[i].hex) / 2;
    fixed_world(&w, &op, 0, 0, 0);
    /* The table was sorted for random ids: sort it for these. */
    qm_authors sorted;
    uint32_t number;
    qm_authors_init(&sorted, &plain);
    assert_int_equal(qm_authors_add(&sorted, &w.authors.ids[0], &number), QM_OK);
    assert_int_equal(qm_authors_add(&sorted, &w.authors.ids[1], &number), QM_OK);
    assert_int_equal(qm_unhex(bytes, n, table[i].hex, strlen(table[i].hex)), QM_OK);
    int rc = qm_change_unrow(&got, qm_slice_of(bytes, n), &sorted, &w.arena);
    if (rc != table[i].rc) fail_msg("case %zu: %s", i, qm_err_name(rc));
    if (rc == QM_OK) {
      assert_int_equal(got.n_ops, 1);
      assert_true(got.counter == 0 && got.next == 1 && got.time == 9 && got.n_deps == 0);
      assert_true(got.ops[0].value.n == 1 && got.ops[0].value.p[0] == 0xc0);
    }
    qm_authors_free(&sorted);
    world_free(&w);
  }
}

static void unknown_authors_are_refused(void **state) {
  world w;
  qm_authors empty;
  qm_change got;
  (void)state;
  world_init(&w, &plain, 2);
  qm_authors_init(&empty, &plain);
  qm_segment s = world_segment(&w, 0, 1);
  qm_buf b = change_row(&w, &s.changes[0]);
  assert_int_equal(qm_change_unrow(&got, qm_buf_slice(&b), &empty, &w.arena), QM_EMALFORMED);
  qm_buf_free(&b);
  qm_authors_free(&empty);
  world_free(&w);
}

static void out_of_memory(void **state) {
  world w;
  qm_hash h;
  (void)state;
  world_init(&w, &plain, 3);
  qm_segment s = world_segment(&w, 1, 9);
  for (size_t at = 1; at < 3; at++) {
    test_alloc counter = {0, 0, 0, at};
    qm_env env = test_alloc_env(&counter);
    qm_arena arena;
    qm_arena_init(&arena, &env, SIZE_MAX);
    int rc = qm_segment_hash(&s, &space, &no_previous, &w.authors, &arena, &h);
    assert_int_equal(rc, QM_ENOMEM);
    rc = qm_segment_erase(&s, s.start, &w.authors, &arena);
    assert_int_equal(rc, QM_ENOMEM);
    assert_false(op_at(&s, 0)->flags & QM_OP_ERASED);
    assert_int_equal(s.n_salts, 1);
    qm_arena_free(&arena);
    assert_int_equal(counter.live, 0);
  }
  (void)hash_of(&w, &s);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows),
      cmocka_unit_test(row_of_a_stranger_is_refused),
      cmocka_unit_test(salt_tree_has_the_merkle_shape),
      cmocka_unit_test(hash_covers_everything),
      cmocka_unit_test(erasing_keeps_the_hash_and_hides_the_salt),
      cmocka_unit_test(erasing_many_is_erasing_each),
      cmocka_unit_test(erasing_all_or_nothing),
      cmocka_unit_test(forged_parts_change_the_hash),
      cmocka_unit_test(malformed_coverings_are_refused),
      cmocka_unit_test(erase_needs_a_covering_salt),
      cmocka_unit_test(check_refuses),
      cmocka_unit_test(changes_come_back),
      cmocka_unit_test(damaged_changes_are_refused),
      cmocka_unit_test(change_rows_have_one_form),
      cmocka_unit_test(unknown_authors_are_refused),
      cmocka_unit_test(out_of_memory),
  };
  plain = qm_env_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
