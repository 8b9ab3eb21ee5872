/* Bodies of all frames: what is read is written again as the same bytes. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/support_frames.h"

void fuzz_msg(qm_slice in) {
  uint32_t number = 0;
  qm_arena arena;
  qm_buf out;
  if (qm_msg_frame(in, &number) != QM_OK) return;
  FUZZ_CHECK(qm_frame_name(number) != NULL);
  qm_arena_init(&arena, fuzz_env(), QM_SYNC_SCRATCH_MAX);
  qm_buf_init(&out, fuzz_env(), QM_SYNC_OUT_MAX);
  for (size_t i = 0; i < frame_examples_n; i++) {
    if (frame_examples[i].frame != number) continue;
    if (frame_examples[i].again(in, &arena, &out) != QM_OK) break;
    FUZZ_OK(qm_buf_status(&out));
    FUZZ_SAME(qm_slice_of(out.p + 4, out.n - 4), in);
    break;
  }
  qm_buf_free(&out);
  qm_arena_free(&arena);
}
