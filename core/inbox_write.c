/* Writing a lost value again: a write made from what the inbox showed. */
#include <string.h>

#include "core/crdt/siblings.h"
#include "core/inbox.h"
#include "core/space.h"
#include "core/token.h"
#include "core/write.h"

/* Of the field: the lost value, the one that stands for it, and what is equal to either. */
static int field_dots(const qm_space *s, const qm_record_class *of, const qm_inbox_entry *x,
                      qm_arena *arena, qm_dots *out) {
  const qm_cell *cell;
  QM_TRY(qm__class_cell(of, &s->authors, x->field, QM_SIBLINGS, arena, &cell));
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  qm_dot *p = qm_arena_array(arena, (v ? v->n : 0) + 1, sizeof *p);
  uint32_t n = 0;
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; v && i < v->n; i++) {
    const qm_sibling *y = &v->p[i];
    if (y->hidden || qm_slice_cmp(y->value, x->before) == 0 ||
        qm_slice_cmp(y->value, x->after) == 0)
      p[n++] = y->dot;
  }
  return qm_dots_sort(arena, (qm_dots){p, n}, out);
}

static int make_token(qm_space *s, const qm_inbox_entry *x, qm_arena *arena, qm_buf *out) {
  qm_record_class of;
  qm_token t;
  qm_token_field field = {.field = x->field};
  unsigned kind = x->field ? QM_READ_VALUES : QM_READ_REVIEW;
  QM_TRY(qm_class_read(s->engine, s, &x->record, 0, arena, &of));
  QM_TRY(qm__token_class(s, &of, kind, x->field, arena, &t));
  if (x->field) {
    QM_TRY(field_dots(s, &of, x, arena, &field.dots));
    t.fields = &field;
    t.n_fields = 1;
  }
  return qm__token_write(s, &t, out);
}

int qm_write_lost(qm_write *w, qm_space *s, const qm_inbox_entry *x) {
  static const uint8_t no[1] = {0xc2};
  qm_arena arena;
  qm_buf token;
  qm_arena_init(&arena, s->engine->env, QM_RECORD_ARENA);
  qm_buf_init(&token, s->engine->env, QM_RECORD_MAX);
  int rc = make_token(s, x, &arena, &token);
  if (rc == QM_OK && x->field)
    rc = qm_write_set(w, &x->record, x->field, x->before, qm_buf_slice(&token), QM_WRITE_SETTLE);
  else if (rc == QM_OK && qm_slice_cmp(x->before, qm_slice_of(no, 1)) == 0)
    rc = qm_write_delete(w, &x->record, qm_buf_slice(&token));
  else if (rc == QM_OK)
    rc = qm_write_restore(w, &x->record);
  qm_buf_free(&token);
  qm_arena_free(&arena);
  return rc;
}
