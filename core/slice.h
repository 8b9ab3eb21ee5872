/* slice: bytes borrowed from somebody: the one way bytes are passed in. */
#ifndef QM_SLICE_H
#define QM_SLICE_H

#include <stddef.h>
#include <stdint.h>

typedef struct qm_slice {
  const uint8_t *p; /* may be NULL when n is 0 */
  size_t n;         /* bytes */
} qm_slice;

static inline qm_slice qm_slice_of(const void *p, size_t n) {
  qm_slice s = {(const uint8_t *)p, n};
  return s;
}

#endif
