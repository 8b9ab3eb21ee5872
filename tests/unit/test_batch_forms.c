/* The forms of a batch: with words, without, in version 1; and its heads alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/batch.h"
#include "core/mp.h"
#include "core/words.h"
#include "tests/unit/support_batch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* SHA-256 of the words of number 1. */
#define WORDS_HASH "ec39c119fad590ccb4e3df12a0d4ee02f1ce8550409492026f07076be8646074"

static qm_env plain;
static const uint8_t one[] = {1};

static int decode_any(qm_slice blob, qm_arena *arena, qm_authors *authors, qm_batch *out) {
  qm_batch_in in;
  QM_TRY(qm_batch_open(&in, blob, arena));
  QM_TRY(qm_authors_add_all(authors, in.authors, in.n_authors, in.map));
  return qm_batch_read(&in, out);
}

static qm_buf encoded_as(const qm_batch *b, const qm_authors *authors, int level,
                         qm_batch_form form) {
  qm_buf out;
  qm_buf_init(&out, &plain, QM_BATCH_MAX);
  assert_int_equal(qm_batch_encode_as(&out, b, authors, level, form), QM_OK);
  return out;
}

/* S5.25: fixtures/dictionary is the text, and no release has another of that number. */
static void words_are_those_of_the_text(void **state) {
  char line[8192];
  qm_hash hash, expected;
  qm_buf text;
  (void)state;
  qm_buf_init(&text, &plain, 1u << 20);
  FILE *f = fopen("fixtures/dictionary/words.txt", "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '#') continue;
    if (strncmp(line, "= ", 2) != 0) {
      qm_buf_add(&text, line, strlen(line));
      continue;
    }
    for (char *w = line + 2; *w;) {
      size_t n = strcspn(w, " ");
      qm_mp_str(&text, w, n);
      w += n + (w[n] != 0);
    }
  }
  (void)fclose(f);
  qm_slice words = qm__words(QM__WORDS);
  assert_int_equal(qm_slice_cmp(words, qm_buf_slice(&text)), 0);
  assert_int_equal(qm__words(0).n + qm__words(2).n + qm__words(255).n, 0);
  qm_sha256(words.p, words.n, &hash);
  assert_int_equal(qm_unhex(expected.b, sizeof expected.b, WORDS_HASH, 64), QM_OK);
  assert_memory_equal(hash.b, expected.b, sizeof hash.b);
  qm_buf_free(&text);
}

/* Where a file holds what the text holds, eight Chinese characters long. */
static int shares(const char *path, qm_slice words) {
  enum { RUN = 8 * 3 };
  static char file[1u << 20];
  char run[RUN + 1] = {0};
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  size_t n = fread(file, 1, sizeof file - 1, f);
  (void)fclose(f);
  file[n] = 0;
  for (size_t at = 0; at + RUN <= words.n; at++) {
    size_t i = 0;
    while (i < RUN && words.p[at + i] >= 0xe4 && words.p[at + i] <= 0xe9) i += 3;
    memcpy(run, words.p + at, RUN);
    if (i >= RUN && strstr(file, run)) return 1;
  }
  return 0;
}

/* fixtures/dictionary/README.md: it would be no measurement. */
static void words_are_not_those_of_the_generators(void **state) {
  (void)state;
  assert_int_equal(shares("fixtures/traces/gen-village.mjs", qm__words(QM__WORDS)), 0);
  assert_int_equal(shares("fixtures/traces/gen-day.mjs", qm__words(QM__WORDS)), 0);
  assert_int_equal(shares("fixtures/dictionary/words.txt", qm__words(QM__WORDS)), 1);
}

/* One change of n writes of what a clerk writes. */
static qm_buf clerk(qm_batch_form form, uint32_t n) {
  static const char *const said[] = {"路灯不亮", "已上报街道，等待维修", "楼道堆放杂物，已劝离",
                                     "三组12号门前", "井盖破损，存在安全隐患"};
  world w;
  qm_op ops[64];
  qm_salt seed = {0, n, {0}};
  qm_change c = {.next = n, .time = UINT64_C(1700000000000) << 16, .ops = ops, .n_ops = n};
  qm_segment s = {.next = n, .changes = &c, .n_changes = 1, .n_ops = n, .salts = &seed,
                  .n_salts = 1, .algorithm = 1};
  qm_batch b = {&s, 1};
  world_init(&w, &plain, 1);
  memset(ops, 0, sizeof ops);
  for (uint32_t i = 0; i < n; i++) {
    qm_buf v;
    qm_buf_init(&v, &plain, 100);
    qm_mp_str(&v, said[i % COUNT(said)], strlen(said[i % COUNT(said)]));
    ops[i] = (qm_op){.counter = i, .span = 1, .shape = QM_SIBLINGS, .field = 16 + i};
    ops[i].record = w.records[0];
    ops[i].value.p = qm_arena_copy(&w.arena, v.p, v.n);
    ops[i].value.n = v.n;
    qm_buf_free(&v);
  }
  qm_buf out = encoded_as(&b, &w.authors, 15, form);
  world_free(&w);
  return out;
}

/* S5.1: words are said by number where they help; a small back goes without. */
static void words_make_it_smaller(void **state) {
  (void)state;
  qm_buf with = clerk(QM_BATCH_WORDS, 20), without = clerk(QM_BATCH_PLAIN, 20);
  qm_buf few = clerk(QM_BATCH_WORDS, 2);
  assert_true(with.n + 40 < without.n);
  assert_int_equal(with.p[1], 3);
  assert_int_equal(with.p[2], QM__WORDS);
  assert_int_equal(without.p[1], 1);
  assert_int_equal(few.p[1] & 2, 0);
  /* The same without saying so, or of other words, is no batch or another. */
  for (unsigned flags = 0; flags < 2; flags++) {
    qm_arena arena;
    qm_authors authors;
    qm_batch got;
    qm_buf bad;
    qm_buf_init(&bad, &plain, QM_BATCH_MAX);
    qm_buf_byte(&bad, 2);
    qm_buf_byte(&bad, (uint8_t)flags);
    qm_buf_add(&bad, with.p + 3, with.n - 3);
    qm_arena_init(&arena, &plain, SIZE_MAX);
    qm_authors_init(&authors, &plain);
    assert_int_not_equal(decode_any(qm_buf_slice(&bad), &arena, &authors, &got), QM_OK);
    qm_authors_free(&authors);
    qm_arena_free(&arena);
    qm_buf_free(&bad);
  }
  qm_buf_free(&with);
  qm_buf_free(&without);
  qm_buf_free(&few);
}

/* S5.2: what version 2 takes fits version 1, up to the last byte. */
static void the_largest_can_be_made_old(void **state) {
  world w;
  (void)state;
  world_init(&w, &plain, 7);
  uint32_t n = 30000;
  qm_op *ops = qm_arena_zero(&w.arena, n * sizeof *ops);
  qm_change *changes = qm_arena_zero(&w.arena, 10000 * sizeof *changes);
  uint8_t *noise = qm_arena_alloc(&w.arena, 70000);
  for (uint32_t i = 0; i < 70000; i++) noise[i] = (uint8_t)world_below(&w, 256);
  noise[0] = 0xc5;
  qm_segment s = {.next = 0, .changes = changes, .n_changes = 10000, .algorithm = 1};
  for (uint32_t i = 0; i < n; i++) {
    ops[i] = (qm_op){.counter = i, .span = 1, .shape = QM_SIBLINGS, .field = 1 + i % 7};
    ops[i].record.b[0] = 1;
    ops[i].value = qm_slice_of(one, 1);
  }
  uint32_t last = 0;
  for (uint32_t size = 1000; size < 65536; size = size * 3 / 2) { /* until it fits no more */
    for (uint32_t i = 0; i < 10000; i++)
      changes[i] = (qm_change){.counter = 3 * i, .next = 3 * i + 3, .n_ops = 3, .ops = ops + 3 * i,
                               .time = (UINT64_C(1700000000000) + 300000ull * i) << 16};
    s.next = s.n_ops = n;
    qm_salt seed = {0, n, {0}};
    s.salts = &seed;
    s.n_salts = 1;
    noise[1] = (uint8_t)(size >> 8);
    noise[2] = (uint8_t)size;
    for (uint32_t i = 0; i < 18; i++) ops[i * 100].value = qm_slice_of(noise, 3 + size);
    qm_batch b = {&s, 1};
    qm_buf out;
    qm_buf_init(&out, &plain, QM_BATCH_MAX);
    int rc = qm_batch_encode_as(&out, &b, &w.authors, 1, QM_BATCH_PLAIN);
    if (rc == QM_OK) assert_int_equal(qm_batch_make_old(&out), QM_OK);
    else assert_int_equal(rc, QM_ELIMIT);
    if (rc == QM_OK) assert_int_equal(out.p[0], 1);
    if (rc == QM_OK) last = size;
    qm_buf_free(&out);
  }
  assert_true(last >= 1000 && last < 65536 * 2 / 3);
  world_free(&w);
}

/* Heads come without decompressing, and say what the log's index needs. */
static void heads_are_read_alone(void **state) {
  world w;
  qm_arena arena;
  qm_batch_in in;
  qm_batch got;
  (void)state;
  world_init(&w, &plain, 12);
  qm_arena_init(&arena, &plain, SIZE_MAX);
  qm_batch b = world_batch(&w, 9, 3);
  qm_buf blob = encoded_as(&b, &w.authors, 0, QM_BATCH_WORDS);
  assert_int_equal(qm_batch_heads(qm_buf_slice(&blob), &arena, &in), QM_OK);
  assert_int_equal(in.n_segments, b.n_segments);
  for (uint32_t i = 0; i < in.n_segments; i++) {
    const qm_batch_head *h = &in.segments[i];
    const qm_segment *s = &b.segments[i];
    assert_memory_equal(in.authors[h->author].b, w.authors.ids[s->author].b, QM_AUTHOR_SIZE);
    assert_true(h->start == s->start && h->next == s->next && h->n_changes == s->n_changes);
    assert_memory_equal(h->previous, s->previous, QM_HEAD_SIZE);
    assert_memory_equal(h->head, s->head, QM_HEAD_SIZE);
  }
  assert_int_equal(qm_batch_read(&in, &got), QM_ESTATE);
  /* A back that is damaged does not matter to them. */
  blob.p[blob.n - 1] ^= 0xff;
  assert_int_equal(qm_batch_heads(qm_buf_slice(&blob), &arena, &in), QM_OK);
  qm_buf_free(&blob);
  qm_arena_free(&arena);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_are_those_of_the_text),
      cmocka_unit_test(words_are_not_those_of_the_generators),
      cmocka_unit_test(words_make_it_smaller),
      cmocka_unit_test(the_largest_can_be_made_old),
      cmocka_unit_test(heads_are_read_alone),
  };
  plain = qm_env_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
