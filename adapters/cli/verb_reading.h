/* verb_reading: what `conflicts` showed, kept beside the database (PATH.review) so that a later
 * `settle` is made from the list as it was read. A line a conflict: its item, space,
 * collection, record, field, class, token, and what each writing of a value is called. No
 * values. */
#ifndef QM_VERB_READING_H
#define QM_VERB_READING_H

#include "adapters/cli/verb.h"

#define QM_READING_COLUMNS 8u

enum {
  QM_READING_ITEM,
  QM_READING_SPACE,
  QM_READING_COLLECTION,
  QM_READING_RECORD,
  QM_READING_FIELD, /* empty: of the record as a whole */
  QM_READING_CLASS,
  QM_READING_TOKEN,
  QM_READING_VALUES /* separated by commas; see qm_reading_value */
};

/* One line; borrows from text. */
typedef struct qm_reading {
  qm_line text;
  qm_slice column[QM_READING_COLUMNS];
} qm_reading;

/* Keeps the conflicts of a result of qm_review. A file that cannot be written is no error: then
 * only what is listed again can be settled. */
void qm_reading_keep(qm_ctx *c, const qm_text *lines);
/* The one whose item begins so; reports where there is none or more than one. */
int qm_reading_find(qm_ctx *c, const char *item, qm_reading *out);
void qm_reading_free(qm_reading *r);
/* What a value is known by. */
void qm_reading_value(qm_line *l, const qm_node *value);
/* The n-th (from 1) of the values, or an empty slice. */
qm_slice qm_reading_nth(const qm_reading *r, int64_t n);

#endif
