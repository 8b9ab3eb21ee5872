/* store_mem_record.c: records, creation dots and lookup keys of the memory store. */
#include "core/store_mem_impl.h"

/* ---- records ---- */

#define RECORD_FIXED (4 + 16)

static void record_row(const qm__map_node *n, const qm_id *id, qm_record_row *row) {
  qm_slice v = qm__map_value(n);
  row->id = *id;
  row->collection = (uint32_t)get_be(v.p, 4);
  memcpy(row->hash, v.p + 4, sizeof row->hash);
  row->state = qm_slice_of(v.p + RECORD_FIXED, v.n - RECORD_FIXED);
}

static const qm__map_node *record_find(mem_store *m, uint32_t space, const qm_id *id) {
  key k = key_record(space, id);
  return qm__map_find(&m->map, key_slice(&k));
}

int qm__mem_record_load(qm_store *s, uint32_t space, const qm_id *ids, size_t n,
                        qm_visit_record visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  for (size_t from = 0, count; from < n; from += count) {
    key_list list;
    count = keys_together(n - from);
    for (size_t i = 0; i < count; i++) list.keys[i] = key_record(space, &ids[from + i]);
    find_keys(m, &list, count);
    for (size_t i = 0; i < count; i++) {
      qm_record_row row;
      if (!list.found[i]) continue;
      record_row(list.found[i], &ids[from + i], &row);
      int rc = visit(payload, &row);
      if (rc != QM_OK) return visited(rc);
    }
  }
  return QM_OK;
}

static int record_save_one(mem_store *m, uint32_t space, const qm_record_row *row) {
  if (m->project) QM_TRY(m->project(m->project_payload, space, row));
  const qm__map_node *old = record_find(m, space, &row->id);
  key k = key_record(space, &row->id);
  key member = key_member(space, row->collection, &row->id);
  if (old) {
    uint32_t collection = (uint32_t)get_be(qm__map_value(old).p, 4);
    key was = key_member(space, collection, &row->id);
    if (collection != row->collection || row->state.n == 0)
      QM_TRY(qm__map_delete(&m->map, key_slice(&was)));
    if (row->state.n == 0) return qm__map_delete(&m->map, key_slice(&k));
    if (collection != row->collection) QM_TRY(put(m, key_slice(&member), qm_slice_of(NULL, 0)));
  } else {
    if (row->state.n == 0) return QM_OK;
    QM_TRY(put(m, key_slice(&member), qm_slice_of(NULL, 0)));
  }
  qm_buf_clear(&m->value);
  qm_buf_be32(&m->value, row->collection);
  qm_buf_add(&m->value, row->hash, sizeof row->hash);
  qm_buf_add(&m->value, row->state.p, row->state.n);
  return put_value(m, key_slice(&k));
}

int qm__mem_record_save(qm_store *s, uint32_t space, const qm_record_row *rows, size_t n) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  for (size_t from = 0, count; from < n; from += count) {
    key_list list;
    count = keys_together(n - from);
    for (size_t i = 0; i < count; i++) list.keys[i] = key_record(space, &rows[from + i].id);
    find_keys(m, &list, count); /* so that each is at hand below */
    for (size_t i = 0; i < count; i++)
      QM_TRY(wrote(m, record_save_one(m, space, &rows[from + i])));
  }
  return QM_OK;
}

/* Of all collections it walks RECORD, of one MEMBER: both end in the record id. */
static key key_scan(uint32_t space, uint32_t collection) {
  key k = key_of(collection ? MEMBER : RECORD, space);
  if (collection) key_u32(&k, collection);
  return k;
}

int qm__mem_record_scan(qm_store *s, uint32_t space, uint32_t collection, const qm_id *after,
                        size_t limit, qm_visit_record visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key k = key_scan(space, collection), from = k;
  if (after) key_id(&from, after);
  qm_slice rest, prefix = key_slice(&k);
  const qm__map_node *n = qm__map_seek(&m->map, key_slice(&from));
  if (after && n && qm_slice_cmp(qm__map_key(n), key_slice(&from)) == 0) n = qm__map_next(n);
  for (; limit > 0 && within(n, prefix, &rest); n = qm__map_next(n), limit--) {
    qm_id id;
    qm_record_row row;
    memcpy(id.b, rest.p, sizeof id.b);
    const qm__map_node *node = collection ? record_find(m, space, &id) : n;
    if (!node) return QM_EINTERNAL;
    record_row(node, &id, &row);
    int rc = visit(payload, &row);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

int qm__mem_record_count(qm_store *s, uint32_t space, uint32_t collection, uint64_t *out) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key k = key_scan(space, collection);
  qm_slice rest, prefix = key_slice(&k);
  uint64_t count = 0;
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n))
    count++;
  *out = count;
  return QM_OK;
}

/* ---- creation dots and lookup keys ---- */

int qm__mem_creation_put(qm_store *s, uint32_t space, const qm_creation_row *rows, size_t n) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  for (size_t i = 0; i < n; i++) {
    key k = key_author(CREATION, space, rows[i].dot.author, rows[i].dot.counter);
    QM_TRY(wrote(m, put(m, key_slice(&k), qm_slice_of(rows[i].record.b, QM_ID_SIZE))));
  }
  return QM_OK;
}

int qm__mem_creation_find(qm_store *s, uint32_t space, const qm_dot *dots, size_t n, qm_id *ids,
                          uint8_t *found) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  for (size_t from = 0, count; from < n; from += count) {
    key_list list;
    count = keys_together(n - from);
    for (size_t i = 0; i < count; i++)
      list.keys[i] = key_author(CREATION, space, dots[from + i].author, dots[from + i].counter);
    find_keys(m, &list, count);
    for (size_t i = 0; i < count; i++) {
      found[from + i] = list.found[i] != NULL;
      if (list.found[i]) memcpy(ids[from + i].b, qm__map_value(list.found[i]).p, QM_ID_SIZE);
    }
  }
  return QM_OK;
}

/* [KEY][space][index][length][key], to be followed by a record id. */
static int lookup_key(mem_store *m, uint32_t space, uint32_t index, qm_slice name, qm_buf *k) {
  qm_buf_init(k, m->base.env, SIZE_MAX);
  qm_buf_byte(k, KEY);
  qm_buf_be32(k, space);
  qm_buf_be32(k, index);
  qm_buf_be64(k, name.n);
  qm_buf_add(k, name.p, name.n);
  return qm_buf_status(k);
}

static int key_change(mem_store *m, uint32_t space, uint32_t index, const qm_id *record,
                      qm_slice name, int add) {
  key head = key_of(KEY_OF, space);
  key_u32(&head, index);
  key_id(&head, record);
  qm_buf by_key, by_record;
  int rc = lookup_key(m, space, index, name, &by_key);
  qm_buf_add(&by_key, record->b, QM_ID_SIZE);
  if (rc == QM_OK) rc = qm_buf_status(&by_key);
  qm_buf_init(&by_record, m->base.env, SIZE_MAX);
  qm_buf_add(&by_record, head.b, head.n);
  qm_buf_add(&by_record, name.p, name.n);
  if (rc == QM_OK) rc = qm_buf_status(&by_record);
  for (int i = 0; i < 2 && rc == QM_OK; i++) {
    qm_slice k = qm_buf_slice(i ? &by_record : &by_key);
    rc = add ? put(m, k, qm_slice_of(NULL, 0)) : qm__map_delete(&m->map, k);
  }
  qm_buf_free(&by_key);
  qm_buf_free(&by_record);
  return rc;
}

int qm__mem_key_put(qm_store *s, uint32_t space, uint32_t index, const qm_id *record,
                    const qm_slice *keys, size_t n) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  key k = key_of(KEY_OF, space);
  key_u32(&k, index);
  key_id(&k, record);
  qm_slice rest, prefix = key_slice(&k);
  for (const qm__map_node *node = qm__map_seek(&m->map, prefix); within(node, prefix, &rest);
       node = qm__map_next(node))
    QM_TRY(wrote(m, key_change(m, space, index, record, rest, 0)));
  for (size_t i = 0; i < n; i++) QM_TRY(wrote(m, key_change(m, space, index, record, keys[i], 1)));
  return QM_OK;
}

int qm__mem_key_find(qm_store *s, uint32_t space, uint32_t index, qm_slice name, qm_visit_id visit,
                     void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  qm_buf k;
  int rc = lookup_key(m, space, index, name, &k);
  qm_slice rest;
  for (const qm__map_node *n = qm__map_seek(&m->map, qm_buf_slice(&k));
       rc == QM_OK && within(n, qm_buf_slice(&k), &rest); n = qm__map_next(n)) {
    qm_id id;
    memcpy(id.b, rest.p, sizeof id.b);
    rc = visit(payload, &id);
  }
  qm_buf_free(&k);
  return visited(rc);
}
