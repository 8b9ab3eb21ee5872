/* (S6.6, S6.7, S3.15) One history twice: in one world the home hub trims, by what the devices
 * said they hold; in the other it never does. Every replica must show the same text and list
 * in both at every step, whatever is on its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/home_trim.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define DEVICES 4 /* the last is the hub */

typedef struct twins {
  world trimmed, plain;
  uint64_t state;
  qm_vv_list said[DEVICES - 1]; /* in the arena of `trimmed` */
  uint64_t gone;
} twins;

static unsigned dice(twins *t, unsigned sides) {
  t->state ^= t->state << 13;
  t->state ^= t->state >> 7;
  t->state ^= t->state << 17;
  return (unsigned)((t->state >> 11) % sides);
}

/* The device's whole session with the hub; then it says what it holds. */
static void session(twins *t, unsigned i) {
  device *d = &t->trimmed.d[i], *hub = &t->trimmed.d[DEVICES - 1];
  meet(d, hub);
  meet(&t->plain.d[i], &t->plain.d[DEVICES - 1]);
  ok(qm_engine_heads(d->engine, d->space, &t->trimmed.arena, &t->said[i]));
}

static unsigned length(const char *s) {
  size_t n = 0;
  if (*s == '-') return 0;
  assert_true(qm_utf8_check(qm_slice_of(s, strlen(s)), &n));
  return (unsigned)n;
}

static unsigned elements(const char *s) {
  return s[0] != '[' || s[1] == ']' ? 0 : (unsigned)strlen(s) / 2;
}

/* The same edit by the same device in both worlds. Most hang where they go again: what is
 * typed behind a text and rubbed out leaves nothing that stays because of its children. */
static void edit(twins *t, unsigned i) {
  static const char *const in[] = {"a", "xyz", "", "q", "户", "long er"};
  static const char *const values[] = {"a", "", "bc"};
  int list = dice(t, 3) == 0;
  const char *now = shown(&t->plain.d[i], "R", list ? F_PLAN : F_NOTES);
  unsigned len = list ? elements(now) : length(now), near = len < 3 ? len + 1 : 3;
  unsigned at = dice(t, 2) ? len - dice(t, near) : dice(t, len + 1);
  unsigned cut = dice(t, 3) ? dice(t, len - at < 4 ? len - at + 1 : 4) : 0;
  const char *text = list ? values[dice(t, 3)] : in[dice(t, 6)];
  world *w[] = {&t->trimmed, &t->plain};
  for (int k = 0; k < 2; k++)
    ok((list ? put_list : put_text)(&w[k]->d[i], "R", at, cut, text));
}

static void trim(twins *t) {
  device *hub = &t->trimmed.d[DEVICES - 1];
  qm_trimmed out;
  ok(qm_home_trim(hub->engine, hub->space, t->said, DEVICES - 1, NULL, 10, &out));
  t->gone += out.elements;
}

static void compare(twins *t) {
  for (unsigned i = 0; i < DEVICES; i++) {
    device *a = &t->trimmed.d[i], *b = &t->plain.d[i];
    const char *x = shown(a, "R", F_NOTES), *y = shown(b, "R", F_NOTES);
    /* What is trimmed empty is not there at all. */
    assert_string_equal(*x == '-' ? "" : x, *y == '-' ? "" : y);
    x = shown(a, "R", F_PLAN), y = shown(b, "R", F_PLAN);
    assert_string_equal(*x == '-' ? "[]" : x, *y == '-' ? "[]" : y);
  }
}

static void step(twins *t) {
  unsigned i = dice(t, DEVICES - 1), j = dice(t, DEVICES - 1);
  switch (dice(t, 12)) {
    case 0:
    case 1:
    case 2: session(t, i); break;
    case 3:
      if (i == j) break; /* phone to phone: the hub does not hear of it */
      pull(&t->trimmed.d[i], &t->trimmed.d[j]);
      pull(&t->plain.d[i], &t->plain.d[j]);
      break;
    case 4:
    case 5: trim(t); break;
    default: edit(t, i);
  }
}

static uint64_t play(uint64_t seed, unsigned steps) {
  twins t;
  memset(&t, 0, sizeof t);
  t.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  world_open(&t.trimmed, DEVICES, seed);
  world_open(&t.plain, DEVICES, seed);
  ok(put_new(&t.trimmed.d[0], "R"));
  ok(put_new(&t.plain.d[0], "R"));
  world_settle(&t.trimmed);
  world_settle(&t.plain);
  for (unsigned i = 0; i < steps; i++) {
    step(&t);
    compare(&t);
  }
  world_settle(&t.trimmed);
  world_settle(&t.plain);
  for (unsigned i = 0; i + 1 < DEVICES; i++) session(&t, i);
  trim(&t);
  world_settle(&t.trimmed);
  compare(&t);
  world_check_equal(&t.trimmed);
  world_close(&t.trimmed);
  world_close(&t.plain);
  return t.gone;
}

static void trims_show_nowhere(void **state) {
  uint64_t gone = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 30; seed++) gone += play(seed, 60);
  assert_true(gone > 150);
}

static void nor_in_a_long_history(void **state) {
  (void)state;
  for (uint64_t seed = 900; seed < 902; seed++) assert_true(play(seed, 250) > 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(trims_show_nowhere),
                                     cmocka_unit_test(nor_in_a_long_history)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
