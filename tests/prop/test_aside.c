/* Setting aside (SPEC §18): what the hub does not accept has no effect anywhere, nobody
 * waits for it, and who had seen it ends as who never had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/segment.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)

static world w;
#define D (&w.d[0])
#define E (&w.d[1])
#define F (&w.d[2])
#define H (&w.d[3])

static void open4(uint64_t seed) {
  world_open(&w, 4, seed);
  H->flags = QM_ENGINE_HUB;
  reopen(H);
}

static void close_equal(void) {
  world_settle(&w);
  world_check_equal(&w);
  world_close(&w);
}

#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)

/* A replica that only ever heard of it from the hub. */
static void as_who_never_saw(void) {
  device *c = &w.d[4];
  qm_digest a, b;
  world_settle(&w);
  w.n = 5;
  pull(c, H);
  qm_space_digest(c->space, &a);
  qm_space_digest(H->space, &b);
  assert_true(qm_digest_eq(&a, &b));
  for (unsigned i = 0; i < 3; i++) {
    qm_space_digest(w.d[i].space, &b);
    assert_true(qm_digest_eq(&a, &b));
  }
  world_check_equal(&w);
}

static void open5(uint64_t seed) {
  world_open(&w, 5, seed);
  H->flags = QM_ENGINE_HUB;
  reopen(H);
  w.n = 4;
}

/* [3] */
static void nobody_waits_for_what_is_set_aside(void **state) {
  (void)state;
  open5(3);
  ok(put_new(D, "R"));
  ok(put_new(D, "Q"));
  ok(put(D, "R", F_TEL, "x0"));
  world_settle(&w);
  ok(put_bad(D, "R", F_TEL, 7));
  meet(D, E);
  ok(put(E, "Q", F_TEL, "good"));
  pull(H, D);
  pull(H, E);
  assert_int_equal(qm_space_asides(H->space).n, 1);
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "Q", F_TEL, "good");
    shows(&w.d[i], "R", F_TEL, "x0");
    assert_string_equal(listed(&w.d[i], "R", F_TEL), "");
    assert_false(qm_space_dirty(w.d[i].space));
  }
  as_who_never_saw();
  world_close(&w);
}

typedef struct seen {
  unsigned n;
  qm_aside_kind status;
  uint64_t first;
  qm_author author;
  char value[64], text[QM_ASIDE_TEXT_MAX + 1];
} seen;

static int see(void *payload, const qm_aside_copy *copy) {
  seen *s = payload;
  s->n++;
  s->status = copy->status;
  s->first = copy->first;
  s->author = copy->author;
  memcpy(s->text, copy->text.p, copy->text.n);
  s->text[copy->text.n] = '\0';
  const qm_op *op = &copy->changes[0].ops[0];
  assert_true(op->value.n < sizeof s->value);
  memcpy(s->value, op->value.p, op->value.n);
  return QM_OK;
}

static seen copies(device *d) {
  seen s;
  memset(&s, 0, sizeof s);
  ok(qm_engine_aside_copies(d->engine, d->space, see, &s));
  return s;
}

/* The office reads it, the author reads it, and nobody else; the reason reaches the author. */
static void copies_are_for_the_office_and_the_author(void **state) {
  (void)state;
  open5(4);
  ok(put_new(D, "R"));
  ok(put_bad(D, "R", F_TEL, 7));
  meet(D, E);
  pull(H, D);
  world_settle(&w);
  assert_int_equal(copies(H).n, 1);
  assert_int_equal(copies(D).n, 1);
  assert_int_equal(copies(E).n, 0);
  assert_int_equal(copies(F).n, 0);
  assert_int_equal(copies(D).value[0], 7);
  seen c = copies(H);
  assert_true(c.text[0] != 0);
  ok(qm_engine_aside_decline(H->engine, H->space, &c.author, c.first,
                             qm_slice_of("not a number", 12), NULL));
  assert_int_equal(qm_engine_aside_decline(H->engine, H->space, &c.author, c.first,
                                           qm_slice_of("again", 5), NULL),
                   QM_EEXIST);
  assert_int_equal(qm_engine_aside_decline(H->engine, H->space, &c.author, c.first + 1,
                                           qm_slice_of("none", 4), NULL),
                   QM_ENOTFOUND);
  world_settle(&w);
  assert_int_equal(copies(D).status, QM_ASIDE_DECLINED);
  assert_string_equal(copies(D).text, "not a number");
  reopen(D);
  reopen(H);
  assert_int_equal(copies(D).status, QM_ASIDE_DECLINED);
  as_who_never_saw();
  world_close(&w);
}

/* The bytes are gone from every log, and the chain verifies all the same. */
static void erased_in_every_log(void **state) {
  (void)state;
  open4(5);
  ok(put_new(D, "R"));
  ok(put(D, "R", F_TEL, "before"));
  ok(put_bad(D, "R", F_TEL, 7));
  ok(put(D, "R", F_TEL, "after"));
  meet(D, E);
  meet(E, H);
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_TEL, "after");
    assert_string_equal(listed(&w.d[i], "R", F_TEL), "");
    ok(qm_engine_check(w.d[i].engine, w.d[i].space, NULL));
  }
  close_equal();
}

/* A new that is set aside takes with it what was written to that record. */
static void a_record_that_was_never_accepted(void **state) {
  (void)state;
  open5(6);
  qm_write *x;
  int existing;
  qm_id id = rec("R");
  ok(qm_write_begin(&x, D->engine, D->space, QM_WRITE_RAW));
  ok(qm_write_new(x, 1, &id, qm_slice_of(NULL, 0), &id, &existing));
  ok(qm_write_inc(x, &id, F_TEL, 1)); /* a counter where a text stands */
  ok(qm_write_commit(x, QM_DURABLE));
  ok(put(D, "R", F_TEL, "1"));
  meet(D, E);
  ok(put(E, "R", F_HEAD, "Li Si"));
  ok(put_text(E, "R", 0, 0, "abc"));
  ok(put_text(D, "R", 0, 0, "xyz"));
  pull(H, D);
  pull(H, E);
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_false(visible(&w.d[i], "R"));
    assert_int_equal(marks(&w.d[i], "R"), 0);
  }
  as_who_never_saw();
  world_close(&w);
}

typedef struct pending {
  qm_author author;
  uint64_t first;
  int found;
} pending;

static int first_pending(void *payload, const qm_aside_copy *copy) {
  pending *p = payload;
  if (p->found || copy->status != QM_ASIDE_CHANGE) return QM_OK;
  *p = (pending){copy->author, copy->first, 1};
  return QM_OK;
}

/* [23] (S3.5) An earlier counter op of an author is set aside: its share is out of every sum,
 * the later one's stays, also where both had arrived together; approved, it counts again. */
static void a_sum_without_what_is_set_aside(void **state) {
  (void)state;
  open5(23);
  ok(put_new(D, "R"));
  world_settle(&w);
  qm_id id = rec("R");
  qm_write *x;
  ok(qm_write_begin(&x, D->engine, D->space, QM_WRITE_RAW));
  ok(qm_write_inc(x, &id, F_VISITS, 7));
  ok(qm_write_inc(x, &id, F_TEL, 1)); /* the hub does not accept it */
  ok(qm_write_commit(x, QM_DURABLE));
  ok(put_inc(D, "R", 1));
  ok(put_inc(F, "R", 20));
  meet(D, E);
  shows(E, "R", F_VISITS, "8");
  assert_true(join(F, E)); /* the author's total, as a state has it */
  shows(F, "R", F_VISITS, "28");
  pull(H, D);
  assert_int_equal(qm_space_asides(H->space).n, 1);
  shows(H, "R", F_VISITS, "1");
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_VISITS, "21");
  ok(put_inc(D, "R", 100));
  as_who_never_saw();
  shows(&w.d[4], "R", F_VISITS, "121");
  pending p = {.found = 0};
  ok(qm_engine_aside_copies(H->engine, H->space, first_pending, &p));
  ok(qm_engine_aside_approve(H->engine, H->space, &p.author, p.first, NULL));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_VISITS, "128");
  close_equal();
}

/* [33] (S3.3) */
static void a_raise_beneath_one_that_is_set_aside(void **state) {
  (void)state;
  open4(7);
  ok(put_new(D, "R"));
  world_settle(&w);
  qm_write *x;
  qm_id id = rec("R");
  ok(qm_write_begin(&x, D->engine, D->space, QM_WRITE_RAW));
  ok(qm_write_inc(x, &id, F_TEL, 1));
  ok(qm_write_raise(x, &id, F_LAST, qm_slice_of("\x64", 1), qm_slice_of(NULL, 0)));
  ok(qm_write_commit(x, QM_DURABLE)); /* all or nothing: the raise goes with it */
  meet(D, E);
  shows(E, "R", F_LAST, "100");
  ok(put_raise(E, "R", F_LAST, 50));
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_LAST, "50");
  close_equal();
}

/* One change of D that the hub does not accept, whatever else is in it. */
static qm_write *bad_begin(device *d) {
  qm_write *x;
  ok(qm_write_begin(&x, d->engine, d->space, QM_WRITE_RAW));
  return x;
}

static void bad_end(qm_write *x, const char *r) {
  qm_id id = rec(r);
  ok(qm_write_inc(x, &id, F_TEL, 1));
  ok(qm_write_commit(x, QM_DURABLE));
}

static unsigned approve_all(void) {
  for (unsigned n = 0;; n++) {
    pending p;
    memset(&p, 0, sizeof p);
    ok(qm_engine_aside_copies(H->engine, H->space, first_pending, &p));
    if (!p.found) return n;
    ok(qm_engine_aside_approve(H->engine, H->space, &p.author, p.first, NULL));
  }
}

/* [36] Approved in its original context: what it had not seen stays beside it. */
static void approved_where_it_was_written(void **state) {
  (void)state;
  open4(8);
  ok(put_new(D, "R"));
  world_settle(&w);
  qm_id id = rec("R");
  qm_write *x = bad_begin(D);
  ok(qm_write_raise(x, &id, F_LAST, qm_slice_of("\x0f", 1), qm_slice_of(NULL, 0)));
  bad_end(x, "R");
  ok(put_raise(F, "R", F_LAST, 29));
  pull(H, D);
  pull(H, F);
  world_settle(&w);
  approve_all();
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_LAST, "29");
    assert_string_equal(listed(&w.d[i], "R", F_LAST), "15/s");
  }
  close_equal();
}

/* [44] Several changes of one author, all approved: as the author had it. */
static void approved_as_the_author_had_it(void **state) {
  (void)state;
  open4(9);
  ok(put_new(D, "R"));
  world_settle(&w);
  qm_id id = rec("R");
  static const char *const program[] = {"x1", "x2", "abc", "Z", "cut", "add", "remove"};
  for (size_t i = 0; i < sizeof program / sizeof *program; i++) {
    w.now_ms += 1000;
    qm_write *x = bad_begin(D);
    qm_buf b;
    qm_slice none = qm_slice_of(NULL, 0);
    qm_buf_init(&b, &D->env, 64);
    qm_mp_str(&b, program[i], strlen(program[i]));
    switch (i) {
      case 0:
      case 1: ok(qm_write_set(x, &id, F_HEAD, qm_buf_slice(&b), none, 0)); break;
      case 2: ok(qm_write_splice(x, &id, F_NOTES, 0, 0, qm_slice_of("abc", 3), none)); break;
      case 3: ok(qm_write_splice(x, &id, F_NOTES, 2, 0, qm_slice_of("Z", 1), none)); break;
      case 4: ok(qm_write_splice(x, &id, F_NOTES, 0, 1, none, none)); break;
      case 5: ok(qm_write_add(x, &id, F_TAGS, qm_buf_slice(&b), 0)); break;
      default: {
        qm_buf_clear(&b);
        qm_mp_str(&b, "add", 3);
        ok(qm_write_remove(x, &id, F_TAGS, qm_buf_slice(&b), none));
      }
    }
    bad_end(x, "R");
    qm_buf_free(&b);
    if (i % 2) pull(H, D); /* in several segments */
  }
  shows(D, "R", F_NOTES, "bZc");
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_NOTES, "-");
  approve_all();
  world_settle(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_NOTES, "bZc");
    shows(&w.d[i], "R", F_HEAD, "x2");
    assert_string_equal(listed(&w.d[i], "R", F_HEAD), "");
    shows(&w.d[i], "R", F_TAGS, "-");
    assert_int_equal(marks(&w.d[i], "R"), 1);
  }
  close_equal();
}

/* In order: an earlier change of the author is decided first. */
static void decided_in_the_author_s_order(void **state) {
  (void)state;
  open4(10);
  ok(put_new(D, "R"));
  ok(put_bad(D, "R", F_TEL, 1));
  pull(H, D);
  ok(put_bad(D, "R", F_TEL, 2));
  pull(H, D);
  seen last = copies(H);
  assert_int_equal(last.n, 2);
  assert_int_equal(
      qm_engine_aside_approve(H->engine, H->space, &last.author, last.first, NULL), QM_ESTATE);
  assert_int_equal(
      qm_engine_aside_approve(D->engine, D->space, &last.author, last.first, NULL), QM_EACCESS);
  approve_all();
  close_equal();
}

/* At random points, with whoever meets whom: all end as who never saw it. */
static void random_programs(void **state) {
  (void)state;
  static const char *const names[] = {"P", "Q", "R"};
  for (uint64_t seed = 1; seed <= 60; seed++) {
    open5(seed);
    for (int i = 0; i < 3; i++) ok(put_new(D, names[i]));
    ok(put_text(D, "R", 0, 0, "hello"));
    world_settle(&w);
    for (unsigned i = 0; i < 60; i++) {
      device *d = &w.d[world_below(&w, 3)];
      const char *r = names[world_below(&w, 3)];
      char text[8] = {(char)('a' + world_below(&w, 26)), 0};
      w.now_ms += world_below(&w, 5000);
      switch (world_below(&w, 13)) {
        case 0: (void)(put_bad(d, r, F_TEL, 7)); break;
        case 1: (void)(put_bad(d, r, F_HEAD, 8)); break;
        case 2: (void)put(d, r, F_TEL, text); break;
        case 3: (void)put_inc(d, r, 3); break;
        case 4: (void)put_add(d, r, text); break;
        case 5: (void)put_remove(d, r, text); break;
        case 6: (void)put_text(d, r, 0, world_below(&w, 2), text); break;
        case 7: (void)put_erase(d, r); break;
        case 8: (void)put_restore(d, r); break;
        case 9: meet(d, &w.d[world_below(&w, 3)] == d ? H : &w.d[world_below(&w, 3)]); break;
        case 10: pull(H, d); break;
        case 11: pull(d, H); break;
        default: (void)put_step(d, r, text);
      }
      if (world_below(&w, 40) == 0) reopen(d);
    }
    as_who_never_saw();
    if (seed % 2) approve_all();
    world_settle(&w);
    world_check_equal(&w);
    for (unsigned i = 0; i < w.n; i++) {
      qm_digest before, after;
      qm_space_digest(w.d[i].space, &before);
      ok(qm_engine_rebuild(w.d[i].engine, w.d[i].space, NULL));
      qm_space_digest(w.d[i].space, &after);
      assert_true(qm_digest_eq(&before, &after));
      ok(qm_engine_check(w.d[i].engine, w.d[i].space, NULL));
    }
    world_close(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_waits_for_what_is_set_aside),
      cmocka_unit_test(copies_are_for_the_office_and_the_author),
      cmocka_unit_test(erased_in_every_log),
      cmocka_unit_test(a_record_that_was_never_accepted),
      cmocka_unit_test(a_sum_without_what_is_set_aside),
                                     cmocka_unit_test(a_raise_beneath_one_that_is_set_aside),
      cmocka_unit_test(approved_where_it_was_written),
      cmocka_unit_test(approved_as_the_author_had_it),
      cmocka_unit_test(decided_in_the_author_s_order),
      cmocka_unit_test(random_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
