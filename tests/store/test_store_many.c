/* The verbs of core/store.h that take many at once, on every store: stores work through them in
 * parts, and a part may end anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/store/support_store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK(call) assert_int_equal(call, QM_OK)
#define MOST 130u

static const size_t counts[] = {1, 2, 31, 32, 33, 63, 64, 65, 100, MOST};
static test_store t;
static char words[MOST][40];

static void begin(void) { OK(t.ops->begin(t.s)); }
static void commit(void) { OK(t.ops->commit(t.s, QM_RELAXED, NULL, NULL)); }

typedef struct wanted {
  const qm_id *ids; /* in this order, without those that are not there */
  size_t n, at;
  const char *word;
} wanted;

static int is_there(uint32_t n) { return n % 3 != 0; }

static uint32_t number_of(const qm_id *id) {
  for (uint32_t i = 0; i < 2 * MOST; i++) {
    qm_id other = id_of(i);
    if (qm_id_cmp(id, &other) == 0) return i;
  }
  return UINT32_MAX;
}

static int is_next(void *payload, const qm_record_row *row) {
  wanted *w = payload;
  char state[40];
  while (w->at < w->n && !is_there(number_of(&w->ids[w->at]))) w->at++;
  assert_true(w->at < w->n);
  assert_int_equal(qm_id_cmp(&row->id, &w->ids[w->at]), 0);
  snprintf(state, sizeof state, "%s%u", w->word, number_of(&row->id));
  assert_int_equal(row->state.n, strlen(state));
  assert_memory_equal(row->state.p, state, row->state.n);
  w->at++;
  return QM_OK;
}

static void save(const char *word, size_t n) {
  qm_record_row rows[MOST];
  size_t count = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (!is_there(i)) continue;
    snprintf(words[i], sizeof words[i], "%s%u", word, i);
    rows[count++] = record_of(i, 1 + i % 2, words[i]);
  }
  begin();
  OK(t.ops->record_save(t.s, 1, rows, count));
  commit();
}

static void load(const char *word, size_t n) {
  qm_id ids[MOST] = {{{0}}};
  for (uint32_t i = 0; i < n; i++) ids[i] = id_of((uint32_t)n - 1 - i);
  wanted w = {ids, n, 0, word};
  OK(t.ops->record_load(t.s, 1, ids, n, is_next, &w));
  while (w.at < n && !is_there(number_of(&ids[w.at]))) w.at++;
  assert_int_equal(w.at, n);
}

static void records(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT(counts); k++) {
    save("a", counts[k]);
    load("a", counts[k]);
    save("longer than before ", counts[k]);
    load("longer than before ", counts[k]);
  }
}

static void creation_dots(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT(counts); k++) {
    qm_creation_row rows[MOST];
    qm_dot dots[MOST];
    qm_id ids[MOST];
    uint8_t found[MOST];
    size_t count = 0, n = counts[k];
    uint32_t author = (uint32_t)k;
    for (uint32_t i = 0; i < n; i++) {
      dots[i] = (qm_dot){.counter = i, .author = author};
      if (is_there(i)) rows[count++] = (qm_creation_row){dots[i], id_of(i)};
    }
    begin();
    OK(t.ops->creation_put(t.s, 1, rows, count));
    commit();
    OK(t.ops->creation_find(t.s, 1, dots, n, ids, found));
    for (uint32_t i = 0; i < n; i++) {
      assert_int_equal(found[i], is_there(i));
      if (found[i]) assert_int_equal(number_of(&ids[i]), i);
    }
  }
}

static int is_row(void *payload, const qm_log_row *row) {
  *(uint64_t *)payload = row->seq;
  return QM_OK;
}

static void log_of_each(void **state) {
  (void)state;
  uint64_t rows[COUNT(counts)];
  qm_id ids[MOST];
  for (uint32_t i = 0; i < MOST; i++) ids[i] = id_of(i);
  begin();
  for (size_t k = 0; k < COUNT(counts); k++) {
    qm_segment_row g = {0, k, k + 1};
    qm_log_row row = {.batch = SLICE("batch"),
                      .segments = &g,
                      .n_segments = 1,
                      .records = ids,
                      .n_records = (uint32_t)counts[k]};
    OK(t.ops->log_append(t.s, 1, &row, &rows[k]));
  }
  commit();
  for (uint32_t i = 0; i < MOST; i++) {
    uint64_t after = 0;
    for (size_t k = 0; k < COUNT(counts); k++) {
      if (i >= counts[k]) continue;
      OK(t.ops->log_of(t.s, 1, &ids[i], after, is_row, &after));
      assert_int_equal(after, rows[k]);
    }
    assert_int_equal(t.ops->log_of(t.s, 1, &ids[i], after, is_row, &after), QM_ENOTFOUND);
  }
}

static const struct CMUnitTest suite[] = {
    cmocka_unit_test(records),
    cmocka_unit_test(creation_dots),
    cmocka_unit_test(log_of_each),
};

/* On each kind of store. */
static int run(const char *name, store_kind kind) {
  return test_store_run(name, kind, &t, NULL, suite, COUNT(suite));
}

int main(void) {
  return run("many: memory", STORE_MEM) + run("many: sqlite", STORE_SQLITE);
}
