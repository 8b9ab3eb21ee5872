/* verb_query: what list shares with the verbs that read the tables (adapters/cli/verb.h). */
#ifndef QM_VERB_QUERY_H
#define QM_VERB_QUERY_H

#include "adapters/cli/verb.h"

/* qm_sql; reopens for writing where the tables are behind. ms: 0 for the library's own. */
int qm_verb_ask(qm_ctx *c, qm_slice sql, qm_slice parameters, uint64_t ms, qm_text *out);

/* Tables that are behind are made by opening for writing; nothing else needs that. */
int qm_verb_reopen(qm_ctx *c);

typedef struct qm_paging {
  int64_t page, rows; /* from 1; rows of a page */
} qm_paging;
/* From --page and --limit. */
int qm_verb_page(qm_ctx *c, qm_paging *out);

/* The ids that `list` shows under --where, --sort and --page, each on a line, and how many
 * there are in all. */
typedef struct qm_chosen {
  qm_line ids;
  int64_t count;
} qm_chosen;
int qm_verb_choose(qm_ctx *c, const qm_node *collection, const qm_paging *paging, qm_chosen *out);

#endif
