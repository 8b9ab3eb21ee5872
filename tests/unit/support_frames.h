/* support_frames: a valid example of every frame, invented ids: device 11…, space 5a…,
 * author aa…. The same stand in SPEC §8.11. */
#ifndef QM_TEST_SUPPORT_FRAMES_H
#define QM_TEST_SUPPORT_FRAMES_H

#include "sync/msg.h"

typedef struct frame_example {
  const char *name;
  uint32_t frame;
  const char *hex; /* of the body */
  int (*put)(qm_buf *out);
  /* Decodes a body and puts it again. */
  int (*again)(qm_slice body, qm_arena *arena, qm_buf *out);
} frame_example;

extern const frame_example frame_examples[];
extern const size_t frame_examples_n;

qm_id example_id(uint8_t first);

#endif
