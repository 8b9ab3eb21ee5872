/* sqlite_sql.c: see sqlite_sql.h. Tables of small rows are WITHOUT ROWID and keyed by small
 * local numbers (space, author), so that a row's neighbours are the next ones asked for. Rows
 * that carry a blob stand in tables with a rowid: there a page takes rows of up to its own
 * size, and in the others what is beyond a quarter of it has pages of its own. */
#include "adapters/sqlite/sqlite_sql.h"

/* mmap stays off: a page that cannot be read must be an error, not a signal. */
const char qm__sql_connect[] =
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA journal_size_limit = 8388608;";
const char qm__sql_create[] = "PRAGMA page_size = 4096;";
const char qm__sql_full[] = "PRAGMA synchronous = FULL;";
/* Its WAL is as large as it becomes between two checkpoints: what is cut off is made anew. And it
 * saves many records at once, of pages that are then at hand. */
const char qm__sql_normal[] =
    "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8192;";
const char qm__sql_wal[] = "PRAGMA journal_mode = WAL;";
/* Two columns: what a record is called, and the rest. Nothing weighs texts by their length. */
const char qm__sql_search_make[] =
    "CREATE VIRTUAL TABLE _search USING fts5(title, body, tokenize = 'qianmo', prefix = '3',"
    " columnsize = 0);";
/* The same for what is not in it yet, in the memory of one connection. */
const char qm__sql_search_fresh[] =
    "DROP TABLE IF EXISTS temp._search_fresh;"
    "CREATE VIRTUAL TABLE temp._search_fresh USING fts5(title, body, tokenize = 'qianmo',"
    " prefix = '3', columnsize = 0);"
    "INSERT INTO temp._search_fresh (rowid, title, body) SELECT row, title, body FROM _search_new;";
const char qm__sql_search_drop[] = "DROP TABLE IF EXISTS _search;";
const char qm__sql_set_version[] = "PRAGMA user_version = %d;";
const char qm__sql_set_application[] = "PRAGMA application_id = %d;";
const char qm__sql_set_page_limit[] = "PRAGMA max_page_count = %u;";

/* segment: the last of each run of one author's segments in a row of the log. Within one (space,
 * author), next and seq rise together. So the first row
 * after a seq that holds something beyond a version vector is found by two range probes
 * an author: one by next (the key), one by seq (segment_seq). */
static const char *const store_steps[] = {
    "CREATE TABLE meta (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE space (space INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, blob BLOB NOT NULL);"
    "CREATE TABLE author (space INTEGER NOT NULL, number INTEGER NOT NULL, id BLOB NOT NULL,"
    "  next INTEGER NOT NULL, closed INTEGER NOT NULL, head BLOB NOT NULL, time INTEGER NOT NULL,"
    "  clock BLOB NOT NULL, PRIMARY KEY (space, number)) WITHOUT ROWID;"
    "CREATE TABLE record (space INTEGER NOT NULL, id BLOB NOT NULL, collection INTEGER NOT NULL,"
    "  hash BLOB NOT NULL, state BLOB NOT NULL, PRIMARY KEY (space, id)) WITHOUT ROWID;"
    "CREATE INDEX record_collection ON record (space, collection, id);"
    "CREATE TABLE creation (space INTEGER NOT NULL, author INTEGER NOT NULL,"
    "  counter INTEGER NOT NULL, record BLOB NOT NULL,"
    "  PRIMARY KEY (space, author, counter)) WITHOUT ROWID;"
    "CREATE TABLE key_index (space INTEGER NOT NULL, name INTEGER NOT NULL, key BLOB NOT NULL,"
    "  record BLOB NOT NULL, PRIMARY KEY (space, name, key, record)) WITHOUT ROWID;"
    "CREATE INDEX key_record ON key_index (space, name, record);"
    "CREATE TABLE log_last (space INTEGER NOT NULL PRIMARY KEY, seq INTEGER NOT NULL);"
    "CREATE TABLE log (space INTEGER NOT NULL, seq INTEGER NOT NULL, segments BLOB NOT NULL,"
    "  batch BLOB NOT NULL, PRIMARY KEY (space, seq)) WITHOUT ROWID;"
    "CREATE TABLE segment (space INTEGER NOT NULL, author INTEGER NOT NULL, next INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL, PRIMARY KEY (space, author, next)) WITHOUT ROWID;"
    "CREATE INDEX segment_seq ON segment (space, author, seq);"
    "CREATE TABLE open_change (space INTEGER NOT NULL, counter INTEGER NOT NULL,"
    "  change BLOB NOT NULL, PRIMARY KEY (space, counter)) WITHOUT ROWID;"
    "CREATE TABLE stage (space INTEGER NOT NULL PRIMARY KEY, manifest BLOB NOT NULL);"
    "CREATE TABLE stage_part (space INTEGER NOT NULL, part INTEGER NOT NULL,"
    "  content BLOB NOT NULL, PRIMARY KEY (space, part)) WITHOUT ROWID;",
    /* log_record: the log rows that are on a record; an empty record: not told. */
    "CREATE TABLE log_record (space INTEGER NOT NULL, record BLOB NOT NULL, seq INTEGER NOT NULL,"
    "  PRIMARY KEY (space, record, seq)) WITHOUT ROWID;"
    "INSERT INTO log_record SELECT space, X'', seq FROM log;",
    /* Which projections there are, and what they stand for. */
    "CREATE TABLE _spaces (_space INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL,"
    "  name TEXT NOT NULL, schema TEXT, version INTEGER, schema_hash BLOB NOT NULL,"
    "  digest BLOB NOT NULL);"
    "CREATE TABLE _tables (name TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL,"
    "  lineage TEXT NOT NULL, collection INTEGER NOT NULL, field INTEGER NOT NULL,"
    "  ordinal INTEGER NOT NULL, sql TEXT NOT NULL, collection_name TEXT NOT NULL,"
    "  field_name TEXT) WITHOUT ROWID;",
    /* feed: the last row is never taken without one after it, so seqs only rise. */
    "CREATE TABLE feed (seq INTEGER NOT NULL PRIMARY KEY, space INTEGER NOT NULL,"
    "  record BLOB NOT NULL, fields BLOB NOT NULL);"
    "CREATE UNIQUE INDEX feed_record ON feed (space, record);",
    /* entries and readable copies of what was set aside */
    "CREATE TABLE aside (space INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    "  PRIMARY KEY (space, key)) WITHOUT ROWID;",
    /* Which merged records were last shown as one row. */
    "CREATE TABLE _merged (space INTEGER NOT NULL, record BLOB NOT NULL, class BLOB NOT NULL,"
    "  PRIMARY KEY (space, record)) WITHOUT ROWID;"
    "CREATE INDEX _merged_class ON _merged (space, class);",
    /* Likely duplicates: by row what is compared, by key who shares one; and which two records
     * somebody said to be distinct. */
    "CREATE TABLE _alike (row INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, keys BLOB NOT NULL,"
    "  features BLOB NOT NULL);"
    "CREATE INDEX _alike_id ON _alike (id);"
    "CREATE TABLE _alike_key (scope INTEGER NOT NULL, key INTEGER NOT NULL, row INTEGER NOT NULL,"
    "  PRIMARY KEY (scope, key, row)) WITHOUT ROWID;"
    "CREATE TABLE _distinct (space INTEGER NOT NULL, record BLOB NOT NULL, other BLOB NOT NULL,"
    "  PRIMARY KEY (space, record, other)) WITHOUT ROWID;",
    /* What this replica notes for itself: what is to be reviewed, what its writers are told. */
    "CREATE TABLE local (space INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    "  PRIMARY KEY (space, key)) WITHOUT ROWID;",
    /* record and log by number; of log: space * 2^31 + seq. log_piece: its batches, in pieces of
     * which eight fill a page: a row of a few thousand bytes leaves a third of one empty.
     * log_new: by that number, of the rows that log_index does not know yet, the marks of the
     * records that they are on (none: not told). log_index: a record's mark (an empty one: not
     * told), the rows that are on it: the last, and how far before it the others are. */
    "CREATE TABLE record_by_number (number INTEGER NOT NULL PRIMARY KEY, space INTEGER NOT NULL,"
    "  id BLOB NOT NULL, collection INTEGER NOT NULL, hash BLOB NOT NULL, state BLOB NOT NULL);"
    "INSERT INTO record_by_number (space, id, collection, hash, state)"
    "  SELECT space, id, collection, hash, state FROM record ORDER BY space, id;"
    "DROP TABLE record;"
    "ALTER TABLE record_by_number RENAME TO record;"
    "CREATE UNIQUE INDEX record_id ON record (space, id, collection);"
    "CREATE TABLE log_by_number (row INTEGER NOT NULL PRIMARY KEY, size INTEGER NOT NULL,"
    "  segments BLOB NOT NULL);"
    "CREATE TABLE log_piece (row INTEGER NOT NULL, piece INTEGER NOT NULL, bytes BLOB NOT NULL,"
    "  PRIMARY KEY (row, piece)) WITHOUT ROWID;"
    "INSERT INTO log_by_number SELECT (space << 31) | seq, length(batch), segments FROM log"
    "  ORDER BY space, seq;"
    "WITH RECURSIVE piece (row, n, rest) AS (SELECT (space << 31) | seq, 0, batch FROM log"
    "  WHERE length(batch) > 0 UNION ALL SELECT row, n + 1, substr(rest, 495) FROM piece"
    "  WHERE length(rest) > 494)"
    "  INSERT INTO log_piece SELECT row, n, substr(rest, 1, 494) FROM piece;"
    "DROP TABLE log;"
    "ALTER TABLE log_by_number RENAME TO log;"
    "CREATE TABLE log_new (row INTEGER NOT NULL PRIMARY KEY, records BLOB NOT NULL);"
    "CREATE TABLE log_index (space INTEGER NOT NULL, record BLOB NOT NULL, last INTEGER NOT NULL,"
    "  others BLOB NOT NULL, PRIMARY KEY (space, record, last)) WITHOUT ROWID;"
    "INSERT OR REPLACE INTO log_index SELECT space, CASE length(record) WHEN 0 THEN record"
    "  ELSE CAST(substr(record, 1, 2) || substr(record, 15, 2) AS BLOB) END, seq, X''"
    "  FROM log_record;"
    "DROP TABLE log_record;",
    /* The clock's offset, as views reckon with it. */
    "CREATE TABLE _clock (offset_ms INTEGER NOT NULL);"
    "INSERT INTO _clock VALUES (0);",
    /* By row of a table, what the search index is to hold and does not yet. */
    "CREATE TABLE _search_new (row INTEGER NOT NULL PRIMARY KEY, title TEXT NOT NULL,"
    "  body TEXT NOT NULL);",
    /* The open run by number: space * 2^31 + counter. What is saved appends to the last page, or
     * begins one, and moves no row. open_change has those of a counter beyond. */
    "CREATE TABLE open_run (row INTEGER NOT NULL PRIMARY KEY, change BLOB NOT NULL);"
    "INSERT INTO open_run SELECT (space << 31) | counter, change FROM open_change"
    "  WHERE counter < 2147483647 ORDER BY space, counter;"
    "DELETE FROM open_change WHERE counter < 2147483647;",
};

const qm__sql_schema qm__sql_store = {0x514d7374, "qianmo store", store_steps,
                                      sizeof store_steps / sizeof *store_steps};

static const char *const hub_steps[] = {
    "CREATE TABLE device (id BLOB NOT NULL PRIMARY KEY, alias BLOB NOT NULL, spki BLOB NOT NULL,"
    "  member TEXT NOT NULL, role TEXT NOT NULL, not_after INTEGER NOT NULL,"
    "  enrolled INTEGER NOT NULL, revoked INTEGER NOT NULL, last_sync INTEGER NOT NULL,"
    "  behind INTEGER NOT NULL, refused INTEGER NOT NULL, refused_code INTEGER NOT NULL,"
    "  clock_offset INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE device_space (device BLOB NOT NULL, space BLOB NOT NULL,"
    "  PRIMARY KEY (device, space)) WITHOUT ROWID;"
    "CREATE INDEX device_space_space ON device_space (space, device);"
    "CREATE TABLE space_name (space BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  schema INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE schema (space BLOB NOT NULL, version INTEGER NOT NULL, blob BLOB NOT NULL,"
    "  PRIMARY KEY (space, version)) WITHOUT ROWID;"
    "CREATE TABLE refused (space BLOB NOT NULL, author BLOB NOT NULL, counter INTEGER NOT NULL,"
    "  code INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (space, author)) WITHOUT ROWID;"
    "CREATE TABLE code (hash BLOB NOT NULL PRIMARY KEY, member TEXT NOT NULL, role TEXT NOT NULL,"
    "  expires INTEGER NOT NULL, tries_left INTEGER NOT NULL, used_at INTEGER NOT NULL,"
    "  used_by BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE code_space (hash BLOB NOT NULL, space BLOB NOT NULL,"
    "  PRIMARY KEY (hash, space)) WITHOUT ROWID;"
    "CREATE TABLE attempt (address TEXT NOT NULL PRIMARY KEY, window_start INTEGER NOT NULL,"
    "  tries INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE note (space BLOB NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,"
    "  PRIMARY KEY (space, name)) WITHOUT ROWID;",
    /* held: the VV that a device said it holds of a space: author and next, 32 bytes each. */
    "CREATE TABLE held (space BLOB NOT NULL, device BLOB NOT NULL, vv BLOB NOT NULL,"
    "  PRIMARY KEY (space, device)) WITHOUT ROWID;",
    "ALTER TABLE space_name ADD COLUMN shard INTEGER NOT NULL DEFAULT 0;",
};

const qm__sql_schema qm__sql_hub = {0x514d6862, "qianmo hub database", hub_steps,
                                    sizeof hub_steps / sizeof *hub_steps};

#define DEVICE_COLUMNS                                                               \
  "id, alias, spki, member, role, not_after, enrolled, revoked, last_sync, behind, " \
  "refused, refused_code, clock_offset"

/* From an index, in the order of its rows. */
#define FIND_IN(index)                                                                     \
  " FROM " index " WHERE " index " MATCH ?1 AND rowid BETWEEN ?2 AND ?3"                   \
  " AND (?4 = '' OR (rowid >> 32 & 2047) IN"                                               \
  " (SELECT ordinal FROM _tables WHERE kind = 'table' AND collection_name = ?4))"
#define SHOW_IN(index)                                                                     \
  "SELECT highlight(" index ", 0, char(1), char(2)),"                                      \
  " snippet(" index ", 1, char(1), char(2), '…', 24) FROM " index " WHERE " index          \
  " MATCH ?1 AND rowid = ?2"

static const qm__sql table[QM__SQL_COUNT] = {
#define SQL(name, text) [QM__SQL_##name] = {QM__SQL_##name, text}
    SQL(BEGIN, "BEGIN IMMEDIATE"),
    SQL(VIEW, "BEGIN"),
    SQL(COMMIT, "COMMIT"),
    SQL(ROLLBACK, "ROLLBACK"),
    SQL(DATA_VERSION, "PRAGMA data_version"),
    SQL(USER_VERSION, "PRAGMA user_version"),
    SQL(APPLICATION_ID, "PRAGMA application_id"),
    SQL(OBJECT_COUNT, "SELECT count(*) FROM sqlite_master"),
    SQL(QUICK_CHECK, "PRAGMA quick_check(1)"),
    SQL(INTEGRITY_CHECK, "PRAGMA integrity_check(1)"),

    SQL(META_GET, "SELECT value FROM meta WHERE key = ?1"),
    SQL(META_PUT,
        "INSERT INTO meta (key, value) VALUES (?1, ?2)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
    SQL(CLOCK_PUT, "UPDATE _clock SET offset_ms = ?1 WHERE offset_ms <> ?1"),
    SQL(META_DELETE, "DELETE FROM meta WHERE key = ?1"),
    SQL(META_SCAN, "SELECT key, value FROM meta WHERE key >= ?1 ORDER BY key"),
    SQL(SPACE_LIST, "SELECT space, id, blob FROM space ORDER BY space"),
    SQL(SPACE_PUT,
        "INSERT INTO space (space, id, blob) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (space) DO UPDATE SET id = excluded.id, blob = excluded.blob"),
    SQL(SPACE_DELETE, "DELETE FROM space WHERE space = ?1"),
    SQL(AUTHOR_LIST,
        "SELECT number, id, next, closed, head, time, clock FROM author"
        " WHERE space = ?1 ORDER BY number"),
    SQL(AUTHOR_PUT,
        "INSERT OR REPLACE INTO author"
        " (space, number, id, next, closed, head, time, clock)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"),
    SQL(AUTHOR_DROP, "DELETE FROM author WHERE space = ?1"),

    SQL(RECORD_LOAD, "SELECT id, collection, hash, state FROM record WHERE space = ?1 AND id = ?2"),
    /* The collection stands in an index: a statement that names it writes there too. */
    SQL(RECORD_SAVE,
        "UPDATE record SET hash = ?4, state = ?5 WHERE space = ?1 AND id = ?2"
        " AND collection = ?3"),
    SQL(RECORD_MOVE,
        "UPDATE record SET collection = ?3, hash = ?4, state = ?5 WHERE space = ?1 AND id = ?2"),
    /* Not in one statement with the next: see put_insert in project_layout.c. */
    SQL(RECORD_THERE, "SELECT 1 FROM record WHERE space = ?1 AND id = ?2"),
    SQL(RECORD_ADD,
        "INSERT INTO record (space, id, collection, hash, state) VALUES (?1, ?2, ?3, ?4, ?5)"),
    SQL(RECORD_DELETE, "DELETE FROM record WHERE space = ?1 AND id = ?2"),
    SQL(RECORD_DROP, "DELETE FROM record WHERE space = ?1"),
    SQL(RECORD_SCAN,
        "SELECT id, collection, hash, state FROM record"
        " WHERE space = ?1 AND id > ?2 ORDER BY id LIMIT ?3"),
    SQL(RECORD_SCAN_COLLECTION,
        "SELECT id, collection, hash, state FROM record"
        " INDEXED BY record_id"
        " WHERE space = ?1 AND id > ?2 AND collection = ?4"
        " ORDER BY id LIMIT ?3"),
    SQL(RECORD_COUNT, "SELECT count(*) FROM record WHERE space = ?1"),
    SQL(RECORD_COUNT_COLLECTION,
        "SELECT count(*) FROM record WHERE space = ?1 AND collection = ?2"),
    SQL(CREATION_PUT,
        "INSERT OR REPLACE INTO creation (space, author, counter, record)"
        " VALUES (?1, ?2, ?3, ?4)"),
    SQL(CREATION_FIND,
        "SELECT record FROM creation WHERE space = ?1 AND author = ?2 AND counter = ?3"),
    SQL(CREATION_DROP, "DELETE FROM creation WHERE space = ?1"),
    SQL(KEY_PUT,
        "INSERT OR IGNORE INTO key_index (space, name, record, key)"
        " VALUES (?1, ?2, ?3, ?4)"),
    SQL(KEY_DELETE, "DELETE FROM key_index WHERE space = ?1 AND name = ?2 AND record = ?3"),
    SQL(KEY_FIND,
        "SELECT record FROM key_index WHERE space = ?1 AND name = ?2 AND key = ?3"
        " ORDER BY record"),
    SQL(KEY_DROP, "DELETE FROM key_index WHERE space = ?1"),

    SQL(LOG_LAST,
        "SELECT max(coalesce((SELECT seq FROM log_last WHERE space = ?1), 0),"
        " coalesce((SELECT max(row) & 2147483647 FROM log WHERE row >= ?2 AND row <= ?3), 0))"),
    SQL(LOG_LAST_PUT, "INSERT OR REPLACE INTO log_last (space, seq) VALUES (?1, ?2)"),
    SQL(LOG_LAST_DROP, "DELETE FROM log_last WHERE space = ?1"),
    SQL(LOG_PUT, "INSERT INTO log (row, segments, size) VALUES (?1, ?2, ?3)"),
    SQL(LOG_GET, "SELECT segments, size FROM log WHERE row = ?1"),
    SQL(LOG_NEXT,
        "SELECT row & 2147483647, segments FROM log WHERE row > ?1 AND row <= ?2"
        " ORDER BY row LIMIT 1"),
    SQL(LOG_SIZES,
        "SELECT segments, size, row & 2147483647 FROM log"
        " WHERE row >= ?1 AND row <= ?2 ORDER BY row"),
    SQL(LOG_RESIZE, "UPDATE log SET size = ?2 WHERE row = ?1"),
    SQL(LOG_PIECE_PUT, "INSERT INTO log_piece (row, piece, bytes) VALUES (?1, ?2, ?3)"),
    SQL(LOG_PIECE_LIST, "SELECT bytes FROM log_piece WHERE row = ?1 ORDER BY piece"),
    SQL(LOG_PIECE_DROP, "DELETE FROM log_piece WHERE row >= ?1 AND row <= ?2"),
    SQL(LOG_DELETE, "DELETE FROM log WHERE row = ?1"),
    SQL(LOG_DROP, "DELETE FROM log WHERE row >= ?1 AND row <= ?2"),
    SQL(SEGMENT_PUT, "INSERT INTO segment (space, author, next, seq) VALUES (?1, ?2, ?3, ?4)"),
    SQL(SEGMENT_LAST,
        "SELECT next FROM segment WHERE space = ?1 AND author = ?2"
        " ORDER BY next DESC LIMIT 1"),
    SQL(SEGMENT_BEYOND,
        "SELECT author, seq FROM segment WHERE space = ?1"
        " AND (author, next) > (?2, ?3) ORDER BY author, next LIMIT 1"),
    SQL(SEGMENT_AFTER,
        "SELECT seq FROM segment INDEXED BY segment_seq"
        " WHERE space = ?1 AND author = ?2 AND seq > ?3 ORDER BY seq LIMIT 1"),
    SQL(SEGMENT_DELETE, "DELETE FROM segment WHERE space = ?1 AND author = ?2 AND next = ?3"),
    SQL(SEGMENT_DROP, "DELETE FROM segment WHERE space = ?1"),
    SQL(LOG_NEW_PUT, "INSERT INTO log_new (row, records) VALUES (?1, ?2)"),
    SQL(LOG_NEW_LIST,
        "SELECT row & 2147483647, records FROM log_new WHERE row > ?1 AND row <= ?2"
        " ORDER BY row"),
    SQL(LOG_NEW_SIZE,
        "SELECT count(*), sum(length(records)) FROM log_new WHERE row >= ?1 AND row <= ?2"),
    SQL(LOG_NEW_DELETE, "DELETE FROM log_new WHERE row = ?1"),
    SQL(LOG_NEW_DROP, "DELETE FROM log_new WHERE row >= ?1 AND row <= ?2"),
    SQL(LOG_OF_PUT,
        "INSERT OR REPLACE INTO log_index (space, record, last, others) VALUES (?1, ?2, ?3, ?4)"),
    SQL(LOG_OF_NEXT,
        "SELECT last, others FROM log_index WHERE space = ?1 AND record = ?2 AND last > ?3"
        " ORDER BY last LIMIT 1"),
    SQL(LOG_OF_SWEEP,
        "DELETE FROM log_index WHERE space = ?1 AND last <"
        " coalesce((SELECT min(row) & 2147483647 FROM log WHERE row >= ?2 AND row <= ?3),"
        " 2147483647)"),
    SQL(LOG_OF_LIST, "SELECT last, others FROM log_index WHERE space = ?1 AND record = ?2"),
    SQL(LOG_OF_DELETE, "DELETE FROM log_index WHERE space = ?1 AND record = ?2"),
    SQL(LOG_OF_DROP, "DELETE FROM log_index WHERE space = ?1"),
    SQL(OPEN_PUT, "INSERT OR REPLACE INTO open_run (row, change) VALUES (?1, ?2)"),
    SQL(OPEN_LIST,
        "SELECT row & 2147483647, change FROM open_run WHERE row >= ?1 AND row <= ?2"
        " ORDER BY row"),
    SQL(OPEN_DROP, "DELETE FROM open_run WHERE row >= ?1 AND row <= ?2"),
    SQL(OPEN_FAR_PUT,
        "INSERT OR REPLACE INTO open_change (space, counter, change)"
        " VALUES (?1, ?2, ?3)"),
    SQL(OPEN_FAR_LIST,
        "SELECT counter, change FROM open_change WHERE space = ?1 AND counter >= ?2"
        " ORDER BY counter"),
    SQL(OPEN_FAR_DROP, "DELETE FROM open_change WHERE space = ?1"),

    SQL(ASIDE_PUT, "INSERT OR REPLACE INTO aside (space, key, value) VALUES (?1, ?2, ?3)"),
    SQL(ASIDE_DELETE, "DELETE FROM aside WHERE space = ?1 AND key = ?2"),
    SQL(ASIDE_SCAN, "SELECT key, value FROM aside WHERE space = ?1 AND key >= ?2 ORDER BY key"),
    SQL(ASIDE_DROP, "DELETE FROM aside WHERE space = ?1"),
    SQL(LOCAL_PUT, "INSERT OR REPLACE INTO local (space, key, value) VALUES (?1, ?2, ?3)"),
    SQL(LOCAL_DELETE, "DELETE FROM local WHERE space = ?1 AND key = ?2"),
    SQL(LOCAL_SCAN,
        "SELECT key, value FROM local WHERE space = ?1 AND key >= ?2 AND key > ?3 ORDER BY key"),
    SQL(LOCAL_DROP, "DELETE FROM local WHERE space = ?1"),
    SQL(FEED_LAST, "SELECT coalesce(max(seq), 0) FROM feed"),
    SQL(FEED_PUT, "INSERT OR REPLACE INTO feed (seq, space, record, fields)"
                  " VALUES (?1, ?2, ?3, ?4)"),
    SQL(FEED_LOAD, "SELECT seq, space, record, fields FROM feed WHERE space = ?1 AND record = ?2"),
    SQL(FEED_AFTER,
        "SELECT seq, space, record, fields FROM feed WHERE seq > ?1 ORDER BY seq LIMIT ?2"),
    SQL(FEED_DROP, "DELETE FROM feed WHERE space = ?1"),

    SQL(STAGE_GET, "SELECT manifest FROM stage WHERE space = ?1"),
    SQL(STAGE_PUT, "INSERT INTO stage (space, manifest) VALUES (?1, ?2)"),
    SQL(STAGE_DROP, "DELETE FROM stage WHERE space = ?1"),
    SQL(PART_PUT, "INSERT OR IGNORE INTO stage_part (space, part, content) VALUES (?1, ?2, ?3)"),
    SQL(PART_GET, "SELECT content FROM stage_part WHERE space = ?1 AND part = ?2"),
    SQL(PART_NUMBERS, "SELECT part FROM stage_part WHERE space = ?1 ORDER BY part"),
    SQL(PART_LIST, "SELECT part, content FROM stage_part WHERE space = ?1 ORDER BY part"),
    SQL(PART_DROP, "DELETE FROM stage_part WHERE space = ?1"),

    SQL(OBJECT_NAMED, "SELECT count(*) FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE"),
    SQL(TABLES_LIST,
        "SELECT name, kind, lineage, collection, field, ordinal, sql FROM _tables"
        " ORDER BY ordinal"),
    SQL(TABLES_PUT,
        "INSERT OR REPLACE INTO _tables (name, kind, lineage, collection, field, ordinal, sql,"
        " collection_name, field_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
    SQL(TABLES_DROP, "DELETE FROM _tables WHERE name = ?1"),
    SQL(SPACES_LIST, "SELECT _space, schema_hash, digest FROM _spaces ORDER BY _space"),
    SQL(SPACES_PUT,
        "INSERT OR REPLACE INTO _spaces (_space, id, name, schema, version, schema_hash, digest)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
    SQL(SPACES_DIGEST, "UPDATE _spaces SET digest = ?2 WHERE _space = ?1"),
    SQL(SPACES_DROP, "DELETE FROM _spaces WHERE _space = ?1"),
    SQL(SPACES_BEHIND,
        "SELECT count(*) FROM space s LEFT JOIN _spaces p ON p._space = s.space"
        " LEFT JOIN meta m ON m.key = CAST(printf('digest/%08x', s.space) AS BLOB)"
        " WHERE p.digest IS NULL OR m.value <> p.digest"),
    SQL(MERGED_WITH,
        "SELECT b.record FROM _merged a JOIN _merged b ON b.space = a.space AND b.class = a.class"
        " WHERE a.space = ?1 AND a.record = ?2"),
    SQL(MERGED_CLASS, "SELECT class FROM _merged WHERE space = ?1 AND record = ?2"),
    SQL(MERGED_PUT, "INSERT OR REPLACE INTO _merged (space, record, class) VALUES (?1, ?2, ?3)"),
    SQL(MERGED_DROP, "DELETE FROM _merged WHERE space = ?1 AND record = ?2"),
    SQL(MERGED_CLEAR, "DELETE FROM _merged WHERE space = ?1"),
    SQL(ALIKE_GET, "SELECT id, keys, features FROM _alike WHERE row = ?1"),
    SQL(ALIKE_PUT, "INSERT OR REPLACE INTO _alike (row, id, keys, features)"
                   " VALUES (?1, ?2, ?3, ?4)"),
    SQL(ALIKE_DROP, "DELETE FROM _alike WHERE row = ?1"),
    SQL(ALIKE_CLEAR, "DELETE FROM _alike WHERE row BETWEEN ?1 AND ?2"),
    SQL(ALIKE_KEY_PUT, "INSERT OR IGNORE INTO _alike_key (scope, key, row) VALUES (?1, ?2, ?3)"),
    SQL(ALIKE_KEY_DROP, "DELETE FROM _alike_key WHERE scope = ?1 AND key = ?2 AND row = ?3"),
    SQL(ALIKE_KEY_CLEAR, "DELETE FROM _alike_key WHERE scope BETWEEN ?1 AND ?2"),
    SQL(ALIKE_SCAN, "SELECT key, row FROM _alike_key WHERE scope = ?1 ORDER BY key, row"),
    SQL(ALIKE_BLOCK, "SELECT row FROM _alike_key WHERE scope = ?1 AND key = ?2 LIMIT ?3"),
    SQL(ALIKE_PLACE,
        "SELECT row FROM _alike WHERE row BETWEEN ?3 AND ?4 AND id = coalesce("
        "(SELECT class FROM _merged WHERE space = ?1 AND record = ?2), ?2)"),
    SQL(ALIKE_SCOPE,
        "SELECT t.ordinal, s.version FROM _spaces s LEFT JOIN _tables t ON t.kind = 'table'"
        " AND t.lineage = s.schema AND t.collection = ?2 WHERE s._space = ?1"),
    SQL(DISTINCT_PUT, "INSERT OR IGNORE INTO _distinct (space, record, other)"
                      " VALUES (?1, ?2, ?3)"),
    SQL(DISTINCT_DROP, "DELETE FROM _distinct WHERE space = ?1 AND record = ?2"),
    SQL(DISTINCT_CLEAR, "DELETE FROM _distinct WHERE space = ?1"),
    SQL(DISTINCT_LIST,
        "SELECT coalesce(m.class, d.record), coalesce(o.class, d.other) FROM _distinct d"
        " LEFT JOIN _merged m ON m.space = d.space AND m.record = d.record"
        " LEFT JOIN _merged o ON o.space = d.space AND o.record = d.other WHERE d.space = ?1"),
    SQL(SEARCH_THERE, "SELECT count(*) FROM sqlite_schema WHERE name = '_search'"),
    /* The content of an FTS5 table is a table: read without FTS5's help it costs one probe. */
    SQL(SEARCH_GET,
        "SELECT 0, title, body FROM _search_new WHERE row = ?1"
        " UNION ALL SELECT 1, c0, c1 FROM _search_content WHERE id = ?1"),
    SQL(SEARCH_TITLE,
        "SELECT coalesce((SELECT title FROM _search_new WHERE row = ?1),"
        " (SELECT c0 FROM _search_content WHERE id = ?1), '')"),
    SQL(SEARCH_NEW_SIZE,
        "SELECT count(*), coalesce(sum(length(CAST(title AS BLOB)) +"
        " length(CAST(body AS BLOB))), 0) FROM _search_new"),
    SQL(SEARCH_NEW_PUT,
        "INSERT OR REPLACE INTO _search_new (row, title, body) VALUES (?1, ?2, ?3)"),
    SQL(SEARCH_NEW_LIST, "SELECT row, title, body FROM _search_new ORDER BY row"),
    SQL(SEARCH_NEW_DROP, "DELETE FROM _search_new WHERE row = ?1"),
    SQL(SEARCH_NEW_CLEAR, "DELETE FROM _search_new WHERE row BETWEEN ?1 AND ?2"),
    SQL(SEARCH_NEW_END, "DELETE FROM _search_new"),
    /* One statement of one row each: any that might have to be undone in part makes FTS5 write
     * what it holds before the next. */
    SQL(SEARCH_PUT, "INSERT OR REPLACE INTO _search (rowid, title, body) VALUES (?1, ?2, ?3)"),
    SQL(SEARCH_DROP, "DELETE FROM _search WHERE rowid = ?1"),
    SQL(SEARCH_DROP_RANGE, "DELETE FROM _search WHERE rowid BETWEEN ?1 AND ?2"),
    SQL(SEARCH_OPTIMIZE, "INSERT INTO _search (_search) VALUES ('optimize')"),
    SQL(SEARCH_FIND, "SELECT rowid, 0" FIND_IN("_search") " ORDER BY rowid"),
    SQL(SEARCH_FIND_BOTH,
        "SELECT rowid, 0" FIND_IN("_search") " AND rowid NOT IN (SELECT row FROM _search_new)"
        " UNION ALL SELECT rowid, 1" FIND_IN("_search_fresh") " ORDER BY 1"),
    SQL(SEARCH_SHOW, SHOW_IN("_search")),
    SQL(SEARCH_SHOW_FRESH, SHOW_IN("_search_fresh")),
    SQL(BEGIN_READ, "BEGIN"),
    SQL(SEARCH_PLACE,
        "SELECT t.name, t.collection_name, s.id FROM _tables t, _spaces s"
        " WHERE t.ordinal = ?1 AND s._space = ?2"),
    SQL(LIMIT_TABLES,
        "SELECT l.name, m.name, l.field_name FROM _tables l JOIN _tables m ON m.kind = 'table'"
        " AND m.lineage = l.lineage AND m.collection = l.collection WHERE l.kind = 'limit'"
        " ORDER BY l.ordinal"),
    SQL(LIMIT_PLACE,
        "SELECT t.collection_name, s.id, s.name FROM _tables t, _spaces s"
        " WHERE t.ordinal = ?1 AND s._space = ?2"),
    SQL(TABLES_NAMES, "SELECT name FROM _tables UNION ALL SELECT '_tables'"
                      " UNION ALL SELECT '_spaces' UNION ALL SELECT '_clock'"),
    SQL(OTHER_NAMES,
        "SELECT name FROM sqlite_schema WHERE name NOT IN (SELECT name FROM _tables)"
        " UNION SELECT name FROM sqlite_temp_schema UNION SELECT name FROM pragma_module_list"),

    SQL(DEVICE_PUT, "INSERT OR REPLACE INTO device (" DEVICE_COLUMNS ")"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"),
    SQL(DEVICE_GET, "SELECT " DEVICE_COLUMNS " FROM device WHERE id = ?1"),
    SQL(DEVICE_LIST, "SELECT " DEVICE_COLUMNS " FROM device ORDER BY id"),
    SQL(DEVICE_REVOKE,
        "UPDATE device SET revoked = CASE revoked WHEN 0 THEN ?2 ELSE revoked END"
        " WHERE id = ?1"),
    SQL(DEVICE_RENEW, "UPDATE device SET not_after = ?2 WHERE id = ?1"),
    SQL(DEVICE_ASSIGN,
        "UPDATE device SET member = coalesce(?2, member), role = coalesce(?3, role)"
        " WHERE id = ?1"),
    SQL(DEVICE_TOUCH,
        "UPDATE device SET last_sync = ?2, behind = ?3, refused = refused + ?4,"
        " refused_code = CASE ?4 WHEN 0 THEN refused_code ELSE ?5 END,"
        " clock_offset = ?6 WHERE id = ?1"),
    SQL(DEVICE_SPACE_PUT, "INSERT OR IGNORE INTO device_space (device, space) VALUES (?1, ?2)"),
    SQL(DEVICE_SPACE_DROP, "DELETE FROM device_space WHERE device = ?1"),
    SQL(DEVICE_SPACES, "SELECT space FROM device_space WHERE device = ?1 ORDER BY space"),
    SQL(SPACE_DEVICES,
        "SELECT s.device FROM device_space s JOIN device d ON d.id = s.device"
        " WHERE s.space = ?1 AND d.revoked = 0 ORDER BY s.device"),
    SQL(DEVICE_MAY,
        "SELECT d.revoked, s.space IS NOT NULL FROM device d LEFT JOIN device_space s"
        " ON s.device = d.id AND s.space = ?2 WHERE d.id = ?1"),
    SQL(HELD_PUT, "INSERT OR REPLACE INTO held (space, device, vv) VALUES (?1, ?2, ?3)"),
    SQL(HELD_LIVE,
        "SELECT d.id, coalesce(h.vv, X'') FROM device_space s JOIN device d ON d.id = s.device"
        " LEFT JOIN held h ON h.space = s.space AND h.device = d.id"
        " WHERE s.space = ?1 AND d.revoked = 0 AND d.last_sync > 0 AND d.last_sync >= ?2"
        " ORDER BY d.id"),

    SQL(HUB_SPACE_ADD,
        "INSERT OR IGNORE INTO space_name (space, name, schema, shard)"
        " VALUES (?1, ?2, 0, ?3)"),
    SQL(HUB_SPACE_GET, "SELECT space, name, schema, shard FROM space_name WHERE space = ?1"),
    SQL(HUB_SPACE_GET_BY_NAME, "SELECT space, name, schema, shard FROM space_name WHERE name = ?1"),
    SQL(HUB_SPACE_LIST, "SELECT space, name, schema, shard FROM space_name ORDER BY name"),
    SQL(HUB_SPACE_SCHEMA, "UPDATE space_name SET schema = ?2 WHERE space = ?1"),
    SQL(SCHEMA_PUT, "INSERT INTO schema (space, version, blob) VALUES (?1, ?2, ?3)"),
    SQL(SCHEMA_GET, "SELECT blob FROM schema WHERE space = ?1 AND version = ?2"),
    SQL(REFUSED_PUT,
        "INSERT OR IGNORE INTO refused (space, author, counter, code, at)"
        " VALUES (?1, ?2, ?3, ?4, ?5)"),
    SQL(REFUSED_FIND,
        "SELECT space, author, counter, code, at FROM refused"
        " WHERE space = ?1 AND author = ?2"),
    SQL(REFUSED_LIST,
        "SELECT space, author, counter, code, at FROM refused"
        " ORDER BY space, author"),
    SQL(REFUSED_LIST_SPACE,
        "SELECT space, author, counter, code, at FROM refused"
        " WHERE space = ?1 ORDER BY author"),
    SQL(REFUSED_CLEAR, "DELETE FROM refused WHERE space = ?1 AND author = ?2"),

    SQL(CODE_ADD,
        "INSERT OR IGNORE INTO code"
        " (hash, member, role, expires, tries_left, used_at, used_by)"
        " VALUES (?1, ?2, ?3, ?4, ?5, 0, x'')"),
    SQL(CODE_GET,
        "SELECT member, role, expires, tries_left, used_at, used_by FROM code"
        " WHERE hash = ?1"),
    SQL(CODE_TRY, "UPDATE code SET tries_left = tries_left - 1 WHERE hash = ?1"),
    SQL(CODE_USE, "UPDATE code SET used_at = ?2, used_by = ?3 WHERE hash = ?1 AND used_at = 0"),
    SQL(CODE_SWEEP, "DELETE FROM code WHERE expires < ?1"),
    SQL(CODE_SPACE_ADD, "INSERT OR IGNORE INTO code_space (hash, space) VALUES (?1, ?2)"),
    SQL(CODE_SPACE_SWEEP, "DELETE FROM code_space WHERE hash NOT IN (SELECT hash FROM code)"),
    SQL(CODE_SPACES_TO_DEVICE,
        "INSERT OR IGNORE INTO device_space (device, space)"
        " SELECT ?2, space FROM code_space WHERE hash = ?1"),
    SQL(ATTEMPT_GET, "SELECT window_start, tries FROM attempt WHERE address = ?1"),
    SQL(ATTEMPT_PUT,
        "INSERT OR REPLACE INTO attempt (address, window_start, tries)"
        " VALUES (?1, ?2, ?3)"),
    SQL(ATTEMPT_SWEEP, "DELETE FROM attempt WHERE window_start < ?1 OR window_start > ?2"),
    SQL(NOTE_GET, "SELECT value FROM note WHERE space = ?1 AND name = ?2"),
    SQL(NOTE_PUT, "INSERT OR REPLACE INTO note (space, name, value) VALUES (?1, ?2, ?3)"),
    SQL(NOTE_DELETE, "DELETE FROM note WHERE space = ?1 AND name = ?2"),
#undef SQL
};

const char *qm__sql_text(qm__sql_id id) { return table[id].text; }
