#include "core/state_listed.h"

#include <string.h>

#include "core/state_columns.h"

/* Values for each listed one from which on a list pays. */
#define WORTH 4u
#define SHORT_STR_MAX 0xbfu /* of MessagePack's heads: str of up to 31 bytes, */
#define SHORT_STR 0xa0u
#define STR8 0xd9u /* up to 255, */
#define BIN8 0xc4u /* and the same of bin */

static int may_be_listed(qm_slice v) {
  if (v.n < 3 || v.n > QM__LISTED_BYTES) return 0;
  return (v.p[0] >= SHORT_STR && v.p[0] <= SHORT_STR_MAX) || v.p[0] == STR8 || v.p[0] == BIN8;
}

/* FNV-1a (Fowler, Noll, Vo), folded to a slot. What collides costs steps within one list. */
static uint32_t slot_of(qm_slice v) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < v.n; i++) h = (h ^ v.p[i]) * 16777619u;
  return (h ^ h >> 8 ^ h >> 16) % (2 * QM__LISTED_MAX);
}

/* Its slot, or the empty one where it would stand: half of them are always empty. */
static uint32_t find(const qm__listed *l, qm_slice v) {
  uint32_t at = slot_of(v);
  for (; l->slots[at]; at = (at + 1) % (2 * QM__LISTED_MAX)) {
    qm_slice x = l->p[l->slots[at] - 1];
    if (x.n == v.n && memcmp(x.p, v.p, v.n) == 0) break;
  }
  return at;
}

int qm__listed_note(qm_arena *arena, qm__listed **l, qm_slice v) {
  if (!may_be_listed(v)) return QM_OK;
  if (!*l) *l = qm_arena_zero(arena, sizeof **l);
  qm__listed *x = *l;
  if (!x) return QM_ENOMEM;
  if (x->n > QM__LISTED_MAX) return QM_OK;
  uint32_t at = find(x, v);
  x->values++;
  if (x->slots[at]) return QM_OK;
  if (x->n++ == QM__LISTED_MAX) return QM_OK; /* too many: none of them */
  x->p[x->n - 1] = v;
  x->slots[at] = (uint8_t)x->n;
  return QM_OK;
}

int qm__listed_worth(const qm__listed *l) {
  return l->n <= QM__LISTED_MAX && l->n <= l->values / WORTH;
}

int qm__listed_find(const qm__listed *l, qm_slice v, uint32_t *place) {
  if (!l || !may_be_listed(v)) return 0;
  uint32_t at = find(l, v);
  if (!l->slots[at]) return 0;
  *place = l->slots[at] - 1u;
  return 1;
}

void qm__listed_put(qm_buf *out, const qm__listed *l) {
  for (uint32_t i = 0; l && i < l->n; i++) qm_buf_add(out, l->p[i].p, l->p[i].n);
}
