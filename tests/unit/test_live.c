/* Live push (SPEC S8.13) over real sockets: what devices write and what the hub itself
 * writes reaches every device that stays connected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/aside.h"
#include "core/member.h"
#include "core/space.h"
#include "tests/unit/support_live.h"

#define ok(expr) assert_int_equal(expr, QM_OK)
#define DAY_MS UINT64_C(86400000)

typedef struct world {
  live_hub hub;
  live_device a, b;
} world;

static int setup(void **state) {
  world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  live_hub_open(&w->hub);
  live_hub_start(&w->hub);
  live_device_open(&w->a, &w->hub);
  live_device_open(&w->b, &w->hub);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  world *w = *state;
  live_device_close(&w->a);
  live_device_close(&w->b);
  live_hub_close(&w->hub);
  free(w);
  return 0;
}

static void all_equal(world *w) {
  char x[33], y[33];
  live_device_leave(&w->a);
  live_device_leave(&w->b);
  live_hub_stop(&w->hub);
  hub_device_digest(&w->a.d, x);
  hub_device_digest(&w->b.d, y);
  assert_string_equal(x, y);
  hub_device_digest(&w->hub.own, y);
  assert_string_equal(x, y);
}

static const uint64_t one = 1, two = 2;

static void test_what_another_writes(void **state) {
  world *w = *state;
  live_device_stay(&w->a);
  live_device_stay(&w->b);
  live_write(&w->a, 1, "Household of the east lane");
  live_wait(&w->b, live_has_records, &one);
  live_write(&w->b, 1, "Household of the west lane");
  live_wait(&w->a, live_has_records, &two);
  all_equal(w);
}

static int has_stamps(live_device *l, const void *arg) {
  (void)arg;
  return hub_device_space(&l->d)->stamps.n > 0;
}

/* Its clock runs two years ahead; what it writes is stamped, and it learns so by itself: it
 * is the one whose push caused it. */
static void test_who_was_stamped_learns_it(void **state) {
  world *w = *state;
  live_device_stay(&w->a);
  live_device_stay(&w->b);
  live_take(&w->a);
  w->a.d.now_ms += 730 * DAY_MS;
  live_let_go(&w->a);
  live_write(&w->a, 1, "Household of the day after");
  live_wait(&w->a, has_stamps, NULL);
  live_wait(&w->b, has_stamps, NULL);
  live_wait(&w->b, live_has_records, &one);
  all_equal(w);
}

static int has_entries(live_device *l, const void *arg) {
  qm_aside_counts counts = qm_space_asides(hub_device_space(&l->d));
  uint64_t n = 0;
  for (uint32_t i = 0; i < counts.n; i++) n += counts.p[i].count;
  return n == *(const uint64_t *)arg;
}

/* What this role may not write is set aside, which all learn; later the office approves it in
 * another process, and nobody pushes anything. */
static void test_set_aside_and_approved(void **state) {
  world *w = *state;
  static const uint64_t none = 0;
  live_device_stay(&w->a);
  live_device_stay(&w->b);
  live_take(&w->a);
  hub_device_role(&w->a.d, "office"); /* as it still believes */
  live_let_go(&w->a);
  live_write(&w->a, 2, "Notice about the well");
  live_wait(&w->a, has_entries, &one);
  live_wait(&w->b, has_entries, &one);
  live_wait(&w->a, live_has_records, &none);
  pthread_mutex_lock(&w->hub.lock);
  w->hub.approve = 1;
  pthread_mutex_unlock(&w->hub.lock);
  live_wait(&w->a, has_entries, &two);
  live_wait(&w->b, has_entries, &two);
  live_wait(&w->a, live_has_records, &one);
  live_wait(&w->b, live_has_records, &one);
  all_equal(w);
}

static int has_members(live_device *l, const void *arg) {
  return hub_device_space(&l->d)->members.n >= *(const uint64_t *)arg;
}

static void test_members(void **state) {
  world *w = *state;
  live_device_stay(&w->a);
  pthread_mutex_lock(&w->hub.lock);
  w->hub.members = 2;
  pthread_mutex_unlock(&w->hub.lock);
  live_wait(&w->a, has_members, &two);
}

/* The hub goes and comes again; what it wrote meanwhile comes at once, and what it writes
 * afterwards by itself. */
static void test_after_a_restart(void **state) {
  world *w = *state;
  live_device_stay(&w->a);
  live_hub_stop(&w->hub);
  pthread_join(w->a.thread, NULL);
  w->a.runs = 0;
  w->hub.members = 1;
  live_hub_start(&w->hub);
  w->a.port = w->b.port = qm_hub_port(w->hub.hub);
  live_device_stay(&w->a);
  live_wait(&w->a, has_members, &one);
  live_device_stay(&w->b);
  live_write(&w->b, 1, "Household of the north lane");
  live_wait(&w->a, live_has_records, &one);
  live_wait(&w->b, has_members, &one);
  all_equal(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_what_another_writes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_who_was_stamped_learns_it, setup, teardown),
      cmocka_unit_test_setup_teardown(test_set_aside_and_approved, setup, teardown),
      cmocka_unit_test_setup_teardown(test_members, setup, teardown),
      cmocka_unit_test_setup_teardown(test_after_a_restart, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
