/* store_mem_map: the ordered map under store_mem. Bytewise keys to byte values, with
 * a journal that takes a transaction back.
 *
 * The first byte of a key is its kind, below QM__MAP_KINDS; keys are ordered within a kind
 * only. A kind is a skip list whose heights come from the map's own fixed generator, so that a
 * run repeats. What is new stands beside it, and gets its place once somebody asks for the
 * kind's order: together with all that came meanwhile, or never. A hash table beside it
 * answers what is asked for by its whole key. While a
 * transaction is open, nothing that was there when it began is freed: a node or value
 * handed out stays readable until commit or rollback, also after it was replaced or
 * deleted; walking on from a deleted node gives what followed it then.
 *
 * Single-threaded. Errors: QM_ENOMEM leaves the map as it was. */
#ifndef QM_STORE_MEM_MAP_H
#define QM_STORE_MEM_MAP_H

#include "core/mem.h"

#define QM__MAP_LEVELS 16
#define QM__MAP_KINDS 32
#define QM__MAP_TOGETHER 32u

typedef struct qm__map_node qm__map_node;
typedef struct qm__map_undo qm__map_undo;

typedef struct qm__map_kind {
  qm__map_node *head[QM__MAP_LEVELS];
  qm__map_node *fresh; /* those without a place, the last first, by next[0] */
} qm__map_kind;

typedef struct qm__map {
  const qm_env *env;
  qm__map_kind kinds[QM__MAP_KINDS];
  uint64_t seed;
  qm__map_node **buckets; /* a power of two of them, or NULL */
  size_t n_buckets, n_nodes;
  qm__map_undo *undo; /* what was done since begin, in order */
  size_t n_undo, cap_undo;
  int recording;
} qm__map;

void qm__map_init(qm__map *m, const qm_env *env);
void qm__map_free(qm__map *m);

/* Between begin and commit or rollback every put and delete can be taken back. */
void qm__map_begin(qm__map *m);
void qm__map_commit(qm__map *m);
void qm__map_rollback(qm__map *m);

/* Copies both. Inserts or replaces. Only while recording. */
int qm__map_put(qm__map *m, qm_slice key, qm_slice value);
/* Copies the bytes behind the value of the key (absent: an empty one). Costs by n alone. */
int qm__map_append(qm__map *m, qm_slice key, qm_slice bytes);
/* Only while recording. An absent key is no error. */
int qm__map_delete(qm__map *m, qm_slice key);

/* NULL where there is none (of that kind). next: of what seek, before or next gave. */
const qm__map_node *qm__map_find(qm__map *m, qm_slice key);
/* The same of n keys, QM__MAP_TOGETHER at most: what one looks at is fetched while the others
 * are looked for, as are the first bytes of the values. */
void qm__map_find_all(qm__map *m, const qm_slice *keys, size_t n, const qm__map_node **found);
const qm__map_node *qm__map_seek(qm__map *m, qm_slice key);   /* first >= key */
const qm__map_node *qm__map_before(qm__map *m, qm_slice key); /* last < key */
const qm__map_node *qm__map_next(const qm__map_node *n);
qm_slice qm__map_key(const qm__map_node *n);
qm_slice qm__map_value(const qm__map_node *n);

#endif
