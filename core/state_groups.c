#include "core/state_groups.h"

#include "core/zip.h"

/* A column that compresses by itself; smaller ones share a frame with their neighbours. */
#define ALONE 1024u

typedef struct layout {
  const qm_buf *p;
  uint32_t n, n_kinds;
  size_t text; /* bytes of the texts of sequences, of all kinds */
} layout;

/* Beyond the last one: none. */
static unsigned sort_of(const layout *w, uint32_t column) {
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

static uint64_t *size_of(qm_columns_sizes *s, const layout *w, uint32_t column) {
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
static size_t weight_of(const layout *w, uint32_t column) {
  return sort_of(w, column) == QM__KIND_TEXT ? w->text : w->p[column].n;
}

/* A group ends before and after a column that compresses by itself. */
static int ends_group(const layout *w, uint32_t column) {
  if (column + 1 == w->n) return 1;
  if (sort_of(w, column) == QM__KIND_TEXT && sort_of(w, column + 1) == QM__KIND_TEXT) return 0;
  return weight_of(w, column) >= ALONE || weight_of(w, column + 1) >= ALONE;
}

static int put_groups(const layout *w, qm_buf *out, int level, qm_columns_sizes *sizes) {
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
static int put_sizes(const layout *w, qm_buf *out, int level, qm_columns_sizes *sizes) {
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
  layout w = {all, QM__COLS + QM__KIND_COLS * n_kinds, n_kinds, 0};
  for (uint32_t k = 0; k < n_kinds; k++)
    w.text += all[QM__COLS + (size_t)QM__KIND_TEXT * n_kinds + k].n;
  QM_TRY(put_sizes(&w, out, level, sizes));
  return put_groups(&w, out, level, sizes);
}

/* --- reading --- */

/* Appends what a group holds: exactly `size` bytes. */
static int read_group(qm_cur *in, uint64_t size, qm_buf *raw) {
  uint64_t head = 0;
  qm_slice body;
  size_t before = raw->n;
  QM_TRY(qm_cur_varint(in, &head));
  if (head >> 1 > qm_cur_left(in)) return QM_ETRUNCATED;
  QM_TRY(qm_cur_span(in, (size_t)(head >> 1), &body));
  if (head & 1)
    QM_TRY(qm_unzip(raw, body, (size_t)size));
  else if (body.n == size)
    qm_buf_add(raw, body.p, body.n);
  QM_TRY(qm_buf_status(raw));
  return raw->n - before == size ? QM_OK : QM_EFORMAT;
}

static int read_sizes(qm_cur *in, qm_buf *head) {
  uint64_t size = 0;
  QM_TRY(qm_cur_varint(in, &size));
  if (size > head->max) return QM_EOVERSIZE;
  return read_group(in, size, head);
}

/* Reads the groups one after the other; sets where each of the n columns begins and ends. */
static int read_columns(qm_cur *in, qm_cur *sizes, qm_buf *raw, size_t *ends, qm_cur *columns,
                        uint32_t n) {
  uint64_t total = 0, group = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t size = 0;
    QM_TRY(qm_cur_varint(sizes, &size));
    group += size >> 1;
    total += size >> 1;
    if (size >> 1 > QM_BLOCK_RAW_MAX || total > QM_BLOCK_RAW_MAX) return QM_EOVERSIZE;
    ends[i] = (size_t)total;
    if (!(size & 1)) continue;
    QM_TRY(read_group(in, group, raw));
    group = 0;
  }
  if (group) return QM_EFORMAT;
  QM_TRY(qm_cur_end(sizes));
  for (uint32_t i = 0; i < n; i++) {
    size_t from = i ? ends[i - 1] : 0;
    qm_cur_init(&columns[i], qm_slice_of(raw->p + from, ends[i] - from));
  }
  return QM_OK;
}

static int read_all(qm_cur *in, qm_buf *head, qm_buf *raw, qm_arena *arena, qm_cur **columns,
                    uint32_t *n_kinds) {
  qm_cur sizes;
  uint64_t kinds = 0;
  QM_TRY(read_sizes(in, head));
  QM_TRY(qm_cur_end(in) == QM_ETRAILING ? QM_OK : QM_ETRUNCATED);
  in->status = QM_OK;
  qm_cur_init(&sizes, qm_buf_slice(head));
  QM_TRY(qm_cur_varint(&sizes, &kinds));
  if (kinds > QM_BLOCK_KINDS_MAX) return QM_EOVERSIZE;
  *n_kinds = (uint32_t)kinds + QM__KINDS;
  uint32_t n = QM__COLS + QM__KIND_COLS * *n_kinds;
  *columns = qm_arena_array(arena, n, sizeof **columns);
  size_t *ends = qm_arena_array(arena, n, sizeof *ends);
  if (!*columns || !ends) return QM_ENOMEM;
  QM_TRY(read_columns(in, &sizes, raw, ends, *columns, n));
  return qm_cur_end(in);
}

int qm__groups_read(qm_cur *in, qm_buf *raw, qm_arena *arena, qm_cur **columns,
                    uint32_t *n_kinds) {
  qm_buf head;
  qm_buf_init(&head, raw->env,
              5u * (QM__COLS + QM__KIND_COLS * (QM_BLOCK_KINDS_MAX + QM__KINDS)));
  int rc = read_all(in, &head, raw, arena, columns, n_kinds);
  qm_buf_free(&head);
  return rc;
}
