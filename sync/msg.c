#include "sync/msg.h"

#include "core/cur.h"
#include "core/mp.h"

const char *qm_frame_name(uint32_t number) {
#define NAME(name, n) [n] = #name,
  static const char *const names[QM_FRAME_END_MAX] = {QM_FRAMES_SPOKEN(NAME)
                                                          QM_FRAMES_RESERVED(NAME)};
#undef NAME
  return number < QM_FRAME_END_MAX && names[number] ? names[number] : "?";
}

int qm_msg_frame(qm_slice body, uint32_t *number) {
  qm_cur c;
  uint32_t count;
  *number = 0;
  qm_cur_init(&c, body);
  QM_TRY(qm_cur_array(&c, &count));
  if (count == 0) return QM_EFORMAT;
  return qm_cur_uint32(&c, number);
}

size_t qm__msg_begin(qm_buf *out, uint32_t frame, size_t elements) {
  size_t at = qm_wire_begin(out);
  qm_mp_array(out, elements + 1);
  qm_mp_uint(out, frame);
  return at;
}

int qm__msg_open(qm_cur *c, qm_slice body, uint32_t frame, uint32_t elements) {
  uint32_t number;
  qm_cur_init(c, body);
  QM_TRY(qm_cur_array_n(c, elements + 1));
  QM_TRY(qm_cur_uint32(c, &number));
  return number == frame ? QM_OK : qm_cur_fail(c, QM_EFORMAT);
}

int qm__msg_count(qm_cur *c, uint32_t max, size_t least, uint32_t *out) {
  QM_TRY(qm_cur_array(c, out));
  if (*out <= max && *out <= qm_cur_left(c) / least) return QM_OK;
  *out = 0;
  return qm_cur_fail(c, QM_EOVERSIZE);
}

int qm__msg_code(qm_cur *c, int zero_too, int32_t *out) {
  int64_t v;
  *out = 0;
  QM_TRY(qm_cur_int(c, &v));
  if (v < QM_ERR_FLOOR || v > 0 || (v == 0 && !zero_too)) return qm_cur_fail(c, QM_ERANGE);
  *out = (int32_t)v;
  return QM_OK;
}

int qm__msg_text(qm_cur *c, size_t max, qm_slice *out) {
  QM_TRY(qm_cur_str(c, out));
  return out->n <= max ? QM_OK : qm_cur_fail(c, QM_EOVERSIZE);
}

int qm__msg_bin(qm_cur *c, size_t min, size_t max, qm_slice *out) {
  QM_TRY(qm_cur_bin(c, out));
  if (out->n < min) return qm_cur_fail(c, QM_ERANGE);
  return out->n <= max ? QM_OK : qm_cur_fail(c, QM_EOVERSIZE);
}

qm_slice qm__msg_cut(qm_slice text, size_t max) {
  if (text.n <= max) return text;
  while (max > 0 && (text.p[max] & 0xc0) == 0x80) max--;
  return qm_slice_of(text.p, max);
}
