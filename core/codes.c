#include "core/codes.h"

#include <string.h>

static const uint8_t levels[] = {15, 12, 9, 6};

/* The first place whose code is not below. */
static uint32_t place_of(const qm_table_def *t, qm_slice code) {
  uint32_t lo = 0, hi = t->n_codes;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm_slice_cmp(t->codes[mid].code, code) < 0) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

const qm_table_code *qm_table_find(const qm_table_def *t, qm_slice code) {
  uint32_t at = place_of(t, code);
  if (at == t->n_codes || qm_slice_cmp(t->codes[at].code, code) != 0) return NULL;
  return &t->codes[at];
}

const qm_table_code *qm_table_current(const qm_table_def *t, qm_slice code) {
  const qm_table_code *c = qm_table_find(t, code);
  for (unsigned i = 0; c && c->moved.n && i < QM_CODES_STEPS; i++) c = qm_table_find(t, c->moved);
  return c;
}

static int has_length(const qm_table_def *t, size_t n) {
  for (uint32_t i = 0; i < t->n_codes; i++)
    if (t->codes[i].code.n == n) return 1;
  return 0;
}

const qm_table_code *qm_table_area(const qm_table_def *t, qm_slice code, int *longer) {
  uint32_t at = place_of(t, code);
  *longer = at < t->n_codes && t->codes[at].code.n > code.n &&
            memcmp(t->codes[at].code.p, code.p, code.n) == 0;
  for (size_t i = 0; i < sizeof levels; i++)
    if (levels[i] <= code.n && has_length(t, levels[i]))
      return qm_table_find(t, qm_slice_of(code.p, levels[i]));
  return NULL;
}

/* Puts the new part in the place of the longest one that was moved. */
static int move_once(const qm_table_def *t, char *code, size_t *n) {
  for (size_t i = 0; i < sizeof levels; i++) {
    if (levels[i] > *n) continue;
    const qm_table_code *c = qm_table_find(t, qm_slice_of(code, levels[i]));
    if (!c) continue;
    if (!c->moved.n || c->moved.n + *n - levels[i] > QM_CODE_MAX) return 0;
    memmove(code + c->moved.n, code + levels[i], *n - levels[i]);
    memcpy(code, c->moved.p, c->moved.n);
    *n += c->moved.n - levels[i];
    return 1;
  }
  return 0;
}

int qm_table_area_moved(const qm_table_def *t, qm_slice code, char *to) {
  size_t n = code.n;
  int moved = 0;
  if (n > QM_CODE_MAX) return 0;
  if (n) memcpy(to, code.p, n);
  for (unsigned i = 0; i < QM_CODES_STEPS && move_once(t, to, &n); i++) moved = 1;
  to[n] = '\0';
  return moved;
}
