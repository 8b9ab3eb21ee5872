/* schema_json_int: what the readers of JSON schemas share (adapters/json only): tables,
 * calendars, checks and limits. `at` is the place so far ("collections[2]"); errors are
 * QM_ESCHEMA with the whole place, or QM_ENOMEM. */
#ifndef QM_SCHEMA_JSON_INT_H
#define QM_SCHEMA_JSON_INT_H

#include <jansson.h>

#include "adapters/json/schema_json.h"

/* "tables" and "calendars" of the root. */
int qm__schema_json_tables(const json_t *root, qm_schema *s, qm_arena *arena, qm_error *e);
int qm__schema_json_calendars(const json_t *root, qm_schema *s, qm_arena *arena, qm_error *e);
/* "check" of a field. */
int qm__schema_json_check(const json_t *field, const char *at, qm_field_def *f, qm_arena *arena,
                          qm_error *e);
/* "limits" of a collection, whose fields have been read. */
int qm__schema_json_limits(const json_t *collection, const char *at, qm_collection_def *c,
                           qm_arena *arena, qm_error *e);
/* "basis", "based", "when", "referral", "covers" and "clashes" of the collection at place `at` of
 * the list; all collections have been read. */
int qm__schema_json_relations(const json_t *collection, uint32_t at, const qm_schema *s,
                              qm_collection_def *c, qm_arena *arena, qm_error *e);

/* Appends ",\n  \"tables\": […]", and so on; nothing where there is none. */
void qm__schema_json_put_tables(qm_buf *out, const qm_schema *s);
void qm__schema_json_put_calendars(qm_buf *out, const qm_schema *s);
void qm__schema_json_put_check(qm_buf *out, const qm_field_def *f);
void qm__schema_json_put_limits(qm_buf *out, const qm_collection_def *c);
void qm__schema_json_put_relations(qm_buf *out, const qm_schema *s, const qm_collection_def *c);

/* Where a place stands in the text; NULL where it does not. */
const uint8_t *qm__schema_json_at(qm_slice json, const char *place);
/* Behind the member that begins there. */
const uint8_t *qm__schema_json_behind(qm_slice json, const uint8_t *member);

#endif
