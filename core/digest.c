#include "core/digest.h"

static uint64_t be64(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 0; i < 8; i++) v = v << 8 | p[i];
  return v;
}

void qm_digest_read(qm_digest *d, const uint8_t in[16]) {
  d->hi = be64(in);
  d->lo = be64(in + 8);
}

void qm_digest_add(qm_digest *d, const uint8_t hash[16]) {
  uint64_t lo = be64(hash + 8);
  d->lo += lo;
  d->hi += be64(hash) + (d->lo < lo);
}

void qm_digest_sub(qm_digest *d, const uint8_t hash[16]) {
  uint64_t lo = be64(hash + 8);
  d->hi -= be64(hash) + (d->lo < lo);
  d->lo -= lo;
}

int qm_digest_eq(const qm_digest *a, const qm_digest *b) {
  return a->hi == b->hi && a->lo == b->lo;
}

void qm_digest_bytes(const qm_digest *d, uint8_t out[16]) {
  for (int i = 0; i < 8; i++) {
    out[i] = (uint8_t)(d->hi >> (56 - 8 * i));
    out[8 + i] = (uint8_t)(d->lo >> (56 - 8 * i));
  }
}
