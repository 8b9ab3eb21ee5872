/* query_impl: what the files of the query connection share. Included by query*.c only. */
#ifndef QM_SQLITE_QUERY_IMPL_H
#define QM_SQLITE_QUERY_IMPL_H

#include "adapters/sqlite/query.h"
#include "adapters/sqlite/sqlite_db.h"

struct qm_query {
  qm__db db;
  char *readable; /* names of tables and views of projections, each NUL-ended, then a NUL */
  char *others;   /* of everything else that is there */
  int denied;     /* the authorizer said no */
  int stopped;    /* why the statement was stopped */
  int fresh;      /* temp._search_fresh is there, as of fresh_version */
  uint32_t fresh_version;
  int pairs;      /* how what was found is marked, see fts_token.h */
  uint64_t until_ms;
  int64_t memory_max;
  const atomic_int *stop; /* NULL, or the flag that ends a statement */
};

/* Reads the names anew. */
int qm__query_refresh(qm_query *q, qm_error *e);

#endif
