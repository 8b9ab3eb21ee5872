/* STATE_WANT, STATE_BEGIN, STATE_PART, STATE_END: a snapshot on its way (SPEC S8.2.19,
 * S8.2.24 to S8.2.26). */
#include <string.h>

#include "core/mp.h"
#include "sync/msg.h"

int qm_msg_state_want_put(qm_buf *out, const qm_msg_state_want *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_STATE_WANT, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_uint(out, m->part);
  return qm_wire_end(out, at);
}

int qm_msg_state_want_get(qm_msg_state_want *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_STATE_WANT, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&c, &m->part));
  if (m->part > QM_STATE_PARTS_MAX) return QM_ERANGE;
  return qm_cur_end(&c);
}

int qm_msg_state_begin_put(qm_buf *out, const qm_msg_state_begin *m) {
  if (m->manifest.n > QM_STATE_MANIFEST_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_STATE_BEGIN, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_bin(out, m->manifest.p, m->manifest.n);
  return qm_wire_end(out, at);
}

int qm_msg_state_begin_get(qm_msg_state_begin *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_STATE_BEGIN, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm__msg_bin(&c, 1, QM_STATE_MANIFEST_MAX, &m->manifest));
  return qm_cur_end(&c);
}

int qm_msg_state_part_put(qm_buf *out, const qm_msg_state_part *m) {
  if (m->content.n > QM_STATE_PART_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_STATE_PART, 3);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_uint(out, m->part);
  qm_mp_bin(out, m->content.p, m->content.n);
  return qm_wire_end(out, at);
}

int qm_msg_state_part_get(qm_msg_state_part *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_STATE_PART, 3));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&c, &m->part));
  QM_TRY(qm__msg_bin(&c, 1, QM_STATE_PART_MAX, &m->content));
  if (m->part >= QM_STATE_PARTS_MAX) return QM_ERANGE;
  return qm_cur_end(&c);
}

int qm_msg_state_end_put(qm_buf *out, const qm_msg_state_end *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_STATE_END, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_bool(out, m->taken);
  return qm_wire_end(out, at);
}

int qm_msg_state_end_get(qm_msg_state_end *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_STATE_END, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_bool(&c, &m->taken));
  return qm_cur_end(&c);
}
