/* store_sqlite_log.c: log, open run and stage of the SQLite store.
 *
 * A row of `log` carries its segments as a blob, 20 bytes each (author, start, next,
 * big-endian); table `segment` only finds it. Its batch stands in log_piece. Which rows are on
 * a record: store_sqlite_index.c. */
#include "adapters/sqlite/store_sqlite_impl.h"
#include "core/repack.h"

#define SEGMENT_SIZE 20
#define PIECE_SIZE 494 /* as schema step 9 has it; eight fill a page */
#define LOG_BATCH_MAX ((size_t)1 << 30)

static void put_be(uint8_t *to, uint64_t v, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
  return v;
}

/* A bound for `next > ?` and `seq > ?`: no value stored is beyond 2^63-1. */
static qm__arg bound(uint64_t v) { return qm__int(v > INT64_MAX ? INT64_MAX : (int64_t)v); }

static qm_segment_row segment_at(qm_slice packed, uint32_t i) {
  const uint8_t *p = packed.p + (size_t)i * SEGMENT_SIZE;
  return (qm_segment_row){(uint32_t)get_be(p, 4), get_be(p + 4, 8), get_be(p + 12, 8)};
}

static int segment_count(qm_slice packed, uint32_t *out) {
  if (packed.n == 0 || packed.n % SEGMENT_SIZE != 0) return QM_ECORRUPT;
  *out = (uint32_t)(packed.n / SEGMENT_SIZE);
  return QM_OK;
}

/* ---- append ---- */

/* QM_EINVAL unless next rises within each author, also past what the log holds. */
static int log_check(sqlite_store *s, uint32_t space, const qm_log_row *row) {
  if (row->n_segments == 0) return QM_EINVAL;
  for (uint32_t i = 0; i < row->n_segments; i++) {
    const qm_segment_row *g = &row->segments[i];
    if (g->start >= g->next || g->next > INT64_MAX) return QM_EINVAL;
    for (uint32_t j = i; j-- > 0;) {
      if (row->segments[j].author != g->author) continue;
      if (row->segments[j].next >= g->next) return QM_EINVAL;
      break;
    }
    if (!qm__log_run_begins(row, i)) continue; /* above the one before */
    int64_t last = 0;
    int rc = qm__db_get_int(&s->db, QM__SQL_SEGMENT_LAST,
                            QM__ARGS(qm__int(space), qm__int(g->author)), &last);
    if (rc != QM_OK && rc != QM_ENOTFOUND) return rc;
    if (rc == QM_OK && (uint64_t)last >= g->next) return QM_EINVAL;
  }
  return QM_OK;
}

/* log_last is written where rows go, so that no seq is given again; else the log knows. */
static int log_last(sqlite_store *s, uint32_t space, int64_t *out) {
  *out = 0;
  return qm__db_get_int(&s->db, QM__SQL_LOG_LAST, QM__ARGS(qm__int(space), QM__LOG_OF(space)),
                        out);
}

static int log_keep_last(sqlite_store *s, uint32_t space) {
  int64_t last;
  QM_TRY(log_last(s, space, &last));
  return qm__db_run(&s->db, QM__SQL_LOG_LAST_PUT, QM__ARGS(qm__int(space), qm__int(last)));
}

/* ---- batches in pieces ---- */

static int pieces_put(sqlite_store *s, qm__arg row, qm_slice batch) {
  for (size_t at = 0, n = 0; at < batch.n; at += PIECE_SIZE, n++) {
    size_t size = batch.n - at < PIECE_SIZE ? batch.n - at : PIECE_SIZE;
    QM_TRY(qm__db_run(&s->db, QM__SQL_LOG_PIECE_PUT,
                      QM__ARGS(row, qm__int((int64_t)n), qm__blob(batch.p + at, size))));
  }
  return QM_OK;
}

static int pieces_drop(sqlite_store *s, qm__arg row) {
  return qm__db_run(&s->db, QM__SQL_LOG_PIECE_DROP, QM__ARGS(row, row));
}

static int piece_row(void *payload, sqlite3_stmt *st) {
  qm_buf *out = payload;
  qm_slice bytes = qm__db_blob(st, 0);
  qm_buf_add(out, bytes.p, bytes.n);
  return qm_buf_status(out);
}

/* Appends the whole batch, of which the size is known; QM_ECORRUPT where it is another. */
static int pieces_get(sqlite_store *s, qm__arg row, uint64_t size, qm_buf *out) {
  int rc = size <= out->max && qm_buf_reserve(out, (size_t)size) ? QM_OK : QM_ECORRUPT;
  if (qm_buf_status(out) == QM_ENOMEM) return QM_ENOMEM;
  if (rc == QM_OK)
    rc = qm__store_each(s, QM__SQL_LOG_PIECE_LIST, QM__ARGS(row), piece_row, out);
  if (rc == QM_ELIMIT || (rc == QM_OK && out->n != size)) rc = QM_ECORRUPT;
  return rc;
}

static int log_rows(sqlite_store *s, uint32_t space, int64_t seq, const qm_log_row *row,
                    uint8_t *packed) {
  for (uint32_t i = 0; i < row->n_segments; i++) {
    const qm_segment_row *g = &row->segments[i];
    uint8_t *p = packed + (size_t)i * SEGMENT_SIZE;
    put_be(p, g->author, 4);
    put_be(p + 4, g->start, 8);
    put_be(p + 12, g->next, 8);
    if (!qm__log_run_ends(row, i)) continue;
    QM_TRY(
        qm__db_run(&s->db, QM__SQL_SEGMENT_PUT,
                   QM__ARGS(qm__int(space), qm__int(g->author), qm__u64(g->next), qm__int(seq))));
  }
  QM_TRY(pieces_put(s, qm__log_row(space, (uint64_t)seq), row->batch));
  return qm__db_run(&s->db, QM__SQL_LOG_PUT,
                    QM__ARGS(qm__log_row(space, (uint64_t)seq),
                             qm__blob(packed, (size_t)row->n_segments * SEGMENT_SIZE),
                             qm__int((int64_t)row->batch.n)));
}

static int log_put(sqlite_store *s, uint32_t space, int64_t seq, const qm_log_row *row,
                   uint8_t *packed) {
  QM_TRY(log_rows(s, space, seq, row, packed));
  return qm__log_index_add(s, space, (uint64_t)seq, row->records, row->n_records);
}

int qm__sqlite_log_append(qm_store *store, uint32_t space, const qm_log_row *row, uint64_t *seq) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  int rc = log_check(s, space, row);
  if (rc == QM_EINVAL) return rc;
  QM_TRY(wrote(s, rc));
  int64_t last;
  QM_TRY(wrote(s, log_last(s, space, &last)));
  if ((uint64_t)last >= QM__LOG_SEQ_MAX) return wrote(s, QM_EFULL);
  uint8_t *packed = qm_alloc_array(s->base.env, row->n_segments, SEGMENT_SIZE);
  if (!packed) return wrote(s, QM_ENOMEM);
  rc = wrote(s, log_put(s, space, last + 1, row, packed));
  qm_free(s->base.env, packed);
  if (rc == QM_OK) *seq = (uint64_t)last + 1;
  return rc;
}

/* ---- after ---- */

/* The two columns of a one-row query; QM_ENOTFOUND. */
static int get_two(sqlite_store *s, qm__sql_id id, const qm__arg *args, size_t n, int64_t *a,
                   int64_t *b) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, id, args, n, &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ENOTFOUND;
  if (rc == QM_OK) {
    *a = sqlite3_column_int64(st, 0);
    *b = sqlite3_column_int64(st, 1);
  }
  qm__db_end(&s->db, id, st);
  return rc;
}

/* The least seq > after_seq of a row with a segment beyond vv; QM_ENOTFOUND. Hops from
 * author to author of the log. As next and seq rise together within an author, its first
 * such row is the later of the first beyond vv and the first after after_seq. */
static int log_seek(sqlite_store *s, uint32_t space, const qm_vv *vv, uint64_t after_seq,
                    int64_t *best) {
  *best = INT64_MAX;
  for (int64_t author = 0; author <= UINT32_MAX;) {
    int64_t at = 0, seq = 0;
    int rc =
        get_two(s, QM__SQL_SEGMENT_BEYOND,
                QM__ARGS(qm__int(space), qm__int(author), bound(qm_vv_get(vv, (uint32_t)author))),
                &at, &seq);
    if (rc == QM_ENOTFOUND) break;
    QM_TRY(rc);
    if (at != author && qm_vv_get(vv, (uint32_t)at) > 0) {
      author = at;
      continue;
    }
    if ((uint64_t)seq <= after_seq) {
      rc = qm__db_get_int(&s->db, QM__SQL_SEGMENT_AFTER,
                          QM__ARGS(qm__int(space), qm__int(at), bound(after_seq)), &seq);
      if (rc == QM_ENOTFOUND)
        seq = INT64_MAX;
      else
        QM_TRY(rc);
    }
    if (seq < *best) *best = seq;
    author = at + 1;
  }
  return *best == INT64_MAX ? QM_ENOTFOUND : QM_OK;
}

static int log_visit(sqlite_store *s, sqlite3_stmt *st, uint64_t seq, qm_slice batch,
                     qm_visit_log visit, void *payload) {
  qm_slice packed = qm__db_blob(st, 0);
  uint32_t n;
  QM_TRY(segment_count(packed, &n));
  qm_segment_row *segments = qm_alloc_array(s->base.env, n, sizeof *segments);
  if (!segments) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) segments[i] = segment_at(packed, i);
  qm_log_row row = {.seq = seq, .batch = batch, .segments = segments, .n_segments = n};
  int rc = visit(payload, &row);
  qm_free(s->base.env, segments);
  return rc;
}

static int log_covered(qm_slice packed, const qm_vv *vv, int *covered) {
  uint32_t n;
  QM_TRY(segment_count(packed, &n));
  *covered = 1;
  for (uint32_t i = 0; i < n && *covered; i++) {
    qm_segment_row g = segment_at(packed, i);
    *covered = g.next <= qm_vv_get(vv, g.author);
  }
  return QM_OK;
}

/* The row after `after`: QM_ENOTFOUND at the end. */
static int log_next(sqlite_store *s, uint32_t space, uint64_t after, const qm_vv *vv, int64_t *seq,
                    int *covered) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, QM__SQL_LOG_NEXT,
                      QM__ARGS(qm__log_row(space, after), qm__log_row(space, UINT64_MAX)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ENOTFOUND;
  if (rc == QM_OK) {
    *seq = sqlite3_column_int64(st, 0);
    rc = log_covered(qm__db_blob(st, 1), vv, covered);
  }
  qm__db_end(&s->db, QM__SQL_LOG_NEXT, st);
  return rc;
}

static int log_give(sqlite_store *s, uint32_t space, int64_t seq, qm_visit_log visit,
                    void *payload) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, QM__SQL_LOG_GET, QM__ARGS(qm__log_row(space, (uint64_t)seq)), &st));
  qm_buf batch;
  int row;
  qm_buf_init(&batch, s->base.env, LOG_BATCH_MAX);
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ECORRUPT;
  if (rc == QM_OK) rc = pieces_get(s, qm__log_row(space, (uint64_t)seq), qm__db_u64(st, 1), &batch);
  if (rc == QM_OK)
    rc = visited(log_visit(s, st, (uint64_t)seq, qm_buf_slice(&batch), visit, payload));
  qm_buf_free(&batch);
  qm__db_end(&s->db, QM__SQL_LOG_GET, st);
  return rc;
}

int qm__sqlite_log_after(qm_store *store, uint32_t space, const qm_vv *vv, uint64_t after_seq,
                         qm_visit_log visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  /* Mostly the very next row is wanted: one probe before one an author. */
  int64_t seq;
  int covered = 0;
  QM_TRY(log_next(s, space, after_seq, vv, &seq, &covered));
  if (covered) QM_TRY(log_seek(s, space, vv, (uint64_t)seq, &seq));
  return log_give(s, space, seq, visit, payload);
}

static int log_there(sqlite_store *s, uint32_t space, uint64_t seq) {
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(&s->db, QM__SQL_LOG_GET, QM__ARGS(qm__log_row(space, seq)), &st));
  int rc = qm__db_step(&s->db, st, &row);
  qm__db_end(&s->db, QM__SQL_LOG_GET, st);
  return rc == QM_OK && !row ? QM_ENOTFOUND : rc;
}

/* What the index names may have been cut since. */
int qm__sqlite_log_of(qm_store *store, uint32_t space, const qm_id *record, uint64_t after_seq,
                      qm_visit_log visit, void *payload) {
  sqlite_store *s = self(store);
  uint64_t seq = after_seq;
  int rc;
  QM_TRY(reading(s));
  do {
    QM_TRY(qm__log_index_find(s, space, record, seq, &seq));
    rc = log_there(s, space, seq);
  } while (rc == QM_ENOTFOUND);
  return rc == QM_OK ? log_give(s, space, (int64_t)seq, visit, payload) : rc;
}

/* ---- cut, replace ---- */

typedef struct segments_of {
  uint32_t n;
  qm_segment_row *p;
} segments_of;

static int log_read_segments(sqlite_store *s, uint32_t space, int64_t seq, segments_of *out) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, QM__SQL_LOG_GET, QM__ARGS(qm__log_row(space, (uint64_t)seq)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ECORRUPT;
  if (rc == QM_OK) {
    qm_slice packed = qm__db_blob(st, 0);
    rc = segment_count(packed, &out->n);
    if (rc == QM_OK) {
      out->p = qm_alloc_array(s->base.env, out->n, sizeof *out->p);
      if (!out->p) rc = QM_ENOMEM;
    }
    for (uint32_t i = 0; rc == QM_OK && i < out->n; i++) out->p[i] = segment_at(packed, i);
  }
  qm__db_end(&s->db, QM__SQL_LOG_GET, st);
  return rc;
}

static int log_delete(sqlite_store *s, uint32_t space, int64_t seq, qm_vv *gone) {
  segments_of segments = {0, NULL};
  int rc = log_read_segments(s, space, seq, &segments);
  for (uint32_t i = 0; rc == QM_OK && i < segments.n; i++) {
    const qm_segment_row *g = &segments.p[i];
    rc = qm__db_run(&s->db, QM__SQL_SEGMENT_DELETE,
                    QM__ARGS(qm__int(space), qm__int(g->author), qm__u64(g->next)));
    if (rc == QM_OK && gone && g->next > qm_vv_get(gone, g->author))
      rc = qm_vv_set(s->base.env, gone, g->author, g->next);
  }
  qm_free(s->base.env, segments.p);
  if (rc != QM_OK) return rc;
  QM_TRY(pieces_drop(s, qm__log_row(space, (uint64_t)seq)));
  return qm__db_run(&s->db, QM__SQL_LOG_DELETE, QM__ARGS(qm__log_row(space, (uint64_t)seq)));
}

int qm__sqlite_log_cut(qm_store *store, uint32_t space, const qm_vv *vv, qm_vv *gone) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  for (int64_t seq = 0, any = 0;;) {
    int covered = 0;
    int rc = log_next(s, space, (uint64_t)seq, vv, &seq, &covered);
    if (rc == QM_ENOTFOUND && !any) return QM_OK;
    if (rc == QM_ENOTFOUND) return wrote(s, qm__log_index_sweep(s, space));
    QM_TRY(wrote(s, rc));
    if (!covered) continue;
    if (!any) QM_TRY(wrote(s, log_keep_last(s, space)));
    any = 1;
    QM_TRY(wrote(s, log_delete(s, space, seq, gone)));
    QM_TRY(wrote(s, qm__log_index_forget(s, space, (uint64_t)seq)));
  }
}

typedef struct sizes_visit {
  sqlite_store *s;
  qm_visit_log visit;
  void *payload;
} sizes_visit;

static int size_row(void *payload, sqlite3_stmt *st) {
  const sizes_visit *v = payload;
  qm_slice size = {NULL, (size_t)qm__db_u64(st, 1)};
  return log_visit(v->s, st, qm__db_u64(st, 2), size, v->visit, v->payload);
}

int qm__sqlite_log_sizes(qm_store *store, uint32_t space, qm_visit_log visit, void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  sizes_visit v = {s, visit, payload};
  return qm__store_each(s, QM__SQL_LOG_SIZES, QM__ARGS(QM__LOG_OF(space)), size_row, &v);
}

int qm__sqlite_log_replace(qm_store *store, uint32_t space, uint64_t seq, qm_slice batch) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  qm__arg row = qm__log_row(space, seq);
  int rc = qm__db_change(&s->db, QM__SQL_LOG_RESIZE, QM__ARGS(row, qm__int((int64_t)batch.n)));
  if (rc == QM_ENOTFOUND) return rc;
  if (rc == QM_OK) rc = pieces_drop(s, row);
  return wrote(s, rc == QM_OK ? pieces_put(s, row, batch) : rc);
}

static int log_rewrite(sqlite_store *s, uint32_t space, const qm_log_row *row) {
  QM_TRY(log_keep_last(s, space));
  QM_TRY(log_delete(s, space, (int64_t)row->seq, NULL));
  if (!row->n_segments) {
    QM_TRY(qm__log_index_forget(s, space, row->seq));
    return qm__log_index_sweep(s, space);
  }
  uint8_t *packed = qm_alloc_array(s->base.env, row->n_segments, SEGMENT_SIZE);
  if (!packed) return QM_ENOMEM;
  int rc = log_rows(s, space, (int64_t)row->seq, row, packed);
  qm_free(s->base.env, packed);
  return rc;
}

int qm__sqlite_log_rewrite(qm_store *store, uint32_t space, const qm_log_row *row) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  int rc = log_there(s, space, row->seq);
  if (rc == QM_ENOTFOUND) return rc;
  return wrote(s, rc == QM_OK ? log_rewrite(s, space, row) : rc);
}

/* ---- repack ---- */

typedef struct checking {
  qm__repacking rows;
  int differs;
} checking;

static int same_segments(void *payload, sqlite3_stmt *st) {
  checking *x = payload;
  qm_slice packed = qm__db_blob(st, 0);
  uint32_t n;
  QM_TRY(segment_count(packed, &n));
  for (uint32_t i = 0; i < n && !x->differs; i++) {
    qm_segment_row g = segment_at(packed, i);
    x->differs = !qm__repack_meets(&x->rows, &g);
  }
  return QM_OK;
}

static int repack_check(sqlite_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                        uint32_t n) {
  checking x = {.differs = 0};
  QM_TRY(qm__repack_begin(&x.rows, rows, n, first));
  uint64_t last = rows[n - 1].seq;
  QM_TRY(log_there(s, space, last));
  QM_TRY(qm__store_each(s, QM__SQL_LOG_SIZES,
                        QM__ARGS(qm__log_row(space, first), qm__log_row(space, last)),
                        same_segments, &x));
  return x.differs ? QM_EINVAL : qm__repack_end(&x.rows);
}

static int repack(sqlite_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                  uint32_t n) {
  static const qm_vv none = {NULL, 0, 0};
  int64_t seq = (int64_t)first - 1;
  int covered;
  for (;;) {
    int rc = log_next(s, space, (uint64_t)seq, &none, &seq, &covered);
    if (rc == QM_ENOTFOUND || (rc == QM_OK && (uint64_t)seq > rows[n - 1].seq)) break;
    QM_TRY(rc);
    QM_TRY(log_delete(s, space, seq, NULL));
  }
  for (uint32_t i = 0; i < n; i++) {
    uint8_t *packed = qm_alloc_array(s->base.env, rows[i].n_segments, SEGMENT_SIZE);
    if (!packed) return QM_ENOMEM;
    int rc = log_rows(s, space, (int64_t)rows[i].seq, &rows[i], packed);
    qm_free(s->base.env, packed);
    QM_TRY(rc);
  }
  return qm__log_index_repack(s, space, first, rows, n);
}

int qm__sqlite_log_repack(qm_store *store, uint32_t space, uint64_t first, const qm_log_row *rows,
                          uint32_t n) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  int rc = repack_check(s, space, first ? first : 1, rows, n);
  if (rc == QM_EINVAL || rc == QM_ENOTFOUND) return rc;
  return wrote(s, rc == QM_OK ? repack(s, space, first ? first : 1, rows, n) : rc);
}

/* ---- open run ---- */

/* Rows of a counter that fits into a number of open_run are there, others in open_change: nobody
 * has written as much, but the store says what it takes. */
static int is_far(uint64_t counter) { return counter >= QM__LOG_SEQ_MAX; }

int qm__sqlite_open_append(qm_store *store, uint32_t space, const qm_open_row *row) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  if (row->counter > INT64_MAX) return QM_EINVAL;
  if (is_far(row->counter))
    return wrote(s, qm__db_run(&s->db, QM__SQL_OPEN_FAR_PUT,
                               QM__ARGS(qm__int(space), qm__u64(row->counter),
                                        qm__slice(row->change))));
  return wrote(s, qm__db_run(&s->db, QM__SQL_OPEN_PUT,
                             QM__ARGS(qm__log_row(space, row->counter), qm__slice(row->change))));
}

typedef struct open_visit {
  qm_visit_open visit;
  void *payload;
  int stopped;
} open_visit;

static int open_row(void *payload, sqlite3_stmt *st) {
  open_visit *v = payload;
  qm_open_row row = {qm__db_u64(st, 0), qm__db_blob(st, 1)};
  int rc = v->visit(v->payload, &row);
  v->stopped = rc == QM_STORE_STOP;
  return rc;
}

int qm__sqlite_open_from(qm_store *store, uint32_t space, uint64_t from, qm_visit_open visit,
                         void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  open_visit v = {visit, payload, 0};
  if (from > INT64_MAX) return QM_OK;
  if (!is_far(from))
    QM_TRY(qm__store_each(s, QM__SQL_OPEN_LIST,
                          QM__ARGS(qm__log_row(space, from), qm__log_row(space, UINT64_MAX)),
                          open_row, &v));
  if (v.stopped) return QM_OK;
  return qm__store_each(s, QM__SQL_OPEN_FAR_LIST, QM__ARGS(qm__int(space), qm__u64(from)), open_row,
                        &v);
}

int qm__sqlite_open_list(qm_store *store, uint32_t space, qm_visit_open visit, void *payload) {
  return qm__sqlite_open_from(store, space, 0, visit, payload);
}

int qm__sqlite_open_clear(qm_store *store, uint32_t space) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  QM_TRY(wrote(s, qm__db_run(&s->db, QM__SQL_OPEN_DROP, QM__ARGS(QM__LOG_OF(space)))));
  return wrote(s, qm__db_run(&s->db, QM__SQL_OPEN_FAR_DROP, QM__ARGS(qm__int(space))));
}

/* ---- stage ---- */

/* Appends the manifest to out (may be NULL); QM_ENOTFOUND. */
static int stage_get(sqlite_store *s, uint32_t space, qm_buf *out) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(&s->db, QM__SQL_STAGE_GET, QM__ARGS(qm__int(space)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ENOTFOUND;
  if (rc == QM_OK && out) {
    qm_slice manifest = qm__db_blob(st, 0);
    qm_buf_add(out, manifest.p, manifest.n);
    rc = qm_buf_status(out);
  }
  qm__db_end(&s->db, QM__SQL_STAGE_GET, st);
  return rc;
}

static int stage_delete(sqlite_store *s, uint32_t space) {
  QM_TRY(qm__db_run(&s->db, QM__SQL_STAGE_DROP, QM__ARGS(qm__int(space))));
  return qm__db_run(&s->db, QM__SQL_PART_DROP, QM__ARGS(qm__int(space)));
}

int qm__sqlite_stage_begin(qm_store *store, uint32_t space, qm_slice manifest) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  qm_buf old;
  qm_buf_init(&old, s->base.env, SIZE_MAX);
  int rc = stage_get(s, space, &old);
  int same = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&old), manifest) == 0;
  qm_buf_free(&old);
  if (same) return QM_OK;
  if (rc != QM_OK && rc != QM_ENOTFOUND) return wrote(s, rc);
  QM_TRY(wrote(s, stage_delete(s, space)));
  return wrote(
      s, qm__db_run(&s->db, QM__SQL_STAGE_PUT, QM__ARGS(qm__int(space), qm__slice(manifest))));
}

int qm__sqlite_stage_part(qm_store *store, uint32_t space, uint32_t part, qm_slice content) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  int rc = stage_get(s, space, NULL);
  if (rc == QM_ENOTFOUND) return rc;
  QM_TRY(wrote(s, rc));
  return wrote(s, qm__db_run(&s->db, QM__SQL_PART_PUT,
                             QM__ARGS(qm__int(space), qm__int(part), qm__slice(content))));
}

static int part_number(void *payload, sqlite3_stmt *st) {
  uint32_t *next = payload;
  if (qm__db_u32(st, 0) != *next) return QM_STORE_STOP;
  ++*next;
  return QM_OK;
}

int qm__sqlite_stage_parts(qm_store *store, uint32_t space, uint32_t *next_part, qm_buf *manifest) {
  sqlite_store *s = self(store);
  QM_TRY(reading(s));
  QM_TRY(stage_get(s, space, manifest));
  *next_part = 0;
  return qm__store_each(s, QM__SQL_PART_NUMBERS, QM__ARGS(qm__int(space)), part_number, next_part);
}

int qm__sqlite_stage_read(qm_store *store, uint32_t space, uint32_t part, qm_buf *content) {
  sqlite_store *s = self(store);
  sqlite3_stmt *st;
  QM_TRY(reading(s));
  QM_TRY(qm__db_start(&s->db, QM__SQL_PART_GET, QM__ARGS(qm__int(space), qm__int(part)), &st));
  int row;
  int rc = qm__db_step(&s->db, st, &row);
  if (rc == QM_OK && !row) rc = QM_ENOTFOUND;
  if (rc == QM_OK) {
    qm_slice found = qm__db_blob(st, 0);
    qm_buf_add(content, found.p, found.n);
    rc = qm_buf_status(content);
  }
  qm__db_end(&s->db, QM__SQL_PART_GET, st);
  return rc;
}

typedef struct part_visit {
  int (*visit)(void *payload, uint32_t part, qm_slice content);
  void *payload;
} part_visit;

static int part_row(void *payload, sqlite3_stmt *st) {
  const part_visit *v = payload;
  return v->visit(v->payload, qm__db_u32(st, 0), qm__db_blob(st, 1));
}

static int stage_take(sqlite_store *s, uint32_t space, part_visit *v) {
  static const qm__sql_id replaced[] = {QM__SQL_AUTHOR_DROP, QM__SQL_RECORD_DROP,
                                        QM__SQL_CREATION_DROP, QM__SQL_KEY_DROP};
  qm__creations_forget(&s->creations);
  for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++)
    QM_TRY(qm__db_run(&s->db, replaced[i], QM__ARGS(qm__int(space))));
  QM_TRY(qm__store_each(s, QM__SQL_PART_LIST, QM__ARGS(qm__int(space)), part_row, v));
  return stage_delete(s, space);
}

int qm__sqlite_stage_swap(qm_store *store, uint32_t space,
                          int (*visit)(void *payload, uint32_t part, qm_slice content),
                          void *payload) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  int rc = stage_get(s, space, NULL);
  if (rc == QM_ENOTFOUND) return rc;
  QM_TRY(wrote(s, rc));
  part_visit v = {visit, payload};
  return wrote(s, stage_take(s, space, &v));
}

int qm__sqlite_stage_drop(qm_store *store, uint32_t space) {
  sqlite_store *s = self(store);
  QM_TRY(writing(s));
  return wrote(s, stage_delete(s, space));
}
