#include "core/mem.h"

#include <string.h>

/* Under AddressSanitizer the unused rest of a chunk is poisoned and every
 * allocation is followed by a red zone, so that a read past an arena object is
 * found as it would be for malloc. */
#if defined(__SANITIZE_ADDRESS__)
#define QM_MEM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QM_MEM_ASAN 1
#endif
#endif
#ifdef QM_MEM_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define RED_ZONE 16u
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define RED_ZONE 0u
#endif

#define ALIGN 16u
#define CHUNK_SIZE_FIRST 4096u
#define CHUNK_SIZE_MAX 262144u

struct qm_arena_chunk {
  qm_arena_chunk *next; /* the chunk made before this one */
  size_t size;          /* bytes of payload from data_of() on */
};

int qm_slice_cmp(qm_slice a, qm_slice b) {
  size_t n = a.n < b.n ? a.n : b.n;
  int order = n ? memcmp(a.p, b.p, n) : 0;
  if (order) return order;
  return (a.n > b.n) - (a.n < b.n);
}

/* Size in the arena: at least one unit, so that pointers are distinct. The
 * caller has checked n <= size_max <= SIZE_MAX - slack. */
static size_t rounded(size_t n) { return n ? (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1) : ALIGN; }

static uint8_t *data_of(qm_arena_chunk *c) {
  uintptr_t at = (uintptr_t)(c + 1);
  size_t skip = (size_t)(-at & (ALIGN - 1));
  return (uint8_t *)(c + 1) + skip;
}

static void enter(qm_arena *a, qm_arena_chunk *c) {
  a->at = data_of(c);
  a->end = a->at + c->size;
  POISON(a->at, c->size);
}

static int add_chunk(qm_arena *a, size_t need) {
  size_t size = a->head ? a->head->size * 2 : CHUNK_SIZE_FIRST;
  if (size > CHUNK_SIZE_MAX) size = CHUNK_SIZE_MAX;
  if (size < need) size = need;
  qm_arena_chunk *c = qm_alloc(a->env, sizeof *c + ALIGN + size);
  if (!c) return QM_ENOMEM;
  c->next = a->head;
  c->size = size;
  a->head = c;
  enter(a, c);
  return QM_OK;
}

void qm_arena_init(qm_arena *a, const qm_env *env, size_t size_max) {
  /* The slack keeps every sum of a size with header and alignment from wrapping. */
  size_t ceiling = SIZE_MAX / 4;
  qm_arena fresh = {.env = env, .size_max = size_max < ceiling ? size_max : ceiling};
  *a = fresh;
}

void *qm_arena_alloc(qm_arena *a, size_t n) {
  if (n > a->size_max - a->used) return NULL;
  size_t size = rounded(n);
  if (size > a->size_max - a->used) return NULL;
  if (size + RED_ZONE > (size_t)(a->end - a->at) && add_chunk(a, size + RED_ZONE)) return NULL;
  uint8_t *p = a->at;
  a->at += size + RED_ZONE;
  a->used += size;
  UNPOISON(p, n ? n : 1);
  return p;
}

void *qm_arena_zero(qm_arena *a, size_t n) {
  void *p = qm_arena_alloc(a, n);
  if (p && n) memset(p, 0, n);
  return p;
}

void *qm_arena_array(qm_arena *a, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return NULL;
  return qm_arena_alloc(a, count * size);
}

/* Extends the last allocation where it stands; 0 where it is not the last or the
 * chunk has no room. */
static int extend(qm_arena *a, uint8_t *p, size_t old_size, size_t new_size) {
  size_t before = rounded(old_size), after = rounded(new_size);
  if (p + before + RED_ZONE != a->at) return 0;
  size_t more = after - before;
  if (more > (size_t)(a->end - a->at) || more > a->size_max - a->used) return 0;
  a->at += more;
  a->used += more;
  UNPOISON(p, new_size);
  return 1;
}

void *qm_arena_grow(qm_arena *a, void *p, size_t old_count, size_t new_count, size_t size) {
  if (size && new_count > SIZE_MAX / size) return NULL;
  if (!p) return qm_arena_alloc(a, new_count * size);
  if (new_count <= old_count) return p;
  if (new_count * size > a->size_max) return NULL;
  if (extend(a, p, old_count * size, new_count * size)) return p;
  void *to = qm_arena_alloc(a, new_count * size);
  if (to && old_count && size) memcpy(to, p, old_count * size);
  return to;
}

void *qm_arena_copy(qm_arena *a, const void *p, size_t n) {
  void *to = qm_arena_alloc(a, n);
  if (to && n) memcpy(to, p, n);
  return to;
}

static void free_chunk(const qm_env *env, qm_arena_chunk *c) {
  UNPOISON(c, sizeof *c + ALIGN + c->size);
  qm_free(env, c);
}

void qm_arena_reset(qm_arena *a) {
  a->used = 0;
  if (!a->head) return;
  while (a->head->next) {
    qm_arena_chunk *c = a->head;
    a->head = c->next;
    free_chunk(a->env, c);
  }
  enter(a, a->head);
}

void qm_arena_recycle(qm_arena *a) {
  a->used = 0;
  if (!a->head) return;
  if (a->head->size > CHUNK_SIZE_MAX) {
    qm_arena_reset(a);
    return;
  }
  while (a->head->next) {
    qm_arena_chunk *c = a->head->next;
    a->head->next = c->next;
    free_chunk(a->env, c);
  }
  enter(a, a->head);
}

void qm_arena_free(qm_arena *a) {
  while (a->head) {
    qm_arena_chunk *c = a->head;
    a->head = c->next;
    free_chunk(a->env, c);
  }
  a->at = a->end = NULL;
  a->used = 0;
}
