/* Waiting with a deadline, as pthreads with a monotonic clock do it and as those without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "adapters/handle/handle.h"

/* The other way, under other names. */
#define QM_PLAIN_PTHREADS 1
#define qm__wait_init plain_init
#define qm__wait_until plain_until
#define qm__wait_lock plain_lock
int plain_init(pthread_cond_t *cond);
int plain_until(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int plain_lock(pthread_mutex_t *mutex, uint32_t ms);
#include "adapters/handle/handle_wait.c"
#undef qm__wait_init
#undef qm__wait_until
#undef qm__wait_lock

typedef struct way {
  int (*init)(pthread_cond_t *);
  int (*until)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  int (*lock)(pthread_mutex_t *, uint32_t);
} way;

static const way ways[] = {{qm__wait_init, qm__wait_until, qm__wait_lock},
                           {plain_init, plain_until, plain_lock}};

typedef struct meeting {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  int there, held;
} meeting;

static int64_t now_ms(void) {
  struct timespec t = qm__handle_deadline(0);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void open_meeting(meeting *m, const way *w) {
  m->there = m->held = 0;
  assert_int_equal(pthread_mutex_init(&m->mutex, NULL), 0);
  assert_int_equal(w->init(&m->cond), 0);
}

static void close_meeting(meeting *m) {
  pthread_cond_destroy(&m->cond);
  pthread_mutex_destroy(&m->mutex);
}

static void *come(void *payload) {
  meeting *m = payload;
  pthread_mutex_lock(&m->mutex);
  m->there = 1;
  pthread_cond_broadcast(&m->cond);
  pthread_mutex_unlock(&m->mutex);
  return NULL;
}

/* Whoever comes is met long before the deadline; nobody comes: not before it. */
static void test_until(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    meeting m;
    pthread_t t;
    open_meeting(&m, &ways[i]);
    pthread_mutex_lock(&m.mutex);
    struct timespec until = qm__handle_deadline(600000);
    assert_int_equal(pthread_create(&t, NULL, come, &m), 0);
    while (!m.there) assert_int_equal(ways[i].until(&m.cond, &m.mutex, &until), 0);
    pthread_join(t, NULL);
    static const uint32_t ms[] = {0, 3, 120};
    for (size_t k = 0; k < 3; k++) {
      int64_t from = now_ms();
      int rc = 0;
      until = qm__handle_deadline(ms[k]);
      while (rc == 0) rc = ways[i].until(&m.cond, &m.mutex, &until);
      assert_int_equal(rc, ETIMEDOUT);
      assert_true(now_ms() - from >= (int64_t)ms[k] - 1);
    }
    pthread_mutex_unlock(&m.mutex);
    close_meeting(&m);
  }
}

static void *hold(void *payload) {
  meeting *m = payload;
  pthread_mutex_lock(&m->mutex);
  m->held = 1;
  pthread_cond_broadcast(&m->cond);
  while (!m->there) pthread_cond_wait(&m->cond, &m->mutex);
  pthread_mutex_unlock(&m->mutex);
  return NULL;
}

static void *hold_long(void *payload) {
  meeting *m = payload;
  pthread_mutex_lock(&m->mutex);
  m->held = 1;
  pthread_cond_broadcast(&m->cond);
  pthread_mutex_unlock(&m->mutex);
  return NULL;
}

static void test_lock(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    meeting m;
    pthread_t t;
    open_meeting(&m, &ways[i]);
    assert_int_equal(ways[i].lock(&m.mutex, 0), QM_OK);
    assert_int_equal(ways[i].lock(&m.mutex, 0), QM_ETIMEOUT);
    assert_int_equal(ways[i].lock(&m.mutex, 5), QM_ETIMEOUT);
    assert_int_equal(pthread_create(&t, NULL, hold_long, &m), 0);
    pthread_mutex_unlock(&m.mutex); /* the other one takes it and lets it go */
    pthread_join(t, NULL);
    assert_int_equal(ways[i].lock(&m.mutex, 600000), QM_OK);
    assert_true(m.held);
    m.held = 0;
    assert_int_equal(pthread_create(&t, NULL, hold, &m), 0);
    while (!m.held) pthread_cond_wait(&m.cond, &m.mutex);
    m.there = 1;
    pthread_cond_broadcast(&m.cond);
    pthread_mutex_unlock(&m.mutex);
    assert_int_equal(ways[i].lock(&m.mutex, 600000), QM_OK);
    pthread_mutex_unlock(&m.mutex);
    pthread_join(t, NULL);
    close_meeting(&m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_until), cmocka_unit_test(test_lock)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
