#include "core/crdt/presence.h"

#include "core/crdt/codec.h"

/* S3.7: every mark the op had seen is replaced, or flagged kept where the op lists
 * what it replaces and this is not in the list. */
int qm_marks_apply(qm_marks *m, const qm_apply *a, const qm_op *op) {
  uint32_t n = 0;
  qm_dots list;
  int listed = (op->flags & QM_OP_MARKS) != 0;
  QM_TRY(qm_dots_sort(a->arena, op->marks, &list));
  for (uint32_t i = 0; i < m->n; i++) {
    qm_mark *x = &m->p[i];
    if (qm_seen(a, x->dot)) {
      if (qm_replaces(a, listed, list, x->dot)) continue;
      x->kept = 1;
    }
    if (n != i) m->p[n] = *x;
    n++;
  }
  m->n = n;
  qm_mark mark = {.dot = {op->counter, a->change->author},
                  .deleted = op->shape == QM_PRESENCE && op->kind == QM_KIND_DELETE};
  uint32_t at = m->n;
  while (at && qm_dot_cmp(a->authors, m->p[at - 1].dot, mark.dot) > 0) at--;
  qm_mark *p = qm_array_open(a->arena, m->p, m->n, &m->cap, at, sizeof *p);
  if (!p) return QM_ENOMEM;
  m->p = p;
  p[at] = mark;
  m->n++;
  return QM_OK;
}

int qm_marks_join(qm_marks *out, const qm_marks *a, const qm_vv *va, const qm_marks *b,
                  const qm_vv *vb, const qm_authors *authors, qm_arena *arena) {
  uint32_t i = 0, j = 0;
  *out = (qm_marks){NULL, 0, 0};
  while (i < a->n || j < b->n) {
    int c = i == a->n ? 1 : j == b->n ? -1 : qm_dot_cmp(authors, a->p[i].dot, b->p[j].dot);
    qm_mark x = c <= 0 ? a->p[i] : b->p[j];
    int stays = c == 0 || !qm_vv_covers(c < 0 ? vb : va, x.dot);
    if (c == 0) x.kept = x.kept | b->p[j].kept;
    i += c <= 0;
    j += c >= 0;
    if (!stays) continue;
    qm_mark *p = qm_array_open(arena, out->p, out->n, &out->cap, out->n, sizeof *p);
    if (!p) return QM_ENOMEM;
    out->p = p;
    p[out->n++] = x;
  }
  return QM_OK;
}

int qm_marks_visible(const qm_marks *m) {
  for (uint32_t i = 0; i < m->n; i++)
    if (!m->p[i].kept && !m->p[i].deleted) return 1;
  return 0;
}

int qm_marks_collide(const qm_marks *m) {
  int edited = 0, deleted = 0;
  for (uint32_t i = 0; i < m->n; i++) {
    if (m->p[i].deleted)
      deleted = 1;
    else
      edited = 1;
  }
  return edited && deleted;
}
