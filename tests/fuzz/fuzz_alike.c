/* What likely duplicates are compared by: forms of any text, and stored features. */
#include <string.h>

#include "core/alike.h"
#include "core/norm.h"
#include "core/similar.h"
#include "tests/fuzz/fuzz.h"

static const qm_condition_def when[] = {{16, QM_MATCH_PHONE, 0}, {17, QM_MATCH_SIMILAR, 60},
                                        {18, QM_MATCH_NEAR, 50}, {19, QM_MATCH_WITHIN, 48}};
static const qm_rule_def rules[] = {
    {.weight = 70, .most = 32, .conditions = when, .n_conditions = 2},
    {.weight = 60, .most = 32, .conditions = when + 2, .n_conditions = 2}};
static const qm_collection_def collection = {.rules = rules, .n_rules = 2};

static void form(void (*make)(qm_buf *, qm_slice), qm_slice text, qm_buf *out) {
  qm_buf_clear(out);
  make(out, text);
  FUZZ_OK(qm_buf_status(out));
  FUZZ_CHECK(qm_utf8_check(qm_buf_slice(out), NULL));
}

/* A form is its own form: what was entered as it is printed here compares the same. */
static void check_forms(qm_slice text, qm_buf *a, qm_buf *b) {
  char phones[QM_PHONES_MAX][QM_PHONE_MAX];
  uint32_t n = qm_similar_phones(text, phones);
  FUZZ_CHECK(n <= QM_PHONES_MAX);
  for (uint32_t i = 0; i < n; i++) {
    size_t digits = strlen(phones[i]);
    FUZZ_CHECK(digits >= 5 && strspn(phones[i], "0123456789") == digits);
  }
  form(qm_similar_text, text, a);
  form(qm_similar_text, qm_buf_slice(a), b);
  FUZZ_SAME(qm_buf_slice(a), qm_buf_slice(b));
  form(qm_similar_address, text, a);
  FUZZ_CHECK(!a->n || (a->p[0] != '-' && a->p[a->n - 1] != '-'));
}

static void check_features(qm_slice in, qm_arena *arena, qm_buf *b) {
  qm_alike a;
  qm_alike_match match;
  uint64_t *keys;
  uint32_t n;
  int rc = qm_alike_decode(&collection, in, arena, &a);
  if (rc != QM_OK) {
    FUZZ_CHECK(rc == QM_ECORRUPT);
    return;
  }
  qm_buf_clear(b);
  qm_alike_encode(&collection, &a, b);
  FUZZ_SAME(qm_buf_slice(b), in);
  FUZZ_OK(qm_alike_keys(&collection, &a, arena, &keys, &n));
  qm_alike_compare(&collection, &a, &a, UINT32_MAX, &match);
  FUZZ_CHECK((match.n > 0) == (n > 0) && match.score <= 100);
}

void fuzz_alike(qm_slice in) {
  qm_buf a, b;
  qm_arena arena;
  qm_arena_init(&arena, fuzz_env(), 16u << 20);
  qm_buf_init(&a, fuzz_env(), 1u << 20);
  qm_buf_init(&b, fuzz_env(), 1u << 20);
  check_features(in, &arena, &b);
  check_forms(in, &a, &b);
  qm_slice one = fuzz_piece(&in);
  unsigned there = qm_similar(one, in), back = qm_similar(in, one);
  FUZZ_CHECK(there == back && there <= 100);
  FUZZ_CHECK((there == 100) == (one.n > 0 && qm_slice_cmp(one, in) == 0));
  qm_buf_free(&a);
  qm_buf_free(&b);
  qm_arena_free(&arena);
}
