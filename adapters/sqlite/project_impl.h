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
  qm_arena arena;    /* of one record's rows */
  qm_arena classes;  /* of one record's class */
  qm_buf title, body, scratch;
  int noted_known; /* the next two are true */
  uint64_t noted_rows, noted_bytes; /* of _search_new */
};

/* Makes the rows of a record what `r` shows; none where it is invisible. */
int qm__project_record(qm_projection *p, qm_space *s, const qm_record *r);
/* It has no rows. */
int qm__project_drop(qm_projection *p, const qm_space *s, const qm_id *id);

/* ---- project_class.c ---- */

/* The rows of a record that was saved, and of all that it is or was merged with. */
int qm__project_saved(qm_projection *p, qm_space *s, const qm_record *r);
/* The same where every record of the space is handed over. */
int qm__project_fill(qm_projection *p, qm_space *s, const qm_record *r);

/* ---- project_alike.c ---- */

/* What the visible record at a row is compared by. */
int qm__project_alike(qm_projection *p, qm_space *s, const qm_collection_def *c,
                      const qm_record *r, int64_t row);
int qm__project_alike_drop(qm_projection *p, int64_t row);
/* What a record's own state says to be distinct from it, visible or not. */
int qm__project_distinct(qm_projection *p, const qm_space *s, const qm_record *r);
/* Takes all that is a space's out. */
int qm__project_alike_clear(qm_projection *p, uint32_t space);

/* ---- project_search.c ---- */

/* The visible record at a row is found by what is in title and body. */
int qm__project_search(qm_projection *p, int64_t row);
/* It is not found. */
int qm__project_search_drop(qm_projection *p, int64_t row);
int qm__project_search_clear(qm_projection *p, int64_t first, int64_t last);
/* The transaction brought what others wrote, and nobody waits for a form: takes into the index
 * what waits for it, where that is enough to be worth it. */
int qm__project_took(qm_projection *p);
/* Takes into the index what waits for it. */
int qm__project_index(qm_projection *p);

/* ---- project_due.c ---- */

/* By when the visible record at a row of t must be done. */
int qm__project_limits(qm_projection *p, const qm_space *s, const qm_collection_def *c,
                       const qm_record *r, qm__ptable *t, int64_t row);
int qm__project_limits_drop(qm_projection *p, qm__ptable *t, int64_t row);

/* ---- project_refs.c ---- */

/* What referred to these ids, as they were shown, may show others: writes those rows, and
 * tells the feed. In the arena `classes`. */
int qm__project_referrers(qm_projection *p, qm_space *s, const qm_id *shown, uint32_t n);
/* The record shown under this id, of this collection (0: not known), changed: what other records
 * may show by it is written anew, and told to the feed. In the arena `classes`. */
int qm__project_based(qm_projection *p, qm_space *s, uint32_t collection, const qm_id *shown);

#endif
