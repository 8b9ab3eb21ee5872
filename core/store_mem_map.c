/* store_mem_map.c: see store_mem_map.h. */
#include "core/store_mem_map.h"

#include <string.h>

#include "core/prefetch.h"
#include "core/wide.h"

/* Bytes that an appended value has room for at first: it will grow. */
#define APPEND_FIRST 32u

struct qm__map_node {
  uint8_t *key, *value; /* key: right behind the links, in the node's own memory */
  size_t value_n, value_cap;
  uint32_t key_n, hash;
  uint8_t height, fresh; /* fresh: it has no place yet, next[0] is the one before it */
  qm__map_node *chain; /* of its bucket */
  qm__map_node *next[]; /* height of them */
};

typedef enum undo_what { UNDO_INSERT, UNDO_REPLACE, UNDO_APPEND, UNDO_DELETE } undo_what;

struct qm__map_undo {
  qm__map_node *node;
  uint8_t *value; /* UNDO_REPLACE: the value before */
  size_t value_n, value_cap;
  undo_what what;
};

void qm__map_init(qm__map *m, const qm_env *env) {
  memset(m, 0, sizeof *m);
  m->env = env;
  m->seed = UINT64_C(0x9e3779b97f4a7c15);
}

/* --- by whole key --- */

/* Multiplies and folds, eight bytes at a time. Where the map lies is not known to who chooses
 * the keys, and no order comes from it. */
static uint32_t hash_of(const qm__map *m, qm_slice key) {
  uint64_t h = (uint64_t)(uintptr_t)m ^ UINT64_C(0x9e3779b97f4a7c15);
  for (size_t i = 0; i < key.n; i += 8) {
    uint64_t v = key.n;
    memcpy(&v, key.p + i, key.n - i < 8 ? key.n - i : 8);
    qm_wide x = qm_wide_mul(h ^ v, UINT64_C(0xbf58476d1ce4e5b9));
    h = x.lo ^ x.hi ^ key.n;
  }
  return (uint32_t)(h ^ h >> 32);
}

static qm__map_node **bucket_of(qm__map *m, uint32_t hash) {
  return &m->buckets[hash & (m->n_buckets - 1)];
}

static qm__map_node *hash_find(qm__map *m, qm_slice key, uint32_t hash) {
  qm__map_node *n = m->n_buckets ? *bucket_of(m, hash) : NULL;
  while (n && (n->hash != hash || n->key_n != key.n || memcmp(n->key, key.p, key.n) != 0))
    n = n->chain;
  return n;
}

static void hash_link(qm__map *m, qm__map_node *n) {
  qm__map_node **bucket = bucket_of(m, n->hash);
  n->chain = *bucket;
  *bucket = n;
  m->n_nodes++;
}

static void hash_unlink(qm__map *m, qm__map_node *n) {
  qm__map_node **at = bucket_of(m, n->hash);
  while (*at != n) at = &(*at)->chain;
  *at = n->chain;
  m->n_nodes--;
}

/* Room for one more node. Half of the buckets stay empty: who looks at another's node first has
 * to fetch it. */
static int hash_reserve(qm__map *m) {
  if (m->n_nodes < m->n_buckets / 2) return QM_OK;
  size_t n = m->n_buckets ? m->n_buckets * 2 : 64;
  if (n > SIZE_MAX / sizeof *m->buckets) return QM_ENOMEM;
  qm__map_node **p = qm_alloc_zero(m->env, n * sizeof *p), **old = m->buckets;
  size_t old_n = m->n_buckets;
  if (!p) return QM_ENOMEM;
  m->buckets = p;
  m->n_buckets = n;
  m->n_nodes = 0;
  for (size_t i = 0; i < old_n; i++)
    for (qm__map_node *at = old[i], *next; at; at = next) {
      next = at->chain;
      hash_link(m, at);
    }
  qm_free(m->env, old);
  return QM_OK;
}

static void node_free(qm__map *m, qm__map_node *n) {
  qm_free(m->env, n->value);
  qm_free(m->env, n);
}

static void list_free(qm__map *m, qm__map_node *n) {
  while (n) {
    qm__map_node *next = n->next[0];
    node_free(m, n);
    n = next;
  }
}

void qm__map_free(qm__map *m) {
  qm__map_rollback(m);
  for (size_t i = 0; i < QM__MAP_KINDS; i++) {
    list_free(m, m->kinds[i].head[0]);
    list_free(m, m->kinds[i].fresh);
  }
  qm_free(m->env, m->undo);
  qm_free(m->env, m->buckets);
  qm__map_init(m, m->env);
}

qm_slice qm__map_key(const qm__map_node *n) { return qm_slice_of(n->key, n->key_n); }

qm_slice qm__map_value(const qm__map_node *n) { return qm_slice_of(n->value, n->value_n); }

const qm__map_node *qm__map_next(const qm__map_node *n) { return n->next[0]; }

/* Descends to the place of key. links[i] is the link of level i that points at the
 * first node >= key; *before (may be NULL) the last node < key. */
static qm__map_node *descend(qm__map_kind *kind, qm_slice key, qm__map_node **links[],
                             qm__map_node **before) {
  qm__map_node *at = NULL;
  qm__map_node *next = NULL;
  for (int i = QM__MAP_LEVELS - 1; i >= 0; i--) {
    for (;;) {
      next = at ? at->next[i] : kind->head[i];
      if (!next || qm_slice_cmp(qm__map_key(next), key) >= 0) break;
      at = next;
    }
    if (links) links[i] = at ? &at->next[i] : &kind->head[i];
  }
  if (before) *before = at;
  return next;
}

static void node_link(qm__map_node *n, qm__map_node **links[]) {
  for (uint32_t i = 0; i < n->height; i++) {
    n->next[i] = *links[i];
    *links[i] = n;
  }
}

/* The node keeps its own links, for a walk that stands on it. */
static void node_unlink(qm__map_node *n, qm__map_node **links[]) {
  for (uint32_t i = 0; i < n->height; i++) *links[i] = n->next[i];
}

/* ---- what is new gets its place ---- */

static qm__map_node *merge(qm__map_node *a, qm__map_node *b) {
  qm__map_node *first = NULL, **end = &first;
  while (a && b) {
    qm__map_node **least = qm_slice_cmp(qm__map_key(a), qm__map_key(b)) < 0 ? &a : &b;
    *end = *least;
    end = &(*least)->next[0];
    *least = *end;
  }
  *end = a ? a : b;
  return first;
}

/* Sorted first: neighbours in the list are found while they are at hand. Runs of 2^i nodes
 * stand in runs[i], so nothing is allocated. */
static qm__map_node *sorted(qm__map_node *n) {
  qm__map_node *runs[48] = {NULL}, *all = NULL;
  while (n) {
    qm__map_node *run = n;
    size_t i = 0;
    n = n->next[0];
    run->next[0] = NULL;
    for (; runs[i]; i++) {
      run = merge(runs[i], run);
      runs[i] = NULL;
    }
    runs[i] = run;
  }
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) all = merge(runs[i], all);
  return all;
}

static qm__map_kind *kind_of(qm__map *m, qm_slice key) {
  return &m->kinds[key.n ? key.p[0] % QM__MAP_KINDS : 0]; /* none begins with 0 */
}

static qm__map_node **link_after(qm__map_kind *kind, qm__map_node *n, int level) {
  return n ? &n->next[level] : &kind->head[level];
}

static int stands_before(const qm__map_node *a, const qm__map_node *b) {
  return a && qm_slice_cmp(qm__map_key(a), qm__map_key(b)) < 0;
}

/* Nodes come by key, so each begins where the one before came to stand: before[i] is the last
 * node of level i that is less than that. Up as far as the next one is less too, then down. */
static void place_on(qm__map_kind *kind, qm__map_node *before[], qm__map_node *n) {
  int i = 0, moved = 0;
  while (i < QM__MAP_LEVELS - 1 && stands_before(*link_after(kind, before[i], i), n)) i++;
  for (qm__map_node *at = NULL; i >= 0; i--) {
    if (!moved) at = before[i];
    for (qm__map_node *x; stands_before(x = *link_after(kind, at, i), n); at = x) moved = 1;
    before[i] = at;
  }
  for (int k = 0; k < n->height; k++) {
    qm__map_node **link = link_after(kind, before[k], k);
    n->next[k] = *link;
    *link = before[k] = n;
  }
}

/* The kind of the key, all of it in its place. */
static qm__map_kind *settled(qm__map *m, qm_slice key) {
  qm__map_kind *kind = kind_of(m, key);
  qm__map_node *n = kind->fresh, *before[QM__MAP_LEVELS] = {NULL};
  kind->fresh = NULL;
  if (n && n->next[0]) n = sorted(n);
  while (n) {
    qm__map_node *next = n->next[0];
    place_on(kind, before, n);
    n->fresh = 0;
    n = next;
  }
  return kind;
}

const qm__map_node *qm__map_seek(qm__map *m, qm_slice key) {
  return descend(settled(m, key), key, NULL, NULL);
}

const qm__map_node *qm__map_find(qm__map *m, qm_slice key) {
  return hash_find(m, key, hash_of(m, key));
}

void qm__map_find_all(qm__map *m, const qm_slice *keys, size_t n, const qm__map_node **found) {
  uint32_t hash[QM__MAP_TOGETHER];
  for (size_t i = 0; i < n; i++) {
    hash[i] = hash_of(m, keys[i]);
    if (m->n_buckets) qm_prefetch(bucket_of(m, hash[i]));
  }
  for (size_t i = 0; i < n; i++) {
    const qm__map_node *first = m->n_buckets ? *bucket_of(m, hash[i]) : NULL;
    if (first) qm_prefetch_bytes(first, sizeof *first + sizeof *first->next + keys[i].n);
  }
  for (size_t i = 0; i < n; i++) {
    found[i] = hash_find(m, keys[i], hash[i]);
    if (found[i]) qm_prefetch_bytes(found[i]->value, found[i]->value_n);
  }
}

const qm__map_node *qm__map_before(qm__map *m, qm_slice key) {
  qm__map_node *before;
  descend(settled(m, key), key, NULL, &before);
  return before;
}

/* One more level with probability 1/4 each (xorshift64). */
static uint32_t next_height(qm__map *m) {
  uint64_t x = m->seed;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  m->seed = x;
  uint32_t height = 1;
  while (height < QM__MAP_LEVELS && (x & 3) == 0) {
    height++;
    x >>= 2;
  }
  return height;
}

static qm__map_node *node_make(qm__map *m, qm_slice key, uint32_t hash) {
  uint32_t height = next_height(m);
  size_t head = sizeof(qm__map_node) + height * sizeof(qm__map_node *);
  if (key.n > UINT32_MAX || key.n > SIZE_MAX - head) return NULL;
  qm__map_node *n = qm_alloc(m->env, head + key.n);
  if (!n) return NULL;
  n->key = (uint8_t *)n + head;
  n->key_n = (uint32_t)key.n;
  n->value = NULL;
  n->value_n = n->value_cap = 0;
  n->height = (uint8_t)height;
  n->fresh = 1;
  n->hash = hash;
  if (key.n) memcpy(n->key, key.p, key.n);
  return n;
}

static int undo_reserve(qm__map *m) {
  if (m->n_undo < m->cap_undo) return QM_OK;
  size_t cap = m->cap_undo ? m->cap_undo * 2 : 64;
  qm__map_undo *p = qm_realloc_array(m->env, m->undo, cap, sizeof *p);
  if (!p) return QM_ENOMEM;
  m->undo = p;
  m->cap_undo = cap;
  return QM_OK;
}

static void undo_note(qm__map *m, undo_what what, qm__map_node *n) {
  m->undo[m->n_undo++] = (qm__map_undo){n, n->value, n->value_n, n->value_cap, what};
}

void qm__map_begin(qm__map *m) { m->recording = 1; }

void qm__map_commit(qm__map *m) {
  for (size_t i = 0; i < m->n_undo; i++) {
    qm__map_undo *u = &m->undo[i];
    if (u->what == UNDO_REPLACE) qm_free(m->env, u->value);
    if (u->what == UNDO_DELETE) node_free(m, u->node);
  }
  m->n_undo = 0;
  m->recording = 0;
}

/* What was put last is fresh and the last of its kind, or has got its place. */
static void undo_insert(qm__map *m, qm__map_node *n) {
  qm__map_node **links[QM__MAP_LEVELS];
  qm__map_kind *kind = kind_of(m, qm__map_key(n));
  if (n->fresh) {
    kind->fresh = n->next[0];
  } else {
    descend(kind, qm__map_key(n), links, NULL);
    node_unlink(n, links);
  }
  hash_unlink(m, n);
  node_free(m, n);
}

static void undo_delete(qm__map *m, qm__map_node *n) {
  qm__map_node **links[QM__MAP_LEVELS];
  descend(settled(m, qm__map_key(n)), qm__map_key(n), links, NULL);
  node_link(n, links);
  hash_link(m, n);
}

void qm__map_rollback(qm__map *m) {
  while (m->n_undo > 0) {
    qm__map_undo *u = &m->undo[--m->n_undo];
    if (u->what == UNDO_INSERT) {
      undo_insert(m, u->node);
    } else if (u->what == UNDO_DELETE) {
      undo_delete(m, u->node);
    } else {
      if (u->what == UNDO_REPLACE) qm_free(m->env, u->node->value);
      u->node->value = u->value;
      u->node->value_n = u->value_n;
      u->node->value_cap = u->value_cap;
    }
  }
  m->recording = 0;
}

/* The node of the key, made where it was not there; noted for undo. */
static qm__map_node *node_open(qm__map *m, qm_slice key) {
  uint32_t hash = hash_of(m, key);
  qm__map_node *n = hash_find(m, key, hash);
  if (n) {
    undo_note(m, UNDO_REPLACE, n);
    return n;
  }
  n = hash_reserve(m) == QM_OK ? node_make(m, key, hash) : NULL;
  if (!n) return NULL;
  qm__map_kind *kind = kind_of(m, key);
  n->next[0] = kind->fresh;
  kind->fresh = n;
  hash_link(m, n);
  undo_note(m, UNDO_INSERT, n);
  return n;
}

int qm__map_put(qm__map *m, qm_slice key, qm_slice value) {
  if (!m->recording) return QM_ESTATE;
  QM_TRY(undo_reserve(m));
  uint8_t *copy = NULL;
  if (value.n) {
    copy = qm_alloc(m->env, value.n);
    if (!copy) return QM_ENOMEM;
    memcpy(copy, value.p, value.n);
  }
  qm__map_node *n = node_open(m, key);
  if (!n) {
    qm_free(m->env, copy);
    return QM_ENOMEM;
  }
  n->value = copy;
  n->value_n = n->value_cap = value.n;
  return QM_OK;
}

static int append_in_place(qm__map *m, qm_slice bytes, qm__map_node *n) {
  undo_note(m, UNDO_APPEND, n);
  memcpy(n->value + n->value_n, bytes.p, bytes.n);
  n->value_n += bytes.n;
  return QM_OK;
}

int qm__map_append(qm__map *m, qm_slice key, qm_slice bytes) {
  if (!m->recording) return QM_ESTATE;
  QM_TRY(undo_reserve(m));
  qm__map_node *n = hash_find(m, key, hash_of(m, key));
  size_t held = n ? n->value_n : 0;
  if (!bytes.n && n) return QM_OK;
  if (n && bytes.n <= n->value_cap - held) return append_in_place(m, bytes, n);
  if (bytes.n > SIZE_MAX / 2 - held) return QM_ENOMEM;
  size_t cap = held ? 2 * (held + bytes.n) : bytes.n < APPEND_FIRST ? APPEND_FIRST : bytes.n;
  uint8_t *copy = cap ? qm_alloc(m->env, cap) : NULL;
  if (cap && !copy) return QM_ENOMEM;
  if (held) memcpy(copy, n->value, held);
  if (bytes.n) memcpy(copy + held, bytes.p, bytes.n);
  n = node_open(m, key);
  if (!n) {
    qm_free(m->env, copy);
    return QM_ENOMEM;
  }
  n->value = copy;
  n->value_n = held + bytes.n;
  n->value_cap = cap;
  return QM_OK;
}

int qm__map_delete(qm__map *m, qm_slice key) {
  if (!m->recording) return QM_ESTATE;
  QM_TRY(undo_reserve(m));
  qm__map_node **links[QM__MAP_LEVELS];
  qm__map_node *n = hash_find(m, key, hash_of(m, key));
  if (!n) return QM_OK;
  descend(settled(m, key), key, links, NULL);
  node_unlink(n, links);
  hash_unlink(m, n);
  undo_note(m, UNDO_DELETE, n);
  return QM_OK;
}
