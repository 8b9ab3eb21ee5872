/* handle_review: the review list as JSON lines, for a device (qm_review, qm_conflicts) and for a
 * hub (adapters/cli/qianmod_conflicts.c). */
#ifndef QM_HANDLE_REVIEW_H
#define QM_HANDLE_REVIEW_H

#include "adapters/handle/handle.h"
#include "core/review.h"

/* What is asked for; zero: all. */
typedef struct qm__review_filter {
  uint32_t collection; /* number */
  const qm_id *record;
  qm_conflict_class cls;
  qm_severity severity; /* the least */
} qm__review_filter;

typedef struct qm__review_line {
  qm_severity severity;
  qm_time time;
  size_t at, n; /* of text */
} qm__review_line;

/* Lines as core/qianmo.h has them, of one or more spaces. */
typedef struct qm__review_list {
  const qm_env *env;
  qm_buf text;
  qm__review_line *lines;
  size_t n, cap;
  uint64_t counts[QM_SEVERITY_HIGH + 1]; /* by severity */
} qm__review_list;

void qm__review_init(qm__review_list *l, const qm_env *env);
void qm__review_free(qm__review_list *l);
/* Appends the conflicts of a space, in no order. */
int qm__review_add(qm__review_list *l, qm_engine *e, qm_space *s, const qm_who *who,
                   const qm__review_filter *f);
/* The gravest first, then the latest; a page of them, then the line that counts all. */
void qm__review_page(qm__review_list *l, uint64_t offset, uint64_t limit, qm_buf *out);
/* What one writing of a value is called: eight characters from the first 5 bytes of SHA-256 over
 * the space and the dot. Entries of the inbox and settles are called by it, too. */
#define QM__DOT_NAME 8u
#define QM__DOT_TEXT 16u
void qm__review_dot(const qm_space *s, qm_dot dot, char out[QM__DOT_TEXT]);
/* 0 where it is no name of a class. */
qm_conflict_class qm__review_class(qm_slice name);
const char *qm__review_severity(qm_severity s);

/* What people call the record of a class, as a JSON string: its natural key and naming
 * fields, else the first text that is neither personal nor sensitive. */
int qm__review_title(qm_space *s, const qm_collection_def *c, const qm_record_class *of,
                     qm_arena *arena, qm_buf *out);

/* ---- handle_inbox.c ---- */

/* Adds how many entries of a space nobody has read. */
int qm__inbox_unread(qm_engine *e, qm_space *s, uint64_t *n);

/* Adds how many conflicts of each severity a space has. */
int qm__review_count(qm_engine *e, qm_space *s, uint64_t counts[QM_SEVERITY_HIGH + 1]);

#endif
