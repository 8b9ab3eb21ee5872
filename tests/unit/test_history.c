/* The history of a record, made anew from the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/logged.h"
#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)

static rig w;
static dev *A, *B, *C;

static int setup(void **state) {
  (void)state;
  rig_open(&w, 3, 1);
  A = &w.d[0];
  B = &w.d[1];
  C = &w.d[2];
  return 0;
}

static int teardown(void **state) {
  (void)state;
  rig_close(&w);
  return 0;
}

typedef struct story {
  dev *d;
  char text[2048];
  size_t n;
} story;

static void say(story *s, const char *text) {
  s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s", text);
}

static void say_value(story *s, qm_slice value) {
  qm_cur c;
  qm_slice text;
  int64_t v;
  qm_cur_init(&c, value);
  if (qm_cur_str(&c, &text) == QM_OK) {
    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%.*s", (int)text.n,
                             (const char *)text.p);
    return;
  }
  qm_cur_init(&c, value);
  if (qm_cur_int(&c, &v) == QM_OK)
    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%d", (int)v);
}

/* "A22w<x>y!": by A, field 22, kind, what was before, value, ! for concurrent. */
static int tell(void *payload, const qm_past *p) {
  story *s = payload;
  static const char kinds[QM_SHAPES][3] = {"nd", "wb", "+-", "i", "a", "^x"};
  char head[24];
  snprintf(head, sizeof head, "%s%c%u%c", s->n ? " " : "",
           s->d->space->authors.ids[p->change->author].b[0], (unsigned)p->op->field,
           kinds[p->op->shape][p->op->kind]);
  say(s, head);
  if (p->before.n) {
    say(s, "<");
    say_value(s, p->before);
    say(s, ">");
  }
  if (p->op->value.n && p->op->shape != QM_PRESENCE) say_value(s, p->op->value);
  if (p->concurrent) say(s, "!");
  return QM_OK;
}

static void tells(dev *d, const char *r, int wanted_whole, const char *wanted) {
  story s = {.d = d};
  qm_id id = rec(r);
  int whole = -1;
  ok(qm_engine_history(d->engine, d->space, &id, tell, &s, &whole));
  assert_string_equal(s.text, wanted);
  assert_int_equal(whole, wanted_whole);
}

static void from_what_to_what(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_new(A, "other"));
  ok(put(A, "R", F_TEL, "1"));
  rig_settle(&w);
  ok(put(B, "R", F_TEL, "2"));
  ok(put_inc(B, "R", 5));
  ok(put(B, "other", F_TEL, "9"));
  rig_settle(&w);
  ok(put_inc(A, "R", 2));
  ok(put_add(A, "R", "t"));
  ok(put_raise(A, "R", F_LAST, 7));
  ok(put_raise(A, "R", F_LAST, 9));
  const char *all = "A0n A17w1 B17w<1>2 B20i<0>5 A20i<5>2 A19+t A18b7 A18b<7>9";
  tells(A, "R", 1, all); /* some of it in the open run */
  rig_settle(&w);
  tells(A, "R", 1, all);
  tells(C, "R", 1, all);
  tells(C, "other", 1, "A0n B17w9");
  tells(C, "never was", 0, "");
}

/* What a writer had seen is asked, where need be, of what else it wrote. */
static void seen_elsewhere(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_new(A, "S"));
  ok(put(A, "R", F_TEL, "a"));
  rig_settle(&w);
  ok(put(B, "R", F_TEL, "b"));
  pull(A, B);
  ok(put(A, "S", F_TEL, "says that A has seen b")); /* this change carries the dependency */
  pull(C, A);                                       /* a row of its own */
  ok(put(A, "R", F_TEL, "a2"));
  pull(C, A);
  ok(put(B, "R", F_TEL, "b2")); /* has not seen a2 */
  pull(C, B);
  tells(C, "R", 1, "A0n A17wa B17w<a>b A17w<b>a2 B17w<b>b2!");
}

static void pieces_of_text(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put_text(A, "R", 0, 0, "村委会开会"));
  ok(put_text(A, "R", 1, 3, "民"));
  ok(put_text(A, "R", 0, 1, ""));
  tells(A, "R", 1, "A0n A22^村委会开会 A22x<委会开> A22^民 A22x<村>");
}

static void after_a_cut(void **state) {
  (void)state;
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  rig_settle(&w);
  ok(put(B, "R", F_TEL, "2"));
  rig_settle(&w);
  C->flags = QM_ENGINE_HUB;
  reopen(C);
  qm_vv vv = {NULL, 0, 0};
  uint32_t a;
  ok(qm_authors_find(&C->space->authors, qm_engine_author(A->engine), &a));
  ok(qm_vv_set(&C->env, &vv, a, 2));
  ok(qm_engine_cut(C->engine, C->space, &vv));
  qm_vv_free(&C->env, &vv);
  tells(C, "R", 0, "B17w2"); /* what it replaced is not said any more */
  tells(A, "R", 1, "A0n A17w1 B17w<1>2");
}

static int stop_at_two(void *payload, const qm_past *p) {
  (void)p;
  return ++*(int *)payload == 2 ? QM_EDIFFER : QM_OK;
}

static void the_visitor_stops_it(void **state) {
  (void)state;
  int n = 0, whole;
  qm_id id = rec("R");
  ok(put_new(A, "R"));
  ok(put(A, "R", F_TEL, "1"));
  ok(put(A, "R", F_TEL, "2"));
  ok(qm_engine_push(A->engine, A->space));
  assert_int_equal(qm_engine_history(A->engine, A->space, &id, stop_at_two, &n, &whole),
                   QM_EDIFFER);
  assert_int_equal(n, 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {CASE(from_what_to_what), CASE(seen_elsewhere),
                                     CASE(pieces_of_text), CASE(after_a_cut),
                                     CASE(the_visitor_stops_it)};
  return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
