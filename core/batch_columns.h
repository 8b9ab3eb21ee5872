/* batch_columns: private to the batch codec. What encoder and decoder agree on
 * (SPEC §5): the order of columns, codes, and the bases that counters are written
 * against. Both keep the same bases and move them at the same moments. */
#ifndef QM_BATCH_COLUMNS_H
#define QM_BATCH_COLUMNS_H

#include "core/batch.h"
#include "core/pack.h"
#include "core/row.h"

#define QM__BATCH_OLD 1 /* versions; 0x80 and above are kept for a single change (S5.1) */
#define QM__BATCH_VERSION 2
/* Container flags. */
enum { QM__BATCH_ZSTD = 1, QM__BATCH_WORDS = 2 };
#define QM__TIME_LOW 2u /* bytes of a time that stand in the front (S5.8) */
#define QM__OLD_MORE 3u /* bytes at most that version 1 takes more for a change (S5.2) */

/* Flags of a segment head (S5.4); the algorithm stands in the four high bits. */
enum { QM__HEAD_FOLLOWS = 1, QM__HEAD_SIGNED = 2, QM__HEAD_FLAGS = 3 };

/* Columns before the value columns, in order (S5.6). Version 2 has no QM__CHANGES. */
typedef enum qm__column {
  QM__FORMS, QM__CHANGES, QM__TIMES, QM__DEPS, QM__OPS, QM__RECORDS, QM__CREATIONS,
  QM__PARENTS, QM__LISTS, QM__EXTRAS, QM__COLUMNS
} qm__column;

/* A form (S5.7): shape | kind << 3 | differs << 5 | flagged << 6, then the flags
 * byte where flagged, then the field. */
enum {
  QM__FORM_DIFFERS = 1 << 5, QM__FORM_FLAGGED = 1 << 6,
  /* flags byte: QM_OP_LISTED … QM_OP_ORDER as they are, and */
  QM__FORM_GENERATION = 32,
  QM__FORM_OP_FLAGS = QM_OP_LISTED | QM_OP_MARKS | QM_OP_NAMES | QM_OP_ERASED | QM_OP_ORDER,
  QM__FORM_FLAGS = QM__FORM_OP_FLAGS | QM__FORM_GENERATION
};

/* Forms stand in ascending order of this key; those that share field and shape
 * share a value column. */
static inline uint64_t qm__form_key(uint32_t field, unsigned head, unsigned flags) {
  unsigned shape = head & 7, kind = head >> 3 & 3, differs = head >> 5 & 1;
  return (uint64_t)field << 12 | (uint64_t)(shape << 9 | kind << 7 | differs << 6 | flags);
}
static inline uint64_t qm__form_cell(uint64_t key) { return key >> 9; }

/* Record references (S5.11): 0 and 1 name the next new entry, k + 1 the k-th last. */
enum { QM__REF_ID = 0, QM__REF_CREATION = 1 };

/* Parents (S5.13). */
enum { QM__PARENT_LAST = 0, QM__PARENT_ROOT = 1, QM__PARENT_ROOT_LEFT = 2, QM__PARENT_OTHER = 3 };

/* In a value column this byte, which MessagePack leaves unused, and a type byte stand
 * for a value whose 32 bytes lie in the front (S5.15): digests do not compress, and
 * among text they spoil what does. */
#define QM__VALUE_DIGEST 0xc1
#define QM__DIGEST_SIZE 32
enum { QM__DIGEST_BIN = 0, QM__DIGEST_HEX = 1 };
/* With these type bytes it stands for an int of at least 2^32: a signed varint, its difference
 * to the milliseconds of the change; and for a float: a signed varint and, as the type byte
 * less QM__VALUE_DECIMAL, the power of ten that it is divided by (pack.h). */
enum { QM__VALUE_TIME = 2, QM__VALUE_DECIMAL = 3 };
#define QM__VALUE_SHORT_MAX 12u

static inline int qm__column_here(unsigned column, unsigned version) {
  return column != QM__CHANGES || version == QM__BATCH_OLD;
}

/* What counters of one author are written against. */
typedef struct qm__base {
  uint64_t dep;     /* last dependency on it, or end of its last segment */
  uint64_t created; /* last creation dot */
  uint64_t dot;     /* last dot in a list, a cut or a parent, if not the segment's own */
} qm__base;

/* Sorts v ascending by less(ctx, a, b); in place, n log n whatever the input. */
void qm__heap_sort(uint32_t *v, uint32_t n, int (*less)(const void *ctx, uint32_t a, uint32_t b),
                   const void *ctx);

#endif
