/* STATE_ASK, RANGE: what is to be mended (SPEC S8.2.27, S8.2.32). */
#include <string.h>

#include "core/mp.h"
#include "sync/msg.h"

#define LEAST_LEAST 27u /* bytes of the smallest entry */

int qm_msg_state_ask_put(qm_buf *out, const qm_msg_state_ask *m) {
  if (m->least.n > QM_SYNC_VV_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_STATE_ASK, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_array(out, 2 * (size_t)m->least.n);
  for (uint32_t i = 0; i < m->least.n; i++) {
    qm_mp_bin(out, m->least.p[i].author.b, QM_AUTHOR_SIZE);
    qm_mp_uint(out, m->least.p[i].next);
  }
  return qm_wire_end(out, at);
}

int qm_msg_state_ask_get(qm_msg_state_ask *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  uint32_t n;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_STATE_ASK, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_array(&c, &n));
  if (n % 2 != 0) return QM_EFORMAT;
  n /= 2;
  if (n > QM_SYNC_VV_MAX || n > qm_cur_left(&c) / LEAST_LEAST) return QM_EOVERSIZE;
  qm_vv_entry *p = qm_arena_zero(arena, (size_t)n * sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_bin_n(&c, p[i].author.b, QM_AUTHOR_SIZE));
    QM_TRY(qm_cur_uint(&c, &p[i].next));
    if (p[i].next == 0) return QM_ERANGE;
    int order = i ? qm_author_cmp(&p[i - 1].author, &p[i].author) : -1;
    if (order >= 0) return order ? QM_ECANON : QM_EDUPKEY;
  }
  m->least = (qm_vv_list){p, n};
  return qm_cur_end(&c);
}

int qm_msg_range_put(qm_buf *out, const qm_msg_range *m) {
  if (m->content.n > QM_RANGE_BYTES) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_RANGE, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_bin(out, m->content.p, m->content.n);
  return qm_wire_end(out, at);
}

int qm_msg_range_get(qm_msg_range *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_RANGE, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm__msg_bin(&c, 0, QM_RANGE_BYTES, &m->content));
  return qm_cur_end(&c);
}
