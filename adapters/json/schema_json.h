/* schema_json: schemas as JSON for people, to and from qm_schema. With its
 * neighbours in this directory the only user of jansson. Format, with examples:
 * fixtures/schemas/README.md.
 *
 * Strict: an unknown or repeated key, a missing name, number, type, class, purpose or
 * retention, and whatever qm_schema_check refuses is QM_ESCHEMA, with *e naming the
 * place (collections[2].fields[3].class) and the reason. Text that is no JSON is
 * QM_ESCHEMA with line and column; more than QM_SCHEMA_JSON_MAX bytes is
 * QM_EOVERSIZE; QM_ENOMEM.
 *
 * Threads: no shared state. */
#ifndef QM_SCHEMA_JSON_H
#define QM_SCHEMA_JSON_H

#include "core/schema.h"

#define QM_SCHEMA_JSON_MAX 1048576u

/* Reads a schema; all of it is copied into the arena. */
int qm_schema_json_load(const qm_schema **out, qm_slice json, qm_arena *arena, qm_error *e);
/* Appends the MessagePack form of a JSON schema. `out` is untouched where the schema
 * is refused. */
int qm_schema_json_compile(qm_buf *out, qm_slice json, qm_error *e);
/* Reads the file that a schema names; its content is appended. */
typedef int (*qm_schema_file)(void *payload, const char *name, qm_buf *to, qm_error *e);
/* Appends the schema with the files that it names in their places: those of its tables and
 * calendars ("file": NAME), each on the line of its name, so that lines stay true; of a file's
 * object the members that the table or calendar lacks are taken; "standard", "source" and "note"
 * are for people. A schema that extends another one, or tells kinds of spaces apart, is put
 * together first (S7.11, S7.12); the text is then a new one. kind: of space, or NULL for all
 * collections. A text that is no JSON is appended as it is. Errors of `read`; QM_ESCHEMA. */
int qm_schema_json_pack(qm_buf *out, qm_slice json, const char *kind, qm_schema_file read,
                        void *payload, qm_error *e);
/* The same with files as they lie on disk, seen from the directory of `path`, where the schema
 * itself was read: "FILE" or "FILE#KIND". QM_ENOTFOUND: there is no such file; QM_EIO,
 * QM_EOVERSIZE. */
int qm_schema_json_pack_beside(qm_buf *out, qm_slice json, char *path, qm_error *e);
/* Where the kind begins in such a path, behind the `#`; NULL: it names none. A file whose whole
 * name this is comes first. */
const char *qm_schema_json_kind(const char *path);
/* Appends a checked schema as JSON, a field a line, LF at the end; loading that gives
 * an equal schema. Errors stick in out. */
void qm_schema_json_print(qm_buf *out, const qm_schema *s);
/* The line, from 1, of a place such as "collections[2].fields[3].class"; what follows a
 * blank, "(" or ":" is left aside, so that it may be an error's message. Where not all of the
 * place is there, the line of what is. 0: no place. */
uint32_t qm_schema_json_line(qm_slice json, const char *place);
/* Puts the line before the message of a QM_ESCHEMA that begins with a place. */
void qm_schema_json_where(qm_slice json, qm_error *e);
/* Appends what differs (core/schema.h: qm_schema_diff), a line a difference:
 *   {"change":WORD,"refused":BOOL,"why":TEXT,"collection","field","item","old","new"}
 * with the members that there are. *refused: how many are refused. Errors of out. */
int qm_schema_json_diff(qm_buf *out, const qm_schema *older, const qm_schema *newer,
                        uint32_t *refused);

#endif
