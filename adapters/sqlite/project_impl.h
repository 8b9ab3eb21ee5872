/* project_impl: what the files of the projection share. Included by project*.c only. */
#ifndef QM_SQLITE_PROJECT_IMPL_H
#define QM_SQLITE_PROJECT_IMPL_H

#include "adapters/sqlite/project.h"
#include "adapters/sqlite/project_layout.h"
#include "core/read.h"
#include "core/space.h"

struct qm_projection {
  qm_engine *engine;
  qm_store *store;
  qm__db *db;
  const qm_env *env;
  qm__layout layout; /* empty (no arena) where it must be made anew */
  int stale;         /* layout or rows may not be what they should: see catch_up */
  int all;           /* a whole space is being filled: times of log entries may have moved */
  int made;          /* tables were made in the open transaction */
  qm_arena arena;    /* of one record */
  qm_buf title, body, scratch;
};

/* Makes the rows of a record what it shows; none where it is invisible. */
int qm__project_record(qm_projection *p, qm_space *s, const qm_record *r);

#endif
