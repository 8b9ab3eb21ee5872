/* message: one message with a length before it (u32, big-endian), as enrolment has them,
 * read as its bytes come. Memory grows with the bytes that are there, never with what the
 * length claims. */
#ifndef QM_SYNC_UV_MESSAGE_H
#define QM_SYNC_UV_MESSAGE_H

#include "core/buf.h"

typedef struct qm__message {
  qm_buf body; /* its maximum is the largest message */
  uint8_t head[4];
  uint32_t head_n, length;
} qm__message;

void qm__message_init(qm__message *m, const qm_env *env, uint32_t max);
void qm__message_free(qm__message *m); /* wipes */
/* *used: bytes taken, none once it is whole. QM_EOVERSIZE, QM_EFORMAT (length 0), QM_ENOMEM. */
int qm__message_feed(qm__message *m, const uint8_t *in, size_t len, size_t *used);
int qm__message_whole(const qm__message *m);

#endif
