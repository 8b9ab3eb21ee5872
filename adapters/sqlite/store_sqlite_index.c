/* store_sqlite_index.c: which rows of the log are on a record.
 *
 * A B-tree row for each record of each batch would touch a page for each of them in every
 * commit. So a batch leaves one row in log_new, the marks of its records; and once there are
 * many of these they go into log_index together, in the order of their marks. A mark is four
 * bytes of the record's id: seldom a row is found that is on another record of the same mark,
 * and whoever asks looks at the ops. */
#include "adapters/sqlite/store_sqlite_impl.h"

#include <string.h>

#include "core/cur.h"

#define MARK_SIZE 4u
/* log_new is looked at every EVERY rows of a space; beyond ROWS rows or BYTES bytes it is
 * taken in. So finding looks at ROWS + EVERY rows at most, beyond what log_index costs. */
#define EVERY 64u
#define ROWS 1024
#define BYTES (256 * 1024)

/* Bytes 0, 1, 14 and 15: what schema step 9 takes too. */
static void mark_of(const qm_id *record, uint8_t out[MARK_SIZE]) {
  memcpy(out, record->b, 2);
  memcpy(out + 2, record->b + QM_ID_SIZE - 2, 2);
}

/* ---- taking in ---- */

/* Mark and seq as one number, so that they sort by mark. Untold: UNTOLD in place of a mark. */
#define UNTOLD (UINT64_C(1) << 32)

typedef struct pairs {
  uint64_t *p;
  size_t n, cap;
  const qm_env *env;
} pairs;

static int pairs_add(pairs *x, uint64_t mark, uint64_t seq) {
  if (x->n == x->cap) {
    size_t cap = x->cap ? x->cap * 2 : 1024;
    uint64_t *p = qm_realloc_array(x->env, x->p, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    x->p = p;
    x->cap = cap;
  }
  x->p[x->n++] = mark << 31 | seq;
  return QM_OK;
}

static uint64_t mark_at(const uint8_t *p) {
  return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

static int pairs_row(void *payload, sqlite3_stmt *st) {
  pairs *x = payload;
  uint64_t seq = qm__db_u64(st, 0);
  qm_slice marks = qm__db_blob(st, 1);
  if (marks.n % MARK_SIZE) return QM_ECORRUPT;
  if (!marks.n) return pairs_add(x, UNTOLD, seq);
  for (size_t i = 0; i < marks.n; i += MARK_SIZE) QM_TRY(pairs_add(x, mark_at(marks.p + i), seq));
  return QM_OK;
}

static void sift(uint64_t *p, size_t at, size_t n) {
  uint64_t moving = p[at];
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && p[child] < p[child + 1]) child++;
    if (moving >= p[child]) break;
    p[at] = p[child];
  }
  p[at] = moving;
}

static void pairs_sort(pairs *x) {
  for (size_t i = x->n / 2; i-- > 0;) sift(x->p, i, x->n);
  for (size_t end = x->n; end-- > 1;) {
    uint64_t greatest = x->p[0];
    x->p[0] = x->p[end];
    x->p[end] = greatest;
    sift(x->p, 0, end);
  }
}

static uint64_t seq_of(uint64_t pair) { return pair & QM__LOG_SEQ_MAX; }

/* The n pairs of one mark: varints how far before the last the others are, ascending by seq. */
static int put_mark(sqlite_store *s, uint32_t space, const uint64_t *p, size_t n, qm_buf *others) {
  uint64_t mark = p[0] >> 31, last = seq_of(p[n - 1]), before = 0;
  uint8_t bytes[MARK_SIZE];
  for (unsigned i = 0; i < MARK_SIZE; i++) bytes[i] = (uint8_t)(mark >> (24 - 8 * i));
  qm_buf_clear(others);
  for (size_t i = 0; i + 1 < n; i++) {
    uint64_t seq = seq_of(p[i]);
    if (seq != before && seq != last) qm_buf_varint(others, last - seq);
    before = seq;
  }
  QM_TRY(qm_buf_status(others));
  return qm__db_run(&s->db, QM__SQL_LOG_OF_PUT,
                    QM__ARGS(qm__int(space), qm__blob(bytes, mark == UNTOLD ? 0 : MARK_SIZE),
                             qm__int((int64_t)last), qm__slice(qm_buf_slice(others))));
}

static int put_all(sqlite_store *s, uint32_t space, pairs *x) {
  qm_buf others;
  int rc = QM_OK;
  pairs_sort(x);
  qm_buf_init(&others, s->base.env, SIZE_MAX / 2);
  for (size_t from = 0, to; rc == QM_OK && from < x->n; from = to) {
    for (to = from + 1; to < x->n && x->p[to] >> 31 == x->p[from] >> 31;) to++;
    rc = put_mark(s, space, x->p + from, to - from, &others);
  }
  qm_buf_free(&others);
  return rc;
}

static int take_in(sqlite_store *s, uint32_t space) {
  pairs x = {NULL, 0, 0, s->base.env};
  int rc = qm__store_each(s, QM__SQL_LOG_NEW_LIST, QM__ARGS(QM__LOG_OF(space)), pairs_row, &x);
  if (rc == QM_OK) rc = put_all(s, space, &x);
  qm_free(s->base.env, x.p);
  if (rc != QM_OK) return rc;
  return qm__db_run(&s->db, QM__SQL_LOG_NEW_DROP, QM__ARGS(QM__LOG_OF(space)));
}

typedef struct size_of_new {
  uint64_t rows, bytes;
} size_of_new;

static int size_row(void *payload, sqlite3_stmt *st) {
  *(size_of_new *)payload = (size_of_new){qm__db_u64(st, 0), qm__db_u64(st, 1)};
  return QM_OK;
}

int qm__log_index_add(sqlite_store *s, uint32_t space, uint64_t seq, const qm_id *records,
                      uint32_t n) {
  size_of_new size = {0, 0};
  uint8_t *marks = qm_alloc_array(s->base.env, n ? n : 1, MARK_SIZE);
  if (!marks) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) mark_of(&records[i], marks + (size_t)i * MARK_SIZE);
  int rc = qm__db_run(&s->db, QM__SQL_LOG_NEW_PUT,
                      QM__ARGS(qm__log_row(space, seq), qm__blob(marks, (size_t)n * MARK_SIZE)));
  qm_free(s->base.env, marks);
  if (rc != QM_OK || seq % EVERY) return rc;
  QM_TRY(qm__store_each(s, QM__SQL_LOG_NEW_SIZE, QM__ARGS(QM__LOG_OF(space)), size_row, &size));
  return size.rows >= ROWS || size.bytes >= BYTES ? take_in(s, space) : QM_OK;
}

/* ---- finding ---- */

typedef struct finding {
  const uint8_t *mark;
  uint64_t after, seq; /* seq: the least so far */
} finding;

static int found(void *payload, uint64_t seq) {
  finding *f = payload;
  if (seq > f->after && seq < f->seq) f->seq = seq;
  return QM_OK;
}

/* The seqs of a row of log_index: the last, and how far the others are before it. */
static int seqs_of(sqlite3_stmt *st, int (*visit)(void *payload, uint64_t seq), void *payload) {
  uint64_t last = qm__db_u64(st, 0), back;
  qm_cur c;
  qm_cur_init(&c, qm__db_blob(st, 1));
  while (qm_cur_left(&c)) {
    if (qm_cur_varint(&c, &back) != QM_OK || back > last) return QM_ECORRUPT;
    QM_TRY(visit(payload, last - back));
  }
  return visit(payload, last);
}

static int index_row(void *payload, sqlite3_stmt *st) { return seqs_of(st, found, payload); }

static int new_row(void *payload, sqlite3_stmt *st) {
  finding *f = payload;
  qm_slice marks = qm__db_blob(st, 1);
  int is_on = !marks.n;
  for (size_t i = 0; i + MARK_SIZE <= marks.n && !is_on; i += MARK_SIZE)
    is_on = memcmp(marks.p + i, f->mark, MARK_SIZE) == 0;
  if (!is_on) return QM_OK;
  found(f, qm__db_u64(st, 0));
  return QM_STORE_STOP;
}

int qm__log_index_find(sqlite_store *s, uint32_t space, const qm_id *record, uint64_t after,
                       uint64_t *seq) {
  uint8_t mark[MARK_SIZE];
  finding f = {mark, after, UINT64_MAX};
  if (after >= QM__LOG_SEQ_MAX) return QM_ENOTFOUND;
  mark_of(record, mark);
  for (size_t n = 0; n <= MARK_SIZE; n += MARK_SIZE) /* not told, told */
    QM_TRY(qm__store_each(s, QM__SQL_LOG_OF_NEXT,
                          QM__ARGS(qm__int(space), qm__blob(mark, n), qm__int((int64_t)after)),
                          index_row, &f));
  /* What log_new holds of a space is later than what log_index does. */
  if (f.seq == UINT64_MAX)
    QM_TRY(qm__store_each(s, QM__SQL_LOG_NEW_LIST,
                          QM__ARGS(qm__log_row(space, after), qm__log_row(space, UINT64_MAX)),
                          new_row, &f));
  if (f.seq == UINT64_MAX) return QM_ENOTFOUND;
  *seq = f.seq;
  return QM_OK;
}

/* ---- forgetting ---- */

int qm__log_index_forget(sqlite_store *s, uint32_t space, uint64_t seq) {
  return qm__db_run(&s->db, QM__SQL_LOG_NEW_DELETE, QM__ARGS(qm__log_row(space, seq)));
}

int qm__log_index_sweep(sqlite_store *s, uint32_t space) {
  return qm__db_run(&s->db, QM__SQL_LOG_OF_SWEEP, QM__ARGS(qm__int(space), QM__LOG_OF(space)));
}

/* ---- repacking ---- */

typedef struct replacing {
  pairs *to;
  uint64_t mark, first, last; /* of the seqs in between none stays */
} replacing;

static int keep_seq(void *payload, uint64_t seq) {
  const replacing *r = payload;
  return seq >= r->first && seq <= r->last ? QM_OK : pairs_add(r->to, r->mark, seq);
}

static int keep_row(void *payload, sqlite3_stmt *st) { return seqs_of(st, keep_seq, payload); }

/* One mark: what log_index says of it outside the range, and the n new pairs. */
static int replace_mark(sqlite_store *s, uint32_t space, uint64_t mark, const uint64_t *added,
                        size_t n, uint64_t first, uint64_t last) {
  pairs x = {NULL, 0, 0, s->base.env};
  replacing r = {&x, mark, first, last};
  uint8_t bytes[MARK_SIZE];
  for (unsigned i = 0; i < MARK_SIZE; i++) bytes[i] = (uint8_t)(mark >> (24 - 8 * i));
  qm__arg name = qm__blob(bytes, mark == UNTOLD ? 0 : MARK_SIZE);
  int rc = qm__store_each(s, QM__SQL_LOG_OF_LIST, QM__ARGS(qm__int(space), name), keep_row, &r);
  for (size_t i = 0; rc == QM_OK && i < n; i++) rc = pairs_add(&x, mark, seq_of(added[i]));
  if (rc == QM_OK)
    rc = qm__db_run(&s->db, QM__SQL_LOG_OF_DELETE, QM__ARGS(qm__int(space), name));
  if (rc == QM_OK) rc = put_all(s, space, &x);
  qm_free(s->base.env, x.p);
  return rc;
}

static int new_pairs(const qm_log_row *rows, uint32_t n, pairs *x) {
  for (uint32_t i = 0; i < n; i++) {
    if (!rows[i].n_records) QM_TRY(pairs_add(x, UNTOLD, rows[i].seq));
    for (uint32_t k = 0; k < rows[i].n_records; k++) {
      uint8_t m[MARK_SIZE];
      mark_of(&rows[i].records[k], m);
      QM_TRY(pairs_add(x, mark_at(m), rows[i].seq));
    }
  }
  pairs_sort(x);
  return QM_OK;
}

int qm__log_index_repack(sqlite_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                         uint32_t n) {
  pairs x = {NULL, 0, 0, s->base.env};
  uint64_t last = rows[n - 1].seq;
  int rc = take_in(s, space); /* log_new holds what is later than log_index */
  if (rc == QM_OK) rc = new_pairs(rows, n, &x);
  int untold = x.n && x.p[x.n - 1] >> 31 == UNTOLD;
  for (size_t from = 0, to; rc == QM_OK && from < x.n; from = to) {
    for (to = from + 1; to < x.n && x.p[to] >> 31 == x.p[from] >> 31;) to++;
    rc = replace_mark(s, space, x.p[from] >> 31, x.p + from, to - from, first, last);
  }
  if (rc == QM_OK && !untold) rc = replace_mark(s, space, UNTOLD, NULL, 0, first, last);
  qm_free(s->base.env, x.p);
  return rc;
}
