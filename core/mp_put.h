/* mp_put: private. MessagePack's short heads, written where room was made for them: for the
 * forms that are written once an op. Each returns what follows. */
#ifndef QM_MP_PUT_H
#define QM_MP_PUT_H

#include <string.h>

#include "core/slice.h"

#define QM__PUT_UINT 9 /* bytes of the longest */

static inline uint8_t *qm__put_be(uint8_t *to, uint64_t v, unsigned n) {
  for (unsigned i = n; i-- > 0; v >>= 8) to[i] = (uint8_t)v;
  return to + n;
}

static inline uint8_t *qm__put_uint(uint8_t *to, uint64_t v) {
  if (v < 0x80) {
    *to = (uint8_t)v;
    return to + 1;
  }
  if (v <= UINT8_MAX) {
    to[0] = 0xcc;
    to[1] = (uint8_t)v;
    return to + 2;
  }
  if (v <= UINT16_MAX) {
    to[0] = 0xcd;
    return qm__put_be(to + 1, v, 2);
  }
  if (v <= UINT32_MAX) {
    to[0] = 0xce;
    return qm__put_be(to + 1, v, 4);
  }
  to[0] = 0xcf;
  return qm__put_be(to + 1, v, 8);
}

/* memcpy for what is mostly a few bytes: of up to sixteen two halves that may overlap, without a
 * call. */
static inline uint8_t *qm__put_few(uint8_t *to, const void *from, size_t n) {
  const uint8_t *p = from;
  if (n > 16) {
    memcpy(to, p, n);
  } else if (n >= 8) {
    memcpy(to, p, 8);
    memcpy(to + n - 8, p + n - 8, 8);
  } else if (n >= 4) {
    memcpy(to, p, 4);
    memcpy(to + n - 4, p + n - 4, 4);
  } else if (n) {
    to[0] = p[0];
    to[n / 2] = p[n / 2];
    to[n - 1] = p[n - 1];
  }
  return to + n;
}

/* An array of fewer than 2^32 elements. */
static inline uint8_t *qm__put_array(uint8_t *to, uint64_t count) {
  if (count < 16) {
    *to = (uint8_t)(0x90 | count);
    return to + 1;
  }
  to[0] = count <= UINT16_MAX ? 0xdc : 0xdd;
  return qm__put_be(to + 1, count, count <= UINT16_MAX ? 2 : 4);
}

/* n < 256 bytes. */
static inline uint8_t *qm__put_bin(uint8_t *to, const void *p, size_t n) {
  to[0] = 0xc4;
  to[1] = (uint8_t)n;
  memcpy(to + 2, p, n);
  return to + 2 + n;
}

#define QM__PUT_STR 5 /* bytes of the longest head */

/* n < 2^32 bytes of UTF-8. */
static inline uint8_t *qm__put_str(uint8_t *to, const void *p, size_t n) {
  if (n < 32) {
    *to++ = (uint8_t)(0xa0 | n);
  } else {
    to[0] = n <= UINT8_MAX ? 0xd9 : n <= UINT16_MAX ? 0xda : 0xdb;
    to = qm__put_be(to + 1, n, n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : 4);
  }
  return qm__put_few(to, p, n);
}

static inline uint8_t *qm__put_raw(uint8_t *to, qm_slice raw) {
  return qm__put_few(to, raw.p, raw.n);
}

#endif
