/* (S20.1, S20.3) After random histories of several replicas, with cut syncs, deletes, restores,
 * merges, keys that meet, states, restarts and cancelled transactions, the review list made
 * from the index is the one that a look at every record gives; so after the index was made
 * anew, and on a store that had none. What is no conflict any more is not noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/review.h"
#include "core/space.h"
#include "support_world.h"

#define DEVICES 4
#define RECORDS 6
#define LINES_MAX 512

static const char *const names[] = {"R0", "R1", "R2", "R3", "R4", "R5"};
static const char *const words[] = {"x", "yy", "户主", "Z"};
static const char *const keys[] = {"12", "13", " 12 ", "14"};
static const char *const states[] = {"open", "assigned", "closed"};

typedef struct list {
  qm_space *s;
  char lines[LINES_MAX][64];
  unsigned n;
} list;

static int take(void *payload, const qm_conflict *c) {
  list *l = payload;
  uint8_t code[QM_CONFLICT_CODE];
  char hex[2 * QM_CONFLICT_CODE + 1];
  assert_true(l->n < LINES_MAX);
  assert_true(c->severity >= QM_SEVERITY_LOW && c->severity <= QM_SEVERITY_HIGH);
  qm_conflict_code(l->s, c, code);
  qm_hex(hex, code, sizeof code);
  snprintf(l->lines[l->n++], 64, "%s %d %u %u", hex, (int)c->cls, c->field ? c->field->number : 0,
           c->of->n);
  return QM_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static void collect(device *d, int scan, list *out) {
  out->s = d->space;
  out->n = 0;
  assert_int_equal(scan ? qm_review_scan(d->engine, d->space, take, out)
                        : qm_review_each(d->engine, d->space, 0, NULL, take, out),
                   QM_OK);
  qsort(out->lines, out->n, sizeof *out->lines, by_text);
}

static unsigned check(device *d) {
  static list index, scan;
  collect(d, 0, &index);
  collect(d, 1, &scan);
  for (unsigned i = 0; i < index.n && i < scan.n; i++)
    assert_string_equal(index.lines[i], scan.lines[i]);
  assert_int_equal(index.n, scan.n);
  for (unsigned i = 1; i < scan.n; i++) assert_string_not_equal(scan.lines[i], scan.lines[i - 1]);
  return scan.n;
}

static void allow(int rc) {
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_EINVISIBLE && rc != QM_ESCHEMA &&
      rc != QM_ESTALE && rc != QM_EINVAL)
    fail_msg("unexpected %s", qm_err_name(rc));
}

static void give_up(device *d, const char *r) {
  qm_id id = rec(r);
  uint8_t value[] = {0xA1, 'q'};
  qm_write *w;
  assert_int_equal(qm_write_begin(&w, d->engine, d->space, 0), QM_OK);
  allow(qm_write_set(w, &id, F_KEY, qm_slice_of(value, 2), qm_slice_of(NULL, 0), 0));
  qm_write_cancel(w);
}

static void random_write(world *w) {
  device *d = &w->d[world_below(w, w->n)];
  const char *r = names[world_below(w, RECORDS)], *word = words[world_below(w, 4)];
  switch (world_below(w, 16)) {
    case 0:
    case 1: allow(visible(d, r) || marks(d, r) ? QM_OK : put_new(d, r)); break;
    case 2: allow(put_erase(d, r)); break;
    case 3: allow(put_restore(d, r)); break;
    case 4:
    case 5: allow(put(d, r, F_TEL, word)); break;
    case 6: allow(put(d, r, F_HEAD, word)); break;
    case 7:
    case 8: allow(put(d, r, F_KEY, keys[world_below(w, 4)])); break;
    case 9: allow(put_raise(d, r, F_LAST, world_below(w, 50))); break;
    case 10: allow(put_state(d, r, states[world_below(w, 3)])); break;
    case 11: allow(put_merge(d, r, names[world_below(w, RECORDS)])); break;
    case 12: allow(put_unmerge(d, r)); break;
    case 13: give_up(d, r); break;
    case 14:
      allow(put_with(d, r, F_TEL, word, qm_slice_of(NULL, 0), QM_WRITE_SETTLE));
      break;
    default: allow(put_add(d, r, word));
  }
}

static void random_step(world *w) {
  unsigned i = world_below(w, w->n), j = (i + 1 + world_below(w, w->n - 1)) % w->n;
  switch (world_below(w, 16)) {
    case 0:
    case 1: pull(&w->d[i], &w->d[j]); break;
    case 2: pull_some(&w->d[i], &w->d[j], 1); break;
    case 3:
      if (world_below(w, 3) == 0) join(&w->d[i], &w->d[j]);
      break;
    case 4:
      if (world_below(w, 4) == 0) reopen(&w->d[i]);
      break;
    default: random_write(w);
  }
}

/* As a store of an older version has it. */
static void forget_index(device *d) {
  static const uint8_t whole[1] = {'v'};
  assert_int_equal(d->store->ops->begin(d->store), QM_OK);
  assert_int_equal(d->store->ops->local_put(d->store, d->space->number, qm_slice_of(whole, 1),
                                            qm_slice_of(NULL, 0)),
                   QM_OK);
  assert_int_equal(d->store->ops->commit(d->store, QM_DURABLE, NULL, NULL), QM_OK);
}

static void the_index_is_a_look_at_every_record(void **state) {
  unsigned conflicts = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    world w;
    world_open(&w, DEVICES, seed);
    w.d[0].flags |= QM_ENGINE_BEHIND; /* its notes wait with its records */
    reopen(&w.d[0]);
    assert_int_equal(put_new(&w.d[0], names[0]), QM_OK);
    for (unsigned i = 0; i < 160; i++) {
      random_step(&w);
      if (i % 8 == 7) conflicts += check(&w.d[world_below(&w, w.n)]);
    }
    world_settle(&w);
    for (unsigned i = 0; i < w.n; i++) {
      unsigned n = check(&w.d[i]);
      assert_int_equal(qm_review_rebuild(w.d[i].engine, w.d[i].space), QM_OK);
      assert_int_equal(check(&w.d[i]), n);
      forget_index(&w.d[i]);
      reopen(&w.d[i]);
      assert_int_equal(check(&w.d[i]), n);
    }
    world_check_equal(&w);
    world_close(&w);
  }
  assert_in_range(conflicts, 500, 100000);
}

/* All replicas call a conflict by one name. */
static void names_are_the_same_everywhere(void **state) {
  static list one, other;
  (void)state;
  for (uint64_t seed = 100; seed < 120; seed++) {
    world w;
    world_open(&w, DEVICES, seed);
    for (unsigned i = 0; i < 120; i++) random_step(&w);
    world_settle(&w);
    collect(&w.d[0], 0, &one);
    for (unsigned i = 1; i < w.n; i++) {
      collect(&w.d[i], 0, &other);
      assert_int_equal(one.n, other.n);
      for (unsigned k = 0; k < one.n; k++) assert_string_equal(one.lines[k], other.lines[k]);
    }
    world_close(&w);
  }
}

static int count_one(void *payload, qm_slice key, qm_slice value) {
  (void)key, (void)value;
  ++*(unsigned *)payload;
  return QM_OK;
}

static unsigned noted(device *d) {
  static const uint8_t note[1] = {'r'};
  unsigned n = 0;
  assert_int_equal(d->store->ops->local_scan(d->store, d->space->number, qm_slice_of(note, 1),
                                             qm_slice_of(NULL, 0), count_one, &n),
                   QM_OK);
  return n;
}

/* Its schema without the key, until it is opened again. */
typedef struct keyless {
  qm_schema schema;
  qm_collection_def c;
} keyless;

static void take_key(device *d, keyless *k) {
  k->schema = *d->space->schema;
  k->c = *k->schema.collections;
  k->c.key_field = 0;
  k->schema.collections = &k->c;
  d->space->schema = &k->schema;
}

/* Where no key and no relation makes others note a record, it is asked for its own note only
 * where it has one: as loaded, and as it is kept. */
static void a_note_goes_with_its_conflict(void **state) {
  (void)state;
  for (int again = 0; again < 2; again++) {
    world w;
    world_open(&w, 2, 1);
    device *a = &w.d[0], *b = &w.d[1];
    keyless k;
    take_key(a, &k);
    assert_int_equal(put_new(a, "R0"), QM_OK);
    pull(b, a);
    assert_int_equal(noted(a), 0);
    for (unsigned round = 0; round < 3; round++) {
      assert_int_equal(put(a, "R0", F_TEL, words[round]), QM_OK);
      assert_int_equal(put(b, "R0", F_TEL, words[3 - round]), QM_OK);
      assert_int_equal(put(b, "R0", F_HEAD, words[round]), QM_OK);
      pull(a, b);
      assert_int_equal(noted(a), 1);
      if (again) reopen(a);
      if (again) take_key(a, &k);
      qm_slice token = form(a, "R0", QM_READ_REVIEW);
      assert_int_equal(put_with(a, "R0", F_TEL, "q", token, QM_WRITE_SETTLE), QM_OK);
      assert_int_equal(noted(a), 0);
      assert_int_equal(check(a), 0);
      pull(b, a);
    }
    world_close(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_index_is_a_look_at_every_record),
      cmocka_unit_test(names_are_the_same_everywhere),
      cmocka_unit_test(a_note_goes_with_its_conflict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
