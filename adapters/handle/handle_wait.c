/* handle_wait.c: two ways. Where pthreads have no monotonic clock, a wait is made of short ones on
 * that of the wall: setting the date costs one of these at most. test_wait.c runs both ways. */
#include "adapters/handle/handle_wait.h"

#include <errno.h>
#include <poll.h>

#include "core/err.h"

#if defined(__APPLE__) && !defined(QM_PLAIN_PTHREADS)
#define QM_PLAIN_PTHREADS 1
#endif

static void add_ms(struct timespec *t, uint32_t ms) {
  t->tv_sec += (time_t)(ms / 1000);
  t->tv_nsec += (long)(ms % 1000) * 1000000L;
  if (t->tv_nsec >= 1000000000L) {
    t->tv_nsec -= 1000000000L;
    t->tv_sec++;
  }
}

#ifdef QM_PLAIN_PTHREADS

#define SLICE_MS 50u

int qm__wait_init(pthread_cond_t *cond) {
  return pthread_cond_init(cond, NULL) == 0 ? QM_OK : QM_ENOMEM;
}

static uint32_t left_ms(const struct timespec *until) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t ms = (int64_t)(until->tv_sec - now.tv_sec) * 1000 +
               (until->tv_nsec - now.tv_nsec + 999999) / 1000000;
  return ms <= 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

int qm__wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  uint32_t left = left_ms(until);
  struct timespec slice;
  clock_gettime(CLOCK_REALTIME, &slice);
  add_ms(&slice, left < SLICE_MS ? left : SLICE_MS);
  int rc = pthread_cond_timedwait(cond, mutex, &slice);
  return rc == ETIMEDOUT && left_ms(until) ? 0 : rc;
}

int qm__wait_lock(pthread_mutex_t *mutex, uint32_t ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  add_ms(&until, ms);
  while (pthread_mutex_trylock(mutex) != 0) {
    if (!left_ms(&until)) return QM_ETIMEOUT;
    (void)poll(NULL, 0, 1);
  }
  return QM_OK;
}

#else

int qm__wait_init(pthread_cond_t *cond) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return QM_ENOMEM;
  int failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
               pthread_cond_init(cond, &attributes) != 0;
  pthread_condattr_destroy(&attributes);
  return failed ? QM_ENOMEM : QM_OK;
}

int qm__wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  return pthread_cond_timedwait(cond, mutex, until);
}

/* A mutex that another call holds is waited for on the wall clock: POSIX has no other. */
int qm__wait_lock(pthread_mutex_t *mutex, uint32_t ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  add_ms(&until, ms);
  return pthread_mutex_timedlock(mutex, &until) == 0 ? QM_OK : QM_ETIMEOUT;
}

#endif
