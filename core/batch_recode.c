/* A batch in another form (SPEC S5.1), without a space: its own dictionary is the table. */
#include "core/batch.h"
#include "core/batch_columns.h"

static int read_all(qm_batch_in *in, qm_slice blob, qm_arena *arena, qm_authors *table,
                    qm_batch *out) {
  QM_TRY(qm_batch_open(in, blob, arena));
  QM_TRY(qm_authors_add_all(table, in->authors, in->n_authors, in->map));
  return qm_batch_read(in, out);
}

int qm_batch_recode(qm_buf *out, qm_slice blob, int level, qm_batch_form form) {
  qm_arena arena;
  qm_authors table;
  qm_batch_in in;
  qm_batch batch;
  qm_arena_init(&arena, out->env, (size_t)64 << 20);
  qm_authors_init(&table, out->env);
  int rc = read_all(&in, blob, &arena, &table, &batch);
  if (rc == QM_OK) rc = qm_batch_encode_as(out, &batch, &table, level, form);
  qm_authors_free(&table);
  qm_arena_free(&arena);
  return rc;
}

int qm_batch_make_old(qm_buf *blob) {
  qm_buf old;
  QM_TRY(qm_buf_status(blob));
  if (blob->n && blob->p[0] == QM__BATCH_OLD) return QM_OK;
  qm_buf_init(&old, blob->env, QM_BATCH_MAX);
  int rc = qm_batch_recode(&old, qm_buf_slice(blob), 0, QM_BATCH_OLD);
  if (rc == QM_OK) {
    qm_buf_clear(blob);
    qm_buf_add(blob, old.p, old.n);
    rc = qm_buf_status(blob);
  }
  qm_buf_free(&old);
  return rc;
}
