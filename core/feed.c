#include "core/feed.h"

#include <string.h>

#include "core/class.h"
#include "core/crdt/keyed.h"
#include "core/space.h"

struct qm_feed_set {
  qm_feed_field *p;
  uint32_t n, cap;
};

static int is_on(const qm_space *s) { return (s->engine->flags & QM_ENGINE_FEED) != 0; }

/* --- an entry's content: (field · 2 + remote, entry's seq - field's seq) as varints --- */

int qm_feed_open(qm_cur *c, qm_slice content) {
  qm_cur_init(c, content);
  return QM_OK;
}

int qm_feed_next(qm_cur *c, uint64_t entry_seq, qm_feed_field *out, int *more) {
  uint64_t key = 0, back = 0;
  *more = qm_cur_left(c) != 0;
  if (!*more) return QM_OK;
  int bad = qm_cur_varint(c, &key) != QM_OK || qm_cur_varint(c, &back) != QM_OK;
  if (bad || key >> 1 > QM_FEED_ALL || back > entry_seq) return QM_ECORRUPT;
  out->field = (uint32_t)(key >> 1);
  out->remote = (uint8_t)(key & 1);
  out->seq = entry_seq - back;
  return QM_OK;
}

/* Everything of one kind becomes one: the entry may say too much, never too little. */
static void collapse(qm_feed_set *f) {
  qm_feed_field all[2] = {{QM_FEED_ALL, 0, 0}, {QM_FEED_ALL, 1, 0}};
  for (uint32_t i = 0; i < f->n; i++) {
    qm_feed_field *a = &all[f->p[i].remote];
    if (f->p[i].seq > a->seq) a->seq = f->p[i].seq;
  }
  f->n = 0;
  for (size_t i = 0; i < 2; i++)
    if (all[i].seq) f->p[f->n++] = all[i];
}

static int put(qm_space *s, qm_feed_set *f, uint32_t field, uint8_t remote, uint64_t seq) {
  for (uint32_t i = 0; i < f->n; i++) {
    if (f->p[i].field != field || f->p[i].remote != remote) continue;
    if (seq > f->p[i].seq) f->p[i].seq = seq;
    return QM_OK;
  }
  if (f->n == f->cap) {
    uint32_t cap = f->cap ? f->cap * 2 : 4;
    f->p = qm_arena_grow(&s->engine->records, f->p, f->cap, cap, sizeof *f->p);
    if (!f->p) return QM_ENOMEM;
    f->cap = cap;
  }
  f->p[f->n++] = (qm_feed_field){field, remote, seq};
  if (f->n > QM_FEED_FIELDS_MAX) collapse(f);
  return QM_OK;
}

/* --- while changes are applied --- */

/* Until it is saved a field's seq is 1: touched in this transaction. */
int qm__feed_touch(qm_space *s, qm_loaded *l, uint32_t field, int remote) {
  if (!l->feed) {
    l->feed = qm_arena_zero(&s->engine->records, sizeof *l->feed);
    if (!l->feed) return QM_ENOMEM;
    l->feed_visible = (uint8_t)qm_record_visible(&l->record);
    qm__space_list(s, l);
  }
  return put(s, l->feed, field, remote != 0, 1);
}

static int touch_ends(qm_space *s, qm_loaded *l, int remote) {
  const qm_cell *cell = qm_record_cell(&l->record, 0, QM_KEYED);
  const qm_keyed *k = cell ? qm_keyed_of(cell) : NULL;
  for (uint32_t i = 0; k && i < k->n; i++) {
    qm_loaded *other;
    qm_cur c;
    qm_id id;
    qm_cur_init(&c, k->p[i].value);
    /* An element that names no record joins nothing. */
    if (!qm_distinct_read(&l->record.id, k->p[i].value, &id) &&
        (qm_cur_bin_n(&c, id.b, sizeof id.b) != QM_OK || qm_id_is_zero(&id)))
      continue;
    QM_TRY(qm__space_record(s, &id, &other));
    QM_TRY(qm__feed_touch(s, other, 0, remote));
  }
  return QM_OK;
}

static int is_edge(const qm_op *op) {
  return op->field == 0 && op->shape == QM_KEYED && !qm_id_is_zero(&op->record);
}

int qm__feed_edge(qm_space *s, qm_loaded *l, const qm_op *op, int remote) {
  return is_on(s) && is_edge(op) ? touch_ends(s, l, remote) : QM_OK;
}

static int is_stamp(const qm_op *op) {
  return op->field == QM_SPACE_STAMPS && op->shape == QM_KEYED && qm_id_is_zero(&op->record);
}

int qm__feed_change(qm_space *s, const qm_change *c) {
  int remote = c->author != s->own;
  if (!is_on(s)) return QM_OK;
  for (uint32_t i = 0; i < c->n_ops; i++) {
    const qm_op *op = &c->ops[i];
    qm_loaded *l;
    QM_TRY(qm__space_outline(s, &op->record, &l));
    /* Which records a stamp shows otherwise is asked when it is known (qm__feed_stamps). */
    if (is_stamp(op)) {
      l->feed_stamps = 1;
      continue;
    }
    QM_TRY(qm__feed_touch(s, l, op->field, remote));
    QM_TRY(qm__feed_edge(s, l, op, remote));
  }
  return QM_OK;
}

/* --- at the end of the transaction --- */

static int merge_old(void *payload, const qm_feed_row *row) {
  qm_space *s = payload;
  qm_loaded *l;
  qm_feed_field f;
  qm_cur c;
  int more;
  QM_TRY(qm__space_outline(s, &row->record, &l));
  QM_TRY(qm_feed_open(&c, row->fields));
  for (;;) {
    QM_TRY(qm_feed_next(&c, row->seq, &f, &more));
    if (!more) return QM_OK;
    QM_TRY(put(s, l->feed, f.field, f.remote, f.seq));
  }
}

static void encode(const qm_feed_set *f, uint64_t seq, qm_buf *out) {
  for (uint32_t i = 0; i < f->n; i++) {
    qm_buf_varint(out, (uint64_t)f->p[i].field << 1 | f->p[i].remote);
    qm_buf_varint(out, seq - f->p[i].seq);
  }
}

/* What was touched in this transaction gets the seq that its entry will have. An edit that
 * brought a record back, or hid it, is more than an edit. */
static int stamp(qm_space *s, qm_loaded *l, uint64_t seq) {
  if (!l->feed) { /* not by ops: a state was joined */
    QM_TRY(qm__feed_touch(s, l, QM_FEED_ALL, 1));
  } else if (l->feed_visible != (uint8_t)qm_record_visible(&l->record)) {
    QM_TRY(put(s, l->feed, 0, l->feed->p[0].remote, 1));
  }
  for (uint32_t i = 0; i < l->feed->n; i++) l->feed->p[i].seq = seq;
  return QM_OK;
}

/* Ascending by id, so that equal transactions give equal feeds. */
static void sort(qm_loaded **p, uint32_t n) {
  for (uint32_t gap = n / 2; gap > 0; gap /= 2)
    for (uint32_t i = gap; i < n; i++) {
      qm_loaded *x = p[i];
      uint32_t k = i;
      for (; k >= gap && qm_id_cmp(&p[k - gap]->record.id, &x->record.id) > 0; k -= gap)
        p[k] = p[k - gap];
      p[k] = x;
    }
}

static int changed(const qm_loaded *l) {
  return l->feed || (l->dirty && !l->feed_same && !l->feed_stamps);
}

static int save_rows(qm_space *s, qm_loaded **loaded, uint32_t n, uint64_t last) {
  qm_engine *e = s->engine;
  qm_id *ids = qm_arena_array(&e->arena, n, sizeof *ids);
  qm_feed_row *rows = qm_arena_array(&e->arena, n, sizeof *rows);
  qm_buf b;
  size_t at = 0;
  if (!ids || !rows) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    ids[i] = loaded[i]->record.id;
    QM_TRY(stamp(s, loaded[i], last + 1 + i));
  }
  QM_TRY(e->store->ops->feed_load(e->store, s->number, ids, n, merge_old, s));
  qm_buf_init(&b, e->env, SIZE_MAX / 2);
  for (uint32_t i = 0; i < n; i++) {
    size_t from = b.n;
    encode(loaded[i]->feed, last + 1 + i, &b);
    rows[i] = (qm_feed_row){last + 1 + i, s->number, ids[i], qm_slice_of(NULL, b.n - from)};
  }
  int rc = qm_buf_status(&b);
  for (uint32_t i = 0; i < n && rc == QM_OK; i++) {
    rows[i].fields.p = b.p + at;
    at += rows[i].fields.n;
  }
  if (rc == QM_OK) rc = e->store->ops->feed_put(e->store, rows, n);
  qm_buf_free(&b);
  return rc;
}

int qm__feed_save(qm_space *s) {
  uint32_t n = 0;
  uint64_t last;
  if (!is_on(s)) return QM_OK;
  for (uint32_t i = 0; i < s->n_changed; i++) n += (uint32_t)changed(s->changed[i]);
  if (!n) return QM_OK;
  qm_loaded **loaded = qm_arena_array(&s->engine->arena, n, sizeof *loaded);
  if (!loaded) return QM_ENOMEM;
  n = 0;
  for (uint32_t i = 0; i < s->n_changed; i++)
    if (changed(s->changed[i])) loaded[n++] = s->changed[i];
  sort(loaded, n);
  QM_TRY(s->engine->store->ops->feed_last(s->engine->store, &last));
  return save_rows(s, loaded, n, last);
}

int qm__feed_space(qm_engine *e, uint32_t number) {
  qm_feed_row row = {.space = number};
  qm_feed_field all = {QM_FEED_ALL, 1, 0};
  qm_feed_set f = {&all, 1, 1};
  uint64_t last;
  qm_buf b;
  if (!(e->flags & QM_ENGINE_FEED)) return QM_OK;
  QM_TRY(e->store->ops->feed_last(e->store, &last));
  all.seq = row.seq = last + 1;
  qm_buf_init(&b, e->env, 64);
  encode(&f, row.seq, &b);
  row.fields = qm_buf_slice(&b);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = e->store->ops->feed_put(e->store, &row, 1);
  qm_buf_free(&b);
  return rc;
}
