/* store_mem_impl: what the files of store_mem share. Included by store_mem*.c only.
 *
 * One ordered map holds everything; a key is [kind][space][rest], numbers big-endian,
 * so that bytewise order is the order the store's functions promise and a space's rows
 * of one kind are one range.
 *
 *   META        name                        -> value
 *   SPACE       space                       -> id ‖ blob
 *   AUTHOR      space, number               -> id ‖ next ‖ closed ‖ head ‖ time ‖ clock
 *   RECORD      space, id                   -> collection ‖ hash ‖ state
 *   MEMBER      space, collection, id       -> (what record_scan of one collection walks)
 *   CREATION    space, author, counter      -> record
 *   KEY         space, index, n, key, id    -> (n: length of key, so that it is matched whole)
 *   KEY_OF      space, index, id, key       ->
 *   LOG         space, seq                  -> count ‖ segments ‖ batch
 *   SEGMENT     space, author, next         -> seq
 *   SEGMENT_SEQ space, author, seq          ->
 *   LOG_LAST    space                       -> seq given last
 *   LOG_OF      space, record               -> seqs of the rows that are on it
 *   LOG_ANY     space, seq                  -> (rows of which that was not told)
 *   OPEN        space, counter              -> change
 *   STAGE       space                       -> manifest
 *   PART        space, part                 -> content
 *   ASIDE       space, name                 -> value
 *   LOCAL       space, name                 -> value
 *   FEED        seq                         -> space ‖ record ‖ fields
 *   FEED_OF     space, record               -> seq */
#ifndef QM_STORE_MEM_IMPL_H
#define QM_STORE_MEM_IMPL_H

#include <string.h>

#include "core/store.h"
#include "core/store_mem_map.h"

typedef enum kind {
  META = 1,
  SPACE,
  AUTHOR,
  RECORD,
  MEMBER,
  CREATION,
  KEY,
  KEY_OF,
  LOG,
  SEGMENT,
  SEGMENT_SEQ,
  LOG_LAST,
  LOG_OF,
  LOG_ANY,
  OPEN,
  STAGE,
  ASIDE,
  LOCAL,
  PART, /* the last of those that are a space's; what follows is not keyed by it first */
  FEED,
  FEED_OF
} kind;

typedef struct mem_store {
  qm_store base;
  qm__map map;
  int open;   /* a transaction is open */
  int failed; /* in which a write failed */
  qm_project project;
  void *project_payload;
  qm_buf value; /* scratch for a value on its way into the map */
} mem_store;

static inline mem_store *self(qm_store *s) { return (mem_store *)s; }

/* ---- keys ---- */

/* A key without parts of variable length. */
typedef struct key {
  uint8_t b[48];
  size_t n;
} key;

static inline void put_be(uint8_t *to, uint64_t v, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static inline uint64_t get_be(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
  return v;
}

static inline void key_u32(key *k, uint32_t v) {
  put_be(k->b + k->n, v, 4);
  k->n += 4;
}

static inline void key_u64(key *k, uint64_t v) {
  put_be(k->b + k->n, v, 8);
  k->n += 8;
}

static inline void key_id(key *k, const qm_id *id) {
  memcpy(k->b + k->n, id->b, sizeof id->b);
  k->n += sizeof id->b;
}

static inline key key_of(kind what, uint32_t space) {
  key k = {{(uint8_t)what}, 1};
  key_u32(&k, space);
  return k;
}

static inline key key_author(kind what, uint32_t space, uint32_t author, uint64_t rest) {
  key k = key_of(what, space);
  key_u32(&k, author);
  key_u64(&k, rest);
  return k;
}

static inline key key_record(uint32_t space, const qm_id *id) {
  key k = key_of(RECORD, space);
  key_id(&k, id);
  return k;
}

static inline key key_member(uint32_t space, uint32_t collection, const qm_id *id) {
  key k = key_of(MEMBER, space);
  key_u32(&k, collection);
  key_id(&k, id);
  return k;
}

static inline qm_slice key_slice(const key *k) { return qm_slice_of(k->b, k->n); }

/* Keys that are looked for together. */
typedef struct key_list {
  key keys[QM__MAP_TOGETHER];
  const qm__map_node *found[QM__MAP_TOGETHER];
} key_list;

/* Of `left` that are still to be looked for, how many go together. */
static inline size_t keys_together(size_t left) {
  return left < QM__MAP_TOGETHER ? left : QM__MAP_TOGETHER;
}

static inline void find_keys(mem_store *m, key_list *l, size_t n) {
  qm_slice keys[QM__MAP_TOGETHER];
  for (size_t i = 0; i < n; i++) keys[i] = key_slice(&l->keys[i]);
  qm__map_find_all(&m->map, keys, n, l->found);
}

static inline int has_prefix(qm_slice s, qm_slice prefix) {
  return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The part of n's key behind the prefix; 0 where n is NULL or lies outside it. */
static inline int within(const qm__map_node *n, qm_slice prefix, qm_slice *rest) {
  if (!n || !has_prefix(qm__map_key(n), prefix)) return 0;
  qm_slice k = qm__map_key(n);
  *rest = qm_slice_of(k.p + prefix.n, k.n - prefix.n);
  return 1;
}

/* ---- guards ---- */

static inline int reading(const mem_store *m) { return m->failed ? QM_ESTATE : QM_OK; }

static inline int writing(const mem_store *m) { return !m->open || m->failed ? QM_ESTATE : QM_OK; }

/* Every write ends here: one that failed half-way leaves only rollback. */
static inline int wrote(mem_store *m, int rc) {
  if (rc != QM_OK) m->failed = 1;
  return rc;
}

static inline int visited(int rc) { return rc == QM_STORE_STOP ? QM_OK : rc; }

static inline int put(mem_store *m, qm_slice k, qm_slice value) {
  return qm__map_put(&m->map, k, value);
}

/* What the scratch buffer holds becomes the value. */
static inline int put_value(mem_store *m, qm_slice k) {
  QM_TRY(qm_buf_status(&m->value));
  return put(m, k, qm_buf_slice(&m->value));
}

static inline int delete_prefix(mem_store *m, qm_slice prefix) {
  qm_slice rest;
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n))
    QM_TRY(qm__map_delete(&m->map, qm__map_key(n)));
  return QM_OK;
}

static inline int delete_kind(mem_store *m, kind what, uint32_t space) {
  key k = key_of(what, space);
  return delete_prefix(m, key_slice(&k));
}

/* ---- the functions of the other files, see store.h ---- */

int qm__mem_record_load(qm_store *s, uint32_t space, const qm_id *ids, size_t n,
                        qm_visit_record visit, void *payload);
int qm__mem_record_save(qm_store *s, uint32_t space, const qm_record_row *rows, size_t n);
int qm__mem_record_scan(qm_store *s, uint32_t space, uint32_t collection, const qm_id *after,
                        size_t limit, qm_visit_record visit, void *payload);
int qm__mem_record_count(qm_store *s, uint32_t space, uint32_t collection, uint64_t *out);
int qm__mem_creation_put(qm_store *s, uint32_t space, const qm_creation_row *rows, size_t n);
int qm__mem_creation_find(qm_store *s, uint32_t space, const qm_dot *dots, size_t n, qm_id *ids,
                          uint8_t *found);
int qm__mem_key_put(qm_store *s, uint32_t space, uint32_t index, const qm_id *record,
                    const qm_slice *keys, size_t n);
int qm__mem_key_find(qm_store *s, uint32_t space, uint32_t index, qm_slice name, qm_visit_id visit,
                     void *payload);
int qm__mem_log_append(qm_store *s, uint32_t space, const qm_log_row *row, uint64_t *seq);
int qm__mem_log_after(qm_store *s, uint32_t space, const qm_vv *vv, uint64_t after_seq,
                      qm_visit_log visit, void *payload);
int qm__mem_log_of(qm_store *s, uint32_t space, const qm_id *record, uint64_t after_seq,
                   qm_visit_log visit, void *payload);
int qm__mem_log_cut(qm_store *s, uint32_t space, const qm_vv *vv, qm_vv *gone);
int qm__mem_log_sizes(qm_store *s, uint32_t space, qm_visit_log visit, void *payload);
int qm__mem_log_replace(qm_store *s, uint32_t space, uint64_t seq, qm_slice batch);
int qm__mem_log_rewrite(qm_store *s, uint32_t space, const qm_log_row *row);
int qm__mem_log_repack(qm_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                       uint32_t n);
int qm__mem_open_append(qm_store *s, uint32_t space, const qm_open_row *row);
int qm__mem_open_list(qm_store *s, uint32_t space, qm_visit_open visit, void *payload);
int qm__mem_open_from(qm_store *s, uint32_t space, uint64_t from, qm_visit_open visit,
                      void *payload);
int qm__mem_open_clear(qm_store *s, uint32_t space);
int qm__mem_local_put(qm_store *s, uint32_t space, qm_slice name, qm_slice value);
int qm__mem_local_scan(qm_store *s, uint32_t space, qm_slice prefix, qm_slice after,
                       qm_visit_meta visit, void *payload);
int qm__mem_aside_put(qm_store *s, uint32_t space, qm_slice name, qm_slice value);
int qm__mem_aside_scan(qm_store *s, uint32_t space, qm_slice prefix, qm_visit_meta visit,
                       void *payload);
int qm__mem_feed_put(qm_store *s, const qm_feed_row *rows, size_t n);
int qm__mem_feed_load(qm_store *s, uint32_t space, const qm_id *ids, size_t n,
                      qm_visit_feed visit, void *payload);
int qm__mem_feed_after(qm_store *s, uint64_t after, size_t limit, qm_visit_feed visit,
                       void *payload);
int qm__mem_feed_last(qm_store *s, uint64_t *seq);
int qm__mem_feed_drop(mem_store *m, uint32_t space); /* for space_drop */
int qm__mem_stage_begin(qm_store *s, uint32_t space, qm_slice manifest);
int qm__mem_stage_part(qm_store *s, uint32_t space, uint32_t part, qm_slice content);
int qm__mem_stage_parts(qm_store *s, uint32_t space, uint32_t *next_part, qm_buf *manifest);
int qm__mem_stage_read(qm_store *s, uint32_t space, uint32_t part, qm_buf *content);
int qm__mem_stage_swap(qm_store *s, uint32_t space,
                       int (*visit)(void *payload, uint32_t part, qm_slice content), void *payload);
int qm__mem_stage_drop(qm_store *s, uint32_t space);

#endif
