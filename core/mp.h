/* mp: MessagePack output. The only user of msgpack-c, and only of its packer:
 * raw input is read by cur (msgpack-c's unpacker allocates what a header claims).
 * Integers take their shortest form, str/bin/array/map their shortest header,
 * floats are float 64 with -0.0 written 0.0. Errors stick in the buffer: a NaN is
 * QM_ERANGE, a length beyond 32 bits QM_ELIMIT. */
#ifndef QM_MP_H
#define QM_MP_H

#include "buf.h"

void qm_mp_nil(qm_buf *b);
void qm_mp_bool(qm_buf *b, int v);
void qm_mp_uint(qm_buf *b, uint64_t v);
void qm_mp_int(qm_buf *b, int64_t v);
void qm_mp_f64(qm_buf *b, double v);
void qm_mp_str(qm_buf *b, const void *p, size_t n);
void qm_mp_bin(qm_buf *b, const void *p, size_t n);
void qm_mp_array(qm_buf *b, size_t count);
void qm_mp_map(qm_buf *b, size_t pairs);
void qm_mp_ext(qm_buf *b, int8_t type, const void *p, size_t n);
/* Appends bytes that are already MessagePack. */
void qm_mp_raw(qm_buf *b, qm_slice value);

#endif
