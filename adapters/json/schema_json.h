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
/* Appends a checked schema as JSON, a field a line, LF at the end; loading that gives
 * an equal schema. Errors stick in out. */
void qm_schema_json_print(qm_buf *out, const qm_schema *s);

#endif
