#include "core/repack.h"

int qm__repack_begin(qm__repacking *x, const qm_log_row *rows, uint32_t n, uint64_t first) {
  uint64_t before = 0;
  *x = (qm__repacking){rows, n, 0, 0};
  for (uint32_t i = 0; i < n; i++) {
    if (!rows[i].n_segments || rows[i].seq < first || rows[i].seq <= before) return QM_EINVAL;
    before = rows[i].seq;
  }
  return n ? QM_OK : QM_EINVAL;
}

/* NULL where there is none left. */
static const qm_segment_row *next(qm__repacking *x) {
  while (x->row < x->n && x->at == x->rows[x->row].n_segments) {
    x->row++;
    x->at = 0;
  }
  return x->row < x->n ? &x->rows[x->row].segments[x->at++] : NULL;
}

int qm__repack_meets(qm__repacking *x, const qm_segment_row *stored) {
  const qm_segment_row *g = next(x);
  return g && g->author == stored->author && g->start == stored->start && g->next == stored->next;
}

int qm__repack_end(qm__repacking *x) { return next(x) ? QM_EINVAL : QM_OK; }
