/* (S7.8, S16.13, S16.14) Rules for duplicates: what a schema may say, its form; and that two
 * records of which a rule holds share a key of it, so that an index finds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alike.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_schema.h"

#define ARENA_MAX (16u << 20)

/* ---- schemas ---- */

typedef struct ruled {
  fixture x;
  qm_field_def f[11];
  qm_rule_def rules[4];
  qm_condition_def when[4][4];
} ruled;

static void make(ruled *r) {
  memset(r, 0, sizeof *r);
  fill(&r->x);
  memcpy(r->f, r->x.f, 9 * sizeof *r->f);
  r->f[9] = field_of(41, "place", QM_FIELD_REGISTER, QM_VALUE_POINT);
  r->f[10] = field_of(42, "secret", QM_FIELD_REGISTER, QM_VALUE_TEXT);
  r->f[10].cls = QM_CLASS_SENSITIVE;
  r->x.c[0].fields = r->f;
  r->x.c[0].n_fields = 11;
  static const qm_condition_def when[4][4] = {
      {{16, QM_MATCH_PHONE, 0}},
      {{16, QM_MATCH_ADDRESS, 0}, {17, QM_MATCH_SIMILAR, 70}},
      {{18, QM_MATCH_SAME, 0}, {41, QM_MATCH_NEAR, 50}, {22, QM_MATCH_WITHIN, 48}},
      {{19, QM_MATCH_TEXT, 0}}};
  static const uint32_t counts[4] = {1, 2, 3, 1};
  static const char *const names[4] = {"phone", "home", "here", "tag"};
  memcpy(r->when, when, sizeof when);
  for (uint32_t i = 0; i < 4; i++)
    r->rules[i] = (qm_rule_def){.name = str(names[i]),
                                .weight = 50 + i,
                                .most = i == 2 ? 7 : QM_RULE_MOST,
                                .conditions = r->when[i],
                                .n_conditions = counts[i]};
  r->rules[0].label_zh = str("\xe7\x94\xb5\xe8\xaf\x9d");
  r->rules[1].label_en = str("same home");
  r->x.c[0].rules = r->rules;
  r->x.c[0].n_rules = 4;
}

/* X(name, what spoils the rules, the message behind the collection's place). */
/* clang-format off: a line a case */
#define SPOILED(X)                                                                                 \
  X(many, r->x.c[0].n_rules = 17, "more than 16 rules for duplicates")                             \
  X(name, r->rules[1].name = str("a b"), "duplicates[1]: the name is not well-formed")             \
  X(twice, r->rules[1].name = str("phone"), "duplicates[1]: the name is used by another rule")     \
  X(label, r->rules[1].label_zh = str("\x01"), "duplicates[1]: a label is not well-formed")        \
  X(weight_0, r->rules[0].weight = 0, "duplicates[0]: the weight must be from 1 to 100")           \
  X(weight, r->rules[0].weight = 101, "duplicates[0]: the weight must be from 1 to 100")           \
  X(most_1, r->rules[0].most = 1, "duplicates[0]: most must be from 2 to 512")                     \
  X(most, r->rules[0].most = 513, "duplicates[0]: most must be from 2 to 512")                     \
  X(none, r->rules[0].n_conditions = 0, "duplicates[0]: needs 1 to 4 conditions")                  \
  X(five, r->rules[0].n_conditions = 5, "duplicates[0]: needs 1 to 4 conditions")                  \
  X(no_field, r->when[0][0].field = 99, "duplicates[0].when[0]: is no field of this collection")   \
  X(text, r->when[0][0].field = 21, "duplicates[0].when[0]: this type of field cannot be")         \
  X(counter, r->when[0][0].field = 20, "duplicates[0].when[0]: this type of field cannot be")      \
  X(log, r->when[0][0].field = 40, "duplicates[0].when[0]: this type of field cannot be")          \
  X(sensitive, r->when[0][0].field = 42, "duplicates[0].when[0]: a sensitive field is not")        \
  X(sealed, r->f[1].flags |= QM_FIELD_SEALED, "duplicates[1].when[1]: a sealed field is not")      \
  X(match_0, r->when[0][0].match = 0, "duplicates[0].when[0]: no such match")                      \
  X(match, r->when[0][0].match = 8, "duplicates[0].when[0]: no such match")                        \
  X(point, (r->when[0][0].field = 41, r->when[0][0].match = QM_MATCH_SAME),                        \
    "duplicates[0].when[0]: this kind of value is not compared")                                   \
  X(no_text, r->when[0][0].field = 18, "duplicates[0].when[0]: this match is for text")            \
  X(limit, r->when[0][0].limit = 1, "duplicates[0].when[0]: this match takes no limit")            \
  X(percent, r->when[1][1].limit = 101, "duplicates[1].when[1]: percent must be from 1 to 100")    \
  X(near, r->when[2][1].field = 16, "duplicates[2].when[1]: near is for a point")                  \
  X(metres_0, r->when[2][1].limit = 0, "duplicates[2].when[1]: metres must be from 1 to")          \
  X(metres, r->when[2][1].limit = 100001, "duplicates[2].when[1]: metres must be from 1 to")       \
  X(within, r->when[2][2].field = 16, "duplicates[2].when[2]: within is for a date, or an int")    \
  X(hours_0, r->when[2][2].limit = 0, "duplicates[2].when[2]: hours must be from 1 to 87600")      \
  X(hours, r->when[2][2].limit = 87601, "duplicates[2].when[2]: hours must be from 1 to 87600")    \
  X(again, (r->when[2][0] = r->when[2][1]), "duplicates[2].when[1]: repeats another condition")    \
  X(similar, r->when[1][0].match = QM_MATCH_SIMILAR,                                               \
    "duplicates[1]: needs a condition that is not similar")
/* clang-format on */
#define FUNCTION(name, how, message) \
  static void spoil_##name(ruled *r) { (void)(how); }
SPOILED(FUNCTION)
#undef FUNCTION

static void spoiled_rules_are_refused(void **state) {
  (void)state;
  static const struct {
    void (*spoil)(ruled *r);
    const char *message;
  } cases[] = {
#define CASE(name, how, message) {spoil_##name, message},
      SPOILED(CASE)
#undef CASE
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    ruled r;
    qm_error e = {0, ""};
    char expected[192];
    make(&r);
    assert_int_equal(qm_schema_check(&r.x.s, &e), QM_OK);
    cases[i].spoil(&r);
    assert_int_equal(qm_schema_check(&r.x.s, &e), QM_ESCHEMA);
    const char *colon = strstr(cases[i].message, "]: "); /* the end of a place */
    int n = colon ? (int)(colon + 1 - cases[i].message) : 0;
    (void)snprintf(expected, sizeof expected, "collections[0]%s%.*s (household): %s",
                   n ? "." : "", n, cases[i].message, cases[i].message + (n ? n + 2 : 0));
    if (strncmp(e.message, expected, strlen(expected)) != 0)
      fail_msg("%s and not %s", e.message, expected);
  }
}

typedef struct room {
  test_alloc counts;
  qm_env env;
  qm_arena arena;
} room;

static void open_room(room *m) {
  memset(m, 0, sizeof *m);
  m->env = test_alloc_env(&m->counts);
  qm_arena_init(&m->arena, &m->env, ARENA_MAX);
}

static void close_room(room *m) {
  qm_arena_free(&m->arena);
  assert_int_equal(m->counts.live, 0);
}

static void the_form_holds_rules(void **state) {
  (void)state;
  room m;
  ruled r;
  qm_buf form, again;
  const qm_schema *s;
  qm_error e = {0, ""};
  open_room(&m);
  make(&r);
  qm_buf_init(&form, &m.env, QM_SCHEMA_MAX);
  qm_buf_init(&again, &m.env, QM_SCHEMA_MAX);
  qm_schema_encode(&r.x.s, &form);
  assert_int_equal(qm_schema_load(&s, qm_buf_slice(&form), &m.arena, &e), QM_OK);
  assert_int_equal(s->collections[0].n_rules, 4);
  assert_int_equal(s->collections[0].rules[2].most, 7);
  assert_int_equal(s->collections[0].rules[0].most, QM_RULE_MOST);
  assert_int_equal(s->collections[0].rules[2].conditions[1].limit, 50);
  qm_schema_encode(s, &again);
  assert_int_equal(qm_slice_cmp(qm_buf_slice(&form), qm_buf_slice(&again)), 0);
  for (size_t n = 0; n < form.n; n++) /* cut anywhere */
    assert_int_not_equal(qm_schema_load(&s, qm_slice_of(form.p, n), &m.arena, &e), QM_OK);
  qm_buf_free(&form);
  qm_buf_free(&again);
  close_room(&m);
}

/* What a newer form has beyond rules is kept; more than a bounded number is refused. */
static void further_positions_are_kept(void **state) {
  (void)state;
  room m;
  ruled r;
  const qm_schema *s;
  qm_error e = {0, ""};
  open_room(&m);
  for (uint32_t n = 1; n <= 17; n++) {
    static const uint8_t more[17 * 4] = {0xa3, 'n', 'e', 'w'};
    qm_buf form, again;
    uint8_t values[17 * 4];
    make(&r);
    for (uint32_t i = 0; i < n; i++) memcpy(values + 4 * i, more, 4);
    r.x.c[0].n_more = n;
    r.x.c[0].more = qm_slice_of(values, n * 4u);
    if (n % 2) r.x.c[0].n_rules = 0;
    qm_buf_init(&form, &m.env, QM_SCHEMA_MAX);
    qm_buf_init(&again, &m.env, QM_SCHEMA_MAX);
    qm_schema_encode(&r.x.s, &form);
    int rc = qm_schema_load(&s, qm_buf_slice(&form), &m.arena, &e);
    assert_int_equal(rc, n <= 16 ? QM_OK : QM_EFORMAT);
    if (rc == QM_OK) {
      assert_int_equal(s->collections[0].n_more, n);
      qm_schema_encode(s, &again);
      assert_int_equal(qm_slice_cmp(qm_buf_slice(&form), qm_buf_slice(&again)), 0);
    }
    qm_buf_free(&form);
    qm_buf_free(&again);
  }
  close_room(&m);
}

static int last_delta(void *payload, const qm_schema_delta *d) {
  *(qm_schema_delta_kind *)payload = d->kind;
  assert_null(d->why);
  return QM_OK;
}

/* Rules may come, change and go. */
static void rules_may_change(void **state) {
  (void)state;
  for (int way = 0; way < 5; way++) {
    ruled a, b;
    qm_error e = {0, ""};
    qm_schema_delta_kind kind = QM_DELTA_COUNT;
    make(&a);
    make(&b);
    b.x.s.version++;
    if (way == 0) a.x.c[0].n_rules = 0;
    if (way == 1) b.x.c[0].n_rules = 2;
    if (way == 2) b.rules[0].weight = 99;
    if (way == 3) b.when[1][1].limit = 80;
    if (way == 4) b.x.c[0].n_more = 1, b.x.c[0].more = qm_slice_of("\xc0", 1);
    assert_int_equal(qm_schema_grows(&a.x.s, &b.x.s, &e), QM_OK);
    assert_int_equal(qm_schema_diff(&a.x.s, &b.x.s, last_delta, &kind), QM_OK);
    assert_int_equal(kind, way == 4 ? QM_DELTA_UNKNOWN : QM_DELTA_DUPLICATES);
  }
}

/* ---- keys ---- */

static uint64_t seed;

static uint32_t below(uint32_t n) { /* splitmix64 */
  uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)((z ^ (z >> 31)) % n);
}

static const char *const texts[] = {"a", "b", "ab", "abc", "abd", "王小明", "王晓明", "王明"};

/* Values that often meet: few texts, points and times near a place of the whole earth. */
static void random_list(uint8_t match, uint32_t limit, const int64_t origin[3],
                        qm_alike_list *to) {
  memset(to, 0, sizeof *to);
  if (match <= QM_MATCH_SIMILAR) {
    to->n = below(QM_ALIKE_VALUES + 1);
    for (uint32_t i = 0; i < to->n; i++) to->v[i].text = str(texts[below(COUNT(texts))]);
    return;
  }
  to->n = below(8) > 0;
  int64_t spread = match == QM_MATCH_NEAR ? (int64_t)limit * 180 + 1 : (int64_t)limit * 3600000;
  for (int x = 0; x < 2; x++)
    to->v[0].n[x] = origin[x] + (int64_t)below((uint32_t)(3 * spread)) - spread;
  to->v[0].n[2] = match == QM_MATCH_NEAR ? 1 + below(4) / 3 : 0;
  if (match == QM_MATCH_WITHIN) to->v[0].n[1] = 0;
}

static int shares(const uint64_t *a, uint32_t n, const uint64_t *b, uint32_t m, uint32_t rule) {
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < m; k++)
      if (a[i] == b[k] && qm_alike_key_rule(a[i]) == rule) return 1;
  return 0;
}

static void random_alike(const qm_collection_def *c, const int64_t origin[3], qm_alike *out) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < c->n_rules; i++)
    for (uint32_t k = 0; k < c->rules[i].n_conditions; k++)
      random_list(c->rules[i].conditions[k].match, c->rules[i].conditions[k].limit, origin,
                  &out->lists[at++]);
  out->n = at;
}

static void check_pair(const qm_collection_def *c, const qm_alike *a, const qm_alike *b,
                       qm_arena *arena, uint32_t held[4]) {
  uint64_t *keys[2];
  uint32_t n[2];
  qm_alike_match match, back;
  assert_int_equal(qm_alike_keys(c, a, arena, &keys[0], &n[0]), QM_OK);
  assert_int_equal(qm_alike_keys(c, b, arena, &keys[1], &n[1]), QM_OK);
  for (uint32_t i = 1; i < n[0]; i++) assert_true(keys[0][i - 1] < keys[0][i]);
  assert_true(!n[0] || keys[0][n[0] - 1] <= INT64_MAX);
  assert_int_equal(n[0] == 0, qm_alike_empty(c, a));
  qm_alike_compare(c, a, b, UINT32_MAX, &match);
  qm_alike_compare(c, b, a, UINT32_MAX, &back);
  assert_memory_equal(&match, &back, sizeof match);
  assert_true(match.score <= 100 && (match.n > 0) == (match.score > 0));
  for (uint32_t i = 0; i < match.n; i++) {
    uint32_t rule = match.reasons[i].rule;
    held[rule]++;
    if (!shares(keys[0], n[0], keys[1], n[1], rule)) fail_msg("rule %u without a key", rule);
    qm_alike_compare(c, a, b, 1u << rule, &back); /* alone it says the same of itself */
    assert_int_equal(back.n, 1);
    assert_int_equal(back.score, match.reasons[i].score);
  }
}

/* Whatever the limits and wherever on earth. */
static void who_is_alike_shares_a_key(void **state) {
  (void)state;
  uint32_t held[4] = {0, 0, 0, 0};
  qm_alike_list lists[2][7];
  seed = 1;
  for (uint64_t i = 0; i < 100000; i++) {
    room m;
    ruled r;
    open_room(&m);
    make(&r);
    r.when[2][1].limit = 1 + below(4) * below(30000);
    r.when[2][2].limit = 1 + below(100);
    r.when[1][1].limit = 1 + below(100);
    const int64_t origin[3] = {(int64_t)below(1700000000) - 850000000,
                               (int64_t)below(3400000000u) - 1700000000, 1};
    qm_alike a = {lists[0], 0}, b = {lists[1], 0};
    random_alike(&r.x.c[0], origin, &a);
    random_alike(&r.x.c[0], origin, &b);
    check_pair(&r.x.c[0], &a, &b, &m.arena, held);
    close_room(&m);
  }
  for (int i = 0; i < 4; i++) assert_true(held[i] > 200); /* each rule was put to the test */
}

/* As bytes and back; what is cut, or of other rules, is refused. */
static void features_are_bytes(void **state) {
  (void)state;
  qm_alike_list lists[7];
  seed = 5;
  for (int i = 0; i < 500; i++) {
    room m;
    ruled r;
    qm_buf b, again;
    qm_alike a = {lists, 0}, back;
    const int64_t origin[3] = {312000000, 1214000000, 1};
    open_room(&m);
    make(&r);
    random_alike(&r.x.c[0], origin, &a);
    qm_buf_init(&b, &m.env, 65536);
    qm_buf_init(&again, &m.env, 65536);
    qm_alike_encode(&r.x.c[0], &a, &b);
    assert_int_equal(qm_alike_decode(&r.x.c[0], qm_buf_slice(&b), &m.arena, &back), QM_OK);
    qm_alike_encode(&r.x.c[0], &back, &again);
    assert_int_equal(qm_slice_cmp(qm_buf_slice(&b), qm_buf_slice(&again)), 0);
    for (size_t n = 0; n < b.n; n++)
      assert_int_equal(qm_alike_decode(&r.x.c[0], qm_slice_of(b.p, n), &m.arena, &back),
                       QM_ECORRUPT);
    r.x.c[0].n_rules = 3;
    assert_int_equal(qm_alike_decode(&r.x.c[0], qm_buf_slice(&b), &m.arena, &back), QM_ECORRUPT);
    qm_buf_free(&b);
    qm_buf_free(&again);
    close_room(&m);
  }
}

/* ---- distances and scores ---- */

static void distances(void **state) {
  (void)state;
  static const struct {
    int64_t a[3], b[3];
    double metres;
  } table[] = {
      {{0, 0, 1}, {0, 0, 1}, 0},
      {{312000000, 1214000000, 1}, {312010000, 1214000000, 1}, 111.2},
      {{312000000, 1214000000, 1}, {312000000, 1214010000, 1}, 95.1}, /* cos 31.2 is 0.8554 */
      {{600000000, 0, 1}, {600000000, 10000, 1}, 55.6},               /* cos 60 is a half */
      {{-600000000, 0, 1}, {-600000000, 10000, 1}, 55.6},
      {{0, -5000, 1}, {0, 5000, 1}, 111.2},
  };
  for (size_t i = 0; i < COUNT(table); i++) {
    double square = qm__alike_metres2(table[i].a, table[i].b), m = table[i].metres;
    assert_true(square >= (m - 0.1) * (m - 0.1) * (m > 0) && square <= (m + 0.1) * (m + 0.1));
  }
}

static void one_text(qm_alike_list *to, const char *text) {
  to->n = 1;
  to->v[0].text = str(text);
}

/* Evidence adds up and never passes 100; a similar value counts for less. */
static void scores(void **state) {
  (void)state;
  ruled r;
  qm_alike_list la[7] = {{.n = 0}}, lb[7] = {{.n = 0}};
  qm_alike a = {la, 7}, b = {lb, 7};
  qm_alike_match match;
  make(&r);
  r.when[1][1].limit = 0; /* 60 % */
  one_text(&la[0], "1");
  one_text(&lb[0], "1");
  qm_alike_compare(&r.x.c[0], &a, &b, UINT32_MAX, &match);
  assert_int_equal(match.score, 50);
  one_text(&la[1], "x");
  one_text(&lb[1], "x");
  one_text(&la[2], "王小明");
  one_text(&lb[2], "王晓明");
  qm_alike_compare(&r.x.c[0], &a, &b, UINT32_MAX, &match);
  assert_int_equal(match.n, 2);
  assert_int_equal(match.reasons[1].score, 33); /* 66 % of 51 */
  assert_int_equal(match.reasons[1].measure[1], 66);
  assert_int_equal(match.score, 67); /* 1 - 0.5 * 0.67, rounded up */
  qm_alike_compare(&r.x.c[0], &a, &b, 1u << 1, &match); /* the other's value says nothing */
  assert_int_equal(match.score, 33);
  r.when[1][1].limit = 67;
  qm_alike_compare(&r.x.c[0], &a, &b, UINT32_MAX, &match);
  assert_int_equal(match.n, 1);
  r.rules[0].weight = r.rules[1].weight = 100;
  one_text(&lb[2], "王小明");
  qm_alike_compare(&r.x.c[0], &a, &b, UINT32_MAX, &match);
  assert_int_equal(match.score, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spoiled_rules_are_refused), cmocka_unit_test(the_form_holds_rules),
      cmocka_unit_test(further_positions_are_kept), cmocka_unit_test(rules_may_change),
      cmocka_unit_test(who_is_alike_shares_a_key), cmocka_unit_test(features_are_bytes),
      cmocka_unit_test(distances),                 cmocka_unit_test(scores)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
