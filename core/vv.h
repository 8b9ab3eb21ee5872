/* vv: the author table of a space and version vectors over it.
 *
 * Inside a space an author is a small number, its *local number*, given in order
 * of first sight and never reused. Local numbers never leave the replica: on the
 * wire, in digests and in hashes authors stand by full id. `rank` orders local
 * numbers as their ids order bytewise, so that dots compare without touching ids.
 *
 * A version vector maps author -> next counter, densely by local number. Each
 * author's changes arrive gap-free, so it says exactly which ops are covered. */
#ifndef QM_VV_H
#define QM_VV_H

#include "id.h"

#define QM_AUTHORS_MAX 65536u

typedef struct qm_dot {
  uint64_t counter;
  uint32_t author; /* local number */
} qm_dot;

/* The dots (author, counter) … (author, counter + len - 1). */
typedef struct qm_range {
  uint64_t counter;
  uint64_t len;
  uint32_t author;
} qm_range;

typedef struct qm_authors {
  const qm_env *env;
  qm_author *ids;   /* by local number */
  uint32_t *rank;   /* local number -> place in bytewise order of ids */
  uint32_t *sorted; /* place -> local number */
  uint32_t n, cap;
} qm_authors;

void qm_authors_init(qm_authors *t, const qm_env *env);
void qm_authors_free(qm_authors *t);
/* Finds; QM_ENOTFOUND leaves *number alone. Binary search over `sorted`. */
int qm_authors_find(const qm_authors *t, const qm_author *id, uint32_t *number);
/* Finds or adds at the end. QM_ENOMEM, QM_ELIMIT beyond QM_AUTHORS_MAX. */
int qm_authors_add(qm_authors *t, const qm_author *id, uint32_t *number);
/* Finds or adds n ids in one go, new ones in the order given; numbers[i] is that of ids[i].
 * Cost n log n, so that a list of strangers is no work. QM_EDUPKEY where an id stands
 * there twice, else as qm_authors_add; after an error the table is as it was. */
int qm_authors_add_all(qm_authors *t, const qm_author *ids, uint32_t n, uint32_t *numbers);
/* Forgets the authors added after the first n (rollback of a transaction). */
void qm_authors_truncate(qm_authors *t, uint32_t n);
/* Author bytewise, then counter: <0, 0, >0. */
int qm_dot_cmp(const qm_authors *t, qm_dot a, qm_dot b);
static inline int qm_dot_eq(qm_dot a, qm_dot b) {
  return a.author == b.author && a.counter == b.counter;
}

typedef struct qm_vv {
  uint64_t *next; /* by local number; authors at or beyond n stand at 0 */
  uint32_t n, cap;
} qm_vv;

/* Memory of a vv comes from the env given to each call. */
void qm_vv_free(const qm_env *env, qm_vv *v);
static inline uint64_t qm_vv_get(const qm_vv *v, uint32_t author) {
  return author < v->n ? v->next[author] : 0;
}
static inline int qm_vv_covers(const qm_vv *v, qm_dot d) {
  return d.counter < qm_vv_get(v, d.author);
}
/* Sets the entry, growing v. QM_ENOMEM. */
int qm_vv_set(const qm_env *env, qm_vv *v, uint32_t author, uint64_t next);
int qm_vv_copy(const qm_env *env, qm_vv *to, const qm_vv *from);
/* Pointwise maximum. */
int qm_vv_merge(const qm_env *env, qm_vv *into, const qm_vv *from);
/* 1 where a[i] >= b[i] for every author. */
int qm_vv_includes(const qm_vv *a, const qm_vv *b);
int qm_vv_equal(const qm_vv *a, const qm_vv *b);

#endif
