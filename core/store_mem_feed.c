/* store_mem_feed.c: the feed of the memory store. */
#include "core/store_mem_impl.h"

#define FEED_FIXED (4 + QM_ID_SIZE)

static key key_feed(uint64_t seq) {
  key k = {{FEED}, 1};
  key_u64(&k, seq);
  return k;
}

static key key_feed_of(uint32_t space, const qm_id *record) {
  key k = key_of(FEED_OF, space);
  key_id(&k, record);
  return k;
}

/* The seq given last stands under space 0, which no space has. */
static key key_last(void) { return key_of(FEED_OF, 0); }

int qm__mem_feed_last(qm_store *s, uint64_t *seq) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key k = key_last();
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  *seq = n ? get_be(qm__map_value(n).p, 8) : 0;
  return QM_OK;
}

static int put_last(mem_store *m, uint64_t seq) {
  key k = key_last();
  qm_buf_clear(&m->value);
  qm_buf_be64(&m->value, seq);
  return put_value(m, key_slice(&k));
}

static int take_old(mem_store *m, uint32_t space, const qm_id *record) {
  key of = key_feed_of(space, record);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&of));
  if (!n) return QM_OK;
  key old = key_feed(get_be(qm__map_value(n).p, 8));
  return qm__map_delete(&m->map, key_slice(&old));
}

static int put_one(mem_store *m, const qm_feed_row *row) {
  key k = key_feed(row->seq), of = key_feed_of(row->space, &row->record);
  QM_TRY(take_old(m, row->space, &row->record));
  qm_buf_clear(&m->value);
  qm_buf_be64(&m->value, row->seq);
  QM_TRY(put_value(m, key_slice(&of)));
  qm_buf_clear(&m->value);
  qm_buf_be32(&m->value, row->space);
  qm_buf_add(&m->value, row->record.b, QM_ID_SIZE);
  qm_buf_add(&m->value, row->fields.p, row->fields.n);
  QM_TRY(put_value(m, key_slice(&k)));
  return put_last(m, row->seq);
}

int qm__mem_feed_put(qm_store *s, const qm_feed_row *rows, size_t n) {
  mem_store *m = self(s);
  uint64_t last;
  QM_TRY(writing(m));
  QM_TRY(qm__mem_feed_last(s, &last));
  for (size_t i = 0; i < n; i++) {
    if (rows[i].seq <= last || rows[i].seq > INT64_MAX) return QM_EINVAL;
    last = rows[i].seq;
  }
  for (size_t i = 0; i < n; i++) QM_TRY(wrote(m, put_one(m, &rows[i])));
  return QM_OK;
}

static void feed_row(const qm__map_node *n, qm_feed_row *row) {
  qm_slice k = qm__map_key(n), v = qm__map_value(n);
  row->seq = get_be(k.p + 1, 8);
  row->space = (uint32_t)get_be(v.p, 4);
  memcpy(row->record.b, v.p + 4, QM_ID_SIZE);
  row->fields = qm_slice_of(v.p + FEED_FIXED, v.n - FEED_FIXED);
}

int qm__mem_feed_load(qm_store *s, uint32_t space, const qm_id *ids, size_t n,
                      qm_visit_feed visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  for (size_t i = 0; i < n; i++) {
    key of = key_feed_of(space, &ids[i]);
    const qm__map_node *node = qm__map_find(&m->map, key_slice(&of));
    if (!node) continue;
    key k = key_feed(get_be(qm__map_value(node).p, 8));
    node = qm__map_find(&m->map, key_slice(&k));
    if (!node) return QM_EINTERNAL;
    qm_feed_row row;
    feed_row(node, &row);
    int rc = visit(payload, &row);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

int qm__mem_feed_after(qm_store *s, uint64_t after, size_t limit, qm_visit_feed visit,
                       void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  if (after > INT64_MAX) return QM_OK;
  key k = key_feed(after + 1);
  uint8_t what = FEED;
  qm_slice rest, prefix = qm_slice_of(&what, 1);
  const qm__map_node *n = qm__map_seek(&m->map, key_slice(&k));
  for (; limit > 0 && within(n, prefix, &rest); n = qm__map_next(n), limit--) {
    qm_feed_row row;
    feed_row(n, &row);
    int rc = visit(payload, &row);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

int qm__mem_feed_drop(mem_store *m, uint32_t space) {
  qm_feed_row row = {.space = space};
  key k = key_of(FEED_OF, space);
  qm_slice rest, prefix = key_slice(&k);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    key old = key_feed(get_be(qm__map_value(n).p, 8));
    QM_TRY(qm__map_delete(&m->map, key_slice(&old)));
  }
  QM_TRY(delete_prefix(m, prefix));
  QM_TRY(qm__mem_feed_last(&m->base, &row.seq));
  row.seq++;
  return put_one(m, &row);
}
