#include "tests/unit/support_alloc.h"

#include <stdlib.h>

static void *counting_realloc(void *payload, void *p, size_t n) {
  test_alloc *a = payload;
  if (n == 0) {
    if (p) a->live--;
    free(p);
    return NULL;
  }
  a->count++;
  if (n > a->size_most) a->size_most = n;
  if (a->fail_at && a->count >= a->fail_at) return NULL;
  void *to = realloc(p, n);
  if (to && !p) a->live++;
  return to;
}

qm_env test_alloc_env(test_alloc *a) {
  qm_env env = qm_env_default();
  env.payload = a;
  env.realloc = counting_realloc;
  return env;
}
