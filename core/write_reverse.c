/* A ledger's reversal (S22.7): the entry of the opposite amount that names another. */
#include <string.h>

#include "core/ledger.h"
#include "core/write_int.h"

static const qm_entry *entry_at(const qm_entries *v, qm_dot dot) {
  for (uint32_t i = 0; v && i < v->n; i++)
    if (qm_dot_eq(v->p[i].dot, dot)) return &v->p[i];
  return NULL;
}

/* Keys of a map ascend. */
static void put_reversal(qm_buf *b, int64_t amount, qm_slice reason, qm_slice entry) {
  qm_mp_map(b, 3);
  qm_mp_str(b, "amount", 6);
  qm_mp_int(b, amount);
  qm_mp_str(b, "reason", 6);
  qm_mp_str(b, reason.p, reason.n);
  qm_mp_str(b, "reverses", 8);
  qm_mp_str(b, entry.p, entry.n);
}

static int reverse(qm_write *w, const qm_id *record, uint32_t field, qm_slice entry,
                   qm_slice reason) {
  qm_target t;
  const qm_cell *cell;
  qm_dot dot;
  qm_buf b;
  QM_TRY(qm__write_target_field(w, record, field, QM_ENTRIES, qm_slice_of(NULL, 0), &t));
  if (!t.field || !qm_is_ledger(t.field))
    return qm_fail(&w->error, QM_ESCHEMA, "the field is no ledger: nothing is reversed there");
  QM_TRY(qm__class_cell(&t.cls, &w->s->authors, field, QM_ENTRIES, qm__write_arena(w), &cell));
  const qm_entry *old = qm_entry_find(&w->s->authors, entry, &dot) == QM_OK && cell
                            ? entry_at(qm_entries_of(cell), dot)
                            : NULL;
  if (!old || old->erased) return QM_ENOTFOUND;
  int64_t amount = qm_entry_amount(old->value);
  if (amount == INT64_MIN) return QM_ERANGE;
  qm_buf_init(&b, w->e->env, QM_VALUE_MAX);
  put_reversal(&b, -amount, reason, entry);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = qm_write_append(w, record, field, qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

int qm_write_reverse(qm_write *w, const qm_id *record, uint32_t field, qm_slice entry,
                     qm_slice reason) {
  return qm__write_fail(w, reverse(w, record, field, entry, reason), "reverse");
}
