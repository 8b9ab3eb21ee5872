/* The same random transactions on every store leave the same content, whether they are
 * committed or rolled back, and every function gives the same code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/store/support_store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SPACES 3
#define STORES 2

static test_store stores[STORES];

static int put_part(void *payload, uint32_t part, qm_slice content) {
  test_store *t = payload;
  qm_record_row row = record_of(100 + part, 1, "");
  row.state = content;
  return t->ops->record_save(t->s, 1 + part % SPACES, &row, 1);
}

typedef struct step {
  uint32_t what, space, a, b, c;
  char word[8];
} step;

static step draw_step(uint64_t *seed) {
  step s = {draw(seed, 20), 1 + draw(seed, SPACES), draw(seed, 12),
            draw(seed, 3),  draw(seed, 40),         ""};
  uint32_t n = draw(seed, 7);
  for (uint32_t i = 0; i < n; i++) s.word[i] = (char)('a' + draw(seed, 26));
  return s;
}

static int log_step(test_store *t, const step *s) {
  qm_segment_row segments[] = {{s->a % 4, s->c, s->c + 1 + s->b}, {s->b, s->c / 2, s->c}};
  qm_log_row row = {.batch = slice_of(s->word), .segments = segments, .n_segments = 1 + s->a % 2};
  uint64_t seq = 0;
  int rc = t->ops->log_append(t->s, s->space, &row, &seq);
  return rc == QM_OK ? (int)seq : rc;
}

static int cut_step(test_store *t, const step *s) {
  uint64_t next[] = {s->c, s->c, s->a, s->b};
  qm_vv vv = vv_of(&t->env, next, COUNT(next));
  int rc = t->ops->log_cut(t->s, s->space, &vv, NULL);
  qm_free(&t->env, vv.next);
  return rc;
}

typedef struct neighbours {
  qm_segment_row segments[64];
  uint32_t n, rows, skip;
  uint64_t first, last;
} neighbours;

static int note_row(void *payload, const qm_log_row *row) {
  neighbours *x = payload;
  if (x->skip) {
    x->skip--;
    return QM_OK;
  }
  if (x->rows == 3 || x->n + row->n_segments > COUNT(x->segments)) return QM_STORE_STOP;
  if (!x->rows++) x->first = row->seq;
  x->last = row->seq;
  for (uint32_t i = 0; i < row->n_segments; i++) x->segments[x->n++] = row->segments[i];
  return QM_OK;
}

/* Up to three rows become one; sometimes one segment is missing, and it is refused. */
static int repack_step(test_store *t, const step *s) {
  neighbours x = {.skip = s->a};
  qm_id record = id_of(s->a);
  QM_TRY(t->ops->log_sizes(t->s, s->space, note_row, &x));
  qm_log_row row = {x.last, slice_of(s->word), x.segments, x.n - (x.n && s->c == 7), s->b, &record};
  if (row.n_records > 1) row.n_records = 1;
  return t->ops->log_repack(t->s, s->space, x.first, &row, 1);
}

/* Now and then one that is behind, and refused. */
static int feed_step(test_store *t, const step *s, const qm_id *id, qm_slice word) {
  qm_feed_row row = {0, s->space, *id, word};
  QM_TRY(t->ops->feed_last(t->s, &row.seq));
  row.seq += s->c % 5;
  return t->ops->feed_put(t->s, &row, 1);
}

static int apply(test_store *t, const step *s) {
  const qm_store_ops *o = t->ops;
  qm_slice word = slice_of(s->word);
  qm_space_row space = {s->space, id_of(s->c), word};
  qm_author_row author = author_row_of(s->a, s->c);
  qm_record_row record = record_of(s->c, s->b, s->word);
  qm_creation_row creation = {{s->c, s->b}, id_of(s->a)};
  qm_slice keys[] = {SLICE("k3"), s->a & 1 ? SLICE("k4") : SLICE("k3"), SLICE("k9")};
  qm_id id = id_of(s->a);
  qm_open_row change = {s->c, word};
  switch (s->what) {
    case 0: return o->meta_put(t->s, qm_slice_of("meta", s->b + 1), word);
    case 1: return s->c == 0 ? o->space_drop(t->s, s->space) : o->space_put(t->s, &space);
    case 2: return o->author_put(t->s, s->space, &author);
    case 3:
    case 4:
    case 5: return o->record_save(t->s, s->space, &record, 1);
    case 6: return o->creation_put(t->s, s->space, &creation, 1);
    case 7: return o->key_put(t->s, s->space, s->b, &id, keys, s->c % 4);
    case 8:
    case 9: return log_step(t, s);
    case 10: return s->a ? log_step(t, s) : cut_step(t, s);
    case 11: return o->log_replace(t->s, s->space, s->c / 4, word);
    case 12: return s->a ? o->open_append(t->s, s->space, &change) : o->open_clear(t->s, s->space);
    case 17: return o->aside_put(t->s, s->space, qm_slice_of("aside", s->b + 1), word);
    case 18: return o->local_put(t->s, s->space, qm_slice_of("local", s->b + 1), word);
    case 19: return repack_step(t, s);
    case 13:
      return s->c & 3 ? o->stage_part(t->s, s->space, s->b, word)
                      : o->stage_begin(t->s, s->space, qm_slice_of("mmm", s->b));
    case 15:
    case 16: return feed_step(t, s, &id, word);
    default:
      return s->c ? o->stage_part(t->s, s->space, s->a, word)
                  : o->stage_swap(t->s, s->space, put_part, t);
  }
}

static void all_alike(void) {
  static text first, other;
  text_dump(&first, &stores[0], SPACES);
  for (int i = 1; i < STORES; i++) {
    text_dump(&other, &stores[i], SPACES);
    assert_string_equal(first.b, other.b);
  }
}

static void transaction(uint64_t *seed) {
  for (int i = 0; i < STORES; i++) assert_int_equal(stores[i].ops->begin(stores[i].s), QM_OK);
  for (uint32_t n = draw(seed, 30); n > 0; n--) {
    step s = draw_step(seed);
    int rc = apply(&stores[0], &s);
    for (int i = 1; i < STORES; i++) assert_int_equal(apply(&stores[i], &s), rc);
  }
  int undo = draw(seed, 4) == 0;
  if (draw(seed, 4) == 0) all_alike();
  for (int i = 0; i < STORES; i++) {
    const qm_store_ops *o = stores[i].ops;
    if (undo)
      o->rollback(stores[i].s);
    else
      assert_int_equal(o->commit(stores[i].s, QM_RELAXED, NULL, NULL), QM_OK);
  }
  all_alike();
}

static void stores_hold_the_same(void **state) {
  (void)state;
  for (uint64_t run = 1; run <= 6; run++) {
    uint64_t seed = run * 1000;
    test_store_open(&stores[0], STORE_MEM);
    test_store_open(&stores[1], STORE_SQLITE_RELAXED);
    for (int i = 0; i < 60; i++) transaction(&seed);
    for (int i = 0; i < STORES; i++) {
      assert_int_equal(stores[i].ops->check(stores[i].s, NULL), QM_OK);
      test_store_close(&stores[i]);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(stores_hold_the_same)};
  return cmocka_run_group_tests_name("stores alike", tests, NULL, NULL);
}
