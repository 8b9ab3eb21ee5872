#include "core/state_groups.h"

#include "core/zip.h"

/* A column that compresses by itself; smaller ones share a frame with their neighbours. */
#define ALONE 1024u

typedef struct columns {
  const qm_buf *p;
  uint32_t n, n_kinds;
  size_t text; /* bytes of the texts of sequences, of all kinds */
} columns;

/* Beyond the last one: none. */
static unsigned sort_of(const columns *w, uint32_t column) {
  return column < QM__COLS ? QM__KIND_COLS : (column - QM__COLS) / w->n_kinds;
}

/* Where it is the smaller so, as a frame of zstd; before it its length and whether it is one. */
static int put_group(qm_buf *out, qm_slice raw, int level) {
  qm_buf packed;
  qm_slice body = raw;
  qm_buf_init(&packed, out->env, raw.n ? raw.n - 1 : 0);
  int rc = raw.n ? qm_zip(&packed, raw, level) : QM_OK;
  int zipped = rc == QM_OK && raw.n;
  if (zipped) body = qm_buf_slice(&packed);
  qm_buf_varint(out, (uint64_t)body.n << 1 | (unsigned)zipped);
  qm_buf_add(out, body.p, body.n);
  qm_buf_free(&packed);
  if (rc != QM_OK && rc != QM_ELIMIT) return rc;
  return qm_buf_status(out);
}

static uint64_t *size_of(qm_columns_sizes *s, const columns *w, uint32_t column) {
  unsigned sort = sort_of(w, column);
  if (column == QM__COL_ID || column == QM__COL_ID_FIRST) return &s->ids;
  if (column == QM__COL_DIGESTS) return &s->digests;
  if (column >= QM__COL_TIME_LOW && column <= QM__COL_TICKS) return &s->times;
  if (column == QM__COL_COUNTERS || column == QM__COL_REFS || column == QM__COL_REF_LOW ||
      column == QM__COL_REF_HIGH || sort == QM__KIND_CHANGE || sort == QM__KIND_OFFSET ||
      sort == QM__KIND_PARENT)
    return &s->dots;
  return sort >= QM__KIND_TAG && sort < QM__KIND_COLS ? &s->values : &s->rest;
}

/* What of a column counts towards its having a group: the texts are as one. */
static size_t weight_of(const columns *w, uint32_t column) {
  return sort_of(w, column) == QM__KIND_TEXT ? w->text : w->p[column].n;
}

/* A group ends before and after a column that compresses by itself. */
static int ends_group(const columns *w, uint32_t column) {
  if (column + 1 == w->n) return 1;
  if (sort_of(w, column) == QM__KIND_TEXT && sort_of(w, column + 1) == QM__KIND_TEXT) return 0;
  return weight_of(w, column) >= ALONE || weight_of(w, column + 1) >= ALONE;
}

static int put_groups(const columns *w, qm_buf *out, int level, qm_columns_sizes *sizes) {
  qm_buf group;
  int rc = QM_OK;
  uint32_t first = 0;
  qm_buf_init(&group, out->env, QM_BLOCK_RAW_MAX);
  for (uint32_t i = 0; rc == QM_OK && i < w->n; i++) {
    int ends = ends_group(w, i), alone = ends && first == i;
    size_t before = out->n;
    if (!alone) qm_buf_add(&group, w->p[i].p, w->p[i].n);
    rc = qm_buf_status(&group);
    if (rc != QM_OK || !ends) continue;
    rc = put_group(out, qm_buf_slice(alone ? &w->p[i] : &group), level);
    if (sizes) *size_of(sizes, w, i) += out->n - before;
    qm_buf_clear(&group);
    first = i + 1;
  }
  qm_buf_free(&group);
  return rc;
}

/* How many kinds, then of each column its size and whether it ends a group. */
static int put_sizes(const columns *w, qm_buf *out, int level, qm_columns_sizes *sizes) {
  qm_buf head;
  uint64_t total = 0;
  size_t before = out->n;
  qm_buf_init(&head, out->env, QM_BLOCK_RAW_MAX);
  qm_buf_varint(&head, w->n_kinds - QM__KINDS);
  for (uint32_t i = 0; i < w->n; i++) {
    total += w->p[i].n;
    qm_buf_varint(&head, (uint64_t)w->p[i].n << 1 | (unsigned)ends_group(w, i));
  }
  int rc = total > QM_BLOCK_RAW_MAX ? QM_ELIMIT : qm_buf_status(&head);
  if (rc == QM_OK) {
    qm_buf_varint(out, head.n);
    rc = put_group(out, qm_buf_slice(&head), level);
  }
  if (sizes) sizes->rest += out->n - before;
  qm_buf_free(&head);
  return rc;
}

int qm__groups_write(qm_buf *out, const qm_buf *all, uint32_t n_kinds, int level,
                     qm_columns_sizes *sizes) {
  columns w = {all, QM__COLS + QM__KIND_COLS * n_kinds, n_kinds, 0};
  for (uint32_t k = 0; k < n_kinds; k++)
    w.text += all[QM__COLS + (size_t)QM__KIND_TEXT * n_kinds + k].n;
  QM_TRY(put_sizes(&w, out, level, sizes));
  return put_groups(&w, out, level, sizes);
}
