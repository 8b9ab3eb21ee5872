#include "core/batch_columns.h"

typedef struct heap {
  uint32_t *v;
  int (*less)(const void *ctx, uint32_t a, uint32_t b);
  const void *ctx;
} heap;

static void sift(const heap *h, uint32_t at, uint32_t n) {
  uint32_t moving = h->v[at];
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= n) break;
    if (child + 1 < n && h->less(h->ctx, h->v[child], h->v[child + 1])) child++;
    if (!h->less(h->ctx, moving, h->v[child])) break;
    h->v[at] = h->v[child];
    at = child;
  }
  h->v[at] = moving;
}

/* Not qsort: libc's may allocate behind env's back, or be quadratic. */
void qm__heap_sort(uint32_t *v, uint32_t n, int (*less)(const void *ctx, uint32_t a, uint32_t b),
                   const void *ctx) {
  heap h = {v, less, ctx};
  for (uint32_t i = n / 2; i-- > 0;) sift(&h, i, n);
  for (uint32_t end = n; end > 1; end--) {
    uint32_t greatest = v[0];
    v[0] = v[end - 1];
    v[end - 1] = greatest;
    sift(&h, 0, end - 1);
  }
}
