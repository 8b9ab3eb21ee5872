/* sim_prng: the only source of chance in the simulator (splitmix64). */
#ifndef SIM_PRNG_H
#define SIM_PRNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct sim_prng {
  uint64_t state;
} sim_prng;

static inline uint64_t prng_next(sim_prng *p) {
  uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* A stream of its own, told apart by `salt`. */
static inline sim_prng prng_fork(sim_prng *p, uint64_t salt) {
  sim_prng out = {prng_next(p) ^ (salt * UINT64_C(0xd6e8feb86659fd93))};
  return out;
}

/* 0 … n-1; n >= 1. */
static inline uint32_t prng_below(sim_prng *p, uint32_t n) { return (uint32_t)(prng_next(p) % n); }

/* 1 with probability num/den. */
static inline int prng_chance(sim_prng *p, uint32_t num, uint32_t den) {
  return prng_below(p, den) < num;
}

static inline void prng_fill(sim_prng *p, uint8_t *to, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(prng_next(p) >> 24);
}

/* FNV-1a, 64 bits, over everything that happens: equal seeds, equal hashes. */
typedef struct sim_trace {
  uint64_t hash;
} sim_trace;

static inline void trace_bytes(sim_trace *t, const void *p, size_t n) {
  const uint8_t *b = p;
  uint64_t h = t->hash;
  for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * UINT64_C(0x100000001b3);
  t->hash = h;
}

static inline void trace_u64(sim_trace *t, uint64_t v) { trace_bytes(t, &v, sizeof v); }

#endif
