/* Merging two records into one class, taking one out again (S3.16, S3.18), and saying that
 * two are not one (S3.22). */
#include <string.h>

#include "core/write_int.h"

static const uint8_t nil[1] = {0xc0};

static int edge_value(qm_write *w, const qm_id *other, qm_slice *out) {
  uint8_t *p = qm_arena_alloc(qm__write_arena(w), 2 + QM_ID_SIZE);
  if (!p) return QM_ENOMEM;
  p[0] = 0xc4;
  p[1] = QM_ID_SIZE;
  memcpy(p + 2, other->b, QM_ID_SIZE);
  *out = qm_slice_of(p, 2 + QM_ID_SIZE);
  return QM_OK;
}

static int add(qm_write *w, const qm_id *holder, qm_slice element) {
  qm_loaded *l;
  const qm_op op = {.field = 0, .shape = QM_KEYED, .kind = QM_KIND_ADD, .value = element};
  QM_TRY(qm__space_record(w->s, holder, &l));
  return qm__write_emit(w, l, op);
}

/* Takes every dot of the element away; nothing where it is not held. */
static int take_away(qm_write *w, const qm_id *holder, qm_slice element) {
  qm_loaded *l;
  QM_TRY(qm__space_record(w->s, holder, &l));
  const qm_cell *cell = qm_record_cell(&l->record, 0, QM_KEYED);
  const qm_element *el = cell ? qm_keyed_find(qm_keyed_of(cell), element) : NULL;
  if (!el) return QM_OK;
  qm_dot *p = qm_arena_array(qm__write_arena(w), el->n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < el->n; i++) p[i] = el->dots[i].dot;
  const qm_op op = {.field = 0, .shape = QM_KEYED, .kind = QM_KIND_REMOVE, .dots = {p, el->n}};
  return qm__write_emit(w, l, op);
}

static int link(qm_write *w, const qm_id *a, const qm_id *b) {
  qm_slice element;
  int swap = qm_id_cmp(a, b) > 0;
  QM_TRY(edge_value(w, swap ? a : b, &element));
  return add(w, swap ? b : a, element);
}

/* The record itself must be here, not only what it is connected to. */
static int find(qm_write *w, const qm_id *record, qm_target *out) {
  QM_TRY(qm__write_target(w, record, 0, qm_slice_of(NULL, 0), out));
  return out->cls.asked < out->cls.n ? QM_OK : QM_ENOTFOUND;
}

static int merge(qm_write *w, const qm_id *a, const qm_id *b) {
  qm_target ta, tb;
  QM_TRY(find(w, a, &ta));
  QM_TRY(find(w, b, &tb));
  /* Two keys may mean merged records already. */
  if (qm_id_cmp(a, b) == 0 && ta.cls.n > 1) return QM_OK;
  if (qm_id_cmp(a, b) == 0)
    return qm_fail(&w->error, QM_EINVAL, "a record is not merged with itself");
  if (qm_record_collection(ta.cls.members[ta.cls.asked]) !=
      qm_record_collection(tb.cls.members[tb.cls.asked]))
    return qm_fail(&w->error, QM_ESCHEMA, "records of two collections cannot be merged");
  int joined = qm_class_has(&ta.cls, b);
  if (!joined && ta.cls.n + tb.cls.n > QM_CLASS_MAX)
    return qm_fail(&w->error, QM_ELIMIT, "more than %u records would be merged", QM_CLASS_MAX);
  /* Whoever took one of them out: this was decided after it. */
  QM_TRY(take_away(w, a, qm_slice_of(nil, 1)));
  QM_TRY(take_away(w, b, qm_slice_of(nil, 1)));
  return joined ? QM_OK : link(w, a, b);
}

int qm_write_merge(qm_write *w, const qm_id *a, const qm_id *b) {
  return qm__write_fail(w, merge(w, a, b), "merge");
}

/* What the record joined stays joined: each of its former neighbours that is not connected
 * to the first one any more is linked to it. */
static int bridge(qm_write *w, const qm_id *ends, uint32_t n) {
  for (uint32_t i = 1; i < n; i++) {
    int connected;
    QM_TRY(qm__edge_connected(w->e, w->s, &ends[0], &ends[i], qm__write_arena(w), &connected));
    if (!connected) QM_TRY(link(w, &ends[0], &ends[i]));
  }
  return QM_OK;
}

static int unmerge(qm_write *w, const qm_id *record) {
  qm_target t;
  qm_id *ends;
  uint32_t n;
  int rc = find(w, record, &t);
  if (rc != QM_OK && rc != QM_EINVISIBLE) return rc;
  QM_TRY(qm__edge_ends(w->e, w->s, record, 0, qm__write_arena(w), &ends, &n));
  if (!n) return QM_OK;
  for (uint32_t i = 0; i < n; i++) {
    qm_slice element;
    int below = qm_id_cmp(&ends[i], record) < 0;
    QM_TRY(edge_value(w, below ? record : &ends[i], &element));
    QM_TRY(take_away(w, below ? &ends[i] : record, element));
  }
  QM_TRY(add(w, record, qm_slice_of(nil, 1)));
  return bridge(w, ends, n);
}

int qm_write_unmerge(qm_write *w, const qm_id *record) {
  return qm__write_fail(w, unmerge(w, record), "unmerge");
}

/* --- what is not one --- */

static int distinct_value(qm_write *w, const qm_id *other, qm_slice *out) {
  uint8_t *p = qm_arena_alloc(qm__write_arena(w), 4 + QM_ID_SIZE);
  if (!p) return QM_ENOMEM;
  p[0] = 0x92;
  p[1] = 1;
  p[2] = 0xc4;
  p[3] = QM_ID_SIZE;
  memcpy(p + 4, other->b, QM_ID_SIZE);
  *out = qm_slice_of(p, 4 + QM_ID_SIZE);
  return QM_OK;
}

/* Both are here, of one collection and of two classes. */
static int find_two(qm_write *w, const qm_id *a, const qm_id *b, qm_target *ta, qm_target *tb) {
  QM_TRY(find(w, a, ta));
  QM_TRY(find(w, b, tb));
  if (qm_class_has(&ta->cls, b))
    return qm_fail(&w->error, QM_EINVAL, "a record is not distinct from itself; unmerge first");
  if (qm_record_collection(ta->cls.members[ta->cls.asked]) !=
      qm_record_collection(tb->cls.members[tb->cls.asked]))
    return qm_fail(&w->error, QM_ESCHEMA, "these are records of two collections");
  return QM_OK;
}

static int distinct(qm_write *w, const qm_id *a, const qm_id *b) {
  qm_target ta, tb;
  qm_slice element;
  qm_id holder;
  QM_TRY(find_two(w, a, b, &ta, &tb));
  if (qm_class_distinct(&ta.cls, &tb.cls, &holder, &element)) return QM_OK;
  int swap = qm_id_cmp(a, b) > 0;
  QM_TRY(distinct_value(w, swap ? a : b, &element));
  return add(w, swap ? b : a, element);
}

static int not_distinct(qm_write *w, const qm_id *a, const qm_id *b) {
  qm_target ta, tb;
  qm_slice element;
  qm_id holder;
  QM_TRY(find_two(w, a, b, &ta, &tb));
  while (qm_class_distinct(&ta.cls, &tb.cls, &holder, &element)) {
    QM_TRY(take_away(w, &holder, element));
    QM_TRY(find_two(w, a, b, &ta, &tb)); /* a write ends what was read before it */
  }
  return QM_OK;
}

int qm_write_distinct(qm_write *w, const qm_id *a, const qm_id *b) {
  return qm__write_fail(w, distinct(w, a, b), "distinct");
}

int qm_write_not_distinct(qm_write *w, const qm_id *a, const qm_id *b) {
  return qm__write_fail(w, not_distinct(w, a, b), "distinct");
}
