#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

uint64_t fuzz_now;

static struct {
  qm_env env;
  size_t live;
  uint64_t random;
} state;

_Noreturn void fuzz_fail(const char *file, int line, const char *what, const char *detail) {
  fflush(stdout);
  fprintf(stderr, "%s:%d: %s%s%s\n", file, line, what, detail ? ": " : "", detail ? detail : "");
  abort();
}

void fuzz_same(qm_slice a, qm_slice b, const char *file, int line) {
  if (qm_slice_cmp(a, b) == 0) return;
  for (int side = 0; side < 2; side++) {
    qm_slice s = side ? b : a;
    fprintf(stderr, "%s (%zu): ", side ? "right" : "left", s.n);
    for (size_t i = 0; i < s.n && i < 400; i++) fprintf(stderr, "%02x", (unsigned)s.p[i]);
    fprintf(stderr, "\n");
  }
  fuzz_fail(file, line, "bytes differ", NULL);
}

static void *counted(void *payload, void *p, size_t n) {
  (void)payload;
  size_t before = p ? malloc_usable_size(p) : 0;
  if (!n) {
    free(p);
    state.live -= before;
    return NULL;
  }
  FUZZ_CHECK(n <= FUZZ_LIVE_MAX && state.live - before + n <= FUZZ_LIVE_MAX);
  void *q = realloc(p, n);
  if (q) state.live += malloc_usable_size(q) - before;
  return q;
}

static uint64_t clock_of(void *payload) {
  (void)payload;
  return fuzz_now;
}

static int random_of(void *payload, uint8_t *to, size_t n) {
  (void)payload;
  for (size_t i = 0; i < n; i++) { /* splitmix64 */
    uint64_t z = state.random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    to[i] = (uint8_t)(z ^ (z >> 31));
  }
  return QM_OK;
}

static int instance_of(void *payload, uint8_t out[16]) {
  (void)payload;
  memset(out, 0x1a, 16);
  return QM_OK;
}

const qm_env *fuzz_env(void) { return &state.env; }

void fuzz_one(void (*target)(qm_slice in), qm_slice in) {
  state.env = qm_env_default();
  state.env.realloc = counted;
  state.env.now_ms = clock_of;
  state.env.random = random_of;
  state.env.instance = instance_of;
  state.live = 0;
  state.random = 1;
  fuzz_now = UINT64_C(1800000000000);
  if (in.n <= FUZZ_INPUT_MAX) target(in);
  FUZZ_CHECK(state.live == 0);
}

unsigned fuzz_byte(qm_slice *in) {
  if (!in->n) return 0;
  in->n--;
  return *in->p++;
}

uint32_t fuzz_below(qm_slice *in, uint32_t n) {
  uint32_t v = fuzz_byte(in);
  if (n > 256) v = v << 8 | fuzz_byte(in);
  return n ? v % n : 0;
}

uint64_t fuzz_number(qm_slice *in) {
  unsigned head = fuzz_byte(in);
  if (head < 192) return head;
  uint64_t v = UINT64_C(1) << (head & 63);
  return v + fuzz_byte(in) - 2;
}

qm_slice fuzz_take(qm_slice *in, size_t n) {
  qm_slice s = {in->p, n < in->n ? n : in->n};
  in->p = s.n ? in->p + s.n : in->p;
  in->n -= s.n;
  return s;
}

qm_slice fuzz_piece(qm_slice *in) {
  size_t n = (size_t)fuzz_byte(in) << 8;
  n |= fuzz_byte(in);
  return fuzz_take(in, n);
}
