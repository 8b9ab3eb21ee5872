/* alike: which records are likely one thing, by the rules that a collection's schema names
 * (SPEC S16.13, S16.14).
 *
 * Of each record its *features* are kept: of every condition of every rule the values of that
 * field, in the form in which they are compared. Two records with whom all conditions of a
 * rule hold share at least one *key* of that rule, so pairs are found by keys (blocking;
 * Fellegi and Sunter, "A theory for record linkage", JASA 64, 1969) and never by looking at
 * all pairs: a key is made of one value for each condition that is not `similar`; a place
 * counts in two by two cells, a time in two windows, so that neighbours share one.
 *
 * Keys and features are of one schema; nothing of them travels. */
#ifndef QM_ALIKE_H
#define QM_ALIKE_H

#include "read.h"

#define QM_ALIKE_VALUES 4u /* of one field: the shown one first; further ones do not count */
#define QM_ALIKE_KEYS (1u << 12) /* of one record: 16 rules of 4 * 4 * 4 * 4 */

typedef struct qm_alike_value {
  qm_slice text;  /* same: the value's bytes; text, phone, address, similar: the form */
  int64_t n[3];   /* near: latitude, longitude (1e-7 degrees), datum; within: ms, 0, 0 */
} qm_alike_value;

typedef struct qm_alike_list {
  qm_alike_value v[QM_ALIKE_VALUES];
  uint32_t n;
} qm_alike_list;

/* A list for each condition, rule after rule. */
typedef struct qm_alike {
  qm_alike_list *lists;
  uint32_t n;
} qm_alike;

/* Features of a record as `view` shows it (qm_class_view): of siblings the shown one and what
 * is listed beside it, of a set its elements. Sealed and erased values have none. In the arena;
 * QM_ENOMEM. */
int qm_alike_read(const qm_space *s, const qm_collection_def *c, const qm_record *view,
                  qm_arena *arena, qm_alike *out);
/* 1 where no rule can hold of the record. */
int qm_alike_empty(const qm_collection_def *c, const qm_alike *a);
/* As bytes, and back (borrows `in`). QM_ECORRUPT: not of these rules. Errors of encoding stick
 * in out. */
void qm_alike_encode(const qm_collection_def *c, const qm_alike *a, qm_buf *out);
int qm_alike_decode(const qm_collection_def *c, qm_slice in, qm_arena *arena, qm_alike *out);

/* Keys, ascending, each once: below 2^63, the rule's place in bits 58 to 62. In the arena. */
int qm_alike_keys(const qm_collection_def *c, const qm_alike *a, qm_arena *arena, uint64_t **out,
                  uint32_t *n);
static inline uint32_t qm_alike_key_rule(uint64_t key) { return (uint32_t)(key >> 58); }

/* How one rule held. */
typedef struct qm_alike_reason {
  uint32_t rule; /* its place */
  uint32_t score;
  uint32_t measure[QM_SCHEMA_CONDITIONS_MAX]; /* similar: per cent; near: metres; within: hours */
} qm_alike_reason;

typedef struct qm_alike_match {
  uint32_t score; /* 0: no rule holds; at most 100 */
  qm_alike_reason reasons[QM_SCHEMA_RULES_MAX];
  uint32_t n;
} qm_alike_match;

/* Compares two records by the rules whose bits stand in `rules`. A rule holds where each of
 * its conditions holds of some pair of values; its score is its weight, less by what its
 * similar values lack. Rules that hold are taken as evidence that does not depend on each
 * other: score = 1 - product of (1 - each). Symmetric. */
void qm_alike_compare(const qm_collection_def *c, const qm_alike *a, const qm_alike *b,
                      uint32_t rules, qm_alike_match *out);

/* --- for tests --- */

/* The square of the distance of two points in metres (a flat map around them; good to 1 % for
 * some km, below 85 degrees). */
double qm__alike_metres2(const int64_t a[3], const int64_t b[3]);

#endif
