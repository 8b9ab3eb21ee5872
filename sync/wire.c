#include "sync/wire.h"

/* A buffer larger than this is given back behind each frame. */
#define KEEP 1024u
/* S8.15: from here on the first byte of a short frame has the upper four bits of two. */
#define SHORT_TWO 0xf0u

void qm_wire_init(qm_wire *w, const qm_env *env, uint32_t max) {
  qm_wire fresh = {.max = max};
  *w = fresh;
  qm_buf_init(&w->body, env, QM_SYNC_BODY_MAX);
}

void qm_wire_free(qm_wire *w) { qm_buf_free(&w->body); }

void qm_wire_max(qm_wire *w, uint32_t max) { w->max = max; }

static int whole(const qm_wire *w) { return w->length != 0 && w->body.n == w->length; }

/* A length of three bytes is never needed (S8.1), so that the first byte tells. */
static int take_short_head(qm_wire *w, const uint8_t *in, size_t len, size_t *used) {
  if (w->head_n == 0) w->head[w->head_n++] = in[(*used)++];
  uint32_t first = w->head[0];
  w->is_short = 1;
  if (first < SHORT_TWO) {
    w->length = first;
    return QM_OK;
  }
  if (*used == len) return QM_OK;
  w->head[w->head_n++] = in[(*used)++];
  w->length = (first - SHORT_TWO) << 8 | w->head[1];
  return w->length < SHORT_TWO ? QM_EFORMAT : QM_OK;
}

static int take_head(qm_wire *w, const uint8_t *in, size_t len, size_t *used) {
  if (w->length || *used == len) return QM_OK;
  if (w->is_short || (w->takes_short && !w->head_n && in[*used]))
    return take_short_head(w, in, len, used);
  while (w->head_n < QM_SYNC_HEAD_SIZE) {
    if (*used == len) return QM_OK;
    w->head[w->head_n++] = in[(*used)++];
  }
  uint32_t length = (uint32_t)w->head[0] << 24 | (uint32_t)w->head[1] << 16 |
                    (uint32_t)w->head[2] << 8 | (uint32_t)w->head[3];
  if (length == 0) return QM_EFORMAT;
  if (length > w->max) return QM_EOVERSIZE;
  w->length = length;
  return QM_OK;
}

int qm_wire_feed(qm_wire *w, const uint8_t *in, size_t len, size_t *used) {
  *used = 0;
  QM_TRY(w->status);
  if (whole(w)) return QM_OK;
  w->status = take_head(w, in, len, used);
  QM_TRY(w->status);
  if (w->length == 0) return QM_OK;
  size_t n = w->length - w->body.n;
  if (n > len - *used) n = len - *used;
  if (n) qm_buf_add(&w->body, in + *used, n); /* S8.1: grows by what arrived */
  w->status = qm_buf_status(&w->body);
  QM_TRY(w->status);
  *used += n;
  return QM_OK;
}

int qm_wire_ready(const qm_wire *w, qm_slice *body) {
  if (w->status != QM_OK || !whole(w)) return 0;
  *body = qm_buf_slice(&w->body);
  return 1;
}

void qm_wire_next(qm_wire *w) {
  if (w->body.cap > KEEP) qm_buf_free(&w->body);
  qm_buf_clear(&w->body);
  w->length = 0;
  w->head_n = 0;
  w->is_short = 0;
}

void qm_wire_take_short(qm_wire *w) { w->takes_short = 1; }

int qm_wire_is_short(const qm_wire *w) { return w->is_short; }

void qm_wire_short(qm_buf *out, size_t n) {
  if (n >= SHORT_TWO) qm_buf_byte(out, (uint8_t)(SHORT_TWO + (n >> 8)));
  qm_buf_byte(out, (uint8_t)n);
}

int qm_wire_partial(const qm_wire *w) { return w->head_n != 0; }

size_t qm_wire_begin(qm_buf *out) {
  size_t at = out->n;
  qm_buf_be32(out, 0);
  return at;
}

int qm_wire_end(qm_buf *out, size_t at) {
  QM_TRY(qm_buf_status(out));
  size_t n = out->n - at - QM_SYNC_HEAD_SIZE;
  if (n > QM_SYNC_BODY_MAX) {
    out->n = at;
    return QM_ELIMIT;
  }
  uint8_t *p = out->p + at;
  p[0] = (uint8_t)(n >> 24);
  p[1] = (uint8_t)(n >> 16);
  p[2] = (uint8_t)(n >> 8);
  p[3] = (uint8_t)n;
  return QM_OK;
}
