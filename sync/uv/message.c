#include "sync/uv/message.h"

#include <string.h>

#include "core/hash.h"

void qm__message_init(qm__message *m, const qm_env *env, uint32_t max) {
  memset(m, 0, sizeof *m);
  qm_buf_init(&m->body, env, max);
}

void qm__message_free(qm__message *m) {
  if (m->body.p) qm_wipe(m->body.p, m->body.n);
  qm_buf_free(&m->body);
}

int qm__message_whole(const qm__message *m) { return m->length && m->body.n == m->length; }

int qm__message_feed(qm__message *m, const uint8_t *in, size_t len, size_t *used) {
  *used = 0;
  while (m->head_n < 4 && *used < len) m->head[m->head_n++] = in[(*used)++];
  if (m->head_n < 4) return QM_OK;
  m->length = (uint32_t)m->head[0] << 24 | (uint32_t)m->head[1] << 16 |
              (uint32_t)m->head[2] << 8 | m->head[3];
  if (!m->length) return QM_EFORMAT;
  if (m->length > m->body.max) return QM_EOVERSIZE;
  size_t n = m->length - m->body.n;
  if (n > len - *used) n = len - *used;
  qm_buf_add(&m->body, in + *used, n);
  *used += n;
  return qm_buf_status(&m->body);
}
