/* project_alike.c: what records are compared by when likely duplicates are looked for, and
 * which of them somebody said to be distinct (S16.13). Only what differs is written. */
#include <string.h>

#include "adapters/sqlite/project_impl.h"
#include "core/alike.h"
#include "core/class.h"

static uint64_t key_at(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 0; i < 8; i++) v = v << 8 | p[i];
  return v;
}

static int change_key(qm_projection *p, qm__sql_id id, uint64_t key, int64_t row) {
  return qm__db_run(p->db, id,
                    QM__ARGS(qm__int(qm__row_scope(row)), qm__int((int64_t)key), qm__int(row)));
}

/* Both ascend: keys of one alone go, those of the other alone come. */
static int change_keys(qm_projection *p, int64_t row, qm_slice old, const uint64_t *keys,
                       uint32_t n) {
  size_t i = 0, k = 0, had = old.n / 8;
  while (i < had || k < n) {
    uint64_t a = i < had ? key_at(old.p + i * 8) : UINT64_MAX;
    uint64_t b = k < n ? keys[k] : UINT64_MAX;
    if (a < b) QM_TRY(change_key(p, QM__SQL_ALIKE_KEY_DROP, a, row));
    if (b < a) QM_TRY(change_key(p, QM__SQL_ALIKE_KEY_PUT, b, row));
    i += a <= b;
    k += b <= a;
  }
  return QM_OK;
}

typedef struct stored {
  int there, same; /* same: with these very features, of this record */
  qm_slice keys;   /* in the record's arena */
} stored;

static int load(qm_projection *p, int64_t row, const qm_id *id, qm_slice features, stored *out) {
  sqlite3_stmt *st;
  memset(out, 0, sizeof *out);
  QM_TRY(qm__db_start(p->db, QM__SQL_ALIKE_GET, QM__ARGS(qm__int(row)), &st));
  int rc = qm__db_step(p->db, st, &out->there);
  if (rc == QM_OK && out->there) {
    qm_slice keys = qm__db_blob(st, 1);
    uint8_t *copy = qm_arena_copy(&p->arena, keys.p, keys.n);
    if (!copy) rc = QM_ENOMEM;
    out->keys = qm_slice_of(copy, keys.n);
    out->same = id && qm_slice_cmp(qm__db_blob(st, 0), qm_slice_of(id->b, sizeof id->b)) == 0 &&
                qm_slice_cmp(qm__db_blob(st, 2), features) == 0;
  }
  qm__db_end(p->db, QM__SQL_ALIKE_GET, st);
  return rc;
}

static int put(qm_projection *p, int64_t row, const qm_id *id, const uint64_t *keys, uint32_t n,
               qm_slice features) {
  uint8_t *blob = qm_arena_array(&p->arena, n, 8);
  if (!blob) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++)
    for (int k = 0; k < 8; k++) blob[i * 8 + (uint32_t)k] = (uint8_t)(keys[i] >> (56 - 8 * k));
  return qm__db_run(p->db, QM__SQL_ALIKE_PUT,
                    QM__ARGS(qm__int(row), qm__blob(id->b, sizeof id->b),
                             qm__blob(blob, (size_t)n * 8), qm__slice(features)));
}

int qm__project_alike(qm_projection *p, qm_space *s, const qm_collection_def *c,
                      const qm_record *r, int64_t row) {
  qm_alike features;
  uint64_t *keys;
  uint32_t n;
  stored old;
  if (!c->n_rules) return QM_OK; /* rows of rules that went are gone: the schema is another */
  QM_TRY(qm_alike_read(s, c, r, &p->arena, &features));
  if (qm_alike_empty(c, &features)) return qm__project_alike_drop(p, row);
  qm_buf_clear(&p->scratch);
  qm_alike_encode(c, &features, &p->scratch);
  QM_TRY(qm_buf_status(&p->scratch));
  QM_TRY(load(p, row, &r->id, qm_buf_slice(&p->scratch), &old));
  if (old.same) return QM_OK;
  QM_TRY(qm_alike_keys(c, &features, &p->arena, &keys, &n));
  QM_TRY(change_keys(p, row, old.keys, keys, n));
  return put(p, row, &r->id, keys, n, qm_buf_slice(&p->scratch));
}

int qm__project_alike_drop(qm_projection *p, int64_t row) {
  stored old;
  QM_TRY(load(p, row, NULL, qm_slice_of(NULL, 0), &old));
  if (!old.there) return QM_OK;
  QM_TRY(change_keys(p, row, old.keys, NULL, 0));
  return qm__db_run(p->db, QM__SQL_ALIKE_DROP, QM__ARGS(qm__int(row)));
}

int qm__project_distinct(qm_projection *p, const qm_space *s, const qm_record *r) {
  const qm_cell *cell = qm_record_cell(r, 0, QM_KEYED);
  const qm_keyed *k = cell ? qm_keyed_of(cell) : NULL;
  qm__arg space = qm__int(s->number), record = qm__blob(r->id.b, sizeof r->id.b);
  qm_id other;
  QM_TRY(qm__db_run(p->db, QM__SQL_DISTINCT_DROP, QM__ARGS(space, record)));
  for (uint32_t i = 0; k && i < k->n; i++)
    if (qm_distinct_read(&r->id, k->p[i].value, &other))
      QM_TRY(qm__db_run(p->db, QM__SQL_DISTINCT_PUT,
                        QM__ARGS(space, record, qm__blob(other.b, sizeof other.b))));
  return QM_OK;
}

int qm__project_alike_clear(qm_projection *p, uint32_t space) {
  int64_t first = qm__row_first(space, 0), last = qm__row_first(space + 1, 0) - 1;
  qm__arg from = qm__int(qm__row_scope(first)), to = qm__int(qm__row_scope(last));
  QM_TRY(qm__db_run(p->db, QM__SQL_ALIKE_CLEAR, QM__ARGS(qm__int(first), qm__int(last))));
  QM_TRY(qm__db_run(p->db, QM__SQL_ALIKE_KEY_CLEAR, QM__ARGS(from, to)));
  return qm__db_run(p->db, QM__SQL_DISTINCT_CLEAR, QM__ARGS(qm__int(space)));
}
