/* SPACE: what a member needs to hold a space (SPEC S8.2.4). */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/msg.h"

int qm_msg_space_put(qm_buf *out, const qm_space_info *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_SPACE, 7);
  qm_mp_bin(out, m->id.b, QM_ID_SIZE);
  qm_mp_str(out, m->name.p, m->name.n);
  qm_mp_str(out, m->role.p, m->role.n);
  qm_mp_bin(out, m->secret, QM_SPACE_SECRET_SIZE);
  qm_mp_bin(out, m->schema.p, m->schema.n);
  qm_mp_bool(out, m->readable);
  qm_mp_bool(out, m->writable);
  return qm_wire_end(out, at);
}

int qm_msg_space_get(qm_space_info *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_SPACE, 7));
  QM_TRY(qm_cur_bin_n(&c, m->id.b, QM_ID_SIZE));
  QM_TRY(qm__msg_text(&c, QM_SYNC_NAME_MAX, &m->name));
  QM_TRY(qm__msg_text(&c, QM_SYNC_NAME_MAX, &m->role));
  QM_TRY(qm_cur_bin_n(&c, m->secret, QM_SPACE_SECRET_SIZE));
  QM_TRY(qm__msg_bin(&c, 1, QM_SCHEMA_MAX, &m->schema));
  QM_TRY(qm_cur_bool(&c, &m->readable));
  QM_TRY(qm_cur_bool(&c, &m->writable));
  return qm_cur_end(&c);
}
