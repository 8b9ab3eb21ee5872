/* sqlite_sql: every SQL text of the project, in one table {id, text}, and the numbered
 * steps that make or raise a file's tables. Statements are prepared once per handle
 * (sqlite_db.h) and bound by position; nothing is ever put together from strings. */
#ifndef QM_SQLITE_SQL_H
#define QM_SQLITE_SQL_H

#include <stddef.h>

typedef enum qm__sql_id {
  /* both files */
  QM__SQL_BEGIN,
  QM__SQL_VIEW,
  QM__SQL_COMMIT,
  QM__SQL_ROLLBACK,
  QM__SQL_DATA_VERSION,
  QM__SQL_USER_VERSION,
  QM__SQL_APPLICATION_ID,
  QM__SQL_OBJECT_COUNT,
  QM__SQL_QUICK_CHECK,
  QM__SQL_INTEGRITY_CHECK,
  /* store: meta, spaces, authors */
  QM__SQL_META_GET,
  QM__SQL_META_PUT,
  QM__SQL_CLOCK_PUT,
  QM__SQL_META_DELETE,
  QM__SQL_META_SCAN,
  QM__SQL_SPACE_LIST,
  QM__SQL_SPACE_PUT,
  QM__SQL_SPACE_DELETE,
  QM__SQL_AUTHOR_LIST,
  QM__SQL_AUTHOR_PUT,
  QM__SQL_AUTHOR_DROP,
  /* store: records, creation dots, keys */
  QM__SQL_RECORD_LOAD,
  QM__SQL_RECORD_SAVE,
  QM__SQL_RECORD_MOVE,
  QM__SQL_RECORD_THERE,
  QM__SQL_RECORD_ADD,
  QM__SQL_RECORD_DELETE,
  QM__SQL_RECORD_DROP,
  QM__SQL_RECORD_SCAN,
  QM__SQL_RECORD_SCAN_COLLECTION,
  QM__SQL_RECORD_COUNT,
  QM__SQL_RECORD_COUNT_COLLECTION,
  QM__SQL_CREATION_PUT,
  QM__SQL_CREATION_FIND,
  QM__SQL_CREATION_DROP,
  QM__SQL_KEY_PUT,
  QM__SQL_KEY_DELETE,
  QM__SQL_KEY_FIND,
  QM__SQL_KEY_DROP,
  /* store: log */
  QM__SQL_LOG_LAST,
  QM__SQL_LOG_LAST_PUT,
  QM__SQL_LOG_LAST_DROP,
  QM__SQL_LOG_PUT,
  QM__SQL_LOG_GET,
  QM__SQL_LOG_NEXT,
  QM__SQL_LOG_SIZES,
  QM__SQL_LOG_RESIZE,
  QM__SQL_LOG_PIECE_PUT,
  QM__SQL_LOG_PIECE_LIST,
  QM__SQL_LOG_PIECE_DROP,
  QM__SQL_LOG_DELETE,
  QM__SQL_LOG_DROP,
  QM__SQL_SEGMENT_PUT,
  QM__SQL_SEGMENT_LAST,
  QM__SQL_SEGMENT_BEYOND,
  QM__SQL_SEGMENT_AFTER,
  QM__SQL_SEGMENT_DELETE,
  QM__SQL_SEGMENT_DROP,
  QM__SQL_LOG_NEW_PUT,
  QM__SQL_LOG_NEW_LIST,
  QM__SQL_LOG_NEW_SIZE,
  QM__SQL_LOG_NEW_DELETE,
  QM__SQL_LOG_NEW_DROP,
  QM__SQL_LOG_OF_PUT,
  QM__SQL_LOG_OF_NEXT,
  QM__SQL_LOG_OF_SWEEP,
  QM__SQL_LOG_OF_LIST,
  QM__SQL_LOG_OF_DELETE,
  QM__SQL_LOG_OF_DROP,
  QM__SQL_OPEN_PUT,
  QM__SQL_OPEN_LIST,
  QM__SQL_OPEN_DROP,
  QM__SQL_OPEN_FAR_PUT,
  QM__SQL_OPEN_FAR_LIST,
  QM__SQL_OPEN_FAR_DROP,
  /* store: set aside */
  QM__SQL_ASIDE_PUT,
  QM__SQL_ASIDE_DELETE,
  QM__SQL_ASIDE_SCAN,
  QM__SQL_ASIDE_DROP,
  /* store: what a replica notes for itself */
  QM__SQL_LOCAL_PUT,
  QM__SQL_LOCAL_DELETE,
  QM__SQL_LOCAL_SCAN,
  QM__SQL_LOCAL_DROP,
  /* store: feed */
  QM__SQL_FEED_LAST,
  QM__SQL_FEED_PUT,
  QM__SQL_FEED_LOAD,
  QM__SQL_FEED_AFTER,
  QM__SQL_FEED_DROP,
  /* store: stage */
  QM__SQL_STAGE_GET,
  QM__SQL_STAGE_PUT,
  QM__SQL_STAGE_DROP,
  QM__SQL_PART_PUT,
  QM__SQL_PART_GET,
  QM__SQL_PART_NUMBERS,
  QM__SQL_PART_LIST,
  QM__SQL_PART_DROP,
  /* projections: what stands for all schemas (project_layout.c makes the rest) */
  QM__SQL_OBJECT_NAMED,
  QM__SQL_TABLES_LIST,
  QM__SQL_TABLES_PUT,
  QM__SQL_TABLES_DROP,
  QM__SQL_SPACES_LIST,
  QM__SQL_SPACES_PUT,
  QM__SQL_SPACES_DIGEST,
  QM__SQL_SPACES_DROP,
  QM__SQL_SPACES_BEHIND,
  QM__SQL_MERGED_WITH,
  QM__SQL_MERGED_CLASS,
  QM__SQL_MERGED_PUT,
  QM__SQL_MERGED_DROP,
  QM__SQL_MERGED_CLEAR,
  QM__SQL_ALIKE_GET,
  QM__SQL_ALIKE_PUT,
  QM__SQL_ALIKE_DROP,
  QM__SQL_ALIKE_CLEAR,
  QM__SQL_ALIKE_KEY_PUT,
  QM__SQL_ALIKE_KEY_DROP,
  QM__SQL_ALIKE_KEY_CLEAR,
  QM__SQL_ALIKE_SCAN,
  QM__SQL_ALIKE_BLOCK,
  QM__SQL_ALIKE_PLACE,
  QM__SQL_ALIKE_SCOPE,
  QM__SQL_DISTINCT_PUT,
  QM__SQL_DISTINCT_DROP,
  QM__SQL_DISTINCT_CLEAR,
  QM__SQL_DISTINCT_LIST,
  QM__SQL_SEARCH_THERE,
  QM__SQL_SEARCH_GET,
  QM__SQL_SEARCH_TITLE,
  QM__SQL_SEARCH_NEW_SIZE,
  QM__SQL_SEARCH_NEW_PUT,
  QM__SQL_SEARCH_NEW_LIST,
  QM__SQL_SEARCH_NEW_DROP,
  QM__SQL_SEARCH_NEW_CLEAR,
  QM__SQL_SEARCH_NEW_END,
  QM__SQL_SEARCH_PUT,
  QM__SQL_SEARCH_DROP,
  QM__SQL_SEARCH_DROP_RANGE,
  QM__SQL_SEARCH_OPTIMIZE,
  QM__SQL_SEARCH_FIND,
  QM__SQL_SEARCH_FIND_BOTH,
  QM__SQL_SEARCH_SHOW,
  QM__SQL_SEARCH_SHOW_FRESH,
  QM__SQL_BEGIN_READ,
  QM__SQL_SEARCH_PLACE,
  QM__SQL_LIMIT_TABLES,
  QM__SQL_LIMIT_PLACE,
  QM__SQL_TABLES_NAMES,
  QM__SQL_OTHER_NAMES,
  /* hub: devices */
  QM__SQL_DEVICE_PUT,
  QM__SQL_DEVICE_GET,
  QM__SQL_DEVICE_LIST,
  QM__SQL_DEVICE_REVOKE,
  QM__SQL_DEVICE_RENEW,
  QM__SQL_DEVICE_ASSIGN,
  QM__SQL_DEVICE_TOUCH,
  QM__SQL_DEVICE_SPACE_PUT,
  QM__SQL_DEVICE_SPACE_DROP,
  QM__SQL_DEVICE_SPACES,
  QM__SQL_SPACE_DEVICES,
  QM__SQL_DEVICE_MAY,
  QM__SQL_HELD_PUT,
  QM__SQL_HELD_LIVE,
  /* hub: spaces, schemas, refused authors */
  QM__SQL_HUB_SPACE_ADD,
  QM__SQL_HUB_SPACE_GET,
  QM__SQL_HUB_SPACE_GET_BY_NAME,
  QM__SQL_HUB_SPACE_LIST,
  QM__SQL_HUB_SPACE_SCHEMA,
  QM__SQL_SCHEMA_PUT,
  QM__SQL_SCHEMA_GET,
  QM__SQL_REFUSED_PUT,
  QM__SQL_REFUSED_FIND,
  QM__SQL_REFUSED_LIST,
  QM__SQL_REFUSED_LIST_SPACE,
  QM__SQL_REFUSED_CLEAR,
  /* hub: codes, notes */
  QM__SQL_CODE_ADD,
  QM__SQL_CODE_GET,
  QM__SQL_CODE_TRY,
  QM__SQL_CODE_USE,
  QM__SQL_CODE_SWEEP,
  QM__SQL_CODE_SPACE_ADD,
  QM__SQL_CODE_SPACE_SWEEP,
  QM__SQL_CODE_SPACES_TO_DEVICE,
  QM__SQL_ATTEMPT_GET,
  QM__SQL_ATTEMPT_PUT,
  QM__SQL_ATTEMPT_SWEEP,
  QM__SQL_NOTE_GET,
  QM__SQL_NOTE_PUT,
  QM__SQL_NOTE_DELETE,
  QM__SQL_COUNT
} qm__sql_id;

typedef struct qm__sql {
  qm__sql_id id;
  const char *text;
} qm__sql;

/* The statement of an id, static. */
const char *qm__sql_text(qm__sql_id id);

/* What a file is: its mark in the header, its words in messages and the steps that make
 * it. Step i raises user_version from i to i + 1; steps are only ever added. */
typedef struct qm__sql_schema {
  int application_id;
  const char *name; /* "qianmo store" */
  const char *const *steps;
  int n_steps;
} qm__sql_schema;

extern const qm__sql_schema qm__sql_store; /* application_id "QMst" */
extern const qm__sql_schema qm__sql_hub;   /* application_id "QMhb" */

/* Settings of every connection, before its first read; of a new file, before its first
 * table; and of the copy that a backup makes. */
extern const char qm__sql_connect[];
extern const char qm__sql_create[];
extern const char qm__sql_full[];   /* every commit waits for its fsync */
extern const char qm__sql_normal[]; /* commits do not; barriers do */
extern const char qm__sql_wal[];
extern const char qm__sql_search_make[]; /* the search index */
extern const char qm__sql_search_drop[];
extern const char qm__sql_search_fresh[]; /* of a connection that reads: what waits for it */
extern const char qm__sql_set_version[];     /* printf: user_version; */
extern const char qm__sql_set_application[]; /* printf: application_id */
extern const char qm__sql_set_page_limit[];  /* printf: pages */

#endif
