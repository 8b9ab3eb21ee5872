/* LIVE: what a session says that goes on after everything is exchanged (SPEC S8.2.30). */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/msg.h"

static int of_space(uint32_t what) { return what == QM_LIVE_NEWS || what == QM_LIVE_REST; }

int qm_msg_live_put(qm_buf *out, const qm_msg_live *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_LIVE, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_uint(out, m->what);
  return qm_wire_end(out, at);
}

int qm_msg_live_get(qm_msg_live *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_LIVE, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&c, &m->what));
  if (m->what >= QM_LIVE_WHATS || of_space(m->what) == qm_id_is_zero(&m->space)) return QM_ERANGE;
  return qm_cur_end(&c);
}
