/* codes: lists of codes that a schema brings along (sex, kinds of relation, areas): data,
 * never compiled in. A code that was replaced stays in its list and says by which: values
 * written before keep their label, and new ones are refused with the new code.
 *
 * Invariants of a checked table: codes ascend bytewise, a `moved` is a code of the same
 * table, and following it ends within QM_CODES_STEPS. */
#ifndef QM_CODES_H
#define QM_CODES_H

#include "core/mem.h"

#define QM_CODE_MAX 32u /* bytes of a code */
#define QM_CODES_STEPS 16u

typedef struct qm_table_code {
  qm_slice code, label_zh, label_en;
  qm_slice moved; /* the code in its place; empty: it is in use */
} qm_table_code;

typedef struct qm_table_def {
  qm_slice name, label_zh, label_en;
  const qm_table_code *codes;
  uint32_t n_codes;
} qm_table_def;

/* NULL where it is not listed. */
const qm_table_code *qm_table_find(const qm_table_def *t, qm_slice code);
/* The one in use in its place; itself, where it is in use. NULL where it is not listed. */
const qm_table_code *qm_table_current(const qm_table_def *t, qm_slice code);
/* Area codes, which lie within one another by their first 6, 9, 12 or 15 digits. The listed
 * code that says whether `code` is one: itself or the longest part of it that is as long as
 * codes of the table are. NULL where that is not listed. *longer: it is not listed itself, but
 * a longer one begins with it. */
const qm_table_code *qm_table_area(const qm_table_def *t, qm_slice code, int *longer);
/* The code in use in the place of an area code, with what stands behind the listed part; to
 * has QM_CODE_MAX + 1 bytes and gets a NUL. 0 where nothing of it is listed as moved. */
int qm_table_area_moved(const qm_table_def *t, qm_slice code, char *to);

#endif
