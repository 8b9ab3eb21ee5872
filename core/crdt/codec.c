#include "core/crdt/codec.h"

#include <string.h>

#include "core/mp.h"
#include "core/value.h"

void qm_put_dot(qm_buf *out, const qm_names *names, const qm_authors *authors, qm_dot d) {
  qm_mp_uint(out, qm_names_place(names, authors, d.author));
  qm_mp_uint(out, d.counter);
}

int qm_get_dot(qm_cur *in, const qm_names *names, qm_dot *out) {
  uint64_t place = 0;
  out->author = 0;
  QM_TRY(qm_cur_uint(in, &place));
  if (place >= names->n) return qm_cur_fail(in, QM_EFORMAT);
  out->author = qm_name_at(names, place);
  return qm_cur_uint(in, &out->counter);
}

int qm_get_varint_dot(qm_cur *in, const qm_names *names, qm_dot *out) {
  uint64_t place = 0;
  out->author = 0;
  QM_TRY(qm_cur_varint(in, &place));
  if (place >= names->n) return qm_cur_fail(in, QM_EFORMAT);
  out->author = qm_name_at(names, place);
  return qm_cur_varint(in, &out->counter);
}

void qm_put_dots(qm_buf *out, const qm_names *names, const qm_authors *authors, qm_dots dots) {
  qm_mp_array(out, (size_t)dots.n * 2);
  for (uint32_t i = 0; i < dots.n; i++) qm_put_dot(out, names, authors, dots.p[i]);
}

int qm_get_dots(qm_cur *in, const qm_names *names, qm_arena *arena, qm_dots *out) {
  uint32_t count = 0;
  out->p = NULL;
  out->n = 0;
  QM_TRY(qm_cur_array(in, &count));
  if (count % 2) return qm_cur_fail(in, QM_EFORMAT);
  qm_dot *p = qm_arena_array(arena, count / 2, sizeof *p);
  if (!p) return qm_cur_fail(in, QM_ENOMEM);
  for (uint32_t i = 0; i < count / 2; i++) QM_TRY(qm_get_dot(in, names, &p[i]));
  out->p = p;
  out->n = count / 2;
  return QM_OK;
}

int qm_note_dots(qm_names *names, qm_arena *arena, qm_dots dots) {
  for (uint32_t i = 0; i < dots.n; i++) QM_TRY(qm_names_note(names, arena, dots.p[i].author));
  return QM_OK;
}

/* A text, of which cur has checked all but its size. */
static int is_str(uint8_t head) { return (head & 0xe0) == 0xa0 || (head >= 0xd9 && head <= 0xdb); }

int qm_get_value(qm_cur *in, qm_slice *out) {
  QM_TRY(qm_cur_value(in, QM_VALUE_DEPTH, out));
  if (out->n <= QM_VALUE_MAX && is_str(out->p[0])) return QM_OK;
  int rc = qm_value_check(*out);
  return rc == QM_OK ? QM_OK : qm_cur_fail(in, rc);
}

void *qm_array_open(qm_arena *arena, void *p, uint32_t n, uint32_t *cap, uint32_t at, size_t size) {
  if (n == *cap) {
    uint32_t wider = *cap ? *cap * 2 : 1; /* a field has one value, mostly */
    p = qm_arena_grow(arena, p, *cap, wider, size);
    if (!p) return NULL;
    *cap = wider;
  }
  uint8_t *base = p;
  memmove(base + (size_t)(at + 1) * size, base + (size_t)at * size, (size_t)(n - at) * size);
  return p;
}
