#include "core/buf.h"

#include <string.h>

#include "core/mp_put.h"

#define CAP_FIRST 64u

void qm_buf_init(qm_buf *b, const qm_env *env, size_t max) {
  qm_buf fresh = {.env = env, .max = max};
  *b = fresh;
}

void qm_buf_init_in(qm_buf *b, const qm_env *env, size_t max, void *memory, size_t size) {
  qm_buf_init(b, env, max);
  b->p = memory;
  b->cap = size < max ? size : max;
  b->lent = 1;
}

void qm_buf_free(qm_buf *b) {
  if (b->p && !b->lent) qm_free(b->env, b->p);
  b->p = NULL;
  b->lent = 0;
  b->n = b->cap = 0;
}

void qm_buf_clear(qm_buf *b) {
  b->n = 0;
  b->status = QM_OK;
}

int qm_buf_status(const qm_buf *b) { return b->status; }

uint8_t *qm_buf_reserve(qm_buf *b, size_t n) {
  if (b->status != QM_OK) return NULL;
  if (n > b->max - b->n) {
    b->status = QM_ELIMIT;
    return NULL;
  }
  if (b->p && n <= b->cap - b->n) return b->p + b->n;
  /* Doubling, clipped to the maximum, so that appends are linear in total and no
   * buffer ever holds more than it was born to. */
  size_t cap = b->cap < CAP_FIRST / 2 ? CAP_FIRST : b->cap > b->max / 2 ? b->max : b->cap * 2;
  if (cap > b->max) cap = b->max;
  if (cap < b->n + n) cap = b->n + n;
  /* Reserving nothing still yields a pointer. */
  uint8_t *p = qm_realloc_array(b->env, b->lent ? NULL : b->p, cap ? cap : 1, 1);
  if (!p) {
    b->status = QM_ENOMEM;
    return NULL;
  }
  if (b->lent) memcpy(p, b->p, b->n);
  b->lent = 0;
  b->p = p;
  b->cap = cap;
  return p + b->n;
}

void qm_buf_add(qm_buf *b, const void *p, size_t n) {
  if (n == 0) return;
  uint8_t *to = b->status == QM_OK && n <= b->cap - b->n ? b->p + b->n : qm_buf_reserve(b, n);
  if (!to) return;
  (void)qm__put_few(to, p, n);
  b->n += n;
}

void qm__buf_byte_more(qm_buf *b, uint8_t v) {
  uint8_t *to = qm_buf_reserve(b, 1);
  if (!to) return;
  *to = v;
  b->n++;
}

static void add_be(qm_buf *b, uint64_t v, size_t n) {
  uint8_t *to = qm_buf_reserve(b, n);
  if (!to) return;
  for (size_t i = n; i-- > 0; v >>= 8) to[i] = (uint8_t)(v & 0xff);
  b->n += n;
}

void qm_buf_be16(qm_buf *b, uint16_t v) { add_be(b, v, 2); }
void qm_buf_be32(qm_buf *b, uint32_t v) { add_be(b, v, 4); }
void qm_buf_be64(qm_buf *b, uint64_t v) { add_be(b, v, 8); }

void qm__buf_varint_more(qm_buf *b, uint64_t v) {
  uint8_t bytes[10];
  size_t n = 0;
  while (v >= 0x80) {
    bytes[n++] = (uint8_t)((v & 0x7f) | 0x80);
    v >>= 7;
  }
  bytes[n++] = (uint8_t)v;
  qm_buf_add(b, bytes, n);
}

void qm_buf_svarint(qm_buf *b, int64_t v) {
  uint64_t u = (uint64_t)v << 1;
  qm_buf_varint(b, v < 0 ? ~u : u);
}
