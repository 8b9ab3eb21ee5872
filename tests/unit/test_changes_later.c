/* The feed of changes where others decide later about what is here (SPEC S12.9): the hub
 * stamps it, sets it aside, the office approves or declines. w->a is the phone, w->b stands
 * for the hub. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/home.h"
#include "tests/unit/support_handle.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define CURSOR_SIZE 64
#define DAY_MS UINT64_C(86400000)

static const char *changes(app *a, char cursor[CURSOR_SIZE]) {
  static char lines[1 << 16];
  qm_text t;
  ok(qm_changes(a->db, S(cursor), 0, &t, &a->e));
  assert_true(t.n < sizeof lines);
  memcpy(lines, t.p, t.n + 1);
  qm_text_free(&t);
  for (const char *at = lines; (at = strstr(at, "{\"cursor\":\""));) {
    at += 11;
    size_t n = (size_t)(strchr(at, '"') - at);
    assert_true(n < CURSOR_SIZE);
    memcpy(cursor, at, n);
    cursor[n] = 0;
  }
  return lines;
}

static unsigned count(const char *lines) {
  unsigned n = 0;
  for (; *lines; lines++) n += *lines == '\n';
  return n;
}

/* The line of this record holds the part. */
static int says(const char *lines, const char *id, const char *part) {
  const char *at = strstr(lines, id), *end = at ? strchr(at, '\n') : NULL;
  const char *found = at ? strstr(at, part) : NULL;
  int yes = found && found < end;
  if (!yes) print_message("%s of %s is not in\n%s\n", part, id, lines);
  return yes;
}

static world *open_hub(void **state) {
  world *w = *state;
  app_second(w);
  w->b.db->engine->flags |= QM_ENGINE_HUB;
  return w;
}

/* The hub takes what the phone has, and judges it. */
static void judge(world *w) {
  qm_engine *hub = w->b.db->engine;
  qm_arena arena;
  qm_buf batch;
  qm_vv_list vv;
  uint64_t cursor = 0;
  qm_arena_init(&arena, &w->a.db->env, 1u << 24);
  qm_buf_init(&batch, &w->a.db->env, QM_BATCH_MAX);
  ok(qm_engine_push(w->a.db->engine, app_space(&w->a)));
  ok(qm_engine_heads(hub, app_space(&w->b), &arena, &vv));
  while (qm_engine_next_batch(w->a.db->engine, app_space(&w->a), vv, &cursor, &batch) == QM_OK) {
    qm_ingest in = {.peer = *qm_key_device(w->a.db->key), .check_schema = QM_CHECK_SCHEMA,
                    .role = S("nobody")};
    ok(qm_engine_begin(hub));
    ok(qm_engine_ingest(hub, app_space(&w->b), qm_buf_slice(&batch), &in, &arena, NULL));
    ok(qm_engine_commit(hub, QM_DURABLE, NULL, NULL));
    assert_int_equal(in.n_refusals, 0);
    qm_buf_clear(&batch);
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
}

/* The phone takes the entries, then the changes. */
static void hear(world *w) {
  qm_arena arena;
  qm_buf b;
  qm_aside_counts after = qm_space_asides(app_space(&w->a));
  qm_arena_init(&arena, &w->a.db->env, 1u << 24);
  qm_buf_init(&b, &w->a.db->env, 1u << 20);
  if (qm_engine_aside_read(w->b.db->engine, app_space(&w->b), after, &arena, &b, &after) == QM_OK)
    ok(qm_engine_aside_take(w->a.db->engine, app_space(&w->a), qm_buf_slice(&b), NULL, NULL, NULL,
                            NULL));
  qm_buf_free(&b);
  qm_arena_free(&arena);
  app_deliver(&w->b, &w->a);
}

static void make_incident(app *a, char id[27]) {
  qm_tx *tx = app_begin(a);
  qm_text text;
  ok(qm_new(tx, S("incident"), NONE, &text, NULL, &a->e));
  memcpy(id, text.p, 27);
  qm_text_free(&text);
  ok(qm_set(tx, S("incident"), S(id), S("stage"), S("reported"), 0, &a->e));
  app_commit(a, tx);
}

static int first_copy(void *payload, const qm_aside_copy *copy) {
  qm_aside_copy *out = payload;
  if (copy->status == QM_ASIDE_CHANGE) *out = *copy;
  return QM_OK;
}

static void decide(world *w, const char *declined) {
  qm_engine *hub = w->b.db->engine;
  qm_aside_copy copy = {.first = 0};
  ok(qm_engine_aside_copies(hub, app_space(&w->b), first_copy, &copy));
  if (declined)
    ok(qm_engine_aside_decline(hub, app_space(&w->b), &copy.author, copy.first, S(declined), NULL));
  else
    ok(qm_engine_aside_approve(hub, app_space(&w->b), &copy.author, copy.first, NULL));
}

static void test_set_aside(void **state) {
  world *w = open_hub(state);
  char cursor[CURSOR_SIZE] = "", household[27], incident[27];
  app_make(&w->a, "12", household);
  judge(w);
  make_incident(&w->a, incident); /* which the role at the hub may not */
  judge(w);
  changes(&w->a, cursor);
  hear(w);
  const char *got = changes(&w->a, cursor);
  assert_true(says(got, incident, "\"set_aside\":true"));
  assert_true(says(got, incident, "\"presence\":true"));
  assert_null(strstr(got, household));
  assert_null(strstr(got, "\"all\":true"));
  /* Approved: what the app is told does not depend on reading what came with it. */
  decide(w, NULL);
  hear(w);
  got = changes(&w->a, cursor);
  assert_true(says(got, incident, "\"set_aside\":true"));
  assert_true(says(got, incident, "\"stage\""));
  assert_true(says(got, incident, "\"remote\":true"));
  hear(w); /* nothing is new */
  assert_string_equal(changes(&w->a, cursor), "");
}

static void test_declined(void **state) {
  world *w = open_hub(state);
  char cursor[CURSOR_SIZE] = "", incident[27];
  make_incident(&w->a, incident);
  judge(w);
  hear(w);
  changes(&w->a, cursor);
  decide(w, "ask the street office");
  hear(w);
  const char *got = changes(&w->a, cursor);
  assert_int_equal(count(got), 1);
  assert_true(says(got, incident, "\"set_aside\":true"));
}

static void test_stamped(void **state) {
  world *w = open_hub(state);
  app *a = &w->a;
  char cursor[CURSOR_SIZE] = "", one[27], two[27], other[27];
  app_make(a, "12", one);
  app_make(a, "13", two);
  app_make(a, "14", other);
  judge(w);
  a->now_ms += 700 * DAY_MS;
  assert_int_equal(app_one(a, qm_set, one, "head", "A", 0), QM_OK);
  assert_int_equal(app_one(a, qm_set, two, "phone", "1", 0), QM_OK);
  changes(a, cursor);
  judge(w);
  hear(w);
  const char *got = changes(a, cursor);
  assert_int_equal(count(got), 2);
  assert_true(says(got, one, "\"fields\":[\"head\"]"));
  assert_true(says(got, two, "\"fields\":[\"phone\"]"));
  /* The run goes on: only what is new is told. */
  assert_int_equal(app_one(a, qm_set, two, "head", "B", 0), QM_OK);
  changes(a, cursor);
  judge(w);
  hear(w);
  got = changes(a, cursor);
  assert_int_equal(count(got), 1);
  assert_true(says(got, two, "\"head\""));
}

/* Where the log does not say what the stamped changes wrote, anything may be shown otherwise;
 * so it is after a membership entry. */
static void test_stamped_beyond_the_log(void **state) {
  world *w = open_hub(state);
  app *a = &w->a;
  char cursor[CURSOR_SIZE] = "", id[27];
  app_make(a, "12", id);
  judge(w);
  a->now_ms += 700 * DAY_MS;
  assert_int_equal(app_one(a, qm_set, id, "head", "A", 0), QM_OK);
  judge(w);
  qm_space *s = app_space(a);
  s->acknowledged.n = s->safe.n = 0;
  ok(qm_vv_copy(&a->db->env, &s->acknowledged, &s->vv));
  ok(qm_vv_copy(&a->db->env, &s->safe, &s->vv));
  ok(qm_engine_cut(a->db->engine, s, &s->vv));
  changes(a, cursor);
  hear(w);
  const char *got = changes(a, cursor);
  assert_int_equal(count(got), 1);
  assert_non_null(strstr(got, "\"all\":true"));
  qm_member m = {.device = *qm_key_device(a->db->key), .name = S("A member"), .role = S("grid")};
  ok(qm_home_members(w->b.db->engine, app_space(&w->b), &m, 1));
  hear(w);
  got = changes(a, cursor);
  assert_int_equal(count(got), 1);
  assert_non_null(strstr(got, "\"all\":true"));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {T(test_set_aside), T(test_declined), T(test_stamped),
                                     T(test_stamped_beyond_the_log)};
  return cmocka_run_group_tests_name("changes later", tests, NULL, NULL);
}
