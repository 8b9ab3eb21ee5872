/* project_layout: which tables the schemas of the spaces ask for, under which names, and
 * the statements that make, fill and read them. SPEC S16. Here, and only here, SQL is put
 * together from names; every name is quoted, and no name of a schema holds a quote.
 *
 * A *lineage* is a schema's name, or, where two spaces have schemas of one name that do not
 * continue each other, name#space: spaces of one lineage share tables. */
#ifndef QM_SQLITE_PROJECT_LAYOUT_H
#define QM_SQLITE_PROJECT_LAYOUT_H

#include "adapters/sqlite/sqlite_db.h"
#include "core/schema.h"

#define QM__PROJECT_VERSION 5      /* rises when the same schema gives other tables */
#define QM__PROJECT_COLUMNS 1900u  /* of one table; SQLite's limit is 2,000 */
#define QM__PROJECT_SPACES (1u << 20)
#define QM__PROJECT_TABLES 2048u   /* ordinals */
#define QM__NO_COLUMN UINT32_MAX

enum { QM__SEARCH_NOT = 0, QM__SEARCH_TITLE = 1, QM__SEARCH_BODY = 2 };

/* One SQL text with its prepared statement. */
typedef struct qm__made {
  const char *text;
  sqlite3_stmt *st;
} qm__made;

typedef struct qm__object { /* a table with its indexes, or a view */
  const char *name, *kind, *lineage, *sql;
  uint32_t collection, field, ordinal;
  const char *collection_name, *field_name;
  int fresh; /* was not there so, and is being made */
} qm__object;

typedef struct qm__pfield {
  uint32_t number;
  uint8_t type, value, search;
  uint32_t column; /* place among the values of the main table; QM__NO_COLUMN: none */
  qm__object *child; /* set, list, log; else NULL */
  uint8_t ledger;    /* its rows have the names of entries (S22.7) */
  qm__made put, read, cut, last;
  qm__made refs; /* kind ref: the ids of records where ?1 is shown in it, in space ?2, and of
                    those that have conflicts: ?1 may stand there and not be shown */
  uint8_t proposes; /* the next column says whether its value is a proposal */
} qm__pfield;

typedef struct qm__plimit { /* a limit on time */
  const char *name; /* in the schema */
  qm__object *object;
  qm__made put, drop;
} qm__plimit;

typedef struct qm__ptable {
  uint32_t collection;
  qm__object *object;
  qm__pfield *fields; /* ascending by number */
  const char **columns; /* names of the values' columns */
  uint32_t n_fields, n_columns;
  qm__plimit *limits;
  uint32_t n_limits;
  qm__made find, insert, update, drop;
  qm__made touch; /* update where no column of an index differs; no text: the table has none */
} qm__ptable;

typedef struct qm__lineage {
  const char *name;
  const qm_schema *schema; /* only while the layout is made */
  qm__ptable *tables;
  uint32_t n_tables;
} qm__lineage;

/* A space as its schema stands in the engine. */
typedef struct qm__pspace {
  uint32_t number;
  qm_id id;
  qm_slice name, bytes; /* bytes: of the schema */
  const qm_schema *schema; /* NULL: none came yet */
  qm__lineage *lineage;
  uint8_t hash[16]; /* of the schema and QM__PROJECT_VERSION */
} qm__pspace;

/* What _tables holds: names once given are kept. */
typedef struct qm__known {
  const char *name, *kind, *lineage, *sql;
  uint32_t collection, field, ordinal;
} qm__known;

typedef struct qm__layout {
  qm_arena arena; /* of everything here */
  qm__db *db;
  qm__pspace *spaces; /* ascending by number */
  uint32_t n_spaces;
  qm__lineage *lineages;
  uint32_t n_lineages;
  qm__known *known;
  uint32_t n_known, cap_known;
  qm__object **objects; /* in the order in which they are made */
  uint32_t n_objects, cap_objects, last_ordinal;
} qm__layout;

/* `spaces` (in the layout's arena) is set; fills in the rest. Inside a transaction, or where
 * nobody else writes. Reads _tables and sqlite_schema. QM_ELIMIT beyond the limits above. */
int qm__layout_make(qm__layout *l);
/* Drops what is not asked for any more, makes what is not there; sets `fresh`. */
int qm__layout_apply(qm__layout *l);
/* Finalizes the statements and frees the arena. A zeroed one is accepted. */
void qm__layout_free(qm__layout *l);

/* Tables of a space; NULL where there is none. */
qm__pspace *qm__layout_space(const qm__layout *l, uint32_t number);
qm__ptable *qm__layout_table(const qm__lineage *g, uint32_t collection);

/* Prepared once and kept. Follow with sqlite3_reset and sqlite3_clear_bindings. */
int qm__made_start(qm__db *db, qm__made *m, sqlite3_stmt **out);

/* The rows of a space in a table: [first, first + 2^32). A table's rows are at
 * space << 43 | ordinal << 32 | serial, in the search index too. */
static inline int64_t qm__row_first(uint32_t space, uint32_t ordinal) {
  return (int64_t)((uint64_t)space << 43 | (uint64_t)ordinal << 32);
}

/* A table's rows, in the index of likely duplicates. */
static inline int64_t qm__row_scope(int64_t row) { return (int64_t)((uint64_t)row >> 32); }

/* ---- project_views.c ---- */

/* A text in the layout's arena from a buffer; clears the buffer. NULL: no memory. */
const char *qm__layout_text(qm__layout *l, qm_buf *b);
/* "name", in quotes. */
void qm__layout_name(qm_buf *b, const char *name);
void qm__layout_put(qm_buf *b, const char *text);
/* A string literal. */
void qm__layout_literal(qm_buf *b, qm_slice text);
/* Adds an object with a name of its own: the one known for (lineage, collection, field,
 * kind), else `wanted` made free. sql is set by the caller. */
int qm__layout_object(qm__layout *l, const char *kind, const qm__lineage *g,
                      const qm_collection_def *c, const qm_field_def *f, const char *wanted,
                      qm__object **out);
/* ;CREATE INDEX of a column of the object, its n-th index. */
void qm__layout_index(qm_buf *b, const qm__object *o, uint32_t n, const char *column);
/* The views of a table's clashes (project_clash.c). */
int qm__layout_clashes(qm__layout *l, const qm__lineage *g, const qm_collection_def *c,
                       const qm__ptable *t);
/* The tables of a table's limits, and their views (project_due.c). */
int qm__layout_limits(qm__layout *l, const qm__lineage *g, const qm_collection_def *c,
                      qm__ptable *t);
/* The views of a table. */
int qm__layout_views(qm__layout *l, const qm__lineage *g, const qm_collection_def *c,
                     const qm__ptable *t);

#endif
