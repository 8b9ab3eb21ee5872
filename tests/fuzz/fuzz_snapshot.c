/* A state in parts, joined into a replica that has something of its own. Input: how, then the
 * parts with their lengths before them. Refused ones leave no trace. */
#include <string.h>

#include "core/state.h"
#include "tests/fuzz/support_fuzz.h"

void fuzz_snapshot(qm_slice in) {
  fuzz_replica r;
  qm_slice parts[16];
  uint32_t n = 0;
  int joined = 0;
  uint8_t vv[2][16];
  qm_digest before, after;
  qm_error e = {0, ""};
  unsigned how = fuzz_byte(&in);
  while (in.n && n < 16) parts[n++] = fuzz_piece(&in);
  fuzz_replica_open(&r, 3, 0);
  if (how & 1) fuzz_fill(&r, r.space);
  FUZZ_OK(qm_engine_push(r.engine, r.space));
  qm_space_digest(r.space, &before);
  FUZZ_OK(qm_engine_vv_digest(r.engine, r.space, vv[0]));
  int rc = qm_state_join(r.engine, r.space, parts, n, &joined, &e);
  FUZZ_CHECK(rc == QM_OK || e.message[0]);
  FUZZ_CHECK(rc != QM_EINTERNAL);
  fuzz_check_replica(&r, r.space);
  if (rc != QM_OK || !joined) {
    qm_space_digest(r.space, &after);
    FUZZ_OK(qm_engine_vv_digest(r.engine, r.space, vv[1]));
    FUZZ_CHECK(qm_digest_eq(&before, &after) && memcmp(vv[0], vv[1], 16) == 0);
  }
  if (rc == QM_OK && how & 2) {
    in = qm_slice_of("\x03\x01\x02\x05\x07\x00\x01\x02\x09\x01\x04\x02", 12);
    fuzz_write(&r, r.space, &in);
    fuzz_check_replica(&r, r.space);
  }
  fuzz_replica_close(&r);
}
