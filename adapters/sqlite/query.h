/* query: reads the tables and the search index of projections (project.h) through a
 * connection of its own that can do nothing else: opened read-only, and while a statement of
 * a caller runs, SQLite's authorizer lets it read the tables, views and columns of
 * projections and call functions that only compute. SPEC S16.8, S16.9.
 *
 * One thread at a time. It sees what was committed, whatever another connection has open. */
#ifndef QM_SQLITE_QUERY_H
#define QM_SQLITE_QUERY_H

#include <stdatomic.h>

#include "core/schema.h"

typedef struct qm_query qm_query;

typedef struct qm_query_limits {
  uint64_t rows, ms;
  size_t bytes; /* of the result */
} qm_query_limits;

#define QM_QUERY_LIMITS ((qm_query_limits){10000, 10000, (size_t)64 << 20})

/* `env` is borrowed until close. QM_ESTATE: there are no projections, or they do not stand
 * for what the store holds; errors of qm_store_sqlite_open. */
int qm_query_open(qm_query **out, const qm_env *env, const char *path, qm_error *e);
void qm_query_close(qm_query *q); /* NULL is fine */
/* Where *flag rises, a statement of qm_query_sql that runs ends soon, with QM_ESUSPENDED. */
void qm_query_stop_when(qm_query *q, const atomic_int *flag);

/* One SELECT. parameters: a MessagePack array (or empty) for ?1, ?2, …; others than nil,
 * bool, numbers, text and bytes are bound as JSON. Appends to out a line
 * {"columns":[NAME,…]}, a line a row, [VALUE,…] (blobs as {"$bytes":HEX}), and a line
 * {"rows":N,"more":BOOL}: more where a limit of rows or bytes cut it off.
 *
 * QM_EINVAL with SQLite's words: no statement, two, or one that does not compile, or too few
 * or too many parameters; QM_EACCESS: it would do other than read these tables; QM_ETIMEOUT;
 * QM_ELIMIT: it takes too much memory; QM_EBUSY; QM_EIO; QM_ECORRUPT; QM_ENOMEM. */
int qm_query_sql(qm_query *q, qm_slice sql, qm_slice parameters, qm_query_limits limits,
                 qm_buf *out, qm_error *e);

typedef struct qm_query_search {
  qm_slice text;
  uint32_t space; /* 0: all */
  qm_slice collection; /* its name; empty: all */
  uint32_t limit, offset;
} qm_query_search;

/* Best first, a line a record: {"space":ID,"collection","id","title_marks":[[FIRST,COUNT],
 * …],"title","marks":[…],"snippet"}: what matches in each, in code points. A text without
 * letters, digits or ideographs finds nothing. */
int qm_query_find(qm_query *q, const qm_query_search *s, qm_buf *out, qm_error *e);

typedef struct qm_query_alike {
  uint32_t space;
  const qm_schema *schema;             /* of the space */
  const qm_collection_def *collection; /* NULL: all that have rules */
  const qm_id *record;                 /* NULL: all; with a collection: pairs of this one */
  int dismissed;                       /* those that somebody said to be distinct, too */
  uint32_t limit, offset;
} qm_query_alike;

/* Likely duplicates (SPEC S16.13, S16.14), the highest score first, then by ids: a line a pair
 * {"collection","a":ID,"b":ID,"score":N,"reasons":[{"rule","score","fields":[{"field","match",
 * "percent"|"metres"|"hours"}]}]} (,"dismissed":true); with the first page a line for each key
 * that too many records share {"collection","rule","records":N,"id":one of them}; then
 * {"pairs":N,"more":BOOL,"complete":BOOL}. QM_ESTATE: the tables are of another schema. */
int qm_query_duplicates(qm_query *q, const qm_query_alike *r, qm_buf *out, qm_error *e);

#define QM_QUERY_DUE_MAX 100000u

typedef struct qm_query_due_options {
  uint32_t space;  /* 0: all */
  int overdue;     /* only what is overdue */
  int64_t now_ms;  /* corrected */
  uint32_t limit, offset; /* at most QM_QUERY_DUE_MAX each */
} qm_query_due_options;

/* What must be done by when (SPEC S23), soonest first, what is paused last: lines as qm_due gives
 * them (core/qianmo.h). QM_ELIMIT. */
int qm_query_due(qm_query *q, const qm_query_due_options *o, qm_buf *out, qm_error *e);

#endif
