/* BATCH, ACK, REFUSED, END, CREDIT, ASIDE: the stream of changes (SPEC S8.2.7 to S8.2.10,
 * S8.2.14, S8.2.21). */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/msg.h"

int qm_msg_batch_put(qm_buf *out, const qm_msg_batch *m) {
  if (m->blob.n > QM_BATCH_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_BATCH, 3);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_uint(out, m->seq);
  qm_mp_bin(out, m->blob.p, m->blob.n);
  return qm_wire_end(out, at);
}

int qm_msg_batch_get(qm_msg_batch *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_BATCH, 3));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&c, &m->seq));
  QM_TRY(qm__msg_bin(&c, 1, QM_BATCH_MAX, &m->blob));
  if (m->seq == 0) return QM_ERANGE;
  return qm_cur_end(&c);
}

int qm_msg_ack_put(qm_buf *out, const qm_msg_ack *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_ACK, 5);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_uint(out, m->seq);
  qm_mp_uint(out, m->taken);
  qm_mp_uint(out, m->known);
  qm_mp_uint(out, m->parked);
  return qm_wire_end(out, at);
}

int qm_msg_ack_get(qm_msg_ack *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_ACK, 5));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&c, &m->seq));
  QM_TRY(qm_cur_uint32(&c, &m->taken));
  QM_TRY(qm_cur_uint32(&c, &m->known));
  QM_TRY(qm_cur_uint32(&c, &m->parked));
  if (m->seq == 0) return QM_ERANGE;
  return qm_cur_end(&c);
}

static int author_is_zero(const qm_author *author) {
  static const qm_author zero;
  return qm_author_cmp(author, &zero) == 0;
}

int qm_msg_refused_put(qm_buf *out, const qm_msg_refused *m) {
  qm_slice message = qm__msg_cut(m->message, QM_SYNC_MESSAGE_MAX);
  size_t at = qm__msg_begin(out, QM_FRAME_REFUSED, 5);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_bin(out, m->author.b, QM_AUTHOR_SIZE);
  qm_mp_uint(out, m->counter);
  qm_mp_int(out, m->code);
  qm_mp_str(out, message.p, message.n);
  return qm_wire_end(out, at);
}

int qm_msg_refused_get(qm_msg_refused *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_REFUSED, 5));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_bin_n(&c, m->author.b, QM_AUTHOR_SIZE));
  QM_TRY(qm_cur_uint(&c, &m->counter));
  QM_TRY(qm__msg_code(&c, 0, &m->code));
  QM_TRY(qm__msg_text(&c, QM_SYNC_MESSAGE_MAX, &m->message));
  if (m->counter != 0 && author_is_zero(&m->author)) return QM_ERANGE;
  return qm_cur_end(&c);
}

int qm_msg_aside_put(qm_buf *out, const qm_msg_aside *m) {
  if (m->entries.n > QM_SYNC_ASIDE_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_ASIDE, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_bin(out, m->entries.p, m->entries.n);
  return qm_wire_end(out, at);
}

int qm_msg_aside_get(qm_msg_aside *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_ASIDE, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm__msg_bin(&c, 1, QM_SYNC_ASIDE_MAX, &m->entries));
  return qm_cur_end(&c);
}

int qm_msg_end_put(qm_buf *out, const qm_msg_end *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_END, 1);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  return qm_wire_end(out, at);
}

int qm_msg_end_get(qm_msg_end *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_END, 1));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  return qm_cur_end(&c);
}

int qm_msg_credit_put(qm_buf *out, const qm_msg_credit *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_CREDIT, 1);
  qm_mp_uint(out, m->bytes);
  return qm_wire_end(out, at);
}

int qm_msg_credit_get(qm_msg_credit *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_CREDIT, 1));
  QM_TRY(qm_cur_uint32(&c, &m->bytes));
  if (m->bytes == 0 || m->bytes > QM_SYNC_WINDOW) return QM_ERANGE;
  return qm_cur_end(&c);
}
