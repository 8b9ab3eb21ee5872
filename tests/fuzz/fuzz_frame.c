/* Frames on a byte stream, cut anywhere, against a reading of the whole stream. Input:
 * choice of the maximum, bytes fed at once, the stream. */
#include <string.h>

#include "sync/wire.h"
#include "tests/fuzz/fuzz.h"

/* The next frame by the text of SPEC §8.1: 1 whole, 0 cut, or the error. */
static int reference(qm_slice *stream, uint32_t max, qm_slice *body) {
  const uint8_t *p = stream->p;
  if (stream->n < 4) return 0;
  uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  if (n == 0) return QM_EFORMAT;
  if (n > max) return QM_EOVERSIZE;
  if (stream->n - 4 < n) return 0;
  *body = qm_slice_of(p + 4, n);
  *stream = qm_slice_of(p + 4 + n, stream->n - 4 - n);
  return 1;
}

static void put_again(qm_slice body) {
  qm_buf out;
  qm_buf_init(&out, fuzz_env(), QM_SYNC_BODY_MAX + 4);
  size_t at = qm_wire_begin(&out);
  qm_buf_add(&out, body.p, body.n);
  FUZZ_OK(qm_wire_end(&out, at));
  FUZZ_SAME(qm_slice_of(out.p + 4, out.n - 4), body);
  FUZZ_SAME(qm_slice_of(out.p, 4), qm_slice_of(body.p - 4, 4));
  qm_buf_free(&out);
}

void fuzz_frame(qm_slice in) {
  static const uint32_t maxima[] = {QM_SYNC_BODY_MAX, 1, 7, 64, QM_SYNC_BODY_HELLO_MAX, 4096};
  uint32_t max = maxima[fuzz_below(&in, 6)];
  size_t step = fuzz_byte(&in);
  qm_slice stream = in, body, held;
  qm_wire w;
  int expect = 0;
  qm_wire_init(&w, fuzz_env(), max);
  while (in.n) {
    size_t used = 0, n = step && step < in.n ? step : in.n;
    int rc = qm_wire_feed(&w, in.p, n, &used);
    FUZZ_CHECK(used <= n);
    in = qm_slice_of(in.p + used, in.n - used);
    if (rc != QM_OK) {
      expect = reference(&stream, max, &body);
      FUZZ_CHECK(expect == rc);
      FUZZ_CHECK(qm_wire_feed(&w, in.p, in.n, &used) == rc);
      break;
    }
    if (!qm_wire_ready(&w, &held)) {
      FUZZ_CHECK(used == n);
      continue;
    }
    expect = reference(&stream, max, &body);
    FUZZ_CHECK(expect == 1);
    FUZZ_SAME(held, body);
    put_again(body);
    FUZZ_OK(qm_wire_feed(&w, in.p, in.n, &used));
    FUZZ_CHECK(used == 0);
    qm_wire_next(&w);
  }
  if (expect >= 0) {
    FUZZ_CHECK(reference(&stream, max, &body) == 0);
    FUZZ_CHECK(qm_wire_partial(&w) == (stream.n != 0));
  }
  qm_wire_free(&w);
}
