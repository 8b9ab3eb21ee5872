/* handle_wait: waiting with a deadline on the monotonic clock, so that a person who sets the date
 * stops no thread; also where the system's pthreads know only the clock of the wall (Apple's). */
#ifndef QM_HANDLE_WAIT_H
#define QM_HANDLE_WAIT_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* 0, or QM_ENOMEM. To be freed with pthread_cond_destroy. */
int qm__wait_init(pthread_cond_t *cond);
/* As pthread_cond_timedwait, until a time of qm__handle_deadline: 0 or ETIMEDOUT. It may return 0
 * for no reason, as that does. */
int qm__wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
/* Locks it within ms milliseconds: 0, or QM_ETIMEOUT. */
int qm__wait_lock(pthread_mutex_t *mutex, uint32_t ms);

#endif
