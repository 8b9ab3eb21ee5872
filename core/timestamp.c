#include "core/timestamp.h"

qm_time qm_time_next(qm_time last, uint64_t now_ms) {
  qm_time now = qm_time_make(now_ms);
  if (now > last) return now;
  return last == UINT64_MAX ? last : last + 1;
}
