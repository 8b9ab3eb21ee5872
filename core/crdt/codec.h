/* codec: how dots stand in a record's state, for the shapes (private to core/crdt
 * and record). Dots are two integers: place in the record's names, counter. */
#ifndef QM_CRDT_CODEC_H
#define QM_CRDT_CODEC_H

#include "core/crdt/crdt.h"

typedef struct qm_coder {
  const qm_names *names;
  const qm_authors *authors;
  qm_arena *arena;
} qm_coder;

/* The author at a place that was read; it is named then. place < names->n. */
static inline uint32_t qm_name_at(const qm_names *names, uint64_t place) {
  if (names->used) names->used[place] = 1;
  return names->numbers[place];
}
void qm_put_dot(qm_buf *out, const qm_names *names, const qm_authors *authors, qm_dot d);
int qm_get_dot(qm_cur *in, const qm_names *names, qm_dot *out);
/* The same as two varints, in a column. */
int qm_get_varint_dot(qm_cur *in, const qm_names *names, qm_dot *out);
/* An array of dots, flat. */
void qm_put_dots(qm_buf *out, const qm_names *names, const qm_authors *authors, qm_dots dots);
int qm_get_dots(qm_cur *in, const qm_names *names, qm_arena *arena, qm_dots *out);
int qm_note_dots(qm_names *names, qm_arena *arena, qm_dots dots);
/* One whole MessagePack value, checked to be canonical; borrowed. */
int qm_get_value(qm_cur *in, qm_slice *out);

/* Room for one more element at index `at` of an arena array of n (capacity *cap):
 * later elements move up. Returns the array, or NULL when out of memory. */
void *qm_array_open(qm_arena *arena, void *p, uint32_t n, uint32_t *cap, uint32_t at, size_t size);

#endif
