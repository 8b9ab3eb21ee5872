#include "core/mp.h"

#include <math.h>
#include <msgpack/pack.h>

#include "core/mp_put.h"

static int write_buf(void *payload, const char *p, size_t n) {
  qm_buf *b = payload;
  qm_buf_add(b, p, n);
  return b->status == QM_OK ? 0 : -1;
}

static msgpack_packer packer(qm_buf *b) {
  msgpack_packer pk;
  msgpack_packer_init(&pk, b, write_buf);
  return pk;
}

/* The packer cuts a length to 32 bits without a word; here it is a limit. */
static int fits(qm_buf *b, size_t n) {
#if SIZE_MAX > UINT32_MAX
  if (n > UINT32_MAX && b->status == QM_OK) b->status = QM_ELIMIT;
#else
  (void)n;
#endif
  return b->status == QM_OK;
}

void qm_mp_nil(qm_buf *b) {
  msgpack_packer pk = packer(b);
  (void)msgpack_pack_nil(&pk);
}

void qm_mp_bool(qm_buf *b, int v) {
  msgpack_packer pk = packer(b);
  (void)(v ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk));
}

/* Where a whole head would not fit, its bytes are counted first: a buffer may be filled to its
 * maximum. */
static int has_room(const qm_buf *b) {
  return b->status == QM_OK && b->p && b->cap - b->n >= QM__PUT_UINT;
}

void qm_mp_uint(qm_buf *b, uint64_t v) {
  uint8_t head[QM__PUT_UINT];
  if (has_room(b))
    b->n = (size_t)(qm__put_uint(b->p + b->n, v) - b->p);
  else
    qm_buf_add(b, head, (size_t)(qm__put_uint(head, v) - head));
}

void qm_mp_int(qm_buf *b, int64_t v) {
  msgpack_packer pk = packer(b);
  (void)msgpack_pack_int64(&pk, v);
}

void qm_mp_f64(qm_buf *b, double v) {
  msgpack_packer pk = packer(b);
  if (isnan(v)) {
    if (b->status == QM_OK) b->status = QM_ERANGE;
    return;
  }
  (void)msgpack_pack_double(&pk, v == 0.0 ? 0.0 : v);
}

void qm_mp_str(qm_buf *b, const void *p, size_t n) {
  if (!fits(b, n)) return;
  msgpack_packer pk = packer(b);
  (void)msgpack_pack_str(&pk, n);
  qm_buf_add(b, p, n);
}

void qm_mp_bin(qm_buf *b, const void *p, size_t n) {
  if (!fits(b, n)) return;
  msgpack_packer pk = packer(b);
  (void)msgpack_pack_bin(&pk, n);
  qm_buf_add(b, p, n);
}

void qm_mp_array(qm_buf *b, size_t count) {
  if (!fits(b, count)) return;
  uint8_t head[QM__PUT_UINT];
  if (has_room(b))
    b->n = (size_t)(qm__put_array(b->p + b->n, count) - b->p);
  else
    qm_buf_add(b, head, (size_t)(qm__put_array(head, count) - head));
}

void qm_mp_map(qm_buf *b, size_t pairs) {
  if (!fits(b, pairs)) return;
  msgpack_packer pk = packer(b);
  (void)msgpack_pack_map(&pk, pairs);
}

void qm_mp_ext(qm_buf *b, int8_t type, const void *p, size_t n) {
  if (!fits(b, n)) return;
  msgpack_packer pk = packer(b);
  (void)msgpack_pack_ext(&pk, n, type);
  qm_buf_add(b, p, n);
}

void qm_mp_raw(qm_buf *b, qm_slice value) { qm_buf_add(b, value.p, value.n); }
