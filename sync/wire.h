/* wire: frames on a byte stream (SPEC S8.1). A frame is a u32, big-endian: the length of
 * its body, 1 to a maximum, and the body. In a session that stays there are short frames too
 * (S8.15): a byte or two for the length.
 *
 * The reader takes bytes as they come and holds one body. Its buffer grows with the bytes
 * that are there, never with what a header claims; a length beyond the maximum is refused
 * when the header is complete, before any byte of the body.
 * Invariant: body.n <= length <= max; `length` is 0 until the header is complete.
 *
 * Single-threaded; owned by one session. */
#ifndef QM_SYNC_WIRE_H
#define QM_SYNC_WIRE_H

#include "core/buf.h"
#include "sync/limits.h"

typedef struct qm_wire {
  qm_buf body;
  uint32_t length, max;
  uint32_t head_n; /* bytes of the header that are there */
  uint8_t head[QM_SYNC_HEAD_SIZE];
  uint8_t takes_short, is_short; /* short frames may come; the one at hand is one */
  int status;
} qm_wire;

/* Borrows env until free. max: largest body, 1 to QM_SYNC_BODY_MAX. */
void qm_wire_init(qm_wire *w, const qm_env *env, uint32_t max);
void qm_wire_free(qm_wire *w);
/* From the next header on (one that is complete keeps the maximum it was read under). */
void qm_wire_max(qm_wire *w, uint32_t max);
/* Takes bytes up to the end of one frame; *used says how many. With a whole frame held it
 * takes none. QM_EOVERSIZE: longer than the maximum; QM_EFORMAT: an empty body; QM_ENOMEM.
 * Errors stick. */
int qm_wire_feed(qm_wire *w, const uint8_t *in, size_t len, size_t *used);
/* 1 where a whole frame is held; *body borrows until qm_wire_next. */
int qm_wire_ready(const qm_wire *w, qm_slice *body);
/* From the next header on short frames (S8.15) may come. */
void qm_wire_take_short(qm_wire *w);
/* 1 where the frame that is held is a short one. */
int qm_wire_is_short(const qm_wire *w);
/* Drops the frame that is held; gives large buffers back. */
void qm_wire_next(qm_wire *w);
/* 1 where a part of a frame is held (an end of the stream here is a cut). */
int qm_wire_partial(const qm_wire *w);

/* Writing: begin leaves room for the length and returns where, end fills it in. The body
 * stands in `out` between the two. Errors stick in out; end returns them, and QM_ELIMIT
 * for a body longer than QM_SYNC_BODY_MAX (the frame is then taken back). */
size_t qm_wire_begin(qm_buf *out);
int qm_wire_end(qm_buf *out, size_t at);
/* The header of a short frame with a body of n bytes, 1 to QM_SYNC_SHORT_MAX; they follow. */
void qm_wire_short(qm_buf *out, size_t n);

#endif
