/* prefetch: says that memory will be read soon, so that the processor fetches it while other
 * work goes on. Says nothing but that: any address will do, and no result depends on it. */
#ifndef QM_PREFETCH_H
#define QM_PREFETCH_H

#include <stddef.h>

#define QM_PREFETCH_LINE 64u /* bytes that come at once, on nearly every machine */
#define QM_PREFETCH_MAX (4 * QM_PREFETCH_LINE)

static inline void qm_prefetch(const void *p) {
#ifdef __GNUC__
  __builtin_prefetch(p);
#else
  (void)p;
#endif
}

/* n bytes from p on, QM_PREFETCH_MAX at most: behind these the processor sees by itself where
 * a reader goes on. */
static inline void qm_prefetch_bytes(const void *p, size_t n) {
  for (size_t i = 0; i < n && i < QM_PREFETCH_MAX; i += QM_PREFETCH_LINE)
    qm_prefetch((const char *)p + i);
}

#endif
