/* support_alloc: an env whose allocator counts, and fails where it is told to. */
#ifndef QM_TEST_SUPPORT_ALLOC_H
#define QM_TEST_SUPPORT_ALLOC_H

#include "core/env.h"

typedef struct test_alloc {
  size_t count;     /* allocations and growths asked for */
  size_t live;      /* blocks not freed yet */
  size_t size_most; /* the largest single request, bytes */
  size_t fail_at;   /* this request and all after it fail; 0: none */
} test_alloc;

/* *a is borrowed as long as the env is used. Everything else as in qm_env_default. */
qm_env test_alloc_env(test_alloc *a);

#endif
