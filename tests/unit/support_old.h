/* What turns a store of today back into one of version 11 or 8, to be followed by what the
 * versions before that did not have. */
#ifndef QM_SUPPORT_OLD_H
#define QM_SUPPORT_OLD_H

#define OLD_VERSION_11                                                                           \
  "INSERT INTO open_change SELECT row >> 31, row & 2147483647, change FROM open_run;"            \
  "DROP TABLE open_run;"

#define OLD_VERSION_8                                                                            \
  OLD_VERSION_11                                                                                 \
  "CREATE TABLE was (space, seq, segments, batch, PRIMARY KEY (space, seq)) WITHOUT ROWID;"      \
  "INSERT INTO was SELECT row >> 31, row & 2147483647, segments, CAST(coalesce((SELECT"          \
  "  group_concat(bytes, '') FROM (SELECT bytes FROM log_piece WHERE log_piece.row = log.row"    \
  "  ORDER BY piece)), X'') AS BLOB) FROM log;"                                                  \
  "INSERT OR REPLACE INTO log_last SELECT space, max(seq) FROM was GROUP BY space;"              \
  "CREATE TABLE log_record (space, record, seq, PRIMARY KEY (space, record, seq)) WITHOUT ROWID;" \
  "INSERT INTO log_record SELECT space, X'', seq FROM was;"                                      \
  "DROP TABLE _clock; DROP TABLE _search_new;"                                                   \
  "DROP TABLE log; DROP TABLE log_piece; DROP TABLE log_new; DROP TABLE log_index;"              \
  "ALTER TABLE was RENAME TO log;"                                                               \
  "CREATE TABLE was (space, id, collection, hash, state, PRIMARY KEY (space, id)) WITHOUT ROWID;" \
  "INSERT INTO was SELECT space, id, collection, hash, state FROM record;"                       \
  "DROP TABLE record; ALTER TABLE was RENAME TO record;"                                         \
  "CREATE INDEX record_collection ON record (space, collection, id);"                            \
  "PRAGMA user_version = 8;"

#endif
