/* A change of the open run as it rests in the store, under a fixed author table. */
#include <string.h>

#include "core/segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/support_fuzz.h"

void fuzz_change(qm_slice in) {
  qm_authors authors;
  qm_arena arena;
  qm_buf out;
  qm_change c;
  qm_error e = {0, ""};
  fuzz_authors(&authors);
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  qm_buf_init(&out, fuzz_env(), SIZE_MAX / 2);
  if (qm_change_unrow(&c, in, &authors, &arena) == QM_OK) {
    qm_change_row(&c, &authors, &out);
    FUZZ_OK(qm_buf_status(&out));
    FUZZ_SAME(qm_buf_slice(&out), in);
    for (uint32_t i = 0; i < c.n_ops; i++) (void)qm_op_check(&c.ops[i], &e);
  }
  qm_buf_free(&out);
  qm_arena_free(&arena);
  qm_authors_free(&authors);
}
