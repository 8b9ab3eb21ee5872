/* timestamp: 48 bits of milliseconds since 1970 and a 16-bit counter, in
 * one integer that orders as time. An author's next stamp is the greater of its
 * last + 1 and the corrected clock; no time read in a change ever moves it (this
 * is not a hybrid logical clock: there is no receive rule). */
#ifndef QM_TIMESTAMP_H
#define QM_TIMESTAMP_H

#include <stdint.h>

typedef uint64_t qm_time;

#define QM_TIME_MS_MAX ((UINT64_C(1) << 48) - 1)

static inline uint64_t qm_time_ms(qm_time t) { return t >> 16; }
static inline uint16_t qm_time_tick(qm_time t) { return (uint16_t)(t & 0xffff); }
static inline qm_time qm_time_make(uint64_t ms) {
  return (ms > QM_TIME_MS_MAX ? QM_TIME_MS_MAX : ms) << 16;
}
/* The time stamp that follows `last` when the corrected clock shows now_ms. It is
 * strictly greater than `last`, except at the end of the range (year 10889). */
qm_time qm_time_next(qm_time last, uint64_t now_ms);

#endif
